"""The drop copy: every report of the clients once and in order, whatever happens to either side."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from engine import journal as jn
from engine import schema
from gateway import config as configuration
from gateway import drop_copy, template
from gateway.cli_drop_copy import dropcopy
from gateway.drop_copy import DropCopyServer
from gateway.drop_copy_config import DropCopy, DropCopySession
from gateway.drop_copy_feed import Feed, JournalChanged, Place
from gateway.drop_copy_report import copy_of, header_of
from gateway.drop_copy_store import HEAD_SIZE, Store, StoreDamaged
from gateway.errors import UserError
from gateway.fix_message import again
from gateway.fix_pairs import framed
from gateway.journal_schema import WrongSchema
from tests import rig
from tests.drop_copy_rig import CONFIG
from tests.fix_peer import Client, Fields, Terms, parsed, stamp
from tests.fix_text import message
from tests.journal_rig import (
    SEGMENT,
    TS_NS,
    JournalRig,
    opened,
    report,
    use_small_segments,
)

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_segments(monkeypatch)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalRig]:
    yield from opened(tmp_path / "journal")


# --- the copy itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
@pytest.mark.parametrize("msg_type", ["8", "9"])
def test_a_copy_has_the_body_of_the_original(begin: Any, msg_type: str) -> None:
    config = DropCopySession(sender_comp_id="DC", target_comp_id="COPY", begin_string=begin)
    more = "50=me|58=why|1=ACC|453=1|448=X|447=D|452=3|"
    raw = report("CLIENT1", 7, more=more, msg_type=msg_type)
    copied = copy_of(raw, header_of(config), 12, TS_NS)
    assert copied.startswith(f"8={begin}\x01".encode())
    got = parsed(copied)
    head = {8: begin, 34: "12", 49: "DC", 56: "COPY", 115: "CLIENT1", 35: msg_type}
    head[52] = "20251201-10:00:00.000000"
    if msg_type == "8" and begin != "FIX.4.2":
        head[797] = "Y"
    of_session = {8, 9, 10, 34, 49, 50, 52, 56}
    body = {tag: value for tag, value in parsed(raw).items() if tag not in of_session}
    assert {tag: value for tag, value in got.items() if tag not in (9, 10)} == body | head
    assert copied.index(b"\x01115=") < copied.index(b"\x0137=")


def test_groups_and_data_are_copied_as_they_are() -> None:
    more = "453=2|448=A|447=D|452=1|448=B|447=D|452=3|354=3|355=a\x01b|"
    copied = copy_of(report("CLIENT1", 1, more=more), header_of(CONFIG), 1, TS_NS)
    assert more.replace("|", "\x01").encode() in copied
    dates = b"43=Y\x0152=20251201-10:00:01.000000\x01122=20251201-10:00:00.000000\x01"
    inner = copied[copied.index(b"35=") : -7]
    inner = inner.replace(b"52=20251201-10:00:00.000000\x01", dates)
    assert again(copied, TS_NS + 10**9) == framed(b"FIX.4.4", inner)


# --- the feed -----------------------------------------------------------------------------------


def test_the_feed_has_reports_only_and_of_the_clients_only(journal: JournalRig) -> None:
    journal.order(2)
    journal.report(0)
    journal.report(1, msg_type="9")
    journal.quote()
    journal.put(jn.FIX_RESENT, 0, journal.sent[0].raw)
    journal.put(jn.FIX_OUT, 0, message("35=0|49=SI|56=CLIENT1|34=3|52=x|"))
    journal.report(1)
    journal.report(0, kind=jn.FIX_OUT)

    def found(*clients: str) -> list[bytes]:
        return [each.raw for each in Feed(journal.folder, clients, None).take(10**6)]

    everything = [sent.raw for sent in journal.sent]
    assert found() == found("client1", "client2") == everything
    assert found("client1") == [everything[0], everything[3]]
    assert found("client2") == everything[1:3]
    assert found("client3") == []
    names = [each.client for each in Feed(journal.folder, (), None).take(99)]
    assert names == ["client1", "client2", "client2", "client1"]


def test_the_feed_follows_new_segments_and_goes_on_anywhere(journal: JournalRig) -> None:
    feed = Feed(journal.folder, (), None)
    found = []
    for n in range(200):
        journal.report(n % 2)
        found += feed.take(n % 3)
    found += feed.take(10**6)
    assert journal.files.index >= 2
    assert [each.raw for each in found] == [sent.raw for sent in journal.sent]
    assert [each.place.position for each in found] == [sent.position for sent in journal.sent]
    for n in (0, 57, 199):
        rest = Feed(journal.folder, (), found[n].place).take(10**6)
        assert [each.raw for each in rest] == [sent.raw for sent in journal.sent[n + 1 :]]
    late = Feed(journal.folder, (), found[57].place)
    assert late.count() == 142 and late.count() == 0


def test_the_feed_may_come_before_the_journal(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "journal", (), None)
    assert feed.take(9) == []
    written = JournalRig(tmp_path / "journal")
    written.report()
    assert len(feed.take(9)) == 1
    written.close()


def test_another_journal_is_copied_from_its_start(journal: JournalRig, tmp_path: Path) -> None:
    journal.report()
    journal.report()
    last = Feed(journal.folder, (), None).take(99)[-1].place
    other = JournalRig(tmp_path / "other", boot=2)
    other.report()
    assert [r.raw for r in Feed(other.folder, (), last).take(99)] == [other.sent[0].raw]
    other.close()


@pytest.mark.parametrize("change", [{"mark": 1}, {"position": 64}, {"position": 1 << 30}])
def test_a_journal_without_what_was_copied_is_refused(
    journal: JournalRig, change: dict[str, int]
) -> None:
    journal.report()
    place = Feed(journal.folder, (), None).take(99)[-1].place
    feed = Feed(journal.folder, (), place._replace(**change))
    with pytest.raises(JournalChanged, match=r"not there any more: restore"):
        feed.take(9)


def test_a_journal_of_another_version_is_refused(journal: JournalRig) -> None:
    journal.put(jn.BOOT, -1, rig.row(schema.boot, schema_hash=5).tobytes())
    with pytest.raises(WrongSchema, match="0000000000000005"):
        Feed(journal.folder, (), None).take(99)


# --- the store ----------------------------------------------------------------------------------

PLACES = st.builds(Place, *[st.integers(-(2**63), 2**63 - 1)] * 3)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("put_copy"), st.binary(min_size=1, max_size=90), PLACES),
        st.tuples(st.just("put_admin"), st.binary(min_size=1, max_size=90)),
        st.tuples(st.just("expect"), st.integers(1, 99)),
        st.tuples(st.just("reset")),
        st.tuples(st.just("linked"), st.booleans()),
    ),
    max_size=12,
)


def state(store: Store) -> tuple[object, ...]:
    messages = [store.message(number) for number in range(store.next_out + 2)]
    return store.next_out, store.next_in, store.copied, store.copies, store.logged_on, messages


@given(WRITES, st.data())
def test_a_store_comes_back_whole_or_without_its_last_write(writes: Any, data: Any) -> None:
    with TemporaryDirectory() as name:
        store = Store(Path(name))
        states, sizes = [state(store)], [0]
        for ts_ns, (write, *arguments) in enumerate(writes):
            getattr(store, write)(*arguments, ts_ns)
            if store.size > sizes[-1]:
                states.append(state(store))
                sizes.append(store.size)
        store.close()
        content = store.path.read_bytes()
        assert len(content) == sizes[-1]
        size = data.draw(st.integers(0, len(content)))
        zeros = bytes(data.draw(st.integers(0, 200)))
        store.path.write_bytes(content[:size] + (zeros if size in sizes else b""))
        expected = max(n for n, end in enumerate(sizes) if end <= size)
        for write in (False, True):
            again = Store(Path(name), write=write)
            assert state(again) == states[expected] and again.size == sizes[expected]
            again.close()
        assert store.path.stat().st_size == sizes[expected]


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(3):
        store.put_admin(b"x" * 20, number)
    store.close()
    content = bytearray(store.path.read_bytes())
    for at in (3, 4, 9, 20, HEAD_SIZE + 5):
        content[at] ^= 1
        store.path.write_bytes(content)
        with pytest.raises(StoreDamaged, match=r"byte 0: damaged; .*restore the file"):
            Store(tmp_path)
        content[at] ^= 1
    store.path.write_bytes(content)
    assert Store(tmp_path, write=False).next_out == 4


def test_a_full_disk_leaves_the_store_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.put_admin(b"first", 1)
    whole = store.path.read_bytes()
    write: Callable[[int, bytes], int] = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
        with pytest.raises(OSError, match="no space left"):
            store.put_admin(b"second", 2)
    assert store.path.read_bytes() == whole and store.next_out == 2
    store.put_admin(b"second", 2)
    store.close()
    assert Store(tmp_path, write=False).next_out == 3


# --- the process --------------------------------------------------------------------------------


def session(target: str, *clients: str, begin: Any = "FIX.4.4") -> DropCopySession:
    return DropCopySession(
        sender_comp_id="SI", target_comp_id=target, clients=list(clients), begin_string=begin
    )


class Wired:
    """A server and a client in one thread: a turn of the one for each look of the other."""

    def __init__(self, server: DropCopyServer, comp_id: str) -> None:
        self.server, self.comp_id, self.next_out = server, comp_id, 1
        self.buffer = b""
        self.closed = False
        self.socket: socket.socket

    def connect(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setblocking(False)

    def send(self, msg_type: str, fields: Terms = ()) -> None:
        head = f"35={msg_type}|34={self.next_out}|49={self.comp_id}|56=SI|52={stamp()}|"
        self.socket.sendall(message(head + "".join(f"{t}={v}|" for t, v in fields)))
        self.next_out += 1

    def receive(self, count: int) -> list[Fields]:
        found: list[Fields] = []
        for _ in range(5_000):
            if len(found) >= count or self.closed:
                break
            self.server.step(0.001)
            try:
                data = self.socket.recv(1 << 16)
                self.closed = not data
                self.buffer += data
            except BlockingIOError:
                pass
            while (end := self.buffer.find(b"\x0110=")) >= 0 and len(self.buffer) >= end + 8:
                found.append(parsed(self.buffer[: end + 8]))
                self.buffer = self.buffer[end + 8 :]
        return found


def test_over_sockets_with_a_restart(journal: JournalRig, tmp_path: Path) -> None:
    config = DropCopy(port=0, sessions=[session("ONE", "client1"), session("ALL")])
    for _ in range(30):
        journal.report(0)
        journal.report(1)
    of_one = [str(s.exec_id) for s in journal.sent if s.comp_id == "CLIENT1"]
    server = DropCopyServer(journal.folder, tmp_path / "dropcopy", config)
    with pytest.raises(UserError, match="another `si dropcopy` is running there"):
        DropCopyServer(journal.folder, tmp_path / "dropcopy", config)
    one = Wired(server, "ONE")
    one.connect(server.listen())
    one.send("A", [(98, 0), (108, 30)])
    [answer] = one.receive(1)
    assert (answer[35], answer[34]) == ("A", "31")
    one.send("2", [(7, 1), (16, 0)])
    assert [each.get(17) for each in one.receive(31)] == [*of_one, None]
    late = journal.report(0)
    [copied] = one.receive(1)
    assert (copied[17], copied[34], copied[115]) == (str(late.exec_id), "32", "CLIENT1")
    found = drop_copy.status(journal.folder, tmp_path / "dropcopy", config)
    assert found["running"]
    assert [(s["logged_on"], s["copies"], s["lag_frames"]) for s in found["sessions"]] == [
        (True, 31, 0), (False, 61, 0),
    ]  # fmt: skip
    server.close()
    one.socket.close()

    journal.report(0)
    stopped = drop_copy.status(journal.folder, tmp_path / "dropcopy", config)
    assert not stopped["running"]
    assert [s["lag_frames"] for s in stopped["sessions"]] == [1, 1]
    one.server = server = DropCopyServer(journal.folder, tmp_path / "dropcopy", config)
    one.connect(server.listen())
    one.send("A", [(98, 0), (108, 30)])
    assert [each[34] for each in one.receive(1)] == ["34"]
    one.send("5")
    assert [each[35] for each in one.receive(1)] == ["5"]
    one.receive(1)
    assert one.closed
    server.close()
    one.socket.close()


def test_stopping_says_so(journal: JournalRig, tmp_path: Path) -> None:
    server = DropCopyServer(
        journal.folder, tmp_path / "dropcopy", DropCopy(port=0, sessions=[session("ALL")])
    )
    wired = Wired(server, "ALL")
    wired.connect(server.listen())
    wired.send("A", [(98, 0), (108, 30)])
    assert [each[35] for each in wired.receive(1)] == ["A"]
    wired.send("5")  # answers the Logout that comes
    for each in server.sessions.values():
        each.log_out("the drop copy stops", server.now_ns())
    [said] = wired.receive(1)
    assert (said[35], said[58]) == ("5", "the drop copy stops")
    server.serve(lambda: True)
    server.close()
    wired.socket.close()


def test_a_crowd_is_turned_away(
    journal: JournalRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_copy, "CONNECTIONS_MAX", 1)
    server = DropCopyServer(
        journal.folder, tmp_path / "dropcopy", DropCopy(port=0, sessions=[session("ALL")])
    )
    port = server.listen()
    first, second = Wired(server, "ALL"), Wired(server, "ALL")
    first.connect(port)
    first.send("A", [(98, 0), (108, 30)])
    assert len(first.receive(1)) == 1
    second.connect(port)
    second.receive(1)
    assert second.closed
    server.close()
    first.socket.close()
    second.socket.close()


SERVE = """
import sys
from pathlib import Path
from gateway.drop_copy import DropCopyServer
from gateway.drop_copy_config import DropCopy, DropCopySession
from gateway import drop_copy_feed, journal_files
journal_files.SEGMENT_SIZE = drop_copy_feed.SEGMENT_SIZE = int(sys.argv[2])
one = DropCopySession(sender_comp_id="SI", target_comp_id="ALL")
folder = Path(sys.argv[1])
server = DropCopyServer(folder / "journal", folder / "dropcopy", DropCopy(port=0, sessions=[one]))
print(server.listen(), flush=True)
server.serve(lambda: False)
"""


@pytest.mark.kill
def test_a_killed_process_neither_repeats_nor_forgets(journal: JournalRig, tmp_path: Path) -> None:
    """Killed while it sends, several times: each report has one number, and none is missing."""
    numbers: dict[str, int] = {}
    highest, kills = 0, 3
    for turn in range(kills + 1):
        for _ in range(40):
            journal.report(turn % 2)
        wanted = len(journal.sent) - (0 if turn == kills else 13)
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(SEGMENT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            client = Client(SimpleNamespace(fix_port=int(process.stdout.readline())), "ALL")
            client.next_out = turn + 1
            client.connect()
            client.send("A", [(98, 0), (108, 0), (789, highest + 1)])
            while len(numbers) < wanted:
                got = client.receive()
                if got[35] == "8":
                    highest = max(highest, int(got[34]))
                    assert numbers.setdefault(got[17], int(got[34])) == int(got[34])
            process.kill()
            client.close()
        store = Store(tmp_path / "dropcopy" / "ALL", write=False)
        assert store.next_in == turn + 2
        store.close()
    assert list(numbers) == [str(sent.exec_id) for sent in journal.sent]
    assert list(numbers.values()) == sorted(set(numbers.values()))


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sessions": []}, "at least 1 item"),
        ({"sessions": [{"sender_comp_id": "SI"}]}, "target_comp_id"),
        ({"port": 70_000}, "65535"),
        ({"hosts": "x"}, "Extra inputs"),
        ({"sessions": [{"sender_comp_id": "SI", "target_comp_id": "A B"}]}, "pattern"),
        (
            {"sessions": [{"sender_comp_id": s, "target_comp_id": "A"} for s in "XY"]},
            "target_comp_id 'A' is there twice",
        ),
        (
            {"sessions": [{"sender_comp_id": "X", "target_comp_id": "Y", "begin_string": "FIX"}]},
            "'FIX.4.2', 'FIX.4.4' or 'FIXT.1.1'",
        ),
    ],
)
def test_a_configuration_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DropCopy(**changes)


@given(st.lists(st.text("!./\\%~aZ-", min_size=1, max_size=8), min_size=1, unique=True))
def test_every_consumer_has_a_folder_of_its_own(targets: list[str]) -> None:
    folders = [session(target).folder for target in targets]
    assert len(set(folders)) == len(folders)
    assert all("/" not in name and not name.startswith(".") and name for name in folders)


class WithDropCopy(configuration.Config):
    """The configuration with its part for the drop copy."""

    drop_copy: DropCopy | None = None


TABLE = """
[drop_copy]
port = 0

