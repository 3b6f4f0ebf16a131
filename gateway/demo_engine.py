"""The engine under the demo: `si serve` as a process of its own, and whether it ended well."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import IO

import numpy as np

from engine import journal as jn
from engine.limits import SEGMENT_SIZE
from gateway.config import Config
from gateway.errors import UserError
from gateway.journal_files import Reader, open_segment

START_WAIT_S = 600.0  # its first start may compile
STOP_WAIT_S = 15.0
LOG_FILE = "server.log"
LOG_LINES = 12


class EngineFailed(UserError):
    """The engine did not start; the text has the end of its log."""


class Engine:
    """The serving process of one folder."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log_path = config.directory / LOG_FILE
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its FIX port accepts. Raises EngineFailed."""
        command = [sys.executable, "-m", "gateway", "serve", str(self.config.directory)]
        self._log = self.log_path.open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
        )  # fmt: skip
        deadline_s = time.monotonic() + START_WAIT_S
        while not self._accepts():
            if not self.lives or time.monotonic() > deadline_s:
                raise EngineFailed(f"the engine did not start; {self.log_end()}")
            time.sleep(0.05)

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.config.fix.host, self.config.fix.port), 1).close()
        except OSError:
            return False
        return True

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def log_end(self) -> str:
        """The last lines of its log."""
        lines = self.log_path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return f"{self.log_path} ends with:\n" + "\n".join(lines)

    def stop(self) -> list[str]:
        """SIGTERM, and what was wrong with how it ended."""
        if self._process is None:
            return []
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            return [f"the engine did not stop within {STOP_WAIT_S:.0f} s; {self.log_end()}"]
        return [f"the engine ended with {code}; {self.log_end()}"] if code else []

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.lives and self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._log is not None:
            self._log.close()


def tail_problems(reader: Reader) -> list[str]:
    """Whether anything follows the last whole frame; the reader has read to the end."""
    index, offset = divmod(reader.position, SEGMENT_SIZE)
    state = np.zeros(1, jn.writer)
    tail = open_segment(reader.directory, index, state, write=False).journal.buffer[offset:]
    if tail.any():
        return [f"the journal's last frame is not whole, after frame {reader.seq}"]
    return []
