"""A version of our public quote as it is published: RTS 1 Annex I Table 1b in JSON.

One record a version, both sides in it. Prices are decimal text in the major unit of their currency
(Table 1b), so that pence become pounds; no number goes through a float.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from engine.enums import Reason
from engine.reasons import WORDS
from refdata.ecb import MINOR_UNITS

PX_DIGITS = 6  # of `px_e6`
MINOR_DIGITS = 2  # a hundred of the minor unit make one of the major
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class State(StrEnum):
    """What a version does to the one before."""

    NEW = "NEW"  # there was none, or it was withdrawn
    AMEND = "AMEND"
    WITHDRAW = "WITHDRAW"


class Firm(NamedTuple):
    """Identity of the Systematic Internaliser (DR 2017/567 Art 13)."""

    lei: str
    mic: str
    name: str


class Size(NamedTuple):
    """One of the sizes that a version is quoted in."""

    bid_px_e6: int
    ask_px_e6: int
    bid_qty: int
    ask_qty: int


class Version(NamedTuple):
    """What the journal says of one version; `sequence` counts the versions of a journal from 1."""

    sequence: int
    isin: str
    currency: str  # as the venue quotes: GBX for pence
    quote_id: int
    state: State
    bid_px_e6: int  # 0 with the other three where it is withdrawn
    ask_px_e6: int
    bid_qty: int
    ask_qty: int
    reason: Reason
    entered_ns: int
    mic: str
    more: tuple[Size, ...]  # besides that of the prices above, ascending


_Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")]
_Price = Annotated[str, Field(pattern=r"^\d{1,18}(\.\d{1,13})?$")]
_Quantity = Annotated[str, Field(pattern=r"^\d{1,18}$")]


def _field(words: str) -> Any:
    return Field(description=words)


class SizeRecord(BaseModel):
    """A size of a quote, with the prices that an order of that size gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bid_price: _Price
    bid_quantity: _Quantity
    offer_price: _Price
    offer_quantity: _Quantity


class QuoteRecord(BaseModel):
    """One version of a firm two-way quote of a Systematic Internaliser."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, title="Quote of an SI",
        json_schema_serialization_defaults_required=True,  # what is written has every field
    )  # fmt: skip

    series: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")] = _field(
        "a record of the engine: a new series ends every quote of the one before"
    )
    sequence: Annotated[int, Field(ge=1)] = _field("counts the records of a series, without gaps")
    update_date_and_time: _Time = _field(
        "when the quote was entered, amended or withdrawn, UTC (RTS 1 Art 9(d))"
    )
    publication_date_and_time: _Time = _field("when this record was published, UTC")
    si_lei: Annotated[str, Field(pattern=r"^[A-Z0-9]{18}\d\d$")] = _field("ISO 17442")
    si_mic: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")] = _field("ISO 10383")
    si_name: str = _field("name of the Systematic Internaliser")
    instrument_identification_code: Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9]{9}\d$")] = (
        _field("ISIN, ISO 6166")
    )
    quote_id: Annotated[str, Field(pattern=r"^\d+$")] = _field(
        "one version in its series; QuoteID(117) of our FIX quotes"
    )
    state: Literal["NEW", "AMEND", "WITHDRAW"] = _field("what it does to the version before")
    bid_price: _Price | None = _field("at which we buy; null where withdrawn")
    bid_quantity: _Quantity | None = _field("shares or units")
    offer_price: _Price | None = _field("at which we sell; null where withdrawn")
    offer_quantity: _Quantity | None = _field("shares or units")
    price_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = _field(
        "ISO 4217; prices are in its major unit"
    )
    price_notation: Literal["MONE"] = _field("monetary value")
    reason_code: str | None = _field("why it is withdrawn; null where it is not")
    reason: str | None = _field("the same in words")
    sizes: tuple[SizeRecord, ...] = Field(
        default=(),  # lines of before there were several say none
        description="all sizes that are quoted, the one above first, then larger ones; an order "
        "gets the smallest that covers it",
    )


def json_schema() -> dict[str, Any]:
    """The description of a record, for machines."""
    return {"$schema": SCHEMA_DIALECT} | QuoteRecord.model_json_schema(mode="serialization")


def series_name(mark: int) -> str:
    """The name of a journal's series, from the mark of its first frame."""
    return f"{mark:08x}"


def record_of(version: Version, series: str, firm: Firm, published_ns: int) -> QuoteRecord:
    """The record of a version that is published now."""
    live = version.state != State.WITHDRAW
    words = WORDS[version.reason]
    first = Size(version.bid_px_e6, version.ask_px_e6, version.bid_qty, version.ask_qty)
    return QuoteRecord(
        series=series,
        sequence=version.sequence,
        update_date_and_time=stamp(version.entered_ns),
        publication_date_and_time=stamp(published_ns),
        si_lei=firm.lei,
        si_mic=version.mic,
        si_name=firm.name,
        instrument_identification_code=version.isin,
        quote_id=str(version.quote_id),
        state=version.state.value,
        bid_price=price(version.bid_px_e6, version.currency) if live else None,
        bid_quantity=str(version.bid_qty) if live else None,
        offer_price=price(version.ask_px_e6, version.currency) if live else None,
        offer_quantity=str(version.ask_qty) if live else None,
        price_currency=MINOR_UNITS.get(version.currency, version.currency),
        price_notation="MONE",
        reason_code=None if live else words.prefix,
        reason=None if live else words.sentence.partition(",")[0],  # behind it an order's numbers
        sizes=tuple(_size(size, version.currency) for size in (first, *version.more) if live),
    )


def _size(size: Size, currency: str) -> SizeRecord:
    return SizeRecord(
        bid_price=price(size.bid_px_e6, currency),
        bid_quantity=str(size.bid_qty),
        offer_price=price(size.ask_px_e6, currency),
        offer_quantity=str(size.ask_qty),
    )


def price(px_e6: int, currency: str) -> str:
    """A price in the major unit of its currency, without trailing zeros."""
    digits = PX_DIGITS + (MINOR_DIGITS if currency in MINOR_UNITS else 0)
    return f"{Decimal(px_e6).scaleb(-digits).normalize():f}"


def stamp(ts_ns: int) -> str:
    """UTC to the nanosecond, ISO 8601."""
    return f"{_second(ts_ns // 10**9)}.{ts_ns % 10**9:09d}Z"


@lru_cache(maxsize=1 << 10)
def _second(ts_s: int) -> str:
    return f"{datetime.fromtimestamp(ts_s, UTC):%Y-%m-%dT%H:%M:%S}"


def ns_of(text: str) -> int:
    """The nanoseconds of a `stamp`. Raises ValueError."""
    moment = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(text[20:29])
