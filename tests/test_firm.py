"""The firm's `refdata.toml` and instrument list."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.enums import AssetClass
from refdata.firm import Firm, FirmInstrument, read_firm, read_firm_instruments
from refdata.rows import Refused

pytestmark = pytest.mark.pure

WHOLE = """\
jurisdiction = "UK"
fitrs = ["registers/FULECR_*.zip", "registers/DLTECR_20260828_01of01.zip"]
firds = ["registers/FULINS_*.zip"]
ecb = "eurofxref-hist.zip"
instruments = "instruments.csv"
universe = "all"

[guards]
threshold_factor = 2.5
missing_share_max = 0
age_days_max = 3

[hours]
mics = ["XETR", "XLON", "XETR"]
"""
LEAST = """\
fitrs = ["registers/FULECR_20260829_E_1of1.zip"]
instruments = "instruments.csv"
"""
FILES = (
    "instruments.csv",
    "eurofxref-hist.zip",
    "registers/FULECR_20260829_E_1of1.zip",
    "registers/FULECR_20260829_C_1of1.zip",
    "registers/DLTECR_20260828_01of01.zip",
    "registers/FULINS_E_20260829_01of01.zip",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "registers").mkdir()
    for name in FILES:
        (tmp_path / name).touch()
    return tmp_path


def load(folder: Path, text: str) -> Firm:
    path = folder / "refdata.toml"
    path.write_text(text)
    return read_firm(path)


def refused(folder: Path, text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(Refused) as caught:
        load(folder, text)
    assert {x.path for x in caught.value.problems} == {str(folder / "refdata.toml")}
    return [(x.line, x.column, x.value, x.advice) for x in caught.value.problems]


# --- refdata.toml -----------------------------------------------------------------------------


def test_everything_said(folder: Path) -> None:
    firm = load(folder, WHOLE)
    assert [path.name for path in firm.fitrs] == [
        "DLTECR_20260828_01of01.zip", "FULECR_20260829_C_1of1.zip", "FULECR_20260829_E_1of1.zip",
    ]  # fmt: skip
    assert firm.firds == (folder / "registers/FULINS_E_20260829_01of01.zip",)
    assert firm.ecb == folder / "eurofxref-hist.zip"
    assert firm.instruments == folder / "instruments.csv"
    assert (firm.jurisdiction, firm.universe, firm.mics) == ("UK", "all", ("XETR", "XLON"))
    assert firm.guards.threshold_factor == Decimal("2.5")
    assert (firm.guards.missing_share_max, firm.guards.age_days_max) == (Decimal(0), 3)


def test_the_least_and_its_defaults(folder: Path) -> None:
    firm = load(folder, LEAST)
    assert (firm.jurisdiction, firm.universe, firm.mics) == ("EU", "firm", ())
    assert (firm.firds, firm.ecb) == ((), None)
    assert firm.guards.threshold_factor == Decimal(4)
    assert firm.guards.missing_share_max == Decimal("0.02")
    assert firm.guards.age_days_max == 10


def test_a_share_is_what_was_written_and_no_float(folder: Path) -> None:
    firm = load(folder, LEAST + "[guards]\nmissing_share_max = 0.015\n")
    assert str(firm.guards.missing_share_max) == "0.015"


def test_a_file_named_twice_is_one(folder: Path) -> None:
    firm = load(folder, LEAST.replace('["', '["registers/FULECR_*.zip", "'))
    assert len(firm.fitrs) == 2


@pytest.mark.parametrize("pattern", ["{}/registers/FULECR_*", "{}/registers/../registers/F*_1of1*"])
def test_absolute_globs(folder: Path, pattern: str) -> None:
    text = LEAST.replace("registers/FULECR_20260829_E_1of1.zip", pattern.format(folder))
    assert len(load(folder, text).fitrs) == 2


def test_a_path_with_brackets_is_itself(folder: Path) -> None:
    (folder / "a[1].zip").touch()
    text = LEAST.replace("registers/FULECR_20260829_E_1of1.zip", "a[1].zip")
    assert load(folder, text).fitrs == (folder / "a[1].zip",)


@pytest.mark.parametrize(
    "pattern", ["none/*.zip", "none.zip", "registers", "reg*", "a**b", "\\u0000*"]
)
def test_patterns_that_match_no_file(folder: Path, pattern: str) -> None:
    text = LEAST + f'firds = ["registers/FULINS_*.zip", "{pattern}"]\n'
    ((line, column, value, advice),) = refused(folder, text)
    assert (line, column) == (3, "firds") and value.replace("\0", "\\u0000") == pattern
    assert "no such file" in advice


def test_files_that_are_not_there_all_at_once(folder: Path) -> None:
    for name in FILES:
        (folder / name).unlink()
    assert [problem[:3] for problem in refused(folder, WHOLE)] == [
        (2, "fitrs", "registers/FULECR_*.zip"),
        (2, "fitrs", "registers/DLTECR_20260828_01of01.zip"),
        (3, "firds", "registers/FULINS_*.zip"),
        (4, "ecb", "eurofxref-hist.zip"),
        (5, "instruments", "instruments.csv"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (LEAST + "universum = 'all'\n", 3, "universum", "no such setting"),
        (LEAST + "universe = 'some'\n", 3, "universe", "'firm' or 'all'"),
        (LEAST + "jurisdiction = 'CH'\n", 3, "jurisdiction", "'EU' or 'UK'"),
        (LEAST + "[guards]\nfactor = 4\n", 4, "guards.factor", "no such setting"),
        (
            LEAST + "[guards]\nthreshold_factor = 1\n",
            4,
            "guards.threshold_factor",
            "greater than 1",
        ),
        (LEAST + "[guards]\nthreshold_factor = nan\n", 4, "guards.threshold_factor", "finite"),
        (LEAST + "[guards]\nmissing_share_max = 2\n", 4, "guards.missing_share_max", "less than"),
        (LEAST + "[guards]\nmissing_share_max = -0.1\n", 4, "guards.missing_share_max", "greater"),
        (LEAST + "[guards]\nage_days_max = '3'\n", 4, "guards.age_days_max", "valid integer"),
        (LEAST + "[guards]\n\nage_days_max = 2.5\n", 5, "guards.age_days_max", "valid integer"),
        (LEAST + "[hours]\nmics = ['xetr']\n", 4, "hours.mics.0", "match pattern"),
        (LEAST + "[hour]\nmics = []\n", 3, "hour", "no such setting"),
        (LEAST.replace("instruments =", "instrument ="), 2, "instrument", "no such setting"),
        (LEAST.replace('["registers/FULECR_20260829_E_1of1.zip"]', "[]"), 1, "fitrs", "at least 1"),
        (LEAST.replace('["registers', '["", "registers'), 1, "fitrs.0", "at least 1"),
        (LEAST + "guards = {age = 1}\n", 3, "guards.age", "no such setting"),
        (LEAST + "[guards]\n[hours]\nmic = 1\n", 5, "hours.mic", "no such setting"),
        (LEAST + "ecb = ['a']\n", 3, "ecb", "valid string"),
        (LEAST + "ecb = true\n", 3, "ecb", "valid string"),
    ],
)
def test_settings_that_are_wrong(
    folder: Path, text: str, line: int, column: str, words: str
) -> None:
    found = {x[1]: x for x in refused(folder, text)}
    assert found[column][0] == line and words in found[column][3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"fitrs = [", "TOML"),
        (b"a = 1\na = 2", "TOML"),
        (b"a = '\xff'", "UTF-8"),
        (b"", "required"),
    ],
)
def test_files_that_are_no_settings(folder: Path, data: bytes, words: str) -> None:
    path = folder / "refdata.toml"
    path.write_bytes(data)
    with pytest.raises(Refused, match=words):
        read_firm(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"refdata\.toml: .*cannot be read: No such file"):
        read_firm(tmp_path / "refdata.toml")


# --- the instrument list ----------------------------------------------------------------------

BIRCH, ELM = "GBZZ00000023", "DE0005933931"
FULL_HEADER = (
    "isin,si,name,currency,mrm,asset_class,tick_band,equity_etf,lot,order_max_eur,position_max_eur"
)
ELM_ROW = f"{ELM},Y,Elm ETF,EUR,XETR,etf,6,Y,10,250000,1000000.5"


def write(folder: Path, *lines: str, header: str = "isin,si") -> Path:
    path = folder / "instruments.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_list_of_isins(tmp_path: Path) -> None:
    found = read_firm_instruments(write(tmp_path, "# mine", f"{ELM},Y", "", f"{BIRCH},N"))
    blank = (None,) * 5 + (1, 0, 0)
    assert found == [
        FirmInstrument(3, ELM, True, "", *blank),
        FirmInstrument(5, BIRCH, False, "", *blank),
    ]


def test_every_column(tmp_path: Path) -> None:
    birch = f"{BIRCH},N,Birch plc,GBp,XLON,share,0,N,,,"
    elm, pence = read_firm_instruments(write(tmp_path, ELM_ROW, birch, header=FULL_HEADER))
    assert elm == FirmInstrument(
        2, ELM, True, "Elm ETF", "EUR", "XETR", AssetClass.ETF, 6, True, 10,
        250_000 * 10**6, 1_000_000_500_000,
    )  # fmt: skip
    assert pence[3:] == ("Birch plc", "GBX", "XLON", AssetClass.SHARE, 0, False, 1, 0, 0)


def test_equal_lines_are_one(tmp_path: Path) -> None:
    (found,) = read_firm_instruments(write(tmp_path, f"{ELM},Y", f"{ELM}, Y"))
    assert found.line == 2


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (ELM_ROW.replace(",Y,Elm", ",N,Elm"), "si"),
        (ELM_ROW.replace("Elm", "Oak"), "name"),
        (ELM_ROW.replace("XETR", "XPAR"), "mrm"),
        (ELM_ROW.replace("EUR", "USD").replace("10,25", ",25"), "currency, lot"),
    ],
)
def test_lines_that_differ_refuse_the_list(tmp_path: Path, other: str, differs: str) -> None:
    path = write(tmp_path, ELM_ROW, ELM_ROW, other, header=FULL_HEADER)
    with pytest.raises(Refused) as caught:
        read_firm_instruments(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.value) == (4, "isin", ELM)
    assert problem.advice == f"differs from line 2 in {differs}: keep one line"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("isin", ELM[:-1] + "2"), ("isin", ELM.lower()), ("isin", ""), ("si", "yes"), ("si", ""),
        ("currency", "EURO"), ("currency", "gbp"), ("mrm", "XET"), ("mrm", "xetr"),
        ("asset_class", "fund"), ("tick_band", "7"), ("tick_band", "1.0"), ("equity_etf", "y"),
        ("lot", "0"), ("lot", "1.5"), ("lot", "-1"), ("order_max_eur", "1e6"),
        ("order_max_eur", "1,000"), ("position_max_eur", "0.0000001"),
        ("position_max_eur", "9999999999999"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_read(tmp_path: Path, column: str, value: str) -> None:
    fields = dict(zip(FULL_HEADER.split(","), ELM_ROW.split(","), strict=True)) | {column: value}
    row = ",".join(f'"{x}"' if "," in x else x for x in fields.values())
    with pytest.raises(Refused) as caught:
        read_firm_instruments(write(tmp_path, "# first", row, header=FULL_HEADER))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.value) == (3, column, value)


@pytest.mark.parametrize("asset_class", ["share", "dr", "certificate", "other"])
def test_only_an_etf_is_an_equity_etf(tmp_path: Path, asset_class: str) -> None:
    path = write(tmp_path, ELM_ROW.replace("etf", asset_class), header=FULL_HEADER)
    with pytest.raises(Refused, match="column 'equity_etf' value 'Y': write Y for an ETF only"):
        read_firm_instruments(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("isin", "'si'.*missing"),
        ("isin,si,sms_eur", "sms_eur.*remove or rename"),
        ("isin,si,order_max", "order_max"),
        ("isin,si,si", "keep one column"),
    ],
)
def test_columns(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_firm_instruments(write(tmp_path, header=header))


def test_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no instrument"):
        read_firm_instruments(write(tmp_path))


@given(st.lists(st.tuples(st.sampled_from([ELM, BIRCH]), st.sampled_from("YN")), min_size=1))
def test_one_line_or_equal_lines_for_each_isin(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = write(tmp_path_factory.getbasetemp(), *(",".join(row) for row in rows))
    if len(set(rows)) == len(dict(rows)):
        found = read_firm_instruments(path)
        assert [(x.isin, "NY"[x.si]) for x in found] == list(dict.fromkeys(rows))
    else:
        with pytest.raises(Refused, match="differs from line"):
            read_firm_instruments(path)
