"""QuickFIX's settings files: what becomes of each key, and that nothing is lost or shown."""

import json
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway import cli_session, quickfix_cfg
from gateway.errors import UserError
from gateway.quickfix_cfg import KEYS, convert
from gateway.session_settings import Session

pytestmark = pytest.mark.pure

ACCEPTOR = """\
# Two clients of one firm.
[DEFAULT]
ConnectionType=acceptor
BeginString=FIX.4.4
SenderCompID = SI
SocketAcceptPort=9878
FileStorePath=store
ResetOnLogon=N
StartTime=07:00:00
EndTime=19:00:00
TimeZone=Europe/Berlin
Weekdays=Mon,Tue,Wed,Thu,Fri

[SESSION]
TargetCompID=ALPHA
DataDictionary=FIX44.xml
MaxLatency=30

[session]
TARGETCOMPID=BETA
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
AppDataDictionary=FIX50SP2.xml
TransportDataDictionary=FIXT11.xml
ResetOnLogon=Y
TimeStampPrecision=NANOS
Password=hunter2
MyOwnKey=some = value
"""


def sessions_of(source, client="c"):
    """Read back as si.toml would be."""
    found = convert(source, client)
    rows = tomllib.loads(found.toml)["fix"]["sessions"]
    assert len(rows) == found.sessions
    return [Session.model_validate(row) for row in rows], found


def one(*lines):
    return sessions_of(
        "[DEFAULT]\nConnectionType=acceptor\nSenderCompID=SI\nTargetCompID=C\n[SESSION]\n"
        + "\n".join(lines)
    )


def why_of(found, key):
    return next(note.why for note in found.notes if note.key == key)


def test_a_file_of_two():
    (alpha, beta), found = sessions_of(ACCEPTOR, "")
    assert (alpha.id[:2], beta.id[:2]) == (("SI", "ALPHA"), ("SI", "BETA"))
    assert (alpha.client, beta.client) == ("ALPHA", "BETA")
    assert alpha.begin_string == "FIX.4.4" and str(alpha.data_dictionary) == "FIX44.xml"
    assert alpha.max_latency == 30 and not alpha.reset_on_logon and beta.reset_on_logon
    assert beta.default_appl_ver_id == "9" and beta.timestamp_precision == 9
    assert alpha.start_time.hour == 7 and alpha.time_zone == "Europe/Berlin"
    assert alpha.weekdays == beta.weekdays == ["mon", "tue", "wed", "thu", "fri"]
    notes = {note.key: note for note in found.notes}
    assert (notes["MyOwnKey"].line, notes["MyOwnKey"].value) == (28, "some = value")
    assert "fix.port" in notes["SocketAcceptPort"].why
    assert [note.key for note in found.notes].count("FileStorePath") == 1
    assert "# line 28: MyOwnKey=some = value" in found.toml
    assert "hunter2" not in str(found) and notes["Password"].value == "***"


def test_an_initiators_file_is_turned_round():
    (session,), found = sessions_of(
        "[DEFAULT]\nConnectionType=initiator\nHeartBtInt=30\n[SESSION]\n"
        "SenderCompID=CLIENT\nTargetCompID=SI\nSocketConnectHost=localhost\n"
    )
    assert session.id[:2] == ("SI", "CLIENT")
    why = {note.key: note.why for note in found.notes}
    assert "turned round" in why["ConnectionType"] and "heart_bt_int_min" in why["HeartBtInt"]
    assert "SocketConnectHost" in why


@pytest.mark.parametrize("line", ["", "ConnectionType=broker"])
def test_another_connection_type_is_noted(line):
    (session,), found = sessions_of(f"[SESSION]\nSenderCompID=SI\nTargetCompID=C\n{line}\n")
    assert session.id[:2] == ("SI", "C")
    assert why_of(found, "ConnectionType").endswith("as acceptor")


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        (["ResetOnLogout=Y", "ResetOnDisconnect=y"],
         {"reset_on_logout": True, "reset_on_disconnect": True}),
        (["EnableNextExpectedMsgSeqNum=Y"], {"send_next_expected_msg_seq_num": True}),
        (["EnableLastMsgSeqNumProcessed=Y"], {"enable_last_msg_seq_num_processed": True}),
        (["ResendRequestChunkSize=100"], {"max_messages_in_resend_request": 100}),
        (["TimestampPrecision=9"], {"timestamp_precision": 9}),
        (["TimeStampPrecision=Microsecond"], {"timestamp_precision": 6}),
        (["MillisecondsInTimeStamp=N"], {"timestamp_precision": 0}),
        (["CheckLatency=N", "RequiresOrigSendingTime=N"],
         {"check_latency": False, "requires_orig_sending_time": False}),
        (["LogonTimeout=20", "LogoutTimeout=5"], {"logon_timeout": 20, "logout_timeout": 5}),
        (["NonStopSession=Y"], {"non_stop_session": True}),
        (["NonStopSession=N"], {"non_stop_session": True}),
        (["StartTime=00:00:00", "EndTime=00:00:00", "NonStopSession=Y"], {"start_time": None}),
        (["StartTime=22:00:00", "EndTime=21:00:00", "StartDay=Sunday", "EndDay=fr"],
         {"start_day": "sun", "end_day": "fri", "end_time_zone": "UTC"}),
        (["StartTime=23:55:00 Europe/Madrid", "EndTime=17:05:00 America/New_York"],
         {"time_zone": "Europe/Madrid", "end_time_zone": "America/New_York"}),
        (["StartTime=08:00:00", "EndTime=17:00:00 Europe/Paris", "TimeZone=Europe/London"],
         {"time_zone": "Europe/London", "end_time_zone": "Europe/Paris"}),
        (["BeginString=FIX.4.2"], {"begin_string": "FIX.4.2", "fill_style": "1/2"}),
        (["AppDataDictionary=a.xml", "DefaultApplVerID=9"], {"app_data_dictionary": None}),
        (["BeginString=FIXT.1.1", "DataDictionary=a.xml"], {"data_dictionary": None}),
    ],
)  # fmt: skip
def test_keys(lines, settings):
    (session,), _ = one(*lines)
    for name, value in settings.items():
        assert getattr(session, name) == value, name


