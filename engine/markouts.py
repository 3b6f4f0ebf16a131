"""Mark-outs: where the mid is some time after a fill, seen from the client; its mean per client.

A fill waits in a ring, once for all four horizons. Whatever moves the mid takes what is due first,
so that a mark-out is measured at the mid that stood when it fell due, unless more fell due at once
than one input may take. Where the ring is full the oldest fill goes without those that it still
waits for. `markout_weight_e6` 0 in the parameters: nothing is measured.
"""

from engine import schema
from engine.enums import Side
from engine.jit import inlined, njit
from engine.limits import MARKOUTS_AT_ONCE
from engine.volatility import relative_e9

HORIZONS = schema.params["markout_ns"].shape[0]
_WHOLE_E6 = 10**6


@inlined
def is_due(tables, ts_ns):
    """Whether a mark-out is to be taken."""
    next_ns = tables.counters[0]["next_markout_ns"]
    return next_ns != 0 and next_ns <= ts_ns


@njit
def note_fill(tables, client, instrument_id, side, px_e6, ts_ns):
    """A fill begins to wait for its mark-outs."""
    counters = tables.counters[0]
    size = tables.marked_fills.shape[0]
    index = counters["marked_fills"]
    for h in range(HORIZONS):
        if counters["markouts_done"][h] == index - size:
            counters["markouts_done"][h] += 1
            counters["markouts_dropped"] += 1
    fill = tables.marked_fills[index % size]
    fill["client"] = client
    fill["instrument"] = instrument_id
    fill["side"] = side
    fill["px_e6"] = px_e6
    fill["recv_ns"] = ts_ns
    counters["marked_fills"] = index + 1
    first_ns = ts_ns + tables.params[0]["markout_ns"][0]
    if counters["next_markout_ns"] == 0 or first_ns < counters["next_markout_ns"]:
        counters["next_markout_ns"] = first_ns


@njit
def take_due(tables, ts_ns):
    """Measure what has fallen due, as many of each horizon as one input may; the rest is due."""
    counters = tables.counters[0]
    next_ns = 0
    for h in range(HORIZONS):
        horizon_ns = tables.params[0]["markout_ns"][h]
        for taken in range(MARKOUTS_AT_ONCE + 1):
            done = counters["markouts_done"][h]
            if done == counters["marked_fills"]:
                break
            fill = tables.marked_fills[done % tables.marked_fills.shape[0]]
            due_ns = fill["recv_ns"] + horizon_ns
            if due_ns > ts_ns or taken == MARKOUTS_AT_ONCE:
                if next_ns == 0 or due_ns < next_ns:
                    next_ns = due_ns
                break
            counters["markouts_done"][h] = done + 1
            _measure(tables, fill, h)
    counters["next_markout_ns"] = next_ns


@njit
def _measure(tables, fill, h):
    """One mark-out into the client's mean: the plain mean at first, then weighted."""
    weight_e6 = tables.params[0]["markout_weight_e6"]
    mid_x2_e6 = tables.volatility[fill["instrument"]]["mid_x2_e6"]
    if weight_e6 == 0 or mid_x2_e6 == 0:
        return
    row = tables.markouts[fill["client"]]
    row["fills"][h] += 1
    found_e9 = markout_e9(fill["side"], fill["px_e6"], mid_x2_e6)
    share_e6 = max(weight_e6, _WHOLE_E6 // row["fills"][h])
    row["markout_e9"][h] += (found_e9 - row["markout_e9"][h]) * share_e6 // _WHOLE_E6


@njit
def markout_e9(side, px_e6, mid_x2_e6):
    """Move from the fill's price to the mid in the client's favour, relative, towards zero."""
    moved_x2_e6 = mid_x2_e6 - 2 * px_e6
    found_e9 = relative_e9(abs(moved_x2_e6), 2 * px_e6)
    return found_e9 if (moved_x2_e6 > 0) == (side == Side.BUY) else -found_e9
