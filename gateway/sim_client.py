"""A client that keeps its session while a habit decides what it sends, and what came of it.

The session itself (gaps, repeats, heartbeats) is the demo's `FixClient`; what is new here is a
counterparty anywhere, every FIX version, and ways to behave badly.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import simplefix
from hdrh.histogram import HdrHistogram

from gateway import fix_message as fm
from gateway.demo_fix import Awaited, FixClient, Link
from gateway.fix_message import number, text
from gateway.sim_tags import type_name
from gateway.sim_trial import Terms
from gateway.sim_wire import APPL_VER_ID, Account, Header, compose
from gateway.waiting import is_readable

CONNECT_WAIT_S = 5.0
RECV_SIZE = 1 << 16
LOGON_WAIT_S = 5.0
RETURN_S = 0.3  # until a lost connection is made again
LATENCY_NS = (1_000, 60_000_000_000)
PROBLEMS_MAX = 20  # of one kind and another: the first tell most

_EXPECTING = re.compile(r"expect\w*\D{0,12}(\d+)", re.IGNORECASE)


class Late(NamedTuple):
    """A resend that is put off."""

    due_s: float  # time.monotonic
    first: int


class SimClient(FixClient):
    """One session against any counterparty, and the tally of it."""

    def __init__(
        self, account: Account, terms: Terms, *, rate_per_s: float = 10.0, seed: int = 1,
        next_out: int = 0, next_in: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(account.sender, account.port)
        self.account = account
        self.terms = terms
        self.rate_per_s = rate_per_s
        self.rng = random.Random(seed)
        self.resets = next_out == 0  # the first Logon begins anew
        self.next_out, self.next_in = next_out or 1, next_in
        self.sent_types: Counter[str] = Counter()
        self.received_types: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.disconnects = self.broken = self.cancelled = self.repeats_sent = 0
        # How it behaves; habits turn these.
        self.is_bytewise = False
        self.reads_from_s = 0.0  # not before this time.monotonic
        self.resend_delay_s: float | None = 0.0  # None: never
        self.last_order: tuple[int, list[tuple[int, object]], str] | None = None
        self.asked_for_all = False
        self.owes_resend = False  # only a new connection makes them ask again
        self.round_trips = HdrHistogram(*LATENCY_NS, 3)
        self._late: list[Late] = []
        self._lost_s = 0.0
        self._id_prefix = f"{time.time_ns() // 1_000_000:x}"[-8:]
        self._count = 0

    # --- connection ---------------------------------------------------------------------------

    def connect(self) -> None:
        """Open the connection and log on; the very first time with a reset, if it may."""
        account = self.account
        self.socket = socket.create_connection((account.host, account.port), CONNECT_WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = simplefix.FixParser()
        self.link = Link.LOGGING_ON
        self.owes_resend = False
        self._lost_s = time.monotonic()
        self.send("A", *self.logon_fields())

    def logon_fields(self) -> list[tuple[int, object]]:
        """Fields of a Logon(A), with a reset as long as none was answered."""
        account = self.account
        fields: list[tuple[int, object]] = [(98, 0), (108, account.heartbeat_s)]
        if self.resets:
            self.next_out = self.next_in = 1
            fields.append((141, "Y"))
        if account.username:
            fields += [(553, account.username), (554, account.password)]
        if account.begin_string == "FIXT.1.1":
            fields.append((1137, APPL_VER_ID))
        return fields

    def lose(self, why: str = "") -> None:
        """The connection is gone."""
        if self.socket is not None:
            self.disconnects += 1
            if why:
                self.refusals[why] += 1
        self._lost_s = time.monotonic()
        self._late.clear()
        self.disconnect()

    def stay_connected(self) -> None:
        """Come back when the connection is lost; give up a Logon that is not answered."""
        if self.link is Link.OFF and time.monotonic() - self._lost_s >= RETURN_S:
            self.connect()
        elif self.link is Link.LOGGING_ON and time.monotonic() - self._lost_s > LOGON_WAIT_S:
            self.lose("no answer to Logon(A)")

    def message(
        self, msg_type: str, fields: Iterable[tuple[int, object]], seq: int,
        header: Header | None = None,
    ) -> bytes:  # fmt: skip
        """A whole message."""
        stamp = fm.stamp(time.time_ns())[:-3]
        return compose(self.account, msg_type, seq, stamp, fields, header)

    def send(self, msg_type: str, *fields: tuple[int, object], header: Header | None = None) -> int:
        """Send with the next number; answers the time right before, perf_counter_ns."""
        raw = self.message(msg_type, fields, self.next_out, header)
        self.next_out += 1
        self.sent_types[msg_type] += 1
        return self.send_bytes(raw)

    def send_bytes(self, raw: bytes) -> int:
        """Send bytes as they are; answers the time right before, perf_counter_ns."""
        if not self.is_bytewise:
            return self._send_raw(raw)
        sent_ns = time.perf_counter_ns()
        for index in range(len(raw)):
            self._send_raw(raw[index : index + 1])
        return sent_ns

    def keep_alive(self) -> None:
        """A Heartbeat where nothing else was sent for half the interval."""
        silent_s = time.monotonic() - self._sent_s
        if self.link is Link.ON and silent_s > self.account.heartbeat_s / 2:
            self.send("0")

    def ask_for_all(self) -> None:
        """A TestRequest: its answer comes after all that was sent before it."""
        self.asked_for_all = True
        super().ask_for_all()

    # --- orders -------------------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether it may send orders."""
        return self.link is Link.ON

    def pause_s(self) -> float:
        """Until the next thing, by chance around the rate."""
        return self.rng.expovariate(self.rate_per_s)

    def next_id(self) -> str:
        """A ClOrdID that no run before has used."""
        self._count += 1
        return f"S{self._id_prefix}-{self._count:07}"

    def order(
        self, *more: tuple[int, object], qty: int = 0, tif: int = 3, header: Header | None = None
    ) -> str:
        """A market order either way; answers its ClOrdID."""
        clordid = self.next_id()
        self.send_order(clordid, [*self.terms_of(clordid, qty, tif), *more], header)
        return clordid

    def send_order(
        self, clordid: str, fields: list[tuple[int, object]], header: Header | None = None
    ) -> None:
        """A NewOrderSingle(D) whose answer is awaited; with a wrong `header` it may be a Reject."""
        seq = self.next_out
        self.orders += 1
        self.last_order = (seq, fields, fm.stamp(time.time_ns())[:-3])
        if header is not None:
            self.provoked[seq] = clordid
        sent_ns = self.send("D", *fields, header=header)
        self.awaited[clordid] = Awaited(seq, sent_ns if header is None else 0)

    def terms_of(self, clordid: str, qty: int, tif: int) -> list[tuple[int, object]]:
        """The fields of an order at market, the last of them TransactTime(60)."""
        isin = self.terms.isin
        return [
            (11, clordid), (21, 1), (55, isin), (48, isin), (22, 4), (54, self.rng.choice((1, 2))),
            (38, qty or self.terms.qty), (40, 1), (59, tif), (60, fm.stamp(time.time_ns())[:-3]),
        ]  # fmt: skip

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, data: bytes, received_ns: int) -> None:
        """What the socket brought, nothing when the other side hung up."""
        if not data:
            self.lose("" if self.link is Link.LOGGING_OUT else "disconnected")
            return
        super().receive(data, received_ns)

    def _take(self, message: simplefix.FixMessage) -> None:
        msg_type = text(message, 35) or ""
        self.received_types[msg_type] += 1
        for refusing, tag in (("3", 373), ("9", 102), ("j", 380)):
            if msg_type == refusing:
                self.refusals[f"{type_name(msg_type)} {tag}={text(message, tag)}"] += 1
        super()._take(message)

    def _on_report(self, message: simplefix.FixMessage) -> None:
        super()._on_report(message)
        exec_type = text(message, 150)
        if exec_type in ("1", "2"):  # a fill before FIX 4.3
            self.fills += 1
            self.filled_qty += number(message, 32) or 0
        elif exec_type == "8":
            self.refusals[f"{type_name('8')} 103={text(message, 103)}"] += 1
        elif exec_type == "4":
            self.cancelled += 1

    def _in_order(self, message: simplefix.FixMessage) -> None:
        """A Logon with a reset begins anew; a refusal that says a number is taken at its word."""
        if text(message, 35) == "A" and text(message, 141) == "Y":
            self.next_in = 1
        if text(message, 35) == "A":
            self.resets = False
        if text(message, 35) == "5":
            self._leave(message)
            return
        super()._in_order(message)

    def _leave(self, message: simplefix.FixMessage) -> None:
        expecting = _EXPECTING.search(text(message, 58) or "")
        if expecting:
            self.next_out = int(expecting[1])
        elif self.link is not Link.LOGGING_OUT:
            with contextlib.suppress(OSError):
                self.send("5")
        was_ours = self.link is Link.LOGGING_OUT
        self.next_in = max(self.next_in, (number(message, 34) or 0) + 1)
        self.lose("" if was_ours else f"Logout(5): {_short(text(message, 58))}")
        self.disconnects -= was_ours

    def _fill_their_gap(self, first: int) -> None:
        """At once, late or never; what was lost is not sent again, an order is stale by then."""
        if self.resend_delay_s is None:
            self.owes_resend = True
            return
        if self.resend_delay_s > 0:
            self._late.append(Late(time.monotonic() + self.resend_delay_s, first))
            return
        for clordid in [c for c, awaited in self.awaited.items() if awaited.seq >= first]:
            del self.awaited[clordid]
            self.withdrawn += 1
        stamp = fm.stamp(time.time_ns())[:-3]
        fields = ((123, "Y"), (36, self.next_out))
        self.send_bytes(self.message("4", fields, first, {43: "Y", 122: stamp}))
        if self.asked_for_all and not self.caught_up:  # the gap fill passes the question over
            self.ask_for_all()

    def turn(self, wait_s: float) -> None:
        """Receive what is there, or comes within the time; do what is due."""
        now_s = time.monotonic()
        self._note()
        for late in [each for each in self._late if each.due_s <= now_s]:
            self._late.remove(late)
            delay_s, self.resend_delay_s = self.resend_delay_s, 0.0
            self._fill_their_gap(late.first)
            self.resend_delay_s = delay_s
        self.keep_alive()
        if self.socket is None or now_s < self.reads_from_s:
            time.sleep(wait_s)
            return
        if is_readable(self.socket, wait_s):
            received_ns = time.perf_counter_ns()
            try:
                data = self.socket.recv(RECV_SIZE)
            except ConnectionError:
                data = b""
            self.receive(data, received_ns)

    def _note(self) -> None:
        """Fold what the session keeps for each message, so that a long run stays small."""
        for value_ns in self.latencies_ns:
            self.round_trips.record_value(min(max(value_ns, LATENCY_NS[0]), LATENCY_NS[1]))
        self.latencies_ns.clear()
        del self.problems[PROBLEMS_MAX:]


def _short(words: str | None) -> str:
    """A reason without its numbers, so that equal ones are counted together."""
    return re.sub(r"\d+", "n", words or "no reason")[:60]
