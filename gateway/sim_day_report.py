"""What came of a simulated day: from the engine's tables and the audit of its journal."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from engine.enums import BboState, OrderState, Reason
from engine.limits import VENUES_MAX
from engine.schema import unpack
from gateway.audit import findings, read
from gateway.audit.report import as_dict as audit_document
from gateway.audit.rules import Duty, Severity
from gateway.audit.tables import Presence
from gateway.sim_day import Bbos, Done
from gateway.sim_day_tape import NOT_APPLIED, Chunk

INVARIANTS = (Reason.INVARIANT, Reason.INVARIANT_QTY, Reason.INVARIANT_LIMIT)
PRESENCE_DUE_BPS = 9_990
BBO_COLUMNS = (
    "time_ns", "isin", "mic", "state", "bid_px_e6", "bid_mic", "ask_px_e6", "ask_mic",
    "mrm_bid_px_e6", "mrm_ask_px_e6",
)  # fmt: skip


def figures(done: Done, day: date, close_bps: int, progress: read.Progress) -> dict[str, Any]:
    """Everything that the table says; times in ns, shares in basis points, rounded down.

    `gate_violations` are orders that an internal check stopped, and fills that the audit finds
    worse than the public quote, beyond it, or improved by less than a tick.
    """
    server = done.server
    tables = server.tables
    counters = tables.counters[0]
    folder = server.config.directory
    recount = read.recount_day(folder, day, close_bps, time.time_ns(), progress)
    audit = findings.make(recount, None, close_bps)
    orders = tables.orders[: int(counters["orders"])]
    tripped = int(np.isin(orders["reason"], [int(reason) for reason in INVARIANTS]).sum())
    worse = sum(
        section.total(Severity.BREACH)
        for section in audit.sections
        if section.duty == Duty.IMPROVEMENT
    )
    document = audit_document(audit, folder)
    seconds = done.elapsed_ns / 1e9
    return {
        "day": day.isoformat(),
        "hours_ns": [done.hours.open_ns, done.hours.close_ns],
        "records": done.records,
        "records_applied": int(counters["venue_quotes"]),
        "records_unknown": int(counters["venue_quotes_unknown"]),
        "instruments_fed": done.fed,
        "seconds": round(seconds, 3),
        "updates_per_s": int(done.records / max(seconds, 1e-9)),
        "frames": int(server.files.state[0]["seq"]),
        "quotes": int(counters["quotes"]),
        "orders": done.orders,
        "outcomes": _outcomes(orders, done.orders),
        "refusals": _refusals(orders),
        "fills": int(tables.positions["fills"].sum()),
        "invariants_tripped": tripped,
        "gate_violations": tripped + worse,
        "stops": int(counters["stops"]),
        "presence": presence(audit.shares),
        "refused_within_quote": document["refused_within_quote"],
        "breaches": {
            finding["rule"]: finding["count"]
            for section in document["obligations"]
            for finding in section["findings"]
            if finding["severity"] == Severity.BREACH
        },
        "next": f"si audit {day} {folder}",
    }  # fmt: skip


def _outcomes(orders: Any, sent: int) -> dict[str, int]:
    """Orders by what they have come to; those without a row were refused before they got one."""
    states = Counter(orders["state"].tolist())
    found = {OrderState(state).name.lower(): count for state, count in sorted(states.items())}
    return found | {"not_admitted": sent - len(orders)}


def _refusals(orders: Any) -> dict[str, int]:
    reasons = Counter(orders["reason"].tolist())
    reasons.pop(int(Reason.NONE), None)
    return {Reason(reason).name: count for reason, count in reasons.most_common()}


def presence(shares: tuple[findings.Share, ...]) -> dict[str, Any]:
    """How much of the published hours was quoted; `of_due` leaves halts of the MRM out."""
    live = sum(share.ns[Presence.LIVE] for share in shares)
    halted = sum(share.ns[Presence.HALTED] for share in shares)
    due = sum(share.due_ns for share in shares)
    kept = [
        share
        for share in shares
        if 10_000 * share.ns[Presence.LIVE]
        >= PRESENCE_DUE_BPS * (share.due_ns - share.ns[Presence.HALTED])
    ]
    return {
        "instruments": len(shares),
        "live_ns": live,
        "due_ns": due,
        "halted_ns": halted,
        "of_hours_bps": 10_000 * live // due if due else None,
        "of_due_bps": 10_000 * live // (due - halted) if due > halted else None,
        "instruments_at_999": len(kept),
        "worst_bps": min((share.live_bps for share in shares), default=None),
    }


def table(made: dict[str, Any]) -> Table:
    """The figures on one screen."""
    shown = Table(title=f"day {made['day']}", title_justify="left", show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(ratio=1)
    share = made["presence"]
    outcomes = ", ".join(f"{n:,} {word}" for word, n in made["outcomes"].items() if n)
    refusals = ", ".join(f"{n:,} {word}" for word, n in list(made["refusals"].items())[:8])
    within = ", ".join(f"{x['count']:,} {x['reason']}" for x in made["refused_within_quote"])
    breaches = ", ".join(f"{n:,} {rule}" for rule, n in made["breaches"].items())
    rows = [
        ("quotes of venues", f"{made['records']:,}, of {made['instruments_fed']:,} instruments"),
        ("pace", f"{made['updates_per_s']:,} updates/s, {made['seconds']:,.1f} s in all"),
        ("our quotes", f"{made['quotes']:,} versions"),
        ("orders", f"{made['orders']:,}: {outcomes or 'none'}"),
        ("refused or cancelled", refusals or "none"),
        ("not done within a quote", within or "none"),
        ("gate violations", f"{made['gate_violations']:,}"),
        ("stops by the engine", f"{made['stops']:,}"),
        ("quote presence", _share_text(share)),
        ("breaches found", breaches or "none"),
        ("journal", f"{made['frames']:,} frames"),
    ]
    for name, text in rows:
        shown.add_row(name, text)
    return shown


def _share_text(share: dict[str, Any]) -> str:
    if share["of_due_bps"] is None:
        return "no instrument is to be quoted"
    return (
        f"{share['of_due_bps'] / 100:.2f} % of the hours without halts "
        f"({share['of_hours_bps'] / 100:.2f} % of all); "
        f"{share['instruments_at_999']:,} of {share['instruments']:,} instruments at 99.9 % or more"
    )


@contextmanager
def bbo_file(path: Path) -> Iterator[Bbos]:
    """Writes the BBO after each record to a CSV file; a line for a record that changed no book
    has no state."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(BBO_COLUMNS)

        def write(chunk: Chunk, bbos: Any, venues: Any) -> None:
            mics = [unpack([word]) for word in venues["mic"].tolist()] + [""]
            assert len(mics) == VENUES_MAX + 1, "row -1 is no venue"
            for time_ns, record, bbo in zip(
                chunk.times_ns.tolist(), chunk.records, bbos[: len(chunk.times_ns)], strict=True
            ):
                row = [time_ns, unpack(record["isin"]), unpack([record["mic"]])]
                if bbo["state"] == NOT_APPLIED:
                    writer.writerow([*row, *[""] * 7])
                    continue
                writer.writerow([
                    *row, BboState(bbo["state"]).name, bbo["bid_px_e6"], mics[bbo["bid_venue"]],
                    bbo["ask_px_e6"], mics[bbo["ask_venue"]], bbo["mrm_bid_px_e6"],
                    bbo["mrm_ask_px_e6"],
                ])  # fmt: skip

        yield write
