"""What a person at the terminal sees of the publication."""

from __future__ import annotations

from typing import Any

from rich.table import Table


def table(status: dict[str, Any]) -> Table:
    """`Site.status` in rows."""
    made = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, words in rows(status):
        made.add_row(f"[bold]{name}[/]", words)
    return made


def rows(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and words; also for the summary at the end."""
    delay, file, delayed = status["delay"], status["file"], status["delayed"]
    if status["waits_for_journal"]:
        journal = "not there yet: `si serve` begins it"
    else:
        journal = f"series {status['series']}, record {status['sequence']:,}"
    kept = f"up to record {file['sequence']:,}" if file["sequence"] else "empty"
    return [
        ("journal", journal),
        ("engine", "runs" if status["engine_runs"] else "does not run"),
        ("published", f"{status['published']:,}, of {status['instruments']:,} instruments"),
        ("delay", _delay(delay) if delay["count"] else "nothing measured yet"),
        ("caught up", f"{delay['caught_up']:,} entered before this process"),
        ("readers", f"{status['readers']:,}"),
        ("file", file["error"] or kept),
        ("delayed", delayed["error"] or f"{delayed['lines']:,} lines written"),
    ]


def _delay(delay: dict[str, Any]) -> str:
    names = ("p50", "p99", "p999", "max")
    return ", ".join(f"{name} {delay[f'{name}_ns'] / 1e6:,.3f} ms" for name in names)
