"""A file that grows, or a folder in which a venue's minute files appear, played as it comes.

Rule: whatever the files say, the process goes on. A bad row is counted, the first few are shown; a
file that cannot be read further is counted as one bad row.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from gateway import feed_files
from gateway.feed_formats import FORMATS, ROW_FORMATS
from gateway.feed_lines import GZIP_MAGIC, NS, Bad, FeedError, Quote, cut_off, opened, refuse
from gateway.feed_live import Live, going_live
from gateway.feed_source import Format, Reader, Source

POLL_S = 0.2
SETTLED_NS = 2 * NS  # a file that nobody has written to for so long is whole
READ_SIZE = 1 << 20


class Options(NamedTuple):
    """What a caller wants of a stream."""

    speed: float = 0  # of a folder's files; 0: at once
    age_max_s: float = 0  # older rows are left out; 0: none is too old
    depth: int = 0  # levels shown
    is_json: bool = False


def follow(path: Path, kind: str, source: Source, options: Options, host: str, port: int) -> Live:
    """Play until Ctrl-C; answers the counters. Raises FeedError where it cannot begin."""
    feed_files.check_speed(options.speed)
    with going_live(
        host, port, depth=options.depth, is_json=options.is_json, age_max_s=options.age_max_s
    ) as live:
        follower = make(path, kind, source, live)
        if options.speed and isinstance(follower, Tail):
            raise FeedError("--speed is of a folder's files: one that grows is played as it comes")
        try:
            while True:
                for stream in follower.streams(time.time_ns()):
                    live.sender.play(stream, options.speed, time.monotonic_ns())
                live.sender.bar.show()
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return live


def make(path: Path, kind: str, source: Source, live: Live) -> "Tail | Folder":
    """Who follows this path. Raises FeedError."""
    if kind not in FORMATS:
        raise FeedError(f"--format {kind!r} is unknown; the formats are {', '.join(FORMATS)}")
    if kind not in ROW_FORMATS:
        known = ", ".join(ROW_FORMATS)
        raise FeedError(f"--format {kind} is read as a whole: --follow takes {known}")
    if path.is_dir():
        return Folder(path, ROW_FORMATS[kind], source, live)
    if not ROW_FORMATS[kind].is_text:
        raise FeedError(f"--format {kind} has no lines that are added: follow the folder instead")
    return Tail(path, ROW_FORMATS[kind], source, live)


class Rows:
    """Rows through a reader and the counters, one after the other."""

    def __init__(self, source: Source, live: Live) -> None:
        self.source = source
        self.live = live

    def take(self, reader: Reader, number: int, row: Any) -> Iterator[Quote]:
        """One row, good or bad."""
        try:
            if isinstance(row, FeedError):
                raise row
            if isinstance(row, bytes):
                row = as_text(self.source.path, number, row)
            quote = reader.take(number, row)
        except FeedError as error:
            yield from self.refused(error)
            return
        if quote is None:
            return
        if (quote.mic, quote.isin) in self.source.memory.books:
            key = quote.mic, quote.isin
            self.live.depth = key, self.source.memory.books[key]
        yield from self.live.passed(quote)

    def refused(self, error: FeedError) -> Iterator[Quote]:
        """Nothing is known any more of an instrument of which a row was lost."""
        if error.about is not None:
            self.source.memory.forget(error.about)
        yield from self.live.refused(error)

    def note(self) -> None:
        """What the source has counted, into the counters."""
        source = self.source
        for name, rows in source.left_out.items():
            self.live.noted[f"currency {name}"] = rows
        for name, rows in source.unknown.items():
            self.live.noted[f"phase {name}"] = rows
        for kind, rows in source.passed_over.items():
            self.live.noted[f"rows {kind}"] = rows
        faults = sum(sum(book.faults.values()) for book in source.memory.books.values())
        if faults:
            self.live.noted["book faults"] = faults


class Tail:
    """A text file that grows; one that was cut or replaced is begun anew.

    It stays open, so that the number of its inode is not given to the file that replaces it.
    """

    def __init__(self, path: Path, form: Format, source: Source, live: Live) -> None:
        self._fd = -1
        self._path = path
        self._form = form
        self._rows = Rows(source, live)
        try:
            self._begin()
        except OSError as error:
            raise FeedError(f"{path}: {error.strerror}") from error
        if os.pread(self._fd, 2, 0) == GZIP_MAGIC:
            raise FeedError(f"{path}: gzip does not grow by lines: follow the folder instead")

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def streams(self, now_ns: int) -> Iterator[Iterator[Quote]]:
        """The lines that were added, as one stream."""
        yield self._added()
        self._rows.note()

    def _begin(self) -> None:
        fd = os.open(self._path, os.O_RDONLY)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._number = self._offset = 0
        self._rest = b""
        self._skips = False  # until the end of a line that is too long
        self._reader = self._form.begin(self._rows.source)

    def _added(self) -> Iterator[Quote]:
        try:
            yield from self._read()  # also what was added before another took its place
            if self._is_another():
                if self._rest:
                    said = "the file ended within a line"
                    error = refuse(self._path, self._number + 1, "", "", said)
                    yield from self._rows.refused(error)
                self._begin()
                yield from self._read()
        except FileNotFoundError:
            return  # being replaced
        except OSError as error:
            yield from self._rows.refused(FeedError(f"{self._path}: {error.strerror}"))

    def _is_another(self) -> bool:
        there, ours = os.stat(self._path), os.fstat(self._fd)
        return there.st_ino != ours.st_ino or there.st_size < self._offset

    def _read(self) -> Iterator[Quote]:
        while data := os.pread(self._fd, READ_SIZE, self._offset):
            self._offset += len(data)
            yield from self._lines(data)

    def _lines(self, data: bytes) -> Iterator[Quote]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._number += 1
            if self._skips:
                self._skips = False
            elif len(line) > self._form.size_max:
                yield from self._too_long(self._number)
            else:
                yield from self._rows.take(self._reader, self._number, line)
        if len(self._rest) > self._form.size_max:
            if not self._skips:
                yield from self._too_long(self._number + 1)
            self._skips, self._rest = True, b""

    def _too_long(self, number: int) -> Iterator[Quote]:
        advice = f"the line is longer than {self._form.size_max} bytes"
        yield from self._rows.refused(refuse(self._path, number, "", "", advice))


class Folder:
    """A folder in which files appear, each whole; in the order of their names."""

    def __init__(self, path: Path, form: Format, source: Source, live: Live) -> None:
        self._path = path
        self._form = form
        self._live = live
        self._source = source
        self._seen: dict[str, tuple[int, int]] = {}  # size and time of the last look
        self._done: set[str] = set()

    def streams(self, now_ns: int) -> Iterator[Iterator[Quote]]:
        """One stream for each file that is new and whole."""
        try:
            names = self._whole(now_ns)
        except OSError as error:
            yield self._live.refused(FeedError(f"{self._path}: {error.strerror}"))
            return
        for name in names:
            self._done.add(name)
            source = replace(self._source, path=self._path / name)
            rows = Rows(source, self._live)
            yield self._file(rows)
            self._live.noted["files"] += 1
            rows.note()

    def _whole(self, now_ns: int) -> list[str]:
        found: dict[str, tuple[int, int]] = {}
        with os.scandir(self._path) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file():
                    stat = entry.stat()
                    found[entry.name] = stat.st_size, stat.st_mtime_ns
        before, self._seen = self._seen, found
        self._done &= found.keys()
        return [
            name for name, (size, time_ns) in sorted(found.items())
            if name not in self._done
            and (before.get(name) == (size, time_ns) or now_ns - time_ns > SETTLED_NS)
        ]  # fmt: skip

    def _file(self, rows: Rows) -> Iterator[Quote]:
        try:
            reader = self._form.begin(rows.source)
            source = (
                self._lines(rows.source) if self._form.is_text else self._form.rows(rows.source)
            )
            for number, row in source:
                yield from rows.take(reader, number, row)
            reader.end()
        except FeedError as error:
            yield from rows.refused(error)

    def _lines(self, source: Source) -> Iterator[tuple[int, bytes | FeedError]]:
        """Lines as bytes, so that one that is no text does not end the file."""
        with opened(source.path) as file:
            number = 0
            while data := file.readline(self._form.size_max):
                number += 1
                if data.endswith(b"\n"):
                    yield number, data
                    continue
                yield number, cut_off(source.path, number, data, self._form.size_max)
                while data and not data.endswith(b"\n"):  # the rest of one that is too long
                    data = file.readline(self._form.size_max)


def as_text(path: Path, number: int, data: bytes) -> str:
    """A line without its end. Raises FeedError."""
    try:
        return data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        value = f"byte {error.object[error.start]:02x}"
        raise refuse(path, number, "", value, "this is no text in UTF-8", Bad.FORM) from None
