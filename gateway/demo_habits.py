"""The demo's five clients: what each of them sends, by its own seeded chance.

Sizes are chosen by what is public: SMS and LIS of the instrument, and the touch of its most
relevant market.
"""

from __future__ import annotations

import random
import time
from typing import Any

from engine.enums import OrdType, Side, Tif
from gateway.demo_fix import FixClient
from gateway.demo_market import FREE_TICK_E6, tick_e6
from gateway.demo_world import World
from gateway.explain import px


class Client(FixClient):
    """A session with a habit: `act` is called about `per_s` times a second."""

    per_s = 10.0
    habit = ""

    def __init__(self, port: int, world: World, touch_e6: Any, seed: int) -> None:
        super().__init__(type(self).__name__.upper(), port)
        self.rng = random.Random(f"{seed} {self.name}")
        self.world = world
        self.touch_e6 = touch_e6
        rows = world.rows
        self.listed = [i for i in range(len(rows)) if rows[i]["si"]]
        self.liquid = [i for i in self.listed if rows[i]["liquid"]]
        self.count = 0

    def act(self) -> None:
        """Do the next thing."""
        raise NotImplementedError

    def pause_s(self) -> float:
        """Until the next thing."""
        return self.rng.expovariate(self.per_s)

    def next_id(self) -> str:
        """A ClOrdID of this session's own."""
        self.count += 1
        return f"{self.name[:3]}{self.count}"

    def touch(self, instrument: int, side: Side) -> int:
        """Price at which the most relevant market would deal with this side."""
        return int(self.touch_e6[1 if side == Side.BUY else 0][instrument])

    def qty_of(self, instrument: int, amount_e6: float) -> int:
        """Whole shares of about this value in the instrument's currency."""
        mid_e6 = int(self.touch_e6[0][instrument] + self.touch_e6[1][instrument]) // 2
        return max(1, int(amount_e6 / mid_e6))

    def tick(self, instrument: int, px_e6: int) -> int:
        """Tick of the instrument at this price."""
        return int(tick_e6(self.world.rows["tick_band"][instrument], px_e6))

    def order(
        self, instrument: int, side: Side, qty: int, *, tif: Tif, limit_px_e6: int = 0
    ) -> str:
        """Send an order, to the market without a limit; answers its ClOrdID."""
        clordid = self.next_id()
        self.new_order(clordid, *self.terms(instrument, side, qty, tif, limit_px_e6))
        return clordid

    def terms(
        self, instrument: int, side: Side, qty: int, tif: Tif, limit_px_e6: int
    ) -> list[tuple[int, object]]:
        """The fields of an order."""
        isin = self.world.isins[instrument]
        fields: list[tuple[int, object]] = [
            (55, isin), (48, isin), (22, 4), (54, int(side)), (38, qty), (59, int(tif)),
        ]  # fmt: skip
        if limit_px_e6:
            return [*fields, (40, int(OrdType.LIMIT)), (44, px(limit_px_e6))]
        return [*fields, (40, int(OrdType.MARKET))]

    def side(self) -> Side:
        """Buyers and sellers in equal number."""
        return self.rng.choice((Side.BUY, Side.SELL))


class Retail(Client):
    """A broker for savers: small orders at market, in anything."""

    per_s = 80.0
    habit = "small market orders, IOC"

    def act(self) -> None:
        instrument = self.rng.choice(self.listed)
        eur = self.rng.lognormvariate(7.6, 0.9)  # half of them under EUR 2,000
        amount_e6 = eur * 1e15 / int(self.world.rows["eur_per_unit_e9"][instrument])
        self.order(instrument, self.side(), self.qty_of(instrument, amount_e6), tif=Tif.IOC)


class Router(Client):
    """A smart order router: limits at the touch, up to the size that must be quoted."""

    per_s = 240.0
    habit = "limits at the touch, IOC and FOK"

    def act(self) -> None:
        rng = self.rng
        instrument = rng.choice(self.liquid)
        side = self.side()
        sms_e6 = int(self.world.rows["sms_e6"][instrument])
        qty = self.qty_of(instrument, sms_e6 * rng.choice((0.1, 0.3, 0.6, 1.4, 1.8)))
        limit_px_e6 = self.touch(instrument, side)
        if rng.random() < 0.04:  # behind the touch: not marketable
            behind = -1 if side == Side.BUY else 1
            limit_px_e6 += 3 * behind * self.tick(instrument, limit_px_e6)
        tif = Tif.FOK if rng.random() < 0.1 else Tif.IOC
        self.order(instrument, side, qty, tif=tif, limit_px_e6=max(limit_px_e6, 0))


