"""`si regime` as it is typed: text, JSON, and messages for what cannot be."""

import json
import re

import pytest
from typer.testing import CliRunner

from gateway import cli_regime
from gateway.cli import app
from refdata.regulation.classify import Thresholds

pytestmark = pytest.mark.pure

KEYS = [
    "regime", "sms_eur", "qmin_eur", "threshold_eur", "lis_eur", "tick", "zone", "route",
    "citations",
]  # fmt: skip
SHARE = ["--class", "shares", "--avt", "12724.48", "--adt", "250000"]
ORDER = ["--price", "10.01", "--size", "1500", "--date", "2025-11-23"]


def run(*args, width=100):
    return CliRunner().invoke(app, ["regime", *args], env={"COLUMNS": str(width)})


def text_of(*args, width=100):
    done = run(*args, width=width)
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(len(line) <= width for line in done.stdout.splitlines())
    return " ".join(done.stdout.split())


def error_of(*args):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("width", [80, 100, 160])
def test_diff(width):
    said = text_of("diff", "2025-11-22", "2025-11-23", width=width)
    for phrase in (
        "From 22 November 2025 to 23 November 2025, EU",
        "Minimum quote size: 10 % of SMS -> 100 % of SMS",
        "Quoting obligation: up to SMS -> up to twice SMS",
        "12,724.48 10,000 -> 13,000 1,000 -> 13,000 10,000 -> 26,000",
        "effective 23 November 2025",
        "unsure: have this checked",
        "Unchanged",
        "Have checked",
        "What is marked unsure above: number 5, 8, 9.",
    ):
        assert phrase in said


def test_diff_of_nothing():
    assert text_of("diff", "2026-06-01", "2026-06-01").endswith("Nothing changes.")
    said = text_of("diff", "2026-06-01", "2025-06-01")
    assert "The later date was given first" in said


def test_diff_as_json():
    done = run("diff", "2025-11-22", "2025-11-23", "--json")
    found = json.loads(done.stdout)
    assert list(found) == [
        "heading", "summary", "changes", "unchanged", "have_checked", "notes",
    ]  # fmt: skip
    first = found["changes"][0]
    assert (first["topic"], first["effective"]) == ("min-quote-size", "2025-11-23")
    assert first["sure"] is True
    assert found["changes"][2]["examples"][2] == {
        "avt_eur": 12724.48, "sms_old": 10_000, "sms_new": 13_000, "qmin_old": 1_000,
        "qmin_new": 13_000, "threshold_old": 10_000, "threshold_new": 26_000,
    }  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 160])
def test_show(width):
    said = text_of("show", "--date", "2026-06-01", width=width)
    assert said.startswith("In force on 1 June 2026, EU regime eu-2025;")
    assert "12,000 - 14,000 13,000" in said and "? unsure: have this checked" in said
    assert "In force on 1 June 2026, UK" in text_of(
        "show", "--date", "2026-06-01", "--jurisdiction", "UK", width=width
    )


def test_show_as_json():
    found = json.loads(run("show", "--date", "2018-01-03", "--json").stdout)
    assert (found["regime"], found["rules"][0]["value"]) == ("eu-2018", "10 % of SMS")
    assert found["rules"][0]["since"] == "2018-01-03"


def test_classify_as_json():
    done = run("classify", *SHARE, "--adnt", "700", *ORDER, "--json")
    found = json.loads(done.stdout)
    assert list(found) == KEYS and set(found["citations"]) == set(KEYS[:-1])
    assert [found[key] for key in KEYS[:-1]] == [
        "eu-2025", 13_000, 13_000, 26_000, 60_000, 0.01, "WITHIN_OBLIGATION", "auto",
    ]  # fmt: skip
    assert "published values" in done.stderr


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (["--date", "2025-11-22"], ["eu-2018", 10_000, 1_000, 10_000, "DISCRETIONARY", "desk"]),
        (["--illiquid"], ["eu-2025", None, None, None, "ON_REQUEST", "auto"]),
        (["--illiquid", "--size", "6000"], ["eu-2025", None, None, None, "ON_REQUEST", "desk"]),
        (["--size", "6000"], ["eu-2025", 13_000, 13_000, 26_000, "LARGE_IN_SCALE", "desk"]),
        (["--jurisdiction", "UK"], ["uk-2018", 10_000, 1_000, 10_000, "DISCRETIONARY", "desk"]),
        (["--class", "etfs"], ["eu-2025", 12_500, 12_500, 25_000, "WITHIN_OBLIGATION", "auto"]),
    ],
)
def test_classify_cases(change, want):
    found = json.loads(run("classify", *SHARE, *ORDER, *change, "--json").stdout)
    keys = ("regime", "sms_eur", "qmin_eur", "threshold_eur", "zone", "route")
    assert [found[key] for key in keys] == want
    assert found["tick"] is None
    unsure = "unsure: have this checked" in found["citations"]["regime"]
    assert unsure == ("UK" in change)


