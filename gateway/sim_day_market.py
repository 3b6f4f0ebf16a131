"""A generated day of several venues: seeded walks on tick, with all that a real feed does.

Times are on a grid of ticks of 100 ms. Between them nothing happens, so whole blocks of the day are
drawn at once. An instrument moves as often as it is lively; a line that has nothing new is said
again as a snapshot before it would go stale, as real feeds do. Episodes are drawn for the whole day
beforehand. Each venue counts its records (COUNTED), and what is lost on the way is seen as a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from engine import schema
from engine.enums import COUNTED, Phase
from gateway.demo_market import tick_e6
from gateway.demo_world import World
from gateway.feed_files import RECORDS_MAX
from gateway.loop import TICK_NS
from gateway.sim_day_tape import CHUNK, Chunk

TICKS_PER_S = 10**9 // TICK_NS
TICKS_PER_HOUR = 3_600 * TICKS_PER_S
BLOCK = 300  # ticks that are drawn at once
WALK = 0.0002  # standard deviation of one move, of the price
HOME = 0.05  # share of the way back to the reference price, each block
TOLD = 0.7  # share of the lines that say a move at once; the others at their next snapshot
BURST = 30  # times as many moves
SNAPSHOTS = 2.5  # of each line within the time in which it would go stale
SPREAD_NS = 90_000_000  # of a tick, over which its datagrams are spread


class Kind(IntEnum):
    """Of an episode; the first ones are states of an instrument, the others happen to venues."""

    NORMAL = 0
    HALTED = 1  # on the most relevant market, then an auction there
    AUCTION = 2
    ONE_SIDED = 3  # its offer is gone
    CROSSED = 4  # another venue bids over its offer
    LOST = 5  # records of one venue do not arrive, for a moment
    OUTAGE = 6  # for longer
    BLACKOUT = 7  # of no venue any record arrives
    BURST = 8


class Habit(NamedTuple):
    """How often a kind of episode comes, and how long it lasts (seconds)."""

    kind: Kind
    hours_each: float  # of one instrument, or of one venue
    shortest_s: float
    longest_s: float


HABITS = (
    Habit(Kind.HALTED, 400, 120, 300),
    Habit(Kind.CROSSED, 20, 2, 5),
    Habit(Kind.ONE_SIDED, 40, 2, 4),
    Habit(Kind.LOST, 4, 0.1, 0.5),
    Habit(Kind.OUTAGE, 10, 8, 20),
    Habit(Kind.BLACKOUT, 40, 6, 8),
    Habit(Kind.BURST, 1, 1, 3),
)
AUCTION_S = 12
SHARE_MAX = 0.05  # of a day that one episode may take


class Episode(NamedTuple):
    """From tick `first` up to `last`, without it; of an instrument or a venue, by its row."""

    kind: Kind
    subject: int
    first: int
    last: int


class Hours(NamedTuple):
    """When records begin, and the hours in which orders are answered; ns, on whole ticks."""

    from_ns: int
    open_ns: int
    close_ns: int


class Market:
    """All venues of the first `count` instruments of a world."""

    def __init__(self, world: World, rows: Any, hours: Hours, seed: int, stale_ns: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.hours = hours
        self.venues = len(world.venues)
        self.mics = np.array([schema.pack(mic) for mic in world.venues])
        self.rows = world.rows[rows]
        self.ref_px_e6 = world.ref_px_e6[rows].astype(np.float64)
        self.px_e6 = self.ref_px_e6.copy()
        self.ticks = (hours.close_ns - hours.from_ns) // TICK_NS
        self.lead = (hours.open_ns - hours.from_ns) // TICK_NS
        count = len(self.rows)
        self.half_ticks = self.rng.integers(2, 5, count) / 2
        self.activity = 10 ** self.rng.uniform(-3, -0.7, count)  # moves a tick
        self.instrument, self.venue = self._lines()
        self.is_home = self.venue == self.rows["mrm_venue"][self.instrument]
        lines = len(self.venue)
        self.wider_ticks = np.where(self.is_home, 0, self.rng.integers(1, 5, lines))
        self.qty = self.rng.integers(2, 60, lines) * 100
        self.every = max(1, int(stale_ns / SNAPSHOTS) // TICK_NS)
        self.offset = self.rng.integers(0, self.every, lines)
        self.episodes = self._episodes()
        self.seq = np.zeros(self.venues, np.int64)
        self._before = np.full(count, -1)

    def _lines(self) -> tuple[Any, Any]:
        """Instrument and venue of every line: the most relevant market and some of the others."""
        pairs = []
        for index, row in enumerate(self.rows):
            home = int(row["mrm_venue"])
            others = [venue for venue in range(self.venues) if venue != home]
            self.rng.shuffle(others)
            more = int(self.rng.integers(1, len(others) + 1)) if others else 0
            pairs += [(venue, index) for venue in [home, *others[:more]]]
        venue, instrument = np.array(sorted(pairs)).T  # a datagram is of one venue
        return instrument, venue

    def _episodes(self) -> list[Episode]:
        """Drawn for the whole day; at least one of each kind, however short the day is."""
        day = self.ticks - self.lead
        found = []
        for habit in HABITS:
            of_venues = habit.kind in (Kind.LOST, Kind.OUTAGE)
            subjects = self.venues if of_venues else len(self.rows)
            if habit.kind in (Kind.BLACKOUT, Kind.BURST):
                subjects = 1
            for _ in range(ceil(subjects * day / TICKS_PER_HOUR / habit.hours_each)):
                length_s = self.rng.uniform(habit.shortest_s, habit.longest_s)
                length = max(1, int(min(length_s * TICKS_PER_S, day * SHARE_MAX)))
                first = self.lead + int(self.rng.uniform(0.05, 0.9) * day)
                subject = int(self.rng.integers(subjects))
                found.append(Episode(habit.kind, subject, first, first + length))
                if habit.kind == Kind.HALTED:
                    auction = max(1, int(min(AUCTION_S * TICKS_PER_S, day * SHARE_MAX)))
                    last = first + length
                    found.append(Episode(Kind.AUCTION, subject, last, last + auction))
        found += [Episode(Kind.AUCTION, row, 0, self.lead) for row in range(len(self.rows))]
        return found

    def chunks(self) -> Iterator[Chunk]:
        """The whole day."""
        for first in range(0, self.ticks, BLOCK):
            block = self._block(first, min(BLOCK, self.ticks - first))
            for start in range(0, len(block.times_ns), CHUNK):
                yield Chunk(*(part[start : start + CHUNK] for part in block))

    def _block(self, first: int, ticks: int) -> Chunk:
        """All records of some ticks."""
        rng, count = self.rng, len(self.rows)
        states, lost, rate = self._over(first, ticks)
        moves = rng.random((ticks, count)) < self.activity * rate[:, None]
        steps = np.cumsum(rng.normal(0, WALK, (ticks, count)) * moves, axis=0)
        px_e6 = self.px_e6 * np.exp(steps)
        self.px_e6 = px_e6[-1] + (self.ref_px_e6 - px_e6[-1]) * HOME
        changed = states != np.vstack([self._before, states[:-1]])
        self._before = states[-1]
        said = rng.random((ticks, len(self.venue))) < TOLD
        due = (first + np.arange(ticks)[:, None] + self.offset) % self.every == 0
        tick, line = np.nonzero(
            due | (said & moves[:, self.instrument]) | changed[:, self.instrument]
        )
        instrument = self.instrument[line]
        records = self._quotes(
            first + tick, line, px_e6[tick, instrument], states[tick, instrument]
        )
        here = self.venue[line]
        for venue in range(self.venues):
            mine = here == venue
            records["seq"][mine] = self.seq[venue] + 1 + np.arange(np.count_nonzero(mine))
            self.seq[venue] += np.count_nonzero(mine)
        arrived = ~lost[tick, here]
        times_ns = self.hours.from_ns + (first + tick) * TICK_NS + _within_tick_ns(tick)
        return Chunk(times_ns[arrived], records[arrived])

    def _over(self, first: int, ticks: int) -> tuple[Any, Any, Any]:
        """States of the instruments, which venues are lost, and how busy it is, tick by tick."""
        states = np.full((ticks, len(self.rows)), int(Kind.NORMAL))
        lost = np.zeros((ticks, self.venues), bool)
        rate = np.ones(ticks)
        for kind, subject, begins, ends in self.episodes:
            where = slice(max(begins - first, 0), max(ends - first, 0))
            if kind < Kind.LOST:
                states[where, subject] = kind
            elif kind == Kind.BURST:
                rate[where] = BURST
            elif kind == Kind.BLACKOUT:
                lost[where] = True
            else:
                lost[where, subject] = True
        return states, lost, rate

    def _quotes(self, tick: Any, line: Any, px_e6: Any, state: Any) -> Any:
        """What these lines say at these ticks; `seq` is left to the caller."""
        instrument, home = self.instrument[line], self.is_home[line]
        band = self.rows["tick_band"][instrument]
        step = tick_e6(band, px_e6.astype(np.int64))
        away = (self.half_ticks[instrument] + self.wider_ticks[line]) * step
        crossed = (state == Kind.CROSSED) & ~home
        bid = np.where(crossed, px_e6 + 2 * away, px_e6 - away).astype(np.int64)
        ask = np.where(crossed, px_e6 + 4 * away, px_e6 + away).astype(np.int64)
        bid_tick, ask_tick = tick_e6(band, bid), tick_e6(band, ask)
        bid -= bid % bid_tick
        ask += -ask % ask_tick
        one_sided = (state == Kind.ONE_SIDED) & home
        qty = self.qty[line] * (1 + (tick // 600 + line) % 3)
        made = np.zeros(len(line), schema.venue_quote)
        made["isin"] = self.rows["isin"][instrument]
        made["mic"] = self.mics[self.venue[line]]
        phase = np.where(
            home & (state == Kind.HALTED), Phase.HALTED,
            np.where(home & (state == Kind.AUCTION), Phase.AUCTION, Phase.CONTINUOUS),
        )  # fmt: skip
        made["phase"] = phase | COUNTED
        made["bid_px_e6"] = np.maximum(bid, bid_tick)
        made["ask_px_e6"] = np.where(one_sided, 0, ask)
        made["bid_qty"] = qty
        made["ask_qty"] = np.where(one_sided, 0, qty)
        return made


def _within_tick_ns(tick: Any) -> Any:
    """When each record comes within its tick: datagram by datagram, evenly."""
    if not len(tick):
        return tick
    starts = np.flatnonzero(np.diff(tick, prepend=-1))
    counts = np.diff(starts, append=len(tick))
    datagram = (np.arange(len(tick)) - np.repeat(starts, counts)) // RECORDS_MAX
    return datagram * np.repeat(SPREAD_NS // (counts // RECORDS_MAX + 1), counts)
