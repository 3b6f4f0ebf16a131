"""A running engine seen from outside: its process, its folder, its feed."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SI = (sys.executable, "-m", "gateway")
READY_S = 600  # the first start compiles
FEED_S = 30.0  # the loop takes a datagram at once; a busy machine takes its time
UDP_TABLE = Path("/proc/net/udp")

# --- the process ------------------------------------------------------------------------------


def si(*arguments: object, timeout: float = READY_S) -> "subprocess.CompletedProcess[str]":
    """One `si` command, to its end."""
    return subprocess.run(
        [*SI, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def toml(tree: dict[str, Any], path: str = "") -> str:
    """A configuration as TOML text: what `tomllib` reads, written."""
    tables = {key: value for key, value in tree.items() if isinstance(value, dict)}
    lists = {
        key: value
        for key, value in tree.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    lines = []
    for key, value in tree.items():
        if isinstance(value, bool):
            lines.append(f"{key} = {str(value).lower()}")
        elif key not in tables and key not in lists:
            lines.append(f"{key} = {value!r}")
    for key, value in tables.items():
        lines += [f"[{path}{key}]", toml(value, f"{path}{key}.")]
    for key, rows in lists.items():
        for row in rows:
            lines += [f"[[{path}{key}]]", toml(row, f"{path}{key}.")]
    return "\n".join(lines)


def sample(folder: Path, **changes: dict[str, Any] | list[Any]) -> Path:
    """A folder of `si init`; free ports, quotes that stay fresh, and the changes on top."""
    made = si("init", folder)
    assert made.returncode == 0, made.stderr
    path = folder / "si.toml"
    tree = tomllib.loads(path.read_text())
    usual: dict[str, Any] = {
        "fix": {"port": 0},
        "feed": {"port": 0},
        "quoting": {"stale_ms": 86_400_000},
        "engine": {"orders_max": 1 << 18},
    }
    for more in (usual, changes):
        for section, values in more.items():
            if isinstance(values, dict):
                tree[section] = tree.get(section, {}) | values
            else:
                tree[section] = values
    path.write_text(toml(tree))
    return folder


class Engine:
    """`si serve` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.fix_port = self.feed_port = 0
        self.log = folder / "serve.log"
        self.feed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def spawn(self) -> None:
        """Start the process; it is not ready yet."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*SI, "serve", str(self.folder)],
                cwd=ROOT,
                env=os.environ | {"COLUMNS": "400"},
                stdout=log,
                stderr=log,
            )

    def await_ready(self) -> None:
        """Until it says which ports it listens on."""
        assert self.process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            said = self.log.read_text(errors="replace")
            ports = re.search(r"FIX [\d.]+:(\d+), feed UDP [\d.]+:(\d+)", said)
            if ports and "ready" in said:
                self.fix_port, self.feed_port = int(ports[1]), int(ports[2])
                return
            assert self.process.poll() is None, f"the engine ended:\n{said[-3000:]}"
            time.sleep(0.01)
        raise AssertionError(f"the engine is not ready:\n{self.log.read_text()[-3000:]}")

    def start(self) -> None:
        self.spawn()
        self.await_ready()

    def kill(self) -> None:
        """SIGKILL: no last words."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.feed.close()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def verify(self) -> str:
        """`si replay --verify` of the journal; what it says."""
        done = si("replay", self.folder, "--verify")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def quote(
        self,
        isin: str,
        bid: str | Decimal,
        ask: str | Decimal,
        *,
        mic: str = "XETR",
        sizes: tuple[int, int] = (10_000, 10_000),
        phase: int = 0,
    ) -> None:
        """One venue's quote, as a datagram; an order sent afterwards comes after it."""
        self.feed_records(venue_quote(isin, bid, ask, mic=mic, sizes=sizes, phase=phase))
        self.await_feed()

    def await_feed(self) -> None:
        """Until the engine took all that is queued at its feed; it applies before it reads on."""
        deadline = time.monotonic() + FEED_S
        while self._queued():
            assert time.monotonic() < deadline, f"the feed is not read:\n{self.said()[-3000:]}"
            time.sleep(0.0005)

    def _queued(self) -> int:
        """Bytes in the receive queue of the feed's socket."""
        for line in UDP_TABLE.read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].partition(":")[2], 16) == self.feed_port:
                return int(fields[4].partition(":")[2], 16)
        raise AssertionError(f"nobody listens on UDP {self.feed_port}")

    def desk_send(self, command: bytes) -> None:
        """A desk command as it comes through the socket; nobody waits for the answer."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as desk:
            desk.sendto(command, str(self.folder / "desk.sock"))

    def feed_records(self, data: bytes) -> None:
        self.feed.sendto(data, ("127.0.0.1", self.feed_port))


def venue_quote(
    isin: str,
    bid: str | Decimal,
    ask: str | Decimal,
    *,
    mic: str = "XETR",
    sizes: tuple[int, int] = (10_000, 10_000),
    phase: int = 0,
) -> bytes:
    """One record of the feed, written from its description and not from the schema."""
    bid_e6, ask_e6 = (int(Decimal(px).scaleb(6)) for px in (bid, ask))
    return struct.pack("<16s8s6q", isin.encode(), mic.encode(), 1, phase, bid_e6, ask_e6, *sizes)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """An engine that is stopped in the end, and whose journal then replays."""
    engine = Engine(folder)
    try:
        engine.start()
        yield engine
        if engine.process is not None and engine.process.poll() is None:
            assert engine.stop() == 0, engine.said()[-3000:]
    finally:
        engine.end()


class KeepFresh:
    """Sends the same quotes again and again from a thread, while the block lasts."""

    def __init__(self, engine: Engine, *quotes: bytes, every_s: float = 0.5) -> None:
        self._engine, self._quotes, self._every_s = engine, quotes, every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            for quote in self._quotes:
                self._engine.feed_records(quote)
            self._done.wait(self._every_s)
