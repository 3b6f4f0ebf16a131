"""`si explain`: why an order went where it went, in words, with every number."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine import journal as jn
from engine import tables
from engine.enums import (
    BboState,
    Clamp,
    ExecKind,
    OrderState,
    OrdType,
    Reason,
    Route,
    Side,
    Tif,
    Zone,
)
from engine.reasons import Unit, words_inside
from engine.regimes import REGIMES
from engine.schema import unpack
from gateway.journal_files import Reader
from refdata.snapshot import hash_digits

ZONE_WORDS = {
    Zone.WITHIN_MIN_QUOTE: "within the minimum quote size: N <= Qmin",
    Zone.WITHIN_OBLIGATION: "within the obligation: Qmin < N <= T",
    Zone.DISCRETIONARY: "above the obligation, below large in scale: T < N < LIS",
    Zone.LARGE_IN_SCALE: "large in scale: N >= LIS and N > T",
    Zone.ON_REQUEST: "illiquid: no SMS exists, quoted on request",
}
ROUTE_WORDS = {
    Route.AUTO: "the automated quoting engine",
    Route.DESK: "the desk, where a trader decides",
    Route.REJECT: "a reject, as configured for this zone",
}
CLAMP_WORDS = {
    Clamp.WORSE_THAN_QUOTE: "worse than the public quote: the quote was given",
    Clamp.OUTSIDE_QUOTE: "beyond the other side of our quote: the quote was given",
    Clamp.OFF_TICK: "off tick: rounded to the next tick towards the quote",
    Clamp.NOT_A_PRICE: "no price: the quote was given",
}
#: To an order, which is valued at its quote; requests and replacements are at the market.
_ANSWERS = (ExecKind.NEW, ExecKind.FILL, ExecKind.CANCELLED, ExecKind.REJECTED)
_TRADABLE = (BboState.NORMAL, BboState.LOCKED)


def px(px_e6: int) -> str:
    """A price without trailing zeros."""
    return f"{Decimal(int(px_e6)).scaleb(-6).normalize():f}"


def money(amount_e6: int) -> str:
    """An amount with thousands separators and two decimals."""
    return f"{Decimal(int(amount_e6)).scaleb(-6):,.2f}"


def clock(ts_ns: int) -> str:
    """UTC to the nanosecond."""
    moment = datetime.fromtimestamp(int(ts_ns) // 10**9, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{int(ts_ns) % 10**9:09d} UTC"


def show(unit: Unit, value: int) -> str:
    """A reason's number in its unit."""
    if unit == Unit.PX:
        return px(value)
    if unit == Unit.AMOUNT:
        return money(value)
    if unit == Unit.AGE:
        return f"{value / 1e6:.3f} ms"
    if unit == Unit.TEXT:
        return unpack([value])
    if unit == Unit.CODE:
        return chr(min(max(value + 48, 33), 126))
    if unit == Unit.TIME:
        return clock(value)
    return str(value)


def venue_names(journal: Path) -> list[str]:
    """MICs in the order of their rows, from the journal's own table rows."""
    names: list[str] = []
    for frame in Reader(journal, kinds=(jn.TABLE_ROW,)).poll():
        words = frame.body[:24].view("i8")
        if words[0] == tables.VENUE:
            names[int(words[1]) :] = [unpack([words[2]])]
    return names


def in_words(row: Any, venues: list[str]) -> list[str]:
    """One execution as lines of text."""
    kind = ExecKind(int(row["kind"]))
    lines = [f"{clock(row['ts_ns'])}  order {row['order_id']}, ClOrdID {unpack(row['clordid'])}"]
    side = Side(int(row["side"])).name.replace("_", " ") if row["side"] in (1, 2, 5) else "?"
    terms = f"{side} {row['qty']:,} {unpack(row['isin'])}"
    if row["ord_type"] == OrdType.LIMIT:
        terms += f" at {px(row['limit_px_e6'])} {unpack([row['currency']])} or better"
    elif row["ord_type"] == OrdType.MARKET:
        terms += " at market"
    elif row["ord_type"] == OrdType.PEGGED:
        cap = f", {px(row['limit_px_e6'])} or better" if row["limit_px_e6"] else ""
        terms += f" at the midpoint{cap}"
    elif row["ord_type"] == OrdType.PREVIOUSLY_QUOTED:
        terms += " as quoted on request"
    if row["tif"] in tuple(Tif):
        terms += f", {Tif(int(row['tif'])).name}"
    if row["min_qty"]:
        terms += f", at least {row['min_qty']:,} at first"
    lines.append(f"asked: {terms}")
    lines += market_and_size(row, venues)
    if kind == ExecKind.FILL:
        lines += _price(row)
    lines.append(_outcome(row, kind))
    return lines


