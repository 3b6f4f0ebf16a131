"""The law in words for people: text and tables in the terminal; plain values for scripts."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.enums import Route, Zone
from refdata.regulation.classify import Answer, plain
from refdata.regulation.rule import UNSURE
from refdata.regulation.words import Change, Diff, Example, Shown, Shows, SizeTable, day_words

INDENT = 4
SIDE_BY_SIDE = 48  # columns of one small table beside another
READABLE = 110  # columns beyond which a paragraph is hard to read
MARK = "bold yellow"


def as_json(value: Any) -> Any:
    """Rows as dicts, days as text, amounts as numbers, enums by name (routes as configured)."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_json(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, Route):
        return value.name.lower()
    if isinstance(value, Zone):
        return value.name
    if isinstance(value, Decimal):
        # The shortest text of the float is the decimal itself up to 15 digits.
        return int(value) if value == int(value) else float(value)
    return value.isoformat() if isinstance(value, date) else value


def shows(found: Shows, width: int) -> Group:
    """`si regime show`: a table for each section, then the sizes."""
    parts: list[RenderableType] = [
        Text(found.heading, "bold"),
        Text(f"regime {found.regime}; {found.cycle}"),
    ]
    sections = dict.fromkeys(rule.section for rule in found.rules)
    for section in sections:
        of_section = [rule for rule in found.rules if rule.section == section]
        parts += [Text(), _rules(of_section, section)]
    parts += [Text(), Text("Sizes, EUR", "bold")]
    narrow = [table for table in found.tables if len(table.columns) == 2]
    parts += _side_by_side(narrow, max(1, width // SIDE_BY_SIDE))
    for table in found.tables:
        parts += [Text(), _sizes(table)] if len(table.columns) > 2 else []
    if not all(rule.sure for rule in found.rules):
        parts += [Text(), Text(f"? {UNSURE}", MARK)]
    return Group(*parts, *_bullets("Have checked by counsel", found.have_checked))


def diff(found: Diff, width: int) -> Group:
    """`si regime diff`: heading, summary, numbered changes, unchanged, have checked."""
    parts: list[RenderableType] = [Text(found.heading, "bold"), _paragraph(found.summary, 0)]
    parts += [_paragraph(note, 0) for note in found.notes]
    days = [change.effective for change in found.changes]
    for number, change in enumerate(found.changes, 1):
        if len(set(days)) > 1 and change.effective not in days[: number - 1]:
            parts += [Text(), Text(f"From {day_words(change.effective)}", "bold underline")]
        parts += [Text(), *_change(number, change, min(width, READABLE))]
    if found.changes:
        parts += [Text(), Text("Unchanged", "bold"), _unchanged(found.unchanged)]
    numbers = [str(n) for n, change in enumerate(found.changes, 1) if not change.sure]
    unsure = [f"What is marked unsure above: number {', '.join(numbers)}."] if numbers else []
    parts += _bullets("Have checked", [*unsure, *found.have_checked])
    return Group(*parts)


def answer(found: Answer, heading: str) -> Group:
    """`si regime classify`: each number with its citation."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", max_width=READABLE)
    for name, value in found._asdict().items():
        if name in found.citations:
            table.add_row(_LABELS[name], Text(_value(value), "bold"), _cited(found.citations[name]))
    notes = [Text(f"note: {note}") for note in found.notes]
    return Group(Text(heading, "bold"), table, *notes)


_LABELS = {
    "regime": "regime",
    "sms_eur": "SMS, EUR",
    "qmin_eur": "Qmin, EUR",
    "threshold_eur": "T, EUR",
    "lis_eur": "LIS, EUR",
    "tick": "tick",
    "zone": "zone",
    "route": "route",
}


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return plain(value) if isinstance(value, Decimal) else str(as_json(value))


def _cited(citation: str) -> Text:
    text = Text(citation)
    text.highlight_words([UNSURE], MARK)
    return text


def _rules(rules: Sequence[Shown], title: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column(Text(title), ratio=7)
    table.add_column("in force", ratio=9)
    table.add_column("since", no_wrap=True, width=10)
    table.add_column("by", ratio=8)
    for rule in rules:
        name = Text(rule.title) if rule.sure else Text.assemble(rule.title, (" ?", MARK))
        until = "" if rule.until is None else f"\nto {day_words(rule.until)}"
        table.add_row(name, rule.value + until, rule.since.isoformat(), rule.citation)
    return table


def _side_by_side(tables: Sequence[SizeTable], count: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for first in range(0, len(tables), count):
        row = Table.grid(padding=(0, 4))
        for _ in range(count):
            row.add_column(width=SIDE_BY_SIDE - 4)
        row.add_row(*map(_sizes, tables[first : first + count]))
        parts += [Text(), row]
    return parts


def _sizes(found: SizeTable) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in found.columns:
        table.add_column(name, justify="right")
    for row in found.rows:
        table.add_row(*row)
    mark = Text("") if found.sure else Text(" ?", MARK)
    return Group(Text(found.title) + mark, Text(found.citation, "dim"), table)


def _change(number: int, change: Change, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    head = f"{number:>2}. {change.title}"
    line = f"{head}: {change.old} -> {change.new}"
    if change.old == change.new:
        parts.append(Text(f"{head}: {change.new}, as before", "bold"))
    elif len(line) <= width:
        parts.append(Text(line, "bold"))
    else:
        parts.append(Text(head, "bold"))
        parts.append(_labelled("was", change.old))
        parts.append(_labelled("now", change.new))
    if not change.sure:
        parts.append(Padding(Text(UNSURE, MARK), (0, 0, 0, INDENT), expand=False))
    parts.append(_paragraph(change.words))
    if change.desk:
        parts.append(_paragraph(f"For the desk: {change.desk}"))
    if change.examples:
        parts.append(Padding(_examples(change.examples), (0, 0, 0, INDENT), expand=False))
    source = f"{change.citation}; effective {day_words(change.effective)}."
    parts.append(_paragraph(source, style="dim"))
    return parts


def _labelled(label: str, text: str) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(label, Text(text, "bold"))
    return Padding(table, (0, 0, 0, INDENT), expand=False)


def _examples(examples: Sequence[Example]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("AVT", "SMS", "minimum quote", "obligation up to"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in examples:
        table.add_row(
            _cents(row.avt_eur),
            _moved(row.sms_old, row.sms_new),
            _moved(row.qmin_old, row.qmin_new),
            _moved(row.threshold_old, row.threshold_new),
        )
    return table


def _cents(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount % 1 else plain(amount)


def _moved(old: Decimal, new: Decimal) -> str:
    return f"{plain(old)} (same)" if old == new else f"{plain(old)} -> {plain(new)}"


def _unchanged(rules: Sequence[Shown]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=28)
    table.add_column(max_width=READABLE)
    for rule in rules:
        name = Text(rule.title) if rule.sure else Text.assemble(rule.title, (" ?", MARK))
        value = Text(rule.value)
        if not rule.sure:
            value.append(f" ({UNSURE})", MARK)
        table.add_row(name, value)
    return table


def _bullets(title: str, sentences: Sequence[str]) -> list[RenderableType]:
    if not sentences:
        return []
    parts: list[RenderableType] = [Text(), Text(title, "bold")]
    for sentence in sentences:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(max_width=READABLE)
        table.add_row(" -", sentence)
        parts.append(table)
    return parts


def _paragraph(text: str, indent: int = INDENT, style: str = "") -> RenderableType:
    grid = Table.grid()
    grid.add_column(max_width=READABLE)
    grid.add_row(Text(text, style))
    return Padding(grid, (0, 0, 0, indent), expand=False)
