"""One record of the market-data feed into its venue's book: whether it is new, sound, believed.

Trust is counted in updates, not in time. A record that came after a gap is the whole top of book of
its instrument again; every other book of that venue waits for its own (BBO.md).
"""

from engine.enums import COUNTED, BookState, Phase
from engine.jit import inlined, njit
from engine.limits import PX_E6_MAX
from engine.money import add_capped
from engine.zones import BPS


@inlined
def is_new(tables, venue, record, ts_ns):
    """Count a record of a known venue; False where it, or a later one, has come before.

    The record's own number, where it is applied, is one more than `counters["venue_quotes"]`.
    """
    state = tables.venue_states[venue]
    state["records"] += 1
    state["last_recv_ns"] = ts_ns
    if record["phase"] & COUNTED == 0:
        return True
    seq = record["seq"]
    if seq > 1 and seq - state["last_seq"] == 1:
        state["last_seq"] = seq
        return True
    return _is_new_count(tables, state, seq)


@njit
def _is_new_count(tables, state, seq):
    """A number that does not follow: a new count, a gap, or a repetition."""
    last = state["last_seq"]
    if seq == 1 or (last == 0 and seq > 0):  # the adapter has started, or we have
        if last != 0:
            state["restarts"] += 1
    elif seq > last:
        state["gaps"] += 1
        state["lost"] = add_capped(state["lost"], seq - last - 1)
    else:
        state["repeats"] += 1
        return False
    state["last_seq"] = seq
    state["trusted_from"] = tables.counters[0]["venue_quotes"] + 1
    return True


@inlined
def put_book(tables, venue, book, record, ts_ns):
    """Replace all that was known of an instrument at a venue."""
    bid, bid_qty = _side(record["bid_px_e6"], record["bid_qty"])
    ask, ask_qty = _side(record["ask_px_e6"], record["ask_qty"])
    phase = record["phase"] & ~COUNTED
    book["bid_px_e6"] = bid
    book["ask_px_e6"] = ask
    book["update"] = tables.counters[0]["venue_quotes"]
    book["recv_ns"] = ts_ns
    book["bid_qty"] = bid_qty
    book["ask_qty"] = ask_qty
    book["phase"] = phase
    book["seq"] = record["seq"]
    if phase != Phase.CONTINUOUS:
        book["state"] = BookState.STOPPED
    elif bid > ask and ask != 0:
        book["state"] = BookState.CROSSED
        tables.venue_states[venue]["crossed"] += 1
    else:
        book["state"] = _believed(tables, venue, book, bid, ask, ts_ns)


@inlined
def _side(px_e6, qty):
    """A side of a record, zeros where it is none; prices are such that the engine can multiply."""
    if px_e6 <= 0 or px_e6 > PX_E6_MAX or qty <= 0:
        return 0, 0
    return px_e6, qty


@inlined
def _believed(tables, venue, book, bid, ask, ts_ns):
    """SOUND, or JUMPED while a price is further from the last sound one than a market moves."""
    two_sided = bid != 0 and ask != 0
    mid_x2_e6 = bid + ask
    if book["jump_ns"] != 0 or (two_sided and _is_far(tables, book, mid_x2_e6, ts_ns)):
        if _is_refused(tables, venue, book, mid_x2_e6 if two_sided else 0, ts_ns):
            return BookState.JUMPED
    if two_sided:
        book["sound_mid_x2_e6"] = mid_x2_e6
        book["sound_ns"] = ts_ns
    return BookState.SOUND


@inlined
def _is_far(tables, book, mid_x2_e6, ts_ns):
    """Whether a midpoint is too far from the last sound one, if that is not stale."""
    params = tables.params[0]
    sound = book["sound_mid_x2_e6"]
    if abs(mid_x2_e6 - sound) * BPS <= params["jump_bps"] * sound:
        return False
    fresh = abs(ts_ns - book["sound_ns"]) <= params["stale_ns"]
    return params["jump_bps"] != 0 and sound != 0 and fresh


@njit
def _is_refused(tables, venue, book, mid_x2_e6, ts_ns):
    """A jump begins, goes on, or is over: back in its band, or held for long enough.

    `mid_x2_e6` is 0 of a one-sided record: it tells nothing, and the jump goes on.
    """
    params = tables.params[0]
    state = tables.venue_states[venue]
    sound = book["sound_mid_x2_e6"]
    if book["jump_ns"] == 0:
        book["jump_ns"] = ts_ns
        state["jumps"] += 1
    else:
        back = abs(mid_x2_e6 - sound) * BPS <= params["jump_bps"] * sound
        held = abs(ts_ns - book["jump_ns"]) >= params["jump_hold_ns"]
        if back or held or params["jump_bps"] == 0:
            book["jump_ns"] = 0
            book["sound_mid_x2_e6"] = sound if back else 0
            return False
    state["refused"] += 1
    return True
