"""A client's report as a drop copy consumer gets it: its own header, the same body."""

from __future__ import annotations

from gateway import fix_message as fm
from gateway.drop_copy_config import DropCopySession
from gateway.fix_pairs import first_values, split

#: StandardHeader and StandardTrailer of every version: those of the client's session do not go on.
_HEADER = {
    8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143, 144, 145,
    212, 213, 347, 369, 370, 627, 628, 629, 630, 1128, 1129, 1156, 10, 89, 93,
}  # fmt: skip


def header_of(config: DropCopySession) -> fm.Header:
    """What a configured session's messages begin with."""
    return fm.Header(config.begin_string, config.sender_comp_id, config.target_comp_id)


def copy_of(raw: bytes, header: fm.Header, seq: int, ts_ns: int) -> bytes:
    """A report for the consumer.

    OnBehalfOfCompID(115) is the CompID of the client who was sent it. CopyMsgIndicator(797)=Y
    stands in an ExecutionReport(8) of FIX 4.3 and later; OrderCancelReject(9) has no such field.
    """
    pieces = split(raw)
    values = first_values(pieces)
    body: fm.Fields = [(each.tag, each.value) for each in pieces if each.tag not in _HEADER]
    if values[35] == "8" and header.begin != "FIX.4.2":
        body = [(797, "Y"), *((tag, value) for tag, value in body if tag != 797)]
    return fm.write(values[35], header, seq, ts_ns, body, [(115, values[56])])
