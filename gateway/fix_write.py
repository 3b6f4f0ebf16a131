"""Outbound FIX into preallocated bytes: numbers, text, times, header and trailer.

A message is written body first at `HEAD_ROOM`; `finish` then puts `8=`, `9=` right before it and
`10=` behind it, so nothing is moved and BodyLength(9) has no leading zeros. The reports are in
`execution_report.py`.
"""

import numpy as np

from engine.jit import copy_bytes, inlined, njit, poke_word
from gateway.fix_read import byte_sum

SOH = 1
HEAD_ROOM = 24
STAMP_SIZE = 24
NS = 1_000_000_000
DAY_NS = 86_400 * NS


def fix_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.replace("|", "\x01").encode(), np.uint8).copy()


_BEGIN = fix_bytes("8=FIX.4.4|9=")
_TAG_35 = fix_bytes("35=")
_TAG_34 = fix_bytes("|34=")
_TAG_10 = fix_bytes("10=")


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


@njit
def put_int(out, at, value):
    """Decimal digits of an int64 with a sign if negative."""
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    digits = 1
    bound = 10
    while digits < 19 and value >= bound:
        digits += 1
        if digits < 19:
            bound *= 10
    for i in range(at + digits - 1, at - 1, -1):
        rest = value // 10
        out[i] = 48 + (value - 10 * rest)
        value = rest
    return at + digits


@njit
def put_px(out, at, px_e6):
    """A price, without trailing zeros."""
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
    end = at
    for place in range(at + 6, at, -1):
        rest = part // 10
        digit = part - 10 * rest
        part = rest
        out[place] = 48 + digit
        if digit != 0 and end == at:
            end = place
    return end + 1


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
def put_time(out, at, date, loop, ts_ns):
    """UTCTimestamp in microseconds; the text of the last one is kept, since few inputs need two."""
    if loop["stamp_ns"] != ts_ns:
        _set_stamp(date, loop, ts_ns)
    copy_bytes(out, at, date, 0, STAMP_SIZE)
    return at + STAMP_SIZE


@njit
def _set_stamp(date, loop, ts_ns):
    loop["stamp_ns"] = ts_ns
    day = ts_ns // DAY_NS
    if loop["day"] != day:
        set_date(date, day)
        loop["day"] = day
    micros = (ts_ns - day * DAY_NS) // 1000
    seconds = micros // 1_000_000
    micros -= seconds * 1_000_000
    minutes = seconds // 60
    date[8] = 45
    put_two(date, 9, minutes // 60)
    date[11] = 58
    put_two(date, 12, minutes % 60)
    date[14] = 58
    put_two(date, 15, seconds - minutes * 60)
    date[17] = 46
    for i in range(23, 17, -1):
        rest = micros // 10
        date[i] = 48 + micros - 10 * rest
        micros = rest


@inlined
def begin(out, wire, session_id, msg_type, seq, ts_ns):
    """The header after BodyLength(9); answers the place behind it."""
    at = put_bytes(out, HEAD_ROOM, _TAG_35)
    at = put_byte(out, at, msg_type)
    at = put_bytes(out, at, _TAG_34)
    at = put_int(out, at, seq)
    at = put_byte(out, at, SOH)
    size = wire.sessions[session_id]["begin_size"]
    copy_bytes(out, at, wire.headers[session_id], 0, size)
    at += size
    out[at] = 53
    out[at + 1] = 50
    out[at + 2] = 61
    at = put_time(out, at + 3, wire.date, wire.loop[0], ts_ns)
    return put_byte(out, at, SOH)


@inlined
def finish(out, at):
    """Begin string, length and checksum around the body; answers `(start, size)`."""
    body_size = at - HEAD_ROOM
    digits = 1
    bound = 10
    while body_size >= bound:
        digits += 1
        bound *= 10
    start = HEAD_ROOM - 13 - digits
    put_bytes(out, start, _BEGIN)
    put_int(out, start + 12, body_size)
    out[HEAD_ROOM - 1] = SOH
    total = byte_sum(out, start, at) & 255
    at = put_bytes(out, at, _TAG_10)
    out[at] = 48 + total // 100
    at = put_two(out, at + 1, total % 100)
    at = put_byte(out, at, SOH)
    return start, at - start
