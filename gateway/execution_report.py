"""Executions to ExecutionReport(8), OrderCancelReject(9) and OrderMassCancelReport(r).

Also a reason to its Text(58). What differs by FIX version is in `report_codes.py`.
"""

import numpy as np

from engine.checks import has_limit
from engine.enums import ExecKind, OrderState, Reason
from engine.jit import copy_bytes, inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS
from engine.reasons import WORDS, Unit
from gateway.echo import ECHO
from gateway.fix_write import (
    SOH,
    begin,
    finish,
    fix_bytes,
    put_amount,
    put_byte,
    put_bytes,
    put_code,
    put_int,
    put_px,
    put_text,
    put_time,
)
from gateway.report_codes import (
    CXL_REJ_REASON,
    EXEC_TYPE,
    MASS_REJ_REASON,
    ORD_REJ_REASON,
    ORD_STATUS,
    ORD_TYPES,
    REASONS_MAX,
    TIMES_IN_FORCE,
)
from gateway.wire import TEXT_SIZE, OutTag, Version

_T37 = fix_bytes("37=")
_T17 = fix_bytes("|17=")
_T11 = fix_bytes("|11=")
_T41 = fix_bytes("|41=")
_T150 = fix_bytes("|150=")
_T39 = fix_bytes("|39=")
_T55 = fix_bytes("|55=")
_T48 = fix_bytes("|48=")
_T22 = fix_bytes("|22=4")
_T20 = fix_bytes("|20=")
_T911 = fix_bytes("|911=")
_T912 = fix_bytes("|912=")
_T37_MASS = fix_bytes("37=M")
_T1369 = fix_bytes("|1369=M")
_T530 = fix_bytes("|530=")
_T531 = fix_bytes("|531=")
_T532 = fix_bytes("|532=")
_T533 = fix_bytes("|533=")
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
_T434 = fix_bytes("|434=")
_NONE = fix_bytes("NONE")
_UNKNOWN = fix_bytes("[N/A]")

_PRICE_IMPROVEMENT = int(OutTag.PRICE_IMPROVEMENT)  # compiled code does not take an IntFlag
_MATCH_TYPE = int(OutTag.MATCH_TYPE)
_REGULATORY_SIDE = int(OutTag.REGULATORY_SIDE)

_TEXT_SIZES = np.zeros(REASONS_MAX, np.int64)
_TEXTS = np.zeros((REASONS_MAX, 96), np.uint8)
_LIMIT_SIZES = np.zeros(REASONS_MAX, np.int64)
_LIMITS = np.zeros((REASONS_MAX, 16), np.uint8)
_UNITS = np.zeros(REASONS_MAX, np.int64)
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
        return put_code(out, at, value)
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
    """An execution as the message of its kind: `(start, size)` in `out`.

    `wire.echo` and `wire.request` hold what the client said that comes back.
    """
    session_id = execution["session"]
    ts_ns = execution["ts_ns"]
    kind = execution["kind"]
    if kind == ExecKind.CANCEL_REJECTED or kind == ExecKind.REPLACE_REJECTED:
        at = begin(out, wire, session_id, _CANCEL_REJECT, seq, ts_ns)
        return finish(out, _put_cancel_reject(out, at, wire, execution, ts_ns), wire, session_id)
    if kind == ExecKind.MASS_CANCEL:
        at = begin(out, wire, session_id, _MASS_REPORT, seq, ts_ns)
        return finish(out, _put_mass_report(out, at, wire, execution, ts_ns), wire, session_id)
    session = wire.sessions[session_id]
    at = begin(out, wire, session_id, _EXECUTION_REPORT, seq, ts_ns)
    at = _put_identity(out, at, session, execution)
    if wire.loop[0]["request_size"] > 0 and session["version"] != Version.FIX_4_2:
        at = _put_request(out, at, wire, execution)
    at = _put_terms(out, at, session["version"], execution)
    if wire.loop[0]["echo_size"] > 0 and session["out_tags"] & ECHO != 0:
        size = wire.loop[0]["echo_size"]
        copy_bytes(out, at, wire.echo, 0, size)
        at += size
    at = _put_progress(out, at, execution)
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, session["precision"])
    if kind == ExecKind.FILL:
        at = _put_fill(out, at, wire, execution)
    if execution["reason"] != Reason.NONE:
        at = _put_refusal(out, at, wire, execution)
    elif kind == ExecKind.DESK_QUOTE:
        at = put_bytes(out, at, _T58)
        at = put_bytes(out, at, _DESK_QUOTE)
        at = put_px(out, at, execution["last_px_e6"])
    elif kind == ExecKind.NEW or kind == ExecKind.REPLACED:
        at = put_bytes(out, at, _T58)
        at = put_bytes(out, at, _DESK_NEW)
        at = put_int(out, at, execution["desk_item"])
    at = put_byte(out, at, SOH)
    return finish(out, at, wire, session_id)


