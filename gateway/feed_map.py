"""Anybody's CSV or Parquet, by a map of columns in TOML (FEED.md): `--map map.toml`.

Rule: exact or refused. A column of floats is refused unless the map says how many decimals its
numbers have; then each must be within 1e-9 of such a number.
"""

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.enums import Phase
from engine.limits import PX_E6_MAX
from gateway.feed_lines import NS, Bad, Blame, FeedError, Line, Quote, day_ns, refuse
from gateway.feed_source import Reader, Source

FIELDS = ("isin", "mic", "time", "bid", "ask", "bid_qty", "ask_qty")
OPTIONAL = ("phase", "currency")
NUMBERS = ("bid", "ask", "bid_qty", "ask_qty")
TIME_PLACES = {"s": 9, "ms": 6, "us": 3, "ns": 0}  # from the unit to nanoseconds
TIME_NS_MAX = 2**62
FLOAT_NEAR = Decimal("1e-9")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLICE_ROWS = 1 << 16


class Part(BaseModel):
    """A table of the map: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Csv(Part):
    """How the text is cut. Without `names` the first line is the header."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    names: tuple[str, ...] = ()
    comment: Annotated[str, Field(max_length=1)] = ""


class Time(Part):
    """How times are written: ISO 8601 with Z, a count since 1970, hh:mm:ss.f, or a format."""

    form: Literal["iso", "s", "ms", "us", "ns", "clock", "format"] = "iso"
    format: str = ""  # of datetime.strptime, where form is "format"
    zone: str = "UTC"  # of "clock" and "format"
    day: str = ""  # of "clock": yyyy-mm-dd

    @model_validator(mode="after")
    def _is_whole(self) -> "Time":
        if (self.form == "format") != bool(self.format):
            raise ValueError('write format = "..." together with form = "format"')
        if (self.form == "clock") != bool(self.day):
            raise ValueError('write day = "yyyy-mm-dd" together with form = "clock"')
        try:
            zone = ZoneInfo(self.zone)
            if self.day:
                day_ns(self.day, zone)
        except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError) as error:
            raise ValueError(f"zone {self.zone!r}, day {self.day!r}: {error}") from None
        return self


class Numbers(Part):
    """How prices and quantities are written."""

    price_decimals: Annotated[int, Field(ge=0, le=6)] = 0  # 4: 202500 is 20.25
    float_decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    decimal_comma: bool = False
    zero_is_empty: bool = False  # a price or quantity of 0 is no quote on that side


class Map(Part):
    """The file given with --map."""

    columns: dict[str, str]  # our field -> their column
    constants: dict[str, str] = {}  # our field -> its value in every row
    phases: dict[str, str] = {}  # their word -> ours
    csv: Csv = Csv()
    time: Time = Time()
    numbers: Numbers = Numbers()

    @model_validator(mode="after")
    def _is_whole(self) -> "Map":
        for field in (*self.columns, *self.constants):
            if field not in FIELDS + OPTIONAL:
                known = ", ".join(FIELDS + OPTIONAL)
                raise ValueError(f"there is no field {field!r}; known are {known}")
        for field in FIELDS:
            if (field in self.columns) == (field in self.constants):
                raise ValueError(f"{field!r} must be in columns or in constants, in one of them")
        for field in (*NUMBERS, "time"):
            if field in self.constants:
                raise ValueError(f"{field!r} must be a column")
        for word, phase in self.phases.items():
            if phase.upper() not in Phase.__members__:
                known = ", ".join(Phase.__members__).lower()
                raise ValueError(f"phases: {word!r} is {phase!r}; write one of {known}")
        return self


