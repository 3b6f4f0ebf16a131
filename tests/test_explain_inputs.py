"""`si explain --inputs`: the replay shows what the policy was given live, bit by bit."""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from engine import jit, schema
from engine import journal as jn
from engine.enums import DeskAction, Zone
from engine.policies import BUILTIN
from gateway import cli, explain_inputs, explain_inputs_view, explain_quotes, journal_files
from gateway.errors import UserError
from gateway.explain_inputs import Inputs
from gateway.explain_inputs_view import DEFAULT
from tests.explain_rig import ISIN, MS, SECOND, TO_DESK, Day, configure, folder_of, picked, pricings

PARAMS: dict[str, list[int]] = {
    "none": [], "ticks": [2], "fraction": [250], "midpoint": [], "inventory": [10_000, 10**9],
    "volatility": [4, 1, 10**9], "toxicity": [4, 0, 10**9, 1],
}  # fmt: skip
E6 = 10**6
Start = Callable[..., Day]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Begins days, in one folder; what is open in the end is closed."""
    days: list[Day] = []

    def begin(**sections: Any) -> Day:
        folder = tmp_path / "si"
        now_ns = days[-1].server.clock_ns + SECOND if days else None
        if now_ns is None:
            folder_of(folder, **sections)
        else:
            days.pop().server.end()
            configure(folder, **sections)
        days.append(Day(folder, monkeypatch, *([now_ns] if now_ns else [])))
        return days[-1]

    yield begin
    for day in days:
        day.server.end()


def three_orders(day: Day) -> list[str]:
    """Buys, sells and buys again in a market that goes up."""
    day.market(340, 350)
    day.order("a1", qty=10)
    day.wait(200 * MS)
    day.market(342, 352)
    day.order("a2", side=2, qty=5, client=2)
    day.wait(2 * SECOND)
    day.market(344, 354)
    day.order("a3", qty=20)
    return ["a1", "a2", "a3"]


@pytest.mark.parametrize("name", BUILTIN)
def test_what_the_policy_was_given_comes_back_and_prices_the_same(start: Start, name: str) -> None:
    day = start(quoting={"policy": name, "policy_param": PARAMS[name]})
    inputs, found = Inputs(day.folder, "", None), []
    for order in three_orders(day):
        found += pricings(inputs, order)
    assert [each.inputs.tobytes() for each in found] == day.taken
    assert all(each.problem == "" and each.again_px_e6 == each.policy_px_e6 for each in found)
    improved = [each.policy_px_e6 != int(each.inputs["quote_px_e6"]) for each in found]
    assert any(improved) == (name != "none")
    given = picked(
        found[2], "side", "qty", "zone", "quote_px_e6", "bid_px_e6", "ask_px_e6", "mid_x2_e6",
        "notional_e6", "position_qty", "recv_ns", "param", "tier", "mrm_bid_px_e6", "vol_e9",
        "markout_fills",
    )  # fmt: skip
    assert (given.side, given.qty, given.zone) == (1, 20, Zone.WITHIN_MIN_QUOTE)
    assert given.quote_px_e6 == given.ask_px_e6 == 354 * E6 and given.bid_px_e6 == 344 * E6
    assert given.mid_x2_e6 == 698 * E6 and given.notional_e6 == 20 * 349 * E6
    assert given.position_qty == -10 + 5 and given.recv_ns == day.server.clock_ns
    assert given.param == (PARAMS[name] + [0] * 8)[:8] and given.tier == 3
    assert given.mrm_bid_px_e6 == 344 * E6 and given.vol_e9 > 0
    assert given.markout_fills == [1, 1, 0, 0]
    sold = picked(found[1], "tier", "markout_fills", "position_qty")
    assert (sold.tier, sold.markout_fills, sold.position_qty) == (0, [0] * 4, -10)


def test_a_client_after_whose_fills_the_price_goes_its_way(start: Start) -> None:
    day = start(quoting={"policy": "toxicity", "policy_param": [4, 1, 10**9, 1]})
    day.market(340, 350)
    for number in range(3):
        day.order(f"b{number}")
    day.wait(200 * MS)
    day.market(360, 370)
    day.order("early")
    day.wait(SECOND)
    day.order("later")
    inputs = Inputs(day.folder, "", None)
    [early], [later] = pricings(inputs, "early"), pricings(inputs, "later")
    assert [each.inputs.tobytes() for each in (early, later)] == day.taken[-2:]
    assert [early.problem, later.problem] == ["", ""]
    # bought under 350, the mid stood at 345 after 100 ms and at 365 after a second
    assert early.inputs["markout_fills"].tolist() == [3, 0, 0, 0]
    assert later.inputs["markout_fills"].tolist() == [4, 4, 0, 0]
    assert abs(early.inputs["markout_e9"][0] / 10**9 - (345 / 349.8 - 1)) < 10**-6
    expected = (3 * (365 / 349.8 - 1) + (365 / 369.8 - 1)) / 4  # four ticks of 0.05 better
    assert abs(later.inputs["markout_e9"][1] / 10**9 - expected) < 10**-6
    assert (early.policy_px_e6, later.policy_px_e6) == (369_800_000, 369_850_000)


def test_rules_of_the_file_and_changed_in_mid_day(start: Start) -> None:
    rules = [{"tier": 3, "group": "share", "param": [4]}]
    day = start(quoting={"policy_param": [1]}, policy={"approvals": 2, "rule": rules})
    day.market(340, 350)
    day.order("file")
    day.order("default", client=2)
    for param in ([6], None):
        asked = {"tier": 3, "group": "share", "param": param, "by": "anna"}
        waits = day.rule(policy="set", **asked)["pending"]
        day.order(f"before {param}")
        day.rule(policy="approve", id=waits["id"], by="bob")
        day.order(f"after {param}")
    inputs = Inputs(day.folder, "", None)
    told = {}
    for order in ("file", "default", "before [6]", "after [6]", "before None", "after None"):
        [pricing] = pricings(inputs, order)
        rule = pricing.rule
        told[order] = (int(pricing.inputs["param"][0]), rule.tier, rule.by, rule.approved_by)
        assert rule.group == "share" and not pricing.problem
    assert told == {
        "file": (4, 3, "si.toml", ""), "default": (1, 0, "", ""),
        "before [6]": (4, 3, "si.toml", ""), "after [6]": (6, 3, "anna", "bob"),
        "before None": (6, 3, "anna", "bob"), "after None": (1, 3, "", ""),
    }  # fmt: skip


def test_what_needs_no_replay(start: Start) -> None:
    day = start()
    day.market(340, 350)
    day.order("large", qty=TO_DESK)
    day.desk(DeskAction.FILL, 1, 346 * E6)
    day.request("r1", side=1)
    day.take_quote("taken", "RQ1")
    inputs = Inputs(day.folder, "", None)
    assert pricings(inputs, "large") == [] == pricings(inputs, "taken")
    assert "replayer" not in vars(inputs)
    found = [
        [each.row for each in explain_quotes.find_frames(day.folder / "journal", name)]
        for name in ("large", "taken")
    ]
    why = [[explain_inputs_view._without_policy(row) for row in rows] for rows in found]
    quoted = "the price is the one quoted on request: ask for the quote's inputs"
    assert why[0] == ["nothing was priced", "a trader gave the price"] and set(why[1]) == {quoted}


def test_quotes_on_request_of_one_side_and_of_both(start: Start) -> None:
    day = start(quoting={"policy": "fraction", "policy_param": [250]})
    day.market(340, 350)
    for name, side in (("buy", 1), ("sell", 2), ("short", 5), ("both", None)):
        day.request(name, side)
    inputs = Inputs(day.folder, "", None)
    found = {name: pricings(inputs, name) for name in ("buy", "sell", "short", "both")}
    of = {name: [each.of for each in made] for name, made in found.items()}
    assert of == {"buy": ["offer"], "sell": ["bid"], "short": ["bid"], "both": ["bid", "offer"]}
    sides = [int(each.inputs["side"]) for made in found.values() for each in made]
    assert sides == [1, 2, 5, 2, 1]
    all_of_them = [each for made in found.values() for each in made]
    assert {each.problem for each in all_of_them} == {""}
    shown = [each.inputs.tobytes() for each in all_of_them]
    if jit.JIT:  # of both sides only the offer's can be listened to
        shown.pop(3)
    assert shown == day.taken
    bid, offer = found["both"]
    assert bid.policy_px_e6 > 340 * E6 and offer.policy_px_e6 < 350 * E6


def test_a_journal_that_grows_segment_by_segment(start: Start) -> None:
    day = start()
    day.market(340, 350)
    day.order("c0")
    first = Inputs(day.folder, "", None)
    shown = [each.inputs.tobytes() for each in pricings(first, "c0")]
    for number in range(1, 4):
        day.server.files.rotate(wait=False)
        day.order(f"c{number}")
        day.order(f"d{number}", side=2)
    for name in ("c1", "d1", "d3"):  # while the engine goes on
        [pricing] = pricings(first, name)
        shown.append(pricing.inputs.tobytes())
        day.order(f"after {name}")
    assert shown == [day.taken[place] for place in (0, 1, 2, 6)]
    [pricing] = pricings(Inputs(day.folder, "", None), "c3")
    assert pricing.inputs.tobytes() == day.taken[5] and not pricing.problem


def test_a_journal_that_ends_with_the_record(start: Start) -> None:
    """The process died before it wrote whatever else the order caused."""
    day = start()
    three_orders(day)
    copy = shutil.copytree(day.folder, day.folder.parent / "copy")
    [found] = explain_quotes.find_frames(copy / "journal", "a3")
    path = journal_files.segment_path(copy / "journal", 0)
    os.truncate(path, found.position + int(np.fromfile(path, np.int64)[found.position >> 3]))
    [pricing] = pricings(Inputs(copy, "", None), "a3")
    assert pricing.inputs.tobytes() == day.taken[2] and not pricing.problem


def test_a_day_of_two_processes_with_two_policies(start: Start) -> None:
    day = start()
    day.market(340, 350)
    day.order("first")
    again = start(quoting={"policy": "midpoint", "policy_param": []})
    again.market(340, 350)
    again.order("second")
    inputs = Inputs(day.folder, "", None)
    [first], [second] = pricings(inputs, "first"), pricings(inputs, "second")
    assert [first.inputs.tobytes(), second.inputs.tobytes()] == day.taken + again.taken
    assert first.problem == second.problem == "" and first.policy_hash != second.policy_hash
    assert second.policy_px_e6 == 345 * E6


# --- a policy that is another one, or none ----------------------------------------------------


@pytest.fixture
def changed(start: Start) -> tuple[Day, Path]:
    """Two orders; the journal's copies of the policy are gone but for one somewhere else."""
    day = start()
    day.market(340, 350)
    day.order("first")
    day.order("second")
    copies = day.folder / "journal" / "policies"
    kept = day.folder / "kept.py"
    shutil.copy(copies / f"{day.server.policy.source_hash:016x}.py", kept)
    shutil.rmtree(copies)
    return day, kept


