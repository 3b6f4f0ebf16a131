"""A drop copy session's rules, each by its case of FIX 4.4 vol. 2; then any course of events."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drop_copy_config import DropCopySession
from gateway.drop_copy_feed import Feed
from gateway.drop_copy_link import LINGER_NS, LOGON_WAIT_NS, OWED_LIMIT, SLOW_WAIT_NS
from gateway.drop_copy_session import LOGOUT_WAIT_NS, OWED_MAX, RESEND_CHUNK, SECOND_NS
from tests.drop_copy_rig import Consumer, some, types
from tests.fix_peer import Fields
from tests.fix_text import raw
from tests.journal_rig import JournalRig, opened, use_small_segments

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_segments(monkeypatch)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalRig]:
    yield from opened(tmp_path / "journal")


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Consumer]:
    made = Consumer(tmp_path / "COPY")
    yield made
    made.store.close()


def ended(consumer: Consumer, words: str) -> None:
    """The last message is a Logout that says why, then the connection is closed."""
    assert consumer.link is not None
    got = consumer.take()
    assert got[-1][35] == "5" and words in got[-1][58], got
    assert consumer.link.done(consumer.now_ns)
    assert consumer.session.link is None


# --- logon --------------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
def test_logon_and_copies_in_every_version(tmp_path: Path, journal: JournalRig, begin: Any) -> None:
    config = DropCopySession(sender_comp_id="SI", target_comp_id="COPY", begin_string=begin)
    consumer = Consumer(tmp_path / "COPY", config)
    [answer] = consumer.logon()
    assert some([answer], 8, 35, 34, 49, 56, 98, 108) == [
        (begin, "A", "1", "SI", "COPY", "0", "30")
    ]
    assert answer.get(1137) == ("9" if begin == "FIXT.1.1" else None)
    sent = journal.report(1)
    consumer.copy(consumer.feed(journal))
    [copied] = consumer.take()
    assert some([copied], 35, 34, 17, 115) == [("8", "2", str(sent.exec_id), "CLIENT2")]
    consumer.store.close()


@pytest.mark.parametrize(
    ("fields", "header", "words"),
    [
        ([], {"t49": "OTHER"}, "no session for BeginString(8)=FIX.4.4 SenderCompID(49)=OTHER"),
        ([], {"t56": "SJ"}, "TargetCompID(56)=SJ"),
        ([], {"t8": "FIX.4.2"}, "BeginString(8)=FIX.4.2"),
        ([], {"t34": None}, "MsgSeqNum(34) is missing or no number"),
        ([], {"t34": "x"}, "MsgSeqNum(34) is missing or no number"),
        ([(141, "Y")], {"t34": 2}, "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1, not 2"),
        ([(789, 7)], {}, "NextExpectedMsgSeqNum(789)=7 is not 1 to 1"),
        ([(789, 0)], {}, "NextExpectedMsgSeqNum(789)=0 is not 1 to 1"),
    ],
)
def test_a_logon_that_cannot_be(
    consumer: Consumer, fields: list[tuple[int, object]], header: dict[str, object], words: str
) -> None:
    [answer] = consumer.logon(*fields, **header)
    assert (answer[35], answer[34]) == ("5", "1") and words in answer[58]
    assert consumer.link is not None and consumer.link.done(consumer.now_ns)
    assert consumer.store.next_out == consumer.store.next_in == 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([(98, 1), (108, 30)], "EncryptMethod(98)=1 is not supported"),
        ([(98, 0)], "HeartBtInt(108)=None must be 0 to 3600"),
        ([(98, 0), (108, 3601)], "HeartBtInt(108)=3601 must be"),
        ([(98, 0), (108, "3.5")], "HeartBtInt(108)=3.5 must be"),
    ],
)
def test_logon_terms_that_cannot_be(
    consumer: Consumer, terms: list[tuple[int, object]], words: str
) -> None:
    consumer.connect()
    consumer.send("A", terms)
    [answer] = consumer.take()
    assert answer[35] == "5" and words in answer[58]


def test_fixt_needs_its_application_version(tmp_path: Path) -> None:
    config = DropCopySession(sender_comp_id="SI", target_comp_id="COPY", begin_string="FIXT.1.1")
    consumer = Consumer(tmp_path / "COPY", config)
    consumer.connect()
    consumer.send("A", [(98, 0), (108, 30), (1137, 7)])
    [answer] = consumer.take()
    assert "DefaultApplVerID(1137)=7 is not offered: use 9" in answer[58]
    consumer.store.close()


def test_one_connection_at_a_time(consumer: Consumer) -> None:
    consumer.logon()
    first = consumer.link
    [answer] = consumer.logon()
    assert answer[58] == "this session is logged on already"
    assert consumer.session.link is first


def test_a_first_message_that_is_no_logon_is_closed_in_silence(consumer: Consumer) -> None:
    link = consumer.connect()
    consumer.send("0")
    assert consumer.take() == [] and link.done(consumer.now_ns)


def test_a_connection_without_a_logon_is_closed(consumer: Consumer) -> None:
    link = consumer.connect()
    consumer.wait(LOGON_WAIT_NS)
    assert not link.closing
    consumer.wait(1)
    assert link.closing == "no Logon within 10 seconds"


def test_a_number_too_low_ends_the_session(consumer: Consumer) -> None:
    consumer.logon()
    assert consumer.link is not None
    consumer.link.lost(consumer.now_ns)
    consumer.logon(t34=1)
    consumer.connect()
    consumer.send("A", [(98, 0), (108, 30)], t34=1)
    ended(consumer, "MsgSeqNum(34) too low, expecting 2 but received 1")


def test_reset_begins_both_numbers_again(consumer: Consumer, journal: JournalRig) -> None:
    feed = consumer.feed(journal)
    journal.report()
    consumer.copy(feed)
    consumer.next_out = 1
    [answer] = consumer.logon((141, "Y"))
    assert some([answer], 34, 141) == [("1", "Y")]
    journal.report()
    consumer.copy(feed)
    assert some(consumer.take(), 34, 17) == [("2", str(journal.sent[1].exec_id))]
    consumer.send("A", [(98, 0), (108, 10), (141, "Y")], t34=1)
    assert some(consumer.take(), 35, 34, 108, 141) == [("A", "1", "10", "Y")]
    assert (consumer.store.next_in, consumer.store.next_out) == (2, 2)


# --- what a consumer missed ---------------------------------------------------------------------


def test_reports_are_numbered_while_the_consumer_is_away(
    consumer: Consumer, journal: JournalRig
) -> None:
    feed = consumer.feed(journal)
    for _ in range(3):
        journal.report()
    consumer.copy(feed)
    [answer] = consumer.logon()
    assert answer[34] == "4"
    consumer.send("2", [(7, 1), (16, 0)])
    got = consumer.wait(0)
    assert some(got, 35, 34, 43) == [
        ("8", "1", "Y"), ("8", "2", "Y"), ("8", "3", "Y"), ("4", "4", "Y"),
    ]  # fmt: skip
    assert some(got[-1:], 123, 36) == [("Y", "5")]
    assert some(got[:3], 17) == [(str(sent.exec_id),) for sent in journal.sent]
    assert all(122 in each for each in got)


def test_a_logon_may_say_what_is_expected(consumer: Consumer, journal: JournalRig) -> None:
    """NextExpectedMsgSeqNum(789): what was missed comes without being asked for."""
    for _ in range(3):
        journal.report()
    consumer.copy(consumer.feed(journal))
    [answer] = consumer.logon((789, 2))
    assert some([answer], 34, 789) == [("4", "2")]
    assert some(consumer.wait(0), 35, 34, 36) == [
        ("8", "2", None), ("8", "3", None), ("4", "4", "5"),
    ]  # fmt: skip


def test_what_was_sent_before_a_restart_is_sent_again_the_same(
    consumer: Consumer, journal: JournalRig
) -> None:
    consumer.logon()
    for _ in range(2):
        journal.report()
    consumer.copy(consumer.feed(journal))
    before = consumer.take()
    consumer.kill()
    consumer.copy(consumer.feed(journal))
    assert consumer.store.next_out == 4 and consumer.store.next_in == 2
    consumer.logon()
    consumer.send("2", [(7, 2), (16, 3)])
    again = consumer.wait(0)
    changed = (9, 10, 43, 52, 122)
    assert [{t: v for t, v in each.items() if t not in changed} for each in again] == [
        {t: v for t, v in each.items() if t not in changed} for each in before
    ]
    assert [each[122] for each in again] == [each[52] for each in before]


def test_a_large_resend_comes_in_pieces_and_new_reports_after_it(
    consumer: Consumer, journal: JournalRig
) -> None:
    for _ in range(RESEND_CHUNK + 20):
        journal.report()
    feed = consumer.feed(journal)
    consumer.copy(feed)
    consumer.logon()
    consumer.send("2", [(7, 1), (16, 0)])
    journal.report()
    assert len(consumer.wait(0)) == RESEND_CHUNK and not consumer.session.wants_reports
    assert len(consumer.wait(0)) == 21
    consumer.copy(feed)
    assert some(consumer.take(), 34, 43) == [(str(RESEND_CHUNK + 22), None)]


@pytest.mark.parametrize(
    ("fields", "reason", "tag", "words"),
    [
        ([(16, 0)], "1", "7", "required tag missing: 7"),
        ([(7, 1)], "1", "16", "required tag missing: 16"),
        ([(7, "x"), (16, 0)], "6", "7", "no whole number: 7=x"),
        ([(7, 0), (16, 0)], "5", "7", "nothing to resend, last sent is 1: 7=0"),
        ([(7, 5), (16, 3)], "5", "7", "nothing to resend, last sent is 1: 7=5"),
    ],
)
def test_a_resend_request_that_cannot_be(
    consumer: Consumer, fields: list[tuple[int, object]], reason: str, tag: str, words: str
) -> None:
    consumer.logon()
    consumer.send("2", fields)
    assert some(consumer.take(), 35, 373, 371, 58) == [("3", reason, tag, words)]


def test_a_connection_that_is_cut_takes_its_resends_with_it(
    consumer: Consumer, journal: JournalRig
) -> None:
    journal.report()
    consumer.copy(consumer.feed(journal))
    consumer.logon()
    consumer.send("2", [(7, 1), (16, 0)], t34=9)
    assert types(consumer.take()) == "2" and consumer.link is not None
    consumer.link.lost(consumer.now_ns)
    assert consumer.session.wants_reports
    assert some(consumer.logon(t34=9), 35, 7) == [("A", None), ("2", "2")]
    assert consumer.wait(0) == []


# --- numbers of the consumer --------------------------------------------------------------------


def test_a_gap_is_asked_for_once_and_filled(consumer: Consumer) -> None:
    consumer.logon()
    consumer.next_out = 5
    consumer.send("0")
    assert some(consumer.take(), 35, 7, 16) == [("2", "2", "0")]
    consumer.send("0")
    assert consumer.take() == []
    consumer.send("4", [(123, "Y"), (36, 7)], t34=2, t43="Y")
    assert consumer.store.next_in == 7
    consumer.send("1", [(112, "still there")])
    assert some(consumer.take(), 35, 112) == [("0", "still there")]


def test_a_resend_request_beyond_a_gap_is_answered_at_once(consumer: Consumer) -> None:
    consumer.logon()
    consumer.send("2", [(7, 1), (16, 0)], t34=9)
    assert types(consumer.take()) == "2"
    assert some(consumer.wait(0), 35, 34, 36) == [("4", "1", "3")]


def test_a_logon_beyond_the_expected_number_is_answered_and_the_gap_asked_for(
    consumer: Consumer,
) -> None:
    consumer.next_out = 4
    assert some(consumer.logon(), 35, 7) == [("A", None), ("2", "1")]


def test_a_possible_duplicate_is_ignored(consumer: Consumer) -> None:
    consumer.logon()
    consumer.send("1", [(112, "x")], t34=1, t43="Y")
    assert consumer.take() == [] and consumer.store.next_in == 2
    consumer.send("1", [(112, "x")], t34=1)
    ended(consumer, "MsgSeqNum(34) too low, expecting 2 but received 1")


def test_sequence_reset(consumer: Consumer) -> None:
    consumer.logon()
    consumer.send("4", [(36, 9)], t34=77)
    assert consumer.take() == [] and consumer.store.next_in == 9
    consumer.send("4", [(36, 3)], t34=9)
    consumer.send("4", [], t34=9)
    assert some(consumer.take(), 35, 373, 371) == [("3", "5", "36"), ("3", "1", "36")]
    consumer.send("4", [(123, "Y"), (36, 9)], t34=9)
    assert some(consumer.take(), 373, 58) == [("5", "NewSeqNo not above MsgSeqNum 9: 36=9")]


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("msg_type", "fields", "header", "expected"),
    [
        ("0", [("0112", "x")], {}, ("3", "0", None)),
        ("0", [(112, "")], {}, ("3", "4", "112")),
        ("0", [(49, "COPY")], {}, ("3", "13", "49")),
        ("0", [], {"t52": None}, ("3", "1", "52")),
        ("1", [], {}, ("3", "1", "112")),
        ("ZZ", [], {}, ("3", "11", "35")),
        ("D", [(11, "a")], {}, ("j", None, None)),
    ],
)
def test_rejects(
    consumer: Consumer, msg_type: str, fields: Any, header: dict[str, object], expected: object
) -> None:
    consumer.logon()
    consumer.send(msg_type, fields, **header)
    [answer] = consumer.take()
    assert (answer[35], answer.get(373), answer.get(371)) == expected
    assert (answer[45], answer[372]) == ("2", msg_type) and answer[58]
    assert answer.get(380) == ("3" if msg_type == "D" else None)
    assert consumer.store.next_in == 3


@pytest.mark.parametrize("msg_type", ["0", "3", "j"])
def test_messages_without_an_answer(consumer: Consumer, msg_type: str) -> None:
    consumer.logon()
    consumer.send(msg_type, [(45, 1), (58, "no")])
    assert consumer.take() == [] and consumer.store.next_in == 3


@pytest.mark.parametrize(
    ("header", "before", "words"),
    [
        ({"t8": "FIX.4.2"}, "", "BeginString(8)=FIX.4.2 is not FIX.4.4"),
        ({"t34": None}, "", "MsgSeqNum(34) is missing or no number"),
        ({"t34": "-1"}, "", "MsgSeqNum(34) is missing or no number"),
        ({"t49": "THEM"}, "3", "CompID 49=THEM is not this session's"),
        ({"t56": None}, "3", "CompID 56=None is not this session's"),
    ],
)
def test_a_header_that_ends_the_session(
    consumer: Consumer, header: dict[str, object], before: str, words: str
) -> None:
    consumer.logon()
    consumer.send("0", **header)
    assert consumer.link is not None
    got = consumer.take()
    assert types(got) == before + "5" and got[-1][58] == words
    assert consumer.link.closing == words
    consumer.raw(consumer.message("1", [(112, "x")]))
    assert consumer.take() == []


def test_a_second_logon_ends_the_session(consumer: Consumer) -> None:
    consumer.logon()
    consumer.send("A", [(98, 0), (108, 30)])
    ended(consumer, "Logon(35=A) while logged on: only with 141=Y and 34=1")


def test_garbled_messages_are_skipped_and_use_no_number(consumer: Consumer) -> None:
    consumer.logon()
    good = consumer.message("1", [(112, "x")])
    damaged = good.replace(b"112=x", b"112=y")
    consumer.raw(b"noise" + damaged + raw("8=FIX.4.4|35=0|") + good)
    assert some(consumer.take(), 35, 112) == [("0", "x")]
    assert consumer.store.next_in == 3


def test_bytes_one_by_one(consumer: Consumer) -> None:
    consumer.logon()
    for byte in consumer.message("1", [(112, "x")]):
        consumer.raw(bytes([byte]))
    assert some(consumer.take(), 35, 112) == [("0", "x")]


def test_a_message_over_the_limit_ends_the_session(consumer: Consumer) -> None:
    consumer.logon()
    consumer.raw(raw("8=FIX.4.4|9=99999|35=0|"))
    ended(consumer, "BodyLength(9)=99999 is over the limit")


# --- time ---------------------------------------------------------------------------------------


def test_heartbeats_test_request_and_silence(consumer: Consumer) -> None:
    consumer.logon()
    assert consumer.wait(30 * SECOND_NS - 1) == []
    assert types(consumer.wait(1)) == "0"
    [asked] = consumer.wait(6 * SECOND_NS + 1)
    assert asked[35] == "1"
    consumer.send("0", [(112, asked[112])])
    assert types(consumer.wait(30 * SECOND_NS)) == "0"
    assert types(consumer.wait(7 * SECOND_NS)) == "1"
    consumer.wait(36 * SECOND_NS)
    assert consumer.wait(1)[-1][58] == "no answer to TestRequest(1)"
    assert consumer.session.link is None


def test_no_heartbeats_where_none_are_wanted(consumer: Consumer) -> None:
    consumer.connect()
    consumer.send("A", [(98, 0), (108, 0)])
    consumer.take()
    assert consumer.wait(3_600 * SECOND_NS) == [] and consumer.session.link is not None


def test_logout_of_the_consumer(consumer: Consumer) -> None:
    consumer.logon()
    consumer.send("5")
    assert consumer.link is not None
    assert types(consumer.take()) == "5" and consumer.link.done(consumer.now_ns)
    assert some(consumer.logon(), 35, 34) == [("A", "3")]


def test_logout_of_ours(consumer: Consumer, journal: JournalRig) -> None:
    consumer.logon()
    consumer.session.log_out("the drop copy stops", consumer.now_ns)
    assert some(consumer.take(), 35, 58) == [("5", "the drop copy stops")]
    journal.report()
    consumer.copy(consumer.feed(journal))
    assert consumer.take() == [] and consumer.store.next_out == 4
    assert consumer.wait(LOGOUT_WAIT_NS) == [] and consumer.session.link is not None
    consumer.wait(1)
    assert consumer.session.link is None and consumer.link is not None
    assert consumer.link.closing == "no answer to Logout"


# --- slow consumers -----------------------------------------------------------------------------


def owing(consumer: Consumer, size: int) -> None:
    """As if so many bytes had been sent and not read."""
    assert consumer.link is not None
    consumer.link.output += bytes(size - len(consumer.link.output))


def test_a_consumer_that_owes_too_much_gets_no_more_reports(
    consumer: Consumer, journal: JournalRig
) -> None:
    consumer.logon()
    feed = consumer.feed(journal)
    journal.report()
    owing(consumer, OWED_MAX)
    consumer.copy(feed)
    assert not consumer.session.wants_reports and consumer.store.copies == 0
    assert consumer.link is not None
    consumer.link.taken(OWED_MAX)
    consumer.copy(feed)
    assert types(consumer.take()) == "8"


def test_a_slow_consumer_is_told_and_disconnected(consumer: Consumer) -> None:
    consumer.logon()
    link = consumer.link
    assert link is not None
    for _ in range(3):  # slow, but it takes what it must
        owing(consumer, OWED_MAX)
        consumer.now_ns += SLOW_WAIT_NS
        link.taken(OWED_MAX // 2)
        link.tick(consumer.now_ns)
    link.taken(OWED_MAX // 2 - 1)
    consumer.now_ns += SLOW_WAIT_NS
    owing(consumer, OWED_MAX)
    link.tick(consumer.now_ns)
    assert not link.closing
    link.tick(consumer.now_ns + 1)
    assert b"slow consumer: 1048576 bytes not read in 30 seconds" in bytes(link.output)
    assert link.closing and consumer.session.link is None
    assert not link.reads and not link.done(consumer.now_ns + 1)
    assert link.done(consumer.now_ns + 2 + LINGER_NS)


def test_a_consumer_that_asks_and_never_reads_is_disconnected(consumer: Consumer) -> None:
    consumer.logon()
    assert consumer.link is not None
    owing(consumer, OWED_LIMIT)
    assert not consumer.link.reads
    consumer.link.tick(consumer.now_ns)
    assert b"58=slow consumer: 2097152 bytes not read, limit" in bytes(consumer.link.output)


# --- any course of events -----------------------------------------------------------------------


class Careful(Consumer):
    """Keeps its session through everything: queues nothing, asks for what is missing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.next_in = 1
        self.reports: list[Fields] = []

    def handle(self, messages: list[Fields], ask: bool = True) -> None:
        for each in messages:
            seq = int(each[34])
            if seq > self.next_in and ask:
                self.send("2", [(7, self.next_in), (16, 0)])
                ask = False
            elif seq == self.next_in:
                self.next_in = int(each[36]) if each[35] == "4" else seq + 1
                if each[35] == "8":
                    self.reports.append(each)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("reports"), st.integers(1, 5)),
        st.tuples(st.just("copy"), st.integers(1, 9)),
        st.tuples(st.sampled_from(["logon", "read", "lose", "cut", "kill", "tear", "tick"])),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(EVENTS)
