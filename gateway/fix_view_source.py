"""Where messages to be shown come from: files of any tool, and the journal. All of them masked.

A search looks at the masked message as well, so that nobody can guess a password by searching.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import NamedTuple

from engine import journal as jn
from engine.limits import SEGMENT_SIZE
from gateway.errors import UserError
from gateway.fix_pairs import SOH, first_values, split
from gateway.fix_view import Shown
from gateway.journal_files import Frame, Reader, segments
from gateway.masking import masked

# --- files --------------------------------------------------------------------------------------

_BEGIN = re.compile(rb"8=FIXT?\.[0-9][^\x01|^\r\n]{0,12}?(\x01|\||\^A)(?=9=)")
_BODY_LENGTH = re.compile(rb"9=([0-9]{1,7})")
_LINE_END = re.compile(rb"[\r\n]")


def messages(data: bytes) -> Iterator[Shown]:
    """Every FIX message in a text, whatever stands around it; SOH, `|` or `^A` separate fields."""
    starts = list(_BEGIN.finditer(data))
    for index, start in enumerate(starts):
        limit = starts[index + 1].start() if index + 1 < len(starts) else len(data)
        separator = start.group(1)
        found = data[start.start() : _end(data, start, separator, limit)]
        raw = _with_soh(found, separator)
        yield Shown(masked(raw), notes=tuple(frame_faults(raw)))


def _end(data: bytes, start: re.Match[bytes], separator: bytes, limit: int) -> int:
    """Where a message ends: at BodyLength(9) if that holds, else behind the first CheckSum(10)."""
    length = _BODY_LENGTH.match(data, start.end())
    if length is not None and len(separator) == 1:
        trailer = length.end() + 1 + int(length.group(1))
        if data[trailer - 1 : trailer + 3] == separator + b"10=":
            return min(trailer + 7, len(data))
    checksum = re.compile(re.escape(separator) + rb"10=[0-9]*(" + re.escape(separator) + rb")?")
    found = checksum.search(data, start.end(), limit)
    if found is not None:
        return found.end()
    cut = _LINE_END.search(data, start.end(), limit)
    return cut.start() if cut is not None else limit


def _with_soh(found: bytes, separator: bytes) -> bytes:
    """The message as it was on the wire; a `|` within a text stays one."""
    if separator == SOH:
        return found
    mark = re.escape(separator)
    return re.sub(mark + rb"(?=[0-9]+=)|" + mark + rb"\Z", SOH, found)


def frame_faults(raw: bytes) -> Iterator[str]:
    """What is wrong with BodyLength(9) and CheckSum(10)."""
    values = first_values(split(raw))
    body = raw.find(SOH, raw.find(SOH) + 1) + 1
    trailer = raw.rfind(b"\x0110=") + 1
    if trailer == 0 or 10 not in values:
        yield "no CheckSum(10): cut off?"
        return
    if values.get(9) != str(trailer - body):
        yield f"BodyLength 9={values.get(9)} but {trailer - body} bytes"
    if values[10] != f"{sum(raw[:trailer]) % 256:03d}":
        yield f"CheckSum 10={values[10]} but {sum(raw[:trailer]) % 256:03d}"


# --- the journal --------------------------------------------------------------------------------

#: Frames without a FIX message; any other kind is looked at.
_WITHOUT = {
    jn.BOOT, jn.TABLE_ROW, jn.VENUE_QUOTE, jn.DESK, jn.TIMER, jn.SESSION_SET, jn.STAGE,
    jn.ACTIVATE, jn.DESK_ITEM, jn.DESK_RESULT, jn.QUOTE,
}  # fmt: skip
KINDS = tuple(kind for kind in jn.KIND_NAMES if kind not in _WITHOUT)


def journal_of(directory: Path) -> Path:
    """The journal's folder. Raises UserError where there is none."""
    journal = directory / "journal"
    if not journal.is_dir():
        raise UserError(f"no journal at {journal}: give the folder that has si.toml")
    return journal


def shown(frame: Frame) -> Shown | None:
    """The FIX message of a frame; None where it has none."""
    raw = frame.fix
    if not raw.startswith(b"8=FIX"):
        return None
    direction = "out" if frame.kind >= jn.EXECUTION else "in"
    return Shown(masked(raw), frame.ts_ns, direction, frame.kind == jn.FIX_RESENT)


def read(reader: Reader) -> Iterator[Shown]:
    """What a reader of the journal has gained."""
    for frame in reader.poll():
        found = shown(frame)
        if found is not None:
            yield found


