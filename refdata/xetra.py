"""Deutsche Boerse's "all tradable instruments" file of Xetra, with a file of the SMS beside it.

`;`, header on line 3. What it says and what it does not:

- Instrument Type CS is read as share (the file does not tell depositary receipts apart), ETF as
  ETF, and ETC, ETN and OTHER as other.
- Pre-trade LIS Value is in the Settlement Currency, which is the currency of the price. In a
  non-EUR line it is the EUR threshold times the exchange's own rate (the file of 18 Apr 2019 has
  1,131,000 USD, 866,900 GBP, 10,440,500 SEK and 7,562,300 CNY for 1,000,000 EUR), so it is taken
  over without conversion. 0 is "not set", and so is 9,999,999, which stands in USD and GBP lines
  alike; both fail closed.
- Tick Size Band ESMA_LB1..6 is the band of RTS 11. XETRA_LB* is the exchange's own tick: no
  mandatory one, band 0.
- It has no SMS and no SI status: the first comes from the thresholds file, the second is said for
  the whole file.
"""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from engine.enums import AssetClass
from engine.limits import TICK_BANDS
from refdata.fx import read_currency
from refdata.instruments import YES_NO, read_mic
from refdata.record import EUR_E6_MAX, InstrumentRecord
from refdata.rows import Row, parse_all, read_rows
from refdata.validate import Finding, Severity

HEADER_LINE = 3
COLUMNS = (
    "ISIN", "instrument", "Instrument Status", "MIC Code", "Instrument Type",
    "Settlement Currency", "Regulatory Liquid Instrument", "Pre-trade LIS Value", "Tick Size Band",
)  # fmt: skip

INSTRUMENT_TYPES = {
    "CS": AssetClass.SHARE,
    "ETF": AssetClass.ETF,
    "ETC": AssetClass.OTHER,
    "ETN": AssetClass.OTHER,
    "OTHER": AssetClass.OTHER,
}
#: Debt instruments to MiFIR: their LIS is of the non-equity rules (RTS 2), not of RTS 1.
NON_EQUITY_TYPES = ("ETC", "ETN")
ESMA_BANDS = {f"ESMA_LB{band}": band for band in range(1, TICK_BANDS + 1)}
OWN_BAND_FORM = re.compile(r"XETRA_LB[0-9]+")
LIS_PLACEHOLDER_E6 = 9_999_999 * 10**6
UPDATED_FORM = re.compile(r"Date Last Update:;([0-9]{2})\.([0-9]{2})\.([0-9]{4})")


class Threshold(NamedTuple):
    """One line of the thresholds file, EUR x 10^6; 0 is "not given"."""

    line: int
    isin: str
    sms_eur_e6: int
    lis_eur_e6: int


NO_THRESHOLD = Threshold(0, "", 0, 0)


def read_xetra(
    path: Path, *, mrm: str | None = None, si: bool = True
) -> tuple[list[InstrumentRecord], list[Finding]]:
    """Every line as it stands, with what is odd in it; raises `rows.Refused`.

    `mrm` is the most relevant market of all lines, or None for the MIC Code of each; `si` says
    whether the firm is Systematic Internaliser in them.
    """
    findings: list[Finding] = []

    def parse(row: Row) -> InstrumentRecord:
        record = _parse_line(row, mrm, si)
        findings.extend(_oddities(row, record))
        if record.lis_e6 == LIS_PLACEHOLDER_E6:
            record = record._replace(lis_e6=0)
        return record

    rows = read_rows(
        path, required=COLUMNS, delimiter=";", header_line=HEADER_LINE, any_other_column=True
    )
    return parse_all(rows, parse), findings


