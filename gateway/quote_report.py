"""Quote reports to Quote(S), QuoteStatusReport(AI), QuoteRequestReject(AG) and QuoteCancel(Z).

FIX 4.2 has no AI and no AG: QuoteAcknowledgement(b) says what they would. Values are those of each
version's stock dictionary.
"""

import numpy as np

from engine.enums import ExecKind, GivenState, Reason, Zone
from engine.jit import inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS, QUOTE_REF_WORDS
from engine.reasons import WORDS
from gateway.execution_report import put_reason
from gateway.fix_write import (
    SOH,
    begin,
    finish,
    fix_bytes,
    put_byte,
    put_bytes,
    put_code,
    put_int,
    put_px,
    put_text,
    put_time,
)
from gateway.wire import OutTag, Version

_QUOTE, _CANCEL, _ACK = ord("S"), ord("Z"), ord("b")
_REJECT, _STATUS = ord("A") | ord("G") << 8, ord("A") | ord("I") << 8

_T131 = fix_bytes("131=")
_T117 = fix_bytes("117=")
_T117_NONE = fix_bytes("117=NONE|")
_T537 = fix_bytes("537=")
_T2706 = fix_bytes("2706=1|2707=0|2708=Y|")
_T298_1 = fix_bytes("298=1|")
_T298_5 = fix_bytes("298=5|")
_T295 = fix_bytes("295=1|")
_T146 = fix_bytes("146=1|")
_T658 = fix_bytes("658=")
_T300 = fix_bytes("300=")
_T297 = fix_bytes("297=")
_T55 = fix_bytes("55=")
_T48 = fix_bytes("48=")
_T22 = fix_bytes("22=4|")
_T55_UNKNOWN = fix_bytes("55=[N/A]|")
_T54 = fix_bytes("54=")
_T38 = fix_bytes("38=")
_T15 = fix_bytes("15=")
_T44 = fix_bytes("44=")
_T132 = fix_bytes("132=")
_T133 = fix_bytes("133=")
_T134 = fix_bytes("134=")
_T135 = fix_bytes("135=")
_T62 = fix_bytes("62=")
_T60 = fix_bytes("60=")
_T58 = fix_bytes("58=")
_EQUALS = ord("=")
_DESK_NEW = fix_bytes("SI-DESK with the desk, item ")

_REASONS = 128
#: QuoteRequestRejectReason(658), of FIX 4.4 and 5.0 SP2.
_REQUEST_REJECT = np.full(_REASONS, 99, np.int64)
#: QuoteRejectReason(300) of FIX 4.2, 0 where it has none that fits.
_ACK_REJECT = np.zeros(_REASONS, np.int64)
for _reason in Reason:
    for _start, _code, _ack in (
        ("SI-INST", 1, 1), ("SI-HOURS", 2, 2), ("SI-LIMIT", 3, 3), ("SI-SIZE", 3, 3),
        ("SI-LATE", 4, 4), ("SI-NOQUOTE", 8, 0), ("SI-DUP", 99, 6), ("SI-QUOTE", 99, 5),
    ):  # fmt: skip
        if WORDS[_reason].prefix.startswith(_start):
            _REQUEST_REJECT[_reason] = _code
            _ACK_REJECT[_reason] = _ack
for _reason in (
    Reason.KILLED_FIRM, Reason.KILLED_POOL, Reason.KILLED_CLIENT, Reason.KILLED_INSTRUMENT,
):  # fmt: skip
    _REQUEST_REJECT[_reason] = 99
_REQUEST_REJECT[Reason.DESK_DECLINED] = 10

#: QuoteStatus(297) of a state, by Version.
_QUOTE_STATUS = np.zeros((len(Version), len(GivenState)), np.int64)
for _state, _codes in (
    (GivenState.PENDING, (0, 10, 10)),
    (GivenState.OPEN, (0, 0, 16)),
    (GivenState.TAKEN, (1, 6, 21)),
    (GivenState.EXPIRED, (1, 7, 7)),
    (GivenState.PASSED, (1, 11, 11)),
    (GivenState.CANCELLED, (1, 1, 17)),
    (GivenState.DECLINED, (5, 5, 5)),
    (GivenState.WITHDRAWN, (1, 6, 17)),
    (GivenState.REPLACED, (1, 6, 17)),
    (GivenState.COUNTERED, (1, 6, 17)),
):
    _QUOTE_STATUS[:, _state] = _codes
_REJECTED, _NOT_FOUND = 5, 9

