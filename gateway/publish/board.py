"""What holds now: the newest record of every instrument, in the order in which they changed.

A reader asks for what has changed since it asked last. However slow it is, it costs nothing: of an
instrument it gets the newest record only.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One instrument's newest record."""

    change: int  # counts what was put on the board, over all series
    isin: str
    sequence: int
    data: bytes  # the record as JSON


class Board:
    """Written by the publisher alone; read by whoever shows quotes."""

    def __init__(self) -> None:
        self.series = ""
        self.changes = 0
        self._entries: dict[str, Entry] = {}

    def begin(self, series: str) -> None:
        """Another series: every quote of the one before has ended."""
        self.series = series
        self._entries.clear()

    def put(self, isin: str, sequence: int, data: bytes) -> None:
        """The newest record of an instrument."""
        self.changes += 1
        self._entries.pop(isin, None)  # so that it goes to the end
        self._entries[isin] = Entry(self.changes, isin, sequence, data)

    def get(self, isin: str) -> Entry | None:
        """The newest record of an instrument."""
        return self._entries.get(isin)

    def all(self) -> list[Entry]:
        """Every instrument's, by ISIN."""
        return sorted(self._entries.values(), key=lambda entry: entry.isin)

    def since(self, change: int) -> list[str]:
        """ISINs of what has changed since, oldest change first."""
        found = []
        for entry in reversed(self._entries.values()):
            if entry.change <= change:
                break
            found.append(entry.isin)
        return found[::-1]

    def __len__(self) -> int:
        return len(self._entries)
