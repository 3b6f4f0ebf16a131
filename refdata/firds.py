"""FIRDS: what ESMA and the FCA publish about every instrument and the venues that trade it.

Full files (auth.017), deltas (auth.036) and cancellations (auth.102), read as ESMA65-8-5014 and
RTS 23 describe them: one record is one instrument on one venue. `read_firds` says what a file says;
`fold` makes one instrument of its records.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from engine.enums import AssetClass
from refdata.archive import DEFAULT_LIMITS, Limits, sha256
from refdata.published import (
    BadRecord,
    Unusable,
    check_isin,
    check_mic,
    parse_date,
    parse_date_time,
    parse_file_name,
    read_header,
)
from refdata.rows import refused
from refdata.xml_stream import Element, Fields, Found, elements, known_leaves, local_name, text_at

Action = Literal["full", "new", "modified", "terminated", "cancelled"]

#: ESMA65-8-5014 section 6; `k` and `n` come with and without leading zeros.
NAME_FORM = re.compile(
    r"(?P<kind>FULINS|DLTINS|FULCAN)_(?:(?P<cfi>[A-Z])_)?(?P<day>[0-9]{8})"
    r"_(?P<part>[0-9]{1,4})of(?P<parts>[0-9]{1,4})(?![0-9])",
    re.IGNORECASE,
)
FULL, DELTA = "FinInstrmRptgRefDataRpt", "FinInstrmRptgRefDataDltaRpt"
CANCELLATIONS = "FinInstrmRptgCxlRpt"
CONTAINERS = (FULL, DELTA, CANCELLATIONS)
#: What a delta wraps each record in.
ACTIONS: Mapping[str, Action] = {
    "NewRcrd": "new",
    "ModfdRcrd": "modified",
    "TermntdRcrd": "terminated",
    "CancRcrd": "cancelled",
}
RECORDS = ("RefData", "CxlData", *ACTIONS)
VENUE = "TradgVnRltdAttrbts"
GENERAL_READ = frozenset(
    {f"FinInstrmGnlAttrbts/{name}" for name in ("Id", "FullNm", "ClssfctnTp", "NtnlCcy")}
    | {f"TechAttrbts/{name}" for name in ("RlvntCmptntAuthrty", "RlvntTradgVn")}
    | {f"TechAttrbts/PblctnPrd/{form}" for form in ("Dt", "FrDt", "FrDtToDt/FrDt")}
    | {"Issr"}
)
#: In the schema, and of no use here: neither read nor counted as unknown.
NOT_READ = frozenset(
    ("TechRcrdId", "FinInstrmGnlAttrbts/ShrtNm", "FinInstrmGnlAttrbts/CmmdtyDerivInd", VENUE,
     "DebtInstrmAttrbts", "DerivInstrmAttrbts", "TechAttrbts")
)  # fmt: skip
VENUE_READ = frozenset(("Id", "FrstTradDt", "TermntnDt"))
VENUE_NOT_READ = frozenset(("IssrReq", "AdmssnApprvlDtByIssr", "ReqForAdmssnDt"))
CFI_FORM = re.compile(r"[A-Z]{6}")
CURRENCY_FORM = re.compile(r"[A-Z]{3}")
#: A termination in this year means that none is foreseen.
NEVER_YEAR = 9999

#: First two letters of ISO 10962 that are certainly one class of RTS 1; all else is not decided
#: here (MiFIR Art 2(1)(26)-(27) for ETFs and certificates goes by more than the code).
CFI_CLASSES = {
    "ES": AssetClass.SHARE,  # common
    "EP": AssetClass.SHARE,  # preferred
    "EC": AssetClass.SHARE,  # common convertible
    "EF": AssetClass.SHARE,  # preferred convertible
    "ED": AssetClass.DEPOSITARY_RECEIPT,
    "CE": AssetClass.ETF,
}


class FirdsRecord(NamedTuple):
    """One instrument on one venue. Days are those of the UTC times as written; `first_traded` and
    `terminated` are RTS 23 fields 11 and 12, None where not stated, `valid_from` the first day of
    this version. `number` is the record's place in the file, from 1."""

    source: str
    number: int
    action: Action
    isin: str
    name: str
    cfi: str
    currency: str
    issuer: str
    mic: str
    first_traded: date | None
    terminated: date | None
    relevant_authority: str
    relevant_mic: str
    valid_from: date | None
    file_day: date | None = None


class FirdsFile(NamedTuple):
    """What is known of a file before its records; see `refdata.fitrs.FitrsFile`."""

    name: str
    sha256: str
    kind: Literal["full", "delta", "cancellations", "unknown"]
    day: date | None
    cfi_letter: str
    part: int
    parts: int
    authority: str
    unknown: Counter[str]


