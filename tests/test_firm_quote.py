"""The public quote is firm: what it serves is filled while it is LIVE, and time withdraws it."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import policy, step, tables
from engine.enums import (
    AboveQuote,
    BboState,
    DeskAction,
    ExecKind,
    KillScope,
    OrdType,
    QuoteState,
    Reason,
    Route,
)
from engine.jit import JIT
from engine.limits import OUTPUTS_MAX, SWEEP_MAX, Capacity
from engine.outbox import allocate_outbox
from gateway import explain
from gateway.audit.rules import Rule
from gateway.audit.tables import Presence
from gateway.publish.source import Source
from tests import audit_rig
from tests.firm import E6, INSTRUMENT, NOW_NS, firm, order, venue_quote
from tests.order_rig import ASK, BID, Orders
from tests.publish_rig import QuotesRig
from tests.quote_rig import Gateway
from tests.test_audit import At, audited, closed, found_in, opened
from tests.test_audit import world as audit_world
from tests.test_oracle import Engine
from tests.world import HOUR, MS, SECOND, World

Row = dict[str, Any]
BUY, SELL = 1, 2
TICK = 10_000
STALE_NS = SECOND
#: Another venue's prices that cross those of the most relevant market.
ACROSS = (ASK + TICK, ASK + 2 * TICK)


def crossed(engine: Engine, ts_ns: int = NOW_NS) -> None:
    engine.apply("venue_quote", venue_quote(BID, ASK), ts_ns)
    engine.apply("venue_quote", venue_quote(*ACROSS, "CEUX"), ts_ns)


def send(engine: Engine, name: str, ts_ns: int, **fields: Any) -> Any:
    """The execution of an order."""
    return engine.apply("order", order(name, **fields), ts_ns)[0][1]


def quotes_of(engine: Engine) -> list[tuple[int, int]]:
    """State and reason of the new versions that the last input has made."""
    rows = engine.outbox.quotes[: int(engine.outbox.counts[0]["quotes"])]
    return [(int(row["state"]), int(row["reason"])) for row in rows]


# Filled at the quote, whatever the market is


@pytest.mark.parametrize("policy_name", ["none", "midpoint", "wild"])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_crossed_market_gives_the_quote_and_no_more(side: int, policy_name: str) -> None:
    engine = Engine(firm({"policy_param": [0, ASK - TICK] + [0] * 6}), policy_name)
    crossed(engine)
    filled = send(engine, "A", NOW_NS + 1, side=side, qty=500)
    assert filled["bbo_state"] == BboState.CROSSED and filled["kind"] == ExecKind.FILL
    assert filled["last_px_e6"] == (ASK if side == BUY else BID)
    assert (filled["improvement_e6"], filled["policy_hash"], filled["clamp"]) == (0, 0, 0)
    assert filled["notional_e6"] == 500 * (BID + ASK) // 2
    assert quotes_of(engine) == []  # made of the most relevant market, which is sound
    words = "\n".join(explain.in_words(filled, ["XETR", "CEUX"]))
    assert "filled at the public quote, no improvement: the BBO is crossed" in words
    assert "at the midpoint of our public quote" in words


def test_a_stale_market_is_filled_as_quoted_and_withdrawn_by_the_order() -> None:
    """Two orders at once: the one is early enough, the other sees what the first has withdrawn."""
    engine = Engine(firm(), "midpoint")
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    late_ns = NOW_NS + STALE_NS + 1
    filled = send(engine, "A", late_ns)
    assert (filled["last_px_e6"], filled["bbo_state"]) == (ASK, BboState.STALE)
    assert quotes_of(engine) == [(QuoteState.WITHDRAWN, Reason.BBO_STALE)]
    refused = send(engine, "B", late_ns)
    assert (refused["reason"], refused["reason_value"]) == (Reason.BBO_STALE, STALE_NS + 1)
    waited = send(engine, "C", late_ns + 1, recv_ns=late_ns - 1)
    assert (waited["last_px_e6"], waited["reason"]) == (ASK, Reason.NONE)


@pytest.mark.parametrize(
    ("terms", "params", "instrument"),
    [
        ({"qty": 1_001}, {}, {}),  # over T: for the desk
        ({"qty": 1_001}, {"discretionary_route": Route.AUTO}, {}),
        ({"qty": 10**11}, {}, {}),
        ({"ord_type": OrdType.PEGGED, "peg": 1}, {}, {}),
        ({}, {}, {"liquid": 0, "sms_e6": 0}),
        ({"qty": 501}, {"above_quote": AboveQuote.DESK}, {}),
    ],
)
def test_what_the_quote_does_not_serve_needs_a_market(
    terms: Row, params: Row, instrument: Row
) -> None:
    engine = Engine(firm(params, instrument), "none")
    crossed(engine)
    refused = send(engine, "A", NOW_NS, **terms)
    assert (refused["kind"], refused["reason"]) == (ExecKind.REJECTED, Reason.BBO_CROSSED)
    assert (refused["reason_value"], refused["reason_limit"]) == (ACROSS[0], ASK)
    engine.apply("venue_quote", venue_quote(BID, ASK, "CEUX"), NOW_NS)
    assert send(engine, "B", NOW_NS, **terms)["kind"] in (ExecKind.FILL, ExecKind.NEW)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (AboveQuote.QUOTED_PRICE, (ExecKind.FILL, 501)),
        (AboveQuote.PARTIAL, (ExecKind.FILL, 500)),
        (AboveQuote.REJECT, (ExecKind.REJECTED, 0)),
    ],
)
def test_over_the_quoted_size_the_firms_own_rule_holds(choice: AboveQuote, told: Any) -> None:
    engine = Engine(firm({"above_quote": int(choice)}), "none")
    crossed(engine)
    answer = send(engine, "A", NOW_NS, qty=501)
    assert (answer["kind"], answer["last_qty"]) == told


def test_the_market_that_moved_does_not_refuse_what_was_quoted() -> None:
    """Three times the price since the order was read: neither the collar nor the zone is of it."""
    engine = Engine(firm(), "none")
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    engine.apply("venue_quote", venue_quote(3 * BID, 3 * ASK), NOW_NS + 10)
    limit = {"ord_type": 2, "limit_px_e6": ASK, "qty": 500}
    filled = send(engine, "A", NOW_NS + 20, recv_ns=NOW_NS + 5, **limit)
    assert (filled["last_px_e6"], filled["notional_e6"]) == (ASK, 500 * (BID + ASK) // 2)
    far = send(engine, "B", NOW_NS + 20, recv_ns=NOW_NS + 5, ord_type=2, limit_px_e6=2 * ASK)
    assert far["reason"] == Reason.PX_COLLAR


@pytest.mark.skipif(JIT, reason="a function of the engine is replaced")
def test_an_invariant_knows_that_nothing_is_better_than_the_quote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault that improves in a crossed market stops the firm; a TIMER withdraws its quotes."""
    engine = Engine(firm(), "none")
    crossed(engine)
    monkeypatch.setattr(step, "given", lambda *args: ASK - TICK)
    refused = send(engine, "A", NOW_NS)
    assert (refused["reason"], refused["reason_limit"]) == (Reason.INVARIANT, ASK)
    assert step.is_due(engine.tables, NOW_NS)
    engine.apply("timer", {}, NOW_NS)
    assert quotes_of(engine) == [(QuoteState.WITHDRAWN, Reason.KILLED_FIRM)]


