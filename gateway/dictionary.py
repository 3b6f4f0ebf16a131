"""A FIX data dictionary in QuickFIX's XML format, read into plain objects; nothing compiled here.

A desk gives each session the dictionary that its counterparty uses. Whatever contradicts itself in
such a file is refused by file and line: a rule that cannot be read must not be half applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from gateway.errors import UserError

FILE_SIZE_MAX = 16 << 20  # bytes; FIX Latest with everything in it is 1.5 MB
TAG_NUMBER_MAX = 10**9 - 1  # nine digits, as `fix_read.tokenize` reads them
#: Groups and components within one another, and members in the whole file: more is a mistake, or a
#: file made to use up memory.
DEPTH_MAX = 32
MEMBERS_MAX = 1_000_000
FOLDER = Path(__file__).parent / "dictionaries"
SHIPPED = {
    "FIX.4.2": "FIX42.xml",
    "FIX.4.4": "FIX44.xml",
    "FIXT.1.1": "FIXT11.xml",
    "FIX.5.0SP2": "FIX50SP2.xml",
}

#: Every type name of FIX 4.0 to FIX Latest and of QuickFIX's own files.
TYPES = frozenset(
    "AMT BOOLEAN CHAR COUNTRY CURRENCY DATA DATE DAYOFMONTH EXCHANGE FLOAT INT LANGUAGE LENGTH "
    "LOCALMKTDATE LOCALMKTTIME MONTHYEAR MULTIPLECHARVALUE MULTIPLESTRINGVALUE MULTIPLEVALUESTRING "
    "NUMINGROUP PATTERN PERCENTAGE PRICE PRICEOFFSET QTY RESERVED1000PLUS RESERVED100PLUS "
    "RESERVED4000PLUS SEQNUM STRING TAGNUM TENOR TIME TZTIMEONLY TZTIMESTAMP UTCDATE UTCDATEONLY "
    "UTCTIMEONLY UTCTIMESTAMP XID XIDREF XMLDATA".split()
)
COUNT_TYPES = ("NUMINGROUP", "INT")  # INT in FIX 4.2, which has no other name for it
_SECTIONS = ("header", "trailer", "messages", "components", "fields")
_NUMBER = re.compile(r"[0-9]{1,9}")

#: An element of lxml, which has no types of its own.
Element = Any


class Field(NamedTuple):
    """One `<field number= name= type=>`: `values` by enum value, in the file's order.

    `open_values`: the list is not complete, other values are right too (`allowOtherValues="Y"`).
    """

    tag: int
    name: str
    type: str
    values: dict[str, str]
    open_values: bool = False


class Member(NamedTuple):
    """A field where it is used; `group` where it is the count of a repeating group."""

    tag: int
    required: bool  # of a group's member: in every entry
    group: Group | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A repeating group: its first member begins every entry. Equal only to itself."""

    members: tuple[Member, ...]

    @property
    def delimiter(self) -> int:
        """Tag of the field that begins an entry."""
        return self.members[0].tag


class Message(NamedTuple):
    """One `<message>` with its components resolved."""

    name: str
    msg_type: str
    category: str  # "admin" or "app"
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """What one file says. `begin` is its version: "FIX.4.2", "FIXT.1.1", "FIX.5.0SP2"."""

    begin: str
    fields: dict[int, Field]
    header: tuple[Member, ...]
    trailer: tuple[Member, ...]
    messages: dict[str, Message]
    path: Path = field(default=Path())

    def by_name(self, name: str) -> Field | None:
        """The field of a name, or None."""
        return next((found for found in self.fields.values() if found.name == name), None)


@lru_cache
def shipped(name: str) -> Dictionary:
    """Our own dictionary of "FIX.4.2", "FIX.4.4", "FIXT.1.1" or "FIX.5.0SP2"."""
    if name not in SHIPPED:
        raise UserError(
            f"no dictionary for {name!r} comes with the engine: use one of "
            f"{', '.join(SHIPPED)}, or name a file"
        )
    return load(FOLDER / SHIPPED[name])


def load(path: Path) -> Dictionary:
    """Read a file; UserError with file, line, what is wrong and what to do."""
    return _Reader(path).read()


def _parse(path: Path) -> Element:
    """The root element. No entities, no document type, nothing from outside the file."""
    try:
        size = path.stat().st_size
        if size > FILE_SIZE_MAX:
            raise UserError(f"{path}: {size} bytes, at most {FILE_SIZE_MAX}: no FIX dictionary")
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        raise UserError(f"{path}:{line}: the XML is broken ({error}): repair it") from None
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise UserError(f"{path}: has a DOCTYPE, entities are not read: remove it")
    return root


