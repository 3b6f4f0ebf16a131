"""The firm's protection: P&L and exposure against fractions, each limit at its edge, stops."""

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import checks, rfq_step, risk, schema, step, tables
from engine.enums import DeskAction, DeskState, ExecKind, GivenState, KillScope, Reason
from engine.limits import (
    EUR_E6_MAX,
    EUR_TOTAL_E6_MAX,
    INT64_MAX,
    REPEAT_PROBES,
    REPEATS_MAX,
    Capacity,
)
from engine.outbox import allocate_outbox
from tests import rig
from tests.firm import CLIENT, E6, INSTRUMENT, NOW_NS, firm, order, venue_quote
from tests.order_rig import AT_ONCE, FILL, TO_DESK, Orders
from tests.test_oracle import Engine, to_record
from tests.world import MS, SECOND, World

BUY, SELL = 1, 2
BID, ASK = 19_990_000, 20_010_000


def world_of(client: dict[str, int] | None = None, clients: int = 1, **params: int) -> World:
    """The firm of one share at 20, with these limits."""
    rows = [CLIENT | {"name": f"client{n}"} | (client or {}) for n in range(clients)]
    other = INSTRUMENT | {"isin": "XS0000000001"}
    return firm(params=params)._replace(clients=rows, instruments=[INSTRUMENT, other])


class Firm(Engine):
    """Orders one after the other, on a market that stands still unless it is moved."""

    def __init__(self, world: World, policy: str = "none") -> None:
        super().__init__(world, policy)
        self.now_ns, self.sent = NOW_NS, 0
        self.move(BID, ASK)
        self.move(BID, ASK, isin="XS0000000001")

    def move(self, bid: int, ask: int, isin: str = str(INSTRUMENT["isin"])) -> list[Any]:
        return self.apply("venue_quote", venue_quote(bid, ask) | {"isin": isin}, self.now_ns)

    def order(self, qty: int, side: int = SELL, **fields: Any) -> Any:
        """The execution of a market order."""
        self.sent += 1
        event = order(f"A{self.sent}", qty=qty, side=side, **fields)
        return self.apply("order", event, self.now_ns)[0][1].copy()

    def reason(self, qty: int, side: int = SELL, **fields: Any) -> tuple[Reason, int, int]:
        made = self.order(qty, side, **fields)
        assert (made["kind"] == ExecKind.FILL) == (made["reason"] == Reason.NONE)
        return why(made)

    def command(self, action: DeskAction, **fields: Any) -> list[Any]:
        given = {"command_id": 1, "action": action, "trader": 7} | fields
        return self.apply("desk", given, self.now_ns)

    @property
    def counters(self) -> Any:
        return self.tables.counters[0]


def why(row: Any) -> tuple[Reason, int, int]:
    return Reason(int(row["reason"])), int(row["reason_value"]), int(row["reason_limit"])


DONE = (Reason.NONE, 0, 0)


@cache
def small(repeats: int) -> tables.Tables:
    return tables.allocate(Capacity(64, 4, 1, 1, 1, repeats=repeats or 1))


def fresh(repeats: int) -> tables.Tables:
    """Small tables without a row, made once."""
    made = small(repeats)
    for name in ("params", "counters", "positions", "client_use", "flow", "repeats"):
        getattr(made, name).view(np.uint8)[:] = 0
    return made


OUTBOX = allocate_outbox()


# P&L and exposure

AMOUNTS = st.integers(-(2**63) + 1, 2**63 - 1)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(-(10**13), 10**13),
            AMOUNTS,
            st.sampled_from([1, 10**6, 4 * 10**7, 2 * 10**13]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([1, 10**9, 9 * 10**9]),
)
def test_sums_never_wrap(states: list[tuple[int, int, int, int]], rate_e9: int) -> None:
    """Absurd balances count as much as the sums can hold, and a sum stays the sum."""
    made = fresh(0)
    made.instruments["eur_per_unit_e9"] = rate_e9
    for row, qty, cash, mid_x2 in states:
        position = made.positions[row]
        position["qty"], position["cash_e6"] = qty or 1, cash
        best = rig.row(schema.bbo, bid_px_e6=mid_x2, ask_px_e6=0)
        position["mark_px_x2_e6"] = 0
        OUTBOX.counts[0]["desk_results"] = 0
        risk.mark(made, OUTBOX, row, best, NOW_NS)
        counters = made.counters[0]
        values = [int(value) for value in made.positions["value_eur_e6"]]
        assert int(counters["gross_eur_e6"]) == sum(map(abs, values)) <= EUR_TOTAL_E6_MAX
        assert int(counters["net_eur_e6"]) == sum(values)
        assert int(counters["pnl_eur_e6"]) == sum(map(int, made.positions["pnl_eur_e6"]))
        assert all(abs(value) <= EUR_E6_MAX for value in values)
        assert abs(int(counters["pnl_eur_e6"])) <= EUR_TOTAL_E6_MAX


