"""Each version of our quote: two sides, sizes, Qmin, tick, closeness, time of entry."""

from engine.enums import QuoteState, Reason
from engine.jit import get_record, njit
from engine.limits import MORE_SIZES
from gateway.audit.basics import (
    is_due,
    is_on_tick,
    regime_of,
    share_of,
    tell,
    tick_of,
    times,
)
from gateway.audit.fills import judge_waiting
from gateway.audit.market import advance, compare
from gateway.audit.presence import renew
from gateway.audit.rules import Rule
from gateway.audit.sizes import show


@njit
def on_quote(book, journal, body, ts_ns):
    """A QUOTE frame: the quote that is public from here on."""
    quote = book.quote[0]
    get_record(quote, journal.buffer, body)
    row = quote["instrument"]
    if row < 0 or row >= book.instruments.shape[0]:
        return
    here = book.here[0]
    here["instrument"] = row
    here["quote_id"] = quote["quote_id"]
    bid = quote["bid_px_e6"]
    ask = quote["ask_px_e6"]
    advance(book, journal, row, ts_ns, bid, ask)
    run = book.run[0]
    if run["counting"] != 0:
        run["quotes"] += 1
        run["last_quote_id"] = quote["quote_id"]
        if run["first_quote_id"] == 0:
            run["first_quote_id"] = quote["quote_id"]
        if quote["reason"] == Reason.KILLED_FIRM or quote["reason"] == Reason.KILLED_INSTRUMENT:
            run["switched_quotes"] += 1
    live = quote["state"] == QuoteState.LIVE
    whole = bid > 0 and bid <= ask and quote["bid_qty"] > 0 and quote["ask_qty"] > 0
    ours = book.shown[row]
    ours["quote_id"] = quote["quote_id"]
    ours["live"] = 1 if live and whole else 0
    ours["reason"] = quote["reason"]
    show(ours, quote)
    ours["entered_ns"] = quote["entered_ns"]
    ours["position"] = here["position"]
    ours["seq"] = here["seq"]
    renew(book, row, ts_ns)
    judge_waiting(book, row)
    delay_ns = ts_ns - quote["entered_ns"]
    if delay_ns != 0:
        tell(book, 0, Rule.ENTERED_AFTER, abs(delay_ns), quote["entered_ns"], delay_ns, 0, 0)
    if not live:
        return
    run["live_quotes"] += run["counting"]
    ours["versions"] += run["counting"]
    if not whole:
        tell(book, 0, Rule.NOT_TWO_SIDED, 0, bid, ask, quote["bid_qty"], quote["ask_qty"])
        return
    _check_tick(book, row, bid)
    _check_tick(book, row, ask)
    _check_more(book, row, quote)
    if is_due(book.instruments[row]):
        _check_size(book, row, quote, ts_ns)
        compare(book, row, quote, ts_ns)


@njit
def _check_tick(book, row, px):
    """MiFIR Art 17a(1), RTS 1 Art 10(3)."""
    run = book.run[0]
    run["tick_quotes"] += run["counting"]
    band = book.instruments[row]["tick_band"]
    if not is_on_tick(book, band, px):
        tick = tick_of(book, band, px)
        tell(book, 0, Rule.QUOTE_OFF_TICK, 0, px, tick, 0, 0)


@njit
def _check_more(book, row, quote):
    """Further sizes: two sides, on tick, whole lots; larger than before, at no better price."""
    lot = book.instruments[row]["lot"]
    bid = quote["bid_px_e6"]
    ask = quote["ask_px_e6"]
    bid_qty = quote["bid_qty"]
    ask_qty = quote["ask_qty"]
    ended = False
    for more in range(MORE_SIZES):
        more_bid = quote["more_bid_px_e6"][more]
        more_ask = quote["more_ask_px_e6"][more]
        more_bid_qty = quote["more_bid_qty"][more]
        more_ask_qty = quote["more_ask_qty"][more]
        if more_bid == 0 and more_ask == 0 and more_bid_qty == 0 and more_ask_qty == 0:
            ended = True
            continue
        larger = more_bid_qty > bid_qty and more_ask_qty > ask_qty
        if ended or not larger or more_bid <= 0 or more_bid > bid or more_ask < ask:
            tell(book, 0, Rule.NOT_ASCENDING, 0, more_bid, more_ask, more_bid_qty, more_ask_qty)
        else:
            _check_tick(book, row, more_bid)
            _check_tick(book, row, more_ask)
            _check_side(book, more_bid, more_bid_qty, 0, lot)
            _check_side(book, more_ask, more_ask_qty, 0, lot)
        bid = more_bid
        ask = more_ask
        bid_qty = more_bid_qty
        ask_qty = more_ask_qty


@njit
def _check_size(book, row, quote, ts_ns):
    """Both sides worth Qmin of the regime in force by the date, in whole lots."""
    run = book.run[0]
    instrument = book.instruments[row]
    regime = regime_of(book, ts_ns)
    if regime < 0:
        tell(book, 0, Rule.NO_REGIME, 0, 0, 0, 0, 0)
        return
    run["sized"] += run["counting"]
    qmin_e6 = share_of(instrument["sms_e6"], book.regimes[regime]["qmin_bps"])
    _check_side(book, quote["bid_px_e6"], quote["bid_qty"], qmin_e6, instrument["lot"])
    _check_side(book, quote["ask_px_e6"], quote["ask_qty"], qmin_e6, instrument["lot"])


@njit
def _check_side(book, px, qty, qmin_e6, lot):
    value_e6 = times(qty, px)
    if value_e6 < qmin_e6:
        tell(book, 0, Rule.BELOW_QMIN, qmin_e6 - value_e6, value_e6, qmin_e6, qty, px)
    if lot > 1 and qty % lot != 0:
        tell(book, 0, Rule.OFF_LOT, 0, qty, lot, 0, 0)
