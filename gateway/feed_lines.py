"""Lines of a market data file: plain or gzip, every field read for certain or refused by name.

Rule: nothing is guessed and nothing is rounded. Prices go from text through Decimal to `_e6`, never
through a float; what a format does not define raises FeedError with file, line, column and value.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, cast

from engine.enums import Phase
from engine.limits import PX_E6_MAX, QTY_MAX
from gateway.errors import UserError
from refdata import isin
from refdata.rows import DECIMAL_FORM, EXACT, Problem

LINE_SIZE_MAX = 4096  # bytes; a longer one is no market data
JSON_SIZE_MAX = 1 << 16  # a row with every level of a book
NS = 10**9
VALUE_SHOWN = 80  # characters of a bad value
GZIP_MAGIC = b"\x1f\x8b"
DAMAGED = EOFError, gzip.BadGzipFile, zlib.error

_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
CLOCK_FORM = re.compile(_CLOCK, re.ASCII)
UTC_FORM = re.compile(r"(\d{4}-\d\d-\d\d)[T ](" + _CLOCK + ")Z", re.ASCII)
MIC_FORM = re.compile(r"[A-Z0-9]{4}")


class Bad(StrEnum):
    """Kinds of what a live adapter counts and leaves out."""

    FORM = "not_readable"
    ISIN = "isin"
    MIC = "mic"
    TIME = "time"
    PHASE = "phase"
    PRICE = "price"
    QUANTITY = "quantity"
    CURRENCY = "currency"
    CROSSED = "crossed"
    TIME_BACK = "time_went_back"
    REPEATED = "repeated"
    OLD = "too_old"
    BOOK = "book"  # an order or a level that the book does not have
    REJECTED = "rejected"  # by the venue
    SESSION = "session"  # messages that are missing or that must not be


class FeedError(UserError):
    """A market data file, or where it is to be sent, cannot be used."""

    def __init__(self, text: str, kind: Bad = Bad.FORM) -> None:
        super().__init__(text)
        self.kind = kind
        self.about: tuple[str, str] | None = None  # MIC and ISIN, where the line still says them


class Blame:
    """`with Blame(mic, isin):` whatever is refused inside is about this instrument."""

    __slots__ = ("about",)

    def __init__(self, mic: str, isin: str) -> None:
        self.about = mic, isin

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FeedError):
            error.about = self.about


class Quote(NamedTuple):
    """What one venue shows at one moment; a side that is not there has price and quantity 0."""

    time_ns: int
    isin: str
    mic: str
    seq: int
    phase: Phase
    bid_px_e6: int
    ask_px_e6: int
    bid_qty: int
    ask_qty: int


def refuse(
    path: Path, line: int, column: str, value: str, advice: str, kind: Bad = Bad.FORM
) -> FeedError:
    """The error to raise; `line` counts from 1."""
    return FeedError(str(Problem(str(path), line, column, value, advice)), kind)


def lines(path: Path, size_max: int = LINE_SIZE_MAX) -> Iterator[tuple[int, str]]:
    """Number and text of every line, without its end. A line that has no end was cut off."""
    number = 0
    with opened(path) as file:
        try:
            while data := file.readline(size_max):
                number += 1
                if not data.endswith(b"\n"):
                    raise cut_off(path, number, data, size_max)
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                yield number, data.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            value = f"byte {error.object[error.start]:02x}"
            raise refuse(path, number, "", value, "this is no text in UTF-8") from None
        except DAMAGED as error:
            advice = f"the gzip data is cut off or damaged: {error}"
            raise refuse(path, number + 1, "", "", advice) from None


def cut_off(path: Path, number: int, data: bytes, size_max: int) -> FeedError:
    """The error of a line without its end."""
    why = f"longer than {size_max} bytes" if len(data) == size_max else "cut off: no line end"
    return refuse(path, number, "", data[:80].decode("ascii", "replace"), f"the line is {why}")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file, plain or gzip; what goes wrong while it is read is a FeedError."""
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == GZIP_MAGIC
        with cast(IO[bytes], gzip.open(path)) if compressed else path.open("rb") as file:
            yield file
    except DAMAGED as error:
        raise FeedError(f"{path}: the gzip data is cut off or damaged: {error}") from None
    except OSError as error:
        raise FeedError(f"{path}: {error.strerror}") from error


