"""One inbound FIX message: the hot path for a session's ordinary traffic.

Orders, cancels, status requests, heartbeats and test requests that come in sequence are done here,
compiled. Everything else is left to `gateway.session`, in Python, in the same thread; requests that
the engine answers come back from there to `gateway.requests`.
"""

import numpy as np

from engine import journal as jn
from engine import step
from engine.enums import Reason
from engine.jit import copy_bytes, inlined, njit
from engine.limits import CLORDID_SIZE_MAX
from engine.tables import expect_order, find_order
from gateway import echo
from gateway.ahead import MAPPED_MIN, map_ahead
from gateway.fix_check import check_message
from gateway.fix_read import (
    GARBLED,
    MESSAGE,
    OVERSIZE,
    frame,
    has,
    read_int,
    same_bytes,
    tokenize,
)
from gateway.fix_time import read_time
from gateway.fix_values import FINE
from gateway.fix_write import begin, finish, fix_bytes, put_byte, put_bytes, put_int
from gateway.order_entry import (
    read_cancel,
    read_order,
    read_status,
)
from gateway.recorder import (
    copy,
    emit,
    journal_event,
    on_message_in,
    on_message_out,
)
from gateway.wire import SessionState, Wake

#: MsgType(35) of one or two letters, the first in the lowest byte.
_NEW_ORDER, _REPLACE, _CANCEL, _STATUS, _RFQ = (ord(letter) for letter in "DGFHR")
_HEARTBEAT, _TEST, _BUSINESS_REJECT = (ord(letter) for letter in "01j")
_YES = ord("Y")
LEFT, DONE = 0, 1  # what became of a message: Python's, or done
SECOND_NS = 1_000_000_000
_T45 = fix_bytes("45=")
_T372 = fix_bytes("|372=")
_T379 = fix_bytes("|379=")
_T380 = fix_bytes("|380=")
_T58 = fix_bytes("|58=SI-RATE more orders than agreed, limit ")
_A_SECOND = fix_bytes(" a second")
NEEDED_ROOM = 512 << 10  # what one message may add to the journal


@njit
def drain(tables, outbox, wire, journal, connection_id, ts_ns, policy):
    """Take every whole message from a connection's buffer; a Wake where Python is needed."""
    connection = wire.connections[connection_id]
    buffer = wire.rx[connection_id]
    loop = wire.loop[0]
    wake = Wake.NOTHING
    while connection["rx_start"] < connection["rx_end"]:
        if jn.room(journal) < NEEDED_ROOM:
            wake = Wake.SEGMENT
            break
        if journal.writer[0]["mapped"] - journal.writer[0]["offset"] < MAPPED_MIN:
            map_ahead(journal)
        start = connection["rx_start"]
        outcome, size = frame(buffer, start, connection["rx_end"])
        if outcome == MESSAGE:
            done = on_message(
                tables, outbox, wire, journal, connection_id, start, size, ts_ns, policy
            )
            if done == LEFT:
                loop["message_at"] = start
                loop["message_size"] = size
                wake = Wake.COLD_MESSAGE
                break
            connection["rx_start"] = start + size
        elif outcome == GARBLED:  # FIX 4.4 vol. 2: ignore, the next number will tell
            loop["garbled"] += 1
            if connection["session"] >= 0:
                on_message_in(wire, journal, connection["session"], 0, buffer, start, size, ts_ns)
            connection["rx_start"] = start + size
        elif outcome == OVERSIZE:
            loop["message_size"] = size
            wake = Wake.OVERSIZE
            break
        else:
            break
    if wake == Wake.NOTHING or wake == Wake.SEGMENT:
        _compact(connection, buffer)
    loop["connection"] = connection_id
    return wake


@njit
def _compact(connection, buffer):
    """Move what is left of a partial message to the front."""
    start = connection["rx_start"]
    if start == 0:
        return
    left = connection["rx_end"] - start
    copy_bytes(buffer, 0, buffer, start, left)
    connection["rx_start"] = 0
    connection["rx_end"] = left