# Withdrawn in time


def test_the_timer_withdraws_what_has_gone_stale() -> None:
    engine = Engine(firm(), "none")
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    engine.apply("timer", {}, NOW_NS)  # the hours have begun
    for at_ns, due in ((NOW_NS + STALE_NS, False), (NOW_NS + STALE_NS + 1, True)):
        assert step.is_due(engine.tables, at_ns) == due
    engine.apply("timer", {}, NOW_NS + STALE_NS + 1)
    assert quotes_of(engine) == [(QuoteState.WITHDRAWN, Reason.BBO_STALE)]
    assert not step.is_due(engine.tables, NOW_NS + 100 * STALE_NS)
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + 2 * STALE_NS)
    assert quotes_of(engine) == [(QuoteState.LIVE, Reason.NONE)]


def test_an_update_of_the_same_prices_keeps_the_quote_fresh() -> None:
    engine = Engine(firm(), "none")
    for at_ns in (0, STALE_NS // 2, STALE_NS):
        engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + at_ns)
        engine.apply("timer", {}, NOW_NS + at_ns)
    assert not step.is_due(engine.tables, NOW_NS + 2 * STALE_NS)
    assert step.is_due(engine.tables, NOW_NS + 2 * STALE_NS + 1)


def test_a_quote_of_two_venues_is_as_old_as_the_older_side() -> None:
    """And of the most relevant market alone as old as that, whatever the others say."""
    engine = Engine(firm(), "none")
    engine.apply("timer", {}, NOW_NS)
    for at_ns, mic, sides in ((0, "XETR", (BID, 0)), (10, "CEUX", (BID - TICK, ASK))):
        engine.apply("venue_quote", venue_quote(*sides, mic), NOW_NS + at_ns)
    source = engine.tables.sources[0]
    assert (source["oldest_ns"], source["newest_ns"]) == (NOW_NS, NOW_NS + 10)
    engine.apply("timer", {}, NOW_NS + STALE_NS + 1)
    assert quotes_of(engine) == [(QuoteState.LIVE, Reason.NONE)]  # of CEUX alone
    assert (source["oldest_ns"], source["newest_ns"]) == (NOW_NS + 10, NOW_NS + 10)
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS + 500)
    assert source["oldest_ns"] == NOW_NS + 500


