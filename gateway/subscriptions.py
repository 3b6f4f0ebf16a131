"""Who is told of our quotes: MarketDataRequest(V) and the sessions' own settings.

This file only enters and removes subscriptions; `gateway.quote_stream` does the telling. A session
has an instrument in at most one of them. They end with the connection: a counterparty that is back
asks again, as FIX 4.4 volume 3 has it, and one that is told by its settings gets all its quotes.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import simplefix
import structlog

from engine.enums import KillScope, Reason
from engine.schema import pack
from engine.tables import Tables, find_instrument
from gateway import quote_stream
from gateway.recorder import note_change
from gateway.stream_report import BID, OFFER
from gateway.wire import REQUEST_BITS, REQUEST_ID_SIZE_MAX, StreamKind, Wire

log = structlog.get_logger()

SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE = b"0", b"1", b"2"  # SubscriptionRequestType(263)
KINDS = {
    "quote": StreamKind.QUOTE,
    "mass_quote": StreamKind.MASS_QUOTE,
    "market_data": StreamKind.MARKET_DATA,
    "ioi": StreamKind.IOI,
}
EVERYTHING = "*"  # of `quote_instruments`
TEXT_SIZE_MAX = 256

# MDReqRejReason(281); NO_REASON where no value of it fits
UNKNOWN_SYMBOL, DUPLICATE_ID, BANDWIDTH = "0", "1", "2"
BAD_TYPE, BAD_DEPTH, BAD_UPDATE, BAD_ENTRY, NO_REASON = "4", "5", "6", "8", ""

Pairs = Sequence[tuple[bytes, bytes]]


class Refused(Exception):
    """A MarketDataRequest that cannot be: MDReqRejReason(281) and Text(58)."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Request(NamedTuple):
    """What a MarketDataRequest asks for."""

    md_req_id: bytes
    action: bytes
    sides: int
    incremental: bool
    isins: list[str]


class Owner(Protocol):
    """What of the server is needed here."""

    tables: Tables
    wire: Wire

    @property
    def journal(self) -> Any:
        """The segment being written."""

    def now_ns(self) -> int:
        """UTC nanoseconds."""

    def make_room(self) -> None:
        """Room in the journal for what one message may cause."""


def read_request(pairs: Pairs) -> Request:
    """The fields of a MarketDataRequest(V) that has an MDReqID(262). Raises Refused."""
    fields = dict(reversed(pairs))  # of a tag that comes twice the first counts
    md_req_id = fields[b"262"]
    if len(md_req_id) > REQUEST_ID_SIZE_MAX:
        raise Refused(
            NO_REASON,
            f"MDReqID too long, in characters: 262={len(md_req_id)} limit {REQUEST_ID_SIZE_MAX}",
        )
    action = fields.get(b"263", b"")
    if action not in (SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE):
        raise Refused(BAD_TYPE, f"SubscriptionRequestType is not 0, 1 or 2: 263={_shown(action)}")
    if action == UNSUBSCRIBE:
        return Request(md_req_id, action, 0, False, [])
    if fields.get(b"264") not in (b"0", b"1"):
        depth = _shown(fields.get(b"264", b""))
        raise Refused(BAD_DEPTH, f"MarketDepth is not 0 or 1, we have one level: 264={depth}")
    update = fields.get(b"265", b"0")
    if update not in (b"0", b"1"):
        raise Refused(BAD_UPDATE, f"MDUpdateType is not 0 or 1: 265={_shown(update)}")
    sides = 0
    for entry in _group(pairs, b"267", (b"269",)):
        kind = entry[b"269"]
        if kind not in (b"0", b"1"):
            raise Refused(BAD_ENTRY, f"MDEntryType is not 0 or 1: 269={_shown(kind)}")
        sides |= BID if kind == b"0" else OFFER
    isins = [_isin(entry) for entry in _group(pairs, b"146", (b"55", b"48"))]
    return Request(md_req_id, action, sides, update == b"1", isins)


