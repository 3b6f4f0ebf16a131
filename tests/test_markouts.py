"""Mark-outs against their definition: the mid that stood at a fill's time and horizon."""

from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

import pytest

from engine import markouts, tables
from engine.limits import MARKOUTS_AT_ONCE, Capacity
from engine.step import is_due, on_timer
from tests.firm import CLIENT, NOW_NS, firm, order, venue_quote
from tests.test_oracle import Engine
from tests.world import MS, SECOND

HORIZONS_NS = [100 * MS, SECOND, 10 * SECOND, 60 * SECOND]
BUY, SELL, SELL_SHORT = 1, 2, 5
E9 = 10**9


def engine(weight_e6: int = 50_000) -> Engine:
    params = {"markout_ns": HORIZONS_NS, "markout_weight_e6": weight_e6, "stale_ns": 2**60}
    world = firm(params=params)._replace(clients=[CLIENT, CLIENT | {"name": "other"}])
    return Engine(world._replace(orders_max=4_096), "ticks")


class Fill(NamedTuple):
    """What a mark-out is about, in the oracle's words."""

    at_ns: int
    client: int
    px_e6: int
    buys: bool


def mid_at(mids: list[tuple[int, Fraction]], at_ns: int) -> Fraction:
    """The mid that stood just before a time."""
    return [mid for since_ns, mid in mids if since_ns < at_ns][-1]


def weighted_mean(values: list[Fraction], weight: Fraction) -> Fraction:
    """The plain mean at first; each value has at least the weight when it comes."""
    mean = Fraction(0)
    for number, value in enumerate(values, 1):
        mean += (value - mean) * max(weight, Fraction(1, number))
    return mean


