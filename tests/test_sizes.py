"""A public quote in several sizes: what is quoted, and at which of its prices an order is filled.

The first size at a market of 29.99 to 30.01 is 501 shares bid and 500 asked, T is 30,000.
"""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import sizes, tables, ticks
from engine.enums import AboveQuote, ExecKind, OrdType, QuoteState, Reason, Tif
from engine.limits import QTY_MAX
from tests.firm import E6, NOW_NS, PARAMS, firm, order, venue_quote
from tests.order_rig import Orders
from tests.test_market import more_of
from tests.test_oracle import Engine
from tests.test_properties import tick_tables
from tests.test_rfq import REQUEST, RfqEngine, quote_event
from tests.world import SECOND

Row = dict[str, Any]
BUY, SELL = 1, 2
TICK, BID, MID, ASK = 10_000, 29_990_000, 30_000_000, 30_010_000
TABLE = tick_tables().ticks
SMS_E6, T_E6 = 15_000 * E6, 30_000 * E6
#: Half as much again a tick further out; twice as much, which T cuts, three ticks further out.
WANTED = {"more_size_bps": [15_000, 20_000], "more_size_ticks": [1, 3]}
#: By side, the quantity up to which a price is good.
LADDER = {
    BUY: [(500, ASK), (750, ASK + TICK), (1_000, ASK + 3 * TICK)],
    SELL: [(501, BID), (752, BID - TICK), (1_000, BID - 3 * TICK)],
}


def quoted(
    params: Row | None = None, instrument: Row | None = None, sides: tuple[int, int] = (BID, ASK),
    policy: str = "none",
) -> Engine:  # fmt: skip
    """An engine with a quote in several sizes, unless something is in the way."""
    terms = {"sms_e6": SMS_E6} | (instrument or {})
    world = firm(WANTED | (params or {}), terms)._replace(orders_max=1 << 12)
    engine = Engine(world, policy)
    engine.apply("venue_quote", venue_quote(*sides), NOW_NS)
    return engine


def shown(engine: Engine) -> list[tuple[int, int, int, int]]:
    """Bid, ask and their quantities of every size of the newest version."""
    row = engine.tables.quotes[0]
    names = ("bid_px_e6", "ask_px_e6", "bid_qty", "ask_qty")
    more = [(int(s.bid * E6), int(s.ask * E6), s.bid_qty, s.ask_qty) for s in more_of(row)]
    return [tuple(int(row[name]) for name in names), *more]  # type: ignore[list-item]


def send(engine: Engine, name: str, later_ns: int = 1, **fields: Any) -> Any:
    """The first execution of an order."""
    return engine.apply("order", order(name, **fields), NOW_NS + later_ns)[0][1]


# What is quoted


def test_a_quote_has_up_to_three_sizes() -> None:
    assert shown(quoted()) == [
        (BID, ASK, 501, 500),
        (BID - TICK, ASK + TICK, 752, 750),  # 751.5, up to whole lots
        (BID - 3 * TICK, ASK + 3 * TICK, 1_000, 1_000),  # 1,002, but T is 30,000 at 30.00
    ]


@pytest.mark.parametrize(
    ("params", "instrument", "sides", "more"),
    [
        ({"more_size_bps": [0, 0]}, {}, (BID, ASK), []),
        ({"more_size_bps": [15_000, 0]}, {}, (BID, ASK), [(752, 750)]),
        # whole lots: 500 x 1.001 is 500.5
        ({"more_size_bps": [10_010, 0]}, {}, (BID, ASK), [(502, 501)]),
        ({}, {"lot": 100}, (BID, ASK), [(900, 800), (1_000, 1_000)]),
        ({}, {"lot": 400}, (BID, ASK), []),  # 800 already, and the next lot is over T
        ({"more_size_bps": [10_001, 10_500]}, {"lot": 100}, (BID, ASK), [(700, 600)]),
        # no Qmin, no sizes
        ({}, {"liquid": 0, "sms_e6": 0}, (BID, ASK), []),
        # from 29.99 a tick is 3.3344 bps, three are 10.0033; from 30.01 3.3322 and 9.9967
        ({"close_bps": 3}, {}, (BID, ASK), []),
        ({"close_bps": 4}, {}, (BID, ASK), [(752, 750)]),
        ({"close_bps": 10}, {}, (BID, ASK), [(752, 750)]),
        ({"close_bps": 11}, {}, (BID, ASK), [(752, 750), (1_000, 1_000)]),
    ],
)  # fmt: skip
def test_which_sizes_there_are(
    params: Row, instrument: Row, sides: tuple[int, int], more: list[tuple[int, int]]
) -> None:
    found = shown(quoted(params, instrument, sides))
    assert [size[2:] for size in found[1:]] == more