def _group(pairs: Pairs, count_tag: bytes, firsts: tuple[bytes, ...]) -> list[dict[bytes, bytes]]:
    """The entries of a repeating group, each beginning with the tag that the first begins with."""
    at = next((i for i, (tag, _) in enumerate(pairs) if tag == count_tag), -1)
    name = count_tag.decode()
    if at < 0:
        raise Refused(NO_REASON, f"repeating group missing: {name}")
    count = pairs[at][1]
    first = pairs[at + 1][0] if at + 1 < len(pairs) else b""
    entries: list[dict[bytes, bytes]] = []
    if first in firsts:
        for tag, value in pairs[at + 1 :]:
            if tag == first:
                entries.append({})
            elif tag in _NOT_IN_GROUPS or (tag in entries[-1]):
                break
            entries[-1][tag] = value
    if not (count.isdigit() and len(count) < 9 and int(count) == len(entries) > 0):
        raise Refused(
            NO_REASON,
            f"group count is not its entries: {name}={_shown(count)}, {len(entries)} found",
        )
    return entries


#: Tags of the message itself, of a header or trailer, or of the other group.
_NOT_IN_GROUPS = frozenset(
    b"8 9 10 34 35 43 49 52 56 57 58 97 122 128 129 146 262 263 264 265 266 267 269 336 386".split()
)


def _isin(entry: dict[bytes, bytes]) -> str:
    """ISIN in SecurityID(48) with 22=4, or in Symbol(55)."""
    source = entry.get(b"22")
    if b"48" in entry and source not in (b"4", None):
        raise Refused(
            UNKNOWN_SYMBOL, f"SecurityIDSource is not 4 (ISIN): 22={_shown(source or b'')}"
        )
    return entry.get(b"48", entry.get(b"55", b"")).decode("latin-1")


def _shown(value: bytes) -> str:
    return value.decode("latin-1")[:32] or "(none)"


