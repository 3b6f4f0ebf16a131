"""Desk items: orders that wait for a person. In which order they are shown is the reader's.

A person claims, quotes, fills (whole or part) or declines; the client may cancel; time expires.
"""

from engine import risk, ticks
from engine.bbo import consolidate, is_tradable
from engine.checks import check_fill_limits, check_invariants, check_kill, fail
from engine.enums import (
    BboState,
    DeskAction,
    DeskState,
    ExecKind,
    OrderState,
    OrdType,
    Reason,
    Side,
    Tif,
)
from engine.fills import apply_fill, copy_progress, firm_qty
from engine.jit import inlined, njit
from engine.limits import OUTPUTS_MAX, PX_E6_MAX
from engine.money import fits_product, to_eur_e6
from engine.outbox import put_desk_item
from engine.report import copy_bbo, from_order
from engine.zones import set_thresholds


@inlined
def is_open(item):
    """Whether the item still waits for something."""
    state = item["state"]
    return state == DeskState.QUEUED or state == DeskState.CLAIMED or state == DeskState.QUOTED


@njit
def has_room(tables):
    """Whether one more desk item can be stored."""
    return tables.counters[0]["desk_items"] < tables.desk_items.shape[0]


@njit
def enqueue(tables, outbox, execution, order, ts_ns):
    """Make a desk item of an order; there is room (`has_room`)."""
    counters = tables.counters[0]
    index = counters["desk_items"]
    counters["desk_items"] = index + 1
    counters["desk_open"] += 1
    item = tables.desk_items[index]
    instrument = tables.instruments[order["instrument"]]
    item["item_id"] = index + 1
    item["state"] = DeskState.QUEUED
    item["order_id"] = order["order_id"]
    item["session"] = order["session"]
    item["client"] = order["client"]
    item["instrument"] = order["instrument"]
    item["isin"][0] = instrument["isin"][0]
    item["isin"][1] = instrument["isin"][1]
    item["currency"] = instrument["currency"]
    item["side"] = order["side"]
    item["created_ns"] = ts_ns
    set_item_terms(tables, execution, item, order, ts_ns)
    order["desk_item"] = index + 1
    execution["desk_item"] = index + 1
    put_desk_item(outbox, item)


@njit
def set_item_terms(tables, execution, item, order, ts_ns):
    """What an order is, on its item, and until when: the earlier of its own end and the desk's."""
    params = tables.params[0]
    if order["expire_ns"] > params["close_ns"]:
        order["expire_ns"] = params["close_ns"]
    item["ord_type"] = order["ord_type"]
    item["tif"] = order["tif"]
    item["qty"] = order["qty"]
    item["limit_px_e6"] = order["limit_px_e6"]
    item["min_qty"] = order["min_qty"]
    item["expire_ns"] = order["expire_ns"]
    item["zone"] = order["zone"]
    item["notional_e6"] = execution["notional_e6"]
    item["bid_px_e6"] = execution["bbo_bid_px_e6"]
    item["ask_px_e6"] = execution["bbo_ask_px_e6"]
    item["deadline_ns"] = ts_ns + params["desk_ttl_ns"]
    if 0 < item["expire_ns"] < item["deadline_ns"]:
        item["deadline_ns"] = item["expire_ns"]
    item["changed_ns"] = ts_ns
    counters = tables.counters[0]
    if counters["next_expiry_ns"] == 0 or item["deadline_ns"] < counters["next_expiry_ns"]:
        counters["next_expiry_ns"] = item["deadline_ns"]


@njit
def requeue(tables, outbox, execution, item, order, ts_ns):
    """The client has changed the order: the item waits again, what the desk quoted is void."""
    set_item_terms(tables, execution, item, order, ts_ns)
    item["state"] = DeskState.QUEUED
    item["trader"] = 0
    item["quote_px_e6"] = 0
    item["replaced"] += 1
    if order["filled_qty"] == order["qty"]:
        close(tables, outbox, item, DeskState.FILLED, ts_ns)
    else:
        put_desk_item(outbox, item)


@njit
def close(tables, outbox, item, state, ts_ns):
    """Move an open item to a final state."""
    item["state"] = state
    item["changed_ns"] = ts_ns
    counters = tables.counters[0]
    counters["desk_open"] -= 1
    first = counters["first_open_item"]
    while first < counters["desk_items"] and not is_open(tables.desk_items[first]):
        first += 1
    counters["first_open_item"] = first
    if counters["desk_open"] == 0:
        counters["next_expiry_ns"] = 0
    put_desk_item(outbox, item)


@njit
def end_order(outbox, order, kind, order_state, reason):
    """Close the order of a desk item without a fill and report it; answers the execution."""
    execution = from_order(outbox, order, kind)
    order["state"] = order_state
    order["reason"] = reason
    execution["reason"] = reason
    copy_progress(execution, order)
    return execution


@inlined
def number(tables, execution, ts_ns):
    """Give an execution its id and time."""
    tables.counters[0]["executions"] += 1
    execution["exec_id"] = tables.counters[0]["executions"]
    execution["ts_ns"] = ts_ns


