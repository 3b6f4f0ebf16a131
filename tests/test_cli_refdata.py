"""`si refdata` build, show, diff and verify as they are typed."""

import json
import re
from datetime import date

import pytest
from typer.testing import CliRunner

from engine.schema import unpack
from gateway.cli import app
from refdata import snapshot
from tests.fitrs_files import message as message_of
from tests.fitrs_files import reference, write
from tests.refdata_world import (
    DELTA,
    FULL,
    ISIN,
    OF_2024,
    OTHER,
    RATES,
    firm,
    line,
    made_isin,
    write_list,
    year,
)

pytestmark = pytest.mark.pure

DAY = "2026-04-13"


def run(*args):
    return CliRunner().invoke(app, ["refdata", *map(str, args)], env={"COLUMNS": "200"})


def text_of(*args):
    done = run(*args)
    assert (done.exit_code, done.stderr.strip()) == (0, ""), done.stderr
    return " ".join(done.stdout.split())


def json_of(*args, code=0):
    done = run(*args, "--json")
    assert done.exit_code == code, done.stderr
    return json.loads(done.stdout)


def error_of(*args):
    """The message; a traceback would be an exception other than the exit."""
    done = run(*args)
    assert isinstance(done.exception, SystemExit) and done.exit_code in (1, 2), done.exception
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert done.exit_code == 2 or done.stderr.lstrip().startswith("error: ")
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stderr).split())


class Folder:
    """A firm's folder and its snapshots."""

    def __init__(self, path):
        self.path, self.into = path, path / "snapshots"
        self.toml = path / "refdata.toml"
        self.put()

    def put(self, *results, files=None, **options):
        firm(self.path, files or {FULL: results or [year(), year(OTHER)]}, **options)

    def build(self, *args, code=0, day=DAY):
        return json_of("build", self.toml, "--date", day, "--into", self.into, *args, code=code)

    def refused(self, *args, day=DAY):
        return error_of("build", self.toml, "--date", day, "--into", self.into, *args)

    def held(self):
        """Every file among the snapshots with its bytes, None where there is no folder."""
        if not self.into.exists():
            return None
        return {file.name: file.read_bytes() for file in self.into.iterdir()}


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "firm")
    made.put(lines=[line(), line(OTHER)])
    return made


# --- build -----------------------------------------------------------------------------------


def test_build_says_what_it_did_and_wrote(folder):
    said = text_of("build", folder.toml, "--date", DAY, "--into", folder.into)
    (path,) = folder.into.iterdir()
    assert f"2 instruments as of {DAY}, 0 closed for want of a threshold, 4 input files" in said
    assert f"wrote {path}" in said and f"si refdata activate {path} DIR" in said


def test_build_as_json(folder):
    found = folder.build()
    assert found["snapshot"] and snapshot.read(folder.into / found["snapshot"]).names == ["", ""]
    assert (found["instruments"], found["fail_closed"], found["refused"]) == (2, 0, "")
    assert (found["breaches"], found["changes"], found["previous"]) == ([], [], "")
    kinds = [entry["kind"] for entry in found["inputs"]]
    assert kinds == ["firm", "instruments", "fitrs", "ecb"]


def test_the_same_build_again_is_the_same_file(folder):
    first = folder.build()
    held = folder.held()
    for _ in range(2):
        again = folder.build()
        assert again["snapshot"] == first["snapshot"] and again["changes"] == []
    assert folder.held() == held
    folder.put(year(), year(OTHER, sms="17000"), lines=[line(), line(OTHER)])
    assert folder.build()["snapshot"] != first["snapshot"]
    assert len(folder.held()) == 2


