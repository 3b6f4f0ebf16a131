"""Outbound FIX into preallocated bytes: primitives, header and trailer, and the reports.

A message is written body first at `HEAD_ROOM`; `finish` then puts `8=`, `9=` right before it and
`10=` behind it, so nothing is moved and BodyLength(9) has no leading zeros.
"""

import numpy as np

from engine.enums import ExecKind, OrderState, OrdType, Reason
from engine.jit import copy_bytes, inlined, njit, poke_word
from engine.limits import CLORDID_WORDS, ISIN_WORDS
from engine.reasons import WORDS, Unit
from gateway.fix_read import byte_sum
from gateway.wire import TEXT_SIZE

SOH = 1
HEAD_ROOM = 24
STAMP_SIZE = 24
NS = 1_000_000_000
DAY_NS = 86_400 * NS


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.replace("|", "\x01").encode(), np.uint8).copy()


_BEGIN = _bytes("8=FIX.4.4|9=")
_HEX_DIGITS = _bytes("0123456789")
_TAG_35 = _bytes("35=")
_TAG_34 = _bytes("|34=")
_TAG_52 = _bytes("|52=")
_TAG_10 = _bytes("10=")


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


# --- ExecutionReport(8) and OrderCancelReject(9) ----------------------------------------------

_T37 = _bytes("37=")
_T17 = _bytes("|17=")
_T11 = _bytes("|11=")
_T41 = _bytes("|41=")
_T150 = _bytes("|150=")
_T39 = _bytes("|39=")
_T55 = _bytes("|55=")
_T48 = _bytes("|48=")
_T22_54 = _bytes("|22=4|54=")
_T54 = _bytes("|54=")
_T38 = _bytes("|38=")
_T40 = _bytes("|40=")
_T44 = _bytes("|44=")
_T59 = _bytes("|59=")
_T15 = _bytes("|15=")
_T32 = _bytes("|32=")
_T31 = _bytes("|31=")
_T151 = _bytes("|151=")
_T14 = _bytes("|14=")
_T6 = _bytes("|6=")
_T60 = _bytes("|60=")
_T29_30 = _bytes("|29=4|30=")
_T574_2524 = _bytes("|574=9|2524=")
_T639 = _bytes("|639=")
_T103 = _bytes("|103=")
_T58 = _bytes("|58=")
_T102 = _bytes("|102=")
_T434 = _bytes("|434=1")
_NONE = _bytes("NONE")
_UNKNOWN = _bytes("[N/A]")

_ORD_STATUS = np.zeros(8, np.uint8)
for _state, _char in (
    (OrderState.NONE, "8"), (OrderState.NEW, "0"), (OrderState.PARTIALLY_FILLED, "1"),
    (OrderState.FILLED, "2"), (OrderState.CANCELLED, "4"), (OrderState.REJECTED, "8"),
    (OrderState.EXPIRED, "C"),
):  # fmt: skip
    _ORD_STATUS[_state] = ord(_char)

_EXEC_TYPE = np.zeros(16, np.uint8)
for _kind, _char in (
    (ExecKind.NEW, "0"), (ExecKind.FILL, "F"), (ExecKind.CANCELLED, "4"), (ExecKind.REJECTED, "8"),
    (ExecKind.EXPIRED, "C"), (ExecKind.STATUS, "I"), (ExecKind.DESK_QUOTE, "I"),
):  # fmt: skip
    _EXEC_TYPE[_kind] = ord(_char)

#: OrdRejReason(103), only values of FIX 4.4's stock dictionary.
_REJ_REASON = np.full(64, 99, np.int64)
for _reason in Reason:
    _prefix = WORDS[_reason].prefix
    for _start, _code in (
        ("SI-NOQUOTE", 0), ("SI-INST", 1), ("SI-HOURS", 2), ("SI-LIMIT", 3), ("SI-SIZE", 3),
        ("SI-DUP", 6), ("SI-TYPE", 11), ("SI-QTY", 13),
    ):  # fmt: skip
        if _prefix.startswith(_start):
            _REJ_REASON[_reason] = _code
_REJ_REASON[Reason.UNKNOWN_ORDER] = 5