def test_an_absurd_position_counts_as_the_largest() -> None:
    assert int(risk.value_e6(-(2**62), 2 * 10**13)) == -EUR_E6_MAX
    assert int(risk.value_e6(3, 7)) == 10 and int(risk.value_e6(-3, 7)) == -10
    assert int(risk.value_e6(INT64_MAX, 0)) == 0


# Each limit at its edge

#: 100 shares at 20: what every one of these is about.
VALUE = 2_000 * E6
EDGES = [
    ("gross_max_eur_e6", VALUE, Reason.GROSS_LIMIT),
    ("net_max_eur_e6", VALUE, Reason.NET_LIMIT),
    ("undue_max_eur_e6", VALUE, Reason.UNDUE_VALUE),
]


@pytest.mark.parametrize(("name", "edge", "reason"), EDGES)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_amount_limit_of_the_firm(name: str, edge: int, reason: Reason, side: int) -> None:
    assert Firm(world_of(**{name: edge - 1})).reason(100, side) == (reason, edge, edge - 1)
    assert Firm(world_of(**{name: edge})).reason(100, side) == DONE
    assert Firm(world_of(**{name: edge + 1})).reason(100, side) == DONE


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_credit_of_a_client(side: int) -> None:
    tight = Firm(world_of({"credit_max_eur_e6": VALUE - 1}))
    assert tight.reason(100, side) == (Reason.CREDIT_LIMIT, VALUE, VALUE - 1)
    for credit in (VALUE, VALUE + 1):
        assert Firm(world_of({"credit_max_eur_e6": credit})).reason(100, side) == DONE


def test_credit_is_what_is_owed_either_way() -> None:
    """A client that owes 2,001 may sell, as long as that leaves less than it owes."""
    made = Firm(world_of({"credit_max_eur_e6": VALUE + 2 * E6}, clients=2))
    assert made.reason(100, BUY) == DONE
    assert made.tables.client_use[0]["cash_eur_e6"] == 100 * ASK
    owed = 100 * ASK + 20 * E6
    assert made.reason(1, BUY) == (Reason.CREDIT_LIMIT, owed, VALUE + 2 * E6)
    assert made.reason(1, BUY, client=1) == DONE
    assert made.reason(100, SELL) == DONE
    assert made.tables.client_use[0]["cash_eur_e6"] == 100 * (ASK - BID)
    assert made.reason(100, SELL) == DONE
    assert made.reason(1, SELL)[0] == Reason.CREDIT_LIMIT
    made.tables.clients[0]["credit_max_eur_e6"] = E6  # lowered under what is owed already
    assert made.reason(1, SELL)[0] == Reason.CREDIT_LIMIT
    assert made.reason(1, BUY) == DONE


def test_gross_and_net_over_two_instruments() -> None:
    """Long one share and short another: gross adds up, net does not; less risk always passes."""
    made = Firm(world_of(gross_max_eur_e6=2 * VALUE, net_max_eur_e6=VALUE))
    other = {"isin": "XS0000000001"}
    assert made.reason(100, SELL) == DONE
    assert made.reason(1, SELL, **other) == (Reason.NET_LIMIT, VALUE + 20 * E6, VALUE)
    assert made.reason(100, BUY, **other) == DONE
    found = [int(made.counters[name]) for name in ("gross_eur_e6", "net_eur_e6")]
    assert found == [2 * VALUE, 0]
    assert made.reason(1, BUY, **other) == (Reason.GROSS_LIMIT, 2 * VALUE + 20 * E6, 2 * VALUE)
    made.move(39_990_000, 40_010_000)  # over both limits by the market alone
    assert made.counters["gross_eur_e6"] == 3 * VALUE
    assert made.reason(1, SELL)[0] == Reason.GROSS_LIMIT
    assert made.reason(10, BUY) == DONE
    assert made.counters["gross_eur_e6"] > 2 * VALUE
    made.tables.params[0]["gross_max_eur_e6"] = 0
    made.tables.params[0]["net_max_eur_e6"] = 100 * E6
    assert made.reason(1, SELL)[0] == made.reason(1, SELL, **other)[0] == Reason.NET_LIMIT
    assert made.reason(1, BUY) == made.reason(1, BUY, **other) == DONE
    assert made.counters["net_eur_e6"] > 100 * E6


