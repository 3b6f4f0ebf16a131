"""What an order must pass, in this order; the first failure names its value and its limit.

Each function answers a Reason and leaves `reason_value` and `reason_limit` in the execution.
"""

from engine import pools, risk, ticks
from engine.bbo import is_tradable
from engine.enums import (
    AboveQuote,
    BboState,
    Destination,
    OrdType,
    PegMid,
    Phase,
    QuoteState,
    Reason,
    Side,
    Tif,
)
from engine.jit import inlined, njit
from engine.limits import INT64_MAX, PX_E6_MAX, QTY_MAX, VENUES_MAX
from engine.money import add_capped, fits_product, to_eur_signed_e6
from engine.zones import BPS


@inlined
def fail(execution, reason, value, limit):
    """Record the number that failed and the one it failed against."""
    execution["reason_value"] = value
    execution["reason_limit"] = limit
    return reason


E6 = 1_000_000


@inlined
def passed(execution):
    """Count one more check passed, for the explain record."""
    execution["checks"] += 1
    return Reason.NONE


@inlined
def check_kill(tables, execution, client_id):
    """Kill switch of firm, the client's pool, and client (RTS 6 Art 12)."""
    if tables.counters[0]["kill_firm"] != 0:
        return fail(execution, Reason.KILLED_FIRM, 1, 0)
    if pools.is_stopped(tables, client_id):
        return fail(execution, Reason.KILLED_POOL, tables.clients[client_id]["pool"], 0)
    if tables.client_use[client_id]["killed"] != 0:
        return fail(execution, Reason.KILLED_CLIENT, client_id, 0)
    return passed(execution)


@inlined
def check_instrument(tables, execution, instrument_id):
    """Known, not stopped, and one for which the firm is SI."""
    if instrument_id < 0:
        return Reason.UNKNOWN_INSTRUMENT
    if tables.positions[instrument_id]["killed"] != 0:
        return fail(execution, Reason.KILLED_INSTRUMENT, instrument_id, 0)
    if tables.instruments[instrument_id]["si"] == 0:
        return Reason.NOT_SI
    return passed(execution)


@inlined
def suspension(tables, instrument_id):
    """The Reason for which a person has withdrawn a quote, or those of the whole firm."""
    if tables.counters[0]["suspended"] != 0:
        return tables.counters[0]["suspended"]
    return tables.quotes[instrument_id]["suspended"]


@inlined
def check_hours(tables, execution, instrument_id, ts_ns):
    """Published trading hours, exceptional conditions, the phase of the most relevant market."""
    params = tables.params[0]
    if ts_ns < params["open_ns"]:
        return fail(execution, Reason.CLOSED, ts_ns, params["open_ns"])
    if ts_ns >= params["close_ns"]:
        return fail(execution, Reason.CLOSED, ts_ns, params["close_ns"])
    reason = suspension(tables, instrument_id)
    if reason != Reason.NONE:
        return fail(execution, reason, 1, 0)
    mrm = tables.instruments[instrument_id]["mrm_venue"]
    phase = tables.venue_books[instrument_id * VENUES_MAX + mrm]["phase"]
    if phase != Phase.CONTINUOUS:
        return fail(execution, Reason.HALTED, phase, Phase.CONTINUOUS)
    return passed(execution)


@inlined
def check_terms(tables, execution, instrument, event):
    """Side, permission, type and time in force, then `check_qty`."""
    side = event["side"]
    if side != Side.BUY and side != Side.SELL and side != Side.SELL_SHORT:
        return fail(execution, Reason.SIDE, side, 0)
    if event["destination"] != Destination.NONE:
        reason = check_destination(execution, event["destination"])
        if reason != Reason.NONE:
            return reason
    if event["ord_type"] != OrdType.MARKET and event["ord_type"] != OrdType.LIMIT:
        reason = _check_peg(tables, execution, event)
        if reason != Reason.NONE:
            return reason
    tif = event["tif"]
    if tif != Tif.DAY and tif != Tif.IOC and tif != Tif.FOK:
        reason = _check_expiry(execution, event)
        if reason != Reason.NONE:
            return reason
    return check_qty(tables, execution, instrument, event)


