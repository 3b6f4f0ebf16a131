"""What a certification case works with: its connection, the terms of its orders, its questions.

Every question either has the right answer or raises `Failed` with the message that shows it.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from gateway import fix_message as fm
from gateway.sim_line import Entry, Failed, HungUp, Line, Numbers, Silence
from gateway.sim_tags import code_name, tag_name, type_name
from gateway.sim_wire import BEGIN_STRINGS, Account, Fields, Message

LOGON_TRIES = 4
LOGON_PAUSE_S = 0.25  # until a session that was just left can be entered again
#: A market's own course, which may come at any time: Quote, MassQuote, market data, News.
UNASKED = frozenset("6 B S W X Z h i".split())
#: A refusal's type, its reason's tag, and the reasons that mean "not offered to you".
UNSUPPORTED = (
    ("AG", 658, ("6",)), ("Y", 281, ("3", "4", "5", "6", "7", "8")), ("r", 532, ("0",)),
)  # fmt: skip
FINAL = frozenset("2 4 8 C".split())  # OrdStatus(39)

_EXPECTING = re.compile(r"expect\w*\D{0,12}(\d+)", re.IGNORECASE)

Wanted = Mapping[int, object]


class Skipped(Exception):
    """The case cannot be tried with what was given."""


class NotOffered(Exception):
    """The counterparty said, properly, that it does not do this."""


class Terms(NamedTuple):
    """What orders are sent for. Empty or 0: not given."""

    isin: str = ""
    qty: int = 10
    lis_qty: int = 0


class Shared:
    """What outlives a case: numbers, ids that were used, the price that was seen."""

    def __init__(self, numbers: Numbers, resets: bool) -> None:
        self.numbers = numbers
        self.resets = resets  # every Logon with ResetSeqNumFlag(141)=Y
        self.px: Decimal | None = None
        self.exec_ids: set[str] = set()
        prefix = f"{time.time_ns() // 1_000_000:x}"[-8:]
        self._ids: Iterator[str] = (f"C{prefix}-{number}" for number in count(1))

    def next_id(self) -> str:
        """An id that no run before has used."""
        return next(self._ids)


class Case(NamedTuple):
    """One case of the pack."""

    id: str
    title: str
    citation: str
    expected: str  # what the counterparty must do
    run: Callable[[Trial], None]
    needs: tuple[str, ...] = ()  # fields of Terms that must be given
    versions: tuple[str, ...] = BEGIN_STRINGS
    seconds: int = 15  # time limit


class Trial:
    """One case's connection and questions."""

    def __init__(self, account: Account, terms: Terms, shared: Shared, wait_s: float) -> None:
        self.account = account
        self.terms = terms
        self.shared = shared
        self.log: list[Entry] = []
        self.line = Line(account, shared.numbers, wait_s, self.log)
        self.decisive: Message | None = None

    # --- logon and logout ---------------------------------------------------------------------

    def logon_fields(self, *, heartbeat_s: int | None = None, reset: bool = False) -> Fields:
        """Fields of a Logon(A)."""
        account = self.account
        interval_s = account.heartbeat_s if heartbeat_s is None else heartbeat_s
        fields: list[tuple[int, object]] = [(98, 0), (108, interval_s)]
        if reset:
            fields.append((141, "Y"))
        if account.username:
            fields += [(553, account.username), (554, account.password)]
        if account.begin_string == "FIXT.1.1":
            fields.append((1137, "9"))
        return fields

    def log_on(self, *, heartbeat_s: int | None = None, reset: bool | None = None) -> Message:
        """Connect and log on, with a reset where that is allowed; answers their Logon(A).

        Without a reset the number that the counterparty says it expects is taken over, and what
        it asks for again is gap-filled.
        """
        resets = self.shared.resets if reset is None else reset
        for attempt in range(1, LOGON_TRIES + 1):
            if resets:
                self.shared.numbers.next_out = self.shared.numbers.next_in = 1
            self.line.connect()
            answer = self._ask_to_log_on(self.logon_fields(heartbeat_s=heartbeat_s, reset=resets))
            if answer is not None and answer.type == "A":
                self.line.logged_on = True
                if not resets:
                    self._settle()
                return answer
            expecting = _EXPECTING.search(answer.get(58)) if answer is not None else None
            if expecting and not resets:
                self.shared.numbers.next_out = int(expecting[1])
            self.line.close()
            if attempt < LOGON_TRIES:
                time.sleep(LOGON_PAUSE_S)
        hint = "; without resets give --next-out and --next-in" if resets else ""
        words = f": {answer.get(58)}" if answer is not None else ": the connection was closed"
        raise Failed(f"Logon(A) refused{words}{hint}", answer)

    def _ask_to_log_on(self, fields: Fields) -> Message | None:
        self.line.send("A", fields)
        try:
            answer = self.line.receive()
        except HungUp:
            return None
        if answer.type not in ("A", "5"):
            raise Failed(f"{type_name(answer.type)} in answer to Logon(A)", answer)
        return answer

    def _settle(self) -> None:
        """Fill the gap that a Logon ahead of their number leaves; then nothing is outstanding."""
        self.line.send("1", [(112, "SETTLED")])
        while (message := self.line.receive()).get(112) != "SETTLED" or message.type != "0":
            if message.type == "2":
                self.fill_gap(message.number(7))
                self.line.send("1", [(112, "SETTLED")])
            elif message.type in ("3", "5"):
                raise Failed(f"{type_name(message.type)} after Logon(A)", message)

    def log_out(self) -> None:
        """Leave politely, whatever the case left behind."""
        line = self.line
        if not (line.is_open and line.logged_on):
            line.close()
            return
        deadline_s = line.deadline_s
        line.deadline_s = time.monotonic() + line.wait_s
        with contextlib.suppress(Failed):
            line.send("5")
            while line.receive().type != "5":
                pass
        line.deadline_s = deadline_s
        line.close()

    # --- questions ----------------------------------------------------------------------------

    def next_message(self, *types: str, due: str = "an answer") -> Message:
        """The next message that is not of the session's own or the market's course.

        A TestRequest(1) is answered; `types` are those of either course that are wanted.
        """
        while True:
            try:
                message = self.line.receive()
            except (Silence, HungUp) as error:
                raise Failed(f"{error}; {due} is due") from error
            if message.type in types:
                return message
            is_idle = message.type == "0" and 112 not in message
            if message.type == "1":
                self.line.send("0", [(112, message.get(112))])
            elif not is_idle and message.type not in UNASKED:
                return message

    def expect(self, msg_type: str, wanted: Wanted | None = None, due: str = "") -> Message:
        """The next message is of this type and has these fields."""
        due = due or type_name(msg_type)
        message = self.next_message(msg_type, due=due)
        self.decisive = message
        if message.type != msg_type:
            raise Failed(f"{type_name(message.type)} came; {due} is due{said(message)}", message)
        self.holds(message, wanted or {})
        return message

    def holds(self, message: Message, wanted: Wanted) -> None:
        """Fields of a message: a value, a tuple of allowed ones, `True` present, `None` absent."""
        self.decisive = message
        for tag, value in wanted.items():
            found = message.get(tag)
            if value is None:
                right, due = tag not in message, "it must be absent"
            elif value is True:
                right, due = found != "", "it must be present"
            else:
                allowed = value if isinstance(value, tuple) else (value,)
                right = found in {str(each) for each in allowed}
                due = "expected " + " or ".join(str(each) for each in allowed)
            if not right:
                meaning = code_name(tag, found)
                shown = f"{found or 'missing'}" + (f" ({meaning})" if meaning else "")
                raise Failed(f"{tag_name(tag)} is {shown}, {due}{said(message)}", message)

    def alive(self) -> None:
        """A TestRequest(1) is answered next, with our number taken: nothing else is in the way."""
        decisive = self.decisive
        test_id = self.shared.next_id()
        self.line.send("1", [(112, test_id)])
        self.expect("0", {112: test_id}, "a Heartbeat(0) with our TestReqID(112)")
        self.decisive = decisive or self.decisive

    def collect(self) -> list[Message]:
        """Everything but heartbeats that comes before the answer to a TestRequest(1)."""
        test_id = self.shared.next_id()
        self.line.send("1", [(112, test_id)])
        found = []
        while (message := self.next_message()).get(112) != test_id or message.type != "0":
            found.append(message)
        return found

    def refused(self, why: str) -> Message:
        """They say Logout(5) and disconnect; a Reject(3) may come first."""
        due = f"Logout(5), for {why},"
        message = self.next_message(due=due)
        if message.type == "3":
            message = self.next_message(due=due)
        self.decisive = message
        if message.type != "5":
            raise Failed(f"{type_name(message.type)} came; {due} is due", message)
        self.hangs_up(why)
        return message

    def hangs_up(self, why: str) -> None:
        """They close the connection, and say nothing more."""
        try:
            message = self.line.receive()
        except HungUp:
            return
        except Silence as error:
            raise Failed(f"the connection stands; it must be closed: {why}") from error
        raise Failed(f"{type_name(message.type)} came; the connection must be closed", message)

    def rejected(self, seq: int, msg_type: str, reason: int, tag: int) -> Message:
        """A Reject(3) of that message for that reason, and the session goes on."""
        wanted: dict[int, object] = {45: seq, 372: msg_type, 373: reason}
        if tag:
            wanted[371] = tag
        message = self.expect("3", wanted)
        self.alive()
        return message

    # --- gaps ---------------------------------------------------------------------------------

    def fill_gap(self, first: int, new: int = 0) -> None:
        """A SequenceReset(4)-GapFill from `first` to what we send next, or to `new`."""
        to = new or self.shared.numbers.next_out
        stamp = fm.stamp(time.time_ns())[:-3]
        self.line.send("4", [(123, "Y"), (36, to)], {43: "Y", 122: stamp}, seq=first)

    # --- what may not be offered --------------------------------------------------------------

    def offered(self, message: Message, seq: int, msg_type: str) -> Message:
        """The message, unless it says properly that this type is not supported."""
        if message.type == "j" and message.get(372) == msg_type:
            self.holds(message, {45: seq, 380: (3, 4, 6)})
            raise NotOffered(f"BusinessMessageReject(j){said(message)}")
        if message.type == "3" and message.number(45) == seq and message.get(373) == "11":
            self.decisive = message
            raise NotOffered(f"Reject(3){said(message)}")
        for refusing, tag, reasons in UNSUPPORTED:
            if message.type == refusing and message.get(tag) in reasons:
                self.decisive = message
                raise NotOffered(f"{tag_name(tag)}={message.get(tag)}{said(message)}")
        return message

    def await_for(self, holds: Callable[[Message], bool], *types: str) -> Message:
        """The first message of which it holds; others of these types are passed over."""
        while not holds(message := self.next_message(*types)):
            if message.type not in types:
                raise Failed(f"{type_name(message.type)} came{said(message)}", message)
        self.decisive = message
        return message


def said(message: Message) -> str:
    """Text(58) as a tail of a sentence."""
    return f": {message.get(58)}" if 58 in message else ""
