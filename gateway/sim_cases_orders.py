"""Certification cases of orders: fills, refusals, status, cancel, replace, mass cancel.

Each function is one case; the table at the end is what the pack tries, in this order.
"""

from __future__ import annotations

from decimal import Decimal

from gateway.sim_line import Failed
from gateway.sim_orders import (
    BUY,
    DAY,
    SELL,
    Outcome,
    check_fill,
    check_report,
    check_sums,
    decimal,
    instrument,
    market_px,
    near,
    now,
    order_fields,
    place,
)
from gateway.sim_tags import type_name
from gateway.sim_trial import Case, Trial, said
from gateway.sim_wire import Message

UNKNOWN_ISIN = "XX0000000002"
CUSTOM_TAG = 20_001  # of the range that is free for bilateral use
AWAY_PERCENT = 3
OFF_TICK = Decimal("0.00001")  # finer than every tick of RTS 11


def fill(trial: Trial) -> None:
    """A market order either way is filled."""
    trial.log_on()
    for side in (SELL, BUY):
        _, outcome = place(trial, side=side)
        report = check_fill(trial, outcome, side=side)
        trial.shared.px = decimal(report, 31)


def limit(trial: Trial) -> None:
    """A limit order that our price meets is filled at the limit or better, either way."""
    trial.log_on()
    px = market_px(trial)
    for side, percent in ((SELL, -AWAY_PERCENT), (BUY, AWAY_PERCENT)):
        limit_px = near(px, percent)
        _, outcome = place(trial, side=side, px=limit_px)
        check_fill(trial, outcome, side=side, px=limit_px)


def not_marketable(trial: Trial) -> None:
    """A limit that the price does not meet: cancelled, no fill."""
    trial.log_on()
    _, outcome = place(trial, px=near(market_px(trial), -AWAY_PERCENT))
    trial.holds(outcome.last, {150: "4", 39: "4", 14: 0, 151: 0})


def unknown_instrument(trial: Trial) -> None:
    """An instrument that nobody knows."""
    trial.log_on()
    _, outcome = place(trial, isin=UNKNOWN_ISIN)
    trial.holds(outcome.last, {150: "8", 39: "8", 103: 1, 58: True})


def duplicate_clordid(trial: Trial) -> None:
    """A ClOrdID that was used: rejected, and no second fill."""
    trial.log_on()
    clordid, outcome = place(trial)
    check_fill(trial, outcome, side=BUY)
    trial.line.send("D", order_fields(trial, clordid, trial.terms.qty))
    report = trial.expect("8", {11: clordid, 150: "8", 103: 6})
    trial.alive()
    trial.decisive = report


def off_tick(trial: Trial) -> None:
    """A limit price between two ticks, where it would be met: rejected."""
    trial.log_on()
    _, outcome = place(trial, px=near(market_px(trial), AWAY_PERCENT) + OFF_TICK)
    trial.holds(outcome.last, {150: "8", 39: "8", 103: True, 58: True})


def custom_tag(trial: Trial) -> None:
    """A tag of our own within an order destroys nothing."""
    trial.log_on()
    _, outcome = place(trial, more=[(CUSTOM_TAG, "our own")])
    check_fill(trial, outcome, side=BUY)


def status(trial: Trial) -> None:
    """The state of a filled order is told when asked for."""
    trial.log_on()
    clordid, outcome = place(trial)
    filled = check_fill(trial, outcome, side=BUY)
    fields = [(11, clordid), *instrument(trial.terms.isin), (54, BUY)]
    seq = trial.line.send("H", fields)
    message = trial.offered(trial.next_message(), seq, "H")
    trial.holds(message, {35: "8", 11: clordid, 39: "2", 37: filled.get(37)})
    trial.holds(message, {20: 3} if trial.account.is_42 else {150: "I"})


# --- with the desk ----------------------------------------------------------------------------


def _rest(trial: Trial) -> tuple[str, Outcome]:
    """A large order that waits for a person."""
    clordid, outcome = place(trial, qty=trial.terms.lis_qty, tif=DAY)
    trial.holds(outcome.last, {150: "0", 39: "0"})
    return clordid, outcome


def _cancel_fields(
    trial: Trial, clordid: str, orig_clordid: str, qty: int
) -> list[tuple[int, object]]:
    fields: list[tuple[int, object]] = [(41, orig_clordid), (11, clordid)]
    return [*fields, *instrument(trial.terms.isin), (54, BUY), (38, qty), (60, now())]


def _cancel(trial: Trial, orig_clordid: str, qty: int) -> Message:
    """Cancel an order that rests; it must go."""
    clordid = trial.shared.next_id()
    seq = trial.line.send("F", _cancel_fields(trial, clordid, orig_clordid, qty))
    message = trial.offered(_after_pending(trial), seq, "F")
    if message.type != "8":
        raise Failed(f"{type_name(message.type)} came; 150=4 is due{said(message)}", message)
    check_report(trial, message)
    wanted = {11: clordid, 41: orig_clordid, 150: "4", 39: "4", 151: 0, 14: 0}
    trial.holds(message, wanted)
    return message


