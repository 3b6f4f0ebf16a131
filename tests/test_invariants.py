"""What holds of every fill, whatever priced it: a breach stops the firm, nothing else does."""

import pytest

from engine import checks, desk, rfq_step, schema, step
from engine.enums import DeskAction, DeskState, ExecKind, GivenState, KillScope, OrderState, Reason
from engine.jit import JIT
from tests import rig
from tests.firm import E6, INSTRUMENT, order
from tests.test_oracle import to_record
from tests.test_risk import ASK, BID, BUY, DONE, SELL, Firm, why, why_of, world_of
from tests.world import SECOND

INTERPRETED = pytest.mark.skipif(JIT, reason="a function of the engine is replaced")


@INTERPRETED
@pytest.mark.parametrize(
    ("px", "bound"),
    [(ASK + 10_000, ASK), (BID - 10_000, BID), (20_003_000, 5_000), (0, BID)],
)
def test_a_wrong_gate_stops_the_firm(px: int, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No assertion, no fill: the order is refused with the price, and so is everything after."""
    made = Firm(world_of())
    monkeypatch.setattr(step, "gate", lambda *_: (px, 0))
    outputs = made.apply("order", order("B1", qty=10, side=BUY), made.now_ns)
    refused = outputs[0][1].copy()
    assert why(refused)[0] == Reason.INVARIANT and refused["kind"] == ExecKind.REJECTED
    assert refused["reason_value"] == px
    assert refused["reason_limit"] == bound or bound == 5_000
    assert refused["policy_px_e6"] == ASK and refused["quote_ask_px_e6"] == ASK
    told = [row for kind, row in outputs if kind == "desk_results"]
    assert [told[0]["reason"], told[0]["value"]] == [Reason.INVARIANT, px]
    assert made.tables.positions[0]["qty"] == 0 and made.counters["kill_firm"] == 1
    assert made.tables.orders[0]["state"] == OrderState.REJECTED
    monkeypatch.undo()
    assert made.reason(1, BUY)[0] == Reason.KILLED_FIRM
    made.command(DeskAction.RESUME, scope=KillScope.FIRM)
    assert made.reason(1, BUY) == DONE


@INTERPRETED
def test_a_wrong_desk_check_stops_the_firm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The item stays as it was; the command is refused with the price and the client's limit."""
    made = Firm(world_of())
    made.order(2_000, BUY, ord_type=2, limit_px_e6=ASK)
    monkeypatch.setattr(desk, "check_desk_px", lambda *_: Reason.NONE)
    outputs = made.command(DeskAction.FILL, item_id=1, px_e6=ASK + 10_000)
    results = [row for kind, row in outputs if kind == "desk_results"]
    numbers = [[int(row[n]) for n in ("command_id", "reason", "value", "limit")] for row in results]
    assert numbers == [[c, Reason.INVARIANT, ASK + 10_000, ASK] for c in (1, 0)]
    assert not [kind for kind, _ in outputs if kind == "executions"]
    assert made.counters["kill_firm"] == 1 and made.tables.positions[0]["qty"] == 0
    assert made.tables.desk_items[0]["state"] == DeskState.QUEUED


@pytest.mark.parametrize(
    ("side", "public", "px", "bound"),
    [(BUY, "public_ask_px_e6", ASK, ASK - 10_000), (SELL, "public_bid_px_e6", BID, BID + 10_000)],
)
def test_a_given_quote_that_was_worse_than_the_public_one(
    side: int, public: str, px: int, bound: int
) -> None:
    """Only a fault could have given it: it is refused when it is taken."""
    made = Firm(world_of(rfq_valid_ns=SECOND))
    event = {"session": 0, "client": 0, "isin": INSTRUMENT["isin"], "quote_req_id": "Q1"}
    ask = to_record(schema.quote_event, event | {"action": 1, "side": side, "qty": 100})
    both = (made.tables, made.outbox)
    rfq_step.on_quote_event(*both, ask, made.now_ns, made.policy.address)
    given = made.tables.given_quotes[0]
    given[public] = bound
    ref = schema.unpack(given["quote_ref"])
    taken = order("A1", ord_type=20, qty=100, side=side)
    made.apply("order", taken | {"quote_ref": ref}, made.now_ns)
    assert why(made.outbox.executions[0]) == (Reason.INVARIANT, px, bound)
    assert made.counters["kill_firm"] == 1 and given["state"] == GivenState.OPEN


def test_an_order_is_never_filled_beyond_its_quantity() -> None:
    made = Firm(world_of())
    row = rig.row(schema.order, side=BUY, qty=10, filled_qty=6)
    execution = rig.row(schema.execution)
    for qty, expected in ((4, Reason.NONE), (5, Reason.INVARIANT_QTY), (0, Reason.INVARIANT_QTY)):
        found = checks.check_invariants(made.tables, execution, row, qty, BID, BID, ASK, BID + ASK)
        assert found == expected
    assert why_of(execution) == (0, 4)


@INTERPRETED
@pytest.mark.parametrize(
    ("instrument", "client", "value", "limit"),
    [
        ({"position_max_e6": 2_000 * E6}, {}, 101, 2 * 2_000 * E6 // (BID + ASK)),
        ({}, {"fills_max": 1}, 2, 1),
        ({}, {"day_max_eur_e6": 3_000 * E6}, 3_019, 3_000),
    ],
)
def test_a_limit_that_was_not_looked_at_stops_the_firm(
    instrument: dict[str, int], client: dict[str, int], value: int, limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Up to the limit orders are filled; where the check of limits is gone the firm stops."""
    world = world_of(client)
    made = Firm(world._replace(instruments=[INSTRUMENT | instrument]))
    monkeypatch.setattr(checks, "check_fill_limits", lambda *_: Reason.NONE)
    assert made.reason(50) == DONE
    found = made.reason(51 if instrument else 101)
    assert found == (Reason.INVARIANT_LIMIT, value, limit)
    assert made.counters["kill_firm"] == 1 and made.tables.positions[0]["qty"] == 50


def test_what_the_checks_let_pass_no_internal_check_stops() -> None:
    """At every limit, and one share over it: the ordinary reject, never the internal one."""
    rows = {"fills_max": 3, "day_max_eur_e6": 10_000 * E6}
    made = Firm(world_of(rows)._replace(instruments=[INSTRUMENT | {"position_max_e6": 4_000 * E6}]))
    assert made.reason(201)[0] == Reason.POSITION_LIMIT and made.reason(200) == DONE
    assert made.reason(301, BUY)[0] == Reason.CLIENT_DAY_LIMIT and made.reason(300, BUY) == DONE
    assert made.reason(1)[0] == Reason.CLIENT_DAY_LIMIT and made.counters["kill_firm"] == 0
