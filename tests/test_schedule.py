"""Windows of a session against a walk through every minute, across the changes of clocks."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import schedule as sc
from gateway.session_settings import DAYS, Session

pytestmark = pytest.mark.pure

MINUTE_NS = 60 * 10**9
DAY_MINUTES = 24 * 60
AROUND = 10  # days on either side of a change that the walk looks at
JUDGED = 2  # days on either side on which answers are compared: weekly windows reach in

#: Gaps and repeats of 30, 60 and 120 minutes and of a day, at night, at midnight and by day;
#: negative daylight saving, a change each way in a month, changes a minute after midnight.
ZONES = [
    "Europe/Berlin", "Europe/London", "Europe/Dublin", "America/New_York", "America/St_Johns",
    "America/Havana", "America/Sao_Paulo", "America/Asuncion", "Australia/Lord_Howe",
    "Africa/Casablanca", "Africa/Cairo", "Asia/Beirut", "Asia/Tehran", "Antarctica/Troll",
    "Pacific/Apia", "UTC", "Asia/Kolkata",
]  # fmt: skip


@cache
def changes(zone: str) -> list[int]:
    """Epoch minutes of every change of a zone's clock, found by looking at every hour of doubt."""
    place = ZoneInfo(zone)
    first = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp()) // 60
    found = []
    for day in range(first, first + 365 * 18 * DAY_MINUTES, DAY_MINUTES):
        if offset_of(day, place) != offset_of(day + DAY_MINUTES, place):
            at = next(
                m for m in range(day, day + DAY_MINUTES)
                if offset_of(m, place) != offset_of(m + 1, place)
            )  # fmt: skip
            found.append(at + 1)
    return found or [first + 1000 * DAY_MINUTES]


def offset_of(minute, place):
    return datetime.fromtimestamp(minute * 60, place).utcoffset()


@cache
def walk(zone: str, middle: int) -> tuple[int, list[datetime]]:
    """The first minute, and what the wall clock shows in it and in all that follow."""
    place, first = ZoneInfo(zone), middle - AROUND * DAY_MINUTES
    shown = [
        datetime.fromtimestamp(minute * 60, place).replace(tzinfo=None, fold=0)
        for minute in range(first, middle + AROUND * DAY_MINUTES)
    ]
    return first, shown


class Oracle(NamedTuple):
    """Windows in epoch minutes, by reading the wall clock minute by minute."""

    windows: list[tuple[int, int]]

    def start(self, minute):
        held = [opens for opens, closes in self.windows if opens <= minute < closes]
        return max(held, default=None)

    def next_change(self, minute):
        edges = sorted({edge for window in self.windows for edge in window})
        return next(e for e in edges if e > minute and self.start(e) != self.start(e - 1))


@cache
def reached(zone, middle, local, last):
    """When the clock shows this: the first or last time; jumped over: the first minute after."""
    first, shown = walk(zone, middle)
    times = [first + at for at, clock in enumerate(shown) if clock == local]
    if times:
        return times[-1] if last else times[0]
    return next((first + at for at, clock in enumerate(shown) if clock > local), None)


def oracle(session: Session, middle: int) -> Oracle:
    zone = session.time_zone
    days = sorted({clock.date() for clock in walk(zone, middle)[1]})[1:-1]
    windows = []
    for day in days:
        name = DAYS[day.weekday()]
        if day in session.holidays or name not in (session.weekdays or DAYS):
            continue
        if session.start_day is not None and name != session.start_day:
            continue
        end_day = day
        if session.end_time <= session.start_time:
            end_day += timedelta(days=1)
        while session.end_day is not None and DAYS[end_day.weekday()] != session.end_day:
            end_day += timedelta(days=1)
        opens = reached(zone, middle, datetime.combine(day, session.start_time), False)
        closes = reached(zone, middle, datetime.combine(end_day, session.end_time), True)
        if opens is not None and closes is not None and opens < closes:
            windows.append((opens, closes))
    return Oracle(windows)


def session_of(**settings):
    return Session(sender_comp_id="SI", target_comp_id="C", client="c", **settings)


def compare(session, middle, minutes):
    """Every answer of the product at these minutes, and a nanosecond before."""
    plan, expected = sc.from_settings(session), oracle(session, middle)
    starts = {}
    for minute in minutes:
        now_ns = minute * MINUTE_NS
        start = expected.start(minute)
        starts[minute] = start
        assert sc.session_start_ns(plan, now_ns) == (None if start is None else start * MINUTE_NS)
        assert sc.is_open(plan, now_ns) == (start is not None)
        before = expected.start(minute - 1)
        assert sc.is_open(plan, now_ns - 1) == (before is not None)
    return plan, expected, starts


def near(minutes, middle):
    return [m for m in minutes if abs(m - middle) <= JUDGED * DAY_MINUTES]


