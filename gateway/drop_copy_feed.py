"""The reports of the engine's journal, as the drop copy takes them: in order, with their place.

Reads the journal, never writes it. Sent-again messages (FIX_RESENT) are no new reports.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine import journal as jn
from engine import schema, tables
from engine.limits import SEGMENT_SIZE
from engine.schema import schema_hash, unpack
from gateway.errors import UserError
from gateway.fix_pairs import msg_type_of
from gateway.journal_files import Frame, Reader, frame_at, look_at, segment_path
from gateway.journal_schema import WrongSchema

REPORT_TYPES = (b"8", b"9")  # ExecutionReport, OrderCancelReject
_NOT_FIX = (jn.DESK_ITEM, jn.DESK_RESULT, jn.QUOTE, jn.FIX_RESENT)
_KINDS = tuple(
    kind
    for kind in jn.KIND_NAMES
    if kind in (jn.BOOT, jn.TABLE_ROW, jn.SESSION_SET)
    or (kind >= jn.EXECUTION and kind not in _NOT_FIX)
)


class JournalChanged(UserError):
    """What was copied is not in the journal any more."""


class Place(NamedTuple):
    """Where in which journal a report lies."""

    journal: int  # mark of the journal's first frame: another day's journal has another
    position: int
    mark: int  # of the report's frame


class Report(NamedTuple):
    """One ExecutionReport or OrderCancelReject as a client was sent it."""

    place: Place
    client: str
    raw: bytes


def mark_of(frame: Frame) -> int:
    """A number (32 bits) that another frame in the same place would not have."""
    head = struct.pack("<qqq", frame.seq, frame.ts_ns, frame.kind)
    return zlib.crc32(frame.body.tobytes(), zlib.crc32(head))


def frame_there(journal: Path, position: int) -> Frame | None:
    """The whole frame at a position, or None."""
    index, offset = divmod(position, SEGMENT_SIZE)
    path = segment_path(journal, index)
    if not path.exists() or path.stat().st_size <= offset + jn.HEADER_SIZE:
        return None
    memory = look_at(journal, index)
    if jn.frame_state(memory, offset, -1) != jn.WHOLE:
        return None
    return frame_at(memory, offset, index * SEGMENT_SIZE)


class Feed:
    """Follows a journal; `clients`: whose reports, empty: everybody's.

    `copied` is the last report that was copied before: what follows it is new. In a journal that
    begins otherwise than the one it lay in, everything is new.
    """

    def __init__(self, journal: Path, clients: Collection[str], copied: Place | None) -> None:
        self.journal = journal
        self.clients = frozenset(clients)
        self.reader = Reader(journal, kinds=_KINDS)
        self._copied = copied
        self._behind = -1  # position of the last report copied from this journal
        self._identity: int | None = None
        self._client_names: dict[int, str] = {}
        self._client_of: dict[int, int] = {}  # by session

    @property
    def position(self) -> int:
        """Where the journal is read next."""
        return self.reader.position

    def count(self) -> int:
        """How many reports are there and not taken yet; takes them."""
        found, before = 0, -1
        while self.position != before:
            before = self.position
            found += len(self.take(1 << 12))
        return found

    def take(self, frames: int) -> list[Report]:
        """New reports among the next `frames` frames. Raises JournalDamaged, JournalChanged."""
        if self._identity is None and not self._find_place():
            return []
        reports = []
        for frame in islice(self.reader.poll(), frames):
            report = self._report(frame)
            if report is not None:
                reports.append(report)
        return reports

    def _find_place(self) -> bool:
        """Which journal this is and how much of it was copied; False while it is empty."""
        first = frame_there(self.journal, 0)
        if first is None:
            return False
        self._identity = mark_of(first)
        copied = self._copied
        if copied is not None and copied.journal == self._identity:
            frame = frame_there(self.journal, copied.position)
            if frame is None or mark_of(frame) != copied.mark:
                raise JournalChanged(
                    f"{self.journal}, position {copied.position}: the report copied from there is "
                    "not there any more: restore the journal, or move the drop copy's folder away "
                    "and agree on a reset of the numbers with its consumers"
                )
            self._behind = copied.position
        return True

    def _report(self, frame: Frame) -> Report | None:
        """Take a frame; its report where it is a new one of these clients."""
        if frame.kind == jn.BOOT:
            _check_schema(frame)
        elif frame.kind == jn.TABLE_ROW:
            table_id, row = frame.body[:16].view("i8").tolist()
            if table_id == tables.CLIENT:
                name = frame.body[16:].view(schema.client)[0]["name"]
                self._client_names[row] = unpack([name])
        elif frame.kind == jn.SESSION_SET:
            self._client_of[frame.session] = int(frame.record["client"])
        elif frame.position > self._behind:
            client = self._client_names.get(self._client_of.get(frame.session, -1), "")
            raw = frame.fix
            if self.clients and client not in self.clients:
                return None
            if msg_type_of(raw) in REPORT_TYPES:
                assert self._identity is not None
                return Report(Place(self._identity, frame.position, mark_of(frame)), client, raw)
        return None


def _check_schema(frame: Frame) -> None:
    written = int(frame.body[:8].view("i8")[0])
    if written != schema_hash():
        raise WrongSchema(
            f"frame {frame.seq} of the journal was written with schema {written:016x}, this "
            f"version has {schema_hash():016x}: use the version that wrote it"
        )
