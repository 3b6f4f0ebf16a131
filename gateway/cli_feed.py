"""`si feed` and `si feed-fix`: market data into a running engine's feed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli_common import AsJson, friendly, out
from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.feed_live import Live

PASSWORD_VARIABLE = "SI_FEED_PASSWORD"

EngineHost = Annotated[str, typer.Option("--host", help="Where the engine's feed listens.")]
EnginePort = Annotated[int, typer.Option("--port", help="Its UDP port.", min=1, max=65_535)]
Depth = Annotated[int, typer.Option(help="Levels of the latest book to show.", min=0, max=50)]


def feed(
    file: Annotated[Path, typer.Argument(help="A file of market data; with --follow, a folder.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="semicolon, lobster, feedos, ls, gettex, csv, xetr, dgat, parquet or "
            "lobster-messages (FEED.md).",
        ),
    ],
    isin: Annotated[
        str, typer.Option(help="The instrument; of a file with many, the only one played.")
    ] = "",
    mic: Annotated[str, typer.Option(help="The venue, where another or not in the file.")] = "",
    columns: Annotated[
        Path | None, typer.Option("--map", help="TOML that names the columns of csv or parquet.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="1: as recorded; 0: at once, as with --follow.", show_default="1", min=0),
    ] = None,
    host: EngineHost = "127.0.0.1",
    port: EnginePort = 9879,
    loop: Annotated[bool, typer.Option(help="Begin again at the end, until Ctrl-C.")] = False,
    follow: Annotated[
        bool, typer.Option(help="Go on with what is added, over bad lines, until Ctrl-C.")
    ] = False,
    age_max: Annotated[
        float, typer.Option(help="With --follow: leave out rows so many seconds old.", min=0)
    ] = 0,
    depth: Depth = 0,
    as_json: AsJson = False,
) -> None:
    """Play a file of market data into a running engine's feed."""
    from gateway import feed_files, feed_follow
    from gateway.feed_source import Source

    with friendly():
        if follow and loop:
            raise UserError("--follow and --loop: a stream has no end to begin again at")
        if not follow:
            sent = feed_files.play(
                file, kind, isin=isin, mic=mic, speed=1 if speed is None else speed, host=host,
                port=port, loop=loop, map_path=columns,
            )  # fmt: skip
            if as_json:
                print(json.dumps({"sent": sent, "to": f"{host}:{port}"}))
            else:
                out.print(f"{sent:,} quotes sent to {host}:{port}")
            return
        _stop_on_sigterm()
        source = Source(file, isin, mic, columns)
        options = feed_follow.Options(speed or 0, age_max, depth, as_json)
        _show(feed_follow.follow(file, kind, source, options, host, port), as_json)


def feed_fix(
    venue: Annotated[str, typer.Argument(help="The venue's FIX acceptor, HOST:PORT.")],
    mic: Annotated[str, typer.Option(help="MIC of the venue.")],
    sender: Annotated[str, typer.Option(help="Our CompID: SenderCompID(49).")],
    target: Annotated[str, typer.Option(help="The venue's CompID: TargetCompID(56).")],
    isin: Annotated[list[str], typer.Option(help="An instrument; repeatable.")],
    username: Annotated[
        str, typer.Option(help=f"Username(553); its password from {PASSWORD_VARIABLE}.")
    ] = "",
    heartbeat: Annotated[int, typer.Option(help="HeartBtInt(108), seconds.", min=1)] = 30,
    market_depth: Annotated[
        int, typer.Option(help="MarketDepth(264): 0 whole book, 1 best only.", min=0)
    ] = 0,
    currency: Annotated[str, typer.Option(help="Entries in another are refused.")] = "EUR",
    refresh: Annotated[
        float, typer.Option(help="Say each standing quote again so often, seconds.", min=0)
    ] = 1,
    host: EngineHost = "127.0.0.1",
    port: EnginePort = 9879,
    depth: Depth = 0,
    as_json: AsJson = False,
) -> None:
    """Take a venue's market data by FIX 4.4 into a running engine's feed, until Ctrl-C."""
    import os

    from gateway import feed_fix
    from gateway.feed_fix_session import MarketData
    from gateway.feed_source import Source
    from gateway.sim_wire import Account

    with friendly():
        for each in isin:
            Source(Path(), each, mic)  # their form
        venue_host, _, venue_port = venue.rpartition(":")
        if not venue_host or not venue_port.isdecimal() or not 0 < int(venue_port) < 65_536:
            raise UserError(f"{venue!r} is no HOST:PORT: write fix.venue.example:9876")
        password = os.environ.get(PASSWORD_VARIABLE, "")
        if username and not password:
            raise UserError(f"--username {username}: set its password in {PASSWORD_VARIABLE}")
        account = Account(
            venue_host, int(venue_port), sender, target, "FIX.4.4", username, password, heartbeat
        )
        session = MarketData(
            account, mic, tuple(dict.fromkeys(isin)), market_depth=market_depth, currency=currency
        )
        _stop_on_sigterm()
        live = feed_fix.run(
            session, host, port, refresh_s=refresh, depth=depth, is_json=as_json
        )  # fmt: skip
        _show(live, as_json)


def _stop_on_sigterm() -> None:
    """A supervisor's word ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _show(live: Live, as_json: bool) -> None:
    if as_json:
        print(json.dumps(live.summary()))
    else:
        out.print(live.table())
