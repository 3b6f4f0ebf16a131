"""Quote requests as desk items: a person names the price, on both sides where both were asked.

Above the obligation threshold nobody must quote; whoever quotes is firm all the same.
"""

from engine import desk, rfq
from engine.bbo import consolidate
from engine.enums import DeskAction, DeskState, ExecKind, GivenState, Reason, Side
from engine.jit import njit
from engine.limits import ISIN_WORDS
from engine.outbox import put_desk_item
from engine.report import copy_bbo, copy_words


@njit
def is_request(tables, item_id):
    """Whether this desk item is a quote request."""
    if item_id < 1 or item_id > tables.counters[0]["desk_items"]:
        return False
    return tables.desk_items[item_id - 1]["given_quote"] != 0


@njit
def enqueue(tables, outbox, given, report, ts_ns):
    """Make a desk item of a PENDING request; there is room (`desk.has_room`)."""
    counters = tables.counters[0]
    index = counters["desk_items"]
    counters["desk_items"] = index + 1
    counters["desk_open"] += 1
    rfq.ends_at(tables, given, ts_ns + tables.params[0]["desk_ttl_ns"])
    given["desk_item"] = index + 1
    instrument = tables.instruments[given["instrument"]]
    item = tables.desk_items[index]
    item["item_id"] = index + 1
    item["state"] = DeskState.QUEUED
    item["session"] = given["session"]
    item["client"] = given["client"]
    item["instrument"] = given["instrument"]
    copy_words(item["isin"], instrument["isin"], ISIN_WORDS)
    item["currency"] = instrument["currency"]
    item["side"] = given["side"]
    item["qty"] = given["qty"]
    item["limit_px_e6"] = given["limit_px_e6"]
    item["zone"] = given["zone"]
    item["notional_e6"] = given["notional_e6"]
    item["bid_px_e6"] = report["bbo_bid_px_e6"]
    item["ask_px_e6"] = report["bbo_ask_px_e6"]
    item["created_ns"] = ts_ns
    item["deadline_ns"] = given["valid_until_ns"]
    item["changed_ns"] = ts_ns
    item["given_quote"] = counters["given_quotes"]  # the row just made
    put_desk_item(outbox, item)


@njit
def act(tables, outbox, command, result, ts_ns):
    """Apply CLAIM, QUOTE or DECLINE to a request; answers a Reason."""
    reason = desk.check_item(tables, command, result)
    if reason != Reason.NONE:
        return reason
    item = tables.desk_items[command["item_id"] - 1]
    action = command["action"]
    if action == DeskAction.CLAIM:
        desk.claim(outbox, item, command["trader"], ts_ns)
        return Reason.NONE
    if action == DeskAction.DECLINE:
        _decline(tables, outbox, item, command["trader"], ts_ns)
        return Reason.NONE
    if action == DeskAction.QUOTE:
        return _quote(tables, outbox, item, command, result, ts_ns)
    if action == DeskAction.FILL:
        return desk.fail_result(result, Reason.ITEM_IS_REQUEST, 0, 0)
    return desk.fail_result(result, Reason.UNKNOWN_ACTION, action, 0)


@njit
def _decline(tables, outbox, item, trader, ts_ns):
    """No quote, or the quote is taken back before the client took it."""
    given = tables.given_quotes[item["given_quote"] - 1]
    item["trader"] = trader
    given["trader"] = trader
    if given["state"] == GivenState.PENDING:
        rfq.end(tables, outbox, given, GivenState.DECLINED, ts_ns)
        made = rfq.report(tables, outbox, given, ExecKind.QUOTE_REFUSED, ts_ns)
        made["reason"] = Reason.DESK_DECLINED
    else:
        rfq.end(tables, outbox, given, GivenState.WITHDRAWN, ts_ns)
        made = rfq.report(tables, outbox, given, ExecKind.QUOTE_WITHDRAWN, ts_ns)
        made["reason"] = Reason.DESK_WITHDREW


@njit
def _quote(tables, outbox, item, command, result, ts_ns):
    """Give the client a firm price; an older one of the same item is then void."""
    given = tables.given_quotes[item["given_quote"] - 1]
    if ts_ns >= given["valid_until_ns"]:
        return desk.fail_result(result, Reason.ITEM_CLOSED, item["state"], DeskState.QUOTED)
    bid, offer = _prices(item, given, command)
    best = consolidate(tables, item["instrument"], ts_ns)
    reason = _check(tables, item, result, best, bid, offer)
    if reason != Reason.NONE:
        return reason
    reason = rfq.stopped(tables, given)
    if reason != Reason.NONE:
        return desk.fail_result(result, reason, 1, 0)
    replaced = given["state"] == GivenState.OPEN
    if replaced and not rfq.has_room(tables):
        full = tables.given_quotes.shape[0]
        return desk.fail_result(result, Reason.QUOTES_FULL, full, full)
    if replaced:
        given = _replace(tables, outbox, item, given, ts_ns)
    given["trader"] = command["trader"]
    rfq.give(tables, given, bid, offer, ts_ns)
    item["trader"] = command["trader"]
    item["quote_px_e6"] = offer if item["side"] == Side.BUY else bid
    item["quote_offer_px_e6"] = 0 if item["side"] == Side.BUY else offer
    item["state"] = DeskState.QUOTED
    item["deadline_ns"] = given["valid_until_ns"]
    item["changed_ns"] = ts_ns
    made = rfq.report(tables, outbox, given, ExecKind.QUOTE_GIVEN, ts_ns)
    copy_bbo(made, best)
    put_desk_item(outbox, item)
    return Reason.NONE


@njit
def _replace(tables, outbox, item, old, ts_ns):
    """A new row of the same request; the old one can no longer be taken."""
    rfq.end(tables, outbox, old, GivenState.REPLACED, ts_ns)
    rfq.report(tables, outbox, old, ExecKind.QUOTE_WITHDRAWN, ts_ns)["reason"] = Reason.QUOTE_CLOSED
    given = rfq.add(tables, old, old["instrument"], ts_ns)
    given["zone"] = old["zone"]
    given["route"] = old["route"]
    given["notional_e6"] = old["notional_e6"]
    given["desk_item"] = old["desk_item"]
    item["given_quote"] = tables.counters[0]["given_quotes"]
    return given


@njit
def _prices(item, given, command):
    """Bid and offer of a command: of one side the price given, without any those quoted before."""
    px = command["px_e6"]
    offer = command["offer_px_e6"]
    if px == 0 and offer == 0:
        return given["bid_px_e6"], given["offer_px_e6"]
    if item["side"] == Side.BUY and offer == 0:
        return 0, px
    return px, offer


@njit
def _check(tables, item, result, best, bid, offer):
    """The sides asked for, on tick or at the midpoint, not crossed."""
    if (item["side"] == Side.BUY and bid != 0) or (
        (item["side"] == Side.SELL or item["side"] == Side.SELL_SHORT) and offer != 0
    ):
        return desk.fail_result(result, Reason.ITEM_SIDE, bid, offer)
    if bid != 0 or offer == 0:
        reason = desk.check_tick(tables, item, result, best, bid)
        if reason != Reason.NONE:
            return reason
    if offer != 0:
        reason = desk.check_tick(tables, item, result, best, offer)
        if reason != Reason.NONE:
            return reason
    if bid != 0 and offer != 0 and bid > offer:
        return desk.fail_result(result, Reason.ITEM_CROSSED, bid, offer)
    return Reason.NONE
