"""Check a message against its session's data dictionary, compiled, in one pass over its fields.

`fix_read.tokenize` has split the message; the rules are in the tables of `rule_tables`. What is
checked is what FIX 4.4 vol. 2, test case 14 and FIX 4.4 vol. 1, "Repeating Groups" ask for. The
first thing wrong, in the order of the message, is the answer; missing fields show where the level
that needs them ends.

*Strict* holds a message to the dictionary. *Tolerant* passes over what the dictionary does not
know or does not have in this message, and lets fields stand in any order: a tag nobody asked about
must not destroy an order. In both, what is known must be well written, groups must be as long as
they say and required fields must be there.
"""

from engine.jit import inlined, njit, peek, peek_word, unsigned
from gateway.fix_read import (
    FORMAT_INCORRECT,
    INVALID_TAG,
    REQUIRED_TAG_MISSING,
    TAG_TWICE,
    VALUE_INCORRECT,
    read_int,
)
from gateway.rule_tables import (
    BOOLEAN,
    CHAR,
    CHARS,
    COUNT,
    COUNTS,
    DATA,
    DATE,
    DECIMAL,
    GROUP_SHIFT,
    HEADER,
    IN_HEADER,
    IN_TRAILER,
    INDEX_MAX,
    INT,
    KIND_MASK,
    LARGE_TAGS,
    LEVEL_WORDS,
    MONTH_YEAR,
    MSG_TYPES,
    ORDER_MASK,
    SET_SHIFT,
    SETS,
    STRINGS,
    TAG_MAX,
    TEXT,
    TIME_ONLY,
    TIMESTAMP,
    TRAILER,
    TZ_TIME,
    TZ_TIMESTAMP,
    find_place,
    find_text,
)

UNKNOWN_TYPE = -2  # no such MsgType(35) in the dictionary: 35=j or 373=11, as the caller decides
FINE = -1

# SessionRejectReason(373); the others are in `fix_read`.
TAG_NOT_DEFINED, OUT_OF_ORDER, GROUP_OUT_OF_ORDER, GROUP_COUNT_WRONG = 2, 14, 15, 16

_CHECK_SUM = 10
_IN_HEADER, _IN_BODY, _IN_TRAILER = 0, 1, 2  # where in the message a field stands

_ONES, _TOPS = unsigned(0x0101010101010101), unsigned(0x8080808080808080)
_BLANKS, _DELETES = unsigned(0x2020202020202020), unsigned(0x7F7F7F7F7F7F7F7F)
_ONE, _ZERO = unsigned(1), unsigned(0)


@njit
def check_message(wire, slot, strict, buffer, count):
    """`(SessionRejectReason(373), tag)`, FINE or UNKNOWN_TYPE, of the message in `wire.parts`.

    `slot` of the dictionary, `strict` 0 or 1, `count` of the parts; `buffer` is the one that was
    tokenized. The message is framed: BeginString, BodyLength and MsgType come first, CheckSum last.
    """
    parts = wire.parts
    if count < 3 or parts[2, 0] != 35:
        return REQUIRED_TAG_MISSING, 35
    level = _level_of_type(wire, slot, buffer, parts[2, 1], parts[2, 2])
    if level == 0:
        return UNKNOWN_TYPE, 35
    frames = wire.rule_frames
    _open(wire, 0, level, 0, 0)
    frames[0]["stamp"] = _next_stamp(wire)
    depth = 0
    place = _IN_HEADER
    for i in range(count):
        tag = parts[i, 0]
        index = tag if tag < TAG_MAX else find_place(wire, slot, LARGE_TAGS, tag)
        word = wire.rule_tags[slot, index]
        if word == 0:
            if strict != 0:
                return INVALID_TAG, tag
            continue
        start, size = parts[i, 1], parts[i, 2]
        if tag != _CHECK_SUM:  # three digits, as framing has seen
            problem = check_value(wire, slot, word, buffer, start, size)
            if problem != FINE:
                return problem, tag
        level = -1
        while depth > 0 and level == -1:
            problem, level = _in_group(wire, slot, strict, depth, index, word)
            if problem == _LEAVE:
                problem, wrong = _close(wire, slot, depth)
                if problem != FINE:
                    return problem, wrong
                depth -= 1
            elif problem != FINE:
                return problem, (
                    frames[depth]["count_tag"] if problem == GROUP_COUNT_WRONG else tag
                )
        if depth == 0:
            level, place, problem = _in_message(wire, slot, place, index, word)
            if problem != FINE and strict != 0:
                return problem, tag
        if level < 0:
            continue  # tolerated
        if word & COUNTS != 0:
            child = find_place(wire, slot, level, index) >> GROUP_SHIFT
            if child != 0:
                entries, _ = read_int(buffer, start, size)
                if entries < 0:
                    return VALUE_INCORRECT, tag
                depth += 1
                _open(wire, depth, child, tag, entries)
    while depth > 0:
        problem, wrong = _close(wire, slot, depth)
        if problem != FINE:
            return problem, wrong
        depth -= 1
    for level in (HEADER, frames[0]["level"], TRAILER):
        wrong = _missing(wire, slot, level, 0)
        if wrong != 0:
            return REQUIRED_TAG_MISSING, wrong
    return FINE, 0


