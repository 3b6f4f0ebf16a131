"""A day's market data at its own times: the records, taken by the functions that serve.

`play` is what `gateway.loop` is to sockets: the same datagrams into the same recorder, the same
timers ten times a second, but the time comes from the tape.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine import journal as jn
from engine import schema
from engine.handle import Handle
from engine.jit import inlined, njit, put_record
from gateway.ahead import MAPPED_MIN, map_ahead
from gateway.feed_files import RECORDS_MAX, encode, quotes
from gateway.feed_lines import FeedError, Quote
from gateway.inbound import NEEDED_ROOM
from gateway.loop import TICK_NS, run_timers
from gateway.recorder import on_feed

CHUNK = 1 << 15  # records that are taken into memory at once
RECORD_SIZE = schema.venue_quote.itemsize
DONE, NEEDS_ROOM = 0, 1
NOT_APPLIED = -1  # in place of a BboState: the record changed no book

tape_state = np.dtype([(name, "i8") for name in ("at", "count", "datagram_max")], align=True)


class Chunk(NamedTuple):
    """Records in the order of their times, at most CHUNK."""

    times_ns: Any  # int64
    records: Any  # schema.venue_quote


class Tape(Handle):
    """The chunk at hand, how far it is taken, and the BBO after each record if it is wanted."""

    times_ns: Any
    records: Any
    bbos: Any  # schema.bbo
    state: Any  # tape_state[1]


def allocate_tape(*, with_bbo: bool) -> Tape:
    """An empty tape; `with_bbo`: each record is a datagram, and the BBO after it is kept."""
    state = np.zeros(1, tape_state)
    state["datagram_max"] = 1 if with_bbo else RECORDS_MAX
    return Tape(
        times_ns=np.zeros(CHUNK, np.int64),
        records=np.zeros(CHUNK, schema.venue_quote),
        bbos=np.zeros(CHUNK, schema.bbo),
        state=state,
    )


def put_chunk(tape: Tape, chunk: Chunk) -> None:
    """The next records in place of those before."""
    count = len(chunk.times_ns)
    tape.times_ns[:count] = chunk.times_ns
    tape.records[:count] = chunk.records
    tape.state[0]["at"], tape.state[0]["count"] = 0, count


@njit
def play(tables, outbox, wire, journal, tape, until_ns):
    """Take all records before `until_ns` and the ticks up to it: DONE, or NEEDS_ROOM on the way.

    A tick comes before a record of its own time.
    """
    state = tape.state[0]
    loop = wire.loop[0]
    while jn.room(journal) >= NEEDED_ROOM:
        if journal.writer[0]["mapped"] - journal.writer[0]["offset"] < MAPPED_MIN:
            map_ahead(journal)
        ts_ns = until_ns
        if state["at"] < state["count"]:
            ts_ns = min(until_ns, tape.times_ns[state["at"]])
        if loop["next_tick_ns"] <= ts_ns:
            run_timers(tables, outbox, wire, journal, loop["next_tick_ns"])
            loop["next_tick_ns"] += TICK_NS
        elif ts_ns < until_ns:
            _take(tables, outbox, wire, journal, tape, ts_ns)
        else:
            return DONE
    return NEEDS_ROOM


@inlined
def _take(tables, outbox, wire, journal, tape, ts_ns):
    """One datagram: records of one venue and time, as its adapter would have sent them."""
    state = tape.state[0]
    at = state["at"]
    mic = tape.records[at]["mic"]
    count = 0
    while (
        count < state["datagram_max"]
        and at + count < state["count"]
        and tape.times_ns[at + count] == ts_ns
        and tape.records[at + count]["mic"] == mic
    ):
        put_record(wire.datagram, count * RECORD_SIZE, tape.records[at + count])
        count += 1
    applied = tables.counters[0]["venue_quotes"]
    on_feed(tables, outbox, wire, journal, count * RECORD_SIZE, ts_ns)
    if state["datagram_max"] == 1:
        tape.bbos[at] = tables.bbo[0]
        if tables.counters[0]["venue_quotes"] == applied:
            tape.bbos[at]["state"] = NOT_APPLIED
    state["at"] = at + count


# --- from files -------------------------------------------------------------------------------


class FeedFile(NamedTuple):
    """A file of market data and how to read it (FEED.md); "" where nothing is said."""

    path: Path
    kind: str
    isin: str = ""
    mic: str = ""
    map_path: Path | None = None


def read_files(
    files: list[FeedFile], from_ns: int, until_ns: int, refresh_ns: int = 0
) -> Iterator[Chunk]:
    """Records of all files in the order of their times; the first file first where they are equal.

    A line with an earlier time than the one before it in its file counts from that one's time, as
    `si feed` plays it. With `refresh_ns` what stands is said again that long after it was said, as
    an adapter does for a venue that only tells changes. Raises FeedError, also for a record outside
    `[from_ns, until_ns)`.
    """
    times_ns: list[int] = []
    records = bytearray()
    streams = [_in_order(file, from_ns, until_ns) for file in files]
    merged = heapq.merge(*streams, key=lambda found: found[0])
    for time_ns, quote in _refreshed(merged, refresh_ns) if refresh_ns else merged:
        times_ns.append(time_ns)
        records += encode(quote)
        if len(times_ns) == CHUNK:
            yield _chunk(times_ns, records)
            times_ns, records = [], bytearray()
    if times_ns:
        yield _chunk(times_ns, records)


def _in_order(file: FeedFile, from_ns: int, until_ns: int) -> Iterator[tuple[int, Quote]]:
    now_ns = from_ns
    found = quotes(file.path, file.kind, isin=file.isin, mic=file.mic, map_path=file.map_path)
    for quote in found:
        if not from_ns <= quote.time_ns < until_ns:
            raise FeedError(f"{file.path}: a quote of {quote.isin} is not of the day of --date")
        now_ns = max(now_ns, quote.time_ns)
        yield now_ns, quote


def _refreshed(stream: Iterable[tuple[int, Quote]], refresh_ns: int) -> Iterator[tuple[int, Quote]]:
    """Every line's last record again, as long as the stream lasts."""
    said: dict[tuple[str, str], tuple[int, Quote]] = {}  # the longest ago comes first
    for time_ns, quote in stream:
        while said:
            line, (said_ns, last) = next(iter(said.items()))
            if said_ns + refresh_ns >= time_ns:
                break
            del said[line]
            said[line] = said_ns + refresh_ns, last
            yield said[line]
        said.pop((quote.mic, quote.isin), None)
        said[quote.mic, quote.isin] = time_ns, quote
        yield time_ns, quote


def _chunk(times_ns: list[int], records: bytearray) -> Chunk:
    return Chunk(np.array(times_ns, np.int64), np.frombuffer(bytes(records), schema.venue_quote))
