"""Our public quotes to those who subscribed, when nothing more urgent is to be done.

A change of a quote enters its instrument into a ring (`recorder.note_change`). Each subscribed
session walks the ring at its own pace and is told the newest quote of each instrument it wants, at
most once for any number of changes: a session that reads slowly stays behind and gets fewer
messages, never more memory. Executions do not come this way.
"""

import numpy as np

from engine import journal as jn
from engine.enums import Reason
from engine.jit import inlined, njit
from engine.limits import INT64_MAX
from gateway.recorder import on_message_out
from gateway.stream_report import (
    BID,
    CHANGE,
    DELETE,
    IOI_CANCEL,
    IOI_NEW,
    IOI_REPLACE,
    NEW,
    OFFER,
    withdrawal,
    write_cancel_all,
    write_incremental,
    write_ioi,
    write_market_data_reject,
    write_mass_quote,
    write_quote,
    write_quote_cancel,
    write_snapshot,
)
from gateway.wire import MASS_QUOTE_MAX, REQUEST_BITS, SessionState, StreamKind

OWED_MAX = 64 << 10  # bytes not yet read, above which a session is told no more quotes
RETRY_NS = 1_000_000  # until such a session is looked at again
LOOKS_MAX = 2048  # changes looked at in one call, some nanoseconds each
JOURNAL_ROOM = 256 << 10  # left in the segment for what is more urgent
_REQUEST = (1 << REQUEST_BITS) - 1


@inlined
def has_quotes_due(loop):
    """Whether somebody may have something to be told at once."""
    return loop["streams"] != 0 and loop["stream_settled"] != loop["changes"]


@njit
def pump(tables, wire, journal, ts_ns, budget):
    """Tell subscribers of changes with at most `budget` messages; answers how many it wrote.

    Sessions take turns; each goes on where it was. What was begun may come on top: a MassQuote, or
    the other IOI of an instrument. The caller sends what was queued.
    """
    loop = wire.loop[0]
    count = loop["streams"]
    if count == 0:
        return 0
    if loop["stream_settled"] == loop["changes"] and ts_ns < loop["stream_wake_ns"]:
        return 0
    if jn.room(journal) < JOURNAL_ROOM:
        return 0
    written = 0
    looks = 0
    wake_ns = INT64_MAX
    for _ in range(count):
        at = loop["stream_at"]
        if at >= count:
            at = 0
        loop["stream_at"] = at + 1
        wrote, looked, next_ns = _take_turn(
            tables, wire, journal, wire.streaming[at], ts_ns, budget - written
        )
        written += wrote
        looks += looked
        wake_ns = min(wake_ns, next_ns)
        if written >= budget or looks >= LOOKS_MAX:
            loop["stream_settled"] = -1
            return written
    loop["stream_settled"] = loop["changes"] if wake_ns > ts_ns else -1
    loop["stream_wake_ns"] = wake_ns
    return written


@njit
def _take_turn(tables, wire, journal, session_id, ts_ns, budget):
    """One session: `(messages, changes looked at, when it may go on)`; INT64_MAX: at a change."""
    stream = wire.streams[session_id]
    if wire.sessions[session_id]["state"] != SessionState.ON:
        return 0, 1, INT64_MAX
    if ts_ns < stream["next_ns"]:
        return 0, 1, stream["next_ns"]
    connection = wire.connections[wire.sessions[session_id]["connection"]]
    written = 0
    looks = 1
    next_ns = 0
    stream["batched"] = 0
    while written < budget and looks < LOOKS_MAX:
        if connection["tx_end"] - connection["tx_start"] > OWED_MAX:
            next_ns = ts_ns + RETRY_NS
            break
        instrument_id = _next_instrument(tables, wire, stream)
        if instrument_id < 0:
            next_ns = INT64_MAX
            break
        looks += 1
        if wire.wanted[session_id, instrument_id] != 0:
            written += _tell(tables, wire, journal, session_id, instrument_id, ts_ns)
    if stream["batched"] != 0:
        written += _send_batch(tables, wire, journal, session_id, ts_ns)
    if written != 0:
        stream["told"] = 1
    if next_ns == INT64_MAX and stream["told"] != 0:
        stream["told"] = 0
        stream["next_ns"] = ts_ns + stream["interval_ns"]
    return written, looks, next_ns


@inlined
def _next_instrument(tables, wire, stream):
    """The next instrument to look at, -1 where nothing has changed since.

    A cursor that fell out of the ring walks over all instruments instead.
    """
    changes = wire.loop[0]["changes"]
    size = wire.changes.shape[0]
    if stream["round_at"] < 0 and changes - stream["cursor"] > size:
        stream["cursor"] = changes
        stream["round_at"] = 0
    if stream["round_at"] >= 0:
        instrument_id = stream["round_at"]
        if instrument_id < min(tables.counters[0]["instruments"], wire.wanted.shape[1]):
            stream["round_at"] = instrument_id + 1
            return instrument_id
        stream["round_at"] = -1
        if changes - stream["cursor"] > size:  # it fell out again meanwhile
            return 0
    if stream["cursor"] == changes:
        return -1
    instrument_id = wire.changes[stream["cursor"] & (size - 1)]
    stream["cursor"] += 1
    return instrument_id


