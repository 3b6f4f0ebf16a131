"""The policies that ship: what they ask for is what a client may get, and each keeps its word."""

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import policy
from engine.enums import Clamp
from engine.policies import BUILTIN
from gateway.policy_file import PolicyError, check_params, from_file, keep, kept_by_hash
from gateway.policy_inputs import generate
from gateway.policy_trial import through_gate

pytestmark = pytest.mark.pure

COUNT = 800
PARAMS: dict[str, list[list[int]]] = {
    "none": [[]],
    "ticks": [[0], [1], [7], [10_000]],
    "fraction": [[0], [1], [333], [500]],
    "midpoint": [[]],
    "inventory": [[0, 10**12], [2, 0], [3, 10**12], [10_000, 10**11]],
    "volatility": [[2, 50_000, 500_000], [10_000, 0, 10**9], [5, 500_000, 50_000]],
    "toxicity": [[2, 2, 100_000, 20], [10_000, 0, 10**9, 0], [3, 3, 0, 0]],
}


def module(name: str) -> Any:
    return import_module(f"engine.policies.{name}")


def rows(param: list[int], seed: int = 5) -> tuple[Any, Any]:
    inputs, bands = generate(seed, COUNT)
    inputs["param"][:, : len(param)] = param
    return inputs, bands


def gains_e6(name: str, inputs: Any) -> Any:
    """What each client is better off by than at our quote, as asked for."""
    improve = module(name).improve
    asked = np.array([int(improve(row)) for row in inputs])
    return np.where(inputs["side"] == 1, -1, 1) * (asked - inputs["quote_px_e6"])


def changed(inputs: Any, field: str, value: Any, place: int | None = None) -> Any:
    made = inputs.copy()
    if place is None:
        made[field] = value
    else:
        made[field][:, place] = value
    return made


def test_every_policy_is_tried() -> None:
    assert list(PARAMS) == list(BUILTIN)


@pytest.mark.parametrize("name", BUILTIN)
def test_the_gate_has_nothing_to_stop(name: str) -> None:
    """Only where the tick changes within our quote is anything rounded."""
    improve = module(name).improve
    for param in PARAMS[name]:
        inputs, bands = rows(param)
        asked = np.array([int(improve(row)) for row in inputs])
        allowed, clamps = through_gate(inputs, bands, asked)
        assert set(clamps.tolist()) <= {Clamp.NONE, Clamp.OFF_TICK}
        assert np.mean(clamps == Clamp.OFF_TICK) < 0.02
        gains = gains_e6(name, inputs)
        spread = inputs["ask_px_e6"] - inputs["bid_px_e6"]
        assert (gains >= 0).all() and (2 * gains <= spread).all()
        assert (abs(allowed - inputs["quote_px_e6"]) <= gains).all()


@pytest.mark.parametrize("name", ["ticks", "fraction", "inventory", "volatility", "toxicity"])
def test_more_of_the_first_parameter_never_gives_less(name: str) -> None:
    usual = [param.usual for param in policy.describe(name, module(name)).params or ()]
    inputs, _ = rows(usual)
    found = [gains_e6(name, changed(inputs, "param", value, 0)) for value in (0, 1, 2, 5, 50, 500)]
    assert not found[0].any() and found[-1].any()
    assert all((less <= more).all() for less, more in pairwise(found))


def test_fraction_is_a_share_of_the_spread() -> None:
    for share_permille in (100, 250, 500):
        inputs, _ = rows([share_permille])
        gains, spread = gains_e6("fraction", inputs), inputs["ask_px_e6"] - inputs["bid_px_e6"]
        short = spread * share_permille - 1_000 * gains
        assert ((short >= 0) & (short < 1_000 * inputs["tick_e6"])).all()


