"""Sessions, a few instruments with quotes, and subscriptions, all stepped by hand."""

from engine import journal as jn
from engine import tables
from engine.enums import DeskAction, KillScope, QuoteState, Reason
from engine.limits import Capacity
from engine.schema import pack
from gateway import fix_message, quote_stream, recorder
from gateway.subscriptions import Subscriptions
from gateway.wire import (
    Version,
)
from tests import rig
from tests.firm import NOW_NS
from tests.fix_text import message, pairs_of

COUNT = 6  # instruments
RING = 8  # changes that a subscriber may be behind
E6 = 10**6


def isin(row: int) -> str:
    return f"DE000SAMPL{row:02}"


class Gateway:
    """Sessions logged on, a few instruments quoted, everything stepped by hand."""

    def __init__(self, sessions: int = 1, version: Version = Version.FIX_4_4) -> None:
        self.tables = tables.allocate(Capacity(16, 8, 16, 16))
        for row in range(COUNT):
            self.tables.instruments[row]["isin"] = pack(isin(row), 2)
            self.tables.instruments[row]["currency"] = pack("EUR")
            self.tables.instruments[row]["si"] = 1
            tables.enter_isin(self.tables, self.tables.instruments[row]["isin"], row)
        self.tables.counters[0]["instruments"] = COUNT
        self.tables.counters[0]["clients"] = self.tables.counters[0]["pools"] = 2
        self.tables.clients[1]["pool"] = 1
        self.wire = rig.allocate(16, RING)
        self.journal = jn.in_memory(8 << 20)
        self.clock_ns = NOW_NS
        self.subscriptions = Subscriptions(self)
        for session_id in range(sessions):
            session = rig.log_on(self.wire, session_id, f"CLIENT{session_id}", session_id % 2)
            session["version"] = session["rules"] = version

    def now_ns(self) -> int:
        return self.clock_ns

    def make_room(self) -> None:
        self.journal.writer[0]["offset"] = 0

    def quote(self, row: int, bid_e6: int, reason: Reason = Reason.NONE) -> None:
        """What the engine does when our quote changes; a bid of 0 withdraws it."""
        counters, quote = self.tables.counters[0], self.tables.quotes[row]
        counters["quotes"] += 1
        quote["instrument"], quote["quote_id"] = row, counters["quotes"]
        quote["state"] = QuoteState.LIVE if bid_e6 else QuoteState.WITHDRAWN
        quote["reason"] = reason
        quote["bid_px_e6"], quote["ask_px_e6"] = bid_e6, bid_e6 and bid_e6 + 20_000
        quote["bid_qty"], quote["ask_qty"] = (500, 400) if bid_e6 else (0, 0)
        quote["entered_ns"] = self.clock_ns - 1_000
        recorder.note_change(self.wire, row)

    def kill(self, action: DeskAction, scope: KillScope, subject: int = 0) -> None:
        """The engine's switch, then the hook."""
        stop = int(action == DeskAction.KILL)
        if scope == KillScope.FIRM:
            self.tables.counters[0]["kill_firm"] = stop
        elif scope == KillScope.CLIENT:
            self.tables.client_use[subject]["killed"] = stop
        elif scope == KillScope.POOL:
            self.tables.pools[subject]["killed"] = stop
        else:
            self.tables.positions[subject]["killed"] = stop
        self.subscriptions.on_kill_switch(scope, subject)

    def ask(self, fields: str, session_id: int = 0) -> int:
        head = f"35=V|49=CLIENT{session_id}|56=SI|34=2|52=20251201-10:00:00|"
        return self.subscriptions.request(session_id, fix_message.read(message(head + fields)))

    def subscribe(self, rows: list[int], session_id: int = 0, name: str = "R", **more: str) -> None:
        fields = {"263": "1", "264": "1", "265": "1"} | {k[1:]: v for k, v in more.items()}
        symbols = "".join(f"55={isin(row)}|48={isin(row)}|22=4|" for row in rows)
        text = "".join(f"{tag}={value}|" for tag, value in fields.items())
        self.ask(f"262={name}|{text}267=2|269=0|269=1|146={len(rows)}|{symbols}", session_id)

    def settings(self, quotes: str, *isins: str, interval_ms: int = 0, session_id: int = 0) -> None:
        self.subscriptions.log_on(session_id, quotes, isins or ["*"], interval_ms)

    def pump(self, budget: int = 100) -> int:
        if jn.room(self.journal) < 2 * quote_stream.JOURNAL_ROOM:
            self.make_room()
        return int(quote_stream.pump(self.tables, self.wire, self.journal, self.clock_ns, budget))

    def settle(self) -> None:
        while self.pump():
            pass

    def sent(self, session_id: int = 0) -> list[bytes]:
        data, found = rig.sent(self.wire, session_id), []
        while data:
            end = data.index(b"\x0110=") + 8
            found.append(data[:end])
            data = data[end:]
        return found

    def told(self, session_id: int = 0) -> list[str]:
        """What came, shortly: type, then the fields that are ours to decide."""
        self.settle()
        return [shown(raw) for raw in self.sent(session_id)]


#: Of a header or trailer, of the instrument, and times.
PLAIN = {8, 9, 10, 34, 49, 52, 56, 22, 55, 15, 60, 272, 273, 275, 779, 35}


def shown(raw: bytes) -> str:
    pairs = pairs_of(raw)
    msg_type = next(value.decode() for tag, value in pairs if tag == 35)
    fields = [f"{tag}={value.decode('latin-1')}" for tag, value in pairs if tag not in PLAIN]
    return " ".join([msg_type, *fields])
