"""Improve where the trade makes our position smaller, the more the larger the position is."""

PARAMS = (
    ("ticks", 0, 10_000, 2, "how many at a full position"),
    ("full_e6", 0, 10**18, 10**12, "value of a full position, if the instrument has no limit"),
)


def improve(inputs):  # type: ignore[no-untyped-def]
    """The quoted price, better by `param[0]` ticks x position / full position, rounded down.

    Never past the midpoint; `px_e6`. Only a buyer makes a long position smaller, and so on.
    """
    tick = inputs["tick_e6"]
    buys = inputs["side"] == 1
    position = inputs["position_qty"]
    full_e6 = inputs["position_max_e6"] if inputs["position_max_e6"] > 0 else inputs["param"][1]
    shrinks = position > 0 if buys else position < 0
    if not shrinks or full_e6 <= 0:
        return inputs["quote_px_e6"]
    value_e6 = float(abs(position)) * float(inputs["mid_x2_e6"]) * 0.5
    wanted_ticks = int(inputs["param"][0] * min(1.0, value_e6 / float(full_e6)))
    room_ticks = (inputs["ask_px_e6"] - inputs["bid_px_e6"]) // (2 * tick)
    ticks = min(wanted_ticks, room_ticks)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if buys:
        return inputs["quote_px_e6"] - ticks * tick
    return inputs["quote_px_e6"] + ticks * tick
