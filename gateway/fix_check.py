"""Check a message against its session's data dictionary, compiled, in one pass over its fields.

`fix_read.tokenize` has split the message; the rules are in the tables of `rule_tables`. What is
checked is what FIX 4.4 vol. 2, test case 14 and FIX 4.4 vol. 1, "Repeating Groups" ask for. The
first thing wrong, in the order of the message, is the answer; missing fields show where the level
that needs them ends.

*Strict* holds a message to the dictionary. *Tolerant* passes over what the dictionary does not
know or does not have in this message, and lets fields stand in any order: a tag nobody asked about
must not destroy an order. In both, what is known must be well written, groups must be as long as
they say and required fields must be there.

Messages of a session look alike. The *shape* of one that was fine (its tags and the lengths of its
groups, in their order) is remembered, and the next of the same shape is fine if its values are:
that is two thirds of the work saved.
"""

from engine.jit import inlined, njit, peek
from gateway.fix_read import (
    INVALID_TAG,
    REQUIRED_TAG_MISSING,
    TAG_TWICE,
    VALUE_INCORRECT,
    read_int,
)
from gateway.fix_values import FINE, check_value, is_text
from gateway.rule_tables import (
    COUNTS,
    DICTIONARIES_MAX,
    GROUP_SHIFT,
    HEADER,
    IN_HEADER,
    IN_TRAILER,
    LARGE_TAGS,
    LEVEL_WORDS,
    MSG_TYPES,
    ORDER_MASK,
    SHAPE_FIELDS_MAX,
    SHAPE_HEAD,
    SHAPE_WORDS,
    SHAPES,
    TAG_MAX,
    TRAILER,
    find_place,
    find_text,
)

UNKNOWN_TYPE = -2  # no such MsgType(35) in the dictionary: 35=j or 373=11, as the caller decides

# SessionRejectReason(373); the others are in `fix_read`.
TAG_NOT_DEFINED, OUT_OF_ORDER, GROUP_OUT_OF_ORDER, GROUP_COUNT_WRONG = 2, 14, 15, 16

_CHECK_SUM = 10
_OTHER_SHAPE = -3  # instead of a reason: what is remembered does not help
_IN_HEADER, _IN_BODY, _IN_TRAILER = 0, 1, 2  # where in the message a field stands


