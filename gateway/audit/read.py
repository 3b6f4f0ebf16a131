"""The shell of the audit: segments in, a filled `Book` out. Reads the journal and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine import journal as jn
from engine.limits import FRAME_ALIGN, SEGMENT_SIZE
from engine.regimes import midnight_ns
from engine.schema import params, schema_hash
from gateway import journal_files
from gateway.audit import basics, presence, recount
from gateway.audit.rows import Rows
from gateway.audit.rules import Rule
from gateway.audit.tables import DAY_NS, HOURS_MAX, Book, Presence, allocate
from gateway.errors import UserError
from gateway.journal_schema import WrongSchema

PARAMS_MAX = 1 << 12  # rows of parameters in one segment
SILENCE_NS = 60 * 10**9  # after the last frame of a day: an engine with a session has heartbeats

Progress = Callable[[str, int, int], None]


class Recount(NamedTuple):
    """A day, recounted."""

    day: date
    book: Book
    instruments: int
    segments: int
    hours: list[tuple[int, int]]  # from, until (exclusive)
    is_over: bool  # frames of a later day follow, or the day has passed
    torn_bytes: int
    forced: int  # regime that the configuration forced last, or -1


class Survey(NamedTuple):
    """What the headers alone tell."""

    sizes: tuple[int, int]  # instruments, clients
    params: list[tuple[int, int, int]]  # ts, open, close
    first_ns: int
    day_first_ns: int
    day_last_ns: int


def parse_day(text: str, now_ns: int) -> date:
    """`today` or a date. Raises UserError."""
    today = datetime.fromtimestamp(now_ns // 10**9, UTC).date()
    if text == "today":
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no day: write it like {today}, or today") from None
    if not date(1970, 1, 1) <= day <= today:
        raise UserError(f"{day} has not come yet, or is before 1970: today is {today} (UTC)")
    return day


def recount_day(
    folder: Path, day: date, close_bps: int, now_ns: int, progress: Progress | None = None
) -> Recount:
    """Recount the day of the journal in `folder/journal`. Raises UserError."""
    journal = folder / "journal"
    if not journal.is_dir():
        raise UserError(f"{journal}: no such folder: name the folder with si.toml")
    paths = journal_files.segments(journal)
    from_ns = midnight_ns(day)
    until_ns = from_ns + DAY_NS
    progress = progress or (lambda *_: None)
    progress("the headers", 0, len(paths))
    found = survey(journal, len(paths), from_ns, until_ns)
    if found.day_first_ns == 0:
        began = datetime.fromtimestamp(found.first_ns // 10**9, UTC).date()
        what = f"it begins on {began}" if found.first_ns else "it is empty"
        raise UserError(f"{journal}: no frame of {day} (UTC); {what}: name a day that it holds")
    book = allocate(from_ns, until_ns, close_bps, max(found.sizes[0], 1), max(found.sizes[1], 1))
    hours = hours_of(found, from_ns, until_ns, day_is_over=now_ns >= until_ns)
    for index, interval in enumerate(hours):
        book.hours[index] = interval
    run = book.run[0]
    run["hours"], run["first_ns"] = len(hours), found.first_ns
    return _scan(journal, len(paths), day, book, hours, now_ns, progress)


def survey(journal: Path, segments: int, from_ns: int, until_ns: int) -> Survey:
    """What the headers tell, without the checksums. Raises WrongSchema."""
    book = allocate(from_ns, until_ns, 0, 1, 1)
    sizes, found = np.zeros(4, np.int64), np.zeros(PARAMS_MAX, np.int64)
    sizes[2] = schema_hash()
    rows = []
    for index in range(segments):
        if (segment := _map(journal, index)) is None:
            continue
        if segment.words[jn.TS] >= until_ns:
            book.run[0]["first_ns"] = book.run[0]["first_ns"] or segment.words[jn.TS]
            break
        count = min(int(recount.survey(book, segment, sizes, found)), PARAMS_MAX)
        if sizes[3]:
            raise WrongSchema(
                f"{journal}: segment {index} was written with schema {int(sizes[3]):016x}, this "
                f"version has {schema_hash():016x}: use the version that wrote it"
            )
        for offset in found[:count].tolist():
            frame = journal_files.frame_at(segment, offset, 0)
            row = frame.body[16 : 16 + params.itemsize].view(params)[0]
            rows.append((frame.ts_ns, int(row["open_ns"]), int(row["close_ns"])))
    run = book.run[0]
    return Survey(
        (int(sizes[0]), int(sizes[1])), rows, int(run["first_ns"]), int(run["day_first_ns"]),
        int(run["last_ns"]),
    )  # fmt: skip


def hours_of(
    found: Survey, from_ns: int, until_ns: int, *, day_is_over: bool
) -> list[tuple[int, int]]:
    """The published hours of the day: those of the parameters in force at each time.

    Of rows that name the day, the first holds from its beginning. Without hours (always open) the
    day is from its first frame to its last. An unfinished day ends with its last frame.
    """
    named = [row for row in found.params if row[1] < until_ns and row[2] > from_ns]
    hours: list[tuple[int, int]] = []
    for index, (ts_ns, opens, closes) in enumerate(named):
        low = from_ns if index == 0 else ts_ns
        high = named[index + 1][0] if index + 1 < len(named) else until_ns
        always = opens <= from_ns and closes >= until_ns
        low = max(low, found.day_first_ns if always else opens)
        last_ns = found.day_last_ns if always or not day_is_over else until_ns
        high = min(high, closes, last_ns)
        if low < high:
            if hours and hours[-1][1] == low:
                low = hours.pop()[0]
            hours.append((low, high))
    return hours[:HOURS_MAX]


def _map(journal: Path, index: int) -> jn.Journal | None:
    """A segment's memory to read; none where nothing can be in it."""
    if journal_files.segment_path(journal, index).stat().st_size < FRAME_ALIGN:
        return None
    return journal_files.look_at(journal, index)


