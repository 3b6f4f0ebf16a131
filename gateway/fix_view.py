"""FIX messages for people: names beside tags, what a value means, groups indented.

Names come from data dictionaries. A tag that the message's own version does not define is looked up
in the newest one (tag numbers are given out once for all versions); what nobody knows shows as its
number. Whoever shows a message has put it through `gateway.masking` before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rich.table import Table
from rich.text import Text

from gateway.explain import clock
from gateway.fix_pairs import Piece, first_values, split, whole_number

_OF_BEGIN = {
    "FIX.4.2": ("FIX.4.2",), "FIX.4.4": ("FIX.4.4",), "FIXT.1.1": ("FIXT.1.1", "FIX.5.0SP2"),
}  # fmt: skip
_EVERY = ("FIX.4.4", "FIXT.1.1", "FIX.5.0SP2")  # asked last, in this order


class Field(Protocol):
    """What a dictionary says of a tag."""

    @property
    def name(self) -> str: ...
    @property
    def values(self) -> Mapping[str, str]: ...


class Group(Protocol):
    """A repeating group: what each of its entries may have."""

    @property
    def members(self) -> Sequence[Member]: ...


class Member(Protocol):
    """A tag of a message or of a group's entry; with `group`, the tag that counts its entries."""

    @property
    def tag(self) -> int: ...
    @property
    def group(self) -> Group | None: ...


class Message(Protocol):
    """What a dictionary says of a MsgType(35)."""

    @property
    def name(self) -> str: ...
    @property
    def members(self) -> Sequence[Member]: ...


class Dictionary(Protocol):
    """The part of `gateway.dictionary.Dictionary` that is needed here."""

    @property
    def fields(self) -> Mapping[int, Field]: ...
    @property
    def header(self) -> Sequence[Member]: ...
    @property
    def messages(self) -> Mapping[str, Message]: ...


#: What a group's entry may have, by tag; of a tag that counts a group, what its entries may have.
Scope = dict[int, "Scope | None"]


class Names:
    """Several dictionaries as one; the first that knows a thing is right."""

    def __init__(self, dictionaries: Iterable[Dictionary]) -> None:
        self.dictionaries = tuple(dictionaries)
        self._groups: dict[str, Scope] = {}

    def field(self, tag: int) -> Field | None:
        """What is known of a tag."""
        for dictionary in self.dictionaries:
            if tag in dictionary.fields:
                return dictionary.fields[tag]
        return None

    def message(self, msg_type: str) -> str:
        """The name of a message type, or the type."""
        for dictionary in self.dictionaries:
            if msg_type in dictionary.messages:
                return dictionary.messages[msg_type].name
        return msg_type or "no MsgType(35)"

    def groups(self, msg_type: str) -> Scope:
        """The groups of a message type, each with what its entries may have.

        A later dictionary adds whole groups, and to a group that is there the tags that the ones
        before do not know: extension tags within a group's entry.
        """
        if msg_type not in self._groups:
            scope: Scope = {}
            for index, dictionary in enumerate(self.dictionaries):
                message = dictionary.messages.get(msg_type)
                members = (*dictionary.header, *(message.members if message else ()))
                for member in members:
                    if member.group is not None:
                        _add_group(scope, member.tag, member.group, self.dictionaries[:index])
            self._groups[msg_type] = scope
        return self._groups[msg_type]

    def meaning(self, tag: int, value: str) -> str:
        """What a value of a tag stands for, in words; empty where the dictionaries do not say."""
        if tag == 35:
            return self.message(value) if self.message(value) != value else ""
        field = self.field(tag)
        if field is None or not field.values:
            return ""
        if value in field.values:
            return _words(field.values[value])
        each = value.split(" ")  # of the multiple-value types
        if len(each) > 1 and all(one in field.values for one in each):
            return ", ".join(_words(field.values[one]) for one in each)
        return ""