def test_classify_in_words():
    said = text_of("classify", *SHARE, *ORDER)
    assert said.startswith("share, 1,500 at 10.01 EUR = 15,015 EUR, 23 November 2025, EU")
    assert "note: no tick: give the ADNT" in said
    assert "tick none" in said and "SMS, EUR 13,000 RTS 1 Annex II Table 3" in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["show", "--date", "2018-01-02"], "MiFID II applies from 2018-01-03"),
        (["show", "--date", "2018-13-02"], "--date '2018-13-02' is no date: write YYYY-MM-DD"),
        (["show", "--date", "2018-02-03", "--jurisdiction", "US"], "'US' is unknown"),
        (["show", "--date", "9999-12-31"], "too far ahead: write a day up to 2099-12-31"),
        (["diff", "2018-01-02", "2026-01-01"], "no rules on 2018-01-02"),
        (["diff", "2026-01-01", "soon"], "DATE2 'soon' is no date"),
        (["classify", *SHARE, *ORDER, "--date", "2017-01-01"], "no rules on 2017-01-01"),
        (["classify", *SHARE, *ORDER, "--class", "bonds"], "--class 'bonds' is unknown"),
        (["classify", *SHARE, *ORDER, "--class", "[/]"], "--class '[/]' is unknown"),
        (["classify", *ORDER], "--class '' is unknown"),
        (["classify", *SHARE, *ORDER, "--price", "0"], "--price '0': write a number above 0"),
        (["classify", *SHARE, *ORDER, "--price", "1e3"], "--price '1e3': write digits"),
        (["classify", *SHARE, *ORDER, "--price", "NaN"], "--price 'NaN': write digits"),
        (["classify", *SHARE, *ORDER, "--size", "1.5"], "--size '1.5': write whole shares"),
        (["classify", *SHARE, *ORDER, "--size", "9" * 19], "write whole shares"),
        (["classify", *SHARE, *ORDER, "--avt", "-1"], "--avt '-1': write digits"),
        (["classify", "--class", "drs", "--adt", "1", *ORDER], "--avt is missing"),
        (["classify", "--class", "drs", "--avt", "1", *ORDER], "--adt is missing"),
        (["classify", *SHARE, *ORDER, "--equity-etf"], "cannot go with --class shares"),
        (
            ["classify", *SHARE, *ORDER, "--class", "other", "--date", "2026-03-02"],
            "class other has no liquid market on 2026-03-02 (DR 2017/567 Art 4a)",
        ),
        (["classify", *ORDER, "--isin", "DE0007164600"], "--isin and --snapshot belong together"),
        (["classify", *ORDER, "--snapshot", "f"], "--isin and --snapshot belong together"),
        (["classify", *ORDER, "--isin", "DE0007164601", "--snapshot", "f"], "check digit"),
        (
            ["classify", *SHARE, *ORDER, "--isin", "DE0007164600", "--snapshot", "f"],
            "--class cannot go with --isin",
        ),
    ],
)
def test_what_cannot_be(args, message):
    assert message in error_of(*args)


def test_a_missing_option_is_said_by_the_parser():
    assert run("classify", *SHARE).exit_code == 2
    assert run("show").exit_code == 2


class Snapshots:
    """Stands for `refdata.snapshot`."""

    def thresholds_of(self, isin, day, snapshot):
        assert (isin, day.isoformat(), str(snapshot)) == ("DE0007164600", "2025-11-23", "f.snap")
        kind = cli_regime.CLASSES["shares"]
        return Thresholds(kind, True, 15_000, 60_000, 4, "f.snap, row 7")


def test_an_instrument_of_a_snapshot(monkeypatch):
    asked = ["classify", *ORDER, "--isin", "DE0007164600", "--snapshot", "f.snap", "--json"]
    monkeypatch.setattr(cli_regime, "import_module", lambda name: Snapshots())
    found = json.loads(run(*asked).stdout)
    assert (found["sms_eur"], found["tick"], found["zone"]) == (15_000, 0.01, "WITHIN_OBLIGATION")
    assert found["citations"]["sms_eur"] == "f.snap, row 7"


def test_an_installation_without_snapshots(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(cli_regime, "import_module", missing)
    said = error_of("classify", *ORDER, "--isin", "DE0007164600", "--snapshot", "f.snap")
    assert "cannot read snapshots" in said and "give --class, --avt and --adt" in said


def test_help_lists_the_commands():
    said = re.sub(r"\s+", " ", CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).stdout)
    for command in ("show", "diff", "classify"):
        assert f"si regime {command}: " in said
    assert run().exit_code in (0, 2)  # typer's own code for "no arguments: help"
