"""Inputs kept in the repository: a line each in `corpus/TARGET.txt`, escaped, smallest first."""

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
INPUTS_MAX = 300
SIZE_MAX = 120 << 10  # bytes of one file


def path(target: str) -> Path:
    return FOLDER / f"{target}.txt"


def read(target: str) -> list[bytes]:
    """The inputs of a target, none where there is no file."""
    if not path(target).exists():
        return []
    lines = path(target).read_text(encoding="ascii").splitlines()
    return [line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines]


def write(target: str, inputs: list[bytes]) -> tuple[int, int]:
    """As many as the limits allow, the smallest first; answers how many were kept and how many not.

    Whatever order they come in, the file is the same.
    """
    lines: list[str] = []
    room = SIZE_MAX
    for data in sorted(set(inputs), key=lambda one: (len(one), one)):
        line = data.decode("latin-1").encode("unicode_escape").decode("ascii")
        if len(lines) < INPUTS_MAX and len(line) < room:
            lines.append(line)
            room -= len(line) + 1
    FOLDER.mkdir(exist_ok=True)
    path(target).write_text("".join(line + "\n" for line in lines), encoding="ascii")
    return len(lines), len(set(inputs)) - len(lines)
