"""FIRDS files written to the schema: full, delta and cancellations, and what they add up to."""

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.enums import AssetClass
from refdata.firds import (
    FirdsInstrument,
    FirdsRecord,
    asset_class_of,
    fold,
    read_firds,
)
from refdata.isin import check_digit
from refdata.published import BadRecord
from refdata.rows import Refused
from tests.fitrs_files import (
    CANCELLATIONS,
    DELTA,
    FULL,
    V03,
    delta,
    element,
    message,
    reference,
    result,
    write,
)

pytestmark = pytest.mark.pure

NAME = "FULINS_E_20250906_01of02.zip"
ISIN, OTHER = "DE0007164600", "US0378331005"
EXPECTED = FirdsRecord(
    source=NAME,
    number=1,
    action="full",
    isin=ISIN,
    name="Alder AG",
    cfi="ESVUFR",
    currency="EUR",
    issuer="529900D6BF99LW9R2E68",
    mic="XETR",
    first_traded=date(2018, 1, 3),
    terminated=None,
    relevant_authority="DE",
    relevant_mic="XETR",
    valid_from=date(2025, 9, 1),
    file_day=date(2025, 9, 6),
)


def read(folder, *records, schema=FULL, name=NAME, **options):
    path = write(folder, name, message(records, schema=schema, **options))
    return list(read_firds(path)[1])


def refusal(path):
    with pytest.raises(Refused) as caught:
        list(read_firds(path)[1])
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".xml", ".xml.gz", ".zip"])
def test_a_full_file(tmp_path, suffix):
    name = "FULINS_E_20250906_01of02" + suffix
    path = write(tmp_path, name, message([reference(), reference(mic="XPAR")], schema=FULL))
    file, records = read_firds(path)
    assert list(records) == [
        EXPECTED._replace(source=name),
        EXPECTED._replace(source=name, number=2, mic="XPAR"),
    ]
    assert file._replace(sha256="") == (
        name, "", "full", date(2025, 9, 6), "E", 1, 2, "EU", {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrapped", "action"),
    [
        ("NewRcrd", "new"),
        ("ModfdRcrd", "modified"),
        ("TermntdRcrd", "terminated"),
        ("CancRcrd", "cancelled"),
    ],
)
def test_a_delta(tmp_path, wrapped, action):
    name = "DLTINS_20250906_01of01.zip"
    expected = EXPECTED._replace(source=name, action=action)
    for first, second in (
        (delta(wrapped=wrapped), delta(OTHER, wrapped=wrapped)),
        (reference(wrapped=wrapped), reference(OTHER, wrapped=wrapped)),
        (reference(wrapped=wrapped, inner="RefData"), delta(OTHER, wrapped=wrapped)),
        (reference(wrapped="RefData", inner=wrapped), delta(OTHER, wrapped=wrapped)),
    ):
        records = read(tmp_path, first, second, schema=DELTA, name=name)
        assert records == [expected, expected._replace(number=2, isin=OTHER)]


def test_cancellations_may_name_several_venues(tmp_path):
    name = "FULCAN_20250906_01of01.zip"
    venue = element("TradgVnRltdAttrbts", element("Id", "XPAR"))
    one = reference(wrapped="CxlData", first="").replace("<TechAttrbts>", venue + "<TechAttrbts>")
    path = write(tmp_path, name, message([one, reference(wrapped="CxlData")], schema=CANCELLATIONS))
    file, records = read_firds(path)
    expected = EXPECTED._replace(source=name, action="cancelled")
    assert list(records) == [
        expected._replace(first_traded=None),
        expected._replace(first_traded=None, mic="XPAR"),
        expected._replace(number=2),
    ]
    assert (file.kind, file.cfi_letter) == ("cancellations", "")


def test_optional_elements_may_be_missing(tmp_path):
    (record,) = read(
        tmp_path, reference(name="", cfi="", currency="", first="", since="", relevant="")
    )
    assert record == EXPECTED._replace(
        name="", cfi="", currency="", first_traded=None, valid_from=None, relevant_mic=""
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2018-01-03T07:00:00Z", date(2018, 1, 3)),
        ("2024-02-29T23:59:59.999999Z", date(2024, 2, 29)),
        ("2018-01-03", date(2018, 1, 3)),
        ("2017-12-31T23:00:00Z", date(2017, 12, 31)),
    ],
)
def test_days_are_those_of_the_utc_time(tmp_path, text, day):
    (record,) = read(tmp_path, reference(first=text, last=text))
    assert (record.first_traded, record.terminated) == (day, day)


def test_the_year_9999_is_no_termination(tmp_path):
    (record,) = read(tmp_path, reference(last="9999-12-31T23:59:59Z"))
    assert record == EXPECTED


def test_a_version_has_one_period(tmp_path):
    closed, day = read(
        tmp_path,
        reference(since="2025-08-01", until="2025-08-31"),
        reference(since="").replace(
            "<TechAttrbts>", "<TechAttrbts><PblctnPrd><Dt>2025-08-02</Dt></PblctnPrd>"
        ),
    )
    assert (closed.valid_from, day.valid_from) == (date(2025, 8, 1), date(2025, 8, 2))


