"""Lines of a market data file: plain or gzip, every field read for certain or refused by name.

Rule: nothing is guessed and nothing is rounded. Prices go from text through Decimal to `_e6`, never
through a float; what a format does not define raises FeedError with file, line, column and value.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, cast

from engine.enums import Phase
from engine.limits import PX_E6_MAX, QTY_MAX
from gateway.errors import UserError
from refdata import isin
from refdata.rows import DECIMAL_FORM, EXACT, Problem

LINE_SIZE_MAX = 4096  # bytes; a longer one is no market data
NS = 10**9
GZIP_MAGIC = b"\x1f\x8b"

_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
CLOCK_FORM = re.compile(_CLOCK, re.ASCII)
UTC_FORM = re.compile(r"(\d{4}-\d\d-\d\d)[T ](" + _CLOCK + ")Z", re.ASCII)
MIC_FORM = re.compile(r"[A-Z0-9]{4}")


class FeedError(UserError):
    """A market data file, or where it is to be sent, cannot be used."""


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


def refuse(path: Path, line: int, column: str, value: str, advice: str) -> FeedError:
    """The error to raise; `line` counts from 1."""
    return FeedError(str(Problem(str(path), line, column, value, advice)))


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line, without its end. A line that has no end was cut off."""
    number = 0
    try:
        with _open(path) as file:
            while data := file.readline(LINE_SIZE_MAX):
                number += 1
                if not data.endswith(b"\n"):
                    long = len(data) == LINE_SIZE_MAX
                    why = f"longer than {LINE_SIZE_MAX} bytes" if long else "cut off: no line end"
                    text = data[:80].decode("ascii", "replace")
                    raise refuse(path, number, "", text, f"the line is {why}")
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                yield number, data.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        value = f"byte {error.object[error.start]:02x}"
        raise refuse(path, number, "", value, "this is no text in UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        advice = f"the gzip data is cut off or damaged: {error}"
        raise refuse(path, number + 1, "", "", advice) from None
    except OSError as error:
        raise FeedError(f"{path}: {error.strerror}") from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path)) if compressed else path.open("rb")


class Line(NamedTuple):
    """One line, cut at its delimiters. The readers raise FeedError."""

    path: Path
    number: int
    values: Mapping[str, str]

    def refuse(self, column: str, advice: str) -> FeedError:
        return refuse(self.path, self.number, column, self.values.get(column, ""), advice)

    def scaled(self, column: str, places: int, largest: int) -> int:
        """A decimal number x 10^places, exactly; `largest` is of the scaled value."""
        try:
            return scaled(self.values[column], places, largest)
        except ValueError as error:
            raise self.refuse(column, str(error)) from None

    def px_e6(self, column: str) -> int:
        px_e6 = self.scaled(column, 6, PX_E6_MAX)
        if px_e6 == 0:
            raise self.refuse(column, "a price is above 0")
        return px_e6

    def qty(self, column: str) -> int:
        qty = self.scaled(column, 0, QTY_MAX)
        if qty == 0:
            raise self.refuse(column, "a quantity is above 0")
        return qty

    def utc_ns(self, column: str) -> int:
        """ISO 8601 in UTC, at most nine decimals: 2026-06-08T07:59:52.0000000Z."""
        found = UTC_FORM.fullmatch(self.values[column])
        try:
            if found is None:
                raise ValueError
            return day_ns(found[1]) + _clock_ns(found[2])
        except ValueError:
            advice = "write the time in UTC as 2026-06-08T07:59:52.0000000Z"
            raise self.refuse(column, advice) from None

    def clock_ns(self, column: str) -> int:
        """Nanoseconds since midnight, from hh:mm:ss and at most nine decimals."""
        try:
            return _clock_ns(self.values[column])
        except ValueError:
            raise self.refuse(column, "write the time as hh:mm:ss.ffffff") from None

    def isin(self, column: str) -> str:
        value = self.values[column]
        if not is_isin(value):
            raise self.refuse(column, "an ISIN has 12 characters, its check digit right")
        return value


def cut(path: Path, delimiter: str, columns: Sequence[str]) -> Iterator[Line]:
    """Every line that is not blank, as `columns`; the header is passed over where there is one."""
    for number, text in lines(path):
        if not text or text.isspace():
            continue
        values = text.split(delimiter)
        if len(values) != len(columns):
            advice = f"{len(values)} fields where {len(columns)} are due: {delimiter.join(columns)}"
            raise refuse(path, number, "", text[:80], advice)
        if number == 1 and [value.lower() for value in values] == [c.lower() for c in columns]:
            continue
        yield Line(path, number, dict(zip(columns, values, strict=True)))


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


def _clock_ns(text: str) -> int:
    found = CLOCK_FORM.fullmatch(text)
    if found is None:
        raise ValueError
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError
    return ((hours * 60 + minutes) * 60 + seconds) * NS + int((found[4] or "0").ljust(9, "0"))
