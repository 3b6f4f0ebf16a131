"""A made-up world to try the product on: `instruments.csv` and `fx.csv`, the same for one seed.

Nothing in it exists. ISINs have the right check digit and ZZ after the country, names are invented,
rates and prices are plausible. Thresholds are drawn the way regulators do: a number of transactions
and an average value give AVT and ADT, and these the SMS, LIS, liquidity flag and tick band of 2026.
"""

import csv
import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from engine.limits import PX_E6_MAX
from refdata.instruments import ASSET_CLASSES, COLUMNS, OPTIONAL_COLUMNS
from refdata.isin import check_digit
from refdata.rows import parse_all, read_rows

#: First Monday of April: the day from which the results of 2025 are used (RTS 1 Art 17).
SAMPLE_DATE = date(2026, 4, 6)
INSTRUMENTS_FILE = "instruments.csv"
FX_FILE = "fx.csv"
FX_ROWS = (("GBP", "1.1450000"), ("SEK", "0.0912"), ("CHF", "1.0680"))

WORDS = (
    "Alder", "Birch", "Brook", "Cedar", "Cliff", "Cobalt", "Coral", "Delta",
    "Dune", "Ember", "Falcon", "Fjord", "Garnet", "Glacier", "Harbour", "Heron", "Juniper",
    "Larch", "Linden", "Maple", "Meadow", "Moor", "Onyx", "Osprey", "Quartz", "Rowan", "Sable",
    "Tarn", "Umber", "Willow",
)  # fmt: skip
TRADES = (
    "Brewing", "Ceramics", "Chemicals", "Clinics", "Data", "Energy", "Foods", "Freight",
    "Glass", "Homes", "Instruments", "Insurance", "Lighting", "Media", "Mining", "Optics", "Paper",
    "Ports", "Power", "Rail", "Shipping", "Software", "Steel", "Textiles", "Timber", "Tools",
)  # fmt: skip


class Place(NamedTuple):
    """A venue as MRM: ISIN country, price currency, legal form, usual prices in whole units."""

    mic: str
    country: str
    currency: str
    legal_form: str
    px_low: int
    px_high: int


PLACES = (
    Place("XETR", "DE", "EUR", "AG", 4, 400),
    Place("XPAR", "FR", "EUR", "SA", 3, 600),
    Place("XLON", "GB", "GBX", "plc", 40, 6_000),
    Place("XSTO", "SE", "SEK", "AB", 20, 900),
    Place("XSWX", "CH", "CHF", "SA", 8, 800),
)


class Kind(NamedTuple):
    """How many of a class, and when it has a liquid market (DR 2017/567 Arts 1-4a)."""

    asset_class: AssetClass
    rows: int
    liquid_adnt: int | None  # None: never liquid
    liquid_adt_eur: int
    avt_eur: tuple[int, int]
    order_max_eur: int
    position_max_eur: int


KINDS = (
    Kind(AssetClass.SHARE, 400, 250, 1_000_000, (2_500, 48_000), 5_000_000, 25_000_000),
    Kind(AssetClass.DEPOSITARY_RECEIPT, 25, 250, 1_000_000, (2_500, 30_000), 5_000_000, 25_000_000),
    Kind(AssetClass.ETF, 85, 10, 500_000, (6_000, 120_000), 10_000_000, 50_000_000),
    Kind(AssetClass.CERTIFICATE, 30, 20, 500_000, (3_000, 36_000), 1_000_000, 5_000_000),
    Kind(AssetClass.OTHER, 10, None, 0, (3_000, 20_000), 1_000_000, 5_000_000),
)

#: Average daily number of transactions of each band (RTS 11 Annex): from, below.
BAND_ADNT = ((1, 10), (10, 80), (80, 600), (600, 2_000), (2_000, 9_000), (9_000, 40_000))
NOT_SI_EVERY = 60  # the firm is SI in all others


