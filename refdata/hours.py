"""Trading days and hours of the venues, for a range of days, when reference data is built.

The days and times are those of the `exchange_calendars` library: holidays, early closes and
daylight saving are in it. They are what it says of the exchange's trading session, without opening
and closing auctions as phases of their own, and they know nothing of a holiday declared yesterday.
What the firm publishes as its own trading hours (DR 2017/567 Art 12) is the firm's decision.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from refdata.rows import Refused, Row, parse_all, read_rows, refused

#: The widest range that one call computes; a build asks for weeks.
RANGE_DAYS_MAX = 3_700
#: A range of one holiday has no session, which the library refuses to compute.
MARGIN = timedelta(days=14)
STAMP = "%Y-%m-%dT%H:%M:%SZ"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Calendar(NamedTuple):
    """Which calendar of the library a MIC (ISO 10383) has. `sure` is False for segments: that they
    keep the hours of their operator's main market is from memory."""

    mic: str
    calendar: str
    place: str
    sure: bool


CALENDARS = (
    Calendar("XETR", "XETR", "Xetra, Frankfurt", True),
    Calendar("XETA", "XETR", "Xetra, regulated market", False),
    Calendar("XETB", "XETR", "Xetra, open market", False),
    Calendar("XFRA", "XFRA", "Boerse Frankfurt", True),
    Calendar("XLON", "XLON", "London Stock Exchange", True),
    Calendar("AIMX", "XLON", "London Stock Exchange, AIM", False),
    Calendar("XPAR", "XPAR", "Euronext Paris", True),
    Calendar("XAMS", "XAMS", "Euronext Amsterdam", True),
    Calendar("XBRU", "XBRU", "Euronext Brussels", True),
    Calendar("XLIS", "XLIS", "Euronext Lisbon", True),
    Calendar("XDUB", "XDUB", "Euronext Dublin", True),
    Calendar("XMSM", "XDUB", "Euronext Dublin, regulated market", False),
    Calendar("XMIL", "XMIL", "Euronext Milan, operator", True),
    Calendar("MTAA", "XMIL", "Euronext Milan, shares", False),
    Calendar("ETFP", "XMIL", "Euronext Milan, ETFs", False),
    Calendar("XOSL", "XOSL", "Oslo", True),
    Calendar("XMAD", "XMAD", "Madrid", True),
    Calendar("XSTO", "XSTO", "Nasdaq Stockholm", True),
    Calendar("XHEL", "XHEL", "Nasdaq Helsinki", True),
    Calendar("XCSE", "XCSE", "Nasdaq Copenhagen", True),
    Calendar("XICE", "XICE", "Nasdaq Iceland", True),
    Calendar("XTAL", "XTAL", "Nasdaq Tallinn", True),
    Calendar("XRIS", "XRIS", "Nasdaq Riga", True),
    Calendar("XLIT", "XLIT", "Nasdaq Vilnius", True),
    Calendar("XWBO", "XWBO", "Vienna", True),
    Calendar("XSWX", "XSWX", "SIX Swiss Exchange", True),
    Calendar("XWAR", "XWAR", "Warsaw", True),
    Calendar("XPRA", "XPRA", "Prague", True),
    Calendar("XBUD", "XBUD", "Budapest", True),
    Calendar("XLJU", "XLJU", "Ljubljana", True),
    Calendar("XLUX", "XLUX", "Luxembourg", True),
)
BY_MIC = {calendar.mic: calendar for calendar in CALENDARS}


class Session(NamedTuple):
    """One trading day; ns since the epoch, UTC, on whole minutes. `early`: it ends before its
    usual time."""

    day: date
    open_ns: int
    close_ns: int
    early: bool


def sessions(mic: str, first: date, last: date) -> list[Session]:
    """The trading days from `first` to `last`, both included, in order; none is an empty list.

    Raises `rows.Refused` for a MIC without calendar and for a range that is upside down, or too
    wide, or that the calendar does not reach.
    """
    calendar = calendar_of(mic)
    if not first <= last or (last - first).days > RANGE_DAYS_MAX:
        advice = f"ask for a range of at most {RANGE_DAYS_MAX} days, the first day first"
        raise _refused(mic, f"{first} to {last}", advice)
    with _quiet():
        # Slow to import, and needed only here.
        import exchange_calendars
        from exchange_calendars.errors import CalendarError

        try:
            computed = exchange_calendars.get_calendar(
                calendar.calendar,
                start=(first - MARGIN).isoformat(),
                end=(last + MARGIN).isoformat(),
            )
        except (CalendarError, ValueError, OverflowError, NotImplementedError) as error:
            advice = f"calendar {calendar.calendar} cannot be computed: {error}"
            raise _refused(mic, f"{first} to {last}", advice) from error
        early = {stamp.date() for stamp in computed.early_closes}
        found = [
            Session(
                row.Index.date(),
                _ns(row.open.to_pydatetime()),
                _ns(row.close.to_pydatetime()),
                row.Index.date() in early,
            )
            for row in computed.schedule.itertuples()
        ]
    return [session for session in found if first <= session.day <= last]


def calendar_of(mic: str) -> Calendar:
    """The calendar of a MIC; raises `rows.Refused`, which names those that are known."""
    if mic not in BY_MIC:
        raise _refused(mic, mic, "no calendar is known; there is one for " + ", ".join(BY_MIC))
    return BY_MIC[mic]


COLUMNS = ("day", "open_utc", "close_utc", "early")
YES_NO = {"Y": True, "N": False}


def write_csv(path: Path, days: list[Session]) -> None:
    """Sessions as a file that a person can correct; `read_csv` reads it back."""
    lines = [",".join(COLUMNS)]
    for session in days:
        opens, closes = (_stamp(ns) for ns in (session.open_ns, session.close_ns))
        lines.append(f"{session.day.isoformat()},{opens},{closes},{'NY'[session.early]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_csv(path: Path) -> list[Session]:
    """Sessions of a file, each day once and in order; raises `rows.Refused`."""
    found = parse_all(read_rows(path, required=COLUMNS), _parse)
    for before, after in pairwise(found):
        if not before.close_ns < after.open_ns:
            value = after.day.isoformat()
            raise refused(path, 0, "day", value, "write each day once, the earlier one first")
    return found


def _parse(row: Row) -> Session:
    try:
        day = date.fromisoformat(row.text("day"))
    except ValueError:
        raise row.refuse("day", "write a date: 2026-11-23") from None
    times = []
    for column in ("open_utc", "close_utc"):
        try:
            moment = datetime.strptime(row.text(column), STAMP).replace(tzinfo=UTC)
        except ValueError:
            raise row.refuse(column, "write a time in UTC: 2026-11-23T08:00:00Z") from None
        times.append(_ns(moment))
    if not times[0] < times[1]:
        raise row.refuse("close_utc", "close after the opening")
    return Session(day, times[0], times[1], row.choice("early", YES_NO))


def _stamp(ns: int) -> str:
    return (EPOCH + timedelta(seconds=ns // 10**9)).strftime(STAMP)


def _refused(mic: str, value: str, advice: str) -> Refused:
    return refused(Path("trading hours"), 0, mic, value, advice)


def _ns(moment: datetime) -> int:
    """Through whole seconds, so that no float and no unit of the library's comes in."""
    return (moment - EPOCH) // timedelta(seconds=1) * 10**9


@contextmanager
def _quiet() -> Iterator[None]:
    """The library calls what pandas deprecates; that says nothing about the hours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
