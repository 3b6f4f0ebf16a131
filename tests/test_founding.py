"""The founding documents' own examples of where an order goes, and what the review changed.

Their thresholds are hypothetical, so they are given to the engine here. Both documents describe the
rules of 2018; the second column of each table is the same order from 23 November 2025 on.
"""

from datetime import date
from typing import Any, NamedTuple

import pytest

from engine.enums import ExecKind, Route, Zone
from engine.regimes import midnight_ns, regime_rows
from tests.firm import E6, firm, order, venue_quote
from tests.test_oracle import Engine
from tests.world import HOUR

NOON = {
    "eu-2018": midnight_ns(date(2025, 11, 21)) + 12 * HOUR,
    "eu-2025": midnight_ns(date(2025, 11, 24)) + 12 * HOUR,
}
REGIMES = [{name: int(row[name]) for name in row.dtype.names} for row in regime_rows()]

QUOTING_ENGINE, DESK = Route.AUTO, Route.DESK


class Answer(NamedTuple):
    """Where an order lies and who answers it."""

    zone: Zone
    route: Route


def answer(regime: str, sms_eur: int, lis_eur: int, shares: int, px_eur: int = 20) -> Answer:
    """Send one market order at a spread of two ticks around the price, where our quote is it."""
    ts_ns = NOON[regime]
    thresholds = {"sms_e6": sms_eur * E6, "lis_e6": lis_eur * E6}
    engine = Engine(firm(instrument=thresholds, regimes=REGIMES), "none")
    tick_e6 = 10_000 if px_eur < 50 else 20_000  # of the ask
    quote = venue_quote(px_eur * E6 - tick_e6, px_eur * E6 + tick_e6)
    engine.apply("venue_quote", quote, ts_ns)
    outputs = engine.apply("order", order("A", qty=shares), ts_ns)
    execution: Any = outputs[0][1]
    assert execution["notional_e6"] == shares * px_eur * E6
    done = {Route.AUTO: ExecKind.FILL, Route.DESK: ExecKind.NEW}
    assert execution["kind"] == done[Route(execution["route"])]
    return Answer(Zone(execution["zone"]), Route(execution["route"]))


@pytest.mark.parametrize(
    ("sms", "lis", "until_2025", "since_2025"),
    [
        # "Obligated to provide a firm, public quote as order is below SMS."
        (62_500, 650_000, Zone.WITHIN_OBLIGATION, Zone.WITHIN_MIN_QUOTE),
        # "Not obligated ... above SMS (but below LIS). May quote discretionarily."
        (37_500, 400_000, Zone.DISCRETIONARY, Zone.WITHIN_OBLIGATION),
        # "Order qualifies as LIS, allowing for private negotiation."
        (10_000, 50_000, Zone.LARGE_IN_SCALE, Zone.LARGE_IN_SCALE),
    ],
    ids=["high liquidity", "medium liquidity", "low liquidity"],
)
def test_an_order_of_50_000_euros(sms: int, lis: int, until_2025: Zone, since_2025: Zone) -> None:
    route = {
        Zone.WITHIN_MIN_QUOTE: QUOTING_ENGINE,
        Zone.WITHIN_OBLIGATION: QUOTING_ENGINE,
        Zone.DISCRETIONARY: DESK,
        Zone.LARGE_IN_SCALE: DESK,
    }
    for regime, zone in (("eu-2018", until_2025), ("eu-2025", since_2025)):
        assert answer(regime, sms, lis, 2_500) == Answer(zone, route[zone])


@pytest.mark.parametrize("px", [20, 50])
def test_sms_of_7_500_shares(px: int) -> None:
    """500 shares are sub-SMS; 10 000 are supra-SMS, and to the desk with or without LIS."""
    sms = 7_500 * px
    for lis, supra in ((100 * sms, Zone.DISCRETIONARY), (10_000 * px, Zone.LARGE_IN_SCALE)):
        until = [answer("eu-2018", sms, lis, shares, px) for shares in (500, 7_500, 10_000)]
        assert until == [
            Answer(Zone.WITHIN_MIN_QUOTE, QUOTING_ENGINE),
            Answer(Zone.WITHIN_OBLIGATION, QUOTING_ENGINE),
            Answer(supra, DESK),
        ]


@pytest.mark.parametrize("px", [20, 50])
def test_the_obligation_is_twice_sms_since_the_review(px: int) -> None:
    """10 000 shares are then within 2 x SMS = 15 000; where LIS is lower the obligation wins."""
    sms = 7_500 * px
    for lis, beyond in ((100 * sms, Zone.DISCRETIONARY), (10_000 * px, Zone.LARGE_IN_SCALE)):
        since = [
            answer("eu-2025", sms, lis, shares, px)
            for shares in (500, 7_500, 7_501, 10_000, 15_000, 15_001)
        ]
        assert since == [
            Answer(Zone.WITHIN_MIN_QUOTE, QUOTING_ENGINE),
            Answer(Zone.WITHIN_MIN_QUOTE, QUOTING_ENGINE),
            Answer(Zone.WITHIN_OBLIGATION, QUOTING_ENGINE),
            Answer(Zone.WITHIN_OBLIGATION, QUOTING_ENGINE),
            Answer(Zone.WITHIN_OBLIGATION, QUOTING_ENGINE),
            Answer(beyond, DESK),
        ]


def test_the_rules_change_at_midnight() -> None:
    """The last instant of 22 November 2025 is under the old rules."""
    midnight = midnight_ns(date(2025, 11, 23))
    for ts_ns, zone in ((midnight - 1, Zone.DISCRETIONARY), (midnight, Zone.WITHIN_OBLIGATION)):
        engine = Engine(firm(instrument={"sms_e6": 37_500 * E6}, regimes=REGIMES), "none")
        engine.apply("venue_quote", venue_quote(19_990_000, 20_010_000), ts_ns)
        [(_, execution), *_] = engine.apply("order", order("A", qty=2_500), ts_ns)
        assert execution["zone"] == zone