def write_sample(directory: Path, seed: int = 1) -> None:
    """Write the sample world's two files into an existing directory."""
    rng = random.Random(seed)
    names = [f"{word} {trade}" for word in WORDS for trade in TRADES]
    rng.shuffle(names)
    rows: list[dict[str, str]] = []
    for kind in KINDS:
        for number in range(kind.rows):
            rows.append(_draw(rng, kind, number, len(rows), names[len(rows)]))
    path = directory / INSTRUMENTS_FILE
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("# Made-up instruments: none of them exists. Thresholds in EUR.\n")
        writer = csv.DictWriter(file, [*COLUMNS, *OPTIONAL_COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with (directory / FX_FILE).open("w", encoding="utf-8", newline="") as file:
        file.write("# Made-up rates: EUR for one unit.\ncurrency,eur_per_unit\n")
        file.writelines(f"{currency},{rate}\n" for currency, rate in FX_ROWS)


def sample_prices(path: Path) -> dict[str, int]:
    """Reference price x 10^6 by ISIN from an instruments file with `ref_px`; a blank is left out.

    Raises `rows.Refused`.
    """
    rows = read_rows(path, required=("isin", "ref_px"), any_other_column=True)
    prices = parse_all(rows, lambda row: (row.isin("isin"), row.scaled("ref_px", 6, PX_E6_MAX)))
    return {isin: px_e6 for isin, px_e6 in prices if px_e6}


def _draw(rng: random.Random, kind: Kind, number: int, row: int, name: str) -> dict[str, str]:
    asset_class = kind.asset_class
    place = PLACES[row % len(PLACES)]
    # Not the row: bands must not go along with places.
    adnt_band = rng.randrange(len(BAND_ADNT)) if number >= len(BAND_ADNT) else number
    adnt = rng.randrange(*BAND_ADNT[adnt_band])
    avt_eur = rng.randrange(*kind.avt_eur)
    adt_eur = adnt * avt_eur
    liquid = (
        kind.liquid_adnt is not None and adnt >= kind.liquid_adnt and adt_eur >= kind.liquid_adt_eur
    )
    tick_band = 0
    if asset_class in regimes.SHARES_AND_DRS:
        tick_band = adnt_band + 1
    elif asset_class is AssetClass.ETF and number % 4:
        tick_band = 6  # on equities; every fourth is on something else and has no mandatory tick
    sms = regimes.sms_eur(avt_eur, asset_class, SAMPLE_DATE) if liquid else 0
    first_eleven = f"{place.country}ZZ{row:07d}"
    return {
        "isin": first_eleven + check_digit(first_eleven),
        "name": _name(asset_class, name, place),
        "asset_class": next(word for word, known in ASSET_CLASSES.items() if known is asset_class),
        "currency": place.currency,
        "mrm": place.mic,
        "si": "N" if row % NOT_SI_EVERY == NOT_SI_EVERY - 1 else "Y",
        "liquid": "Y" if liquid else "N",
        "sms_eur": str(sms) if sms else "",
        "lis_eur": str(regimes.lis_eur(adt_eur, asset_class, SAMPLE_DATE)),
        "tick_band": str(tick_band),
        "lot": "1",
        "order_max_eur": str(kind.order_max_eur),
        "position_max_eur": str(kind.position_max_eur),
        "ref_px": _price(rng, place, tick_band),
    }


def _name(asset_class: AssetClass, name: str, place: Place) -> str:
    if asset_class is AssetClass.SHARE:
        return f"{name} {place.legal_form}"
    if asset_class is AssetClass.DEPOSITARY_RECEIPT:
        return f"{name} DR"
    return f"{name} {asset_class.name.capitalize() if asset_class != AssetClass.ETF else 'ETF'}"


def _price(rng: random.Random, place: Place, tick_band: int) -> str:
    """A price on tick; as many low ones as high ones, so that many tick rows occur."""
    doublings = (place.px_high // place.px_low).bit_length() - 1
    low_e6 = place.px_low * 10**6 << rng.randrange(doublings + 1)
    px_e6 = rng.randrange(low_e6, min(2 * low_e6, place.px_high * 10**6))
    ticks = next(ticks for below_px_e6, ticks in regimes.TICKS if px_e6 < below_px_e6)
    tick_e6 = ticks[tick_band - 1] if tick_band else 10_000
    return f"{Decimal(px_e6 - px_e6 % tick_e6).scaleb(-6):f}".rstrip("0").rstrip(".")
