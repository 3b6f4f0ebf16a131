"""`si fix`: what people see of FIX messages, from files and from the journal."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from engine import journal as jn
from gateway import cli_fix, fix_view, fix_view_source
from gateway.errors import UserError
from gateway.fix_view import Names, Shown, plain, tree
from gateway.fix_view_source import Moment, Query, find, latest, messages, moment
from tests.fix_text import SHARED_FIX, message, order, raw
from tests.journal_rig import JournalRig, opened, use_small_segments

pytestmark = pytest.mark.pure


class Field(NamedTuple):
    name: str
    values: Mapping[str, str] = {}


class Group(NamedTuple):
    members: tuple[Any, ...]


class Member(NamedTuple):
    tag: int
    group: Group | None = None


class Message(NamedTuple):
    name: str
    members: tuple[Member, ...] = ()


class Dictionary(NamedTuple):
    fields: Mapping[int, Field]
    messages: Mapping[str, Message]
    header: tuple[Member, ...] = ()


SUB_IDS = Member(802, Group((Member(523), Member(803))))
PARTIES = Member(453, Group((Member(448), Member(447), Member(452), SUB_IDS)))
OLD = Dictionary(
    {
        8: Field("BeginString"), 11: Field("ClOrdID"), 35: Field("MsgType"), 49: Field("Sender"),
        54: Field("Side", {"1": "BUY", "2": "SELL"}), 39: Field("OrdStatus", {"2": "FILLED"}),
        18: Field("ExecInst", {"M": "MID_PRICE_PEG", "G": "ALL_OR_NONE"}), 448: Field("PartyID"),
        453: Field("NoPartyIDs"), 447: Field("PartyIDSource"), 452: Field("PartyRole"),
        554: Field("Password"), 59: Field("TimeInForce", {"3": "Immediate or cancel"}),
    },
    {"D": Message("NewOrderSingle", (Member(11), PARTIES)), "8": Message("ExecutionReport"),
     "A": Message("Logon")},
)  # fmt: skip
NEW = Dictionary(
    {
        2376: Field("PartyRoleQualifier", {"22": "ALGORITHM"}), 574: Field("MatchType"),
        11: Field("?"),
    },
    {
        "D": Message(
            "?", (Member(453, Group((Member(448), Member(2376), Member(11)))),
                  Member(2668, Group((Member(2669),)))),
        ),
        "q": Message("OrderMassCancelRequest"),
    },
)  # fmt: skip
NAMES = Names([OLD, NEW])


@pytest.fixture(autouse=True)
def _rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small segments, and dictionaries of a few fields in place of those that are shipped."""
    use_small_segments(monkeypatch)
    module = ModuleType("gateway.dictionary")
    module.__dict__["shipped"] = lambda name: NEW if name == "FIX.5.0SP2" else OLD
    module.__dict__["load"] = lambda path: Dictionary({11: Field(f"from {path}")}, {})
    monkeypatch.setitem(sys.modules, "gateway.dictionary", module)
    fix_view.names_of.cache_clear()
    yield
    fix_view.names_of.cache_clear()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalRig]:
    yield from opened(tmp_path / "journal")


def run(*words: object, stdin: bytes = b"", width: int = 160) -> Result:
    env = {"COLUMNS": str(width)}
    return CliRunner().invoke(cli_fix.fix, [*map(str, words)], env=env, input=stdin)


def nodes(text: str) -> Any:
    """A message's tree as nested lists: tag, value, meaning, entries."""

    def simple(node: fix_view.Node) -> list[Any]:
        entries = [[simple(each) for each in entry] for entry in node.entries]
        return [node.tag, node.value, node.meaning, *([entries] if entries else [])]

    return [simple(node) for node in tree(Shown(raw(text)).pieces, NAMES)]


# --- one message --------------------------------------------------------------------------------


def test_names_and_meanings() -> None:
    assert nodes("35=D|54=1|54=7|18=M G|18=M X|59=3|9999=x|") == [
        [35, "D", "NewOrderSingle"], [54, "1", "buy"], [54, "7", ""],
        [18, "M G", "mid price peg, all or none"], [18, "M X", ""],
        [59, "3", "Immediate or cancel"], [9999, "x", ""],
    ]  # fmt: skip
    assert [node.name for node in tree(Shown(raw("35=q|9999=x|574=9|11=a|")).pieces, NAMES)] == [
        "MsgType", "9999", "MatchType", "ClOrdID",
    ]  # fmt: skip
    assert nodes("35=q|35=zz|") == [[35, "q", "OrderMassCancelRequest"], [35, "zz", ""]]


