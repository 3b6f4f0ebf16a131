"""Outbound FIX into preallocated bytes: numbers, text, times, header and trailer.

A message is written body first at `HEAD_ROOM`; `finish` then puts `8=`, `9=` right before it and
`10=` behind it, so nothing is moved and BodyLength(9) has no leading zeros. The reports are in
`execution_report.py`.
"""

import numpy as np

from engine.jit import (
    copy_bytes,
    inlined,
    leading_zeros,
    njit,
    poke_word,
    trailing_zeros,
    unsigned,
)
from gateway.fix_read import byte_sum

SOH = 1
HEAD_ROOM = 24
NS = 1_000_000_000
DAY_NS = 86_400 * NS
EIGHT_DIGITS = 10**8
_ZEROS = 0x3030303030303030  # eight times '0'
_EIGHTH = 1 << 56  # the last digit counts, even of 0


def fix_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.replace("|", "\x01").encode(), np.uint8).copy()


_TAG_35 = fix_bytes("35=")
_TAG_34 = fix_bytes("|34=")
_TAG_10 = fix_bytes("10=")
_TAG_369 = fix_bytes("369=")


@inlined
def put_bytes(out, at, text):
    """Copy constant bytes; answers the place behind them."""
    copy_bytes(out, at, text, 0, text.shape[0])
    return at + text.shape[0]


@inlined
def put_byte(out, at, byte):
    """One byte."""
    out[at] = byte
    return at + 1


@inlined
def _eight(value):
    """The digits of a number below 10**8 as eight bytes 0 to 9, the first in the lowest.

    Halves, quarters, then digits, all lanes at once: n * 10486 >> 20 is n // 100 up to 9999, and
    n * 103 >> 10 is n // 10 up to 99.
    """
    high = value // 10_000
    lanes = high | (value - high * 10_000) << 32
    above = (lanes * 10_486 >> 20) & 0x0000007F0000007F
    lanes = above | (lanes - above * 100) << 16
    above = (lanes * 103 >> 10) & 0x000F000F000F000F
    return above | (lanes - above * 10) << 8


