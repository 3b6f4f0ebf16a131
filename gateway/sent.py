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


class Sent:
    """Looks into the segment being written and, a few at a time, into older ones."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._old_segments: dict[int, jn.Journal] = {}

    def places(self, session_id: int, first: int, last: int) -> Any:
        """Journal positions of the messages sent with these numbers, -1 for none.

        The latest are remembered; for others the journal is walked, the newest segment first.
        """
        server = self.server
        numbers = np.arange(first, last + 1)
        if int(server.wire.sessions[session_id]["next_out"]) - first <= SENT_RING:
            return server.wire.sent[session_id, numbers % SENT_RING]
        places = np.full(numbers.size, -1, np.int64)
        for index in range(server.files.index, -1, -1):
            here = np.full(numbers.size, -1, np.int64)
            find_sent(self.segment(index), index * SEGMENT_SIZE, session_id, first, here)
            np.copyto(places, here, where=places < 0)
            if places.min() >= 0:
                break
        return places

    def segment(self, index: int) -> jn.Journal:
        """The memory of a segment; of the older ones the last few stay mapped."""
        if index == self.server.files.index:
            return self.server.journal
        if index not in self._old_segments:
            if len(self._old_segments) >= MAPPED_MAX:
                del self._old_segments[next(iter(self._old_segments))]
            self._old_segments[index] = look_at(self.server.config.journal, index)
        return self._old_segments[index]
