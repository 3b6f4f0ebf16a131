"""The register download against a server on this machine that also misbehaves."""

import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import urllib3
from rich.console import Console

from gateway import register_download as download
from gateway.download_http import (
    DownloadError,
    HttpBusy,
    HttpStatus,
    Net,
    RedirectedAway,
    TooLong,
    Truncated,
    Unreachable,
    chunks_of,
)
from gateway.register_download import (
    FolderBusy,
    IndexUnreadable,
    NotAnArchive,
    NothingPublished,
    WrongChecksum,
)
from refdata import register_index as index
from tests.register_server import Register, archive, send, serving

pytestmark = pytest.mark.pure

NET = Net(timeout_s=10, tries=3, backoff_s=0, bytes_max=1 << 20)
FIRST, LAST = date(2026, 8, 23), date(2026, 8, 29)
FULL = "FULECR_20260829_E_1of1.zip"
DELTA = "DLTECR_20260828_01of01.zip"
QUIET = Console(file=io.StringIO())


@pytest.fixture
def register() -> Iterator[Register]:
    with serving() as server:
        yield server


def run(register: Register, folder: Path, **options: Any) -> list[download.Fetched]:
    settings: dict[str, Any] = {"since": FIRST, "until": LAST, "net": NET, "console": QUIET}
    return download.run("fitrs", folder, **(settings | {"base_url": register.url} | options))


def names(folder: Path) -> set[str]:
    """Everything in the folder but the manifest, hidden files too."""
    return {path.name for path in folder.iterdir()} - {download.MANIFEST}


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / download.MANIFEST).read_text().splitlines()]


# --- what goes well ---------------------------------------------------------------------------


def test_a_file_arrives_and_is_written_down(register: Register, tmp_path: Path) -> None:
    data = archive("thresholds")
    register.publish(FULL, data)
    (fetched,) = run(register, tmp_path / "new" / "folder")
    assert (fetched.state, fetched.size, fetched.path.name) == ("new", len(data), FULL)
    assert fetched.path.read_bytes() == data
    (line,) = manifest(tmp_path / "new" / "folder")
    assert line.pop("fetched_at").endswith("+00:00")
    assert line == {
        "name": FULL,
        "stored_as": FULL,
        "url": f"{register.url}/files/{FULL}",
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "published": "2026-08-29",
        "indexed_at": "2026-08-29T06:50:36.199Z",
    }


def test_what_is_there_is_not_fetched_again(register: Register, tmp_path: Path) -> None:
    register.publish(FULL)
    register.publish(DELTA)
    assert [x.state for x in run(register, tmp_path)] == ["new", "new"]
    assert [x.state for x in run(register, tmp_path)] == ["present", "present"]
    assert register.fetched() == [DELTA, FULL]
    assert len(manifest(tmp_path)) == 2


def test_a_damaged_file_in_the_folder_is_fetched_beside_it(
    register: Register, tmp_path: Path
) -> None:
    register.publish(FULL)
    (tmp_path / FULL).write_bytes(b"half of it")
    (fetched,) = run(register, tmp_path)
    assert fetched.state == "again"
    assert (tmp_path / FULL).read_bytes() == b"half of it"
    assert fetched.path.read_bytes() == register.files[f"/files/{FULL}"]


def test_a_file_published_again_is_kept_beside_the_old_one(
    register: Register, tmp_path: Path
) -> None:
    old, new = archive("old"), archive("new")
    register.publish(FULL, old)
    run(register, tmp_path)
    register.documents.clear()
    register.publish(FULL, new)
    beside = f"FULECR_20260829_E_1of1.{hashlib.sha256(new).hexdigest()[:12]}.zip"
    for state in ("again", "present"):
        (fetched,) = run(register, tmp_path)
        assert (fetched.state, fetched.path.name) == (state, beside)
        assert (tmp_path / FULL).read_bytes() == old
        assert (tmp_path / beside).read_bytes() == new
    assert names(tmp_path) == {FULL, beside}
    assert [line["stored_as"] for line in manifest(tmp_path)] == [FULL, beside]