def test_groups_within_groups_and_extension_tags() -> None:
    text = "35=D|453=2|448=A|447=D|802=2|523=x|803=4|523=y|452=3|448=B|2376=22|11=C|2668=1|2669=0|"
    assert nodes(text)[1:] == [
        [453, "2", "", [
            [[448, "A", ""], [447, "D", ""],
             [802, "2", "", [[[523, "x", ""], [803, "4", ""]], [[523, "y", ""]]]],
             [452, "3", ""]],
            [[448, "B", ""], [2376, "22", "algorithm"]],
        ]],
        [11, "C", ""],
        [2668, "1", "", [[[2669, "0", ""]]]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "count", "found"),
    [("453=0|11=C|", "0", 0), ("453=3|448=A|448=B|11=C|", "3", 2), ("453=1|11=C|", "1", 0)],
)
def test_a_count_that_does_not_fit_is_said(text: str, count: str, found: int) -> None:
    group, last = nodes("35=D|" + text)[1:]
    assert group[:3] == [453, count, f"{found} found" if str(found) != count else ""]
    assert len(group[3]) == found if found else len(group) == 3
    assert last == [11, "C", ""]


def test_what_is_no_field_is_shown() -> None:
    assert nodes("35=D|hello|x=1|=|") == [
        [35, "D", "NewOrderSingle"], [-1, "hello", ""], [-1, "x=1", ""], [-1, "=", ""],
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from([453, 448, 447, 802, 523, 11, 2376]), st.text("01x"))))
def test_no_field_is_lost_whatever_the_groups(pairs: list[tuple[int, str]]) -> None:
    def flat(found: Any) -> Iterator[tuple[int, str]]:
        for node in found:
            yield node.tag, node.value
            for entry in node.entries:
                yield from flat(entry)

    text = "35=D|" + "".join(f"{tag}={value}|" for tag, value in pairs)
    assert list(flat(tree(Shown(raw(text)).pieces, NAMES))) == [(35, "D"), *pairs]


@given(st.binary())
def test_nothing_that_a_terminal_would_obey(data: bytes) -> None:
    shown = plain(data)
    assert shown.isprintable()
    if data.isascii() and data.decode().isprintable():
        assert shown == data.decode()


# --- files --------------------------------------------------------------------------------------

LOG = b"2025-12-01 INFO out: %b extra\nnoise 8=FIX no\n20251201 <%b>\n"


@pytest.mark.parametrize("separator", [b"\x01", b"|", b"^A"])
def test_messages_of_a_log_in_any_notation(separator: bytes) -> None:
    one, two = order(2, "58=a|"), order(3, "354=3|355=a\x01b|")
    if separator != b"\x01":
        two = order(3)
    text = LOG % (one.replace(b"\x01", separator), two.replace(b"\x01", separator))
    assert [(each.raw, each.notes) for each in messages(text)] == [(one, ()), (two, ())]


def test_a_bar_within_a_text_stays() -> None:
    data = message("35=B|58=ab|").replace(b"ab", b"a|b")
    [found] = messages(data.replace(b"\x01", b"|"))
    assert found.raw == data


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (order()[:-4] + b"999\x01", ("CheckSum 10=999 but 167",)),
        (order().replace(b"9=", b"9=1", 1), ("BodyLength 9=1150 but 150 bytes",)),
        (order()[:60] + b"\n", ("no CheckSum(10): cut off?",)),
    ],
)
def test_a_damaged_message_is_shown_with_what_is_wrong(data: bytes, notes: tuple[str, ...]) -> None:
    [found, good] = messages(data + order(3))
    assert found.notes[: len(notes)] == notes and found.raw.startswith(b"8=FIX.4.4\x019=1")
    assert good == Shown(order(3))


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_no_bytes_make_the_reader_fail(data: bytes, more: bytes) -> None:
    for text in (data, b"8=FIX.4.4|9=" + data, b"8=FIX.4.4\x019=5\x01" + data + b"\x0110=" + more):
        for each in messages(text):
            assert fix_view.line(each, NAMES).isprintable()
            json.dumps(fix_view.as_dict(each, NAMES))


@pytest.mark.skipif(not SHARED_FIX.exists(), reason="real messages are not here")
def test_real_messages() -> None:
    for name in ("messages_valid.txt", "messages_bad_checksum.txt"):
        data = (SHARED_FIX / name).read_bytes()
        found = list(messages(data))
        assert len(found) == data.count(b"8=FIX")
        assert all(each.notes == () for each in found) == (name == "messages_valid.txt")


