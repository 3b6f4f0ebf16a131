"""`si`: the command line. Each command is a few lines; the work is in the module it names."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import logs
from gateway.cli_audit import audit
from gateway.cli_common import AsJson, bar, friendly, out, say
from gateway.cli_drop_copy import dropcopy
from gateway.cli_feed import feed, feed_fix
from gateway.cli_fix import fix
from gateway.cli_policy import policy
from gateway.cli_publish import publish
from gateway.cli_refdata import refdata
from gateway.cli_regime import regime
from gateway.cli_risk_changes import risk
from gateway.cli_session import session
from gateway.cli_sim import sim
from gateway.cli_status import status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="A Systematic Internaliser: FIX orders in, the right decision, a fill or a desk item out.",
)
desk = typer.Typer(no_args_is_help=True, help="Work the desk queue of a running engine.")
bench = typer.Typer(no_args_is_help=True, help="Measure latency and throughput on this machine.")
app.add_typer(desk, name="desk")
app.add_typer(bench, name="bench")
app.add_typer(refdata, name="refdata")
app.add_typer(regime, name="regime")
app.add_typer(status, name="status")
app.add_typer(session, name="session")
app.add_typer(fix, name="fix")
app.add_typer(dropcopy, name="dropcopy")
app.add_typer(sim, name="sim")
app.add_typer(policy, name="policy")
app.add_typer(risk, name="risk")
app.command()(audit)
app.command()(publish)

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]


def compile_all() -> None:
    """Compile or load the hot path, with a progress bar when it takes longer than a moment."""
    from gateway import warm

    with bar("compiling") as progress:
        warm.warm(progress)


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="End by itself; 0: at Ctrl-C.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Of the clients' and the market's behaviour.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run a whole venue on this machine: sample world, moving quotes, FIX clients, a desk."""
    from gateway import demo as module

    with friendly():
        compile_all()
        raise typer.Exit(module.run(seconds=seconds, seed=seed, as_json=as_json))


@app.command()
def init(directory: Directory) -> None:
    """Make a ready configuration with sample reference data."""
    from gateway import template

    with friendly():
        for path in template.write(directory):
            out.print(f"wrote {path}")
        out.print(f"next: si serve {directory}")


@app.command()
def serve(directory: Directory) -> None:
    """Check the configuration, recover the journal, serve until SIGTERM."""
    from gateway import config as configuration
    from gateway import warm
    from gateway.server import Server

    logs.configure()
    with friendly():
        config = configuration.load(directory)
        compile_all()
        server = Server(config, say.print)
        done = server.recover()
        if done.frames:
            say.print(f"recovered {done.frames:,} frames of {config.journal}")
        for line in server.load():
            say.print(line)
        warm.lock()
        fix_port, feed_port = server.listen()
        say.print(f"FIX {config.fix.host}:{fix_port}, feed UDP {config.feed.host}:{feed_port}")
        say.print(f"desk {config.desk_socket}, journal {config.journal}")
        server.prepare()
        say.print("[bold green]ready[/]: stop with Ctrl-C or SIGTERM", markup=True)
        server.serve()


