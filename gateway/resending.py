"""ResendRequest(2): reports again from the journal, gap fills for what is not sent again.

A request is answered piece by piece (`resend.py`), between the orders of all others: however often
and however much somebody asks for, nobody else waits for it. A new request takes the place of an
unfinished one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import simplefix

from engine.limits import SEGMENT_SIZE
from gateway import resend
from gateway.fix_message import number, text

if TYPE_CHECKING:
    from gateway.server import Server
    from gateway.session import Sessions

SECOND_NS = 1_000_000_000
CHUNK = 16  # messages sent again before others get their turn, some 2 us each


class Backlog(NamedTuple):
    """What is still to be sent again: `resend.backlog` and the journal positions of all of it."""

    rows: Any
    places: Any


class Resends:
    """Every session's unfinished resend."""

    def __init__(self, server: Server, sessions: Sessions) -> None:
        self.server = server
        self.sessions = sessions
        self.backlog: dict[int, Backlog] = {}
        self.used: dict[int, tuple[int, int]] = {}  # by session: second, messages in it
        self.busy = False  # there is something to go on with at once

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
        places = np.ascontiguousarray(self.server.sent.places(session_id, first, last))
        self.backlog[session_id] = Backlog(resend.new_backlog(first), places)
        self._some(session_id)

    def forget(self, session_id: int) -> None:
        """The connection is gone or the numbers are new."""
        self.backlog.pop(session_id, None)

    def go_on(self) -> None:
        """A piece for each session that has a resend unfinished."""
        self.busy = False
        for session_id in list(self.backlog):
            self._some(session_id)

    def _allowance(self, session_id: int) -> int:
        """Messages that may be sent again now."""
        server = self.server
        limit = self.sessions.settings(session_id).resend_max_messages
        if limit == 0:
            return CHUNK
        since, used = self.used.get(session_id, (0, 0))
        return min(CHUNK, limit - (used if since == server.now_ns() // SECOND_NS else 0))

    def _some(self, session_id: int) -> None:
        """As much of a resend as one turn allows."""
        allowed = self._allowance(session_id)
        if allowed <= 0:
            return  # the tick goes on
        rows, places = self.backlog[session_id]
        server = self.server
        server.make_room()
        place = int(places[int(rows[0]["next"])])
        index = place // SEGMENT_SIZE if place >= 0 else server.files.index
        before = int(rows[0]["sent"])
        state = resend.resend(
            server.wire, server.journal, server.sent.segment(index), index * SEGMENT_SIZE,
            session_id, rows, places, allowed, server.now_ns(),
        )  # fmt: skip
        self._use(session_id, int(rows[0]["sent"]) - before)
        if state == resend.DONE:
            del self.backlog[session_id]
            if rows[0]["quotes"]:
                server.subscriptions.renew(session_id)
        elif state == resend.OWED:
            server.wire.loop[0]["next_second_ns"] = 0  # look again in a tenth of a second
        else:
            self.busy = True

    def _use(self, session_id: int, count: int) -> None:
        second = self.server.now_ns() // SECOND_NS
        since, used = self.used.get(session_id, (second, 0))
        self.used[session_id] = second, count + (used if since == second else 0)
