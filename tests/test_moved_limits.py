"""A limit that is raised, lowered, lifted and set again: what was counted before still counts."""

from typing import Any

import pytest

from engine import tables
from engine.enums import DeskAction, KillScope, Reason
from tests.firm import CLIENT, E6
from tests.test_risk import BUY, SELL, Firm, world_of
from tests.world import MS, SECOND

BY_PARAMS = {"repeat_window_ns": SECOND, "stale_ns": 600 * SECOND}


class Desk(Firm):
    """A firm whose limits move."""

    def __init__(self, client: dict[str, int] | None = None, **params: int) -> None:
        self.world = world_of(client, clients=2, **BY_PARAMS | params)
        super().__init__(self.world)

    def client(self, **limits: int) -> None:
        self._set(tables.CLIENT, 0, CLIENT | {"name": "client0"} | limits)

    def firm(self, **limits: int) -> None:
        self.world = self.world._replace(params=self.world.params | limits)
        self.set_params(self.world.params)

    def reasons(self, count: int, side: int = BUY, qty: int = 1) -> list[Reason]:
        return [self.reason(qty, side)[0] for _ in range(count)]


def spent(done: int, reason: Reason, refused: int = 1) -> list[Reason]:
    return [Reason.NONE] * done + [reason] * refused


RATE = Reason.CLIENT_RATE_LIMIT


def test_a_rate_lowered_in_mid_second_is_soon_free_again() -> None:
    """Not before a hundred seconds, if what was used of 1,000 were paid back at 10 a second."""
    made = Desk({"orders_per_second": 30})
    assert made.reasons(31) == spent(30, RATE)
    made.client(orders_per_second=3)
    assert made.reasons(1) == [RATE]
    made.now_ns += SECOND // 3 + 1
    assert made.reasons(2) == spent(1, RATE)
    made.now_ns += SECOND
    assert made.reasons(4) == spent(3, RATE)


def test_a_rate_raised_lifted_and_set_again() -> None:
    made = Desk({"orders_per_second": 2})
    assert made.reasons(3) == spent(2, RATE)
    made.client(orders_per_second=5)
    assert made.reasons(4) == spent(3, RATE)  # two of the five are used
    made.client()
    assert made.reasons(20) == spent(20, RATE, 0)
    made.client(orders_per_second=5)  # in the same second: what came in between is not counted
    assert made.reasons(1) == [RATE]
    made.client()
    made.now_ns += SECOND
    made.client(orders_per_second=5)
    assert made.reasons(6) == spent(5, RATE)


def test_repeats() -> None:
    """The ring has the last sixteen fills, whatever the limit was; none are counted without one."""
    made = Desk(repeat_max=5)
    assert made.reasons(4) == spent(4, Reason.NONE, 0)
    made.firm(repeat_max=2)
    assert made.reason(1, BUY) == (Reason.REPEAT_LIMIT, 3, 2)
    made.firm(repeat_max=16)
    assert made.reasons(13) == spent(12, Reason.REPEAT_LIMIT)
    made.firm(repeat_max=0)
    assert made.reasons(3) == spent(3, Reason.NONE, 0)
    made.now_ns += 600 * MS
    made.firm(repeat_max=1)
    assert made.reasons(1) == [Reason.REPEAT_LIMIT]
    made.firm(repeat_window_ns=500 * MS)
    assert made.reasons(2) == spent(1, Reason.REPEAT_LIMIT)
    made.now_ns += 700 * MS
    made.firm(repeat_window_ns=SECOND)
    assert made.reasons(1) == [Reason.REPEAT_LIMIT]


def test_the_norm() -> None:
    """The sums are those of their slots at any time: nothing is left over, nothing negative."""
    made = Desk(undue_fills_max=3)
    assert made.reasons(4) == spent(3, Reason.UNDUE_FILLS)
    made.firm(undue_fills_max=2)
    assert made.reason(1, BUY) == (Reason.UNDUE_FILLS, 4, 2)
    made.firm(undue_fills_max=4)
    assert made.reasons(2) == spent(1, Reason.UNDUE_FILLS)
    made.firm(undue_fills_max=0)
    assert made.reasons(9) == spent(9, Reason.NONE, 0)
    made.firm(undue_fills_max=5, undue_max_eur_e6=30 * E6)  # the nine were not counted
    assert made.reason(1, BUY) == (Reason.NONE, 0, 0)
    assert made.reason(1, BUY)[0] == Reason.UNDUE_FILLS
    made.firm(undue_fills_max=9, undue_max_eur_e6=30 * E6)
    assert made.reason(1, BUY) == (Reason.UNDUE_VALUE, 40 * E6, 30 * E6)
    made.firm(undue_fills_max=9, undue_max_eur_e6=0)
    assert made.reasons(1) == [Reason.NONE]
    flow = made.tables.flow[0]
    assert int(flow["fills"].sum()) == int(flow["fills_sum"]) == 6
    assert int(flow["value_eur_e6"].sum()) == int(flow["sum_eur_e6"]) == 20 * E6
    made.now_ns += 2 * SECOND
    made.firm(undue_fills_max=1, undue_max_eur_e6=20 * E6)
    assert made.reasons(2) == spent(1, Reason.UNDUE_FILLS)
    assert (int(flow["fills_sum"]), int(flow["sum_eur_e6"])) == (1, 20 * E6)


