"""A FIX client made of QuickFIX alone, so that our codec is not tested with itself.

It validates what it receives against the stock dictionaries; what it objects to it says in a
Reject(35=3) or BusinessMessageReject(35=j), kept in `objections`.
"""

import os
import queue
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import quickfix

Fields = dict[int, str]
SOH = "\x01"
ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 15.0


@dataclass(frozen=True)
class Peer:
    """Where the server listens and what both sides are called."""

    port: int
    server_comp_id: str
    client_comp_id: str
    begin: str = "FIX.4.4"


def dictionary(name: str) -> Path | None:
    """A stock dictionary: of the folder named, the one QuickFIX installs, or the one beside us."""
    named = os.environ.get("SI_FIX_DICTIONARIES")
    folders = [
        Path(sys.prefix) / "share" / "quickfix",
        ROOT.parent / "shared" / "data" / "fix",
    ]
    paths = [folder / name for folder in ([Path(named)] if named else folders)]
    return next((path for path in paths if path.is_file()), None)


def of_version(begin: str) -> str:
    """QuickFIX's settings for a version: its dictionaries."""
    if begin == "FIXT.1.1":
        return f"""DefaultApplVerID=FIX.5.0SP2
TransportDataDictionary={dictionary("FIXT11.xml")}
AppDataDictionary={dictionary("FIX50SP2.xml")}"""
    return f"DataDictionary={dictionary(begin.replace('FIX.', 'FIX').replace('.', '') + '.xml')}"


def settings(peer: Peer, folder: Path) -> str:
    """QuickFIX's own configuration; sequence numbers live in `folder` and outlast the client."""
    return f"""
[DEFAULT]
ConnectionType=initiator
StartTime=00:00:00
EndTime=00:00:00
HeartBtInt=2
ReconnectInterval=1
LogonTimeout=5
LogoutTimeout=5
ResetOnLogon=N
ResetOnLogout=N
ResetOnDisconnect=N
FileStorePath={folder}
FileLogPath={folder}
UseDataDictionary=Y
{of_version(peer.begin)}
ValidateUserDefinedFields=N
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
CheckCompID=Y
CheckLatency=Y

[SESSION]
BeginString={peer.begin}
SenderCompID={peer.client_comp_id}
TargetCompID={peer.server_comp_id}
SocketConnectHost=127.0.0.1
SocketConnectPort={peer.port}
"""


def fields_of(message: quickfix.Message) -> Fields:
    """Tag to text; of a repeated tag the first counts."""
    found: Fields = {}
    for pair in message.toString().split(SOH):
        tag, separator, value = pair.partition("=")
        if separator:
            found.setdefault(int(tag), value)
    return found


class Client(quickfix.Application):  # type: ignore[misc]
    """One session. QuickFIX calls the `on...`, `to...`, `from...` methods on a thread of its own;
    they only put what they see into queues.
    """

    def __init__(self, peer: Peer, folder: Path) -> None:
        super().__init__()
        self.begin = peer.begin
        self.logged_on = threading.Event()
        self.logged_out = threading.Event()
        self.reports: queue.Queue[Fields] = queue.Queue()
        self.admin_in: queue.Queue[Fields] = queue.Queue()
        self.admin_out: queue.Queue[Fields] = queue.Queue()
        self.objections: list[Fields] = []
        config = folder / "client.cfg"
        config.write_text(settings(peer, folder))
        self._settings = quickfix.SessionSettings(str(config))
        self._store = quickfix.FileStoreFactory(self._settings)
        self._log = quickfix.FileLogFactory(self._settings)
        self._initiator = quickfix.SocketInitiator(self, self._store, self._settings, self._log)
        self._id = quickfix.SessionID(peer.begin, peer.client_comp_id, peer.server_comp_id)

    @property
    def session(self) -> quickfix.Session:
        return quickfix.Session.lookupSession(self._id)

    # --- what QuickFIX calls ---

    def onCreate(self, session_id: quickfix.SessionID) -> None:
        pass

    def onLogon(self, session_id: quickfix.SessionID) -> None:
        self.logged_out.clear()
        self.logged_on.set()

    def onLogout(self, session_id: quickfix.SessionID) -> None:
        self.logged_on.clear()
        self.logged_out.set()

    def toAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:
        self._sent(fields_of(message))

    def toApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:
        self._sent(fields_of(message))

    def fromAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:
        fields = fields_of(message)
        self.admin_in.put(fields)
        if fields[35] == "3":
            self.objections.append(fields)

    def fromApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:
        self.reports.put(fields_of(message))

    def _sent(self, fields: Fields) -> None:
        if fields[35] in {"3", "j"}:
            self.objections.append(fields)
        if fields[35] in "012345A":
            self.admin_out.put(fields)

    # --- what a test calls ---

    def start(self) -> None:
        self._initiator.start()
        self.wait_for_logon()

    def stop(self) -> None:
        """Log out, as QuickFIX does it, and let go of the session."""
        self._initiator.stop()
        del self._initiator

    def wait_for_logon(self) -> None:
        assert self.logged_on.wait(WAIT_S), "no Logon(35=A) from the server"

    def cut(self) -> None:
        """Close the socket without a Logout(35=5)."""
        self.logged_out.clear()
        self.session.disconnect()
        assert self.logged_out.wait(WAIT_S)

    def send(self, message_type: str, fields: Fields) -> None:
        message = quickfix.Message()
        message.getHeader().setField(quickfix.BeginString(self.begin))
        message.getHeader().setField(quickfix.MsgType(message_type))
        for tag, value in fields.items():
            message.setField(quickfix.StringField(tag, value))
        message.setField(quickfix.TransactTime())
        assert quickfix.Session.sendToTarget(message, self._id)

    def report(self) -> Fields:
        """The next application message."""
        return self._next(self.reports, "application message")

    def no_report(self, seconds: float = 1.0) -> None:
        """Nothing more comes."""
        try:
            extra = self.reports.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"unexpected {extra}")

    def admin(self, sent: bool, message_type: str) -> Fields:
        """The next session message of a type, sent or received; others are passed over."""
        while True:
            fields = self._next(self.admin_out if sent else self.admin_in, f"35={message_type}")
            if fields[35] == message_type:
                return fields

    def sent_types(self) -> list[str]:
        """MsgType(35) of the session messages sent and not yet looked at."""
        return [fields[35] for fields in list(self.admin_out.queue)]

    def _next(self, source: "queue.Queue[Fields]", what: str) -> Fields:
        try:
            return source.get(timeout=WAIT_S)
        except queue.Empty:
            raise AssertionError(f"no {what}; objections: {self.objections}") from None
