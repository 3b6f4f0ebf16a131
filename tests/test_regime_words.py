"""What `si regime` says: differences in words, and one order against a calculation of its own."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import regimes, zones
from engine.enums import AssetClass, Route, Zone
from refdata.regulation import classify as law
from refdata.regulation import words

pytestmark = pytest.mark.pure

SHARE, ETF, OTHER = AssetClass.SHARE, AssetClass.ETF, AssetClass.OTHER
START, CHANGE = date(2018, 1, 3), date(2025, 11, 23)
BEFORE = CHANGE - timedelta(days=1)
DAYS = st.dates(START, date(2030, 12, 31))
JURISDICTIONS = st.sampled_from(["EU", "UK"])


# --- differences ------------------------------------------------------------------------------


def changes(day1, day2, jurisdiction="EU"):
    return {change.topic: change for change in words.diff(day1, day2, jurisdiction).changes}


def test_the_review_of_2025():
    found = changes(BEFORE, CHANGE)
    assert set(found) == {
        "min-quote-size", "obligation", "sms-shares", "sms-funds", "sms-values",
        "market-conditions", "publisher", "flags", "report-fields", "not-published",
    }  # fmt: skip
    assert all(change.effective == CHANGE and change.desk for change in found.values())
    qmin, obligation = found["min-quote-size"], found["obligation"]
    assert (qmin.old, qmin.new) == ("10 % of SMS", "100 % of SMS") and "Art 11b" in qmin.citation
    assert (obligation.old, obligation.new) == ("up to SMS", "up to twice SMS")
    assert "Art 11a" in obligation.citation and qmin.sure and obligation.sure
    assert "Art 10(2)" in found["market-conditions"].words
    assert "Art 12(5)-(6)" in found["publisher"].words
    gone = set(found["flags"].old.split()) - set(found["flags"].new.split())
    assert gone == {"SIZE", "RPRI", "ILQD", "DUPL", "ACTX"}
    assert "2 March 2026" in found["flags"].words and not found["flags"].sure


def test_its_summary_and_what_stays():
    found = words.diff(BEFORE, CHANGE)
    assert found.heading == "From 22 November 2025 to 23 November 2025, EU"
    assert found.summary.startswith(
        "10 rules change on 23 November 2025: the minimum quote size goes from 10 % of SMS to "
        "100 % of SMS, the quoting obligation goes from SMS to twice SMS, and 8 more."
    )
    stays = " ".join(rule.title for rule in found.unchanged)
    for title in ("LIS, shares", "LIS, ETFs", "Tick table", "midpoint", "Deferral, shares"):
        assert title in stays
    checked = " ".join(found.have_checked)
    for question in ("Which SMS values applied", "From which day did the flags go", "Art 15(4)"):
        assert question in checked
    assert "UK" not in checked


# AVT, then SMS, minimum quote size and obligation before and after, EUR.
SHARE_EXAMPLES = [
    ("12724.48", 10_000, 13_000, 1_000, 13_000, 10_000, 26_000),
    ("43489.19", 50_000, 50_000, 5_000, 50_000, 50_000, 100_000),
    ("76013.80", 70_000, 70_000, 7_000, 70_000, 70_000, 140_000),
]


def test_examples_of_the_new_ladders():
    found = changes(BEFORE, CHANGE)
    shares = [tuple(example) for example in found["sms-shares"].examples]
    for avt, *amounts in SHARE_EXAMPLES:
        assert (Decimal(avt), *map(Decimal, amounts)) in shares
    new = [example.sms_new for example in found["sms-shares"].examples]
    assert new[:6] == [5_000, 11_000, 13_000, 15_000, 17_000, 19_000]
    funds = [example.sms_new for example in found["sms-funds"].examples]
    assert funds[:7] == [5_000, 12_500, 17_500, 22_500, 27_500, 32_500, 37_500]
    assert not found["flags"].examples


def test_how_much_larger_the_smallest_quote_becomes():
    desk = changes(BEFORE, CHANGE)["min-quote-size"].desk
    for kind in AssetClass:
        for avt in range(0, 200_000, 250):
            old, new = (regimes.sms_eur(avt, kind, day) for day in (BEFORE, CHANGE))
            assert 5 <= Decimal(new) / (Decimal(old) / 10) <= 19
    assert "5 to 19 times in EUR" in desk


@given(DAYS, JURISDICTIONS)
def test_the_same_day_twice(day, jurisdiction):
    found = words.diff(day, day, jurisdiction)
    assert (found.changes, found.summary, found.notes) == ((), "Nothing changes.", ())


@given(DAYS, DAYS, JURISDICTIONS)
def test_the_order_of_the_days_does_not_matter(one, two, jurisdiction):
    forwards = words.diff(min(one, two), max(one, two), jurisdiction)
    backwards = words.diff(max(one, two), min(one, two), jurisdiction)
    assert backwards._replace(notes=()) == forwards._replace(notes=())
    assert ("first" in " ".join(backwards.notes)) == (one != two)
    assert len(forwards.changes) + len(forwards.unchanged) >= len(words.show(one).rules)
    assert sorted(c.effective for c in forwards.changes) == [c.effective for c in forwards.changes]


def test_a_yearly_switch_is_no_change_of_rules():
    found = words.diff(date(2027, 4, 4), date(2027, 4, 5))
    assert found.summary == "No rule changes; the yearly published values do."
    assert "5 April 2027" in found.notes[0]
    assert words.diff(date(2027, 4, 5), date(2027, 4, 6)).summary == "Nothing changes."


def test_a_new_legal_basis_without_a_new_value():
    found = changes(date(2024, 3, 27), date(2024, 3, 28))
    assert found["min-quote-size"].old == found["min-quote-size"].new == "10 % of SMS"
    assert not found["min-quote-size"].sure
    assert found["midpoint"].new == "orders of any size" and found["midpoint"].sure
    summary = words.diff(date(2024, 3, 27), date(2024, 3, 28)).summary
    assert "goes from" not in summary and "2 of these rest on an unsure reading" in summary


def test_the_whole_history_step_by_step():
    found = words.diff(START, date(2026, 6, 1))
    midpoints = [(c.effective, c.new) for c in found.changes if c.topic == "midpoint"]
    assert midpoints == [
        (date(2020, 3, 26), "only large in scale orders"),
        (date(2024, 3, 28), "orders of any size"),
    ]
    etf = [c for c in found.changes if c.topic == "lis-etfs"]
    assert [(c.effective, c.old, c.new) for c in etf] == [
        (date(2023, 6, 5), "1,000,000", "3,000,000")
    ]
    assert "different days" in found.summary
    assert "9 days from 1 April 2018 to 6 April 2026" in found.notes[0]


def test_the_uk_did_not_follow():
    found = words.diff(BEFORE, CHANGE, "UK")
    assert found.summary == "Nothing changes."
    assert any("Every UK row" in sentence for sentence in found.have_checked)
    later = changes(date(2023, 8, 28), date(2023, 8, 29), "UK")
    assert later["midpoint"].new == "orders of any size" and not later["midpoint"].sure


# --- in force ---------------------------------------------------------------------------------


def test_show():
    found = words.show(date(2026, 6, 1))
    assert found.heading == "In force on 1 June 2026, EU" and found.regime == "eu-2025"
    assert "from 6 April 2026 to 4 April 2027" in found.cycle
    by_title = {rule.title: rule for rule in found.rules}
    assert by_title["Minimum quote size"].value == "100 % of SMS"
    assert by_title["Minimum quote size"].since == CHANGE
    assert by_title["Access to published data"].until == date(2026, 8, 22)
    tables = {table.title: table for table in found.tables}
    assert ("12,000 - 14,000", "13,000") in tables["SMS, shares and depositary receipts"].rows
    assert ("any", "3,000,000") in tables["LIS, ETFs"].rows
    deferral = tables["Deferral, shares and depositary receipts"]
    assert deferral.rows[0][-1] == "25,000 (end of the next trading day)"
    assert deferral.rows[-1] == ("100,000,000 and above", "10,000,000", "20,000,000", "35,000,000")
    assert found.tables[-1].rows[7] == ("below 20", "0.1", "0.05", "0.02", "0.01", "0.005", "0.002")


def test_show_before_the_first_cycle_and_in_the_uk():
    assert "before the first yearly cycle" in words.show(START).cycle
    old = words.show(date(2026, 6, 1), "UK")
    assert not any(rule.sure for rule in old.rules) and not any(t.sure for t in old.tables[:-1])
    assert [table.title for table in old.tables][:2] == [
        "SMS", "LIS, shares and depositary receipts",
    ]  # fmt: skip


@given(DAYS, JURISDICTIONS)
def test_show_on_any_day(day, jurisdiction):
    found = words.show(day, jurisdiction)
    assert all(rule.since <= day and (rule.until is None or day <= rule.until)
               for rule in found.rules)  # fmt: skip
    assert all(len(row) == len(table.columns) for table in found.tables for row in table.rows)


# --- one order --------------------------------------------------------------------------------

# Adding up, not looking up: (AVT from, SMS) of the ladders, highest first.
OLD = [(AVT, AVT + 10_000) for AVT in range(1_000_000, -1, -20_000)]
NEW_SHARE = [
    *((avt, avt + 10_000) for avt in range(1_000_000, 19_999, -20_000)),
    *((avt, avt + 1_000) for avt in range(18_000, 9_999, -2_000)), (0, 5_000),
]  # fmt: skip
NEW_FUND = [
    *((avt, avt + 10_000) for avt in range(1_000_000, 39_999, -20_000)),
    *((avt, avt + 2_500) for avt in range(35_000, 9_999, -5_000)), (0, 5_000),
]  # fmt: skip
SHARE_LIS = [
    (10**8, 650_000), (5 * 10**7, 500_000), (25 * 10**6, 400_000), (5 * 10**6, 300_000),
    (10**6, 200_000), (500_000, 100_000), (100_000, 60_000), (50_000, 30_000), (0, 15_000),
]  # fmt: skip

eur = st.decimals(0, 1_000_000, places=2)
prices = st.decimals("0.0001", 100_000, places=4)


def first_at_most(cells, amount):
    return next(value for bound, value in cells if bound <= amount)


def expected(kind, day, jurisdiction, liquid, avt, adt, notional):
    """(SMS, Qmin, T, LIS, zone, route) from the printed tables."""
    reviewed = jurisdiction == "EU" and (day.year, day.month, day.day) >= (2025, 11, 23)
    share = kind in (SHARE, AssetClass.DEPOSITARY_RECEIPT)
    ladder = (NEW_SHARE if share else NEW_FUND) if reviewed else OLD
    if share:
        lis = first_at_most(SHARE_LIS, adt)
    elif kind is ETF:
        new = jurisdiction == "EU" and (day.year, day.month, day.day) >= (2023, 6, 5)
        lis = 3_000_000 if new else 1_000_000
    else:
        lis = first_at_most([(50_000, 30_000), (0, 15_000)], adt)
    if not liquid:
        return None, None, None, lis, "ON_REQUEST", "DESK" if notional >= lis else "AUTO"
    sms = first_at_most(ladder, avt)
    qmin, threshold = (sms, 2 * sms) if reviewed else (Decimal(sms) / 10, sms)
    if notional <= qmin:
        return sms, qmin, threshold, lis, "WITHIN_MIN_QUOTE", "AUTO"
    if notional <= threshold:
        return sms, qmin, threshold, lis, "WITHIN_OBLIGATION", "AUTO"
    if notional >= lis:
        return sms, qmin, threshold, lis, "LARGE_IN_SCALE", "DESK"
    return sms, qmin, threshold, lis, "DISCRETIONARY", "DESK"


def never_liquid(kind, day, jurisdiction):
    return kind is OTHER and jurisdiction == "EU" and day >= date(2026, 3, 2)


@given(
    st.sampled_from(list(AssetClass)), DAYS, JURISDICTIONS, st.booleans(), eur,
    st.decimals(0, 10**9, places=2), prices, st.integers(1, 10**7),
)  # fmt: skip
def test_classify(kind, day, jurisdiction, liquid, avt, adt, price, quantity):
    liquid = liquid and not never_liquid(kind, day, jurisdiction)
    averages = law.Averages(kind, liquid, avt, adt, Decimal(700))
    order = law.Order(price, quantity, day, jurisdiction)
    found = law.classify(law.thresholds_from(averages, day, jurisdiction), order)
    want = expected(kind, day, jurisdiction, liquid, avt, adt, price * quantity)
    assert (*found[1:5], found.zone.name, found.route.name) == want
    assert set(found.citations) == set(found._fields) - {"citations", "notes"}
    assert all(found.citations.values())
    ticked = kind in (SHARE, AssetClass.DEPOSITARY_RECEIPT) and day >= date(2019, 4, 9)
    assert (found.tick is not None) == ticked


@given(
    st.booleans(), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 2 * 10**6),
    st.sampled_from([BEFORE, CHANGE]), st.sampled_from([Route.AUTO, Route.DESK, Route.REJECT]),
)  # fmt: skip
def test_classify_as_the_engine_does(liquid, sms, lis, quantity, day, chosen):
    """The engine's own functions, interpreted, on the same thresholds."""
    regime = regimes.regime_on(day)
    row = {
        "qmin_e6": sms * 10**6 * regime.qmin_bps // 10_000,
        "threshold_e6": sms * 10**6 * regime.threshold_bps // 10_000,
        "lis_e6": lis * 10**6,
    }
    zone_of = getattr(zones.classify, "py_func", zones.classify)
    route_of = getattr(zones.route_of, "py_func", zones.route_of)
    notional_x2_e6 = 2 * quantity * 10**6
    row["zone"] = zone_of(row, int(liquid), notional_x2_e6)
    params = {"discretionary_route": chosen, "on_request_route": chosen}
    thresholds = law.Thresholds(SHARE, liquid, Decimal(sms), Decimal(lis), 4, "made up")
    order = law.Order(Decimal(1), quantity, day)
    found = law.classify(thresholds, order, discretionary=chosen, on_request=chosen)
    assert found.zone == row["zone"]
    assert found.route == route_of(params, row, notional_x2_e6)


