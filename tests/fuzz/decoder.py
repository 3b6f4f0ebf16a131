"""Target: any bytes on a session that is logged on, through frame, tokenize and the hot path.

What compiled code leaves to Python is passed over here; that is the session's target. Every input
is read twice, whole and in two pieces, and both must come to the same.
"""

from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from gateway.fix_read import GARBLED, MESSAGE, OVERSIZE, PARTIAL, frame
from gateway.wire import MESSAGE_SIZE_MAX, TAG_MAX
from tests.fix_text import as_array, message
from tests.fuzz.checks import Others, check
from tests.fuzz.venue import ISIN, Venue

NAME = "decoder"
SIZE_MAX = 8192
SENDER = 0  # row of CLIENT1's session, number of its connection
STAMP = "20260601-08:00:00"
HEAD = "35={}|49=CLIENT1|56=SI|34={}|52=" + STAMP + "|"
#: Data fields by the tag that says their size (FIX 4.4 vol. 1, "data").
DATA = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622,
}  # fmt: skip


class Seen(NamedTuple):
    """What became of an input."""

    left: list[bytes]  # messages that the hot path left to Python
    sent: bytes
    rest: bytes  # not whole yet
    rows: bytes
    messages: int


class Decoder(Venue):
    """The server with CLIENT1 and CLIENT2 logged on; Python's part is passed over."""

    def __init__(self, folder: Path) -> None:
        self.left: list[bytes] = []
        super().__init__(folder)
        for name in ("CLIENT1", "CLIENT2"):
            peer = self.connect()
            head = HEAD.format("A", 1).replace("CLIENT1", name)
            self.receive(peer, message(f"{head}98=0|108=30|"))
        self.cold = self.leave  # type: ignore[method-assign]
        self.save()

    def leave(self, connection_id: int) -> None:
        """Check what tokenize found, note the message, go on behind it."""
        row = self.wire.loop[0]
        start, size = int(row["message_at"]), int(row["message_size"])
        connection = self.wire.connections[connection_id]
        raw = self.wire.rx[connection_id, start : start + size].tobytes()
        self.left.append(raw)
        if row["cold_reason"] < 0:
            check_fields(self, connection_id, start, raw)
        connection["rx_start"] = start + size


def run(venue: Decoder, data: bytes) -> None:
    """One input. Raises AssertionError, or whatever else the gateway raised."""
    data = data[:SIZE_MAX]
    check_frames(data)
    whole = one_way(venue, [data])
    cut = crc32(data) % (len(data) + 1)
    assert one_way(venue, [data[:cut], data[cut:]]) == whole, f"split at {cut} it is another"


def one_way(venue: Decoder, pieces: list[bytes]) -> Seen:
    """Read the pieces one after the other."""
    venue.restore()
    others = Others(venue, {SENDER})
    for piece in pieces:
        venue.receive(venue.peers[0], piece)
    others.check()
    check(venue)
    connection = venue.wire.connections[0]
    over = connection["fd"] < 0 or connection["closing"] != 0  # what came behind is forgotten
    unread = slice(connection["rx_start"], 0 if over else connection["rx_end"])
    rest = venue.wire.rx[0, unread].tobytes()
    session = venue.wire.sessions[SENDER]
    left = list(venue.left)
    handled = int(venue.wire.loop[0]["messages"])
    return Seen(left, bytes(venue.peers[0].got), rest, session.tobytes(), handled)


def check_frames(data: bytes) -> None:
    """Walk over the bytes with `frame` alone: every answer is what the bytes say."""
    buffer, end = as_array(data + bytes(8)), len(data)
    start = 0
    while start < end:
        outcome, size = (int(value) for value in frame(buffer, start, end))
        here = data[start:]
        if outcome == MESSAGE:
            check_message(here, size)
        elif outcome == GARBLED:
            assert 0 < size <= len(here)
            assert here.find(b"8=FIX", 1, size + 4) < 0, "a message skipped"
            behind = here[size:]
            assert b"8=FIX".startswith(behind[:5]), "not where a message could begin"
        else:
            assert outcome in (PARTIAL, OVERSIZE)
            assert b"8=FIX".startswith(here[:5])
            if outcome == OVERSIZE:
                assert size > MESSAGE_SIZE_MAX - len(here[:40])
            return
        start += size


