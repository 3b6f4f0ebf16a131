"""A whole server, brought back to the same state before every input.

The server is the product's own, with its journal in a folder. Ours are the clock, the peers' ends
of the connections, and the turns of the loop, which are taken by hand. What is restored is found by
looking at the server, not by a list, so that a table added to the gateway is restored as well.
"""

import contextlib
import socket
import tomllib
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

from engine.handle import Handle
from gateway import config as configuration
from gateway import inbound, loop, recorder, template
from gateway.server import Server
from gateway.wire import Wake
from tests.fix_text import as_array
from tests.venue import toml, venue_quote

NOW_NS = 1_780_300_800 * 10**9  # Monday, 1 June 2026, 08:00 UTC
ISIN = "DEZZ00000056"  # of the sample: liquid, SMS 19,000 EUR
BID, ASK = "344.40", "344.50"
#: Each is another kind of session.
SESSIONS: dict[str, dict[str, object]] = {
    "CLIENT1": {},
    "CLIENT2": {
        "reset_on_logon": True,
        "mifid_fields": True,
        "validation": "strict",
        "enable_last_msg_seq_num_processed": True,
        "send_next_expected_msg_seq_num": True,
    },
    "CLIENT3": {
        "begin_string": "FIXT.1.1",
        "cancel_on_disconnect": True,
        "reset_on_logout": True,
        "orders_per_second": 3,
    },
    "CLIENT4": {
        "begin_string": "FIX.4.2",
        "max_messages_in_resend_request": 2,
        "check_latency": False,
        "heart_bt_int_min": 5,
        "reset_on_disconnect": True,
    },
}
CLIENTS = tuple(SESSIONS)
RESTORED_SIZE_MAX = 1 << 20  # bytes; larger arrays are buffers, or never change
CONTAINERS = (dict, list, set, deque)
PLAIN = (bool, int, str, bytes, tuple, type(None), *CONTAINERS)


class Accepted(socket.socket):
    """The server's end of a socket pair, which has no TCP_NODELAY."""

    def setsockopt(self, *_: Any) -> None: ...


