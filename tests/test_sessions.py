"""FIX 4.4 sessions over a socket, by the standard's own cases (volume 2; FIX test cases 1-14).

One engine serves the module; each test has a session of its own. At the end the engine's journal
must replay.
"""

import time
from collections.abc import Iterator

import pytest

from tests.fix_peer import Client, Closed, Fields, cancel, order, stamp
from tests.session_rig import (
    CLORDIDS,
    ISIN,
    LIS_QTY,
    SESSIONS,
    New,
    engine_of_sessions,
    filled,
    new_clients,
    trade,
)  # fmt: skip
from tests.venue import Engine

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_of_sessions(tmp_path_factory.mktemp("sessions") / "si") as engine:
        yield engine


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return iter(SESSIONS)


@pytest.fixture
def new(engine: Engine, names: Iterator[str]) -> Iterator[New]:
    with new_clients(engine, names) as make:
        yield make


@pytest.fixture
def client(new: New) -> Client:
    """Logged on."""
    made = new()
    made.logon()
    return made


# --- 1: logon ---------------------------------------------------------------------------------


def test_logon_is_answered_with_the_interval(new: New) -> None:
    client = new(heartbeat=17)
    answer = client.logon()
    assert {tag: answer[tag] for tag in (8, 49, 56, 34, 98, 108)} == {
        8: "FIX.4.4", 49: "SI", 56: client.comp_id, 34: "1", 98: "0", 108: "17",
    }  # fmt: skip
    assert 141 not in answer
    trade(client)
    client.logout()


@pytest.mark.parametrize(
    ("header", "fields", "words"),
    [
        ({}, [(98, 0)], "HeartBtInt(108)"),
        ({}, [(98, 0), (108, "soon")], "HeartBtInt(108)=soon"),
        ({}, [(98, 0), (108, "-1")], "HeartBtInt(108)=-1"),
        ({}, [(98, 0), (108, 1_000_000)], "HeartBtInt(108)=1000000"),
        ({}, [(98, 1), (108, 30)], "EncryptMethod(98)=1"),
        ({"seq": "x"}, [(98, 0), (108, 30)], "MsgSeqNum(34)"),
        ({"t34": None}, [(98, 0), (108, 30)], "MsgSeqNum(34)"),
        ({"seq": 7}, [(98, 0), (108, 30), (141, "Y")], "ResetSeqNumFlag(141)=Y"),
    ],
)
def test_a_logon_that_cannot_be_is_refused_in_words(
    new: New, header: dict[str, object], fields: list[tuple[int, object]], words: str
) -> None:
    client = new()
    client.connect()
    client.send("A", fields, **header)
    assert words in client.expect("5")[58]
    client.closed()
    client.next_out = 1
    client.logon()  # nothing was used up


@pytest.mark.parametrize(
    "header", [{"t49": "NOBODY"}, {"t56": "OTHER"}, {"t49": None}, {"t8": "FIX.4.2"}]
)
def test_whoever_is_no_counterparty_is_told_nothing(new: New, header: dict[str, object]) -> None:
    client = new()
    client.connect()
    client.send("A", [(98, 0), (108, 30)], **header)
    client.closed()


@pytest.mark.parametrize("msg_type", ["0", "5", "D"])
def test_a_first_message_that_is_no_logon_closes(new: New, msg_type: str) -> None:
    client = new()
    client.connect()
    client.send(msg_type, order("early", ISIN, 10) if msg_type == "D" else [])
    client.closed()


def test_a_session_is_logged_on_once(engine: Engine, client: Client) -> None:
    second = Client(engine, client.comp_id)
    second.connect()
    second.send("A", [(98, 0), (108, 30)])
    second.closed()
    trade(client)


def test_logon_with_reset_begins_at_one(client: Client) -> None:
    trade(client)
    client.close()
    time.sleep(0.1)
    client.next_out = 1
    answer = client.logon((141, "Y"))
    assert (answer[34], answer[141]) == ("1", "Y")
    assert trade(client)[34] == "2"


