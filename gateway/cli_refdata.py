"""`si refdata`: from the registers' files to the live table, a person's approval in between."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.cli_common import AsJson, bar, friendly, out, say
from gateway.errors import UserError

refdata = typer.Typer(
    no_args_is_help=True, help="Reference data: fetch, build, compare, check, make live."
)

SnapshotFile = Annotated[Path, typer.Argument(help="A .snapshot file.", metavar="SNAPSHOT")]
TABLE_COLUMNS = (
    "isin", "sms_eur", "lis_eur", "tick_band", "class", "currency", "mrm", "si", "liquid",
)  # fmt: skip
CHANGES_SHOWN = 40
FINDINGS_SHOWN = 20
COLOURS = {"note": "dim", "warning": "yellow", "fail_closed": "bold red"}


def day_of(text: str) -> date:
    """A date option. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date: write 2026-04-06") from error


def today() -> date:
    return datetime.now(UTC).date()


@refdata.command()
def download(
    register: Annotated[str, typer.Argument(help="fitrs or firds.")],
    into: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("registers"),
    kind: Annotated[str, typer.Option(help="all, full, delta or cancelled.")] = "all",
    since: Annotated[str, typer.Option(help="First day of publication; a week ago.")] = "",
    until: Annotated[str, typer.Option(help="Last day; today.")] = "",
    cfi: Annotated[
        str, typer.Option(help="First letters of the CFI code: C funds, E shares ...")
    ] = "CER",
    base_url: Annotated[str, typer.Option(help="Another address of the index.")] = "",
    host: Annotated[list[str] | None, typer.Option(help="More hosts that files may be on.")] = None,
    jurisdiction: Annotated[str, typer.Option(help="EU or UK.")] = "EU",
    timeout: Annotated[float, typer.Option(help="Seconds for each answer.", min=1)] = 30,
    as_json: AsJson = False,
) -> None:
    """Fetch the registers' files, each checked against its checksum, with retries."""
    from gateway import register_download as module
    from gateway.download_http import Net

    with friendly():
        fetched = module.run(
            register, into, kind=kind, since=day_of(since) if since else None,
            until=day_of(until) if until else None, cfi=cfi, base_url=base_url,
            hosts=host or (), jurisdiction=jurisdiction, net=Net(timeout_s=timeout),
            console=say,
        )  # fmt: skip
        if as_json:
            rows = [
                {"path": str(f.path), "state": f.state, "sha256": f.sha256, "size": f.size}
                for f in fetched
            ]
            print(json.dumps(rows))
            return
        table = Table("file", "bytes", "state", box=None)
        for one in fetched:
            table.add_row(one.path.name, f"{one.size:,}", one.state)
        out.print(table)


