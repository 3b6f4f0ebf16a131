"""The socket of a market-data session: connects, reads, writes, connects again, until Ctrl-C.

What is said on it is `feed_fix_session.py`; what leaves for the engine goes through `feed_live.py`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

from gateway.feed_fix_session import MarketData
from gateway.feed_lines import NS, Bad, FeedError, Quote
from gateway.feed_live import Live, going_live
from gateway.waiting import is_readable

CONNECT_WAIT_S = 10.0
SEND_WAIT_S = 10.0  # a venue that takes nothing for so long is gone
POLL_S = 0.05
RETRY_NS = NS  # after a connection has ended, doubling
RETRY_NS_MAX = 30 * NS
LASTED_NS = 60 * NS  # a connection that stood so long begins the doubling anew
RECV_SIZE = 1 << 16


class FixFeed:
    """One session's connection, stepped by its owner."""

    def __init__(
        self, session: MarketData, live: Live, *, refresh_ns: int = 0,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        self.session = session
        self.live = live
        self.socket: socket.socket | None = None
        self._now_ns = now_ns
        self._refresh_ns = refresh_ns
        self._refreshed_ns = now_ns()
        self._retry_ns = 0  # when to connect
        self._wait_ns = RETRY_NS
        self._began_ns = 0

    def step(self, wait_s: float = POLL_S) -> None:
        """One turn: what has come, what time brings, what is to leave."""
        now_ns = self._now_ns()
        if self.socket is None:
            if now_ns >= self._retry_ns:
                self._connect(now_ns)
            elif wait_s:
                time.sleep(wait_s)
        else:
            self._read(self.socket, wait_s)
            now_ns = self._now_ns()
            self.session.tick(now_ns)
        if self.socket is not None:
            self._write(self.socket)
            if self.session.closing:
                self._end()
        self._pass_on(now_ns)

    def stop(self) -> None:
        """Log out, and tell the engine that there is no quote any more."""
        self.session.stop(self._now_ns())
        if self.socket is not None:
            self._write(self.socket)
        self._end()
        self._pass_on(self._now_ns())

    # --- the socket -------------------------------------------------------------------------------

    def _connect(self, now_ns: int) -> None:
        account = self.session.account
        try:
            self.socket = socket.create_connection((account.host, account.port), CONNECT_WAIT_S)
        except (OSError, OverflowError) as error:
            self._later(now_ns)
            wait_s = (self._retry_ns - now_ns) / NS
            text = f"{account.host}:{account.port}: {error}; again in {wait_s:g} s"
            self.session.faults.append(FeedError(text, Bad.SESSION))
            return
        self.socket.settimeout(SEND_WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._began_ns = now_ns
        self.session.connected(now_ns)

    def _read(self, sock: socket.socket, wait_s: float) -> None:
        if not is_readable(sock, wait_s):
            return
        try:
            data = sock.recv(RECV_SIZE)
        except OSError:
            data = b""
        if data:
            self.session.receive(data, self._now_ns())
        else:
            text = f"{self.session.account.target}: the venue closed the connection"
            self.session.faults.append(FeedError(text, Bad.SESSION))
            self._end()

    def _write(self, sock: socket.socket) -> None:
        if not self.session.output:
            return
        try:
            sock.sendall(self.session.output)
            self.session.output.clear()
        except OSError as error:
            text = f"{self.session.account.target}: nothing can be sent: {error}"
            self.session.faults.append(FeedError(text, Bad.SESSION))
            self._end()

    def _end(self) -> None:
        if self.socket is None:
            return
        self.socket.close()
        self.socket = None
        now_ns = self._now_ns()
        self.session.lost(now_ns)
        if now_ns - self._began_ns > LASTED_NS:
            self._wait_ns = RETRY_NS
        self._later(now_ns)

    def _later(self, now_ns: int) -> None:
        self._retry_ns = now_ns + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, RETRY_NS_MAX)

    # --- to the engine ----------------------------------------------------------------------------

    def _pass_on(self, now_ns: int) -> None:
        self.live.sender.play(self._leaving(now_ns), 0, 0)

    def _leaving(self, now_ns: int) -> Iterator[Quote]:
        session = self.session
        for fault in session.faults:
            yield from self.live.refused(fault)
        session.faults.clear()
        for quote in session.quotes:
            yield from self.live.passed(quote)
            wanted = session.wanted[quote.isin]
            self.live.depth = (quote.mic, quote.isin), wanted.book
        session.quotes.clear()
        if self._refresh_ns and now_ns - self._refreshed_ns >= self._refresh_ns:
            self._refreshed_ns = now_ns
            for wanted in session.wanted.values():
                if wanted.is_whole:
                    yield from self.live.again((session.mic, wanted.isin))
        self.live.noted["connections"] = session.connections
        self.live.noted["books"] = sum(each.is_whole for each in session.wanted.values())


def run(
    session: MarketData, host: str, port: int, *, refresh_s: float, depth: int, is_json: bool
) -> Live:
    """Until Ctrl-C; answers the counters. Raises FeedError where it cannot begin."""
    with going_live(host, port, depth=depth, is_json=is_json) as live:
        feed = FixFeed(session, live, refresh_ns=int(refresh_s * NS))
        try:
            while True:
                feed.step()
                live.sender.bar.show()
        except KeyboardInterrupt:
            feed.stop()
            return live