@pytest.mark.parametrize(
    ("options", "column", "value"),
    [
        ({"isin": "DE0007164601"}, "FinInstrmGnlAttrbts/Id", "DE0007164601"),
        ({"isin": ""}, "FinInstrmGnlAttrbts/Id", ""),
        ({"cfi": "ESVUF"}, "FinInstrmGnlAttrbts/ClssfctnTp", "ESVUF"),
        ({"currency": "Eur"}, "FinInstrmGnlAttrbts/NtnlCcy", "Eur"),
        ({"mic": ""}, "TradgVnRltdAttrbts/Id", ""),
        ({"mic": "xetr"}, "TradgVnRltdAttrbts/Id", "xetr"),
        (
            {"first": "2023-02-29T00:00:00Z"},
            "TradgVnRltdAttrbts/FrstTradDt",
            "2023-02-29T00:00:00Z",
        ),
        ({"last": "tomorrow"}, "TradgVnRltdAttrbts/TermntnDt", "tomorrow"),
        ({"since": "2025-13-01"}, "TechAttrbts/PblctnPrd/FrDt", "2025-13-01"),
    ],
)
def test_what_cannot_be_used_for_certain_is_said_and_kept(tmp_path, options, column, value):
    bad, good = read(tmp_path, reference(**options), reference())
    assert good == EXPECTED._replace(number=2)
    assert isinstance(bad, BadRecord)
    assert (bad.source, bad.number, bad.column, bad.value) == (NAME, 1, column, value)
    assert bad.isin == options.get("isin", ISIN) and bad.advice


def test_doubled_elements_and_missing_venues_are_not_used(tmp_path):
    texts = [
        reference().replace("<NtnlCcy>", "<NtnlCcy>USD</NtnlCcy><NtnlCcy>"),
        reference().replace(
            "<FrstTradDt>", "<FrstTradDt>2019-01-03T07:00:00Z</FrstTradDt><FrstTradDt>"
        ),
        reference().replace("TradgVnRltdAttrbts", "Other"),
        element("RefData", ""),
    ]
    bad = read(tmp_path, *texts)
    assert [record.column for record in bad] == [
        "FinInstrmGnlAttrbts/NtnlCcy", "TradgVnRltdAttrbts/FrstTradDt", "TradgVnRltdAttrbts",
        "TradgVnRltdAttrbts",
    ]  # fmt: skip
    assert all(isinstance(record, BadRecord) for record in bad)


def test_unknown_elements_are_counted_and_derivatives_are_passed_over(tmp_path):
    extra = "<DerivInstrmAttrbts><XpryDt>2025-12-19</XpryDt></DerivInstrmAttrbts><New>1</New>"
    text = reference().replace("<TechAttrbts>", extra + "<TechAttrbts>")
    text = text.replace("<IssrReq>", "<Later/><IssrReq>")
    file, records = read_firds(write(tmp_path, NAME, message([text], schema=FULL)))
    assert list(records) == [EXPECTED]
    assert file.unknown == {"New": 1, "Later": 1}


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        message([result()], schema=V03),
        message([reference()], schema=FULL)[:900],
        message([reference()], schema=FULL, prolog="<!DOCTYPE BizData>"),
        message([element("Odd", reference())], schema=FULL),
        message([reference()], schema=FULL).replace("RefDataRpt", "Rpt"),
    ],
)
def test_another_file_is_refused(tmp_path, text):
    assert "a.xml" in refusal(write(tmp_path, "a.xml", text))


@pytest.mark.parametrize(
    ("cfi", "asset_class"),
    [
        ("ESVUFR", AssetClass.SHARE), ("EPNRAR", AssetClass.SHARE), ("ECVUFR", AssetClass.SHARE),
        ("EFVUFR", AssetClass.SHARE), ("EDSXFR", AssetClass.DEPOSITARY_RECEIPT),
        ("CEOGES", AssetClass.ETF), ("CIOGES", None), ("EYXXXX", None), ("EMXXXX", None),
        ("RSXXXX", None), ("DBFTFB", None), ("", None), ("ES", None), ("esvufr", None),
        ("ESVUFR\n", None),
    ],
)  # fmt: skip
def test_a_class_is_told_only_where_the_code_is_certain(cfi, asset_class):
    assert asset_class_of(cfi) is asset_class


