"""A FIX 4.4 session that takes market data from a venue: books, and quotes from them. No socket.

Rule: a book counts only while nothing is missing. After a gap, a lost connection or an entry that
does not fit, the book is cleared, the engine is told that there is no quote, and a snapshot is
asked for under a new MDReqID(262); what still comes under the old one is passed over.

Each connection begins with ResetSeqNumFlag(141)=Y: what was said before is of no use to us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from engine.enums import Phase
from gateway import fix_message as fm
from gateway.feed_book import Book
from gateway.feed_fix_entries import Refused, Terms, full_refresh, increments, isin_of
from gateway.feed_lines import NS, Bad, FeedError, Quote
from gateway.sim_wire import Account, Fields, Message, compose, cut

LOGON_WAIT_NS = 10 * NS
GAP_WAIT_NS = 10 * NS  # for what is missing; then the connection is begun anew
SNAPSHOT_WAIT_NS = 30 * NS  # for the answer to a request; then it is made again
AGAIN_NS = NS  # before a snapshot is asked for anew, doubling
AGAIN_NS_MAX = 60 * NS
INSTRUMENTS_MAX = 4096  # of one session


class State(Enum):
    """Of the connection."""

    DOWN = "down"
    LOGGING_ON = "logging on"
    UP = "up"


@dataclass
class Wanted:
    """One instrument: its book, and how far we are with it."""

    isin: str
    book: Book = field(default_factory=Book)
    request: str = ""  # MDReqID(262) of the latest request, "" before the first
    is_whole: bool = False  # the book is what the venue shows
    is_asked: bool = False  # the answer is still to come
    is_refused: bool = False  # by the venue, or for good: not asked for again on this connection
    due_ns: int = 0  # when to ask next, 0: not at all
    wait_ns: int = AGAIN_NS
    whole_ns: int = 0  # since when the book is whole
    shown: tuple[int, int, int, int] = (0, 0, 0, 0)


class MarketData:
    """Bytes in; bytes, quotes and complaints out: whoever owns it empties the three."""

    def __init__(
        self, account: Account, mic: str, isins: tuple[str, ...], *,
        market_depth: int = 0, currency: str = "EUR",
    ) -> None:  # fmt: skip
        if not 0 < len(isins) <= INSTRUMENTS_MAX:
            raise FeedError(f"{len(isins)} instruments: name 1 to {INSTRUMENTS_MAX} with --isin")
        self.account = account
        self.mic = mic
        self.wanted = {isin: Wanted(isin) for isin in isins}
        self.output = bytearray()
        self.quotes: list[Quote] = []
        self.faults: list[FeedError] = []
        self.state = State.DOWN
        self.closing = ""  # why the connection is to end once `output` has left
        self.connections = 0
        self._market_depth = market_depth
        self._terms = Terms(currency, market_depth == 1)
        self._requests: dict[str, Wanted] = {}
        self._request_count = 0
        self._buffer = bytearray()
        self._next_out = self._next_in = 1
        self._gap_to = 0  # the highest number seen while some before it are missing
        self._gap_ns = self._in_ns = self._out_ns = self._quote_ns = 0
        self._tested = False

    # --- the connection ---------------------------------------------------------------------------

    def connected(self, now_ns: int) -> None:
        """A new connection stands: log on."""
        self.state, self.closing = State.LOGGING_ON, ""
        self.connections += 1
        self._buffer.clear()
        self.output.clear()
        self._requests.clear()
        self._next_out = self._next_in = 1
        self._gap_to = 0
        self._in_ns, self._tested = now_ns, False
        for wanted in self.wanted.values():
            wanted.is_refused, wanted.due_ns, wanted.wait_ns = False, 0, AGAIN_NS
        logon: list[tuple[int, object]] = [
            (98, 0), (108, self.account.heartbeat_s), (141, "Y"),
        ]  # fmt: skip
        if self.account.username:
            logon += [(553, self.account.username), (554, self.account.password)]
        self._send("A", now_ns, logon)

    def lost(self, now_ns: int) -> None:
        """The connection is gone: nothing that it said counts any more."""
        self.state = State.DOWN
        self._buffer.clear()
        self.output.clear()
        for wanted in self.wanted.values():
            self._clear(wanted, now_ns)

    def stop(self, now_ns: int) -> None:
        """Log out."""
        self._close("we stop", now_ns)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes as they come."""
        self._buffer += data
        while not self.closing and (message := cut(self._buffer)) is not None:
            if message.fault:
                self._fault(f"garbled message: {message.fault}", Bad.FORM)
            else:
                self._take(message, now_ns)

    def tick(self, now_ns: int) -> None:
        """What time brings."""
        if self.closing or self.state == State.DOWN:
            return
        interval_ns = self.account.heartbeat_s * NS
        quiet_ns = now_ns - self._in_ns
        if self.state == State.LOGGING_ON:
            if quiet_ns > LOGON_WAIT_NS:
                self._close("no answer to the Logon within 10 s", now_ns)
        elif self._gap_to and now_ns - self._gap_ns > GAP_WAIT_NS:
            self._close(f"messages {self._next_in} to {self._gap_to} did not come", now_ns)
        elif quiet_ns > 24 * interval_ns // 10:
            self._close(f"nothing came for {quiet_ns // NS} s", now_ns)
        else:
            if quiet_ns > 12 * interval_ns // 10 and not self._tested:
                self._tested = True
                self._send("1", now_ns, [(112, f"T{self._next_out}")])
            if now_ns - self._out_ns >= interval_ns:
                self._send("0", now_ns)
            if not self._gap_to:
                self._ask_due(now_ns)

    # --- the session ------------------------------------------------------------------------------

    def _take(self, message: Message, now_ns: int) -> None:
        account = self.account
        self._in_ns, self._tested = now_ns, False
        for tag, due in ((8, account.begin_string), (49, account.target), (56, account.sender)):
            if message.get(tag) != due:
                self._close(f"{tag}={message.get(tag)[:40]} where {due} is due", now_ns)
                return
        if message.seq < 1:
            self._close(f"MsgSeqNum(34)={message.get(34)[:40]} is no number from 1 up", now_ns)
        elif self.state == State.LOGGING_ON:
            self._log_on(message, now_ns)
        elif message.type == "4" and message.get(123) != "Y":
            self._reset(message, now_ns)
        elif message.seq > self._next_in:
            self._ahead(message, now_ns)
        elif message.seq < self._next_in:
            if not message.is_repeat:
                due = str(self._next_in)
                self._close(f"MsgSeqNum(34)={message.seq} is too low, {due} is due", now_ns)
        else:
            self._due(message, now_ns)

    def _log_on(self, message: Message, now_ns: int) -> None:
        if message.type != "A":
            self._close(f"refused: 35={message.type} {message.get(58)[:200]}".rstrip(), now_ns)
            return
        self.state = State.UP
        self._next_in = message.seq + 1
        for wanted in self.wanted.values():
            self._ask(wanted, now_ns)

    def _reset(self, message: Message, now_ns: int) -> None:
        """SequenceReset(4) without gap fill: its own number does not count."""
        new = message.number(36)
        if new < self._next_in:
            self._close(f"NewSeqNo(36)={message.get(36)[:40]} goes backwards", now_ns)
            return
        self._fault(f"the venue set its number from {self._next_in} to {new}", Bad.SESSION)
        self._next_in, self._gap_to = new, 0
        self._begin_anew(now_ns)

    def _ahead(self, message: Message, now_ns: int) -> None:
        """Something is missing: books do not count until it is filled."""
        if not self._gap_to:
            missing = f"{self._next_in} to {message.seq - 1}"
            self._fault(f"messages {missing} are missing", Bad.SESSION)
            for wanted in self.wanted.values():
                self._clear(wanted, now_ns)
            self._gap_ns = now_ns
            self._send("2", now_ns, [(7, self._next_in), (16, 0)])
        self._gap_to = max(self._gap_to, message.seq)
        if message.type in ("1", "2", "5"):  # these are answered at once; the rest comes again
            self._admin(message, now_ns)

    def _due(self, message: Message, now_ns: int) -> None:
        """The message whose number is due."""
        self._next_in += 1
        if message.type == "4":
            new = message.number(36)
            if new < self._next_in:
                self._close(f"NewSeqNo(36)={message.get(36)[:40]} fills nothing", now_ns)
                return
            self._next_in = new
        elif not message.is_repeat or message.type in ("1", "5"):
            self._admin(message, now_ns)
        if self._gap_to and self._next_in > self._gap_to:
            self._gap_to = 0
            self._begin_anew(now_ns)

    def _admin(self, message: Message, now_ns: int) -> None:
        kind = message.type
        if kind == "1":
            self._send("0", now_ns, [(112, message.get(112))])
        elif kind == "2":
            self._fill(message, now_ns)
        elif kind == "5":
            self._close(f"the venue logs out: {message.get(58)[:200]}", now_ns)
        elif kind in ("3", "j"):
            said = f"35={kind} 45={message.get(45)} 372={message.get(372)} {message.get(58)[:200]}"
            self._fault(f"refused by the venue: {said}", Bad.REJECTED)
        elif kind == "Y":
            self._rejected(message)
        elif kind in ("W", "X") and not self._gap_to:
            self._market_data(message, now_ns)

    def _fill(self, message: Message, now_ns: int) -> None:
        """We send nothing twice: requests are made anew instead."""
        first = message.number(7)
        if not 0 < first < self._next_out:
            self._fault(f"ResendRequest of {message.get(7)[:40]}: nothing to fill", Bad.SESSION)
            return
        new, self._next_out = self._next_out, first
        self._send("4", now_ns, [(43, "Y"), (122, fm.stamp(now_ns, 3)), (123, "Y"), (36, new)])
        self._next_out = new
        if not self._gap_to:
            self._begin_anew(now_ns)

    def _close(self, why: str, now_ns: int) -> None:
        if self.state == State.DOWN or self.closing:
            return
        self._send("5", now_ns, [(58, why)])
        self.closing = why
        self._fault(why, Bad.SESSION)

    def _send(self, kind: str, now_ns: int, fields: Fields = ()) -> None:
        stamp = fm.stamp(now_ns, 3)
        self.output += compose(self.account, kind, self._next_out, stamp, fields)
        self._next_out += 1
        self._out_ns = now_ns

    def _fault(self, text: str, kind: Bad) -> None:
        self.faults.append(FeedError(f"{self.account.target}: {text}", kind))

    # --- market data ------------------------------------------------------------------------------

    def _begin_anew(self, now_ns: int) -> None:
        for wanted in self.wanted.values():
            self._clear(wanted, now_ns)
            if not wanted.is_refused:
                self._ask(wanted, now_ns)

    def _ask_due(self, now_ns: int) -> None:
        for wanted in self.wanted.values():
            if wanted.due_ns and now_ns >= wanted.due_ns:
                if wanted.is_asked:
                    self._fault(f"{wanted.isin}: no snapshot has come: asked anew", Bad.SESSION)
                self._ask(wanted, now_ns)

    def _ask(self, wanted: Wanted, now_ns: int) -> None:
        """MarketDataRequest(V) under a new number; the old one ends first."""
        instrument = [(146, 1), (55, wanted.isin), (48, wanted.isin), (22, 4)]
        entries = [(267, 2), (269, 0), (269, 1)]
        if self._requests.pop(wanted.request, None) is not None:
            old = [(262, wanted.request), (263, 2), (264, self._market_depth)]
            self._send("V", now_ns, [*old, *entries, *instrument])
        self._request_count += 1
        wanted.request = f"{self.connections}-{self._request_count}"
        wanted.due_ns, wanted.is_asked = now_ns + SNAPSHOT_WAIT_NS, True
        self._requests[wanted.request] = wanted
        new = [(262, wanted.request), (263, 1), (264, self._market_depth), (265, 1)]
        self._send("V", now_ns, [*new, *entries, *instrument])

    def _rejected(self, message: Message) -> None:
        """MarketDataRequestReject(Y): not asked again before the next connection."""
        wanted = self._requests.pop(message.get(262), None)
        if wanted is None:
            return  # of a request that we have given up
        wanted.is_refused, wanted.due_ns = True, 0
        why = f"281={message.get(281)} {message.get(58)[:200]}".rstrip()
        self._fault(f"no market data of {wanted.isin}: {why}", Bad.REJECTED)

    def _market_data(self, message: Message, now_ns: int) -> None:
        request = message.get(262)
        if request and request not in self._requests:
            return  # of a request that we have given up
        isin = self._requests[request].isin if request else isin_of(message.pairs)
        if message.type == "W":
            if (wanted := self.wanted.get(isin)) is not None and not wanted.is_refused:
                self._snapshot(wanted, message, now_ns)
            return
        try:
            changes = increments(message.pairs, isin, self._terms)
            if any(not change.isin for change in changes):
                raise Refused("an entry without an instrument", Bad.FORM)
        except Refused as error:  # of which instruments, nobody can tell but for the request
            for each in [self.wanted[isin]] if request else list(self.wanted.values()):
                if each.is_whole:
                    self._mend(each, error, now_ns)
            return
        touched: dict[str, Wanted] = {}
        for change in changes:
            found = self.wanted.get(change.isin)
            if found is None or not found.is_whole:
                continue  # not ours, or its snapshot is still to come
            touched[change.isin] = found
            try:
                change.apply(found.book)
            except Refused as error:
                self._mend(found, error, now_ns)
        for each in touched.values():
            if each.is_whole:
                self._show(each, now_ns)

    def _snapshot(self, wanted: Wanted, message: Message, now_ns: int) -> None:
        wanted.book.clear()
        try:
            full_refresh(wanted.book, message.pairs, wanted.isin, self._terms)
        except Refused as error:
            self._mend(wanted, error, now_ns)
            return
        if not wanted.is_whole:
            wanted.is_whole, wanted.whole_ns = True, now_ns
            wanted.is_asked, wanted.due_ns = False, 0
        self._show(wanted, now_ns)

    def _mend(self, wanted: Wanted, error: Refused, now_ns: int) -> None:
        """The book is not what the venue shows: without it until a snapshot has come."""
        self._fault(f"{wanted.isin}: {error}", error.kind)
        if wanted.is_whole and now_ns - wanted.whole_ns > AGAIN_NS_MAX:
            wanted.wait_ns = AGAIN_NS
        self._clear(wanted, now_ns)
        if error.kind == Bad.CURRENCY:
            wanted.is_refused, wanted.due_ns = True, 0
            return
        wanted.due_ns = now_ns + wanted.wait_ns
        wanted.wait_ns = min(2 * wanted.wait_ns, AGAIN_NS_MAX)

    def _clear(self, wanted: Wanted, now_ns: int) -> None:
        wanted.book.clear()
        wanted.is_whole = wanted.is_asked = False
        wanted.due_ns = 0
        self._show(wanted, now_ns)

    def _show(self, wanted: Wanted, now_ns: int) -> None:
        """A quote where the best prices have changed."""
        best = wanted.book.best()
        if best == wanted.shown:
            return
        wanted.shown = best
        self._quote_ns = max(self._quote_ns, now_ns)  # a clock set back takes no quote away
        phase = Phase.CONTINUOUS
        self.quotes.append(Quote(self._quote_ns, wanted.isin, self.mic, 0, phase, *best))
