"""What was published of a day's quotes, from the file of that day where there is one.

Of each line (one JSON object) four fields are read: when the quote was entered and published, its
number, and the journal that it is of. Times are text like `2026-11-22T10:00:00.123456Z` with up to
nine decimals.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gateway.config import ConfigError
from gateway.config import load as load_config
from gateway.publish.quotes_file import files, path_of
from gateway.publish.record import series_name
from gateway.publish.source import mark_of_journal

NS = 10**9
FOLDER = "published"


class Published(NamedTuple):
    """What a day's file says; delays in ns, of the lines with both times."""

    lines: int
    timed: int
    early: int  # published before its update
    missing: int  # versions of the journal's day that no line has
    delay_p50_ns: int
    delay_p99_ns: int
    delay_max_ns: int


class Versions(NamedTuple):
    """Numbers of the quotes that a journal has of a day: all from the first to the last."""

    series: str
    first: int
    last: int
    switched: int  # of these, withdrawn by a kill switch: told by the switch, without the number
    is_over: bool  # else the newest may be on their way

    def missing(self, found: Any) -> int:
        """How many, at least, are not among the numbers found."""
        found = found[(found >= self.first) & (found <= self.last)]
        last = self.last if self.is_over else int(found.max(initial=self.first - 1))
        missing = last + 1 - self.first - len(np.unique(found)) if self.first else 0
        return max(missing - self.switched, 0)


def folder_of(directory: Path) -> Path:
    """Where si.toml has quotes published; where that cannot be read, where it usually is."""
    try:
        config = load_config(directory)
    except ConfigError:
        return directory / FOLDER
    return config.path(config.publication.folder) if config.publication else directory / FOLDER


def series_of(directory: Path) -> str:
    """The name that the lines of a journal have."""
    mark = mark_of_journal(directory / "journal")
    return "" if mark is None else series_name(mark)


def read(folder: Path, day: date, versions: Versions) -> Published | None:
    """What the file of a day says; None where there is no such file.

    What was entered at the end of the day may be in the file of the day that is published next.
    """
    path = path_of(folder, day)
    if not path.is_file():
        return None
    delays, numbers, lines = array("q"), array("q"), 0
    for line in _lines(path):
        lines += 1
        plain = _read(line)
        delay_ns = delay_of(plain)
        if delay_ns is not None:
            delays.append(delay_ns)
        numbers.append(_number(plain, versions.series))
    later = [path for of, path in files(folder) if of > day]
    for line in _lines(later[0]) if later else ():
        number = _number(_read(line), versions.series)
        if number > versions.last:
            break
        numbers.append(number)
    sorted_ns = np.sort(np.frombuffer(delays, np.int64)) if delays else np.zeros(1, np.int64)

    def at(percent: int) -> int:
        """The smallest delay that is not exceeded by this share of all."""
        return int(sorted_ns[max(-(-len(sorted_ns) * percent // 100) - 1, 0)])

    early = int(np.count_nonzero(sorted_ns < 0))
    missing = versions.missing(np.array(numbers, np.int64))
    return Published(lines, len(delays), early, missing, at(50), at(99), at(100))


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line for line in file if line.strip())


def _read(line: str) -> dict[str, Any]:
    """What a line says; nothing where it is no object."""
    try:
        plain = json.loads(line)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}


def _number(plain: dict[str, Any], series: str) -> int:
    """The number of a quote of this series, else 0."""
    number = str(plain.get("quote_id", ""))
    digits = number.isascii() and number.isdigit() and len(number) < 19
    return int(number) if digits and plain.get("series") == series else 0


def delay_of(plain: dict[str, Any]) -> int | None:
    """Publication less update, in ns; None where a line does not say both."""
    update_ns, publication_ns = (
        time_ns(plain.get(name)) for name in ("update_date_and_time", "publication_date_and_time")
    )
    if update_ns is None or publication_ns is None:
        return None
    return publication_ns - update_ns


def time_ns(value: Any) -> int | None:
    """A time as it is written, in ns since the epoch; None for what is no time in UTC."""
    if not isinstance(value, str) or not value.endswith("Z"):
        return None
    whole, _, fraction = value[:-1].partition(".")
    if fraction and not (fraction.isdigit() and len(fraction) <= 9):
        return None
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * NS + int(fraction.ljust(9, "0") or 0)
