"""Reference data: good files, each kind of bad one, what fails closed, duplicates, the sample."""

from datetime import date
from pathlib import Path

import pytest

from engine import schema
from engine.enums import AssetClass
from engine.limits import PX_E6_MAX, SMS_E6_MAX, VENUES_MAX
from engine.regimes import TICKS, on_ladder, on_lis_table
from refdata import isin
from refdata.fx import load_fx
from refdata.load import load_instruments
from refdata.rows import PROBLEMS_SHOWN_MAX, Refused
from refdata.sample import SAMPLE_DATE, sample_prices, write_sample
from refdata.validate import Severity
from refdata.xetra import read_updated

pytestmark = pytest.mark.pure

HEADER = (
    "isin,name,asset_class,currency,mrm,si,liquid,sms_eur,lis_eur,tick_band"
    ",lot,order_max_eur,position_max_eur"
)
SHARE = "DEZZ00000007,Alder AG,share,EUR,XETR,Y,Y,11000,300000,4,1,500000,2000000"
PENCE = "GBZZ00000023,Birch plc,share,GBp,XLON,Y,Y,5000,200000,3,,,"
ILLIQUID = "SEZZ00000034,Cedar AB,share,SEK,XSTO,N,N,,15000,1,100,,"
FX = "currency,eur_per_unit\nGBP,1.145\nSEK,0.0912\nUSD,0.884\n"
DAY = date(2026, 6, 1)

XETRA_2019 = Path(__file__).parents[2] / "shared" / "data" / "instruments" / "xetra_2019-04.csv"


@pytest.fixture
def load(tmp_path):
    """Load lines of the firm's format (the header is put before them unless one is there)."""

    def load_lines(*lines, header=HEADER, fx=FX, **options):
        path, fx_path = tmp_path / "instruments.csv", tmp_path / "fx.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        fx_path.write_text(fx, encoding="utf-8")
        options.setdefault("on", DAY)
        return load_instruments(path, fx_path=fx_path, **options)

    return load_lines


def found(loaded, severity):
    return [(f.line, f.isin, f.message) for f in loaded.report.findings if f.severity is severity]


def test_isin_check_digits():
    for known in ("US0378331005", "DE0007164600", "GB0002634946", "FR0000120271", "CH0012005267"):
        assert isin.is_valid(known)
        wrong = str((int(known[11]) + 1) % 10)
        assert not isin.is_valid(known[:11] + wrong)
    for malformed in ("", "US037833100", "us0378331005", "US03783310055", "US0378331005\n"):
        assert not isin.is_valid(malformed)


def test_a_good_file(load):
    loaded = load("# a comment", SHARE, "", PENCE, ILLIQUID, venues=["XPAR", "XLON"])
    rows = loaded.instruments
    assert rows.dtype == schema.instrument and len(rows) == 3
    assert [schema.unpack(row["isin"]) for row in rows] == [
        "DEZZ00000007",
        "GBZZ00000023",
        "SEZZ00000034",
    ]
    assert loaded.names == ["Alder AG", "Birch plc", "Cedar AB"]
    assert loaded.venues == ["XETR", "XLON", "XSTO", "XPAR"]
    assert rows["mrm_venue"].tolist() == [0, 1, 2]
    assert [schema.unpack(row["currency"]) for row in rows] == ["EUR", "GBX", "SEK"]
    assert rows["asset_class"].tolist() == [AssetClass.SHARE] * 3
    assert rows["si"].tolist() == [1, 1, 0]
    assert rows["liquid"].tolist() == [1, 1, 0]
    assert rows["tick_band"].tolist() == [4, 3, 1]
    assert rows["lot"].tolist() == [1, 1, 100]
    assert rows["loaded_row"].tolist() == [3, 5, 6]  # lines of the file
    assert rows["sms_e6"][0] == 11_000 * 10**6
    assert rows["lis_e6"][0] == 300_000 * 10**6
    assert rows["order_max_e6"].tolist() == [500_000 * 10**6, 0, 0]
    assert rows["position_max_e6"].tolist() == [2_000_000 * 10**6, 0, 0]
    report = loaded.report
    assert (report.rows, report.instruments, report.merged) == (3, 3, 0)
    assert (report.fail_closed, report.warned, report.findings) == (0, 0, ())


