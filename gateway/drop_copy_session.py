"""A drop copy session as a state machine (FIX 4.4 vol. 2): bytes in, bytes out, time an argument.

No socket and no clock. `Session` is one consumer over all its connections; it writes to the output
of the `Link` that is logged on, or only to its store while the consumer is away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from gateway import fix_message as fm
from gateway.drop_copy_config import DropCopySession
from gateway.drop_copy_feed import Place, Report
from gateway.drop_copy_report import copy_of, header_of
from gateway.fix_pairs import Piece, first_values, split, whole_number
from gateway.wire import VERSION_OF

SECOND_NS = 1_000_000_000
LOGOUT_WAIT_NS = 2 * SECOND_NS
HEARTBEAT_MAX = 3600  # seconds
RESEND_CHUNK = 500  # messages sent again in one turn
OWED_MAX = 1 << 20  # bytes not yet taken by a consumer above which it gets no more reports
APPL_VER_ID = "9"  # FIX 5.0 SP2, DefaultApplVerID(1137)

_HEADER_ONCE = (8, 9, 34, 35, 43, 49, 52, 56)


class Stored(Protocol):
    """What a session needs of its store (`gateway.drop_copy_store.Store`)."""

    @property
    def next_out(self) -> int: ...
    @property
    def next_in(self) -> int: ...
    def put_copy(self, raw: bytes, place: Place, ts_ns: int) -> None: ...
    def put_admin(self, raw: bytes, ts_ns: int) -> None: ...
    def expect(self, number: int, ts_ns: int) -> None: ...
    def reset(self, ts_ns: int) -> None: ...
    def linked(self, logged_on: bool, ts_ns: int) -> None: ...
    def message(self, number: int) -> bytes | None: ...


class Output(Protocol):
    """Where a session's bytes go: the connection that it is logged on through."""

    output: bytearray

    def close(self, why: str, now_ns: int) -> None: ...


Fields = dict[int, str]


