"""Trading calendars against what the exchanges publish: holidays, early closes, daylight saving."""

import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import ConfigError, Hours
from refdata.hours import CALENDARS, Session, calendar_of, read_csv, sessions, write_csv
from refdata.rows import Refused

pytestmark = pytest.mark.pure

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def day(mic: str, on: date) -> Session | None:
    found = sessions(mic, on, on)
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("mic", "on", "opens", "closes", "early"),
    [
        ("XETR", "2026-11-23", "08:00", "16:30", False),
        ("XETR", "2026-12-30", "08:00", "13:00", True),
        ("XLON", "2026-11-23", "08:00", "16:30", False),
        ("XLON", "2026-12-24", "08:00", "12:30", True),
        ("XLON", "2026-12-31", "08:00", "12:30", True),
        ("XPAR", "2026-12-24", "08:00", "13:05", True),
        ("XLIS", "2026-11-23", "08:00", "16:30", False),
        ("XMAD", "2026-12-31", "08:00", "13:00", True),
        ("XOSL", "2026-11-23", "08:00", "15:20", False),
        ("XDUB", "2026-11-23", "08:00", "16:28", False),
        ("MTAA", "2026-11-23", "08:00", "16:30", False),
        # The weeks around the change to summer time on 29 March and back on 25 October 2026.
        ("XETR", "2026-03-27", "08:00", "16:30", False),
        ("XETR", "2026-03-30", "07:00", "15:30", False),
        ("XETR", "2026-10-23", "07:00", "15:30", False),
        ("XETR", "2026-10-26", "08:00", "16:30", False),
        ("XLON", "2026-03-27", "08:00", "16:30", False),
        ("XLON", "2026-03-30", "07:00", "15:30", False),
        ("XHEL", "2026-03-27", "08:00", "16:30", False),
        ("XHEL", "2026-03-30", "07:00", "15:30", False),
    ],
)
def test_hours_in_utc(mic: str, on: str, opens: str, closes: str, early: bool) -> None:
    expected = Session(
        date.fromisoformat(on), moment(f"{on}T{opens}"), moment(f"{on}T{closes}"), early
    )
    assert day(mic, date.fromisoformat(on)) == expected


@pytest.mark.parametrize(
    ("mic", "on", "trades"),
    [
        ("XETR", date(2026, 4, 3), False),  # Good Friday
        ("XETR", date(2026, 4, 6), False),  # Easter Monday
        ("XETR", date(2026, 4, 7), True),
        ("XETR", date(2026, 5, 1), False),
        ("XLON", date(2026, 5, 1), True),  # Labour Day is none in London
        ("XLON", date(2026, 5, 4), False),  # early May bank holiday
        ("XPAR", date(2026, 12, 25), False),
        ("XLON", date(2026, 12, 28), False),  # Boxing Day is a Saturday
        ("XETR", date(2026, 12, 28), True),
        ("XETR", date(2026, 12, 31), False),
        ("XPAR", date(2026, 12, 31), True),
        ("XSWX", date(2026, 1, 2), False),  # Berchtoldstag
        ("XMIL", date(2026, 12, 24), False),
        ("XETR", date(2026, 11, 21), False),  # a Saturday
    ],
)
def test_holidays(mic: str, on: date, trades: bool) -> None:
    assert (day(mic, on) is not None) is trades


@pytest.mark.parametrize("mic", [calendar.mic for calendar in CALENDARS])
def test_every_calendar_makes_a_plausible_year(mic: str) -> None:
    found = sessions(mic, *YEAR)
    assert 245 <= len(found) <= 258
    assert [session.day for session in found] == sorted({session.day for session in found})
    for session in found:
        midnight = moment(session.day.isoformat())
        assert session.day.weekday() < 5
        assert midnight + 6 * 3_600 * 10**9 <= session.open_ns < session.close_ns
        assert session.close_ns <= midnight + 17 * 3_600 * 10**9
        assert session.open_ns % (60 * 10**9) == session.close_ns % (60 * 10**9) == 0
        assert session.close_ns - session.open_ns <= 9 * 3_600 * 10**9
    usual = max(session.close_ns - session.open_ns for session in found)
    assert all(x.close_ns - x.open_ns < usual for x in found if x.early)


