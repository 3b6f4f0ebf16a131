"""Target: scripts of messages, disconnects and time, against the server without sockets.

A script is lines of text, so that an input can be read and written by hand:

    0 35=D|34=+|49=CLIENT1|...   connection 0 sends these fields, framed; `34=+` is the next number
                                 of its session, `34=+3` three more, `34=-1` one less; `*` is the
                                 time
    0!8=FIX.4.4|9=5|...          connection 0 sends these bytes as they are
    0^                           connection 0 connects anew (a line with fields does so by itself)
    0$                           the peer disconnects
    0_                           the peer stops reading; at the next `0_` it reads again
    +1500                        1.5 seconds pass
    q344.40                      a quote: bid, with an offer of 0.10 more
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.wire import SessionState
from tests.fuzz.checks import Others, check
from tests.fuzz.twin import Twin
from tests.fuzz.venue import CLIENTS, ISIN, SESSIONS, Peer, Venue

NAME = "session"
LINES_MAX = 80
LINE_SIZE_MAX = 4096
SLOTS = 3


class Run:
    """One script."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.slots: list[Peer | None] = [None] * SLOTS

    def line(self, line: bytes) -> None:
        """Do one line; what is no line does nothing."""
        if line[:1] == b"+":
            with suppress(ValueError):
                self.venue.pass_time(min(int(line[1:6]), 60_000) if line[1:6].isdigit() else 100)
        elif line[:1] == b"q":
            whole = line[1:4] if line[1:4].isdigit() and line[1:2] != b"0" else b"344"
            self.venue.quote(f"{int(whole)}.40", f"{int(whole)}.50")
        elif len(line) >= 2 and line[:1] in (b"0", b"1", b"2"):
            self.peer_line(int(line[:1]), line[1:2], line[2:])

    def peer_line(self, slot: int, verb: bytes, rest: bytes) -> None:
        peer = self.slots[slot]
        if peer is not None and peer.ended:
            self.venue.disconnect(peer)
        if verb == b"^" or peer is None or not self.venue.is_open(peer):
            peer = self.slots[slot] = self.venue.connect()
        if verb == b"$":
            self.venue.disconnect(peer)
        elif verb == b"_":
            peer.reads = not peer.reads
            self.venue.deliver()
        elif verb == b"!":
            self.send(peer, rest.replace(b"|", b"\x01"))
        elif verb == b" ":
            self.send(peer, self.message(peer, rest))

    def message(self, peer: Peer, text: bytes) -> bytes:
        """Fields as text to a framed message; a frame that is given stays."""
        session_id = int(self.venue.wire.connections[peer.connection_id]["session"])
        fields = [field for field in text.replace(b"|", b"\x01").split(b"\x01") if field]
        named = next((name for name in CLIENTS if f"49={name}".encode() in fields), "")
        begin = str(SESSIONS.get(named, {}).get("begin_string", "FIX.4.4")).encode()
        size = sums = b""
        body = b""
        for field in fields:
            tag, _, value = field.partition(b"=")
            if tag == b"8":
                begin = value
            elif tag == b"9":
                size = value
            elif tag == b"10":
                sums = value
            else:
                body += self.field(tag, value, field, session_id) + b"\x01"
        data = b"8=" + begin + b"\x019=" + (size or b"%d" % len(body)) + b"\x01" + body
        return data + b"10=" + (sums or b"%03d" % (sum(data) % 256)) + b"\x01"

    def field(self, tag: bytes, value: bytes, field: bytes, session_id: int) -> bytes:
        if tag == b"34" and value[:1] in (b"+", b"-") and len(value) < 6:
            next_in = int(self.venue.wire.sessions[session_id]["next_in"]) if session_id >= 0 else 1
            more = int(value[1:]) if value[1:].isdigit() else 0
            return b"34=%d" % max(next_in + (more if value[:1] == b"+" else -more), 0)
        if value == b"*":
            return tag + b"=" + stamp(self.venue.clock_ns).encode()
        return field

    def send(self, peer: Peer, data: bytes) -> None:
        """Only the sender's session may change, or the one that its CompIDs name."""
        named = {i for i, name in enumerate(CLIENTS) if f"49={name}\x01".encode() in data}
        bound = int(self.venue.wire.connections[peer.connection_id]["session"])
        others = Others(self.venue, named | {bound})
        self.venue.receive(peer, data)
        others.check()


