"""The register of SI status: what it lets in, what it answers, what damage it notices.

The oracle replays the same actions on a dictionary of day-by-day states.
"""

import json
import os
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from gateway.cli import app
from refdata import lei
from refdata.rows import Refused
from refdata.si_status import notification, register
from refdata.si_status.notification import Circumstance, Firm
from refdata.si_status.register import Action, Entry, Scope

pytestmark = pytest.mark.pure

SAP, DAX_ETF = "DE0007164600", "DE0005933931"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAY = date(2026, 2, 2)
FIRM_LINES = (
    'name = "Example <Bank>"',
    'lei = "529900T8BM49AURSDO55"',
    'mic = "XSIX"',
    'authority = "Nobody"',
)
FIRM = Firm("Example Bank AG", "529900T8BM49AURSDO55", "XSIX", "The Authority")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return register.path_in(tmp_path)


def status(*words: object) -> Result:
    return CliRunner().invoke(app, ["status", *map(str, words)], env={"COLUMNS": "400"})


def put(path: Path, action: Action, day: date = DAY, subject: str = SAP, **more: Any) -> Entry:
    """Record something about an ISIN, or about a class where it is none."""
    given = {
        "scope": Scope.ISIN if subject in (SAP, DAX_ETF) else Scope.CLASS,
        "by": "Anna",
        "now": NOW,
    }
    return register.record(path, action=action, subject=subject, effective=day, **(given | more))


def on(path: Path, day: date, known_at: datetime | None = None) -> list[str]:
    return [spell.subject for spell in register.state_on(register.read(path), day, known_at)]


def refusal(path: Path, *given: Any, **more: Any) -> str:
    """What is said; the register is as it was."""
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(Refused) as caught:
        put(path, *given, **more)
    assert path.read_bytes() == before
    return str(caught.value)


# --- recording and asking ---------------------------------------------------------------------


def test_status_begins_and_ends_on_its_dates(path: Path) -> None:
    put(path, Action.OPT_IN, DAY)
    put(path, Action.CEASE, date(2026, 5, 4))
    days = [date(2026, 2, 1), DAY, date(2026, 5, 3), date(2026, 5, 4)]
    assert [on(path, day) for day in days] == [[], [SAP], [SAP], []]


def test_entries_are_kept_as_they_were_given(path: Path) -> None:
    put(path, Action.OPT_IN, reason="liquidity f\u00fcr Kunden")
    made = put(path, Action.START, subject="share", now=NOW + timedelta(hours=1))
    entries = register.read(path)
    assert entries[1] == made
    assert (entries[0].seq, entries[0].previous) == (1, register.GENESIS)
    assert (entries[1].seq, entries[1].previous) == (2, entries[0].hash)
    assert entries[0].reason == "liquidity f\u00fcr Kunden"
    assert (path.stat().st_mode & 0o777) == 0o640 & ~os.umask(os.umask(0))


def test_as_known_then_and_as_known_now(path: Path) -> None:
    """A cease of 2 March is recorded on 1 April: until then the firm was thought to be SI."""
    put(path, Action.OPT_IN)
    late = datetime(2026, 4, 1, 12, tzinfo=UTC)
    put(path, Action.CEASE, date(2026, 3, 2), now=late)
    day = date(2026, 3, 15)
    assert on(path, day) == []
    assert on(path, day, late - timedelta(microseconds=1)) == [SAP]
    assert on(path, day, late) == []
    assert on(path, day, NOW - timedelta(days=1)) == []


def test_a_correction_is_a_new_entry(path: Path) -> None:
    put(path, Action.OPT_IN)
    later = NOW + timedelta(days=1)
    made = register.correct(path, 1, by="Bo", now=later, effective=date(2026, 2, 9))
    assert (made.action, made.corrects, made.seq) == (Action.OPT_IN, 1, 2)
    assert on(path, DAY) == [] and on(path, date(2026, 2, 9)) == [SAP]
    assert on(path, DAY, NOW) == [SAP]
    gone = register.correct(path, 2, by="Bo", now=later)
    assert gone.action is Action.ANNUL
    assert on(path, date(2026, 12, 31)) == []
    assert on(path, DAY, NOW) == [SAP]
    put(path, Action.START, now=later)
    assert on(path, DAY) == [SAP]


