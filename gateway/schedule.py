"""When a session may be logged on: windows in local time, and which of them an instant is in.

A new window is a new session: sequence numbers begin at 1 again (FIX 4.4 vol. 2, "FIX session":
a session may span several connections, and ends by agreement). All functions are pure; instants
are UTC nanoseconds.

Local times and the change of clocks: a time that does not exist stands for the first instant after
the gap; one that exists twice opens at the first and closes at the last. Where that makes two
windows overlap, the later one holds from its start on; a window without any length does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.session_settings import DAYS, Session

SECOND_NS = 1_000_000_000
NEVER_NS = 2**62
ONE_DAY = timedelta(days=1)
WEEKLY_SPAN = 8  # days after the start in which every weekday's time comes, in any two zones


class Schedule(NamedTuple):
    """One window starts on each of `days` (0 Monday .. 6 Sunday) that is no holiday.

    It ends `span_days` later or, where the end is in another zone, at the first `ends` after the
    start, on `end_day` if that is not -1. Without days it is open for good.
    """

    days: frozenset[int] = frozenset()
    starts: time = time()
    ends: time = time()
    span_days: int = 0
    end_day: int = -1
    zone: ZoneInfo = ZoneInfo("UTC")
    end_zone: ZoneInfo = ZoneInfo("UTC")
    holidays: frozenset[date] = frozenset()


class Window(NamedTuple):
    """From `opens_ns` up to, but not including, `closes_ns`."""

    opens_ns: int
    closes_ns: int


def from_settings(session: Session) -> Schedule:
    """The schedule of checked settings."""
    if session.start_time is None or session.end_time is None:
        return Schedule()
    over_midnight = session.end_time <= session.start_time
    if session.start_day is not None and session.end_day is not None:
        days, end_day = [DAYS.index(session.start_day)], DAYS.index(session.end_day)
        span_days = (end_day - days[0]) % 7 or (7 if over_midnight else 0)
    else:
        days, end_day = [DAYS.index(day) for day in session.weekdays or DAYS], -1
        span_days = int(over_midnight)
    return Schedule(
        frozenset(days), session.start_time, session.end_time, span_days, end_day,
        ZoneInfo(session.time_zone), ZoneInfo(session.end_time_zone),
        frozenset(session.holidays),
    )  # fmt: skip


def is_open(schedule: Schedule, now_ns: int) -> bool:
    """Whether a session may be logged on now."""
    return not schedule.days or now_ns < _newest(schedule, now_ns).closes_ns


def session_start_ns(schedule: Schedule, now_ns: int) -> int | None:
    """Start of the window that holds now, 0 for one that is open for good; None while closed."""
    if not schedule.days:
        return 0
    window = _newest(schedule, now_ns)
    return window.opens_ns if now_ns < window.closes_ns else None


def next_change_ns(schedule: Schedule, now_ns: int) -> int:
    """When a window next opens or closes; NEVER_NS without times."""
    if not schedule.days:
        return NEVER_NS
    opens_ns = _next_start_ns(schedule, now_ns)
    closes_ns = _newest(schedule, now_ns).closes_ns
    return min(opens_ns, closes_ns) if now_ns < closes_ns else opens_ns


def is_same_session(schedule: Schedule, then_ns: int, now_ns: int) -> bool:
    """Whether sequence numbers of then still hold: no window has started since.

    What happened after a window's end (a Logout, a person who sets the numbers) belongs to it. A
    clock that was put back starts no session.
    """
    if not schedule.days or now_ns <= then_ns:
        return True
    return _newest(schedule, now_ns).opens_ns <= then_ns


def in_words(schedule: Schedule) -> str:
    """Such as `mon-fri 08:00-18:00 Europe/Berlin`, `sun 22:00 - fri 22:00 UTC`, `non-stop`."""
    if not schedule.days:
        return "non-stop"
    opens, closes = _short(schedule.starts), _short(schedule.ends)
    if schedule.end_zone.key != schedule.zone.key:
        opens += f" {schedule.zone}"
    count = len(schedule.holidays)
    extra = f", {count} holiday{'s' if count > 1 else ''}" if count else ""
    if schedule.end_day >= 0:
        (start_day,) = schedule.days
        days = f"{DAYS[start_day]} {opens} - {DAYS[schedule.end_day]} {closes}"
    else:
        days = f"{_days_in_words(sorted(schedule.days))} {opens}-{closes}"
    return f"{days} {schedule.end_zone}{extra}"


def _short(moment: time) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def _days_in_words(days: list[int]) -> str:
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ",".join(DAYS[day] for day in days)


# --- windows ------------------------------------------------------------------------------------


def _newest(schedule: Schedule, now_ns: int) -> Window:
    """The window that started last, open or not. Starts never go back from a day to the next."""
    # Where clocks go back over midnight, the day after can have begun already.
    day = _local_date(schedule, now_ns) + ONE_DAY
    for window in _windows(schedule, day, -ONE_DAY):
        if window.opens_ns <= now_ns:
            return window
    raise AssertionError("weekdays come again, and holidays end")


def _next_start_ns(schedule: Schedule, now_ns: int) -> int:
    for window in _windows(schedule, _local_date(schedule, now_ns) - ONE_DAY, ONE_DAY):
        if window.opens_ns > now_ns:
            return window.opens_ns
    raise AssertionError("weekdays come again, and holidays end")


def _windows(schedule: Schedule, day: date, step: timedelta) -> Iterator[Window]:
    """Windows from a day on, at least one that is neither on a holiday nor without length."""
    for _ in range(7 * (len(schedule.holidays) + 4)):
        if day.weekday() in schedule.days and day not in schedule.holidays:
            opens_ns = _instant_ns(datetime.combine(day, schedule.starts), schedule.zone, False)
            closes_ns = _closes_ns(schedule, day, opens_ns)
            if opens_ns < closes_ns:
                yield Window(opens_ns, closes_ns)
        day += step


def _local_date(schedule: Schedule, now_ns: int) -> date:
    return datetime.fromtimestamp(now_ns // SECOND_NS, schedule.zone).date()


def _closes_ns(schedule: Schedule, day: date, opens_ns: int) -> int:
    zone = schedule.end_zone
    if zone.key == schedule.zone.key:
        end = datetime.combine(day + timedelta(days=schedule.span_days), schedule.ends)
        return _instant_ns(end, zone, True)
    for ahead in range(-1, WEEKLY_SPAN + 1):
        end_day = day + timedelta(days=ahead)
        if schedule.end_day in (-1, end_day.weekday()):
            closes_ns = _instant_ns(datetime.combine(end_day, schedule.ends), zone, True)
            if closes_ns > opens_ns:
                return closes_ns
    raise AssertionError("every weekday comes within eight days")


def _instant_ns(local: datetime, zone: ZoneInfo, last: bool) -> int:
    """A local time as an instant; the last of two, or the first, as asked."""
    first_s, second_s = (_epoch_s(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first_s <= second_s:
        return (second_s if last else first_s) * SECOND_NS
    # In a gap the two readings lie on either side of it (PEP 495).
    return _transition_s(zone, second_s, first_s) * SECOND_NS


def _epoch_s(moment: datetime) -> int:
    return int(moment.timestamp())  # whole seconds, which a double has exactly


def _transition_s(zone: ZoneInfo, before_s: int, after_s: int) -> int:
    """The first second with the offset of `after_s`; `before_s` still has the other."""
    offset = datetime.fromtimestamp(after_s, zone).utcoffset()
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if datetime.fromtimestamp(middle_s, zone).utcoffset() == offset:
            after_s = middle_s
        else:
            before_s = middle_s
    return after_s