def test_builds_for_several_days_are_compared_with_the_day_before(folder):
    first, second = folder.build(), folder.build(day="2026-04-15")
    assert second["previous"] == snapshot.read(folder.into / first["snapshot"]).sha256
    between = folder.build(day="2026-04-14")
    assert between["previous"] == second["previous"]
    held = folder.held()
    for day, made in ((DAY, first), ("2026-04-14", between), ("2026-04-15", second)):
        assert folder.build(day=day)["snapshot"] == made["snapshot"]
    assert folder.held() == held and len(held) == 3
    early = folder.build(day="2026-04-12")
    assert early["previous"] == snapshot.read(folder.into / second["snapshot"]).sha256


def test_files_of_two_authorities_are_said(folder):
    header = "<RptHdr><RptgNtty><NtlCmptntAuthrty>GB</NtlCmptntAuthrty></RptgNtty></RptHdr>"
    write(folder.path, DELTA[:-4] + ".xml", message_of([year()], header=header))
    assert folder.build()["remarks"] == ["results of more than one authority: EU, GB"]


def test_conflicts_and_bad_records_are_reported(folder):
    folder.put(
        year(), year(sms="17000"), year(OTHER, sms="x"), year("DE0000000000"),
        lines=[line(), line(OTHER)],
    )  # fmt: skip
    found = folder.build()
    said = {isin: text for severity, isin, text in found["findings"] if severity == "fail_closed"}
    assert said[ISIN].startswith("CONFLICT: ") and found["fail_closed"] == 2
    shown = text_of("build", folder.toml, "--date", DAY, "--into", folder.into)
    assert "fail_closed " + ISIN + " CONFLICT" in shown
    assert "remark records that cannot be used: 2, the first is " + FULL in shown


# --- guard rails -----------------------------------------------------------------------------


MOVES = [
    ({"results": [year(sms="70000"), year(OTHER)]}, "SMS", ISIN),
    ({"results": [year(lis="100000"), year(OTHER)]}, "LIS", ISIN),
    ({"results": [year()]}, "missing share", OTHER),
    ({"lines": [line()]}, "missing share", OTHER),
    ({"lines": [line(), line(OTHER, si="N")]}, "missing share", OTHER),
]


@pytest.mark.parametrize(("change", "guard", "isin"), MOVES)
def test_a_guard_rail_holds_until_a_person_approves(folder, change, guard, isin):
    before = folder.build()
    held = folder.held()
    results = change.get("results", [year(), year(OTHER)])
    folder.put(*results, lines=change.get("lines", [line(), line(OTHER)]))
    for approve in ([], ["--approve", ""], ["--approve", "  "]):
        found = folder.build(*approve, code=1)
        assert [breach["guard"] for breach in found["breaches"]] == [guard]
        assert found["breaches"][0]["isins"] == [isin]
        assert found["snapshot"] == "" and "--approve" in found["refused"]
        assert folder.held() == held
    done = run("build", folder.toml, "--date", DAY, "--into", folder.into)
    assert done.exit_code == 1 and f"guard rail {guard}: " in done.stdout
    assert "error: a guard rail holds it" in done.stderr
    found = folder.build("--approve", " anna ")
    made = snapshot.read(folder.into / found["snapshot"])
    assert made.about["approved_by"] == "anna" and len(made.about["breaches"]) == 1
    assert made.about["previous"] == snapshot.read(folder.into / before["snapshot"]).sha256
    assert "no change" in text_of("build", folder.toml, "--date", DAY, "--into", folder.into)


@pytest.mark.parametrize(
    ("day", "guard"),
    [("2026-04-21", ""), ("2026-04-22", "age of the newest FITRS file"), ("2026-04-11", ""),
     ("2026-04-10", "a FITRS file of the future")],
)  # fmt: skip
def test_the_age_of_the_files(folder, day, guard):
    found = folder.build(day=day, code=1 if guard else 0)
    assert [breach["guard"] for breach in found["breaches"]] == ([guard] if guard else [])
    assert (folder.held() is None) == bool(guard)
    if guard:
        made = folder.build("--approve", "anna", day=day)["snapshot"]
        assert snapshot.read(folder.into / made).about["approved_by"] == "anna"
        # Approved by another person it is another record; by the same one it is there already.
        assert folder.build("--approve", "anna", day=day)["snapshot"] == made
        assert folder.build("--approve", "bert", day=day)["snapshot"] != made


