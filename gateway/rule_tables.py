"""Data dictionaries as arrays: what `gateway.fix_check` looks up for every field of a message.

A slot holds one session's rules: those of its application dictionary, and for FIXT of the transport
dictionary that header, trailer and session messages come from. Sessions of the same dictionaries
share a slot. The arrays are sized for FIX Latest with all its parts; only pages that a dictionary
fills are ever touched, and an ordinary message touches about two kilobytes of them.

A *level* is a place where members stand: the header, the trailer, a message's body, an entry of a
group. Equal groups are one level. Tags from `TAG_MAX` on, which desks use for their own fields, get
an *index* behind the small ones; below it the index is the tag.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from engine.jit import inlined, njit, peek_word, signed, unsigned
from engine.tables import hash_word
from gateway.dictionary import Dictionary, Field, Member
from gateway.errors import UserError

DICTIONARIES_MAX = 24
TAG_MAX = 8192  # tags below it are looked up by themselves
LARGE_TAGS_MAX = 4096  # of a dictionary
INDEX_MAX = TAG_MAX + LARGE_TAGS_MAX
LEVEL_WORDS = INDEX_MAX // 64  # of the bitmap of a level's members
LEVELS_MAX = 1024
SETS_MAX = 1024  # fields with a list of values
REQUIRED_MAX = 4096
PLACES_MAX = 1 << 16  # of the hash table, at most half full
DEPTH_MAX = 6  # groups within groups
# Shapes of messages that were fine: kind and number of fields, then tag, word and length for each.
SHAPES, SHAPE_FIELDS_MAX, SHAPE_HEAD, SHAPE_WORDS = 64, 48, 2, 3

# How a value is written.
(
    TEXT, INT, COUNT, DECIMAL, CHAR, BOOLEAN, TIMESTAMP, TIME_ONLY, DATE, MONTH_YEAR, TZ_TIME,
    TZ_TIMESTAMP, DATA, CHARS, STRINGS,
) = range(1, 16)  # fmt: skip

# A word of `rule_tags`: kind in the low byte, 0 for a tag the dictionary does not know; flags; from
# SET_SHIFT on the number of its list of values, 0 for none.
KIND_MASK, IN_HEADER, IN_TRAILER, COUNTS, SET_SHIFT = 255, 256, 512, 1024, 16

HEADER, TRAILER = 0, 1  # levels of every slot; messages and groups follow
# Owners of places in the hash table: a level for its members, then these, then lists of values and
# the rests of texts of more than eight bytes.
LARGE_TAGS, MSG_TYPES, SETS = LEVELS_MAX, LEVELS_MAX + 1, LEVELS_MAX + 2
TEXTS = SETS + SETS_MAX

# A place of a member: its order among the level's, from 1, and behind that the level of its group.
GROUP_SHIFT, ORDER_MASK = 32, (1 << 32) - 1

_KINDS = {
    TEXT: "COUNTRY CURRENCY EXCHANGE LANGUAGE PATTERN RESERVED1000PLUS RESERVED100PLUS "
    "RESERVED4000PLUS STRING TENOR XID XIDREF",
    INT: "INT",
    COUNT: "DAYOFMONTH LENGTH NUMINGROUP SEQNUM TAGNUM",
    DECIMAL: "AMT FLOAT PERCENTAGE PRICE PRICEOFFSET QTY",
    CHAR: "CHAR",
    BOOLEAN: "BOOLEAN",
    TIMESTAMP: "TIME UTCTIMESTAMP",
    TIME_ONLY: "LOCALMKTTIME UTCTIMEONLY",
    DATE: "DATE LOCALMKTDATE UTCDATE UTCDATEONLY",
    MONTH_YEAR: "MONTHYEAR",
    TZ_TIME: "TZTIMEONLY",
    TZ_TIMESTAMP: "TZTIMESTAMP",
    DATA: "DATA XMLDATA",
    CHARS: "MULTIPLECHARVALUE",
    STRINGS: "MULTIPLESTRINGVALUE MULTIPLEVALUESTRING",
}
KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
#: FIX 4.0 and 4.1 call every text CHAR.
CHAR_IS_TEXT = ("FIX.4.0", "FIX.4.1")
#: Their values are BeginString's and MsgType's own matter, not a list's.
NO_LIST = (8, 35)

slot_dtype = np.dtype([("place_mask", "i8")], align=True)
level_dtype = np.dtype(
    [("delimiter", "i8"), ("required_at", "i8"), ("required_count", "i8")], align=True
)
#: A level that is open while a message is checked; the first one is header, body and trailer.
frame_dtype = np.dtype(
    [(name, "i8") for name in ("level", "stamp", "count_tag", "entries", "entries_max", "order")],
    align=True,
)


def allocate_rules() -> dict[str, np.ndarray]:
    """Empty slots and the scratch of a check, by their names in `gateway.wire.Wire`."""
    slots = DICTIONARIES_MAX
    return {
        "rule_slots": np.zeros(slots, slot_dtype),
        "rule_tags": np.zeros((slots, INDEX_MAX), np.int64),
        "rule_types": np.zeros((slots, 128), np.int64),  # level by MsgType of one byte
        "rule_levels": np.zeros((slots, LEVELS_MAX), level_dtype),
        "rule_members": np.zeros((slots, LEVELS_MAX * LEVEL_WORDS), np.int64),
        "rule_required": np.zeros((slots, 2 * REQUIRED_MAX), np.int64),  # pairs of index, tag
        "rule_sets": np.zeros((slots, 2 * SETS_MAX), np.int64),  # 128 bits: values of one byte
        "rule_places": np.zeros((slots, 3 * PLACES_MAX), np.int64),  # owner, word, what is there
        "rule_seen": np.zeros((DEPTH_MAX + 1, INDEX_MAX), np.int64),  # stamps of one message
        "rule_frames": np.zeros(DEPTH_MAX + 1, frame_dtype),
        "rule_stamp": np.zeros(1, np.int64),
        "rule_shapes": np.zeros((SHAPES, SHAPE_HEAD + SHAPE_WORDS * SHAPE_FIELDS_MAX), np.int64),
        # the last good YYYYMMDD, as its eight bytes
        "rule_day": np.full(1, int.from_bytes(b"19700101", "little"), np.int64),
    }


@inlined
def _start(owner, word):
    return hash_word(hash_word(0, owner), word)


@njit
def find_place(wire, slot, owner, word):
    """What the slot's hash table holds under owner and word, or 0."""
    places = wire.rule_places[slot]
    mask = wire.rule_slots[slot]["place_mask"]
    at = _start(owner, word) & mask
    while places[3 * at + 2] != 0:
        if places[3 * at] == owner and places[3 * at + 1] == word:
            return places[3 * at + 2]
        at = (at + 1) & mask
    return 0


