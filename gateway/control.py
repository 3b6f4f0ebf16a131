"""Requests with names in them, on the desk's socket: a JSON object, answered with a JSON object.

`{"activate": PATH, "at_ns": 0, "by": NAME}` brings a reference-data snapshot in; the answer comes
when that has happened or, with a time to come, when it is staged. `{"cancel": true}` takes it back.
`{"venues": true}` is answered with what came of each venue's market data, `{"risk": true}` with
P&L, exposure and what is stopped. `{"risk": VERB, ...}` changes limits (risk_changes.py),
`{"policy": VERB, ...}` is about the policy's rules (policy_rules.py), `{"session": VERB, ...}`
about sessions (session_admin.py).
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from engine import schema, tables
from gateway import venue_view
from gateway.errors import UserError
from gateway.risk_changes import RiskChanges
from gateway.risk_view import view
from gateway.swap import Reading, Swap, venue_rows

if TYPE_CHECKING:
    from gateway.server import Server

REQUEST_SIZE_MAX = 1 << 16
ANSWER_SIZE_MAX = 1 << 20
log = structlog.get_logger()
ANSWER_WAIT_S = 60


class Activation:
    """One request to activate a snapshot, from reading the file to the switch."""

    def __init__(self, request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        self.path = Path(str(request["activate"]))
        self.at_ns = int(request.get("at_ns", 0))
        self.by = str(request.get("by", ""))
        if not self.by.isascii():
            raise UserError(f"by {self.by!r}: write a name in ASCII")
        self.reply = reply
        self.reading = Reading(self.path)
        self.swap: Swap | None = None
        self.venue_rows: Any = None
        self.told = False

    @property
    def waiting(self) -> bool:
        """Everything is staged, and its time has not come."""
        return self.swap is not None and self.swap.done

    def step(self, server: Server) -> bool:
        """The next piece of work; True when it is over. Raises UserError."""
        now_ns = server.now_ns()
        if self.swap is None:
            if not self.reading.done:
                return False
            if self.reading.found is None:
                raise UserError(self.reading.problem)
            self._begin(server, now_ns)
            return False
        if not self.swap.done:
            server.make_room()
            self.swap.step(self.venue_rows, now_ns)
            return False
        if now_ns < self.at_ns:
            if not self.told:
                self.reply({"staged": self.swap.source.sha256, "at_ns": self.at_ns})
                self.told = True
            return False
        server.make_room()
        done = self.swap.switch(self.by, now_ns)
        log.info("reference data activated", **done._asdict())
        self.reply({"activated": done._asdict()})
        return True

    def _begin(self, server: Server, now_ns: int) -> None:
        assert self.reading.found is not None
        read = self.reading.found
        jurisdiction = server.config.firm.jurisdiction
        if read.jurisdiction != jurisdiction:
            raise UserError(f"{self.path.name} is for {read.jurisdiction}, we are {jurisdiction}")
        self.venue_rows, fresh = venue_rows(server.tables, read.venues)
        count = int(server.tables.counters[0]["venues"])
        for place, mic in enumerate(fresh):
            row = np.zeros(1, schema.venue)
            row["mic"] = schema.pack(mic)
            server.put_row(tables.VENUE, count + place, row[0], now_ns)
        self.swap = Swap(server.tables, lambda: server.journal, read)

    def abort(self, server: Server) -> None:
        """Forget it."""
        if server.tables.counters[0]["staged"]:
            server.make_room()
            assert self.swap is not None
            self.swap.abort(server.now_ns())


class Control:
    """The server's side: at most one activation at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.risk_changes = RiskChanges(server)
        self.activation: Activation | None = None

    @property
    def busy(self) -> bool:
        """Whether there are rows to stage: the loop then comes back after every poll."""
        activation = self.activation
        return activation is not None and activation.swap is not None and not activation.waiting

    def receive(self, data: bytes, reply: Callable[[dict[str, Any]], None]) -> None:
        """A request; what is wrong with it is in the answer."""
        try:
            request = json.loads(data)
            if "session" in request:
                reply(self.server.session_admin.receive(request))
                return
            if "policy" in request:
                reply(self.server.policy_rules.receive(request))
                return
            if request.get("risk") is True:
                reply({"risk": view(self.server.tables)})
            elif "risk" in request:
                reply(self.risk_changes.receive(request))
            elif "venues" in request:
                reply({"venues": venue_view.as_dicts(self.server.tables)})
            elif "cancel" in request:
                self._cancel(reply)
            elif self.activation is not None:
                pending = self.activation.path.name
                raise UserError(f"{pending} is being activated: cancel it or wait")
            else:
                self.activation = Activation(request, reply)
        except (
            ValueError, KeyError, TypeError, OverflowError, RecursionError, UserError,
        ) as error:  # fmt: skip
            log.warning("request refused", why=str(error))
            reply({"error": str(error)})

    def _cancel(self, reply: Callable[[dict[str, Any]], None]) -> None:
        if self.activation is None:
            raise UserError("nothing is being activated")
        self.activation.abort(self.server)
        reply({"cancelled": self.activation.path.name})
        self.activation = None

    def step(self) -> None:
        """A piece of work for the activation, if there is one."""
        activation = self.activation
        if activation is None:
            return
        self.server.wire.loop[0]["next_second_ns"] = 0  # look again in a tenth of a second
        try:
            if activation.step(self.server):
                self.activation = None
        except UserError as error:
            log.warning("reference data refused", path=str(activation.path), why=str(error))
            activation.abort(self.server)
            activation.reply({"error": str(error)})
            self.activation = None


def ask(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request to a running engine and await its answer. Raises UserError."""
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking,
    ):
        asking.bind(str(Path(place) / "answer.sock"))
        asking.settimeout(ANSWER_WAIT_S)
        path = directory / "desk.sock"
        try:
            asking.sendto(json.dumps(request).encode(), str(path))
            answer: dict[str, Any] = json.loads(asking.recv(ANSWER_SIZE_MAX))
        except TimeoutError as error:
            raise UserError(f"the engine did not answer within {ANSWER_WAIT_S} seconds") from error
        except OSError as error:
            raise UserError(f"no engine listens at {path}: is `si serve` running?") from error
    if "error" in answer:
        raise UserError(str(answer["error"]))
    return answer
