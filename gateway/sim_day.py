"""`si sim day`: a whole trading day through the engine, on the market's own clock.

The server as it is, without its sockets and with a clock that the tape turns: the same recovery,
the same rows at the start, the same compiled functions for records, orders and timers. What comes
out is an ordinary journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine import journal as jn
from engine.limits import VENUES_MAX
from engine.schema import unpack
from engine.tables import INSTRUMENT
from gateway import demo_world, inbound, journal_files, sim_day_tape
from gateway import fix_message as fm
from gateway.config import ALWAYS_NS, Config
from gateway.errors import UserError
from gateway.fix_message import Header
from gateway.loop import TICK_NS
from gateway.server import Server
from gateway.sim_day_market import Hours, Market
from gateway.sim_day_orders import FAR_NS, DrawnOrders, FileOrders, NoOrders, Orders
from gateway.sim_day_tape import Chunk, FeedFile, Tape, allocate_tape, play, put_chunk
from gateway.wire import Wake

DAY_NS = 86_400 * 10**9
LEAD_NS = 60 * 10**9  # of generated records before the open
AFTER_NS = 5 * 10**9  # timers go on so long after the last record and the close
#: Of a generated day where the configuration has no hours.
OPEN_NS, CLOSE_NS = 8 * 3_600 * 10**9, 16 * 3_600 * 10**9 + 30 * 60 * 10**9

Progress = Callable[[str, int, int], None]
Bbos = Callable[[Chunk, Any, Any], None]  # a chunk, the BBO after each record, the venues


class Plan(NamedTuple):
    """What a day is made of: files, or else a generated market; orders from a file or drawn."""

    day: date
    files: list[FeedFile]
    seed: int = 1
    instruments: int = 0  # of a generated day; 0: all that the firm is SI in
    orders_per_s: float = 0.0
    orders_file: Path | None = None
    refresh_ns: int = 0  # after which a file's standing quote is said again; 0: never


class Done(NamedTuple):
    """A day that has been played."""

    server: DayServer
    hours: Hours
    records: int
    orders: int
    elapsed_ns: int  # of the wall clock, from the first record to the last timer
    fed: int  # instruments with a book


class DayServer(Server):
    """A server whose clock is the tape's."""

    def __init__(self, config: Config, now_ns: int) -> None:
        self.clock_ns = now_ns
        super().__init__(config)

    def now_ns(self) -> int:
        """The tape's time."""
        return self.clock_ns

    def names(self) -> dict[str, int]:
        """Sessions that may log on, by their SenderCompID(49): rows that they will have."""
        found = {
            session.target_comp_id: row
            for row, session in enumerate(self.session_admin.sessions)
            if session.enabled
        }
        if not found:
            raise UserError("no session may log on: see [[fix.sessions]] and sessions.json")
        return found

    def log_on_all(self, names: dict[str, int]) -> None:
        """Each of these sessions has logged on; nobody asked for a password."""
        for name, row in names.items():
            assert self.sessions.names(row)[1] == name, "rows are in the order of the sessions"
            raw = self.write(row, "A", [(98, 0), (108, 0)])
            self.wire.connections[row]["session"] = row
            self.sessions.logons.accept(row, row, fm.read(raw), raw)
            self.forget_sent(row)

    def write(self, row: int, msg_type: str, fields: fm.Fields) -> bytes:
        """The next message of a session's counterparty."""
        ours = self.sessions.header(row)
        theirs = Header(ours.begin, ours.theirs, ours.ours, 3)
        return fm.write(
            msg_type, theirs, int(self.wire.sessions[row]["next_in"]), self.clock_ns, fields
        )

    def forget_sent(self, row: int) -> None:
        """The counterparty has read what was sent."""
        connection = self.wire.connections[row]
        connection["tx_start"] = connection["tx_end"] = 0

    def receive(self, row: int, raw: bytes) -> None:
        """A message through the inbound path, as if a socket had brought it."""
        connection = self.wire.connections[row]
        self.wire.rx[row, : len(raw)] = np.frombuffer(raw, np.uint8)
        connection["rx_start"], connection["rx_end"] = 0, len(raw)
        connection["recv_ns"] = self.clock_ns
        self.make_room()
        wake = inbound.drain(
            self.tables, self.outbox, self.wire, self.journal, row, self.clock_ns,
            self.policy.address,
        )  # fmt: skip
        if wake == Wake.COLD_MESSAGE:
            self._cold_message()
        self.forget_sent(row)

    def play(self, tape: Tape, until_ns: int) -> None:
        """The tape, and time, up to a moment."""
        done = sim_day_tape.NEEDS_ROOM
        while done == sim_day_tape.NEEDS_ROOM:
            self.make_room()
            done = play(self.tables, self.outbox, self.wire, self.journal, tape, until_ns)
        self.clock_ns = until_ns

    def _no_space(self, error: OSError) -> None:
        """There is nobody to stop trading for: the day ends here."""
        raise UserError(f"no space for the journal: {error}") from error

    def end(self) -> None:
        """The day is over: the next one's hours, and everything is on the disk."""
        if self.clock_ns >= self._hours_until_ns:
            self._set_hours(self.clock_ns, self._next_hours(self.clock_ns))
        self.checker.close()
        self.files.close()


