"""QuoteRequest(R), QuoteResponse(AJ), QuoteCancel(Z), QuoteStatusRequest(a) to a `quote_event`.

As with orders: what no rule can judge is a session-level reject, what a rule can judge goes to the
engine, which refuses by name.
"""

from engine.enums import OrdType, QuoteAction, QuoteRespType, Reason, Tif
from engine.jit import clear_record, inlined, njit
from engine.limits import CLORDID_SIZE_MAX, CLORDID_WORDS, ISIN_WORDS, QUOTE_REF_WORDS
from gateway.fix_read import (
    FORMAT_INCORRECT,
    REQUIRED_TAG_MISSING,
    VALUE_INCORRECT,
    has,
    read_int,
    read_px_e6,
    read_qty,
    read_text,
)
from gateway.fix_time import read_time
from gateway.order_entry import _char, _currency, _is_printable
from gateway.wire import Version

#: MsgType(35) as a number, the first letter in the lowest byte.
REQUEST, CANCEL, STATUS, RESPONSE = ord("R"), ord("Z"), ord("a"), ord("A") | ord("J") << 8


@inlined
def is_quote_message(msg_type, version):
    """Whether a message is about quotes on request; QuoteResponse(AJ) came with FIX 4.3."""
    if msg_type == RESPONSE:
        return version != Version.FIX_4_2
    return msg_type in (REQUEST, CANCEL, STATUS)


