"""What only compiled code calls is compiled for its callers alone, and works as before."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import NullCache

from engine import lean
from engine.jit import JIT, njit

pytestmark = pytest.mark.skipif(not JIT, reason="about the compiler")


def uncached(function):  # type: ignore[no-untyped-def]
    """Compiled anew by every run."""
    made = njit(function)
    made._cache = NullCache()
    return made


def entry_points(function) -> list[bool]:  # type: ignore[no-untyped-def]
    """Of each compiled version: whether only compiled code calls it."""
    return [isinstance(made.entry_point, lean.Inner) for made in function.overloads.values()]


def test_inner_until_python_calls_it() -> None:
    @uncached
    def inner(a):  # type: ignore[no-untyped-def]
        return a + 1

    @uncached
    def unused(a):  # type: ignore[no-untyped-def]
        return inner(a) + 5

    @uncached
    def middle(a):  # type: ignore[no-untyped-def]
        return unused(a) if a > 10 else inner(a) * 10

    @uncached
    def outer(a):  # type: ignore[no-untyped-def]
        return middle(a) + inner(a) + unused(a)

    assert outer(2) == 30 + 3 + 8 and outer(11) == 17 + 12 + 17
    assert entry_points(inner) == entry_points(middle) == [True] and entry_points(outer) == [False]
    assert inner(2) == 3 and entry_points(inner) == [False]
    assert middle(2) == 30 and outer(2) == 41
    assert inner(2.5) == 3.5 and entry_points(inner) == [False, False]


def test_an_error_of_the_compiler_leaves_everything_as_it_was() -> None:
    @uncached
    def wrong(a):  # type: ignore[no-untyped-def]
        return a.nothing_of_the_kind

    @uncached
    def outer(a):  # type: ignore[no-untyped-def]
        return wrong(a)

    for _ in range(2):
        with pytest.raises(Exception, match="nothing_of_the_kind"):
            outer(1)
    assert gc.isenabled() and lean._depth == [0]


def test_inner_functions_print_and_raise(tmp_path: Path) -> None:
    """A process of its own, since compiled code prints past Python; twice: the second is cached."""
    script = tmp_path / "prints.py"
    script.write_text(
        "import numba\nimport engine.jit\n"
        "@numba.njit(cache=True)\ndef inner(a):\n    print(a, 'inner')\n    return a\n"
        "@numba.njit(cache=True)\ndef refuse(a):\n    raise ValueError(a)\n"
        "@numba.njit(cache=True)\ndef outer(a):\n    if a > 8:\n        refuse(a)\n"
        "    return inner(a)\n"
        "outer(7)\n"
        "try:\n    outer(9)\nexcept ValueError as error:\n    print(error)\n"
    )
    root = Path(__file__).resolve().parent.parent
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, timeout=300,
            env={"PYTHONPATH": str(root), "SI_CACHE_DIR": str(tmp_path)},
        )  # fmt: skip
        assert done.stdout.split("\n") == ["7 inner", "9", ""], done.stderr