def test_without_copies_the_policy_of_the_file_serves(changed: tuple[Day, Path]) -> None:
    day, _ = changed
    [pricing] = pricings(Inputs(day.folder, "", None), "second")
    assert not pricing.problem and pricing.inputs.tobytes() == day.taken[1]


@pytest.mark.parametrize("edited", [False, True])
def test_another_policy_shows_inputs_until_it_prices_otherwise(
    changed: tuple[Day, Path], edited: bool
) -> None:
    day, kept = changed
    configure(day.folder, quoting={"policy": "midpoint", "policy_param": []})
    code = f"{day.server.policy.source_hash:016x}"
    if edited:  # a copy that is no longer what its name says is none
        (day.folder / "journal" / "policies").mkdir()
        (day.folder / "journal" / "policies" / f"{code}.py").write_text(kept.read_text() + "#\n")
    inputs = Inputs(day.folder, "", None)
    [pricing] = pricings(inputs, "first")
    assert pricing.inputs.tobytes() == day.taken[0] and pricing.again_px_e6 is None
    assert pricing.params is None
    assert pricing.problem.startswith("policy midpoint is ")
    assert pricing.problem.endswith(
        f", the price was asked of {code}: pass --policy FILE with the source of that day "
        "(without it: the journal's own copy)"
    )
    with pytest.raises(UserError) as stopped:
        pricings(inputs, "second")
    said = str(stopped.value)
    assert said.startswith("the replay does not come to this price, so its inputs are not known")
    assert f"policy {code} is not in" in said and "pass --policy FILE" in said
    assert "policy_px_e6: recorded" in said
    [pricing] = pricings(Inputs(day.folder, str(kept), None), "second")
    assert pricing.inputs.tobytes() == day.taken[1] and not pricing.problem


