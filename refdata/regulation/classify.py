"""One order under the law of a day: thresholds, tick, zone and route, each with its citation.

The same rules as `engine/zones.py`, in `Decimal` and without an engine: for a question asked at a
desk, not for orders. The published SMS, LIS and flags are what counts; where only averages are
given, they are placed in the tables. Pure; what cannot be answered raises `Unanswerable`.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass, Route, Zone
from refdata.regulation import liquidity, lis, tick_rules
from refdata.regulation.rule import JURISDICTIONS, UNSURE
from refdata.regulation.timeline import rule_on
from refdata.rows import EXACT

BPS = 10_000


class Unanswerable(ValueError):
    """The question contradicts itself or the law; the text says what to do."""


class Thresholds(NamedTuple):
    """What reference data say of an instrument on a day; EUR, None where there is none.

    `tick_band` is 1 to 6, or 0 where no tick is mandatory; `source` says where it stands written.
    """

    asset_class: AssetClass
    liquid: bool
    sms_eur: Decimal | None
    lis_eur: Decimal
    tick_band: int | None
    source: str


class Averages(NamedTuple):
    """What the tables are entered with; EUR, and the ADNT of the most relevant market.

    `avt_eur` may be None for an illiquid instrument, `adnt` where the tick is not asked for.
    """

    asset_class: AssetClass
    liquid: bool
    avt_eur: Decimal | None
    adt_eur: Decimal
    adnt: Decimal | None = None
    solely_equities: bool = False


class Order(NamedTuple):
    """Price in EUR, whole shares, and the law that holds."""

    price_eur: Decimal
    quantity: int
    day: date
    jurisdiction: str = "EU"


class Answer(NamedTuple):
    """Amounts in EUR; None where there is none. `citations` has an entry for every other field."""

    regime: str
    sms_eur: Decimal | None
    qmin_eur: Decimal | None
    threshold_eur: Decimal | None
    lis_eur: Decimal
    tick: Decimal | None
    zone: Zone
    route: Route
    citations: Mapping[str, str]
    notes: tuple[str, ...]


def thresholds_from(averages: Averages, day: date, jurisdiction: str = "EU") -> Thresholds:
    """SMS and LIS by the tables of `day`, band by ADNT; `Unanswerable` where that cannot be."""
    _check_day(day, jurisdiction)
    sms = None
    if averages.liquid:
        if averages.avt_eur is None:
            raise Unanswerable("a liquid instrument needs its AVT: the SMS depends on it")
        sms = Decimal(regimes.sms_eur(averages.avt_eur, averages.asset_class, day, jurisdiction))
    band = None
    if averages.adnt is not None or averages.asset_class not in regimes.SHARES_AND_DRS:
        band = tick_rules.tick_band(
            averages.adnt, averages.asset_class, solely_equities=averages.solely_equities
        )
    return Thresholds(
        averages.asset_class,
        averages.liquid,
        sms,
        Decimal(lis.lis_eur(averages.adt_eur, averages.asset_class, day, jurisdiction)),
        band,
        "",
    )


def notional_eur(order: Order) -> Decimal:
    """Price x quantity, exactly: what the size zone compares."""
    return EXACT.multiply(order.price_eur, order.quantity)


def classify(
    thresholds: Thresholds,
    order: Order,
    *,
    discretionary: Route = Route.DESK,
    on_request: Route = Route.AUTO,
) -> Answer:
    """The answer for one order; routes of the two zones that a firm may choose are given."""
    day, jurisdiction = order.day, order.jurisdiction
    _check_day(day, jurisdiction)
    _check(thresholds, order)
    regime = regimes.regime_on(day, jurisdiction)
    notional = notional_eur(order)
    sms = thresholds.sms_eur if thresholds.liquid else None
    qmin = None if sms is None else sms * regime.qmin_bps / BPS
    threshold = None if sms is None else sms * regime.threshold_bps / BPS
    zone = _zone(notional, qmin, threshold, thresholds.lis_eur)
    route = _route(zone, notional, thresholds.lis_eur, discretionary, on_request)
    tick, tick_citation = _tick(thresholds, order)
    citations = {
        "regime": _marked(regime.citation, regime.sure),
        **_size_citations(thresholds, day, jurisdiction),
        "tick": tick_citation,
        "zone": _zone_words(zone, notional),
        "route": _route_words(zone, route),
    }
    return Answer(
        regime.name, sms, qmin, threshold, thresholds.lis_eur, tick, zone, route, citations,
        tuple(_notes(thresholds, order, tick)),
    )  # fmt: skip


def _check_day(day: date, jurisdiction: str) -> None:
    if jurisdiction not in JURISDICTIONS:
        known = ", ".join(JURISDICTIONS)
        raise Unanswerable(f"jurisdiction {jurisdiction!r} is unknown: write one of {known}")
    if day < regimes.MIFID2_FROM:
        first = regimes.MIFID2_FROM.isoformat()
        raise Unanswerable(
            f"there are no rules on {day.isoformat()}: MiFID II applies from {first}"
        )


def _check(thresholds: Thresholds, order: Order) -> None:
    if order.price_eur <= 0:
        raise Unanswerable(f"price {order.price_eur} is not above 0: write a price in EUR")
    if order.quantity <= 0:
        raise Unanswerable(f"size {order.quantity} is not above 0: write a number of shares")
    if thresholds.liquid and liquidity.never_liquid(
        thresholds.asset_class, order.day, order.jurisdiction
    ):
        raise Unanswerable(
            f"class {thresholds.asset_class.name.lower()} has no liquid market on "
            f"{order.day.isoformat()} (DR 2017/567 Art 4a): say that it is illiquid"
        )
    if thresholds.liquid and not thresholds.sms_eur:
        raise Unanswerable("a liquid instrument without SMS: the engine rejects with NO_THRESHOLD")
    if thresholds.lis_eur <= 0:
        raise Unanswerable("an instrument without LIS: the engine rejects with NO_THRESHOLD")


def _zone(
    notional: Decimal, qmin: Decimal | None, threshold: Decimal | None, lis_eur: Decimal
) -> Zone:
    if qmin is None or threshold is None:
        return Zone.ON_REQUEST
    if notional <= qmin:
        return Zone.WITHIN_MIN_QUOTE
    if notional <= threshold:  # where T and LIS overlap, T wins
        return Zone.WITHIN_OBLIGATION
    if notional >= lis_eur:
        return Zone.LARGE_IN_SCALE
    return Zone.DISCRETIONARY


def _route(
    zone: Zone, notional: Decimal, lis_eur: Decimal, discretionary: Route, on_request: Route
) -> Route:
    if zone in (Zone.WITHIN_MIN_QUOTE, Zone.WITHIN_OBLIGATION):
        return Route.AUTO
    if zone is Zone.LARGE_IN_SCALE or notional >= lis_eur:
        return Route.DESK
    return discretionary if zone is Zone.DISCRETIONARY else on_request


def _tick(thresholds: Thresholds, order: Order) -> tuple[Decimal | None, str]:
    """The mandatory tick of a quote at the order's price, and why it is that or none."""
    duty = tick_rules.tick_duty_on(order.day, thresholds.asset_class, order.jurisdiction)
    if duty is None:
        if thresholds.asset_class in tick_rules.TICKED:
            return None, f"no tick binds an SI in this class on {order.day.isoformat()}"
        return None, "RTS 11 Art 2: no mandatory tick in this class"
    citation = _marked(duty.citation, duty.sure)
    if thresholds.tick_band is None:
        return None, f"{citation}: the band depends on the ADNT, which was not given"
    if thresholds.tick_band == tick_rules.NO_BAND:
        return None, "RTS 11 Art 2(3)-(4): an ETF has a tick only where solely on equities"
    tick = tick_rules.tick_of(order.price_eur, thresholds.tick_band)
    return tick, f"band {thresholds.tick_band}: {citation}"


