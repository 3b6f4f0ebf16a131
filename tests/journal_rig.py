"""A journal on disk with FIX reports in it, written without an engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from engine import journal as jn
from engine import schema, tables
from engine.limits import FRAME_ALIGN
from gateway import drop_copy_feed, fix_view_source, journal_files
from gateway.journal_files import JournalFiles
from tests import rig
from tests.fix_text import as_array, message, order

SEGMENT = 1 << 16
TS_NS = 1_764_583_200_000_000_000  # 2025-12-01 10:00
CLIENTS = ("client1", "client2")


def use_small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 64 KiB wherever their size is asked for."""
    for module in (journal_files, drop_copy_feed, fix_view_source):
        monkeypatch.setattr(module, "SEGMENT_SIZE", SEGMENT)


class Sent(NamedTuple):
    """A report as a client was sent it."""

    comp_id: str
    exec_id: int
    raw: bytes
    position: int


def report(
    comp_id: str, exec_id: int, seq: int = 5, more: str = "", msg_type: str = "8",
    begin: str = "FIX.4.4",
) -> bytes:  # fmt: skip
    """An ExecutionReport (or OrderCancelReject) as the engine writes it."""
    head = f"35={msg_type}|49=SI|56={comp_id}|34={seq}|52=20251201-10:00:00.000001|"
    if msg_type == "9":
        return message(head + f"37={exec_id}|11=C{exec_id}|41=A{exec_id}|39=2|434=1|{more}", begin)
    body = f"37={exec_id}|17={exec_id}|11=A{exec_id}|150=F|39=2|55=DE0007164600|"
    body += "48=DE0007164600|22=4|54=1|38=100|32=100|31=17.35|151=0|14=100|6=17.35|"
    return message(head + body + more, begin)


class JournalRig:
    """Writes frames as the engine does; `sent` has the reports."""

    def __init__(self, folder: Path, clients: tuple[str, ...] = CLIENTS, boot: int = 1) -> None:
        self.files = JournalFiles(folder)
        self.folder = folder
        self.sent: list[Sent] = []
        self.seq = 0
        body = rig.row(schema.boot, schema_hash=schema.schema_hash(), own_mic=boot)
        self.put(jn.BOOT, -1, body.tobytes())
        for number, name in enumerate(clients):
            words = np.array([tables.CLIENT, number], "i8").tobytes()
            client = rig.row(schema.client, name=schema.pack(name))
            self.put(jn.TABLE_ROW, -1, words + client.tobytes())
            setting = rig.row(
                schema.session_set, client=number, next_in=1, next_out=1,
                their_comp_id=schema.pack(name.upper(), 6), our_comp_id=schema.pack("SI", 6),
            )  # fmt: skip
            self.put(jn.SESSION_SET, number, setting.tobytes())

    def put(self, kind: int, session: int, body: bytes, fix_seq: int = 0) -> int:
        """One frame; answers its position. A new segment where this one is full."""
        needed = jn.HEADER_SIZE + len(body) + 2 * FRAME_ALIGN
        if int(jn.room(self.files.journal)) < needed:
            self.files.rotate()
        journal = self.files.journal
        at = int(jn.body_at(journal))
        journal.buffer[at : at + len(body)] = as_array(body)
        self.seq += 1
        return int(jn.end_frame(journal, kind, session, fix_seq, TS_NS + self.seq, len(body)))

    def report(self, client: int = 0, kind: int = jn.EXECUTION, **changes: str) -> Sent:
        """A report to a client's session."""
        exec_id = self.seq + 1
        comp_id = CLIENTS[client].upper()
        raw = report(comp_id, exec_id, **changes)
        body = rig.row(jn.RECORDS[kind]).tobytes() if kind in jn.RECORDS else b""
        position = self.put(kind, client, body + raw)
        self.sent.append(Sent(comp_id, exec_id, raw, position))
        return self.sent[-1]

    def order(self, seq: int, more: str = "") -> bytes:
        """A client's order."""
        raw = order(seq, more)
        self.put(jn.ORDER, 0, rig.row(schema.order_event).tobytes() + raw, seq)
        return raw

    def quote(self) -> None:
        """What is no FIX."""
        self.put(jn.QUOTE, -1, rig.row(schema.quote).tobytes())

    def close(self) -> None:
        """Let go of the files."""
        self.files.close()


def opened(folder: Path) -> Iterator[JournalRig]:
    """A journal for a fixture."""
    made = JournalRig(folder)
    yield made
    made.close()
