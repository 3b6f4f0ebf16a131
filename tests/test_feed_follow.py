"""Live adapters: files that grow, folders that fill, and what is sent for what is bad in them."""

import gzip
import json
import signal
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from engine.enums import COUNTED, Phase
from gateway import feed_files, feed_live, feed_source
from gateway.feed_files import FeedError
from gateway.feed_follow import Folder, Tail, make
from gateway.feed_formats import FORMATS, ROW_FORMATS
from gateway.feed_live import EXAMPLES_MAX, Live
from gateway.feed_source import Source
from tests.market_files import ISIN, OTHER, write
from tests.test_feed_json import deep, minute, top

pytestmark = pytest.mark.pure

NOW_NS = 1_780_905_600 * 10**9
HEADER = "isin,mic,time,bid,ask,bid_qty,ask_qty,phase\n"


class Nowhere:
    """A socket that takes everything."""

    def __init__(self, refusals=()):
        self.refusals = list(refusals)
        self.datagrams = []

    def send(self, data):
        if self.refusals and self.refusals.pop(0):
            raise ConnectionRefusedError
        self.datagrams.append(bytes(data))


def live(**given):
    sender = feed_files.Sender(Nowhere(), "x", feed_files.Bar(quiet=True), is_live=True)
    return Live(sender, now_ns=lambda: NOW_NS, **given)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(feed_live, "say", Console(file=StringIO(), force_terminal=False))


def row(second, bid="20", ask="21", bid_qty=1, ask_qty=1, isin=ISIN, phase="", mic="XETR"):
    return f"{isin},{mic},2026-06-08T07:00:{second:02}Z,{bid},{ask},{bid_qty},{ask_qty},{phase}\n"


def read(follower, now_ns=NOW_NS):
    return [quote for stream in follower.streams(now_ns) for quote in stream]


def tail(folder, text="", **given):
    counters = live(**given)
    path = write(folder, "grows.csv", text)
    return path, make(path, "csv", Source(path), counters), counters


def append(path, text):
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


# --- a file that grows ------------------------------------------------------------------------


def test_a_file_that_grows_byte_by_byte(tmp_path):
    text = HEADER + row(1) + row(2, "20.5") + row(3, isin=OTHER, mic="XPAR")
    path, follower, counters = tail(tmp_path)
    got = []
    for byte in text.encode():
        append(path, bytes([byte]))
        got += read(follower)
    assert [(q.mic, q.seq, q.bid_px_e6) for q in got] == [
        ("XETR", 1, 20_000_000), ("XETR", 2, 20_500_000), ("XPAR", 1, 20_000_000),
    ]  # fmt: skip
    assert counters.summary()["bad"] == {}


BAD = [
    ("price", row(3, "-1"), True),
    ("price", row(3, "x"), True),
    ("quantity", row(3, bid_qty=0), True),
    ("quantity", row(3, bid_qty=-1), True),
    ("phase", row(3, phase="open"), True),
    ("time", row(99), True),
    ("crossed", row(3, "22", "21"), True),
    ("isin", row(3, isin="DEZZ00000008"), False),
    ("mic", row(3, mic="xetr"), False),
    ("not_readable", "1,2\n", False),
    ("not_readable", b"\xff\n", False),
    ("not_readable", "x" * 5000 + "\n", False),
    ("not_readable", "x" * 3_000_000 + "\n", False),
    ("time_went_back", row(1), False),
    ("repeated", row(2), False),
]


@pytest.mark.parametrize(("kind", "bad", "withdraws"), BAD, ids=range(len(BAD)))
def test_a_bad_row_is_counted_and_never_leaves_an_old_price(tmp_path, kind, bad, withdraws):
    """Where the row still says its instrument, that has no quote until its next good row."""
    path, follower, counters = tail(tmp_path, HEADER + row(2) + row(2, isin=OTHER))
    assert [q.seq for q in read(follower)] == [1, 2]
    append(path, bad)
    got = read(follower)
    assert [(q.isin, q.seq, *q[5:]) for q in got] == [(ISIN, 3, 0, 0, 0, 0)] * withdraws
    append(path, row(4))
    (after,) = read(follower)
    assert (after.seq, after.bid_px_e6) == (3 + withdraws, 20_000_000)
    done = counters.summary()
    assert done["bad"] == {kind: 1} and len(done["examples"]) == 1
    assert done["withdrawn"] == withdraws and done["instruments"] == 2
    json.dumps(done)


def test_only_the_first_of_each_kind_are_shown(tmp_path):
    _, follower, counters = tail(tmp_path, HEADER + row(1, "x") * 9 + row(1, bid_qty="y"))
    assert read(follower) == []
    done = counters.summary()
    assert done["bad"] == {"price": 9, "quantity": 1}
    assert len(done["examples"]) == EXAMPLES_MAX + 1