def _add_group(
    scope: Scope, tag: int, group: Group, before: Sequence[Dictionary], within: bool = False
) -> None:
    if within and tag not in scope and any(tag in each.fields for each in before):
        return
    inner = scope.get(tag)
    fresh = inner is None
    if inner is None:
        inner = scope[tag] = {}
    for member in group.members:
        if member.group is not None:
            _add_group(inner, member.tag, member.group, () if fresh else before, within=True)
        elif fresh or not any(member.tag in each.fields for each in before):
            inner.setdefault(member.tag, None)


def _words(description: str) -> str:
    return description.replace("_", " ").lower() if description.isupper() else description


@cache
def names_of(begin: str) -> Names:
    """The names for messages of a BeginString(8), from the dictionaries that we ship."""
    from gateway.dictionary import shipped

    own = _OF_BEGIN.get(begin, ("FIX.4.4",))
    return Names(shipped(name) for name in (*own, *(each for each in _EVERY if each not in own)))


def names_with(path: Path) -> Callable[[str], Names]:
    """`names_of` with a dictionary of the user's own in front. Raises UserError."""
    from gateway.dictionary import load

    own = load(path)
    return cache(lambda begin: Names((own, *names_of(begin).dictionaries)))


# --- one message --------------------------------------------------------------------------------


class Node(NamedTuple):
    """A field; of a group's count with the nodes of each entry."""

    tag: int
    name: str
    value: str
    meaning: str
    entries: tuple[tuple[Node, ...], ...] = ()


class Shown(NamedTuple):
    """A message as it is shown: where it came from, what was found."""

    raw: bytes  # masked
    ts_ns: int = 0  # of the journal; 0: not known
    direction: str = ""  # in, out or empty
    again: bool = False  # sent once more, after a ResendRequest
    notes: tuple[str, ...] = ()

    @property
    def pieces(self) -> list[Piece]:
        """Its fields as they stand."""
        return split(self.raw)


def tree(pieces: list[Piece], names: Names) -> tuple[Node, ...]:
    """Every field in order; entries of groups below the tag that counts them."""
    msg_type = first_values(pieces).get(35, "")
    scope = names.groups(msg_type)
    nodes, at = [], 0
    while at < len(pieces):
        node, at = _node(pieces, at, scope.get(pieces[at].tag), names)
        nodes.append(node)
    return tuple(nodes)


def _node(pieces: list[Piece], at: int, group: Scope | None, names: Names) -> tuple[Node, int]:
    one = pieces[at]
    at += 1
    if one.tag < 0:
        value = one.name if one.value is None else one.name + b"=" + one.value
        return Node(-1, "not a field", plain(value), ""), at
    value_text = (one.value or b"").decode("latin-1")
    field = names.field(one.tag)
    name = field.name if field is not None else str(one.tag)
    meaning = names.meaning(one.tag, value_text)
    entries: tuple[tuple[Node, ...], ...] = ()
    if group is not None:
        entries, at = _entries(pieces, at, group, names)
        if whole_number(value_text) != len(entries):
            meaning = f"{len(entries)} found"
    return Node(one.tag, name, plain(one.value or b""), meaning, entries), at


def _entries(
    pieces: list[Piece], at: int, group: Scope, names: Names
) -> tuple[tuple[tuple[Node, ...], ...], int]:
    """The entries from `at` on: each begins with the tag that the first one begins with."""
    entries = []
    delimiter = pieces[at].tag if at < len(pieces) else -1
    while at < len(pieces) and pieces[at].tag == delimiter and delimiter in group:
        entry: list[Node] = []
        while at < len(pieces) and pieces[at].tag in group:
            if entry and pieces[at].tag == delimiter:
                break
            node, at = _node(pieces, at, group[pieces[at].tag], names)
            entry.append(node)
        entries.append(tuple(entry))
    return tuple(entries), at


