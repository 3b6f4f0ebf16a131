"""The journal: what was written is read back, what was damaged is never taken for whole.

On disk too: segments follow each other, a torn tail is cut and kept, damage before whole frames is
refused, and a reader sees what a writer publishes.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import journal as jn
from engine import schema
from engine.limits import FRAME_ALIGN, FRAME_SIZE_MAX
from gateway import journal_files
from gateway.journal_files import (
    Frame,
    JournalDamaged,
    JournalFiles,
    Reader,
    cut_torn_tail,
    frame_at,
    next_whole,
    segment_path,
    segments,
)
from tests import rig
from tests.fix_text import as_array, order

SEGMENT = 1 << 16  # small segments: the code asks for their size, not for a constant
TS_NS = 1_764_583_200_000_000_000


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_files, "SEGMENT_SIZE", SEGMENT)


class Written(NamedTuple):
    """What a frame was asked to hold."""

    kind: int
    session: int
    fix_seq: int
    ts_ns: int
    body: bytes


#: One of each shape: no body, a record, a record with FIX behind it, FIX alone, odd sizes.
FRAMES = (
    Written(jn.TIMER, -1, 0, TS_NS, b""),
    Written(jn.VENUE_QUOTE, -1, 0, TS_NS + 1, rig.row(schema.venue_quote, seq=7).tobytes()),
    Written(jn.FIX_IN, 3, 2, TS_NS + 1, b"x"),
    Written(jn.ORDER, 3, 3, TS_NS + 2, rig.row(schema.order_event, qty=9).tobytes() + order(3)),
    Written(jn.FIX_OUT, 3, 1, TS_NS + 3, bytes(range(64))),
    Written(jn.TIMER, -1, 0, TS_NS + 4, b""),
)


def write(journal: jn.Journal, frames: tuple[Written, ...] | list[Written]) -> list[int]:
    """Append frames over memory that is not clean; answers their positions."""
    positions = []
    for frame in frames:
        at = jn.body_at(journal)
        journal.buffer[at : at + len(frame.body)] = as_array(frame.body)
        tail = slice(at + len(frame.body), at + len(frame.body) + FRAME_ALIGN)
        journal.buffer[tail] = 170  # from a frame that was torn
        size = len(frame.body)
        journal.words[(at - jn.HEADER_SIZE) >> 3] = 0
        end = jn.end_frame(journal, frame.kind, frame.session, frame.fix_seq, frame.ts_ns, size)
        positions.append(int(end))
        offset = int(journal.writer[0]["offset"])
        journal.buffer[offset : offset + 2 * FRAME_ALIGN] = 0
    return positions


def plain(frame: Frame) -> Written:
    body = frame.body.tobytes()
    return Written(frame.kind, frame.session, frame.fix_seq, frame.ts_ns, body)


def scan(journal: jn.Journal, base: int = 0) -> tuple[list[Frame], int, int]:
    """Whole frames from the start of a segment, then the state and offset that end them."""
    frames: list[Frame] = []
    offset = 0
    while True:
        state = int(jn.frame_state(journal, offset, len(frames)))
        if state != jn.WHOLE:
            return frames, state, offset
        frames.append(frame_at(journal, offset, base))
        offset += int(journal.words[offset >> 3])


def written_in_memory(frames: tuple[Written, ...] = FRAMES) -> jn.Journal:
    journal = jn.in_memory(1 << 13)
    write(journal, frames)
    return journal


# Frames


BODIES = st.binary(max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.builds(Written, NUMBERS, NUMBERS, NUMBERS, NUMBERS, BODIES), max_size=8))
@example(list(FRAMES))
def test_frames_round_trip(frames: list[Written]) -> None:
    journal = jn.in_memory(1 << 13)
    positions = write(journal, frames)
    found, state, offset = scan(journal)
    assert [plain(frame) for frame in found] == frames
    assert [frame.position for frame in found] == positions
    assert [frame.seq for frame in found] == list(range(1, len(frames) + 1))
    assert (state, offset) == (jn.END, jn.position(journal))
    assert jn.room(journal) == (1 << 13) - offset


def test_records_and_fix_come_back() -> None:
    frames, _, _ = scan(written_in_memory())
    assert (frames[1].record["seq"], frames[1].fix) == (7, b"")
    assert (frames[3].record["qty"], frames[3].fix) == (9, order(3))
    assert frames[4].fix == bytes(range(64))


def test_every_kind_has_a_name_and_every_record_its_size() -> None:
    assert jn.KIND_NAMES[jn.ORDER] == "ORDER" and jn.KIND_NAMES[jn.FIX_OUT] == "FIX_OUT"
    assert set(jn.RECORDS) <= set(jn.KIND_NAMES)
    assert all(name.isupper() for name in jn.KIND_NAMES.values())
    for kind, dtype in jn.RECORDS.items():
        record = rig.row(dtype, **{dtype.names[0]: 77})
        frame = Written(kind, 0, 0, TS_NS, record.tobytes())
        assert scan(written_in_memory((frame,)))[0][0].record == record


def mixed(value: int) -> int:
    return value * 0x9E3779B97F4A7C15 % 2**64


def python_checksum(words: list[int]) -> int:
    """The layout's checksum once more: eight lanes, folded as the rounds of a tournament."""
    golden = 0x9E3779B97F4A7C15
    columns = [words[lane::8] for lane in range(8)]
    states = [golden + lane for lane in range(8)]
    states[0] = 0  # the size stands alone, and the last lane has no word of the header
    for lane, column in enumerate(columns):
        for row, word in enumerate(column):
            if (lane, row) == (7, 0):
                continue
            states[lane] = mixed(states[lane] ^ word)
            if row:
                states[lane] ^= states[lane] >> 32
    for step in range(3):
        if step:
            states[::2] = [state ^ state >> 32 for state in states[::2]]
        states = [mixed(a ^ b) for a, b in zip(states[::2], states[1::2], strict=True)]
    total = states[0] ^ states[0] >> 32
    return total - 2**64 if total >= 2**63 else total