def everything(journal: Path) -> Iterator[Shown]:
    """All messages of a journal, oldest first."""
    return read(Reader(journal, kinds=KINDS))


Wanted = Callable[[Shown], bool]


def latest(journal: Path, count: int, wanted: Wanted) -> tuple[list[Shown], Reader]:
    """The last `count` messages that are wanted, and a reader that stands behind them.

    Segments are read from the last one backwards, as far as it takes.
    """
    index = max(len(segments(journal)) - 1, 0)
    reader = Reader(journal, index * SEGMENT_SIZE, KINDS)
    found = deque((each for each in read(reader) if wanted(each)), maxlen=count)
    while index > 0 and len(found) < count:
        index -= 1
        older = Reader(journal, index * SEGMENT_SIZE, KINDS)
        part: deque[Shown] = deque(maxlen=count - len(found))
        for frame in older.poll():
            if frame.position >= (index + 1) * SEGMENT_SIZE:
                break
            message = shown(frame)
            if message is not None and wanted(message):
                part.append(message)
        found.extendleft(reversed(part))
    return list(found), reader


# --- searching ----------------------------------------------------------------------------------


class Query(NamedTuple):
    """What a message must have; everything left out matches."""

    clordid: str = ""
    order: str = ""
    session: str = ""
    isin: str = ""
    since: Moment | None = None
    until: Moment | None = None
    text: str = ""
    types: tuple[str, ...] = ()
    tags: tuple[tuple[int, str], ...] = ()


class Moment(NamedTuple):
    """A point in time, or a time of day (UTC) of any day."""

    ns: int
    of_day: bool

    def of(self, ts_ns: int) -> int:
        """A time on this moment's scale."""
        return ts_ns % DAY_NS if self.of_day else ts_ns


DAY_NS = 86_400 * 10**9


def moment(text: str) -> Moment:
    """`10:15`, `10:15:00.123` or an ISO date and time; UTC unless it says. Raises UserError."""
    try:
        if re.fullmatch(r"[0-9]{2}:.*", text):
            of_day = time.fromisoformat(text)
            if of_day.tzinfo is not None:
                raise ValueError
            whole = datetime.combine(datetime(1970, 1, 1), of_day, UTC)
        else:
            whole = datetime.fromisoformat(text)
            whole = whole if whole.tzinfo is not None else whole.replace(tzinfo=UTC)
    except ValueError as error:
        raise UserError(
            f"{text!r} is no time: write 10:15, 10:15:00.123 or 2025-12-01T10:15"
        ) from error
    seconds = whole - datetime(1970, 1, 1, tzinfo=UTC)
    ns = (seconds.days * 86_400 + seconds.seconds) * 10**9 + seconds.microseconds * 1000
    return Moment(ns, bool(re.fullmatch(r"[0-9]{2}:.*", text)))


def find(messages: Callable[[], Iterable[Shown]], query: Query) -> Iterator[Shown]:
    """The messages that match. `messages` is called twice where an order is looked for.

    An order's messages are those with its OrderID(37) and those of the same session with a
    ClOrdID(11) or OrigClOrdID(41) that came with it: the order itself has no OrderID yet.
    """
    clordids: set[tuple[str, str]] = set()
    if query.order:
        for each in messages():
            values = first_values(each.pieces)
            if values.get(37) == query.order:
                clordids |= {
                    (_peer(each, values), values[tag]) for tag in (11, 41) if tag in values
                }
    for each in messages():
        if matches(each, query, clordids):
            yield each


def _peer(message: Shown, values: dict[int, str]) -> str:
    return values.get(49 if message.direction == "in" else 56, "")


def matches(message: Shown, query: Query, clordids: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether a message has everything that the query asks for."""
    if query.since and query.since.of(message.ts_ns) < query.since.ns:
        return False
    if query.until and query.until.of(message.ts_ns) > query.until.ns:
        return False
    pieces = message.pieces
    values = first_values(pieces)
    peer = _peer(message, values)
    if query.session and query.session != peer:
        return False
    if query.types and values.get(35) not in query.types:
        return False
    if query.clordid and query.clordid not in (values.get(11), values.get(41)):
        return False
    if query.isin and query.isin not in (values.get(48), values.get(55)):
        return False
    if query.order and values.get(37) != query.order:
        if not any((peer, values.get(tag, "")) in clordids for tag in (11, 41)):
            return False
    said = {(each.tag, (each.value or b"").decode("latin-1")) for each in pieces}
    if any(pair not in said for pair in query.tags):
        return False
    texts = "\n".join(value for tag, value in said if tag == 58).lower()
    return all(word in texts for word in query.text.lower().split())