def test_each_mic_is_there_once() -> None:
    mics = [calendar.mic for calendar in CALENDARS]
    assert sorted(set(mics)) == sorted(mics)
    assert {"XETR", "XLON", "XPAR", "XAMS", "XBRU", "XLIS", "XMAD", "XMIL", "XSTO", "XHEL", "XCSE",
            "XOSL", "XWBO", "XSWX", "XDUB", "XWAR"} <= set(mics)  # fmt: skip
    assert all(calendar.sure or calendar.mic != calendar.calendar for calendar in CALENDARS)


@settings(max_examples=8)
@given(st.integers(0, 360), st.integers(0, 30))
def test_a_range_is_a_part_of_the_year(start: int, length: int) -> None:
    first = YEAR[0] + timedelta(days=start)
    last = first + timedelta(days=length)
    year = sessions("XETR", YEAR[0], YEAR[1] + timedelta(days=60))
    assert sessions("XETR", first, last) == [x for x in year if first <= x.day <= last]


def test_an_unknown_mic_says_which_are_known() -> None:
    with pytest.raises(Refused, match="'XXXX': no calendar is known; there is one for XETR, XETA"):
        sessions("XXXX", *YEAR)
    assert calendar_of("XETA").calendar == "XETR"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 1, 2), date(2026, 1, 1)),
        (date(2000, 1, 1), date(2026, 1, 1)),
        (date.min, date(1, 1, 9)),
        (date(9999, 12, 25), date.max),
    ],
)
def test_a_range_that_cannot_be(first: date, last: date) -> None:
    with pytest.raises(Refused, match=f"column 'XETR' value '{first} to {last}'"):
        sessions("XETR", first, last)


def test_warnings_of_the_library_stay_inside() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert sessions("XWAR", date(2026, 2, 2), date(2026, 2, 3))
    assert caught == []


# --- as a file --------------------------------------------------------------------------------


def test_a_file_gives_back_what_was_written(tmp_path):
    days = sessions("XETR", date(2026, 12, 20), date(2027, 1, 10))
    path = tmp_path / "hours.csv"
    write_csv(path, days)
    assert read_csv(path) == days
    assert "2026-12-30,2026-12-30T08:00:00Z,2026-12-30T13:00:00Z,Y" in path.read_text()
    assert len(days) == 11 and date(2026, 12, 25) not in {session.day for session in days}


GOOD = "2026-11-23,2026-11-23T08:00:00Z,2026-11-23T16:30:00Z,N"


@pytest.mark.parametrize(
    ("lines", "column"),
    [
        (["23.11.2026,2026-11-23T08:00:00Z,2026-11-23T16:30:00Z,N"], "day"),
        (["2026-11-23,08:00,2026-11-23T16:30:00Z,N"], "open_utc"),
        (["2026-11-23,2026-11-23T08:00:00Z,2026-11-23T07:00:00Z,N"], "close_utc"),
        (["2026-11-23,2026-11-23T08:00:00Z,2026-11-23T16:30:00Z,no"], "early"),
        ([GOOD, GOOD], "day"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, lines, column):
    path = tmp_path / "hours.csv"
    path.write_text("\n".join(["day,open_utc,close_utc,early", *lines]) + "\n")
    with pytest.raises(Refused) as caught:
        read_csv(path)
    assert [problem.column for problem in caught.value.problems] == [column]


def test_the_engine_opens_on_the_days_of_the_file(tmp_path):
    config = Hours(file=Path("hours.csv"))
    days = sessions("XETR", date(2026, 12, 23), date(2026, 12, 31))
    write_csv(tmp_path / "hours.csv", days)
    first, second = days[0], days[1]  # 23 December, then after Christmas the 28th
    assert second.day == date(2026, 12, 28)
    window = (first.open_ns, first.close_ns, first.close_ns)
    assert config.window_ns(first.open_ns - 1, tmp_path) == window
    assert config.window_ns(first.close_ns - 1, tmp_path) == window
    window = (second.open_ns, second.close_ns, second.close_ns)
    assert config.window_ns(first.close_ns, tmp_path) == window
    opens, closes, again = config.window_ns(days[-1].close_ns, tmp_path)
    assert opens == closes > days[-1].close_ns
    assert again == days[-1].close_ns + 60 * 10**9
    with pytest.raises(ConfigError, match=r"hours\.file"):
        config.window_ns(0, tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="not both"):
        Hours(file=Path("hours.csv"), days=["mon"])
