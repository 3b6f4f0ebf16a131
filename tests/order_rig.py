"""One gateway in memory with a desk: messages about orders in, reports out, in any FIX version.

SMS 10,000 EUR, LIS 100,000, market 19.99 to 20.01: 100 shares are answered at once, 2,000 wait for
the desk.
"""

from typing import Any

import numpy as np

from engine import journal as jn
from engine import schema
from engine.tables import state_hash
from gateway import recorder, replay
from gateway.wire import BEGIN_STRINGS, OutTag, Version, Wake
from tests import rig
from tests.firm import INSTRUMENT, NOW_NS, firm, venue_quote
from tests.fix_text import Pairs, as_array, message, pairs_of
from tests.test_oracle import Engine, to_record
from tests.world import World

ISIN = INSTRUMENT["isin"]
TO_DESK, AT_ONCE = 2_000, 100
BID, ASK = 19_990_000, 20_010_000
ALL_TAGS = sum(OutTag) - OutTag.CANCEL_TEXT
CLAIM, QUOTE, FILL, DECLINE, KILL, RESUME = range(1, 7)
TERMS = {48: ISIN, 22: "4", 54: "1", 38: str(TO_DESK), 40: "2", 44: "20.01", 59: "0"}

Report = dict[int, str]


class Orders:
    """A session (0) that is logged on; every message it sends is the next one."""

    def __init__(
        self,
        version: Version = Version.FIX_4_4,
        out_tags: int = OutTag.PRICE_IMPROVEMENT,
        world: World | None = None,
        journal_size: int = 4 << 20,
        policy: str = "none",
        fill_style: int = 0,
        echo_tags: tuple[int, ...] = (),
        rules: int | None = None,  # slot of another dictionary than the version's
    ) -> None:
        self.log: list[bytes] = []  # every message that was sent
        self.echo_tags = echo_tags
        self.world = world or firm()
        self.settings = {"version": version, "out_tags": out_tags, "fill_style": fill_style}
        self.settings["rules"] = version if rules is None else rules
        self.version, self.policy_name = version, policy
        self.now_ns = NOW_NS
        self.journal = jn.in_memory(journal_size)
        self.engine, self.wires = self.start()
        self.market(BID, ASK)

    def start(self) -> tuple[Engine, Any]:
        """What there is before the first input."""
        wires = rig.allocate()
        session = rig.log_on(wires, 0, "CLIENT")
        for name, value in self.settings.items():
            session[name] = value
        wires.echo_tags[0, : len(self.echo_tags)] = self.echo_tags
        return Engine(self.world, self.policy_name), wires

    @property
    def all(self) -> tuple[Any, ...]:
        return self.engine.tables, self.engine.outbox, self.wires, self.journal

    def market(self, bid: int, ask: int) -> None:
        data = to_record(schema.venue_quote, venue_quote(bid, ask)).tobytes()
        self.wires.datagram[: len(data)] = as_array(data)
        recorder.on_feed(*self.all, len(data), self.now_ns)

    def text(self, msg_type: str, fields: dict[int, Any], raw: str = "") -> bytes:
        seq = self.wires.sessions[0]["next_in"]
        head = f"35={msg_type}|49=CLIENT|56=SI|34={seq}|52=20251201-10:00:00|"
        given = "".join(f"{tag}={value}|" for tag, value in fields.items() if value is not None)
        return message(f"{head}{given}60=20251201-10:00:00|{raw}", BEGIN_STRINGS[self.version])

    def drain(self) -> Wake:
        return rig.drain(*self.all, 0, self.now_ns, self.engine.policy.address)

    def send(self, msg_type: str, fields: dict[int, Any], raw: str = "") -> list[Report]:
        """One message; what it was answered with, a tag's first value counting."""
        rig.receive(self.wires, 0, self.text(msg_type, fields, raw))
        wake = self.drain()
        assert wake == Wake.NOTHING, (wake, self.problem)
        return self.reports()

    @property
    def problem(self) -> tuple[int, int]:
        """What the hot path has left to Python: SessionRejectReason(373) and tag."""
        row = self.wires.loop[0]
        return int(row["cold_reason"]), int(row["cold_tag"])

    def refused(self, msg_type: str, fields: dict[int, Any], raw: str = "") -> tuple[int, int]:
        """A message that is left to Python, which takes its number; why."""
        rig.receive(self.wires, 0, self.text(msg_type, fields, raw))
        before = jn.position(self.journal)
        assert self.drain() == Wake.COLD_MESSAGE
        assert jn.position(self.journal) == before
        connection = self.wires.connections[0]
        connection["rx_start"] = connection["rx_end"] = 0
        return self.problem

    def messages(self) -> list[bytes]:
        data, found = rig.sent(self.wires, 0), []
        while data:
            end = data.index(b"\x0110=") + 8
            found.append(data[:end])
            data = data[end:]
        self.log += found
        return found

    def reports(self) -> list[Report]:
        return [as_report(pairs_of(data)) for data in self.messages()]

    def refused_order(self, clordid: str, raw: str = "", **changes: Any) -> tuple[int, int]:
        """An order that the session layer does not let pass; why."""
        return self.refused("D", {11: clordid} | self._changed(changes), raw)

    def order(self, clordid: str, raw: str = "", **changes: Any) -> list[Report]:
        """A limit order for the desk; `t38=5` changes a field, None takes it away."""
        return self.send("D", {11: clordid} | self._changed(changes), raw)

    def replace(self, clordid: str, orig: str, raw: str = "", **changes: Any) -> list[Report]:
        return self.send("G", {11: clordid, 41: orig} | self._changed(changes), raw)

    def _changed(self, changes: dict[str, Any]) -> dict[int, Any]:
        return TERMS | {int(tag[1:]): value for tag, value in changes.items()}

    def cancel(self, clordid: str, orig: str, **changes: Any) -> list[Report]:
        more = {int(tag[1:]): value for tag, value in changes.items()}
        return self.send("F", {11: clordid, 41: orig, 54: "1", 48: ISIN} | more)

    def desk(self, action: int, item_id: int, **fields: Any) -> list[Report]:
        command = {"command_id": 1, "action": action, "item_id": item_id, "trader": 7}
        row = to_record(schema.desk_command, command | fields)
        recorder.on_desk(*self.all, row, self.now_ns)
        return self.reports()

    def desk_reason(self) -> int:
        """Why the last desk command was not done."""
        return int(self.engine.outbox.desk_results[0]["reason"])

    def at(self, later_ns: int) -> list[Report]:
        """Time passes, a timer says so."""
        self.now_ns += later_ns
        recorder.on_timer(*self.all, self.now_ns)
        return self.reports()

    @property
    def item(self) -> Any:
        """The newest desk item."""
        return self.engine.tables.desk_items[self.engine.tables.counters[0]["desk_items"] - 1]

    def check_replay(self) -> None:
        """The journal gives the same journal again, byte by byte, and the same state."""
        engine, wires = self.start()
        shadow = jn.in_memory(self.journal.buffer.size)
        scratch = replay.allocate_scratch()
        address = np.int64(engine.policy.address)
        done = replay.replay(
            engine.tables, engine.outbox, wires, self.journal, shadow, scratch, address
        )
        size = int(jn.position(self.journal))
        assert done == (replay.DONE, size)
        assert shadow.buffer[:size].tobytes() == self.journal.buffer[:size].tobytes()
        assert replay_state(engine, wires) == replay_state(self.engine, self.wires)


def replay_state(engine: Engine, wires: Any) -> tuple[str, int, int]:
    row = wires.sessions[0]
    return state_hash(engine.tables), int(row["next_in"]), int(row["next_out"])


def as_report(pairs: Pairs) -> Report:
    """The first value of each tag."""
    return {tag: value.decode("latin-1") for tag, value in reversed(pairs)}


def progress(report: Report) -> tuple[str | None, ...]:
    """ExecType, OrdStatus, LeavesQty, CumQty."""
    return tuple(report.get(tag) for tag in (150, 39, 151, 14))
