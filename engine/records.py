"""How a struct dtype is made, int64 words without padding, and how text is put into words."""

import numpy as np


def record(*fields: str | tuple[str, int]) -> np.dtype:
    """Fields in order: a name is one word, a name and a number that many words."""
    spec = [(f, "i8") if isinstance(f, str) else (f[0], "i8", (f[1],)) for f in fields]
    made = np.dtype(spec, align=True)
    words = sum(1 if isinstance(f, str) else f[1] for f in fields)
    assert made.itemsize == 8 * words, "a record must have no padding: it is hashed"
    return made


def extended(base: np.dtype, *fields: str | tuple[str, int]) -> np.dtype:
    """More fields, then those of another record: what works on the one works on the other.

    Not behind them: numba would take the longer record for the shorter one, and warn.
    """
    names = base.names or ()
    return record(
        *fields, *((name, base[name].shape[0]) if base[name].shape else name for name in names)
    )


def pack(text: str, words: int = 1) -> list[int] | int:
    """Text to `words` int64, first character in the lowest byte; an int when `words` is 1."""
    data = text.encode("ascii")
    assert len(data) <= 8 * words, f"{text!r} is longer than {8 * words} characters"
    data = data.ljust(8 * words, b"\0")
    out = [int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data), 8)]
    return out[0] if words == 1 else out


def unpack(words: object) -> str:
    """The text in one packed word or in an array of them."""
    data = b"".join(int(w).to_bytes(8, "little", signed=True) for w in np.atleast_1d(words))  # type: ignore[call-overload]
    return data.rstrip(b"\0").decode("ascii", "replace")
