"""Builds of reference data: each row against a second calculation, and each case by hand."""

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import schema
from engine.enums import AssetClass
from engine.tables import check_instruments
from refdata.build import build
from refdata.build import write as write_snapshot
from refdata.collect import collect
from refdata.firm import read_firm
from refdata.rows import Refused
from refdata.validate import Severity
from tests.fitrs_files import V02, V03, reference, result, write
from tests.fitrs_files import message as message_of
from tests.refdata_oracle import Expected, expected
from tests.refdata_world import (
    DELTA,
    FULL,
    ISIN,
    OF_2024,
    OF_2025,
    OTHER,
    RATES,
    firm,
    line,
    made_isin,
    write_list,
    year,
)

pytestmark = pytest.mark.pure

DAY = date(2026, 11, 22)
CLASS_WORDS = {"SHARE": "share", "DEPOSITARY_RECEIPT": "dr"}


def built_on(path, day=DAY, previous=None):
    return build(collect(read_firm(path)), day, previous)


def rows_of(built):
    """Rows by ISIN in the oracle's form; `closed` is what the findings say."""
    closed = {f.isin for f in built.findings if f.severity is Severity.FAIL_CLOSED}
    venues = built.about["venues"]
    rows = {}
    for row in built.instruments:
        isin, si = schema.unpack(row["isin"]), bool(row["si"])
        if isin in closed:
            rows[isin] = Expected(True, si, int(row["sms_e6"]), int(row["lis_e6"]))
            continue
        word = AssetClass(int(row["asset_class"])).name
        rows[isin] = Expected(
            False, si, int(row["sms_e6"]), int(row["lis_e6"]),
            CLASS_WORDS.get(word, word.lower()), schema.unpack(row["currency"]),
            bool(row["liquid"]), int(row["tick_band"]), venues[int(row["mrm_venue"])],
        )  # fmt: skip
    return rows


def only(folder, *results, of=None, day=DAY, **options):
    """The row of `ISIN`, from one full file, and the words of what closed it."""
    path = firm(folder, {FULL: results}, [of or line()], **options)
    built = built_on(path, day)
    said = [f.message for f in built.findings if f.severity is Severity.FAIL_CLOSED]
    return rows_of(built)[ISIN], "; ".join(said)


READY = Expected(False, True, 15_000 * 10**6, 650_000 * 10**6, "share", "EUR", True, 6, "XETR")
CLOSED = Expected(True, True, 0, 0)


# --- against the oracle ----------------------------------------------------------------------

ISINS = [made_isin(number) for number in range(1, 13)]
MICS = ["XETR", "XLON", "XSTO", "XPAR", "XAMS", "XMIL", "XMAD", "XBRU", "XHEL", "XCSE"]
FILES = ("FULECR_20250906_E_1of1.zip", FULL, DELTA)
DAYS = [
    date(2025, 4, 6), date(2025, 4, 7), date(2025, 12, 31), date(2026, 1, 1), date(2026, 4, 5),
    date(2026, 4, 6), date(2026, 11, 22), date(2027, 4, 4), date(2027, 4, 5),
]  # fmt: skip
ADNTS = (
    "0", "9.99", "10", "79.999", "80", "599", "600", "1999.9", "2000", "8999.99", "9000",
)  # fmt: skip
APPLIES = [("2026-04-06", "2027-04-04"), ("2025-12-31", "2026-04-06")]

