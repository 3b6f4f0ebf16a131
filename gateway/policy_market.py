"""A policy in the real engine: a generated market, and two clients of one tier who change places.

The same orders at the same times must be answered in the same way, whoever of the two sends which
(MiFIR Art 17(1): what a client gets depends on stated criteria, not on who it is).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine import regimes, schema, step, tables
from engine.enums import AssetClass, ExecKind, OrdType, Route, Side
from engine.limits import Capacity
from engine.outbox import allocate_outbox
from engine.policy import Policy
from engine.schema import pack

ORDERS = 200
START_NS = 1_780_000_000 * 10**9
ISIN, MIC = "XS0000000001", "XMKT"
TICK_E6, BAND = 10_000, 5  # RTS 11 at 20 to 50 euros in this band
CLIENTS = (0, 1)
HORIZONS_NS = [100 * 10**6, 10**9, 10 * 10**9, 60 * 10**9]


class Answer(NamedTuple):
    """What became of one order, without who sent it."""

    kind: int
    asked_px_e6: int
    clamp: int
    px_e6: int
    bid_px_e6: int
    ask_px_e6: int
    side: int


def both_ways(policy: Policy, param: list[int], seed: int = 1) -> dict[str, Any]:
    """Run a market, then the same with the clients' places changed; what differs, what is wrong."""
    first, second = (run(policy, param, seed, senders) for senders in (CLIENTS, CLIENTS[::-1]))
    differ = [n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    fills = [answer for answer in first if answer.kind == ExecKind.FILL]
    return {
        "orders": len(first),
        "fills": len(fills),
        "violations": sum(not _is_sound(answer) for answer in fills),
        "differing": len(differ),
        "first_difference": [first[differ[0]]._asdict(), second[differ[0]]._asdict()]
        if differ
        else None,
    }


def run(policy: Policy, param: list[int], seed: int, senders: tuple[int, int]) -> list[Answer]:
    """Answers to the orders of one market; `senders` says which client is which."""
    random = np.random.default_rng(seed)
    state, outbox = _world(policy, param), allocate_outbox()
    mid, now_ns, answers = 3_000, START_NS, []
    for number in range(ORDERS):
        now_ns += int(random.integers(10**6, 5 * 10**8))
        mid += int(random.integers(-2, 3))
        spread = int(random.integers(1, 9))
        quote = np.zeros(1, schema.venue_quote)[0]
        quote["isin"], quote["mic"], quote["seq"] = pack(ISIN, 2), pack(MIC), number
        quote["bid_px_e6"] = (mid - spread // 2) * TICK_E6
        quote["ask_px_e6"] = (mid - spread // 2 + spread) * TICK_E6
        quote["bid_qty"] = quote["ask_qty"] = 1_000
        step.on_venue_quote(state, outbox, quote, now_ns)
        sender = senders[int(random.integers(2))]
        event = np.zeros(1, schema.order_event)[0]
        event["session"] = event["client"] = sender
        event["isin"], event["clordid"] = pack(ISIN, 2), pack(f"order-{number}", 8)
        event["side"] = (Side.BUY, Side.SELL)[int(random.integers(2))]
        event["ord_type"], event["qty"] = OrdType.MARKET, int(random.integers(1, 200))
        step.on_order(state, outbox, event, now_ns, policy.address)
        made = outbox.executions[0]
        answers.append(Answer(*(int(made[field]) for field in (
            "kind", "policy_px_e6", "clamp", "last_px_e6", "quote_bid_px_e6", "quote_ask_px_e6",
            "side",
        ))))  # fmt: skip
    return answers


def _is_sound(answer: Answer) -> bool:
    """Whether a fill keeps to what the gate is for: written down anew, not asked of the gate."""
    bid, ask, px = answer.bid_px_e6, answer.ask_px_e6, answer.px_e6
    return bid <= px <= ask and (px % TICK_E6 == 0 or 2 * px == bid + ask)


def _world(policy: Policy, param: list[int]) -> tables.Tables:
    """One liquid share, two clients of one pool and tier, everything measured."""
    state = tables.allocate(Capacity(2, 2, 2 * ORDERS, 2, 2, 4 * ORDERS))
    for index, row in enumerate(regimes.regime_rows()):
        tables.set_row(state, tables.REGIME, index, row)
    for index, row in enumerate(regimes.tick_rows()):
        tables.set_row(state, tables.TICK, index, row)
    _set(
        state, tables.PARAMS, 0, jurisdiction=pack("EU"), regime_forced=-1, stale_ns=2**60,
        collar_bps=1_000, discretionary_route=Route.AUTO, on_request_route=Route.AUTO,
        quote_size_bps=10_000, desk_ttl_ns=10**12, close_ns=2**62,
        policy_hash=policy.source_hash, policy_param=param, vol_half_life_ns=60 * 10**9,
        markout_ns=HORIZONS_NS, markout_weight_e6=50_000,
    )  # fmt: skip
    _set(state, tables.VENUE, 0, mic=pack(MIC))
    for client in CLIENTS:
        _set(state, tables.CLIENT, client, name=pack(f"client{client}"), tier=1)
    _set(
        state, tables.INSTRUMENT, 0, isin=pack(ISIN, 2), currency=pack("EUR"),
        asset_class=AssetClass.SHARE, si=1, liquid=1, sms_e6=10_000 * 10**6,
        lis_e6=650_000 * 10**6, tick_band=BAND, lot=1, eur_per_unit_e9=10**9,
        position_max_e6=10**12,
    )  # fmt: skip
    return state


def _set(state: tables.Tables, table_id: int, index: int, **fields: Any) -> None:
    row = np.zeros(1, schema.TABLE_DTYPES[table_id])[0]
    for name, value in fields.items():
        row[name] = value
    tables.set_row(state, table_id, index, row)