def test_addresses():
    (session,), _ = one("AllowedRemoteAddresses=10.0.0.1, 10.0.0.2")
    assert session.allows("10.0.0.2") and not session.allows("10.0.0.3")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ResetOnLogon=true", "neither Y nor N"), ("MaxLatency=2 minutes", "no number"),
        ("TimestampPrecision=4", "only 0, 3, 6 and 9 digits"), ("CheckCompID=N", "always checked"),
        ("TargetSubID=X", "no such setting here"), ("DataDictionary=${home}/a.xml", "a variable"),
        ("UseLocalTime=Y", "set time_zone"), ("UseDataDictionary=N", "has the stock one"),
        ("ValidateUserDefinedFields=Y", "validation"),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_listed(line, why):
    (session,), found = one(line)
    key, _, value = line.partition("=")
    (note,) = [note for note in found.notes if note.key == key]
    assert (note.line, note.value) == (6, value) and why in note.why
    assert f"# line 6: {line}: " in found.toml and session.id[:2] == ("SI", "C")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("BeginString=FIX.4.1", "begin_string"), ("TimeZone=Mars", "'Mars' is unknown"),
        ("StartTime=08:00:00", "give both or none"), ("MaxLatency=0", "max_latency"),
        ("AllowedRemoteAddresses=localhost", "'localhost' does not appear"),
    ],
)  # fmt: skip
def test_what_a_session_cannot_have_is_said(line, words):
    found = convert(f"[SESSION]\nConnectionType=acceptor\nSenderCompID=S\nTargetCompID=C\n{line}")
    assert words in why_of(found, "[SESSION]")
    assert tomllib.loads(found.toml)


def test_weekdays_over_midnight_are_noted():
    lines = ("StartTime=17:05:00", "EndTime=16:55:00", "Weekdays=Sun,Mon")
    (session,), found = one(*lines)
    assert session.weekdays == ["sun", "mon"]
    assert "on which a session starts" in why_of(found, "Weekdays")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "line 1: no [SESSION]"), ("[DEFAULT]\nA=1\n", "no [SESSION]"),
        ("A=1\n[SESSION]\n", "line 1: a setting before"), ("[OTHER]\n", "line 1: [OTHER]"),
        ("[SESSION]\nhello\n", "line 2: neither"), ("[SESSION]\n=5\n", "line 2: neither"),
    ],
)  # fmt: skip
def test_no_settings_file(source, words):
    with pytest.raises(UserError) as caught:
        convert(source)
    assert words in str(caught.value)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.sampled_from([*KEYS, "ConnectionType", "Password", "Other"])


@given(st.lists(st.tuples(keys, text), max_size=8))
def test_any_value_gives_toml(pairs):
    source = "[SESSION]\nSenderCompID=S\nTargetCompID=T\n"
    for key, value in pairs:
        source += f"{key}={''.join(value.splitlines())}\n"
    found = convert(source, "c")
    (row,) = tomllib.loads(found.toml)["fix"]["sessions"]
    assert row["client"] == "c" and found.sessions == 1


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(source):
    said = ""
    try:
        found = convert("[SESSION]\n" + source)
    except UserError as error:
        said = str(error)
    if said:
        assert re.match(r"line \d+: ", said)
    else:
        assert len(tomllib.loads(found.toml)["fix"]["sessions"]) == found.sessions


def test_typed(tmp_path):
    path = tmp_path / "acceptor.cfg"
    path.write_text("\ufeff" + ACCEPTOR)
    typed = ["import", str(path), "--client", "c"]
    done = CliRunner().invoke(cli_session.session, typed, env={"COLUMNS": "200"})
    assert done.exit_code == 0 and len(tomllib.loads(done.stdout)["fix"]["sessions"]) == 2
    assert "line 28: MyOwnKey=some = value: no such setting here" in done.stderr
    found = json.loads(CliRunner().invoke(cli_session.session, [*typed, "--json"]).stdout)
    assert found["toml"] == done.stdout and found["sessions"] == 2
    assert {"line", "key", "value", "why"} == set(found["notes"][0])
    path.write_bytes(b"[SESSION]\n\xff")
    for bad in (path, tmp_path / "none.cfg"):
        done = CliRunner().invoke(cli_session.session, ["import", str(bad)])
        assert done.exit_code == 1 and f"error: {bad}" in done.stderr.replace("\n", "")
    path.write_text("[SESSION]\nhello\n")
    with pytest.raises(UserError, match="line 2"):
        quickfix_cfg.read(path)
