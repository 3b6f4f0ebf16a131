"""Published results and the firm's list to one snapshot: all or nothing, with a report of why.

For each instrument: which record applies on the day (`refdata.applicable`), thresholds in the
price's currency, tick band from the MRM's ADNT. What is missing or contradicted leaves the
instrument in the table without thresholds, so that its orders are rejected (NO_THRESHOLD).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import regimes, schema
from engine.enums import AssetClass
from engine.limits import ISIN_WORDS, SMS_E6_MAX, VENUES_MAX
from refdata import changes, snapshot
from refdata.applicable import application_period, select
from refdata.changes import Breach, Change
from refdata.collect import Collected
from refdata.firds import asset_class_of
from refdata.firm import FirmInstrument
from refdata.fitrs import FitrsRecord
from refdata.load import AMOUNT_E6_MAX, threshold_e6
from refdata.regulation.tick_rules import tick_band
from refdata.rows import EXACT, Refused
from refdata.snapshot import Snapshot
from refdata.validate import Finding, Severity

RATE_OF_EUR_E9 = 10**9


class Item(NamedTuple):
    """One instrument on its way: what it rests on, and what came of it."""

    isin: str
    own: FirmInstrument | None
    record: FitrsRecord | None
    name: str
    asset_class: AssetClass
    currency: str
    mrm: str
    liquid: bool
    sms_eur: Decimal
    lis_eur: Decimal
    tick_band: int


class Built(NamedTuple):
    """A finished build. `breaches` need an approval before it may be written."""

    as_of: date
    about: dict[str, Any]
    instruments: NDArray[np.void]
    names: list[str]
    records: dict[str, Any]
    findings: list[Finding]
    changes: list[Change]
    breaches: list[Breach]


def build(collected: Collected, as_of: date, previous: Snapshot | None) -> Built:
    """The snapshot's content for a day. Raises `rows.Refused`."""
    findings: list[Finding] = []
    isins = sorted(collected.own if collected.firm.universe == "firm" else _everything(collected))
    items = [item for isin in isins if (item := _item(collected, isin, as_of, findings))]
    venues = _venues(items)
    _say_outside(items, venues, findings)
    instruments = _rows(collected, items, venues, as_of, findings)
    records = {item.isin: _kept(collected, item.isin) for item in items}
    names = [item.name for item in items]
    about = _about(collected, as_of, venues, findings, len(items))
    fresh = Snapshot(
        Path(), "0" * 64, as_of, collected.firm.jurisdiction, venues, instruments, names, about
    )
    guards = collected.firm.guards
    limits = changes.Limits(guards.threshold_factor, guards.missing_share_max, guards.age_days_max)
    moved = [] if previous is None else changes.compare(previous, fresh)
    broken = changes.breaches(previous, fresh, collected.newest, limits)
    about["changes"] = dict(Counter(change.what for change in moved))
    about["previous"] = previous.sha256 if previous is not None else ""
    about["breaches"] = [str(breach) for breach in broken]
    return Built(as_of, about, instruments, names, records, findings, moved, broken)


def write(built: Built, folder: Path, approved_by: str) -> Path:
    """Write the snapshot; breaches without an approval are for the caller to refuse."""
    assert approved_by or not built.breaches, "what goes over a guard rail is approved by a person"
    about = built.about | {"approved_by": approved_by if built.breaches else ""}
    return snapshot.write(folder, about, built.instruments, built.names, built.records)


def _everything(collected: Collected) -> set[str]:
    return collected.own.keys() | collected.records.keys()


def _item(collected: Collected, isin: str, as_of: date, findings: list[Finding]) -> Item | None:
    """The instrument as it holds on the day; None where nobody wants it and nothing is known."""
    own = collected.own.get(isin)
    firds = collected.firds.get(isin)
    records = collected.records.get(isin, [])
    first_traded = firds.first_traded if firds else None
    selection = select(records, as_of, first_traded, collected.firm.jurisdiction)
    record = selection.record
    line = own.line if own else 0

    def find(severity: Severity, message: str) -> None:
        findings.append(Finding(severity, line, isin, message))

    if own is None and record is None and not selection.conflict:
        return None
    closed = False
    for bad in collected.bad.get(isin, ()):
        find(Severity.FAIL_CLOSED, f"a record that cannot be used: {bad}")
        closed = True
    if record is None:
        kind = "CONFLICT: " if selection.conflict else ""
        find(Severity.FAIL_CLOSED, kind + selection.reason)
    asset_class, classed = _asset_class(own, record, firds, find)
    currency = (own.currency if own else None) or (firds.currency if firds else "") or ""
    if own is None and not currency:
        currency = "EUR"  # nobody trades it here; its thresholds are shown as published
    if not currency:
        find(Severity.FAIL_CLOSED, "no currency: give it in the firm's list or FIRDS")
    mrm = (own.mrm if own else None) or (record.mrm if record else "")
    if not mrm and record is not None:
        find(Severity.FAIL_CLOSED, "no most relevant market: give `mrm` in the firm's list")
    band = _tick_band(own, record, asset_class, find)
    liquid, sms, lis = _thresholds(collected, record, asset_class, as_of, find)
    if closed or not classed or not currency or not mrm or band is None:
        sms = lis = Decimal(0)
    return Item(
        isin, own, record,
        (own.name if own else "") or (firds.name if firds else ""),
        asset_class, currency or "EUR", mrm, liquid, sms, lis, band or 0,
    )  # fmt: skip


