"""`si status` as a user meets it: files in, verdicts, pages and refusals out."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from engine import journal as jn
from engine import schema, tables
from engine.enums import ExecKind
from engine.schema import unpack
from gateway import journal_files
from gateway.cli import app
from gateway.journal_files import JournalFiles
from refdata.rows import Refused
from refdata.si_status import files, report
from refdata.si_status.assess import E18
from refdata.si_status.quarters import Quarter
from tests.fix_text import as_array
from tests.stream import Gateway
from tests.test_oracle import open_items_of
from tests.world import inputs, make_world

pytestmark = pytest.mark.pure

SAP, DAX_ETF = "DE0007164600", "DE0005933931"
HEAD = "traded_at,instrument,asset_class,liquid,quantity,price_eur,notional_eur,capacity"
HEAD += ",client_order,venue"
EU_HEAD = "instrument,asset_class,liquid,period_from,period_to,transactions,turnover_eur"
EU_HEAD += ",first_traded"
GOOD = f"2024-03-05,{SAP},share,Y,10,20.5,,DEAL,Y,OTC"
GOOD_EU = f"{SAP},share,Y,2024-01-01,2024-06-30,32500,1000000,"


def status(*words: object) -> Result:
    return CliRunner().invoke(app, ["status", *map(str, words)], env={"COLUMNS": "400"})


def write(path: Path, head: str, *lines: str) -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def weekdays(first: date, until: date) -> list[date]:
    days = [first + timedelta(days=i) for i in range((until - first).days)]
    return [day for day in days if day.isoweekday() < 6]


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    """A share internalised every weekday of a year and a half, and more of it for clients."""
    lines = []
    for day in weekdays(date(2024, 1, 1), date(2025, 7, 1)):
        lines.append(f"{day},{SAP},share,Y,10,20.5,,DEAL,Y,OTC")
        lines.append(f"{day}T23:30:00+01:00,{SAP},share,Y,30,,615,AOTC,Y,XETR")
        lines.append(f"{day},issuer-1,bond,N,1,,1000,DEAL,{'NY'[day.isoweekday() == 3]},SINT")
    return write(tmp_path / "trades.csv", HEAD, *lines)


@pytest.fixture
def eu_totals(tmp_path: Path) -> Path:
    return write(
        tmp_path / "eu.csv", EU_HEAD,
        f"{SAP},share,Y,2024-01-01,2024-06-30,32500,99999999,",  # 130 of 32 500 is 0.4 %
        f"{SAP},share,Y,2024-04-01,2024-09-30,32751,99999999,",  # 131 of 32 751 is less
    )  # fmt: skip


def assessed(*words: object) -> dict[str, Any]:
    done = status("assess", *words, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdicts(found: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(a["instrument"], a["quarter"]): a["verdict"] for a in found["assessments"]}


# --- assess -----------------------------------------------------------------------------------


def test_every_quarter_that_the_trades_cover(trades: Path, eu_totals: Path) -> None:
    found = assessed("--trades", trades, "--eu-totals", eu_totals)
    quarters = ["2024Q3", "2024Q4", "2025Q1", "2025Q2", "2025Q3"]
    assert [each["quarter"] for each in found["quarters"]] == quarters
    assert verdicts(found) == {
        (SAP, "2024Q3"): "yes",
        (SAP, "2024Q4"): "no",
        (SAP, "2025Q1"): "cannot be said",  # a liquid share without EU totals
        (SAP, "2025Q2"): "cannot be said",
        (SAP, "2025Q3"): "cannot be said",
    } | dict.fromkeys([("issuer-1", quarter) for quarter in quarters], "cannot be said")
    monitoring = {a["quarter"]: a["monitoring"] for a in found["assessments"]}
    assert monitoring == dict(zip(quarters, [False, False, True, True, True], strict=True))
    assert "1 February 2025" in found["banner"]


def test_the_numbers_behind_a_verdict(trades: Path, eu_totals: Path) -> None:
    found = assessed("--trades", trades, "--eu-totals", eu_totals, "--quarter", "2024Q3")
    share, bond = found["assessments"]
    assert "issued by one entity" in bond["scope"] and share["scope"] == "each instrument"
    assert share["figures"] == {
        "n": 130,
        "N": 32_500,
        "v_eur": str(130 * 205),
        "V_f_eur": str(130 * 820),
        "V_eur": "99999999",
        "periods": "130",
        "frequency": "daily",
    }
    outcomes = [test["outcome"] for test in share["tests"]]
    assert outcomes == ["met", "met", "met", "not met"]
    assert Fraction(share["tests"][0]["limit"]) == Fraction(4, 1000)
    assert share["substantial"] == "met" and share["sure"] and "Art 12" in share["citation"]
    assert found["banner"] == ""


def test_which_assessment_is_in_force_on_a_date(trades: Path) -> None:
    for on, quarter in (("2024-10-01", "2024Q4"), ("2024-09-30", "2024Q3")):
        found = assessed("--trades", trades, "--date", on)
        assert [each["quarter"] for each in found["quarters"]] == [quarter]


def test_as_text(trades: Path, eu_totals: Path) -> None:
    done = status("assess", "--trades", trades, "--eu-totals", eu_totals, "--asset-class", "share")
    assert done.exit_code == 0
    assert f"{SAP}  2024Q3  share, liquid  SI: yes\n" in done.stdout
    assert "n / N = 130 / 32,500 = 0.4 % >= 0.4 %: met" in done.stdout
    assert "n / N = 131 / 32,751 = 0.3999 % < 0.4 %: not met" in done.stdout  # not rounded up
    assert "n / N = 132 / no data against 0.4 %: no data" in done.stdout
    assert "SI: cannot be said (monitoring)" in done.stdout
    assert "issuer-1" not in done.stdout


def test_an_own_mic_is_no_venue(tmp_path: Path) -> None:
    lines = [f"{day},{SAP},share,N,1,1,,DEAL,Y,XSIX" for day in weekdays(*SIX_MONTHS)]
    path = write(tmp_path / "trades.csv", HEAD, *lines)
    words = ("--trades", path, "--quarter", "2024Q3")
    assert verdicts(assessed(*words)) == {(SAP, "2024Q3"): "no"}
    assert verdicts(assessed(*words, "--own-mic", "XSIX")) == {(SAP, "2024Q3"): "yes"}


SIX_MONTHS = (date(2024, 1, 1), date(2024, 7, 1))


def test_days_of_a_list_count(tmp_path: Path) -> None:
    """129 transactions are not daily over 130 weekdays; over the 126 days of the list they are."""
    days = weekdays(*SIX_MONTHS)
    lines = [f"{day},{SAP},share,N,1,1,,DEAL,Y,OTC" for day in days[1:]]
    path = write(tmp_path / "trades.csv", HEAD, *lines)
    listed = write(tmp_path / "days.csv", "date", *(str(day) for day in days[4:]))
    words = ("--trades", path, "--quarter", "2024Q3")
    assert verdicts(assessed(*words)) == {(SAP, "2024Q3"): "no"}
    found = assessed(*words, "--trading-days", listed)
    assert verdicts(found) == {(SAP, "2024Q3"): "yes"}
    assert found["assessments"][0]["figures"]["periods"] == "126"


def test_trades_that_reach_over_half_a_period_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "trades.csv", HEAD, GOOD)
    found = assessed("--trades", path, "--quarter", "2024Q3")
    assert any("no trade of the firm in 2024Q2" in note for note in found["notes"])
    found = assessed("--trades", path, "--quarter", "2024Q2")
    assert any("no trade of the firm in 2023Q4" in note for note in found["notes"])


def test_the_united_kingdom(trades: Path) -> None:
    found = assessed("--trades", trades, "--quarter", "2024Q3", "--jurisdiction", "UK")
    assert all(not a["sure"] and any("check" in r for r in a["remarks"])
               for a in found["assessments"])  # fmt: skip
    assert found["banner"] == ""
    done = status("assess", "--trades", trades, "--quarter", "2024Q3", "--jurisdiction", "CH")
    assert done.exit_code == 1 and "CH" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quarter", "2024"], "'2024' is no quarter: write it like 2024Q3"),
        (["--quarter", "2024Q3", "--date", "2024-08-01"], "give --quarter or --date"),
        (["--date", "1.8.2024"], "--date '1.8.2024': write a date"),
        (["--asset-class", "stock"], "'stock' is none of share, dr, etf"),
        (["--asset-class", "etf"], "no trade in the asset class etf"),
        (["--quarter", "2199Q1"], "which are not over"),
        (["--quarter", "2017Q1"], "no quantitative SI threshold"),
        (["--eu-totals", "none.csv"], "none.csv: value '': the file cannot be read"),
    ],
)
def test_wrong_options_are_a_message(trades: Path, words: list[str], said: str) -> None:
    done = status("assess", "--trades", trades, *words)
    if "2017Q1" in words:
        write(trades, HEAD, GOOD.replace("2024-03-05", "2016-12-01"))
        done = status("assess", "--trades", trades, *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_quarter_is_needed_for_few_trades(tmp_path: Path) -> None:
    done = status("assess", "--trades", write(tmp_path / "t.csv", HEAD, GOOD))
    assert done.exit_code == 1 and "name one with --quarter" in done.stderr
    found = assessed("--trades", tmp_path / "t.csv", "--quarter", "2020Q1")
    assert found["assessments"] == []


# --- bad files --------------------------------------------------------------------------------


def changed(line: str, column: int, value: str) -> str:
    fields = line.split(",")
    fields[column] = value
    return ",".join(fields)


BAD_TRADES = [
    (0, "05.03.2024", "traded_at", "write a date"),
    (0, "2024-02-30", "traded_at", "write a date"),
    (0, "2024-03-05T10:00:00", "traded_at", "with zone"),
    (1, "DE0007164601", "instrument", "check digit right"),
    (1, "", "instrument", "check digit right"),
    (2, "shares", "asset_class", "write one of share, dr"),
    (3, "yes", "liquid", "write one of Y, N"),
    (4, "-10", "quantity", "no sign"),
    (4, "0", "quantity", "above 0"),
    (4, "", "quantity", "missing"),
    (4, "1e3", "quantity", "digits"),
    (4, "NaN", "quantity", "digits"),
    (5, "-20.5", "price_eur", "no sign"),
    (5, "0", "price_eur", "above 0"),
    (5, "0.0000000001", "price_eur", "at most 9 decimals"),
    (5, "", "notional_eur", "one of the two"),
    (6, "205", "notional_eur", "one of the two"),
    (7, "OWN", "capacity", "write one of DEAL, MTCH, AOTC"),
    (8, "1", "client_order", "write one of Y, N"),
    (9, "otc", "venue", "OTC, SINT, XOFF or the trading venue's MIC"),
]


@pytest.mark.parametrize(("place", "value", "column", "advice"), BAD_TRADES)
def test_a_bad_trade_refuses_the_file(
    tmp_path: Path, place: int, value: str, column: str, advice: str
) -> None:
    path = write(tmp_path / "trades.csv", HEAD, GOOD, "# a comment", changed(GOOD, place, value))
    with pytest.raises(Refused) as caught:
        files.read_flows(path)
    [problem] = caught.value.problems
    assert (problem.line, problem.column) == (4, column) and advice in problem.advice
    done = status("assess", "--trades", path, "--quarter", "2024Q3")
    assert done.exit_code == 1 and f"trades.csv:4: column '{column}'" in done.stderr


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    lines = [changed(GOOD, 4, "-1"), GOOD, changed(GOOD, 7, "x")]
    with pytest.raises(Refused) as caught:
        files.read_flows(write(tmp_path / "trades.csv", HEAD, *lines))
    assert [problem.line for problem in caught.value.problems] == [2, 4]


@pytest.mark.parametrize("asset_class", ["bond", "sfp", "derivative"])
def test_the_price_of_a_bond_is_no_turnover(tmp_path: Path, asset_class: str) -> None:
    line = f"2024-03-05,issuer-1,{asset_class},N,1000,98.5,,DEAL,Y,OTC"
    with pytest.raises(Refused, match="give notional_eur instead"):
        files.read_flows(write(tmp_path / "trades.csv", HEAD, line))


BAD_TOTALS = [
    ([], "the file has no totals"),
    ([GOOD_EU, GOOD_EU], "line 2 has it too"),
    ([GOOD_EU, changed(GOOD_EU, 1, "etf")], "line 2 has it too"),
    ([changed(GOOD_EU, 3, "2024-02-01")], "overlapping periods cannot be added up"),
    ([changed(GOOD_EU, 4, "2024-07-01")], "not the six months of an assessment"),
    ([changed(GOOD_EU, 4, "2023-01-01")], "not the six months of an assessment"),
    ([changed(GOOD_EU, 4, "9999-12-31")], "not the six months of an assessment"),
    ([changed(GOOD_EU, 5, "-1")], "no sign"),
    ([changed(GOOD_EU, 5, "1.5")], "at most 0 decimals"),
    ([changed(GOOD_EU, 6, "")], "it is missing"),
    ([changed(GOOD_EU, 7, "soon")], "write a date"),
    ([changed(GOOD_EU, 0, "US0378331006")], "check digit"),
]


@pytest.mark.parametrize(("lines", "advice"), BAD_TOTALS)
def test_bad_totals_refuse_the_file(tmp_path: Path, lines: list[str], advice: str) -> None:
    with pytest.raises(Refused, match=advice):
        files.read_totals(write(tmp_path / "eu.csv", EU_HEAD, *lines))


def test_files_that_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    for data, advice in (
        (b"", "no header line"),
        (HEAD.encode(), "no trades"),
        (HEAD.replace(",venue", "").encode(), "add the column"),
        ((HEAD + ",fee").encode(), "remove or rename"),
        (b"\xff", "UTF-8"),
    ):
        path.write_bytes(data)
        with pytest.raises(Refused, match=advice):
            files.read_flows(path)
    with pytest.raises(Refused, match="no days"):
        files.read_trading_days(write(path, "date"))


def test_one_instrument_in_two_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "trades.csv", HEAD, GOOD, changed(GOOD, 2, "etf"))
    with pytest.raises(Refused, match="a subject has one asset class"):
        files.read_flows(path)
    write(path, HEAD, GOOD)
    eu = write(tmp_path / "eu.csv", EU_HEAD, changed(GOOD_EU, 1, "etf"))
    done = status("assess", "--trades", path, "--eu-totals", eu, "--quarter", "2024Q3")
    assert done.exit_code == 1 and "correct one of the two" in done.stderr


# --- Parquet ----------------------------------------------------------------------------------


def frame(**columns: Any) -> pl.DataFrame:
    """Two trades as a data team would store them."""
    usual = {
        "traded_at": [datetime(2024, 3, 5, 23, 30, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)],
        "instrument": [SAP, DAX_ETF],
        "asset_class": ["share", "etf"],
        "liquid": [True, False],
        "quantity": [10, 20],
        "price_eur": [Decimal("20.5"), None],
        "notional_eur": [None, Decimal("1000.000001")],
        "capacity": ["DEAL", "AOTC"],
        "client_order": [True, True],
        "venue": ["OTC", "XETR"],
    }
    return pl.DataFrame(usual | columns)


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    frame().write_parquet(tmp_path / "trades.parquet")
    csv = write(
        tmp_path / "trades.csv", HEAD, f"2024-03-05,{SAP},share,Y,10,20.5,,DEAL,Y,OTC",
        f"2024-04-01,{DAX_ETF},etf,N,20,,1000.000001,AOTC,Y,XETR",
    )  # fmt: skip
    found = files.read_flows(tmp_path / "trades.parquet")
    assert found == files.read_flows(csv)
    assert found[DAX_ETF, Quarter(2024, 2)].total_eur_e18 == 1_000_000_001 * E18 // 10**6


def test_bad_parquet_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    for columns, line, advice in (
        ({"quantity": [10, -20]}, 2, "no sign"),
        ({"liquid": [None, True]}, 1, "write one of Y, N"),
        ({"price_eur": [20.5, None]}, 0, "a decimal"),
        ({"traded_at": [datetime(2024, 3, 5), datetime(2024, 3, 5)]}, 0, "time with zone"),
        ({"fee": [1, 2]}, 0, "remove or rename"),
    ):
        frame(**columns).write_parquet(path)
        with pytest.raises(Refused, match=advice) as caught:
            files.read_flows(path)
        assert caught.value.problems[0].line == line
    frame().drop("venue").write_parquet(path)
    with pytest.raises(Refused, match="add the column"):
        files.read_flows(path)
    frame().head(0).write_parquet(path)
    with pytest.raises(Refused, match="no trades"):
        files.read_flows(path)
    for data in (b"", b"PAR1", b"no parquet at all, but long enough to look"):
        path.write_bytes(data)
        with pytest.raises(Refused, match="no readable Parquet"):
            files.read_flows(path)
    with pytest.raises(Refused, match="cannot be read"):
        files.read_flows(tmp_path / "none.parquet")


# --- the engine's journal ---------------------------------------------------------------------


def put(journal: jn.Journal, kind: int, ts_ns: int, body: bytes) -> None:
    at = jn.body_at(journal)
    journal.buffer[at : at + len(body)] = as_array(body)
    jn.end_frame(journal, kind, -1, 0, ts_ns, len(body))


def engine_day(folder: Path) -> list[dict[str, Any]]:
    """A seeded day of the engine in `folder/journal`; its fills as the engine recorded them."""
    world, random = make_world(1, 300), Random(1)
    gateway = Gateway(world, random)
    for name, fields, ts_ns in inputs(world, 1, 300, lambda: open_items_of(gateway.engine)):
        getattr(gateway, name)(fields, ts_ns)
    opened = JournalFiles(folder / "journal")
    hashed = schema.schema_hash().to_bytes(8, "little", signed=schema.schema_hash() < 0)
    put(opened.journal, jn.BOOT, 1, hashed + bytes(schema.boot.itemsize - 8))
    for index, row in enumerate(gateway.engine.tables.instruments[: len(world.instruments)]):
        head = tables.INSTRUMENT.to_bytes(8, "little") + index.to_bytes(8, "little")
        put(opened.journal, jn.TABLE_ROW, 2, head + row.tobytes())
    fills, offset = [], 0
    while jn.frame_state(gateway.journal, offset, -1) == jn.WHOLE:
        found = journal_files.frame_at(gateway.journal, offset, 0)
        if found.kind == jn.EXECUTION:
            put(opened.journal, jn.EXECUTION, found.ts_ns, found.record.tobytes())
            if found.record["kind"] == ExecKind.FILL:
                fills.append({name: found.record[name] for name in found.record.dtype.names})
        offset += int(gateway.journal.words[offset >> 3])
    opened.close()
    return fills


def test_the_engine_s_own_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values as the engine's own limit check has them, which rounds down at the midpoint."""
    monkeypatch.setattr(journal_files, "SEGMENT_SIZE", 1 << 22)
    fills = engine_day(tmp_path)
    assert len(fills) > 10
    assert any(fill["value_eur_e6"] != fill["notional_e6"] for fill in fills)  # other currencies
    found = assessed("--trades", tmp_path, "--quarter", "2026Q1")
    counts: dict[str, int] = {}
    values: dict[str, Fraction] = {}
    for fill in fills:
        isin = unpack(fill["isin"])
        counts[isin] = counts.get(isin, 0) + 1
        rate = Fraction(int(fill["value_eur_e6"]), int(fill["notional_e6"]))
        value = int(fill["last_px_e6"]) * int(fill["last_qty"]) * rate / 10**6
        values[isin] = values.get(isin, Fraction(0)) + value
    made = {a["instrument"]: a["figures"] for a in found["assessments"]}
    assert {isin: figures["n"] for isin, figures in made.items()} == counts
    for isin, value in values.items():
        assert abs(Fraction(made[isin]["v_eur"]) / value - 1) < Fraction(1, 10**6)
        assert made[isin]["v_eur"] == made[isin]["V_f_eur"]


