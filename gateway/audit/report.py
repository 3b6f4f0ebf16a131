"""An audit as tables of one screen, and as a JSON document (README.md says its fields)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from engine.enums import Reason, Zone
from engine.limits import SEGMENT_SIZE
from gateway.audit.findings import (
    Audit,
    Case,
    ClientShare,
    Finding,
    Light,
    Section,
    Share,
    beyond,
    percentile_bps_e2,
    refused_of,
)
from gateway.audit.rules import ABOUT, Severity
from gateway.audit.tables import Presence
from gateway.audit.words import TITLES, clock, hours, numbers, place, sentence
from gateway.fix_message import stamp
from gateway.journal_files import segment_path

STYLES = {
    Light.RED: "bold red", Light.AMBER: "yellow", Light.GREEN: "green", Light.GREY: "dim",
}  # fmt: skip
SEVERITY_STYLES = {
    Severity.BREACH: "bold red", Severity.EXPLAIN: "yellow", Severity.NOTE: "dim",
}  # fmt: skip
FINDINGS_SHOWN = 12


def see(folder: Path, case: Case) -> str:
    """The command that tells more of a case, "" where there is none."""
    return f"si explain {folder} {case.order_id}" if case.order_id else ""


def screen(audit: Audit, folder: Path) -> Group:
    """A row for each obligation, then the gravest findings with the record that shows them."""
    made = Table(title=f"{audit.day}, {hours(audit)}", title_justify="left")
    made.add_column("obligation, and what was looked at", ratio=1)
    made.add_column("", no_wrap=True)
    for severity in Severity:
        made.add_column(severity.value, justify="right", no_wrap=True)
    for section in audit.sections:
        what = Text(TITLES[section.duty], "bold")
        what.append(f"\n{sentence(audit, section)}", "not bold")
        totals = [section.total(severity) for severity in Severity]
        made.add_row(
            what, Text(section.light.value, STYLES[section.light]),
            *(f"{total:,}" if total else "" for total in totals),
        )  # fmt: skip
    return Group(made, *_findings(audit, folder))


def _findings(audit: Audit, folder: Path) -> list[Any]:
    found = [
        finding
        for severity in Severity
        for section in audit.sections
        for finding in section.findings
        if finding.severity == severity
    ]
    lines: list[Any] = []
    for finding in found[:FINDINGS_SHOWN]:
        about = ABOUT[finding.rule]
        line = Text(f"{about.severity.value}: ", SEVERITY_STYLES[about.severity])
        line.append(f"{finding.total:,} x {about.title}", "default")
        line.append(f" ({about.citation})", "dim")
        lines.append(line)
        if finding.cases and about.severity != Severity.NOTE:
            lines.append(Text(f"  worst: {line_of(audit, folder, finding.cases[0])}", "default"))
    if len(found) > FINDINGS_SHOWN:
        lines.append(Text(f"{len(found) - FINDINGS_SHOWN} findings more: --json, --html", "dim"))
    return lines


def line_of(audit: Audit, folder: Path, case: Case) -> str:
    """A case in a line."""
    parts = [case.isin, case.client, clock(case.ts_ns) if case.ts_ns else ""]
    parts += [numbers(audit, case), place(case), see(folder, case)]
    return "; ".join(part for part in parts if part)


# --- JSON -------------------------------------------------------------------------------------


def as_dict(audit: Audit, folder: Path) -> dict[str, Any]:
    """The document of `--json`: integers exact, in the unit that ends their name."""
    run = audit.recount.book.run[0]
    return {
        "day": audit.day.isoformat(),
        "breaches": audit.breaches,
        "is_over": audit.recount.is_over,
        "hours_ns": [list(interval) for interval in audit.recount.hours],
        "close_bps": audit.close_bps,
        "counts": {
            name: int(run[name])
            for name in (
                "frames", "first_seq", "last_seq", "boots", "venue_quotes", "quotes", "live_quotes",
                "orders", "fills", "auto_fills", "desk_fills", "given_fills", "improved",
                "honoured", "covered", "compared", "fallback",
            )
        },
        "distance_bps_e2": {
            "p50": percentile_bps_e2(audit.recount, 50),
            "p99": percentile_bps_e2(audit.recount, 99),
            "max": int(run["far_bps_e2_max"]),
            "sides": int(audit.recount.book.distances.sum()),
            "beyond": beyond(audit.recount, 100 * audit.close_bps),
        },
        "published": audit.published._asdict() if audit.published else None,
        "obligations": [_section(folder, section) for section in audit.sections],
        "instruments": [_share(share) for share in audit.shares],
        "clients": [_client(client) for client in audit.clients],
        "refused_within_quote": [
            {"reason": name, "severity": severity.value, "count": count}
            for name, severity, count in refused_of(audit.recount)
        ],
    }  # fmt: skip


def _reason(reason: int) -> str:
    """A Reason's name."""
    return Reason(reason).name if reason in tuple(Reason) else str(reason)


def _section(folder: Path, section: Section) -> dict[str, Any]:
    return {
        "obligation": section.duty.value,
        "light": section.light.value,
        "looked_at": section.looked_at,
        "findings": [_finding(folder, finding) for finding in section.findings],
    }


def _finding(folder: Path, finding: Finding) -> dict[str, Any]:
    about = ABOUT[finding.rule]
    return {
        "rule": finding.rule.name,
        "severity": about.severity.value,
        "title": about.title,
        "citation": about.citation,
        "count": finding.total,
        "cases": [_case(folder, case) for case in finding.cases],
    }


def _case(folder: Path, case: Case) -> dict[str, Any]:
    made: dict[str, Any] = {
        "isin": case.isin or None,
        "client": case.client or None,
        "numbers": [
            {"name": name, "unit": unit, "value": number} for name, unit, number in case.numbers
        ],
    }
    if case.position < 0:
        return made | {"record": None, "see": None}
    index, offset = divmod(case.position, SEGMENT_SIZE)
    record = {
        "frame": case.frame,
        "position": case.position,
        "segment": segment_path(Path(), index).name,
        "byte": offset,
        "ts_ns": case.ts_ns,
        "time": stamp(case.ts_ns),
        "order_id": case.order_id or None,
        "exec_id": case.exec_id or None,
        "quote_id": case.quote_id or None,
    }
    return made | {"record": record, "see": see(folder, case) or None}


def _share(share: Share) -> dict[str, Any]:
    return {
        "isin": share.isin,
        "due_ns": share.due_ns,
        "live_bps": share.live_bps,
        "presence_ns": {why.name: share.ns[why] for why in Presence if why != Presence.NOT_DUE},
        "versions": share.versions,
        "furthest_bps_e2": share.far_bps_e2,
    }


def _client(client: ClientShare) -> dict[str, Any]:
    return {
        "client": client.name,
        "order_max_eur_e6": client.limits[0],
        "day_max_eur_e6": client.limits[1],
        "fills_max": client.limits[2],
        "orders": client.orders,
        "fills": client.fills,
        "improved": client.improved,
        "to_desk": client.to_desk,
        "refused": {_reason(reason): count for reason, count in client.refusals.items()},
        "zones": {
            zone.name: {
                "fills": client.zone_fills[zone],
                "improvement_milliticks": client.zone_milliticks[zone],
            }
            for zone in Zone
            if client.zone_fills[zone]
        },
    }
