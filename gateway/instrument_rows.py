"""Instruments as a reader of the journal sees them: loaded row by row, or staged and activated."""

from collections.abc import Iterator
from typing import Any

from engine import journal as jn
from engine import schema, staging, tables
from gateway.journal_files import Frame

KINDS = (jn.TABLE_ROW, jn.STAGE, jn.ACTIVATE)


class InstrumentRows:
    """Follows the frames of `KINDS`."""

    def __init__(self) -> None:
        self._staged: dict[int, Any] = {}

    def changed(self, frame: Frame) -> Iterator[tuple[int, Any]]:
        """Number and row of each instrument that holds from this frame on."""
        if frame.kind == jn.TABLE_ROW:
            table_id, number = frame.body[:16].view("i8").tolist()
            if table_id == tables.INSTRUMENT:
                yield number, frame.body[16:].view(schema.instrument)[0].copy()
        elif frame.kind == jn.STAGE:
            step, first = frame.body[:16].view("i8").tolist()
            if step == staging.ABORT or (step == staging.CARRY and first == 0):
                self._staged = {}
            for number, row in staging.pairs(frame.body):
                self._staged[int(number)] = row.copy()
        elif frame.kind == jn.ACTIVATE:
            yield from self._staged.items()
            self._staged = {}
