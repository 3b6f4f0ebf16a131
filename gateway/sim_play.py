"""Play a habit against a counterparty for a while, and the figures of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Group
from rich.table import Table

from gateway.demo_fix import Link
from gateway.errors import UserError
from gateway.sim_client import SimClient
from gateway.sim_habits import HABITS, NEED_LIS_QTY, STRANGERS
from gateway.sim_tags import type_name
from gateway.sim_trial import Terms
from gateway.sim_wire import Account

TURN_S = 0.05
DRAIN_S = 5.0
PERCENTILES = ((50, "p50"), (90, "p90"), (99, "p99"), (99.9, "p99.9"), (100, "max"))

Progress = Callable[[str, int, int], None]


def play(
    account: Account, terms: Terms, habit: str, *, seconds: float, rate_per_s: float, seed: int,
    next_out: int = 0, next_in: int = 1,
    progress: Progress = lambda name, done, count: None,
) -> SimClient:  # fmt: skip
    """Behave like that for so long. Raises UserError, OSError where nobody listens at first."""
    if habit not in HABITS:
        raise UserError(f"--habit {habit!r} is none of {', '.join(HABITS)}")
    if habit in NEED_LIS_QTY and not terms.lis_qty:
        raise UserError(f"the habit {habit} sends orders for the desk: give --lis-qty")
    if habit not in STRANGERS and not terms.isin:
        raise UserError(f"the habit {habit} sends orders: give --isin")
    client = SimClient(
        account, terms, rate_per_s=rate_per_s, seed=seed, next_out=next_out, next_in=next_in
    )
    if habit not in STRANGERS:
        client.connect()
    course = HABITS[habit](client)
    begun_s = due_s = time.monotonic()
    while (now_s := time.monotonic()) - begun_s < seconds:
        progress(habit, int(now_s - begun_s), max(1, int(seconds)))
        try:
            if habit not in STRANGERS:
                client.stay_connected()
            if now_s >= due_s and (client.is_on or habit in STRANGERS):
                due_s = max(due_s, now_s - 0.1) + next(course)
            client.turn(min(max(due_s - time.monotonic(), 0.0), TURN_S) if client.is_on else TURN_S)
        except OSError as error:
            client.lose(f"connection: {error.strerror or error}")
    course.close()  # type: ignore[attr-defined]
    drain(client, is_stranger=habit in STRANGERS)
    return client


def drain(client: SimClient, *, is_stranger: bool) -> None:
    """Await what is owed, then log out."""
    client.reads_from_s, client.is_bytewise, client.resend_delay_s = 0.0, False, 0.0
    if is_stranger:
        return
    deadline_s = time.monotonic() + DRAIN_S
    try:
        if client.owes_resend:
            client.lose()
        while time.monotonic() < deadline_s and not (client.asked_for_all and client.caught_up):
            client.stay_connected()
            if client.is_on and not client.asked_for_all:
                client.ask_for_all()
            client.asked_for_all = client.asked_for_all and client.socket is not None
            client.turn(TURN_S)
        if client.is_on:
            client.log_out()
        while client.link is Link.LOGGING_OUT and time.monotonic() < deadline_s:
            client.turn(TURN_S)
    except OSError as error:
        client.lose(f"connection: {error.strerror or error}")
    client.disconnect()


def figures(client: SimClient, habit: str) -> dict[str, Any]:
    """The document of `--json`."""
    times = client.round_trips
    percentiles = {
        name: times.get_value_at_percentile(percent) if times.get_total_count() else None
        for percent, name in PERCENTILES
    }
    return {
        "habit": habit,
        "messages_sent": client.sent_types.total(),
        "sent_by_type": _by_name(client.sent_types),
        "received_by_type": _by_name(client.received_types),
        "orders": client.orders,
        "answers": client.answers,
        "unanswered": len(client.awaited),
        "fills": client.fills,
        "filled_qty": client.filled_qty,
        "cancelled": client.cancelled,
        "refused": dict(client.refusals.most_common()),
        "broken_sent": client.broken,
        "repeats_sent": client.repeats_sent,
        "orders_given_up": client.withdrawn,
        "recovered": client.recovered,
        "logons": client.logons,
        "disconnects": client.disconnects,
        "problems": list(client.problems),
        "round_trip_ns": percentiles,
    }


def _by_name(counts: Counter[str]) -> dict[str, int]:
    return {type_name(msg_type): count for msg_type, count in counts.most_common()}


def table(found: dict[str, Any]) -> Group:
    """The figures on the screen."""
    made = Table(title=f"habit {found['habit']}", title_justify="left", show_header=False)
    made.add_column()
    made.add_column(justify="right")
    names = (
        ("messages_sent", "messages sent"), ("orders", "orders"), ("answers", "answered"),
        ("unanswered", "unanswered"), ("fills", "fills"), ("filled_qty", "shares filled"),
        ("cancelled", "cancelled"), ("broken_sent", "broken on purpose"),
        ("repeats_sent", "repeated on purpose"), ("orders_given_up", "given up in gaps"),
        ("recovered", "received by resend"), ("logons", "logons"), ("disconnects", "disconnects"),
    )  # fmt: skip
    for key, name in names:
        made.add_row(name, f"{found[key]:,}")
    times = Table("round trip", "us", title_justify="left")
    for name, value_ns in found["round_trip_ns"].items():
        times.add_row(name, "-" if value_ns is None else f"{value_ns / 1000:,.0f}")
    refused = Table("refused", "times")
    for name, count in found["refused"].items():
        refused.add_row(name, f"{count:,}")
    return Group(made, times, *([refused] if found["refused"] else []))
