"""UTCTimestamp as nanoseconds, compiled: SendingTime(52) of every message is looked at."""

import numpy as np

from engine.jit import inlined, njit

DAY_NS = 86_400 * 10**9


@inlined
def _two(buffer, at):
    return (np.int64(buffer[at]) - 48) * 10 + np.int64(buffer[at + 1]) - 48


@njit
def read_time(buffer, start, size):
    """UTC nanoseconds of `YYYYMMDD-HH:MM:SS[.decimals]`, which `fix_check` has found well written.

    Decimals beyond nine are cut off. 0 where the field is shorter, or the year out of reach.
    """
    if size < 17:
        return 0
    year = _two(buffer, start) * 100 + _two(buffer, start + 2)
    if year < 1970 or year > 2261:  # what int64 nanoseconds cannot hold is no time of ours
        return 0
    month = _two(buffer, start + 4)
    seconds = _two(buffer, start + 9) * 3600 + _two(buffer, start + 12) * 60
    seconds += _two(buffer, start + 15)
    nanos = 0
    place = 100_000_000
    for at in range(start + 18, start + min(size, 27)):
        nanos += (np.int64(buffer[at]) - 48) * place
        place //= 10
    day = day_number(year, month, _two(buffer, start + 6))
    return day * DAY_NS + seconds * 1_000_000_000 + nanos


@inlined
def day_number(year, month, day):
    """Days since 1970-01-01, proleptic Gregorian (days from civil)."""
    if month <= 2:
        year -= 1
        month += 12
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