@pytest.mark.parametrize(
    ("back_ns", "told"),
    [
        (STALE_NS, []),
        (STALE_NS + 1, [(QuoteState.WITHDRAWN, Reason.BBO_ONE_SIDED)]),  # the bid is older
        (HOUR, [(QuoteState.WITHDRAWN, Reason.BBO_STALE)]),
    ],
)
def test_after_a_clock_was_set_back_the_future_is_stale(back_ns: int, told: Any) -> None:
    engine = Engine(firm(), "none")
    engine.apply("venue_quote", venue_quote(BID, 0), NOW_NS - STALE_NS // 2)
    engine.apply("venue_quote", venue_quote(BID, ASK, "CEUX"), NOW_NS)
    engine.apply("timer", {}, NOW_NS)
    assert step.is_due(engine.tables, NOW_NS - back_ns) == bool(told)
    engine.apply("timer", {}, NOW_NS - back_ns)
    assert quotes_of(engine) == told


class Wide(Engine):
    """Room for more instruments than one input may look at."""

    def __init__(self, world: World) -> None:
        self.tables = tables.allocate(Capacity(1 << 11, 8, 64, 16))
        self.outbox = allocate_outbox()
        self.policy = policy.load("none")
        self._load(world)


COUNT = SWEEP_MAX + 100
MANY = [INSTRUMENT | {"isin": f"XS{n:010d}"} for n in range(COUNT)]


@pytest.fixture
def wide() -> Wide:
    made = Wide(firm()._replace(instruments=MANY))
    for row in MANY:
        made.apply("venue_quote", venue_quote(BID, ASK) | {"isin": row["isin"]}, NOW_NS)
    for _ in range(3):
        made.apply("timer", {}, NOW_NS)
    assert not step.is_due(made.tables, NOW_NS)
    return made


def drain(engine: Engine, ts_ns: int) -> list[tuple[int, int]]:
    """A tick's timers; no input may make more quotes than it may."""
    told, pieces = quotes_of(engine), 0
    while pieces == 0 or step.goes_on(engine.tables, engine.outbox):
        engine.apply("timer", {}, ts_ns)
        assert len(quotes_of(engine)) <= OUTPUTS_MAX
        told += quotes_of(engine)
        pieces += 1
    return told


def test_a_feed_that_ends_withdraws_everything_in_pieces(wide: Wide) -> None:
    told = drain(wide, NOW_NS + STALE_NS + 1)
    assert told == [(QuoteState.WITHDRAWN, Reason.BBO_STALE)] * COUNT


def test_the_firms_kill_switch_goes_through_all_quotes(wide: Wide) -> None:
    """Until its turn has come a quote is public, and orders are refused; then back in pieces."""
    wide.apply("desk", {"action": DeskAction.KILL, "scope": KillScope.FIRM}, NOW_NS)
    assert wide.tables.quotes[COUNT - 1]["state"] == QuoteState.LIVE
    refused = send(wide, "A", NOW_NS, isin=MANY[-1]["isin"])
    assert refused["reason"] == Reason.KILLED_FIRM
    wide.apply("desk", {"action": DeskAction.KILL, "scope": KillScope.FIRM}, NOW_NS)
    drain(wide, NOW_NS)
    rows = wide.tables.quotes[:COUNT]
    assert (rows["state"] == QuoteState.WITHDRAWN).all()
    assert (rows["reason"] == Reason.KILLED_FIRM).all() and (rows["version"] == 2).all()
    wide.apply("desk", {"action": DeskAction.RESUME, "scope": KillScope.FIRM}, NOW_NS)
    assert drain(wide, NOW_NS) == [(QuoteState.LIVE, Reason.NONE)] * COUNT


# Kill switches


def test_a_kill_switch_of_an_instrument_acts_at_once() -> None:
    orders = Orders()
    for action, state, reason in (
        (DeskAction.KILL, QuoteState.WITHDRAWN, Reason.KILLED_INSTRUMENT),
        (DeskAction.RESUME, QuoteState.LIVE, Reason.NONE),
    ):
        orders.desk(action, 0, scope=KillScope.INSTRUMENT)
        assert quotes_of(orders.engine) == [(state, reason)]
    orders.check_replay()


@pytest.mark.parametrize("scope", [KillScope.POOL, KillScope.CLIENT])
def test_a_clients_or_pools_kill_switch_does_nothing_to_the_quote(scope: KillScope) -> None:
    orders = Orders()
    orders.desk(DeskAction.KILL, 0, scope=scope)
    assert orders.desk_reason() == Reason.NONE and quotes_of(orders.engine) == []
    assert orders.engine.tables.quotes[0]["state"] == QuoteState.LIVE


def test_both_switches_have_to_be_lifted() -> None:
    orders = Orders()
    told = []
    for action in (DeskAction.KILL, DeskAction.RESUME):
        for scope in (KillScope.FIRM, KillScope.INSTRUMENT):
            orders.desk(action, 0, scope=scope)
            told += [reason for _, reason in quotes_of(orders.engine)]
    assert told == [Reason.KILLED_FIRM, Reason.KILLED_INSTRUMENT, Reason.NONE]
    orders.check_replay()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("loss_max_eur_e6", Reason.KILLED_FIRM),
        ("instrument_loss_max_eur_e6", Reason.KILLED_INSTRUMENT),
    ],
)
def test_a_loss_withdraws_the_quote_that_would_make_it_larger(limit: str, reason: Reason) -> None:
    """At the very record that shows the loss."""
    engine = Engine(firm({limit: E6}), "none")
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    assert send(engine, "A", NOW_NS, qty=100)["kind"] == ExecKind.FILL
    engine.apply("venue_quote", venue_quote(BID + E6, ASK + E6), NOW_NS + 1)
    assert quotes_of(engine) == [(QuoteState.WITHDRAWN, reason)]


