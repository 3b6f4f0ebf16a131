"""What holds whatever is sent: prices, quotes, balances; and every case of a small space."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import schema
from engine.enums import Clamp, DeskState, ExecKind, OrderState, QuoteState, Reason, Route
from engine.gate import gate
from engine.regimes import TICKS
from tests import rig
from tests.firm import E6, NOW_NS, firm, order, venue_quote
from tests.oracle import tick_at, to_e6, units
from tests.test_oracle import Engine, open_items_of
from tests.world import SECOND, inputs, make_world

BUY, SELL, SELL_SHORT = 1, 2, 5
MARKET, LIMIT = 1, 2
INT64 = st.integers(-(2**63), 2**63 - 1)


def tick_e6(px_e6: int, band: int) -> int:
    return to_e6(tick_at(units(px_e6), band))


def is_allowed(px_e6: int, bid: int, ask: int, band: int) -> bool:
    """On tick, or exactly the midpoint of our quote."""
    return px_e6 % tick_e6(px_e6, band) == 0 or 2 * px_e6 == bid + ask


# The gate

BOUNDS = [below for below, _ in TICKS[:-1]]


@st.composite
def quotes(draw: st.DrawFn) -> tuple[int, int, int]:
    """Bid, ask and liquidity band of a quote on tick, often across two price ranges."""
    band = draw(st.integers(0, 6))
    near = draw(st.sampled_from(BOUNDS) | st.integers(1_000_000, 10**12))
    bid = max(near - draw(st.integers(0, near // 20)), 1_000_000)
    bid -= bid % tick_e6(bid, band)
    ask = bid + draw(st.integers(0, near // 10))
    ask += -ask % tick_e6(ask, band)
    return bid, ask, band


NEAR = st.integers(-10, 10)


@cache
def tick_tables() -> Any:
    return Engine(firm(), "none").tables


@st.composite
def wanted_prices(draw: st.DrawFn) -> tuple[int, tuple[int, int, int]]:
    """A quote and what a policy may ask for: an edge, something near it, or anything at all."""
    bid, ask, band = draw(quotes())
    inside = st.integers(bid, ask)
    edges = st.sampled_from([bid, ask, (bid + ask) // 2, 0, 10**13])
    near = st.builds(lambda px, by: px + by, edges, NEAR)
    tick = tick_e6(ask, band)
    return draw(inside | near | st.integers(bid - tick, ask + tick) | INT64), (bid, ask, band)


@given(wanted_prices(), st.sampled_from([BUY, SELL, SELL_SHORT]))
@example((10_005_000, (10_000_000, 10_010_000, 1)), BUY)
def test_no_price_gets_round_the_gate(case: tuple[int, tuple[int, int, int]], side: int) -> None:
    wanted, (bid, ask, band) = case
    quote = rig.row(schema.quote, bid_px_e6=bid, ask_px_e6=ask)
    px, clamp = map(int, gate(tick_tables(), band, side, quote, wanted))
    quoted = ask if side == BUY else bid
    assert bid <= px <= ask
    assert is_allowed(px, bid, ask, band)
    assert (clamp == Clamp.NONE) == (px == wanted)
    if clamp == Clamp.OFF_TICK:
        towards_quote = px - wanted if side == BUY else wanted - px
        assert 0 < towards_quote < tick_e6(max(px, wanted), band)
    elif clamp != Clamp.NONE:
        assert px == quoted
        assert not bid <= wanted <= ask


# Orders, whatever the policy asks for


@st.composite
def markets(draw: st.DrawFn) -> tuple[int, int]:
    """A bid and an ask around 20, on tick or not, sometimes locked or crossed."""
    bid = draw(st.integers(19_500_000, 20_400_000))
    return bid, bid + draw(st.sampled_from([0, 1, 4_999, 5_000, 10_000, 25_000, 300_000, -5_000]))


ORDERS = st.fixed_dictionaries(
    {
        "side": st.sampled_from([BUY, SELL, SELL_SHORT]),
        "tif": st.sampled_from([0, 3, 4]),
        "qty": st.integers(1, 1_200),
        "ord_type": st.sampled_from([MARKET, LIMIT]),
        "limit_px_e6": st.integers(3_900, 4_100).map(lambda ticks: 5_000 * ticks),
    }
)
ASKED = st.integers(19_400_000, 20_800_000) | st.integers(3_900, 4_100).map(lambda n: n * 5_000)
STEPS = st.lists(st.tuples(markets(), ORDERS, ASKED | INT64), min_size=1, max_size=12)


def check_quote(quote: Any, band: int, qmin_e6: int, lot: int) -> None:
    """Our quote: never crossed, on tick, at least Qmin in whole lots and no lot more."""
    bid, ask = int(quote["bid_px_e6"]), int(quote["ask_px_e6"])
    sizes = [int(quote["bid_qty"]), int(quote["ask_qty"])]
    if quote["state"] != QuoteState.LIVE:
        assert [bid, ask, *sizes] == [0, 0, 0, 0]
        return
    assert 0 < bid <= ask
    for px, size in zip((bid, ask), sizes, strict=True):
        assert px % tick_e6(px, band) == 0
        assert size >= lot and size % lot == 0
        assert size * px >= qmin_e6
        assert size == lot or (size - lot) * px < qmin_e6


def check_fill(execution: Any, band: int) -> None:
    """An automated fill: on tick or the midpoint, inside our quote, within the client's limit."""
    px, side = int(execution["last_px_e6"]), execution["side"]
    bid, ask = int(execution["quote_bid_px_e6"]), int(execution["quote_ask_px_e6"])
    assert 0 < bid <= px <= ask
    assert is_allowed(px, bid, ask, band)
    gain = ask - px if side == BUY else px - bid
    assert execution["improvement_e6"] == gain >= 0
    if execution["ord_type"] == LIMIT:
        limit = execution["limit_px_e6"]
        assert px <= limit if side == BUY else px >= limit
    assert execution["last_qty"] == execution["qty"] == execution["filled_qty"]


