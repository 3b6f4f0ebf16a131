"""What the firm says for a build of its reference data: `refdata.toml` and its instrument list.

`refdata.toml` names the files of the registers and the ECB; the list says in which instruments the
firm is Systematic Internaliser, and sets its own limits. What the registers publish (liquidity,
SMS, LIS) is not in it. Paths are seen from the folder of `refdata.toml`.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.enums import AssetClass
from refdata.fx import read_currency
from refdata.instruments import ASSET_CLASSES, BANDS, LOT_MAX, YES_NO, read_mic
from refdata.record import EUR_E6_MAX
from refdata.rows import Problem, Refused, Row, parse_all, read_rows, refused

Mic = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")]
Pattern = Annotated[str, Field(min_length=1)]
GLOB_CHARACTERS = set("*?[")

COLUMNS = ("isin", "si")
OPTIONAL_COLUMNS = (
    "name", "currency", "mrm", "asset_class", "tick_band", "equity_etf", "lot", "order_max_eur",
    "position_max_eur",
)  # fmt: skip


def _whole(value: object) -> object:
    """A whole number of the file is a number too."""
    return Decimal(value) if type(value) is int else value


Number = Annotated[Decimal, BeforeValidator(_whole)]


class Section(BaseModel):
    """A typo is an error, never ignored; a number in quotes is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Guards(Section):
    """What makes a build stop and ask, instead of publishing a mistake of a source."""

    #: A threshold that is this many times the one before, or this part of it.
    threshold_factor: Annotated[Number, Field(gt=1, le=1_000)] = Decimal(4)
    #: Share of the firm's instruments that may be without threshold.
    missing_share_max: Annotated[Number, Field(ge=0, le=1)] = Decimal("0.02")
    #: Oldest register file.
    age_days_max: Annotated[int, Field(ge=0, le=3_660)] = 10


class Hours(Section):
    """Venues whose trading days and hours the build computes (`refdata.hours`)."""

    mics: list[Mic] = []


class _Document(Section):
    """The file as it stands."""

    jurisdiction: Literal["EU", "UK"] = "EU"
    fitrs: Annotated[list[Pattern], Field(min_length=1)]
    firds: list[Pattern] = []
    ecb: Pattern | None = None
    instruments: Pattern
    universe: Literal["firm", "all"] = "firm"
    guards: Guards = Guards()
    hours: Hours = Hours()


class Firm(NamedTuple):
    """`refdata.toml`, checked; every path is there, and `fitrs` and `firds` are in name order."""

    path: Path
    jurisdiction: Literal["EU", "UK"]
    fitrs: tuple[Path, ...]
    firds: tuple[Path, ...]
    ecb: Path | None
    instruments: Path
    universe: Literal["firm", "all"]
    guards: Guards
    mics: tuple[str, ...]


class FirmInstrument(NamedTuple):
    """One line of the firm's list. None is "as the registers say"; amounts are x 10^6, 0 is no
    limit."""

    line: int
    isin: str
    si: bool
    name: str
    currency: str | None
    mrm: str | None
    asset_class: AssetClass | None
    tick_band: int | None
    equity_etf: bool | None
    lot: int
    order_max_eur_e6: int
    position_max_eur_e6: int


