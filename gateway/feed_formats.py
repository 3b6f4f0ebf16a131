"""The formats of market data files, each from a Source to a stream of Quotes.

What each one takes from the file's name and what it lets pass as "no quote on this side" stands at
the function and in FEED.md. A Quote's `seq` is 0 here: whoever sends it counts.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.enums import Phase
from gateway import feed_feedos, feed_json, feed_lobster, feed_map
from gateway.feed_lines import JSON_SIZE_MAX, Blame, FeedError, Line, Quote, cut, refuse
from gateway.feed_source import Format, Reader, Source, midnight_ns, named

#: Venue words at the start of a file's name. EIX is not there: it quotes under more than one MIC.
VENUES = {"xetra": "XETR", "ls": "LSSI", "munc": "MUNC", "mund": "MUND"}
SEMICOLON_NAME = re.compile(r"([a-z]+)_([A-Z]{2}[A-Z0-9]{9}[0-9])[_.]")
GETTEX_NAME = re.compile(r"\.(\d{4})(\d\d)(\d\d)\.\d\d\.\d\d\.(munc|mund)\.csv", re.ASCII)
GETTEX_TIME = ZoneInfo("Europe/Berlin")
CSV_COLUMNS = ("isin", "mic", "time", "bid", "ask", "bid_qty", "ask_qty")


def two_sides(line: Line) -> tuple[int, int, int, int]:
    """Bid and ask, then their quantities, of a format that has no word for an empty side."""
    return line.px_e6("bid"), line.px_e6("ask"), line.qty("bidQty"), line.qty("askQty")


def semicolon(source: Source) -> Reader:
    """`time;bid;ask;bidQty;askQty` of one instrument; name `<venue>_<ISIN>_...`."""
    found = SEMICOLON_NAME.match(source.path.name)
    isin = source.isin_or(found[2] if found else "")
    mic = source.mic_or(VENUES.get(found[1], "") if found else "")
    columns = ("time", "bid", "ask", "bidQty", "askQty")
    blame = Blame(mic, isin)

    def take(number: int, text: str) -> Quote | None:
        with blame:
            line = cut(source.path, number, text, ";", columns)
            if line is None:
                return None
            sides = two_sides(line)
            return Quote(line.utc_ns("time"), isin, mic, 0, Phase.CONTINUOUS, *sides)

    return Reader(take)


def ls(source: Source) -> Reader:
    """Lang & Schwarz: `ISIN;bid;ask;bidQty;askQty;ts`, many instruments."""
    mic = source.mic_or(VENUES["ls"])
    columns = ("ISIN", "bid", "ask", "bidQty", "askQty", "ts")

    def take(number: int, text: str) -> Quote | None:
        line = cut(source.path, number, text, ";", columns)
        if line is None or not source.wants(line.values["ISIN"]):
            return None
        isin = line.isin("ISIN")
        with Blame(mic, isin):
            sides = two_sides(line)
            return Quote(line.utc_ns("ts"), isin, mic, 0, Phase.CONTINUOUS, *sides)

    return Reader(take)


def gettex(source: Source) -> Reader:
    """`ISIN,time,ccy,bid,bidVol,ask,askVol`; day and venue from `pretrade.YYYYMMDD.HH.MM.munc...`.

    A price or volume of 0 is an empty side. A record of the feed has no currency, so only lines in
    euro are played.
    """
    advice = "its name has no day and segment, as in pretrade.20230111.21.00.munc.csv.gz"
    found = named(source.path, GETTEX_NAME, advice)
    day_start_ns = midnight_ns(source.path, "-".join(found.group(1, 2, 3)), GETTEX_TIME)
    mic = source.mic_or(VENUES[found[4]])
    columns = ("ISIN", "time", "ccy", "bid", "bidVol", "ask", "askVol")

    def take(number: int, text: str) -> Quote | None:
        line = cut(source.path, number, text, ",", columns)
        if line is None or not source.wants(line.values["ISIN"]):
            return None
        if not source.plays(line.values["ccy"]):
            return None
        isin = line.isin("ISIN")
        with Blame(mic, isin):
            time_ns = day_start_ns + line.clock_ns("time")
            bid_px_e6, bid_qty = _gettex_side(line, "bid")
            ask_px_e6, ask_qty = _gettex_side(line, "ask")
            sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
            return Quote(time_ns, isin, mic, 0, Phase.CONTINUOUS, *sides)

    return Reader(take)


def _gettex_side(line: Line, side: str) -> tuple[int, int]:
    px_e6, qty = line.px_e6_or_0(side), line.qty_or_0(side + "Vol")
    return (px_e6, qty) if px_e6 and qty else (0, 0)


def csv(source: Source) -> Reader:
    """Our own: a header names the columns; a side whose price and quantity are blank is empty."""
    columns: list[str] = []

    def take(number: int, text: str) -> Quote | None:
        if not text or text.isspace() or text.startswith("#"):
            return None
        values = [value.strip() for value in text.split(",")]
        if not columns:
            columns.extend(_csv_header(source.path, number, values))
            return None
        if len(values) != len(columns):
            advice = f"{len(values)} fields where the header has {len(columns)}"
            raise refuse(source.path, number, "", text[:80], advice)
        line = Line(source.path, number, dict(zip(columns, values, strict=True)))
        if not source.wants(line.values["isin"]):
            return None
        isin = line.isin("isin")
        mic = line.mic("mic")
        mic = source.mic or mic
        with Blame(mic, isin):
            bid_px_e6, bid_qty = _csv_side(line, "bid")
            ask_px_e6, ask_qty = _csv_side(line, "ask")
            sides = bid_px_e6, ask_px_e6, bid_qty, ask_qty
            return Quote(line.utc_ns("time"), isin, mic, 0, line.phase("phase"), *sides)

    def end() -> None:
        if not columns:
            raise FeedError(f"{source.path}: there is no header: {','.join(CSV_COLUMNS)}[,phase]")

    return Reader(take, end)


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


def csv_or_mapped(source: Source) -> Reader:
    """`csv` is our own columns, or anybody's with a map."""
    return csv(source) if source.map_path is None else feed_map.text(source)


def feedos(source: Source) -> Iterator[Quote]:
    """QuantHouse FeedOS: one instrument's record, its 5-level book and the changes after it."""
    known = feed_feedos.header(source.path)
    isin, mic = source.isin_or(known.isin), source.mic_or(known.mic)
    for book in feed_feedos.books(source.path):
        sides = book.bid_px_e6, book.ask_px_e6, book.bid_qty, book.ask_qty
        yield Quote(book.time_ns, isin, mic, 0, Phase.CONTINUOUS, *sides)


#: Read row by row, so that a file that grows can be followed.
ROW_FORMATS: dict[str, Format] = {
    "semicolon": Format(semicolon),
    "ls": Format(ls),
    "gettex": Format(gettex),
    "csv": Format(csv_or_mapped),
    "xetr": Format(feed_json.xetr, feed_json.rows, size_max=JSON_SIZE_MAX),
    "dgat": Format(feed_json.dgat, feed_json.rows, size_max=JSON_SIZE_MAX),
    "parquet": Format(feed_map.table, feed_map.table_rows, is_text=False),
    "lobster-messages": Format(feed_lobster.messages),
}

FORMATS: dict[str, Callable[[Source], Iterator[Quote]]] = {
    "semicolon": ROW_FORMATS["semicolon"].quotes,
    "lobster": feed_lobster.books,
    "feedos": feedos,
    **{name: form.quotes for name, form in ROW_FORMATS.items() if name != "semicolon"},
}
