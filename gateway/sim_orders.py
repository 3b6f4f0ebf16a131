"""What the certification cases of orders share: fields, and the arithmetic of reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from gateway import fix_message as fm
from gateway.sim_line import Failed
from gateway.sim_tags import code_name, tag_name, type_name
from gateway.sim_trial import FINAL, Trial, said
from gateway.sim_wire import Message

BUY, SELL = 1, 2
DAY, IOC = 0, 3
MARKET, LIMIT, PREVIOUSLY_QUOTED = 1, 2, "D"
PLACEHOLDER_ISIN = "XX0000000002"  # of orders that never get as far as an instrument
FILLS = ("F", "1", "2")  # ExecType(150): FIX 4.4, and the style before it
AVG_PX_ERROR = Decimal("0.01")  # of AvgPx(6): nobody rounds it worse

Fields = list[tuple[int, object]]


class Outcome(NamedTuple):
    """All reports of an order, in order."""

    reports: list[Message]

    @property
    def last(self) -> Message:
        """The newest."""
        return self.reports[-1]

    @property
    def fills(self) -> list[Message]:
        """Those that traded something."""
        return [each for each in self.reports if each.get(150) in FILLS]


def now() -> str:
    """TransactTime(60)."""
    return fm.stamp(time.time_ns())[:-3]


def instrument(isin: str) -> Fields:
    """Symbol(55), SecurityID(48), its source."""
    return [(55, isin), (48, isin), (22, 4)]


def order_fields(
    trial: Trial, clordid: str, qty: object, *, side: int = BUY, px: Decimal | None = None,
    tif: int = IOC, isin: str = "",
) -> Fields:  # fmt: skip
    """A NewOrderSingle(D), at market without a price."""
    fields: Fields = [(11, clordid), (21, 1)]
    fields += instrument(isin or trial.terms.isin or PLACEHOLDER_ISIN)
    fields += [(54, side), (38, qty), (40, MARKET if px is None else LIMIT)]
    if px is not None:
        fields.append((44, f"{px:f}"))
    return [*fields, (59, tif), (60, now())]


def place(
    trial: Trial, *, qty: int = 0, side: int = BUY, px: Decimal | None = None, tif: int = IOC,
    isin: str = "", more: Sequence[tuple[int, object]] = (),
) -> tuple[str, Outcome]:  # fmt: skip
    """Send an order and follow it; answers its ClOrdID and its reports."""
    clordid = trial.shared.next_id()
    fields = order_fields(
        trial, clordid, qty or trial.terms.qty, side=side, px=px, tif=tif, isin=isin
    )
    seq = trial.line.send("D", [*fields, *more])
    return clordid, follow(trial, clordid, seq, rests=tif == DAY)


def follow(trial: Trial, clordid: str, seq: int, *, rests: bool = False) -> Outcome:
    """Reports of the order sent as `seq` until it is done with; one that rests, while they come."""
    reports: list[Message] = []
    while not reports or reports[-1].get(39) not in FINAL:
        message = trial.next_message("8", due=f"a report of 34={seq}")
        trial.decisive = message
        _take(trial, message, clordid, seq, reports)
        if rests and message.get(39) not in FINAL:
            for later in trial.collect():
                _take(trial, later, clordid, seq, reports)
            break
    check_sums(reports, is_avg_px_due=trial.account.begin_string != "FIXT.1.1")
    return Outcome(reports)


def _take(trial: Trial, message: Message, clordid: str, seq: int, reports: list[Message]) -> None:
    if message.type != "8":
        name = type_name(message.type)
        raise Failed(f"{name} came; a report of 34={seq} is due{said(message)}", message)
    check_report(trial, message)
    if clordid not in (message.get(11), message.get(41)):
        raise Failed(f"ClOrdID(11)={message.get(11)}, expected {clordid}", message)
    reports.append(message)


def check_report(trial: Trial, report: Message) -> None:
    """What every ExecutionReport(8) has (FIX 4.4 vol. 4), and an ExecID(17) of its own."""
    wanted: dict[int, object] = {37: True, 17: True, 150: True, 39: True, 54: True}
    wanted |= {20: True} if trial.account.is_42 else {20: None}  # ExecTransType is FIX 4.2's
    trial.holds(report, wanted)
    if trial.account.is_42 and report.get(150) in ("F", "I"):
        raise Failed(f"ExecType(150)={report.get(150)} is not one of FIX 4.2", report)
    if report.get(150) == "I" or report.get(20) == "3" or report.is_repeat:
        return
    if report.get(17) in trial.shared.exec_ids:
        raise Failed(f"ExecID(17)={report.get(17)} came before", report)
    trial.shared.exec_ids.add(report.get(17))


def check_sums(reports: list[Message], *, is_avg_px_due: bool = True) -> None:
    """CumQty(14), LeavesQty(151) and AvgPx(6) follow from the fills."""
    filled = paid = Decimal(0)
    for report in reports:
        if report.get(150) in FILLS:
            qty, px = decimal(report, 32), decimal(report, 31)
            if qty <= 0 or px <= 0:
                raise Failed("LastQty(32) and LastPx(31) of a fill must be above 0", report)
            filled += qty
            paid += qty * px
        if decimal(report, 14) != filled:
            raise Failed(f"CumQty(14)={report.get(14)}, the fills are {filled}", report)
        is_open = report.get(39) in ("0", "1", "5", "A")
        leaves = decimal(report, 38) - filled if is_open else Decimal(0)
        if decimal(report, 151) != leaves:
            raise Failed(f"LeavesQty(151)={report.get(151)}, expected {leaves}", report)
        if not is_avg_px_due and 6 not in report:
            continue
        average = paid / filled if filled else Decimal(0)
        if abs(decimal(report, 6) - average) > AVG_PX_ERROR:
            raise Failed(f"AvgPx(6)={report.get(6)}, the fills average {average:.6f}", report)


def check_fill(trial: Trial, outcome: Outcome, *, side: int, px: Decimal | None = None) -> Message:
    """Filled whole: principal, venue, never worse than the limit."""
    last = outcome.last
    fills = outcome.fills
    if last.get(39) != "2" or not fills:
        status = code_name(39, last.get(39)) or last.get(39)
        raise Failed(f"the order is {status}; a fill is due{said(last)}", last)
    for fill in fills:
        trial.holds(fill, {29: 4, 30: True, 54: side})
        got = decimal(fill, 31)
        worse = px is not None and (got > px if side == BUY else got < px)
        if worse:
            raise Failed(f"LastPx(31)={got} is worse than Price(44)={px}", fill)
    trial.decisive = fills[-1]
    return fills[-1]


def decimal(message: Message, tag: int) -> Decimal:
    """A field as a number. Raises Failed."""
    try:
        value = Decimal(message.get(tag))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Failed(f"{tag_name(tag)}={message.get(tag) or 'missing'} is no number", message)
    return value


# --- prices -----------------------------------------------------------------------------------


def market_px(trial: Trial) -> Decimal:
    """What a buyer pays now, by a trade at market; the first answer serves all cases."""
    if trial.shared.px is None:
        _, outcome = place(trial)
        trial.shared.px = decimal(check_fill(trial, outcome, side=BUY), 31)
    return trial.shared.px


def coarse_tick(px: Decimal) -> Decimal:
    """The coarsest tick of any liquidity band at this price (RTS 11 Annex): at most 1% of it."""
    exponent = Decimal(1).scaleb(px.adjusted() - 2)
    first = int(px.scaleb(-px.adjusted()))
    return exponent * (5 if first >= 5 else 2 if first >= 2 else 1)


def near(px: Decimal, percent: int) -> Decimal:
    """A price about so many percent away, on every band's tick."""
    wanted = px * (100 + percent) / 100
    tick = coarse_tick(wanted)
    steps = wanted // tick + (1 if percent > 0 else 0)
    return steps * tick