@njit
def _tell(tables, wire, journal, session_id, instrument_id, ts_ns):
    """Say what a session does not know of a quote that it wants; answers how many messages."""
    word = np.int64(wire.wanted[session_id, instrument_id])
    request_id = word & _REQUEST
    request = wire.requests[request_id]
    told = wire.told[session_id, instrument_id]
    quote_id = tables.quotes[instrument_id]["quote_id"]
    has = word >> REQUEST_BITS == request["generation"]
    reason = withdrawal(tables, wire.sessions[session_id]["client"], instrument_id)
    live = reason == Reason.NONE
    if told == quote_id + 1 and has == live:
        return 0
    wire.told[session_id, instrument_id] = quote_id + 1
    generation = request["generation"] if live else 0
    wire.wanted[session_id, instrument_id] = generation << REQUEST_BITS | request_id
    if request["kind"] == StreamKind.IOI:
        return _tell_ioi(tables, wire, journal, session_id, instrument_id, told, has, reason, ts_ns)
    if request["kind"] == StreamKind.MARKET_DATA:
        if not live and not has and told != 0:
            return 0
        if told == 0 or request["incremental"] == 0:
            start, size = write_snapshot(
                tables, wire, session_id, request_id, instrument_id, reason, ts_ns
            )
        else:
            action = DELETE if not live else CHANGE if has else NEW
            start, size = write_incremental(
                tables, wire, session_id, request_id, instrument_id, action, reason, ts_ns
            )
    elif live and request["kind"] == StreamKind.MASS_QUOTE:
        return _put_in_batch(tables, wire, journal, session_id, instrument_id, ts_ns)
    elif live:
        start, size = write_quote(tables, wire, session_id, instrument_id, ts_ns)
    elif has:
        start, size = write_quote_cancel(
            tables, wire, session_id, instrument_id, told - 1, reason, ts_ns
        )
    else:
        return 0
    on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)
    return 1


@njit
def _tell_ioi(tables, wire, journal, session_id, instrument_id, told, has, reason, ts_ns):
    """An IOI(6) of each side."""
    live = reason == Reason.NONE
    if not live and not has:
        return 0
    action = IOI_CANCEL if not live else IOI_REPLACE if has else IOI_NEW
    for side in (BID, OFFER):
        start, size = write_ioi(
            tables, wire, session_id, instrument_id, side, action, told - 1, reason, ts_ns
        )
        on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)
    return 2


@inlined
def _put_in_batch(tables, wire, journal, session_id, instrument_id, ts_ns):
    """Keep a live quote for the session's next MassQuote(i)."""
    stream = wire.streams[session_id]
    wire.batch[stream["batched"]] = instrument_id
    stream["batched"] += 1
    if stream["batched"] == MASS_QUOTE_MAX:
        return _send_batch(tables, wire, journal, session_id, ts_ns)
    return 0


@njit
def _send_batch(tables, wire, journal, session_id, ts_ns):
    stream = wire.streams[session_id]
    start, size = write_mass_quote(tables, wire, session_id, stream["batched"], ts_ns)
    stream["batched"] = 0
    on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)
    return 1


@njit
def cancel_all(wire, journal, session_id, reason, ts_ns):
    """One QuoteCancel(Z) for all that a session's settings had it told, and why: a Reason.

    Market data has no such message: `walk` then brings a withdrawal of each instrument.
    """
    request = wire.requests[wire.streams[session_id]["static"]]
    if wire.sessions[session_id]["state"] != SessionState.ON:
        return
    if request["kind"] != StreamKind.QUOTE and request["kind"] != StreamKind.MASS_QUOTE:
        return
    request["generation"] += 1
    start, size = write_cancel_all(wire, session_id, reason, ts_ns)
    on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)


@njit
def walk(wire, session_id):
    """Look at every instrument again: what a session does not know of its quotes, it will."""
    stream = wire.streams[session_id]
    stream["round_at"] = 0
    stream["next_ns"] = 0
    wire.loop[0]["stream_settled"] = -1


@njit
def send_snapshot(tables, wire, journal, session_id, request_id, instrument_id, ts_ns):
    """One MarketDataSnapshotFullRefresh(W) at once, outside any subscription."""
    reason = withdrawal(tables, wire.sessions[session_id]["client"], instrument_id)
    start, size = write_snapshot(tables, wire, session_id, request_id, instrument_id, reason, ts_ns)
    on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)


@njit
def send_reject(wire, journal, session_id, reason, texts, id_size, text_size, ts_ns):
    """A MarketDataRequestReject(Y), see `stream_report.write_market_data_reject`."""
    start, size = write_market_data_reject(
        wire, session_id, reason, texts, id_size, text_size, ts_ns
    )
    on_message_out(wire, journal, session_id, wire.scratch, start, size, ts_ns)
