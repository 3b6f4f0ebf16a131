"""Delays of published quotes, from the file of a day where there is one: one JSON object a line.

Of each line only `update_time` and `publication_time` are read: text like
`2026-11-22T10:00:00.123456Z` with up to nine decimals, or nanoseconds since the epoch.
"""

from __future__ import annotations

import json
from array import array
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NS = 10**9


class Published(NamedTuple):
    """What a day's file says; delays in ns, of the lines with both times."""

    lines: int
    timed: int
    early: int  # published before its update
    delay_p50_ns: int
    delay_p99_ns: int
    delay_max_ns: int


def path_of(folder: Path, day: date) -> Path:
    """Where the file of a day is."""
    return folder / "published" / f"quotes-{day.isoformat()}.ndjson"


def read(path: Path) -> Published | None:
    """The delays in a file; None where there is no such file."""
    if not path.is_file():
        return None
    delays, lines = array("q"), 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            lines += 1
            delay_ns = delay_of(line)
            if delay_ns is not None:
                delays.append(delay_ns)
    sorted_ns = np.sort(np.frombuffer(delays, np.int64)) if delays else np.zeros(1, np.int64)

    def at(percent: int) -> int:
        """The smallest delay that is not exceeded by this share of all."""
        return int(sorted_ns[max(-(-len(sorted_ns) * percent // 100) - 1, 0)])

    early = int(np.count_nonzero(sorted_ns < 0))
    return Published(lines, len(delays), early, at(50), at(99), at(100))


def delay_of(line: str) -> int | None:
    """Publication less update, in ns; None where the line does not say both."""
    try:
        plain = json.loads(line)
    except ValueError:
        return None
    if not isinstance(plain, dict):
        return None
    update_ns, publication_ns = (
        time_ns(plain.get(name)) for name in ("update_time", "publication_time")
    )
    if update_ns is None or publication_ns is None:
        return None
    return publication_ns - update_ns


def time_ns(value: Any) -> int | None:
    """A time as it may be written, in ns since the epoch; None for what is no time in UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 2**63 else None
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