times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
# Around the hours in which clocks change, so that gaps and repeats are hit often.
night = st.builds(time, st.integers(0, 3), st.sampled_from([0, 1, 15, 29, 30, 31, 45, 59]))
places = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(st.just(zone), st.sampled_from(changes(zone)))
)
moments = st.lists(st.integers(-JUDGED * DAY_MINUTES, JUDGED * DAY_MINUTES), min_size=5, max_size=5)
weekly = st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map(
    lambda pair: {"start_day": pair[0], "end_day": pair[1]}
)
daily = st.sets(st.sampled_from(DAYS)).map(lambda days: {"weekdays": sorted(days)})


def day_of(place):
    zone, middle = place
    return datetime.fromtimestamp(middle * 60, ZoneInfo(zone)).date()


@given(
    place=places,
    start=st.one_of(night, times),
    end=st.one_of(night, times),
    days=st.one_of(daily, weekly),
    holidays=st.sets(st.integers(-3, 3), max_size=3),
    some=moments,
)
def test_every_answer_is_the_oracles(place, start, end, days, holidays, some):
    zone, middle = place
    session = session_of(
        start_time=start, end_time=end, time_zone=zone, **days,
        holidays=sorted(day_of(place) + timedelta(days=ahead) for ahead in holidays),
    )  # fmt: skip
    _, expected = sc.from_settings(session), oracle(session, middle)
    edges = {edge + by for window in expected.windows for edge in window for by in (-1, 0, 1)}
    minutes = near(sorted(edges | {middle - 1, middle, *(middle + m for m in some)}), middle)
    plan, expected, _ = compare(session, middle, minutes)
    for minute in minutes:
        try:
            change = expected.next_change(minute)
        except StopIteration:
            continue  # further away than the walk
        if change < middle + (AROUND - 2) * DAY_MINUTES:
            assert sc.next_change_ns(plan, minute * MINUTE_NS) == change * MINUTE_NS


@given(
    place=places, start=st.one_of(night, times), end=st.one_of(night, times),
    days=st.one_of(daily, weekly), some=moments,
)  # fmt: skip
def test_same_session_is_no_start_in_between(place, start, end, days, some):
    zone, middle = place
    session = session_of(start_time=start, end_time=end, time_zone=zone, **days)
    plan, expected = sc.from_settings(session), oracle(session, middle)
    for then, now in itertools.product([middle + m for m in some], repeat=2):
        begun = any(then < opens <= now for opens, _ in expected.windows)
        assert sc.is_same_session(plan, then * MINUTE_NS, now * MINUTE_NS) == (not begun)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("Europe/Berlin", (8, 18)),
        ("America/New_York", (22, 6)),
        ("Australia/Lord_Howe", (2, 2)),
    ],
)
def test_every_combination_of_weekdays(zone, hours):
    middle = changes(zone)[-1]
    some = range(middle - JUDGED * DAY_MINUTES, middle + JUDGED * DAY_MINUTES, 90)
    for size in range(1, 8):
        for days in itertools.combinations(DAYS, size):
            session = session_of(
                start_time=time(hours[0]), end_time=time(hours[1]), time_zone=zone,
                weekdays=list(days),
            )  # fmt: skip
            plan, _, starts = compare(session, middle, some)
            assert len(starts) == len(some)
            assert plan.days == {DAYS.index(day) for day in days}


@pytest.mark.parametrize("hours", [(8, 18), (18, 8), (8, 8)])
def test_every_pair_of_days_of_a_week(hours):
    zone = "Europe/London"
    middle = changes(zone)[-2]
    some = range(middle - JUDGED * DAY_MINUTES, middle + JUDGED * DAY_MINUTES, 90)
    for start, end in itertools.product(DAYS, repeat=2):
        session = session_of(
            start_time=time(hours[0]), end_time=time(hours[1]), time_zone=zone,
            start_day=start, end_day=end,
        )  # fmt: skip
        _, _, starts = compare(session, middle, some)
        assert len(starts) == len(some)


def ns(text):
    """UTC."""
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9


def test_the_gap_and_the_repeat_of_berlin():
    plan = sc.from_settings(
        session_of(start_time=time(2, 30), end_time=time(2, 45), time_zone="Europe/Berlin")
    )
    assert not sc.is_open(plan, ns("2026-03-29 01:00"))  # both are jumped over: no window
    assert sc.next_change_ns(plan, ns("2026-03-29 00:00")) == ns("2026-03-30 00:30")
    assert sc.session_start_ns(plan, ns("2026-10-25 00:30")) == ns("2026-10-25 00:30")
    assert sc.is_open(plan, ns("2026-10-25 01:44:59"))  # 02:44:59 for the second time
    assert not sc.is_open(plan, ns("2026-10-25 01:45"))


def test_clocks_that_go_back_over_midnight():
    """Until 2011 a minute after midnight became 23:01 of the day before in St. John's."""
    plan = sc.from_settings(
        session_of(start_time=time(0), end_time=time(22), time_zone="America/St_Johns")
    )
    opened = ns("2010-11-07 02:30")  # midnight, for the first time
    assert not sc.is_open(plan, opened - 1)
    for text in ("2010-11-07 02:30:30", "2010-11-07 02:31", "2010-11-07 03:15"):  # 23:01 again
        assert sc.session_start_ns(plan, ns(text)) == opened
        assert sc.is_same_session(plan, opened, ns(text))
    assert sc.next_change_ns(plan, opened) == ns("2010-11-08 01:30")


