"""Files of market data, played as UDP datagrams into a running engine's feed (FEED.md).

Rule: a file is read to its end before anything is sent, so that nothing of a bad one is. Then it is
read again and sent at its own pace, or as fast as a small socket buffer takes.
"""

import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engine import schema
from engine.enums import COUNTED
from gateway.feed_formats import FORMATS
from gateway.feed_lines import NS, FeedError, Quote
from gateway.feed_source import Source

__all__ = ["FORMATS", "FeedError", "Quote", "encode", "play", "quotes"]

#: schema.venue_quote on the wire: ISIN, MIC, seq, phase, bid and ask price, bid and ask quantity.
RECORD = struct.Struct("<16s8s6q")
RECORDS_MAX = 20  # of one datagram: 1440 bytes, below an Ethernet frame
DATAGRAM_NS = 400_000  # 2,500 datagrams or 50,000 quotes a second at most
BURST_NS = 4_000_000  # what a late sender may catch up: ten datagrams
ROUND_NS = NS  # of recorded time, from the end of a file to its beginning
WAIT_STEP_NS = NS // 4
BAR_AFTER_NS = 2 * NS
CHECK_STEP = 4096  # lines between two looks at the clock
SPEED_MIN, SPEED_MAX = 1e-6, 1e6

assert RECORD.size == schema.venue_quote.itemsize

say = Console(stderr=True, highlight=False)


class Counts:
    """Numbers the records of each venue from 1 on, without a gap."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()

    def next(self, mic: str) -> int:
        """The number of the next record of a venue."""
        self._last[mic] += 1
        return self._last[mic]


def quotes(
    file: Path, kind: str, *, isin: str = "", mic: str = "", map_path: Path | None = None
) -> Iterator[Quote]:
    """The quotes of a file, in its order, counted for each venue from 1 on."""
    return _read(kind, Source(file, isin, mic, map_path), Counts())


def play(
    file: Path,
    kind: str,
    *,
    isin: str,
    mic: str,
    speed: float,
    host: str,
    port: int,
    loop: bool = False,
    map_path: Path | None = None,
) -> int:
    """Send a file's quotes at `speed` x the recorded pace, 0 at once; answers how many were sent.

    With `loop` it begins again at the end, until Ctrl-C. Raises FeedError.
    """
    check_speed(speed)
    counts = Counts()
    with Bar() as bar, closing(connect(host, port)) as sock:
        file_count = _check(kind, Source(file, isin, mic, map_path), bar)
        sender = Sender(sock, f"{host}:{port}", bar)
        start_ns = time.monotonic_ns()
        try:
            while file_count:
                bar.begin("playing", file_count)
                source = Source(file, isin, mic, map_path)
                end_ns = sender.play(_read(kind, source, counts), speed, start_ns)
                if not loop:
                    break
                start_ns = max(end_ns, time.monotonic_ns())
                if speed:
                    start_ns += int(ROUND_NS / speed)
        except KeyboardInterrupt:
            if not loop:
                raise
        sender.confirm()
        return sender.sent


def check_speed(speed: float) -> None:
    """Raises FeedError for one that cannot be played at."""
    if not (speed == 0 or SPEED_MIN <= speed <= SPEED_MAX):  # NaN is neither
        raise FeedError(f"--speed {speed}: write 0 (at once) or {SPEED_MIN:f} to {SPEED_MAX:.0f}")


def encode(quote: Quote, *, counted: bool = False) -> bytes:
    """A record of schema.venue_quote, little-endian."""
    isin, mic = quote.isin.encode("ascii"), quote.mic.encode("ascii")
    phase = quote.phase | (COUNTED if counted else 0)
    return RECORD.pack(isin, mic, quote.seq, phase, *quote[5:])


def _read(kind: str, source: Source, counts: Counts) -> Iterator[Quote]:
    if kind not in FORMATS:
        raise FeedError(f"--format {kind!r} is unknown; the formats are {', '.join(FORMATS)}")
    for quote in FORMATS[kind](source):
        yield quote._replace(seq=counts.next(quote.mic))


def _check(kind: str, source: Source, bar: "Bar") -> int:
    """Read the whole file; answers how many quotes it has."""
    number = 0
    bar.begin("checking", None)
    for number, _ in enumerate(_read(kind, source, Counts()), 1):
        if number % CHECK_STEP == 0:
            bar.show(CHECK_STEP)
    for note in source.notes():
        say.print(note, markup=False)
    if number == 0 and source.isin:
        raise FeedError(f"{source.path}: there is no quote of {source.isin}")
    return number


def connect(host: str, port: int) -> socket.socket:
    """A UDP socket towards an engine's feed. Raises FeedError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[
            0
        ]
    except (OSError, OverflowError) as error:
        raise FeedError(f"--host {host} --port {port}: {error}") from None
    made = socket.socket(family, kind, protocol)
    made.connect(address)  # so that a refusal comes back
    return made


