"""Clients' orders of a simulated day: drawn from a seed, or read from a file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

from engine.enums import QuoteState, Side, Tif
from engine.limits import PX_E6_MAX, QTY_MAX
from engine.schema import unpack
from gateway import fix_message as fm
from gateway.demo_market import tick_e6
from gateway.errors import UserError
from gateway.feed_lines import utc_ns
from gateway.fix_message import Fields
from refdata.rows import Row, parse_all, read_rows

if TYPE_CHECKING:
    from engine.tables import Tables
    from gateway.sim_day_market import Hours

EDGE_NS = 10**9  # orders also come so long before the open and after the close
COLUMNS = ("time", "session", "isin", "side", "qty")
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
TIFS = {"": Tif.DAY, "day": Tif.DAY, "ioc": Tif.IOC, "fok": Tif.FOK}

#: Size as a multiple of SMS, from and below, and how often: within Qmin, within the obligation,
#: above it for the desk, large in scale for most instruments.
SIZES = ((0.02, 1.0, 0.70), (1.0, 1.9, 0.15), (2.2, 8.0, 0.11), (40.0, 80.0, 0.04))
ILLIQUID_EUR = 5_000
ODD = 0.02  # share of orders that must be refused: off tick, or beyond the collar
LIMITS = 0.4


class Order(NamedTuple):
    """One NewOrderSingle(D); `px` is empty at market."""

    time_ns: int
    session: int  # its row
    isin: str
    side: Side
    qty: int
    px: str
    tif: Tif

    def fields(self, clordid: str) -> Fields:
        """Of the message, in FIX's order; the same in every version."""
        made: Fields = [(11, clordid), (21, 1), (55, self.isin), (48, self.isin), (22, 4)]
        made += [(54, int(self.side)), (38, self.qty), (40, 2 if self.px else 1)]
        if self.px:
            made.append((44, self.px))
        return [*made, (59, int(self.tif)), (60, fm.stamp(self.time_ns, 3))]


class Orders(Protocol):
    """Orders in the order of their times."""

    @property
    def due_ns(self) -> int:
        """Of the next one; FAR_NS where there is none."""
        ...

    def take(self) -> Order:
        """The next one, at its time."""
        ...


FAR_NS = 2**62


class NoOrders:
    """A day of quotes alone."""

    due_ns = FAR_NS

    def take(self) -> Order:
        """There is none."""
        raise AssertionError("no order is due")


class DrawnOrders:
    """As many a second as is asked for, at random times, of all zones; a price is our quote then.

    A client sees our public quote, so limits are about it: at it, through it, or short of it.
    """

    def __init__(
        self, tables: Tables, rows: list[int], sessions: list[int], hours: Hours, rate: float,
        seed: int,
    ) -> None:  # fmt: skip
        self.tables, self.rows, self.sessions = tables, rows, sessions
        self.rng, self.rate = Random(seed), rate
        self.end_ns = hours.close_ns + EDGE_NS
        self.due_ns = hours.open_ns - EDGE_NS
        self._step()

    def _step(self) -> None:
        self.due_ns += int(self.rng.expovariate(self.rate) * 10**9)
        if self.due_ns >= self.end_ns:
            self.due_ns = FAR_NS

    def take(self) -> Order:
        """The next one; its price is made from what is public now."""
        rng, time_ns = self.rng, self.due_ns
        row = rng.choice(self.rows)
        instrument, quote = self.tables.instruments[row], self.tables.quotes[row]
        side = rng.choice((Side.BUY, Side.SELL))
        live = int(quote["state"]) == QuoteState.LIVE
        quoted_e6 = int(quote["ask_px_e6" if side == Side.BUY else "bid_px_e6"]) if live else 0
        low, high, _ = rng.choices(SIZES, [size[2] for size in SIZES])[0]
        value_e6 = int(instrument["sms_e6"] * rng.uniform(low, high))
        if not instrument["liquid"]:
            value_e6 = ILLIQUID_EUR * 10**15 // int(instrument["eur_per_unit_e9"])
        lot = int(instrument["lot"])
        px_e6 = quoted_e6 or 10**8
        qty = min(max(value_e6 // px_e6 // lot, 1) * lot, QTY_MAX)
        tif = rng.choices((Tif.DAY, Tif.IOC, Tif.FOK), (6, 3, 1))[0]
        text = self._limit(int(instrument["tick_band"]), side, quoted_e6) if quoted_e6 else ""
        self._step()
        isin = unpack(instrument["isin"])
        return Order(time_ns, rng.choice(self.sessions), isin, side, qty, text, tif)

    def _limit(self, band: int, side: Side, quoted_e6: int) -> str:
        """Price(44), or nothing for an order at market."""
        rng = self.rng
        tick = int(tick_e6(band, quoted_e6))
        towards_us = 1 if side == Side.BUY else -1
        if rng.random() < ODD:
            wrong_e6 = rng.choice((quoted_e6 + 1, 2 * quoted_e6))
            return _decimal(wrong_e6)
        if rng.random() >= LIMITS:
            return ""
        px_e6 = quoted_e6 + towards_us * rng.choice((-3, -1, 0, 0, 0, 1, 3)) * tick
        return _decimal(px_e6 if px_e6 > 0 else quoted_e6)


def _decimal(px_e6: int) -> str:
    return f"{Decimal(px_e6).scaleb(-6).normalize():f}"


class FileOrders:
    """A CSV file: time,session,isin,side,qty[,price][,tif]; a session by its SenderCompID(49)."""

    def __init__(self, path: Path, sessions: dict[str, int], from_ns: int, until_ns: int) -> None:
        rows = read_rows(path, required=COLUMNS, optional=("price", "tif"))
        found = parse_all(rows, lambda row: _parse(row, sessions))
        for order in found:
            if not from_ns <= order.time_ns < until_ns:
                raise UserError(f"{path}: an order at {fm.stamp(order.time_ns)} is of another day")
        found.sort(key=lambda order: order.time_ns)
        self._orders: Iterator[Order] = iter(found)
        self._next = next(self._orders, None)

    @property
    def due_ns(self) -> int:
        """Of the next one."""
        return self._next.time_ns if self._next else FAR_NS

    def take(self) -> Order:
        """The next one."""
        order = self._next
        assert order is not None, "no order is due"
        self._next = next(self._orders, None)
        return order


def _parse(row: Row, sessions: dict[str, int]) -> Order:
    try:
        time_ns = utc_ns(row.text("time"))
    except ValueError:
        raise row.refuse("time", "write the time in UTC as 2026-06-08T07:59:52.123Z") from None
    qty = row.scaled("qty", 0, QTY_MAX)
    px_e6 = row.scaled("price", 6, PX_E6_MAX)
    if qty == 0:
        raise row.refuse("qty", "write a whole number above 0")
    return Order(
        time_ns, row.choice("session", sessions), row.isin("isin"), row.choice("side", SIDES), qty,
        _decimal(px_e6) if px_e6 else "", row.choice("tif", TIFS),
    )  # fmt: skip
