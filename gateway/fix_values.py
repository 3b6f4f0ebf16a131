"""How a value of each type is written, and whether it is one of its list: compiled, no copies.

The types are those of FIX 4.4 and FIX 5.0 SP2, vol. 1, "Data Types"; `rule_tables` has the kinds
that they fall into.
"""

from engine.jit import inlined, njit, peek, peek_word, signed, unsigned
from gateway.fix_read import DIGITS, FORMAT_INCORRECT, VALUE_INCORRECT, are_below_ten
from gateway.rule_tables import (
    BOOLEAN,
    CHAR,
    CHARS,
    COUNT,
    DATA,
    DATE,
    DECIMAL,
    INT,
    KIND_MASK,
    MONTH_YEAR,
    SET_SHIFT,
    SETS,
    STRINGS,
    TEXT,
    TIME_ONLY,
    TIMESTAMP,
    TZ_TIME,
    TZ_TIMESTAMP,
    find_text,
)

FINE = -1

_ONES, _TOPS = unsigned(0x0101010101010101), unsigned(0x8080808080808080)
_BLANKS, _DELETES = unsigned(0x2020202020202020), unsigned(0x7F7F7F7F7F7F7F7F)
_ONE, _ZERO = unsigned(1), unsigned(0)


@inlined
def check_value(wire, slot, word, buffer, start, size):
    """FINE, FORMAT_INCORRECT or VALUE_INCORRECT of a value; `word` is its tag's of `rule_tags`."""
    if not _is_written(wire, word & KIND_MASK, buffer, start, size):
        return FORMAT_INCORRECT
    values = word >> SET_SHIFT
    if values == 0:
        return FINE
    if size == 1:
        return _check_byte(wire, slot, values, peek(buffer, start))
    kind = word & KIND_MASK
    if kind != STRINGS and kind != CHARS:
        return _check_listed(wire, slot, values, buffer, start, size)
    return _check_several(wire, slot, values, buffer, start, size)


@njit
def _check_several(wire, slot, values, buffer, start, size):
    """Each of several values with a blank between them."""
    at = start
    for i in range(size + 1):
        if i == size or peek(buffer, start + i) == 32:
            problem = _check_listed(wire, slot, values, buffer, at, start + i - at)
            if problem != FINE:
                return problem
            at = start + i + 1
    return FINE


@njit
def _check_listed(wire, slot, values, buffer, start, size):
    if size == 1:
        return _check_byte(wire, slot, values, peek(buffer, start))
    found = find_text(wire, slot, SETS + values, buffer, start, size)
    return FINE if found != 0 else VALUE_INCORRECT


@inlined
def _check_byte(wire, slot, values, byte):
    if byte < 128 and (wire.rule_sets[slot, 2 * values + (byte >> 6)] >> (byte & 63)) & 1 != 0:
        return FINE
    return VALUE_INCORRECT


@inlined
def _is_written(wire, kind, buffer, start, size):
    """Whether a value is written as its kind is."""
    if kind == TEXT:
        return is_text(buffer, start, size)
    if kind == CHAR:
        return size == 1 and is_text(buffer, start, 1)
    if kind == DECIMAL:
        return _is_decimal(buffer, start, size)
    if kind == COUNT:
        return _are_digits(buffer, start, size)
    if kind == INT:
        negative = 1 if peek(buffer, start) == 45 else 0
        return _are_digits(buffer, start + negative, size - negative)
    if kind == TIMESTAMP:
        return (
            size >= 17
            and peek(buffer, start + 8) == 45
            and _is_known_date(wire, buffer, start)
            and _is_time(buffer, start + 9, size - 9)
        )
    if kind == BOOLEAN:
        return size == 1 and (peek(buffer, start) == 89 or peek(buffer, start) == 78)
    return _is_rare(kind, buffer, start, size)


@njit
def _is_rare(kind, buffer, start, size):
    """The kinds that orders do not have, or not in every one."""
    if kind == DATA:
        return True
    if kind == TIME_ONLY:
        return _is_time(buffer, start, size)
    if kind == DATE:
        return size == 8 and _is_date(buffer, start)
    if kind == MONTH_YEAR:
        return _is_month_year(buffer, start, size)
    if kind == TZ_TIME:
        return _is_zoned(buffer, start, size)
    if kind == TZ_TIMESTAMP:
        return (
            size >= 14
            and peek(buffer, start + 8) == 45
            and _is_date(buffer, start)
            and _is_zoned(buffer, start + 9, size - 9)
        )
    if kind == CHARS:  # single characters with blanks between them
        for i in range(size):
            if (peek(buffer, start + i) <= 32) != (i & 1 == 1):
                return False
        return size & 1 == 1 and is_text(buffer, start, size)
    return is_text(buffer, start, size)


