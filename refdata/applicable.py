"""Which FITRS result of an instrument applies on a day.

Rule: the order of files or records never decides. A later file replaces what an earlier one said
of the same key (ISIN, methodology, reporting period); what then still contradicts itself is a
conflict, and what applies to no day for certain applies to none. Either is no answer, with a
reason: orders in the instrument fail closed.

Source: ESMA65-8-5240 par. 28-32 (the cases and their periods), RTS 1 Art 11 and 17.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from refdata.april import estimate_period, four_week_period, yearly_period
from refdata.fitrs import FitrsRecord, Methodology

Period = tuple[date, date]
#: Both ends of four calendar weeks, the last day counted or not.
FOUR_WEEKS = (timedelta(days=27), timedelta(days=28))
#: What two records must agree on to be one: all that a threshold or a tick can come from.
VALUES = (
    "asset_class", "liquid", "adt_eur", "avt_eur", "sms_eur", "lis_eur", "adnt", "mrm", "mrm_adnt",
)  # fmt: skip
NEAREST_SHOWN_MAX = 2


class Selection(NamedTuple):
    """The record that applies, or the records that contradict each other, or neither; and why."""

    record: FitrsRecord | None
    conflict: tuple[FitrsRecord, ...]
    reason: str


class Placed(NamedTuple):
    """A record and the days on which it applies, both inclusive; None where that is unknown."""

    record: FitrsRecord
    period: Period | None


def case_of(record: FitrsRecord) -> Methodology | None:
    """The methodology; where it is not stated, the one that ESMA65-8-5240 par. 32 gives to such a
    reporting period: none, four weeks, a calendar year, or else six months."""
    if record.methodology is not None:
        return record.methodology
    if record.reported_from is None and record.reported_to is None:
        return Methodology.ESTM
    if _is_four_weeks(record):
        return Methodology.FFWK
    if _calendar_year(record) is not None:
        return Methodology.YEAR
    return Methodology.SINT if _is_six_months(record) else None


def application_period(
    record: FitrsRecord, first_traded: date | None, jurisdiction: str = "EU"
) -> Period | None:
    """First and last day on which the record applies, or None: never, or not known for certain.

    `ApplPrd` where it is stated; the bound that it leaves open is the table's. Of a SINT record,
    never: it is no source of thresholds (ESMA65-8-5240 par. 31).
    """
    if case_of(record) is Methodology.SINT:
        return None
    applies_from, applies_to = record.applies_from, record.applies_to
    if applies_from is None or applies_to is None:
        table = _table_period(record, first_traded, jurisdiction)
        if table is None:
            return None
        applies_from, applies_to = applies_from or table[0], applies_to or table[1]
    return (applies_from, applies_to) if applies_from <= applies_to else None


def select(
    records: Iterable[FitrsRecord],
    day: date,
    first_traded: date | None,
    jurisdiction: str = "EU",
) -> Selection:
    """The record of one ISIN that applies on `day`. `records` are those of every file, in any
    order; `first_traded` is FIRDS's first trading day. ValueError where there are two ISINs."""
    stated = _ordered(records)
    if len({record.isin for record in stated}) > 1:
        raise ValueError("records of more than one ISIN")
    useful = [record for record in stated if case_of(record) is not Methodology.SINT]
    if not useful:
        what = "only SINT records" if stated else "no record but SINT"
        return Selection(None, (), f"{what}: nothing states a threshold")
    groups = [
        [Placed(record, application_period(record, first_traded, jurisdiction)) for record in group]
        for group in _latest_by_key(useful)
    ]
    applying = [group for group in groups if any(_covers(placed, day) for placed in group)]
    if not applying:
        return Selection(None, (), _why_none(groups, day, first_traded))
    contested = [group for group in applying if _differ(map(_what, group))]
    if contested:
        conflict = tuple(placed.record for group in contested for placed in group)
        return Selection(None, conflict, "the same result stated differently: " + _list(conflict))
    candidates = tuple(group[0] for group in applying)
    if _differ(_values(placed.record) for placed in candidates):
        conflict = tuple(placed.record for placed in candidates)
        reason = f"different results apply on {day.isoformat()}: {_list(conflict)}"
        return Selection(None, conflict, reason)
    chosen = min(candidates, key=_by_standing)
    unplaced = [p for group in groups for p in group if p.period is None]
    notes = [f"{_name(p.record)}: {_why_unplaced(p.record, first_traded)}" for p in unplaced]
    return Selection(chosen.record, (), "; ".join([_describe(chosen), *notes]))


def _table_period(
    record: FitrsRecord, first_traded: date | None, jurisdiction: str
) -> Period | None:
    """By ESMA65-8-5240 par. 32, where the record is one of its cases."""
    case = case_of(record)
    no_period = record.reported_from is None and record.reported_to is None
    try:
        if case is Methodology.YEAR:
            year = _calendar_year(record)
            return None if year is None else yearly_period(year, jurisdiction)
        if case is Methodology.FFWK and _is_four_weeks(record):
            return _four_week_period(record, first_traded, jurisdiction)
        if case is Methodology.ESTM and no_period and first_traded is not None:
            return estimate_period(first_traded)
    except LookupError:
        pass  # before MiFID II, a date that stands for "never", a jurisdiction without a rule
    return None