def load(source: Source) -> Map:
    """The map of a source. Raises FeedError."""
    path = source.map_path
    if path is None:
        raise FeedError(f"{source.path}: give --map: a TOML file that names the columns (FEED.md)")
    try:
        return Map.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise FeedError(f"--map {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeedError(f"--map {path}: this is no TOML: {error}") from None
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"])) or "the map"
        raise FeedError(f"--map {path}: {where}: {found['msg']}") from None


# --- rows -----------------------------------------------------------------------------------------


def text(source: Source) -> Reader:
    """CSV: every line is cut, then read as the map says."""
    known = load(source)
    columns = list(known.csv.names)
    take_values = _values(source, known)

    def take(number: int, line: str) -> Quote | None:
        if not line or line.isspace() or (known.csv.comment and line.startswith(known.csv.comment)):
            return None
        try:
            (values,) = csv.reader([line], delimiter=known.csv.delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            advice = f"the line cannot be cut: {error}"
            raise refuse(source.path, number, "", line[:80], advice) from None
        if not columns:
            names = [value.strip() for value in values]
            for name in known.columns.values():
                if names.count(name) != 1:
                    advice = f"the header has this column {names.count(name)} times"
                    raise refuse(source.path, number, name, "", advice)
            columns.extend(names)
            return None
        if len(values) != len(columns):
            advice = f"{len(values)} fields where {len(columns)} are due"
            raise refuse(source.path, number, "", line[:80], advice)
        return take_values(number, dict(zip(columns, values, strict=True)))

    return Reader(take)


def table(source: Source) -> Reader:
    """Parquet: rows come as values of the columns that the map names."""
    return Reader(_values(source, load(source)))


def table_rows(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a Parquet file; times that have a type of their own come as Moments."""
    import polars as pl

    known = load(source)
    wanted = list(dict.fromkeys(known.columns.values()))
    try:
        frame = pl.read_parquet(source.path)
        for name in wanted:
            if name not in frame.columns:
                advice = f"there is no such column: the file has {', '.join(frame.columns)}"
                raise refuse(source.path, 0, name, "", advice[:400])
        frame = frame.select(wanted)
        _refuse_floats(source.path, frame.schema, known)
        moments = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
        frame = frame.with_columns(_epoch_ns(frame[name], known.time.zone) for name in moments)
        number = 0
        for part in frame.iter_slices(SLICE_ROWS):
            for row in part.iter_rows(named=True):
                number += 1
                for name in moments:
                    row[name] = None if row[name] is None else Moment(row[name])
                yield number, row
    except OSError as error:
        raise FeedError(f"{source.path}: {error.strerror or error}") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        said = " ".join(str(error).splitlines()[:1])
        raise FeedError(f"{source.path}: this is no Parquet that can be read: {said}") from None


def _refuse_floats(path: Path, schema: Mapping[str, Any], known: Map) -> None:
    """Text, whole numbers and decimals are exact; floats are taken only as the map says."""
    for field, name in known.columns.items():
        if not schema[name].is_float():
            continue
        if field not in NUMBERS:
            raise refuse(path, 0, name, str(schema[name]), f"{field} is never a float")
        if known.numbers.float_decimals is None:
            advice = "a float: say its decimals in the map, as [numbers] float_decimals = 3"
            raise refuse(path, 0, name, str(schema[name]), advice)


def _epoch_ns(column: Any, zone: str) -> Any:
    """Nanoseconds since 1970; a column without a zone of its own has the map's."""
    if column.dtype.time_zone is None and zone != "UTC":
        column = column.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return column.dt.epoch("ns")


class Moment(int):
    """Nanoseconds since 1970."""


# --- one row --------------------------------------------------------------------------------------


def _values(source: Source, known: Map) -> Callable[[int, Mapping[str, Any]], Quote | None]:
    """The reader of a row, of whichever file: from values by their columns."""
    phases = {word: Phase[name.upper()] for word, name in known.phases.items()}

    def take(number: int, row: Mapping[str, Any]) -> Quote | None:
        values = dict(known.constants)
        for field, column in known.columns.items():
            values[field] = _as_text(row[column])
        line = Line(source.path, number, values)
        if not source.wants(values["isin"]):
            return None
        isin = line.isin("isin")
        mic = source.mic or line.mic("mic")
        with Blame(mic, isin):
            if "currency" in values and not source.plays(values["currency"]):
                return None
            phase = phases.get(values.get("phase", ""))
            if phase is None:
                phase = line.phase("phase")
            row_time = row[known.columns["time"]]
            time_ns = int(row_time) if isinstance(row_time, Moment) else _time_ns(line, known.time)
            if not 0 <= time_ns <= TIME_NS_MAX:
                raise line.refuse("time", "before 1970 or after 2116", Bad.TIME)
            bid = _side(line, row, known, "bid")
            ask = _side(line, row, known, "ask")
            return Quote(time_ns, isin, mic, 0, phase, bid[0], ask[0], bid[1], ask[1])

    return take


def _as_text(value: object) -> str:
    """What a file of text would have said."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).strip()


def _side(line: Line, row: Mapping[str, Any], known: Map, side: str) -> tuple[int, int]:
    """Price and quantity; both blank is no quote, and both or one 0 where the map says so."""
    size = side + "_qty"
    if line.values[side] == "" and line.values[size] == "":
        return 0, 0
    rules = known.numbers
    number = {
        field: _number(line, row[known.columns[field]], field, rules) for field in (side, size)
    }
    exact = Line(line.path, line.number, number)
    px_e6 = exact.scaled(side, 6 - rules.price_decimals, PX_E6_MAX, Bad.PRICE)
    qty = exact.qty_or_0(size)
    if px_e6 and qty:
        return px_e6, qty
    if rules.zero_is_empty:
        return 0, 0
    field, kind = (size, Bad.QUANTITY) if px_e6 else (side, Bad.PRICE)
    raise exact.refuse(field, "0 here: is zero_is_empty meant, in [numbers] of the map?", kind)


def _number(line: Line, value: object, field: str, rules: Numbers) -> str:
    """Text of a number, its decimals behind a point."""
    if isinstance(value, float):
        return _from_float(line, value, field, rules)
    shown = line.values[field]
    return shown.replace(",", ".") if rules.decimal_comma and "." not in shown else shown


def _from_float(line: Line, value: float, field: str, rules: Numbers) -> str:
    assert rules.float_decimals is not None, "refused with the column"
    exact = Decimal(value)
    kind = Bad.PRICE if field in ("bid", "ask") else Bad.QUANTITY
    if not exact.is_finite() or abs(exact) > PX_E6_MAX:
        raise line.refuse(field, "this is no number of a market", kind)
    near = exact.quantize(Decimal(1).scaleb(-rules.float_decimals))
    if abs(exact - near) > FLOAT_NEAR:
        advice = f"no number of {rules.float_decimals} decimals within 1e-9 (float_decimals)"
        raise line.refuse(field, advice, kind)
    return f"{near:f}"


def _time_ns(line: Line, rules: Time) -> int:
    """A time as the map says that it is written."""
    if rules.form == "iso":
        return line.utc_ns("time")
    if rules.form == "clock":
        return day_ns(rules.day, ZoneInfo(rules.zone)) + line.clock_ns("time")
    if rules.form in TIME_PLACES:
        return line.scaled("time", TIME_PLACES[rules.form], TIME_NS_MAX, Bad.TIME)
    try:
        moment = datetime.strptime(line.values["time"], rules.format)
    except ValueError as error:
        raise line.refuse("time", str(error)[:200], Bad.TIME) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(rules.zone))
    return (moment - EPOCH) // timedelta(microseconds=1) * (NS // 10**6)
