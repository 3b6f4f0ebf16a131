"""The quantitative SI test as dated data: DR (EU) 2017/565 Arts 12 to 17, and when it bound.

Rule: a number of the test stands here, once, with its dates and citation; nothing else compares a
date. `valid_to` is exclusive, None is open. `sure` is False where a row rests on memory or
inference rather than on the official text: have it checked before use. Shares are in basis points
of the denominator, so 40 is 0.4 %.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple


class StatusClass(StrEnum):
    """Classes that DR 2017/565 Arts 12 to 16 tell apart, by the words of the files."""

    SHARE = "share"
    DEPOSITARY_RECEIPT = "dr"
    ETF = "etf"
    CERTIFICATE = "certificate"
    OTHER = "other"
    BOND = "bond"
    STRUCTURED_FINANCE = "sfp"
    DERIVATIVE = "derivative"
    EMISSION_ALLOWANCE = "emission_allowance"


class Scope(StrEnum):
    """What the test is made for, one at a time."""

    INSTRUMENT = "each instrument"
    ISSUER_CLASS = "each class of bonds or structured products issued by one entity or its group"
    DERIVATIVE_CLASS = "each class of derivatives"
    TYPE = "each type of emission allowance"


class Frequency(StrEnum):
    """How often the firm must deal, on average over the period."""

    DAILY = "daily"
    WEEKLY = "weekly"


class History(NamedTuple):
    """The least history of a newly issued instrument: whole months, then days."""

    months: int
    days: int

    def __str__(self) -> str:
        return f"{self.months} months" if self.months else f"{self.days // 7} weeks"


class Threshold(NamedTuple):
    """The test of some classes on one kind of market between two dates.

    `systematic_bps` of the EU's transactions (n/N), None where there is no such limb; the
    substantial limb is either `firm_bps` of the firm's turnover or `eu_bps` of the EU's.
    """

    asset_classes: tuple[StatusClass, ...]
    liquid: bool
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    systematic_bps: int | None
    frequency: Frequency
    firm_bps: int
    eu_bps: int
    scope: Scope
    history: History
    citation: str
    sure: bool


class Binding(StrEnum):
    """What makes a firm an SI."""

    QUANTITATIVE = "quantitative"
    SUSPENDED = "suspended"
    QUALITATIVE = "qualitative"


class Determination(NamedTuple):
    """How SI status was determined between two dates."""

    binding: Binding
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    rule: str
    citation: str
    sure: bool


#: MiFID II applies from this day (Dir 2014/65/EU Art 93).
MIFID2_FROM = date(2018, 1, 3)
#: ESMA's notice: the mandatory test is not applied from this day, no more data is published.
EU_TEST_ENDS = date(2025, 2, 1)
#: Directive (EU) 2024/790 is to be transposed by this day.
EU_QUALITATIVE_FROM = date(2025, 9, 29)
#: The United Kingdom's qualitative definition; from memory.
UK_QUALITATIVE_FROM = date(2025, 12, 1)

EQUITY_LIKE = (
    StatusClass.SHARE,
    StatusClass.DEPOSITARY_RECEIPT,
    StatusClass.ETF,
    StatusClass.CERTIFICATE,
    StatusClass.OTHER,
)
BONDS = (StatusClass.BOND,)
STRUCTURED = (StatusClass.STRUCTURED_FINANCE,)
DERIVATIVES = (StatusClass.DERIVATIVE,)
ALLOWANCES = (StatusClass.EMISSION_ALLOWANCE,)

THREE_MONTHS = History(3, 0)
SIX_WEEKS = History(0, 42)

EU = ("EU", MIFID2_FROM, None)
UK = ("UK", MIFID2_FROM, None)
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY
INSTRUMENT, ISSUER = Scope.INSTRUMENT, Scope.ISSUER_CLASS

#: The rows stay open, for monitoring: DR 2017/565 Arts 12-17 stand in the last consolidation that
#: was read, without the definition that they served. `DETERMINATIONS` says when they bound.
THRESHOLDS = (
    Threshold(EQUITY_LIKE, True, *EU, 40, DAILY, 1_500, 40, INSTRUMENT, THREE_MONTHS,
              "DR 2017/565 Art 12(a), (c)", True),
    Threshold(EQUITY_LIKE, False, *EU, None, DAILY, 1_500, 40, INSTRUMENT, THREE_MONTHS,
              "DR 2017/565 Art 12(b), (c)", True),
    Threshold(BONDS, True, *EU, 250, WEEKLY, 2_500, 100, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 13(a), (c)", True),
    Threshold(BONDS, False, *EU, None, WEEKLY, 2_500, 100, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 13(b), (c)", True),
    Threshold(STRUCTURED, True, *EU, 400, WEEKLY, 3_000, 225, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 14(a), (c)", True),
    Threshold(STRUCTURED, False, *EU, None, WEEKLY, 3_000, 225, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 14(b), (c)", True),
    Threshold(DERIVATIVES, True, *EU, 250, WEEKLY, 2_500, 100, Scope.DERIVATIVE_CLASS, SIX_WEEKS,
              "DR 2017/565 Art 15(a), (c)", True),
    Threshold(DERIVATIVES, False, *EU, None, WEEKLY, 2_500, 100, Scope.DERIVATIVE_CLASS, SIX_WEEKS,
              "DR 2017/565 Art 15(b), (c)", True),
    # Art 17 names no least history for allowances: six weeks, as for the others, is a choice.
    Threshold(ALLOWANCES, True, *EU, 400, WEEKLY, 3_000, 225, Scope.TYPE, SIX_WEEKS,
              "DR 2017/565 Art 16(a), (c)", False),
    Threshold(ALLOWANCES, False, *EU, None, WEEKLY, 3_000, 225, Scope.TYPE, SIX_WEEKS,
              "DR 2017/565 Art 16(b), (c)", False),
    # From memory: the onshored articles, not read in the official text.
    Threshold(EQUITY_LIKE, True, *UK, 40, DAILY, 1_500, 40, INSTRUMENT, THREE_MONTHS,
              "DR 2017/565 Art 12 as onshored", False),
    Threshold(EQUITY_LIKE, False, *UK, None, DAILY, 1_500, 40, INSTRUMENT, THREE_MONTHS,
              "DR 2017/565 Art 12 as onshored", False),
    Threshold(BONDS, True, *UK, 250, WEEKLY, 2_500, 100, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 13 as onshored", False),
    Threshold(BONDS, False, *UK, None, WEEKLY, 2_500, 100, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 13 as onshored", False),
    Threshold(STRUCTURED, True, *UK, 400, WEEKLY, 3_000, 225, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 14 as onshored", False),
    Threshold(STRUCTURED, False, *UK, None, WEEKLY, 3_000, 225, ISSUER, SIX_WEEKS,
              "DR 2017/565 Art 14 as onshored", False),
    Threshold(DERIVATIVES, True, *UK, 250, WEEKLY, 2_500, 100, Scope.DERIVATIVE_CLASS, SIX_WEEKS,
              "DR 2017/565 Art 15 as onshored", False),
    Threshold(DERIVATIVES, False, *UK, None, WEEKLY, 2_500, 100, Scope.DERIVATIVE_CLASS, SIX_WEEKS,
              "DR 2017/565 Art 15 as onshored", False),
    Threshold(ALLOWANCES, True, *UK, 400, WEEKLY, 3_000, 225, Scope.TYPE, SIX_WEEKS,
              "DR 2017/565 Art 16 as onshored", False),
    Threshold(ALLOWANCES, False, *UK, None, WEEKLY, 3_000, 225, Scope.TYPE, SIX_WEEKS,
              "DR 2017/565 Art 16 as onshored", False),
)  # fmt: skip

DETERMINATIONS = (
    Determination(
        Binding.QUANTITATIVE, "EU", MIFID2_FROM, EU_TEST_ENDS,
        "A firm that meets the quantitative test is a Systematic Internaliser; others may opt in.",
        "MiFID II Art 4(1)(20) as of 3 Jan 2018; DR 2017/565 Arts 12-17", True,
    ),
    Determination(
        Binding.SUSPENDED, "EU", EU_TEST_ENDS, EU_QUALITATIVE_FROM,
        "The mandatory quantitative test is no longer applied and ESMA publishes no data for it; "
        "the qualitative definition is not yet due to be transposed.",
        "ESMA notice on the end of SI data; Dir (EU) 2024/790 (transposition 29 Sep 2025)", True,
    ),
    Determination(
        Binding.QUALITATIVE, "EU", EU_QUALITATIVE_FROM, None,
        "A firm is a Systematic Internaliser in equity instruments where it deals on own account "
        "on an organised, frequent and systematic basis, or opts in; in other instruments only "
        "where it opts in. No number decides.",
        "MiFID II Art 4(1)(20), by Dir (EU) 2024/790", True,
    ),
    Determination(
        Binding.QUANTITATIVE, "UK", MIFID2_FROM, UK_QUALITATIVE_FROM,
        "A firm that meets the quantitative test is a Systematic Internaliser; others may opt in.",
        "DR 2017/565 Arts 12-17 as onshored", False,
    ),
    Determination(
        Binding.QUALITATIVE, "UK", UK_QUALITATIVE_FROM, None,
        "The quantitative test is replaced by a qualitative definition.",
        "FCA Handbook as of 1 Dec 2025", False,
    ),
)  # fmt: skip


def threshold_on(
    day: date, asset_class: StatusClass, *, liquid: bool, jurisdiction: str = "EU"
) -> Threshold:
    """The row in force on `day`; LookupError where there is none."""
    for row in THRESHOLDS:
        if (
            row.jurisdiction == jurisdiction
            and row.liquid is liquid
            and asset_class in row.asset_classes
            and _holds(row.valid_from, row.valid_to, day)
        ):
            return row
    raise LookupError(
        f"no quantitative SI threshold for {asset_class.value}, {jurisdiction}, {day.isoformat()}"
    )


def determination_on(day: date, jurisdiction: str = "EU") -> Determination:
    """How SI status is determined on `day`; LookupError where no rule is known."""
    for row in DETERMINATIONS:
        if row.jurisdiction == jurisdiction and _holds(row.valid_from, row.valid_to, day):
            return row
    raise LookupError(f"no SI definition for {jurisdiction} on {day.isoformat()}")


def _holds(valid_from: date, valid_to: date | None, day: date) -> bool:
    return valid_from <= day and (valid_to is None or day < valid_to)
