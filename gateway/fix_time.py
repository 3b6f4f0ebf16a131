"""UTCTimestamp and UTCDateOnly as numbers, compiled: SendingTime(52) of every message is looked at.

What `fix_check` let pass is well written where the dictionary knows the field as a time; these
readers rely on nothing.
"""

from engine.jit import inlined, njit, peek, peek_word, signed, unsigned
from gateway.fix_read import DIGITS, are_below_ten

DAY_NS = 86_400 * 10**9
_CLOCK = unsigned(0x30303A30303A3030)  # "00:00:00"
_COLONS = unsigned(0x0000FF0000FF0000)  # where they stand in it
_TEN, _EIGHT, _ZERO = unsigned(10), unsigned(8), unsigned(0)
LAST_YEAR = 2200  # nanoseconds since 1970 end in 2262: "never" is often written as year 9999


@njit
def read_time(buffer, start, size):
    """`YYYYMMDD-HH:MM:SS` with up to nine decimals: `(ns since 1970, good)`.

    A second of 60 is a leap second, which counts as the one behind it. A year beyond LAST_YEAR
    counts as LAST_YEAR.
    """
    if size < 17 or size == 18 or size > 27:
        return 0, False
    day, good = read_day(buffer, start)
    clock, written = _pairs(peek_word(buffer, start + 9), _CLOCK)
    hour, minute, second = clock & 255, clock >> 24 & 255, clock >> 48 & 255
    if not good or not written or hour > 23 or minute > 59 or second > 60:
        return 0, False
    if peek(buffer, start + 8) != 45:
        return 0, False
    nanos = 0
    if size > 17:
        nanos = _digits(buffer, start + 18, size - 18)
        if peek(buffer, start + 17) != 46 or nanos < 0:
            return 0, False
        for _ in range(27 - size):
            nanos *= 10
    seconds = hour * 3600 + minute * 60 + second
    return day * DAY_NS + seconds * 1_000_000_000 + nanos, True


@njit
def read_day(buffer, at):
    """`YYYYMMDD`: `(days since 1970-01-01, good)`; a year beyond LAST_YEAR counts as that one.

    Proleptic Gregorian, "days from civil": years begin in March.
    """
    date, written = _pairs(peek_word(buffer, at), DIGITS)
    year = (date & 255) * 100 + (date >> 16 & 255)
    month, day = date >> 32 & 255, date >> 48 & 255
    if (
        not written
        or year < 1970
        or month < 1
        or month > 12
        or day < 1
        or day > _month_days(year, month)
    ):
        return 0, False
    shifted = min(year, LAST_YEAR)
    if month <= 2:
        shifted -= 1
        month += 12
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468, True


@inlined
def _pairs(word, like):
    """Eight bytes written like `DIGITS` or `_CLOCK`: `(numbers, good)`.

    Byte i of the numbers is what the digits at i and i + 1 say: all lanes at once, none above 99.
    """
    lanes = word ^ like
    good = are_below_ten(lanes)
    if like == _CLOCK:
        good = good and lanes & _COLONS == _ZERO
    return signed(lanes * _TEN + (lanes >> _EIGHT)) if good else 0, good


@njit
def _digits(buffer, at, count):
    """A number of `count` digits, or -1."""
    value = 0
    for i in range(at, at + count):
        digit = peek(buffer, i) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@inlined
def _month_days(year, month):
    if month == 2:
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        return 29 if leap else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31
