"""Messages about orders (D, G, F, H, q, AF) to the engine's `order_event`.

What no rule can judge (a required tag missing, letters where digits belong) is a session-level
reject; what a rule can judge (zero, negative, overflowing, fractional) goes to the engine, which
rejects by name. Each reader fills `wire.event[0]` and answers `(SessionRejectReason or -1, tag)`.
"""

import numpy as np

from engine.enums import OrdType, Reason
from engine.jit import clear_record, inlined, njit, peek
from engine.limits import (
    CLORDID_SIZE_MAX,
    CLORDID_WORDS,
    INT64_MAX,
    ISIN_WORDS,
    QUOTE_REF_WORDS,
)
from gateway.echo import collect_request
from gateway.fix_read import (
    FORMAT_INCORRECT,
    REQUIRED_TAG_MISSING,
    VALUE_INCORRECT,
    has,
    is_printable,
    read_decimal,
    read_int,
    read_px_e6,
    read_qty,
    read_text,
)
from gateway.fix_time import DAY_NS, read_day, read_time

_GBP_PENCE = int.from_bytes(b"GBp", "little")  # FIX users write pence so; the engine says GBX
_GBX = int.from_bytes(b"GBX", "little")
_ISIN_SOURCE = 4  # SecurityIDSource(22)
_UNKNOWN_CODE = 15  # shown as '?': a code of more than one character


@njit
def read_order(wire, buffer, generation, session_id):
    """A NewOrderSingle."""
    event = wire.event[0]
    problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    if problem >= 0:
        return problem, tag
    return _read_terms(wire, buffer, generation, event)


