"""Simulated clients by every habit, and scripts: what they send, and what they make of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway import sim_play, sim_scripts
from gateway.cli_sim import sim
from gateway.errors import UserError
from gateway.sim_client import SimClient
from gateway.sim_habits import HABITS, MESSAGE_SIZE_MAX, STRANGERS
from gateway.sim_trial import Terms
from gateway.sim_wire import Account
from tests.sim_peer import DESK_QTY, ISIN, Change, Peer

pytestmark = pytest.mark.pure

TERMS = Terms(ISIN, 10, DESK_QTY)
SECONDS = 0.4
RATE = 120.0


def play(
    peer: Peer, habit: str, seconds: float = SECONDS, **more: Any
) -> tuple[SimClient, dict[str, Any]]:
    account = Account("127.0.0.1", peer.port, "CLIENT1", "SI", peer.begin)
    client = sim_play.play(account, TERMS, habit, seconds=seconds, rate_per_s=RATE, seed=1, **more)
    return client, sim_play.figures(client, habit)


def run(*words: object) -> Result:
    return CliRunner().invoke(sim, [*map(str, words)], env={"COLUMNS": "200"})


# --- habits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", [name for name in HABITS if name not in STRANGERS])
def test_every_order_of_a_habit_is_accounted_for(habit: str) -> None:
    with Peer() as peer:
        client, found = play(peer, habit)
    assert found["orders"] > 0
    assert found["logons"] >= 1
    assert client.socket is None
    assert found["unanswered"] + found["answers"] + found["orders_given_up"] >= found["orders"]
    if habit not in ("late_resend", "disconnects"):
        assert found["unanswered"] == 0, found
    if found["answers"] and habit != "wrong_clock":
        assert found["round_trip_ns"]["p50"] <= found["round_trip_ns"]["max"]
    assert sum(found["sent_by_type"].values()) == found["messages_sent"]


@pytest.mark.parametrize("begin", ["FIX.4.2", "FIXT.1.1"])
def test_every_version_is_spoken(begin: str) -> None:
    with Peer(begin=begin) as peer:
        _, found = play(peer, "steady")
    assert found["fills"] == found["orders"] > 0
    assert found["filled_qty"] == 10 * found["fills"]


def test_gaps_skips_numbers_and_fills_them() -> None:
    with Peer() as peer:
        _, found = play(peer, "gaps")
    fills = [m for m in peer.received if m[35] == "4"]
    assert fills and all((m[43], m[123]) == ("Y", "Y") for m in fills)
    assert found["orders_given_up"] > 0


def test_disconnects_come_back_with_their_numbers() -> None:
    with Peer() as peer:
        _, found = play(peer, "disconnects")
    assert found["disconnects"] >= 1
    assert found["logons"] == found["disconnects"] + 1 == peer.connections
    assert [m.get(141) for m in peer.received if m[35] == "A"][:2] == ["Y", None]


def test_duplicates_are_marked() -> None:
    with Peer() as peer:
        _, found = play(peer, "duplicates")
    repeats = [m for m in peer.received if m[35] == "D" and m.get(43) == "Y"]
    assert len(repeats) == found["repeats_sent"] > 0
    assert all(122 in m for m in repeats)
    assert found["fills"] == found["orders"]


def test_a_resend_storm_asks_for_everything() -> None:
    with Peer() as peer:
        _, found = play(peer, "resend_storm")
    asked = [m for m in peer.received if m[35] == "2"]
    assert len(asked) == found["orders"]
    assert {(m[7], m[16]) for m in asked} == {("1", "0")}


def test_garbled_messages_use_up_no_number() -> None:
    with Peer() as peer:
        _, found = play(peer, "garbled")
    assert peer.garbled > 0
    assert found["fills"] == found["orders"]


def test_oversize_messages_have_exactly_the_size() -> None:
    with Peer() as peer:
        play(peer, "oversize")
    sizes = {9 + 1 + len(f"9={m[9]}|") + int(m[9]) + 7 for m in peer.received if m[35] == "D"}
    assert MESSAGE_SIZE_MAX in sizes
    assert sizes <= {MESSAGE_SIZE_MAX + more for more in (-1, 0, 1)}


def test_a_second_logon_is_refused_and_the_first_goes_on() -> None:
    with Peer() as peer:
        _, found = play(peer, "two_logons")
    assert found["refused"] == {"second Logon answered with 5": found["orders"]}
    assert (found["fills"], found["disconnects"]) == (found["orders"], 0)


def test_large_orders_are_replaced_and_cancelled() -> None:
    with Peer() as peer:
        _, found = play(peer, "cancel_replace")
    assert {"F", "G"} <= {m[35] for m in peer.received}
    assert found["cancelled"] > 0 == found["fills"]


@pytest.mark.parametrize("habit", sorted(STRANGERS))
def test_strangers_only_connect(habit: str) -> None:
    with Peer() as peer:
        _, found = play(peer, habit)
    assert found["orders"] == 0
    assert found["broken_sent"] == peer.connections > 0


def test_refusals_are_counted_by_reason() -> None:
    with Peer(changes=[Change("8", 150, "8"), Change("8", 103, "3")]) as peer:
        _, found = play(peer, "steady")
    assert found["refused"] == {"ExecutionReport(8) 103=3": found["orders"]}
    assert found["fills"] == 0


def test_numbers_that_are_given_are_used_and_corrected() -> None:
    with Peer() as peer:
        peer.next_in, peer.next_out = 40, 7
        _, found = play(peer, "steady", 3 * SECONDS, next_out=3, next_in=7)  # it logs on twice
    assert all(141 not in m for m in peer.received)
    assert found["fills"] == found["orders"] > 0
    assert [key for key in found["refused"] if "too low, expecting n" in key]


@pytest.mark.parametrize(
    ("habit", "terms", "words"),
    [
        ("lazy", TERMS, "none of steady, bursty"),
        ("steady", Terms(), "give --isin"),
        ("big_orders", Terms(ISIN), "give --lis-qty"),
    ],
)
def test_what_a_habit_needs(habit: str, terms: Terms, words: str) -> None:
    with pytest.raises(UserError, match=words):
        sim_play.play(Account("x", 1, "A", "B"), terms, habit, seconds=1, rate_per_s=1, seed=1)


# --- scripts ----------------------------------------------------------------------------------

SCRIPT = """
[[step]]
do = "logon"

