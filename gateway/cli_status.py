"""`si status`: for which instruments the firm is Systematic Internaliser, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli_common import AsJson, friendly, out, say
from gateway.errors import UserError

if TYPE_CHECKING:
    from refdata.si_status.assess import Flows
    from refdata.si_status.quarters import Quarter
    from refdata.si_status.report import Report

status = typer.Typer(
    no_args_is_help=True,
    help="SI status: the assessment, the register of instruments, notifications.",
)


@contextmanager
def plainly() -> Iterator[None]:
    """`friendly`, for what the readers of files refuse as well."""
    from refdata.rows import Refused

    with friendly():
        try:
            yield
        except Refused as error:
            raise UserError(str(error)) from error


# --- the assessment ---------------------------------------------------------------------------


@status.command()
def assess(
    trades: Annotated[
        Path,
        typer.Option(help="The firm's trades, CSV or Parquet; or the engine's folder."),
    ],
    eu_totals: Annotated[
        Path | None, typer.Option(help="EU totals, CSV or Parquet; without: what can be said.")
    ] = None,
    asset_class: Annotated[
        list[str] | None, typer.Option(help="Only this class (share, bond, ...); repeatable.")
    ] = None,
    quarter: Annotated[
        list[str] | None, typer.Option(help="Like 2024Q3, which looks at January to June 2024.")
    ] = None,
    on: Annotated[
        str, typer.Option("--date", help="The assessment in force on this date instead.")
    ] = "",
    own_mic: Annotated[
        list[str] | None, typer.Option(help="A MIC of the firm itself: counts as OTC.")
    ] = None,
    trading_days: Annotated[
        Path | None, typer.Option(help="CSV of trading days; without: Monday to Friday.")
    ] = None,
    jurisdiction: Annotated[str, typer.Option(help="EU or UK.")] = "EU",
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the quantitative SI test (DR 2017/565 Arts 12-17) over the firm's trades."""
    from refdata.si_status import files, report

    with plainly():
        if trades.is_dir():
            from gateway import status_trades

            flows: Flows = status_trades.read_flows(trades)
        else:
            flows = files.read_flows(trades, own_mic or ())
        flows = _only(flows, asset_class or [])
        try:
            made = report.make(
                flows,
                files.read_totals(eu_totals) if eu_totals else {},
                _quarters(flows, quarter or [], on),
                jurisdiction=jurisdiction,
                listed_days=files.read_trading_days(trading_days) if trading_days else None,
                trades_from=trades.name,
                totals_from=eu_totals.name if eu_totals else "",
            )
        except (LookupError, ValueError) as error:
            raise UserError(str(error)) from error
        if html:
            html.write_text(report.html(made), encoding="utf-8")
            say.print(f"wrote {html}", markup=False)
        if as_json:
            print(json.dumps(report.as_dict(made)))
        else:
            _show(made)


def _only(flows: Flows, wanted: list[str]) -> Flows:
    """The flows of some asset classes; all of them where none is named."""
    from refdata.si_status.thresholds import StatusClass

    known = [member.value for member in StatusClass]
    for word in wanted:
        if word not in known:
            raise UserError(f"--asset-class {word!r} is none of {', '.join(known)}")
    if not wanted:
        return flows
    found = {key: flow for key, flow in flows.items() if flow.asset_class.value in wanted}
    if not found:
        raise UserError(f"no trade in the asset class {', '.join(wanted)}: nothing to assess")
    return found


def _quarters(flows: Flows, named: list[str], on: str) -> list[Quarter]:
    """The quarters asked for, else all whose six months the trades cover."""
    from refdata.si_status.assess import quarters_of
    from refdata.si_status.quarters import in_force_on, parse_quarter

    if named and on:
        raise UserError("give --quarter or --date, not both")
    if on:
        found = [in_force_on(_date(on, "--date"))]
    elif named:
        try:
            found = sorted({parse_quarter(text) for text in named})
        except ValueError as error:
            raise UserError(f"--quarter {error}") from error
    else:
        found = [quarter for quarter in quarters_of(flows) if quarter.data_to <= date.today()]
        if not found:
            raise UserError(
                "the trades do not reach over the six months of any assessment: name one with "
                "--quarter, like 2024Q3 for January to June 2024"
            )
    for quarter in found:
        if quarter.data_to > date.today():
            raise UserError(
                f"{quarter} looks at the six months before {quarter.data_to.isoformat()}, which "
                "are not over: an average over them would be too low"
            )
    return found


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{option} {text!r}: write a date like 2024-08-15") from error