def test_an_auction_may_be_crossed(tmp_path):
    _, follower, _ = tail(tmp_path, HEADER + row(1, "22", "21", phase="auction"))
    (quote,) = read(follower)
    assert (quote.phase, quote.bid_px_e6) == (Phase.AUCTION, 22_000_000)


def test_what_is_too_old_is_left_out(tmp_path):
    hour_ns = 3600 * 10**9
    _, follower, counters = tail(tmp_path, HEADER + row(1), age_max_ns=hour_ns - 2 * 10**9)
    assert read(follower) == [] and counters.summary()["bad"] == {"too_old": 1}
    _, follower, counters = tail(tmp_path, HEADER + row(1), age_max_ns=hour_ns)
    assert len(read(follower)) == 1


def test_a_file_that_is_replaced_or_cut_is_begun_anew(tmp_path):
    path, follower, counters = tail(tmp_path, HEADER + row(1) + "half a li")
    assert len(read(follower)) == 1
    append(path, "ne\n" + row(2) + "cut")
    write(tmp_path, "new", HEADER + row(3)).rename(path)
    assert [q.seq for q in read(follower)] == [2, 3]
    path.write_text(HEADER)
    assert read(follower) == []
    append(path, row(4))
    assert [q.seq for q in read(follower)] == [4]
    path.unlink()
    assert read(follower) == []
    write(tmp_path, "grows.csv", HEADER + row(5))
    assert [q.seq for q in read(follower)] == [5]
    assert counters.summary()["bad"] == {"not_readable": 2}


def test_what_cannot_be_followed(tmp_path):
    path = write(tmp_path, "x", "")
    for kind, said in (("lobster", "read as a whole"), ("parquet", "follow the folder"),
                       ("itch", "the formats are")):  # fmt: skip
        with pytest.raises(FeedError, match=said):
            make(path, kind, Source(path), live())
    with pytest.raises(FeedError, match="No such file"):
        make(tmp_path / "none", "csv", Source(path), live())
    path.write_bytes(gzip.compress(b"x"))
    with pytest.raises(FeedError, match="gzip"):
        make(path, "csv", Source(path), live())
    path.write_text("")
    assert set(ROW_FORMATS) < set(FORMATS)
    assert isinstance(make(path, "csv", Source(path), live()), Tail)
    assert isinstance(make(tmp_path, "csv", Source(path), live()), Folder)


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([row(1).encode(), HEADER.encode(), b"\n"]))
)
def test_whatever_a_file_holds_it_is_followed(tmp_path_factory, pieces):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"")
    counters = live()
    follower = make(path, "csv", Source(path), counters)
    last = {}
    for piece in pieces:
        append(path, piece)
        for quote in read(follower):
            assert quote.seq == last.get(quote.mic, 0) + 1
            last[quote.mic] = quote.seq


def test_everything_that_is_kept_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(feed_live, "INSTRUMENTS_MAX", 1)
    _, follower, counters = tail(tmp_path, HEADER + row(1) + row(2, isin=OTHER) + row(3))
    assert [q.isin for q in read(follower)] == [ISIN, ISIN]
    assert counters.summary()["bad"] == {"not_readable": 1}
    monkeypatch.setattr(feed_source, "INSTRUMENTS_MAX", 1)
    monkeypatch.setattr(feed_source, "WORDS_MAX", 1)
    (tmp_path / "new").mkdir()
    follower, counters = folder(tmp_path / "new")
    other = {"instrumentIdentificationCode": OTHER}
    many = [top(1, priceCurrency=word) for word in ("USD", "GBP", "CHF")]
    minute(tmp_path / "new", top(1, bestBid=1, bestBidQty=1), top(1, **other), *many)
    assert [q.isin for q in read(follower, NOW_NS + 10**18)] == [ISIN]
    assert counters.summary()["counts"] == {"currency USD": 1, "currency other": 2, "files": 1}


# --- a folder that fills ----------------------------------------------------------------------


def folder(path, **given):
    counters = live(**given)
    return make(path, "xetr", Source(path), counters), counters


