"""Journal segments on disk: preallocated files, mapped into memory; recovery of a torn tail.

A segment is allocated in full before it is used, so that a full disk is noticed here, as an
OSError, and never as a fault while serving.
"""

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import structlog

from engine import journal as jn
from engine.jit import njit
from engine.limits import FRAME_ALIGN, SEGMENT_SIZE
from gateway.errors import UserError

UNMAP_CHUNK = 1 << 20

log = structlog.get_logger()


class JournalDamaged(UserError):
    """Whole frames follow a damaged one: starting over it could lose a fill."""


def segment_path(directory: Path, index: int) -> Path:
    """File of the segment; names sort in order."""
    return directory / f"segment-{index:06d}.journal"


def segments(directory: Path) -> list[Path]:
    """Existing segments in order. Raises JournalDamaged where one is missing."""
    found = sorted(directory.glob("segment-*.journal"))
    for index, path in enumerate(found):
        if path != segment_path(directory, index):
            raise JournalDamaged(
                f"{segment_path(directory, index).name} is missing from {directory}: restore it"
            )
    return found


class Segment(NamedTuple):
    """One mapped segment; `journal` is over its memory."""

    journal: jn.Journal
    memory: mmap.mmap
    fd: int


def open_segment(directory: Path, index: int, state: Any, *, write: bool) -> Segment:
    """Map a segment, allocating it first when writing. Raises OSError where the disk is full."""
    path = segment_path(directory, index)
    fd = _allocated(path) if write else os.open(path, os.O_RDONLY)
    return _mapped(fd, state, write=write)


def _allocated(path: Path) -> int:
    """A file that has the space of a segment, open. Raises OSError where the disk is full."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        os.posix_fallocate(fd, 0, SEGMENT_SIZE)
    except OSError:
        os.close(fd)
        raise
    return fd


def _mapped(fd: int, state: Any, *, write: bool) -> Segment:
    try:
        size = os.fstat(fd).st_size
        # a private mapping is writable memory to numba, so readers share the compiled code
        access = mmap.ACCESS_WRITE if write else mmap.ACCESS_COPY
        memory = mmap.mmap(fd, size // FRAME_ALIGN * FRAME_ALIGN, access=access)
    except (OSError, ValueError):
        os.close(fd)
        raise
    buffer = np.frombuffer(memory, np.uint8)
    return Segment(jn.over(buffer, state), memory, fd)


def look_at(directory: Path, index: int) -> jn.Journal:
    """A segment's memory to read; let go of when nobody looks."""
    segment = open_segment(directory, index, np.zeros(1, jn.writer), write=False)
    os.close(segment.fd)  # the mapping has its own
    return segment.journal