class Subscriptions:
    """Enters and removes subscriptions; one object, owned by the server."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    # --- MarketDataRequest(V) -----------------------------------------------------------------

    def request(self, session_id: int, message: simplefix.FixMessage) -> int:
        """Answer a MarketDataRequest(V); a tag that must be there and is not, or 0."""
        pairs = message.pairs
        md_req_id = message.get(262)
        if md_req_id is None:
            return 262
        try:
            request = read_request(pairs)
            if request.action == UNSUBSCRIBE:
                self._unsubscribe(session_id, request)
            else:
                self._subscribe(session_id, request)
        except Refused as error:
            self._refuse(session_id, md_req_id, error)
        return 0

    def _refuse(self, session_id: int, md_req_id: bytes, error: Refused) -> None:
        owner = self.owner
        text = f"SI-MD {error}".encode("latin-1", "replace")[:TEXT_SIZE_MAX]
        shown = md_req_id[:TEXT_SIZE_MAX]
        words = np.frombuffer(shown + text, np.uint8).copy()
        reason = ord(error.reason) if error.reason else 0
        owner.make_room()
        quote_stream.send_reject(
            owner.wire, owner.journal, session_id, reason, words, len(shown), len(text),
            owner.now_ns(),
        )  # fmt: skip

    def _subscribe(self, session_id: int, request: Request) -> None:
        rows = [self._row(isin) for isin in request.isins]
        if self._find(session_id, request.md_req_id):
            raise Refused(
                DUPLICATE_ID, f"a subscription has this MDReqID: 262={_shown(request.md_req_id)}"
            )
        if request.action == SNAPSHOT:
            self._enter(0, session_id, StreamKind.MARKET_DATA, request)
            self._send_snapshots(session_id, rows)
            return
        wire = self.owner.wire
        for isin, row in zip(request.isins, rows, strict=True):
            taken = int(wire.wanted[session_id, row]) & ((1 << REQUEST_BITS) - 1)
            if taken:
                size = int(wire.requests[taken]["id_size"])
                of = wire.request_ids[taken, :size].tobytes()
                where = f"262={_shown(of)}" if size else "the session's settings"
                raise Refused(DUPLICATE_ID, f"already subscribed by {where}: 48={isin}")
        number = self._free()
        self._enter(number, session_id, StreamKind.MARKET_DATA, request)
        self._want(session_id, number, rows)

    def _row(self, isin: str) -> int:
        """Row of an instrument that we quote. Raises Refused."""
        owner = self.owner
        row = -1
        if len(isin) == 12 and isin.isascii():
            row = int(find_instrument(owner.tables, np.array(pack(isin, 2), np.int64)))
        if row < 0 or row >= owner.wire.wanted.shape[1]:
            raise Refused(UNKNOWN_SYMBOL, f"instrument unknown: 48={isin[:32] or '(none)'}")
        if not owner.tables.instruments[row]["si"]:
            raise Refused(UNKNOWN_SYMBOL, f"not an SI in this instrument: 48={isin}")
        return row

    def _send_snapshots(self, session_id: int, rows: list[int]) -> None:
        owner = self.owner
        owner.make_room()
        for row in rows:
            quote_stream.send_snapshot(
                owner.tables, owner.wire, owner.journal, session_id, 0, row, owner.now_ns()
            )

    def _unsubscribe(self, session_id: int, request: Request) -> None:
        number = self._find(session_id, request.md_req_id)
        if not number:
            raise Refused(
                NO_REASON, f"no subscription has this MDReqID: 262={_shown(request.md_req_id)}"
            )
        self._release(session_id, number)

    # --- rows ---------------------------------------------------------------------------------

    def _find(self, session_id: int, md_req_id: bytes) -> int:
        """Number of a session's subscription with this MDReqID(262), or 0."""
        wire = self.owner.wire
        for number in np.flatnonzero(wire.requests["session"] == session_id).tolist():
            size = int(wire.requests[number]["id_size"])
            if size and wire.request_ids[number, :size].tobytes() == md_req_id:
                return int(number)
        return 0

    def _free(self) -> int:
        """A number that is not in use. Raises Refused."""
        requests = self.owner.wire.requests
        free = np.flatnonzero(requests["session"][1:] < 0)
        if not free.size:
            raise Refused(BANDWIDTH, f"too many subscriptions, limit {len(requests) - 1}")
        return int(free[0]) + 1

    def _enter(self, number: int, session_id: int, kind: StreamKind, request: Request) -> None:
        wire = self.owner.wire
        row = wire.requests[number]
        row["session"] = session_id if number else -1
        row["kind"], row["sides"] = kind, request.sides
        row["incremental"] = int(request.incremental)
        row["generation"] = 1
        size = len(request.md_req_id)
        row["id_size"] = size
        wire.request_ids[number, :size] = np.frombuffer(request.md_req_id, np.uint8)

    def _want(self, session_id: int, number: int, rows: Any) -> None:
        """The instruments of a subscription, none of which has been told."""
        wire = self.owner.wire
        stream = wire.streams[session_id]
        wire.wanted[session_id, rows] = number
        known = int(self.owner.tables.counters[0]["instruments"])
        wire.told[session_id, :known][rows] = 0
        if stream["requests"] == 0:
            stream["cursor"] = wire.loop[0]["changes"]
        stream["requests"] += 1
        self._count()
        quote_stream.walk(wire, session_id)

    def _release(self, session_id: int, number: int) -> None:
        """A subscription ends."""
        wire = self.owner.wire
        wanted = wire.wanted[session_id]
        wanted[wanted & ((1 << REQUEST_BITS) - 1) == number] = 0
        wire.requests[number]["session"] = -1
        wire.streams[session_id]["requests"] -= 1
        if wire.streams[session_id]["static"] == number:
            wire.streams[session_id]["static"] = 0
        self._count()

    def _count(self) -> None:
        """Enter who has any, for the compiled loop."""
        wire = self.owner.wire
        ids = np.flatnonzero(wire.streams["requests"])
        wire.streaming[: ids.size] = ids
        wire.loop[0]["streams"] = ids.size

    # --- settings, logon, logoff --------------------------------------------------------------

    def log_on(self, session_id: int, quotes: str, isins: Iterable[str], interval_ms: int) -> None:
        """A session is there: subscribe it as its settings say (`quotes`: "none" or a KIND).

        A new quote comes at most every `interval_ms`; `isins` may be `["*"]`, every instrument.
        """
        self.log_off(session_id)
        wire = self.owner.wire
        for name in wire.streams.dtype.names:
            wire.streams[session_id][name] = 0
        wire.streams[session_id]["round_at"] = -1
        wire.streams[session_id]["interval_ns"] = interval_ms * 1_000_000
        if quotes not in KINDS:
            return
        rows = self._configured(session_id, list(isins))
        try:
            number = self._free()
        except Refused as error:
            log.warning("no quotes for a session", session=session_id, why=str(error))
            return
        self._enter(
            number, session_id, KINDS[quotes], Request(b"", SUBSCRIBE, BID | OFFER, True, [])
        )
        wire.streams[session_id]["static"] = number
        self._want(session_id, number, rows)

    def _configured(self, session_id: int, isins: list[str]) -> Any:
        """Rows of configured instruments; those that come later are part of everything."""
        if EVERYTHING in isins:
            return slice(None)
        rows = []
        for isin in isins:
            try:
                rows.append(self._row(isin))
            except Refused as error:
                log.warning("no quote for a session", session=session_id, why=str(error))
        return rows

    def log_off(self, session_id: int) -> None:
        """A session is gone, and its subscriptions with it."""
        for number in np.flatnonzero(self.owner.wire.requests["session"] == session_id).tolist():
            self._release(session_id, int(number))

    def renew(self, session_id: int) -> None:
        """Tell everything again: messages about quotes were filled as a gap, not sent again."""
        owner = self.owner
        if owner.wire.streams[session_id]["requests"] == 0:
            return
        owner.make_room()
        quote_stream.cancel_all(
            owner.wire, owner.journal, session_id, int(Reason.NO_QUOTE), owner.now_ns()
        )
        known = int(owner.tables.counters[0]["instruments"])
        wanted = owner.wire.wanted[session_id, :known] & ((1 << REQUEST_BITS) - 1)
        lost = owner.wire.requests["kind"][wanted] != StreamKind.IOI  # these are sent again
        owner.wire.told[session_id, :known][lost] = 0
        quote_stream.walk(owner.wire, session_id)

    # --- kill switch --------------------------------------------------------------------------

    def on_kill_switch(self, scope: int, subject: int) -> None:
        """The kill switch of the firm, a pool, a client or an instrument was set or lifted."""
        owner = self.owner
        tables, wire = owner.tables, owner.wire
        if scope == KillScope.INSTRUMENT:
            if 0 <= subject < tables.counters[0]["instruments"]:
                note_change(wire, subject)
            return
        owner.make_room()
        for session_id in wire.streaming[: int(wire.loop[0]["streams"])].tolist():
            client = int(wire.sessions[session_id]["client"])
            pool = int(tables.clients[client]["pool"])
            if scope == KillScope.CLIENT and client != subject:
                continue
            if scope == KillScope.POOL and pool != subject:
                continue
            if tables.counters[0]["kill_firm"]:
                self._cancel_all(session_id, Reason.KILLED_FIRM)
            elif tables.pools[pool]["killed"]:
                self._cancel_all(session_id, Reason.KILLED_POOL)
            elif tables.client_use[client]["killed"]:
                self._cancel_all(session_id, Reason.KILLED_CLIENT)
            quote_stream.walk(wire, session_id)

    def _cancel_all(self, session_id: int, reason: Reason) -> None:
        owner = self.owner
        quote_stream.cancel_all(owner.wire, owner.journal, session_id, int(reason), owner.now_ns())