def test_pence_thresholds_round_down(load):
    row = load(PENCE.replace("5000", "10000").replace(",,,", ",1,0.01,20")).instruments[0]
    assert row["eur_per_unit_e9"] == 11_450_000
    # EUR 10 000 / 1.145 = GBP 8 733.62445414847..., in pence, in millionths.
    assert row["sms_e6"] == 873_362_445_414 == 10_000 * 10**15 // 11_450_000
    assert row["lis_e6"] == 200_000 * 10**15 // 11_450_000
    assert row["order_max_e6"] == 873_362
    assert row["position_max_e6"] == 20 * 10**15 // 11_450_000


def test_optional_columns_may_be_absent_and_ref_px_is_ignored(load):
    header = HEADER.split(",lot")[0] + ",ref_px"
    row = load(SHARE.split(",1,500000")[0] + ",not read", header=header).instruments[0]
    assert (row["lot"], row["order_max_e6"], row["position_max_e6"]) == (1, 0, 0)


def test_a_tiny_limit_does_not_become_no_limit(load):
    line = SHARE.replace("EUR,XETR", "KWD,XETR").replace(",500000,", ",0.000001,")
    loaded = load(line, fx="currency,eur_per_unit\nKWD,2.8\n")
    assert loaded.instruments[0]["order_max_e6"] == 1


def test_byte_order_mark_crlf_and_quotes(tmp_path):
    path = tmp_path / "instruments.csv"
    line = SHARE.replace("Alder AG", '"Alder, ""old"" AG"')
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{line}\r\n".encode())
    loaded = load_instruments(path, on=DAY)
    assert loaded.names == ['Alder, "old" AG']
    assert loaded.instruments[0]["position_max_e6"] == 2_000_000 * 10**6


BAD_FIELDS = [
    ("isin", "DEZZ00000008"),
    ("isin", ""),
    ("isin", "dezz00000007"),
    ("asset_class", "bond"),
    ("currency", "eur"),
    ("currency", "EURO"),
    ("mrm", "XETRA"),
    ("mrm", ""),
    ("si", "yes"),
    ("si", ""),
    ("liquid", "y"),
    ("sms_eur", "11,5"),
    ("sms_eur", "-1"),
    ("sms_eur", "1e4"),
    ("sms_eur", "nan"),
    ("sms_eur", "11_000"),
    ("sms_eur", "11000.0000001"),
    ("sms_eur", "1000000000001"),
    ("sms_eur", "\u0661"),
    ("lis_eur", "none"),
    ("lis_eur", "99999999999999999999"),
    ("tick_band", "7"),
    ("tick_band", ""),
    ("tick_band", "1.0"),
    ("lot", "0"),
    ("lot", "1.5"),
    ("lot", "1000000001"),
    ("order_max_eur", "no"),
    ("position_max_eur", "+5"),
]


@pytest.mark.parametrize(("column", "value"), BAD_FIELDS)
def test_a_bad_field_refuses_the_file(load, column, value):
    fields = dict(zip(HEADER.split(","), SHARE.split(","), strict=True))
    fields[column] = f'"{value}"'
    with pytest.raises(Refused) as refusal:
        load(PENCE, ",".join(fields.values()))
    (problem,) = refusal.value.problems
    assert problem.path.endswith("instruments.csv")
    assert (problem.line, problem.column, problem.value) == (3, column, value)
    assert problem.advice
    assert str(refusal.value) == f"{problem.path}:3: column {column!r} value {value!r}: " + (
        problem.advice
    )


def test_every_problem_of_a_file_is_named_at_once(load):
    bad = SHARE.replace("share", "bond")
    with pytest.raises(Refused) as refusal:
        load(*[bad] * 30)
    assert [problem.line for problem in refusal.value.problems] == list(range(2, 32))
    assert str(refusal.value).count("\n") == PROBLEMS_SHOWN_MAX
    assert str(refusal.value).endswith("... and 10 more")


