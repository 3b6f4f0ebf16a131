"""Venue quotes to the best bid and offer, with staleness, locked and crossed states."""

from engine.enums import BboState, Phase
from engine.jit import clear_record, inlined
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
        if book["bid_px_e6"] <= 0 and book["ask_px_e6"] <= 0:
            continue
        quoted = True
        if not counted:
            youngest_ns = max(youngest_ns, book["recv_ns"])
        if book["phase"] != Phase.CONTINUOUS or abs(ts_ns - book["recv_ns"]) > stale_ns:
            continue
        has_bid = book["bid_px_e6"] > 0 and book["bid_qty"] > 0
        has_ask = book["ask_px_e6"] > 0 and book["ask_qty"] > 0
        if not has_bid and not has_ask:
            continue
        youngest_ns = book["recv_ns"] if not counted else max(youngest_ns, book["recv_ns"])
        counted = True
        _take_sides(best, book, venue, has_bid, has_ask)
        if venue == mrm and has_bid and has_ask:
            best["mrm_bid_px_e6"] = book["bid_px_e6"]
            best["mrm_ask_px_e6"] = book["ask_px_e6"]
    best["state"] = _state(best, quoted, counted)
    best["age_ns"] = ts_ns - youngest_ns if quoted else 0
    return best


@inlined
def _take_sides(best, book, venue, has_bid, has_ask):
    if has_bid and book["bid_px_e6"] > best["bid_px_e6"]:
        best["bid_px_e6"] = book["bid_px_e6"]
        best["bid_venue"] = venue
    if has_ask and (best["ask_venue"] < 0 or book["ask_px_e6"] < best["ask_px_e6"]):
        best["ask_px_e6"] = book["ask_px_e6"]
        best["ask_venue"] = venue


@inlined
def _state(best, quoted, counted):
    if not quoted:
        return BboState.EMPTY
    if not counted:
        return BboState.STALE
    if best["bid_venue"] < 0 or best["ask_venue"] < 0:
        return BboState.ONE_SIDED
    if best["bid_px_e6"] > best["ask_px_e6"]:
        return BboState.CROSSED
    if best["bid_px_e6"] == best["ask_px_e6"]:
        return BboState.LOCKED
    return BboState.NORMAL


@inlined
def is_tradable(best):
    """Whether orders may be answered on this BBO."""
    return best["state"] == BboState.NORMAL or best["state"] == BboState.LOCKED
