"""Settings of a session: what is taken, what is refused and how, and that no hash is shown."""

import json
import tomllib
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway import config as configuration
from gateway import template
from gateway.session_settings import (
    DAY_NAMES,
    DAYS,
    Session,
    SessionId,
    as_data,
    changed,
    check_together,
    in_words,
    shown,
)

pytestmark = pytest.mark.pure

WHO = {"sender_comp_id": "SI", "target_comp_id": "CLIENT1", "client": "client1"}
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
ACCESS = {"username": "u", "password_hash": HASH}
TIMES = {"start_time": "08:00:00", "end_time": "18:00:00"}


def session_of(**settings):
    return Session.model_validate(WHO | settings)


def refused(**settings):
    with pytest.raises(ValidationError) as caught:
        session_of(**settings)
    return in_words(caught.value)


def test_the_old_settings_are_enough():
    session = session_of()
    assert session.begin_string == "FIX.4.4" and session.id == SessionId("SI", "CLIENT1")
    assert str(session.id) == "SI->CLIENT1"
    assert not (session.reset_on_logon or session.mifid_fields or session.cancel_on_disconnect)
    assert session.enabled and session.non_stop_session and session.hash_text is None


@pytest.mark.parametrize(
    ("begin", "follows"),
    [
        ("FIX.4.2", ("1/2", 3, "")),
        ("FIX.4.4", ("F", 6, "")),
        ("FIXT.1.1", ("F", 6, "9")),
    ],
)
def test_what_follows_from_the_version(begin, follows):
    session = session_of(begin_string=begin)
    assert (
        session.fill_style, session.timestamp_precision, session.default_appl_ver_id
    ) == follows  # fmt: skip


def test_what_follows_from_others():
    assert session_of(orders_per_second=50).burst == 50
    assert session_of(orders_per_second=50, burst=5).burst == 5
    assert session_of(time_zone="Europe/Berlin").end_time_zone == "Europe/Berlin"
    assert not session_of(**TIMES).non_stop_session
    for given_as in ("FIX.5.0SP2", "9", 9):
        found = session_of(begin_string="FIXT.1.1", default_appl_ver_id=given_as)
        assert found.default_appl_ver_id == "9"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"begin_string": "FIX.4.2", "fill_style": "F"}, "fill_style F: FIX.4.2 has no"),
        (
            {"begin_string": "FIX.4.2", "send_next_expected_msg_seq_num": True},
            "NextExpectedMsgSeqNum(789) is not in FIX.4.2",
        ),
        ({"default_appl_ver_id": "9"}, "default_appl_ver_id: only with FIXT.1.1, not FIX.4.4"),
        ({"begin_string": "FIXT.1.1", "default_appl_ver_id": ""}, "FIXT.1.1 needs 9"),
        ({"begin_string": "FIXT.1.1", "default_appl_ver_id": "7"}, "default_appl_ver_id"),
        ({"begin_string": "FIX.4.3"}, "begin_string"),
        ({"app_data_dictionary": "a.xml"}, "with FIX.4.4 use data_dictionary"),
        (
            {"begin_string": "FIXT.1.1", "data_dictionary": "a.xml"},
            "with FIXT.1.1 use app_data_dictionary and transport_data_dictionary",
        ),
        ({"echo_tags": [0]}, "0 is not from 1 to 999999999"),
        ({"echo_tags": [10**9]}, "1000000000 is not from 1 to 999999999"),
        ({"echo_tags": [55]}, "55 is written by the report itself"),
        ({"echo_tags": [448]}, "448 is of a group, which comes back whole or not"),
        ({"echo_tags": [5001, 5001]}, "a tag is there twice"),
        ({"echo_tags": list(range(5000, 5017))}, "echo_tags"),
        ({"heart_bt_int_min": 60, "heart_bt_int_max": 30}, "60 is over heart_bt_int_max 30"),
        ({"heart_bt_int_max": 3601}, "less than or equal to 3600 (got 3601)"),
        ({"burst": 5}, "without orders_per_second"),
        ({"orders_per_second": 5, "burst": 0}, "burst 0 would refuse every order"),
        ({"orders_per_second": -1}, "orders_per_second"),
        ({"timestamp_precision": 4}, "timestamp_precision"),
        ({"max_latency": 0}, "max_latency"),
        ({"throttle_reject": 100}, "throttle_reject"),
        ({"quote_instruments": ["DE0007164600"]}, 'with quotes = "none" nothing is sent'),
        ({"quote_interval_ms": 100}, 'with quotes = "none" nothing is sent'),
        ({"quotes": "quote", "quote_instruments": []}, "quote_instruments: empty"),
        ({"quotes": "quote", "quote_instruments": ["*", "DE0007164600"]}, "stands alone"),
        ({"quotes": "quote", "quote_instruments": ["DE0007164601"]}, "'DE0007164601' is no ISIN"),
        ({"quotes": "quote", "quote_instruments": ["DE0007164600"] * 2}, "is there twice"),
        ({"quotes": "all"}, "quotes"),
        ({"username": "u"}, "username without password_hash"),
        ({"password_hash": HASH}, "password_hash without username"),
        ({"allowed_remote_addresses": ["10.0.0.1/8"]}, "host bits set"),
        ({"allowed_remote_addresses": ["localhost"]}, "allowed_remote_addresses"),
        ({"start_time": "08:00:00"}, "start_time and end_time: give both or none"),
        ({**TIMES, "start_day": "mon"}, "start_day and end_day: give both"),
        ({**TIMES, "start_day": "mon", "end_day": "fri", "weekdays": ["tue"]}, "not both"),
        ({**TIMES, "weekdays": ["mon", "Monday"]}, "a day is there twice"),
        ({**TIMES, "weekdays": ["m"]}, "weekdays.0"),
        ({**TIMES, "non_stop_session": True}, "not with start_time and end_time"),
        ({"non_stop_session": False}, "needs start_time and end_time"),
        ({"holidays": ["2026-12-25"]}, "holidays: only with start_time"),
        ({"weekdays": ["mon"]}, "weekdays: only with start_time"),
        ({"start_day": "mon", "end_day": "fri"}, "start_day: only with start_time"),
        ({"time_zone": "Europe/Brelin"}, "time zone 'Europe/Brelin' is unknown"),
        ({"time_zone": "../etc/passwd"}, "is unknown"),
        ({"start_time": 900, "end_time": "18:00:00"}, "write a time of day such as 08:00:00"),
        ({"start_time": "900", "end_time": "18:00:00"}, "write a time of day such as 08:00:00"),
        ({"start_time": "08:00:00.5", "end_time": "18:00:00"}, "whole seconds"),
        ({"start_time": "08:00:00Z", "end_time": "18:00:00"}, "whole seconds and no offset"),
        ({"resett_on_logon": True}, "resett_on_logon: no such setting: a typo?"),
        ({"client": ""}, "client"),
        ({"sender_comp_id": "A B"}, "sender_comp_id"),
    ],
)
def test_refused(settings, words):
    assert words in refused(**settings)


