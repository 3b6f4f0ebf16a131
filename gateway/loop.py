"""The hot loop: one compiled function that owns every socket, until Python is needed.

It polls, reads, takes messages, steps the engine, journals, and sends. A Wake code says why it came
back; Python does the rare thing and calls it again. One thread, one order of events.
"""

import numpy as np

from engine import journal as jn
from engine.jit import copy_bytes, inlined, njit
from engine.step import goes_on, is_due
from gateway import syscalls as sc
from gateway.ahead import while_idle
from gateway.inbound import NEEDED_ROOM, drain, keep_alive
from gateway.quote_stream import has_quotes_due, pump
from gateway.recorder import on_feed, on_timer
from gateway.wire import CONNECTIONS_MAX, SESSIONS_MAX, Wake

TICK_NS = 100_000_000
SECOND_NS = 1_000_000_000
TURN_MAX_NS = 10 * SECOND_NS  # nobody waits longer for a turn
TURN_WAIT_MS = 1  # a loop that may sleep looks so often whose turn it is
FEED_BURST = 64  # datagrams taken before the sessions get their turn
TIMERS_MAX = 16  # of one tick: 1,024 quotes that time has changed
QUOTES_IDLE = 8  # messages to subscribers when nothing else is to be done, some 5 us each
QUOTES_BUSY = 2  # and between inputs

LISTENER, SIGNAL, DESK, FEED, CHECKER = -1, -2, -3, -4, -5  # epoll data of what is no connection
_WAKES = np.zeros(6, np.int64)
for _source, _wake in (
    (LISTENER, Wake.LISTENER), (SIGNAL, Wake.SIGNAL), (DESK, Wake.DESK), (CHECKER, Wake.CHECKED),
):  # fmt: skip
    _WAKES[-_source] = _wake


@njit
def run(tables, outbox, wire, journal, policy):
    """Serve until something rare happens; the Wake code is also in `wire.loop[0]["wake"]`."""
    loop = wire.loop[0]
    wake = Wake.NOTHING
    idle = 0
    while wake == Wake.NOTHING:
        waits = loop["held"] != 0 or loop["busy_ns"] != 0  # somebody does, for a turn
        if loop["ready_next"] >= loop["ready"]:
            ready = sc.epoll_wait(
                loop["epoll_fd"],
                wire.poll.ctypes.data,
                CONNECTIONS_MAX,
                _wait_ms(loop, waits),
            )
            loop["ready"] = max(ready, 0)
            loop["ready_next"] = 0
            if ready > 0:
                idle = 0
            else:
                idle += 1
                while_idle(tables, wire, journal, idle)
                if loop["wait_ms"] == 0 and idle & 31 != 0:
                    if not waits and not has_quotes_due(loop):
                        continue  # busy: not every look at the clock
        ts_ns = sc.now_ns(wire.timespec)
        while wake == Wake.NOTHING:
            taking = np.int64(-1)  # connection with bytes to take
            if loop["ready_next"] < loop["ready"]:
                word = sc.EPOLL_EVENT_WORDS * loop["ready_next"]
                events = np.int64(wire.poll[word])
                source = np.int64(wire.poll[word + 1])
                loop["ready_next"] += 1
                if source == FEED:
                    wake = _read_feed(tables, outbox, wire, journal, ts_ns)
                elif source < 0:
                    wake = _WAKES[-source]
                else:
                    wake = _receive(wire, source, events, ts_ns)
                    if wake == Wake.RECEIVED:
                        wake = Wake.NOTHING
                        taking = source
            else:
                taking = _next_turn(wire, ts_ns)
                if taking < 0:
                    break
            if taking >= 0:
                wake = drain(tables, outbox, wire, journal, taking, ts_ns, policy)
                if wake == Wake.SEGMENT:
                    hold(wire, taking)
                make_durable(wire)
                flush(wire, taking)
        if wake == Wake.NOTHING and loop["streams"] != 0:
            budget = QUOTES_BUSY if idle == 0 else QUOTES_IDLE
            _tell_quotes(tables, wire, journal, ts_ns, budget)
        # A clock that was set back must not stop the ticks.
        if wake == Wake.NOTHING and abs(ts_ns - loop["next_tick_ns"] + TICK_NS) >= TICK_NS:
            wake = _tick(tables, outbox, wire, journal, ts_ns)
        if wake == Wake.NOTHING and jn.room(journal) < NEEDED_ROOM:
            wake = Wake.SEGMENT
        if wake == Wake.NOTHING and loop["busy_ns"] != 0 and is_time(loop["busy_ns"], ts_ns):
            wake = Wake.PIECE
    loop["wake"] = wake
    return wake


