"""Journal frames over a given buffer: the layout of the only record, and how to read it back.

A frame is a 64-byte header, a body, and zeros up to the next multiple of 64. The header's `size` is
written last, with a release store: a reader that sees it sees the whole frame. A body is the record
of its kind, then the raw FIX bytes it came from or caused. This file does no I/O; whoever owns the
segments (gateway/journal_files.py) hands in the memory.
"""

from typing import Any

import numpy as np

from engine import schema
from engine.handle import Handle
from engine.jit import JIT, inlined, njit, peek_word, poke_word, store_word, unsigned
from engine.limits import FRAME_ALIGN, FRAME_SIZE_MAX, SEGMENT_SIZE

HEADER_SIZE = 64
SIZE, SEQ, TS, KIND, SESSION, FIX_SEQ, BODY_SIZE, CHECKSUM = range(8)

# inputs
BOOT = 1  # a process took over: the schema's hash
TABLE_ROW = 2  # table id, row index, then the row
ORDER = 3
CANCEL = 4
STATUS = 5
VENUE_QUOTE = 6  # 1..20 records as they came
DESK = 7
TIMER = 8
SESSION_SET = 9  # session id, then its next numbers: logon with reset, gap fill, restart
FIX_IN = 10  # a message that is no input of the engine, as it came
STAGE = 11  # a piece of the next instrument table (engine.staging)
ACTIVATE = 12  # that table is the live one from here on
REPLACE = 13
MASS_CANCEL = 14  # a piece of one; without a message behind it where no client asked
MASS_STATUS = 15
QUOTE_EVENT = 16  # a message about a quote on request
# outputs
EXECUTION = 20
DESK_ITEM = 21
DESK_RESULT = 22
QUOTE = 23
FIX_OUT = 24  # a message that is no output of the engine, as it was sent

QUOTE_REPORT = 26  # what became of a quote on request, with the message where one says it
FIX_RESENT = 25  # what a ResendRequest was answered with; changes nothing

KIND_NAMES = {
    BOOT: "BOOT",
    TABLE_ROW: "TABLE_ROW",
    ORDER: "ORDER",
    CANCEL: "CANCEL",
    STATUS: "STATUS",
    VENUE_QUOTE: "VENUE_QUOTE",
    DESK: "DESK",
    TIMER: "TIMER",
    SESSION_SET: "SESSION_SET",
    FIX_IN: "FIX_IN",
    STAGE: "STAGE",
    ACTIVATE: "ACTIVATE",
    REPLACE: "REPLACE",
    MASS_CANCEL: "MASS_CANCEL",
    MASS_STATUS: "MASS_STATUS",
    QUOTE_EVENT: "QUOTE_EVENT",
    EXECUTION: "EXECUTION",
    DESK_ITEM: "DESK_ITEM",
    DESK_RESULT: "DESK_RESULT",
    QUOTE: "QUOTE",
    FIX_OUT: "FIX_OUT",
    FIX_RESENT: "FIX_RESENT",
    QUOTE_REPORT: "QUOTE_REPORT",
}

RECORDS = {
    BOOT: schema.boot,
    ACTIVATE: schema.activation,
    SESSION_SET: schema.session_set,
    ORDER: schema.order_event,
    CANCEL: schema.order_event,
    STATUS: schema.order_event,
    REPLACE: schema.order_event,
    MASS_CANCEL: schema.order_event,
    MASS_STATUS: schema.order_event,
    VENUE_QUOTE: schema.venue_quote,
    DESK: schema.desk_command,
    EXECUTION: schema.execution,
    DESK_ITEM: schema.desk_item,
    DESK_RESULT: schema.desk_result,
    QUOTE: schema.quote,
    QUOTE_EVENT: schema.quote_event,
    QUOTE_REPORT: schema.quote_report,
}

writer = np.dtype(
    [
        (name, "i8")
        for name in (
            "offset",  # of the next frame in the segment
            "seq",  # of the last frame
            "base",  # position of the segment's first byte in the whole journal
            "mapped",  # bytes of the segment already brought into memory
            "spare",  # bytes of the next segment already written with zeros
            "last",  # position of the last frame
        )
    ],
    align=True,
)


class Journal(Handle):
    """One segment of memory and where the writer stands in it."""

    buffer: Any  # uint8[SEGMENT_SIZE]
    words: Any  # the same memory as int64
    writer: Any  # writer[1]


def over(buffer: Any, state: Any) -> Journal:
    """A journal over the memory of one segment."""
    return Journal(buffer=buffer, words=buffer.view(np.int64), writer=state)


def in_memory(size: int = SEGMENT_SIZE) -> Journal:
    """A journal that lives in memory alone, for tests and in-process benchmarks."""
    return over(np.zeros(size, np.uint8), np.zeros(1, writer))


@inlined
def room(journal):
    """Bytes left in the segment."""
    return journal.buffer.shape[0] - journal.writer[0]["offset"]


@inlined
def position(journal):
    """Where the next frame goes, counted from the start of the whole journal."""
    return journal.writer[0]["base"] + journal.writer[0]["offset"]


@inlined
def body_at(journal):
    """Offset at which the body of the next frame is to be written before `end_frame`."""
    return journal.writer[0]["offset"] + HEADER_SIZE