def _show(made: Report) -> None:
    """The assessments as text: one head line each, then the tests."""
    from refdata.si_status import words

    if made.banner:
        out.print(made.banner, markup=False)
    for note in made.notes:
        out.print(note, markup=False)
    for assessment in made.assessments:
        market = "liquid" if assessment.liquid else "illiquid"
        head = f"{assessment.subject}  {assessment.quarter}  {assessment.asset_class.value}, "
        tail = " (monitoring)" if assessment.monitoring else ""
        line = f"{head}{market}  SI: {assessment.verdict.value}{tail}"
        out.print(line, markup=False, style="bold")
        for test in assessment.tests:
            out.print(f"  {test.name.value}: {words.test_line(test, assessment.threshold)}")
        for remark in assessment.remarks:
            out.print(f"  {remark}", markup=False)
    if not made.assessments:
        out.print("nothing was traded in " + ", ".join(str(q) for q in made.quarters))


@status.command()
def examples(as_json: AsJson = False) -> None:
    """The three worked examples of the SI assessment, and what is inconsistent in them."""
    from refdata.si_status import founding, words

    measured = [founding.measure_example(example) for example in founding.EXAMPLES]
    if as_json:
        print(json.dumps([_example_dict(one) for one in measured]))
        return
    for one in measured:
        out.print(f"{one.example.name}", style="bold", markup=False)
        for said in one.example.said:
            out.print(f"  it says: {said}", markup=False)
        for reading, verdict, tests in (
            ("as written", one.written_verdict, one.as_written),
            ("as the law has it", one.law_verdict, one.as_the_law_has_it),
        ):
            out.print(f"  {reading}: SI {verdict.value}", markup=False)
            for test in tests:
                out.print(f"    {test.name.value}: {words.test_line(test, one.threshold)}")
        for text in one.example.inconsistencies:
            out.print(f"  note: {text}", markup=False)
    out.print("The document as a whole:", style="bold")
    for text in founding.GENERAL_INCONSISTENCIES:
        out.print(f"  note: {text}", markup=False)


def _example_dict(one: Any) -> dict[str, Any]:
    from refdata.si_status import words

    return {
        "example": one.example.name,
        "said": list(one.example.said),
        "document_verdict": one.example.document_verdict.value,
        "as_written": one.written_verdict.value,
        "as_the_law_has_it": one.law_verdict.value,
        "tests": [words.test_line(test, one.threshold) for test in one.as_written],
        "inconsistencies": list(one.example.inconsistencies),
    }


# --- the register -----------------------------------------------------------------------------

