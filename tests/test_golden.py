"""Golden replay: a stored stream gives the journal, state and FIX bytes it gave when it was stored.

A hash that changes is a changed decision, record or report: `python -m tests.test_golden` stores
the new ones, and CHANGELOG.md gets a line that says why.
"""

import json
from pathlib import Path

import pytest

from tests import stream

GOLDEN = Path(__file__).parent / "replay" / "streams.json"
SEEDS, INPUTS = (1, 2, 3), 400


def hashes(seed: int) -> dict[str, int | str]:
    """What a stream leaves behind."""
    return stream.run(seed, INPUTS)._asdict()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stored_stream_gives_what_it_gave(seed: int) -> None:
    assert hashes(seed) == json.loads(GOLDEN.read_text())[str(seed)]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({seed: hashes(seed) for seed in SEEDS}, indent=2) + "\n")
