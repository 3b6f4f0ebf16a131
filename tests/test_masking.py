"""Passwords never leave: whatever a message looks like, the secret is not in what is left of it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.fix_pairs import join, split
from gateway.masking import masked
from tests.fix_peer import parsed
from tests.fix_text import message, order, raw

pytestmark = pytest.mark.pure

HEAD = "35=A|49=CLIENT|56=SI|34=1|52=20251201-10:00:00.000|98=0|108=30|"
SECRET = "s3cr=et"


def logon(more: str, head: str = HEAD) -> bytes:
    return message(head + more)


@pytest.mark.parametrize("tag", [554, 925, 1402, 1404])
@pytest.mark.parametrize("msg_type", ["A", "BE", "0", "D"])
def test_passwords_of_any_message(tag: int, msg_type: str) -> None:
    found = masked(logon(f"{tag}={SECRET}|553=joe|", HEAD.replace("35=A", f"35={msg_type}")))
    assert found == logon(f"{tag}=***|553=joe|", HEAD.replace("35=A", f"35={msg_type}"))
    assert parsed(found)[tag] == "***"


@pytest.mark.parametrize(("length", "data"), [(95, 96), (212, 213), (1401, 1402), (1403, 1404)])
def test_data_with_separators_and_its_length(length: int, data: int) -> None:
    found = masked(logon(f"{length}=9|{data}=a|554=b|c|553=joe|"))
    assert found == logon(f"{length}=3|{data}=***|553=joe|")


def test_data_of_other_messages_is_left_but_for_passwords_within() -> None:
    news = "35=B|49=CLIENT|56=SI|34=1|52=20251201-10:00:00.000|"
    plain = message(news + "95=5|96=a|b=c|58=x|")
    assert masked(plain) == plain
    assert masked(message(news + "95=9|96=a|554=b|c|")) == message(news + "95=11|96=a|554=***|c|")


@pytest.mark.parametrize(
    "more",
    [
        f"95=3|96={SECRET}|x{SECRET}|141=Y|",  # a length that does not fit
        f"95=900|96={SECRET}|{SECRET}|",
        f"95=x|96={SECRET}|y={SECRET}|",
        f"96=ab|{SECRET}|",
        f"95=3|96=abc|12={SECRET}|".replace("95=3", "95=2"),
        f"0554={SECRET}|",
        f"+554={SECRET}|",
        f"554 ={SECRET}|",
        f"554={SECRET}|554={SECRET}|",
        f"95=17|96=1|554={SECRET}|x|925={SECRET}|",
    ],
)
def test_in_doubt_more_is_hidden(more: str) -> None:
    for whole in (logon(more), raw(HEAD + more), raw(more), logon(more)[:-9]):
        assert b"s3cr" not in masked(whole)


def test_a_message_without_secrets_is_not_touched() -> None:
    damaged = order()[:-4] + b"000\x01"
    for data in (order(), damaged, b"", b"x", raw("553=joe|1554=1|"), logon("1896=1|")):
        assert masked(data) == data


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"554=S3CRET",
                b"96=S3CRET",
                b"95=6",
                b"95=9",
                b"35=A",
                b"35=BE",
                b"S3CRET",
                b"=S3CRET",
            ]
        ),
        st.binary(max_size=6).filter(lambda b: b"S3" not in b),
    ),
    max_size=8,
)


@given(PIECES)
@example([b"35=D", b"95=9", b"96=S3CRET", b"925=S3CRET"])
@example([b"35=A", b"554=1", b"S3CRET"])
def test_masking_twice_is_masking_once(pieces: list[bytes]) -> None:
    data = b"\x01".join(pieces)
    once = masked(data)
    assert masked(once) == once
    assert b"554=S3CRET" not in once
    if b"35=A" in pieces and not any(p.startswith((b"35=B", b"35=D")) for p in pieces):
        assert b"96=S3CRET" not in once


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_pieces_join_to_what_was_split(pieces: list[bytes]) -> None:
    data = b"".join(piece + b"\x01" for piece in pieces)
    assert join(split(data)) == data
