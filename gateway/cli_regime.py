"""`si regime`: the law of a day, what changes between two, and what it makes of an order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.enums import AssetClass
from gateway.cli_common import AsJson, friendly, out, say
from gateway.errors import UserError
from refdata import isin as isins
from refdata.regulation import classify as law
from refdata.regulation import words
from refdata.regulation.rule import JURISDICTIONS, NoRule
from refdata.rows import DECIMAL_FORM, Refused

regime = typer.Typer(
    no_args_is_help=True, help="Which rules are in force on a day, and what they make of an order."
)

CLASSES = {
    "shares": AssetClass.SHARE,
    "drs": AssetClass.DEPOSITARY_RECEIPT,
    "etfs": AssetClass.ETF,
    "certificates": AssetClass.CERTIFICATE,
    "other": AssetClass.OTHER,
}
#: More shares than this no order has (`engine.limits.QTY_MAX` is smaller still).
QUANTITY_MAX = 10**15
#: Nobody knows the law of a later day; the calendar has to end somewhere.
DAY_MAX = date(2099, 12, 31)

Jurisdiction = Annotated[str, typer.Option(help="EU or UK.", metavar="EU|UK")]
Day = Annotated[str, typer.Option("--date", help="The day asked about.", metavar="YYYY-MM-DD")]


@contextmanager
def answerable() -> Iterator[None]:
    """`friendly`, and what the tables cannot answer as a message as well."""
    with friendly():
        try:
            yield
        except (NoRule, law.Unanswerable, Refused) as error:
            raise UserError(str(error)) from error


@regime.command()
def show(day: Day, jurisdiction: Jurisdiction = "EU", as_json: AsJson = False) -> None:
    """Everything in force on a day, with citations and the size tables."""
    from gateway import regime_view

    with answerable():
        found = words.show(_day("--date", day), _jurisdiction(jurisdiction))
        if as_json:
            print(json.dumps(regime_view.as_json(found)))
        else:
            out.print(regime_view.shows(found, out.width), soft_wrap=False)


@regime.command()
def diff(
    date1: Annotated[str, typer.Argument(help="A day, YYYY-MM-DD.", metavar="DATE1")],
    date2: Annotated[str, typer.Argument(help="Another day.", metavar="DATE2")],
    jurisdiction: Jurisdiction = "EU",
    as_json: AsJson = False,
) -> None:
    """What changes between two days, with the consequence for a quoting desk."""
    from gateway import regime_view

    with answerable():
        found = words.diff(_day("DATE1", date1), _day("DATE2", date2), _jurisdiction(jurisdiction))
        if as_json:
            print(json.dumps(regime_view.as_json(found)))
        else:
            out.print(regime_view.diff(found, out.width), soft_wrap=False)


@regime.command()
def classify(
    price: Annotated[str, typer.Option(help="Price of one share, EUR (the midpoint).")],
    size: Annotated[str, typer.Option(help="Quantity of the order, in shares, not in EUR.")],
    day: Day,
    isin: Annotated[str, typer.Option(help="The instrument, from --snapshot.")] = "",
    snapshot: Annotated[
        Path | None, typer.Option(help="File of published thresholds, with --isin.")
    ] = None,
    asset_class: Annotated[
        str, typer.Option("--class", help=", ".join(CLASSES), metavar="CLASS")
    ] = "",
    avt: Annotated[str, typer.Option(help="Average value of transactions, EUR: gives SMS.")] = "",
    adt: Annotated[str, typer.Option(help="Average daily turnover, EUR: gives LIS.")] = "",
    adnt: Annotated[
        str, typer.Option(help="Average daily number of transactions on the MRM: gives the tick.")
    ] = "",
    illiquid: Annotated[bool, typer.Option("--illiquid", help="Without a liquid market.")] = False,
    equity_etf: Annotated[
        bool, typer.Option("--equity-etf", help="An ETF solely on equities: tick band 6.")
    ] = False,
    jurisdiction: Jurisdiction = "EU",
    as_json: AsJson = False,
) -> None:
    """Thresholds, tick, zone and route of one order, each with its citation.

    The size zone follows from price x size in EUR. Give either --isin and --snapshot, or --class
    with --adt and, unless --illiquid, --avt.
    """
    from gateway import regime_view

    with answerable():
        order = law.Order(
            _positive("--price", price),
            _quantity(size),
            _day("--date", day),
            _jurisdiction(jurisdiction),
        )
        given: dict[str, str | bool] = {
            "--class": asset_class, "--avt": avt, "--adt": adt, "--adnt": adnt,
            "--illiquid": illiquid, "--equity-etf": equity_etf,
        }  # fmt: skip
        if isin or snapshot:
            _only_isin(isin, snapshot, given)
            assert snapshot is not None
            thresholds = thresholds_of(isin, order.day, snapshot)
        else:
            averages = _averages(asset_class, avt, adt, adnt, illiquid, equity_etf)
            thresholds = law.thresholds_from(averages, order.day, order.jurisdiction)
        found = law.classify(thresholds, order, **_default_routes())
        if not as_json:
            heading = _heading(thresholds, order)
            out.print(regime_view.answer(found, heading), soft_wrap=False)
            return
        document = regime_view.as_json(found)
        for note in document.pop("notes"):
            say.print(f"note: {note}", markup=False)
        print(json.dumps(document))


def thresholds_of(isin: str, day: date, snapshot: Path) -> law.Thresholds:
    """Published thresholds of an instrument on a day, by `refdata.snapshot.thresholds_of`."""
    try:
        module = import_module("refdata.snapshot")
    except ModuleNotFoundError:
        raise UserError(
            "this installation cannot read snapshots (no refdata.snapshot): leave out --isin and "
            "--snapshot and give --class, --avt and --adt"
        ) from None
    found: law.Thresholds = module.thresholds_of(isin, day, snapshot)
    return found


def _heading(thresholds: law.Thresholds, order: law.Order) -> str:
    """Such as: share, 1,500 at 10.01 EUR = 15,015 EUR, 23 November 2025, EU."""
    notional = law.plain(law.notional_eur(order))
    kind = thresholds.asset_class.name.lower().replace("_", " ")
    return (
        f"{kind}, {order.quantity:,} at {law.plain(order.price_eur)} EUR = {notional} EUR, "
        f"{words.day_words(order.day)}, {order.jurisdiction}"
    )


def _default_routes() -> dict[str, Any]:
    """Routes of the two zones that a firm chooses, as a fresh configuration has them."""
    from gateway.config import Quoting
    from gateway.world import ROUTES

    defaults = Quoting()
    return {
        "discretionary": ROUTES[defaults.discretionary],
        "on_request": ROUTES[defaults.on_request],
    }


def _only_isin(isin: str, snapshot: Path | None, given: dict[str, str | bool]) -> None:
    if not isin or snapshot is None:
        raise UserError("--isin and --snapshot belong together: give both")
    if not isins.is_valid(isin):
        raise UserError(f"--isin {isin!r}: write 12 characters in capitals, check digit right")
    for option, value in given.items():
        if value:
            raise UserError(f"{option} cannot go with --isin: the snapshot gives it")


def _averages(
    asset_class: str, avt: str, adt: str, adnt: str, illiquid: bool, equity_etf: bool
) -> law.Averages:
    if asset_class not in CLASSES:
        known = ", ".join(CLASSES)
        raise UserError(f"--class {asset_class!r} is unknown: write one of {known}")
    if not adt:
        raise UserError("--adt is missing: LIS depends on the average daily turnover")
    if not avt and not illiquid:
        raise UserError("--avt is missing: SMS depends on it; or say --illiquid")
    if equity_etf and CLASSES[asset_class] is not AssetClass.ETF:
        raise UserError(f"--equity-etf cannot go with --class {asset_class}: it is about ETFs")
    return law.Averages(
        CLASSES[asset_class],
        not illiquid,
        _decimal("--avt", avt) if avt else None,
        _decimal("--adt", adt),
        _decimal("--adnt", adnt) if adnt else None,
        equity_etf,
    )


def _day(option: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text!r} is no date: write YYYY-MM-DD") from None
    if day > DAY_MAX:
        raise UserError(f"{option} {text!r} is too far ahead: write a day up to {DAY_MAX}")
    return day


def _jurisdiction(text: str) -> str:
    if text not in JURISDICTIONS:
        known = ", ".join(JURISDICTIONS)
        raise UserError(f"--jurisdiction {text!r} is unknown: write one of {known}")
    return text


def _decimal(option: str, text: str) -> Decimal:
    if DECIMAL_FORM.fullmatch(text) is None:
        raise UserError(f"{option} {text!r}: write digits with an optional decimal point, no sign")
    return Decimal(text)


def _positive(option: str, text: str) -> Decimal:
    number = _decimal(option, text)
    if number == 0:
        raise UserError(f"{option} {text!r}: write a number above 0")
    return number


def _quantity(text: str) -> int:
    number = _positive("--size", text)
    if number != int(number) or number > QUANTITY_MAX:
        raise UserError(f"--size {text!r}: write whole shares, at most {QUANTITY_MAX:,}")
    return int(number)