@inlined
def _put_leading(out, at, value):
    """A number below 10**8 without leading zeros."""
    digits = _eight(value)
    zeros = min(trailing_zeros(unsigned(digits | _EIGHTH)) // 8, 7)
    poke_word(out, at, (digits + _ZEROS) >> (8 * zeros))
    return at + 8 - zeros


@njit
def put_int(out, at, value):
    """Decimal digits of an int64 with a sign if negative; writes up to seven bytes past its end."""
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    if value < EIGHT_DIGITS:
        return _put_leading(out, at, value)
    high = value // EIGHT_DIGITS
    if high < EIGHT_DIGITS:
        at = _put_leading(out, at, high)
    else:
        top = high // EIGHT_DIGITS
        at = _put_leading(out, at, top)
        poke_word(out, at, _eight(high - top * EIGHT_DIGITS) + _ZEROS)
        at += 8
    poke_word(out, at, _eight(value - high * EIGHT_DIGITS) + _ZEROS)
    return at + 8


@njit
def put_px(out, at, px_e6):
    """A price, without trailing zeros; writes up to seven bytes past its end."""
    if px_e6 < 0:
        out[at] = 45
        at += 1
        px_e6 = -px_e6
    whole = px_e6 // 1_000_000
    part = px_e6 - whole * 1_000_000
    at = put_int(out, at, whole)
    if part == 0:
        return at
    out[at] = 46
    decimals = _eight(part * 100)
    poke_word(out, at + 1, decimals + _ZEROS)
    return at + 9 - leading_zeros(unsigned(decimals)) // 8


@njit
def put_amount(out, at, amount_e6):
    """Money in whole units with two decimals, the rest cut off."""
    if amount_e6 < 0:
        out[at] = 45
        at += 1
        amount_e6 = -amount_e6
    cents = amount_e6 // 10_000
    at = put_int(out, at, cents // 100)
    out[at] = 46
    return put_two(out, at + 1, cents % 100)


@njit
def put_code(out, at, word):
    """One word of packed text."""
    while word != 0:
        at = put_byte(out, at, word & 255)
        word = (word >> 8) & 0x00FFFFFFFFFFFFFF
    return at


@njit
def put_text(out, at, words, count):
    """Packed text up to its first zero byte; writes up to seven bytes past its end."""
    for i in range(count):
        word = words[i]
        if word == 0:
            break
        poke_word(out, at, word)
        if word >> 56 != 0:
            at += 8
            continue
        while word & 255 != 0:
            word >>= 8
            at += 1
        break
    return at


@inlined
def put_two(out, at, value):
    """Two digits."""
    out[at] = 48 + value // 10
    out[at + 1] = 48 + value % 10
    return at + 2


@njit
def set_date(date, day):
    """YYYYMMDD of a day counted from 1970-01-01 (proleptic Gregorian, days-from-civil inverted)."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * of_year + 2) // 153
    month_day = of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    put_two(date, 0, year // 100)
    put_two(date, 2, year % 100)
    put_two(date, 4, month)
    put_two(date, 6, month_day)


@inlined
def put_time(out, at, date, loop, ts_ns, precision):
    """UTCTimestamp with 0, 3, 6 or 9 decimals, cut off.

    The text of the last one is kept, since few inputs need two.
    """
    if loop["stamp_ns"] != ts_ns:
        _set_stamp(date, loop, ts_ns)
    size = 17 if precision == 0 else 18 + precision
    copy_bytes(out, at, date, 0, size)
    return at + size


@njit
def _set_stamp(date, loop, ts_ns):
    loop["stamp_ns"] = ts_ns
    day = ts_ns // DAY_NS
    if loop["day"] != day:
        set_date(date, day)
        loop["day"] = day
    nanos = ts_ns - day * DAY_NS
    seconds = nanos // NS
    nanos -= seconds * NS
    minutes = seconds // 60
    date[8] = 45
    put_two(date, 9, minutes // 60)
    date[11] = 58
    put_two(date, 12, minutes % 60)
    date[14] = 58
    put_two(date, 15, seconds - minutes * 60)
    date[17] = 46
    tens = nanos // 10
    poke_word(date, 18, _eight(tens) + _ZEROS)
    date[26] = 48 + nanos - tens * 10


@inlined
def begin(out, wire, session_id, msg_type, seq, ts_ns):
    """The header after BodyLength(9); answers the place behind it.

    `msg_type` is a number: the first letter, and 256 times the second where there is one.
    """
    session = wire.sessions[session_id]
    at = put_bytes(out, HEAD_ROOM, _TAG_35)
    at = put_byte(out, at, msg_type & 255)
    if msg_type > 255:
        at = put_byte(out, at, msg_type >> 8)
    at = put_bytes(out, at, _TAG_34)
    at = put_int(out, at, seq)
    at = put_byte(out, at, SOH)
    size = session["begin_size"]
    copy_bytes(out, at, wire.headers[session_id], 0, size)
    at += size
    out[at] = 53
    out[at + 1] = 50
    out[at + 2] = 61
    at = put_time(out, at + 3, wire.date, wire.loop[0], ts_ns, session["precision"])
    at = put_byte(out, at, SOH)
    if session["last_processed"] != 0:
        at = put_int(out, put_bytes(out, at, _TAG_369), session["next_in"] - 1)
        at = put_byte(out, at, SOH)
    return at


@inlined
def finish(out, at, wire, session_id):
    """Begin string, length and checksum around the body; answers `(start, size)`."""
    version = wire.sessions[session_id]["version"]
    return put_frame(out, at, wire.begins[version], 0, wire.begin_sizes[version])


@inlined
def put_frame(out, at, source, source_at, head_size):
    """Length and checksum around the body, behind `8=...|9=` from `source`: `(start, size)`."""
    body_size = at - HEAD_ROOM
    start = HEAD_ROOM - 1
    out[start] = SOH
    while body_size > 0:  # backwards, digit by digit: the body stands right behind
        start -= 1
        out[start] = 48 + body_size % 10
        body_size //= 10
    start -= head_size
    copy_bytes(out, start, source, source_at, head_size)
    total = byte_sum(out, start, at) & 255
    at = put_bytes(out, at, _TAG_10)
    out[at] = 48 + total // 100
    at = put_two(out, at + 1, total % 100)
    at = put_byte(out, at, SOH)
    return start, at - start
