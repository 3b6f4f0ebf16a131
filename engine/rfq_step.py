"""What a client says about quotes on request: one entry point, like those of `engine.step`.

A request's way is an order's: checks -> BBO and public quote -> zone and route -> policy and gate
for each side asked for -> a firm quote, or a desk item, or a refusal. Refused requests get no row.
"""

from engine import checks, desk, rfq, rfq_desk, step
from engine.bbo import consolidate
from engine.enums import (
    ExecKind,
    GivenState,
    QuoteAction,
    QuoteRespType,
    QuoteState,
    Reason,
    Route,
    Side,
)
from engine.fills import firm_qty
from engine.jit import inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS, QUOTE_REF_WORDS
from engine.money import to_eur_e6
from engine.outbox import clear, new_quote_report
from engine.quoting import requote
from engine.report import copy_bbo, copy_instrument, copy_quote, copy_words, from_event
from engine.tables import find_instrument
from engine.zones import classify, route_of, set_thresholds

QUOTE_RESP_ID, QUOTE_STATUS_REQ_ID = 693, 649


@njit
def on_quote_event(tables, outbox, event, ts_ns, policy):
    """A QuoteRequest(R), QuoteResponse(AJ), QuoteCancel(Z) or QuoteStatusRequest(a)."""
    clear(outbox)
    if event["action"] == QuoteAction.REQUEST:
        _on_request(tables, outbox, event, ts_ns, policy)
    elif event["action"] == QuoteAction.RESPONSE:
        _on_response(tables, outbox, event, ts_ns)
    elif event["action"] == QuoteAction.CANCEL:
        _on_end(tables, outbox, event, GivenState.CANCELLED, ts_ns)
    else:
        _on_status(tables, outbox, event, ts_ns)


@njit
def _from_event(tables, outbox, event, kind, ts_ns):
    """A new quote report carrying what the client sent, numbered."""
    made = new_quote_report(outbox)
    made["kind"] = kind
    made["session"] = event["session"]
    made["client"] = event["client"]
    made["instrument"] = -1
    made["regime"] = -1
    made["bbo_bid_venue"] = -1
    made["bbo_ask_venue"] = -1
    made["side"] = event["side"]
    made["qty"] = event["qty"]
    made["limit_px_e6"] = event["limit_px_e6"]
    made["currency"] = event["currency"]
    copy_words(made["isin"], event["isin"], ISIN_WORDS)
    copy_words(made["clordid"], event["clordid"], CLORDID_WORDS)
    copy_words(made["quote_ref"], event["quote_ref"], QUOTE_REF_WORDS)
    copy_words(made["quote_req_id"], event["quote_req_id"], CLORDID_WORDS)
    _put_answer(made, event)
    desk.number(tables, made, ts_ns)
    return made


@njit
def _about(tables, outbox, event, given, kind, ts_ns):
    """A new quote report about a row, to the session that asked."""
    made = rfq.report(tables, outbox, given, kind, ts_ns)
    made["session"] = event["session"]
    copy_words(made["clordid"], event["clordid"], CLORDID_WORDS)
    _put_answer(made, event)
    return made


@njit
def _put_answer(made, event):
    """QuoteRespID(693) or QuoteStatusReqID(649), whichever the client's message had."""
    if event["answer_id"][0] != 0:
        response = event["action"] == QuoteAction.RESPONSE
        made["answer_tag"] = QUOTE_RESP_ID if response else QUOTE_STATUS_REQ_ID
        copy_words(made["answer_id"], event["answer_id"], CLORDID_WORDS)


# --- requests ---------------------------------------------------------------------------------


@njit
def _on_request(tables, outbox, event, ts_ns, policy):
    made = _from_event(tables, outbox, event, ExecKind.QUOTE_REFUSED, ts_ns)
    reason = _admit(tables, made, event, ts_ns)
    if reason == Reason.NONE:
        reason = _answer(tables, outbox, made, event, ts_ns, policy)
    made["reason"] = reason


