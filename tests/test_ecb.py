"""The ECB's reference rates: reading the file, and which day's rate holds."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import EUR_PER_UNIT_E9_MAX
from refdata.ecb import EcbRates, read_ecb, reference_day
from refdata.fx import load_fx
from refdata.rows import Refused

pytestmark = pytest.mark.pure

HEADER = "Date,USD,JPY,CYP,GBP,RUB,ZAR,ILS,"
#: The form of the ECB's file; the rates are made up. 31 December 2022 and 2023 are a weekend.
LINES = (
    "2026-01-02,1.1717,184.09,N/A,0.87168,N/A,19.4066,3.7372,",
    "2025-12-31,1.175,184.09,N/A,0.8726,N/A,19.4438,3.7493,",
    "2025-12-30,1.18,184.1,N/A,0.88,N/A,19.5,3.75,",
    "2024-12-31,1.0389,163.06,N/A,0.82918,N/A,19.6188,3.7885,",
    "2024-01-02,1.0956,155.55,N/A,0.86645,N/A,20.4117,3.9738,",
    "2023-12-29,1.105,156.33,N/A,0.86905,N/A,20.3477,3.9993,",
    "2023-01-02,1.0683,140.66,N/A,0.8855,N/A,18.1,3.76,",
    "2022-12-30,1.0666,140.66,N/A,0.88693,N/A,18.0986,3.7554,",
)
IN_2026 = date(2026, 11, 22)  # a day on which the thresholds of April 2026 apply

Write = Callable[..., EcbRates]


@pytest.fixture
def rates(tmp_path: Path) -> EcbRates:
    return read_ecb(write(tmp_path))


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "eurofxref-hist.csv"
    path.write_text("\n".join([header, *(lines or LINES)]) + "\n")
    return path


def problems(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(Refused) as caught:
        read_ecb(path)
    assert all(problem.path == str(path) and problem.advice for problem in caught.value.problems)
    return [(problem.line, problem.column, problem.value) for problem in caught.value.problems]


# --- which 31 December ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2018, 1, 3), 2016),
        (date(2018, 3, 31), 2016),
        (date(2018, 4, 1), 2017),
        (date(2023, 3, 31), 2021),
        (date(2023, 4, 1), 2022),  # 1 April until the first Monday came, in June 2023
        (date(2023, 6, 4), 2022),
        (date(2023, 6, 5), 2022),
        (date(2024, 3, 31), 2022),
        (date(2024, 4, 1), 2023),  # itself a Monday
        (date(2025, 4, 6), 2023),
        (date(2025, 4, 7), 2024),
        (date(2026, 1, 1), 2024),
        (date(2026, 4, 5), 2024),
        (date(2026, 4, 6), 2025),
        (date(2026, 12, 31), 2025),
        (date(2027, 4, 4), 2025),
        (date(2027, 4, 5), 2026),
    ],
)
def test_reference_day_at_both_edges(day: date, expected: int) -> None:
    assert reference_day(day) == date(expected, 12, 31)


@pytest.mark.parametrize(("day", "expected"), [(date(2026, 3, 31), 2024), (date(2026, 4, 1), 2025)])
def test_reference_day_in_the_uk(day: date, expected: int) -> None:
    assert reference_day(day, "UK") == date(expected, 12, 31)


@given(st.dates(date(2018, 1, 3), date(2100, 1, 1)), st.sampled_from(["EU", "UK"]))
def test_reference_day_never_goes_back(day: date, jurisdiction: str) -> None:
    now = reference_day(day, jurisdiction)
    then = reference_day(day + timedelta(days=1), jurisdiction)
    assert now <= then and then.year - now.year <= 1
    assert now.year in (day.year - 1, day.year - 2)
    if now != then:
        assert (day + timedelta(days=1)).month == 4


@pytest.mark.parametrize(("day", "place"), [(date(2017, 12, 29), "EU"), (IN_2026, "CH")])
def test_no_rule(day: date, place: str) -> None:
    with pytest.raises(LookupError, match=f"no rule for the switch in April .*, {place}"):
        reference_day(day, place)


# --- the rate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "expected_e9"),
    [
        ("EUR", 1_000_000_000),
        ("USD", 851_063_830),  # 1 / 1.175 = 0.85106382978...
        ("JPY", 5_432_126),  # 1 / 184.09 = 0.0054321255...
        ("GBP", 1_146_000_500),  # 1 / 0.8726 = 1.14600045..., seven decimals
        ("GBX", 11_460_005),
        ("GBp", 11_460_005),
        ("ZAR", 51_430_300),  # 1 / 19.4438 = 0.05143027...
        ("ZAc", 514_303),
        ("ZAC", 514_303),
        ("ILS", 266_716_500),  # 1 / 3.7493 = 0.26671645...
        ("ILA", 2_667_165),
    ],
)
def test_rates_of_31_december_2025(rates: EcbRates, currency: str, expected_e9: int) -> None:
    assert rates.rate_on(currency, IN_2026) == expected_e9


@pytest.mark.parametrize(
    ("day", "usd"),
    [
        (date(2026, 4, 5), "1.0389"),  # 31 December 2024
        (date(2026, 4, 6), "1.175"),  # 31 December 2025
        (date(2025, 4, 6), "1.105"),  # 31 December 2023 is a Sunday
        (date(2024, 3, 31), "1.0666"),  # 31 December 2022 is a Saturday
    ],
)
def test_a_year_has_one_rate(rates: EcbRates, day: date, usd: str) -> None:
    nine = Decimal("1e-9")
    expected = (1 / Decimal(usd)).quantize(nine, ROUND_HALF_EVEN) / nine
    assert rates.rate_on("USD", day) == expected


@pytest.mark.parametrize(
    ("units", "expected_e9"),
    [
        ("0.64", 1_562_500_000),
        ("2048", 488_281),  # 0.00048828125: a half between ...1 and ...2 goes to neither here
        ("1024", 976_562),  # 0.0009765625: half, to even, down
        ("524288", 1_907),  # 0.0000019073486328125
        ("0.111111111111111112", EUR_PER_UNIT_E9_MAX),
        ("1000000000", 1),
        ("666666666", 2),  # 1.5000000015e-9
    ],
)
def test_rounding_half_even_to_nine_decimals(tmp_path: Path, units: str, expected_e9: int) -> None:
    path = write(tmp_path, f"2025-12-31,{units},", header="Date,USD,")
    assert read_ecb(path).rate_on("USD", IN_2026) == expected_e9


@pytest.mark.parametrize("units", ["0.1111", "2000000000", "9999999999999999999"])
def test_a_rate_that_the_engine_cannot_hold(tmp_path: Path, units: str) -> None:
    path = write(tmp_path, f"2025-12-31,{units},", header="Date,USD,")
    with pytest.raises(Refused, match=f"column 'USD' value '{units}': .* outside"):
        read_ecb(path).rate_on("USD", IN_2026)


@given(st.integers(1, 10**15), st.integers(0, 6))
def test_the_rate_is_within_half_a_unit_and_its_hundredth_exact(units: int, places: int) -> None:
    value = Decimal(units).scaleb(-places)
    made = EcbRates(Path("x"), ("USD", "GBP"), {date(2025, 12, 31): {"USD": value, "GBP": value}})
    try:
        pound_e9 = made.rate_on("GBP", IN_2026)
    except Refused:
        assert not Decimal(10) ** -7 / 2 < 1 / value <= Decimal(9)
        return
    with localcontext(prec=60):
        assert abs(pound_e9 * value / 10**9 - 1) <= value * Decimal("0.5e-7")
        assert abs(made.rate_on("USD", IN_2026) * value / 10**9 - 1) <= value * Decimal("0.5e-9")
    assert pound_e9 == 100 * made.rate_on("GBX", IN_2026)


def test_many_at_once_in_the_form_of_fx(rates: EcbRates, tmp_path: Path) -> None:
    got = rates.rates_on(["GBp", "USD", "GBP", "USD"], IN_2026)
    assert list(got) == ["EUR", "GBP", "GBX", "USD"]
    lines = [f"{code},{Decimal(e9).scaleb(-9):f}" for code, e9 in got.items() if code != "GBX"]
    (tmp_path / "fx.csv").write_text("\n".join(["currency,eur_per_unit", *lines]))
    assert load_fx(tmp_path / "fx.csv") == got


def test_many_at_once_name_every_problem(rates: EcbRates) -> None:
    with pytest.raises(Refused) as caught:
        rates.rates_on(["USD", "XXX", "RUB", "KWD"], IN_2026)
    assert [problem.column for problem in caught.value.problems] == ["KWD", "RUB", "XXX"]


@pytest.mark.parametrize(
    ("currency", "day", "words"),
    [
        ("KWD", IN_2026, "the ECB publishes no rate"),
        ("XYZ", IN_2026, "it has USD, JPY, CYP, GBP"),
        ("RUB", IN_2026, "suspended or not published on 2025-12-31"),
        ("CYP", date(2025, 4, 6), "suspended or not published on 2023-12-29"),
        ("USD", date(2027, 4, 5), "the file ends on 2026-01-02, before 2026-12-31"),
        ("USD", date(2023, 4, 1) - timedelta(days=1), "no rates of the end of 2021"),
        ("GBX", date(2020, 4, 1), "no rates of the end of 2019"),
    ],
)
def test_no_rate(rates: EcbRates, currency: str, day: date, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        rates.rate_on(currency, day)
    (problem,) = caught.value.problems
    assert problem.column == currency.replace("GBX", "GBP")


@pytest.mark.parametrize(("last", "held"), [("2023-12-27", True), ("2023-12-26", False)])
def test_how_far_back_the_last_rate_may_be(tmp_path: Path, last: str, held: bool) -> None:
    path = write(tmp_path, "2024-01-02,1.25,", f"{last},2,", header="Date,USD,")
    if held:
        assert read_ecb(path).rate_on("USD", date(2024, 4, 1)) == 500_000_000
    else:
        with pytest.raises(Refused, match="no rates of the end of 2023"):
            read_ecb(path).rate_on("USD", date(2024, 4, 1))


# --- the file ---------------------------------------------------------------------------------


def test_the_file_as_it_is(rates: EcbRates) -> None:
    assert rates.currencies == ("USD", "JPY", "CYP", "GBP", "RUB", "ZAR", "ILS")
    assert len(rates.units_per_eur) == len(LINES)
    assert rates.units_per_eur[date(2025, 12, 31)] == {
        "USD": Decimal("1.175"), "JPY": Decimal("184.09"), "CYP": None, "GBP": Decimal("0.8726"),
        "RUB": None, "ZAR": Decimal("19.4438"), "ILS": Decimal("3.7493"),
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("comma", [True, False])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("zipped", [True, False])
def test_however_it_was_saved(
    rates: EcbRates, tmp_path: Path, encoding: str, end: str, comma: bool, order: int, zipped: bool
) -> None:
    lines = [HEADER, *LINES[::order]]
    text = end.join(lines if comma else [line.rstrip(",") for line in lines])
    data = text.encode(encoding)
    if zipped:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eurofxref-hist.csv", data)
        data = target.getvalue()
    path = tmp_path / "again"
    path.write_bytes(data)
    assert read_ecb(path).units_per_eur == rates.units_per_eur


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2025-12-31,1.175,184.09,", (2, "", "2025-12-31,1.175,184.09,")),
        ("31/12/2025,1.1,1,1,1,1,1,1,", (2, "Date", "31/12/2025")),
        ("20251231,1.1,1,1,1,1,1,1,", (2, "Date", "20251231")),
        ("2025-W01-1,1.1,1,1,1,1,1,1,", (2, "Date", "2025-W01-1")),
        ("2025-02-29,1.1,1,1,1,1,1,1,", (2, "Date", "2025-02-29")),
        ("2025-12-31,-1,1,1,1,1,1,1,", (2, "USD", "-1")),
        ("2025-12-31,1,0,1,1,1,1,1,", (2, "JPY", "0")),
        ("2025-12-31,1,0.000,1,1,1,1,1,", (2, "JPY", "0.000")),
        ("2025-12-31,1,1,1,,1,1,1,", (2, "GBP", "")),
        ("2025-12-31,1,1,1,1,1,1,,", (2, "ILS", "")),
        ("2025-12-31,1,1,1,nan,1,1,1,", (2, "GBP", "nan")),
        ("2025-12-31,1,1,1,1e3,1,1,1,", (2, "GBP", "1e3")),
        ("2025-12-31,1,1,1,n/a,1,1,1,", (2, "GBP", "n/a")),
        ('2025-12-31,"1,175",1,1,1,1,1,1,', (2, "USD", "1,175")),
    ],
)
def test_a_broken_line(tmp_path: Path, line: str, expected: tuple[int, str, str]) -> None:
    assert problems(write(tmp_path, line, *LINES[2:])) == [expected]


def test_every_broken_line_and_column_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, LINES[0], "2025-12-31,x,1,1,y,1,1,1,", "2025-13-31,1,1,1,1,1,1,1,")
    assert problems(path) == [(3, "USD", "x"), (3, "GBP", "y"), (4, "Date", "2025-13-31")]


def test_a_day_twice(tmp_path: Path) -> None:
    assert problems(write(tmp_path, *LINES, LINES[1])) == [(10, "Date", "2025-12-31")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Day,USD,", (1, "", "Day,USD,")),
        ("Date,USD,USD,", (1, "", "Date,USD,USD,")),
        ("Date,usd,", (1, "usd", "usd")),
        ("<!DOCTYPE html>", (1, "", "<!DOCTYPE html>")),
        ('Date,"USD', (1, "", 'Date,"USD')),
    ],
)
def test_a_broken_header(tmp_path: Path, header: str, expected: tuple[int, str, str]) -> None:
    assert problems(write(tmp_path, "2025-12-31,1,", header=header)) == [expected]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (b"Date,USD,\n", 0),
        (b"Date,USD,\n2025-12-31,\xff,\n", 2),
        (b"PK\x03\x04 no archive", 0),
    ],
)
def test_a_file_without_rates(tmp_path: Path, data: bytes, line: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert [problem[0] for problem in problems(path)] == [line]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read: No such file"):
        read_ecb(tmp_path / "absent.csv")


@pytest.mark.parametrize("members", [[], ["a.txt"], ["a.csv", "b.csv"]])
def test_an_archive_without_one_csv(tmp_path: Path, members: list[str]) -> None:
    path = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "x")
        for member in members:
            archive.writestr(member, "x")
    with pytest.raises(Refused, match=r"give an archive with one \.csv"):
        read_ecb(path)


def test_an_archive_that_unpacks_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refdata.ecb.FILE_BYTES_MAX", 1_000)
    path = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eurofxref-hist.csv", bytes(100_000))
    with pytest.raises(Refused, match="longer than 1000 bytes"):
        read_ecb(path)


def test_an_archive_with_a_turned_bit(tmp_path: Path) -> None:
    path = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("eurofxref-hist.csv", "\n".join([HEADER, *LINES]))
    path.write_bytes(path.read_bytes().replace(b"1.175", b"1.176"))
    with pytest.raises(Refused, match="download the archive again"):
        read_ecb(path)


@given(st.text(alphabet='Date,USDJPY0123456789.-N/A\n" ', max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("Date,USD,\n" + text)
    try:
        read = read_ecb(path)
    except Refused as refusal:
        read, said = None, str(refusal)
    assert said if read is None else read.units_per_eur
