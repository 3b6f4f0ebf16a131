"""Tick sizes by price range and liquidity band (RTS 11 Art 2 and Annex)."""

from engine.jit import inlined, njit

#: Granularity where no tick is mandatory (other ETFs, certificates): the finest of the Annex.
FREE_TICK_E6 = 100


@njit
def tick_e6(ticks, band, px_e6):
    """Tick of an instrument of this band at this price; `ticks` is the table of `tick_row`."""
    if band == 0:
        return FREE_TICK_E6
    for row in range(ticks.shape[0]):
        if px_e6 < ticks[row]["below_px_e6"]:
            return ticks[row]["tick_e6"][band - 1]
    return ticks[ticks.shape[0] - 1]["tick_e6"][band - 1]


@njit
def round_down(ticks, band, px_e6):
    """Highest price on tick that is not above `px_e6`. Range bounds are multiples of both ticks."""
    tick = tick_e6(ticks, band, px_e6)
    return px_e6 - px_e6 % tick


@njit
def round_up(ticks, band, px_e6):
    """Lowest price on tick that is not below `px_e6`. Range bounds are multiples of both ticks."""
    tick = tick_e6(ticks, band, px_e6)
    return -(-px_e6 // tick) * tick


@njit
def round_out(ticks, band, bid_px_e6, ask_px_e6):
    """`round_down` of a bid and `round_up` of an ask not below it; one search does for most."""
    if band == 0:
        return bid_px_e6 - bid_px_e6 % FREE_TICK_E6, -(-ask_px_e6 // FREE_TICK_E6) * FREE_TICK_E6
    row = 0
    while row < ticks.shape[0] - 1 and bid_px_e6 >= ticks[row]["below_px_e6"]:
        row += 1
    tick = ticks[row]["tick_e6"][band - 1]
    bid = bid_px_e6 - bid_px_e6 % tick
    if ask_px_e6 >= ticks[row]["below_px_e6"]:
        tick = tick_e6(ticks, band, ask_px_e6)
    return bid, -(-ask_px_e6 // tick) * tick


@inlined
def on_tick(ticks, band, px_e6):
    """Whether an order or quote at this price respects the tick; always so without a band."""
    return band == 0 or px_e6 % tick_e6(ticks, band, px_e6) == 0