class JournalFiles:
    """The writer's side: the current segment, and the next one when there is need.

    A thread of its own does what waits for the disk: a file system that is writing a full segment
    out kept the next `posix_fallocate` waiting for 10 to 80 ms, in which no order was served. It
    keeps off the core that the loop is given.
    """

    def __init__(self, directory: Path, loop_cpu: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.state = np.zeros(1, jn.writer)
        self.index = max(len(segments(directory)) - 1, 0)
        self.segment = open_segment(directory, self.index, self.state, write=True)
        self.state[0]["base"] = self.index * SEGMENT_SIZE
        self.spare_fd = -1
        cores = os.sched_getaffinity(0)
        cores = cores - {loop_cpu} or cores  # the loop would wait for its own thread
        self._keeper = ThreadPoolExecutor(1, "journal-files", os.sched_setaffinity, (0, cores))
        self._coming: Future[int] | None = None

    @property
    def journal(self) -> jn.Journal:
        """What compiled code writes to; a new one after each `rotate`."""
        return self.segment.journal

    @property
    def fd(self) -> int:
        """For fdatasync."""
        return self.segment.fd

    @property
    def spare(self) -> Path:
        """A segment allocated before it is needed; readers do not look at it."""
        return self.directory / "next.journal"

    def write_rest(self) -> None:
        """Give what is free of the current segment its blocks, as `gateway.ahead` does the next."""
        offset = -(-int(self.state[0]["offset"]) // mmap.PAGESIZE) * mmap.PAGESIZE
        os.pwrite(self.fd, bytes(SEGMENT_SIZE - offset), offset)

    def has_news_of_spare(self) -> bool:
        """Whether `keep_spare` would answer at once, and with something new."""
        return self._coming is not None and self._coming.done()

    def keep_spare(self) -> None:
        """See to it that the next segment has its space. Raises OSError where the disk is full.

        `gateway.ahead` then writes it through `spare_fd`.
        """
        if self.spare_fd >= 0:
            return
        coming = self._coming or self._keeper.submit(_allocated, self.spare)
        self._coming = None
        self.spare_fd = coming.result()
        self.state[0]["spare"] = 0

    def rotate(self, *, wait: bool = True) -> None:
        """Go on in a new segment. Raises OSError where the disk is full; nothing has changed.

        The one after it is begun: `has_news_of_spare`. Without `wait` the old one reaches the disk
        in its own time: for a journal that need only outlive the process.
        """
        self.keep_spare()
        fd, self.spare_fd = self.spare_fd, -1
        self.state[0]["spare"] = SEGMENT_SIZE  # nothing is written before there is a next one
        fresh = _mapped(fd, self.state, write=True)
        # Readers take a next segment as the end of this one: it appears whole or not at all.
        self.spare.rename(segment_path(self.directory, self.index + 1))
        self._coming = self._keeper.submit(_allocated, self.spare)
        if wait:
            os.fdatasync(self.segment.fd)
        self._keeper.submit(_retire, self.segment)
        self.segment = fresh
        self.index += 1
        self.state[0]["offset"] = 0
        self.state[0]["mapped"] = 0
        self.state[0]["base"] = self.index * SEGMENT_SIZE

    def close(self) -> None:
        """Write everything out and let go of the files; the mapping goes when nobody looks."""
        if self._coming is not None and self._coming.exception() is None:
            os.close(self._coming.result())
        self._coming = None
        if self.spare_fd >= 0:
            os.close(self.spare_fd)
            self.spare_fd = -1
        self._keeper.submit(_retire, self.segment)
        self._keeper.shutdown()


def _retire(segment: Segment) -> None:
    """Write a full segment out and take it out of memory.

    Its pages go a piece at a time: unmapped at once, 64 MiB keep others waiting for 4 ms.
    """
    try:
        os.fdatasync(segment.fd)
    except OSError as error:
        log.error("a full segment may not have reached the disk", error=str(error))
    os.close(segment.fd)
    for start in range(0, len(segment.memory), UNMAP_CHUNK):
        size = min(UNMAP_CHUNK, len(segment.memory) - start)
        segment.memory.madvise(mmap.MADV_DONTNEED, start, size)


@njit
def next_whole(journal, offset):
    """Offset of the first whole frame at or after `offset`, or -1."""
    while offset + jn.HEADER_SIZE <= journal.buffer.shape[0]:
        if jn.frame_state(journal, offset, -1) == jn.WHOLE:
            return offset
        offset += FRAME_ALIGN
    return -1


@njit
def find_sent(journal, base, session_id, first, places, offset, end):
    """Enter the positions of a session's outbound messages: `places[number - first]`.

    Looks at the frames that begin from `offset` on and before `end`; answers the offset to go on
    at, -1 where the segment has no more. Of a number used twice, before and after a reset, the
    later one counts.
    """
    while offset + jn.HEADER_SIZE <= journal.buffer.shape[0]:
        word = offset >> 3
        size = journal.words[word]
        if size <= 0:
            break
        if offset >= end:
            return offset
        kind = journal.words[word + jn.KIND]
        if journal.words[word + jn.SESSION] == session_id:
            if kind == jn.EXECUTION or kind == jn.FIX_OUT or kind == jn.QUOTE_REPORT:
                place = journal.words[word + jn.FIX_SEQ] - first
                if place >= 0 and place < places.shape[0]:
                    places[place] = base + offset
        offset += size
    return -1


@njit
def seek(journal, offset, seq, kinds):
    """The first frame from `offset` on whose kind is in the bit mask: `(state, offset, seq)`.

    `seq` is that of the frame before. Every frame on the way is checked.
    """
    while True:
        state = jn.frame_state(journal, offset, seq)
        if state != jn.WHOLE:
            return state, offset, seq
        word = offset >> 3
        if (kinds >> journal.words[word + jn.KIND]) & 1:
            return state, offset, seq
        seq = journal.words[word + jn.SEQ]
        offset += journal.words[word]


ALL_KINDS = 2**63 - 1


class Frame(NamedTuple):
    """One frame as a reader sees it."""

    position: int
    seq: int
    ts_ns: int
    kind: int
    session: int
    fix_seq: int
    body: np.ndarray  # uint8, valid while the segment is mapped

    @property
    def record(self) -> Any:
        """The record of the frame's kind (the first one of a VENUE_QUOTE)."""
        dtype = jn.RECORDS[self.kind]
        return self.body[: dtype.itemsize].view(dtype)[0]

    @property
    def fix(self) -> bytes:
        """The raw FIX message behind the record."""
        dtype = jn.RECORDS.get(self.kind)
        return self.body[dtype.itemsize if dtype else 0 :].tobytes()


def frame_at(journal: jn.Journal, offset: int, base: int) -> Frame:
    """The whole frame at an offset of a segment."""
    word = offset >> 3
    head = journal.words[word : word + 8].tolist()
    body = journal.buffer[offset + jn.HEADER_SIZE : offset + jn.HEADER_SIZE + head[jn.BODY_SIZE]]
    return Frame(
        base + offset, head[jn.SEQ], head[jn.TS], head[jn.KIND], head[jn.SESSION],
        head[jn.FIX_SEQ], body,
    )  # fmt: skip


class Reader:
    """Follows a journal from another process (or the same): `for frame in reader.poll()`.

    `kinds`: only frames of these kinds; the others are checked and skipped, compiled.
    """

    def __init__(
        self, directory: Path, position: int = 0, kinds: tuple[int, ...] | None = None
    ) -> None:
        self.directory = directory
        self.kinds = sum(1 << kind for kind in kinds) if kinds else ALL_KINDS
        self.index, self.offset = divmod(position, SEGMENT_SIZE)
        self.seq = -1
        self._segment: Segment | None = None

    @property
    def position(self) -> int:
        """Where the next frame will be."""
        return self.index * SEGMENT_SIZE + self.offset

    def poll(self) -> Iterator[Frame]:
        """Every whole frame that is there now. Raises JournalDamaged at a damaged one."""
        while True:
            if self._segment is None and not self._open():
                return
            assert self._segment is not None
            journal = self._segment.journal
            state, offset, seq = seek(journal, self.offset, self.seq, self.kinds)
            self.offset, self.seq = int(offset), int(seq)
            if state == jn.WHOLE:
                frame = frame_at(journal, self.offset, self.index * SEGMENT_SIZE)
                self.seq = frame.seq
                self.offset += int(journal.words[self.offset >> 3])
                yield frame
            elif state == jn.END and segment_path(self.directory, self.index + 1).exists():
                if jn.frame_state(journal, self.offset, self.seq) == jn.WHOLE:
                    continue  # written between the two looks
                self.index += 1
                self.offset = 0
                os.close(self._segment.fd)
                self._segment = None
            elif state == jn.DAMAGED:
                if int(next_whole(journal, self.offset)) < 0:
                    return  # a torn tail: recovery will cut it off
                raise JournalDamaged(damage(self.directory, self.index, self.offset, self.seq))
            else:
                return

    def close(self) -> None:
        """Let go of the file; what was yielded stays mapped while somebody has it."""
        if self._segment is not None:
            os.close(self._segment.fd)
            self._segment = None

    def _open(self) -> bool:
        path = segment_path(self.directory, self.index)
        if not path.exists() or path.stat().st_size < FRAME_ALIGN:
            return False
        state = np.zeros(1, jn.writer)
        self._segment = open_segment(self.directory, self.index, state, write=False)
        return True


def damage(directory: Path, index: int, offset: int, seq: int) -> str:
    """Where a journal is damaged and what may be lost."""
    return (
        f"{segment_path(directory, index).name}, byte {offset}: damaged after frame {seq}; "
        "whole frames follow it, so fills may be lost: restore the segment from a copy"
    )


def cut_torn_tail(files: JournalFiles, offset: int, seq: int) -> int:
    """Make the journal end at `offset`; answers the bytes cut, kept in a file beside it.

    Raises JournalDamaged where a whole frame follows: that is no torn tail.
    """
    journal = files.journal
    if int(next_whole(journal, offset)) >= 0:
        raise JournalDamaged(damage(files.directory, files.index, offset, seq))
    tail = journal.buffer[offset:]
    used = np.flatnonzero(tail)
    size = int(used[-1]) + 1 if used.size else 0
    if size:
        torn = files.directory / f"torn-after-{seq}.bin"
        torn.write_bytes(tail[:size].tobytes())
        tail[:size] = 0
    return size
