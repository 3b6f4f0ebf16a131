"""The tables of `refdata.regulation`, cell by cell at both edges, in each period."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation import calendar, liquidity, lis, open_points, tick_rules, timeline
from refdata.regulation.deferrals import LastMoment, deferral, publish_at
from refdata.regulation.flags import flags_on
from refdata.regulation.topics import TOPICS

pytestmark = pytest.mark.pure

SHARE, DR, ETF = AssetClass.SHARE, AssetClass.DEPOSITARY_RECEIPT, AssetClass.ETF
CERTIFICATE, OTHER = AssetClass.CERTIFICATE, AssetClass.OTHER
START, CENT = date(2018, 1, 3), Decimal("0.01")
DAYS = st.dates(START, date(2030, 12, 31))


# --- SMS --------------------------------------------------------------------------------------

# (AVT from, AVT below, SMS), as printed.
OLD_SMS = [
    (0, 20_000, 10_000), (20_000, 40_000, 30_000), (40_000, 60_000, 50_000),
    (60_000, 80_000, 70_000), (80_000, 100_000, 90_000), (100_000, 120_000, 110_000),
    (120_000, 140_000, 130_000),
]  # fmt: skip
SHARE_SMS = [
    (0, 10_000, 5_000), (10_000, 12_000, 11_000), (12_000, 14_000, 13_000),
    (14_000, 16_000, 15_000), (16_000, 18_000, 17_000), (18_000, 20_000, 19_000),
    (20_000, 40_000, 30_000), (40_000, 60_000, 50_000),
]  # fmt: skip
FUND_SMS = [
    (0, 10_000, 5_000), (10_000, 15_000, 12_500), (15_000, 20_000, 17_500),
    (20_000, 25_000, 22_500), (25_000, 30_000, 27_500), (30_000, 35_000, 32_500),
    (35_000, 40_000, 37_500), (40_000, 60_000, 50_000),
]  # fmt: skip
SMS = [
    *((day, kind, "EU", OLD_SMS) for day in (START, date(2025, 11, 22)) for kind in AssetClass),
    *((day, kind, "UK", OLD_SMS) for day in (START, date(2026, 6, 1)) for kind in AssetClass),
    *((date(2025, 11, 23), kind, "EU", SHARE_SMS) for kind in (SHARE, DR)),
    *((date(2026, 4, 6), kind, "EU", FUND_SMS) for kind in (ETF, CERTIFICATE, OTHER)),
]


@pytest.mark.parametrize(("day", "kind", "jurisdiction", "cells"), SMS)
def test_sms(day, kind, jurisdiction, cells):
    for lower, upper, sms in cells:
        assert regimes.sms_eur(lower, kind, day, jurisdiction) == sms
        assert regimes.sms_eur(upper - CENT, kind, day, jurisdiction) == sms


# --- LIS --------------------------------------------------------------------------------------

M = 1_000_000
SHARE_LIS = [
    (0, 50_000, 15_000), (50_000, 100_000, 30_000), (100_000, 500_000, 60_000),
    (500_000, M, 100_000), (M, 5 * M, 200_000), (5 * M, 25 * M, 300_000),
    (25 * M, 50 * M, 400_000), (50 * M, 100 * M, 500_000), (100 * M, 10**12, 650_000),
]  # fmt: skip
SIMILAR_LIS = [(0, 50_000, 15_000), (50_000, 10**12, 30_000)]
OLD_ETF_LIS, ETF_LIS = [(0, 10**12, 1_000_000)], [(0, 10**12, 3_000_000)]
LIS = [
    *((day, kind, jurisdiction, SHARE_LIS) for day in (START, date(2026, 6, 1))
      for kind in (SHARE, DR) for jurisdiction in ("EU", "UK")),
    *((day, kind, jurisdiction, SIMILAR_LIS) for day in (START, date(2026, 6, 1))
      for kind in (CERTIFICATE, OTHER) for jurisdiction in ("EU", "UK")),
    (START, ETF, "EU", OLD_ETF_LIS), (date(2023, 6, 4), ETF, "EU", OLD_ETF_LIS),
    (date(2023, 6, 5), ETF, "EU", ETF_LIS), (date(2026, 6, 1), ETF, "EU", ETF_LIS),
    (date(2023, 6, 4), ETF, "UK", OLD_ETF_LIS), (date(2026, 6, 1), ETF, "UK", OLD_ETF_LIS),
]  # fmt: skip


@pytest.mark.parametrize(("day", "kind", "jurisdiction", "cells"), LIS)
def test_lis(day, kind, jurisdiction, cells):
    for lower, upper, threshold in cells:
        assert lis.lis_eur(lower, kind, day, jurisdiction) == threshold
        assert lis.lis_eur(upper - CENT, kind, day, jurisdiction) == threshold
    assert lis.lis_table_on(day, kind, jurisdiction).sure == (jurisdiction == "EU")


# --- deferral ---------------------------------------------------------------------------------

M60, M120 = "60 minutes", "120 minutes"
END, NEXT = "end of the trading day", "end of the next trading day"
# (ADT from, ADT below, [(size from, delay)]), as printed; "> 100 m" is read as "from 100 m".
TABLE_4 = [
    (100 * M, 10**12, [(10_000_000, M60), (20_000_000, M120), (35_000_000, END)]),
    (50 * M, 100 * M, [(7_000_000, M60), (15_000_000, M120), (25_000_000, END)]),
    (25 * M, 50 * M, [(5_000_000, M60), (10_000_000, M120), (12_000_000, END)]),
    (5 * M, 25 * M, [(2_500_000, M60), (4_000_000, M120), (5_000_000, END)]),
    (M, 5 * M, [(450_000, M60), (750_000, M120), (1_000_000, END)]),
    (500_000, M, [(75_000, M60), (150_000, M120), (225_000, END)]),
    (100_000, 500_000, [(30_000, M60), (80_000, M120), (120_000, END)]),
    (50_000, 100_000, [(15_000, M60), (30_000, M120), (50_000, END)]),
    (0, 50_000, [(7_500, M60), (15_000, M120), (25_000, NEXT)]),
]
OLD_TABLE_5 = [(0, 10**12, [(10_000_000, M60), (50_000_000, END)])]
TABLE_5 = [(0, 10**12, [(15_000_000, M60), (50_000_000, END)])]
TABLE_6 = [
    (0, 50_000, [(15_000, M120), (30_000, END)]),
    (50_000, 10**12, [(30_000, M120), (60_000, END)]),
]
DEFERRALS = [
    *((day, kind, jurisdiction, TABLE_4) for day in (START, date(2026, 6, 1))
      for kind in (SHARE, DR) for jurisdiction in ("EU", "UK")),
    *((day, kind, jurisdiction, TABLE_6) for day in (START, date(2026, 6, 1))
      for kind in (CERTIFICATE, OTHER) for jurisdiction in ("EU", "UK")),
    (START, ETF, "EU", OLD_TABLE_5), (date(2023, 6, 4), ETF, "EU", OLD_TABLE_5),
    (date(2023, 6, 5), ETF, "EU", TABLE_5), (date(2026, 6, 1), ETF, "EU", TABLE_5),
    (START, ETF, "UK", OLD_TABLE_5), (date(2026, 6, 1), ETF, "UK", OLD_TABLE_5),
]  # fmt: skip


@pytest.mark.parametrize(("day", "kind", "jurisdiction", "bands"), DEFERRALS)
def test_deferral(day, kind, jurisdiction, bands):
    for lower, upper, cells in bands:
        for adt in (lower, upper - CENT):
            first = cells[0][0]
            below = deferral(kind, adt, first - CENT, day, jurisdiction)
            assert (below.delay, below.size_from_eur) == (None, first)
            for (size, delay), (beyond, _) in pairwise([*cells, (10**12, "")]):
                for reached in (size, beyond - CENT):
                    found = deferral(kind, adt, reached, day, jurisdiction)
                    assert (found.delay, found.size_from_eur) == (delay, size)


def test_an_adt_on_a_bound_of_table_4_is_an_inference():
    day = date(2026, 6, 1)
    assert not deferral(SHARE, 50_000, 20_000, day).sure
    assert not deferral(SHARE, 100 * M, 20_000, day).sure
    assert deferral(SHARE, 50_000 + CENT, 20_000, day).sure
    assert deferral(CERTIFICATE, 50_000, 20_000, day).sure  # printed as "at least 50 000"
    assert not deferral(SHARE, 60_000, 20_000, day, "UK").sure


@pytest.mark.parametrize(
    ("day", "jurisdiction", "late"),
    [
        (START, "EU", LastMoment.NOON_NEXT_DAY),
        (date(2023, 6, 4), "EU", LastMoment.NOON_NEXT_DAY),
        (date(2023, 6, 5), "EU", LastMoment.NEXT_OPENING),
        (date(2026, 6, 1), "EU", LastMoment.NEXT_OPENING),
        (date(2026, 6, 1), "UK", LastMoment.NOON_NEXT_DAY),
    ],
)
def test_publication_at_the_end_of_the_day(day, jurisdiction, late):
    two_hours = timedelta(hours=2)
    assert publish_at(two_hours, day, jurisdiction) is late
    assert publish_at(timedelta(0), day, jurisdiction) is late
    later = two_hours + timedelta(microseconds=1)
    assert publish_at(later, day, jurisdiction) is LastMoment.AFTER_CLOSE


# --- ticks ------------------------------------------------------------------------------------

TICKS = """
0.1     0.0005 0.0002 0.0001 0.0001 0.0001 0.0001
0.2     0.001  0.0005 0.0002 0.0001 0.0001 0.0001
0.5     0.002  0.001  0.0005 0.0002 0.0001 0.0001
1       0.005  0.002  0.001  0.0005 0.0002 0.0001
2       0.01   0.005  0.002  0.001  0.0005 0.0002
5       0.02   0.01   0.005  0.002  0.001  0.0005
10      0.05   0.02   0.01   0.005  0.002  0.001
20      0.1    0.05   0.02   0.01   0.005  0.002
50      0.2    0.1    0.05   0.02   0.01   0.005
100     0.5    0.2    0.1    0.05   0.02   0.01
200     1      0.5    0.2    0.1    0.05   0.02
500     2      1      0.5    0.2    0.1    0.05
1000    5      2      1      0.5    0.2    0.1
2000    10     5      2      1      0.5    0.2
5000    20     10     5      2      1      0.5
10000   50     20     10     5      2      1
20000   100    50     20     10     5      2
50000   200    100    50     20     10     5
1000000 500    200    100    50     20     10
"""
ADNT = [(0, 10), (10, 80), (80, 600), (600, 2_000), (2_000, 9_000), (9_000, 10**9)]


def tick_cells():
    lower = Decimal(0)
    for line in TICKS.split("\n")[1:-1]:
        upper, *ticks = map(Decimal, line.split())
        for band, tick in enumerate(ticks, 1):
            yield lower, upper, band, tick
        lower = upper


def test_the_table_has_114_cells():
    assert len(list(tick_cells())) == 114


@pytest.mark.parametrize(("lower", "upper", "band", "tick"), list(tick_cells()))
def test_tick(lower, upper, band, tick):
    adnt_from, adnt_below = ADNT[band - 1]
    for kind in (SHARE, DR):
        for adnt in (adnt_from, adnt_below - CENT):
            assert tick_rules.tick_band(adnt, kind) == band
            assert tick_rules.tick_of(lower, band) == tick
            assert tick_rules.tick_of(upper - Decimal("0.000001"), band) == tick


def test_bands_that_do_not_follow_the_adnt():
    for adnt in (None, 0, 10**6):
        assert tick_rules.tick_band(adnt, ETF, solely_equities=True) == 6
        assert tick_rules.tick_band(adnt, ETF) == 0
        assert tick_rules.tick_band(adnt, CERTIFICATE) == 0
        assert tick_rules.tick_band(adnt, OTHER, solely_equities=True) == 0
        assert tick_rules.tick_band(adnt, SHARE, periodic_auction_mrm=True) == 1
    with pytest.raises(ValueError, match="needs its ADNT"):
        tick_rules.tick_band(None, SHARE)
    assert tick_rules.tick_of(Decimal(10**9), 1) == 500


@pytest.mark.parametrize("band", [-1, 0, 7])
def test_a_tick_needs_a_band(band):
    with pytest.raises(ValueError, match="band from 1 to 6"):
        tick_rules.tick_of(Decimal(1), band)


@pytest.mark.parametrize("jurisdiction", ["EU", "UK"])
@pytest.mark.parametrize(
    ("day", "shares", "etfs"),
    [
        (START, None, None),
        (date(2019, 4, 8), None, None),
        (date(2019, 4, 9), (True, False), None),
        (date(2020, 3, 25), (True, False), None),
        (date(2020, 3, 26), (True, True), (True, True)),
        (date(2026, 6, 1), (True, True), (True, True)),
    ],
)
def test_who_must_keep_to_a_tick(day, shares, etfs, jurisdiction):
    for kind, want in ((SHARE, shares), (DR, shares), (ETF, etfs), (OTHER, None)):
        duty = tick_rules.tick_duty_on(day, kind, jurisdiction)
        assert (duty and (duty.quotes, duty.executions)) == want
        assert duty is None or duty.improvements == duty.executions


@pytest.mark.parametrize(
    ("day", "jurisdiction", "permission"),
    [
        (START, "EU", "not regulated"),
        (date(2020, 3, 25), "EU", "not regulated"),
        (date(2020, 3, 26), "EU", "only large in scale orders"),
        (date(2024, 3, 27), "EU", "only large in scale orders"),
        (date(2024, 3, 28), "EU", "orders of any size"),
        (date(2025, 11, 23), "EU", "orders of any size"),
        (date(2023, 8, 28), "UK", "only large in scale orders"),
        (date(2023, 8, 29), "UK", "orders of any size"),
    ],
)
def test_midpoint(day, jurisdiction, permission):
    rule = tick_rules.midpoint_on(day, jurisdiction)
    assert rule.permission == permission == timeline.rule_on("midpoint", day, jurisdiction).value
    assert rule.sure == (jurisdiction == "EU")


# --- flags ------------------------------------------------------------------------------------

FIRST_FLAGS = set("BENC NPFT SDIV LRGS RFPT NLIQ OILQ PRIC ALGO CANC AMND".split())
SI_FLAGS = set("ACTX SIZE ILQD RPRI DUPL".split())
FLAGS = [
    (START, "EU", FIRST_FLAGS | SI_FLAGS | {"TNCP"}),
    (date(2023, 12, 31), "EU", FIRST_FLAGS | SI_FLAGS | {"TNCP"}),
    (date(2024, 1, 1), "EU", FIRST_FLAGS | SI_FLAGS | {"PORT", "CONT"}),
    (date(2025, 11, 22), "EU", FIRST_FLAGS | SI_FLAGS | {"PORT", "CONT"}),
    (date(2025, 11, 23), "EU", FIRST_FLAGS | {"PORT", "CONT"}),
    (date(2026, 6, 1), "EU", FIRST_FLAGS | {"PORT", "CONT"}),
    (date(2026, 6, 1), "UK", FIRST_FLAGS | SI_FLAGS | {"TNCP"}),
]


@pytest.mark.parametrize(("day", "jurisdiction", "codes"), FLAGS)
def test_flags(day, jurisdiction, codes):
    found = flags_on(day, jurisdiction)
    assert {flag.code for flag in found} == codes
    assert all(flag.sure == (jurisdiction == "EU") for flag in found)


def test_flags_of_an_si_today():
    found = [flag.code for flag in flags_on(date(2026, 6, 1)) if flag.off_venue]
    assert found == "BENC PORT CONT SDIV LRGS CANC AMND".split()
    assert timeline.rule_on("flags", date(2026, 6, 1)).value.split() == found


@pytest.mark.parametrize(
    ("day", "kept"),
    [(date(2025, 11, 23), True), (date(2026, 3, 1), True), (date(2026, 3, 2), False)],
)
def test_flags_by_market_practice(day, kept):
    found = {flag.code for flag in flags_on(day, by_market_practice=True)}
    assert (found >= SI_FLAGS) == kept
    assert found >= FIRST_FLAGS


# --- liquid market ----------------------------------------------------------------------------

OLD, NEW = date(2026, 3, 1), date(2026, 3, 2)
# (class, day, MTF only, size, ADNT, ADT): the numbers that are just enough.
LIQUID = [
    (SHARE, OLD, False, 100 * M, 250, M),
    (SHARE, OLD, True, 200 * M, 250, M),
    (SHARE, NEW, False, 100 * M, 250, M),
    (SHARE, NEW, True, 100 * M, 250, M),
    (DR, OLD, False, 100 * M, 250, M),
    (DR, NEW, False, 100 * M, 250, M),
    (ETF, OLD, False, 100, 10, 500_000),
    (ETF, NEW, False, 100, 10, 500_000),
    (CERTIFICATE, OLD, False, M, 20, 500_000),
    (CERTIFICATE, NEW, False, M, 20, 500_000),
]


@pytest.mark.parametrize(("kind", "day", "mtf_only", "size", "adnt", "adt"), LIQUID)
def test_liquid_at_both_edges(kind, day, mtf_only, size, adnt, adt):
    def ask(size=size, adnt=adnt, adt=adt, daily=True):
        return liquidity.liquidity(
            kind, day, size=size, adnt=adnt, adt_eur=adt, traded_daily=daily, mtf_only=mtf_only
        )

    assert ask().liquid is True
    assert all(measure.passed for measure in ask().measures)
    assert {Decimal(size), Decimal(adnt), Decimal(adt)} <= {m.threshold for m in ask().measures}
    assert ask(size=size - CENT).liquid is False
    assert ask(adnt=adnt - CENT).liquid is False
    assert ask(adt=adt - CENT).liquid is False
    assert "turnover" in ask(adt=adt - CENT).words
    assert ask(adnt=None).liquid is None
    assert ask(adnt=None, adt=adt - CENT).liquid is False
    assert ask(daily=False).liquid is (kind is not SHARE)
    assert ("free float" in ask().measures[-3].name) == (kind in (SHARE, DR) and day == OLD)


def test_other_similar_is_never_liquid():
    plenty = {"size": 10**12, "adnt": 10**6, "adt_eur": 10**12, "traded_daily": True}
    assert liquidity.liquidity(OTHER, NEW, **plenty).liquid is False
    assert "Art 4a" in liquidity.liquidity(OTHER, NEW, **plenty).citation
    assert liquidity.liquidity(OTHER, OLD, **plenty).liquid is None
    assert liquidity.never_liquid(OTHER, NEW) and not liquidity.never_liquid(OTHER, OLD)
    assert not liquidity.never_liquid(OTHER, NEW, "UK")


# --- calendar ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2018, date(2018, 4, 1)), (2022, date(2022, 4, 1)), (2023, date(2023, 4, 1)),
        (2024, date(2024, 4, 1)), (2025, date(2025, 4, 7)), (2026, date(2026, 4, 6)),
        (2027, date(2027, 4, 5)), (2028, date(2028, 4, 3)),
    ],
)  # fmt: skip
def test_switch_days(year, day):
    assert calendar.switch_day(year) == day
    assert calendar.switch_day(year, "UK") == date(year, 4, 1)
    before = calendar.cycle_on(day - timedelta(days=1)) if year > 2018 else None
    assert before is None or before.last_day == day - timedelta(days=1)
    assert calendar.cycle_on(day).first_day == day
    assert calendar.cycle_on(day).data_year == year - 1


@given(st.integers(1900, 2200))
def test_first_monday(year):
    day = calendar.first_monday_of_april(year)
    assert (day.year, day.month, day.isoweekday()) == (year, 4, 1) and day.day <= 7


def test_no_cycle_before_2018():
    with pytest.raises(LookupError, match="2017"):
        calendar.cycle_on(date(2018, 3, 31))
    assert calendar.switches(START, date(2019, 12, 31)) == (date(2018, 4, 1), date(2019, 4, 1))
    assert calendar.switches(date(2018, 4, 1), date(2019, 3, 31)) == ()


# --- timeline ---------------------------------------------------------------------------------

# The timeline of the regimes, as read: minimum quote size, obligation, tick on quotes, midpoint.
TIMELINE = [
    (date(2018, 1, 3), "10 % of SMS", "up to SMS", "no", "not regulated"),
    (date(2019, 4, 9), "10 % of SMS", "up to SMS", "shares and depositary receipts", "not reg"),
    (date(2020, 3, 26), "10 % of SMS", "up to SMS", "shares, depositary", "only large in scale"),
    (date(2024, 3, 28), "10 % of SMS", "up to SMS", "shares, depositary", "orders of any size"),
    (date(2025, 11, 23), "100 % of SMS", "up to twice SMS", "shares, dep", "orders of any size"),
    (date(2026, 4, 6), "100 % of SMS", "up to twice SMS", "shares, dep", "orders of any size"),
]
TOPICS_OF_TIMELINE = ("min-quote-size", "obligation", "tick-quotes", "midpoint")


@pytest.mark.parametrize("row", TIMELINE)
def test_timeline(row):
    day, *values = row
    for topic, value in zip(TOPICS_OF_TIMELINE, values, strict=True):
        assert timeline.rule_on(topic, day).value.startswith(value)


@given(DAYS, st.sampled_from(["EU", "UK"]))
def test_one_rule_for_each_topic_and_day(day, jurisdiction):
    rules = timeline.rules_on(day, jurisdiction)
    assert [rule.topic for rule in rules] == [topic.key for topic in TOPICS]
    assert all(rule.value and rule.words and rule.citation for rule in rules)
    assert jurisdiction == "EU" or not any(rule.sure for rule in rules)
    regime = regimes.regime_on(day, jurisdiction)
    by_topic = {rule.topic: rule.value for rule in rules}
    assert by_topic["min-quote-size"] == f"{regime.qmin_bps // 100} % of SMS"
    assert ("twice" in by_topic["obligation"]) == (regime.threshold_bps == 20_000)


@given(DAYS, DAYS, st.sampled_from(["EU", "UK"]))
def test_what_begins_between_two_days_leads_from_one_to_the_other(one, two, jurisdiction):
    first, last = sorted((one, two))
    rules = {rule.topic: rule for rule in timeline.rules_on(first, jurisdiction)}
    for old, new in timeline.beginning(first, last, jurisdiction):
        assert rules[new.topic] == old and first < new.valid_from <= last
        rules[new.topic] = new
    assert tuple(rules.values()) == timeline.rules_on(last, jurisdiction)


def test_unsure_where_the_source_is():
    assert timeline.rule_on("min-quote-size", date(2024, 3, 27)).sure
    assert not timeline.rule_on("min-quote-size", date(2024, 3, 28)).sure
    assert timeline.rule_on("min-quote-size", date(2025, 11, 23)).sure
    assert not timeline.rule_on("flags", date(2025, 11, 23)).sure
    assert timeline.rule_on("flags", date(2026, 3, 2)).sure
    assert not timeline.rule_on("sms-values", date(2026, 4, 5)).sure


@pytest.mark.parametrize(
    ("topic", "last_day", "before", "after"),
    [
        ("publisher", date(2025, 2, 2), "the seller; the SI", "the DPE"),
        ("report-fields", date(2023, 12, 31), "9 fields", "12 fields"),
        ("report-fields", date(2025, 11, 22), "12 fields", "14 fields"),
        ("clocks", date(2026, 3, 1), "SIs not named", "SIs up to 1 ms"),
        ("delayed-data", date(2024, 3, 27), "reasonable", "free after 15 minutes"),
        ("yearly-cycle", date(2023, 6, 4), "1 April", "the first Monday of April"),
        ("si-test", date(2025, 1, 31), "quantitative", "qualitative"),
        ("non-equity", date(2024, 3, 27), "firm quotes", "no duty"),
    ],
)
def test_other_rules_by_day(topic, last_day, before, after):
    assert timeline.rule_on(topic, last_day).value.startswith(before)
    assert timeline.rule_on(topic, last_day + timedelta(days=1)).value.startswith(after)
    assert timeline.rule_on("publication-limit", last_day).value == "real time, at most 1 minute"


def test_every_open_point_names_topics_that_exist():
    keys = {topic.key for topic in TOPICS} | {"*"}
    assert {topic for point in open_points.OPEN_POINTS for topic in point.topics} <= keys


# --- bad questions ----------------------------------------------------------------------------

ASKS = [
    lambda day, where: timeline.rules_on(day, where),
    lambda day, where: flags_on(day, where),
    lambda day, where: lis.lis_eur(1, SHARE, day, where),
    lambda day, where: deferral(SHARE, 1, 1, day, where),
    lambda day, where: liquidity.liquidity(SHARE, day, jurisdiction=where),
    lambda day, where: tick_rules.midpoint_on(day, where),
    lambda day, where: tick_rules.tick_duty_on(day, SHARE, where),
    lambda day, where: publish_at(timedelta(0), day, where),
]


@pytest.mark.parametrize("ask", ASKS)
def test_a_day_before_mifid_2_and_another_jurisdiction(ask):
    with pytest.raises(LookupError, match="MiFID II applies from 2018-01-03"):
        ask(date(2018, 1, 2), "EU")
    with pytest.raises(LookupError, match="'US'"):
        ask(START, "US")


def test_an_unknown_topic():
    with pytest.raises(LookupError, match="no topic 'sms'"):
        timeline.rule_on("sms", START)


@pytest.mark.parametrize("amount", [-1, Decimal("NaN"), Decimal("Infinity")])
def test_amounts_that_are_none(amount):
    with pytest.raises(ValueError, match="finite and not negative"):
        deferral(SHARE, amount, 1, START)
    with pytest.raises(ValueError, match="finite and not negative"):
        lis.lis_eur(amount, SHARE, START)
    with pytest.raises(TypeError):
        lis.lis_eur(1.5, SHARE, START)