def test_the_newest_file_counts(folder):
    folder.put(files={FULL: [year(), year(OTHER)], DELTA: [year()]}, lines=[line(), line(OTHER)])
    assert folder.build(day="2026-04-23")["breaches"] == []


def test_an_approval_that_nothing_needs_is_not_recorded(folder):
    made = folder.build("--approve", "anna")["snapshot"]
    assert snapshot.read(folder.into / made).about["approved_by"] == ""


def test_the_limits_of_the_firm(folder):
    folder.build()
    lines = [line(), line(OTHER)]
    new = [year(sms="70000"), year(OTHER)]
    folder.put(*new, lines=lines, settings="[guards]\nthreshold_factor = 5\n")
    assert folder.build()["breaches"] == []
    folder.put(year(sms="70000"), lines=lines, settings="[guards]\nmissing_share_max = 0.5\n")
    assert folder.build()["breaches"] == []


def test_against_another_snapshot(folder, tmp_path):
    first = folder.build()["snapshot"]
    folder.put(year(sms="17000"), year(OTHER), lines=[line(), line(OTHER)])
    folder.build()
    assert folder.build()["changes"] == []
    (change,) = folder.build("--against", first)["changes"]
    assert list(change.values()) == [ISIN, "", "SMS", "15,000", "17,000"]


# --- all or nothing --------------------------------------------------------------------------


def spoil(name, text):
    return lambda folder: write(folder.path, name, text)


SPOILED = {
    "no settings": (lambda folder: folder.toml.unlink(), "cannot be read"),
    "not TOML": (spoil("refdata.toml", "fitrs = ["), "correct the TOML"),
    "a typo": (spoil("refdata.toml", 'fitr = ["x"]\ninstruments = "i"\n'), "a typo?"),
    "no file": (lambda folder: (folder.path / FULL).unlink(), "no such file"),
    "no list": (lambda folder: (folder.path / "instruments.csv").unlink(), "is not there"),
    "ISIN": (spoil("instruments.csv", "isin,si\nDE0000000000,Y\n"), "check digit right"),
    "twice": (lambda f: write_list(f.path, [line(), line(si="N")]), "keep one line"),
    "cut zip": (spoil(FULL[:-4] + ".xml", b"PK\x03\x04"), "damaged"),
    "cut XML": (spoil("FULECR_20260411_C_1of1.xml", "<BizData>"), "FULECR_20260411_C_1of1.xml"),
    "other XML": (spoil("FULECR_20260411_C_1of1.xml", "<a/>"), "another kind of file"),
    "part": (spoil("FULECR_20260411_C_1of2.xml", message_of([year()])), "[2] of 2 are missing"),
    "day": (spoil("FULECR_20260431_C_1of1.xml", message_of([year()])), "a date that exists"),
    "rates": (spoil("eurofxref-hist.csv", "Date,USD\n2025-12-31,zero\n"), "units for one euro"),
}


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("before", [False, True])
def test_a_build_that_fails_changes_nothing(folder, case, before):
    if before:
        folder.build()
    held = folder.held()
    change, words = SPOILED[case]
    change(folder)
    said = folder.refused()
    assert said.startswith("error: nothing was built:") and words in said
    assert folder.held() == held


def test_a_folder_that_cannot_be_written(folder):
    folder.into.write_text("a file")
    assert "error: " in folder.refused()
    assert folder.into.read_text() == "a file"


def test_a_snapshot_before_that_cannot_be_read(folder):
    made = folder.into / folder.build()["snapshot"]
    made.write_bytes(made.read_bytes()[:-1])
    held = folder.held()
    said = folder.refused()
    assert "the file was changed or cut" in said and "--against" in said and "--into" in said
    assert folder.held() == held
    assert folder.build("--into", folder.path / "elsewhere")["snapshot"]


