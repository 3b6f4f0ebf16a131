"""Compile everything that serves, by calling it once on small tables; then allow no more compiling.

A first compile takes about a minute, a warm start loads the same code from the cache.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import journal as jn
from engine import policy, schema, staging, tables
from engine.limits import Capacity
from engine.outbox import allocate_outbox
from gateway import (
    inbound,
    journal_files,
    loop,
    mass_request,
    quote_stream,
    recorder,
    replay,
    requests,
    resend,
    wire,
)
from gateway.dictionary import shipped
from gateway.fix_check import check_message
from gateway.rule_tables import put_rules
from gateway.wire import SessionState, Version

_ISIN = "DE000SAMPLE4"


class World:
    """The smallest world in which every entry point can be called."""

    def __init__(self) -> None:
        self.tables = tables.allocate(Capacity(64, 8, 256, 64))
        self.outbox = allocate_outbox()
        self.wire = wire.allocate()
        put_rules(self.wire, 0, shipped("FIX.4.4"))
        self.journal = jn.in_memory(4 << 20)
        self.policy = policy.load("none")
        self.command = np.zeros(1, schema.desk_command)[0]

    def message(self, text: str) -> None:
        """Put a FIX message into the first connection's buffer."""
        body = text.replace("|", "\x01").encode()
        raw = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
        raw += b"10=%03d\x01" % (sum(raw) & 255)
        self.wire.rx[0, : len(raw)] = np.frombuffer(raw, np.uint8)
        self.wire.connections[0]["rx_start"] = 0
        self.wire.connections[0]["rx_end"] = len(raw)


