"""A seeded day of a gateway in memory: FIX bytes, venue quotes, desk commands and timers.

`python -m tests.stream SEED` prints what came of it; the same in any process, compiled or not.
"""

import hashlib
import sys
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import numpy as np

from engine import journal as jn
from engine import schema, tables
from engine.jit import JIT
from gateway import inbound, mass_request, recorder
from gateway.fix_read import VALUE_INCORRECT
from gateway.wire import OutTag, Wake
from tests import rig
from tests.fix_text import as_array, message
from tests.test_oracle import Engine, open_items_of, to_record
from tests.world import (
    CLORDID_SIZE,
    ID_SOURCE,
    MASS_PARTIES,
    QTY_NOT_WHOLE,
    World,
    inputs,
    make_world,
)

INPUTS = 800
JOURNAL_SIZE = 16 << 20
OTHERS = 10  # a client's second session: its dictionary judges no field
NOT_LISTED = (40, 54)  # codes without a meaning in the dictionary of the first

Row = dict[str, Any]


class Result(NamedTuple):
    """Hashes of everything that came of the stream, and how much it was."""

    frames: int
    refused: int
    journal: str
    state: str
    sessions: str
    sent: str


class Gateway:
    """Every session logged on; what it sends arrives in pieces, between other bytes."""

    def __init__(self, world: World, random: Random) -> None:
        self.random = random
        self.world = world
        self.engine = Engine(world, "ticks")
        self.journal = jn.in_memory(JOURNAL_SIZE)
        self.wires = rig.allocate()
        self.sent = hashlib.sha256()
        self.refused = 0
        self.pending: list[Any] = []  # venue quotes waiting for their datagram
        for client in range(len(world.clients)):
            for session_id in (client, client + OTHERS):
                row = rig.log_on(self.wires, session_id, f"C{session_id}", client, mifid=client % 2)
                row["out_tags"] |= OutTag.ECHO if client > 0 else 0
                row["rules"] = rig.NO_FIELDS if session_id >= OTHERS else row["rules"]

    # FIX

    def fix(self, session_id: int, msg_type: str, text: str) -> bytes:
        seq = int(self.wires.sessions[session_id]["next_in"])
        head = f"35={msg_type}|49=C{session_id}|56=SI|34={seq}|52=20251123-09:00:00|"
        return message(head + text)

    def take(self, session_id: int, data: bytes, ts_ns: int) -> None:
        """Bytes in as a socket would split them, answers out."""
        cuts = sorted(self.random.sample(range(len(data) + 1), self.random.randrange(4)))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            rig.receive(self.wires, session_id, data[start:end])
            self._drain(session_id, ts_ns)
        for each in range(len(self.wires.sessions)):
            self.sent.update(rig.sent(self.wires, each))

    def _drain(self, session_id: int, ts_ns: int) -> None:
        """Take what is there; what the session's dictionary refuses is left to Python, not here."""
        loop, connection = self.wires.loop[0], self.wires.connections[session_id]
        address = np.int64(self.engine.policy.address)
        while (wake := rig.drain(*self._all(), session_id, ts_ns, address)) != Wake.NOTHING:
            tag = int(loop["cold_tag"])
            assert wake == Wake.COLD_MESSAGE and session_id < OTHERS
            assert loop["cold_reason"] == VALUE_INCORRECT and tag in NOT_LISTED, tag
            self.sent.update(b"refused %d" % tag)
            self.refused += 1
            connection["rx_start"] = loop["message_at"] + loop["message_size"]

    def _all(self) -> tuple[Any, ...]:
        return self.engine.tables, self.engine.outbox, self.wires, self.journal

    def order(self, event: Row, ts_ns: int) -> None:
        too_long = event["defect"] == CLORDID_SIZE
        clordid = event["clordid"].ljust(event["defect_value"] if too_long else 0, "y")
        self.send("D", event, f"11={clordid}|{self._terms(event)}", ts_ns)

    def replace(self, event: Row, ts_ns: int) -> None:
        names = f"11={event['clordid']}|41={event['orig_clordid']}|"
        self.send("G", event, names + self._terms(event), ts_ns)

    def send(self, msg_type: str, event: Row, text: str, ts_ns: int) -> None:
        self.take(event["session"], self.fix(event["session"], msg_type, text), ts_ns)

    def _terms(self, event: Row) -> str:
        text = self._security(event) + self._codes(event)
        text += f"38={event['qty']}{'.5' if event['defect'] == QTY_NOT_WHOLE else ''}|"
        text += f"44={Decimal(event['limit_px_e6']).scaleb(-6):f}|"
        text += f"15={event['currency']}|" if event["currency"] else ""
        text += f"110={event['min_qty']}|" if event["min_qty"] else ""
        text += f"126={self._time(event['expire_ns'])}|" if event["expire_ns"] else ""
        text += f"2704={chr(48 + event['destination'])}|" if event["destination"] else ""
        text += "18=6 M|" if event["peg"] else ""
        return text + f"1=account|453=2|448=a|447=D|452=3|448=b{event['qty']}|447=P|452=5|"

    def _security(self, event: Row) -> str:
        source = 2 if event["defect"] == ID_SOURCE else 4
        return f"55={event['isin']}|48={event['isin']}|22={source}|" if event["isin"] else ""

    def _codes(self, event: Row) -> str:
        codes = f"54={chr(48 + event['side'])}|59={chr(48 + event['tif'])}|"
        return codes + f"40={chr(48 + event['ord_type'])}|"

    def _time(self, ts_ns: int) -> str:
        moment = datetime.fromtimestamp(ts_ns // 10**9, UTC)
        return f"{moment:%Y%m%d-%H:%M:%S}.{ts_ns % 10**9:09}"

    def cancel(self, event: Row, ts_ns: int) -> None:
        text = f"11={event['clordid']}|41={event['orig_clordid']}|54=1|55=X|60=20251123-09:00:00|"
        self.send("F", event, text, ts_ns)

    def status(self, event: Row, ts_ns: int) -> None:
        self.send("H", event, f"11={event['clordid']}|54=1|55=X|790=asked|", ts_ns)

    def mass_cancel(self, event: Row, ts_ns: int) -> None:
        if event["scope"]:
            self.send("q", event, f"11={event['clordid']}|530={self._scope(event)}", ts_ns)
            return
        session_id, row = event["session"], to_record(schema.order_event, {})
        assert mass_request.cancel_session(*self._all(), row, session_id, ts_ns)

    def mass_status(self, event: Row, ts_ns: int) -> None:
        self.send("AF", event, f"584=all|585={self._scope(event)}", ts_ns)

    def _scope(self, event: Row) -> str:
        side = f"54={event['side']}|" if event["side"] else ""
        parties = "453=1|448=a|447=D|452=3|" if event["defect"] == MASS_PARTIES else ""
        return f"{event['scope']}|{self._security(event)}{side}{parties}"

    def chatter(self, ts_ns: int) -> None:
        """What is no order: heartbeats, test requests, bytes that are no message."""
        session_id = self.random.randrange(len(self.world.clients))
        noise = bytes(self.random.randbytes(self.random.randrange(40)))
        damaged = bytearray(self.fix(session_id, "0", ""))
        damaged[self.random.randrange(20, len(damaged))] ^= 4
        good = self.fix(session_id, "1", "112=hello|")
        self.take(session_id, noise + bytes(damaged) + good, ts_ns)
        self.take(session_id, self.fix(session_id, "0", ""), ts_ns)
        for each in range(len(self.world.clients)):
            inbound.keep_alive(self.wires, self.journal, each, ts_ns)

    # Everything else

    def venue_quote(self, record: Row, ts_ns: int) -> None:
        """One to three records in a datagram."""
        self.pending.append(to_record(schema.venue_quote, record).tobytes())
        if len(self.pending) < 3 and self.random.random() < 0.3:
            return
        data = b"".join(self.pending)
        self.pending = []
        self.wires.datagram[: len(data)] = as_array(data)
        recorder.on_feed(*self._all(), len(data), ts_ns)

    def desk(self, command: Row, ts_ns: int) -> None:
        recorder.on_desk(*self._all(), to_record(schema.desk_command, command), ts_ns)

    def timer(self, fields: Row, ts_ns: int) -> None:
        recorder.on_timer(*self._all(), ts_ns)

    def params(self, fields: Row, ts_ns: int) -> None:
        self.engine.set_params(fields)

    def result(self) -> Result:
        size = int(jn.position(self.journal))
        return Result(
            int(self.journal.writer[0]["seq"]),
            self.refused,
            hashlib.sha256(self.journal.buffer[:size].tobytes()).hexdigest(),
            tables.state_hash(self.engine.tables),
            hashlib.sha256(self.wires.sessions.tobytes()).hexdigest(),
            self.sent.hexdigest(),
        )


def run(seed: int, count: int = INPUTS) -> Result:
    """The whole stream at its own times."""
    world, random = make_world(seed, count), Random(f"stream {seed}")
    gateway = Gateway(world, random)
    stream = inputs(world, seed, count, lambda: open_items_of(gateway.engine))
    for name, fields, ts_ns in stream:
        getattr(gateway, name)(fields, ts_ns)
        if random.random() < 0.05:
            gateway.chatter(ts_ns)
    return gateway.result()


if __name__ == "__main__":
    print("compiled" if JIT else "interpreted", *run(int(sys.argv[1])), sep="\n")