def test_every_report_once_and_in_order_whatever_happens(events: list[Any]) -> None:
    with TemporaryDirectory() as name:
        journal = JournalRig(Path(name) / "journal")
        consumer = Careful(Path(name) / "COPY")
        feed = consumer.feed(journal)
        for event, *arguments in [*events, ("cut",), ("logon",)]:
            feed = happen(consumer, journal, feed, event, *arguments)
        for _ in range(20):
            consumer.copy(consumer.feed(journal))
            consumer.handle(consumer.take())
            consumer.handle(consumer.wait(0))
        assert consumer.next_in == consumer.store.next_out
        assert [int(each[17]) for each in consumer.reports] == [s.exec_id for s in journal.sent]
        consumer.store.close()
        journal.close()


def happen(consumer: Careful, journal: JournalRig, feed: Feed, event: str, count: int = 0) -> Feed:
    on = consumer.session.link is not None
    if event == "reports":
        for _ in range(count):
            journal.report()
    elif event == "copy":
        consumer.copy(feed, count)
    elif event == "logon" and not on:
        consumer.handle(consumer.logon())
    elif event == "read" and on:
        consumer.handle(consumer.take())
    elif event == "lose" and on:  # what was sent never arrives
        consumer.take()
    elif event == "cut" and consumer.link is not None:
        consumer.link.lost(consumer.now_ns)
    elif event == "tick" and on:
        consumer.handle(consumer.wait(0))
    elif event in ("kill", "tear"):
        if event == "tear":
            with consumer.store.path.open("ab") as file:
                file.write(b"\x20\0\0\0\1")
        consumer.kill()
        return consumer.feed(journal)
    return feed
