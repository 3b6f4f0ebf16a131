"""What a session's settings do, from outside: each setting on a session of its own."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.control import ask
from gateway.credentials import hash_password
from gateway.errors import UserError
from tests.acceptance_rig import Peer
from tests.fix_peer import Closed, order, stamp
from tests.session_rig import ASK, BID, ISIN, LIS_QTY
from tests.venue import Engine, running, sample

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

PASSWORD = "correct horse"
NOW = datetime.now(UTC)
LATER = (
    (NOW + timedelta(hours=3)).strftime("%H:%M:%S"),
    (NOW + timedelta(hours=4)).strftime("%H:%M:%S"),
)
SETTINGS: dict[str, dict[str, object]] = {
    "PLAIN": {},
    "SECRET": {"username": "desk", "password_hash": hash_password(PASSWORD)},
    "SECRET2": {"username": "desk", "password_hash": hash_password(PASSWORD)},
    "ELSEWHERE": {"allowed_remote_addresses": ["192.0.2.0/24"]},
    "HERE": {"allowed_remote_addresses": ["127.0.0.0/8"]},
    "CLOSED": {"start_time": LATER[0], "end_time": LATER[1]},
    "THROTTLED": {"orders_per_second": 2, "burst": 2, "throttle_reject": 8},
    "NEXT": {"send_next_expected_msg_seq_num": True},
    "LAST": {"enable_last_msg_seq_num_processed": True},
    "CHUNKS": {"max_messages_in_resend_request": 3},
    "FRESH": {"reset_on_logon": True},
    "FORGETS": {"reset_on_disconnect": True},
    "NANOS": {"timestamp_precision": 9, "fill_style": "1/2"},
    "SECONDS": {"timestamp_precision": 0},
    "CUTS": {"cancel_on_disconnect": True},
    "STAYS": {},
    "ADMIN": {},
    "SLOWBEAT": {"heart_bt_int_min": 10, "heart_bt_int_max": 20},
    "TRICKLE": {"resend_max_messages": 5},
}
New = Callable[..., Peer]
CLORDIDS = (f"live-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    sessions = [
        {"sender_comp_id": "SI", "target_comp_id": name, "client": "client1", **settings}
        for name, settings in SETTINGS.items()
    ]
    folder = sample(tmp_path_factory.mktemp("live") / "si", fix={"port": 0, "sessions": sessions})
    with running(folder) as made:
        made.quote(ISIN, BID, ASK)
        yield made
    made.verify()


@pytest.fixture
def new(engine: Engine) -> Iterator[New]:
    engine.quote(ISIN, BID, ASK)
    made: list[Peer] = []

    def make(name: str, heartbeat: object = 30) -> Peer:
        made.append(Peer(engine, name, "FIX.4.4", heartbeat))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def big(peer: Peer) -> str:
    """An order for the desk; its ClOrdID."""
    clordid = next(CLORDIDS)
    peer.send("D", order(clordid, ISIN, LIS_QTY, t40=2, t44=ASK, t59=0))
    peer.expect("8", t11=clordid, t39=0)
    return clordid


def test_a_password_opens_the_session(new: New) -> None:
    peer = new("SECRET")
    peer.logon((553, "desk"), (554, PASSWORD))
    peer.trade()


@pytest.mark.parametrize(
    "fields", [[], [(553, "desk")], [(553, "desk"), (554, "wrong")], [(553, "X"), (554, PASSWORD)]]
)
def test_no_other_does(new: New, fields: list[tuple[int, object]]) -> None:
    peer = new("SECRET2")
    peer.connect()
    peer.send("A", [(98, 0), (108, 30), *fields])
    assert "wrong" in peer.goodbye()[58]


def test_a_checker_that_died_is_replaced(engine: Engine, new: New) -> None:
    peer = new("SECRET")
    peer.next_out, right = 1, [(553, "desk"), (554, PASSWORD), (141, "Y")]
    peer.logon(*right)
    peer.close()
    assert engine.process is not None
    server = engine.process.pid
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    time.sleep(0.1)
    peer.next_out = 1
    peer.connect()
    peer.send("A", [(98, 0), (108, 30), *right])
    assert peer.receive()[35] in ("5", "A")  # the one that it had been asked for is refused
    peer.close()
    time.sleep(0.2)
    peer.next_out = 1
    peer.logon(*right)


def test_no_password_is_kept(engine: Engine, new: New) -> None:
    data = b"".join(path.read_bytes() for path in (engine.folder / "journal").glob("*.journal"))
    assert b"553=desk" in data
    assert PASSWORD.encode() not in data and b"554=wrong" not in data


def test_addresses(new: New) -> None:
    new("HERE").logon()
    with pytest.raises(Closed):
        new("ELSEWHERE").logon()


def test_outside_its_hours(new: New) -> None:
    peer = new("CLOSED")
    peer.connect()
    peer.send("A", [(98, 0), (108, 30)])
    assert "schedule" in peer.goodbye()[58]


def test_heartbeat_limits(new: New) -> None:
    peer = new("SLOWBEAT", heartbeat=5)
    peer.connect()
    peer.send("A", [(98, 0), (108, 5)])
    assert "108)=5 must be 10 to 20" in peer.goodbye()[58]


def test_orders_over_the_rate_are_refused_and_cancels_are_not(new: New) -> None:
    peer = new("THROTTLED")
    peer.logon()
    orders = [peer.order() for _ in range(6)]
    for terms in orders:
        peer.send("D", terms)
    kinds = [peer.receive() for _ in orders]
    refused = [got for got in kinds if got[35] == "j"]
    assert [got[35] for got in kinds[:2]] == ["8", "8"] and len(refused) >= 3
    assert {got[380] for got in refused} == {"8"} and "SI-RATE" in refused[0][58]
    assert refused[-1][379] == dict(orders[-1])[11]
    peer.send("F", [(11, "x"), (41, "never"), (55, ISIN), (54, 1), (38, 1), (60, stamp())])
    peer.expect("9", t102=1)


def test_next_expected_number_in_logon(new: New) -> None:
    peer = new("NEXT")
    assert peer.logon((789, 1))[789] == "2"
    lost = [peer.trade() for _ in range(3)]
    peer.close()
    time.sleep(0.1)
    answer = peer.logon((789, lost[0][34]))
    assert answer[789] == str(peer.next_out)
    for report in lost:  # without a ResendRequest
        assert peer.expect("8", t34=report[34], t43="Y")[17] == report[17]
    peer.close()
    time.sleep(0.1)
    peer.connect()
    peer.send("A", [(98, 0), (108, 30), (789, 999)])
    assert "789" in peer.goodbye()[58]


def test_last_number_processed(new: New) -> None:
    peer = new("LAST")
    assert peer.logon()[369] == "1"
    assert peer.trade()[369] == "2"
    peer.send("1", [(112, "x")])
    assert peer.expect("0")[369] == "3"


def test_what_is_missing_is_asked_for_in_parts(new: New) -> None:
    peer = new("CHUNKS")
    peer.logon()
    peer.send("0", seq=9)
    peer.expect("2", t7=2, t16=4)
    peer.send("4", [(123, "Y"), (36, 5)], seq=2, t43="Y", t122=stamp())
    peer.expect("2", t7=5, t16=7)
    peer.send("4", [(123, "Y"), (36, 8)], seq=5, t43="Y", t122=stamp())
    peer.expect("2", t7=8, t16=8)
    peer.send("1", [(112, "last")], seq=8, t43="Y", t122=stamp())
    peer.expect("0", t112="last")
    peer.next_out = 10
    peer.answers("whole")


def test_resends_are_bounded(new: New) -> None:
    peer = new("TRICKLE")
    peer.logon()
    reports = [peer.trade() for _ in range(12)]
    peer.send("2", [(7, 2), (16, 0)])
    for report in reports:
        peer.expect("8", t34=report[34], t43="Y")


@pytest.mark.parametrize("name", ["FRESH", "FORGETS"])
def test_numbers_begin_anew(new: New, name: str) -> None:
    peer = new(name)
    peer.logon()
    peer.trade()
    peer.close()
    time.sleep(0.1)
    peer.next_out = 1
    assert peer.logon()[34] == "1"
    assert peer.trade()[34] == "2"


def test_timestamps_and_fills(new: New) -> None:
    peer = new("NANOS")
    peer.logon()
    peer.send("D", peer.order())
    got = peer.expect("8", t150="2", t39="2")
    assert all(len(got[tag].partition(".")[2]) == 9 for tag in (52, 60))
    peer = new("SECONDS")
    peer.logon()
    assert all(len(peer.trade()[tag]) == 17 for tag in (52, 60))


def test_cancel_on_disconnect(new: New) -> None:
    peer, other = new("CUTS"), new("STAYS")
    for each in (peer, other):
        each.logon()
    mine, theirs = big(peer), big(other)
    peer.close()
    time.sleep(0.2)
    missed = peer.next_in
    peer.logon()
    peer.send("2", [(7, missed), (16, 0)])
    peer.expect("8", t11=mine, t39=4, t43="Y")
    other.send("H", [(11, theirs), (55, ISIN), (54, 1), (37, "x")])
    other.expect("8", t150="I", t39=0)


# --- changed while it runs ----------------------------------------------------------------------


def tell(engine: Engine, verb: str, target: str, **more: object) -> dict[str, object]:
    return ask(engine.folder, {"session": verb, "target": target, "by": "test", **more})


def test_paused_resumed_reset_and_removed(engine: Engine, new: New) -> None:
    peer = new("ADMIN")
    peer.logon()
    peer.trade()
    with pytest.raises(UserError, match="logged on"):
        tell(engine, "reset", "ADMIN")
    tell(engine, "pause", "ADMIN")
    assert "paused" in peer.expect("5")[58]
    peer.send("5")
    peer.closed()
    peer.connect()
    peer.send("A", [(98, 0), (108, 30)])
    assert "paused" in peer.goodbye()[58]
    tell(engine, "reset", "ADMIN", next_in=50, next_out=80)
    tell(engine, "resume", "ADMIN")
    peer.next_out = 50
    assert peer.logon()[34] == "80"
    peer.trade()
    tell(engine, "logout", "ADMIN", why="enough")
    assert peer.expect("5")[58] == "enough"
    peer.send("5")
    peer.closed()
    tell(engine, "remove", "ADMIN")
    with pytest.raises(Closed):
        peer.logon()
    with pytest.raises(UserError, match="no session"):
        tell(engine, "pause", "ADMIN")


def test_added_and_changed(engine: Engine, new: New) -> None:
    with pytest.raises(Closed):
        new("LATE").logon()
    settings = {"target_comp_id": "LATE", "client": "client1"}
    tell(engine, "add", "LATE", settings=settings)
    peer = new("LATE")
    peer.logon()
    assert len(peer.trade()[52].partition(".")[2]) == 6
    tell(engine, "change", "LATE", settings={"timestamp_precision": 3})
    assert len(peer.trade()[52].partition(".")[2]) == 3
    listed = ask(engine.folder, {"session": "list", "target": "LATE"})["sessions"][0]
    assert (listed["state"], listed["next_in"]) == ("on", peer.next_out)
    with pytest.raises(UserError, match="none of"):
        tell(engine, "change", "LATE", settings={"client": "nobody"})
    peer.trade()
