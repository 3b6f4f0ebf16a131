"""LOBSTER: a day of Nasdaq, as the best level line for line, or as the orders that make the book.

The message file has an event a line: seconds after midnight, type, order, size, price x 10,000,
direction (1 buy, -1 sell, of the resting order). Types: 1 new, 2 part cancelled, 3 deleted,
4 executed, 5 executed without being shown, 6 cross trade, 7 halt. The orderbook file has, after
each of its events, the best n levels.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.enums import Phase, Side
from engine.limits import PX_E6_MAX
from gateway.feed_book import Book, Fault
from gateway.feed_lines import NS, Bad, Blame, FeedError, Line, Quote, cut, lines, refuse
from gateway.feed_source import Reader, Source, midnight_ns

VENUE = "XNAS"  # LOBSTER is made from Nasdaq's ITCH
NAME = "AMZN_2012-06-21_orderbook_1.csv"
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ZONE = ZoneInfo("America/New_York")
EVENT = ("time", "type", "id", "size", "price", "direction")
EMPTY = {"ask": "9999999999", "bid": "-9999999999"}
HALT = {"-1": Phase.HALTED, "0": Phase.HALTED, "1": Phase.CONTINUOUS}
SIDES = {"1": Side.BUY, "-1": Side.SELL}
DAY_END_NS = 24 * 3600 * NS
SHOWN_TYPES, UNSHOWN_TYPES, HALT_TYPE = ("1", "2", "3", "4"), ("5", "6"), "7"


def books(source: Source) -> Iterator[Quote]:
    """The orderbook file is named, its message file lies beside it, line for line.

    +/-9999999999 is an empty side. An event of type 7 with price -1 halts trading, 0 resumes
    quoting only, 1 resumes trading; the book is repeated in these lines.
    """
    isin, mic = source.isin_or(""), source.mic_or(VENUE)
    messages_path = _messages_path(source.path)
    day_start_ns = _day_start_ns(source.path)
    phase = Phase.CONTINUOUS
    for event, book in zip_longest(_events(messages_path), _books(source.path)):
        if event is None:
            raise book.refuse("", f"there is no event for this line in {messages_path}")
        if book is None:
            raise event.refuse("", f"there is no book for this line in {source.path}")
        time_ns = day_start_ns + _time_ns(event)
        phase = _phase(event, phase)
        bid_px_e6, bid_qty = _side(book, "bid")
        ask_px_e6, ask_qty = _side(book, "ask")
        sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
        yield Quote(time_ns, isin, mic, 0, phase, *sides)


def messages(source: Source) -> Reader:
    """The message file alone: the book is kept from its orders, from an empty one on.

    Orders from before the file are not known: what happens to them is counted and passed over.
    """
    isin, mic = source.isin_or(""), source.mic_or(VENUE)
    day_start_ns = _day_start_ns(source.path)
    shown = source.memory.of((mic, isin))
    book = source.memory.book((mic, isin))
    shown.phase = Phase.CONTINUOUS
    book.clear()  # a file is a day
    blame = Blame(mic, isin)

    def take(number: int, text: str) -> Quote | None:
        with blame:
            event = cut(source.path, number, text, ",", EVENT)
            if event is None:
                return None
            time_ns = day_start_ns + _time_ns(event)
            shown.phase = _phase(event, shown.phase)
            apply(book, event)
            return Quote(time_ns, isin, mic, 0, shown.phase, *book.best())

    return Reader(take)


def apply(book: Book, event: Line) -> Fault | None:
    """Do to a book what an event says. Raises FeedError for one that cannot be read."""
    kind = event.values["type"]
    if kind in UNSHOWN_TYPES or kind == HALT_TYPE:
        return None  # nothing that is shown has changed
    px_e6 = 100 * event.scaled("price", 0, PX_E6_MAX // 100, Bad.PRICE)
    qty = event.qty("size")
    if px_e6 == 0:
        raise event.refuse("price", "a price is above 0", Bad.PRICE)
    side = SIDES.get(event.values["direction"])
    if side is None:
        raise event.refuse("direction", "the resting order is 1, to buy, or -1, to sell")
    if kind == "1":
        return book.add(event.values["id"], side, px_e6, qty)
    return book.reduce(event.values["id"], side, px_e6, qty)


def _time_ns(event: Line) -> int:
    return event.scaled("time", 9, DAY_END_NS, Bad.TIME)


def _phase(event: Line, before: Phase) -> Phase:
    if event.values["type"] == HALT_TYPE:
        if event.values["price"] not in HALT:
            raise event.refuse("price", "of a halt (type 7): -1, 0 or 1", Bad.PHASE)
        return HALT[event.values["price"]]
    if event.values["type"] not in SHOWN_TYPES + UNSHOWN_TYPES:
        raise event.refuse("type", "an event is of type 1 to 7")
    return before


def _day_start_ns(path: Path) -> int:
    day = DAY.search(path.name)
    if day is None:
        raise FeedError(f"{path}: its name has no day, as in AMZN_2012-06-21_orderbook_1.csv")
    return midnight_ns(path, day[0], ZONE)


def _events(path: Path) -> Iterator[Line]:
    for number, text in lines(path):
        event = cut(path, number, text, ",", EVENT)
        if event is not None:
            yield event


def _messages_path(path: Path) -> Path:
    """The message file of an orderbook file; one of them may be compressed."""
    name = path.name.replace("_orderbook_", "_message_")
    if name == path.name:
        raise FeedError(f"{path}: name the orderbook file, as {NAME}")
    other = name.removesuffix(".gz") if name.endswith(".gz") else name + ".gz"
    for candidate in (path.with_name(name), path.with_name(other)):
        if candidate.exists():
            return candidate
    raise FeedError(f"{path}: its message file {name} must lie beside it")


def _books(path: Path) -> Iterator[Line]:
    """The first of the levels, `ask,askSize,bid,bidSize`; `;` is taken as well."""
    for number, text in lines(path):
        values = text.replace(";", ",").split(",")
        if len(values) % 4 != 0:
            advice = f"{len(values)} fields; each level has 4: ask, ask size, bid, bid size"
            raise refuse(path, number, "", text[:80], advice)
        names = ("ask", "ask size", "bid", "bid size")
        yield Line(path, number, dict(zip(names, values[:4], strict=True)))


def _side(book: Line, side: str) -> tuple[int, int]:
    if book.values[side] == EMPTY[side]:
        return 0, 0
    px_e4 = book.scaled(side, 0, PX_E6_MAX // 100, Bad.PRICE)
    if px_e4 == 0:
        raise book.refuse(side, "a price is above 0", Bad.PRICE)
    return px_e4 * 100, book.qty(side + " size")
