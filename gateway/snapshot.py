"""Snapshots: the state at a frame, so that recovery need not begin at the first one."""

import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.journal import Journal
from engine.schema import schema_hash
from engine.tables import Tables, rebuild_indexes, state_hash, used_rows
from gateway.wire import Wire

_SESSION_STATE = (
    "client", "next_in", "next_out", "status", "version", "precision", "fill_style",
    "last_processed", "out_tags", "since_ns", "begin_size", "sender_size", "target_size",
)  # fmt: skip
_SESSION_BYTES = ("headers", "their_ids", "our_ids", "echo_tags", "sent")


class Loaded(NamedTuple):
    """Where the journal goes on after a snapshot, and where its last frame was."""

    seq: int
    position: int
    last: int


def write(directory: Path, tables: Tables, wire: Wire, journal: Journal) -> Path:
    """Store the state after the journal's last frame; whole or not at all."""
    writer = journal.writer[0]
    seq = int(writer["seq"])
    path = directory / f"snapshot-{seq:012d}.npz"
    sessions = int(np.count_nonzero(wire.sessions["begin_size"]))
    rows: dict[str, Any] = {f"table_{name}": table for name, table in used_rows(tables)}
    for name in _SESSION_STATE:
        rows[f"session_{name}"] = wire.sessions[name][:sessions]
    for name in _SESSION_BYTES:
        rows[name] = getattr(wire, name)[:sessions]
    rows["own_mic"] = wire.own_mic
    position = int(writer["base"] + writer["offset"])
    rows["place"] = np.array([seq, position, int(writer["last"]), schema_hash()], np.int64)
    rows["hash"] = np.frombuffer(state_hash(tables).encode(), np.uint8)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **rows)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)
    for older in sorted(directory.glob("snapshot-*.npz"))[:-2]:
        older.unlink()
    return path


def load_newest(
    directory: Path, tables: Tables, wire: Wire, holds: Callable[[Loaded], bool]
) -> Loaded | None:
    """Load the newest snapshot that is sound and of which `holds` is true, or None."""
    for path in sorted(directory.glob("snapshot-*.npz"), reverse=True):
        rows = _read(path)
        if rows is None:
            continue
        seq, position, last, schema = rows["place"].tolist()
        place = Loaded(seq, position, last)
        if schema == schema_hash() and holds(place) and _fill(tables, wire, rows):
            return place
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with np.load(path) as stored:
            rows = dict(stored)
        return rows if "place" in rows and "hash" in rows else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _fill(tables: Tables, wire: Wire, rows: dict[str, Any]) -> bool:
    """Put the rows into the tables; False, and empty tables, where the hash does not agree."""
    tables.counters[:] = rows["table_counters"]
    for name, target in used_rows(tables):
        if target.shape != rows[f"table_{name}"].shape:
            break
        target[:] = rows[f"table_{name}"]
    if rows["hash"].tobytes().decode() != state_hash(tables):
        for _, table in tables.items():
            table[:] = np.zeros(1, table.dtype)
        return False
    for name in _SESSION_STATE:
        stored = rows[f"session_{name}"]
        wire.sessions[name][: len(stored)] = stored
    for name in _SESSION_BYTES:
        getattr(wire, name)[: len(rows[name])] = rows[name]
    wire.own_mic[:] = rows["own_mic"]
    rebuild_indexes(tables)
    return True
