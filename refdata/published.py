"""What FITRS and FIRDS files have in common: names, headers, dates, and records not to be used."""

import re
from collections import Counter
from collections.abc import Collection
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from refdata import isin
from refdata.archive import Limits
from refdata.instruments import MIC_FORM
from refdata.rows import refused
from refdata.xml_stream import Element, elements, known_leaves, local_name, text_at

DATE_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})Z?")
DATE_TIME_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9]{2}:[0-9]{2}:[0-9]{2}.*")
VALUE_SHOWN_MAX = 80
AUTHORITY = tuple(f"RptgNtty/{form}" for form in ("NtlCmptntAuthrty", "MktIdCd", "Othr/Id"))


class BadRecord(NamedTuple):
    """A record that cannot be used for certain. Whoever reads on must not answer for its `isin`
    (as it stands in the file, "" where there is none) as if the record were not there."""

    source: str
    number: int
    isin: str
    column: str
    value: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.source}: record {self.number}, ISIN {self.isin!r}, {self.column}"
        return f"{where} value {self.value!r}: {self.advice}"


class Unusable(Exception):
    """Why a record is a `BadRecord`."""

    def __init__(self, column: str, value: str, advice: str) -> None:
        self.column, self.value, self.advice = column, value[:VALUE_SHOWN_MAX], advice
        super().__init__(column, value, advice)


class FileName(NamedTuple):
    """What a published file's name says: `kind` is its first six letters, "" where it has none."""

    kind: str
    day: date | None
    cfi_letter: str
    part: int
    parts: int


def parse_file_name(path: Path, form: re.Pattern[str]) -> FileName:
    """The parts of a name by the groups of `form`, found anywhere in it; raises `Refused`."""
    match = form.search(path.name)
    if match is None:
        return FileName("", None, "", 0, 0)
    group = match.groupdict()
    digits = group["day"]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        # The day decides which record replaces which: a wrong one is not passed over.
        raise refused(path, 0, "file name", digits, "write a date that exists") from None
    part, parts = int(group["part"]), int(group["parts"])
    if not 1 <= part <= parts:
        raise refused(path, 0, "file name", f"{part}of{parts}", "write <part>of<parts>, from 1")
    return FileName(group["kind"].upper(), day, (group.get("cfi") or "").upper(), part, parts)


@lru_cache(maxsize=4096)
def parse_date(text: str) -> date | None:
    """`YYYY-MM-DD` in the proleptic calendar, None where it is not one."""
    match = DATE_FORM.fullmatch(text)
    return None if match is None else _date_of(match[1])


@lru_cache(maxsize=4096)
def parse_date_time(text: str) -> date | None:
    """The day of `YYYY-MM-DDThh:mm:ss...` as it is written, or of a bare date; None if neither."""
    match = DATE_TIME_FORM.fullmatch(text)
    return parse_date(text) if match is None else _date_of(match[1])


def _date_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def check_isin(column: str, text: str) -> str:
    if not isin.is_valid(text):
        advice = "write a 12-character ISIN in capitals, check digit right"
        raise Unusable(column, text, advice)
    return text


def check_mic(column: str, text: str) -> str:
    if MIC_FORM.fullmatch(text) is None:
        raise Unusable(column, text, "a MIC is four capitals or digits")
    return text


def read_header(
    path: Path, containers: Collection[str], records: Collection[str], limits: Limits
) -> tuple[date | None, str]:
    """Day and authority ("" where unsaid) by the headers; raises `Refused`, also where the file has
    none of the containers. Reads to the header, which comes before the records as a rule."""
    created: date | None = None
    any_record = False
    for found in elements(path, ("AppHdr", "RptHdr", *records), limits):
        if found.name == "AppHdr":
            created = _header_date(path, found.element, "CreDt")
        elif found.name == "RptHdr":
            if found.within not in containers:
                raise refused(path, 0, "RptHdr", found.within, _another_kind(containers))
            submitted = _header_date(path, found.element, "SubmissnDtTm")
            return created or submitted, _authority(found.element)
        else:
            any_record = any_record or found.within in containers
    if any_record:
        return created, ""
    raise refused(path, 0, "", "", _another_kind(containers))


def _another_kind(containers: Collection[str]) -> str:
    return f"another kind of file: it has no {' or '.join(containers)}"


def _header_date(path: Path, header: Element, name: str) -> date | None:
    for child in header:
        if local_name(child.tag) == name:
            text = (child.text or "").strip()
            day = parse_date_time(text)
            if day is None:
                line = child.sourceline or 0
                raise refused(path, line, name, text, "write YYYY-MM-DDThh:mm:ssZ")
            return day
    return None


def _authority(header: Element) -> str:
    """Who reports: a country, a MIC, or another code."""
    fields, _ = known_leaves(header, AUTHORITY, (), Counter())
    return next((text_at(fields, name) for name in AUTHORITY if name in fields), "")