def test_the_policy_that_is_passed_is_the_one_that_is_asked(start: Start) -> None:
    day = start()
    three_orders(day)
    inputs = Inputs(day.folder, "midpoint", None)
    found = [pricing for name in ("a1", "a2", "a3") for pricing in pricings(inputs, name)]
    assert [each.inputs.tobytes() for each in found] == day.taken
    assert all(each.problem.startswith("policy midpoint is ") for each in found)
    assert found[0].params is not None and found[0].params[0].name == "ticks"
    with pytest.raises(UserError, match="policy 'nothing' is none of"):
        pricings(Inputs(day.folder, "nothing", None), "a1")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # compiled
def test_a_policy_that_raises_has_asked_for_nothing(start: Start, tmp_path: Path) -> None:
    (tmp_path / "si").mkdir()
    (tmp_path / "si" / "mine.py").write_text(
        "def improve(inputs):\n    if inputs['qty'] == 7:\n        raise ValueError\n"
        "    return inputs['quote_px_e6']\n"
    )
    day = start(quoting={"policy": "mine.py", "policy_param": [5]})
    day.market(340, 350)
    day.order("raises", qty=7)
    [pricing] = pricings(Inputs(day.folder, "", None), "raises")
    assert (pricing.policy_px_e6, pricing.again_px_e6, pricing.problem) == (0, 0, "")
    shown = run(day.folder, "raises", "--inputs").stdout
    assert "param[0] " in shown and "asked again: the same price, 0" in shown