LANES = st.integers(0, 2**64 - 1)


@given(st.lists(LANES, min_size=7, max_size=7), st.integers(0, 4), st.data())
def test_checksum_against_python(head: list[int], lines: int, data: st.DataObject) -> None:
    body = data.draw(st.lists(LANES, min_size=8 * lines, max_size=8 * lines))
    words = [64 * (1 + lines), *head, *body]
    buffer = np.array([5, *words, 5], np.uint64).view(np.uint8)
    assert int(jn.checksum(buffer, 8, words[0])) == python_checksum(words)


def test_checksum_is_one_number_for_all_time() -> None:
    """A changed checksum would make every journal on disk unreadable."""
    journal = written_in_memory()
    found = [int(journal.words[(f.position >> 3) + jn.CHECKSUM]) for f in scan(journal)[0]]
    assert len(set(found)) == len(FRAMES)
    assert found[0] == python_checksum([64, 1, TS_NS, jn.TIMER, 2**64 - 1, 0, 0, 0])


# Damage


def test_every_flipped_bit_is_noticed() -> None:
    journal = written_in_memory()
    whole, _, end = scan(journal)
    expected = [plain(frame) for frame in whole]
    for offset in range(end):
        hit = sum(frame.position <= offset for frame in whole) - 1
        for bit in range(8):
            journal.buffer[offset] ^= 1 << bit
            found, state, at = scan(journal)
            assert [plain(frame) for frame in found] == expected[:hit], (offset, bit)
            assert at == whole[hit].position and state in (jn.DAMAGED, jn.END), (offset, bit)
            journal.buffer[offset] ^= 1 << bit
    assert [plain(frame) for frame in scan(journal)[0]] == expected