KINDS: Mapping[str, Literal["full", "delta", "cancellations", "unknown"]] = {
    "FULINS": "full",
    "DLTINS": "delta",
    "FULCAN": "cancellations",
    "": "unknown",
}


class FirdsInstrument(NamedTuple):
    """One instrument over its venues, those cancelled left out.

    `terminated` is the last day of the last venue, None while one has no end. What the venues
    contradict each other in is "" and named in `conflicts`. No `mics`: cancelled everywhere.
    """

    isin: str
    name: str
    cfi: str
    currency: str
    first_traded: date | None
    terminated: date | None
    mics: tuple[str, ...]
    relevant_mic: str
    conflicts: tuple[str, ...]


def asset_class_of(cfi: str) -> AssetClass | None:
    """The class of RTS 1 by a CFI code; None where the code alone does not say it for certain."""
    return CFI_CLASSES.get(cfi[:2]) if CFI_FORM.fullmatch(cfi) else None


def read_firds(
    path: Path, limits: Limits = DEFAULT_LIMITS
) -> tuple[FirdsFile, Iterator[FirdsRecord | BadRecord]]:
    """The file and its records, in order; raises `Refused`, as does the iterator.

    Where the iterator raises, none of its records may be used: the file is not whole.
    """
    name = parse_file_name(path, NAME_FORM)
    digest = sha256(path)
    day, authority = read_header(path, CONTAINERS, RECORDS, limits)
    file = FirdsFile(
        name=path.name,
        sha256=digest,
        kind=KINDS[name.kind],
        day=name.day or day,
        cfi_letter=name.cfi_letter,
        part=name.part,
        parts=name.parts,
        authority=authority,
        unknown=Counter(),
    )
    return file, _read_records(path, file, limits)


def fold(records: Iterable[FirdsRecord]) -> dict[str, FirdsInstrument]:
    """One instrument per ISIN, of the latest version of each venue.

    The latest is that of the latest `valid_from`, or file day where there is none (ESMA65-8-5014
    section 8.2): a delta may bring a late correction of an older version. Versions of the same day
    that differ are a conflict; the order in which the records come in decides nothing.
    """
    latest: dict[tuple[str, str], list[FirdsRecord]] = {}
    for record in records:
        versions = latest.setdefault((record.isin, record.mic), [])
        if versions and _age(versions[0]) < _age(record):
            versions.clear()
        if not versions or _age(versions[0]) == _age(record):
            versions.append(record)
    by_isin: dict[str, list[FirdsRecord]] = {}
    for versions in latest.values():
        by_isin.setdefault(versions[0].isin, []).extend(versions)
    return {isin: _instrument(isin, by_isin[isin]) for isin in sorted(by_isin)}


def _age(record: FirdsRecord) -> tuple[date, date]:
    file_day = record.file_day or date.min
    return record.valid_from or file_day, file_day


def _instrument(isin: str, records: list[FirdsRecord]) -> FirdsInstrument:
    venues = sorted(
        {_content(record) for record in records if record.action != "cancelled"},
        key=lambda record: (record.mic, repr(record)),
    )
    mics = sorted({record.mic for record in venues})
    conflicts = [
        f"{mic}: versions of the same day differ"
        for mic in mics
        if len({_content(record) for record in records if record.mic == mic}) > 1
    ]
    ends = [_end(record) for record in venues]
    starts = [record.first_traded for record in venues if record.first_traded is not None]
    # Names differ in spelling between venues: the relevant market's is taken.
    names = sorted(venues, key=lambda record: record.mic != record.relevant_mic)
    return FirdsInstrument(
        isin=isin,
        name=next((record.name for record in names if record.name), ""),
        cfi=_agreed(venues, "cfi", conflicts),
        currency=_agreed(venues, "currency", conflicts),
        first_traded=min(starts, default=None),
        terminated=max((end for end in ends if end), default=None) if all(ends) else None,
        mics=tuple(mics),
        relevant_mic=_agreed(venues, "relevant_mic", conflicts),
        conflicts=tuple(conflicts),
    )


def _content(record: FirdsRecord) -> FirdsRecord:
    """The record without where it stood; a cancellation or termination stays one."""
    action: Action = record.action if record.action in ("cancelled", "terminated") else "full"
    return record._replace(source="", number=0, action=action, file_day=None)


def _end(record: FirdsRecord) -> date | None:
    """The venue's last day; a termination without a date is one when its version begins."""
    if record.terminated is None and record.action == "terminated":
        return record.valid_from or date.min
    return record.terminated


