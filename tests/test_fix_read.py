"""FIX bytes to fields: any split, any damage, any number; simplefix and Decimal as second opinion.

The property: what is whole is read whole, what is damaged is never taken for a message, and the
next good message behind it is always found.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pytest
import simplefix
from hypothesis import example, given
from hypothesis import strategies as st
from simplefix.parser import RAW_DATA_TAGS, RAW_LEN_TAGS

from engine.enums import Reason
from engine.limits import INT64_MAX
from gateway import fix_read
from gateway.fix_read import GARBLED, MESSAGE, OVERSIZE, PARTIAL
from gateway.wire import FIELDS_MAX, MESSAGE_SIZE_MAX, TAG_MAX
from tests.fix_text import SHARED_FIX, as_array, message, order, pairs_of, raw

#: A session's ordinary traffic, each message as a counterparty would send it.
MESSAGES = (
    order(2),
    message("35=A|49=CLIENT|56=SI|34=1|52=20251201-10:00:00|98=0|108=30|141=Y|"),
    message("35=0|49=CLIENT|56=SI|34=3|52=20251201-10:00:30|112=are you there|"),
    message("35=F|49=CLIENT|56=SI|34=4|52=20251201-10:00:31|11=B|41=A2|54=1|55=X|60=20251201|"),
    order(5, "58=8=FIX in a text, 10=123 too|95=8|96=a|10=0|z|"),
    message("35=5|", begin="FIX.4.2"),
)
IDS = [data.split(b"\x01")[2].decode() for data in MESSAGES]
#: Enough good bytes behind a message for any BodyLength(9) of three digits.
BEHIND = order(7) * 8


class Taken(NamedTuple):
    """What came out of a stream of bytes."""

    messages: list[bytes]
    garbled: bytes
    last: int  # outcome at which it stands still
    left: bytes


def take(chunks: list[bytes]) -> Taken:
    """Frame a stream that arrives in chunks, as the gateway's loop does."""
    buffer = np.zeros(sum(map(len, chunks)), np.uint8)
    messages, garbled, start, end, outcome = [], b"", 0, 0, PARTIAL
    for chunk in chunks:
        buffer[end : end + len(chunk)] = as_array(chunk)
        end += len(chunk)
        while start < end:
            outcome, size = fix_read.frame(buffer, start, end)
            if outcome == MESSAGE:
                messages.append(buffer[start : start + size].tobytes())
            elif outcome == GARBLED:
                garbled += buffer[start : start + size].tobytes()
            else:
                break
            assert size > 0, "every step must consume something"
            start += size
    return Taken(messages, garbled, int(outcome), buffer[start:end].tobytes())


class Fields(NamedTuple):
    """What the field table says of one message."""

    problem: int
    tag: int
    values: dict[int, bytes]


def tokenize(data: bytes, lead: bytes = b"", tail: bytes = b"") -> Fields:
    """Tokenize a message that stands between other bytes, in a table that has been used."""
    buffer = as_array(lead + data + tail)
    fields = np.zeros((TAG_MAX, 3), np.int64)
    fields[:, 0] = 6  # of the message before
    parts = np.full((FIELDS_MAX, 3), -1, np.int64)
    problem, tag, count = fix_read.tokenize(buffer, len(lead), len(data), fields, parts, 7)
    in_order = [(t, buffer[at : at + size].tobytes()) for t, at, size in parts[:count].tolist()]
    if problem == -1:
        assert b"".join(b"%d=%s\x01" % part for part in in_order) == data
    assert (parts[count:] == -1).all()
    values = {
        int(t): buffer[fields[t, 1] : fields[t, 1] + fields[t, 2]].tobytes()
        for t in np.flatnonzero(fields[:, 0] == 7)
    }
    assert all(bool(fix_read.has(fields, 7, t)) for t in values)
    return Fields(int(problem), int(tag), values)


def first_of_each(pairs: list[tuple[int, bytes]]) -> dict[int, bytes]:
    """Of a repeated tag the first counts; tags beyond the table are nobody's business."""
    return {tag: value for tag, value in reversed(pairs) if tag < TAG_MAX}


# Framing


