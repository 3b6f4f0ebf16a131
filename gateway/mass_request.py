"""Requests about many orders, in pieces: each is one journalled input with bounded outputs.

The message's number is used up by its last piece. A process that dies between two pieces is sent
the message again, and what is left of it is done then.
"""

from engine import journal as jn
from engine import step
from engine.enums import MassScope
from engine.jit import clear_record, inlined, njit
from engine.limits import MASS_MAX
from engine.order_life import count_meant
from gateway.recorder import emit, journal_event


@inlined
def _begin_piece(tables, wire, event, counted):
    """Where the piece begins; whether it is the last one."""
    session = wire.sessions[event["session"]]
    event["from_item"] = session["mass_from"]
    event["total"] = session["mass_total"]
    if counted and event["from_item"] == 0:
        event["total"] = count_meant(tables, event, tables.desk_items.shape[0])
    return count_meant(tables, event, MASS_MAX + 1) <= MASS_MAX


@inlined
def _end_piece(session, event, following, done):
    """Where the next one begins, if there is one."""
    session["mass_from"] = following
    session["mass_total"] = 0 if following == 0 else event["total"] + done


@njit
def cancel_piece(tables, outbox, wire, journal, seq, buffer, start, size, ts_ns):
    """One piece of the OrderMassCancelRequest in `wire.event`; True behind the last one."""
    event = wire.event[0]
    session = wire.sessions[event["session"]]
    last = _begin_piece(tables, wire, event, False)
    fix_seq = seq if last else 0
    if last:
        session["next_in"] = seq + 1
    journal_event(journal, jn.MASS_CANCEL, event, fix_seq, buffer, start, size, ts_ns)
    following = step.on_mass_cancel(tables, outbox, event, ts_ns)
    emit(tables, outbox, wire, journal, ts_ns)
    _end_piece(session, event, following, MASS_MAX)
    assert (following == 0) == last
    return last


@njit
def status_piece(tables, outbox, wire, journal, seq, buffer, start, size, ts_ns):
    """One piece of the OrderMassStatusRequest in `wire.event`; True behind the last one."""
    event = wire.event[0]
    session = wire.sessions[event["session"]]
    last = _begin_piece(tables, wire, event, True)
    fix_seq = seq if last else 0
    if last:
        session["next_in"] = seq + 1
    journal_event(journal, jn.MASS_STATUS, event, fix_seq, buffer, start, size, ts_ns)
    following = step.on_mass_status(tables, outbox, event, ts_ns)
    emit(tables, outbox, wire, journal, ts_ns)
    _end_piece(session, event, following, 0)
    assert (following == 0) == last
    return last


@njit
def cancel_session(tables, outbox, wire, journal, event, session_id, ts_ns):
    """Cancel a session's open orders, as after a disconnect: one piece; True behind the last one.

    `event` is a row of scratch. There is no message and no report on all; each order has its own.
    """
    clear_record(event)
    event["session"] = session_id
    event["client"] = wire.sessions[session_id]["client"]
    event["scope"] = MassScope.SHELL
    journal_event(journal, jn.MASS_CANCEL, event, 0, wire.scratch, 0, 0, ts_ns)
    following = step.on_mass_cancel(tables, outbox, event, ts_ns)
    emit(tables, outbox, wire, journal, ts_ns)
    return following == 0