[[step]]
do = "send"
type = "D"
fields = { ClOrdID = "$id1", Symbol = "$isin", 54 = 1, 38 = "$qty", 40 = 1, 59 = 3, 60 = "$now" }

[[step]]
do = "expect"
type = "8"
fields = { 11 = "$id1", 39 = "2", 30 = "*", 58 = "-" }

[[step]]
do = "send"
type = "R"
fields = ["131=Q", "146=1", "55=$isin"]

[[step]]
do = "expect"
type = "S"
seconds = 2
fields = { 131 = "Q" }

[[step]]
do = "wait"
seconds = 0.01

[[step]]
do = "disconnect"

[[step]]
do = "connect"

[[step]]
do = "send"
type = "A"
seq = 1
fields = { 98 = 0, 108 = 30 }

[[step]]
do = "expect"
type = "5"

[[step]]
do = "expect"

[[step]]
do = "logon"
reset = true

[[step]]
do = "logout"
"""


def script(folder: Path, text: str) -> Path:
    path = folder / "script.toml"
    path.write_text(text)
    return path


def test_a_script_is_played_to_its_end(tmp_path: Path) -> None:
    with Peer() as peer:
        done = run(
            "client", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--isin", ISIN,
            "--script", script(tmp_path, SCRIPT), "--json",
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["done"]
    assert [step["step"] for step in document["steps"]][-4:] == [
        "expect Logout(5)", "expect a closed connection", "logon", "logout",
    ]  # fmt: skip


def test_a_script_ends_at_the_step_that_fails(tmp_path: Path) -> None:
    with Peer(changes=[Change("8", 39, "1")]) as peer:
        done = run(
            "client", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--isin", ISIN,
            "--script", script(tmp_path, SCRIPT),
        )  # fmt: skip
    assert done.exit_code == 1
    assert "OrdStatus(39) is 1 (partially filled), expected 2" in done.output
    assert "10 more" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step", "is no TOML"),
        ("", "step: Field required"),
        ("step = []", "at least 1 item"),
        ("[[step]]\ndo = 'jump'", "does not match any of the expected tags"),
        ("[[step]]\ndo = 'send'", "type: Field required"),
        ("[[step]]\ndo = 'wait'\nseconds = 0", "greater than 0"),
        ("[[step]]\ndo = 'logout'\nsoon = 1", "Extra inputs are not permitted"),
        ("[[step]]\ndo = 'send'\ntype = 'D'\nfields = { Sice = 1 }", "step 1: tag 'Sice'"),
        ("[[step]]\ndo = 'send'\ntype = 'D'\nfields = ['54']", "'54' is no TAG=VALUE"),
        ("[[step]]\ndo = 'send'\ntype = 'D'\nfields = { 0 = 1 }", "tag '0'"),
    ],
)
def test_a_wrong_script_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        sim_scripts.load(script(tmp_path, text))


# --- the command line -------------------------------------------------------------------------


def test_habits_are_listed() -> None:
    assert json.loads(run("habits", "--json").stdout).keys() == HABITS.keys()
    shown = run("habits").output
    assert all(name in shown for name in HABITS)


def test_all_habits_in_turn() -> None:
    with Peer() as peer:
        done = run(
            "client", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--isin", ISIN,
            "--habit", "all", "--seconds", 2, "--rate", 100, "--json",
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    names = [document["habit"] for document in json.loads(done.stdout)]
    assert names == [name for name in HABITS if name not in ("cancel_replace", "big_orders")]


def test_figures_are_shown() -> None:
    with Peer() as peer:
        done = run(
            "client", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--isin", ISIN,
            "--habit", "two_logons", "--seconds", 0.5,
        )  # fmt: skip
    assert done.exit_code == 0
    assert all(word in done.output for word in ("orders", "p99.9", "second Logon", "disconnects"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["localhost", "--sender", "A", "--habit", "steady"], "no HOST:PORT"),
        (["a:99999", "--sender", "A", "--habit", "steady"], "no HOST:PORT"),
        (["a:1", "--sender", "A"], "give either --script FILE or --habit NAME"),
        (["a:1", "--sender", "A", "--begin-string", "FIX.9"], "none of FIX.4.2"),
        (["127.0.0.1:1", "--sender", "A", "--habit", "steady", "--isin", "X"], "refused"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str) -> None:
    done = run("client", *words)
    assert done.exit_code == 1
    assert said in done.output