def test_a_bid_that_would_be_nothing_ends_the_sizes() -> None:
    """Ticks of 0.0001: the second size would bid 0, and a third nothing."""
    terms = {"sms_e6": 10 * E6, "tick_band": 6}
    found = shown(quoted({}, terms, (200, 300)))
    assert found == [(200, 300, 50_000, 33_334), (100, 400, 75_000, 50_001)]
    assert len(shown(quoted({}, terms, (100, 300)))) == 1


@pytest.mark.parametrize("band", range(7))
@pytest.mark.parametrize("worse", [0, 1, 2, 3, 7, 9])
def test_every_size_is_on_tick_and_has_the_first_midpoint(band: int, worse: int) -> None:
    """Around every price at which a tick changes, where the two sides have different ones."""
    rows = [tick for tick in TABLE["below_px_e6"].tolist() if tick < 10**10]
    for edge in rows:
        terms = {"tick_band": band, "sms_e6": 10**14, "lis_e6": 10**15}
        params = {"more_size_ticks": [worse, worse], "close_bps": 0}
        for gap in (0, 1, 3):
            tick = ticks.tick_e6(TABLE, band, edge)
            found = shown(quoted(params, terms, (edge - gap * tick, edge + tick)))
            (bid, ask, *_), more = found[0], found[1:]
            least = worse * ticks.tick_e6(TABLE, band, ask)
            for bid_out, ask_out, *_ in more:
                assert bid_out + ask_out == bid + ask and ask_out - ask >= least
                assert ask_out - ask < least + 10 * tick
                for px in (bid_out, ask_out):
                    assert band == 0 or ticks.on_tick(TABLE, band, px)
            assert more or worse * tick >= bid


def test_a_size_is_no_larger_than_the_largest_order() -> None:
    found = shown(quoted({}, {"order_max_e6": 27_000 * E6}))
    assert [size[2:] for size in found] == [(501, 500), (752, 750), (900, 900)]


def test_no_quantity_is_over_the_largest_order() -> None:
    """At 0.0001 an SMS of 5 million is half of all the shares that an order may have."""
    terms = {"sms_e6": 5 * 10**6 * E6, "tick_band": 0, "lis_e6": 10**18}
    found = shown(quoted({"more_size_ticks": [0, 0]}, terms, (100, 100)))
    assert [size[2] for size in found] == [5 * 10**10, 75 * 10**9, 10**11]
    terms["sms_e6"] = 2 * 10**8 * E6
    found = shown(quoted({"more_size_ticks": [0, 0]}, terms, (100, 100)))
    assert [size[2] for size in found] == [2 * 10**12]
    assert QTY_MAX == 10**11


def test_no_price_is_over_the_largest() -> None:
    most = 10**13
    terms = {"sms_e6": 10**14, "lis_e6": 10**15, "tick_band": 1}
    assert [size[:2] for size in shown(quoted({}, terms, (most - 10**9, most - 10**9)))] == [
        (most - 10**9, most - 10**9),
        (most - 15 * 10**8, most - 5 * 10**8),  # ticks of 500; three of them would be too many
    ]


