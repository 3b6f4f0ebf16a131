"""The calendar of the assessment: DR (EU) 2017/565 Art 17.

An assessment is named after the quarter in which it starts and looks back on the six calendar
months before: that of 2024Q3 starts on Monday 1 July 2024 and covers January to June 2024.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from refdata.si_status.thresholds import History

QUARTER_FORM = re.compile(r"([0-9]{4})Q([1-4])")
YEAR_MIN, YEAR_MAX = 2000, 9000
FRIDAY = 4
#: When firms are to comply, after the publication: from memory, have it checked.
COMPLY_DAY = 15
COMPLY_SURE = False
NO_DAYS: Collection[date] = ()


class Quarter(NamedTuple):
    """A calendar quarter; as an assessment, the one that starts in it."""

    year: int
    number: int  # 1..4

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"

    @property
    def first_day(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    def shifted(self, quarters: int) -> "Quarter":
        """The quarter so many quarters later; earlier where negative."""
        year, number = divmod(4 * self.year + self.number - 1 + quarters, 4)
        return Quarter(year, number + 1)

    @property
    def data_from(self) -> date:
        """First day of the six months that are looked at."""
        return self.shifted(-2).first_day

    @property
    def data_to(self) -> date:
        """The day after the last of the six months: exclusive."""
        return self.first_day

    @property
    def data_quarters(self) -> tuple["Quarter", "Quarter"]:
        """The six months as two calendar quarters."""
        return self.shifted(-2), self.shifted(-1)

    @property
    def published_by(self) -> date:
        """ESMA's data were out by the first calendar day of February, May, August, November."""
        return self.first_day.replace(month=self.first_day.month + 1)

    @property
    def comply_by(self) -> date:
        """Two weeks after the publication (`COMPLY_SURE` is False)."""
        return self.published_by.replace(day=COMPLY_DAY)

    def starts_on(self, holidays: Collection[date] = NO_DAYS) -> date:
        """First working day of January, April, July or October (Art 17)."""
        day = self.first_day
        while not is_working_day(day, holidays):
            day += timedelta(days=1)
        return day


def parse_quarter(text: str) -> Quarter:
    """`2024Q3`; ValueError for anything else."""
    found = QUARTER_FORM.fullmatch(text)
    if found is None or not YEAR_MIN <= int(found[1]) <= YEAR_MAX:
        raise ValueError(f"{text!r} is no quarter: write it like 2024Q3")
    return Quarter(int(found[1]), int(found[2]))


def quarter_of(day: date) -> Quarter:
    """The calendar quarter that a day lies in."""
    return Quarter(day.year, (day.month + 2) // 3)


def in_force_on(day: date, holidays: Collection[date] = NO_DAYS) -> Quarter:
    """The latest assessment that has started on `day`."""
    quarter = quarter_of(day)
    return quarter if quarter.starts_on(holidays) <= day else quarter.shifted(-1)


def quarter_of_period(first: date, last: date) -> Quarter | None:
    """The assessment whose six months are `first` to `last`, both included; None where none is."""
    following = last + timedelta(days=1)
    quarter = quarter_of(following)
    if quarter.data_to == following and quarter.data_from == first:
        return quarter
    return None


def is_working_day(day: date, holidays: Collection[date] = NO_DAYS) -> bool:
    """Monday to Friday, not 1 January and not a holiday given."""
    return day.weekday() <= FRIDAY and (day.month, day.day) != (1, 1) and day not in holidays


def days_between(first: date, until: date) -> Iterator[date]:
    """`first` up to the day before `until`."""
    for count in range((until - first).days):
        yield first + timedelta(days=count)


def trading_days(first: date, until: date, listed: Collection[date] | None = None) -> int:
    """Trading days from `first` to the day before `until`: of a list, else Monday to Friday."""
    if listed is not None:
        return sum(1 for day in set(listed) if first <= day < until)
    return sum(1 for day in days_between(first, until) if day.weekday() <= FRIDAY)


def has_history(first_traded: date, until: date, least: History) -> bool:
    """Whether the data from `first_traded` to the day before `until` cover `least` (Art 17)."""
    return after(first_traded, least) <= until


def after(day: date, span: History) -> date:
    """The day so many months and days later; the last of its month where that day is missing."""
    year, month = divmod(12 * day.year + day.month - 1 + span.months, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last)) + timedelta(days=span.days)
