"""Orders over the quoted size and within the obligation: what the firm does with the excess."""

from engine import checks, desk
from engine.enums import (
    AboveQuote,
    ExecKind,
    OrderState,
    QuoteState,
    Reason,
    Route,
    Side,
    Tif,
    Zone,
)
from engine.jit import njit
from engine.report import with_instrument


@njit
def limit_to_quote(tables, execution, order, event, quote):
    """An order over the public size and within the obligation: what the firm does (`AboveQuote`).

    Answers the quantity to fill and a Reason. MiFIR Art 15(4) is silent where the size quoted is
    Qmin or more; only the quoted size is firm.
    """
    qty = event["qty"]
    zone = execution["zone"]
    quoted = quote["ask_qty"] if event["side"] == Side.BUY else quote["bid_qty"]
    within = zone == Zone.WITHIN_MIN_QUOTE or zone == Zone.WITHIN_OBLIGATION
    if not within or quote["state"] != QuoteState.LIVE or qty <= quoted:
        return qty, Reason.NONE
    wanted = tables.params[0]["above_quote"]
    if wanted == AboveQuote.DESK:
        execution["route"] = Route.DESK
        order["route"] = Route.DESK
        return qty, Reason.NONE
    whole = event["tif"] == Tif.FOK or event["min_qty"] > quoted
    if wanted == AboveQuote.REJECT:
        execution["route"] = Route.REJECT
        order["route"] = Route.REJECT
    if wanted == AboveQuote.REJECT or whole:
        return 0, checks.fail(execution, Reason.ABOVE_QUOTE, qty, quoted)
    return quoted, Reason.NONE


@njit
def cancel_rest(tables, outbox, execution, ts_ns):
    """What is left of an order of which only the quoted size was filled."""
    order = tables.orders[execution["order_id"] - 1]
    rest = desk.end_order(
        outbox, order, ExecKind.CANCELLED, OrderState.CANCELLED, Reason.ABOVE_QUOTE
    )
    with_instrument(tables, rest)
    checks.fail(rest, Reason.ABOVE_QUOTE, order["qty"], order["filled_qty"])
    order["reason_value"] = order["qty"]
    order["reason_limit"] = order["filled_qty"]
    desk.number(tables, rest, ts_ns)