def test_what_may_not_be_corrected(path: Path) -> None:
    with pytest.raises(Refused, match="the register is empty"):
        register.correct(path, 1, by="Bo", now=NOW)
    put(path, Action.OPT_IN)
    register.correct(path, 1, by="Bo", now=NOW)
    for seq, words in ((0, "from 1 to 2"), (3, "from 1 to 2"), (1, "annulled"), (2, "annulment")):
        with pytest.raises(Refused, match=words):
            register.correct(path, seq, by="Bo", now=NOW)
    put(path, Action.OPT_IN)
    put(path, Action.CEASE, date(2026, 3, 2))
    with pytest.raises(Refused, match="cannot cease"):
        register.correct(path, 3, by="Bo", now=NOW)  # would leave the cease alone
    assert "same instrument" in refusal(path, Action.ANNUL, subject=DAX_ETF, corrects=3)
    assert len(register.read(path)) == 4


def test_impossible_transitions_are_refused(path: Path) -> None:
    assert "it cannot cease" in refusal(path, Action.CEASE)
    put(path, Action.OPT_IN)
    assert "already, since 2026-02-02" in refusal(path, Action.OPT_IN, date(2026, 3, 2))
    assert "already" in refusal(path, Action.START, date(2026, 3, 2))
    assert "already" in refusal(path, Action.OPT_IN, date(2026, 1, 30))  # before the other one
    assert "already" in refusal(path, Action.OPT_IN)
    assert "on the same day" in refusal(path, Action.CEASE)
    assert "it cannot cease" in refusal(path, Action.CEASE, date(2026, 2, 1))
    put(path, Action.CEASE, date(2026, 3, 2))
    assert "it cannot cease" in refusal(path, Action.CEASE, date(2026, 4, 1))
    put(path, Action.OPT_IN, date(2026, 5, 4))
    assert on(path, date(2026, 4, 30)) == [] and on(path, date(2026, 5, 4)) == [SAP]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"subject": "DE0007164601", "scope": Scope.ISIN}, "check digit right"),
        ({"subject": "de0007164600", "scope": Scope.ISIN}, "check digit right"),
        ({"subject": "", "scope": Scope.CLASS}, "write the class"),
        ({"subject": "a b", "scope": Scope.CLASS}, "write the class"),
        ({"subject": "x" * 65, "scope": Scope.CLASS}, "at most 64"),
        ({"by": "  "}, "say who"),
        ({"by": "x" * 501}, "at most 500"),
        ({"reason": "x" * 501}, "at most 500"),
    ],
)
def test_bad_words_are_refused(path: Path, more: dict[str, Any], words: str) -> None:
    put(path, Action.OPT_IN, subject=DAX_ETF)
    assert words in refusal(path, Action.OPT_IN, **more)


def test_a_clock_that_went_back_is_refused(path: Path) -> None:
    put(path, Action.OPT_IN)
    said = refusal(path, Action.OPT_IN, subject=DAX_ETF, now=NOW - timedelta(seconds=1))
    assert "set the clock right" in said and "2026-01-05T09:00:00+00:00" in said


def test_no_folder_no_register(tmp_path: Path) -> None:
    missing = register.path_in(tmp_path / "nowhere")
    assert register.read(missing) == []
    with pytest.raises(Refused, match="cannot be opened"):
        put(missing, Action.OPT_IN)
    with pytest.raises(Refused, match="cannot be read"):
        register.read(tmp_path)


STEPS = st.tuples(
    st.sampled_from([Action.OPT_IN, Action.START, Action.CEASE]),
    st.sampled_from([SAP, DAX_ETF, "share"]),
    st.integers(0, 12),
)