def test_end_in_another_zone():
    """From midnight in Madrid to the afternoon of New York, whose clocks change on other days."""
    session = session_of(
        start_time="23:55:00", end_time="17:05:00", time_zone="Europe/Madrid",
        end_time_zone="America/New_York", weekdays=["sun", "mon", "tue", "wed", "thu"],
    )  # fmt: skip
    plan = sc.from_settings(session)
    for opens, closes in (
        ("2026-07-05 21:55", "2026-07-06 21:05"),  # both in summer
        ("2026-03-15 22:55", "2026-03-16 21:05"),  # New York alone
        ("2026-01-11 22:55", "2026-01-12 22:05"),
    ):
        assert not sc.is_open(plan, ns(opens) - 1)
        assert sc.session_start_ns(plan, ns(opens)) == ns(opens)
        assert sc.next_change_ns(plan, ns(opens)) == ns(closes)
        assert sc.is_open(plan, ns(closes) - 1) and not sc.is_open(plan, ns(closes))
    assert not sc.is_open(plan, ns("2026-07-04 12:00"))  # a Saturday
    week = sc.from_settings(
        session_of(
            start_time="17:00:00", end_time="17:00:00", start_day="sun", end_day="fri",
            time_zone="America/New_York", end_time_zone="Europe/London",
        )
    )  # fmt: skip
    assert sc.session_start_ns(week, ns("2026-07-08 00:00")) == ns("2026-07-05 21:00")
    assert sc.next_change_ns(week, ns("2026-07-08 00:00")) == ns("2026-07-10 16:00")


def test_without_times_nothing_ends():
    plan = sc.from_settings(session_of())
    assert sc.is_open(plan, 0) and sc.is_open(plan, 2**62)
    assert sc.session_start_ns(plan, 10**18) == 0
    assert sc.next_change_ns(plan, 10**18) == sc.NEVER_NS
    assert sc.is_same_session(plan, 0, 2**62)


def test_holidays():
    opens = {"start_time": "22:00:00", "end_time": "06:00:00"}
    plan = sc.from_settings(session_of(**opens, holidays=["2026-12-25"]))
    assert sc.is_open(plan, ns("2026-12-25 05:59:59"))  # the window of the 24th
    assert not sc.is_open(plan, ns("2026-12-25 23:00"))
    assert sc.is_same_session(plan, ns("2026-12-24 22:00"), ns("2026-12-26 21:59:59"))
    assert not sc.is_same_session(plan, ns("2026-12-24 22:00"), ns("2026-12-26 22:00"))
    week = {"start_day": "sun", "end_day": "fri", **opens}
    plan = sc.from_settings(session_of(**week, holidays=["2026-12-25", "2026-12-27"]))
    assert sc.is_open(plan, ns("2026-12-25 05:00"))  # inside a week it does not matter
    assert not sc.is_open(plan, ns("2026-12-29 12:00"))  # that week would begin on one
    assert sc.next_change_ns(plan, ns("2026-12-29 12:00")) == ns("2027-01-03 22:00")
    many = [date(2026, 1, 4) + timedelta(weeks=week) for week in range(400)]
    plan = sc.from_settings(session_of(**week, holidays=many))
    assert sc.next_change_ns(plan, ns("2026-01-04 22:00")) == ns("2033-09-04 22:00")
    assert not sc.is_open(plan, ns("2030-01-08 12:00"))


def test_a_clock_put_back_starts_no_session():
    plan = sc.from_settings(session_of(start_time="08:00:00", end_time="18:00:00"))
    assert sc.is_same_session(plan, ns("2026-06-02 08:00"), ns("2026-06-01 12:00"))
    assert not sc.is_same_session(plan, ns("2026-06-01 20:00"), ns("2026-06-02 08:00"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "non-stop"),
        ({"start_time": "08:00:00", "end_time": "18:00:30"}, "daily 08:00-18:00:30 UTC"),
        (
            {"start_time": "08:00:00", "end_time": "18:00:00", "weekdays": list(DAYS[:5]),
             "time_zone": "Europe/Berlin", "holidays": ["2026-12-25"]},
            "mon-fri 08:00-18:00 Europe/Berlin, 1 holiday",
        ),
        (
            {"start_time": "22:00:00", "end_time": "22:00:00", "start_day": "sun",
             "end_day": "fri", "time_zone": "America/New_York", "end_time_zone": "UTC"},
            "sun 22:00 America/New_York - fri 22:00 UTC",
        ),
        (
            {"start_time": "08:00:00", "end_time": "18:00:00", "weekdays": ["mon", "wed"]},
            "mon,wed 08:00-18:00 UTC",
        ),
    ],
)  # fmt: skip
def test_in_words(settings, words):
    assert sc.in_words(sc.from_settings(session_of(**settings))) == words