@pytest.mark.parametrize(
    ("header", "line", "column", "said"),
    [
        (HEADER.replace(",lis_eur", ""), SHARE, "lis_eur", "missing"),
        (HEADER.replace("order_max_eur", "order_max"), SHARE, "order_max", "rename"),
        (HEADER + ",isin", SHARE + ",X", "isin", "keep one column"),
        (HEADER, SHARE + ",1", "", "write 13 fields"),
        (HEADER, SHARE.rpartition(",")[0], "", "write 13 fields"),
        (HEADER, SHARE.replace("Alder", '"Alder'), "", "close the quotes"),
        ("# nothing else", "", "", "no header"),
    ],
)
def test_a_bad_shape_refuses_the_file(load, header, line, column, said):
    with pytest.raises(Refused) as refusal:
        load(line, header=header)
    problem = refusal.value.problems[0]
    assert problem.column == column
    assert said in problem.advice


def test_unreadable_files(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        load_instruments(tmp_path / "absent.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes(f"{HEADER}\n{SHARE}\n".encode() + b"# caf\xe9\n")
    with pytest.raises(Refused) as refusal:
        load_instruments(path)
    assert refusal.value.problems[0].line == 3
    assert "UTF-8" in refusal.value.problems[0].advice


def test_missing_rates_refuse_the_file_once_per_currency(load):
    with pytest.raises(Refused) as refusal:
        load(SHARE, PENCE, ILLIQUID, ILLIQUID, fx="currency,eur_per_unit\n")
    assert [(p.line, p.column, p.value) for p in refusal.value.problems] == [
        (3, "currency", "GBX"),
        (4, "currency", "SEK"),
    ]
    assert "add GBP" in refusal.value.problems[0].advice


def test_amounts_that_do_not_fit_refuse_the_file(load):
    fx = "currency,eur_per_unit\nIDR,0.000000001\n"
    line = SHARE.replace("EUR,XETR", "IDR,XETR")
    with pytest.raises(Refused) as refusal:
        load(line, fx=fx)
    columns = [problem.column for problem in refusal.value.problems]
    assert columns == ["sms_eur", "lis_eur", "order_max_eur", "position_max_eur"]


def test_the_largest_sms_fits(load):
    largest = SHARE.replace(",11000,", f",{SMS_E6_MAX // 10**6},")
    assert load(largest).instruments[0]["sms_e6"] == SMS_E6_MAX
    with pytest.raises(Refused, match="'sms_eur' value '200000001'"):
        load(SHARE.replace(",11000,", f",{SMS_E6_MAX // 10**6 + 1},"))


def test_more_than_there_is_room_for(load):
    with pytest.raises(Refused, match="room for 1 instruments"):
        load(SHARE, ILLIQUID, instruments_max=1)
    mics = [f"XX{n:02d}" for n in range(VENUES_MAX - 1)]
    assert len(load(SHARE, venues=mics).venues) == VENUES_MAX
    with pytest.raises(Refused, match=f"keep to {VENUES_MAX} venues"):
        load(SHARE, venues=[*mics, "XLON"])
    with pytest.raises(Refused, match="four capitals"):
        load(SHARE, venues=["xlon"])


@pytest.mark.parametrize(
    ("line", "sms_eur", "lis_eur", "said"),
    [
        (SHARE.replace(",11000,", ",,"), 0, 300_000, "no SMS"),
        (SHARE.replace(",11000,", ",0,"), 0, 300_000, "no SMS"),
        (SHARE.replace(",300000,", ",,"), 11_000, 0, "no LIS"),
        (SHARE.replace(",300000,", ",0.00,"), 11_000, 0, "no LIS"),
        (SHARE.replace("Y,Y,", "Y,N,"), 0, 0, "no liquid market"),
    ],
)
def test_a_threshold_in_doubt_fails_closed(load, line, sms_eur, lis_eur, said):
    loaded = load(ILLIQUID, line)
    row = loaded.instruments[1]
    assert (row["sms_e6"], row["lis_e6"]) == (sms_eur * 10**6, lis_eur * 10**6)
    assert loaded.instruments[0]["lis_e6"] > 0
    assert loaded.report.fail_closed == 1
    ((at, of, message),) = found(loaded, Severity.FAIL_CLOSED)
    assert (at, of) == (3, "DEZZ00000007") and said in message


def test_an_illiquid_instrument_without_lis_fails_closed(load):
    loaded = load(ILLIQUID.replace("15000", ""))
    assert loaded.instruments[0]["lis_e6"] == 0
    assert loaded.report.fail_closed == 1


def test_duplicates(load):
    same = load(SHARE, ILLIQUID, SHARE)
    assert len(same.instruments) == 2 and same.report.merged == 1
    assert same.instruments[0]["sms_e6"] == 11_000 * 10**6
    assert same.instruments[0]["loaded_row"] == 2
    assert found(same, Severity.NOTE) == [(4, "DEZZ00000007", "the same as line 2: merged")]
    assert same.report.fail_closed == 0

    other = load(SHARE, ILLIQUID, SHARE.replace("11000", "13000").replace("XETR", "XPAR"), SHARE)
    assert len(other.instruments) == 2 and other.report.merged == 2
    assert (other.instruments[0]["sms_e6"], other.instruments[0]["lis_e6"]) == (0, 0)
    assert other.instruments[1]["lis_e6"] > 0
    assert other.venues == ["XETR", "XSTO"]
    assert other.report.fail_closed == 1
    messages = [message for line, _, message in found(other, Severity.FAIL_CLOSED) if line == 4]
    assert messages == ["differs from line 2 in mrm, sms_eur_e6: keep one line"]


@pytest.mark.parametrize(
    ("line", "on", "jurisdiction", "said"),
    [
        (SHARE, DAY, "EU", []),
        (SHARE, date(2025, 11, 23), "EU", []),
        (SHARE, date(2025, 11, 22), "EU", ["SMS 11000 EUR is not on its ladder"]),
        (SHARE.replace("11000", "10000"), date(2025, 11, 22), "EU", []),
        (SHARE.replace("11000", "10000"), DAY, "EU", ["SMS 10000 EUR"]),
        (SHARE.replace("11000", "10000"), DAY, "UK", []),
        (SHARE.replace("300000", "310000"), DAY, "EU", ["LIS 310000 EUR is not in its table"]),
        (SHARE.replace(",4,1,", ",0,1,"), DAY, "EU", ["without tick band"]),
        (SHARE.replace("share", "etf"), DAY, "EU", ["tick band 4", "SMS 11000", "LIS 300000"]),
        (SHARE.replace("share", "certificate"), DAY, "EU", ["no tick", "SMS 11000", "LIS 300000"]),
        (
            "DEZZ00000007,A,other,EUR,XETR,Y,Y,12500,30000,0,,,",
            DAY,
            "EU",
            ["never liquid"],
        ),
        ("DEZZ00000007,A,other,EUR,XETR,Y,Y,10000,30000,0,,,", date(2025, 1, 1), "EU", []),
        (SHARE, date(2017, 1, 1), "EU", ["SMS not checked"]),
    ],
)
def test_what_is_unusual_is_a_warning_only(load, line, on, jurisdiction, said):
    loaded = load(line, on=on, jurisdiction=jurisdiction)
    messages = [message for _, _, message in found(loaded, Severity.WARNING)]
    assert len(messages) == len(said)
    for part, message in zip(said, messages, strict=True):
        assert part in message
    assert loaded.instruments[0]["sms_e6"] > 0 and loaded.instruments[0]["lis_e6"] > 0
    assert loaded.report.warned == (1 if said else 0) and loaded.report.fail_closed == 0


def test_fx(tmp_path):
    assert load_fx() == {"EUR": 10**9}
    path = tmp_path / "fx.csv"
    path.write_text("# rates\ncurrency,eur_per_unit\nEUR,1.000\nGBP,1.1450001\nJPY,0.006\n")
    assert load_fx(path) == {
        "EUR": 10**9,
        "GBP": 1_145_000_100,
        "GBX": 11_450_001,
        "JPY": 6_000_000,
    }


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("USD,0", "eur_per_unit", "above 0"),
        ("USD,", "eur_per_unit", "above 0"),
        ("USD,9.000000001", "eur_per_unit", "at most 9"),
        ("USD,0.8840000001", "eur_per_unit", "at most 9 decimals"),
        ("USD,x", "eur_per_unit", "digits"),
        ("EUR,1.1", "eur_per_unit", "EUR is 1"),
        ("GBP,1.14500001", "eur_per_unit", "7 decimals"),
        ("GBX,0.01145", "currency", "write GBP"),
        ("GBp,0.01145", "currency", "write GBP"),
        ("usd,1", "currency", "three capitals"),
        ("CHF,1.07", "eur_per_unit", "given twice"),
    ],
)
def test_bad_rates(tmp_path, line, column, said):
    path = tmp_path / "fx.csv"
    path.write_text(f"currency,eur_per_unit\nCHF,1.06\n{line}\n")
    with pytest.raises(Refused) as refusal:
        load_fx(path)
    (problem,) = refusal.value.problems
    assert (problem.line, problem.column) == (3, column)
    assert said in problem.advice


