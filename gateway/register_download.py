"""Fetch what the registers publish: FITRS and FIRDS files of ESMA or the FCA, each checked.

Rule: a file in the folder is whole, and is never written over. It arrives under a temporary name,
is checked (size, checksum, a readable archive), and only then gets its own. Each arrival is a line
of `downloads.jsonl`. What goes wrong outside is a `DownloadError` of its own kind, and leaves
nothing behind. A download does not resume: it starts again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from gateway.download_http import (
    CHUNK_BYTES,
    DownloadError,
    Net,
    chunks_of,
    pool_of,
    response_of,
    size_announced,
    tried,
)
from refdata import register_index as index
from refdata.register_index import Page, RegisterFile, Source
from refdata.rows import Refused

MANIFEST = "downloads.jsonl"
PART_PREFIX, PART_SUFFIX = ".download-", ".part"
INDEX_BYTES_MAX = 1 << 24
ZIP_MAGIC = b"PK\x03\x04"
HASH_DIGITS = 12  # of the SHA-256 in the name of a file published again
KINDS = ("all", "full", "delta", "cancelled")
DAYS_BACK = 7  # full files are weekly

#: Name of the file, bytes so far, bytes in all (0 where the server does not say).
ProgressCallback = Callable[[str, int, int], None]
State = Literal["new", "present", "again"]


class WrongChecksum(DownloadError):
    """Not the bytes whose checksum the index gives."""

    again = True


class NotAnArchive(DownloadError):
    """Not a zip that can be read: most often a page that says sorry."""


class IndexUnreadable(DownloadError):
    """The answer is no index, or it changed while it was read."""


class NothingPublished(DownloadError):
    """No file of that kind in those days, or a set that lacks a part."""


class FolderBusy(DownloadError):
    """Another download writes into the folder."""


class Fetched(NamedTuple):
    """What became of one file; `again`: published again under its name, kept beside the other."""

    file: RegisterFile
    path: Path
    state: State
    sha256: str
    size: int


def list_files(
    base_url: str,
    register: str,
    day_from: date,
    day_to: date,
    *,
    jurisdiction: str = "EU",
    net: Net = Net(),  # noqa: B008  immutable
) -> list[RegisterFile]:
    """Every file of a kind we read that the index has for these days, both included.

    `base_url` is the index's, up to the register's own part; "" is the documented one. Raises
    `DownloadError`.
    """
    source = _source(register, jurisdiction)
    base_url = _base(source, base_url)
    with pool_of(net) as pool:
        files: list[RegisterFile] = []
        start, found = 0, 1
        while start < found:
            url = index.query_url(source, base_url, day_from, day_to, start)
            page = _page(pool, net, source, base_url, url)
            if page.found > index.FILES_MAX:
                raise IndexUnreadable(f"{url}: {page.found} files: ask for fewer days")
            if (start and page.found != found) or (page.rows == 0 and page.found > start):
                raise IndexUnreadable(f"{url}: the index changed while it was read: start again")
            found, start = page.found, start + page.rows
            files += page.files
    return files


def fetch(
    files: Sequence[RegisterFile],
    folder: Path,
    progress: ProgressCallback,
    *,
    hosts: Sequence[str] = (),
    net: Net = Net(),  # noqa: B008  immutable
) -> list[Fetched]:
    """Fetch what the folder does not have; raises `DownloadError` at the first that fails, and
    those before it stay. `hosts` are those that files may come from; none is each file's own."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as manifest, pool_of(net) as pool:
        _remove_parts(folder)
        entries = _entries(manifest, folder)
        return [_one(pool, net, file, folder, manifest, entries, hosts, progress) for file in files]


