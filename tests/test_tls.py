"""FIX over TLS, with the very files that gateway/TLS.md shows: stunnel in front of the engine."""

import contextlib
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fix_peer import Client, Closed, order
from tests.session_rig import ASK, BID, CLORDIDS, ISIN
from tests.venue import ROOT, Engine, running, sample

STUNNEL = shutil.which("stunnel4")
OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(not STUNNEL, reason="stunnel is not installed: apt-get install stunnel4"),
    pytest.mark.skipif(not OPENSSL, reason="openssl is not installed: apt-get install openssl"),
]

WAIT_S = 20.0
SERVER_NAME = "fix.example.com"
BLOCK = re.compile(r"^```\w+\n([;#] ([^\n]*)\n.*?)^```$", re.MULTILINE | re.DOTALL)
CLIENTS = ("CLIENT1", "CLIENT2")


def blocks() -> dict[str, str]:
    """The document's blocks by what their first line says."""
    text = (ROOT / "gateway" / "TLS.md").read_text()
    return {found[2]: found[1] for found in BLOCK.finditer(text)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        port: int = made.getsockname()[1]
        return port


class Tls(NamedTuple):
    """What listens where, and where the certificates lie."""

    engine: Engine
    folder: Path
    ports: dict[str, int]  # of stunnel, by CompID


class Near(NamedTuple):
    """A port to connect to."""

    fix_port: int


class TlsClient(Client):
    """A client that speaks TLS itself, with somebody's certificate or none."""

    def __init__(self, tls: Tls, comp_id: str, certificate: str | None) -> None:
        super().__init__(tls.engine, comp_id)
        self.tls, self.certificate = tls, certificate
        self.port_of = comp_id
        self.version: str | None = None

    def connect(self, receive_buffer: int = 0) -> None:
        self.close()
        context = ssl.create_default_context(cafile=str(self.tls.folder / "ca.pem"))
        if self.certificate:
            pem, key = (self.tls.folder / f"{self.certificate}.{end}" for end in ("pem", "key"))
            context.load_cert_chain(pem, key)
        plain = socket.create_connection(("127.0.0.1", self.tls.ports[self.port_of]), WAIT_S)
        try:
            made = context.wrap_socket(plain, server_hostname=SERVER_NAME)
        except (ssl.SSLError, ConnectionError) as error:
            plain.close()
            raise Closed from error
        self.version = made.version()
        self._socket, self._buffer = made, bytearray()

    def raw(self, data: bytes) -> None:
        try:
            super().raw(data)
        except ssl.SSLError as error:
            raise Closed from error

    def read(self) -> None:
        try:
            super().read()
        except ssl.SSLError as error:  # TLS 1.3: only now does the server say that it refuses
            self.close()
            raise Closed from error

    def refused(self) -> None:
        """No Logon is answered; the connection is closed."""
        with contextlib.suppress(Closed):
            self.connect()
            self.send("A", [(98, 0), (108, 30)])
            got = self.receive()
            assert got[35] == "5", f"{self.comp_id} is let in: {got}"
        self.close()


@contextlib.contextmanager
def stunnel(folder: Path, name: str, text: str, ports: list[int]) -> Iterator[Path]:
    """A stunnel with this configuration, listening; answers the file it logs to."""
    path, log_path = folder / f"{name}.conf", folder / f"{name}.log"
    path.write_text(text)
    assert STUNNEL is not None
    with log_path.open("wb") as log:
        process = subprocess.Popen([STUNNEL, str(path)], stdout=log, stderr=log, cwd=folder)
    try:
        for port in ports:
            await_port(port, process, log_path)
        yield log_path
        assert process.poll() is None, log_path.read_text()
    finally:
        process.terminate()
        process.wait()


def await_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until somebody listens. The connection that asks is closed without a handshake."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody listens on {port}:\n{log.read_text()}")