@njit
def check_message(wire, slot, strict, buffer, count):
    """What is wrong with the message in `wire.parts`: `(SessionRejectReason(373), tag)`.

    FINE or UNKNOWN_TYPE in the reason's place where there is none to give.

    `slot` of the dictionary, `strict` 0 or 1, `count` of the parts; `buffer` is the one that was
    tokenized. The message is framed: BeginString, BodyLength and MsgType come first, CheckSum last.
    """
    parts = wire.parts
    if count < 3 or parts[2, 0] != 35:
        return REQUIRED_TAG_MISSING, 35
    body = _level_of_type(wire, slot, buffer, parts[2, 1], parts[2, 2])
    if body == 0:
        return UNKNOWN_TYPE, 35
    kind = 1 + 2 * (body * DICTIONARIES_MAX + slot) + strict
    shape = wire.rule_shapes[
        (body + 7 * count + 31 * parts[count // 2, 0] + 127 * parts[count - 2, 0]) % SHAPES
    ]
    if shape[0] == kind and shape[1] == count:
        problem, tag = _check_values(wire, slot, shape, buffer, count)
        if problem != _OTHER_SHAPE:
            return problem, tag
    problem, tag = _check_fields(wire, slot, strict, body, buffer, count)
    if problem == FINE and count <= SHAPE_FIELDS_MAX:
        _remember(wire, slot, shape, kind, buffer, count)
    return problem, tag


@inlined
def _check_values(wire, slot, shape, buffer, count):
    """Check a message whose tags may be those of one that was fine: then its values are left.

    _OTHER_SHAPE where a tag differs, or the length of a group.
    """
    parts = wire.parts
    at = SHAPE_HEAD
    for i in range(count):
        tag, word = parts[i, 0], shape[at + 1]
        if tag != shape[at]:
            return _OTHER_SHAPE, 0
        if word != 0:
            problem = check_value(wire, slot, word, buffer, parts[i, 1], parts[i, 2])
            if problem != FINE:
                return problem, tag
            if word & COUNTS != 0:
                entries, _ = read_int(buffer, parts[i, 1], parts[i, 2])
                if entries != shape[at + 2]:
                    return _OTHER_SHAPE, 0
        at += SHAPE_WORDS
    return FINE, 0


@njit
def _remember(wire, slot, shape, kind, buffer, count):
    """Keep tags, rule words and lengths of groups of a message that is fine."""
    parts = wire.parts
    at = SHAPE_HEAD
    for i in range(count):
        tag = parts[i, 0]
        index = tag if tag < TAG_MAX else find_place(wire, slot, LARGE_TAGS, tag)
        shape[at] = tag
        shape[at + 1] = wire.rule_tags[slot, index] if tag != _CHECK_SUM else 0
        if shape[at + 1] & COUNTS != 0:
            shape[at + 2], _ = read_int(buffer, parts[i, 1], parts[i, 2])
        at += SHAPE_WORDS
    shape[0] = kind
    shape[1] = count


@njit
def _check_fields(wire, slot, strict, body, buffer, count):
    """Check a message field by field; `body` is the level of its type."""
    parts = wire.parts
    tags = wire.rule_tags[slot]
    members = wire.rule_members[slot]
    seen = wire.rule_seen[0]
    stamp = _next_stamp(wire)
    _open(wire, 0, body, 0, 0)
    wire.rule_frames[0]["stamp"] = stamp
    first_word = body * LEVEL_WORDS
    depth = 0
    place = _IN_HEADER
    for i in range(count):
        tag, start, size = parts[i, 0], parts[i, 1], parts[i, 2]
        index = tag if tag < TAG_MAX else find_place(wire, slot, LARGE_TAGS, tag)
        word = tags[index]
        if word == 0:
            if strict != 0:
                return INVALID_TAG, tag
            continue
        if tag != _CHECK_SUM:  # three digits, as framing has seen
            problem = check_value(wire, slot, word, buffer, start, size)
            if problem != FINE:
                return problem, tag
        level = _OUTSIDE
        if depth > 0:
            problem, wrong, depth, level = _in_groups(wire, slot, strict, depth, tag, index, word)
            if problem != FINE:
                return problem, wrong
        if level == _OUTSIDE:
            level, place, problem = _in_message(
                body, (members[first_word + (index >> 6)] >> (index & 63)) & 1 != 0, place, word
            )
            if level >= 0:
                if seen[index] == stamp:
                    level = _NOWHERE
                    if problem == FINE:
                        problem = TAG_TWICE
                seen[index] = stamp
            if problem != FINE and strict != 0:
                return problem, tag
        if word & COUNTS != 0 and level >= 0:
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
    for level in (HEADER, body, TRAILER):
        wrong = _missing(wire, slot, level, 0)
        if wrong != 0:
            return REQUIRED_TAG_MISSING, wrong
    return FINE, 0


# --- levels ---------------------------------------------------------------------------------------

_LEAVE = -3  # the field is of a level around the group
_OUTSIDE, _NOWHERE = -1, -2  # instead of a level: of no group; passed over


@inlined
def _level_of_type(wire, slot, buffer, start, size):
    """The level of a MsgType's body, or 0."""
    if size == 1:
        byte = peek(buffer, start)
        return wire.rule_types[slot, byte] if byte < 128 else 0
    if not is_text(buffer, start, size):
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
    at = 2 * rules["required_at"]
    end = at + 2 * rules["required_count"]
    while at < end:
        if seen[required[at]] != stamp:
            return required[at + 1]
        at += 2
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
def _in_groups(wire, slot, strict, depth, tag, index, word):
    """Where a field goes while groups are open: `(problem, tag, depth, level)`.

    The level is the group's that takes it, _NOWHERE, or _OUTSIDE when all groups are closed.
    """
    while depth > 0:
        problem, level = _in_group(wire, slot, strict, depth, index, word)
        if problem == GROUP_COUNT_WRONG:
            return problem, wire.rule_frames[depth]["count_tag"], depth, level
        if problem != _LEAVE:
            return problem, tag, depth, level
        problem, wrong = _close(wire, slot, depth)
        if problem != FINE:
            return problem, wrong, depth, level
        depth -= 1
    return FINE, 0, 0, _OUTSIDE


@inlined
def _in_group(wire, slot, strict, depth, index, word):
    """Where a field goes in the innermost group: `(problem, level)`.

    FINE with the group's level: taken; with _NOWHERE: passed over. _LEAVE: not of this group.
    """
    frame = wire.rule_frames[depth]
    level = frame["level"]
    seen = wire.rule_seen[depth]
    if index == wire.rule_levels[slot, level]["delimiter"]:
        if frame["entries"] >= frame["entries_max"]:
            if _is_around(wire, slot, depth, index, word):
                return _LEAVE, _NOWHERE
            return GROUP_COUNT_WRONG, _NOWHERE
        if frame["entries"] > 0 and _missing(wire, slot, level, depth) != 0:
            return _LEAVE, _NOWHERE  # closing it says what is missing
        frame["entries"] += 1
        frame["stamp"] = _next_stamp(wire)
        frame["order"] = 1
        seen[index] = frame["stamp"]
        return FINE, level
    if not _is_member(wire, slot, level, index):
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, _NOWHERE
        return (TAG_NOT_DEFINED if strict != 0 else FINE), _NOWHERE
    if frame["entries"] == 0:
        if frame["entries_max"] > 0:
            return GROUP_OUT_OF_ORDER, _NOWHERE
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, _NOWHERE
        return GROUP_COUNT_WRONG, _NOWHERE
    if seen[index] == frame["stamp"]:
        if _is_around(wire, slot, depth, index, word):
            return _LEAVE, _NOWHERE
        return (TAG_TWICE if strict != 0 else FINE), _NOWHERE
    seen[index] = frame["stamp"]
    if strict != 0:  # FIX 4.4 vol. 1: in the order in which the group lists them
        order = find_place(wire, slot, level, index) & ORDER_MASK
        if order < frame["order"]:
            return GROUP_OUT_OF_ORDER, _NOWHERE
        frame["order"] = order
    return FINE, level


@inlined
def _in_message(body, is_member, place, word):
    """Where a field outside groups goes: `(level or _NOWHERE, place, problem)`.

    The problem is one for strict sessions only.
    """
    if place == _IN_HEADER and word & IN_HEADER != 0:
        return HEADER, place, FINE
    if is_member:
        return body, _IN_BODY, OUT_OF_ORDER if place == _IN_TRAILER else FINE
    if word & IN_HEADER != 0:
        return HEADER, place, OUT_OF_ORDER
    if word & IN_TRAILER != 0:
        return TRAILER, _IN_TRAILER, FINE
    return _NOWHERE, place, TAG_NOT_DEFINED
