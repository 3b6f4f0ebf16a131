"""The snapshot file: what is written comes back, and what was touched does not."""

import hashlib
import io
import json
import zipfile
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import schema
from refdata import snapshot
from refdata.rows import Refused
from tests.refdata_world import ISIN, OTHER, made_isin
from tests.test_changes import snapshot_of

pytestmark = pytest.mark.pure

ABOUT = {"as_of": "2026-04-13", "jurisdiction": "EU", "venues": ["XETR"], "inputs": []}
ROWS = snapshot_of((1, {}), (2, {"sms_e6": 0, "lis_e6": 0})).instruments
NAMES = ["Alder [/] Ä", "Birch"]
RECORDS = {ISIN: {"first_traded": "", "records": [], "unusable": []}}


def put(folder, about=ABOUT, rows=ROWS, names=NAMES):
    return snapshot.write(folder, about, rows, names, RECORDS)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return put(tmp_path_factory.mktemp("snapshots"))


def refusal(path, read=snapshot.read):
    with pytest.raises(Refused) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert problem.path == str(path)
    return problem.advice


def test_what_is_written_comes_back(path):
    found = snapshot.read(path)
    assert (found.as_of, found.jurisdiction, found.venues) == (date(2026, 4, 13), "EU", ["XETR"])
    assert (found.names, found.about) == (NAMES, ABOUT)
    assert found.instruments.tobytes() == ROWS.tobytes()
    assert snapshot.read_records(path) == RECORDS
    assert path.name == f"refdata-2026-04-13-{found.sha256[:12]}.snapshot"
    assert hashlib.sha256(path.read_bytes()[snapshot.HEAD_SIZE :]).hexdigest() == found.sha256
    assert snapshot.hash_digits(found.word) == found.sha256[:15]
    assert snapshot.hash_digits(0) == ""


def test_the_same_content_is_the_same_file(tmp_path, path):
    again = put(tmp_path / "a" / "b")
    assert again.name == path.name and again.read_bytes() == path.read_bytes()
    assert put(tmp_path / "a" / "b") == again
    assert list(again.parent.iterdir()) == [again]


@settings(max_examples=300)
@given(st.data())
def test_one_flipped_bit_anywhere_is_found(path, data):
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    touched = path.with_name("touched")
    touched.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
    assert refusal(touched) == refusal(touched, snapshot.read_records)


def test_every_byte_of_the_head_counts(path):
    whole = path.read_bytes()
    touched = path.with_name("touched")
    for place in range(snapshot.HEAD_SIZE):
        for bit in range(8):
            byte = bytes([whole[place] ^ (1 << bit)])
            touched.write_bytes(whole[:place] + byte + whole[place + 1 :])
            assert refusal(touched)


@given(st.data())
def test_what_is_cut_or_longer_is_found(path, data):
    whole = path.read_bytes()
    touched = path.with_name("touched")
    touched.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert refusal(touched)
    touched.write_bytes(whole + data.draw(st.binary(min_size=1, max_size=3)))
    assert refusal(touched) == "the file was changed or cut: build it again"


def test_what_is_no_snapshot(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "nothing")
    assert "cannot be read" in refusal(tmp_path)
    (tmp_path / "text").write_text("isin,si\n")
    assert refusal(tmp_path / "text") == "give a file that `si refdata build` wrote"


def wrap(folder, members):
    """A file with the right hash around members of our own."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return wrap_body(folder, data.getvalue())


def wrap_body(folder, body):
    made = folder / "made"
    made.write_bytes(snapshot.MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    return made


def as_npy(rows):
    data = io.BytesIO()
    np.save(data, rows)
    return data.getvalue()


GOOD = {
    "about.json": json.dumps(ABOUT), "instruments.npy": as_npy(ROWS),
    "names.json": json.dumps(NAMES), "records.json": "{}",
}  # fmt: skip
OTHER_SCHEMA = np.dtype([*schema.instrument.descr, ("more", "<i8")])
RENAMED = np.dtype([(name + "_", *rest) for name, *rest in schema.instrument.descr])


@pytest.mark.parametrize(
    "changed",
    [{"instruments.npy": as_npy(np.zeros(2, OTHER_SCHEMA))},
     {"instruments.npy": as_npy(np.zeros(2, RENAMED))}, {"instruments.npy": as_npy(ROWS[:1])},
     {"instruments.npy": b""}, {"instruments.npy": as_npy(np.zeros(2, np.int64))},
     {"instruments.npy": as_npy(np.array([{}, {}]))}, {"about.json": "{}"}, {"about.json": "[]"},
     {"about.json": "{"}, {"about.json": json.dumps(ABOUT | {"as_of": "soon"})},
     {"about.json": json.dumps(ABOUT | {"as_of": None})}, {"names.json": b"\xff"}],
)  # fmt: skip
def test_a_snapshot_of_another_version_is_refused(tmp_path, changed):
    assert snapshot.read(wrap(tmp_path, GOOD)).names == NAMES
    assert "another version of the engine" in refusal(wrap(tmp_path, GOOD | changed))


@pytest.mark.parametrize("left_out", GOOD)
def test_a_member_that_is_not_there(tmp_path, left_out):
    made = wrap(tmp_path, {name: data for name, data in GOOD.items() if name != left_out})
    reader = snapshot.read_records if left_out == "records.json" else snapshot.read
    assert "another version of the engine" in refusal(made, reader)


def test_a_right_hash_around_no_zip(tmp_path):
    for body in (b"", b"PK", b"not a zip"):
        assert "another version of the engine" in refusal(wrap_body(tmp_path, body))


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("isin", ["", "DE", "Ä" * 12, "X" * 40, made_isin(9), ISIN.lower()])
def test_an_isin_that_it_does_not_have(path, isin):
    assert snapshot.read(path).row_of(isin) is None
    with pytest.raises(Refused, match="it is not in this snapshot"):
        snapshot.thresholds_of(isin, date(2026, 4, 13), path)


def test_thresholds_hold_for_the_snapshots_own_day(path):
    day = date(2026, 4, 13)
    found = snapshot.thresholds_of(ISIN, day, path)
    assert (found.liquid, found.sms_eur, found.lis_eur) == (True, Decimal(15_000), Decimal(650_000))
    with pytest.raises(Refused, match="it holds for 2026-04-13"):
        snapshot.thresholds_of(ISIN, date(2026, 4, 14), path)
    with pytest.raises(Refused, match="closed for want of a threshold"):
        snapshot.thresholds_of(OTHER, day, path)


def test_the_market_of_a_row(path):
    ready, closed = snapshot.read(path).instruments
    assert snapshot.mrm_of(ready, ["XETR"]) == "XETR"
    assert snapshot.mrm_of(ready, []) == "" and snapshot.mrm_of(closed, ["XETR"]) == ""
