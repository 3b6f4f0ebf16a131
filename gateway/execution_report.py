"""Executions to ExecutionReport(8) and OrderCancelReject(9), and a reason to its Text(58)."""

import numpy as np

from engine.enums import ExecKind, OrderState, OrdType, Reason
from engine.jit import inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS
from engine.reasons import WORDS, Unit
from gateway.fix_write import (
    SOH,
    begin,
    finish,
    fix_bytes,
    put_amount,
    put_byte,
    put_bytes,
    put_int,
    put_px,
    put_text,
    put_time,
)
from gateway.wire import TEXT_SIZE, OutTag

_T37 = fix_bytes("37=")
_T17 = fix_bytes("|17=")
_T11 = fix_bytes("|11=")
_T41 = fix_bytes("|41=")
_T150 = fix_bytes("|150=")
_T39 = fix_bytes("|39=")
_T55 = fix_bytes("|55=")
_T48 = fix_bytes("|48=")
_T22_54 = fix_bytes("|22=4|54=")
_T54 = fix_bytes("|54=")
_T38 = fix_bytes("|38=")
_T40 = fix_bytes("|40=")
_T44 = fix_bytes("|44=")
_T59 = fix_bytes("|59=")
_T15 = fix_bytes("|15=")
_T32 = fix_bytes("|32=")
_T31 = fix_bytes("|31=")
_T151 = fix_bytes("|151=")
_T14 = fix_bytes("|14=")
_T6 = fix_bytes("|6=")
_T60 = fix_bytes("|60=")
_T29_30 = fix_bytes("|29=4|30=")
_T574 = fix_bytes("|574=9")
_T2524 = fix_bytes("|2524=")
_T639 = fix_bytes("|639=")
_T103 = fix_bytes("|103=")
_T58 = fix_bytes("|58=")
_T102 = fix_bytes("|102=")
_T434 = fix_bytes("|434=1")
_NONE = fix_bytes("NONE")
_UNKNOWN = fix_bytes("[N/A]")

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
        return put_byte(out, at, min(max(value, 33 - 48), 126 - 48) + 48)
    if unit == Unit.TEXT:
        return _put_code(out, at, value)
    if unit == Unit.TIME:
        return put_time(out, at, date, loop, value, 6)
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
def write_report(out, wire, execution, seq):
    """An execution as ExecutionReport or OrderCancelReject: `(start, size)` in `out`."""
    session_id = execution["session"]
    ts_ns = execution["ts_ns"]
    precision = wire.sessions[session_id]["precision"]
    if execution["kind"] == ExecKind.CANCEL_REJECTED:
        at = begin(out, wire, session_id, 57, seq, ts_ns)
        return finish(out, _put_cancel_reject(out, at, wire, execution, ts_ns), wire, session_id)
    at = begin(out, wire, session_id, 56, seq, ts_ns)
    at = _put_identity(out, at, execution)
    at = _put_terms(out, at, execution)
    at = _put_progress(out, at, execution)
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, precision)
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
    return finish(out, at, wire, session_id)


_DESK_QUOTE = fix_bytes("SI-DESK our price for your order is ")
_DESK_NEW = fix_bytes("SI-DESK with the desk, item ")


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
    tags = wire.sessions[execution["session"]]["out_tags"]
    if execution["improvement_e6"] != 0 and tags & OutTag.PRICE_IMPROVEMENT != 0:
        at = put_bytes(out, at, _T639)
        at = put_px(out, at, execution["improvement_e6"])
    if tags & OutTag.MATCH_TYPE != 0:
        at = put_bytes(out, at, _T574)
    if tags & OutTag.REGULATORY_SIDE != 0:
        at = put_bytes(out, at, _T2524)
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
    precision = wire.sessions[execution["session"]]["precision"]
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, precision)
    at = put_bytes(out, at, _T434)
    at = put_bytes(out, at, _T102)
    at = put_int(out, at, 1 if execution["reason"] == Reason.UNKNOWN_ORDER else 0)
    at = put_bytes(out, at, _T58)
    at = put_reason(out, at, execution, wire.date, wire.loop[0])
    return put_byte(out, at, SOH)
