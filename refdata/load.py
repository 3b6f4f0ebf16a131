"""From files to the frozen tables that the engine loads: read, merge, check, convert.

The one entry point is `load_instruments`. It either returns every instrument of the file, each
ready or failing closed, or raises `rows.Refused` and returns nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine import schema
from engine.limits import INT64_MAX, ISIN_WORDS, SMS_E6_MAX, VENUES_MAX, Capacity
from refdata.fx import load_fx
from refdata.instruments import MIC_FORM, read_instruments
from refdata.record import InstrumentRecord
from refdata.rows import Problem, Refused, refused
from refdata.validate import Finding, Severity, check_thresholds, merge_duplicates
from refdata.xetra import lay_over, read_thresholds, read_updated, read_xetra

E9 = 10**9
#: The engine doubles LIS to compare it with twice a notional, with as much to spare.
AMOUNT_E6_MAX = INT64_MAX // 4

Format = Literal["si", "xetra"]


@dataclass(frozen=True)
class Report:
    """What the load did. `fail_closed` and `warned` count instruments, not findings."""

    path: str
    rows: int
    instruments: int
    merged: int
    fail_closed: int
    warned: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Loaded:
    """`instruments` rows of `schema.instrument`; `venues` and `names` by row."""

    instruments: NDArray[np.void]
    venues: list[str]
    names: list[str]
    report: Report


def load_instruments(
    path: Path,
    *,
    format: Format = "si",
    fx_path: Path | None = None,
    thresholds_path: Path | None = None,
    mrm: str | None = None,
    si: bool = True,
    venues: Sequence[str] = (),
    on: date | None = None,
    jurisdiction: str = "EU",
    instruments_max: int = Capacity().instruments,
) -> Loaded:
    """Instruments of one file; raises `rows.Refused`.

    `mrm`, `si` and `thresholds_path` are for "xetra" alone (see `refdata.xetra`). `venues` get rows
    after the MRMs of the file. `on` is the day whose SMS ladder and LIS table the values are
    checked against; without it the file's own date, or else the tables that hold now.
    """
    rates_e9 = load_fx(fx_path)
    if format == "xetra":
        records, findings = read_xetra(path, mrm=mrm, si=si)
        on = on or read_updated(path)
        if thresholds_path is not None:
            records, laid_findings = lay_over(records, read_thresholds(thresholds_path))
            findings = findings + laid_findings
    elif format == "si":
        if thresholds_path is not None or mrm is not None or not si:
            raise ValueError("mrm, si and thresholds_path are for the xetra format only")
        records, findings = read_instruments(path), []
    else:
        raise ValueError(f"unknown format {format!r}: si or xetra")

    rows = len(records)
    records, merge_findings = merge_duplicates(records)
    findings = findings + merge_findings
    checked = []
    for record in records:
        record, found = check_thresholds(record, on or date.max, jurisdiction)
        checked.append(record)
        findings.extend(found)

    currency_column = "currency" if format == "si" else "Settlement Currency"
    _check_rates(path, currency_column, checked, rates_e9)
    if len(checked) > instruments_max:
        advice = f"raise the capacity: the engine has room for {instruments_max} instruments"
        raise refused(path, 0, "", str(len(checked)), advice)
    venue_rows = _venue_rows(path, checked, venues)
    instruments = _freeze(path, checked, rates_e9, venue_rows)
    findings.sort(key=lambda finding: finding.line)
    report = Report(
        path=str(path),
        rows=rows,
        instruments=len(checked),
        merged=rows - len(checked),
        fail_closed=_count(findings, Severity.FAIL_CLOSED),
        warned=_count(findings, Severity.WARNING),
        findings=tuple(findings),
    )
    return Loaded(instruments, list(venue_rows), [record.name for record in checked], report)


def threshold_e6(eur_e6: int, eur_per_unit_e9: int) -> int:
    """An EUR amount in the price's currency, both x 10^6.

    Rounded down: less than a millionth of a unit is lost, on the strict side for LIS and for the
    firm's limits; for SMS it moves the zone's edge by less than any order's notional can show.
    For whole EUR this is `eur * 10^15 // eur_per_unit_e9`.
    """
    return eur_e6 * E9 // eur_per_unit_e9


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return len({finding.isin for finding in findings if finding.severity is severity})


def _check_rates(
    path: Path, column: str, records: Sequence[InstrumentRecord], rates_e9: dict[str, int]
) -> None:
    """Refuse currencies without a rate, each at the first line that has it."""
    missing: dict[str, int] = {}
    for record in records:
        if record.currency not in rates_e9:
            missing.setdefault(record.currency, record.line)
    problems = []
    for currency, line in missing.items():
        advice = f"add {'GBP' if currency == 'GBX' else currency} to the fx file: no rate known"
        problems.append(Problem(str(path), line, column, currency, advice))
    if problems:
        raise Refused(problems)


def _venue_rows(
    path: Path, records: Sequence[InstrumentRecord], extra_mics: Sequence[str]
) -> dict[str, int]:
    """Row of each venue: MRMs in order of first appearance, then the others asked for."""
    rows: dict[str, int] = {}
    for mic in [record.mrm for record in records] + list(extra_mics):
        if MIC_FORM.fullmatch(mic) is None:
            raise refused(path, 0, "mrm", mic, "a MIC is four capitals or digits")
        rows.setdefault(mic, len(rows))
    if len(rows) > VENUES_MAX:
        raise refused(path, 0, "mrm", " ".join(rows), f"keep to {VENUES_MAX} venues in all")
    return rows


def _freeze(
    path: Path,
    records: Sequence[InstrumentRecord],
    rates_e9: dict[str, int],
    venue_rows: dict[str, int],
) -> NDArray[np.void]:
    problems: list[Problem] = []

    def convert(record: InstrumentRecord, column: str, eur_e6: int, largest: int) -> int:
        amount_e6 = threshold_e6(eur_e6, rates_e9[record.currency])
        if amount_e6 > largest:
            advice = f"in {record.currency} it does not fit: correct the amount or the rate"
            problems.append(Problem(str(path), record.line, column, str(eur_e6 // 10**6), advice))
            return 0
        # A limit of 0 would mean "none", so one that rounds to nothing becomes the smallest.
        return max(amount_e6, 1) if eur_e6 else 0

    instruments = np.zeros(len(records), schema.instrument)
    for row, record in zip(instruments, records, strict=True):
        in_eur = record.lis_currency == "EUR"
        row["isin"] = schema.pack(record.isin, ISIN_WORDS)
        row["currency"] = schema.pack(record.currency)
        row["asset_class"] = record.asset_class
        row["mrm_venue"] = venue_rows[record.mrm]
        row["si"] = record.si
        row["liquid"] = record.liquid
        row["sms_e6"] = convert(record, "sms_eur", record.sms_eur_e6, SMS_E6_MAX)
        row["lis_e6"] = (
            convert(record, "lis_eur", record.lis_e6, AMOUNT_E6_MAX) if in_eur else record.lis_e6
        )
        row["tick_band"] = record.tick_band
        row["lot"] = record.lot
        row["eur_per_unit_e9"] = rates_e9[record.currency]
        row["order_max_e6"] = convert(
            record, "order_max_eur", record.order_max_eur_e6, AMOUNT_E6_MAX
        )
        row["position_max_e6"] = convert(
            record, "position_max_eur", record.position_max_eur_e6, AMOUNT_E6_MAX
        )
        row["loaded_row"] = record.line
    if problems:
        raise Refused(problems)
    return instruments
