"""ResendRequest(2): reports again from the journal, gap fills for what is not sent again.

A request is answered piece by piece, between the orders of all others: however often and however
much somebody asks for, nobody else waits for it. A new request takes the place of an unfinished one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import simplefix

from gateway import fix_message as fm
from gateway import recorder
from gateway.fix_message import Fields, number, text

if TYPE_CHECKING:
    from gateway.server import Server
    from gateway.session import Sessions

CHUNK = 32  # messages sent again before others get their turn
OWED_MAX = 512 << 10  # bytes: no more is sent again while a client owes us this much reading


class Backlog(NamedTuple):
    """What is still to be sent again: journal positions by number, from `first` on."""

    first: int
    places: Any


class Resends:
    """Every session's unfinished resend."""

    def __init__(self, server: Server, sessions: Sessions) -> None:
        self.server = server
        self.sessions = sessions
        self.backlog: dict[int, Backlog] = {}
        self.used: dict[int, tuple[int, int]] = {}  # by session: second, messages in it

    @property
    def busy(self) -> bool:
        """Whether there is anything to go on with."""
        return bool(self.backlog)

    def requested(self, session_id: int, message: simplefix.FixMessage) -> None:
        """A ResendRequest(2) of theirs."""
        first, last = number(message, 7), number(message, 16)
        for tag, value in ((7, first), (16, last)):
            if value is None:
                reason = 1 if text(message, tag) is None else 6
                self.sessions.reject(session_id, message, reason, tag)
                return
        assert first is not None and last is not None
        newest = int(self.server.wire.sessions[session_id]["next_out"]) - 1
        last = newest if last == 0 or last > newest else last
        if first < 1 or first > last:
            if first != newest + 1:
                why = f"nothing to resend, last sent is {newest}"
                self.sessions.reject(session_id, message, 5, 7, why)
            return
        self.begin(session_id, first, last)

    def begin(self, session_id: int, first: int, last: int) -> None:
        """Send the messages `first` to `last` again."""
        self.backlog[session_id] = Backlog(first, self.server.sent.places(session_id, first, last))
        self._some(session_id)

    def forget(self, session_id: int) -> None:
        """The connection is gone or the numbers are new."""
        self.backlog.pop(session_id, None)

    def go_on(self) -> None:
        """A piece for each session that has a resend unfinished."""
        for session_id in list(self.backlog):
            self._some(session_id)

    def _allowance(self, session_id: int) -> int:
        """Messages that may be sent again now."""
        server = self.server
        row = server.wire.sessions[session_id]
        connection = server.wire.connections[row["connection"]]
        if connection["tx_end"] - connection["tx_start"] > OWED_MAX:
            return 0
        limit = self.sessions.settings(session_id).resend_max_messages
        if limit == 0:
            return CHUNK
        second = server.now_ns() // 1_000_000_000
        since, used = self.used.get(session_id, (second, 0))
        used = used if since == second else 0
        allowed = min(CHUNK, limit - used)
        self.used[session_id] = second, used + allowed
        return allowed

    def _some(self, session_id: int) -> None:
        """As much of a resend as one turn allows."""
        allowed = self._allowance(session_id)
        if allowed <= 0:
            return
        first, places = self.backlog.pop(session_id)
        server = self.server
        precision = int(server.wire.sessions[session_id]["precision"])
        stop = first + min(len(places), allowed) - 1
        gap_from = 0
        for seq in range(first, stop + 1):
            raw = server.sent.message(session_id, seq, int(places[seq - first]))
            if raw is None or fm.msg_type_of(raw) in server.not_sent_again:
                gap_from = gap_from or seq
                continue
            if gap_from:
                self._fill_gap(session_id, gap_from, seq)
                gap_from = 0
            self._send(session_id, seq, fm.again(raw, server.now_ns(), precision))
        if gap_from:
            self._fill_gap(session_id, gap_from, stop + 1)
        if len(places) > allowed:
            self.backlog[session_id] = Backlog(stop + 1, places[allowed:])

    def _fill_gap(self, session_id: int, first: int, new: int) -> None:
        header = self.sessions.header(session_id)
        now_ns = self.server.now_ns()
        head: Fields = [(43, "Y"), (122, fm.stamp(now_ns, header.precision))]
        row = self.server.wire.sessions[session_id]
        if row["last_processed"]:
            head.append((369, int(row["next_in"]) - 1))
        body: Fields = [(123, "Y"), (36, new)]
        self._send(session_id, first, fm.write("4", header, first, now_ns, body, head))

    def _send(self, session_id: int, seq: int, raw: bytes) -> None:
        server = self.server
        server.make_room()
        data = np.frombuffer(raw, np.uint8).copy()
        recorder.on_resent(
            server.wire, server.journal, session_id, seq, data, data.size, server.now_ns()
        )
