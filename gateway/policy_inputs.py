"""Generated inputs of a policy: every price range, spread, position and client, from one seed.

Prices are on tick as our own quotes are; one input in a hundred is at the edge of what the engine
takes. What an engine could not give a policy does not occur.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import regimes, schema
from engine.limits import PX_E6_MAX, TICK_BANDS, TIERS
from engine.ticks import FREE_TICK_E6

PX_E6_MIN, PX_E6_USUAL = 10_000, 60_000 * 10**6
SPREADS_TICKS = (0, 1, 1, 2, 2, 3, 4, 5, 8, 13, 40, 200)
SIDES = (1, 2, 5)
ZONES = (1, 1, 2, 3, 5)


def generate(seed: int, count: int) -> tuple[Any, Any]:
    """`policy_input[count]` without parameters, and the liquidity band of each, `int64[count]`."""
    random = np.random.default_rng(seed)
    rows = np.zeros(count, schema.policy_input)
    bands = random.integers(0, TICK_BANDS + 1, count)
    mids = np.exp(random.uniform(np.log(PX_E6_MIN), np.log(PX_E6_USUAL), count)).astype(np.int64)
    edge = random.random(count) < 0.01
    mids[edge] = np.where(random.random(edge.sum()) < 0.5, 100, PX_E6_MAX // 2)
    tick = ticks_at(mids, bands)
    bid = np.maximum(mids // tick, 1) * tick
    ask = bid + random.choice(SPREADS_TICKS, count) * tick
    tick = ticks_at(ask, bands)  # of the range that the ask lies in
    ask = -(-ask // tick) * tick
    rows["side"] = random.choice(SIDES, count)
    rows["bid_px_e6"], rows["ask_px_e6"] = bid, ask
    rows["mid_x2_e6"] = bid + ask
    rows["quote_px_e6"] = np.where(rows["side"] == 1, ask, bid)
    rows["tick_e6"] = ticks_at(rows["quote_px_e6"], bands)
    value_e6 = np.exp(random.uniform(np.log(10**8), np.log(10**12), count)).astype(np.int64)
    rows["qty"] = np.maximum(2 * value_e6 // rows["mid_x2_e6"], 1)
    rows["notional_e6"] = rows["qty"] * rows["mid_x2_e6"] // 2
    rows["zone"] = random.choice(ZONES, count)
    _positions(random, rows)
    rows["recv_ns"] = 1_780_000_000 * 10**9 + np.cumsum(random.integers(0, 10**9, count))
    rows["tier"] = random.integers(0, TIERS, count)
    from_mrm = random.random(count) < 0.8
    rows["mrm_bid_px_e6"] = np.where(from_mrm, bid, 0)
    rows["mrm_ask_px_e6"] = np.where(from_mrm, ask, 0)
    vol_e9 = np.exp(random.uniform(np.log(10**3), np.log(10**7), count)).astype(np.int64)
    rows["vol_e9"] = np.where(random.random(count) < 0.1, 0, vol_e9)
    rows["vol_e9"][edge] = 10**9
    fills = random.choice((0, 1, 5, 20, 100, 10_000), (count, 4))
    rows["markout_fills"] = np.sort(fills, axis=1)[:, ::-1]  # the short ones are taken first
    markouts = random.normal(0, 2 * 10**5, (count, 4)).astype(np.int64)
    rows["markout_e9"] = np.where(rows["markout_fills"] > 0, markouts, 0)
    return rows, bands


def ticks_at(px_e6: Any, bands: Any) -> Any:
    """Tick of each price in its liquidity band, `int64` like both."""
    table = regimes.tick_rows()
    place = np.searchsorted(table["below_px_e6"], px_e6, side="right")
    found = table["tick_e6"][np.minimum(place, len(table) - 1), np.maximum(bands, 1) - 1]
    return np.where(bands == 0, FREE_TICK_E6, found)


def _positions(random: Any, rows: Any) -> None:
    """Long, short, none, and exactly at the limit; some instruments have no limit."""
    count = len(rows)
    limit_e6 = random.choice((0, 10**11, 10**13), count)
    share = random.choice((0.0, 0.01, 0.3, 0.9, 1.0), count) * random.choice((-1, 1), count)
    full_e6 = np.where(limit_e6 > 0, limit_e6, 10**12)
    rows["position_max_e6"] = limit_e6
    rows["position_qty"] = (share * full_e6 / (rows["mid_x2_e6"] / 2)).astype(np.int64)
