"""What moved between two snapshots, and which moves need a person."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import schema
from engine.limits import ISIN_WORDS
from refdata.changes import Breach, Change, Limits, amount, breaches, compare
from refdata.snapshot import Snapshot
from tests.refdata_world import made_isin

pytestmark = pytest.mark.pure

DAY = date(2026, 4, 13)
LIMITS = Limits(Decimal(4), Decimal("0.02"), 10)
EUR_E9 = 10**9
ROW = {
    "currency": "EUR", "asset_class": 1, "mrm_venue": 0, "si": 1, "liquid": 1,
    "sms_e6": 15_000 * 10**6, "lis_e6": 650_000 * 10**6, "tick_band": 6, "lot": 1,
    "eur_per_unit_e9": EUR_E9, "order_max_e6": 0, "position_max_e6": 0,
}  # fmt: skip


def snapshot_of(*rows, venues=("XETR", "XPAR"), day=DAY):
    """A snapshot of (number of the ISIN, fields that differ from `ROW`)."""
    table = np.zeros(len(rows), schema.instrument)
    for row, (number, fields) in zip(table, rows, strict=True):
        values = ROW | fields
        row["isin"] = schema.pack(made_isin(number), ISIN_WORDS)
        row["currency"] = schema.pack(values.pop("currency"))
        for name, value in values.items():
            row[name] = value
    names = [f"name {number}" for number, _ in rows]
    return Snapshot(Path(), "0" * 64, day, "EU", list(venues), table, names, {})


def moved(**fields):
    old, new = snapshot_of((1, {})), snapshot_of((1, fields))
    return [tuple(change)[2:] for change in compare(old, new)]


def test_nothing_moved():
    same = snapshot_of((1, {}), (2, {"si": 0}))
    assert compare(same, same) == [] and breaches(same, same, DAY, LIMITS) == []


@pytest.mark.parametrize(
    ("fields", "change"),
    [({"sms_e6": 17_000 * 10**6}, ("SMS", "15,000", "17,000")),
     ({"lis_e6": 650_000_500_000}, ("LIS", "650,000", "650,000.50")),
     ({"tick_band": 5}, ("tick band", "6", "5")), ({"liquid": 0}, ("liquid", "yes", "no")),
     ({"si": 0}, ("SI", "yes", "no")), ({"mrm_venue": 1}, ("MRM", "XETR", "XPAR")),
     ({"asset_class": 3}, ("class", "share", "etf")),
     ({"currency": "USD"}, ("currency", "EUR", "USD")), ({"lot": 2}, ("lot", "1", "2")),
     ({"order_max_e6": 10**9}, ("largest order", "0", "1,000")),
     ({"position_max_e6": 10**9}, ("largest position", "0", "1,000")),
     ({"loaded_row": 9}, None)],
)  # fmt: skip
def test_each_field(fields, change):
    assert moved(**fields) == ([change] if change else [])


def test_added_and_removed_in_order_of_isin():
    old, new = snapshot_of((1, {}), (2, {})), snapshot_of((2, {}), (3, {"tick_band": 2}))
    assert compare(old, new) == [
        Change(made_isin(1), "name 1", "removed", "SMS 15,000, LIS 650,000, band 6", ""),
        Change(made_isin(3), "name 3", "added", "", "SMS 15,000, LIS 650,000, band 2"),
    ]


def test_the_place_of_a_venue_is_not_its_name():
    old = snapshot_of((1, {"mrm_venue": 1}))
    new = snapshot_of((1, {"mrm_venue": 0}), venues=("XPAR", "XETR"))
    assert compare(old, new) == []


def test_a_snapshot_without_any_market_can_be_compared():
    """Where nothing has an MRM there is no venue, and the column of every row is 0."""
    closed = {"sms_e6": 0, "lis_e6": 0}
    old, new = snapshot_of((1, {})), snapshot_of((1, closed), venues=())
    assert [change.what for change in compare(old, new)] == ["SMS", "LIS", "MRM"]
    assert [change.after for change in compare(old, new)] == ["0", "0", ""]
    assert compare(new, new) == []


def in_currency(eur, rate_e9):
    return eur * 10**15 // rate_e9


@given(st.integers(10_000, 9 * 10**9), st.integers(10_000, 9 * 10**9))
def test_another_rate_alone_moves_no_threshold(before_e9, after_e9):
    def at(rate_e9):
        sms, lis = in_currency(15_000, rate_e9), in_currency(650_000, rate_e9)
        fields = {"sms_e6": sms, "lis_e6": lis, "eur_per_unit_e9": rate_e9, "currency": "SEK"}
        return snapshot_of((1, fields))

    old, new = at(before_e9), at(after_e9)
    assert compare(old, new) == []
    assert breaches(old, new, DAY, LIMITS) == []


# --- guard rails -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "name", "was", "now", "broken"),
    [("sms_e6", "SMS", 10_000, 40_000, False), ("sms_e6", "SMS", 10_000, 40_001, True),
     ("sms_e6", "SMS", 40_000, 10_000, False), ("sms_e6", "SMS", 40_001, 10_000, True),
     ("lis_e6", "LIS", 15_000, 60_000, False), ("lis_e6", "LIS", 15_000, 61_000, True),
     ("lis_e6", "LIS", 650_000, 100_000, True), ("lis_e6", "LIS", 0, 650_000, False)],
)  # fmt: skip
def test_the_factor_at_its_edges(field, name, was, now, broken):
    old, new = (snapshot_of((1, {field: eur * 10**6})) for eur in (was, now))
    found = breaches(old, new, DAY, LIMITS)
    assert [(b.guard, b.isins) for b in found] == ([(name, (made_isin(1),))] if broken else [])


def test_the_worst_move_comes_first():
    old = snapshot_of((1, {}), (2, {}), (3, {}))
    new = snapshot_of(*((n, {"sms_e6": 15_000 * 10**6 * f}) for n, f in ((1, 5), (2, 50), (3, 5))))
    (breach,) = breaches(old, new, DAY, LIMITS)
    assert breach.isins == tuple(map(made_isin, (2, 1, 3)))
    assert str(breach).startswith("SMS: moved by a factor of up to 50.00, the limit is 4: DE")


CLOSED = {"sms_e6": 0, "lis_e6": 0}


@pytest.mark.parametrize(
    ("fields", "gone"),
    [(CLOSED, True), ({"lis_e6": 0}, True), ({"sms_e6": 0}, True), ({"si": 0}, True),
     ({"sms_e6": 0, "liquid": 0}, False), ({"tick_band": 0}, False)],
)  # fmt: skip
def test_what_counts_as_missing(fields, gone):
    found = breaches(snapshot_of((1, {})), snapshot_of((1, fields)), DAY, LIMITS)
    assert [breach.guard for breach in found] == (["missing share"] if gone else [])


@pytest.mark.parametrize(("missing", "broken"), [(0, False), (1, False), (2, False), (3, True)])
def test_the_missing_share_at_its_edge(missing, broken):
    """Two of a hundred are 0.02; those that could not be traded before do not count."""
    never = [(number, CLOSED) for number in range(101, 150)]
    old = snapshot_of(*((n, {}) for n in range(1, 101)), *never)
    kept = [(n, CLOSED if n <= missing else {}) for n in range(1, 101) if n != 1]
    gone = 1 if missing else 0
    new = snapshot_of(*([] if gone else [(1, {})]), *kept, *never)
    found = breaches(old, new, DAY, LIMITS)
    value = f"{missing} of 100 no longer have what trading needs"
    isins = tuple(made_isin(n) for n in range(1, missing + 1))
    assert found == ([Breach("missing share", value, "0.02", isins)] if broken else [])


@pytest.mark.parametrize(
    ("days", "guard"),
    [(-1, "a FITRS file of the future"), (0, ""), (10, ""), (11, "age of the newest FITRS file")],
)
def test_the_age_at_its_edges(days, guard):
    for old in (None, snapshot_of((1, {}))):
        newest = DAY - timedelta(days=days)
        found = breaches(old, snapshot_of((1, {})), newest, LIMITS)
        assert [breach.guard for breach in found] == ([guard] if guard else [])


def test_an_unknown_age_is_no_young_one():
    (breach,) = breaches(None, snapshot_of((1, {})), None, LIMITS)
    assert str(breach) == "age of the newest FITRS file: its day is unknown, the limit is a day"


def test_many_isins_are_shown_in_part():
    breach = Breach("SMS", "moved", "4", tuple(made_isin(n) for n in range(12)))
    assert str(breach).endswith(f"{made_isin(9)} and 2 more") and made_isin(10) not in str(breach)
    assert str(Breach("SMS", "moved", "4", ())) == "SMS: moved, the limit is 4"


@pytest.mark.parametrize(
    ("value", "text"), [("0", "0"), ("1234567.50", "1,234,567.50"), ("1000", "1,000")]
)
def test_amounts_are_grouped(value, text):
    assert amount(Decimal(value)) == text
