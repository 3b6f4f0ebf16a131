"""A venue's book in depth, from orders or from whole levels; the best of it is what the feed sends.

Rule: the book never holds what it cannot account for. An event about an order or a level that it
does not have is answered with a Fault and changes nothing; what to do then is the caller's choice.
"""

from collections import Counter
from collections.abc import Hashable
from enum import StrEnum
from typing import NamedTuple

from sortedcontainers import SortedDict

from engine.enums import Side

ORDERS_MAX = 1 << 17  # of one book
LEVELS_MAX = 1 << 14  # of one side


class Fault(StrEnum):
    """What is wrong with an event; the book is as it was before."""

    UNKNOWN = "unknown"  # no such order or level
    AGAIN = "there_already"
    SIDE = "other_side"  # the order is there, but on the other side
    TOO_MUCH = "more_than_there_is"
    NOT_POSITIVE = "not_positive"
    FULL = "book_full"


class Order(NamedTuple):
    """One order, or all that was there at a price before the events began."""

    side: Side
    px_e6: int
    qty: int


class Level(NamedTuple):
    """Row n of both sides; 0 where a side has no such level."""

    bid_px_e6: int
    bid_qty: int
    ask_px_e6: int
    ask_qty: int


class Book:
    """One instrument at one venue. Quantities are above 0, prices are `_e6`."""

    def __init__(self) -> None:
        self.bids: SortedDict = SortedDict()  # price -> quantity, lowest first
        self.asks: SortedDict = SortedDict()
        self.orders: dict[Hashable, Order] = {}
        self.faults: Counter[Fault] = Counter()

    def clear(self) -> None:
        """Nothing is there; the count of faults stays."""
        self.bids.clear()
        self.asks.clear()
        self.orders.clear()

    # --- orders -----------------------------------------------------------------------------------

    def add(self, key: Hashable, side: Side, px_e6: int, qty: int) -> Fault | None:
        """A new order."""
        levels = self._levels(side)
        if qty <= 0 or px_e6 <= 0:
            return self._fault(Fault.NOT_POSITIVE)
        if key in self.orders:
            return self._fault(Fault.AGAIN)
        if len(self.orders) >= ORDERS_MAX or len(levels) >= LEVELS_MAX:
            return self._fault(Fault.FULL)
        self.orders[key] = Order(side, px_e6, qty)
        levels[px_e6] = levels.get(px_e6, 0) + qty
        return None

    def before(self, side: Side, px_e6: int, qty: int) -> Fault | None:
        """What rests at a price from before the events: orders that nobody named."""
        return self.add((side, px_e6), side, px_e6, qty)

    def reduce(self, key: Hashable, side: Side, px_e6: int, qty: int) -> Fault | None:
        """Take shares away from an order; unknown, it is one of those from before at this price."""
        order = self.orders.get(key)
        if order is None:
            key = side, px_e6
            order = self.orders.get(key)
        if order is None:
            return self._fault(Fault.UNKNOWN)
        if order.side != side:
            return self._fault(Fault.SIDE)
        if qty <= 0:
            return self._fault(Fault.NOT_POSITIVE)
        if qty > order.qty:
            return self._fault(Fault.TOO_MUCH)
        self._take(order, qty)
        if qty == order.qty:
            del self.orders[key]
        else:
            self.orders[key] = order._replace(qty=order.qty - qty)
        return None

    def change(self, key: Hashable, side: Side, px_e6: int, qty: int) -> Fault | None:
        """An order has another price or quantity."""
        order = self.orders.get(key)
        if order is None:
            return self._fault(Fault.UNKNOWN)
        if order.side != side:
            return self._fault(Fault.SIDE)
        if qty <= 0 or px_e6 <= 0:
            return self._fault(Fault.NOT_POSITIVE)
        self._take(order, order.qty)
        del self.orders[key]
        return self.add(key, side, px_e6, qty)

    def delete(self, key: Hashable) -> Fault | None:
        """An order is gone."""
        order = self.orders.pop(key, None)
        if order is None:
            return self._fault(Fault.UNKNOWN)
        self._take(order, order.qty)
        return None

    def _take(self, order: Order, qty: int) -> None:
        levels = self._levels(order.side)
        left = levels[order.px_e6] - qty
        assert left >= 0, "a level is the sum of its orders"
        if left:
            levels[order.px_e6] = left
        else:
            del levels[order.px_e6]

    # --- levels -----------------------------------------------------------------------------------

    def set_side(self, side: Side, levels: list[tuple[int, int]]) -> None:
        """A side anew, as (price, quantity); prices that come twice add up."""
        kept = self._levels(side)
        for key in [key for key, order in self.orders.items() if order.side == side]:
            del self.orders[key]
        totals: dict[int, int] = {}
        for px_e6, qty in levels[:LEVELS_MAX]:
            assert px_e6 > 0 and qty > 0, "a reader refuses others"
            totals[px_e6] = totals.get(px_e6, 0) + qty
        kept.clear()
        kept.update(totals)
        for px_e6, qty in totals.items():
            self.orders[side, px_e6] = Order(side, px_e6, qty)

    # --- views ------------------------------------------------------------------------------------

    def best(self) -> tuple[int, int, int, int]:
        """Bid and ask price, bid and ask quantity; 0 and 0 for a side that is empty."""
        bid_px_e6, bid_qty = self.bids.peekitem(-1) if self.bids else (0, 0)
        ask_px_e6, ask_qty = self.asks.peekitem(0) if self.asks else (0, 0)
        return bid_px_e6, ask_px_e6, bid_qty, ask_qty

    def depth(self, levels: int) -> list[Level]:
        """The best levels of both sides, as many as there are, at most `levels`."""
        count = min(levels, max(len(self.bids), len(self.asks)))
        rows = []
        for at in range(count):
            bid = self.bids.peekitem(-1 - at) if at < len(self.bids) else (0, 0)
            ask = self.asks.peekitem(at) if at < len(self.asks) else (0, 0)
            rows.append(Level(*bid, *ask))
        return rows

    def _levels(self, side: Side) -> SortedDict:
        assert side in (Side.BUY, Side.SELL)
        return self.bids if side == Side.BUY else self.asks

    def _fault(self, fault: Fault) -> Fault:
        self.faults[fault] += 1
        return fault