SOUND = st.fixed_dictionaries(
    {
        "isin": st.sampled_from(ISINS),
        "reported": st.sampled_from([OF_2025, OF_2025, OF_2024]),
        "applies": st.sampled_from([(), (), (), *APPLIES]),
        "asset_class": st.sampled_from(["SHRS", "SHRS", "DPRS", "ETFS", "CRFT", "OTHR"]),
        "sms": st.sampled_from(["15000", "30000", "5000.123456789"]),
        "lis": st.sampled_from(["650000", "15000.0000019", "3000000"]),
        "mrm": st.sampled_from(MICS),
        "mrm_adnt": st.sampled_from(ADNTS),
        "shuffled": st.none() | st.integers(0, 9),
    }
)
#: What a record may have besides, most of it making it unusable.
FLAWS = st.sampled_from(
    [{"liquid": "1"}, {"liquid": "false", "sms": ""}, {"liquid": "0", "sms": "0"},
     {"liquid": "false"}, {"liquid": ""}, {"liquid": "yes"}, {"sms": ""}, {"sms": "1e4"},
     {"lis": ""}, {"lis": "0"}, {"lis": "-1"}, {"mrm": "", "mrm_adnt": ""}, {"mrm_adnt": ""},
     {"asset_class": ""}, {"currency": "USD"}, {"methodology": "SINT"},
     {"methodology": "ESTM", "reported": ()}, {"methodology": "FFWK"},
     {"reported": ("2023-01-01", "2023-12-31")}]
)  # fmt: skip
RESULTS = st.builds(lambda sound, flaws: sound | flaws, SOUND, st.just({}) | st.just({}) | FLAWS)
NAMES = st.sampled_from(FILES)
#: Results in files; some once more, as they are or changed, in the same file or another.
PLACED = st.builds(
    lambda once, again: [
        *once,
        *((once[place % len(once)][0] | change, name) for place, change, name in again),
    ],
    st.lists(
        st.tuples(RESULTS, NAMES),
        min_size=8,
        max_size=14,
        unique_by=lambda placed: (placed[0]["isin"], placed[0]["reported"]),
    ),
    st.lists(
        st.tuples(
            st.integers(0, 13), st.sampled_from([{}, {"sms": "17000"}, {"record_id": "2"}]), NAMES
        ),
        max_size=4,
    ),
)

LINES = st.lists(
    st.fixed_dictionaries(
        {
            "isin": st.sampled_from(ISINS),
            "si": st.sampled_from("YYN"),
            "currency": st.sampled_from(["EUR", "EUR", "GBX", "GBp", "GBP", "SEK", "USD", "CHF"]),
            "mrm": st.sampled_from(["", "", "", "XVIE"]),
            "asset_class": st.sampled_from(["", "", "share", "etf", "other"]),
            "tick_band": st.sampled_from(["", "", "", "", "0", "3", "6"]),
        }
    ),
    min_size=8,
    max_size=12,
    unique_by=lambda row: row["isin"],
)


@settings(max_examples=60)
@given(
    placed=PLACED,
    lines=LINES,
    rates=st.sampled_from([RATES, RATES, RATES, None]),
    day=st.sampled_from([*DAYS, DAY, DAY, DAY]),
    everything=st.booleans(),
    schema_version=st.sampled_from([V02, V03]),
)
def test_every_row_is_what_a_second_calculation_gives(
    placed, lines, rates, day, everything, schema_version
):
    files = {}
    for fields, name in placed:
        files.setdefault(name, []).append(result(**fields))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = firm(folder, {}, lines, rates, 'universe = "all"\n' if everything else "")
        for file, results in files.items():
            write(folder, file, message_of(results, schema=schema_version))
        written = [folder / file for file in files]
        wanted = expected(written, lines, rates, day, everything)
        built = built_on(path, day)
    assert rows_of(built) == wanted
    check_instruments(built.instruments)
    assert [schema.unpack(row["isin"]) for row in built.instruments] == sorted(wanted)


# --- which record ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "sms"),
    [("2025-04-06", 0), ("2025-04-07", 30_000), ("2026-04-05", 30_000), ("2026-04-06", 15_000),
     ("2027-04-04", 15_000), ("2027-04-05", 0)],
)  # fmt: skip
@pytest.mark.parametrize("stated", [False, True])
def test_the_first_monday_of_april_changes_the_record(tmp_path, day, sms, stated):
    old = ("2025-04-07", "2026-04-05") if stated else ()
    new = ("2026-04-06", "2027-04-04") if stated else ()
    row, said = only(
        tmp_path,
        year(sms="15000", applies=new),
        year(reported=OF_2024, sms="30000", applies=old),
        day=date.fromisoformat(day),
    )
    assert (row.sms_e6, row.closed) == (sms * 10**6, not sms)
    assert ("no record applies" in said) == row.closed


def test_contradicting_records_close_the_instrument(tmp_path):
    row, said = only(tmp_path, year(sms="15000"), year(sms="17000"))
    assert row == CLOSED
    assert said.startswith("CONFLICT: ") and "record 1" in said and "record 2" in said
    assert only(tmp_path, year(), year(record_id="2"))[0] == READY


def test_different_keys_that_both_apply_are_a_conflict(tmp_path):
    applies = ("2026-04-06", "2027-04-04")
    row, said = only(
        tmp_path, year(applies=applies), year(reported=OF_2024, sms="17000", applies=applies)
    )
    assert row == CLOSED and said.startswith("CONFLICT: different results apply on 2026-11-22")


