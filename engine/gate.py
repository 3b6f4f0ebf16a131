"""The gate that no policy gets round: on tick or exactly the midpoint, at the quote or better.

MiFIR Art 15(2) and 17a, 2017/567 Art 14(3), ESMA Q&A 1661: an improvement stays inside our own
public quote and is worth at least one tick, or is the midpoint.
"""

from engine import ticks
from engine.enums import Clamp, Side
from engine.jit import inlined
from engine.limits import PX_E6_MAX


@inlined
def gate(tables, band, side, quote, wanted_px_e6):
    """The price a fill may have, and what was done to the one asked for: `(px_e6, Clamp)`."""
    bid = quote["bid_px_e6"]
    ask = quote["ask_px_e6"]
    quoted = ask if side == Side.BUY else bid
    if wanted_px_e6 <= 0 or wanted_px_e6 > PX_E6_MAX:
        return quoted, Clamp.NOT_A_PRICE
    if side == Side.BUY:
        if wanted_px_e6 > ask:
            return quoted, Clamp.WORSE_THAN_QUOTE
        if wanted_px_e6 < bid:
            return quoted, Clamp.OUTSIDE_QUOTE
    else:
        if wanted_px_e6 < bid:
            return quoted, Clamp.WORSE_THAN_QUOTE
        if wanted_px_e6 > ask:
            return quoted, Clamp.OUTSIDE_QUOTE
    if wanted_px_e6 == quoted:
        return quoted, Clamp.NONE
    if 2 * wanted_px_e6 == bid + ask:  # MiFIR Art 17a(2)
        return wanted_px_e6, Clamp.NONE
    if side == Side.BUY:  # a quote from before a change of ticks may be off the new one
        allowed = min(ticks.round_up(tables.ticks, band, wanted_px_e6), quoted)
    else:
        allowed = max(ticks.round_down(tables.ticks, band, wanted_px_e6), quoted)
    if allowed != wanted_px_e6:
        return allowed, Clamp.OFF_TICK
    return allowed, Clamp.NONE
