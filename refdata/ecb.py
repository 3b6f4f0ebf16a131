"""The ECB's euro reference rates (`eurofxref-hist.csv`, as it is or zipped), and which one holds.

Rule: a threshold in EUR holds in another currency at the reference rate of 31 December of the
preceding year (RTS 1 Art 17(7)), one rate for as long as the thresholds of that year apply. The
file says units of the currency for one euro; the engine wants EUR for one unit.
"""

import csv
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from io import BytesIO
from pathlib import Path

from engine.limits import EUR_PER_UNIT_E9_MAX
from refdata.april import switch_day
from refdata.fx import CURRENCY_FORM, E9, normalise_currency
from refdata.rows import DECIMAL_FORM, Problem, Refused, Row, parse_all, refused

DATE_COLUMN = "Date"
DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NOT_AVAILABLE = "N/A"  # before its first day, after its last, and while the ECB suspends it
ZIP_MAGIC = b"PK\x03\x04"
#: The whole history since 1999 has some 600 kB.
FILE_BYTES_MAX = 1 << 26
#: Over a weekend or a closing day of TARGET there is no rate; Easter is the longest gap.
GAP_DAYS_MAX = 4

#: A hundred of the minor unit are one of the major: pence, South African cents, agorot. So that
#: the minor is exact too, the major has seven decimals; the ECB's own rounding is coarser.
MINOR_UNITS = {"GBX": "GBP", "ZAC": "ZAR", "ILA": "ILS"}
MINOR_PER_MAJOR = 100
#: Far more digits than any quotient of two published rates needs before it is rounded once.
QUOTIENT = Context(prec=60)


@dataclass(frozen=True)
class EcbRates:
    """Units of a currency for one euro, by day; None where the file says N/A."""

    path: Path
    currencies: tuple[str, ...]
    units_per_eur: Mapping[date, Mapping[str, Decimal | None]]

    def rate_on(self, currency: str, day: date, jurisdiction: str = "EU") -> int:
        """EUR for one unit x 10^9 of thresholds that apply on `day`; raises `rows.Refused`.

        It is the rate of `reference_day(day)`, rounded half-even to 9 decimals (7 where the
        currency has a minor unit, which is then exactly a hundredth). Where that 31 December is
        no business day it is the last rate published before (inference: the text is silent).
        """
        return _eur_per_unit_e9(self, currency, reference_day(day, jurisdiction))

    def rates_on(
        self, currencies: Iterable[str], day: date, jurisdiction: str = "EU"
    ) -> dict[str, int]:
        """`rate_on` of each, with EUR, in the form of `fx.load_fx`; every problem at once."""
        rates_e9 = {"EUR": E9}
        problems: list[Problem] = []
        for currency in sorted({normalise_currency(currency) for currency in currencies}):
            try:
                rates_e9[currency] = self.rate_on(currency, day, jurisdiction)
            except Refused as refusal:
                problems.extend(refusal.problems)
        if problems:
            raise Refused(problems)
        return rates_e9


def reference_day(day: date, jurisdiction: str = "EU") -> date:
    """The 31 December whose rate converts the thresholds that apply on `day`.

    That of the year before the one in whose April they began to apply: in January 2027 those of
    6 April 2026 still apply, and 31 December 2025 holds. That the rate changes with the thresholds
    and not on 1 January is an inference: Art 17(7) says "the preceding year" beside the calendar
    of Art 17(1)-(2), whose year starts in April. LookupError where no rule is known.
    """
    applied_year = day.year if day >= switch_day(day.year, jurisdiction) else day.year - 1
    return date(applied_year - 1, 12, 31)


def read_ecb(path: Path) -> EcbRates:
    """The whole history; raises `rows.Refused` with every line and column that cannot be read."""
    rows = _rows(path, _text(path))
    header = next(rows)
    currencies = _currencies(header)
    first_line: dict[date, int] = {}

    def parse(row: Row) -> tuple[date, dict[str, Decimal | None]]:
        day = _day(row)
        if first_line.setdefault(day, row.line) != row.line:
            advice = f"keep one line of this day: line {first_line[day]} has it already"
            raise row.refuse(DATE_COLUMN, advice)
        return day, _units(row, currencies)

    units_per_eur = dict(parse_all(rows, parse))
    if not units_per_eur:
        raise refused(path, 0, "", "", "the file has no day: download it again")
    return EcbRates(path, currencies, units_per_eur)


