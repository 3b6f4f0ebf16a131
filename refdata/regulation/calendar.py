"""The yearly cycle of published values (SMS, LIS, tick bands, liquid markets).

Published by 1 March, used from the first Monday of April to the day before the next one (RTS 1
Art 17(1)-(2)); from 1 April until the change by DR 2023/944, DR 2023/960 on 5 June 2023.
"""

from datetime import date, timedelta
from typing import NamedTuple

from refdata.april import first_monday_of_april, switch_day

__all__ = ["Cycle", "cycle_on", "first_monday_of_april", "switch_day", "switches"]


class Cycle(NamedTuple):
    """Days, both included, on which the values from one calendar year of data are used."""

    first_day: date
    last_day: date
    data_year: int


def cycle_on(day: date, jurisdiction: str = "EU") -> Cycle:
    """The cycle whose values are used on `day`; LookupError before that of 2018."""
    year = day.year if day >= switch_day(day.year, jurisdiction) else day.year - 1
    last_day = switch_day(year + 1, jurisdiction) - timedelta(days=1)
    return Cycle(switch_day(year, jurisdiction), last_day, year - 1)


def switches(after: date, until: date, jurisdiction: str = "EU") -> tuple[date, ...]:
    """Every switch day in (after, until]."""
    days = [switch_day(year, jurisdiction) for year in range(max(after.year, 2018), until.year + 1)]
    return tuple(day for day in days if after < day <= until)
