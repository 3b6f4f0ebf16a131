"""How long each instrument had a live two-sided quote, and why not, within the published hours."""

from engine.enums import Phase, Reason
from engine.jit import njit
from engine.limits import VENUES_MAX
from gateway.audit.basics import is_due
from gateway.audit.tables import SLOT_NS, SLOTS, Presence


@njit
def presence_of(book, row):
    """The Presence of an instrument now."""
    instrument = book.instruments[row]
    ours = book.shown[row]
    if not is_due(instrument):
        return Presence.NOT_DUE
    if ours["live"] != 0:
        return Presence.LIVE
    phase = book.venue_books[row * VENUES_MAX + instrument["mrm_venue"]]["phase"]
    if phase == Phase.HALTED:
        return Presence.HALTED
    if phase == Phase.AUCTION:
        return Presence.AUCTION
    if phase == Phase.CLOSED:
        return Presence.MRM_CLOSED
    if ours["quote_id"] == 0:
        return Presence.NOT_YET
    reason = ours["reason"]
    if reason == Reason.BBO_STALE:
        return Presence.STALE
    if reason == Reason.BBO_ONE_SIDED:
        return Presence.ONE_SIDED
    if reason == Reason.BBO_CROSSED:
        return Presence.CROSSED
    if reason == Reason.BBO_EMPTY:
        return Presence.EMPTY
    if reason >= Reason.SUSPENDED_HALT and reason <= Reason.SUSPENDED_PRUDENTIAL:
        return Presence.SUSPENDED
    if reason == Reason.KILLED_FIRM or reason == Reason.KILLED_INSTRUMENT:
        return Presence.STOPPED
    if reason == Reason.QUOTE_FAR:
        return Presence.TOO_FAR
    return Presence.OTHER


@njit
def renew(book, row, ts_ns):
    """Look at an instrument's presence again, after anything that may have changed it."""
    ours = book.shown[row]
    now = presence_of(book, row)
    if now != ours["presence"]:
        add(book, row, ours["presence"], ours["since_ns"], ts_ns)
        ours["presence"] = now
        ours["since_ns"] = ts_ns


@njit
def add(book, row, presence, from_ns, until_ns):
    """Count the part of an interval that lies in published hours."""
    for i in range(book.run[0]["hours"]):
        low = max(from_ns, book.hours[i, 0])
        high = min(until_ns, book.hours[i, 1])
        if high <= low:
            continue
        book.presence[row, presence] += high - low
        if presence == Presence.LIVE:
            _add_slots(book, book.live_slots, row, low, high)
        elif presence == Presence.HALTED:
            _add_slots(book, book.halt_slots, row, low, high)


@njit
def _add_slots(book, slots, row, low, high):
    """The same, by slot of the day, for the chart."""
    day_ns = book.run[0]["from_ns"]
    first = (low - day_ns) // SLOT_NS
    last = min((high - 1 - day_ns) // SLOT_NS, SLOTS - 1)
    for slot in range(first, last + 1):
        start = day_ns + slot * SLOT_NS
        slots[row, slot] += min(high, start + SLOT_NS) - max(low, start)


@njit
def close_all(book, instruments, at_ns, until_ns, presence):
    """Every instrument has been as it was until `at_ns`, then `presence` until `until_ns`."""
    for row in range(instruments):
        ours = book.shown[row]
        add(book, row, ours["presence"], ours["since_ns"], at_ns)
        if is_due(book.instruments[row]):
            add(book, row, presence, at_ns, until_ns)
        ours["since_ns"] = until_ns