@pytest.mark.parametrize(
    ("limit", "unit", "reason"),
    [
        ("day_max_eur_e6", 20 * E6, Reason.CLIENT_DAY_LIMIT),
        ("fills_max", 1, Reason.CLIENT_COUNT_LIMIT),
        ("credit_max_eur_e6", 20 * E6, Reason.CREDIT_LIMIT),
    ],
)
def test_what_a_day_adds_up_to_counts_from_its_beginning(
    limit: str, unit: int, reason: Reason
) -> None:
    """Also what was done while there was no limit; one under what is used refuses what is next."""
    made = Desk()
    assert made.reasons(3) == spent(3, Reason.NONE, 0)
    made.client(**{limit: 4 * unit + unit // 10})
    assert made.reasons(2) == spent(1, reason)
    made.client(**{limit: unit})
    assert made.reasons(1) == [reason]
    made.client(**{limit: 6 * unit + unit // 10})
    assert made.reasons(3) == spent(2, reason)
    made.client()
    assert made.reasons(1) == [Reason.NONE]
    made.client(**{limit: unit})
    back = Reason.NONE if limit == "credit_max_eur_e6" else reason  # less owed than before
    assert made.reasons(1, SELL) == [back]


def test_gross_and_net_count_what_is_there() -> None:
    made = Desk()
    assert made.reasons(1, SELL, 100) == [Reason.NONE]  # 2,000 EUR
    made.firm(gross_max_eur_e6=1_000 * E6, net_max_eur_e6=1_000 * E6)
    assert made.reason(1, SELL) == (Reason.GROSS_LIMIT, 2_020 * E6, 1_000 * E6)
    assert made.reasons(1, BUY, 10) == [Reason.NONE]
    made.firm(gross_max_eur_e6=0, net_max_eur_e6=2_000 * E6)
    assert made.reasons(2, SELL, 10) == spent(1, Reason.NET_LIMIT)


@pytest.mark.parametrize("firm", [True, False])
def test_a_loss_over_a_new_limit_stops_trading_again(firm: bool) -> None:
    """With the next move of the market; until then it lets no position grow."""
    name = "loss_max_eur_e6" if firm else "instrument_loss_max_eur_e6"
    scope = KillScope.FIRM if firm else KillScope.INSTRUMENT
    reason = Reason.FIRM_LOSS_LIMIT if firm else Reason.INSTRUMENT_LOSS_LIMIT
    made = Desk(**{name: 150 * E6})
    assert made.reasons(1, SELL, 100) == [Reason.NONE]

    def lose(mid: int) -> int:
        made.move(mid - 10_000, mid + 10_000)
        return int(made.counters["stops"])

    assert lose(19_000_000) == 0  # 99 EUR lost
    made.firm(**{name: 50 * E6})
    assert made.reason(1, SELL) == (reason, 99 * E6, 50 * E6)
    assert made.counters["stops"] == 0
    assert lose(18_990_000) == 1
    made.command(DeskAction.RESUME, scope=scope)
    assert lose(18_980_000) == 1  # a person has seen it
    made.firm(**{name: 60 * E6})
    assert lose(18_990_000) == 2
    made.command(DeskAction.RESUME, scope=scope)
    made.firm(**{name: 0})
    assert lose(18_000_000) == 2 and made.reasons(1, SELL) == [Reason.NONE]
    assert lose(21_000_000) == 2  # made up, while nobody looked
    made.firm(**{name: 60 * E6})
    assert lose(19_000_000) == 3
    made.command(DeskAction.RESUME, scope=scope)
    made.firm(**{name: 500 * E6})
    assert lose(18_900_000) == 3 and made.reasons(1, SELL) == [Reason.NONE]


def test_other_settings_leave_a_stop_as_it_was() -> None:
    made = Desk(loss_max_eur_e6=50 * E6)
    made.order(100, SELL)
    told: list[Any] = made.move(18_990_000, 19_010_000)
    assert any(kind == "desk_results" for kind, _ in told)
    made.command(DeskAction.RESUME, scope=KillScope.FIRM)
    made.firm(gross_max_eur_e6=10**12)
    made.move(18_980_000, 19_000_000)
    assert made.counters["stops"] == 1
