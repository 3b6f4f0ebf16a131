"""When yearly results of FITRS start to apply, as dated data.

"RTS 1" is Delegated Regulation (EU) 2017/587; ESMA's instructions are ESMA65-8-5240. `sure` is
False where a row rests on memory or on one of two readings: have it checked before use.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

MONDAY = 0
ONE_DAY = timedelta(days=1)
#: ESTM results apply for six calendar weeks from the first trading day, FFWK results from then on
#: (RTS 1 Art 11(4)-(7); ESMA65-8-5240 par. 28, 29).
SIX_WEEKS = timedelta(weeks=6)
#: A later year stands for "never" in the files; no rule is carried on to it.
YEAR_MAX = 2200


def first_of_april(year: int) -> date:
    return date(year, 4, 1)


def first_monday_of_april(year: int) -> date:
    """1 to 7 April."""
    first = first_of_april(year)
    return first + timedelta(days=(MONDAY - first.weekday()) % 7)


class SwitchRule(NamedTuple):
    """The day of a year from which the results for the year before apply, for the switches that
    fall between two dates; `valid_to` is exclusive, None is open."""

    name: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    day_of: Callable[[int], date]
    citation: str
    sure: bool


SWITCH_RULES = (
    SwitchRule("1 April", "EU", date(2018, 1, 3), date(2023, 6, 5), first_of_april,
               "RTS 1 Art 17(2) as of 3 Jan 2018", True),
    SwitchRule("first Monday of April", "EU", date(2023, 6, 5), None, first_monday_of_april,
               "RTS 1 Art 17(2), by DR (EU) 2023/944; ESMA65-8-5240 par. 30", True),
    # From memory: the onshored article, whose amendments were not read.
    SwitchRule("1 April", "UK", date(2018, 1, 3), None, first_of_april,
               "UK RTS 1 Art 17(2) as onshored", False),
)  # fmt: skip


class FirstYearRule(NamedTuple):
    """Who waits a year longer for a first yearly result: instruments first traded on or after this
    day of the year, for first trading days between two dates (`valid_to` is exclusive)."""

    jurisdiction: str
    valid_from: date
    valid_to: date | None
    month: int
    day: int
    citation: str
    sure: bool


FIRST_YEAR_RULES = (
    # Footnote 44 says 1 December where the table says 3 December. The table holds here: it ends
    # the result of an instrument first traded on 1 or 2 December a year earlier, so that for want
    # of a yearly result its orders are rejected rather than taken on old figures.
    FirstYearRule("EU", date(2018, 1, 3), None, 12, 3, "ESMA65-8-5240 par. 29, table", False),
    FirstYearRule("UK", date(2018, 1, 3), None, 12, 3, "as in the EU", False),
)  # fmt: skip


def switch_day(year: int, jurisdiction: str = "EU") -> date:
    """The first day in `year` of the yearly results for `year - 1`; LookupError if none."""
    for rule in SWITCH_RULES if 1 <= year <= YEAR_MAX else ():
        day = rule.day_of(year)
        if rule.jurisdiction == jurisdiction and _holds(rule.valid_from, rule.valid_to, day):
            return day
    raise LookupError(f"no rule for the switch in April {year}, {jurisdiction}")


def yearly_period(reported_year: int, jurisdiction: str = "EU") -> tuple[date, date]:
    """First and last day on which the results for a calendar year apply; LookupError if none."""
    first = switch_day(reported_year + 1, jurisdiction)
    return first, switch_day(reported_year + 2, jurisdiction) - ONE_DAY


def four_week_period(first_traded: date, jurisdiction: str = "EU") -> tuple[date, date]:
    """First and last day on which a result of the first four weeks of trading applies; LookupError
    if none."""
    for rule in FIRST_YEAR_RULES:
        if rule.jurisdiction == jurisdiction and _holds(
            rule.valid_from, rule.valid_to, first_traded
        ):
            late = (first_traded.month, first_traded.day) >= (rule.month, rule.day)
            switch = switch_day(first_traded.year + (2 if late else 1), jurisdiction)
            return first_traded + SIX_WEEKS, switch - ONE_DAY
    raise LookupError(f"no rule for a first trading day {first_traded.isoformat()}, {jurisdiction}")


def estimate_period(first_traded: date) -> tuple[date, date]:
    """First and last day on which an estimate applies, six calendar weeks; LookupError if none."""
    if first_traded.year > YEAR_MAX:
        raise LookupError(f"no rule for a first trading day {first_traded.isoformat()}")
    return first_traded, first_traded + SIX_WEEKS - ONE_DAY


def _holds(valid_from: date, valid_to: date | None, day: date) -> bool:
    return valid_from <= day and (valid_to is None or day < valid_to)
