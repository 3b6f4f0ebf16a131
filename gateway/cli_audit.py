"""`si audit`: a day of the journal, recounted against the obligations."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import AsJson, bar, friendly, out, say

CLOSE_BPS = 100  # "close in price" has no number in the law (RTS 1 Art 10)


def audit(
    day: Annotated[str, typer.Argument(help="A day in UTC, like 2026-11-20, or today.")],
    directory: Annotated[
        Path, typer.Argument(help="Folder with si.toml.", metavar="[DIR]")
    ] = Path(),
    close_bps: Annotated[
        int, typer.Option(help="Distance from the market that is still close.", min=0, max=999)
    ] = CLOSE_BPS,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recount a day of the journal against an SI's obligations; 1 at the end: breaches."""
    from gateway.audit import findings, page, publication, read, report

    with friendly():
        now_ns = time.time_ns()
        wanted = read.parse_day(day, now_ns)
        with bar("recounting") as progress:
            recount = read.recount_day(directory, wanted, close_bps, now_ns, progress)
            progress("what was published", 1, 1)
            published = publication.read(
                publication.folder_of(directory), wanted,
                findings.versions_of(recount, publication.series_of(directory)),
            )  # fmt: skip
        made = findings.make(recount, published, close_bps)
        if html:
            html.write_text(page.html(made, directory), encoding="utf-8")
            say.print(f"wrote {html}", markup=False)
        if as_json:
            print(json.dumps(report.as_dict(made, directory)))
        else:
            out.print(report.screen(made, directory))
    if made.breaches:
        raise typer.Exit(1)
