"""Cross-checks on instruments that could be read.

Rule: a threshold that is missing, 0 or contradicted makes its instrument fail closed: the row keeps
0 there and the engine rejects its orders with NO_THRESHOLD. It never stops the other instruments.
What is only unusual is a warning. Everything is listed with its line.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from refdata.record import InstrumentRecord


class Severity(StrEnum):
    """What a finding did to the instrument."""

    NOTE = "note"
    WARNING = "warning"
    FAIL_CLOSED = "fail_closed"


class Finding(NamedTuple):
    """One remark on one line of the file."""

    severity: Severity
    line: int
    isin: str
    message: str


def merge_duplicates(
    records: Iterable[InstrumentRecord],
) -> tuple[list[InstrumentRecord], list[Finding]]:
    """One record per ISIN, in order of first appearance.

    Lines that say the same are merged; where they differ nobody knows which is right, so the first
    stays without thresholds.
    """
    first_by_isin: dict[str, InstrumentRecord] = {}
    conflicts: set[str] = set()
    findings = []
    for record in records:
        first = first_by_isin.setdefault(record.isin, record)
        if first is record:
            continue
        differing = [
            name
            for name in InstrumentRecord._fields
            if name != "line" and getattr(first, name) != getattr(record, name)
        ]
        if differing:
            conflicts.add(record.isin)
            message = f"differs from line {first.line} in {', '.join(differing)}: keep one line"
            findings.append(Finding(Severity.FAIL_CLOSED, record.line, record.isin, message))
        else:
            message = f"the same as line {first.line}: merged"
            findings.append(Finding(Severity.NOTE, record.line, record.isin, message))
    merged = [
        record._replace(sms_eur_e6=0, lis_e6=0) if record.isin in conflicts else record
        for record in first_by_isin.values()
    ]
    return merged, findings


def check_thresholds(
    record: InstrumentRecord, on: date, jurisdiction: str
) -> tuple[InstrumentRecord, list[Finding]]:
    """The record, failing closed where it must, with findings by the rules of the day `on`."""
    findings: list[Finding] = []

    def find(severity: Severity, message: str) -> None:
        findings.append(Finding(severity, record.line, record.isin, message))

    if record.lis_e6 == 0:
        find(Severity.FAIL_CLOSED, "no LIS: the size zone is unknown")
    if record.liquid and record.sms_eur_e6 == 0:
        find(Severity.FAIL_CLOSED, "a liquid market but no SMS: the size zone is unknown")
    if not record.liquid and record.sms_eur_e6:
        # RTS 1 Art 11(1): only a liquid market has an SMS. Either the flag or the SMS is wrong;
        # without its LIS an illiquid row is NO_THRESHOLD too.
        find(Severity.FAIL_CLOSED, "an SMS but no liquid market: correct one of the two")
        record = record._replace(sms_eur_e6=0, lis_e6=0)
    for message in _warnings(record, on, jurisdiction):
        find(Severity.WARNING, message)
    return record, findings


def _warnings(record: InstrumentRecord, on: date, jurisdiction: str) -> list[str]:
    found = []
    asset_class = record.asset_class
    sms_eur = Decimal(record.sms_eur_e6).scaleb(-6).normalize()
    lis = Decimal(record.lis_e6).scaleb(-6).normalize()
    # RTS 11 Art 2: the tick is mandatory in shares and depositary receipts; for ETFs on equities it
    # is the one of band 6, and for nothing else.
    if asset_class in regimes.SHARES_AND_DRS and record.tick_band == 0:
        found.append("a share or depositary receipt without tick band: RTS 11 prescribes one")
    if asset_class is AssetClass.ETF and record.tick_band not in (0, 6):
        found.append(f"an ETF in tick band {record.tick_band}: RTS 11 knows 6 or none")
    if asset_class in regimes.CERTIFICATES_AND_SIMILAR and record.tick_band:
        found.append(f"tick band {record.tick_band} where RTS 11 prescribes no tick")
    if (
        asset_class is AssetClass.OTHER
        and record.liquid
        and jurisdiction == "EU"
        and on >= regimes.OTHER_ILLIQUID_FROM
    ):
        found.append("class other is never liquid (DR 2017/567 Art 4a)")
    try:
        if sms_eur and not regimes.on_ladder(sms_eur, asset_class, on, jurisdiction):
            ladder = regimes.ladder_on(on, asset_class, jurisdiction)
            found.append(f"SMS {sms_eur:f} EUR is not on its ladder ({ladder.citation})")
    except LookupError as error:
        found.append(f"SMS not checked: {error}")
    try:
        # A LIS in another currency was converted at a rate that the file does not tell.
        in_eur = lis and record.lis_currency == "EUR"
        if in_eur and not regimes.on_lis_table(lis, asset_class, on, jurisdiction):
            table = regimes.lis_table_on(on, asset_class, jurisdiction)
            found.append(f"LIS {lis:f} EUR is not in its table ({table.citation})")
    except LookupError:
        pass  # no LIS table is known for the UK: nothing to compare with
    return found
