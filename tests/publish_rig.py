"""A journal with public quotes, written without an engine, and a publisher with a clock of its own.

What is published is read back as any consumer would: lines of JSON, rows of CSV.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine import journal as jn
from engine import schema, tables
from engine.enums import DeskAction, KillScope, QuoteState, Reason
from gateway.publish.publisher import Publisher
from gateway.publish.settings import Publication
from tests import rig
from tests.journal_rig import TS_NS, JournalRig

LEI = "SAMPLELEI00000000035"
SETTINGS = Publication(lei=LEI, name="Sample SI", port=0)
MINUTE_NS = 60 * 10**9
SAP, BMW, VOD, OMV = "DE0007164600", "DE0005190003", "GB00BH4HKS39", "AT0000743059"
INSTRUMENTS = ((SAP, "EUR"), (BMW, "EUR"), (VOD, "GBX"), (OMV, "EUR"))

Row = dict[str, Any]


class QuotesRig(JournalRig):
    """Writes the frames that a publication looks at, and some that it does not."""

    def __init__(self, folder: Path, instruments: tuple[tuple[str, str], ...] = INSTRUMENTS,
                 mic: str = "XSIX") -> None:  # fmt: skip
        super().__init__(folder, boot=int(schema.pack(mic)))  # type: ignore[call-overload]
        self.quote_id = 0
        for number, (isin, currency) in enumerate(instruments):
            self.instrument(number, isin, currency)

    @property
    def now_ns(self) -> int:
        """The time of the next frame."""
        return TS_NS + self.seq + 1

    def instrument(self, number: int, isin: str, currency: str) -> None:
        """A row of the instrument table, as the engine loads it at its start."""
        head = np.array([tables.INSTRUMENT, number], "i8").tobytes()
        self.put(jn.TABLE_ROW, -1, head + _instrument(isin, currency))

    def stage(self, step: int, first: int = 0, *rows: tuple[int, str, str]) -> None:
        """A piece of the next instrument table."""
        body = np.array([step, first, len(rows)], "i8").tobytes()
        for number, isin, currency in rows:
            body += np.array([number], "i8").tobytes() + _instrument(isin, currency)
        self.put(jn.STAGE, -1, body)

    def activate(self) -> None:
        """The staged table is the live one."""
        self.put(jn.ACTIVATE, -1, rig.row(schema.activation).tobytes())

    def offer(self, number: int, bid_e6: int, ask_e6: int, qty: int = 100) -> int:
        """A live quote; answers its number."""
        return self._quote(
            number, state=QuoteState.LIVE, bid_px_e6=bid_e6, ask_px_e6=ask_e6,
            bid_qty=qty, ask_qty=qty + 1,
        )  # fmt: skip

    def withdraw(self, number: int, reason: Reason = Reason.BBO_STALE) -> int:
        """A withdrawn one."""
        return self._quote(number, state=QuoteState.WITHDRAWN, reason=reason)

    def _quote(self, number: int, **fields: int) -> int:
        self.quote_id += 1
        made = rig.row(
            schema.quote, instrument=number, quote_id=self.quote_id, entered_ns=self.now_ns,
            mrm_bid_px_e6=1, **fields,
        )  # fmt: skip
        self.put(jn.QUOTE, -1, made.tobytes())
        return self.quote_id

    def switch(
        self, action: DeskAction, scope: KillScope, subject: int = 0, reason: int = Reason.NONE
    ) -> None:
        """A kill switch, or another command, with what came of it."""
        command = rig.row(schema.desk_command, action=action, scope=scope, subject=subject)
        self.put(jn.DESK, -1, command.tobytes())
        result = rig.row(schema.desk_result, action=action, reason=reason)
        self.put(jn.DESK_RESULT, -1, result.tobytes())

    def stop(self, scope: KillScope, subject: int = 0) -> None:
        """A kill switch that the engine sets by itself."""
        result = rig.row(
            schema.desk_result, action=DeskAction.KILL, scope=scope, subject=subject,
            reason=Reason.INVARIANT,
        )  # fmt: skip
        self.put(jn.DESK_RESULT, -1, result.tobytes())


def _instrument(isin: str, currency: str) -> bytes:
    return rig.row(
        schema.instrument, isin=schema.pack(isin, 2), currency=schema.pack(currency), si=1
    ).tobytes()  # fmt: skip


class Clock:
    """Nanoseconds that pass when a test says so."""

    def __init__(self, now_ns: int = TS_NS) -> None:
        self.ns = now_ns

    def __call__(self) -> int:
        return self.ns


def publisher(folder: Path, clock: Clock, **more: Any) -> Publisher:
    """A publisher of the journal in a folder."""
    return Publisher(
        folder / "journal", folder / "published", folder / "place.json", SETTINGS, clock, **more
    )


def run(made: Publisher) -> None:
    """Steps until there is nothing more to do at once."""
    for _ in range(100_000):
        if not made.step():
            return
    raise AssertionError("it never comes to rest")


def records(folder: Path) -> list[Row]:
    """Every record in the files, oldest first; each line is whole."""
    found = []
    for path in sorted((folder / "published").glob("quotes-*.ndjson")):
        data = path.read_bytes()
        assert data.endswith(b"\n") or not data
        found += [json.loads(line) for line in data.splitlines()]
    return found


def delayed(folder: Path) -> dict[str, list[Row]]:
    """Rows of every delayed file by its name."""
    found = {}
    for path in sorted((folder / "published" / "delayed").glob("*.csv")):
        with path.open(newline="") as file:
            found[path.name] = list(csv.DictReader(file))
    return found
