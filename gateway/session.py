"""FIX sessions, the rare part: gaps, resends, resets, rejects, logout (FIX 4.4 volume 2).

The compiled loop hands over each message it does not do itself; this file answers it, in the same
thread. Everything it changes goes through the journal, like any input. How a session begins is in
`logon.py`, what is sent again in `resending.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import simplefix
import structlog

from engine.schema import pack, session_set
from gateway import fix_message as fm
from gateway import masking, recorder
from gateway.fix_message import Fields, number, text
from gateway.logon import Logons
from gateway.requests import REQUESTS
from gateway.resending import Resends
from gateway.wire import BEGIN_STRINGS, SessionState, Version

if TYPE_CHECKING:
    from gateway.server import Server
    from gateway.session_settings import Session

SECOND_NS = 1_000_000_000
COLD_NS = 500_000  # what a message that only Python answers costs between others' orders
EARLY_MAX = 1_000  # messages kept that came before those that are missing
#: What a change of numbers leaves as it is.
SETTINGS = (
    "client", "status", "version", "precision", "fill_style", "last_processed", "out_tags",
)  # fmt: skip
SECRET_TAGS = (96, 554, 925, 1402, 1404)  # passwords are not said back

log = structlog.get_logger()

#: SessionRejectReason(373) in words.
REJECT_TEXT = {
    0: "invalid tag number",
    1: "required tag missing",
    2: "tag not defined for this message type",
    4: "tag without a value",
    5: "value is incorrect",
    6: "incorrect data format",
    9: "CompID problem",
    10: "SendingTime accuracy problem",
    11: "invalid MsgType",
    13: "tag appears more than once",
    14: "tag out of required order",
    15: "repeating group fields out of order",
    16: "number of entries in the repeating group is not its count",
}
#: The largest SessionRejectReason(373) that the version knows.
REASON_MAX = {Version.FIX_4_2: 11, Version.FIX_4_4: 99, Version.FIX_5_0_SP2: 99}


class Sessions:
    """Answers what the hot path leaves over; one object, owned by the server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.logons = Logons(server, self)
        self.resends = Resends(server, self)
        self.early: dict[int, dict[int, bytes]] = {}  # by session, by MsgSeqNum(34)

    # --- sending ------------------------------------------------------------------------------

    def names(self, session_id: int) -> tuple[str, str]:
        """Our CompID and theirs."""
        wire = self.server.wire
        row = wire.sessions[session_id]
        ours = wire.our_ids[session_id, : row["target_size"]].tobytes().decode()
        theirs = wire.their_ids[session_id, : row["sender_size"]].tobytes().decode()
        return ours, theirs

    def header(self, session_id: int) -> fm.Header:
        """What our messages of this session begin with."""
        row = self.server.wire.sessions[session_id]
        ours, theirs = self.names(session_id)
        begin = BEGIN_STRINGS[Version(row["version"])]
        return fm.Header(begin, ours, theirs, int(row["precision"]))

    def send(
        self,
        session_id: int,
        msg_type: str,
        *fields: tuple[int, object],
        answers: simplefix.FixMessage | None = None,
    ) -> None:
        """A message with the next number: journalled, queued; routed as what it answers was."""
        server = self.server
        row = server.wire.sessions[session_id]
        seq = int(row["next_out"])
        now_ns = server.now_ns()
        more: Fields = fm.return_route(answers) if answers is not None else []
        if row["last_processed"]:
            more.append((369, int(row["next_in"]) - 1))
        raw = fm.write(msg_type, self.header(session_id), seq, now_ns, list(fields), more)
        server.make_room()
        data = np.frombuffer(raw, np.uint8).copy()
        recorder.on_message_out(server.wire, server.journal, session_id, data, 0, data.size, now_ns)

    def reject(
        self,
        session_id: int,
        message: simplefix.FixMessage,
        reason: int,
        tag: int | str,
        why: str = "",
    ) -> None:
        """A session-level Reject(3) that names tag, value and reason."""
        value = None if tag in SECRET_TAGS or not tag else text(message, int(tag))
        words = f"SI-REJECT {why or REJECT_TEXT.get(reason, 'rejected')}"
        fields: Fields = [(45, number(message, 34) or 0)]
        if tag:
            words += f": {tag}={value}" if value is not None else f": {tag}"
            fields.append((371, tag))
        if text(message, 35):
            fields.append((372, text(message, 35)))
        version = Version(self.server.wire.sessions[session_id]["version"])
        if reason <= REASON_MAX[version]:
            fields.append((373, reason))
        fields.append((58, words))
        self.send(session_id, "3", *fields, answers=message)

    def logout(self, session_id: int, why: str) -> None:
        """Say Logout(5) and await theirs."""
        self.send(session_id, "5", (58, why))
        row = self.server.wire.sessions[session_id]
        row["state"] = SessionState.LOGGING_OUT
        row["test_sent_ns"] = self.server.now_ns()

    def drop(self, session_id: int, why: str) -> None:
        """Say Logout(5) and disconnect: the session cannot go on."""
        log.warning("session dropped", session=self.names(session_id)[1], why=why)
        self.send(session_id, "5", (58, why))
        connection_id = int(self.server.wire.sessions[session_id]["connection"])
        self.server.connections.finish(connection_id, why)

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, connection_id: int, raw: bytes, problem: int, tag: int) -> None:
        """One whole message that the hot path left; `problem` and `tag` are what it found."""
        message = fm.read(raw)
        session_id = int(self.server.wire.connections[connection_id]["session"])
        if session_id < 0:
            self.logons.first_message(connection_id, message, raw)
            return
        row = self.server.wire.sessions[session_id]
        row["last_recv_ns"] = self.server.now_ns()
        if row["state"] == SessionState.ON:  # else it is when our Logout went out
            row["test_sent_ns"] = 0
        if not self.header_holds(session_id, message, raw):
            return
        msg_type = text(message, 35) or ""
        if msg_type == "4" and text(message, 123) != "Y":
            self.reset_to(session_id, message, raw)
            return
        seq = number(message, 34) or 0
        if msg_type == "A" and text(message, 141) == "Y" and seq == 1:
            self.record(session_id, raw, 0)
            self.logons.again(session_id, message)
            return
        expected = int(row["next_in"])
        if seq > expected:
            self.too_high(session_id, message, raw, seq, expected)
        elif seq < expected:
            self.too_low(session_id, message, raw, seq, expected)
        else:
            self.in_sequence(session_id, message, raw, problem, tag)
            self.take_early(session_id)

    def header_holds(self, session_id: int, message: simplefix.FixMessage, raw: bytes) -> bool:
        """BeginString, MsgSeqNum, CompIDs and SendingTime; False where that was the end of it."""
        header = self.header(session_id)
        if text(message, 8) != header.begin:
            self.record(session_id, raw, 0)
            self.drop(session_id, f"BeginString(8)={text(message, 8)} is not {header.begin}")
            return False
        if number(message, 34) is None:
            self.record(session_id, raw, 0)
            self.drop(session_id, "MsgSeqNum(34) is missing or no number")
            return False
        for tag, ours in ((49, header.theirs), (56, header.ours)):
            got = text(message, tag)
            if got == ours:
                continue
            self.record(session_id, raw, self.number_used(session_id, message))
            self.reject(session_id, message, 1 if got is None else 9, tag)
            if got is not None:
                self.drop(session_id, f"CompID {tag}={got} is not this session's")
            return False
        return self.time_holds(session_id, message, raw)

    def number_used(self, session_id: int, message: simplefix.FixMessage) -> int:
        """The number that a rejected message uses up: its own if it is the next, else 0."""
        seq = number(message, 34)
        expected = int(self.server.wire.sessions[session_id]["next_in"])
        return expected if seq == expected else 0

    def time_holds(self, session_id: int, message: simplefix.FixMessage, raw: bytes) -> bool:
        """SendingTime(52) is there, is a time, and is near our clock (test case 2.o)."""
        sent = text(message, 52)
        sent_ns = fm.time_ns(sent)
        if sent_ns is None:
            self.record(session_id, raw, self.number_used(session_id, message))
            self.reject(session_id, message, 1 if sent is None else 6, 52)
            return False
        limit_ns = int(self.server.wire.sessions[session_id]["latency_max_ns"])
        off_ns = abs(self.server.now_ns() - sent_ns)
        if limit_ns and off_ns > limit_ns:
            self.record(session_id, raw, self.number_used(session_id, message))
            self.reject(session_id, message, 10, 52)
            why = f"SendingTime(52)={sent} is {off_ns // SECOND_NS} s off our clock, "
            self.drop(session_id, why + f"limit {limit_ns // SECOND_NS} s")
            return False
        return True

    def repeat_problem(self, session_id: int, message: simplefix.FixMessage) -> int:
        """SessionRejectReason(373) of OrigSendingTime(122) where PossDupFlag(43)=Y, or -1.

        Test cases 2.f and 2.g; gap fills have no original.
        """
        if text(message, 43) != "Y" or text(message, 35) == "4":
            return -1
        original = text(message, 122)
        if original is None:
            return 1 if self.settings(session_id).requires_orig_sending_time else -1
        original_ns, sent_ns = fm.time_ns(original), fm.time_ns(text(message, 52))
        if original_ns is None or sent_ns is None:
            return 6
        return 10 if original_ns > sent_ns else -1

    def reject_repeat(self, session_id: int, message: simplefix.FixMessage, problem: int) -> None:
        """Say what is wrong with a repeat; a time before its original ends the session."""
        self.reject(session_id, message, problem, 122)
        if problem == 10:
            original = text(message, 122)
            self.drop(session_id, f"OrigSendingTime(122)={original} is after SendingTime(52)")

    def settings(self, session_id: int) -> Session:
        """Its configuration."""
        return self.server.session_table.settings[session_id]

    def record(self, session_id: int, raw: bytes, fix_seq: int) -> None:
        """Journal an inbound message, passwords masked; a number above 0 is used up by it."""
        server = self.server
        server.make_room()
        data = np.frombuffer(masking.masked(raw), np.uint8).copy()
        recorder.on_message_in(
            server.wire, server.journal, session_id, fix_seq, data, 0, data.size, server.now_ns()
        )
        row = server.wire.sessions[session_id]
        if fix_seq > 0:
            row["next_in"] = fix_seq + 1
        server.connections.charge(int(row["connection"]), COLD_NS)

    def set_numbers(self, session_id: int, next_in: int, next_out: int) -> None:
        """Journal and apply new sequence numbers."""
        server = self.server
        row = np.zeros(1, session_set)
        ours, theirs = self.names(session_id)
        for name in SETTINGS:
            row[name] = server.wire.sessions[session_id][name]
        row["echo_tags"][0] = server.wire.echo_tags[session_id]
        anew = next_out == 1 and next_in <= 2
        now_ns = server.now_ns()
        row["since_ns"] = now_ns if anew else server.wire.sessions[session_id]["since_ns"]
        row["next_in"], row["next_out"] = next_in, next_out
        row["their_comp_id"] = pack(theirs, 6)
        row["our_comp_id"] = pack(ours, 6)
        server.make_room()
        recorder.on_session_set(server.wire, server.journal, session_id, row[0], now_ns)

    # --- numbers out of sequence --------------------------------------------------------------

    def too_high(
        self, session_id: int, message: simplefix.FixMessage, raw: bytes, seq: int, expected: int
    ) -> None:
        """Messages are missing: ask for them, once; what came waits until they are there."""
        self.record(session_id, raw, 0)
        msg_type = text(message, 35)
        if msg_type == "2":  # answered at once, or both sides would wait for each other
            self.resends.requested(session_id, message)
        if msg_type == "5":
            self.finish_logout(session_id)
            return
        row = self.server.wire.sessions[session_id]
        waiting = self.early.setdefault(session_id, {})
        if len(waiting) < EARLY_MAX:  # those beyond come again with what we asked for
            # what is answered already only uses up its number
            waiting[seq] = b"" if msg_type == "2" else raw
            row["early"] = 1
        if row["resend_to"] < expected:
            row["resend_to"] = seq - 1
            self.ask_for(session_id, expected)

    def ask_for(self, session_id: int, first: int) -> None:
        """ResendRequest(2): to infinity, or the first part of what is missing."""
        row = self.server.wire.sessions[session_id]
        part = self.settings(session_id).max_messages_in_resend_request
        last = 0 if part == 0 else min(first + part - 1, int(row["resend_to"]))
        row["resend_part"] = last
        if last:
            row["early"] = 1  # the hot path must not pass the end of a part unseen
        self.send(session_id, "2", (7, first), (16, last))

    def too_low(
        self, session_id: int, message: simplefix.FixMessage, raw: bytes, seq: int, expected: int
    ) -> None:
        """Seen before: harmless with PossDupFlag(43), else the session is broken."""
        self.record(session_id, raw, 0)
        if text(message, 43) != "Y":
            self.drop(session_id, f"MsgSeqNum(34) too low, expecting {expected} but received {seq}")
            return
        problem = self.repeat_problem(session_id, message)
        if problem >= 0:
            self.reject_repeat(session_id, message, problem)

    def take_early(self, session_id: int) -> None:
        """Messages that came too early and whose turn it is now, then the next part to ask for."""
        row = self.server.wire.sessions[session_id]
        waiting = self.early.get(session_id, {})
        while row["connection"] >= 0 and int(row["next_in"]) in waiting:
            raw = waiting.pop(int(row["next_in"]))
            if not raw:
                self.set_numbers(session_id, int(row["next_in"]) + 1, int(row["next_out"]))
                continue
            problem, tag, done = self.server.take(session_id, raw)
            if not done:
                self.in_sequence(session_id, fm.read(raw), raw, problem, tag)
        expected = int(row["next_in"])
        for seq in [seq for seq in waiting if seq < expected]:
            del waiting[seq]
        part = int(row["resend_part"])
        if part and expected > part:
            row["resend_part"] = 0
            if expected <= row["resend_to"] and row["connection"] >= 0:
                self.ask_for(session_id, expected)
        row["early"] = int(bool(waiting) or row["resend_part"] != 0)

    def forget_gap(self, session_id: int) -> None:
        """The connection is gone or the numbers are new: nothing is awaited any more."""
        self.early.pop(session_id, None)
        row = self.server.wire.sessions[session_id]
        row["early"] = row["resend_to"] = row["resend_part"] = 0

    # --- in sequence --------------------------------------------------------------------------

    def in_sequence(
        self,
        session_id: int,
        message: simplefix.FixMessage,
        raw: bytes,
        problem: int,
        tag: int,
    ) -> None:
        """The next message: admin, or application that the hot path could not take."""
        row = self.server.wire.sessions[session_id]
        msg_type = text(message, 35) or ""
        seq = number(message, 34) or 0
        repeat = self.repeat_problem(session_id, message)
        if repeat < 0 and problem == -1 and (row["early"] or text(message, 43) == "Y"):
            problem, tag, done = self.server.take(session_id, raw)
            if done:
                return
        version = Version(row["version"])
        if repeat < 0 and problem == -1 and row["state"] == SessionState.ON:
            if msg_type in REQUESTS[version]:
                problem, tag, done = self.server.request(session_id, raw)
                if done:
                    return
        self.record(session_id, raw, seq)
        if repeat >= 0:
            self.reject_repeat(session_id, message, repeat)
        elif problem >= 0:
            self.reject(session_id, message, problem, tag or _strange_tag(raw, problem))
        elif msg_type == "4":
            self.gap_fill(session_id, message, seq)
        elif msg_type == "2":
            self.resends.requested(session_id, message)
        elif msg_type == "1":
            self.answer_test(session_id, message)
        elif msg_type == "5":
            self.finish_logout(session_id)
        elif msg_type == "A":
            self.drop(session_id, "Logon(35=A) while logged on: only with 141=Y and 34=1")
        elif msg_type in ("0", "3", "j"):
            if msg_type != "0":
                log.warning("client rejected a message", raw=masking.masked(raw).decode("latin-1"))
        elif row["state"] != SessionState.ON:
            self.send(
                session_id, "j", (45, seq), (372, msg_type), (380, 4),
                (58, "SI-SESSION the session is logging out"), answers=message,
            )  # fmt: skip
        elif msg_type == "V":
            missing = self.server.subscriptions.request(session_id, message)
            if missing:
                self.reject(session_id, message, 1, missing)
        elif msg_type in fm.TYPES[version]:
            self.send(
                session_id, "j", (45, seq), (372, msg_type), (380, 3),
                (58, f"SI-TYPE MsgType not supported: 35={msg_type}"), answers=message,
            )  # fmt: skip
        else:
            self.reject(session_id, message, 11, 35)

    def answer_test(self, session_id: int, message: simplefix.FixMessage) -> None:
        """A TestRequest(1) that the hot path left: without TestReqID(112)."""
        if text(message, 112) is None:
            self.reject(session_id, message, 1, 112)
        else:
            self.send(session_id, "0", (112, text(message, 112)), answers=message)

    def finish_logout(self, session_id: int) -> None:
        """Their Logout(5): answer it unless it answers ours, then disconnect."""
        row = self.server.wire.sessions[session_id]
        if row["state"] == SessionState.ON:
            self.send(session_id, "5")
        connection_id = int(row["connection"])
        self.server.connections.finish(connection_id, "logged out")
        if self.settings(session_id).reset_on_logout:
            self.set_numbers(session_id, 1, 1)

    def reset_to(self, session_id: int, message: simplefix.FixMessage, raw: bytes) -> None:
        """SequenceReset(4) in reset mode: MsgSeqNum(34) is ignored."""
        self.record(session_id, raw, 0)
        row = self.server.wire.sessions[session_id]
        new = number(message, 36)
        if new is None:
            self.reject(session_id, message, 1 if text(message, 36) is None else 6, 36)
        elif new < row["next_in"]:
            self.reject(session_id, message, 5, 36, f"NewSeqNo below the expected {row['next_in']}")
        else:
            self.set_numbers(session_id, new, int(row["next_out"]))
            self.forget_gap(session_id)

    def gap_fill(self, session_id: int, message: simplefix.FixMessage, seq: int) -> None:
        """SequenceReset(4) with GapFillFlag(123)=Y, in sequence."""
        new = number(message, 36)
        if new is None:
            self.reject(session_id, message, 1 if text(message, 36) is None else 6, 36)
        elif new <= seq:
            self.reject(session_id, message, 5, 36, f"NewSeqNo not above MsgSeqNum {seq}")
        else:
            row = self.server.wire.sessions[session_id]
            self.set_numbers(session_id, new, int(row["next_out"]))

    # --- time ---------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: silent peers, unanswered logouts, schedules."""
        now_ns, rows = self.server.now_ns(), self.server.wire.sessions
        np.minimum(rows["last_recv_ns"], now_ns, out=rows["last_recv_ns"])  # clocks are set back
        for session_id in np.flatnonzero(self._is_due(rows, now_ns)).tolist():
            self._tick_session(session_id, rows[session_id], now_ns)
        self.logons.tick(now_ns)

    def _is_due(self, rows: Any, now_ns: int) -> Any:
        """Of each session whether its tick has something to do: 250 of them would take 3 ms."""
        silent = now_ns - rows["last_recv_ns"] > rows["heartbeat_ns"] * 6 // 5
        waits = (rows["heartbeat_ns"] > 0) & (silent | (rows["test_sent_ns"] != 0))
        open_ns = self.server.session_table.open_ns
        closed = (now_ns < open_ns[:, 0]) | (now_ns >= open_ns[:, 1])
        waits |= rows["state"] == SessionState.LOGGING_OUT
        return (rows["connection"] >= 0) & (closed | waits)

    def _tick_session(self, session_id: int, row: Any, now_ns: int) -> None:
        settings = self.settings(session_id)
        if row["state"] == SessionState.LOGGING_OUT:
            if not 0 <= now_ns - row["test_sent_ns"] <= settings.logout_timeout * SECOND_NS:
                self.server.connections.close(int(row["connection"]), "no answer to Logout")
            return
        if not self.server.session_table.is_open(session_id, now_ns):
            self.logout(session_id, "the session's time is over")
            return
        allowed_ns = int(row["heartbeat_ns"]) * 6 // 5
        if allowed_ns == 0:
            return
        if row["test_sent_ns"]:
            if now_ns - row["test_sent_ns"] > allowed_ns:
                self.drop(session_id, "no answer to TestRequest(1)")
        elif now_ns - row["last_recv_ns"] > allowed_ns:
            self.send(session_id, "1", (112, f"SI-{now_ns}"))
            row["test_sent_ns"] = now_ns


def _strange_tag(raw: bytes, problem: int) -> int | str:
    """The tag of a field whose tag is no number the hot path takes (0, -1), to be named in 371."""
    if problem != 0:
        return 0
    for field in raw.split(b"\x01"):
        tag = field.partition(b"=")[0]
        digits = tag.removeprefix(b"-")  # of bytes only 0 to 9 are digits; of text also a "\u00b2"
        if tag and not (tag.isdigit() and tag[:1] != b"0"):
            return tag.decode() if digits.isdigit() and len(digits) < 10 else 0
    return 0