@njit
def on_message(tables, outbox, wire, journal, connection_id, start, size, ts_ns, policy):
    """Do one framed message: DONE, or LEFT, untouched, to Python."""
    loop = wire.loop[0]
    loop["messages"] += 1
    loop["generation"] += 1
    loop["cold_reason"] = -1
    loop["cold_tag"] = 0
    loop["parts"] = 0
    generation = loop["generation"]
    buffer = wire.rx[connection_id]
    problem, tag, count = tokenize(buffer, start, size, wire.fields, wire.parts, generation)
    loop["parts"] = count
    if problem >= 0:
        return leave(loop, problem, tag)
    session_id = wire.connections[connection_id]["session"]
    if session_id < 0:
        return LEFT
    session = wire.sessions[session_id]
    problem, tag = check_message(wire, session["rules"], session["strict"], buffer, count)
    if problem != FINE:
        return leave(loop, problem, tag)
    if not _is_ordinary(wire, buffer, generation, session_id, ts_ns):
        return LEFT
    seq = session["next_in"]
    msg_type = msg_type_of(wire.fields, buffer)
    if _is_over_rate(session, msg_type, ts_ns):
        take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
        _refuse_rate(wire, journal, session_id, buffer, seq, ts_ns)
        return DONE
    fields = wire.fields
    if msg_type == _NEW_ORDER:
        problem, tag = read_order(wire, buffer, generation, session_id)
        if problem >= 0:
            return leave(loop, problem, tag)
        event = wire.event[0]
        event["recv_ns"] = wire.connections[connection_id]["recv_ns"]
        if has(fields, generation, 97) and was_sent_before(tables, wire, buffer, event):
            take_number(session, seq, ts_ns)
            on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
            return DONE
        echo.collect(wire, buffer, generation, session_id, start, size)
        expect_order(tables, event)
        take_number(session, seq, ts_ns)
        journal_event(journal, jn.ORDER, event, seq, buffer, start, size, ts_ns)
        step.on_order(tables, outbox, event, ts_ns, policy)
        emit(tables, outbox, wire, journal, ts_ns)
    elif msg_type == _HEARTBEAT:
        take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
    elif msg_type == _TEST:
        if not has(fields, generation, 112):
            return LEFT
        take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
        _heartbeat(wire, journal, session_id, buffer, fields[112, 1], fields[112, 2], ts_ns)
    elif msg_type == _CANCEL:
        problem, tag = read_cancel(wire, buffer, generation, session_id)
        if problem >= 0:
            return leave(loop, problem, tag)
        take_number(session, seq, ts_ns)
        journal_event(journal, jn.CANCEL, wire.event[0], seq, buffer, start, size, ts_ns)
        step.on_cancel(tables, outbox, wire.event[0], ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)
    elif msg_type == _STATUS:
        problem, tag = read_status(wire, buffer, generation, session_id)
        if problem >= 0:
            return leave(loop, problem, tag)
        take_number(session, seq, ts_ns)
        journal_event(journal, jn.STATUS, wire.event[0], seq, buffer, start, size, ts_ns)
        step.on_status(tables, outbox, wire.event[0], ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)
    else:
        return LEFT  # a request of gateway.requests, or Python's
    return DONE


@njit
def was_sent_before(tables, wire, buffer, event):
    """Whether PossResend(97)=Y marks an order that we have (FIX 4.4 vol. 2, test case 19.a)."""
    fields = wire.fields
    if not has(fields, wire.loop[0]["generation"], 97):
        return False
    if (
        fields[97, 2] != 1
        or buffer[fields[97, 1]] != _YES
        or event["defect"] == Reason.CLORDID_SIZE
    ):
        return False
    return find_order(tables, event["session"], event["clordid"]) >= 0


@inlined
def take_number(session, seq, ts_ns):
    """The message is taken: before its answers, which may say LastMsgSeqNumProcessed(369)."""
    session["next_in"] = seq + 1
    session["last_recv_ns"] = ts_ns
    session["test_sent_ns"] = 0


@inlined
def leave(loop, problem, tag):
    """Tell Python which field the hot path could not take."""
    loop["cold_reason"] = problem
    loop["cold_tag"] = tag
    return LEFT


@inlined
def msg_type_of(fields, buffer):
    """MsgType(35) as its bytes in a word, the first in the lowest; 0: longer than two."""
    start = fields[35, 1]
    if fields[35, 2] == 1:
        return np.int64(buffer[start])
    if fields[35, 2] == 2:
        return np.int64(buffer[start]) | np.int64(buffer[start + 1]) << 8
    return 0


