"""`si bench sessions`: many sessions at a steady rate, alone, then beside one that misbehaves.

One engine process and one load process, each on a core of its own. The load is open: every order
has the time at which it should leave, whatever became of the ones before, and its round trip is
counted from that time, so that a stall is seen by all orders that it delayed. Counts are kept in
buckets of under 1 %. What misbehaves is plain Python in a process of its own (bench/misbehave.py).
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from select import epoll
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.misbehave import HABITS
from bench.venue import Venue
from bench.wire import (
    CLORDID_DIGITS,
    LOAD_CPU,
    SEQ_DIGITS,
    SERVER_CPU,
    environment,
    order_message,
    put_checksum,
    put_digits,
)
from engine.handle import Handle
from engine.jit import inlined, njit
from gateway import syscalls as sc
from gateway.config import CONFIG_FILE
from gateway.errors import UserError
from gateway.fix_message import Header, write
from gateway.wire import SESSIONS_MAX

GOAL = 1.5  # p99 beside a misbehaving session, as a multiple of p99 without
RATE_MAX_PER_S = 1_000_000  # of all sessions: an order must be due after the one before
IN_FLIGHT = 1 << 12  # orders of one session not yet answered
BURST = 64  # orders sent before answers are looked for
SECOND_NS = 1_000_000_000
WAIT_NS = 5_000_000_000  # for the last answers
SUB_BUCKETS = 128  # of each power of two
BUCKETS = 58 * SUB_BUCKETS
WARM_SECONDS = 1
TIMER_SLACK = Path("/proc/self/timerslack_ns")
SPARE_ORDERS = 200_000  # for what misbehaves
ROW = 3  # int64 of `state` per session: orders sent, answered, letters of a trailer seen
QUANTILES = (("p50_ns", 500), ("p99_ns", 990), ("p999_ns", 999))  # of a thousand


class Load(Handle):
    """The memory of the compiled load; all arrays are per session unless said."""

    fds: Any  # int64[n]
    messages: Any  # uint8[n, size]: an order each
    marks: Any  # int64[4]: see bench.wire
    state: Any  # int64[n, ROW]
    due_ns: Any  # int64[n, IN_FLIGHT]: when an order should have left
    reply: Any  # uint8[1 << 16], of all
    events: Any  # int32[3 * n], of all
    trips: Any  # int64[BUCKETS], of all: round trips
    lags: Any  # int64[BUCKETS], of all: how late the load itself was
    timespec: Any  # int64[2]
    poll: Any  # int64[1]: a struct pollfd
    wait: Any  # int64[2]: a struct timespec


@njit
def drive(epoll_fd, load, count, gap_ns, first):
    """Send `count` orders, one each `gap_ns`, the sessions in turn; answers how many came back.

    `first`: ClOrdID(11) of the first. Stops WAIT_NS after the last should have left.
    """
    sessions = load.fds.shape[0]
    start_ns = sc.now_ns(load.timespec) + gap_ns
    end_ns = start_ns + count * gap_ns + WAIT_NS
    sent, answered = 0, 0
    while answered < count:
        now_ns = sc.now_ns(load.timespec)
        if now_ns > end_ns:
            break
        for _ in range(BURST):
            due_ns = start_ns + sent * gap_ns
            if sent >= count or due_ns > now_ns:
                break
            session = sent % sessions
            if load.state[session, 0] - load.state[session, 1] >= IN_FLIGHT:
                break
            _send(load, session, first + sent, due_ns)
            load.lags[bucket_of(sc.now_ns(load.timespec) - due_ns)] += 1
            sent += 1
        if sent == count or start_ns + sent * gap_ns > sc.now_ns(load.timespec):
            _sleep(load, epoll_fd, start_ns + sent * gap_ns if sent < count else end_ns)
        ready = sc.epoll_wait(epoll_fd, load.events.ctypes.data, sessions, 0)
        for i in range(ready):
            got = _take(load, np.int64(load.events[3 * i + 1]))
            if got < 0:
                return answered
            answered += got
    return answered


@inlined
def _sleep(load, epoll_fd, until_ns):
    """Until the next order is due or something has come: others on this core have their time then.

    Who polls without sleeping is interrupted for whole time slices, which would be measured.
    """
    load.poll[0] = epoll_fd | sc.EPOLLIN << 32
    load.wait[1] = max(until_ns - sc.now_ns(load.timespec), 0)
    load.wait[0] = load.wait[1] // SECOND_NS
    load.wait[1] %= SECOND_NS
    sc.ppoll(load.poll.ctypes.data, 1, load.wait.ctypes.data, 0)


@inlined
def _send(load, session, clordid, due_ns):
    """One order of a session, and the time it was due."""
    message = load.messages[session]
    number = load.state[session, 0]
    put_digits(message, load.marks[0], CLORDID_DIGITS, clordid)
    put_digits(message, load.marks[1], SEQ_DIGITS, number + 2)  # 1 was the Logon
    message[load.marks[2]] = 49 + (number & 1)
    put_checksum(message, load.marks[3])
    load.due_ns[session, number & (IN_FLIGHT - 1)] = due_ns
    load.state[session, 0] = number + 1
    sc.send(load.fds[session], message.ctypes.data, message.shape[0], sc.MSG_NOSIGNAL)


@inlined
def _take(load, session):
    """Count the answers a session has: by their trailers, `|10=`. -1: disconnected."""
    received = sc.recv(
        load.fds[session], load.reply.ctypes.data, load.reply.shape[0], sc.MSG_DONTWAIT
    )
    if received == 0:
        return -1
    now_ns = sc.now_ns(load.timespec)
    seen = load.state[session, 2]
    found = 0
    for i in range(received):
        byte = load.reply[i]
        if byte == 1:
            seen = 1
        elif (seen == 1 and byte == 49) or (seen == 2 and byte == 48):
            seen += 1
        elif seen == 3 and byte == 61:
            answered = load.state[session, 1]
            due_ns = load.due_ns[session, answered & (IN_FLIGHT - 1)]
            load.trips[bucket_of(now_ns - due_ns)] += 1
            load.state[session, 1] = answered + 1
            found += 1
            seen = 0
        else:
            seen = 0
    load.state[session, 2] = seen
    return found


@njit
def bucket_of(value_ns):
    """Bucket of a time: exact below SUB_BUCKETS, then SUB_BUCKETS to each power of two."""
    value = max(value_ns, 0)
    shift = 0
    while value >= 2 * SUB_BUCKETS:
        value >>= 1
        shift += 1
    return min(shift * SUB_BUCKETS + value, BUCKETS - 1)


def top_ns(bucket: int) -> int:
    """The largest time in a bucket."""
    shift = max(bucket // SUB_BUCKETS - 1, 0)
    return ((bucket - shift * SUB_BUCKETS + 1) << shift) - 1


def quantile_ns(counts: np.ndarray, per_mille: int) -> int:
    """Time that so many thousandths of all do not exceed; 0 where there are none."""
    total = int(counts.sum())
    if not total:
        return 0
    wanted = -(-total * per_mille // 1000)
    return top_ns(int(np.searchsorted(np.cumsum(counts), wanted)))


class CrowdedVenue(Venue):
    """An engine with as many sessions as asked for; CLIENT1 is the one that misbehaves."""

    def __init__(self, folder: Path, sessions: int, orders: int, *, cpu: int) -> None:
        super().__init__(folder, cpu=cpu)
        path = folder / CONFIG_FILE
        text = re.sub(r"^orders_max = .*", f"orders_max = {orders}", path.read_text(), flags=re.M)
        rows = "".join(
            f'[[fix.sessions]]\nsender_comp_id = "SI"\ntarget_comp_id = "{name}"\n'
            'client = "client1"\nmax_latency = 3600\n\n'  # the orders are written once
            for name in names(sessions)
        )
        path.write_text(text.replace("[[clients]]", rows + "[[clients]]", 1))


def names(sessions: int) -> list[str]:
    """CompIDs of those that behave."""
    return [f"LOAD{number:03}" for number in range(sessions)]


def _log_on(venue: Venue, name: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", venue.fix_port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fields: list[tuple[int, object]] = [(98, 0), (108, 0), (141, "Y")]
    sock.sendall(write("A", Header("FIX.4.4", name, venue.ours), 1, time.time_ns(), fields))
    answer = sock.recv(4096)
    if b"\x0135=A\x01" not in answer:
        raise OSError(f"no Logon for {name}: {answer!r}")
    return sock


def _new_load(venue: Venue, socks: list[socket.socket]) -> Load:
    count = len(socks)
    made = [order_message(venue.isin, name, venue.ours) for name in names(count)]
    return Load(
        fds=np.array([sock.fileno() for sock in socks], np.int64),
        messages=np.array([message for message, _ in made], np.uint8),
        marks=made[0][1],
        state=np.zeros((count, ROW), np.int64),
        due_ns=np.zeros((count, IN_FLIGHT), np.int64),
        reply=np.zeros(1 << 16, np.uint8),
        events=np.zeros(3 * count, np.int32),
        trips=np.zeros(BUCKETS, np.int64),
        lags=np.zeros(BUCKETS, np.int64),
        timespec=np.zeros(2, np.int64),
        poll=np.zeros(1, np.int64),
        wait=np.zeros(2, np.int64),
    )


def check(sessions: int, rate: int, habits: list[str]) -> None:
    """Raise UserError for what cannot be measured."""
    if not 1 <= sessions < SESSIONS_MAX - 1:
        raise UserError(f"--sessions {sessions}: 1 to {SESSIONS_MAX - 2}, one more misbehaves")
    if rate * sessions > RATE_MAX_PER_S:
        raise UserError(f"--rate {rate}: with {sessions} sessions at most "
                        f"{RATE_MAX_PER_S // sessions} orders a second each")  # fmt: skip
    unknown = [habit for habit in habits if habit not in HABITS]
    if unknown:
        raise UserError(f"--misbehave {unknown[0]}: none of {', '.join(HABITS)}")


def run(
    sessions: int, rate: int, seconds: int, habits: list[str], console: Console
) -> dict[str, Any]:
    """Measure a quiet run and one for each habit. Raises UserError, OSError."""
    habits = habits or list(HABITS)
    check(sessions, rate, habits)
    count, gap_ns = sessions * rate * seconds, 1_000_000_000 // (sessions * rate)
    orders = (len(habits) + 1) * count + sessions * rate * WARM_SECONDS + SPARE_ORDERS
    with (
        tempfile.TemporaryDirectory(prefix="si-bench-") as folder,
        CrowdedVenue(Path(folder) / "si", sessions, orders, cpu=SERVER_CPU) as venue,
        epoll() as poll,
    ):
        venue.quote()
        socks = [_log_on(venue, name) for name in names(sessions)]
        for number, sock in enumerate(socks):
            sc.watch(poll.fileno(), sock.fileno(), number)
        load = _new_load(venue, socks)
        os.sched_setaffinity(0, {LOAD_CPU})
        TIMER_SLACK.write_text("1")  # sleeps end when they should, not 50 us later
        first = 1
        try:
            _measure(poll, load, sessions * rate * WARM_SECONDS, gap_ns, first)
            first += sessions * rate * WARM_SECONDS
            console.print(f"{sessions} sessions, {rate} orders/s each, alone")
            quiet = _measure(poll, load, count, gap_ns, first)
            beside = {}
            for habit in habits:
                first += count
                console.print(f"beside one that misbehaves: {habit}")
                with _Misbehaving(venue, habit, seconds):
                    beside[habit] = _measure(poll, load, count, gap_ns, first)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return _result(quiet, beside, sessions, rate, seconds)


def _measure(poll: Any, load: Load, count: int, gap_ns: int, first: int) -> dict[str, int]:
    load.trips[:] = 0
    load.lags[:] = 0
    done = int(drive(poll.fileno(), load, count, gap_ns, first))
    if done != count:
        raise OSError(f"answered {done} of {count} orders, then nothing, or a disconnection")
    found = {name: quantile_ns(load.trips, at) for name, at in QUANTILES}
    last = int(np.flatnonzero(load.trips)[-1])
    late = {"load_late_p99_ns": quantile_ns(load.lags, 990)}
    return found | {"max_ns": top_ns(last), "count": done} | late


class _Misbehaving:
    """Context manager: the process with the bad habit."""

    def __init__(self, venue: Venue, habit: str, seconds: int) -> None:
        # With two cores it is a guest of the load's, in what that leaves over.
        cpu = 2 if (os.cpu_count() or 1) > 2 else LOAD_CPU
        self.command = [
            sys.executable, "-m", "bench.misbehave", str(venue.fix_port), venue.theirs, venue.ours,
            venue.isin, habit, str(seconds), str(cpu),
        ]  # fmt: skip

    def __enter__(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise OSError(f"could not begin to misbehave: {' '.join(self.command)}")

    def __exit__(self, *_: object) -> None:
        failed = self.process.poll()  # None: still at it, 0: its time was over
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if failed:
            raise OSError(f"stopped misbehaving with code {failed}: {' '.join(self.command)}")


def _result(
    quiet: dict[str, int], beside: dict[str, dict[str, int]], sessions: int, rate: int, seconds: int
) -> dict[str, Any]:
    ratio = {
        habit: {name[:-3]: round(row[name] / quiet[name], 3) for name, _ in QUANTILES}
        for habit, row in beside.items()
    }
    return {
        "sessions": sessions,
        "rate_per_s": rate,
        "seconds": seconds,
        "quiet": quiet,
        "beside": beside,
        "ratio": ratio,
        "goal_p99": GOAL,
        "holds": all(row["p99"] <= GOAL for row in ratio.values()),
        "environment": {name: value for name, value in environment().items() if name != "echo"},
    }


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    made = Table(
        title=f"{result['sessions']} sessions, {result['rate_per_s']} orders/s each: "
        "order -> fill from the time it was due, microseconds",
        title_justify="left",
    )
    for name in ("", "p50", "p99", "p99.9", "max", "p99 / alone", "load late p99"):
        made.add_column(name, justify="right" if name else "left")
    keys = ("p50_ns", "p99_ns", "p999_ns", "max_ns")
    for name, row in [("alone", result["quiet"]), *result["beside"].items()]:
        ratio = f"{result['ratio'][name]['p99']:.2f}" if name in result["ratio"] else ""
        made.add_row(
            name, *(f"{row[key] / 1000:.1f}" for key in keys), ratio,
            f"{row['load_late_p99_ns'] / 1000:.1f}",
        )  # fmt: skip
    made.caption = f"goal: p99 at most {result['goal_p99']} times that alone"
    if (os.cpu_count() or 1) < 3:
        made.caption += "; two cores: what misbehaves has what the load leaves of its core"
    return made