def test_all_problems_at_once():
    said = refused(begin_string="FIX.4.2", fill_style="F", username="u", burst=3)
    for name in ("fill_style", "username", "burst"):
        assert name in said


@pytest.mark.parametrize("index", range(7))
@pytest.mark.parametrize("size", [2, 3, 20])
def test_days_as_quickfix_takes_them(index, size):
    name = DAY_NAMES[index][:size]
    found = session_of(**TIMES, weekdays=[name.upper()], holidays=["2026-12-25"])
    assert found.weekdays == [DAYS[index]]
    assert found.holidays == [date(2026, 12, 25)] and found.start_time == time(8)


# --- access -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "address", "holds"),
    [
        ([], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.255", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:11.1.2.3", False),
        (["10.0.0.0/8"], "fe80::1%eth0", False),
        (["fe80::/10"], "fe80::1%eth0", True),
    ],
)
def test_addresses(allowed, address, holds):
    assert session_of(allowed_remote_addresses=allowed).allows(address) == holds


@pytest.mark.parametrize(
    "wrong",
    [
        "hunter2", 12345, ["hunter2"], HASH + "!", HASH.replace("argon2id", "bcrypt"),
        HASH.replace("m=65536", "m=99999999"), HASH.replace("t=3", "t=99"),
        HASH.replace("p=1", "p=0"),
    ],
)  # fmt: skip
def test_a_wrong_hash_is_refused_and_not_shown(wrong):
    with pytest.raises(ValidationError) as caught:
        session_of(username="u", password_hash=wrong)
    said = in_words(caught.value)
    assert said.startswith("password_hash")
    for text in (said, str(caught.value), repr(caught.value)):
        assert str(wrong) not in text and "hunter2" not in text and "AAAA" not in text


@pytest.mark.parametrize("key", ["password", "Password", "pasword", "passphrase", "secret", "pwd"])
def test_a_password_in_the_settings_is_refused_and_not_shown(key):
    with pytest.raises(ValidationError) as caught:
        session_of(**{key: "hunter2"})
    for text in (in_words(caught.value), str(caught.value)):
        assert "`si session password`" in text and "hunter2" not in text


def test_the_hash_is_shown_nowhere():
    session = session_of(**ACCESS)
    for text in (
        repr(session), str(session), session.model_dump_json(), str(session.model_dump()),
        json.dumps(shown(session)), str([session]),
    ):  # fmt: skip
        assert "argon2" not in text and "AAAA" not in text
    assert shown(session)["password"] is True and shown(session_of())["password"] is False
    assert session.hash_text == HASH == as_data(session)["password_hash"]


