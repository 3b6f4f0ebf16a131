"""What the session bench counts by, and the bad habits: that they are as bad as they say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import misbehave, sessions
from gateway.errors import UserError


@given(st.integers(0, 2**62))
def test_a_bucket_is_less_than_one_per_cent_wide(value_ns: int) -> None:
    bucket = int(sessions.bucket_of(value_ns))
    top_ns = sessions.top_ns(bucket)
    assert 0 <= bucket < sessions.BUCKETS
    assert value_ns <= top_ns and (top_ns - value_ns) * sessions.SUB_BUCKETS <= value_ns
    assert int(sessions.bucket_of(top_ns)) == bucket
    assert int(sessions.bucket_of(top_ns + 1)) == bucket + 1


@given(st.lists(st.integers(0, 10**10), min_size=1), st.sampled_from([1, 500, 990, 999, 1000]))
def test_a_quantile_is_that_of_the_sorted_times(times_ns: list[int], per_mille: int) -> None:
    counts = np.zeros(sessions.BUCKETS, np.int64)
    for time_ns in times_ns:
        counts[sessions.bucket_of(time_ns)] += 1
    exact = sorted(times_ns)[-(-len(times_ns) * per_mille // 1000) - 1]
    found = sessions.quantile_ns(counts, per_mille)
    assert found == sessions.top_ns(int(sessions.bucket_of(exact)))


def test_nothing_has_no_quantile() -> None:
    assert sessions.quantile_ns(np.zeros(sessions.BUCKETS, np.int64), 500) == 0


@pytest.mark.parametrize(
    ("count", "rate", "habits", "word"),
    [
        (0, 1, [], "--sessions 0"),
        (255, 1, [], "--sessions 255"),
        (100, 10_001, [], "--rate 10001"),
        (1, 1, ["gaps", "politeness"], "--misbehave politeness"),
    ],
)
def test_what_cannot_be_measured_is_said(
    count: int, rate: int, habits: list[str], word: str
) -> None:
    with pytest.raises(UserError, match=word):
        sessions.check(count, rate, habits)
    sessions.check(5, 100, list(misbehave.HABITS))


class Wire:
    """A socket that takes everything and has nothing to say."""

    def __init__(self) -> None:
        self.sends: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sends.append(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        raise BlockingIOError

    def close(self) -> None:
        self.sends.append(b"closed")

    def setsockopt(self, *_: Any) -> None:
        pass


class Peer(misbehave.Peer):
    """Logged on without a network."""

    def __init__(self) -> None:
        super().__init__(0, "CLIENT1", "SI", "DE0007164600")
        self.wire = Wire()

    def connect(self, receive_buffer: int = 0) -> Any:
        self.sock = self.wire  # type: ignore[assignment]
        return self.wire

    def log_on(self, receive_buffer: int = 0) -> None:
        self.connect()
        self.next_out = max(self.next_out, 2)


MARKS = {
    "gaps": (b"\x01123=Y\x01", 2),
    "resend_storm": (b"\x0135=2\x01", 8),
    "garbage": (b"8=FIX.4.4\x019=5\x0135=0\x01", 3),
    "one_byte": (b"\x01", 100),
    "oversize": (b"9=99999999\x01", 2),
    "slow_reader": (b"\x0135=D\x01", 11),
    "logon_flood": (b"\x0135=A\x01", 1),
    "disconnects": (b"closed", 2),
}


@pytest.mark.parametrize("habit", [*misbehave.HABITS])
def test_a_habit_does_what_it_says(habit: str) -> None:
    mark, sends = MARKS[habit]
    peer = Peer()
    for _ in range(20):  # some do it by chance
        misbehave.HABITS[habit](peer)
    assert len(peer.wire.sends) >= sends
    assert any(mark in data for data in peer.wire.sends)
