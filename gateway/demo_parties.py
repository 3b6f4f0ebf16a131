"""The processes around the demo's engine: market, clients and desk, one each.

They are spawned with the terminal's signals ignored, so that Ctrl-C reaches only the demo, which
then stops them in order.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway import demo_clients, demo_desk, demo_market
from gateway.demo_clients import ClientReport
from gateway.demo_desk import DeskReport

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_WAIT_S = 40.0  # longer than all that the clients wait for


@contextmanager
def ignored_signals() -> Iterator[None]:
    """Processes started meanwhile ignore SIGNALS for good."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class Parties:
    """Their processes, what stops them, and what they report."""

    def __init__(self, directory: Path, seed: int, instruments: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        # kept here, or they would be gone before a process has begun
        self._memory = memory = spawn.RawArray("q", 2 * instruments)
        self._all_quoted = all_quoted = spawn.Event()
        self._stops = {name: spawn.Event() for name in ("market", "clients", "desk")}
        self._from_clients, to_clients = spawn.Pipe(duplex=False)
        self._from_desk, to_desk = spawn.Pipe(duplex=False)
        self._ours = (to_clients, to_desk)
        given: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "market": (demo_market.serve, (memory, all_quoted)),
            "clients": (demo_clients.serve, (memory, all_quoted, to_clients)),
            "desk": (demo_desk.serve, (to_desk,)),
        }
        self._processes: dict[str, Any] = {
            name: spawn.Process(  # type: ignore[attr-defined]
                target=serve, name=f"demo {name}", args=(directory, seed, *args, self._stops[name])
            )
            for name, (serve, args) in given.items()
        }

    def start(self) -> None:
        """Begin; orders come once every instrument was quoted."""
        with ignored_signals():
            for process in self._processes.values():
                process.start()
        for end in self._ours:
            end.close()

    def reports(self) -> Iterator[list[ClientReport]]:
        """What the clients have sent since."""
        try:
            while self._from_clients.poll():
                yield self._from_clients.recv()
        except EOFError:
            return

    def desk_report(self) -> DeskReport:
        """What the desk said at its end."""
        try:
            report: DeskReport = self._from_desk.recv()
        except EOFError:
            report = DeskReport({}, {}, ["desk: ended without a report"])
        return report

    def lives(self, name: str) -> bool:
        """Whether the process runs."""
        return bool(self._processes[name].is_alive())

    def ask_to_stop(self, name: str) -> None:
        """It ends when it has done what it owes."""
        self._stops[name].set()

    def ended(self, name: str) -> list[str]:
        """What was wrong with how it ended; it must have been awaited."""
        code = self._processes[name].exitcode
        return [f"the {name} process ended with {code}"] if code else []

    def end(self) -> None:
        """Make sure that all are gone."""
        for process in self._processes.values():
            if process.is_alive():
                process.kill()
                process.join()