def test_what_a_policy_writes_into_its_inputs_is_not_shown(start: Start, tmp_path: Path) -> None:
    (tmp_path / "si").mkdir()
    (tmp_path / "si" / "mine.py").write_text(
        "def improve(inputs):\n    inputs['position_qty'] = 77\n    inputs['param'][0] = 9\n"
        "    return inputs['quote_px_e6']\n"
    )
    day = start(quoting={"policy": "mine.py", "policy_param": [5]})
    day.market(340, 350)
    day.order("writes", qty=7)
    [pricing] = pricings(Inputs(day.folder, "", None), "writes")
    assert not pricing.problem and pricing.inputs["position_qty"] == 0
    assert pricing.inputs["param"][0] == 5


def forge(day: Day, clordid: str, field: str, value: int) -> None:
    """Another number in a record, with the checksum that belongs to it."""
    [found] = explain_quotes.find_frames(day.folder / "journal", clordid)
    words = np.memmap(journal_files.segment_path(day.folder / "journal", 0), np.int64, "r+")
    at = found.position >> 3
    offset = (jn.HEADER_SIZE + schema.execution.fields[field][1]) >> 3
    words[at + offset] = value
    size = int(words[at])
    words[at + jn.CHECKSUM] = jn.checksum(np.asarray(words).view(np.uint8), found.position, size)
    words.flush()


