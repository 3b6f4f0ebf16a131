"""Rare FIX messages in Python: reading into simplefix, admin messages, re-sending."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import simplefix

from gateway.fix_pairs import Piece, framed, join, piece, split, whole_number
from gateway.wire import Version

Fields = list[tuple[int, object]]

#: Message types by version: a type that is not here is an invalid MsgType(35).
_TYPES_42 = set(
    "0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K L M N P Q R S T V W X Y Z a b c d e f g h i j k l m"
    .split()
)  # fmt: skip
_TYPES_44 = _TYPES_42 | set(
    "n o p q r s t u v w x y z AA AB AC AD AE AF AG AH AI AJ AK AL AM AN AO AP AQ AR AS AT AU AV "
    "AW AX AY AZ BA BB BC BD BE BF BG BH".split()
)
_TYPES_50 = _TYPES_44 | set(
    "BI BJ BK BL BM BN BO BP BQ BR BS BT BU BV BW BX BY BZ CA CB CC CD CE CF CG CH CI CJ CK CL CM "
    "CN CO CP CQ CR CS CT CU CV CW CX CY CZ DA DB DC DD DE DF DG DH DI DJ DK DL DM DN DO DP DQ DR "
    "DS DT DU DV DW DX DY DZ EA EB EC ED EE EF EG EH EI EJ EK EL EM".split()
)
TYPES = {
    Version.FIX_4_2: _TYPES_42,
    Version.FIX_4_4: _TYPES_44,
    Version.FIX_5_0_SP2: _TYPES_50,
}
#: What came from a third party goes back to it: OnBehalfOf becomes DeliverTo, and the other way.
_REVERSED = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d+))?", re.ASCII)


class Header(NamedTuple):
    """What every message of a session begins with."""

    begin: str
    ours: str
    theirs: str
    precision: int = 6  # decimals of SendingTime(52)


def stamp(ts_ns: int, precision: int = 6) -> str:
    """UTCTimestamp with 0, 3, 6 or 9 decimals, cut off."""
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    text = f"{moment:%Y%m%d-%H:%M:%S}"
    return f"{text}.{rest:09d}"[: 18 + precision] if precision else text


def time_ns(value: str | None) -> int | None:
    """UTC nanoseconds of a UTCTimestamp with 0 to 12 decimals, or None where it is none."""
    if value is None:
        return None
    found = _TIME.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    leap = second == 60  # the second that datetime does not know
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        return None
    return (int(moment.timestamp()) + leap) * 10**9 + int((found[7] or "")[:9].ljust(9, "0"))


def read(raw: bytes) -> simplefix.FixMessage:
    """A framed message with every field that can be read.

    What is wrong with the others (no number for a tag, no value) the hot path has found already;
    so it has where the message ends, and simplefix's own parser, 70 us a message, is not needed.
    """
    message = simplefix.FixMessage()
    for each in split(raw):
        if each.tag >= 0 and each.value:
            message.append_pair(each.tag, each.value)
    return message


def text(message: simplefix.FixMessage, tag: int) -> str | None:
    """A field as text, or None."""
    value = message.get(tag)
    return None if value is None else value.decode("latin-1")


def number(message: simplefix.FixMessage, tag: int) -> int | None:
    """A field as a non-negative integer, or None where it is missing or no number."""
    return whole_number(text(message, tag))


def return_route(message: simplefix.FixMessage) -> Fields:
    """Header fields that send an answer back to who stood behind the sender."""
    return [
        (back, text(message, tag)) for tag, back in _REVERSED.items() if message.get(tag)
    ]  # fmt: skip


def write(
    msg_type: str, header: Header, seq: int, ts_ns: int, fields: Fields, more_header: Fields = []  # noqa: B006 - read only
) -> bytes:  # fmt: skip
    """An admin message with its header; a value of None leaves its field out."""
    head: Fields = [
        (35, msg_type), (34, seq), (49, header.ours), (56, header.theirs),
        (52, stamp(ts_ns, header.precision)),
    ]  # fmt: skip
    pairs = [*head, *more_header, *fields]
    given = (piece(tag, value) for tag, value in pairs if value is not None)
    return framed(header.begin.encode(), join(given))


def again(raw: bytes, ts_ns: int, precision: int = 6) -> bytes:
    """A message as it is sent again: PossDupFlag(43), OrigSendingTime(122), a new SendingTime(52).

    By pieces, so that a data field of a client's own may hold the separator.
    """
    begin, _, *rest, _ = split(raw)
    body: list[Piece] = []
    for each in rest:
        if each.tag == 52 and each.value is not None:
            body += [piece(43, "Y"), piece(52, stamp(ts_ns, precision)), piece(122, each.value)]
        else:
            body.append(each)
    assert begin.value is not None
    return framed(begin.value, join(body))