def test_words_that_are_no_dates(folder):
    for day in ("soon", "2026-02-30", "2026"):
        assert "is no date" in folder.refused(day=day)
        assert "is no date" in error_of("show", ISIN, "--snapshot", folder.toml, "--date", day)
    # Days on which no rule is known are days without an answer.
    for day in ("0001-01-01", "9999-12-31"):
        found = folder.build("--approve", "anna", day=day)
        assert found["fail_closed"] == 2


# --- show ------------------------------------------------------------------------------------


@pytest.fixture
def shown(folder):
    """ISIN with three years' records, the last of them contradicted; OTHER with a bad one."""
    folder.put(
        year(reported=OF_2024, sms="30000"), year(), year(reported=("2026-01-01", "2026-12-31")),
        year(reported=("2026-01-01", "2026-12-31"), lis="15000"), year(OTHER), year(OTHER, sms="x"),
        lines=[line(currency="SEK", name="Alder [/] [red]AG"), line(OTHER)],
    )  # fmt: skip
    return folder.into / folder.build()["snapshot"]


@pytest.mark.parametrize(
    ("day", "sms", "reason"),
    [("2025-04-06", None, "no record applies on 2025-04-06"), ("2025-04-07", "30000", "record 1"),
     ("2026-04-05", "30000", "record 1"), ("2026-04-06", "15000", "record 2"),
     ("2027-04-04", "15000", "record 2"), ("2027-04-05", None, "stated differently"),
     ("2028-04-03", None, "no record applies")],
)  # fmt: skip
def test_show_for_several_days(shown, day, sms, reason):
    found = json_of("show", ISIN, "--snapshot", shown, "--date", day)
    assert (found["applies"].get("sms_eur"), found["date"]) == (sms, day)
    assert reason in found["reason"] and len(found["records"]) == 4
    assert found["records"][1]["applies"] == "2026-04-06..2027-04-04"
    assert f"on {day}" in text_of("show", ISIN, "--snapshot", shown, "--date", day)


def test_show_on_the_snapshots_own_day(shown):
    found = json_of("show", ISIN, "--snapshot", shown)
    assert found["applies"]["sms_eur"] == "15000" and found["applies"]["currency"] == "SEK"
    assert (found["applies"]["mrm"], found["applies"]["tick_band"]) == ("XETR", 6)
    said = text_of("show", ISIN, "--snapshot", shown)
    assert f"{ISIN} Alder [/] [red]AG on {DAY}" in said


def test_show_never_passes_over_a_bad_record(shown):
    for day in (DAY, "2026-04-14"):
        found = json_of("show", OTHER, "--snapshot", shown, "--date", day)
        assert "StdMktSz" in found["reason"] and found["applies"].get("sms_eur", "0") == "0"
    assert "fail_closed a record that cannot be used" in text_of("show", OTHER, "--snapshot", shown)


def test_show_of_the_whole_table(shown):
    source = snapshot.read(shown)
    rows = json_of("show", "--snapshot", shown)
    assert [row["isin"] for row in rows] == [unpack(row["isin"]) for row in source.instruments]
    assert [row["sms_e6"] for row in rows] == source.instruments["sms_e6"].tolist()
    assert {"lis_e6", "tick_band", "class", "currency", "mrm", "si", "liquid"} < rows[0].keys()
    assert all(row["isin"] in text_of("show", "--snapshot", shown) for row in rows)
    assert "build one for 2020-01-01" in error_of(
        "show", "--snapshot", shown, "--date", "2020-01-01"
    )


def test_show_takes_the_newest_of_the_folder(folder, monkeypatch):
    folder.build()
    monkeypatch.chdir(folder.into.parent)
    (folder.into).rename(folder.into.parent / "snapshots")
    assert json_of("show", ISIN)["isin"] == ISIN
    monkeypatch.chdir(folder.into.parent / "snapshots")
    assert "no snapshot in snapshots" in error_of("show", ISIN)