def test_a_withdrawn_version_has_none() -> None:
    engine = quoted()
    engine.apply("venue_quote", venue_quote(0, 0), NOW_NS + 1)
    assert engine.tables.quotes[0]["state"] == QuoteState.WITHDRAWN
    assert shown(engine) == [(0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("changed", "versions"),
    [
        ({}, 0),
        ({"collar_bps": 499}, 0),
        ({"more_size_ticks": [1, 4]}, 1),
        ({"more_size_bps": [15_001, 20_000]}, 1),  # 751.55 and 750.05, so that the ask is 751
        ({"more_size_bps": [15_000, 30_000]}, 0),  # T cuts both alike
        ({"more_size_bps": [0, 0]}, 1),
    ],
)
def test_other_parameters_make_another_version(changed: Row, versions: int) -> None:
    """The first size is the same, whatever becomes of the further ones."""
    engine = quoted()
    before = int(engine.tables.quotes[0]["version"])
    engine.set_params(PARAMS | WANTED | changed)
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + 1)
    assert engine.tables.quotes[0]["version"] == before + versions


def test_other_reference_data_make_another_version() -> None:
    """Rules of another T, which leave the first size as it is."""
    engine = quoted()
    regime = {"name": "other", "jurisdiction": "EU", "valid_from_ns": 0, "valid_to_ns": 2**62}
    engine._set(tables.REGIME, 0, regime | {"qmin_bps": 10_000, "threshold_bps": 16_000})
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + 1)
    assert [size[2:] for size in shown(engine)] == [(501, 500), (752, 750), (800, 800)]
    assert engine.tables.quotes[0]["version"] == 2


@pytest.mark.parametrize(
    ("bps", "worse", "name"),
    [
        ([10_000, 0], [0, 0], "more_size_bps"),
        ([0, 20_000], [0, 0], "more_size_bps"),
        ([20_000, 20_000], [0, 0], "more_size_bps"),
        ([20_000, 10_000_001], [0, 0], "more_size_bps"),
        ([-1, 0], [0, 0], "more_size_bps"),
        ([20_000, 30_000], [2, 1], "more_size_ticks"),
        ([20_000, 0], [-1, 0], "more_size_ticks"),
        ([20_000, 30_000], [1, 101], "more_size_ticks"),
    ],
)
def test_sizes_that_could_not_be_quoted_are_refused(bps: list[int], worse: list[int], name: str):
    engine = quoted()
    with pytest.raises(ValueError, match=rf"{name} \[.*\] do not ascend within"):
        engine.set_params(PARAMS | {"more_size_bps": bps, "more_size_ticks": worse})
    assert len(shown(engine)) == 3


# At which price


def due(side: int, qty: int) -> tuple[int, int, int]:
    """Number, price and quantity of the size that an order gets, by the written rule."""
    ladder = LADDER[side]
    size = next((n for n, (most, _) in enumerate(ladder) if qty <= most), len(ladder) - 1)
    return size, ladder[size][1], ladder[size][0]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_every_quantity_gets_the_price_of_its_size(side: int) -> None:
    """Up to T whole; above it a person decides, who sees the largest size."""
    engine = quoted({"repeat_max": 0})
    for qty in range(1, 1_003):
        filled = send(engine, f"A{qty}", side=side, qty=qty)
        size, px, most = due(side, qty)
        assert filled["kind"] == (ExecKind.FILL if qty <= 1_000 else ExecKind.NEW), qty
        assert (filled["quote_size"], filled["quote_ask_qty" if side == BUY else "quote_bid_qty"]) \
            == (size, most)  # fmt: skip
        if qty <= 1_000:
            assert (filled["last_px_e6"], filled["last_qty"]) == (px, qty)
            assert filled["improvement_e6"] == 0 and filled["quote_id"] == 1
        assert filled["notional_e6"] == qty * MID  # the midpoint is that of every size
    assert engine.tables.counters[0]["quotes"] == 1


