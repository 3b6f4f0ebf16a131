"""The desk's side: the queue as a reader of the journal sees it, and commands to the engine.

The engine keeps items; in which order people look at them is decided here.
"""

import itertools
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sortedcontainers import SortedKeyList

from engine import journal as jn
from engine import schema
from engine.enums import DeskAction, DeskState, KillScope, Reason
from engine.reasons import words_inside
from gateway.errors import UserError
from gateway.journal_files import Reader

OPEN = (DeskState.QUEUED, DeskState.CLAIMED, DeskState.QUOTED)
ANSWER_WAIT_S = 2.0


class DeskError(UserError):
    """The engine did not do it, or did not answer; the text says why."""


def urgency(item: Any) -> tuple[int, int]:
    """Default order of work: what expires first, then what came first."""
    return int(item["deadline_ns"]), int(item["item_id"])


class DeskQueue:
    """Open desk items in order of work, kept up to date from journal frames."""

    def __init__(self, key: Callable[[Any], Any] = urgency) -> None:
        self.items: Any = SortedKeyList(key=key)
        self._by_id: dict[int, Any] = {}

    def apply(self, frame: Any) -> None:
        """Take a frame; anything but a desk item is ignored."""
        if frame.kind != jn.DESK_ITEM:
            return
        item = frame.record.copy()
        old = self._by_id.pop(int(item["item_id"]), None)
        if old is not None:
            self.items.remove(old)
        if int(item["state"]) in OPEN:
            self._by_id[int(item["item_id"])] = item
            self.items.add(item)

    def get(self, item_id: int) -> Any | None:
        """An open item, or None."""
        return self._by_id.get(item_id)


def read_queue(journal: Path) -> DeskQueue:
    """The queue as the journal has it now."""
    queue = DeskQueue()
    for frame in Reader(journal, kinds=(jn.DESK_ITEM,)).poll():
        queue.apply(frame)
    return queue


class DeskClient:
    """Sends commands to a running engine and awaits its answer in the journal."""

    _count = itertools.count(1)

    def __init__(self, directory: Path) -> None:
        self.path = directory / "desk.sock"
        self.journal = directory / "journal"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.reader = Reader(self.journal, kinds=(jn.DESK_ITEM, jn.DESK_RESULT))
        self.queue = DeskQueue()
        self.catch_up()

    def catch_up(self) -> None:
        """Read what the journal has gained."""
        for frame in self.reader.poll():
            self.queue.apply(frame)

    def command(
        self, action: DeskAction, trader: str, *, item_id: int = 0, qty: int = 0, px_e6: int = 0,
        scope: KillScope = KillScope.FIRM, subject: int = 0, offer_px_e6: int = 0,
        condition: int = 0,
    ) -> Any:  # fmt: skip
        """Send one command and await its result. Raises DeskError with the engine's reason."""
        row = np.zeros(1, schema.desk_command)
        row["command_id"] = (os.getpid() << 32) + next(self._count)
        row["action"], row["item_id"] = action, item_id
        row["trader"] = schema.pack(trader)
        row["qty"], row["px_e6"], row["offer_px_e6"] = qty, px_e6, offer_px_e6
        row["scope"], row["subject"], row["condition"] = scope, subject, condition
        try:
            self.socket.sendto(row.tobytes(), str(self.path))
        except OSError as error:
            raise DeskError(f"no engine listens at {self.path}: is `si serve` running?") from error
        result = self._await(int(row["command_id"][0]))
        if result["reason"] != Reason.NONE:
            raise DeskError(describe(result))
        return result

    def _await(self, command_id: int) -> Any:
        deadline = time.monotonic() + ANSWER_WAIT_S
        while time.monotonic() < deadline:
            for frame in self.reader.poll():
                self.queue.apply(frame)
                if frame.kind == jn.DESK_RESULT and frame.record["command_id"] == command_id:
                    return frame.record.copy()
            time.sleep(0.002)
        raise DeskError("the engine did not answer within 2 seconds")


def describe(result: Any) -> str:
    """A refused command in words, with its numbers."""
    from gateway.explain import show  # words for values live there

    words = words_inside(Reason(int(result["reason"])))
    line = f"{words.prefix} {words.sentence}"
    if words.unit:
        line += f": {show(words.unit, int(result['value']))}"
        if words.limit:
            line += f" {words.limit} {show(words.unit, int(result['limit']))}"
    return line
