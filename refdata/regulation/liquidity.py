"""The liquid market test: DR (EU) 2017/567 Arts 1 to 5, each number against its threshold.

The published flag (FITRS) is what counts; use this to check it, not in its place. A Member State
may also designate up to five liquid instruments per type, which no number shows.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation.lis import amount
from refdata.regulation.rule import in_force, onshored

#: DR (EU) 2026/482: market capitalisation in place of free float, and Art 4a.
SIZE_TEST_FROM = regimes.OTHER_ILLIQUID_FROM


class LiquidityTest(NamedTuple):
    """Thresholds, all "at least". `size_name` says what `size_from` measures, in EUR or units.

    `size_mtf_from` is the threshold of an instrument traded on MTFs only. `never` is a class that
    has no liquid market whatever its numbers.
    """

    jurisdiction: str
    asset_classes: tuple[AssetClass, ...]
    valid_from: date
    valid_to: date | None
    size_name: str
    size_from: int
    size_mtf_from: int
    adnt_from: int
    adt_from_eur: int
    traded_daily: bool
    never: bool
    citation: str
    sure: bool


class Measure(NamedTuple):
    """One number of the instrument beside its threshold; `value` None where it was not given."""

    name: str
    value: Decimal | None
    threshold: int
    passed: bool | None


class Verdict(NamedTuple):
    """`liquid` None: the numbers given do not decide it, or the period has no rule."""

    liquid: bool | None
    measures: tuple[Measure, ...]
    words: str
    citation: str
    sure: bool


_FLOAT, _CAP = "free float, EUR", "market capitalisation, EUR"
_M = 1_000_000
_SHARE, _DR = (AssetClass.SHARE,), (AssetClass.DEPOSITARY_RECEIPT,)
_ETF, _CERTIFICATE, _OTHER = (AssetClass.ETF,), (AssetClass.CERTIFICATE,), (AssetClass.OTHER,)
_START = regimes.MIFID2_FROM

_EU_TESTS = (
    LiquidityTest("EU", _SHARE, _START, SIZE_TEST_FROM, _FLOAT, 100 * _M, 200 * _M, 250, _M,
                  True, False, "DR 2017/567 Art 1 as of 3 Jan 2018", True),
    LiquidityTest("EU", _SHARE, SIZE_TEST_FROM, None, _CAP, 100 * _M, 100 * _M, 250, _M,
                  True, False, "DR 2017/567 Art 1, by DR 2026/482", True),
    LiquidityTest("EU", _DR, _START, SIZE_TEST_FROM, _FLOAT, 100 * _M, 100 * _M, 250, _M,
                  False, False, "DR 2017/567 Art 2 as of 3 Jan 2018", True),
    LiquidityTest("EU", _DR, SIZE_TEST_FROM, None, _CAP, 100 * _M, 100 * _M, 250, _M,
                  False, False, "DR 2017/567 Art 2, by DR 2026/482", True),
    LiquidityTest("EU", _ETF, _START, None, "units issued", 100, 100, 10, 500_000,
                  False, False, "DR 2017/567 Art 3", True),
    LiquidityTest("EU", _CERTIFICATE, _START, None, "issuance size, EUR", _M, _M, 20, 500_000,
                  False, False, "DR 2017/567 Art 4", True),
    LiquidityTest("EU", _OTHER, SIZE_TEST_FROM, None, "", 0, 0, 0, 0,
                  False, True, "DR 2017/567 Art 4a, by DR 2026/482", True),
)  # fmt: skip
LIQUIDITY_TESTS = (*_EU_TESTS, *onshored(_EU_TESTS))


def liquidity_test_on(
    day: date, asset_class: AssetClass, jurisdiction: str = "EU"
) -> LiquidityTest | None:
    """The test of a class on `day`; None where the law has none (class other to 1 Mar 2026)."""
    for test in in_force(LIQUIDITY_TESTS, day, jurisdiction):
        if asset_class in test.asset_classes:
            return test
    return None


def never_liquid(asset_class: AssetClass, day: date, jurisdiction: str = "EU") -> bool:
    """True where the class has no liquid market by law on `day` (DR 2017/567 Art 4a)."""
    test = liquidity_test_on(day, asset_class, jurisdiction)
    return test is not None and test.never


def liquidity(
    asset_class: AssetClass,
    day: date,
    *,
    size: Decimal | int | None = None,
    adnt: Decimal | int | None = None,
    adt_eur: Decimal | int | None = None,
    traded_daily: bool | None = None,
    mtf_only: bool = False,
    jurisdiction: str = "EU",
) -> Verdict:
    """The verdict, and each number against its threshold.

    `size` is what the test of the day measures: EUR of free float, market capitalisation or
    issuance, or units. One number below its threshold is enough for "not liquid".
    """
    test = liquidity_test_on(day, asset_class, jurisdiction)
    if test is None:
        words = f"no liquid market test for class {asset_class.name.lower()} on {day.isoformat()}"
        return Verdict(None, (), words, "DR 2017/567 Arts 1-4", False)
    if test.never:
        words = f"class {asset_class.name.lower()} never has a liquid market"
        return Verdict(False, (), words, test.citation, test.sure)
    measures = [
        _measure(test.size_name, size, test.size_mtf_from if mtf_only else test.size_from),
        _measure("average daily number of transactions", adnt, test.adnt_from),
        _measure("average daily turnover, EUR", adt_eur, test.adt_from_eur),
    ]
    if test.traded_daily:
        value = None if traded_daily is None else Decimal(traded_daily)
        measures.insert(0, Measure("traded daily (1 yes, 0 no)", value, 1, traded_daily))
    passed = [measure.passed for measure in measures]
    if False in passed:
        liquid, words = False, "not liquid: " + _names(measures, False) + " below threshold"
    elif None in passed:
        liquid, words = None, "not decided: give " + _names(measures, None)
    else:
        liquid, words = True, "liquid: every number reaches its threshold"
    return Verdict(liquid, tuple(measures), words, test.citation, test.sure)


def _measure(name: str, value: Decimal | int | None, threshold: int) -> Measure:
    if value is None:
        return Measure(name, None, threshold, None)
    exact = amount(value)
    return Measure(name, exact, threshold, exact >= threshold)


def _names(measures: list[Measure], passed: bool | None) -> str:
    return ", ".join(measure.name for measure in measures if measure.passed is passed)
