"""Sessions at run time: the file of sessions, requests and answers, `si session` as it is typed."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from typer.testing import CliRunner

from gateway import cli_session, control, credentials, session_store, template
from gateway import config as configuration
from gateway.errors import UserError
from gateway.session_admin import PAGE_SIZE_MAX, SessionAdmin
from gateway.session_settings import Session, SessionId
from gateway.session_store import FILE, Stored

pytestmark = pytest.mark.pure

HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
ONE = SessionId("SI", "CLIENT1")


def session_of(target, sender="SI", **settings):
    return Session(sender_comp_id=sender, target_comp_id=target, client="client1", **settings)


# --- the file -----------------------------------------------------------------------------------


def test_no_file_is_no_change(tmp_path):
    configured = [session_of("A"), session_of("B")]
    assert session_store.load(tmp_path) == Stored()
    assert session_store.read(tmp_path, configured) == configured


def test_written_and_read(tmp_path):
    stored = Stored().put(session_of("A", username="u", password_hash=HASH, echo_tags=[5001]))
    stored = stored.put(session_of("C", start_time="08:00:00", end_time="09:00:00"))
    stored = stored.remove(SessionId("SI", "B"))
    session_store.write(tmp_path, stored)
    assert session_store.load(tmp_path) == stored
    assert session_store.load(tmp_path).sessions[0].hash_text == HASH
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [FILE]
    configured = [session_of("A"), session_of("B"), session_of("D")]
    found = session_store.read(tmp_path, configured)
    assert [s.target_comp_id for s in found] == ["A", "D", "C"]
    assert found[0].echo_tags == [5001]


def test_the_remains_of_a_killed_process_do_not_matter(tmp_path):
    left = tmp_path / (FILE + ".new")
    left.write_text("half a fi")
    left.chmod(0o644)
    session_store.write(tmp_path, Stored().put(session_of("A")))
    assert session_store.load(tmp_path).sessions == (session_of("A"),)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_file(tmp_path, monkeypatch):
    before = Stored().put(session_of("A"))
    session_store.write(tmp_path, before)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_store.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        session_store.write(tmp_path, before.put(session_of("B")))
    monkeypatch.undo()
    assert session_store.load(tmp_path) == before and os.listdir(tmp_path) == [FILE]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ('{"version": 1,\n "sessions": [,', "line 2, column 15"),
        ("\x00", "line 1, column 1"),
        ("[]", "it must be an object of version, sessions and removed"),
        ('{"version": 2, "sessions": [], "removed": []}', "version 2 is not 1"),
        ('{"version": 1, "sessions": {}, "removed": []}', "sessions is no list"),
        ('{"version": 1, "sessions": [3], "removed": []}', "sessions[0]"),
        ('{"version": 1, "sessions": [], "removed": ["A"]}', "removed[0] must have"),
        (
            '{"version": 1, "sessions": [],'
            ' "removed": [{"sender_comp_id": 1, "target_comp_id": 2}]}',
            "removed[0] must have",
        ),
        (
            '{"version": 1, "sessions": [{"sender_comp_id": "SI", "target_comp_id": "A",'
            ' "client": "c", "hart": 1}], "removed": []}',
            "sessions[0]: hart: no such setting",
        ),
        (
            '{"version": 1, "sessions": [], "removed": ['
            '{"begin_string": "FIX.4.4", "sender_comp_id": "S", "target_comp_id": "A"},'
            '{"begin_string": "FIX.4.4", "sender_comp_id": "S", "target_comp_id": "A"}]}',
            "session S->A is there twice",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_its_place_and_kept(tmp_path, text, words):
    path = tmp_path / FILE
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        session_store.read(tmp_path, [])
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)
    assert "Nothing was changed" in str(caught.value) and path.read_text() == text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("store")
    (folder / FILE).write_bytes(data)
    with pytest.raises(UserError, match=r"sessions\.json"):
        session_store.load(folder)


names = st.sampled_from("ABCD")


@given(st.lists(st.tuples(st.booleans(), names), max_size=12), st.sets(names))
def test_put_and_remove_are_a_set(steps, configured):
    stored, held = Stored(), set(configured)
    for puts, name in steps:
        if puts:
            stored = stored.put(session_of(name))
            held.add(name)
        else:
            stored = stored.remove(SessionId("SI", name))
            held.discard(name)
    found = session_store.merge([session_of(name) for name in sorted(configured)], stored)
    assert sorted(s.target_comp_id for s in found) == sorted(held)


# --- requests -----------------------------------------------------------------------------------


class Fake:
    """A server that writes down what it is told."""

    def __init__(self, config):
        self.config = config
        self.told = []
        self.refuses = ""

    def _note(self, *what):
        if self.refuses:
            raise UserError(self.refuses)
        self.told.append(what)

    def put_session(self, settings, by):
        self._note("put", settings, by)

    def pause_session(self, session_id, by):
        self._note("pause", session_id, by)

    def resume_session(self, session_id, by):
        self._note("resume", session_id, by)

    def remove_session(self, session_id, by):
        self._note("remove", session_id, by)

    def reset_session(self, session_id, next_in, next_out, by):
        self._note("reset", session_id, next_in, next_out, by)

    def logout_session(self, session_id, why):
        self._note("logout", session_id, why)

    def session_views(self):
        return [
            {"sender": "SI", "target": "CLIENT1", "begin_string": "FIX.4.4", "state": "on",
             "next_in": 12, "next_out": 3456,
             "last_in_ns": 1_780_000_000 * 10**9, "last_out_ns": 0, "owed_bytes": 1024,
             "address": "192.0.2.7"},
        ]  # fmt: skip


@pytest.fixture
def admin(tmp_path):
    template.write(tmp_path)
    return SessionAdmin(Fake(configuration.load(tmp_path)))


def ask(admin, verb, **more):
    """Through JSON, as on the socket; no answer and no line of the log ever has a hash."""
    with capture_logs() as lines:
        answer = json.dumps(admin.receive(json.loads(json.dumps({"session": verb} | more))))
    assert len(lines) == (verb != "list" or "error" in answer)
    for text in (answer, str(lines)):
        assert "argon2" not in text and "AAAA" not in text
    return json.loads(answer)


def error(admin, verb, **more):
    before, told = admin.stored, list(admin.server.told)
    answer = ask(admin, verb, **more)
    assert set(answer) == {"error"}
    assert admin.stored == before and admin.server.told == told
    assert session_store.load(admin.directory) == before
    return answer["error"]


def targets(admin):
    assert session_store.read(admin.directory, admin.server.config.fix.sessions) == admin.sessions
    return [session.target_comp_id for session in admin.sessions]


def test_add(admin):
    answer = ask(
        admin, "add", target="NEW", by="ann", settings={"client": "client1", "echo_tags": [5001]}
    )
    assert answer == {"done": "added", "sender": "SI", "target": "NEW"}
    ((told, settings, by),) = admin.server.told
    assert (told, by) == ("put", "ann") and settings.echo_tags == [5001]
    assert targets(admin) == ["CLIENT1", "CLIENT2", "NEW"]
    assert SessionAdmin(admin.server).sessions == admin.sessions


def test_change_keeps_the_rest_and_null_goes_back(admin):
    given = {"orders_per_second": 50, "username": "u", "password_hash": HASH}
    ask(admin, "change", target="CLIENT1", settings=given)
    answer = ask(admin, "change", target="CLIENT1", settings={"burst": 9})
    assert answer["settings"] == ["burst"]
    session = admin.sessions[0]
    assert (session.orders_per_second, session.burst, session.hash_text) == (50, 9, HASH)
    ask(admin, "change", target="CLIENT1", settings={"burst": None})
    assert admin.sessions[0].burst == 50
    assert targets(admin) == ["CLIENT1", "CLIENT2"]
    assert HASH in (admin.directory / FILE).read_text()


def test_pause_holds_over_a_restart(admin):
    assert ask(admin, "pause", target="CLIENT1", by="ann")["done"] == "paused"
    assert admin.server.told == [("pause", ONE, "ann")]
    again = SessionAdmin(admin.server)
    assert not again.sessions[0].enabled and again.sessions[1].enabled
    assert ask(again, "resume", target="CLIENT1")["done"] == "resumed"
    assert SessionAdmin(admin.server).sessions[0].enabled


def test_remove_and_add_again(admin):
    ask(admin, "remove", target="CLIENT1")
    assert targets(admin) == ["CLIENT2"] and admin.server.told == [("remove", ONE, "")]
    assert "no session with target 'CLIENT1'" in error(admin, "pause", target="CLIENT1")
    ask(admin, "add", target="CLIENT1", settings={"client": "client2"})
    assert targets(admin) == ["CLIENT1", "CLIENT2"] and admin.sessions[0].client == "client2"


def test_reset_and_logout(admin):
    answer = ask(admin, "reset", target="CLIENT1", next_in=5)
    assert (answer["next_in"], answer["next_out"]) == (5, 1)
    ask(admin, "logout", sender="SI", target="CLIENT1", why="maintenance")
    ask(admin, "logout", target="CLIENT1")
    assert admin.server.told == [
        ("reset", ONE, 5, 1, ""), ("logout", ONE, "maintenance"),
        ("logout", ONE, "logged out by the operator"),
    ]  # fmt: skip
    assert admin.stored == Stored()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"session": "start"}, "session 'start' is none of list, add"),
        ({"session": None}, "is none of"),
        ({"session": []}, "is none of"),
        ({"session": "add", "target": "N"}, "settings: an object"),
        ({"session": "add", "settings": []}, "settings: an object"),
        ({"session": "add", "target": "N", "settings": {"client": "x"}}, "client 'x' of session"),
        ({"session": "add", "target": "CLIENT1", "settings": {"client": "client1"}}, "is there al"),
        ({"session": "add", "target": "A", "settings": {"target_comp_id": "B"}}, "'B' is not targ"),
        ({"session": "add", "settings": {"client": "client1"}}, "target_comp_id"),
        ({"session": "add", "target": "N", "settings": {"clint": "x"}}, "no such setting"),
        ({"session": "add", "target": "N", "settings": {"password": "h"}}, "`si session password`"),
        ({"session": "change", "target": "CLIENT1", "settings": {}}, "at least one"),
        (
            {"session": "change", "target": "CLIENT1", "settings": {"target_comp_id": "B"}},
            "SI->CLIENT1 cannot become SI->B",
        ),
        ({"session": "change", "target": "CLIENT1", "settings": {"client": None}}, "client"),
        ({"session": "pause", "target": "X"}, "no session with target 'X'"),
        ({"session": "pause", "target": "CLIENT1", "sender": "XX"}, "sender 'XX'"),
        ({"session": "pause", "target": ["CLIENT1"]}, "no session"),
        ({"session": "pause", "target": "CLIENT1", "hard": True}, "hard: not part of session"),
        ({"session": "pause", "target": "CLIENT1", "by": "\u00e4"}, "write printable ASCII"),
        ({"session": "pause", "target": "CLIENT1", "by": "x" * 65}, "the most are 64"),
        ({"session": "pause", "target": "CLIENT1", "by": 7}, "write printable ASCII"),
        ({"session": "logout", "target": "CLIENT1", "why": "a\x01b"}, "write printable ASCII"),
        ({"session": "reset", "target": "CLIENT1", "next_in": 0}, "next_in 0 must be"),
        ({"session": "reset", "target": "CLIENT1", "next_out": "5"}, "next_out '5' must be"),
        ({"session": "reset", "target": "CLIENT1", "next_out": True}, "next_out True must be"),
        ({"session": "reset", "target": "CLIENT1", "next_out": 10**18}, "must be a number from 1"),
        ({"session": "list", "from": -1}, "from -1 must be"),
    ],
)
def test_refused(admin, request_, words):
    verb, more = request_["session"], {k: v for k, v in request_.items() if k != "session"}
    assert words in error(admin, verb, **more)


def test_what_the_server_refuses_is_not_kept(admin):
    ask(admin, "change", target="CLIENT1", settings={"burst": 1, "orders_per_second": 1})
    admin.server.refuses = "no room: 256 sessions are known"
    for verb, more in (
        ("add", {"target": "N", "settings": {"client": "client1"}}),
        ("change", {"target": "CLIENT1", "settings": {"burst": 2}}),
        ("pause", {"target": "CLIENT1"}), ("remove", {"target": "CLIENT1"}),
        ("reset", {"target": "CLIENT1"}), ("logout", {"target": "CLIENT1"}),
    ):  # fmt: skip
        assert error(admin, verb, **more) == "no room: 256 sessions are known"


def test_what_cannot_be_written_is_not_told(admin, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_store, "write", full)
    assert "No space left" in error(admin, "pause", target="CLIENT1")


def test_two_senders_for_one_target(admin):
    ask(admin, "add", sender="SI2", target="CLIENT1", settings={"client": "client1"})
    assert "is of several sessions: SI->CLIENT1, SI2->CLIENT1" in error(
        admin, "pause", target="CLIENT1"
    )
    assert ask(admin, "pause", sender="SI2", target="CLIENT1")["sender"] == "SI2"
    more = {"target": "N", "settings": {"client": "client1"}}
    assert error(admin, "add", **more) == "sender: give one, in use are SI, SI2"


def test_a_client_that_is_gone_stops_the_start(admin):
    session_store.write(admin.directory, Stored().put(session_of("A")))
    path = admin.directory / configuration.CONFIG_FILE
    path.write_text(path.read_text().replace('"client1"', '"client9"'))
    with pytest.raises(UserError, match=r"sessions\.json: client 'client1' of session SI->A is"):
        SessionAdmin(Fake(configuration.load(admin.directory)))


def test_list_in_pages(admin):
    for number in range(60):
        name = f"TARGET-WITH-A-LONG-NAME-{number:02}"
        ask(admin, "add", target=name, settings={"client": "client1"})
    place, found = 0, []
    while place is not None:
        answer = ask(admin, "list", **{"from": place})
        assert len(json.dumps(answer)) < PAGE_SIZE_MAX + 200 < control.REQUEST_SIZE_MAX
        found += answer["sessions"]
        place = answer["next"]
    assert [view["target"] for view in found] == targets(admin)
    assert found[0]["state"] == "on" and found[0]["owed_bytes"] == 1024
    assert found[1]["schedule"] == "non-stop" and "state" not in found[1]
    assert ask(admin, "list", target="CLIENT2")["sessions"] == [found[1]]


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def si(admin, monkeypatch):
    """Runs `si session`; the engine is the fake one."""
    sent = []

    def answer(directory, request):
        assert directory == admin.directory
        sent.append(request)
        found = ask(
            admin, request["session"], **{k: v for k, v in request.items() if k != "session"}
        )
        if "error" in found:
            raise UserError(found["error"])
        return found

    monkeypatch.setattr(control, "ask", answer)

    def run(verb, *args, ok=True):
        typed = [verb, str(admin.directory), *args]
        done = CliRunner().invoke(
            cli_session.session, typed, env={"COLUMNS": "200", "USER": "ann"}
        )  # fmt: skip
        assert done.exit_code == (0 if ok else 1), done.output
        return done.stdout if ok else done.stderr

    run.sent = sent
    return run


def test_typed_add_change_and_list(si, admin):
    settings = (
        "start_time=08:00:00", "end_time=18:00:00", "weekdays=mon,tue", "echo_tags=[5001, 5002]",
        "username=", "validation=strict",
    )  # fmt: skip
    sets = [word for setting in settings for word in ("--set", setting)]
    said = si("add", "--target", "NEW", "--client", "client1", *sets)
    assert said == "SI->NEW added\n"
    session = admin.sessions[-1]
    assert session.echo_tags == [5001, 5002] and session.weekdays == ["mon", "tue"]
    assert session.validation == "strict" and admin.server.told[0][2] == "ann"
    assert si("change", "NEW", "--set", "weekdays=") == "SI->NEW changed: weekdays\n"
    table = si("list")
    for words in ("SI->CLIENT1", "3,456", "05-28", "1,024", "192.0.2.7", "daily 08:00"):
        assert words in table
    si("pause", "NEW")
    assert "paused" in si("list")
    views = json.loads(si("list", "--json"))
    assert [view["enabled"] for view in views] == [True, True, False]


def test_typed_verbs(si):
    assert si("pause", "CLIENT1") == "SI->CLIENT1 paused\n"
    assert si("resume", "CLIENT1", "--sender", "SI") == "SI->CLIENT1 resumed\n"
    assert si("reset", "CLIENT1", "--next-in", "7") == (
        "SI->CLIENT1 reset: next in 7, next out 1\n"
    )  # fmt: skip
    assert si("logout", "CLIENT1", "--why", "maintenance") == "SI->CLIENT1 logged out\n"
    assert json.loads(si("remove", "CLIENT1", "--json"))["done"] == "removed"
    assert "error: no session with target 'CLIENT1'" in si("pause", "CLIENT1", ok=False)


def test_typed_file(si, admin, tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(
        '[[fix.sessions]]\ntarget_comp_id = "NEW"\nsender_comp_id = "SI"\nclient = "client1"\n'
        'start_time = 08:00:00\nend_time = 18:00:00\nholidays = [2026-12-25]\n'
    )  # fmt: skip
    assert si("add", "--file", str(path), "--set", "end_time=17:00:00") == "SI->NEW added\n"
    assert admin.sessions[-1].end_time.hour == 17 and len(admin.sessions[-1].holidays) == 1
    path.write_text("heart_bt_int_max = 60\n")
    assert "changed: heart_bt_int_max" in si("change", "NEW", "--file", str(path))
    for text in ("[[fix.sessions]]\na = 1\n[[fix.sessions]]\nb = 1\n", "a = ", "[fix]\nport = 1\n"):
        path.write_text(text)
        assert f"error: {path}" in si("change", "NEW", "--file", str(path), ok=False)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("add", "--client", "client1"), "--target: give one"),
        (("add", "--target", "X"), "--client: give one"),
        (("change", "CLIENT1"), "nothing to change"),
        (("change", "CLIENT1", "--set", "burst"), "write KEY=VALUE"),
        (("change", "CLIENT1", "--set", "bust=5"), "--set bust: no such setting: burst?"),
        (("change", "CLIENT1", "--set", "echo_tags=[5"), "--set echo_tags=[5:"),
        (("change", "CLIENT1", "--set", "burst=many"), "burst"),
        (
            ("change", "CLIENT1", "--set", "echo_tags=" + "[" + "5001," * 15_000 + "]"),
            "the most are",
        ),
        (("change", "CLIENT1", "--file", "none.toml"), "No such file"),
    ],
)
def test_typed_mistakes(si, args, words):
    assert words in si(*args, ok=False) and not si.sent[1:]


def test_typed_show_needs_no_engine(si, admin):
    ask(admin, "change", target="CLIENT1", settings={"username": "u", "password_hash": HASH})
    said = si("show", "CLIENT1")
    for line in ('username = "u"', "password = true", 'fill_style = "F"', "echo_tags = []"):
        assert line in said.splitlines()
    found = json.loads(si("show", "CLIENT1", "--json"))
    assert found["target_comp_id"] == "CLIENT1" and "argon2" not in said + str(found)
    assert "0 sessions with target 'X'" in si("show", "X", ok=False)
    assert si.sent == []


def test_typed_password(si, admin, monkeypatch):
    typed = iter(["good word", "good word", "a", "b", "", "good word", "good word"])
    monkeypatch.setattr(cli_session.getpass, "getpass", lambda _: next(typed))
    said = si("password", "CLIENT1", "--username", "ann")
    assert said == "SI->CLIENT1 changed: password_hash, username\n"
    assert "good word" not in json.dumps(si.sent)
    assert credentials.verify(admin.sessions[0].hash_text, "good word")
    assert "the two passwords differ" in si("password", "CLIENT1", ok=False)
    assert "the password is empty" in si("password", "CLIENT1", ok=False)
    assert credentials.verify(si("password", "CLIENT1", "--print").strip(), "good word")
    assert len(si.sent) == 1
