"""The inputs that fuzzing found worth keeping, run again: compiled, and interpreted."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import SessionState
from tests.fix_text import message
from tests.fuzz import corpus, decoder, mutate, session, targets
from tests.fuzz.venue import Venue


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """What a client did wrong is logged, thousands of times over."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("name", targets.NAMES)
def test_every_kept_input_runs(name: str, tmp_path: Path) -> None:
    if not targets.present(name):
        pytest.skip(f"nothing here has a {name}")
    target = targets.target(name)
    kept = corpus.read(name)
    subject = target.open_target(tmp_path)
    try:
        for data in [*target.seeds(), *kept]:
            try:
                target.run(subject, data)
            except Exception as error:
                error.add_note(f"input: {data!r}")
                raise
    finally:
        if isinstance(subject, Venue):
            subject.close()
    assert kept, f"no corpus: make fuzz TARGET={name} KEEP=1"


def test_a_corpus_stays_small() -> None:
    for path in corpus.FOLDER.glob("*.txt"):
        assert path.stat().st_size <= corpus.SIZE_MAX
        assert len(corpus.read(path.stem)) <= corpus.INPUTS_MAX


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_corpus_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, inputs: list[bytes]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "FOLDER", tmp_path_factory.mktemp("corpus"))
        assert corpus.write("x", inputs) == (len(set(inputs)), 0)
        assert sorted(corpus.read("x")) == sorted(set(inputs))


def test_the_largest_inputs_go_first_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    monkeypatch.setattr(corpus, "SIZE_MAX", 10)
    assert corpus.write("x", [b"aaaaaaaa", b"b", b"ccc", b"d" * 9]) == (2, 2)
    assert corpus.read("x") == [b"b", b"ccc"]
    monkeypatch.setattr(corpus, "INPUTS_MAX", 1)
    assert corpus.write("x", [b"ccc", b"b"]) == (1, 1)


@given(st.integers(0, 2**32), st.sampled_from([*decoder.seeds(), b"", b"\xff|8=FIX"]))
def test_mutated_streams_stay_small_and_mostly_whole(seed: int, data: bytes) -> None:
    def blind(given: bytes, size_max: int) -> bytes:
        return Random(seed).randbytes(3) + given[:size_max]

    assert len(mutate.stream(data, 400, seed, blind)) <= 400
    assert mutate.stream(data, 400, seed, blind) == mutate.stream(data, 400, seed, blind)
    for mutator in (mutate.script, mutate.document):
        assert len(mutator(data, 400, seed, blind)) <= 400


def test_repair_makes_any_frame_whole() -> None:
    [order] = decoder.seeds()[:1]
    spoiled = order.replace(b"\x019=", b"\x019=7").replace(b"\x0134=2", b"\x0134=99")
    assert mutate.repair(spoiled, renumber=True) == order
    assert mutate.repair(b"noise" + spoiled * 2, renumber=True).startswith(b"noise" + order)


# --- what the targets are to find, put in on purpose ----------------------------------------------

LOGON = session.seeds()[0].splitlines()[0] + b"\n"
Fault = Callable[[Venue, int, bytes], None]


def skip_a_number(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.sessions.send(0, "0")
    venue.wire.sessions[0]["next_out"] += 1
    venue.sessions.send(0, "0")


def take_a_number_twice(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.sessions.record(0, raw, 1)
    venue.sessions.record(0, raw, 1)


def say_a_separator(venue: Venue, connection_id: int, raw: bytes) -> None:
    bind(venue, connection_id, 0)
    venue.sessions.send(0, "5", (58, "a\x0158=b"))


def say_what_is_not_journalled(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.connections.sockets[connection_id].send(message("35=0|34=1|49=SI|56=CLIENT1|52=*|"))


def speak_to_another(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.sessions.send(2, "0")


def damage_a_frame(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.sessions.record(0, raw, 0)
    venue.journal.buffer[int(venue.files.state[0]["offset"]) - 64] ^= 1


def forget_a_session(venue: Venue, connection_id: int, raw: bytes) -> None:
    bind(venue, connection_id, 0)
    venue.wire.connections[connection_id]["session"] = -1


def change_a_table(venue: Venue, connection_id: int, raw: bytes) -> None:
    venue.tables.counters[0]["orders"] += 1


def raise_an_error(venue: Venue, connection_id: int, raw: bytes) -> None:
    raise AssertionError("an error")


def bind(venue: Venue, connection_id: int, session_id: int) -> None:
    venue.wire.connections[connection_id]["session"] = session_id
    venue.wire.sessions[session_id]["connection"] = connection_id
    venue.wire.sessions[session_id]["state"] = SessionState.ON


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[session.Subject]:
    made = session.open_target(tmp_path_factory.mktemp("venue"))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (skip_a_number, "sent 3, expected 2"),
        (take_a_number_twice, "took 1, expected 2"),
        (say_a_separator, "a tag twice"),
        (say_what_is_not_journalled, "not in the journal"),
        (speak_to_another, "session 2 was changed"),
        (damage_a_frame, "damaged"),
        (forget_a_session, "session 0"),
        (change_a_table, "replay: other tables"),
        (raise_an_error, "an error"),
    ],
)
def test_a_fault_is_found(
    venue: session.Subject, monkeypatch: pytest.MonkeyPatch, fault: Fault, said: str
) -> None:
    def receive(connection_id: int, raw: bytes, problem: int, tag: int) -> None:
        fault(venue, connection_id, raw)

    monkeypatch.setattr(venue.sessions, "receive", receive)
    with pytest.raises(AssertionError, match=said):
        session.run(venue, LOGON)


def test_a_restored_venue_does_the_same_again(venue: session.Subject) -> None:
    for data in session.seeds():
        twice = []
        for _ in range(2):
            session.run(venue, data)
            heard = [(bytes(peer.got), peer.ended) for peer in venue.peers]
            twice.append((heard, venue.wire.sessions.tobytes(), venue.tables.orders.tobytes()))
        assert twice[0] == twice[1], data