def steps(world: World) -> list[tuple[str, Callable[[], Any]]]:
    """Name and call of everything to compile, in the order of use."""
    w = world
    row = np.zeros(schema.params.itemsize, np.uint8)
    setting = np.zeros(1, schema.session_set)[0]
    setting["their_comp_id"] = schema.pack("CLIENT", 6)
    setting["our_comp_id"] = schema.pack("SI", 6)
    setting["version"], setting["next_in"], setting["next_out"] = wire.Version.FIX_4_4, 1, 1
    boot = np.zeros(1, schema.boot)[0]
    raw = np.zeros(64, np.uint8)
    shadow = jn.in_memory(1 << 20)
    source = jn.in_memory(1 << 20)

    def order() -> None:
        w.wire.connections[0]["session"] = 0
        w.wire.sessions[0]["state"] = SessionState.ON
        w.wire.sessions[0]["version"] = Version.FIX_4_4
        w.message(
            "35=D|34=1|49=CLIENT|56=SI|52=20260101-00:00:00|11=1|54=1|40=1|38=1|"
            f"48={_ISIN}|22=4|60=20260101-00:00:00|"
        )
        inbound.drain(w.tables, w.outbox, w.wire, w.journal, 0, 1, w.policy.address)

    def request() -> None:
        w.message("35=G|34=2|49=CLIENT|56=SI|52=20260101-00:00:00|11=2|41=1|54=1|40=1|38=1|")
        requests.on_request(
            w.tables, w.outbox, w.wire, w.journal, 0, int(w.wire.connections[0]["rx_end"]), 1,
            w.policy.address,
        )  # fmt: skip
        event = np.zeros(1, schema.order_event)[0]
        mass_request.cancel_session(w.tables, w.outbox, w.wire, w.journal, event, 0, 1)

    def swap() -> None:
        rows, numbers = np.zeros(1, schema.instrument), np.zeros(1, np.int64)
        rows[0]["isin"] = schema.pack(_ISIN, 2)
        recorder.on_carry(w.tables, w.journal, 0, 0, 1)
        staging.number_rows(w.tables, rows, numbers)
        recorder.on_stage_rows(w.tables, w.journal, rows, numbers, 1)
        recorder.on_activation(w.tables, w.journal, np.zeros(1, schema.activation)[0], 1)
        w.tables.activate_staged()
        recorder.on_stage_abort(w.tables, w.journal, 1)

    def quotes() -> None:
        recorder.note_change(w.wire, 0)
        quote_stream.cancel_all(w.wire, w.journal, 1, 0, 1)
        quote_stream.walk(w.wire, 1)
        quote_stream.send_snapshot(w.tables, w.wire, w.journal, 1, 0, 0, 1)
        quote_stream.send_reject(w.wire, w.journal, 1, 48, raw, 1, 1, 1)

    def idle() -> None:
        w.wire.loop[0]["epoll_fd"] = -1
        w.wire.loop[0]["next_second_ns"] = 0
        loop.run(w.tables, w.outbox, w.wire, w.journal, w.policy.address)

    return [
        ("journal", lambda: recorder.on_boot(w.wire, w.journal, boot, 1)),
        ("reference data", lambda: recorder.on_table_row(
            w.tables, w.journal, tables.PARAMS, 0, row, schema.params.itemsize, 1)),
        ("instrument index", lambda: tables.find_instrument(
            w.tables, np.zeros(1, schema.instrument)[0]["isin"])),
        ("instrument tables", swap),
        ("sessions", lambda: recorder.on_session_set(w.wire, w.journal, 0, setting, 1)),
        ("admin messages", lambda: (
            recorder.on_message_in(w.wire, w.journal, 0, 0, raw, 0, 64, 1),
            recorder.on_message_out(w.wire, w.journal, 0, raw, 0, 64, 1),
            recorder.on_resent(w.wire, w.journal, 0, 1, raw, 64, 1))),
        ("orders", order),
        ("requests", request),
        ("early messages", lambda: (
            inbound.on_message(
                w.tables, w.outbox, w.wire, w.journal, 0, 0, 0, 1, w.policy.address),
            check_message(w.wire, 0, 0, raw, 0))),
        ("desk", lambda: recorder.on_desk(
            w.tables, w.outbox, w.wire, w.journal, w.command, 1)),
        ("quotes", quotes),
        ("loop", idle),
        ("sending", lambda: (
            loop.flush_all(w.wire), loop.make_durable(w.wire), loop.flush(w.wire, 0),
            loop.hold(w.wire, 0), loop.release(w.wire, 0))),
        ("recovery", lambda: (
            replay.replay(w.tables, w.outbox, w.wire, source, shadow,
                          replay.allocate_scratch(), w.policy.address),
            replay.first_difference(source, shadow, 0, 64),
            journal_files.next_whole(source, (1 << 20) - 64),
            journal_files.seek(source, 0, -1, journal_files.ALL_KINDS))),
        ("resend requests", lambda: (
            journal_files.find_sent(source, 0, 0, 1, np.full(1, -1, np.int64), 0, 0),
            resend.resend(w.wire, w.journal, source, 0, 0, resend.new_backlog(1),
                          np.full(1, -1, np.int64), 1, 1))),
        ("snapshots", lambda: tables.rebuild_indexes(w.tables)),
    ]  # fmt: skip


def warm(progress: Callable[[str, int, int], None] = lambda name, done, count: None) -> None:
    """Compile or load all of it; `progress(name, done, count)` before each step."""
    todo = steps(World())
    for done, (name, call) in enumerate(todo):
        progress(name, done, len(todo))
        call()
    progress("ready", len(todo), len(todo))


def lock() -> None:
    """From now on an unexpected type is a TypeError, not a stall while an order waits."""
    for function in (
        loop.run, loop.flush_all, loop.flush, loop.make_durable, loop.hold, loop.release,
        inbound.drain,
        inbound.on_message, requests.on_request, check_message, recorder.on_boot,
        recorder.on_table_row,
        recorder.on_session_set, recorder.on_message_in, recorder.on_message_out,
        recorder.on_resent, recorder.on_desk, recorder.on_carry, recorder.on_stage_rows,
        recorder.on_stage_abort, recorder.on_activation, recorder.note_change,
        staging.number_rows, quote_stream.cancel_all, quote_stream.walk,
        quote_stream.send_snapshot, quote_stream.send_reject, resend.resend,
        mass_request.cancel_session,
    ):  # fmt: skip
        if hasattr(function, "disable_compile"):
            function.disable_compile()