@inlined
def check_qty(tables, execution, instrument, event):
    """Currency, quantity, and what the gateway found while reading."""
    if event["currency"] != 0 and event["currency"] != instrument["currency"]:
        return fail(execution, Reason.CURRENCY, event["currency"], instrument["currency"])
    if event["defect"] != Reason.NONE:
        limit = _defect_limit(tables, instrument, event)
        return fail(execution, event["defect"], event["defect_value"], limit)
    qty = event["qty"]
    if qty <= 0:
        return fail(execution, Reason.QTY_NOT_POSITIVE, qty, 1)
    if qty > QTY_MAX:
        return fail(execution, Reason.QTY_TOO_LARGE, qty, QTY_MAX)
    if instrument["lot"] != 1 and qty % instrument["lot"] != 0:
        return fail(execution, Reason.QTY_OFF_LOT, qty, instrument["lot"])
    if event["min_qty"] < 0 or event["min_qty"] > qty:
        return fail(execution, Reason.MIN_QTY, event["min_qty"], qty)
    return passed(execution)


@njit
def check_destination(execution, destination):
    """ExDestinationType(2704) is the client's permission to deal outside a trading venue."""
    if destination == Destination.VENUE:
        return fail(execution, Reason.DESTINATION_VENUE, destination, 0)
    if destination != Destination.INTERNALISER and destination != Destination.EITHER:
        return fail(execution, Reason.DESTINATION, destination, 0)
    return Reason.NONE


@njit
def _check_peg(tables, execution, event):
    """Of the other types only a peg to the midpoint is done, where the firm does it."""
    pegged = event["ord_type"] == OrdType.PEGGED
    if not pegged or tables.params[0]["peg_mid"] == PegMid.REJECT:
        return fail(execution, Reason.ORD_TYPE, event["ord_type"], 0)
    if event["peg"] == 0:
        return fail(execution, Reason.PEG, event["ord_type"], 0)
    return Reason.NONE


@njit
def _check_expiry(execution, event):
    """Of the other times in force only good till a date is done, and only one to come."""
    if event["tif"] != Tif.GTD:
        return fail(execution, Reason.TIF, event["tif"], 0)
    if event["expire_ns"] == 0:
        return fail(execution, Reason.EXPIRE_MISSING, event["tif"], 0)
    if event["expire_ns"] <= execution["ts_ns"]:
        return fail(execution, Reason.EXPIRE_PAST, event["expire_ns"], execution["ts_ns"])
    return Reason.NONE


@inlined
def has_limit(event):
    """Whether a price binds it: a limit order's always, a pegged one's where it is given."""
    if event["ord_type"] == OrdType.LIMIT:
        return True
    return event["ord_type"] == OrdType.PEGGED and event["limit_px_e6"] != 0


@inlined
def _defect_limit(tables, instrument, event):
    """What a value that the gateway could not take whole is held against."""
    defect = event["defect"]
    if defect == Reason.QTY_TOO_LARGE:
        return QTY_MAX
    if defect == Reason.PX_TOO_LARGE:
        return PX_E6_MAX
    if defect == Reason.MIN_QTY:
        return event["qty"]
    if defect == Reason.PX_OFF_TICK:
        return ticks.tick_e6(tables.ticks, instrument["tick_band"], event["limit_px_e6"])
    return 0


@inlined
def check_px(tables, execution, instrument, event):
    """Limit price: positive, not absurd, on tick."""
    if has_limit(event):
        px = event["limit_px_e6"]
        if px <= 0:
            return fail(execution, Reason.PX_NOT_POSITIVE, px, 0)
        if px > PX_E6_MAX:
            return fail(execution, Reason.PX_TOO_LARGE, px, PX_E6_MAX)
        if not ticks.on_tick(tables.ticks, instrument["tick_band"], px):
            tick = ticks.tick_e6(tables.ticks, instrument["tick_band"], px)
            return fail(execution, Reason.PX_OFF_TICK, px, tick)
    return passed(execution)


@inlined
def check_bbo(tables, execution, best):
    """A fresh, two-sided, uncrossed market."""
    state = best["state"]
    if state == BboState.EMPTY:
        return Reason.BBO_EMPTY
    if state == BboState.STALE:
        return fail(execution, Reason.BBO_STALE, best["age_ns"], tables.params[0]["stale_ns"])
    if state == BboState.ONE_SIDED:
        return Reason.BBO_ONE_SIDED
    if state == BboState.CROSSED:
        return fail(execution, Reason.BBO_CROSSED, best["bid_px_e6"], best["ask_px_e6"])
    return passed(execution)


