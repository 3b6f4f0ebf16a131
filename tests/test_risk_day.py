"""A day of a random firm, valued input by input: the engine's sums are those of fractions."""

from collections import Counter
from fractions import Fraction

import pytest

from engine.enums import ExecKind, Reason
from tests.firm import E6
from tests.risk_oracle import Ledger
from tests.test_oracle import Engine, open_items_of, set_up
from tests.world import inputs, make_world

SEED, INPUTS = 5, 2_500

LIMITS = {
    "none": {},
    "exposure": {"gross_max_eur_e6": 90_000 * E6, "net_max_eur_e6": 40_000 * E6},
    "loss": {"loss_max_eur_e6": 40 * E6, "instrument_loss_max_eur_e6": 25 * E6},
}


def check_stops(ledger: Ledger, engine: Engine, limits: dict[str, int], tripped: set[int]) -> int:
    """Where a loss has just gone over its limit the switch is set; how many did. -1 is the firm."""
    counters, count = engine.tables.counters[0], 0
    pnl = {-1: ledger.sums()[0]} | {row: ledger.pnl_eur_e6(row) for row in range(len(ledger.held))}
    for row, now in pnl.items():
        limit = limits.get("loss_max_eur_e6" if row < 0 else "instrument_loss_max_eur_e6", 0)
        if not limit or -now <= limit:
            tripped.discard(row)
        elif row not in tripped:
            tripped.add(row)
            count += 1
            assert counters["kill_firm"] if row < 0 else engine.tables.positions[row]["killed"]
    return count


@pytest.mark.parametrize("which", LIMITS)
def test_a_day_is_worth_what_fractions_say(which: str) -> None:
    """Buys, sells, marks, currencies, the desk, part-fills: after every input the same sums."""
    limits = LIMITS[which]
    world = make_world(SEED, INPUTS)
    world = world._replace(params=world.params | limits)
    engine, books = Engine(world, "ticks"), set_up(world, "ticks")
    rates = [Fraction(row["eur_per_unit_e9"], 10**9) for row in world.instruments]
    ledger, seen, tripped = Ledger(books, rates), Counter[int](), set[int]()
    rows = {row["isin"]: index for index, row in enumerate(world.instruments)}
    for name, fields, ts_ns in inputs(world, SEED, INPUTS, lambda: open_items_of(engine)):
        if name == "params":
            engine.set_params(fields | limits)
            books.set_params(**fields)
            continue
        stops = int(engine.tables.counters[0]["stops"])
        outputs = engine.apply(name, fields, ts_ns)
        if name == "venue_quote":
            books.venue_quote(fields, ts_ns)
            if fields["isin"] in rows and fields["mic"] in world.venues:
                ledger.on_quote(rows[fields["isin"]], ts_ns)
        for kind, row in outputs:
            if kind == "executions":
                seen[int(row["reason"])] += 1
            if kind == "executions" and row["kind"] == ExecKind.FILL:
                old = ledger.held[int(row["instrument"])].qty
                ledger.on_fill(row, ts_ns)
                check_limits(ledger, limits, old, int(row["instrument"]))
                seen[-1] += 1
        counters = engine.tables.counters[0]
        found = tuple(int(counters[n]) for n in ("pnl_eur_e6", "gross_eur_e6", "net_eur_e6"))
        assert found == ledger.sums()
        told = [row for kind, row in outputs if kind == "desk_results" and row["command_id"] == 0]
        told = [row for row in told if row["reason"] >= Reason.FIRM_LOSS_LIMIT]
        count = check_stops(ledger, engine, limits, tripped)
        assert len(told) == counters["stops"] - stops == count
        seen[-2] += count
    for row, held in enumerate(ledger.held):
        position = engine.tables.positions[row]
        assert (position["qty"], position["cash_e6"]) == (held.qty, held.cash * E6)
        assert position["mark_px_x2_e6"] == 2 * held.mark * E6
        assert position["pnl_eur_e6"] == ledger.pnl_eur_e6(row)
        assert position["value_eur_e6"] == ledger.value_eur_e6(row)
    assert seen[-1] > 25
    assert (seen[Reason.GROSS_LIMIT] > 0 and seen[Reason.NET_LIMIT] > 0) == (
        "gross_max_eur_e6" in limits
    )
    assert (seen[-2] > 1) == ("loss_max_eur_e6" in limits)


def check_limits(ledger: Ledger, limits: dict[str, int], old: int, row: int) -> None:
    """No fill takes an exposure over its limit, or further over it."""
    if not limits.get("gross_max_eur_e6"):
        return
    held = ledger.held[row]
    _, gross, net = ledger.sums()
    if abs(ledger.held[row].qty) > abs(old):
        assert gross <= limits["gross_max_eur_e6"]
    if abs(net) > limits["net_max_eur_e6"]:
        ledger.held[row] = held._replace(qty=old)
        assert abs(net) <= abs(ledger.sums()[2])
        ledger.held[row] = held
