"""Rare messages in Python: written, read again by simplefix, sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fix_message as fm
from tests.fix_text import message, pairs_of, raw

pytestmark = pytest.mark.pure

TS_NS = 1_764_583_200_123_456_789
HEADER = fm.Header("FIX.4.4", "SI", "CLIENT", 3)
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="|"), min_size=1
)
TAGS = st.integers(1_000, 9_999).filter(lambda tag: tag not in (1184, 1401, 1403))


@given(st.lists(st.tuples(TAGS, TEXTS | st.integers(0, 10**18) | st.none()), max_size=8))
def test_a_message_is_read_as_it_was_written(fields: list[tuple[int, str | int | None]]) -> None:
    data = fm.write("j", HEADER, 7, TS_NS, list(fields), [(369, 4), (115, None)])
    expected = "".join(f"{tag}={value}|" for tag, value in fields if value is not None)
    head = "35=j|34=7|49=SI|56=CLIENT|52=20251201-10:00:00.123|369=4|"
    assert data == message(head + expected)


def test_every_byte_of_a_text_comes_back() -> None:
    """What `text` reads as latin-1 is written as the same bytes."""
    said = bytes(each for each in range(2, 256))
    found = fm.read(raw("8=FIX.4.4|9=5|35=0|58=") + said + raw("|10=000|"))
    value = fm.text(found, 58)
    assert value is not None
    assert raw("|58=") + said + raw("|") in fm.write("3", HEADER, 1, TS_NS, [(58, value)])
    assert b"58=? " in fm.write("3", HEADER, 1, TS_NS, [(58, "\u20ac ")])


def test_a_data_field_is_sent_again_whole() -> None:
    sent = message("35=8|34=1|52=20251201-10:00:00|354=3|355=a|b|58=x|")
    again = fm.again(sent, TS_NS, 0)
    assert again == message(
        "35=8|34=1|43=Y|52=20251201-10:00:00|122=20251201-10:00:00|354=3|355=a|b|58=x|"
    )
    assert dict(pairs_of(again))[355] == b"a\x01b"


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("7", 7),
        ("0", 0),
        ("-1", None),
        ("1.0", None),
        ("x", None),
        ("9" * 19, None),
        ("\xb2", None),
    ],
)
def test_numbers(given_text: str, expected: int | None) -> None:
    assert fm.number(fm.read(message(f"35=0|34={given_text}|")), 34) == expected
    assert fm.number(fm.read(message("35=0|")), 34) is None


def test_what_can_be_read_of_a_bad_message() -> None:
    found = fm.read(message("35=0|x=1|034=7|49=|56=SI|112|1234567890=1|"))
    assert (fm.text(found, 35), fm.text(found, 34), fm.text(found, 56)) == ("0", "7", "SI")
    assert fm.text(found, 49) is None and fm.text(found, 112) is None
