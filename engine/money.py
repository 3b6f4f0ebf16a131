"""Fixed-point arithmetic that says which way it rounds and never wraps."""

from engine.jit import inlined
from engine.limits import EUR_E6_MAX, INT64_MAX

E9 = 10**9


@inlined
def fits_product(a, b):
    """Whether `a * b` fits int64, for a >= 0 and b > 0."""
    if a < 1 << 24 and b < 1 << 39:  # the usual case, without a division
        return True
    return a <= INT64_MAX // b


@inlined
def to_eur_e6(amount_e6, eur_per_unit_e9):
    """Amount in the price's currency to EUR, rounded down; INT64_MAX where it would not fit.

    `amount_e6 >= 0`, `eur_per_unit_e9 <= limits.EUR_PER_UNIT_E9_MAX`.
    """
    whole = amount_e6 // E9
    if not fits_product(whole + 1, eur_per_unit_e9):
        return INT64_MAX
    return whole * eur_per_unit_e9 + (amount_e6 - whole * E9) * eur_per_unit_e9 // E9


@inlined
def to_eur_signed_e6(amount_e6, eur_per_unit_e9):
    """The same for an amount of either sign, rounded to zero, at most EUR_E6_MAX either way."""
    if amount_e6 < 0:
        return -min(to_eur_e6(-amount_e6, eur_per_unit_e9), EUR_E6_MAX)
    return min(to_eur_e6(amount_e6, eur_per_unit_e9), EUR_E6_MAX)


@inlined
def add_capped(a, b):
    """`a + b` for non-negative numbers, INT64_MAX where it would not fit."""
    if a > INT64_MAX - b:
        return INT64_MAX
    return a + b


@inlined
def ceil_div(a, b):
    """`a / b` rounded up, for a >= 0 and b > 0."""
    return (a + b - 1) // b
