"""One function per kind of input: the whole engine. Each clears the outbox, then fills it.

An order's way: `on_order` -> admit -> checks -> BBO and quote -> zone and route -> policy ->
gate -> fill, or a desk item, or a reject. Nothing here knows of sockets, files or clocks.
"""

from engine import (
    checks,
    desk,
    due,
    excess,
    markouts,
    pools,
    quoting,
    rfq,
    rfq_desk,
    risk,
    sizes,
    ticks,
    venue_feed,
)
from engine.bbo import consolidate, is_tradable, is_tradable_state
from engine.enums import (
    AboveQuote,
    Condition,
    DeskAction,
    Destination,
    ExecKind,
    KillScope,
    OrderState,
    OrdType,
    PegMid,
    Phase,
    QuoteState,
    Reason,
    Route,
    Side,
    Tif,
)
from engine.fills import apply_fill, copy_progress, firm_qty
from engine.gate import gate
from engine.jit import call_policy, inlined, njit
from engine.limits import CLORDID_WORDS, OUTPUTS_MAX, POLICY_PARAMS, VENUES_MAX
from engine.money import to_eur_e6
from engine.order_life import on_cancel, on_mass_cancel, on_mass_status, on_replace, on_status
from engine.outbox import clear, new_desk_result
from engine.quoting import public_place, requote
from engine.report import (
    copy_bbo,
    copy_instrument,
    copy_quote,
    copy_words,
    from_event,
    with_instrument,
)
from engine.tables import clordid_slot, find_instrument, find_venue
from engine.volatility import follow_mid, vol_e9
from engine.zones import classify, route_of, set_thresholds

__all__ = [
    "on_cancel",
    "on_desk",
    "on_mass_cancel",
    "on_mass_status",
    "on_order",
    "on_replace",
    "on_status",
    "on_timer",
    "on_venue_quote",
]


@njit
def on_order(tables, outbox, event, ts_ns, policy):
    """A NewOrderSingle: a fill, a desk item, a cancel (not marketable) or a reject."""
    clear(outbox)
    execution = from_event(outbox, event, ts_ns)
    reason = admit(tables, execution, event)
    if reason == Reason.NONE:
        order = tables.orders[execution["order_id"] - 1]
        reason = answer(tables, outbox, execution, order, event, ts_ns, policy)
        close_unfilled(execution, order, reason)
    else:
        execution["kind"] = ExecKind.REJECTED
        execution["order_state"] = OrderState.REJECTED
    execution["reason"] = reason
    desk.number(tables, execution, ts_ns)
    if execution["order_state"] == OrderState.PARTIALLY_FILLED:
        excess.cancel_rest(tables, outbox, execution, ts_ns)


@inlined
def admit(tables, execution, event):
    """Give the order a row, unless there is no room, its ClOrdID(11) was used or it is too soon."""
    counters = tables.counters[0]
    if counters["orders"] >= tables.orders.shape[0]:
        return checks.fail(
            execution, Reason.ORDERS_FULL, counters["orders"], tables.orders.shape[0]
        )
    if event["defect"] == Reason.CLORDID_SIZE:
        return checks.fail(execution, Reason.CLORDID_SIZE, event["defect_value"], 8 * CLORDID_WORDS)
    slot = clordid_slot(tables, event["session"], event["clordid"])
    if tables.clordid_slots[slot] != 0:
        return checks.fail(execution, Reason.DUPLICATE_CLORDID, tables.clordid_slots[slot], 0)
    reason = checks.check_rate(tables, execution, event["client"])
    if reason != Reason.NONE:
        return reason
    index = counters["orders"]
    counters["orders"] = index + 1
    tables.clordid_slots[slot] = index + 1
    tables.client_use[event["client"]]["orders"] += 1
    execution["order_id"] = index + 1
    order = tables.orders[index]
    order["order_id"] = index + 1
    order["session"] = event["session"]
    order["client"] = event["client"]
    order["instrument"] = -1
    copy_words(order["clordid"], event["clordid"], CLORDID_WORDS)
    order["side"] = event["side"]
    order["ord_type"] = event["ord_type"]
    order["tif"] = event["tif"]
    order["qty"] = event["qty"]
    order["limit_px_e6"] = event["limit_px_e6"] if checks.has_limit(event) else 0
    order["state"] = OrderState.NEW
    order["recv_ns"] = received_ns(event, execution["ts_ns"])
    order["min_qty"] = event["min_qty"]
    order["expire_ns"] = event["expire_ns"] if event["tif"] == Tif.GTD else 0
    return checks.passed(execution)


