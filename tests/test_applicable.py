"""Which result applies on a day: the calendar, the four cases, replacements and conflicts."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.enums import AssetClass
from refdata import april
from refdata.applicable import application_period, select
from refdata.fitrs import FitrsRecord, Methodology, read_fitrs
from tests.fitrs_files import V02, V03, result, write_results

pytestmark = pytest.mark.pure

YEAR, SINT, FFWK, ESTM = Methodology
DAY = timedelta(days=1)


def d(text):
    return date.fromisoformat(text)


def record(methodology=YEAR, reported=("2024-01-01", "2024-12-31"), applies=("", ""), **fields):
    """A record with some values; periods as text, "" where a bound is not stated."""
    bounds = [d(text) if text else None for text in (*reported, *applies)]
    values = {
        "source": "FULECR_20250906_E_1of1.zip", "number": 1, "record_id": "1",
        "isin": "DE0007164600", "asset_class": AssetClass.SHARE, "methodology": methodology,
        "reported_from": bounds[0], "reported_to": bounds[1], "applies_from": bounds[2],
        "applies_to": bounds[3], "liquid": True, "adt_eur": Decimal(1_000_000),
        "avt_eur": Decimal(14_000), "sms_eur": Decimal(15_000), "lis_eur": Decimal(200_000),
        "adnt": Decimal(400), "mrm": "XETR", "mrm_adnt": Decimal(300),
        "file_day": date(2025, 9, 6), **fields,
    }  # fmt: skip
    return FitrsRecord(**values)


def estimate(**fields):
    return record(ESTM, ("", ""), **fields)


def four_weeks(first, **fields):
    last = d(first) + timedelta(days=27)
    return record(FFWK, (first, last.isoformat()), **fields)


def of_year(year, **fields):
    return record(YEAR, (f"{year}-01-01", f"{year}-12-31"), **fields)


#: By the calendar of each year, not by a formula. Before 5 June 2023 the switch was 1 April.
SWITCH_DAYS = {
    2018: "2018-04-01", 2019: "2019-04-01", 2020: "2020-04-01", 2021: "2021-04-01",
    2022: "2022-04-01", 2023: "2023-04-01", 2024: "2024-04-01", 2025: "2025-04-07",
    2026: "2026-04-06", 2027: "2027-04-05", 2028: "2028-04-03", 2029: "2029-04-02",
}  # fmt: skip
FIRST_MONDAYS = {
    2018: "2018-04-02", 2019: "2019-04-01", 2020: "2020-04-06", 2021: "2021-04-05",
    2022: "2022-04-04", 2023: "2023-04-03", 2024: "2024-04-01", 2025: "2025-04-07",
    2026: "2026-04-06", 2027: "2027-04-05", 2028: "2028-04-03",
}  # fmt: skip


def test_the_first_monday_of_april_and_the_switch():
    for year, day in FIRST_MONDAYS.items():
        assert april.first_monday_of_april(year) == d(day)
    for year, day in SWITCH_DAYS.items():
        assert april.switch_day(year) == d(day)
        assert april.switch_day(year, "UK") == date(year, 4, 1)


@given(st.integers(1900, 2200))
def test_the_first_monday_is_a_monday_in_the_first_week(year):
    day = april.first_monday_of_april(year)
    assert (day.year, day.month, day.weekday()) == (year, 4, 0) and 1 <= day.day <= 7


def test_no_rule_is_said_and_not_guessed():
    for year, jurisdiction in ((2017, "EU"), (2017, "UK"), (2025, "CH")):
        with pytest.raises(LookupError, match=str(year)):
            april.switch_day(year, jurisdiction)
    for first, jurisdiction in ((date(2018, 1, 2), "EU"), (date(2025, 1, 2), "CH")):
        with pytest.raises(LookupError, match="first trading day"):
            april.four_week_period(first, jurisdiction)


def test_every_rule_is_dated_and_cited():
    for rules in (april.SWITCH_RULES, april.FIRST_YEAR_RULES):
        for rule in rules:
            assert rule.citation and (rule.valid_to is None or rule.valid_from < rule.valid_to)
        for first, second in pairwise(rules):
            if first.jurisdiction == second.jurisdiction:
                assert first.valid_to == second.valid_from


@pytest.mark.parametrize("year", range(2018, 2028))
def test_a_yearly_result_applies_from_one_switch_to_the_day_before_the_next(year):
    first, last = d(SWITCH_DAYS[year + 1]), d(SWITCH_DAYS[year + 2]) - DAY
    old, new = of_year(year - 1, sms_eur=Decimal(1)), of_year(year)
    assert application_period(new, None) == (first, last)
    for day, expected in (
        (first - DAY, old), (first, new), (first + DAY, new), (last - DAY, new), (last, new),
    ):  # fmt: skip
        found = select([old, new], day, None)
        assert found.record == expected and found.conflict == ()
    nothing = select([old, new], last + DAY, None)
    assert nothing.record is None and nothing.conflict == () and "nearest: YEAR" in nothing.reason
    assert last.isoformat() in nothing.reason


def test_periods_leave_no_day_out_and_no_day_twice():
    day, end = d("2018-04-01"), d("2029-04-01")
    records = [of_year(year) for year in range(2017, 2028)]
    periods = [application_period(each, None) for each in records]
    while day <= end:
        assert sum(first <= day <= last for first, last in periods) == 1
        day += DAY


@given(
    methodology=st.sampled_from([*Methodology, None]),
    reported=st.tuples(st.dates(), st.dates()).map(sorted)
    | st.dates().map(lambda day: [day, day])
    | st.integers(1, 9999).map(lambda year: [date(year, 1, 1), date(year, 12, 31)])
    | st.dates(max_value=date(9999, 12, 4)).map(lambda day: [day, day + 27 * DAY])
    | st.just([None, None]),
    first_traded=st.none() | st.dates(),
    day=st.dates(),
)
def test_any_dates_have_an_answer(methodology, reported, first_traded, day):
    """Placeholders such as 9999-12-31 occur in such files."""
    each = record(methodology)._replace(reported_from=reported[0], reported_to=reported[1])
    period = application_period(each, first_traded)
    found = select([each], day, first_traded)
    applies = period is not None and period[0] <= day <= period[1]
    assert (found.record, found.conflict) == (each if applies else None, ()) and found.reason
    assert period is None or date(2018, 1, 3) < period[0] <= period[1] or each.reported_from is None


@pytest.mark.parametrize("year", [9998, 9999])
def test_the_end_of_time_is_no_period(year):
    last = date(year, 12, 31)
    for each in (
        of_year(year),
        record(None, (f"{year}-07-01", f"{year}-12-31")),
        record(None, (f"{year}-10-01", f"{year}-12-31")),
        four_weeks(f"{year}-11-30"),
        estimate(),
    ):
        assert application_period(each, last) is None
    endless = of_year(2024, applies=("2025-04-07", "9999-12-31"))
    assert select([endless], last, None).record == endless


@pytest.mark.parametrize(
    "reported",
    [
        ("2024-01-01", "2024-12-30"), ("2024-01-02", "2024-12-31"), ("2024-01-01", "2025-12-31"),
        ("2024-01-01", "2024-06-30"), ("2023-12-31", "2024-12-31"), ("", ""), ("2024-01-01", ""),
        ("", "2024-12-31"), ("2024-12-31", "2024-12-31"),
    ],
)  # fmt: skip
def test_a_yearly_result_of_another_period_needs_an_application_period(reported):
    odd = record(YEAR, reported)
    assert application_period(odd, None) is None
    found = select([odd], d("2025-06-01"), None)
    assert found.record is None and "without ApplPrd" in found.reason
    stated = record(YEAR, reported, ("2025-04-07", "2026-04-05"))
    assert application_period(stated, None) == (d("2025-04-07"), d("2026-04-05"))
    # Beside one that applies it is named, and does not decide.
    beside = select([odd, of_year(2024, number=2)], d("2025-06-01"), None)
    assert beside.record == of_year(2024, number=2) and "without ApplPrd" in beside.reason


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2024-06-03", "2025-04-06"), ("2024-12-02", "2025-04-06"), ("2024-12-03", "2026-04-05"),
        ("2024-12-31", "2026-04-05"), ("2025-01-01", "2026-04-05"), ("2024-02-29", "2025-04-06"),
        ("2023-12-03", "2025-04-06"), ("2023-12-02", "2024-03-31"), ("2022-12-02", "2023-03-31"),
        ("2021-12-03", "2023-03-31"), ("2018-01-03", "2019-03-31"),
    ],
)  # fmt: skip
def test_an_instrument_from_its_first_trade_to_its_first_yearly_result(first, last):
    """ESMA65-8-5240 par. 28-29: six weeks of estimate, then four weeks' figures."""
    start, end = d(first), d(last)
    guess, measured = estimate(number=1), four_weeks(first, number=2, sms_eur=Decimal(1))
    six_weeks = start + 42 * DAY
    assert application_period(guess, start) == (start, six_weeks - DAY)
    for first_traded in (None, start):
        assert application_period(measured, first_traded) == (six_weeks, end)
    cases = {
        start - DAY: None, start: guess, six_weeks - DAY: guess, six_weeks: measured,
        end: measured, end + DAY: None,
    }  # fmt: skip
    for day, expected in cases.items():
        assert select([guess, measured], day, start).record == expected