def read_updated(path: Path) -> date | None:
    """The "Date Last Update" above the header, None where there is none."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for _, text in zip(range(HEADER_LINE - 1), lines, strict=False):
            match = UPDATED_FORM.match(text)
            if match:
                day, month, year = (int(part) for part in match.groups())
                try:
                    return date(year, month, day)
                except ValueError:
                    return None
    return None


def read_thresholds(path: Path) -> list[Threshold]:
    """`isin,sms_eur` and, if wanted, `lis_eur`; raises `rows.Refused`."""

    def parse(row: Row) -> Threshold:
        return Threshold(
            row.line,
            row.isin("isin"),
            row.scaled("sms_eur", 6, EUR_E6_MAX),
            row.scaled("lis_eur", 6, EUR_E6_MAX),
        )

    rows = read_rows(path, required=("isin", "sms_eur"), optional=("lis_eur",))
    return parse_all(rows, parse)


def lay_over(
    records: Iterable[InstrumentRecord], thresholds: Iterable[Threshold]
) -> tuple[list[InstrumentRecord], list[Finding]]:
    """Records with the thresholds file's SMS, and its LIS where it gives one."""
    findings: list[Finding] = []
    by_isin: dict[str, Threshold] = {}
    conflicts: set[str] = set()
    for threshold in thresholds:
        first = by_isin.setdefault(threshold.isin, threshold)
        if first._replace(line=0) != threshold._replace(line=0):
            conflicts.add(threshold.isin)
    laid = []
    for record in records:
        threshold = by_isin.get(record.isin, NO_THRESHOLD)
        record = record._replace(sms_eur_e6=threshold.sms_eur_e6)
        if threshold.lis_eur_e6:
            record = record._replace(lis_e6=threshold.lis_eur_e6, lis_currency="EUR")
        if record.isin in conflicts:
            record = record._replace(sms_eur_e6=0, lis_e6=0)
            message = "the thresholds file gives two different lines for it: keep one"
            findings.append(Finding(Severity.FAIL_CLOSED, record.line, record.isin, message))
        laid.append(record)
    for isin in by_isin.keys() - {record.isin for record in laid}:
        message = "in the thresholds file only: no such instrument"
        findings.append(Finding(Severity.NOTE, by_isin[isin].line, isin, message))
    return laid, findings


def _parse_line(row: Row, mrm: str | None, si: bool) -> InstrumentRecord:
    return InstrumentRecord(
        line=row.line,
        isin=row.isin("ISIN"),
        name=row.text("instrument"),
        asset_class=row.choice("Instrument Type", INSTRUMENT_TYPES),
        currency=read_currency(row, "Settlement Currency"),
        mrm=mrm or read_mic(row, "MIC Code"),
        si=si,
        liquid=row.choice("Regulatory Liquid Instrument", YES_NO),
        sms_eur_e6=0,
        lis_e6=row.scaled("Pre-trade LIS Value", 6, EUR_E6_MAX),
        lis_currency=read_currency(row, "Settlement Currency"),
        tick_band=_read_band(row),
        lot=1,
        order_max_eur_e6=0,
        position_max_eur_e6=0,
    )


def _read_band(row: Row) -> int:
    if OWN_BAND_FORM.fullmatch(row.text("Tick Size Band")):
        return 0
    return row.choice("Tick Size Band", ESMA_BANDS)  # XETRA_LB with a number is read above


def _oddities(row: Row, record: InstrumentRecord) -> list[Finding]:
    found = []
    if record.lis_e6 == LIS_PLACEHOLDER_E6:
        message = "LIS 9999999 is a placeholder: it counts as not set"
        found.append(Finding(Severity.FAIL_CLOSED, row.line, record.isin, message))
    if row.text("Instrument Type") in NON_EQUITY_TYPES:
        message = "ETC or ETN: thresholds of the non-equity rules (RTS 2), it has no SMS"
        found.append(Finding(Severity.NOTE, row.line, record.isin, message))
    if row.text("Instrument Status") != "active":
        message = f"status is {row.text('Instrument Status')!r}"
        found.append(Finding(Severity.WARNING, row.line, record.isin, message))
    return found
