"""Rates to EUR: `currency,eur_per_unit`.

Thresholds are published in EUR and hold in other currencies at the ECB's reference rate of 31
December of the year before (RTS 1 Art 17(7)): that is the rate to put in the file, once a year.
"""

import re
from pathlib import Path

from engine.limits import EUR_PER_UNIT_E9_MAX
from refdata.rows import Row, parse_all, read_rows

E9 = 10**9
CURRENCY_FORM = re.compile(r"[A-Z]{3}")
PENCE_PER_POUND = 100

#: Minor units as market data writes them, and the code of three capitals that they have here.
SPELLINGS = {"GBp": "GBX", "ZAc": "ZAC"}


def normalise_currency(text: str) -> str:
    """GBp and GBX are both written for pence sterling, here GBX; ZAc and ZAC for South African
    cents, here ZAC."""
    return SPELLINGS.get(text, text)


def read_currency(row: Row, column: str) -> str:
    """The currency code of a row, normalised."""
    currency = normalise_currency(row.text(column))
    if CURRENCY_FORM.fullmatch(currency) is None:
        raise row.refuse(column, "write a currency code of three capitals, or GBX for pence")
    return currency


def load_fx(path: Path | None = None) -> dict[str, int]:
    """EUR per unit x 10^9 by currency; raises `rows.Refused`.

    EUR is always 1 and GBX always GBP / 100. A rate has at most nine decimals (GBP seven, so that
    GBX is exact too).
    """
    rates_e9 = {"EUR": E9}
    if path is None:
        return rates_e9

    def parse(row: Row) -> None:
        currency = read_currency(row, "currency")
        rate_e9 = row.scaled("eur_per_unit", 9, EUR_PER_UNIT_E9_MAX)
        if rate_e9 == 0:
            raise row.refuse("eur_per_unit", "write the EUR that one unit is worth, above 0")
        if currency == "GBX":
            raise row.refuse("currency", "write GBP instead: GBX is GBP / 100")
        if currency == "GBP":
            if rate_e9 % PENCE_PER_POUND:
                raise row.refuse("eur_per_unit", "write at most 7 decimals: GBX is GBP / 100")
            rates_e9["GBX"] = rate_e9 // PENCE_PER_POUND
        if rates_e9.setdefault(currency, rate_e9) != rate_e9:
            known = "EUR is 1" if currency == "EUR" else "keep one rate: it is given twice"
            raise row.refuse("eur_per_unit", known)

    parse_all(read_rows(path, required=("currency", "eur_per_unit")), parse)
    return rates_e9