def _asset_class(own: Any, record: Any, firds: Any, find: Any) -> tuple[AssetClass, bool]:
    """The register's class, the firm's own word where the register has none; and if it is known.

    Without a class nobody knows whether RTS 11 prescribes a tick.
    """
    stated = [
        (what, found)
        for what, found in (
            ("FITRS", record.asset_class if record else None),
            ("the firm's list", own.asset_class if own else None),
            ("FIRDS (CFI)", asset_class_of(firds.cfi) if firds else None),
        )
        if found is not None
    ]
    if not stated:
        if record is not None:
            find(Severity.FAIL_CLOSED, "no class: give `asset_class` in the firm's list")
        return AssetClass.OTHER, False
    if len({found for _, found in stated}) > 1:
        said = ", ".join(f"{what} {found.name.lower()}" for what, found in stated)
        find(Severity.WARNING, f"its class differs: {said}; the first counts")
    return stated[0][1], True


def _tick_band(own: Any, record: Any, asset_class: AssetClass, find: Any) -> int | None:
    """RTS 11 band; 0 where no tick is mandatory; None, with a finding, where it is not known."""
    if own is not None and own.tick_band is not None:
        return int(own.tick_band)
    equity_etf = bool(own and own.equity_etf)
    adnt = record.mrm_adnt if record else None
    mandatory = asset_class in regimes.SHARES_AND_DRS
    if mandatory and adnt is None:
        if record is not None:
            find(Severity.FAIL_CLOSED, "no ADNT of the MRM: its tick band is unknown (RTS 11)")
        return None
    return tick_band(adnt, asset_class, solely_equities=equity_etf)


def _thresholds(
    collected: Collected, record: Any, asset_class: AssetClass, as_of: date, find: Any
) -> tuple[bool, Decimal, Decimal]:
    """Liquidity, SMS and LIS in EUR; 0 where they are missing or contradicted."""
    none = Decimal(0)
    if record is None:
        return False, none, none
    if record.liquid is None:
        find(Severity.FAIL_CLOSED, "the record does not say whether it has a liquid market")
        return False, none, none
    if not record.lis_eur:
        find(Severity.FAIL_CLOSED, "no LIS: the size zone is unknown")
        return record.liquid, none, none
    if record.liquid and not record.sms_eur:
        find(Severity.FAIL_CLOSED, "a liquid market but no SMS: the size zone is unknown")
        return True, none, none
    if not record.liquid and record.sms_eur:
        find(Severity.FAIL_CLOSED, "an SMS but no liquid market: correct one of the two")
        return False, none, none
    _check_ladders(collected, record, asset_class, as_of, find)
    return record.liquid, record.sms_eur or none, record.lis_eur


def _check_ladders(
    collected: Collected, record: Any, asset_class: AssetClass, as_of: date, find: Any
) -> None:
    """Published values against the tables of their period: said, never corrected."""
    jurisdiction = collected.firm.jurisdiction
    period = application_period(record, None, jurisdiction)
    days = [as_of] if period is None else [as_of, max(period[0], regimes.MIFID2_FROM)]
    for what, value, holds, expected, average in (
        ("SMS", record.sms_eur, regimes.on_ladder, regimes.sms_eur, record.avt_eur),
        ("LIS", record.lis_eur, regimes.on_lis_table, regimes.lis_eur, record.adt_eur),
    ):
        if value is None:
            continue
        try:
            fitting = [day for day in days if holds(value, asset_class, day, jurisdiction)]
            if not fitting:
                find(Severity.WARNING, f"{what} {value:f} EUR is no value of its table")
                continue
            if fitting[0] != as_of:
                find(Severity.NOTE, f"{what} {value:f} EUR is of the table when it was published")
            given = average is not None and expected(average, asset_class, fitting[0], jurisdiction)
            if given and given != value:
                find(
                    Severity.WARNING, f"{what} {value:f} EUR, its average {average:f} gives {given}"
                )
        except LookupError as error:
            find(Severity.NOTE, f"{what} not checked: {error}")


def _venues(items: Sequence[Item]) -> list[str]:
    """Every MRM: those of the most instruments in which the firm is SI first, since the engine
    takes as many as it has room for and the others are never quoted; then the most frequent."""
    counts = Counter(item.mrm for item in items if item.mrm)
    quoted = Counter(item.mrm for item in items if item.own and item.own.si)
    return sorted(counts, key=lambda mic: (-quoted[mic], -counts[mic], mic))


def _say_outside(items: Sequence[Item], venues: Sequence[str], findings: list[Finding]) -> None:
    """Instruments that the engine has no room to quote: activated as not SI (gateway.swap)."""
    outside = set(venues[VENUES_MAX:])
    for item in items:
        if item.own and item.own.si and item.mrm in outside:
            message = f"its MRM {item.mrm} is over the engine's {VENUES_MAX} venues: not traded"
            findings.append(Finding(Severity.WARNING, item.own.line, item.isin, message))