def test_inventory_rewards_only_what_makes_the_position_smaller() -> None:
    inputs, _ = rows([10_000, 10**12])
    inputs["position_max_e6"] = 0
    value = inputs["mid_x2_e6"] // 2
    found = []
    for share in (0, 10, 100, 1_000, 3_000):  # thousandths of a full position
        towards = np.where(inputs["side"] == 1, 1, -1) * -(-share * 10**9 // value)
        found.append(gains_e6("inventory", changed(inputs, "position_qty", towards)))
        away = gains_e6("inventory", changed(inputs, "position_qty", -towards))
        assert not away.any()
    assert not found[0].any() and all((less <= more).all() for less, more in pairwise(found))
    assert (found[-1] == gains_e6("ticks", inputs)).all()  # beyond full it is full


def test_volatility_takes_away_from_calm_to_wild() -> None:
    inputs, _ = rows([8, 50_000, 500_000])
    vols = (0, 50_000, 50_001, 150_000, 400_000, 499_999, 500_000, 10**9)
    found = [gains_e6("volatility", changed(inputs, "vol_e9", vol)) for vol in vols]
    assert (found[0] == found[1]).all() and (found[0] == gains_e6("ticks", inputs)).all()
    assert all((calmer >= wilder).all() for calmer, wilder in pairwise(found))
    assert not found[-1].any() and not found[-2].any() and found[3].any()


def test_toxicity_takes_away_up_to_the_bound() -> None:
    inputs, _ = rows([8, 1, 100_000, 20])
    inputs["markout_fills"] = 20
    markouts = (-(10**9), 0, 1, 25_000, 50_000, 99_999, 100_000, 10**9)
    found = [gains_e6("toxicity", changed(inputs, "markout_e9", m, 1)) for m in markouts]
    assert (found[0] == found[1]).all() and (found[0] == gains_e6("ticks", inputs)).all()
    assert all((tame >= toxic).all() for tame, toxic in pairwise(found))
    assert not found[-1].any() and not found[-2].any() and found[3].any()
    few = changed(changed(inputs, "markout_e9", 10**9, 1), "markout_fills", 19, 1)
    assert (gains_e6("toxicity", few) == found[0]).all()
    other = changed(changed(inputs, "markout_e9", 0), "markout_e9", 10**9, 2)
    assert (gains_e6("toxicity", other) == found[0]).all()


@pytest.mark.parametrize("name", BUILTIN)
def test_parameters_have_limits(name: str) -> None:
    loaded = policy.describe(name, module(name))
    usual = [param.usual for param in loaded.params or ()]
    check_params(loaded, usual, "here")
    for place, param in enumerate(loaded.params or ()):
        for value in (param.low - 1, param.high + 1):
            given = [*usual[:place], value, *usual[place + 1 :]]
            with pytest.raises(PolicyError) as refused:
                check_params(loaded, given, "here")
            assert str(refused.value).startswith(f"here: param[{place}] of policy {name}, ")
            assert f"is {value}, not within {param.low}..{param.high}" in str(refused.value)
    with pytest.raises(PolicyError, match="has more parameters than policy"):
        check_params(loaded, [*usual, 1], "here")
    check_params(loaded, [*usual, 1], "here", exact=False)


@pytest.mark.parametrize(
    "given",
    [[("ticks", 0, 1)], [("ticks", 0, 1, 2, "usual too high")], 7, [("t", 0, 1, 0, "")] * 9],
)
def test_a_description_that_is_none(given: Any) -> None:
    class Module:
        PARAMS = given

    with pytest.raises(ValueError, match="PARAMS is at most 8 tuples of"):
        policy.describe("mine", Module)  # type: ignore[arg-type]


def test_what_is_no_python_file_is_no_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.txt"
    path.write_text("x")
    with pytest.raises(PolicyError, match="a policy is a Python file"):
        from_file(path)


def test_a_kept_source_is_the_one_of_its_hash(tmp_path: Path) -> None:
    """A replay with another policy under the old name would be another day."""
    source = tmp_path / "mine.py"
    source.write_text("def improve(inputs):\n    return inputs['quote_px_e6']\n")
    mine = from_file(source)
    keep(tmp_path, mine, source)
    assert kept_by_hash(tmp_path, mine.source_hash).source_hash == mine.source_hash
    kept = tmp_path / "policies" / f"{mine.source_hash:016x}.py"
    kept.write_text(source.read_text().replace("quote_px", "bid_px"))
    with pytest.raises(PolicyError, match=r"this is the source of policy [0-9a-f]{16}, not the"):
        kept_by_hash(tmp_path, mine.source_hash)
    kept.unlink()
    with pytest.raises(PolicyError, match="is not in"):
        kept_by_hash(tmp_path, mine.source_hash)