# --- levels ---------------------------------------------------------------------------------------

_LEAVE = -3  # the field is of a level around the group


@inlined
def _level_of_type(wire, slot, buffer, start, size):
    """The level of a MsgType's body, or 0."""
    if size == 1:
        byte = peek(buffer, start)
        return wire.rule_types[slot, byte] if byte < 128 else 0
    if not _is_text(buffer, start, size):
        return 0
    return max(find_text(wire, slot, MSG_TYPES, buffer, start, size) - 1, 0)


@inlined
def _next_stamp(wire):
    wire.rule_stamp[0] += 1
    return wire.rule_stamp[0]


@inlined
def _open(wire, depth, level, count_tag, entries_max):
    """A level begins."""
    frame = wire.rule_frames[depth]
    frame["level"] = level
    frame["stamp"] = 0
    frame["count_tag"] = count_tag
    frame["entries"] = 0
    frame["entries_max"] = entries_max
    frame["order"] = 0


@njit
def _close(wire, slot, depth):
    """A group ends: its last entry must be whole and its entries as many as it said."""
    frame = wire.rule_frames[depth]
    if frame["entries"] > 0:
        tag = _missing(wire, slot, frame["level"], depth)
        if tag != 0:
            return REQUIRED_TAG_MISSING, tag
    if frame["entries"] != frame["entries_max"]:
        return GROUP_COUNT_WRONG, frame["count_tag"]
    return FINE, 0


@inlined
def _missing(wire, slot, level, depth):
    """The first required tag of a level that has not been seen, or 0."""
    rules = wire.rule_levels[slot, level]
    required = wire.rule_required[slot]
    seen = wire.rule_seen[depth]
    stamp = wire.rule_frames[depth]["stamp"]
    first = 2 * rules["required_at"]
    for at in range(first, first + 2 * rules["required_count"], 2):
        if seen[required[at]] != stamp:
            return required[at + 1]
    return 0


@inlined
def _is_member(wire, slot, level, index):
    return (wire.rule_members[slot, level * LEVEL_WORDS + (index >> 6)] >> (index & 63)) & 1 != 0


@njit
def _is_around(wire, slot, depth, index, word):
    """Whether a level around the group at `depth` has the field."""
    for above in range(depth):
        if _is_member(wire, slot, wire.rule_frames[above]["level"], index):
            return True
    return word & (IN_HEADER | IN_TRAILER) != 0


@njit
def _in_group(wire, slot, strict, depth, index, word):
    """Where a field goes while a group is open: `(problem, level)`.

    FINE with the group's level: taken. FINE with -2: passed over. _LEAVE: not of this group.
    """
    frame = wire.rule_frames[depth]
    level = frame["level"]
    seen = wire.rule_seen[depth]
    if index == wire.rule_levels[slot, level]["delimiter"]:
        if frame["entries"] >= frame["entries_max"]:
            if _is_around(wire, slot, depth, index, word):
                return _LEAVE, -1
            return GROUP_COUNT_WRONG, -1
        if frame["entries"] > 0 and _missing(wire, slot, level, depth) != 0:
            return _LEAVE, -1  # closing it says what is missing
        frame["entries"] += 1
        frame["stamp"] = _next_stamp(wire)
        frame["order"] = 1
        seen[index] = frame["stamp"]
        return FINE, level
    if not _is_member(wire, slot, level, index):
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, -1
        return (TAG_NOT_DEFINED if strict != 0 else FINE), -2
    if frame["entries"] == 0:
        if frame["entries_max"] > 0:
            return GROUP_OUT_OF_ORDER, -1
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, -1
        return GROUP_COUNT_WRONG, -1
    if seen[index] == frame["stamp"]:
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, -1
        return (TAG_TWICE if strict != 0 else FINE), -2
    seen[index] = frame["stamp"]
    if strict != 0:  # FIX 4.4 vol. 1: in the order in which the group lists them
        order = find_place(wire, slot, level, index) & ORDER_MASK
        if order < frame["order"]:
            return GROUP_OUT_OF_ORDER, -1
        frame["order"] = order
    return FINE, level


