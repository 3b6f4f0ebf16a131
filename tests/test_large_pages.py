"""Tables moved together: the same rows, under the same names, for compiled code too."""

from itertools import pairwise
from typing import Any

import numpy as np

from engine import tables
from engine.limits import Capacity
from engine.outbox import allocate_outbox
from gateway import large_pages
from gateway.large_pages import LARGE, LINE, MOVED_MAX


def test_rows_and_addresses_after_a_move() -> None:
    made, outbox = tables.allocate(Capacity(4096, 8, 1 << 16, 16)), allocate_outbox()
    before: dict[str, Any] = {}
    for number, (name, array) in enumerate(made.items()):
        array.view(np.uint8).reshape(-1)[:8] = number + 1
        before[name] = (array, array.copy())
    size = large_pages.gather(made, outbox)
    moved = [name for name, array in made.items() if array is not before[name][0]]
    assert size % LARGE == 0 and "params" in moved and "orders" not in moved
    places = []
    for index, (name, array) in enumerate(made.items()):
        old, content = before[name]
        assert array.dtype == old.dtype and array.shape == old.shape
        assert array.tobytes() == content.tobytes()
        assert made.map[3 * index] == array.ctypes.data  # what compiled code goes by
        assert (name in moved) == (array.nbytes <= MOVED_MAX)
        if name in moved:
            places.append((array.ctypes.data, array.nbytes))
    places += [(array.ctypes.data, array.nbytes) for _, array in outbox.items()]
    places.sort()
    assert all(place % LINE == 0 for place, _ in places)
    assert all(one + used <= other for (one, used), (other, _) in pairwise(places))
    assert places[0][0] % LARGE == 0 and places[-1][0] + places[-1][1] <= places[0][0] + size
    made.activate_staged()
    for index, (_, array) in enumerate(made.items()):
        assert made.map[3 * index] == array.ctypes.data
