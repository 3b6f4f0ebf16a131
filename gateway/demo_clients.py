"""All FIX clients of the demo in one process and one loop, and what they report to the screen.

A client may act only when it is logged on, or not connected at all: then its habit decides.
"""

from __future__ import annotations

import select
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from gateway import config as configuration
from gateway import demo_world
from gateway.demo_fix import Link
from gateway.demo_habits import HABITS, Client
from gateway.demo_market import touch_of

REPORT_S = 0.25
QUOTED_WAIT_S = 20.0
LOGON_WAIT_S = 5.0
DRAIN_WAIT_S = 8.0
RECV_SIZE = 1 << 16


class ClientReport(NamedTuple):
    """What became of one client's messages so far; `latencies_ns` since the last report."""

    name: str
    habit: str
    online: bool
    orders: int
    answers: int
    fills: int
    filled_qty: int
    unanswered: int
    logons: int
    recovered: int
    withdrawn: int
    latencies_ns: list[int]
    problems: list[str]


def serve(
    directory: Path, seed: int, memory: Any, all_quoted: Any, reports: Connection, stop: Any
) -> None:
    """Act until `stop`, then await what is owed, log out, and report a last time."""
    config = configuration.load(directory)
    world, touch_e6 = demo_world.read(config), touch_of(memory)
    clients = [habit(config.fix.port, world, touch_e6, seed) for habit in HABITS]
    loop = Loop(clients, reports)
    all_quoted.wait(QUOTED_WAIT_S)
    try:
        loop.log_on()
        loop.act_until(stop)
        loop.drain()
    except OSError as error:
        clients[0].problems.append(f"connection to the engine: {error}")
    loop.report(last=True)


class Loop:
    """Watches the sockets; one client acts at a time."""

    def __init__(self, clients: list[Client], reports: Connection) -> None:
        self.clients = clients
        self.reports = reports
        self.reported_s = 0.0

    def log_on(self) -> None:
        """Connect everyone."""
        for client in self.clients:
            client.connect()
        self._turn_until(lambda client: client.link is Link.ON, LOGON_WAIT_S, "no answer to Logon")

    def act_until(self, stop: Any) -> None:
        """Everyone by their habit."""
        due_s = {client: time.monotonic() + client.pause_s() for client in self.clients}
        while not stop.is_set():
            client = min(due_s, key=lambda each: due_s[each])
            now_s = time.monotonic()
            if due_s[client] > now_s:
                self.turn(due_s[client] - now_s)
                continue
            if client.link in (Link.ON, Link.OFF) and not client.problems:
                client.act()
            due_s[client] = max(due_s[client], now_s - 0.1) + client.pause_s()
            self.turn(0)

    def turn(self, wait_s: float) -> None:
        """Receive what is there, or comes within the time; report when it is due."""
        by_socket = {client.socket: client for client in self.clients if client.socket is not None}
        ready, _, _ = select.select(list(by_socket), [], [], min(wait_s, REPORT_S))
        received_ns = time.perf_counter_ns()
        for sock in ready:
            self._receive(by_socket[sock], received_ns)
        if time.monotonic() - self.reported_s >= REPORT_S:
            self.report()
            for client in self.clients:
                client.keep_alive()

    def _receive(self, client: Client, received_ns: int) -> None:
        assert client.socket is not None
        try:
            data = client.socket.recv(RECV_SIZE)
        except ConnectionError:
            data = b""
        client.receive(data, received_ns)

    def drain(self) -> None:
        """Await every answer and fill every gap, then log out."""
        for client in self.clients:
            if client.socket is None and not client.problems:
                client.connect()
        self._turn_until(lambda client: client.link is Link.ON, LOGON_WAIT_S, "no answer to Logon")
        for client in self.clients:
            if client.link is Link.ON:
                client.ask_for_all()
        self._turn_until(
            lambda client: client.caught_up and not client.has_gap,
            DRAIN_WAIT_S,
            "a sequence gap was not filled, or TestRequest(1) not answered",
        )
        for client in self.clients:
            if client.link is Link.ON:
                client.log_out()
        self._turn_until(lambda client: client.socket is None, LOGON_WAIT_S, "no answer to Logout")

    def _turn_until(self, done: Any, wait_s: float, problem: str) -> None:
        """Receive until it is so for everyone; whoever has a problem already is not awaited."""
        deadline_s = time.monotonic() + wait_s
        while waiting := [c for c in self.clients if not c.problems and not done(c)]:
            if time.monotonic() > deadline_s:
                for client in waiting:
                    client.problems.append(problem)
                return
            self.turn(0.05)

    def report(self, last: bool = False) -> None:
        """Send the screen one ClientReport each."""
        self.reported_s = time.monotonic()
        for client in self.clients:
            if last and client.awaited:
                first = next(iter(client.awaited))
                client.problems.append(f"no answer to {len(client.awaited)}, first to {first}")
        self.reports.send([_report(client) for client in self.clients])


def _report(client: Client) -> ClientReport:
    latencies_ns, client.latencies_ns = client.latencies_ns, []
    return ClientReport(
        name=client.name,
        habit=client.habit,
        online=client.link is Link.ON,
        orders=client.orders,
        answers=client.answers,
        fills=client.fills,
        filled_qty=client.filled_qty,
        unanswered=len(client.awaited),
        logons=client.logons,
        recovered=client.recovered,
        withdrawn=client.withdrawn,
        latencies_ns=latencies_ns,
        problems=client.problems,
    )
