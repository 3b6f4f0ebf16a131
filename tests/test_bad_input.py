"""What goes wrong around a running engine: a typo, bad reference data, a full disk, a bad journal.

The process either says what is wrong, with the place, and exits with 1, or starts and refuses what
it cannot do for certain; it never loses what it has answered.
"""

import contextlib
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_peer import Client, Closed, Member, order
from tests.session_rig import ASK, BID, ISIN
from tests.venue import Engine, running, sample, si, venue_quote

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


def refused(folder: Path) -> str:
    """`si serve` does not start; what it says."""
    done = si("serve", folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# --- configuration ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `si init` makes it."""
    folder = tmp_path_factory.mktemp("config") / "si"
    assert si("init", folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("stale_ms = 5000", "stale_msec = 5000", "quoting.stale_msec: no such setting: a typo?"),
        ('discretionary = "desk"', 'discretionary = "dealers"', "quoting.discretionary"),
        ("port = 9878", "port = 98780", "fix.port"),
        ('client = "client2"', 'client = "client3"', "client 'client3' of session SI->CLIENT2"),
        ('mic = "SINT"', 'mic = "SINT', "line"),
        ('policy = "ticks"', 'policy = "tick"', "'tick' is none of"),
        ('regime = "auto"', 'regime = "eu-2019"', "'eu-2019' is none of"),
        ('"instruments.csv"', '"instrument.csv"', "instrument.csv"),
    ],
)
def test_a_typo_is_named_with_its_line(
    ready: Path, tmp_path: Path, right: str, wrong: str, words: str
) -> None:
    folder = tmp_path / "si"
    shutil.copytree(ready, folder)
    path = folder / "si.toml"
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    said = refused(folder)
    assert words in said
    if ": no such setting" in words or words.startswith(("quoting", "fix.port")):
        line = text[: text.index(right)].count("\n") + 1
        assert f"si.toml, line {line}:" in said
    assert not (folder / "journal").exists() or not list((folder / "journal").glob("snap*"))


def test_no_folder(tmp_path: Path) -> None:
    assert "si init" in refused(tmp_path / "nothing")


# --- reference data ---------------------------------------------------------------------------


def test_bad_thresholds_fail_closed(tmp_path: Path) -> None:
    folder = sample(tmp_path / "si")
    path = folder / "instruments.csv"
    comment, header, *lines = path.read_text().splitlines()
    column = {name: place for place, name in enumerate(header.split(","))}
    liquid = [line.split(",") for line in lines if ",XETR,Y,Y," in line][:4]
    missing, zero, twice, good = (fields[0] for fields in liquid)
    changed = []
    for line in lines:
        fields = line.split(",")
        if fields[0] == missing:
            fields[column["sms_eur"]] = ""
        if fields[0] == zero:
            fields[column["lis_eur"]] = "0"
        changed.append(",".join(fields))
        if fields[0] == twice:
            fields[column["sms_eur"]] = "999"
            changed.append(",".join(fields))
    path.write_text("\n".join([comment, header, *changed]) + "\n")
    with running(folder) as engine:
        assert "3 closed for want of a threshold" in engine.said()
        client = Client(engine)
        client.logon()
        for isin in (missing, zero, twice, good):
            engine.quote(isin, "100.00", "100.50")
        for isin in (missing, zero, twice):
            client.send("D", order(isin, isin, 1))
            report = client.expect("8", t11=isin, t150=8)
            assert report[58] == f"SI-INST no published SMS or LIS: 48={isin}"
        client.send("D", order(good, good, 1))
        client.expect("8", t11=good, t150="F")
        client.logout()
    engine.verify()


def test_reference_data_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = sample(tmp_path / "si")
    path = folder / "instruments.csv"
    path.write_text(path.read_text().replace(",XETR,Y,Y,19000,", ",XETR,Y,Y,19k,", 1))
    said = refused(folder)
    assert "instruments.csv:" in said and "sms_eur" in said and "19k" in said


# --- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for three segments of the journal."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs root to mount a small disk: {error}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def flood_until_full(engine: Engine) -> None:
    """Quotes that change, until the engine says that there is no space."""
    deadline = time.monotonic() + 60
    number = 0
    while "no space for the journal" not in engine.said():
        assert time.monotonic() < deadline, engine.said()
        for _ in range(100):
            number += 1
            bid = f"{344 + number % 7}.40"
            ask = f"{344 + number % 7}.50"
            engine.feed_records(20 * venue_quote(ISIN, bid, ask))
        time.sleep(0.01)


