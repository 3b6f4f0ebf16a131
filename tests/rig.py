"""A gateway without sockets: a session logged on, its bytes put in and taken out by hand."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from gateway import inbound, wire
from gateway.dictionary import Dictionary, Group, Member, shipped
from gateway.requests import AGAIN, REQUESTS, on_request
from gateway.rule_tables import put_rules
from gateway.wire import (
    BEGIN_STRINGS,
    CONNECTIONS_MAX,
    OutTag,
    SessionState,
    SessionStatus,
    Version,
    Wake,
    Wire,
)
from tests.fix_text import as_array, raw

OWN_MIC = b"XSIX"
HEARTBEAT_NS = 30 * 10**9
NO_FIELDS = len(Version)  # slot of a dictionary that judges no field: the readers are alone


def allocate(*sizes: int) -> Wire:
    """The gateway's tables, with a name for our own venue."""
    made = wire.allocate(*sizes)
    made.own_mic[:] = as_array(OWN_MIC)
    for version in Version:
        put_rules(made, version, asking_for_nothing(version))
    put_rules(made, NO_FIELDS, without_fields())
    return made


@cache
def asking_for_nothing(version: Version) -> Dictionary:
    """The version's dictionary without required fields: messages of tests say what matters."""
    fixt = version == Version.FIX_5_0_SP2
    found = shipped("FIX.5.0SP2" if fixt else BEGIN_STRINGS[version])
    frame = shipped("FIXT.1.1") if fixt else found
    messages = {**found.messages, **frame.messages}
    return replace(
        found,
        fields={**frame.fields, **found.fields},
        header=_optional(frame.header),
        trailer=_optional(frame.trailer),
        messages={t: m._replace(members=_optional(m.members)) for t, m in messages.items()},
    )


@cache
def without_fields() -> Dictionary:
    """Every message type of FIX 4.4, and no field but those that frame a message."""
    found = asking_for_nothing(Version.FIX_4_4)
    frame = {member.tag for member in (*found.header, *found.trailer)} & {8, 9, 35, 10}
    return replace(
        found,
        fields={tag: found.fields[tag] for tag in frame},
        header=tuple(member for member in found.header if member.tag in frame),
        trailer=tuple(member for member in found.trailer if member.tag in frame),
        messages={name: m._replace(members=()) for name, m in found.messages.items()},
    )


def _optional(members: tuple[Member, ...]) -> tuple[Member, ...]:
    return tuple(
        Member(m.tag, False, None if m.group is None else Group(_optional(m.group.members)))
        for m in members
    )


def log_on(wires: Wire, session_id: int, them: str, client: int = 0, mifid: int = 0) -> Any:
    """Session and connection of the same number, next in sequence in both directions."""
    session, connection = wires.sessions[session_id], wires.connections[session_id]
    header = as_array(raw(f"49=SI|56={them}|"))
    wires.headers[session_id, : len(header)] = header
    wires.their_ids[session_id, : len(them)] = as_array(them.encode())
    wires.our_ids[session_id, :2] = as_array(b"SI")
    session["client"] = client
    session["state"] = SessionState.ON
    session["connection"] = session_id
    session["heartbeat_ns"] = HEARTBEAT_NS
    session["status"], session["version"] = SessionStatus.ACTIVE, Version.FIX_4_4
    session["precision"] = 6
    session["rules"] = Version.FIX_4_4
    session["out_tags"] = OutTag.PRICE_IMPROVEMENT
    if mifid:
        session["out_tags"] |= OutTag.MATCH_TYPE | OutTag.REGULATORY_SIDE
    session["begin_size"] = len(header)
    session["sender_size"], session["target_size"] = len(them), len("SI")
    connection["session"] = session_id
    connection["fd"] = 1_000 + session_id
    return session


def receive(wires: Wire, session_id: int, data: bytes) -> None:
    """What a socket would have brought."""
    connection = wires.connections[session_id]
    end = int(connection["rx_end"])
    wires.rx[session_id, end : end + len(data)] = as_array(data)
    connection["rx_end"] = end + len(data)


def sent(wires: Wire, session_id: int) -> bytes:
    """What a socket would have taken; it is gone from the queue."""
    connection = wires.connections[session_id]
    data = wires.tx[session_id, : int(connection["tx_end"])].tobytes()
    connection["tx_end"] = 0
    return data


def row(dtype: np.dtype, **fields: Any) -> Any:
    """One struct row of the named fields."""
    made = np.zeros(1, dtype)[0]
    for name, value in fields.items():
        made[name] = value
    return made


def drain(
    tables: Any,
    outbox: Any,
    wires: Wire,
    journal: Any,
    connection_id: int,
    now_ns: int,
    policy: int,
) -> Wake:
    """`inbound.drain`, and what Python does with a request that comes back (`server.request`)."""
    everything = (tables, outbox, wires, journal)
    while True:
        wake = Wake(inbound.drain(*everything, connection_id, now_ns, policy))
        row, session_id = wires.loop[0], int(wires.connections[connection_id]["session"])
        if wake != Wake.COLD_MESSAGE or row["cold_reason"] != -1 or session_id < 0:
            return wake
        session = wires.sessions[session_id]
        start, size = int(row["message_at"]), int(row["message_size"])
        raw = wires.rx[connection_id, start : start + size].tobytes()
        wanted = raw.split(b"\x0135=", 1)[1].split(b"\x01", 1)[0].decode("latin-1")
        if (
            wanted not in REQUESTS[Version(session["version"])]
            or b"\x0134=%d\x01" % session["next_in"] not in raw
        ):
            return wake
        wires.rx[CONNECTIONS_MAX, :size] = as_array(raw)
        wires.connections[CONNECTIONS_MAX]["session"] = session_id
        done = AGAIN
        while done == AGAIN:
            done = on_request(*everything, CONNECTIONS_MAX, size, now_ns, policy)
        if done == inbound.LEFT:
            return wake
        wires.connections[connection_id]["rx_start"] = start + size