def _eur_per_unit_e9(rates: EcbRates, currency: str, wanted: date) -> int:
    code = normalise_currency(currency)
    if code == "EUR":
        return E9
    if code in MINOR_UNITS:
        return _eur_per_unit_e9(rates, MINOR_UNITS[code], wanted) // MINOR_PER_MAJOR
    if code not in rates.currencies:
        advice = "the ECB publishes no rate: take one from elsewhere into fx.csv; it has "
        raise _no_rate(rates, code, code, advice + ", ".join(rates.currencies))
    day = _published(rates, code, wanted)
    units = rates.units_per_eur[day][code]
    if units is None:
        advice = f"suspended or not published on {day}: take a rate from elsewhere into fx.csv"
        raise _no_rate(rates, code, NOT_AVAILABLE, advice)
    places = 7 if code in MINOR_UNITS.values() else 9
    rate = QUOTIENT.divide(Decimal(1), units).quantize(
        Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN
    )
    rate_e9 = int(rate.scaleb(9))
    if not 0 < rate_e9 <= EUR_PER_UNIT_E9_MAX:
        advice = f"{rate:f} EUR a unit on {day} is outside what the engine computes with"
        raise _no_rate(rates, code, f"{units:f}", advice)
    return rate_e9


def _published(rates: EcbRates, code: str, wanted: date) -> date:
    """The last day with a line, not after `wanted`."""
    if max(rates.units_per_eur) < wanted:
        advice = f"the file ends on {max(rates.units_per_eur)}, before {wanted}: download it again"
        raise _no_rate(rates, code, wanted.isoformat(), advice)
    for back in range(GAP_DAYS_MAX + 1):
        day = wanted - timedelta(days=back)
        if day in rates.units_per_eur:
            return day
    advice = f"the file has no rates of the end of {wanted.year}: download the whole history"
    raise _no_rate(rates, code, wanted.isoformat(), advice)


def _no_rate(rates: EcbRates, code: str, value: str, advice: str) -> Refused:
    return refused(rates.path, 0, code, value, advice)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    if data.startswith(ZIP_MAGIC):
        data = _unzipped(path, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = f"byte {data[error.start]:02x}"
        raise refused(path, line, "", value, "download the file again: it is not text") from None


def _unzipped(path: Path, data: bytes) -> bytes:
    """The one .csv of the archive."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                value = ", ".join(archive.namelist())[:80]
                raise refused(path, 0, "", value, "give an archive with one .csv in it")
            with archive.open(names[0]) as member:
                unzipped = member.read(FILE_BYTES_MAX + 1)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise refused(path, 0, "", "", f"download the archive again: {error}") from None
    if len(unzipped) > FILE_BYTES_MAX:
        advice = f"the file in the archive is longer than {FILE_BYTES_MAX} bytes"
        raise refused(path, 0, "", names[0], advice)
    return unzipped


def _rows(path: Path, text: str) -> Iterator[Row]:
    """The header as a row of its own names, then the days. The ECB ends each line with a comma."""
    header: list[str] | None = None
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            fields = [field.strip() for field in next(csv.reader([content], strict=True))]
        except csv.Error as error:
            raise refused(path, line, "", content[:80], f"close the quotes: {error}") from None
        if fields[-1] == "":
            fields = fields[:-1]
        if header is None:
            header = fields
            if len(set(header)) != len(header) or header[:1] != [DATE_COLUMN]:
                advice = "write `Date` and one column for each currency: download the file again"
                raise refused(path, line, "", content[:80], advice)
        if len(fields) != len(header):
            advice = f"write {len(header)} fields as in the header, not {len(fields)}"
            raise refused(path, line, "", content[:80], advice)
        yield Row(path, line, dict(zip(header, fields, strict=True)))
    if header is None:
        raise refused(path, 0, "", "", "the file is empty: download it again")


def _currencies(header: Row) -> tuple[str, ...]:
    for name in header.values:
        if name != DATE_COLUMN and CURRENCY_FORM.fullmatch(name) is None:
            raise header.refuse(name, "a column is named by a currency: three capitals")
    return tuple(name for name in header.values if name != DATE_COLUMN)


def _day(row: Row) -> date:
    """`date.fromisoformat` alone would take 20261231 and week dates too."""
    text = row.text(DATE_COLUMN)
    if DAY_FORM.fullmatch(text) is None:
        raise row.refuse(DATE_COLUMN, "write the day as YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise row.refuse(DATE_COLUMN, f"write a day of the calendar: {error}") from None


def _units(row: Row, currencies: Iterable[str]) -> dict[str, Decimal | None]:
    units: dict[str, Decimal | None] = {}
    problems: list[Problem] = []
    for code in currencies:
        value = row.text(code)
        if value == NOT_AVAILABLE:
            units[code] = None
        elif DECIMAL_FORM.fullmatch(value) is None or not Decimal(value):
            advice = "write units for one euro above 0: digits with an optional point, or N/A"
            problems.append(Problem(str(row.path), row.line, code, value, advice))
        else:
            units[code] = Decimal(value)
    if problems:
        raise Refused(problems)
    return units