def test_any_overwritten_bytes_are_noticed() -> None:
    random = Random("overwritten")
    journal = written_in_memory()
    clean = journal.buffer.copy()
    expected = [plain(frame) for frame in scan(journal)[0]]
    end = int(jn.position(journal))
    for _ in range(1_000):
        at, size = random.randrange(end), random.choice((1, 2, 8, 64, 200))
        junk = random.choice((b"\0", b"\xff", random.randbytes(1))) * min(size, end - at)
        journal.buffer[at : at + len(junk)] = as_array(junk)
        if (journal.buffer != clean).any():
            found = [plain(frame) for frame in scan(journal)[0]]
            assert len(found) < len(expected) and found == expected[: len(found)]
        journal.buffer[:] = clean


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (jn.SIZE, 63),
        (jn.SIZE, -64),
        (jn.SIZE, 65),
        (jn.SIZE, FRAME_SIZE_MAX + FRAME_ALIGN),
        (jn.SIZE, 1 << 12),
        (jn.SEQ, 3),
        (jn.BODY_SIZE, -1),
        (jn.BODY_SIZE, 1 << 20),
        (jn.CHECKSUM, 0),
    ],
)
def test_a_header_that_cannot_be(word: int, value: int) -> None:
    journal = jn.in_memory(1 << 10)
    write(journal, FRAMES[1:2])
    journal.words[word] = value
    if word in (jn.SEQ, jn.BODY_SIZE):  # even with a checksum that fits
        journal.words[jn.CHECKSUM] = jn.checksum(journal.buffer, 0, int(journal.words[0]))
    assert jn.frame_state(journal, 0, 0) == jn.DAMAGED


def test_a_reader_that_joins_late_takes_any_number() -> None:
    journal = written_in_memory()
    third = scan(journal)[0][2].position
    assert jn.frame_state(journal, third, -1) == jn.WHOLE
    assert jn.frame_state(journal, third, 2) == jn.WHOLE
    assert jn.frame_state(journal, third, 1) == jn.DAMAGED
    assert int(next_whole(journal, third - FRAME_ALIGN)) == third
    assert int(next_whole(journal, int(jn.position(journal)))) == -1


# Segments on disk


@pytest.fixture
def files(tmp_path: Path, small_segments: None) -> Iterator[JournalFiles]:
    made = JournalFiles(tmp_path / "journal")
    yield made
    made.close()


def read(directory: Path, position: int = 0) -> list[Written]:
    return [plain(frame) for frame in Reader(directory, position).poll()]


def reopened(directory: Path) -> tuple[JournalFiles, list[Frame], int]:
    """What recovery does with a single segment: whole frames, then the tail is cut."""
    again = JournalFiles(directory)
    frames, _, offset = scan(again.journal)
    try:
        cut = cut_torn_tail(again, offset, len(frames))
    except JournalDamaged:
        again.close()
        raise
    return again, frames, cut


def test_a_segment_is_allocated_in_full(files: JournalFiles) -> None:
    path = segment_path(files.directory, 0)
    assert path.stat().st_size == SEGMENT
    assert segments(files.directory) == [path]
    assert read(files.directory) == []


def test_a_reader_follows_the_writer(files: JournalFiles) -> None:
    reader = Reader(files.directory)
    for frame in FRAMES:
        assert list(reader.poll()) == []
        [position] = write(files.journal, [frame])
        [found] = reader.poll()
        assert (plain(found), found.position) == (frame, position)
        assert reader.position == int(jn.position(files.journal))


def test_a_reader_may_come_before_the_journal(tmp_path: Path, small_segments: None) -> None:
    reader = Reader(tmp_path)
    assert list(reader.poll()) == []
    files = JournalFiles(tmp_path)
    write(files.journal, FRAMES)
    assert [plain(frame) for frame in reader.poll()] == list(FRAMES)
    files.close()


def test_rotation(files: JournalFiles) -> None:
    reader, expected, followed = Reader(files.directory), [], []
    positions = []
    for index in range(3):
        if index:
            files.rotate()
        assert files.index == index
        positions += write(files.journal, FRAMES)
        expected += FRAMES
        if index != 1:
            followed += [plain(frame) for frame in reader.poll()]
    assert followed == expected == read(files.directory)
    assert positions[len(FRAMES)] == SEGMENT and positions[2 * len(FRAMES)] == 2 * SEGMENT
    for n, position in enumerate(positions):
        assert read(files.directory, position) == expected[n:]
    assert [path.name for path in segments(files.directory)] == [
        f"segment-{index:06d}.journal" for index in range(3)
    ]


def test_a_missing_segment_is_named(files: JournalFiles) -> None:
    files.rotate()
    files.rotate()
    segment_path(files.directory, 1).unlink()
    with pytest.raises(JournalDamaged, match=r"segment-000001.journal is missing"):
        segments(files.directory)


