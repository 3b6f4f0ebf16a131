"""Policies by name or by path, and the copies that let a journal be replayed years later."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from engine import policy
from engine.limits import POLICY_PARAMS
from engine.policies import BUILTIN
from engine.policy import Description, Policy
from gateway.errors import UserError


class PolicyError(UserError):
    """A policy that cannot be loaded."""


def load(name: str, directory: Path) -> tuple[Policy, Path]:
    """A policy that ships, or a Python file (seen from `directory`), with its source's path.

    Raises PolicyError.
    """
    if name in BUILTIN:
        source = Path(policy.__file__).parent / "policies" / f"{name}.py"
        return policy.load(name), source
    path = directory / name
    if not path.is_file():
        raise PolicyError(f"policy {name!r} is none of {', '.join(BUILTIN)} and no file {path}")
    return from_file(path), path


def from_file(path: Path) -> Policy:
    """Compile the policy in a Python file. Raises PolicyError."""
    spec = importlib.util.spec_from_file_location(f"policy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PolicyError(f"policy {path}: a policy is a Python file, NAME.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return policy.from_module(path.stem, module)
    except Exception as error:  # whatever a user's file does
        raise PolicyError(f"policy {path}: {error}") from error


def check_params(
    loaded: Policy | Description, values: Sequence[int], where: str, exact: bool = True
) -> None:
    """Raise PolicyError, naming it, for the first parameter that the policy does not take.

    What is left out is 0. With `exact` there may be no more than the policy has.
    """
    if loaded.params is None:
        return
    given = [*values, *([0] * POLICY_PARAMS)][:POLICY_PARAMS]
    for place, (param, value) in enumerate(zip(loaded.params, given, strict=False)):
        if not param.low <= value <= param.high:
            raise PolicyError(
                f"{where}: param[{place}] of policy {loaded.name}, {param.name}, is {value}, not "
                f"within {param.low}..{param.high} ({param.meaning})"
            )
    if exact and any(given[len(loaded.params) :]):
        names = ", ".join(param.name for param in loaded.params) or "none"
        raise PolicyError(
            f"{where}: {list(values)} has more parameters than policy {loaded.name} takes: {names}"
        )


def keep(journal: Path, loaded: Policy, source: Path) -> None:
    """Store the policy's source beside the journal, under its hash."""
    kept = journal / "policies" / f"{loaded.source_hash:016x}.py"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(source.read_bytes())


def kept_by_hash(journal: Path, source_hash: int) -> Policy:
    """The policy that a journal names. Raises PolicyError where its source is gone or another."""
    if source_hash == 0:  # before the first parameters
        return policy.load("none")
    kept = journal / "policies" / f"{source_hash:016x}.py"
    if not kept.exists():
        raise PolicyError(f"the policy {source_hash:016x} of this journal is not in {kept.parent}")
    found = from_file(kept)
    if found.source_hash != source_hash:
        raise PolicyError(
            f"{kept}: this is the source of policy {found.source_hash:016x}, not the one of that "
            "name: restore it, a replay with another policy is another day"
        )
    return found