def test_leap_years_count_in_the_six_weeks():
    assert application_period(estimate(), d("2024-01-19")) == (d("2024-01-19"), d("2024-02-29"))
    assert application_period(estimate(), d("2023-01-19")) == (d("2023-01-19"), d("2023-03-01"))
    assert application_period(of_year(2023), None) == (d("2024-04-01"), d("2025-04-06"))


def test_an_estimate_without_first_trading_day_is_no_answer():
    found = select([estimate()], d("2025-06-01"), None)
    assert (found.record, found.conflict) == (None, ())
    assert "load FIRDS" in found.reason and "FULECR_20250906_E_1of1.zip record 1" in found.reason
    odd = record(ESTM, ("2025-01-01", "2025-01-28"))
    assert application_period(odd, d("2025-01-01")) is None


@pytest.mark.parametrize("length", [26, 29, 365])
def test_four_weeks_are_four_weeks(length):
    start = d("2024-06-03")
    odd = record(FFWK, (start.isoformat(), (start + length * DAY).isoformat()))
    assert application_period(odd, None) is None
    for right in (27, 28):
        fit = record(FFWK, (start.isoformat(), (start + right * DAY).isoformat()))
        assert application_period(fit, None) == (d("2024-07-15"), d("2025-04-06"))


def test_two_first_trading_days_leave_what_both_cover():
    measured = four_weeks("2024-06-03")
    assert application_period(measured, d("2024-06-10")) == (d("2024-07-22"), d("2025-04-06"))
    assert application_period(measured, d("2024-05-27")) == (d("2024-07-15"), d("2025-04-06"))
    for apart in ("2001-01-02", "2021-06-01"):
        assert application_period(measured, d(apart)) is None
        found = select([measured], d("2024-09-02"), d(apart))
        assert found.record is None and apart in found.reason


