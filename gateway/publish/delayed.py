"""The same records free of charge after 15 minutes: CSV, one file a day, grown every minute.

DR 2025/1156 Arts 23-25: no registration, machine and human readable, kept until the end of the next
business day. Each line is made of one line of the day's NDJSON file, in order, so that the number
of lines says where to go on.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from gateway.publish.quotes_file import cut_torn_line, day_of, files, path_of
from gateway.publish.record import QuoteRecord, ns_of

EVERY_NS = 60 * 10**9
MINUTE_NS = 60 * 10**9
LINES_A_TURN = 200
SUFFIX = ".csv"
COLUMNS = tuple(QuoteRecord.model_fields)

IsBusinessDay = Callable[[date], bool]


def monday_to_friday(day: date) -> bool:
    """Business days where nothing is known of holidays."""
    return day.isoweekday() < 6


def kept_until(day: date, is_business_day: IsBusinessDay) -> date:
    """The last day on which a day's file is offered: the next business day."""
    for ahead in range(1, 32):
        if is_business_day(day + timedelta(days=ahead)):
            return day + timedelta(days=ahead)
    return day + timedelta(days=31)  # a calendar without days: nothing is kept for ever


class DelayedFiles:
    """Makes the CSV files in `folder / "delayed"` from the NDJSON files in `folder`."""

    def __init__(self, folder: Path, delay_minutes: int, is_business_day: IsBusinessDay) -> None:
        self.source = folder
        self.folder = folder / "delayed"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.delay_ns = delay_minutes * MINUTE_NS
        self.lines = 0  # written by this process
        self._is_business_day = is_business_day
        self._places: dict[date, int] = {}  # bytes of a day's NDJSON that are in its CSV
        self._due_ns = 0

    def path_of(self, day: date) -> Path:
        """The file of a day."""
        return path_of(self.folder, day, SUFFIX)

    def step(self, now_ns: int) -> bool:
        """A turn's part of the work of this minute; whether there is more. Raises OSError."""
        if now_ns < self._due_ns:
            return False
        today = day_of(now_ns)
        for day, path in files(self.folder, SUFFIX):
            if self._is_over(day, today):
                path.unlink(missing_ok=True)
                self._places.pop(day, None)
        for day, source in files(self.source):
            if not self._is_over(day, today) and self._grow(day, source, now_ns):
                return True
        self._due_ns = (now_ns // EVERY_NS + 1) * EVERY_NS
        return False

    def _is_over(self, day: date, today: date) -> bool:
        return kept_until(day, self._is_business_day) < today

    def _grow(self, day: date, source: Path, now_ns: int) -> bool:
        """Lines that are old enough; whether there may be more."""
        target = self.path_of(day)
        if day not in self._places:
            self._places[day] = _place(target, source)
        if source.stat().st_size == self._places[day]:
            return False
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not target.exists() or target.stat().st_size == 0:
            writer.writerow(COLUMNS)
        count, place = 0, self._places[day]
        with source.open("rb") as file:
            file.seek(place)
            while count < LINES_A_TURN:
                line = file.readline()
                if not line.endswith(b"\n"):
                    break  # being written
                record = QuoteRecord.model_validate_json(line)
                if ns_of(record.publication_date_and_time) > now_ns - self.delay_ns:
                    break
                writer.writerow(_columns(record))
                count += 1
                place += len(line)
        if count:
            _append(target, text.getvalue().encode())
            self._places[day] = place
            self.lines += count
        return count == LINES_A_TURN


def _columns(record: QuoteRecord) -> list[Any]:
    """Its values; the sizes stay JSON, since a column cannot hold a list."""
    *plain, sizes = record.model_dump().values()
    return [*plain, json.dumps(sizes, separators=(",", ":"))]


def _append(path: Path, data: bytes) -> None:
    """All or nothing. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(fd).st_size
        written = 0
        try:
            written = os.write(fd, data)
        finally:
            if written != len(data):
                os.ftruncate(fd, size)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(fd)


def _place(target: Path, source: Path) -> int:
    """Where in the source the lines end that the target has, after its line of names."""
    if not target.exists():
        return 0
    cut_torn_line(target)
    with target.open("rb") as file:
        left = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
    with source.open("rb") as file:
        while left > 0 and file.readline().endswith(b"\n"):
            left -= 1
        return file.tell()
