"""Market data files on their way: the datagrams, the pace, the command, the real files."""

import socket
import struct
import time
from decimal import Decimal
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from engine import schema
from engine.enums import Phase
from gateway import feed_files
from gateway.feed_files import FORMATS, FeedError, Quote, encode, play, quotes
from tests.market_files import GETTEX, GOING, ISIN, SEMICOLON, write

REAL = Path(__file__).parents[2] / "shared" / "data" / "bbo"
COPIED = "no real market data beside the repository"

# --- datagrams --------------------------------------------------------------------------------


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def received(sock, count):
    """Datagrams until `count` records are there, decoded by the engine's own dtype.

    Played files are not counted: several may be played at once.
    """
    sizes, rows = [], []
    while sum(sizes) < count:
        records = np.frombuffer(sock.recv(65_536), schema.venue_quote)
        sizes.append(len(records))
        rows += [
            (schema.unpack(r["isin"]), schema.unpack(r["mic"]), *(int(x) for x in list(r)[2:]))
            for r in records
        ]
    return sizes, rows


def send(sock, path, kind, **options):
    host, port = sock.getsockname()
    given = {"isin": "", "mic": "", "speed": 0.0} | options
    return play(path, kind, host=host, port=port, **given)


def seconds(path, *times):
    text = "".join(f"2026-06-08T08:00:{s:04.1f}Z;20;21;{i};2\n" for i, s in enumerate(times, 1))
    return write(path, SEMICOLON, text)


def test_the_record_is_as_documented():
    assert schema.venue_quote.itemsize == 72
    offsets = {name: field[1] for name, field in schema.venue_quote.fields.items()}
    assert offsets == {
        "isin": 0, "mic": 16, "seq": 24, "phase": 32,
        "bid_px_e6": 40, "ask_px_e6": 48, "bid_qty": 56, "ask_qty": 64,
    }  # fmt: skip
    quote = Quote(9, ISIN, "XETR", 7, Phase.HALTED, 20_010_000, 20_020_000, 100, 2**40)
    numbers = struct.pack("<6q", 7, 2 + 256, 20_010_000, 20_020_000, 100, 2**40)
    assert encode(quote, counted=True) == ISIN.encode() + bytes(4) + b"XETR" + bytes(4) + numbers
    (record,) = np.frombuffer(encode(quote), schema.venue_quote)
    assert record["phase"] == Phase.HALTED
    assert record["isin"].tolist() == schema.pack(ISIN, 2)
    assert record["mic"] == schema.pack("XETR")