@pytest.mark.parametrize("methodology", [YEAR, FFWK, ESTM, None])
def test_the_stated_application_period_goes_before_the_table(methodology):
    stated = record(methodology, ("2023-01-01", "2023-12-31"), ("2025-05-05", "2025-05-06"))
    cases = {"2025-05-04": None, "2025-05-05": stated, "2025-05-06": stated, "2025-05-07": None}
    for day, expected in cases.items():
        assert select([stated], d(day), d("2025-01-01")).record == expected


def test_an_open_application_period_ends_where_the_table_does():
    reported = ("2024-01-01", "2024-12-31")
    for applies, expected in (
        (("2025-06-01", ""), (d("2025-06-01"), d("2026-04-05"))),
        (("", "2025-06-01"), (d("2025-04-07"), d("2025-06-01"))),
        (("2026-04-05", ""), (d("2026-04-05"), d("2026-04-05"))),
        (("2026-04-06", ""), None),
        (("", "2025-04-06"), None),
    ):
        assert application_period(record(YEAR, reported, applies), None) == expected
    assert application_period(record(YEAR, ("", ""), ("2025-06-01", "")), None) is None
    assert application_period(record(ESTM, ("", ""), ("2025-06-01", "")), None) is None


def test_a_sint_record_never_applies():
    reported = ("2024-07-01", "2024-12-31")
    for methodology, applies in (
        (SINT, ("", "")), (SINT, ("2025-01-01", "2026-12-31")), (None, ("", "")),
        (None, ("2025-01-01", "2026-12-31")),
    ):  # fmt: skip
        alone = record(methodology, reported, applies)
        assert application_period(alone, d("2024-01-02")) is None
        found = select([alone], d("2025-06-01"), d("2024-01-02"))
        assert found == (None, (), "only SINT records: nothing states a threshold")
        both = select([alone, of_year(2024)], d("2025-06-01"), None)
        assert both.record == of_year(2024) and both.conflict == ()
    assert select([], d("2025-06-01"), None).reason.startswith("no record but SINT:")


