"""`si bench throughput`: orders through one session, many in flight, and memory while they go."""

import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from bench.venue import Venue
from bench.wire import (
    CLORDID_DIGITS,
    LOAD_CPU,
    SEQ_DIGITS,
    SERVER_CPU,
    order_message,
    put_checksum,
    put_digits,
)
from engine.jit import njit
from gateway import syscalls as sc

BATCH = 32  # orders in one send
IN_FLIGHT = 512  # orders not yet answered


@njit
def pump(fd, message, marks, batch, reply, first, count):
    """Send `count` orders with at most IN_FLIGHT open; answers how many were answered.

    Answers are counted by their trailers, `|10=`.
    """
    size = message.shape[0]
    sent, answered, matched = 0, 0, 0
    while answered < count:
        if sent < count and sent - answered < IN_FLIGHT:
            burst = min(BATCH, count - sent)
            for i in range(burst):
                put_digits(message, marks[0], CLORDID_DIGITS, first + sent + i)
                put_digits(message, marks[1], SEQ_DIGITS, first + sent + i)
                message[marks[2]] = 49 + ((sent + i) & 1)
                put_checksum(message, marks[3])
                for k in range(size):
                    batch[i * size + k] = message[k]
            done = 0
            while done < burst * size:
                out = sc.send(
                    fd, batch.ctypes.data + done, burst * size - done,
                    sc.MSG_DONTWAIT | sc.MSG_NOSIGNAL,
                )  # fmt: skip
                done += max(out, 0)
                got, matched = _count(fd, reply, matched)
                if got < 0:
                    return answered
                answered += got
            sent += burst
        got, matched = _count(fd, reply, matched)
        if got < 0:
            return answered
        answered += got
    return answered


@njit
def _count(fd, reply, matched):
    """Trailers in what has come, `(count, letters of the next one seen)`; -1: closed."""
    received = sc.recv(fd, reply.ctypes.data, reply.shape[0], sc.MSG_DONTWAIT)
    if received == 0:
        return -1, 0
    found = 0
    for i in range(received):
        byte = reply[i]
        if byte == 1:
            matched = 1
        elif (matched == 1 and byte == 49) or (matched == 2 and byte == 48):
            matched += 1
        elif matched == 3 and byte == 61:
            found += 1
            matched = 0
        else:
            matched = 0
    return found, matched


def resident_bytes(pid: int) -> dict[str, int]:
    """Anonymous and file-backed resident memory of a process."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        name: int(rows[key].split()[0]) * 1024
        for name, key in (("anonymous", "RssAnon"), ("file", "RssFile"))
    }


def run(orders: int, console: Console) -> dict[str, Any]:
    """Send `orders` orders. Raises OSError where the engine stops answering."""
    blocks, block = 10, max(orders // 10, BATCH)
    with (
        tempfile.TemporaryDirectory(prefix="si-bench-") as folder,
        Venue(Path(folder) / "si", cpu=SERVER_CPU) as venue,
    ):
        sock: socket.socket = venue.log_on()
        message, marks = order_message(venue.isin, venue.theirs, venue.ours)
        os.sched_setaffinity(0, {LOAD_CPU})
        buffers = np.zeros(BATCH * message.size, np.uint8), np.zeros(1 << 20, np.uint8)
        rates, resident = [], []
        with Progress(console=console, transient=True) as bar:
            for number in bar.track(range(blocks), description="orders"):
                begun = time.perf_counter()
                done = pump(sock.fileno(), message, marks, *buffers, 2 + number * block, block)
                if done != block:
                    raise OSError(f"answered {done} of {block} orders, then disconnected")
                rates.append(block / (time.perf_counter() - begun))
                resident.append(resident_bytes(venue.pid))
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return {
        "orders": blocks * block,
        "rate_per_s": round(float(np.median(rates[1:]))),
        "best_per_s": round(max(rates)),
        "resident_bytes": resident,
    }