@pytest.mark.parametrize("data", MESSAGES, ids=IDS)
def test_whole_byte_by_byte_and_with_a_tail(data: bytes) -> None:
    whole = Taken([data], b"", MESSAGE, b"")
    assert take([data]) == whole
    assert take([data[i : i + 1] for i in range(len(data))]) == whole
    for tail in (b"8", b"8=FIX", order(9)[:-1], raw("8=FIX.4.4|9=20|")):
        assert take([data + tail]) == Taken([data], b"", PARTIAL, tail)


@pytest.mark.parametrize("data", MESSAGES, ids=IDS)
def test_every_truncation_is_partial(data: bytes) -> None:
    for size in range(1, len(data)):
        assert take([data[:size]]) == Taken([], b"", PARTIAL, data[:size]), size


def test_merged_messages_are_told_apart() -> None:
    assert take([b"".join(MESSAGES)]) == Taken(list(MESSAGES), b"", MESSAGE, b"")


PIECES = st.lists(
    st.sampled_from([*MESSAGES, b"noise", b"8=FI", raw("8=FIX.4.4|9=12|35=0|10=000|"), b"\x01"])
    | st.binary(max_size=30),
    max_size=12,
)


@given(PIECES, st.randoms(use_true_random=False))
def test_split_anywhere_gives_the_same_messages(pieces: list[bytes], random) -> None:
    data = b"".join(pieces)
    cuts = sorted(random.sample(range(len(data) + 1), min(len(data), random.randrange(20))))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole, split = take([data]), take(chunks)
    assert split.messages == whole.messages
    assert split.garbled + split.left == whole.garbled + whole.left


def damaged() -> Iterator[tuple[str, bytes]]:
    """Every bit of every byte of two messages turned over, one at a time."""
    for data in (MESSAGES[0], MESSAGES[2]):
        for i, byte in enumerate(data):
            for bit in range(8):
                flipped = bytes([byte ^ 1 << bit])
                yield f"byte {i}, bit {bit}", data[:i] + flipped + data[i + 1 :]


def test_no_flipped_bit_passes_and_the_next_message_is_found() -> None:
    for where, bad in damaged():
        alone, followed = take([bad]), take([bad + BEHIND])
        assert alone.messages == [] and alone.last in (PARTIAL, GARBLED, OVERSIZE), where
        if followed.last != OVERSIZE:
            assert followed.messages == [order(7)] * 8, where
            assert followed.garbled == bad, where


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("data", MESSAGES, ids=IDS)
def test_body_length_wrong_by_one(data: bytes, by: int) -> None:
    size = int(data.split(b"\x01")[1][2:])
    wrong = data.replace(b"\x019=%d\x01" % size, b"\x019=%d\x01" % (size + by))
    right_sum = wrong[:-4] + b"%03d\x01" % (sum(wrong[:-7]) % 256)
    for bad in (wrong, right_sum):
        assert take([bad + BEHIND]).messages == [order(7)] * 8
        assert take([bad]).messages == []


def test_every_wrong_checksum_is_garbled() -> None:
    data = MESSAGES[2]
    for claimed in range(1000):
        bad = data[:-4] + b"%03d\x01" % claimed
        expected = [data] if bad == data else []
        assert take([bad + data]).messages == [*expected, data]
    for claimed in (b"1 0", b"-01", b"a00", b"\x0100"):
        assert take([data[:-4] + claimed + b"\x01"]) == Taken(
            [], data[:-4] + claimed + b"\x01", GARBLED, b""
        )


@pytest.mark.parametrize(
    "bad",
    [
        "9=5|8=FIX.4.4|35=0|10=000|",
        "8=FIX.4.4|35=0|9=5|10=000|",
        "8=FIX.4.4|9=|35=0|10=000|",
        "8=FIX.4.4|9=-5|35=0|10=000|",
        "8=FIX.4.4|9=5.0|35=0|10=000|",
        "8=FIX.4.4|9=0000000005|35=0|10=000|",
        "8=FIX.4.4 with no end in sight|9=5|35=0|",
        "8=FIY.4.4|9=5|35=0|10=000|",
        "8=FIX.4.4|9=5|35=0|10:161|",
        "8=FIX.4.4|9=4|35=0|10=161|",
        "POST / HTTP/1.1",
    ],
)
def test_what_is_no_message_is_skipped(bad: str) -> None:
    taken = take([raw(bad) + BEHIND])
    assert taken.messages == [order(7)] * 8
    assert taken.garbled == raw(bad)