def test_without_checksum_in_the_index_the_manifest_knows(
    register: Register, tmp_path: Path
) -> None:
    register.publish(FULL, checksum="")
    assert [x.state for x in run(register, tmp_path)] == ["new"]
    assert [x.state for x in run(register, tmp_path)] == ["present"]
    register.documents[0]["timestamp"] = "2026-08-30T06:00:00Z"
    register.files[f"/files/{FULL}"] = archive("published again")
    assert [x.state for x in run(register, tmp_path)] == ["again"]
    register.documents[0]["timestamp"] = "2026-08-31T06:00:00Z"
    assert [x.state for x in run(register, tmp_path)] == ["present"]  # indexed anew, the same bytes
    assert [x.state for x in run(register, tmp_path)] == ["present"]
    assert len(register.fetched()) == 3 and len(manifest(tmp_path)) == 3


def test_the_index_is_read_page_by_page(register: Register) -> None:
    for number in range(1, 251):
        register.publish(f"DLTECR_20260828_{number}of250.zip", b"")
    files = download.list_files(register.url, "fitrs", FIRST, LAST, net=NET)
    assert [file.name for file in files] == [x["file_name"] for x in register.documents]
    assert len(register.asked) == 3


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (date(2026, 8, 29), date(2026, 8, 29), 1),
        (date(2026, 8, 1), date(2026, 8, 28), 0),
        (date(2026, 8, 30), date(2026, 9, 30), 0),
    ],
)
def test_days_are_both_included(register: Register, first: date, last: date, count: int) -> None:
    register.publish(FULL)
    assert len(download.list_files(register.url, "fitrs", first, last, net=NET)) == count


def test_the_fca_in_its_own_form(register: Register, tmp_path: Path) -> None:
    register.publish("FULINS_E_20260829_01of01.zip", publication_date="2026-08-29", checksum="")
    for number in range(120):
        register.publish(f"INVINS_20260829_{number}of120.zip", b"", publication_date="2026-08-29")
    fetched = download.run(
        "firds", tmp_path, jurisdiction="UK", base_url=register.url, since=FIRST, until=LAST,
        net=NET, console=QUIET,
    )  # fmt: skip
    assert [x.path.name for x in fetched] == ["FULINS_E_20260829_01of01.zip"]


@pytest.mark.parametrize(
    ("kind", "cfi", "expected"),
    [
        ("all", "", ["DLTECR_20260828_01of01", "FULECR_20260829_D_1of1", "FULECR_20260829_E_1of1"]),
        ("all", "E", ["DLTECR_20260828_01of01", "FULECR_20260829_E_1of1"]),
        ("full", "CE", ["FULECR_20260829_E_1of1"]),
        ("delta", "E", ["DLTECR_20260828_01of01"]),
    ],
)
def test_kinds_and_letters(
    register: Register, tmp_path: Path, kind: str, cfi: str, expected: list[str]
) -> None:
    for name in (FULL, "FULECR_20260829_D_1of1.zip", DELTA, "FULNCR_20260829_E_1of1.zip"):
        register.publish(name)
    fetched = run(register, tmp_path, kind=kind, cfi=cfi)
    assert [x.path.stem for x in fetched] == expected


