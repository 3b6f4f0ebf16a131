"""A session's messages again, from the journal's own bytes: what a ResendRequest(2) is answered.

Compiled, and a few messages at a time: a storm of requests keeps no other session waiting.
FIX 4.4 volume 2, "Message recovery": PossDupFlag(43)=Y, OrigSendingTime(122), a new SendingTime(52)
and nothing else changed; session messages, and quotes that are no longer true, are filled as a gap.
"""

from typing import Any

import numpy as np

from engine import journal as jn
from engine.jit import inlined, njit, peek
from gateway.fix_write import (
    HEAD_ROOM,
    SOH,
    begin,
    finish,
    fix_bytes,
    put_byte,
    put_bytes,
    put_frame,
    put_int,
    put_time,
)
from gateway.recorder import copy, queue

OWED_MAX = 256 << 10  # bytes not yet read, above which a session gets nothing again for now
LOOKS_MAX = 8  # numbers looked at, for each message that may be written
TRAILER_SIZE = 7  # `10=nnn|`

#: What is to be sent again to one session; the places are in an array of their own.
backlog = np.dtype(
    [
        (name, "i8")
        for name in (
            "first",  # MsgSeqNum(34) of the first place
            "next",  # index of the next place to look at
            "gap_from",  # number at which an unfinished gap begins, or 0
            "sent",  # messages sent again, gap fills included
            "quotes",  # 1: messages about quotes were filled as a gap: what they said is lost
        )
    ],
    align=True,
)

# why `resend` came back
DONE, MORE, OTHER_SEGMENT, OWED = 0, 1, 2, 3

_T43_52 = fix_bytes("43=Y|52=")
_T43 = fix_bytes("43=Y|")
_T122 = fix_bytes("122=")
_GAP_FILL = fix_bytes("|123=Y|36=")
_SEQUENCE_RESET = np.int64(ord("4"))

#: Bytes of the record before the FIX message, by kind of frame.
_RECORD_SIZES = np.zeros(64, np.int64)
for _kind, _record in jn.RECORDS.items():
    _RECORD_SIZES[_kind] = _record.itemsize

#: By MsgType(35) of one letter. Session messages are never sent again; a Reject(3) is.
_IS_SESSION = np.zeros(128, np.uint8)
for _char in "01245A":
    _IS_SESSION[ord(_char)] = 1
#: Nor is what a quote stream said (FIX_OUT frames only: an answer to a QuoteRequest is an output),
#: but for an IOI(6): the next one refers to it.
_IS_STREAM = np.zeros(128, np.uint8)
for _char in "SiWXZ":
    _IS_STREAM[ord(_char)] = 1


def new_backlog(first: int) -> Any:
    """An array of one row, for the messages from number `first` on."""
    rows = np.zeros(1, backlog)
    rows[0]["first"] = first
    return rows


@njit
def resend(wire, journal, source, base, session_id, rows, places, budget, ts_ns):
    """Send again, at most `budget` messages: DONE, MORE, OTHER_SEGMENT or OWED.

    `places` int64[]: position in the whole journal of each number from `first` on, -1 for none;
    `rows[0]` is the `backlog`. `source` is the mapped segment whose first byte has position `base`;
    OTHER_SEGMENT: call again with that of `places[rows[0]["next"]]`. OWED: the session has not read
    what it got. `source` and `journal` may be the same memory.
    """
    work = rows[0]
    connection_id = wire.sessions[session_id]["connection"]
    written = 0
    looks = 0
    while work["next"] < places.shape[0]:
        if written >= budget or looks >= budget * LOOKS_MAX:
            return MORE
        if connection_id >= 0 and _owed(wire.connections[connection_id]) > OWED_MAX:
            return OWED
        seq = work["first"] + work["next"]
        place = places[work["next"]]
        if place >= 0 and (place < base or place - base >= source.buffer.shape[0]):
            return OTHER_SEGMENT
        looks += 1
        start, size = -1, 0
        if place >= 0:
            start, size = _sent_before(source, place - base, session_id, seq, work)
        if start < 0:
            if work["gap_from"] == 0:
                work["gap_from"] = seq
        else:
            if work["gap_from"] != 0:
                fill_gap(wire, journal, session_id, work["gap_from"], seq, ts_ns)
                work["gap_from"] = 0
                work["sent"] += 1
                written += 1
            at, size = write_again(wire, source.buffer, start, size, session_id, ts_ns)
            _send(wire, journal, session_id, seq, at, size, ts_ns)
            work["sent"] += 1
            written += 1
        work["next"] += 1
    if work["gap_from"] != 0:
        end = work["first"] + places.shape[0]
        fill_gap(wire, journal, session_id, work["gap_from"], end, ts_ns)
        work["gap_from"] = 0
        work["sent"] += 1
    return DONE


