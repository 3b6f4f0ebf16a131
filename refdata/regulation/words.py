"""What is in force on a day, and what changes between two: rows and sentences to print.

Nothing here knows a date or a number of its own: all of it comes from the tables and the timeline.
Days before MiFID II and unknown jurisdictions raise `rule.NoRule`.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation import calendar, timeline
from refdata.regulation.deferrals import deferral_table_on
from refdata.regulation.lis import lis_table_on
from refdata.regulation.open_points import touching
from refdata.regulation.rule import Rule
from refdata.regulation.tick_rules import ADNT_BANDS, E6
from refdata.regulation.topics import BY_KEY

#: AVTs that show a ladder: one in each of its lower buckets, and three published ones.
EXAMPLE_AVTS = tuple(
    Decimal(text)
    for text in (
        "4000", "8500", "11000", "12724.48", "15500", "17200", "19000", "22000", "27000",
        "33000", "38000", "43489.19", "76013.80",
    )
)  # fmt: skip
#: More days of renewal than this are counted, not listed.
SWITCHES_NAMED = 4
EXAMPLE_CLASS = {"sms-shares": AssetClass.SHARE, "sms-funds": AssetClass.ETF}


class Shown(NamedTuple):
    """One rule in force; `until` is the last day on which it holds, None where no end is known."""

    section: str
    title: str
    value: str
    words: str
    citation: str
    since: date
    until: date | None
    sure: bool


class SizeTable(NamedTuple):
    """A table of sizes as printed: the first column is the band, the others EUR."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    citation: str
    sure: bool


class Shows(NamedTuple):
    """Everything in force on one day."""

    heading: str
    regime: str
    cycle: str
    rules: tuple[Shown, ...]
    tables: tuple[SizeTable, ...]
    have_checked: tuple[str, ...]


class Example(NamedTuple):
    """One AVT before and after a change of ladder; EUR."""

    avt_eur: Decimal
    sms_old: Decimal
    sms_new: Decimal
    qmin_old: Decimal
    qmin_new: Decimal
    threshold_old: Decimal
    threshold_new: Decimal


class Change(NamedTuple):
    """One rule that gives way to another; `desk` is the consequence for a quoting desk."""

    topic: str
    title: str
    effective: date
    old: str
    new: str
    words: str
    desk: str
    citation: str
    sure: bool
    examples: tuple[Example, ...]


class Diff(NamedTuple):
    """What changes from one day to a later one."""

    heading: str
    summary: str
    changes: tuple[Change, ...]
    unchanged: tuple[Shown, ...]
    have_checked: tuple[str, ...]
    notes: tuple[str, ...]


def day_words(day: date) -> str:
    """23 November 2025."""
    return f"{day.day} {day:%B} {day.year}"


def show(day: date, jurisdiction: str = "EU") -> Shows:
    """What is in force on `day`, topic by topic, with the size tables and what is not settled."""
    rules = timeline.rules_on(day, jurisdiction)
    points = touching([rule.topic for rule in rules], day, day, jurisdiction)
    return Shows(
        f"In force on {day_words(day)}, {jurisdiction}",
        regimes.regime_on(day, jurisdiction).name,
        _cycle(day, jurisdiction),
        tuple(_shown(rule) for rule in rules),
        (*_ladders(day, jurisdiction), *_lis_tables(day, jurisdiction),
         *_deferrals(day, jurisdiction), _ticks(day, jurisdiction)),
        tuple(point.words for point in points),
    )  # fmt: skip


def diff(day1: date, day2: date, jurisdiction: str = "EU") -> Diff:
    """What changes after the earlier day, up to and including the later one."""
    earlier, later = min(day1, day2), max(day1, day2)
    pairs = timeline.beginning(earlier, later, jurisdiction)
    changes = tuple(_change(old, new, jurisdiction) for old, new in pairs)
    touched = {change.topic for change in changes}
    unchanged = tuple(
        _shown(rule) for rule in timeline.rules_on(later, jurisdiction) if rule.topic not in touched
    )
    points = touching(touched, earlier, later, jurisdiction)
    return Diff(
        f"From {day_words(earlier)} to {day_words(later)}, {jurisdiction}",
        _summary(changes, earlier, later, jurisdiction),
        changes,
        unchanged,
        tuple(point.words for point in points),
        tuple(_notes(day1, day2, jurisdiction)),
    )


