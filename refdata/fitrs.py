"""FITRS: the transparency results that ESMA and the FCA publish for equity instruments.

Read as ESMA65-8-5240 (30 September 2025) describes it: envelope head.003, header head.001, payload
auth.044.001 in version 02 or 03, where 03 adds `ApplPrd`. `read_fitrs` is the entry point. It says
what a file says and decides nothing: which record applies is for `refdata.applicable`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from engine.enums import AssetClass
from refdata.archive import DEFAULT_LIMITS, Limits, sha256
from refdata.published import (
    BadRecord,
    Unusable,
    check_isin,
    check_mic,
    parse_date,
    parse_file_name,
    read_header,
)
from refdata.rows import refused
from refdata.xml_stream import Element, Fields, elements, known_leaves, text_at

CONTAINER, RECORD = "FinInstrmRptgEqtyTradgActvtyRslt", "EqtyTrnsprncyData"
#: ESMA65-8-5240 par. 15-16. `k` and `n` come with and without leading zeros.
NAME_FORM = re.compile(
    r"(?P<kind>FULECR|DLTECR)_(?P<day>[0-9]{8})(?:_(?P<cfi>[A-Z]))?"
    r"_(?P<part>[0-9]{1,4})of(?P<parts>[0-9]{1,4})(?![0-9])",
    re.IGNORECASE,
)
#: xs:decimal: no exponent, no NaN. The length keeps what follows exact.
NUMBER_FORM = re.compile(r"[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})")
#: EUR 1,000 billion a day, a thousand million trades a day: more is a mistake.
AMOUNT_EUR_MAX = Decimal(10**12)
COUNT_MAX = Decimal(10**9)


class Methodology(StrEnum):
    """How a result was calculated (ESMA65-8-5240 par. 28-32)."""

    YEAR = "YEAR"
    SINT = "SINT"
    FFWK = "FFWK"
    ESTM = "ESTM"


class FitrsRecord(NamedTuple):
    """One result as published. Amounts in EUR; periods are inclusive, None where not stated.

    `number` is the record's place in the file `source`, from 1; `file_day` is that file's day.
    `adnt` is of all venues, `mrm_adnt` of the most relevant market alone.
    """

    source: str
    number: int
    record_id: str
    isin: str
    asset_class: AssetClass | None
    methodology: Methodology | None
    reported_from: date | None
    reported_to: date | None
    applies_from: date | None
    applies_to: date | None
    liquid: bool | None
    adt_eur: Decimal | None
    avt_eur: Decimal | None
    sms_eur: Decimal | None
    lis_eur: Decimal | None
    adnt: Decimal | None
    mrm: str
    mrm_adnt: Decimal | None
    file_day: date | None = None


class FitrsFile(NamedTuple):
    """What is known of a file before its records. `part` and `parts` are 0 where the name does not
    say; `unknown` counts the elements that are not read, by path, as the records are read."""

    name: str
    sha256: str
    kind: Literal["full", "delta", "unknown"]
    day: date | None
    cfi_letter: str
    part: int
    parts: int
    authority: str
    unknown: Counter[str]


KINDS: Mapping[str, Literal["full", "delta", "unknown"]] = {
    "FULECR": "full",
    "DLTECR": "delta",
    "": "unknown",
}
ASSET_CLASSES = {
    "SHRS": AssetClass.SHARE,
    "DPRS": AssetClass.DEPOSITARY_RECEIPT,
    "ETFS": AssetClass.ETF,
    "CRFT": AssetClass.CERTIFICATE,
    "OTHR": AssetClass.OTHER,
}
METHODOLOGIES = {str(methodology): methodology for methodology in Methodology}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
PERIODS = {
    name: tuple(
        f"{name}/{form}" for form in ("Dt", "FrDt", "ToDt", "FrDtToDt/FrDt", "FrDtToDt/ToDt")
    )
    for name in ("RptgPrd", "ApplPrd")
}
#: An element around others; without any it says nothing, though it is there.
AROUND = ("RptgPrd", "RptgPrd/FrDtToDt", "ApplPrd", "ApplPrd/FrDtToDt")
#: With the currency as an attribute, and without (ESMA65-8-5240 par. 6 d-f).
WITH_CURRENCY = ("Sttstcs/AvrgDalyTrnvr", "Sttstcs/AvrgTxVal")
WITHOUT_CURRENCY = ("Sttstcs/LrgInScale", "Sttstcs/StdMktSz")
COUNTS = ("Sttstcs/AvrgDalyNbOfTxs", "RlvntMkt/AvrgDalyNbOfTxs")
#: In the schema, and of no use to an SI's thresholds: neither read nor counted as unknown.
NOT_READ = frozenset(
    ("FullNm", "TradgVn", "Sttstcs/TtlNbOfTxsExctd", "Sttstcs/TtlVolOfTxsExctd",
     "Sttstcs/TtlNbOfTradgDays")
)  # fmt: skip
READ = frozenset(
    {"TechRcrdId", "Id", "FinInstrmClssfctn", "Lqdty", "Mthdlgy", "RlvntMkt/Id"}
    | {*WITH_CURRENCY, *WITHOUT_CURRENCY, *COUNTS}
    | {*AROUND, *PERIODS["RptgPrd"], *PERIODS["ApplPrd"]}
)
Meaning = TypeVar("Meaning")


def read_fitrs(
    path: Path, limits: Limits = DEFAULT_LIMITS, *, with_sint: bool = True
) -> tuple[FitrsFile, Iterator[FitrsRecord | BadRecord]]:
    """The file and its records, in order; raises `Refused`, as does the iterator.

    Without `with_sint` records of that methodology, two thirds of a published file and never a
    source of thresholds, are passed over unread. Of a file whose records come before its header
    everything is read twice.
    Where the iterator raises, none of its records may be used: the file is not whole.
    """
    name = parse_file_name(path, NAME_FORM)
    digest = sha256(path)
    day, authority = read_header(path, (CONTAINER,), (RECORD,), limits)
    file = FitrsFile(
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
    return file, _read_records(path, file, limits, with_sint)


def _read_records(
    path: Path, file: FitrsFile, limits: Limits, with_sint: bool
) -> Iterator[FitrsRecord | BadRecord]:
    for number, found in enumerate(elements(path, (RECORD,), limits), 1):
        if found.within != CONTAINER:
            advice = f"{RECORD} belongs into {CONTAINER}: not a FITRS file for equities"
            raise refused(path, found.element.sourceline or 0, RECORD, found.within, advice)
        if with_sint or not _is_sint(found.element):
            yield parse_record(file, number, found.element)


def _is_sint(element: Element) -> bool:
    """By a single element `Mthdlgy`; where there are two the record is read, and is a bad one."""
    stated = [(child.text or "").strip() for child in element.iterchildren("{*}Mthdlgy")]
    return stated == [Methodology.SINT]


def parse_record(file: FitrsFile, number: int, element: Element) -> FitrsRecord | BadRecord:
    """One `EqtyTrnsprncyData`."""
    fields, doubtful = known_leaves(element, READ, NOT_READ, file.unknown)
    try:
        if doubtful:
            value = text_at(fields, doubtful)
            raise Unusable(doubtful, value, "state it once, without elements in it")
        return _record(file, number, fields)
    except Unusable as reason:
        isin = text_at(fields, "Id")
        return BadRecord(file.name, number, isin, reason.column, reason.value, reason.advice)


def _record(file: FitrsFile, number: int, fields: Fields) -> FitrsRecord:
    for path in AROUND:
        if path in fields:
            raise Unusable(path, text_at(fields, path), "say what it is, or leave the element out")
    if "Id" not in fields:
        raise Unusable("Id", "", "state the ISIN")
    reported_from, reported_to = _period(fields, "RptgPrd")
    applies_from, applies_to = _period(fields, "ApplPrd")
    return FitrsRecord(
        source=file.name,
        number=number,
        record_id=text_at(fields, "TechRcrdId"),
        isin=check_isin("Id", text_at(fields, "Id")),
        asset_class=_choice(fields, "FinInstrmClssfctn", ASSET_CLASSES),
        methodology=_choice(fields, "Mthdlgy", METHODOLOGIES),
        reported_from=reported_from,
        reported_to=reported_to,
        applies_from=applies_from,
        applies_to=applies_to,
        liquid=_choice(fields, "Lqdty", BOOLEANS),
        adt_eur=_amount_eur(fields, "Sttstcs/AvrgDalyTrnvr"),
        avt_eur=_amount_eur(fields, "Sttstcs/AvrgTxVal"),
        sms_eur=_amount_eur(fields, "Sttstcs/StdMktSz"),
        lis_eur=_amount_eur(fields, "Sttstcs/LrgInScale"),
        adnt=_number(fields, "Sttstcs/AvrgDalyNbOfTxs", COUNT_MAX),
        mrm=_mrm(fields),
        mrm_adnt=_number(fields, "RlvntMkt/AvrgDalyNbOfTxs", COUNT_MAX),
        file_day=file.day,
    )


def _choice(fields: Fields, path: str, meanings: Mapping[str, Meaning]) -> Meaning | None:
    if path not in fields:
        return None
    text = text_at(fields, path)
    if text not in meanings:
        raise Unusable(path, text, "write one of " + ", ".join(meanings))
    return meanings[text]


def _number(fields: Fields, path: str, largest: Decimal) -> Decimal | None:
    if path not in fields:
        return None
    text = text_at(fields, path)
    if NUMBER_FORM.fullmatch(text) is None:
        raise Unusable(path, text, "write digits with an optional decimal point")
    value = Decimal(text)
    if text.startswith("-"):
        raise Unusable(path, text, "a negative number cannot be right")
    if value > largest:
        raise Unusable(path, text, f"more than {largest} cannot be right")
    return value


def _amount_eur(fields: Fields, path: str) -> Decimal | None:
    """An amount; its currency is EUR where the schema has one, and nothing is converted."""
    if path not in fields:
        return None
    currency = fields[path].get("Ccy")
    if currency != "EUR" and (currency is not None or path in WITH_CURRENCY):
        value = f"{text_at(fields, path)} {currency or 'without currency'}"
        raise Unusable(path, value, "state the amount in EUR")
    return _number(fields, path, AMOUNT_EUR_MAX)


def _mrm(fields: Fields) -> str:
    if "RlvntMkt/Id" in fields:
        return check_mic("RlvntMkt/Id", text_at(fields, "RlvntMkt/Id"))
    if "RlvntMkt/AvrgDalyNbOfTxs" in fields:
        raise Unusable("RlvntMkt/Id", "", "say which market it is")
    return ""


def _period(fields: Fields, name: str) -> tuple[date | None, date | None]:
    """First and last day; a bound that is not stated is None."""
    day, day_from, day_to, both_from, both_to = [_date(fields, path) for path in PERIODS[name]]
    if (both_from is None) != (both_to is None):
        raise Unusable(f"{name}/FrDtToDt", "", "state both FrDt and ToDt")
    stated = [day, day_from, day_to, both_from]
    if sum(bound is not None for bound in stated) > 1:
        raise Unusable(name, "", "state one of Dt, FrDt, ToDt and FrDtToDt")
    if day is not None:
        return day, day
    if both_from is not None and both_to is not None and both_to < both_from:
        value = f"{both_from.isoformat()} to {both_to.isoformat()}"
        raise Unusable(f"{name}/FrDtToDt", value, "a period ends on or after its first day")
    return day_from or both_from, day_to or both_to


def _date(fields: Fields, path: str) -> date | None:
    if path not in fields:
        return None
    text = text_at(fields, path)
    day = parse_date(text)
    if day is None:
        raise Unusable(path, text, "write a date that exists, as YYYY-MM-DD")
    return day
