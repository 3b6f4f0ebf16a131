"""Improve by a share of the spread, rounded down to whole ticks."""

PARAMS = (("share_permille", 0, 500, 250, "of the spread; what it comes to is rounded down"),)


def improve(inputs):  # type: ignore[no-untyped-def]
    """The quoted price, better by `param[0]` thousandths of our spread in whole ticks; `px_e6`."""
    tick = inputs["tick_e6"]
    share_permille = min(inputs["param"][0], 500)
    spread_e6 = inputs["ask_px_e6"] - inputs["bid_px_e6"]
    ticks = spread_e6 * share_permille // (1000 * tick)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if inputs["side"] == 1:
        return inputs["quote_px_e6"] - ticks * tick
    return inputs["quote_px_e6"] + ticks * tick
