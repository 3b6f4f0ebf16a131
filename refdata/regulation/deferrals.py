"""Post-trade deferral: RTS 1 Art 15 and Annex II Tables 4 to 6, cell by cell.

A transaction may be published late only where the NCA authorised deferral, the firm dealt on own
account other than matched principal, and the size reaches a threshold (Art 15(1)); `deferral`
answers the last of the three. Amounts in EUR.
"""

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation.lis import amount
from refdata.regulation.rule import in_force, onshored


class Delay(StrEnum):
    """How long publication may wait, at most."""

    MINUTES_60 = "60 minutes"
    MINUTES_120 = "120 minutes"
    END_OF_DAY = "end of the trading day"
    END_OF_NEXT_DAY = "end of the next trading day"


class Band(NamedTuple):
    """ADT below this bound (None: no bound), and (size from, delay) in rising order."""

    adt_below_eur: int | None
    cells: tuple[tuple[int, Delay], ...]


class DeferralTable(NamedTuple):
    """One table of Annex II; `bounds_printed` False: the text leaves an ADT on a bound open."""

    name: str
    jurisdiction: str
    asset_classes: tuple[AssetClass, ...]
    valid_from: date
    valid_to: date | None
    bands: tuple[Band, ...]
    bounds_printed: bool
    citation: str
    sure: bool


class Deferral(NamedTuple):
    """`delay` None: publish at once; `size_from_eur` is the threshold reached, or the next."""

    delay: Delay | None
    size_from_eur: int
    table: str
    citation: str
    sure: bool


def _table_4_band(adt_below: int | None, minutes_60: int, minutes_120: int, end: int) -> Band:
    # The last row of the table, ADT below 50 000, alone says "end of the next trading day".
    last = Delay.END_OF_NEXT_DAY if adt_below == 50_000 else Delay.END_OF_DAY
    cells = ((minutes_60, Delay.MINUTES_60), (minutes_120, Delay.MINUTES_120), (end, last))
    return Band(adt_below, cells)


def _table_5_bands(minutes_60: int, end: int) -> tuple[Band, ...]:
    return (Band(None, ((minutes_60, Delay.MINUTES_60), (end, Delay.END_OF_DAY))),)


_TABLE_4 = (
    _table_4_band(50_000, 7_500, 15_000, 25_000),
    _table_4_band(100_000, 15_000, 30_000, 50_000),
    _table_4_band(500_000, 30_000, 80_000, 120_000),
    _table_4_band(1_000_000, 75_000, 150_000, 225_000),
    _table_4_band(5_000_000, 450_000, 750_000, 1_000_000),
    _table_4_band(25_000_000, 2_500_000, 4_000_000, 5_000_000),
    _table_4_band(50_000_000, 5_000_000, 10_000_000, 12_000_000),
    _table_4_band(100_000_000, 7_000_000, 15_000_000, 25_000_000),
    _table_4_band(None, 10_000_000, 20_000_000, 35_000_000),
)
_TABLE_6 = (
    Band(50_000, ((15_000, Delay.MINUTES_120), (30_000, Delay.END_OF_DAY))),
    Band(None, ((30_000, Delay.MINUTES_120), (60_000, Delay.END_OF_DAY))),
)

