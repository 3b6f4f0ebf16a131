"""Messages of the simulator: made, cut out of a stream however it is split, checked, shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sim_tags import in_words, tag_name, type_name
from gateway.sim_wire import (
    SOH,
    Account,
    Message,
    compose,
    cut,
    with_wrong_checksum,
    with_wrong_length,
)

pytestmark = pytest.mark.pure

ACCOUNT = Account("localhost", 1, "CLIENT1", "SI")
TIME = "20260105-10:00:00.000"

values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
fields = st.lists(st.tuples(st.integers(11, 9_999), values), max_size=8)
messages = st.builds(
    lambda kind, seq, more: compose(ACCOUNT, kind, seq, TIME, more),
    st.sampled_from(["0", "1", "D", "8", "AJ"]), st.integers(1, 10**9), fields,
)  # fmt: skip


def all_of(buffer: bytearray) -> list[Message]:
    found = []
    while (message := cut(buffer)) is not None:
        found.append(message)
    return found


def test_a_message_byte_by_byte() -> None:
    raw = compose(ACCOUNT, "1", 7, TIME, [(112, "A")])
    body = f"35=1|34=7|49=CLIENT1|56=SI|52={TIME}|112=A|".replace("|", SOH).encode()
    head = b"8=FIX.4.4\x019=%d\x01" % len(body)
    total = sum(head + body) % 256
    assert raw == head + body + b"10=%03d\x01" % total


def test_the_header_can_be_replaced_added_to_and_left_out() -> None:
    raw = compose(ACCOUNT, "1", 7, TIME, [], {8: "FIX.4.2", 49: None, 43: "Y", 34: "x"})
    assert Message(raw).pairs[2:-1] == [(35, "1"), (34, "x"), (56, "SI"), (52, TIME), (43, "Y")]
    assert Message(raw).get(8) == "FIX.4.2"


@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_split_anywhere_the_same_messages_come_out(stream: list[bytes], step: int) -> None:
    data, buffer, found = b"".join(stream), bytearray(), []
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        found += all_of(buffer)
    assert [message.raw for message in found] == stream
    assert [message.fault for message in found] == [""] * len(stream)
    assert not buffer


@given(messages, messages, st.sampled_from([with_wrong_checksum, with_wrong_length]))
def test_a_broken_message_is_told_and_the_next_one_found(
    broken: bytes,
    good: bytes,
    break_it: object,
) -> None:
    assert callable(break_it)
    found = all_of(bytearray(break_it(broken) + good))
    assert len(found) == 2
    assert found[0].fault
    assert (found[1].fault, found[1].raw) == ("", good)


@given(st.binary(max_size=200), messages)
def test_any_bytes_end_and_nothing_is_invented(junk: bytes, good: bytes) -> None:
    data = junk + good
    buffer = bytearray(data)
    found = all_of(buffer)
    assert b"".join(message.raw for message in found) + buffer == data
    for message in found:
        assert message.fault or message.raw.startswith(b"8=")


def test_a_body_length_beyond_reason_is_damage() -> None:
    raw = b"8=FIX.4.4\x019=999999999\x0135=0\x0110=000\x01"
    found = all_of(bytearray(raw))
    assert [message.fault for message in found] == ["BodyLength(9)=999999999 over 16777216"]


def test_fields_are_found_by_tag() -> None:
    message = Message(b"8=FIX.4.4\x0135=W\x0134=12\x01269=0\x01270=1\x01269=1\x01270=2\x0138=x\x01")
    assert (message.type, message.seq, message.number(38), message.number(40)) == ("W", 12, -1, -1)
    assert message.every(269) == ["0", "1"]
    assert message.every(270) == ["1", "2"]
    assert 269 in message and 44 not in message
    assert not message.is_repeat


def test_messages_in_words() -> None:
    pairs = [(8, "FIX.4.4"), (35, "8"), (150, "F"), (20_001, "x"), (373, "77")]
    assert in_words("8", "5", pairs) == (
        "ExecutionReport(8) 34=5 ExecType(150)=F (trade) 20001=x SessionRejectReason(373)=77"
    )
    assert (type_name("U7"), type_name(""), tag_name(4)) == ("MsgType U7", "MsgType missing", "4")
