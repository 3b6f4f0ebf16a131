"""`si dropcopy`: a process of its own that sends copies of clients' reports to their consumers.

It tails the engine's journal, so it cannot slow the engine, and keeps its own numbers and messages
under `DIR/dropcopy/`. One event loop; what a session does is in `drop_copy_session.py`.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from gateway.drop_copy_config import DropCopy, DropCopySession
from gateway.drop_copy_feed import Feed
from gateway.drop_copy_link import Link
from gateway.drop_copy_session import Session
from gateway.drop_copy_store import STORE_FILE, Store
from gateway.errors import UserError

POLL_S = 0.01  # how long to wait for a socket before the journal is looked at again
FRAMES_A_LOOK = 64  # journal frames between two looks at what a consumer owes
LOOKS_A_TURN = 64  # before the sockets get their turn
CONNECTIONS_MAX = 128
READ_SIZE = 64 << 10
STOP_WAIT_NS = 2_000_000_000
LOCK_FILE = "lock"

log = structlog.get_logger()


class DropCopyServer:
    """The acceptor, its sessions and their places in the journal."""

    def __init__(
        self, journal: Path, folder: Path, config: DropCopy,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        self.config = config
        self.now_ns = now_ns
        self._lock = _lock(folder)
        self._stores: list[Store] = []
        self.sessions: dict[tuple[str, str, str], Session] = {}
        self._feeds: list[tuple[Session, Feed]] = []
        for each in config.sessions:
            store = Store(folder / each.folder)
            self._stores.append(store)
            session = Session(each, store, now_ns())
            self.sessions[each.key] = session
            self._feeds.append((session, Feed(journal, each.clients, store.copied)))
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._links: dict[socket.socket, Link] = {}

    def listen(self) -> int:
        """Open the port; answers it. Raises OSError where it is taken."""
        listener = socket.create_server((self.config.host, self.config.port), backlog=16)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._listener = listener
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Let go of sockets, stores and the lock; numbers and messages stay."""
        for link_socket in list(self._links):
            self._forget(link_socket)
        if self._listener is not None:
            self._listener.close()
        self._selector.close()
        for store in self._stores:
            store.close()
        os.close(self._lock)

    # --- the loop -----------------------------------------------------------------------------

    def serve(self, stopped: Callable[[], bool]) -> None:
        """Until `stopped`, then a Logout for everybody."""
        while not stopped():
            self.step()
        now_ns = self.now_ns()
        for session in self.sessions.values():
            session.log_out("the drop copy stops", now_ns)
        until_ns = now_ns + STOP_WAIT_NS
        while self._links and self.now_ns() < until_ns:
            self.step()

    def step(self, wait_s: float = POLL_S) -> None:
        """One turn: the journal, then the sockets, then time."""
        more = [self._copy(session, feed) for session, feed in self._feeds]
        more += [bool(session.backlog) for session in self.sessions.values()]
        self._watch()
        for key, events in self._selector.select(0 if any(more) else wait_s):
            assert isinstance(key.fileobj, socket.socket)
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj in self._links:
                self._serve_socket(key.fileobj, events)
        self._tick()

    def _copy(self, session: Session, feed: Feed) -> bool:
        """Reports from the journal to a session; whether there may be more."""
        for _ in range(LOOKS_A_TURN):
            if not session.wants_reports:
                return False
            before = feed.position
            for report in feed.take(FRAMES_A_LOOK):
                session.copy(report, self.now_ns())
            if feed.position == before:
                return False
        return True

    def _tick(self) -> None:
        now_ns = self.now_ns()
        for session in self.sessions.values():
            session.tick(now_ns)
        for link_socket, link in list(self._links.items()):
            link.tick(now_ns)
            if link.output:
                self._send(link_socket, link)
            if link.done(now_ns):
                self._forget(link_socket)

    # --- sockets ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Which sockets wait for what."""
        for link_socket, link in self._links.items():
            wanted = selectors.EVENT_READ if link.reads else 0
            wanted |= selectors.EVENT_WRITE if link.output else 0
            if wanted and self._selector.get_key(link_socket).events != wanted:
                self._selector.modify(link_socket, wanted)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            made, peer = self._listener.accept()
        except OSError:
            return  # gone before it was taken
        if len(self._links) >= CONNECTIONS_MAX:
            log.warning("too many connections to the drop copy", limit=CONNECTIONS_MAX)
            made.close()
            return
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(made, selectors.EVENT_READ)
        self._links[made] = Link(self.sessions, self.now_ns())
        log.info("drop copy connection", peer=str(peer))

    def _serve_socket(self, link_socket: socket.socket, events: int) -> None:
        link = self._links[link_socket]
        if events & selectors.EVENT_READ:
            try:
                data = link_socket.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                link.receive(data, self.now_ns())
            else:
                link.lost(self.now_ns())

    def _send(self, link_socket: socket.socket, link: Link) -> None:
        try:
            link.taken(link_socket.send(link.output))
        except BlockingIOError:
            return
        except OSError:
            link.lost(self.now_ns())

    def _forget(self, link_socket: socket.socket) -> None:
        link = self._links.pop(link_socket)
        link.lost(self.now_ns())
        log.info("drop copy connection closed", why=link.closing)
        self._selector.unregister(link_socket)
        link_socket.close()


def _lock(folder: Path) -> int:
    """Nobody else writes to the stores of a folder. Raises UserError."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise UserError(f"{folder}: another `si dropcopy` is running there") from error
    return fd


# --- status -------------------------------------------------------------------------------------


def is_running(folder: Path) -> bool:
    """Whether a drop copy process writes to the stores of a folder."""
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def status(journal: Path, folder: Path, config: DropCopy) -> dict[str, Any]:
    """What each session stands at: numbers, place in the journal, frames not copied yet."""
    running = is_running(folder)
    return {
        "running": running,
        "sessions": [_status(journal, folder, each, running) for each in config.sessions],
    }


def _status(journal: Path, folder: Path, session: DropCopySession, running: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "begin_string": session.begin_string,
        "sender_comp_id": session.sender_comp_id,
        "target_comp_id": session.target_comp_id,
        "clients": session.clients,
        "logged_on": False, "next_out": 1, "next_in": 1, "copies": 0,
        "journal_position": None, "last_activity_ns": None,
    }  # fmt: skip
    copied = None
    if (folder / session.folder / STORE_FILE).exists():
        store = Store(folder / session.folder, write=False)
        store.close()
        copied = store.copied
        made |= {
            "logged_on": running and store.logged_on,
            "next_out": store.next_out, "next_in": store.next_in, "copies": store.copies,
            "journal_position": copied.position if copied else None,
            "last_activity_ns": store.last_ts_ns or None,
        }  # fmt: skip
    feed = Feed(journal, session.clients, copied)
    made["lag_frames"] = feed.count()
    return made
