"""`make fuzz`: run a target for a while, show how it goes, keep the smallest corpus that covers it.

The inputs live in `.cache/fuzz/TARGET`, between runs too. `--keep` writes them, minimised, to
`corpus/TARGET.txt`, which the tests replay.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tests.fuzz import corpus, targets

ROOT = Path(__file__).parents[2]
CRASHES = Path(__file__).parent / "crashes"
HANG_S = 20  # for one input; the slowest take a tenth of a second
MEMORY_MB = 2048
STATUS = re.compile(r"^fuzz: (\d+) (\d+)$")
PULSE = re.compile(r"^#\d+\s+\w+\s+cov: (\d+) .*?corp: (\d+)/")

say = Console(stderr=True)


class Progress:
    """What the child has said so far."""

    def __init__(self, target: str, seconds: int) -> None:
        self.target, self.seconds = target, seconds
        self.began_s = time.monotonic()
        self.inputs = self.before = self.edges = self.corpus = self.findings = 0
        self.said: list[str] = []

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self.began_s

    def take(self, line: str) -> None:
        """One line of the child's standard error."""
        if status := STATUS.match(line):
            self.inputs = self.before + int(status[1])
            self.findings = max(self.findings, int(status[2]))
        elif pulse := PULSE.match(line):
            self.edges, self.corpus = int(pulse[1]), int(pulse[2])
        elif line.startswith("finding: "):
            say.print(line, style="bold red", markup=False, highlight=False)
        if not line.startswith(("#", "fuzz:", "INFO")):
            self.said = [*self.said[-40:], line]

    def row(self) -> Text:
        """One line."""
        passed_s = self.passed_s
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{self.target}  ", style="bold")
        line.append(f"{_clock(passed_s)} of {_clock(self.seconds)}  {self.inputs:,} inputs, ")
        line.append(f"{self.inputs / max(passed_s, 1):,.0f}/s  {self.edges:,} edges  ")
        line.append(f"corpus {self.corpus:,}  ")
        line.append(f"{self.findings} findings", style="bold red" if self.findings else "green")
        return line


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


#: Interpreted, so that the branches are seen.
ENVIRONMENT = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}


def child(target: str, *arguments: object) -> "subprocess.Popen[str]":
    """The fuzzing process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.child", target, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line.rstrip("\n")


def fuzz(target: str, seconds: int, folder: Path) -> int:
    """Run for so long, again after a hang or a death; answers the number of findings."""
    CRASHES.mkdir(exist_ok=True)
    progress = Progress(target, seconds)
    deaths = 0
    shown_s = 0.0
    with Live(progress.row(), console=say, refresh_per_second=4) as live:
        while (left_s := int(seconds - progress.passed_s)) > 0 and deaths < 10:
            process = child(
                target, f"-max_total_time={left_s}", f"-timeout={HANG_S}", "-reload=0",
                f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={CRASHES}/{target}-", folder,
            )  # fmt: skip
            for line in lines_of(process):
                progress.take(line)
                live.update(progress.row())
                if not say.is_terminal and progress.passed_s - shown_s > 30:
                    shown_s = progress.passed_s
                    say.print(progress.row())
            progress.before = progress.inputs
            if process.wait() != 0:
                deaths += 1
                say.print("\n".join(progress.said[-25:]), markup=False, highlight=False)
                say.print(f"{target}: the process ended with {process.returncode}", style="red")
        live.update(progress.row())
    return progress.findings + deaths


def minimise(target: str, folder: Path) -> None:
    """Of all inputs, those that together reach what all of them do."""
    fresh = folder.with_name(f"{folder.name}-minimised")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    process = child(target, "-set_cover_merge=1", f"-timeout={HANG_S}", fresh, folder)
    said = list(lines_of(process))[-20:]
    if process.wait() != 0 or not any(fresh.iterdir()):
        say.print("\n".join(said), markup=False, highlight=False)
        raise SystemExit(f"{target}: the corpus could not be minimised; it is in {folder}")
    before = len(list(folder.iterdir()))
    shutil.rmtree(folder)
    fresh.rename(folder)
    say.print(f"corpus of {before} inputs minimised to {len(list(folder.iterdir()))}, in {folder}")


def keep_what_holds(target: str, folder: Path) -> None:
    """Into the repository; not what fails, which is a finding and no test yet."""
    command = [sys.executable, "-m", "tests.fuzz.again", target, str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    )
    failed = set(done.stdout.splitlines())
    held = [path.read_bytes() for path in folder.iterdir() if str(path) not in failed]
    kept, left = corpus.write(target, held)
    say.print(f"{kept} inputs written to {corpus.path(target)}")
    say.print(f"not written: {len(failed)} that fail, {left} too large or too many")


def seed(target: str, folder: Path) -> None:
    """Begin with what is kept, what the target itself proposes, and the runs before."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in [*corpus.read(target), *targets.target(target).seeds()]:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


class Options(NamedTuple):
    """Of the command line."""

    target: str
    seconds: int
    keep: bool


def options() -> Options:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("target", choices=targets.NAMES)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", action="store_true", help="write corpus/TARGET.txt")
    return Options(**vars(parser.parse_args()))


def main() -> None:
    target, seconds, keep = options()
    if not targets.present(target):
        raise SystemExit(f"{target}: this version of the product has nothing of the kind")
    folder = ROOT / ".cache" / "fuzz" / target
    seed(target, folder)
    findings = fuzz(target, seconds, folder)
    minimise(target, folder)
    if keep:
        keep_what_holds(target, folder)
    if findings:
        raise SystemExit(f"{findings} findings in {CRASHES}")


if __name__ == "__main__":
    main()
