"""`si demo`: a whole venue on this machine. Wiring only: start, watch, stop, check, sum up.

The engine is the product as it is served, a process of its own; market, clients and desk are one
process each and know only what such parties know. What is shown is counted from the journal.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import deque
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from gateway import config as configuration
from gateway import demo_view, demo_world
from gateway.demo_desk import DeskReport
from gateway.demo_engine import Engine, EngineFailed, tail_problems
from gateway.demo_market import NICE
from gateway.demo_parties import SIGNALS, STOP_WAIT_S, Parties
from gateway.demo_tally import Tally
from gateway.demo_view import Figures
from gateway.journal_files import JournalDamaged, Reader

FIRST_ORDER_WAIT_S = 60.0
LOOK_S = 0.05
DRAW_S = 0.25
LINE_S = 2.0
RATE_WINDOW_S = 2.0
FREE_BYTES_MIN = 1 << 30
ORDERS_LEFT_MIN = 10_000

say = Console(stderr=True, highlight=False)
out = Console(highlight=False)


def run(*, seconds: float, seed: int, as_json: bool) -> int:
    """Run for some time, 0: until Ctrl-C; the exit code, 0 when everything went well."""
    demo = Demo(demo_world.make(), seconds, seed)
    before = [(number, signal.signal(number, demo.interrupt)) for number in SIGNALS]
    try:
        demo.run(live=sys.stdout.isatty() and not as_json)
    except (EngineFailed, JournalDamaged) as error:
        demo.problems.append(str(error))
    finally:
        demo.end()
        for number, handler in before:
            signal.signal(number, handler)
    if as_json:
        print(json.dumps(demo.document()))
    else:
        demo.print_summary()
    for problem in demo.problems:
        say.print(f"problem: {problem}", style="red", markup=False, soft_wrap=True)
    return 1 if demo.problems else 0


class Demo:
    """One run: its processes, and what is known of them."""

    def __init__(self, directory: Path, seconds: float, seed: int) -> None:
        self.config = configuration.load(directory)
        world = demo_world.read(self.config)
        self.directory = directory
        self.seconds = seconds
        self.seed = seed
        self.problems: list[str] = []
        self.desk = DeskReport({}, {}, [])
        self.figures = Figures(directory, seconds, Tally(), world.names)
        self.engine = Engine(self.config)
        self.parties = Parties(directory, seed, len(world.rows))
        self.reader = Reader(self.config.journal)
        self._interrupted = False
        self._orders: deque[tuple[float, int]] = deque()  # lately, for the rate

    def interrupt(self, number: int, frame: object) -> None:
        """A signal: end in order."""
        self._interrupted = True

    def run(self, *, live: bool) -> None:
        """All of it, from the first process to the last check."""
        with say.status("starting the engine") if say.is_terminal else nullcontext():
            self.engine.start()
            self.parties.start()
            os.nice(NICE)
            self._await_first_order()
        self._watch(live)
        self._stop()
        self._check()

    def end(self) -> None:
        """Make sure that nothing is left running."""
        self.parties.end()
        self.engine.end()

    # --- run ----------------------------------------------------------------------------------

    def _await_first_order(self) -> None:
        deadline_s = time.monotonic() + FIRST_ORDER_WAIT_S
        while not self.figures.tally.orders and not self._over():
            if time.monotonic() > deadline_s:
                self.problems.append(f"no order came within {FIRST_ORDER_WAIT_S:.0f} s")
            self._read()
            time.sleep(LOOK_S)
        self.figures.started_s = time.monotonic()

    def _watch(self, live: bool) -> None:
        """Follow the journal until the end; draw a page, or say a line, now and then."""
        every_s = DRAW_S if live else LINE_S
        due_s = time.monotonic() + every_s
        screen = Live(console=out, auto_refresh=False, screen=True) if live else nullcontext()
        with screen as page:
            while not self._over():
                self._read()
                if time.monotonic() >= due_s:
                    due_s += every_s
                    if page is None:
                        say.print(demo_view.line(self.figures), soft_wrap=True)
                    else:
                        width, height = out.size
                        page.update(demo_view.page(self.figures, width, height), refresh=True)
                time.sleep(LOOK_S)

    def _read(self) -> None:
        """Take what the journal and the clients have said since."""
        figures = self.figures
        for frame in self.reader.poll():
            figures.tally.apply(frame)
        for reports in self.parties.reports():
            figures.take(reports)
        now_s = time.monotonic()
        self._orders.append((now_s, figures.tally.orders))
        while now_s - self._orders[0][0] > RATE_WINDOW_S:
            self._orders.popleft()
        since_s, orders = self._orders[0]
        figures.rate_per_s = (figures.tally.orders - orders) / max(now_s - since_s, LOOK_S)

    def _over(self) -> bool:
        """Whether the demo has come to its end, or to something that ends it."""
        if self._interrupted or self.problems:
            return True
        if self.seconds and self.figures.tally.orders and self.figures.elapsed_s >= self.seconds:
            return True
        if not self.engine.lives:
            self.problems.append(f"the engine died; {self.engine.log_end()}")
        for name in ("market", "clients", "desk"):
            if not self.parties.lives(name):
                self.problems.append(f"the {name} process ended by itself")
        if any(report.problems for report in self.figures.clients):
            return True  # said by the check
        return bool(self.problems) or self._is_full()

    def _is_full(self) -> bool:
        """Whether there is no room for much more; not a problem, but the end."""
        if self.figures.tally.orders > self.config.engine.orders_max - ORDERS_LEFT_MIN:
            say.print("ended: the journal has as many orders as it can hold")
            return True
        if shutil.disk_usage(self.directory).free < FREE_BYTES_MIN:
            say.print(f"ended: little space is left for {self.directory}")
            return True
        return False

    # --- stop ---------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Desk, clients, market, engine: whoever owes an answer goes last."""
        with say.status("stopping") if say.is_terminal else nullcontext():
            self._end_party("desk")
            self.desk = self.parties.desk_report()
            self.figures.ended_s = time.monotonic()
            self._end_party("clients")
            self._end_party("market")
            self.problems += self.engine.stop() if self.engine.lives else []

    def _end_party(self, name: str) -> None:
        self.parties.ask_to_stop(name)
        deadline_s = time.monotonic() + STOP_WAIT_S
        while self.parties.lives(name) and time.monotonic() < deadline_s:
            self._read()  # a report waits for its reader
            time.sleep(LOOK_S)
        if self.parties.lives(name):
            self.problems.append(f"the {name} process did not stop within {STOP_WAIT_S:.0f} s")
        self.problems += self.parties.ended(name)

    def _check(self) -> None:
        """Compare what the clients saw with what the journal says."""
        self._read()
        self.problems += tail_problems(self.reader) + self.desk.problems
        tally, clients = self.figures.tally, self.figures.clients
        for report in clients:
            self.problems += [f"{report.name}: {problem}" for problem in report.problems]
        for what, theirs, ours in (
            ("orders", sum(c.orders - c.withdrawn for c in clients), tally.orders),
            ("decided orders", tally.orders, tally.answers),
            ("fills", sum(c.fills for c in clients), tally.fills),
            ("filled shares", sum(c.filled_qty for c in clients), tally.filled_qty),
        ):
            if theirs != ours:
                self.problems.append(f"{what}: the clients have {theirs:,}, the journal {ours:,}")
        if tally.fills == 0:
            self.problems.append("nothing was filled")

    # --- what came of it ----------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The summary for scripts."""
        figures, tally = self.figures, self.figures.tally
        gross_eur, net_eur = tally.position_eur()
        return {
            "seconds": round(figures.elapsed_s, 3),
            "seed": self.seed,
            "orders": tally.orders,
            "fills": tally.fills,
            "desk_items": tally.desk_items,
            "rejects": tally.rejects,
            "filled_eur": round(tally.filled_eur, 2),
            "price_improvement_eur": round(tally.improvement_eur, 2),
            "position_eur": {"gross": round(gross_eur, 2), "net": round(net_eur, 2)},
            "rate_per_s": round(tally.orders / figures.elapsed_s, 1),
            "latency_ns": {
                "p50": round(figures.percentile_us(50) * 1e3),
                "p99": round(figures.percentile_us(99) * 1e3),
            },
            "zones": {zone.name: vars(count) for zone, count in tally.zones.items()},
            "reasons": {reason.name: count for reason, count in tally.reasons.most_common()},
            "clients": {
                report.name: {
                    "orders": report.orders, "fills": report.fills, "logons": report.logons,
                    "recovered": report.recovered, "withdrawn": report.withdrawn,
                }
                for report in figures.clients
            },
            "desk": {"actions": self.desk.actions, "refused": self.desk.refused},
            "venue_quotes": tally.venue_quotes,
            "own_quotes": tally.own_quotes,
            "frames": tally.frames,
            "improved_order": tally.best.order_id,
            "journal": str(self.config.journal),
            "problems": self.problems,
        }  # fmt: skip

    def print_summary(self) -> None:
        """The same for people, and what to try next."""
        tally = self.figures.tally
        if not tally.orders:
            return
        si = _command()
        out.print(demo_view.zones(tally, out.width >= demo_view.WIDE), "")
        out.print(demo_view.summary(self.figures), "")
        out.print("the journal of all this is kept; try", style="bold cyan")
        for why, command in (
            (
                "the best price of the run, explained",
                f"explain {self.directory} {tally.best.order_id}",
            ),
            ("everything once more, compared byte for byte", f"replay {self.directory} --verify"),
            ("how fast without these clients, which are Python", "bench wire"),
        ):
            out.print(f"[dim]# {why}[/]\n{si} {command}", soft_wrap=True)


def _command() -> str:
    """How to call `si` from here."""
    if shutil.which("si"):
        return "si"
    place = Path(sys.executable).with_name("si")
    here = Path.cwd()
    return str(place.relative_to(here) if place.is_relative_to(here) else place)
