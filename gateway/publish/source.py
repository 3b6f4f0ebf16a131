"""The versions of our public quotes, as the journal has them: in order, counted from its start.

The same journal gives the same versions with the same numbers, whenever it is read: that is what
makes the publication exactly-once. A kill switch withdraws what it stops and a resume brings it
back, as the FIX quotes do (RTS 6 Art 12): at the word of the switch. The engine withdraws them one
by one behind it; that is not told again.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine import journal as jn
from engine import schema, staging
from engine.enums import DeskAction, KillScope, QuoteState, Reason
from engine.schema import schema_hash, unpack
from gateway import instrument_rows
from gateway.drop_copy_feed import frame_there, mark_of
from gateway.errors import UserError
from gateway.instrument_rows import InstrumentRows
from gateway.journal_files import Frame, Reader
from gateway.journal_schema import WrongSchema
from gateway.publish.record import Size, State, Version

_KILLED = (Reason.KILLED_FIRM, Reason.KILLED_INSTRUMENT)
_KINDS = (jn.BOOT, *instrument_rows.KINDS, jn.DESK, jn.DESK_RESULT, jn.QUOTE)


class Quote(NamedTuple):
    """A row of `schema.quote` in Python's integers."""

    instrument: int
    quote_id: int
    state: int
    reason: int
    bid_px_e6: int
    ask_px_e6: int
    bid_qty: int
    ask_qty: int
    source_bid_px_e6: int
    source_ask_px_e6: int
    source_reason: int
    mrm_bid_px_e6: int
    mrm_ask_px_e6: int
    regime: int
    edition: int
    entered_ns: int
    version: int
    suspended: int
    waits: int
    more_bid_px_e6: tuple[int, ...]
    more_bid_qty: tuple[int, ...]
    more_ask_px_e6: tuple[int, ...]
    more_ask_qty: tuple[int, ...]


assert Quote._fields == schema.quote.names


class JournalChanged(UserError):
    """What was published is not in the journal any more."""


class CheckpointDamaged(Exception):
    """What was stored cannot be used: the journal is read from its start instead."""


def mark_of_journal(journal: Path) -> int | None:
    """What tells this journal from every other; None while it is empty or not there."""
    first = frame_there(journal, 0)
    return None if first is None else mark_of(first)