def run(
    register: str,
    folder: Path,
    *,
    kind: str = "all",
    since: date | None = None,
    until: date | None = None,
    cfi: str = "CER",
    base_url: str = "",
    hosts: Sequence[str] = (),
    jurisdiction: str = "EU",
    net: Net = Net(),  # noqa: B008  immutable
    console: Console | None = None,
) -> list[Fetched]:
    """`si refdata download`: list, choose, check that each set is whole, fetch with a bar.

    `until` is today and `since` a week before, which has one full file: they are weekly. `cfi`
    are first letters (C funds, E shares, R entitlements, where depositary receipts have been),
    blank for all; they choose among full files. `hosts` are more that files may come from.
    """
    source = _source(register, jurisdiction)
    until = until or datetime.now(UTC).date()
    since = since or until - timedelta(days=DAYS_BACK)
    if since > until:
        raise DownloadError(f"since {since} is after until {until}: swap them")
    if kind not in KINDS:
        raise DownloadError(f"kind {kind!r}: write one of {', '.join(KINDS)}")
    base_url = _base(source, base_url)
    listed = list_files(base_url, register, since, until, jurisdiction=jurisdiction, net=net)
    files = [_secured(file, base_url) for file in index.choose(listed, kind, cfi)]
    asked = f"{register} {kind} {cfi} of {jurisdiction}, {since} to {until}, {base_url}"
    if not files:
        raise NothingPublished(f"{asked}: no such file: ask for more days or another kind")
    missing = index.missing_parts(files)
    if missing:
        raise NothingPublished(f"{asked}: {'; '.join(missing)[:500]}: try again later")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TransferSpeedColumn(), console=console or Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total or None)

        known = (*source.hosts, index.host_of(base_url), *hosts)
        return fetch(files, folder, show, hosts=known, net=net)


def _source(register: str, jurisdiction: str) -> Source:
    try:
        return index.source_of(register, jurisdiction)
    except LookupError as error:
        raise DownloadError(str(error.args[0])) from None


def _base(source: Source, base_url: str) -> str:
    if base_url and not index.host_of(base_url):
        raise DownloadError(f"base url {base_url!r}: write an address such as {source.base_url}")
    return base_url or source.base_url


def _secured(file: RegisterFile, base_url: str) -> RegisterFile:
    """Links have been http where the index is https: the file is fetched by https too."""
    plain = urlsplit(file.url)
    if plain.scheme == "http" and urlsplit(base_url).scheme == "https":
        return file._replace(url=plain._replace(scheme="https").geturl())
    return file


def _page(pool: urllib3.PoolManager, net: Net, source: Source, base_url: str, url: str) -> Page:
    net = net._replace(bytes_max=INDEX_BYTES_MAX)

    def whole() -> bytes:
        with response_of(pool, url, (index.host_of(base_url),)) as response:
            return b"".join(chunks_of(response, net, url))

    try:
        return index.parse_page(source, tried(net, url, whole), url)
    except Refused as refusal:
        raise IndexUnreadable(str(refusal)) from None


# --- one file ---------------------------------------------------------------------------------


def _one(
    pool: urllib3.PoolManager,
    net: Net,
    file: RegisterFile,
    folder: Path,
    manifest: IO[str],
    entries: list[dict[str, Any]],
    hosts: Sequence[str],
    progress: ProgressCallback,
) -> Fetched:
    present = _present(file, folder, entries)
    if present is not None:
        return present
    part = folder / f"{PART_PREFIX}{file.name}{PART_SUFFIX}"
    try:
        sha256, size = tried(
            net, file.url, lambda: _receive(pool, net, file, part, hosts, progress)
        )
        stored = folder / file.name
        state: State = "new"
        if stored.exists():
            stored = folder / f"{stored.stem}.{sha256[:HASH_DIGITS]}{stored.suffix}"
            state = "present" if stored.exists() else "again"
        # Nobody else writes here: the folder is locked. A name that is there is left as it is.
        if state != "present":
            os.rename(part, stored)
    finally:
        part.unlink(missing_ok=True)
    fetched = Fetched(file, stored, state, sha256, size)
    entry = _entry(fetched)
    manifest.write(json.dumps(entry) + "\n")
    manifest.flush()
    os.fsync(manifest.fileno())
    entries.append(entry)
    return fetched


