"""Waiting for bytes, for clients and tools; `select` takes no file number over 1,023."""

import select
from typing import Protocol


class HasFile(Protocol):
    """A socket, or anything with a file number."""

    def fileno(self) -> int:
        """Its number."""


def is_readable(source: HasFile, wait_s: float) -> bool:
    """Whether there is something to read, now or within `wait_s` seconds."""
    poll = select.poll()
    poll.register(source.fileno(), select.POLLIN)
    return bool(poll.poll(max(wait_s, 0) * 1000))
