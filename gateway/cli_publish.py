"""`si publish`: our public quotes for everybody, in files and over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli_common import AsJson, bar, friendly, out, say

if TYPE_CHECKING:
    from gateway.publish.http import Site

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]
PLACE = "publication.json"  # where in the journal a restart begins to read


def publish(directory: Directory, as_json: AsJson = False) -> None:
    """Publish our quotes in files and over HTTP, delayed data too, until SIGTERM."""
    from rich.live import Live

    from gateway import config as configuration
    from gateway import logs
    from gateway.publish import run, terminal
    from gateway.publish.http import Site
    from gateway.publish.opening_hours import OpeningHours
    from gateway.publish.publisher import Publisher
    from gateway.publish.settings import HINT

    with friendly():
        config = configuration.load(directory)
        wanted = config.publication
        if wanted is None:
            path = directory / configuration.CONFIG_FILE
            raise configuration.ConfigError(f"{path}: no [publication]: add {HINT}")
        logs.configure()
        hours = OpeningHours(config.hours, config.directory)
        folder = config.path(wanted.folder)
        publisher = Publisher(
            config.journal, folder, config.directory / PLACE, wanted,
            is_business_day=hours.is_business_day,
        )  # fmt: skip
        try:
            with run.listen(wanted.host, wanted.port) as listener:
                with bar("reading") as progress:
                    found = publisher.find_journal(progress)
                site = Site(publisher, hours.at, lambda: run.engine_runs(config.desk_socket))
                port = listener.getsockname()[1]
                say.print(f"quotes: http://{wanted.host}:{port}/ and {folder}", markup=False)
                if not found:
                    say.print(f"no journal in {config.journal} yet: waiting for `si serve`")
                say.print("[bold green]ready[/]: stop with Ctrl-C or SIGTERM", markup=True)
                with Live(console=say, auto_refresh=False, transient=True) as live:

                    def show(site: Site) -> None:
                        if say.is_terminal:
                            live.update(terminal.table(site.status()), refresh=True)

                    run.serve(site, listener, show)
        finally:
            publisher.close()
        status = site.status()
        if as_json:
            print(json.dumps(status))
        else:
            out.print(terminal.table(status))