def moved(text: str, folder: Path, changes: dict[str, str]) -> str:
    """The document's configuration in another folder, on other ports; nothing else is changed."""
    for old, new in changes.items():
        assert text.count(old) >= 1, f"the document has no {old!r}"
        text = re.sub(re.escape(old) + r"\b", new, text)
    return text.replace("/etc/stunnel/", f"{folder}/")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["bash", "-euc", blocks()["certificates"]], cwd=folder, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    settings = tomllib.loads(blocks()["si.toml"])["fix"]
    settings["port"] = 0
    for session in settings["sessions"]:
        session["reset_on_logon"] = True  # every client here begins at 1
    with running(sample(folder / "engine", fix=settings)) as engine:
        engine.quote(ISIN, BID, ASK)
        ports = {name: free_port() for name in CLIENTS}
        changes = {
            "accept = 9881": f"accept = 127.0.0.1:{ports['CLIENT1']}",
            "accept = 9882": f"accept = 127.0.0.1:{ports['CLIENT2']}",
            "connect = 127.0.0.1:9878": f"connect = 127.0.0.1:{engine.fix_port}",
        }
        text = moved(blocks()["/etc/stunnel/si.conf"], folder, changes)
        with stunnel(folder, "si", text, list(ports.values())):
            yield Tls(engine, folder, ports)
    engine.verify()


def trade(client: Client) -> None:
    """Log on, buy, be filled at the offer or better, log out."""
    client.logon()
    client.send("D", order(next(CLORDIDS), ISIN, 10))
    report = client.expect("8", t150="F", t32="10")
    assert report[31] and report[30] == "SINT"
    client.logout()


def test_the_document_has_every_block_that_is_run() -> None:
    assert {
        "/etc/stunnel/si.conf", "/etc/stunnel/venue.conf", "certificates", "si.toml",
        "/etc/systemd/system/si-tls.service",
    } <= set(blocks())  # fmt: skip


def test_a_client_that_speaks_tls_gets_its_fill(tls: Tls) -> None:
    client = TlsClient(tls, "CLIENT1", "client1.example.com")
    trade(client)
    assert client.version in ("TLSv1.2", "TLSv1.3")


def test_a_client_behind_a_stunnel_of_its_own_gets_its_fill(tls: Tls) -> None:
    port = free_port()
    changes = {
        "accept = 127.0.0.1:9878": f"accept = 127.0.0.1:{port}",
        "connect = fix.example.com:9881": f"connect = 127.0.0.1:{tls.ports['CLIENT1']}",
    }
    text = moved(blocks()["/etc/stunnel/venue.conf"], tls.folder, changes)

    with stunnel(tls.folder, "venue", text, [port]):
        client = Client(Near(port), "CLIENT1")
        trade(client)
        client.close()


@pytest.mark.parametrize("certificate", [None, "client2.example.com", SERVER_NAME])
def test_another_certificate_is_refused(tls: Tls, certificate: str | None) -> None:
    TlsClient(tls, "CLIENT1", certificate).refused()
    trade(TlsClient(tls, "CLIENT2", "client2.example.com"))


def test_the_check_by_hand_is_what_the_document_says(tls: Tls) -> None:
    [text] = [text for name, text in blocks().items() if name.startswith("what the server shows")]
    command = text.replace("\\\n", "").splitlines()[1]
    assert command.startswith("openssl s_client") and "Verify return code: 0 (ok)" in text
    here = command.replace("fix.example.com:9881", f"127.0.0.1:{tls.ports['CLIENT1']}")
    done = subprocess.run(
        shlex.split(here), cwd=tls.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Verify return code: 0 (ok)" in done.stdout


def test_a_client_without_tls_is_refused(tls: Tls) -> None:
    client = Client(Near(tls.ports["CLIENT1"]), "CLIENT1")
    client.connect()
    client.send("A", [(98, 0), (108, 30)])
    client.closed()


def test_another_name_of_the_server_is_refused(tls: Tls) -> None:
    context = ssl.create_default_context(cafile=str(tls.folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", tls.ports["CLIENT1"]), WAIT_S) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="fix.example.org")


def test_a_certificate_is_good_for_its_own_session_only(tls: Tls) -> None:
    client = TlsClient(tls, "CLIENT1", "client1.example.com")
    client.comp_id = "CLIENT2"
    client.port_of = "CLIENT1"
    client.refused()
