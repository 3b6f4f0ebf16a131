"""Rare FIX messages in Python, through simplefix: reading, admin messages, re-sending."""

from datetime import UTC, datetime

import simplefix

#: Every message type of FIX 4.4: anything else is an invalid MsgType(35).
TYPES_44 = set(
    "0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K L M N P Q R S T V W X Y Z a b c d e f g h i j k l m n "
    "o p q r s t u v w x y z AA AB AC AD AE AF AG AH AI AJ AK AL AM AN AO AP AQ AR AS AT AU AV AW "
    "AX AY AZ BA BB BC BD BE BF BG BH".split()
)
SESSION_TYPES = (b"0", b"1", b"2", b"4", b"5", b"A")  # never sent again: gap-filled


def stamp(ts_ns: int) -> str:
    """UTCTimestamp in microseconds."""
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y%m%d-%H:%M:%S}.{rest // 1000:06d}"


def read(raw: bytes) -> simplefix.FixMessage:
    """A framed message as simplefix sees it; where it gives up, every field that can be read.

    What is wrong with the others (no number for a tag, no value) the hot path has found already.
    """
    parser = simplefix.FixParser()
    parser.append_buffer(raw)
    try:
        message: simplefix.FixMessage | None = parser.get_message()
    except (ValueError, simplefix.errors.ParsingError):
        message = None
    if message is None:
        message = simplefix.FixMessage()
        for field in raw.split(b"\x01"):
            tag, _, value = field.partition(b"=")
            if tag.isdigit() and value:
                message.append_pair(int(tag), value)
    return message


def text(message: simplefix.FixMessage, tag: int) -> str | None:
    """A field as text, or None."""
    value = message.get(tag)
    return None if value is None else value.decode("latin-1")


def number(message: simplefix.FixMessage, tag: int) -> int | None:
    """A field as a non-negative integer, or None where it is missing or no number."""
    value = message.get(tag)
    return int(value) if value is not None and value.isdigit() and len(value) < 19 else None


def write(
    msg_type: str, ours: str, theirs: str, seq: int, ts_ns: int, fields: list[tuple[int, object]]
) -> bytes:
    """An admin message with its header."""
    message = simplefix.FixMessage()
    message.append_pair(8, "FIX.4.4")
    message.append_pair(35, msg_type)
    message.append_pair(34, seq)
    message.append_pair(49, ours)
    message.append_pair(56, theirs)
    message.append_pair(52, stamp(ts_ns))
    for tag, value in fields:
        message.append_pair(tag, value)
    return bytes(message.encode())


def again(raw: bytes, ts_ns: int) -> bytes:
    """A message as it is sent again: PossDupFlag(43), OrigSendingTime(122), a new SendingTime."""
    fresh = simplefix.FixMessage()
    fields = [field.partition(b"=") for field in raw.rstrip(b"\x01").split(b"\x01")]
    for tag, _, value in fields:
        if tag in (b"9", b"10"):
            continue
        if tag == b"52":
            fresh.append_pair(43, "Y")
            fresh.append_pair(52, stamp(ts_ns))
            fresh.append_pair(122, value)
        else:
            fresh.append_pair(int(tag), value)
    return bytes(fresh.encode())