def test_a_loss_at_a_fill_withdraws_the_quote_with_the_next_timer() -> None:
    """Sold at the older quote, 1 EUR a share under what it is worth now."""
    engine = Engine(firm({"instrument_loss_max_eur_e6": 50 * E6}), "none")
    engine.apply("timer", {}, NOW_NS)
    engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
    engine.apply("venue_quote", venue_quote(BID + E6, ASK + E6), NOW_NS + 10)
    filled = send(engine, "A", NOW_NS + 20, qty=100, recv_ns=NOW_NS + 5)
    assert filled["last_px_e6"] == ASK and engine.tables.positions[0]["killed"] == 1
    assert send(engine, "B", NOW_NS + 20)["reason"] == Reason.KILLED_INSTRUMENT
    assert step.is_due(engine.tables, NOW_NS + 20)
    engine.apply("timer", {}, NOW_NS + 20)
    assert quotes_of(engine) == [(QuoteState.WITHDRAWN, Reason.KILLED_INSTRUMENT)]
    assert not step.is_due(engine.tables, NOW_NS + 30)


# Whatever happens

MICS = ("XETR", "CEUX", "TQEX")
NAMES = ("DE0007164600", "DE0007164601")
TICK_NS = 100 * MS  # between two looks at `is_due`
OPEN_NS, CLOSE_NS = NOW_NS + SECOND, NOW_NS + 30 * SECOND