XETRA_HEADER = (
    "instrument;ISIN;Instrument Status;MIC Code;Instrument Type;Settlement Currency;"
    "Regulatory Liquid Instrument;Pre-trade LIS Value;Tick Size Band;Unused"
)


@pytest.fixture
def load_xetra(tmp_path):
    def load_lines(*lines, thresholds=None, **options):
        path, fx_path = tmp_path / "xetra.csv", tmp_path / "fx.csv"
        head = ["Market:;XETR", "Date Last Update:;18.04.2019", XETRA_HEADER]
        path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        fx_path.write_text(FX, encoding="utf-8")
        if thresholds is not None:
            options["thresholds_path"] = tmp_path / "thresholds.csv"
            options["thresholds_path"].write_text(thresholds, encoding="utf-8")
        return load_instruments(path, format="xetra", fx_path=fx_path, **options)

    return load_lines


X_SHARE = "ALDER;DEZZ00000007;active;XETR;CS;EUR;Y;200000.00000000;ESMA_LB4;"
X_FUND = "BIRCH ETF;GBZZ00000023;active;XETR;ETF;USD;N;1131000.00000000;XETRA_LB8;"


def test_xetra_with_thresholds(load_xetra):
    thresholds = "isin,sms_eur,lis_eur\nDEZZ00000007,10000,\nGBZZ00000023,,1000000\n"
    loaded = load_xetra(X_SHARE, X_FUND, thresholds=thresholds)
    share, fund = loaded.instruments
    assert loaded.venues == ["XETR"] and loaded.names == ["ALDER", "BIRCH ETF"]
    assert (share["sms_e6"], share["lis_e6"]) == (10_000 * 10**6, 200_000 * 10**6)
    assert (share["tick_band"], fund["tick_band"]) == (4, 0)
    assert fund["lis_e6"] == 10**6 * 10**15 // 884_000_000  # EUR, converted
    assert (share["loaded_row"], fund["loaded_row"]) == (4, 5)
    # Checked against the ladder of the file's own date: an SMS of 10 000 was on it.
    assert loaded.report.findings == ()
    assert load_xetra(X_SHARE, thresholds=thresholds, on=DAY).report.warned == 1


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Date Last Update:;18.04.2019", date(2019, 4, 18)),
        ("Date Last Update:;31.02.2019", None),
        ("Date Last Update:;2019-04-18", None),
        ("", None),
    ],
)
def test_date_of_a_xetra_file(tmp_path, text, day):
    path = tmp_path / "xetra.csv"
    path.write_text(f"Market:;XETR\n{text}\n{XETRA_HEADER}\n", encoding="utf-8")
    assert read_updated(path) == day