@pytest.mark.parametrize("isin", ["DE", "Ä" * 12, "X" * 40, made_isin(9), "[/]"])
def test_show_of_what_is_not_there(shown, isin):
    assert f"{isin} is not in {shown.name}" in error_of("show", isin, "--snapshot", shown)


# --- diff ------------------------------------------------------------------------------------


def test_diff_of_two_snapshots(folder):
    first = folder.build()["snapshot"]
    third = made_isin(3)
    folder.put(year(sms="17000", mrm="XPAR", mrm_adnt="20"), year(third),
               lines=[line(), line(third, name="New [/b] [red]AG")])  # fmt: skip
    second = folder.build("--approve", "anna")["snapshot"]
    found = json_of("diff", first, second)
    assert [(change["isin"], change["what"]) for change in found] == [
        (ISIN, "SMS"), (ISIN, "tick band"), (ISIN, "MRM"), (OTHER, "removed"), (third, "added"),
    ]  # fmt: skip
    back = json_of("diff", second, first)
    assert [(c["before"], c["after"]) for c in back[:3]] == [
        (c["after"], c["before"]) for c in found[:3]
    ]
    said = text_of("diff", first, second)
    assert "15,000 17,000" in said and "New [/b] [red]AG added" in said
    assert text_of("diff", first, first) == "no change"
    assert json_of("diff", first, first) == []


def test_a_market_is_lost_and_the_diff_is_still_told(folder):
    first = folder.build()["snapshot"]
    folder.put(year(mrm="", mrm_adnt=""), year(OTHER, mrm="", mrm_adnt=""),
               lines=[line(), line(OTHER)])  # fmt: skip
    second = folder.build("--approve", "anna")["snapshot"]
    assert {change["what"] for change in json_of("diff", first, second)} >= {"SMS", "LIS", "MRM"}
    assert json_of("show", ISIN, "--snapshot", second)["applies"]["mrm"] == ""


# --- verify ----------------------------------------------------------------------------------


def test_verify(folder):
    made = folder.build()["snapshot"]
    digest = snapshot.read(folder.into / made).sha256
    assert text_of("verify", made) == f"sound: {digest}, as of {DAY}"
    found = json_of("verify", made, "--inputs", folder.toml)
    assert found == {"sha256": digest, "as_of": DAY, "rebuilt": True}
    assert "built again" in text_of("verify", made, "--inputs", folder.toml)


def test_verify_of_an_approved_snapshot_with_firds(folder):
    folder.build()
    folder.put(year(sms="70000"), year(OTHER), lines=[line(), line(OTHER, currency="")])
    write(folder.path, "FULINS_E_20260411_01of01.zip",
          message_of([reference(OTHER)], schema="auth.017.001.02"))  # fmt: skip
    folder.toml.write_text('firds = ["FULINS_*"]\n' + folder.toml.read_text())
    made = folder.build("--approve", "anna")["snapshot"]
    assert json_of("verify", made, "--inputs", folder.toml)["rebuilt"] is True


@pytest.mark.parametrize("place", [0, 12, 13, 40, 76, 77, 78, 200, -100, -1])
def test_verify_finds_one_byte(folder, place):
    made = folder.into / folder.build()["snapshot"]
    data = bytearray(made.read_bytes())
    data[place] ^= 1
    made.write_bytes(data)
    for command in (["verify"], ["verify", "--inputs", folder.toml], ["show", "--date", DAY]):
        args = [ISIN, "--snapshot", made] if command[0] == "show" else [made]
        assert str(made) in error_of(*command, *args)
    assert str(made) in error_of("diff", made, made)


CHANGED = {
    "instruments.csv": lambda f: write_list(f.path, [line(lot="2"), line(OTHER)]),
    "eurofxref-hist.csv": lambda f: write(f.path, "eurofxref-hist.csv", "Date,USD\n2025-12-31,2\n"),
    "refdata.toml": lambda f: f.toml.write_text(f.toml.read_text() + "# later\n"),
    FULL: lambda f: write(f.path, FULL, message_of([year(record_id="2"), year(OTHER)])),
    DELTA: lambda f: write(f.path, DELTA, message_of([year(made_isin(5))])),
}


