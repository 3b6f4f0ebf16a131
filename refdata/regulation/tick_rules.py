"""Who must keep to a tick, from when, which band, and when the midpoint is free of it.

The table itself is `engine.regimes.TICKS` (RTS 11 Annex). A venue's tick is equal to or greater
than the cell (RTS 11 Art 2(1)), so the most relevant market may run a coarser one.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation.lis import amount
from refdata.regulation.rule import in_force, onshored

#: DR (EU) 2019/442: RTS 1 Art 10 ties SI quotes in shares and depositary receipts to the tick.
QUOTE_TICK_FROM = date(2019, 4, 9)
#: MiFIR Art 17a, by Reg (EU) 2019/2033 Arts 63(3), 66(3)(a); market sources often say 26 June.
ART_17A_FROM = date(2020, 3, 26)
#: Reg (EU) 2024/791: Art 17a(2) without a condition on size.
MIDPOINT_FROM = date(2024, 3, 28)
#: Financial Services and Markets Act 2023, from memory.
UK_MIDPOINT_FROM = date(2023, 8, 29)

NO_BAND = 0
LOWEST_BAND, HIGHEST_BAND = 1, 6
#: (ADNT below, band); from the last bound on, the highest band. RTS 11 Annex.
ADNT_BANDS = ((10, 1), (80, 2), (600, 3), (2_000, 4), (9_000, 5))

TICKED = (*regimes.SHARES_AND_DRS, AssetClass.ETF)
E6 = 10**6


class TickDuty(NamedTuple):
    """Which prices of an SI must be on the tick; ETFs only those solely on equities."""

    jurisdiction: str
    asset_classes: tuple[AssetClass, ...]
    valid_from: date
    valid_to: date | None
    quotes: bool
    improvements: bool
    executions: bool
    citation: str
    sure: bool


_EU_DUTIES = (
    TickDuty("EU", regimes.SHARES_AND_DRS, QUOTE_TICK_FROM, ART_17A_FROM, True, False, False,
             "RTS 1 Art 10, by DR 2019/442", True),
    TickDuty("EU", TICKED, ART_17A_FROM, None, True, True, True,
             "MiFIR Art 17a(1); RTS 11 Art 2 and Annex", True),
)  # fmt: skip
TICK_DUTIES = (*_EU_DUTIES, *onshored(_EU_DUTIES))


class Midpoint(StrEnum):
    """Which orders an SI may match at the midpoint of the current bid and offer, tick or no."""

    NOT_REGULATED = "not regulated"
    LIS_ONLY = "only large in scale orders"
    ANY_SIZE = "orders of any size"


class MidpointRule(NamedTuple):
    """The permission between two dates."""

    jurisdiction: str
    valid_from: date
    valid_to: date | None
    permission: Midpoint
    citation: str
    sure: bool


_ART_17A = "MiFIR Art 17a as of 26 Mar 2020"
MIDPOINT_RULES = (
    MidpointRule("EU", regimes.MIFID2_FROM, ART_17A_FROM, Midpoint.NOT_REGULATED,
                 "no provision before MiFIR Art 17a", True),
    MidpointRule("EU", ART_17A_FROM, MIDPOINT_FROM, Midpoint.LIS_ONLY, _ART_17A, True),
    MidpointRule("EU", MIDPOINT_FROM, None, Midpoint.ANY_SIZE,
                 "MiFIR Art 17a(2), by Reg 2024/791", True),
    MidpointRule("UK", regimes.MIFID2_FROM, ART_17A_FROM, Midpoint.NOT_REGULATED,
                 "UK: no provision before MiFIR Art 17a", False),
    MidpointRule("UK", ART_17A_FROM, UK_MIDPOINT_FROM, Midpoint.LIS_ONLY,
                 f"UK: as onshored, {_ART_17A}", False),
    MidpointRule("UK", UK_MIDPOINT_FROM, None, Midpoint.ANY_SIZE,
                 "UK MiFIR Art 17a, by Financial Services and Markets Act 2023", False),
)  # fmt: skip


def tick_duty_on(day: date, asset_class: AssetClass, jurisdiction: str = "EU") -> TickDuty | None:
    """The duty of an SI in a class on `day`; None where no price of it must be on a tick."""
    for duty in in_force(TICK_DUTIES, day, jurisdiction):
        if asset_class in duty.asset_classes:
            return duty
    return None


def midpoint_on(day: date, jurisdiction: str = "EU") -> MidpointRule:
    """The midpoint permission on `day`; LookupError before MiFID II."""
    (rule,) = in_force(MIDPOINT_RULES, day, jurisdiction)
    return rule


def tick_band(
    adnt: Decimal | int | None,
    asset_class: AssetClass,
    *,
    solely_equities: bool = False,
    periodic_auction_mrm: bool = False,
) -> int:
    """Liquidity band 1 to 6, or 0 where RTS 11 prescribes no tick.

    `adnt` is the average daily number of transactions on the most relevant market; ValueError
    where a share or depositary receipt needs it. An ETF is in band 6 whatever its ADNT, if its
    underlyings are solely equities or a basket of them (Art 2(3)-(4)); a most relevant market
    with periodic auctions only means band 1 (Art 2(2)).
    """
    if asset_class is AssetClass.ETF:
        return HIGHEST_BAND if solely_equities else NO_BAND
    if asset_class not in regimes.SHARES_AND_DRS:
        return NO_BAND
    if periodic_auction_mrm:
        return LOWEST_BAND
    if adnt is None:
        raise ValueError("a share or depositary receipt needs its ADNT: the band depends on it")
    number = amount(adnt)
    for below, band in ADNT_BANDS:
        if number < below:
            return band
    return HIGHEST_BAND


def tick_of(price: Decimal, band: int) -> Decimal:
    """Tick of the row that this price falls in (RTS 11 Art 2), whatever its currency.

    ValueError for a negative price or a band other than 1 to 6.
    """
    px = amount(price)
    if not LOWEST_BAND <= band <= HIGHEST_BAND:
        raise ValueError(f"a tick has a band from 1 to 6, not {band}")
    for below_e6, ticks_e6 in regimes.TICKS[:-1]:
        if px < Decimal(below_e6) / E6:
            return Decimal(ticks_e6[band - 1]) / E6
    # "50 000 <= p" has no end; the engine's last row has one only because its prices do.
    return Decimal(regimes.TICKS[-1][1][band - 1]) / E6