_STATE_TEXT_SIZES = np.zeros(len(GivenState), np.int64)
_STATE_TEXTS = np.zeros((len(GivenState), 48), np.uint8)
for _state, _text in (
    (GivenState.PENDING, "with the desk"), (GivenState.OPEN, "open"),
    (GivenState.TAKEN, "taken"), (GivenState.EXPIRED, "expired"),
    (GivenState.PASSED, "passed by you"), (GivenState.CANCELLED, "cancelled by you"),
    (GivenState.DECLINED, "declined by the desk"), (GivenState.WITHDRAWN, "withdrawn"),
    (GivenState.REPLACED, "replaced by a newer quote"), (GivenState.COUNTERED, "countered by you"),
):  # fmt: skip
    _line = f"SI-QUOTE {_text}".encode()
    _STATE_TEXTS[_state, : len(_line)] = np.frombuffer(_line, np.uint8)
    _STATE_TEXT_SIZES[_state] = len(_line)


@inlined
def is_sent(report):
    """Whether a message says it: a fill's ExecutionReport has said that a quote was taken."""
    return report["kind"] != ExecKind.QUOTE_TAKEN


@njit
def write_quote_report(out, wire, report, seq):
    """A quote report as a message of the session's version: `(start, size)` in `out`."""
    session_id = report["session"]
    version = wire.sessions[session_id]["version"]
    kind = report["kind"]
    ts_ns = report["ts_ns"]
    if kind == ExecKind.QUOTE_GIVEN:
        at = begin(out, wire, session_id, _QUOTE, seq, ts_ns)
        at = _put_quote(out, at, wire, report, version)
    elif kind == ExecKind.QUOTE_WITHDRAWN:
        at = begin(out, wire, session_id, _CANCEL, seq, ts_ns)
        at = _put_cancel(out, at, report, version)
    elif version == Version.FIX_4_2:
        at = begin(out, wire, session_id, _ACK, seq, ts_ns)
        at = _put_ack(out, at, wire, report)
    elif kind == ExecKind.QUOTE_REFUSED:
        at = begin(out, wire, session_id, _REJECT, seq, ts_ns)
        at = _put_reject(out, at, wire, report)
    else:
        at = begin(out, wire, session_id, _STATUS, seq, ts_ns)
        at = _put_status(out, at, wire, report, version)
    return finish(out, at, wire, session_id)


@njit
def _put_quote(out, at, wire, report, version):
    session = wire.sessions[report["session"]]
    at = _put_names(out, at, report)
    if version != Version.FIX_4_2:
        at = _put_number(out, at, _T537, 1)  # tradeable: absent would mean indicative
        above = report["zone"] == Zone.DISCRETIONARY or report["zone"] == Zone.LARGE_IN_SCALE
        if above and session["out_tags"] & OutTag.QUOTE_ATTRIBUTES != 0:
            at = put_bytes(out, at, _T2706)  # above standard market size: not made public
    at = _put_instrument(out, at, report)
    if version != Version.FIX_4_2 and report["side"] != 0:
        at = put_byte(out, put_byte(out, put_bytes(out, at, _T54), report["side"] + 48), SOH)
    at = _put_currency(out, at, report)
    at = _put_prices(out, at, wire, report, session["precision"])
    return _put_now(out, at, wire, report, session["precision"])


@njit
def _put_cancel(out, at, report, version):
    """Our firm quote is withdrawn. FIX 5.0 SP2 can name one quote, the others its instrument."""
    at = _put_names(out, at, report)
    if version == Version.FIX_5_0_SP2:
        return put_bytes(out, at, _T298_5)
    at = put_bytes(out, at, _T298_1)
    at = put_bytes(out, at, _T295)
    return _put_instrument(out, at, report)


@njit
def _put_reject(out, at, wire, report):
    at = _put_req_id(out, at, report)
    at = _put_number(out, at, _T658, _REQUEST_REJECT[report["reason"]])
    at = put_bytes(out, at, _T146)
    at = _put_instrument(out, at, report)
    at = _put_terms(out, at, report)
    return _put_words(out, at, wire, report)


@njit
def _put_ack(out, at, wire, report):
    """QuoteAcknowledgement(b) of FIX 4.2."""
    at = _put_req_id(out, at, report)
    if report["quote_ref"][0] != 0:
        at = put_bytes(out, at, _T117)
        at = put_byte(out, put_text(out, at, report["quote_ref"], QUOTE_REF_WORDS), SOH)
    status = _status(report, Version.FIX_4_2)
    at = _put_number(out, at, _T297, status)
    if status == _REJECTED and _ACK_REJECT[report["reason"]] != 0:
        at = _put_number(out, at, _T300, _ACK_REJECT[report["reason"]])
    return _put_words(out, at, wire, report)


@njit
def _put_status(out, at, wire, report, version):
    precision = wire.sessions[report["session"]]["precision"]
    if report["answer_tag"] != 0:
        at = put_byte(out, put_int(out, at, report["answer_tag"]), _EQUALS)
        at = put_byte(out, put_text(out, at, report["answer_id"], CLORDID_WORDS), SOH)
    at = _put_names(out, at, report)
    if report["counter"] != 0:
        at = _put_number(out, at, _T537, 3)
    at = _put_instrument(out, at, report)
    at = _put_terms(out, at, report)
    if report["counter"] != 0:
        at = put_byte(out, put_px(out, put_bytes(out, at, _T44), report["limit_px_e6"]), SOH)
    at = _put_prices(out, at, wire, report, precision)
    at = _put_now(out, at, wire, report, precision)
    at = _put_number(out, at, _T297, _status(report, version))
    return _put_words(out, at, wire, report)