_TEXT_SIZES = np.zeros(64, np.int64)
_TEXTS = np.zeros((64, 96), np.uint8)
_LIMIT_SIZES = np.zeros(64, np.int64)
_LIMITS = np.zeros((64, 16), np.uint8)
_UNITS = np.zeros(64, np.int64)
for _reason, _words in WORDS.items():
    _line = f"{_words.prefix} {_words.sentence}".strip()
    if _words.unit != Unit.NONE and _words.tag:
        _line += f": {_words.tag}="
    elif _words.unit != Unit.NONE:
        _line += ": "
    elif _words.tag:
        _line += f" ({_words.tag})"
    _TEXTS[_reason, : len(_line)] = np.frombuffer(_line.encode(), np.uint8)
    _TEXT_SIZES[_reason] = len(_line)
    _word = f" {_words.limit} " if _words.limit else ""
    _LIMITS[_reason, : len(_word)] = np.frombuffer(_word.encode(), np.uint8)
    _LIMIT_SIZES[_reason] = len(_word)
    _UNITS[_reason] = _words.unit
assert _TEXT_SIZES.max() < 96 < TEXT_SIZE


@njit
def _put_code(out, at, word):
    """One word of packed text."""
    while word != 0:
        at = put_byte(out, at, word & 255)
        word = (word >> 8) & 0x00FFFFFFFFFFFFFF
    return at


@njit
def put_number(out, at, unit, value, execution, date, loop):
    """A reason's value or limit in its unit."""
    if unit == Unit.COUNT or unit == Unit.BPS:
        return put_int(out, at, value)
    if unit == Unit.PX:
        return put_px(out, at, value)
    if unit == Unit.AMOUNT:
        return put_amount(out, at, value)
    if unit == Unit.AGE:
        return put_int(out, at, value // 1_000_000)
    if unit == Unit.CODE:
        return put_byte(out, at, min(max(value + 48, 33), 126))
    if unit == Unit.TEXT:
        return _put_code(out, at, value)
    if unit == Unit.TIME:
        return put_time(out, at, date, loop, value)
    if unit == Unit.ISIN:
        return put_text(out, at, execution["isin"], ISIN_WORDS)
    if unit == Unit.ORIG and execution["orig_clordid"][0] != 0:
        return put_text(out, at, execution["orig_clordid"], CLORDID_WORDS)
    if unit == Unit.CLORDID or unit == Unit.ORIG:
        return put_text(out, at, execution["clordid"], CLORDID_WORDS)
    return at


@njit
def put_reason(out, at, execution, date, loop):
    """Text(58) of a reason: prefix, sentence, tag=value, limit."""
    reason = execution["reason"]
    at = put_bytes(out, at, _TEXTS[reason][: _TEXT_SIZES[reason]])
    unit = _UNITS[reason]
    if unit == Unit.NONE:
        return at
    at = put_number(out, at, unit, execution["reason_value"], execution, date, loop)
    if _LIMIT_SIZES[reason] > 0:
        at = put_bytes(out, at, _LIMITS[reason][: _LIMIT_SIZES[reason]])
        at = put_number(out, at, unit, execution["reason_limit"], execution, date, loop)
    return at


@njit
def _has_text(words):
    return words[0] != 0


@njit
def write_report(out, wire, execution, seq):
    """An execution as ExecutionReport or OrderCancelReject: `(start, size)` in `out`."""
    session_id = execution["session"]
    ts_ns = execution["ts_ns"]
    if execution["kind"] == ExecKind.CANCEL_REJECTED:
        at = begin(out, wire, session_id, 57, seq, ts_ns)
        return finish(out, _put_cancel_reject(out, at, wire, execution, ts_ns))
    at = begin(out, wire, session_id, 56, seq, ts_ns)
    at = _put_identity(out, at, execution)
    at = _put_terms(out, at, execution)
    at = _put_progress(out, at, execution)
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns)
    if execution["kind"] == ExecKind.FILL:
        at = _put_fill(out, at, wire, execution)
    if execution["reason"] != Reason.NONE:
        at = _put_refusal(out, at, wire, execution)
    elif execution["kind"] == ExecKind.DESK_QUOTE:
        at = put_bytes(out, at, _T58)
        at = put_bytes(out, at, _DESK_QUOTE)
        at = put_px(out, at, execution["last_px_e6"])
    elif execution["kind"] == ExecKind.NEW:
        at = put_bytes(out, at, _T58)
        at = put_bytes(out, at, _DESK_NEW)
        at = put_int(out, at, execution["desk_item"])
    at = put_byte(out, at, SOH)
    return finish(out, at)


_DESK_QUOTE = _bytes("SI-DESK our price for your order is ")
_DESK_NEW = _bytes("SI-DESK with the desk, item ")