def test_without_methodology_the_reporting_period_says_the_case():
    start = d("2024-06-03")
    year, measured = of_year(2024), four_weeks("2024-06-03")
    for known in (year, measured, estimate()):
        unknown = known._replace(methodology=None)
        assert application_period(unknown, start) == application_period(known, start) is not None
    for quarter, end in (("01-01", "06-30"), ("04-01", "09-30"), ("07-01", "12-31")):
        half = record(None, (f"2024-{quarter}", f"2024-{end}"), ("2025-01-01", "2025-12-31"))
        assert application_period(half, None) is None
    winter = record(None, ("2024-10-01", "2025-03-31"), ("2025-01-01", "2025-12-31"))
    assert application_period(winter, None) is None
    odd = record(None, ("2024-01-01", "2024-05-31"), ("2025-01-01", "2025-12-31"))
    assert application_period(odd, None) == (d("2025-01-01"), d("2025-12-31"))


LATER = date(2025, 9, 8)


def test_a_later_file_replaces_the_same_key():
    full = of_year(2024)
    delta = of_year(
        2024, source="DLTECR_20250908_1of1.zip", file_day=LATER, sms_eur=Decimal(17_000)
    )
    for order in permutations([full, delta]):
        assert select(order, d("2025-10-01"), None).record == delta
    # So it does where it says that the result no longer applies.
    ended = delta._replace(applies_from=d("2025-04-07"), applies_to=d("2025-09-07"))
    found = select([full, ended], d("2025-10-01"), None)
    assert found.record is None and "2025-04-07 to 2025-09-07" in found.reason


def test_another_key_is_not_replaced():
    full = of_year(2024)
    other = of_year(2023, file_day=LATER, sms_eur=Decimal(17_000))
    assert select([full, other], d("2025-10-01"), None).record == full
    assert select([full, other], d("2025-04-06"), None).record == other


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("asset_class", AssetClass.ETF), ("asset_class", None), ("liquid", False),
        ("adt_eur", Decimal(2)), ("avt_eur", None), ("sms_eur", Decimal(13_000)),
        ("lis_eur", Decimal(1)), ("adnt", Decimal(1)), ("mrm", "XPAR"), ("mrm_adnt", Decimal(1)),
        ("applies_to", d("2025-12-31")),
    ],
)  # fmt: skip
def test_the_same_key_twice_on_one_day_is_a_conflict(field, value):
    one = of_year(2024, number=1)
    two = of_year(2024, number=2)._replace(**{field: value})
    for order in permutations([one, two]):
        found = select(order, d("2025-10-01"), None)
        assert found.record is None and found.conflict == (one, two)
        assert "record 1" in found.reason and "record 2" in found.reason
    # On a day on which neither applies there is nothing to contradict.
    assert select([one, two], d("2027-10-01"), None).conflict == ()
    # A later file settles it.
    three = one._replace(file_day=LATER, source="DLTECR_20250908_1of1.zip")
    assert select([one, two, three], d("2025-10-01"), None).record == three


def test_the_same_said_twice_is_one():
    one = of_year(2024)
    same = [
        one._replace(number=2, record_id="other"),
        one._replace(number=3, sms_eur=Decimal("15000.00")),
        one._replace(number=4, applies_from=d("2025-04-07"), applies_to=d("2026-04-05")),
        one._replace(source="DLTECR_20250906_1of1.zip", number=7),
    ]
    for order in permutations([one, *same]):
        found = select(order, d("2025-10-01"), None)
        assert found.conflict == () and found.record == same[-1]


def test_a_file_published_again_under_its_name_does_not_replace_itself():
    one, two = of_year(2024), of_year(2024, sms_eur=Decimal(17_000))
    answers = {select(order, d("2025-10-01"), None) for order in permutations([one, two])}
    (found,) = answers
    assert found.record is None and set(found.conflict) == {one, two}


def test_files_of_unknown_day_cannot_replace_each_other():
    one = of_year(2024)
    two = of_year(2024, number=2, file_day=None, sms_eur=Decimal(1))
    assert select([one, two], d("2025-10-01"), None).conflict == (one, two)
    assert select([two], d("2025-10-01"), None).record == two
    assert select([one, one._replace(number=2, file_day=None)], d("2025-10-01"), None).record == one


def test_two_keys_that_both_apply_must_agree():
    year = of_year(2024, applies=("2025-04-07", "2026-04-05"))
    other = record(YEAR, ("2024-07-01", "2024-12-31"), ("2025-10-01", "2026-04-05"), number=2)
    measured = four_weeks("2024-12-30", number=3)
    for beside in (other, measured):
        for order in permutations([year, beside]):
            assert select(order, d("2025-10-01"), None).record == year
            different = [each._replace(sms_eur=Decimal(each.number)) for each in order]
            found = select(different, d("2025-10-01"), None)
            assert found.record is None
            assert sorted(found.conflict) == sorted(different)
            assert "different results apply on 2025-10-01" in found.reason


