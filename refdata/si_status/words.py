"""The assessment in words: numbers as text, explanations, and the plain form for JSON.

Rule: a share is printed rounded down, so that one below its limit never looks as if it reached it.
"""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

from refdata.si_status.assess import Assessment, Limb, LimbName, Outcome, substantial_of
from refdata.si_status.quarters import Quarter
from refdata.si_status.thresholds import Binding, Determination, Frequency, Threshold

PERCENT = 100
PERCENT_PLACES = 4
MONEY_PLACES = 2
WIDE = Context(prec=80, rounding=ROUND_FLOOR)

MONITORING = (
    "Monitoring only: the mandatory quantitative test is not applied from 1 February 2025 (ESMA); "
    "since 29 September 2025 SI status follows from a qualitative definition, for equity "
    "instruments, or from opting in (Directive (EU) 2024/790). A \"yes\" below makes nobody an SI."
)  # fmt: skip
MONITORING_UK = (
    "Monitoring only: the quantitative test was replaced by a qualitative definition from "
    "1 December 2025 (from memory, have it checked). A \"yes\" below makes nobody an SI."
)  # fmt: skip

#: (test, what it asks, where it stands), for the report.
EXPLANATIONS = (
    ("systematic", "The firm's own-account OTC transactions that execute client orders (n), as a "
     "share of all transactions in the EU in the instrument or class, on venues and OTC (N). Only "
     "where there is a liquid market.", "DR 2017/565 Arts 12(a)(i), 13(a)(i), 14(a)(i), 15(a)(i), "
     "16(a)(i)"),
    ("frequent", "How often those transactions take place on average: n for each trading day of "
     "the six months (daily) or for each whole week of them (weekly) is at least 1. The law gives "
     "no formula; this one is stated with every result.", "DR 2017/565 Arts 12(a)(ii), (b), "
     "13-16 likewise"),
    ("substantial", "The value of those transactions (v), either as a share of the firm's total "
     "turnover in the instrument or class, on own account and for clients, on venues and OTC "
     "(V_f), or as a share of the EU's total turnover in it (V).", "DR 2017/565 Arts 12(c), "
     "13(c), 14(c), 15(c), 16(c)"),
    ("together", "SI = substantial and frequent, and with a liquid market also systematic. Each "
     "comparison is \"equal to or larger than\".", "MiFID II Art 4(1)(20) as of 3 Jan 2018; "
     "DR 2017/565 Art 17 for the calendar and newly issued instruments"),
)  # fmt: skip


def floor_text(value: Fraction, places: int) -> str:
    """A number with thousands separators, rounded down."""
    scaled = value.numerator * 10**places // value.denominator
    return f"{Decimal(scaled).scaleb(-places, WIDE):,f}"


def percent(value: Fraction) -> str:
    """A share in percent, rounded down."""
    text = floor_text(value * PERCENT, PERCENT_PLACES)
    return f"{text.rstrip('0').rstrip('.')} %"


def short_percent(value: Fraction) -> str:
    """A share in percent for a chart: two decimals from 1 % on, four below; rounded down."""
    text = floor_text(value * PERCENT, 2 if value * PERCENT >= 1 else PERCENT_PLACES)
    return f"{text.rstrip('0').rstrip('.')} %"


def money(value: Fraction | None) -> str:
    """EUR, or a dash where there is no data."""
    if value is None:
        return "-"
    text = floor_text(value, MONEY_PLACES)
    return text.removesuffix(".00")


def bps_text(bps: int) -> str:
    """Basis points as percent: 225 is 2.25 %."""
    return percent(Fraction(bps, 10_000))


def value_text(test: Limb) -> str:
    """The share or average that was compared, or what there is of it."""
    if test.value is None:
        return "0" if test.outcome is Outcome.NOT_MET else "no data"
    if test.name is LimbName.FREQUENT:
        return floor_text(test.value, PERCENT_PLACES)
    return percent(test.value)


def limit_text(test: Limb, threshold: Threshold) -> str:
    """The limit with its unit."""
    if test.name is LimbName.FREQUENT:
        return "1 a trading day" if threshold.frequency is Frequency.DAILY else "1 a week"
    return percent(test.limit)


def test_line(test: Limb, threshold: Threshold) -> str:
    """`n / N = 4 / 1,000 = 0.4 % >= 0.4 %: met`."""
    symbols = {
        LimbName.SYSTEMATIC: "n / N",
        LimbName.FREQUENT: "n / days" if threshold.frequency is Frequency.DAILY else "n / weeks",
        LimbName.FIRM: "v / V_f",
        LimbName.EU: "v / V",
    }
    whole = "no data" if test.denominator is None else money(test.denominator)
    line = f"{symbols[test.name]} = {money(test.numerator)} / {whole}"
    if test.value is not None:
        line += f" = {value_text(test)}"
    sign = {Outcome.MET: ">=", Outcome.NOT_MET: "<", Outcome.NO_DATA: "against"}[test.outcome]
    return f"{line} {sign} {limit_text(test, threshold)}: {test.outcome.value}"


def calendar_line(quarter: Quarter) -> str:
    """The dates of an assessment."""
    last = quarter.shifted(-1)
    return (
        f"{quarter}: data from {quarter.data_from.isoformat()} to the end of {last}, assessed from "
        f"{quarter.starts_on().isoformat()}, EU data by {quarter.published_by.isoformat()}, "
        f"compliance by {quarter.comply_by.isoformat()} (that day is from memory)"
    )


def banner(determinations: Iterable[Determination]) -> str:
    """The monitoring notice where one of the assessments has it, else ""."""
    for row in determinations:
        if row.binding is not Binding.QUANTITATIVE:
            return MONITORING if row.jurisdiction == "EU" else MONITORING_UK
    return ""


def as_dict(assessment: Assessment) -> dict[str, Any]:
    """Plain JSON: exact fractions as text beside the rounded share."""
    figures, threshold = assessment.figures, assessment.threshold
    return {
        "instrument": assessment.subject,
        "quarter": str(assessment.quarter),
        "data_from": assessment.quarter.data_from.isoformat(),
        "data_until": assessment.quarter.data_to.isoformat(),
        "asset_class": assessment.asset_class.value,
        "scope": threshold.scope.value,
        "liquid": assessment.liquid,
        "verdict": assessment.verdict.value,
        "monitoring": assessment.monitoring,
        "substantial": substantial_of(assessment.tests).value if assessment.tests else None,
        "tests": [_test_dict(test) for test in assessment.tests],
        "figures": None
        if figures is None
        else {
            "n": figures.client_trades,
            "N": figures.eu_trades,
            "v_eur": _exact(figures.client_eur),
            "V_f_eur": _exact(figures.firm_eur),
            "V_eur": _exact(figures.eu_eur),
            "periods": _exact(figures.periods),
            "frequency": threshold.frequency.value,
        },
        "citation": threshold.citation,
        "sure": threshold.sure and assessment.determination.sure,
        "determination": assessment.determination.rule,
        "determination_citation": assessment.determination.citation,
        "remarks": list(assessment.remarks),
    }


def _test_dict(test: Limb) -> dict[str, Any]:
    return {
        "test": test.name.value,
        "outcome": test.outcome.value,
        "numerator": _exact(test.numerator),
        "denominator": _exact(test.denominator),
        "value": None if test.value is None else floor_text(test.value, 8).replace(",", ""),
        "limit": _exact(test.limit),
    }


def _exact(value: Fraction | None) -> str | None:
    """`1/250`, `130` or None: what `Fraction(text)` reads back."""
    return None if value is None else str(value)