@given(st.lists(STEPS, max_size=12))
def test_the_state_of_each_day_is_the_oracle_s(steps: list[tuple[Action, str, int]]) -> None:
    """The oracle keeps the days on which something happens, and whether they can follow."""
    events: dict[str, dict[int, bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = register.path_in(Path(folder))
        for action, subject, number in steps:
            mine = events.get(subject, {})
            tried = mine | {number: action is not Action.CEASE}
            turns = [tried[key] for key in sorted(tried)]
            possible = number not in mine and all(
                turn is (place % 2 == 0) for place, turn in enumerate(turns)
            )
            if possible:
                put(path, action, DAY + timedelta(days=number), subject)
                events[subject] = tried
            else:
                refusal(path, action, DAY + timedelta(days=number), subject)
        for number in range(-1, 14):
            expected = []
            for subject, mine in events.items():
                before = [key for key in mine if key <= number]
                if before and mine[max(before)]:
                    expected.append(subject)
            assert sorted(on(path, DAY + timedelta(days=number))) == sorted(expected)


# --- damage -----------------------------------------------------------------------------------


def three(path: Path) -> list[bytes]:
    put(path, Action.OPT_IN)
    put(path, Action.OPT_IN, subject=DAX_ETF)
    put(path, Action.CEASE, date(2026, 3, 2))
    return path.read_bytes().splitlines(keepends=True)


def place_of_damage(path: Path) -> str:
    with pytest.raises(Refused) as caught:
        register.read(path)
    with pytest.raises(Refused):
        put(path, Action.OPT_IN, subject="share")  # nothing is added to a damaged register
    [problem] = caught.value.problems
    assert problem.path == str(path) and problem.advice
    return f"{problem.line}"


def test_every_changed_byte_is_noticed(path: Path) -> None:
    """Each byte of the middle line, one bit changed at a time."""
    lines = three(path)
    whole = b"".join(lines)
    start = len(lines[0])
    for place in range(start, start + len(lines[1]) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert place_of_damage(path) in ("2", "3")


def test_lines_removed_moved_or_added_are_noticed(path: Path) -> None:
    first, second, third = three(path)
    for lines, line in (
        ((second, third), "1"),
        ((first, third), "2"),
        ((first, third, second), "2"),
        ((first, second, second), "3"),
        ((first, b"\n", second), "2"),
        ((first, b"{}\n"), "2"),
        ((first, b"[]\n"), "2"),
        ((first, b"[" * 100_000 + b"\n"), "2"),
        ((first, second.replace(b'{"action"', b'{ "action"')), "2"),
        ((first, second.replace(b'"seq": 2', b'"seq": 2, "seq": 2')), "2"),
    ):
        path.write_bytes(b"".join(lines))
        assert place_of_damage(path) == line


def test_a_torn_last_line_was_never_confirmed(path: Path) -> None:
    lines = three(path)
    for size in range(1, len(lines[2])):
        path.write_bytes(b"".join(lines[:2]) + lines[2][:size])
        with pytest.raises(Refused, match="never confirmed"):
            register.read(path)
    path.write_bytes(b"".join(lines[:2]))
    assert len(register.read(path)) == 2


def test_an_entry_with_a_right_hash_must_still_make_sense(path: Path) -> None:
    put(path, Action.OPT_IN)
    fields = json.loads(path.read_bytes())
    for change in ({"recorded_at": "2026-01-05T09:00:00"}, {"action": "buy"}, {"seq": True}):
        path.write_text(json.dumps(fields | change, sort_keys=True) + "\n")
        assert place_of_damage(path) == "1"


def test_a_failed_write_leaves_the_register_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, Action.OPT_IN)
    before = path.read_bytes()

    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input/output"):
        put(path, Action.OPT_IN, subject=DAX_ETF)
    monkeypatch.undo()
    assert path.read_bytes() == before
    put(path, Action.OPT_IN, subject=DAX_ETF)
    assert on(path, DAY) == [DAX_ETF, SAP]


# --- notification -----------------------------------------------------------------------------


def notify(path: Path, numbers: list[int], circumstance: Circumstance, firm: Firm = FIRM) -> Any:
    made = notification.make(
        register.read(path), numbers, circumstance, firm, made_on=DAY, path=path
    )
    return notification.as_dict(made)


def everything(path: Path) -> None:
    """1-2 begin, 3-4 end; 5-6 begin again, by class."""
    put(path, Action.OPT_IN)
    put(path, Action.START, subject="share")
    put(path, Action.CEASE, date(2026, 3, 2))
    put(path, Action.CEASE, date(2026, 3, 3), subject="share")
    put(path, Action.START, date(2026, 4, 1), subject="share")
    put(path, Action.OPT_IN, date(2026, 4, 2), subject="etf")


@pytest.mark.parametrize(
    ("circumstance", "numbers", "subjects", "remaining"),
    [
        (Circumstance.OPT_IN, [1, 6], [SAP, "etf"], 2),
        (Circumstance.CEASE_OPT_IN, [3], [SAP], 1),
        (Circumstance.CEASE_ALL, [3, 4], [SAP, "share"], 0),
        (Circumstance.START_CLASS, [5, 6, 5], ["share", "etf"], 2),
        (Circumstance.CEASE_CLASS, [4], ["share"], 0),
    ],
)
def test_the_five_circumstances(
    path: Path, circumstance: Circumstance, numbers: list[int], subjects: list[str], remaining: int
) -> None:
    everything(path)
    made = notify(path, numbers, circumstance)
    assert [subject["id"] for subject in made["subjects"]] == subjects
    assert (made["circumstance"], made["remaining"]) == (circumstance.word, remaining)
    assert made["firm"] == {"name": FIRM.name, "lei": FIRM.lei, "mic": FIRM.mic}
    assert "own" in made["layout"]


@pytest.mark.parametrize(
    ("circumstance", "numbers", "words"),
    [
        (Circumstance.OPT_IN, [], "name the register's entries"),
        (Circumstance.OPT_IN, [7], "in force"),
        (Circumstance.OPT_IN, [2], "start, not opt-in"),
        (Circumstance.OPT_IN, [3], "entry 3 is cease"),
        (Circumstance.CEASE_OPT_IN, [4], "no opt-in"),
        (Circumstance.CEASE_ALL, [3], "stays SI in 1"),
        (Circumstance.START_CLASS, [1], "of an instrument"),
        (Circumstance.CEASE_CLASS, [5], "entry 5 is start"),
    ],
)
def test_what_the_register_does_not_bear_out(
    path: Path, circumstance: Circumstance, numbers: list[int], words: str
) -> None:
    everything(path)
    with pytest.raises(Refused, match=words):
        notify(path, numbers, circumstance)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lei": "529900T8BM49AURSDO56"}, "ISO 17442"),
        ({"lei": ""}, "ISO 17442"),
        ({"mic": "xsix"}, "four capitals"),
        ({"name": " "}, "give the name"),
        ({"authority": ""}, "give the authority"),
    ],
)
def test_who_notifies_must_be_right(path: Path, change: dict[str, str], words: str) -> None:
    everything(path)
    with pytest.raises(Refused, match=words):
        notify(path, [1], Circumstance.OPT_IN, FIRM._replace(**change))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 1", "text in quotes"),
        ("nome = 'x'", "known are name, lei, mic, authority"),
        ("name = ", "this is no TOML"),
        (b"\xff", "this is no TOML"),
    ],
)
def test_a_bad_firm_file_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = tmp_path / "firm.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Refused, match=words):
        notification.read_firm(path)
    with pytest.raises(Refused, match="cannot be read"):
        notification.read_firm(tmp_path / "none.toml")