class Peer:
    """The other end of a connection, and what it has read."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs = Accepted(fileno=theirs.detach())
        self.connection_id = -1
        self.reads = True
        self.got = bytearray()
        self.ended = False  # the server has said that nothing more comes

    def read(self) -> bool:
        """Take what has come; whether there was anything."""
        size = len(self.got)
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while not self.ended:
                data = self.ours.recv(1 << 20)
                self.got += data
                self.ended = not data
        return len(self.got) > size

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Listener:
    """Gives out the peer that waits, once."""

    def __init__(self, peer: Peer) -> None:
        self._waiting = [peer.theirs]

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if not self._waiting:
            raise BlockingIOError
        return self._waiting.pop(), ("127.0.0.1", 40_000)


class State(NamedTuple):
    """What `restore` goes back to."""

    arrays: list[tuple[Any, Any]]
    plain: list[tuple[Any, dict[str, Any]]]
    connected: dict[int, int]  # connection by place in `peers`
    writer: Any  # of the journal: where the next frame goes, the number of the last
    segment: int

    @property
    def offset(self) -> int:
        return int(self.writer["offset"])

    @property
    def seq(self) -> int:
        return int(self.writer["seq"])


class Venue(Server):
    """A loaded server with a session for each of CLIENTS."""

    def __init__(self, folder: Path) -> None:
        self.clock_ns = NOW_NS
        self.peers: list[Peer] = []  # every one that connected
        super().__init__(_configured(folder))
        self.recover()
        self.load()
        self.wire.loop[0]["journal_fd"] = self.files.fd
        self.wire.loop[0]["epoll_fd"] = -1
        self.quote(BID, ASK)
        self.save()

    def close(self) -> None:
        """Let go of the sockets and the journal."""
        for peer in self.peers:
            peer.close()
        self.files.close()

    # --- what the process and the kernel would do -----------------------------------------------

    def now_ns(self) -> int:
        return self.clock_ns

    def watch(self, fd: int, source: int) -> None:
        """Nobody polls."""

    def flush(self) -> None:
        """As the server's own, for the connections that there are."""
        for connection_id in self.connections.sockets:
            loop.flush(self.wire, connection_id)

    def connect(self) -> Peer:
        """A new connection."""
        peer = Peer()
        self.peers.append(peer)
        before = dict(self.connections.sockets)
        self.connections.accept(Listener(peer))  # type: ignore[arg-type]
        for connection_id, taken in self.connections.sockets.items():
            if before.get(connection_id) is not taken:
                peer.connection_id = connection_id
        assert self.is_open(peer), "a connection was refused"
        return peer

    def is_open(self, peer: Peer) -> bool:
        """Whether the server still has this connection."""
        return self.connections.sockets.get(peer.connection_id) is peer.theirs

    def disconnect(self, peer: Peer) -> None:
        """The peer is gone."""
        if self.is_open(peer):
            self.connections.close(peer.connection_id, "closed by the peer")

    def receive(self, peer: Peer, data: bytes) -> None:
        """What the socket would have brought, in pieces that the buffer has room for."""
        connection_id = peer.connection_id
        connection, buffer = self.wire.connections[connection_id], self.wire.rx[connection_id]
        while data and self.is_open(peer) and not connection["closing"]:
            end = int(connection["rx_end"])
            taken = data[: buffer.shape[0] - end]
            assert taken, f"no room to read: rx_start {connection['rx_start']}, rx_end {end}"
            buffer[end : end + len(taken)] = as_array(taken)
            connection["rx_end"] = end + len(taken)
            data = data[len(taken) :]
            self._turns(peer, len(taken))
        self.deliver()

    def _turns(self, peer: Peer, size: int) -> None:
        """As the compiled loop and `serve` do together, in a bounded number of turns."""
        everything = (self.tables, self.outbox, self.wire, self.journal)
        for _ in range(size + 2):
            connection_id = peer.connection_id
            wake = inbound.drain(*everything, connection_id, self.clock_ns, self.policy.address)
            loop.flush(self.wire, connection_id)
            if wake == Wake.COLD_MESSAGE:
                self.cold(connection_id)
            elif wake == Wake.OVERSIZE:
                self._oversize()
            else:
                assert wake == Wake.NOTHING, Wake(wake)
                return
            if not self.is_open(peer) or self.wire.connections[connection_id]["closing"]:
                return
        raise AssertionError(f"{size} bytes took more than {size + 2} turns")

    def cold(self, connection_id: int) -> None:
        """A message that compiled code leaves to Python."""
        self._cold_message()

    def deliver(self) -> None:
        """The peers read, the kernel says that there is room, the server goes on sending."""
        self.flush()
        for peer in self.peers:
            while peer.reads and peer.read() and self.is_open(peer):
                self.wire.connections[peer.connection_id]["blocked"] = 0
                loop.flush(self.wire, peer.connection_id)

    def pass_time(self, ms: int) -> None:
        """The clock goes on, then the duties of a tenth of a second and those of a second."""
        self.clock_ns += ms * 10**6
        everything = (self.tables, self.outbox, self.wire, self.journal)
        expiry_ns = self.tables.counters[0]["next_expiry_ns"]
        if expiry_ns != 0 and expiry_ns <= self.clock_ns:
            recorder.on_timer(*everything, self.clock_ns)
        for session_id in range(len(CLIENTS)):
            inbound.keep_alive(self.wire, self.journal, session_id, self.clock_ns)
        self._tick()
        self.deliver()

    def quote(self, bid: str, ask: str) -> None:
        """A venue's quote: our own is fresh again."""
        record = venue_quote(ISIN, bid, ask)
        self.wire.datagram[: len(record)] = as_array(record)
        everything = (self.tables, self.outbox, self.wire, self.journal)
        recorder.on_feed(*everything, len(record), self.clock_ns)
        self.deliver()

    # --- state ----------------------------------------------------------------------------------

    def save(self) -> None:
        """From now on `restore` comes back to here."""
        arrays = small_arrays(self.tables, self.outbox, self.wire)
        arrays += [self.wire.sent[: len(CLIENTS)], self.files.state]
        self.saved = State(
            [(array, array.copy()) for array in arrays],
            [(each, _plain(each)) for each in _of(self)],
            {i: p.connection_id for i, p in enumerate(self.peers) if self.is_open(p)},
            self.files.state[0].copy(),
            self.files.index,
        )

    def restore(self) -> None:
        """Everything as it was; the bytes in buffers that nothing points to stay what they are."""
        assert not self.spoiled, "an input filled a whole segment"
        for peer in self.peers:
            peer.close()
        written = int(self.files.state[0]["offset"])
        self.journal.buffer[self.saved.offset : written] = 0
        for array, saved in self.saved.arrays:
            array[...] = saved
        for each, values in self.saved.plain:
            vars(each).update({name: _copy(value) for name, value in values.items()})
        for place, connection_id in self.saved.connected.items():
            self.peers[place] = peer = Peer()
            peer.connection_id = connection_id
            self.connections.sockets[connection_id] = peer.theirs
            self.wire.connections[connection_id]["fd"] = peer.theirs.fileno()
            peer.theirs.setblocking(False)

    @property
    def spoiled(self) -> bool:
        """Whether `restore` cannot do it any more: an input has filled the journal's segment."""
        return self.files.index != self.saved.segment

    def saved_session(self, session_id: int) -> Any:
        """The session's row as `restore` makes it."""
        [rows] = [copy for array, copy in self.saved.arrays if array is self.wire.sessions]
        return rows[session_id]


