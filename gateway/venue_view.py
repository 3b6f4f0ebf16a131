"""What came of each venue's market data, and the conditions that quotes are suspended for."""

from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from engine import schema
from engine.enums import Condition
from engine.tables import Tables
from gateway.errors import UserError

#: Shown of a venue's state, with the heading of its column.
COLUMNS = {
    "records": "records",
    "unknown": "ISIN?",
    "gaps": "gaps",
    "lost": "lost",
    "repeats": "repeats",
    "restarts": "restarts",
    "crossed": "crossed",
    "jumps": "jumps",
    "refused": "refused",
}


def as_dicts(tables: Tables) -> list[dict[str, Any]]:
    """One JSON object a venue, in the order of the engine's rows."""
    count = int(tables.counters[0]["venues"])
    return [
        {"mic": schema.unpack(venue["mic"])}
        | {name: int(state[name]) for name in (*COLUMNS, "last_seq", "last_recv_ns")}
        for venue, state in zip(tables.venues[:count], tables.venue_states[:count], strict=True)
    ]


def table(rows: list[dict[str, Any]]) -> Table:
    """The same for people."""
    made = Table(
        title="Market data by venue", title_justify="left", box=None, padding=(0, 1, 0, 0),
        caption="ISIN?: records of an instrument that is not known; last: record, UTC",
        caption_justify="left", header_style="bold underline",
    )  # fmt: skip
    for heading in ("venue", *COLUMNS.values(), "last"):
        made.add_column(heading, justify="left" if heading == "venue" else "right", no_wrap=True)
    for row in rows:
        last_s = row["last_recv_ns"] // 10**9
        last = f"{datetime.fromtimestamp(last_s, UTC):%H:%M:%S}" if last_s else "none"
        made.add_row(row["mic"], *(f"{row[name]:,}" for name in COLUMNS), last)
    return made


def condition_of(text: str) -> Condition:
    """A condition by the name that the command line has for it. Raises UserError."""
    names = {condition.name.lower().replace("_", "-"): condition for condition in Condition}
    if text not in names:
        raise UserError(f"condition {text!r} is none of {', '.join(names)}: give one of these")
    return names[text]
