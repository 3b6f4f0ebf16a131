"""QuantHouse FeedOS as printed: an instrument's record, a book of five levels, its changes.

Only the best level is kept. An update that this reader does not know is refused: a best price that
is silently out of date would be worse than none.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.feed_lines import FeedError, Line, is_isin, lines, refuse

_ATTRIBUTE = re.compile(r"\s+(\w+)\s*string\{(.*)\}")
_UPDATE = re.compile(r"(OF|OR|OD) (\S+) L\(0\)")
_SERVER_TIME = re.compile(r"(?:Server=|/ServerUTCTime: )(\S+ \d\d:\d\d:\d\d):(\d{3})\b", re.ASCII)
_LEVEL = re.compile(r"\s+(\d+)\s+BID(.*)\tASK(.*)", re.ASCII)
_SIDE = re.compile(r"\s*(\S+) x\s+(\S+) @\s+\d+\s*", re.ASCII)
_CHANGE = re.compile(r"(Bid|Ask)ChangeQtyAtLevel level=(\d+) price=0 qty=(\S+) nb_orders=\d+")
_NAME_ISIN = re.compile(r"_([A-Z]{2}[A-Z0-9]{9}[0-9])[_.]")


class Header(NamedTuple):
    """What the file says of the instrument; "" where it does not."""

    isin: str
    mic: str


class Book(NamedTuple):
    """The best level; 0 where a side is empty."""

    time_ns: int
    bid_px_e6: int
    ask_px_e6: int
    bid_qty: int
    ask_qty: int


class Update(NamedTuple):
    """The line that begins an update: OF full book, OR refresh of some levels, OD change."""

    line: int
    kind: str
    time_ns: int


def header(path: Path) -> Header:
    """ISIN and segment MIC of the record; the ISIN else from the file's name."""
    found: dict[str, str] = {}
    for _, text in lines(path):
        if _UPDATE.match(text):
            break
        if attribute := _ATTRIBUTE.fullmatch(text):
            found[attribute[1]] = attribute[2]
    named = _NAME_ISIN.search(path.name)
    isin = found.get("ISIN", "")
    if named and isin and isin != named[1]:
        raise FeedError(f"{path}: the record is of {isin}, the file's name says {named[1]}")
    if not is_isin(isin):
        isin = named[1] if named else ""
    return Header(isin, found.get("SegmentMIC", ""))


def books(path: Path) -> Iterator[Book]:
    """The best level after each update that may have changed it."""
    instrument = ""
    best: dict[str, tuple[int, int]] = {}
    update: Update | None = None
    number, text = 0, ""
    for number, text in lines(path):
        if begins := _UPDATE.match(text):
            if update is not None:
                raise refuse(path, number, "", text[:80], f"line {update.line} has no update yet")
            instrument = instrument or begins[2]
            if begins[2] != instrument:
                raise refuse(path, number, "instrument", begins[2], f"one only: {instrument}")
            if begins[1] != "OF" and not best:
                raise refuse(path, number, "", text[:80], "a full book (OF) must come first")
            update = Update(number, begins[1], _server_ns(path, number, text))
        elif not instrument or not text or text.isspace():
            continue  # the record before the book
        elif (level := _LEVEL.fullmatch(text)) and update and update.kind != "OD":
            if level[1] != "0":
                raise refuse(path, number, "level", level[1], "a book begins with level 0")
            for side, shown in (("bid", level[2]), ("ask", level[3])):
                if shown.strip() or update.kind == "OF":  # blank in OR: not refreshed
                    best[side] = _side(path, number, side, shown)
            yield Book(update.time_ns, *_flat(best))
            update = None
        elif level and not update and level[1] != "0":
            continue  # deeper than the best
        elif (change := _CHANGE.fullmatch(text)) and update and update.kind == "OD":
            if change[2] == "0":
                side = change[1].lower()
                if best[side][0] == 0:
                    raise refuse(path, number, "level", "0", f"the {side} side is empty")
                best[side] = best[side][0], Line(path, number, {"qty": change[3]}).qty("qty")
                yield Book(update.time_ns, *_flat(best))
            update = None
        else:
            known = "a book level, BidChangeQtyAtLevel and AskChangeQtyAtLevel with price=0"
            raise refuse(path, number, "", text[:80], f"not known here; known are {known}")
    if update is not None or not best:
        raise refuse(path, number, "", text[:80], "the file ends before the book does")


def _side(path: Path, number: int, side: str, shown: str) -> tuple[int, int]:
    """Price and quantity of `5.3790 x 7564 @ 4`; asterisks are the end of the book."""
    if set(shown.strip()) == {"*"}:
        return 0, 0
    found = _SIDE.fullmatch(shown)
    if found is None:
        raise refuse(path, number, side, shown.strip(), "write price x quantity @ orders")
    line = Line(path, number, {side: found[1], f"{side} quantity": found[2]})
    return line.px_e6(side), line.qty(f"{side} quantity")


def _flat(best: dict[str, tuple[int, int]]) -> tuple[int, int, int, int]:
    return best["bid"][0], best["ask"][0], best["bid"][1], best["ask"][1]


def _server_ns(path: Path, number: int, text: str) -> int:
    """The server's time: the market's may be `null`."""
    found = _SERVER_TIME.search(text)
    value = f"{found[1]}.{found[2]}Z" if found else text[:80]
    return Line(path, number, {"server time": value}).utc_ns("server time")
