"""A client's report as a drop copy consumer gets it: its own header, the same body."""

from __future__ import annotations

from typing import NamedTuple

from gateway import fix_message as fm
from gateway.drop_copy_config import DropCopySession
from gateway.fix_pairs import Piece, first_values, framed, join, piece, split

#: StandardHeader and StandardTrailer of every version: those of the client's session do not go on.
_HEADER = {
    8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143, 144, 145,
    212, 213, 347, 369, 370, 627, 628, 629, 630, 1128, 1129, 1156, 10, 89, 93,
}  # fmt: skip


class Header(NamedTuple):
    """What a session's messages begin with."""

    begin: str
    ours: str
    theirs: str

    def message(
        self, msg_type: str, seq: int, ts_ns: int, fields: list[Piece], *, first: str = ""
    ) -> bytes:
        """A whole message; `first`: OnBehalfOfCompID(115), a field of the header."""
        head = [piece(35, msg_type), piece(34, seq), piece(49, self.ours), piece(56, self.theirs)]
        head.append(piece(52, fm.stamp(ts_ns)))
        if first:
            head.append(piece(115, first))
        return framed(self.begin.encode(), join([*head, *fields]))


def header_of(config: DropCopySession) -> Header:
    """The header of a configured session."""
    return Header(config.begin_string, config.sender_comp_id, config.target_comp_id)


def copy_of(raw: bytes, header: Header, seq: int, ts_ns: int) -> bytes:
    """A report for the consumer.

    OnBehalfOfCompID(115) is the CompID of the client who was sent it. CopyMsgIndicator(797)=Y
    stands in an ExecutionReport(8) of FIX 4.3 and later; OrderCancelReject(9) has no such field.
    """
    pieces = split(raw)
    values = first_values(pieces)
    body = [each for each in pieces if each.tag not in _HEADER]
    if values[35] == "8" and header.begin != "FIX.4.2":
        body = [piece(797, "Y"), *(each for each in body if each.tag != 797)]
    return header.message(values[35], seq, ts_ns, body, first=values[56])


def again(raw: bytes, ts_ns: int) -> bytes:
    """A copy as it is sent again: PossDupFlag(43), OrigSendingTime(122), a new SendingTime(52).

    By pieces, so that a data field of the client's report may hold the separator.
    """
    pieces = split(raw)
    body: list[Piece] = []
    for each in pieces[2:-1]:  # between BodyLength(9) and CheckSum(10)
        if each.tag == 52 and each.value is not None:
            body += [piece(43, "Y"), piece(52, fm.stamp(ts_ns)), piece(122, each.value)]
        else:
            body.append(each)
    assert pieces[0].value is not None
    return framed(pieces[0].value, join(body))