[[drop_copy.sessions]]
sender_comp_id = "SI"
target_comp_id = "COPY"
clients = ["client1"]
"""


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(configuration, "Config", WithDropCopy)
    template.write(tmp_path / "si")
    return tmp_path / "si"


def run(*words: object) -> Result:
    return CliRunner().invoke(dropcopy, [*map(str, words)], env={"COLUMNS": "200"})


def add(folder: Path, text: str) -> None:
    path = folder / "si.toml"
    path.write_text(path.read_text() + text)


def test_status_on_the_command_line(configured: Path) -> None:
    add(configured, TABLE)
    written = JournalRig(configured / "journal")
    written.report(0)
    written.report(1)
    result = run("status", configured, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "running": False,
        "sessions": [
            {
                "begin_string": "FIX.4.4", "sender_comp_id": "SI", "target_comp_id": "COPY",
                "clients": ["client1"], "logged_on": False, "next_out": 1, "next_in": 1,
                "copies": 0, "journal_position": None, "last_activity_ns": None, "lag_frames": 1,
            }
        ],
    }  # fmt: skip
    table = run("status", configured).stdout
    assert "not running" in table and "COPY" in table and "away" in table
    written.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no [drop_copy]: add it"),
        (TABLE.replace("client1", "client9"), "client 'client9' of 'COPY' is none of client1"),
    ],
)
@pytest.mark.parametrize("command", [(), ("serve",), ("status",)])
def test_what_cannot_be_is_said(
    configured: Path, text: str, words: str, command: tuple[str, ...]
) -> None:
    add(configured, text)
    result = run(*command, configured)
    assert result.exit_code == 1 and words in result.stderr