def test_view(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(order().replace(b"\x01", b"|"))
    shown = run("view", path)
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["54", "Side", "1", "buy"] in rows and ["11", "ClOrdID", "A2"] in rows
    short = run("view", "-", "--short", stdin=order() + order(3)).stdout.splitlines()
    assert len(short) == 2 and "NewOrderSingle  A3  buy 100 DE0007164600 @ 17.35" in short[1]
    [document] = json.loads(run("view", path, "--json").stdout)
    assert document["message"] == "NewOrderSingle" and document["seq"] == 2
    assert {"tag": 54, "name": "Side", "value": "1", "meaning": "buy"} in document["fields"]
    own = run("view", path, "--dictionary", "own.xml").stdout
    assert "from own.xml" in own and "NewOrderSingle" in own


def test_what_view_cannot_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"nothing")
    for name, words in (("empty", "no FIX message"), ("missing", "No such file")):
        result = run("view", tmp_path / name)
        assert result.exit_code == 1 and words in result.stderr


# --- the journal --------------------------------------------------------------------------------

PASSWORD = "hunter2"


def fill(journal: JournalRig) -> None:
    """A logon with a password, two orders, their reports, one sent again, other frames."""
    head = "35=A|49=CLIENT1|56=SI|34=1|52=20251201-10:00:00.000|"
    journal.put(jn.FIX_IN, 0, message(f"{head}98=0|108=30|554={PASSWORD}|58=hi|"), 1)
    for n in (2, 3):
        exec_id = journal.seq + 2
        journal.quote()
        text = order(n).replace(b"49=CLIENT\x01", b"49=CLIENT1\x01")
        text = text.replace(b"11=A%d\x01" % n, b"11=A%d\x01" % (exec_id + 1))
        journal.put(jn.ORDER, 0, bytes(jn.RECORDS[jn.ORDER].itemsize) + text, n)
        assert journal.report(0, more=f"58=number {n}|").exec_id == exec_id + 1
    journal.put(jn.FIX_RESENT, 0, journal.sent[0].raw)
    journal.report(1)


def found(journal: JournalRig, **query: Any) -> list[str]:
    """MsgType and direction of what a query finds."""
    everything = lambda: fix_view_source.everything(journal.folder)  # noqa: E731
    return [
        f"{each.direction} {fix_view.first_values(each.pieces)[35]}"
        for each in find(everything, Query(**query))
    ]


def test_find(journal: JournalRig) -> None:
    fill(journal)
    everything = ["in A", "in D", "out 8", "in D", "out 8", "out 8", "out 8"]
    first, second, other = (str(sent.exec_id) for sent in journal.sent)
    assert found(journal) == everything
    assert found(journal, order=first) == ["in D", "out 8", "out 8"]
    assert found(journal, order=second) == ["in D", "out 8"]
    assert found(journal, clordid=f"A{second}") == ["in D", "out 8"]
    assert found(journal, session="CLIENT2") == ["out 8"]
    assert found(journal, session="CLIENT2", order=first) == []
    assert found(journal, isin="DE0007164600") == everything[1:]
    assert found(journal, types=("A", "D")) == ["in A", "in D", "in D"]
    assert found(journal, text="NUMBER 3") == ["out 8"]
    assert found(journal, tags=((44, "17.35"),)) == ["in D", "in D"]
    assert found(journal, tags=((44, "17.35"), (34, "3"))) == ["in D"]
    assert found(journal, order=other) == ["out 8"]


def test_a_password_cannot_be_searched_for(journal: JournalRig) -> None:
    fill(journal)
    assert found(journal, text=PASSWORD) == found(journal, tags=((554, PASSWORD),)) == []
    assert found(journal, tags=((554, "***"),)) == ["in A"]


def test_find_by_time(journal: JournalRig) -> None:
    fill(journal)
    times = [each.ts_ns for each in fix_view_source.everything(journal.folder)]
    assert times == sorted(times)
    for of_day in (False, True):
        at = [Moment(ts % fix_view_source.DAY_NS if of_day else ts, of_day) for ts in times]
        assert len(found(journal, since=at[2])) == 5
        assert len(found(journal, until=at[2])) == 3
        assert len(found(journal, since=at[1], until=at[2])) == 2


