"""The register: for which instruments and classes the firm is Systematic Internaliser, and since.

An append-only file of JSON lines in the firm's folder. Nothing in it is ever changed: a correction
is a new entry that names the one it annuls or replaces, so the state of any date can be asked as it
is known now and as it was known at any time before. Each entry carries the hash of the one before,
so a change, an omission or an exchange within the file shows; only a cut at its end needs the last
hash kept elsewhere to be noticed.

An entry is on disk before it is confirmed. What the file, or a person, can get wrong is
`rows.Refused`, with the line and what to do.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from refdata import isin
from refdata.folders import sync_folder
from refdata.rows import refused

FILE_NAME = "si-status.jsonl"
GENESIS = "0" * 64
CLASS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
TEXT_MAX = 500  # characters of a name or a reason
MODE = 0o640


class Action(StrEnum):
    """What an entry says of its subject."""

    OPT_IN = "opt-in"  # by choice
    START = "start"  # because the definition is met
    CEASE = "cease"
    ANNUL = "annul"  # takes an entry back, puts nothing in its place


class Scope(StrEnum):
    """What a subject is."""

    ISIN = "isin"
    CLASS = "class"


@dataclass(frozen=True)
class Entry:
    """One line. `corrects` is the number of the entry that it annuls or replaces; 0: none."""

    seq: int
    action: Action
    scope: Scope
    subject: str
    effective: date
    recorded_at: datetime  # UTC
    by: str
    reason: str
    corrects: int
    previous: str  # hash of the entry before
    hash: str


class Spell(NamedTuple):
    """The firm is SI in a subject from an entry on."""

    scope: Scope
    subject: str
    since: date
    entry: Entry


def path_in(directory: Path) -> Path:
    """The register of a firm's folder."""
    return directory / FILE_NAME


# --- reading ----------------------------------------------------------------------------------


