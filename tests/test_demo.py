"""The demo is the product's own acceptance test: it fails when anything in it went wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.enums import Zone
from gateway.journal_files import Reader

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 280  # a first compile is in it

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What six seconds of the demo came to."""
    command = [sys.executable, "-m", "gateway", "demo", "--seconds", "6", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S,
        env={**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("demo"))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_everything_happened(document: dict[str, Any]) -> None:
    for name in ("orders", "fills", "desk_items", "rejects", "price_improvement_eur"):
        assert document[name] > 0, name
    assert document["rate_per_s"] > 10
    assert 0 < document["latency_ns"]["p50"] <= document["latency_ns"]["p99"]
    assert document["problems"] == []


def test_every_zone_occurred_and_adds_up(document: dict[str, Any]) -> None:
    zones = document["zones"]
    for zone in list(Zone)[1:]:
        assert zones[zone.name]["orders"] > 0, zone.name
    outcomes = ("filled", "part", "on_desk", "cancelled", "expired", "rejected")
    for name, count in zones.items():
        assert sum(count[outcome] for outcome in outcomes) == count["orders"], name
    assert sum(count["orders"] for count in zones.values()) == document["orders"]


def test_a_client_resumed_its_session(document: dict[str, Any]) -> None:
    assert document["clients"]["ROAMER"]["logons"] > 1


def test_the_journal_is_kept(document: dict[str, Any]) -> None:
    journal = Path(document["journal"])
    assert sum(1 for _ in Reader(journal).poll()) == document["frames"]