class Sender:
    """One socket, filled at the pace of the file but never faster than `DATAGRAM_NS`."""

    def __init__(
        self, sock: socket.socket, name: str, bar: "Bar", *, is_live: bool = False
    ) -> None:
        self.sock = sock
        self.name = name
        self.bar = bar
        self.is_live = is_live  # goes on where nobody listens, and is its venues' only adapter
        self.sent = 0
        self.refusals = 0  # of datagrams, where is_live
        self._pending = bytearray()
        self._free_ns = 0  # when the next datagram may leave

    def play(self, stream: Iterator[Quote], speed: float, start_ns: int) -> int:
        """Send every quote at its time; what is due together goes together. Answers the end."""
        due_ns = start_ns
        first_ns: int | None = None
        for quote in stream:
            if first_ns is None:
                first_ns = quote.time_ns
            if speed:
                due_ns = start_ns + int((quote.time_ns - first_ns) / speed)
                if due_ns > time.monotonic_ns():
                    self._flush()
                    self._wait(due_ns)
            self._pending += encode(quote, counted=self.is_live)
            if len(self._pending) == RECORDS_MAX * RECORD.size:
                self._flush()
        self._flush()
        return due_ns

    def confirm(self) -> None:
        """Whether what went out last was refused."""
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise self._refused()

    def _flush(self) -> None:
        if not self._pending:
            return
        now_ns = time.monotonic_ns()
        self._free_ns = max(self._free_ns, now_ns - BURST_NS) + DATAGRAM_NS
        self._wait(self._free_ns)
        records = len(self._pending) // RECORD.size
        self.sent += records  # before it leaves: whoever has it may stop us at once
        try:
            self.sock.send(self._pending)
        except OSError as error:
            if self.is_live:
                self._again()
            elif isinstance(error, ConnectionRefusedError):
                raise self._refused() from None
            else:
                raise
        self._pending.clear()
        self.bar.show(records)

    def _again(self) -> None:
        """The refusal was of the datagram before; this one has not left yet."""
        self.refusals += 1
        try:
            self.sock.send(self._pending)
        except OSError:
            self.refusals += 1

    def _wait(self, until_ns: int) -> None:
        """Sleep in steps, so that the bar comes in a quiet market as well."""
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            time.sleep(min(left_ns, WAIT_STEP_NS) / NS)
            self.bar.show()

    def _refused(self) -> FeedError:
        return FeedError(f"nobody listens on UDP {self.name}: is `si serve` running there?")


class Bar:
    """A progress bar on standard error for what takes longer than two seconds."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._after_ns = time.monotonic_ns() + BAR_AFTER_NS
        self._what = ""
        self._total: int | None = None
        self._done = 0
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("quotes"), TimeElapsedColumn(),
        )  # fmt: skip
        self._progress = Progress(*columns, console=say, transient=True)
        self._task = self._progress.add_task("", total=None)
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._progress.stop()

    def begin(self, what: str, total: int | None) -> None:
        """A new stretch of work; without a total the bar only moves."""
        self._what, self._total, self._done = what, total, 0
        self.show()

    def show(self, more: int = 0) -> None:
        """So many quotes are done."""
        self._done += more
        if self._quiet or not say.is_terminal or time.monotonic_ns() < self._after_ns:
            return
        if not self._shown:
            self._progress.start()
            self._shown = True
        self._progress.update(
            self._task, description=self._what, total=self._total, completed=self._done
        )
