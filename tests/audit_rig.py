"""A day of the engine in a journal on disk: its own inputs, and records that it never wrote."""

from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import journal as jn
from engine import schema, step, tables
from engine.limits import INT64_MAX
from engine.outbox import allocate_outbox
from gateway import journal_files, recorder
from gateway.audit import read
from gateway.journal_files import JournalFiles
from tests import rig
from tests.fix_text import as_array
from tests.oracle import TICKS, to_e6
from tests.test_oracle import load_policy, to_record
from tests.world import HOUR, MIDNIGHT_NS, World

DAY = "2025-11-23"
SEGMENT = 1 << 20
OPEN_NS, CLOSE_NS = MIDNIGHT_NS + 8 * HOUR, MIDNIGHT_NS + 16 * HOUR
Row = dict[str, Any]


def use_small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (journal_files, read):
        monkeypatch.setattr(module, "SEGMENT_SIZE", SEGMENT)


@cache
def _wires() -> Any:
    """One for all days: the recount does not look at FIX."""
    return rig.allocate()


class Day:
    """An engine whose journal is in `folder/journal`; `forge` writes what it did not do."""

    def __init__(
        self, folder: Path, world: World, policy: str = "none", start_ns: int = OPEN_NS - HOUR
    ) -> None:
        self.folder, self.world = folder, world
        self.files = JournalFiles(folder / "journal")
        self.tables = tables.allocate(
            tables.Capacity(
                instruments=max(len(world.instruments), 8), clients=8, orders=4096, desk_items=64
            )
        )
        self.outbox = allocate_outbox()
        self.policy = np.int64(load_policy(policy).address)
        self.orders = 0
        self.boot(start_ns)
        self.load(start_ns)

    @cached_property
    def wires(self) -> Any:
        made = _wires()
        for client in range(len(self.world.clients)):
            rig.log_on(made, client, f"C{client}", client)
        return made

    @property
    def journal(self) -> jn.Journal:
        if int(jn.room(self.files.journal)) < SEGMENT // 4:
            self.files.rotate()
        return self.files.journal

    @property
    def all(self) -> tuple[Any, ...]:
        return self.tables, self.outbox, self.wires, self.journal

    def boot(self, ts_ns: int) -> None:
        row = rig.row(schema.boot, schema_hash=schema.schema_hash())
        self.forge(jn.BOOT, ts_ns, row.tobytes())

    def put(self, table_id: int, index: int, row: Row, ts_ns: int) -> None:
        record = to_record(schema.TABLE_DTYPES[table_id], row)
        tables.check_row(self.tables, table_id, index, record)
        data = as_array(record.tobytes())
        recorder.on_table_row(self.tables, self.journal, table_id, index, data, len(data), ts_ns)

    def load(self, ts_ns: int) -> None:
        """The world as rows."""
        self.put(tables.PARAMS, 0, self.world.params, ts_ns)
        for index, row in enumerate(self.world.regimes):
            self.put(tables.REGIME, index, row, ts_ns)
        for index, ticks in enumerate(TICKS):
            below = to_e6(ticks[0]) if ticks[0].is_finite() else INT64_MAX
            row = {"below_px_e6": below, "tick_e6": [to_e6(tick) for tick in ticks[1:]]}
            self.put(tables.TICK, index, row, ts_ns)
        for table_id, rows in (
            (tables.VENUE, [{"mic": mic} for mic in self.world.venues]),
            (tables.POOL, [{"name": pool} for pool in self.world.pools]),
            (tables.CLIENT, self.world.clients),
            (tables.INSTRUMENT, self.world.instruments),
        ):
            for index, row in enumerate(rows):
                self.put(table_id, index, row, ts_ns)

    def market(self, ts_ns: int, *records: Row) -> None:
        """One datagram."""
        data = b"".join(to_record(schema.venue_quote, row).tobytes() for row in records)
        everything = self.all
        self.wires.datagram[: len(data)] = as_array(data)
        recorder.on_feed(*everything, len(data), ts_ns)

    def order(self, ts_ns: int, **fields: Any) -> Row:
        """A client's order and the engine's answer to it."""
        self.orders += 1
        row = {"clordid": f"A{self.orders}", "side": 1, "ord_type": 1, "tif": 0} | fields
        row.setdefault("isin", self.world.instruments[0]["isin"])
        row.setdefault("client", row.get("session", 0))
        row["session"] = row["client"]
        event = to_record(schema.order_event, row)
        journal = self.journal
        recorder.journal_event(journal, jn.ORDER, event, 1, as_array(b""), 0, 0, ts_ns)
        step.on_order(self.tables, self.outbox, event, ts_ns, self.policy)
        recorder.emit(self.tables, self.outbox, self.wires, journal, ts_ns)
        return {name: self.outbox.executions[0][name] for name in schema.execution.names}

    def kill(self, ts_ns: int, scope: int = 0, action: int = 5) -> None:
        command = to_record(schema.desk_command, {"action": action, "scope": scope})
        recorder.on_desk(*self.all, command, ts_ns)

    def timer(self, ts_ns: int) -> None:
        recorder.on_timer(*self.all, ts_ns)

    # what the engine did not do

    def forge(self, kind: int, ts_ns: int, body: bytes, fix_seq: int = 0) -> int:
        """A frame of any content, well formed; answers its number."""
        journal = self.journal
        at = int(jn.body_at(journal))
        journal.buffer[at : at + len(body)] = as_array(body)
        jn.end_frame(journal, kind, -1, fix_seq, ts_ns, len(body))
        return int(journal.writer[0]["seq"])

    def forge_quote(self, ts_ns: int, **changes: Any) -> int:
        """Our quote of the first instrument again, with changes and a number of its own."""
        row = self.tables.quotes[changes.get("instrument", 0)].copy()
        self.tables.counters[0]["quotes"] += 1
        row["quote_id"], row["entered_ns"] = self.tables.counters[0]["quotes"], ts_ns
        for name, value in changes.items():
            row[name] = value
        return self.forge(jn.QUOTE, ts_ns, row.tobytes())

    def forge_fill(self, ts_ns: int, order: Row | None = None, **changes: int) -> int:
        """An order and an answer to it that the engine would not give; the answer's frame."""
        fields = {"side": 1, "ord_type": 1, "qty": 100} | (order or {})
        plain = {"clordid": "F", "isin": self.world.instruments[0]["isin"]} | fields
        event = to_record(schema.order_event, plain)
        self.forge(jn.ORDER, ts_ns, event.tobytes())
        row = np.zeros(1, schema.execution)[0]
        quote = self.tables.quotes[0]
        for name in ("side", "ord_type", "qty", "client", "session", "limit_px_e6"):
            row[name] = fields.get(name, 0)
        row["kind"], row["order_id"], row["zone"] = 2, 900, 1
        row["isin"] = schema.pack(str(plain["isin"]), 2)
        row["quote_id"] = quote["quote_id"]
        row["quote_bid_px_e6"], row["quote_ask_px_e6"] = quote["bid_px_e6"], quote["ask_px_e6"]
        buy = fields["side"] == 1
        quoted = int(quote["ask_px_e6"] if buy else quote["bid_px_e6"])
        row["last_px_e6"], row["last_qty"] = quoted, fields["qty"]
        for name, value in changes.items():
            row[name] = value
        if "improvement_e6" not in changes:
            px = int(row["last_px_e6"])
            row["improvement_e6"] = quoted - px if buy else px - quoted
        return self.forge(jn.EXECUTION, ts_ns, row.tobytes())

    def close(self) -> Path:
        self.files.close()
        return self.folder