@inlined
def _owed(connection):
    return connection["tx_end"] - connection["tx_start"]


@njit
def _sent_before(source, offset, session_id, seq, work):
    """`(start, size)` of the message in a segment, start -1 for one that is not sent again."""
    word = offset >> 3
    kind = source.words[word + jn.KIND]
    if kind < jn.EXECUTION or kind == jn.FIX_RESENT:
        return -1, 0
    if source.words[word + jn.SESSION] != session_id or source.words[word + jn.FIX_SEQ] != seq:
        return -1, 0
    record_size = _RECORD_SIZES[kind]
    start = offset + jn.HEADER_SIZE + record_size
    size = source.words[word + jn.BODY_SIZE] - record_size
    at = start + 2  # behind `8=`, then behind BodyLength(9): the type comes third
    for _ in range(2):
        while peek(source.buffer, at) != SOH:
            at += 1
        at += 1
    if peek(source.buffer, at + 4) == SOH:  # `35=` and one letter
        letter = peek(source.buffer, at + 3)
        if _IS_SESSION[letter] != 0:
            return -1, 0
        if kind == jn.FIX_OUT and _IS_STREAM[letter] != 0:
            work["quotes"] = 1
            return -1, 0
    return start, size


@njit
def write_again(wire, buffer, start, size, session_id, ts_ns):
    """The message at `buffer[start:]` as it is sent again: `(start, size)` in `wire.scratch`."""
    out = wire.scratch
    body = _find(buffer, start, SOH, 2) + 1
    stamp = _find_sending_time(buffer, body, start + size)
    at = HEAD_ROOM
    at = copy(out, at, buffer, body, stamp - 3 - body)
    at = put_bytes(out, at, _T43_52)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, wire.sessions[session_id]["precision"])
    at = put_bytes(out, put_byte(out, at, SOH), _T122)
    at = copy(out, at, buffer, stamp, start + size - TRAILER_SIZE - stamp)
    return _finish_as(out, at, buffer, start)


@njit
def _find(buffer, at, byte, count):
    """Place of the `count`th such byte from `at` on."""
    while True:
        if peek(buffer, at) == byte:
            count -= 1
            if count == 0:
                return at
        at += 1


@njit
def _find_sending_time(buffer, at, end):
    """Place of SendingTime(52)'s value: one of our messages has it in its header."""
    while at < end:
        if peek(buffer, at) == 53 and peek(buffer, at + 1) == 50 and peek(buffer, at + 2) == 61:
            return at + 3
        at = _find(buffer, at, SOH, 1) + 1
    assert at < end, "every message of ours has a SendingTime(52)"
    return at


@njit
def _finish_as(out, at, buffer, start):
    """Length and checksum around the body, with the BeginString(8) at `buffer[start:]`."""
    head_size = _find(buffer, start, SOH, 1) + 3 - start  # `8=...|9=`
    return put_frame(out, at, buffer, start, head_size)


@njit
def fill_gap(wire, journal, session_id, first, new, ts_ns):
    """SequenceReset(4), GapFillFlag(123)=Y, in place of the numbers from `first` to `new` - 1."""
    out = wire.scratch
    precision = wire.sessions[session_id]["precision"]
    at = begin(out, wire, session_id, _SEQUENCE_RESET, first, ts_ns)
    at = put_bytes(out, put_bytes(out, at, _T43), _T122)
    at = put_time(out, at, wire.date, wire.loop[0], ts_ns, precision)
    at = put_int(out, put_bytes(out, at, _GAP_FILL), new)
    start, size = finish(out, put_byte(out, at, SOH), wire, session_id)
    _send(wire, journal, session_id, first, start, size, ts_ns)


@inlined
def _send(wire, journal, session_id, seq, start, size, ts_ns):
    """Journal what stands in the scratch as sent again, and queue it."""
    copy(journal.buffer, jn.body_at(journal), wire.scratch, start, size)
    jn.end_frame(journal, jn.FIX_RESENT, session_id, seq, ts_ns, size)
    queue(wire, session_id, wire.scratch, start, size)
