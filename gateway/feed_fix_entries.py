"""Entries of MarketDataSnapshotFullRefresh(W) and MarketDataIncrementalRefresh(X), into a Book.

A level is known by MDEntryID(278) where the venue gives one, else by its side and price, or by its
side alone where only the best was asked for (264=1). Entries that are neither bid nor offer are
passed over; anything that does not fit the book is Refused.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from engine.enums import Side
from engine.limits import PX_E6_MAX, QTY_MAX
from gateway.feed_book import Book, Fault
from gateway.feed_lines import Bad, scaled

SIDES = {"0": Side.BUY, "1": Side.SELL}  # MDEntryType(269)
EMPTY_BOOK = "J"
NEW, CHANGE, DELETE = "0", "1", "2"  # MDUpdateAction(279)
CLOSED = "B"  # QuoteCondition(276): shown, but not to be traded with
ENTRIES_MAX = 1 << 16

Pairs = Iterable[tuple[int, str]]


class Refused(Exception):
    """An entry that cannot be used."""

    def __init__(self, text: str, kind: Bad) -> None:
        super().__init__(text)
        self.kind = kind


def isin_of(pairs: Pairs) -> str:
    """SecurityID(48) where it is an ISIN (22=4), else Symbol(55); "" where there is neither."""
    first: dict[int, str] = {}
    for tag, value in pairs:
        first.setdefault(tag, value)
    return first[48] if 48 in first and first.get(22, "4") == "4" else first.get(55, "")


class Terms(NamedTuple):
    """What was asked for."""

    currency: str
    is_top_only: bool  # MarketDepth(264)=1


def full_refresh(book: Book, pairs: Pairs, isin: str, terms: Terms) -> None:
    """Fill an empty book. Raises Refused; the book is then not to be used."""
    for entry in _entries(pairs, 269):
        Change(isin, NEW, entry, terms).apply(book)


def increments(pairs: Pairs, isin: str, terms: Terms) -> list[Change]:
    """The entries of X. One without an instrument is about that of the entry before it."""
    found = []
    for entry in _entries(pairs, 279):
        if 48 in entry or 55 in entry:
            isin = isin_of(entry.items())
        found.append(Change(isin, entry[279], entry, terms))
    return found


class Change(NamedTuple):
    """One entry and what is to be done with it."""

    isin: str
    action: str
    entry: dict[int, str]
    terms: Terms

    def apply(self, book: Book) -> None:
        """Do it. Raises Refused, the book unchanged by this entry."""
        kind = self.entry.get(269, "")
        if kind == EMPTY_BOOK:
            book.clear()
            return
        if self.action not in (NEW, CHANGE, DELETE):
            raise Refused(f"MDUpdateAction(279)={self.action[:20]} is not 0, 1 or 2", Bad.FORM)
        if kind and kind not in SIDES:
            return
        if CLOSED in self.entry.get(276, "").split():
            fault = None if self.action == NEW else book.delete(self._key())
        elif self.action == DELETE:
            fault = book.delete(self._key())
        else:
            fault = self._put(book)
        if fault is not None:
            named = {tag: self.entry[tag] for tag in (279, 269, 278, 270, 271) if tag in self.entry}
            said = " ".join(f"{tag}={value[:40]}" for tag, value in named.items())
            raise Refused(f"{said}: {fault.replace('_', ' ')}", Bad.BOOK)

    def _put(self, book: Book) -> Fault | None:
        if self.entry.get(15, self.terms.currency) != self.terms.currency:
            raise Refused(f"15={self.entry[15][:20]}, not {self.terms.currency}", Bad.CURRENCY)
        key = self._key()
        there = book.orders.get(key)
        side = self._side(there.side if there else None)
        if self.action == CHANGE and there is None:
            return book.change(key, side, 1, 1)  # counted as unknown
        px_e6 = self._px_e6() if 270 in self.entry or there is None else there.px_e6
        qty = self._qty() if 271 in self.entry or there is None else there.qty
        if self.action == NEW:
            return book.add(key, side, px_e6, qty)
        return book.change(key, side, px_e6, qty)

    def _key(self) -> Hashable:
        if 278 in self.entry:
            return self.entry[278]
        if self.terms.is_top_only:
            return self._side(None)
        return self._side(None), self._px_e6()

    def _side(self, known: Side | None) -> Side:
        if 269 in self.entry:
            return SIDES[self.entry[269]]
        if known is None:
            raise Refused("MDEntryType(269) is missing", Bad.FORM)
        return known

    def _px_e6(self) -> int:
        px_e6 = self._number(270, 6, PX_E6_MAX, Bad.PRICE)
        if px_e6 == 0:
            raise Refused("MDEntryPx(270)=0: a price is above 0", Bad.PRICE)
        return px_e6

    def _qty(self) -> int:
        qty = self._number(271, 0, QTY_MAX, Bad.QUANTITY)
        if qty == 0:
            raise Refused("MDEntrySize(271)=0: a quantity is above 0", Bad.QUANTITY)
        return qty

    def _number(self, tag: int, places: int, largest: int, kind: Bad) -> int:
        if tag not in self.entry:
            raise Refused(f"{tag} is missing", kind)
        try:
            return scaled(self.entry[tag], places, largest)
        except ValueError as error:
            raise Refused(f"{tag}={self.entry[tag][:40]}: {error}", kind) from None


def _entries(pairs: Pairs, first_tag: int) -> list[dict[int, str]]:
    """The repeating group behind NoMDEntries(268): each entry begins with `first_tag`."""
    entries: list[dict[int, str]] = []
    count = None
    for tag, value in pairs:
        if tag == 268:
            count = value
        elif count is not None and tag == first_tag:
            entries.append({tag: value})
        elif entries and tag != 10:
            entries[-1].setdefault(tag, value)
    if count is None:
        raise Refused("NoMDEntries(268) is missing", Bad.FORM)
    if not (count.isascii() and count.isdigit()) or int(count[:9]) != len(entries):
        raise Refused(f"NoMDEntries(268)={count[:20]} but {len(entries)} entries", Bad.FORM)
    if len(entries) > ENTRIES_MAX:
        raise Refused(f"NoMDEntries(268)={count} is over {ENTRIES_MAX}", Bad.FORM)
    return entries
