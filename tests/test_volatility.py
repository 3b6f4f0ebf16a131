"""Volatility of the mid in integers, against the definition in decimals."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import tables, volatility
from engine.limits import PX_E6_MAX, Capacity
from tests.firm import NOW_NS, firm, order, venue_quote
from tests.test_oracle import Engine
from tests.world import SECOND

HALF_LIFE_NS = 60 * SECOND
LN_2 = Decimal(2).ln()


def engine(half_life_ns: int = HALF_LIFE_NS) -> Engine:
    return Engine(firm(params={"vol_half_life_ns": half_life_ns, "stale_ns": 2**60}), "none")


def defined_e18(moves: list[tuple[int, Fraction]], half_life_ns: int, now_ns: int) -> Decimal:
    """Variance of a second, x 10^18: squared relative moves, each weighted by its age."""
    with localcontext() as context:
        context.prec = 40
        rate = LN_2 / (Decimal(half_life_ns) / 10**9)
        total = Decimal(0)
        for at_ns, move in moves:
            age = Decimal(now_ns - at_ns) / half_life_ns
            square = Decimal((move * move).numerator) / (move * move).denominator
            total += square * Decimal(2) ** -age
        return total * rate * 10**18


@pytest.mark.parametrize(("seed", "half_life_s"), [(1, 60), (2, 1), (3, 3_600), (4, 7)])
def test_it_is_the_weighted_mean_of_squared_moves(seed: int, half_life_s: int) -> None:
    random = Random(seed)
    venues = engine(half_life_s * SECOND)
    now_ns, bid, moves, before = NOW_NS, 20_000_000, [], None
    for _ in range(400):
        gap_ns = half_life_s * SECOND // random.choice((10**5, 500, 100, 10))
        now_ns += random.randrange(1, gap_ns + 2)
        bid += random.choice((0, 0, -10_000, 10_000, 20_000, -30_000))
        spread = random.choice((10_000, 20_000, 30_000))
        venues.apply("venue_quote", venue_quote(bid, bid + spread), now_ns)
        mid = Fraction(2 * bid + spread)
        if before is not None and mid != before:
            moves.append((now_ns, (mid - before) / before))
        before = mid
    for later_ns in (0, HALF_LIFE_NS // 3, 5 * HALF_LIFE_NS):
        found = int(volatility.vol_e9(venues.tables, 0, now_ns + later_ns))
        wanted = defined_e18(moves, half_life_s * SECOND, now_ns + later_ns)
        # a 256th of a half-life is a factor of 1.0027; the root is rounded down
        assert (Decimal("0.997") * wanted).sqrt() - 2 <= found <= (Decimal("1.003") * wanted).sqrt()
    assert moves
    venues.apply("order", order("a"), now_ns)
    assert (
        venues.tables.policy_input[0]["vol_e9"] == volatility.vol_e9(venues.tables, 0, now_ns) > 0
    )


def test_one_move_is_worth_half_after_a_half_life() -> None:
    venues = engine()
    for second, bid in enumerate((20_000_000, 20_020_000)):
        at_ns = NOW_NS + second * SECOND
        venues.apply("venue_quote", venue_quote(bid, bid + 20_000), at_ns)
    squares = int(venues.tables.volatility[0]["squares_e18"])
    assert squares == (10**9 * 40_000 // 40_020_000) ** 2
    for half_lives in (0, 1, 2, 10):
        later_ns = NOW_NS + SECOND + half_lives * HALF_LIFE_NS
        wanted = isqrt((squares >> half_lives) * 693_147 // 60_000_000)
        assert abs(int(volatility.vol_e9(venues.tables, 0, later_ns)) - wanted) <= 1


def test_a_crossed_or_empty_market_does_not_move_it() -> None:
    venues = engine()
    for bid, ask in ((20_000_000, 20_020_000), (21_000_000, 20_020_000), (0, 20_500_000), (0, 0)):
        venues.apply("venue_quote", venue_quote(bid, ask), NOW_NS)
    assert venues.tables.volatility[0].tolist() == (40_020_000, 0, NOW_NS)


def test_without_a_half_life_only_the_mid_is_kept() -> None:
    venues = engine(0)
    for bid in (20_000_000, 21_000_000):
        venues.apply("venue_quote", venue_quote(bid, bid), NOW_NS)
    assert venues.tables.volatility[0].tolist()[:2] == (42_000_000, 0)
    assert volatility.vol_e9(venues.tables, 0, NOW_NS) == 0


def test_the_wildest_market_does_not_overflow() -> None:
    venues = engine(SECOND)
    for number in range(60):
        px = (1, PX_E6_MAX)[number % 2]
        venues.apply("venue_quote", venue_quote(px, px), NOW_NS + number)
    assert venues.tables.volatility[0]["squares_e18"] == volatility.SQUARES_E18_MAX
    assert 0 < volatility.vol_e9(venues.tables, 0, NOW_NS + 60) < 2 * 10**9


def test_a_clock_set_back_does_no_harm() -> None:
    venues = engine()
    for number, bid in enumerate((20_000_000, 20_010_000, 20_030_000)):
        venues.apply("venue_quote", venue_quote(bid, bid), NOW_NS - number * SECOND)
    assert volatility.vol_e9(venues.tables, 0, NOW_NS - 10 * SECOND) > 0


@given(st.integers(0, 2**62 - 1))
def test_square_root(value: int) -> None:
    assert volatility.square_root(value) == isqrt(value)


@pytest.mark.parametrize("root", [1, 2, 3, 2**16, 2**31 - 1, 1_234_567_890])
def test_square_root_beside_a_square(root: int) -> None:
    found = [int(volatility.square_root(root * root + step)) for step in (-1, 0, 1)]
    assert found == [root - 1, root, root]


@given(st.integers(0, 2 * PX_E6_MAX), st.integers(1, 2 * PX_E6_MAX))
def test_relative(moved: int, base: int) -> None:
    found, exact = int(volatility.relative_e9(moved, base)), Fraction(moved * 10**9, base)
    if moved >= base:
        assert found == 10**9
    elif moved <= 9 * 10**9:
        assert found == exact // 1
    else:
        assert abs(found - exact) <= exact / 10**5 + 1


@given(st.integers(0, 2**62), st.integers(0, 80 * volatility.STEPS))
def test_decay(squares: int, steps: int) -> None:
    found = int(volatility.decayed(squares, steps))
    with localcontext() as context:
        context.prec = 40
        exact = squares * Decimal(2) ** (Decimal(-steps) / volatility.STEPS)
        assert exact * (1 - Decimal(2) ** -29) - 2 <= found <= exact


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("vol_half_life_ns", SECOND - 1, "999999999 is neither 0 nor within"),
        ("vol_half_life_ns", 3_601 * SECOND, "is neither 0 nor within 1000000000..3600000000000"),
        ("markout_weight_e6", 1_000_001, "1000001 is not within 0..1000000"),
        ("markout_ns", [2, 1, 3, 4], "do not ascend"),
    ],
)
def test_parameters_out_of_bounds(field: str, value: Any, said: str) -> None:
    state = tables.allocate(Capacity(2, 2, 2, 2))
    row = state.params.copy()[0]
    row[field] = value
    with pytest.raises(ValueError, match=said):
        tables.set_row(state, tables.PARAMS, 0, row)


def test_a_weight_needs_horizons_and_a_tier_a_number() -> None:
    state = tables.allocate(Capacity(2, 2, 2, 2))
    row = state.params.copy()[0]
    row["markout_weight_e6"] = 1
    with pytest.raises(ValueError, match=r"markout_ns \[0, 0, 0, 0\] are not within 1\.\."):
        tables.set_row(state, tables.PARAMS, 0, row)
    bad = state.clients.copy()[0]
    bad["tier"] = 8
    with pytest.raises(ValueError, match=r"tier 8 is not within 0\.\.7"):
        tables.set_row(state, tables.CLIENT, 0, bad)