class Subject(Venue):
    """The server, and what its journal says of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.twin = Twin(self)


def stamp(ts_ns: int) -> str:
    """UTCTimestamp in milliseconds."""
    moment = datetime.fromtimestamp(ts_ns // 10**9, UTC)
    return f"{moment:%Y%m%d-%H:%M:%S}.{ts_ns // 10**6 % 1000:03d}"


def run(venue: Subject, data: bytes) -> None:
    """One input. Raises AssertionError, or whatever else the server raised."""
    venue.restore()
    script = Run(venue)
    for line in data.split(b"\n")[:LINES_MAX]:
        script.line(line[:LINE_SIZE_MAX])
    check(venue)
    venue.twin.check()
    for session_id in range(len(CLIENTS)):
        row = venue.wire.sessions[session_id]
        assert row["connection"] >= 0 or row["state"] == SessionState.OFF, f"session {session_id}"


def open_target(folder: Path) -> Subject:
    return Subject(folder / "session")


def seeds() -> list[bytes]:
    """The usual course of a session, and the unusual ones that the standard names."""
    head = "34=+|49=CLIENT1|56=SI|52=*|"
    order = f"11={{0}}|55={ISIN}|48={ISIN}|22=4|54=1|38=10|40=2|44=345|59=3|60=*|"
    on = f"0 35=A|{head}98=0|108=30|\n"
    trade = f"0 35=D|{head}{order}\n"
    scripts = [
        on + trade + f"0 35=5|{head}\n",
        on + trade + f"0 35=2|{head}7=1|16=0|\n" + f"0 35=1|{head}112=a|\n",
        on + "0$\n" + on + f"0 35=2|{head}7=1|16=0|\n",
        on + "+36000\n+1000\n+36000\n",
        on + "+36000\n" + f"0 35=0|{head}112=SI|\n+31000\n",
        on + f"0 35=D|{head.replace('+', '+2')}{order}\n" + f"0 35=4|{head}123=Y|36=4|\n" + trade,
        on + f"0 35=4|{head}36=50|\n" + f"0 35=0|{head}\n",
        on + f"0 35=A|{head.replace('+', '1')}98=0|108=20|141=Y|\n" + trade,
        on + f"0 35=0|{head.replace('+', '-1')}43=Y|122=20260601-08:00:00|\n",
        on + f"0 35=0|{head.replace('+', '-1')}\n",
        on + f"0 35=D|{head}11=b|54=1|38=x|\n0 35=V|{head}262=r|\n0 35=??|{head}\n",
        on + trade + f"0 35=F|{head}11=c|41={{0}}|55=DEZZ00000056|54=1|38=10|60=*|\n",
        on + trade + f"0 35=H|{head}37=1|11={{0}}|55=DEZZ00000056|54=1|\n",
        on.replace("49=CLIENT1|", "49=CLIENT3|").replace("108=30|", "108=30|1137=9|")
        + trade.replace("CLIENT1", "CLIENT3") * 5,
        on.replace("CLIENT1", "CLIENT4")
        + trade.replace("CLIENT1", "CLIENT4")
        + "0$\n"
        + on.replace("CLIENT1", "CLIENT4").replace("34=+", "34=9"),
        on.replace("108=30", "108=30|789=1").replace("CLIENT1", "CLIENT2")
        + trade.replace("CLIENT1", "CLIENT2").replace("55=", "9999=x|55="),
        on.replace("CLIENT1", "CLIENT2") + on.replace("0 35", "1 35") + trade,
        on + on.replace("0 35", "1 35"),
        on.replace("49=CLIENT1", "49=NOBODY"),
        on.replace("108=30", "108=4000"),
        on + "0!8=FIX.4.4|9=70|35=0|34=2|10=000|noise8=FIX.4.4|9=99999|\n",
        on + "0_\n" + trade.replace("38=10", "38=100000") * 3 + "0_\n+1000\n",
        on + trade.replace("38=10|40=2|44=345", "38=99999|40=1") + "q350\n+300000\n",
    ]
    numbered = []
    for script in scripts:
        for count in range(script.count("{0}")):
            script = script.replace("{0}", f"o{count}", 1)
        numbered.append(script.encode())
    return numbered


def readable(data: bytes) -> str:
    return data.replace(b"\x01", b"|").decode("latin-1")
