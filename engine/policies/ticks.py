"""Improve by `param[0]` whole ticks where the spread has room for them inside our quote."""

PARAMS = (("ticks", 0, 10_000, 1, "how many at most"),)


def improve(inputs):  # type: ignore[no-untyped-def]
    """The quoted price, better by at most `param[0]` ticks, never past the midpoint; `px_e6`."""
    bid = inputs["bid_px_e6"]
    ask = inputs["ask_px_e6"]
    tick = inputs["tick_e6"]
    room_ticks = (ask - bid) // (2 * tick)
    ticks = min(inputs["param"][0], room_ticks)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if inputs["side"] == 1:
        return ask - ticks * tick
    return bid + ticks * tick