def run(
    config: Config, plan: Plan, progress: Progress = lambda *_: None, on_bbos: Bbos | None = None
) -> Done:
    """Play the day into the configuration's journal. UserError comes before anything is written."""
    refuse_used(config.journal)
    market = _Generated(config, plan) if not plan.files else _Filed(config, plan, progress)
    hours = market.hours
    server = DayServer(config, hours.from_ns)
    midnight_ns = midnight_of(plan.day)
    names = server.names()
    filed = (
        FileOrders(plan.orders_file, names, midnight_ns, midnight_ns + DAY_NS)
        if plan.orders_file is not None
        else None
    )
    server.recover()
    server.load()
    market.adjust(server)
    server.log_on_all(names)
    orders = filed or _drawn(server, plan, hours, list(names.values()))
    return _play(server, hours, market.chunks(), orders, progress, on_bbos)


def refuse_used(journal: Path) -> None:
    """A day begins with an empty journal. Raises UserError."""
    if journal.is_dir() and journal_files.segments(journal):
        if journal_files.look_at(journal, 0).words[jn.SIZE] != 0:
            raise UserError(
                f"{journal} has a journal already, and a day is written into an empty one: "
                "name another folder, or move this one away"
            )


def midnight_of(day: date) -> int:
    """When a day begins, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9


def hours_of(config: Config, day: date) -> tuple[int, int] | None:
    """The published hours of the day; None: always open. Raises UserError."""
    midnight_ns = midnight_of(day)
    opens, closes, _ = config.hours.window_ns(midnight_ns, config.directory)
    if opens == 0 and closes == ALWAYS_NS:
        return None
    if not midnight_ns <= opens < closes <= midnight_ns + DAY_NS:
        raise UserError(f"[hours] of si.toml have no trading on {day}: name a trading day")
    return opens, closes


class _Generated:
    """A drawn market of the first instruments that the firm is SI in."""

    def __init__(self, config: Config, plan: Plan) -> None:
        if config.refdata.format != "si":
            raise UserError(
                '--generate needs instruments of [refdata] format = "si" with a column ref_px'
            )
        self.config, self.plan = config, plan
        self.world = demo_world.read(config)
        found = np.flatnonzero(self.world.rows["si"])
        if plan.instruments > len(found):
            raise UserError(
                f"--instruments {plan.instruments}: the firm is SI in {len(found)} of the file's"
            )
        self.rows = found[: plan.instruments] if plan.instruments else found
        known, midnight_ns = hours_of(config, plan.day), midnight_of(plan.day)
        if known is None:
            opens = midnight_ns + OPEN_NS
            self.hours = Hours(opens, opens, midnight_ns + CLOSE_NS)
        else:
            self.hours = Hours(known[0] - LEAD_NS, *known)

    def adjust(self, server: DayServer) -> None:
        """The firm is SI in nothing that the market does not have: else it would have to quote."""
        isins = {self.world.isins[row] for row in self.rows.tolist()}
        for index in range(int(server.tables.counters[0]["instruments"])):
            row = server.tables.instruments[index].copy()
            if unpack(row["isin"]) not in isins:
                row["si"] = 0
                server.put_row(INSTRUMENT, index, row, server.now_ns())

    def chunks(self) -> Iterator[Chunk]:
        """Its records."""
        stale_ns = self.config.quoting.stale_ms * 1_000_000
        return Market(self.world, self.rows, self.hours, self.plan.seed, stale_ns).chunks()


class _Filed:
    """The records of files, which are read to their end first, so that nothing of a bad one is
    played."""

    def __init__(self, config: Config, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        first_ns = last_ns = count = 0
        for chunk in self.chunks():
            first_ns = first_ns or int(chunk.times_ns[0])
            last_ns = int(chunk.times_ns[-1])
            count += len(chunk.times_ns)
            progress(f"{count:,} quotes, checking", 0, 1)
        if not count:
            paths = ", ".join(str(file.path) for file in plan.files)
            raise UserError(f"there is no quote in {paths}")
        starts = first_ns // TICK_NS * TICK_NS
        known = hours_of(config, plan.day)
        if known is None:
            self.hours = Hours(starts, starts, last_ns + 1)
        else:
            self.hours = Hours(min(starts, known[0] - LEAD_NS), *known)

    def adjust(self, server: DayServer) -> None:
        """The firm must quote what it is SI in, whether a file has it or not."""

    def chunks(self) -> Iterator[Chunk]:
        """Their records, in the order of time."""
        midnight_ns = midnight_of(self.plan.day)
        return sim_day_tape.read_files(
            self.plan.files, midnight_ns, midnight_ns + DAY_NS, self.plan.refresh_ns
        )


def _drawn(server: DayServer, plan: Plan, hours: Hours, sessions: list[int]) -> Orders:
    if not plan.orders_per_s:
        return NoOrders()
    count = int(server.tables.counters[0]["instruments"])
    rows = np.flatnonzero(server.tables.instruments["si"][:count]).tolist()
    return DrawnOrders(server.tables, rows, sessions, hours, plan.orders_per_s, plan.seed)


def _play(
    server: DayServer, hours: Hours, chunks: Iterator[Chunk], orders: Orders, progress: Progress,
    on_bbos: Bbos | None,
) -> Done:  # fmt: skip
    tape = allocate_tape(with_bbo=on_bbos is not None)
    server.wire.loop[0]["next_tick_ns"] = hours.from_ns
    records = sent = 0
    seconds = (hours.close_ns - hours.from_ns) // 10**9
    started_ns = time.perf_counter_ns()
    for chunk in chunks:
        if not len(chunk.times_ns):
            continue
        put_chunk(tape, chunk)
        last_ns = int(chunk.times_ns[-1])
        sent += _send_until(server, tape, orders, last_ns, sent)
        server.play(tape, last_ns + 1)
        records += len(chunk.times_ns)
        if on_bbos is not None:
            on_bbos(chunk, tape.bbos, server.tables.venues)
        progress(f"{records:,} quotes", (last_ns - hours.from_ns) // 10**9, seconds)
    end_ns = max(hours.close_ns, server.clock_ns) + AFTER_NS
    sent += _send_until(server, tape, orders, end_ns, sent)
    server.play(tape, end_ns)
    elapsed_ns = time.perf_counter_ns() - started_ns
    server.end()
    books = server.tables.venue_books.reshape(-1, VENUES_MAX)
    fed = int(np.count_nonzero(books["recv_ns"].any(axis=1)))
    return Done(server, hours, records, sent, elapsed_ns, fed)


def _send_until(server: DayServer, tape: Tape, orders: Orders, last_ns: int, before: int) -> int:
    """Every order up to a time, each after what the market had said by then."""
    count = 0
    while orders.due_ns <= last_ns and orders.due_ns != FAR_NS:
        server.play(tape, orders.due_ns)
        order = orders.take()
        count += 1
        raw = server.write(order.session, "D", order.fields(f"day-{before + count}"))
        server.receive(order.session, raw)
    return count
