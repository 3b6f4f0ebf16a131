"""`si policy`: price-improvement policies, and the rules that give them their parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from gateway.cli_common import AsJson, bar, friendly, out

policy = typer.Typer(no_args_is_help=True, help="Price improvement: policies and their rules.")

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]
By = Annotated[str, typer.Option(help="Who you are: in the journal and the log.", envvar="USER")]
Number = Annotated[int, typer.Argument(help="Of the change, see `si policy rules`.", metavar="ID")]
ParamOption = Annotated[
    list[int] | None,
    typer.Option("--param", help="One parameter; repeat in their order.", metavar="N"),
]


@policy.command("list")
def list_(as_json: AsJson = False) -> None:
    """The policies that ship, with their parameters."""
    from importlib import import_module

    from engine.policies import BUILTIN
    from engine.policy import describe

    with friendly():
        found = [describe(name, import_module(f"engine.policies.{name}")) for name in BUILTIN]
        if as_json:
            print(json.dumps([
                {"name": about.name, "purpose": about.purpose,
                 "params": [param._asdict() for param in about.params or ()]}
                for about in found
            ]))  # fmt: skip
            return
        for about in found:
            out.print(f"[bold]{about.name}[/]: {escape(about.purpose)}")
            for place, param in enumerate(about.params or ()):
                bounds = f"{param.low:,} to {param.high:,}, usually {param.usual:,}"
                out.print(f"  {place} {param.name}, {bounds}: {param.meaning}", markup=False)
        out.print("your own: si policy new NAME, then si policy check NAME.py")


@policy.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the policy; NAME.py is written.")],
    folder: Annotated[Path, typer.Option(help="Where to.")] = Path(),
) -> None:
    """Write a policy to begin with."""
    from gateway import policy_template

    with friendly():
        path = policy_template.write(name, folder)
        out.print(f"wrote {path}")
        out.print(f"next: si policy check {path}, then policy = {path.name!r} in si.toml")


@policy.command()
def check(
    name: Annotated[
        str, typer.Argument(help="A file, or a policy that ships.", metavar="FILE|NAME")
    ],
    param: ParamOption = None,
    seed: Annotated[int, typer.Option(help="Of the generated markets.", min=0)] = 1,
    inputs: Annotated[int, typer.Option(help="How many to try.", min=100)] = 10_000,
    wait: Annotated[float, typer.Option(help="Seconds for one answer.", min=0.1)] = 10,
    as_json: AsJson = False,
) -> None:
    """Try a policy on generated markets, interpreted and compiled; exit code 0 if it is sound."""
    from gateway import policy_check, policy_check_view

    with friendly():
        with bar("trying") as progress:
            report = policy_check.check(name, param, seed, inputs, wait, progress)
        if as_json:
            print(json.dumps(report))
        else:
            policy_check_view.show(report, out)
        if not report["sound"]:
            raise typer.Exit(1)


@policy.command()
def rules(directory: Directory, as_json: AsJson = False) -> None:
    """The rules of a running engine, and the changes that wait for approval."""
    from gateway.control import ask

    with friendly():
        answer = ask(directory, {"policy": "rules"})
        if as_json:
            print(json.dumps(answer))
            return
        out.print(f"policy {answer['policy']}, without a rule {answer['default']}")
        what = ("pool", "tier", "group", "param", "by")
        _show("rule", (*what, "approved_by"), answer["rules"])
        _show("waits for approval", ("id", *what), answer["pending"])


@policy.command("set")
def set_(
    directory: Directory,
    pool: Annotated[str, typer.Option(help="One of `si risk pools`, or * for all.")] = "*",
    tier: Annotated[str, typer.Option(help="0 to 7, or * for all clients.")] = "*",
    group: Annotated[str, typer.Option(help="share, etf, ...; * for all instruments.")] = "*",
    param: ParamOption = None,
    default: Annotated[bool, typer.Option(help="No rule: quoting.policy_param holds.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Give the policy of a running engine other parameters, or ask for approval to do so."""
    if (param is None) != default:
        raise typer.BadParameter("give the parameters with --param, or --default to have none")
    asked = {"pool": pool, "tier": int(tier) if tier.isdecimal() else tier, "group": group}
    answer = _ask(directory, "set", by, **asked, param=param)
    if as_json:
        print(json.dumps(answer))
    elif "pending" in answer:
        number = answer["pending"]["id"]
        out.print(
            f"change {number} waits: somebody else runs si policy approve {directory} {number}"
        )
    else:
        _tell_set(answer)


@policy.command()
def approve(directory: Directory, number: Number, by: By = "", as_json: AsJson = False) -> None:
    """Let somebody else's change happen."""
    answer = _ask(directory, "approve", by, id=number)
    if as_json:
        print(json.dumps(answer))
    else:
        _tell_set(answer)


@policy.command()
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
        return ask(directory, {"policy": verb, "by": by, **fields})


def _tell_set(answer: dict[str, Any]) -> None:
    change = answer["set"]
    param = "quoting.policy_param" if change["param"] is None else change["param"]
    out.print(f"pool {change['pool']}, tier {change['tier']}, group {change['group']}: {param}")
    out.print("it holds for this journal; write it into si.toml to keep it")


def _show(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    if not rows:
        out.print(f"no {title}" if title == "rule" else "nothing waits for approval")
        return
    table = Table(title=title, box=box.SIMPLE)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    out.print(table)