class AssetMgr(Client):
    """An asset manager: every size up to large in scale, by the day; changes its mind."""

    per_s = 9.0
    habit = "all sizes, DAY, cancels"

    def act(self) -> None:
        rng = self.rng
        waiting = [
            clordid
            for clordid, order in self.resting.items()
            if time.monotonic() - order.since_s > 0.3
        ]
        if waiting and rng.random() < 0.12:
            self.cancel(self.next_id(), rng.choice(waiting))
            return
        pool = self.listed if rng.random() < 0.15 else self.liquid
        instrument = rng.choice(pool)
        row = self.world.rows[instrument]
        sms_e6, lis_e6 = int(row["sms_e6"]), int(row["lis_e6"])
        amount_e6 = rng.choice(
            (0.9 * sms_e6, 1.9 * sms_e6, (2 * sms_e6 + lis_e6) / 2, 1.05 * lis_e6, 2.0 * lis_e6)
        )
        side = self.side()
        limit_px_e6 = self.touch(instrument, side) if rng.random() < 0.7 else 0
        qty = self.qty_of(instrument, amount_e6 or lis_e6)
        self.order(instrument, side, qty, tif=Tif.DAY, limit_px_e6=limit_px_e6)


class Careless(Client):
    """Somebody whose system was not tested: hardly an order of it can be filled."""

    per_s = 12.0
    habit = "mistakes of every kind"

    def act(self) -> None:
        rng = self.rng
        instrument, side = rng.choice(self.liquid), self.side()
        touch_e6 = self.touch(instrument, side)
        tick = self.tick(instrument, touch_e6)
        qty, limit_px_e6, tif = 10, touch_e6, Tif.IOC
        match rng.randrange(7):
            case 0:
                self._unknown(side)
                return
            case 1:  # off tick; where none is mandatory, finer than six decimals is
                limit_px_e6 += tick // 2 or 1
            case 2:  # far away
                limit_px_e6 = (touch_e6 // 2 // FREE_TICK_E6 + 1) * FREE_TICK_E6
                limit_px_e6 -= limit_px_e6 % self.tick(instrument, limit_px_e6)
            case 3:
                qty = 0
            case 4:  # over its own limit
                qty = self.qty_of(instrument, 9 * int(self.world.rows["lis_e6"][instrument]))
            case 5:
                self._again(instrument, side)
                return
            case 6:
                isin = self.world.isins[instrument]
                self.broken_order(
                    self.next_id(), (55, isin), (48, isin), (54, int(side)), (38, "ten"),
                    (40, int(OrdType.MARKET)), (59, int(Tif.IOC)),
                )  # fmt: skip
                return
        self.order(instrument, side, qty, tif=tif, limit_px_e6=limit_px_e6)

    def _unknown(self, side: Side) -> None:
        isin = f"XX{self.rng.randrange(10**9):09d}0"
        self.new_order(
            self.next_id(), (55, isin), (48, isin), (22, 4), (54, int(side)), (38, 100),
            (40, int(OrdType.MARKET)), (59, int(Tif.IOC)),
        )  # fmt: skip

    def _again(self, instrument: int, side: Side) -> None:
        """The same ClOrdID as an order before."""
        clordid = f"{self.name[:3]}{self.rng.randint(1, max(self.count, 1))}"
        if self.count and clordid not in self.awaited:
            self.new_order(clordid, *self.terms(instrument, side, 10, Tif.IOC, 0))


class Roamer(Client):
    """Somebody on a bad line: hangs up, comes back, and wants to know what it missed."""

    per_s = 15.0
    habit = "disconnects and resumes"

    def __init__(self, port: int, world: World, touch_e6: Any, seed: int) -> None:
        super().__init__(port, world, touch_e6, seed)
        self.hangs_up_s = time.monotonic() + 1.5

    def act(self) -> None:
        if self.socket is None:
            self.connect()
            self.hangs_up_s = time.monotonic() + self.rng.uniform(1.5, 4)
            return
        rng = self.rng
        instrument, side = rng.choice(self.liquid), self.side()
        row = self.world.rows[instrument]
        amount_e6 = int(row["sms_e6"]) * 0.5
        if rng.random() < 0.12:  # for the desk, which may fill it while we are away
            amount_e6 = int(row["lis_e6"]) * 1.1
        qty = self.qty_of(instrument, amount_e6)
        self.order(instrument, side, qty, tif=Tif.DAY)
        if time.monotonic() >= self.hangs_up_s:
            self.disconnect()  # at once, so that the answer is missed

    def pause_s(self) -> float:
        """Longer while the line is down."""
        return self.rng.uniform(0.5, 1.2) if self.socket is None else super().pause_s()


HABITS: tuple[type[Client], ...] = (Retail, Router, AssetMgr, Careless, Roamer)
