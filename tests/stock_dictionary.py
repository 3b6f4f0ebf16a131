"""Messages held against a data dictionary in QuickFIX's XML format, read without the product.

A message must have the fields and groups that its type requires, none that it does not know, each
value one of those listed, and each group as many entries as it says, in the dictionary's order.
"""

from functools import cache
from typing import Any
from xml.etree import ElementTree

from tests.fix_text import SHARED_FIX, pairs_of

FILES = {"FIX.4.2": ("FIX42",), "FIX.4.4": ("FIX44",), "FIXT.1.1": ("FIXT11", "FIX50SP2")}
MULTIPLE = {"MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"}

Layout = dict[int, tuple[bool, Any]]  # by tag in order: required, members of a group or None
Pairs = list[tuple[int, str]]


class Stock:
    """One dictionary, or a transport's and an application's."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.messages: dict[str, Layout] = {}
        self.values: dict[int, tuple[str, set[str]]] = {}
        self.frame: Layout = {}
        for name in names:
            self._read(ElementTree.parse(SHARED_FIX / f"{name}.xml").getroot())

    def _read(self, root: Any) -> None:
        numbers = {field.get("name"): int(field.get("number")) for field in root.find("fields")}
        for field in root.find("fields"):
            listed = {value.get("enum") for value in field}
            self.values[int(field.get("number"))] = (field.get("type"), listed)
        found = root.find("components")
        components = {} if found is None else {one.get("name"): one for one in found}

        def layout(element: Any, optional: bool = False) -> Layout:
            made: Layout = {}
            for member in element:
                needed = member.get("required") == "Y" and not optional
                if member.tag == "component":
                    made |= layout(components[member.get("name")], not needed)
                elif member.tag == "group":
                    made[numbers[member.get("name")]] = (needed, layout(member))
                else:
                    made[numbers[member.get("name")]] = (needed, None)
            return made

        for part in ("header", "trailer"):
            if len(root.find(part)):
                self.frame |= layout(root.find(part))
        for message in root.find("messages"):
            self.messages[message.get("msgtype")] = layout(message)

    def problems(self, data: bytes) -> list[str]:
        """What is wrong with a message, in words."""
        pairs = [(tag, value.decode("latin-1")) for tag, value in pairs_of(data)]
        msg_type = next(value for tag, value in pairs if tag == 35)
        if msg_type not in self.messages:
            return [f"unknown MsgType {msg_type}"]
        layout = self.frame | self.messages[msg_type]
        found = [
            f"{tag}={value} is no value of it" for tag, value in pairs if self._bad(tag, value)
        ]
        seen: set[int] = set()
        at = 0
        while at < len(pairs):
            tag = pairs[at][0]
            if tag not in layout:
                found.append(f"{tag} is not of {msg_type}")
            elif tag in seen:
                found.append(f"{tag} twice")
            seen.add(tag)
            at, more = self._entries(pairs, at, layout.get(tag, (False, None))[1])
            found += more
        return found + missing(layout, seen)

    def _bad(self, tag: int, value: str) -> bool:
        kind, listed = self.values.get(tag, ("STRING", set()))
        if kind in {"INT", "LENGTH", "SEQNUM", "NUMINGROUP"} and not value.lstrip("-").isdigit():
            return True
        if kind in {"PRICE", "QTY", "AMT"} and not value.replace(".", "", 1).isdigit():
            return True
        given = value.split(" ") if kind in MULTIPLE else [value]
        return not value or (bool(listed) and not set(given) <= listed)

    def _entries(self, pairs: Pairs, at: int, members: Layout | None) -> tuple[int, list[str]]:
        """Pass a field, and the entries it counts: where they end, and what is wrong with them."""
        if members is None:
            return at + 1, []
        tag, value = pairs[at]
        wrong: list[str] = []
        first, count = next(iter(members)), 0
        at += 1
        while at < len(pairs) and pairs[at][0] in members:
            if pairs[at][0] != first:
                wrong.append(f"an entry of {tag} begins with {pairs[at][0]}, not {first}")
            at, more = self._entry(pairs, at, members)
            wrong += more
            count += 1
        if value != str(count):
            wrong.append(f"{tag}={value}, {count} entries found")
        return at, wrong

    def _entry(self, pairs: Pairs, at: int, members: Layout) -> tuple[int, list[str]]:
        """One entry of a group: its members in their order, each once."""
        places = {tag: place for place, tag in enumerate(members)}
        seen: list[int] = []
        wrong: list[str] = []
        while at < len(pairs) and pairs[at][0] in members and pairs[at][0] not in seen:
            tag = pairs[at][0]
            if seen and places[tag] < places[seen[-1]]:
                wrong.append(f"{tag} out of order")
            seen.append(tag)
            at, more = self._entries(pairs, at, members[tag][1])
            wrong += more
        return at, wrong + missing(members, set(seen))


def missing(layout: Layout, seen: set[int]) -> list[str]:
    """Required tags that have not been seen."""
    return [f"{tag} missing" for tag, (need, _) in layout.items() if need and tag not in seen]


@cache
def stock(begin: str) -> Stock:
    return Stock(FILES[begin])


def problems(data: bytes) -> list[str]:
    """What the stock dictionary of the message's own version finds wrong."""
    return stock(data[2:].split(b"\x01", 1)[0].decode()).problems(data)