def test_an_instrument_over_its_venues():
    records = [
        EXPECTED._replace(mic="XPAR", name="ALDER", first_traded=date(2019, 5, 6)),
        EXPECTED,
        EXPECTED._replace(mic="XLON", first_traded=None, currency=""),
        EXPECTED._replace(isin=OTHER, mic="XNAS", relevant_mic="", terminated=date(2025, 1, 2)),
    ]
    expected = {
        ISIN: FirdsInstrument(
            ISIN, "Alder AG", "ESVUFR", "EUR", date(2018, 1, 3), None, ("XETR", "XLON", "XPAR"),
            "XETR", (),
        ),
        OTHER: FirdsInstrument(
            OTHER, "Alder AG", "ESVUFR", "EUR", date(2018, 1, 3), date(2025, 1, 2), ("XNAS",), "",
            (),
        ),
    }  # fmt: skip
    for order in permutations(records):
        assert fold(order) == expected
    assert fold([]) == {}


def test_currencies_that_differ_are_reported_and_not_chosen_from():
    records = [EXPECTED, EXPECTED._replace(mic="XLON", currency="GBP", cfi="EPVUFR")]
    for order in permutations(records):
        found = fold(order)[ISIN]
        assert (found.currency, found.cfi) == ("", "")
        assert found.conflicts == (
            "cfi: EPVUFR (XLON); ESVUFR (XETR)",
            "currency: EUR (XETR); GBP (XLON)",
        )


def test_a_later_version_replaces_a_venue_and_a_late_correction_does_not():
    later = date(2025, 9, 8)
    modified = EXPECTED._replace(
        action="modified", currency="USD", valid_from=later, file_day=later, source="DLTINS"
    )
    correction = EXPECTED._replace(
        action="modified", currency="GBP", valid_from=date(2020, 1, 1), file_day=later
    )
    for order in permutations([EXPECTED, modified, correction]):
        assert fold(order)[ISIN].currency == "USD"
        assert fold(order)[ISIN].conflicts == ()
    undated = EXPECTED._replace(valid_from=None, currency="SEK", file_day=date(2025, 9, 9))
    assert fold([EXPECTED, modified, undated])[ISIN].currency == "SEK"


def test_versions_of_one_day_that_differ_are_a_conflict():
    same = EXPECTED._replace(number=7, source="other", action="modified")
    assert fold([EXPECTED, same])[ISIN].conflicts == ()
    for order in permutations([EXPECTED, EXPECTED._replace(number=2, currency="USD")]):
        found = fold(order)[ISIN]
        assert found.currency == "" and found.mics == ("XETR",)
        assert found.conflicts == (
            "XETR: versions of the same day differ", "currency: EUR (XETR); USD (XETR)",
        )  # fmt: skip


def test_the_first_trading_day_is_of_venues_that_are_not_cancelled():
    early = EXPECTED._replace(mic="XPAR", first_traded=date(2017, 1, 2))
    cancelled = early._replace(action="cancelled", valid_from=date(2025, 9, 7))
    assert fold([EXPECTED, early])[ISIN].first_traded == date(2017, 1, 2)
    found = fold([EXPECTED, early, cancelled])[ISIN]
    assert (found.first_traded, found.mics) == (date(2018, 1, 3), ("XETR",))
    nothing = fold([early, cancelled])[ISIN]
    assert (nothing.first_traded, nothing.mics, nothing.terminated) == (None, (), None)


def test_an_instrument_is_terminated_when_its_last_venue_is():
    ended = EXPECTED._replace(mic="XPAR", terminated=date(2025, 3, 4))
    undated = EXPECTED._replace(mic="XLON", action="terminated", valid_from=date(2025, 5, 6))
    cases = [
        ([EXPECTED, ended, undated], None),
        ([ended], date(2025, 3, 4)),
        ([ended, undated], date(2025, 5, 6)),
        ([undated], date(2025, 5, 6)),
    ]
    for records, expected in cases:
        for order in permutations(records):
            assert fold(order)[ISIN].terminated == expected


DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2030, 12, 31))


@given(
    first_eleven=st.from_regex(r"[A-Z]{2}[A-Z0-9]{9}", fullmatch=True),
    mic=st.from_regex(r"[A-Z0-9]{4}", fullmatch=True),
    name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40),
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True),
    first=DAYS,
    last=DAYS | st.none(),
    since=DAYS,
    wrapped=st.sampled_from(["NewRcrd", "ModfdRcrd", "TermntdRcrd", "CancRcrd"]),
)
def test_what_is_written_is_read(
    tmp_path_factory, first_eleven, mic, name, currency, first, last, since, wrapped
):
    isin = first_eleven + check_digit(first_eleven)
    text = delta(
        isin, mic, name, currency=currency, first=f"{first}T06:00:00Z",
        last=f"{last}T06:00:00Z" if last else "", since=str(since), wrapped=wrapped,
    )  # fmt: skip
    (record,) = read(tmp_path_factory.mktemp("round"), text, schema=DELTA, name="DLTINS.xml")
    actions = {"N": "new", "M": "modified", "T": "terminated", "C": "cancelled"}
    assert record == EXPECTED._replace(
        source="DLTINS.xml", action=actions[wrapped[0]], isin=isin, mic=mic, name=name,
        currency=currency, first_traded=first, terminated=last, valid_from=since,
        file_day=date(2025, 9, 6),
    )  # fmt: skip