def _shown(rule: Rule) -> Shown:
    topic = BY_KEY[rule.topic]
    until = None if rule.valid_to is None else date.fromordinal(rule.valid_to.toordinal() - 1)
    return Shown(topic.section, topic.title, rule.value, rule.words, rule.citation,
                 rule.valid_from, until, rule.sure)  # fmt: skip


def _change(old: Rule, new: Rule, jurisdiction: str) -> Change:
    examples: tuple[Example, ...] = ()
    if new.topic in EXAMPLE_CLASS:
        before = date.fromordinal(new.valid_from.toordinal() - 1)
        examples = _examples(EXAMPLE_CLASS[new.topic], before, new.valid_from, jurisdiction)
    return Change(new.topic, BY_KEY[new.topic].title, new.valid_from, old.value, new.value,
                  new.words, new.desk, new.citation, new.sure, examples)  # fmt: skip


def _examples(
    asset_class: AssetClass, before: date, after: date, jurisdiction: str
) -> tuple[Example, ...]:
    """One example for each different pair of SMS before and after that the sample AVTs give."""
    found: dict[tuple[int, int], Example] = {}
    old, new = (regimes.regime_on(day, jurisdiction) for day in (before, after))
    for avt in EXAMPLE_AVTS:
        sms_old, sms_new = (
            Decimal(regimes.sms_eur(avt, asset_class, day, jurisdiction)) for day in (before, after)
        )
        example = Example(
            avt, sms_old, sms_new,
            sms_old * old.qmin_bps / 10_000, sms_new * new.qmin_bps / 10_000,
            sms_old * old.threshold_bps / 10_000, sms_new * new.threshold_bps / 10_000,
        )  # fmt: skip
        pair = (int(sms_old), int(sms_new))
        # A published AVT, one with cents, is the better example of its bucket.
        if pair not in found or avt % 1:
            found[pair] = example
    return tuple(found.values())


def _summary(changes: Sequence[Change], earlier: date, later: date, jurisdiction: str) -> str:
    if not changes:
        if calendar.switches(earlier, later, jurisdiction):
            return "No rule changes; the yearly published values do."
        return "Nothing changes."
    days = sorted({change.effective for change in changes})
    verb = "rule changes" if len(changes) == 1 else "rules change"
    when = f"on {day_words(days[0])}" if len(days) == 1 else f"on {len(days)} different days"
    heads = [
        f"the {change.title.lower()} goes from {_bare(change.old)} to {_bare(change.new)}"
        for change in changes
        if change.topic in ("min-quote-size", "obligation") and change.old != change.new
    ]
    unsure = sum(not change.sure for change in changes)
    text = f"{len(changes)} {verb} {when}"
    text += f": {', '.join(heads)}" if heads else ""
    text += f", and {len(changes) - len(heads)} more" if heads and len(heads) < len(changes) else ""
    return f"{text}. {unsure} of these rest on an unsure reading." if unsure else f"{text}."


def _bare(value: str) -> str:
    """ "from up to SMS" reads badly."""
    return value.removeprefix("up to ")


def _notes(day1: date, day2: date, jurisdiction: str) -> list[str]:
    notes = []
    if day2 < day1:
        notes.append("The later date was given first; changes are told forwards in time.")
    switches = calendar.switches(min(day1, day2), max(day1, day2), jurisdiction)
    if switches:
        days = ", ".join(day_words(day) for day in switches)
        if len(switches) > SWITCHES_NAMED:
            first, last = day_words(switches[0]), day_words(switches[-1])
            days = f"{len(switches)} days from {first} to {last}"
        notes.append(
            "Yearly published values (SMS, LIS, tick bands, liquid markets) are renewed on "
            f"{days}: load those of each cycle."
        )
    return notes


