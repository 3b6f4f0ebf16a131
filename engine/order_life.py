"""What a client may do with an order after the first answer: cancel, change, ask for its state.

Only an order that waits for a person can still be cancelled or changed; any other has had its
answer. `FIX 4.4 volume 4, appendix D` has the states. Callers go through `engine.step`.
"""

from engine import checks, desk
from engine.bbo import consolidate
from engine.enums import DeskState, ExecKind, MassScope, OrderState, Reason, Route, Tif
from engine.fills import copy_progress
from engine.jit import inlined, njit
from engine.limits import CLORDID_WORDS, ISIN_WORDS, MASS_MAX
from engine.money import to_eur_e6
from engine.outbox import clear
from engine.quoting import requote
from engine.report import (
    copy_bbo,
    copy_order,
    copy_quote,
    copy_words,
    from_event,
    from_order,
    with_instrument,
)
from engine.tables import find_instrument, find_order, rename_order, same_words
from engine.zones import classify, route_of, set_thresholds


@njit
def locate(tables, event, clordid):
    """Row of the session's order by a ClOrdID(11) it has or had, else by OrderID(37); or -1."""
    row = find_order(tables, event["session"], clordid) if clordid[0] != 0 else -1
    if row >= 0:
        return row
    order_id = event["order_ref"]
    if order_id < 1 or order_id > tables.counters[0]["orders"]:
        return -1
    return order_id - 1 if tables.orders[order_id - 1]["session"] == event["session"] else -1


@njit
def has_open_item(tables, order):
    """Whether a person may still answer the order."""
    item_id = order["desk_item"]
    return item_id != 0 and desk.is_open(tables.desk_items[item_id - 1])


@njit
def refuse_unknown(tables, outbox, event, kind, ts_ns):
    """A request about an order that we do not know."""
    execution = from_event(outbox, event, ts_ns)
    execution["kind"] = kind
    execution["reason"] = Reason.UNKNOWN_ORDER
    desk.number(tables, execution, ts_ns)


@njit
def name_request(execution, event):
    """ClOrdID(11) of the request; OrigClOrdID(41) as it came, else the one the order has."""
    if event["orig_clordid"][0] != 0:
        copy_words(execution["orig_clordid"], event["orig_clordid"], CLORDID_WORDS)
    else:
        copy_words(execution["orig_clordid"], execution["clordid"], CLORDID_WORDS)
    copy_words(execution["clordid"], event["clordid"], CLORDID_WORDS)


@njit
def on_cancel(tables, outbox, event, ts_ns):
    """An OrderCancelRequest: only an open desk item can still be cancelled."""
    clear(outbox)
    row = locate(tables, event, event["orig_clordid"])
    if row < 0:
        refuse_unknown(tables, outbox, event, ExecKind.CANCEL_REJECTED, ts_ns)
        return
    order = tables.orders[row]
    if not has_open_item(tables, order):
        execution = from_order(outbox, order, ExecKind.CANCEL_REJECTED)
        execution["reason"] = checks.fail(execution, Reason.TOO_LATE, order["state"], 0)
    else:
        execution = cancel_item(tables, outbox, tables.desk_items[order["desk_item"] - 1], ts_ns)
    name_request(execution, event)
    with_instrument(tables, execution)
    desk.number(tables, execution, ts_ns)


@njit
def cancel_item(tables, outbox, item, ts_ns):
    """End an open item and its order as the client asked; answers the execution."""
    order = tables.orders[item["order_id"] - 1]
    execution = desk.end_order(
        outbox, order, ExecKind.CANCELLED, OrderState.CANCELLED, Reason.CLIENT_CANCEL
    )
    desk.close(tables, outbox, item, DeskState.CANCELLED, ts_ns)
    return execution


@njit
def on_status(tables, outbox, event, ts_ns):
    """An OrderStatusRequest: what is known of the order."""
    clear(outbox)
    row = locate(tables, event, event["clordid"])
    if event["defect"] == Reason.CLORDID_SIZE:  # cut, it could name another order
        row = -1
    execution = from_event(outbox, event, ts_ns)
    execution["kind"] = ExecKind.STATUS
    if row < 0:
        execution["order_state"] = OrderState.REJECTED
        execution["reason"] = Reason.UNKNOWN_ORDER
    else:
        tell_order(tables, execution, tables.orders[row])
    desk.number(tables, execution, ts_ns)


@njit
def tell_order(tables, execution, order):
    """All that is known of an order."""
    copy_order(execution, order)
    execution["reason"] = order["reason"]
    execution["reason_value"] = order["reason_value"]
    execution["reason_limit"] = order["reason_limit"]
    with_instrument(tables, execution)


# Replace