def check_message(data: bytes, size: int) -> None:
    """BeginString, BodyLength, CheckSum, and the separator at the end."""
    assert size <= min(len(data), MESSAGE_SIZE_MAX)
    first, second = data[:size].split(b"\x01", 2)[:2]
    assert first.startswith(b"8=FIX") and second.startswith(b"9=")
    body_at = len(first) + len(second) + 2
    trailer = data[size - 7 : size]
    assert size == body_at + int(second[2:]) + 7
    assert trailer[:3] == b"10=" and trailer[6] == 1 and data[size - 8] == 1
    assert int(trailer[3:6]) == sum(data[: size - 7]) % 256


def check_fields(venue: Decoder, connection_id: int, at: int, raw: bytes) -> None:
    """The table of tags holds the first value of each, nothing else."""
    fields = venue.wire.fields
    generation = venue.wire.loop[0]["generation"]
    expected = first_values(raw)
    found = np.flatnonzero(fields[:, 0] == generation).tolist()
    assert found == sorted(tag for tag in expected if tag < TAG_MAX)
    for tag in found:
        start, size = int(fields[tag, 1]), int(fields[tag, 2])
        assert at <= start and start + size < at + len(raw), f"{tag} is outside the message"
        value = venue.wire.rx[connection_id, start : start + size].tobytes()
        assert value == expected[tag], f"{tag}: {value!r} for {expected[tag]!r}"


def first_values(raw: bytes) -> dict[int, bytes]:
    """Fields by tag, read the slow way, of a message in which every field can be read."""
    found: dict[int, bytes] = {}
    data_tag, data_size = 0, 0
    at = 0
    while at < len(raw):
        equals = raw.index(b"=", at)
        tag = int(raw[at:equals])
        from_here = equals + 1
        if tag == data_tag:
            from_here += min(data_size, len(raw) - 1 - from_here)
        end = raw.index(b"\x01", from_here)
        value = raw[equals + 1 : end]
        data_tag = 0
        if tag in DATA:
            data_tag, data_size = DATA[tag], int(value)
        found.setdefault(tag, value)
        at = end + 1
    return found


def open_target(folder: Path) -> Decoder:
    return Decoder(folder / "decoder")


def seeds() -> list[bytes]:
    """Ordinary traffic, then each way to be malformed."""
    order = f"11=a|55={ISIN}|48={ISIN}|22=4|54=1|38=10|40=2|44=344.5|59=3|60={STAMP}|"
    parties = "453=2|448=x|447=D|452=3|448=y|447=D|452=12|"
    streams = [
        message(HEAD.format("D", 2) + order),
        message(HEAD.format("D", 2) + order) + message(HEAD.format("D", 3) + order),
        message(HEAD.format("F", 2) + f"11=b|41=a|55={ISIN}|54=1|38=10|60={STAMP}|"),
        message(HEAD.format("H", 2) + f"37=1|11=a|55={ISIN}|54=1|"),
        message(HEAD.format("0", 2)) + message(HEAD.format("1", 3) + "112=hello|"),
        message(HEAD.format("D", 2) + order + parties),
        message(HEAD.format("D", 2) + order + "95=3|96=a\x01b|58=x|"),
        message(HEAD.format("D", 2) + order + "15=EUR|18=1|9000=x|99999=y|"),
        message(HEAD.format("D", 2) + order + "11=b|"),
        message(HEAD.format("D", 2) + "011=a|" + order),
        message(HEAD.format("D", 2) + order.replace("38=10", "38=")),
        message(HEAD.format("D", 2) + order.replace("38=10", "38=1.5").replace("344.5", ".0005")),
        message(HEAD.format("AE", 2) + "571=x|", begin="FIX.4.2"),
        message(HEAD.format("0", 2), begin="FIXT.1.1"),
        b"noise" + message(HEAD.format("0", 2)) + b"8=FI",
        message(HEAD.format("0", 2))[:-4] + b"000\x01" + message(HEAD.format("0", 2)),
        b"8=FIX.4.4\x019=99999\x0135=0\x01",
    ]
    return list(dict.fromkeys(streams))


def readable(data: bytes) -> str:
    return data.replace(b"\x01", b"|").decode("latin-1")
