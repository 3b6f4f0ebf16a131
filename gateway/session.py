"""FIX sessions, the rare part: logon, gaps, resends, resets, rejects, logout (FIX 4.4 volume 2).

The compiled loop hands over each message it does not do itself; this file answers it, in the same
thread. Everything it changes goes through the journal, like any input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import simplefix
import structlog

from engine.schema import pack, session_set
from gateway import fix_message as fm
from gateway import recorder
from gateway.fix_message import number, text
from gateway.wire import SessionState

if TYPE_CHECKING:
    from gateway.server import Server

SECOND_NS = 1_000_000_000
#: What a change of numbers leaves as it is.
SETTINGS = (
    "client", "status", "version", "precision", "fill_style", "last_processed", "out_tags",
)  # fmt: skip
LOGON_WAIT_NS = 10 * SECOND_NS  # a connection that has not logged on by then is closed
LOGOUT_WAIT_NS = 2 * SECOND_NS
HEARTBEAT_MAX = 3600  # seconds
RESEND_CHUNK = 500  # messages sent again before others get their turn

log = structlog.get_logger()

REJECT_TEXT = {
    0: "invalid tag number",
    1: "required tag missing",
    4: "tag without a value",
    5: "value is incorrect",
    6: "incorrect data format",
    9: "CompID problem",
    11: "invalid MsgType",
    13: "tag appears more than once",
}


class Backlog(NamedTuple):
    """What is still to be sent again: journal positions by number, from `first` on."""

    first: int
    places: Any


class Sessions:
    """Answers what the hot path leaves over; one object, owned by the server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.backlog: dict[int, Backlog] = {}

    # --- sending ------------------------------------------------------------------------------

    def names(self, session_id: int) -> tuple[str, str]:
        """Our CompID and theirs."""
        wire = self.server.wire
        row = wire.sessions[session_id]
        ours = wire.our_ids[session_id, : row["target_size"]].tobytes().decode()
        theirs = wire.their_ids[session_id, : row["sender_size"]].tobytes().decode()
        return ours, theirs

    def send(self, session_id: int, msg_type: str, *fields: tuple[int, object]) -> None:
        """An admin message with the next number: journalled, queued."""
        server = self.server
        ours, theirs = self.names(session_id)
        seq = int(server.wire.sessions[session_id]["next_out"])
        now_ns = server.now_ns()
        raw = fm.write(msg_type, ours, theirs, seq, now_ns, list(fields))
        data = np.frombuffer(raw, np.uint8).copy()
        recorder.on_message_out(server.wire, server.journal, session_id, data, 0, data.size, now_ns)

    def reject(
        self, session_id: int, message: simplefix.FixMessage, reason: int, tag: int, why: str = ""
    ) -> None:
        """A session-level Reject(3) that names tag, value and reason."""
        value = text(message, tag) if tag else None
        words = f"SI-REJECT {why or REJECT_TEXT.get(reason, 'rejected')}"
        if tag:
            words += f": {tag}={value}" if value is not None else f": {tag}"
        fields: list[tuple[int, object]] = [(45, number(message, 34) or 0)]
        if tag:
            fields.append((371, tag))
        if text(message, 35):
            fields.append((372, text(message, 35)))
        fields += [(373, reason), (58, words)]
        self.send(session_id, "3", *fields)

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
        self.server.flush()
        self.server.close(connection_id, why)

    def refuse(self, connection_id: int, message: simplefix.FixMessage, why: str) -> None:
        """Answer a Logon that cannot be: a Logout(5) outside any session, then disconnect."""
        log.warning("logon refused", comp_id=text(message, 49), why=why)
        raw = fm.write(
            "5", text(message, 56) or "?", text(message, 49) or "?", 1, self.server.now_ns(),
            [(58, why)],
        )  # fmt: skip
        self.server.send_raw(connection_id, raw)
        self.server.close(connection_id, why)

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, connection_id: int, raw: bytes, problem: int, tag: int) -> None:
        """One whole message that the hot path left."""
        message = fm.read(raw)
        session_id = int(self.server.wire.connections[connection_id]["session"])
        msg_type = text(message, 35) or ""
        if session_id < 0:
            if msg_type != "A" or text(message, 8) != "FIX.4.4":
                self.server.close(connection_id, "first message is not a FIX 4.4 Logon")
            else:
                self.logon(connection_id, message, raw)
            return
        row = self.server.wire.sessions[session_id]
        row["last_recv_ns"] = self.server.now_ns()
        if row["state"] == SessionState.ON:  # else it is when our Logout went out
            row["test_sent_ns"] = 0
        if not self.header_holds(session_id, message, raw):
            return
        if msg_type == "4" and text(message, 123) != "Y":
            self.reset_to(session_id, message, raw)
            return
        seq = number(message, 34) or 0
        if msg_type == "A" and text(message, 141) == "Y" and seq == 1:
            self.record(session_id, raw, 0)
            self.logon_again(session_id, message)
            return
        expected = int(row["next_in"])
        if seq > expected:
            self.too_high(session_id, message, raw, seq, expected)
        elif seq < expected:
            self.too_low(session_id, message, raw, seq, expected)
        else:
            self.in_sequence(session_id, message, raw, problem, tag)

    def header_holds(self, session_id: int, message: simplefix.FixMessage, raw: bytes) -> bool:
        """BeginString, CompIDs and MsgSeqNum; False where the session cannot go on."""
        ours, theirs = self.names(session_id)
        if text(message, 8) != "FIX.4.4":
            self.record(session_id, raw, 0)
            self.drop(session_id, f"BeginString(8)={text(message, 8)} is not FIX.4.4")
            return False
        if number(message, 34) is None:
            self.record(session_id, raw, 0)
            self.drop(session_id, "MsgSeqNum(34) is missing or no number")
            return False
        if text(message, 49) != theirs or text(message, 56) != ours:
            tag = 49 if text(message, 49) != theirs else 56
            self.record(session_id, raw, 0)
            self.reject(session_id, message, 9 if text(message, tag) is not None else 1, tag)
            self.drop(session_id, f"CompID {tag}={text(message, tag)} is not this session's")
            return False
        return True

    def record(self, session_id: int, raw: bytes, fix_seq: int) -> None:
        """Journal an inbound message; a number above 0 is used up by it."""
        server = self.server
        data = np.frombuffer(raw, np.uint8).copy()
        recorder.on_message_in(
            server.wire, server.journal, session_id, fix_seq, data, 0, data.size, server.now_ns()
        )
        if fix_seq > 0:
            server.wire.sessions[session_id]["next_in"] = fix_seq + 1

    def set_numbers(self, session_id: int, next_in: int, next_out: int) -> None:
        """Journal and apply new sequence numbers."""
        wire = self.server.wire
        row = np.zeros(1, session_set)
        ours, theirs = self.names(session_id)
        row["next_in"], row["next_out"] = next_in, next_out
        for name in SETTINGS:
            row[name] = wire.sessions[session_id][name]
        row["their_comp_id"] = pack(theirs, 6)
        row["our_comp_id"] = pack(ours, 6)
        recorder.on_session_set(wire, self.server.journal, session_id, row[0], self.server.now_ns())

    def too_high(
        self, session_id: int, message: simplefix.FixMessage, raw: bytes, seq: int, expected: int
    ) -> None:
        """Messages are missing: ask for them, once; what came is sent again with them."""
        self.record(session_id, raw, 0)
        msg_type = text(message, 35)
        if msg_type == "2":  # answered at once, or both sides would wait for each other
            self.resend(session_id, message)
        if msg_type == "5":
            self.finish_logout(session_id)
            return
        row = self.server.wire.sessions[session_id]
        if row["resend_to"] < expected:
            row["resend_to"] = seq - 1
            self.send(session_id, "2", (7, expected), (16, 0))

    def too_low(
        self, session_id: int, message: simplefix.FixMessage, raw: bytes, seq: int, expected: int
    ) -> None:
        """Seen before: harmless with PossDupFlag(43), else the session is broken."""
        self.record(session_id, raw, 0)
        if text(message, 43) != "Y":
            self.drop(session_id, f"MsgSeqNum(34) too low, expecting {expected} but received {seq}")

    def in_sequence(
        self,
        session_id: int,
        message: simplefix.FixMessage,
        raw: bytes,
        problem: int,
        tag: int,
    ) -> None:
        """The next message: admin, or application that the hot path could not take."""
        msg_type = text(message, 35) or ""
        seq = number(message, 34) or 0
        self.record(session_id, raw, seq)
        if problem >= 0:
            self.reject(session_id, message, problem, tag)
        elif text(message, 52) is None:
            self.reject(session_id, message, 1, 52)
        elif msg_type == "4":
            self.gap_fill(session_id, message, seq)
        elif msg_type == "2":
            self.resend(session_id, message)
        elif msg_type == "1":
            self.answer_test(session_id, message)
        elif msg_type == "5":
            self.finish_logout(session_id)
        elif msg_type == "A":
            self.drop(session_id, "Logon(35=A) while logged on: only with 141=Y and 34=1")
        elif msg_type in ("0", "3", "j"):
            if msg_type != "0":
                log.warning("client rejected a message", raw=raw.decode("latin-1"))
        elif msg_type in ("D", "F", "H"):
            self.reject(session_id, message, 99, 0, "session is logging out")
        elif msg_type in fm.TYPES_44:
            self.send(
                session_id, "j", (45, seq), (372, msg_type), (380, 3),
                (58, f"SI-TYPE MsgType not supported: 35={msg_type}"),
            )  # fmt: skip
        else:
            self.reject(session_id, message, 11, 35)

    def answer_test(self, session_id: int, message: simplefix.FixMessage) -> None:
        """A TestRequest(1) that the hot path left: without TestReqID(112)."""
        if text(message, 112) is None:
            self.reject(session_id, message, 1, 112)
        else:
            self.send(session_id, "0", (112, text(message, 112)))

    # --- logon and logout ---------------------------------------------------------------------

    def logon(self, connection_id: int, message: simplefix.FixMessage, raw: bytes) -> None:
        """The first message of a connection."""
        server = self.server
        session_id = server.find_session(text(message, 49), text(message, 56))
        if session_id < 0:
            self.refuse(
                connection_id, message,
                f"no session for SenderCompID(49)={text(message, 49)} "
                f"TargetCompID(56)={text(message, 56)}",
            )  # fmt: skip
            return
        row = server.wire.sessions[session_id]
        heartbeat = number(message, 108)
        seq = number(message, 34)
        reset = text(message, 141) == "Y"
        refusal = ""
        if row["connection"] >= 0:
            refusal = "this session is logged on already"
        elif seq is None or seq == 0:
            refusal = "MsgSeqNum(34) is missing or no number"
        elif text(message, 98) not in ("0", None):
            refusal = f"EncryptMethod(98)={text(message, 98)} is not supported: use 0"
        elif heartbeat is None or heartbeat > HEARTBEAT_MAX:
            refusal = f"HeartBtInt(108)={text(message, 108)} must be 0 to {HEARTBEAT_MAX}"
        elif reset and seq != 1:
            refusal = f"ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1, not {seq}"
        if refusal:
            self.refuse(connection_id, message, refusal)
            return
        assert seq is not None and heartbeat is not None
        if reset or server.resets_on_logon(session_id):
            self.set_numbers(session_id, 1, 1)
        expected = int(row["next_in"])
        if seq < expected and text(message, 43) != "Y":
            self.record(session_id, raw, 0)
            self.refuse_low(connection_id, session_id, seq, expected)
            return
        self.bind(connection_id, session_id, heartbeat)
        self.record(session_id, raw, seq if seq == expected else 0)
        fields: list[tuple[int, object]] = [(98, 0), (108, heartbeat)]
        if reset:
            fields.append((141, "Y"))
        self.send(session_id, "A", *fields)
        log.info("logged on", session=self.names(session_id)[1], next_in=int(row["next_in"]))
        if seq > expected:
            row["resend_to"] = seq - 1
            self.send(session_id, "2", (7, expected), (16, 0))

    def refuse_low(self, connection_id: int, session_id: int, seq: int, expected: int) -> None:
        """A Logon with a number that was used: say Logout in the session, then disconnect."""
        row = self.server.wire.sessions[session_id]
        row["connection"] = connection_id
        self.server.wire.connections[connection_id]["session"] = session_id
        self.drop(session_id, f"MsgSeqNum(34) too low, expecting {expected} but received {seq}")

    def bind(self, connection_id: int, session_id: int, heartbeat: int) -> None:
        """The connection carries the session from now on."""
        wire, now_ns = self.server.wire, self.server.now_ns()
        wire.connections[connection_id]["session"] = session_id
        row = wire.sessions[session_id]
        row["connection"] = connection_id
        row["state"] = SessionState.ON
        row["heartbeat_ns"] = heartbeat * SECOND_NS
        row["last_recv_ns"] = now_ns
        row["last_sent_ns"] = now_ns
        row["test_sent_ns"] = 0
        row["resend_to"] = 0

    def logon_again(self, session_id: int, message: simplefix.FixMessage) -> None:
        """A Logon(A) while logged on, to reset the numbers."""
        heartbeat = number(message, 108)
        if heartbeat is None or heartbeat > HEARTBEAT_MAX:
            self.drop(
                session_id, f"HeartBtInt(108)={text(message, 108)} must be 0 to {HEARTBEAT_MAX}"
            )
            return
        self.backlog.pop(session_id, None)
        self.server.wire.sessions[session_id]["resend_to"] = 0
        self.set_numbers(session_id, 2, 1)
        self.server.wire.sessions[session_id]["heartbeat_ns"] = heartbeat * SECOND_NS
        self.send(session_id, "A", (98, 0), (108, heartbeat), (141, "Y"))

    def finish_logout(self, session_id: int) -> None:
        """Their Logout(5): answer it unless it answers ours, then disconnect."""
        row = self.server.wire.sessions[session_id]
        if row["state"] == SessionState.ON:
            self.send(session_id, "5")
        connection_id = int(row["connection"])
        self.server.flush()
        self.server.close(connection_id, "logged out")

    # --- sequence numbers ---------------------------------------------------------------------

    def reset_to(self, session_id: int, message: simplefix.FixMessage, raw: bytes) -> None:
        """SequenceReset(4) in reset mode: MsgSeqNum(34) is ignored."""
        self.record(session_id, raw, 0)
        row = self.server.wire.sessions[session_id]
        new = number(message, 36)
        if new is None:
            self.reject(session_id, message, 1, 36)
        elif new < row["next_in"]:
            self.reject(session_id, message, 5, 36, f"NewSeqNo below the expected {row['next_in']}")
        else:
            self.set_numbers(session_id, new, int(row["next_out"]))

    def gap_fill(self, session_id: int, message: simplefix.FixMessage, seq: int) -> None:
        """SequenceReset(4) with GapFillFlag(123)=Y, in sequence."""
        new = number(message, 36)
        if new is None:
            self.reject(session_id, message, 1, 36)
        elif new <= seq:
            self.reject(session_id, message, 5, 36, f"NewSeqNo not above MsgSeqNum {seq}")
        else:
            row = self.server.wire.sessions[session_id]
            self.set_numbers(session_id, new, int(row["next_out"]))

    def resend(self, session_id: int, message: simplefix.FixMessage) -> None:
        """ResendRequest(2): reports again from the journal, gap fills for session messages."""
        first, last = number(message, 7), number(message, 16)
        if first is None or last is None:
            self.reject(session_id, message, 1, 7 if first is None else 16)
            return
        newest = int(self.server.wire.sessions[session_id]["next_out"]) - 1
        last = newest if last == 0 or last > newest else last
        if first < 1 or first > last:
            if first != newest + 1:
                self.reject(session_id, message, 5, 7, f"nothing to resend, last sent is {newest}")
            return
        places = self.server.sent_places(session_id, first, last)
        self.backlog[session_id] = Backlog(first, places)
        self.resend_some(session_id)

    def resend_some(self, session_id: int) -> None:
        """As much of a resend as one turn allows; the tick goes on with the rest."""
        first, places = self.backlog.pop(session_id)
        server = self.server
        stop = first + min(len(places), RESEND_CHUNK) - 1
        gap_from = 0
        for seq in range(first, stop + 1):
            raw = server.sent_message(session_id, seq, int(places[seq - first]))
            if raw is None or _msg_type(raw) in fm.SESSION_TYPES:
                gap_from = gap_from or seq
                continue
            if gap_from:
                self._fill_gap(session_id, gap_from, seq)
                gap_from = 0
            self._resend_raw(session_id, seq, fm.again(raw, server.now_ns()))
        if gap_from:
            self._fill_gap(session_id, gap_from, stop + 1)
        if len(places) > RESEND_CHUNK:
            self.backlog[session_id] = Backlog(stop + 1, places[RESEND_CHUNK:])
            server.wire.loop[0]["next_second_ns"] = 0

    def _fill_gap(self, session_id: int, first: int, new: int) -> None:
        ours, theirs = self.names(session_id)
        now_ns = self.server.now_ns()
        fields: list[tuple[int, object]] = [
            (43, "Y"), (122, fm.stamp(now_ns)), (123, "Y"), (36, new),
        ]  # fmt: skip
        self._resend_raw(session_id, first, fm.write("4", ours, theirs, first, now_ns, fields))

    def _resend_raw(self, session_id: int, seq: int, raw: bytes) -> None:
        server = self.server
        server.make_room()
        data = np.frombuffer(raw, np.uint8).copy()
        recorder.on_resent(
            server.wire, server.journal, session_id, seq, data, data.size, server.now_ns()
        )

    # --- time ---------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: silent peers, unanswered logouts, rest of resends, slow readers."""
        server = self.server
        now_ns = server.now_ns()
        for session_id in list(self.backlog):
            self.resend_some(session_id)
        rows = server.wire.sessions
        for session_id in np.flatnonzero(rows["connection"] >= 0).tolist():
            self._tick_session(session_id, rows[session_id], now_ns)
        connections = server.wire.connections
        for connection_id in np.flatnonzero(connections["fd"] >= 0).tolist():
            row = connections[connection_id]
            if row["slow"]:
                owed = int(row["tx_end"] - row["tx_start"])
                server.close(connection_id, f"slow reader: {owed} bytes not read")
            elif row["session"] < 0 and now_ns - row["opened_ns"] > LOGON_WAIT_NS:
                server.close(connection_id, "no Logon within 10 seconds")

    def _tick_session(self, session_id: int, row: Any, now_ns: int) -> None:
        if row["state"] == SessionState.LOGGING_OUT:
            if now_ns - row["test_sent_ns"] > LOGOUT_WAIT_NS:
                self.server.close(int(row["connection"]), "no answer to Logout")
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


def _msg_type(raw: bytes) -> bytes:
    return raw.split(b"\x0135=", 1)[1].split(b"\x01", 1)[0]
