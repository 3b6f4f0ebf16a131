"""kill -9 at random moments, under load: nothing is lost, nothing happens twice.

Four clients send orders (some large in scale, to the desk, and some of these cancelled), a feed
moves the market, a desk works a few items. The process is killed again and again, sometimes while
it recovers; the clients come back with their numbers. In the end what they saw, the journal and the
replayed state must agree. `KILLS=500` for a long run, `SEED` for another course.
"""

import contextlib
import os
import random
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine import journal as jn
from engine.enums import DeskAction, ExecKind
from engine.outbox import allocate_outbox
from engine.schema import desk_command, pack, unpack
from engine.tables import Tables, allocate
from gateway import config as configuration
from gateway import policy_file, wire
from gateway.journal_files import Frame, Reader
from gateway.replay import Replayer
from tests.fix_peer import Closed, Member, cancel, order
from tests.venue import Engine, sample, venue_quote

pytestmark = pytest.mark.kill

KILLS = int(os.environ.get("KILLS", "25"))
SEED = int(os.environ.get("SEED", "1"))
CLIENTS = ["K1", "K2", "K3", "K4"]
#: Of the sample's XETR shares: price in cents, and a number of shares that is large in scale.
MARKETS = {
    "DEZZ00000056": (34_445, 2_000),
    "DEZZ00000106": (7_490, 9_000),
    "DEZZ00000155": (13_265, 3_100),
}
OUTCOMES = {ExecKind.FILL, ExecKind.CANCELLED, ExecKind.REJECTED, ExecKind.EXPIRED}


