"""Frames that change a table: rare, so they are taken interpreted."""

from typing import Any

import numpy as np

from engine import journal as jn
from engine import staging, tables
from engine.schema import TABLE_DTYPES
from gateway.audit import basics, presence
from gateway.audit.rules import Rule
from gateway.audit.tables import Book, Presence
from gateway.journal_files import Frame


class Rows:
    """Applies TABLE_ROW, STAGE, ACTIVATE and BOOT to a book."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.instruments = 0  # rows in use
        self.regimes: set[int] = set()
        self.forced = -1  # regime that the parameters forced within the day
        self._staged = np.zeros_like(book.instruments)
        self._staged_rows: set[int] = set()

    def take(self, frame: Frame) -> None:
        """One frame, counted already by `recount.scan`."""
        if frame.kind == jn.TABLE_ROW:
            self._row(frame)
        elif frame.kind == jn.STAGE:
            self._stage(frame.body)
        elif frame.kind == jn.ACTIVATE:
            self._activate(frame.ts_ns)
        else:
            self._boot(frame.ts_ns)

    def _row(self, frame: Frame) -> None:
        book, run = self.book, self.book.run[0]
        table_id, number = frame.body[:16].view("i8").tolist()
        row = frame.body[16:].view(TABLE_DTYPES[table_id])[0]
        if table_id == tables.INSTRUMENT:
            self._put(number, row, frame.ts_ns)
            return
        table: Any = {
            tables.PARAMS: book.params, tables.REGIME: book.regimes, tables.TICK: book.ticks,
            tables.VENUE: book.venues, tables.CLIENT: book.clients,
        }.get(table_id)  # fmt: skip
        if table is None:  # pools, policy rules, changes of limits: nothing is judged by them
            return
        table[number] = row
        if table_id == tables.REGIME:
            run["regimes"] = max(int(run["regimes"]), number + 1)
        elif table_id == tables.VENUE:
            run["venues"] = max(int(run["venues"]), number + 1)
        elif table_id == tables.PARAMS:
            self.forced = int(row["regime_forced"])

    def _put(self, number: int, row: Any, ts_ns: int) -> None:
        book, run = self.book, self.book.run[0]
        fresh = number >= self.instruments
        book.instruments[number] = row
        self.instruments = max(self.instruments, number + 1)
        if int(basics.find_instrument(book, book.instruments[number]["isin"])) < 0:
            basics.enter_isin(book, number)
        ours = book.shown[number]
        if fresh and run["inputs"] == 0 and basics.is_due(book.instruments[number]):
            # of the first start: whatever hours came before, nothing was quoted in them
            first_ns = int(run["first_ns"])
            presence.add(book, number, int(Presence.NOT_RUNNING), 0, first_ns)
            ours["presence"], ours["since_ns"] = Presence.NOT_YET, first_ns
        presence.renew(book, number, ts_ns)

    def _stage(self, body: Any) -> None:
        step, first, count = body[: staging.HEAD_SIZE].view("i8").tolist()
        if step == staging.ABORT or (step == staging.CARRY and first == 0):
            self._staged_rows.clear()
        if step == staging.CARRY:  # what the new table does not name is no longer ours to quote
            carried = slice(first, first + count)
            self._staged[carried] = self.book.instruments[carried]
            self._staged["si"][carried] = 0
            self._staged_rows.update(range(first, first + count))
        for number, row in staging.pairs(body):
            self._staged[int(number)] = row
            self._staged_rows.add(int(number))

    def _activate(self, ts_ns: int) -> None:
        for number in sorted(self._staged_rows):
            self._put(number, self._staged[number], ts_ns)
        self._staged_rows.clear()

    def _boot(self, ts_ns: int) -> None:
        run = self.book.run[0]
        run["boots"] += int(run["counting"])
        last_ns = int(run["last_ns"])
        if last_ns == 0:
            return
        presence.close_all(
            self.book, self.instruments, last_ns, max(ts_ns, last_ns), int(Presence.NOT_RUNNING)
        )
        down_ns = max(ts_ns - last_ns, 0)
        basics.tell(self.book, 0, int(Rule.RESTARTED), down_ns, down_ns, 0, 0, 0)