def small_arrays(*handles: Handle) -> list[Any]:
    """All but the buffers."""
    arrays = [array for handle in handles for _, array in handle.items()]
    return [array for array in arrays if array.nbytes <= RESTORED_SIZE_MAX]


def _of(server: Server) -> list[Any]:
    """The server and every object of the gateway that it leads to."""
    found: list[Any] = [server]
    for each in found:
        for value in vars(each).values():
            ours = type(value).__module__.startswith("gateway.") and hasattr(value, "__dict__")
            known = any(value is other for other in found)
            if ours and not known and not isinstance(value, Handle):
                found.append(value)
    return [each for each in found if each is not server.config]


def _plain(each: Any) -> dict[str, Any]:
    """Copies of the attributes that are numbers, text or containers."""
    names = [name for name, value in vars(each).items() if isinstance(value, PLAIN)]
    return {name: _copy(getattr(each, name)) for name in names if name != "saved"}


def _copy(value: Any) -> Any:
    """Containers are copied, what is in them too where it is a container."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, CONTAINERS):
        return type(value)(map(_copy, value))
    return value


def _configured(folder: Path) -> Any:
    """The sample with our sessions, few instruments, small tables."""
    template.write(folder)
    path = folder / configuration.CONFIG_FILE
    tree = tomllib.loads(path.read_text())
    usual = {"sender_comp_id": "SI", "client": "client1"}
    tree["fix"]["sessions"] = [
        usual | {"target_comp_id": name} | settings for name, settings in SESSIONS.items()
    ]
    tree["engine"] |= {"orders_max": 64, "desk_items_max": 16, "instruments_max": 64}
    path.write_text(toml(tree))
    instruments = folder / tree["refdata"]["instruments"]
    lines = instruments.read_text().splitlines()
    kept = [line for line in lines if line.startswith(ISIN)]
    instruments.write_text("\n".join([*lines[:6], *kept]) + "\n")
    return configuration.load(folder)
