"""What must hold after any input: of the buffers, the journal and every byte that was sent.

Written from the standard and from engine/journal.py's description, not with the gateway's codec.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from engine import journal as jn
from gateway import dictionary
from gateway.journal_files import Frame, frame_at
from gateway.wire import CONNECTIONS_MAX
from tests.fuzz.venue import CLIENTS, Peer, Venue

Fields = dict[int, bytes]


def check(venue: Venue) -> list[Frame]:
    """All that can be checked without knowing what came in; answers the journal's new frames."""
    check_buffers(venue)
    found = frames(venue)
    check_numbers(venue, found)
    check_sent(venue, found)
    return found


def check_buffers(venue: Venue) -> None:
    """Ends behind starts, within sizes; session and connection know of each other."""
    wire = venue.wire
    rows = wire.connections[:CONNECTIONS_MAX]
    assert np.all((rows["rx_start"] >= 0) & (rows["rx_start"] <= rows["rx_end"]))
    assert np.all(rows["rx_end"] <= wire.rx.shape[1])
    assert np.all((rows["tx_start"] >= 0) & (rows["tx_start"] <= rows["tx_end"]))
    assert np.all(rows["tx_end"] <= wire.tx.shape[1])
    for connection_id in np.flatnonzero((rows["session"] >= 0) & (rows["fd"] >= 0)).tolist():
        session = wire.sessions[rows[connection_id]["session"]]
        assert session["connection"] == connection_id, f"connection {connection_id}"
    for session_id in np.flatnonzero(wire.sessions["connection"] >= 0).tolist():
        row = rows[wire.sessions[session_id]["connection"]]
        assert row["session"] == session_id and row["fd"] >= 0, f"session {session_id}"
    assert set(venue.connections.sockets) == set(np.flatnonzero(rows["fd"] >= 0).tolist())


def frames(venue: Venue) -> list[Frame]:
    """Every frame since the venue was restored: whole, numbered, nothing behind the last."""
    found: list[Frame] = []
    offset, seq, writer = venue.saved.offset, venue.saved.seq, venue.files.state[0]
    end = int(writer["offset"])
    while offset < end:
        state = jn.frame_state(venue.journal, offset, seq)
        assert state == jn.WHOLE, f"the frame after {seq} at {offset} is damaged ({state})"
        found.append(frame_at(venue.journal, offset, 0))
        seq = found[-1].seq
        offset += int(venue.journal.words[offset >> 3])
    assert (offset, seq) == (end, writer["seq"]), "the writer stands elsewhere"
    assert not venue.journal.buffer[end : end + jn.HEADER_SIZE].any(), "bytes behind the end"
    return found


def check_numbers(venue: Venue, found: list[Frame]) -> None:
    """Numbers in the journal follow each other, and end where the session's row stands."""
    for session_id in range(len(CLIENTS)):
        before = venue.saved_session(session_id)
        next_in, next_out = int(before["next_in"]), int(before["next_out"])
        for frame in found:
            if frame.session != session_id:
                continue
            if frame.kind == jn.SESSION_SET:
                next_in = int(frame.record["next_in"])
                next_out = int(frame.record["next_out"])
            elif frame.kind == jn.FIX_RESENT or frame.fix_seq == 0:
                continue
            elif frame.kind >= jn.EXECUTION:
                assert frame.fix_seq == next_out, f"sent {frame.fix_seq}, expected {next_out}"
                next_out += 1
            else:
                assert frame.fix_seq == next_in, f"took {frame.fix_seq}, expected {next_in}"
                next_in += 1
        row = venue.wire.sessions[session_id]
        assert (row["next_in"], row["next_out"]) == (next_in, next_out), f"session {session_id}"


