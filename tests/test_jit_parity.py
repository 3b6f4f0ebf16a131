"""Compiled and interpreted code are one program: the same journal, state and bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jit import JIT
from tests import stream

ROOT = Path(__file__).parents[1]


def run_the_other_way(seed: int) -> list[str]:
    """The same stream in a process of its own, with the compiler switched over."""
    flag = "1" if JIT else "0"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.stream", str(seed)],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": flag},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@pytest.mark.parametrize("seed", [7])
def test_compiled_equals_interpreted(seed: int) -> None:
    here = stream.run(seed)
    assert here.frames > 2 * stream.INPUTS and here.refused > 0
    mode, *there = run_the_other_way(seed)
    assert mode == ("interpreted" if JIT else "compiled")
    assert there[:-1] == [str(value) for value in here]


def test_the_stream_is_the_same_every_time() -> None:
    assert stream.run(8, 200) == stream.run(8, 200)
    assert stream.run(8, 200) != stream.run(9, 200)
