"""FIX bytes to fields, in place: framing, checksum, a table of tags, numbers without floats.

A decoder here either understands a message whole or says which of the standard's outcomes it is:
partial, garbled, oversize, or a field that cannot be read.
"""

import numpy as np

from engine.enums import Reason
from engine.jit import (
    inlined,
    njit,
    peek,
    peek_word,
    signed,
    trailing_zeros,
    unsigned,
)
from engine.limits import INT64_MAX
from gateway.fix_pairs import DATA_AFTER
from gateway.wire import FIELDS_MAX, MESSAGE_SIZE_MAX, TAG_MAX

SOH = 1
MESSAGE, PARTIAL, GARBLED, OVERSIZE = 0, 1, 2, 3
_BEGIN = np.frombuffer(b"8=FIX", np.uint8).copy()
_MSG_TYPE = np.frombuffer(b"35=", np.uint8).copy()

# SessionRejectReason(373)
INVALID_TAG, REQUIRED_TAG_MISSING, TAG_WITHOUT_VALUE = 0, 1, 4
VALUE_INCORRECT, FORMAT_INCORRECT, TAG_TWICE = 5, 6, 13

_ZERO, _ONE = unsigned(0), unsigned(1)
_ONES, _TOPS = unsigned(0x0101010101010101), unsigned(0x8080808080808080)
_EVEN, _LOW = unsigned(0x00FF00FF00FF00FF), unsigned(0xFFFF)
_BLANKS = unsigned(0x2020202020202020)
DIGITS = unsigned(0x3030303030303030)  # "00000000"
_SIXES, _UPPERS = unsigned(0x0606060606060606), unsigned(0xF0F0F0F0F0F0F0F0)
_FOURS, _LOW_HALF = unsigned(0x0000FFFF0000FFFF), unsigned(0xFFFFFFFF)
_ALL = unsigned(0xFFFFFFFFFFFFFFFF)
_TEN, _HUNDRED, _TEN_THOUSAND = unsigned(10), unsigned(100), unsigned(10_000)
_BYTE, _HALF, _PAIR = unsigned(8), unsigned(16), unsigned(32)

#: Tag of a data field by the tag before it, which holds its size.
_DATA_AFTER = np.zeros(2048, np.int64)
for _length, _data in DATA_AFTER.items():
    _DATA_AFTER[_length] = _data

#: Tags of which a second one would change what a message means: in every message (1), or in those
#: about one order (2); others may list instruments.
_ONCE = np.zeros(128, np.uint8)
for _tag in (8, 9, 34, 35, 43, 49, 52, 56):
    _ONCE[_tag] = 1
for _tag in (11, 15, 22, 38, 40, 41, 44, 48, 54, 55, 59):
    _ONCE[_tag] = 2
_IS_ORDER = np.zeros(256, np.uint8)
for _char in b"DFGH":
    _IS_ORDER[_char] = 1


@njit
def frame(buffer, start, end):
    """What stands at `buffer[start:end]`: `(outcome, size)`.

    MESSAGE: its size. PARTIAL: wait for more. GARBLED: bytes to skip to the next thing that looks
    like a message. OVERSIZE: a BodyLength(9) over the limit. A message begins with BeginString(8),
    BodyLength(9) and MsgType(35), each with a value (FIX 4.4 vol. 2, test case 2.t); what does not
    is garbled.
    """
    for i in range(5):
        if start + i >= end:
            return PARTIAL, 0
        if buffer[start + i] != _BEGIN[i]:
            return GARBLED, _to_next(buffer, start, end)
    at = start + 5
    while at < end and buffer[at] != SOH:
        at += 1
        if at - start > 20:
            return GARBLED, _to_next(buffer, start, end)
    at += 1
    if at + 2 > end:
        return PARTIAL, 0
    if buffer[at] != 57 or buffer[at + 1] != 61:  # 9=
        return GARBLED, _to_next(buffer, start, end)
    at += 2
    body_size = 0
    digits = 0
    while at < end and buffer[at] != SOH:
        digit = np.int64(buffer[at]) - 48
        if digit < 0 or digit > 9 or digits >= 9:
            return GARBLED, _to_next(buffer, start, end)
        body_size = body_size * 10 + digit
        digits += 1
        at += 1
    if at >= end:
        return PARTIAL, 0
    if digits == 0:
        return GARBLED, _to_next(buffer, start, end)
    at += 1
    for i in range(min(4, end - at)):  # 35= and a value
        byte = np.int64(buffer[at + i])
        if (i < 3 and byte != _MSG_TYPE[i]) or (i == 3 and byte == SOH):
            return GARBLED, _to_next(buffer, start, end)
    size = at - start + body_size + 7
    if size > MESSAGE_SIZE_MAX:
        return OVERSIZE, body_size
    if start + size > end:
        return PARTIAL, 0
    trailer = at + body_size
    if not _trailer_holds(buffer, start, trailer):
        return GARBLED, _to_next(buffer, start, end)
    return MESSAGE, size


