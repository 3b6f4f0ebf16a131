"""Execution rows: what is said of an order, filled from the event, the order and the market."""

from engine.enums import QuoteState
from engine.jit import inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS
from engine.outbox import new_execution


@inlined
def copy_words(target, source, count):
    """Copy packed text."""
    for i in range(count):
        target[i] = source[i]


@inlined
def from_event(outbox, event, ts_ns):
    """A new execution carrying what the client sent."""
    execution = new_execution(outbox)
    execution["session"] = event["session"]
    execution["client"] = event["client"]
    execution["instrument"] = -1
    execution["regime"] = -1
    copy_words(execution["isin"], event["isin"], ISIN_WORDS)
    copy_words(execution["clordid"], event["clordid"], CLORDID_WORDS)
    copy_words(execution["orig_clordid"], event["orig_clordid"], CLORDID_WORDS)
    execution["side"] = event["side"]
    execution["ord_type"] = event["ord_type"]
    execution["tif"] = event["tif"]
    execution["qty"] = event["qty"]
    execution["limit_px_e6"] = event["limit_px_e6"]
    execution["currency"] = event["currency"]
    execution["min_qty"] = event["min_qty"]
    execution["expire_ns"] = event["expire_ns"]
    execution["ts_ns"] = ts_ns
    return execution


@njit
def from_order(outbox, order, kind):
    """A new execution about an order that is known."""
    execution = new_execution(outbox)
    execution["kind"] = kind
    copy_order(execution, order)
    return execution


@njit
def copy_order(execution, order):
    """Identity and terms of an order."""
    execution["order_id"] = order["order_id"]
    execution["session"] = order["session"]
    execution["client"] = order["client"]
    execution["instrument"] = order["instrument"]
    copy_words(execution["clordid"], order["clordid"], CLORDID_WORDS)
    execution["side"] = order["side"]
    execution["ord_type"] = order["ord_type"]
    execution["tif"] = order["tif"]
    execution["qty"] = order["qty"]
    execution["limit_px_e6"] = order["limit_px_e6"]
    execution["order_state"] = order["state"]
    execution["filled_qty"] = order["filled_qty"]
    execution["filled_e6"] = order["filled_e6"]
    execution["zone"] = order["zone"]
    execution["route"] = order["route"]
    execution["regime"] = -1
    execution["desk_item"] = order["desk_item"]
    execution["min_qty"] = order["min_qty"]
    execution["expire_ns"] = order["expire_ns"]


@inlined
def copy_instrument(execution, instrument):
    """ISIN and currency for the report."""
    copy_words(execution["isin"], instrument["isin"], ISIN_WORDS)
    execution["currency"] = instrument["currency"]


@njit
def with_instrument(tables, execution):
    """Name the instrument of an execution that was made from an order."""
    if execution["instrument"] >= 0:
        copy_instrument(execution, tables.instruments[execution["instrument"]])


@inlined
def copy_bbo(execution, best):
    """The market the decision saw."""
    execution["bbo_state"] = best["state"]
    execution["bbo_bid_px_e6"] = best["bid_px_e6"]
    execution["bbo_ask_px_e6"] = best["ask_px_e6"]
    execution["bbo_bid_venue"] = best["bid_venue"]
    execution["bbo_ask_venue"] = best["ask_venue"]
    execution["bbo_age_ns"] = best["age_ns"]
    execution["mrm_bid_px_e6"] = best["mrm_bid_px_e6"]
    execution["mrm_ask_px_e6"] = best["mrm_ask_px_e6"]


@inlined
def copy_quote(execution, quote):
    """The quote that was public when the order was received."""
    if quote["state"] == QuoteState.LIVE:
        execution["quote_id"] = quote["quote_id"]
        execution["quote_bid_px_e6"] = quote["bid_px_e6"]
        execution["quote_ask_px_e6"] = quote["ask_px_e6"]
        execution["quote_bid_qty"] = quote["bid_qty"]
        execution["quote_ask_qty"] = quote["ask_qty"]
