"""A gateway in memory with a session of every FIX version, for messages about quotes on request."""

from typing import Any

from engine import journal as jn
from engine import schema
from gateway import recorder
from gateway.wire import BEGIN_STRINGS, OutTag, Version, Wake, Wire
from tests import rig
from tests.firm import CLIENT, INSTRUMENT, NOW_NS, firm, venue_quote
from tests.fix_text import message, pairs_of
from tests.test_oracle import Engine, to_record
from tests.world import SECOND

V42, V44, V50 = int(Version.FIX_4_2), int(Version.FIX_4_4), int(Version.FIX_5_0_SP2)
SECOND_SESSION, OTHER_CLIENT = 3, 4  # both FIX 4.4; the first of the client of 0, 1 and 2
VALID_NS = 5 * SECOND
SYMBOL = f"55={INSTRUMENT['isin']}|48={INSTRUMENT['isin']}|22=4|"


def sessions() -> Wire:
    """Five sessions logged on, none with anything sent."""
    wires = rig.allocate()
    for session_id, version in enumerate((V42, V44, V50, V44, V44)):
        row = rig.log_on(wires, session_id, f"C{session_id}", int(session_id == OTHER_CLIENT))
        row["version"] = row["rules"] = version
    wires.sessions[V50]["out_tags"] |= OutTag.QUOTE_ATTRIBUTES
    return wires


def engine() -> Engine:
    """A firm that quotes 20.99 / 21.01; Qmin 476 shares, T 952, large in scale from 4762."""
    params = {"rfq_valid_ns": VALID_NS, "close_ns": NOW_NS + 3600 * SECOND}
    world = firm(params=params)._replace(clients=[CLIENT, CLIENT | {"name": "other"}])
    return Engine(world, "none")


class Gateway:
    """Bytes in by hand, bytes out as they would leave; all of it in one journal."""

    def __init__(self) -> None:
        self.engine = engine()
        self.wires = sessions()
        self.journal = jn.in_memory(8 << 20)
        self.now_ns = NOW_NS
        self.sent: list[tuple[int, bytes]] = []
        self.market(20_990_000, 21_010_000)

    def _all(self) -> tuple[Any, ...]:
        return self.engine.tables, self.engine.outbox, self.wires, self.journal

    def market(self, bid: int, ask: int, phase: int = 0) -> list[dict[int, str]]:
        row = to_record(schema.venue_quote, venue_quote(bid, ask) | {"phase": phase})
        data = row.tobytes()
        self.wires.datagram[: len(data)] = list(data)
        recorder.on_feed(*self._all(), len(data), self.now_ns)
        return self.answers()

    def take(self, session_id: int, data: bytes) -> Wake:
        rig.receive(self.wires, session_id, data)
        address = self.engine.policy.address
        wake = rig.drain(*self._all(), session_id, self.now_ns, address)
        connection = self.wires.connections[session_id]
        if wake != Wake.NOTHING:  # Python would take it
            connection["rx_start"] = connection["rx_end"] = 0
        return wake

    def whole(self, session_id: int, msg_type: str, text: str) -> bytes:
        row = self.wires.sessions[session_id]
        head = f"35={msg_type}|49=C{session_id}|56=SI|34={row['next_in']}|52=20251123-09:00:00|"
        return message(head + text, begin=BEGIN_STRINGS[Version(int(row["version"]))])

    def send(self, session_id: int, msg_type: str, text: str) -> list[dict[int, str]]:
        """The session's next message, and every answer to anybody."""
        wake = self.take(session_id, self.whole(session_id, msg_type, text))
        assert wake == Wake.NOTHING, (msg_type, text, self.wires.loop[0]["cold_tag"])
        return self.answers()

    def desk(self, action: int, item: int = 0, **fields: Any) -> list[dict[int, str]]:
        command = {"command_id": 1, "action": action, "item_id": item, "trader": "ann"} | fields
        row = to_record(schema.desk_command, command)
        recorder.on_desk(*self._all(), row, self.now_ns)
        return self.answers()

    @property
    def desk_reason(self) -> int:
        return int(self.engine.outbox.desk_results[0]["reason"])

    def wait(self, ns: int) -> list[dict[int, str]]:
        self.now_ns += ns
        recorder.on_timer(*self._all(), self.now_ns)
        return self.answers()

    def answers(self) -> list[dict[int, str]]:
        """Everything sent since, by tag; tag 0 is the session it went to."""
        found = []
        for session_id in range(5):
            data = rig.sent(self.wires, session_id)
            while data:
                end = data.index(b"\x0110=") + 8
                self.sent.append((session_id, data[:end]))
                fields = {tag: value.decode() for tag, value in pairs_of(data[:end])}
                found.append({0: str(session_id)} | fields)
                data = data[end:]
        return found
