"""A reference-data snapshot into a running engine: staged in pieces between orders, then switched.

Reading and hashing happen in a thread of their own, which holds no lock that the loop needs. Every
piece is small enough that an order hardly waits; the switch exchanges two tables.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import journal as jn
from engine import schema, staging
from engine.limits import VENUES_MAX
from engine.tables import Tables, check_instruments
from gateway import recorder
from gateway.errors import UserError
from refdata import snapshot
from refdata.rows import Refused
from refdata.snapshot import EPOCH, Snapshot

CHUNK = 128  # rows of one piece: about 18 KB of journal


class Swapped(NamedTuple):
    """What a switch did; pauses are those that an order could have met."""

    snapshot: str
    as_of: str
    instruments: int
    gone: int  # known before, not in the snapshot: no longer SI
    pause_ns: int  # the longest piece of work in one go
    switch_ns: int  # the switch alone


class Swap:
    """Brings one snapshot's rows into the tables, piece by piece."""

    def __init__(self, tables: Tables, journal: Callable[[], jn.Journal], read: Snapshot) -> None:
        self.tables, self.journal = tables, journal
        self.source = read
        self.rows = read.instruments
        self.pause_ns = 0
        self._carried = 0
        self._staged = 0
        self._live = int(tables.counters[0]["instruments"])
        self._last_isin = b""
        self._renumbered = 0

    @property
    def done(self) -> bool:
        """Whether everything is staged."""
        return self._carried == self._live and self._staged == len(self.rows)

    def step(self, venue_rows: NDArray[np.int64], now_ns: int) -> None:
        """The next piece. Raises UserError, with nothing staged any more, for an unusable row.

        `venue_rows` int64: the engine's row of each venue of the snapshot.
        """
        start = time.perf_counter_ns()
        if self._carried < self._live or (self._live == 0 and not self._staged):
            count = min(CHUNK, self._live - self._carried)
            recorder.on_carry(self.tables, self.journal(), self._carried, count, now_ns)
            self._carried += count
        if self._carried == self._live and self._staged < len(self.rows):
            self._stage(venue_rows, now_ns)
        self.pause_ns = max(self.pause_ns, time.perf_counter_ns() - start)

    def _stage(self, venue_rows: NDArray[np.int64], now_ns: int) -> None:
        rows = self.rows[self._staged : self._staged + CHUNK].copy()
        rows["mrm_venue"] = venue_rows[rows["mrm_venue"]]
        outside = rows["mrm_venue"] < 0  # no room for its market: it cannot be quoted
        rows["si"][outside] = rows["mrm_venue"][outside] = 0
        self._check(rows, now_ns)
        numbers = np.zeros(len(rows), np.int64)
        fresh = int(staging.number_rows(self.tables, rows, numbers))
        room = len(self.tables.staged) - int(self.tables.counters[0]["staged"])
        if fresh > room:
            self.abort(now_ns)
            raise UserError(f"no room for {fresh - room} more instruments: raise instruments_max")
        recorder.on_stage_rows(self.tables, self.journal(), rows, numbers, now_ns)
        self._renumbered += len(rows) - fresh
        self._staged += len(rows)

    def _check(self, rows: NDArray[np.void], now_ns: int) -> None:
        try:
            check_instruments(rows)
            isins = np.ascontiguousarray(rows["isin"]).view("S16").reshape(-1)
            if (isins[1:] <= isins[:-1]).any() or bytes(isins[0]) <= self._last_isin:
                raise ValueError("its ISINs are not sorted or not different")
            self._last_isin = bytes(isins[-1])
        except ValueError as error:
            self.abort(now_ns)
            raise UserError(f"{self.source.path.name} was refused: {error}") from error

    def abort(self, now_ns: int) -> None:
        """Forget what was staged."""
        recorder.on_stage_abort(self.tables, self.journal(), now_ns)

    def switch(self, by: str, now_ns: int) -> Swapped:
        """The staged table becomes the live one."""
        start = time.perf_counter_ns()
        row: Any = np.zeros(1, schema.activation)
        row["snapshot"] = self.source.word
        row["as_of_day"] = (self.source.as_of - EPOCH).days
        row["instruments"] = self.tables.counters[0]["staged"]
        row["by"] = schema.pack(by[:8])
        recorder.on_activation(self.tables, self.journal(), row[0], now_ns)
        self.tables.activate_staged()
        took_ns = time.perf_counter_ns() - start
        self.pause_ns = max(self.pause_ns, took_ns)
        return Swapped(
            self.source.sha256, self.source.as_of.isoformat(), len(self.rows),
            self._live - self._renumbered, self.pause_ns, took_ns,
        )  # fmt: skip


class Reading:
    """A snapshot file on its way into memory, beside the loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: Snapshot | None = None
        self.problem = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self.found = snapshot.read(self.path)
        except (Refused, OSError, ValueError, KeyError) as error:
            self.problem = str(error)

    @property
    def done(self) -> bool:
        """Whether `found` or `problem` says how it went."""
        return not self._thread.is_alive()


def venue_rows(tables: Tables, mics: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The engine's row of each MIC, -1 where it has no room, and those it does not know yet."""
    count = int(tables.counters[0]["venues"])
    known = {int(mic): row for row, mic in enumerate(tables.venues["mic"][:count])}
    fresh = [mic for mic in mics if schema.pack(mic) not in known][: VENUES_MAX - count]
    for mic in fresh:
        known[schema.pack(mic)] = len(known)  # type: ignore[index]
    # Without any MRM all instruments are closed, and their column is 0 all the same.
    rows = [known.get(schema.pack(mic), -1) for mic in mics] or [0]  # type: ignore[arg-type]
    return np.array(rows, np.int64), fresh
