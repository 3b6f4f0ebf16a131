"""Compiled pieces that every part of the recount uses: cases, lookups, ticks, sizes.

Ticks, thresholds and the regime are worked out here from the journal's own rows, not by `engine`.
"""

from engine.jit import inlined, njit
from engine.limits import INT64_MAX
from gateway.audit.tables import CASES_MAX

BPS = 10_000
FREE_TICK_E6 = 100  # unit of improvements where no tick is mandatory


@njit
def tell(book, which, rule, weight, a, b, c, d):
    """Count a case of a rule; keep it if it is among the gravest. `here[which]` has the record."""
    if book.run[0]["counting"] == 0:
        return
    book.tally[rule] += 1
    first = rule * CASES_MAX
    place = -1
    if book.kept[rule] < CASES_MAX:
        place = first + book.kept[rule]
        book.kept[rule] += 1
    else:
        for row in range(first, first + CASES_MAX):  # the least grave, of these the youngest
            if place < 0 or book.cases[row]["weight"] <= book.cases[place]["weight"]:
                place = row
        if book.cases[place]["weight"] >= weight:
            return
    book.cases[place] = book.here[which]
    kept = book.cases[place]
    kept["weight"] = weight
    kept["a"] = a
    kept["b"] = b
    kept["c"] = c
    kept["d"] = d


@inlined
def isin_slot(book, isin):
    """Slot of an ISIN: where it is, or the free one where it belongs."""
    mask = book.slots.shape[0] - 1
    mixed = isin[0] ^ (isin[0] >> 21) ^ (isin[1] << 3) ^ (isin[0] >> 43)
    slot = ((mixed & 0x7FFFFFFF) * 0x2C1B3C6D >> 11) & mask
    while book.slots[slot] != 0:
        known = book.instruments[book.slots[slot] - 1]["isin"]
        if known[0] == isin[0] and known[1] == isin[1]:
            return slot
        slot = (slot + 1) & mask
    return slot


@inlined
def find_instrument(book, isin):
    """Row of an ISIN, or -1."""
    return book.slots[isin_slot(book, isin)] - 1


@njit
def enter_isin(book, row):
    """Make the ISIN of an instrument's row findable."""
    book.slots[isin_slot(book, book.instruments[row]["isin"])] = row + 1


@inlined
def find_venue(book, mic):
    """Row of a venue, or -1."""
    for row in range(book.run[0]["venues"]):
        if book.venues[row]["mic"] == mic:
            return row
    return -1


@njit
def tick_of(book, band, px_e6):
    """RTS 11 Annex: the tick of a liquidity band (1..6) at a price."""
    last = book.ticks.shape[0] - 1
    for row in range(last):
        if px_e6 < book.ticks[row]["below_px_e6"]:
            return book.ticks[row]["tick_e6"][band - 1]
    return book.ticks[last]["tick_e6"][band - 1]


@njit
def is_on_tick(book, band, px_e6):
    """Whether a price keeps to the tick; where none is mandatory (band 0) it does."""
    if band == 0:
        return True
    tick = tick_of(book, band, px_e6)
    return tick > 0 and px_e6 % tick == 0


@inlined
def is_due(instrument):
    """Whether the firm must quote it: SI, and a liquid market (MiFIR Art 14(1))."""
    return instrument["si"] != 0 and instrument["liquid"] != 0


@njit
def regime_of(book, ts_ns):
    """Row of the regime in force by the date, whatever the firm's configuration forces; or -1."""
    for row in range(book.run[0]["regimes"]):
        regime = book.regimes[row]
        if regime["jurisdiction"] == book.params[0]["jurisdiction"]:
            if regime["valid_from_ns"] <= ts_ns and ts_ns < regime["valid_to_ns"]:
                return row
    return -1


@inlined
def share_of(amount_e6, bps):
    """A share of an amount, rounded down; both within limits.SMS_E6_MAX and 20 000 bps."""
    return amount_e6 * bps // BPS


@inlined
def times(a, b):
    """`a * b` for numbers of 0 and more, INT64_MAX where it would not fit."""
    if b > 0 and a > INT64_MAX // b:
        return INT64_MAX
    return a * b


@inlined
def in_hours(book, ts_ns):
    """Whether a time is within the hours of the parameters in force."""
    params = book.params[0]
    return params["open_ns"] <= ts_ns and ts_ns < params["close_ns"]