_EU_TABLES = (
    # Printed as "> 100 m", "50 m-100 m": that a bound belongs to the band above it is taken from
    # Table 1, so an ADT exactly on a bound is not sure.
    DeferralTable("table 4", "EU", regimes.SHARES_AND_DRS, regimes.MIFID2_FROM, None,
                  _TABLE_4, False, "RTS 1 Art 15, Annex II Table 4", True),
    DeferralTable("table 5 to 2023", "EU", (AssetClass.ETF,),
                  regimes.MIFID2_FROM, regimes.ETF_LIS_FROM, _table_5_bands(10_000_000, 50_000_000),
                  True, "RTS 1 Art 15, Annex II Table 5 as of 3 Jan 2018", True),
    DeferralTable("table 5", "EU", (AssetClass.ETF,), regimes.ETF_LIS_FROM, None,
                  _table_5_bands(15_000_000, 50_000_000), True,
                  "RTS 1 Art 15, Annex II Table 5, by DR 2023/944", True),
    DeferralTable("table 6", "EU", regimes.CERTIFICATES_AND_SIMILAR, regimes.MIFID2_FROM, None,
                  _TABLE_6, True, "RTS 1 Art 15, Annex II Table 6", True),
)  # fmt: skip
DEFERRAL_TABLES = (*_EU_TABLES, *onshored(_EU_TABLES))


class LastMoment(StrEnum):
    """When a trade deferred to the end of the day is published at the latest."""

    AFTER_CLOSE = "as close to real time as possible after the end of the trading day"
    NOON_NEXT_DAY = "noon local time on the next trading day"
    NEXT_OPENING = "the opening of the next trading day of the most relevant market"


class EndOfDayRule(NamedTuple):
    """Executed more than `early_before_close` before the end: AFTER_CLOSE; later: `late`."""

    jurisdiction: str
    valid_from: date
    valid_to: date | None
    early_before_close: timedelta
    late: LastMoment
    citation: str
    sure: bool


_EU_END_OF_DAY = (
    EndOfDayRule("EU", regimes.MIFID2_FROM, date(2023, 6, 5), timedelta(hours=2),
                 LastMoment.NOON_NEXT_DAY, "RTS 1 Art 15(3) as of 3 Jan 2018", True),
    EndOfDayRule("EU", date(2023, 6, 5), None, timedelta(hours=2),
                 LastMoment.NEXT_OPENING, "RTS 1 Art 15(3), by DR 2023/944", True),
)  # fmt: skip
END_OF_DAY_RULES = (*_EU_END_OF_DAY, *onshored(_EU_END_OF_DAY))


def deferral_table_on(
    day: date, asset_class: AssetClass, jurisdiction: str = "EU"
) -> DeferralTable:
    """The deferral table of a class on `day`; LookupError where there is none."""
    for table in in_force(DEFERRAL_TABLES, day, jurisdiction):
        if asset_class in table.asset_classes:
            return table
    raise LookupError(f"no deferral for {asset_class.name}, {jurisdiction}, {day.isoformat()}")


def deferral(
    asset_class: AssetClass,
    adt_eur: Decimal | int,
    size_eur: Decimal | int,
    day: date,
    jurisdiction: str = "EU",
) -> Deferral:
    """The longest delay that a trade of `size_eur` may have, and the threshold that gives it."""
    adt, size = amount(adt_eur), amount(size_eur)
    table = deferral_table_on(day, asset_class, jurisdiction)
    band = next(b for b in table.bands if b.adt_below_eur is None or adt < b.adt_below_eur)
    on_bound = any(adt == b.adt_below_eur for b in table.bands)
    sure = table.sure and (table.bounds_printed or not on_bound)
    delay, size_from = None, band.cells[0][0]
    for threshold, longer in band.cells:
        if size >= threshold:
            delay, size_from = longer, threshold
    return Deferral(delay, size_from, table.name, table.citation, sure)


def end_of_day_on(day: date, jurisdiction: str = "EU") -> EndOfDayRule:
    """The rule for trades deferred to the end of the day; LookupError before MiFID II."""
    (rule,) = in_force(END_OF_DAY_RULES, day, jurisdiction)
    return rule


def publish_at(left: timedelta, day: date, jurisdiction: str = "EU") -> LastMoment:
    """Latest publication of an end-of-day trade executed with `left` of the trading day to go.

    The trading day is that of the most relevant market and includes its closing auction.
    """
    rule = end_of_day_on(day, jurisdiction)
    return LastMoment.AFTER_CLOSE if left > rule.early_before_close else rule.late
