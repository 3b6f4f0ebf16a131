"""Certification cases of a session's course: gaps, repeats, broken messages, rejects.

Each function is one case; the table at the end is what the pack tries, in this order.
"""

from __future__ import annotations

import time

from gateway import fix_message as fm
from gateway.sim_line import Failed
from gateway.sim_orders import order_fields
from gateway.sim_tags import type_name
from gateway.sim_trial import Case, NotOffered, Trial, said
from gateway.sim_wire import Message, with_wrong_checksum, with_wrong_length

AHEAD = 3
FAR_PAST = "20200102-03:04:05.000"
ADMIN = frozenset("0 1 2 4 5 A".split())
MOVING = frozenset((9, 10, 43, 52, 122, 97))  # what a repeat may change


# --- gaps -------------------------------------------------------------------------------------


def gap_detected(trial: Trial) -> None:
    """Numbers are skipped: they ask for the missing ones, and take what follows once."""
    trial.log_on()
    numbers = trial.shared.numbers
    missed = numbers.next_out
    numbers.next_out += AHEAD
    early_id = trial.shared.next_id()
    early = trial.line.send("1", [(112, early_id)])
    asked = trial.expect("2", {7: missed})
    if 0 < asked.number(16) < early - 1 or asked.number(16) < 0:
        raise Failed(f"EndSeqNo(16)={asked.get(16)} leaves a part of the gap", asked)
    trial.fill_gap(missed, early)
    stamp = fm.stamp(time.time_ns())[:-3]
    trial.line.send("1", [(112, early_id)], {43: "Y", 122: stamp}, seq=early)
    trial.expect("0", {112: early_id})
    trial.alive()
    trial.decisive = asked


def gap_fill(trial: Trial) -> None:
    """A gap fill in sequence moves the number on."""
    trial.log_on()
    numbers = trial.shared.numbers
    new = numbers.next_out + AHEAD
    trial.line.send("4", [(123, "Y"), (36, new)])
    numbers.next_out = new
    trial.alive()


def gap_fill_lower(trial: Trial) -> None:
    """A gap fill that leads nowhere is rejected."""
    trial.log_on()
    seq = trial.line.send("4", [(123, "Y"), (36, 1)])
    trial.rejected(seq, "4", 5, 36)


def sequence_reset(trial: Trial) -> None:
    """Reset mode moves the number on, whatever MsgSeqNum(34) says, and never back."""
    trial.log_on()
    numbers = trial.shared.numbers
    new = numbers.next_out + AHEAD
    trial.line.send("4", [(123, "N"), (36, new)], seq=1)
    numbers.next_out = new
    trial.alive()
    trial.line.send("4", [(123, "N"), (36, 1)], seq=numbers.next_out)
    trial.expect("3", {373: 5})
    trial.alive()


def resend(trial: Trial) -> None:
    """What was sent is sent again: the same content, marked as a repeat, admin gap-filled."""
    answer = trial.log_on()
    first = answer.seq
    originals = {first: answer}
    trial.alive()
    if trial.terms.isin:
        trial.line.send("D", order_fields(trial, trial.shared.next_id(), trial.terms.qty))
    originals |= {message.seq: message for message in trial.collect()}
    last = trial.shared.numbers.next_in - 1
    trial.line.send("2", [(7, first), (16, 0)])
    repeat = _resent(trial, first, last, originals)
    trial.alive()
    middle = next((seq for seq in originals if seq != first), first)
    trial.line.send("2", [(7, middle), (16, middle)])
    repeat = _resent(trial, middle, middle, originals) or repeat
    trial.alive()
    trial.decisive = repeat or trial.decisive