@inlined
def _wait_ms(loop, waits):
    """How long a poll may last: not at all while there is something to do in between."""
    if loop["busy_ns"] == 1 or has_quotes_due(loop):
        return 0
    return min(loop["wait_ms"], TURN_WAIT_MS) if waits else loop["wait_ms"]


@inlined
def is_time(at_ns, ts_ns):
    """Whether a time has come; one more than TURN_MAX_NS away has: the clock was set back."""
    return ts_ns >= at_ns or at_ns - ts_ns > TURN_MAX_NS


@njit
def hold(wire, connection_id):
    """A connection goes on with its bytes when others have had their turn and its own has come."""
    connection = wire.connections[connection_id]
    if connection["held"] == 0:
        connection["held"] = 1
        wire.loop[0]["held"] += 1


@njit
def release(wire, connection_id):
    """It is held no longer, and heard again."""
    connection = wire.connections[connection_id]
    if connection["held"] == 0:
        return
    connection["held"] = 0
    wire.loop[0]["held"] -= 1
    if connection["deaf"] != 0:
        connection["deaf"] = 0
        _watch(wire, connection_id, connection["blocked"])


@inlined
def _next_turn(wire, ts_ns):
    """The held connection whose turn it is, held no longer, or -1."""
    return _find_turn(wire, ts_ns) if wire.loop[0]["held"] != 0 else np.int64(-1)


@njit
def _find_turn(wire, ts_ns):
    loop = wire.loop[0]
    for _ in range(CONNECTIONS_MAX):
        connection_id = np.int64(loop["held_at"])
        loop["held_at"] = (connection_id + 1) % CONNECTIONS_MAX
        connection = wire.connections[connection_id]
        if connection["held"] != 0 and is_time(connection["turn_ns"], ts_ns):
            release(wire, connection_id)
            return connection_id
    return np.int64(-1)


@njit
def _receive(wire, connection_id, events, ts_ns):
    """What a connection's socket has: RECEIVED, CLOSED or NOTHING."""
    connection = wire.connections[connection_id]
    if connection["fd"] < 0:
        return Wake.NOTHING  # closed by an earlier event of the same poll
    wire.loop[0]["connection"] = connection_id
    if events & sc.EPOLLOUT:
        connection["blocked"] = 0
        _watch(wire, connection_id, 0)
        flush(wire, connection_id)
    if connection["held"] != 0:
        if events & sc.EPOLLIN and connection["deaf"] == 0:
            connection["deaf"] = 1
            _watch(wire, connection_id, connection["blocked"])
    elif events & sc.EPOLLIN:
        buffer = wire.rx[connection_id]
        end = connection["rx_end"]
        received = sc.recv(
            connection["fd"], buffer.ctypes.data + end, buffer.shape[0] - end, sc.MSG_DONTWAIT
        )
        if received == 0:
            return Wake.CLOSED
        if received > 0 and connection["closing"] != 0:
            return Wake.NOTHING
        if received > 0:
            connection["rx_end"] = end + received
            connection["recv_ns"] = ts_ns
            return Wake.RECEIVED
    if events & (sc.EPOLLERR | sc.EPOLLHUP):
        return Wake.CLOSED
    return Wake.NOTHING


@njit
def _tell_quotes(tables, wire, journal, ts_ns, budget):
    """Changes of our quotes to those who subscribed, and out."""
    if pump(tables, wire, journal, ts_ns, budget) == 0:
        return
    make_durable(wire)
    for at in range(wire.loop[0]["streams"]):
        connection_id = wire.sessions[wire.streaming[at]]["connection"]
        if connection_id >= 0:
            flush(wire, connection_id)


