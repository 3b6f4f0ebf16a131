"""Delimited text files, row by row, with the line number kept for every complaint.

Rule: what cannot be read for certain refuses the whole file. Each field is read by a method that
says in `Refused` which file, line, column and value it was and what to do; `parse_all` goes on
to the end of the file first, so that one run names everything that has to be corrected.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from pathlib import Path
from typing import NamedTuple, TypeVar

from refdata import isin

#: ASCII digits with an optional point: no sign, exponent, grouping, NaN, or decimal comma.
DECIMAL_FORM = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19})?")
#: Exact or not at all: 38 digits and the shift always fit, and rounding raises.
EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
PROBLEMS_SHOWN_MAX = 20

Parsed = TypeVar("Parsed")


class Problem(NamedTuple):
    """One reason to refuse a file. `line` counts from 1; 0 is the file as a whole."""

    path: str
    line: int
    column: str
    value: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        column = f" column {self.column!r}" if self.column else ""
        return f"{where}:{column} value {self.value!r}: {self.advice}"


class Refused(Exception):
    """The whole file is refused, with every problem found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:PROBLEMS_SHOWN_MAX]]
        if len(self.problems) > PROBLEMS_SHOWN_MAX:
            shown.append(f"... and {len(self.problems) - PROBLEMS_SHOWN_MAX} more")
        super().__init__("\n".join(shown))


def refused(path: Path, line: int, column: str, value: str, advice: str) -> Refused:
    """`Refused` with a single problem, to raise."""
    return Refused([Problem(str(path), line, column, value, advice)])


class Row(NamedTuple):
    """One line of a file. The readers raise `Refused`."""

    path: Path
    line: int
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """The value without surrounding blanks; "" where an optional column is absent."""
        return self.values.get(column, "").strip()

    def refuse(self, column: str, advice: str) -> Refused:
        return refused(self.path, self.line, column, self.values.get(column, ""), advice)

    def choice(self, column: str, meanings: Mapping[str, Parsed]) -> Parsed:
        """One of a closed set of words."""
        value = self.text(column)
        if value not in meanings:
            raise self.refuse(column, "write one of " + ", ".join(meanings))
        return meanings[value]

    def isin(self, column: str) -> str:
        value = self.text(column)
        if not isin.is_valid(value):
            raise self.refuse(column, "write a 12-character ISIN in capitals, check digit right")
        return value

    def scaled(self, column: str, places: int, largest: int) -> int:
        """A decimal number x 10^places, exactly; blank is 0. `largest` is of the scaled value."""
        value = self.text(column)
        if value == "":
            return 0
        if DECIMAL_FORM.fullmatch(value) is None:
            raise self.refuse(column, "write digits with an optional decimal point, no sign")
        shifted = Decimal(value).scaleb(places, EXACT)
        whole = int(shifted)
        if whole != shifted:
            raise self.refuse(column, f"write at most {places} decimals: nothing is rounded here")
        if whole > largest:
            raise self.refuse(column, f"write at most {Decimal(largest).scaleb(-places):f}")
        return whole


def read_rows(
    path: Path,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    delimiter: str = ",",
    header_line: int = 1,
    any_other_column: bool = False,
) -> Iterator[Row]:
    """Rows of a UTF-8 file; blank lines and lines that start with `#` are left out.

    The header is the first such line from `header_line` on. A column that is neither required nor
    optional refuses the file, since a misspelt limit would otherwise count as "no limit"; a
    venue's wide file is read with `any_other_column`.
    """
    header: list[str] | None = None
    for line, text in enumerate(_lines(path), 1):
        if line < header_line or not text.strip() or text.startswith("#"):
            continue
        try:
            # Line by line, so that a stray quote spoils one line and line numbers stay true.
            fields = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise refused(path, line, "", text[:80], f"close the quotes: {error}") from None
        if header is None:
            header = [name.strip() for name in fields]
            _check_header(path, line, header, required, optional, any_other_column)
        elif len(fields) != len(header):
            advice = f"write {len(header)} fields as in the header, not {len(fields)}"
            raise refused(path, line, "", text[:80], advice)
        else:
            yield Row(path, line, dict(zip(header, fields, strict=True)))
    if header is None:
        raise refused(path, 0, "", "", "the file has no header line: " + delimiter.join(required))


def parse_all(rows: Iterator[Row], parse: Callable[[Row], Parsed]) -> list[Parsed]:
    """`parse` of every row, or `Refused` with the problems of all of them."""
    parsed: list[Parsed] = []
    problems: list[Problem] = []
    for row in rows:
        try:
            parsed.append(parse(row))
        except Refused as refusal:
            problems.extend(refusal.problems)
    if problems:
        raise Refused(problems)
    return parsed


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = data[error.start : error.start + 1].hex()
        raise refused(path, line, "", f"byte {value}", "save the file as UTF-8") from None


def _check_header(
    path: Path,
    line: int,
    header: Sequence[str],
    required: Sequence[str],
    optional: Sequence[str],
    any_other_column: bool,
) -> None:
    problems = [
        Problem(str(path), line, name, "", "add the column: it is missing")
        for name in required
        if name not in header
    ]
    known = {*required, *optional}
    for position, name in enumerate(header):
        if not any_other_column and name not in known:
            advice = "remove or rename the column; known are " + ", ".join([*required, *optional])
            problems.append(Problem(str(path), line, name, name, advice))
        if name in header[:position] and name in known:
            problems.append(Problem(str(path), line, name, name, "keep one column of this name"))
    if problems:
        raise Refused(problems)
