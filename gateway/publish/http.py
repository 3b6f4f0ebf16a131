"""The publication over HTTP: snapshots, a stream, delayed files and a page, without any login.

DR 2017/567 Art 13: easily accessible, machine and human readable, to everybody alike. A slow reader
of the stream gets the newest record of each instrument and holds nobody up.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.publish.board import Board, Entry
from gateway.publish.delayed import SUFFIX as DELAYED_SUFFIX
from gateway.publish.publisher import Publisher
from gateway.publish.quotes_file import files
from gateway.publish.record import json_schema
from refdata import isin as isins

TEMPLATES = Path(__file__).parent / "templates"
READERS_MAX = 1_000  # streams at once
RECORDS_A_SEND = 256
HEARTBEAT_S = 15.0  # a comment, so that a silent stream is no dead one
DELAYED_NAME = re.compile(r"quotes-\d{4}-\d\d-\d\d\.csv")
#: Public data: a page of anybody may read it; our own page loads nothing from anywhere else.
HEADERS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
NO_STORE = HEADERS | {"Cache-Control": "no-store"}
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)
ISINS_MAX = 1_000


class Site:
    """What the pages show, and who reads the stream."""

    def __init__(
        self, publisher: Publisher, hours: Callable[[int], dict[str, Any]],
        engine_runs: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.publisher = publisher
        self.readers = 0
        self.readers_turned_away = 0
        self.stopping = False
        self.head: dict[str, Any] = {}
        self._hours, self._engine_runs = hours, engine_runs
        self._news = asyncio.Event()
        self.look()

    @property
    def board(self) -> Board:
        """The newest records."""
        return self.publisher.board

    def look(self) -> None:
        """Identity, hours and whether the engine behind the quotes runs, as they are now."""
        settings, source = self.publisher.settings, self.publisher.source
        head = {
            "si_lei": settings.lei,
            "si_mic": source.mic if source else None,
            "si_name": settings.name,
            "hours": self._hours(self.publisher.now_ns()),
            "engine_runs": self._engine_runs(),
            "series": self.board.series or None,
        }
        if head != self.head:
            self.head = head
            self.wake()

    def wake(self) -> None:
        """There is something new for the readers of the stream."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def news(self, wait_s: float) -> bool:
        """Wait for something new; False where nothing came."""
        try:
            await asyncio.wait_for(self._news.wait(), wait_s)
        except TimeoutError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """Of the publication: counts, delays, readers."""
        readers = {"readers": self.readers, "readers_turned_away": self.readers_turned_away}
        return self.head | self.publisher.status() | readers

    def quotes(self, entries: list[Entry]) -> bytes:
        """The head and some records, as one JSON document."""
        head = json.dumps(self.head).encode()
        return head[:-1] + b', "quotes": [' + b",\n".join(e.data for e in entries) + b"]}"


def application(site: Site) -> FastAPI:
    """The pages of a site."""
    app = FastAPI(
        title="Public quotes of a Systematic Internaliser", openapi_url="/openapi.json",
        docs_url=None, redoc_url=None,  # they load scripts from elsewhere
    )  # fmt: skip

    @app.get("/quotes", summary="What holds now: of every instrument, or of those named")
    async def quotes(
        isin: Annotated[
            list[str] | None, Query(max_length=ISINS_MAX, description="repeatable; none: all")
        ] = None,
    ) -> Response:
        for each in isin or ():
            if not isins.is_valid(each):
                return _not_an_isin(each)
        found = [site.board.get(each) for each in dict.fromkeys(isin or ())]
        entries = site.board.all() if isin is None else [entry for entry in found if entry]
        return Response(site.quotes(entries), media_type="application/json", headers=NO_STORE)

    @app.get("/quotes/{isin}", summary="The newest record of one instrument")
    async def quote(isin: str) -> Response:
        if not isins.is_valid(isin):
            return _not_an_isin(isin)
        entry = site.board.get(isin)
        if entry is None:
            return _problem(404, f"no quote was made in {isin}: /quotes has those that were")
        return Response(entry.data, media_type="application/json", headers=NO_STORE)

    @app.get("/stream", summary="Server-sent events: what holds now, then every change")
    async def stream() -> Response:
        if site.readers >= READERS_MAX:
            site.readers_turned_away += 1
            return _problem(
                503, f"{READERS_MAX} readers follow the stream: try again, or take /quotes",
                {"Retry-After": "10"},
            )  # fmt: skip
        return StreamingResponse(
            events(site), media_type="text/event-stream",
            headers=NO_STORE | {"X-Accel-Buffering": "no"},
        )  # fmt: skip

    @app.get("/schema", summary="JSON schema of a record")
    async def schema() -> Response:
        return JSONResponse(json_schema(), headers=HEADERS)

    @app.get("/status", summary="Delay of the publication, counts, readers")
    async def status() -> Response:
        return JSONResponse(site.status(), headers=NO_STORE)

    @app.get("/", summary="For people", response_class=HTMLResponse)
    async def page() -> Response:
        return _page("quotes.html.j2", head=site.head, minutes=_minutes(site))

    @app.get("/delayed", include_in_schema=False)
    async def delayed_without_slash() -> Response:
        return RedirectResponse("delayed/")

    @app.get("/delayed/", summary="Free delayed data, for people", response_class=HTMLResponse)
    async def delayed() -> Response:
        found = files(site.publisher.delayed.folder, DELAYED_SUFFIX)
        rows = [(path.name, path.stat().st_size) for _, path in reversed(found)]
        return _page("delayed.html.j2", head=site.head, minutes=_minutes(site), files=rows)

    @app.get("/delayed/{name}", summary="One day of delayed data, CSV")
    async def delayed_file(name: str) -> Response:
        path = site.publisher.delayed.folder / name
        if not DELAYED_NAME.fullmatch(name) or not path.is_file():
            return _problem(404, f"no such file: {name!r}; /delayed/ lists those there are")
        return FileResponse(path, media_type="text/csv; charset=utf-8", headers=NO_STORE)

    return app


async def events(site: Site) -> AsyncIterator[bytes]:
    """What holds, then changes, as server-sent events; to the end of the connection.

    A record is looked up when its turn comes, so a slow reader gets the newest, perhaps twice.
    """
    board = site.board
    site.readers += 1
    try:
        head: dict[str, Any] = {}
        series, seen = None, 0
        while not site.stopping:
            if board.series != series:  # the first time too
                series, seen, head = board.series, 0, site.head
                yield _event("series", json.dumps(head).encode())
            if head is not site.head:
                head = site.head
                yield _event("head", json.dumps(head).encode())
            names, seen = board.since(seen), board.changes
            if not names and not await site.news(HEARTBEAT_S):
                yield b": nothing new\n\n"
            for at in range(0, len(names), RECORDS_A_SEND):
                found = [board.get(name) for name in names[at : at + RECORDS_A_SEND]]
                yield b"".join(_event("quote", entry.data) for entry in found if entry)
                if site.stopping or board.series != series:
                    break
    finally:
        site.readers -= 1


def _event(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _minutes(site: Site) -> int:
    return site.publisher.settings.delayed_minutes


def _not_an_isin(text: str) -> Response:
    return _problem(400, f"{text[:40]!r} is no ISIN: twelve characters, the last a check digit")


def _problem(status: int, words: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": words}, status, headers=NO_STORE | (headers or {}))


def _page(template: str, **values: Any) -> Response:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    text = environment.get_template(template).render(**values)
    return HTMLResponse(text, headers=NO_STORE | {"Content-Security-Policy": PAGE_POLICY})
