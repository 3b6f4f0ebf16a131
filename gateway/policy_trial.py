"""A policy on trial, in a process of its own: it may raise, crash or never come back.

`python -m gateway.policy_trial FOLDER POLICY` reads `inputs.npy` and `bands.npy` of the folder and
leaves what it found in `trial.json` and in the arrays named below. Interpreted (NUMBA_DISABLE_JIT)
it sees exceptions and runs the policy behind the gate and in the real engine; compiled it
compiles, compares and measures. `progress` says which input is being tried.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine import jit, schema
from engine.gate import gate
from engine.jit import call_policy, njit
from engine.limits import Capacity
from engine.policy import Policy
from engine.regimes import tick_rows
from engine.tables import allocate
from gateway import policy_file, policy_market
from gateway.policy_file import PolicyError

LOADING, ASKING, GATE, ENGINE, DONE = range(5)
STAGES = ("loading", "asking", "gate", "engine", "done")
STAGE, INDEX = 0, 1  # words of `progress`
SOUND, RAISED, NO_INTEGER, CHANGED_INPUTS = range(4)
TIMED = 1_000  # inputs that a measured pass has: they stay in the cache
PASSES = 50
WHY_MAX = 300  # letters of the compiler's reason


def main(folder: Path, name: str) -> None:
    """Try the policy and write down what was found."""
    progress = np.memmap(folder / "progress", np.int64, "r+")
    found: dict[str, Any] = {"compiled": jit.JIT}
    try:
        started = time.perf_counter()
        policy, _ = policy_file.load(name, Path())
        found["load_s"] = time.perf_counter() - started
        found["source_hash"] = f"{policy.source_hash:016x}"
        found |= (_compiled if jit.JIT else _interpreted)(policy, folder, np.asarray(progress))
        progress[STAGE] = DONE
    except PolicyError as error:
        found["refused"] = _shortened(error.__cause__ or error, name)
    (folder / "trial.json").write_text(json.dumps(found))


def _interpreted(policy: Policy, folder: Path, progress: Any) -> dict[str, Any]:
    inputs, bands = np.load(folder / "inputs.npy"), np.load(folder / "bands.npy")
    described = _parameters(policy, folder, inputs)
    count = len(inputs)
    asked, status = np.zeros(count, np.int64), np.zeros(count, np.int64)
    raised: dict[str, Any] = {}
    progress[STAGE] = ASKING
    for index in range(count):
        progress[INDEX] = index
        asked[index], status[index], why = _ask(policy, inputs[index].copy())
        if why and "why" not in raised:
            raised = {"why": why}
    order = np.random.default_rng(0).permutation(count)
    again = np.zeros(count, np.int64)
    for index in order.tolist():
        progress[INDEX] = index
        again[index], _, _ = _ask(policy, inputs[index].copy())
    progress[STAGE] = GATE
    allowed, clamps = through_gate(inputs, bands, asked)
    for name, array in (("asked", asked), ("status", status), ("again", again),
                        ("allowed", allowed), ("clamps", clamps)):  # fmt: skip
        np.save(folder / f"{name}.npy", array)
    progress[STAGE] = ENGINE
    engine = policy_market.both_ways(policy, inputs[0]["param"].tolist())
    return raised | described | {"engine": engine}


def _parameters(policy: Policy, folder: Path, inputs: Any) -> dict[str, Any]:
    """Those asked for, or the usual ones, put into the inputs; what is wrong with them."""
    param = json.loads((folder / "param.json").read_text())
    if param is None:
        param = [about.usual for about in policy.params or ()]
    inputs["param"][:, : len(param)] = param
    np.save(folder / "inputs.npy", inputs)
    problem = ""
    try:
        policy_file.check_params(policy, param, "param")
    except PolicyError as error:
        problem = str(error)
    return {
        "param": param, "out_of_range": problem, "describes_params": policy.params is not None,
    }  # fmt: skip


def _ask(policy: Policy, row: Any) -> tuple[int, int, str]:
    """What the policy answers to one input, how that went, and why if it raised."""
    before = row.copy()
    try:
        answer = policy.improve(row)
    except Exception as error:  # whatever a user's policy does
        return 0, RAISED, f"{type(error).__name__}: {error}"
    if row != before:
        return 0, CHANGED_INPUTS, ""
    if not isinstance(answer, int | np.integer) or not -(2**63) <= int(answer) < 2**63:
        return 0, NO_INTEGER, f"{type(answer).__name__} {answer!r}"
    return int(answer), SOUND, ""


def through_gate(inputs: Any, bands: Any, asked: Any) -> tuple[Any, Any]:
    """What the gate lets through of each answer, and its Clamp."""
    tables = allocate(Capacity(1, 1, 1, 1, 1, 1))
    tables.ticks[:] = tick_rows()
    allowed, clamps = np.zeros_like(asked), np.zeros_like(asked)
    for index, row in enumerate(inputs):
        allowed[index], clamps[index] = gate(
            tables, int(bands[index]), int(row["side"]), row, int(asked[index])
        )
    return allowed, clamps


@njit
def ask_all(policy, inputs, asked, progress):
    """Every input's answer; `progress[INDEX]` is the one being asked."""
    for index in range(inputs.shape[0]):
        progress[INDEX] = index
        asked[index] = call_policy(policy, inputs[index])


def _compiled(policy: Policy, folder: Path, progress: Any) -> dict[str, Any]:
    inputs = np.load(folder / "inputs.npy")
    asked, again = np.zeros(len(inputs), np.int64), np.zeros(len(inputs), np.int64)
    everything = (policy.address, inputs.copy(), asked, progress)
    ask_all(policy.address, inputs[:0].copy(), asked, progress)
    progress[STAGE] = ASKING
    ask_all(*everything)
    ask_all(policy.address, inputs.copy(), again, progress)
    np.save(folder / "compiled.npy", asked)
    np.save(folder / "compiled_again.npy", again)
    few = inputs[:TIMED].copy()
    best_s = min(_timed(policy.address, few, again, progress) for _ in range(PASSES))
    return {"ns_per_call": best_s * 1e9 / len(few)}


def _timed(address: int, inputs: Any, asked: Any, progress: Any) -> float:
    started = time.perf_counter()
    ask_all(address, inputs, asked, progress)
    return time.perf_counter() - started


def _shortened(error: BaseException, name: str) -> dict[str, Any]:
    """The compiler's message as a line, its text and the reason; the whole is pages long."""
    text, source = str(error), Path(name)
    numbers = re.findall(re.escape(source.name) + r"(?:\", line | \()(\d+)", text)
    number = getattr(error, "lineno", None) or (int(numbers[-1]) if numbers else None)
    shown = ""
    if number is not None and source.is_file():
        lines = source.read_text(errors="replace").splitlines()
        shown = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return {"error": type(error).__name__, "why": _reason(text), "line": number, "text": shown}


def _reason(text: str) -> str:
    if "NRT required" in text:  # numba's runtime, which owns whatever is allocated
        return "it allocates memory: no lists, dictionaries, sets, texts or new arrays"
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and "pipeline" not in line and line[0] not in "->"]
    calls = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    why = f"cannot compile {calls[0]}" if calls else (said or [text])[0]
    return re.sub(r"Record\(.*?;\d+;(?:True|False)\)", "inputs", why)[:WHY_MAX]


def inputs_as_dict(row: Any) -> dict[str, Any]:
    """One input with plain numbers, for a report."""
    return {name: row[name].tolist() for name in schema.policy_input.names or ()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