def _scan(
    journal: Path, segments: int, day: date, book: Book, hours: list[tuple[int, int]], now_ns: int,
    progress: Progress,
) -> Recount:  # fmt: skip
    run, rows = book.run[0], Rows(book)
    torn_bytes, later_kind = 0, 0
    for index in range(segments):
        progress(f"segment {index}", index, segments)
        if (segment := _map(journal, index)) is None:
            continue
        run["base"] = index * SEGMENT_SIZE
        state, offset = _segment(book, rows, segment)
        if state == recount.PAST:
            later_kind = int(segment.words[(offset >> 3) + jn.KIND])
            break
        if state == jn.DAMAGED:
            torn_bytes = int(np.count_nonzero(segment.buffer[offset:]))
            if index + 1 < segments:
                _damage(book, offset)
    is_over = later_kind != 0 or now_ns >= int(run["until_ns"])
    _finish(book, rows.instruments, later_kind, is_over)
    return Recount(day, book, rows.instruments, segments, hours, is_over, torn_bytes, rows.forced)


def _segment(book: Book, rows: Rows, segment: jn.Journal) -> tuple[int, int]:
    """Every frame of a segment, over what is damaged where whole frames follow it."""
    run, offset = book.run[0], 0
    while True:
        state, stop = recount.scan(book, segment, offset)
        offset = int(stop)
        if state == recount.RARE:
            frame = journal_files.frame_at(segment, offset, int(run["base"]))
            rows.take(frame)
            run["last_ns"] = frame.ts_ns
            offset += int(segment.words[offset >> 3])
        elif state == jn.DAMAGED:
            following = int(journal_files.next_whole(segment, offset))
            if following < 0:
                return jn.DAMAGED, offset
            _damage(book, offset)
            offset = following
        else:
            return int(state), offset


def _damage(book: Book, offset: int) -> None:
    """Bytes that are no frame, with whole frames behind them: what is lost cannot be judged."""
    here, run = book.here[0], book.run[0]
    for name in ("instrument", "client", "order_id", "exec_id", "quote_id"):
        here[name] = -1 if name in ("instrument", "client") else 0
    here["position"], here["seq"] = run["base"] + offset, run["last_seq"]
    here["ts_ns"] = run["last_ns"]
    book.receipt[0]["open"] = book.receipt[0]["waiting"] = 0
    basics.tell(book, 0, int(Rule.DAMAGED), 0, 0, 0, 0, 0)


def _finish(book: Book, instruments: int, later_kind: int, is_over: bool) -> None:
    """The rest of the day: as it was while the engine ran on, else without an engine."""
    run = book.run[0]
    until_ns = int(run["until_ns"])
    ran_on = later_kind not in (0, jn.BOOT)
    last_ns = int(run["last_ns"])
    at_ns = until_ns if ran_on or not is_over else min(last_ns + SILENCE_NS, until_ns)
    presence.close_all(book, instruments, at_ns, until_ns, int(Presence.NOT_RUNNING))
