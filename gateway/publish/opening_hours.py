"""The published trading hours (DR 2017/567 Art 12) as the publication shows and needs them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from gateway.config import ALWAYS_NS, ConfigError, Hours
from gateway.publish.delayed import monday_to_friday

_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class OpeningHours:
    """The hours of a configuration; its file is read again when its window has passed."""

    def __init__(self, hours: Hours, folder: Path) -> None:
        self._hours, self._folder = hours, folder
        self._window_ns = (0, 0, 0)
        self._listed = frozenset(session.day for session in hours.sessions(folder))

    def at(self, now_ns: int) -> dict[str, Any]:
        """`words` for people, and whether it is `open` now."""
        if now_ns >= self._window_ns[2]:
            try:
                self._window_ns = self._hours.window_ns(now_ns, self._folder)
            except ConfigError:  # it was read at the start: somebody is writing it
                return {"words": "not known at the moment", "open": False}
        opens, closes, _ = self._window_ns
        return {"words": self._words(opens, closes), "open": opens <= now_ns < closes}

    def is_business_day(self, day: date) -> bool:
        """A day of the file, as far as it reaches; a day of the week named; Monday to Friday."""
        if self._listed and min(self._listed) <= day <= max(self._listed):
            return day in self._listed
        if self._hours.days:
            return _DAYS[day.weekday()] in self._hours.days
        return monday_to_friday(day)

    def _words(self, opens: int, closes: int) -> str:
        hours = self._hours
        if hours.days:
            days = _ranges(sorted(_DAYS.index(day) for day in hours.days))
            return f"{days} {hours.open:%H:%M} to {hours.close:%H:%M} {hours.timezone}"
        if hours.file is None:
            return "at all times"
        if opens >= ALWAYS_NS:
            return "no trading day is known"
        first, last = (datetime.fromtimestamp(ns // 10**9, UTC) for ns in (opens, closes))
        return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M} UTC"


def _ranges(days: list[int]) -> str:
    """Mon to Fri; Mon, Wed to Fri."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [_DAYS[run[0]].title() + (f" to {_DAYS[run[-1]].title()}" if run[1:] else "")
             for run in runs]  # fmt: skip
    return ", ".join(names)
