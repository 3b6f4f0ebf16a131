"""A register on this machine: an index in ESMA's or the FCA's form, its files, and bad manners."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

Answer = Callable[[BaseHTTPRequestHandler], None]


def archive(text: str = "<BizData/>", name: str = "file.xml") -> bytes:
    """A zip that is the same each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr(zipfile.ZipInfo(name), text)
    return target.getvalue()


def send(
    handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: str | int
) -> None:
    handler.send_response(status)
    given = {name.replace("_", "-").lower(): str(value) for name, value in headers.items()}
    for name, value in ({"content-length": str(len(data))} | given).items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


@dataclass
class Register:
    """What it publishes, and how it answers; `asked` are the paths in order."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    documents: list[dict[str, str]] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, name: str, data: bytes | None = None, **other: str) -> None:
        """A file, and its document in the index."""
        self.files[f"/files/{name}"] = data = archive(name) if data is None else data
        document = {
            "file_name": name,
            "file_type": "Full file",
            "publication_date": "2026-08-29T00:00:00Z",
            "creation_date": "2026-08-29T00:00:00Z",
            "download_link": f"{self.url}/files/{name}",
            "checksum": hashlib.md5(data).hexdigest(),
            "timestamp": "2026-08-29T06:50:36.199Z",
        }
        self.documents.append(document | other)

    def once(self, name: str, *answers: Answer) -> None:
        """The next answers for a file; after them the file itself."""
        self.answers[f"/files/{name}"] = list(answers)

    def always(self, name: str, answer: Answer) -> None:
        self.once(name, *[answer] * 100)

    def fetched(self) -> list[str]:
        return [path.removeprefix("/files/") for path in self.asked if path.startswith("/files/")]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.asked.append(path)
        if self.answers.get(path):
            self.answers[path].pop(0)(handler)
        elif path in self.files:
            send(handler, self.files[path], content_type="application/zip")
        elif path.startswith("/esma_registers_"):
            send(handler, self.solr(handler.path), content_type="application/xml")
        elif path.startswith("/fca_data_"):
            send(handler, self.elastic(handler.path), content_type="application/json")
        else:
            send(handler, b"<html>Not found</html>", 404)

    def solr(self, path: str) -> bytes:
        query = parse_qs(urlsplit(path).query)
        assert query["q"] == ["*"] and query["wt"] == ["xml"]
        name, days = query["fq"][0].split(":", 1)
        first, last = (date.fromisoformat(day[:10]) for day in days.strip("[]").split(" TO "))
        found = [x for x in self.documents if first <= date.fromisoformat(x[name][:10]) <= last]
        start, rows = int(query["start"][0]), int(query["rows"][0])
        body = "".join(
            "<doc>" + "".join(f'<str name="{k}">{escape(v)}</str>' for k, v in x.items()) + "</doc>"
            for x in found[start : start + rows]
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<response>'
            '<lst name="responseHeader"><int name="status">0</int></lst>'
            f'<result name="response" numFound="{len(found)}" start="{start}">{body}</result>'
            "</response>"
        ).encode()

    def elastic(self, path: str) -> bytes:
        query = parse_qs(urlsplit(path).query)
        start, size = int(query["from"][0]), int(query["size"][0])
        chosen: list[Any] = [{"_source": x} for x in self.documents[start : start + size]]
        return json.dumps({"hits": {"total": len(self.documents), "hits": chosen}}).encode()


@contextmanager
def serving() -> Iterator[Register]:
    register = Register()

    class Handler(BaseHTTPRequestHandler):
        """HTTP/1.0: a body without length ends with the connection."""

        def do_GET(self) -> None:
            register.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up on an endless answer is in the right."""

    with Server(("127.0.0.1", 0), Handler) as server:
        register.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield register
        finally:
            server.shutdown()
            thread.join()