@settings(max_examples=150, deadline=None)
@given(
    st.sets(st.integers(10_001, 40_000), max_size=2),
    st.lists(st.integers(0, 9), min_size=2, max_size=2),
    st.integers(1, 60), st.integers(19_900, 20_400), st.integers(0, 40),
    st.sampled_from([BUY, SELL]), st.integers(1, 1_800),
)  # fmt: skip
def test_an_order_is_filled_at_one_of_the_quoted_prices(
    bps: set[int], worse: list[int], lot: int, bid: int, spread: int, side: int, lots: int
) -> None:
    """MiFIR Art 15(4), read from the quote as it was journalled, whatever it came to."""
    params = {
        "more_size_bps": [*sorted(bps), 0, 0][:2],
        "more_size_ticks": sorted(worse),
        "collar_bps": 10_000,
    }
    engine = quoted(params, {"lot": lot, "tick_band": 4}, (1_000 * bid, 1_000 * (bid + spread)))
    ladder = [(s[3], s[1]) if side == BUY else (s[2], s[0]) for s in shown(engine)]
    for before, after in pairwise(shown(engine)):
        assert after[0] <= before[0] and after[1] >= before[1]
        assert after[2] > before[2] and after[3] > before[3]
        assert after[2] % lot == after[3] % lot == 0
        assert max(after[2:]) * (after[0] + after[1]) <= 2 * T_E6
    filled = send(engine, "A", side=side, qty=lots * lot)
    size = next((n for n, (most, _) in enumerate(ladder) if lots * lot <= most), len(ladder) - 1)
    assert filled["quote_size"] == size
    if filled["kind"] == ExecKind.FILL:
        assert filled["last_px_e6"] == ladder[size][1]
    else:
        bid_e6, ask_e6 = shown(engine)[size][:2]
        assert lots * lot * (bid_e6 + ask_e6) > 2 * T_E6  # above T


def test_a_version_is_firm_whatever_changes_later() -> None:
    """Sizes are given up while the order's bytes lie in the buffer."""
    engine = quoted()
    engine.set_params(PARAMS)
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + 10)
    assert len(shown(engine)) == 1
    waited = send(engine, "A", 20, qty=600, recv_ns=NOW_NS + 5)
    assert (waited["last_px_e6"], waited["quote_size"]) == (ASK + TICK, 1)
    now = send(engine, "B", 20, qty=600)
    assert (now["last_px_e6"], now["quote_size"], now["quote_ask_qty"]) == (ASK, 0, 500)


def test_a_crossed_market_gives_the_price_of_the_size() -> None:
    engine = quoted(policy="midpoint")
    engine.apply("venue_quote", venue_quote(ASK + TICK, ASK + 2 * TICK, "CEUX"), NOW_NS)
    for qty in (500, 750, 1_000):
        filled = send(engine, f"A{qty}", qty=qty)
        assert (filled["last_px_e6"], filled["policy_hash"]) == (due(BUY, qty)[1], 0)


@pytest.mark.parametrize(
    ("policy", "gain"), [("none", 0), ("ticks", TICK), ("midpoint", None)]
)  # fmt: skip
def test_improvement_is_against_the_price_of_the_size(policy: str, gain: int | None) -> None:
    engine = quoted({"policy_param": [1] + [0] * 7}, policy=policy)
    for side, qty in ((BUY, 1), (BUY, 750), (SELL, 752), (SELL, 1_000)):
        px = due(side, qty)[1]
        filled = send(engine, f"A{side}{qty}", side=side, qty=qty)
        better = abs(px - MID) if gain is None else gain
        assert filled["improvement_e6"] == better
        assert filled["last_px_e6"] == (px - better if side == BUY else px + better)


def test_a_limit_is_held_against_the_price_of_the_size() -> None:
    engine = quoted()
    for n, (qty, limit, kind) in enumerate([
        (500, ASK, ExecKind.FILL), (501, ASK, ExecKind.CANCELLED),
        (750, ASK + TICK, ExecKind.FILL), (751, ASK + TICK, ExecKind.CANCELLED),
    ]):  # fmt: skip
        terms = {"ord_type": OrdType.LIMIT, "limit_px_e6": limit}
        assert send(engine, f"A{n}", qty=qty, **terms)["kind"] == kind


