"""What the registers' indexes and file names say, and what they are asked."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdata import register_index as index
from refdata.rows import Refused
from tests.register_server import Register

pytestmark = pytest.mark.pure

FIRST, LAST = date(2026, 8, 23), date(2026, 8, 29)
FULL = "FULECR_20260829_E_1of1.zip"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("checksum", "d41d8cd98f00b204e9800998ecf8427", "32 hexadecimal digits"),
        ("checksum", "../../../../../../etc/passwd", "32 hexadecimal digits"),
        ("download_link", "", "no address"),
        ("download_link", "ftp://a.test/x.zip", "no address"),
        ("download_link", "http://[::1/x.zip", "no address"),
        ("creation_date", "29/08/2026", "a day such as"),
        ("creation_date", "2026-02-30T00:00:00Z", "a day such as"),
    ],
)
def test_a_document_that_cannot_be_read(field: str, value: str, words: str) -> None:
    register = Register()
    register.publish(FULL)
    register.documents[0]["creation_date"] = "2026-08-29T00:00:00Z"
    page = register.solr(index.query_url(index.SOURCES[0], "", FIRST, LAST, 0))
    good = register.documents[0][field]
    with pytest.raises(Refused) as caught:
        index.parse_page(index.SOURCES[0], page.replace(good.encode(), value.encode()), "http://i")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.value) == ("http://i", 1, value)
    assert problem.column in (field, "publication_date", "creation_date")
    assert words in problem.advice


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b"sorry", b'{"hits": {"total": "many", "hits": []}}', b"\xff", b"[" * 99]
)
def test_an_answer_of_the_fca_that_is_no_index(data: bytes) -> None:
    with pytest.raises(Refused, match="http://i"):
        index.parse_page(index.source_of("firds", "UK"), data, "http://i")


def test_the_query_is_the_documented_one() -> None:
    source = index.source_of("fitrs")
    day = date(2023, 1, 6)
    assert index.query_url(source, source.base_url, day, day, 0) == (
        "https://registers.esma.europa.eu/solr/esma_registers_fitrs_files/select?q=*&fq=creation_"
        "date%3A%5B2023-01-06T00%3A00%3A00Z%20TO%202023-01-06T23%3A59%3A59Z%5D"
        "&wt=xml&start=0&rows=100"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FULECR_20171104_E_1of1.zip", ("fitrs", "full", date(2017, 11, 4), "E", 1, 1)),
        ("DLTECR_20171106_01of01.zip", ("fitrs", "delta", date(2017, 11, 6), "", 1, 1)),
        ("FULINS_D_20170625_02of02.zip", ("firds", "full", date(2017, 6, 25), "D", 2, 2)),
        ("DLTINS_20210117_01of01.zip", ("firds", "delta", date(2021, 1, 17), "", 1, 1)),
        ("FULCAN_20210117_01of01.zip", ("firds", "cancelled", date(2021, 1, 17), "", 1, 1)),
    ],
)
def test_names_of_files(name: str, expected: tuple[object, ...]) -> None:
    named = index.parse_file_name(name)
    assert named is not None
    prefix = name.split("_")[0]
    assert named == (*expected[:2], prefix, *expected[2:])


@pytest.mark.parametrize(
    "name",
    [
        "FULNCR_20171104_D_1of1.zip", "FULNCR_20210401_NYAR_IRD_1of1.zip", "",
        "FULECR_20171104_1of1.zip", "INVINS_20210117_01of01.zip", "FULECR_20171304_E_1of1.zip",
        "FULECR_20171104_E_2of1.zip", "FULECR_20171104_E_0of1.zip", "DLTECR_20171106_E_01of01.zip",
        "../FULECR_20171104_E_1of1.zip", "FULECR_20171104_E_1of1.zip.exe",
        "FULECR_20171104_E_1of99999.zip",
    ],
)  # fmt: skip
def test_names_that_are_not_read(name: str) -> None:
    assert index.parse_file_name(name) is None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for source in index.SOURCES:
        with pytest.raises(Refused, match="http://i"):
            index.parse_page(source, data, "http://i")


@given(
    st.sampled_from(["FULECR", "FULINS"]),
    st.dates(date(2017, 1, 1), date(2099, 12, 31)),
    st.sampled_from("CDER"),
    st.integers(1, 9_999).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))),
    st.booleans(),
)
def test_a_name_says_what_it_was_made_of(
    prefix: str, day: date, cfi: str, part: tuple[int, int], padded: bool
) -> None:
    of = f"{part[0]:02}of{part[1]:02}" if padded else f"{part[0]}of{part[1]}"
    middle = f"{day:%Y%m%d}_{cfi}" if prefix == "FULECR" else f"{cfi}_{day:%Y%m%d}"
    named = index.parse_file_name(f"{prefix}_{middle}_{of}.zip")
    assert named == (index.KINDS[prefix][0], "full", prefix, day, cfi, *part)


@given(st.sets(st.integers(1, 9)))
def test_missing_parts_are_those_that_are_not_there(present: set[int]) -> None:
    names = [f"FULINS_E_20260829_{part:02}of09.zip" for part in present]
    files = [
        index.RegisterFile(name, "http://a.test/x", LAST, "", "", named)
        for name in names
        if (named := index.parse_file_name(name))
    ]
    said = " ".join(index.missing_parts(files))
    missing = set(range(1, 10)) - present if present else set()
    assert {part for part in range(1, 10) if f"part {part} of 9" in said} == missing


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.test/x", "a.test"),
        ("HTTP://A.test:8080/x", "a.test"),
        ("http://user@b.test@a.test/", "a.test"),
        ("ftp://a.test/x", ""),
        ("//a.test/x", ""),
        ("a.test/x", ""),
        ("http://", ""),
        ("http://[::1/x", ""),
        ("", ""),
    ],
)
def test_host_of(url: str, host: str) -> None:
    assert index.host_of(url) == host


def test_every_register_has_one_source_and_says_how_sure_it_is() -> None:
    keys = [(source.jurisdiction, source.register) for source in index.SOURCES]
    assert sorted(keys) == [("EU", "firds"), ("EU", "fitrs"), ("UK", "firds"), ("UK", "fitrs")]
    assert [source.sure for source in index.SOURCES] == [True, False, False, False]
    for jurisdiction, register in keys:
        source = index.source_of(register, jurisdiction)
        assert index.host_of(source.base_url) and source.citation
    with pytest.raises(LookupError, match="no register fitrs of US"):
        index.source_of("fitrs", "US")