def test_xetra_lis_is_in_the_settlement_currency(load_xetra):
    fund = load_xetra(X_FUND).instruments[0]
    assert schema.unpack(fund["currency"]) == "USD"
    assert fund["lis_e6"] == 1_131_000 * 10**6


def test_xetra_options(load_xetra):
    loaded = load_xetra(X_SHARE, mrm="XWBO", si=False)
    assert loaded.venues == ["XWBO"] and loaded.instruments[0]["si"] == 0


@pytest.mark.parametrize(
    ("line", "thresholds", "said"),
    [
        (X_SHARE, None, "no SMS"),
        (X_SHARE.replace("200000.0", "0.0"), "isin,sms_eur\nDEZZ00000007,10000\n", "no LIS"),
        (X_FUND.replace("1131000", "9999999"), None, "placeholder"),
        (X_FUND.replace("1131000", "0"), None, "no LIS"),
        (X_FUND, "isin,sms_eur\nGBZZ00000023,10000\n", "no liquid market"),
        (X_SHARE, "isin,sms_eur\nDEZZ00000007,10000\nDEZZ00000007,30000\n", "two different"),
    ],
)
def test_xetra_fails_closed(load_xetra, line, thresholds, said):
    loaded = load_xetra(line, thresholds=thresholds)
    row = loaded.instruments[0]
    assert row["lis_e6"] == 0 or (row["liquid"] and row["sms_e6"] == 0)
    assert loaded.report.fail_closed == 1
    assert said in found(loaded, Severity.FAIL_CLOSED)[0][2]


