"""Regulation as dated data: regimes, SMS ladders, LIS tables and the tick table.

Every table is a transcription, cell by cell, with its citation; no closed form here, and no `if` on
a date anywhere else. Pure Python, cold path: the engine sees only the rows of `regime_rows` and
`tick_rows`. "RTS 1" is Delegated Regulation (EU) 2017/587, "RTS 11" is (EU) 2017/588. `sure` is
False where a row rests on memory rather than on the official text: have it checked before use.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import schema
from engine.enums import AssetClass
from engine.limits import INT64_MAX, PX_E6_MAX, TICK_BANDS, TICK_ROWS

NS_PER_DAY = 86_400 * 10**9

#: MiFID II applies from this day (Dir 2014/65/EU Art 93).
MIFID2_FROM = date(2018, 1, 3)
#: DR (EU) 2023/944 Art 2: ETF LIS of 3 million.
ETF_LIS_FROM = date(2023, 6, 5)
#: DR (EU) 2025/1246 Art 2: Arts 11a and 11b and the new SMS tables.
REVIEW_FROM = date(2025, 11, 23)
#: DR (EU) 2017/567 Art 4a, by DR (EU) 2026/482: "other similar" never have a liquid market.
OTHER_ILLIQUID_FROM = date(2026, 3, 2)


class Regime(NamedTuple):
    """Qmin and T as multiples of SMS between two dates; `valid_to` is exclusive, None is open."""

    name: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    qmin_bps: int
    threshold_bps: int
    citation: str
    sure: bool


REGIMES = (
    # That 10 % went on from 28 Mar 2024, when it left the text of MiFIR, to 22 Nov 2025 rests on
    # MiFIR Art 54(3) and the Commission's notice C/2024/2966 as cited in DR 2025/1246 recital 4.
    Regime("eu-2018", "EU", MIFID2_FROM, REVIEW_FROM, 1_000, 10_000,
           "MiFIR Art 14(2)-(3) as of 3 Jan 2018; continued by MiFIR Art 54(3)", True),
    Regime("eu-2025", "EU", REVIEW_FROM, None, 10_000, 20_000,
           "MiFIR Art 14(2)-(3); RTS 1 Art 11a (2 x SMS), Art 11b (SMS), by DR 2025/1246", True),
    # From memory: the onshored articles, not read in the official text.
    Regime("uk-2018", "UK", MIFID2_FROM, None, 1_000, 10_000,
           "UK MiFIR Art 14 as onshored", False),
)  # fmt: skip


class Ladder(NamedTuple):
    """SMS by AVT: `cells` of (AVT below, SMS) in EUR, then "Etc." as buckets of `etc_width` EUR
    from the last bound on, whose SMS is the middle of the bucket."""

    name: str
    jurisdiction: str
    asset_classes: tuple[AssetClass, ...]
    valid_from: date
    valid_to: date | None
    cells: tuple[tuple[int, int], ...]
    etc_width: int
    citation: str
    sure: bool


EVERY_CLASS = tuple(AssetClass)
SHARES_AND_DRS = (AssetClass.SHARE, AssetClass.DEPOSITARY_RECEIPT)
FUNDS_AND_SIMILAR = (AssetClass.ETF, AssetClass.CERTIFICATE, AssetClass.OTHER)
CERTIFICATES_AND_SIMILAR = (AssetClass.CERTIFICATE, AssetClass.OTHER)

_OLD_CELLS = (
    (20_000, 10_000),
    (40_000, 30_000),
    (60_000, 50_000),
    (80_000, 70_000),
    (100_000, 90_000),
    (120_000, 110_000),
    (140_000, 130_000),
)

LADDERS = (
    Ladder("old table 3", "EU", EVERY_CLASS, MIFID2_FROM, REVIEW_FROM, _OLD_CELLS, 20_000,
           "RTS 1 Art 11, Annex II Table 3 as of 3 Jan 2018", True),
    # "Etc." above 60 000 is read from the printed pattern and the old table.
    Ladder(
        "table 3", "EU", SHARES_AND_DRS, REVIEW_FROM, None,
        (
            (10_000, 5_000),
            (12_000, 11_000),
            (14_000, 13_000),
            (16_000, 15_000),
            (18_000, 17_000),
            (20_000, 19_000),
            (40_000, 30_000),
            (60_000, 50_000),
        ),
        20_000, "RTS 1 Annex II Table 3, by DR 2025/1246 Annex V(1)", True,
    ),
    Ladder(
        "table 3a", "EU", FUNDS_AND_SIMILAR, REVIEW_FROM, None,
        (
            (10_000, 5_000),
            (15_000, 12_500),
            (20_000, 17_500),
            (25_000, 22_500),
            (30_000, 27_500),
            (35_000, 32_500),
            (40_000, 37_500),
            (60_000, 50_000),
        ),
        20_000, "RTS 1 Annex II Table 3a, by DR 2025/1246 Annex V(2)", True,
    ),
    Ladder("UK table 3", "UK", EVERY_CLASS, MIFID2_FROM, None, _OLD_CELLS, 20_000,
           "UK RTS 1 Annex II Table 3 as onshored", False),
)  # fmt: skip


class LisTable(NamedTuple):
    """LIS by ADT: `cells` of (ADT below, LIS) in EUR, then "and above" is `etc_lis_eur`."""

    name: str
    jurisdiction: str
    asset_classes: tuple[AssetClass, ...]
    valid_from: date
    valid_to: date | None
    cells: tuple[tuple[int, int], ...]
    etc_lis_eur: int
    citation: str
    sure: bool


_LIS_CELLS = (
    (50_000, 15_000),
    (100_000, 30_000),
    (500_000, 60_000),
    (1_000_000, 100_000),
    (5_000_000, 200_000),
    (25_000_000, 300_000),
    (50_000_000, 400_000),
    (100_000_000, 500_000),
)

LIS_TABLES = (
    LisTable("table 1", "EU", SHARES_AND_DRS, MIFID2_FROM, None, _LIS_CELLS, 650_000,
             "RTS 1 Art 7(1), Annex II Table 1", True),
    LisTable("table 2", "EU", CERTIFICATES_AND_SIMILAR, MIFID2_FROM, None,
             ((50_000, 15_000),), 30_000, "RTS 1 Art 7(1), Annex II Table 2", True),
    LisTable("ETFs to 2023", "EU", (AssetClass.ETF,), MIFID2_FROM, ETF_LIS_FROM,
             (), 1_000_000, "RTS 1 Art 7(2) as of 3 Jan 2018", True),
    LisTable("ETFs", "EU", (AssetClass.ETF,), ETF_LIS_FROM, None,
             (), 3_000_000, "RTS 1 Art 7(2), by DR 2023/944 Art 1(4)", True),
    # From memory: the onshored article; the change of 2023 for ETFs came after the exit.
    LisTable("UK table 1", "UK", SHARES_AND_DRS, MIFID2_FROM, None, _LIS_CELLS, 650_000,
             "UK RTS 1 Art 7(1), Annex II Table 1 as onshored", False),
    LisTable("UK table 2", "UK", CERTIFICATES_AND_SIMILAR, MIFID2_FROM, None,
             ((50_000, 15_000),), 30_000, "UK RTS 1 Art 7(1), Annex II Table 2 as onshored", False),
    LisTable("UK ETFs", "UK", (AssetClass.ETF,), MIFID2_FROM, None,
             (), 1_000_000, "UK RTS 1 Art 7(2) as onshored", False),
)  # fmt: skip

#: RTS 11 Annex, the whole table: (price below, ticks of bands 1..6), both x 10^6. Unchanged since
#: 2018; an order's own price picks the row (Art 2), whatever its currency (recital 8).
TICKS = (
    (100_000, (500, 200, 100, 100, 100, 100)),
    (200_000, (1_000, 500, 200, 100, 100, 100)),
    (500_000, (2_000, 1_000, 500, 200, 100, 100)),
    (1_000_000, (5_000, 2_000, 1_000, 500, 200, 100)),
    (2_000_000, (10_000, 5_000, 2_000, 1_000, 500, 200)),
    (5_000_000, (20_000, 10_000, 5_000, 2_000, 1_000, 500)),
    (10_000_000, (50_000, 20_000, 10_000, 5_000, 2_000, 1_000)),
    (20_000_000, (100_000, 50_000, 20_000, 10_000, 5_000, 2_000)),
    (50_000_000, (200_000, 100_000, 50_000, 20_000, 10_000, 5_000)),
    (100_000_000, (500_000, 200_000, 100_000, 50_000, 20_000, 10_000)),
    (200_000_000, (1_000_000, 500_000, 200_000, 100_000, 50_000, 20_000)),
    (500_000_000, (2_000_000, 1_000_000, 500_000, 200_000, 100_000, 50_000)),
    (1_000_000_000, (5_000_000, 2_000_000, 1_000_000, 500_000, 200_000, 100_000)),
    (2_000_000_000, (10_000_000, 5_000_000, 2_000_000, 1_000_000, 500_000, 200_000)),
    (5_000_000_000, (20_000_000, 10_000_000, 5_000_000, 2_000_000, 1_000_000, 500_000)),
    (10_000_000_000, (50_000_000, 20_000_000, 10_000_000, 5_000_000, 2_000_000, 1_000_000)),
    (20_000_000_000, (100_000_000, 50_000_000, 20_000_000, 10_000_000, 5_000_000, 2_000_000)),
    (50_000_000_000, (200_000_000, 100_000_000, 50_000_000, 20_000_000, 10_000_000, 5_000_000)),
    # "50 000 <= p": no bound in the Annex, so the engine's own largest price is in.
    (PX_E6_MAX + 1, (500_000_000, 200_000_000, 100_000_000, 50_000_000, 20_000_000, 10_000_000)),
)

assert len(TICKS) == TICK_ROWS and all(len(ticks) == TICK_BANDS for _, ticks in TICKS)


def regime_on(day: date, jurisdiction: str = "EU") -> Regime:
    """The regime in force on `day`; LookupError where there is none."""
    for regime in REGIMES:
        if regime.jurisdiction == jurisdiction and _holds(regime.valid_from, regime.valid_to, day):
            return regime
    raise LookupError(f"no regime for {jurisdiction} on {day.isoformat()}")


def ladder_on(day: date, asset_class: AssetClass, jurisdiction: str = "EU") -> Ladder:
    """The SMS ladder of a class on `day`; LookupError where there is none."""
    for ladder in LADDERS:
        if (
            ladder.jurisdiction == jurisdiction
            and asset_class in ladder.asset_classes
            and _holds(ladder.valid_from, ladder.valid_to, day)
        ):
            return ladder
    raise LookupError(f"no SMS ladder for {asset_class.name}, {jurisdiction}, {day.isoformat()}")


def lis_table_on(day: date, asset_class: AssetClass, jurisdiction: str = "EU") -> LisTable:
    """The LIS table of a class on `day`; LookupError where there is none."""
    for table in LIS_TABLES:
        if (
            table.jurisdiction == jurisdiction
            and asset_class in table.asset_classes
            and _holds(table.valid_from, table.valid_to, day)
        ):
            return table
    raise LookupError(f"no LIS table for {asset_class.name}, {jurisdiction}, {day.isoformat()}")


def sms_eur(
    avt_eur: Decimal | int, asset_class: AssetClass, day: date, jurisdiction: str = "EU"
) -> int:
    """SMS in EUR for an average value of transactions (RTS 1 Art 11). Published values are what
    counts: use this to check them, not in their place."""
    _check_amount(avt_eur)
    ladder = ladder_on(day, asset_class, jurisdiction)
    for avt_below, sms in ladder.cells:
        if avt_eur < avt_below:
            return sms
    etc_from = ladder.cells[-1][0]
    # int(): `//` of a Decimal is a Decimal; both are whole here because avt >= etc_from.
    buckets = int((avt_eur - etc_from) // ladder.etc_width)
    return etc_from + buckets * ladder.etc_width + ladder.etc_width // 2


def lis_eur(
    adt_eur: Decimal | int, asset_class: AssetClass, day: date, jurisdiction: str = "EU"
) -> int:
    """Pre-trade LIS in EUR for an average daily turnover (RTS 1 Art 7)."""
    _check_amount(adt_eur)
    table = lis_table_on(day, asset_class, jurisdiction)
    for adt_below, lis in table.cells:
        if adt_eur < adt_below:
            return lis
    return table.etc_lis_eur


def on_ladder(
    sms: Decimal | int, asset_class: AssetClass, day: date, jurisdiction: str = "EU"
) -> bool:
    """True where `sms` (EUR) is a value that the ladder of that day can give."""
    ladder = ladder_on(day, asset_class, jurisdiction)
    if any(sms == value for _, value in ladder.cells):
        return True
    above = sms - ladder.cells[-1][0]
    return above > 0 and above % ladder.etc_width == ladder.etc_width // 2


def on_lis_table(
    lis: Decimal | int, asset_class: AssetClass, day: date, jurisdiction: str = "EU"
) -> bool:
    """True where `lis` (EUR) is a value that the LIS table of that day can give."""
    table = lis_table_on(day, asset_class, jurisdiction)
    return lis == table.etc_lis_eur or any(lis == value for _, value in table.cells)


def midnight_ns(day: date) -> int:
    """00:00 UTC of `day`, ns since the epoch.

    EU acts apply from midnight in Brussels, one or two hours earlier. Taking UTC is a choice: no
    European venue trades between the two, so no order can tell the difference.
    """
    return (day - date(1970, 1, 1)).days * NS_PER_DAY


def regime_rows() -> NDArray[np.void]:
    """REGIMES as rows of `schema.regime`, in the same order; an open end is INT64_MAX."""
    rows = np.zeros(len(REGIMES), schema.regime)
    for row, regime in zip(rows, REGIMES, strict=True):
        row["name"] = schema.pack(regime.name)
        row["jurisdiction"] = schema.pack(regime.jurisdiction)
        row["valid_from_ns"] = midnight_ns(regime.valid_from)
        row["valid_to_ns"] = INT64_MAX if regime.valid_to is None else midnight_ns(regime.valid_to)
        row["qmin_bps"] = regime.qmin_bps
        row["threshold_bps"] = regime.threshold_bps
    return rows


def tick_rows() -> NDArray[np.void]:
    """TICKS as rows of `schema.tick_row`."""
    return np.array(list(TICKS), schema.tick_row)


def _holds(valid_from: date, valid_to: date | None, day: date) -> bool:
    return valid_from <= day and (valid_to is None or day < valid_to)


def _check_amount(amount_eur: Decimal | int) -> None:
    """Refuse what is not an exact amount: a float would decide a band by its rounding."""
    if not isinstance(amount_eur, int | Decimal):
        raise TypeError(f"an amount is int or Decimal, not {type(amount_eur).__name__}")
    if (isinstance(amount_eur, Decimal) and not amount_eur.is_finite()) or amount_eur < 0:
        raise ValueError(f"an amount is finite and not negative: {amount_eur}")
