"""A whole new instrument table beside the live one, the switch, the way back, and replay."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import journal as jn
from engine import policy, schema, staging, tables
from engine.limits import Capacity
from engine.outbox import allocate_outbox
from gateway import replay, swap, wire
from gateway.errors import UserError
from gateway.swap import Swap
from refdata.isin import check_digit
from refdata.snapshot import Snapshot

CAPACITY = Capacity(512, 4, 64, 16)
NOW = 1_775_000_000_000_000_000


def isin(number: int) -> str:
    text = f"DE{number:09d}"
    return text + check_digit(text)


def table(numbers: list[int], **fields: int) -> Any:
    """Rows of these instruments, sorted by ISIN; SMS tells them apart."""
    rows = np.zeros(len(numbers), schema.instrument)
    for row, number in zip(rows, sorted(numbers), strict=True):
        row["isin"] = schema.pack(isin(number), 2)
        row["currency"] = schema.pack("EUR")
        row["asset_class"] = row["si"] = row["liquid"] = row["lot"] = 1
        row["eur_per_unit_e9"] = 10**9
        row["sms_e6"] = number
        row["lis_e6"] = 10**12
        for name, value in fields.items():
            row[name] = value
    return rows


def snapshot(rows: Any, sha256: str = "ab" * 32) -> Snapshot:
    names = [""] * len(rows)
    return Snapshot(Path("x"), sha256, date(2026, 4, 6), "EU", ["XETR"], rows, names, {})


class Place:
    """Tables and a journal in memory."""

    def __init__(self) -> None:
        self.tables = tables.allocate(CAPACITY)
        self.journal = jn.in_memory(4 << 20)

    def stage(self, rows: Any) -> Swap:
        made = Swap(self.tables, lambda: self.journal, snapshot(rows))
        while not made.done:
            made.step(np.zeros(1, np.int64), NOW)
        return made

    def bring(self, rows: Any) -> swap.Swapped:
        return self.stage(rows).switch("anna", NOW)

    def live(self) -> dict[str, tuple[int, int, int]]:
        """Row, SI flag and SMS of every ISIN."""
        count = int(self.tables.counters[0]["instruments"])
        return {
            schema.unpack(row["isin"]): (number, int(row["si"]), int(row["sms_e6"]))
            for number, row in enumerate(self.tables.instruments[:count])
        }

    def find(self, number: int) -> int:
        packed = np.array(schema.pack(isin(number), 2), np.int64)
        return int(tables.find_instrument(self.tables, packed))

    def replayed(self) -> "Place":
        """The journal, run into fresh tables; its bytes must come out again."""
        made = Place()
        scratch, wires, outbox = replay.allocate_scratch(), wire.allocate(), allocate_outbox()
        while True:
            outcome, _ = replay.replay(
                made.tables, outbox, wires, self.journal, made.journal, scratch,
                policy.load("none").address,
            )  # fmt: skip
            if outcome != replay.NEEDS_EXCHANGE:
                break
            made.tables.activate_staged()
        assert outcome == replay.DONE
        assert (made.journal.buffer == self.journal.buffer).all()
        return made


@pytest.fixture
def place() -> Iterator[Place]:
    """After each test: replay gives the same state."""
    made = Place()
    yield made
    assert tables.state_hash(made.replayed().tables) == tables.state_hash(made.tables)


def test_instruments_keep_their_rows_and_the_gone_are_no_longer_si(place: Place) -> None:
    place.bring(table([10, 20, 30]))
    assert place.live() == {isin(10): (0, 1, 10), isin(20): (1, 1, 20), isin(30): (2, 1, 30)}
    done = place.bring(table([5, 20, 25], si=1))
    assert place.live() == {
        isin(10): (0, 0, 10), isin(20): (1, 1, 20), isin(30): (2, 0, 30),
        isin(5): (3, 1, 5), isin(25): (4, 1, 25),
    }  # fmt: skip
    assert (done.instruments, done.gone) == (3, 2)
    assert [place.find(number) for number in (5, 10, 20, 25, 30, 40)] == [3, 0, 1, 4, 2, -1]


def test_until_the_switch_nothing_of_it_is_seen(place: Place) -> None:
    place.bring(table([10, 20]))
    before = place.live()
    edition = int(place.tables.counters[0]["edition"])
    waiting = place.stage(table([10, 15, 20, 30], sms_e6=7))
    assert place.live() == before
    assert place.find(15) == place.find(30) == -1
    assert place.tables.counters[0]["edition"] == edition
    waiting.switch("anna", NOW)
    assert place.find(15) == 2
    assert place.live()[isin(10)] == (0, 1, 7)
    assert place.tables.counters[0]["edition"] == edition + 1
    assert place.tables.counters[0]["snapshot"] == snapshot([]).word


def test_the_way_back_is_the_same_way(place: Place) -> None:
    old, new = table([10, 20], sms_e6=1), table([10, 30], sms_e6=2)
    place.bring(old)
    place.bring(new)
    assert place.live() == {isin(10): (0, 1, 2), isin(20): (1, 0, 1), isin(30): (2, 1, 2)}
    place.bring(old)
    assert place.live() == {isin(10): (0, 1, 1), isin(20): (1, 1, 1), isin(30): (2, 0, 2)}


def test_what_is_given_up_leaves_nothing(place: Place) -> None:
    place.bring(table([10, 20]))
    place.stage(table([30, 40, 50])).abort(NOW)
    assert place.tables.counters[0]["staged"] == 0
    assert [place.find(number) for number in (10, 20, 30, 40, 50)] == [0, 1, -1, -1, -1]
    place.bring(table([10, 50, 60]))
    assert [place.find(number) for number in (10, 20, 30, 50, 60)] == [0, 1, -1, 2, 3]
    place.stage(table([70])).abort(NOW)
    place.bring(table([30]))
    assert [place.find(number) for number in (30, 40, 50, 60, 70)] == [4, -1, 2, 3, -1]


BAD = {
    "out of bounds": (table([10, 20], eur_per_unit_e9=0), "eur_per_unit_e9 0"),
    "a negative SMS": (table([10, 20], sms_e6=-1), "sms_e6 -1"),
    "not sorted": (table([10, 20])[::-1], "not sorted"),
    "twice": (table([10, 10]), "not different"),
    "too many": (table(list(range(600))), "no room for 88 more"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_table_changes_nothing(place: Place, name: str) -> None:
    rows, why = BAD[name]
    place.bring(table([1, 2]))
    before = place.live()
    with pytest.raises(UserError, match=why):
        place.stage(rows)
    assert place.live() == before
    assert place.tables.counters[0]["staged"] == 0
    place.bring(table([1, 3]))
    assert place.live() == {isin(1): (0, 1, 1), isin(2): (1, 0, 2), isin(3): (2, 1, 3)}


def test_a_venue_gets_the_row_that_the_engine_knows_it_by(place: Place) -> None:
    rows = table([1, 2])
    rows["mrm_venue"] = [1, 0]
    made = Swap(place.tables, lambda: place.journal, snapshot(rows))
    while not made.done:
        made.step(np.array([5, 3]), NOW)
    made.switch("anna", NOW)
    assert place.tables.instruments["mrm_venue"][:2].tolist() == [3, 5]


def test_venues_are_found_or_added() -> None:
    made = tables.allocate(CAPACITY)
    made.venues["mic"][:2] = schema.pack("XETR"), schema.pack("XPAR")
    made.counters[0]["venues"] = 2
    rows, fresh = swap.venue_rows(made, ["XPAR", "XAMS", "XETR"])
    assert (rows.tolist(), fresh) == ([1, 2, 0], ["XAMS"])
    rows, fresh = swap.venue_rows(made, [f"X{i:03d}" for i in range(7)])
    assert (rows.tolist(), fresh[-1]) == ([2, 3, 4, 5, 6, 7, -1], "X005")


def test_an_instrument_whose_market_has_no_room_is_not_traded(place: Place) -> None:
    rows = table([1, 2])
    rows["mrm_venue"] = [1, 0]
    made = Swap(place.tables, lambda: place.journal, snapshot(rows))
    while not made.done:
        made.step(np.array([5, -1]), NOW)
    made.switch("anna", NOW)
    assert place.live() == {isin(1): (0, 0, 1), isin(2): (1, 1, 2)}
    assert place.tables.instruments["mrm_venue"][:2].tolist() == [0, 5]


def test_readers_see_numbers_with_the_rows(place: Place) -> None:
    place.bring(table([7, 9]))
    found = {}
    offset = 0
    while int(jn.frame_state(place.journal, offset, -1)) == jn.WHOLE:
        word = offset >> 3
        if place.journal.words[word + jn.KIND] == jn.STAGE:
            start = offset + jn.HEADER_SIZE
            size = int(place.journal.words[word + jn.BODY_SIZE])
            for number, row in staging.pairs(place.journal.buffer[start : start + size]):
                found[schema.unpack(row["isin"])] = int(number)
        offset += int(place.journal.words[word])
    assert found == {isin(7): 0, isin(9): 1}


@given(st.lists(st.tuples(st.sets(st.integers(0, 300), min_size=1), st.booleans()), max_size=6))
def test_any_series_of_tables(series: list[tuple[set[int], bool]]) -> None:
    """Against a dict: rows by first activation, SI by the last."""
    place = Place()
    expected: dict[str, tuple[int, int, int]] = {}
    for number, (members, switched) in enumerate(series, 1):
        staged = place.stage(table(sorted(members), sms_e6=number))
        if not switched:
            staged.abort(NOW)
            continue
        staged.switch("anna", NOW)
        expected = {name: (row, 0, sms) for name, (row, _, sms) in expected.items()}
        for member in sorted(members, key=isin):
            row = expected.get(isin(member), (len(expected), 0, 0))[0]
            expected[isin(member)] = (row, 1, number)
    assert place.live() == expected
    for number in range(0, 300, 7):
        assert place.find(number) == expected.get(isin(number), (-1, 0, 0))[0]
    assert tables.state_hash(place.replayed().tables) == tables.state_hash(place.tables)
