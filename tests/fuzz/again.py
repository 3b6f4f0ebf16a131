"""`python -m tests.fuzz.again TARGET FILE...`: inputs once more; each that fails is shown with why.

Of a folder, the names of the files that fail are printed, and nothing else.
"""

import logging
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

import structlog

from tests.fuzz import targets


def failure(target: targets.Target, subject: Any, path: Path) -> str:
    """Why the input fails, or nothing."""
    try:
        target.run(subject, path.read_bytes())
    except Exception as error:
        return "".join(traceback.format_exception(error))
    return ""


def main() -> None:
    name, *paths = sys.argv[1:]
    warnings.simplefilter("error", RuntimeWarning)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    target = targets.target(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        subject = target.open_target(Path(folder) / "again")
        for path in map(Path, paths):
            if path.is_dir():
                failed = [p for p in sorted(path.iterdir()) if failure(target, subject, p)]
                print("".join(f"{one}\n" for one in failed), end="")
            else:
                why = failure(target, subject, path)
                print(f"{target.readable(path.read_bytes())}\n\n{why or 'nothing is wrong'}")


if __name__ == "__main__":
    main()
