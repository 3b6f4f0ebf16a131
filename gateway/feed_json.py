"""Deutsche Boerse's delayed data: one JSON object a line, gzip, a file a minute.

Rows are changes: a side that a row does not name is as it was, price 0 takes it away, quantity 0
with a price is no firm quote. So a row that is older than the one before it is passed over.

Numbers go from their text through Decimal to integers, never through a float. Names of fields,
venues and phases are data: `feed_json.toml`.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from engine.enums import Phase, Side
from engine.limits import PX_E6_MAX, QTY_MAX
from gateway.feed_lines import JSON_SIZE_MAX, Bad, Blame, Line, Quote, lines, refuse, scaled
from gateway.feed_source import Reader, Shown, Source

TABLES = Path(__file__).with_name("feed_json.toml")
PLACES_MAX = 30  # of a number's exponent, either way

Row = Mapping[str, Any]


class Tables(NamedTuple):
    """`feed_json.toml`, phases by their names."""

    fields: Mapping[str, list[str]]
    venues: Mapping[str, str]
    phases: Mapping[str, Phase]


@cache
def tables() -> Tables:
    """What comes with this program."""
    tree = tomllib.loads(TABLES.read_text(encoding="utf-8"))
    phases = {word: Phase[name.upper()] for name, words in tree["phases"].items() for word in words}
    return Tables(tree["fields"], tree["venues"], phases)


def rows(source: Source) -> Iterator[tuple[int, str]]:
    """Rows of a file; a minute of a closed market is an empty one."""
    return lines(source.path, JSON_SIZE_MAX)


def xetr(source: Source) -> Reader:
    """Xetra: rows with the best prices, and rows with the levels below."""
    return _reader(source, "XETR")


def dgat(source: Source) -> Reader:
    """Tradegate: rows with the best prices."""
    return _reader(source, "XGAT")


def _reader(source: Source, venue: str) -> Reader:
    known = tables()

    def take(number: int, text: str) -> Quote | None:
        if not text or text.isspace():
            return None
        row = _Row(source.path, number, _object(source.path, number, text), known)
        if not source.wants(str(row.get("isin"))):
            return None
        isin = row.line("isin").isin("isin")
        mic = source.mic or known.venues.get(str(row.get("venue")), row.venue(venue))
        with Blame(mic, isin):
            if not source.plays(row.text("currency", Bad.CURRENCY)):
                return None
            shown = source.memory.of((mic, isin))
            if not row.is_news(shown):
                source.passed_over[Bad.TIME_BACK] += 1
                return None
            row.put_phase(source, shown)
            row.put_levels(source, (mic, isin), shown)
            row.put_best(shown)
            sides = shown.bid[0], shown.ask[0], shown.bid[1], shown.ask[1]
            return Quote(shown.time_ns, isin, mic, 0, shown.phase, *sides)

    return Reader(take)


def _object(path: Path, number: int, text: str) -> Row:
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise refuse(path, number, "", text[:80], f"this is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise refuse(path, number, "", text[:80], "a row is a JSON object")
    return found


class _Row:
    """One row, its fields found under whichever name they have."""

    def __init__(self, path: Path, number: int, values: Row, known: Tables) -> None:
        self.path = path
        self.number = number
        self.values = values
        self.known = known

    def name(self, field: str) -> str:
        """The name under which a field is there, "" where it is not."""
        for name in self.known.fields[field]:
            if name in self.values:
                return name
        return ""

    def get(self, field: str) -> Any:
        """A field's value; None where it is not there or null."""
        return _first(self.values, self.known.fields[field])

    def line(self, field: str) -> Line:
        """A field as text, for the readers of Line."""
        value = self.get(field)
        return Line(self.path, self.number, {field: value if isinstance(value, str) else ""})

    def text(self, field: str, kind: Bad) -> str:
        """A field that must be there."""
        value = self.get(field)
        if not isinstance(value, str) or not value:
            shown = "" if value is None else str(value)[:80]
            raise refuse(self.path, self.number, field, shown, "the field is missing", kind)
        return value

    def venue(self, otherwise: str) -> str:
        """The MIC of the row; most rows of Xetra have none."""
        if self.get("venue") is None:
            return otherwise
        return self.line("venue").mic("venue")

    def time_ns(self) -> int:
        """UTC, with Z or with its offset written as zero."""
        text = self.text("time", Bad.TIME)
        text = text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
        return Line(self.path, self.number, {"time": text}).utc_ns("time")

    def is_news(self, shown: Shown) -> bool:
        """Whether the row is not older than the one before; each kind of row has its own clock."""
        kind, time_ns = self.name("time"), self.time_ns()
        if time_ns < shown.times_ns.get(kind, 0):
            return False
        shown.times_ns[kind] = time_ns
        shown.time_ns = max(shown.time_ns, time_ns)
        return True

    def put_phase(self, source: Source, shown: Shown) -> None:
        """A row that says no phase leaves it as it was; a phase not known here is no trading."""
        value = self.get("phase")
        if value is None:
            return
        word = str(value).strip().upper()
        if word not in self.known.phases:
            source.does_not_know(word)
        shown.phase = self.known.phases.get(word, Phase.HALTED)

    def put_levels(self, source: Source, instrument: tuple[str, str], shown: Shown) -> None:
        """Each side that is named is there whole."""
        for field, side in (("bid_levels", Side.BUY), ("ask_levels", Side.SELL)):
            if not self.name(field):
                continue
            book = source.memory.book(instrument)
            book.set_side(side, self._levels(field))
            bid_px_e6, ask_px_e6, bid_qty, ask_qty = book.best()
            if side == Side.BUY:
                shown.bid = bid_px_e6, bid_qty
            else:
                shown.ask = ask_px_e6, ask_qty

    def _levels(self, field: str) -> list[tuple[int, int]]:
        found = self.get(field)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(level, dict) for level in found):
            advice = "levels are a list of objects"
            raise refuse(self.path, self.number, field, str(found)[:80], advice)
        px_names, qty_names = self.known.fields["level_px"], self.known.fields["level_qty"]
        number = self._number
        levels = [
            (
                number("level_px", _first(level, px_names), 6, PX_E6_MAX, Bad.PRICE),
                number("level_qty", _first(level, qty_names), 0, QTY_MAX, Bad.QUANTITY),
            )
            for level in found
        ]
        return [level for level in levels if all(level)]  # an auction's market order has no price

    def put_best(self, shown: Shown) -> None:
        """A side of which neither price nor quantity is named is as it was."""
        if self.name("bid") or self.name("bid_qty"):
            shown.bid = self._best("bid", shown.bid)
        if self.name("ask") or self.name("ask_qty"):
            shown.ask = self._best("ask", shown.ask)

    def _best(self, side: str, before: tuple[int, int]) -> tuple[int, int]:
        px_e6 = self.px_e6(side) if self.name(side) else before[0]
        qty = self.qty(side + "_qty") if self.name(side + "_qty") else before[1]
        return (px_e6, qty) if px_e6 and qty else (0, 0)

    def px_e6(self, field: str) -> int:
        """A price; 0 for null or 0."""
        return self._number(field, self.get(field), 6, PX_E6_MAX, Bad.PRICE)

    def qty(self, field: str) -> int:
        """A quantity; 0 for null or 0."""
        return self._number(field, self.get(field), 0, QTY_MAX, Bad.QUANTITY)

    def _number(self, field: str, value: Any, places: int, largest: int, kind: Bad) -> int:
        if value is None:
            return 0
        text = str(value)
        try:
            return _exact(text, places, largest)
        except ValueError as error:
            raise refuse(self.path, self.number, field, text[:80], str(error), kind) from None


def _first(values: Row, names: list[str]) -> Any:
    """The value under the first of the names that is there."""
    for name in names:
        if name in values:
            return values[name]
    return None


@lru_cache(maxsize=1 << 17)  # the same prices and sizes come again and again
def _exact(text: str, places: int, largest: int) -> int:
    """A number x 10^places, also where it has an exponent: some programs write 1.0E-4 for 0.0001.

    Raises ValueError with advice.
    """
    if "e" in text.lower():
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValueError("this is no number") from None
        if not number.is_finite() or abs(number.adjusted()) > PLACES_MAX:
            raise ValueError("this is no number of a market")
        text = f"{number:f}"
    return scaled(text, places, largest)