def test_logon_with_reset_within_a_session(client: Client) -> None:
    trade(client)
    client.next_out = 1
    client.send("A", [(98, 0), (108, 30), (141, "Y")])
    client.expect("A", t34=1, t141="Y", t108=30)
    assert trade(client)[34] == "2"


def test_a_second_logon_without_reset_ends_the_session(client: Client) -> None:
    client.send("A", [(98, 0), (108, 30)])
    assert "141" in client.expect("5")[58]
    client.closed()


def test_logon_with_a_number_too_high_is_followed_by_a_resend_request(new: New) -> None:
    client = new()
    client.logon(seq=5)
    client.expect("2", t7=1, t16=0)
    client.send("4", [(123, "Y"), (36, 6)], seq=1, t43="Y", t122=stamp())
    client.next_out = 6
    trade(client)


def test_logon_with_a_number_too_low_is_refused(client: Client) -> None:
    trade(client)
    client.close()
    time.sleep(0.1)
    client.connect()
    client.send("A", [(98, 0), (108, 30)], seq=1)
    text = client.expect("5")[58]
    assert "expecting 3 but received 1" in text
    client.closed()
    client.logon()
    trade(client)


# --- 2: numbers -------------------------------------------------------------------------------


def test_a_gap_is_asked_for_once_and_repeats_are_ignored(client: Client) -> None:
    clordids = [next(CLORDIDS) for _ in range(3)]
    orders = [order(clordid, ISIN, 10) for clordid in clordids]
    client.send("D", orders[1], seq=3)
    client.expect("2", t7=2, t16=0)
    client.send("D", orders[2], seq=4)
    client.nothing()
    for seq, terms in enumerate(orders, 2):
        client.send("D", terms, seq=seq, t43="Y", t122=stamp())
    for clordid in clordids:
        filled(client, clordid)
    client.send("D", orders[0], seq=2, t43="Y", t122=stamp())
    client.nothing()
    client.next_out = 5
    trade(client)


def test_a_number_too_low_ends_the_session(client: Client) -> None:
    trade(client)
    client.send("0", seq=1)
    assert "expecting 3 but received 1" in client.expect("5")[58]
    client.closed()


def test_a_message_without_number_ends_the_session(client: Client) -> None:
    client.send("0", t34=None)
    assert "34" in client.expect("5")[58]
    client.closed()


def test_wrong_comp_ids_end_the_session(client: Client) -> None:
    client.send("D", order("x", ISIN, 10), t49="SOMEONE")
    reject = client.expect("3", t45=2, t372="D", t373=9, t371=49)
    assert "SOMEONE" in reject[58]
    client.expect("5")
    client.closed()


def test_a_wrong_begin_string_ends_the_session(client: Client) -> None:
    client.send("0", t8="FIX.4.2")
    assert "BeginString(8)=FIX.4.2" in client.expect("5")[58]
    client.closed()


def test_gap_fill(client: Client) -> None:
    client.send("4", [(123, "Y"), (36, 20)])
    client.next_out = 20
    trade(client)
    client.send("4", [(123, "Y"), (36, 15)])  # 21 -> 15
    assert client.expect("3", t45=21, t371=36, t373=5)[58]
    trade(client)


def test_gap_fill_with_a_number_too_high_is_a_gap(client: Client) -> None:
    client.send("4", [(123, "Y"), (36, 20)], seq=10)
    client.expect("2", t7=2, t16=0)
    client.send("4", [(123, "Y"), (36, 20)], seq=2, t43="Y", t122=stamp())
    client.next_out = 20
    trade(client)