@njit
def find_text(wire, slot, owner, buffer, start, size):
    """One more than the number that stands for a text, or 0. No byte of it may be zero.

    Reads up to seven bytes behind the text, which the trailer of a framed message has.
    """
    at = 0
    while True:
        word = peek_word(buffer, start + at)
        if size - at < 8:
            word &= (unsigned(1) << unsigned(8 * (size - at))) - unsigned(1)
        found = find_place(wire, slot, owner, signed(word))
        at += 8
        if found == 0 or at >= size:
            return found & ORDER_MASK
        owner = found >> GROUP_SHIFT
        if owner == 0:
            return 0


def put_rules(
    tables: Any, slot: int, application: Dictionary, transport: Dictionary | None = None
) -> None:
    """Fill a slot of `tables`: a Wire, or whatever has the arrays of `allocate_rules`.

    UserError where a dictionary is larger than a table; the slot then keeps what it had.
    """
    assert 0 <= slot < DICTIONARIES_MAX
    rules = _Rules(application, transport)
    for name, array in rules.arrays().items():
        # what an earlier dictionary left behind these is never looked at
        row = getattr(tables, name)[slot : slot + 1].reshape(-1)
        row[: array.size] = array.reshape(-1)
    tables.rule_shapes[:, 0] = 0


class _Rules:
    """One slot on its way into the arrays."""

    def __init__(self, application: Dictionary, transport: Dictionary | None) -> None:
        session = transport or application
        if not session.header:
            raise UserError(
                f"{application.path}: {application.begin} has no header of its own: "
                "give the transport dictionary too (FIXT.1.1)"
            )
        self.where = application.path
        self.places: dict[tuple[int, int], int] = {}
        self.texts = 0  # owners given out for the rests of long texts
        self.large: dict[int, int] = {}
        self.words: dict[int, int] = {}
        self.sets: list[tuple[int, int]] = [(0, 0)]
        self.levels = [(0, 0, 0), (0, 0, 0)]  # HEADER and TRAILER: their groups come before them
        self.bits = [np.zeros(LEVEL_WORDS, np.int64), np.zeros(LEVEL_WORDS, np.int64)]
        self.required: list[tuple[int, int]] = []
        self.types = np.zeros(128, np.int64)
        self.known: dict[Any, int] = {}  # level by its members, and by the identity of a group
        self.fields = {**session.fields, **application.fields}
        for member in _flat((*session.header, *session.trailer)):
            self.fields[member.tag] = session.fields[member.tag]
        for field in self.fields.values():
            self._add_field(field, application.begin)
        self._set_level(HEADER, session.header, 0, self._groups(session.header, 0))
        self._set_level(TRAILER, session.trailer, 0, self._groups(session.trailer, 0))
        self._flag(session.header, IN_HEADER)
        self._flag(session.trailer, IN_TRAILER)
        messages = {**application.messages, **session.messages}
        for message in messages.values():
            groups = self._groups(message.members, 0)
            self._add_type(message.msg_type, self._new_level(message.members, 0, groups))

    def _limit(self, what: str, count: int, limit: int) -> None:
        if count > limit:
            raise UserError(
                f"{self.where}: {count} {what}, at most {limit}: "
                "take out messages that the session does not use"
            )

    def _index(self, tag: int) -> int:
        if tag < TAG_MAX:
            return tag
        if tag not in self.large:
            self._limit(f"tags from {TAG_MAX} on", len(self.large) + 1, LARGE_TAGS_MAX)
            self.large[tag] = TAG_MAX + len(self.large)
            self.places[LARGE_TAGS, tag] = self.large[tag]
        return self.large[tag]

    def _add_field(self, field: Field, begin: str) -> None:
        kind = KIND_OF[field.type]
        if kind == CHAR and begin in CHAR_IS_TEXT:
            kind = TEXT
        number = 0
        if field.values and not field.open_values and field.tag not in NO_LIST:
            number = len(self.sets)
            self._limit("fields with values", number, SETS_MAX - 1)
            self.sets.append(self._bits_of(field.values))
            for value in field.values:
                if len(value) > 1:
                    self._add_text(SETS + number, value, 0)
        self.words[self._index(field.tag)] = kind | number << SET_SHIFT

    def _bits_of(self, values: Iterable[str]) -> tuple[int, int]:
        """128 bits, as two words, of the values of one byte."""
        bits = sum(1 << ord(value) for value in values if len(value) == 1)
        return _signed(bits & (1 << 64) - 1), _signed(bits >> 64)

    def _add_text(self, owner: int, text: str, number: int) -> None:
        """Enter a text, eight bytes a place; the last one says its number and one more."""
        parts = [text[at : at + 8] for at in range(0, len(text), 8)]
        for part in parts[:-1]:
            key = owner, int.from_bytes(part.encode(), "little")
            if self.places.get(key, 0) >> GROUP_SHIFT == 0:
                self.places[key] = self.places.get(key, 0) | (TEXTS + self.texts) << GROUP_SHIFT
                self.texts += 1
            owner = self.places[key] >> GROUP_SHIFT
        key = owner, int.from_bytes(parts[-1].encode(), "little")
        self.places[key] = self.places.get(key, 0) | (number + 1)

    def _add_type(self, msg_type: str, level: int) -> None:
        if len(msg_type) == 1:
            self.types[ord(msg_type)] = level
        else:
            self._add_text(MSG_TYPES, msg_type, level)

    def _flag(self, members: tuple[Member, ...], flag: int) -> None:
        for member in members:
            self.words[self._index(member.tag)] |= flag

    def _groups(self, members: tuple[Member, ...], depth: int) -> list[int]:
        """The levels of the members' groups, 0 for a plain field."""
        return [self._group_level(member, depth + 1) for member in members]

    def _group_level(self, member: Member, depth: int) -> int:
        """The level of a member's group; equal groups share one."""
        group = member.group
        if group is None:
            return 0
        if group not in self.known:
            if depth > DEPTH_MAX:
                raise UserError(
                    f"{self.where}: group {self.fields[member.tag].name}({member.tag}) lies in "
                    f"{DEPTH_MAX} others, at most {DEPTH_MAX - 1}: take it out"
                )
            groups = self._groups(group.members, depth)
            key = tuple(
                (m.tag, m.required, of) for m, of in zip(group.members, groups, strict=True)
            )
            if key not in self.known:
                self.known[key] = self._new_level(group.members, depth, groups)
            self.known[group] = self.known[key]
        return self.known[group]

    def _new_level(self, members: tuple[Member, ...], depth: int, groups: list[int]) -> int:
        level = len(self.levels)
        self._limit("messages and groups", level + 1, LEVELS_MAX)
        self.levels.append((0, 0, 0))
        self.bits.append(np.zeros(LEVEL_WORDS, np.int64))
        self._set_level(level, members, depth, groups)
        return level

    def _set_level(
        self, level: int, members: tuple[Member, ...], depth: int, groups: list[int]
    ) -> None:
        """Delimiter, required members, bitmap, and the places of what has an order or a group."""
        required = [(self._index(m.tag), m.tag) for m in members if m.required]
        self._limit("required fields", len(self.required) + len(required), REQUIRED_MAX)
        delimiter = self._index(members[0].tag) if members else 0
        self.levels[level] = delimiter, len(self.required), len(required)
        self.required += required
        bits = self.bits[level].view(np.uint64)
        for order, (member, group) in enumerate(zip(members, groups, strict=True), 1):
            index = self._index(member.tag)
            bits[index // 64] |= np.uint64(1 << index % 64)
            if group:
                self.words[index] |= COUNTS
            if group or depth:
                self.places[level, index] = order | group << GROUP_SHIFT

    def arrays(self) -> dict[str, np.ndarray]:
        """The slot's rows, as far as they are filled."""
        size = 64
        while size < 3 * len(self.places):
            size *= 2
        self._limit("values, groups and their members", len(self.places), 2 * PLACES_MAX // 3)
        size = min(size, PLACES_MAX)
        tags = np.zeros(INDEX_MAX, np.int64)
        tags[list(self.words)] = list(self.words.values())
        return {
            "rule_slots": np.array([(size - 1,)], slot_dtype),
            "rule_tags": tags,
            "rule_types": self.types,
            "rule_levels": np.array(self.levels, level_dtype),
            "rule_members": np.concatenate(self.bits),
            "rule_required": np.array(self.required, np.int64),
            "rule_sets": np.array(self.sets, np.int64),
            "rule_places": self._placed(size),
        }

    def _placed(self, size: int) -> np.ndarray:
        places = np.zeros((size, 3), np.int64)
        for (owner, word), what in self.places.items():
            at = int(_start(owner, word)) & (size - 1)
            while places[at, 2] != 0:
                at = (at + 1) & (size - 1)
            places[at] = owner, word, what
        return places


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _flat(members: Iterable[Member]) -> Iterator[Member]:
    """Members and those of their groups."""
    for member in members:
        yield member
        if member.group is not None:
            yield from _flat(member.group.members)