@njit
def read_replace(wire, buffer, generation, session_id):
    """An OrderCancelReplaceRequest: the whole order anew, and which one it was."""
    event = wire.event[0]
    problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    if problem >= 0:
        return problem, tag
    problem, tag = _read_orig(wire, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    return _read_terms(wire, buffer, generation, event)


@inlined
def _read_terms(wire, buffer, generation, event):
    """Type, time in force, quantity, price and what goes with them."""
    fields = wire.fields
    if not has(fields, generation, 40):
        return REQUIRED_TAG_MISSING, 40
    if not has(fields, generation, 38):
        return REQUIRED_TAG_MISSING, 38
    if fields[40, 2] != 1:
        return VALUE_INCORRECT, 40
    event["ord_type"] = _char(buffer, fields, 40)
    event["tif"] = 0
    if has(fields, generation, 59):
        if fields[59, 2] != 1:
            return VALUE_INCORRECT, 59
        event["tif"] = _char(buffer, fields, 59)
    qty, good, defect = read_qty(buffer, fields[38, 1], fields[38, 2])
    if not good:
        return FORMAT_INCORRECT, 38
    event["qty"] = qty
    if defect != Reason.NONE:
        _set_defect(event, defect, qty)
    if has(fields, generation, 44):
        px, good, defect = read_px_e6(buffer, fields[44, 1], fields[44, 2])
        if not good:
            return FORMAT_INCORRECT, 44
        event["limit_px_e6"] = px
        if defect != Reason.NONE:
            _set_defect(event, defect, px)
    elif event["ord_type"] == OrdType.LIMIT:
        return REQUIRED_TAG_MISSING, 44
    if has(fields, generation, 15):
        event["currency"] = _currency(buffer, fields)
    if has(fields, generation, 2704):
        one = fields[2704, 2] == 1
        event["destination"] = _char(buffer, fields, 2704) if one else _UNKNOWN_CODE
    if has(fields, generation, 110):
        problem, tag = _read_min_qty(wire, buffer, event)
        if problem >= 0:
            return problem, tag
    if has(fields, generation, 126) or has(fields, generation, 432):
        problem, tag = _read_expiry(wire, buffer, generation, event)
        if problem >= 0:
            return problem, tag
    if event["ord_type"] > OrdType.LIMIT:
        return _read_special(wire, buffer, generation, event)
    return -1, 0


@inlined
def _set_defect(event, defect, value):
    """The first defect counts."""
    if event["defect"] == Reason.NONE:
        event["defect"] = defect
        event["defect_value"] = value


@njit
def _read_min_qty(wire, buffer, event):
    """MinQty(110); a fraction of a share is a defect of its own."""
    fields = wire.fields
    qty, good, defect = read_qty(buffer, fields[110, 1], fields[110, 2])
    if not good:
        return FORMAT_INCORRECT, 110
    event["min_qty"] = qty
    if defect != Reason.NONE:
        _set_defect(event, Reason.MIN_QTY, qty)
    return -1, 0


@njit
def _read_expiry(wire, buffer, generation, event):
    """ExpireTime(126), else the end of the day ExpireDate(432) in UTC."""
    fields = wire.fields
    if has(fields, generation, 126):
        expire_ns, good = read_time(buffer, fields[126, 1], fields[126, 2])
        event["expire_ns"] = expire_ns
        return (-1, 0) if good else (FORMAT_INCORRECT, 126)
    day, good = read_day(buffer, fields[432, 1])
    if not good or fields[432, 2] != 8:
        return FORMAT_INCORRECT, 432
    event["expire_ns"] = (day + 1) * DAY_NS
    return -1, 0


@njit
def _read_special(wire, buffer, generation, event):
    """What a pegged order is pegged to, which quote a previously quoted one takes."""
    fields = wire.fields
    if event["ord_type"] == OrdType.PEGGED:
        event["peg"] = 1 if _is_pegged_to_mid(wire, buffer, generation) else 0
    if event["ord_type"] == OrdType.PREVIOUSLY_QUOTED and has(fields, generation, 117):
        read_text(buffer, fields[117, 1], fields[117, 2], event["quote_ref"], QUOTE_REF_WORDS)
    return -1, 0


@njit
def _is_pegged_to_mid(wire, buffer, generation):
    """PegPriceType(1094)=2, or M in ExecInst(18); without PegOffsetValue(211)."""
    fields = wire.fields
    if has(fields, generation, 211):
        offset, good, exact = read_decimal(buffer, fields[211, 1], fields[211, 2], 6)
        if not good or not exact or offset != 0:
            return False
    if has(fields, generation, 1094):
        return fields[1094, 2] == 1 and _char(buffer, fields, 1094) == 2
    if not has(fields, generation, 18):
        return False
    start = fields[18, 1]
    for at in range(start, start + fields[18, 2]):
        if peek(buffer, at) == 77:
            return True
    return False


@njit
def read_cancel(wire, buffer, generation, session_id):
    """An OrderCancelRequest."""
    event = wire.event[0]
    problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    if problem >= 0:
        return problem, tag
    return _read_orig(wire, buffer, generation, event)


@njit
def _read_orig(wire, buffer, generation, event):
    """OrigClOrdID(41), or an OrderID(37) alone."""
    fields = wire.fields
    if has(fields, generation, 37):
        event["order_ref"] = _order_ref(buffer, fields)
    if has(fields, generation, 41):
        orig = event["orig_clordid"]
        read_text(buffer, fields[41, 1], fields[41, 2], orig, CLORDID_WORDS)
        if fields[41, 2] > CLORDID_SIZE_MAX:
            orig[0] = 0  # not one of ours, whatever it begins with
    elif event["order_ref"] == 0:
        return REQUIRED_TAG_MISSING, 41
    return -1, 0


@inlined
def _order_ref(buffer, fields):
    """OrderID(37) as our number; 0 where it is none of ours."""
    value, good = read_int(buffer, fields[37, 1], fields[37, 2])
    return value if good and 0 < value < INT64_MAX else 0


@njit
def read_status(wire, buffer, generation, session_id):
    """An OrderStatusRequest, by ClOrdID(11) or OrderID(37)."""
    fields = wire.fields
    event = wire.event[0]
    if has(fields, generation, 11):
        problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    else:
        _begin_event(wire, session_id, event)
        problem, tag = _read_instrument(wire, buffer, generation, event, 54)
    if problem >= 0:
        return problem, tag
    if has(fields, generation, 37):
        event["order_ref"] = _order_ref(buffer, fields)
    if not has(fields, generation, 11) and event["order_ref"] == 0:
        return REQUIRED_TAG_MISSING, 11
    if not collect_request(wire, buffer, generation, 790):
        return VALUE_INCORRECT, 790
    return -1, 0


@njit
def read_mass_cancel(wire, buffer, generation, session_id):
    """An OrderMassCancelRequest: MassCancelRequestType(530), security, side."""
    event = wire.event[0]
    _begin_event(wire, session_id, event)
    problem, tag = _read_clordid(wire, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    problem, tag = _read_scope(wire, buffer, generation, event, 530)
    if problem >= 0:
        return problem, tag
    return _read_instrument(wire, buffer, generation, event, 0)


@njit
def read_mass_status(wire, buffer, generation, session_id):
    """An OrderMassStatusRequest: MassStatusReqID(584), MassStatusReqType(585), security, side."""
    event = wire.event[0]
    _begin_event(wire, session_id, event)
    if not has(wire.fields, generation, 584):
        return REQUIRED_TAG_MISSING, 584
    if not collect_request(wire, buffer, generation, 584):
        return VALUE_INCORRECT, 584
    problem, tag = _read_scope(wire, buffer, generation, event, 585)
    if problem >= 0:
        return problem, tag
    return _read_instrument(wire, buffer, generation, event, 0)


@njit
def _read_scope(wire, buffer, generation, event, tag):
    """What a mass request is about; 1 to 7 is what every version of 530 and 585 knows.

    Parties (453) or target parties (1461) would narrow it: not done, so the whole is refused.
    """
    fields = wire.fields
    if not has(fields, generation, tag):
        return REQUIRED_TAG_MISSING, tag
    scope = _char(buffer, fields, tag)
    if fields[tag, 2] != 1 or scope < 1 or scope > 7:
        return VALUE_INCORRECT, tag
    event["scope"] = scope
    if has(fields, generation, 453) or has(fields, generation, 1461):
        event["defect"] = Reason.MASS_PARTIES
        event["defect_value"] = 453 if has(fields, generation, 453) else 1461
    return -1, 0


@inlined
def _begin_event(wire, session_id, event):
    clear_record(event)
    event["session"] = session_id
    event["client"] = wire.sessions[session_id]["client"]


@njit
def _read_identity(wire, buffer, generation, session_id, event):
    """ClOrdID(11), Side(54) and the instrument, which most of these messages carry."""
    _begin_event(wire, session_id, event)
    problem, tag = _read_clordid(wire, buffer, generation, event)
    if problem >= 0:
        return problem, tag
    return _read_instrument(wire, buffer, generation, event, 54)


@inlined
def _read_clordid(wire, buffer, generation, event):
    """ClOrdID(11)."""
    fields = wire.fields
    if not has(fields, generation, 11):
        return REQUIRED_TAG_MISSING, 11
    read_text(buffer, fields[11, 1], fields[11, 2], event["clordid"], CLORDID_WORDS)
    if fields[11, 2] > CLORDID_SIZE_MAX:
        event["defect"] = Reason.CLORDID_SIZE
        event["defect_value"] = fields[11, 2]
    if not _is_printable(buffer, fields, 11):
        return FORMAT_INCORRECT, 11
    return -1, 0


@inlined
def _read_instrument(wire, buffer, generation, event, required):
    """Side(54), `required` or not, and the ISIN in SecurityID(48) or else Symbol(55)."""
    fields = wire.fields
    if has(fields, generation, 54):
        if fields[54, 2] != 1:
            return VALUE_INCORRECT, 54
        event["side"] = _char(buffer, fields, 54)
    elif required != 0:
        return REQUIRED_TAG_MISSING, required
    tag = 48 if has(fields, generation, 48) else 55
    if has(fields, generation, tag):
        if not _is_printable(buffer, fields, tag):
            return FORMAT_INCORRECT, tag
        read_text(buffer, fields[tag, 1], fields[tag, 2], event["isin"], ISIN_WORDS)
    if tag == 48 and has(fields, generation, 22):
        source = _char(buffer, fields, 22) if fields[22, 2] == 1 else _UNKNOWN_CODE
        if source != _ISIN_SOURCE:
            _set_defect(event, Reason.ID_SOURCE, source)
    return -1, 0


@inlined
def _char(buffer, fields, tag):
    """A one-character code as its distance from '0': digits are themselves."""
    return int(buffer[fields[tag, 1]]) - 48


@inlined
def _currency(buffer, fields):
    """Currency(15) packed, pence as GBX."""
    code = 0
    for i in range(min(fields[15, 2], 8)):
        code |= np.int64(buffer[fields[15, 1] + i]) << (8 * i)
    return _GBX if code == _GBP_PENCE else code


@njit
def _is_printable(buffer, fields, tag):
    """Whether a text has no control bytes: packed text ends at a zero."""
    return is_printable(buffer, fields[tag, 1], fields[tag, 2])
