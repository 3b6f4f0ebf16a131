"""FIX messages as readable text, `|` for the separator, made and read without the product."""

from pathlib import Path

import numpy as np
import simplefix

#: Real messages and dictionaries; not part of this repository (see its README).
SHARED_FIX = Path(__file__).parents[2] / "shared" / "data" / "fix"

Pairs = list[tuple[int, bytes]]


def raw(text: str) -> bytes:
    return text.replace("|", "\x01").encode("latin-1")


def message(text: str, begin: str = "FIX.4.4") -> bytes:
    """A whole message of the given fields: BodyLength(9) and CheckSum(10) are put around them."""
    body = raw(text)
    data = raw(f"8={begin}|9={len(body)}|") + body
    return data + raw(f"10={sum(data) % 256:03d}|")


def order(seq: int = 2, more: str = "") -> bytes:
    """An ordinary NewOrderSingle."""
    head = f"35=D|49=CLIENT|56=SI|34={seq}|52=20251201-10:00:00.000|"
    terms = f"11=A{seq}|55=DE0007164600|48=DE0007164600|22=4|54=1|38=100|40=2|44=17.35|59=3|"
    return message(f"{head}{terms}60=20251201-10:00:00.000|{more}")


def pairs_of(data: bytes) -> Pairs:
    """Tags and values as simplefix reads them."""
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    parsed = parser.get_message()
    assert parsed is not None, data
    assert parser.get_buffer() == b"", data
    return [(int(tag), value) for tag, value in parsed.pairs]


def fields_of(data: bytes) -> dict[int, str]:
    """What our own reports say: each tag once, frame and checksum right."""
    head, _, rest = data.partition(b"\x0135=")
    begin, size = head.split(b"\x01")
    assert begin == b"8=FIX.4.4"
    assert data.endswith(b"\x01") and data[-8:-4] == b"\x0110="
    assert size == b"9=%d" % (len(rest) - len(b"10=000|") + len(b"35="))
    assert int(data[-4:-1]) == sum(data[:-7]) % 256
    pairs = pairs_of(data)
    tags = [tag for tag, _ in pairs]
    assert len(tags) == len(set(tags)), f"a tag twice: {data!r}"
    return {tag: value.decode("latin-1") for tag, value in pairs}


def as_array(data: bytes) -> np.ndarray:
    """Bytes where compiled code may read and write them."""
    return np.frombuffer(bytearray(data), np.uint8)
