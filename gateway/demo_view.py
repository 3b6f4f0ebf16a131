"""What the demo puts on the screen: the live page, a plain line, and the summary at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from engine.enums import DeskState, Side, Zone
from engine.reasons import WORDS
from engine.schema import unpack
from gateway.demo_clients import ClientReport
from gateway.demo_tally import EUR, Tally, ZoneCount
from gateway.explain import px

LATENCY_NS = (1_000, 60_000_000_000)
REASONS_SHOWN = 9
QUEUE_SHOWN = 6
ZONE_NAMES = {zone: zone.name.lower().replace("_", " ") for zone in Zone} | {Zone.NONE: "not sized"}
OUTCOMES = ("filled", "part", "on_desk", "cancelled", "expired", "rejected")
OUTCOMES_NARROW = ("filled", "on_desk", "cancelled", "rejected")
WIDE = 110  # columns from which everything is shown
LINES_ABOVE_TAPE = 34


@dataclass
class Figures:
    """Everything the page is drawn from."""

    directory: Path
    seconds: float
    tally: Tally
    names: list[str]  # of instruments, by row
    clients: list[ClientReport] = field(default_factory=list)
    latency_ns: Any = field(default_factory=lambda: HdrHistogram(*LATENCY_NS, 3))
    started_s: float = field(default_factory=time.monotonic)
    ended_s: float = 0.0
    rate_per_s: float = 0.0  # of orders, lately

    @property
    def elapsed_s(self) -> float:
        """Since orders began."""
        return max((self.ended_s or time.monotonic()) - self.started_s, 1e-3)

    def take(self, reports: list[ClientReport]) -> None:
        """What the clients sent to the screen."""
        self.clients = reports
        for report in reports:
            for value_ns in report.latencies_ns:
                self.latency_ns.record_value(min(value_ns, LATENCY_NS[1]))

    def percentile_us(self, percent: float) -> float:
        """Round trip of an order as the clients see it."""
        return float(self.latency_ns.get_value_at_percentile(percent)) / 1e3


def page(figures: Figures, width: int, height: int) -> RenderableType:
    """The live page: all of it on 110 columns by 36 lines, the upper part on less."""
    wide = width >= WIDE
    middle = Table.grid(padding=(0, 4))
    middle.add_row(_numbers(figures), _reasons(figures.tally, wide))
    lower = Table.grid(padding=(0, 4))
    lower.add_row(_clients(figures.clients, wide), _queue(figures, wide))
    parts: list[RenderableType] = [
        _title(figures),
        "",
        zones(figures.tally, wide),
        "",
        middle,
        "",
        lower,
        "",
    ]
    return Group(*parts, _tape(figures, max(height - LINES_ABOVE_TAPE, 0), wide))


def line(figures: Figures) -> str:
    """One line for a log."""
    tally = figures.tally
    return (
        f"{figures.elapsed_s:5.0f} s  {tally.orders:,} orders  {figures.rate_per_s:,.0f}/s  "
        f"{tally.fills:,} fills  {tally.rejects:,} rejected  desk {len(tally.queue.items)} open  "
        f"improvement EUR {tally.improvement_eur:,.0f}  p50 {figures.percentile_us(50):,.0f} us  "
        f"p99 {figures.percentile_us(99):,.0f} us"
    )


def zones(tally: Tally, wide: bool) -> Table:
    """Orders by size zone and outcome."""
    outcomes = OUTCOMES if wide else OUTCOMES_NARROW
    made = _table("orders by size zone")
    made.add_column("", min_width=19)
    for name in ("orders", *(outcome.replace("_", " ") for outcome in outcomes)):
        made.add_column(name, justify="right", min_width=7)
    if wide:
        made.add_column("filled, EUR", justify="right", min_width=14)
    made.add_column("improved, EUR" if wide else "improved", justify="right", min_width=10)
    total = ZoneCount()
    for zone in [*list(Zone)[1:], Zone.NONE]:
        count = tally.zones[zone]
        _add_zone(made, ZONE_NAMES[zone], count, outcomes, wide)
        for name in vars(total):
            setattr(total, name, getattr(total, name) + getattr(count, name))
    _add_zone(made, "all", total, outcomes, wide, style="bold")
    return made


def _add_zone(
    made: Table, name: str, count: ZoneCount, outcomes: tuple[str, ...], wide: bool, style: str = ""
) -> None:
    cells = [name, _count(count.orders), *(_count(getattr(count, each)) for each in outcomes)]
    if wide:
        cells.append(_count(count.filled_eur))
    improved = f"[green]{count.improvement_eur:,.2f}[/]" if count.improvement_eur else _count(0)
    made.add_row(*cells, improved, style=style)


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else "[dim]-[/]"


def _table(title: str, *columns: tuple[str, str], header: bool = True) -> Table:
    """A table without lines; columns as name and justification."""
    made = Table(
        title=title, title_justify="left", title_style="bold cyan", box=None,
        header_style="dim", show_header=header, padding=(0, 2, 0, 0),
    )  # fmt: skip
    for name, justify in columns:
        made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return made


def _title(figures: Figures) -> Text:
    ends = f" of {figures.seconds:.0f}" if figures.seconds else ""
    text = Text(" Systematic Internaliser ", "bold reverse", no_wrap=True, overflow="ellipsis")
    text.append(f"  {figures.elapsed_s:.0f}{ends} s", style="bold not reverse")
    text.append(f"   {figures.directory}   Ctrl-C ends the demo", style="dim not reverse")
    return text


def _numbers(figures: Figures) -> Table:
    tally = figures.tally
    gross, net = tally.position_eur()
    live, every = tally.quoted()
    bps = 1e4 * tally.improvement_eur / tally.filled_eur if tally.filled_eur else 0.0
    made = _table("now", header=False)
    made.add_column(style="dim")
    made.add_column(justify="right", min_width=18)
    for name, value in (
        ("orders", f"{figures.rate_per_s:,.0f} /s"),
        ("round trip p50", f"{figures.percentile_us(50):,.0f} us"),
        ("round trip p99", f"{figures.percentile_us(99):,.0f} us"),
        ("price improvement", f"[green]EUR {tally.improvement_eur:,.2f}[/]"),
        ("on what was filled", f"{bps:.2f} bps"),
        ("position, gross", f"EUR {gross:,.0f}"),
        ("position, net", f"EUR {net:+,.0f}"),
        ("we quote", f"{live} of {every}"),
        ("venue quotes", f"{tally.venue_quotes:,}"),
    ):
        made.add_row(name, value)
    return made


def _reasons(tally: Tally, wide: bool) -> Table:
    made = _table("why not filled", header=False)
    made.add_column(justify="right", min_width=6)
    made.add_column(style="yellow", min_width=20, no_wrap=True)
    made.add_column(style="dim", no_wrap=True)
    for reason, count in tally.reasons.most_common(REASONS_SHOWN):
        words = WORDS[reason]
        made.add_row(f"{count:,}", words.prefix, words.sentence.partition(",")[0] if wide else "")
    return made


def _clients(clients: list[ClientReport], wide: bool) -> Table:
    made = _table(
        "FIX clients", ("", "left"), ("", "left"), ("orders", "right"), ("fills", "right")
    )
    for report in clients:
        mark = "[green]●[/]" if report.online else "[red]○[/]"
        made.add_row(
            f"{mark} {report.name.lower()}", f"[dim]{report.habit if wide else ''}[/]",
            f"{report.orders:7,}", f"{report.fills:7,}",
        )  # fmt: skip
    return made


def _queue(figures: Figures, wide: bool) -> Table:
    tally = figures.tally
    items = tally.queue.items
    made = _table(
        f"desk queue: {len(items)} open",
        ("left", "right"), ("", "left"), ("client", "left"), ("value, EUR", "right"), ("", "left"),
    )  # fmt: skip
    now_ns = time.time_ns()
    for item in items[:QUEUE_SHOWN]:
        left_s = max(0.0, (int(item["deadline_ns"]) - now_ns) / 1e9)
        value_eur = int(item["notional_e6"]) * tally.rates[int(item["instrument"])] * EUR
        made.add_row(
            f"{left_s:.1f} s",
            f"{DeskState(int(item['state'])).name.lower():7}",
            _side(int(item["side"])),
            f"{value_eur:10,.0f}",
            f"[dim]{ZONE_NAMES[Zone(int(item['zone']))] if wide else ''}[/]",
        )
    for _ in range(QUEUE_SHOWN - len(items)):
        made.add_row("", "", "", "", "")
    return made


def _side(side: int) -> str:
    return "[cyan]buys[/]" if side == Side.BUY else "[magenta]sells[/]"


def _tape(figures: Figures, count: int, wide: bool) -> Table:
    made = _table(
        "last fills", ("UTC", "left"), ("client", "left"), ("", "left"), ("quantity", "right"),
        ("instrument", "left"), ("price", "right"), ("our quote", "right"), ("improved", "right"),
        ("", "left"),
    )  # fmt: skip
    for row in list(figures.tally.tape)[::-1][:count]:
        buys = int(row["side"]) == Side.BUY
        quote_px_e6 = int(row["quote_ask_px_e6" if buys else "quote_bid_px_e6"])
        trader = unpack([row["trader"]])
        improved = f"[green]{px(row['improvement_e6'])}[/]" if row["improvement_e6"] else ""
        made.add_row(
            time.strftime("%H:%M:%S", time.gmtime(int(row["ts_ns"]) // 10**9)),
            figures.clients[int(row["client"])].name.lower() if figures.clients else "",
            _side(int(row["side"])),
            f"{int(row['last_qty']):9,}",
            escape(f"{figures.names[int(row['instrument'])][:24]:24}"),
            f"{px(row['last_px_e6'])} {unpack([row['currency']])}",
            f"[yellow]desk: {trader}[/]" if trader else px(quote_px_e6),
            improved,
            f"[dim]{ZONE_NAMES[Zone(int(row['zone']))] if wide else ''}[/]",
        )
    return made


def summary(figures: Figures) -> Table:
    """Two columns for the end."""
    tally = figures.tally
    gross, net = tally.position_eur()
    recovered = sum(report.recovered for report in figures.clients)
    logons = sum(report.logons for report in figures.clients)
    made = _table("the demo in numbers", header=False)
    made.add_column(style="dim")
    made.add_column(justify="right")
    for name, value in (
        ("orders", f"{tally.orders:,} in {figures.elapsed_s:.0f} s"),
        ("rate", f"{tally.orders / figures.elapsed_s:,.0f} orders/s"),
        ("fills", f"{tally.fills:,}"),
        ("desk items", f"{tally.desk_items:,}"),
        ("rejected", f"{tally.rejects:,}"),
        ("filled", f"EUR {tally.filled_eur:,.0f}"),
        ("price improvement", f"EUR {tally.improvement_eur:,.2f}"),
        ("position, gross", f"EUR {gross:,.0f}"),
        ("position, net", f"EUR {net:+,.0f}"),
        ("round trip p50", f"{figures.percentile_us(50):,.0f} us"),
        ("round trip p99", f"{figures.percentile_us(99):,.0f} us"),
        ("logons", f"{logons:,}"),
        ("recovered by resend", f"{recovered:,}"),
        ("venue quotes", f"{tally.venue_quotes:,}"),
        ("our quotes", f"{tally.own_quotes:,}"),
        ("journal", f"{tally.frames:,} frames"),
    ):
        made.add_row(name, value)
    return made