@inlined
def _put_identity(out, at, execution):
    at = put_bytes(out, at, _T37)
    if execution["order_id"] > 0:
        at = put_int(out, at, execution["order_id"])
    else:
        at = put_bytes(out, at, _NONE)
    at = put_bytes(out, at, _T17)
    at = put_int(out, at, execution["exec_id"])
    at = put_bytes(out, at, _T11)
    at = put_text(out, at, execution["clordid"], CLORDID_WORDS)
    if execution["orig_clordid"][0] != 0:
        at = put_bytes(out, at, _T41)
        at = put_text(out, at, execution["orig_clordid"], CLORDID_WORDS)
    at = put_bytes(out, at, _T150)
    at = put_byte(out, at, _EXEC_TYPE[execution["kind"]])
    at = put_bytes(out, at, _T39)
    return put_byte(out, at, _ORD_STATUS[execution["order_state"]])


@inlined
def _put_terms(out, at, execution):
    at = put_bytes(out, at, _T55)
    if execution["isin"][0] != 0:
        at = put_text(out, at, execution["isin"], ISIN_WORDS)
        at = put_bytes(out, at, _T48)
        at = put_text(out, at, execution["isin"], ISIN_WORDS)
        at = put_bytes(out, at, _T22_54)
    else:
        at = put_bytes(out, at, _UNKNOWN)
        at = put_bytes(out, at, _T54)
    at = put_byte(out, at, execution["side"] + 48)
    at = put_bytes(out, at, _T38)
    at = put_int(out, at, execution["qty"])
    if execution["ord_type"] != 0:
        at = put_bytes(out, at, _T40)
        at = put_byte(out, at, execution["ord_type"] + 48)
    if execution["ord_type"] == OrdType.LIMIT:
        at = put_bytes(out, at, _T44)
        at = put_px(out, at, execution["limit_px_e6"])
    at = put_bytes(out, at, _T59)
    at = put_byte(out, at, execution["tif"] + 48)
    if execution["currency"] != 0:
        at = put_bytes(out, at, _T15)
        at = _put_code(out, at, execution["currency"])
    return at


@inlined
def _put_progress(out, at, execution):
    filled = execution["filled_qty"]
    state = execution["order_state"]
    live = state == OrderState.NEW or state == OrderState.PARTIALLY_FILLED
    at = put_bytes(out, at, _T151)
    at = put_int(out, at, execution["qty"] - filled if live else 0)
    at = put_bytes(out, at, _T14)
    at = put_int(out, at, filled)
    at = put_bytes(out, at, _T6)
    return put_px(out, at, average_px_e6(execution["filled_e6"], filled))


@inlined
def average_px_e6(filled_e6, filled_qty):
    """AvgPx(6), rounded half up; 0 before the first fill."""
    if filled_qty == 0:
        return 0
    return (filled_e6 + filled_qty // 2) // filled_qty


@inlined
def _put_fill(out, at, wire, execution):
    at = put_bytes(out, at, _T32)
    at = put_int(out, at, execution["last_qty"])
    at = put_bytes(out, at, _T31)
    at = put_px(out, at, execution["last_px_e6"])
    at = put_bytes(out, at, _T29_30)
    at = put_bytes(out, at, wire.own_mic)
    if execution["improvement_e6"] != 0:
        at = put_bytes(out, at, _T639)
        at = put_px(out, at, execution["improvement_e6"])
    if wire.sessions[execution["session"]]["mifid_fields"] != 0:
        at = put_bytes(out, at, _T574_2524)
        at = put_byte(out, at, 50 if execution["side"] == 1 else 51)
    return at


@njit
def _put_refusal(out, at, wire, execution):
    if execution["kind"] == ExecKind.REJECTED:
        at = put_bytes(out, at, _T103)
        at = put_int(out, at, _REJ_REASON[execution["reason"]])
    at = put_bytes(out, at, _T58)
    return put_reason(out, at, execution, wire.date, wire.loop[0])


@njit
def _put_cancel_reject(out, at, wire, execution, ts_ns):
    at = put_bytes(out, at, _T37)
    if execution["order_id"] > 0:
        at = put_int(out, at, execution["order_id"])
    else:
        at = put_bytes(out, at, _NONE)
    at = put_bytes(out, at, _T11)
    at = put_text(out, at, execution["clordid"], CLORDID_WORDS)
    at = put_bytes(out, at, _T41)
    at = put_text(out, at, execution["orig_clordid"], CLORDID_WORDS)
    at = put_bytes(out, at, _T39)
    at = put_byte(out, at, _ORD_STATUS[execution["order_state"]])
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns)
    at = put_bytes(out, at, _T434)
    at = put_bytes(out, at, _T102)
    at = put_int(out, at, 1 if execution["reason"] == Reason.UNKNOWN_ORDER else 0)
    at = put_bytes(out, at, _T58)
    at = put_reason(out, at, execution, wire.date, wire.loop[0])
    return put_byte(out, at, SOH)