def read(path: Path) -> list[Entry]:
    """Every entry, the chain checked; [] where there is no file. Raises `rows.Refused`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise refused(path, 0, "", "", f"the register cannot be read: {error.strerror}") from None
    return _parsed(path, data)


def _parsed(path: Path, data: bytes) -> list[Entry]:
    entries: list[Entry] = []
    lines = data.split(b"\n")
    if lines.pop():
        advice = (
            "the last line is incomplete, so it was never confirmed: keep a copy of the file, "
            "remove that line and record it again"
        )
        raise refused(path, len(lines) + 1, "", "", advice)
    for number, line in enumerate(lines, 1):
        entry = _entry(path, number, line)
        expected = entries[-1].hash if entries else GENESIS
        if entry.seq != number or entry.previous != expected:
            advice = "the chain is broken here: lines were removed, added or moved; restore a copy"
            raise refused(path, number, "previous", entry.previous, advice)
        if entries and entry.recorded_at < entries[-1].recorded_at:
            advice = "recorded before the entry above it: restore a copy"
            raise refused(path, number, "recorded_at", _time_text(entry.recorded_at), advice)
        entries.append(entry)
    return entries


def _entry(path: Path, number: int, line: bytes) -> Entry:
    damaged = "this line is damaged: restore the register from a copy"
    try:
        fields = json.loads(line)
        made = Entry(
            seq=fields["seq"],
            action=Action(fields["action"]),
            scope=Scope(fields["scope"]),
            subject=fields["subject"],
            effective=date.fromisoformat(fields["effective"]),
            recorded_at=datetime.fromisoformat(fields["recorded_at"]),
            by=fields["by"],
            reason=fields["reason"],
            corrects=fields["corrects"],
            previous=fields["previous"],
            hash=fields["hash"],
        )
        if made.recorded_at.tzinfo is None:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        text = line[:80].decode("utf-8", "replace")
        raise refused(path, number, "", text, damaged) from None
    # The line's own bytes count, so that nothing can be hidden in a second key or a blank.
    if encoded(made) != line + b"\n" or hash_of(made) != made.hash:
        raise refused(path, number, "hash", str(made.hash), damaged)
    return made


def encoded(entry: Entry) -> bytes:
    """The entry as its line: one form only, keys sorted."""
    return json.dumps(_plain(entry), sort_keys=True, ensure_ascii=True).encode() + b"\n"


def hash_of(entry: Entry) -> str:
    """SHA-256 of everything but the hash itself; the previous hash is part of it."""
    return hashlib.sha256(encoded(replace(entry, hash=""))).hexdigest()


def _plain(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {
        "action": entry.action.value,
        "scope": entry.scope.value,
        "effective": entry.effective.isoformat(),
        "recorded_at": _time_text(entry.recorded_at),
    }


def _time_text(moment: datetime) -> str:
    return moment.isoformat()


# --- state ------------------------------------------------------------------------------------


def valid_entries(entries: Sequence[Entry], known_at: datetime | None = None) -> list[Entry]:
    """What held at `known_at` (None: now): without what was annulled or replaced by then."""
    known = [entry for entry in entries if known_at is None or entry.recorded_at <= known_at]
    gone = {entry.corrects for entry in known if entry.corrects}
    return [e for e in known if e.seq not in gone and e.action is not Action.ANNUL]


def timeline(entries: Sequence[Entry], scope: Scope, subject: str) -> list[Entry]:
    """The entries of one subject, by effective date."""
    mine = [entry for entry in entries if (entry.scope, entry.subject) == (scope, subject)]
    return sorted(mine, key=lambda entry: (entry.effective, entry.seq))


def state_on(entries: Sequence[Entry], day: date, known_at: datetime | None = None) -> list[Spell]:
    """In what the firm is SI on `day`, by subject, as known at `known_at` (None: now)."""
    valid = [entry for entry in valid_entries(entries, known_at) if entry.effective <= day]
    spells = []
    for scope, subject in sorted({(entry.scope, entry.subject) for entry in valid}):
        last = timeline(valid, scope, subject)[-1]
        if last.action is not Action.CEASE:
            spells.append(Spell(scope, subject, last.effective, last))
    return spells


def opened_by(entries: Sequence[Entry], cease: Entry) -> Entry | None:
    """The entry that began what `cease` ended, as known now."""
    mine = timeline(valid_entries(entries), cease.scope, cease.subject)
    place = next((i for i, entry in enumerate(mine) if entry.seq == cease.seq), 0)
    return mine[place - 1] if place else None


# --- writing ----------------------------------------------------------------------------------


def record(
    path: Path,
    *,
    action: Action,
    scope: Scope,
    subject: str,
    effective: date,
    by: str,
    now: datetime,
    reason: str = "",
    corrects: int = 0,
) -> Entry:
    """Append one entry and have it on disk; raises `rows.Refused`, and then nothing has changed.

    `corrects` replaces that entry by this one; with `Action.ANNUL` it only takes it back.
    """
    _check_words(path, scope, subject, by, reason)
    with _locked(path) as fd:
        data = _whole(fd)
        entries = _parsed(path, data)
        moment = now.astimezone(UTC)
        if entries and moment < entries[-1].recorded_at:
            advice = (
                f"the last entry was recorded at {_time_text(entries[-1].recorded_at)}: set the "
                "clock right"
            )
            raise refused(path, 0, "recorded_at", _time_text(moment), advice)
        previous = entries[-1].hash if entries else GENESIS
        bare = Entry(
            len(entries) + 1, action, scope, subject, effective, moment, by, reason, corrects,
            previous, "",
        )  # fmt: skip
        entry = replace(bare, hash=hash_of(bare))
        _check_transition(path, entries, entry)
        _append(fd, path, len(data), encoded(entry))
    return entry


def correct(
    path: Path,
    seq: int,
    *,
    by: str,
    now: datetime,
    reason: str = "",
    effective: date | None = None,
) -> Entry:
    """Replace an entry by the same with another date, or annul it where `effective` is None."""
    entries = read(path)
    if not 1 <= seq <= len(entries):
        advice = f"name an entry from 1 to {len(entries)}" if entries else "the register is empty"
        raise refused(path, 0, "entry", str(seq), advice)
    old = entries[seq - 1]
    return record(
        path,
        action=Action.ANNUL if effective is None else old.action,
        scope=old.scope,
        subject=old.subject,
        effective=effective or old.effective,
        by=by,
        now=now,
        reason=reason,
        corrects=seq,
    )


def _check_words(path: Path, scope: Scope, subject: str, by: str, reason: str) -> None:
    if scope is Scope.ISIN and not isin.is_valid(subject):
        advice = "write a 12-character ISIN in capitals, check digit right"
        raise refused(path, 0, "isin", subject, advice)
    if scope is Scope.CLASS and CLASS_ID.fullmatch(subject) is None:
        advice = "write the class as letters, digits and . _ : / -, at most 64"
        raise refused(path, 0, "class", subject, advice)
    if not by.strip() or len(by) > TEXT_MAX:
        raise refused(path, 0, "by", by[:80], "say who records this, in at most 500 characters")
    if len(reason) > TEXT_MAX:
        raise refused(path, 0, "reason", reason[:80], "write at most 500 characters")


def _check_transition(path: Path, entries: Sequence[Entry], entry: Entry) -> None:
    """Refuse an entry after which the subject's history could not have happened."""
    if entry.corrects:
        _check_correction(path, entries, entry)
    mine = timeline(valid_entries([*entries, entry]), entry.scope, entry.subject)
    is_on, since = False, None
    for step in mine:
        if step.action is Action.CEASE and not is_on:
            advice = (
                f"the firm is not SI in {entry.subject} then, so it cannot cease: see "
                "`si status list`; opt in first, or give another date"
            )
            raise refused(path, 0, "from", step.effective.isoformat(), advice)
        if step.action is not Action.CEASE and is_on and since is not None:
            advice = (
                f"the firm is SI in {entry.subject} already, since {since.isoformat()}, so it "
                "cannot begin again: cease first, or correct the entry that began it"
            )
            raise refused(path, 0, "from", step.effective.isoformat(), advice)
        if since is not None and step.effective == since:
            advice = (
                f"{entry.subject} would begin and cease on the same day: give another date, or "
                "annul the other entry with `si status correct`"
            )
            raise refused(path, 0, "from", step.effective.isoformat(), advice)
        is_on, since = step.action is not Action.CEASE, step.effective


def _check_correction(path: Path, entries: Sequence[Entry], entry: Entry) -> None:
    old = entries[entry.corrects - 1] if 1 <= entry.corrects <= len(entries) else None
    if old is None or (old.scope, old.subject) != (entry.scope, entry.subject):
        advice = "name the number of an entry of the same instrument or class"
        raise refused(path, 0, "corrects", str(entry.corrects), advice)
    if old.seq not in {valid.seq for valid in valid_entries(entries)}:
        advice = "this entry is annulled, replaced or an annulment itself: correct the one in force"
        raise refused(path, 0, "corrects", str(entry.corrects), advice)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The register open for one writer; made, and its folder's entry written out, if new."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
    except OSError as error:
        raise refused(path, 0, "", "", f"cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)  # gives the lock back


def _whole(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)


def _append(fd: int, path: Path, size: int, line: bytes) -> None:
    """The line on disk, or the file as it was. Raises OSError."""
    try:
        if os.write(fd, line) != len(line):
            raise OSError("the disk is full: the entry was not recorded")
        os.fsync(fd)
        if size == 0:
            sync_folder(path.parent)
    except OSError:
        os.ftruncate(fd, size)
        raise