@pytest.mark.parametrize(
    ("fields", "column"),
    [({"sms": "1e4"}, "StdMktSz"), ({"lis": "-1"}, "LrgInScale"), ({"liquid": "yes"}, "Lqdty"),
     ({"currency": "USD"}, "AvrgDalyTrnvr"), ({"applies": ("2026-02-30", "2027-01-01")}, "ApplPrd"),
     ({"methodology": "MEAN"}, "Mthdlgy"), ({"asset_class": "BOND"}, "FinInstrmClssfctn")],
)  # fmt: skip
def test_a_bad_record_closes_its_isin_and_no_other(tmp_path, fields, column):
    path = firm(tmp_path, {FULL: [year(), year(**fields), year(OTHER)]}, [line(), line(OTHER)])
    built = built_on(path)
    assert rows_of(built) == {ISIN: CLOSED, OTHER: READY}
    (finding,) = (f for f in built.findings if f.severity is Severity.FAIL_CLOSED)
    assert column in finding.message and "record 2" in finding.message and finding.line == 2
    assert any("cannot be used: 1" in remark for remark in built.about["remarks"])


def test_a_bad_isin_is_said_though_it_is_of_nobody(tmp_path):
    built = built_on(firm(tmp_path, {FULL: [year(), year("DE0000000000")]}))
    assert rows_of(built) == {ISIN: READY}
    (remark,) = built.about["remarks"]
    assert "DE0000000000" in remark and "check digit" in remark


def test_half_yearly_results_alone_state_nothing(tmp_path):
    half = year(methodology="SINT", reported=("2025-07-01", "2025-12-31"))
    row, said = only(tmp_path, half)
    assert row == CLOSED and "no record but SINT: nothing states a threshold" in said
    assert only(tmp_path, half, year())[0] == READY


def test_a_delta_replaces_the_full_file(tmp_path):
    path = firm(tmp_path, {FULL: [year(sms="15000")], DELTA: [year(sms="17000")]})
    assert rows_of(built_on(path))[ISIN] == READY._replace(sms_e6=17_000 * 10**6)


def test_an_instrument_that_no_file_has_is_closed(tmp_path):
    built = built_on(firm(tmp_path, {FULL: [year()]}, [line(), line(OTHER, mrm="XPAR")]))
    assert rows_of(built) == {ISIN: READY, OTHER: CLOSED}
    assert built.about["fail_closed"] == 1


@pytest.mark.parametrize(
    ("names", "missing"),
    [(["FULECR_20260411_E_1of2.zip"], "[2] of 2"), (["FULECR_20260411_E_2of2.zip"], "[1] of 2"),
     (["FULECR_20260411_E_01of03.zip", "FULECR_20260411_E_3of3.zip"], "[2] of 3"),
     (["DLTECR_20260413_02of02.zip"], "[1] of 2"),
     (["FULECR_20260411_E_1of2.zip", "FULECR_20260411_R_2of2.zip"], "[2] of 2")],
)  # fmt: skip
def test_a_missing_part_is_refused(tmp_path, names, missing):
    path = firm(tmp_path, {name: [year()] for name in names})
    with pytest.raises(Refused, match="are missing: fetch them") as caught:
        collect(read_firm(path))
    assert missing in str(caught.value)


def test_all_parts_are_one_publication(tmp_path):
    names = ["FULECR_20260411_E_01of02.zip", "FULECR_20260411_E_2of2.zip"]
    path = firm(
        tmp_path,
        {names[0]: [year()], names[1]: [year(OTHER)]},
        [line(), line(OTHER)],
    )
    assert rows_of(built_on(path)) == {ISIN: READY, OTHER: READY}


# --- FIRDS -----------------------------------------------------------------------------------


def firds(folder, *records, name="FULINS_E_20260411_01of01.zip"):
    write(folder, name, message_of(records, schema="auth.017.001.02"))
    return 'firds = ["FULINS_*"]\n'


def with_firds(folder, results, records, of, settings="", **options):
    path = firm(folder, {FULL: results}, of)
    path.write_text(settings + firds(folder, *records, **options) + path.read_text())
    return path