@given(STEPS, st.sampled_from([0, 1, 4, 5]), st.sampled_from([1, 7]))
def test_fills_and_quotes_whatever_the_policy_asks(steps: list[Any], band: int, lot: int) -> None:
    world = firm(instrument={"tick_band": band, "lot": lot})
    engine = Engine(world, "wild")
    fills = []
    for n, ((bid, ask), terms, asked) in enumerate(steps):
        ts_ns = NOW_NS + n
        engine.set_params(world.params | {"policy_param": [0, asked] + [0] * 6})
        engine.apply("venue_quote", venue_quote(bid, ask), ts_ns)
        check_quote(engine.tables.quotes[0], band, 10_000 * E6, lot)
        for kind, row in engine.apply("order", order(f"A{n}", **terms), ts_ns):
            if kind == "executions" and row["kind"] == ExecKind.FILL:
                check_fill(row, band)
                assert row["policy_px_e6"] == asked or asked == 0
                fills.append(row.copy())
    check_balances(engine, fills)


# Balances


def check_balances(engine: Engine, fills: list[Any]) -> None:
    """What clients got and paid is what the firm gave and received."""
    instruments = int(engine.tables.counters[0]["instruments"])
    shares, cash = np.zeros(instruments, np.int64), np.zeros(instruments, np.int64)
    gains, counts = np.zeros(instruments, np.int64), np.zeros(instruments, np.int64)
    for fill in fills:
        qty = int(fill["last_qty"]) * (1 if fill["side"] == BUY else -1)
        shares[fill["instrument"]] += qty
        cash[fill["instrument"]] -= qty * int(fill["last_px_e6"])
        gains[fill["instrument"]] += abs(qty) * int(fill["improvement_e6"])
        counts[fill["instrument"]] += 1
        assert fill["position_after"] == fill["position_before"] - qty
    positions = engine.tables.positions[:instruments]
    assert (positions["qty"] == -shares).all()
    assert (positions["cash_e6"] == -cash).all()
    assert (positions["improvement_e6"] == gains).all()
    assert (positions["fills"] == counts).all()
    assert engine.tables.client_use["fills"].sum() == len(fills)


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_day_of_the_whole_firm_adds_up(seed: int) -> None:
    """With the desk, kill switches and limits: balances, orders, items agree with the reports."""
    world = make_world(seed, 2_000)
    engine = Engine(world, "wild")
    fills: list[Any] = []
    for name, fields, ts_ns in inputs(world, seed, 2_000, lambda: open_items_of(engine)):
        if name == "params":
            engine.set_params(fields)
            continue
        for kind, row in engine.apply(name, fields, ts_ns):
            if kind == "executions" and row["kind"] == ExecKind.FILL:
                fills.append(row.copy())
                if row["desk_item"] == 0:
                    check_fill(row, world.instruments[row["instrument"]]["tick_band"])
    assert len(fills) > 80
    check_balances(engine, fills)
    check_orders(engine, fills)


