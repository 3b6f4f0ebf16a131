"""Certification cases of a session's beginning and end, and of its heartbeats.

Each function is one case; the table at the end is what the pack tries, in this order.
"""

from __future__ import annotations

from gateway.sim_line import Failed
from gateway.sim_tags import type_name
from gateway.sim_trial import Case, Skipped, Trial

INTERVAL_S = 1  # HeartBtInt(108) of the case that waits for a Heartbeat
AHEAD = 5  # messages that are "lost"


def logon(trial: Trial) -> None:
    """Our Logon is answered with ours of it: interval, encryption, version."""
    answer = trial.log_on()
    trial.holds(answer, {98: 0, 108: trial.account.heartbeat_s})
    if trial.shared.resets:
        trial.holds(answer, {34: 1, 141: "Y"})
    if trial.account.begin_string == "FIXT.1.1":
        trial.holds(answer, {1137: True})
    trial.alive()


def logon_low(trial: Trial) -> None:
    """A Logon with a number that was used: Logout, disconnect."""
    trial.log_on()
    trial.alive()
    trial.log_out()
    trial.line.connect()
    trial.line.send("A", trial.logon_fields(), seq=1)
    answer = trial.refused("MsgSeqNum(34)=1 was used before")
    if not any(character.isdigit() for character in answer.get(58)):
        raise Failed("Text(58) of the Logout does not say which number is expected", answer)


def logon_high(trial: Trial) -> None:
    """A Logon ahead of what they expect: Logon, then a ResendRequest."""
    trial.log_on()
    trial.log_out()
    numbers = trial.shared.numbers
    missed = numbers.next_out
    numbers.next_out += AHEAD
    trial.line.connect()
    trial.line.send("A", trial.logon_fields())
    trial.expect("A")
    trial.line.logged_on = True
    asked = trial.expect("2", {7: missed})
    trial.fill_gap(missed)
    trial.alive()
    trial.decisive = asked


def reset_logon(trial: Trial) -> None:
    """ResetSeqNumFlag(141)=Y: both sides begin at 1."""
    if not trial.shared.resets:
        raise Skipped("resets are not allowed: --next-out was given")
    trial.log_on()
    trial.alive()
    trial.log_out()
    answer = trial.log_on(reset=True)
    trial.holds(answer, {34: 1, 141: "Y"})
    trial.alive()


def heartbeat(trial: Trial) -> None:
    """They send a Heartbeat when they sent nothing else for the interval."""
    trial.log_on(heartbeat_s=INTERVAL_S)
    message = trial.line.receive(max(2.5 * INTERVAL_S, trial.line.wait_s))
    trial.decisive = message
    if message.type != "0" or 112 in message:
        raise Failed(f"{type_name(message.type)} came; a Heartbeat(0) without 112 is due", message)
    trial.line.send("0")
    trial.alive()
    trial.decisive = message


def test_request(trial: Trial) -> None:
    """Our TestRequest is answered with its id."""
    trial.log_on()
    trial.alive()
    test_id = "any text, even = and spaces"
    trial.line.send("1", [(112, test_id)])
    trial.expect("0", {112: test_id})


def logout(trial: Trial) -> None:
    """Our Logout is answered; the session can be taken up again with its numbers."""
    trial.log_on()
    trial.line.send("5")
    answer = trial.expect("5")
    trial.line.close()
    trial.log_on(reset=False)
    trial.alive()
    trial.decisive = answer


SESSION = "FIX session test case "  # FIX 4.4 vol. 2

CASES = (
    Case("logon", "Logon", SESSION + "1.b, 1S", "Logon(A) with our HeartBtInt(108)", logon),
    Case(
        "logon-low",
        "Logon with a used number",
        SESSION + "1S, 2.c",
        "Logout(5) that says the number expected, disconnect",
        logon_low,
    ),
    Case(
        "logon-high",
        "Logon with a number ahead",
        SESSION + "1S, 2.b",
        "Logon(A), then ResendRequest(2) from the number expected",
        logon_high,
    ),
    Case(
        "reset-logon",
        "Logon with a reset",
        "FIX 4.4 vol. 2, ResetSeqNumFlag",
        "Logon(A) with 141=Y and 34=1",
        reset_logon,
    ),
    Case(
        "heartbeat",
        "Heartbeat after silence",
        SESSION + "4.a, 5",
        "Heartbeat(0)",
        heartbeat,
        seconds=20,
    ),
    Case(
        "test-request",
        "TestRequest answered",
        SESSION + "4.b",
        "Heartbeat(0) with our TestReqID(112)",
        test_request,
    ),
    Case("logout", "Logout handshake", SESSION + "12, 13.a", "Logout(5); numbers are kept", logout),
)
