"""A firm's folder for builds of reference data: its settings, list, registers and rates."""

import shutil
from datetime import date

from refdata.isin import check_digit
from tests.fitrs_files import result, write, write_results

SETTINGS = 'fitrs = ["*ECR_*"]\ninstruments = "instruments.csv"\n'
RATES = {
    date(2026, 11, 20): {"USD": "1.15", "GBP": "0.88", "SEK": "11.0"},
    date(2025, 12, 31): {"USD": "1.175", "GBP": "0.8726", "SEK": "10.8215"},
    date(2024, 12, 31): {"USD": "1.0389", "GBP": "0.82918", "SEK": "11.459"},
    date(2023, 12, 31): {"USD": "1.105", "GBP": "0.86905", "SEK": "11.096"},
}
COLUMNS = (
    "isin", "si", "name", "currency", "mrm", "asset_class", "tick_band", "equity_etf", "lot",
    "order_max_eur", "position_max_eur",
)  # fmt: skip
FULL, DELTA = "FULECR_20260411_E_1of1.zip", "DLTECR_20260413_01of01.zip"
OF_2025 = ("2025-01-01", "2025-12-31")
OF_2024 = ("2024-01-01", "2024-12-31")


def made_isin(number):
    """The ISIN of a number."""
    stem = f"DE{number:09d}"
    return stem + check_digit(stem)


ISIN, OTHER = made_isin(1), made_isin(2)


def line(isin=ISIN, **fields):
    """A line of the firm's list: SI, in EUR, all else as the registers say."""
    return {"isin": isin, "si": "Y", "currency": "EUR", **fields}


def year(isin=ISIN, reported=OF_2025, **fields):
    """A yearly result that makes a ready share: SMS 15,000, LIS 650,000, band 6."""
    return result(isin=isin, reported=reported, **fields)


def write_list(folder, lines):
    rows = [",".join(COLUMNS), *(",".join(row.get(c, "") for c in COLUMNS) for row in lines)]
    return write(folder, "instruments.csv", "\n".join(rows) + "\n")


def write_rates(folder, rates):
    names = ["USD", "GBP", "SEK"]
    lines = ["Date," + ",".join(names) + ","]
    for day, units in sorted(rates.items(), reverse=True):
        lines.append(f"{day},{','.join(units.get(name, 'N/A') for name in names)},")
    return write(folder, "eurofxref-hist.csv", "\n".join(lines) + "\n")


def firm(folder, files, lines=None, rates=RATES, settings=""):
    """Write it all; `files` are texts of results by file name. Answers the path of the settings.

    An older world in the folder is gone; its snapshots stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name != "snapshots":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, results in files.items():
        write_results(folder, *results, name=name)
    write_list(folder, [line()] if lines is None else lines)
    text = SETTINGS + settings
    if rates is not None:
        write_rates(folder, rates)
        text = 'ecb = "eurofxref-hist.csv"\n' + text
    return write(folder, "refdata.toml", text)