@inlined
def _is_ordinary(wire, buffer, generation, session_id, ts_ns):
    """Logged on, nothing missing, sent just now, by the right counterparty, next in sequence."""
    fields = wire.fields
    session = wire.sessions[session_id]
    if session["state"] != SessionState.ON or session["early"] == 1:
        return False
    # PossDupFlag: Python looks at OrigSendingTime(122) first
    if has(fields, generation, 43) and session["early"] != 2:
        return False
    for tag in (34, 49, 52, 56):  # a dictionary of somebody's own may not ask for them
        if not has(fields, generation, tag):
            return False
    seq, good = read_int(buffer, fields[34, 1], fields[34, 2])
    if not good or seq != session["next_in"]:
        return False
    version = session["version"]
    if not same_bytes(
        buffer, fields[8, 1], fields[8, 2], wire.begins[version, 2:], wire.begin_sizes[version] - 5
    ):
        return False
    if not same_bytes(
        buffer, fields[49, 1], fields[49, 2], wire.their_ids[session_id], session["sender_size"]
    ) or not same_bytes(
        buffer, fields[56, 1], fields[56, 2], wire.our_ids[session_id], session["target_size"]
    ):
        return False
    limit_ns = session["latency_max_ns"]
    if limit_ns == 0:
        return True
    sent_ns, good = read_time(buffer, fields[52, 1], fields[52, 2])
    return good and abs(ts_ns - sent_ns) <= limit_ns


@inlined
def _is_over_rate(session, msg_type, ts_ns):
    """Whether the session's orders come faster than agreed; cancels never wait."""
    rate = session["rate_per_s"]
    if rate == 0 or (msg_type != _NEW_ORDER and msg_type != _REPLACE and msg_type != _RFQ):
        return False
    # ns x orders a second = billionths of an order; a clock set back gives nothing.
    age_ns = min(max(ts_ns - session["tokens_ns"], 0), 3600 * SECOND_NS)
    full = session["burst"] * SECOND_NS
    tokens = min(session["tokens_e9"] + age_ns * rate, full)
    session["tokens_ns"] = ts_ns
    over = tokens < SECOND_NS
    session["tokens_e9"] = tokens if over else tokens - SECOND_NS
    return over


@njit
def _refuse_rate(wire, journal, session_id, buffer, ref_seq, ts_ns):
    """BusinessMessageReject(j) of a message over the rate."""
    session = wire.sessions[session_id]
    fields = wire.fields
    generation = wire.loop[0]["generation"]
    out = wire.scratch
    at = begin(out, wire, session_id, _BUSINESS_REJECT, session["next_out"], ts_ns)
    at = put_int(out, put_bytes(out, at, _T45), ref_seq)
    at = copy(out, put_bytes(out, at, _T372), buffer, fields[35, 1], fields[35, 2])
    for tag in (11, 131):
        if has(fields, generation, tag) and fields[tag, 2] <= CLORDID_SIZE_MAX:
            at = copy(out, put_bytes(out, at, _T379), buffer, fields[tag, 1], fields[tag, 2])
            break
    at = put_int(out, put_bytes(out, at, _T380), session["throttle_reject"])
    at = put_int(out, put_bytes(out, at, _T58), session["rate_per_s"])
    at = put_byte(out, put_bytes(out, at, _A_SECOND), 1)
    start, size = finish(out, at, wire, session_id)
    on_message_out(wire, journal, session_id, out, start, size, ts_ns)


@njit
def _heartbeat(wire, journal, session_id, text, text_start, text_size, ts_ns):
    """Send a Heartbeat(0), with TestReqID(112) where there is one."""
    out = wire.scratch
    at = begin(out, wire, session_id, _HEARTBEAT, wire.sessions[session_id]["next_out"], ts_ns)
    if text_size > 0:
        out[at] = 49
        out[at + 1] = 49
        out[at + 2] = 50
        out[at + 3] = 61
        at = copy(out, at + 4, text, text_start, text_size)
        at = put_byte(out, at, 1)
    start, size = finish(out, at, wire, session_id)
    on_message_out(wire, journal, session_id, out, start, size, ts_ns)


@njit
def keep_alive(wire, journal, session_id, ts_ns):
    """Send a Heartbeat where the interval has passed without a message of ours."""
    session = wire.sessions[session_id]
    if session["state"] != SessionState.ON or session["heartbeat_ns"] == 0:
        return
    session["last_sent_ns"] = min(session["last_sent_ns"], ts_ns)  # clocks are set back, too
    if ts_ns - session["last_sent_ns"] >= session["heartbeat_ns"]:
        _heartbeat(wire, journal, session_id, wire.text, 0, 0, ts_ns)
