"""`si policy check`: is a policy fit to be used, and what does it do?

It is tried twice in processes of their own (policy_trial.py), so that one which never comes back is
stopped, and the input that did it named. Sound is a policy that compiles, takes its parameters,
always answers, with a price that a client may get, out of nothing but its inputs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.enums import Clamp
from engine.policies import BUILTIN
from gateway import policy_trial
from gateway.errors import UserError
from gateway.policy_inputs import generate, ticks_at
from gateway.policy_trial import ASKING, INDEX, STAGE, STAGES, inputs_as_dict

INPUTS = 10_000
ASK_WAIT_S = 10.0  # for one answer
STAGE_WAIT_S = 120.0  # for anything else: compiling on a slow machine
POLL_S = 0.02
ROOT = Path(__file__).resolve().parent.parent
#: Of an improvement in ticks: upper bound (exclusive) and name.
TICK_CLASSES = (
    (1, "under 1"), (2, "1"), (3, "2"), (6, "3 to 5"), (11, "6 to 10"), (float("inf"), "over 10"),
)  # fmt: skip
BAD_CLAMPS = {
    Clamp.WORSE_THAN_QUOTE: "asks for a price worse than our quote",
    Clamp.OUTSIDE_QUOTE: "asks for a price beyond the other side of our quote",
    Clamp.NOT_A_PRICE: "asks for what is no price",
}


class Trial(NamedTuple):
    """How a trial ended; `stage` and `place` say where."""

    outcome: str  # done, hung or crashed
    stage: int
    place: int
    found: dict[str, Any]


def check(
    name: str,
    param: list[int] | None = None,
    seed: int = 1,
    count: int = INPUTS,
    wait_s: float = ASK_WAIT_S,
    progress: Callable[[str, int, int], None] = lambda name, done, count: None,
) -> dict[str, Any]:
    """Try a policy that ships, or a file; `sound` and everything found. Raises UserError."""
    if name not in BUILTIN and not Path(name).is_file():
        raise UserError(f"policy {name!r} is none of {', '.join(BUILTIN)} and no file")
    source = name if name in BUILTIN else str(Path(name).resolve())
    report: dict[str, Any] = {"policy": name, "seed": seed, "inputs": count, "problems": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        inputs, bands = generate(seed, count)
        np.save(folder / "inputs.npy", inputs)
        np.save(folder / "bands.npy", bands)
        (folder / "param.json").write_text(json.dumps(param))
        progress("interpreted", 0, 2)
        interpreted = _try(folder, source, "1", wait_s)
        inputs = np.load(folder / "inputs.npy")  # with the parameters, by now
        _note_trial(report, interpreted, inputs)
        if interpreted.outcome == "done" and "refused" not in interpreted.found:
            _judge_answers(report, folder, inputs, bands, interpreted.found)
            progress("compiled", 1, 2)
            compiled = _try(folder, source, "0", wait_s)
            _note_trial(report, compiled, inputs)
            if compiled.outcome == "done" and "refused" not in compiled.found:
                _compare(report, folder, inputs, compiled.found)
    report["sound"] = not report["problems"]
    return report


def _try(folder: Path, source: str, disable_jit: str, wait_s: float) -> Trial:
    """Run a trial to its end, or until it stands still."""
    progress = np.memmap(folder / "progress", np.int64, "w+", shape=2)
    (folder / "trial.json").unlink(missing_ok=True)
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    changed = {"NUMBA_DISABLE_JIT": disable_jit, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    child = subprocess.Popen(
        [sys.executable, "-m", policy_trial.__name__, str(folder), source],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | changed,
    )  # fmt: skip
    try:
        hung = _await(child, progress, wait_s)
    finally:
        child.kill()
        child.wait()
    at = (int(progress[STAGE]), int(progress[INDEX]))
    if hung:
        return Trial("hung", *at, {})
    try:
        return Trial("done", *at, json.loads((folder / "trial.json").read_text()))
    except FileNotFoundError:
        return Trial("crashed", *at, {"code": child.returncode})


def _await(child: subprocess.Popen[bytes], progress: Any, wait_s: float) -> bool:
    """Whether the child had to be given up, since nothing moved any more."""
    seen, since_s = (-1, -1), time.monotonic()
    while child.poll() is None:
        now = (int(progress[STAGE]), int(progress[INDEX]))
        if now != seen:
            seen, since_s = now, time.monotonic()
        elif time.monotonic() - since_s > (wait_s if now[0] == ASKING else STAGE_WAIT_S):
            return True
        time.sleep(POLL_S)
    return False


def _note(report: dict[str, Any], what: str, why: str, kind: str = "problems", **more: Any) -> None:
    report.setdefault(kind, []).append({"what": what, "why": why, **more})


def _note_trial(report: dict[str, Any], trial: Trial, inputs: Any) -> None:
    """What is wrong if a trial did not come to its end."""
    stage = STAGES[trial.stage]
    asking: dict[str, Any] = (
        {"input": inputs_as_dict(inputs[trial.place])} if trial.stage == ASKING else {}
    )
    if trial.outcome == "hung":
        _note(report, "does not come back", f"stopped while {stage}", **asking)
    elif trial.outcome == "crashed":
        _note(
            report, "crashes", f"the process ended ({trial.found['code']}) while {stage}", **asking
        )
    elif "refused" in trial.found:
        refused = trial.found["refused"]
        line = f"line {refused['line']}: {refused['text']}" if refused["line"] else ""
        _note(report, "does not load or compile", refused["why"], line=line)
    else:
        report["source_hash"] = trial.found["source_hash"]


def _judge_answers(
    report: dict[str, Any], folder: Path, inputs: Any, bands: Any, found: dict[str, Any]
) -> None:
    """Parameters and answers, what the gate makes of these, and the run in the engine."""
    report["param"] = found["param"]
    if found["out_of_range"]:
        _note(report, "does not take its parameters", found["out_of_range"])
    if not found["describes_params"]:
        _note(report, "does not describe its parameters", "its file has no PARAMS", kind="notes")
    asked, status, again, allowed, clamps = (
        np.load(folder / f"{name}.npy")
        for name in ("asked", "status", "again", "allowed", "clamps")
    )
    for code, what in (
        (policy_trial.RAISED, "raises"), (policy_trial.NO_INTEGER, "returns what is no integer"),
        (policy_trial.CHANGED_INPUTS, "changes its inputs"),
    ):  # fmt: skip
        _note_rows(report, what, found.get("why", ""), status == code, inputs, asked)
    differs = (asked != again) & (status == policy_trial.SOUND)
    _note_rows(report, "answers the same inputs differently", "", differs, inputs, asked)
    answered = status == policy_trial.SOUND
    for clamp, what in BAD_CLAMPS.items():
        _note_rows(report, what, "", answered & (clamps == clamp), inputs, asked)
    off_tick = answered & (clamps == Clamp.OFF_TICK)
    _note_rows(report, "is rounded to a tick by the gate", "", off_tick, inputs, asked, "notes")
    report["clamps"] = {c.name: float(np.mean(clamps == c)) for c in Clamp}
    wrong = _violations(inputs, bands, allowed)
    _note_rows(report, "the gate lets a wrong price through", "", wrong, inputs, allowed)
    _measure(report, inputs, allowed)
    engine = found["engine"]
    report["engine"] = engine
    if engine["violations"]:
        _note(report, "the engine fills at a wrong price", f"{engine['violations']} fills")
    if engine["differing"]:
        _note(
            report, "depends on who the client is", f"{engine['differing']} orders answered "
            "differently when two clients of one pool and tier change places",
            first=engine["first_difference"],
        )  # fmt: skip


def _note_rows(
    report: dict[str, Any], what: str, why: str, found: Any, inputs: Any, asked: Any,
    kind: str = "problems",
) -> None:  # fmt: skip
    """A finding with how often and the first input that shows it, if any does."""
    if not found.any():
        return
    first = int(found.argmax())
    _note(
        report, what, why, kind, count=int(found.sum()), answer=int(asked[first]),
        input=inputs_as_dict(inputs[first]),
    )  # fmt: skip


def _violations(inputs: Any, bands: Any, allowed: Any) -> Any:
    """Prices that no client may get: not asked of the gate, reckoned anew."""
    at_mid = 2 * allowed == inputs["bid_px_e6"] + inputs["ask_px_e6"]
    on_tick = allowed % ticks_at(allowed, bands) == 0
    inside = (inputs["bid_px_e6"] <= allowed) & (allowed <= inputs["ask_px_e6"])
    return ~(inside & (on_tick | at_mid | (allowed == inputs["quote_px_e6"])))


def _measure(report: dict[str, Any], inputs: Any, allowed: Any) -> None:
    """How many get how much, in ticks at the quoted price."""
    gain_e6 = np.abs(allowed - inputs["quote_px_e6"])
    ticks = gain_e6 / inputs["tick_e6"]
    better = gain_e6 > 0
    open_spread = inputs["ask_px_e6"] > inputs["bid_px_e6"]
    report["improved_share"] = float(better.mean())
    report["mean_ticks"] = float(ticks.mean())
    report["midpoint_share"] = float((better & (2 * allowed == inputs["mid_x2_e6"])).mean())
    report["distribution"] = {"0": float((~better).mean())}
    low = 0.0
    for high, name in TICK_CLASSES:
        report["distribution"][name] = float((better & (ticks >= low) & (ticks < high)).mean())
        low = high
    if not better.any():
        _note(report, "never improves", "with these parameters", kind="notes")
    elif bool((better == open_spread).all()):
        _note(report, "always improves", "wherever the spread is not zero", kind="notes")


def _compare(report: dict[str, Any], folder: Path, inputs: Any, found: dict[str, Any]) -> None:
    """Compiled against interpreted answers; a policy that raises answers 0 in both."""
    asked, compiled, again = (
        np.load(folder / f"{name}.npy") for name in ("asked", "compiled", "compiled_again")
    )
    status = np.load(folder / "status.npy")
    comparable = (status == policy_trial.SOUND) | (status == policy_trial.RAISED)
    differs = comparable & (asked != compiled)
    _note_rows(report, "answers differently when compiled", "", differs, inputs, compiled)
    chance = (compiled != again) & ~differs
    _note_rows(report, "answers the same inputs differently", "compiled", chance, inputs, compiled)
    report["ns_per_call"] = round(found["ns_per_call"], 1)
    report["compile_s"] = round(found["load_s"], 2)
