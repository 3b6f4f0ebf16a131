"""Quotes on request, compiled and interpreted: the same journal, state and bytes.

`python -m tests.test_rfq_parity` prints them.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from engine import journal as jn
from engine import tables
from engine.jit import JIT
from tests.test_rfq_wire import VERSIONS, everything

ROOT = Path(__file__).parents[1]


def hashes() -> list[str]:
    """Of a session's life in each version of FIX."""
    found = []
    for version in VERSIONS:
        gateway = everything(version)
        size = int(jn.position(gateway.journal))
        found.append(hashlib.sha256(gateway.journal.buffer[:size].tobytes()).hexdigest())
        found.append(tables.state_hash(gateway.engine.tables))
        found.append(hashlib.sha256(b"".join(raw for _, raw in gateway.sent)).hexdigest())
    return found


def test_compiled_equals_interpreted() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.test_rfq_parity"],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1" if JIT else "0"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    mode, *there = done.stdout.split()
    assert mode == ("interpreted" if JIT else "compiled")
    assert there == hashes()


if __name__ == "__main__":
    print("compiled" if JIT else "interpreted", *hashes(), sep="\n")
