"""How much the mid of an instrument moves, in integers, kept up to date with every venue quote.

Each relative move of the mid is squared and added to a sum that decays: after a half-life half of
it is left. Time passes in steps of a 256th of the half-life. With `decay = ln 2 / half-life` the
sum times `decay` estimates the variance of a second, since the weights of all seconds add up to 1.
"""

from math import isqrt

import numpy as np

from engine.jit import inlined, leading_zeros, njit, unsigned

STEPS = 256  # of a half-life
_STEP_BITS = 8
_DECAY_BITS = 31
_GONE_STEPS = 63 * STEPS
SQUARES_E18_MAX = 1 << 62
#: ln 2 a second over a half-life in microseconds, rounded down.
_LN2_E6 = 693_147
MOVE_E9_MAX = 10**9
_EXACT_MAX = 9 * 10**9  # a larger number times 10**9 may not fit


def _decays() -> list[int]:
    """2**(-step / 256) as a 31-bit fraction, rounded down: the 256th root, by square roots."""
    roots = []
    for step in range(STEPS):
        root = 1 << (STEPS * _DECAY_BITS - step)
        for _ in range(_STEP_BITS):
            root = isqrt(root)
        roots.append(root)
    return roots


_DECAYS = np.array(_decays(), np.int64)


@inlined
def follow_mid(tables, instrument_id, mid_x2_e6, ts_ns):
    """Take in the mid of a tradable BBO; `mid_x2_e6 > 0`."""
    row = tables.volatility[instrument_id]
    if row["mid_x2_e6"] != mid_x2_e6:
        _move(row, mid_x2_e6, tables.params[0]["vol_half_life_ns"], ts_ns)


@njit
def _move(row, mid_x2_e6, half_life_ns, ts_ns):
    before = row["mid_x2_e6"]
    row["mid_x2_e6"] = mid_x2_e6
    if before == 0 or half_life_ns == 0:
        row["squares_e18"] = 0
        row["decayed_ns"] = ts_ns
        return
    steps = _steps(row, half_life_ns, ts_ns)
    row["decayed_ns"] += steps * (half_life_ns >> _STEP_BITS)
    moved_e9 = relative_e9(abs(mid_x2_e6 - before), before)
    left_e18 = decayed(row["squares_e18"], steps)
    row["squares_e18"] = min(left_e18 + moved_e9 * moved_e9, SQUARES_E18_MAX)


@inlined
def _steps(row, half_life_ns, ts_ns):
    """Whole steps since the sum decayed last; none where the clock was set back."""
    passed_ns = ts_ns - row["decayed_ns"]
    step_ns = half_life_ns >> _STEP_BITS
    if passed_ns < step_ns:
        return 0
    return passed_ns // step_ns


@njit
def decayed(squares_e18, steps):
    """What is left of a sum after so many steps, rounded down."""
    if steps == 0:
        return squares_e18
    if steps >= _GONE_STEPS:
        return 0
    halved = squares_e18 >> (steps >> _STEP_BITS)
    part = _DECAYS[steps & (STEPS - 1)]
    high = halved >> _DECAY_BITS
    low = halved - (high << _DECAY_BITS)
    return high * part + (low * part >> _DECAY_BITS)


@njit
def relative_e9(moved, base):
    """`moved / base` in billionths, rounded down, at most one; `0 <= moved`, `0 < base < 2**45`.

    Beyond 9e9 the last 15 bits of both are left out.
    """
    if moved >= base:
        return MOVE_E9_MAX
    if moved <= _EXACT_MAX:
        return moved * MOVE_E9_MAX // base
    return (moved >> 15) * MOVE_E9_MAX // (base >> 15)


@njit
def vol_e9(tables, instrument_id, ts_ns):
    """Relative move of the mid per square root of a second, in billionths, rounded down."""
    row = tables.volatility[instrument_id]
    half_life_ns = tables.params[0]["vol_half_life_ns"]
    if row["squares_e18"] == 0 or half_life_ns == 0:
        return 0
    squares_e18 = decayed(row["squares_e18"], _steps(row, half_life_ns, ts_ns))
    half_life_us = half_life_ns // 1000
    whole = squares_e18 // half_life_us
    rest = squares_e18 - whole * half_life_us
    return square_root(whole * _LN2_E6 + rest * _LN2_E6 // half_life_us)


@njit
def square_root(value):
    """The largest integer whose square is not above `value`; `0 <= value < 2**62`."""
    if value < 2:
        return value
    root = 1 << ((65 - leading_zeros(unsigned(value))) >> 1)  # not below the root
    while True:
        better = (root + value // root) >> 1
        if better >= root:
            return root
        root = better