def test_a_mark_stays_where_there_is_no_market() -> None:
    """On a one-sided market a new position has its first price, an old one keeps its mark."""
    made = Firm(world_of())
    for isin, marks in ((INSTRUMENT["isin"], [BID + ASK] * 2), ("XS0000000001", [2 * ASK] * 2)):
        if marks[0] == BID + ASK:
            made.order(10, BUY, isin=isin)
        made.order(2_000, BUY, isin=isin)
        made.move(BID, 0, isin=isin)
        item = int(made.counters["desk_items"])
        for mark, px in zip(marks, (ASK, ASK + 10_000), strict=True):
            made.command(DeskAction.FILL, item_id=item, qty=1_000, px_e6=px)
            row = made.tables.desk_items[item - 1]["instrument"]
            assert made.tables.positions[row]["mark_px_x2_e6"] == mark
        assert made.tables.desk_items[item - 1]["state"] == DeskState.FILLED


def test_currency_counts_in_euros() -> None:
    """100 shares at 20 GBX of 0.0117 EUR."""
    edge = 2_000 * 11_700_001 // 1_000  # e6
    for limit, expected in ((edge - 1, (Reason.GROSS_LIMIT, edge, edge - 1)), (edge, DONE)):
        world = world_of(gross_max_eur_e6=limit)
        rows = [row | {"eur_per_unit_e9": 11_700_001} for row in world.instruments]
        assert Firm(world._replace(instruments=rows)).reason(100) == expected


@pytest.mark.parametrize(
    ("name", "reason", "stopped"),
    [
        ("loss_max_eur_e6", Reason.FIRM_LOSS_LIMIT, Reason.KILLED_FIRM),
        ("instrument_loss_max_eur_e6", Reason.INSTRUMENT_LOSS_LIMIT, Reason.KILLED_INSTRUMENT),
    ],
)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_loss_stops_trading(name: str, reason: Reason, stopped: Reason, beyond: int) -> None:
    """100 shares bought at 19.99 lose 99 EUR when the mid is 19."""
    loss = 99 * E6
    made = Firm(world_of(**{name: loss - beyond}))
    assert made.reason(100, SELL) == DONE
    outputs = made.move(18_990_000, 19_010_000)
    assert made.counters["pnl_eur_e6"] == -loss == made.tables.positions[0]["pnl_eur_e6"]
    told = [row for kind, row in outputs if kind == "desk_results"]
    if beyond < 1:
        assert not told and made.reason(1, SELL) == DONE
        return
    assert [int(told[0][n]) for n in ("command_id", "action", "reason", "value", "limit")] == [
        0, DeskAction.KILL, reason, loss, loss - 1,
    ]  # fmt: skip
    scope = KillScope.FIRM if stopped == Reason.KILLED_FIRM else KillScope.INSTRUMENT
    assert [told[0]["scope"], told[0]["subject"]] == [scope, 0]
    assert schema.unpack([told[0]["trader"]]) == "engine"
    assert made.counters["stops"] == 1
    assert made.reason(1, SELL)[0] == made.reason(1, BUY)[0] == stopped
    made.command(DeskAction.RESUME, scope=scope, subject=0)
    assert made.reason(1, SELL) == (reason, loss, loss - 1)
    assert made.reason(50, BUY)[0] == Reason.NONE  # at 19.01: less risk, and less loss by then
    assert made.reason(1, SELL, isin="XS0000000001")[0] == (
        Reason.NONE if scope == KillScope.INSTRUMENT else made_reason(made, reason)
    )


def made_reason(made: Firm, reason: Reason) -> Reason:
    """The firm's loss forbids more risk anywhere, as long as it is over the limit."""
    over = -int(made.counters["pnl_eur_e6"]) > int(made.tables.params[0]["loss_max_eur_e6"])
    return reason if over else Reason.NONE


