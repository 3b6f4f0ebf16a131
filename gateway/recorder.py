"""Inputs and outputs into the journal, outputs to their sessions: the only way in and out.

Every input is journalled before it is applied, every output before it is sent.
"""

import numpy as np

from engine import journal as jn
from engine import rfq_step, staging, step
from engine.jit import copy_bytes, get_record, inlined, njit, put_record, store_word
from engine.limits import ECHO_TAGS_MAX
from engine.tables import apply_row
from gateway import echo
from gateway.execution_report import write_report
from gateway.fix_write import put_byte, put_bytes, put_text
from gateway.quote_report import is_sent, write_quote_report
from gateway.wire import COMP_ID_SIZE_MAX, LAST_WORDS_SIZE, SENT_RING, TX_SIZE

event_size = jn.RECORDS[jn.ORDER].itemsize
quote_event_size = jn.RECORDS[jn.QUOTE_EVENT].itemsize
quote_report_size = jn.RECORDS[jn.QUOTE_REPORT].itemsize
execution_size = jn.RECORDS[jn.EXECUTION].itemsize
desk_item_size = jn.RECORDS[jn.DESK_ITEM].itemsize
desk_result_size = jn.RECORDS[jn.DESK_RESULT].itemsize
quote_size = jn.RECORDS[jn.QUOTE].itemsize
venue_quote_size = jn.RECORDS[jn.VENUE_QUOTE].itemsize
desk_command_size = jn.RECORDS[jn.DESK].itemsize
session_set_size = jn.RECORDS[jn.SESSION_SET].itemsize
activation_size = jn.RECORDS[jn.ACTIVATE].itemsize
boot_size = jn.RECORDS[jn.BOOT].itemsize
COMP_ID_WORDS = COMP_ID_SIZE_MAX // 8
_T49 = np.frombuffer(b"49=", np.uint8).copy()
_T56 = np.frombuffer(b"\x0156=", np.uint8).copy()


@inlined
def copy(target, at, source, start, size):
    """Bytes from one buffer to another; answers the place behind them."""
    copy_bytes(target, at, source, start, size)
    return at + size


@inlined
def journal_event(journal, kind, event, fix_seq, message, start, size, ts_ns):
    """A message about orders, with its raw bytes behind the event."""
    at = jn.body_at(journal)
    put_record(journal.buffer, at, event)
    copy(journal.buffer, at + event_size, message, start, size)
    jn.end_frame(journal, kind, event["session"], fix_seq, ts_ns, event_size + size)


@inlined
def queue(wire, session_id, message, start, size):
    """Put bytes where the session's socket will take them.

    A session that is away will ask for them when it is back; one that does not read is marked slow.
    """
    connection_id = wire.sessions[session_id]["connection"]
    if connection_id < 0:
        return
    connection = wire.connections[connection_id]
    if connection["slow"] == 1:
        return
    limit = TX_SIZE if connection["slow"] == 0 else TX_SIZE + LAST_WORDS_SIZE
    if connection["tx_end"] + size > limit:
        connection["slow"] = 1
        return
    copy(wire.tx[connection_id], connection["tx_end"], message, start, size)
    connection["tx_end"] += size


@inlined
def take_seq(wire, session_id, ts_ns):
    """The next outbound MsgSeqNum(34) of a session."""
    session = wire.sessions[session_id]
    seq = session["next_out"]
    session["next_out"] = seq + 1
    session["last_sent_ns"] = ts_ns
    return seq


@inlined
def note_change(wire, instrument_id):
    """Whoever subscribed to the instrument's quote has something to be told."""
    if instrument_id < wire.wanted.shape[1]:
        loop = wire.loop[0]
        wire.changes[loop["changes"] & (wire.changes.shape[0] - 1)] = instrument_id
        loop["changes"] += 1


@njit
def emit(tables, outbox, wire, journal, ts_ns):
    """Journal all that the last input caused, then queue the reports to their sessions."""
    counts = outbox.counts[0]
    at = 0
    for i in range(counts["executions"]):
        execution = outbox.executions[i]
        echo.choose(tables, wire, execution)
        session_id = execution["session"]
        seq = take_seq(wire, session_id, ts_ns)
        start, size = write_report(wire.scratch, wire, execution, seq)
        at = jn.body_at(journal)
        put_record(journal.buffer, at, execution)
        copy(journal.buffer, at + execution_size, wire.scratch, start, size)
        wire.sent[session_id, seq % SENT_RING] = jn.end_frame(
            journal, jn.EXECUTION, session_id, seq, ts_ns, execution_size + size
        )
        queue(wire, session_id, wire.scratch, start, size)
    if counts["quote_reports"] != 0:
        emit_quote_reports(outbox, wire, journal, ts_ns)
    echo.forget(wire)
    for i in range(counts["desk_items"]):
        put_record(journal.buffer, jn.body_at(journal), outbox.desk_items[i])
        jn.end_frame(journal, jn.DESK_ITEM, -1, 0, ts_ns, desk_item_size)
    for i in range(counts["desk_results"]):
        put_record(journal.buffer, jn.body_at(journal), outbox.desk_results[i])
        jn.end_frame(journal, jn.DESK_RESULT, -1, 0, ts_ns, desk_result_size)
    for i in range(counts["quotes"]):
        put_record(journal.buffer, jn.body_at(journal), outbox.quotes[i])
        jn.end_frame(journal, jn.QUOTE, -1, 0, ts_ns, quote_size)
        note_change(wire, outbox.quotes[i]["instrument"])