Folder = Annotated[Path, typer.Argument(help="The firm's folder.", metavar="DIR")]
Isin = Annotated[str, typer.Option(help="The instrument.")]
OfClass = Annotated[str, typer.Option("--class", help="Or the class of instruments.")]
From = Annotated[str, typer.Option("--from", help="Effective date, like 2026-04-01.")]
By = Annotated[str, typer.Option("--by", help="Who records it.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@status.command("opt-in")
def opt_in(
    directory: Folder,
    effective: From,
    by: By,
    isin: Isin = "",
    of_class: OfClass = "",
    reason: Reason = "",
) -> None:
    """Record that the firm opts in to be SI in an instrument or class."""
    _record(directory, "opt-in", isin, of_class, effective, by, reason)


@status.command()
def start(
    directory: Folder,
    effective: From,
    by: By,
    isin: Isin = "",
    of_class: OfClass = "",
    reason: Reason = "",
) -> None:
    """Record that the firm is SI because it meets the definition, not by choice."""
    _record(directory, "start", isin, of_class, effective, by, reason)


@status.command()
def cease(
    directory: Folder,
    effective: From,
    by: By,
    isin: Isin = "",
    of_class: OfClass = "",
    reason: Reason = "",
) -> None:
    """Record that the firm is no longer SI in an instrument or class."""
    _record(directory, "cease", isin, of_class, effective, by, reason)


def _record(
    directory: Path, action: str, isin: str, of_class: str, effective: str, by: str, reason: str
) -> None:
    from refdata.si_status import register

    with plainly():
        if bool(isin) == bool(of_class):
            raise UserError("give --isin or --class, one of the two")
        entry = register.record(
            register.path_in(directory),
            action=register.Action(action),
            scope=register.Scope.ISIN if isin else register.Scope.CLASS,
            subject=isin or of_class,
            effective=_date(effective, "--from"),
            by=by,
            now=datetime.now(UTC),
            reason=reason,
        )
        out.print(_entry_line(entry), markup=False)


@status.command()
def correct(
    directory: Folder,
    entry: Annotated[int, typer.Option(help="Number of the entry that is wrong.")],
    by: By,
    effective: Annotated[
        str, typer.Option("--from", help="The right date; without: the entry is annulled.")
    ] = "",
    reason: Reason = "",
) -> None:
    """Annul an entry or give it another date; what was recorded stays readable."""
    from refdata.si_status import register

    with plainly():
        made = register.correct(
            register.path_in(directory),
            entry,
            by=by,
            now=datetime.now(UTC),
            reason=reason,
            effective=_date(effective, "--from") if effective else None,
        )
        out.print(_entry_line(made), markup=False)


def _entry_line(entry: Any) -> str:
    line = f"entry {entry.seq}: {entry.action.value} {entry.subject} from "
    line += entry.effective.isoformat()
    if entry.corrects:
        line += f", in place of entry {entry.corrects}"
    return f"{line}; hash {entry.hash}"


@status.command("list")
def list_(
    directory: Folder,
    on: Annotated[str, typer.Option("--date", help="State on this date.")],
    known: Annotated[
        str,
        typer.Option(help="As known: now, then (at the end of that date), or a time with zone."),
    ] = "now",
    as_json: AsJson = False,
) -> None:
    """In which instruments and classes the firm is SI on a date: the list for the authority."""
    from refdata.si_status import register

    with plainly():
        day = _date(on, "--date")
        entries = register.read(register.path_in(directory))
        spells = register.state_on(entries, day, _known_at(known, day))
        if as_json:
            print(json.dumps([_spell_dict(spell) for spell in spells]))
            return
        for spell in spells:
            out.print(
                f"{spell.subject}  {spell.scope.value}, {spell.entry.action.value} since "
                f"{spell.since.isoformat()} (entry {spell.entry.seq}, by {spell.entry.by})",
                markup=False,
            )
        out.print(f"{len(spells)} on {day.isoformat()}, as known {known}", markup=False)


def _known_at(known: str, day: date) -> datetime | None:
    if known == "now":
        return None
    if known == "then":
        return datetime.combine(day, time.max, UTC)
    try:
        moment = datetime.fromisoformat(known)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError as error:
        raise UserError(
            f"--known {known!r}: write now, then, or a time like 2026-04-01T12:00:00Z"
        ) from error
    return moment


def _spell_dict(spell: Any) -> dict[str, Any]:
    return {
        "kind": spell.scope.value,
        "id": spell.subject,
        "since": spell.since.isoformat(),
        "basis": spell.entry.action.value,
        "entry": spell.entry.seq,
        "recorded_at": spell.entry.recorded_at.isoformat(),
        "by": spell.entry.by,
        "reason": spell.entry.reason,
    }


@status.command()
def verify(
    directory: Folder,
    head: Annotated[str, typer.Option(help="A hash noted earlier: it must be in the chain.")] = "",
) -> None:
    """Check every line of the register and the chain of its hashes."""
    from refdata.si_status import register

    with plainly():
        path = register.path_in(directory)
        entries = register.read(path)
        if head and head not in {entry.hash for entry in entries}:
            raise UserError(
                f"{path}: the hash {head!r} is not in the chain of {len(entries)} entries: lines "
                "are missing or it is another register; restore a copy"
            )
        out.print(f"{len(entries)} entries, the chain is whole", markup=False)
        if entries:
            out.print(f"last hash {entries[-1].hash}: keep it apart from the file", markup=False)


@status.command()
def notify(
    directory: Folder,
    circumstance: Annotated[
        str,
        typer.Option(help="opt-in, cease-opt-in, cease-all, start-class or cease-class."),
    ],
    entry: Annotated[list[int], typer.Option(help="Entry of the register; repeatable.")],
    firm: Annotated[Path | None, typer.Option(help="TOML: name, lei, mic, authority.")] = None,
    name: Annotated[str, typer.Option(help="The firm's name.")] = "",
    lei: Annotated[str, typer.Option(help="The firm's LEI.")] = "",
    mic: Annotated[str, typer.Option(help="The firm's MIC as SI.")] = "",
    authority: Annotated[str, typer.Option(help="The competent authority.")] = "",
    on: Annotated[str, typer.Option("--date", help="Date of the notification; today.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write a page to read.")] = None,
) -> None:
    """The notification to the competent authority, as JSON and as a page."""
    from refdata.si_status import notification, register

    with plainly():
        path = register.path_in(directory)
        given = notification.read_firm(firm) if firm else notification.Firm("", "", "", "")
        made = notification.make(
            register.read(path),
            entry,
            notification.circumstance_of(circumstance, path),
            notification.Firm(
                name or given.name,
                lei or given.lei,
                mic or given.mic,
                authority or given.authority,
            ),
            made_on=_date(on, "--date") if on else date.today(),
            path=path,
        )
        if html:
            html.write_text(notification.html(made), encoding="utf-8")
            say.print(f"wrote {html}", markup=False)
        print(json.dumps(notification.as_dict(made)))