def _cycle(day: date, jurisdiction: str) -> str:
    try:
        cycle = calendar.cycle_on(day, jurisdiction)
    except LookupError:
        return "before the first yearly cycle of published values (1 April 2018)"
    return (
        f"published values made from data of {cycle.data_year}, used from "
        f"{day_words(cycle.first_day)} to {day_words(cycle.last_day)}"
    )


def _bands(bounds: Sequence[int]) -> list[str]:
    """Names of the bands between bounds: below the first, between each two, from the last on."""
    if not bounds:
        return ["any"]
    between = [f"{low:,} - {high:,}" for low, high in pairwise(bounds)]
    return [f"below {bounds[0]:,}", *between, f"{bounds[-1]:,} and above"]


def _ladders(day: date, jurisdiction: str) -> list[SizeTable]:
    ladders: dict[str, SizeTable] = {}
    for topic, asset_class in EXAMPLE_CLASS.items():
        ladder = regimes.ladder_on(day, asset_class, jurisdiction)
        *names, rest = _bands([below for below, _ in ladder.cells])
        values = [f"{sms:,}" for _, sms in ladder.cells]
        rows = [*zip(names, values, strict=True), (rest, f"middle of each {ladder.etc_width:,}")]
        title = "SMS" if len(ladder.asset_classes) == len(AssetClass) else BY_KEY[topic].title
        title = title.replace(" ladder", "")
        ladders[ladder.name] = SizeTable(
            title, ("AVT", "SMS"), tuple(rows), ladder.citation, ladder.sure
        )
    return list(ladders.values())


def _lis_tables(day: date, jurisdiction: str) -> list[SizeTable]:
    tables = []
    for topic, asset_class in (
        ("lis-shares", AssetClass.SHARE),
        ("lis-etfs", AssetClass.ETF),
        ("lis-similar", AssetClass.CERTIFICATE),
    ):
        table = lis_table_on(day, asset_class, jurisdiction)
        names = _bands([below for below, _ in table.cells])
        values = [f"{lis:,}" for lis in (*(lis for _, lis in table.cells), table.etc_lis_eur)]
        rows = tuple(zip(names, values, strict=True))
        title = BY_KEY[topic].title
        tables.append(SizeTable(title, ("ADT", "LIS"), rows, table.citation, table.sure))
    return tables


def _deferrals(day: date, jurisdiction: str) -> list[SizeTable]:
    tables = []
    for topic, asset_class in (
        ("deferral-shares", AssetClass.SHARE),
        ("deferral-etfs", AssetClass.ETF),
        ("deferral-similar", AssetClass.CERTIFICATE),
    ):
        table = deferral_table_on(day, asset_class, jurisdiction)
        names = _bands([b.adt_below_eur for b in table.bands if b.adt_below_eur is not None])
        # The lowest band of Table 4 ends a day later; its column says so in the cell.
        heads = [str(delay) for _, delay in table.bands[-1].cells]
        rows = []
        for name, band in zip(names, table.bands, strict=True):
            cells = [
                f"{size:,}" + ("" if str(delay) == head else f" ({delay})")
                for (size, delay), head in zip(band.cells, heads, strict=True)
            ]
            rows.append((name, *cells))
        columns = ("ADT", *heads)
        tables.append(
            SizeTable(BY_KEY[topic].title, columns, tuple(rows), table.citation, table.sure)
        )
    return tables


def _ticks(day: date, jurisdiction: str) -> SizeTable:
    below = [f"below {Decimal(bound) / E6:,f}" for bound, _ in regimes.TICKS[:-1]]
    below.append(f"from {Decimal(regimes.TICKS[-2][0]) / E6:,f}")
    rows = [
        (name, *(f"{(Decimal(tick) / E6).normalize():f}" for tick in ticks))
        for name, (_, ticks) in zip(below, regimes.TICKS, strict=True)
    ]
    bands = _bands([bound for bound, _ in ADNT_BANDS])
    rule = timeline.rule_on("tick-table", day, jurisdiction)
    title = "Ticks by price (any currency) and ADNT on the most relevant market"
    return SizeTable(title, ("price", *bands), tuple(rows), rule.citation, rule.sure)