def test_a_loss_trips_once_until_it_has_been_made_up() -> None:
    made = Firm(world_of(loss_max_eur_e6=50 * E6))
    made.order(100, SELL)
    stops = []
    for mid in (19_400, 19_000, 18_000, 20_000, 19_000):
        made.move((mid - 10) * 1_000, (mid + 10) * 1_000)
        made.command(DeskAction.RESUME, scope=KillScope.FIRM)
        stops.append(int(made.counters["stops"]))
    assert stops == [1, 1, 1, 1, 2]


def test_a_fill_itself_can_be_the_loss() -> None:
    """A quote on request that the market has left behind: taken, booked, and the firm stopped."""
    made = Firm(world_of(loss_max_eur_e6=10 * E6, rfq_valid_ns=SECOND))
    event = {"session": 0, "client": 0, "isin": INSTRUMENT["isin"], "quote_req_id": "Q1"}
    ask = to_record(schema.quote_event, event | {"action": 1, "side": BUY, "qty": 100})
    step_args = (made.tables, made.outbox)
    rfq_step.on_quote_event(*step_args, ask, made.now_ns, made.policy.address)
    given = made.tables.given_quotes[0]
    assert given["state"] == GivenState.OPEN
    rfq_step.on_quote_event(
        *step_args, to_record(schema.quote_event, event | {"action": 1, "side": BUY, "qty": 1,
                              "quote_req_id": "Q2"}), made.now_ns, made.policy.address,
    )  # fmt: skip
    made.move(20_990_000, 21_010_000)
    ref = schema.unpack(given["quote_ref"])
    made.apply("order", order("A1", ord_type=20, qty=100) | {"quote_ref": ref}, made.now_ns)
    assert made.outbox.executions[0]["kind"] == ExecKind.FILL
    assert made.counters["kill_firm"] == 1
    assert made.counters["pnl_eur_e6"] == 100 * (ASK - 21 * E6)
    assert step.is_due(made.tables, made.now_ns)
    made.apply("timer", {}, made.now_ns)  # due at once: the other quote is withdrawn
    assert made.tables.given_quotes[1]["state"] == GivenState.WITHDRAWN


# What clients did lately


def test_orders_per_second_of_a_client() -> None:
    made = Firm(world_of({"orders_per_second": 3}, clients=2))
    assert [made.reason(1)[0] for _ in range(3)] == [Reason.NONE] * 3
    refused = made.order(1)
    assert why(refused) == (Reason.CLIENT_RATE_LIMIT, 4, 3)
    assert refused["order_id"] == 0 and made.counters["orders"] == 3  # takes no room
    assert made.reason(1, client=1)[0] == Reason.NONE
    made.now_ns += SECOND // 3
    assert made.reason(1)[0] == Reason.CLIENT_RATE_LIMIT
    made.now_ns += 1
    assert made.reason(1)[0] == Reason.NONE
    made.now_ns -= 3600 * SECOND  # the clock was set back: a second later it is as ever
    assert made.reason(1)[0] == Reason.CLIENT_RATE_LIMIT


