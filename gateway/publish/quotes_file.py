"""The append-only files of what was published: NDJSON, one a UTC day, beside their JSON schema.

A batch is one write, undone where the disk takes only a part of it. The last record says where to
go on after a restart; a line that a lost machine tore off is cut.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from gateway.errors import UserError
from gateway.publish.record import QuoteRecord, json_schema, ns_of

SCHEMA_FILE = "quotes.schema.json"
LOCK_FILE = "lock"
SUFFIX = ".ndjson"
_PREFIX = "quotes-"
_BLOCK = 1 << 16


def day_of(ts_ns: int) -> date:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).date()


def path_of(folder: Path, day: date, suffix: str = SUFFIX) -> Path:
    """The file of a day; names sort in order."""
    return folder / f"{_PREFIX}{day.isoformat()}{suffix}"


def files(folder: Path, suffix: str = SUFFIX) -> list[tuple[date, Path]]:
    """Days that have a file, in order; a file whose name is no day is none of ours."""
    found = []
    for path in folder.glob(f"{_PREFIX}*{suffix}"):
        try:
            found.append((date.fromisoformat(path.name[len(_PREFIX) : -len(suffix)]), path))
        except ValueError:
            continue
    return sorted(found)


class QuotesFile:
    """Writes the files of a folder; nobody else does while it lives."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = _lock(folder)
        self._fd = -1
        self._day: date | None = None
        self._size = 0
        try:
            self.last = self._recover()
            self._write_schema()
        except BaseException:
            os.close(self._lock)
            raise
        self.published_ns = ns_of(self.last.publication_date_and_time) if self.last else 0

    def append(self, lines: list[bytes], last: QuoteRecord, published_ns: int) -> None:
        """Records of one moment, each a line without its end. Raises OSError, and wrote nothing."""
        assert published_ns >= self.published_ns, "a day's file is never written after the next"
        self._open(day_of(published_ns))
        data = b"\n".join(lines) + b"\n"
        written = 0
        try:
            written = os.write(self._fd, data)
        finally:
            if 0 < written < len(data):
                os.ftruncate(self._fd, self._size)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        self._size += written
        self.last, self.published_ns = last, published_ns

    def sync(self) -> None:
        """What was written survives the machine. Raises OSError."""
        if self._fd >= 0:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of the files and the lock."""
        self._close_file()
        os.close(self._lock)

    def _open(self, day: date) -> None:
        if day == self._day:
            return
        fd = os.open(path_of(self.folder, day), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._close_file()
        self._fd, self._day, self._size = fd, day, os.fstat(fd).st_size

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._day = -1, None

    def _write_schema(self) -> None:
        path = self.folder / SCHEMA_FILE
        text = json.dumps(json_schema(), indent=2) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            temporary = path.with_suffix(".tmp")
            temporary.write_text(text, encoding="utf-8")
            temporary.rename(path)

    def _recover(self) -> QuoteRecord | None:
        """Cut what was torn off; the last record of all files. Raises UserError."""
        for _, path in reversed(files(self.folder)):
            cut_torn_line(path)
            line = last_line(path)
            if line:
                try:
                    return QuoteRecord.model_validate_json(line)
                except ValidationError as error:
                    raise UserError(
                        f"{path}: its last line is no record of a quote "
                        f"({error.error_count()} errors): restore the file, or move the folder "
                        f"{self.folder} away and publish the whole journal again"
                    ) from error
        return None


def cut_torn_line(path: Path) -> None:
    """End the file behind its last whole line."""
    size = path.stat().st_size
    whole = _end_of_line_before(path, size)
    if whole != size:
        os.truncate(path, whole)


def last_line(path: Path) -> bytes:
    """The last line of a file that ends with one, empty where it has none."""
    size = path.stat().st_size
    if size == 0:
        return b""
    start = _end_of_line_before(path, size - 1)
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size - start).rstrip(b"\n")


def _end_of_line_before(path: Path, end: int) -> int:
    """Offset behind the last newline in the first `end` bytes; 0 where there is none."""
    with path.open("rb") as file:
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
    return 0


def _lock(folder: Path) -> int:
    """Nobody else writes to the folder. Raises UserError."""
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise UserError(
            f"{folder}: another `si publish` writes there: stop it first, or give this one "
            "another folder in [publication]"
        ) from error
    return fd
