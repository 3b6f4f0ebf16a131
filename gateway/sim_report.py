"""A certification as a table, a JSON document and a page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway import fix_message as fm
from gateway.sim_certify import Outcome, Pack, Result
from gateway.sim_line import IN, NOTE, Entry
from gateway.sim_tags import code_name, tag_name, type_name
from gateway.sim_wire import Message
from refdata import si_status

TEMPLATES = Path(__file__).parent / "templates"
SHARED_TEMPLATES = Path(si_status.__file__).parent / "templates"  # the look of every page
STYLES = {
    Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.SKIPPED: "dim",
    Outcome.NOT_OFFERED: "yellow",
}  # fmt: skip
SECRET_TAGS = frozenset((96, 554, 925))  # RawData, Password, NewPassword: never shown
HIDDEN = "***"


def table(pack: Pack) -> Table:
    """A row for each case: what is due, what it came to, the message that decided it."""
    made = Table(title=title(pack), title_justify="left", show_lines=True)
    made.add_column("case", no_wrap=True)
    made.add_column("the standard, the rules of engagement", ratio=2)
    made.add_column("result", no_wrap=True)
    made.add_column("decided by", ratio=4)
    for result in pack.results:
        case = result.case
        due = Text.from_markup(f"{escape(case.expected)}\n[dim]{escape(case.citation)}[/]")
        made.add_row(
            Text(case.id), due, Text(result.outcome.value, STYLES[result.outcome]), _decided(result)
        )
    return made


def _decided(result: Result) -> Text:
    text = Text(result.reason)
    if result.decisive is not None:
        text.append("\n" if result.reason else "")
        text.append(shown(result.decisive), "dim")
    return text


def shown(message: Message) -> str:
    """A message in one line, secrets left out."""
    words = str(message)
    for tag in SECRET_TAGS:
        for value in message.every(tag):
            words = words.replace(f"({tag})={value}", f"({tag})={HIDDEN}")
    return words


def title(pack: Pack) -> str:
    """Whom it was run against."""
    account = pack.account
    return (
        f"{account.begin_string} {account.sender} to {account.target} "
        f"at {account.host}:{account.port}"
    )


def summary(pack: Pack) -> str:
    """Counts in a line."""
    counts = [f"{pack.count(outcome)} {outcome.value}" for outcome in Outcome]
    return f"{len(pack.results)} cases: " + ", ".join(counts)


def as_dict(pack: Pack) -> dict[str, Any]:
    """The document of `--json`."""
    account = pack.account
    return {
        "begin_string": account.begin_string,
        "sender_comp_id": account.sender,
        "target_comp_id": account.target,
        "address": f"{account.host}:{account.port}",
        "begun_at": fm.stamp(pack.begun_ns),
        "isin": pack.terms.isin,
        "qty": pack.terms.qty,
        "lis_qty": pack.terms.lis_qty,
        "passed": pack.is_passed,
        "counts": {outcome.value: pack.count(outcome) for outcome in Outcome},
        "cases": [_case(result) for result in pack.results],
    }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "title": case.title,
        "citation": case.citation,
        "expected": case.expected,
        "result": result.outcome.value,
        "reason": result.reason,
        "decided_by": shown(result.decisive) if result.decisive is not None else None,
        "took_ms": round(result.took_s * 1000),
        "log": [_entry(entry) for entry in result.log],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {"at": fm.stamp(entry.ts_ns), "direction": entry.direction}
    if entry.message is None:
        return line | {"note": entry.note}
    return line | {"message": [[tag, hidden(tag, value)] for tag, value in entry.message.pairs]}


def hidden(tag: int, value: str) -> str:
    """A value, unless it is a secret."""
    return HIDDEN if tag in SECRET_TAGS else value


def html(pack: Pack) -> str:
    """The page: every case with its log, both directions, tags with their names."""
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SHARED_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    begun = datetime.fromtimestamp(pack.begun_ns // 1_000_000_000, UTC)
    return environment.get_template("certification.html.j2").render(
        title=title(pack),
        begun=f"{begun:%Y-%m-%d %H:%M:%S} UTC",
        terms=pack.terms,
        summary=summary(pack),
        is_passed=pack.is_passed,
        counts={outcome.value: pack.count(outcome) for outcome in Outcome},
        cases=[_section(result) for result in pack.results],
    )


def _section(result: Result) -> dict[str, Any]:
    return {
        "case": result.case,
        "result": result.outcome.value,
        "css": result.outcome.name.lower().replace("_", "-"),
        "reason": result.reason,
        "decided_by": shown(result.decisive) if result.decisive is not None else "",
        "took": f"{result.took_s:.2f} s",
        "log": [_log_line(entry) for entry in result.log],
    }


def _log_line(entry: Entry) -> dict[str, Any]:
    message = entry.message
    head = {"at": fm.stamp(entry.ts_ns)[9:], "note": entry.note}
    if message is None:
        return head | {"way": "", "css": "note", "type": "", "fault": "", "fields": []}
    fields = [(tag_name(t), hidden(t, v), code_name(t, v)) for t, v in message.pairs]
    is_in = entry.direction == IN
    return head | {
        "way": "received" if is_in else "sent", "css": "in" if is_in else "out",
        "type": type_name(message.type), "fault": message.fault, "fields": fields,
    }  # fmt: skip


def as_lines(log: list[Entry]) -> list[str]:
    """A log as text, a line for each message."""
    lines = []
    for entry in log:
        words = entry.note if entry.message is None else shown(entry.message)
        lines.append(f"{fm.stamp(entry.ts_ns)[9:]} {entry.direction or NOTE} {words}")
    return lines
