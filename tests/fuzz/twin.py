"""The journal of an input, replayed: the same bytes, the same tables, the same numbers."""

from typing import Any

import numpy as np

from engine import journal as jn
from engine.limits import SEGMENT_SIZE
from engine.tables import state_hash
from gateway.replay import DONE, allocate_scratch, first_difference, replay
from tests.fuzz.venue import CLIENTS, Venue, small_arrays


def blank(handle: Any) -> Any:
    """Empty arrays of the same shapes."""
    return type(handle)(**{name: np.zeros(a.shape, a.dtype) for name, a in handle.items()})


class Twin:
    """Tables that know of a venue only what its journal says."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.tables, self.outbox, self.wire = map(blank, (venue.tables, venue.outbox, venue.wire))
        self.shadow = jn.in_memory(SEGMENT_SIZE)
        self.scratch = allocate_scratch()

    def check(self) -> None:
        """Replay what came since the venue was restored."""
        saved, writer = self.venue.saved, self.shadow.writer[0]
        mine: list[Any] = small_arrays(self.tables, self.outbox, self.wire)
        for array, (_, copy) in zip(mine, saved.arrays, strict=False):
            array[...] = copy
        for name in ("offset", "seq", "last"):
            writer[name] = saved.writer[name]
        everything = (self.tables, self.outbox, self.wire)
        address = self.venue.policy.address
        outcome, offset = replay(
            *everything, self.venue.journal, self.shadow, self.scratch, address
        )
        end = int(self.venue.files.state[0]["offset"])
        assert outcome == DONE and offset == end, f"replay: outcome {outcome} at {offset} of {end}"
        place = int(first_difference(self.venue.journal, self.shadow, saved.offset, end))
        assert place < 0, f"replay: another byte at {place}"
        self.shadow.buffer[saved.offset : end] = 0
        mine_hash, theirs = state_hash(self.tables), state_hash(self.venue.tables)
        assert mine_hash == theirs, "replay: other tables"
        for name in ("next_in", "next_out"):
            ours = self.wire.sessions[name][: len(CLIENTS)]
            assert np.array_equal(ours, self.venue.wire.sessions[name][: len(CLIENTS)]), (
                f"replay: another {name}"
            )
