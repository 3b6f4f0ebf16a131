"""Venue quotes to the best bid and offer; BBO.md has the rules as a table."""

from engine.enums import BboState, BookState
from engine.jit import clear_record, inlined, njit
from engine.limits import VENUES_MAX


@inlined
def consolidate(tables, instrument_id, ts_ns):
    """Fill and return the scratch row `tables.bbo[0]` for this instrument at this time."""
    best = tables.bbo[0]
    clear_record(best)
    best["bid_venue"] = -1
    best["ask_venue"] = -1
    stale_ns = tables.params[0]["stale_ns"]
    mrm = tables.instruments[instrument_id]["mrm_venue"]
    quoted = False
    counted = False
    youngest_ns = 0
    for venue in range(tables.counters[0]["venues"]):
        book = tables.venue_books[instrument_id * VENUES_MAX + venue]
        bid = book["bid_px_e6"]
        ask = book["ask_px_e6"]
        if bid == 0 and ask == 0:
            continue
        quoted = True
        recv_ns = book["recv_ns"]
        if not counted:
            youngest_ns = max(youngest_ns, recv_ns)
        if (
            book["state"] != BookState.SOUND
            or abs(ts_ns - recv_ns) > stale_ns
            or book["update"] < tables.venue_states[venue]["trusted_from"]
        ):
            continue
        youngest_ns = recv_ns if not counted else max(youngest_ns, recv_ns)
        counted = True
        if bid > best["bid_px_e6"]:
            best["bid_px_e6"] = bid
            best["bid_venue"] = venue
        if ask != 0 and (best["ask_venue"] < 0 or ask < best["ask_px_e6"]):
            best["ask_px_e6"] = ask
            best["ask_venue"] = venue
        if venue == mrm:
            best["mrm_bid_px_e6"] = bid
            best["mrm_ask_px_e6"] = ask
            best["mrm_recv_ns"] = recv_ns
    if counted:
        best["state"] = _state(best)
    elif quoted:
        best["state"] = _without_any(tables, instrument_id, best, ts_ns)
    else:
        best["state"] = BboState.EMPTY
    best["age_ns"] = ts_ns - youngest_ns if quoted else 0
    return best


@inlined
def _state(best):
    """Of a BBO that some venue counts in."""
    if best["bid_venue"] < 0 or best["ask_venue"] < 0:
        return BboState.ONE_SIDED
    if best["bid_px_e6"] > best["ask_px_e6"]:
        return BboState.CROSSED
    if best["bid_px_e6"] == best["ask_px_e6"]:
        return BboState.LOCKED
    return BboState.NORMAL


@njit
def _without_any(tables, instrument_id, best, ts_ns):
    """Where no venue counts: CROSSED if one would but for its own prices, which are shown."""
    for venue in range(tables.counters[0]["venues"]):
        book = tables.venue_books[instrument_id * VENUES_MAX + venue]
        fresh = abs(ts_ns - book["recv_ns"]) <= tables.params[0]["stale_ns"]
        trusted = book["update"] >= tables.venue_states[venue]["trusted_from"]
        if book["state"] == BookState.CROSSED and fresh and trusted:
            best["bid_px_e6"] = book["bid_px_e6"]
            best["ask_px_e6"] = book["ask_px_e6"]
            best["bid_venue"] = venue
            best["ask_venue"] = venue
            return BboState.CROSSED
    return BboState.STALE


@inlined
def is_tradable(best):
    """Whether a market is sound: fresh, two-sided, not crossed (BBO.md)."""
    return is_tradable_state(best["state"])


@inlined
def is_tradable_state(state):
    """The same of a BboState."""
    return state == BboState.NORMAL or state == BboState.LOCKED