def _agreed(venues: list[FirdsRecord], column: str, conflicts: list[str]) -> str:
    """The one value that is stated, "" where there is none or more than one."""
    mics_by_value: dict[str, list[str]] = {}
    for record in venues:
        value: str = getattr(record, column)
        if value:
            mics_by_value.setdefault(value, []).append(record.mic)
    if len(mics_by_value) > 1:
        said = [f"{value} ({', '.join(mics)})" for value, mics in sorted(mics_by_value.items())]
        conflicts.append(f"{column}: {'; '.join(said)}")
        return ""
    return next(iter(mics_by_value), "")


def _read_records(path: Path, file: FirdsFile, limits: Limits) -> Iterator[FirdsRecord | BadRecord]:
    number = 0
    for found in elements(path, RECORDS, limits):
        if any(local_name(child.tag) in RECORDS for child in found.element):
            continue  # wraps a record that was read when it ended
        number += 1
        action = _action(path, found)
        yield from parse_record(file, number, action, found.element)


def _action(path: Path, found: Found) -> Action:
    if found.name in ACTIONS:
        return ACTIONS[found.name]
    if found.within in ACTIONS:
        return ACTIONS[found.within]
    if found.within == FULL:
        return "full"
    if found.within == CANCELLATIONS:
        return "cancelled"
    advice = "a record of FIRDS belongs into " + " or ".join(CONTAINERS)
    raise refused(path, found.element.sourceline or 0, found.name, found.within, advice)


def parse_record(
    file: FirdsFile, number: int, action: Action, element: Element
) -> Iterator[FirdsRecord | BadRecord]:
    """One record per venue in it; a cancellation may name several."""
    fields, doubtful = known_leaves(element, GENERAL_READ, NOT_READ, file.unknown)
    try:
        if doubtful:
            raise Unusable(doubtful, "", "state it once, without elements in it")
        venues = [child for child in element if local_name(child.tag) == VENUE]
        if not venues:
            raise Unusable(VENUE, "", "state the venue")
        records = [_record(file, number, action, fields, venue) for venue in venues]
    except Unusable as reason:
        isin = text_at(fields, "FinInstrmGnlAttrbts/Id")
        yield BadRecord(file.name, number, isin, reason.column, reason.value, reason.advice)
    else:
        yield from records


def _record(
    file: FirdsFile, number: int, action: Action, fields: Fields, venue: Element
) -> FirdsRecord:
    venue_fields, doubtful = known_leaves(venue, VENUE_READ, VENUE_NOT_READ, file.unknown)
    if doubtful:
        raise Unusable(f"{VENUE}/{doubtful}", "", "state it once, without elements in it")
    general, tech = "FinInstrmGnlAttrbts", "TechAttrbts"
    terminated = _day(venue_fields, "TermntnDt")
    published = f"{tech}/PblctnPrd"
    return FirdsRecord(
        source=file.name,
        number=number,
        action=action,
        isin=check_isin(f"{general}/Id", text_at(fields, f"{general}/Id")),
        name=text_at(fields, f"{general}/FullNm"),
        cfi=_formed(fields, f"{general}/ClssfctnTp", CFI_FORM, "a CFI code is six capitals"),
        currency=_formed(fields, f"{general}/NtnlCcy", CURRENCY_FORM, "write three capitals"),
        issuer=text_at(fields, "Issr"),
        mic=check_mic(f"{VENUE}/Id", text_at(venue_fields, "Id")),
        first_traded=_day(venue_fields, "FrstTradDt"),
        terminated=None if terminated and terminated.year == NEVER_YEAR else terminated,
        relevant_authority=text_at(fields, f"{tech}/RlvntCmptntAuthrty"),
        relevant_mic=text_at(fields, f"{tech}/RlvntTradgVn"),
        valid_from=_date(fields, f"{published}/FrDt")
        or _date(fields, f"{published}/FrDtToDt/FrDt")
        or _date(fields, f"{published}/Dt"),
        file_day=file.day,
    )


def _formed(fields: Fields, path: str, form: re.Pattern[str], advice: str) -> str:
    text = text_at(fields, path)
    if path in fields and form.fullmatch(text) is None:
        raise Unusable(path, text, advice)
    return text


def _day(fields: Fields, path: str) -> date | None:
    """The day of a time, which RTS 23 states in UTC."""
    if path not in fields:
        return None
    day = parse_date_time(text_at(fields, path))
    if day is None:
        advice = "write a time that exists, as YYYY-MM-DDThh:mm:ssZ"
        raise Unusable(f"{VENUE}/{path}", text_at(fields, path), advice)
    return day


def _date(fields: Fields, path: str) -> date | None:
    if path not in fields:
        return None
    day = parse_date(text_at(fields, path))
    if day is None:
        raise Unusable(path, text_at(fields, path), "write a date that exists, as YYYY-MM-DD")
    return day
