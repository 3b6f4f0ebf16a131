"""The certification pack: every case against a counterparty, one connection each.

The counterparty is any FIX acceptor; what it does is judged by the standard and by its rules of
engagement, never by what the engine of this product happens to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from gateway.errors import UserError
from gateway.sim_cases_logon import CASES as LOGON_CASES
from gateway.sim_cases_orders import CASES as ORDER_CASES
from gateway.sim_cases_session import CASES as SESSION_CASES
from gateway.sim_line import Entry, Failed, Numbers
from gateway.sim_trial import Case, NotOffered, Shared, Skipped, Terms, Trial
from gateway.sim_wire import BEGIN_STRINGS, Account, Message

CASES: tuple[Case, ...] = (*LOGON_CASES, *SESSION_CASES, *ORDER_CASES)
BY_ID = {case.id: case for case in CASES}

Progress = Callable[[str, int, int], None]


class Outcome(Enum):
    """What a case came to."""

    PASS = "pass"
    FAIL = "FAIL"
    SKIPPED = "skipped"
    NOT_OFFERED = "not offered"


@dataclass
class Result:
    """A case that was tried, or not."""

    case: Case
    outcome: Outcome
    reason: str = ""
    decisive: Message | None = None  # the message that decided it
    log: list[Entry] = field(default_factory=list)
    took_s: float = 0.0


@dataclass
class Pack:
    """All of a run."""

    account: Account
    terms: Terms
    results: list[Result]
    begun_ns: int

    def count(self, outcome: Outcome) -> int:
        """How many cases came to this."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def is_passed(self) -> bool:
        """Whether nothing failed and something passed."""
        return self.count(Outcome.FAIL) == 0 and self.count(Outcome.PASS) > 0


def chosen(only: str, skip: str) -> list[Case]:
    """Cases named with commas, or all; in the pack's order. Raises UserError."""
    named = [name.strip() for name in only.split(",") if name.strip()]
    left_out = [name.strip() for name in skip.split(",") if name.strip()]
    for name in (*named, *left_out):
        if name not in BY_ID:
            raise UserError(f"case {name!r} is none of {', '.join(BY_ID)}")
    return [c for c in CASES if (not named or c.id in named) and c.id not in left_out]


def run(
    account: Account, terms: Terms, cases: Sequence[Case], *, numbers: Numbers | None = None,
    wait_s: float = 5.0, progress: Progress = lambda name, done, count: None,
) -> Pack:  # fmt: skip
    """Try the cases. With `numbers` no Logon resets them. Raises UserError, OSError.

    `wait_s` is how long an answer may take; a case ends by its own limit too.
    """
    if account.begin_string not in BEGIN_STRINGS:
        raise UserError(
            f"--begin-string {account.begin_string!r} is none of {', '.join(BEGIN_STRINGS)}"
        )
    shared = Shared(numbers or Numbers(), resets=numbers is None)
    pack = Pack(account, terms, [], time.time_ns())
    for index, case in enumerate(cases):
        progress(case.title, index, len(cases))
        pack.results.append(attempt(account, terms, case, shared, wait_s))
    return pack


def attempt(account: Account, terms: Terms, case: Case, shared: Shared, wait_s: float) -> Result:
    """One case, with a connection that is left in the end whatever happened."""
    missing = [f"--{name.replace('_', '-')}" for name in case.needs if not getattr(terms, name)]
    if missing:
        return Result(case, Outcome.SKIPPED, f"needs {' and '.join(missing)}")
    if account.begin_string not in case.versions:
        return Result(case, Outcome.SKIPPED, f"{account.begin_string} has no such message")
    trial = Trial(account, terms, shared, wait_s)
    begun_s = time.monotonic()
    trial.line.deadline_s = begun_s + case.seconds
    outcome, reason, shown = _judge(case, trial)
    trial.log_out()
    took_s = time.monotonic() - begun_s
    return Result(case, outcome, reason, shown or trial.decisive, trial.log, took_s)


def _judge(case: Case, trial: Trial) -> tuple[Outcome, str, Message | None]:
    """What the case came to, why, and the message that shows it where one does."""
    try:
        case.run(trial)
    except NotOffered as found:
        return Outcome.NOT_OFFERED, str(found), None
    except Skipped as found:
        return Outcome.SKIPPED, str(found), None
    except Failed as found:
        return Outcome.FAIL, str(found), found.message
    return Outcome.PASS, "", None