def test_a_record_that_was_changed_is_named(start: Start) -> None:
    day = start(quoting={"policy_param": [1]})
    three_orders(day)
    forge(day, "a1", "policy_px_e6", 348 * E6)
    forge(day, "a2", "improvement_e6", 7)
    inputs = Inputs(day.folder, "", None)
    [pricing] = pricings(inputs, "a1")
    assert pricing.inputs.tobytes() == day.taken[0]
    asked = pricing.again_px_e6
    assert asked is not None and 348 * E6 < asked < 350 * E6
    assert pricing.problem.endswith(", journalled is 348")
    with pytest.raises(UserError, match="policy_px_e6: recorded 348000000, replayed"):
        pricings(inputs, "a2")
    forge(day, "a1", "policy_px_e6", asked)
    [pricing] = pricings(Inputs(day.folder, "", None), "a2")
    assert pricing.problem == "the replay has another improvement_e6 in this decision"
    shown = run(day.folder, "a2", "--inputs")
    assert shown.exit_code == 1 and "asked again: NOT THE SAME, the replay has" in shown.stdout


# --- the command ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "compile_all", lambda: None)


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.app, ["explain", str(folder), *words], env={"COLUMNS": "80"})


def test_the_command_says_it_in_words(start: Start) -> None:
    rules = [{"tier": 3, "param": [4, 0, 10**9, 1]}]
    day = start(quoting={"policy": "toxicity", "policy_param": [0] * 4}, policy={"rule": rules})
    three_orders(day)
    done = run(day.folder, "a3", "--inputs")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    shown = lines[next(i for i, line in enumerate(lines) if "inputs of policy" in line) :]
    assert max(map(len, shown)) <= 80
    text = "\n".join(shown)
    for name in schema.policy_input.names:
        assert name in text or name == "markout_fills", name
    for words in (
        "the client buys", "6,980.00 EUR", "WITHIN_MIN_QUOTE", "midpoint 349", "25,000,000.00 EUR",
        "param[1] horizon", "0: which of the four mark-outs counts", "bp over 1 fill, 0.1 s after",
        "no fill yet, 10 s after", "bp per square root of a second", "2026-06-08 09:00:02",
        "param: rule for pool main, tier 3, group share, set by si.toml",
    ):  # fmt: skip
        assert words in text, words
    assert lines[-1].startswith("  asked again: the same price, 3")
    assert "inputs" not in run(day.folder, "a3").stdout


def test_the_command_in_json(start: Start) -> None:
    day = start()
    three_orders(day)
    day.order("large", qty=TO_DESK)
    [document] = json.loads(run(day.folder, "a2", "--inputs", "--json").stdout)
    [pricing] = document["pricings"]
    assert document["clordid"] == "a2" and pricing["of"] == "order"
    row = np.frombuffer(day.taken[1], schema.policy_input)[0]
    assert pricing["inputs"] == {name: row[name].tolist() for name in row.dtype.names}
    assert pricing["rule"] == {
        "pool": "main", "tier": 0, "group": "share", "by": DEFAULT, "approved_by": "",
    }  # fmt: skip
    assert pricing["same"] is True and pricing["problem"] == ""
    assert pricing["again_px_e6"] == pricing["policy_px_e6"] == document["policy_px_e6"]
    [document] = json.loads(run(day.folder, "large", "--inputs", "--json").stdout)
    assert document["pricings"] == [] and document["no_policy"] == "nothing was priced"
    [document] = json.loads(run(day.folder, "a2", "--json").stdout)
    assert "pricings" not in document and "no_policy" not in document
    done = run(day.folder, "a2", "--inputs", "--json", "--policy", "midpoint")
    [document] = json.loads(done.stdout)
    assert done.exit_code == 1 and document["pricings"][0]["same"] is None
    assert document["isin"] == ISIN
    assert run(day.folder, "nobody", "--inputs").exit_code == 1
    assert run(day.folder, "a2", "--policy", "midpoint").exit_code == 2


def test_a_bar_comes_only_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True)
    with explain_inputs._late_bar(console) as show:
        show(1, 2)
    assert shown.getvalue() == ""
    monkeypatch.setattr(explain_inputs, "BAR_AFTER_S", 0)
    with explain_inputs._late_bar(console) as show:
        deadline = time.monotonic() + 60
        while "replaying segments" not in shown.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        show(1, 2)
    assert "replaying segments" in shown.getvalue()
