"""NewOrderSingle(D), OrderCancelRequest(F) and OrderStatusRequest(H) to the engine's `order_event`.

What no rule can judge (a required tag missing, letters where digits belong) is a session-level
reject; what a rule can judge (zero, negative, overflowing, fractional) goes to the engine, which
rejects by name.
"""

import numpy as np

from engine.enums import Reason
from engine.jit import clear_record, inlined, njit, peek
from engine.limits import CLORDID_SIZE_MAX, CLORDID_WORDS, ISIN_WORDS
from gateway.fix_read import (
    FORMAT_INCORRECT,
    REQUIRED_TAG_MISSING,
    VALUE_INCORRECT,
    has,
    read_px_e6,
    read_qty,
    read_text,
)

_GBP_PENCE = int.from_bytes(b"GBp", "little")  # FIX users write pence so; the engine says GBX
_GBX = int.from_bytes(b"GBX", "little")


@njit
def read_order(wire, buffer, generation, session_id):
    """Fill `wire.event[0]` from a NewOrderSingle: `(SessionRejectReason or -1, tag)`."""
    fields = wire.fields
    event = wire.event[0]
    problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    if problem >= 0:
        return problem, tag
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
        event["defect"] = defect
        event["defect_value"] = qty
    if has(fields, generation, 44):
        px, good, defect = read_px_e6(buffer, fields[44, 1], fields[44, 2])
        if not good:
            return FORMAT_INCORRECT, 44
        event["limit_px_e6"] = px
        if defect != Reason.NONE and event["defect"] == Reason.NONE:
            event["defect"] = defect
            event["defect_value"] = px
    elif event["ord_type"] == 2:
        return REQUIRED_TAG_MISSING, 44
    if has(fields, generation, 15):
        event["currency"] = _currency(buffer, fields)
    return -1, 0


@njit
def read_cancel(wire, buffer, generation, session_id):
    """Fill `wire.event[0]` from an OrderCancelRequest: `(SessionRejectReason or -1, tag)`."""
    event = wire.event[0]
    problem, tag = _read_identity(wire, buffer, generation, session_id, event)
    if problem >= 0:
        return problem, tag
    if not has(wire.fields, generation, 41):
        return REQUIRED_TAG_MISSING, 41
    read_text(buffer, wire.fields[41, 1], wire.fields[41, 2], event["orig_clordid"], CLORDID_WORDS)
    return -1, 0


@njit
def read_status(wire, buffer, generation, session_id):
    """Fill `wire.event[0]` from an OrderStatusRequest: `(SessionRejectReason or -1, tag)`."""
    return _read_identity(wire, buffer, generation, session_id, wire.event[0])


@njit
def _read_identity(wire, buffer, generation, session_id, event):
    """ClOrdID(11), Side(54) and the instrument, which all three messages carry."""
    fields = wire.fields
    clear_record(event)
    event["session"] = session_id
    event["client"] = wire.sessions[session_id]["client"]
    if not has(fields, generation, 11):
        return REQUIRED_TAG_MISSING, 11
    read_text(buffer, fields[11, 1], fields[11, 2], event["clordid"], CLORDID_WORDS)
    if fields[11, 2] > CLORDID_SIZE_MAX:
        event["defect"] = Reason.CLORDID_SIZE
        event["defect_value"] = fields[11, 2]
    if not has(fields, generation, 54):
        return REQUIRED_TAG_MISSING, 54
    if fields[54, 2] != 1:
        return VALUE_INCORRECT, 54
    event["side"] = _char(buffer, fields, 54)
    if not _is_printable(buffer, fields, 11):
        return FORMAT_INCORRECT, 11
    tag = 48 if has(fields, generation, 48) else 55
    if has(fields, generation, tag):
        if not _is_printable(buffer, fields, tag):
            return FORMAT_INCORRECT, tag
        read_text(buffer, fields[tag, 1], fields[tag, 2], event["isin"], ISIN_WORDS)
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
    start = fields[tag, 1]
    for i in range(start, start + fields[tag, 2]):
        if peek(buffer, i) < 32:
            return False
    return True
