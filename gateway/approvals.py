"""Changes that wait for a second person. They are in memory only: a restart forgets them."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from gateway.errors import UserError

PENDING_MAX = 64
NOBODY = ("si.toml", "engine")  # what rows say of changes that no person made
NAME_SIZE_MAX = 16  # bytes of who asks or approves: two words of a row


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
