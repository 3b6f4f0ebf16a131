"""What the publication leaves on disk, also on a full one; its board, delays and settings."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.enums import DeskAction, KillScope
from gateway.config import ConfigError, Hours
from gateway.errors import UserError
from gateway.publish.board import Board
from gateway.publish.delayed import kept_until, monday_to_friday
from gateway.publish.opening_hours import OpeningHours
from gateway.publish.publisher import BATCH, SECOND_NS, Publisher
from gateway.publish.quotes_file import QuotesFile
from gateway.publish.settings import Publication
from gateway.publish.source import Source
from tests.journal_rig import TS_NS, use_small_segments
from tests.publish_rig import (
    BMW,
    LEI,
    MINUTE_NS,
    OMV,
    SAP,
    VOD,
    Clock,
    QuotesRig,
    Row,
    delayed,
    publisher,
    records,
    run,
)

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_segments(monkeypatch)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[QuotesRig]:
    made = QuotesRig(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(tmp_path: Path, journal: QuotesRig, clock: Clock) -> Iterator[Publisher]:
    found = publisher(tmp_path, clock)
    yield found
    found.close()


# --- files --------------------------------------------------------------------------------------


def test_two_processes_do_not_write_to_one_folder(tmp_path: Path, made: Publisher) -> None:
    with pytest.raises(UserError, match="another `si publish` writes there"):
        publisher(tmp_path, Clock())


def test_each_utc_day_has_a_file_and_time_never_goes_back(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock
) -> None:
    midnight_ns = TS_NS + 14 * 60 * MINUTE_NS
    for ns in (midnight_ns - 1, midnight_ns, midnight_ns - 5 * MINUTE_NS):
        clock.ns = ns
        journal.offer(0, 10_000_000, 10_010_000)
        run(made)
    files = sorted(path.name for path in (tmp_path / "published").glob("*.ndjson"))
    assert files == ["quotes-2025-12-01.ndjson", "quotes-2025-12-02.ndjson"]
    times = [row["publication_date_and_time"] for row in records(tmp_path)]
    assert times == ["2025-12-01T23:59:59.999999999Z", *["2025-12-02T00:00:00.000000000Z"] * 2]


def _full(written: int) -> Callable[[int, bytes], int]:
    """A disk that takes so many bytes of a write, then none."""
    real = os.write

    def write(fd: int, data: bytes) -> int:
        if written:
            return real(fd, data[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write


@pytest.mark.parametrize("written", [0, 1, 300])
@pytest.mark.parametrize("many", [1, 3 * BATCH + 7])
def test_a_full_disk_stops_the_file_and_not_the_board(
    written: int, many: int, tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    journal.offer(1, 10_000_000, 10_010_000)
    run(made)
    before = records(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _full(written))
        for _ in range(many):
            journal.offer(0, 10_000_000, 10_010_000)
        for _ in range(3):
            run(made)
            assert records(tmp_path) == before
            assert "No space left" in made.status()["file"]["error"]
            entry = made.board.get(SAP)
            assert entry is not None and entry.sequence == many + 1
            clock.ns += SECOND_NS
    clock.ns += SECOND_NS
    run(made)
    journal.offer(0, 11_000_000, 11_010_000)
    run(made)
    assert made.status()["file"]["error"] is None
    assert [row["sequence"] for row in records(tmp_path)] == list(range(1, many + 3))


def test_while_the_file_catches_up_nothing_is_written_twice(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The engine writes a quote between any two looks at its journal."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _full(0))
        for _ in range(2 * BATCH):
            journal.offer(0, 10_000_000, 10_010_000)
        run(made)
    clock.ns += SECOND_NS
    take = Source.take

    def take_later(source: Source, count: int) -> Any:
        journal.offer(1, 10_000_000, 10_010_000)
        return take(source, count)

    with monkeypatch.context() as patch:
        patch.setattr(Source, "take", take_later)
        for _ in range(20):
            made.step()
    run(made)
    assert made.status()["file"]["error"] is None
    assert [row["sequence"] for row in records(tmp_path)] == list(range(1, journal.quote_id + 1))


# --- delayed data -------------------------------------------------------------------------------


def test_delayed_records_appear_after_fifteen_minutes_and_not_before(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock
) -> None:
    """Published a nanosecond and half a minute after ten; looked at every ten seconds."""
    since = {"1": TS_NS + 1, "2": TS_NS + 30 * SECOND_NS}
    for number in range(180):
        clock.ns = TS_NS + (1 if number == 0 else number * 10 * SECOND_NS)
        if clock.ns in since.values():
            journal.offer(0, 10_000_000 + number, 10_010_000)
        run(made)
        seen = [row["sequence"] for rows in delayed(tmp_path).values() for row in rows]
        for sequence, published_ns in since.items():
            assert (sequence in seen) <= (clock.ns >= published_ns + 15 * MINUTE_NS)
            assert (sequence in seen) >= (clock.ns >= published_ns + 16 * MINUTE_NS)
    (rows,) = delayed(tmp_path).values()
    texts = [{name: value or "" for name, value in row.items()} for row in records(tmp_path)]
    sizes = [json.loads(row.pop("sizes")) for row in rows]
    assert sizes == [row.pop("sizes") for row in texts]
    assert rows == [{name: str(value) for name, value in row.items()} for row in texts]


def test_delayed_files_go_on_after_a_restart_and_a_torn_line(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    path = tmp_path / "published" / "delayed" / "quotes-2025-12-01.csv"
    total = 0
    for cut in (0, 1, 60, 10_000, 3):
        made = publisher(tmp_path, clock)
        for _ in range(5):
            journal.offer(0, 10_000_000, 10_010_000)
        total += 5
        run(made)
        clock.ns += 20 * MINUTE_NS
        run(made)
        made.close()
        assert [int(row["sequence"]) for row in delayed(tmp_path)[path.name]] == list(
            range(1, total + 1)
        )
        os.truncate(path, max(0, path.stat().st_size - cut))


def test_delayed_files_are_kept_to_the_end_of_the_next_business_day(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock
) -> None:
    """From a Monday on, a quote each day; what is offered each noon."""
    offered = []
    for day in range(9):
        clock.ns = TS_NS + day * 24 * 60 * MINUTE_NS
        journal.offer(0, 10_000_000, 10_010_000)
        run(made)
        clock.ns += 120 * MINUTE_NS
        run(made)
        offered.append([name[14:17].strip("-.") for name in delayed(tmp_path)])
    assert offered == [
        ["01"], ["01", "02"], ["02", "03"], ["03", "04"], ["04", "05"],  # Monday to Friday
        ["05", "06"], ["05", "06", "07"], ["05", "06", "07", "08"], ["08", "09"],
    ]  # fmt: skip


def test_the_next_business_day_of_every_day() -> None:
    holidays = {date(2025, 12, 24), date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1)}

    def is_open(day: date) -> bool:
        return day.weekday() < 5 and day not in holidays

    for number in range(60):
        day = date(2025, 12, 1) + timedelta(days=number)
        until = kept_until(day, is_open)
        between = [day + timedelta(days=n) for n in range(1, (until - day).days)]
        assert until > day and is_open(until) and not any(map(is_open, between))
    assert kept_until(date(2025, 12, 5), monday_to_friday) == date(2025, 12, 8)
    assert kept_until(date(2025, 12, 5), lambda day: False) == date(2026, 1, 5)


def test_a_full_disk_delays_delayed_data_only(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    journal.offer(0, 10_000_000, 10_010_000)
    run(made)
    clock.ns += 20 * MINUTE_NS
    for written in (0, 5):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", _full(written))
            run(made)
            assert "No space left" in made.status()["delayed"]["error"]
            assert sum(map(len, delayed(tmp_path).values())) == 0
        clock.ns += SECOND_NS
    run(made)
    assert made.status()["delayed"] == {"minutes": 15, "lines": 1, "error": None}
    assert [row["sequence"] for row in delayed(tmp_path)["quotes-2025-12-01.csv"]] == ["1"]


# --- board and delays -------------------------------------------------------------


@given(st.lists(st.one_of(st.sampled_from([SAP, BMW, VOD, OMV]), st.integers(0, 2)), max_size=60))
def test_a_reader_of_the_board_ends_with_the_newest_of_each(steps: list[str | int]) -> None:
    """Readers 0 to 2 read when they are named; a change is theirs once at least."""
    board = Board()
    seen, has = [0, 0, 0], [dict[str, bytes](), dict[str, bytes](), dict[str, bytes]()]
    newest: dict[str, bytes] = {}
    for number, step in enumerate([*steps, 0, 1, 2]):
        if isinstance(step, str):
            newest[step] = b"%d" % number
            board.put(step, number, newest[step])
            continue
        changed = board.since(seen[step])
        assert sorted(changed) == sorted(i for i in newest if has[step].get(i) != newest[i])
        assert changed == sorted(changed, key=lambda isin: int(newest[isin]))
        seen[step] = board.changes
        for isin in changed:
            entry = board.get(isin)
            assert entry is not None
            has[step][isin] = entry.data
    assert has == [newest, newest, newest]
    assert [entry.isin for entry in board.all()] == sorted(newest)


def test_the_delay_is_from_entry_to_publication(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)  # before the process
    clock.ns = journal.now_ns
    made = publisher(tmp_path, clock)
    run(made)
    assert made.status()["delay"] == {
        "count": 0, "caught_up": 1, "p50_ns": None, "p99_ns": None, "p999_ns": None, "max_ns": None,
    }  # fmt: skip
    for delay_ns in (1_000, 2_000, 3_000, 50_000_000):
        entered_ns = journal.now_ns
        journal.offer(0, 10_000_000, 10_010_000)
        clock.ns = entered_ns + delay_ns
        run(made)
    delay = made.status()["delay"]
    made.close()
    assert delay["count"] == 4 and delay["caught_up"] == 1
    for name, exact in (("p50", 2_000), ("p99", 50_000_000), ("max", 50_000_000)):
        assert exact <= delay[f"{name}_ns"] <= exact * 1.001  # three digits


# --- settings and hours ---


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"lei": "SAMPLELEI00000000036"}, "no LEI"),
        ({"lei": "SAMPLE"}, "no LEI"),
        ({"name": ""}, "at least 1 character"),
        ({"port": 65_536}, "65535"),
        ({"delayed_minutes": 0}, "greater than or equal to 1"),
        ({"login": "yes"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_are_refused(bad: Row, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Publication(**({"lei": LEI, "name": "Sample SI"} | bad))


def test_hours_are_told_in_words(tmp_path: Path) -> None:
    now_ns = TS_NS  # a Monday, 10:00 UTC
    assert OpeningHours(Hours(), tmp_path).at(now_ns) == {"words": "at all times", "open": True}
    days = Hours.model_validate(
        {"days": ["mon", "wed", "thu", "fri"], "open": "09:00", "close": "17:30",
         "timezone": "Europe/Berlin"}
    )  # fmt: skip
    found = OpeningHours(days, tmp_path)
    words = "Mon, Wed to Fri 09:00 to 17:30 Europe/Berlin"
    assert found.at(now_ns) == {"words": words, "open": True}
    assert found.at(now_ns + 7 * 60 * MINUTE_NS) == {"words": words, "open": False}
    assert [found.is_business_day(date(2025, 12, day)) for day in (1, 2, 3, 6)] == [
        True, False, True, False,
    ]  # fmt: skip
    lines = ["day,open_utc,close_utc,early"]
    for day in ("2025-12-01", "2025-12-03"):
        lines.append(f"{day},{day}T08:00:00Z,{day}T16:30:00Z,N")
    (tmp_path / "hours.csv").write_text("\n".join(lines) + "\n")
    listed = OpeningHours(Hours(file=Path("hours.csv")), tmp_path)
    assert listed.at(now_ns) == {"words": "2025-12-01 08:00 to 16:30 UTC", "open": True}
    later = listed.at(now_ns + 7 * 60 * MINUTE_NS)
    assert later == {"words": "2025-12-03 08:00 to 16:30 UTC", "open": False}
    assert not listed.is_business_day(date(2025, 12, 2))
    assert listed.is_business_day(date(2025, 12, 4)), "behind its last day: Monday to Friday"
    assert listed.at(now_ns + 72 * 60 * MINUTE_NS)["words"] == "no trading day is known"
    (tmp_path / "hours.csv").write_text("day\n")
    with pytest.raises(ConfigError, match="refused"):
        OpeningHours(Hours(file=Path("hours.csv")), tmp_path)


def test_the_lock_is_let_go(tmp_path: Path) -> None:
    QuotesFile(tmp_path).close()
    QuotesFile(tmp_path).close()


def test_what_the_engine_stops_by_itself_is_withdrawn_too(
    tmp_path: Path, journal: QuotesRig, made: Publisher
) -> None:
    for number in (0, 1):
        journal.offer(number, 10_000_000, 10_010_000)
    journal.stop(KillScope.INSTRUMENT, 1)
    journal.switch(DeskAction.KILL, KillScope.CLIENT)
    journal.switch(DeskAction.KILL, KillScope.POOL, 0)
    journal.stop(KillScope.FIRM)
    journal.switch(DeskAction.RESUME, KillScope.FIRM)
    run(made)
    rows = [(row["instrument_identification_code"], row["state"]) for row in records(tmp_path)]
    assert rows == [
        (SAP, "NEW"), (BMW, "NEW"), (BMW, "WITHDRAW"), (SAP, "WITHDRAW"), (SAP, "NEW"),
    ]  # fmt: skip