def _after_pending(trial: Trial) -> Message:
    """The next message but PendingCancel and PendingReplace."""
    while (message := trial.next_message()).get(150) in ("6", "E"):
        pass
    return message


def large(trial: Trial) -> None:
    """A large order is New with the desk, and can be cancelled."""
    trial.log_on()
    clordid, _ = _rest(trial)
    _cancel(trial, clordid, trial.terms.lis_qty)
    trial.alive()


def cancel_filled(trial: Trial) -> None:
    """What is filled cannot be cancelled."""
    trial.log_on()
    orig_clordid, outcome = place(trial)
    check_fill(trial, outcome, side=BUY)
    clordid = trial.shared.next_id()
    seq = trial.line.send("F", _cancel_fields(trial, clordid, orig_clordid, trial.terms.qty))
    message = trial.offered(trial.next_message(), seq, "F")
    wanted = {35: "9", 11: clordid, 41: orig_clordid, 434: 1, 39: "2", 102: 0}
    trial.holds(message, wanted)


def replace(trial: Trial) -> None:
    """A resting order gets another quantity, and can be cancelled under its new name."""
    trial.log_on()
    orig_clordid, _ = _rest(trial)
    clordid, qty = trial.shared.next_id(), trial.terms.lis_qty + trial.terms.qty
    fields = [(41, orig_clordid), *order_fields(trial, clordid, qty, tif=DAY)]
    seq = trial.line.send("G", fields)
    message = trial.offered(_after_pending(trial), seq, "G")
    if message.type != "8":
        raise Failed(f"{type_name(message.type)} came; 150=5 is due{said(message)}", message)
    check_report(trial, message)
    wanted = {11: clordid, 41: orig_clordid, 150: "5", 39: ("0", "5"), 38: qty, 151: qty}
    trial.holds(message, wanted)
    _cancel(trial, clordid, qty)
    trial.decisive = message


def mass_cancel(trial: Trial) -> None:
    """All that rests goes at once."""
    trial.log_on()
    clordid = _rest(trial)[0] if trial.terms.lis_qty else ""
    mass_id = trial.shared.next_id()
    seq = trial.line.send("q", [(11, mass_id), (530, 7), (60, now())])
    gone: list[Message] = []
    while (message := trial.offered(trial.next_message(), seq, "q")).type == "8":
        check_report(trial, message)
        gone.append(message)
    if message.type != "r":
        raise Failed(f"{type_name(message.type)} came; {type_name('r')} is due", message)
    trial.holds(message, {11: mass_id, 530: 7, 531: 7, 37: True})
    gone += [late for late in trial.collect() if late.type == "8"]
    trial.decisive = message
    if clordid and not any(_is_cancelled(report, clordid) for report in gone):
        raise Failed(f"no report says that {clordid} is cancelled", message)


def _is_cancelled(report: Message, clordid: str) -> bool:
    return clordid in (report.get(11), report.get(41)) and report.get(39) == "4"


# --- quotes -----------------------------------------------------------------------------------


def rfq(trial: Trial) -> None:
    """A quote on request, taken: filled at the price quoted."""
    trial.log_on()
    isin, qty, request_id = trial.terms.isin, trial.terms.qty, trial.shared.next_id()
    fields = [(131, request_id), (146, 1), *instrument(isin), (54, BUY), (38, qty)]
    seq = trial.line.send("R", fields)
    quote = trial.offered(trial.await_for(_is_quote_of(request_id), "S"), seq, "R")
    if quote.type != "S":
        raise Failed(f"{type_name(quote.type)} came; a Quote(S) is due{said(quote)}", quote)
    trial.holds(quote, {131: request_id, 117: True, 133: True, 55: isin})
    if not trial.account.is_42:  # absent means indicative, so it is always sent
        trial.holds(quote, {537: (1, 2)})
    px = decimal(quote, 133)
    clordid = trial.shared.next_id()
    if trial.account.is_42:
        taken: list[tuple[int, object]] = order_fields(trial, clordid, qty, px=px)
        taken = [(tag, "D" if tag == 40 else value) for tag, value in taken]
        trial.line.send("D", [*taken, (117, quote.get(117))])
    else:
        trial.line.send(
            "AJ",
            [
                (693, trial.shared.next_id()), (117, quote.get(117)), (694, 1), (11, clordid),
                *instrument(isin), (54, BUY), (38, qty), (44, f"{px:f}"), (60, now()),
            ],
        )  # fmt: skip
    report = trial.next_message()
    trial.decisive = report
    if report.type != "8":
        raise Failed(f"{type_name(report.type)} came; a fill is due{said(report)}", report)
    check_report(trial, report)
    check_sums([report], is_avg_px_due=False)
    check_fill(trial, Outcome([report]), side=BUY, px=px)
    if decimal(report, 31) != px:
        raise Failed(f"LastPx(31)={report.get(31)}, quoted was {px}", report)


def _is_quote_of(request_id: str):  # type: ignore[no-untyped-def]
    return lambda message: message.type != "S" or message.get(131) == request_id