_EXECUTION_REPORT, _CANCEL_REJECT, _MASS_REPORT = 56, 57, 114  # MsgType(35)
_DESK_QUOTE = fix_bytes("SI-DESK our price for your order is ")
_DESK_NEW = fix_bytes("SI-DESK with the desk, item ")


@inlined
def _put_order_id(out, at, execution):
    at = put_bytes(out, at, _T37)
    if execution["order_id"] > 0:
        return put_int(out, at, execution["order_id"])
    return put_bytes(out, at, _NONE)


@inlined
def _put_identity(out, at, session, execution):
    at = _put_order_id(out, at, execution)
    at = put_bytes(out, at, _T17)
    at = put_int(out, at, execution["exec_id"])
    if execution["clordid"][0] != 0:
        at = put_bytes(out, at, _T11)
        at = put_text(out, at, execution["clordid"], CLORDID_WORDS)
    if execution["orig_clordid"][0] != 0:
        at = put_bytes(out, at, _T41)
        at = put_text(out, at, execution["orig_clordid"], CLORDID_WORDS)
    status = np.int64(ORD_STATUS[execution["order_state"]])
    exec_type = np.int64(EXEC_TYPE[execution["kind"]])
    if session["version"] == Version.FIX_4_2:
        at = put_bytes(out, at, _T20)
        at = put_byte(out, at, 51 if exec_type == _STATUS_TYPE else 48)
        status = _status_42(execution, status)
        if exec_type in (_STATUS_TYPE, _TRADE_TYPE):
            exec_type = status
    elif exec_type == _TRADE_TYPE and session["fill_style"] != 0:
        exec_type = status
    at = put_bytes(out, at, _T150)
    at = put_byte(out, at, exec_type)
    at = put_bytes(out, at, _T39)
    return put_byte(out, at, status)


_STATUS_TYPE, _TRADE_TYPE, _REPLACED_STATUS = 73, 70, 53  # I, F, 5


@inlined
def _status_42(execution, status):
    """FIX 4.2 has an OrdStatus(39) Replaced, under a partial fill (volume 4, appendix D)."""
    if execution["kind"] == ExecKind.REPLACED and execution["order_state"] == OrderState.NEW:
        return _REPLACED_STATUS
    return status


@njit
def _put_request(out, at, wire, execution):
    """The id of a status request; of a mass status also how many reports, and which is the last."""
    size = wire.loop[0]["request_size"]
    copy_bytes(out, at, wire.request, 0, size)
    at += size
    if execution["kind"] == ExecKind.MASS_STATUS:
        at = put_bytes(out, at, _T911)
        at = put_int(out, at, execution["total"])
        at = put_bytes(out, at, _T912)
        at = put_byte(out, at, 89 if execution["last"] != 0 else 78)
    return at


@inlined
def _put_instrument(out, at, execution):
    at = put_bytes(out, at, _T55)
    if execution["isin"][0] == 0:
        return put_bytes(out, at, _UNKNOWN)
    at = put_text(out, at, execution["isin"], ISIN_WORDS)
    at = put_bytes(out, at, _T48)
    at = put_text(out, at, execution["isin"], ISIN_WORDS)
    return put_bytes(out, at, _T22)


