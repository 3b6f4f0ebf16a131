"""Sessions added, changed, paused, reset and removed while the engine runs.

Requests come on the desk's socket (gateway/control.py) as JSON objects, `{"session": VERB, ...}`
with `sender` and `target` (without `sender`: the only session with that target) and `by`:

| verb | besides | |
|---|---|---|
| list | `from` | a page of sessions; `next` is where the next one begins, or null |
| add, change | `settings` | keys of `Session`; in a change null goes back to the default |
| pause, resume, remove, logout | | logout: `why` goes into Text(58) |
| reset | `next_in`, `next_out` | left out: 1, both |

What holds is in `sessions.json` before the server is told, so a restart in between is harmless; the
file is on the disk by then, for which the loop waits some milliseconds. No answer and no log line
has a password or a hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from gateway import schedule, session_store
from gateway.config import Config
from gateway.errors import UserError
from gateway.session_settings import Session, SessionId, changed, check_together, in_words
from gateway.session_store import Stored

PAGE_SIZE_MAX = 3500  # bytes of a page's sessions; an answer is one datagram
NAME_SIZE_MAX = 64  # of who asks
WHY_SIZE_MAX = 200
NUMBER_MAX = 10**18  # a MsgSeqNum(34) has at most 18 digits here

log = structlog.get_logger()

Request = dict[str, Any]
Answer = dict[str, Any]


class SessionServer(Protocol):
    """What runs the sessions. Methods raise UserError where they cannot do it."""

    config: Config

    def put_session(self, settings: Session, by: str) -> None:
        """Make a session known, or give a known one other settings."""

    def pause_session(self, session_id: SessionId, by: str) -> None:
        """Log it out; no Logon is taken until it is resumed."""

    def resume_session(self, session_id: SessionId, by: str) -> None:
        """Take Logons again."""

    def remove_session(self, session_id: SessionId, by: str) -> None:
        """Log it out and forget its settings; its journal stays."""

    def reset_session(self, session_id: SessionId, next_in: int, next_out: int, by: str) -> None:
        """Set the sequence numbers of a session that is logged off."""

    def logout_session(self, session_id: SessionId, why: str) -> None:
        """Say Logout(5); a Logon is taken again at once."""

    def session_views(self) -> list[dict[str, Any]]:
        """What only the running server knows, a row for each session:

        `sender`, `target`, `begin_string`, `state` (off, on, logging out), `next_in`, `next_out`,
        `last_in_ns`, `last_out_ns` (0: never), `owed_bytes`, `address` (empty: not connected).
        """


class SessionAdmin:
    """Checks requests, keeps the file of sessions, tells the server. Raises UserError when made."""

    def __init__(self, server: SessionServer) -> None:
        self.server = server
        self.directory: Path = server.config.directory
        self.stored = session_store.load(self.directory)
        try:
            check_together(self.sessions, self._clients())
        except ValueError as error:
            path = self.directory / session_store.FILE
            raise UserError(f"{path}: {error}: add the client to si.toml") from error

    @property
    def sessions(self) -> list[Session]:
        """The sessions that hold now, of both files."""
        return session_store.merge(self.server.config.fix.sessions, self.stored)

    def receive(self, request: Request) -> Answer:
        """Do what is asked; what is wrong with it is in `error`."""
        verbs: dict[str, Callable[[Request], Answer]] = {
            "list": self._list, "add": self._add, "change": self._change, "pause": self._pause,
            "resume": self._resume, "remove": self._remove, "reset": self._reset,
            "logout": self._logout,
        }  # fmt: skip
        verb = request.get("session")
        try:
            if not isinstance(verb, str) or verb not in verbs:
                raise UserError(f"session {verb!r} is none of {', '.join(verbs)}")
            return verbs[verb](request)
        except ValidationError as error:
            why = in_words(error)
        except (UserError, OSError, ValueError) as error:
            why = str(error)
        log.warning("session request refused", verb=repr(verb)[:NAME_SIZE_MAX], why=why)
        return {"error": why}

    # --- verbs --------------------------------------------------------------------------------

    def _add(self, request: Request) -> Answer:
        _only(request, "settings")
        settings = _settings(request)
        for key, name in (("sender", "sender_comp_id"), ("target", "target_comp_id")):
            if key in request and settings.setdefault(name, request[key]) != request[key]:
                raise UserError(f"{name} {settings[name]!r} is not {key} {request[key]!r}")
        settings.setdefault("sender_comp_id", self._usual_sender())
        session = Session.model_validate({k: v for k, v in settings.items() if v is not None})
        if session.id in self._ids():
            raise UserError(f"session {session.id} is there already: change it")
        by = _by(request)
        self._put(session, by)
        return self._done("added", session.id, by)

    def _change(self, request: Request) -> Answer:
        _only(request, "settings")
        session, settings = self._session(request), _settings(request)
        fresh = changed(session, settings)
        if fresh.id != session.id:
            raise UserError(
                f"session {session.id} cannot become {fresh.id}: add that one, remove this one"
            )
        by = _by(request)
        self._put(fresh, by)
        return self._done("changed", session.id, by) | {"settings": sorted(settings)}

    def _pause(self, request: Request) -> Answer:
        _only(request)
        session, by = self._session(request), _by(request)
        self._keep(
            self.stored.put(changed(session, {"enabled": False})),
            lambda: self.server.pause_session(session.id, by),
        )
        return self._done("paused", session.id, by)

    def _resume(self, request: Request) -> Answer:
        _only(request)
        session, by = self._session(request), _by(request)
        self._keep(
            self.stored.put(changed(session, {"enabled": None})),
            lambda: self.server.resume_session(session.id, by),
        )
        return self._done("resumed", session.id, by)

    def _remove(self, request: Request) -> Answer:
        _only(request)
        session, by = self._session(request), _by(request)
        self._keep(
            self.stored.remove(session.id),
            lambda: self.server.remove_session(session.id, by),
        )
        return self._done("removed", session.id, by)

    def _reset(self, request: Request) -> Answer:
        _only(request, "next_in", "next_out")
        session, by = self._session(request), _by(request)
        next_in, next_out = (_number(request, name) for name in ("next_in", "next_out"))
        self.server.reset_session(session.id, next_in, next_out, by)
        return self._done("reset", session.id, by) | {"next_in": next_in, "next_out": next_out}

    def _logout(self, request: Request) -> Answer:
        _only(request, "why")
        session, by = self._session(request), _by(request)
        why = _words(request, "why", WHY_SIZE_MAX) or "logged out by the operator"
        self.server.logout_session(session.id, why)
        return self._done("logged out", session.id, by)

    def _list(self, request: Request) -> Answer:
        _only(request, "from")
        first = request.get("from", 0)
        if not isinstance(first, int) or isinstance(first, bool) or first < 0:
            raise UserError(f"from {first!r} must be a number from 0 on")
        wanted = [self._session(request)] if "target" in request else self.sessions
        live = {
            SessionId(view["sender"], view["target"], view["begin_string"]): view
            for view in self.server.session_views()
        }
        now: list[dict[str, Any]] = []
        size = 0
        for place, session in enumerate(wanted[first:], first):
            view = _view(session, live.get(session.id, {}))
            size += len(json.dumps(view)) + 2
            if now and size > PAGE_SIZE_MAX:
                return {"sessions": now, "next": place}
            now.append(view)
        return {"sessions": now, "next": None}

    # --- what they share ----------------------------------------------------------------------

    def _put(self, session: Session, by: str) -> None:
        stored = self.stored.put(session)
        check_together(
            session_store.merge(self.server.config.fix.sessions, stored), self._clients()
        )
        self._keep(stored, lambda: self.server.put_session(session, by))

    def _keep(self, stored: Stored, tell: Callable[[], None]) -> None:
        """Write, then tell the server; what it refuses is not kept."""
        before = self.stored
        session_store.write(self.directory, stored)
        self.stored = stored
        try:
            tell()
        except UserError:
            self.stored = before
            session_store.write(self.directory, before)
            raise

    def _done(self, what: str, session_id: SessionId, by: str) -> Answer:
        log.info(f"session {what}", session=str(session_id), by=by)
        return {"done": what, "sender": session_id.sender, "target": session_id.target}

    def _clients(self) -> list[str]:
        return [client.name for client in self.server.config.clients]

    def _ids(self) -> list[SessionId]:
        return [session.id for session in self.sessions]

    def _usual_sender(self) -> str:
        senders = sorted({session.sender_comp_id for session in self.sessions})
        if len(senders) != 1:
            raise UserError(f"sender: give one, in use are {', '.join(senders) or 'none'}")
        return senders[0]

    def _session(self, request: Request) -> Session:
        """The session that is meant."""
        sender, target = request.get("sender"), request.get("target")
        found = [
            session for session in self.sessions if session.id.fits(str(target), str(sender or ""))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(session.id) for session in found)
            raise UserError(f"target {target!r} is of several sessions: {names}: name one")
        known = ", ".join(map(str, self._ids()[:10])) or "none"
        raise UserError(f"no session with target {target!r}, sender {sender or 'any'!r}: {known}")


def _view(session: Session, live: dict[str, Any]) -> dict[str, Any]:
    return {
        "sender": session.sender_comp_id,
        "target": session.target_comp_id,
        "begin_string": session.begin_string,
        "client": session.client,
        "enabled": session.enabled,
        "schedule": schedule.in_words(schedule.from_settings(session)),
    } | {
        key: value for key, value in live.items() if key not in ("sender", "target", "begin_string")
    }


def _only(request: Request, *more: str) -> None:
    """A word that nobody reads is a mistake that nobody sees."""
    for key in request:
        if key not in ("session", "sender", "target", "by", *more):
            raise UserError(f"{key[:NAME_SIZE_MAX]}: not part of session {request['session']!r}")


def _settings(request: Request) -> dict[str, Any]:
    settings = request.get("settings")
    if not isinstance(settings, dict) or not settings:
        raise UserError("settings: an object of at least one setting is needed")
    return dict(settings)


def _words(request: Request, key: str, size_max: int) -> str:
    value = request.get(key, "")
    if not isinstance(value, str) or not value.isascii() or (value and not value.isprintable()):
        raise UserError(f"{key} {value!r}: write printable ASCII")
    if len(value) > size_max:
        raise UserError(f"{key} has {len(value)} characters, the most are {size_max}")
    return value


def _by(request: Request) -> str:
    return _words(request, "by", NAME_SIZE_MAX)


def _number(request: Request, key: str) -> int:
    value = request.get(key, 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < NUMBER_MAX:
        raise UserError(f"{key} {value!r} must be a number from 1 to {NUMBER_MAX - 1}")
    return value
