"""The publication over HTTP, and `si publish` as a user and the readers meet it."""

import asyncio
import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from engine import journal as jn
from gateway import template
from gateway.cli import app as cli
from gateway.publish import http, terminal
from gateway.publish import run as running
from gateway.publish.http import Site, application
from gateway.publish.publisher import Publisher
from tests.journal_rig import use_small_segments
from tests.publish_rig import (
    BMW,
    LEI,
    MINUTE_NS,
    OMV,
    SAP,
    VOD,
    Clock,
    QuotesRig,
    publisher,
    records,
    run,
)
from tests.venue import ROOT

pytestmark = pytest.mark.pure

HOURS = {"words": "at all times", "open": True}


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuotesRig]:
    use_small_segments(monkeypatch)
    made = QuotesRig(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _logs_of_each_test() -> Iterator[None]:
    """The command sends them to a stream that is gone afterwards."""
    yield
    structlog.reset_defaults()


class Engine:
    """Whether it runs, as a test says."""

    runs = True

    def __call__(self) -> bool:
        return self.runs


class World:
    """A publisher with a site; requests go to the application without a socket."""

    def __init__(self, folder: Path, journal: QuotesRig) -> None:
        self.clock, self.engine = Clock(), Engine()
        self.folder, self.journal = folder, journal
        self.publisher: Publisher = publisher(folder, self.clock)
        self.site = Site(self.publisher, lambda now_ns: HOURS, self.engine)
        self.app: FastAPI = application(self.site)

    def publish(self) -> None:
        """What the process does in its loop."""
        run(self.publisher)
        self.site.look()
        self.site.wake()

    def get(self, path: str, query: str = "") -> "Answer":
        return asyncio.run(self._get(path, query))

    async def _get(self, path: str, query: str) -> "Answer":
        answer = Answer()
        await self.app(_scope(path, query), _nothing_more, answer.take)
        return answer


class Answer:
    """What came back."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, dict[str, str](), b""

    async def take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _scope(path: str, query: str = "") -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "headers": [], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip


async def _nothing_more() -> Any:
    await asyncio.sleep(3600)


@pytest.fixture
def world(tmp_path: Path, journal: QuotesRig) -> Iterator[World]:
    made = World(tmp_path, journal)
    yield made
    made.publisher.close()


# --- snapshots ----------------------------------------------------------------------------------


def test_a_snapshot_has_the_newest_record_of_each(world: World) -> None:
    assert world.get("/quotes").json["quotes"] == []
    world.journal.offer(1, 10_000_000, 10_010_000)
    world.journal.offer(0, 10_000_000, 10_010_000)
    world.journal.withdraw(1)
    world.publish()
    newest = {row["instrument_identification_code"]: row for row in records(world.folder)}
    answer = world.get("/quotes")
    assert answer.headers["access-control-allow-origin"] == "*"
    found = answer.json
    assert found.pop("quotes") == [newest[isin] for isin in sorted(newest)]
    assert found == {
        "si_lei": LEI, "si_mic": "XSIX", "si_name": "Sample SI", "hours": HOURS,
        "engine_runs": True, "series": newest[SAP]["series"],
    }  # fmt: skip
    assert world.get("/quotes", f"isin={BMW}").json["quotes"] == [newest[BMW]]
    both = world.get("/quotes", f"isin={SAP}&isin={OMV}&isin={BMW}&isin={SAP}").json
    assert both["quotes"] == [newest[SAP], newest[BMW]]
    assert world.get(f"/quotes/{BMW}").json == newest[BMW]


@pytest.mark.parametrize(
    ("path", "query", "status", "why"),
    [
        ("/quotes/DE0007164601", "", 400, "is no ISIN"),
        ("/quotes/<script>", "", 400, "is no ISIN"),
        (f"/quotes/{VOD}", "", 404, "no quote was made"),
        ("/quotes", "isin=", 400, "is no ISIN"),
        ("/quotes", "isin=" + "A" * 10_000, 400, "is no ISIN"),
        ("/quotes", "&".join([f"isin={SAP}"] * 1_001), 422, "at most 1000"),
        ("/quotes", "%ff=%00&&==", 200, ""),
        ("/delayed/../lock", "", 404, ""),
        ("/delayed/..", "", 404, "no such file"),
        ("/delayed/lock", "", 404, "no such file"),
        ("/delayed/quotes-2025-12-01.csv\n", "", 404, "no such file"),
        ("/delayed/quotes-2025-12-01.csv", "", 404, "no such file"),
        ("/nothing", "", 404, ""),
    ],
)
def test_what_cannot_be_answered_says_why(
    path: str, query: str, status: int, why: str, world: World
) -> None:
    world.journal.offer(0, 10_000_000, 10_010_000)
    world.publish()
    answer = world.get(path, query)
    assert answer.status == status and why in answer.body.decode()


def test_delayed_files_are_listed_and_served(world: World) -> None:
    assert "Nothing yet" in world.get("/delayed/").body.decode()
    world.journal.offer(0, 10_000_000, 10_010_000)
    world.publish()
    world.clock.ns += 20 * MINUTE_NS
    world.publish()
    page = world.get("/delayed/").body.decode()
    assert 'href="quotes-2025-12-01.csv"' in page
    answer = world.get("/delayed/quotes-2025-12-01.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    on_disk = world.folder / "published" / "delayed" / "quotes-2025-12-01.csv"
    assert answer.body == on_disk.read_bytes() and answer.body.count(b"\n") == 2
    assert world.get("/delayed").headers["location"] == "delayed/"


def test_schema_and_interface_describe_the_records(world: World) -> None:
    on_disk = json.loads((world.folder / "published" / "quotes.schema.json").read_text())
    assert world.get("/schema").json == on_disk
    paths = world.get("/openapi.json").json["paths"]
    assert {"/quotes", "/quotes/{isin}", "/stream", "/schema", "/status"} <= set(paths)


def test_status_says_how_it_goes(world: World) -> None:
    world.journal.offer(0, 10_000_000, 10_010_000)
    world.publish()
    world.engine.runs = False
    world.publish()
    found = world.get("/status").json
    assert (found["published"], found["sequence"], found["instruments"]) == (1, 1, 1)
    assert found["delay"]["count"] == 1 and found["readers"] == 0
    assert found["engine_runs"] is False and found["file"]["error"] is None
    assert not [name for name in found if "position" in name], "it would tell of the clients' flow"


# --- the page -----------------------------------------------------------------------------------


class Resources(HTMLParser):
    """What a page would load by itself, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag in ("script", "img", "link", "iframe", "source", "object"):
            self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data")]
        if tag == "a":
            self.links.append(found["href"] or "")


@pytest.mark.parametrize("path", ["/", "/delayed/"])
def test_a_page_loads_nothing_from_elsewhere(path: str, world: World) -> None:
    answer = world.get(path)
    page = Resources(answer.body.decode())
    assert page.loads == [] and "default-src 'none'" in answer.headers["content-security-policy"]
    for link in page.links:
        assert "//" not in link
    text = answer.body.decode()
    assert "url(" not in text and "@import" not in text
    used = set(re.findall(r'by\("(\w+)"\)', text))
    assert used <= page.ids


def test_the_page_names_the_firm_whatever_its_name(tmp_path: Path, journal: QuotesRig) -> None:
    world = World(tmp_path, journal)
    named = world.publisher.settings.model_copy(update={"name": "<b>A & Söhne</b>"})
    world.publisher.settings = named
    world.site.look()
    text = world.get("/").body.decode()
    assert "&lt;b&gt;A &amp; Söhne&lt;/b&gt;" in text and "<b>" not in text
    assert LEI in text and "at all times" in text
    world.publisher.close()


# --- the stream ---------------------------------------------------------------------------------


Event = tuple[str, Any]


def _parsed(data: bytes) -> list[Event]:
    """Server-sent events, as the standard has them."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def _events(stream: AsyncIterator[bytes], *until: str) -> list[Event]:
    """Events of a reader until one has come for each of some names."""
    found: list[Event] = []
    wanted = list(until)
    while wanted:
        for event in _parsed(await asyncio.wait_for(anext(stream), 10)):
            found.append(event)
            if wanted and event[0] == wanted[0]:
                wanted.pop(0)
    return found


def _told(events: list[Event]) -> list[tuple[str, int]]:
    return [
        (data["instrument_identification_code"], data["sequence"])
        for name, data in events
        if name == "quote"
    ]


def _in_loop(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_stream_is_a_snapshot_and_then_the_changes(world: World) -> None:
    async def read() -> None:
        world.journal.offer(0, 10_000_000, 10_010_000)
        world.journal.offer(1, 10_000_000, 10_010_000)
        world.publish()
        stream = http.events(world.site)
        first = await _events(stream, "series", "quote", "quote")
        assert [name for name, _ in first] == ["series", "quote", "quote"]
        assert first[0][1] == world.site.head and _told(first) == [(SAP, 1), (BMW, 2)]
        assert world.site.readers == 1
        waiting = asyncio.ensure_future(_events(stream, "quote"))
        await asyncio.sleep(0)
        world.journal.withdraw(0)
        world.publish()
        assert _told(await waiting) == [(SAP, 3)]
        world.engine.runs = False
        world.publish()
        (event,) = await _events(stream, "head")
        assert event == ("head", world.site.head) and not event[1]["engine_runs"]
        await stream.aclose()
        assert world.site.readers == 0

    _in_loop(read())


def test_a_slow_reader_gets_the_newest_and_holds_nobody_up(world: World) -> None:
    """One reads at every change, one only in the end."""

    async def read() -> None:
        slow, quick = http.events(world.site), http.events(world.site)
        world.journal.offer(1, 10_000_000, 10_010_000)
        world.publish()
        await _events(slow, "quote")
        await _events(quick, "quote")
        seen = []
        for number in range(500):
            world.journal.offer(0, 10_000_000 + number, 10_010_000 + number)
            world.publish()
            seen += _told(await _events(quick, "quote"))
        world.journal.withdraw(1)
        world.publish()
        assert seen == [(SAP, number) for number in range(2, 502)]
        assert _told(await _events(slow, "quote")) == [(SAP, 501), (BMW, 502)]

    _in_loop(read())


def test_a_snapshot_in_pieces_is_never_older_than_the_piece(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read() -> None:
        monkeypatch.setattr(http, "RECORDS_A_SEND", 1)
        for number in range(3):
            world.journal.offer(number, 10_000_000, 10_010_000)
        world.publish()
        stream = http.events(world.site)
        assert _told(await _events(stream, "series", "quote")) == [(SAP, 1)]
        world.journal.withdraw(1)
        world.publish()
        told = _told(await _events(stream, "quote", "quote"))
        assert told == [(BMW, 4), (VOD, 3)]

    _in_loop(read())


def test_a_new_series_begins_the_stream_anew(world: World) -> None:
    async def read() -> None:
        world.journal.offer(0, 10_000_000, 10_010_000)
        world.publish()
        stream = http.events(world.site)
        await _events(stream, "series", "quote")
        (world.folder / "journal").rename(world.folder / "yesterday")
        other = QuotesRig(world.folder / "journal", mic="XNEW")
        other.offer(1, 10_000_000, 10_010_000)
        for _ in range(2):
            world.clock.ns += 10**9
            world.publish()
        events = await _events(stream, "series", "quote")
        assert events[0][1]["si_mic"] == "XNEW" and _told(events) == [(BMW, 1)]
        other.close()

    _in_loop(read())


def test_readers_are_limited_and_a_silent_stream_breathes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read() -> None:
        monkeypatch.setattr(http, "HEARTBEAT_S", 0.001)
        stream = http.events(world.site)
        assert b"event: series" in await anext(stream)
        assert await anext(stream) == b": nothing new\n\n"
        world.site.stopping = True
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    _in_loop(read())
    monkeypatch.setattr(http, "READERS_MAX", 0)
    answer = world.get("/stream")
    assert answer.status == 503 and answer.headers["retry-after"] == "10"
    assert world.get("/status").json["readers_turned_away"] == 1


# --- the command --------------------------------------------------------------------------------


def si(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)], env={"COLUMNS": "300"})


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    text = path.read_text()
    section = text[text.index("[publication]") : text.index("[engine]")]
    path.write_text(text.replace(section, ""))
    result = si("publish", tmp_path)
    assert result.exit_code == 1 and "no [publication]: add" in result.stderr
    path.write_text(text.replace(LEI, "SAMPLELEI00000000000"))
    result = si("publish", tmp_path)
    assert result.exit_code == 1 and "no LEI (ISO 17442)" in result.stderr
    line = text[: text.index(LEI)].count("\n") + 1
    assert f"line {line}: publication.lei" in result.stderr
    result = si("publish", tmp_path / "nothing")
    assert result.exit_code == 1 and "si init" in result.stderr


def test_without_a_journal_it_waits_and_the_summary_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    path.write_text(path.read_text().replace("port = 9881", "port = 0"))
    monkeypatch.setattr(running, "serve", lambda site, listener, show: show(site))
    result = si("publish", tmp_path)
    assert result.exit_code == 0, result.output
    assert "yet: waiting for `si serve`" in result.stderr
    assert re.search(r"journal +not there yet: `si serve` begins it", result.stdout)
    assert re.search(r"delay +nothing measured yet", result.stdout)
    found = json.loads(si("publish", tmp_path, "--json").stdout)
    assert found["waits_for_journal"] and found["published"] == 0 and found["series"] is None


def test_a_person_sees_what_is_published_and_what_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.journal.offer(0, 10_000_000, 10_010_000)
    world.clock.ns = world.journal.now_ns + 2_000_000
    world.publisher.delays.started_ns = 0
    world.publish()
    shown = dict(terminal.rows(world.site.status()))
    assert shown["published"] == "1, of 1 instruments" and shown["file"] == "up to record 1"
    assert shown["delay"].startswith("p50 2.0") and shown["engine"] == "runs"
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _no_space)
        world.journal.offer(0, 11_000_000, 11_010_000)
        world.publish()
    assert "No space left" in dict(terminal.rows(world.site.status()))["file"]
    assert terminal.table(world.site.status()).row_count == len(shown)


def _no_space(fd: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    template.write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "si.toml"
        port = taken.getsockname()[1]
        path.write_text(path.read_text().replace("port = 9881", f"port = {port}"))
        result = si("publish", tmp_path)
    assert result.exit_code == 1 and "in use" in result.stderr


def test_a_damaged_journal_ends_the_command_with_the_place(
    tmp_path: Path, journal: QuotesRig
) -> None:
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    path.write_text(path.read_text().replace("port = 9881", "port = 0"))
    journal.offer(0, 10_000_000, 10_010_000)
    at = int(journal.files.state[0]["last"])
    journal.offer(0, 11_000_000, 11_010_000)
    journal.files.journal.buffer[at + jn.HEADER_SIZE] ^= 1
    result = si("publish", tmp_path)
    assert result.exit_code == 1, result.output
    assert f"segment-000000.journal, byte {at}: damaged" in result.stderr


def test_an_engine_runs_where_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "desk.sock"
    assert not running.engine_runs(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as desk:
        desk.bind(str(path))
        assert running.engine_runs(path)
    assert not running.engine_runs(path), "its file outlives a process that was killed"


@pytest.mark.sockets
def test_a_process_publishes_to_sockets(tmp_path: Path) -> None:
    """Quotes, a stream, garbage and SIGTERM; the port is any free one."""
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    path.write_text(path.read_text().replace("port = 9881", "port = 0"))
    journal = QuotesRig(tmp_path / "journal")
    journal.offer(0, 10_000_000, 10_010_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "publish", str(tmp_path), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"COLUMNS": "300"},
    )  # fmt: skip
    try:
        port = _port(process)
        url = f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as garbage:
            garbage.sendall(b"\xff\x00 what is this\r\n\r\n")
            assert garbage.recv(1_000).startswith(b"HTTP/1.1 400")
        with urllib.request.urlopen(f"{url}/stream", timeout=10) as stream:
            assert _next_quote(stream)["sequence"] == 1
            journal.withdraw(0)
            assert _next_quote(stream)["state"] == "WITHDRAW"
        with urllib.request.urlopen(f"{url}/quotes/{SAP}", timeout=10) as answer:
            assert json.load(answer)["sequence"] == 2
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        summary = json.loads(said)
        assert summary["published"] == summary["file"]["sequence"] == 2
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        journal.close()
    assert [row["state"] for row in records(tmp_path)] == ["NEW", "WITHDRAW"]


def _port(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    said = ""
    deadline = time.monotonic() + 120
    while "ready" not in said and time.monotonic() < deadline:
        line = process.stderr.readline()
        assert line, said
        said += line
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
    assert found, said
    return int(found[1])


def _next_quote(stream: Any) -> Any:
    name = b""
    while True:
        line = stream.readline()
        assert line, "the stream has ended"
        if line.startswith(b"event: "):
            name = line[7:].strip()
        elif line.startswith(b"data: ") and name == b"quote":
            return json.loads(line[6:])
