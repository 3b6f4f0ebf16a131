"""What every reader of market data is given, and what it gives: a Source in, Quotes out.

A format that is read line by line is a Format: it begins with a Source and answers a Reader, which
takes one row after the other. So the same code plays a file and follows one that grows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from engine.enums import Phase
from gateway.feed_book import Book
from gateway.feed_lines import (
    LINE_SIZE_MAX,
    MIC_FORM,
    Bad,
    FeedError,
    Quote,
    day_ns,
    is_isin,
    lines,
)

PLAYED_CURRENCY = "EUR"
INSTRUMENTS_MAX = 1 << 18  # of one process, over all venues
WORDS_MAX = 100  # counted one by one; further ones are "other"

Instrument = tuple[str, str]  # MIC, ISIN


@dataclass
class Shown:
    """What one venue last said of one instrument, where its rows are changes only."""

    bid: tuple[int, int] = (0, 0)  # price, quantity
    ask: tuple[int, int] = (0, 0)
    phase: Phase = Phase.CONTINUOUS
    time_ns: int = 0  # of the latest row of any kind
    times_ns: dict[str, int] = field(default_factory=dict)  # of the latest row of each kind


@dataclass
class Memory:
    """What outlives a file of a stream of files."""

    shown: dict[Instrument, Shown] = field(default_factory=dict)
    books: dict[Instrument, Book] = field(default_factory=dict)

    def of(self, instrument: Instrument) -> Shown:
        """What is known of an instrument, to be changed in place."""
        if instrument not in self.shown:
            _limit(len(self.shown))
            self.shown[instrument] = Shown()
        return self.shown[instrument]

    def book(self, instrument: Instrument) -> Book:
        """The book of an instrument, to be changed in place."""
        if instrument not in self.books:
            _limit(len(self.books))
            self.books[instrument] = Book()
        return self.books[instrument]

    def forget(self, instrument: Instrument) -> None:
        """A row was lost: prices said before do not count any more, the phase does."""
        if instrument in self.books:
            self.books[instrument].clear()
        if instrument in self.shown:
            shown = self.shown[instrument]
            shown.bid = shown.ask = 0, 0


@dataclass
class Source:
    """A file, and what the caller says of it: `isin` and `mic`, "" where not said."""

    path: Path
    isin: str = ""
    mic: str = ""
    map_path: Path | None = None
    left_out: Counter[str] = field(default_factory=Counter)  # lines, by currency
    unknown: Counter[str] = field(default_factory=Counter)  # rows, by a phase not known here
    passed_over: Counter[Bad] = field(default_factory=Counter)  # rows, by why
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if self.isin and not is_isin(self.isin):
            raise FeedError(f"--isin {self.isin!r}: an ISIN has 12 characters, check digit right")
        if self.mic and MIC_FORM.fullmatch(self.mic) is None:
            raise FeedError(f"--mic {self.mic!r}: a MIC is four capitals or digits, e.g. XETR")

    def isin_or(self, known: str) -> str:
        """The ISIN said, else the one known from the file."""
        if self.isin or is_isin(known):
            return self.isin or known
        raise FeedError(f"{self.path}: give --isin: the file does not say which instrument it is")

    def mic_or(self, known: str) -> str:
        """The MIC said, else the one known from the file."""
        if self.mic or MIC_FORM.fullmatch(known):
            return self.mic or known
        raise FeedError(f"{self.path}: give --mic: the file does not say which venue it is")

    def wants(self, isin: str) -> bool:
        """Where each line names its instrument, --isin picks one."""
        return not self.isin or isin == self.isin

    def plays(self, currency: str) -> bool:
        """A record of the feed has no currency, so only one is played; others are counted."""
        if currency == PLAYED_CURRENCY:
            return True
        _tally(self.left_out, currency[:3])
        return False

    def does_not_know(self, phase: str) -> None:
        """A phase that has no meaning here."""
        _tally(self.unknown, phase[:20])

    def notes(self) -> list[str]:
        """What a reader of the output should know of the rows."""
        said = []
        if self.left_out:
            parts = ", ".join(f"{rows:,} in {name}" for name, rows in self.left_out.most_common(9))
            said.append(f"left out, as not in {PLAYED_CURRENCY}: {parts}")
        if self.unknown:
            parts = ", ".join(f"{rows:,} x {name!r}" for name, rows in self.unknown.most_common(9))
            said.append(f"phases not known, taken as halted: {parts}")
        if self.passed_over:
            parts = ", ".join(f"{rows:,} {kind}" for kind, rows in self.passed_over.most_common())
            said.append(f"passed over: {parts}")
        return said


class Reader(NamedTuple):
    """Takes one row: answers a Quote, None where there is nothing to say, or raises FeedError."""

    take: Callable[[int, Any], Quote | None]
    end: Callable[[], None] = lambda: None  # the file is at its end


class Format(NamedTuple):
    """A format whose rows are read one by one."""

    begin: Callable[[Source], Reader]
    rows: Callable[[Source], Iterator[tuple[int, Any]]] = lambda source: lines(source.path)
    is_text: bool = True  # rows are lines, so a file of them can grow
    size_max: int = LINE_SIZE_MAX  # bytes of a line

    def quotes(self, source: Source) -> Iterator[Quote]:
        """A whole file."""
        reader = self.begin(source)
        for number, row in self.rows(source):
            quote = reader.take(number, row)
            if quote is not None:
                yield quote
        reader.end()


def _tally(words: Counter[str], word: str) -> None:
    words[word if word in words or len(words) < WORDS_MAX else "other"] += 1


def _limit(count: int) -> None:
    if count >= INSTRUMENTS_MAX:
        raise FeedError(f"more than {INSTRUMENTS_MAX:,} instruments at venues")


def midnight_ns(path: Path, day: str, zone: ZoneInfo) -> int:
    """Midnight of a day that stands in a file's name."""
    try:
        return day_ns(day, zone)
    except (ValueError, OverflowError):
        raise FeedError(f"{path}: the day {day} in its name does not exist") from None


def named(path: Path, form: re.Pattern[str], advice: str) -> re.Match[str]:
    """What a file's name says. Raises FeedError with the advice."""
    found = form.search(path.name)
    if found is None:
        raise FeedError(f"{path}: {advice}")
    return found