@inlined
def _put_terms(out, at, version, execution):
    at = _put_instrument(out, at, execution)
    at = put_bytes(out, at, _T54)
    at = put_byte(out, at, execution["side"] + 48 if execution["side"] != 0 else _UNDISCLOSED)
    at = put_bytes(out, at, _T38)
    at = put_int(out, at, execution["qty"])
    code = execution["ord_type"] + 48
    if execution["ord_type"] != 0 and code & 127 == code and ORD_TYPES[version, code] != 0:
        at = put_bytes(out, at, _T40)
        at = put_byte(out, at, code)
    if has_limit(execution):
        at = put_bytes(out, at, _T44)
        at = put_px(out, at, execution["limit_px_e6"])
    code = execution["tif"] + 48
    if code & 127 == code and TIMES_IN_FORCE[version, code] != 0:
        at = put_bytes(out, at, _T59)
        at = put_byte(out, at, code)
    if execution["currency"] != 0:
        at = put_bytes(out, at, _T15)
        at = put_code(out, at, execution["currency"])
    return at


_UNDISCLOSED = 55  # Side(54)=7: a report must have one


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
    if execution["improvement_e6"] != 0 and tags & _PRICE_IMPROVEMENT != 0:
        at = put_bytes(out, at, _T639)
        at = put_px(out, at, execution["improvement_e6"])
    if tags & _MATCH_TYPE != 0:
        at = put_bytes(out, at, _T574)
    if tags & _REGULATORY_SIDE != 0:
        at = put_bytes(out, at, _T2524)
        at = put_byte(out, at, 50 if execution["side"] == 1 else 51)
    return at


@njit
def _put_refusal(out, at, wire, execution):
    if execution["kind"] == ExecKind.REJECTED:
        at = put_bytes(out, at, _T103)
        version = wire.sessions[execution["session"]]["version"]
        at = put_int(out, at, ORD_REJ_REASON[version, execution["reason"]])
    at = put_bytes(out, at, _T58)
    return put_reason(out, at, execution, wire.date, wire.loop[0])


@njit
def _put_cancel_reject(out, at, wire, execution, ts_ns):
    """Of a cancel (434=1) or of a replace (434=2)."""
    at = _put_order_id(out, at, execution)
    at = put_bytes(out, at, _T11)
    at = put_text(out, at, execution["clordid"], CLORDID_WORDS)
    at = put_bytes(out, at, _T41)
    if execution["orig_clordid"][0] != 0:
        at = put_text(out, at, execution["orig_clordid"], CLORDID_WORDS)
    else:
        at = put_bytes(out, at, _NONE)
    at = put_bytes(out, at, _T39)
    at = put_byte(out, at, ORD_STATUS[execution["order_state"]])
    session = wire.sessions[execution["session"]]
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, session["precision"])
    at = put_bytes(out, at, _T434)
    at = put_byte(out, at, 49 if execution["kind"] == ExecKind.CANCEL_REJECTED else 50)
    at = put_bytes(out, at, _T102)
    at = put_int(out, at, CXL_REJ_REASON[session["version"], execution["reason"]])
    at = put_bytes(out, at, _T58)
    at = put_reason(out, at, execution, wire.date, wire.loop[0])
    return put_byte(out, at, SOH)


@njit
def _put_mass_report(out, at, wire, execution, ts_ns):
    """OrderMassCancelReport: what was asked for, what was done (531, 0: nothing), how many."""
    done = execution["reason"] == Reason.NONE
    session = wire.sessions[execution["session"]]
    at = put_bytes(out, at, _T37_MASS)
    at = put_int(out, at, execution["exec_id"])
    if session["version"] == Version.FIX_5_0_SP2:
        at = put_bytes(out, at, _T1369)
        at = put_int(out, at, execution["exec_id"])
    at = put_bytes(out, at, _T11)
    at = put_text(out, at, execution["clordid"], CLORDID_WORDS)
    at = put_bytes(out, at, _T530)
    at = put_int(out, at, execution["scope"])
    at = put_bytes(out, at, _T531)
    at = put_int(out, at, execution["scope"] if done else 0)
    if done:
        at = put_bytes(out, at, _T533)
        at = put_int(out, at, execution["total"])
    else:
        at = put_bytes(out, at, _T532)
        at = put_int(out, at, MASS_REJ_REASON[execution["reason"]])
    if execution["isin"][0] != 0:
        at = _put_instrument(out, at, execution)
    if execution["side"] != 0:
        at = put_bytes(out, at, _T54)
        at = put_byte(out, at, execution["side"] + 48)
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, session["precision"])
    if not done:
        at = put_bytes(out, at, _T58)
        at = put_reason(out, at, execution, wire.date, wire.loop[0])
    return put_byte(out, at, SOH)