def test_known_leis() -> None:
    """Three that are public."""
    for known in ("506700GE1G29325QX363", "529900T8BM49AURSDO55", "7LTWFZYICNSX8D621K86"):
        assert lei.is_valid(known)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=18, max_size=18), st.data())
def test_lei_check_digits(first: str, data: st.DataObject) -> None:
    whole = first + lei.check_digits(first)
    assert lei.is_valid(whole)
    assert int("".join(str(int(char, 36)) for char in whole)) % 97 == 1
    place = data.draw(st.integers(0, 19))
    same_kind = "0123456789" if whole[place].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    other = data.draw(st.sampled_from(same_kind))
    changed = whole[:place] + other + whole[place + 1 :]
    assert lei.is_valid(changed) is (changed == whole)


# --- the commands -----------------------------------------------------------------------------


def test_opt_in_to_notification(tmp_path: Path) -> None:
    by = ("--by", "Anna")
    for words in (
        ("opt-in", tmp_path, "--isin", SAP, "--from", "2026-01-05", "--reason", "flow", *by),
        ("start", tmp_path, "--class", "etf", "--from", "2026-01-05", *by),
        ("cease", tmp_path, "--isin", SAP, "--from", "2026-03-02", *by),
        ("correct", tmp_path, "--entry", 3, "--from", "2026-04-01", *by),
    ):
        assert status(*words).exit_code == 0
    listed = json.loads(status("list", tmp_path, "--date", "2026-03-15", "--json").stdout)
    assert [(each["kind"], each["id"], each["basis"]) for each in listed] == [
        ("class", "etf", "start"), ("isin", SAP, "opt-in"),
    ]  # fmt: skip
    text = status("list", tmp_path, "--date", "2026-04-01").stdout
    assert "1 on 2026-04-01, as known now" in text and SAP not in text
    assert (
        "0 on 2026-04-01"
        in status(
            "list", tmp_path, "--date", "2026-04-01", "--known", "2020-01-01T00:00:00Z"
        ).stdout
    )
    then = status("list", tmp_path, "--date", "2020-01-01", "--known", "then").stdout
    assert "0 on 2020-01-01, as known then" in then
    firm = tmp_path / "firm.toml"
    firm.write_text("\n".join(FIRM_LINES))
    out = tmp_path / "notice.html"
    done = status(
        "notify", tmp_path, "--circumstance", "cease-opt-in", "--entry", 4, "--firm", firm,
        "--authority", "The Authority", "--date", "2026-04-01", "--html", out,
    )  # fmt: skip
    made = json.loads(done.stdout)
    assert made["authority"] == "The Authority" and made["firm"]["name"] == "Example <Bank>"
    assert [each["effective"] for each in made["subjects"]] == ["2026-04-01"]
    page = out.read_text(encoding="utf-8")
    assert "Example &lt;Bank&gt;" in page and "<Bank>" not in page
    assert "has ceased to be" in page and SAP in page


