"""Passwords: argon2 hashes, and a process that checks them while the server goes on.

To check one takes some 100 ms and 64 MiB, on purpose; the server's only thread has neither the
time nor, inside compiled code, the interpreter. So one child process does it, started at first
use: a line of JSON in, a line out. This file is also the child's program; it imports nothing else
of ours, and nothing of a password is in a log, an error or an argument of a process.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

PENDING_MAX = 64  # questions without an answer
PASSWORD_SIZE_MAX = 256
READ_SIZE = 1 << 16
NICENESS = 10  # the core it takes is not the loop's, where there is a choice
CLOSE_WAIT_S = 2

#: RFC 9106, section 4, second recommendation, with one lane: the check takes one core only.
HASHER = PasswordHasher(time_cost=3, memory_cost=1 << 16, parallelism=1)


def password_problem(password: str) -> str:
    """Why this cannot be sent in Password(554) by every FIX engine, or nothing."""
    if not password:
        return "the password is empty"
    if len(password) > PASSWORD_SIZE_MAX:
        return f"the password has {len(password)} characters, the most are {PASSWORD_SIZE_MAX}"
    if not (password.isascii() and password.isprintable()):
        return "the password has characters outside printable ASCII, which FIX engines encode apart"
    return ""


def hash_password(password: str) -> str:
    """The encoded argon2id hash of a password without a `password_problem`."""
    assert not password_problem(password), "to be asked before"
    return HASHER.hash(password)


class Checker:
    """Asks the child; never waits. Who owns it calls `results` when `fileno` is readable, and also
    once a second: a child that is gone makes nothing readable."""

    def __init__(self, command: tuple[str, ...] = ()) -> None:
        self._command = command or (sys.executable, "-P", __file__)
        self._child: subprocess.Popen[bytes] | None = None
        # Both ends stay ours, so that the number to watch is the same for every child.
        self._answers, self._answers_in = os.pipe()
        os.set_blocking(self._answers, False)
        self._pending: dict[int, Any] = {}
        self._number = 0
        self._unsent = bytearray()
        self._unread = bytearray()

    def fileno(self) -> int:
        """Readable when there are results."""
        return self._answers

    @property
    def pending(self) -> int:
        """Questions without an answer."""
        return len(self._pending)

    def ask(self, key: Any, encoded: str | None, password: str) -> bool:
        """Whether a password fits a hash, answered in `results`; False: the queue is full.

        None, for a user that nobody knows, takes as long as a wrong password and is refused.
        """
        if len(self._pending) >= PENDING_MAX:
            return False
        if self._child is None:
            with contextlib.suppress(OSError):  # no memory, no processes: `results` refuses
                self._start()
        self._number += 1
        self._pending[self._number] = key
        cut = password[: PASSWORD_SIZE_MAX + 1]  # too long, so wrong, and bounded
        if self._child is not None:
            self._unsent += json.dumps([self._number, encoded, cut]).encode() + b"\n"
            self._send()
        return True

    def results(self) -> list[tuple[Any, bool]]:
        """Keys answered since the last call. Those of a child that ended are refused."""
        ended = self._child is None or self._child.poll() is not None
        self._receive()
        done = self._take_lines()
        if ended:
            if self._child is not None:
                self._forget_child()
            done += [(key, False) for key in self._pending.values()]
            self._pending.clear()
        self._send()
        return done

    def close(self) -> None:
        """End the child; open questions have no answer any more."""
        child = self._child
        if child is not None:
            self._forget_child()
            child.kill()  # it has nothing to lose, and may be in the middle of a hash
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(CLOSE_WAIT_S)
        self._pending.clear()
        for number in (self._answers, self._answers_in):
            if number >= 0:
                os.close(number)
        self._answers = self._answers_in = -1

    # --- the child's life ---------------------------------------------------------------------

    def _start(self) -> None:
        self._child = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=self._answers_in,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the server, which then ends this
        )
        assert self._child.stdin is not None
        os.set_blocking(self._child.stdin.fileno(), False)

    def _forget_child(self) -> None:
        assert self._child is not None and self._child.stdin is not None
        self._child.stdin.close()
        self._child = None
        self._unsent.clear()
        self._unread.clear()

    # --- bytes --------------------------------------------------------------------------------

    def _send(self) -> None:
        """As much as the pipe takes; more goes when an answer has come."""
        if self._child is None or not self._unsent:
            return
        assert self._child.stdin is not None
        # A broken pipe: the child has ended, which `results` sees.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            del self._unsent[: os.write(self._child.stdin.fileno(), self._unsent)]

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._answers, READ_SIZE):
                self._unread += data

    def _take_lines(self) -> list[tuple[Any, bool]]:
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread[:] = rest
        done = []
        for line in lines:
            number, holds = json.loads(line)
            done.append((self._pending.pop(number), holds is True))
        return done


# --- the child ----------------------------------------------------------------------------------


def verify(encoded: str, password: str) -> bool:
    """Whether a password fits; a hash that is none fits nothing."""
    try:
        return HASHER.verify(encoded, password)  # at the cost that the hash names
    except (Argon2Error, InvalidHashError, ValueError):
        return False


def main() -> None:
    """Questions on standard input, answers on standard output, until the input ends."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    nobodys = hash_password(secrets.token_hex())
    for line in sys.stdin.buffer:
        number, encoded, password = json.loads(line)
        holds = verify(encoded or nobodys, password) and encoded is not None
        os.write(sys.stdout.fileno(), json.dumps([number, holds]).encode() + b"\n")


if __name__ == "__main__":
    main()
