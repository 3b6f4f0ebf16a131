"""What a live adapter does with every quote before it leaves: check, count, number, show.

Rule: an adapter goes on over bad data, but never with a price that it cannot vouch for. Where a
bad row says which instrument it is about, that instrument has no quote until its next good row.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live as Screen
from rich.table import Table

from engine.enums import Phase
from gateway.feed_book import Book
from gateway.feed_files import Bar, Counts, Sender, connect, say
from gateway.feed_lines import NS, Bad, FeedError, Quote
from gateway.feed_source import INSTRUMENTS_MAX, Instrument

EXAMPLES_MAX = 3  # shown of each kind
EXAMPLE_SIZE = 300
SHOW_NS = NS // 4  # between two pictures of the counters

#: Left out without a word to the engine: what it knows is newer than this, or the same.
HARMLESS = {Bad.TIME_BACK, Bad.REPEATED, Bad.OLD}


class Live:
    """Counters of one process, and the last quote of every instrument at every venue."""

    def __init__(self, sender: Sender, *, age_max_ns: int = 0,
                 now_ns: Callable[[], int] = time.time_ns) -> None:  # fmt: skip
        self.sender = sender
        self.bad: Counter[Bad] = Counter()
        self.noted: Counter[str] = Counter()  # whatever else a source counts
        self.examples: list[str] = []
        self.last: dict[Instrument, Quote] = {}
        self.withdrawn = 0
        self.depth: tuple[Instrument, Book] | None = None  # what is shown below the counters
        self.depth_levels = 0
        self._age_max_ns = age_max_ns
        self._now_ns = now_ns
        self._counts = Counts()
        self._began_ns = now_ns()

    # --- quotes -----------------------------------------------------------------------------------

    def passed(self, quote: Quote) -> Iterator[Quote]:
        """What is sent for a quote: itself, nothing, or that there is none."""
        key = quote.mic, quote.isin
        last = self.last.get(key)
        quote = quote._replace(seq=0)
        shown = f"{quote.mic} {quote.isin}"
        if last is None and len(self.last) >= INSTRUMENTS_MAX:
            self._count(Bad.FORM, f"{shown}: more than {INSTRUMENTS_MAX:,} instruments at venues")
        elif self._age_max_ns and self._now_ns() - quote.time_ns > self._age_max_ns:
            self._count(Bad.OLD, f"{shown}: {(self._now_ns() - quote.time_ns) // NS} s old")
        elif last is not None and quote.time_ns < last.time_ns:
            self._count(Bad.TIME_BACK, f"{shown}: {(last.time_ns - quote.time_ns) / NS:.6f} s back")
        elif quote == last:
            self._count(Bad.REPEATED, f"{shown}: the same as before")
        elif is_crossed(quote):
            bid, ask = quote.bid_px_e6, quote.ask_px_e6
            self._count(Bad.CROSSED, f"{shown}: bid {bid / 1e6:f} over ask {ask / 1e6:f}")
            yield from self.withdraw(key, quote.time_ns, quote.phase)
        else:
            self.last[key] = quote
            yield self._numbered(quote)

    def refused(self, error: FeedError) -> Iterator[Quote]:
        """A row that cannot be used; what is sent instead."""
        self._count(error.kind, str(error))
        if error.about is not None and error.about in self.last:
            yield from self.withdraw(error.about, self.last[error.about].time_ns)

    def withdraw(
        self, key: Instrument, time_ns: int, phase: Phase | None = None
    ) -> Iterator[Quote]:
        """The venue has no quote, as far as we know."""
        last = self.last.get(key)
        if last is None or not any(last[5:]):
            return
        phase = last.phase if phase is None else phase
        empty = Quote(max(time_ns, last.time_ns), key[1], key[0], 0, phase, 0, 0, 0, 0)
        self.last[key] = empty
        self.withdrawn += 1
        yield self._numbered(empty)

    def again(self, key: Instrument) -> Iterator[Quote]:
        """The last quote once more, where a session vouches for it."""
        if key in self.last:
            yield self._numbered(self.last[key])

    def _numbered(self, quote: Quote) -> Quote:
        return quote._replace(seq=self._counts.next(quote.mic))

    def _count(self, kind: Bad, said: str) -> None:
        self.bad[kind] += 1
        if self.bad[kind] <= EXAMPLES_MAX:
            example = f"{kind}: {said[:EXAMPLE_SIZE]}"
            self.examples.append(example)
            if kind not in HARMLESS:
                lead = "" if kind in (Bad.SESSION, Bad.REJECTED) else "left out, "
                say.print(f"{lead}{example}", markup=False)

    # --- counters ---------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Counters as one document."""
        return {
            "sent": self.sender.sent,
            "refusals": self.sender.refusals,
            "instruments": len(self.last),
            "withdrawn": self.withdrawn,
            "bad": {str(kind): rows for kind, rows in sorted(self.bad.items())},
            "counts": dict(sorted(self.noted.items())),
            "examples": self.examples,
            "depth": self._depth_rows(),
            "seconds": round((self._now_ns() - self._began_ns) / NS, 3),
        }

    def table(self) -> RenderableType:
        """Counters for a terminal."""
        table = Table(title=f"feed to UDP {self.sender.name}", title_justify="left")
        table.add_column("count")
        table.add_column("", justify="right")
        done = self.summary()
        for name in ("sent", "instruments", "withdrawn", "refusals"):
            table.add_row(name, f"{done[name]:,}")
        for name, rows in (done["counts"] | done["bad"]).items():
            table.add_row(name.replace("_", " "), f"{rows:,}")
        if self.depth is None or not self.depth_levels:
            return table
        return Group(table, self._depth_table())

    def _depth_rows(self) -> list[dict[str, int]]:
        if self.depth is None:
            return []
        return [level._asdict() for level in self.depth[1].depth(self.depth_levels)]

    def _depth_table(self) -> Table:
        assert self.depth is not None
        (mic, isin), _ = self.depth
        table = Table(title=f"{isin} at {mic}", title_justify="left")
        for name in ("bid qty", "bid", "ask", "ask qty"):
            table.add_column(name, justify="right")
        for row in self._depth_rows():
            bid, ask = (f"{row[f'{side}_px_e6'] / 1e6:g}" for side in ("bid", "ask"))
            table.add_row(f"{row['bid_qty']:,}", bid, ask, f"{row['ask_qty']:,}")
        return table


