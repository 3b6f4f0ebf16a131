"""BBO.md in dicts, sets and `Fraction`: which records count, what they add up to, what we quote.

It shares no code with the product. Prices are in units of the currency, times in ns; a venue is
its row, an instrument a plain name.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from tests.oracle import tick_at

COUNTED = 256
PX_MAX, QTY_MAX = 10**7, 10**11
SIDES = ("bid", "ask")
KEPT = 4  # versions of a quote that an order may have seen

Row = dict[str, Any]


class Rules(NamedTuple):
    """The firm's settings, as far as they are about quotes."""

    stale_ns: int
    jump_bps: int
    jump_hold_ns: int
    close_bps: int
    interval_ns: int
    open_ns: int
    close_ns: int
    more: tuple[tuple[Fraction, int], ...] = ()  # further sizes: of the first, ticks further out


class Size(NamedTuple):
    """What is quoted for orders of up to so many shares."""

    bid: Fraction
    ask: Fraction
    bid_qty: int
    ask_qty: int


class Version(NamedTuple):
    """Our quote, from `entered_ns` on."""

    reason: str  # why withdrawn; empty: live
    bid: Fraction
    ask: Fraction
    bid_qty: int
    ask_qty: int
    mrm: tuple[Fraction, Fraction]
    more: tuple[Size, ...] = ()
    entered_ns: int = 0

    def says(self, other: "Version") -> bool:
        """Whether nothing but the time is new."""
        return self[:-1] == other[:-1]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All of them, smallest first."""
        return Size(self.bid, self.ask, self.bid_qty, self.ask_qty), *self.more

    def for_order(self, buys: bool, qty: int) -> Size:
        """The smallest size that covers an order, else the largest."""
        covering = [s for s in self.sizes if qty <= (s.ask_qty if buys else s.bid_qty)]
        return (covering or [self.sizes[-1]])[0]


@dataclass
class Book:
    """What a venue showed last of an instrument, and what of it is believed."""

    prices: dict[str, Fraction]
    state: str  # sound, stopped, crossed, jumped
    phase: int
    recv_ns: int
    base: tuple[Fraction, int] | None = None  # the last sound midpoint and its time
    refused_since_ns: int | None = None


@dataclass
class Venue:
    """How far a venue's records can be followed."""

    last_seq: int = 0
    trusted: set[str] | None = None  # instruments told anew since its last gap; None: all
    counts: Counter[str] = field(default_factory=Counter)