class Line(NamedTuple):
    """One line, cut at its delimiters. The readers raise FeedError."""

    path: Path
    number: int
    values: Mapping[str, str]

    def refuse(self, column: str, advice: str, kind: Bad = Bad.FORM) -> FeedError:
        value = self.values.get(column, "")
        return refuse(self.path, self.number, column, value[:VALUE_SHOWN], advice, kind)

    def scaled(self, column: str, places: int, largest: int, kind: Bad = Bad.FORM) -> int:
        """A decimal number x 10^places, exactly; `largest` is of the scaled value."""
        try:
            return scaled(self.values[column], places, largest)
        except ValueError as error:
            raise self.refuse(column, str(error), kind) from None

    def px_e6(self, column: str) -> int:
        px_e6 = self.px_e6_or_0(column)
        if px_e6 == 0:
            raise self.refuse(column, "a price is above 0", Bad.PRICE)
        return px_e6

    def px_e6_or_0(self, column: str) -> int:
        return self.scaled(column, 6, PX_E6_MAX, Bad.PRICE)

    def qty(self, column: str) -> int:
        qty = self.qty_or_0(column)
        if qty == 0:
            raise self.refuse(column, "a quantity is above 0", Bad.QUANTITY)
        return qty

    def qty_or_0(self, column: str) -> int:
        return self.scaled(column, 0, QTY_MAX, Bad.QUANTITY)

    def utc_ns(self, column: str) -> int:
        """ISO 8601 in UTC, at most nine decimals: 2026-06-08T07:59:52.0000000Z."""
        try:
            return utc_ns(self.values[column])
        except ValueError:
            advice = "write the time in UTC as 2026-06-08T07:59:52.0000000Z"
            raise self.refuse(column, advice, Bad.TIME) from None

    def clock_ns(self, column: str) -> int:
        """Nanoseconds since midnight, from hh:mm:ss and at most nine decimals."""
        try:
            return clock_ns(self.values[column])
        except ValueError:
            raise self.refuse(column, "write the time as hh:mm:ss.ffffff", Bad.TIME) from None

    def isin(self, column: str) -> str:
        value = self.values[column]
        if not is_isin(value):
            advice = "an ISIN has 12 characters, its check digit right"
            raise self.refuse(column, advice, Bad.ISIN)
        return value

    def mic(self, column: str) -> str:
        value = self.values[column]
        if MIC_FORM.fullmatch(value) is None:
            raise self.refuse(column, "a MIC is four capitals or digits, e.g. XETR", Bad.MIC)
        return value

    def phase(self, column: str) -> Phase:
        """One of our own words, in any case; blank or no such column is continuous."""
        name = self.values.get(column, "").upper() or Phase.CONTINUOUS.name
        if name not in Phase.__members__:
            advice = "write one of " + ", ".join(Phase.__members__).lower()
            raise self.refuse(column, advice, Bad.PHASE)
        return Phase[name]


def cut(path: Path, number: int, text: str, delimiter: str, columns: Sequence[str]) -> Line | None:
    """A line as `columns`; None for a blank one and for a first line that is the header."""
    if not text or text.isspace():
        return None
    values = text.split(delimiter)
    if len(values) != len(columns):
        advice = f"{len(values)} fields where {len(columns)} are due: {delimiter.join(columns)}"
        raise refuse(path, number, "", text[:80], advice)
    if number == 1 and [value.lower() for value in values] == [c.lower() for c in columns]:
        return None
    return Line(path, number, dict(zip(columns, values, strict=True)))


@lru_cache(maxsize=1 << 16)
def scaled(text: str, places: int, largest: int) -> int:
    """Decimal text x 10^places, exactly. Raises ValueError with advice."""
    if DECIMAL_FORM.fullmatch(text) is None:
        raise ValueError("a number is digits with an optional decimal point, no sign")
    shifted = Decimal(text).scaleb(places, EXACT)
    whole = int(shifted)
    if whole != shifted:
        raise ValueError(f"at most {places} decimals: nothing is rounded here")
    if whole > largest:
        raise ValueError(f"at most {Decimal(largest).scaleb(-places):f}")
    return whole


@lru_cache(maxsize=1 << 16)
def is_isin(text: str) -> bool:
    return isin.is_valid(text)


@lru_cache(maxsize=64)
def day_ns(day: str, zone: tzinfo = UTC) -> int:
    """Midnight of yyyy-mm-dd in a time zone. Raises ValueError."""
    return int(datetime.combine(date.fromisoformat(day), time(0), zone).timestamp()) * NS


def utc_ns(text: str) -> int:
    """Nanoseconds since 1970 of yyyy-mm-ddThh:mm:ss.fffffffffZ. Raises ValueError."""
    found = UTC_FORM.fullmatch(text)
    if found is None:
        raise ValueError
    return day_ns(found[1]) + clock_ns(found[2])


def clock_ns(text: str) -> int:
    """Nanoseconds since midnight of hh:mm:ss.fffffffff. Raises ValueError."""
    found = CLOCK_FORM.fullmatch(text)
    if found is None:
        raise ValueError
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError
    return ((hours * 60 + minutes) * 60 + seconds) * NS + int((found[4] or "0").ljust(9, "0"))
