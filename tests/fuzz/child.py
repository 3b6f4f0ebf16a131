"""The process that libFuzzer runs in, through atheris: `python -m tests.fuzz.child TARGET ARGS`.

Every exception is a finding; it is written down once for each place it came from, and fuzzing goes
on. A hang or a death of the process is libFuzzer's to report.
"""

import hashlib
import logging
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import atheris
import structlog

CRASHES = Path(__file__).parent / "crashes"
PRODUCT = ("gateway", "engine")
#: Said once a second on standard error: inputs so far, findings so far.
STATUS = "fuzz: {} {}"


class Fuzzer:
    """One target and what was found."""

    def __init__(self, target: Any, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.subject = target.open_target(folder / "0")
        self.made = 1
        self.inputs = 0
        self.found: dict[str, int] = {}
        self.said_s = 0.0

    def one(self, data: bytes) -> None:
        """One input."""
        try:
            self.target.run(self.subject, data)
        except Exception as error:
            self.note(data, error)
        self.inputs += 1
        now_s = time.monotonic()
        if now_s - self.said_s > 1:
            self.said_s = now_s
            print(STATUS.format(self.inputs, len(self.found)), file=sys.stderr, flush=True)

    def note(self, data: bytes, error: Exception) -> None:
        """Write the input and the reason down; a server that cannot be restored is made anew."""
        place = where(error)
        self.found[place] = self.found.get(place, 0) + 1
        if self.found[place] == 1:
            CRASHES.mkdir(exist_ok=True)
            name = f"{self.target.name}-{hashlib.sha1(place.encode()).hexdigest()[:8]}"
            (CRASHES / f"{name}.bin").write_bytes(data)
            text = "".join(traceback.format_exception(error))
            readable = self.target.readable(data)
            (CRASHES / f"{name}.txt").write_text(f"{readable}\n\n{text}", encoding="utf-8")
            print(f"finding: {place}: {str(error)[:200]!r}", file=sys.stderr, flush=True)
        if getattr(self.subject, "spoiled", False):
            self.subject = self.target.open_target(self.folder / str(self.made))
            self.made += 1


def where(error: Exception) -> str:
    """Kind of error and the last place of the product, or of the check, on its way."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).parent.name in (*PRODUCT, "policies")]
    if isinstance(error, AssertionError) and "tests" in frames[-1].filename:
        ours = frames
    last = (ours or frames)[-1]
    return f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"


def main() -> None:
    name, *arguments = sys.argv[1:]
    warnings.simplefilter("error", RuntimeWarning)  # an int64 that overflows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with atheris.instrument_imports(include=list(PRODUCT)):
        from tests.fuzz import targets

        target = targets.target(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        fuzzer = Fuzzer(target, Path(folder))

        def mutated(data: bytes, size_max: int, seed: int) -> bytes:
            return target.mutate(data, size_max, seed, atheris.Mutate)

        # libFuzzer starts itself again to merge, with a shell: this is what it is to start.
        itself = f"{sys.executable} -m tests.fuzz.child {name}"
        command = [itself, f"-max_len={target.size_max}", *arguments]
        atheris.Setup(command, fuzzer.one, custom_mutator=mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
