"""What a client may ask of Python is bounded, and others have their turn in between."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import EPOLLIN, EPOLLOUT, epoll
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import journal as jn
from gateway import loop, resend, resending, sent, session, wire
from gateway import syscalls as sc
from gateway.connections import TIME_BURST_NS, TIME_SHARE, Connections
from gateway.loop import TURN_MAX_NS
from gateway.sent import Search
from gateway.wire import CONNECTIONS_MAX, SENT_RING, Wake
from tests import journal_rig
from tests.acceptance_rig import Peer as AcceptancePeer
from tests.fuzz.venue import NOW_NS, Peer
from tests.journal_rig import JournalRig, opened
from tests.session_rig import ASK, BID, ISIN
from tests.venue import Engine, running, sample

MS = 10**6
FLOOD = 3_000


# --- whose turn it is -------------------------------------------------------------------------


class Clock:
    """A server of which only the time and the tables are looked at."""

    def __init__(self) -> None:
        self.ns = NOW_NS
        self.wire = wire.allocate(8, 8)

    def now_ns(self) -> int:
        return self.ns


def charges(*steps: tuple[int, int]) -> int:
    """When the turn comes after `(time since the one before, cost)` each, from NOW_NS."""
    clock: Any = Clock()
    made = Connections(clock)
    for passed_ns, cost_ns in steps:
        clock.ns += passed_ns
        made.charge(3, cost_ns)
    return int(clock.wire.connections[3]["turn_ns"]) - clock.ns


def test_little_is_free() -> None:
    assert charges((0, MS)) == MS * TIME_SHARE - TIME_BURST_NS < 0


def test_too_much_waits_for_its_share() -> None:
    burst = TIME_BURST_NS // TIME_SHARE
    assert charges((0, burst)) == 0
    assert charges((0, burst), (0, MS)) == MS * TIME_SHARE
    assert charges((0, burst), (0, MS), (MS * TIME_SHARE, MS)) == MS * TIME_SHARE


def test_no_more_than_the_burst_is_saved_up() -> None:
    assert charges((0, MS), (3600 * 10**9, MS)) == MS * TIME_SHARE - TIME_BURST_NS


def test_a_clock_set_back_locks_nobody_out() -> None:
    assert charges((0, 100 * MS), (-3600 * 10**9, MS)) == TURN_MAX_NS


def test_nobody_is_locked_out_for_long() -> None:
    assert charges(*[(0, 10 * MS)] * 1_000) == TURN_MAX_NS


def test_nobody_is_charged_without_a_connection() -> None:
    clock: Any = Clock()
    Connections(clock).charge(-1, MS)
    assert not clock.wire.connections["turn_ns"].any()


@given(st.lists(st.tuples(st.integers(0, 40 * MS), st.integers(1, 3 * MS)), max_size=60))
def test_over_any_time_the_share_is_kept(steps: list[tuple[int, int]]) -> None:
    """Who waits for its turn before each piece costs at most its share, the burst and a piece."""
    clock: Any = Clock()
    made = Connections(clock)
    spent = 0
    for passed_ns, cost_ns in steps:
        clock.ns = max(clock.ns + passed_ns, int(clock.wire.connections[0]["turn_ns"]))
        made.charge(0, cost_ns)
        spent += cost_ns
        passed = clock.ns - NOW_NS
        assert (spent - cost_ns) * TIME_SHARE <= passed + TIME_BURST_NS


def held(*turns: tuple[int, int]) -> Any:
    made = wire.allocate(8, 8)
    for connection_id, turn_ns in turns:
        made.connections[connection_id]["turn_ns"] = turn_ns
        loop.hold(made, connection_id)
    return made


def in_order(made: Any, ts_ns: int) -> list[int]:
    found = []
    while (connection_id := int(loop._next_turn(made, ts_ns))) >= 0:
        found.append(connection_id)
    return found


def test_in_turns() -> None:
    made = held((7, 0), (2, 0), (CONNECTIONS_MAX - 1, 0), (5, NOW_NS + 1))
    assert made.loop[0]["held"] == 4
    assert in_order(made, NOW_NS) == [2, 7, CONNECTIONS_MAX - 1]
    loop.hold(made, 2)
    loop.hold(made, 2)
    assert in_order(made, NOW_NS + 1) == [2, 5], "the round goes on behind the last"
    assert made.loop[0]["held"] == 0
    assert in_order(made, NOW_NS) == []


def test_whoever_was_first_is_not_first_again() -> None:
    made = held((2, 0), (4, 0))
    assert loop._next_turn(made, NOW_NS) == 2
    loop.hold(made, 2)
    assert in_order(made, NOW_NS) == [4, 2]


def test_a_turn_too_far_away_is_now() -> None:
    assert in_order(held((1, NOW_NS + TURN_MAX_NS + 1)), NOW_NS) == [1]
    assert in_order(held((1, NOW_NS + TURN_MAX_NS)), NOW_NS) == []


def test_who_is_held_is_not_read_but_heard_of_again() -> None:
    """Level-triggered: a socket with bytes that nobody takes would be in every poll."""
    peer = Peer()
    made = wire.allocate(8, 8)
    connection = made.connections[3]
    connection["fd"], connection["session"] = peer.theirs.fileno(), -1
    with epoll() as poll:
        made.loop[0]["epoll_fd"] = poll.fileno()
        poll.register(peer.theirs, EPOLLIN)
        peer.ours.send(b"8=FIX")
        loop.hold(made, 3)
        assert [events for _, events in poll.poll(0)] == [EPOLLIN]
        assert loop._receive(made, 3, EPOLLIN, NOW_NS) == Wake.NOTHING
        assert (int(connection["rx_end"]), int(connection["deaf"])) == (0, 1)
        assert poll.poll(0) == []
        connection["blocked"] = 1
        assert loop._receive(made, 3, EPOLLOUT, NOW_NS) == Wake.NOTHING, "what is owed goes out"
        assert poll.poll(0) == []
        assert loop._next_turn(made, NOW_NS) == 3
        assert poll.poll(0) == [(3, EPOLLIN)]
        assert loop._receive(made, 3, EPOLLIN, NOW_NS) == Wake.RECEIVED
        assert connection["rx_end"] == 5
    peer.close()


def test_who_is_gone_is_gone_while_held() -> None:
    made = held((3, NOW_NS + 1))
    made.connections[3]["fd"] = 1_000
    assert loop._receive(made, 3, sc.EPOLLIN | sc.EPOLLHUP, NOW_NS) == Wake.CLOSED
    loop.release(made, 3)
    loop.release(made, 3)
    assert made.loop[0]["held"] == 0


# --- numbers that are long gone ---------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JournalRig]:
    journal_rig.use_small_segments(monkeypatch)
    monkeypatch.setattr(sent, "SEGMENT_SIZE", journal_rig.SEGMENT)
    yield from opened(tmp_path)


def looking(journal: JournalRig, newest: int) -> Any:
    """A server with this journal, whose session 0 has sent so many messages that none is known."""
    sessions = np.zeros(1, wire.session)
    sessions["next_out"] = newest + 1 + SENT_RING
    server: Any = SimpleNamespace(
        wire=SimpleNamespace(sessions=sessions), files=journal.files, journal=journal.files.journal,
        config=SimpleNamespace(journal=journal.folder),
    )  # fmt: skip
    return sent.Sent(server)


def put(journal: JournalRig, session: int, number: int) -> int:
    """A report with this MsgSeqNum(34); its place."""
    body = np.zeros(1, jn.RECORDS[jn.EXECUTION]).tobytes()
    return journal.put(jn.EXECUTION, session, body, number)


def steps(search: Search) -> int:
    count = 0
    while not search.done:
        search.step()
        count += 1
    return count


@pytest.mark.parametrize("size", [64, 1 << 12, 1 << 20])
def test_a_search_in_pieces_finds_them_all(
    journal: JournalRig, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent, "LOOK_SIZE", size)
    places = {}
    for number in range(1, 301):
        places[number] = put(journal, 0, number)
        put(journal, 1, number)
    for number in range(1, 11):  # the numbers began anew: these count
        places[number] = put(journal, 0, number)
    assert journal.files.index > 2
    search = looking(journal, 300).search(0, 1, 300)
    count = steps(search)
    assert search.places.tolist() == [places[number] for number in range(1, 301)]
    assert count >= min(610, journal.files.index * journal_rig.SEGMENT // size), "in pieces"


def test_none_for_what_was_never_sent(journal: JournalRig) -> None:
    position = put(journal, 0, 1)
    search = looking(journal, 3).search(0, 1, 3)
    steps(search)
    assert search.places.tolist() == [position, -1, -1]


def test_the_latest_are_remembered() -> None:
    clock: Any = Clock()
    clock.wire.sessions[0]["next_out"] = 4
    clock.wire.sent[0, 1:4] = [100, 200, 300]
    clock.files = SimpleNamespace(index=0)
    search = sent.Sent(clock).search(0, 2, 3)
    assert search.done and search.places.tolist() == [200, 300]


# --- what a resend costs -----------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], int]:
    """Ask for the numbers from one to another; answers what it has cost in all."""
    clock: Any = Clock()
    clock.wire.sessions[0]["connection"] = 3
    clock.wire.sessions[0]["next_out"] = 1_001
    clock.files = SimpleNamespace(index=0)
    clock.journal = clock.subscriptions = None
    clock.make_room = lambda: None
    clock.connections, clock.sent = Connections(clock), sent.Sent(clock)
    clock.sent.segment = lambda index: None
    sessions: Any = SimpleNamespace(settings=lambda row: SimpleNamespace(resend_max_messages=0))
    made = resending.Resends(clock, sessions)
    spent = []
    monkeypatch.setattr(clock.connections, "charge", lambda row, cost_ns: spent.append(cost_ns))

    def resend_some(*args: Any) -> int:
        rows, places, budget = args[5], args[6], args[7]
        count = min(budget, places.size - int(rows[0]["next"]))
        rows[0]["next"] += count
        rows[0]["sent"] += count
        return int(resend.DONE if rows[0]["next"] == places.size else resend.MORE)

    monkeypatch.setattr(resend, "resend", resend_some)

    def ask(first: int, last: int) -> int:
        spent.clear()
        made.begin(0, first, last)
        while made.backlog:
            made.go_on()
        return sum(spent)

    ask.wire = clock.wire  # type: ignore[attr-defined]
    return ask


def test_what_is_asked_for_again_costs_more(asked: Any) -> None:
    whole = 10 * resending.PIECE_NS + 640 * resending.MESSAGE_NS
    assert resending.CHUNK * 10 == 640
    assert asked(1, 640) == pytest.approx(whole / resending.FIRST_TIME, abs=10)
    assert asked(1, 640) == whole
    assert asked(577, 640) == asked(640 - resending.CHUNK + 1, 640) == whole // 10
    last = resending.PIECE_NS + resending.CHUNK * resending.MESSAGE_NS
    assert asked(577, 704) == pytest.approx(last + last / resending.FIRST_TIME, abs=2)


def test_new_numbers_have_not_been_sent_again(asked: Any) -> None:
    first = asked(1, 64)
    assert asked(1, 64) > first
    asked.wire.sessions[0]["since_ns"] = NOW_NS
    assert asked(1, 64) == first


# --- with an engine ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    sessions = [
        {"sender_comp_id": "SI", "target_comp_id": name, "client": "client1"}
        for name in ("BUSY", "CALM", "GONE")
    ]
    folder = sample(tmp_path_factory.mktemp("turns") / "si", fix={"port": 0, "sessions": sessions})
    with running(folder) as made:
        made.quote(ISIN, BID, ASK)
        yield made
    made.verify()


New = Callable[[str], AcceptancePeer]


@pytest.fixture
def new(engine: Engine) -> Iterator[New]:
    engine.quote(ISIN, BID, ASK)
    made: list[AcceptancePeer] = []

    def make(name: str) -> AcceptancePeer:
        made.append(AcceptancePeer(engine, name, "FIX.4.4"))
        made[-1].logon((141, "Y"))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def flood(peer: AcceptancePeer) -> None:
    """TestRequests without TestReqID(112): each is a Reject(3) of Python's."""
    numbers = range(peer.next_out, peer.next_out + FLOOD)
    peer.raw(b"".join(peer.message("1", seq=number) for number in numbers))


def rejects(peer: AcceptancePeer) -> int:
    """How many have come."""
    found = b""
    peer.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while data := peer.socket.recv(1 << 20):
            found += data
    return found.count(b"\x0135=3\x01")


@pytest.mark.sockets
@pytest.mark.slow
def test_a_flood_keeps_nobody_waiting(engine: Engine, new: New) -> None:
    """All of it would take the engine half a second; orders of others go between."""
    busy, calm = new("BUSY"), new("CALM")
    flood(busy)
    calm.trade()
    assert rejects(busy) < FLOOD // 2
    gone = new("GONE")
    flood(gone)
    gone.close()
    busy.close()
    calm.trade()
    time.sleep(0.1)
    again = new("BUSY")
    again.trade()


def test_one_message_costs_less_than_the_longest_wait() -> None:
    assert session.COLD_NS * TIME_SHARE < TURN_MAX_NS