@njit
def expire(tables, outbox, ts_ns):
    """Expire items whose deadline has passed, as many as one input may; sets `next_expiry_ns`."""
    counters = tables.counters[0]
    next_ns = 0
    for index in range(counters["first_open_item"], counters["desk_items"]):
        item = tables.desk_items[index]
        if not is_open(item) or item["given_quote"] != 0:  # engine.rfq ends those
            continue
        if item["deadline_ns"] <= ts_ns and outbox.counts[0]["executions"] < OUTPUTS_MAX:
            order = tables.orders[item["order_id"] - 1]
            own = item["expire_ns"] == item["deadline_ns"]
            reason = Reason.ORDER_EXPIRED if own else Reason.DESK_EXPIRED
            execution = end_order(outbox, order, ExecKind.EXPIRED, OrderState.EXPIRED, reason)
            if own:
                execution["reason_value"] = item["expire_ns"]
                order["reason_value"] = item["expire_ns"]
            number(tables, execution, ts_ns)
            close(tables, outbox, item, DeskState.EXPIRED, ts_ns)
        elif next_ns == 0 or item["deadline_ns"] < next_ns:
            next_ns = item["deadline_ns"]
    counters["next_expiry_ns"] = next_ns


@njit
def claim(outbox, item, trader, ts_ns):
    """A trader takes a queued item."""
    item["trader"] = trader
    item["state"] = DeskState.CLAIMED
    item["changed_ns"] = ts_ns
    put_desk_item(outbox, item)


@njit
def check_item(tables, command, result):
    """Whether this person may work this item; answers a Reason."""
    item_id = command["item_id"]
    if item_id < 1 or item_id > tables.counters[0]["desk_items"]:
        return fail_result(result, Reason.UNKNOWN_ITEM, item_id, tables.counters[0]["desk_items"])
    item = tables.desk_items[item_id - 1]
    if not is_open(item):
        return fail_result(result, Reason.ITEM_CLOSED, item["state"], DeskState.QUOTED)
    if item["state"] != DeskState.QUEUED and item["trader"] != command["trader"]:
        return fail_result(result, Reason.ITEM_NOT_YOURS, command["trader"], item["trader"])
    return Reason.NONE


@njit
def act(tables, outbox, command, result, ts_ns):
    """Apply CLAIM, QUOTE, FILL or DECLINE; answers a Reason."""
    reason = check_item(tables, command, result)
    if reason != Reason.NONE:
        return reason
    item_id = command["item_id"]
    item = tables.desk_items[item_id - 1]
    action = command["action"]
    if action == DeskAction.CLAIM:
        claim(outbox, item, command["trader"], ts_ns)
        return Reason.NONE
    order = tables.orders[item["order_id"] - 1]
    if action == DeskAction.DECLINE:
        item["trader"] = command["trader"]
        execution = end_order(
            outbox, order, ExecKind.CANCELLED, OrderState.CANCELLED, Reason.DESK_DECLINED
        )
        execution["trader"] = command["trader"]
        number(tables, execution, ts_ns)
        close(tables, outbox, item, DeskState.DECLINED, ts_ns)
        return Reason.NONE
    if 0 < item["expire_ns"] <= ts_ns:
        return fail_result(result, Reason.ITEM_EXPIRED, item["expire_ns"], 0)
    if command["offer_px_e6"] != 0:
        return fail_result(result, Reason.ITEM_SIDE, command["px_e6"], command["offer_px_e6"])
    px = command["px_e6"]
    if px == 0:
        px = item["quote_px_e6"]
    best = consolidate(tables, item["instrument"], ts_ns)
    reason = check_desk_px(tables, item, result, best, px)
    if reason != Reason.NONE:
        return reason
    if action == DeskAction.QUOTE:
        item["trader"] = command["trader"]
        item["quote_px_e6"] = px
        item["state"] = DeskState.QUOTED
        item["changed_ns"] = ts_ns
        execution = from_order(outbox, order, ExecKind.DESK_QUOTE)
        copy_progress(execution, order)
        execution["last_px_e6"] = px
        execution["desk_item"] = item_id
        execution["trader"] = command["trader"]
        copy_bbo(execution, best)
        number(tables, execution, ts_ns)
        put_desk_item(outbox, item)
        return Reason.NONE
    return fill_item(tables, outbox, item, command, result, best, px, ts_ns)


