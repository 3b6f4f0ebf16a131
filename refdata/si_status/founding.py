"""The three worked examples that the product began with, and what is inconsistent in them.

Each is measured twice: with the numbers as the document uses them, which gives its verdict, and
with what the law can use of them. The document gives no counts; those below are chosen to fit its
words ("10 % of all orders", "every day", "every week") in 128 trading days, which are 26 weeks.
"""

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from refdata.si_status.assess import Figures, Limb, Verdict, measure, verdict_of
from refdata.si_status.thresholds import StatusClass, Threshold, threshold_on

BILLION = 10**9
DAYS = Fraction(128)
WEEKS = Fraction(26)
#: A day on which the quantitative test bound.
DAY = date(2024, 6, 28)


class Example(NamedTuple):
    """One example: what it says, and the figures that its words stand for."""

    name: str
    asset_class: StatusClass
    liquid: bool
    said: tuple[str, ...]
    as_written: Figures
    as_the_law_has_it: Figures
    document_verdict: Verdict
    inconsistencies: tuple[str, ...]


class Measured(NamedTuple):
    """An example's verdicts with the tests behind them."""

    example: Example
    threshold: Threshold
    as_written: tuple[Limb, ...]
    written_verdict: Verdict
    as_the_law_has_it: tuple[Limb, ...]
    law_verdict: Verdict


OWN_ORDERS = (
    "the systematic test is given as a share of all orders that the firm received; the legal "
    "denominator is all EU transactions in the instrument (DR 2017/565 Art 12(a)(i)), which the "
    "example does not tell"
)
LARGER = 'it compares with ">" where the text says "equal to or larger than"'

EXAMPLES = (
    Example(
        "Example 1: ABC Broking, DAX ETFs",
        StatusClass.ETF,
        True,
        (
            "internalises 10 % of all orders received",
            "deals OTC on own account every day",
            "internalises EUR 500 billion of a total turnover of EUR 1.5 trillion",
        ),
        Figures(128, 1_280, Fraction(500 * BILLION), Fraction(1_500 * BILLION), None, DAYS),
        Figures(128, None, Fraction(500 * BILLION), Fraction(1_500 * BILLION), None, DAYS),
        Verdict.YES,
        (OWN_ORDERS, LARGER),
    ),
    Example(
        "Example 2: DEF Broking, illiquid bonds",
        StatusClass.BOND,
        False,
        (
            "deals OTC on own account every week",
            "internalises EUR 200 billion; the EU's total turnover is EUR 10 trillion",
        ),
        Figures(26, None, Fraction(200 * BILLION), None, Fraction(10_000 * BILLION), WEEKS),
        Figures(26, None, Fraction(200 * BILLION), None, Fraction(10_000 * BILLION), WEEKS),
        Verdict.YES,
        (
            LARGER,
            "it concludes for one instrument; bonds are tested as a class issued by the same "
            "entity or group (DR 2017/565 Art 13)",
        ),
    ),
    Example(
        "Example 3: XYZ Broking, Vodafone shares",
        StatusClass.SHARE,
        True,
        (
            "internalises 20 % of all orders received",
            "deals OTC on own account once a week",
            "internalises EUR 10 billion of a total turnover of EUR 500 billion",
        ),
        Figures(26, 130, Fraction(10 * BILLION), Fraction(500 * BILLION), None, DAYS),
        Figures(26, None, Fraction(10 * BILLION), Fraction(500 * BILLION), None, DAYS),
        Verdict.NO,
        (
            OWN_ORDERS,
            LARGER,
            'it states EUR 10 billion of EUR 500 billion and then divides "200 billion/10 '
            'trillion", the numbers of example 2; both are 2 %, so the verdict stays',
            "it ends the substantial test at 15 % of the firm's turnover and skips the "
            "alternative, 0.4 % of the EU's turnover (DR 2017/565 Art 12(c)); the verdict stays "
            "because the frequent test fails alone",
        ),
    ),
)

GENERAL_INCONSISTENCIES = (
    "its table of thresholds agrees with DR 2017/565 Arts 12 to 16 in every number",
    "it runs post-trade publication (through an APA) and transaction reporting (through an ARM) "
    "together: these are two duties (MiFIR Arts 20 and 26)",
    "it describes the law before Directive (EU) 2024/790: the quantitative test is not applied "
    "from 1 February 2025",
)


def measure_example(example: Example) -> Measured:
    """Both readings of an example."""
    threshold = threshold_on(DAY, example.asset_class, liquid=example.liquid)
    written = measure(example.as_written, threshold)
    law = measure(example.as_the_law_has_it, threshold)
    return Measured(example, threshold, written, verdict_of(written), law, verdict_of(law))