def _rows(
    collected: Collected,
    items: Sequence[Item],
    venues: Sequence[str],
    as_of: date,
    findings: list[Finding],
) -> NDArray[np.void]:
    """Rows of schema.instrument, sorted as the items are."""
    rates = _rates(collected, items, as_of, findings)
    places = {mic: place for place, mic in enumerate(venues)}
    rows = np.zeros(len(items), schema.instrument)
    for row, item in zip(rows, items, strict=True):
        own, rate_e9 = item.own, rates.get(item.currency, 0)
        row["isin"] = schema.pack(item.isin, ISIN_WORDS)
        row["currency"] = schema.pack(item.currency)
        row["asset_class"] = item.asset_class
        row["mrm_venue"] = places.get(item.mrm, 0)
        row["si"] = bool(own and own.si)
        row["liquid"] = item.liquid
        row["tick_band"] = item.tick_band
        row["lot"] = own.lot if own else 1
        row["eur_per_unit_e9"] = rate_e9 or RATE_OF_EUR_E9
        row["loaded_row"] = item.record.number if item.record else 0
        if not rate_e9:
            continue
        sms_e6 = _converted_e6(item.sms_eur, rate_e9)
        lis_e6 = _converted_e6(item.lis_eur, rate_e9)
        if sms_e6 > SMS_E6_MAX or lis_e6 > AMOUNT_E6_MAX:
            message = f"a threshold does not fit in {item.currency}"
            findings.append(
                Finding(Severity.FAIL_CLOSED, own.line if own else 0, item.isin, message)
            )
            continue
        row["sms_e6"], row["lis_e6"] = sms_e6, lis_e6
        if own is not None:
            row["order_max_e6"] = _limit(own.order_max_eur_e6, rate_e9)
            row["position_max_e6"] = _limit(own.position_max_eur_e6, rate_e9)
    return rows


def _converted_e6(eur: Decimal, rate_e9: int) -> int:
    """EUR in the price's currency x 10^6, rounded down once, however many decimals it has."""
    return int(EXACT.divide_int(eur.scaleb(15, EXACT), Decimal(rate_e9)))


def _limit(eur_e6: int, rate_e9: int) -> int:
    """The firm's own limit; 0 is none, so one that rounds to nothing becomes the smallest."""
    return min(max(threshold_e6(eur_e6, rate_e9), 1), AMOUNT_E6_MAX) if eur_e6 else 0


def _rates(
    collected: Collected, items: Sequence[Item], as_of: date, findings: list[Finding]
) -> dict[str, int]:
    """EUR for one unit of each currency; an instrument without one fails closed."""
    rates = {"EUR": RATE_OF_EUR_E9}
    problems: dict[str, str] = {}
    for currency in {item.currency for item in items} - rates.keys():
        if collected.rates is None:
            problems[currency] = "no `ecb` file is named in refdata.toml"
            continue
        try:
            rates[currency] = collected.rates.rate_on(currency, as_of, collected.firm.jurisdiction)
        except Refused as error:
            # Without the path: the same inputs elsewhere give the same bytes.
            problems[currency] = "; ".join(problem.advice for problem in error.problems)
        except LookupError as error:
            problems[currency] = str(error)
    for item in items:
        if item.currency in problems:
            line = item.own.line if item.own else 0
            message = f"no rate for {item.currency}: {problems[item.currency]}"
            findings.append(Finding(Severity.FAIL_CLOSED, line, item.isin, message))
    return rates


def _about(
    collected: Collected, as_of: date, venues: list[str], findings: list[Finding], count: int
) -> dict[str, Any]:
    closed = {f.isin for f in findings if f.severity is Severity.FAIL_CLOSED}
    return {
        "as_of": as_of.isoformat(),
        "jurisdiction": collected.firm.jurisdiction,
        "venues": venues,
        "instruments": count,
        "fail_closed": len(closed),
        "inputs": [entry._asdict() for entry in collected.inputs],
        "remarks": collected.remarks,
        "findings": [[str(f.severity), f.isin, f.message] for f in findings],
    }


def _kept(collected: Collected, isin: str) -> dict[str, Any]:
    """What `si refdata show` answers from: the first trading day and every record, those that
    cannot be used as text."""
    firds = collected.firds.get(isin)
    first_traded = firds.first_traded if firds else None
    return {
        "first_traded": first_traded.isoformat() if first_traded else "",
        "records": [_as_json(record) for record in collected.records.get(isin, ())],
        "unusable": [str(record) for record in collected.bad.get(isin, ())],
    }


def _as_json(record: FitrsRecord) -> dict[str, Any]:
    """A record as it is kept for `si refdata show`: what it states."""
    stated: dict[str, Any] = {}
    for name, value in zip(FitrsRecord._fields, record, strict=True):
        kind = type(value)
        if kind is Decimal or kind is date:
            stated[name] = str(value)
        elif value is not None and value != "":
            stated[name] = value
    return stated