def test_a_folder_without_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = status("assess", "--trades", tmp_path)
    assert done.exit_code == 1 and "no such folder" in done.stderr
    monkeypatch.setattr(journal_files, "SEGMENT_SIZE", 1 << 16)
    JournalFiles(tmp_path / "journal").close()
    done = status("assess", "--trades", tmp_path)
    assert done.exit_code == 1 and "no fills in it" in done.stderr


# --- pages ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Counts elements, keeps text, and sees that every element is closed."""

    VOID = frozenset({"meta", "br", "rect", "line"})  # the last two close themselves

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_page_with_the_numbers(
    trades: Path, eu_totals: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    words = ("--trades", trades, "--eu-totals", eu_totals, "--html", out)
    found = assessed(*words)
    page = Page(out.read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert found["banner"] in text
    for words_ in ("0.3999 % < 0.4 %: not met", "DR 2017/565 Art 12", "2.25 %", "2024-08-15"):
        assert words_ in text
    assert page.tags.count("svg") == 3 + 2  # a liquid share, an illiquid bond
    assert page.tags.count("rect") == 5 * 5
    outside = [value for name, value in page.attributes if name in ("src", "href")]
    assert outside == [] and "script" not in page.tags and "prefers-color-scheme: dark" in page.text
    assert "url(" not in page.text


def test_the_chart_is_to_scale(trades: Path, eu_totals: Path) -> None:
    flows, totals = files.read_flows(trades), files.read_totals(eu_totals)
    made = report.make(flows, totals, [Quarter(2024, 3), Quarter(2024, 4), Quarter(2025, 1)])
    systematic, firm, eu = report.charts_of(made, SAP)
    top = report.CHART_BASE - report.CHART_TOP
    assert [bar.outcome for bar in systematic.bars] == ["met", "not-met", "no-data"]
    assert systematic.bars[0].y == systematic.limit_y == report.CHART_TOP
    assert systematic.bars[1].y >= systematic.limit_y and systematic.bars[2].height == 0
    assert [bar.short for bar in systematic.bars] == ["0.4 %", "0.3999 %", "no data"]
    assert [bar.short for bar in firm.bars] == ["25 %"] * 3
    assert report.CHART_BASE - firm.limit_y == top * 15 // 25
    assert eu.bars[0].y > eu.limit_y


def test_many_quarters_and_instruments_stay_legible(trades: Path) -> None:
    flows = files.read_flows(trades)
    quarters = [Quarter(2024, 3).shifted(i) for i in range(5)] * 4
    [chart, *_] = report.charts_of(report.make(flows, {}, quarters), "issuer-1")
    shown = [bar for bar in chart.bars if bar.shown]
    assert not any(bar.short for bar in chart.bars) and chart.bars[-1] in shown
    gaps = [later.x - bar.x for bar, later in pairwise(shown)]
    assert min(gaps) >= report.LABEL_WIDTH
    many = {(f"class-{i}", q): flow for i in range(120) for (s, q), flow in flows.items()
            if s == "issuer-1"}  # fmt: skip
    page = Page(report.html(report.make(many, {}, [Quarter(2024, 3)])))
    assert page.tags.count("figure") == 2 * report.CHARTS_MAX
    assert "Charts of 20 more are left out" in page.text


def test_what_a_file_says_is_no_markup(tmp_path: Path) -> None:
    hostile = tmp_path / "<b>&trades.csv"
    write(hostile, HEAD, GOOD)
    out = tmp_path / "report.html"
    assessed("--trades", hostile, "--quarter", "2024Q3", "--html", out)
    assert "<b>&trades" not in out.read_text() and "<b>&trades.csv" in Page(out.read_text()).text


def test_examples() -> None:
    done = status("examples", "--json")
    found = json.loads(done.stdout)
    assert [one["as_written"] for one in found] == ["yes", "yes", "no"]
    assert [one["as_the_law_has_it"] for one in found] == ["cannot be said", "yes", "no"]
    text = status("examples").stdout
    assert "500,000,000,000 / 1,500,000,000,000 = 33.3333 % >= 15 %: met" in text
    assert "v / V_f = 10,000,000,000 / 500,000,000,000 = 2 % < 15 %: not met" in text
    assert "200 billion/10 trillion" in text and "two duties" in text