def test_xetra_notes_and_warnings(load_xetra):
    note = load_xetra(X_FUND.replace("ETF;USD", "ETN;USD"))
    assert "RTS 2" in found(note, Severity.NOTE)[0][2]
    assert note.instruments[0]["asset_class"] == AssetClass.OTHER
    leaving = load_xetra(X_FUND.replace("active", "pending deletion"))
    assert "pending deletion" in found(leaving, Severity.WARNING)[0][2]
    unused = load_xetra(X_FUND, thresholds="isin,sms_eur\nDEZZ00000007,10000\n")
    assert found(unused, Severity.NOTE)[0][:2] == (2, "DEZZ00000007")


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (X_SHARE.replace(";CS;", ";BOND;"), "Instrument Type"),
        (X_SHARE.replace("ESMA_LB4", "ESMA_LB7"), "Tick Size Band"),
        (X_SHARE.replace("ESMA_LB4", ""), "Tick Size Band"),
        (X_SHARE.replace("200000.00000000", "x"), "Pre-trade LIS Value"),
        (X_SHARE.replace(";Y;", ";;"), "Regulatory Liquid Instrument"),
        (X_SHARE.replace("0007;", "0008;"), "ISIN"),
        (X_SHARE.replace(";EUR;", ";CHF;"), "Settlement Currency"),
    ],
)
def test_xetra_refused(load_xetra, line, column):
    with pytest.raises(Refused) as refusal:
        load_xetra(X_FUND, line)
    assert [(p.line, p.column) for p in refusal.value.problems] == [(5, column)]


def test_options_of_one_format_are_refused_for_the_other(load):
    for options in ({"mrm": "XETR"}, {"si": False}, {"thresholds_path": Path("t.csv")}):
        with pytest.raises(ValueError, match="xetra format only"):
            load(SHARE, **options)
    with pytest.raises(ValueError, match="unknown format"):
        load(SHARE, format="fitrs")