@pytest.mark.parametrize(
    ("quantity", "zone"),
    [
        (1, Zone.WITHIN_MIN_QUOTE),
        (13_000, Zone.WITHIN_MIN_QUOTE),
        (13_001, Zone.WITHIN_OBLIGATION),
        (26_000, Zone.WITHIN_OBLIGATION),
        (26_001, Zone.DISCRETIONARY),
        (59_999, Zone.DISCRETIONARY),
        (60_000, Zone.LARGE_IN_SCALE),
    ],
)
def test_zones_at_both_edges(quantity, zone):
    averages = law.Averages(SHARE, True, Decimal("12724.48"), Decimal(250_000), Decimal(700))
    thresholds = law.thresholds_from(averages, CHANGE)
    found = law.classify(thresholds, law.Order(Decimal(1), quantity, CHANGE))
    assert (found.zone, found.tick) == (zone, Decimal("0.001"))


def test_where_t_and_lis_overlap_t_wins():
    averages = law.Averages(SHARE, True, Decimal(18_000), Decimal(1_000), None)
    thresholds = law.thresholds_from(averages, CHANGE)
    found = law.classify(thresholds, law.Order(Decimal(1), 38_000, CHANGE))
    assert (found.threshold_eur, found.lis_eur) == (38_000, 15_000)
    assert found.zone is Zone.WITHIN_OBLIGATION and found.route is Route.AUTO