@njit
def _trailer_holds(buffer, start, trailer):
    """Whether `10=nnn|` stands at `trailer`, after a separator, with the right checksum."""
    if buffer[trailer - 1] != SOH or buffer[trailer + 6] != SOH:
        return False
    if buffer[trailer] != 49 or buffer[trailer + 1] != 48 or buffer[trailer + 2] != 61:
        return False
    claimed = 0
    for i in range(3, 6):
        digit = np.int64(buffer[trailer + i]) - 48
        if digit < 0 or digit > 9:
            return False
        claimed = claimed * 10 + digit
    return byte_sum(buffer, start, trailer) & 255 == claimed


@njit
def byte_sum(buffer, start, end):
    """Sum of bytes, for CheckSum(10): eight at a time, each pair of lanes in 16 bits.

    A lane gains at most 510 a word, so they are emptied every 128 words.
    """
    total = 0
    at = start
    while at + 8 <= end:
        stop = min(end - 7, at + 8 * 128)
        lanes = _ZERO
        while at < stop:
            word = peek_word(buffer, at)
            lanes += (word & _EVEN) + ((word >> _BYTE) & _EVEN)
            at += 8
        total += np.int64((lanes & _LOW) + (lanes >> _HALF & _LOW))
        total += np.int64((lanes >> _PAIR & _LOW) + (lanes >> _PAIR >> _HALF))
    while at < end:
        total += peek(buffer, at)
        at += 1
    return total


@njit
def _to_next(buffer, start, end):
    """Bytes from `start` to the next `8=FIX`, or to where one could still begin."""
    for at in range(start + 1, end):
        found = True
        for i in range(5):
            if at + i < end and buffer[at + i] != _BEGIN[i]:
                found = False
                break
        if found:
            return at - start
    return end - start


@njit
def tokenize(buffer, start, size, fields, parts, generation):
    """Enter every field of a framed message, by tag and in its order.

    `fields[tag] = generation, start, size` for tags below TAG_MAX; of a repeated tag the first
    counts, and a repeated tag that must be single is an error. `parts[i] = tag, start, size` for
    every field. A framed message ends with the separator, which ends every search within it.
    Answers `(SessionRejectReason or -1, tag, count of parts)`. A tag is at most nine digits without
    a leading zero: INVALID_TAG with tag 0 where it is not. FORMAT_INCORRECT with tag 0: more than
    FIELDS_MAX fields.
    """
    at = start
    end = start + size
    data_tag = 0
    data_size = 0
    count = 0
    while at < end:
        tag = 0
        digits = 0
        while True:
            byte = peek(buffer, at)
            if byte == 61:
                break
            digit = byte - 48
            if digit < 0 or digit > 9 or digits >= 9 or (digit == 0 and digits == 0):
                return INVALID_TAG, 0, count
            tag = tag * 10 + digit
            digits += 1
            at += 1
        at += 1
        if tag == 0 or at >= end:
            return INVALID_TAG, tag, count
        value = at
        if tag == data_tag and tag != 0:
            at += min(data_size, end - 1 - at)  # a size is what they say: the sum could wrap
        at = _separator(buffer, at, end)
        if at == value:
            return TAG_WITHOUT_VALUE, tag, count
        if count >= FIELDS_MAX:
            return FORMAT_INCORRECT, 0, count
        parts[count, 0] = tag
        parts[count, 1] = value
        parts[count, 2] = at - value
        count += 1
        data_tag = 0
        if tag < TAG_MAX:
            if fields[tag, 0] != generation:
                fields[tag, 0] = generation
                fields[tag, 1] = value
                fields[tag, 2] = at - value
            elif tag < 128 and _ONCE[tag] != 0:
                about_order = fields[35, 2] == 1 and _IS_ORDER[buffer[fields[35, 1]]] != 0
                if _ONCE[tag] == 1 or about_order:
                    return TAG_TWICE, tag, count
            if 90 <= tag < 2048 and _DATA_AFTER[tag] != 0:
                data_size, good = read_int(buffer, value, at - value)
                if not good or data_size < 0:
                    return FORMAT_INCORRECT, tag, count
                data_tag = _DATA_AFTER[tag]
        at += 1
    return -1, 0, count


@inlined
def _separator(buffer, at, end):
    """Place of the next separator: eight bytes at a time while they are all within the message."""
    while at + 8 <= end:
        word = peek_word(buffer, at) ^ _ONES
        found = (word - _ONES) & ~word & _TOPS
        if found != _ZERO:
            return at + trailing_zeros(found) // 8
        at += 8
    while peek(buffer, at) != SOH:
        at += 1
    return at


@inlined
def has(fields, generation, tag):
    """Whether the message carries the tag."""
    return fields[tag, 0] == generation


@inlined
def are_below_ten(lanes):
    """Whether all eight bytes are 0 to 9, as digits are after `^ DIGITS`."""
    return (lanes | lanes + _SIXES) & _UPPERS == _ZERO