def plain(value: bytes | str) -> str:
    """Text that a terminal only prints: everything else as an escape."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


# --- forms --------------------------------------------------------------------------------------


def session_of(shown: Shown, values: Mapping[int, str]) -> str:
    """The other side's CompID; of a message whose direction is not known both."""
    sender, target = values.get(49, "?"), values.get(56, "?")
    if shown.direction == "in":
        return plain(sender)
    return plain(target if shown.direction == "out" else f"{sender} > {target}")


def as_dict(shown: Shown, names: Names) -> dict[str, Any]:
    """A message for scripts; `groups` of a field are lists of entries."""
    values = first_values(shown.pieces)
    return {
        "time": clock(shown.ts_ns) if shown.ts_ns else values.get(52),
        "ts_ns": shown.ts_ns or None,
        "direction": shown.direction or None,
        "resent": shown.again,
        "session": session_of(shown, values),
        "seq": whole_number(values.get(34)),
        "message": names.message(values.get(35, "")),
        "notes": list(shown.notes),
        "fields": [_node_dict(node) for node in tree(shown.pieces, names)],
    }


def _node_dict(node: Node) -> dict[str, Any]:
    made: dict[str, Any] = {"tag": node.tag, "name": node.name, "value": node.value}
    if node.meaning:
        made["meaning"] = node.meaning
    if node.entries:
        made["groups"] = [[_node_dict(each) for each in entry] for entry in node.entries]
    return made


ARROWS = {"in": "\u2190", "out": "\u2192", "": " "}  # seen from the engine


def line(shown: Shown, names: Names) -> str:
    """A message in one line: when, which way, whose, what, and the fields that matter."""
    values = first_values(shown.pieces)
    when = clock(shown.ts_ns)[11:26] if shown.ts_ns else values.get(52, "")
    number = values.get(34, "?")
    head = f"{plain(when):<15} {ARROWS[shown.direction]} {session_of(shown, values):<12} "
    head += f"{plain(number):>6} {plain(names.message(values.get(35, '')))}"
    words = [head, *_what_matters(values, names)]
    if shown.again or values.get(43) == "Y":
        words.append("(again)")
    words += [f"[{plain(note)}]" for note in shown.notes]
    return "  ".join(words)


def _what_matters(values: Mapping[int, str], names: Names) -> list[str]:
    """ClOrdID, side, quantity, instrument, price, fill, state and text, as far as there."""
    said: list[str] = []
    if 11 in values:
        said.append(values[11])
    if 41 in values:
        said.append(f"of {values[41]}")
    terms = [
        names.meaning(54, values[54]) or values[54] if 54 in values else "",
        values.get(38, ""),
        values.get(48) or values.get(55, ""),
        f"@ {values[44]}" if 44 in values else "",
    ]
    if any(terms):
        said.append(" ".join(term for term in terms if term))
    if 32 in values and 31 in values:
        said.append(f"last {values[32]} @ {values[31]}")
    if 39 in values:
        said.append(names.meaning(39, values[39]) or f"39={values[39]}")
    said += [f"{tag}={values[tag]}" for tag in (7, 16, 36, 112, 117, 131) if tag in values]
    if 58 in values:
        said.append(f'"{values[58]}"')
    return [plain(each) for each in said]


def table(shown: Shown, names: Names) -> Table:
    """A whole message: tag, name, value, meaning; groups indented."""
    made = Table(title=Text(line(shown, names)), title_justify="left", box=None, pad_edge=False)
    made.add_column("tag", justify="right", no_wrap=True)
    for title in ("name", "value", "meaning"):
        made.add_column(title, overflow="fold")
    _rows(made, tree(shown.pieces, names), 0)
    return made


def _rows(made: Table, nodes: Iterable[Node], depth: int) -> None:
    for node in nodes:
        tag = str(node.tag) if node.tag >= 0 else "?"
        made.add_row(
            tag, Text("    " * depth + node.name), Text(node.value), Text(node.meaning, "dim")
        )
        for number, entry in enumerate(node.entries, 1):
            made.add_row("", Text("    " * depth + f"  - {number} of {node.name}", "dim"))
            _rows(made, entry, depth + 1)
