"""`si dropcopy`: the drop copy process, and what its sessions stand at."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from gateway.cli_common import AsJson, friendly, out, say

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.drop_copy_config import DropCopy


class _ServeUnlessNamed(TyperGroup):
    """`si dropcopy DIR` is `si dropcopy serve DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["serve", *args]
        return super().parse_args(ctx, args)


dropcopy = typer.Typer(
    cls=_ServeUnlessNamed,
    no_args_is_help=True,
    help="Copies of clients' reports for others, over FIX sessions.",
)

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]
FOLDER = "dropcopy"  # beside the journal


def _configured(directory: Path) -> tuple[Config, DropCopy]:
    """The configuration and its part for the drop copy. Raises ConfigError."""
    from gateway import config as configuration

    config = configuration.load(directory)
    wanted: DropCopy | None = config.drop_copy
    if wanted is None:
        raise configuration.ConfigError(
            f"{directory / configuration.CONFIG_FILE}: no [drop_copy]: add it with a "
            "[[drop_copy.sessions]] for each consumer"
        )
    names = [client.name for client in config.clients]
    for session in wanted.sessions:
        for client in session.clients:
            if client not in names:
                raise configuration.ConfigError(
                    f"{directory / configuration.CONFIG_FILE}: drop_copy.sessions: client "
                    f"{client!r} of {session.target_comp_id!r} is none of {', '.join(names)}"
                )
    return config, wanted


@dropcopy.command()
def serve(directory: Directory) -> None:
    """Send copies to the consumers that log on, until SIGTERM."""
    from gateway import logs
    from gateway.drop_copy import DropCopyServer

    with friendly():
        config, wanted = _configured(directory)
        logs.configure()
        server = DropCopyServer(config.journal, config.directory / FOLDER, wanted)
        stopped: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: stopped.append(received))
        try:
            port = server.listen()
            say.print(f"drop copy {wanted.host}:{port}, journal {config.journal}")
            say.print("[bold green]ready[/]: stop with Ctrl-C or SIGTERM", markup=True)
            server.serve(lambda: bool(stopped))
        finally:
            server.close()


@dropcopy.command()
def status(directory: Directory, as_json: AsJson = False) -> None:
    """Show sessions, their next numbers, place in the journal, and frames not copied yet."""
    from gateway import drop_copy

    with friendly():
        config, wanted = _configured(directory)
        found = drop_copy.status(config.journal, config.directory / FOLDER, wanted)
        if as_json:
            print(json.dumps(found))
            return
        out.print("running" if found["running"] else "not running")
        out.print(_table(found["sessions"]))


def _table(sessions: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    made = Table()
    for title in ("consumer", "version", "clients", "state"):
        made.add_column(title, overflow="fold")
    for title in ("out", "in", "copies", "journal at", "lag"):
        made.add_column(title, justify="right", no_wrap=True)
    for each in sessions:
        position = each["journal_position"]
        made.add_row(
            each["target_comp_id"], each["begin_string"], ", ".join(each["clients"]) or "all",
            "logged on" if each["logged_on"] else "away",
            str(each["next_out"]), str(each["next_in"]), f"{each['copies']:,}",
            "-" if position is None else f"{position:,}", f"{each['lag_frames']:,}",
        )  # fmt: skip
    return made