def market_data(trial: Trial) -> None:
    """A subscription brings quotes, bid below offer; it can be ended."""
    trial.log_on()
    request_id = trial.shared.next_id()
    seq = trial.line.send("V", _subscription(trial, request_id, 1))
    shown = trial.offered(trial.next_message("S", "W", "X", "i"), seq, "V")
    if shown.type not in ("S", "W", "X", "i"):
        raise Failed(f"{type_name(shown.type)} came; quotes are due{said(shown)}", shown)
    trial.decisive = shown
    bid, offer = _touch(shown)
    if not 0 < bid <= offer:
        raise Failed(f"bid {bid} and offer {offer} are no two-way price", shown)
    if shown.type == "S":
        trial.holds(shown, {117: True, 55: trial.terms.isin})
        if not trial.account.is_42:
            trial.holds(shown, {537: (0, 1, 2)})
    else:
        trial.holds(shown, {262: request_id})
    trial.line.send("V", _subscription(trial, request_id, 2))
    trial.alive()
    trial.decisive = shown


def _subscription(trial: Trial, request_id: str, kind: int) -> list[tuple[int, object]]:
    return [
        (262, request_id), (263, kind), (264, 1), (265, 0), (267, 2), (269, 0), (269, 1),
        (146, 1), *instrument(trial.terms.isin),
    ]  # fmt: skip


def _touch(message: Message) -> tuple[Decimal, Decimal]:
    """Bid and offer of a Quote(S) or of a book's first entries."""
    if message.type in ("S", "i"):
        return decimal(message, 132), decimal(message, 133)
    entries = dict(zip(message.every(269), message.every(270), strict=False))
    if not {"0", "1"} <= entries.keys():
        raise Failed("the entries are not a bid (269=0) and an offer (269=1)", message)
    book = Message(f"132={entries['0']}\x01133={entries['1']}\x01".encode())
    return decimal(book, 132), decimal(book, 133)


NEEDS = ("isin",)
AT_DESK = ("isin", "lis_qty")
AFTER_42 = ("FIX.4.4", "FIXT.1.1")

CASES = (
    Case(
        "fill", "Market order filled", "FIX 4.4 vol. 4 ExecutionReport; MiFID II SI",
        "39=2, 29=4 (principal), LastMkt(30), sums right, ExecID(17) new", fill, NEEDS,
    ),
    Case(
        "limit", "Limit order filled", "MiFID II Art. 27; FIX 4.4 vol. 4",
        "filled at Price(44) or better", limit, NEEDS,
    ),
    Case(
        "not-marketable", "Limit that the price does not meet", "FIX 4.4 vol. 4, IOC",
        "150=4, nothing filled", not_marketable, NEEDS,
    ),
    Case(
        "unknown-instrument", "Unknown instrument", "FIX 4.4 vol. 6 OrdRejReason",
        "150=8 103=1 with Text(58)", unknown_instrument, NEEDS,
    ),
    Case(
        "duplicate-clordid", "ClOrdID used before", "FIX 4.4 vol. 6 OrdRejReason",
        "150=8 103=6", duplicate_clordid, NEEDS,
    ),
    Case(
        "off-tick", "Price between two ticks", "RTS 11 Art. 2; MiFIR Art. 17a",
        "150=8 with the tick in Text(58)", off_tick, NEEDS,
    ),
    Case(
        "custom-tag", "Unknown tag in an order", "FIX session test case 14.a, user-defined tags",
        "the order is filled as without it", custom_tag, NEEDS,
    ),
    Case(
        "status", "Order status", "FIX 4.4 vol. 4 OrderStatusRequest", "150=I 39=2", status, NEEDS,
    ),
    Case(
        "large", "Large order, cancelled", "FIX 4.4 vol. 4 OrderCancelRequest",
        "150=0 with the desk, then 150=4", large, AT_DESK,
    ),
    Case(
        "cancel-filled", "Cancel of a filled order", "FIX 4.4 vol. 4 OrderCancelReject",
        "OrderCancelReject(9) 434=1 102=0", cancel_filled, NEEDS,
    ),
    Case(
        "replace", "Order replaced", "FIX 4.4 vol. 4 OrderCancelReplaceRequest",
        "150=5 with the new quantity", replace, AT_DESK,
    ),
    Case(
        "mass-cancel", "Mass cancel", "FIX 4.4 vol. 4 OrderMassCancelRequest",
        "OrderMassCancelReport(r) 531=7, a report of each order", mass_cancel, NEEDS, AFTER_42,
    ),
    Case(
        "rfq", "Quote on request, taken", "FIX 4.4 vol. 3 QuoteRequest, QuoteResponse",
        "Quote(S) 537=1 or 2, then a fill at that price", rfq, NEEDS,
    ),
    Case(
        "market-data", "Quote stream", "FIX 4.4 vol. 3 MarketDataRequest",
        "two-way quotes, then the end of the subscription", market_data, NEEDS,
    ),
)  # fmt: skip