@inlined
def _eight_digits(word, size):
    """The number in the first `size` bytes, one to eight digits: `(value, good)`.

    Pairs, fours, then the eight, all lanes at once; what stands behind them falls out on the left.
    """
    lanes = ((word ^ DIGITS) << unsigned(64 - 8 * size)) & _ALL
    pairs = lanes * _TEN + (lanes >> _BYTE) & _EVEN
    fours = pairs * _HUNDRED + (pairs >> _HALF) & _FOURS
    value = np.int64((fours * _TEN_THOUSAND + (fours >> _PAIR)) & _LOW_HALF)
    return value, are_below_ten(lanes)


@njit
def read_int(buffer, start, size):
    """Digits with an optional sign: `(value, good)`; saturates at +-INT64_MAX.

    Reads up to seven bytes behind the field, which the trailer of a framed message has.
    """
    if 1 <= size <= 8:
        value, good = _eight_digits(peek_word(buffer, start), size)
        if good:
            return value, True
    at = start
    end = start + size
    negative = size > 0 and buffer[at] == 45
    if negative:
        at += 1
    if at >= end:
        return 0, False
    value = 0
    while at < end:
        digit = np.int64(buffer[at]) - 48
        if digit < 0 or digit > 9:
            return 0, False
        if value > (INT64_MAX - 9) // 10:
            value = INT64_MAX
        elif value != INT64_MAX:
            value = value * 10 + digit
        at += 1
    return (-value if negative else value), True


@njit
def read_decimal(buffer, start, size, places):
    """Decimal text to an integer with `places` decimals: `(value, good, exact)`.

    Saturates at +-INT64_MAX; not exact where digits other than 0 stand beyond `places`. Reads
    behind the field as `read_int` does.
    """
    if places == 0 and 1 <= size <= 8:
        value, good = _eight_digits(peek_word(buffer, start), size)
        if good:
            return value, True, True
    at = start
    end = start + size
    negative = size > 0 and buffer[at] == 45
    if negative:
        at += 1
    value = 0
    digits = 0
    decimals = -1
    exact = True
    while at < end:
        byte = np.int64(buffer[at])
        at += 1
        if byte == 46 and decimals < 0:
            decimals = 0
            continue
        digit = byte - 48
        if digit < 0 or digit > 9:
            return 0, False, False
        digits += 1
        if decimals >= places:
            exact = exact and digit == 0
            continue
        if decimals >= 0:
            decimals += 1
        value = _append(value, digit)
    if digits == 0:
        return 0, False, False
    for _ in range(places - max(decimals, 0)):
        value = _append(value, 0)
    return (-value if negative else value), True, exact


@inlined
def _append(value, digit):
    if value > (INT64_MAX - 9) // 10:
        return INT64_MAX
    return value * 10 + digit


@njit
def read_qty(buffer, start, size):
    """OrderQty(38): `(value, good, defect)`; a fraction is QTY_NOT_WHOLE, rounded down."""
    value, good, exact = read_decimal(buffer, start, size, 0)
    if value == INT64_MAX:
        return value, good, Reason.QTY_TOO_LARGE
    if not exact:
        return value, good, Reason.QTY_NOT_WHOLE
    return value, good, Reason.NONE


@njit
def read_px_e6(buffer, start, size):
    """Price(44): `(px_e6, good, defect)`; what six decimals cannot hold is off every tick."""
    value, good, exact = read_decimal(buffer, start, size, 6)
    if value == INT64_MAX:
        return value, good, Reason.PX_TOO_LARGE
    if not exact:
        return value, good, Reason.PX_OFF_TICK
    return value, good, Reason.NONE


@njit
def read_text(buffer, start, size, words, count):
    """Pack up to `8 * count` bytes into words, zero-padded; longer text is cut.

    Reads up to seven bytes behind the field, which the trailer of a framed message has.
    """
    for i in range(count):
        left = size - 8 * i
        if left >= 8:
            words[i] = signed(peek_word(buffer, start + 8 * i))
        elif left > 0:
            word = peek_word(buffer, start + 8 * i)
            words[i] = signed(word & ((_ONE << unsigned(8 * left)) - _ONE))
        else:
            words[i] = 0


@inlined
def same_bytes(buffer, start, size, expected, expected_size):
    """Whether the field holds exactly these bytes.

    Reads up to seven bytes behind both: a message has its trailer there, `expected` zeros.
    """
    if size != expected_size:
        return False
    for at in range(0, size, 8):
        differ = peek_word(buffer, start + at) ^ peek_word(expected, at)
        if size - at < 8:
            differ &= (_ONE << unsigned(8 * (size - at))) - _ONE
        if differ != _ZERO:
            return False
    return True


@inlined
def is_printable(buffer, start, size):
    """Whether no byte is below a blank: packed text ends at a zero.

    Reads up to seven bytes behind the text.
    """
    for at in range(0, size, 8):
        word = peek_word(buffer, start + at)
        if size - at < 8:
            mask = (_ONE << unsigned(8 * (size - at))) - _ONE
            word = (word & mask) | (_BLANKS & ~mask)
        if (word - _BLANKS) & ~word & _TOPS != _ZERO:
            return False
    return True
