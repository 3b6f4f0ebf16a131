"""ResendRequest(2): reports again from the journal, gap fills for what is not sent again.

A request is answered piece by piece (`resend.py`), between the orders of all others, and each piece
is charged to who asked (`connections.py`): however often and however much somebody asks for, nobody
else waits for it. A new request takes the place of an unfinished one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simplefix

from engine.limits import SEGMENT_SIZE
from gateway import resend
from gateway.fix_message import number, text
from gateway.loop import TURN_MAX_NS

if TYPE_CHECKING:
    from gateway.sent import Search
    from gateway.server import Server
    from gateway.session import Sessions

SECOND_NS = 1_000_000_000
CHUNK = 64  # messages sent again before others get their turn
PIECE_NS = 200_000  # what a piece costs, or a look through LOOK_SIZE of journal
MESSAGE_NS = 2_000  # and each message in it
FIRST_TIME = 30  # messages that were never sent again cost so much less: a client that was away
OWED_WAIT_NS = 100_000_000  # before the next look whether somebody has read what is owed


class Backlog:
    """What is still to be sent again to a session."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.rows: Any = resend.new_backlog(search.first)
        self.next_ns = 1  # when to go on; 1: at once

    def number(self) -> int:
        """MsgSeqNum(34) of what comes next."""
        return int(self.rows[0]["first"] + self.rows[0]["next"])


class Resends:
    """Every session's unfinished resend."""

    def __init__(self, server: Server, sessions: Sessions) -> None:
        self.server = server
        self.sessions = sessions
        self.backlog: dict[int, Backlog] = {}
        self.used: dict[int, tuple[int, int]] = {}  # by session: second, messages in it
        self.newest: dict[int, tuple[int, int]] = {}  # `since_ns`, highest number sent again

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
        self.backlog[session_id] = Backlog(self.server.sent.search(session_id, first, last))
        self._some(session_id)

    def forget(self, session_id: int) -> None:
        """The connection is gone or the numbers are new."""
        self.backlog.pop(session_id, None)

    def next_ns(self) -> int:
        """When to go on with any of them, 0: there are none."""
        return min((backlog.next_ns for backlog in self.backlog.values()), default=0)

    def go_on(self) -> None:
        """A piece for each session that has a resend unfinished and its turn."""
        now_ns = self.server.now_ns()
        for session_id, backlog in list(self.backlog.items()):
            if not 0 < backlog.next_ns - now_ns <= TURN_MAX_NS:  # clocks are set back
                self._some(session_id)

    def _allowance(self, session_id: int) -> int:
        """Messages that may be sent again now."""
        limit = self.sessions.settings(session_id).resend_max_messages
        if limit == 0:
            return CHUNK
        since, used = self.used.get(session_id, (0, 0))
        return min(CHUNK, limit - (used if since == self._second() else 0))

    def _second(self) -> int:
        return self.server.now_ns() // SECOND_NS

    def _some(self, session_id: int) -> None:
        """As much of a resend as one turn allows."""
        backlog, server = self.backlog[session_id], self.server
        allowed = self._allowance(session_id)
        if allowed <= 0:
            backlog.next_ns = (self._second() + 1) * SECOND_NS
            return
        part = 1 if self._was_repeated(session_id, backlog) else FIRST_TIME
        if not backlog.search.done:
            backlog.search.step()
            self._charge(session_id, PIECE_NS // part)
            return
        server.make_room()
        rows, places = backlog.rows, backlog.search.places
        place = int(places[int(rows[0]["next"])])
        index = place // SEGMENT_SIZE if place >= 0 else server.files.index
        before = int(rows[0]["sent"])
        state = resend.resend(
            server.wire, server.journal, server.sent.segment(index), index * SEGMENT_SIZE,
            session_id, rows, places, allowed, server.now_ns(),
        )  # fmt: skip
        sent = int(rows[0]["sent"]) - before
        self._use(session_id, sent)
        self._charge(session_id, (PIECE_NS + sent * MESSAGE_NS) // part)
        self._note(session_id, backlog)
        if state == resend.DONE:
            del self.backlog[session_id]
            if rows[0]["quotes"]:
                server.subscriptions.renew(session_id)
        elif state == resend.OWED:
            backlog.next_ns = server.now_ns() + OWED_WAIT_NS

    def _charge(self, session_id: int, cost_ns: int) -> None:
        """What a piece has cost; the next when it is their turn again."""
        wire = self.server.wire
        connection_id = int(wire.sessions[session_id]["connection"])
        self.server.connections.charge(connection_id, cost_ns)
        turn_ns = int(wire.connections[connection_id]["turn_ns"])
        self.backlog[session_id].next_ns = max(turn_ns, 1)

    def _was_repeated(self, session_id: int, backlog: Backlog) -> bool:
        """Whether what comes next has been sent again before."""
        since_ns, newest = self.newest.get(session_id, (0, 0))
        same = since_ns == self.server.wire.sessions[session_id]["since_ns"]
        return bool(same and backlog.number() <= newest)

    def _note(self, session_id: int, backlog: Backlog) -> None:
        """Numbers below the next one have been sent again."""
        since_ns = int(self.server.wire.sessions[session_id]["since_ns"])
        before, newest = self.newest.get(session_id, (0, 0))
        number = backlog.number() - 1
        self.newest[session_id] = since_ns, max(number, newest if before == since_ns else 0)

    def _use(self, session_id: int, count: int) -> None:
        second = self._second()
        since, used = self.used.get(session_id, (second, 0))
        self.used[session_id] = second, count + (used if since == second else 0)