@njit
def check_desk_px(tables, item, result, best, px):
    """A desk price for an order: `check_tick`, and within the limit."""
    reason = check_tick(tables, item, result, best, px)
    if reason != Reason.NONE:
        return reason
    limit = item["limit_px_e6"]
    if limit > 0:
        through = px > limit if item["side"] == Side.BUY else px < limit
        if through:
            return fail_result(result, Reason.ITEM_THROUGH_LIMIT, px, limit)
    if item["ord_type"] == OrdType.PEGGED:
        mid_x2_e6 = best["bid_px_e6"] + best["ask_px_e6"] if is_tradable(best) else 0
        worse = 2 * px > mid_x2_e6 if item["side"] == Side.BUY else 2 * px < mid_x2_e6
        if worse or mid_x2_e6 == 0:
            return fail_result(result, Reason.ITEM_THROUGH_MID, px, mid_x2_e6 // 2)
    return Reason.NONE


@njit
def check_tick(tables, item, result, best, px):
    """A desk price: on tick or exactly the midpoint (MiFIR 17a at any size)."""
    if px <= 0 or px > PX_E6_MAX:
        return fail_result(result, Reason.ITEM_NO_PX, px, PX_E6_MAX)
    instrument = tables.instruments[item["instrument"]]
    at_mid = is_tradable(best) and 2 * px == best["bid_px_e6"] + best["ask_px_e6"]
    if not at_mid and not ticks.on_tick(tables.ticks, instrument["tick_band"], px):
        tick = ticks.tick_e6(tables.ticks, instrument["tick_band"], px)
        return fail_result(result, Reason.PX_OFF_TICK, px, tick)
    return Reason.NONE


@njit
def fill_item(tables, outbox, item, command, result, best, px, ts_ns):
    """Fill a desk item, whole or part, against the firm's capital; answers a Reason."""
    left = item["qty"] - item["filled_qty"]
    qty = command["qty"] if command["qty"] != 0 else left
    instrument = tables.instruments[item["instrument"]]
    if qty <= 0 or qty > left or (item["tif"] == Tif.FOK and qty != left):
        return fail_result(result, Reason.ITEM_QTY, qty, left)
    if item["filled_qty"] == 0 and qty < item["min_qty"]:
        return fail_result(result, Reason.ITEM_MIN_QTY, qty, item["min_qty"])
    if qty % instrument["lot"] != 0:
        return fail_result(result, Reason.QTY_OFF_LOT, qty, instrument["lot"])
    if not fits_product(qty, 2 * px):
        return fail_result(result, Reason.NOTIONAL_OVERFLOW, qty, px)
    order = tables.orders[item["order_id"] - 1]
    execution = from_order(outbox, order, ExecKind.FILL)
    execution["ts_ns"] = ts_ns
    set_thresholds(tables, execution, instrument, ts_ns)
    copy_bbo(execution, best)
    execution["notional_e6"] = qty * px
    execution["value_eur_e6"] = to_eur_e6(qty * px, instrument["eur_per_unit_e9"])
    execution["desk_item"] = item["item_id"]
    execution["trader"] = command["trader"]
    reason = check_desk_fill(tables, execution, item, order, qty, px)
    if reason == Reason.NONE:
        reason = desk_invariants(tables, outbox, execution, order, qty, px)
    if reason != Reason.NONE:
        outbox.counts[0]["executions"] -= 1  # nothing happened to the order
        return fail_result(result, reason, execution["reason_value"], execution["reason_limit"])
    apply_fill(tables, outbox, execution, order, qty, px, 0)
    number(tables, execution, ts_ns)
    item["trader"] = command["trader"]
    item["filled_qty"] += qty
    item["changed_ns"] = ts_ns
    if item["filled_qty"] == item["qty"]:
        close(tables, outbox, item, DeskState.FILLED, ts_ns)
    elif item["tif"] == Tif.DAY or item["tif"] == Tif.GTD:
        item["state"] = DeskState.CLAIMED
        put_desk_item(outbox, item)
    else:  # IOC: the desk's answer is the only one
        remainder = end_order(
            outbox, order, ExecKind.CANCELLED, OrderState.CANCELLED, Reason.DESK_REMAINDER
        )
        number(tables, remainder, ts_ns)
        close(tables, outbox, item, DeskState.FILLED, ts_ns)
    return Reason.NONE


@njit
def check_desk_fill(tables, execution, item, order, qty, px):
    """Kill switches and the limits that a fill moves."""
    reason = check_kill(tables, execution, order["client"])
    if reason != Reason.NONE:
        return reason
    if tables.positions[order["instrument"]]["killed"] != 0:
        return fail(execution, Reason.KILLED_INSTRUMENT, order["instrument"], 0)
    after = tables.positions[order["instrument"]]["qty"] + firm_qty(item["side"], qty)
    return check_fill_limits(tables, execution, order["instrument"], order["client"], after, 2 * px)


@njit
def desk_invariants(tables, outbox, execution, order, qty, px):
    """A person's price: on tick or at the midpoint of the BBO, within the client's limit."""
    normal = execution["bbo_state"] == BboState.NORMAL or execution["bbo_state"] == BboState.LOCKED
    mid_x2_e6 = execution["bbo_bid_px_e6"] + execution["bbo_ask_px_e6"] if normal else 0
    reason = check_invariants(tables, execution, order, qty, px, 1, PX_E6_MAX, mid_x2_e6)
    if reason != Reason.NONE:
        risk.stop_firm(tables, outbox, execution, reason)
    return reason


@njit
def fail_result(result, reason, value, limit):
    """Record why a desk command was not done."""
    result["value"] = value
    result["limit"] = limit
    return reason
