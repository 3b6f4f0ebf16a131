"""The sizes that our quote is shown in, and which of them an order is due (MiFIR Art 15(4))."""

from engine.enums import Side
from engine.jit import njit
from engine.limits import MORE_SIZES


@njit
def show(ours, quote):
    """Remember prices and quantities of a version, all its sizes."""
    ours["bid_px_e6"] = quote["bid_px_e6"]
    ours["ask_px_e6"] = quote["ask_px_e6"]
    ours["bid_qty"] = quote["bid_qty"]
    ours["ask_qty"] = quote["ask_qty"]
    for more in range(MORE_SIZES):
        ours["more_bid_px_e6"][more] = quote["more_bid_px_e6"][more]
        ours["more_ask_px_e6"][more] = quote["more_ask_px_e6"][more]
        ours["more_bid_qty"][more] = quote["more_bid_qty"][more]
        ours["more_ask_qty"][more] = quote["more_ask_qty"][more]


@njit
def take(got, ours):
    """Put the size that an order is due into its receipt, counted from 0.

    The smallest that covers it on its side, the largest where none does.
    """
    got["size"] = 0
    got["bid_px_e6"] = ours["bid_px_e6"]
    got["ask_px_e6"] = ours["ask_px_e6"]
    got["bid_qty"] = ours["bid_qty"]
    got["ask_qty"] = ours["ask_qty"]
    for more in range(MORE_SIZES):
        quoted = got["ask_qty"] if got["side"] == Side.BUY else got["bid_qty"]
        if got["qty"] <= quoted or ours["more_bid_qty"][more] <= 0:
            return
        got["size"] = more + 1
        got["bid_px_e6"] = ours["more_bid_px_e6"][more]
        got["ask_px_e6"] = ours["more_ask_px_e6"][more]
        got["bid_qty"] = ours["more_bid_qty"][more]
        got["ask_qty"] = ours["more_ask_qty"][more]
