"""Messages sent again, from the journal's bytes: against the plain rule, in every version."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine.schema import execution
from gateway import fix_message, recorder, resend
from gateway.wire import BEGIN_STRINGS, SENT_RING, Version
from tests import rig
from tests.firm import NOW_NS
from tests.fix_text import SHARED_FIX, as_array, message, pairs_of
from tests.stock_dictionary import problems

LATER_NS = NOW_NS + 12_345_678_901
BUDGET = 3

#: Type, what stands behind the header, and whether it is an output of the engine.
KINDS = {
    "fill": ("8", "37=1|17=2|150=F|39=2|58=a 52=x and 10=000 in words|", True),
    "reject": ("3", "45=7|58=SI-REJECT required tag missing: 52|", False),
    "business reject": ("j", "45=7|372=E|380=3|", False),
    "market data reject": ("Y", "262=A|281=0|", False),
    "long type": ("AI", "117=3|297=5|", False),
    "answer to a quote request": ("S", "131=R|117=4|132=20|", True),
    "heartbeat": ("0", "112=T|", False),
    "test request": ("1", "112=T|", False),
    "resend request": ("2", "7=1|16=0|", False),
    "sequence reset": ("4", "123=Y|36=9|", False),
    "logout": ("5", "58=bye|", False),
    "logon": ("A", "98=0|108=30|", False),
    "quote": ("S", "117=4|132=20|", False),
    "mass quote": ("i", "117=4|296=0|", False),
    "quote cancel": ("Z", "117=4|298=4|", False),
    "snapshot": ("W", "262=A|268=0|", False),
    "update": ("X", "262=A|268=0|", False),
}
AGAIN = [*KINDS][:6]


class Store:
    """A session, and the journal of what it was sent."""

    def __init__(self, version: Version = Version.FIX_4_4, precision: int = 6) -> None:
        self.wire = rig.allocate(16, 8)
        self.session = rig.log_on(self.wire, 0, "CLIENT")
        self.session["version"] = self.session["rules"] = version
        self.session["precision"] = precision
        self.journal = jn.in_memory(4 << 20)
        self.version = version
        self.raws: list[bytes] = []

    def send(self, kind: str) -> bytes:
        """The next message, as it went out at first."""
        msg_type, more, output = KINDS[kind]
        seq, stamp = int(self.session["next_out"]), fix_message.stamp(NOW_NS)
        head = f"35={msg_type}|34={seq}|49=SI|56=CLIENT|52={stamp}|"
        raw = message(head + more, BEGIN_STRINGS[self.version])
        if not output:
            recorder.on_message_out(self.wire, self.journal, 0, as_array(raw), 0, len(raw), NOW_NS)
        else:
            at, size = jn.body_at(self.journal), execution.itemsize
            self.journal.buffer[at : at + size] = 0
            self.journal.buffer[at + size : at + size + len(raw)] = as_array(raw)
            seq = int(recorder.take_seq(self.wire, 0, NOW_NS))
            place = jn.end_frame(self.journal, jn.EXECUTION, 0, seq, NOW_NS, size + len(raw))
            self.wire.sent[0, seq % SENT_RING] = place
        self.raws.append(raw)
        rig.sent(self.wire, 0)
        return raw

    def places(self, first: int) -> np.ndarray:
        numbers = np.arange(first, int(self.session["next_out"]))
        return self.wire.sent[0, numbers % SENT_RING]

    def again(self, first: int = 1, budget: int = BUDGET, places: Any = None) -> list[bytes]:
        """All that comes when everything from a number on is asked for again."""
        self.rows, found = resend.new_backlog(first), []
        places = self.places(first) if places is None else places
        while True:
            state = resend.resend(
                self.wire, self.journal, self.journal, 0, 0, self.rows, places, budget, LATER_NS
            )
            came = split(rig.sent(self.wire, 0))
            assert len(came) <= budget + 2, "a gap fill before and one behind"
            found += came
            if state == resend.DONE:
                return found
            assert state == resend.MORE


def split(data: bytes) -> list[bytes]:
    """By BodyLength(9): a text may hold anything."""
    found = []
    while data:
        body = data.index(b"\x0135=") + 1
        size = int(data[:body].split(b"\x019=")[1].rstrip(b"\x01"))
        end = body + size + len(b"10=000|")
        found.append(data[:end])
        data = data[end:]
    return found


def expected(raws: list[bytes], kinds: list[str], first: int, version: Version) -> list[bytes]:
    """The rule in plain Python: sent again, or filled as a gap together with its neighbours."""
    said: list[bytes] = []
    gap = 0
    for seq, (raw, kind) in enumerate(zip(raws, kinds, strict=True), 1):
        if seq < first:
            continue
        if kind not in AGAIN:
            gap = gap or seq
            continue
        if gap:
            said.append(gap_fill(gap, seq, version))
            gap = 0
        said.append(fix_message.again(raw, LATER_NS))
    return [*said, gap_fill(gap, len(raws) + 1, version)] if gap else said


def gap_fill(seq: int, new: int, version: Version) -> bytes:
    stamp = fix_message.stamp(LATER_NS)
    head = f"35=4|34={seq}|49=SI|56=CLIENT|52={stamp}|43=Y|122={stamp}|123=Y|36={new}|"
    return message(head, BEGIN_STRINGS[version])


@given(
    st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=25),
    st.integers(1, 25), st.integers(1, 30), st.sampled_from([*Version]),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_same_as_the_plain_rule(
    kinds: list[str], first: int, budget: int, version: Version
) -> None:
    store = Store(version)
    for kind in kinds:
        store.send(kind)
    first = min(first, len(kinds))
    before = int(store.session["next_out"])
    assert store.again(first, budget) == expected(store.raws, kinds, first, version)
    assert store.session["next_out"] == before, "no number is used"
    streams = {"quote", "mass quote", "quote cancel", "snapshot", "update"}
    assert bool(store.rows[0]["quotes"]) == bool(streams & set(kinds[first - 1 :]))


def test_it_is_journalled_as_sent_again() -> None:
    store = Store()
    for kind in ("logon", "fill", "heartbeat"):
        store.send(kind)
    offset = jn.position(store.journal)
    came = store.again()
    frames = []
    while offset < jn.position(store.journal):
        word = offset >> 3
        size = int(store.journal.words[word + jn.BODY_SIZE])
        assert store.journal.words[word + jn.KIND] == jn.FIX_RESENT
        body = store.journal.buffer[offset + 64 : offset + 64 + size].tobytes()
        frames.append((int(store.journal.words[word + jn.FIX_SEQ]), body))
        offset += int(store.journal.words[word])
    assert frames == list(zip((1, 2, 3), came, strict=True))
    assert store.rows[0]["sent"] == 3


@pytest.mark.parametrize("precision", [0, 3, 6, 9])
def test_the_new_time_has_the_sessions_precision(precision: int) -> None:
    store = Store(precision=precision)
    store.send("fill")
    [raw] = store.again()
    fields = dict(pairs_of(raw))
    assert len(fields[52]) == (17 if precision == 0 else 18 + precision)
    assert fields[122].decode() == fix_message.stamp(NOW_NS)
    assert fix_message.stamp(LATER_NS).startswith(fields[52][:24].decode())


def test_a_number_that_nobody_knows_is_filled() -> None:
    store = Store()
    for _ in range(4):
        store.send("fill")
    places = store.places(1).copy()
    places[1] = -1  # lost
    places[2] = places[3]  # another number's
    came = store.again(places=places)
    assert [dict(pairs_of(raw))[35] for raw in came] == [b"8", b"4", b"8"]
    assert dict(pairs_of(came[1]))[36] == b"4"


def test_another_sessions_message_is_not_sent() -> None:
    store = Store()
    store.send("fill")
    rig.log_on(store.wire, 1, "OTHER")
    rows = resend.new_backlog(1)
    tail = (rows, store.places(1), BUDGET, LATER_NS)
    assert resend.resend(store.wire, store.journal, store.journal, 0, 1, *tail) == resend.DONE
    [raw] = split(rig.sent(store.wire, 1))
    assert dict(pairs_of(raw))[35] == b"4" and rig.sent(store.wire, 0) == b""


def test_each_segment_has_its_turn() -> None:
    store = Store()
    for _ in range(4):
        store.send("fill")
    size = store.journal.buffer.shape[0]
    places = store.places(1).copy()
    places[2:] += size  # as if the last two were in the next segment
    rows, states = resend.new_backlog(1), []
    for base in (0, size, size):
        states.append(
            resend.resend(
                store.wire, store.journal, store.journal, base, 0, rows, places, 10, LATER_NS
            )
        )
    assert states == [resend.OTHER_SEGMENT, resend.DONE, resend.DONE]
    assert len(split(rig.sent(store.wire, 0))) == 4 and rows[0]["next"] == 4


def test_one_who_does_not_read_gets_no_more() -> None:
    store = Store()
    store.send("fill")
    store.wire.connections[0]["tx_end"] = resend.OWED_MAX + 1
    rows, places = resend.new_backlog(1), store.places(1)
    call = (store.wire, store.journal, store.journal, 0, 0, rows, places, BUDGET, LATER_NS)
    assert resend.resend(*call) == resend.OWED and rows[0]["next"] == 0
    store.wire.connections[0]["tx_end"] = 0
    assert resend.resend(*call) == resend.DONE
    assert store.wire.connections[0]["slow"] == 0


def test_a_long_gap_takes_more_than_one_call() -> None:
    store = Store()
    rows, places = resend.new_backlog(1), np.full(100, -1, np.int64)
    states = []
    while not states or states[-1] == resend.MORE:
        states.append(
            resend.resend(store.wire, store.journal, store.journal, 0, 0, rows, places, 2, LATER_NS)
        )
    assert len(states) == -(-100 // (2 * resend.LOOKS_MAX))
    [raw] = split(rig.sent(store.wire, 0))
    assert dict(pairs_of(raw))[36] == b"101"


@pytest.mark.skipif(not SHARED_FIX.exists(), reason="no stock dictionaries here")
@pytest.mark.parametrize("version", [*Version])
def test_the_stock_dictionary_knows_a_gap_fill(version: Version) -> None:
    store = Store(version)
    store.session["last_processed"] = 1
    store.send("logon")
    store.send("business reject")
    for raw in store.again():
        assert problems(raw) == [], raw