def check_sent(venue: Venue, found: list[Frame]) -> None:
    """Every message a peer got is well-formed, in sequence and in the journal."""
    journalled = {f.fix for f in found if f.kind >= jn.EXECUTION and f.fix_seq > 0}
    for peer in venue.peers:
        expected = 0
        sent = messages(bytes(peer.got))
        for place, raw in enumerate(sent):
            fields = parsed(raw)
            if raw not in journalled:  # who is nobody's session is told so in a last word
                last_word = fields[35] == b"5" and place == len(sent) - 1
                assert last_word, f"sent, but not in the journal: {raw!r}"
                continue
            assert fields[56].decode("latin-1") in CLIENTS and fields[49] == b"SI"
            if fields.get(43) == b"Y":
                continue
            seq = int(fields[34])
            reset = fields[35] == b"A" and fields.get(141) == b"Y" and seq == 1
            assert expected in (0, seq) or reset, f"sent {seq} after {expected - 1}: {raw!r}"
            expected = seq + 1


def messages(data: bytes) -> list[bytes]:
    """An outbound stream cut by BodyLength(9) alone."""
    found = []
    while data:
        head = data[:64].split(b"\x01")
        assert head[0].startswith(b"8=FIX") and head[1].startswith(b"9="), data[:80]
        size = len(head[0]) + len(head[1]) + 2 + int(head[1][2:]) + len(b"10=000|")
        assert size <= len(data), f"cut off: {data[:200]!r}"
        found.append(data[:size])
        data = data[size:]
    return found


def parsed(raw: bytes) -> Fields:
    """A message of ours: header first, checksum right, no tag twice, no value empty."""
    assert raw.endswith(b"\x01") and raw[-8:-4] == b"\x0110=", raw
    assert int(raw[-4:-1]) == sum(raw[:-7]) % 256, f"checksum: {raw!r}"
    pairs = [field.partition(b"=") for field in raw[:-1].split(b"\x01")]
    assert all(tag.isdigit() and value for tag, _, value in pairs), f"a broken field: {raw!r}"
    fields = {int(tag): value for tag, _, value in pairs}
    tags = [int(tag) for tag, _, _ in pairs]
    repeated = in_groups(fields[35].decode("latin-1"))
    once = [tag for tag in tags if tag not in repeated]
    assert len(once) == len(set(once)), f"a tag twice: {raw!r}"
    assert tags[:3] == [8, 9, 35], raw
    assert {34, 49, 56, 52} <= set(fields), f"an incomplete header: {raw!r}"
    return fields


@cache
def in_groups(msg_type: str) -> frozenset[int]:
    """Tags that such a message may have more than once: members of its repeating groups."""
    found: set[int] = set()

    def look(members: Iterable[Any], inside: bool) -> None:
        for member in members:
            if inside:
                found.add(member.tag)
            if member.group is not None:
                look(member.group.members, True)

    messages = dictionary.shipped("FIX.5.0SP2").messages
    if msg_type in messages:
        look(messages[msg_type].members, False)
    return frozenset(found)


class Others:
    """The rows, queues and sent bytes of the sessions that an input is none of the business of."""

    def __init__(self, venue: Venue, concerned: set[int]) -> None:
        self.venue = venue
        self.ids = [i for i in range(len(CLIENTS)) if i not in concerned]
        self.before = [self._of(session_id) for session_id in self.ids]

    def _of(self, session_id: int) -> tuple[Any, ...]:
        row = self.venue.wire.sessions[session_id]
        connection_id = int(row["connection"])
        if connection_id < 0:
            return (row.tobytes(),)
        connection = self.venue.wire.connections[connection_id]
        queued = self.venue.wire.tx[connection_id, : connection["tx_end"]].tobytes()
        [got] = [bytes(peer.got) for peer in self.venue.peers if self._has(peer, connection_id)]
        return row.tobytes(), connection.tobytes(), queued, got

    def _has(self, peer: Peer, connection_id: int) -> bool:
        return peer.connection_id == connection_id and self.venue.is_open(peer)

    def check(self) -> None:
        for session_id, before in zip(self.ids, self.before, strict=True):
            assert self._of(session_id) == before, f"session {session_id} was changed"
