"""The socket of a market-data session, from the venue's acceptor to the engine's UDP feed."""

import select
import socket
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from engine.enums import COUNTED
from gateway import feed_files, feed_live
from gateway.feed_fix import FixFeed
from gateway.feed_fix_session import MarketData
from gateway.feed_lines import NS
from gateway.feed_live import Live
from tests.feed_venue import ACCOUNT, START_NS, Venue, cut
from tests.market_files import ISIN

pytestmark = pytest.mark.pure


class Acceptor:
    """A listening socket, stepped by the test: no thread, nothing to wait for but bytes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.connection = None

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def accept(self):
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(10)

    def close(self):
        for each in (self.connection, self.listener):
            if each is not None:
                each.close()


@pytest.fixture
def acceptor():
    made = Acceptor()
    yield made
    made.close()


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def records(receiver, count):
    found = []
    while len(found) < count:
        data = receiver.recv(65_536)
        found += [feed_files.RECORD.unpack_from(data, at) for at in range(0, len(data), 72)]
    return [(r[1].rstrip(b"\0"), *r[2:]) for r in found]


def test_over_sockets_with_a_lost_connection(acceptor, receiver, monkeypatch):
    """Logon, snapshot, changes, the venue hangs up, another connection, our Logout."""
    monkeypatch.setattr(feed_live, "say", Console(file=StringIO()))
    now = [START_NS]
    account = ACCOUNT._replace(port=acceptor.port)
    session = MarketData(account, "XPAR", (ISIN,))
    v = Venue(session)

    def heard(kind):
        """Step until the venue has read this."""
        data = b""
        for _ in range(100):
            feed.step(0)
            waiting = select.poll()  # a test process may have more than select() can count
            waiting.register(acceptor.connection, select.POLLIN)
            if waiting.poll(10):
                data += acceptor.connection.recv(65_536)
            if b"\x0135=%s\x01" % kind in data:
                return cut(data)
        raise AssertionError(f"no {kind} but {data}")

    def said(data, until):
        acceptor.connection.sendall(data)
        for _ in range(100):
            feed.step(0.1)
            if until():
                return
        raise AssertionError("not taken")

    def begin():
        feed.step(0)
        acceptor.accept()
        v.numbers()
        heard(b"A")
        acceptor.connection.sendall(v.write("A", "98=0|108=30|141=Y|"))
        (request,) = [dict(pairs) for pairs in heard(b"V")]
        v.asked[ISIN] = request[262]

    with feed_files.connect(*receiver.getsockname()) as sock:
        sender = feed_files.Sender(sock, "x", feed_files.Bar(quiet=True), is_live=True)
        live = Live(sender, now_ns=lambda: now[0])
        feed = FixFeed(session, live, refresh_ns=NS, now_ns=lambda: now[0])
        begin()
        body = f"262={v.asked[ISIN]}|55={ISIN}|268=2|269=0|270=10|271=5|269=1|270=12|271=3|"
        said(v.write("W", body), lambda: sender.sent == 1)
        now[0] += NS  # a quote that stands is said again
        feed.step(0)
        assert sender.sent == 2
        acceptor.connection.close()
        said_before = len(live.examples)
        for _ in range(100):
            feed.step(0.1)
            if sender.sent == 3:
                break
        assert len(live.examples) == said_before + 1
        now[0] += NS
        begin()
        body = f"262={v.asked[ISIN]}|55={ISIN}|268=1|269=0|270=9|271=1|"
        said(b"noise" + v.write("W", body), lambda: sender.sent == 4)
        feed.stop()
        assert [dict(pairs)[35] for pairs in cut(acceptor.connection.recv(65_536))] == ["5"]
        bid, ask = 10_000_000, 12_000_000
        assert records(receiver, 5) == [
            (b"XPAR", 1, COUNTED, bid, ask, 5, 3),
            (b"XPAR", 2, COUNTED, bid, ask, 5, 3),
            (b"XPAR", 3, COUNTED, 0, 0, 0, 0),
            (b"XPAR", 4, COUNTED, 9_000_000, 0, 1, 0),
            (b"XPAR", 5, COUNTED, 0, 0, 0, 0),
        ]
        done = live.summary()
        assert done["counts"] == {"connections": 2, "books": 0}
        assert done["bad"] == {"not_readable": 1, "session": 2}


def test_a_venue_that_is_not_there_is_tried_ever_less_often(acceptor, monkeypatch):
    monkeypatch.setattr(feed_live, "say", Console(file=StringIO()))
    port = acceptor.port
    acceptor.close()
    now = [START_NS]
    session = MarketData(ACCOUNT._replace(port=port), "XPAR", (ISIN,))
    sender = feed_files.Sender(None, "x", feed_files.Bar(quiet=True), is_live=True)
    live = Live(sender, now_ns=lambda: now[0])
    feed = FixFeed(session, live, now_ns=lambda: now[0])
    tried = []
    for second in range(130):
        before = live.bad.total()
        feed.step(0)
        tried += [second] * (live.bad.total() > before)
        now[0] += NS
    assert tried == [0, 1, 3, 7, 15, 31, 61, 91, 121]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--isin", ISIN], "is no HOST:PORT"),
        (["a:99999", "--isin", ISIN], "is no HOST:PORT"),
        (["a:1", "--isin", "DE1"], "--isin 'DE1'"),
        (["a:1", "--isin", ISIN, "--username", "me"], "set its password in SI_FEED_PASSWORD"),
        (["a:1", "--isin", ISIN, "--mic", "xpar"], "--mic 'xpar'"),
    ],
)
def test_the_command_refuses(words, said, monkeypatch):
    from gateway.cli import app

    monkeypatch.delenv("SI_FEED_PASSWORD", raising=False)
    shared = ["feed-fix", "--sender", "US", "--target", "VENUE"]
    shared += [] if "--mic" in words else ["--mic", "XPAR"]
    done = CliRunner().invoke(app, shared + words)
    assert done.exit_code == 1 and said in " ".join(done.stderr.split())
