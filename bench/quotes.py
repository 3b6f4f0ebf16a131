"""`si bench quotes`: a venue's update -> our new public quote in the journal.

In process: datagrams of 20 updates through `recorder.on_feed`, each update moving our quote, input
and quotes journalled. Between processes: single updates at a steady rate over loopback UDP to a
busy engine on a core of its own; the load, on the other, follows the journal and takes the time
from right before an update is sent until it sees the quote. That holds the kernel's way, too: a
bare receiver, which copies each datagram into shared memory, is measured in the same run.
"""

import mmap
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.hot_path import NOW_NS, HotPath
from bench.venue import Venue
from bench.wire import LOAD_CPU, QUANTILES, SERVER_CPU, environment
from engine import journal as jn
from engine import schema
from engine.jit import njit
from engine.limits import SEGMENT_SIZE
from gateway import inbound, recorder
from gateway import syscalls as sc
from gateway.journal_files import Reader, look_at, segment_path

IN_DATAGRAM = 20
MOVE_E6 = 100_000  # of both sides, up and down: above any tick of the sample's shares
RECORD_WORDS = schema.venue_quote.itemsize // 8
SEQ_AT, BID_AT, ASK_AT = (
    schema.venue_quote.fields[name][1] // 8  # type: ignore[index]
    for name in ("seq", "bid_px_e6", "ask_px_e6")
)
WAIT_NS = 2_000_000_000  # without an answer: the rest is lost
SETTLE_S = 3  # a started engine first writes its journal's pages ahead
LOOK_NS = 50_000  # without one: perhaps the journal goes on in another segment
DONE, LOOK, LOST = 0, 1, 2
# words of the state that `follow` keeps between two calls
SENT, SEEN, OFFSET, FRAME, LAST, STARTED, PROGRESS, LOOKED, LATE = range(9)


@njit
def feed_in_row(tables, outbox, wire, journal, records, count):
    """`count` datagrams whose updates each move our quote; answers how many quotes were made."""
    made = tables.counters[0]["quotes"]
    size = records.shape[0] * 8
    for i in range(count):
        for k in range(IN_DATAGRAM):
            move = MOVE_E6 if k & 1 else -MOVE_E6
            records[k * RECORD_WORDS + BID_AT] += move
            records[k * RECORD_WORDS + ASK_AT] += move
        recorder.copy(wire.datagram, 0, records.view(np.uint8), 0, size)
        recorder.on_feed(tables, outbox, wire, journal, size, NOW_NS + i)
        if jn.room(journal) < inbound.NEEDED_ROOM:
            journal.writer[0]["offset"] = 0
    return tables.counters[0]["quotes"] - made


@njit
def send_due(fd, record, state, sent_ns, pace_ns, timespec):
    """Send the next update if its time has come; it is late where the one after it is due, too."""
    now_ns = sc.now_ns(timespec)
    due_ns = state[STARTED] + state[SENT] * pace_ns
    if state[SENT] == sent_ns.shape[0] or now_ns < due_ns:
        return now_ns
    if now_ns >= due_ns + pace_ns:
        state[LATE] += 1
    move = MOVE_E6 if state[SENT] & 1 else -MOVE_E6
    record[SEQ_AT] = state[SENT] + 1
    record[BID_AT] += move
    record[ASK_AT] += move
    now_ns = sc.now_ns(timespec)
    sent_ns[state[SENT]] = now_ns
    sc.send(fd, record.ctypes.data, record.shape[0] * 8, sc.MSG_DONTWAIT | sc.MSG_NOSIGNAL)
    state[SENT] += 1
    return now_ns


