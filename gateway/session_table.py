"""Sessions as rows: their settings, numbers and dictionaries, at start and while the engine runs.

A session's row is kept for good, since the journal names it by its number: a removed session's row
waits for a session of the same names. What decides the bytes of reports and the numbers is
journalled as SESSION_SET; the rest of the settings is only ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import schema
from gateway import echo, fix_check, recorder, schedule
from gateway.dictionary import Dictionary, load, shipped
from gateway.errors import UserError
from gateway.rule_tables import DICTIONARIES_MAX, put_rules
from gateway.session_settings import Session, SessionId
from gateway.wire import (
    BEGIN_STRINGS,
    SESSIONS_MAX,
    VERSION_OF,
    OutTag,
    SessionState,
    SessionStatus,
    Version,
)

if TYPE_CHECKING:
    from gateway.server import Server

SECOND_NS = 1_000_000_000
#: The optional fields of a report, by the tag that a dictionary must have in ExecutionReport(8).
OUT_TAGS = {
    639: OutTag.PRICE_IMPROVEMENT,
    574: OutTag.MATCH_TYPE,
    2524: OutTag.REGULATORY_SIDE,
    1724: OutTag.ORDER_ORIGINATION,
    2593: OutTag.ORDER_ATTRIBUTES,
}


class SessionTable:
    """Which row is whose, and what each is to do."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.rows: dict[SessionId, int] = {}
        self.settings: dict[int, Session] = {}
        self.schedules: dict[int, schedule.Schedule] = {}
        #: int64[SESSIONS_MAX, 2]: from when until when each is open, 0: unknown
        self.open_ns = np.zeros((SESSIONS_MAX, 2), np.int64)
        self._slots: dict[tuple[Path | None, Path | None, str], int] = {}
        self._dictionaries: dict[int, Dictionary] = {}
        self.config = server.config

    @property
    def logon_wait_s(self) -> int:
        """How long a connection may take to say whose it is: the longest of all sessions."""
        return max((session.logon_timeout for session in self.settings.values()), default=10)

    # --- asked on the way ---------------------------------------------------------------------

    def find(self, begin: str | None, ours: str | None, theirs: str | None) -> int:
        """Row of the session of these names, or -1."""
        row = self.rows.get(SessionId(ours or "", theirs or "", begin or ""), -1)
        removed = row >= 0 and self.server.wire.sessions[row]["status"] == SessionStatus.REMOVED
        return -1 if removed else row

    def is_open(self, session_id: int, now_ns: int) -> bool:
        """Whether the session may be logged on now."""
        since_ns, until_ns = self.open_ns[session_id]
        if since_ns <= now_ns < until_ns:
            return True
        plan = self.schedules[session_id]
        found = schedule.is_open(plan, now_ns)
        self.open_ns[session_id] = (now_ns, schedule.next_change_ns(plan, now_ns)) if found else 0
        return found

    def is_same(self, session_id: int, now_ns: int) -> bool:
        """Whether the numbers are still those of the schedule's current window."""
        since_ns = int(self.server.wire.sessions[session_id]["since_ns"])
        return schedule.is_same_session(self.schedules[session_id], since_ns, now_ns)

    def check_logon(self, session_id: int) -> str:
        """What the dictionary says against the Logon that was read last, or nothing."""
        wire = self.server.wire
        row, loop_row = wire.sessions[session_id], wire.loop[0]
        if loop_row["cold_reason"] >= 0:
            reason, tag = int(loop_row["cold_reason"]), int(loop_row["cold_tag"])
        else:
            connection = wire.rx[int(loop_row["connection"])]
            reason, tag = fix_check.check_message(
                wire, int(row["rules"]), int(row["strict"]), connection, int(loop_row["parts"])
            )
        if reason < 0:
            return ""
        return f"Logon refused: SessionRejectReason(373)={reason}, tag {tag}"

    # --- start --------------------------------------------------------------------------------

    def load(self, sessions: list[Session], now_ns: int) -> None:
        """Every session that holds, at start. Raises UserError."""
        wire = self.server.wire
        known = int(np.count_nonzero(wire.sessions["begin_size"]))
        for row in range(known):
            self.rows[self._id_of(row)] = row
        for session in sessions:
            self._put(session, now_ns)
        wanted = {session.id for session in sessions}
        for session_id, row in self.rows.items():
            if session_id not in wanted and wire.sessions[row]["status"] != SessionStatus.REMOVED:
                self._set(row, session_id, now_ns, status=SessionStatus.REMOVED)

    def _id_of(self, row: int) -> SessionId:
        ours, theirs = self.server.sessions.names(row)
        return SessionId(ours, theirs, BEGIN_STRINGS[self._version(row)])

    def _version(self, row: int) -> Version:
        return Version(self.server.wire.sessions[row]["version"])

    def _put(self, session: Session, now_ns: int) -> int:
        """Give a session its row and all that follows from its settings."""
        server = self.server
        wire = server.wire
        row = self.rows.get(session.id, len(self.rows))
        if row >= len(wire.sessions):
            raise UserError(f"session {session.id}: no room, {row} are known already")
        slot = self._slot(session)
        out_tags = _out_tags(session, self._dictionaries[slot])
        self._set(
            row, session.id, now_ns, echo_tags(session, out_tags),
            client=server.client_id(session.client),
            status=SessionStatus.ACTIVE if session.enabled else SessionStatus.PAUSED,
            version=VERSION_OF[session.begin_string],
            precision=session.timestamp_precision,
            fill_style=int(session.fill_style == "1/2"),
            last_processed=int(session.enable_last_msg_seq_num_processed),
            out_tags=out_tags,
        )  # fmt: skip
        self.rows[session.id] = row
        self.settings[row] = session
        self.schedules[row] = schedule.from_settings(session)
        self.open_ns[row] = 0
        live = wire.sessions[row]
        live["rules"] = slot
        live["strict"] = int(session.validation == "strict")
        live["latency_max_ns"] = session.max_latency * SECOND_NS if session.check_latency else 0
        live["rate_per_s"], live["burst"] = session.orders_per_second, session.burst
        live["tokens_e9"] = session.burst * 10**9
        live["throttle_reject"] = session.throttle_reject
        return row

    def _set(
        self,
        row: int,
        session_id: SessionId,
        now_ns: int,
        echo_tags: Sequence[int] = (),
        **fields: int,
    ) -> None:
        """Journal and apply a row; its other fields stay as they are."""
        server = self.server
        live = server.wire.sessions[row]
        setting: Any = np.zeros(1, schema.session_set)
        for name in schema.session_set.names or ():
            if name in live.dtype.names:
                setting[name] = live[name]
        for name, value in fields.items():
            setting[name] = value
        setting["echo_tags"][0] = 0
        setting["echo_tags"][0, : len(echo_tags)] = echo_tags
        if row not in self.rows.values():
            setting["since_ns"] = now_ns
        setting["our_comp_id"] = schema.pack(session_id.sender, 6)
        setting["their_comp_id"] = schema.pack(session_id.target, 6)
        server.make_room()
        recorder.on_session_set(server.wire, server.journal, row, setting[0], now_ns)

    def _slot(self, session: Session) -> int:
        """Slot of the session's dictionaries, read once for all sessions that have the same."""
        config = self.server.config
        application = session.data_dictionary or session.app_data_dictionary
        key = application, session.transport_data_dictionary, session.begin_string
        if key in self._slots:
            return self._slots[key]
        slot = len(self._slots)
        if slot >= DICTIONARIES_MAX:
            raise UserError(f"session {session.id}: {slot} data dictionaries are in use already")
        transport = None
        if session.begin_string == "FIXT.1.1":
            path = session.transport_data_dictionary
            transport = load(config.path(path)) if path else shipped("FIXT.1.1")
            name = "FIX.5.0SP2"
        else:
            name = session.begin_string
        found = load(config.path(application)) if application else shipped(name)
        if found.begin != name:
            raise UserError(f"session {session.id}: {found.path} is for {found.begin}, not {name}")
        put_rules(self.server.wire, slot, found, transport)
        self._slots[key] = slot
        self._dictionaries[slot] = found
        return slot

    # --- while the engine runs ----------------------------------------------------------------

    def put_session(self, settings: Session, by: str) -> None:
        """Make a session known, or give a known one other settings. Raises UserError."""
        row = self._put(settings, self.server.now_ns())
        if not settings.enabled and self.server.wire.sessions[row]["connection"] >= 0:
            self.server.sessions.logout(row, "the session is paused")
        if self.server.wire.sessions[row]["connection"] >= 0:
            self.server.subscriptions.log_off(row)
            self.server.subscriptions.log_on(
                row, settings.quotes, settings.quote_instruments, settings.quote_interval_ms
            )

    def pause_session(self, session_id: SessionId, by: str) -> None:
        """Log it out; no Logon is taken until it is resumed."""
        row = self._row(session_id)
        self.put_session(self.settings[row].model_copy(update={"enabled": False}), by)

    def resume_session(self, session_id: SessionId, by: str) -> None:
        """Take Logons again."""
        row = self._row(session_id)
        self.put_session(self.settings[row].model_copy(update={"enabled": True}), by)

    def remove_session(self, session_id: SessionId, by: str) -> None:
        """Log it out and forget its settings; its row and its journal stay."""
        row = self._row(session_id)
        server = self.server
        if server.wire.sessions[row]["connection"] >= 0:
            server.sessions.drop(row, "the session is removed")
        self._set(row, session_id, server.now_ns(), status=SessionStatus.REMOVED)

    def reset_session(self, session_id: SessionId, next_in: int, next_out: int, by: str) -> None:
        """Set the numbers of a session that is logged off."""
        row = self._row(session_id)
        if self.server.wire.sessions[row]["connection"] >= 0:
            raise UserError(f"session {session_id} is logged on: `si session logout` first")
        self.server.sessions.set_numbers(row, next_in, next_out)

    def logout_session(self, session_id: SessionId, why: str) -> None:
        """Say Logout(5); a Logon is taken again at once."""
        row = self._row(session_id)
        if self.server.wire.sessions[row]["connection"] < 0:
            raise UserError(f"session {session_id} is not logged on")
        self.server.sessions.logout(row, why)

    def session_views(self) -> list[dict[str, Any]]:
        """What only the running engine knows of each session."""
        views = []
        wire, server = self.server.wire, self.server
        for session_id, index in self.rows.items():
            row = wire.sessions[index]
            if row["status"] == SessionStatus.REMOVED:
                continue
            connection = int(row["connection"])
            owed = 0
            if connection >= 0:
                at = wire.connections[connection]
                owed = int(at["tx_end"] - at["tx_start"])
            views.append(
                {
                    "sender": session_id.sender,
                    "target": session_id.target,
                    "begin_string": session_id.begin,
                    "state": SessionState(row["state"]).name.lower().replace("_", " "),
                    "next_in": int(row["next_in"]),
                    "next_out": int(row["next_out"]),
                    "last_in_ns": int(row["last_recv_ns"]),
                    "last_out_ns": int(row["last_sent_ns"]),
                    "owed_bytes": owed,
                    "address": server.connections.peers.get(connection, ""),
                }
            )
        return views

    def _row(self, session_id: SessionId) -> int:
        row = self.rows.get(session_id, -1)
        if row < 0 or self.server.wire.sessions[row]["status"] == SessionStatus.REMOVED:
            raise UserError(f"no session {session_id}")
        return row


def echo_tags(session: Session, out_tags: int) -> list[int]:
    """Those of the session's `echo_tags` that do not come back anyway: none is said twice."""
    anyway = echo.given_back(VERSION_OF[session.begin_string], out_tags)
    return [tag for tag in session.echo_tags if tag not in anyway]


def _out_tags(session: Session, dictionary: Dictionary) -> int:
    """What the session's dictionary lets us put into ExecutionReport(8)."""
    members = {member.tag: member.group for member in dictionary.messages["8"].members}
    bits = int(OutTag.ECHO)
    for tag, bit in OUT_TAGS.items():
        if tag in members or session.mifid_fields:
            bits |= bit
    parties = members.get(453)
    qualified = parties is not None and any(member.tag == 2376 for member in parties.members)
    if qualified or session.mifid_fields:
        bits |= OutTag.PARTY_QUALIFIER
    quote = dictionary.messages.get("S")
    if quote is not None and any(member.tag == 2706 for member in quote.members):
        bits |= OutTag.QUOTE_ATTRIBUTES
    cancel = dictionary.messages.get("Z")
    if cancel is not None and any(member.tag == 58 for member in cancel.members):
        bits |= OutTag.CANCEL_TEXT
    return bits