def test_verify(tmp_path: Path) -> None:
    assert "0 entries" in status("verify", tmp_path).stdout
    words = ("--from", "2026-01-05", "--by", "Anna")
    first = status("opt-in", tmp_path, "--isin", SAP, *words).stdout.split()[-1]
    status("opt-in", tmp_path, "--isin", DAX_ETF, *words)
    path = tmp_path / "si-status.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[1])["hash"]
    done = status("verify", tmp_path, "--head", first)
    assert done.exit_code == 0 and f"last hash {last}" in done.stdout
    path.write_bytes(lines[0])  # a cut at the end: only the hash noted shows it
    assert status("verify", tmp_path).exit_code == 0
    done = status("verify", tmp_path, "--head", last)
    assert done.exit_code == 1 and "not in the chain of 1 entries" in done.stderr
    path.write_bytes(lines[1])
    done = status("verify", tmp_path)
    assert done.exit_code == 1 and "si-status.jsonl:1: column 'previous'" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cease", "--isin", SAP, "--from", "2026-01-05", "--by", "A"], "it cannot cease"),
        (["opt-in", "--isin", "DE0007164601", "--from", "2026-01-05", "--by", "A"], "check digit"),
        (["opt-in", "--from", "2026-01-05", "--by", "A"], "give --isin or --class"),
        (["opt-in", "--isin", SAP, "--class", "etf", "--from", "2026-01-05", "--by", "A"],
         "one of the two"),
        (["opt-in", "--isin", SAP, "--from", "5.1.2026", "--by", "A"], "--from '5.1.2026'"),
        (["list", "--date", "2026-01-05", "--known", "never"], "write now, then, or a time"),
        (["list", "--date", "2026-01-05", "--known", "2026-01-05T10:00:00"], "or a time like"),
        (["correct", "--entry", "1", "--by", "A"], "the register is empty"),
        (["notify", "--circumstance", "stop", "--entry", "1"], "write one of opt-in"),
        (["notify", "--circumstance", "opt-in", "--entry", "1"], "in force"),
    ],
)  # fmt: skip
def test_wrong_register_commands_are_a_message(tmp_path: Path, words: list[str], said: str) -> None:
    command, *options = words
    done = status(command, tmp_path, *options)
    assert (done.exit_code, done.stdout) == (1, "") and said in done.stderr