@njit
def _status(report, version):
    """QuoteStatus(297): of the quote, or of a message that did nothing."""
    kind = report["kind"]
    if kind == ExecKind.QUOTE_REFUSED:
        return _REJECTED
    if kind == ExecKind.QUOTE_NOT_TAKEN or kind == ExecKind.QUOTE_STATUS:
        if report["reason"] == Reason.QUOTE_UNKNOWN:
            return _REJECTED if version == Version.FIX_4_2 else _NOT_FOUND
    if kind == ExecKind.QUOTE_NOT_TAKEN:
        if report["reason"] == Reason.QUOTE_EXPIRED:
            return _QUOTE_STATUS[version, GivenState.EXPIRED]
        return _REJECTED
    return _QUOTE_STATUS[version, report["given_state"]]


# --- fields -----------------------------------------------------------------------------------


@inlined
def _put_number(out, at, name, value):
    return put_byte(out, put_int(out, put_bytes(out, at, name), value), SOH)


@njit
def _put_req_id(out, at, report):
    if report["quote_req_id"][0] == 0:
        return at
    at = put_text(out, put_bytes(out, at, _T131), report["quote_req_id"], CLORDID_WORDS)
    return put_byte(out, at, SOH)


@njit
def _put_names(out, at, report):
    """QuoteReqID(131) and QuoteID(117); the latter is required everywhere but in FIX 5.0."""
    at = _put_req_id(out, at, report)
    if report["quote_ref"][0] == 0:
        return put_bytes(out, at, _T117_NONE)
    at = put_text(out, put_bytes(out, at, _T117), report["quote_ref"], QUOTE_REF_WORDS)
    return put_byte(out, at, SOH)


@njit
def _put_instrument(out, at, report):
    if report["isin"][0] == 0:
        return put_bytes(out, at, _T55_UNKNOWN)
    at = put_text(out, put_bytes(out, at, _T55), report["isin"], ISIN_WORDS)
    at = put_bytes(out, put_byte(out, at, SOH), _T48)
    at = put_text(out, at, report["isin"], ISIN_WORDS)
    return put_bytes(out, put_byte(out, at, SOH), _T22)


@njit
def _put_terms(out, at, report):
    """What the client asked for."""
    side = report["side"]
    if side == 1 or side == 2 or side == 5:  # a side that is refused may be none of FIX's
        at = put_byte(out, put_byte(out, put_bytes(out, at, _T54), side + 48), SOH)
    if report["qty"] > 0:
        at = _put_number(out, at, _T38, report["qty"])
    return _put_currency(out, at, report)


@njit
def _put_currency(out, at, report):
    if report["currency"] == 0:
        return at
    return put_byte(out, put_code(out, put_bytes(out, at, _T15), report["currency"]), SOH)


@njit
def _put_prices(out, at, wire, report, precision):
    """Our prices, and until when they are firm if they still are."""
    bids = report["bid_qty"] > 0
    offers = report["offer_qty"] > 0
    if bids:
        at = put_byte(out, put_px(out, put_bytes(out, at, _T132), report["bid_px_e6"]), SOH)
    if offers:
        at = put_byte(out, put_px(out, put_bytes(out, at, _T133), report["offer_px_e6"]), SOH)
    if bids:
        at = _put_number(out, at, _T134, report["bid_qty"])
    if offers:
        at = _put_number(out, at, _T135, report["offer_qty"])
    if report["given_state"] == GivenState.OPEN:
        at = put_bytes(out, at, _T62)
        until_ns = report["valid_until_ns"]
        at = put_time(out, at, wire.date, wire.loop[0], until_ns, precision)
        at = put_byte(out, at, SOH)
    return at


@njit
def _put_now(out, at, wire, report, precision):
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], report["ts_ns"], precision)
    return put_byte(out, at, SOH)


@njit
def _put_words(out, at, wire, report):
    """Text(58): the reason, or what state the quote is in."""
    at = put_bytes(out, at, _T58)
    if report["reason"] != Reason.NONE:
        at = put_reason(out, at, report, wire.date, wire.loop[0])
    elif report["kind"] == ExecKind.QUOTE_PENDING:
        at = put_int(out, put_bytes(out, at, _DESK_NEW), report["desk_item"])
    else:
        state = report["given_state"]
        at = put_bytes(out, at, _STATE_TEXTS[state][: _STATE_TEXT_SIZES[state]])
    return put_byte(out, at, SOH)
