"""One address over HTTP: bounded, tried again, and never led astray.

Rule: everything that can go wrong outside is a `DownloadError` of its own kind, with the address
and what to do. Redirects are followed among the hosts that are allowed, never from https to http;
a body has a largest size and a longest time, and one that breaks off starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ReadTimeoutError

from gateway.errors import UserError
from refdata.register_index import host_of

CHUNK_BYTES = 1 << 16
REDIRECTS_MAX = 5
REDIRECT_STATUS = (301, 302, 303, 307, 308)
#: The server is busy or in trouble: worth another try.
BUSY_STATUS = (429, 500, 502, 503, 504)
#: Identity: the bytes of the checksum and of Content-Length are those of the file.
HEADERS = {"User-Agent": "si-engine", "Accept-Encoding": "identity"}

Got = TypeVar("Got")


class DownloadError(UserError):
    """A download that did not succeed. `again` is True where another try may help."""

    again = False


class Unreachable(DownloadError):
    """No connection, or no answer in time."""

    again = True


class HttpStatus(DownloadError):
    """The server answers with an error."""


class HttpBusy(HttpStatus):
    """The server says that it is busy or in trouble."""

    again = True


class RedirectedAway(DownloadError):
    """The address, or where it leads to, is not one of the register's hosts."""


class Truncated(DownloadError):
    """Fewer bytes than announced, or silence before the end."""

    again = True


class TooLong(DownloadError):
    """More bytes, or more time, than any register file takes."""


class Net(NamedTuple):
    """How to ask. `timeout_s` is for one silence, `total_s` for one body; `proxy` is "" or a URL;
    `backoff_s` is the first wait between tries, which then doubles."""

    timeout_s: float = 60
    total_s: float = 3_600
    tries: int = 4
    backoff_s: float = 1
    bytes_max: int = 1 << 31
    proxy: str = ""
    clock: Callable[[], float] = time.monotonic


@contextmanager
def pool_of(net: Net) -> Iterator[urllib3.PoolManager]:
    """Connections, closed at the end."""
    options: dict[str, Any] = {"headers": HEADERS, "timeout": urllib3.Timeout(net.timeout_s)}
    if net.proxy:
        try:
            pool: urllib3.PoolManager = urllib3.ProxyManager(net.proxy, **options)
        except (HTTPError, ValueError) as error:
            raise Unreachable(f"proxy {net.proxy}: {error}: write http://host:port") from None
    else:
        pool = urllib3.PoolManager(**options)
    try:
        yield pool
    finally:
        pool.clear()


def tried(net: Net, url: str, attempt: Callable[[], Got]) -> Got:
    """`attempt` until it succeeds or the tries are used up; then its last error."""
    retry = urllib3.Retry(total=net.tries - 1, backoff_factor=net.backoff_s)
    while True:
        try:
            return attempt()
        except DownloadError as error:
            if not error.again:
                raise
            try:
                retry = retry.increment("GET", url, error=ProtocolError(str(error)))
            except MaxRetryError:
                raise error from None
            # Our own backoff: a server's Retry-After could be a day.
            retry.sleep()


@contextmanager
def response_of(
    pool: urllib3.PoolManager, url: str, hosts: Sequence[str]
) -> Iterator[urllib3.BaseHTTPResponse]:
    """An answer of 200, its body unread. No `hosts`: that of `url` alone."""
    asked = url
    hosts = hosts or (host_of(url),)
    for _ in range(REDIRECTS_MAX + 1):
        _check_host(asked, url, hosts)
        try:
            response = pool.request(
                "GET", url, preload_content=False, decode_content=False, redirect=False,
                retries=False,
            )  # fmt: skip
        except (HTTPError, ValueError) as error:
            raise Unreachable(f"{url}: {error}: check network, proxy and address") from None
        if response.status not in REDIRECT_STATUS:
            break
        response.close()
        url = _joined(url, response.headers.get("Location", ""))
    else:
        raise RedirectedAway(f"{asked}: more than {REDIRECTS_MAX} redirects, the last to {url}")
    try:
        said = f"{url}: HTTP {response.status} {response.reason}"
        if response.status in BUSY_STATUS:
            raise HttpBusy(f"{said}: try again later")
        if response.status != 200:
            raise HttpStatus(f"{said}: check the address and the days asked for")
        yield response
    finally:
        response.close()


def size_announced(response: urllib3.BaseHTTPResponse) -> int:
    """Content-Length; 0 where there is none."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def chunks_of(response: urllib3.BaseHTTPResponse, net: Net, url: str) -> Iterator[bytes]:
    """The body, at most `net.bytes_max` bytes of it, and for at most `net.total_s`."""
    ends, done, cut = net.clock() + net.total_s, 0, False
    announced = size_announced(response)
    if announced > net.bytes_max:
        raise TooLong(f"{url}: {announced} bytes, more than {net.bytes_max}: no file of a register")
    try:
        # read1 gives what has arrived, so that the time is looked at while a server drips.
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            done += len(chunk)
            if done > net.bytes_max:
                raise TooLong(f"{url}: more than {net.bytes_max} bytes: no file of a register")
            if net.clock() > ends:
                raise TooLong(f"{url}: not done after {net.total_s:g} s: try again later")
            yield chunk
    except ReadTimeoutError:
        silent = f"{url}: silent for {net.timeout_s:g} s after {done} bytes: try again later"
        raise Truncated(silent) from None
    except HTTPError:
        cut = True
    if cut or (announced and announced != done):
        of = f" of {announced}" if announced else ""
        raise Truncated(f"{url}: broke off after {done}{of} bytes: try again")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location  # no address: refused by its host


def _check_host(asked: str, url: str, hosts: Sequence[str]) -> None:
    host = host_of(url)
    if not host or (asked.startswith("https:") and url.startswith("http:")):
        raise RedirectedAway(f"{asked}: leads to {url}, which is not https: not followed")
    if host not in hosts:
        known = ", ".join(hosts)
        raise RedirectedAway(f"{asked}: leads to {url}, which is none of {known}: not followed")