@njit
def follow(fd, record, journal, state, sent_ns, seen_ns, pace_ns, timespec):
    """Send at the pace, and see quotes come in the journal: DONE, LOOK or LOST."""
    while state[SEEN] < sent_ns.shape[0]:
        now_ns = send_due(fd, record, state, sent_ns, pace_ns, timespec)
        offset = state[OFFSET]
        if jn.frame_state(journal, offset, state[FRAME]) == jn.WHOLE:
            word = offset >> 3
            kind = journal.words[word + jn.KIND]
            if kind == jn.VENUE_QUOTE:
                state[LAST] = journal.words[word + jn.HEADER_SIZE // 8 + SEQ_AT]
            elif kind == jn.QUOTE and state[LAST] > 0:
                seen_ns[state[LAST] - 1] = sc.now_ns(timespec)
                state[SEEN] += 1
            state[FRAME] = journal.words[word + jn.SEQ]
            state[OFFSET] = offset + journal.words[word]
            state[PROGRESS] = now_ns
        elif now_ns - state[PROGRESS] > WAIT_NS:
            return LOST
        elif now_ns - max(state[PROGRESS], state[LOOKED]) > LOOK_NS:
            state[LOOKED] = now_ns
            if journal.buffer.shape[0] - offset < SEGMENT_SIZE // 8:
                return LOOK
    return DONE


@njit
def follow_bare(fd, record, shared, state, sent_ns, seen_ns, pace_ns, timespec):
    """The same with a receiver that only copies: the newest update is in `shared`."""
    while state[SEEN] < sent_ns.shape[0]:
        now_ns = send_due(fd, record, state, sent_ns, pace_ns, timespec)
        newest = shared[SEQ_AT]
        if newest > state[LAST]:
            now_ns = sc.now_ns(timespec)
            for i in range(state[LAST], newest):
                seen_ns[i] = now_ns
            state[SEEN] += newest - state[LAST]
            state[LAST] = newest
            state[PROGRESS] = now_ns
        elif now_ns - state[PROGRESS] > WAIT_NS:
            return LOST
    return DONE


@njit
def copy_newest(fd, epoll_fd, poll, buffer, shared, turns):
    """Poll, receive, copy: what any receiver has to do."""
    for _ in range(turns):
        if sc.epoll_wait(epoll_fd, poll.ctypes.data, 1, 0) > 0:
            size = sc.recv(fd, buffer.ctypes.data, buffer.shape[0] * 8, sc.MSG_DONTWAIT)
            if size > 0:
                for i in range(RECORD_WORDS - 1, -1, -1):
                    shared[i] = buffer[i]


def serve_bare(path: str) -> None:
    """The bare receiver's process: prints its port, copies until it is killed."""
    os.sched_setaffinity(0, {SERVER_CPU % (os.cpu_count() or 1)})
    shared = _shared(Path(path))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind(("127.0.0.1", 0))
        epoll = select.epoll()
        sc.watch(epoll.fileno(), sock.fileno(), 0)
        given = (
            sock.fileno(), epoll.fileno(), np.zeros(8, np.int32), np.zeros(256, np.int64), shared
        )  # fmt: skip
        copy_newest(*given, 1)  # compiles
        print(sock.getsockname()[1], flush=True)
        copy_newest(*given, 2**62)


def _shared(path: Path) -> np.ndarray:
    with path.open("r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 4096), np.int64)


class Run:
    """One stretch of updates at a pace, and when each was seen."""

    def __init__(self, port: int, record: np.ndarray, rate: int, count: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", port))
        self.record, self.pace_ns = record, 10**9 // rate
        self.sent_ns, self.seen_ns = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.state = np.zeros(9, np.int64)
        self.timespec = np.zeros(2, np.int64)

    def begin(self, offset: int, frame: int) -> None:
        """Right before the first update."""
        self.state[OFFSET], self.state[FRAME] = offset, frame
        self.state[STARTED] = self.state[PROGRESS] = time.time_ns() + 1_000_000

    @property
    def rest(self) -> tuple[Any, ...]:
        """What both followers take last."""
        return self.state, self.sent_ns, self.seen_ns, self.pace_ns, self.timespec

    @property
    def nothing(self) -> tuple[Any, ...]:
        """The same of no update: a follower is compiled by it."""
        none = np.zeros(0, np.int64)
        return self.state.copy(), none, none, self.pace_ns, self.timespec

    def result(self) -> dict[str, int]:
        """Percentiles of what was seen; what was lost or sent late is counted."""
        self.sock.close()
        seen = self.seen_ns > 0
        times_ns = (self.seen_ns - self.sent_ns)[seen]
        if not times_ns.size:
            raise OSError("no update was answered")
        found = {name: int(np.percentile(times_ns, at)) for name, at in QUANTILES}
        return found | {
            "max_ns": int(times_ns.max()), "count": int(times_ns.size),
            "lost": int(np.count_nonzero(~seen)), "sent_late": int(self.state[LATE]),
        }  # fmt: skip


def in_process(seconds: float = 2.0) -> dict[str, int]:
    """Updates a second through the engine's feed, one core, journal in memory."""
    path = HotPath()
    records = np.frombuffer(path.record.tobytes() * IN_DATAGRAM, np.int64).copy()
    best, updates, begun = 0.0, 0, time.perf_counter()
    while time.perf_counter() - begun < seconds or updates < 3 * IN_DATAGRAM * 10_000:
        start = time.perf_counter()
        made = feed_in_row(path.tables, path.outbox, path.wire, path.journal, records, 10_000)
        if made != IN_DATAGRAM * 10_000:
            raise OSError(f"{made} quotes of {IN_DATAGRAM * 10_000} updates")
        if updates:  # the first time compiles
            best = max(best, made / (time.perf_counter() - start))
        updates += int(made)
    return {"updates_per_s": round(best), "in_datagram": IN_DATAGRAM}


def run(rate: int, count: int, console: Console) -> dict[str, Any]:
    """Measure. Raises OSError where the engine does not answer."""
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("in process", total=3)
        process = in_process()
        bar.update(task, advance=1, description="bare receiver")
        os.sched_setaffinity(0, {LOAD_CPU})
        try:
            with tempfile.TemporaryDirectory(prefix="si-bench-") as folder:
                record = _record("DE0000000001", "XETR", 50_000_000)
                bare = _bare(Path(folder), record, rate, count)
                bar.update(task, advance=1, description="engine")
                with Venue(Path(folder) / "si", cpu=SERVER_CPU) as venue:
                    engine = _engine(venue, rate, count)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
        bar.update(task, advance=1)
    return {
        "in_process": process,
        "datagram": {"rate_per_s": rate, "engine": engine, "floor": bare},
        "ratio": {name[:-3]: round(engine[name] / bare[name], 4) for name, _ in QUANTILES},
        "environment": environment(),
    }


def _record(isin: str, mic: str, px_e6: int) -> np.ndarray:
    row = np.zeros(1, schema.venue_quote)
    row["isin"], row["mic"] = schema.pack(isin, 2), schema.pack(mic)
    spread_e6 = px_e6 // 500 // MOVE_E6 * MOVE_E6 + MOVE_E6
    row["bid_px_e6"], row["ask_px_e6"] = px_e6 - spread_e6, px_e6 + spread_e6
    row["bid_qty"] = row["ask_qty"] = 1000
    return row.view(np.int64).copy()


def _bare(folder: Path, record: np.ndarray, rate: int, count: int) -> dict[str, int]:
    path = folder / "shared"
    path.write_bytes(bytes(4096))
    code = f"from bench.quotes import serve_bare; serve_bare({str(path)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        made = Run(int(process.stdout.readline()), record, rate, count)
        shared = _shared(path)
        follow_bare(made.sock.fileno(), made.record, shared, *made.nothing)
        made.begin(0, -1)
        follow_bare(made.sock.fileno(), made.record, shared, *made.rest)
    finally:
        process.kill()
        process.wait()
    return made.result()


def _engine(venue: Venue, rate: int, count: int) -> dict[str, int]:
    venue.quote()
    time.sleep(SETTLE_S)
    directory = venue.folder / "journal"
    reader = Reader(directory, kinds=(jn.BOOT,))  # the others are passed over, compiled
    list(reader.poll())
    index, offset = divmod(reader.position, SEGMENT_SIZE)
    made = Run(venue.feed_port, _record(venue.isin, venue.mic, venue.px_e6), rate, count)
    segment = look_at(directory, index)
    follow(made.sock.fileno(), made.record, segment, *made.nothing)
    made.begin(offset, reader.seq)
    while True:
        state = follow(made.sock.fileno(), made.record, segment, *made.rest)
        if state != LOOK:
            return made.result()
        if segment_path(directory, index + 1).exists():
            if jn.frame_state(segment, made.state[OFFSET], made.state[FRAME]) == jn.WHOLE:
                continue
            index += 1
            segment = look_at(directory, index)
            made.state[OFFSET] = 0


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    found = result["datagram"]
    title = f"update sent -> our quote in the journal, us, {found['rate_per_s']:,} updates/s"
    made = Table(title=title, title_justify="left")
    for name in ("", "p50", "p99", "p99.9", "max", "count", "lost", "late"):
        made.add_column(name, justify="right" if name else "left")
    for name, label in (("engine", "engine"), ("floor", "bare receiver")):
        row = found[name]
        times = [f"{row[key] / 1000:.2f}" for key in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
        made.add_row(
            label, *times, f"{row['count']:,}", f"{row['lost']:,}", f"{row['sent_late']:,}"
        )
    made.caption = f"in process {result['in_process']['updates_per_s']:,} updates/s"
    return made
