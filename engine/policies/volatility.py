"""Improve less the more the price moves: our quote may be old news by the time it is hit."""

PARAMS = (
    ("ticks", 0, 10_000, 2, "how many while the price is calm"),
    ("calm_e9", 0, 10**9, 50_000, "volatility up to which all of them are given"),
    ("wild_e9", 0, 10**9, 500_000, "volatility from which none is given"),
)


def improve(inputs):  # type: ignore[no-untyped-def]
    """The quoted price, better by `param[0]` ticks if calm, none if wild, in between pro rata.

    Rounded down, never past the midpoint; `px_e6`. Volatility 0 (not measured) is calm.
    """
    tick = inputs["tick_e6"]
    calm = inputs["param"][1]
    wild = inputs["param"][2]
    vol = inputs["vol_e9"]
    wanted_ticks = inputs["param"][0]
    if vol > calm:
        wanted_ticks = wanted_ticks * (wild - vol) // (wild - calm) if vol < wild else 0
    room_ticks = (inputs["ask_px_e6"] - inputs["bid_px_e6"]) // (2 * tick)
    ticks = min(wanted_ticks, room_ticks)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if inputs["side"] == 1:
        return inputs["quote_px_e6"] - ticks * tick
    return inputs["quote_px_e6"] + ticks * tick