def _four_week_period(
    record: FitrsRecord, first_traded: date | None, jurisdiction: str
) -> Period | None:
    """Counted from the first trading day, which by par. 29 is the first day of the reporting
    period. Where FIRDS has another day, only what both of them cover is certain."""
    assert record.reported_from is not None
    by_report = four_week_period(record.reported_from, jurisdiction)
    if first_traded is None:
        return by_report
    by_firds = four_week_period(first_traded, jurisdiction)
    first, last = max(by_report[0], by_firds[0]), min(by_report[1], by_firds[1])
    return (first, last) if first <= last else None


def _latest_by_key(records: Sequence[FitrsRecord]) -> list[list[FitrsRecord]]:
    """Per key the records of its latest file day; all of them where a file has no day."""
    by_key: dict[tuple[object, ...], list[FitrsRecord]] = {}
    for record in records:
        key = (case_of(record), record.reported_from, record.reported_to)
        by_key.setdefault(key, []).append(record)
    latest = []
    for group in by_key.values():
        days = [record.file_day for record in group]
        if None not in days:
            newest = max(day for day in days if day is not None)
            group = [record for record in group if record.file_day == newest]
        latest.append(group)
    return latest


def _calendar_year(record: FitrsRecord) -> int | None:
    """The year that the reporting period is, from its first to its last day."""
    first, last = record.reported_from, record.reported_to
    if first is None or last is None:
        return None
    year = first.year
    return year if (first, last) == (date(year, 1, 1), date(year, 12, 31)) else None


def _is_four_weeks(record: FitrsRecord) -> bool:
    first, last = record.reported_from, record.reported_to
    return first is not None and last is not None and last - first in FOUR_WEEKS


def _is_six_months(record: FitrsRecord) -> bool:
    """From the first day of a quarter to the last of the next one."""
    first, last = record.reported_from, record.reported_to
    if first is None or last is None or first.day != 1 or first.month not in (1, 4, 7, 10):
        return False
    ends = {1: (6, 30), 4: (9, 30), 7: (12, 31), 10: (3, 31)}
    in_year = first.year + (1 if first.month == 10 else 0)
    return (last.year, last.month, last.day) == (in_year, *ends[first.month])


def _covers(placed: Placed, day: date) -> bool:
    return placed.period is not None and placed.period[0] <= day <= placed.period[1]


def _values(record: FitrsRecord) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in VALUES)


def _differ(values: Iterable[tuple[object, ...]]) -> bool:
    first, *others = values
    return any(other != first for other in others)


def _what(placed: Placed) -> tuple[object, ...]:
    return (placed.period, *_values(placed.record))


def _ordered(records: Iterable[FitrsRecord]) -> list[FitrsRecord]:
    """Each record once, in an order that is the same however they come in."""
    unique = set(records)
    if len({_by_place(record) for record in unique}) < len(unique):
        # Two files of one name: a file can be published again under it.
        return sorted(unique, key=lambda record: (_by_place(record), repr(record)))
    return sorted(unique, key=_by_place)


def _by_place(record: FitrsRecord) -> tuple[str, int, date]:
    return (record.source, record.number, record.file_day or date.min)


def _by_standing(placed: Placed) -> tuple[object, ...]:
    """Of equal records of different keys, the one that is named: a calculation over an estimate,
    and the later reporting period over the earlier."""
    standing = (Methodology.YEAR, Methodology.FFWK, Methodology.ESTM, None)
    record = placed.record
    ended = date.min if record.reported_to is None else record.reported_to
    return (standing.index(case_of(record)), -ended.toordinal(), _by_place(record))


def _why_none(groups: Sequence[Sequence[Placed]], day: date, first_traded: date | None) -> str:
    """What there is instead: the nearest periods, and the records that could not be placed."""
    every = [placed for group in groups for placed in group]
    periods = [placed for placed in every if placed.period is not None]
    unplaced = [placed for placed in every if placed.period is None]
    parts = [f"no record applies on {day.isoformat()}"]
    periods.sort(key=lambda placed: _distance(placed, day))
    if periods:
        parts.append("nearest: " + "; ".join(map(_describe, periods[:NEAREST_SHOWN_MAX])))
    for placed in unplaced[:NEAREST_SHOWN_MAX]:
        parts.append(f"{_name(placed.record)}: {_why_unplaced(placed.record, first_traded)}")
    return "; ".join(parts)


def _distance(placed: Placed, day: date) -> tuple[object, ...]:
    assert placed.period is not None
    first, last = placed.period
    return (max(first - day, day - last), _by_place(placed.record))


def _why_unplaced(record: FitrsRecord, first_traded: date | None) -> str:
    if case_of(record) is Methodology.ESTM and first_traded is None:
        return "an estimate applies from the first trading day, which is unknown: load FIRDS"
    if case_of(record) is Methodology.FFWK and first_traded is not None and _is_four_weeks(record):
        return f"first traded {first_traded.isoformat()} by FIRDS, not on its reporting period"
    return "without ApplPrd its reporting period does not say when it applies"


def _name(record: FitrsRecord) -> str:
    what = record.methodology or "record without methodology"
    if record.reported_from is not None and record.reported_to is not None:
        what += f" {record.reported_from.isoformat()}..{record.reported_to.isoformat()}"
    return f"{what} ({record.source} record {record.number})"


def _describe(placed: Placed) -> str:
    assert placed.period is not None
    first, last = placed.period
    return f"{_name(placed.record)} applies {first.isoformat()} to {last.isoformat()}"


def _list(records: Iterable[FitrsRecord]) -> str:
    return "; ".join(map(_name, records))