def test_reset_mode_goes_up_and_never_down(client: Client) -> None:
    client.send("4", [(36, 30)], seq=1)  # its own number does not count
    client.next_out = 30
    trade(client)
    client.send("4", [(36, 10)], seq=31)
    assert "36=10" in client.expect("3", t371=36, t373=5)[58]
    client.next_out = 31
    trade(client)
    client.send("4", [(123, "N")], seq=31)
    client.expect("3", t371=36, t373=1)


# --- 4, 5: heartbeats -------------------------------------------------------------------------


def test_heartbeats_come_at_the_interval(new: New) -> None:
    client = new(heartbeat=1)
    client.logon()
    started = time.monotonic()
    for _ in range(3):
        client.send("0")
        client.expect("0", timeout=5)
    assert time.monotonic() - started > 2.5


def test_no_interval_no_heartbeats(new: New) -> None:
    client = new(heartbeat=0)
    client.logon()
    client.nothing(2.5)
    trade(client)


def test_a_test_request_is_answered_with_its_id(client: Client) -> None:
    client.send("1", [(112, "are you there")])
    client.expect("0", t112="are you there")
    client.send("1")
    client.expect("3", t371=112, t373=1)
    trade(client)


def until_closed(client: Client) -> list[str]:
    """Types of all messages up to the end of the connection."""
    kinds = []
    try:
        while True:
            kinds.append(client.receive(5)[35])
    except Closed:
        return kinds


def test_a_silent_client_is_asked_then_disconnected(new: New) -> None:
    client = new(heartbeat=1)
    client.logon()
    started = time.monotonic()
    kinds = [kind for kind in until_closed(client) if kind != "0"]
    assert kinds == ["1", "5"]
    assert time.monotonic() - started > 2


def test_an_answered_test_request_keeps_the_session(new: New) -> None:
    client = new(heartbeat=1)
    client.logon()
    for _ in range(2):
        request = client.receive(5)
        while request[35] == "0":
            request = client.receive(5)
        assert request[35] == "1"
        client.send("0", [(112, request[112])])
    trade(client)


# --- 8: resend --------------------------------------------------------------------------------


def ask(client: Client, first: int, last: int) -> list[Fields]:
    """What a ResendRequest brings, up to the answer of a TestRequest."""
    client.send("2", [(7, first), (16, last)])
    client.send("1", [(112, "end")])
    found = [client.receive()]
    while found[-1].get(112) != "end":
        found.append(client.receive())
    return found[:-1]


def shape(found: list[Fields]) -> list[tuple[str, str, str]]:
    """Type, number and next number of each."""
    return [(m[35], m[34], m.get(36, "")) for m in found]


@pytest.fixture
def talked(client: Client) -> tuple[Client, list[Fields]]:
    """Numbers 1 Logon, 2 and 3 reports, 4 Heartbeat, 5 report, then Heartbeats."""
    reports = [trade(client), trade(client)]
    client.send("1", [(112, "x")])
    client.expect("0", t34=4)
    return client, [*reports, trade(client)]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 0, [("4", "1", "2"), ("8", "2", ""), ("8", "3", ""), ("4", "4", "5"), ("8", "5", "")]),
        (2, 3, [("8", "2", ""), ("8", "3", "")]),
        (3, 3, [("8", "3", "")]),
        (4, 4, [("4", "4", "5")]),
        (5, 999_999, [("8", "5", "")]),
        (4, 5, [("4", "4", "5"), ("8", "5", "")]),
    ],
)
def test_resend_request(
    talked: tuple[Client, list[Fields]],
    first: int,
    last: int,
    expected: list[tuple[str, str, str]],
) -> None:
    client, reports = talked
    by_number = {report[34]: report for report in reports}
    again = ask(client, first, last)
    assert shape(again) == expected
    for message in again:
        assert message[43] == "Y" and 122 in message
        if message[35] == "4":
            assert message[123] == "Y"
            continue
        original = by_number[message[34]]
        assert message[122] == original[52]
        moving = {9, 10, 43, 52, 122}
        assert {t: v for t, v in message.items() if t not in moving} == {
            t: v for t, v in original.items() if t not in moving
        }