def read_firm(path: Path) -> Firm:
    """Read `refdata.toml`; raises `rows.Refused` with every line that is wrong, and why."""
    source = _source(path)
    try:
        tree = tomllib.loads(source, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise refused(path, 0, "", "", f"correct the TOML: {error}") from None
    try:
        document = _Document.model_validate(tree)
    except ValidationError as error:
        raise Refused(_problems(path, source, error)) from None
    problems: list[Problem] = []

    def found(setting: str, patterns: list[str]) -> tuple[Path, ...]:
        line = _line_of(source, (setting,))
        files: set[Path] = set()
        for pattern in patterns:
            matched = _matches(path.parent, pattern)
            if not matched:
                advice = f"no such file in {path.parent}: `si refdata download` fetches registers"
                problems.append(Problem(str(path), line, setting, pattern, advice))
            files |= matched
        return tuple(sorted(files, key=lambda file: (file.name, file)))

    def one(setting: str, text: str) -> Path:
        file = path.parent / text
        if not file.is_file():
            line = _line_of(source, (setting,))
            problems.append(Problem(str(path), line, setting, text, f"{file} is not there"))
        return file

    firm = Firm(
        path,
        document.jurisdiction,
        found("fitrs", document.fitrs),
        found("firds", document.firds),
        None if document.ecb is None else one("ecb", document.ecb),
        one("instruments", document.instruments),
        document.universe,
        document.guards,
        tuple(dict.fromkeys(document.hours.mics)),
    )
    if problems:
        raise Refused(problems)
    return firm


def read_firm_instruments(path: Path) -> list[FirmInstrument]:
    """The firm's list, one per ISIN, in order of first appearance; raises `rows.Refused`.

    Equal lines are one. Where two lines of an ISIN differ nobody knows which is meant, and here
    there is somebody to ask, so the file is refused.
    """
    rows = read_rows(path, required=COLUMNS, optional=OPTIONAL_COLUMNS)
    first_by_isin: dict[str, FirmInstrument] = {}

    def parse(row: Row) -> None:
        instrument = _instrument(row)
        first = first_by_isin.setdefault(instrument.isin, instrument)
        differing = [
            name
            for name in FirmInstrument._fields
            if name != "line" and getattr(first, name) != getattr(instrument, name)
        ]
        if differing:
            differs = ", ".join(differing)
            raise row.refuse("isin", f"differs from line {first.line} in {differs}: keep one line")

    parse_all(rows, parse)
    if not first_by_isin:
        raise refused(path, 0, "", "", "the file has no instrument: write one line for each")
    return list(first_by_isin.values())


def _instrument(row: Row) -> FirmInstrument:
    asset_class = row.choice("asset_class", ASSET_CLASSES) if row.text("asset_class") else None
    equity_etf = row.choice("equity_etf", YES_NO) if row.text("equity_etf") else None
    if equity_etf and asset_class not in (None, AssetClass.ETF):
        raise row.refuse("equity_etf", "write Y for an ETF only, or correct asset_class")
    lot = row.scaled("lot", 0, LOT_MAX) if row.text("lot") else 1
    if lot == 0:
        raise row.refuse("lot", "write the whole number of shares of one lot, or leave it blank")
    return FirmInstrument(
        line=row.line,
        isin=row.isin("isin"),
        si=row.choice("si", YES_NO),
        name=row.text("name"),
        currency=read_currency(row, "currency") if row.text("currency") else None,
        mrm=read_mic(row, "mrm") if row.text("mrm") else None,
        asset_class=asset_class,
        tick_band=row.choice("tick_band", BANDS) if row.text("tick_band") else None,
        equity_etf=equity_etf,
        lot=lot,
        order_max_eur_e6=row.scaled("order_max_eur", 6, EUR_E6_MAX),
        position_max_eur_e6=row.scaled("position_max_eur", 6, EUR_E6_MAX),
    )


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise refused(path, 0, "", f"byte {error.start}", "save the file as UTF-8") from None


def _matches(folder: Path, pattern: str) -> set[Path]:
    """The files that a path or glob names. A path that is there is itself, whatever is in it."""
    plain = folder / pattern
    if plain.is_file():
        return {plain}
    if not GLOB_CHARACTERS & set(pattern):
        return set()
    start = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else folder
    relative = str(Path(pattern).relative_to(Path(pattern).anchor))
    try:
        return {file for file in start.glob(relative) if file.is_file()}
    except ValueError:  # what pathlib does not take as a pattern, such as `a**b`
        return set()


def _problems(path: Path, source: str, error: ValidationError) -> list[Problem]:
    problems = []
    for detail in error.errors():
        where = tuple(str(part) for part in detail["loc"])
        value = "" if detail["type"] == "missing" else str(detail["input"])[:80]
        why = detail["msg"]
        if detail["type"] == "extra_forbidden":
            why = "no such setting: a typo?"
        problems.append(Problem(str(path), _line_of(source, where), ".".join(where), value, why))
    return problems


def _line_of(source: str, where: tuple[str, ...]) -> int:
    """Line of a setting; of its table where the setting is not there; 0 without either."""
    names = [part for part in where if not part.isdigit()]
    wanted = names[0] if len(names) > 1 else ""
    table, header = "", 0
    for number, line in enumerate(source.splitlines(), 1):
        text = line.strip()
        key = text.split("=")[0].strip()
        if text.startswith("[") and "=" not in text:
            table = text.strip("[] \t")
            header = number if table == names[0] else header
        elif table == wanted and key == names[-1]:
            return number
        elif not table and key == names[0]:
            header = number
    return header