def _size_citations(thresholds: Thresholds, day: date, jurisdiction: str) -> dict[str, str]:
    table = lis.lis_table_on(day, thresholds.asset_class, jurisdiction)
    lis_citation = thresholds.source or _marked(table.citation, table.sure)
    if not thresholds.liquid:
        none = "RTS 1 Art 11(1): only a liquid market has an SMS"
        return {"sms_eur": none, "qmin_eur": none, "threshold_eur": none, "lis_eur": lis_citation}
    ladder = regimes.ladder_on(day, thresholds.asset_class, jurisdiction)
    qmin, threshold = (
        rule_on(topic, day, jurisdiction) for topic in ("min-quote-size", "obligation")
    )
    return {
        "sms_eur": thresholds.source or _marked(ladder.citation, ladder.sure),
        "qmin_eur": _marked(f"{qmin.value}: {qmin.citation}", qmin.sure),
        "threshold_eur": _marked(f"{threshold.value}: {threshold.citation}", threshold.sure),
        "lis_eur": lis_citation,
    }


_ZONES_IN_WORDS = {
    Zone.WITHIN_MIN_QUOTE: "is at most Qmin (MiFIR Art 14(3))",
    Zone.WITHIN_OBLIGATION: "is above Qmin and at most T (MiFIR Art 14(2))",
    Zone.DISCRETIONARY: "is above T and below LIS: Arts 14-17 do not bind (MiFIR Art 14(2))",
    Zone.LARGE_IN_SCALE: "is above T and at least LIS (RTS 1 Art 7)",
    Zone.ON_REQUEST: "of an illiquid instrument: quotes on request (MiFIR Art 14(1))",
}


def _zone_words(zone: Zone, notional: Decimal) -> str:
    return f"{plain(notional)} EUR {_ZONES_IN_WORDS[zone]}"


def _route_words(zone: Zone, route: Route) -> str:
    if zone in (Zone.WITHIN_MIN_QUOTE, Zone.WITHIN_OBLIGATION):
        return "firm quote: MiFIR Art 15(2)"
    if zone is Zone.LARGE_IN_SCALE or (zone is Zone.ON_REQUEST and route is Route.DESK):
        return "the firm's choice: large in scale goes to the desk"
    return "the firm's choice: default of the configuration"


def _notes(thresholds: Thresholds, order: Order, tick: Decimal | None) -> list[str]:
    notes = []
    duty = tick_rules.tick_duty_on(order.day, thresholds.asset_class, order.jurisdiction)
    if duty is not None and thresholds.tick_band is None:
        notes.append("no tick: give the ADNT on the most relevant market")
    if duty is not None and tick is None and thresholds.asset_class is AssetClass.ETF:
        notes.append("no tick: say so where the ETF is solely on equities (band 6)")
    if not thresholds.source:
        notes.append("SMS and LIS are placed in the tables; the published values are what counts")
    return notes


def _marked(citation: str, sure: bool) -> str:
    return citation if sure else f"{citation} ({UNSURE})"


def plain(amount: Decimal) -> str:
    """12,500 or 1,250.5: grouped, without trailing zeros."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
