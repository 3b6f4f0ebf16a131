"""The firm's trades and the EU's totals, from CSV or Parquet.

Rule: nothing is assessed from a partly readable file. Every row is read before anything is used,
and each problem names file, line, column and value. Parquet columns go through the same checks as
text; binary floating point is refused there, since it is not the number that was meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from refdata.rows import Problem, Refused, Row, parse_all, read_rows, refused
from refdata.si_status.assess import E18, Capacity, Flow, Totals, Trade, add_trade
from refdata.si_status.quarters import Quarter, quarter_of, quarter_of_period
from refdata.si_status.thresholds import EQUITY_LIKE, StatusClass

TRADE_COLUMNS = (
    "traded_at", "instrument", "asset_class", "liquid", "quantity", "capacity", "client_order",
    "venue",
)  # fmt: skip
TRADE_OPTIONAL = ("price_eur", "notional_eur")
TOTALS_COLUMNS = (
    "instrument", "asset_class", "liquid", "period_from", "period_to", "transactions",
    "turnover_eur",
)  # fmt: skip
TOTALS_OPTIONAL = ("first_traded",)

CLASSES = {member.value: member for member in StatusClass}
CAPACITIES = {member.value: member for member in Capacity}
YES_NO = {"Y": True, "N": False}
PRICED_BY_UNIT = (*EQUITY_LIKE, StatusClass.EMISSION_ALLOWANCE)

CLASS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
MIC_FORM = re.compile(r"[A-Z0-9]{4}")
#: What a record says of a place that is no trading venue: RTS 1 field 8 and RTS 22 field 36.
OTC_WORDS = frozenset({"OTC", "SINT", "XOFF"})
PLACES = 9  # decimals of a quantity or a price: their product is exact in EUR x 10^18
NUMBER_MAX = 10**15 * 10**PLACES
TURNOVER_PLACES = 6
TURNOVER_MAX = 10**18 * 10**TURNOVER_PLACES
TRANSACTIONS_MAX = 10**15


def read_flows(path: Path, own_mics: Sequence[str] = ()) -> dict[tuple[str, Quarter], Flow]:
    """The firm's trades, added up by subject and calendar quarter; raises `rows.Refused`.

    `own_mics`: MICs of the firm's own systems, which count as OTC (an SI reports its own MIC).
    """
    otc = OTC_WORDS | set(own_mics)
    flows: dict[tuple[str, Quarter], Flow] = {}

    def take(row: Row) -> None:
        trade = parse_trade(row, otc)
        try:
            add_trade(flows, trade)
        except ValueError as error:
            raise row.refuse("asset_class", str(error)) from None

    parse_all(read_table(path, TRADE_COLUMNS, TRADE_OPTIONAL), take)
    if not flows:
        raise refused(path, 0, "", "", "the file has no trades: nothing can be assessed")
    return flows


def read_totals(path: Path) -> dict[tuple[str, Quarter], Totals]:
    """The EU's totals by subject and assessment; raises `rows.Refused`."""
    rows = list(read_table(path, TOTALS_COLUMNS, TOTALS_OPTIONAL))
    if not rows:
        raise refused(path, 0, "", "", "the file has no totals: leave it out or fill it")
    found: dict[tuple[str, Quarter], Totals] = {}
    lines: dict[tuple[str, Quarter], int] = {}
    problems = []
    for row, totals in zip(rows, parse_all(iter(rows), parse_totals), strict=True):
        key = (totals.subject, totals.quarter)
        if key in found:
            advice = f"keep one row of this period: line {lines[key]} has it too"
            problems.append(Problem(str(path), row.line, "instrument", totals.subject, advice))
        found[key] = totals
        lines.setdefault(key, row.line)
    if problems:
        raise Refused(problems)
    return found


def read_trading_days(path: Path) -> frozenset[date]:
    """One column `date`: the days on which the market was open; raises `rows.Refused`."""
    days = parse_all(read_table(path, ("date",)), lambda row: parse_day(row, "date"))
    if not days:
        raise refused(path, 0, "", "", "the file has no days: leave it out for Monday to Friday")
    return frozenset(days)


def parse_trade(row: Row, otc: frozenset[str]) -> Trade:
    """One row of the firm's trades."""
    asset_class = row.choice("asset_class", CLASSES)
    return Trade(
        day=_trading_day(row, "traded_at"),
        subject=_subject(row, asset_class),
        asset_class=asset_class,
        liquid=row.choice("liquid", YES_NO),
        turnover_eur_e18=_turnover_e18(row, asset_class),
        capacity=row.choice("capacity", CAPACITIES),
        client_order=row.choice("client_order", YES_NO),
        otc=_venue(row) in otc,
    )


def parse_totals(row: Row) -> Totals:
    """One row of the EU's totals."""
    asset_class = row.choice("asset_class", CLASSES)
    turnover_e6 = _given(row, "turnover_eur", TURNOVER_PLACES, TURNOVER_MAX)
    return Totals(
        subject=_subject(row, asset_class),
        quarter=_period(row),
        asset_class=asset_class,
        liquid=row.choice("liquid", YES_NO),
        transactions=_given(row, "transactions", 0, TRANSACTIONS_MAX),
        turnover_eur_e18=turnover_e6 * 10 ** (18 - TURNOVER_PLACES),
        first_traded=parse_day(row, "first_traded") if row.text("first_traded") else None,
    )


