"""FIX 4.4 clients made from the standard alone, so that our codec is not tested with itself.

`Client` only speaks when told to; `Member` keeps a session as a good counterparty does: it queues
what comes early, asks for what is missing, and sends again what it is asked for.
"""

import select
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

SOH = "\x01"
WAIT_S = 10.0
ADMIN = frozenset("0 1 2 3 4 5 A".split())
Fields = dict[int, str]
Terms = Sequence[tuple[int, object]]


class Listening(Protocol):
    """What a client needs to know of an engine."""

    fix_port: int


class Closed(Exception):
    """The engine has closed the connection."""


class Silence(AssertionError):
    """Nothing came."""


def readable(sock: socket.socket, seconds: float) -> bool:
    """Whether there is something to read; `select` would take no file number over 1,023."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(max(seconds, 0) * 1000))


def stamp() -> str:
    """SendingTime(52), milliseconds."""
    return datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


def framed(body: str, begin: str = "FIX.4.4") -> bytes:
    """BodyLength(9) and CheckSum(10) around `35=..|34=..|`, with `|` for the separator."""
    inner = body.replace("|", SOH).encode("latin-1")
    data = f"8={begin}{SOH}9={len(inner)}{SOH}".encode() + inner
    return data + f"10={sum(data) % 256:03d}{SOH}".encode()


def parsed(raw: bytes) -> Fields:
    """A received message, checked byte by byte: length, checksum, no tag twice, none empty."""
    text = raw.decode("latin-1")
    pairs = [field.split("=", 1) for field in text.split(SOH)[:-1]]
    fields = {int(tag): value for tag, value in pairs}
    assert len(fields) == len(pairs), f"a tag twice: {text}"
    assert all(fields.values()), f"an empty value: {text}"
    assert [int(tag) for tag, _ in pairs[:3]] == [8, 9, 35], text
    assert int(pairs[-1][0]) == 10, text
    body = raw.index(b"\x0135=") + 1
    assert int(fields[9]) == len(raw) - 7 - body, text
    assert int(fields[10]) == sum(raw[:-7]) % 256, text
    return fields


def order(clordid: str, isin: str, qty: int, **more: object) -> list[tuple[int, object]]:
    """A market order to buy; `t44="20.05"` adds or replaces a field, None takes one away."""
    fields: dict[int, object] = {11: clordid, 55: isin, 48: isin, 22: 4, 54: 1, 38: qty, 40: 1}
    fields |= {59: 3, 60: stamp()}
    fields |= {int(tag[1:]): value for tag, value in more.items()}
    return [(tag, value) for tag, value in fields.items() if value is not None]


def cancel(clordid: str, of: str, isin: str, qty: int) -> list[tuple[int, object]]:
    """A request to cancel the order `of`."""
    terms: Terms = [(11, clordid), (41, of), (55, isin), (48, isin), (22, 4), (54, 1), (38, qty)]
    return [*terms, (60, stamp())]


class Client:
    """One TCP connection and the two numbers of a session; it does only what it is told."""

    def __init__(self, engine: Listening, comp_id: str = "CLIENT1", heartbeat: object = 30) -> None:
        self.engine, self.comp_id, self.heartbeat = engine, comp_id, heartbeat
        self.next_out = 1
        self.next_in = 1
        self.received: list[Fields] = []
        self._socket: socket.socket | None = None
        self._buffer = bytearray()

    # --- connection ---

    def connect(self, receive_buffer: int = 0) -> None:
        self.close()
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(WAIT_S)
        made.connect(("127.0.0.1", self.engine.fix_port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._buffer = made, bytearray()

    def close(self) -> None:
        """Without a Logout."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def socket(self) -> socket.socket:
        if self._socket is None:
            raise Closed
        return self._socket

    # --- sending ---

    def message(
        self, msg_type: str, fields: Terms = (), *, seq: object = None, **header: object
    ) -> bytes:
        """A whole message; `t49="X"` replaces a header field, `t43="Y"` adds one."""
        head: dict[int, object] = {35: msg_type, 34: self.next_out if seq is None else seq}
        head |= {49: self.comp_id, 56: "SI", 52: stamp()}
        head |= {int(tag[1:]): value for tag, value in header.items()}
        begin = str(head.pop(8, "FIX.4.4"))
        pairs = [(tag, value) for tag, value in head.items() if value is not None]
        return framed("".join(f"{tag}={value}|" for tag, value in [*pairs, *fields]), begin)

    def send(self, msg_type: str, fields: Terms = (), **header: object) -> int:
        """Send with the next number (or `seq`); answers the number."""
        raw = self.message(msg_type, fields, **header)
        used = self.next_out
        if header.get("seq") is None:
            self.next_out += 1
        self.raw(raw)
        return used

    def raw(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    # --- receiving ---

    def receive(self, timeout: float = WAIT_S) -> Fields:
        """The next message, its number taken over. Raises Silence and Closed."""
        deadline = time.monotonic() + timeout
        while True:
            raw = self._whole()
            if raw is not None:
                fields = parsed(raw)
                self.received.append(fields)
                if 43 not in fields:
                    self.next_in = int(fields[34]) + 1
                return fields
            left = deadline - time.monotonic()
            if left <= 0 or not readable(self.socket, left):
                raise Silence(f"{self.comp_id}: nothing came in {timeout} s")
            self.read()

    def read(self) -> None:
        """What the socket has. Raises Closed."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.close()
            raise Closed
        self._buffer += data

    def _whole(self) -> bytes | None:
        end = self._buffer.find(b"\x0110=")
        if end < 0 or len(self._buffer) < end + 8:
            return None
        raw = bytes(self._buffer[: end + 8])
        del self._buffer[: end + 8]
        return raw

    def expect(self, msg_type: str, timeout: float = WAIT_S, **fields: object) -> Fields:
        """The next message is of this type, with these fields (`t58="..."`)."""
        got = self.receive(timeout)
        assert got[35] == msg_type, got
        wanted = {int(tag[1:]): str(value) for tag, value in fields.items()}
        assert {tag: got.get(tag) for tag in wanted} == wanted, got
        return got

    def nothing(self, seconds: float = 0.3) -> None:
        """Nothing comes."""
        try:
            got = self.receive(seconds)
        except Silence:
            return
        raise AssertionError(f"unexpected {got}")

    def closed(self, timeout: float = WAIT_S) -> None:
        """The engine closes the connection, and says nothing more."""
        try:
            got = self.receive(timeout)
        except Closed:
            return
        raise AssertionError(f"unexpected {got}")

    # --- a session's usual course ---

    def logon(self, *fields: tuple[int, object], **header: object) -> Fields:
        """Connect if need be, log on, and read the answer."""
        if self._socket is None:
            self.connect()
        self.send("A", [(98, 0), (108, self.heartbeat), *fields], **header)
        return self.expect("A")

    def logout(self) -> None:
        self.send("5")
        self.expect("5")
        self.closed()


class Member(Client):
    """A client that keeps its session over cuts and kills and remembers every report."""

    def __init__(self, engine: Listening, comp_id: str = "CLIENT1", heartbeat: object = 30) -> None:
        super().__init__(engine, comp_id, heartbeat)
        self.sent: dict[int, tuple[str, Terms, str]] = {}
        self.reports: dict[int, Fields] = {}  # by MsgSeqNum: applied once, in order
        self.expected = 1
        self.logged_on = False
        self.test_id = ""  # of the last Heartbeat that answered a TestRequest
        self.last_text = ""
        self.repeats = 0
        self._early: dict[int, Fields] = {}
        self._asked_to = 0

    def close(self) -> None:
        super().close()
        self.logged_on = False
        self._asked_to = 0
        # as engines do: it comes again, maybe within a gap fill that begins at a number before it
        self._early.clear()

    def send(self, msg_type: str, fields: Terms = (), **header: object) -> int:
        """Remember first, then send: what is lost on the way is sent again when asked for."""
        self.sent[self.next_out] = (msg_type, fields, stamp())
        return super().send(msg_type, fields, **header)

    def log_on(self) -> None:
        """A new connection with the numbers that stand. Raises Closed."""
        self.connect()
        self.send("A", [(98, 0), (108, self.heartbeat)])
        deadline = time.monotonic() + WAIT_S
        while not self.logged_on:
            assert time.monotonic() < deadline, f"{self.comp_id}: no Logon"
            self.take(self.receive())

    def poll(self, seconds: float = 0.0) -> None:
        """Everything that has come so far. Raises Closed."""
        if readable(self.socket, seconds):
            self.read()
        while (raw := self._whole()) is not None:
            self.take(parsed(raw))

    def read_out(self) -> None:
        """What came before the engine closed the connection."""
        try:
            while True:
                self.poll(WAIT_S)
        except Closed:
            return

    @property
    def waiting(self) -> bool:
        """Whether something is still missing."""
        return bool(self._early)

    def take(self, message: Fields) -> None:
        """One message, by FIX 4.4 volume 2."""
        seq = int(message[34])
        if message[35] == "A":
            self.logged_on = True
        if message[35] == "2":  # also when it comes early, or both would wait
            self._resend(int(message[7]), int(message[16]))
        if seq > self.expected:
            self._early[seq] = message
            if self._asked_to < self.expected:
                self._asked_to = seq - 1
                self.send("2", [(7, self.expected), (16, 0)])
            return
        if seq < self.expected:
            assert message.get(43) == "Y", f"{self.comp_id} expects {self.expected}: {message}"
            self._repeated(seq, message)
            return
        self._apply(seq, message)
        while self.expected in self._early:
            early = self._early.pop(self.expected)
            self._apply(int(early[34]), early)

    def _apply(self, seq: int, message: Fields) -> None:
        msg_type = message[35]
        assert msg_type not in ("3", "j"), f"{self.comp_id}: {message}"
        if msg_type == "4":
            assert message[123] == "Y" and int(message[36]) > seq, message
            self.expected = int(message[36])
            for passed in [early for early in self._early if early < self.expected]:
                del self._early[passed]
            return
        if msg_type == "1":
            self.send("0", [(112, message[112])])
        self.last_text = message.get(58, "")
        if msg_type == "0":
            self.test_id = message.get(112, "")
        if msg_type not in ADMIN:
            self.reports[seq] = message
        self.expected = seq + 1

    def _repeated(self, seq: int, message: Fields) -> None:
        """Seen before: the same in everything but the header of a repeat."""
        if message[35] in ADMIN or seq not in self.reports:
            return
        self.repeats += 1
        moving = {9, 10, 43, 52, 122}
        before, now = (
            {tag: value for tag, value in m.items() if tag not in moving}
            for m in (self.reports[seq], message)
        )
        assert before == now, f"{self.comp_id}: a repeat that differs\n{before}\n{now}"

    def _resend(self, first: int, last: int) -> None:
        last = self.next_out - 1 if last == 0 else min(last, self.next_out - 1)
        gap_from = 0
        batch = bytearray()

        def gap_fill(new: int) -> None:
            batch.extend(
                self.message("4", [(123, "Y"), (36, new)], seq=gap_from, t43="Y", t122=stamp())
            )

        for seq in range(first, last + 1):
            msg_type, fields, sent_at = self.sent[seq]
            if msg_type in ADMIN:
                gap_from = gap_from or seq
                continue
            if gap_from:
                gap_fill(seq)
                gap_from = 0
            batch += self.message(msg_type, fields, seq=seq, t43="Y", t122=sent_at)
        if gap_from:
            gap_fill(last + 1)
        self.raw(bytes(batch))
