"""One instrument as a file states it: before duplicates, checks and conversion."""

from typing import NamedTuple

from engine.enums import AssetClass

#: Largest EUR amount in a file: EUR 1,000 billion, far above any threshold or limit.
EUR_E6_MAX = 10**18


class InstrumentRecord(NamedTuple):
    """Amounts are x 10^6; 0 is "not given". LIS alone may be stated in the price's currency."""

    line: int
    isin: str
    name: str
    asset_class: AssetClass
    currency: str
    mrm: str
    si: bool
    liquid: bool
    sms_eur_e6: int
    lis_e6: int
    lis_currency: str
    tick_band: int
    lot: int
    order_max_eur_e6: int
    position_max_eur_e6: int
