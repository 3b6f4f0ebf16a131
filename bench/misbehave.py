"""One session with a bad habit, to see what its neighbours notice: plain Python, its own process.

Run as `python -m bench.misbehave PORT THEIRS OURS ISIN HABIT SECONDS CPU`; it prints a line when it
begins and goes on until its seconds are over or it is stopped. Each habit is one turn, a few
milliseconds long, done again and again; a session that the engine disconnects comes back.
"""

import contextlib
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Callable

from gateway.fix_message import Header, stamp, write

PAUSE_S = 0.002  # between two turns: it shares a core with the load where there are only two
LOGON_WAIT_S = 2.0
NO_LINGER = struct.pack("ii", 1, 0)  # a close is a reset

Fields = list[tuple[int, object]]


class Peer:
    """A connection and the number of its next message."""

    def __init__(self, port: int, theirs: str, ours: str, isin: str) -> None:
        self.port, self.isin = port, isin
        self.header = Header("FIX.4.4", theirs, ours)
        self.random = random.Random(1)
        self.sock: socket.socket | None = None
        self.next_out = 1
        self.clordid = 0

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        """A fresh connection that has not logged on."""
        self.close()
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(LOGON_WAIT_S)
        self.sock.connect(("127.0.0.1", self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.sock

    def log_on(self, receive_buffer: int = 0) -> None:
        """Connected and logged on with fresh numbers, unless it is already."""
        if self.sock is not None:
            return
        sock = self.connect(receive_buffer)
        self.next_out = 1
        self.send("A", [(98, 0), (108, 0), (141, "Y")])
        sock.recv(4096)
        sock.setblocking(False)

    def close(self) -> None:
        """Without a Logout."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def message(self, msg_type: str, fields: Fields) -> bytes:
        """The next message."""
        raw = write(msg_type, self.header, self.next_out, time.time_ns(), fields)
        self.next_out += 1
        return raw

    def order(self) -> bytes:
        """A market order for one share."""
        self.clordid += 1
        now = stamp(time.time_ns())
        return self.message("D", [
            (11, f"bad-{os.getpid()}-{self.clordid}"), (55, self.isin), (48, self.isin), (22, 4),
            (54, 1 + self.clordid % 2), (38, 1), (40, 1), (59, 3), (60, now),
        ])  # fmt: skip

    def send(self, msg_type: str, fields: Fields) -> None:
        """The next message, out."""
        self.raw(self.message(msg_type, fields))

    def raw(self, data: bytes) -> None:
        """Bytes, as far as the socket takes them. Raises OSError where it is gone."""
        assert self.sock is not None
        with contextlib.suppress(BlockingIOError):
            self.sock.send(data)

    def read(self) -> None:
        """Throw away what has come. Raises OSError where the engine has disconnected."""
        assert self.sock is not None
        with contextlib.suppress(BlockingIOError):
            while data := self.sock.recv(1 << 16):
                del data
            raise ConnectionResetError


def gaps(peer: Peer) -> None:
    """Numbers left out: each is a ResendRequest of the engine's, answered by a gap fill."""
    peer.log_on()
    missing = peer.next_out
    peer.next_out += 5
    peer.raw(peer.order())
    new, peer.next_out = peer.next_out, missing
    peer.send("4", [(43, "Y"), (122, stamp(time.time_ns())), (123, "Y"), (36, new)])
    peer.next_out = new
    peer.read()


def resend_storm(peer: Peer) -> None:
    """Everything again, over and over."""
    peer.log_on()
    for _ in range(5):
        peer.raw(peer.order())
    for _ in range(3):
        peer.send("2", [(7, 1), (16, 0)])
    peer.read()


def garbage(peer: Peer) -> None:
    """Bytes that are no FIX, and messages with a byte changed."""
    peer.log_on()
    peer.raw(peer.random.randbytes(2_000))
    broken = bytearray(peer.order())
    peer.next_out -= 1
    broken[peer.random.randrange(len(broken))] ^= 1 << peer.random.randrange(8)
    peer.raw(bytes(broken))
    peer.raw(b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01" * 20)
    peer.read()


def one_byte(peer: Peer) -> None:
    """An order in as many packets as it has bytes."""
    peer.log_on()
    for byte in peer.order():
        peer.raw(bytes([byte]))
    peer.read()


def oversize(peer: Peer) -> None:
    """A message that says it is larger than any may be."""
    peer.log_on()
    peer.raw(b"8=FIX.4.4\x019=99999999\x0135=D\x01")
    peer.raw(b"x" * 60_000)
    peer.read()


def slow_reader(peer: Peer) -> None:
    """Orders, and answers that are never read."""
    peer.log_on(receive_buffer=4096)
    for _ in range(10):
        peer.raw(peer.order())
    peer.send("2", [(7, 1), (16, 0)])


def logon_flood(peer: Peer) -> None:
    """Connections that log on as nobody, or say nothing."""
    sock = peer.connect()
    peer.next_out = 1
    known = peer.header
    peer.header = known._replace(ours=f"NOBODY{peer.random.randrange(1000)}")
    if peer.random.randrange(4):
        peer.send("A", [(98, 0), (108, 30)])
    peer.header = known
    sock.close()
    peer.sock = None


def disconnects(peer: Peer) -> None:
    """Logged on, an order, and the connection is reset."""
    peer.log_on()
    peer.raw(peer.order())
    assert peer.sock is not None
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    peer.close()


HABITS: dict[str, Callable[[Peer], None]] = {
    habit.__name__: habit
    for habit in (
        gaps, resend_storm, garbage, one_byte, oversize, slow_reader, logon_flood, disconnects,
    )
}  # fmt: skip


def main() -> None:
    """Misbehave until the time is over."""
    port, theirs, ours, isin, habit, seconds, cpu = sys.argv[1:8]
    if int(cpu) < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {int(cpu)})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # whoever else wakes up runs
    peer = Peer(int(port), theirs, ours, isin)
    print(habit, flush=True)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        try:
            HABITS[habit](peer)
        except OSError:  # disconnected: as it deserves
            peer.close()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
