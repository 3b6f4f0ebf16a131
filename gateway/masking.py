"""Passwords out of FIX messages: what is shown, searched or kept never has them.

Password(554), NewPassword(925), EncryptedPassword(1402) and EncryptedNewPassword(1404) of every
message; RawData(96) and XmlData(213) of a Logon(A) or a UserRequest(BE), which carry credentials
there. In doubt more is hidden, never less: a message that is no good may hold a password as well.
"""

from __future__ import annotations

import re

from gateway.fix_pairs import LENGTH_OF, SOH, Piece, framed, join, split

MASK = b"***"
_SECRETS = {b"554", b"925", b"1402", b"1404"}
_CREDENTIAL_DATA = {b"96", b"213"}
_CREDENTIAL_TYPES = {b"A", b"BE"}
_SUSPECT = re.compile(rb"(?:554|925|1402|1404|96|213)\D*=")
_INSIDE = re.compile(rb"((?:^|\x01)0*(?:554|925|1402|1404)=)[^\x01]*")


def masked(raw: bytes) -> bytes:
    """The message with `***` for each secret value, BodyLength(9) and CheckSum(10) fitting.

    The same bytes where there is nothing to hide. Masking twice is masking once.
    """
    if not _SUSPECT.search(raw):
        return raw
    pieces = split(raw)
    hidden = _hide(pieces)
    return raw if hidden == pieces else _frame_again(hidden)


def _hide(pieces: list[Piece]) -> list[Piece]:
    """The same pieces with every secret hidden."""
    types = {each.value for each in pieces if each.tag == 35}
    secret = _SECRETS
    if not types or types & _CREDENTIAL_TYPES:
        secret = _SECRETS | _CREDENTIAL_DATA
    hidden: list[Piece] = []
    broken = False  # a secret's length does not fit: what follows may be the rest of it
    for each in pieces:
        digits = re.sub(rb"\D", b"", each.name).lstrip(b"0")
        if digits in secret and each.value is not None:
            broken = broken or not _length_fits(hidden, each)
            _put(hidden, each, MASK)
        elif each.tag < 0 and hidden and hidden[-1].value == MASK:
            broken = True
            hidden.append(Piece(-1, MASK, None))
        elif broken and each.tag != 10:
            hidden.append(each._replace(value=MASK) if each.tag >= 0 else Piece(-1, MASK, None))
        elif each.value is not None and SOH in each.value:
            _put(hidden, each, _INSIDE.sub(rb"\1" + MASK, each.value))
        else:
            hidden.append(each)
    return hidden


def _length_fits(before: list[Piece], data: Piece) -> bool:
    """Whether the length in front of a data field, where there is one, is that of its value."""
    if data.tag not in LENGTH_OF or not before or before[-1].tag != LENGTH_OF[data.tag]:
        return True
    value = before[-1].value or b""
    size = int(value) if value.isdigit() and len(value) < 9 else -1
    assert data.value is not None
    return size == len(data.value)


def _put(hidden: list[Piece], data: Piece, value: bytes) -> None:
    """Append a data field with another value, and set the length in front of it."""
    if value != data.value and hidden and hidden[-1].tag == LENGTH_OF.get(data.tag):
        hidden[-1] = hidden[-1]._replace(value=b"%d" % len(value))
    hidden.append(data._replace(value=value))


def _frame_again(pieces: list[Piece]) -> bytes:
    """The pieces' bytes; with a frame that fits where they are framed at all."""
    tags = [each.tag for each in pieces]
    begin = pieces[0].value
    if tags[:2] != [8, 9] or tags[-1] != 10 or begin is None:
        return join(pieces)
    return framed(begin, join(pieces[2:-1]))