@njit
def _admit(tables, made, event, ts_ns):
    """Room for it, a new QuoteReqID(131), one instrument, still wanted."""
    if not rfq.has_room(tables):
        full = tables.given_quotes.shape[0]
        return checks.fail(made, Reason.QUOTES_FULL, full, full)
    defect = event["defect"]
    if defect == Reason.QUOTEREQID_SIZE:
        return checks.fail(made, defect, event["defect_value"], 8 * CLORDID_WORDS)
    if rfq.find_request(tables, event) >= 0:
        return checks.fail(made, Reason.DUPLICATE_QUOTEREQID, 0, 0)
    if defect == Reason.RELATED_SYMS:
        return checks.fail(made, defect, event["defect_value"], 1)
    if event["until_ns"] != 0 and event["until_ns"] <= ts_ns:
        return checks.fail(made, Reason.REQUEST_EXPIRED, event["until_ns"], ts_ns)
    reason = checks.check_rate(tables, made, event["client"])
    if reason != Reason.NONE:
        return reason
    return checks.passed(made)


@njit
def _answer(tables, outbox, made, event, ts_ns, policy):
    """An order's checks in an order's sequence, then who answers."""
    reason = checks.check_kill(tables, made, event["client"])
    if reason != Reason.NONE:
        return reason
    instrument_id = find_instrument(tables, event["isin"])
    reason = checks.check_instrument(tables, made, instrument_id)
    if instrument_id >= 0:
        made["instrument"] = instrument_id
        copy_instrument(made, tables.instruments[instrument_id])
    if reason != Reason.NONE:
        return reason
    instrument = tables.instruments[instrument_id]
    reason = set_thresholds(tables, made, instrument, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_hours(tables, made, instrument_id, ts_ns)
    if reason != Reason.NONE:
        return reason
    side = event["side"]
    if side != 0 and side != Side.BUY and side != Side.SELL and side != Side.SELL_SHORT:
        return checks.fail(made, Reason.SIDE, side, 0)
    reason = checks.check_qty(tables, made, instrument, event)
    if reason != Reason.NONE:
        return reason
    best = consolidate(tables, instrument_id, ts_ns)
    quote = requote(tables, outbox, instrument_id, best, ts_ns)
    copy_bbo(made, best)
    copy_quote(made, quote)
    reason = checks.check_bbo(tables, made, best)
    if reason != Reason.NONE:
        return reason
    return _place(tables, outbox, made, event, instrument_id, ts_ns, policy)


@njit
def _place(tables, outbox, made, event, instrument_id, ts_ns, policy):
    """Zone and route on a sound market, then the limits, then who quotes."""
    instrument = tables.instruments[instrument_id]
    mid_x2_e6 = made["bbo_bid_px_e6"] + made["bbo_ask_px_e6"]
    reason = checks.check_notional(made, event["qty"], mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    notional_x2_e6 = event["qty"] * mid_x2_e6
    made["notional_e6"] = notional_x2_e6 // 2
    made["value_eur_e6"] = to_eur_e6(made["notional_e6"], instrument["eur_per_unit_e9"])
    made["zone"] = classify(made, instrument["liquid"], notional_x2_e6)
    made["route"] = route_of(tables.params[0], made, notional_x2_e6)
    reason = checks.check_order_limits(
        tables, made, instrument, event["client"], made["notional_e6"]
    )
    if reason != Reason.NONE:
        return reason
    if made["route"] == Route.DESK:
        return _to_desk(tables, outbox, made, event, instrument_id, ts_ns)
    if made["route"] == Route.REJECT:
        limit = made["threshold_e6"]
        return checks.fail(made, Reason.ZONE_REJECTED, made["notional_e6"], limit)
    return _quote(tables, made, event, instrument_id, mid_x2_e6, ts_ns, policy)


@njit
def _to_desk(tables, outbox, made, event, instrument_id, ts_ns):
    """Hand the request to a person."""
    if not desk.has_room(tables):
        full = tables.desk_items.shape[0]
        return checks.fail(made, Reason.DESK_FULL, full, full)
    given = _row(tables, made, event, instrument_id, ts_ns)
    rfq_desk.enqueue(tables, outbox, given, made, ts_ns)
    made["kind"] = ExecKind.QUOTE_PENDING
    rfq.copy_given(tables, made, given)
    return Reason.NONE


@inlined
def _row(tables, made, event, instrument_id, ts_ns):
    given = rfq.add(tables, event, instrument_id, ts_ns)
    given["zone"] = made["zone"]
    given["route"] = made["route"]
    given["notional_e6"] = made["notional_e6"]
    return given


@njit
def _quote(tables, made, event, instrument_id, mid_x2_e6, ts_ns, policy):
    """A firm quote at once: what orders of that size would get, for each side asked for."""
    quote = tables.quotes[instrument_id]
    if quote["state"] != QuoteState.LIVE:
        return checks.fail(made, Reason.NO_QUOTE, quote["reason"], 0)
    made["position_before"] = tables.positions[instrument_id]["qty"]
    for sells in range(2):
        if event["side"] != 0 and (event["side"] == Side.BUY) == (sells == 1):
            continue
        side = Side.SELL if sells == 1 else Side.BUY
        after = made["position_before"] + firm_qty(side, event["qty"])
        reason = checks.check_fill_limits(
            tables, made, instrument_id, event["client"], after, mid_x2_e6
        )
        if reason != Reason.NONE:
            return reason
    bid = 0
    offer = 0
    if event["side"] != Side.BUY:
        side = Side.SELL_SHORT if event["side"] == Side.SELL_SHORT else Side.SELL
        bid = step.price(tables, made, side, event["qty"], quote, quote["bid_px_e6"], ts_ns, policy)
        made["bid_policy_px_e6"] = made["policy_px_e6"]
        made["bid_clamp"] = made["clamp"]
    if event["side"] == 0 or event["side"] == Side.BUY:
        offer = step.price(
            tables, made, Side.BUY, event["qty"], quote, quote["ask_px_e6"], ts_ns, policy
        )
        made["offer_policy_px_e6"] = made["policy_px_e6"]
        made["offer_clamp"] = made["clamp"]
    given = _row(tables, made, event, instrument_id, ts_ns)
    rfq.give(tables, given, bid, offer, ts_ns)
    made["kind"] = ExecKind.QUOTE_GIVEN
    rfq.copy_given(tables, made, given)
    return Reason.NONE


# --- responses --------------------------------------------------------------------------------


@njit
def _on_response(tables, outbox, event, ts_ns):
    kind = event["resp_type"]
    if kind == QuoteRespType.HIT:
        _hit(tables, outbox, event, ts_ns)
    elif kind == QuoteRespType.COUNTER:
        _counter(tables, outbox, event, ts_ns)
    elif kind == QuoteRespType.EXPIRED or kind == QuoteRespType.TIMED_OUT:
        _on_end(tables, outbox, event, GivenState.EXPIRED, ts_ns)
    elif (
        kind == QuoteRespType.PASS or kind == QuoteRespType.DONE_AWAY or kind == QuoteRespType.COVER
    ):
        _on_end(tables, outbox, event, GivenState.PASSED, ts_ns)
    else:
        made = _not_taken(tables, outbox, event, ts_ns)
        made["reason"] = checks.fail(made, Reason.QUOTE_RESP_TYPE, kind, 0)


@njit
def _not_taken(tables, outbox, event, ts_ns):
    """A new report that a response or cancel did nothing, with the quote where there is one."""
    index = _find(tables, event)
    if index < 0:
        return _from_event(tables, outbox, event, ExecKind.QUOTE_NOT_TAKEN, ts_ns)
    given = tables.given_quotes[index]
    return _about(tables, outbox, event, given, ExecKind.QUOTE_NOT_TAKEN, ts_ns)


@njit
def _find(tables, event):
    """The client's quote: by QuoteID(117), without one the newest for its QuoteReqID(131)."""
    if event["quote_ref"][0] != 0:
        return rfq.find_ref(tables, event)
    return rfq.find_request(tables, event)


@njit
def _hit(tables, outbox, event, ts_ns):
    """Take the quote by an order of its own, in every respect like one that names the quote."""
    execution = from_event(outbox, event, ts_ns)
    reason = step.admit(tables, execution, event)
    if reason == Reason.NONE:
        order = tables.orders[execution["order_id"] - 1]
        reason = rfq.take_order(tables, outbox, execution, order, event, ts_ns)
        step.close_unfilled(execution, order, reason)
        execution["reason"] = reason
        desk.number(tables, execution, ts_ns)
    else:
        outbox.counts[0]["executions"] -= 1  # no order was made
    if reason != Reason.NONE:
        made = _not_taken(tables, outbox, event, ts_ns)
        made["reason"] = checks.fail(
            made, reason, execution["reason_value"], execution["reason_limit"]
        )


@njit
def _on_end(tables, outbox, event, state, ts_ns):
    """The client does not want the quote, or no longer."""
    made = _not_taken(tables, outbox, event, ts_ns)
    index = _find(tables, event)
    if index < 0:
        made["reason"] = Reason.QUOTE_UNKNOWN
        return
    given = tables.given_quotes[index]
    made["reason"] = rfq.check_live(made, given, ts_ns)
    if made["reason"] == Reason.NONE:
        rfq.end(tables, outbox, given, state, ts_ns)
        made["kind"] = ExecKind.QUOTE_ENDED
        made["given_state"] = state
        made["reason"] = Reason.CLIENT_PASSED


@njit
def _counter(tables, outbox, event, ts_ns):
    """The client names another price: a new request of the same QuoteReqID(131) for the desk."""
    made = _not_taken(tables, outbox, event, ts_ns)
    index = rfq.find_ref(tables, event)
    if index < 0:
        made["reason"] = Reason.QUOTE_UNKNOWN
        return
    old = tables.given_quotes[index]
    reason = _check_counter(tables, outbox, made, old, event, ts_ns)
    if reason != Reason.NONE:
        made["reason"] = reason
        return
    rfq.end(tables, outbox, old, GivenState.COUNTERED, ts_ns)
    copy_words(event["quote_req_id"], old["quote_req_id"], CLORDID_WORDS)
    given = rfq.add(tables, event, old["instrument"], ts_ns)
    given["zone"] = made["zone"]
    given["route"] = Route.DESK
    given["notional_e6"] = made["notional_e6"]
    rfq_desk.enqueue(tables, outbox, given, made, ts_ns)
    made["kind"] = ExecKind.QUOTE_PENDING
    rfq.copy_given(tables, made, given)


@njit
def _check_counter(tables, outbox, made, old, event, ts_ns):
    """A counter is held against the quote, then against what a new limit order must pass."""
    reason = checks.check_kill(tables, made, event["client"])
    if reason != Reason.NONE:
        return reason
    reason = rfq.check_live(made, old, ts_ns)
    if reason != Reason.NONE:
        return reason
    if old["state"] == GivenState.PENDING:
        return checks.fail(made, Reason.QUOTE_PENDING, old["desk_item"], 0)
    reason = checks.check_rate(tables, made, event["client"])
    if reason != Reason.NONE:
        return reason
    instrument = tables.instruments[old["instrument"]]
    reason = checks.check_instrument(tables, made, old["instrument"])
    if reason != Reason.NONE:
        return reason
    reason = set_thresholds(tables, made, instrument, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_hours(tables, made, old["instrument"], ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_terms(tables, made, instrument, event)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_px(tables, made, instrument, event)
    if reason != Reason.NONE:
        return reason
    best = consolidate(tables, old["instrument"], ts_ns)
    copy_bbo(made, best)
    reason = checks.check_bbo(tables, made, best)
    if reason != Reason.NONE:
        return reason
    return _check_counter_size(tables, made, instrument, event)


@njit
def _check_counter_size(tables, made, instrument, event):
    """Its value, the collar, the limits of one order, and room for it."""
    mid_x2_e6 = made["bbo_bid_px_e6"] + made["bbo_ask_px_e6"]
    reason = checks.check_notional(made, event["qty"], mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    made["notional_e6"] = event["qty"] * mid_x2_e6 // 2
    made["value_eur_e6"] = to_eur_e6(made["notional_e6"], instrument["eur_per_unit_e9"])
    made["zone"] = classify(made, instrument["liquid"], event["qty"] * mid_x2_e6)
    reason = checks.check_collar(tables, made, event, mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_order_limits(
        tables, made, instrument, event["client"], made["notional_e6"]
    )
    if reason != Reason.NONE:
        return reason
    if not rfq.has_room(tables):
        full = tables.given_quotes.shape[0]
        return checks.fail(made, Reason.QUOTES_FULL, full, full)
    if not desk.has_room(tables):
        full = tables.desk_items.shape[0]
        return checks.fail(made, Reason.DESK_FULL, full, full)
    return Reason.NONE


@njit
def _on_status(tables, outbox, event, ts_ns):
    """What is known of a quote."""
    index = _find(tables, event)
    if index < 0:
        made = _from_event(tables, outbox, event, ExecKind.QUOTE_STATUS, ts_ns)
        made["reason"] = Reason.QUOTE_UNKNOWN
        return
    given = tables.given_quotes[index]
    made = _about(tables, outbox, event, given, ExecKind.QUOTE_STATUS, ts_ns)
    if rfq.is_live(given) and ts_ns >= given["valid_until_ns"]:  # the TIMER will say so
        made["given_state"] = GivenState.EXPIRED
