"""The demo's market: five venues that quote the sample's instruments over UDP, by seeded walks.

The most relevant market is tight, the others are wider. Now and then an instrument is in a mood:
halted, silent until it is stale, one-sided or crossed. A process of its own runs `serve`.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine import schema
from engine.enums import Phase
from engine.regimes import TICKS
from gateway import config as configuration
from gateway import demo_world
from gateway.demo_world import World

RECORDS_MAX = 20  # of one datagram
FIRST_PAUSE_S = 0.001  # between the datagrams of the first round: a receive buffer is only so big
STEP_S = 0.02
STEP_QUOTES = 60  # 3,000 quotes/s: each line about twice a second
MOODS_PER_S = 6
MOOD_S = (2.5, 6.0)  # shortest and longest; a silent instrument is stale after STALE_MS
WALK = 0.0002  # standard deviation of one move, of the price
HOME = 0.01  # share of the way back to the reference price, at each move
NICE = 10  # market, desk and screen give way to the engine and its clients
FREE_TICK_E6 = 10_000  # what venues use where no tick is mandatory

_BELOW_E6 = np.array([below for below, _ in TICKS], np.int64)
_TICKS_E6 = np.array([ticks for _, ticks in TICKS], np.int64)


class Mood(IntEnum):
    """What is odd about an instrument for a few seconds."""

    NORMAL = 0
    HALTED = 1
    SILENT = 2
    ONE_SIDED = 3
    CROSSED = 4


class Lines(NamedTuple):
    """One row per instrument and venue that quotes it."""

    instrument: Any
    mic: Any
    home: Any  # 1 at the most relevant market
    wider_ticks: Any  # each side, against the tightest
    qty: Any


def tick_e6(bands: Any, px_e6: Any) -> Any:
    """Tick of each price in its band."""
    rows = np.searchsorted(_BELOW_E6, px_e6, side="right")
    ticks = _TICKS_E6[np.minimum(rows, len(TICKS) - 1), np.maximum(bands, 1) - 1]
    return np.where(bands == 0, FREE_TICK_E6, ticks)


class Market:
    """Prices, moods, and the lines in the order in which they are quoted."""

    def __init__(self, world: World, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.world = world
        self.px_e6 = world.ref_px_e6.astype(np.float64)
        self.mood = np.zeros(len(world.rows), np.int64)
        self.mood_until_s = np.zeros(len(world.rows))
        self.half_ticks = self.rng.integers(2, 5, len(world.rows)) / 2
        self.lines = self._lines()
        self.seq = 0
        self._next = 0
        self._moods_due = 0.0

    def _lines(self) -> Lines:
        """Every instrument on its most relevant market and on one to four others."""
        rng, world = self.rng, self.world
        pairs = []
        for row_index, row in enumerate(world.rows):
            mrm_venue = int(row["mrm_venue"])
            others = [venue for venue in range(len(world.venues)) if venue != mrm_venue]
            rng.shuffle(others)
            count = int(rng.integers(1, len(others) + 1))
            pairs += [(row_index, venue) for venue in [mrm_venue, *others[:count]]]
        instrument, venue = np.array(pairs).T
        home = venue == world.rows["mrm_venue"][instrument]
        order = np.concatenate([np.flatnonzero(home), rng.permutation(np.flatnonzero(~home))])
        mics = np.array([schema.pack(mic) for mic in world.venues])
        return Lines(
            instrument=instrument[order],
            mic=mics[venue][order],
            home=home[order].astype(np.int64),
            wider_ticks=np.where(home[order], 0, rng.integers(1, 5, len(order))),
            qty=rng.integers(2, 60, len(order)) * 100,
        )

    def change_moods(self, now_s: float, step_s: float) -> None:
        """End what has lasted long enough; begin as many as are due."""
        self.mood[self.mood_until_s < now_s] = Mood.NORMAL
        self._moods_due += step_s * MOODS_PER_S
        while self._moods_due >= 1:
            self._moods_due -= 1
            instrument = int(self.rng.integers(len(self.mood)))
            self.mood[instrument] = self.rng.integers(Mood.HALTED, Mood.CROSSED + 1)
            self.mood_until_s[instrument] = now_s + self.rng.uniform(*MOOD_S)

    def step(self, count: int) -> Any:
        """Move the prices behind the next lines; their quotes, as `schema.venue_quote`."""
        at = np.arange(self._next, self._next + count) % len(self.lines.instrument)
        self._next = int(at[-1]) + 1
        at = at[self.mood[self.lines.instrument[at]] != Mood.SILENT]
        moved = np.unique(self.lines.instrument[at])
        reference = self.world.ref_px_e6[moved]
        px = self.px_e6[moved] * np.exp(self.rng.normal(0, WALK, len(moved)))
        self.px_e6[moved] = px + (reference - px) * HOME
        return self.quotes(at)

    def quotes(self, at: Any) -> Any:
        """What these lines say now."""
        lines, world = self.lines, self.world
        instrument = lines.instrument[at]
        bands = world.rows["tick_band"][instrument]
        px = self.px_e6[instrument]
        tick = tick_e6(bands, px.astype(np.int64))
        away = (self.half_ticks[instrument] + lines.wider_ticks[at]) * tick
        bid = (px - away).astype(np.int64)
        ask = (px + away).astype(np.int64)
        mood = self.mood[instrument]
        crossed = (mood == Mood.CROSSED) & (lines.home[at] == 0)
        bid = np.where(crossed, (px + 2 * away).astype(np.int64), bid)
        ask = np.where(crossed, (px + 4 * away).astype(np.int64), ask)
        bid_tick, ask_tick = tick_e6(bands, bid), tick_e6(bands, ask)
        bid -= bid % bid_tick
        ask += -ask % ask_tick
        made = np.zeros(len(at), schema.venue_quote)
        made["isin"] = world.rows["isin"][instrument]
        made["mic"] = lines.mic[at]
        made["seq"] = np.arange(self.seq + 1, self.seq + 1 + len(at))
        self.seq += len(at)
        halted = (mood == Mood.HALTED) & (lines.home[at] == 1)
        made["phase"] = np.where(halted, Phase.HALTED, Phase.CONTINUOUS)
        one_sided = mood == Mood.ONE_SIDED
        made["bid_px_e6"] = np.maximum(bid, bid_tick)
        made["ask_px_e6"] = np.where(one_sided, 0, ask)
        made["bid_qty"] = lines.qty[at]
        made["ask_qty"] = np.where(one_sided, 0, lines.qty[at])
        return made

    def show(self, touch_e6: Any) -> None:
        """Let the clients see the touch of each most relevant market: bids, then asks."""
        home = self.quotes(np.flatnonzero(self.lines.home))
        self.seq -= len(home)
        instrument = self.lines.instrument[self.lines.home == 1]
        touch_e6[0][instrument] = home["bid_px_e6"]
        touch_e6[1][instrument] = np.maximum(home["ask_px_e6"], home["bid_px_e6"])


def touch_of(memory: Any) -> Any:
    """The shared memory as `int64[2, instruments]`: bids and asks."""
    return np.frombuffer(memory, np.int64).reshape(2, -1)


def serve(directory: Path, seed: int, memory: Any, all_quoted: Any, stop: Any) -> None:
    """Quote until `stop`; `all_quoted` is set after the first round."""
    os.nice(NICE)
    config = configuration.load(directory)
    market = Market(demo_world.read(config), seed)
    touch_e6 = touch_of(memory)
    place = (config.feed.host, config.feed.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feed:
        _send(feed, place, market.quotes(np.arange(len(market.lines.instrument))), FIRST_PAUSE_S)
        market.show(touch_e6)
        all_quoted.set()
        due_s = time.monotonic()
        parent = multiprocessing.parent_process()
        while not stop.is_set() and (parent is None or parent.is_alive()):
            market.change_moods(due_s, STEP_S)
            _send(feed, place, market.step(STEP_QUOTES), 0)
            market.show(touch_e6)
            due_s = max(due_s + STEP_S, time.monotonic() - 1)
            time.sleep(max(0.0, due_s - time.monotonic()))


def _send(feed: socket.socket, place: tuple[str, int], quotes: Any, pause_s: float) -> None:
    for start in range(0, len(quotes), RECORDS_MAX):
        feed.sendto(quotes[start : start + RECORDS_MAX].tobytes(), place)
        if pause_s:
            time.sleep(pause_s)
