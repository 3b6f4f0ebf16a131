"""One TOML file to a checked configuration; the only place that reads it."""

from __future__ import annotations

import tomllib
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.limits import MORE_SIZE_TICKS_MAX, MORE_SIZES, POOLS, TIERS, Capacity
from gateway.drop_copy_config import DropCopy
from gateway.errors import UserError
from gateway.policy_config import Param, PolicySettings
from gateway.pools import MAIN, Pool, PoolName, check_pools
from gateway.publish.settings import Publication
from gateway.risk_config import LimitFields, Risk, Tier, TierNumber, check_tiers
from gateway.session_settings import Name, Session, check_together
from gateway.wire import SESSIONS_MAX
from refdata import hours
from refdata.rows import Refused

CONFIG_FILE = "si.toml"
ALWAYS_NS = 2**62
MINUTE_NS = 60 * 10**9

Mic = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")]
RouteName = Literal["auto", "desk", "reject"]


class ConfigError(UserError):
    """The file cannot be used; the text says where, why and what to do."""


class Section(BaseModel):
    """A typo is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Firm(Section):
    """Who we are and which law holds."""

    mic: Mic
    jurisdiction: Literal["EU", "UK"] = "EU"
    regime: str = "auto"


class Refdata(Section):
    """Where instruments come from; paths relative to the configuration's folder."""

    instruments: Path
    format: Literal["si", "xetra", "snapshot"] = "si"
    fx: Path | None = None
    thresholds: Path | None = None
    venues: list[Mic] = []


