"""A policy that asks for anything, so that the gate has something to stop."""


def improve(inputs):
    """`param[1]` where it is set, else the quote moved by `param[0]` ticks for the client."""
    if inputs["param"][1] != 0:
        return inputs["param"][1]
    moved = inputs["param"][0] * inputs["tick_e6"]
    if inputs["side"] == 1:
        return inputs["quote_px_e6"] - moved
    return inputs["quote_px_e6"] + moved
