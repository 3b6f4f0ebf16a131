"""`si policy check` on policies that are bad on purpose, each in its way, and on a sound one."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway import policy_check_view, policy_template
from gateway.cli import app
from gateway.errors import UserError
from gateway.policy_check import check
from gateway.policy_market import ORDERS

pytestmark = pytest.mark.pure

COUNT, WAIT_S = 400, 1.0


def tried(folder: Path, body: str, **options: Any) -> dict[str, Any]:
    """The report on a policy of these lines."""
    path = folder / "mine.py"
    path.write_text(body)
    return check(str(path), count=COUNT, wait_s=WAIT_S, **options)


def found(report: dict[str, Any], kind: str = "problems") -> dict[str, Any]:
    return {finding["what"]: finding for finding in report.get(kind, [])}


MANY_FAULTS = """
from itertools import count
PARAMS = (("size", 1, 5, 3, "of what it asks for"),)
CALLS = count()
def improve(inputs):
    tier, quote, buys = inputs["tier"], inputs["quote_px_e6"], inputs["side"] == 1
    away = inputs["tick_e6"] if buys else -inputs["tick_e6"]
    if tier == 0:
        raise ValueError(f"tier {tier}")
    if tier == 1:
        return quote + away
    if tier == 2:
        return inputs["mid_x2_e6"] * 100 if not buys else 1
    if tier == 3:
        return -inputs["param"][0]
    if tier == 4:
        return float(quote)
    if tier == 5:
        inputs["qty"] = 0
    if tier == 6 and next(CALLS) % 2:
        return inputs["mid_x2_e6"] // 2
    return quote
"""


def test_many_faults_at_once(tmp_path: Path) -> None:
    report = tried(tmp_path, MANY_FAULTS, param=[9])
    assert not report["sound"] and report["param"] == [9]
    problems = found(report)
    tiers = {
        "raises": 0,
        "asks for a price worse than our quote": 1,
        "asks for a price beyond the other side of our quote": 2,
        "asks for what is no price": 3,
        "returns what is no integer": 4,
        "changes its inputs": 5,
        "answers the same inputs differently": 6,
    }
    assert {what: problems[what]["input"]["tier"] for what in tiers} == tiers
    assert problems["raises"]["why"] == "ValueError: tier 0"
    assert problems["asks for what is no price"]["answer"] == -9
    assert 30 < problems["changes its inputs"]["count"] < 80  # an eighth of 400
    assert problems["does not take its parameters"]["why"] == (
        "param: param[0] of policy mine, size, is 9, not within 1..5 (of what it asks for)"
    )
    assert set(problems) - set(tiers) == {
        "does not take its parameters",
        "does not load or compile",
    }
    assert report["clamps"]["WORSE_THAN_QUOTE"] > 0.05
    assert sum(report["clamps"].values()) == pytest.approx(1)
    assert sum(report["distribution"].values()) == pytest.approx(1)
    said = StringIO()
    policy_check_view.show(report, Console(file=said, width=100))
    for words in (*problems, "gate: WORSE_THAN_QUOTE", f"not sound: {len(problems)} problems"):
        assert words in said.getvalue()


def test_one_that_does_not_compile(tmp_path: Path) -> None:
    body = "PARAMS = ()\ndef improve(inputs):\n    names = [inputs['qty']]\n"
    report = tried(tmp_path, body + "    return inputs['quote_px_e6'] + 0 * names[0]\n")
    problem = found(report)["does not load or compile"]
    assert problem["why"].startswith("it allocates memory: no lists, dictionaries")
    assert problem["line"] == "line 3: names = [inputs['qty']]"
    assert "never improves" in found(report, "notes") and list(found(report)) == [problem["what"]]


def test_one_that_overflows_and_is_not_the_same_compiled(tmp_path: Path) -> None:
    body = "def improve(inputs):\n    big = inputs['notional_e6'] * inputs['notional_e6'] * 1000\n"
    report = tried(tmp_path, body + "    return inputs['quote_px_e6'] if big > 0 else 1\n")
    problem = found(report)["answers differently when compiled"]
    assert problem["count"] > 10 and not report["sound"]
    assert "does not describe its parameters" in found(report, "notes")


@pytest.mark.parametrize(
    ("body", "what", "why"),
    [
        ("def improve(inputs)\n    pass\n", "does not load or compile", "expected ':'"),
        ("x = 1\n", "does not load or compile", "has no function improve"),
        (
            "PARAMS = 5\ndef improve(inputs): pass\n",
            "does not load or compile",
            "PARAMS is at most",
        ),
        ("import os\nos._exit(3)\n", "crashes", "the process ended (3) while loading"),
    ],
)
def test_one_that_does_not_load(tmp_path: Path, body: str, what: str, why: str) -> None:
    report = tried(tmp_path, body)
    assert list(found(report)) == [what] and why in found(report)[what]["why"]
    assert not report["sound"]


def test_one_that_never_comes_back(tmp_path: Path) -> None:
    body = "def improve(inputs):\n    while inputs['tier'] == 7:\n        pass\n    return 1\n"
    report = tried(tmp_path, body)
    problem = found(report)["does not come back"]
    assert problem["input"]["tier"] == 7 and problem["why"] == "stopped while asking"


def test_one_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"policy 'tikcs' is none of none, ticks, .* and no file"):
        check("tikcs")


def test_the_template_is_sound(tmp_path: Path) -> None:
    run, path = CliRunner().invoke, str(tmp_path / "mine.py")
    done = run(app, ["policy", "new", "mine", "--folder", str(tmp_path)])
    assert done.exit_code == 0 and "next: si policy check" in done.stdout
    done = run(app, ["policy", "check", path, "--inputs", str(COUNT), "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 0 and report["sound"] and report["problems"] == []
    assert report["engine"] == {
        "orders": ORDERS, "fills": ORDERS, "violations": 0, "differing": 0,
        "first_difference": None,
    }  # fmt: skip
    assert report["param"] == [1] and report["ns_per_call"] > 0
    assert report["mean_ticks"] == report["improved_share"] > 0.3  # one tick each
    with pytest.raises(UserError, match="is there already: nothing was changed"):
        policy_template.write("mine", tmp_path)
    with pytest.raises(UserError, match="is no name for a policy"):
        policy_template.write("../mine", tmp_path)


def test_the_list_has_every_policy_with_its_parameters() -> None:
    done = CliRunner().invoke(app, ["policy", "list", "--json"])
    listed = {about["name"]: about for about in json.loads(done.stdout)}
    assert list(listed) == [
        "none", "ticks", "fraction", "midpoint", "inventory", "volatility", "toxicity",
    ]  # fmt: skip
    assert listed["ticks"]["params"][0] == {
        "name": "ticks", "low": 0, "high": 10_000, "usual": 1, "meaning": "how many at most",
    }  # fmt: skip
    said = CliRunner().invoke(app, ["policy", "list"]).stdout
    assert all(name in said for name in listed)
