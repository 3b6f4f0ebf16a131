"""The market that a quote must be close to, rebuilt from the venues' quotes as they were received.

A datagram holds up to 20 records, each of which may cause a quote; the quotes follow the datagram
in the journal. A record is applied when the quote that it may have caused comes, at the latest with
the next input. Of several records of one instrument in one datagram, all of one time, the one that
the quote is closest to counts.
"""

from engine import schema
from engine.enums import COUNTED, Phase
from engine.jit import get_record, inlined, njit
from engine.limits import INT64_MAX, PX_E6_MAX, VENUES_MAX
from gateway.audit.basics import find_instrument, find_venue, tell, tick_of
from gateway.audit.presence import renew
from gateway.audit.rules import Rule
from gateway.audit.tables import BPS_E2_MAX, DATAGRAM_MAX

E6 = 10**6
RECORD_SIZE = schema.venue_quote.itemsize


@njit
def on_datagram(book, journal, body, size, ts_ns):
    """Remember where the records are; nothing is applied yet."""
    run = book.run[0]
    run["records"] = min(size // RECORD_SIZE, DATAGRAM_MAX)
    run["record_body"] = body
    run["record_ns"] = ts_ns
    for index in range(run["records"]):
        book.taken[index] = 0
    if run["counting"] != 0:
        run["venue_quotes"] += run["records"]


@njit
def settle(book, journal):
    """Apply what is left of the last datagram: the next input has come."""
    run = book.run[0]
    for index in range(run["records"]):
        if book.taken[index] == 0:
            _apply(book, journal, index, -1)
    run["records"] = 0


@njit
def _apply(book, journal, index, only):
    """One record into its venue's book; answers whether it was one of the instrument `only`."""
    record = book.venue_quote[0]
    body = book.run[0]["record_body"] + index * RECORD_SIZE
    get_record(record, journal.buffer, body)
    row = find_instrument(book, record["isin"])
    if only >= 0 and row != only:
        return False
    venue = find_venue(book, record["mic"])
    if row < 0 or venue < 0:
        return only >= 0 and row == only
    seen = book.venue_books[row * VENUES_MAX + venue]
    seen["bid_px_e6"] = _sane(record["bid_px_e6"])
    seen["ask_px_e6"] = _sane(record["ask_px_e6"])
    seen["bid_qty"] = record["bid_qty"]
    seen["ask_qty"] = record["ask_qty"]
    phase = record["phase"] & ~COUNTED
    changed = seen["phase"] != phase
    seen["phase"] = phase
    seen["recv_ns"] = book.run[0]["record_ns"]
    if changed:
        renew(book, row, book.run[0]["record_ns"])
    return True


@inlined
def _sane(px_e6):
    """A price, or 0 for what is none."""
    return px_e6 if 0 < px_e6 <= PX_E6_MAX else 0


@njit
def look(book, row, ts_ns):
    """Fill `book.market[0]`: what a quote of this instrument is to be close to at this time.

    The MRM's top where it is two-sided, fresh and uncrossed; else the best of all venues
    (RTS 1 Art 10(1)-(2)) but for one that is crossed in itself. Fresh: not older than the firm's
    own `stale_ns`, in continuous trading.
    """
    found = book.market[0]
    stale_ns = book.params[0]["stale_ns"]
    mrm = book.instruments[row]["mrm_venue"]
    found["from_mrm"] = 0
    found["best_bid_px_e6"] = 0
    found["best_ask_px_e6"] = 0
    for venue in range(book.run[0]["venues"]):
        seen = book.venue_books[row * VENUES_MAX + venue]
        if seen["phase"] != Phase.CONTINUOUS or abs(ts_ns - seen["recv_ns"]) > stale_ns:
            continue
        bid = seen["bid_px_e6"] if seen["bid_qty"] > 0 else 0
        ask = seen["ask_px_e6"] if seen["ask_qty"] > 0 else 0
        if 0 < ask < bid:
            continue
        if bid > found["best_bid_px_e6"]:
            found["best_bid_px_e6"] = bid
        if ask > 0 and (found["best_ask_px_e6"] == 0 or ask < found["best_ask_px_e6"]):
            found["best_ask_px_e6"] = ask
        if venue == mrm and bid > 0 and ask > 0:
            found["from_mrm"] = 1
            found["bid_px_e6"] = bid
            found["ask_px_e6"] = ask
    if found["from_mrm"] == 0:
        found["bid_px_e6"] = found["best_bid_px_e6"]
        found["ask_px_e6"] = found["best_ask_px_e6"]


@inlined
def far_bps_e2(px_e6, market_px_e6):
    """Distance of two prices in hundredths of a basis point of the market's, rounded down."""
    apart = min(abs(px_e6 - market_px_e6), PX_E6_MAX // 2)  # more would not fit
    return apart * E6 // market_px_e6


@njit
def _distance(book, row, ts_ns, bid, ask):
    """Of the further side; INT64_MAX where there is no market."""
    look(book, row, ts_ns)
    found = book.market[0]
    if found["bid_px_e6"] == 0 or found["ask_px_e6"] == 0:
        return INT64_MAX
    return max(far_bps_e2(bid, found["bid_px_e6"]), far_bps_e2(ask, found["ask_px_e6"]))


@njit
def advance(book, journal, row, ts_ns, bid, ask):
    """Apply the records of the last datagram that this instrument's quote may have come from."""
    run = book.run[0]
    if run["record_ns"] != ts_ns:
        settle(book, journal)
    if run["records"] == 0:
        return
    first = row * VENUES_MAX
    for venue in range(VENUES_MAX):
        book.before[venue] = book.venue_books[first + venue]
    best = -1
    nearest = 0
    count = 0
    for index in range(run["records"]):
        if book.taken[index] == 0 and _apply(book, journal, index, row):
            count += 1
            far = _distance(book, row, ts_ns, bid, ask)
            if best < 0 or far < nearest:
                best = index
                nearest = far
    if count > 1:  # back to where the closest one left the books
        for venue in range(VENUES_MAX):
            book.venue_books[first + venue] = book.before[venue]
    for index in range(best + 1):
        if book.taken[index] == 0 and _is_of(book, journal, index, row):
            if count > 1:
                _apply(book, journal, index, row)
            book.taken[index] = 1


@njit
def _is_of(book, journal, index, row):
    """Whether a record of the last datagram is one of this instrument."""
    record = book.venue_quote[0]
    body = book.run[0]["record_body"] + index * RECORD_SIZE
    get_record(record, journal.buffer, body)
    return find_instrument(book, record["isin"]) == row


@njit
def compare(book, row, quote, ts_ns):
    """Closeness of a new live quote to the market at its publication (RTS 1 Art 10)."""
    run = book.run[0]
    look(book, row, ts_ns)
    found = book.market[0]
    bid = quote["bid_px_e6"]
    ask = quote["ask_px_e6"]
    if found["bid_px_e6"] == 0 or found["ask_px_e6"] == 0:
        tell(book, 0, Rule.NO_MARKET, 0, bid, ask, 0, 0)
        return
    if found["from_mrm"] == 0:
        tell(book, 0, Rule.FALLBACK, 0, bid, ask, 0, 0)
    if run["counting"] == 0:
        return
    run["compared"] += 1
    run["fallback"] += 1 - found["from_mrm"]
    _side(book, row, bid, found["bid_px_e6"])
    _side(book, row, ask, found["ask_px_e6"])


@njit
def _side(book, row, px, market_px):
    run = book.run[0]
    far = far_bps_e2(px, market_px)
    book.distances[min(far, BPS_E2_MAX)] += 1
    run["far_bps_e2_max"] = max(run["far_bps_e2_max"], far)
    ours = book.shown[row]
    ours["far_bps_e2"] = max(ours["far_bps_e2"], far)
    if far <= run["close_bps_e2"]:
        return
    band = book.instruments[row]["tick_band"]
    tick = tick_of(book, band, max(px, market_px)) if band != 0 else 0
    rule = Rule.FAR_BY_TICK if abs(px - market_px) < tick else Rule.FAR
    tell(book, 0, rule, far, px, market_px, far, tick)
