"""`si bench wire`: round trips order -> fill through TCP, against a bare echo in the same run.

Three processes: the engine and the echo share one core (one is stopped while the other is
measured), the load generator has the other. The echo makes the same system calls (epoll_wait, recv,
send) with the same sizes and does nothing else: it is the floor. Blocks of both alternate, so that
whatever the machine does hits both. Times are taken around send and the last byte of the answer.
"""

import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import echo
from bench.venue import Venue
from engine.jit import njit
from gateway import syscalls as sc
from gateway.fix_message import stamp

BLOCK = 2_000  # round trips before the other gets its turn
WARM_BLOCKS = 3
SERVER_CPU, LOAD_CPU = 1, 0
QUANTILES = (("p50_ns", 50), ("p99_ns", 99), ("p999_ns", 99.9))

CLORDID_DIGITS = 10
SEQ_DIGITS = 8


@njit
def round_trips(fd, message, marks, reply, first, count, out_ns, timespec):
    """`count` closed-loop round trips; `out_ns[i]` of each. Answers how many were answered.

    `marks`: where ClOrdID's digits, MsgSeqNum's digits, Side and CheckSum stand in `message`.
    """
    for i in range(count):
        put_digits(message, marks[0], CLORDID_DIGITS, first + i)
        put_digits(message, marks[1], SEQ_DIGITS, first + i)
        message[marks[2]] = 49 + (i & 1)
        put_checksum(message, marks[3])
        begun = sc.now_ns(timespec)
        if sc.send(fd, message.ctypes.data, message.shape[0], sc.MSG_NOSIGNAL) < 0:
            return i
        got = 0
        while got < 7 or reply[got - 1] != 1 or reply[got - 7] != 49 or reply[got - 5] != 61:
            received = sc.recv(fd, reply.ctypes.data + got, reply.shape[0] - got, sc.MSG_DONTWAIT)
            if received == 0:
                return i
            if received > 0:
                got += received
        out_ns[i] = sc.now_ns(timespec) - begun
    return count


@njit
def put_digits(message, at, digits, value):
    for i in range(at + digits - 1, at - 1, -1):
        message[i] = 48 + value % 10
        value //= 10


@njit
def put_checksum(message, at):
    total = 0
    for i in range(at - 3):
        total += np.int64(message[i])
    put_digits(message, at, 3, total & 255)


def order_message(isin: str, theirs: str, ours: str) -> tuple[np.ndarray, np.ndarray]:
    """An IOC market order, sent now, and the places in it that change from one to the next."""
    now = stamp(time.time_ns())
    body = (
        f"35=D|34={'0' * SEQ_DIGITS}|49={theirs}|52={now}|56={ours}|"
        f"11={'0' * CLORDID_DIGITS}|21=1|22=4|38=10|40=1|48={isin}|54=1|55={isin}|59=3|"
        f"60={now}|"
    ).replace("|", "\x01")
    text = f"8=FIX.4.4\x019={len(body)}\x01{body}10=000\x01"
    places = [text.index(f"\x01{tag}=") + len(tag) + 2 for tag in ("11", "34", "54", "10")]
    return np.frombuffer(text.encode(), np.uint8).copy(), np.array(places, np.int64)


class Side:
    """One of the two servers under measurement."""

    def __init__(self, name: str, sock: socket.socket, pid: int, first: int) -> None:
        self.name, self.sock, self.pid, self.next = name, sock, pid, first
        self.blocks: list[np.ndarray] = []

    def run(self, message: np.ndarray, marks: np.ndarray, count: int, *, keep: bool) -> None:
        """One block, with the other server stopped. Raises OSError where answers fail to come."""
        out_ns = np.zeros(count, np.int64)
        reply = np.zeros(4096, np.uint8)
        os.kill(self.pid, signal.SIGCONT)
        time.sleep(0.001)
        done = round_trips(
            self.sock.fileno(), message, marks, reply, self.next, count, out_ns,
            np.zeros(2, np.int64),
        )  # fmt: skip
        os.kill(self.pid, signal.SIGSTOP)
        self.next += count
        if done != count:
            raise OSError(f"{self.name}: answered {done} of {count} orders, then disconnected")
        if keep:
            self.blocks.append(out_ns)
        self.last_reply = reply


