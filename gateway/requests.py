"""Requests rarer than orders, compiled: replace, mass cancel, mass status, quotes on request.

They come through Python (`gateway.session`), so that the loop's own code stays small: whatever it
can reach is optimised anew with each function on the way.
"""

from engine import journal as jn
from engine import step
from engine.jit import njit
from gateway import echo
from gateway.fix_read import tokenize
from gateway.inbound import DONE, LEFT, leave, msg_type_of, take_number, was_sent_before
from gateway.mass_request import cancel_piece, status_piece
from gateway.order_entry import read_mass_cancel, read_mass_status, read_replace
from gateway.quote_entry import is_quote_message, read_quote_message
from gateway.recorder import emit, journal_event, on_message_in, on_quote_message
from gateway.wire import Version

AGAIN = 2  # what became of a request, besides LEFT and DONE: a piece of it is done
_REPLACE, _MASS_CANCEL, _MASS_STATUS = ord("G"), ord("q"), ord("A") | ord("F") << 8

#: MsgType(35) of what is done here, by version.
REQUESTS = {
    Version.FIX_4_2: frozenset("G R Z a".split()),
    Version.FIX_4_4: frozenset("G q AF R AJ Z a".split()),
    Version.FIX_5_0_SP2: frozenset("G q AF R AJ Z a".split()),
}


@njit
def on_request(tables, outbox, wire, journal, connection_id, size, ts_ns, policy):
    """Do the checked message, next in sequence, at the front of a connection's buffer.

    DONE; LEFT, untouched, with SessionRejectReason(373) and tag in `cold_reason` and `cold_tag`;
    AGAIN: a piece of it is done, to be called once more with the same.
    """
    loop = wire.loop[0]
    loop["generation"] += 1
    loop["cold_reason"] = -1
    loop["cold_tag"] = 0
    generation = loop["generation"]
    buffer = wire.rx[connection_id]
    _, _, count = tokenize(buffer, 0, size, wire.fields, wire.parts, generation)
    loop["parts"] = count
    session_id = wire.connections[connection_id]["session"]
    session = wire.sessions[session_id]
    seq = session["next_in"]
    event = wire.event[0]
    msg_type = msg_type_of(wire.fields, buffer)
    if is_quote_message(msg_type, session["version"]):
        problem, tag = read_quote_message(wire, buffer, generation, session_id, msg_type)
    elif msg_type == _REPLACE:
        problem, tag = read_replace(wire, buffer, generation, session_id)
    elif msg_type == _MASS_CANCEL and session["version"] != Version.FIX_4_2:
        problem, tag = read_mass_cancel(wire, buffer, generation, session_id)
    elif msg_type == _MASS_STATUS and session["version"] != Version.FIX_4_2:
        problem, tag = read_mass_status(wire, buffer, generation, session_id)
    else:
        return LEFT
    if problem >= 0:
        echo.forget(wire)
        return leave(loop, problem, tag)
    session["last_recv_ns"] = ts_ns
    session["test_sent_ns"] = 0
    done = True
    if msg_type == _MASS_CANCEL:
        done = cancel_piece(tables, outbox, wire, journal, seq, buffer, 0, size, ts_ns)
    elif msg_type == _MASS_STATUS:
        done = status_piece(tables, outbox, wire, journal, seq, buffer, 0, size, ts_ns)
    elif msg_type != _REPLACE:
        take_number(session, seq, ts_ns)
        on_quote_message(
            tables, outbox, wire, journal, wire.quote_event[0], seq, buffer, 0, size, ts_ns, policy
        )
    elif was_sent_before(tables, wire, buffer, event):
        take_number(session, seq, ts_ns)
        on_message_in(wire, journal, session_id, seq, buffer, 0, size, ts_ns)
    else:
        echo.collect(wire, buffer, generation, session_id, 0, size)
        take_number(session, seq, ts_ns)
        journal_event(journal, jn.REPLACE, event, seq, buffer, 0, size, ts_ns)
        step.on_replace(tables, outbox, event, ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)
    return DONE if done else AGAIN
