"""`si sim day`: a whole trading day through the engine, on the market's own clock."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli_audit import CLOSE_BPS
from gateway.cli_common import AsJson, bar, friendly, out, say
from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.sim_day_tape import FeedFile


def day(
    directory: Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")],
    date: Annotated[str, typer.Option(help="The day, in UTC, like 2026-06-08.")],
    feed: Annotated[
        list[Path] | None, typer.Option(help="A file of market data; repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--format", help="Of the files (FEED.md): one for all, or one for each."),
    ] = None,
    isin: Annotated[
        list[str] | None, typer.Option(help="As with `si feed`: one for all, or one for each.")
    ] = None,
    mic: Annotated[
        list[str] | None, typer.Option(help="As with `si feed`: one for all, or one for each.")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option("--map", help="TOML that names the columns of csv or parquet.")
    ] = None,
    refresh: Annotated[
        float,
        typer.Option(help="Say a file's standing quotes again so often, seconds; 0: never.", min=0),
    ] = 0,
    generate: Annotated[
        int | None, typer.Option(help="Instead of files: a day drawn from this seed.")
    ] = None,
    instruments: Annotated[
        int, typer.Option(help="Of a generated day, the file's first; 0: all.", min=0)
    ] = 0,
    orders: Annotated[float, typer.Option(help="Orders a second.", min=0, max=10_000)] = 0,
    seed: Annotated[int, typer.Option(help="Of the orders, where files are played.")] = 1,
    orders_file: Annotated[
        Path | None, typer.Option(help="CSV: time,session,isin,side,qty[,price][,tif].")
    ] = None,
    bbo: Annotated[
        Path | None, typer.Option(help="Write the consolidated BBO after each quote, as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a day's quotes and orders into a new journal; exit code 1: an internal check failed."""
    from gateway import config as configuration
    from gateway import logs, sim_day, sim_day_report
    from gateway.audit import read
    from gateway.cli import compile_all

    logs.configure()
    with friendly():
        wanted = read.parse_day(date, time.time_ns())
        if bool(feed) == (generate is not None):
            raise UserError("give either --feed FILE, which may be repeated, or --generate SEED")
        if orders and orders_file is not None:
            raise UserError("give either --orders RATE or --orders-file FILE")
        plan = sim_day.Plan(
            wanted, _files(feed or [], kind or [], isin or [], mic or [], columns),
            seed if generate is None else generate, instruments, orders, orders_file,
            int(refresh * 10**9),
        )  # fmt: skip
        config = configuration.load(directory)
        sim_day.refuse_used(config.journal)
        compile_all()
        writing = sim_day_report.bbo_file(bbo) if bbo is not None else nullcontext()
        with writing as on_bbos, bar("playing") as progress:
            done = sim_day.run(config, plan, progress, on_bbos)
        with bar("recounting") as progress:
            made = sim_day_report.figures(done, wanted, CLOSE_BPS, progress)
        if as_json:
            print(json.dumps(made))
        else:
            out.print(sim_day_report.table(made), soft_wrap=False)
            out.print(f"next: {made['next']}", markup=False)
    if made["invariants_tripped"]:
        say.print("[bold red]an internal check has failed[/]: see the refusals", markup=True)
        raise typer.Exit(1)


def _files(
    paths: list[Path], kinds: list[str], isins: list[str], mics: list[str], columns: Path | None
) -> list[FeedFile]:
    """The files with what was said of each. Raises UserError."""
    from gateway.sim_day_tape import FeedFile

    count = len(paths)
    if count and not kinds:
        raise UserError("--feed needs --format: one for all files, or one for each")
    each = (
        _each("--format", kinds, count),
        _each("--isin", isins, count),
        _each("--mic", mics, count),
    )
    return [
        FeedFile(path, kind, isin, mic, columns)
        for path, kind, isin, mic in zip(paths, *each, strict=True)
    ]


def _each(name: str, values: list[str], count: int) -> list[str]:
    """One value for each file."""
    if len(values) <= 1:
        return (values or [""]) * count
    if len(values) != count:
        raise UserError(f"{name} is given {len(values)} times for {count} files: once, or for each")
    return values