@njit
def on_replace(tables, outbox, event, ts_ns):
    """An OrderCancelReplaceRequest: all terms anew, as of a new order; the item waits again."""
    clear(outbox)
    row = locate(tables, event, event["orig_clordid"])
    if row < 0:
        refuse_unknown(tables, outbox, event, ExecKind.REPLACE_REJECTED, ts_ns)
        return
    order = tables.orders[row]
    execution = from_order(outbox, order, ExecKind.REPLACE_REJECTED)
    execution["ts_ns"] = ts_ns
    with_instrument(tables, execution)
    name_request(execution, event)
    reason = check_change(tables, execution, order, event)
    if reason == Reason.NONE:
        reason = check_terms(tables, outbox, execution, order, event, ts_ns)
    if reason == Reason.NONE:
        item = tables.desk_items[order["desk_item"] - 1]
        replace(tables, outbox, execution, item, order, event, ts_ns)
    execution["reason"] = reason
    desk.number(tables, execution, ts_ns)


@njit
def check_change(tables, execution, order, event):
    """What the change may not be, whatever its terms."""
    if not has_open_item(tables, order):
        return checks.fail(execution, Reason.TOO_LATE, order["state"], 0)
    if event["defect"] == Reason.CLORDID_SIZE:
        return checks.fail(execution, Reason.CLORDID_SIZE, event["defect_value"], 8 * CLORDID_WORDS)
    known = find_order(tables, event["session"], event["clordid"])
    if known >= 0:
        return checks.fail(execution, Reason.DUPLICATE_CLORDID, known + 1, 0)
    used = tables.counters[0]["replaced"]
    if used >= tables.replaced.shape[0]:
        return checks.fail(execution, Reason.REPLACES_FULL, used, tables.replaced.shape[0])
    if event["side"] != order["side"]:
        return checks.fail(execution, Reason.REPLACE_SIDE, event["side"], order["side"])
    if event["defect"] == Reason.ID_SOURCE:
        return checks.fail(execution, Reason.ID_SOURCE, event["defect_value"], 0)
    if event["isin"][0] != 0 and not same_words(event["isin"], execution["isin"], ISIN_WORDS):
        return Reason.REPLACE_INSTRUMENT
    reason = checks.check_rate(tables, execution, order["client"])
    if reason != Reason.NONE:
        return reason
    return checks.passed(execution)