def test_firds_says_currency_class_name_and_first_day(tmp_path):
    new = result(isin=OTHER, methodology="ESTM", reported=(), asset_class="")
    records = [
        reference(ISIN, name="Alder AG"),
        reference(OTHER, name="Birch AG", first="2026-11-01T07:00:00Z", currency="SEK"),
    ]
    lines = [{"isin": ISIN, "si": "Y"}, {"isin": OTHER, "si": "Y"}]
    path = with_firds(tmp_path, [year(), new], records, lines)
    built = built_on(path)
    rows = rows_of(built)
    assert rows[ISIN] == READY and built.names == ["Alder AG", "Birch AG"]
    assert (rows[OTHER].currency, rows[OTHER].asset_class) == ("SEK", "share")
    # Six weeks from the first trading day.
    assert rows_of(built_on(path, date(2026, 12, 12)))[OTHER].closed is False
    assert rows_of(built_on(path, date(2026, 12, 13)))[OTHER].closed is True
    assert rows_of(built_on(path, date(2026, 10, 31)))[OTHER].closed is True


def test_a_missing_part_of_firds_is_refused(tmp_path):
    part = "FULINS_E_20260411_01of02.zip"
    path = with_firds(tmp_path, [year()], [reference(ISIN)], [line()], name=part)
    with pytest.raises(Refused, match="are missing: fetch them") as caught:
        collect(read_firm(path))
    assert "[2] of 2" in str(caught.value)


def test_venues_that_contradict_each_other_in_the_currency(tmp_path):
    records = [reference(ISIN, mic="XETR"), reference(ISIN, mic="XLON", currency="GBP")]
    built = built_on(with_firds(tmp_path, [year()], records, [{"isin": ISIN, "si": "Y"}]))
    assert rows_of(built)[ISIN] == CLOSED
    assert any("no currency" in finding.message for finding in built.findings)
    assert rows_of(built_on(with_firds(tmp_path, [year()], records, [line()])))[ISIN] == READY


def test_only_what_is_named_is_kept_of_firds(tmp_path):
    records = [reference(ISIN), reference(made_isin(77))]
    collected = collect(read_firm(with_firds(tmp_path, [year()], records, [line()])))
    assert list(collected.firds) == [ISIN]


# --- thresholds and their currency -----------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "day", "rate_e9"),
    [("SEK", "2026-04-05", 87_267_650), ("SEK", "2026-04-06", 92_408_631),
     ("GBP", "2026-04-05", 1_206_010_800), ("GBP", "2026-04-06", 1_146_000_500),
     ("GBX", "2026-04-05", 12_060_108), ("GBX", "2026-04-06", 11_460_005),
     ("GBp", "2027-01-01", 11_460_005), ("USD", "2026-11-22", 851_063_830)],
)  # fmt: skip
def test_the_rate_of_the_right_31_december(tmp_path, currency, day, rate_e9):
    row, _ = only(
        tmp_path,
        year(),
        year(reported=OF_2024),
        of=line(currency=currency),
        day=date.fromisoformat(day),
    )
    assert row == READY._replace(
        currency=currency.upper().replace("GBP", "GBX") if currency == "GBp" else currency,
        sms_e6=15_000 * 10**15 // rate_e9,
        lis_e6=650_000 * 10**15 // rate_e9,
    )


def test_many_decimals_are_rounded_down_once(tmp_path):
    row, _ = only(tmp_path, year(lis="650000.1234567891234567891"), of=line(currency="GBX"))
    exact = 650000_1234567891234567891 * 10**15 // (11_460_005 * 10**19)
    assert row.lis_e6 == exact


