"""An audit in words: what was looked at, what a case's numbers say, where its record is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine.enums import Reason
from engine.limits import SEGMENT_SIZE
from gateway.audit.findings import (
    Audit,
    Case,
    Section,
    beyond,
    client_name,
    percentile_bps_e2,
)
from gateway.audit.rules import Duty, Unit
from gateway.audit.tables import Presence
from gateway.explain import money, px
from gateway.journal_files import segment_path

TITLES = {
    Duty.PRESENCE: "Regular and continuous two-sided quotes",
    Duty.SIZE: "Quote size",
    Duty.CLOSENESS: "Prevailing market conditions",
    Duty.TICK: "Tick sizes",
    Duty.IMPROVEMENT: "Execution at the quote or better",
    Duty.FIRMNESS: "Firm quotes honoured",
    Duty.PUBLICATION: "Publication",
    Duty.EQUALITY: "Clients treated alike",
    Duty.JOURNAL: "The record",
}
ASKED = {
    Duty.PRESENCE: "Was every liquid instrument quoted in all of the published hours?",
    Duty.SIZE: "Was every quote worth the minimum quote size, on both sides?",
    Duty.CLOSENESS: "Was every quote close to the most relevant market when it was published?",
    Duty.TICK: "Were quotes and fills on tick, or fills exactly at the midpoint?",
    Duty.IMPROVEMENT: "Did clients get the public quote or better, by a whole tick or the "
    "midpoint?",
    Duty.FIRMNESS: "Was every order within a firm quote executed, or refused for a lawful reason?",
    Duty.PUBLICATION: "When were quotes entered, and when did they go out?",
    Duty.EQUALITY: "Did clients of one pool, tier and limits get the same prices?",
    Duty.JOURNAL: "Is the journal of the day whole?",
}
SECOND_NS, MINUTE_NS, HOUR_NS = 10**9, 60 * 10**9, 3_600 * 10**9


def clock(ts_ns: int) -> str:
    """Time of the day, UTC, to the microsecond."""
    return f"{datetime.fromtimestamp(ts_ns // SECOND_NS, UTC):%H:%M:%S}.{ts_ns // 1000 % 10**6:06d}"


def duration(ns: int) -> str:
    """A length of time in the unit that suits it; rounded down."""
    sign, ns = ("-" if ns < 0 else ""), abs(ns)
    if ns >= HOUR_NS:
        return f"{sign}{ns // HOUR_NS} h {ns % HOUR_NS // MINUTE_NS:02d} min"
    if ns >= MINUTE_NS:
        return f"{sign}{ns // MINUTE_NS} min {ns % MINUTE_NS // SECOND_NS:02d} s"
    if ns >= SECOND_NS:
        return f"{sign}{ns // 10**6 / 1000:.3f} s"
    if ns >= 10**6:
        return f"{sign}{ns // 1000 / 1000:.3f} ms"
    return f"{sign}{ns:,} ns"


def share(bps: int) -> str:
    """A share in percent with two decimals."""
    return f"{bps // 100}.{bps % 100:02d} %"


def ratio(part: int, whole: int) -> str:
    """A share, rounded down so that 100 % means all."""
    return share(10_000 * part // whole) if whole else "none"


def bps(bps_e2: int) -> str:
    """Hundredths of a basis point as basis points."""
    return f"{bps_e2 // 100:,}.{bps_e2 % 100:02d} bps"


def value(unit: str, number: int) -> str:
    """A case's number in its unit."""
    if unit == Unit.PX:
        return px(number)
    if unit == Unit.AMOUNT:
        return money(number)
    if unit == Unit.BPS:
        return bps(number)
    if unit == Unit.TIME:
        return clock(number)
    if unit == Unit.DURATION:
        return duration(number)
    if unit == Unit.REASON:
        return Reason(number).name if number in tuple(Reason) else str(number)
    return f"{number:,}"


def numbers(audit: Audit, case: Case) -> str:
    """A case's numbers in a line."""
    parts = []
    for name, unit, number in case.numbers:
        text = client_name(audit.recount, number) if unit == Unit.CLIENT else value(unit, number)
        parts.append(f"{name} {text}")
    return ", ".join(parts)


def place(case: Case) -> str:
    """Where the record of a case is; "" for a case that adds up many."""
    if case.position < 0:
        return ""
    index, offset = divmod(case.position, SEGMENT_SIZE)
    name = segment_path(Path(), index).name
    return f"frame {case.frame}, {name} byte {offset}"


def sentence(audit: Audit, section: Section) -> str:
    """What was looked at and what it came to, in numbers."""
    book, run = audit.recount.book, audit.recount.book.run[0]
    duty = section.duty
    if duty == Duty.PRESENCE:
        due_ns = sum(one.due_ns for one in audit.shares)
        live_ns = sum(one.ns[Presence.LIVE] for one in audit.shares)
        halted_ns = sum(one.ns[Presence.HALTED] for one in audit.shares)
        return (
            f"{len(audit.shares):,} liquid instruments, quoted {ratio(live_ns, due_ns)} of "
            f"published hours, {ratio(halted_ns, due_ns)} excused by halts"
        )
    if duty == Duty.SIZE:
        return f"{run['sized']:,} versions of quotes against Qmin of the regime in force"
    if duty == Duty.CLOSENESS:
        sides = int(book.distances.sum())
        far = beyond(audit.recount, 100 * audit.close_bps)
        return (
            f"{run['compared']:,} versions, p50 {bps(percentile_bps_e2(audit.recount, 50))}, "
            f"p99 {bps(percentile_bps_e2(audit.recount, 99))}, "
            f"furthest {bps(int(run['far_bps_e2_max']))}; "
            f"{far:,} of {sides:,} sides beyond {audit.close_bps} bps"
        )
    if duty == Duty.TICK:
        return f"{run['tick_quotes']:,} quoted prices and {run['tick_fills']:,} fills"
    if duty == Duty.IMPROVEMENT:
        return (
            f"{run['auto_fills']:,} fills from the public quote, {run['improved']:,} improved; "
            f"{run['desk_fills']:,} by the desk, {run['given_fills']:,} of quotes on request"
        )
    if duty == Duty.FIRMNESS:
        whole = int(run["honoured"]) + int(run["covered"])
        return (
            f"{run['orders']:,} orders, {whole:,} within a firm quote, "
            f"{run['honoured']:,} of them executed"
        )
    if duty == Duty.PUBLICATION:
        return f"{run['quotes']:,} versions in the journal; {_published(audit)}"
    if duty == Duty.EQUALITY:
        return f"{len(audit.clients):,} clients with {run['orders']:,} orders"
    return (
        f"{run['frames']:,} frames, numbers {run['first_seq']:,} to {run['last_seq']:,}, "
        f"starts of the engine: {run['boots']:,}"
    )


def _published(audit: Audit) -> str:
    found = audit.published
    if found is None:
        return "not published by file"
    return (
        f"{found.timed:,} published by file, delay p50 {duration(found.delay_p50_ns)}, "
        f"p99 {duration(found.delay_p99_ns)}, at most {duration(found.delay_max_ns)}"
    )


def hours(audit: Audit) -> str:
    """The published hours in words."""
    if not audit.recount.hours:
        return "no published hours"
    spans = (f"{clock(a)[:8]} to {clock(b)[:8]}" for a, b in audit.recount.hours)
    return "published hours " + ", ".join(spans) + " UTC"