def test_a_peg_is_at_the_midpoint_of_every_size() -> None:
    engine = quoted()
    for qty in (1, 600, 1_000):
        filled = send(engine, f"A{qty}", qty=qty, ord_type=OrdType.PEGGED, peg=1)
        assert filled["last_px_e6"] == MID


@pytest.mark.parametrize("choice", AboveQuote)
def test_over_the_largest_size_the_firms_own_rule_holds(choice: AboveQuote) -> None:
    """One further size of 750 and 752; between it and T what the firm has chosen."""
    params = {"above_quote": int(choice), "more_size_bps": [15_000, 0]}
    engine = quoted(params)
    assert send(engine, "A", qty=750)["last_qty"] == 750
    answer = send(engine, "B", qty=751)
    assert {
        AboveQuote.QUOTED_PRICE: (ExecKind.FILL, Reason.NONE, 751, ASK + TICK),
        AboveQuote.PARTIAL: (ExecKind.FILL, Reason.NONE, 750, ASK + TICK),
        AboveQuote.DESK: (ExecKind.NEW, Reason.NONE, 0, 0),
        AboveQuote.REJECT: (ExecKind.REJECTED, Reason.ABOVE_QUOTE, 0, 0),
    }[choice] == tuple(answer[name] for name in ("kind", "reason", "last_qty", "last_px_e6"))
    if choice == AboveQuote.PARTIAL:
        whole = send(engine, "C", qty=751, tif=Tif.FOK)
        assert (whole["kind"], whole["reason_limit"]) == (ExecKind.CANCELLED, 750)


def test_orders_in_several_sizes_are_replayed() -> None:
    orders = Orders(world=firm(WANTED, {"sms_e6": SMS_E6}))
    orders.market(BID, ASK)
    for n, (qty, px) in enumerate([("500", "30.01"), ("501", "30.02"), ("1000", "30.04")]):
        [report] = orders.order(f"A{n}", t40="1", t44=None, t38=qty)
        assert (report[150], report[31], report[32]) == ("F", px, qty)
    orders.market(BID - TICK, ASK)
    orders.check_replay()


def test_a_quote_on_request_is_of_the_first_size() -> None:
    """Whatever it asks for, as README says; so is the order that takes it."""
    world = firm(WANTED | {"rfq_valid_ns": SECOND}, {"sms_e6": SMS_E6})
    made = RfqEngine(world, "none", 10)
    made.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    ask = {"session": 0, "client": 0, "req": "r", "side": 0, "qty": 990}
    [given] = made.quote(quote_event(ask, REQUEST), NOW_NS)
    assert (given["bid"], given["offer"], given["bid_qty"]) == (BID, ASK, 990)
    assert made.outbox.quote_reports[0]["quote_size"] == 0
    taken = order("A", ord_type=OrdType.PREVIOUSLY_QUOTED, quote_ref=given["ref"], qty=990)
    [filled] = [row for kind, row in made.apply("order", taken, NOW_NS) if kind == "executions"]
    assert (filled["last_px_e6"], filled["quote_size"], filled["quote_ask_qty"]) == (ASK, 0, 500)


def test_the_row_of_a_size_is_no_state() -> None:
    """An order in another size leaves the quote, its versions and the state as they are."""
    engine = quoted()
    before = [engine.tables.quotes.copy(), engine.tables.quote_versions.copy()]
    send(engine, "A", qty=1_000)
    after = [engine.tables.quotes, engine.tables.quote_versions]
    assert all((one == other).all() for one, other in zip(before, after, strict=True))
    assert engine.tables.sized_quote[sizes.SERVED]["ask_qty"] == 1_000
    digest = tables.state_hash(engine.tables)
    engine.tables.sized_quote[:] = 0
    assert tables.state_hash(engine.tables) == digest