@pytest.mark.parametrize("name", CHANGED)
def test_verify_finds_an_input_that_changed_or_is_new(folder, name):
    """Also where it changes no row, as a delta on an instrument that is not the firm's."""
    made = folder.build()["snapshot"]
    CHANGED[name](folder)
    said = error_of("verify", made, "--inputs", folder.toml)
    assert f"{name} is not the file that the snapshot was built from" in said


def test_verify_finds_an_input_that_is_gone(folder):
    lines = [line(), line(OTHER)]
    folder.put(files={FULL: [year(), year(OTHER)], DELTA: [year(made_isin(5))]}, lines=lines)
    made = folder.build()["snapshot"]
    assert json_of("verify", made, "--inputs", folder.toml)["rebuilt"] is True
    (folder.path / DELTA).unlink()
    said = error_of("verify", made, "--inputs", folder.toml)
    assert f"{DELTA} is missing: the snapshot was built from it too" in said


def test_verify_knows_two_files_of_one_name(folder):
    (folder.path / "again").mkdir()
    write(folder.path / "again", FULL, message_of([year(made_isin(5))]))
    settings = folder.toml.read_text().replace('"*ECR_*"', '"*ECR_*", "again/*"')
    folder.toml.write_text(settings)
    made = folder.build()["snapshot"]
    assert json_of("verify", made, "--inputs", folder.toml)["rebuilt"] is True


@pytest.mark.parametrize("what", ["rows", "names", "venues", "records", "findings"])
def test_verify_finds_content_that_its_inputs_do_not_give(folder, what):
    """A file that somebody wrote anew, with a right hash."""
    source = snapshot.read(folder.into / folder.build()["snapshot"])
    records = snapshot.read_records(source.path)
    about, rows, names = dict(source.about), source.instruments.copy(), source.names
    if what == "rows":
        rows["sms_e6"] *= 2
    elif what == "names":
        names = ["Alder", "Birch"]
    elif what == "records":
        records[ISIN]["records"] = []
    else:
        about[what] = ["XPAR"] if what == "venues" else [["note", ISIN, "all is well"]]
    made = snapshot.write(folder.path / "forged", about, rows, names, records)
    assert run("verify", made).exit_code == 0
    said = error_of("verify", made, "--inputs", folder.toml)
    assert said == f"error: built again from the same inputs it has other {what}"


def test_verify_without_its_inputs(folder):
    made = folder.build()["snapshot"]
    (folder.path / FULL).unlink()
    assert "it cannot be built again" in error_of("verify", made, "--inputs", folder.toml)
    assert "cannot be read" in error_of("verify", made, "--inputs", folder.path / "nothing")


@pytest.mark.parametrize("command", ["verify", "show", "diff"])
def test_what_is_no_snapshot(folder, command):
    more = {"show": [ISIN], "diff": [folder.toml]}.get(command, [])
    for path in (folder.toml, folder.path, folder.path / "nothing", folder.path / "[/b]"):
        words = (*more, "--snapshot", path) if command == "show" else (path, *more)
        assert str(path) in error_of(command, *words)


def test_a_path_with_brackets_is_shown_as_it_is(folder):
    into = folder.path / "[red]" / "[" / "b]"
    said = text_of("build", folder.toml, "--date", DAY, "--into", into)
    (made,) = into.iterdir()
    assert f"wrote {made}" in said


def test_todays_build(folder):
    """Without a date it is for today; the files are of 2026-04-11 and the rates of 2025."""
    assert date(2025, 12, 31) in RATES
    done = run("build", folder.toml, "--into", folder.into, "--json", "--approve", "anna")
    assert done.exit_code == 0
    assert date.fromisoformat(json.loads(done.stdout)["as_of"]) >= date(2026, 1, 1)