def test_the_configuration_does_not_show_it_either(tmp_path):
    template.write(tmp_path)
    path = tmp_path / configuration.CONFIG_FILE
    whole = path.read_text()
    for wrong in ('password = "hunter2"', 'username = "u"\npassword_hash = "hunter2"'):
        path.write_text(whole.replace('client = "client1"\n', f'client = "client1"\n{wrong}\n', 1))
        with pytest.raises(configuration.ConfigError) as caught:
            configuration.load(tmp_path)
        assert "password" in str(caught.value) and "hunter2" not in str(caught.value)
        assert "line" in str(caught.value)


# --- template, data, changes --------------------------------------------------------------------


def test_the_template_documents_every_setting_with_its_default():
    """Each commented line is TOML; those of a session by itself say its default."""
    start = template.TEMPLATE.index("# Every setting of a session")
    end = template.TEMPLATE.index("[[clients]]")
    lines = [
        line.removeprefix("# ")
        for line in template.TEMPLATE[start:end].splitlines()
        if line.startswith("# ") and " = " in line.partition("#")[2].partition("#")[0]
    ]
    tree = tomllib.loads("\n".join(lines))
    assert set(tree) == set(Session.model_fields) - set(WHO)
    session = session_of()
    examples = {
        "default_appl_ver_id", "data_dictionary", "app_data_dictionary", "password_hash",
        "transport_data_dictionary", "start_time", "end_time", "weekdays", "start_day", "end_day",
        "holidays", "end_time_zone",
    }  # fmt: skip
    for name in set(tree) - examples:
        assert tree[name] == getattr(session, name), name
    weekly = {"start_day", "end_day"}
    for kept in (weekly, {"weekdays"}):
        some = {"start_time", "end_time", "time_zone", "end_time_zone", "holidays"} | kept
        assert session_of(**{name: tree[name] for name in some}).start_time == time(7)


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "reset_on_logon": st.booleans(),
        "orders_per_second": st.integers(0, 1000),
        "echo_tags": st.lists(st.integers(5000, 10**9 - 1), unique=True, max_size=16),
        "allowed_remote_addresses": st.lists(st.ip_addresses().map(str), max_size=3),
        "data_dictionary": st.sampled_from(["FIX44.xml", "sub/FIX.xml"]),
        "password_hash": st.just(HASH),
        "username": st.just("u"),
        "start_time": st.times().map(lambda t: t.replace(microsecond=0).isoformat()),
        "end_time": st.times().map(lambda t: t.replace(microsecond=0).isoformat()),
        "holidays": st.lists(st.dates().map(str), max_size=3),
    },
)


def whole(settings):
    """Pairs that only go together."""
    for pair in (("start_time", "end_time"), ("username", "password_hash")):
        if not all(name in settings for name in pair):
            settings = {k: v for k, v in settings.items() if k not in pair}
    if "start_time" not in settings:
        settings = {k: v for k, v in settings.items() if k != "holidays"}
    return settings


@given(SETTINGS)
def test_through_json_and_back(settings):
    session = session_of(**whole(settings))
    assert Session.model_validate(json.loads(json.dumps(as_data(session)))) == session
    assert Session.model_validate(json.loads(json.dumps(as_data(session)))).hash_text == (
        session.hash_text
    )


@given(SETTINGS, SETTINGS)
def test_a_change_leaves_the_rest(before, after):
    before, after = whole(before), whole(after)
    merged = before | after
    assert changed(session_of(**before), after) == session_of(**merged)
    cleared = changed(session_of(**merged), dict.fromkeys(merged))
    assert cleared == session_of()


def test_a_change_of_version_changes_what_follows():
    session = changed(session_of(orders_per_second=5), {"begin_string": "FIX.4.2"})
    assert (session.fill_style, session.timestamp_precision, session.burst) == ("1/2", 3, 5)
    assert changed(session, {"orders_per_second": 9}).burst == 9
    with pytest.raises(ValidationError, match="is over"):
        changed(session, {"heart_bt_int_min": 9, "heart_bt_int_max": 3})


def test_together():
    one, other = session_of(), session_of(target_comp_id="CLIENT2", client="client2")
    check_together([one, other], ["client1", "client2"])
    with pytest.raises(ValueError, match="client 'client2' of session SI->CLIENT2 is none of"):
        check_together([one, other], ["client1"])
    with pytest.raises(ValueError, match="SI->CLIENT1 is there twice"):
        check_together([one, one], ["client1"])


def test_paths_and_frozen():
    session = session_of(data_dictionary="FIX44.xml")
    assert session.data_dictionary == Path("FIX44.xml")
    with pytest.raises(ValidationError, match="frozen"):
        session.enabled = False
