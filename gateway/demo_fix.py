"""One FIX client of the demo: the initiator's side of a session, with simplefix.

Sequence numbers survive a disconnect; a gap is asked for and filled before what follows it is
taken. Whoever owns the client watches its socket and calls `receive`; nothing here waits.
"""

from __future__ import annotations

import socket
import time
from enum import Enum
from typing import NamedTuple

import simplefix

from gateway import fix_message as fm
from gateway.demo_world import HOST, OURS
from gateway.fix_message import number, text

HEART_BT_INT = 30
SEND_WAIT_S = 5.0
FILL, NEW = "F", "0"  # ExecType(150)


class Link(Enum):
    """State of the connection."""

    OFF = 0
    LOGGING_ON = 1
    ON = 2
    LOGGING_OUT = 3


class Awaited(NamedTuple):
    """An order, a cancel or a broken message without its first answer."""

    seq: int
    sent_ns: int  # perf_counter_ns; 0: not an order, its answer is not timed


class Resting(NamedTuple):
    """An order that the desk has."""

    isin: str
    side: str
    qty: str
    since_s: float


class FixClient:
    """A session and what became of its orders."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._header = fm.Header("FIX.4.4", name, OURS)
        self.port = port
        self.link = Link.OFF
        self.socket: socket.socket | None = None
        self.next_out = 1
        self.next_in = 1
        self.awaited: dict[str, Awaited] = {}
        self.resting: dict[str, Resting] = {}
        self.provoked: dict[int, str] = {}  # MsgSeqNum of a broken message -> its ClOrdID
        self.latencies_ns: list[int] = []  # since someone last took them
        self.orders = self.answers = self.fills = self.filled_qty = 0
        self.recovered = self.withdrawn = self.logons = 0
        self.caught_up = False  # everything sent before `ask_for_all` has been received
        self.problems: list[str] = []
        self._ahead: dict[int, simplefix.FixMessage] = {}
        self._asked_to = 0
        self._parser = simplefix.FixParser()
        self._sent_s = 0.0
        self._received_ns = 0

    # --- connection ---------------------------------------------------------------------------

    def connect(self) -> None:
        """Open the connection and log on with the next number, without a reset."""
        self.socket = socket.create_connection((HOST, self.port), SEND_WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = simplefix.FixParser()
        self.link = Link.LOGGING_ON
        self.send("A", (98, 0), (108, HEART_BT_INT))

    def disconnect(self) -> None:
        """Hang up; the session keeps its numbers, what came out of order is asked for again."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.link = Link.OFF
        self._ahead.clear()
        self._asked_to = 0

    def send(self, msg_type: str, *fields: tuple[int, object]) -> int:
        """Send with the next number; answers the time right before, perf_counter_ns."""
        raw = fm.write(msg_type, self._header, self.next_out, time.time_ns(), list(fields))
        self.next_out += 1
        return self._send_raw(raw)

    def _send_raw(self, raw: bytes) -> int:
        assert self.socket is not None
        sent_ns = time.perf_counter_ns()
        self.socket.sendall(raw)
        self._sent_s = time.monotonic()
        return sent_ns

    def keep_alive(self) -> None:
        """A Heartbeat where nothing else was sent for long."""
        if self.link is Link.ON and time.monotonic() - self._sent_s > HEART_BT_INT / 2:
            self.send("0")

    def ask_for_all(self) -> None:
        """A TestRequest: its answer comes after all that was sent before it."""
        self.caught_up = False
        self.send("1", (112, "ALL"))

    def log_out(self) -> None:
        """Say Logout; theirs ends the connection."""
        self.link = Link.LOGGING_OUT
        self.send("5")

    # --- orders -------------------------------------------------------------------------------

    def new_order(self, clordid: str, *fields: tuple[int, object]) -> None:
        """A NewOrderSingle with these fields beside ClOrdID and TransactTime."""
        seq = self.next_out
        stamp = fm.stamp(time.time_ns())
        self.orders += 1
        sent_ns = self.send("D", (11, clordid), *fields, (60, stamp))
        self.awaited[clordid] = Awaited(seq, sent_ns)

    def broken_order(self, clordid: str, *fields: tuple[int, object]) -> None:
        """A NewOrderSingle that must be answered by a session-level Reject."""
        self.provoked[self.next_out] = clordid
        self.awaited[clordid] = Awaited(self.next_out, 0)
        self.send("D", (11, clordid), *fields, (60, fm.stamp(time.time_ns())))

    def cancel(self, clordid: str, wanted: str) -> None:
        """An OrderCancelRequest for an order that the desk has."""
        order = self.resting.pop(wanted)
        self.awaited[clordid] = Awaited(self.next_out, 0)
        self.send(
            "F", (11, clordid), (41, wanted), (55, order.isin), (48, order.isin), (22, 4),
            (54, order.side), (38, order.qty), (60, fm.stamp(time.time_ns())),
        )  # fmt: skip

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, data: bytes, received_ns: int) -> None:
        """What the socket brought, nothing when the other side hung up."""
        if not data:
            if self.link is not Link.LOGGING_OUT:
                self.problems.append("disconnected by the engine")
            self.disconnect()
            return
        self._received_ns = received_ns
        self._parser.append_buffer(data)
        while (message := self._parser.get_message()) is not None:
            self._in_order(message)

    def _in_order(self, message: simplefix.FixMessage) -> None:
        """Take a message when its turn has come; ask for what is missing before it."""
        seq = number(message, 34) or 0
        if seq < self.next_in:
            if text(message, 43) != "Y":
                self.problems.append(f"MsgSeqNum(34)={seq}, expected {self.next_in}")
            return
        if text(message, 35) == "A" and self.link is Link.LOGGING_ON:
            self.link = Link.ON
            self.logons += 1
        self._ahead[seq] = message
        if seq > self.next_in and self._asked_to < self.next_in:
            self._asked_to = seq - 1
            self.send("2", (7, self.next_in), (16, 0))
        while (ready := self._ahead.pop(self.next_in, None)) is not None:
            self.next_in += 1
            if text(ready, 43) == "Y":
                self.recovered += 1
            self._take(ready)

    def _take(self, message: simplefix.FixMessage) -> None:
        match text(message, 35):
            case "8":
                self._on_report(message)
            case "9":
                self._answered(text(message, 11) or "")
            case "0":
                self.caught_up = self.caught_up or text(message, 112) == "ALL"
            case "1":
                self.send("0", (112, text(message, 112)))
            case "2":
                self._fill_their_gap(number(message, 7) or 1)
            case "3":
                self._on_reject(message)
            case "4":
                self._skip_to(number(message, 36) or self.next_in)
            case "5":
                self._on_logout(message)
            case "j":
                self.problems.append(f"BusinessMessageReject: {text(message, 58)}")

    def _on_report(self, message: simplefix.FixMessage) -> None:
        clordid = text(message, 11) or ""
        self._answered(clordid, timed=text(message, 43) != "Y")
        exec_type = text(message, 150)
        if exec_type == FILL:
            self.fills += 1
            self.filled_qty += number(message, 32) or 0
        if exec_type == NEW:
            self.resting[clordid] = Resting(
                text(message, 48) or "", text(message, 54) or "", text(message, 38) or "",
                time.monotonic(),
            )  # fmt: skip
        elif text(message, 151) == "0":
            self.resting.pop(text(message, 41) or clordid, None)

    def _answered(self, clordid: str, *, timed: bool = False) -> None:
        """The first answer; one that was sent again tells nothing about the engine's speed."""
        awaited = self.awaited.pop(clordid, None)
        if awaited is None:
            return
        self.answers += 1
        if timed and awaited.sent_ns:
            self.latencies_ns.append(self._received_ns - awaited.sent_ns)

    def _on_reject(self, message: simplefix.FixMessage) -> None:
        clordid = self.provoked.pop(number(message, 45) or 0, None)
        if clordid is None:
            self.problems.append(f"Reject(3): {text(message, 58)}")
        else:
            self._answered(clordid)

    def _on_logout(self, message: simplefix.FixMessage) -> None:
        if self.link is not Link.LOGGING_OUT:
            self.problems.append(f"logged out by the engine: {text(message, 58)}")
            self.log_out()
        self.disconnect()

    # --- gaps ---------------------------------------------------------------------------------

    def _skip_to(self, new: int) -> None:
        """A gap fill: session messages that nobody needs again."""
        self.next_in = max(self.next_in, new)
        for seq in [seq for seq in self._ahead if seq < self.next_in]:
            self._take(self._ahead.pop(seq))

    def _fill_their_gap(self, first: int) -> None:
        """What the engine did not get is not sent again: an order from before is stale by now."""
        for clordid in [c for c, a in self.awaited.items() if a.seq >= first]:
            del self.awaited[clordid]
            self.withdrawn += 1
        fields = ((43, "Y"), (123, "Y"), (36, self.next_out))
        self._send_raw(fm.write("4", self._header, first, time.time_ns(), list(fields)))

    @property
    def has_gap(self) -> bool:
        """Whether something that was sent to us is still missing."""
        return bool(self._ahead)
