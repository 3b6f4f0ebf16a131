"""The serving process: wiring only. Recover, load, open the sockets, run the loop, do what is rare.

Everything happens in one thread; the compiled loop says why it came back, and `_wake` does it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from select import epoll
from typing import Any

import numpy as np
import structlog

from engine import journal as jn
from engine import schema
from engine.enums import DeskAction, KillScope
from engine.limits import SEGMENT_SIZE
from engine.outbox import allocate_outbox
from engine.policy import Policy
from engine.tables import allocate, outside_table, touch
from gateway import (
    inbound,
    journal_schema,
    large_pages,
    loop,
    mass_request,
    policy_file,
    policy_rules,
    recorder,
    requests,
    snapshot,
    wire,
)
from gateway import syscalls as sc
from gateway.config import Config, ConfigError, closed
from gateway.connections import Connections
from gateway.control import REQUEST_SIZE_MAX, Control
from gateway.credentials import Checker
from gateway.errors import UserError
from gateway.inbound import NEEDED_ROOM
from gateway.journal_files import JournalFiles, cut_torn_tail, look_at, segments
from gateway.replay import Replayed, Replayer
from gateway.risk_view import Stops
from gateway.sent import Sent
from gateway.session import Sessions
from gateway.session_admin import SessionAdmin
from gateway.session_table import SessionTable
from gateway.subscriptions import Subscriptions
from gateway.wire import CONNECTIONS_MAX, Wake
from gateway.world import client_id, load_world

log = structlog.get_logger()
STOP_WAIT_NS = 2_000_000_000


class Server:
    """One engine and its sockets."""

    def __init__(self, config: Config, say: Callable[[str], None] = lambda line: None) -> None:
        self.config = config
        self.say = say
        self.tables = allocate(config.capacity)
        self.outbox = allocate_outbox()
        self.wire = wire.allocate(config.capacity.instruments)
        large_pages.gather(self.tables, self.outbox, self.wire)
        self.session_table = SessionTable(self)
        self.session_admin = SessionAdmin(self.session_table)
        self.sessions = Sessions(self)
        self.connections = Connections(self)
        self.subscriptions = Subscriptions(self)
        self.sent = Sent(self)
        self.checker = Checker()
        self.policy_rules = policy_rules.PolicyRules(self)
        self.policy: Policy
        self.files: JournalFiles
        self.stopping_ns = 0
        self.out_of_space = False
        self._killed_before = False
        self._failure = ""
        self._sockets: list[socket.socket] = []
        self._hours_until_ns = 0
        self.control = Control(self)

    # --- start --------------------------------------------------------------------------------

    @property
    def journal(self) -> jn.Journal:
        """The segment being written."""
        return self.files.journal

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return time.time_ns()

    def recover(self) -> Replayed:
        """Bring the tables back to the last frame of the journal, outputs completed."""
        directory = self.config.journal
        existing = segments(directory) if directory.exists() else []
        journal_schema.check(directory)
        replayer = Replayer(
            self.tables, self.outbox, self.wire,
            lambda source_hash: policy_file.kept_by_hash(directory, source_hash),
        )  # fmt: skip
        if existing:
            place = snapshot.load_newest(directory, self.tables, self.wire, self._snapshot_holds)
            if place is not None:
                replayer.start_at(place.seq, place.position)
        done = replayer.run(directory) if existing else Replayed(0, 0, 0, 0, False)
        self.files = JournalFiles(directory, self.config.engine.cpu)
        self._finish_journal(replayer, done)
        return done

    def _snapshot_holds(self, place: snapshot.Loaded) -> bool:
        """Whether the journal has the frame that a snapshot was taken after."""
        index, offset = divmod(place.last, SEGMENT_SIZE)
        if index >= len(segments(self.config.journal)):
            return False
        source = look_at(self.config.journal, index)
        return int(jn.frame_state(source, offset, place.seq - 1)) == jn.WHOLE

    def _finish_journal(self, replayer: Replayer, done: Replayed) -> None:
        """Cut a torn tail, add the outputs that a killed process did not write."""
        files, shadow = self.files, replayer.shadow
        state = shadow.writer[0]
        start = done.offset - done.missing
        cut = cut_torn_tail(files, start, int(state["seq"]))
        if cut:
            log.warning("torn tail cut off", bytes=cut, segment=files.index, offset=start)
        if done.missing:
            files.journal.buffer[start : done.offset] = shadow.buffer[start : done.offset]
            log.info("outputs of the last input completed", bytes=done.missing)
        for name in ("seq", "offset", "last"):
            files.state[0][name] = state[name]

    def load(self) -> list[str]:
        """Journal and apply configuration and reference data; what was loaded, in words."""
        self.policy, source = policy_file.load(self.config.quoting.policy, self.config.directory)
        policy_file.keep(self.config.journal, self.policy, source)
        now_ns = self.now_ns()
        boot = np.zeros(1, schema.boot)
        boot["schema_hash"] = schema.schema_hash()
        boot["own_mic"] = schema.pack(self.config.firm.mic)
        recorder.on_boot(self.wire, self.journal, boot[0], now_ns)
        if self.tables.counters[0]["staged"]:  # the process before did not come to the switch
            recorder.on_stage_abort(self.tables, self.journal, now_ns)
        words = load_world(self, now_ns)
        self._set_hours(now_ns, self.config.hours.window_ns(now_ns, self.config.directory))
        if self.tables.counters[0]["kill_firm"]:
            words.append("all trading is stopped by the kill switch: `si desk resume` lifts it")
        self.stops = Stops(self)
        return words

    def _set_hours(self, now_ns: int, window_ns: tuple[int, int, int]) -> None:
        """Journal the trading hours of the day, when a day has ended."""
        opens, closes, self._hours_until_ns = window_ns
        row = self.tables.params.copy()
        row["open_ns"], row["close_ns"] = opens, closes
        self.put_row(1, 0, row[0], now_ns)

    def put_row(self, table_id: int, index: int, row: Any, now_ns: int) -> None:
        """Journal and apply a checked row, if it changes anything."""
        if outside_table(self.tables, table_id)[index].tobytes() == row.tobytes():
            return
        self.make_room()
        data = np.frombuffer(row.tobytes(), np.uint8).copy()
        recorder.on_table_row(self.tables, self.journal, table_id, index, data, data.size, now_ns)

    def listen(self) -> tuple[int, int]:
        """Open every socket; answers the FIX and the feed port."""
        loop_row = self.wire.loop[0]
        self.epoll = epoll()
        loop_row["epoll_fd"] = self.epoll.fileno()
        listener = socket.create_server(
            (self.config.fix.host, self.config.fix.port), backlog=256, reuse_port=False
        )
        listener.setblocking(False)
        feed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        feed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        feed.bind((self.config.feed.host, self.config.feed.port))
        loop_row["feed_fd"] = feed.fileno()
        self.config.desk_socket.unlink(missing_ok=True)
        desk = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        desk.bind(str(self.config.desk_socket))
        desk.setblocking(False)
        waker, wakes = socket.socketpair()
        waker.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: None)  # the wake-up byte says it
        self._listener, self._desk, self._waker = listener, desk, waker
        self._sockets += [listener, feed, desk, waker, wakes]
        for sock, source in (
            (listener, loop.LISTENER), (feed, loop.FEED), (desk, loop.DESK), (waker, loop.SIGNAL),
        ):  # fmt: skip
            self.watch(sock.fileno(), source)
        self.watch(self.checker.fileno(), loop.CHECKER)
        return listener.getsockname()[1], feed.getsockname()[1]

    def watch(self, fd: int, source: int) -> None:
        """What epoll is to say of a socket."""
        sc.watch(self.epoll.fileno(), fd, source)

    # --- serve --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """What would keep the first orders waiting: memory, the journal's pages. Then `serve`."""
        row = self.wire.loop[0]
        row["wait_ms"] = 0 if self.config.engine.idle == "busy" else 10
        row["durable"] = int(self.config.engine.durability == "disk")
        row["journal_fd"] = self.files.fd
        if self.config.engine.cpu is not None:
            os.sched_setaffinity(0, {self.config.engine.cpu})
        touch(self.tables)
        gc.freeze()
        gc.disable()
        self.files.write_rest()
        self._keep_spare()

    def serve(self) -> None:
        """Run until SIGTERM or SIGINT, then log out, write a snapshot and close the journal.

        Raises UserError where it had to stop by itself.
        """
        row = self.wire.loop[0]
        handlers = {
            Wake.LISTENER: lambda: self.connections.accept(self._listener),
            Wake.SIGNAL: self._stop,
            Wake.DESK: self._desk_commands,
            Wake.COLD_MESSAGE: self._cold_message,
            Wake.CLOSED: lambda: self.connections.close(
                int(row["connection"]), "closed by the peer"
            ),
            Wake.SEGMENT: self.make_room,
            Wake.TICK: self._tick,
            Wake.OVERSIZE: self._oversize,
            Wake.PIECE: self._piece,
            Wake.CHECKED: self._checked,
        }
        address = self.policy.address
        while not self._done():
            wake = loop.run(self.tables, self.outbox, self.wire, self.journal, address)
            handlers[Wake(wake)]()
            row["busy_ns"] = 1 if self.control.busy else self.sessions.resends.next_ns()
        self._close_all()
        if self._failure:
            raise UserError(self._failure)

    def _done(self) -> bool:
        if not self.stopping_ns:
            return False
        left = np.count_nonzero(self.wire.sessions["connection"] >= 0)
        return left == 0 or self.now_ns() - self.stopping_ns > STOP_WAIT_NS

    def flush(self) -> None:
        """Send what is queued for anyone."""
        loop.flush_all(self.wire)

    def _cold_message(self) -> None:
        """A message for Python; afterwards the connection's other messages."""
        row = self.wire.loop[0]
        connection_id = int(row["connection"])
        start, size = int(row["message_at"]), int(row["message_size"])
        raw = self.wire.rx[connection_id, start : start + size].tobytes()
        self.make_room()
        self.wire.connections[connection_id]["rx_start"] = start + size
        loop.hold(self.wire, connection_id)
        self.sessions.receive(connection_id, raw, int(row["cold_reason"]), int(row["cold_tag"]))
        loop.make_durable(self.wire)
        loop.flush(self.wire, connection_id)

    def take(self, session_id: int, raw: bytes) -> tuple[int, int, bool]:
        """Let the hot path do a message that came early: `(problem, tag, done)`."""
        wire, row = self.wire, self.wire.sessions[session_id]
        self.make_room()
        wire.rx[CONNECTIONS_MAX, : len(raw)] = np.frombuffer(raw, np.uint8)
        wire.connections[CONNECTIONS_MAX]["session"] = session_id
        early, row["early"] = int(row["early"]), 2
        done = inbound.on_message(
            self.tables, self.outbox, wire, self.journal, CONNECTIONS_MAX, 0, len(raw),
            self.now_ns(), self.policy.address,
        )  # fmt: skip
        row["early"] = early
        problem, tag = int(wire.loop[0]["cold_reason"]), int(wire.loop[0]["cold_tag"])
        return problem, tag, done == inbound.DONE

    def request(self, session_id: int, raw: bytes) -> tuple[int, int, bool]:
        """Do a checked request, next in sequence: `(problem, tag, done)`."""
        wire = self.wire
        wire.rx[CONNECTIONS_MAX, : len(raw)] = np.frombuffer(raw, np.uint8)
        wire.connections[CONNECTIONS_MAX]["session"] = session_id
        done = requests.AGAIN
        while done == requests.AGAIN:
            self.make_room()
            done = requests.on_request(
                self.tables, self.outbox, wire, self.journal, CONNECTIONS_MAX, len(raw),
                self.now_ns(), self.policy.address,
            )  # fmt: skip
            loop.flush(wire, wire.sessions[session_id]["connection"])  # else it would seem slow
        problem, tag = int(wire.loop[0]["cold_reason"]), int(wire.loop[0]["cold_tag"])
        return problem, tag, done == inbound.DONE

    def on_disconnect(self, session_id: int) -> None:
        """What a session's settings ask for when its connection is gone."""
        self.sessions.forget_gap(session_id)
        self.sessions.resends.forget(session_id)
        self.subscriptions.log_off(session_id)
        settings = self.sessions.settings(session_id)
        if settings.cancel_on_disconnect:
            self.cancel_all(session_id)
        if settings.reset_on_disconnect:
            self.sessions.set_numbers(session_id, 1, 1)

    def client_id(self, name: str) -> int:
        """Row of a client. Raises UserError."""
        row = client_id(self, name)
        if row < 0:
            raise UserError(f"client {name!r} is none of si.toml's")
        return row

    def cancel_all(self, session_id: int) -> None:
        """Cancel every open order of a session."""
        event = np.zeros(1, schema.order_event)[0]
        done = False
        while not done:
            self.make_room()
            done = mass_request.cancel_session(
                self.tables, self.outbox, self.wire, self.journal, event, session_id, self.now_ns()
            )

    def _oversize(self) -> None:
        row = self.wire.loop[0]
        connection_id = int(row["connection"])
        session_id = int(self.wire.connections[connection_id]["session"])
        why = f"BodyLength(9)={int(row['message_size'])} makes a message over the limit "
        why += f"{wire.MESSAGE_SIZE_MAX}"
        if session_id >= 0:
            self.sessions.drop(session_id, why)
        else:
            self.connections.close(connection_id, why)

    def _desk_commands(self) -> None:
        while True:
            try:
                data, sender = self._desk.recvfrom(REQUEST_SIZE_MAX)
            except BlockingIOError:
                break
            if data.startswith(b"{"):
                self.control.receive(data, partial(self._answer, sender))
                continue
            if len(data) != schema.desk_command.itemsize:
                log.warning("desk command of a wrong size", bytes=len(data))
                continue
            command = np.frombuffer(data, schema.desk_command).copy()[0]
            self.make_room()
            self.command(command)
        self.flush()

    def _answer(self, sender: str, answer: dict[str, Any]) -> None:
        try:
            self._desk.sendto(json.dumps(answer).encode(), sender)
        except OSError as error:
            log.info("nobody waits for the answer", error=str(error))

    def _piece(self) -> None:
        """A piece of work that is done between orders."""
        self.control.step()
        self.sessions.resends.go_on()
        self.flush()

    def _checked(self) -> None:
        """Passwords have been checked."""
        self.make_room()
        self.sessions.logons.checked()
        self.flush()

    def command(self, command: Any) -> None:
        """A desk command, ours or a person's."""
        recorder.on_desk(self.tables, self.outbox, self.wire, self.journal, command, self.now_ns())
        if command["action"] in (DeskAction.KILL, DeskAction.RESUME):
            self.subscriptions.on_kill_switch(int(command["scope"]), int(command["subject"]))

    def _tick(self) -> None:
        self.make_room()
        self.sessions.tick()
        self.connections.tick(self.now_ns())
        now_ns = self.now_ns()
        if now_ns >= self._hours_until_ns:
            self._set_hours(now_ns, self._next_hours(now_ns))
        if self.out_of_space or self.files.has_news_of_spare():
            self._keep_spare()
        self.stops.tick()
        self._piece()
        self.flush()

    def _next_hours(self, now_ns: int) -> tuple[int, int, int]:
        try:
            return self.config.hours.window_ns(now_ns, self.config.directory)
        except ConfigError as error:
            log.error("no trading until the hours are known", why=str(error))
            return closed(now_ns)

    # --- the journal --------------------------------------------------------------------------

    def make_room(self) -> None:
        """A new segment where the current one is nearly full."""
        if jn.room(self.journal) >= 4 * NEEDED_ROOM:
            return
        if self.out_of_space and jn.room(self.journal) >= NEEDED_ROOM:
            return
        try:
            self.files.rotate(wait=self.config.engine.durability == "disk")
        except OSError as error:
            self._no_space(error)
            if jn.room(self.journal) < NEEDED_ROOM:
                log.error("journal is full: stopping", error=str(error))
                self._failure = f"no space for the journal: {error}"
                self._stop_now(self._failure)
            return
        self.wire.loop[0]["journal_fd"] = self.files.fd
        self.wire.loop[0]["spare_fd"] = -1  # until the thread has made one

    def _keep_spare(self) -> None:
        """The segment after this one has its space, or trading stops while this one has room."""
        try:
            self.files.keep_spare()
            self.wire.loop[0]["spare_fd"] = self.files.spare_fd
        except OSError as error:
            self._no_space(error)
            return
        if not self.out_of_space:
            return
        self.out_of_space = False
        log.info("space for the journal again", trading=not self._killed_before)
        self.watch(int(self.wire.loop[0]["feed_fd"]), loop.FEED)
        if not self._killed_before:  # else a person stopped it, and a person resumes it
            self._kill(DeskAction.RESUME)

    def _no_space(self, error: OSError) -> None:
        """Orders are rejected, quotes are not read: what is left is for answers."""
        if self.out_of_space:
            return
        log.error("no space for the journal: trading stopped", error=str(error))
        self.out_of_space = True
        self._killed_before = bool(self.tables.counters[0]["kill_firm"])
        self.epoll.unregister(int(self.wire.loop[0]["feed_fd"]))
        self._kill(DeskAction.KILL)

    def _kill(self, action: DeskAction) -> None:
        command = np.zeros(1, schema.desk_command)
        command["action"], command["scope"] = action, KillScope.FIRM
        command["trader"] = schema.pack("engine")
        self.command(command[0])

    # --- stop ---------------------------------------------------------------------------------

    def _stop(self) -> None:
        try:
            self._waker.recv(64)
        except BlockingIOError:
            return
        self._stop_now("the engine is stopping")

    def _stop_now(self, why: str) -> None:
        if self.stopping_ns:
            return
        self.stopping_ns = self.now_ns()
        self.say(f"stopping: {why}")
        for session_id in np.flatnonzero(self.wire.sessions["connection"] >= 0).tolist():
            self.sessions.logout(session_id, why)
        self.wire.loop[0]["wait_ms"] = 10
        self.flush()

    def _close_all(self) -> None:
        for connection_id in list(self.connections.sockets):
            self.connections.close(connection_id, "stopped")
        self.checker.close()
        for sock in self._sockets:
            sock.close()
        signal.set_wakeup_fd(-1)
        self.epoll.close()
        self.config.desk_socket.unlink(missing_ok=True)
        path: Path | None = None
        try:
            path = snapshot.write(self.config.journal, self.tables, self.wire, self.journal)
        except OSError as error:  # recovery then begins earlier, nothing is lost
            log.warning("no snapshot", error=str(error))
        self.files.close()
        seq = int(self.files.state[0]["seq"])
        self.say(f"journal closed after frame {seq}" + (f", {path.name}" if path else ""))