def _resent(trial: Trial, first: int, last: int, originals: dict[int, Message]) -> Message | None:
    """Repeats and gap fills cover `first` to `last` without a hole; answers a repeat."""
    due, shown = first, None
    while due <= last:
        message = trial.next_message()
        trial.decisive = message
        if message.type not in ("4", "8", "3", "j") and not message.is_repeat:
            raise Failed(f"{type_name(message.type)} came; {due} is to be sent again", message)
        trial.holds(message, {34: due})
        if message.type == "4":
            trial.holds(message, {123: "Y", 43: "Y"})
            if message.number(36) <= due:
                raise Failed(f"NewSeqNo(36)={message.get(36)} fills nothing", message)
            passed = [seq for seq in originals if due <= seq < message.number(36)]
            if any(_is_business(originals[seq]) for seq in passed):
                raise Failed("a report is passed over by a gap fill", message)
            due = message.number(36)
            continue
        if message.type in ADMIN:
            raise Failed(f"{type_name(message.type)} is sent again; a gap fill is due", message)
        trial.holds(message, {43: "Y", 122: True})
        original = originals.get(due)
        if original is not None and _content(original) != _content(message):
            raise Failed("the repeat differs from what was sent first", message)
        if original is not None and message.get(122) != original.get(52):
            raise Failed(f"OrigSendingTime(122) is not the first {original.get(52)}", message)
        shown = message
        due += 1
    if due > last + 1 and due > trial.shared.numbers.next_in:
        raise Failed(f"NewSeqNo is {due}; {last + 1} is next", trial.decisive)
    return shown


def _is_business(message: Message) -> bool:
    return message.type not in ADMIN and message.type != "3"


def _content(message: Message) -> list[tuple[int, str]]:
    return [pair for pair in message.pairs if pair[0] not in MOVING]


# --- numbers ----------------------------------------------------------------------------------


def too_low(trial: Trial) -> None:
    """A used number without PossDupFlag(43): Logout, disconnect."""
    trial.log_on()
    trial.alive()
    trial.line.send("1", [(112, "LOW")], seq=1)
    trial.refused("MsgSeqNum(34)=1 was used, PossDupFlag(43) is not Y")


def duplicate(trial: Trial) -> None:
    """A repeat of what they have is passed over."""
    trial.log_on()
    first_id = trial.shared.next_id()
    seq = trial.line.send("1", [(112, first_id)])
    trial.expect("0", {112: first_id})
    stamp = fm.stamp(time.time_ns())[:-3]
    trial.line.send("1", [(112, first_id)], {43: "Y", 122: stamp}, seq=seq)
    trial.alive()


# --- broken messages --------------------------------------------------------------------------


def bad_checksum(trial: Trial) -> None:
    """CheckSum(10) is wrong: ignored, the number is not used up."""
    trial.log_on()
    trial.line.raw(with_wrong_checksum(trial.line.message("1", [(112, "GARBLED")])))
    trial.alive()


def bad_length(trial: Trial) -> None:
    """BodyLength(9) is wrong: ignored, the number is not used up."""
    trial.log_on()
    trial.line.raw(with_wrong_length(trial.line.message("1", [(112, "GARBLED")])))
    trial.alive()


def wrong_begin_string(trial: Trial) -> None:
    """Another BeginString(8): Logout, disconnect."""
    trial.log_on()
    other = "FIX.4.4" if trial.account.begin_string == "FIX.4.2" else "FIX.4.2"
    trial.line.send("1", [(112, "X")], {8: other})
    trial.refused(f"BeginString(8)={other}")


def wrong_comp_id(trial: Trial) -> None:
    """Another SenderCompID(49): Reject, Logout, disconnect."""
    trial.log_on()
    trial.line.send("1", [(112, "X")], {49: trial.account.sender + "X"})
    trial.refused("SenderCompID(49) is another's")


def sending_time(trial: Trial) -> None:
    """SendingTime(52) of years ago: Reject with 373=10, Logout; may be switched off."""
    trial.log_on()
    trial.line.send("1", [(112, "PAST")], {52: FAR_PAST})
    message = trial.next_message()
    trial.decisive = message
    if message.type == "0" and message.get(112) == "PAST":
        raise NotOffered("SendingTime(52) is not compared with the clock")
    if message.type == "3":
        trial.holds(message, {373: 10})
        message = trial.next_message()
    if message.type != "5":
        raise Failed(f"{type_name(message.type)} came; Logout(5) is due{said(message)}", message)


# --- rejects ----------------------------------------------------------------------------------