def market_and_size(row: Any, venues: list[str]) -> list[str]:
    """What a decision saw of the market, and where its size lies, as far as it came to that."""
    lines = []
    if row["bbo_bid_venue"] >= 0 and (row["bbo_bid_px_e6"] or row["bbo_ask_px_e6"]):
        lines += _market(row, venues)
    elif row["quote_id"]:
        lines.append(f"market: {BboState(int(row['bbo_state'])).name}")
    if row["quote_id"]:
        size = f", size {row['quote_size'] + 1}" if row["quote_size"] else ""
        lines.append(
            f"our public quote {row['quote_id']}{size}: {row['quote_bid_qty']:,} at "
            f"{px(row['quote_bid_px_e6'])} / {row['quote_ask_qty']:,} at "
            f"{px(row['quote_ask_px_e6'])}"
        )
    if row["zone"] and row["notional_e6"] and row["lis_e6"]:
        lines += _size(row)
    return lines


def _market(row: Any, venues: list[str]) -> list[str]:
    def mic(venue: int) -> str:
        return venues[venue] if 0 <= venue < len(venues) else "nobody"

    lines = [
        f"market: {BboState(int(row['bbo_state'])).name}, "
        f"{px(row['bbo_bid_px_e6'])} ({mic(int(row['bbo_bid_venue']))}) / "
        f"{px(row['bbo_ask_px_e6'])} ({mic(int(row['bbo_ask_venue']))}), "
        f"{row['bbo_age_ns'] / 1e6:.3f} ms old"
    ]
    if row["mrm_bid_px_e6"]:
        lines.append(
            f"most relevant market: {px(row['mrm_bid_px_e6'])} / {px(row['mrm_ask_px_e6'])}"
        )
    return lines


def _size(row: Any) -> list[str]:
    currency = unpack([row["currency"]])
    zone = Zone(int(row["zone"]))
    lines = []
    if row["regime"] >= 0:
        regime = REGIMES[int(row["regime"])]
        source = f"line {row['loaded_row']}"
        if row["snapshot"]:
            source = f"snapshot {hash_digits(int(row['snapshot']))}, record {row['loaded_row']}"
        lines.append(f"regime: {regime.name} ({regime.citation}), thresholds of {source}")
    of_quote = row["quote_id"] and row["kind"] in _ANSWERS
    where = "our public quote" if of_quote else "the BBO"
    sizes = f"N = {money(row['notional_e6'])} {currency} at the midpoint of {where}"
    if row["sms_e6"]:
        sizes += (
            f"; SMS {money(row['sms_e6'])}, Qmin {money(row['qmin_e6'])}, "
            f"T {money(row['threshold_e6'])}"
        )
    lines.append(f"size: {sizes}, LIS {money(row['lis_e6'])}")
    lines.append(f"zone: {zone.name}, {ZONE_WORDS[zone]}")
    if row["route"]:
        lines.append(f"route: {ROUTE_WORDS[Route(int(row['route']))]}")
    return lines


