"""FITRS files written to the schema: what is read, what is refused, what is not to be used."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.enums import AssetClass
from refdata.fitrs import FitrsRecord, Methodology, read_fitrs
from refdata.isin import check_digit, is_valid
from refdata.published import BadRecord
from refdata.rows import Refused
from refdata.xml_stream import elements
from tests.fitrs_files import (
    DELTA,
    V02,
    V03,
    element,
    message,
    reference,
    result,
    write,
    write_results,
)

pytestmark = pytest.mark.pure

APPLIES = ("2025-04-07", "2026-04-05")
EXPECTED = FitrsRecord(
    source="FULECR_20250906_E_1of1.zip",
    number=1,
    record_id="1",
    isin="DE0007164600",
    asset_class=AssetClass.SHARE,
    methodology=Methodology.YEAR,
    reported_from=date(2024, 1, 1),
    reported_to=date(2024, 12, 31),
    applies_from=date(2025, 4, 7),
    applies_to=date(2026, 4, 5),
    liquid=True,
    adt_eur=Decimal(150_000_000),
    avt_eur=Decimal(14_000),
    sms_eur=Decimal(15_000),
    lis_eur=Decimal(650_000),
    adnt=Decimal(12_000),
    mrm="XETR",
    mrm_adnt=Decimal("9000.5"),
    file_day=date(2025, 9, 6),
)


def read(folder, *records, **options):
    return list(read_fitrs(write_results(folder, *records, **options))[1])


def refusal(path):
    with pytest.raises(Refused) as caught:
        list(read_fitrs(path)[1])
    return str(caught.value)


def test_a_whole_file(tmp_path):
    path = write_results(tmp_path, result(applies=APPLIES), result(record_id="2", applies=APPLIES))
    file, records = read_fitrs(path)
    assert list(records) == [EXPECTED, EXPECTED._replace(number=2, record_id="2")]
    assert len(file.sha256) == 64
    assert file._replace(sha256="") == (
        path.name, "", "full", date(2025, 9, 6), "E", 1, 1, "EU", {},
    )  # fmt: skip


@pytest.mark.parametrize("schema", [V02, V03])
@pytest.mark.parametrize("suffix", [".xml", ".xml.gz", ".zip"])
@pytest.mark.parametrize("seed", range(5))
def test_version_packing_and_order_make_no_difference(tmp_path, schema, suffix, seed):
    name = "FULECR_20250906_E_1of1" + suffix
    (record,) = read(tmp_path, result(applies=APPLIES, shuffled=seed), schema=schema, name=name)
    assert record == EXPECTED._replace(source=name)


def test_the_namespace_and_its_prefix_make_no_difference(tmp_path):
    text = message([result(applies=APPLIES)])
    for start, end in ((" xmlns=", " xmlns:unused="), ("auth.044.001.03", "auth.044.001.99")):
        path = write(tmp_path, EXPECTED.source, text.replace(start, end))
        assert list(read_fitrs(path)[1]) == [EXPECTED]
    prefixed = text.replace("<Document xmlns=", "<Document xmlns:x=")
    prefixed = prefixed.replace("<StdMktSz>", "<x:StdMktSz>").replace("</StdMktSz", "</x:StdMktSz")
    path = write(tmp_path, EXPECTED.source, prefixed)
    assert list(read_fitrs(path)[1]) == [EXPECTED]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
def test_the_encoding_is_the_one_declared(tmp_path, encoding):
    text = message([result(applies=APPLIES)]).replace("UTF-8", encoding).replace("Birch", "Bürk")
    path = write(tmp_path, EXPECTED.source, text.encode(encoding))
    assert list(read_fitrs(path)[1]) == [EXPECTED]


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ("methodology", "methodology"), ("asset_class", "asset_class"), ("liquid", "liquid"),
        ("adt", "adt_eur"), ("avt", "avt_eur"), ("sms", "sms_eur"), ("lis", "lis_eur"),
        ("adnt", "adnt"), ("mrm_adnt", "mrm_adnt"), ("record_id", "record_id"),
    ],
)  # fmt: skip
def test_each_optional_element_may_be_missing(tmp_path, argument, field):
    (record,) = read(tmp_path, result(applies=APPLIES, **{argument: ""}))
    missing = "" if field == "record_id" else None
    assert record == EXPECTED._replace(**{field: missing})


def test_a_record_of_nothing_but_its_isin(tmp_path):
    (record,) = read(tmp_path, element("EqtyTrnsprncyData", element("Id", EXPECTED.isin)))
    empty = dict.fromkeys(FitrsRecord._fields)
    kept = {"source": EXPECTED.source, "number": 1, "isin": EXPECTED.isin, "mrm": ""}
    assert record == FitrsRecord(**{**empty, **kept, "record_id": "", "file_day": date(2025, 9, 6)})
    (record,) = read(tmp_path, result(mrm="", mrm_adnt="", applies=APPLIES))
    assert record == EXPECTED._replace(mrm="", mrm_adnt=None)


@pytest.mark.parametrize(
    ("form", "period"),
    [
        ("", (None, None)),
        ("<RptgPrd><Dt>2024-02-29</Dt></RptgPrd>", (date(2024, 2, 29), date(2024, 2, 29))),
        ("<RptgPrd><FrDt>2024-01-01</FrDt></RptgPrd>", (date(2024, 1, 1), None)),
        ("<RptgPrd><ToDt>2024-12-31Z</ToDt></RptgPrd>", (None, date(2024, 12, 31))),
        (
            "<RptgPrd><FrDtToDt><ToDt>2024-01-01</ToDt><FrDt>2024-01-01</FrDt>"
            "</FrDtToDt></RptgPrd>",
            (date(2024, 1, 1), date(2024, 1, 1)),
        ),
    ],
)
def test_each_form_of_a_period(tmp_path, form, period):
    other = form.replace("RptgPrd", "ApplPrd")
    first, second = read(
        tmp_path,
        result(reported=(), applies=APPLIES, extra=form),
        result(extra=other),
    )
    assert (first.reported_from, first.reported_to) == period
    assert (second.applies_from, second.applies_to) == period
    assert (first.applies_from, second.reported_from) == (date(2025, 4, 7), date(2024, 1, 1))


@pytest.mark.parametrize(
    ("options", "column", "value", "said"),
    [
        ({"isin": ""}, "Id", "", "state the ISIN"),
        ({"isin": "DE0007164601"}, "Id", "DE0007164601", "check digit"),
        ({"isin": "de0007164600"}, "Id", "de0007164600", "check digit"),
        ({"isin": "DE0007164600X"}, "Id", "DE0007164600X", "check digit"),
        ({"methodology": "YEARLY"}, "Mthdlgy", "YEARLY", "YEAR, SINT, FFWK, ESTM"),
        ({"methodology": "year"}, "Mthdlgy", "year", "YEAR, SINT, FFWK, ESTM"),
        ({"asset_class": "SHRE"}, "FinInstrmClssfctn", "SHRE", "SHRS, DPRS, ETFS, CRFT, OTHR"),
        ({"liquid": "yes"}, "Lqdty", "yes", "true, 1, false, 0"),
        ({"sms": "-1"}, "Sttstcs/StdMktSz", "-1", "negative"),
        ({"sms": "1e5"}, "Sttstcs/StdMktSz", "1e5", "digits"),
        ({"sms": "NaN"}, "Sttstcs/StdMktSz", "NaN", "digits"),
        ({"sms": "INF"}, "Sttstcs/StdMktSz", "INF", "digits"),
        ({"sms": "10,000"}, "Sttstcs/StdMktSz", "10,000", "digits"),
        ({"sms": "10 000"}, "Sttstcs/StdMktSz", "10 000", "digits"),
        ({"sms": " "}, "Sttstcs/StdMktSz", "", "digits"),
        ({"sms": "\u0661"}, "Sttstcs/StdMktSz", "\u0661", "digits"),
        ({"lis": "1000000000000.01"}, "Sttstcs/LrgInScale", "1000000000000.01", "more than"),
        ({"adt": "9" * 30}, "Sttstcs/AvrgDalyTrnvr", "9" * 30, "digits"),
        ({"adnt": "1000000001"}, "Sttstcs/AvrgDalyNbOfTxs", "1000000001", "more than"),
        ({"mrm_adnt": "-0.5"}, "RlvntMkt/AvrgDalyNbOfTxs", "-0.5", "negative"),
        ({"currency": "USD"}, "Sttstcs/AvrgDalyTrnvr", "150000000 USD", "in EUR"),
        ({"currency": "eur", "adt": ""}, "Sttstcs/AvrgTxVal", "14000 eur", "in EUR"),
        ({"currency": ""}, "Sttstcs/AvrgDalyTrnvr", "150000000 without currency", "in EUR"),
        ({"mrm": "XET"}, "RlvntMkt/Id", "XET", "MIC"),
        ({"mrm": ""}, "RlvntMkt/Id", "", "which market"),
        ({"reported": ("2023-02-29",)}, "RptgPrd/FrDt", "2023-02-29", "exists"),
        ({"reported": ("20240101", "2024-12-31")}, "RptgPrd/FrDtToDt/FrDt", "20240101", "exists"),
        ({"reported": ("2024-W01-1",)}, "RptgPrd/FrDt", "2024-W01-1", "exists"),
        (
            {"applies": ("2026-04-05", "2025-04-07")},
            "ApplPrd/FrDtToDt", "2026-04-05 to 2025-04-07", "on or after its first day",
        ),
        ({"extra": "<ApplPrd/>"}, "ApplPrd", "", "leave the element out"),
        ({"extra": "<ApplPrd><FrDtToDt/></ApplPrd>"}, "ApplPrd/FrDtToDt", "", "leave the element"),
        ({"extra": "<ApplPrd><Day>1</Day></ApplPrd>"}, "ApplPrd", "", "once, without elements"),
        (
            {"extra": "<ApplPrd><FrDtToDt><FrDt>2025-04-07</FrDt></FrDtToDt></ApplPrd>"},
            "ApplPrd/FrDtToDt", "", "both FrDt and ToDt",
        ),
        (
            {"extra": "<ApplPrd><FrDt>2025-04-07</FrDt><ToDt>2025-04-08</ToDt></ApplPrd>"},
            "ApplPrd", "", "one of Dt",
        ),
        ({"extra": "<Id>DE0007164600</Id>"}, "Id", "DE0007164600", "once"),
        ({"extra": "<Mthdlgy>SINT</Mthdlgy>"}, "Mthdlgy", "SINT", "once"),
        ({"extra": "<Sttstcs><StdMktSz>9</StdMktSz></Sttstcs>"}, "Sttstcs/StdMktSz", "9", "once"),
        (
            {"sms": "", "extra": "<Sttstcs><StdMktSz>1<b>0</b></StdMktSz></Sttstcs>"},
            "Sttstcs/StdMktSz", "", "without elements",
        ),
        (
            {"sms": "", "extra": '<Sttstcs><StdMktSz Ccy="GBP">9</StdMktSz></Sttstcs>'},
            "Sttstcs/StdMktSz", "9 GBP", "in EUR",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_for_certain_is_said_and_kept_in_its_place(
    tmp_path, options, column, value, said
):
    good = result(applies=APPLIES)
    before, bad, after = read(tmp_path, good, result(**options), good)
    assert (before, after) == (EXPECTED, EXPECTED._replace(number=3))
    assert isinstance(bad, BadRecord)
    assert (bad.source, bad.number, bad.column) == (EXPECTED.source, 2, column)
    assert (bad.isin, bad.value) == (options.get("isin", EXPECTED.isin), value)
    assert said in bad.advice and said in str(bad) and "record 2" in str(bad)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", "0"), ("10000.00", "10000"), ("+7.", "7"), (".5", "0.5"), (" 1\n", "1"),
     ("1000000000000", "1000000000000"), ("0.0000000000000000001", "1E-19")],
)  # fmt: skip
def test_numbers_are_exact(tmp_path, text, value):
    (record,) = read(tmp_path, result(sms=text))
    assert record.sms_eur == Decimal(value)


def test_what_is_unknown_is_left_out_and_counted(tmp_path):
    extra = (
        "<New>1</New><Sttstcs><Odd><StdMktSz>1</StdMktSz></Odd></Sttstcs><TradgVn>XETR</TradgVn>"
    )
    path = write_results(tmp_path, result(extra=extra, applies=APPLIES), result(extra="<New/>"))
    file, records = read_fitrs(path)
    assert next(records) == EXPECTED
    assert isinstance(next(records), FitrsRecord)
    assert file.unknown == {"New": 2, "Sttstcs/Odd/StdMktSz": 1}


def test_comments_and_instructions_are_passed_over(tmp_path):
    text = message([result(applies=APPLIES)]).replace(
        "<StdMktSz>15000", "<!-- 1 --><StdMktSz>15<!-- 2 --><?pi 3?>000"
    )
    path = write(tmp_path, EXPECTED.source, text)
    assert list(read_fitrs(path)[1]) == [EXPECTED]


@pytest.mark.parametrize(
    ("name", "kind", "day", "letter", "part", "parts"),
    [
        ("FULECR_20250906_E_1of1.zip", "full", date(2025, 9, 6), "E", 1, 1),
        ("FULECR_20240229_C_02of03.xml", "full", date(2024, 2, 29), "C", 2, 3),
        ("DLTECR_20171106_01of01.zip", "delta", date(2017, 11, 6), "", 1, 1),
        ("FCA_FULECR_20250906_R_1of2.zip", "full", date(2025, 9, 6), "R", 1, 2),
        ("fulecr_20250906_e_1of1 (2).zip", "full", date(2025, 9, 6), "E", 1, 1),
        ("results.xml", "unknown", date(2025, 9, 7), "", 0, 0),
    ],
)
def test_names(tmp_path, name, kind, day, letter, part, parts):
    path = write_results(tmp_path, result(), name=name, created="2025-09-07T03:00:00.123Z")
    file, records = read_fitrs(path)
    assert (file.kind, file.day, file.cfi_letter, file.part, file.parts) == (
        kind, day, letter, part, parts,
    )  # fmt: skip
    assert [record.file_day for record in records] == [day]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FULECR_20250931_E_1of1.zip", "'20250931': write a date that exists"),
        ("FULECR_20250906_E_2of1.zip", "'2of1'"),
        ("FULECR_20250906_E_0of1.zip", "'0of1'"),
    ],
)
def test_a_name_that_cannot_be(tmp_path, name, said):
    assert said in refusal(write_results(tmp_path, result(), name=name))


def header(authority="<NtlCmptntAuthrty>GB</NtlCmptntAuthrty>", submitted=""):
    return element("RptHdr", element("RptgNtty", authority) + submitted)


def test_day_and_authority_by_the_headers(tmp_path):
    submitted = "<SubmissnDtTm>2025-09-08T00:00:00Z</SubmissnDtTm>"
    text = message([result()], header=header(submitted=submitted))
    without = text.replace("<CreDt>2025-09-06T03:00:00Z</CreDt>", "")
    cases = [
        (text, (date(2025, 9, 6), "GB")),
        (without, (date(2025, 9, 8), "GB")),
        (without.replace(submitted, ""), (None, "GB")),
        (message([result()], header=header("<MktIdCd>XETR</MktIdCd>")), (date(2025, 9, 6), "XETR")),
        (
            message([result()], header=header("<Othr><Id>X1</Id><Tp>T</Tp></Othr>")),
            (date(2025, 9, 6), "X1"),
        ),
        (message([result()], header="<None/>"), (date(2025, 9, 6), "")),
        (message([result()], header="<None/>", last=header()), (date(2025, 9, 6), "GB")),
    ]
    for number, (case, expected) in enumerate(cases):
        file, records = read_fitrs(write(tmp_path, f"{number}.xml", case))
        assert (file.day, file.authority) == expected
        assert [record.isin for record in records] == [EXPECTED.isin]
    wrong = text.replace("2025-09-06T03", "2025-09-31T03")
    assert "CreDt' value '2025-09-31T" in refusal(write(tmp_path, "wrong.xml", wrong))


@pytest.mark.parametrize(
    "text",
    [
        "<a/>", "<BizData/>", "text", "<", "\0", "<BizData>", "  ",
        message([result()]).replace("EqtyTradg", "NonEqtyTradg"),
        message([reference(wrapped="NewRcrd")], schema=DELTA),
        message([result()]).replace("Rslt>", "Rpt>"),
        element("EqtyTrnsprncyData", element("Id", EXPECTED.isin)),
        message([result() + element("Wrapped", result())]),
        message([result(extra=result())]),
        message([result()]) + message([result()]),
        message([result()]).replace("Alder &amp;", "Alder &unknown;"),
        message([result()]).replace("Alder &amp;", "Alder &#0;"),
    ],
)  # fmt: skip
def test_another_file_is_refused(tmp_path, text):
    assert "a.xml" in refusal(write(tmp_path, "a.xml", text))


BILLION = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DOCTYPES = {
    "plain": "<!DOCTYPE BizData>",
    "external entity": '<!DOCTYPE BizData [<!ENTITY lol SYSTEM "file:///etc/hostname">]>',
    "internal entity": '<!DOCTYPE BizData [<!ENTITY lol "1">]>',
    "billion laughs": f'<!DOCTYPE BizData [<!ENTITY l0 "lol">{BILLION}<!ENTITY lol "&l9;">]>',
    "external subset": '<!DOCTYPE BizData SYSTEM "http://127.0.0.1:9/x.dtd">',
    "parameter": '<!DOCTYPE BizData [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
}


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES)
@pytest.mark.parametrize("place", ["nowhere", "value", "attribute", "header"])
def test_a_document_type_is_refused_whatever_it_defines(tmp_path, doctype, place):
    if "ENTITY lol" not in doctype and place != "nowhere":
        place = "nowhere"
    text = message([result()], prolog=doctype)
    replaced = {
        "nowhere": text,
        "value": text.replace("<StdMktSz>15000", "<StdMktSz>&lol;"),
        "attribute": text.replace('Ccy="EUR"', 'Ccy="&lol;"'),
        "header": text.replace("<MsgDefIdr>", "<MsgDefIdr>&lol;"),
    }[place]
    said = refusal(write(tmp_path, "a.xml", replaced))
    assert "DOCTYPE" in said or "not well-formed" in said


def test_a_file_cut_off_anywhere_is_refused_and_gives_no_wrong_record(tmp_path):
    text = message([result(applies=APPLIES, record_id=str(number)) for number in range(3)])
    whole = list(read_fitrs(write(tmp_path, "a.xml", text))[1])
    for length in range(1, len(text.rstrip()), 11):
        path = write(tmp_path, "a.xml", text[:length])
        records = []
        with pytest.raises(Refused, match=r"a\.xml"):
            collect(path, records)
        assert records == whole[: len(records)]


def collect(path, into):
    """`list.extend` would not keep what came before the refusal."""
    for record in read_fitrs(path)[1]:
        into.append(record)


def test_another_kind_of_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("refdata.xml_stream.GAP_BYTES_MAX", 50_000)
    junk = "<Odd/>" * 20_000
    for text in (
        message([result()]).replace("EqtyTradg", "NonEqtyTradg") + "broken",
        message([result()], header="<Odd/>" + junk) + "broken",
        message([result(), junk, result()]),
    ):
        said = refusal(write(tmp_path, "a.xml", text))
        assert "another kind of file" in said and "well-formed" not in said
    near = message([result()] * 500)
    assert len(near) > 200_000
    assert len(list(read_fitrs(write(tmp_path, "b.xml", near))[1])) == 500


def test_unknown_elements_are_counted_up_to_a_limit(tmp_path):
    extra = "".join(f"<N{number}/>" for number in range(300)) + "<N1/>"
    file, records = read_fitrs(write_results(tmp_path, result(extra=extra)))
    assert isinstance(next(records), FitrsRecord)
    assert len(file.unknown) == 201 and file.unknown["further elements"] == 100
    assert file.unknown["N1"] == 2


def test_a_refusal_names_the_line(tmp_path):
    text = message([result(), result(), "<Lqdty>true</Mthdlgy>"])
    line = text[: text.index("</Mthdlgy>\n")].count("\n") + 1
    assert f"a.xml:{line}:" in refusal(write(tmp_path, "a.xml", text))


def test_memory_does_not_grow_with_the_file(tmp_path):
    """What has been read is gone from the tree, and so is what lies between records."""
    path = write(tmp_path, "a.xml", message(["<Odd><a/></Odd>" + result() for _ in range(2_000)]))
    sizes = [
        sum(1 for _ in found.element.getroottree().iter())
        for found in elements(path, ("EqtyTrnsprncyData",))
    ]
    # What is left is one record and those that the parser has read ahead of it in a chunk.
    assert len(sizes) == 2_000
    assert max(sizes[1_000:]) <= max(sizes[:1_000]) < 2_000


#: Where a value stands between two tags, in a file of one record.
VALUE = re.compile(r">([^<>\s]+)</")
VALUES = st.sampled_from(
    ["9999-12-31", "0001-01-01", "", "-0", "SINT", "0", "YEAR", "EUR", "DE0007164600", "&#38;", "é"]
) | st.text(st.characters(codec="utf-8", exclude_characters="<&\r", exclude_categories=["C"]))


@given(places=st.lists(st.tuples(st.integers(0, 99), VALUES), min_size=1, max_size=3))
def test_any_value_gives_a_record_or_says_which_is_bad(tmp_path_factory, places):
    text = message([result(applies=APPLIES)])
    for place, value in places:
        matches = list(VALUE.finditer(text))
        match = matches[place % len(matches)]
        text = text[: match.start(1)] + value + text[match.end(1) :]
    path = write(tmp_path_factory.mktemp("any"), "a.xml", text)
    try:
        records = list(read_fitrs(path)[1])
    except Refused:
        # Only the header's date refuses the whole file.
        assert "<CreDt>2025-09-06T03:00:00Z<" not in text
        return
    (record,) = records
    if isinstance(record, BadRecord):
        assert record.column and record.advice and record.number == 1
    else:
        assert is_valid(record.isin)


AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=5).map(lambda d: f"{d:f}")
COUNTS = st.decimals(min_value=0, max_value=10**9, places=2).map(lambda d: f"{d:f}")
DAYS = st.dates(min_value=date(2017, 1, 1), max_value=date(2030, 12, 31))
ISINS = st.from_regex(r"[A-Z]{2}[A-Z0-9]{9}", fullmatch=True).map(lambda t: t + check_digit(t))


@given(
    isin=ISINS,
    methodology=st.sampled_from(["", *Methodology]),
    liquid=st.sampled_from(["", "true", "false"]),
    asset_class=st.sampled_from(["SHRS", "DPRS", "ETFS", "CRFT", "OTHR", ""]),
    amounts=st.lists(AMOUNTS | st.just(""), min_size=4, max_size=4),
    counts=st.lists(COUNTS | st.just(""), min_size=2, max_size=2),
    reported=st.tuples(DAYS, DAYS).map(sorted) | st.just([]),
    applies=st.tuples(DAYS, DAYS).map(sorted) | st.just([]),
    schema=st.sampled_from([V02, V03]),
    seed=st.integers(0, 99),
)
def test_what_is_written_is_read(
    tmp_path_factory, isin, methodology, liquid, asset_class, amounts, counts, reported, applies,
    schema, seed,
):  # fmt: skip
    adt, avt, sms, lis = amounts
    text = result(
        isin=isin, methodology=methodology, liquid=liquid, asset_class=asset_class, adt=adt,
        avt=avt, sms=sms, lis=lis, adnt=counts[0], mrm="XPAR", mrm_adnt=counts[1],
        reported=[day.isoformat() for day in reported],
        applies=[day.isoformat() for day in applies], shuffled=seed,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("round")
    (record,) = read(folder, text, schema=schema, name="DLTECR_20250906_01of01.xml")

    def number(text):
        return Decimal(text) if text else None

    classes = dict(zip(["SHRS", "DPRS", "ETFS", "CRFT", "OTHR"], AssetClass, strict=True))
    assert record == FitrsRecord(
        source="DLTECR_20250906_01of01.xml", number=1, record_id="1", isin=isin,
        asset_class=classes.get(asset_class), methodology=methodology or None,
        reported_from=reported[0] if reported else None,
        reported_to=reported[1] if reported else None,
        applies_from=applies[0] if applies else None,
        applies_to=applies[1] if applies else None,
        liquid={"true": True, "false": False}.get(liquid), adt_eur=number(adt),
        avt_eur=number(avt), sms_eur=number(sms), lis_eur=number(lis), adnt=number(counts[0]),
        mrm="XPAR", mrm_adnt=number(counts[1]), file_day=date(2025, 9, 6),
    )  # fmt: skip