@inlined
def check_market(tables, execution, instrument, event, best, quote):
    """A sound market, or a public quote that serves the order whatever the market is."""
    if is_tradable(best) or _serves(tables, execution, instrument, event, quote):
        return passed(execution)
    return check_bbo(tables, execution, best)


@njit
def _serves(tables, execution, instrument, event, quote):
    """Whether a quote answers an order by itself: LIVE, and within its obligation.

    MiFIR Arts 14(2), 15(2): up to T, of a liquid instrument. An order pegged to the midpoint needs
    a market; so does one whose size the firm leaves to the desk.
    """
    if quote["state"] != QuoteState.LIVE or instrument["liquid"] == 0:
        return False
    qty = event["qty"]
    mid_x2_e6 = quote["bid_px_e6"] + quote["ask_px_e6"]
    if event["ord_type"] == OrdType.PEGGED or not fits_product(qty, mid_x2_e6):
        return False
    if qty * mid_x2_e6 > 2 * execution["threshold_e6"]:
        return False
    quoted = quote["ask_qty"] if event["side"] == Side.BUY else quote["bid_qty"]
    return qty <= quoted or tables.params[0]["above_quote"] != AboveQuote.DESK


@inlined
def reference_x2_e6(execution, quote):
    """Bid + ask at whose half an order is valued: its own quote's, without one the BBO's."""
    if quote["state"] == QuoteState.LIVE:
        return quote["bid_px_e6"] + quote["ask_px_e6"]
    return execution["bbo_bid_px_e6"] + execution["bbo_ask_px_e6"]