def test_a_full_disk_stops_trading_until_there_is_room(small_disk: Path) -> None:
    folder = small_disk / "si"
    sample(folder)
    with running(folder) as engine:
        member = Member(engine)
        member.log_on()
        engine.quote(ISIN, BID, ASK)
        member.send("D", order("before", ISIN, 10))
        flood_until_full(engine)
        engine.feed_records(venue_quote(ISIN, BID, ASK))  # stays in the socket: it is not read
        member.send("D", order("full", ISIN, 10))
        await_reports(member, 2)
        assert [report[150] for report in member.reports.values()] == ["F", "8"]
        assert "SI-NOQUOTE-KILL" in list(member.reports.values())[1][58]
        subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
        deadline = time.monotonic() + 10
        while "space for the journal again" not in engine.said():
            assert time.monotonic() < deadline, engine.said()
            time.sleep(0.1)
        member.send("D", order("after", ISIN, 10))
        await_reports(member, 3)
        assert list(member.reports.values())[2][150] == "F"
        member.close()
    engine.verify()


def await_reports(member: Member, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(member.reports) < count:
        assert time.monotonic() < deadline
        member.poll(0.1)


def send_until_closed(member: Member) -> None:
    """Fill up what is left with large messages, up to the Logout."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(Closed):
        while True:
            assert time.monotonic() < deadline
            for _ in range(20):
                member.send("0", [(58, "x" * 16_000)])
            member.poll()
            if "space" in member.last_text:
                member.send("5")
    member.close()


def test_a_disk_that_stays_full_ends_in_order(small_disk: Path) -> None:
    """Sessions are logged out; with room again all is there, and trading waits for a person."""
    folder = small_disk / "si"
    sample(folder)
    engine = Engine(folder)
    try:
        engine.start()
        member = Member(engine)
        member.log_on()
        engine.quote(ISIN, BID, ASK)
        member.send("D", order("before", ISIN, 10))
        await_reports(member, 1)
        flood_until_full(engine)
        assert engine.process is not None
        send_until_closed(member)
        engine.process.wait(10)
        assert engine.process.returncode == 1, engine.said()
        assert "no space for the journal" in engine.said()
        assert "space" in member.last_text
        subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
        engine.verify()
        engine.start()
        assert "stopped by the kill switch" in engine.said()
        member.log_on()
        assert engine.stop() == 0
        member.close()
    finally:
        engine.end()


# --- a bad journal ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal of some trades, left behind by a killed engine."""
    folder = sample(tmp_path_factory.mktemp("journal") / "si")
    engine = Engine(folder)
    try:
        engine.start()
        engine.quote(ISIN, BID, ASK)
        client = Client(engine)
        client.logon()
        for number in range(20):
            client.send("D", order(f"j{number}", ISIN, 10))
            client.expect("8", t150="F")
        engine.kill()
        client.close()
    finally:
        engine.end()
    return folder


def frames(path: Path) -> list[tuple[int, int, int]]:
    """Offset, size and kind of every frame, read from the description of the format."""
    data = path.read_bytes()
    found, offset = [], 0
    while size := struct.unpack_from("<q", data, offset)[0]:
        found.append((offset, size, struct.unpack_from("<q", data, offset + 24)[0]))
        offset += size
    return found


@pytest.fixture
def copy(traded: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "si"
    shutil.copytree(traded, folder, ignore=shutil.ignore_patterns("*.sock"))
    return folder


def segment(folder: Path) -> Path:
    return folder / "journal" / "segment-000000.journal"


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize("place", [0, 8, 100])
def test_a_flipped_bit_within_the_journal_refuses_to_start(copy: Path, place: int) -> None:
    offset, _, _ = frames(segment(copy))[-10]
    before = segment(copy).read_bytes()
    flip(segment(copy), offset + place)
    damaged = segment(copy).read_bytes()
    assert before != damaged
    said = refused(copy)
    assert "segment-000000.journal" in said and f"byte {offset}" in said
    assert "restore" in said
    assert segment(copy).read_bytes() == damaged, "what is left is left alone"
    done = si("replay", copy, "--verify")
    assert done.returncode == 1 and f"byte {offset}" in done.stderr


@pytest.mark.parametrize("cut", ["torn", "flipped", "without its answer"])
def test_a_torn_tail_is_cut_and_completed(copy: Path, cut: str) -> None:
    """The last frame is the answer to the last order: it comes again, the same."""
    path = segment(copy)
    whole = frames(path)
    last, size, kind = whole[-1]
    assert kind == 20, "EXECUTION"
    original = path.read_bytes()
    if cut == "flipped":
        flip(path, last + size // 2)
    else:
        with path.open("r+b") as file:
            file.truncate(last + (size // 2 if cut == "torn" else 0))
    with running(copy) as engine:
        assert "completed" in engine.said()
        member = Member(engine)
        member.next_out = 22  # a Logon and twenty orders came before
        member.log_on()
        await_reports(member, 20)
        assert [report[11] for report in member.reports.values()] == [f"j{n}" for n in range(20)]
        member.close()
    assert path.read_bytes()[: last + size] == original[: last + size]
    engine.verify()


def test_a_missing_segment_is_named(copy: Path) -> None:
    (copy / "journal" / "segment-000002.journal").write_bytes(b"")
    assert "segment-000001.journal is missing" in refused(copy)
