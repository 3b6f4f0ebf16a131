"""The publication of our quotes: every version once, in order, whatever happens to the process."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine import schema, staging
from engine.enums import DeskAction, KillScope, Reason
from engine.limits import FRAME_ALIGN
from gateway.errors import UserError
from gateway.journal_files import JournalDamaged
from gateway.journal_schema import WrongSchema
from gateway.publish import publisher as module
from gateway.publish import quotes_file, record
from gateway.publish.publisher import CHECKPOINT_NS, SECOND_NS, Publisher
from gateway.publish.source import JournalChanged
from tests import rig
from tests.journal_rig import TS_NS, use_small_segments
from tests.publish_rig import (
    BMW,
    INSTRUMENTS,
    LEI,
    OMV,
    SAP,
    VOD,
    Clock,
    QuotesRig,
    Row,
    publisher,
    records,
    run,
)

pytestmark = pytest.mark.pure

KILL, RESUME = DeskAction.KILL, DeskAction.RESUME
FIRM, CLIENT, INSTRUMENT = KillScope.FIRM, KillScope.CLIENT, KillScope.INSTRUMENT


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


def brief(rows: list[Row]) -> list[tuple[str, ...]]:
    names = ("instrument_identification_code", "state", "bid_price", "reason_code")
    return [tuple(row[name] for name in names) for row in rows]


# --- a record -----------------------------------------------------------------------------------


def test_a_record_says_who_what_and_when(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock
) -> None:
    entered_ns = journal.now_ns
    journal.offer(2, 123_456_789, 124_000_000, 500)
    clock.ns = TS_NS + 1_234_567_890
    run(made)
    assert records(tmp_path) == [
        {
            "series": records(tmp_path)[0]["series"],
            "sequence": 1,
            "update_date_and_time": f"2025-12-01T10:00:00.{entered_ns - TS_NS:09d}Z",
            "publication_date_and_time": "2025-12-01T10:00:01.234567890Z",
            "si_lei": LEI,
            "si_mic": "XSIX",
            "si_name": "Sample SI",
            "instrument_identification_code": VOD,
            "quote_id": "1",
            "state": "NEW",
            "bid_price": "1.23456789",  # of 123.456789 pence
            "bid_quantity": "500",
            "offer_price": "1.24",
            "offer_quantity": "501",
            "price_currency": "GBP",
            "price_notation": "MONE",
            "reason_code": None,
            "reason": None,
            "sizes": [
                {
                    "bid_price": "1.23456789",
                    "bid_quantity": "500",
                    "offer_price": "1.24",
                    "offer_quantity": "501",
                }
            ],
        }
    ]


@given(st.integers(1, 2**62), st.sampled_from(["EUR", "SEK", "GBX", "ZAC", "ILA"]))
def test_a_price_is_exact_and_in_the_major_unit(px_e6: int, currency: str) -> None:
    text = record.price(px_e6, currency)
    assert Fraction(text) == Fraction(px_e6, 10**8 if currency in ("GBX", "ZAC", "ILA") else 10**6)
    assert re.fullmatch(r"\d+(\.\d*[1-9])?", text) and not re.match(r"0\d", text)


@given(st.integers(0, 4 * 10**18))
def test_a_time_is_exact_and_read_back(ts_ns: int) -> None:
    text = record.stamp(ts_ns)
    assert record.ns_of(text) == ts_ns
    moment = datetime.fromisoformat(text[:19] + "+00:00") - datetime(1970, 1, 1, tzinfo=UTC)
    assert (moment.days * 86_400 + moment.seconds, int(text[20:29])) == divmod(ts_ns, 10**9)


def test_every_record_fits_the_schema_beside_the_file(
    tmp_path: Path, journal: QuotesRig, made: Publisher
) -> None:
    journal.offer(0, 20_000_000, 20_010_000)
    journal.withdraw(0)
    run(made)
    described = json.loads((tmp_path / "published" / quotes_file.SCHEMA_FILE).read_text())
    assert described["additionalProperties"] is False
    for row in records(tmp_path):
        assert list(row) == list(described["properties"]) == described["required"]
        for name, value in row.items():
            kinds = described["properties"][name].get("anyOf", [described["properties"][name]])
            assert any(_fits(value, kind) for kind in kinds), name


def _fits(value: Any, kind: Row) -> bool:
    types: dict[str, type] = {"string": str, "integer": int, "null": type(None), "array": list}
    if not isinstance(value, types[kind["type"]]):
        return False
    listed = kind.get("enum") or [kind.get("const", value)]
    return value in listed and bool(re.search(kind.get("pattern", ""), str(value)))


# --- against a model, through restarts ----------------------------------------------------------


class Model:
    """What must be published, from the operations alone."""

    def __init__(self) -> None:
        self.currencies = {number: code for number, (_, code) in enumerate(INSTRUMENTS)}
        self.staged: dict[int, str] = {}
        self.live: dict[int, bool] = {}
        self.numbers: dict[int, int] = {}
        self.prices: dict[int, int] = {}
        self.reasons: dict[int, str] = {}
        self.told: dict[int, str] = {}  # why the newest record is none, empty: it is
        self.stopped: set[object] = set()
        self.expected: list[tuple[Any, ...]] = []

    def quote(self, number: int, quote_id: int, bid_e6: int, reason: str) -> None:
        self.numbers[number], self.prices[number] = quote_id, bid_e6
        self.live[number], self.reasons[number] = not reason, reason
        self._publish(number)

    def switch(self, stop: bool, subject: object) -> None:
        (self.stopped.add if stop else self.stopped.discard)(subject)
        for number in sorted(self.live):
            told, why = self.told[number], self._why(number)
            came_or_went = (told == "") != (why == "")
            lifted = not stop and told in ("firm", "instrument") and why != told
            if came_or_went or lifted:
                self._publish(number)

    def _why(self, number: int) -> str:
        """Empty where the quote is public."""
        if "firm" in self.stopped:
            return "firm"
        return "instrument" if number in self.stopped else self.reasons[number]

    def _publish(self, number: int) -> None:
        was_public, why = self.told.get(number, "none") == "", self._why(number)
        self.told[number] = why
        state = "WITHDRAW" if why else "AMEND" if was_public else "NEW"
        code = "SI-NOQUOTE-KILL" if why in ("firm", "instrument") else why
        minor = self.currencies[number] == "GBX"
        px = None if why else Fraction(self.prices[number], 10**8 if minor else 10**6)
        currency = "GBP" if minor else self.currencies[number]
        isin = INSTRUMENTS[number][0]
        row = (isin, str(self.numbers[number]), state, px, currency, code or None)
        self.expected.append((len(self.expected) + 1, *row))


NUMBER = st.integers(0, len(INSTRUMENTS) - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), NUMBER, st.integers(1, 10**12)),
        st.tuples(st.just("withdraw"), NUMBER, st.sampled_from(["EMPTY", "STALE", "CROSSED"])),
        st.tuples(st.just("firm"), st.booleans(), st.booleans()),
        st.tuples(st.just("instrument"), st.booleans(), NUMBER),
        st.tuples(st.just("client"), st.booleans(), NUMBER),
        st.tuples(st.just("table"), NUMBER, st.sampled_from(["EUR", "GBX", "SEK"])),
        st.tuples(st.just("stage"), NUMBER, st.sampled_from(["EUR", "GBX", "SEK"])),
        st.tuples(st.sampled_from(["activate", "abort"]), st.just(0), st.just(0)),
        st.tuples(st.just("publish"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("restart"), st.booleans(), st.just(0)),
        st.tuples(st.just("later"), st.integers(1, 2 * CHECKPOINT_NS), st.just(0)),
    ),
    min_size=15,
    max_size=50,
)


@settings(deadline=None, max_examples=30)
@given(STEPS)
def test_every_version_is_published_once_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 2)  # so that a kill switch is published in pieces
        folder, model, clock = Path(name), Model(), Clock()
        rigged = QuotesRig(folder / "journal")
        made = publisher(folder, clock)
        for step in steps:
            made = _do(folder, rigged, model, clock, made, step)
        run(made)
        made.close()
        rigged.close()
        assert [_seen(row) for row in records(folder)] == model.expected
        newest = {row[1]: row for row in model.expected}
        on_board = [json.loads(entry.data) for entry in made.board.all()]
        assert [_seen(row) for row in on_board] == [newest[isin] for isin in sorted(newest)]


def _seen(row: Row) -> tuple[Any, ...]:
    px = row["bid_price"]
    return (
        row["sequence"], row["instrument_identification_code"], row["quote_id"], row["state"],
        None if px is None else Fraction(px), row["price_currency"], row["reason_code"],
    )  # fmt: skip


def _do(
    folder: Path, journal: QuotesRig, model: Model, clock: Clock, made: Publisher,
    step: tuple[Any, ...],
) -> Publisher:  # fmt: skip
    name, one, two = step
    if name == "offer":
        model.quote(one, journal.offer(one, two, two + 10), two, "")
    elif name == "withdraw":
        number = journal.withdraw(one, Reason[f"BBO_{two}"])
        model.quote(one, number, 0, f"SI-NOQUOTE-{two}")
    elif name in ("firm", "instrument"):
        failed = name == "firm" and one and two  # refused: it changes nothing
        subject = 0 if name == "firm" else two
        reason = Reason.UNKNOWN_SUBJECT if failed else Reason.NONE
        journal.switch(KILL if one else RESUME, FIRM if name == "firm" else INSTRUMENT,
                       subject, reason)  # fmt: skip
        if not failed:
            model.switch(one, "firm" if name == "firm" else two)
    elif name == "client":
        journal.switch(KILL if one else RESUME, CLIENT, two)
    elif name == "stage":
        if not model.staged:
            journal.stage(staging.CARRY)
        journal.stage(staging.ROWS, 0, (one, INSTRUMENTS[one][0], two))
        model.staged[one] = two
    elif name in ("activate", "abort"):
        if name == "abort":
            journal.stage(staging.ABORT)
        else:
            journal.activate()
            model.currencies |= model.staged
        model.staged = {}
    elif name == "publish":
        for _ in range(one):
            made.step()
    elif name == "later":
        clock.ns += one
    else:
        if one:
            made.close()
        else:
            made.file.close()  # as a kill does: nothing else is written
        return publisher(folder, clock)
    return made


def test_a_kill_switch_withdraws_what_it_stops_and_a_resume_brings_it_back(
    tmp_path: Path, journal: QuotesRig, made: Publisher
) -> None:
    for number in (2, 0, 1):
        journal.offer(number, 10_000_000, 10_010_000)
    journal.withdraw(2, Reason.BBO_CROSSED)
    journal.switch(KILL, INSTRUMENT, 1)
    journal.switch(KILL, FIRM)
    journal.offer(0, 11_000_000, 11_010_000)  # made, and of no use to anybody
    journal.switch(RESUME, INSTRUMENT, 1)
    journal.withdraw(3, Reason.BBO_EMPTY)
    journal.switch(RESUME, FIRM)
    journal.offer(3, 10_000_000, 10_010_000)
    journal.switch(KILL, CLIENT, 0)
    stopped_ns = journal.now_ns + 1
    journal.switch(KILL, FIRM)
    run(made)
    killed = "SI-NOQUOTE-KILL"
    rows = records(tmp_path)
    assert brief(rows)[3:] == [
        (VOD, "WITHDRAW", None, "SI-NOQUOTE-CROSSED"),
        (BMW, "WITHDRAW", None, killed),
        (SAP, "WITHDRAW", None, killed),
        (SAP, "WITHDRAW", None, killed),
        (BMW, "WITHDRAW", None, killed),  # now for the firm's
        (OMV, "WITHDRAW", None, killed),
        (SAP, "NEW", "11", None),
        (BMW, "NEW", "10", None),
        (OMV, "WITHDRAW", None, "SI-NOQUOTE-EMPTY"),
        (OMV, "NEW", "10", None),
        (SAP, "WITHDRAW", None, killed),
        (BMW, "WITHDRAW", None, killed),
        (OMV, "WITHDRAW", None, killed),
    ]
    assert rows[-1]["update_date_and_time"] == record.stamp(stopped_ns)
    words = "all trading is stopped by the kill switch"
    assert [row["reason"] for row in rows[-6:]] == [None, "no market", None, *[words] * 3]


# --- what a lost machine or a person leaves -----------------------------------------------------


def test_a_line_torn_anywhere_is_written_again(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    """Also where the torn line is the first of its day."""
    for number in range(3):
        journal.offer(number, 10_000_000, 10_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    made.file.close()
    (path,) = (tmp_path / "published").glob("*.ndjson")
    whole = path.read_bytes()
    for size in {*range(0, len(whole), 37), *range(len(whole) - 30, len(whole) + 1), 1, 2}:
        path.write_bytes(whole[:size])
        made = publisher(tmp_path, clock)
        run(made)
        made.file.close()
        assert path.read_bytes() == whole, size


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: b"",
        lambda state: b"{",
        lambda state: b"\xff\x00",
        lambda state: b"[]",
        lambda state: json.dumps({**state, "newest": [[0, [1]]]}).encode(),
        lambda state: json.dumps({k: v for k, v in state.items() if k != "names"}).encode(),
        lambda state: json.dumps({**state, "schema": 1}).encode(),
        lambda state: json.dumps({**state, "mark": 1}).encode(),
        lambda state: json.dumps({**state, "sequence": 99, "position": 0}).encode(),
    ],
)
def test_a_place_that_cannot_be_used_is_not(
    damage: Callable[[Row], bytes], tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    made.close()
    place = tmp_path / "place.json"
    place.write_bytes(damage(json.loads(place.read_text())))
    journal.offer(0, 11_000_000, 11_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    made.close()
    assert brief(records(tmp_path)) == [(SAP, "NEW", "10", None), (SAP, "AMEND", "11", None)]


def test_a_restart_reads_from_the_place_and_not_from_the_start(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    """What lies before the place is not looked at: not even that it is damaged by now."""
    damaged = 0
    for number in range(300):  # several segments
        journal.offer(0, 10_000_000 + number, 10_010_000)
        damaged = damaged or int(journal.files.state[0]["last"])
    made = publisher(tmp_path, clock)
    run(made)
    made.close()
    with (tmp_path / "journal" / "segment-000000.journal").open("r+b") as file:
        file.seek(damaged + jn.HEADER_SIZE)
        file.write(b"damaged")
    journal.offer(0, 11_000_000, 11_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    made.file.close()
    assert [row["sequence"] for row in records(tmp_path)] == list(range(1, 302))
    (tmp_path / "place.json").unlink()
    made = publisher(tmp_path, clock)
    with pytest.raises(JournalDamaged):
        run(made)
    made.file.close()


def _reopened(made: Publisher, folder: Path, clock: Clock) -> Publisher:
    made.close()
    return publisher(folder, clock)


def test_a_stop_amid_a_kill_switch_loses_nothing(
    tmp_path: Path, journal: QuotesRig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    for number in range(4):
        journal.offer(number, 10_000_000, 10_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    journal.switch(KILL, FIRM)
    assert made.step() and len(records(tmp_path)) == 6
    made = _reopened(made, tmp_path, clock)
    run(made)
    made.close()
    assert [row["state"] for row in records(tmp_path)] == ["NEW"] * 4 + ["WITHDRAW"] * 4


def test_a_stop_amid_a_command_or_a_new_table_loses_nothing(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    command = rig.row(schema.desk_command, action=KILL, scope=FIRM)
    journal.put(jn.DESK, -1, command.tobytes())
    run(made)
    made = _reopened(made, tmp_path, clock)
    run(made)
    journal.put(jn.DESK_RESULT, -1, rig.row(schema.desk_result, action=KILL).tobytes())
    journal.switch(RESUME, FIRM)
    journal.stage(staging.CARRY)
    journal.stage(staging.ROWS, 0, (0, SAP, "SEK"))
    run(made)
    made = _reopened(made, tmp_path, clock)
    run(made)
    journal.activate()
    journal.offer(0, 10_000_000, 10_010_000)
    run(made)
    made.close()
    found = [(row["state"], row["price_currency"]) for row in records(tmp_path)]
    assert found == [("NEW", "EUR"), ("WITHDRAW", "EUR"), ("NEW", "EUR"), ("AMEND", "SEK")]


def test_a_place_that_its_next_frame_does_not_follow_stops_it(
    tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)
    made = publisher(tmp_path, clock)
    run(made)
    made.close()
    place = tmp_path / "place.json"
    state = json.loads(place.read_text())
    place.write_text(json.dumps({**state, "seq": state["seq"] - 1}))
    journal.offer(0, 11_000_000, 11_010_000)
    made = publisher(tmp_path, clock)
    with pytest.raises(JournalDamaged):
        run(made)
    made.file.close()


def test_what_was_published_must_be_in_the_journal(tmp_path: Path, clock: Clock) -> None:
    """A journal restored from an older copy, which went on otherwise."""
    for name, last in (("one", 12_000_000), ("two", 13_000_000)):
        made = QuotesRig(tmp_path / name)
        made.offer(0, 10_000_000, 10_010_000)
        made.offer(1 if name == "two" else 0, last, last + 10)
        made.close()
    (tmp_path / "journal").symlink_to(tmp_path / "one")
    first = publisher(tmp_path, clock)
    run(first)
    first.file.close()
    (tmp_path / "journal").unlink()
    (tmp_path / "journal").symlink_to(tmp_path / "two")
    second = publisher(tmp_path, clock)
    with pytest.raises(JournalChanged, match=f"record 2 of series .*{BMW}.*restore the journal"):
        second.step()
    second.file.close()


def test_a_journal_that_lost_what_was_published_is_refused(tmp_path: Path, clock: Clock) -> None:
    made = QuotesRig(tmp_path / "journal")
    made.offer(0, 10_000_000, 10_010_000)
    at = made.put(jn.TIMER, -1, b"")
    made.offer(0, 11_000_000, 11_010_000)
    first = publisher(tmp_path, clock)
    run(first)
    first.file.close()
    made.files.journal.buffer[at:] = 0
    second = publisher(tmp_path, clock)
    with pytest.raises(JournalChanged, match="has only 1 records"):
        second.step()
    second.file.close()
    made.close()


def test_a_last_line_that_is_no_record_is_not_built_upon(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "quotes-2025-12-01.ndjson").write_bytes(b'{"sequence": 5}\n')
    with pytest.raises(UserError, match="last line is no record of a quote"):
        publisher(tmp_path, clock)
    (folder / "quotes-2025-12-01.ndjson").unlink()
    publisher(tmp_path, clock).close()  # the lock was let go


# --- the journal --------------------------------------------------------------------------------


def test_it_waits_for_a_journal(tmp_path: Path, clock: Clock) -> None:
    made = publisher(tmp_path, clock)
    assert not made.step() and made.waits_for_journal and made.status()["series"] is None
    journal = QuotesRig(tmp_path / "journal")
    journal.offer(0, 10_000_000, 10_010_000)
    assert not made.step(), "it looks once a second"
    clock.ns += SECOND_NS
    run(made)
    assert not made.waits_for_journal and len(records(tmp_path)) == 1
    made.close()
    journal.close()


@pytest.mark.parametrize("at", ["first", "later"])
def test_a_damaged_journal_stops_it_with_the_place(
    at: str, tmp_path: Path, journal: QuotesRig, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)
    position = journal.offer(0, 11_000_000, 11_010_000) and int(journal.files.state[0]["last"])
    journal.offer(0, 12_000_000, 12_010_000)
    place = 0 if at == "first" else position
    journal.files.journal.buffer[place + jn.HEADER_SIZE] ^= 1
    made = publisher(tmp_path, clock)
    with pytest.raises(JournalDamaged, match=f"segment-000000.journal, byte {place}: damaged"):
        run(made)
    made.close()
    assert len(records(tmp_path)) == (0 if at == "first" else 1), "all that is whole before it"


def test_another_versions_journal_stops_it(tmp_path: Path, clock: Clock) -> None:
    made = QuotesRig(tmp_path / "journal")
    made.put(jn.BOOT, -1, rig.row(schema.boot, schema_hash=77).tobytes())
    one = publisher(tmp_path, clock)
    with pytest.raises(WrongSchema, match="use the version that wrote it"):
        run(one)
    one.close()
    made.close()


def test_a_missing_segment_stops_it(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "segment-000001.journal").write_bytes(bytes(FRAME_ALIGN))
    made = publisher(tmp_path, clock)
    with pytest.raises(JournalDamaged, match=r"segment-000000\.journal is missing"):
        made.step()
    made.close()


def test_a_new_journal_in_the_same_place_is_a_new_series(
    tmp_path: Path, journal: QuotesRig, made: Publisher, clock: Clock
) -> None:
    journal.offer(0, 10_000_000, 10_010_000)
    journal.offer(1, 10_000_000, 10_010_000)
    run(made)
    (tmp_path / "journal").rename(tmp_path / "yesterday")
    clock.ns += SECOND_NS
    run(made)
    assert len(made.board) == 2, "between two journals the old one holds"
    other = QuotesRig(tmp_path / "journal", mic="XNEW")
    other.offer(0, 11_000_000, 11_010_000)
    for _ in range(2):
        clock.ns += SECOND_NS
        run(made)
    rows = records(tmp_path)
    assert brief(rows)[2:] == [(SAP, "NEW", "11", None)]
    assert [row["sequence"] for row in rows] == [1, 2, 1]
    assert rows[2]["series"] != rows[0]["series"] and rows[2]["si_mic"] == "XNEW"
    assert [entry.isin for entry in made.board.all()] == [SAP]
    other.close()