class Source:
    """Follows one journal. It must have its first frame: `mark_of_journal` is not None."""

    def __init__(self, journal: Path) -> None:
        mark = mark_of_journal(journal)
        assert mark is not None
        self.mark = mark
        self.reader = Reader(journal, kinds=_KINDS)
        self.sequence = 0  # of the version taken last
        self.mic = ""
        self._rows = InstrumentRows()
        self._names: dict[int, tuple[str, str]] = {}  # ISIN and currency by instrument
        self._quotes: dict[int, Quote] = {}
        self._newest: dict[int, Version] = {}
        self._killed: set[int] = set()
        self._killed_firm = False
        self._staging = False
        self._command: tuple[int, int, int] | None = None  # action, scope, subject
        self._pending: deque[Version] = deque()
        self._made = 0  # versions, with those pending
        self._refused: UserError | None = None  # why the journal is not read on

    def take(self, count: int, frames: int = 1 << 12) -> list[Version]:
        """The next versions, at most `count`, among at most so many frames.

        Raises JournalDamaged and WrongSchema, behind what was whole before.
        """
        if self._refused is None and len(self._pending) < count:
            try:
                for frame in self.reader.poll():
                    self._pending.extend(self._versions(frame))
                    frames -= 1
                    if len(self._pending) >= count or frames <= 0:
                        break
            except UserError as error:
                self._refused = error
        if self._refused is not None and not self._pending:
            raise self._refused
        taken = [self._pending.popleft() for _ in range(min(count, len(self._pending)))]
        if taken:
            self.sequence = taken[-1].sequence
        return taken

    def close(self) -> None:
        """Let go of the journal."""
        self.reader.close()

    # --- frames -------------------------------------------------------------------------------

    def _versions(self, frame: Frame) -> Iterator[Version]:
        if frame.kind == jn.QUOTE:
            quote = _quote_of(frame.record.tolist())
            self._quotes[quote.instrument] = quote
            if not self._is_told_by_switch(quote):
                yield self._version(quote, quote.entered_ns)
        elif frame.kind == jn.DESK:
            record = frame.record
            self._command = int(record["action"]), int(record["scope"]), int(record["subject"])
        elif frame.kind == jn.DESK_RESULT:
            result = frame.record
            if self._command is None:  # the engine has stopped something by itself
                action, scope = int(result["action"]), int(result["scope"])
                yield from self._switched(action, scope, int(result["subject"]), frame.ts_ns)
            elif result["reason"] == Reason.NONE:
                yield from self._switched(*self._command, frame.ts_ns)
            self._command = None
        elif frame.kind == jn.BOOT:
            self._boot(frame)
        else:
            if frame.kind == jn.STAGE:
                self._staging = int(frame.body[:8].view("i8")[0]) != staging.ABORT
            elif frame.kind == jn.ACTIVATE:
                self._staging = False
            for number, row in self._rows.changed(frame):
                self._names[number] = unpack(row["isin"]), unpack([row["currency"]])

    def _boot(self, frame: Frame) -> None:
        written, mic = frame.body[:16].view("i8").tolist()
        if written != schema_hash():
            raise WrongSchema(
                f"frame {frame.seq} of the journal was written with schema {written:016x}, this "
                f"version has {schema_hash():016x}: use the version that wrote it"
            )
        self.mic = unpack([mic])

    def _switched(self, action: int, scope: int, subject: int, ts_ns: int) -> Iterator[Version]:
        """What a kill switch does to the public quotes; a pool's or a client's does nothing."""
        if action not in (DeskAction.KILL, DeskAction.RESUME):
            return
        if scope not in (KillScope.FIRM, KillScope.INSTRUMENT):
            return
        stop = action == DeskAction.KILL
        if scope == KillScope.FIRM:
            self._killed_firm = stop
            numbers = sorted(self._quotes)
        else:
            (self._killed.add if stop else self._killed.discard)(subject)
            numbers = [subject] if subject in self._quotes else []
        for number in numbers:
            quote, told = self._quotes[number], self._newest[number].reason
            reason = self._withdrawal(quote)
            lifted = not stop and told in _KILLED  # it has another reason now, or none
            if reason != told and (lifted or Reason.NONE in (reason, told)):
                yield self._version(quote, ts_ns)

    def _is_told_by_switch(self, quote: Quote) -> bool:
        """Whether a quote is withdrawn for what its kill switch has said of it before."""
        newest = self._newest.get(quote.instrument)
        return quote.reason in _KILLED and newest is not None and newest.reason in _KILLED

    def _withdrawal(self, quote: Quote) -> Reason:
        """Why nobody sees a quote, NONE where it is public; as for the FIX quotes."""
        if self._killed_firm:
            return Reason.KILLED_FIRM
        if quote.instrument in self._killed:
            return Reason.KILLED_INSTRUMENT
        if quote.state == QuoteState.LIVE:
            return Reason.NONE
        return Reason(quote.reason or Reason.NO_QUOTE)

    def _is_public(self, instrument: int) -> bool:
        newest = self._newest.get(instrument)
        return newest is not None and newest.state != State.WITHDRAW

    def _version(self, quote: Quote, ts_ns: int) -> Version:
        reason = self._withdrawal(quote)
        if reason != Reason.NONE:
            state = State.WITHDRAW
        else:
            state = State.AMEND if self._is_public(quote.instrument) else State.NEW
        self._made += 1
        isin, currency = self._names[quote.instrument]
        made = Version(
            self._made, isin, currency, quote.quote_id, state,
            quote.bid_px_e6, quote.ask_px_e6, quote.bid_qty, quote.ask_qty,
            reason, ts_ns, self.mic, _more_of(quote),
        )  # fmt: skip
        self._newest[quote.instrument] = made
        return made

    # --- where it stands ----------------------------------------------------------------------

    @property
    def is_between_frames(self) -> bool:
        """Whether `store` may be called: no version of a frame is left, no table is half there."""
        return not self._pending and not self._staging and self._command is None

    def store(self, path: Path) -> None:
        """Keep where it stands; whole or not at all. Raises OSError."""
        assert self.is_between_frames
        state = {
            "schema": schema_hash(), "mark": self.mark, "position": self.reader.position,
            "seq": self.reader.seq, "sequence": self.sequence, "mic": self.mic,
            "names": list(self._names.items()), "quotes": list(self._quotes.values()),
            "newest": list(self._newest.items()), "killed": list(self._killed),
            "killed_firm": self._killed_firm,
        }  # fmt: skip
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("w", encoding="ascii") as file:
                json.dump(state, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.rename(path)

    def restore(self, path: Path, sequence_max: int) -> None:
        """Stand where `store` was called; nothing where that is behind `sequence_max`.

        Raises CheckpointDamaged, OSError where there is none. Another journal's is no damage.
        """
        try:
            state = json.loads(path.read_text(encoding="ascii"))
            if state["schema"] != schema_hash() or state["mark"] != self.mark:
                return
            if state["sequence"] > sequence_max:
                return
            self._load(state)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointDamaged(f"{path}: {error!r}") from error

    def _load(self, state: dict[str, Any]) -> None:
        names = {int(number): (str(isin), str(code)) for number, (isin, code) in state["names"]}
        quotes = [_quote_of(words) for words in state["quotes"]]
        numbers = {name: int(state[name]) for name in ("position", "seq", "sequence")}
        newest = {int(number): _version_of(words) for number, words in state["newest"]}
        killed, firm, mic = set(map(int, state["killed"])), bool(state["killed_firm"]), state["mic"]
        self.reader.close()
        self.reader = Reader(self.reader.directory, numbers["position"], _KINDS)
        self.reader.seq = numbers["seq"]
        self.sequence = self._made = numbers["sequence"]
        self._names, self._quotes = names, {quote.instrument: quote for quote in quotes}
        self._newest, self._killed, self._killed_firm, self.mic = newest, killed, firm, str(mic)

    def standing(self) -> list[Version]:
        """The newest version of every instrument, in the order of their numbers."""
        return sorted(self._newest.values(), key=lambda version: version.sequence)


def _quote_of(words: Sequence[Any]) -> Quote:
    """A quote from the words of its record, or as `store` wrote it."""
    pairs = (tuple(map(int, pair)) for pair in words[-4:])
    return Quote(*map(int, words[:-4]), *pairs)  # type: ignore[arg-type]


def _more_of(quote: Quote) -> tuple[Size, ...]:
    """Its sizes but for the first."""
    sides = zip(
        quote.more_bid_px_e6, quote.more_ask_px_e6, quote.more_bid_qty, quote.more_ask_qty,
        strict=True,
    )  # fmt: skip
    return tuple(Size(*side) for side in sides if all(side))


def _version_of(words: list[Any]) -> Version:
    """A version as `store` wrote it."""
    *plain, more = words
    sequence, isin, currency, quote_id, state, bid, ask, bid_qty, ask_qty, reason, ns, mic = plain
    return Version(
        int(sequence), str(isin), str(currency), int(quote_id), State(state),
        int(bid), int(ask), int(bid_qty), int(ask_qty), Reason(reason), int(ns), str(mic),
        tuple(Size(*map(int, size)) for size in more),
    )  # fmt: skip