class MarketOracle:
    """Every venue's records, one after the other; our quote of every instrument after each."""

    def __init__(self, rules: Rules, instruments: dict[str, Row], venues: int) -> None:
        self.rules = rules
        self.instruments = instruments  # name: mrm, band, qmin and t (in currency)
        self.venues = [Venue() for _ in range(venues)]
        self.books: dict[tuple[str, int], Book] = {}
        self.versions: dict[str, list[Version]] = {name: [] for name in instruments}
        self.suspended: dict[str | None, str] = {}  # None: the whole firm
        self.killed: set[str | None] = set()
        self.made_of: dict[str, list[int]] = {}  # when that came which a live quote is made of
        self.waiting: set[str] = set()
        self.was_open = False

    # Records

    def record(self, name: str, venue: int, record: Row, ts_ns: int) -> list[Version]:
        """A record of a known venue; the new versions of our quotes."""
        found = self.venues[venue]
        found.counts["records"] += 1
        if record["phase"] & COUNTED and not self._follows(found, record["seq"]):
            return []
        if name not in self.instruments:
            found.counts["unknown"] += 1
            return []
        if found.trusted is not None:
            found.trusted.add(name)
        self._put(name, venue, record, ts_ns)
        return self._requote(name, ts_ns)

    def _follows(self, venue: Venue, seq: int) -> bool:
        last, counts = venue.last_seq, venue.counts
        started = seq >= 1 and (seq == 1 or last == 0)
        if not started and seq <= last:
            counts["repeats"] += 1
            return False
        if started or seq > last + 1:
            venue.trusted = set()
        if started:
            counts["restarts"] += last > 0
        elif seq > last + 1:
            counts["gaps"] += 1
            counts["lost"] += seq - last - 1
        venue.last_seq = seq
        return True

    def _put(self, name: str, venue: int, record: Row, ts_ns: int) -> None:
        prices = {}
        for side in SIDES:
            px, qty = Fraction(record[f"{side}_px_e6"], 10**6), record[f"{side}_qty"]
            if 0 < px <= PX_MAX and qty > 0:
                prices[side] = px
        old = self.books.get((name, venue))
        book = Book(prices, "sound", record["phase"] & ~COUNTED, ts_ns)
        if old is not None:
            book.base, book.refused_since_ns = old.base, old.refused_since_ns
        self.books[name, venue] = book
        counts = self.venues[venue].counts
        if book.phase != 0:
            book.state = "stopped"
        elif len(prices) == 2 and prices["bid"] > prices["ask"]:
            book.state = "crossed"
            counts["crossed"] += 1
        elif not self._is_believed(book, counts):
            book.state = "jumped"
            counts["refused"] += 1

    def _is_believed(self, book: Book, counts: Counter[str]) -> bool:
        rules, ts_ns = self.rules, book.recv_ns
        mid = sum(book.prices.values()) / 2 if len(book.prices) == 2 else None
        if book.refused_since_ns is not None:
            assert book.base is not None
            back = mid is not None and self._is_near(mid, book.base[0])
            if not back and abs(ts_ns - book.refused_since_ns) < rules.jump_hold_ns:
                return False
            book.refused_since_ns = None
            book.base = book.base if back else None
        elif mid is not None and book.base is not None and rules.jump_bps:
            fresh = abs(ts_ns - book.base[1]) <= rules.stale_ns
            if fresh and not self._is_near(mid, book.base[0]):
                book.refused_since_ns = ts_ns
                counts["jumps"] += 1
                return False
        if mid is not None:
            book.base = mid, ts_ns
        return True

    def _is_near(self, mid: Fraction, base: Fraction) -> bool:
        return abs(mid / base - 1) <= Fraction(self.rules.jump_bps, 10_000)

    # The best bid and offer

    def _is_fresh(self, name: str, venue: int, ts_ns: int) -> bool:
        trusted = self.venues[venue].trusted
        young = abs(ts_ns - self.books[name, venue].recv_ns) <= self.rules.stale_ns
        return young and (trusted is None or name in trusted)

    def bbo(self, name: str, ts_ns: int) -> Row:
        """State, prices and venues; 0 and -1 where there is none."""
        shown = {v: b for (n, v), b in self.books.items() if n == name and b.prices}
        fresh = {v: shown[v] for v in sorted(shown) if self._is_fresh(name, v, ts_ns)}
        sound = {v: b for v, b in fresh.items() if b.state == "sound"}
        bids = [(-b.prices["bid"], v) for v, b in sound.items() if "bid" in b.prices]
        asks = [(b.prices["ask"], v) for v, b in sound.items() if "ask" in b.prices]
        bid, bid_venue = min(bids, default=(Fraction(0), -1))
        ask, ask_venue = min(asks, default=(Fraction(0), -1))
        crossed = [v for v, b in fresh.items() if b.state == "crossed"]
        if not sound and crossed:
            bid_venue = ask_venue = crossed[0]
            bid, ask = -fresh[crossed[0]].prices["bid"], fresh[crossed[0]].prices["ask"]
        mrm = sound.get(self.instruments[name]["mrm"])
        return {
            "state": self._state(shown, sound or crossed, -bid, ask),
            "bid": -bid,
            "ask": ask,
            "bid_venue": bid_venue,
            "ask_venue": ask_venue,
            "mrm": tuple((mrm.prices if mrm else {}).get(side, Fraction(0)) for side in SIDES),
        }

    def _state(self, shown: Any, counting: Any, bid: Fraction, ask: Fraction) -> str:
        if not shown:
            return "EMPTY"
        if not counting:
            return "STALE"
        if not bid or not ask:
            return "ONE_SIDED"
        return "CROSSED" if bid > ask else "LOCKED" if bid == ask else "NORMAL"

    # Our quote

    def _requote(self, name: str, ts_ns: int) -> list[Version]:
        told = self._renew(name, ts_ns)
        live = not self.versions[name][-1].reason
        self.made_of[name] = self._received(name, ts_ns) if live else []
        return told

    def _received(self, name: str, ts_ns: int) -> list[int]:
        """When the records came whose prices are quoted."""
        bbo, mrm = self.bbo(name, ts_ns), self.instruments[name]["mrm"]
        venues = (mrm,) if all(bbo["mrm"]) else (bbo["bid_venue"], bbo["ask_venue"])
        return [self.books[name, venue].recv_ns for venue in venues]

    def _renew(self, name: str, ts_ns: int) -> list[Version]:
        versions, made = self.versions[name], self._version(name, ts_ns)
        self.waiting.discard(name)
        if versions and made.says(versions[-1]):
            return []
        young = bool(versions) and abs(ts_ns - versions[-1].entered_ns) < self.rules.interval_ns
        if young and not made.reason:
            self.waiting.add(name)
            return []
        versions.append(made)
        return [made]

    def _version(self, name: str, ts_ns: int) -> Version:
        row, bbo = self.instruments[name], self.bbo(name, ts_ns)
        reason = self._stopped(name, ts_ns)
        both = all(bbo["mrm"])
        if not reason and not both and bbo["state"] not in ("NORMAL", "LOCKED"):
            reason = f"BBO_{bbo['state']}"
        nothing = Version(reason, Fraction(0), Fraction(0), 0, 0, bbo["mrm"], (), ts_ns)
        if reason:
            return nothing
        bid, ask = bbo["mrm"] if both else (bbo["bid"], bbo["ask"])
        bid = bid // self._tick(row, bid) * self._tick(row, bid)
        ask = -(-ask // self._tick(row, ask)) * self._tick(row, ask)
        if not bid:
            return nothing._replace(reason="NO_QUOTE")
        if self._is_far((bid, ask), bbo["mrm"]):
            return nothing._replace(reason="QUOTE_FAR")
        sizes = [ceil(Fraction(row["qmin"]) / px) for px in (bid, ask)]
        first = Version("", bid, ask, *sizes, bbo["mrm"], (), ts_ns)
        return first._replace(more=tuple(self._more(row, first)))

    def _is_far(self, prices: tuple[Fraction, Fraction], mrm: tuple[Fraction, Fraction]) -> bool:
        close = Fraction(self.rules.close_bps, 10_000)
        pairs = zip(prices, mrm, strict=True)
        return bool(close) and any(of and abs(px / of - 1) > close for px, of in pairs)

    def _more(self, row: Row, first: Version) -> Iterator[Size]:
        """Further sizes, in shares (the lot is one), up to the first that may not be quoted."""
        before = first.sizes[0]
        for times, worse in self.rules.more:
            bid, ask = self._further_out(row, first, worse * self._tick(row, first.ask))
            if bid <= 0 or ask > PX_MAX or self._is_far((bid, ask), first.mrm):
                return
            most = min(Fraction(row["t"]) / ((bid + ask) / 2) // 1, QTY_MAX)
            qtys = [int(min(ceil(times * qty), most)) for qty in (first.bid_qty, first.ask_qty)]
            if qtys[0] <= before.bid_qty or qtys[1] <= before.ask_qty:
                return
            before = Size(bid, ask, *qtys)
            yield before

    def _further_out(self, row: Row, first: Version, out: Fraction) -> tuple[Fraction, Fraction]:
        """The nearest prices at least so far out on both sides that are on tick, equally far."""
        bid, least = first.bid - out, Fraction(1, 10**6)
        while bid > 0:
            bid = bid // self._tick(row, bid) * self._tick(row, bid)
            ask = first.ask + first.bid - bid
            if ask % self._tick(row, ask) == 0:
                return bid, ask
            bid -= least
        return Fraction(0), Fraction(0)

    def _tick(self, row: Row, px: Fraction) -> Fraction:
        return Fraction(tick_at(px, row["band"]))  # type: ignore[arg-type]  # compared only

    def _stopped(self, name: str, ts_ns: int) -> str:
        """Why we do not quote whatever the market is."""
        if None in self.killed or name in self.killed:
            return "KILLED_FIRM" if None in self.killed else "KILLED_INSTRUMENT"
        if not self._is_open(ts_ns):
            return "CLOSED"
        reason = self.suspended.get(None) or self.suspended.get(name)
        if reason:
            return reason
        mrm = self.books.get((name, self.instruments[name]["mrm"]))
        return "HALTED" if mrm and mrm.phase != 0 else ""

    def _is_open(self, ts_ns: int) -> bool:
        return self.rules.open_ns <= ts_ns < self.rules.close_ns

    # Other inputs

    def suspend(self, name: str | None, reason: str, ts_ns: int) -> list[Version]:
        """A person withdraws quotes, or with an empty reason puts them back."""
        self.suspended[name] = reason
        return self._again([name] if name else list(self.instruments), ts_ns, also_new=bool(name))

    def kill(self, name: str | None, ts_ns: int) -> list[Version]:
        """The kill switch of the firm or of an instrument."""
        self.killed.add(name)
        return self._again([name] if name else list(self.instruments), ts_ns, also_new=bool(name))

    def resume(self, name: str | None, ts_ns: int) -> list[Version]:
        """It is lifted."""
        self.killed.discard(name)
        return self._again([name] if name else list(self.instruments), ts_ns, also_new=bool(name))

    def timer(self, ts_ns: int) -> set[str]:
        """Names of the instruments that have a new version."""
        before = {name: len(versions) for name, versions in self.versions.items()}
        self._again(sorted(self.waiting), ts_ns)
        for name, received in self.made_of.items():
            if any(abs(ts_ns - recv_ns) > self.rules.stale_ns for recv_ns in received):
                self._requote(name, ts_ns)
        if self._is_open(ts_ns) != self.was_open:
            self.was_open = not self.was_open
            self._again(list(self.instruments), ts_ns)
        return {name for name, count in before.items() if len(self.versions[name]) != count}

    def _again(self, names: list[str], ts_ns: int, also_new: bool = False) -> list[Version]:
        again = [name for name in names if also_new or self.versions[name]]
        return [made for name in again for made in self._requote(name, ts_ns)]

    def order(
        self, name: str, recv_ns: int, ts_ns: int, buys: bool, qty: int
    ) -> tuple[str, Version | None]:
        """Why a market order is not filled (DESK: a person has it), or the version it is filled at.

        What it is worth is by the midpoint of its size of the version, else by that of the market.
        """
        known = len(self.versions[name])
        stopped = self._stopped(name, ts_ns)
        if stopped:
            return stopped, None
        bbo = self.bbo(name, ts_ns)
        self._requote(name, ts_ns)
        versions = self.versions[name]
        kept = versions[max(0, len(versions) - KEPT) : known]
        if 0 < recv_ns < ts_ns:
            kept = [version for version in kept if version.entered_ns <= recv_ns]
        live = kept[-1] if kept and not kept[-1].reason else None
        bid, ask = live.for_order(buys, qty)[:2] if live else (bbo["bid"], bbo["ask"])
        above = qty * (bid + ask) / 2 > self.instruments[name]["t"]
        if live and not above:
            return "", live
        if bbo["state"] not in ("NORMAL", "LOCKED"):
            return f"BBO_{bbo['state']}", None
        return "DESK" if above else "NO_QUOTE", None