def test_the_example_of_the_document_sends_a_record(receiver):
    text = (Path(feed_files.__file__).parent / "FEED.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    port = str(receiver.getsockname()[1])
    exec(code.replace("9879", port) + "\nsock.close()\n", {})
    assert received(receiver, 1) == (
        [1],
        [("DE0005933931", "XETR", 1, 0, 202_250_000, 202_350_000, 6126, 6112)],
    )


def test_all_at_once_in_full_datagrams(tmp_path, receiver):
    path = seconds(tmp_path, *(0 for _ in range(45)))
    assert send(receiver, path, "semicolon") == 45
    sizes, rows = received(receiver, 45)
    assert sizes == [20, 20, 5]
    assert rows == [tuple(q[1:]) for q in quotes(path, "semicolon")]


def test_at_the_recorded_pace(tmp_path, receiver):
    path = seconds(tmp_path, 1, 1, 2, 2, 2, 3.5, 1.5)  # the last is out of order: at once
    began = time.monotonic()
    assert send(receiver, path, "semicolon", speed=4) == 7
    assert time.monotonic() - began >= 0.625
    sizes, rows = received(receiver, 7)
    assert sizes == [2, 3, 2]
    assert [row[2] for row in rows] == [1, 2, 3, 4, 5, 6, 7]


class Clock:
    """Time that passes only in sleep, and a socket that notes when it was written to."""

    def __init__(self, late_ns=0):
        self.now_ns = 0
        self.late_ns = late_ns  # of each wake-up
        self.sent = []

    def monotonic_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9) + self.late_ns

    def send(self, data):
        self.sent.append((self.now_ns, len(data) // 72))


@pytest.mark.parametrize("late_ns", [0, 60_000, 1_000_000, 50_000_000])
def test_a_reader_of_fifty_thousand_a_second_is_never_overrun(tmp_path, monkeypatch, late_ns):
    """At once, however late the machine wakes us: never more than a small receive buffer holds."""
    clock = Clock(late_ns)
    monkeypatch.setattr(feed_files, "time", clock)
    path = seconds(tmp_path, *(0 for _ in range(5_000)))
    with feed_files.Bar() as bar:
        sender = feed_files.Sender(clock, "clock", bar)
        sender.play(quotes(path, "semicolon"), 0.0, 0)
    assert sum(records for _, records in clock.sent) == 5_000
    backlog, before_ns = 0.0, 0
    for at_ns, records in clock.sent:
        backlog = max(0.0, backlog - (at_ns - before_ns) * 50_000 / 1e9) + records
        assert backlog <= 240  # 12 datagrams; the smallest buffer of Linux takes that many
        before_ns = at_ns
    if late_ns <= 60_000:
        assert clock.now_ns < 1.05 * 250 * feed_files.DATAGRAM_NS  # nor slower than it may


def test_nothing_of_a_bad_file_is_sent(tmp_path, receiver):
    path = write(
        tmp_path, SEMICOLON, "2026-06-08T08:00:00Z;20;21;1;2\n2026-06-08T08:00:00Z;0;1;1;1\n"
    )
    with pytest.raises(FeedError, match=":2: column 'bid' value '0'"):
        send(receiver, path, "semicolon")
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(1)


def test_again_and_again_until_it_is_interrupted(tmp_path, receiver, monkeypatch):
    """Rounds are one recorded second apart and `seq` goes on."""
    path = seconds(tmp_path, 1, 2)
    sleep = time.sleep

    def interrupted(seconds_left):
        if interrupted.calls == 12:
            raise KeyboardInterrupt
        interrupted.calls += 1
        sleep(seconds_left)

    interrupted.calls = 0
    monkeypatch.setattr(feed_files.time, "sleep", interrupted)
    count = send(receiver, path, "semicolon", speed=50, loop=True)
    assert count >= 5
    _, rows = received(receiver, count)
    assert [row[2] for row in rows] == list(range(1, count + 1))
    assert [row[6] for row in rows] == [1 + i % 2 for i in range(count)]


def test_what_is_left_out_is_said(tmp_path, receiver, capfd):
    text = "".join(f"{ISIN},20:45:18,{c},97,2,98,3\n" for c in ("EUR", "USD", "USD", "GBP"))
    assert send(receiver, write(tmp_path, GETTEX, text), "gettex") == 1
    assert "left out, as not in EUR: 2 in USD, 1 in GBP" in capfd.readouterr().err


def test_an_empty_file_is_played(tmp_path, receiver):
    path = write(tmp_path, GETTEX, "")
    assert send(receiver, path, "gettex") == 0
    assert send(receiver, path, "gettex", loop=True) == 0
    with pytest.raises(FeedError, match=f"no quote of {ISIN}"):
        send(receiver, path, "gettex", isin=ISIN)


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf"), 1e-9, 1e7])
def test_a_speed_out_of_range(tmp_path, receiver, speed):
    with pytest.raises(FeedError, match="--speed"):
        send(receiver, seconds(tmp_path, 1), "semicolon", speed=speed)


def test_a_bar_comes_on_a_terminal_when_it_takes_long(tmp_path, receiver, monkeypatch):
    path = seconds(tmp_path, 1, 2)
    for after_ns, terminal, shown in ((0, True, True), (0, False, False), (10**10, True, False)):
        text = StringIO()
        monkeypatch.setattr(feed_files, "say", Console(file=text, force_terminal=terminal))
        monkeypatch.setattr(feed_files, "BAR_AFTER_NS", after_ns)
        assert send(receiver, path, "semicolon", speed=5) == 2
        assert ("playing" in text.getvalue()) is shown


def test_nobody_listens(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    path = seconds(tmp_path, 1)
    given = {"isin": "", "mic": "", "speed": 0.0, "port": port}
    with pytest.raises(FeedError, match="nobody listens"):
        play(path, "semicolon", host="127.0.0.1", **given)
    with pytest.raises(FeedError, match="--host a b"):
        play(path, "semicolon", host="a b", **given)


# --- the command ------------------------------------------------------------------------------


def command(*words):
    from gateway.cli import app

    return CliRunner().invoke(app, ["feed", *map(str, words)])


def test_the_command_plays(tmp_path, receiver):
    port = receiver.getsockname()[1]
    path = seconds(tmp_path, 1, 1)
    done = command(path, "--format", "semicolon", "--speed", 0, "--port", port, "--mic", "XPAR")
    assert (done.exit_code, done.stdout) == (0, f"2 quotes sent to 127.0.0.1:{port}\n")
    assert [row[1] for row in received(receiver, 2)[1]] == ["XPAR", "XPAR"]


def test_the_command_names_the_formats(tmp_path):
    done = command(seconds(tmp_path, 1), "--format", "itch")
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert f"'itch' is unknown; the formats are {', '.join(FORMATS)}" in said


def test_the_command_shows_a_bad_value_as_it_is(tmp_path):
    """Square brackets in a value are no markup."""
    path = write(tmp_path, SEMICOLON, "2026-06-08T08:00:00Z;[/];21;1;2\n")
    done = command(path, "--format", "semicolon")
    assert done.exit_code == 1 and "'[/]'" in done.stderr


# --- real files -------------------------------------------------------------------------------

REAL_SEMICOLON = [
    ("xetra_DE0005933931_20260608_0800-0801.txt", "XETR", 112,
     (1_780_905_600, 202_250_000, 202_350_000, 6126, 6112),
     (1_780_905_719, 202_150_000, 202_250_000, 729, 729)),
    ("ls_DE0005933931_20260608_0800-0801.txt", "LSSI", 33,
     (1_780_905_609, 202_250_000, 202_300_000, 743, 743),
     (1_780_905_709, 202_150_000, 202_250_000, 743, 743)),
    ("eix_DE0005933931_20260608_0759-0801.txt", "EIXX", 31,
     (1_780_905_592, 202_250_000, 202_350_000, 500, 500),
     (1_780_905_706, 202_150_000, 202_250_000, 500, 500)),
]  # fmt: skip


@pytest.mark.skipif(not REAL.is_dir(), reason=COPIED)
@pytest.mark.parametrize(("name", "mic", "rows", "first", "last"), REAL_SEMICOLON)
def test_real_semicolon(name, mic, rows, first, last):
    given = {"mic": mic} if mic == "EIXX" else {}  # a stand-in: the file does not say
    got = list(quotes(REAL / name, "semicolon", **given))
    assert [(q.time_ns // 10**9, *q[5:]) for q in (got[0], got[-1])] == [first, last]
    assert [q.seq for q in got] == list(range(1, rows + 1))
    assert {(q.isin, q.mic, q.phase) for q in got} == {("DE0005933931", mic, 0)}
    fields = [line.split(";") for line in (REAL / name).read_text().splitlines()]
    assert [tuple(Decimal(v) for v in f[1:]) for f in fields] == [
        (Decimal(q.bid_px_e6) / 10**6, Decimal(q.ask_px_e6) / 10**6, q.bid_qty, q.ask_qty)
        for q in got
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason=COPIED)
def test_real_lobster():
    name = "lobster_AMZN_2012-06-21_orderbook_1.csv"
    got = list(quotes(REAL / name, "lobster", isin="US0231351067"))
    assert len(got) == 57_515
    assert got[0][:1] + got[0][5:] == (
        1_340_285_400_017_459_617, 223_180_000, 223_950_000, 100, 100,
    )  # fmt: skip
    assert got[-1][:1] + got[-1][5:] == (
        1_340_308_799_959_359_650, 220_510_000, 220_640_000, 249, 100,
    )  # fmt: skip
    assert {(q.isin, q.mic, q.phase) for q in got} == {("US0231351067", "XNAS", 0)}
    for quote, line in zip(got, (REAL / name).read_text().splitlines(), strict=True):
        ask, ask_size, bid, bid_size = (int(value) for value in line.split(";"))
        assert quote[5:] == (bid * 100, ask * 100, bid_size, ask_size)


@pytest.mark.skipif(not REAL.is_dir(), reason=COPIED)
def test_real_feedos():
    got = list(quotes(REAL / "feedos_santander_ES0113900J37_20180507.txt", "feedos"))
    at_ns = 1_525_701_281_208_000_000
    assert got == [
        Quote(at_ns + after_ms * 10**6, "ES0113900J37", "XMAD", seq, GOING, *sides)
        for seq, after_ms, sides in [
            (1, 0, (5_379_000, 5_382_000, 7564, 10569)),
            (2, 1791, (5_379_000, 5_382_000, 8428, 10569)),
            (3, 4149, (5_379_000, 5_382_000, 11348, 10569)),
            (4, 4550, (5_380_000, 5_382_000, 3958, 10569)),
        ]
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason=COPIED)
def test_a_real_file_arrives_whole(receiver):
    path = REAL / "xetra_DE0005933931_20260608_0800-0801.txt"
    assert send(receiver, path, "semicolon") == 112
    sizes, rows = received(receiver, 112)
    assert sizes == [20] * 5 + [12]
    assert rows == [tuple(q[1:]) for q in quotes(path, "semicolon")]