class Hours(Section):
    """Published trading hours (2017/567 Art 12); without days or a file: always.

    `file` has every trading day (`si refdata hours` writes one from a venue's calendar).
    """

    file: Path | None = None
    open: time = time(0, 0)
    close: time = time(0, 0)
    timezone: str = "UTC"
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time zone {value!r} is unknown") from error
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Hours:
        if self.days and self.file is not None:
            raise ValueError("give `days` or `file`, not both")
        if self.days and self.open >= self.close:
            raise ValueError(f"open {self.open} must be before close {self.close}")
        return self

    def window_ns(self, now_ns: int, folder: Path) -> tuple[int, int, int]:
        """Open and close of the current trading day, and when to ask again. Raises ConfigError.

        Behind the last day of a file nothing opens, and the file is looked at again every minute.
        """
        if self.file is not None:
            for session in self.sessions(folder):
                if now_ns < session.close_ns:
                    return session.open_ns, session.close_ns, session.close_ns
            return closed(now_ns)
        if not self.days:
            return 0, ALWAYS_NS, ALWAYS_NS
        zone = ZoneInfo(self.timezone)
        today = datetime.fromtimestamp(now_ns // 10**9, zone).date()
        for ahead in range(8):
            day = today + timedelta(days=ahead)
            opens = datetime.combine(day, self.open, zone)
            closes = datetime.combine(day, self.close, zone)
            close_ns = int(closes.timestamp()) * 10**9
            if f"{day:%a}".lower() in self.days and now_ns < close_ns:
                return int(opens.timestamp()) * 10**9, close_ns, close_ns
        raise AssertionError("a week has every day")

    def sessions(self, folder: Path) -> list[hours.Session]:
        """Every trading day of the file, none where there is no file. Raises ConfigError."""
        if self.file is None:
            return []
        try:
            return hours.read_csv(folder / self.file)
        except Refused as error:
            raise ConfigError(f"hours.file refused: {error}") from error


def closed(now_ns: int) -> tuple[int, int, int]:
    """No trading for a minute, then ask again: the answer where the hours are not known."""
    return ALWAYS_NS, ALWAYS_NS, now_ns + MINUTE_NS


class MoreSize(Section):
    """A further size of our quotes, of the first one's quantity, at prices further out."""

    times: Annotated[Decimal, Field(gt=1, le=1_000, decimal_places=4)]
    worse_ticks: Annotated[int, Field(ge=0, le=MORE_SIZE_TICKS_MAX)]

    @property
    def bps(self) -> int:
        """Of the first size."""
        return int(self.times * 10_000)


class Quoting(Section):
    """Our quote, its limits, and where the larger orders go."""

    policy: str = "ticks"
    policy_param: Param = [1]
    stale_ms: Annotated[int, Field(gt=0, le=86_400_000)] = 5_000
    collar_bps: Annotated[int, Field(gt=0, le=10_000)] = 1_000
    quote_size_bps: Annotated[int, Field(ge=10_000, le=20_000)] = 10_000
    discretionary: RouteName = "desk"
    on_request: RouteName = "auto"
    peg_mid: Literal["fill", "policy", "reject"] = "fill"
    jump_bps: Annotated[int, Field(ge=0, le=100_000)] = 5_000
    jump_hold_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 5_000
    close_bps: Annotated[int, Field(ge=0, le=10_000)] = 100
    quote_interval_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    above_quoted_size: Literal["quoted_price", "partial", "desk", "reject"] = "quoted_price"
    size: Annotated[list[MoreSize], Field(max_length=MORE_SIZES)] = []

    @field_validator("size")
    @classmethod
    def _ascending(cls, value: list[MoreSize]) -> list[MoreSize]:
        for one, next_one in pairwise(value):
            if one.times >= next_one.times or one.worse_ticks > next_one.worse_ticks:
                raise ValueError("each is larger than the one before, at no better price")
        return value


class Desk(Section):
    """The people."""

    item_seconds: Annotated[int, Field(gt=0, le=86_400)] = 300


class Rfq(Section):
    """Quotes on request."""

    valid_ms: Annotated[int, Field(gt=0, le=86_400_000)] = 5_000


class Client(LimitFields):
    """One client with its own limits."""

    name: Name
    tier: TierNumber = 0
    pool: PoolName | None = None  # the first one


class Fix(Section):
    """The acceptor."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9878
    sessions: Annotated[list[Session], Field(min_length=1, max_length=SESSIONS_MAX)]


class Feed(Section):
    """Where venue quotes arrive."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9879


class Engine(Section):
    """How the process runs."""

    idle: Literal["yield", "busy"] = "yield"
    cpu: Annotated[int, Field(ge=0)] | None = None
    durability: Literal["process", "disk"] = "process"
    orders_max: Annotated[int, Field(ge=1, le=1 << 26)] = 1 << 21
    desk_items_max: Annotated[int, Field(ge=1, le=1 << 22)] = 1 << 16
    given_quotes_max: Annotated[int, Field(ge=1, le=1 << 22)] = 1 << 16
    instruments_max: Annotated[int, Field(ge=1, le=1 << 20)] = 1 << 16


class Config(Section):
    """Everything `si serve` needs; `directory` is where the file lies."""

    directory: Path
    firm: Firm
    refdata: Refdata
    hours: Hours = Hours()
    quoting: Quoting = Quoting()
    policy: PolicySettings = PolicySettings()
    desk: Desk = Desk()
    rfq: Rfq = Rfq()
    risk: Risk = Risk()
    tiers: Annotated[list[Tier], Field(max_length=TIERS)] = []
    pools: Annotated[list[Pool], Field(min_length=1, max_length=POOLS)] = [MAIN]
    clients: Annotated[list[Client], Field(min_length=1, max_length=1024)]
    fix: Fix
    feed: Feed = Feed()
    engine: Engine = Engine()
    drop_copy: DropCopy | None = None
    publication: Publication | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        names = [client.name for client in self.clients]
        if len(set(names)) != len(names):
            raise ValueError("clients: a name is used twice")
        check_tiers(self.tiers, [(client.name, client.tier) for client in self.clients])
        check_pools(
            self.pools,
            [(client.name, client.pool) for client in self.clients],
            [rule.pool for rule in self.policy.rule],
        )
        check_together(self.fix.sessions, names)
        return self

    @property
    def journal(self) -> Path:
        """Folder of the journal."""
        return self.directory / "journal"

    @property
    def desk_socket(self) -> Path:
        """Where desk commands arrive."""
        return self.directory / "desk.sock"

    @property
    def capacity(self) -> Capacity:
        """Rows of the engine's tables."""
        return Capacity(
            instruments=self.engine.instruments_max,
            orders=self.engine.orders_max,
            desk_items=self.engine.desk_items_max,
            given_quotes=self.engine.given_quotes_max,
        )

    def path(self, relative: Path) -> Path:
        """A path of the file, seen from the configuration's folder."""
        return self.directory / relative


def load(directory: Path) -> Config:
    """Read `si.toml` of a folder. Raises ConfigError with the line and the reason."""
    path = directory / CONFIG_FILE
    try:
        source = path.read_text()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}. `si init {directory}` makes a ready configuration."
        ) from error
    try:
        tree = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return Config(directory=directory.resolve(), **tree)
    except (ValidationError, TypeError) as error:
        raise ConfigError(_explain(path, source, error)) from error


def _explain(path: Path, source: str, error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{path}: {error}"
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        line = _line_of(source, [str(part) for part in problem["loc"]])
        place = f"{path}, line {line}" if line else str(path)
        why = problem["msg"]
        if problem["type"] == "extra_forbidden":
            why = "no such setting: a typo?"
        got = f" (got {problem['input']!r})" if problem["type"] not in ("missing",) else ""
        got = "" if isinstance(problem["input"], dict) else got
        lines.append(f"{place}: {where}: {why}{got}")
    return "\n".join(lines)


def _line_of(source: str, loc: list[str]) -> int:
    """Line of a setting: its table's header first, then its key; 0 where it is not there."""
    lines = source.splitlines()
    tables = [part for part in loc if not part.isdigit()]
    repeats = [int(part) for part in loc if part.isdigit()]
    key = tables[-1] if tables else ""
    start = 0
    for size in range(len(tables), 0, -1):
        header = ".".join(tables[:size])
        found = [
            i for i, line in enumerate(lines) if line.strip() in (f"[{header}]", f"[[{header}]]")
        ]
        if found:
            start = found[min(repeats[0] if repeats else 0, len(found) - 1)]
            break
    for number, line in enumerate(lines[start:], start + 1):
        if line.split("=")[0].strip() == key:
            return number
    return start + 1 if start else 0