def test_resend_beyond_the_end_and_nonsense(talked: tuple[Client, list[Fields]]) -> None:
    client, _ = talked
    assert shape(ask(client, 6, 0)) == []
    [reject] = ask(client, 500, 0)
    assert (reject[35], reject[371], reject[373]) == ("3", "7", "5")
    [reject] = ask(client, 0, 0)
    assert (reject[35], reject[371]) == ("3", "7")
    client.send("2", [(7, 1)])
    client.expect("3", t371=16, t373=1)
    client.send("2", [(7, "one"), (16, 0)])
    client.expect("3", t371=7)
    trade(client)


def test_reports_missed_while_away_come_by_resend(new: New) -> None:
    """A desk order is cancelled by a client that is gone before the answer."""
    client = new()
    client.logon()
    clordid = next(CLORDIDS)
    client.send("D", order(clordid, ISIN, LIS_QTY, t59=0))
    new_report = client.expect("8", t11=clordid, t150=0, t39=0)
    cancel_id = next(CLORDIDS)
    client.send("F", cancel(cancel_id, clordid, ISIN, LIS_QTY))
    client.close()
    time.sleep(0.2)
    answer = client.logon()
    assert int(answer[34]) == int(new_report[34]) + 2
    again = ask(client, int(new_report[34]) + 1, 0)
    assert again[0][11] == cancel_id and again[0][43] == "Y"
    assert (again[0][150], again[0][41], again[0][37]) == ("4", clordid, new_report[37])


# --- 12, 13: logout ---------------------------------------------------------------------------


def test_logout_is_answered_and_the_session_goes_on_later(client: Client) -> None:
    number = int(trade(client)[34])
    client.logout()
    answer = client.logon()
    assert int(answer[34]) == number + 2
    trade(client)


# --- 14: reject -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "tag", "reason"),
    [
        ({"t11": None}, 11, 1),
        ({"t54": None}, 54, 1),
        ({"t38": None}, 38, 1),
        ({"t40": None}, 40, 1),
        ({"t40": 2}, 44, 1),
        ({"t38": "ten"}, 38, 6),
        ({"t44": "1,5"}, 44, 6),
        ({"t54": "11"}, 54, 6),
        ({"t54": "Z"}, 54, 5),
        ({"t58": ""}, 58, 4),
        ({"t11": ""}, 11, 4),
    ],
)
def test_an_order_that_cannot_be_read_is_rejected(
    client: Client, change: dict[str, object], tag: int, reason: int
) -> None:
    seq = client.send("D", order("reject", ISIN, 10, **change))
    reject = client.expect("3", t45=seq, t372="D", t371=tag, t373=reason)
    assert reject[58]
    trade(client)


@pytest.mark.parametrize(
    ("more", "tag", "reason"),
    [
        ([(38, 10)], "38", "13"),
        ([("x1", "a")], None, "0"),
        ([("", "a")], None, "0"),
        ([(95, "many"), (96, "abc")], "95", "6"),
    ],
)
def test_fields_that_no_message_may_have(
    client: Client, more: list[tuple[int, object]], tag: str | None, reason: str
) -> None:
    seq = client.send("D", [*order("reject", ISIN, 10), *more])
    reject = client.expect("3", t45=seq, t372="D", t373=reason)
    assert reject.get(371) == tag
    trade(client)


def test_a_message_without_sending_time_is_rejected(client: Client) -> None:
    seq = client.send("0", t52=None)
    client.expect("3", t45=seq, t371=52, t373=1)
    trade(client)


def test_types_that_we_do_not_serve(client: Client) -> None:
    seq = client.send("c", [])
    refused = client.expect("j", t45=seq, t372="c", t380=3)
    assert "35=c" in refused[58]
    seq = client.send("ZZ", [])
    client.expect("3", t45=seq, t372="ZZ", t371=35, t373=11)
    trade(client)