@inlined
def received_ns(event, ts_ns):
    """When an order was received: before its input's time, where it had to wait."""
    return event["recv_ns"] if 0 < event["recv_ns"] < ts_ns else ts_ns


@inlined
def answer(tables, outbox, execution, order, event, ts_ns, policy):
    """Check, place and execute an admitted order; answers Reason.NONE for a fill or desk item."""
    if event["ord_type"] == OrdType.PREVIOUSLY_QUOTED:  # answered by the quote it names
        if event["destination"] != Destination.NONE:
            reason = checks.check_destination(execution, event["destination"])
            if reason != Reason.NONE:
                return reason
        return rfq.take_order(tables, outbox, execution, order, event, ts_ns)
    reason = checks.check_kill(tables, execution, event["client"])
    if reason != Reason.NONE:
        return reason
    if event["defect"] == Reason.ID_SOURCE:
        return checks.fail(execution, Reason.ID_SOURCE, event["defect_value"], 0)
    instrument_id = find_instrument(tables, event["isin"])
    reason = checks.check_instrument(tables, execution, instrument_id)
    if instrument_id >= 0:
        order["instrument"] = instrument_id
        execution["instrument"] = instrument_id
        copy_instrument(execution, tables.instruments[instrument_id])
    if reason != Reason.NONE:
        return reason
    instrument = tables.instruments[instrument_id]
    reason = set_thresholds(tables, execution, instrument, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_hours(tables, execution, instrument_id, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_terms(tables, execution, instrument, event)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_px(tables, execution, instrument, event)
    if reason != Reason.NONE:
        return reason
    version = tables.quotes[instrument_id]["version"]
    best = consolidate(tables, instrument_id, ts_ns)
    requote(tables, outbox, instrument_id, best, ts_ns)
    public = public_place(tables, instrument_id, version, event["recv_ns"], ts_ns)
    quote = sizes.served(tables, execution, event, tables.quote_versions[public])
    copy_bbo(execution, best)
    copy_quote(execution, quote)
    reason = checks.check_market(tables, execution, instrument, event, best, quote)
    if reason != Reason.NONE:
        return reason
    return place(tables, outbox, execution, order, event, quote, ts_ns, policy)


@inlined
def place(tables, outbox, execution, order, event, quote, ts_ns, policy):
    """Zone and route of an order that somebody may answer, then its limits, then who does."""
    instrument = tables.instruments[order["instrument"]]
    mid_x2_e6 = checks.reference_x2_e6(execution, quote)
    reason = checks.check_notional(execution, event["qty"], mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    notional_x2_e6 = event["qty"] * mid_x2_e6
    execution["notional_e6"] = notional_x2_e6 // 2
    execution["value_eur_e6"] = to_eur_e6(execution["notional_e6"], instrument["eur_per_unit_e9"])
    execution["zone"] = classify(execution, instrument["liquid"], notional_x2_e6)
    execution["route"] = route_of(tables.params[0], execution, notional_x2_e6)
    order["zone"] = execution["zone"]
    order["route"] = execution["route"]
    reason = checks.check_collar(tables, execution, event, mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_order_limits(
        tables, execution, instrument, event["client"], execution["notional_e6"]
    )
    if reason != Reason.NONE:
        return reason
    qty = event["qty"]
    if tables.params[0]["above_quote"] != AboveQuote.QUOTED_PRICE:
        qty, reason = excess.limit_to_quote(tables, execution, order, event, quote)
        if reason != Reason.NONE:
            return reason
    if execution["route"] == Route.DESK:
        return to_desk(tables, outbox, execution, order, ts_ns)
    if execution["route"] == Route.REJECT:
        limit = execution["threshold_e6"]
        return checks.fail(execution, Reason.ZONE_REJECTED, execution["notional_e6"], limit)
    after = tables.positions[order["instrument"]]["qty"] + firm_qty(event["side"], qty)
    execution["position_before"] = tables.positions[order["instrument"]]["qty"]
    reason = checks.check_fill_limits(
        tables, execution, order["instrument"], event["client"], after, mid_x2_e6
    )
    if reason != Reason.NONE:
        return reason
    return auto_fill(tables, outbox, execution, order, event, quote, qty, ts_ns, policy)


@njit
def to_desk(tables, outbox, execution, order, ts_ns):
    """Hand the order to a person."""
    if not desk.has_room(tables):
        full = tables.desk_items.shape[0]
        return checks.fail(execution, Reason.DESK_FULL, full, full)
    desk.enqueue(tables, outbox, execution, order, ts_ns)
    execution["kind"] = ExecKind.NEW
    copy_progress(execution, order)
    return Reason.NONE


@inlined
def auto_fill(tables, outbox, execution, order, event, quote, qty, ts_ns, policy):
    """Price by the public quote, policy and gate, then fill `qty` if the order's limit allows."""
    if quote["state"] != QuoteState.LIVE:
        return checks.fail(execution, Reason.NO_QUOTE, quote["reason"], 0)
    buy = event["side"] == Side.BUY
    quoted = quote["ask_px_e6"] if buy else quote["bid_px_e6"]
    pegged = event["ord_type"] == OrdType.PEGGED
    low = quote["bid_px_e6"]
    high = quote["ask_px_e6"]
    mid_x2_e6 = low + high
    if not is_tradable_state(execution["bbo_state"]):  # no market to improve on: as quoted
        low = quoted
        high = quoted
        px = given(tables, execution, event["side"], quote, quoted, quoted)
    elif pegged and tables.params[0]["peg_mid"] == PegMid.FILL:
        px = given(tables, execution, event["side"], quote, quoted, mid_x2_e6 // 2)
    else:
        px = price(tables, execution, event["side"], qty, quote, quoted, ts_ns, policy)
    if pegged and 2 * px != mid_x2_e6:
        return checks.fail(execution, Reason.PEG_MID, px, mid_x2_e6 // 2)
    if checks.has_limit(event):
        limit = event["limit_px_e6"]
        marketable = px <= limit if buy else px >= limit
        if not marketable:
            return checks.fail(execution, Reason.NOT_MARKETABLE, limit, px)
    reason = checks.check_invariants(tables, execution, order, qty, px, low, high, mid_x2_e6)
    if reason != Reason.NONE:
        risk.stop_firm(tables, outbox, execution, reason)
        return reason
    improvement = quoted - px if buy else px - quoted
    apply_fill(tables, outbox, execution, order, qty, px, improvement)
    return Reason.NONE


@inlined
def price(tables, execution, side, qty, quote, quoted, ts_ns, policy):
    """What a client gets of a live quote: our price `quoted`, then the policy, then the gate."""
    band = tables.instruments[quote["instrument"]]["tick_band"]
    execution["tick_e6"] = ticks.tick_e6(tables.ticks, band, quoted)
    execution["policy_hash"] = tables.params[0]["policy_hash"]
    wanted = ask_policy(tables, execution, side, qty, quote, quoted, ts_ns, policy)
    execution["policy_px_e6"] = wanted
    px, clamp = gate(tables, band, side, quote, wanted)
    execution["clamp"] = clamp
    return px


@inlined
def given(tables, execution, side, quote, quoted, wanted):
    """What a rule gives and no policy is asked for: `wanted`, through the gate."""
    band = tables.instruments[quote["instrument"]]["tick_band"]
    execution["tick_e6"] = ticks.tick_e6(tables.ticks, band, quoted)
    execution["policy_px_e6"] = wanted
    px, clamp = gate(tables, band, side, quote, wanted)
    execution["clamp"] = clamp
    return px


@inlined
def ask_policy(tables, execution, side, qty, quote, quoted, ts_ns, policy):
    """Fill the policy's inputs and call it; answers the price it asks for."""
    inputs = tables.policy_input[0]
    params = tables.params[0]
    inputs["side"] = side
    inputs["qty"] = qty
    inputs["notional_e6"] = execution["notional_e6"]
    inputs["zone"] = execution["zone"]
    inputs["quote_px_e6"] = quoted
    inputs["bid_px_e6"] = quote["bid_px_e6"]
    inputs["ask_px_e6"] = quote["ask_px_e6"]
    inputs["tick_e6"] = execution["tick_e6"]
    inputs["mid_x2_e6"] = quote["bid_px_e6"] + quote["ask_px_e6"]
    inputs["position_qty"] = execution["position_before"]
    inputs["recv_ns"] = ts_ns
    instrument = tables.instruments[quote["instrument"]]
    client = tables.clients[execution["client"]]
    inputs["tier"] = client["tier"]
    inputs["mrm_bid_px_e6"] = quote["mrm_bid_px_e6"]
    inputs["mrm_ask_px_e6"] = quote["mrm_ask_px_e6"]
    inputs["position_max_e6"] = instrument["position_max_e6"]
    inputs["vol_e9"] = vol_e9(tables, quote["instrument"], ts_ns)
    markout = tables.markouts[execution["client"]]
    for h in range(markouts.HORIZONS):
        inputs["markout_e9"][h] = markout["markout_e9"][h]
        inputs["markout_fills"][h] = markout["fills"][h]
    rule = tables.policy_rules[pools.rule_place(client, instrument)]
    for i in range(POLICY_PARAMS):
        inputs["param"][i] = rule["param"][i] if rule["given"] != 0 else params["policy_param"][i]
    tables.policy_input[1] = inputs  # a policy may write into what it is handed
    return call_policy(policy, tables.policy_input[1])


@inlined
def close_unfilled(execution, order, reason):
    """Give an order that got neither fill nor desk item its final state."""
    if reason == Reason.NONE:
        return
    partly = reason == Reason.ABOVE_QUOTE and execution["route"] != Route.REJECT
    if reason == Reason.NOT_MARKETABLE or reason == Reason.PEG_MID or partly:
        execution["kind"] = ExecKind.CANCELLED
        order["state"] = OrderState.CANCELLED
    else:
        execution["kind"] = ExecKind.REJECTED
        order["state"] = OrderState.REJECTED
    order["reason"] = reason
    order["reason_value"] = execution["reason_value"]
    order["reason_limit"] = execution["reason_limit"]
    copy_progress(execution, order)


@njit
def on_venue_quote(tables, outbox, record, ts_ns):
    """One record of the market-data feed: the venue's book, then our own quote."""
    clear(outbox)
    counters = tables.counters[0]
    venue = find_venue(tables, record["mic"])
    if venue < 0:
        counters["venue_quotes_unknown"] += 1
        return
    if not venue_feed.is_new(tables, venue, record, ts_ns):
        return
    instrument_id = find_instrument(tables, record["isin"])
    if instrument_id < 0:
        counters["venue_quotes_unknown"] += 1
        tables.venue_states[venue]["unknown"] += 1
        return
    counters["venue_quotes"] += 1
    if markouts.is_due(tables, ts_ns):
        markouts.take_due(tables, ts_ns)
    book = tables.venue_books[instrument_id * VENUES_MAX + venue]
    venue_feed.put_book(tables, venue, book, record, ts_ns)
    best = consolidate(tables, instrument_id, ts_ns)
    if is_tradable(best):
        follow_mid(tables, instrument_id, best["bid_px_e6"] + best["ask_px_e6"], ts_ns)
    risk.mark(tables, outbox, instrument_id, best, ts_ns)  # it may stop what is quoted next
    requote(tables, outbox, instrument_id, best, ts_ns)
    if book["phase"] != Phase.CONTINUOUS and counters["given_open"] != 0:
        rfq.sweep(tables, outbox, ts_ns)


@njit
def on_desk(tables, outbox, command, ts_ns):
    """A command from the desk: claim, quote, fill, decline, or a kill switch."""
    clear(outbox)
    result = new_desk_result(outbox)
    result["command_id"] = command["command_id"]
    result["action"] = command["action"]
    result["item_id"] = command["item_id"]
    result["trader"] = command["trader"]
    action = command["action"]
    if action == DeskAction.KILL or action == DeskAction.RESUME:
        result["reason"] = set_kill(tables, outbox, command, result, ts_ns)
        rfq.sweep(tables, outbox, ts_ns)
    elif action == DeskAction.SUSPEND or action == DeskAction.RESTORE:
        result["reason"] = suspend(tables, outbox, command, result, ts_ns)
        rfq.sweep(tables, outbox, ts_ns)
    elif rfq_desk.is_request(tables, command["item_id"]):
        result["reason"] = rfq_desk.act(tables, outbox, command, result, ts_ns)
    elif action >= DeskAction.CLAIM and action <= DeskAction.DECLINE:
        result["reason"] = desk.act(tables, outbox, command, result, ts_ns)
    else:
        result["reason"] = desk.fail_result(result, Reason.UNKNOWN_ACTION, action, 0)
    for index in range(outbox.counts[0]["executions"]):
        with_instrument(tables, outbox.executions[index])


@njit
def set_kill(tables, outbox, command, result, ts_ns):
    """Stop or resume the firm, a pool, a client or an instrument (RTS 6 Art 12).

    A pool's and a client's do nothing to the public quotes; the firm's goes through them in pieces.
    """
    stop = 1 if command["action"] == DeskAction.KILL else 0
    subject = command["subject"]
    counters = tables.counters[0]
    if command["scope"] == KillScope.FIRM:
        counters["kill_firm"] = stop
        due.look_at_all(tables)
        quoting.sweep(tables, outbox, ts_ns)
        return Reason.NONE
    if command["scope"] == KillScope.CLIENT:
        if subject < 0 or subject >= counters["clients"]:
            return desk.fail_result(result, Reason.UNKNOWN_SUBJECT, subject, counters["clients"])
        tables.client_use[subject]["killed"] = stop
        return Reason.NONE
    if command["scope"] == KillScope.POOL:
        if subject < 0 or subject >= counters["pools"]:
            return desk.fail_result(result, Reason.UNKNOWN_SUBJECT, subject, counters["pools"])
        tables.pools[subject]["killed"] = stop
        return Reason.NONE
    if command["scope"] == KillScope.INSTRUMENT:
        if subject < 0 or subject >= counters["instruments"]:
            limit = counters["instruments"]
            return desk.fail_result(result, Reason.UNKNOWN_SUBJECT, subject, limit)
        tables.positions[subject]["killed"] = stop
        quoting.refresh(tables, outbox, subject, ts_ns)
        return Reason.NONE
    return desk.fail_result(result, Reason.UNKNOWN_ACTION, command["scope"], 0)


@njit
def suspend(tables, outbox, command, result, ts_ns):
    """Withdraw the quotes of the firm or of an instrument, or put them back (2017/567 Art 14(1)).

    What the instrument's own suspension and the firm's stop is stopped until both are lifted.
    """
    reason = 0
    subject = command["subject"]
    counters = tables.counters[0]
    if command["action"] == DeskAction.SUSPEND:
        condition = command["condition"]
        if condition < Condition.HALT or condition > Condition.PRUDENTIAL:
            return desk.fail_result(result, Reason.UNKNOWN_CONDITION, condition, 0)
        reason = condition - Condition.HALT + Reason.SUSPENDED_HALT
    if command["scope"] == KillScope.FIRM:
        counters["suspended"] = reason
        due.look_at_all(tables)
        quoting.sweep(tables, outbox, ts_ns)
        return Reason.NONE
    if command["scope"] != KillScope.INSTRUMENT:
        return desk.fail_result(result, Reason.UNKNOWN_ACTION, command["scope"], 0)
    if subject < 0 or subject >= counters["instruments"]:
        return desk.fail_result(result, Reason.UNKNOWN_SUBJECT, subject, counters["instruments"])
    tables.quotes[subject]["suspended"] = reason
    quoting.refresh(tables, outbox, subject, ts_ns)
    return Reason.NONE


@inlined
def is_due(tables, ts_ns):
    """Whether a TIMER has something to do."""
    expiry_ns = tables.counters[0]["next_expiry_ns"]
    if expiry_ns != 0 and expiry_ns <= ts_ns:
        return True
    if rfq.is_due(tables, ts_ns) or markouts.is_due(tables, ts_ns):
        return True
    return quoting.is_due(tables, ts_ns)


@inlined
def goes_on(tables, outbox):
    """Whether the TIMER before has left quotes for another one at the same time."""
    return tables.counters[0]["sweep_at"] != 0 or outbox.counts[0]["quotes"] == OUTPUTS_MAX


@njit
def on_timer(tables, outbox, ts_ns):
    """Time has passed: deadlines, mark-outs, and quotes that keep to the published hours."""
    clear(outbox)
    markouts.take_due(tables, ts_ns)
    desk.expire(tables, outbox, ts_ns)
    rfq.sweep(tables, outbox, ts_ns)
    quoting.on_time(tables, outbox, ts_ns)
    for index in range(outbox.counts[0]["executions"]):
        with_instrument(tables, outbox.executions[index])
