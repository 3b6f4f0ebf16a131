"""`si policy new`: a policy to begin with, a comment for everything it may use."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import UserError

TEMPLATE = '''\
"""{name}: say in one line what it does. `si policy list` and reviewers see this line."""

# Its parameters, `inputs["param"]` in this order: name, lowest, highest, usual value, meaning.
# si.toml gives them in `quoting.policy_param` or, for some clients and instruments, in
# `[[policy.rule]]`. At most eight, all integers.
PARAMS = (("ticks", 0, 100, 1, "how many at most"),)


def improve(inputs):
    """The price to ask for, `px_e6`: millionths of the currency unit, an integer.

    The engine's gate has the last word: never worse than our quote, inside it, on tick or exactly
    at the midpoint. All inputs are integers, their unit in the name (engine/policies/README.md):

    side 1 the client buys, 2 or 5 it sells    quote_px_e6 what the client gets without improvement
    qty, notional_e6, zone, tier               bid_px_e6, ask_px_e6, tick_e6, mid_x2_e6 our quote
    position_qty the firm's, position_max_e6   mrm_bid_px_e6, mrm_ask_px_e6 the market behind it
    vol_e9, markout_e9[4], markout_fills[4]    recv_ns when the order came, param[8]

    It is compiled: no imports, no Python objects, no printing. Floats are allowed inside. It must
    depend on nothing but its inputs, or a replay would not give what was given.
    """
    tick = inputs["tick_e6"]
    room_ticks = (inputs["ask_px_e6"] - inputs["bid_px_e6"]) // (2 * tick)
    ticks = min(inputs["param"][0], room_ticks)
    if ticks <= 0:
        return inputs["quote_px_e6"]
    if inputs["side"] == 1:
        return inputs["quote_px_e6"] - ticks * tick
    return inputs["quote_px_e6"] + ticks * tick
'''


def write(name: str, folder: Path) -> Path:
    """Write NAME.py into a folder; answers its path. Raises UserError."""
    if not name.isidentifier():
        raise UserError(f"{name!r} is no name for a policy: letters, digits and _, like my_policy")
    path = folder / f"{name}.py"
    try:
        with path.open("x") as file:
            file.write(TEMPLATE.format(name=name))
    except FileExistsError as error:
        raise UserError(f"{path} is there already: nothing was changed") from error
    return path