class _Reader:
    """One file on its way to a Dictionary."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fields: dict[int, Field] = {}
        self.tags: dict[str, int] = {}
        self.components: dict[str, Element] = {}
        self.resolved: dict[str, tuple[Member, ...]] = {}
        self.open: list[str] = []  # components being resolved, the outermost first
        self.depth = 0  # of groups and components around the member being read
        self.members = 0

    def refused(self, element: Element, what: str) -> UserError:
        """An error at an element's line."""
        return UserError(f"{self.path}:{element.sourceline}: {what}")

    def read(self) -> Dictionary:
        """The whole file."""
        root = _parse(self.path)
        if root.tag != "fix":
            raise self.refused(root, f"<{root.tag}> is not <fix>: no FIX data dictionary")
        begin = self._begin(root)
        sections = self._sections(root)
        for element in sections["fields"]:
            self._add_field(element)
        for element in sections.get("components", ()):
            self._add_component(element)
        header = self._members(sections["header"])
        if not header and not begin.startswith("FIX.5."):
            what = f"<header> is empty: {begin} has its header in this file, list its fields"
            raise self.refused(sections["header"], what)
        trailer = self._members(sections["trailer"]) if "trailer" in sections else ()
        if header and not trailer:
            what = "there is a <header> but no <trailer> with fields: add CheckSum(10) to one"
            raise self.refused(root, what)
        messages = self._messages(sections["messages"])
        for name, element in self.components.items():
            if name not in self.resolved:  # of no message: checked all the same
                self._component(name, element)
        return Dictionary(begin, self.fields, header, trailer, messages, self.path)

    def _begin(self, root: Element) -> str:
        """BeginString(8) or ApplVerID's name: `FIX.5.0SP2` of 5, 0 and 2."""
        kind = root.get("type", "FIX")
        if kind not in ("FIX", "FIXT"):
            raise self.refused(root, f"type={kind!r} of <fix> is neither FIX nor FIXT")
        parts = {}
        for name in ("major", "minor", "servicepack"):
            value = root.get(name, "0" if name == "servicepack" else "").upper().removeprefix("SP")
            if not _NUMBER.fullmatch(value):
                what = f"{name}={root.get(name)!r} of <fix> is no number: give the FIX version"
                raise self.refused(root, what)
            parts[name] = int(value)
        pack = f"SP{parts['servicepack']}" if parts["servicepack"] else ""
        return f"{kind}.{parts['major']}.{parts['minor']}{pack}"

    def _sections(self, root: Element) -> dict[str, Element]:
        found: dict[str, Element] = {}
        for element in root:
            if element.tag not in _SECTIONS:
                what = f"<{element.tag}> is no part of a dictionary: {', '.join(_SECTIONS)}"
                raise self.refused(element, what)
            if element.tag in found:
                raise self.refused(element, f"<{element.tag}> a second time: make them one")
            found[element.tag] = element
        for name in ("header", "messages", "fields"):
            if name not in found:
                raise self.refused(root, f"<{name}> is missing: every dictionary has one")
        return found

    # --- fields -------------------------------------------------------------------------------

    def _attribute(self, element: Element, name: str) -> str:
        value = (element.get(name) or "").strip()
        if not value:
            raise self.refused(element, f"<{element.tag}> without {name}=: add it")
        return value

    def _add_field(self, element: Element) -> None:
        if element.tag != "field":
            raise self.refused(element, f"<{element.tag}> within <fields>: only <field> may stand")
        name = self._attribute(element, "name")
        number = self._attribute(element, "number")
        if not _NUMBER.fullmatch(number) or int(number) == 0:
            what = f"number={number!r} of field {name} is no tag: 1 to {TAG_NUMBER_MAX}"
            raise self.refused(element, what)
        tag = int(number)
        if tag in self.fields:
            what = f"number {tag} of field {name} is {self.fields[tag].name}'s already: remove one"
            raise self.refused(element, what)
        if name in self.tags:
            what = f"field {name} has number {tag}, and {self.tags[name]} above: remove one"
            raise self.refused(element, what)
        kind = self._attribute(element, "type").upper()
        if kind not in TYPES:
            what = f"type {kind!r} of {name}({tag}) is unknown: use a type of the standard"
            raise self.refused(element, what)
        values = self._values(element, name, tag)
        others = element.get("allowOtherValues", "N").upper() in ("Y", "TRUE")
        self.fields[tag] = Field(tag, name, kind, values, others)
        self.tags[name] = tag

    def _values(self, element: Element, name: str, tag: int) -> dict[str, str]:
        values: dict[str, str] = {}
        for child in element:
            if child.tag != "value":
                what = f"<{child.tag}> within field {name}({tag}): only <value> may stand there"
                raise self.refused(child, what)
            value = child.get("enum")
            if not value or not value.isascii() or not value.isprintable():
                what = f"enum={value!r} of {name}({tag}) is no value: printable ASCII"
                raise self.refused(child, what)
            if value in values:
                raise self.refused(child, f"enum={value!r} of {name}({tag}) twice: remove one")
            values[value] = child.get("description") or value
        return values

    # --- members ------------------------------------------------------------------------------

    def _add_component(self, element: Element) -> None:
        if element.tag != "component":
            raise self.refused(element, f"<{element.tag}> within <components>: only <component>")
        name = self._attribute(element, "name")
        if name in self.components:
            raise self.refused(element, f"component {name} is defined twice: remove one")
        self.components[name] = element

    def _messages(self, section: Element) -> dict[str, Message]:
        messages: dict[str, Message] = {}
        for element in section:
            if element.tag != "message":
                raise self.refused(element, f"<{element.tag}> within <messages>: only <message>")
            name = self._attribute(element, "name")
            msg_type = self._attribute(element, "msgtype")
            if not msg_type.isascii() or not msg_type.isprintable() or " " in msg_type:
                what = f"msgtype={msg_type!r} of {name}: printable ASCII without blanks"
                raise self.refused(element, what)
            if msg_type in messages:
                what = f"msgtype {msg_type!r} of {name} is {messages[msg_type].name}'s already"
                raise self.refused(element, f"{what}: remove one")
            category = element.get("msgcat", "app")
            if category not in ("admin", "app"):
                raise self.refused(element, f"msgcat={category!r} of {name}: admin or app")
            messages[msg_type] = Message(name, msg_type, category, self._members(element))
        return messages

    def _members(self, element: Element) -> tuple[Member, ...]:
        """What stands in a message, component, group, header or trailer, in order.

        A field that comes twice (by itself and in a component) is one; required where one of them
        is.
        """
        found: dict[int, Member] = {}
        for child in element:
            for member in self._member(child):
                known = found.get(member.tag)
                if known is None:
                    found[member.tag] = member
                    continue
                if (known.group is None) != (member.group is None) or (
                    known.group is not None and not _same(known.group, member.group)
                ):
                    what = f"{self._name(member.tag)} stands here twice, once with another group"
                    raise self.refused(child, f"{what}: remove one")
                found[member.tag] = known._replace(required=known.required or member.required)
        return tuple(found.values())

    def _name(self, tag: int) -> str:
        return f"{self.fields[tag].name}({tag})"

    def _member(self, child: Element) -> tuple[Member, ...]:
        """A field, a group, or everything in a component."""
        self.members += 1
        if self.members > MEMBERS_MAX:
            raise self.refused(child, f"more than {MEMBERS_MAX} members: no FIX dictionary")
        required = self._required(child)
        name = self._attribute(child, "name")
        if child.tag == "component":
            if name not in self.components:
                what = f"component {name!r} is not among <components>: define it or remove it here"
                raise self.refused(child, what)
            members = self._component(name, child)
            if required:
                return members
            return tuple(member._replace(required=False) for member in members)
        if child.tag not in ("field", "group"):
            what = f"<{child.tag}> within {child.getparent().get('name', child.getparent().tag)!r}"
            raise self.refused(child, f"{what}: field, group or component")
        tag = self.tags.get(name)
        if tag is None:
            what = f"field {name!r} is not among <fields>: define it or remove it here"
            raise self.refused(child, what)
        if child.tag == "field":
            if len(child):
                raise self.refused(child, f"field {name} has elements in it: a group is <group>")
            return (Member(tag, required),)
        return (Member(tag, required, self._group(child, tag)),)

    def _group(self, element: Element, tag: int) -> Group:
        if self.fields[tag].type not in COUNT_TYPES:
            what = f"group {self._name(tag)} is counted by a field of type {self.fields[tag].type}"
            raise self.refused(element, f"{what}: NUMINGROUP or INT")
        members = self._within(element)
        if not members:
            raise self.refused(element, f"group {self._name(tag)} is empty: list its fields")
        if any(member.tag == tag for member in members):
            raise self.refused(element, f"group {self._name(tag)} holds its own count: remove it")
        return Group(members)

    def _component(self, name: str, place: Element) -> tuple[Member, ...]:
        if name not in self.resolved:
            if name in self.open:
                chain = " > ".join([*self.open[self.open.index(name) :], name])
                raise self.refused(
                    place, f"component {name} holds itself ({chain}): break the ring"
                )
            self.open.append(name)
            self.resolved[name] = self._within(self.components[name])
            self.open.pop()
        return self.resolved[name]

    def _within(self, element: Element) -> tuple[Member, ...]:
        """The members of a group or component, one level deeper."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            what = f"groups and components lie over {DEPTH_MAX} deep: no FIX dictionary"
            raise self.refused(element, what)
        members = self._members(element)
        self.depth -= 1
        return members

    def _required(self, element: Element) -> bool:
        value: str = element.get("required", "N").upper()
        if value not in ("Y", "N"):
            what = f"required={element.get('required')!r} of {element.get('name')}: Y or N"
            raise self.refused(element, what)
        return value == "Y"


def _same(one: Group, other: Group | None) -> bool:
    """Whether two groups have the same members, in the same order."""
    if other is None or one is other:
        return one is other
    return len(one.members) == len(other.members) and all(
        a.tag == b.tag
        and a.required == b.required
        and (a.group is b.group or (a.group is not None and _same(a.group, b.group)))
        for a, b in zip(one.members, other.members, strict=True)
    )
