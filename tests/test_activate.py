"""`si refdata activate` on a running engine: orders before and after, the way back, restarts."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.control import Control
from refdata import snapshot
from refdata.load import load_instruments
from tests.fix_peer import Client, Fields, order
from tests.session_rig import ASK, BID, CLORDIDS, ISIN
from tests.venue import Engine, running, sample, si

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

#: What one share of the rig costs is about EUR 200, so these put an order of 10 shares anywhere.
SMALL, LARGE = 500, 1_000_000


def build(folder: Path, sms_eur: int, day: str, leave_out: str = "") -> Path:
    """A snapshot of the sample's instruments, every liquid one with this SMS."""
    loaded = load_instruments(folder / "instruments.csv", fx_path=folder / "fx.csv")
    rows = loaded.instruments.copy()
    liquid = rows["liquid"] == 1
    rows["sms_e6"][liquid] = sms_eur * 10**12 // rows["eur_per_unit_e9"][liquid] * 1000
    by_isin = np.argsort(np.ascontiguousarray(rows["isin"]).view("S16").ravel())
    names = [loaded.names[place] for place in by_isin]
    rows = rows[by_isin]
    kept = np.array([name != leave_out for name in names])
    about = {"as_of": day, "jurisdiction": "EU", "venues": loaded.venues}
    kept_names = [name for name in names if name != leave_out]
    return snapshot.write(folder / "snapshots", about, rows[kept], kept_names, {})