def test_minute_files_as_they_appear(tmp_path):
    follower, counters = folder(tmp_path)
    assert read(follower) == []
    first = minute(tmp_path, top(0, bestBid=1, bestBidQty=1, bestAsk=2, bestAskQty=1), name="b.gz")
    now_ns = first.stat().st_mtime_ns
    assert read(follower, now_ns) == []  # perhaps it is still being written
    (quote,) = read(follower, now_ns)
    assert quote[5:] == (1_000_000, 2_000_000, 1, 1)
    assert read(follower, now_ns) == []
    second = minute(tmp_path, top(9, bestBid=1.5, bestBidQty=3), name="c.gz")
    minute(tmp_path, top(8, bestBid=1.2, bestBidQty=3), "garbage", name="bb.gz")
    minute(tmp_path, name="d.gz")  # a closed minute
    write(tmp_path, ".hidden", "x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "e.gz").write_bytes(second.read_bytes()[:30])
    got = read(follower, now_ns + 60 * 10**9)  # nobody has written for so long
    assert [q[5:] for q in got] == [(1_200_000, 2_000_000, 3, 1), (1_500_000, 2_000_000, 3, 1)]
    assert [q.seq for q in got] == [2, 3]
    done = counters.summary()
    assert done["bad"] == {"not_readable": 2} and done["counts"] == {"files": 5}


def test_a_lost_row_is_no_price_until_both_sides_are_known_again(tmp_path):
    follower, _ = folder(tmp_path)
    minute(
        tmp_path,
        top(0, bestBid=1, bestBidQty=1, bestAsk=2, bestAskQty=1),
        top(1, bestBid=-1, bestBidQty=1),
        top(2, bestBid=1.5, bestBidQty=1),
        top(3, bestAsk=2.5, bestAskQty=1),
        name="a.gz",
    )
    got = read(follower, NOW_NS + 10**18)
    assert [q[5:7] for q in got] == [
        (1_000_000, 2_000_000), (0, 0), (1_500_000, 0), (1_500_000, 2_500_000),
    ]  # fmt: skip


def test_a_folder_that_is_gone_is_counted(tmp_path):
    path = tmp_path / "gone"
    path.mkdir()
    follower, counters = folder(path)
    path.rmdir()
    assert read(follower) == [] and counters.summary()["bad"] == {"not_readable": 1}


def test_a_day_of_orders_begins_with_an_empty_book(tmp_path):
    counters = live()
    follower = make(tmp_path, "lobster-messages", Source(tmp_path, isin=ISIN), counters)
    for day in (21, 22):
        write(tmp_path, f"A_2012-06-{day}_message_9.csv", f"34200,1,{day},5,{day}0000,1\n")
    got = read(follower, NOW_NS + 10**18)
    assert [q[5:] for q in got] == [(21_000_000, 0, 5, 0), (22_000_000, 0, 5, 0)]
    counters.depth_levels = 3
    assert counters.summary()["depth"] == [
        {"bid_px_e6": 22_000_000, "bid_qty": 5, "ask_px_e6": 0, "ask_qty": 0}
    ]


# --- the way to the engine --------------------------------------------------------------------


def test_where_nobody_listens_it_goes_on():
    counters = live()
    counters.sender.sock.refusals = [True, False, False, True, True]
    for number in range(4):
        quote = feed_files.Quote(number + 1, ISIN, "XETR", 0, Phase.CONTINUOUS, 1, 2, 3, 4)
        counters.sender.play(counters.passed(quote), 0, 0)
    assert len(counters.sender.sock.datagrams) == 3
    assert counters.summary()["refusals"] == 3


def test_counters_and_levels_on_a_terminal(tmp_path, monkeypatch):
    shown = StringIO()
    monkeypatch.setattr(feed_live, "say", Console(file=shown, force_terminal=True, width=80))
    minute(tmp_path, deep(1, [(10.5, 300)], [(10.75, 400)]), "garbage", name="a.gz")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        with feed_live.going_live(host, port, depth=5, is_json=False) as counters:
            follower = make(tmp_path, "xetr", Source(tmp_path), counters)
            for stream in follower.streams(NOW_NS + 10**18):
                counters.sender.play(stream, 0, 0)
            monkeypatch.setattr(feed_live, "SHOW_NS", 0)
            counters.sender.bar._due_ns = 0
            counters.sender.bar.show()
        assert len(sock.recv(1000)) == 72
    for word in ("not readable", "files", f"{ISIN} at XETR", "10.75", "400", "left out"):
        assert word in shown.getvalue()


def test_the_command_follows_until_it_is_told_to_stop(tmp_path):
    """Its summary is one document, and every record says that it is counted."""
    path = write(tmp_path, "x.csv", HEADER + row(1) + row(1, "x") + row(2, "20.5"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(30)
        words = ["feed", path, "--format", "csv", "--follow", "--json", "--port"]
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *map(str, words), str(sock.getsockname()[1])],
            cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        data = sock.recv(65_536)
        process.send_signal(signal.SIGTERM)
        shown, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    records = [feed_files.RECORD.unpack_from(data, at) for at in range(0, len(data), 72)]
    assert [(r[2], r[3], r[4]) for r in records] == [
        (1, COUNTED, 20_000_000), (2, COUNTED, 0), (3, COUNTED, 20_500_000),
    ]  # fmt: skip
    done = json.loads(shown)
    assert (done["sent"], done["bad"]) == (3, {"price": 1})
    assert b"left out, price" in said
