"""The SI test against an oracle of its own, at every edge, and on the documents' examples.

The oracle has the thresholds typed in again, as percentages, and decides by trying out every value
that a missing number could have.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdata.si_status import founding
from refdata.si_status.assess import (
    E18,
    Assessment,
    Capacity,
    Flow,
    Limb,
    LimbName,
    Outcome,
    Totals,
    Trade,
    Verdict,
    assess_quarter,
    assess_subject,
    compare,
    coverage_of,
    flows_of,
    quarters_of,
    verdict_of,
)
from refdata.si_status.quarters import (
    Quarter,
    after,
    has_history,
    in_force_on,
    is_working_day,
    parse_quarter,
    quarter_of,
    quarter_of_period,
    trading_days,
)
from refdata.si_status.thresholds import (
    DETERMINATIONS,
    THRESHOLDS,
    Binding,
    History,
    StatusClass,
    determination_on,
    threshold_on,
)

pytestmark = pytest.mark.pure

Q = Quarter(2024, 3)  # January to June 2024: 130 weekdays, 26 weeks
DAY = date(2024, 3, 5)
ISIN = "DE0007164600"

#: DR 2017/565 Arts 12-16 as percentages: n/N (liquid), how often, v/V_f, v/V.
LAW = {
    "share": ("0.4", "daily", "15", "0.4"),
    "dr": ("0.4", "daily", "15", "0.4"),
    "etf": ("0.4", "daily", "15", "0.4"),
    "certificate": ("0.4", "daily", "15", "0.4"),
    "other": ("0.4", "daily", "15", "0.4"),
    "bond": ("2.5", "weekly", "25", "1"),
    "sfp": ("4", "weekly", "30", "2.25"),
    "derivative": ("2.5", "weekly", "25", "1"),
    "emission_allowance": ("4", "weekly", "30", "2.25"),
}
CLASSES = [StatusClass(word) for word in LAW]


def part_of(percent: str) -> Fraction:
    return Fraction(Decimal(percent)) / 100


# --- the oracle -------------------------------------------------------------------------------


def oracle(trades: list[Trade], totals: Totals | None, quarter: Quarter) -> str:
    """Yes, no or "cannot be said", counted from the trades one by one."""
    start = {1: (-1, 7), 2: (-1, 10), 3: (0, 1), 4: (0, 4)}[quarter.number]
    first = date(quarter.year + start[0], start[1], 1)
    until = date(quarter.year, {1: 1, 2: 4, 3: 7, 4: 10}[quarter.number], 1)
    mine = [trade for trade in trades if first <= trade.day < until]
    n, v, total = 0, Fraction(0), Fraction(0)
    for trade in mine:
        amount = Fraction(trade.turnover_eur_e18, 10**18)
        total += amount
        if trade.capacity == "DEAL" and trade.client_order and trade.otc:
            n, v = n + 1, v + amount
    newest = max(trade.day for trade in mine)
    liquid = totals.liquid if totals else [t for t in mine if t.day == newest][-1].liquid
    systematic, often, of_firm, of_eu = LAW[mine[0].asset_class.value]
    span = [first + timedelta(days=i) for i in range((until - first).days)]
    if often == "daily":
        periods = sum(day.isoweekday() < 6 for day in span)
    else:
        periods = len(span) // 7
    eu_n = totals.transactions if totals else None
    eu_v = Fraction(totals.turnover_eur_e18, 10**18) if totals else None
    if eu_n is not None and eu_v is not None and (n > eu_n or v > eu_v):
        eu_n = eu_v = None
    results = set()
    for guess_n, guess_v in product((True, False), repeat=2):
        enough = guess_n if eu_n is None or eu_n == 0 else n >= part_of(systematic) * eu_n
        large = guess_v if eu_v is None or eu_v == 0 else v >= part_of(of_eu) * eu_v
        enough, large = enough and n > 0, large and v > 0
        substantial = large or (v > 0 and v >= part_of(of_firm) * total)
        results.add(substantial and n >= periods and (enough or not liquid))
    return {(True,): "yes", (False,): "no"}.get(tuple(results), "cannot be said")


# --- strategies -------------------------------------------------------------------------------

DAYS = st.dates(date(2023, 11, 1), date(2024, 8, 31))
AMOUNTS = st.integers(1, 10**9).map(lambda cents: cents * E18 // 100)


@st.composite
def worlds(draw: Any) -> tuple[list[Trade], Totals | None]:
    """Trades of one subject, some repeated until they are frequent, and totals close to them."""
    asset_class = draw(st.sampled_from(CLASSES))
    trade = st.builds(
        Trade, DAYS, st.just("X"), st.just(asset_class), st.booleans(), AMOUNTS,
        st.sampled_from(Capacity), st.booleans(), st.booleans(),
    )  # fmt: skip
    trades = draw(st.lists(trade, max_size=12))
    internal = Trade(DAY, "X", asset_class, True, 100 * E18, Capacity.OWN_ACCOUNT, True, True)
    counts = st.sampled_from([0, 1, 25, 26, 27, 129, 130, 131])
    trades += [internal] * draw(counts)
    other = draw(st.sampled_from([{"otc": False}, {"client_order": False}]))
    trades += [internal._replace(**other)] * draw(counts)
    trades.append(internal._replace(client_order=False, turnover_eur_e18=draw(AMOUNTS)))
    if draw(st.booleans()):
        return trades, None
    n = sum(t.client_order and t.otc and t.capacity is Capacity.OWN_ACCOUNT for t in trades)
    near = [0, 1, n, n * 25, n * 40, n * 250, n * 250 + 1]
    euros = [0, 5, 100 * n, 100 * n * 100, 100 * n * 250, 100 * n * 250 + 1]
    totals = Totals(
        "X", Q, asset_class, draw(st.booleans()), draw(st.sampled_from(near)),
        draw(st.sampled_from(euros)) * E18, None,
    )  # fmt: skip
    return trades, totals


@given(worlds())
def test_the_verdict_is_the_oracle_s(world: tuple[list[Trade], Totals | None]) -> None:
    trades, totals = world
    known = {("X", Q): totals} if totals else {}
    [found] = assess_quarter(flows_of(trades), known, Q)
    assert found.verdict.value == oracle(trades, totals, Q)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_trades_does_not_matter(world: Any, random: Any) -> None:
    """But for the liquidity flag of the last one, here the same in all."""
    trades = [trade._replace(liquid=True) for trade in world[0]]
    mixed = list(trades)
    random.shuffle(mixed)
    assert flows_of(mixed) == flows_of(trades)


@given(st.lists(st.sampled_from(Outcome), min_size=4, max_size=4))
def test_missing_data_decide_nothing(outcomes: list[Outcome]) -> None:
    """Yes or no only where every value of what is missing leads there."""
    names = (LimbName.SYSTEMATIC, LimbName.FREQUENT, LimbName.FIRM, LimbName.EU)
    tests = [
        Limb(name, Fraction(1), None, Fraction(1), outcome)
        for name, outcome in zip(names, outcomes, strict=True)
    ]
    choices = [
        (True, False) if outcome is Outcome.NO_DATA else (outcome is Outcome.MET,)
        for outcome in outcomes
    ]
    results = {s and f and (firm or eu) for s, f, firm, eu in product(*choices)}
    expected = {
        frozenset({True}): Verdict.YES,
        frozenset({False}): Verdict.NO,
        frozenset({True, False}): Verdict.CANNOT_SAY,
    }
    assert verdict_of(tests) is expected[frozenset(results)]


# --- edges ------------------------------------------------------------------------------------


def outcome_of(found: Assessment, name: LimbName) -> Outcome:
    test = found.test(name)
    assert test is not None
    return test.outcome


def flow(asset_class: StatusClass, n: int, v_e18: int, total_e18: int, liquid: bool = True) -> Flow:
    return Flow(asset_class, DAY, DAY, liquid, n, n, v_e18, total_e18)


def totals_of(asset_class: StatusClass, n: int, v_e18: int, liquid: bool = True) -> Totals:
    return Totals("X", Q, asset_class, liquid, n, v_e18, None)


@pytest.mark.parametrize("asset_class", CLASSES)
def test_systematic_at_its_limit(asset_class: StatusClass) -> None:
    """0.4 % of 50 000 is 200: met; of 50 001, or with 199, not."""
    limit = part_of(LAW[asset_class.value][0])
    n = 200
    whole = n / limit
    assert whole.denominator == 1
    for mine, eu, expected in (
        (n, int(whole), Outcome.MET),
        (n, int(whole) + 1, Outcome.NOT_MET),
        (n - 1, int(whole), Outcome.NOT_MET),
        (n + 1, int(whole), Outcome.MET),
    ):
        found = assess_subject(
            "X", flow(asset_class, mine, E18, E18), totals_of(asset_class, eu, 10**9 * E18), Q
        )
        assert outcome_of(found, LimbName.SYSTEMATIC) is expected


@pytest.mark.parametrize("asset_class", CLASSES)
@pytest.mark.parametrize("name", [LimbName.FIRM, LimbName.EU])
def test_substantial_at_its_limit(asset_class: StatusClass, name: LimbName) -> None:
    """15 % of EUR 9 000 is 1 350: met; a quintillionth of a euro less, or more of a whole, not."""
    limit = part_of(LAW[asset_class.value][2 if name is LimbName.FIRM else 3])
    whole = 9_000 * E18
    part = int(limit * whole)
    for v, total, expected in (
        (part, whole, Outcome.MET),
        (part - 1, whole, Outcome.NOT_MET),
        (part, whole + 1, Outcome.NOT_MET),
        (part + 1, whole + 1, Outcome.MET),
    ):
        firm, eu = (total, 10**9 * E18) if name is LimbName.FIRM else (10**9 * E18, total)
        found = assess_subject(
            "X", flow(asset_class, 1, v, firm), totals_of(asset_class, 10, eu), Q
        )
        assert outcome_of(found, name) is expected


@pytest.mark.parametrize("asset_class", CLASSES)
@pytest.mark.parametrize("liquid", [True, False])
def test_frequent_at_its_limit(asset_class: StatusClass, liquid: bool) -> None:
    """130 weekdays and 26 whole weeks from January to June 2024."""
    periods = 130 if LAW[asset_class.value][1] == "daily" else 26
    for n, expected in (
        (periods - 1, Outcome.NOT_MET), (periods, Outcome.MET), (periods + 1, Outcome.MET),
    ):  # fmt: skip
        found = assess_subject("X", flow(asset_class, n, E18, E18, liquid), None, Q)
        assert outcome_of(found, LimbName.FREQUENT) is expected
        assert found.figures is not None and found.figures.periods == periods


@pytest.mark.parametrize("quarter", [Quarter(2018, 3).shifted(i) for i in range(30)], ids=str)
def test_one_trade_on_each_wednesday_is_weekly(quarter: Quarter) -> None:
    span = (quarter.data_to - quarter.data_from).days
    days = [quarter.data_from + timedelta(days=i) for i in range(span)]
    trade = Trade(DAY, "X", StatusClass.BOND, False, E18, Capacity("DEAL"), True, True)
    trades = [trade._replace(day=day) for day in days if day.isoweekday() == 3]
    [found] = assess_quarter(flows_of(trades), {}, quarter)
    assert outcome_of(found, LimbName.FREQUENT) is Outcome.MET
    [less] = assess_quarter(flows_of(trades[:-2]), {}, quarter)
    assert outcome_of(less, LimbName.FREQUENT) is Outcome.NOT_MET


def test_an_illiquid_market_has_no_systematic_test() -> None:
    found = assess_subject("X", flow(StatusClass.SHARE, 130, E18, E18, liquid=False), None, Q)
    assert found.test(LimbName.SYSTEMATIC) is None
    assert found.verdict is Verdict.YES


def test_the_totals_say_what_is_liquid() -> None:
    totals = totals_of(StatusClass.SHARE, 10**6, 10**9 * E18, liquid=False)
    found = assess_subject("X", flow(StatusClass.SHARE, 130, E18, E18, liquid=True), totals, Q)
    assert not found.liquid and found.verdict is Verdict.YES
    assert any("illiquid as the EU totals say" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("capacity", "client_order", "otc", "counts"),
    [
        ("DEAL", True, True, True),
        ("DEAL", True, False, False),
        ("DEAL", False, True, False),
        ("AOTC", True, True, False),
        ("MTCH", True, True, False),
    ],
)
def test_what_counts_as_internalised(
    capacity: str, client_order: bool, otc: bool, counts: bool
) -> None:
    """Everything is turnover of the firm; n and v are own account, OTC, for a client."""
    trade = Trade(DAY, "X", StatusClass.ETF, True, 7, Capacity(capacity), client_order, otc)
    [made] = flows_of([trade]).values()
    assert (made.client_trades, made.client_eur_e18) == ((1, 7) if counts else (0, 0))
    assert (made.trades, made.total_eur_e18) == (1, 7)


def test_totals_below_the_firm_s_own_numbers_are_not_used() -> None:
    totals = totals_of(StatusClass.SHARE, 129, 10**9 * E18)
    found = assess_subject("X", flow(StatusClass.SHARE, 130, E18, E18), totals, Q)
    assert outcome_of(found, LimbName.SYSTEMATIC) is Outcome.NO_DATA
    assert found.verdict is Verdict.CANNOT_SAY
    assert any("exceed the EU's totals" in remark for remark in found.remarks)
    alone = totals._replace(transactions=130, turnover_eur_e18=E18)  # the firm is all there is
    found = assess_subject("X", flow(StatusClass.SHARE, 130, E18, E18), alone, Q)
    assert found.remarks == () and found.verdict is Verdict.YES


def test_nothing_internalised_is_no_without_any_totals() -> None:
    found = assess_subject("X", flow(StatusClass.SHARE, 0, 0, E18), None, Q)
    assert found.verdict is Verdict.NO
    assert {test.outcome for test in found.tests} == {Outcome.NOT_MET}


@pytest.mark.parametrize(
    ("asset_class", "first_traded", "assessed"),
    [
        (StatusClass.SHARE, date(2024, 4, 1), True),  # three months to the end of June
        (StatusClass.SHARE, date(2024, 4, 2), False),
        (StatusClass.BOND, date(2024, 5, 20), True),  # 42 days
        (StatusClass.BOND, date(2024, 5, 21), False),
        (StatusClass.EMISSION_ALLOWANCE, date(2024, 5, 21), False),
    ],
)
def test_a_new_instrument_needs_history(
    asset_class: StatusClass, first_traded: date, assessed: bool
) -> None:
    totals = totals_of(asset_class, 10**6, 10**9 * E18)._replace(first_traded=first_traded)
    found = assess_subject("X", flow(asset_class, 500, E18, E18), totals, Q)
    assert (found.verdict is not Verdict.NOT_ASSESSED) is assessed
    if assessed:
        assert found.figures is not None
        days = (date(2024, 7, 1) - first_traded).days
        assert found.figures.periods == (65 if asset_class is StatusClass.SHARE else days // 7)
    else:
        assert found.tests == () and "Art 17" in found.remarks[-1]


def test_listed_trading_days_are_the_denominator() -> None:
    listed = [date(2024, 1, 2) + timedelta(days=i) for i in range(10)]
    found = assess_subject(
        "X", flow(StatusClass.SHARE, 10, E18, E18, False), None, Q, listed_days=listed
    )
    assert found.figures is not None and found.figures.periods == 10
    none = assess_subject(
        "X", flow(StatusClass.SHARE, 10, E18, E18, False), None, Q, listed_days=[]
    )
    assert outcome_of(none, LimbName.FREQUENT) is Outcome.NO_DATA


def test_classes_that_differ_are_refused() -> None:
    trade = Trade(DAY, "X", StatusClass.ETF, True, 1, Capacity("DEAL"), True, True)
    with pytest.raises(ValueError, match="one asset class"):
        flows_of([trade, trade._replace(asset_class=StatusClass.SHARE)])
    later = trade._replace(asset_class=StatusClass.SHARE, day=date(2024, 5, 6))
    with pytest.raises(ValueError, match="one asset class"):
        assess_quarter(flows_of([trade, later]), {}, Q)
    with pytest.raises(ValueError, match="correct one of the two"):
        assess_subject("X", flow(StatusClass.ETF, 1, 1, 1), totals_of(StatusClass.SHARE, 9, 9), Q)


@given(st.fractions(0, 10), st.fractions(0, 10), st.fractions(min_value=Fraction(1, 999)))
def test_a_comparison_is_of_the_exact_share(part: Fraction, whole: Fraction, limit: Any) -> None:
    found = compare(LimbName.FIRM, part, whole, limit)
    if part == 0:
        assert found.outcome is Outcome.NOT_MET
    elif whole == 0:
        assert found.outcome is Outcome.NO_DATA and found.value is None
    else:
        assert (found.outcome is Outcome.MET) is (part / whole >= limit)


# --- the law as data --------------------------------------------------------------------------


@pytest.mark.parametrize("asset_class", CLASSES)
@pytest.mark.parametrize("liquid", [True, False])
@pytest.mark.parametrize("jurisdiction", ["EU", "UK"])
def test_thresholds_are_those_of_the_law(
    asset_class: StatusClass, liquid: bool, jurisdiction: str
) -> None:
    row = threshold_on(DAY, asset_class, liquid=liquid, jurisdiction=jurisdiction)
    systematic, often, firm, eu = LAW[asset_class.value]
    if liquid:
        assert row.systematic_bps is not None
        assert Fraction(row.systematic_bps, 10_000) == part_of(systematic)
    else:
        assert row.systematic_bps is None
    assert row.frequency.value == often
    assert Fraction(row.firm_bps, 10_000) == part_of(firm)
    assert Fraction(row.eu_bps, 10_000) == part_of(eu)
    assert row.citation and (jurisdiction == "EU" or not row.sure)


def test_each_class_has_one_row_at_a_time() -> None:
    cells = [(r.jurisdiction, r.liquid, c) for r in THRESHOLDS for c in r.asset_classes]
    assert len(cells) == len(set(cells)) == 2 * 2 * len(StatusClass)


@pytest.mark.parametrize(
    ("day", "jurisdiction", "binding"),
    [
        (date(2018, 1, 3), "EU", Binding.QUANTITATIVE),
        (date(2025, 1, 31), "EU", Binding.QUANTITATIVE),
        (date(2025, 2, 1), "EU", Binding.SUSPENDED),
        (date(2025, 9, 28), "EU", Binding.SUSPENDED),
        (date(2025, 9, 29), "EU", Binding.QUALITATIVE),
        (date(2025, 11, 30), "UK", Binding.QUANTITATIVE),
        (date(2025, 12, 1), "UK", Binding.QUALITATIVE),
    ],
)
def test_what_makes_an_si_is_dated(day: date, jurisdiction: str, binding: Binding) -> None:
    row = determination_on(day, jurisdiction)
    assert row.binding is binding
    assert row.sure is (jurisdiction == "EU")


def test_before_mifid_ii_there_is_no_answer() -> None:
    with pytest.raises(LookupError, match="2018-01-02"):
        determination_on(date(2018, 1, 2))
    with pytest.raises(LookupError, match="no quantitative SI threshold"):
        threshold_on(date(2018, 1, 2), StatusClass.SHARE, liquid=True)
    with pytest.raises(LookupError, match="CH"):
        determination_on(DAY, "CH")


def test_rules_follow_each_other_without_gap_or_overlap() -> None:
    for jurisdiction in ("EU", "UK"):
        rows = [row for row in DETERMINATIONS if row.jurisdiction == jurisdiction]
        ends = [row.valid_to for row in rows]
        assert ends == [*(row.valid_from for row in rows[1:]), None]


@pytest.mark.parametrize(
    ("quarter", "monitoring"),
    [(Quarter(2024, 4), False), (Quarter(2025, 1), True), (Quarter(2026, 3), True)],
)
def test_after_the_end_it_is_monitoring(quarter: Quarter, monitoring: bool) -> None:
    """The data of 2025Q1 would have come on 1 February 2025, the day from which none came."""
    found = assess_subject("X", flow(StatusClass.SHARE, 500, E18, E18, False), None, quarter)
    assert (found.verdict, found.monitoring) == (Verdict.YES, monitoring)


# --- the calendar -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "data_from", "data_to", "starts", "published", "comply"),
    [
        ("2024Q1", "2023-07-01", "2024-01-01", "2024-01-02", "2024-02-01", "2024-02-15"),
        ("2024Q2", "2023-10-01", "2024-04-01", "2024-04-01", "2024-05-01", "2024-05-15"),
        ("2024Q3", "2024-01-01", "2024-07-01", "2024-07-01", "2024-08-01", "2024-08-15"),
        ("2023Q4", "2023-04-01", "2023-10-01", "2023-10-02", "2023-11-01", "2023-11-15"),
        ("2022Q1", "2021-07-01", "2022-01-01", "2022-01-03", "2022-02-01", "2022-02-15"),
    ],
)
def test_the_calendar_of_an_assessment(
    text: str, data_from: str, data_to: str, starts: str, published: str, comply: str
) -> None:
    quarter = parse_quarter(text)
    found = (
        quarter.data_from, quarter.data_to, quarter.starts_on(), quarter.published_by,
        quarter.comply_by,
    )  # fmt: skip
    assert [day.isoformat() for day in found] == [data_from, data_to, starts, published, comply]


def test_holidays_move_the_start() -> None:
    """1 April 2024 was Easter Monday."""
    assert parse_quarter("2024Q2").starts_on({date(2024, 4, 1)}) == date(2024, 4, 2)
    assert in_force_on(date(2024, 4, 1), {date(2024, 4, 1)}) == Quarter(2024, 1)
    assert in_force_on(date(2024, 4, 1)) == Quarter(2024, 2)
    assert not is_working_day(date(2024, 1, 1)) and is_working_day(date(2024, 12, 24))


@pytest.mark.parametrize("text", ["", "2024", "2024Q0", "2024Q5", "24Q1", "2024q1", "0000Q1"])
def test_what_is_no_quarter(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 2024Q3"):
        parse_quarter(text)


@given(st.dates(date(2018, 1, 1), date(2100, 1, 1)), st.integers(-40, 40))
def test_quarters_add_up(day: date, count: int) -> None:
    quarter = quarter_of(day)
    assert quarter.first_day <= day < quarter.shifted(1).first_day
    assert quarter.shifted(count).shifted(-count) == quarter
    assert parse_quarter(str(quarter)) == quarter
    later = in_force_on(day)
    assert later.starts_on() <= day < later.shifted(1).starts_on()
    last = later.data_to - timedelta(days=1)
    assert quarter_of_period(later.data_from, last) == later
    assert quarter_of_period(later.data_from, last - timedelta(days=1)) is None
    assert quarter_of_period(later.data_from + timedelta(days=1), last) is None


@pytest.mark.parametrize(
    ("first", "span", "expected"),
    [
        (date(2023, 11, 30), History(3, 0), date(2024, 2, 29)),
        (date(2024, 4, 1), History(3, 0), date(2024, 7, 1)),
        (date(2024, 10, 31), History(3, 0), date(2025, 1, 31)),
        (date(2024, 5, 20), History(0, 42), date(2024, 7, 1)),
    ],
)
def test_months_and_weeks_of_history(first: date, span: History, expected: date) -> None:
    assert after(first, span) == expected
    assert has_history(first, expected, span)
    assert not has_history(first, expected - timedelta(days=1), span)


def test_trading_days_of_a_week() -> None:
    monday = date(2024, 3, 4)
    assert [trading_days(monday, monday + timedelta(days=i)) for i in range(8)] == [
        0, 1, 2, 3, 4, 5, 5, 5,
    ]  # fmt: skip


def traded_in(*quarters: Quarter) -> dict[tuple[str, Quarter], Flow]:
    return flows_of(
        Trade(quarter.first_day, "X", StatusClass.ETF, True, 1, Capacity("DEAL"), True, True)
        for quarter in quarters
    )


def test_only_assessments_that_the_trades_cover() -> None:
    def found(*quarters: Quarter) -> list[str]:
        return [str(quarter) for quarter in quarters_of(traded_in(*quarters))]

    assert found() == []
    assert found(Quarter(2024, 1)) == []
    assert found(Quarter(2024, 1), Quarter(2024, 2)) == ["2024Q3"]
    assert found(Quarter(2023, 4), Quarter(2024, 3)) == ["2024Q2", "2024Q3", "2024Q4"]
    assert coverage_of({}) is None
    assert coverage_of(traded_in(Q, Q.shifted(2))) == (date(2024, 7, 1), date(2025, 1, 1))


# --- the documents' examples ------------------------------------------------------------------


def names_of(tests: Iterable[Limb], outcome: Outcome) -> list[LimbName]:
    return [test.name for test in tests if test.outcome is outcome]


def test_the_examples_come_out_as_the_document_says() -> None:
    measured = [founding.measure_example(example) for example in founding.EXAMPLES]
    assert [one.written_verdict.value for one in measured] == ["yes", "yes", "no"]
    assert [one.example.document_verdict.value for one in measured] == ["yes", "yes", "no"]
    assert [one.law_verdict.value for one in measured] == ["cannot be said", "yes", "no"]


def test_the_examples_have_the_document_s_shares() -> None:
    first, second, third = (founding.measure_example(example) for example in founding.EXAMPLES)
    shares = {test.name: test.value for test in first.as_written}
    assert (shares[LimbName.SYSTEMATIC], shares[LimbName.FIRM]) == (Fraction(1, 10), Fraction(1, 3))
    shares = {test.name: test.value for test in second.as_written}
    assert (shares[LimbName.FREQUENT], shares[LimbName.EU]) == (1, Fraction(1, 50))
    shares = {test.name: test.value for test in third.as_written}
    assert (shares[LimbName.SYSTEMATIC], shares[LimbName.FIRM]) == (Fraction(1, 5), Fraction(1, 50))
    assert names_of(third.as_written, Outcome.NOT_MET) == [LimbName.FREQUENT, LimbName.FIRM]
    assert names_of(first.as_the_law_has_it, Outcome.NO_DATA) == [LimbName.SYSTEMATIC, LimbName.EU]
    said = " ".join(third.example.inconsistencies)
    assert "200 billion/10 trillion" in said and "0.4 %" in said and '">"' in said