def test_progress_counts_to_the_end(register: Register, tmp_path: Path) -> None:
    data = archive("x" * 200_000)
    register.publish(FULL, data)
    seen: list[tuple[str, int, int]] = []
    files = download.list_files(register.url, "fitrs", FIRST, LAST, net=NET)
    download.fetch(files, tmp_path, lambda *step: seen.append(step), net=NET)
    assert seen[0] == (FULL, 0, len(data)) and seen[-1] == (FULL, len(data), len(data))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_a_body_in_pieces_without_length(register: Register, tmp_path: Path) -> None:
    data = archive("in pieces " * 1_000)

    def pieces(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        send(handler, b"", content_length="", transfer_encoding="chunked", connection="close")
        for at in range(0, len(data), 1_000):
            piece = data[at : at + 1_000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    register.publish(FULL, data)
    register.once(FULL, pieces)
    assert run(register, tmp_path)[0].path.read_bytes() == data


def test_through_a_proxy(register: Register, tmp_path: Path) -> None:
    register.publish(FULL, download_link=f"http://register.test/files/{FULL}")
    base_url = "http://register.test"
    (fetched,) = run(register, tmp_path, base_url=base_url, net=NET._replace(proxy=register.url))
    assert fetched.state == "new"


def test_a_link_of_http_is_fetched_by_https_where_the_index_is() -> None:
    file = index.RegisterFile(
        FULL, f"http://fitrs.esma.europa.eu/fitrs/{FULL}", LAST, "", "",
        index.FileName("fitrs", "full", "FULECR", LAST, "E", 1, 1),
    )  # fmt: skip
    secured = download._secured(file, "https://registers.esma.europa.eu/solr")
    assert secured.url == f"https://fitrs.esma.europa.eu/fitrs/{FULL}"
    assert download._secured(file, "http://mirror.test") == file


# --- what goes wrong outside ------------------------------------------------------------------


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    send(handler, archive()[:50], content_length=len(archive()))


def status(number: int) -> Any:
    return lambda handler: send(handler, b"<html>sorry</html>", number)


def sorry(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"<!DOCTYPE html><title>Maintenance</title>", content_type="text/html")


def elsewhere(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"", 302, location="http://elsewhere.test/x.zip")


def to_a_file(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"", 301, location="file:///etc/hosts")


def nowhere(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"", 302, location="http://[::1/x.zip")


def in_circles(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"", 302, location=handler.path)


def endless(handler: BaseHTTPRequestHandler) -> None:
    send(handler, archive(), content_length="")
    while True:
        handler.wfile.write(bytes(65_536))


def huge(handler: BaseHTTPRequestHandler) -> None:
    send(handler, archive(), content_length=9_999_999)


def short_zip(handler: BaseHTTPRequestHandler) -> None:
    send(handler, archive("x" * 500)[:-30])


def not_the_file(handler: BaseHTTPRequestHandler) -> None:
    send(handler, archive("another"))


BAD = [
    ("broken off", broken_off, Truncated, "50 of", 3),
    ("404", status(404), HttpStatus, "HTTP 404", 1),
    ("500", status(500), HttpBusy, "HTTP 500", 3),
    ("503", status(503), HttpBusy, "HTTP 503", 3),
    ("a page", sorry, NotAnArchive, "text/html", 1),
    ("another host", elsewhere, RedirectedAway, "none of fitrs.esma.europa.eu, 127.0.0.1", 1),
    ("no http", to_a_file, RedirectedAway, "file:///etc/hosts", 1),
    ("no address", nowhere, RedirectedAway, "leads to http://[::1", 1),
    ("in circles", in_circles, RedirectedAway, "more than 5 redirects", 6),
    ("endless", endless, TooLong, "more than 1048576 bytes", 1),
    ("too much announced", huge, TooLong, "9999999 bytes, more than 1048576", 1),
    ("other bytes", not_the_file, WrongChecksum, "where the index says", 3),
    ("short zip", short_zip, WrongChecksum, "where the index says", 3),
]


@pytest.mark.parametrize(("answer", "kind", "words", "times"), [x[1:] for x in BAD],
                         ids=[x[0] for x in BAD])  # fmt: skip
def test_each_misbehaviour_has_a_name_and_leaves_nothing(
    register: Register, tmp_path: Path, answer: Any, kind: type, words: str, times: int
) -> None:
    register.publish(FULL)
    register.always(FULL, answer)
    with pytest.raises(DownloadError) as caught:
        run(register, tmp_path, kind="full", base_url=register.url)
    assert type(caught.value) is kind
    assert words in str(caught.value) and f"{register.url}/files/{FULL}" in str(caught.value)
    assert len(register.fetched()) == times
    assert names(tmp_path) == set() and manifest(tmp_path) == []


@pytest.mark.parametrize("answer", [broken_off, status(500), status(429), not_the_file, short_zip])
def test_a_passing_trouble_is_tried_again_from_the_start(
    register: Register, tmp_path: Path, answer: Any
) -> None:
    register.publish(FULL)
    register.once(FULL, answer, answer)
    (fetched,) = run(register, tmp_path)
    assert fetched.path.read_bytes() == register.files[f"/files/{FULL}"]
    assert len(register.fetched()) == 3 and names(tmp_path) == {FULL}


def test_the_files_before_the_one_that_fails_stay(register: Register, tmp_path: Path) -> None:
    for name in (DELTA, FULL):
        register.publish(name)
    register.always(FULL, status(404))
    with pytest.raises(HttpStatus):
        run(register, tmp_path)
    assert names(tmp_path) == {DELTA}
    register.answers.clear()
    assert [x.state for x in run(register, tmp_path)] == ["present", "new"]


def test_a_redirect_on_the_same_host_is_followed(register: Register, tmp_path: Path) -> None:
    register.publish(FULL)
    moved = f"{register.url}/files/{FULL}"
    register.documents[0]["download_link"] = f"{register.url}/files/old.zip"
    register.once("old.zip", lambda handler: send(handler, b"", 302, location=moved))
    assert run(register, tmp_path)[0].state == "new"


def test_a_link_to_another_host_is_not_asked(register: Register, tmp_path: Path) -> None:
    register.publish(FULL, download_link=f"http://elsewhere.test/{FULL}")
    with pytest.raises(RedirectedAway, match=r"elsewhere\.test"):
        run(register, tmp_path)
    assert names(tmp_path) == set()


def test_a_host_that_is_named_may_be_followed(register: Register, tmp_path: Path) -> None:
    register.publish(FULL, download_link=f"http://elsewhere.test/files/{FULL}")
    net = NET._replace(proxy=register.url)  # answers for every host
    (fetched,) = run(register, tmp_path, hosts=["elsewhere.test"], net=net)
    assert fetched.state == "new"


def test_never_from_https_to_http() -> None:
    from gateway.download_http import _check_host

    _check_host("http://a.test/x", "https://a.test/x", ["a.test"])
    with pytest.raises(RedirectedAway, match="not https"):
        _check_host("https://a.test/x", "http://a.test/x", ["a.test"])


def test_nobody_answers(tmp_path: Path) -> None:
    with serving() as register:
        url = register.url
    with pytest.raises(Unreachable, match="check network"):
        download.run("fitrs", tmp_path, base_url=url, since=FIRST, until=LAST, net=NET)


def test_a_server_that_drips_runs_out_of_time(register: Register, tmp_path: Path) -> None:
    register.publish(FULL)
    hours = itertools.count(0, 3_600)
    with pytest.raises(TooLong, match="not done after 60 s"):
        run(register, tmp_path, net=NET._replace(total_s=60, clock=lambda: float(next(hours))))


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.ReadTimeoutError(None, "/x", "Read timed out."),  # type: ignore[arg-type]
        urllib3.exceptions.ProtocolError("Connection broken"),
        urllib3.exceptions.IncompleteRead(3, 7),
    ],
)
def test_silence_and_a_cut_line_are_truncation(error: Exception) -> None:
    class Cut:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}
            self.pieces = [b"PK", b"\x03"]

        def read1(self, amount: int, decode_content: bool) -> bytes:
            if not self.pieces:
                raise error
            return self.pieces.pop(0)

    response: Any = Cut()
    with pytest.raises(Truncated, match="after 3 bytes"):
        list(chunks_of(response, NET, "http://a.test/x"))


