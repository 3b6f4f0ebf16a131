"""The formats of market data files, each a function from a Source to a stream of Quotes.

What each one takes from the file's name and what it lets pass as "no quote on this side" stands at
the function and in FEED.md.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, zip_longest
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.enums import Phase
from engine.limits import PX_E6_MAX, QTY_MAX
from gateway import feed_feedos
from gateway.feed_lines import (
    MIC_FORM,
    NS,
    FeedError,
    Line,
    Quote,
    cut,
    day_ns,
    is_isin,
    lines,
    refuse,
)

#: Venue words at the start of a file's name. EIX is not there: it quotes under more than one MIC.
VENUES = {"xetra": "XETR", "ls": "LSSI", "munc": "MUNC", "mund": "MUND"}
SEMICOLON_NAME = re.compile(r"([a-z]+)_([A-Z]{2}[A-Z0-9]{9}[0-9])[_.]")
LOBSTER_NAME = "AMZN_2012-06-21_orderbook_1.csv"
LOBSTER_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
GETTEX_NAME = re.compile(r"\.(\d{4})(\d\d)(\d\d)\.\d\d\.\d\d\.(munc|mund)\.csv", re.ASCII)
NASDAQ_TIME = ZoneInfo("America/New_York")
GETTEX_TIME = ZoneInfo("Europe/Berlin")
PLAYED_CURRENCY = "EUR"
CSV_COLUMNS = ("isin", "mic", "time", "bid", "ask", "bid_qty", "ask_qty")
LOBSTER_EMPTY = {"ask": "9999999999", "bid": "-9999999999"}
LOBSTER_HALT = {"-1": Phase.HALTED, "0": Phase.HALTED, "1": Phase.CONTINUOUS}
LOBSTER_DAY_END_NS = 24 * 3600 * NS


@dataclass
class Source:
    """A file, and what the caller says of it: `isin` and `mic`, "" where not said."""

    path: Path
    isin: str = ""
    mic: str = ""
    seq: Iterator[int] = field(default_factory=lambda: count(1))
    left_out: Counter[str] = field(default_factory=Counter)  # lines, by currency

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


def two_sides(line: Line) -> tuple[int, int, int, int]:
    """Bid and ask, then their quantities, of a format that has no word for an empty side."""
    return line.px_e6("bid"), line.px_e6("ask"), line.qty("bidQty"), line.qty("askQty")


def semicolon(source: Source) -> Iterator[Quote]:
    """`time;bid;ask;bidQty;askQty` of one instrument; name `<venue>_<ISIN>_...`."""
    named = SEMICOLON_NAME.match(source.path.name)
    isin = source.isin_or(named[2] if named else "")
    mic = source.mic_or(VENUES.get(named[1], "") if named else "")
    for line in cut(source.path, ";", ("time", "bid", "ask", "bidQty", "askQty")):
        time_ns = line.utc_ns("time")
        yield Quote(time_ns, isin, mic, next(source.seq), Phase.CONTINUOUS, *two_sides(line))


def ls(source: Source) -> Iterator[Quote]:
    """Lang & Schwarz: `ISIN;bid;ask;bidQty;askQty;ts`, many instruments."""
    mic = source.mic_or(VENUES["ls"])
    for line in cut(source.path, ";", ("ISIN", "bid", "ask", "bidQty", "askQty", "ts")):
        if source.wants(line.values["ISIN"]):
            time_ns, isin = line.utc_ns("ts"), line.isin("ISIN")
            yield Quote(time_ns, isin, mic, next(source.seq), Phase.CONTINUOUS, *two_sides(line))


def gettex(source: Source) -> Iterator[Quote]:
    """`ISIN,time,ccy,bid,bidVol,ask,askVol`; day and venue from `pretrade.YYYYMMDD.HH.MM.munc...`.

    A price or volume of 0 is an empty side. A record of the feed has no currency, so only lines in
    euro are played.
    """
    named = GETTEX_NAME.search(source.path.name)
    if named is None:
        advice = "its name has no day and segment, as in pretrade.20230111.21.00.munc.csv.gz"
        raise FeedError(f"{source.path}: {advice}")
    midnight_ns = _midnight_ns(source.path, "-".join(named.group(1, 2, 3)), GETTEX_TIME)
    mic = source.mic_or(VENUES[named[4]])
    columns = ("ISIN", "time", "ccy", "bid", "bidVol", "ask", "askVol")
    for line in cut(source.path, ",", columns):
        if not source.wants(line.values["ISIN"]):
            continue
        if line.values["ccy"] != PLAYED_CURRENCY:
            source.left_out[line.values["ccy"]] += 1
            continue
        time_ns, isin = midnight_ns + line.clock_ns("time"), line.isin("ISIN")
        bid_px_e6, bid_qty = _gettex_side(line, "bid")
        ask_px_e6, ask_qty = _gettex_side(line, "ask")
        sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
        yield Quote(time_ns, isin, mic, next(source.seq), Phase.CONTINUOUS, *sides)


def _gettex_side(line: Line, side: str) -> tuple[int, int]:
    px_e6, qty = line.scaled(side, 6, PX_E6_MAX), line.scaled(side + "Vol", 0, QTY_MAX)
    return (px_e6, qty) if px_e6 and qty else (0, 0)


def csv(source: Source) -> Iterator[Quote]:
    """Our own: a header names the columns; a side whose price and quantity are blank is empty."""
    columns: list[str] = []
    for number, text in lines(source.path):
        if not text or text.isspace() or text.startswith("#"):
            continue
        values = [value.strip() for value in text.split(",")]
        if not columns:
            columns = _csv_header(source.path, number, values)
            continue
        if len(values) != len(columns):
            advice = f"{len(values)} fields where the header has {len(columns)}"
            raise refuse(source.path, number, "", text[:80], advice)
        line = Line(source.path, number, dict(zip(columns, values, strict=True)))
        if not source.wants(line.values["isin"]):
            continue
        if MIC_FORM.fullmatch(line.values["mic"]) is None:
            raise line.refuse("mic", "a MIC is four capitals or digits, e.g. XETR")
        mic = source.mic or line.values["mic"]
        phase = line.values.get("phase", "").upper() or Phase.CONTINUOUS.name
        if phase not in Phase.__members__:
            raise line.refuse("phase", "write one of " + ", ".join(Phase.__members__).lower())
        bid_px_e6, bid_qty = _csv_side(line, "bid")
        ask_px_e6, ask_qty = _csv_side(line, "ask")
        sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
        time_ns, isin = line.utc_ns("time"), line.isin("isin")
        yield Quote(time_ns, isin, mic, next(source.seq), Phase[phase], *sides)
    if not columns:
        raise FeedError(f"{source.path}: there is no header: {','.join(CSV_COLUMNS)}[,phase]")


def _csv_header(path: Path, number: int, names: list[str]) -> list[str]:
    for name in names:
        if name not in (*CSV_COLUMNS, "phase"):
            advice = f"no such column; known are {', '.join(CSV_COLUMNS)} and phase"
            raise refuse(path, number, name, name, advice)
        if names.count(name) > 1:
            raise refuse(path, number, name, name, "the column is there twice")
    for name in CSV_COLUMNS:
        if name not in names:
            raise refuse(path, number, name, "", "the column is missing")
    return names


def _csv_side(line: Line, side: str) -> tuple[int, int]:
    quantity = side + "_qty"
    if line.values[side] == "" and line.values[quantity] == "":
        return 0, 0
    return line.px_e6(side), line.qty(quantity)


def lobster(source: Source) -> Iterator[Quote]:
    """LOBSTER: the orderbook file is named, its message file lies beside it, line for line.

    Prices are x 10,000; +/-9999999999 is an empty side. An event of type 7 with price -1 halts
    trading, 0 resumes quoting only, 1 resumes trading; the book is repeated in these lines.
    """
    isin, mic = source.isin_or(""), source.mic_or("XNAS")  # LOBSTER is made from Nasdaq's ITCH
    messages, day = _lobster_messages(source.path), LOBSTER_DAY.search(source.path.name)
    if day is None:
        raise FeedError(
            f"{source.path}: its name has no day, as in AMZN_2012-06-21_orderbook_1.csv"
        )
    midnight_ns = _midnight_ns(source.path, day[0], NASDAQ_TIME)
    phase = Phase.CONTINUOUS
    columns = ("time", "type", "id", "size", "price", "direction")
    for event, book in zip_longest(cut(messages, ",", columns), _lobster_books(source.path)):
        if event is None:
            raise book.refuse("", f"there is no event for this line in {messages}")
        if book is None:
            raise event.refuse("", f"there is no book for this line in {source.path}")
        time_ns = midnight_ns + event.scaled("time", 9, LOBSTER_DAY_END_NS)
        if event.values["type"] not in ("1", "2", "3", "4", "5", "6", "7"):
            raise event.refuse("type", "an event is of type 1 to 7")
        if event.values["type"] == "7":
            if event.values["price"] not in LOBSTER_HALT:
                raise event.refuse("price", "of a halt (type 7): -1, 0 or 1")
            phase = LOBSTER_HALT[event.values["price"]]
        bid_px_e6, bid_qty = _lobster_side(book, "bid")
        ask_px_e6, ask_qty = _lobster_side(book, "ask")
        sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
        yield Quote(time_ns, isin, mic, next(source.seq), phase, *sides)


def _lobster_messages(path: Path) -> Path:
    """The message file of an orderbook file; one of them may be compressed."""
    name = path.name.replace("_orderbook_", "_message_")
    if name == path.name:
        raise FeedError(f"{path}: name the orderbook file, as {LOBSTER_NAME}")
    other = name.removesuffix(".gz") if name.endswith(".gz") else name + ".gz"
    for candidate in (path.with_name(name), path.with_name(other)):
        if candidate.exists():
            return candidate
    raise FeedError(f"{path}: its message file {name} must lie beside it")


def _lobster_books(path: Path) -> Iterator[Line]:
    """The first of the levels, `ask,askSize,bid,bidSize`; `;` is taken as well."""
    for number, text in lines(path):
        values = text.replace(";", ",").split(",")
        if len(values) % 4 != 0:
            advice = f"{len(values)} fields; each level has 4: ask, ask size, bid, bid size"
            raise refuse(path, number, "", text[:80], advice)
        names = ("ask", "ask size", "bid", "bid size")
        yield Line(path, number, dict(zip(names, values[:4], strict=True)))


def _lobster_side(book: Line, side: str) -> tuple[int, int]:
    if book.values[side] == LOBSTER_EMPTY[side]:
        return 0, 0
    px_e4 = book.scaled(side, 0, PX_E6_MAX // 100)
    if px_e4 == 0:
        raise book.refuse(side, "a price is above 0")
    return px_e4 * 100, book.qty(side + " size")


def feedos(source: Source) -> Iterator[Quote]:
    """QuantHouse FeedOS: one instrument's record, its 5-level book and the changes after it."""
    known = feed_feedos.header(source.path)
    isin, mic = source.isin_or(known.isin), source.mic_or(known.mic)
    for book in feed_feedos.books(source.path):
        sides = book.bid_px_e6, book.ask_px_e6, book.bid_qty, book.ask_qty
        yield Quote(book.time_ns, isin, mic, next(source.seq), Phase.CONTINUOUS, *sides)


def _midnight_ns(path: Path, day: str, zone: ZoneInfo) -> int:
    try:
        return day_ns(day, zone)
    except ValueError:
        raise FeedError(f"{path}: the day {day} in its name does not exist") from None


FORMATS: dict[str, Callable[[Source], Iterator[Quote]]] = {
    "semicolon": semicolon,
    "lobster": lobster,
    "feedos": feedos,
    "ls": ls,
    "gettex": gettex,
    "csv": csv,
}