class Load:
    """What clients, venues and the desk do between two kills."""

    def __init__(self, engine: Engine, rng: random.Random) -> None:
        self.engine, self.rng = engine, rng
        self.members = [Member(engine, name) for name in CLIENTS]
        self.orders: dict[str, dict[str, str]] = {name: {} for name in CLIENTS}
        self.desk_orders: list[tuple[Member, str, str, int]] = []
        self.count = 0

    def market(self) -> None:
        """Every instrument's quote moves."""
        for isin, (cents, _) in MARKETS.items():
            mid = cents + 5 * self.rng.randint(-3, 3)
            bid, ask = f"{(mid - 5) / 100:.2f}", f"{(mid + 5) / 100:.2f}"
            self.engine.feed_records(venue_quote(isin, bid, ask))

    def log_on(self) -> None:
        for member in self.members:
            member.log_on()

    def hang_up(self) -> None:
        for member in self.members:
            member.close()

    def send(self, member: Member, pieces: int) -> None:
        """Orders, pipelined: both sides, some for the desk, some of those cancelled."""
        for _ in range(pieces):
            self.count += 1
            clordid = f"{member.comp_id}-{self.count}"
            isin = self.rng.choice(list(MARKETS))
            _, lis_qty = MARKETS[isin]
            side = self.rng.choice((1, 2))
            if self.desk_orders and self.rng.random() < 0.06:
                place = self.rng.randrange(len(self.desk_orders))
                owner, original, of_isin, qty = self.desk_orders.pop(place)
                self.orders[owner.comp_id][f"C{clordid}"] = "F"
                owner.send("F", cancel(f"C{clordid}", original, of_isin, qty))
            large = self.rng.random() < 0.08
            qty = lis_qty if large else self.rng.randint(1, 20)
            self.orders[member.comp_id][clordid] = "D"
            if large:
                self.desk_orders.append((member, clordid, isin, qty))
            member.send("D", order(clordid, isin, qty, t54=side, t59=0))

    def work_until_closed(self) -> None:
        """All of it, until the engine is gone."""
        with contextlib.suppress(Closed):
            while True:
                self.market()
                for member in self.members:
                    self.send(member, self.rng.randint(1, 12))
                    member.poll()
                self.desk()

    def desk(self) -> None:
        """Someone fills or declines the item of a guess; most guesses are wrong."""
        if self.rng.random() > 0.2:
            return
        command = np.zeros(1, desk_command)
        command["command_id"] = self.count
        command["action"] = self.rng.choice((DeskAction.FILL, DeskAction.DECLINE))
        command["item_id"] = self.rng.randint(1, max(self.count // 12, 1))
        command["trader"] = pack("ann")
        command["px_e6"] = self.rng.choice(list(MARKETS.values()))[0] * 10_000
        self.engine.desk_send(command.tobytes())

    def settle(self) -> None:
        """Everything sent is answered and everything missed has come again."""
        for member in self.members:
            deadline = time.monotonic() + 60
            before = member.test_id
            while member.test_id == before or member.waiting:
                assert time.monotonic() < deadline, f"{member.comp_id} waits: {member.expected}"
                # Again and again: while the engine misses messages it is gap-filled, not answered.
                member.send("1", [(112, f"settled {member.next_out}")])
                member.poll(0.5)


class Journal(NamedTuple):
    """What the journal says, by session name."""

    inbound: dict[str, list[int]]
    outbound: dict[str, list[int]]
    executions: dict[str, list[Any]]
    entered: dict[str, list[str]]
    resets: int


def read(folder: Path) -> Journal:
    names: dict[int, str] = {}
    found = Journal(defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(list), 0)
    resets = 0
    for frame in Reader(folder / "journal").poll():
        name = names.get(frame.session, "")
        if frame.kind == jn.SESSION_SET:
            name = names[frame.session] = unpack(frame.record["their_comp_id"])
            resets += not goes_on(frame, found, name)
        elif frame.kind in (jn.ORDER, jn.CANCEL, jn.STATUS):
            found.inbound[name].append(frame.fix_seq)
            found.entered[name].append(unpack(frame.record["clordid"]))
        elif frame.kind == jn.FIX_IN and frame.fix_seq > 0:
            found.inbound[name].append(frame.fix_seq)
        elif frame.kind == jn.EXECUTION:
            found.outbound[name].append(frame.fix_seq)
            found.executions[name].append(frame.record.copy())
        elif frame.kind == jn.FIX_OUT:
            found.outbound[name].append(frame.fix_seq)
    return found._replace(resets=resets)


def goes_on(frame: Frame, found: Journal, name: str) -> bool:
    """A SESSION_SET after a restart, or of a gap fill, never goes back."""
    last_in = found.inbound[name][-1] if found.inbound[name] else 0
    last_out = found.outbound[name][-1] if found.outbound[name] else 0
    if found.inbound[name] and frame.record["next_in"] > last_in + 1:
        found.inbound[name].append(int(frame.record["next_in"]) - 1)  # filled by the client
    return bool(frame.record["next_in"] > last_in and frame.record["next_out"] == last_out + 1)


def replayed(folder: Path) -> Tables:
    """The state that the journal's inputs make."""
    directory = folder / "journal"
    tables = allocate(configuration.load(folder).capacity)
    replayer = Replayer(
        tables,
        allocate_outbox(),
        wire.allocate(),
        lambda code: policy_file.kept_by_hash(directory, code),
    )
    done = replayer.run(directory)
    assert (done.missing, done.torn) == (0, False)
    return tables


def check_sessions(load: Load, journal: Journal) -> None:
    """Numbers go on without reset, and every report came to its client once and unchanged."""
    assert journal.resets == 0
    for member in load.members:
        name = member.comp_id
        outbound, inbound = journal.outbound[name], journal.inbound[name]
        assert outbound == list(range(1, len(outbound) + 1)), name
        assert inbound == sorted(set(inbound)), name
        assert len(outbound) == member.expected - 1, name
        by_exec_id = {report[17]: report for report in member.reports.values() if 17 in report}
        assert len(by_exec_id) == sum(17 in report for report in member.reports.values()), name
        for execution in journal.executions[name]:
            if execution["kind"] == ExecKind.CANCEL_REJECTED:
                continue
            report = by_exec_id.pop(str(execution["exec_id"]))
            assert report[11] == unpack(execution["clordid"])
            assert report[14] == str(execution["filled_qty"])
            if execution["kind"] == ExecKind.FILL:
                assert report[32] == str(execution["last_qty"])
                assert int(float(report[31]) * 1e6 + 0.5) == execution["last_px_e6"]
        assert not by_exec_id, f"{name} was told of what the journal does not have"


def check_orders(load: Load, journal: Journal) -> None:
    """Every order and cancel came in once; every order has one end, or waits at the desk."""
    for member in load.members:
        name = member.comp_id
        entered = Counter(journal.entered[name])
        assert set(entered.values()) <= {1}, name
        assert set(entered) == set(load.orders[name]), f"{name}: not all came in"
        ends: Counter[str] = Counter()
        begun = set()
        for execution in journal.executions[name]:
            order_name = unpack(execution["orig_clordid"]) or unpack(execution["clordid"])
            if execution["kind"] == ExecKind.NEW:
                begun.add(order_name)
            elif execution["kind"] in OUTCOMES and execution["order_state"] >= 3:
                ends[order_name] += 1
        assert set(ends.values()) <= {1}, name
        sent = {clordid for clordid, kind in load.orders[name].items() if kind == "D"}
        assert set(ends) | begun == sent, f"{name}: orders without an answer"


def check_positions(journal: Journal, tables: Tables) -> int:
    """The firm's positions are the sum of the fills; answers how many there were."""
    sums: Counter[int] = Counter()
    fills = 0
    for executions in journal.executions.values():
        for execution in executions:
            if execution["kind"] == ExecKind.FILL:
                fills += 1
                sign = -1 if execution["side"] == 1 else 1
                sums[int(execution["instrument"])] += sign * int(execution["last_qty"])
    held = np.flatnonzero(tables.positions["qty"])
    assert {int(i): int(tables.positions["qty"][i]) for i in held} == {
        i: qty for i, qty in sums.items() if qty
    }
    assert int(tables.positions["fills"].sum()) == fills
    return fills


def test_killed_again_and_again(tmp_path: Path) -> None:
    sessions = [
        {"sender_comp_id": "SI", "target_comp_id": name, "client": "client1"} for name in CLIENTS
    ]
    folder = sample(
        tmp_path / "si",
        fix={"port": 0, "sessions": sessions},
        clients=[{"name": "client1"}],
        engine={"orders_max": 1 << 21},
    )
    rng = random.Random(SEED)
    engine = Engine(folder)
    load = Load(engine, rng)
    started = time.monotonic()
    killed_early = 0
    try:
        engine.start()
        for kill in range(KILLS):
            load.log_on()
            timer = threading.Timer(rng.uniform(0.01, 0.6), engine.kill)
            timer.start()
            load.work_until_closed()
            timer.join()
            load.hang_up()
            engine.spawn()
            if rng.random() < 0.2:  # once more, while it loads and recovers
                killed_early += 1
                time.sleep(rng.uniform(0.5, 3))
                engine.kill()
                engine.spawn()
            engine.await_ready()
            print(f"kill {kill + 1}: {load.count} orders", flush=True)
        minutes = (time.monotonic() - started) / 60
        load.log_on()
        load.settle()
        assert engine.stop() == 0, engine.said()
        for member in load.members:
            member.read_out()
    finally:
        load.hang_up()
        engine.end()
    journal = read(folder)
    check_sessions(load, journal)
    check_orders(load, journal)
    fills = check_positions(journal, replayed(folder))
    engine.verify()
    kills = KILLS + killed_early
    print(
        f"{kills} kills ({killed_early} while recovering), {kills / minutes:.1f} a minute; "
        f"{load.count} orders, {fills} fills, "
        f"{sum(member.repeats for member in load.members)} repeats, seed {SEED}"
    )