def _present(file: RegisterFile, folder: Path, entries: list[dict[str, Any]]) -> Fetched | None:
    """The file where the folder has it. By checksum; where the index has none, by what the
    manifest says of an index entry of the same date."""
    stem = Path(file.name).stem
    for path in (folder / file.name, *sorted(folder.glob(f"{stem}.*.zip"))):
        if not path.is_file():
            continue
        md5, sha256, size = _digests(path)
        known = any(
            entry.get("stored_as") == path.name
            and entry.get("sha256") == sha256
            and entry.get("url") == file.url
            and entry.get("published") == file.published.isoformat()
            and entry.get("indexed_at") == file.indexed_at
            for entry in entries
        )
        if md5 == file.checksum if file.checksum else known:
            return Fetched(file, path, "present", sha256, size)
    return None


def _receive(
    pool: urllib3.PoolManager,
    net: Net,
    file: RegisterFile,
    part: Path,
    hosts: Sequence[str],
    progress: ProgressCallback,
) -> tuple[str, int]:
    """Stream into `part` and check it; SHA-256 and size."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with (
        response_of(pool, file.url, hosts) as response,
        part.open("wb") as target,
    ):
        total = size_announced(response)
        progress(file.name, 0, total)
        for chunk in chunks_of(response, net, file.url):
            if size == 0 and not chunk.startswith(ZIP_MAGIC[: len(chunk)]):
                kind = response.headers.get("Content-Type", "no type")
                begins = chunk[:60].decode("latin-1")
                raise NotAnArchive(f"{file.url}: {kind}, which begins {begins!r}, is no zip")
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
            target.write(chunk)
            progress(file.name, size, total)
        target.flush()
        os.fsync(target.fileno())
    if file.checksum and md5.hexdigest() != file.checksum:
        raise WrongChecksum(
            f"{file.url}: MD5 {md5.hexdigest()} where the index says {file.checksum}: try again; "
            "if it stays so, the register published the file again: list it again"
        )
    _check_archive(file, part)
    return sha256.hexdigest(), size


def _check_archive(file: RegisterFile, part: Path) -> None:
    """A directory with at least one file; without checksum also each file's CRC."""
    try:
        with zipfile.ZipFile(part) as archive:
            broken = "" if file.checksum else archive.testzip()
            empty = not archive.namelist()
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise NotAnArchive(f"{file.url}: the archive cannot be read ({error}): try again") from None
    if broken or empty:
        what = f"{broken} in the archive is damaged" if broken else "the archive is empty"
        raise NotAnArchive(f"{file.url}: {what}: try again")


# --- the folder -------------------------------------------------------------------------------


@contextmanager
def _locked(folder: Path) -> Iterator[IO[str]]:
    """The manifest, open to append, ours alone until the end."""
    with (folder / MANIFEST).open("a+", encoding="utf-8") as manifest:
        try:
            fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy(f"{folder}: another download writes here: wait for it") from None
        yield manifest


def _remove_parts(folder: Path) -> None:
    """What a process that was killed left."""
    for part in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        part.unlink()


def _entries(manifest: IO[str], folder: Path) -> list[dict[str, Any]]:
    """The manifest's lines. A torn last line, of a crash, is cut off."""
    manifest.seek(0)
    text = manifest.read()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        manifest.truncate(len(whole.encode()))
    entries = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise DownloadError(
                f"{folder / MANIFEST}, line {number}: {line[:80]!r} is not a JSON object: "
                "correct it, or download into another folder"
            )
        entries.append(entry)
    return entries


def _entry(fetched: Fetched) -> dict[str, Any]:
    file = fetched.file
    return {
        "name": file.name,
        "stored_as": fetched.path.name,
        "url": file.url,
        "md5": file.checksum,
        "sha256": fetched.sha256,
        "size": fetched.size,
        "published": file.published.isoformat(),
        "indexed_at": file.indexed_at,
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _digests(path: Path) -> tuple[str, str, int]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return md5.hexdigest(), sha256.hexdigest(), size