def test_published_values_stand_before_the_tables():
    thresholds = law.Thresholds(SHARE, True, Decimal(15_000), Decimal(60_000), 4, "file 1, row 2")
    found = law.classify(thresholds, law.Order(Decimal(10), 1_600, CHANGE))
    assert (found.sms_eur, found.threshold_eur, found.tick) == (15_000, 30_000, Decimal("0.01"))
    assert found.citations["sms_eur"] == found.citations["lis_eur"] == "file 1, row 2"
    assert found.notes == ()


def test_the_routes_that_a_firm_chooses():
    averages = law.Averages(SHARE, True, Decimal(5_000), Decimal(250_000), None)
    thresholds = law.thresholds_from(averages, CHANGE)
    order = law.Order(Decimal(1), 50_000, CHANGE)
    assert law.classify(thresholds, order, discretionary=Route.REJECT).route is Route.REJECT
    illiquid = law.thresholds_from(averages._replace(liquid=False), CHANGE)
    assert law.classify(illiquid, order, on_request=Route.DESK).route is Route.DESK


def test_ticks_of_an_etf():
    averages = law.Averages(ETF, True, Decimal(5_000), Decimal(250_000))
    order = law.Order(Decimal(50), 10, CHANGE)
    silent = law.classify(law.thresholds_from(averages, CHANGE), order)
    assert silent.tick is None and any("solely on equities" in note for note in silent.notes)
    told = law.thresholds_from(averages._replace(solely_equities=True), CHANGE)
    assert law.classify(told, order).tick == Decimal("0.01")
    early = law.classify(told, order._replace(day=date(2020, 3, 25)))
    assert early.tick is None and "no tick binds" in early.citations["tick"]


