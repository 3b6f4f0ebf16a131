"""A reader of QuickFIX's dictionaries that shares nothing with the product: what a counterparty
with the stock file would object to in a message of ours, groups included.
"""

import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.fix_text import SHARED_FIX, Pairs

FILES = {"FIX.4.2": "FIX42.xml", "FIX.4.4": "FIX44.xml", "FIXT.1.1": "FIX50SP2.xml"}
MANY_VALUES = {"MULTIPLEVALUESTRING", "MULTIPLECHARVALUE", "MULTIPLESTRINGVALUE"}


class Block(NamedTuple):
    """Members of a message or of a group's entry: tag -> required, and the groups among them."""

    members: dict[int, bool]
    groups: dict[int, "Block"]
    first: int


class Stock:
    """One version's dictionary; over FIXT.1.1 the header is in a file of its own."""

    def __init__(self, begin: str) -> None:
        self.root = self._read(FILES[begin])
        self.transport = self._read("FIXT11.xml") if begin == "FIXT.1.1" else self.root
        self.fields = {int(f.get("number")): f for f in self.root.find("fields")}
        self.fields |= {int(f.get("number")): f for f in self.transport.find("fields")}
        self.tags = {f.get("name"): tag for tag, f in self.fields.items()}
        self.around = self._block(
            [*self.transport.find("header"), *self.transport.find("trailer")], self.transport
        )

    @staticmethod
    def _read(name: str) -> Any:
        return ET.parse(Path(SHARED_FIX) / name).getroot()

    @cache  # noqa: B019 - as many as there are message types
    def message(self, msg_type: str) -> Block:
        node = self.root.find(f"messages/message[@msgtype='{msg_type}']")
        assert node is not None, f"the stock dictionary has no message {msg_type}"
        return self._block(list(node), self.root)

    def _block(self, nodes: list[Any], root: Any) -> Block:
        block = Block({}, {}, 0)
        for node in nodes:
            must = node.get("required") == "Y"
            if node.tag == "component":
                name = node.get("name")
                inner = self._block(list(root.find(f"components/component[@name='{name}']")), root)
                block.members.update({tag: must and of for tag, of in inner.members.items()})
                block.groups.update(inner.groups)
                continue
            tag = self.tags[node.get("name")]
            block.members[tag] = must
            if node.tag == "group":
                block.groups[tag] = self._block(list(node), root)
        return block._replace(first=next(iter(block.members), 0))

    def problems(self, pairs: Pairs) -> list[str]:
        """What is wrong with a message, in words; nothing if it is right."""
        block = self.message(dict(pairs)[35].decode())
        both = Block(block.members | self.around.members, block.groups | self.around.groups, 0)
        at, found, seen = 0, [], set()
        while at < len(pairs):
            tag = pairs[at][0]
            found += self._value(*pairs[at])
            if tag in seen:
                found.append(f"{tag} twice")
            if tag not in both.members:
                found.append(f"{tag} is not of this message")
            seen.add(tag)
            at += 1
            if tag in both.groups:
                at, more = self._entries(both.groups[tag], pairs, at)
                found += more
        missing = [tag for tag, must in both.members.items() if must and tag not in seen]
        return found + [f"{tag} is missing" for tag in missing]

    def _entries(self, block: Block, pairs: Pairs, at: int) -> tuple[int, list[str]]:
        """The entries that a count promises: where they end, and what is wrong with them."""
        found: list[str] = []
        for _ in range(int(pairs[at - 1][1])):
            if at >= len(pairs) or pairs[at][0] != block.first:
                return at, [*found, f"an entry does not begin with {block.first}"]
            seen: set[int] = set()
            while at < len(pairs) and pairs[at][0] in block.members:
                tag = pairs[at][0]
                if tag in seen:
                    break
                found += self._value(*pairs[at])
                seen.add(tag)
                at += 1
                if tag in block.groups:
                    at, more = self._entries(block.groups[tag], pairs, at)
                    found += more
            missing = [tag for tag, must in block.members.items() if must and tag not in seen]
            found += [f"{tag} is missing in an entry" for tag in missing]
        return at, found

    def _value(self, tag: int, value: bytes) -> list[str]:
        field = self.fields.get(tag)
        if field is None:
            return [f"{tag} is unknown"]
        known = {node.get("enum") for node in field}
        text = value.decode("latin-1")
        given = text.split(" ") if field.get("type") in MANY_VALUES else [text]
        return [f"{tag}={one}" for one in given if known and one not in known]


@cache
def stock(begin: str) -> Stock:
    """The dictionary of a BeginString(8)."""
    return Stock(begin)
