"""What was sent, found again in the journal by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine import journal as jn
from engine.limits import SEGMENT_SIZE
from gateway.journal_files import find_sent, look_at
from gateway.wire import SENT_RING

if TYPE_CHECKING:
    from gateway.server import Server

MAPPED_MAX = 8  # older segments
LOOK_SIZE = 256 << 10  # bytes of journal looked through at once, some 60 us


class Search:
    """Journal positions of messages by their numbers, looked for piece by piece.

    The latest are remembered; for others the journal is walked, the newest segment first.
    """

    def __init__(self, sent: Sent, session_id: int, first: int, last: int) -> None:
        server = sent.server
        self.sent, self.session_id, self.first = sent, session_id, first
        numbers = np.arange(first, last + 1)
        self.done = int(server.wire.sessions[session_id]["next_out"]) - first <= SENT_RING
        #: int64[], of each number; -1: none.
        self.places: Any = np.full(numbers.size, -1, np.int64)
        if self.done:
            self.places[:] = server.wire.sent[session_id, numbers % SENT_RING]
        self._index, self._offset = server.files.index, 0
        self._here = np.full(numbers.size, -1, np.int64)

    def step(self) -> None:
        """Look through one more piece; `done` says whether it was the last."""
        self._offset = find_sent(
            self.sent.segment(self._index), self._index * SEGMENT_SIZE, self.session_id, self.first,
            self._here, self._offset, self._offset + LOOK_SIZE,
        )  # fmt: skip
        if self._offset >= 0:
            return
        np.copyto(self.places, self._here, where=self.places < 0)
        self.done = self._index == 0 or bool(self.places.min() >= 0)
        self._index, self._offset = self._index - 1, 0
        self._here[:] = -1


class Sent:
    """Looks into the segment being written and, a few at a time, into older ones."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._old_segments: dict[int, jn.Journal] = {}

    def search(self, session_id: int, first: int, last: int) -> Search:
        """For the journal positions of the messages sent with these numbers."""
        return Search(self, session_id, first, last)

    def segment(self, index: int) -> jn.Journal:
        """The memory of a segment; of the older ones the last few stay mapped."""
        if index == self.server.files.index:
            return self.server.journal
        if index not in self._old_segments:
            if len(self._old_segments) >= MAPPED_MAX:
                del self._old_segments[next(iter(self._old_segments))]
            self._old_segments[index] = look_at(self.server.config.journal, index)
        return self._old_segments[index]
