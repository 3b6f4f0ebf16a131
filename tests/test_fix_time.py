"""Times and dates that counterparties write, against Python's own calendar."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fix_write
from gateway.fix_time import DAY_NS, LAST_YEAR, read_day, read_time
from tests import rig
from tests.fix_text import as_array
from tests.test_fix_write import DAYS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIMES = [
    "", "20251123", "20251123-09:00", "20251123-09:00:00.", "20251123 09:00:00",
    "20251123-24:00:00", "20251123-09:60:00", "20251123-09:00:61", "20251301-09:00:00",
    "20251323-09:00:00", "20251100-09:00:00", "20250229-09:00:00", "20251123-09:00:00,5",
    "20251123-09.00:00", "20251123-09:00:00.x", "20251123-09:00:00.1234567890",
    "2025112x-09:00:00", "x0251123-09:00:00", "+0251123-09:00:00", "19691231-09:00:00",
]  # fmt: skip


def time_of(text: str) -> tuple[int, bool]:
    ns, good = read_time(as_array(text.encode() + bytes(8)), 0, len(text))
    return int(ns), bool(good)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(LAST_YEAR, 12, 31)),
    st.integers(0, 10**9 - 1),
    st.integers(0, 9),
)
def test_a_time_is_read_to_the_nanosecond(moment: datetime, nanos: int, places: int) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    kept = f"{nanos:09d}"[:places]
    text = f"{whole:%Y%m%d-%H:%M:%S}" + (f".{kept}" if places else "")
    seconds = (whole - EPOCH) // timedelta(seconds=1)
    assert time_of(text) == (seconds * 10**9 + int(kept.ljust(9, "0") or 0), True)


@given(st.integers(0, DAYS * DAY_NS - 1), st.sampled_from([0, 3, 6, 9]))
def test_times_are_read_as_they_are_written(ts_ns: int, precision: int) -> None:
    wires = rig.allocate()
    out = np.zeros(64, np.uint8)
    size = fix_write.put_time(out, 0, wires.date, wires.loop[0], ts_ns, precision)
    unit = 10 ** (9 - precision)
    assert read_time(out, 0, size) == (ts_ns // unit * unit, True)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    assert time_of(text) == (0, False)


def test_every_day_of_a_long_time() -> None:
    first = date(1970, 1, 1)
    for number in range((date(LAST_YEAR, 12, 31) - first).days + 1):
        text = f"{first + timedelta(days=number):%Y%m%d}"
        assert read_day(as_array(text.encode()), 0) == (number, True)


@pytest.mark.parametrize("text", ["20240230", "20230229", "20250431", "21000229", "2025013x"])
def test_days_that_the_calendar_does_not_have(text: str) -> None:
    assert read_day(as_array(text.encode()), 0) == (0, False)


def test_the_last_second_of_a_leap_day() -> None:
    for text, ns in (("20240229-23:59:60", 86_400), ("20000229-00:00:00", 0)):
        day = (EPOCH.replace(year=int(text[:4]), month=2, day=29) - EPOCH).days
        assert time_of(text) == ((day * 86_400 + ns) * 10**9, True)


def test_a_time_that_nanoseconds_cannot_hold_is_late_all_the_same() -> None:
    last, good = time_of(f"{LAST_YEAR}1231-23:59:59")
    assert good and last < 2**63
    for text in ("99991231-23:59:59", "22011231-23:59:59"):
        assert time_of(text) == (last, True)
    assert time_of("99990229-00:00:00") == (0, False)