def parse_day(row: Row, column: str) -> date:
    """A date, `2024-03-05`."""
    try:
        return date.fromisoformat(row.text(column))
    except ValueError:
        raise row.refuse(column, "write a date like 2024-03-05") from None


def _trading_day(row: Row, column: str) -> date:
    """A date, or a time with its zone, whose day in UTC counts."""
    text = row.text(column)
    try:
        if len(text) == len("2024-03-05"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).date()
    except (ValueError, OverflowError):
        pass
    raise row.refuse(column, "write a date, or a time with zone like 2024-03-05T14:30:00Z")


def _subject(row: Row, asset_class: StatusClass) -> str:
    """Equity-like instruments are tested one by one, by ISIN; the others by class."""
    if asset_class in EQUITY_LIKE:
        return row.isin("instrument")
    text = row.text("instrument")
    if CLASS_ID.fullmatch(text) is None:
        advice = "write the id of the class: letters, digits and . _ : / -, at most 64"
        raise row.refuse("instrument", advice)
    return text


def _venue(row: Row) -> str:
    text = row.text("venue")
    if text not in OTC_WORDS and MIC_FORM.fullmatch(text) is None:
        raise row.refuse("venue", "write OTC, SINT, XOFF or the trading venue's MIC")
    return text


def _turnover_e18(row: Row, asset_class: StatusClass) -> int:
    """EUR x 10^18, exact: `notional_eur`, or `quantity` x `price_eur`."""
    quantity_e9 = _given(row, "quantity", PLACES, NUMBER_MAX)
    if quantity_e9 == 0:
        raise row.refuse("quantity", "write a quantity above 0")
    has_price, has_notional = bool(row.text("price_eur")), bool(row.text("notional_eur"))
    if has_price == has_notional:
        raise row.refuse("notional_eur", "give price_eur or notional_eur, one of the two")
    if has_price and asset_class not in PRICED_BY_UNIT:
        # A bond's price is in percent: quantity x price would be a hundred times too much.
        raise row.refuse("price_eur", f"give notional_eur instead for a {asset_class.value}")
    if has_price:
        turnover_e18 = quantity_e9 * row.scaled("price_eur", PLACES, NUMBER_MAX)
    else:
        turnover_e18 = row.scaled("notional_eur", PLACES, NUMBER_MAX) * (E18 // 10**PLACES)
    if turnover_e18 == 0:
        column = "price_eur" if has_price else "notional_eur"
        raise row.refuse(column, "write a value above 0")
    return turnover_e18


def _given(row: Row, column: str, places: int, largest: int) -> int:
    """A number that has to be there: `Row.scaled` takes blank for 0."""
    if not row.text(column):
        raise row.refuse(column, "write a number: it is missing")
    return row.scaled(column, places, largest)


def _period(row: Row) -> Quarter:
    first, last = parse_day(row, "period_from"), parse_day(row, "period_to")
    quarter = quarter_of_period(first, last) if first < last < date.max else None
    if quarter is None:
        raise row.refuse(
            "period_to",
            f"{first.isoformat()} to {last.isoformat()} is not the six months of an assessment: "
            f"those from {quarter_of(first).first_day.isoformat()} on, both days included, would "
            f"be; totals of other or overlapping periods cannot be added up",
        )
    return quarter


# --- tables -----------------------------------------------------------------------------------


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a CSV file, or of a Parquet file with the row's number as its line."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        return _parquet_rows(path, required, optional)
    return read_rows(path, required=required, optional=optional)


def _parquet_rows(path: Path, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    try:
        frame = pl.read_parquet(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise refused(path, 0, "", "", f"the file cannot be read: {reason}") from None
    except pl.exceptions.PolarsError as error:
        raise refused(path, 0, "", "", f"this is no readable Parquet file: {error}") from None
    _check_columns(path, frame.schema, required, optional)
    columns = [_as_text(path, frame[name]) for name in frame.columns]
    for number, values in enumerate(zip(*columns, strict=True), 1):
        yield Row(path, number, dict(zip(frame.columns, values, strict=True)))


def _check_columns(
    path: Path,
    columns: Mapping[str, pl.DataType],
    required: Sequence[str],
    optional: Sequence[str],
) -> None:
    known = [*required, *optional]
    problems = [
        Problem(str(path), 0, name, "", "add the column: it is missing")
        for name in required
        if name not in columns
    ]
    advice = "remove or rename the column; known are " + ", ".join(known)
    problems += [Problem(str(path), 0, name, name, advice) for name in columns if name not in known]
    if problems:
        raise Refused(problems)


def _as_text(path: Path, column: pl.Series) -> list[str]:
    """A column as the words that a CSV file would have."""
    dtype = column.dtype
    if dtype == pl.Boolean:
        return ["" if value is None else "Y" if value else "N" for value in column.to_list()]
    if dtype.is_decimal():
        return ["" if value is None else f"{value:f}" for value in column.to_list()]
    if dtype.is_integer() or dtype in (pl.String, pl.Categorical, pl.Date):
        return ["" if value is None else f"{value}" for value in column.to_list()]
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return ["" if value is None else value.isoformat() for value in column.to_list()]
    advice = "store the column as text, a whole number, a decimal, a date or a time with zone"
    raise refused(path, 0, column.name, str(dtype), advice)
