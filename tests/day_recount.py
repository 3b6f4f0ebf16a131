"""A day of the journal counted again, in fractions: what `si audit` says, by other means.

It shares no code with the product. Our quotes are read from what `si publish` wrote for everybody,
orders and fills from the FIX messages, the venues' records from the bytes of their datagrams, the
thresholds from the files of reference data. The journal's frames give nothing but the order of
things: eight words at the head of each (size, number, time, kind, ..., size of the body).

Prices are in units of the currency that the venue quotes in (pence stay pence), times in ns.
"""

import csv
import json
import struct
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.market_oracle import MarketOracle, Rules
from tests.oracle import tick_at

HEAD = struct.Struct("<8q")
RECORD = struct.Struct("<16s8s6q")  # FEED.md
ORDER, VENUE_QUOTE, EXECUTION, QUOTE = 3, 6, 20, 23
CONTINUOUS, HALTED, COUNTED = 0, 2, 256
E6 = 10**6
FREE_TICK = Fraction(1, 10_000)  # of improvements where no tick is mandatory
T_SMS = 2  # T is twice SMS, Qmin is SMS (MiFIR as amended, from 23 Nov 2025)

#: Withdrawn because of the market, or by a person.
BY_MARKET = tuple(
    f"SI-NOQUOTE-{word}" for word in ("EMPTY", "STALE", "ONESIDED", "CROSSED", "FAR", "SUSPENDED")
)

Row = dict[str, Any]


class Frame(NamedTuple):
    """One frame of the journal."""

    ts_ns: int
    kind: int
    session: int
    body: bytes


class Size(NamedTuple):
    """What was published for orders of up to so many shares."""

    bid: Fraction
    ask: Fraction
    bid_qty: int
    ask_qty: int


class Version(NamedTuple):
    """Our quote as it was published."""

    live: bool
    reason: str
    bid: Fraction
    ask: Fraction
    bid_qty: int
    ask_qty: int
    sizes: tuple[Size, ...]  # all of them; the first is the prices and quantities above

    @property
    def is_whole(self) -> bool:
        """Two sides, the right way round."""
        return 0 < self.bid <= self.ask and self.bid_qty > 0 and self.ask_qty > 0

    def for_order(self, buys: bool, qty: int) -> Size:
        """MiFIR Art 15(4): the smallest size that covers an order, else the largest."""
        for size in self.sizes:
            if qty <= (size.ask_qty if buys else size.bid_qty):
                return size
        return self.sizes[-1]


class Instrument(NamedTuple):
    """What the files of reference data say of it."""

    isin: str
    mrm: str
    band: int
    is_due: bool  # the firm is SI, and its market is liquid
    sms: Fraction  # in the price's currency, to a millionth, rounded down
    is_pence: bool


class Book(NamedTuple):
    """What a venue showed last, prices x 10^6; a side that is not there is 0."""

    bid_e6: int
    ask_e6: int
    phase: int
    recv_ns: int


def frames(journal: Path) -> Iterator[Frame]:
    """Every frame of a closed journal."""
    for path in sorted(journal.glob("segment-*.journal")):
        data = path.read_bytes()
        at = 0
        while at + HEAD.size <= len(data):
            size, _, ts_ns, kind, session, _, body_size, _ = HEAD.unpack_from(data, at)
            if size == 0:
                break
            start = at + HEAD.size
            yield Frame(ts_ns, kind, session, data[start : start + body_size])
            at += size


def fix(body: bytes) -> dict[int, str]:
    """The FIX message that a frame ends with."""
    raw = body[body.index(b"8=FIX") :].decode("latin-1")
    return {int(tag): value for tag, value in (p.split("=", 1) for p in raw.split("\x01") if p)}


