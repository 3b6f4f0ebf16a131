"""Scripted clients: a TOML list of steps, each done or expected, the first that fails ends it.

    [[step]]
    do = "logon"

    [[step]]
    do = "send"
    type = "D"
    fields = { ClOrdID = "$id1", Symbol = "$isin", 54 = 1, 38 = "$qty", 40 = 1, 60 = "$now" }

    [[step]]
    do = "expect"
    type = "8"
    fields = { 11 = "$id1", 39 = "2", 58 = "-" }

Tags are numbers or names; `fields` may also be a list like `["146=1", "55=$isin"]`, which keeps
an order and may repeat a tag. In what is expected `*` is any value and `-` none.
"""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table
from rich.text import Text

from gateway.errors import UserError
from gateway.sim_line import Entry, Failed, Numbers
from gateway.sim_orders import now
from gateway.sim_tags import BY_NAME, type_name
from gateway.sim_trial import Shared, Terms, Trial
from gateway.sim_wire import Account, Message

WAIT_S_MAX = 3600.0

_VARIABLE = re.compile(r"\$(isin|qty|lis_qty|now|id\w*)")

Value = str | int
Given = dict[str, Value] | list[str]
Seconds = Annotated[float, Field(gt=0, le=WAIT_S_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Logon(_Strict):
    """Connect and log on; the answer is awaited."""

    do: Literal["logon"]
    reset: bool | None = None
    heartbeat: Annotated[int, Field(ge=1, le=3600)] | None = None


class Connect(_Strict):
    """Only connect."""

    do: Literal["connect"]


class Send(_Strict):
    """Send a message; `seq` instead of the next number, `header` over the header."""

    do: Literal["send"]
    type: Annotated[str, Field(min_length=1)]
    fields: Given = {}
    header: Given = {}
    seq: Annotated[int, Field(ge=0)] | None = None


class Expect(_Strict):
    """The next message is this; or, without a type, the connection is closed."""

    do: Literal["expect"]
    type: str = ""
    fields: Given = {}
    seconds: Seconds | None = None


class Wait(_Strict):
    """Let time pass: nothing is sent, and what comes stays to be expected."""

    do: Literal["wait"]
    seconds: Seconds


class Disconnect(_Strict):
    """Hang up without a word."""

    do: Literal["disconnect"]


class LogoutStep(_Strict):
    """Say Logout and await theirs."""

    do: Literal["logout"]


Step = Logon | Connect | Send | Expect | Wait | Disconnect | LogoutStep


class Script(_Strict):
    """A script's file."""

    step: Annotated[list[Annotated[Step, Field(discriminator="do")]], Field(min_length=1)]


class Done(NamedTuple):
    """One step and what came of it."""

    step: str
    is_done: bool
    reason: str
    message: Message | None


class Played(NamedTuple):
    """A script that was played, to its end or to the step that failed."""

    steps: list[Done]
    log: list[Entry]
    left_out: int

    @property
    def is_done(self) -> bool:
        """Whether every step went as it says."""
        return self.left_out == 0 and all(done.is_done for done in self.steps)


def load(path: Path) -> Script:
    """A script from its file. Raises UserError, OSError."""
    try:
        script = Script.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}, got {first['input']!r}") from error
    for index, step in enumerate(script.step, 1):
        for given in (getattr(step, "fields", {}), getattr(step, "header", {})):
            try:
                pairs_of(given)
            except UserError as error:
                raise UserError(f"{path}: step {index}: {error}") from error
    return script


def pairs_of(given: Given) -> list[tuple[int, str]]:
    """Tags and values, in order. Raises UserError."""
    if isinstance(given, dict):
        return [(tag_of(name), str(value)) for name, value in given.items()]
    pairs = []
    for line in given:
        name, equals, value = line.partition("=")
        if not equals:
            raise UserError(f"field {line!r} is no TAG=VALUE")
        pairs.append((tag_of(name), value))
    return pairs


def tag_of(name: str) -> int:
    """A tag by number or name. Raises UserError."""
    if name.isascii() and name.isdigit() and 0 < int(name) < 10**9:
        return int(name)
    if name in BY_NAME:
        return BY_NAME[name]
    raise UserError(f"tag {name!r} is neither a number nor a name known here")


class Player:
    """One script at work."""

    def __init__(
        self, account: Account, terms: Terms, numbers: Numbers | None, wait_s: float
    ) -> None:
        self.terms = terms
        self.shared = Shared(numbers or Numbers(), resets=numbers is None)
        self.trial = Trial(account, terms, self.shared, wait_s)
        self.ids: dict[str, str] = {}

    def filled_in(self, value: str) -> str:
        """A value with its variables: `$isin`, `$qty`, `$lis_qty`, `$now`, `$id...`."""
        return _VARIABLE.sub(self._variable, value)

    def _variable(self, found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith("id"):
            return self.ids.setdefault(name, self.shared.next_id())
        known = {"isin": self.terms.isin, "qty": self.terms.qty, "lis_qty": self.terms.lis_qty}
        return now() if name == "now" else str(known[name])

    def pairs(self, given: Given) -> list[tuple[int, Any]]:
        """Tags and values with their variables."""
        return [(tag, self.filled_in(value)) for tag, value in pairs_of(given)]

    def do(self, step: Step) -> None:
        """One step. Raises Failed, OSError."""
        trial, line = self.trial, self.trial.line
        match step:
            case Logon():
                trial.log_on(reset=step.reset, heartbeat_s=step.heartbeat)
            case Connect():
                line.connect()
            case Send():
                line.send(
                    step.type, self.pairs(step.fields), dict(self.pairs(step.header)), step.seq
                )
            case Expect():
                self._expect(step)
            case Wait():
                self._wait(step.seconds)
            case Disconnect():
                line.close()
            case LogoutStep():
                line.send("5")
                trial.expect("5")
                line.close()

    def _expect(self, step: Expect) -> None:
        trial, usual_s = self.trial, self.trial.line.wait_s
        trial.line.wait_s = step.seconds or usual_s
        try:
            if not step.type:
                trial.hangs_up("the script expects it")
                return
            wanted: dict[int, object] = dict(self.pairs(step.fields))
            marks = {"*": True, "-": None}
            trial.expect(step.type, {t: marks.get(str(v), v) for t, v in wanted.items()})
            if step.type == "A":
                trial.line.logged_on = True
        finally:
            trial.line.wait_s = usual_s

    def _wait(self, seconds: float) -> None:
        """Nothing is read meanwhile; a TestRequest is answered when something is expected again."""
        time.sleep(seconds)

    def play(self, script: Script) -> Played:
        """Every step until one fails. Raises OSError where nobody listens."""
        done: list[Done] = []
        for step in script.step:
            self.trial.decisive = None
            words = in_words(step)
            try:
                self.do(step)
            except Failed as error:
                done.append(Done(words, False, str(error), error.message))
                break
            done.append(Done(words, True, "", self.trial.decisive))
        self.trial.log_out()
        return Played(done, self.trial.log, len(script.step) - len(done))


def in_words(step: Step) -> str:
    """A step in a few words."""
    if isinstance(step, Send):
        return f"send {type_name(step.type)}"
    if isinstance(step, Expect):
        return f"expect {type_name(step.type)}" if step.type else "expect a closed connection"
    if isinstance(step, Wait):
        return f"wait {step.seconds:g} s"
    return step.do


def table(played: Played) -> Table:
    """A row for each step."""
    from gateway.sim_report import shown

    made = Table("step", "result", "message")
    for done in played.steps:
        result = Text("done", "green") if done.is_done else Text(f"FAIL {done.reason}", "bold red")
        words = shown(done.message) if done.message is not None else ""
        made.add_row(Text(done.step), result, Text(words, "dim"))
    if played.left_out:
        made.add_row(Text(f"{played.left_out} more"), Text("left out", "dim"), "")
    return made