def _price(row: Any) -> list[str]:
    if row["trader"]:
        return [f"price: {px(row['last_px_e6'])} given by trader {unpack([row['trader']])}"]
    if row["ord_type"] == OrdType.PREVIOUSLY_QUOTED:
        lines = [f"price: {px(row['last_px_e6'])} as quoted, whatever the market did since"]
        return lines + _improvement(row)
    buy = row["side"] == Side.BUY
    quoted = row["quote_ask_px_e6"] if buy else row["quote_bid_px_e6"]
    if row["bbo_state"] not in _TRADABLE:
        state = BboState(int(row["bbo_state"])).name.lower().replace("_", "-")
        return [
            f"price: {px(quoted)}, filled at the public quote, no improvement: the BBO is {state}"
        ]
    if row["ord_type"] == OrdType.PEGGED and not row["policy_hash"]:
        return [f"price: quoted {px(quoted)}, {px(row['last_px_e6'])} as the order is pegged"]
    lines = [
        f"price: quoted {px(quoted)}, policy {int(row['policy_hash']):016x} asked "
        f"{px(row['policy_px_e6'])}, tick {px(row['tick_e6'])}"
    ]
    clamp = Clamp(int(row["clamp"]))
    if clamp != Clamp.NONE:
        lines.append(f"gate: {clamp.name}, {CLAMP_WORDS[clamp]}")
    return lines + _improvement(row)


def _improvement(row: Any) -> list[str]:
    if not row["improvement_e6"]:
        return []
    total = int(row["improvement_e6"]) * int(row["last_qty"])
    return [f"improved by {px(row['improvement_e6'])} a share, {money(total)} in all"]


def _outcome(row: Any, kind: ExecKind) -> str:
    state = OrderState(int(row["order_state"])).name
    reason = Reason(int(row["reason"]))
    if kind == ExecKind.FILL:
        return (
            f"outcome: filled {row['last_qty']:,} at {px(row['last_px_e6'])} "
            f"{unpack([row['currency']])} after {row['checks']} checks ({state}); "
            f"firm's position {row['position_before']:,} -> {row['position_after']:,}"
        )
    if kind == ExecKind.REPLACED:
        return f"outcome: changed, waits anew as desk item {row['desk_item']} ({state})"
    if kind == ExecKind.MASS_CANCEL and reason == Reason.NONE:
        return f"outcome: {row['total']:,} orders cancelled"
    if kind == ExecKind.NEW:
        return f"outcome: waits as desk item {row['desk_item']} after {row['checks']} checks"
    if kind == ExecKind.DESK_QUOTE:
        return (
            f"outcome: desk item {row['desk_item']}, trader {unpack([row['trader']])} "
            f"quoted {px(row['last_px_e6'])}"
        )
    if reason == Reason.NONE:
        return f"outcome: {kind.name} ({state})"
    words = words_inside(reason)
    line = f"outcome: {kind.name} ({state}): {words.prefix} {words.sentence}"
    if words.unit == Unit.ISIN:
        return f"{line} {unpack(row['isin'])}"
    if words.unit == Unit.ORIG:
        return f"{line} {unpack(row['orig_clordid'])}"
    if words.unit == Unit.CLORDID:
        return f"{line} {unpack(row['clordid'])}"
    if words.unit != Unit.NONE:
        line += f": {show(words.unit, int(row['reason_value']))}"
        if words.limit:
            line += f", {words.limit} {show(words.unit, int(row['reason_limit']))}"
    return f"{line}; {row['checks']} checks passed before"


def as_dict(row: Any) -> dict[str, Any]:
    """An execution with every field, names spelled out beside their numbers."""
    plain: dict[str, Any] = {}
    for name in row.dtype.names:
        value = row[name]
        plain[name] = unpack(value) if value.ndim else int(value)
    plain["currency"] = unpack([row["currency"]])
    plain["trader"] = unpack([row["trader"]])
    for name, enum in (
        ("kind", ExecKind), ("zone", Zone), ("route", Route), ("reason", Reason),
        ("clamp", Clamp), ("order_state", OrderState), ("bbo_state", BboState),
    ):  # fmt: skip
        plain[name] = enum(plain[name]).name
    if row["regime"] >= 0:
        plain["regime"] = REGIMES[int(row["regime"])].name
    plain["snapshot"] = hash_digits(int(row["snapshot"]))
    return plain
