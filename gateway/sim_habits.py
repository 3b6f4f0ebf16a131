"""Habits of simulated clients: how the counterparties of a FIX gateway really behave.

A habit is a generator: it does one thing, and yields how many seconds until the next. All chance
is the client's own, by its seed. `HABITS` is what `si sim habits` lists.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from gateway.sim_client import CONNECT_WAIT_S, SimClient
from gateway.sim_line import Failed, Line, Numbers
from gateway.sim_wire import Account, with_wrong_checksum, with_wrong_length

MESSAGE_SIZE_MAX = 16_384  # of the engine's gateway: bytes of one message
FILLER_MIN = 10_000  # BodyLength(9) has its five digits by then
HALF_OPEN_MAX = 8
GIVE_UP_S = 3.0
ANSWER_S = 1.0

Habit = Callable[[SimClient], Iterator[float]]


def steady(client: SimClient) -> Iterator[float]:
    """Small market orders at an even rate."""
    while True:
        client.order()
        yield 1 / client.rate_per_s


def bursty(client: SimClient) -> Iterator[float]:
    """Many orders at once, then nothing for a while."""
    while True:
        count = client.rng.randint(5, 50)
        for _ in range(count):
            client.order()
        yield count / client.rate_per_s


def gaps(client: SimClient) -> Iterator[float]:
    """Skips numbers now and then, and gap-fills when asked."""
    while True:
        if client.rng.random() < 0.1:
            client.next_out += client.rng.randint(1, 5)
        client.order()
        yield client.pause_s()


def late_resend(client: SimClient) -> Iterator[float]:
    """Skips numbers and answers resend requests late, or never and hangs up."""
    while True:
        client.resend_delay_s = client.rng.choice((0.1, 0.2, 0.5, 1.0, None))
        client.next_out += client.rng.randint(1, 3)
        client.order()
        yield client.pause_s()
        if client.resend_delay_s is None:
            yield GIVE_UP_S / 2
            client.lose()
            client.resend_delay_s = 0.0
        else:
            yield client.resend_delay_s + client.pause_s()


def slow_reader(client: SimClient) -> Iterator[float]:
    """Sends on, but does not read for seconds."""
    while True:
        client.reads_from_s = time.monotonic() + client.rng.uniform(1, 4)
        while time.monotonic() < client.reads_from_s:
            client.order()
            yield client.pause_s()
        yield 0.5


def disconnects(client: SimClient) -> Iterator[float]:
    """Drops the connection, at times within a message, and comes back."""
    while True:
        for _ in range(client.rng.randint(1, 10)):
            client.order()
            yield client.pause_s()
        if client.socket is not None and client.rng.random() < 0.5:
            raw = client.message("1", [(112, "CUT")], client.next_out)
            client.send_bytes(raw[: client.rng.randrange(1, len(raw))])
        client.lose()
        yield client.pause_s()


def duplicates(client: SimClient) -> Iterator[float]:
    """Sends orders again with PossDupFlag(43), though nobody asked."""
    while True:
        client.order()
        if client.last_order is not None and client.rng.random() < 0.5:
            seq, fields, first = client.last_order
            if seq < client.next_out:
                client.send_bytes(client.message("D", fields, seq, {43: "Y", 122: first}))
                client.repeats_sent += 1
        yield client.pause_s()


def resend_storm(client: SimClient) -> Iterator[float]:
    """Asks for everything again and again: ResendRequest 1 to infinity."""
    while True:
        client.order()
        client.send("2", (7, 1), (16, 0))
        yield client.pause_s()


def garbled(client: SimClient) -> Iterator[float]:
    """Wrong checksums, wrong lengths, random bytes, between good orders."""
    while True:
        good = client.message("1", [(112, "GARBLED")], client.next_out)
        junk = client.rng.randbytes(client.rng.randint(1, 200)).replace(b"8=", b"..")
        wrong = (with_wrong_checksum(good), with_wrong_length(good), junk)
        client.send_bytes(client.rng.choice(wrong))
        client.broken += 1
        client.order()
        yield client.pause_s()


def one_byte(client: SimClient) -> Iterator[float]:
    """Writes each byte by itself."""
    client.is_bytewise = True
    while True:
        client.order()
        yield client.pause_s()


def oversize(client: SimClient) -> Iterator[float]:
    """Orders of exactly the largest size, one byte less, and now and then one more."""
    while True:
        more = client.rng.choice((0, 0, 0, -1, 1))
        clordid = client.next_id()
        fields = client.terms_of(clordid, 0, 3)
        bare = len(client.message("D", [*fields, (58, "x" * FILLER_MIN)], client.next_out))
        filler = "x" * (FILLER_MIN + MESSAGE_SIZE_MAX + more - bare)
        client.send_order(clordid, [*fields, (58, filler)])
        client.broken += more > 0
        yield client.pause_s()


def wrong_clock(client: SimClient) -> Iterator[float]:
    """SendingTime(52) minutes or hours off, at times."""
    while True:
        if client.rng.random() < 0.2:
            off = timedelta(minutes=client.rng.choice((-600, -5, -1, 1, 5, 600)))
            stamp = (datetime.now(UTC) + off).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
            client.order(header={52: stamp})
        else:
            client.order()
        yield client.pause_s()


def cancel_replace(client: SimClient) -> Iterator[float]:
    """Large day orders, replaced and cancelled, at times under a name that is gone."""
    while True:
        name = client.order(qty=client.terms.lis_qty, tif=0)
        yield client.pause_s()
        if client.rng.random() < 0.5:
            new_name = client.next_id()
            terms = client.terms_of(new_name, client.terms.lis_qty + client.terms.qty, 0)
            client.send("G", (41, name), *terms)
            yield client.pause_s()
            name = client.rng.choice((name, new_name))
        client.send(
            "F", (41, name), (11, client.next_id()), (55, client.terms.isin),
            (48, client.terms.isin), (22, 4), (54, 1), (38, client.terms.lis_qty),
            (60, datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]),
        )  # fmt: skip
        yield client.pause_s()


def big_orders(client: SimClient) -> Iterator[float]:
    """Orders large in scale, for the desk."""
    while True:
        client.order(qty=client.terms.lis_qty * client.rng.randint(1, 3), tif=0)
        yield client.pause_s()


# --- with connections of their own ------------------------------------------------------------


def _try_to_log_on(client: SimClient, account: Account, seq: int) -> str:
    """A Logon on a connection of its own; answers the type that came, empty where none did."""
    line = Line(account, Numbers(), ANSWER_S, [])
    with contextlib.suppress(Failed):
        try:
            line.connect()
            line.send("A", client.logon_fields()[:2], seq=seq)
            return line.receive().type
        finally:
            line.close()
    return ""


def flood_logons(client: SimClient) -> Iterator[float]:
    """Logons with wrong CompIDs and wrong numbers, one connection after the other."""
    rng = client.rng
    while True:
        account = client.account
        if rng.random() < 0.7:
            account = account._replace(sender=f"NOBODY{rng.randrange(1000)}")
        elif rng.random() < 0.5:
            account = account._replace(target="ANOTHER")
        client.resets = False
        answer = _try_to_log_on(client, account, rng.choice((0, 1, 2, 999_999_999)))
        client.broken += 1
        client.refusals[f"Logon answered with {answer or 'a closed connection'}"] += 1
        yield client.pause_s()


def two_logons(client: SimClient) -> Iterator[float]:
    """Logs on a second time while the session is in use; the first must not suffer."""
    while True:
        client.order()
        answer = _try_to_log_on(client, client.account, client.next_out)
        client.broken += 1
        client.refusals[f"second Logon answered with {answer or 'a closed connection'}"] += 1
        yield client.pause_s()


def half_open(client: SimClient) -> Iterator[float]:
    """Connects and says nothing; a few connections at a time."""
    silent: list[socket.socket] = []
    try:
        while True:
            if len(silent) == HALF_OPEN_MAX:
                silent.pop(0).close()
            address = (client.account.host, client.account.port)
            silent.append(socket.create_connection(address, CONNECT_WAIT_S))
            client.broken += 1
            yield client.pause_s()
    finally:
        for connection in silent:
            connection.close()


HABITS: dict[str, Habit] = {
    habit.__name__: habit
    for habit in (
        steady, bursty, gaps, late_resend, slow_reader, disconnects, duplicates, resend_storm,
        garbled, one_byte, flood_logons, oversize, half_open, wrong_clock, two_logons,
        cancel_replace, big_orders,
    )
}  # fmt: skip
#: These never log on by themselves.
STRANGERS = frozenset(("flood_logons", "half_open"))
#: These send orders for the desk.
NEED_LIS_QTY = frozenset(("cancel_replace", "big_orders"))