def check_orders(engine: Engine, fills: list[Any]) -> None:
    """Each order is filled by its own fills; an open one has an open item, and the reverse."""
    counters = engine.tables.counters[0]
    orders = engine.tables.orders[: counters["orders"]]
    filled = np.zeros(len(orders), np.int64)
    for fill in fills:
        filled[fill["order_id"] - 1] += fill["last_qty"]
    assert (orders["filled_qty"] == filled).all()
    assert (orders["filled_qty"] <= np.maximum(orders["qty"], 0)).all()
    whole = (orders["qty"] > 0) & (orders["filled_qty"] == orders["qty"])
    assert (whole == (orders["state"] == OrderState.FILLED)).all()
    items = engine.tables.desk_items[: counters["desk_items"]]
    live = np.isin(orders["state"], [OrderState.NEW, OrderState.PARTIALLY_FILLED])
    waits = np.isin(items["state"], [DeskState.QUEUED, DeskState.CLAIMED, DeskState.QUOTED])
    assert set(orders["order_id"][live]) == set(items["order_id"][waits])
    assert counters["desk_open"] == waits.sum()


# Every case of a small space

BID, ASK, TICK = 19_990_000, 20_010_000, 10_000
ILLIQUID = {"liquid": 0, "sms_e6": 0, "lis_e6": 50_000 * E6}
ROUTES = {Route.AUTO: "answered", Route.DESK: "to the desk", Route.REJECT: "refused"}

#: Where an order lies: instrument, shares at 20, the two settings, and what becomes of it.
PLACES: list[tuple[str, dict[str, Any], int, dict[str, int], str]] = [
    ("at Qmin", {}, 500, {}, "answered"),
    ("at T", {}, 1_000, {}, "answered"),
    *(
        (f"{where} T, {word}", {}, qty, {"discretionary_route": route}, word)
        for where, qty in (("above", 1_001), ("far above", 4_999))
        for route, word in ROUTES.items()
    ),
    *(
        (f"at LIS, {word} below", {}, 5_000, {"discretionary_route": route}, "to the desk")
        for route, word in ROUTES.items()
    ),
    *(
        (f"illiquid, {word}", ILLIQUID, 2_499, {"on_request_route": route}, word)
        for route, word in ROUTES.items()
    ),
    *(
        (
            f"illiquid at LIS, {word} below",
            ILLIQUID,
            2_500,
            {"on_request_route": route},
            "to the desk",
        )
        for route, word in ROUTES.items()
    ),
]

#: What becomes of an order by its place and whether our quote is within its limit.
OUTCOMES = {
    ("answered", True): [("execution", ExecKind.FILL, OrderState.FILLED, Reason.NONE)],
    ("answered", False): [
        ("execution", ExecKind.CANCELLED, OrderState.CANCELLED, Reason.NOT_MARKETABLE)
    ],
    ("to the desk", True): [
        ("execution", ExecKind.NEW, OrderState.NEW, Reason.NONE),
        ("desk item", DeskState.QUEUED),
    ],
    ("refused", True): [
        ("execution", ExecKind.REJECTED, OrderState.REJECTED, Reason.ZONE_REJECTED)
    ],
}
OUTCOMES |= {(place, False): OUTCOMES[place, True] for place in ("to the desk", "refused")}


def limits(side: int) -> list[tuple[int, int, bool]]:
    """Order types and limit prices, and whether our quote is within them."""
    near, better = (ASK, -TICK) if side == BUY else (BID, TICK)
    return [
        (MARKET, 0, True),
        (LIMIT, near - 10 * better, True),
        (LIMIT, near, True),
        (LIMIT, near + better, False),
    ]


def outcome(outputs: list[tuple[str, Any]]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for kind, row in outputs:
        if kind == "executions":
            found.append(("execution", row["kind"], row["order_state"], row["reason"]))
        else:
            found.append((kind.removesuffix("s").replace("_", " "), row["state"]))
    return found


@pytest.mark.parametrize("place", PLACES, ids=[place[0] for place in PLACES])
def test_every_order_in_every_place(place: Any) -> None:
    _, instrument, qty, settings, where = place
    for side, tif in product((BUY, SELL, SELL_SHORT), (0, 3, 4)):
        for ord_type, limit_px_e6, marketable in limits(side):
            engine = Engine(firm(settings, instrument), "none")
            engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
            terms = {"side": side, "tif": tif, "qty": qty, "ord_type": ord_type}
            sent = order("A", limit_px_e6=limit_px_e6, **terms)
            outputs = engine.apply("order", sent, NOW_NS + SECOND)
            assert outcome(outputs) == OUTCOMES[where, marketable], (terms, limit_px_e6)
