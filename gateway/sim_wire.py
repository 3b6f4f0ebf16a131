"""FIX as the simulator sees it: messages made, cut out of a stream, and checked byte by byte.

Nothing here is shared with the engine's own codec, so that the engine is not tested with itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import simplefix

from gateway.sim_tags import in_words

SOH = "\x01"
BEGIN_STRINGS = ("FIX.4.2", "FIX.4.4", "FIXT.1.1")
APPL_VER_ID = "9"  # DefaultApplVerID(1137): FIX 5.0 SP2
BODY_SIZE_MAX = 1 << 24  # a BodyLength(9) above it is taken for damage

_HEAD = re.compile(rb"8=([^\x01]*)\x019=(\d{1,9})\x01")
_TRAILER = re.compile(rb"10=(\d{3})\x01")
_TRAILER_SIZE = 7

Fields = Iterable[tuple[int, object]]
Header = Mapping[int, object]


class Account(NamedTuple):
    """Where a session is and how it logs on."""

    host: str
    port: int
    sender: str  # our CompID
    target: str  # theirs
    begin_string: str = "FIX.4.4"
    username: str = ""
    password: str = ""
    heartbeat_s: int = 30

    @property
    def is_42(self) -> bool:
        """FIX 4.2 has neither a trade's ExecType(150)=F nor quote responses."""
        return self.begin_string == "FIX.4.2"


class Message:
    """A received message: its fields in order, and what is wrong with its frame."""

    def __init__(self, raw: bytes, fault: str = "") -> None:
        self.raw = raw
        self.fault = fault
        self.pairs: list[tuple[int, str]] = []
        for field in raw.decode("latin-1").split(SOH):
            tag, equals, value = field.partition("=")
            if equals and tag.isascii() and tag.isdigit() and len(tag) < 10:
                self.pairs.append((int(tag), value))
        self._first: dict[int, str] = {}
        for number, value in self.pairs:
            self._first.setdefault(number, value)

    def get(self, tag: int) -> str:
        """The first field of this tag, empty where it is missing."""
        return self._first.get(tag, "")

    def number(self, tag: int) -> int:
        """A field as a non-negative integer, -1 where it is missing or no number."""
        value = self.get(tag)
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else -1

    def every(self, tag: int) -> list[str]:
        """All fields of this tag, in order: those of a repeating group."""
        return [value for number, value in self.pairs if number == tag]

    def __contains__(self, tag: int) -> bool:
        return tag in self._first

    @property
    def type(self) -> str:
        """MsgType(35)."""
        return self.get(35)

    @property
    def seq(self) -> int:
        """MsgSeqNum(34), -1 where it is missing or no number."""
        return self.number(34)

    @property
    def is_repeat(self) -> bool:
        """PossDupFlag(43)."""
        return self.get(43) == "Y"

    def __str__(self) -> str:
        return in_words(self.type, self.get(34), self.pairs) + (
            f" [{self.fault}]" * bool(self.fault)
        )


def compose(
    account: Account, msg_type: str, seq: object, time_text: str, fields: Fields,
    header: Header | None = None,
) -> bytes:  # fmt: skip
    """A whole message. `header` replaces a field of the header or adds one; None leaves it out."""
    head: dict[int, object] = {
        35: msg_type, 34: seq, 49: account.sender, 56: account.target, 52: time_text,
    }  # fmt: skip
    head |= header or {}
    message = simplefix.FixMessage()
    message.append_pair(8, head.pop(8, account.begin_string))
    for tag, value in [*head.items(), *fields]:
        if value is not None:
            message.append_pair(tag, value)
    return bytes(message.encode())


def cut(buffer: bytearray) -> Message | None:
    """Take the first message out of a buffer, None while it is not whole.

    One with a wrong BodyLength(9) or CheckSum(10), or bytes that are no message, has a `fault`.
    """
    if not buffer:
        return None
    if not buffer.startswith(b"8="[: len(buffer)]):
        start = buffer.find(b"8=FIX")
        return _take(buffer, start if start > 0 else len(buffer), "no BeginString(8) first")
    head = _HEAD.match(buffer)
    if head is None:
        if len(buffer) < 64:
            return None
        return _take_to_trailer(buffer, "no BodyLength(9) second")
    end = head.end() + int(head[2])
    if int(head[2]) > BODY_SIZE_MAX:
        return _take_to_trailer(buffer, f"BodyLength(9)={head[2].decode()} over {BODY_SIZE_MAX}")
    if len(buffer) < end + _TRAILER_SIZE:
        return None
    trailer = _TRAILER.match(buffer, end)
    if trailer is None:
        return _take_to_trailer(buffer, f"BodyLength(9)={head[2].decode()} is wrong")
    right = sum(buffer[:end]) % 256
    fault = "" if int(trailer[1]) == right else f"CheckSum(10) is not {right:03d}"
    return _take(buffer, end + _TRAILER_SIZE, fault)


def _take(buffer: bytearray, size: int, fault: str) -> Message:
    raw = bytes(buffer[:size])
    del buffer[:size]
    return Message(raw, fault)


def _take_to_trailer(buffer: bytearray, fault: str) -> Message:
    found = re.compile(rb"\x0110=\d{3}\x01").search(buffer)
    return _take(buffer, found.end() if found else len(buffer), fault)


def with_wrong_checksum(raw: bytes) -> bytes:
    """The same message, CheckSum(10) one too high."""
    return raw[:-4] + b"%03d\x01" % ((int(raw[-4:-1]) + 1) % 256)


def with_wrong_length(raw: bytes) -> bytes:
    """The same message, BodyLength(9) one too low and CheckSum(10) right for it."""
    head = _HEAD.match(raw)
    assert head is not None
    body = b"8=%b\x019=%d\x01" % (head[1], int(head[2]) - 1) + raw[head.end() : -_TRAILER_SIZE]
    return body + b"10=%03d\x01" % (sum(body) % 256)
