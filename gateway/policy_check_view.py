"""What `si policy check` found, for people."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(report: dict[str, Any], out: Console) -> None:
    """Print a report of `policy_check.check`."""
    out.print(
        f"policy {report['policy']} {report.get('param', '')}, {report['inputs']:,} inputs of seed "
        f"{report['seed']}",
        markup=False,
    )
    if "clamps" in report:
        out.print(_numbers(report))
    for note in report.get("notes", []):
        _finding(note, "yellow", out)
    for problem in report["problems"]:
        _finding(problem, "bold red", out)
    if report["sound"]:
        out.print("[bold green]sound[/]: it can be used")
    else:
        out.print(f"[bold red]not sound[/]: {len(report['problems'])} problems, do not use it")


def _numbers(report: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    rows = [
        ("orders improved", _share(report["improved_share"])),
        ("at the midpoint", _share(report["midpoint_share"])),
        ("mean improvement", f"{report['mean_ticks']:.2f} ticks"),
    ]
    rows += [(_class(name), _share(share))
             for name, share in report["distribution"].items() if share]  # fmt: skip
    rows += [(f"gate: {name}", _share(share)) for name, share in report["clamps"].items() if share]
    engine = report["engine"]
    rows.append(("in the engine", f"{engine['fills']} fills of {engine['orders']} orders"))
    if "ns_per_call" in report:
        rows.append(("compiled", f"{report['ns_per_call']} ns a call"))
    for name, value in rows:
        table.add_row(name, value)
    return table


def _class(name: str) -> str:
    return "not improved" if name == "0" else f"improved by {name} ticks"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _finding(finding: dict[str, Any], style: str, out: Console) -> None:
    times = f", {finding['count']:,} times" if "count" in finding else ""
    why = f": {finding['why']}" if finding["why"] else ""
    out.print(f"[{style}]{finding['what']}[/]{times}{escape(why)}")
    if finding.get("line"):
        out.print(f"  {finding['line']}", markup=False)
    if "answer" in finding:
        out.print(f"  first answer {finding['answer']}, from", markup=False)
    if "input" in finding:
        out.print(f"  {finding['input']}", markup=False)
    for answer in finding.get("first") or ():
        out.print(f"  {answer}", markup=False)