def test_moments() -> None:
    ten_ns = 10 * 3_600 * 10**9
    assert moment("10:00") == moment("10:00:00") == Moment(ten_ns, True)
    assert moment("10:00:00.000001") == Moment(ten_ns + 1_000, True)
    assert moment("1970-01-02T10:00") == Moment(ten_ns + fix_view_source.DAY_NS, False)
    assert moment("1970-01-01T11:00+01:00") == Moment(ten_ns, False)
    for text in ("", "noon", "25:00", "10:00+01:00", "2025-13-01"):
        with pytest.raises(UserError, match="is no time: write 10:15"):
            moment(text)


@pytest.mark.parametrize("count", [1, 7, 60, 250, 999])
def test_the_latest_over_segments(journal: JournalRig, count: int) -> None:
    for n in range(250):
        journal.report(n % 2)
        if n % 40 == 0:
            journal.files.rotate()
    assert journal.files.index > 6
    query = Query(session="CLIENT1")
    last, _ = latest(journal.folder, count, lambda each: fix_view_source.matches(each, query))
    assert [each.raw for each in last] == [sent.raw for sent in journal.sent[::2][-count:]]
    last, reader = latest(journal.folder, count, lambda each: True)
    assert [each.raw for each in last] == [sent.raw for sent in journal.sent[-count:]]
    assert list(fix_view_source.read(reader)) == []
    fresh = journal.report()
    assert [each.raw for each in fix_view_source.read(reader)] == [fresh.raw]


def test_tail(journal: JournalRig) -> None:
    fill(journal)
    lines = run("tail", journal.folder.parent, "--no-follow").stdout.splitlines()
    assert len(lines) == 7
    assert lines[0].split() == '10:00:00.000000 \u2190 CLIENT1 1 Logon "hi"'.split()
    assert "\u2192 CLIENT1" in lines[2] and "filled" in lines[2] and '"number 2"' in lines[2]
    assert lines[5].endswith("(again)") and not lines[4].endswith("(again)")
    some = run("tail", journal.folder.parent, "--no-follow", "--type", "8,A", "-n", 2, "--json")
    documents = [json.loads(line) for line in some.stdout.splitlines()]
    assert [(d["message"], d["resent"]) for d in documents] == [
        ("ExecutionReport", True), ("ExecutionReport", False),
    ]  # fmt: skip


def test_tail_follows_until_interrupted(
    journal: JournalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal)
    turns = []

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        journal.report(1)
        if len(turns) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_fix.time, "sleep", sleep)
    result = run("tail", journal.folder.parent, "-n", 1, "--session", "CLIENT2")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 3


def test_find_on_the_command_line(journal: JournalRig) -> None:
    fill(journal)
    folder = journal.folder.parent
    documents = json.loads(run("find", folder, "--tag", "44=17.35", "--json").stdout)
    assert [(d["direction"], d["session"], d["message"]) for d in documents] == [
        ("in", "CLIENT1", "NewOrderSingle")
    ] * 2
    assert documents[0]["time"].startswith("2025-12-01 10:00:00.")
    whole = run("find", folder, "--text", "number 3").stdout
    assert "OrdStatus" in whole and "filled" in whole
    both = run("find", folder, "--from", "10:00", "--to", "11:00", "--short").stdout
    assert len(both.splitlines()) == 7
    nothing = run("find", folder, "--clordid", "nobody's")
    assert nothing.exit_code == 1 and "no message in" in nothing.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tag", "44"), "--tag '44' is no tag=value: write 44=17.35"),
        (("--tag", "x=1"), "--tag 'x=1' is no tag=value"),
        (("--from", "soon"), "'soon' is no time"),
    ],
)
def test_what_find_cannot_do_is_said(
    journal: JournalRig, words: tuple[str, ...], said: str
) -> None:
    result = run("find", journal.folder.parent, *words)
    assert result.exit_code == 1 and said in result.stderr


def test_no_journal_is_said(tmp_path: Path) -> None:
    for command in ("find", "tail"):
        result = run(command, tmp_path)
        assert result.exit_code == 1 and "no journal at" in result.stderr


def test_no_output_has_a_password(journal: JournalRig, tmp_path: Path) -> None:
    fill(journal)
    path = tmp_path / "log"
    path.write_bytes(message(f"35=A|554={PASSWORD}|95=7|96={PASSWORD}|"))
    for options in ((), ("--json",), ("--short",)):
        for command in (("view", path), ("find", journal.folder.parent)):
            result = run(*command, *options)
            assert result.exit_code == 0 and PASSWORD not in result.output
    for options in ((), ("--json",)):
        result = run("tail", journal.folder.parent, "--no-follow", *options)
        assert result.exit_code == 0 and PASSWORD not in result.output