@pytest.mark.parametrize(
    ("currency", "rates", "said"),
    [("SEK", None, "no `ecb` file"), ("CHF", RATES, "publishes no rate"),
     ("USD", {date(2025, 12, 30): {"USD": "1.2"}}, "the file ends on 2025-12-30"),
     ("USD", {date(2026, 1, 2): {"USD": "1.2"}}, "no rates of the end of 2025"),
     ("USD", {date(2025, 12, 31): {"SEK": "1.2"}}, "suspended or not published")],
)  # fmt: skip
def test_without_a_rate_it_is_closed_and_eur_is_not(tmp_path, currency, rates, said):
    lines = [line(currency=currency), line(OTHER)]
    path = firm(tmp_path, {FULL: [year(), year(OTHER)]}, lines, rates)
    built = built_on(path)
    assert rows_of(built) == {ISIN: CLOSED, OTHER: READY}
    (finding,) = (f for f in built.findings if f.severity is Severity.FAIL_CLOSED)
    assert f"no rate for {currency}" in finding.message and said in finding.message
    assert str(tmp_path) not in finding.message


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"sms": ""}, "a liquid market but no SMS"), ({"sms": "0"}, "a liquid market but no SMS"),
     ({"liquid": "false"}, "an SMS but no liquid market"), ({"lis": ""}, "no LIS"),
     ({"lis": "0"}, "no LIS"), ({"liquid": ""}, "does not say whether"),
     ({"mrm_adnt": ""}, "no ADNT of the MRM"), ({"mrm": "", "mrm_adnt": ""}, "no most relevant"),
     ({"asset_class": ""}, "no class"), ({"lis": "900000000000", "sms": "200000001"}, "not fit")],
)  # fmt: skip
def test_what_is_missing_closes_it(tmp_path, fields, said):
    row, closing = only(tmp_path, year(**fields))
    assert row == CLOSED and said in closing


def test_an_illiquid_share_has_a_lis_alone(tmp_path):
    row, _ = only(tmp_path, year(liquid="false", sms="", avt="", lis="15000", adt="2667"))
    assert row == READY._replace(sms_e6=0, lis_e6=15_000 * 10**6, liquid=False)


# --- tick bands, classes, venues -------------------------------------------------------------


@pytest.mark.parametrize(
    ("adnt", "band"),
    [("0", 1), ("9.99", 1), ("10", 2), ("79.99", 2), ("80", 3), ("599.99", 3), ("600", 4),
     ("1999.99", 4), ("2000", 5), ("8999.99", 5), ("9000", 6), ("90000", 6)],
)  # fmt: skip
def test_the_band_is_of_the_transactions_on_the_mrm(tmp_path, adnt, band):
    assert only(tmp_path, year(mrm_adnt=adnt, adnt="50"))[0] == READY._replace(band=band)


@pytest.mark.parametrize(
    ("fields", "own", "band"),
    [({"asset_class": "ETFS", "mrm_adnt": ""}, {}, 0),
     ({"asset_class": "ETFS", "mrm_adnt": ""}, {"equity_etf": "N"}, 0),
     ({"asset_class": "ETFS", "mrm_adnt": "20"}, {"equity_etf": "Y"}, 6),
     ({"asset_class": "CRFT"}, {}, 0), ({"asset_class": "OTHR"}, {}, 0),
     ({"asset_class": "DPRS", "mrm_adnt": "20"}, {}, 2),
     ({"mrm_adnt": ""}, {"tick_band": "4"}, 4), ({}, {"tick_band": "1"}, 1),
     ({"asset_class": "ETFS"}, {"tick_band": "6"}, 6),
     ({"asset_class": ""}, {"asset_class": "dr"}, 6)],
)  # fmt: skip
def test_bands_of_classes_and_of_the_firm(tmp_path, fields, own, band):
    row, _ = only(tmp_path, year(**fields), of=line(**own))
    assert (row.band, row.closed, row.sms_e6) == (band, False, READY.sms_e6)


def test_a_class_that_differs_is_said_and_the_register_counts(tmp_path):
    built = built_on(firm(tmp_path, {FULL: [year()]}, [line(asset_class="dr")]))
    assert rows_of(built) == {ISIN: READY}
    assert any("class differs" in f.message for f in built.findings)


def test_the_firms_own_market_and_limits(tmp_path):
    own = line(mrm="XVIE", lot="5", order_max_eur="1000000", position_max_eur="0.000001")
    built = built_on(firm(tmp_path, {FULL: [year()]}, [own | {"currency": "USD"}]))
    (row,) = built.instruments
    assert built.about["venues"] == ["XVIE"]
    assert (row["lot"], row["position_max_e6"]) == (5, 1)
    assert row["order_max_e6"] == 10**21 // 851_063_830


def test_more_markets_than_the_engine_has_room_for(tmp_path):
    """Room goes first to markets in which the firm quotes; thresholds are shown for all."""
    isins = [made_isin(number) for number in range(1, 14)]
    mics = [f"X{number:03d}" for number in range(10)]
    # The last market has four instruments of which none is quoted, the others one each.
    of = [*mics[:9], *[mics[9]] * 4]
    results = [year(isin, mrm=mic) for isin, mic in zip(isins, of, strict=True)]
    lines = [
        line(isin, si="N" if mic == mics[9] else "Y") for isin, mic in zip(isins, of, strict=True)
    ]
    built = built_on(firm(tmp_path, {FULL: results}, lines))
    assert built.about["venues"] == mics
    assert not any(row.closed for row in rows_of(built).values())
    said = [(f.isin, f.message) for f in built.findings]
    assert said == [(isins[8], "its MRM X008 is over the engine's 8 venues: not traded")]


