"""A fill against the firm's capital: order, position, cash, the client's day."""

from engine import markouts, risk
from engine.enums import ExecKind, OrderState, Side
from engine.jit import inlined
from engine.money import to_eur_e6


@inlined
def firm_qty(side, qty):
    """The firm's signed quantity when a client trades `qty`: it takes the other side."""
    return -qty if side == Side.BUY else qty


@inlined
def apply_fill(tables, outbox, execution, order, qty, px_e6, improvement_e6):
    """Move every balance by one fill and write it into the execution. Limits were checked.

    The position is valued anew, which may set a kill switch (`engine.risk`).
    """
    position = tables.positions[order["instrument"]]
    instrument = tables.instruments[order["instrument"]]
    use = tables.client_use[order["client"]]
    value_e6 = qty * px_e6
    moved = firm_qty(order["side"], qty)
    execution["position_before"] = position["qty"]
    position["qty"] += moved
    position["cash_e6"] += value_e6 if moved < 0 else -value_e6
    position["improvement_e6"] += improvement_e6 * qty
    position["fills"] += 1
    position["traded_qty"] += qty
    execution["position_after"] = position["qty"]
    use["fills"] += 1
    value_eur_e6 = to_eur_e6(value_e6, instrument["eur_per_unit_e9"])
    use["filled_eur_e6"] += value_eur_e6
    risk.count_fill(tables, execution, order["client"], order["instrument"], moved, value_eur_e6)
    risk.mark_fill(tables, outbox, execution, order["instrument"], px_e6)
    order["filled_qty"] += qty
    order["filled_e6"] += value_e6
    whole = order["filled_qty"] == order["qty"]
    order["state"] = OrderState.FILLED if whole else OrderState.PARTIALLY_FILLED
    execution["kind"] = ExecKind.FILL
    execution["last_qty"] = qty
    execution["last_px_e6"] = px_e6
    execution["improvement_e6"] = improvement_e6
    if tables.params[0]["markout_weight_e6"] != 0:
        markouts.note_fill(
            tables, order["client"], order["instrument"], order["side"], px_e6, execution["ts_ns"]
        )
    copy_progress(execution, order)


@inlined
def copy_progress(execution, order):
    """What every report says of its order."""
    execution["order_state"] = order["state"]
    execution["filled_qty"] = order["filled_qty"]
    execution["filled_e6"] = order["filled_e6"]