def test_oversize() -> None:
    def of_body(size: int) -> bytes:
        return message("35=0|112=" + "x" * (size - 10) + "|")

    for size in (MESSAGE_SIZE_MAX, 999_999_999):
        for more in ("", "|", "|35=0|"):
            head = raw(f"8=FIX.4.4|9={size}{more}")
            outcome, body_size = fix_read.frame(as_array(head), 0, len(head))
            assert outcome == (OVERSIZE if more else PARTIAL)
            assert body_size == (size if more else 0)
    most = MESSAGE_SIZE_MAX - len(of_body(10_000)) + 10_000
    assert take([of_body(most)]).messages == [of_body(most)]
    assert take([of_body(most + 1)]).last == OVERSIZE


# Fields


@pytest.mark.parametrize("data", MESSAGES, ids=IDS)
def test_fields_whole_and_between_other_bytes(data: bytes) -> None:
    expected = Fields(-1, 0, first_of_each(pairs_of(data)))
    assert tokenize(data) == expected
    assert tokenize(data, b"8=FIX.4.4\x01", raw("58=tail|")) == expected


VALUES = st.binary(min_size=1, max_size=40).map(lambda value: value.replace(b"\x01", b"="))
ONCE_IN_ANY = [8, 9, 34, 35, 49, 52, 56, 43]
ONCE = [*ONCE_IN_ANY, 11, 15, 22, 38, 40, 41, 44, 48, 54, 55, 59]
DATA = [(93, 89), (90, 91), (95, 96), (212, 213), (354, 355), (445, 446), (618, 619), (1401, 1402)]
#: SecurityXML(1185) is data too, which simplefix does not know.
PLAIN = sorted({*range(1, 9_999)} - {10, 1184, *ONCE} - {*RAW_LEN_TAGS} - {*RAW_DATA_TAGS})


@st.composite
def random_messages(draw: st.DrawFn) -> bytes:
    """Any fields, some repeated, some holding the separator, encoded by simplefix."""
    made = simplefix.FixMessage()
    made.append_pair(8, "FIX.4.4")
    made.append_pair(35, draw(st.sampled_from("0D8AE")))
    for tag in draw(st.lists(st.sampled_from(PLAIN), max_size=30)):
        made.append_pair(tag, draw(VALUES))
    for tag in draw(st.lists(st.sampled_from(ONCE[6:]), unique=True, max_size=5)):
        made.append_pair(tag, draw(VALUES))
    for size_tag, tag in draw(st.lists(st.sampled_from(DATA), unique=True, max_size=2)):
        made.append_data(size_tag, tag, draw(st.binary(min_size=1, max_size=40)))
    return made.encode()


@given(random_messages())
def test_same_fields_as_simplefix(data: bytes) -> None:
    assert take([data]) == Taken([data], b"", MESSAGE, b"")
    assert tokenize(data) == Fields(-1, 0, first_of_each(pairs_of(data)))


@given(st.binary(max_size=60), st.sampled_from([b"", b"8=FIX.4.4\x019=5\x0135=D\x01"]))
@example(b"95=9999999999999999999\x0196=x", b"")
@example(b"95=8\x0196=x", b"")
def test_any_bytes_are_read_or_refused(noise: bytes, lead: bytes) -> None:
    """Nothing is read beyond the message, whatever a field says of its own size."""
    data = lead + noise + b"\x01"
    fields = tokenize(data, b"in front", b"99=behind\x01")
    assert -1 <= fields.problem <= 99
    assert all(value in data and value for value in fields.values.values())


@pytest.mark.parametrize("msg_type", ["D", "G", "F", "H"])
@pytest.mark.parametrize("tag", ONCE)
def test_a_tag_that_must_be_single(tag: int, msg_type: str) -> None:
    once = f"{tag}=1|" if tag != 35 else ""
    fields = tokenize(raw(f"35={msg_type}|{once}58=x|{tag}=2|"))
    assert (fields.problem, fields.tag) == (fix_read.TAG_TWICE, tag)