@inlined
def is_text(buffer, start, size):
    """No control characters; what is not ASCII is the counterparty's own, and let through.

    Eight bytes at a time: reads up to seven behind the value, where a message has its trailer.
    """
    at = 0
    while at + 8 <= size:
        if _has_control(peek_word(buffer, start + at)):
            return False
        at += 8
    if at == size:
        return True
    mask = (_ONE << unsigned(8 * (size - at))) - _ONE
    return not _has_control((peek_word(buffer, start + at) & mask) | (_BLANKS & ~mask))


@inlined
def _has_control(word):
    """Whether a byte is below a blank or the delete character; exact for bytes up to 127."""
    deleted = word ^ _DELETES
    found = ((word - _BLANKS) & ~word) | ((deleted - _ONES) & ~deleted)
    return found & _TOPS != _ZERO


@inlined
def _are_digits(buffer, start, size):
    """Digits only, at least one; eight at a time, and reads behind them as `is_text` does."""
    at = 0
    while at + 8 <= size:
        if not are_below_ten(peek_word(buffer, start + at) ^ DIGITS):
            return False
        at += 8
    if at >= size:
        return size > 0
    mask = (_ONE << unsigned(8 * (size - at))) - _ONE
    return are_below_ten((peek_word(buffer, start + at) ^ DIGITS) & mask)


@inlined
def _is_decimal(buffer, start, size):
    """An optional minus, digits, at most one point: no plus, exponent or blank."""
    digits = 0
    points = 0
    for i in range(size):
        byte = peek(buffer, start + i)
        if 48 <= byte <= 57:
            digits += 1
        elif byte == 46 and points == 0:
            points = 1
        elif byte != 45 or i != 0:
            return False
    return digits > 0


@inlined
def _two(buffer, at):
    """Two digits as a number, or 100."""
    high, low = peek(buffer, at) - 48, peek(buffer, at + 1) - 48
    if high < 0 or high > 9 or low < 0 or low > 9:
        return 100
    return 10 * high + low


@inlined
def _is_date(buffer, start):
    """YYYYMMDD of a day that the calendar has."""
    century, year = _two(buffer, start), _two(buffer, start + 2)
    month, day = _two(buffer, start + 4), _two(buffer, start + 6)
    if century > 99 or year > 99 or month < 1 or month > 12 or day < 1:
        return False
    if month == 2:
        leap = (year & 3 == 0) if year != 0 else (century & 3 == 0)
        return day <= (29 if leap else 28)
    return day <= 30 + ((month + (month >> 3)) & 1)


@inlined
def _is_known_date(wire, buffer, start):
    """`_is_date`, which nearly always is today's."""
    word = signed(peek_word(buffer, start))
    if word == wire.rule_day[0]:
        return True
    if not _is_date(buffer, start):
        return False
    wire.rule_day[0] = word
    return True


@inlined
def _is_time(buffer, start, size):
    """HH:MM:SS with up to nine decimals; 60 is a leap second."""
    if size < 8 or size == 9 or size > 18:
        return False
    if peek(buffer, start + 2) != 58 or peek(buffer, start + 5) != 58:
        return False
    if _two(buffer, start) > 23 or _two(buffer, start + 3) > 59 or _two(buffer, start + 6) > 60:
        return False
    if size == 8:
        return True
    return peek(buffer, start + 8) == 46 and _are_digits(buffer, start + 9, size - 9)


@njit
def _is_month_year(buffer, start, size):
    """YYYYMM, YYYYMMDD or YYYYMMw1 to w5."""
    if size == 8 and peek(buffer, start + 6) != 119:
        return _is_date(buffer, start)
    if size != 6 and size != 8:
        return False
    if size == 8 and (peek(buffer, start + 7) < 49 or peek(buffer, start + 7) > 53):
        return False
    month = _two(buffer, start + 4)
    return _are_digits(buffer, start, 4) and 1 <= month <= 12


@njit
def _is_zoned(buffer, start, size):
    """HH:MM[:SS[.s]], then nothing, Z, or an offset +-HH[:MM] from UTC."""
    end = size
    for i in range(size):
        byte = peek(buffer, start + i)
        if byte == 90 or byte == 43 or byte == 45:
            end = i
            break
    rest = size - end
    if rest > 0:
        at = start + end
        if peek(buffer, at) == 90:
            if rest != 1:
                return False
        elif (rest != 3 and rest != 6) or _two(buffer, at + 1) > 14:
            return False
        elif rest == 6 and (peek(buffer, at + 3) != 58 or _two(buffer, at + 4) > 59):
            return False
    if end == 5:
        return (
            peek(buffer, start + 2) == 58
            and _two(buffer, start) <= 23
            and _two(buffer, start + 3) <= 59
        )
    return _is_time(buffer, start, end)