GOOD = law.Thresholds(SHARE, True, Decimal(10_000), Decimal(60_000), 4, "")
ORDER = law.Order(Decimal(10), 100, CHANGE)


@pytest.mark.parametrize(
    ("thresholds", "order", "message"),
    [
        (GOOD, ORDER._replace(price_eur=Decimal(0)), "price 0 is not above 0"),
        (GOOD, ORDER._replace(quantity=0), "size 0 is not above 0"),
        (GOOD, ORDER._replace(day=date(2018, 1, 2)), "MiFID II applies from 2018-01-03"),
        (GOOD, ORDER._replace(jurisdiction="US"), "'US' is unknown"),
        (GOOD._replace(sms_eur=None), ORDER, "without SMS"),
        (GOOD._replace(lis_eur=Decimal(0)), ORDER, "without LIS"),
        (
            GOOD._replace(asset_class=OTHER),
            ORDER._replace(day=date(2026, 3, 2)),
            "no liquid market on 2026-03-02",
        ),
    ],
)
def test_what_cannot_be_answered(thresholds, order, message):
    with pytest.raises(law.Unanswerable, match=message):
        law.classify(thresholds, order)


def test_averages_that_are_not_enough():
    with pytest.raises(law.Unanswerable, match="needs its AVT"):
        law.thresholds_from(law.Averages(SHARE, True, None, Decimal(1)), CHANGE)
    illiquid = law.thresholds_from(law.Averages(SHARE, False, None, Decimal(1)), CHANGE)
    assert (illiquid.sms_eur, illiquid.lis_eur, illiquid.tick_band) == (None, 15_000, None)
    assert law.classify(illiquid, ORDER).regime == "eu-2025"
