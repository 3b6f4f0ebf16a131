"""`si risk set`, `changes`, `approve`, `refuse`: limits that change while the engine runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from gateway.cli_common import AsJson, friendly, out
from gateway.cli_risk import Directory
from gateway.cli_risk import risk as risk

By = Annotated[str, typer.Option(help="Who you are: in the journal and the log.", envvar="USER")]
Number = Annotated[int, typer.Argument(help="Of the change, see `si risk changes`.", metavar="ID")]


@risk.command("set")
def set_(
    directory: Directory,
    limit: Annotated[str, typer.Option(help="By its name in si.toml, such as order_max_eur.")],
    value: Annotated[str, typer.Option(help="As in si.toml; none: no limit.")],
    firm: Annotated[bool, typer.Option("--firm", help="A limit of [risk].")] = False,
    client: Annotated[str | None, typer.Option(help="A limit of this client.")] = None,
    tier: Annotated[
        int | None, typer.Option(help="Of each client of the tier that has none of its own.")
    ] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Change a limit of a running engine, or ask for approval to loosen it."""
    named = {"firm": firm or None, "client": client, "tier": tier}
    subject = {name: given for name, given in named.items() if given is not None}
    if len(subject) != 1:
        raise typer.BadParameter("name whose limit it is: --firm, --client NAME or --tier N")
    wanted = None if value.casefold() == "none" else value
    answer = _ask(directory, "set", by, **subject, limit=limit, value=wanted)
    if as_json:
        print(json.dumps(answer))
    elif "pending" in answer:
        number = answer["pending"]["id"]
        out.print(
            f"change {number} waits: somebody else runs si risk approve {directory} {number}",
            markup=False,
        )
    else:
        _tell_set(answer)


@risk.command()
def changes(
    directory: Directory,
    journal: Annotated[
        bool, typer.Option("--journal", help="All of the journal's; no engine need run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Limits that were changed while the engine ran, and the changes that wait for approval."""
    from gateway import config, risk_changes
    from gateway.control import ask

    with friendly():
        if journal:
            found = risk_changes.read(config.load(directory).journal)
            answer: dict[str, Any] = {"changes": found, "changes_in_all": len(found)}
        else:
            answer = ask(directory, {"risk": "changes"})
        if as_json:
            print(json.dumps(answer))
            return
        _show("changed", answer["changes"], ("when (UTC)", "state"))
        left = answer["changes_in_all"] - len(answer["changes"])
        if left:
            out.print(f"and {left} older ones: si risk changes {directory} --journal", markup=False)
        if not journal:
            _show("waits for approval", answer["pending"], ())


@risk.command()
def approve(directory: Directory, number: Number, by: By = "", as_json: AsJson = False) -> None:
    """Let somebody else's change happen."""
    answer = _ask(directory, "approve", by, id=number)
    if as_json:
        print(json.dumps(answer))
    else:
        _tell_set(answer)


@risk.command()
def refuse(directory: Directory, number: Number, by: By = "", as_json: AsJson = False) -> None:
    """Take back a change that waits, one's own or somebody else's."""
    answer = _ask(directory, "refuse", by, id=number)
    if as_json:
        print(json.dumps(answer))
    else:
        out.print(f"change {number} will not happen")


def _ask(directory: Path, verb: str, by: str, **fields: Any) -> dict[str, Any]:
    from gateway.control import ask

    with friendly():
        return ask(directory, {"risk": verb, "by": by, **fields})


def _tell_set(answer: dict[str, Any]) -> None:
    done = answer["set"]
    clients = f", {answer['clients']} clients" if done["scope"] == "tier" else ""
    out.print(f"{_whose(done)}: {done['limit']} {_moved(done)}{clients}", markup=False)
    out.print("it holds for this journal; write it into si.toml to keep it")


def _whose(row: dict[str, Any]) -> str:
    return f"{row['scope']} {row['subject']}".strip()


def _moved(row: dict[str, Any]) -> str:
    return f"{row['old'] or 'none'} -> {row['new'] or 'none'}"


def _show(title: str, rows: list[dict[str, Any]], more: tuple[str, ...]) -> None:
    from gateway.explain import clock

    if not rows:
        out.print(f"nothing {title}")
        return
    table = Table(title=title, box=box.SIMPLE)
    for column in ("id", "limit", "old -> new", "by", *more):
        table.add_column(column)
    for row in rows:
        names = [row["by"], row.get("approved_by", "")]
        cells = [str(row["id"]), f"{_whose(row)}\n{row['limit']}", _moved(row).replace("> ", ">\n")]
        cells.append("\napproved by ".join(name for name in names if name))
        if more:
            day, at, _ = clock(row["time_ns"]).split()
            cells += [f"{day}\n{at[:12]}", row["state"]]
        table.add_row(*map(escape, cells))
    out.print(table)
