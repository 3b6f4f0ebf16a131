"""The targets by name, and how an input of each is mutated."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz import mutate

#: Module, the product's module without which there is nothing to test, mutator, size of an input.
_TARGETS: dict[str, tuple[str, Callable[..., bytes], int]] = {
    "decoder": ("gateway.inbound", mutate.stream, 8192),
    "session": ("gateway.session", mutate.script, 16384),
    "dictionary": ("gateway.dictionary", mutate.document, 16384),
}
NAMES = tuple(_TARGETS)


class Target(NamedTuple):
    """`open_target(folder)` makes what `run(it, data)` is done with, again and again."""

    name: str
    open_target: Callable[[Path], Any]
    run: Callable[[Any, bytes], None]
    seeds: Callable[[], list[bytes]]
    readable: Callable[[bytes], str]
    mutate: Callable[..., bytes]
    size_max: int


def present(name: str) -> bool:
    """Whether the product has what the target tests."""
    return find_spec(_TARGETS[name][0]) is not None


def target(name: str) -> Target:
    """One target; imports what it tests."""
    _, mutator, size_max = _TARGETS[name]
    made = import_module(f"tests.fuzz.{name}")
    return Target(name, made.open_target, made.run, made.seeds, made.readable, mutator, size_max)