def is_crossed(quote: Quote) -> bool:
    """In an auction an uncrossed book would be the exception; in trading a crossed one is wrong."""
    both = quote.bid_px_e6 and quote.ask_px_e6
    return bool(both) and quote.phase == Phase.CONTINUOUS and quote.bid_px_e6 > quote.ask_px_e6


class Panel(Bar):
    """The counters on a terminal, drawn by whoever sends or waits: no thread looks at a book."""

    def __init__(self, *, is_shown: bool) -> None:
        super().__init__(quiet=True)
        self.render: Callable[[], RenderableType] = lambda: ""
        self._due_ns = 0
        self._screen = Screen(console=say, auto_refresh=False, transient=True) if is_shown else None

    def __enter__(self) -> Self:
        if self._screen is not None:
            self._screen.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._screen is not None:
            self._screen.stop()

    def show(self, more: int = 0) -> None:
        """A new picture, if the last one is old enough."""
        now_ns = time.monotonic_ns()
        if self._screen is None or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + SHOW_NS
        self._screen.update(self.render(), refresh=True)


@contextmanager
def going_live(
    host: str, port: int, *, depth: int, is_json: bool, age_max_s: float = 0
) -> Iterator[Live]:
    """Counters with a way to an engine's feed, shown on a terminal. Raises FeedError."""
    panel = Panel(is_shown=say.is_terminal and not is_json)
    with closing(connect(host, port)) as sock, panel:
        live = Live(
            Sender(sock, f"{host}:{port}", panel, is_live=True), age_max_ns=int(age_max_s * NS)
        )
        live.depth_levels = depth
        panel.render = live.table
        yield live
