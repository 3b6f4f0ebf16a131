"""One inbound FIX message: the hot path for a session's ordinary traffic.

Orders, cancels, status requests, heartbeats and test requests that come in sequence are done here,
compiled. Everything else is left to `gateway.session`, in Python, in the same thread.
"""

from engine import journal as jn
from engine import step
from engine.jit import copy_bytes, inlined, njit
from engine.tables import expect_order
from gateway.ahead import MAPPED_MIN, map_ahead
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
from gateway.fix_write import begin, finish, put_byte
from gateway.order_entry import read_cancel, read_order, read_status
from gateway.recorder import copy, emit, journal_event, on_message_in, on_message_out
from gateway.wire import SessionState, Wake

_NEW_ORDER, _CANCEL, _STATUS, _HEARTBEAT, _TEST = 68, 70, 72, 48, 49
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
            if not on_message(
                tables, outbox, wire, journal, connection_id, start, size, ts_ns, policy
            ):
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
    """Do one framed message; False leaves it, untouched, to Python."""
    loop = wire.loop[0]
    loop["messages"] += 1
    loop["generation"] += 1
    loop["cold_reason"] = -1
    loop["cold_tag"] = 0
    generation = loop["generation"]
    buffer = wire.rx[connection_id]
    problem, tag = tokenize(buffer, start, size, wire.fields, generation)
    if problem >= 0:
        return _leave(loop, problem, tag)
    session_id = wire.connections[connection_id]["session"]
    if session_id < 0 or not _is_ordinary(wire, buffer, generation, session_id):
        return False
    session = wire.sessions[session_id]
    fields = wire.fields
    seq = session["next_in"]
    msg_type = buffer[fields[35, 1]]
    if msg_type == _NEW_ORDER:
        problem, tag = read_order(wire, buffer, generation, session_id)
        if problem >= 0:
            return _leave(loop, problem, tag)
        event = wire.event[0]
        expect_order(tables, event)
        _take_number(session, seq, ts_ns)
        journal_event(journal, jn.ORDER, event, seq, buffer, start, size, ts_ns)
        step.on_order(tables, outbox, event, ts_ns, policy)
        emit(tables, outbox, wire, journal, ts_ns)
    elif msg_type == _HEARTBEAT:
        _take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
    elif msg_type == _TEST:
        if not has(fields, generation, 112):
            return False
        _take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, start, size, ts_ns)
        _heartbeat(wire, journal, session_id, buffer, fields[112, 1], fields[112, 2], ts_ns)
    elif msg_type == _CANCEL:
        problem, tag = read_cancel(wire, buffer, generation, session_id)
        if problem >= 0:
            return _leave(loop, problem, tag)
        _take_number(session, seq, ts_ns)
        journal_event(journal, jn.CANCEL, wire.event[0], seq, buffer, start, size, ts_ns)
        step.on_cancel(tables, outbox, wire.event[0], ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)
    elif msg_type == _STATUS:
        problem, tag = read_status(wire, buffer, generation, session_id)
        if problem >= 0:
            return _leave(loop, problem, tag)
        _take_number(session, seq, ts_ns)
        journal_event(journal, jn.STATUS, wire.event[0], seq, buffer, start, size, ts_ns)
        step.on_status(tables, outbox, wire.event[0], ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)
    else:
        return False
    return True


@inlined
def _take_number(session, seq, ts_ns):
    """The message is taken: before its answers, which may say LastMsgSeqNumProcessed(369)."""
    session["next_in"] = seq + 1
    session["last_recv_ns"] = ts_ns
    session["test_sent_ns"] = 0


@inlined
def _leave(loop, problem, tag):
    """Tell Python which field the hot path could not take."""
    loop["cold_reason"] = problem
    loop["cold_tag"] = tag
    return False


@inlined
def _is_ordinary(wire, buffer, generation, session_id):
    """Logged on, from the right counterparty, one-letter type, next in sequence."""
    fields = wire.fields
    session = wire.sessions[session_id]
    if session["state"] != SessionState.ON:
        return False
    for tag in (35, 34, 49, 56, 52):
        if not has(fields, generation, tag):
            return False
    if fields[35, 2] != 1 or fields[8, 2] != 7 or buffer[fields[8, 1] + 6] != 52:  # FIX.4.4
        return False
    if buffer[fields[8, 1] + 4] != 52:
        return False
    seq, good = read_int(buffer, fields[34, 1], fields[34, 2])
    if not good or seq != session["next_in"]:
        return False
    return same_bytes(
        buffer, fields[49, 1], fields[49, 2], wire.their_ids[session_id], session["sender_size"]
    ) and same_bytes(
        buffer, fields[56, 1], fields[56, 2], wire.our_ids[session_id], session["target_size"]
    )


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
    if ts_ns - session["last_sent_ns"] >= session["heartbeat_ns"]:
        _heartbeat(wire, journal, session_id, wire.text, 0, 0, ts_ns)
