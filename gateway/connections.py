"""TCP connections: accepted, ended with or without a last word, and looked after once a second."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import numpy as np
import structlog

from gateway import loop
from gateway.wire import CONNECTIONS_MAX, SessionState

if TYPE_CHECKING:
    from gateway.server import Server

SECOND_NS = 1_000_000_000
LINGER_NS = 2 * SECOND_NS  # for a last message to be read
TIME_SHARE = 100  # a session has one part in so many of the engine's time for what Python does
TIME_BURST_NS = 25 * SECOND_NS  # so much it may save up: 250 ms, a test suite's 500 messages

log = structlog.get_logger()


class Connections:
    """Every accepted socket, by its row in `wire.connections`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sockets: dict[int, socket.socket] = {}
        self.peers: dict[int, str] = {}
        self.turns_ns: dict[int, int] = {}  # by session: `turn_ns` of its last connection

    def accept(self, listener: socket.socket) -> None:
        """Everybody who waits; the longest that has not logged on makes room for a new one."""
        while True:
            try:
                accepted, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("accept failed", error=str(error))
                return
            connection_id = self._free_row()
            if connection_id < 0:
                log.warning("connection refused: no room", peer=address)
                accepted.close()
                continue
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            row = self.server.wire.connections[connection_id]
            for name in row.dtype.names:
                row[name] = 0
            row["fd"], row["session"] = accepted.fileno(), -1
            row["opened_ns"] = self.server.now_ns()
            self.sockets[connection_id] = accepted
            self.peers[connection_id] = address[0]
            self.server.watch(accepted.fileno(), connection_id)

    def _free_row(self) -> int:
        rows = self.server.wire.connections[:CONNECTIONS_MAX]
        free = np.flatnonzero(rows["fd"] < 0)
        if free.size:
            return int(free[0])
        strangers = np.flatnonzero(rows["session"] < 0)
        if not strangers.size:
            return -1
        oldest = int(strangers[rows["opened_ns"][strangers].argmin()])
        self.close(oldest, "no Logon, and others wait for the place")
        return oldest

    def peer(self, connection_id: int) -> str:
        """IP address of the other side."""
        return self.peers[connection_id]

    def charge(self, connection_id: int, cost_ns: int) -> None:
        """Python has done, or will do, something of this cost for a connection.

        One that asks for more than its share waits for its turn, with all that it sends: whatever a
        client does, and however often, few orders of others meet it.
        -1: nobody is connected.
        """
        if connection_id < 0:
            return
        row = self.server.wire.connections[connection_id]
        now_ns = self.server.now_ns()
        turn_ns = max(int(row["turn_ns"]), now_ns - TIME_BURST_NS) + cost_ns * TIME_SHARE
        row["turn_ns"] = min(turn_ns, now_ns + loop.TURN_MAX_NS)  # clocks are set back

    def release(self, connection_id: int, why: str) -> None:
        """The session goes on without this connection; it keeps its numbers."""
        server = self.server
        row = server.wire.connections[connection_id]
        session_id = int(row["session"])
        if session_id < 0:
            log.info("disconnected", session=None, peer=self.peers.get(connection_id), why=why)
            return
        log.info("disconnected", session=server.sessions.names(session_id)[1], why=why)
        session = server.wire.sessions[session_id]
        was_on = session["state"] != SessionState.OFF
        self.turns_ns[session_id] = int(row["turn_ns"])
        session["connection"] = -1
        session["state"] = SessionState.OFF
        row["session"] = -1
        if was_on:
            server.on_disconnect(session_id)

    def close(self, connection_id: int, why: str) -> None:
        """Disconnect at once."""
        row = self.server.wire.connections[connection_id]
        if row["fd"] < 0:
            return
        if not row["closing"]:
            self.release(connection_id, why)
        loop.release(self.server.wire, connection_id)
        row["fd"], row["session"], row["closing"] = -1, -1, 0
        self.sockets.pop(connection_id).close()
        self.peers.pop(connection_id)

    def finish(self, connection_id: int, why: str) -> None:
        """Disconnect, but let what was said last arrive.

        Closing a socket with unread bytes would reset it, and the Logout could be lost: our side
        ends, theirs is read and forgotten until it ends too.
        """
        row = self.server.wire.connections[connection_id]
        if row["fd"] < 0 or row["closing"]:
            return
        loop.make_durable(self.server.wire)
        loop.flush(self.server.wire, connection_id)
        self.release(connection_id, why)
        row["closing"] = 1
        row["rx_start"] = row["rx_end"] = 0  # what came behind it is nobody's
        loop.release(self.server.wire, connection_id)
        row["opened_ns"] = self.server.now_ns()
        self._end_ours(connection_id)

    def _end_ours(self, connection_id: int) -> None:
        row = self.server.wire.connections[connection_id]
        if row["closing"] == 1 and row["tx_end"] == row["tx_start"]:
            row["closing"] = 2
            try:
                self.sockets[connection_id].shutdown(socket.SHUT_WR)
            except OSError:
                self.close(connection_id, "gone")

    def tick(self, now_ns: int) -> None:
        """Slow readers, those that never log on, those that have been told goodbye."""
        rows = self.server.wire.connections
        logon_wait_s = self.server.session_table.logon_wait_s
        due = (rows["closing"] != 0) | (rows["slow"] != 0) | (rows["session"] < 0)
        for connection_id in np.flatnonzero((rows["fd"] >= 0) & due).tolist():
            row = rows[connection_id]
            age_ns = now_ns - int(row["opened_ns"])
            if row["closing"]:
                self._end_ours(connection_id)
                if not 0 <= age_ns <= LINGER_NS:
                    self.close(connection_id, "said goodbye")
            elif row["slow"]:
                self._drop_slow(connection_id)
            elif row["session"] < 0 and not 0 <= age_ns <= logon_wait_s * SECOND_NS:
                self.close(connection_id, f"no Logon within {logon_wait_s} seconds")

    def _drop_slow(self, connection_id: int) -> None:
        """Say why behind all that is owed: there is room kept for it."""
        row = self.server.wire.connections[connection_id]
        owed = int(row["tx_end"] - row["tx_start"])
        row["slow"] = 2
        self.server.epoll.modify(int(row["fd"]), select.EPOLLOUT)
        self.server.sessions.drop(
            int(row["session"]), f"slow reader: {owed} bytes not read, log on again for the rest"
        )
