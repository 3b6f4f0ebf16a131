"""What a drop copy session has sent, in one append-only file: written before it is sent.

A record is one write: the message, its number and its place in the journal are there together or
not at all. It survives the process (the pages are the kernel's); what a lost machine tears off is
cut at the next start. Numbers of resend requests are answered from it.

Record: size of the message (u32), CRC-32 of all that follows (u32), then int64 words kind, number,
journal, position, mark, time; then the message. Kinds: see `Kind`.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from gateway.drop_copy_feed import Place
from gateway.errors import UserError

STORE_FILE = "messages.store"
_SIZES = struct.Struct("<II")
_WORDS = struct.Struct("<qqqqqq")
HEAD_SIZE = _SIZES.size + _WORDS.size
MESSAGE_SIZE_MAX = 1 << 20


class Kind(IntEnum):
    """What a record says; `number` is MsgSeqNum(34) unless said otherwise."""

    COPY = 1  # a report, with its place in the journal
    ADMIN = 2  # a session message of ours: gap-filled when asked for again
    NEXT_IN = 3  # the number expected next from the consumer
    RESET = 4  # both numbers begin at 1; what was sent before is not sent again
    LINK = 5  # number 1: logged on, 0: not any more


class StoreDamaged(UserError):
    """The store is not what was written."""


class Record(NamedTuple):
    """One record as it is read."""

    kind: int
    number: int
    place: Place
    ts_ns: int
    offset: int  # of the message in the file
    size: int


def _pack(kind: Kind, number: int, place: Place, ts_ns: int, raw: bytes) -> bytes:
    words = _WORDS.pack(kind, number, *place, ts_ns)
    return _SIZES.pack(len(raw), zlib.crc32(raw, zlib.crc32(words))) + words + raw


_NOWHERE = Place(0, -1, 0)


class Store:
    """One session's file. `write` False only looks at it, also while another process writes."""

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self.path = folder / STORE_FILE
        self.next_out = 1
        self.next_in = 1
        self.copied: Place | None = None
        self.copies = 0
        self.logged_on = False
        self.last_ts_ns = 0
        self._offsets = array("q")  # of the message of each number since the last reset
        self._sizes = array("q")  # 0: a session message
        if write:
            folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND if write else os.O_RDONLY
        self.fd = os.open(self.path, flags, 0o640)
        try:
            self.size = self._load()
            if write:
                os.ftruncate(self.fd, self.size)
        except (OSError, UserError):
            os.close(self.fd)
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)

    # --- writing ---

    def put_copy(self, raw: bytes, place: Place, ts_ns: int) -> None:
        """A report with the next number."""
        self._append(Kind.COPY, self.next_out, place, ts_ns, raw)

    def put_admin(self, raw: bytes, ts_ns: int) -> None:
        """A session message with the next number."""
        self._append(Kind.ADMIN, self.next_out, _NOWHERE, ts_ns, raw)

    def expect(self, number: int, ts_ns: int) -> None:
        """The number expected next from the consumer."""
        if number != self.next_in:
            self._append(Kind.NEXT_IN, number, _NOWHERE, ts_ns)

    def reset(self, ts_ns: int) -> None:
        """Both numbers begin again; the place in the journal stays."""
        self._append(Kind.RESET, 0, _NOWHERE, ts_ns)

    def linked(self, logged_on: bool, ts_ns: int) -> None:
        """The consumer has logged on, or is away."""
        if logged_on != self.logged_on:
            self._append(Kind.LINK, int(logged_on), _NOWHERE, ts_ns)

    def _append(self, kind: Kind, number: int, place: Place, ts_ns: int, raw: bytes = b"") -> None:
        """One write; a short one is undone. Raises OSError where the disk is full."""
        assert len(raw) <= MESSAGE_SIZE_MAX
        data = _pack(kind, number, place, ts_ns, raw)
        written = os.write(self.fd, data)
        if written != len(data):
            os.ftruncate(self.fd, self.size)
            raise OSError(28, "no space left for the drop copy's store", str(self.path))
        self._apply(Record(kind, number, place, ts_ns, self.size + HEAD_SIZE, len(raw)))
        self.size += len(data)

    # --- reading ---

    def message(self, number: int) -> bytes | None:
        """The report of a number as it was sent; None for session messages and numbers unused."""
        index = number - 1
        if not 0 <= index < len(self._sizes) or self._sizes[index] == 0:
            return None
        return os.pread(self.fd, self._sizes[index], self._offsets[index])

    def _apply(self, record: Record) -> None:
        self.last_ts_ns = record.ts_ns
        if record.kind in (Kind.COPY, Kind.ADMIN):
            assert record.number == self.next_out
            is_copy = record.kind == Kind.COPY
            self._offsets.append(record.offset)
            self._sizes.append(record.size if is_copy else 0)
            self.next_out += 1
            if is_copy:
                self.copied = record.place
                self.copies += 1
        elif record.kind == Kind.NEXT_IN:
            self.next_in = record.number
        elif record.kind == Kind.LINK:
            self.logged_on = record.number == 1
        else:
            self.next_out = self.next_in = 1
            del self._offsets[:], self._sizes[:]

    def _load(self) -> int:
        """Take every whole record; answers where they end. Raises StoreDamaged."""
        end = os.fstat(self.fd).st_size
        at = 0
        with open(self.fd, "rb", closefd=False) as file:
            file.seek(0)
            while at < end:
                record = self._read(file.read(HEAD_SIZE), file.read, at, end)
                if record is None:
                    break
                self._apply(record)
                at = record.offset + record.size
        return at

    def _read(self, head: bytes, read: Callable[[int], bytes], at: int, end: int) -> Record | None:
        """The record at `at`; None where it was torn off. Raises StoreDamaged."""
        if len(head) < HEAD_SIZE:
            return None
        size, crc = _SIZES.unpack_from(head)
        if size <= MESSAGE_SIZE_MAX and at + HEAD_SIZE + size <= end:
            raw = read(size)
            words = head[_SIZES.size :]
            kind, number, journal, position, mark, ts_ns = _WORDS.unpack(words)
            right = zlib.crc32(raw, zlib.crc32(words)) == crc and kind in set(Kind)
            fits = kind not in (Kind.COPY, Kind.ADMIN) or number == self.next_out
            if right and fits:
                place = Place(journal, position, mark)
                return Record(kind, number, place, ts_ns, at + HEAD_SIZE, size)
            if at + HEAD_SIZE + size == end or not any(head):
                return None  # the last write, torn by a lost machine
        elif size <= MESSAGE_SIZE_MAX:
            return None
        raise StoreDamaged(
            f"{self.path}, byte {at}: damaged; numbers up to {self.next_out - 1} are whole: "
            "restore the file, or move its folder away and agree on a reset of the numbers"
        )
