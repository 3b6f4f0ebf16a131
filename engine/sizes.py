"""Further sizes of our public quote, each at prices of its own (MiFIR Art 15(4)); BBO.md, 4 and 5.

The first size is the quote's own; `quoting` makes it. An order gets the version with the prices and
quantities of its size in place of the first ones, so that nothing behind this knows of sizes.
"""

from typing import Any

from engine import ticks
from engine.enums import Side
from engine.jit import inlined, njit
from engine.limits import (
    MORE_SIZE_BPS_MAX,
    MORE_SIZE_TICKS_MAX,
    MORE_SIZES,
    PX_E6_MAX,
    QTY_MAX,
)
from engine.money import ceil_div
from engine.zones import BPS

STEPS_MAX = 8
SERVED, MADE = range(2)  # rows of `tables.sized_quote`


@njit
def add(tables, instrument, best, made, regime):
    """Give a version its further sizes, smallest first; the first that may not be quoted ends it.

    `made` has the prices and quantities of the first size, and no others.
    """
    params = tables.params[0]
    band = instrument["tick_band"]
    lot = instrument["lot"]
    limit_e6 = instrument["sms_e6"] * tables.regimes[regime]["threshold_bps"] // BPS
    if instrument["order_max_e6"] > 0:
        limit_e6 = min(limit_e6, instrument["order_max_e6"])
    tick_e6 = ticks.tick_e6(tables.ticks, band, made["ask_px_e6"])
    bid_before = made["bid_qty"]
    ask_before = made["ask_qty"]
    for size in range(MORE_SIZES):
        bps = params["more_size_bps"][size]
        if bps == 0:
            return
        bid, ask = _further_out(tables, band, made, params["more_size_ticks"][size] * tick_e6)
        if bid <= 0 or ask > PX_E6_MAX or is_far(tables, best, bid, ask):
            return
        # Above T an order is for the desk: a size over it would not be firm (MiFIR Art 14(2)).
        largest = min(QTY_MAX, 2 * limit_e6 // (bid + ask)) // lot * lot
        bid_qty = min(_times(made["bid_qty"], bps, lot), largest)
        ask_qty = min(_times(made["ask_qty"], bps, lot), largest)
        if bid_qty <= bid_before or ask_qty <= ask_before:
            return
        made["more_bid_px_e6"][size] = bid
        made["more_bid_qty"][size] = bid_qty
        made["more_ask_px_e6"][size] = ask
        made["more_ask_qty"][size] = ask_qty
        bid_before = bid_qty
        ask_before = ask_qty


@njit
def _further_out(tables, band, made, out_e6):
    """Bid and ask at least so far outside the first ones, on tick, both as far: one midpoint.

    0 and 0 where a few steps do not come to such prices.
    """
    for _ in range(STEPS_MAX):
        bid, ask = ticks.round_out(
            tables.ticks, band, made["bid_px_e6"] - out_e6, made["ask_px_e6"] + out_e6
        )
        bid_out_e6 = made["bid_px_e6"] - bid
        ask_out_e6 = ask - made["ask_px_e6"]
        if bid_out_e6 == ask_out_e6:
            return bid, ask
        out_e6 = max(bid_out_e6, ask_out_e6)
    return 0, 0


@inlined
def _times(qty, bps, lot):
    """Whole lots that cover a multiple of a quantity; what is over QTY_MAX counts as that."""
    shares = ceil_div(min(qty, QTY_MAX) * bps, BPS)
    return ceil_div(shares, lot) * lot


@njit
def is_far(tables, best, bid, ask):
    """Whether a side is further than `close_bps` from that of the MRM (RTS 1 Art 10(1))."""
    close_bps = tables.params[0]["close_bps"]
    mrm_bid = best["mrm_bid_px_e6"]
    mrm_ask = best["mrm_ask_px_e6"]
    if close_bps == 0:
        return False
    if mrm_bid != 0 and abs(bid - mrm_bid) * BPS > close_bps * mrm_bid:
        return True
    return mrm_ask != 0 and abs(ask - mrm_ask) * BPS > close_bps * mrm_ask


@inlined
def are_same(quote, made):
    """Whether two versions have the same further sizes."""
    for size in range(MORE_SIZES):
        if (
            quote["more_bid_px_e6"][size] != made["more_bid_px_e6"][size]
            or quote["more_bid_qty"][size] != made["more_bid_qty"][size]
            or quote["more_ask_px_e6"][size] != made["more_ask_px_e6"][size]
            or quote["more_ask_qty"][size] != made["more_ask_qty"][size]
        ):
            return False
    return True


@inlined
def copy(quote, made):
    """Give a version the further sizes of another."""
    for size in range(MORE_SIZES):
        quote["more_bid_px_e6"][size] = made["more_bid_px_e6"][size]
        quote["more_bid_qty"][size] = made["more_bid_qty"][size]
        quote["more_ask_px_e6"][size] = made["more_ask_px_e6"][size]
        quote["more_ask_qty"][size] = made["more_ask_qty"][size]


@inlined
def served(tables, execution, event, quote):
    """The version as an order gets it: itself, or a scratch row that is it in another size."""
    if quote["more_bid_qty"][0] == 0:
        return quote
    return _in_size(tables, execution, event, quote)


@njit
def _in_size(tables, execution, event, quote):
    """The smallest size of the order's side that covers it, the largest where none does."""
    buys = event["side"] == Side.BUY
    if event["qty"] <= (quote["ask_qty"] if buys else quote["bid_qty"]):
        return quote
    size = 0
    while size + 1 < MORE_SIZES and quote["more_bid_qty"][size + 1] != 0:
        covered = quote["more_ask_qty"][size] if buys else quote["more_bid_qty"][size]
        if event["qty"] <= covered:
            break
        size += 1
    tables.sized_quote[SERVED] = quote
    sized = tables.sized_quote[SERVED]
    sized["bid_px_e6"] = quote["more_bid_px_e6"][size]
    sized["ask_px_e6"] = quote["more_ask_px_e6"][size]
    sized["bid_qty"] = quote["more_bid_qty"][size]
    sized["ask_qty"] = quote["more_ask_qty"][size]
    execution["quote_size"] = size + 1
    return sized


def check(params: Any) -> None:
    """Raise ValueError, naming field and value, for sizes that could not be quoted."""
    bps, worse = params["more_size_bps"].tolist(), params["more_size_ticks"].tolist()
    wanted = [each for each in bps if each != 0]
    if wanted != bps[: len(wanted)] or any(
        not before < each <= MORE_SIZE_BPS_MAX
        for before, each in zip([BPS, *wanted], wanted, strict=False)
    ):
        raise ValueError(f"more_size_bps {bps} do not ascend within {BPS + 1}..{MORE_SIZE_BPS_MAX}")
    worse = worse[: len(wanted)]
    if worse != sorted(worse) or any(not 0 <= each <= MORE_SIZE_TICKS_MAX for each in worse):
        raise ValueError(f"more_size_ticks {worse} do not ascend within 0..{MORE_SIZE_TICKS_MAX}")
