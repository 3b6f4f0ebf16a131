"""One connection to the drop copy: framing, the first Logon, and how much it may owe. No socket."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gateway import fix_message as fm
from gateway.drop_copy_session import OWED_MAX, SECOND_NS, Session
from gateway.fix_pairs import first_values, split
from gateway.fix_read import MESSAGE, OVERSIZE, PARTIAL, frame

LOGON_WAIT_NS = 10 * SECOND_NS  # a connection that has not logged on by then is closed
SLOW_WAIT_NS = 30 * SECOND_NS  # time to take half of OWED_MAX when more than that is owed
OWED_LIMIT = 2 * OWED_MAX  # bytes, at once
LINGER_NS = 2 * SECOND_NS  # how long a Logout may take to leave


class Link:
    """Bytes of one connection, before and after it belongs to a session."""

    def __init__(self, sessions: Mapping[tuple[str, str, str], Session], now_ns: int) -> None:
        self.sessions = sessions
        self.session: Session | None = None
        self.output = bytearray()  # what the socket is to take: see `taken`
        self.closing = ""  # why the connection is to be closed once `output` has left
        self.closing_ns = 0
        self._input = bytearray()
        self._opened_ns = now_ns
        self._slow_ns = now_ns  # since when it has taken `_taken` bytes
        self._taken = 0

    @property
    def reads(self) -> bool:
        """Whether bytes may be read from the socket: not while the answers cannot leave."""
        return not self.closing and len(self.output) < OWED_LIMIT

    def done(self, now_ns: int) -> bool:
        """Whether the socket is to be closed now."""
        late = now_ns - self.closing_ns > LINGER_NS
        return bool(self.closing) and (not self.output or late)

    def close(self, why: str, now_ns: int) -> None:
        """Let the output leave, then close."""
        if not self.closing:
            self.closing, self.closing_ns = why, now_ns

    def taken(self, count: int) -> None:
        """The socket has taken the first bytes of the output."""
        del self.output[:count]
        self._taken += count

    def lost(self, now_ns: int) -> None:
        """The peer is gone."""
        if self.session is not None and self.session.link is self:
            self.session.unlink(now_ns)
        self.close("the connection is gone", now_ns)
        self.output.clear()

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes as they come; garbled messages are skipped (FIX 4.4 vol. 2, test case 3)."""
        self._input += data
        buffer = np.frombuffer(bytes(self._input), np.uint8).copy()
        at = 0
        while not self.closing:
            outcome, size = frame(buffer, at, buffer.size)
            if outcome == PARTIAL:
                break
            if outcome == OVERSIZE:
                self._end(f"BodyLength(9)={size} is over the limit", now_ns)
                break
            if outcome == MESSAGE:
                self._message(buffer[at : at + size].tobytes(), now_ns)
            at += int(size)
        del self._input[:at]

    def _message(self, raw: bytes, now_ns: int) -> None:
        if self.session is not None:
            self.session.receive(raw, now_ns)
            return
        values = first_values(split(raw))
        if values.get(35) != "A":
            self.close("the first message is no Logon", now_ns)
            return
        key = (values.get(8, ""), values.get(56, ""), values.get(49, ""))
        session = self.sessions.get(key)
        if session is None:
            why = (
                f"no session for BeginString(8)={key[0]} SenderCompID(49)={key[2]} "
                f"TargetCompID(56)={key[1]}"
            )
        else:
            why = session.refusal(values)
        if session is None or why:
            header = fm.Header(key[0], key[1] or "?", key[2] or "?")
            self.output += fm.write("5", header, 1, now_ns, [(58, why)])
            self.close(why, now_ns)
            return
        self.session = session
        session.log_on(self, values, now_ns)

    def _end(self, why: str, now_ns: int) -> None:
        if self.session is not None and self.session.link is self:
            self.session.drop(why, now_ns)
        else:
            self.close(why, now_ns)

    def tick(self, now_ns: int) -> None:
        """What time brings to a connection."""
        if self.closing:
            return
        if self.session is None:
            if now_ns - self._opened_ns > LOGON_WAIT_NS:
                self.close("no Logon within 10 seconds", now_ns)
            return
        owed = len(self.output)
        if owed < OWED_MAX // 2 or self._taken >= OWED_MAX // 2:
            self._slow_ns, self._taken = now_ns, 0
        if owed >= OWED_LIMIT:
            self._end(f"slow consumer: {owed} bytes not read, limit {OWED_LIMIT}", now_ns)
        elif now_ns - self._slow_ns > SLOW_WAIT_NS:
            waited_s = SLOW_WAIT_NS // SECOND_NS
            self._end(f"slow consumer: {owed} bytes not read in {waited_s} seconds", now_ns)
