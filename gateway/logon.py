"""How a session begins: who may log on, with which numbers, and what is said to the others.

Whoever is no counterparty of ours is told nothing: the connection ends (FIX 4.4 vol. 2, "Logon":
a Logout is optional, and would use up a number of a session that is another's). A counterparty
whose Logon cannot be taken gets a Logout(5) that says why.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import simplefix
import structlog

from gateway import fix_message as fm
from gateway.fix_message import Fields, number, text
from gateway.wire import SessionState, SessionStatus, Version

if TYPE_CHECKING:
    from gateway.server import Server
    from gateway.session import Sessions
    from gateway.session_settings import Session

SECOND_NS = 1_000_000_000
FAILURES_MAX = 5  # wrong passwords of a session within FAILURES_NS; then nothing is checked
FAILURES_NS = 60 * SECOND_NS

log = structlog.get_logger()


class Pending(NamedTuple):
    """A Logon whose password is being checked."""

    session_id: int
    opened_ns: int  # of its connection: another one may have the row by then
    raw: bytes


class Logons:
    """The first message of each connection, and Logon(A) with a reset later on."""

    def __init__(self, server: Server, sessions: Sessions) -> None:
        self.server = server
        self.sessions = sessions
        self.pending: dict[int, Pending] = {}  # by connection
        self.failures: dict[int, deque[int]] = {}

    def first_message(self, connection_id: int, message: simplefix.FixMessage, raw: bytes) -> None:
        """Log on, or end the connection."""
        server = self.server
        close = server.connections.close
        if connection_id in self.pending:
            return  # what comes before our answer is sent again
        if text(message, 35) != "A":
            close(connection_id, "first message is no Logon(A)")
            return
        found = server.session_table.find(text(message, 8), text(message, 56), text(message, 49))
        names = f"{text(message, 8)} {text(message, 49)}->{text(message, 56)}"
        if found < 0:
            close(connection_id, f"no session {names}")
            return
        peer = server.connections.peer(connection_id)
        if not self.sessions.settings(found).allows(peer):
            close(connection_id, f"{names} may not log on from {peer}")
        elif server.wire.sessions[found]["connection"] >= 0:
            close(connection_id, f"{names} is logged on already")
        elif any(waiting.session_id == found for waiting in self.pending.values()):
            close(connection_id, f"{names} is logging on already")
        elif self._locked_out(found):
            close(connection_id, f"{names} failed {FAILURES_MAX} times within a minute")
        else:
            self._begin(connection_id, found, message, raw)

    def _begin(
        self, connection_id: int, session_id: int, message: simplefix.FixMessage, raw: bytes
    ) -> None:
        """A Logon of a session that is there and free."""
        settings = self.sessions.settings(session_id)
        why = self._refusal(session_id, settings, message)
        if why:
            self.refuse(connection_id, session_id, raw, why)
            return
        if not settings.username:
            self.accept(connection_id, session_id, message, raw)
            return
        given = text(message, 554) or ""
        hashed = settings.hash_text if text(message, 553) == settings.username else None
        opened_ns = int(self.server.wire.connections[connection_id]["opened_ns"])
        if self.server.checker.ask((connection_id, opened_ns), hashed, given):
            self.pending[connection_id] = Pending(session_id, opened_ns, raw)
        else:
            self.refuse(connection_id, session_id, raw, "too many logons at once, try again")

    def checked(self) -> None:
        """Passwords that have been checked."""
        for (connection_id, opened_ns), good in self.server.checker.results():
            waiting = self.pending.get(connection_id)
            if waiting is None or waiting.opened_ns != opened_ns:
                continue
            del self.pending[connection_id]
            row = self.server.wire.connections[connection_id]
            if row["fd"] < 0 or row["opened_ns"] != opened_ns:
                continue
            if good:
                self.accept(
                    connection_id, waiting.session_id, fm.read(waiting.raw), waiting.raw
                )  # fmt: skip
                continue
            failures = self.failures.setdefault(waiting.session_id, deque(maxlen=FAILURES_MAX))
            failures.append(self.server.now_ns())
            self.refuse(
                connection_id, waiting.session_id, waiting.raw,
                "Username(553) or Password(554) is wrong",
            )  # fmt: skip

    def _locked_out(self, session_id: int) -> bool:
        failures = self.failures.get(session_id)
        if failures is None or len(failures) < FAILURES_MAX:
            return False
        return 0 <= self.server.now_ns() - failures[0] < FAILURES_NS

    def _refusal(self, session_id: int, settings: Session, message: simplefix.FixMessage) -> str:
        """Why a Logon cannot be taken, or nothing."""
        server = self.server
        row = server.wire.sessions[session_id]
        now_ns = server.now_ns()
        if row["status"] != SessionStatus.ACTIVE:
            return "the session is paused"
        if not server.session_table.is_open(session_id, now_ns):
            return "the session is closed now, by its schedule"
        problem = _field_problem(settings, message, Version(row["version"]))
        if problem:
            return problem
        sent_ns = fm.time_ns(text(message, 52))
        if sent_ns is None:
            return f"SendingTime(52)={text(message, 52)} is missing or no UTC time"
        limit_ns = int(row["latency_max_ns"])
        if limit_ns and abs(now_ns - sent_ns) > limit_ns:
            off_s = abs(now_ns - sent_ns) // SECOND_NS
            return f"SendingTime(52) is {off_s} s off our clock, limit {limit_ns // SECOND_NS} s"
        return server.session_table.check_logon(session_id)

    def refuse(self, connection_id: int, session_id: int, raw: bytes, why: str) -> None:
        """A Logon that cannot be taken: say Logout(5) in its session, then disconnect."""
        self._bind(connection_id, session_id, 0)
        self.sessions.record(session_id, raw, 0)
        self.sessions.drop(session_id, why)

    def accept(
        self, connection_id: int, session_id: int, message: simplefix.FixMessage, raw: bytes
    ) -> None:
        """A Logon that may be taken: numbers, answer, and what either side has missed."""
        sessions, server = self.sessions, self.server
        settings = sessions.settings(session_id)
        row = server.wire.sessions[session_id]
        reset = text(message, 141) == "Y"
        is_same = server.session_table.is_same(session_id, server.now_ns())
        if reset or settings.reset_on_logon or not is_same:
            sessions.set_numbers(session_id, 1, 1)
        seq, expected = number(message, 34) or 0, int(row["next_in"])
        if seq < expected and text(message, 43) != "Y":
            self.refuse(
                connection_id, session_id, raw,
                f"MsgSeqNum(34) too low, expecting {expected} but received {seq}",
            )  # fmt: skip
            return
        theirs = number(message, 789) if settings.send_next_expected_msg_seq_num else None
        if theirs is not None and theirs > row["next_out"]:
            why = f"NextExpectedMsgSeqNum(789)={theirs} too high, next is {row['next_out']}"
            self.refuse(connection_id, session_id, raw, why)
            return
        heartbeat = number(message, 108) or 0
        self._bind(connection_id, session_id, heartbeat)
        sessions.record(session_id, raw, seq if seq == expected else 0)
        before = int(row["next_out"])
        self._answer(session_id, heartbeat, reset, settings)
        log.info("logged on", session=sessions.names(session_id)[1], next_in=int(row["next_in"]))
        if theirs is not None and theirs < before:
            server.sessions.resends.begin(session_id, theirs, before - 1)
        if seq > expected:
            row["resend_to"] = seq - 1
            if theirs is None:  # else our 789 has asked
                sessions.ask_for(session_id, expected)
        server.subscriptions.log_on(
            session_id, settings.quotes, settings.quote_instruments, settings.quote_interval_ms
        )

    def _answer(self, session_id: int, heartbeat: int, reset: bool, settings: Session) -> None:
        fields: Fields = [(98, 0), (108, heartbeat)]
        if reset:
            fields.append((141, "Y"))
        if settings.send_next_expected_msg_seq_num:
            fields.append((789, int(self.server.wire.sessions[session_id]["next_in"])))
        if settings.default_appl_ver_id:
            fields.append((1137, settings.default_appl_ver_id))
        self.sessions.send(session_id, "A", *fields)

    def _bind(self, connection_id: int, session_id: int, heartbeat: int) -> None:
        """The connection carries the session from now on."""
        wire, now_ns = self.server.wire, self.server.now_ns()
        connection = wire.connections[connection_id]
        connection["session"] = session_id
        connection["turn_ns"] = self.server.connections.turns_ns.get(session_id, 0)
        row = wire.sessions[session_id]
        row["connection"] = connection_id
        row["state"] = SessionState.ON
        row["heartbeat_ns"] = heartbeat * SECOND_NS
        row["last_recv_ns"] = now_ns
        row["last_sent_ns"] = now_ns
        row["test_sent_ns"] = 0
        self.sessions.forget_gap(session_id)

    def again(self, session_id: int, message: simplefix.FixMessage) -> None:
        """A Logon(A) while logged on, to reset the numbers."""
        sessions = self.sessions
        settings = sessions.settings(session_id)
        version = Version(self.server.wire.sessions[session_id]["version"])
        problem = _field_problem(settings, message, version)
        if problem:
            sessions.drop(session_id, problem)
            return
        sessions.resends.forget(session_id)
        sessions.forget_gap(session_id)
        sessions.set_numbers(session_id, 2, 1)
        heartbeat = number(message, 108) or 0
        self.server.wire.sessions[session_id]["heartbeat_ns"] = heartbeat * SECOND_NS
        self._answer(session_id, heartbeat, True, settings)

    def tick(self, now_ns: int) -> None:
        """A child that died makes nothing readable; connections that are gone await nothing."""
        self.checked()
        rows = self.server.wire.connections
        for connection_id, waiting in list(self.pending.items()):
            if rows[connection_id]["opened_ns"] != waiting.opened_ns:
                del self.pending[connection_id]


def _field_problem(settings: Session, message: simplefix.FixMessage, version: Version) -> str:
    """What is wrong with a Logon's own fields, or nothing."""
    heartbeat, seq = number(message, 108), number(message, 34)
    low, high = settings.heart_bt_int_min, settings.heart_bt_int_max
    if seq is None or seq == 0:
        return "MsgSeqNum(34) is missing or no number"
    if text(message, 98) not in ("0", None):
        return f"EncryptMethod(98)={text(message, 98)} is not supported: use 0"
    if heartbeat is None or not low <= heartbeat <= high:
        return f"HeartBtInt(108)={text(message, 108)} must be {low} to {high}"
    if text(message, 141) == "Y" and seq != 1:
        return f"ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1, not {seq}"
    if version == Version.FIX_5_0_SP2 and text(message, 1137) != settings.default_appl_ver_id:
        wanted = settings.default_appl_ver_id
        return f"DefaultApplVerID(1137)={text(message, 1137)} must be {wanted} (FIX 5.0 SP2)"
    return ""