def test_a_disk_that_is_full_changes_nothing(
    files: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files.journal, FRAMES)

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(journal_files.os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            files.rotate()
    write(files.journal, FRAMES)
    assert files.index == 0
    assert read(files.directory) == [*FRAMES, *FRAMES]


def test_the_segment_after_a_rotation_comes_by_itself(
    files: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not files.has_news_of_spare()
    files.rotate()
    while not files.has_news_of_spare():
        time.sleep(0.001)
    assert files.spare_fd < 0 and files.spare.stat().st_size == SEGMENT
    files.keep_spare()
    assert files.spare_fd >= 0 and not files.has_news_of_spare()

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(journal_files.os, "posix_fallocate", full)
        files.rotate()
        with pytest.raises(OSError, match="No space left"):
            files.keep_spare()
    files.keep_spare()
    assert files.spare_fd >= 0 and files.index == 2


def test_every_truncation_leaves_a_whole_beginning(tmp_path: Path, small_segments: None) -> None:
    directory = tmp_path / "journal"
    files = JournalFiles(directory)
    write(files.journal, FRAMES)
    files.close()
    path = segment_path(directory, 0)
    content = path.read_bytes()
    whole, _, end = scan(files.journal)
    for size in range(whole[2].position, end):
        path.write_bytes(content[:size])
        again, frames, cut = reopened(directory)
        left = [plain(frame) for frame in frames]
        ends = [f.position for f in whole[1:]] + [end]
        missing = next(n for n, at in enumerate(ends) if content[size:at].strip(b"\0"))
        assert left == list(FRAMES[:missing])
        torn = content[whole[missing].position : size].rstrip(b"\0")
        kept = directory / f"torn-after-{missing}.bin"
        assert cut == len(torn) and (kept.read_bytes() if cut else b"") == torn
        kept.unlink(missing_ok=True)
        write_on(again, missing)
        assert read(directory) == [*FRAMES[:missing], FRAMES[0]]
        again.close()


def write_on(files: JournalFiles, seq: int) -> None:
    """Go on behind the last whole frame."""
    frames, state, offset = scan(files.journal)
    assert (len(frames), state) == (seq, jn.END)
    files.state[0]["offset"], files.state[0]["seq"] = offset, seq
    write(files.journal, FRAMES[:1])


def test_damage_before_whole_frames_is_refused(files: JournalFiles) -> None:
    write(files.journal, FRAMES)
    whole, _, end = scan(files.journal)
    for hit in range(len(whole) - 1):
        at = whole[hit].position
        for offset in (at, at + 8 * jn.TS, at + 8 * jn.CHECKSUM):
            files.journal.buffer[offset] ^= 64
            where = rf"segment-000000\.journal, byte {at}: damaged after frame {hit}"
            with pytest.raises(JournalDamaged, match=where):
                reopened(files.directory)
            files.journal.buffer[offset] ^= 64
    assert [path.name for path in files.directory.glob("torn-*")] == []
    assert int(next_whole(files.journal, 0)) == 0 and scan(files.journal)[2] == end


def test_a_reader_refuses_a_damaged_frame(files: JournalFiles) -> None:
    write(files.journal, FRAMES)
    at = scan(files.journal)[0][3].position
    files.journal.buffer[at + 80] ^= 1
    frames = Reader(files.directory).poll()
    assert [plain(next(frames)) for _ in range(3)] == list(FRAMES[:3])
    with pytest.raises(JournalDamaged, match=f"segment-000000.journal, byte {at}: .*frame 3"):
        next(frames)


def test_a_reader_notices_a_lost_end_of_a_segment(files: JournalFiles) -> None:
    write(files.journal, FRAMES)
    last = scan(files.journal)[0][-1].position
    files.journal.buffer[last : last + 8] = 0
    files.rotate()
    write(files.journal, FRAMES)
    with pytest.raises(JournalDamaged, match=r"segment-000001.journal, byte 0: .*frame 5"):
        read(files.directory)


def test_frames_larger_than_allowed_stop_the_writer() -> None:
    journal: Any = jn.in_memory(1 << 10)
    with pytest.raises(AssertionError):
        jn.end_frame(journal, jn.TIMER, -1, 0, TS_NS, 1 << 10)
