"""The venue as QuickFIX sees it: an independent client of each version, stock dictionaries."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("quickfix", reason="QuickFIX is not installed (make test-quickfix)")

from tests.quickfix_client import Client, Fields, Peer, dictionary
from tests.venue import Engine, KeepFresh, running, sample, venue_quote

pytestmark = [
    pytest.mark.quickfix,
    pytest.mark.skipif(
        dictionary("FIX50SP2.xml") is None,
        reason="no stock dictionaries (SI_FIX_DICTIONARIES names their folder)",
    ),
]

# --- all that depends on the sample configuration of `si init` ---


@dataclass(frozen=True)
class Venue:
    """A running server and the orders of which its answer is known."""

    peer: Peer
    fills: Fields  # a limit order at a price that our quote meets
    goes_to_desk: Fields  # large in scale
    unknown: Fields  # an ISIN that no one listed


def order(isin: str, qty: int, px: str, tif: str) -> Fields:
    return {
        55: isin,
        48: isin,
        22: "4",  # ISIN
        21: "1",
        54: "1",  # buy
        38: str(qty),
        40: "2",  # limit
        44: px,
        59: tif,
    }


IOC, DAY = "3", "0"
ISIN = "DEZZ00000056"  # of the sample's instruments.csv: liquid, EUR, SMS 19,000, LIS 650,000
BID, ASK = "344.40", "344.50"  # around its reference price
UNKNOWN_ISIN = "XX0000000000"
QTY = 10
LIS_QTY = 2_000


VERSIONS = ("FIX.4.2", "FIX.4.4", "FIXT.1.1")


@pytest.fixture(scope="module", params=VERSIONS)
def begin(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """`si init`, free ports, `si serve` with a market, and at the end a clean exit on SIGTERM."""
    sessions = [
        {"begin_string": begin, "sender_comp_id": "SI", "target_comp_id": "CLIENT1",
         "client": "client1"}
        for begin in VERSIONS
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("venue") / "si"
    folder = sample(folder, quoting={"stale_ms": 5_000}, fix={"port": 0, "sessions": sessions})
    with running(folder) as made, KeepFresh(made, venue_quote(ISIN, BID, ASK)):
        yield made
    made.verify()


@pytest.fixture(scope="module")
def venue(engine: Engine, begin: str) -> Venue:
    return Venue(
        Peer(engine.fix_port, "SI", "CLIENT1", begin),
        fills=order(ISIN, QTY, ASK, IOC),
        goes_to_desk=order(ISIN, LIS_QTY, ASK, DAY),
        unknown=order(UNKNOWN_ISIN, QTY, ASK, IOC),
    )


# --- from here on nothing depends on it ---


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, begin: str) -> Path:
    """The client's sequence numbers, which go on from test to test."""
    return tmp_path_factory.mktemp("client")


@pytest.fixture
def client(venue: Venue, store: Path) -> Iterator[Client]:
    client = Client(venue.peer, store)
    client.start()
    try:
        yield client
    finally:
        client.stop()
    assert client.objections == []


CLORDIDS = (f"QF-{n}" for n in itertools.count(1))


def send_order(client: Client, fields: Fields) -> str:
    clordid = next(CLORDIDS)
    client.send("D", {11: clordid, **fields})
    return clordid


def report_on(client: Client, clordid: str, exec_type: str, ord_status: str) -> Fields:
    report = client.report()
    assert {tag: report.get(tag) for tag in (35, 11, 150, 39)} == {
        35: "8",
        11: clordid,
        150: exec_type,
        39: ord_status,
    }, report
    return report


def filled(client: Client) -> str:
    """ExecType(150) of a whole fill."""
    return "2" if client.begin == "FIX.4.2" else "F"


def fill(client: Client, venue: Venue) -> Fields:
    """Send the order that fills; its one report."""
    report = report_on(client, send_order(client, venue.fills), filled(client), "2")
    assert report[14] == report[32] == venue.fills[38]
    assert report[151] == "0"
    assert float(report[31]) == float(report[6]) <= float(venue.fills[44])
    return report