@njit
def emit_quote_reports(outbox, wire, journal, ts_ns):
    """What became of quotes on request; one that no message says is a record of no session."""
    for i in range(outbox.counts[0]["quote_reports"]):
        report = outbox.quote_reports[i]
        at = jn.body_at(journal)
        if not is_sent(report):
            put_record(journal.buffer, at, report)
            jn.end_frame(journal, jn.QUOTE_REPORT, -1, 0, ts_ns, quote_report_size)
            continue
        session_id = report["session"]
        seq = take_seq(wire, session_id, ts_ns)
        start, size = write_quote_report(wire.scratch, wire, report, seq)
        put_record(journal.buffer, at, report)
        copy(journal.buffer, at + quote_report_size, wire.scratch, start, size)
        wire.sent[session_id, seq % SENT_RING] = jn.end_frame(
            journal, jn.QUOTE_REPORT, session_id, seq, ts_ns, quote_report_size + size
        )
        queue(wire, session_id, wire.scratch, start, size)


@njit
def on_quote_message(
    tables, outbox, wire, journal, event, fix_seq, message, start, size, ts_ns, policy
):
    """A message about a quote on request: journalled with its bytes, applied, answered."""
    at = jn.body_at(journal)
    put_record(journal.buffer, at, event)
    copy(journal.buffer, at + quote_event_size, message, start, size)
    jn.end_frame(journal, jn.QUOTE_EVENT, event["session"], fix_seq, ts_ns, quote_event_size + size)
    rfq_step.on_quote_event(tables, outbox, event, ts_ns, policy)
    emit(tables, outbox, wire, journal, ts_ns)


@njit
def on_feed(tables, outbox, wire, journal, size, ts_ns):
    """A datagram of venue quotes, journalled as it came, then applied record by record."""
    loop = wire.loop[0]
    if size <= 0 or size % venue_quote_size != 0:
        loop["feed_bad"] += 1
        return
    loop["feed_datagrams"] += 1
    copy(journal.buffer, jn.body_at(journal), wire.datagram, 0, size)
    jn.end_frame(journal, jn.VENUE_QUOTE, -1, 0, ts_ns, size)
    for start in range(0, size, venue_quote_size):
        get_record(wire.venue_quote[0], wire.datagram, start)
        step.on_venue_quote(tables, outbox, wire.venue_quote[0], ts_ns)
        emit(tables, outbox, wire, journal, ts_ns)


@njit
def on_desk(tables, outbox, wire, journal, command, ts_ns):
    """A desk command, journalled, applied, answered."""
    at = jn.body_at(journal)
    put_record(journal.buffer, at, command)
    jn.end_frame(journal, jn.DESK, -1, 0, ts_ns, desk_command_size)
    step.on_desk(tables, outbox, command, ts_ns)
    emit(tables, outbox, wire, journal, ts_ns)


@njit
def on_timer(tables, outbox, wire, journal, ts_ns):
    """Time as an input: desk items expire."""
    jn.end_frame(journal, jn.TIMER, -1, 0, ts_ns, 0)
    step.on_timer(tables, outbox, ts_ns)
    emit(tables, outbox, wire, journal, ts_ns)


@njit
def on_message_out(wire, journal, session_id, message, start, size, ts_ns):
    """An admin message already written with the next MsgSeqNum: journal and queue it."""
    seq = take_seq(wire, session_id, ts_ns)
    copy(journal.buffer, jn.body_at(journal), message, start, size)
    wire.sent[session_id, seq % SENT_RING] = jn.end_frame(
        journal, jn.FIX_OUT, session_id, seq, ts_ns, size
    )
    queue(wire, session_id, message, start, size)


@njit
def on_message_in(wire, journal, session_id, fix_seq, message, start, size, ts_ns):
    """A message that is no input of the engine: journalled as it came."""
    copy(journal.buffer, jn.body_at(journal), message, start, size)
    jn.end_frame(journal, jn.FIX_IN, session_id, fix_seq, ts_ns, size)