@inlined
def _in_message(wire, slot, place, index, word):
    """Where a field outside groups goes: `(level or -1, place, problem)`.

    The problem is one for strict sessions only.
    """
    frame = wire.rule_frames[0]
    level = frame["level"]
    problem = FINE
    if place == _IN_HEADER and word & IN_HEADER != 0:
        level = HEADER
    elif _is_member(wire, slot, level, index):
        if place == _IN_TRAILER:
            problem = OUT_OF_ORDER
        place = _IN_BODY
    elif word & IN_HEADER != 0:
        level = HEADER
        problem = OUT_OF_ORDER
    elif word & IN_TRAILER != 0:
        level = TRAILER
        place = _IN_TRAILER
    else:
        return -1, place, TAG_NOT_DEFINED
    seen = wire.rule_seen[0]
    if seen[index] == frame["stamp"]:
        if problem == FINE:
            problem = TAG_TWICE
        return -1, place, problem
    seen[index] = frame["stamp"]
    return level, place, problem


# --- values ---------------------------------------------------------------------------------------


@njit
def check_value(wire, slot, word, buffer, start, size):
    """FINE, FORMAT_INCORRECT or VALUE_INCORRECT of a value; `word` is its tag's of `rule_tags`."""
    if not _is_written(word & KIND_MASK, buffer, start, size):
        return FORMAT_INCORRECT
    values = word >> SET_SHIFT
    if values == 0:
        return FINE
    kind = word & KIND_MASK
    if kind != STRINGS and kind != CHARS:
        return _check_listed(wire, slot, values, buffer, start, size)
    at = start
    for i in range(size + 1):
        if i == size or peek(buffer, start + i) == 32:
            problem = _check_listed(wire, slot, values, buffer, at, start + i - at)
            if problem != FINE:
                return problem
            at = start + i + 1
    return FINE


@inlined
def _check_listed(wire, slot, values, buffer, start, size):
    if size == 1:
        byte = peek(buffer, start)
        if byte < 128 and (wire.rule_sets[slot, 2 * values + (byte >> 6)] >> (byte & 63)) & 1 != 0:
            return FINE
    elif find_text(wire, slot, SETS + values, buffer, start, size) != 0:
        return FINE
    return VALUE_INCORRECT


@inlined
def _is_written(kind, buffer, start, size):
    """Whether a value is written as its kind is."""
    if kind == TEXT:
        return _is_text(buffer, start, size)
    if kind == CHAR:
        return size == 1 and _is_text(buffer, start, 1)
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
            and _is_date(buffer, start)
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
        return size & 1 == 1 and _is_text(buffer, start, size)
    return _is_text(buffer, start, size)


@inlined
def _is_text(buffer, start, size):
    """No control characters; what is not ASCII is the counterparty's own, and let through.

    Eight bytes at a time: reads up to seven behind the value, where a message has its trailer.
    """
    for at in range(0, size, 8):
        word = peek_word(buffer, start + at)
        kept = size - at
        if kept < 8:
            mask = (_ONE << unsigned(8 * kept)) - _ONE
            word = (word & mask) | (_BLANKS & ~mask)
        deleted = word ^ _DELETES
        if (word - _BLANKS) & ~word & _TOPS != _ZERO or (
            (deleted - _ONES) & ~deleted & _TOPS != _ZERO
        ):
            return False
    return True


@inlined
def _are_digits(buffer, start, size):
    for i in range(size):
        byte = peek(buffer, start + i)
        if byte < 48 or byte > 57:
            return False
    return size > 0


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


assert INDEX_MAX == 64 * LEVEL_WORDS