@njit
def read_quote_message(wire, buffer, generation, session_id, msg_type):
    """Fill `wire.quote_event[0]` from one of the four: `(SessionRejectReason or -1, tag)`."""
    event = wire.quote_event[0]
    clear_record(event)
    event["session"] = session_id
    event["client"] = wire.sessions[session_id]["client"]
    problem, tag = _read_names(wire.fields, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    if msg_type == REQUEST:
        return _read_request(wire.fields, buffer, generation, event)
    if msg_type == RESPONSE:
        return _read_response(wire.fields, buffer, generation, event)
    event["action"] = QuoteAction.STATUS
    if msg_type == CANCEL:
        event["action"] = QuoteAction.CANCEL
        return _need_name(wire.fields, generation)
    return _read_answer_id(wire.fields, buffer, generation, 649, event)


@njit
def _read_names(fields, buffer, generation, event):
    """QuoteID(117), QuoteReqID(131) and the instrument, where they are given."""
    for tag in (117, 131, 48, 55):
        if has(fields, generation, tag) and not _is_printable(buffer, fields, tag):
            return FORMAT_INCORRECT, tag
    if has(fields, generation, 117):
        read_text(buffer, fields[117, 1], fields[117, 2], event["quote_ref"], QUOTE_REF_WORDS)
    if has(fields, generation, 131):
        read_text(buffer, fields[131, 1], fields[131, 2], event["quote_req_id"], CLORDID_WORDS)
    by_isin = has(fields, generation, 48) and (
        not has(fields, generation, 22)
        or (fields[22, 2] == 1 and buffer[fields[22, 1]] == 52)  # SecurityIDSource(22)=4
    )
    tag = 48 if by_isin else 55
    if has(fields, generation, tag):
        read_text(buffer, fields[tag, 1], fields[tag, 2], event["isin"], ISIN_WORDS)
    return -1, 0


@njit
def _need_name(fields, generation):
    """What names the quote that a QuoteCancel(Z) is about."""
    if has(fields, generation, 117) or has(fields, generation, 131):
        return -1, 0
    return REQUIRED_TAG_MISSING, 117


@njit
def _read_request(fields, buffer, generation, event):
    """QuoteRequest(R): one instrument, a quantity, a side or both."""
    event["action"] = QuoteAction.REQUEST
    if not has(fields, generation, 131):
        return REQUIRED_TAG_MISSING, 131
    if not has(fields, generation, 146):
        return REQUIRED_TAG_MISSING, 146
    symbols, good = read_int(buffer, fields[146, 1], fields[146, 2])
    if not good:
        return FORMAT_INCORRECT, 146
    problem, tag = _read_terms(fields, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    if has(fields, generation, 126):
        until_ns, good = read_time(buffer, fields[126, 1], fields[126, 2])
        if not good:
            return FORMAT_INCORRECT, 126
        event["until_ns"] = until_ns
    if symbols != 1:
        _set_defect(event, Reason.RELATED_SYMS, symbols)
    if fields[131, 2] > CLORDID_SIZE_MAX:
        _set_defect(event, Reason.QUOTEREQID_SIZE, fields[131, 2])
    return -1, 0


@njit
def _read_response(fields, buffer, generation, event):
    """QuoteResponse(AJ): which quote, what of it; a hit and a counter have an order's fields."""
    event["action"] = QuoteAction.RESPONSE
    if not has(fields, generation, 693):
        return REQUIRED_TAG_MISSING, 693
    if not has(fields, generation, 694):
        return REQUIRED_TAG_MISSING, 694
    kind, good = read_int(buffer, fields[694, 1], fields[694, 2])
    if not good:
        return FORMAT_INCORRECT, 694
    event["resp_type"] = kind
    problem, tag = _read_answer_id(fields, buffer, generation, 693, event)
    if problem >= 0:
        return problem, tag
    if kind != QuoteRespType.HIT and kind != QuoteRespType.COUNTER:
        return _need_name(fields, generation)
    for needed in (117, 11, 54, 38):
        if not has(fields, generation, needed):
            return REQUIRED_TAG_MISSING, needed
    if not _is_printable(buffer, fields, 11):
        return FORMAT_INCORRECT, 11
    read_text(buffer, fields[11, 1], fields[11, 2], event["clordid"], CLORDID_WORDS)
    problem, tag = _read_terms(fields, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    event["tif"] = Tif.IOC
    event["ord_type"] = OrdType.PREVIOUSLY_QUOTED
    if kind == QuoteRespType.COUNTER:
        event["ord_type"] = OrdType.LIMIT
    problem, tag = _read_px(fields, buffer, generation, event, kind == QuoteRespType.COUNTER)
    if fields[11, 2] > CLORDID_SIZE_MAX:
        _set_defect(event, Reason.CLORDID_SIZE, fields[11, 2])
    return problem, tag


@njit
def _read_px(fields, buffer, generation, event, needed):
    """Price(44), or the client's BidPx(132) or OfferPx(133) when it buys or sells."""
    tag = 44
    if not has(fields, generation, 44):
        tag = 132 if event["side"] == 1 else 133
    if not has(fields, generation, tag):
        return (REQUIRED_TAG_MISSING, 44) if needed else (-1, 0)
    px, good, defect = read_px_e6(buffer, fields[tag, 1], fields[tag, 2])
    if not good:
        return FORMAT_INCORRECT, tag
    event["limit_px_e6"] = px
    if defect != Reason.NONE and event["defect"] == Reason.NONE:
        _set_defect(event, defect, px)
    return -1, 0


@njit
def _read_terms(fields, buffer, generation, event):
    """Side(54), OrderQty(38), Currency(15), as far as they are given."""
    if has(fields, generation, 54):
        if fields[54, 2] != 1:
            return VALUE_INCORRECT, 54
        event["side"] = _char(buffer, fields, 54)
        if event["side"] == 0:  # for us 0 is both sides, for FIX it is nothing
            return VALUE_INCORRECT, 54
    if has(fields, generation, 38):
        qty, good, defect = read_qty(buffer, fields[38, 1], fields[38, 2])
        if not good:
            return FORMAT_INCORRECT, 38
        event["qty"] = qty
        if defect != Reason.NONE:
            _set_defect(event, defect, qty)
    if has(fields, generation, 15):
        event["currency"] = _currency(buffer, fields)
    return -1, 0


@njit
def _read_answer_id(fields, buffer, generation, tag, event):
    """The client's own name for its message, given back in the answer; at most 64 characters."""
    if has(fields, generation, tag):
        if not _is_printable(buffer, fields, tag):
            return FORMAT_INCORRECT, tag
        if fields[tag, 2] > CLORDID_SIZE_MAX:
            return VALUE_INCORRECT, tag
        read_text(buffer, fields[tag, 1], fields[tag, 2], event["answer_id"], CLORDID_WORDS)
    return -1, 0


@inlined
def _set_defect(event, reason, value):
    event["defect"] = reason
    event["defect_value"] = value
