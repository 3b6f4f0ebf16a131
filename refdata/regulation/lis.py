"""Pre-trade LIS of the engine's tables, for exact amounts."""

from datetime import date
from decimal import Decimal

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation.rule import in_force


def lis_table_on(day: date, asset_class: AssetClass, jurisdiction: str = "EU") -> regimes.LisTable:
    """The LIS table of a class on `day`; LookupError where there is none."""
    for table in in_force(regimes.LIS_TABLES, day, jurisdiction):
        if asset_class in table.asset_classes:
            return table
    raise LookupError(f"no LIS table for {asset_class.name}, {jurisdiction}, {day.isoformat()}")


def lis_eur(
    adt_eur: Decimal | int, asset_class: AssetClass, day: date, jurisdiction: str = "EU"
) -> int:
    """Pre-trade LIS in EUR for an average daily turnover (RTS 1 Art 7); ValueError below 0."""
    lis_table_on(day, asset_class, jurisdiction)  # NoRule says more than the engine does
    return regimes.lis_eur(adt_eur, asset_class, day, jurisdiction)


def amount(value: Decimal | int) -> Decimal:
    """An exact amount; TypeError for a float, whose rounding would decide a band."""
    if not isinstance(value, int | Decimal):
        raise TypeError(f"an amount is int or Decimal, not {type(value).__name__}")
    exact = Decimal(value)
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"an amount is finite and not negative: {value}")
    return exact