class Session:
    """One consumer: its numbers, what it was sent, whether it is logged on."""

    def __init__(self, config: DropCopySession, store: Stored, now_ns: int) -> None:
        self.config = config
        self.header = header_of(config)
        self.store = store
        self.link: Output | None = None
        self.logging_out_ns = 0  # when our Logout went out, else 0
        self.heartbeat_ns = 0
        self.last_recv_ns = 0
        self.last_sent_ns = 0
        self.test_sent_ns = 0  # when an unanswered TestRequest went out, else 0
        self.resend_to = 0  # highest number asked again for
        self.backlog = range(0)  # numbers still to be sent again
        store.linked(False, now_ns)

    # --- reports ------------------------------------------------------------------------------

    @property
    def wants_reports(self) -> bool:
        """Whether a report may be taken from the journal now.

        While the consumer is away always: numbers go on. Else when it has taken what it was sent,
        and not before a resend is done: what waits, waits in the journal.
        """
        if self.link is None:
            return True
        return not self.backlog and len(self.link.output) < OWED_MAX

    def copy(self, report: Report, now_ns: int) -> None:
        """A report of a client: stored with its number and place, then sent."""
        raw = copy_of(report.raw, self.header, self.store.next_out, now_ns)
        self.store.put_copy(raw, report.place, now_ns)
        if self.link is not None and not self.logging_out_ns:
            self._out(raw, now_ns)

    # --- sending ------------------------------------------------------------------------------

    def send(self, msg_type: str, now_ns: int, *fields: tuple[int, object]) -> None:
        """A session message with the next number: stored, then sent."""
        raw = fm.write(msg_type, self.header, self.store.next_out, now_ns, list(fields))
        self.store.put_admin(raw, now_ns)
        self._out(raw, now_ns)

    def _out(self, raw: bytes, now_ns: int) -> None:
        if self.link is not None:
            self.link.output += raw
            self.last_sent_ns = now_ns

    def reject(
        self, values: Fields, reason: int, tag: int, now_ns: int, why: str = "rejected"
    ) -> None:
        """A session-level Reject(3) that names tag, value and reason."""
        words = why + (f": {tag}={values[tag]}" if tag in values else f": {tag}" if tag else "")
        fields: list[tuple[int, object]] = [(45, whole_number(values.get(34)) or 0)]
        if tag:
            fields.append((371, tag))
        if values.get(35):
            fields.append((372, values[35]))
        self.send("3", now_ns, *fields, (373, reason), (58, words))

    def drop(self, why: str, now_ns: int) -> None:
        """Say Logout(5) and disconnect: the session cannot go on."""
        self.send("5", now_ns, (58, why))
        self._close(why, now_ns)

    def log_out(self, why: str, now_ns: int) -> None:
        """Say Logout(5) and await theirs."""
        if self.link is not None and not self.logging_out_ns:
            self.send("5", now_ns, (58, why))
            self.logging_out_ns = now_ns

    def _close(self, why: str, now_ns: int) -> None:
        link = self.link
        self.unlink(now_ns)
        if link is not None:
            link.close(why, now_ns)

    def unlink(self, now_ns: int) -> None:
        """The connection is gone; the session and its numbers stay."""
        self.link = None
        self.backlog = range(0)
        self.resend_to = 0
        self.test_sent_ns = 0
        self.logging_out_ns = 0
        self.store.linked(False, now_ns)

    # --- logon --------------------------------------------------------------------------------

    def refusal(self, values: Fields) -> str:
        """Why a Logon(A) cannot be; empty where it can."""
        heartbeat, seq = whole_number(values.get(108)), whole_number(values.get(34))
        if self.link is not None:
            return "this session is logged on already"
        if not seq:
            return "MsgSeqNum(34) is missing or no number"
        if values.get(98, "0") != "0":
            return f"EncryptMethod(98)={values[98]} is not supported: use 0"
        if heartbeat is None or heartbeat > HEARTBEAT_MAX:
            return f"HeartBtInt(108)={values.get(108)} must be 0 to {HEARTBEAT_MAX}"
        if values.get(141) == "Y" and seq != 1:
            return f"ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1, not {seq}"
        if self.config.begin_string == "FIXT.1.1" and values.get(1137) != APPL_VER_ID:
            return f"DefaultApplVerID(1137)={values.get(1137)} is not offered: use {APPL_VER_ID}"
        next_expected = values.get(789)
        if next_expected is not None:
            newest = 1 if values.get(141) == "Y" else self.store.next_out
            wanted = whole_number(next_expected)
            if not wanted or wanted > newest:
                return f"NextExpectedMsgSeqNum(789)={next_expected} is not 1 to {newest}"
        return ""

    def log_on(self, link: Output, values: Fields, now_ns: int) -> None:
        """The first message of a connection, which `refusal` lets pass."""
        seq = whole_number(values[34]) or 0
        reset = values.get(141) == "Y"
        if reset:
            self.store.reset(now_ns)
        expected = self.store.next_in
        self.link = link
        self.last_recv_ns = now_ns
        if seq < expected and values.get(43) != "Y":
            self._too_low(seq, expected, now_ns)
            return
        self.store.linked(True, now_ns)
        self.heartbeat_ns = int(values[108]) * SECOND_NS
        if seq == expected:
            self.store.expect(seq + 1, now_ns)
        logon_seq = self.store.next_out
        self._answer_logon(values, reset, now_ns)
        wanted = whole_number(values.get(789))
        if wanted is not None and wanted < logon_seq:
            self.backlog = range(wanted, logon_seq + 1)
        if seq > expected and wanted is None:  # with 789 our own 789 has asked for them
            self._ask_again(seq, expected, now_ns)

    def _answer_logon(self, values: Fields, reset: bool, now_ns: int) -> None:
        fields: list[tuple[int, object]] = [(98, 0), (108, values[108])]
        if reset:
            fields.append((141, "Y"))
        if 789 in values:
            fields.append((789, self.store.next_in))
        if self.config.begin_string == "FIXT.1.1":
            fields.append((1137, APPL_VER_ID))
        self.send("A", now_ns, *fields)

    def _log_on_again(self, values: Fields, now_ns: int) -> None:
        """A Logon(A) while logged on, to reset the numbers."""
        heartbeat = whole_number(values.get(108))
        if heartbeat is None or heartbeat > HEARTBEAT_MAX:
            text = f"HeartBtInt(108)={values.get(108)} must be 0 to {HEARTBEAT_MAX}"
            self.drop(text, now_ns)
            return
        self.backlog = range(0)
        self.resend_to = 0
        self.store.reset(now_ns)
        self.store.expect(2, now_ns)
        self.heartbeat_ns = heartbeat * SECOND_NS
        self._answer_logon(values, True, now_ns)

    # --- receiving ----------------------------------------------------------------------------

    def receive(self, raw: bytes, now_ns: int) -> None:
        """One whole message of the consumer, after its Logon."""
        pieces = split(raw)
        values = first_values(pieces)
        self.last_recv_ns = now_ns
        self.test_sent_ns = 0
        if not self._header_holds(values, now_ns):
            return
        msg_type = values.get(35, "")
        if msg_type == "4" and values.get(123) != "Y":
            self._reset_to(values, now_ns)
            return
        seq, expected = int(values[34]), self.store.next_in
        if msg_type == "A" and values.get(141) == "Y" and seq == 1:
            self._log_on_again(values, now_ns)
        elif seq > expected:
            self._too_high(values, seq, expected, now_ns)
        elif seq < expected:
            if values.get(43) != "Y":  # else seen before
                self._too_low(seq, expected, now_ns)
        else:
            self.store.expect(seq + 1, now_ns)
            self._in_sequence(pieces, values, now_ns)

    def _header_holds(self, values: Fields, now_ns: int) -> bool:
        """BeginString, MsgSeqNum and CompIDs; False where the session cannot go on."""
        begin, ours, theirs = self.config.key
        if values.get(8) != begin:
            self.drop(f"BeginString(8)={values.get(8)} is not {begin}", now_ns)
            return False
        if whole_number(values.get(34)) is None:
            self.drop("MsgSeqNum(34) is missing or no number", now_ns)
            return False
        for tag, right in ((49, theirs), (56, ours)):
            if values.get(tag) != right:
                self.reject(values, 9 if tag in values else 1, tag, now_ns, "CompID problem")
                self.drop(f"CompID {tag}={values.get(tag)} is not this session's", now_ns)
                return False
        return True

    def _too_low(self, seq: int, expected: int, now_ns: int) -> None:
        text = f"MsgSeqNum(34) too low, expecting {expected} but received {seq}"
        self.drop(text, now_ns)

    def _too_high(self, values: Fields, seq: int, expected: int, now_ns: int) -> None:
        """Messages are missing: ask for them, once; what came is sent again with them."""
        if values.get(35) == "5":
            self._finish_logout(now_ns)
            return
        if self.resend_to < expected:
            self._ask_again(seq, expected, now_ns)
        if values.get(35) == "2":  # answered at once, or both sides would wait for each other
            self._resend(values, now_ns)

    def _ask_again(self, seq: int, expected: int, now_ns: int) -> None:
        self.resend_to = seq - 1
        self.send("2", now_ns, (7, expected), (16, 0))

    def _in_sequence(self, pieces: list[Piece], values: Fields, now_ns: int) -> None:
        fault = next(faults(pieces), None)
        msg_type = values.get(35, "")
        if fault is not None:
            self.reject(values, *fault[:2], now_ns, fault[2])
        elif 52 not in values:
            self.reject(values, 1, 52, now_ns, "required tag missing")
        elif msg_type == "4":
            self._gap_fill(values, now_ns)
        elif msg_type == "2":
            self._resend(values, now_ns)
        elif msg_type == "1":
            if 112 in values:
                self.send("0", now_ns, (112, values[112]))
            else:
                self.reject(values, 1, 112, now_ns, "required tag missing")
        elif msg_type == "5":
            self._finish_logout(now_ns)
        elif msg_type == "A":
            self.drop("Logon(35=A) while logged on: only with 141=Y and 34=1", now_ns)
        elif msg_type in ("0", "3", "j"):
            pass  # a report that the consumer rejects was sent all the same
        elif msg_type in fm.TYPES[VERSION_OF[self.config.begin_string]]:
            text = f"a drop copy takes session messages only: 35={msg_type}"
            number = int(values[34])
            self.send("j", now_ns, (45, number), (372, msg_type), (380, 3), (58, text))
        else:
            self.reject(values, 11, 35, now_ns, "invalid MsgType")

    def _finish_logout(self, now_ns: int) -> None:
        """Their Logout(5): answer it unless it answers ours, then disconnect."""
        if not self.logging_out_ns:
            self.send("5", now_ns)
        self._close("logged out", now_ns)

    # --- sequence numbers ---------------------------------------------------------------------

    def _number(self, values: Fields, tag: int, now_ns: int) -> int | None:
        """A tag's number; rejected where it is missing or none."""
        number = whole_number(values.get(tag))
        if number is None:
            why = "no whole number" if tag in values else "required tag missing"
            self.reject(values, 6 if tag in values else 1, tag, now_ns, why)
        return number

    def _reset_to(self, values: Fields, now_ns: int) -> None:
        """SequenceReset(4) in reset mode: MsgSeqNum(34) is ignored."""
        new, expected = self._number(values, 36, now_ns), self.store.next_in
        if new is not None and new < expected:
            self.reject(values, 5, 36, now_ns, f"NewSeqNo below the expected {expected}")
        elif new is not None:
            self.store.expect(new, now_ns)

    def _gap_fill(self, values: Fields, now_ns: int) -> None:
        """SequenceReset(4) with GapFillFlag(123)=Y, in sequence."""
        new, seq = self._number(values, 36, now_ns), int(values[34])
        if new is not None and new <= seq:
            self.reject(values, 5, 36, now_ns, f"NewSeqNo not above MsgSeqNum {seq}")
        elif new is not None:
            self.store.expect(new, now_ns)

    def _resend(self, values: Fields, now_ns: int) -> None:
        """ResendRequest(2): reports again from the store, gap fills for session messages."""
        first, last = self._number(values, 7, now_ns), None
        if first is not None:
            last = self._number(values, 16, now_ns)
        if first is None or last is None:
            return
        newest = self.store.next_out - 1
        last = newest if last == 0 or last > newest else last
        if first < 1 or first > last:
            if first != newest + 1:
                why = f"nothing to resend, last sent is {newest}"
                self.reject(values, 5, 7, now_ns, why)
            return
        self.backlog = range(first, last + 1)

    def resend_some(self, now_ns: int) -> None:
        """As much of a resend as one turn allows, while the consumer takes it."""
        gap_from, seq = 0, 0
        for seq in self.backlog[:RESEND_CHUNK]:
            if self.link is None or len(self.link.output) >= OWED_MAX:
                break
            self.backlog = self.backlog[1:]
            raw = self.store.message(seq)
            if raw is None:
                gap_from = gap_from or seq
                continue
            if gap_from:
                self._fill(gap_from, seq, now_ns)
                gap_from = 0
            self._out(fm.again(raw, now_ns), now_ns)
        if gap_from:  # the output grows with reports only, so the last one looked at was none
            self._fill(gap_from, seq + 1, now_ns)

    def _fill(self, first: int, new: int, now_ns: int) -> None:
        fields: fm.Fields = [(43, "Y"), (122, fm.stamp(now_ns)), (123, "Y"), (36, new)]
        self._out(fm.write("4", self.header, first, now_ns, fields), now_ns)

    # --- time ---------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """What time brings: the rest of a resend, heartbeats, silent peers, unanswered logouts."""
        if self.link is None:
            return
        if self.backlog:
            self.resend_some(now_ns)
        if self.logging_out_ns:
            if now_ns - self.logging_out_ns > LOGOUT_WAIT_NS:
                self._close("no answer to Logout", now_ns)
            return
        if self.heartbeat_ns == 0:
            return
        allowed_ns = self.heartbeat_ns * 6 // 5
        if self.test_sent_ns and now_ns - self.test_sent_ns > allowed_ns:
            self.drop("no answer to TestRequest(1)", now_ns)
        elif not self.test_sent_ns and now_ns - self.last_recv_ns > allowed_ns:
            self.send("1", now_ns, (112, f"SI-{now_ns}"))
            self.test_sent_ns = now_ns
        elif now_ns - self.last_sent_ns >= self.heartbeat_ns:
            self.send("0", now_ns)


def faults(pieces: list[Piece]) -> Iterator[tuple[int, int, str]]:
    """What no message may have: SessionRejectReason(373), tag, words (FIX 4.4 vol. 2, case 14)."""
    seen: set[int] = set()
    for each in pieces:
        if each.tag <= 0 or each.name.startswith(b"0"):
            yield 0, 0, "invalid tag number"
        elif not each.value:
            yield 4, each.tag, "tag without a value"
        elif each.tag in seen and each.tag in _HEADER_ONCE:
            yield 13, each.tag, "tag appears more than once"
        seen.add(each.tag)