class Market:
    """A day of generated inputs; what is public is followed from the engine's outputs alone."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now_ns = self.ticked_ns = NOW_NS
        choice = random.choice((AboveQuote.QUOTED_PRICE, AboveQuote.PARTIAL, AboveQuote.DESK))
        params = {"open_ns": OPEN_NS, "close_ns": CLOSE_NS, "above_quote": int(choice)}
        params |= {"stale_ns": STALE_NS, "policy_param": [random.choice((0, 1)), ASK] + [0] * 6}
        rows = [INSTRUMENT | {"isin": name, "mrm_venue": n} for n, name in enumerate(NAMES)]
        world = firm(params)._replace(venues=list(MICS), instruments=rows, orders_max=1 << 9)
        self.engine = Engine(world, random.choice(("wild", "ticks", "midpoint")))
        self.public: dict[int, list[Row]] = {0: [], 1: []}
        self.shown: dict[tuple[int, int], tuple[int, int, int]] = {}  # bid, ask, when
        self.phase = [0, 0]
        self.killed: set[tuple[int, int]] = set()
        self.orders = 0
        self.seen: set[str] = set()

    def apply(self, name: str, fields: Row) -> list[tuple[str, Any]]:
        outputs = [(k, row.copy()) for k, row in self.engine.apply(name, fields, self.now_ns)]
        for kind, row in outputs:
            if kind == "quotes":
                quote = {name: row[name].tolist() for name in row.dtype.names}
                self.public[quote["instrument"]].append(quote)
                self.seen.add(Reason(quote["reason"]).name)
        return outputs

    def step(self) -> None:
        passed = (0, 1, MS, TICK_NS // 3, TICK_NS, 5 * TICK_NS, -MS, -3 * STALE_NS, 40 * SECOND)
        [step_ns] = self.random.choices(passed, (40, 40, 40, 12, 6, 3, 1, 0.3, 0.05))
        self.now_ns += step_ns
        if abs(self.now_ns - self.ticked_ns) >= TICK_NS:
            self.tick()
        steps = {self.record: 40, self.order: 40, self.kill: 2, self.resume: 6}
        [done] = self.random.choices(list(steps), list(steps.values()))
        done()

    def tick(self) -> None:
        """As the loop does; then no quote that is public is older than its market may be."""
        self.ticked_ns = self.now_ns
        due = step.is_due(self.engine.tables, self.now_ns)
        while due:
            self.apply("timer", {})
            due = step.goes_on(self.engine.tables, self.engine.outbox)
        for instrument, quotes in self.public.items():
            if quotes and quotes[-1]["state"] == QuoteState.LIVE:
                self.check_age(instrument, quotes[-1])

    def check_age(self, instrument: int, quote: Row) -> None:
        for side in (0, 1):
            px = quote[("bid_px_e6", "ask_px_e6")[side]]
            fresh = [
                record[side]
                for (of, _), record in self.shown.items()
                if of == instrument and abs(self.now_ns - record[2]) <= STALE_NS and record[side]
            ]
            assert any(abs(px - shown) < TICK for shown in fresh)

    def record(self) -> None:
        random = self.random
        instrument, venue = random.randrange(2), random.choice((0, 0, 1, 1, 2))
        mid = 20 * E6 + TICK * random.choice((0, 0, 0, 1, -1, 3, -3, 40))
        half = TICK * random.choice((1, 1, 1, 2, 5, 0, -1))
        bid, ask = mid - half, mid + half + random.choice((0, 0, 3_000))
        [gone] = random.choices(((), ("bid",), ("ask",), ("bid", "ask")), (40, 2, 2, 1))
        bid, ask = 0 if "bid" in gone else bid, 0 if "ask" in gone else ask
        [phase] = random.choices((0, 1, 2), (40, 1, 1))
        fields = venue_quote(bid, ask, MICS[venue]) | {"isin": NAMES[instrument], "phase": phase}
        self.apply("venue_quote", fields)
        self.shown[instrument, venue] = (bid, ask, self.now_ns)
        if venue == instrument:  # its most relevant market
            self.phase[instrument] = phase

    def kill(self) -> None:
        self._switch(DeskAction.KILL, self.random.choice(((0, 0), (2, 0), (2, 1))))

    def resume(self) -> None:
        if self.killed:
            self._switch(DeskAction.RESUME, self.random.choice(sorted(self.killed)))

    def _switch(self, action: DeskAction, what: tuple[int, int]) -> None:
        self.apply("desk", {"action": action, "scope": what[0], "subject": what[1]})
        (self.killed.add if action == DeskAction.KILL else self.killed.discard)(what)

    def order(self) -> None:
        """One that the quote serves, where it is LIVE and nothing has stopped it."""
        random, instrument = self.random, self.random.randrange(2)
        waited_ns = random.choice((0, 0, 0, 1, MS, 50 * MS))
        kept = self.public[instrument][-4:]
        if waited_ns:
            kept = [q for q in kept if q["entered_ns"] <= self.now_ns - waited_ns]
        public = kept[-1] if kept else None
        self.orders += 1
        side = random.choice((BUY, SELL, 5))
        fields: Row = {"isin": NAMES[instrument], "side": side, "tif": random.choice((0, 3, 4))}
        fields |= {"recv_ns": self.now_ns - waited_ns if waited_ns else 0}
        if public is not None and public["state"] == QuoteState.LIVE:
            fields |= self._terms(public, side)
        outputs = self.apply("order", order(f"o{self.orders}", **fields))
        stopped = {(0, 0), (2, instrument)} & self.killed
        hours = OPEN_NS <= self.now_ns < CLOSE_NS and self.phase[instrument] == 0
        if public is None or public["state"] != QuoteState.LIVE or stopped or not hours:
            self.seen.add("not public")
            return
        execution = outputs[0][1]
        state = BboState(execution["bbo_state"])
        assert (execution["kind"], execution["reason"]) == (ExecKind.FILL, Reason.NONE), fields
        assert execution["last_qty"] == fields["qty"]
        bid, ask, px = public["bid_px_e6"], public["ask_px_e6"], int(execution["last_px_e6"])
        assert bid <= px <= ask
        if state not in (BboState.NORMAL, BboState.LOCKED):
            assert px == (ask if side == BUY else bid)
        self.seen.add(f"filled {state.name}")

    def _terms(self, public: Row, side: int) -> Row:
        """A size up to the quoted one, any limit between the quoted price and the collar."""
        buy = side == BUY
        quoted = public["ask_qty"] if buy else public["bid_qty"]
        px = public["ask_px_e6"] if buy else public["bid_px_e6"]
        # the collar is 5 % of 20.00, where the tick changes, too
        away = TICK * self.random.randrange(90) if px % TICK == 0 else 0
        limit = {"ord_type": 2, "limit_px_e6": px + away if buy else px - away}
        qty = self.random.choice((1, quoted, quoted // 2 or 1))
        return {"qty": qty} | self.random.choice(({}, limit))


def play(random: Random, count: int) -> set[str]:
    market = Market(random)
    for _ in range(count):
        market.step()
    return market.seen


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """What the days of all seeds have come to."""
    return set()


@pytest.mark.parametrize("seed", range(12))
def test_an_order_that_a_live_quote_serves_is_filled(seed: int, seen: set[str]) -> None:
    seen |= play(Random(f"firm {seed}"), 400)


def test_the_days_reach_every_rule(seen: set[str]) -> None:
    expected = {f"filled {name}" for name in ("NORMAL", "LOCKED", "CROSSED", "ONE_SIDED", "STALE")}
    expected |= {"NONE", "BBO_STALE", "BBO_CROSSED", "BBO_ONE_SIDED", "CLOSED", "HALTED"}
    assert (expected | {"KILLED_FIRM", "KILLED_INSTRUMENT", "not public"}) - seen == set()


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_an_order_that_a_live_quote_serves_is_filled_on_any_day(random: Random, count: int) -> None:
    play(random, count)


# Who is told


@pytest.mark.parametrize("scope", [KillScope.FIRM, KillScope.INSTRUMENT])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["quote", "mass_quote", "market_data", "ioi"])
def test_a_subscriber_is_told_of_a_kill_once(kind: str, first: bool, scope: KillScope) -> None:
    """By the switch or by the version that the engine makes for it, whichever is seen first."""
    made = Gateway()
    made.settings(kind)
    made.quote(0, 20 * E6)
    made.settle()
    made.sent()
    reason = Reason.KILLED_FIRM if scope == KillScope.FIRM else Reason.KILLED_INSTRUMENT
    made.kill(DeskAction.KILL, scope)
    told = [] if first else made.told()
    made.quote(0, 0, reason)
    told += made.told()
    assert len(told) == (2 if kind == "ioi" else 1)  # one of each side
    made.kill(DeskAction.RESUME, scope)
    assert made.told() == []  # the engine has not put it back
    made.quote(0, 20 * E6)
    assert len(made.told()) == (2 if kind == "ioi" else 1)


def test_the_public_is_told_of_a_kill_once(tmp_path: Path) -> None:
    """A version each at the switch, none for the engine's own; each change of reason is told."""
    journal = QuotesRig(tmp_path / "journal")
    for number in (0, 1):
        journal.offer(number, 10 * E6, 11 * E6)
    journal.withdraw(1, Reason.BBO_STALE)
    journal.switch(DeskAction.KILL, KillScope.FIRM)
    for number in (0, 1, 0):
        journal.withdraw(number, Reason.KILLED_FIRM)
    journal.switch(DeskAction.RESUME, KillScope.FIRM)
    journal.offer(0, 10 * E6, 11 * E6)
    journal.withdraw(1, Reason.BBO_STALE)
    source = Source(tmp_path / "journal")
    told = [(version.state.value, version.reason.name) for version in source.take(100)]
    source.close()
    journal.close()
    assert told == [
        ("NEW", "NONE"), ("NEW", "NONE"), ("WITHDRAW", "BBO_STALE"), ("WITHDRAW", "KILLED_FIRM"),
        ("WITHDRAW", "KILLED_FIRM"), ("NEW", "NONE"), ("WITHDRAW", "BBO_STALE"),
    ]  # fmt: skip