@app.command()
def explain(
    directory: Directory,
    order: Annotated[
        str, typer.Argument(help="OrderID(37), ClOrdID(11), QuoteID(117) or QuoteReqID(131).")
    ],
    inputs: Annotated[
        bool, typer.Option("--inputs", help="Replay up to each price: what the policy was given.")
    ] = False,
    source: Annotated[
        str,
        typer.Option(
            "--policy",
            help="With --inputs: the source, where the journal has none.",
            metavar="FILE|NAME",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Tell why an order or a quote went where it went, with every number."""
    from gateway import explain_inputs_view, explain_quotes, journal_schema
    from gateway.pools import Members

    if source and not inputs:
        raise typer.BadParameter("--policy is of use with --inputs only")
    with friendly():
        journal_schema.check(directory / "journal")
        journal = directory / "journal"
        found = explain_quotes.find_frames(journal, order)
        replayed, members = None, Members(journal)
        if inputs:
            from gateway.explain_inputs import Inputs

            if any(each.row["policy_hash"] for each in found):
                compile_all()
            replayed = Inputs(directory, source, say)
        if as_json:
            documents = [explain_inputs_view.as_document(each, members, replayed) for each in found]
            print(json.dumps(documents))
            same = explain_inputs_view.is_same(documents)
        else:
            same = explain_inputs_view.show(found, members, replayed, journal, out)
        if not found:
            say.print(f"no order or quote {order!r} in {directory / 'journal'}")
        if not found or not same:
            raise typer.Exit(1)


@app.command()
def replay(
    directory: Directory,
    verify: Annotated[bool, typer.Option(help="Compare every output, byte for byte.")] = True,
    as_json: AsJson = False,
) -> None:
    """Run a journal again; `--verify` compares every output and prints the state hash."""
    from gateway import journal_schema
    from gateway import replay as module

    with friendly():
        compile_all()
        journal_schema.check(directory / "journal")
        result = module.verify(directory / "journal", say)
        if as_json:
            print(json.dumps(result))
            return
        out.print(
            f"{result['frames']:,} frames replayed, all outputs equal; "
            f"{result['frames_per_s']:,.0f} frames/s"
        )
        out.print(f"state {result['state_hash']}")


app.command("feed")(feed)
app.command("feed-fix")(feed_fix)


@app.command()
def warm() -> None:
    """Compile everything into the cache, so that the next start is quick."""
    from engine import jit

    compile_all()
    out.print(f"compiled into {jit.CACHE_DIR}")


# --- desk -------------------------------------------------------------------------------------

WIDE = 130  # columns that the whole desk queue needs

Trader = Annotated[str, typer.Option(help="Who you are, at most 8 characters.", envvar="USER")]
Item = Annotated[int, typer.Argument(help="Number of the desk item.")]


@desk.command("list")
def desk_list(directory: Directory, as_json: AsJson = False) -> None:
    """Open items, the most urgent first."""
    from gateway import desk_view, journal_schema
    from gateway.desk_reader import read_queue

    with friendly():
        journal_schema.check(directory / "journal")
        queue = read_queue(directory / "journal")
        if as_json:
            print(json.dumps([desk_view.as_dict(item) for item in queue.items]))
        else:
            out.print(desk_view.table(queue, wide=out.width >= WIDE))


def _act(directory: Path, action: str, trader: str, done: str, **fields: Any) -> None:
    from engine.enums import DeskAction
    from gateway.desk_reader import DeskClient

    with friendly():
        DeskClient(directory).command(DeskAction[action], trader[:8], **fields)
        out.print(done)


def _px_e6(text: str) -> int:
    try:
        scaled = Decimal(text).scaleb(6)
        if scaled != int(scaled) or not 0 < scaled < 2**62:
            raise ValueError
    except (ArithmeticError, ValueError) as error:
        raise typer.BadParameter(f"{text!r} is no price with at most six decimals") from error
    return int(scaled)


@desk.command()
def claim(directory: Directory, item: Item, trader: Trader = "desk") -> None:
    """Take an item."""
    _act(directory, "CLAIM", trader, f"item {item} is yours, {trader}", item_id=item)


@desk.command()
def quote(
    directory: Directory,
    item: Item,
    px: Annotated[
        str, typer.Argument(help="Price; of both sides the bid; empty: the one quoted before.")
    ] = "",
    offer: Annotated[str, typer.Option(help="Our offer, where both sides are asked for.")] = "",
    trader: Trader = "desk",
) -> None:
    """Give the client a price for an item: firm for a quote request, indicative for an order."""
    px_e6, offer_px_e6 = (_px_e6(text) if text else 0 for text in (px, offer))
    done = f"item {item} quoted at {' / '.join(filter(None, (px, offer))) or 'the price before'}"
    _act(directory, "QUOTE", trader, done, item_id=item, px_e6=px_e6, offer_px_e6=offer_px_e6)


@desk.command()
def fill(
    directory: Directory,
    item: Item,
    px: Annotated[str, typer.Argument(help="Price; empty: the one quoted before.")] = "",
    qty: Annotated[int, typer.Option(help="Shares; 0: all that is left.", min=0)] = 0,
    trader: Trader = "desk",
) -> None:
    """Fill an item, whole or part, against the firm's capital."""
    px_e6 = _px_e6(px) if px else 0
    done = f"item {item} filled" + (f", {qty} shares" if qty else "")
    _act(directory, "FILL", trader, done, item_id=item, qty=qty, px_e6=px_e6)


@desk.command()
def decline(directory: Directory, item: Item, trader: Trader = "desk") -> None:
    """Send an item back: the client's order is cancelled."""
    _act(directory, "DECLINE", trader, f"item {item} declined", item_id=item)


@desk.command()
def kill(
    directory: Directory,
    client: Annotated[str, typer.Option(help="Only this client.")] = "",
    isin: Annotated[str, typer.Option(help="Only this instrument.")] = "",
    pool: Annotated[str, typer.Option(help="Only this pool's clients.")] = "",
    trader: Trader = "desk",
) -> None:
    """Stop trading: of the firm, a pool, a client or an instrument."""
    _switch(directory, "KILL", client, isin, trader, pool)


@desk.command()
def resume(
    directory: Directory,
    client: Annotated[str, typer.Option(help="Only this client.")] = "",
    isin: Annotated[str, typer.Option(help="Only this instrument.")] = "",
    pool: Annotated[str, typer.Option(help="Only this pool's clients.")] = "",
    trader: Trader = "desk",
) -> None:
    """Lift a kill switch."""
    _switch(directory, "RESUME", client, isin, trader, pool)


@desk.command()
def suspend(
    directory: Directory,
    condition: Annotated[
        str,
        typer.Argument(
            help="halt, market-making, underlyings, short-selling or prudential.",
            metavar="CONDITION",
        ),
    ],
    isin: Annotated[str, typer.Option(help="Only this instrument.")] = "",
    trader: Trader = "desk",
) -> None:
    """Withdraw our quotes under an exceptional market condition (2017/567 Art 14(1))."""
    from gateway.venue_view import condition_of

    with friendly():
        _switch(directory, "SUSPEND", "", isin, trader, condition=condition_of(condition))


@desk.command()
def restore(
    directory: Directory,
    isin: Annotated[str, typer.Option(help="Only this instrument.")] = "",
    trader: Trader = "desk",
) -> None:
    """Put quotes back that were suspended."""
    _switch(directory, "RESTORE", "", isin, trader)


@desk.command()
def venues(directory: Directory, as_json: AsJson = False) -> None:
    """What came of each venue's market data in a running engine: gaps, repeats, jumps."""
    from gateway import control, venue_view

    with friendly():
        rows = control.ask(directory, {"venues": True})["venues"]
        if as_json:
            print(json.dumps(rows))
        else:
            out.print(venue_view.table(rows))


def _switch(
    directory: Path, action: str, client: str, isin: str, trader: str, pool: str = "",
    **fields: Any,
) -> None:  # fmt: skip
    from gateway.desk_view import subject_of

    with friendly():
        scope, subject, name = subject_of(directory / "journal", client, isin, pool)
    done = f"{action.lower()}: {name}"
    _act(directory, action, trader, done, scope=scope, subject=subject, **fields)


# --- bench ------------------------------------------------------------------------------------


@bench.command("wire")
def bench_wire(
    orders: Annotated[int, typer.Option(help="Round trips of each kind.", min=1000)] = 200_000,
    as_json: AsJson = False,
) -> None:
    """Round trips order -> fill through TCP, against a bare echo in the same run."""
    from bench import wire as module

    with friendly():
        compile_all()
        result = module.run(orders, say)
        if as_json:
            print(json.dumps(result))
        else:
            out.print(module.table(result))


@bench.command("throughput")
def bench_throughput(
    orders: Annotated[int, typer.Option(help="Orders to send.", min=1000)] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """Orders through one session, many in flight; memory of the engine while they go."""
    from bench import throughput as module

    with friendly():
        compile_all()
        result = module.run(orders, say)
        if as_json:
            print(json.dumps(result))
        else:
            first, last = result["resident_bytes"][0], result["resident_bytes"][-1]
            out.print(f"{result['orders']:,} orders, {result['rate_per_s']:,}/s (median block)")
            out.print(
                f"resident: tables {first['anonymous'] >> 20} MiB at first, "
                f"{last['anonymous'] >> 20} MiB at last; journal and code "
                f"{first['file'] >> 20} and {last['file'] >> 20} MiB"
            )


@bench.command("quotes")
def bench_quotes(
    rate: Annotated[int, typer.Option(help="Updates a second.", min=100)] = 200_000,
    updates: Annotated[int, typer.Option(help="Updates in all.", min=1000)] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """A venue's update -> our new public quote in the journal: in process and over UDP."""
    from bench import quotes as module

    with friendly():
        compile_all()
        result = module.run(rate, updates, say)
        if as_json:
            print(json.dumps(result))
        else:
            out.print(module.table(result))


@bench.command("sessions")
def bench_sessions(
    sessions: Annotated[int, typer.Option(help="How many behave.", min=1, max=254)] = 250,
    rate: Annotated[int, typer.Option(help="Orders a second of each.", min=1)] = 100,
    seconds: Annotated[int, typer.Option(help="Of each run.", min=1)] = 10,
    misbehave: Annotated[str, typer.Option(help="Habits, with commas between; empty: all.")] = "",
    as_json: AsJson = False,
) -> None:
    """Many sessions at a steady rate, alone and beside one that misbehaves."""
    from bench import sessions as module

    with friendly():
        compile_all()
        habits = [habit for habit in misbehave.split(",") if habit]
        result = module.run(sessions, rate, seconds, habits, say)
        if as_json:
            print(json.dumps(result))
        else:
            out.print(module.table(result))


@bench.command("refdata")
def bench_refdata(
    instruments: Annotated[int, typer.Option(help="How many.", min=100)] = 40_000,
    as_json: AsJson = False,
) -> None:
    """Build a snapshot from register files, bring it into tables full of another, look up."""
    from bench import refdata as module

    with friendly():
        compile_all()
        result = module.run(instruments, say)
        if as_json:
            print(json.dumps(result))
        else:
            out.print(module.table(result))


def _subcommands() -> str:
    """One line for each command of a group, so that `si --help` shows the whole tree."""
    lines = []
    groups = (
        ("desk", desk), ("refdata", refdata), ("regime", regime), ("status", status),
        ("session", session), ("fix", fix), ("dropcopy", dropcopy), ("sim", sim),
        ("policy", policy), ("risk", risk), ("bench", bench),
    )  # fmt: skip
    for name, group in groups:
        for command in group.registered_commands:
            assert command.callback is not None
            called = command.name or command.callback.__name__
            lines.append(f"si {name} {called}: {(command.callback.__doc__ or '').splitlines()[0]}")
    return "\n\n".join(lines)


app.info.epilog = _subcommands()
