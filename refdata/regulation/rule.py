"""Dated rows: what a rule is, which rows hold on a day, and how EU rows became UK ones.

Rule: a change of law is a new row, never an `if` on a date. Every row carries jurisdiction, the
first day, the first day no more (None is open), a citation, and `sure`: False where it rests on
memory, on reading texts together, or on a second-hand source. Pure.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple, Protocol, TypeVar

from engine import regimes

JURISDICTIONS = ("EU", "UK")
#: Shown wherever a row is not sure; one wording, so that it can be searched for.
UNSURE = "unsure: have this checked"

#: Last day on which EU acts applied in the UK (European Union (Withdrawal) Act 2018, as amended).
UK_EXIT_DAY = date(2020, 12, 31)


class Rule(NamedTuple):
    """One rule in words between two dates; `valid_to` is exclusive, None is open.

    `value` is what fits a table's cell, `words` the rule in sentences, `desk` what a quoting desk
    has to do or know when the rule begins ("" where nothing).
    """

    topic: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    value: str
    words: str
    citation: str
    sure: bool
    desk: str = ""


class NoRule(LookupError):
    """Nothing is known of that day or jurisdiction; the text says what is."""


class Dated(Protocol):
    """What every row of this package has; rows are NamedTuples."""

    @property
    def jurisdiction(self) -> str: ...
    @property
    def valid_from(self) -> date: ...
    @property
    def valid_to(self) -> date | None: ...


Row = TypeVar("Row", bound=Dated)


def holds(row: Dated, day: date) -> bool:
    """True where the row is in force on `day`."""
    return row.valid_from <= day and (row.valid_to is None or day < row.valid_to)


def in_force(rows: Iterable[Row], day: date, jurisdiction: str) -> tuple[Row, ...]:
    """Rows of a jurisdiction in force on `day`, in their order; `NoRule` before MiFID II."""
    if jurisdiction not in JURISDICTIONS:
        raise NoRule(f"no rules for {jurisdiction!r}: write one of {', '.join(JURISDICTIONS)}")
    if day < regimes.MIFID2_FROM:
        first = regimes.MIFID2_FROM.isoformat()
        raise NoRule(f"no rules on {day.isoformat()}: MiFID II applies from {first}")
    return tuple(row for row in rows if row.jurisdiction == jurisdiction and holds(row, day))


def onshored(rows: Iterable[Row]) -> tuple[Row, ...]:
    """UK copies of EU rows: those that applied up to the exit day, the last of them without end.

    Never sure: that the UK changed nothing since is an assumption. What it did change is given
    beside the call.
    """
    return tuple(
        _uk_copy(row) for row in rows if row.jurisdiction == "EU" and row.valid_from <= UK_EXIT_DAY
    )


def _uk_copy(row: Any) -> Any:
    ended = row.valid_to is not None and row.valid_to <= UK_EXIT_DAY
    return row._replace(
        jurisdiction="UK",
        valid_to=row.valid_to if ended else None,
        citation=f"UK: as onshored, {row.citation}",
        sure=False,
    )
