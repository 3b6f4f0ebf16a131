"""FIX messages as pieces of `tag=value`, in plain Python: for what is rare or not in a hurry.

DATA_AFTER is also a constant of code that `engine.jit` compiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SOH = b"\x01"

#: Data fields may hold the separator; the tag before each holds its size (FIX 4.4 vol. 1 and 5.0).
DATA_AFTER = {
    93: 89, 90: 91, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622, 1184: 1185, 1277: 1278, 1280: 1281,
    1282: 1283, 1397: 1398, 1401: 1402, 1403: 1404, 1468: 1469, 1525: 1527, 1578: 1579, 1620: 1621,
    1664: 1665, 1678: 1697, 1733: 1734,
}  # fmt: skip
LENGTH_OF = {data: length for length, data in DATA_AFTER.items()}
TAG_DIGITS_MAX = 9


class Piece(NamedTuple):
    """What stands between two separators."""

    tag: int  # -1 where `name` is no number
    name: bytes
    value: bytes | None  # None where there is no `=`


def piece(tag: int, value: object) -> Piece:
    """A piece made of a tag and a value's text."""
    data = value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
    return Piece(tag, b"%d" % tag, data)


def split(raw: bytes) -> list[Piece]:
    """A message's pieces in order; a data field with its separators where its length holds."""
    found: list[Piece] = []
    at, data_tag, data_size = 0, 0, 0
    while at < len(raw):
        end = raw.find(SOH, at)
        end = len(raw) if end < 0 else end
        name, equals, value = raw[at:end].partition(b"=")
        tag = _tag(name) if equals else -1
        if data_tag and tag == data_tag:
            start = at + len(name) + 1
            stop = start + data_size
            if stop == len(raw) or raw[stop : stop + 1] == SOH:
                value, end = raw[start:stop], stop
        found.append(Piece(tag, name, value if equals else None))
        data_tag = DATA_AFTER.get(tag, 0) if value.isdigit() and len(value) < 9 else 0
        data_size = int(value) if data_tag else 0
        at = end + 1
    return found


def _tag(name: bytes) -> int:
    return int(name) if name.isdigit() and len(name) <= TAG_DIGITS_MAX else -1


def join(pieces: Iterable[Piece]) -> bytes:
    """The bytes of pieces, each ended by the separator."""
    return b"".join(
        each.name + (b"" if each.value is None else b"=" + each.value) + SOH for each in pieces
    )


def framed(begin: bytes, body: bytes) -> bytes:
    """BeginString(8), BodyLength(9) and CheckSum(10) around a body that ends with a separator."""
    data = b"8=%b\x019=%d\x01" % (begin, len(body)) + body
    return data + b"10=%03d\x01" % (sum(data) % 256)


def first_values(pieces: Iterable[Piece]) -> dict[int, str]:
    """The first value of each tag as text (latin-1, as every byte has a character there)."""
    values: dict[int, str] = {}
    for each in pieces:
        if each.tag >= 0 and each.tag not in values and each.value is not None:
            values[each.tag] = each.value.decode("latin-1")
    return values


def whole_number(text: str | None) -> int | None:
    """Digits as a non-negative integer, or None where it is missing or no number."""
    fits = text is not None and text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if fits and text is not None else None


def msg_type_of(raw: bytes) -> bytes:
    """MsgType(35) of a whole message."""
    return raw.partition(b"\x0135=")[2].partition(b"\x01")[0]
