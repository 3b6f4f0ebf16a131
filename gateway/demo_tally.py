"""What the demo shows, counted from the journal alone: nothing here asks the engine.

Each order ends in one outcome, so every line of `zones` adds up to its orders.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine import journal as jn
from engine import schema
from engine.enums import ExecKind, OrderState, QuoteState, Reason, Zone
from gateway.desk_reader import DeskQueue
from gateway.instrument_rows import KINDS, InstrumentRows
from gateway.journal_files import Frame

TAPE_SIZE = 20
EUR = 1e-15  # price x 10^6 times rate x 10^9


@dataclass
class ZoneCount:
    """Orders of one size zone by outcome, and what was dealt."""

    orders: int = 0
    filled: int = 0
    part: int = 0  # filled in part, the rest cancelled or expired
    on_desk: int = 0
    cancelled: int = 0
    expired: int = 0
    rejected: int = 0
    filled_eur: float = 0.0
    improvement_eur: float = 0.0


@dataclass
class Best:
    """The fill to show: the most that a client saved against the quote."""

    order_id: int = 0
    improvement_eur: float = 0.0


@dataclass
class Tally:
    """Counts up to the last frame taken."""

    zones: dict[Zone, ZoneCount] = field(
        default_factory=lambda: {zone: ZoneCount() for zone in Zone}
    )
    reasons: Counter[Reason] = field(default_factory=Counter)
    queue: DeskQueue = field(default_factory=DeskQueue)
    rows: InstrumentRows = field(default_factory=InstrumentRows)
    tape: deque[Any] = field(default_factory=lambda: deque(maxlen=TAPE_SIZE))
    best: Best = field(default_factory=Best)
    orders: int = 0  # as they came in
    answers: int = 0  # as they were decided
    fills: int = 0
    filled_qty: int = 0
    desk_items: int = 0
    venue_quotes: int = 0
    own_quotes: int = 0
    frames: int = 0
    rates: Any = field(default_factory=lambda: np.zeros(0))  # EUR per unit, e9
    positions: Any = field(default_factory=lambda: np.zeros(0, np.int64))
    marks_e6: Any = field(default_factory=lambda: np.zeros(0, np.int64))
    quoting: Any = field(default_factory=lambda: np.zeros(0, np.int64))
    _open: dict[int, bool] = field(default_factory=dict)  # order at the desk -> filled in part

    def apply(self, frame: Frame) -> None:
        """Take one frame, in order."""
        self.frames += 1
        kind = frame.kind
        if kind == jn.EXECUTION:
            self._on_execution(frame.record)
        elif kind == jn.QUOTE:
            self._on_quote(frame.record)
        elif kind == jn.ORDER:
            self.orders += 1
        elif kind == jn.VENUE_QUOTE:
            self.venue_quotes += frame.body.size // schema.venue_quote.itemsize
        elif kind == jn.DESK_ITEM:
            self.queue.apply(frame)
        elif kind in KINDS:
            for number, row in self.rows.changed(frame):
                self._on_instrument(number, row)

    def _on_instrument(self, index: int, row: Any) -> None:
        if index >= self.rates.size:
            more = index + 1 - self.rates.size
            self.rates = np.append(self.rates, np.zeros(more))
            self.positions = np.append(self.positions, np.zeros(more, np.int64))
            self.marks_e6 = np.append(self.marks_e6, np.zeros(more, np.int64))
            self.quoting = np.append(self.quoting, np.zeros(more, np.int64))
        self.rates[index] = int(row["eur_per_unit_e9"])

    def _on_quote(self, row: Any) -> None:
        instrument = int(row["instrument"])
        self.own_quotes += 1
        self.quoting[instrument] = row["state"]
        if row["state"] == QuoteState.LIVE:
            bid, ask = int(row["source_bid_px_e6"]), int(row["source_ask_px_e6"])
            self.marks_e6[instrument] = (bid + ask) // 2

    def _on_execution(self, row: Any) -> None:
        kind = int(row["kind"])
        zone = self.zones[Zone(int(row["zone"]))]
        order_id = int(row["order_id"])
        if kind == ExecKind.NEW:
            self._first(zone)
            self.desk_items += 1
            zone.on_desk += 1
            self._open[order_id] = False
        elif kind == ExecKind.FILL:
            self._on_fill(row, zone, order_id)
        elif kind in (ExecKind.CANCELLED, ExecKind.EXPIRED, ExecKind.REJECTED):
            self.reasons[Reason(int(row["reason"]))] += 1
            in_part = self._open.pop(order_id, None) if order_id else None
            if in_part is None:
                self._first(zone)
            else:
                zone.on_desk -= 1
            if in_part:
                zone.part += 1
            elif kind == ExecKind.CANCELLED:
                zone.cancelled += 1
            elif kind == ExecKind.EXPIRED:
                zone.expired += 1
            else:
                zone.rejected += 1

    def _first(self, zone: ZoneCount) -> None:
        """An order's first answer."""
        self.answers += 1
        zone.orders += 1

    def _on_fill(self, row: Any, zone: ZoneCount, order_id: int) -> None:
        instrument = int(row["instrument"])
        last_qty = int(row["last_qty"])
        rate = float(self.rates[instrument])
        self.fills += 1
        self.filled_qty += last_qty
        self.positions[instrument] = int(row["position_after"])
        if self.marks_e6[instrument] == 0:
            self.marks_e6[instrument] = int(row["last_px_e6"])
        zone.filled_eur += int(row["last_px_e6"]) * last_qty * rate * EUR
        improvement_eur = int(row["improvement_e6"]) * last_qty * rate * EUR
        zone.improvement_eur += improvement_eur
        if improvement_eur > self.best.improvement_eur:
            self.best = Best(order_id, improvement_eur)
        self.tape.append(row.copy())
        whole = row["order_state"] == OrderState.FILLED
        if order_id not in self._open:
            self._first(zone)
            zone.filled += 1
        elif whole:
            del self._open[order_id]
            zone.on_desk -= 1
            zone.filled += 1
        else:
            self._open[order_id] = True

    # --- sums ---------------------------------------------------------------------------------

    @property
    def rejects(self) -> int:
        """Orders that were refused."""
        return sum(zone.rejected for zone in self.zones.values())

    @property
    def filled_eur(self) -> float:
        """Value dealt."""
        return sum(zone.filled_eur for zone in self.zones.values())

    @property
    def improvement_eur(self) -> float:
        """What the clients saved against the quotes."""
        return sum(zone.improvement_eur for zone in self.zones.values())

    def position_eur(self) -> tuple[float, float]:
        """Gross and net, at the last midpoint of the market that our quote was made from."""
        values = self.positions.astype(np.float64) * self.marks_e6 * self.rates * EUR
        return float(np.abs(values).sum()), float(values.sum())

    def quoted(self) -> tuple[int, int]:
        """Instruments with a live quote of ours, and all instruments."""
        return int(np.count_nonzero(self.quoting == QuoteState.LIVE)), self.quoting.size