def test_logon_repeats_the_heartbeat_interval(client: Client) -> None:
    sent, received = client.admin(sent=True, message_type="A"), client.admin(False, "A")
    assert received[108] == sent[108]
    assert received[98] == "0"
    assert received.get(141, "N") == "N"


def test_heartbeats_keep_an_idle_session_up(client: Client) -> None:
    client.admin(sent=False, message_type="0")
    client.admin(sent=False, message_type="0")
    assert client.logged_on.is_set()


def test_marketable_ioc_order_fills_at_once(client: Client, venue: Venue) -> None:
    first, second = fill(client, venue), fill(client, venue)
    assert first[17] != second[17], "ExecID(17) is unique"
    assert first[37] != second[37], "OrderID(37) is unique"
    client.no_report()


def test_unknown_instrument_is_rejected_in_words(client: Client, venue: Venue) -> None:
    report = report_on(client, send_order(client, venue.unknown), "8", "8")
    assert report[103] == "1", "OrdRejReason(103): unknown symbol"
    assert report[58]
    assert (report[14], report[151], report[6]) == ("0", "0", "0")


def test_order_for_the_desk_is_cancelled_by_the_client(client: Client, venue: Venue) -> None:
    clordid = send_order(client, venue.goes_to_desk)
    new = report_on(client, clordid, "0", "0")
    assert new[151] == venue.goes_to_desk[38]
    cancel = {11: next(CLORDIDS), 41: clordid}
    cancel |= {tag: venue.goes_to_desk[tag] for tag in (55, 48, 22, 54, 38)}
    client.send("F", cancel)
    cancelled = report_on(client, cancel[11], "4", "4")
    assert (cancelled[41], cancelled[37], cancelled[151]) == (clordid, new[37], "0")


def test_cancel_of_an_unknown_order_is_refused(client: Client, venue: Venue) -> None:
    cancel = {11: next(CLORDIDS), 41: "never sent"}
    client.send("F", cancel | {tag: venue.fills[tag] for tag in (55, 48, 22, 54, 38)})
    refused = client.report()
    assert (refused[35], refused[434], refused[102]) == ("9", "1", "1"), refused


def test_sequence_numbers_go_on_after_a_cut_connection(client: Client, venue: Venue) -> None:
    before = int(fill(client, venue)[34])
    client.cut()
    client.wait_for_logon()
    after = int(fill(client, venue)[34])
    assert after > before
    client.no_report()
    assert "2" not in client.sent_types(), "nothing was missed, nothing is asked for"


def test_missed_reports_are_sent_again(client: Client, venue: Venue) -> None:
    first, second = fill(client, venue), fill(client, venue)
    client.session.setNextTargetMsgSeqNum(int(first[34]))  # as if both had been lost
    for original in (first, second):  # the next heartbeat shows the gap
        again = client.report()
        assert again[43] == "Y", "PossDupFlag(43)"
        assert 122 in again, "OrigSendingTime(122)"
        same = (34, 11, 17, 37, 150, 39, 14, 31, 32)
        assert {t: again[t] for t in same} == {t: original[t] for t in same}
    client.no_report()
    fill(client, venue)


def test_session_messages_are_gap_filled_not_sent_again(client: Client, venue: Venue) -> None:
    expected = client.session.getExpectedTargetNum()
    client.admin(sent=False, message_type="0")
    client.admin(sent=False, message_type="0")
    client.session.setNextTargetMsgSeqNum(expected)
    reset = client.admin(sent=False, message_type="4")
    assert (reset[123], reset[43]) == ("Y", "Y")
    assert int(reset[36]) > expected
    fill(client, venue)


def test_our_own_gap_makes_the_server_ask_and_answers_once(client: Client, venue: Venue) -> None:
    expected = client.session.getExpectedSenderNum()
    client.session.setNextSenderMsgSeqNum(expected + 5)
    report = report_on(client, send_order(client, venue.fills), filled(client), "2")
    request = client.admin(sent=False, message_type="2")
    assert int(request[7]) <= expected + 5
    assert report[151] == "0"
    client.no_report()
    fill(client, venue)


def test_logout_is_answered(client: Client) -> None:
    client.session.logout()
    client.admin(sent=False, message_type="5")
    assert client.logged_out.wait(10)
    client.session.logon()
    client.wait_for_logon()
