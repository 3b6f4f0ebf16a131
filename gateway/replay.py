"""The journal back to tables: recovery at start, and the proof that the same inputs give the same.

Replay runs the inputs of a segment through the very functions that wrote it, into a second segment
in memory. Both must be the same bytes: every frame, every number, every FIX report. Where the
original ends early (the process died between an input and its outputs) the copy has the missing
frames, and recovery adds them, so that no fill is ever lost.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import Progress

from engine import journal as jn
from engine import rfq_step, schema, step
from engine.handle import Handle
from engine.jit import get_record, load_word, njit
from engine.limits import SEGMENT_SIZE, Capacity
from engine.outbox import allocate_outbox
from engine.policy import Policy
from engine.staging import apply_stage, count_activation
from engine.tables import Tables, allocate, apply_row, state_hash
from gateway import config as configuration
from gateway import echo, journal_files, policy_file
from gateway.errors import UserError
from gateway.fix_read import tokenize
from gateway.inbound import NEEDED_ROOM
from gateway.recorder import (
    apply_boot,
    apply_session,
    copy,
    emit,
    event_size,
    venue_quote_size,
)
from gateway.wire import SENT_RING, Wire
from gateway.wire import allocate as allocate_wire

DONE, DAMAGED, UNEXPECTED, NEEDS_POLICY, NEEDS_EXCHANGE = 0, 1, 2, 3, 4
FOREVER = 2**62  # no position of a journal


class Scratch(Handle):
    """One row of each record that an input frame may hold."""

    event: Any
    quote_event: Any
    command: Any
    setting: Any
    boot: Any
    activation: Any


def allocate_scratch() -> Scratch:
    """Rows to decode frames into."""
    return Scratch(
        event=np.zeros(1, schema.order_event),
        quote_event=np.zeros(1, schema.quote_event),
        command=np.zeros(1, schema.desk_command),
        setting=np.zeros(1, schema.session_set),
        boot=np.zeros(1, schema.boot),
        activation=np.zeros(1, schema.activation),
    )


@njit
def replay(tables, outbox, wire, source, shadow, scratch, policy):
    """Run the source's frames from `shadow`'s offset on; answers `(outcome, offset)`.

    Each input frame and what it causes is written to `shadow`; the caller compares the bytes. Stops
    at the end (DONE), at a damaged frame, at an output that no input caused (UNEXPECTED), after a
    row of parameters that asks for another policy (NEEDS_POLICY), and after an activation, since
    tables are exchanged only while no compiled code runs (NEEDS_EXCHANGE).
    """
    state = shadow.writer[0]
    while True:
        offset = state["offset"]
        found = jn.frame_state(source, offset, state["seq"])
        if found == jn.DAMAGED:
            return DAMAGED, offset
        if found == jn.END:
            return DONE, offset
        word = offset >> 3
        kind = source.words[word + jn.KIND]
        if kind >= jn.EXECUTION and kind != jn.FIX_OUT and kind != jn.FIX_RESENT:
            return UNEXPECTED, offset
        before = tables.params[0]["policy_hash"]
        _input(tables, outbox, wire, source, shadow, scratch, offset, policy)
        if tables.params[0]["policy_hash"] != before:
            return NEEDS_POLICY, offset
        if kind == jn.ACTIVATE:
            return NEEDS_EXCHANGE, offset


@njit
def _input(tables, outbox, wire, source, shadow, scratch, offset, policy):
    """Copy one input frame, then apply it."""
    word = offset >> 3
    ts_ns = source.words[word + jn.TS]
    kind = source.words[word + jn.KIND]
    session_id = source.words[word + jn.SESSION]
    fix_seq = source.words[word + jn.FIX_SEQ]
    body_size = source.words[word + jn.BODY_SIZE]
    body = offset + jn.HEADER_SIZE
    copy(shadow.buffer, body, source.buffer, body, body_size)
    position = jn.end_frame(shadow, kind, session_id, fix_seq, ts_ns, body_size)
    buffer = source.buffer
    if (kind >= jn.ORDER and kind <= jn.STATUS) or (kind >= jn.REPLACE and kind <= jn.MASS_STATUS):
        event = scratch.event[0]
        get_record(event, buffer, body)
        if fix_seq > 0:
            wire.sessions[session_id]["next_in"] = fix_seq + 1
        message_size = body_size - event_size
        _read_again(wire, kind, session_id, buffer, body + event_size, message_size)
        _request(tables, outbox, kind, event, ts_ns, policy)
        emit(tables, outbox, wire, shadow, ts_ns)
    elif kind == jn.QUOTE_EVENT:
        get_record(scratch.quote_event[0], buffer, body)
        wire.sessions[session_id]["next_in"] = fix_seq + 1
        rfq_step.on_quote_event(tables, outbox, scratch.quote_event[0], ts_ns, policy)
        emit(tables, outbox, wire, shadow, ts_ns)
    elif kind == jn.VENUE_QUOTE:
        for at in range(body, body + body_size, venue_quote_size):
            get_record(wire.venue_quote[0], buffer, at)
            step.on_venue_quote(tables, outbox, wire.venue_quote[0], ts_ns)
            emit(tables, outbox, wire, shadow, ts_ns)
    elif kind == jn.DESK:
        get_record(scratch.command[0], buffer, body)
        step.on_desk(tables, outbox, scratch.command[0], ts_ns)
        emit(tables, outbox, wire, shadow, ts_ns)
    elif kind == jn.TIMER:
        step.on_timer(tables, outbox, ts_ns)
        emit(tables, outbox, wire, shadow, ts_ns)
    elif kind == jn.TABLE_ROW:
        table_id = load_word(buffer, body)
        apply_row(tables, table_id, load_word(buffer, body + 8), buffer, body + 16)
    elif kind == jn.STAGE:
        apply_stage(tables, buffer, body)
    elif kind == jn.ACTIVATE:
        get_record(scratch.activation[0], buffer, body)
        count_activation(tables, scratch.activation[0]["snapshot"])
    elif kind == jn.SESSION_SET:
        get_record(scratch.setting[0], buffer, body)
        apply_session(wire, session_id, scratch.setting[0])
    elif kind == jn.BOOT:
        get_record(scratch.boot[0], buffer, body)
        apply_boot(wire, scratch.boot[0])
    elif kind == jn.FIX_IN and fix_seq > 0:
        wire.sessions[session_id]["next_in"] = fix_seq + 1
    elif kind == jn.FIX_OUT:
        wire.sessions[session_id]["next_out"] = fix_seq + 1
        wire.sent[session_id, fix_seq % SENT_RING] = position


@njit
def _request(tables, outbox, kind, event, ts_ns, policy):
    """Step the engine by one message about orders."""
    if kind == jn.ORDER:
        step.on_order(tables, outbox, event, ts_ns, policy)
    elif kind == jn.CANCEL:
        step.on_cancel(tables, outbox, event, ts_ns)
    elif kind == jn.STATUS:
        step.on_status(tables, outbox, event, ts_ns)
    elif kind == jn.REPLACE:
        step.on_replace(tables, outbox, event, ts_ns)
    elif kind == jn.MASS_CANCEL:
        step.on_mass_cancel(tables, outbox, event, ts_ns)
    else:
        step.on_mass_status(tables, outbox, event, ts_ns)


@njit
def _read_again(wire, kind, session_id, buffer, start, size):
    """What reports give back of a message, from its journalled bytes."""
    told = kind == jn.STATUS or kind == jn.MASS_STATUS
    echoed = kind == jn.ORDER or kind == jn.REPLACE
    if echoed and wire.sessions[session_id]["out_tags"] & echo.ECHO == 0:
        return
    if not told and not echoed:
        return
    loop = wire.loop[0]
    loop["generation"] += 1
    generation = loop["generation"]
    _, _, count = tokenize(buffer, start, size, wire.fields, wire.parts, generation)
    loop["parts"] = count
    if echoed:
        echo.collect(wire, buffer, generation, session_id, start, size)
    else:
        echo.collect_request(wire, buffer, generation, 790 if kind == jn.STATUS else 584)


@njit
def first_difference(source, shadow, start, end):
    """Offset of the first word that differs, or -1; frames start and end on words."""
    for word in range(start >> 3, end >> 3):
        if source.words[word] != shadow.words[word]:
            return 8 * word
    return -1


class Difference(UserError):
    """A replayed journal does not give what was recorded."""


class Replayed(NamedTuple):
    """How far a replay came."""

    frames: int
    segment: int
    offset: int  # where the journal ends, missing outputs included
    missing: int  # bytes of outputs that the original lacks at its end
    torn: bool  # the original ends in a damaged frame


class Replayer:
    """Runs a journal directory through fresh tables, segment by segment."""

    def __init__(
        self,
        tables: Tables,
        outbox: Any,
        wire: Wire,
        policy_by_hash: Callable[[int], Policy],
    ) -> None:
        self.tables, self.outbox, self.wire = tables, outbox, wire
        self.policy_by_hash = policy_by_hash
        self.policy: Policy | None = None
        self.scratch = allocate_scratch()
        self.shadow = jn.in_memory(SEGMENT_SIZE)
        self._ahead = 0  # bytes of outputs that the shadow has and nothing was compared with yet

    def start_at(self, seq: int, position: int) -> None:
        """Go on after a snapshot instead of from the first frame."""
        self.shadow.writer[0]["seq"] = seq
        self.shadow.writer[0]["offset"] = position % SEGMENT_SIZE
        self.shadow.writer[0]["base"] = position // SEGMENT_SIZE * SEGMENT_SIZE

    def run(
        self,
        directory: Path,
        on_segment: Callable[[int, int], None] = lambda done, count: None,
        until: int = FOREVER,
    ) -> Replayed:
        """Replay every frame from where we stand. Raises Difference and JournalDamaged.

        `until` is the position of an input's first output, in a journal that somebody may still
        write: that input is the last one applied, and what it causes is compared by the next run.
        """
        paths = journal_files.segments(directory)[: until // SEGMENT_SIZE + 1]
        writer = self.shadow.writer[0]
        first_seq = int(writer["seq"])
        index = int(writer["base"]) // SEGMENT_SIZE
        missing, torn = self._ahead, False
        while index < len(paths):
            start = int(writer["offset"]) - missing
            source = self._map(directory, index, until - index * SEGMENT_SIZE)
            missing, torn = self._segment(directory, index, source, start)
            on_segment(index + 1, len(paths))
            last = index + 1 == len(paths)
            if (missing or torn) and not last:
                at = int(writer["offset"]) - missing
                raise journal_files.JournalDamaged(
                    journal_files.damage(directory, index, at, int(writer["seq"]))
                )
            if last:
                break
            index += 1
            writer["offset"] = 0
            writer["base"] = index * SEGMENT_SIZE
        self._ahead = missing
        return Replayed(int(writer["seq"]) - first_seq, index, int(writer["offset"]), missing, torn)

    def _map(self, directory: Path, index: int, end: int) -> jn.Journal:
        """A segment's memory, zero-extended where the file was cut or the replay is to stop."""
        path = journal_files.segment_path(directory, index)
        if path.stat().st_size == SEGMENT_SIZE and end >= SEGMENT_SIZE:
            return journal_files.look_at(directory, index)
        buffer = np.zeros(min(SEGMENT_SIZE, end + NEEDED_ROOM), np.uint8)
        data = np.fromfile(path, np.uint8, min(SEGMENT_SIZE, end))
        buffer[: data.size] = data
        return jn.over(buffer, np.zeros(1, jn.writer))

    def _segment(
        self, directory: Path, index: int, source: jn.Journal, start: int
    ) -> tuple[int, bool]:
        """Replay one segment and compare it; `(missing bytes at its end, ends damaged)`."""
        if self.policy is None or self.policy.source_hash != self._wanted():
            self.policy = self.policy_by_hash(self._wanted())
        while True:
            outcome, offset = replay(
                self.tables, self.outbox, self.wire, source, self.shadow, self.scratch,
                self.policy.address,
            )  # fmt: skip
            if outcome == NEEDS_POLICY:
                self.policy = self.policy_by_hash(self._wanted())
            elif outcome == NEEDS_EXCHANGE:
                self.tables.activate_staged()
            else:
                break
        return self._compare(directory, index, source, start, int(outcome), int(offset))

    def _wanted(self) -> int:
        return int(self.tables.params[0]["policy_hash"])

    def _compare(
        self, directory: Path, index: int, source: jn.Journal, start: int, outcome: int, offset: int
    ) -> tuple[int, bool]:
        end = int(self.shadow.writer[0]["offset"])
        different = int(first_difference(source, self.shadow, start, end))
        if different < 0 and outcome == DONE:
            return 0, False
        stop = different if different >= 0 else offset
        name = journal_files.segment_path(directory, index).name
        # without a difference the damage is in a frame that was not run: it begins at the end
        frame = end if different < 0 else self._frame_holding(start, different)
        if outcome == UNEXPECTED and different < 0:
            raise Difference(f"{name}, byte {offset}: an output that no input caused")
        if frame < end and self._is_whole(source, frame):
            raise Difference(self._explain(name, source, frame))
        if int(journal_files.next_whole(source, self._frame_end(frame, stop))) >= 0:
            seq = int(self.shadow.writer[0]["seq"])
            if frame < end:
                seq = int(self.shadow.words[(frame >> 3) + jn.SEQ]) - 1
            raise journal_files.JournalDamaged(journal_files.damage(directory, index, frame, seq))
        if different < 0:
            return 0, True
        torn = bool(source.buffer[frame:].any())
        return end - frame, torn

    def _frame_holding(self, start: int, offset: int) -> int:
        """Offset of the shadow's frame that the byte at `offset` belongs to."""
        at = start
        while True:
            size = int(self.shadow.words[at >> 3])
            if size == 0 or at + size > offset:
                return at
            at += size

    def _frame_end(self, frame: int, stop: int) -> int:
        return max(frame + 64, stop // 64 * 64 + 64)

    def _is_whole(self, source: jn.Journal, frame: int) -> bool:
        return int(jn.frame_state(source, frame, -1)) == jn.WHOLE

    def _explain(self, name: str, source: jn.Journal, offset: int) -> str:
        """Which frame differs, and in which fields."""
        recorded = journal_files.frame_at(source, offset, 0)
        replayed = journal_files.frame_at(self.shadow, offset, 0)
        kind = jn.KIND_NAMES.get(replayed.kind, str(replayed.kind))
        lines = [f"{name}, byte {offset}: frame {replayed.seq} ({kind}) is not what was recorded"]
        if recorded.kind != replayed.kind:
            other = jn.KIND_NAMES.get(recorded.kind, str(recorded.kind))
            return f"{lines[0]}: the journal has {other} there"
        dtype = jn.RECORDS.get(replayed.kind)
        for field in dtype.names or () if dtype else ():
            old, new = recorded.record[field], replayed.record[field]
            if np.any(old != new):
                lines.append(f"  {field}: recorded {old}, replayed {new}")
        if recorded.fix != replayed.fix:
            lines.append(f"  FIX recorded {recorded.fix!r}")
            lines.append(f"  FIX replayed {replayed.fix!r}")
        return "\n".join(lines)


def verify(journal: Path, console: Any) -> dict[str, Any]:
    """Replay a whole journal into fresh tables. Raises Difference and JournalDamaged."""
    tables, wire = allocate(_capacity(journal)), allocate_wire()
    replayer = Replayer(
        tables, allocate_outbox(), wire, lambda code: policy_file.kept_by_hash(journal, code)
    )
    started = time.perf_counter()
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("replaying segments", total=None)
        done = replayer.run(journal, lambda n, count: bar.update(task, completed=n, total=count))
    elapsed = time.perf_counter() - started
    return {
        "frames": done.frames,
        "segments": done.segment + 1,
        "missing_bytes": done.missing,
        "torn": done.torn,
        "state_hash": state_hash(tables),
        "frames_per_s": done.frames / elapsed,
        "orders": int(tables.counters[0]["orders"]),
        "executions": int(tables.counters[0]["executions"]),
    }


def _capacity(journal: Path) -> Capacity:
    """Tables as large as the engine had them: what was full then must be full now."""
    return configuration.load(journal.parent).capacity
