"""The firm's protection: P&L and exposure live, what clients did lately, stops that trip.

RTS 6 (2017/589) Arts 12, 15 and 17; MiFIR Art 17(2) with 2017/567 Art 15. Here is the state, with
what moves it; `engine.checks` has the limits. RISK.md has the rules.
"""

from engine.bbo import is_tradable, is_tradable_state
from engine.due import look_again, look_at_all
from engine.enums import DeskAction, KillScope, Reason, Side
from engine.jit import inlined, njit
from engine.limits import (
    EUR_E6_MAX,
    EUR_TOTAL_E6_MAX,
    FLOW_SLOT_NS,
    FLOW_SLOTS,
    REPEAT_PROBES,
    REPEATS_MAX,
)
from engine.money import fits_product, to_eur_signed_e6
from engine.outbox import new_desk_result
from engine.schema import pack
from engine.tables import hash_word

CASH_E6_MAX = 2 * EUR_E6_MAX  # counted of a position's cash
SECOND_NS = 10**9
_ENGINE = int(pack("engine"))  # type: ignore[arg-type]

# P&L and exposure


@inlined
def value_e6(qty, px_x2_e6):
    """A position's value at half of `px_x2_e6`, signed as the quantity, rounded to zero."""
    size = abs(qty)
    value = EUR_E6_MAX
    if px_x2_e6 <= 0:
        value = 0
    elif fits_product(size, px_x2_e6):
        value = min(size * px_x2_e6 // 2, EUR_E6_MAX)
    return -value if qty < 0 else value


@inlined
def mark(tables, outbox, instrument_id, best, ts_ns):
    """Value a position at the midpoint of the BBO; nothing to do without one, or for an old mid."""
    position = tables.positions[instrument_id]
    if position["qty"] == 0 or not is_tradable(best):
        return
    mid_x2_e6 = best["bid_px_e6"] + best["ask_px_e6"]
    if position["mark_px_x2_e6"] != mid_x2_e6:
        position["mark_px_x2_e6"] = mid_x2_e6
        _revalue(tables, outbox, instrument_id, ts_ns)


@inlined
def mark_at(execution, qty, mark_px_x2_e6, px_x2_e6):
    """What a position of `qty` is valued at behind a fill: the midpoint of the BBO; without one
    what it was valued at, or for a new one the fill's own price.
    """
    if is_tradable_state(execution["bbo_state"]):
        return execution["bbo_bid_px_e6"] + execution["bbo_ask_px_e6"]
    if qty != 0:
        return mark_px_x2_e6
    return px_x2_e6


@inlined
def mark_fill(tables, outbox, execution, instrument_id, px_e6):
    """Value a position anew behind a fill that has been booked."""
    position = tables.positions[instrument_id]
    before = execution["position_before"]
    position["mark_px_x2_e6"] = mark_at(execution, before, position["mark_px_x2_e6"], 2 * px_e6)
    _revalue(tables, outbox, instrument_id, execution["ts_ns"])


@inlined
def _revalue(tables, outbox, instrument_id, ts_ns):
    """Bring the value and P&L of one position and the firm's sums up to its mark."""
    counters = tables.counters[0]
    position = tables.positions[instrument_id]
    rate_e9 = tables.instruments[instrument_id]["eur_per_unit_e9"]
    at_mark_e6 = value_e6(position["qty"], position["mark_px_x2_e6"])
    cash_e6 = max(-CASH_E6_MAX, min(position["cash_e6"], CASH_E6_MAX))
    old = position["value_eur_e6"]
    gross = counters["gross_eur_e6"] - abs(old)  # of all other positions
    value = to_eur_signed_e6(at_mark_e6, rate_e9)
    value = max(gross - EUR_TOTAL_E6_MAX, min(value, EUR_TOTAL_E6_MAX - gross))
    counters["gross_eur_e6"] = gross + abs(value)
    counters["net_eur_e6"] += value - old
    position["value_eur_e6"] = value
    others = counters["pnl_eur_e6"] - position["pnl_eur_e6"]
    pnl = to_eur_signed_e6(cash_e6 + at_mark_e6, rate_e9)
    pnl = max(-EUR_TOTAL_E6_MAX - others, min(pnl, EUR_TOTAL_E6_MAX - others))
    counters["pnl_eur_e6"] = others + pnl
    position["pnl_eur_e6"] = pnl
    params = tables.params[0]
    if params["loss_max_eur_e6"] > 0 or params["instrument_loss_max_eur_e6"] > 0:
        _watch_losses(tables, outbox, instrument_id, ts_ns)


@njit
def _watch_losses(tables, outbox, instrument_id, ts_ns):
    """Set a kill switch when a loss goes over its limit: once, until it has come back under it."""
    params = tables.params[0]
    counters = tables.counters[0]
    position = tables.positions[instrument_id]
    limit = params["instrument_loss_max_eur_e6"]
    lost = -position["pnl_eur_e6"]
    if limit > 0 and lost <= limit:
        position["loss_tripped"] = 0
    elif limit > 0 and position["loss_tripped"] == 0:
        position["loss_tripped"] = 1
        position["killed"] = 1
        reason = Reason.INSTRUMENT_LOSS_LIMIT
        tell_stop(tables, outbox, KillScope.INSTRUMENT, instrument_id, reason, lost, limit, ts_ns)
    limit = params["loss_max_eur_e6"]
    lost = -counters["pnl_eur_e6"]
    if limit > 0 and lost <= limit:
        counters["loss_tripped"] = 0
    elif limit > 0 and counters["loss_tripped"] == 0:
        counters["loss_tripped"] = 1
        counters["kill_firm"] = 1
        tell_stop(tables, outbox, KillScope.FIRM, 0, Reason.FIRM_LOSS_LIMIT, lost, limit, ts_ns)


@njit
def tell_stop(tables, outbox, scope, subject, reason, value, limit, ts_ns):
    """The engine has set a kill switch: a record says why, the next TIMER withdraws all quotes."""
    counters = tables.counters[0]
    counters["stops"] += 1
    if scope == KillScope.FIRM:
        look_at_all(tables)
    else:
        look_again(tables, subject)
    told = new_desk_result(outbox)
    told["action"] = DeskAction.KILL
    told["trader"] = _ENGINE
    told["reason"] = reason
    told["value"] = value
    told["limit"] = limit
    told["scope"] = scope
    told["subject"] = subject
    if counters["given_open"] != 0:
        counters["next_given_ns"] = ts_ns


@njit
def stop_firm(tables, outbox, execution, reason):
    """An internal check failed: nothing is filled until a person has looked at it."""
    tables.counters[0]["kill_firm"] = 1
    value = execution["reason_value"]
    limit = execution["reason_limit"]
    tell_stop(tables, outbox, KillScope.FIRM, 0, reason, value, limit, execution["ts_ns"])


# What clients did lately


@inlined
def take_rate(tables, client_id, per_second, ts_ns):
    """Take one order out of the client's second, which fills again evenly; whether it held one.

    A second's orders at once, then one each 1 / `per_second`. Exact: no interval is rounded.
    """
    use = tables.client_use[client_id]
    passed_ns = max(0, min(ts_ns - use["rate_ns"], SECOND_NS))
    used = min(use["rate_used"], per_second * SECOND_NS)  # more of it was under a larger limit
    used = max(0, used - passed_ns * per_second)
    holds = used <= (per_second - 1) * SECOND_NS
    use["rate_ns"] = ts_ns
    use["rate_used"] = used + SECOND_NS if holds else used
    return holds


@inlined
def direction(moved):
    """The client's side of a fill that moves the firm's position by `moved`."""
    return Side.BUY if moved < 0 else Side.SELL


@njit
def find_repeats(tables, client_id, instrument_id, side, ts_ns):
    """Row of a client's fills in one instrument and direction, else a free one, or -1."""
    mask = tables.repeats.shape[0] - 1
    slot = hash_word(hash_word(hash_word(0, client_id), instrument_id), side) & mask
    free = -1
    for _ in range(REPEAT_PROBES):
        row = tables.repeats[slot]
        if is_about(row, client_id, instrument_id, side):
            return slot
        if free < 0 and not _is_lately(tables, row, 1, ts_ns):
            free = slot
        slot = (slot + 1) & mask
    return free


@inlined
def is_about(row, client_id, instrument_id, side):
    """Whether a row of fills is this client's, in this instrument and direction."""
    return row["client"] == client_id and row["instrument"] == instrument_id and row["side"] == side


@inlined
def _is_lately(tables, row, back, ts_ns):
    """Whether the fill `back` fills ago (1: the newest) is still within the window."""
    if row["fills"] < back:
        return False
    passed_ns = ts_ns - row["fill_ns"][(row["fills"] - back) % REPEATS_MAX]
    return passed_ns >= 0 and passed_ns < tables.params[0]["repeat_window_ns"]


@njit
def has_repeated(tables, slot, client_id, instrument_id, side, ts_ns):
    """Whether the window holds as many fills as it may."""
    row = tables.repeats[slot]
    if not is_about(row, client_id, instrument_id, side):
        return False
    return _is_lately(tables, row, tables.params[0]["repeat_max"], ts_ns)


@njit
def _count_repeat(tables, client_id, instrument_id, side, ts_ns):
    slot = find_repeats(tables, client_id, instrument_id, side, ts_ns)
    if slot < 0:
        return  # the limit was set between the check and the fill: never within one input
    row = tables.repeats[slot]
    if not is_about(row, client_id, instrument_id, side):
        row["client"] = client_id
        row["instrument"] = instrument_id
        row["side"] = side
        row["fills"] = 0
    row["fill_ns"][row["fills"] % REPEATS_MAX] = ts_ns
    row["fills"] += 1


@njit
def pass_time(flow, ts_ns):
    """Forget what all clients did longer than a second ago; all of it if the clock was set back."""
    slot = ts_ns // FLOW_SLOT_NS
    passed = slot - flow["slot"]
    if passed == 0:
        return
    if passed < 0 or passed > FLOW_SLOTS:
        passed = FLOW_SLOTS
    for step in range(1, passed + 1):
        place = (flow["slot"] + step) % FLOW_SLOTS
        flow["fills_sum"] -= flow["fills"][place]
        flow["sum_eur_e6"] -= flow["value_eur_e6"][place]
        flow["fills"][place] = 0
        flow["value_eur_e6"][place] = 0
    flow["slot"] = slot


@njit
def _count_flow(flow, value_eur_e6, ts_ns):
    pass_time(flow, ts_ns)
    place = flow["slot"] % FLOW_SLOTS
    flow["fills"][place] += 1
    flow["fills_sum"] += 1
    flow["value_eur_e6"][place] += value_eur_e6
    flow["sum_eur_e6"] += value_eur_e6


@inlined
def count_fill(tables, execution, client_id, instrument_id, moved, value_eur_e6):
    """Note a fill for the limits that look back; `moved` is the firm's signed quantity."""
    params = tables.params[0]
    use = tables.client_use[client_id]
    use["cash_eur_e6"] += value_eur_e6 if moved < 0 else -value_eur_e6
    if params["repeat_max"] > 0:
        _count_repeat(tables, client_id, instrument_id, direction(moved), execution["ts_ns"])
    if params["undue_fills_max"] > 0 or params["undue_max_eur_e6"] > 0:
        # the value that was checked, so that the sum never passes the limit
        counted = execution["value_eur_e6"] if params["undue_max_eur_e6"] > 0 else 0
        _count_flow(tables.flow[0], counted, execution["ts_ns"])