@njit
def apply_session(wire, session_id, setting):
    """Identity and numbers of a FIX session; what a SESSION_SET frame does."""
    session = wire.sessions[session_id]
    session["next_in"] = setting["next_in"]
    session["next_out"] = setting["next_out"]
    session["client"] = setting["client"]
    session["status"] = setting["status"]
    session["version"] = setting["version"]
    session["precision"] = setting["precision"]
    session["fill_style"] = setting["fill_style"]
    session["last_processed"] = setting["last_processed"]
    session["out_tags"] = setting["out_tags"]
    session["since_ns"] = setting["since_ns"]
    for i in range(ECHO_TAGS_MAX):
        wire.echo_tags[session_id, i] = setting["echo_tags"][i]
    header = wire.headers[session_id]
    theirs = wire.their_ids[session_id]
    ours = wire.our_ids[session_id]
    session["sender_size"] = put_text(theirs, 0, setting["their_comp_id"], COMP_ID_WORDS)
    session["target_size"] = put_text(ours, 0, setting["our_comp_id"], COMP_ID_WORDS)
    at = put_bytes(header, 0, _T49)
    at = put_text(header, at, setting["our_comp_id"], COMP_ID_WORDS)
    at = put_bytes(header, at, _T56)
    at = put_text(header, at, setting["their_comp_id"], COMP_ID_WORDS)
    session["begin_size"] = put_byte(header, at, 1)


@njit
def on_session_set(wire, journal, session_id, setting, ts_ns):
    """Journal and apply a session's identity and numbers."""
    put_record(journal.buffer, jn.body_at(journal), setting)
    jn.end_frame(journal, jn.SESSION_SET, session_id, 0, ts_ns, session_set_size)
    apply_session(wire, session_id, setting)


@njit
def on_boot(wire, journal, boot, ts_ns):
    """A process takes over: which schema it writes, under which MIC."""
    put_record(journal.buffer, jn.body_at(journal), boot)
    jn.end_frame(journal, jn.BOOT, -1, 0, ts_ns, boot_size)
    apply_boot(wire, boot)


@njit
def apply_boot(wire, boot):
    """The firm's own MIC, for LastMkt(30)."""
    for i in range(4):
        wire.own_mic[i] = (boot["own_mic"] >> (8 * i)) & 255


@njit
def on_table_row(tables, journal, table_id, index, row, row_size, ts_ns):
    """A checked row of a table from outside: two words say which, then the row's bytes."""
    at = jn.body_at(journal)
    store_word(journal.buffer, at, table_id)
    store_word(journal.buffer, at + 8, index)
    copy(journal.buffer, at + 16, row, 0, row_size)
    jn.end_frame(journal, jn.TABLE_ROW, -1, 0, ts_ns, 16 + row_size)
    apply_row(tables, table_id, index, row, 0)


@njit
def on_carry(tables, journal, first, count, ts_ns):
    """Live rows into the staged table; `first` 0 begins it."""
    _stage(tables, journal, staging.CARRY, first, count, 0, ts_ns)


@njit
def on_stage_rows(tables, journal, rows, numbers, ts_ns):
    """Checked rows of the next instrument table, each with its number."""
    at = jn.body_at(journal) + staging.HEAD_SIZE
    size = staging.write_rows(journal.buffer, at, rows, numbers)
    _stage(tables, journal, staging.ROWS, 0, rows.shape[0], size, ts_ns)


@njit
def on_stage_abort(tables, journal, ts_ns):
    """What was staged is forgotten."""
    _stage(tables, journal, staging.ABORT, 0, 0, 0, ts_ns)


@inlined
def _stage(tables, journal, step, first, count, size, ts_ns):
    at = jn.body_at(journal)
    store_word(journal.buffer, at, step)
    store_word(journal.buffer, at + 8, first)
    store_word(journal.buffer, at + 16, count)
    jn.end_frame(journal, jn.STAGE, -1, 0, ts_ns, staging.HEAD_SIZE + size)
    staging.apply_stage(tables, journal.buffer, at)


@njit
def on_activation(tables, journal, activation, ts_ns):
    """Journal and count the switch; the caller then calls `tables.activate_staged()`."""
    put_record(journal.buffer, jn.body_at(journal), activation)
    jn.end_frame(journal, jn.ACTIVATE, -1, 0, ts_ns, activation_size)
    staging.count_activation(tables, activation["snapshot"])


@njit
def on_resent(wire, journal, session_id, fix_seq, message, size, ts_ns):
    """A message sent again (or a gap fill in its place): journalled, changes no number."""
    copy(journal.buffer, jn.body_at(journal), message, 0, size)
    jn.end_frame(journal, jn.FIX_RESENT, session_id, fix_seq, ts_ns, size)
    queue(wire, session_id, message, 0, size)