@pytest.mark.parametrize("msg_type", ["V", "R", "8", "AB"])
@pytest.mark.parametrize("tag", ONCE)
def test_other_messages_may_list_instruments(tag: int, msg_type: str) -> None:
    once = f"{tag}=1|" if tag != 35 else ""
    fields = tokenize(raw(f"35={msg_type}|{once}58=x|{tag}=2|"))
    twice = tag in ONCE_IN_ANY
    assert (fields.problem, fields.tag) == ((fix_read.TAG_TWICE, tag) if twice else (-1, 0))


@pytest.mark.parametrize(
    ("text", "problem", "tag"),
    [
        ("35=D|58=|11=A|", fix_read.TAG_WITHOUT_VALUE, 58),
        ("35=D|x=1|", fix_read.INVALID_TAG, 0),
        ("35=D|5x=1|", fix_read.INVALID_TAG, 0),
        ("35=D|-1=1|", fix_read.INVALID_TAG, 0),
        ("35=D|0=1|", fix_read.INVALID_TAG, 0),
        ("35=D|=1|", fix_read.INVALID_TAG, 0),
        ("35=D|11|", fix_read.INVALID_TAG, 0),
        ("35=D|+11=1|", fix_read.INVALID_TAG, 0),
        ("35=D|011=1|", fix_read.INVALID_TAG, 0),
        ("35=D|00=1|", fix_read.INVALID_TAG, 0),
        ("35=D||", fix_read.INVALID_TAG, 0),
        ("1234567890=1|", fix_read.INVALID_TAG, 0),
        ("95=x|96=a|", fix_read.FORMAT_INCORRECT, 95),
        ("95=-1|96=a|", fix_read.FORMAT_INCORRECT, 95),
        ("448=a|448=b|123456789=c|", -1, 0),
    ],
)
def test_fields_that_cannot_be_read(text: str, problem: int, tag: int) -> None:
    assert tokenize(raw(text))[:2] == (problem, tag)


def test_more_fields_than_there_are_places_for() -> None:
    most = b"448=x\x01" * FIELDS_MAX
    assert tokenize(most)[:2] == (-1, 0)
    assert tokenize(most + b"448=x\x01")[:2] == (fix_read.FORMAT_INCORRECT, 0)


@pytest.mark.parametrize("head", ["34=2|35=D|", "49=C|35=D|", "35=|34=2|", "3=5|", "", "35|34=1|"])
def test_the_first_three_fields(head: str) -> None:
    """FIX 4.4 vol. 2, test case 2.t: BeginString, BodyLength, MsgType come first, else ignored."""
    bad = message(head + "56=SI|")
    assert take([bad]).messages == []
    assert take([bad + BEHIND]) == Taken([order(7)] * 8, bad, MESSAGE, b"")
    assert take([bytes([byte]) for byte in bad + BEHIND]).messages == [order(7)] * 8


# Real messages

needs_shared = pytest.mark.skipif(
    not SHARED_FIX.is_dir(), reason="../shared/data/fix is not here: real messages are not read"
)


def lines(name: str) -> list[bytes]:
    return [raw(line) for line in (SHARED_FIX / name).read_text("latin-1").splitlines()]


@needs_shared
def test_real_messages() -> None:
    messages = lines("messages_valid.txt")
    assert len(messages) == 230
    assert take([b"".join(messages)]) == Taken(messages, b"", MESSAGE, b"")
    for data in messages:
        assert tokenize(data) == Fields(-1, 0, first_of_each(pairs_of(data)))


@needs_shared
def test_real_damaged_messages() -> None:
    """14 of the 15 claim more bytes than they have; the last one is sound."""
    *damaged_ones, sound = lines("messages_bad_checksum.txt")
    assert len(damaged_ones) == 14
    assert take([sound]).messages == [sound]
    for bad in damaged_ones:
        assert take([bad]) == Taken([], b"", PARTIAL, bad)
        assert take([bad + BEHIND]) == Taken([order(7)] * 8, bad, MESSAGE, b"")


# Numbers


def read_int(text: bytes) -> tuple[int, bool]:
    value, good = fix_read.read_int(as_array(b"=" + text + b"\x01"), 1, len(text))
    return int(value), bool(good)


def read_decimal(text: bytes, places: int) -> tuple[int, bool, bool]:
    buffer = as_array(b"=" + text + b"\x01")
    value, good, exact = fix_read.read_decimal(buffer, 1, len(text), places)
    return int(value), bool(good), bool(exact)