def required_tag(trial: Trial) -> None:
    """A message without a field that it must have: 373=1."""
    trial.log_on()
    fields = [pair for pair in order_fields(trial, trial.shared.next_id(), 1) if pair[0] != 54]
    trial.rejected(trial.line.send("D", fields), "D", 1, 54)


def bad_format(trial: Trial) -> None:
    """A quantity that is no number: 373=6."""
    trial.log_on()
    fields = order_fields(trial, trial.shared.next_id(), "ten")
    trial.rejected(trial.line.send("D", fields), "D", 6, 38)


def no_value(trial: Trial) -> None:
    """A tag without a value: 373=4."""
    trial.log_on()
    fields = [*order_fields(trial, trial.shared.next_id(), 1), (58, "")]
    trial.rejected(trial.line.send("D", fields), "D", 4, 58)


def invalid_type(trial: Trial) -> None:
    """A MsgType(35) that FIX does not know: 373=11."""
    trial.log_on()
    trial.rejected(trial.line.send("ZZ"), "ZZ", 11, 0)


def unsupported_type(trial: Trial) -> None:
    """A type of FIX that nobody uses here: BusinessMessageReject."""
    trial.log_on()
    seq = trial.line.send("M", [(66, trial.shared.next_id())])
    message = trial.expect("j", {45: seq, 372: "M", 380: 3})
    trial.alive()
    trial.decisive = message


SESSION = "FIX session test case "  # FIX 4.4 vol. 2

CASES = (
    Case(
        "gap-detected",
        "Gap detected",
        SESSION + "2.b, 14",
        "ResendRequest(2) whose BeginSeqNo(7) is the first missing number",
        gap_detected,
    ),
    Case("gap-fill", "Gap fill accepted", SESSION + "10.b", "the number moves on", gap_fill),
    Case(
        "gap-fill-lower",
        "Gap fill that goes back",
        SESSION + "10.e",
        "Reject(3) 373=5 of NewSeqNo(36)",
        gap_fill_lower,
    ),
    Case(
        "sequence-reset",
        "SequenceReset in reset mode",
        SESSION + "11.a, 11.c",
        "the number moves on; a lower one is rejected with 373=5",
        sequence_reset,
    ),
    Case(
        "resend",
        "Messages sent again",
        SESSION + "8",
        "43=Y, OrigSendingTime(122), the same content; gap fills for session messages",
        resend,
    ),
    Case(
        "too-low",
        "Number too low",
        SESSION + "2.c",
        "Logout(5), disconnect; no second chance",
        too_low,
    ),
    Case("duplicate", "Repeat of what they have", SESSION + "2.e", "passed over", duplicate),
    Case("bad-checksum", "Wrong CheckSum", SESSION + "3.b, 2.d", "ignored", bad_checksum),
    Case("bad-length", "Wrong BodyLength", SESSION + "2.m, 2.d", "ignored", bad_length),
    Case(
        "begin-string",
        "Wrong BeginString",
        SESSION + "2.i",
        "Logout(5), disconnect",
        wrong_begin_string,
    ),
    Case(
        "comp-id",
        "Wrong SenderCompID",
        SESSION + "2.k",
        "Reject(3), Logout(5), disconnect",
        wrong_comp_id,
    ),
    Case(
        "sending-time",
        "SendingTime of years ago",
        SESSION + "2.o",
        "Reject(3) 373=10, Logout(5)",
        sending_time,
    ),
    Case(
        "required-tag",
        "Required tag missing",
        SESSION + "14.b",
        "Reject(3) 373=1 of 54",
        required_tag,
    ),
    Case(
        "bad-format",
        "Quantity that is no number",
        SESSION + "14.f",
        "Reject(3) 373=6 of 38",
        bad_format,
    ),
    Case("no-value", "Tag without a value", SESSION + "14.d", "Reject(3) 373=4 of 58", no_value),
    Case("invalid-type", "Invalid MsgType", SESSION + "2.q", "Reject(3) 373=11", invalid_type),
    Case(
        "unsupported-type",
        "Type that is not supported",
        SESSION + "2.r",
        "BusinessMessageReject(j) 380=3 of ListStatusRequest(M)",
        unsupported_type,
    ),
)
