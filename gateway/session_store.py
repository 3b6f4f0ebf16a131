"""`DIR/sessions.json`: sessions that were added, changed or removed while the engine ran.

The sessions of `si.toml` come first; one of the file takes the place of the one with the same
SenderCompID and TargetCompID, whole, and one that was removed stays away until it is added again.
The file is replaced as a whole, so a reader sees the one before or the one after, never a part.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from gateway.errors import UserError
from gateway.session_settings import Session, SessionId, as_data, in_words
from refdata.folders import sync_folder

FILE = "sessions.json"
VERSION = 1
MODE = 0o600  # it has password hashes


class Stored(NamedTuple):
    """What the file says, in its order."""

    sessions: tuple[Session, ...] = ()
    removed: tuple[SessionId, ...] = ()

    def put(self, session: Session) -> Stored:
        """With a session added or in the place of the one before, removed or not."""
        others = [known for known in self.sessions if known.id != session.id]
        place = next((i for i, s in enumerate(self.sessions) if s.id == session.id), len(others))
        kept = tuple(known for known in self.removed if known != session.id)
        return Stored((*others[:place], session, *others[place:]), kept)

    def remove(self, session_id: SessionId) -> Stored:
        """Without a session, and with a note that it is gone."""
        kept = tuple(known for known in self.sessions if known.id != session_id)
        gone = tuple(known for known in self.removed if known != session_id)
        return Stored(kept, (*gone, session_id))


def merge(configured: Iterable[Session], stored: Stored) -> list[Session]:
    """The sessions that hold: those of `si.toml` in their order, then those of the file alone."""
    by_id = {session.id: session for session in configured}
    by_id |= {session.id: session for session in stored.sessions}
    return [session for key, session in by_id.items() if key not in stored.removed]


def read(directory: Path, configured: Iterable[Session]) -> list[Session]:
    """The sessions that hold. Raises UserError."""
    return merge(configured, load(directory))


def load(directory: Path) -> Stored:
    """What the file says; nothing where there is none. Raises UserError, the file is left alone."""
    path = directory / FILE
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        return Stored()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    try:
        tree = json.loads(source)
    except json.JSONDecodeError as error:
        raise _refused(path, f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise _refused(path, f"no JSON text: {type(error).__name__}") from error
    return _read_tree(path, tree)


def _refused(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: {why}. Nothing was changed: repair it, or move it away to go on with the "
        "sessions of si.toml"
    )


def _read_tree(path: Path, tree: Any) -> Stored:
    if not isinstance(tree, dict) or set(tree) != {"version", "sessions", "removed"}:
        raise _refused(path, "it must be an object of version, sessions and removed")
    if tree["version"] != VERSION:
        raise _refused(path, f"version {tree['version']!r} is not {VERSION}")
    for name in ("sessions", "removed"):
        if not isinstance(tree[name], list):
            raise _refused(path, f"{name} is no list")
    sessions = [_read_session(path, index, row) for index, row in enumerate(tree["sessions"])]
    removed = [_read_removed(path, index, row) for index, row in enumerate(tree["removed"])]
    ids = [session.id for session in sessions] + removed
    for session_id in ids:
        if ids.count(session_id) > 1:
            raise _refused(path, f"session {session_id} is there twice")
    return Stored(tuple(sessions), tuple(removed))


def _read_session(path: Path, index: int, row: Any) -> Session:
    try:
        return Session.model_validate(row)
    except ValidationError as error:
        raise _refused(path, f"sessions[{index}]: {in_words(error)}") from None


def _read_removed(path: Path, index: int, row: Any) -> SessionId:
    if (
        not isinstance(row, dict)
        or set(row) != {"begin_string", "sender_comp_id", "target_comp_id"}
        or not all(isinstance(value, str) for value in row.values())
    ):
        raise _refused(
            path, f"removed[{index}] must have begin_string, sender_comp_id, target_comp_id"
        )
    return SessionId(row["sender_comp_id"], row["target_comp_id"], row["begin_string"])


def write(directory: Path, stored: Stored) -> None:
    """Replace the file, on the disk when this returns. Raises OSError; then nothing changed."""
    tree = {
        "version": VERSION,
        "sessions": [as_data(session) for session in stored.sessions],
        "removed": [
            {
                "begin_string": gone.begin,
                "sender_comp_id": gone.sender,
                "target_comp_id": gone.target,
            }
            for gone in stored.removed
        ],
    }
    data = json.dumps(tree, indent=2).encode() + b"\n"
    fresh = directory / (FILE + ".new")
    fresh.unlink(missing_ok=True)  # of a process that was killed; it may have another mode
    number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with open(number, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(fresh, directory / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(directory)