@settings(max_examples=60)
@given(
    st.integers(1, 7),
    st.lists(st.integers(0, SECOND // 2) | st.just(0), min_size=1, max_size=60),
)
def test_a_rate_is_exact(per_second: int, steps: list[int]) -> None:
    """Against a bucket of fractions, and in no second more than twice the rate."""
    made = fresh(0)
    level, now_ns, taken = Fraction(per_second), NOW_NS, []
    for step_ns in steps:
        now_ns += step_ns
        level = min(level + Fraction(step_ns * per_second, SECOND), Fraction(per_second))
        holds = bool(risk.take_rate(made, 0, per_second, now_ns))
        assert holds == (level >= 1)
        if holds:
            level -= 1
            taken.append(now_ns)
    for end in taken:
        assert sum(end - SECOND < at <= end for at in taken) < 2 * per_second


def test_requests_and_replacements_count_as_orders() -> None:
    made = Firm(world_of({"orders_per_second": 2}, rfq_valid_ns=SECOND))
    event = {"session": 0, "client": 0, "isin": INSTRUMENT["isin"], "action": 1, "qty": 1}
    reasons = []
    for name in ("Q1", "Q2", "Q3"):
        row = to_record(schema.quote_event, event | {"side": BUY, "quote_req_id": name})
        both = (made.tables, made.outbox)
        rfq_step.on_quote_event(*both, row, made.now_ns, made.policy.address)
        reasons.append(Reason(int(made.outbox.quote_reports[0]["reason"])))
    assert reasons == [Reason.NONE, Reason.NONE, Reason.CLIENT_RATE_LIMIT]
    orders = Orders(world=world_of({"orders_per_second": 2}))
    assert orders.order("A")[0][150] == "0"
    assert orders.replace("B", "A", t38=str(TO_DESK + 1))[0][150] == "5"
    assert "SI-LIMIT-RATE" in orders.replace("C", "B", t38=str(TO_DESK + 2))[0][58]
    assert orders.cancel("D", "B")[0][150] == "4"  # never throttled


def test_repeated_fills_of_a_client() -> None:
    made = Firm(
        world_of(clients=2, repeat_max=2, repeat_window_ns=5 * SECOND, stale_ns=60 * SECOND)
    )
    start = made.now_ns
    assert made.reason(1)[0] == Reason.NONE
    made.now_ns += SECOND
    assert made.reason(1)[0] == Reason.NONE
    assert made.reason(1) == (Reason.REPEAT_LIMIT, 3, 2)
    assert made.reason(1, side=5) == (Reason.REPEAT_LIMIT, 3, 2)  # short: the same direction
    assert made.reason(1, BUY) == DONE
    assert made.reason(1, isin="XS0000000001") == DONE
    assert made.reason(1, client=1) == DONE
    made.now_ns = start + 5 * SECOND - 1
    assert made.reason(1)[0] == Reason.REPEAT_LIMIT
    made.now_ns += 1
    assert made.reason(1) == DONE
    assert made.reason(1)[0] == Reason.REPEAT_LIMIT


FILLS = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.sampled_from([-1, 1]),
        st.sampled_from([0, 0, 1, 7, 40, 99, 100, 101, -30]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60)
@given(FILLS, st.integers(1, REPEATS_MAX))
def test_repeats_are_counted_exactly(fills: list[tuple[int, int, int, int]], limit: int) -> None:
    """Against a plain list of all fills; a fill that is ahead of the clock does not count."""
    made = fresh(64)
    made.params[0]["repeat_max"], made.params[0]["repeat_window_ns"] = limit, 100
    done: list[tuple[tuple[int, int, int], int]] = []
    now_ns = NOW_NS
    for client, instrument, moved, step_ns in fills:
        now_ns += step_ns
        key = (client, instrument, moved)
        made_at = [at for other, at in done if other == key]
        lately = len(made_at) >= limit and 0 <= now_ns - made_at[-limit] < 100
        execution = rig.row(schema.execution, ts_ns=now_ns)
        reason = checks.check_flow(made, execution, instrument, client, moved)
        assert reason == (Reason.REPEAT_LIMIT if lately else Reason.NONE)
        if not lately:
            risk.count_fill(made, execution, client, instrument, moved, 0)
            done.append((key, now_ns))


def test_no_room_to_count_repeats_is_a_named_reject() -> None:
    made = fresh(REPEAT_PROBES)
    made.params[0]["repeat_max"], made.params[0]["repeat_window_ns"] = 1, 100
    execution = rig.row(schema.execution, ts_ns=NOW_NS)
    for row in range(REPEAT_PROBES):
        assert checks.check_flow(made, execution, row, 0, 1) == Reason.NONE
        risk.count_fill(made, execution, 0, row, 1, 0)
    assert checks.check_flow(made, execution, 63, 0, 1) == Reason.REPEATS_FULL
    assert why_of(execution) == (REPEAT_PROBES, REPEAT_PROBES)
    assert checks.check_flow(made, execution, 3, 0, 1) == Reason.REPEAT_LIMIT
    execution["ts_ns"] += 100
    assert checks.check_flow(made, execution, 63, 0, 1) == Reason.NONE


def why_of(execution: Any) -> tuple[int, int]:
    return int(execution["reason_value"]), int(execution["reason_limit"])


def test_the_norm_holds_for_all_clients_together() -> None:
    made = Firm(world_of(clients=3, undue_fills_max=3, stale_ns=60 * SECOND))
    assert [made.reason(1, client=n)[0] for n in (0, 1, 2)] == [Reason.NONE] * 3
    assert made.reason(1, client=0) == (Reason.UNDUE_FILLS, 4, 3)
    made.now_ns += SECOND
    assert made.reason(1, client=1)[0] == Reason.UNDUE_FILLS  # never less than a second
    made.now_ns += SECOND // 16
    assert made.reason(1, client=1) == DONE


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, MS, 60 * MS, 100 * MS, 500 * MS, 2 * SECOND]),
                  st.integers(1, 30)),
        min_size=1, max_size=40,
    ),
    st.integers(1, 6), st.integers(20, 90),
)  # fmt: skip
def test_the_norm_in_any_second(
    orders: list[tuple[int, int]], fills_max: int, eur_max: int
) -> None:
    """Never more than the number in any second, and nothing refused that 17 / 16 s would allow."""
    made = fresh(0)
    params = made.params[0]
    params["undue_fills_max"], params["undue_max_eur_e6"] = fills_max, eur_max
    done: list[tuple[int, int]] = []
    now_ns = NOW_NS
    for step_ns, value in orders:
        now_ns += step_ns
        execution = rig.row(schema.execution, ts_ns=now_ns, value_eur_e6=value)
        reason = checks.check_flow(made, execution, 0, 0, 1)
        for window, refused in ((SECOND, True), (SECOND * 17 // 16, False)):
            lately = [eur for at, eur in done if now_ns - at < window]
            over = len(lately) + 1 > fills_max or sum(lately) + value > eur_max
            if over == refused:
                assert (reason != Reason.NONE) == refused
        if reason == Reason.NONE:
            risk.count_fill(made, execution, 0, 0, 1, value)
            done.append((now_ns, value))


def test_a_clock_set_back_does_not_stop_trading() -> None:
    made = Firm(world_of(undue_fills_max=1, repeat_max=1, repeat_window_ns=SECOND))
    assert made.reason(1) == DONE
    made.now_ns -= 3600 * SECOND
    made.move(BID, ASK)
    assert made.reason(1) == DONE
    assert made.reason(1)[0] == Reason.REPEAT_LIMIT


# All of it, replayed


def test_a_replay_gives_the_same_state() -> None:
    """Every limit on, some of them hit, a loss that stops the firm: the journal says it again."""
    limits = {
        "loss_max_eur_e6": 90 * E6, "instrument_loss_max_eur_e6": 500 * E6, "repeat_max": 3,
        "gross_max_eur_e6": 60_000 * E6, "net_max_eur_e6": 60_000 * E6, "undue_fills_max": 5,
        "repeat_window_ns": 2 * SECOND, "undue_max_eur_e6": 90_000 * E6, "stale_ns": 60 * SECOND,
    }  # fmt: skip
    client = {"orders_per_second": 6, "credit_max_eur_e6": 60_000 * E6}
    orders = Orders(world=world_of(client, **limits))
    texts: list[str] = []
    for number in range(12):
        reports = orders.order(f"A{number}", t54=str(1 + number % 2), t38=str(AT_ONCE), t40="1",
                               t44=None)  # fmt: skip
        texts += [report.get(58, "") for report in reports]
        orders.now_ns += 90 * MS
    orders.now_ns += SECOND
    orders.order("D1")
    orders.desk(FILL, 1, px_e6=20_010_000)
    assert orders.engine.tables.positions[0]["qty"] < -TO_DESK // 2
    orders.market(20_990_000, 21_010_000)
    assert orders.engine.tables.counters[0]["kill_firm"] == 1
    texts.append(orders.order("A99", t38="1")[0][58])
    for prefix in ("SI-LIMIT-REPEAT", "SI-LIMIT-NORM", "SI-NOQUOTE-KILL"):
        assert any(text.startswith(prefix) for text in texts), texts
    assert np.count_nonzero(orders.engine.tables.repeats["fills"]) > 0
    orders.check_replay()


def test_a_client_reads_no_number_of_the_firms_own() -> None:
    orders = Orders(world=world_of(gross_max_eur_e6=1_000 * E6))
    [report] = orders.order("A1", t38=str(AT_ONCE), t40="1", t44=None)
    assert report[58] == "SI-LIMIT-FIRM over a risk limit of the firm"
