"""Regulation as data: every printed cell, both of its edges, and the days around each change."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from engine import regimes, schema
from engine.enums import AssetClass
from engine.limits import INT64_MAX, PX_E6_MAX, TICK_BANDS, TICK_ROWS

pytestmark = pytest.mark.pure

LAST_OLD_DAY = date(2025, 11, 22)
FIRST_NEW_DAY = date(2025, 11, 23)
CENT = Decimal("0.01")

SHARE, DR, ETF = AssetClass.SHARE, AssetClass.DEPOSITARY_RECEIPT, AssetClass.ETF
CERTIFICATE, OTHER = AssetClass.CERTIFICATE, AssetClass.OTHER


def old_sms(avt):
    return 20_000 * (avt // 20_000) + 10_000


def new_share_sms(avt):
    if avt < 10_000:
        return 5_000
    return 2_000 * (avt // 2_000) + 1_000 if avt < 20_000 else old_sms(avt)


def new_fund_sms(avt):
    if avt < 10_000:
        return 5_000
    return 5_000 * (avt // 5_000) + 2_500 if avt < 40_000 else old_sms(avt)


# (day, class, closed form)
SMS_CASES = [
    *((day, kind, old_sms) for day in (date(2018, 1, 3), LAST_OLD_DAY) for kind in AssetClass),
    *((FIRST_NEW_DAY, kind, new_share_sms) for kind in (SHARE, DR)),
    *((FIRST_NEW_DAY, kind, new_fund_sms) for kind in (ETF, CERTIFICATE, OTHER)),
    *((date(2026, 4, 6), kind, new_share_sms) for kind in (SHARE, DR)),
    *((date(2026, 4, 6), kind, new_fund_sms) for kind in (ETF, CERTIFICATE, OTHER)),
]


@pytest.mark.parametrize(("day", "kind", "closed_form"), SMS_CASES)
def test_sms_of_every_cell_at_both_edges(day, kind, closed_form):
    ladder = regimes.ladder_on(day, kind)
    last = ladder.cells[-1][0]
    bounds = [0, *(below for below, _ in ladder.cells), *(last + 20_000 * n for n in range(1, 6))]
    for lower, upper in pairwise(bounds):
        want = closed_form(lower)
        assert regimes.sms_eur(lower, kind, day) == want
        assert regimes.sms_eur(Decimal(upper) - CENT, kind, day) == want
        assert regimes.sms_eur(upper, kind, day) != want
        assert regimes.on_ladder(want, kind, day)
        assert not regimes.on_ladder(want + 1, kind, day)
        assert not regimes.on_ladder(want - 1, kind, day)


def test_sms_cells_as_printed():
    assert regimes.LADDERS[0].cells[0] == (20_000, 10_000)
    shares = [regimes.sms_eur(avt, SHARE, FIRST_NEW_DAY) for avt in range(0, 60_000, 2_000)]
    assert shares[:12] == [5_000] * 5 + [11_000, 13_000, 15_000, 17_000, 19_000, 30_000, 30_000]
    funds = [regimes.sms_eur(avt, ETF, FIRST_NEW_DAY) for avt in range(0, 60_000, 5_000)]
    assert funds == [5_000] * 2 + [12_500, 17_500, 22_500, 27_500, 32_500, 37_500] + [50_000] * 4
    # Published pairs of the old ladder.
    for avt, sms in (("12724.48", 10_000), ("43489.19", 50_000), ("76013.80", 70_000)):
        assert regimes.sms_eur(Decimal(avt), SHARE, date(2025, 8, 30)) == sms


def test_ladder_is_not_closed_under_the_other_periods_values():
    assert not regimes.on_ladder(10_000, SHARE, FIRST_NEW_DAY)
    assert not regimes.on_ladder(11_000, SHARE, LAST_OLD_DAY)
    assert not regimes.on_ladder(11_000, ETF, FIRST_NEW_DAY)
    assert not regimes.on_ladder(12_500, SHARE, FIRST_NEW_DAY)
    assert not regimes.on_ladder(0, SHARE, FIRST_NEW_DAY)
    assert not regimes.on_ladder(20_000, SHARE, FIRST_NEW_DAY)
    assert not regimes.on_ladder(Decimal("70000.5"), SHARE, FIRST_NEW_DAY)
    assert regimes.on_ladder(Decimal("70000"), SHARE, FIRST_NEW_DAY)


SHARE_LIS = [
    (0, 50_000, 15_000),
    (50_000, 100_000, 30_000),
    (100_000, 500_000, 60_000),
    (500_000, 1_000_000, 100_000),
    (1_000_000, 5_000_000, 200_000),
    (5_000_000, 25_000_000, 300_000),
    (25_000_000, 50_000_000, 400_000),
    (50_000_000, 100_000_000, 500_000),
    (100_000_000, 10**12, 650_000),
]
SIMILAR_LIS = [(0, 50_000, 15_000), (50_000, 10**12, 30_000)]


@pytest.mark.parametrize("day", [date(2018, 1, 3), LAST_OLD_DAY, FIRST_NEW_DAY, date(2026, 6, 1)])
@pytest.mark.parametrize(
    ("kind", "cells"),
    [(SHARE, SHARE_LIS), (DR, SHARE_LIS), (CERTIFICATE, SIMILAR_LIS), (OTHER, SIMILAR_LIS)],
)
def test_lis_of_every_cell_at_both_edges(day, kind, cells):
    for lower, upper, lis in cells:
        assert regimes.lis_eur(lower, kind, day) == lis
        assert regimes.lis_eur(Decimal(upper) - CENT, kind, day) == lis
        assert regimes.on_lis_table(lis, kind, day)
        assert not regimes.on_lis_table(lis + 1, kind, day)


def test_etf_lis_changes_on_5_june_2023():
    for adt in (0, 49_999, 10**9):
        assert regimes.lis_eur(adt, ETF, date(2018, 1, 3)) == 1_000_000
        assert regimes.lis_eur(adt, ETF, date(2023, 6, 4)) == 1_000_000
        assert regimes.lis_eur(adt, ETF, date(2023, 6, 5)) == 3_000_000
        assert regimes.lis_eur(adt, ETF, date(2026, 6, 1)) == 3_000_000
    assert not regimes.on_lis_table(1_000_000, ETF, date(2023, 6, 5))


@pytest.mark.parametrize(
    ("day", "jurisdiction", "name", "qmin_bps", "threshold_bps"),
    [
        (date(2018, 1, 3), "EU", "eu-2018", 1_000, 10_000),
        (LAST_OLD_DAY, "EU", "eu-2018", 1_000, 10_000),
        (FIRST_NEW_DAY, "EU", "eu-2025", 10_000, 20_000),
        (date(2026, 4, 6), "EU", "eu-2025", 10_000, 20_000),
        (date(2018, 1, 3), "UK", "uk-2018", 1_000, 10_000),
        (FIRST_NEW_DAY, "UK", "uk-2018", 1_000, 10_000),
    ],
)
def test_regime_of_a_day(day, jurisdiction, name, qmin_bps, threshold_bps):
    regime = regimes.regime_on(day, jurisdiction)
    assert (regime.name, regime.qmin_bps, regime.threshold_bps) == (name, qmin_bps, threshold_bps)
    assert regime.sure == (jurisdiction == "EU")


def test_nothing_holds_before_mifid_2():
    with pytest.raises(LookupError):
        regimes.regime_on(date(2018, 1, 2))
    with pytest.raises(LookupError):
        regimes.sms_eur(1, SHARE, date(2018, 1, 2))
    with pytest.raises(LookupError):
        regimes.lis_eur(1, SHARE, date(2018, 1, 2))
    with pytest.raises(LookupError):
        regimes.regime_on(FIRST_NEW_DAY, "US")


def test_uk_keeps_the_old_ladder():
    assert regimes.sms_eur(9_999, SHARE, date(2026, 4, 6), "UK") == 10_000
    assert regimes.on_ladder(10_000, SHARE, date(2026, 4, 6), "UK")
    assert not regimes.ladder_on(date(2026, 4, 6), SHARE, "UK").sure


def test_periods_neither_overlap_nor_leave_gaps():
    """One row of each table on every tested day, for each class."""
    days = [date(2018, 1, 3) + timedelta(days=n) for n in range(3_500)]
    for day in days:
        held = [
            regime.name
            for regime in regimes.REGIMES
            if regime.jurisdiction == "EU"
            and regime.valid_from <= day
            and (regime.valid_to is None or day < regime.valid_to)
        ]
        assert len(held) == 1
    for tables in (regimes.LADDERS, regimes.LIS_TABLES):
        for kind in AssetClass:
            of_kind = [
                table
                for table in tables
                if kind in table.asset_classes and table.jurisdiction == "EU"
            ]
            assert of_kind[0].valid_from == regimes.MIFID2_FROM
            assert of_kind[-1].valid_to is None
            for earlier, later in pairwise(of_kind):
                assert earlier.valid_to == later.valid_from


@pytest.mark.parametrize("amount", [-1, Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity")])
def test_amounts_that_are_none_are_refused(amount):
    with pytest.raises(ValueError, match="finite and not negative"):
        regimes.sms_eur(amount, SHARE, FIRST_NEW_DAY)
    with pytest.raises(ValueError, match="finite and not negative"):
        regimes.lis_eur(amount, SHARE, FIRST_NEW_DAY)


def test_a_float_is_refused():
    with pytest.raises(TypeError):
        regimes.sms_eur(10_000.0, SHARE, FIRST_NEW_DAY)
    with pytest.raises(TypeError):
        regimes.lis_eur(50_000.0, SHARE, FIRST_NEW_DAY)


def series(index):
    """1, 2, 5, 10, ... x 0.0001, in millionths."""
    return (1, 2, 5)[index % 3] * 10 ** (index // 3) * 100


def test_all_114_tick_cells_by_closed_form():
    rows = regimes.tick_rows()
    assert rows.dtype == schema.tick_row and len(rows) == TICK_ROWS
    cells = 0
    for r in range(TICK_ROWS):
        for band in range(1, TICK_BANDS + 1):
            assert rows[r]["tick_e6"][band - 1] == series(max(0, r + 3 - band)), (r, band)
            assert regimes.TICKS[r][1][band - 1] == rows[r]["tick_e6"][band - 1]
            cells += 1
    assert cells == 114


def test_tick_ranges_at_both_edges():
    rows = regimes.tick_rows()
    bounds = [100_000, 200_000, 500_000]
    while len(bounds) < 18:
        bounds.append(bounds[-3] * 10)
    assert rows["below_px_e6"].tolist() == [*bounds, PX_E6_MAX + 1]
    for r, bound in enumerate(bounds):
        # A bound is on tick both below and above it, so rounding to it is safe.
        for band in range(TICK_BANDS):
            assert bound % rows[r]["tick_e6"][band] == 0
            assert bound % rows[r + 1]["tick_e6"][band] == 0

    def row_of(px_e6):
        return next(r for r in range(TICK_ROWS) if px_e6 < rows[r]["below_px_e6"])

    for r, bound in enumerate(bounds):
        assert row_of(bound - 1) == r and row_of(bound) == r + 1
    assert row_of(0) == 0 and row_of(PX_E6_MAX) == TICK_ROWS - 1


def test_tick_cells_as_printed():
    printed = [
        ("0.05", 1, "0.0005"),
        ("1.5", 6, "0.0002"),
        ("9.99", 1, "0.05"),
        ("10", 1, "0.1"),
        ("19.99", 5, "0.005"),
        ("60000", 6, "10"),
        ("60000", 1, "500"),
    ]
    for px, band, tick in printed:
        ticks = next(ticks for below, ticks in regimes.TICKS if Decimal(px) * 10**6 < below)
        assert Decimal(ticks[band - 1]) / 10**6 == Decimal(tick)


def test_regime_rows():
    rows = regimes.regime_rows()
    assert rows.dtype == schema.regime
    assert [schema.unpack(row["name"]) for row in rows] == ["eu-2018", "eu-2025", "uk-2018"]
    assert [schema.unpack(row["jurisdiction"]) for row in rows] == ["EU", "EU", "UK"]
    assert rows["qmin_bps"].tolist() == [1_000, 10_000, 1_000]
    assert rows["threshold_bps"].tolist() == [10_000, 20_000, 10_000]
    change_ns = 1_763_856_000 * 10**9  # 2025-11-23T00:00:00Z
    start_ns = 1_514_937_600 * 10**9  # 2018-01-03T00:00:00Z
    assert rows["valid_from_ns"].tolist() == [start_ns, change_ns, start_ns]
    assert rows["valid_to_ns"].tolist() == [change_ns, INT64_MAX, INT64_MAX]
