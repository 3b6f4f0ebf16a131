"""Changes that wait for a second person. They are in memory only: a restart forgets them."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import structlog

from gateway.errors import UserError

PENDING_MAX = 64
NOBODY = ("si.toml", "engine")  # what rows say of changes that no person made
NAME_SIZE_MAX = 16  # bytes of who asks or approves: two words of a row


log = structlog.get_logger()

Answer = dict[str, Any]


class Change(Protocol):
    """As much of a change as this is about."""

    @property
    def number(self) -> int:
        """By which it is approved or refused."""

    @property
    def by(self) -> str:
        """Who asked for it."""


Asked = TypeVar("Asked", bound=Change)


class Pending(dict[int, Asked]):
    """Changes that wait, by number; `shown_by` is the command that lists them."""

    def __init__(self, shown_by: str) -> None:
        super().__init__()
        self.shown_by = shown_by

    def add(self, change: Asked) -> None:
        """One more. Raises UserError."""
        if len(self) >= PENDING_MAX:
            raise UserError(f"{PENDING_MAX} changes wait already: approve or refuse some first")
        self[change.number] = change

    def named(self, request: dict[str, Any]) -> tuple[Asked, str]:
        """The change that a request is about, and who makes the request. Raises UserError."""
        number = request["id"]
        if number not in self:
            raise UserError(f"no change {number} waits for approval: `{self.shown_by}` shows which")
        return self[number], person(request)

    def approved(self, request: dict[str, Any]) -> tuple[Asked, str]:
        """The same, of somebody else than who asked for the change. Raises UserError."""
        change, by = self.named(request)
        if by.casefold() == change.by.casefold():
            raise UserError(f"{by} asked for change {change.number}: somebody else must approve it")
        return change, by


class Requests(Generic[Asked]):
    """Requests to change something of a running engine, `{KIND: VERB, "by": NAME, ...}`.

    What needs a second person waits in `pending`. Who inherits shows what holds, and makes changes.
    """

    kind: str  # the key of its requests
    shows: str  # its verb that lists what holds, and what waits
    what: str  # is changed, for the log

    def __init__(self) -> None:
        self.pending: Pending[Asked] = Pending(f"si {self.kind} {self.shows}")
        self.last = 0  # number given to a change

    def receive(self, request: dict[str, Any]) -> Answer:
        """Do a request. Raises UserError."""
        verbs = {
            self.shows: self._show, "set": self._set, "approve": self._approve,
            "refuse": self._refuse,
        }  # fmt: skip
        verb = str(request[self.kind])
        if verb not in verbs:
            raise UserError(f"{self.kind} request {verb!r} is none of {', '.join(verbs)}")
        return verbs[verb](request)

    def _show(self, request: dict[str, Any]) -> Answer:
        raise NotImplementedError

    def _set(self, request: dict[str, Any]) -> Answer:
        raise NotImplementedError

    def _apply(self, change: Asked, approved_by: str) -> Answer:
        """In the journal and in force, between two orders. Raises UserError."""
        raise NotImplementedError

    def _as_dict(self, change: Asked) -> Answer:
        """A change for an answer and for the log."""
        raise NotImplementedError

    def _check(self, change: Asked) -> None:
        """Raise UserError where a change may not happen any more."""

    def _wait(self, change: Asked) -> Answer:
        """Keep a change until somebody else approves it. Raises UserError."""
        self.pending.add(change)
        log.info(f"{self.what} waits for approval", **self._as_dict(change))
        return {"pending": self._as_dict(change)}

    def _approve(self, request: dict[str, Any]) -> Answer:
        change, by = self.pending.approved(request)
        self._check(change)
        answer = self._apply(change, by)
        del self.pending[change.number]
        return answer

    def _refuse(self, request: dict[str, Any]) -> Answer:
        change, by = self.pending.named(request)
        del self.pending[change.number]
        log.info(f"{self.what} refused", refused_by=by, **self._as_dict(change))
        return {"refused": self._as_dict(change)}


def person(request: dict[str, Any]) -> str:
    """Who makes a request. Raises UserError."""
    name = str(request.get("by", "")).strip()
    if not name or not name.isascii() or not name.isprintable() or len(name) > NAME_SIZE_MAX:
        raise UserError(
            f"by {name!r}: write a name of 1 to {NAME_SIZE_MAX} ASCII characters (--by)"
        )
    if name.casefold() in NOBODY:
        raise UserError(f"by {name!r}: that is no person's name, write yours (--by)")
    return name