def saturated(value: int) -> int:
    """The last ten values of int64 count as too large: no digit is tried that might not fit."""
    return value if abs(value) <= INT64_MAX - 8 else INT64_MAX if value > 0 else -INT64_MAX


@given(st.integers() | st.integers(-(2**63) - 20, 2**63 + 20) | st.integers(-(10**40), 10**40))
@example(2**63 - 1)
@example(2**63 - 9)
@example(-(2**63))
def test_integers_against_python(value: int) -> None:
    for text in (b"%d" % value, (b"-" if value < 0 else b"") + b"00%d" % abs(value)):
        assert read_int(text) == (saturated(value), True)
        assert read_decimal(text, 0) == (saturated(value), True, True)


NO_NUMBERS = ["", "-", "--1", "+1", "1-", " 1", "1 ", "0x1", "1e3", "1,5", "a", "1\x002", "\xb2"]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.0"])
def test_no_integers(text: str) -> None:
    assert read_int(text.encode("latin-1")) == (0, False)


@pytest.mark.parametrize("text", [*NO_NUMBERS, ".", "-.", "1.2.3", "1..2", "..1", "NaN", "inf"])
def test_no_decimals(text: str) -> None:
    assert read_decimal(text.encode("latin-1"), 6) == (0, False, False)


@given(
    st.from_regex(rb"-?[0-9]{1,25}(\.[0-9]{0,12})?", fullmatch=True)
    | st.from_regex(rb"-?\.[0-9]{1,20}", fullmatch=True)
    | st.decimals(-(10**13), 10**13, places=6).map(lambda d: f"{d:f}".encode()),
    st.sampled_from([0, 2, 6, 9]),
)
@example(b"9223372036854.775799", 6)
@example(b"9223372036854.7758", 6)
@example(b"9223372036854.7757999", 6)
@example(b"0.0000005", 6)
@example(b"-0.0", 6)
@example(b"17.350000000", 6)
def test_decimals_against_python(text: bytes, places: int) -> None:
    scaled = Decimal(text.decode()).scaleb(places)
    expected = saturated(int(scaled)), True, scaled == scaled.to_integral_value()
    assert read_decimal(text, places) == expected


@pytest.mark.parametrize(
    ("read", "text", "value", "defect"),
    [
        (fix_read.read_qty, "100", 100, Reason.NONE),
        (fix_read.read_qty, "100.000", 100, Reason.NONE),
        (fix_read.read_qty, "0", 0, Reason.NONE),
        (fix_read.read_qty, "-5", -5, Reason.NONE),
        (fix_read.read_qty, "100.5", 100, Reason.QTY_NOT_WHOLE),
        (fix_read.read_qty, "9" * 30, INT64_MAX, Reason.QTY_TOO_LARGE),
        (fix_read.read_px_e6, "17.35", 17_350_000, Reason.NONE),
        (fix_read.read_px_e6, "-17.35", -17_350_000, Reason.NONE),
        (fix_read.read_px_e6, "0.00005", 50, Reason.NONE),
        (fix_read.read_px_e6, "0.0000005", 0, Reason.PX_OFF_TICK),
        (fix_read.read_px_e6, "9" * 30, INT64_MAX, Reason.PX_TOO_LARGE),
    ],
)
def test_quantities_and_prices(read, text: str, value: int, defect: Reason) -> None:
    assert read(as_array(text.encode()), 0, len(text)) == (value, True, defect)


@given(st.binary(max_size=80), st.integers(1, 8))
def test_text_is_packed_and_cut(text: bytes, count: int) -> None:
    words = np.full(count + 1, -1, np.int64)
    fix_read.read_text(as_array(b"=" + text + b"\x01"), 1, len(text), words, count)
    assert words[:count].tobytes() == text[: 8 * count].ljust(8 * count, b"\0")
    assert words[count] == -1
    buffer = as_array(text + b"\x01")
    assert fix_read.same_bytes(buffer, 0, len(text), as_array(text + b"?"), len(text))
    assert not fix_read.same_bytes(buffer, 0, len(text), as_array(text + b"?"), len(text) + 1)
    if text:
        other = as_array(text[:-1] + bytes([text[-1] ^ 1]))
        assert not fix_read.same_bytes(buffer, 0, len(text), other, len(text))