@refdata.command()
def build(
    firm: Annotated[Path, typer.Argument(help="The firm's refdata.toml.")],
    on: Annotated[str, typer.Option("--date", help="Day that it holds for; today.")] = "",
    into: Annotated[Path, typer.Option(help="Folder of the snapshots.")] = Path("snapshots"),
    against: Annotated[
        Path | None, typer.Option(help="Snapshot to compare with; the newest of the folder.")
    ] = None,
    approve: Annotated[str, typer.Option(help="Your name: what goes over a guard rail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Build a snapshot from the registers' files; nothing is written where a guard rail holds."""
    from gateway import refdata_build as module

    with friendly():
        as_of = day_of(on) if on else today()
        with bar("reading") as progress:
            built, previous = module.build(firm, as_of, into, against, progress)
        path, refusal = module.finish(built, into, approve.strip(), previous)
        if as_json:
            print(json.dumps(module.as_dict(built, path, refusal)))
        else:
            show_build(built, previous, path)
        if refusal:
            raise UserError(refusal)


def show_build(built: Any, previous: Any, path: Path | None) -> None:
    """What a build did, for a person."""
    about = built.about
    out.print(
        f"[bold]{about['instruments']:,} instruments[/] as of {about['as_of']}, "
        f"{about['fail_closed']:,} closed for want of a threshold, "
        f"{len(about['inputs'])} input files"
    )
    for severity, isin, message in about["findings"][:FINDINGS_SHOWN]:
        out.print(f"[{COLOURS[severity]}]{severity}[/] {isin} {escape(message)}")
    more = len(about["findings"]) - FINDINGS_SHOWN
    if more > 0:
        out.print(f"... and {more:,} more: `--json` has them all")
    for remark in about["remarks"]:
        out.print(f"[yellow]remark[/] {escape(remark)}")
    if previous is not None:
        out.print(f"against {escape(previous.path.name)} of {previous.as_of}:")
        show_changes(built.changes)
    for breach in built.breaches:
        out.print(f"[bold red]guard rail[/] {escape(str(breach))}")
    if path is not None:
        out.print(f"wrote [bold]{escape(str(path))}[/]")
        out.print(f"next: si refdata activate {path} DIR", markup=False)


def show_changes(changes: Any) -> None:
    """Changes as a table, the first of them."""
    if not changes:
        out.print("  no change")
        return
    table = Table("ISIN", "name", "what", "before", "after", box=None)
    for change in changes[:CHANGES_SHOWN]:
        name = escape(change.name[:30])
        table.add_row(change.isin, name, change.what, change.before, change.after)
    out.print(table)
    if len(changes) > CHANGES_SHOWN:
        out.print(f"... and {len(changes) - CHANGES_SHOWN:,} more: `--json` has them all")


@refdata.command()
def show(
    isin: Annotated[str, typer.Argument(help="The instrument; without: the whole table.")] = "",
    on: Annotated[str, typer.Option("--date", help="Day; the snapshot's own.")] = "",
    snapshot: Annotated[
        Path | None, typer.Option(help="A .snapshot file; the newest in ./snapshots.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What holds for an instrument on a day, and every record that the registers have of it."""
    from gateway import refdata_build as module

    with friendly():
        path = snapshot or module.latest(Path("snapshots"))
        if not isin:
            show_table(module.table_of(path, day_of(on) if on else None), as_json)
            return
        found = module.look_up(path, isin, day_of(on) if on else None)
        if as_json:
            print(json.dumps(found))
            return
        out.print(f"[bold]{found['isin']}[/] {escape(found['name'])} on {found['date']}")
        for name, value in found["applies"].items():
            out.print(f"  {name:12} {value}", markup=False)
        out.print(found["reason"], markup=False)
        for severity, message in found["findings"]:
            out.print(f"[{COLOURS[severity]}]{severity}[/] {escape(message)}")
        table = Table("methodology", "reported", "applies", "liquid", "SMS", "LIS", "ADNT of MRM",
                      "source", box=None)  # fmt: skip
        for record in found["records"]:
            table.add_row(*(escape(str(record.get(key, ""))) for key in module.RECORD_COLUMNS))
        out.print(table)


def show_table(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Every row, for a machine or a person."""
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(box=None, padding=(0, 1))
    for name in TABLE_COLUMNS:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in TABLE_COLUMNS))
    out.print(table)


@refdata.command()
def diff(
    before: Annotated[Path, typer.Argument(help="A .snapshot file.")],
    after: Annotated[Path, typer.Argument(help="A later one.")],
    as_json: AsJson = False,
) -> None:
    """What moved between two snapshots: added, removed, SMS, LIS, tick band, limits."""
    from gateway import refdata_build as module
    from refdata.changes import compare

    with friendly():
        changes = compare(module.read(before), module.read(after))
        if as_json:
            print(json.dumps([change._asdict() for change in changes]))
        else:
            show_changes(changes)


@refdata.command()
def verify(
    snapshot: SnapshotFile,
    inputs: Annotated[
        Path | None, typer.Option(help="The firm's refdata.toml: build again and compare.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a snapshot's bytes against its hash and, with its inputs, build it again."""
    from gateway import refdata_build as module

    with friendly():
        result = module.verify(snapshot, inputs)
        if as_json:
            print(json.dumps(result))
        else:
            out.print(f"sound: {result['sha256']}, as of {result['as_of']}")
            if inputs is not None:
                out.print("built again from its inputs: the same content")


@refdata.command()
def hours(
    mic: Annotated[str, typer.Argument(help="The venue whose calendar it is.")],
    since: Annotated[str, typer.Option("--from", help="First day; today.")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day; a year later.")] = "",
    into: Annotated[Path, typer.Option(help="The file; `hours.file` of si.toml names it.")] = Path(
        "hours.csv"
    ),
) -> None:
    """Write a venue's trading days and hours, holidays and early closes in it, to a file."""
    from refdata import hours as module
    from refdata.rows import Refused

    with friendly():
        first = day_of(since) if since else today()
        last = day_of(until) if until else first + timedelta(days=365)
        try:
            found = module.sessions(mic, first, last)
        except Refused as error:
            raise UserError(str(error)) from error
        module.write_csv(into, found)
        early = sum(session.early for session in found)
        out.print(f"wrote {into}: {len(found)} trading days of {mic}, {early} with an early close")


@refdata.command()
def activate(
    snapshot: SnapshotFile,
    directory: Annotated[
        Path, typer.Argument(help="Folder of the running engine; this one.", metavar="DIR")
    ] = Path(),
    at: Annotated[str, typer.Option(help="UTC, 2026-04-06T05:00:00; at once.")] = "",
    by: Annotated[str, typer.Option(help="Who you are.", envvar="USER")] = "desk",
    as_json: AsJson = False,
) -> None:
    """Make a snapshot the live table of a running engine; the same command goes back."""
    from gateway import control

    with friendly():
        at_ns = time_of(at) if at else 0
        request = {"activate": str(snapshot.resolve()), "at_ns": at_ns, "by": by}
        answer = control.ask(directory, request)
        if as_json:
            print(json.dumps(answer))
        elif "staged" in answer:
            out.print(f"staged: it becomes live at {at} UTC")
        else:
            done = answer["activated"]
            out.print(
                f"live: {done['instruments']:,} instruments as of {done['as_of']}, "
                f"{done['gone']:,} no longer in it; "
                f"longest pause {done['pause_ns'] / 1e3:,.0f} us, "
                f"the switch itself {done['switch_ns'] / 1e3:,.0f} us"
            )


def time_of(text: str) -> int:
    """UTC time to ns. Raises UserError."""
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as error:
        raise UserError(f"--at {text!r} is no time: write 2026-04-06T05:00:00 (UTC)") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9


@refdata.command()
def cancel(directory: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Take back an activation whose time has not come."""
    from gateway import control

    with friendly():
        out.print(f"cancelled: {control.ask(directory, {'cancel': True})['cancelled']}")
