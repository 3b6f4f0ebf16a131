"""Our own firm two-way quote, made from the market it must be close to (RTS 1 Art 10)."""

from engine import ticks
from engine.bbo import is_tradable
from engine.enums import BboState, QuoteState, Reason
from engine.jit import inlined, njit
from engine.money import ceil_div
from engine.outbox import put_quote
from engine.zones import BPS, regime_at


@inlined
def requote(tables, outbox, instrument_id, best, ts_ns):
    """Bring the quote of an instrument up to the BBO `best`; emit it if it changed."""
    quote = tables.quotes[instrument_id]
    bid = 0
    ask = 0
    mrm_bid = best["mrm_bid_px_e6"]
    mrm_ask = best["mrm_ask_px_e6"]
    if mrm_bid > 0 and mrm_ask > 0 and mrm_bid <= mrm_ask:
        bid = mrm_bid
        ask = mrm_ask
    elif is_tradable(best):  # RTS 1 Art 10(2): quotes of other venues
        bid = best["bid_px_e6"]
        ask = best["ask_px_e6"]
    regime = regime_at(tables, ts_ns)
    edition = tables.counters[0]["edition"]
    if not (
        quote["source_bid_px_e6"] == bid
        and quote["source_ask_px_e6"] == ask
        and quote["mrm_bid_px_e6"] == mrm_bid
        and quote["mrm_ask_px_e6"] == mrm_ask
        and quote["regime"] == regime
        and quote["edition"] == edition
    ):
        quote["source_bid_px_e6"] = bid
        quote["source_ask_px_e6"] = ask
        quote["regime"] = regime
        quote["edition"] = edition
        _make(tables, outbox, instrument_id, quote, best, ts_ns)
    return quote


@njit
def _make(tables, outbox, instrument_id, quote, best, ts_ns):
    """Prices on tick and sizes from the quote's source; withdrawn where there is no price."""
    instrument = tables.instruments[instrument_id]
    band = instrument["tick_band"]
    bid = ticks.round_down(tables.ticks, band, quote["source_bid_px_e6"])
    ask = ticks.round_up(tables.ticks, band, quote["source_ask_px_e6"])
    if bid <= 0 or ask <= 0 or not _may_quote(instrument, quote["regime"]):
        _set_quote(tables, outbox, instrument_id, quote, best, 0, 0, 0, 0, ts_ns)
        return
    target_e6 = _published_size_e6(tables, instrument, quote["regime"])
    bid_qty = _whole_lots(target_e6, bid, instrument["lot"])
    ask_qty = _whole_lots(target_e6, ask, instrument["lot"])
    _set_quote(tables, outbox, instrument_id, quote, best, bid, ask, bid_qty, ask_qty, ts_ns)


@njit
def _may_quote(instrument, regime):
    """Whether an order could be answered at all: SI, a regime, the thresholds it needs."""
    if instrument["si"] == 0 or regime < 0 or instrument["lis_e6"] <= 0:
        return False
    return instrument["liquid"] == 0 or instrument["sms_e6"] > 0


@njit
def _published_size_e6(tables, instrument, regime):
    """Value that the quoted size must reach; 0 for an illiquid instrument, which has no Qmin."""
    if instrument["liquid"] == 0:
        return 0
    qmin_e6 = instrument["sms_e6"] * tables.regimes[regime]["qmin_bps"] // BPS
    return qmin_e6 * tables.params[0]["quote_size_bps"] // BPS


@njit
def _whole_lots(target_e6, px_e6, lot):
    """Smallest number of shares in whole lots that is worth `target_e6`; at least one lot."""
    shares = ceil_div(target_e6, px_e6)
    return max(lot, ceil_div(shares, lot) * lot)


@njit
def _set_quote(tables, outbox, instrument_id, quote, best, bid, ask, bid_qty, ask_qty, ts_ns):
    state = QuoteState.LIVE if bid > 0 else QuoteState.WITHDRAWN
    reason = Reason.NONE if bid > 0 else _withdrawal(best)
    if (
        quote["state"] == state
        and quote["bid_px_e6"] == bid
        and quote["ask_px_e6"] == ask
        and quote["bid_qty"] == bid_qty
        and quote["ask_qty"] == ask_qty
        and quote["mrm_bid_px_e6"] == best["mrm_bid_px_e6"]
        and quote["mrm_ask_px_e6"] == best["mrm_ask_px_e6"]
    ):
        return
    tables.counters[0]["quotes"] += 1
    quote["instrument"] = instrument_id
    quote["quote_id"] = tables.counters[0]["quotes"]
    quote["state"] = state
    quote["reason"] = reason
    quote["bid_px_e6"] = bid
    quote["ask_px_e6"] = ask
    quote["bid_qty"] = bid_qty
    quote["ask_qty"] = ask_qty
    quote["mrm_bid_px_e6"] = best["mrm_bid_px_e6"]
    quote["mrm_ask_px_e6"] = best["mrm_ask_px_e6"]
    quote["entered_ns"] = ts_ns
    put_quote(outbox, quote)


@njit
def _withdrawal(best):
    """The Reason that a quote is withdrawn for, from the state of the BBO."""
    if best["state"] == BboState.EMPTY:
        return Reason.BBO_EMPTY
    if best["state"] == BboState.STALE:
        return Reason.BBO_STALE
    if best["state"] == BboState.ONE_SIDED:
        return Reason.BBO_ONE_SIDED
    if best["state"] == BboState.CROSSED:
        return Reason.BBO_CROSSED
    return Reason.NO_QUOTE