@njit
def make_durable(wire):
    """Where configured: the journal is on the disk before a reply leaves."""
    if wire.loop[0]["durable"] != 0:
        sc.fdatasync(wire.loop[0]["journal_fd"])


@njit
def _watch(wire, connection_id, blocked):
    """Change what epoll says of a connection; what a slow reader still sends is not read."""
    connection = wire.connections[connection_id]
    slow = connection["slow"] == 2
    wire.watch[0] = 0 if slow or connection["deaf"] != 0 else sc.EPOLLIN
    if slow or blocked != 0:
        wire.watch[0] |= sc.EPOLLOUT
    wire.watch[1] = connection_id
    wire.watch[2] = 0
    sc.epoll_ctl(
        wire.loop[0]["epoll_fd"],
        sc.EPOLL_CTL_MOD,
        wire.connections[connection_id]["fd"],
        wire.watch.ctypes.data,
    )


@njit
def flush(wire, connection_id):
    """Send what is queued for a connection, as much as its socket takes."""
    connection = wire.connections[connection_id]
    size = connection["tx_end"] - connection["tx_start"]
    if size == 0 or connection["blocked"] != 0 or connection["fd"] < 0:
        return
    buffer = wire.tx[connection_id]
    sent = sc.send(
        connection["fd"],
        buffer.ctypes.data + connection["tx_start"],
        size,
        sc.MSG_DONTWAIT | sc.MSG_NOSIGNAL,
    )
    if sent == size:
        connection["tx_start"] = 0
        connection["tx_end"] = 0
        return
    if sent > 0:
        left = size - sent
        start = connection["tx_start"] + sent
        copy_bytes(buffer, 0, buffer, start, left)
        connection["tx_start"] = 0
        connection["tx_end"] = left
    connection["blocked"] = 1  # or the peer is gone: epoll will say which
    _watch(wire, connection_id, 1)


@njit
def flush_all(wire):
    """Send what is queued for anyone: after an input that was not the receiver's own."""
    make_durable(wire)
    for session_id in range(SESSIONS_MAX):
        connection_id = wire.sessions[session_id]["connection"]
        if connection_id >= 0:
            flush(wire, connection_id)


@njit
def _read_feed(tables, outbox, wire, journal, ts_ns):
    """Take a burst of datagrams."""
    loop = wire.loop[0]
    for _ in range(FEED_BURST):
        if jn.room(journal) < NEEDED_ROOM:
            return Wake.SEGMENT
        size = sc.recv(
            loop["feed_fd"], wire.datagram.ctypes.data, wire.datagram.shape[0], sc.MSG_DONTWAIT
        )
        if size < 0:
            break
        on_feed(tables, outbox, wire, journal, size, ts_ns)
    return Wake.NOTHING


@njit
def run_timers(tables, outbox, wire, journal, ts_ns):
    """What time has made due, as much of it as one tick may do."""
    due = is_due(tables, ts_ns)
    for _ in range(TIMERS_MAX):
        if not due or jn.room(journal) < NEEDED_ROOM:
            break
        on_timer(tables, outbox, wire, journal, ts_ns)
        due = goes_on(tables, outbox)


@njit
def _tick(tables, outbox, wire, journal, ts_ns):
    """Ten times a second: deadlines of desk items, heartbeats; once a second Python's duties."""
    loop = wire.loop[0]
    loop["next_tick_ns"] = ts_ns + TICK_NS
    if jn.room(journal) < NEEDED_ROOM:
        return Wake.SEGMENT
    run_timers(tables, outbox, wire, journal, ts_ns)
    for session_id in range(SESSIONS_MAX):
        keep_alive(wire, journal, session_id, ts_ns)
    flush_all(wire)
    if ts_ns < loop["next_second_ns"] and loop["next_second_ns"] - ts_ns <= SECOND_NS:
        return Wake.NOTHING
    loop["next_second_ns"] = ts_ns + SECOND_NS
    return Wake.TICK