@njit
def end_frame(journal, kind, session, fix_seq, ts_ns, body_size):
    """Publish the frame whose body was written at `body_at`; answers its position."""
    state = journal.writer[0]
    offset = state["offset"]
    size = (HEADER_SIZE + body_size + FRAME_ALIGN - 1) // FRAME_ALIGN * FRAME_ALIGN
    assert size <= FRAME_SIZE_MAX and offset + size <= journal.buffer.shape[0]
    used = HEADER_SIZE + body_size
    for at in range(offset + used // 8 * 8 + 8, offset + size, 8):
        poke_word(journal.buffer, at, 0)
    for at in range(offset + used, min(offset + used // 8 * 8 + 8, offset + size)):
        journal.buffer[at] = 0
    state["seq"] += 1
    word = offset >> 3
    journal.words[word + SEQ] = state["seq"]
    journal.words[word + TS] = ts_ns
    journal.words[word + KIND] = kind
    journal.words[word + SESSION] = session
    journal.words[word + FIX_SEQ] = fix_seq
    journal.words[word + BODY_SIZE] = body_size
    journal.words[word + CHECKSUM] = checksum(journal.buffer, offset, size)
    store_word(journal.buffer, offset, size)
    state["offset"] = offset + size
    state["last"] = state["base"] + offset
    return state["last"]


_P, _SHIFT = unsigned(0x9E3779B97F4A7C15), unsigned(32)
_B, _C, _D, _E = (unsigned(0x9E3779B97F4A7C15 + lane) for lane in (1, 2, 3, 4))
_F, _G, _H = (unsigned(0x9E3779B97F4A7C15 + lane) for lane in (5, 6, 7))

if JIT:

    @inlined
    def checksum(buffer, offset, size):
        """64-bit checksum of a frame, all but its size and checksum words.

        Eight lanes, so that no multiplication waits for the one before. Each step is a bijection of
        its lane, so a change within any one word always shows.
        """
        a = unsigned(size) * _P
        b = (_B ^ peek_word(buffer, offset + 8 * SEQ)) * _P
        c = (_C ^ peek_word(buffer, offset + 8 * TS)) * _P
        d = (_D ^ peek_word(buffer, offset + 8 * KIND)) * _P
        e = (_E ^ peek_word(buffer, offset + 8 * SESSION)) * _P
        f = (_F ^ peek_word(buffer, offset + 8 * FIX_SEQ)) * _P
        g = (_G ^ peek_word(buffer, offset + 8 * BODY_SIZE)) * _P
        h = _H
        for at in range(offset + HEADER_SIZE, offset + size, 64):
            a = (a ^ peek_word(buffer, at)) * _P
            b = (b ^ peek_word(buffer, at + 8)) * _P
            c = (c ^ peek_word(buffer, at + 16)) * _P
            d = (d ^ peek_word(buffer, at + 24)) * _P
            e = (e ^ peek_word(buffer, at + 32)) * _P
            f = (f ^ peek_word(buffer, at + 40)) * _P
            g = (g ^ peek_word(buffer, at + 48)) * _P
            h = (h ^ peek_word(buffer, at + 56)) * _P
            a ^= a >> _SHIFT
            b ^= b >> _SHIFT
            c ^= c >> _SHIFT
            d ^= d >> _SHIFT
            e ^= e >> _SHIFT
            f ^= f >> _SHIFT
            g ^= g >> _SHIFT
            h ^= h >> _SHIFT
        a = (a ^ b) * _P
        c = (c ^ d) * _P
        e = (e ^ f) * _P
        g = (g ^ h) * _P
        a = (a ^ (a >> _SHIFT) ^ c) * _P
        e = (e ^ (e >> _SHIFT) ^ g) * _P
        a = (a ^ (a >> _SHIFT) ^ e) * _P
        return np.int64(a ^ (a >> _SHIFT))

else:
    _MASK = 2**64 - 1

    def checksum(buffer, offset, size):  # type: ignore[no-untyped-def]
        """The interpreted twin of the compiled checksum."""
        words = buffer[offset : offset + size].view(np.uint64).tolist()
        head = [0, *words[SEQ:CHECKSUM]]
        lanes = [(_P + lane ^ word) * _P & _MASK for lane, word in enumerate(head)]
        lanes[0] = int(size) * _P & _MASK
        lanes.append(_H)
        for i in range(8, len(words), 8):
            for lane in range(8):
                mixed = (lanes[lane] ^ words[i + lane]) * _P & _MASK
                lanes[lane] = mixed ^ (mixed >> 32)
        a, c, e, g = ((lanes[i] ^ lanes[i + 1]) * _P & _MASK for i in (0, 2, 4, 6))
        a = (a ^ (a >> 32) ^ c) * _P & _MASK
        e = (e ^ (e >> 32) ^ g) * _P & _MASK
        a = (a ^ (a >> 32) ^ e) * _P & _MASK
        a ^= a >> 32
        return a - 2**64 if a >= 2**63 else a


WHOLE, END, DAMAGED = 0, 1, 2


@njit
def frame_state(journal, offset, seq_before):
    """WHOLE, END (nothing was written here) or DAMAGED; a whole frame follows `seq_before`.

    `seq_before` -1 accepts any sequence number: the first frame of a reader that joins late.
    """
    limit = journal.buffer.shape[0]
    if offset + HEADER_SIZE > limit:
        return END
    word = offset >> 3
    size = journal.words[word]
    if size == 0:
        return END
    if size < HEADER_SIZE or size > FRAME_SIZE_MAX or size % FRAME_ALIGN != 0:
        return DAMAGED
    if offset + size > limit:
        return DAMAGED
    body_size = journal.words[word + BODY_SIZE]
    if body_size < 0 or HEADER_SIZE + body_size > size:
        return DAMAGED
    if seq_before >= 0 and journal.words[word + SEQ] != seq_before + 1:
        return DAMAGED
    if checksum(journal.buffer, offset, size) != journal.words[word + CHECKSUM]:
        return DAMAGED
    return WHOLE
