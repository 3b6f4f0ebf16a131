"""Improve less for a client after whose fills the price keeps going its way."""

PARAMS = (
    ("ticks", 0, 10_000, 2, "how many for a client whose mark-out is not positive"),
    ("horizon", 0, 3, 2, "which of the four mark-outs counts, the shortest is 0"),
    ("bound_e9", 0, 10**9, 100_000, "mark-out from which nothing is given"),
    ("fills_min", 0, 10**9, 20, "with fewer fills than this a mark-out does not count yet"),
)


def improve(inputs):  # type: ignore[no-untyped-def]
    """The quoted price, better by `param[0]` ticks, none at the bound, in between pro rata.

    Rounded down, never past the midpoint; `px_e6`.
    """
    tick = inputs["tick_e6"]
    horizon = min(max(inputs["param"][1], 0), 3)
    bound = inputs["param"][2]
    markout = inputs["markout_e9"][horizon]
    wanted_ticks = inputs["param"][0]
    if markout > 0 and inputs["markout_fills"][horizon] >= inputs["param"][3]:
        wanted_ticks = wanted_ticks * (bound - markout) // bound if markout < bound else 0
    room_ticks = (inputs["ask_px_e6"] - inputs["bid_px_e6"]) // (2 * tick)
    ticks = min(wanted_ticks, room_ticks)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if inputs["side"] == 1:
        return inputs["quote_px_e6"] - ticks * tick
    return inputs["quote_px_e6"] + ticks * tick