@inlined
def check_notional(execution, qty, mid_x2_e6):
    """The order's value must fit an int64."""
    if not fits_product(qty, mid_x2_e6):
        return fail(execution, Reason.NOTIONAL_OVERFLOW, qty, INT64_MAX // mid_x2_e6)
    return passed(execution)


@inlined
def check_collar(tables, execution, event, mid_x2_e6):
    """RTS 6 Art 15(1)(a): no limit price too far from the reference price, on either side."""
    if has_limit(event):
        distance_x2 = abs(2 * event["limit_px_e6"] - mid_x2_e6)
        collar_bps = tables.params[0]["collar_bps"]
        if distance_x2 * BPS > collar_bps * mid_x2_e6:
            return fail(execution, Reason.PX_COLLAR, distance_x2 * BPS // mid_x2_e6, collar_bps)
    return passed(execution)


@inlined
def check_order_limits(tables, execution, instrument, client_id, notional_e6):
    """RTS 6 Art 15(1)(b): largest order of the client and of the instrument."""
    limit = tables.clients[client_id]["order_max_eur_e6"]
    value_eur_e6 = execution["value_eur_e6"]
    if limit > 0 and value_eur_e6 > limit:
        return fail(execution, Reason.CLIENT_ORDER_LIMIT, value_eur_e6, limit)
    limit = instrument["order_max_e6"]
    if limit > 0 and notional_e6 > limit:
        return fail(execution, Reason.INSTRUMENT_ORDER_LIMIT, notional_e6, limit)
    return passed(execution)


@inlined
def check_fill_limits(tables, execution, instrument_id, client_id, position_after, mid_x2_e6):
    """What a fill may add up to: the client's day (MiFIR Art 17(2)) and the firm's position.

    The value of the fill is the execution's notional and value in EUR.
    """
    instrument = tables.instruments[instrument_id]
    client = tables.clients[client_id]
    use = tables.client_use[client_id]
    day_eur_e6 = add_capped(use["filled_eur_e6"], execution["value_eur_e6"])
    limit = client["day_max_eur_e6"]
    if (limit > 0 and day_eur_e6 > limit) or day_eur_e6 == INT64_MAX:
        return fail(execution, Reason.CLIENT_DAY_LIMIT, day_eur_e6, limit)
    limit = client["fills_max"]
    if limit > 0 and use["fills"] + 1 > limit:
        return fail(execution, Reason.CLIENT_COUNT_LIMIT, use["fills"] + 1, limit)
    limit = instrument["position_max_e6"]
    size = abs(position_after)
    if not fits_product(size, mid_x2_e6):
        return fail(execution, Reason.POSITION_LIMIT, INT64_MAX, limit)
    if limit > 0 and size * mid_x2_e6 > 2 * limit:
        return fail(execution, Reason.POSITION_LIMIT, size * mid_x2_e6 // 2, limit)
    cash = abs(tables.positions[instrument_id]["cash_e6"])
    if (
        add_capped(cash, add_capped(execution["notional_e6"], execution["notional_e6"]))
        == INT64_MAX
    ):
        return fail(execution, Reason.POSITION_LIMIT, INT64_MAX, limit)
    reason = check_flow(tables, execution, instrument_id, client_id, position_after)
    if reason != Reason.NONE:
        return reason
    reason = check_exposure(tables, execution, instrument_id, position_after, mid_x2_e6)
    if reason != Reason.NONE:
        return reason
    return passed(execution)


@inlined
def check_rate(tables, execution, client_id):
    """RTS 6 Art 15(1)(d): messages of one client that ask for a trade, a second."""
    limit = tables.clients[client_id]["orders_per_second"]
    if limit > 0 and not risk.take_rate(tables, client_id, limit, execution["ts_ns"]):
        return fail(execution, Reason.CLIENT_RATE_LIMIT, limit + 1, limit)
    return Reason.NONE


@inlined
def check_flow(tables, execution, instrument_id, client_id, position_after):
    """What a fill adds to what clients did lately: credit, repeated fills, the norm."""
    params = tables.params[0]
    moved = position_after - tables.positions[instrument_id]["qty"]
    limit = tables.clients[client_id]["credit_max_eur_e6"]
    if limit > 0:
        owed = tables.client_use[client_id]["cash_eur_e6"]
        value_eur_e6 = execution["value_eur_e6"]
        after = owed + value_eur_e6 if moved < 0 else owed - value_eur_e6
        if abs(after) > limit and abs(after) > abs(owed):
            return fail(execution, Reason.CREDIT_LIMIT, abs(after), limit)
    if params["repeat_max"] > 0:
        reason = _check_repeats(tables, execution, instrument_id, client_id, moved)
        if reason != Reason.NONE:
            return reason
    if params["undue_fills_max"] > 0 or params["undue_max_eur_e6"] > 0:
        return _check_norm(tables, execution)
    return Reason.NONE


@njit
def _check_repeats(tables, execution, instrument_id, client_id, moved):
    """RTS 6 Art 15(3): how often a client is filled again in one instrument and direction."""
    limit = tables.params[0]["repeat_max"]
    ts_ns = execution["ts_ns"]
    side = risk.direction(moved)
    slot = risk.find_repeats(tables, client_id, instrument_id, side, ts_ns)
    if slot < 0:
        full = tables.repeats.shape[0]
        return fail(execution, Reason.REPEATS_FULL, full, full)
    if risk.has_repeated(tables, slot, client_id, instrument_id, side, ts_ns):
        return fail(execution, Reason.REPEAT_LIMIT, limit + 1, limit)
    return Reason.NONE


@njit
def _check_norm(tables, execution):
    """2017/567 Art 15: all clients together, against numbers set in advance, whoever asks."""
    params = tables.params[0]
    flow = tables.flow[0]
    risk.pass_time(flow, execution["ts_ns"])
    limit = params["undue_fills_max"]
    if limit > 0 and flow["fills_sum"] + 1 > limit:
        return fail(execution, Reason.UNDUE_FILLS, flow["fills_sum"] + 1, limit)
    limit = params["undue_max_eur_e6"]
    value_eur_e6 = add_capped(flow["sum_eur_e6"], execution["value_eur_e6"])
    if limit > 0 and value_eur_e6 > limit:
        return fail(execution, Reason.UNDUE_VALUE, value_eur_e6, limit)
    return Reason.NONE


@inlined
def check_exposure(tables, execution, instrument_id, position_after, mid_x2_e6):
    """The firm's loss and exposure; a fill that makes a position no larger passes."""
    params = tables.params[0]
    counters = tables.counters[0]
    position = tables.positions[instrument_id]
    grows = abs(position_after) > abs(position["qty"])
    limit = params["loss_max_eur_e6"]
    if limit > 0 and grows and -counters["pnl_eur_e6"] > limit:
        return fail(execution, Reason.FIRM_LOSS_LIMIT, -counters["pnl_eur_e6"], limit)
    limit = params["instrument_loss_max_eur_e6"]
    if limit > 0 and grows and -position["pnl_eur_e6"] > limit:
        return fail(execution, Reason.INSTRUMENT_LOSS_LIMIT, -position["pnl_eur_e6"], limit)
    if params["gross_max_eur_e6"] > 0 or params["net_max_eur_e6"] > 0:
        return _check_sums(tables, execution, instrument_id, position_after, mid_x2_e6)
    return Reason.NONE


@njit
def _check_sums(tables, execution, instrument_id, position_after, mid_x2_e6):
    """Gross and net over all positions, this one valued as it will be behind the fill."""
    params = tables.params[0]
    counters = tables.counters[0]
    position = tables.positions[instrument_id]
    rate_e9 = tables.instruments[instrument_id]["eur_per_unit_e9"]
    mark_x2_e6 = risk.mark_at(execution, position["qty"], position["mark_px_x2_e6"], mid_x2_e6)
    after = to_eur_signed_e6(risk.value_e6(position_after, mark_x2_e6), rate_e9)
    limit = params["gross_max_eur_e6"]
    gross = counters["gross_eur_e6"] - abs(position["value_eur_e6"]) + abs(after)
    if limit > 0 and gross > limit and abs(position_after) > abs(position["qty"]):
        return fail(execution, Reason.GROSS_LIMIT, gross, limit)
    limit = params["net_max_eur_e6"]
    others = counters["net_eur_e6"] - position["value_eur_e6"]
    net = abs(others + after)
    if limit > 0 and net > limit:
        before = to_eur_signed_e6(risk.value_e6(position["qty"], mark_x2_e6), rate_e9)
        if net > abs(others + before):
            return fail(execution, Reason.NET_LIMIT, net, limit)
    return Reason.NONE


@inlined
def check_invariants(tables, execution, order, qty, px_e6, low_px_e6, high_px_e6, mid_x2_e6):
    """What holds of every fill, whatever priced it: only a fault of ours can fail it.

    Within `low_px_e6`..`high_px_e6` and the client's limit, on tick or a bound or the midpoint
    `mid_x2_e6` / 2; a quantity that is left; limits. The caller stops the firm
    (`risk.stop_firm`).
    """
    if px_e6 < low_px_e6:
        return fail(execution, Reason.INVARIANT, px_e6, low_px_e6)
    if px_e6 > high_px_e6:
        return fail(execution, Reason.INVARIANT, px_e6, high_px_e6)
    limit = order["limit_px_e6"]
    if limit != 0:
        through = px_e6 > limit if order["side"] == Side.BUY else px_e6 < limit
        if through:
            return fail(execution, Reason.INVARIANT, px_e6, limit)
    if px_e6 != low_px_e6 and px_e6 != high_px_e6 and 2 * px_e6 != mid_x2_e6:
        band = tables.instruments[order["instrument"]]["tick_band"]
        if not ticks.on_tick(tables.ticks, band, px_e6):
            tick = ticks.tick_e6(tables.ticks, band, px_e6)
            return fail(execution, Reason.INVARIANT, px_e6, tick)
    left = order["qty"] - order["filled_qty"]
    if qty <= 0 or qty > left:
        return fail(execution, Reason.INVARIANT_QTY, qty, left)
    return _check_limits_hold(tables, execution, order, qty, px_e6, mid_x2_e6)


@inlined
def _check_limits_hold(tables, execution, order, qty, px_e6, mid_x2_e6):
    """No fill takes a position or a client's day over its limit: that was checked before.

    A position counts at the lower of price and midpoint, since it was checked at one of them.
    """
    limit_e6 = tables.instruments[order["instrument"]]["position_max_e6"]
    if limit_e6 > 0:
        moved = -qty if order["side"] == Side.BUY else qty
        after = abs(tables.positions[order["instrument"]]["qty"] + moved)
        px_x2_e6 = 2 * px_e6 if mid_x2_e6 <= 0 else min(2 * px_e6, mid_x2_e6)
        if after > 2 * limit_e6 // px_x2_e6:
            return fail(execution, Reason.INVARIANT_LIMIT, after, 2 * limit_e6 // px_x2_e6)
    client = tables.clients[order["client"]]
    use = tables.client_use[order["client"]]
    limit = client["fills_max"]
    if limit > 0 and use["fills"] >= limit:
        return fail(execution, Reason.INVARIANT_LIMIT, use["fills"] + 1, limit)
    limit_e6 = client["day_max_eur_e6"]
    day_eur_e6 = add_capped(use["filled_eur_e6"], execution["value_eur_e6"])
    if limit_e6 > 0 and day_eur_e6 > limit_e6:
        return fail(execution, Reason.INVARIANT_LIMIT, day_eur_e6 // E6, limit_e6 // E6)
    return Reason.NONE