@pytest.mark.parametrize("cut", [4, 30, 60, -1])
def test_without_checksum_the_archive_itself_tells(
    register: Register, tmp_path: Path, cut: int
) -> None:
    register.publish(FULL, archive("x" * 500)[:cut], checksum="")
    with pytest.raises(NotAnArchive):
        run(register, tmp_path)
    assert names(tmp_path) == set()


def test_without_checksum_a_turned_bit_is_seen(register: Register, tmp_path: Path) -> None:
    data = bytearray(archive("x" * 500))
    data[data.index(b"xxxx") + 100] ^= 1
    register.publish(FULL, bytes(data), checksum="")
    with pytest.raises(NotAnArchive, match=r"file\.xml in the archive is damaged"):
        run(register, tmp_path)


def test_an_empty_archive(register: Register, tmp_path: Path) -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    register.publish(FULL, empty.getvalue())
    with pytest.raises(NotAnArchive):
        run(register, tmp_path)


# --- the index --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html>sorry", "an index in XML is expected"),
        (b"", "an index in XML is expected"),
        (b"<html></html>", "numFound"),
        (b'<response><result numFound="x"/></response>', "numFound"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><response/>'.encode("utf-16"), "an index in XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><response/>', "document type"),
    ],
)
def test_an_answer_that_is_no_index(
    register: Register, tmp_path: Path, data: bytes, words: str
) -> None:
    path = "/esma_registers_fitrs_files/select"
    register.answers[path] = [lambda handler: send(handler, data)]
    with pytest.raises(IndexUnreadable, match=words):
        run(register, tmp_path)


