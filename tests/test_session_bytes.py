"""A session's bytes and its neighbours: split, merged, garbled, slow; stop and restart."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.fix_peer import Client, Closed, Member, Silence, framed, order, stamp
from tests.session_rig import (
    CLORDIDS,
    ISIN,
    SESSIONS,
    New,
    engine_of_sessions,
    filled,
    new_clients,
    trade,
)  # fmt: skip
from tests.venue import Engine

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_of_sessions(tmp_path_factory.mktemp("sessions") / "si") as engine:
        yield engine


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return iter(SESSIONS)


@pytest.fixture
def new(engine: Engine, names: Iterator[str]) -> Iterator[New]:
    with new_clients(engine, names) as make:
        yield make


@pytest.fixture
def client(new: New) -> Client:
    """Logged on."""
    made = new()
    made.logon()
    return made


# --- 3, 18: bytes -----------------------------------------------------------------------------


def test_a_message_byte_by_byte(client: Client) -> None:
    clordid = next(CLORDIDS)
    for byte in client.message("D", order(clordid, ISIN, 10)):
        client.raw(bytes([byte]))
        time.sleep(0.0002)
    client.next_out += 1
    filled(client, clordid)


def test_many_messages_in_one_piece_cut_anywhere(client: Client) -> None:
    clordids = [next(CLORDIDS) for _ in range(60)]
    data = b""
    for clordid in clordids:
        data += client.message("D", order(clordid, ISIN, 10))
        client.next_out += 1
    for start in range(0, len(data), 1_777):
        client.raw(data[start : start + 1_777])
        time.sleep(0.001)
    for clordid in clordids:
        filled(client, clordid)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "checksum": lambda raw: raw[:-4] + b"%03d\x01" % ((int(raw[-4:-1]) + 1) % 256),
    "long": lambda raw: raw.replace(b"\x019=", b"\x019=1", 1),
    "short": lambda raw: raw.replace(b"\x019=1", b"\x019=", 1),
    "no length": lambda raw: raw.replace(b"8=FIX.4.4\x019=", b"8=FIX.4.4\x01x=", 1),
    "another quantity": lambda raw: raw.replace(b"38=10", b"38=90"),
    "half a message": lambda raw: raw[:-30],
    "noise": lambda raw: b"\x00\xff garbage 8=FI",
    "no checksum": lambda raw: raw[:-7] + b"11=000\x01",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_garbled_messages_are_skipped(client: Client, damage: str) -> None:
    """What follows is served: the number was not used."""
    client.raw(DAMAGES[damage](client.message("D", order("garbled", ISIN, 10))))
    clordid = next(CLORDIDS)
    client.send("D", order(clordid, ISIN, 10))
    client.send("0", [(58, "x" * 2_000)])  # more than any length that was claimed
    filled(client, clordid)
    trade(client)


def test_a_message_too_large_ends_the_session(client: Client) -> None:
    client.send("0", [(58, "x" * 20_000)])
    assert "BodyLength(9)" in client.expect("5")[58]
    client.closed()
    client.next_out -= 1  # it was never read
    client.logon()
    trade(client)


def test_a_message_as_large_as_may_be_is_served(client: Client) -> None:
    clordid = next(CLORDIDS)
    client.send("D", [*order(clordid, ISIN, 10), (58, "x" * 16_000)])
    filled(client, clordid)


# --- one client does not disturb another ------------------------------------------------------


def flood(slow: Member, other: Client) -> tuple[int, float]:
    """Send and never read until cut off: orders sent, longest wait of the other for a fill."""
    sent, longest_s = 0, 0.0
    slow.socket.settimeout(3)
    while sent < 2_000_000:
        batch = bytearray()
        for _ in range(500):
            terms = order(f"slow-{sent}", ISIN, 10, t54=1 + sent % 2)
            slow.sent[slow.next_out] = ("D", terms, stamp())
            batch += slow.message("D", terms)
            slow.next_out += 1
            sent += 1
        try:
            slow.raw(bytes(batch))
        except (Closed, TimeoutError):
            break
        if f'"{slow.comp_id}", "why": "slow reader' in slow.engine.said():
            break  # what is sent from here on is lost, and asked for again
        started = time.monotonic()
        trade(other)
        longest_s = max(longest_s, time.monotonic() - started)
    return sent, longest_s


def test_a_client_that_does_not_read_is_cut_off_and_gets_everything_later(new: New) -> None:
    slow, other = new(Member), new()
    assert isinstance(slow, Member)
    slow.connect(receive_buffer=4096)
    slow.send("A", [(98, 0), (108, 30)])
    other.logon()
    sent, longest_s = flood(slow, other)
    assert sent < 2_000_000, "never cut off"
    assert longest_s < 1
    slow.close()
    time.sleep(0.2)
    slow.log_on()
    deadline = time.monotonic() + 60
    while len(slow.reports) < sent:
        assert time.monotonic() < deadline, f"{len(slow.reports)} of {sent}"
        slow.poll(0.1)
    clordids = [report[11] for report in slow.reports.values()]
    assert clordids == [f"slow-{number}" for number in range(sent)]
    assert len({report[17] for report in slow.reports.values()}) == sent
    trade(other)


def test_a_connection_that_never_logs_on_is_closed(new: New) -> None:
    client = new()
    client.connect()
    client.raw(b"8=FIX.4.4\x019=5")
    with pytest.raises(Silence):
        client.receive(5)
    client.closed(8)


# --- stop and start ---------------------------------------------------------------------------


def test_stop_logs_out_and_a_restart_goes_on(engine: Engine, new: New) -> None:
    client, quiet = new(Member), new()
    assert isinstance(client, Member)
    client.log_on()
    quiet.logon()
    client.send("D", order(next(CLORDIDS), ISIN, 10))
    while not client.reports:
        client.poll(0.1)
    number = client.expected
    assert engine.process is not None
    engine.process.terminate()
    goodbye = client.receive()
    assert goodbye[35] == "5" and goodbye[58]
    client.take(goodbye)
    client.send("5")
    client.closed()
    assert quiet.receive()[35] == "5"  # and never answers
    quiet.closed()
    assert engine.process.wait(10) == 0, engine.said()
    engine.start()
    client.log_on()
    assert client.expected == number + 2, "a Logout, a Logon"
    client.send("D", order(next(CLORDIDS), ISIN, 10))
    while len(client.reports) < 2:
        client.poll(0.1)
    assert framed("35=0|").startswith(b"8=FIX.4.4\x019=5\x01")
    assert client.repeats == 0
