"""What was sent, found again in the journal by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine import journal as jn
from engine.limits import SEGMENT_SIZE
from gateway.journal_files import find_sent, frame_at, look_at
from gateway.wire import SENT_RING

if TYPE_CHECKING:
    from gateway.server import Server


class Sent:
    """Looks into the segment being written and, one at a time, into older ones."""

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
            find_sent(self._segment(index), index * SEGMENT_SIZE, session_id, first, here)
            np.copyto(places, here, where=places < 0)
            if places.min() >= 0:
                break
        return places

    def message(self, session_id: int, seq: int, position: int) -> bytes | None:
        """A message as it was first sent, from the journal; None where it is not there."""
        if position < 0:
            return None
        index, offset = divmod(position, SEGMENT_SIZE)
        frame = frame_at(self._segment(index), offset, 0)
        if frame.session != session_id or frame.fix_seq != seq:
            return None
        return frame.fix if frame.kind in (jn.EXECUTION, jn.FIX_OUT) else None

    def _segment(self, index: int) -> jn.Journal:
        if index == self.server.files.index:
            return self.server.journal
        if index not in self._old_segments:
            self._old_segments = {index: look_at(self.server.config.journal, index)}
        return self._old_segments[index]