def venue_records(body: bytes) -> Iterator[Row]:
    """The records of a datagram."""
    for isin, mic, seq, phase, bid, ask, bid_qty, ask_qty in RECORD.iter_unpack(body):
        yield {
            "isin": isin.rstrip(b"\0").decode(), "mic": mic.rstrip(b"\0").decode(), "seq": seq,
            "phase": phase, "bid_px_e6": bid, "ask_px_e6": ask, "bid_qty": bid_qty,
            "ask_qty": ask_qty,
        }  # fmt: skip


def instruments_of(folder: Path) -> dict[str, Instrument]:
    """By ISIN, from the CSV files that si.toml names."""
    ref = tomllib.loads((folder / "si.toml").read_text())["refdata"]
    rates = {"EUR": Fraction(1)}
    for row in _csv(folder / ref["fx"]):
        rates[row["currency"]] = Fraction(row["eur_per_unit"])
    rates["GBX"] = rates.get("GBP", Fraction(0)) / 100
    found = {}
    for row in _csv(folder / ref["instruments"]):
        sms = Fraction(row["sms_eur"] or 0) / rates[row["currency"]]
        found[row["isin"]] = Instrument(
            row["isin"], row["mrm"], int(row["tick_band"] or 0),
            row["si"] == "Y" and row["liquid"] == "Y", Fraction(sms * E6 // 1, E6),
            row["currency"] == "GBX",
        )  # fmt: skip
    return found


def _csv(path: Path) -> list[dict[str, str]]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def versions_of(
    published: Path, instruments: dict[str, Instrument]
) -> Iterator[tuple[str, Version]]:
    """ISIN and version of every line of a publication, in its order."""
    for path in sorted(published.glob("quotes-*.ndjson")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            isin = row["instrument_identification_code"]
            unit = 100 if instruments[isin].is_pence else 1
            live, reason = row["state"] != "WITHDRAW", row["reason_code"] or ""
            first, sizes = _size_of(row, unit), [_size_of(each, unit) for each in row["sizes"]]
            assert sizes[:1] == ([first] if live else [])
            yield isin, Version(live, reason, *first, tuple(sizes))


def _size_of(row: Row, unit: int) -> Size:
    """Prices and quantities of a record, or of one of its sizes; 0 for what is null."""
    bid, ask = (Fraction(row[f"{side}_price"] or 0) * unit for side in ("bid", "offer"))
    return Size(bid, ask, int(row["bid_quantity"] or 0), int(row["offer_quantity"] or 0))


class Recount:
    """One pass over a day; every number that it finds is an attribute."""

    def __init__(self, folder: Path, published: Path, day: str, close_bps: int = 100) -> None:
        settings = tomllib.loads((folder / "si.toml").read_text())
        quoting, hours = settings["quoting"], settings["hours"]
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
        self.hours = tuple(
            int(datetime.combine(midnight, hours[name], UTC).timestamp()) * 10**9
            for name in ("open", "close")
        )
        self.stale_ns = quoting["stale_ms"] * E6
        self.close_bps = close_bps
        self.venues = settings["refdata"]["venues"]
        self.instruments = instruments_of(folder)
        self.books: dict[str, dict[str, Book]] = {}  # by ISIN and MIC
        self.shown: dict[str, Version] = {}
        self.since: dict[str, tuple[str, int]] = {}  # presence of an instrument, and since when
        self.presence: dict[str, Counter[str]] = {}  # of those that are due: ns by what it was
        self.counts: Counter[str] = Counter()
        self.found: Counter[str] = Counter()  # as the audit's rules are called
        self.distances_bps_e2: list[int] = []
        self.fills: list[Row] = []
        self._order: tuple[int, Row, Version | None] | None = None
        self._read(folder, published)

    def _read(self, folder: Path, published: Path) -> None:
        journal = folder / "journal"
        told: set[bytes] = set()
        first_ns = last_ns = 0
        for frame in frames(journal):
            first_ns, last_ns = first_ns or frame.ts_ns, frame.ts_ns
            if frame.kind == VENUE_QUOTE:
                starts = range(0, len(frame.body), RECORD.size)
                told.update(frame.body[start : start + 12] for start in starts)
        for isin in sorted(each.decode() for each in told):
            if isin in self.instruments and self.instruments[isin].is_due:
                self.presence[isin], self.since[isin] = Counter(), ("none", first_ns)
        versions = versions_of(published, self.instruments)
        for frame in frames(journal):
            if frame.kind == VENUE_QUOTE:
                for record in RECORD.iter_unpack(frame.body):
                    self._on_record(record, frame.ts_ns)
            elif frame.kind == QUOTE:
                self._on_quote(*next(versions), frame.ts_ns)
            elif frame.kind == ORDER:
                self._on_order(frame)
            elif frame.kind == EXECUTION:
                self._on_execution(frame)
        assert next(versions, None) is None, "as many versions as were published"
        for isin in self.presence:
            self._look(isin, max(last_ns, self.hours[1]), last=True)

    # --- the market -----------------------------------------------------------------------------

    def _on_record(self, record: tuple[Any, ...], ts_ns: int) -> None:
        isin, mic, _, phase, bid, ask, bid_qty, ask_qty = record
        bid = bid if bid_qty > 0 and 0 < bid <= 10**13 else 0
        ask = ask if ask_qty > 0 and 0 < ask <= 10**13 else 0
        name, venue = isin[:12].decode(), mic[:4].decode()
        self.books.setdefault(name, {})[venue] = Book(bid, ask, phase & ~COUNTED, ts_ns)
        if name in self.presence:
            self._look(name, ts_ns)

    def _fresh(self, isin: str, ts_ns: int) -> dict[str, Book]:
        """Books that are continuous and not too old, by MIC."""
        return {
            mic: book
            for mic, book in self.books.get(isin, {}).items()
            if book.phase == CONTINUOUS and ts_ns - book.recv_ns <= self.stale_ns
        }

    def best(self, isin: str, ts_ns: int) -> tuple[Fraction, Fraction]:
        """Best bid and ask of the fresh books; 0 where there is none."""
        fresh = self._fresh(isin, ts_ns).values()
        bid = max((book.bid_e6 for book in fresh), default=0)
        ask = min((book.ask_e6 for book in fresh if book.ask_e6), default=0)
        return Fraction(bid, E6), Fraction(ask, E6)

    def market(self, isin: str, ts_ns: int) -> tuple[Fraction, Fraction, bool]:
        """What a quote is to be close to: the MRM's two sides, else the best (RTS 1 Art 10)."""
        home = self._fresh(isin, ts_ns).get(self.instruments[isin].mrm)
        if home is not None and 0 < home.bid_e6 <= home.ask_e6:
            return Fraction(home.bid_e6, E6), Fraction(home.ask_e6, E6), True
        return *self.best(isin, ts_ns), False

    # --- our quotes -----------------------------------------------------------------------------

    def _look(self, isin: str, ts_ns: int, *, last: bool = False) -> None:
        """The presence of an instrument up to now."""
        before, since_ns = self.since[isin]
        mine, home = self.shown.get(isin), self.books.get(isin, {}).get(self.instruments[isin].mrm)
        now = "none"
        if mine is not None and mine.live and mine.is_whole:
            now = "live"
        elif home is not None and home.phase == HALTED:
            now = "halted"
        elif mine is not None and (home is None or home.phase == CONTINUOUS):
            now = "by the market" if mine.reason.startswith(BY_MARKET) else "for no reason"
        if now != before or last:
            low, high = max(since_ns, self.hours[0]), min(ts_ns, self.hours[1])
            self.presence[isin][before] += max(high - low, 0)
            self.since[isin] = now, ts_ns

    def _on_quote(self, isin: str, version: Version, ts_ns: int) -> None:
        self.counts["quotes"] += 1
        self.shown[isin] = version
        row = self.instruments[isin]
        if isin in self.presence:
            self._look(isin, ts_ns)
        if not version.live:
            return
        self.counts["live_quotes"] += 1
        if not version.is_whole:
            self.found["NOT_TWO_SIDED"] += 1
            return
        for before, size in pairwise(version.sizes):
            larger = size.bid_qty > before.bid_qty and size.ask_qty > before.ask_qty
            sound = larger and 0 < size.bid <= before.bid and size.ask >= before.ask
            self.found["NOT_ASCENDING"] += not sound
            if sound:
                off = [not self._is_on_tick(row, px) for px in (size.bid, size.ask)]
                self.found["QUOTE_OFF_TICK"] += sum(off)
        for px, qty in ((version.bid, version.bid_qty), (version.ask, version.ask_qty)):
            self.found["QUOTE_OFF_TICK"] += not self._is_on_tick(row, px)
            if isin in self.presence:
                self.found["BELOW_QMIN"] += px * qty < row.sms
        if isin in self.presence:
            self._compare(isin, version, ts_ns)

    def _is_on_tick(self, row: Instrument, px: Fraction) -> bool:
        return row.band == 0 or px % Fraction(tick_at(px, row.band)) == 0  # type: ignore[arg-type]

    def _compare(self, isin: str, version: Version, ts_ns: int) -> None:
        bid, ask, at_home = self.market(isin, ts_ns)
        if not bid or not ask:
            self.found["NO_MARKET"] += 1
            return
        self.found["FALLBACK"] += not at_home
        for px, market in ((version.bid, bid), (version.ask, ask)):
            far = abs(px - market) / market
            self.distances_bps_e2.append(int(far * E6))
            if int(far * E6) <= 100 * self.close_bps:
                continue
            band = self.instruments[isin].band
            tick = Fraction(tick_at(max(px, market), band)) if band else 0  # type: ignore[arg-type]
            self.found["FAR_BY_TICK" if abs(px - market) < tick else "FAR"] += 1

    def as_dict(self) -> Row:
        """What a person wants to see; shares in basis points, rounded down."""
        live = sum(ns["live"] for ns in self.presence.values())
        due = sum(sum(ns.values()) - ns["halted"] for ns in self.presence.values())
        worst = min(
            (10_000 * ns["live"] // max(sum(ns.values()) - ns["halted"], 1), isin)
            for isin, ns in self.presence.items()
        )
        return {
            "instruments": len(self.presence),
            "presence_bps": 10_000 * live // max(due, 1),
            "worst": {"isin": worst[1], "presence_bps": worst[0]},
            "live_ns": live,
            "halted_ns": sum(ns["halted"] for ns in self.presence.values()),
            "counts": dict(self.counts),
            "found": {rule: count for rule, count in self.found.items() if count},
            "distance_bps_e2": {str(p): self.distance_bps_e2(p) for p in (50, 99, 100)},
        }

    def distance_bps_e2(self, percent: int) -> int:
        """That so many of a hundred sides do not exceed."""
        ordered = sorted(self.distances_bps_e2)
        return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0

    # --- orders ---------------------------------------------------------------------------------

    def _on_order(self, frame: Frame) -> None:
        self.counts["orders"] += 1
        message = fix(frame.body)
        self._order = frame.session, message, self.shown.get(message[48])

    def _on_execution(self, frame: Frame) -> None:
        report, asked = fix(frame.body), self._order
        if report[150] != "F":
            return
        self.counts["fills"] += 1
        assert asked is not None and asked[0] == frame.session and asked[1][11] == report[11]
        self._order = None
        self._on_fill(report, asked[1], asked[2], frame.ts_ns)

    def _on_fill(self, report: Row, order: Row, quote: Version | None, ts_ns: int) -> None:
        row = self.instruments[order[48]]
        px, is_buy = Fraction(report[31]), order[54] == "1"
        self.fills.append({"isin": row.isin, "px": px, "qty": int(report[32]), "ts_ns": ts_ns})
        if quote is None or not quote.live:
            self.found["NO_PUBLIC_QUOTE"] += 1
            return
        size = quote.for_order(is_buy, int(order[38]))
        quoted = size.ask if is_buy else size.bid
        better = quoted - px if is_buy else px - quoted
        at_mid = 2 * px == size.bid + size.ask
        self.counts["improved"] += better > 0
        self.found["FILL_OFF_TICK"] += not at_mid and not self._is_on_tick(row, px)
        if 44 in order:
            worse = px > Fraction(order[44]) if is_buy else px < Fraction(order[44])
            self.found["THROUGH_LIMIT"] += worse
        if Fraction(report.get(639, 0)) != better:
            self.found["RECORD_DIFFERS"] += 1
        if row.isin not in self.presence:
            return
        bid, ask = self.best(row.isin, ts_ns)
        assert int(order[38]) * (bid + ask) <= 2 * T_SMS * row.sms, "above T: for the desk"
        tick = FREE_TICK
        if row.band:
            ticks = (tick_at(each, row.band) for each in (px, quoted))  # type: ignore[arg-type]
            tick = Fraction(min(ticks))
        if better < 0:
            self.found["WORSE_THAN_QUOTE"] += 1
        elif better > size.ask - size.bid:
            self.found["OUTSIDE_QUOTE"] += 1
        elif 0 < better < tick and not at_mid and row.band:
            self.found["BELOW_ONE_TICK"] += 1


# --- the consolidated BBO, quote by quote -----------------------------------------------------


def bbo_lines(folder: Path) -> list[list[str]]:
    """The BBO after each record of the tape, as the lines that `si sim day --bbo` writes."""
    return [line for kind, line in consolidated(folder) if kind == VENUE_QUOTE]


def bbo_of_orders(folder: Path) -> list[list[str]]:
    """The BBO of an order's instrument when it came, in the order of the orders."""
    return [line for kind, line in consolidated(folder) if kind == ORDER]


def consolidated(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """The BBO at each record and order, worked out from the tape alone, and which it was."""
    settings = tomllib.loads((folder / "si.toml").read_text())
    quoting, venues = settings["quoting"], settings["refdata"]["venues"]
    rules = Rules(
        quoting["stale_ms"] * E6, quoting["jump_bps"], quoting["jump_hold_ms"] * E6,
        quoting["close_bps"], quoting["quote_interval_ms"] * E6, 0, 2**62,
    )  # fmt: skip
    known = {
        isin: {"mrm": venues.index(row.mrm), "band": row.band, "qmin": row.sms}
        for isin, row in instruments_of(folder).items()
    }
    oracle = MarketOracle(rules, known, len(venues))
    for frame in frames(folder / "journal"):
        if frame.kind == ORDER:
            isin = fix(frame.body)[48]
            words = _bbo_words(oracle.bbo(isin, frame.ts_ns), venues)
            yield ORDER, [str(frame.ts_ns), isin, "", *words]
        for record in venue_records(frame.body) if frame.kind == VENUE_QUOTE else ():
            isin, mic = record["isin"], record["mic"]
            words = [""] * 7
            if mic in venues:
                venue = venues.index(mic)
                before = oracle.books.get((isin, venue))
                oracle.record(isin, venue, record, frame.ts_ns)
                if oracle.books.get((isin, venue)) is not before:
                    words = _bbo_words(oracle.bbo(isin, frame.ts_ns), venues)
            yield VENUE_QUOTE, [str(frame.ts_ns), isin, mic, *words]


def _bbo_words(bbo: Row, venues: list[str]) -> list[str]:
    mics = [venues[bbo[side]] if bbo[side] >= 0 else "" for side in ("bid_venue", "ask_venue")]
    prices = [str(int(px * E6)) for px in (bbo["bid"], bbo["ask"], *bbo["mrm"])]
    return [bbo["state"], prices[0], mics[0], prices[1], mics[1], *prices[2:]]


if __name__ == "__main__":  # python -m tests.day_recount DIR DAY: after `si publish DIR`
    where = Path(sys.argv[1])
    print(json.dumps(Recount(where, where / "published", sys.argv[2]).as_dict()))
