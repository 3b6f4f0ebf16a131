"""The publishing process: one event loop that publishes, and serves whoever reads over HTTP."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from gateway.publish.http import Site, application
from gateway.publish.publisher import SECOND_NS

IDLE_S = 0.002  # how long the journal may go without a look
STOP_WAIT_S = 2
CONNECTIONS_MAX = 2_048

Show = Callable[[Site], None]


class _Server(uvicorn.Server):
    """Leaves the signals to `serve`, which has more to end than connections."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """The port, open. Raises OSError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def engine_runs(desk_socket: Path) -> bool:
    """Whether an engine takes commands at its socket; nothing is sent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(str(desk_socket))
        except OSError:
            return False
    return True


def serve(site: Site, listener: socket.socket, show: Show) -> None:
    """Publish until SIGINT or SIGTERM; `show` is called every second.

    Raises JournalDamaged, WrongSchema and JournalChanged.
    """
    asyncio.run(_serve(site, listener, show))


async def _serve(site: Site, listener: socket.socket, show: Show) -> None:
    server = _Server(
        uvicorn.Config(
            application(site), log_config=None, log_level="error", lifespan="off",
            limit_concurrency=CONNECTIONS_MAX, timeout_graceful_shutdown=STOP_WAIT_S,
            access_log=False, server_header=False,
        )
    )  # fmt: skip
    loop = asyncio.get_running_loop()

    def stop() -> None:
        site.stopping = server.should_exit = True
        site.wake()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _publish(site, show)
    finally:
        stop()
        await serving


async def _publish(site: Site, show: Show) -> None:
    publisher, look_ns, series = site.publisher, 0, ""
    while not site.stopping:
        changes = site.board.changes
        more = publisher.step()
        now_ns = publisher.now_ns()
        if now_ns >= look_ns or site.board.series != series:
            look_ns, series = now_ns + SECOND_NS, site.board.series
            site.look()
            show(site)
        if site.board.changes != changes:
            site.wake()
        await asyncio.sleep(0 if more else IDLE_S)
