"""Who gets our public quotes, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simplefix

if TYPE_CHECKING:
    from gateway.server import Server


class Subscriptions:
    """Nobody's yet."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def receive(self, session_id: int, message: simplefix.FixMessage) -> bool:
        """Whether this was a request for quotes."""
        return False

    def logged_on(self, session_id: int) -> None:
        """A session has come."""

    def gone(self, session_id: int) -> None:
        """A session has left."""

    def settings_changed(self, session_id: int) -> None:
        """A session has other settings."""
