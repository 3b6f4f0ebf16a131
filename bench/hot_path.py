"""The hot path without sockets: one session, one liquid instrument, orders put into its buffer."""

from typing import Any

import numpy as np

from bench.wire import CLORDID_DIGITS, SEQ_DIGITS, order_message, put_checksum, put_digits
from engine import journal as jn
from engine import policy, regimes, schema, step, tables
from engine.enums import AssetClass, Route
from engine.jit import njit
from engine.limits import Capacity
from engine.outbox import allocate_outbox
from engine.schema import pack
from gateway import inbound, recorder, wire
from gateway.dictionary import shipped
from gateway.rule_tables import put_rules
from gateway.wire import SessionState

NOW_NS = 1_780_000_000_000_000_000
ISIN, MIC = "DE0000000001", "XETR"
_SEGMENT = 64 << 20


@njit
def orders_in_row(tables, outbox, wire, journal, message, marks, first, count, policy):
    """`count` orders, one after the other; answers how many were filled."""
    buffer = wire.rx[0]
    connection = wire.connections[0]
    filled = 0
    for i in range(count):
        put_digits(message, marks[0], CLORDID_DIGITS, first + i)
        put_digits(message, marks[1], SEQ_DIGITS, first + i)
        message[marks[2]] = 49 + (i & 1)
        put_checksum(message, marks[3])
        recorder.copy(buffer, 0, message, 0, message.shape[0])
        connection["rx_start"] = 0
        connection["rx_end"] = message.shape[0]
        connection["tx_end"] = 0
        inbound.drain(tables, outbox, wire, journal, 0, NOW_NS + 1000 * i, policy)
        filled += 1 if outbox.executions[0]["kind"] == 2 else 0
        if jn.room(journal) < inbound.NEEDED_ROOM:
            journal.writer[0]["offset"] = 0
    return filled


@njit
def quotes_in_row(tables, outbox, record, count):
    """`count` updates of one venue's quote, each moving the price."""
    for i in range(count):
        record["bid_px_e6"] += 10_000 if i & 1 else -10_000
        record["ask_px_e6"] += 10_000 if i & 1 else -10_000
        step.on_venue_quote(tables, outbox, record, NOW_NS)
    return count


class HotPath:
    """Everything that an order needs, in memory."""

    def __init__(self) -> None:
        self.tables = tables.allocate(Capacity(64, 8, 1 << 20, 64))
        self.outbox, self.wire = allocate_outbox(), wire.allocate()
        put_rules(self.wire, 0, shipped("FIX.4.4"))
        self.journal = jn.in_memory(_SEGMENT)
        self.journal.buffer[::4096] = 0
        self.policy = policy.load("ticks")
        self.message, self.marks = order_message(ISIN, "CLIENT1", "SI")
        self.next = 1
        self._load()
        self._log_on()
        tables.touch(self.tables)

    def _set(self, table_id: int, index: int, dtype: np.dtype, **fields: Any) -> None:
        row = np.zeros(1, dtype)
        for name, value in fields.items():
            row[name] = value
        tables.set_row(self.tables, table_id, index, row[0])

    def _load(self) -> None:
        for index, row in enumerate(regimes.regime_rows()):
            tables.set_row(self.tables, tables.REGIME, index, row)
        for index, row in enumerate(regimes.tick_rows()):
            tables.set_row(self.tables, tables.TICK, index, row)
        self._set(
            tables.PARAMS, 0, schema.params, jurisdiction=pack("EU"), regime_forced=-1,
            stale_ns=2**60, collar_bps=1000, discretionary_route=Route.DESK,
            on_request_route=Route.AUTO, quote_size_bps=10_000, desk_ttl_ns=10**12,
            close_ns=2**62, policy_hash=self.policy.source_hash, policy_param=[1] + [0] * 7,
        )  # fmt: skip
        for index, mic in enumerate((MIC, "XPAR", "XLON", "XSTO", "XSWX")):
            self._set(tables.VENUE, index, schema.venue, mic=pack(mic))
        self._set(tables.CLIENT, 0, schema.client, name=pack("client1"))
        self._set(
            tables.INSTRUMENT, 0, schema.instrument, isin=pack(ISIN, 2), currency=pack("EUR"),
            asset_class=AssetClass.SHARE, si=1, liquid=1, sms_e6=10_000 * 10**6,
            lis_e6=650_000 * 10**6, tick_band=6, lot=1, eur_per_unit_e9=10**9,
        )  # fmt: skip
        self.record = np.zeros(1, schema.venue_quote)[0]
        self.record["isin"], self.record["mic"] = pack(ISIN, 2), pack(MIC)
        self.record["bid_px_e6"], self.record["ask_px_e6"] = 202_250_000, 202_350_000
        self.record["bid_qty"] = self.record["ask_qty"] = 1_000
        step.on_venue_quote(self.tables, self.outbox, self.record, NOW_NS)

    def _log_on(self) -> None:
        setting = np.zeros(1, schema.session_set)
        setting["next_in"] = setting["next_out"] = 1
        setting["version"], setting["precision"] = wire.Version.FIX_4_4, 6
        setting["out_tags"] = wire.OutTag.PRICE_IMPROVEMENT
        setting["their_comp_id"], setting["our_comp_id"] = pack("CLIENT1", 6), pack("SI", 6)
        recorder.on_session_set(self.wire, self.journal, 0, setting[0], NOW_NS)
        self.wire.own_mic[:] = np.frombuffer(b"SINT", np.uint8)
        session, connection = self.wire.sessions[0], self.wire.connections[0]
        session["state"], session["connection"] = SessionState.ON, 0
        connection["fd"], connection["session"] = 1000, 0

    def venue_quotes(self, count: int) -> int:
        """Consolidate and requote `count` times."""
        return int(quotes_in_row(self.tables, self.outbox, self.record, count))

    def last_report(self) -> list[tuple[int, bytes]]:
        """The last report, as tags and values."""
        raw = self.wire.tx[0, : int(self.wire.connections[0]["tx_end"])].tobytes()
        fields = [field.split(b"=", 1) for field in raw.rstrip(b"\x01").split(b"\x01")]
        return [(int(tag), value) for tag, value in fields]


def orders_through(path: HotPath, count: int) -> int:
    """Send `count` orders through; answers how many were filled."""
    if path.next + count > len(path.tables.orders):
        path.tables.counters["orders"] = 0
        path.tables.clordid_slots[:] = 0
        path.tables.orders[:] = np.zeros(1, schema.order)
        path.wire.sessions[0]["next_in"] = path.next = 1
    filled = orders_in_row(
        path.tables, path.outbox, path.wire, path.journal, path.message, path.marks,
        path.next, count, path.policy.address,
    )  # fmt: skip
    path.next += count
    return int(filled)
