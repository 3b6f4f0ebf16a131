"""One connection of a session that speaks only when told: what a scripted counterparty needs.

It keeps both numbers and a log of every message, and checks what every message must have:
frame, CompIDs, SendingTime(52), the number that is due. Nothing is answered by itself.
"""

from __future__ import annotations

import socket
import time
from typing import NamedTuple

from gateway import fix_message as fm
from gateway.sim_wire import Account, Fields, Header, Message, compose, cut
from gateway.waiting import is_readable

RECV_SIZE = 1 << 16
OUT, IN, NOTE = ">", "<", "#"


class Failed(Exception):
    """The counterparty did not do what it must; the message, if any, that shows it."""

    def __init__(self, why: str, message: Message | None = None) -> None:
        super().__init__(why)
        self.message = message


class HungUp(Failed):
    """The counterparty closed the connection."""


class Silence(Failed):
    """Nothing came within the time."""


class Entry(NamedTuple):
    """One line of a log."""

    ts_ns: int
    direction: str  # OUT, IN or NOTE
    message: Message | None
    note: str = ""


class Numbers:
    """Sequence numbers that outlive a connection."""

    def __init__(self, next_out: int = 1, next_in: int = 1) -> None:
        self.next_out = next_out
        self.next_in = next_in


class Line:
    """A TCP connection, the session's numbers, and the log."""

    def __init__(self, account: Account, numbers: Numbers, wait_s: float, log: list[Entry]) -> None:
        self.account = account
        self.numbers = numbers
        self.wait_s = wait_s
        self.deadline_s = float("inf")  # of the whole conversation, time.monotonic
        self.log = log
        self.logged_on = False
        self._socket: socket.socket | None = None
        self._buffer = bytearray()

    # --- connection ---------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return self._socket is not None

    def connect(self) -> None:
        """A new connection; what the old one had is forgotten. Raises OSError."""
        self.close()
        account = self.account
        self._socket = socket.create_connection((account.host, account.port), self.wait_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer.clear()

    def close(self) -> None:
        """Hang up without a word."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self.logged_on = False

    def note(self, text: str) -> None:
        """A remark between the messages."""
        self.log.append(Entry(time.time_ns(), NOTE, None, text))

    # --- sending ------------------------------------------------------------------------------

    def message(
        self, msg_type: str, fields: Fields = (), header: Header | None = None, seq: object = None
    ) -> bytes:
        """A whole message with the next number, or with `seq`."""
        number = self.numbers.next_out if seq is None else seq
        return compose(
            self.account, msg_type, number, fm.stamp(time.time_ns())[:-3], fields, header
        )

    def send(
        self, msg_type: str, fields: Fields = (), header: Header | None = None, seq: object = None
    ) -> int:
        """Send; without `seq` the next number is used up. Answers the number."""
        raw = self.message(msg_type, fields, header, seq)
        used = self.numbers.next_out
        if seq is None:
            self.numbers.next_out += 1
        self.raw(raw)
        return used

    def raw(self, data: bytes) -> None:
        """Send bytes as they are. Raises HungUp."""
        self.log.append(Entry(time.time_ns(), OUT, Message(data)))
        if self._socket is None:
            raise HungUp("the connection is closed")
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise Silence(f"what is sent is not read for {self.wait_s:g} s") from error
        except OSError as error:
            self.close()
            raise HungUp(f"the connection is closed: {error}") from error

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, wait_s: float | None = None) -> Message:
        """The next message. Raises Silence, HungUp, and Failed where it breaks the rules."""
        allowed_s = self.wait_s if wait_s is None else wait_s
        until_s = min(time.monotonic() + allowed_s, self.deadline_s)
        while (message := cut(self._buffer)) is None:
            self._read(until_s, allowed_s)
        self.log.append(Entry(time.time_ns(), IN, message))
        self._check(message)
        return message

    def _read(self, until_s: float, allowed_s: float) -> None:
        if self._socket is None:
            raise HungUp("the connection is closed")
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not is_readable(self._socket, left_s):
            if time.monotonic() >= self.deadline_s:
                raise Silence("the case took longer than its time limit")
            raise Silence(f"nothing came within {allowed_s:g} s")
        try:
            data = self._socket.recv(RECV_SIZE)
        except OSError:
            data = b""
        if not data:
            self.note("the counterparty closed the connection")
            self.close()
            raise HungUp("the counterparty closed the connection")
        self._buffer += data

    def _check(self, message: Message) -> None:
        """What FIX 4.4 vol. 2 (test cases 2 and 3) asks of every message."""
        if message.fault:
            raise Failed(f"garbled message: {message.fault}", message)
        if [tag for tag, _ in message.pairs[:3]] != [8, 9, 35]:
            raise Failed("the first three fields are not 8, 9, 35", message)
        account = self.account
        for tag, due in ((8, account.begin_string), (49, account.target), (56, account.sender)):
            if message.get(tag) != due:
                raise Failed(f"{tag}={message.get(tag)}, expected {due}", message)
        if 52 not in message:
            raise Failed("SendingTime(52) is missing", message)
        self._count(message)

    def _count(self, message: Message) -> None:
        """The number that is due, but for repeats and for what is outside of a session."""
        seq, numbers = message.seq, self.numbers
        if seq < 1:
            raise Failed(f"MsgSeqNum(34)={message.get(34)} is no number from 1 up", message)
        if message.is_repeat:
            return
        if message.type == "A" and message.get(141) == "Y":
            numbers.next_in = seq
        if not self.logged_on:  # a refusal may be outside the session; a Logon may be ahead of us
            numbers.next_in = max(numbers.next_in, seq + 1)
            return
        if seq != numbers.next_in:
            raise Failed(f"MsgSeqNum(34)={seq}, {numbers.next_in} is due", message)
        is_reset = message.type == "4" and message.number(36) > seq
        numbers.next_in = message.number(36) if is_reset else seq + 1