@pytest.mark.skipif(
    not XETRA_2019.exists(), reason="../shared/data/instruments/xetra_2019-04.csv is absent"
)
def test_the_xetra_file_of_18_april_2019(tmp_path):
    fx_path, thresholds_path = tmp_path / "fx.csv", tmp_path / "thresholds.csv"
    fx_path.write_text(FX + "CNY,0.132\n")
    thresholds_path.write_text("isin,sms_eur\nAT00000FACC2,10000\n")
    loaded = load_instruments(
        XETRA_2019, format="xetra", fx_path=fx_path, thresholds_path=thresholds_path
    )
    rows = loaded.instruments
    assert len(rows) == loaded.report.rows == 2577 and loaded.report.merged == 0
    assert loaded.venues == ["XETR"]
    counts = {kind: int((rows["asset_class"] == kind).sum()) for kind in AssetClass}
    assert counts == {
        AssetClass.SHARE: 773,
        AssetClass.DEPOSITARY_RECEIPT: 0,
        AssetClass.ETF: 1436,
        AssetClass.CERTIFICATE: 0,
        AssetClass.OTHER: 231 + 130 + 7,
    }
    assert int(rows["liquid"].sum()) == 630
    assert [int((rows["tick_band"] == band).sum()) for band in range(7)] == [
        459 + 361 + 17, 178, 134, 113, 75, 107, 1133,
    ]  # fmt: skip
    # 98 lines with LIS 0, three with the placeholder.
    assert int((rows["lis_e6"] == 0).sum()) == 101
    ready = (rows["lis_e6"] > 0) & ((rows["liquid"] == 0) | (rows["sms_e6"] > 0))
    assert loaded.report.fail_closed == int((~ready).sum()) == 705
    by_isin = {schema.unpack(row["isin"]): row for row in rows}
    facc = by_isin["AT00000FACC2"]
    assert (facc["loaded_row"], facc["liquid"], facc["tick_band"]) == (4, 1, 4)
    assert (facc["sms_e6"], facc["lis_e6"]) == (10_000 * 10**6, 200_000 * 10**6)
    brazil = by_isin["DE000A0Q4R85"]
    assert schema.unpack(brazil["currency"]) == "USD"
    assert (brazil["lis_e6"], brazil["eur_per_unit_e9"]) == (1_131_000 * 10**6, 884_000_000)
    assert by_isin["IE00BF1QPH33"]["lis_e6"] == 0  # 9999999


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory)
    return directory


def test_the_sample_loads_without_a_finding(sample):
    loaded = load_instruments(sample / "instruments.csv", fx_path=sample / "fx.csv", on=SAMPLE_DATE)
    rows = loaded.instruments
    assert len(rows) >= 520 and loaded.report.findings == ()
    assert loaded.venues == ["XETR", "XPAR", "XLON", "XSTO", "XSWX"]
    assert {schema.unpack(row["currency"]) for row in rows} == {"EUR", "GBX", "SEK", "CHF"}
    assert set(rows["asset_class"].tolist()) == set(AssetClass)
    assert set(rows["tick_band"].tolist()) == set(range(7))
    assert set(rows["si"].tolist()) == {0, 1} and set(rows["liquid"].tolist()) == {0, 1}
    assert len(set(loaded.names)) == len(rows)
    for row in rows:
        kind = AssetClass(int(row["asset_class"]))
        assert row["lis_e6"] > 0 and (row["sms_e6"] > 0) == bool(row["liquid"])
        if row["eur_per_unit_e9"] == 10**9:
            assert on_lis_table(int(row["lis_e6"]) // 10**6, kind, SAMPLE_DATE)
            if row["liquid"]:
                assert on_ladder(int(row["sms_e6"]) // 10**6, kind, SAMPLE_DATE)


def test_the_sample_prices_are_on_tick(sample):
    prices = sample_prices(sample / "instruments.csv")
    loaded = load_instruments(sample / "instruments.csv", fx_path=sample / "fx.csv")
    assert len(prices) == len(loaded.instruments)
    for row in loaded.instruments:
        px_e6 = prices[schema.unpack(row["isin"])]
        assert 10**6 <= px_e6 < PX_E6_MAX
        ticks = next(ticks for below_px_e6, ticks in TICKS if px_e6 < below_px_e6)
        if row["tick_band"]:
            assert px_e6 % ticks[row["tick_band"] - 1] == 0


def test_the_sample_is_the_same_for_one_seed(sample, tmp_path):
    for name in ("again", "other"):
        (tmp_path / name).mkdir()
    write_sample(tmp_path / "again", seed=1)
    write_sample(tmp_path / "other", seed=2)
    for name in ("instruments.csv", "fx.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (sample / name).read_bytes()
    other = (tmp_path / "other" / "instruments.csv").read_bytes()
    assert other != (sample / "instruments.csv").read_bytes()
