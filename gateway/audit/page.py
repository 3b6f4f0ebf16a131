"""An audit as one page that needs nothing else: traffic lights, charts, the gravest cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine.enums import Reason, Zone
from gateway.audit.findings import Audit, Case, ClientShare, Light, Section, Share, refused_of
from gateway.audit.report import see
from gateway.audit.rules import ABOUT, Severity
from gateway.audit.tables import BPS_E2_MAX, SLOT_NS, SLOTS, TENTHS_MAX, Presence
from gateway.audit.words import (
    ASKED,
    TITLES,
    clock,
    duration,
    hours,
    numbers,
    place,
    sentence,
    share,
)
from gateway.explain import money
from refdata import si_status

TEMPLATES = Path(__file__).parent.parent / "templates"
SHARED_TEMPLATES = Path(si_status.__file__).parent / "templates"  # the look of every page

WORST_MAX = 20
STRIPS_MAX = 40  # instruments in the chart, the least quoted first
STRIP_WIDTH, STRIP_HEIGHT, LABEL_WIDTH = 960, 16, 130
BAR_WIDTH, BAR_SPACE, CHART_HEIGHT, CHART_TOP = 52, 70, 130, 24
#: Upper ends of the bars of distances, in bps; the last is open.
DISTANCE_BINS = (0, 1, 2, 5, 10, 20, 50, 100)
#: The same of improvements, in tenths of a tick.
IMPROVEMENT_BINS = (
    (0, "none"),
    (5, "to ½"),
    (10, "to 1"),
    (20, "to 2"),
    (30, "to 3"),
    (50, "to 5"),
)
ZONE_TITLES = {
    Zone.NONE: "no market to place it by",
    Zone.WITHIN_MIN_QUOTE: "up to Qmin",
    Zone.WITHIN_OBLIGATION: "Qmin to T",
    Zone.DISCRETIONARY: "T to LIS",
    Zone.LARGE_IN_SCALE: "LIS and above",
    Zone.ON_REQUEST: "illiquid",
}


class Cell(NamedTuple):
    """A stretch of the day in one colour, in px."""

    x: int
    width: int
    css: str
    title: str


class Bar(NamedTuple):
    """A bar of a distribution, in px from the top."""

    x: int
    y: int
    height: int
    css: str
    label: str
    shown: str
    number: int


def html(audit: Audit, folder: Path) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SHARED_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    slots = _slots(audit)
    strips = [
        (one.isin, share(one.live_bps), cells(audit, one)) for one in audit.shares[:STRIPS_MAX]
    ]
    return environment.get_template("audit.html.j2").render(
        audit=audit,
        hours=hours(audit),
        totals={
            severity.value: sum(section.total(severity) for section in audit.sections)
            for severity in Severity
        },
        is_clean=audit.breaches == 0,
        sections=[_section(audit, folder, section) for section in audit.sections],
        strips=strips,
        strips_left_out=len(audit.shares) - len(strips),
        strip=(LABEL_WIDTH, STRIP_WIDTH, STRIP_HEIGHT),
        marks=_marks(slots),
        distances=distance_bars(audit),
        improvements=improvement_charts(audit),
        chart=(BAR_SPACE, BAR_WIDTH, CHART_HEIGHT, CHART_TOP),
        worst=[_worst(one) for one in audit.shares if one.live_bps < 10_000][:WORST_MAX],
        clients=[_client(one) for one in audit.clients],
        refusals=[
            (name, f"{count:,}", severity.value)
            for name, severity, count in refused_of(audit.recount)
        ],
    )


def _section(audit: Audit, folder: Path, section: Section) -> dict[str, Any]:
    findings = [
        {
            "about": ABOUT[found.rule],
            "css": found.severity.value.replace(" ", "-"),
            "total": f"{found.total:,}",
            "cases": [_case(audit, folder, case) for case in found.cases],
        }
        for found in section.findings
    ]
    return {
        "key": section.duty.value,
        "title": TITLES[section.duty],
        "asked": ASKED[section.duty],
        "light": section.light.value,
        "css": section.light.name.lower(),
        "sentence": sentence(audit, section),
        "findings": findings,
        "is_clean": section.light == Light.GREEN,
    }


def _case(audit: Audit, folder: Path, case: Case) -> dict[str, str]:
    return {
        "isin": case.isin,
        "client": case.client,
        "at": clock(case.ts_ns) if case.ts_ns else "",
        "numbers": numbers(audit, case),
        "place": place(case),
        "see": see(folder, case),
    }


# --- presence over the day --------------------------------------------------------------------


def _hours_ns(audit: Audit, slot: int) -> int:
    """How much of a slot lies in published hours."""
    low = int(audit.recount.book.run[0]["from_ns"]) + slot * SLOT_NS
    return sum(max(0, min(b, low + SLOT_NS) - max(a, low)) for a, b in audit.recount.hours)


def _slots(audit: Audit) -> list[int]:
    """Slots of the day that the charts show: from the first with published hours to the last."""
    open_slots = [slot for slot in range(SLOTS) if _hours_ns(audit, slot)]
    return list(range(open_slots[0], open_slots[-1] + 1)) if open_slots else []


def cells(audit: Audit, one: Share) -> list[Cell]:
    """The day of an instrument, stretches of the same colour joined."""
    book, slots = audit.recount.book, _slots(audit)
    made: list[Cell] = []
    for number, slot in enumerate(slots):
        due_ns = _hours_ns(audit, slot)
        live_ns, halt_ns = (int(t[one.row, slot]) for t in (book.live_slots, book.halt_slots))
        css = _colour(due_ns, live_ns, halt_ns)
        x = STRIP_WIDTH * number // len(slots)
        width = STRIP_WIDTH * (number + 1) // len(slots) - x
        title = f"{_time(slot)}: {share(10_000 * live_ns // due_ns)} quoted" if due_ns else ""
        if made and css in ("live", "off", "closed") and made[-1].css == css:
            before = made.pop()
            x, width = before.x, before.width + width
            title = f"{before.title[:5]} to {_time(slot + 1)}"
        made.append(Cell(x, width, css, title))
    return made


def _colour(due_ns: int, live_ns: int, halt_ns: int) -> str:
    if due_ns == 0:
        return "closed"
    if live_ns + halt_ns == due_ns:
        return "live" if live_ns > halt_ns else "halt"
    return "part" if live_ns else "off"


def _time(slot: int) -> str:
    minutes = slot * SLOT_NS // (60 * 10**9)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _marks(slots: list[int]) -> list[tuple[int, str]]:
    """Whole hours under the chart, as many as are legible."""
    every = 4 if len(slots) <= 12 * 4 else 8
    return [
        (STRIP_WIDTH * number // len(slots), _time(slot))
        for number, slot in enumerate(slots)
        if slot % every == 0
    ]


def _worst(one: Share) -> dict[str, str]:
    reasons = sorted(
        (why for why in Presence if why not in (Presence.LIVE, Presence.NOT_DUE) and one.ns[why]),
        key=lambda why: -one.ns[why],
    )
    return {
        "isin": one.isin,
        "share": share(one.live_bps),
        "missing": duration(one.due_ns - one.ns[Presence.LIVE]),
        "why": ", ".join(
            f"{why.name.lower().replace('_', ' ')} {duration(one.ns[why])}" for why in reasons
        ),
        "versions": f"{one.versions:,}",
    }


# --- distributions ----------------------------------------------------------------------------


def _bars(counted: list[tuple[str, str, int]]) -> list[Bar]:
    """Bars of `(label, css, count)`, the highest as high as the chart."""
    highest = max((count for _, _, count in counted), default=0)
    total = sum(count for _, _, count in counted)
    made = []
    for number, (label, css, count) in enumerate(counted):
        height = max(CHART_HEIGHT * count // highest, 1) if count else 0
        shown = share(10_000 * count // total) if count else ""
        x = number * BAR_SPACE + (BAR_SPACE - BAR_WIDTH) // 2
        top = CHART_TOP + CHART_HEIGHT - height
        made.append(Bar(x, top, height, css, label, shown, count))
    return made


def distance_bars(audit: Audit) -> list[Bar]:
    """How far the sides of all quotes were from the market; beyond the tolerance in red."""
    counts = audit.recount.book.distances
    counted, low = [], 0
    for end in (*DISTANCE_BINS, BPS_E2_MAX // 100):
        high = 100 * end + 1
        label = f"over {DISTANCE_BINS[-1]}" if end not in DISTANCE_BINS else f"to {end}"
        css = "limit-bar" if end > audit.close_bps else "met"
        counted.append(("0" if end == 0 else label, css, int(counts[low:high].sum())))
        low = high
    return _bars(counted) if counts.any() else []


def improvement_charts(audit: Audit) -> list[tuple[str, list[Bar]]]:
    """How much better than the quote fills were, in ticks, for each size zone with fills."""
    charts = []
    for zone in Zone:
        counts = audit.recount.book.improvements[zone]
        if not counts.any():
            continue
        counted, low = [], 0
        for end, label in (*IMPROVEMENT_BINS, (TENTHS_MAX, "over 5")):
            css = "not-met" if end == 0 else "met"
            counted.append((label, css, int(counts[low : end + 1].sum())))
            low = end + 1
        charts.append((ZONE_TITLES[zone], _bars(counted)))
    return charts


# --- clients ----------------------------------------------------------------------------------


def _client(one: ClientShare) -> dict[str, Any]:
    def limit(amount_e6: int) -> str:
        return money(amount_e6) if amount_e6 else "none"

    order_max, day_max, fills_max = one.limits
    return {
        "name": one.name,
        "limits": f"order {limit(order_max)}, day {limit(day_max)}, fills {fills_max or 'any'}",
        "orders": f"{one.orders:,}",
        "fills": f"{one.fills:,}",
        "improved": f"{one.improved:,}",
        "to_desk": f"{one.to_desk:,}",
        "refused": ", ".join(
            f"{Reason(reason).name if reason in tuple(Reason) else reason} {count:,}"
            for reason, count in sorted(one.refusals.items(), key=lambda pair: -pair[1])
        ),
        "zones": [
            f"{one.zone_milliticks[zone] / one.zone_fills[zone] / 1000:.2f}"
            if one.zone_fills[zone]
            else ""
            for zone in _MEAN_ZONES
        ],
    }


_MEAN_ZONES = (Zone.WITHIN_MIN_QUOTE, Zone.WITHIN_OBLIGATION, Zone.DISCRETIONARY)