def test_records_of_two_instruments_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="more than one ISIN"):
        select([of_year(2024), of_year(2024, isin="US0378331005")], d("2025-10-01"), None)


def test_the_nearest_periods_are_named():
    records = [of_year(year, number=year) for year in (2018, 2020, 2023, 2024)]
    found = select(records, d("2023-06-01"), None)
    assert found.reason.index("record 2023") > 0 and found.reason.index("record 2020") > 0
    assert "record 2018" not in found.reason and "record 2024" not in found.reason


#: Records over few keys, days and values, so that all cases of the rule come up.
ANY_RECORD = st.builds(
    lambda make, number, file_day, sms, applies: make._replace(
        number=number, file_day=file_day, sms_eur=Decimal(sms), applies_from=applies[0],
        applies_to=applies[1],
    ),
    make=st.sampled_from(
        [of_year(2023), of_year(2024), four_weeks("2024-12-30"), estimate(), record(SINT)]
    ),
    number=st.integers(1, 9),
    file_day=st.sampled_from([date(2025, 9, 6), LATER, None]),
    sms=st.integers(1, 2),
    applies=st.sampled_from([(None, None), (d("2025-04-07"), d("2026-04-05"))]),
)  # fmt: skip


def expected_sms(records, day, first_traded):
    """The rule as sentences: the set of SMS that could apply, and whether one is left."""
    latest = []
    for each in records:
        if each.methodology is SINT:
            continue
        rivals = [
            other.file_day
            for other in records
            if (other.methodology, other.reported_from) == (each.methodology, each.reported_from)
        ]
        if None in rivals or each.file_day == max(rivals):
            latest.append(each)
    groups = {}
    for each in latest:
        period = application_period(each, first_traded)
        group = groups.setdefault((each.methodology, each.reported_from), [])
        group.append((period, each.sms_eur))
    left = set()
    for group in groups.values():
        if any(period and period[0] <= day <= period[1] for period, _ in group):
            if len(set(group)) > 1:
                return "conflict"
            left.add(group[0][1])
    return "conflict" if len(left) > 1 else (left.pop() if left else None)


@given(
    records=st.lists(ANY_RECORD, max_size=6),
    day=st.sampled_from([d("2025-01-10"), d("2025-04-06"), d("2025-04-07"), d("2026-04-06")]),
    first_traded=st.sampled_from([None, d("2024-12-30"), d("2025-01-06")]),
    shuffle=st.randoms(use_true_random=False),
)
def test_any_records_in_any_order(records, day, first_traded, shuffle):
    found = select(records, day, first_traded)
    expected = expected_sms(records, day, first_traded)
    assert found.reason
    if expected == "conflict":
        assert found.record is None and len(found.conflict) > 1
        assert set(found.conflict) <= set(records)
    else:
        assert found.conflict == ()
        assert (found.record.sms_eur if found.record else None) == expected
    shuffled = list(records)
    shuffle.shuffle(shuffled)
    assert select(shuffled, day, first_traded) == found


@pytest.mark.parametrize("schema", [V02, V03])
def test_from_files(tmp_path, schema):
    """Full and delta, several periods of one ISIN, in both versions of the schema."""
    applies = ("2025-04-07", "2026-04-05") if schema == V03 else ()
    full = write_results(
        tmp_path,
        result(reported=("2023-01-01", "2023-12-31"), sms="10000"),
        result(reported=("2024-01-01", "2024-12-31"), applies=applies, sms="15000"),
        result(methodology="SINT", reported=("2024-07-01", "2024-12-31"), sms="", avt=""),
        schema=schema,
    )
    delta = write_results(
        tmp_path,
        result(applies=applies, sms="17000"),
        name="DLTECR_20250908_01of01.zip",
        schema=schema,
    )
    records = [each for path in (full, delta) for each in read_fitrs(path)[1]]
    answers = {
        day: select(records, d(day), None).record
        for day in ("2025-04-06", "2025-04-07", "2026-04-05", "2026-04-06")
    }
    assert {day: found.sms_eur if found else None for day, found in answers.items()} == {
        "2025-04-06": 10_000, "2025-04-07": 17_000, "2026-04-05": 17_000, "2026-04-06": None,
    }  # fmt: skip