def run(orders: int, console: Console) -> dict[str, Any]:
    """Measure `orders` round trips of each kind. Raises OSError where a server fails."""
    with (
        tempfile.TemporaryDirectory(prefix="si-bench-") as folder,
        Venue(Path(folder) / "si", cpu=SERVER_CPU) as venue,
    ):
        sock = venue.log_on()
        message, marks = order_message(venue.isin, venue.theirs, venue.ours)
        engine = Side("engine", sock, venue.pid, 2)
        engine.run(message, marks, 10, keep=False)
        reply_size = _reply_size(engine.last_reply)
        floor_process, floor_sock = _start_echo(message.size, reply_size)
        try:
            floor = Side("floor", floor_sock, floor_process.pid, 2)
            os.sched_setaffinity(0, {LOAD_CPU})
            _measure(engine, floor, message, marks, orders, console)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            floor_process.kill()
            floor_process.wait()
            os.kill(venue.pid, signal.SIGCONT)
    return _result(engine, floor, message.size, reply_size)


def _measure(
    engine: Side, floor: Side, message: np.ndarray, marks: np.ndarray, orders: int, console: Console
) -> None:
    blocks = WARM_BLOCKS + -(-orders // BLOCK)
    with Progress(console=console, transient=True) as bar:
        for number in bar.track(range(blocks), description="round trips"):
            for side in (engine, floor) if number % 2 else (floor, engine):
                side.run(message, marks, BLOCK, keep=number >= WARM_BLOCKS)


def _reply_size(reply: np.ndarray) -> int:
    text = reply.tobytes()
    if b"\x01150=F\x01" not in text:
        raise OSError(f"the engine did not fill: {text.rstrip(bytes(1))!r}")
    return len(text.rstrip(b"\0"))


def _start_echo(request_size: int, reply_size: int) -> tuple[subprocess.Popen[bytes], Any]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.echo", str(request_size), str(reply_size), str(SERVER_CPU)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return process, sock


def _percentiles(side: Side) -> dict[str, int]:
    times_ns = np.concatenate(side.blocks)
    found = {name: int(np.percentile(times_ns, at)) for name, at in QUANTILES}
    return found | {"max_ns": int(times_ns.max()), "count": int(times_ns.size)}


def _result(engine: Side, floor: Side, request_size: int, reply_size: int) -> dict[str, Any]:
    ours, bare = _percentiles(engine), _percentiles(floor)
    return {
        "engine": ours,
        "floor": bare,
        "ratio": {name[:-3]: round(ours[name] / bare[name], 4) for name, _ in QUANTILES},
        "environment": environment() | {"request_bytes": request_size, "reply_bytes": reply_size},
    }


def environment() -> dict[str, Any]:
    """What a reader needs to judge the numbers."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor(),
    )  # fmt: skip
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "idle": "busy",
        "checksum": "on",
        "journal": "process",
        "echo": echo.__doc__.splitlines()[0] if echo.__doc__ else "",
    }


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    made = Table(title="round trip order -> fill, microseconds", title_justify="left")
    for name in ("", "p50", "p99", "p99.9", "max", "count"):
        made.add_column(name, justify="right" if name else "left")
    for name, label in (("engine", "engine"), ("floor", "bare echo")):
        row = result[name]
        times = [f"{row[key] / 1000:.2f}" for key in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
        made.add_row(label, *times, f"{row['count']:,}")
    ratio = result["ratio"]
    made.add_row("ratio", f"{ratio['p50']:.3f}", f"{ratio['p99']:.3f}", f"{ratio['p999']:.3f}")
    made.caption = f"{result['environment']['cpu']}, {result['environment']['kernel']}"
    return made