def test_an_index_that_changes_while_it_is_read(register: Register, tmp_path: Path) -> None:
    for number in range(1, 151):
        register.publish(f"DLTECR_20260828_{number}of150.zip", b"")
    solr, calls = register.solr, itertools.count()

    def shrinking(handler: BaseHTTPRequestHandler) -> None:
        if next(calls):
            del register.documents[-1]
        send(handler, solr(handler.path))

    register.answers["/esma_registers_fitrs_files/select"] = [shrinking] * 2
    with pytest.raises(IndexUnreadable, match="changed while it was read"):
        run(register, tmp_path)


def test_an_index_without_end(register: Register) -> None:
    many = b'<response><result numFound="50001"><doc/></result></response>'
    register.answers["/esma_registers_fitrs_files/select"] = [lambda h: send(h, many)]
    with pytest.raises(IndexUnreadable, match="ask for fewer days"):
        download.list_files(register.url, "fitrs", FIRST, LAST, net=NET)


def test_of_a_name_indexed_twice_the_later_counts(register: Register, tmp_path: Path) -> None:
    old = archive("old")
    register.publish(FULL, old, timestamp="2026-08-29T06:00:00Z")
    register.publish(FULL, timestamp="2026-08-29T09:00:00Z")
    register.documents.reverse()
    assert run(register, tmp_path)[0].path.read_bytes() != old


def test_a_set_without_a_part(register: Register, tmp_path: Path) -> None:
    register.publish("FULECR_20260829_E_1of3.zip")
    register.publish("FULECR_20260829_E_3of3.zip")
    with pytest.raises(NothingPublished, match="FULECR E of 2026-08-29: part 2 of 3 is missing"):
        run(register, tmp_path)
    assert not tmp_path.joinpath(download.MANIFEST).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "weekly"}, "kind 'weekly'"),
        ({"since": LAST, "until": FIRST}, "swap them"),
        ({"jurisdiction": "CH"}, "no register fitrs of CH"),
        ({"kind": "full", "cfi": "D"}, "no such file"),
        ({"base_url": "registers.esma.europa.eu"}, "write an address such as https://registers"),
        ({"base_url": "http://[::1"}, "write an address such as"),
        ({"net": NET._replace(proxy="ftp://a.test:1")}, "write http://host:port"),
    ],
)
def test_what_cannot_be_asked(
    register: Register, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    register.publish(FULL)
    with pytest.raises(DownloadError, match=words):
        run(register, tmp_path, **options)


def test_without_days_the_last_week(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(download, "list_files", lambda *given, **_: asked.append(given) or [])
    with pytest.raises(NothingPublished, match="ask for more days"):
        download.run("firds", tmp_path)
    ((base_url, register, since, until),) = asked
    assert (base_url, register) == ("https://registers.esma.europa.eu/solr", "firds")
    assert (until - since).days == 7


# --- the folder -------------------------------------------------------------------------------


def test_one_download_at_a_time(register: Register, tmp_path: Path) -> None:
    register.publish(FULL)
    with download._locked(tmp_path), pytest.raises(FolderBusy, match="another download"):
        run(register, tmp_path)
    assert run(register, tmp_path)[0].state == "new"


def test_what_a_killed_download_left_is_removed(register: Register, tmp_path: Path) -> None:
    register.publish(FULL)
    (tmp_path / f".download-{DELTA}.part").write_bytes(b"PK half")
    (tmp_path / download.MANIFEST).write_text('{"name": "a"}\n{"name": "torn')
    run(register, tmp_path)
    assert names(tmp_path) == {FULL}
    assert [line["name"] for line in manifest(tmp_path)] == ["a", FULL]


@pytest.mark.parametrize("line", ["[]", "name", '"x"', ""])
def test_a_manifest_that_was_edited_badly(register: Register, tmp_path: Path, line: str) -> None:
    register.publish(FULL)
    (tmp_path / download.MANIFEST).write_text('{"name": "a"}\n' + line + "\n")
    with pytest.raises(DownloadError, match=r"downloads\.jsonl, line 2: .* is not a JSON object"):
        run(register, tmp_path)
    assert names(tmp_path) == set()