# As the audit sees it


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    audit_rig.use_small_segments(monkeypatch)


@pytest.mark.parametrize("scope", [KillScope.FIRM, KillScope.INSTRUMENT])
@pytest.mark.usefixtures("small_segments")
def test_a_kill_switch_is_absence_of_its_own_kind(scope: KillScope, tmp_path: Path) -> None:
    day = opened(tmp_path)
    day.kill(At, scope)
    assert day.order(At + 1, qty=10)["kind"] == ExecKind.REJECTED
    day.kill(At + HOUR, scope, DeskAction.RESUME)
    assert day.order(At + HOUR + 1, qty=10)["kind"] == ExecKind.FILL
    audit = audited(closed(day))
    assert set(found_in(audit)) == {Rule.NOT_QUOTED, Rule.NOT_BY_FILE}
    assert audit.shares[0].ns[Presence.STOPPED] == HOUR


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("mic", ["XETR", "CEUX"])
def test_a_market_that_goes_is_absence_and_no_refusal(mic: str, tmp_path: Path) -> None:
    """Stale, or crossed by another venue: filled as quoted until the timer withdraws it."""
    made = audit_world()
    rules = {"stale_ns": SECOND, "quote_interval_ns": 0}
    day = opened(tmp_path, "midpoint", made._replace(params=made.params | rules))
    day.market(At, venue_quote(BID, ASK))
    if mic == "CEUX":
        day.market(At + 1, venue_quote(ASK + 10_000, ASK + 20_000, mic))
    later = SECOND if mic == "CEUX" else SECOND + 1
    filled = day.order(At + later, qty=10)
    assert (filled["last_px_e6"], filled["improvement_e6"]) == (ASK, 0)
    day.timer(At + SECOND + MS)
    day.market(At + HOUR, venue_quote(BID, ASK))
    day.timer(At + HOUR + 2 * SECOND)
    audit = audited(closed(day))
    assert set(found_in(audit)) == {Rule.NOT_QUOTED, Rule.NOT_BY_FILE}
    assert audit.shares[0].ns[Presence.STALE] > 5 * HOUR