@njit
def check_terms(tables, outbox, execution, order, event, ts_ns):
    """The checks of a new order, in their order, with what is filled already."""
    instrument_id = order["instrument"]
    instrument = tables.instruments[instrument_id]
    reason = checks.check_kill(tables, execution, order["client"])
    if reason != Reason.NONE:
        return reason
    reason = checks.check_instrument(tables, execution, instrument_id)
    if reason != Reason.NONE:
        return reason
    reason = set_thresholds(tables, execution, instrument, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_hours(tables, execution, instrument_id, ts_ns)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_terms(tables, execution, instrument, event)
    if reason != Reason.NONE:
        return reason
    if event["qty"] < order["filled_qty"]:
        return checks.fail(execution, Reason.REPLACE_QTY, event["qty"], order["filled_qty"])
    reason = checks.check_px(tables, execution, instrument, event)
    if reason != Reason.NONE:
        return reason
    best = consolidate(tables, instrument_id, ts_ns)
    copy_bbo(execution, best)
    copy_quote(execution, requote(tables, outbox, instrument_id, best, ts_ns))
    reason = checks.check_bbo(tables, execution, best)
    if reason != Reason.NONE:
        return reason
    mid_x2_e6 = execution["bbo_bid_px_e6"] + execution["bbo_ask_px_e6"]
    reason = checks.check_notional(execution, event["qty"], mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    execution["notional_e6"] = event["qty"] * mid_x2_e6 // 2
    execution["value_eur_e6"] = to_eur_e6(execution["notional_e6"], instrument["eur_per_unit_e9"])
    execution["zone"] = classify(execution, instrument["liquid"], event["qty"] * mid_x2_e6)
    execution["route"] = route_of(tables.params[0], execution, event["qty"] * mid_x2_e6)
    reason = checks.check_collar(tables, execution, event, mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    reason = checks.check_order_limits(
        tables, execution, instrument, order["client"], execution["notional_e6"]
    )
    if reason == Reason.NONE and execution["route"] == Route.REJECT:
        limit = execution["threshold_e6"]
        return checks.fail(execution, Reason.ZONE_REJECTED, execution["notional_e6"], limit)
    return reason


@njit
def replace(tables, outbox, execution, item, order, event, ts_ns):
    """Apply a change that passed; whoever has the order, it is the desk that answers it."""
    execution["kind"] = ExecKind.REPLACED
    execution["route"] = Route.DESK
    rename_order(tables, order, event["clordid"])
    order["ord_type"] = event["ord_type"]
    order["tif"] = event["tif"]
    order["qty"] = event["qty"]
    order["limit_px_e6"] = event["limit_px_e6"] if checks.has_limit(event) else 0
    order["min_qty"] = event["min_qty"]
    order["expire_ns"] = event["expire_ns"] if event["tif"] == Tif.GTD else 0
    order["zone"] = execution["zone"]
    order["route"] = execution["route"]
    if order["filled_qty"] == order["qty"]:
        order["state"] = OrderState.FILLED
    desk.requeue(tables, outbox, execution, item, order, ts_ns)
    execution["ord_type"] = order["ord_type"]
    execution["tif"] = order["tif"]
    execution["qty"] = order["qty"]
    execution["limit_px_e6"] = order["limit_px_e6"]
    execution["min_qty"] = order["min_qty"]
    execution["expire_ns"] = order["expire_ns"]
    copy_progress(execution, order)


# Requests about many orders


@inlined
def is_meant(item, event):
    """Whether an item is an open order of the session and of what the request asks for."""
    if not desk.is_open(item) or item["session"] != event["session"] or item["order_id"] == 0:
        return False
    if event["side"] != 0 and event["side"] != item["side"]:
        return False
    if event["scope"] != MassScope.SECURITY:
        return True
    return same_words(item["isin"], event["isin"], ISIN_WORDS)


@inlined
def first_of(tables, event):
    """Index of the item at which a piece begins."""
    return max(event["from_item"] - 1, tables.counters[0]["first_open_item"])


@njit
def count_meant(tables, event, most):
    """Orders that a request is about from its `from_item` on, counted up to `most`."""
    count = 0
    for index in range(first_of(tables, event), tables.counters[0]["desk_items"]):
        if is_meant(tables.desk_items[index], event):
            count += 1
            if count == most:
                break
    return count


@njit
def scope_problem(tables, event):
    """Why a request about many orders is not done: what it asks for, or an unknown security."""
    scope = event["scope"]
    if event["defect"] == Reason.MASS_PARTIES:
        return Reason.MASS_PARTIES
    if scope == MassScope.SECURITY:
        if event["defect"] == Reason.ID_SOURCE:
            return Reason.ID_SOURCE
        known = find_instrument(tables, event["isin"]) >= 0
        return Reason.NONE if known else Reason.UNKNOWN_INSTRUMENT
    if scope == MassScope.ALL or scope == MassScope.SHELL:
        return Reason.NONE
    return Reason.MASS_SCOPE


@njit
def report_on_all(outbox, event, kind, reason, ts_ns):
    """The execution that is about the request and no single order."""
    execution = from_event(outbox, event, ts_ns)
    execution["kind"] = kind
    execution["scope"] = event["scope"]
    execution["reason"] = reason
    asked = reason == Reason.MASS_SCOPE
    execution["reason_value"] = event["scope"] if asked else event["defect_value"]
    return execution


@njit
def on_mass_cancel(tables, outbox, event, ts_ns):
    """A piece of an OrderMassCancelRequest: at most MASS_MAX orders, then the report on all.

    Answers the `from_item` of the next piece, 0 behind the last one. With `scope` SHELL it is
    for a session that is gone: no report on all.
    """
    clear(outbox)
    reason = scope_problem(tables, event)
    cancelled = 0
    if reason == Reason.NONE:
        for index in range(first_of(tables, event), tables.counters[0]["desk_items"]):
            item = tables.desk_items[index]
            if not is_meant(item, event):
                continue
            if cancelled == MASS_MAX:
                return index + 1
            execution = cancel_item(tables, outbox, item, ts_ns)
            if event["scope"] != MassScope.SHELL:
                name_request(execution, event)
            with_instrument(tables, execution)
            desk.number(tables, execution, ts_ns)
            cancelled += 1
    if event["scope"] != MassScope.SHELL:
        execution = report_on_all(outbox, event, ExecKind.MASS_CANCEL, reason, ts_ns)
        execution["total"] = event["total"] + cancelled
        desk.number(tables, execution, ts_ns)
    return 0


@njit
def on_mass_status(tables, outbox, event, ts_ns):
    """A piece of an OrderMassStatusRequest: at most MASS_MAX open orders, or that there is none.

    `total` says how many reports there will be. Answers the `from_item` of the next piece, 0
    behind the last one.
    """
    clear(outbox)
    reason = scope_problem(tables, event)
    told = 0
    if reason == Reason.NONE:
        for index in range(first_of(tables, event), tables.counters[0]["desk_items"]):
            item = tables.desk_items[index]
            if not is_meant(item, event):
                continue
            if told == MASS_MAX:
                return index + 1
            order = tables.orders[item["order_id"] - 1]
            execution = from_order(outbox, order, ExecKind.MASS_STATUS)
            tell_order(tables, execution, order)
            execution["total"] = event["total"]
            desk.number(tables, execution, ts_ns)
            told += 1
        reason = Reason.NO_OPEN_ORDER
    if told == 0:
        execution = report_on_all(outbox, event, ExecKind.MASS_STATUS, reason, ts_ns)
        execution["order_state"] = OrderState.REJECTED
        execution["total"] = 1
        desk.number(tables, execution, ts_ns)
        told = 1
    outbox.executions[told - 1]["last"] = 1
    return 0