@pytest.mark.parametrize(("seed", "weight_e6"), [(1, 50_000), (2, 1), (3, 1_000_000)])
def test_a_mean_per_client_and_horizon(seed: int, weight_e6: int) -> None:
    random = Random(seed)
    venues = engine(weight_e6)
    now_ns, bid = NOW_NS, 20_000_000
    mids: list[tuple[int, Fraction]] = []
    fills: list[Fill] = []
    for number in range(400):
        now_ns += random.choice((0, 1, 50 * MS, 100 * MS, 300 * MS))
        if number == 0 or random.random() < 0.5:
            bid += random.randrange(-3, 4) * 10_000
            venues.apply("venue_quote", venue_quote(bid, bid + 20_000), now_ns)
            mids.append((now_ns, Fraction(bid + 10_000)))
        else:
            client, side = random.randrange(2), random.choice((BUY, SELL, SELL_SHORT))
            event = order(f"o{number}", client=client, side=side, qty=random.randrange(1, 9))
            made = dict(venues.apply("order", event, now_ns))["executions"]
            assert made["last_qty"] > 0
            fills.append(Fill(now_ns, client, int(made["last_px_e6"]), side == BUY))
    now_ns += 61 * SECOND
    for _ in range(len(fills) // MARKOUTS_AT_ONCE + 1):
        venues.apply("timer", {}, now_ns)
    for client in (0, 1):
        found = venues.tables.markouts[client]
        venues.apply("order", order(f"last{client}", client=client), now_ns)
        inputs = venues.tables.policy_input[0]
        assert inputs["markout_e9"].tolist() == found["markout_e9"].tolist()
        assert inputs["markout_fills"].tolist() == found["fills"].tolist()
        for h, horizon_ns in enumerate(HORIZONS_NS):
            values = [
                (mid_at(mids, fill.at_ns + horizon_ns) - fill.px_e6) / fill.px_e6 * sign * E9
                for fill in fills
                for sign in [1 if fill.buys else -1]
                if fill.client == client
            ]
            assert found["fills"][h] == len(values) > 50
            exact = weighted_mean(values, Fraction(weight_e6, 10**6))
            # each of the last 1 / weight roundings counts, and shares have six digits
            assert abs(int(found["markout_e9"][h]) - exact) < 80 + abs(exact) / 1_000


def test_the_mid_when_it_falls_due_counts_not_the_one_that_is_seen_then() -> None:
    venues = engine()
    venues.apply("timer", {}, NOW_NS)  # our quotes begin
    venues.apply("venue_quote", venue_quote(19_990_000, 20_010_000), NOW_NS)
    venues.apply("order", order("a"), NOW_NS)
    venues.apply("venue_quote", venue_quote(20_090_000, 20_110_000), NOW_NS + 50 * MS)
    venues.apply("venue_quote", venue_quote(30_000_000, 30_020_000), NOW_NS + 900 * MS)
    row = venues.tables.markouts[0]
    assert row["markout_e9"].tolist() == [90_000 * E9 // 20_010_000, 0, 0, 0]
    assert row["fills"].tolist() == [1, 0, 0, 0]
    assert not is_due(venues.tables, NOW_NS + SECOND - 1) and is_due(venues.tables, NOW_NS + SECOND)
    venues.apply("timer", {}, NOW_NS + 11 * SECOND)
    assert row["fills"].tolist() == [1, 1, 1, 0]
    assert row["markout_e9"][1] == 10_000_000 * E9 // 20_010_000
    assert not is_due(venues.tables, NOW_NS + 60 * SECOND - 1)


@pytest.mark.parametrize(
    ("side", "mid", "sign"), [(1, 21, 1), (1, 19, -1), (2, 19, 1), (5, 21, -1)]
)
def test_positive_is_what_the_client_wished(side: int, mid: int, sign: int) -> None:
    assert markouts.markout_e9(side, 20 * 10**6, 2 * mid * 10**6) == sign * 50_000_000


def test_nothing_is_measured_without_a_weight() -> None:
    venues = engine(0)
    venues.apply("venue_quote", venue_quote(19_990_000, 20_010_000), NOW_NS)
    venues.apply("order", order("a"), NOW_NS)
    assert venues.tables.counters[0]["marked_fills"] == 0
    on_timer(venues.tables, venues.outbox, NOW_NS)
    assert not is_due(venues.tables, NOW_NS + 2**60)  # not even the quote is stale


def ring(size: int) -> Any:
    state = tables.allocate(Capacity(2, 2, 2, 2, 2, size))
    state.params[0]["markout_ns"], state.params[0]["markout_weight_e6"] = HORIZONS_NS, 1_000
    state.volatility[0]["mid_x2_e6"] = 40 * 10**6
    return state


def test_a_full_ring_lets_the_oldest_go_and_counts_it() -> None:
    state, from_engine = ring(4), engine()
    for number in range(10):
        markouts.note_fill(state, 0, 0, BUY, 20 * 10**6, NOW_NS + number * SECOND // 20)
    counters = state.counters[0]
    assert counters["markouts_dropped"] == 6 * 4
    on_timer(state, from_engine.outbox, NOW_NS + 550 * MS)  # all but the last at 100 ms
    assert state.markouts[0]["fills"].tolist() == [4, 0, 0, 0]
    markouts.note_fill(state, 0, 0, BUY, 20 * 10**6, NOW_NS + SECOND)
    assert counters["markouts_dropped"] == 6 * 4 + 3  # its first horizon was done with
    on_timer(state, from_engine.outbox, NOW_NS + 3_600 * SECOND)
    assert state.markouts[0]["fills"].tolist() == [5, 4, 4, 4]
    assert counters["next_markout_ns"] == 0


def test_one_input_takes_so_many_and_the_next_the_rest() -> None:
    state, from_engine = ring(256), engine()
    for _ in range(MARKOUTS_AT_ONCE + 10):
        markouts.note_fill(state, 0, 0, SELL, 20 * 10**6, NOW_NS)
    late_ns = NOW_NS + 100 * MS
    on_timer(state, from_engine.outbox, late_ns)
    assert state.markouts[0]["fills"].tolist() == [MARKOUTS_AT_ONCE, 0, 0, 0]
    assert is_due(state, late_ns)
    on_timer(state, from_engine.outbox, late_ns)
    assert state.markouts[0]["fills"].tolist() == [MARKOUTS_AT_ONCE + 10, 0, 0, 0]
    assert not is_due(state, late_ns)


def test_what_waits_is_state() -> None:
    one, other = ring(8), ring(8)
    for state, px_e6 in ((one, 20 * 10**6), (other, 21 * 10**6)):
        markouts.note_fill(state, 0, 0, BUY, px_e6, NOW_NS)
    assert tables.state_hash(one) != tables.state_hash(other)
    assert len(dict(tables.used_rows(one))["marked_fills"]) == 1
    for number in range(20):
        markouts.note_fill(one, 0, 0, BUY, 20 * 10**6, NOW_NS + number)
    assert len(dict(tables.used_rows(one))["marked_fills"]) == 8