def activate(folder: Path, path: Path, *options: str) -> dict[str, Any]:
    done = si("refdata", "activate", path, folder, "--by", "anna", *options, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def refusal(folder: Path, path: Path) -> str:
    done = si("refdata", "activate", path, folder)
    assert done.returncode == 1, done.stdout
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sample(tmp_path / "si")


class Desk:
    """A client that asks where an order of ten shares goes."""

    def __init__(self, engine: Engine) -> None:
        self.client = Client(engine)
        self.client.logon((141, "Y"))

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def ask(self, isin: str = ISIN) -> Fields:
        name = next(CLORDIDS)
        self.client.send("D", order(name, isin, 10))
        return self.client.expect("8", t11=name)


def zone(folder: Path, report: Fields) -> tuple[str, str]:
    """Zone of an order, and the snapshot that decided it."""
    done = si("explain", folder, report[37], "--json")
    (row,) = json.loads(done.stdout)
    return row["zone"], row["snapshot"]


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with running(folder) as made:
        made.quote(ISIN, BID, ASK)
        yield made
    made.verify()


def test_orders_use_one_table_or_the_other_and_the_way_back_is_the_same(
    engine: Engine, folder: Path
) -> None:
    small = build(folder, SMALL, "2026-04-06")
    large = build(folder, LARGE, "2026-04-07")
    with Desk(engine) as desk:
        before = desk.ask()
        seen = [zone(folder, before)]
        for path in (small, large, small):
            done = activate(folder, path)["activated"]
            assert done["snapshot"] == snapshot.read(path).sha256
            assert done["gone"] == 0
            seen.append(zone(folder, desk.ask()))
    words = [snapshot.read(path).sha256[:12] for path in (small, large, small)]
    assert seen[0][1] == ""
    assert [zone for zone, _ in seen[1:]] == ["DISCRETIONARY", "WITHIN_MIN_QUOTE", "DISCRETIONARY"]
    assert [word[:12] for _, word in seen[1:]] == [word[:12] for word in words]


def test_what_is_activated_outlives_a_kill_and_a_restart(folder: Path) -> None:
    small = build(folder, SMALL, "2026-04-06")
    with running(folder) as engine:
        activate(folder, small)
        engine.kill()
        for ending in (engine.kill, engine.stop):
            engine.start()
            assert "as activated before" in engine.said()
            engine.quote(ISIN, BID, ASK)
            with Desk(engine) as desk:
                assert zone(folder, desk.ask())[0] == "DISCRETIONARY"
            ending()
        engine.start()
        with Desk(engine) as desk:
            engine.quote(ISIN, BID, ASK)
            assert zone(folder, desk.ask())[0] == "DISCRETIONARY"
    engine.verify()


def test_a_time_to_come_can_be_cancelled(engine: Engine, folder: Path) -> None:
    small = build(folder, SMALL, "2026-04-06")
    answer = activate(folder, small, "--at", "2199-01-01T00:00:00")
    assert answer["staged"] == snapshot.read(small).sha256
    assert "is being activated" in refusal(folder, small)
    with Desk(engine) as desk:
        assert zone(folder, desk.ask())[1] == ""
        assert si("refdata", "cancel", folder).returncode == 0
        assert "nothing is being activated" in si("refdata", "cancel", folder).stderr
        activate(folder, small)
        assert zone(folder, desk.ask())[0] == "DISCRETIONARY"


def test_a_staged_table_is_forgotten_by_a_restart(folder: Path) -> None:
    with running(folder) as engine:
        activate(folder, build(folder, SMALL, "2026-04-06"), "--at", "2199-01-01T00:00:00")
        engine.kill()
        engine.start()
        engine.quote(ISIN, BID, ASK)
        with Desk(engine) as desk:
            assert zone(folder, desk.ask())[1] == ""
    engine.verify()


def test_a_snapshot_that_is_not_whole_is_refused(engine: Engine, folder: Path) -> None:
    small = build(folder, SMALL, "2026-04-06")
    data = bytearray(small.read_bytes())
    data[len(data) // 2] ^= 1
    bent = folder / "bent.snapshot"
    bent.write_bytes(data)
    assert "was changed or cut" in refusal(folder, bent)
    bent.write_bytes(data[:1000])
    assert "was changed or cut" in refusal(folder, bent)
    bent.write_bytes(b"isin,name\n")
    assert "si refdata build" in refusal(folder, bent)
    assert "cannot be read" in refusal(folder, folder / "nothing.snapshot")
    with Desk(engine) as desk:
        assert zone(folder, desk.ask())[1] == ""


@pytest.mark.parametrize(
    ("request_of", "words"),
    [
        ({"activate": "x.snapshot", "by": "Jürgen"}, "ASCII"),
        ({"activate": "x.snapshot", "at_ns": float("inf")}, "infinity"),
        ({"activate": "x.snapshot", "at_ns": "soon"}, "soon"),
        ({"begin": 1}, "activate"),
    ],
)
def test_a_request_that_cannot_be_is_answered(request_of: dict[str, Any], words: str) -> None:
    answers: list[dict[str, Any]] = []
    control = Control(None)  # type: ignore[arg-type]
    control.receive(json.dumps(request_of).encode(), answers.append)
    control.receive(b'{"activate":' + b"[" * 4_000, answers.append)
    assert words in answers[0]["error"] and "error" in answers[1]
    assert control.activation is None


def test_a_snapshot_in_the_configuration(folder: Path) -> None:
    small = build(folder, SMALL, "2026-04-06")
    large = build(folder, LARGE, "2026-04-07")
    shutil.copy(small, folder / "live.snapshot")
    path = folder / "si.toml"
    text = path.read_text()
    assert text.count("instruments.csv") == text.count("format = 'si'") == 1
    text = text.replace("format = 'si'", "format = 'snapshot'")
    path.write_text(text.replace("instruments.csv", "live.snapshot"))
    with running(folder) as engine:
        assert "550 instruments of live.snapshot, as of 2026-04-06" in engine.said()
        engine.quote(ISIN, BID, ASK)
        with Desk(engine) as desk:
            assert zone(folder, desk.ask())[0] == "DISCRETIONARY"
            activate(folder, large)
            assert zone(folder, desk.ask())[0] == "WITHIN_MIN_QUOTE"
        engine.stop()
        engine.start()  # what a person activated stays ...
        assert "as activated before" in engine.said()
        engine.stop()
        shutil.copy(build(folder, SMALL + 1, "2026-04-08"), folder / "live.snapshot")
        engine.start()  # ... until the configuration names another one
        assert "as of 2026-04-08" in engine.said()
    engine.verify()
