"""Fill at the midpoint of our quote, which may be half a tick (MiFIR Art 17a(2))."""

PARAMS = ()


def improve(inputs):  # type: ignore[no-untyped-def]
    """The midpoint if it is a whole `px_e6`, else the quoted price."""
    mid_x2 = inputs["mid_x2_e6"]
    if mid_x2 % 2 != 0:
        return inputs["quote_px_e6"]
    return mid_x2 // 2