def test_the_universe_of_all_has_what_the_firm_does_not_name(tmp_path):
    third = made_isin(3)
    half = year(third, methodology="SINT", reported=("2025-07-01", "2025-12-31"))
    conflict = [year(made_isin(4)), year(made_isin(4), sms="17000")]
    files = {FULL: [year(), year(OTHER), half, *conflict]}
    records = [reference(isin) for isin in (ISIN, OTHER, third, made_isin(4))]
    path = with_firds(tmp_path, files[FULL], records, [line()], 'universe = "all"\n')
    rows = rows_of(built_on(path))
    assert rows == {
        ISIN: READY, OTHER: READY._replace(si=False), made_isin(4): CLOSED._replace(si=False),
    }  # fmt: skip


# --- the firm's list, order, bytes -----------------------------------------------------------


def test_an_isin_twice_in_the_list(tmp_path):
    path = firm(tmp_path, {FULL: [year()]}, [line(), line()])
    assert rows_of(built_on(path)) == {ISIN: READY}
    write_list(tmp_path, [line(), line(lot="7")])
    with pytest.raises(Refused, match="differs from line 2 in lot: keep one line"):
        collect(read_firm(path))


def test_the_same_inputs_give_the_same_bytes_wherever_they_lie(tmp_path):
    lines = [line(OTHER, currency="CHF"), line(currency="SEK")]
    made = []
    for name in ("one", "two"):
        path = firm(tmp_path / name, {FULL: [year(), year(OTHER)], DELTA: [year()]}, lines, RATES)
        # A zip has the time of its making in it; the registers' files are the same everywhere.
        for file in (FULL, DELTA):
            if made:
                (tmp_path / name / file).write_bytes((tmp_path / "one" / file).read_bytes())
        made.append(write_snapshot(built_on(path), tmp_path / f"{name}-out", "anna"))
    first, second = made
    assert first.name == second.name and first.read_bytes() == second.read_bytes()


def test_the_order_of_lines_and_records_decides_nothing(tmp_path):
    results, lines = [year(), year(OTHER, sms="17000")], [line(), line(OTHER)]
    forward = built_on(firm(tmp_path, {FULL: results}, lines))
    backward = built_on(firm(tmp_path, {FULL: results[::-1]}, lines[::-1]))
    both = [each.instruments.copy() for each in (forward, backward)]
    for rows in both:
        rows["loaded_row"] = 0
    assert np.array_equal(*both)


def test_the_days_of_the_inputs_are_kept(tmp_path):
    collected = collect(read_firm(firm(tmp_path, {FULL: [year()], DELTA: [year()]})))
    assert collected.newest == date(2026, 4, 13)
    kinds = [(entry.kind, entry.name, entry.day) for entry in collected.inputs]
    assert kinds == [
        ("firm", "refdata.toml", ""), ("instruments", "instruments.csv", ""),
        ("fitrs", DELTA, "2026-04-13"), ("fitrs", FULL, "2026-04-11"),
        ("ecb", "eurofxref-hist.csv", ""),
    ]  # fmt: skip
    assert all(len(entry.sha256) == 64 for entry in collected.inputs)


def test_the_published_value_counts_and_its_table_is_said(tmp_path):
    path = firm(tmp_path, {FULL: [year(sms="16000", lis="650001"), year(OTHER, avt="9000")]},
                [line(), line(OTHER)])  # fmt: skip
    built = built_on(path)
    rows = rows_of(built)
    assert (rows[ISIN].sms_e6, rows[ISIN].lis_e6) == (16_000 * 10**6, 650_001 * 10**6)
    said = [(f.isin, f.message) for f in built.findings if f.severity is Severity.WARNING]
    assert said == [
        (ISIN, "SMS 16000 EUR is no value of its table"),
        (ISIN, "LIS 650001 EUR is no value of its table"),
        (OTHER, "SMS 15000 EUR, its average 9000 gives 5000"),
    ]
    assert Decimal(rows[OTHER].sms_e6) == 15_000 * 10**6
