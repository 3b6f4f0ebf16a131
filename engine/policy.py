"""The policy ABI: a price-improvement policy is one compiled function of one record.

    def improve(inputs):       # schema.policy_input, integers with their unit in the name
        return px_e6           # the price it asks for; the gate decides what may be given

A policy is a Python file with a function `improve`, and PARAMS where it reads `inputs["param"]`: a
tuple of (name, lowest, highest, usual value, meaning) for each. The same machine code runs live, in
replay and in sweeps; the hash of its source is in every explain record. It may use floats inside; a
policy that raises has asked for nothing (0) and the client gets the quote.
"""

import hashlib
import importlib
import inspect
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numba

from engine import jit, schema
from engine.limits import POLICY_PARAMS
from engine.policies import BUILTIN


class Param(NamedTuple):
    """What one of a policy's integers may be."""

    name: str
    low: int
    high: int
    usual: int
    meaning: str


class Description(NamedTuple):
    """What a policy's file says of itself."""

    name: str
    purpose: str  # first line of the file's docstring
    params: tuple[Param, ...] | None  # None: it does not say


class Policy(NamedTuple):
    """A policy ready to be called; keep it alive as long as its address is used."""

    name: str
    address: int
    source_hash: int  # first 8 bytes of SHA-256 of the source, as a positive int64
    code: Any
    improve: Callable[[Any], int]  # interpreted
    params: tuple[Param, ...] | None  # None: its file does not say


@cache
def load(name: str) -> Policy:
    """One of the policies that ship with the engine, compiled at its first use.

    Raises:
        ValueError: it is none of them.
    """
    if name not in BUILTIN:
        raise ValueError(f"policy {name!r} is none of {', '.join(BUILTIN)}")
    return from_module(name, importlib.import_module(f"engine.policies.{name}"))


def from_module(name: str, module: ModuleType) -> Policy:
    """Compile the `improve` function of a module. Raises ValueError where it is no policy."""
    improve = getattr(module, "improve", None)
    if not callable(improve):
        raise ValueError(f"policy {name!r} has no function improve(inputs)")
    about = describe(name, module)
    digest = hashlib.sha256(inspect.getsource(module).encode()).digest()
    source_hash = int.from_bytes(digest[:8], "little") >> 1
    address, code = _compile(improve)
    return Policy(name, address, source_hash, code, improve, about.params)


def describe(name: str, module: ModuleType) -> Description:
    """What a policy's file says of itself. Raises ValueError where that is not understood."""
    purpose = (module.__doc__ or "").strip().split("\n")[0]
    given = getattr(module, "PARAMS", None)
    if given is None:
        return Description(name, purpose, None)
    try:
        params = tuple(Param(*entry) for entry in given)
        sound = len(params) <= POLICY_PARAMS and all(p.low <= p.usual <= p.high for p in params)
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"policy {name!r}: PARAMS is at most {POLICY_PARAMS} tuples of "
            "(name, lowest, highest, usual value, meaning)"
        )
    return Description(name, purpose, params)


def _compile(improve: Callable[[Any], int]) -> tuple[int, Any]:
    if not jit.JIT:
        address = len(jit.INTERPRETED_POLICIES) + 1
        jit.INTERPRETED_POLICIES[address] = improve
        return address, improve
    record = numba.from_dtype(schema.policy_input)
    inner = numba.njit(numba.int64(record), error_model="numpy", _nrt=False)(improve)

    @numba.cfunc(numba.int64(numba.types.CPointer(record)), error_model="numpy")
    def entry(inputs):  # type: ignore[no-untyped-def]
        return inner(numba.carray(inputs, (1,))[0])

    return entry.address, entry
