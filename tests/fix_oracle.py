"""What a message breaks of a data dictionary, in plain Python: objects, regexes, recursion.

Nothing of the product's tables or of its check is used.
"""

import calendar
import re
from typing import Any, NamedTuple

from gateway.dictionary import Dictionary, Field, Group, Member, Message

FINE, UNKNOWN_TYPE = -1, -2


class Rules(NamedTuple):
    """What a session is held to."""

    application: Dictionary
    transport: Dictionary | None = None


TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?"
ZONE = r"(Z|[+-](0[0-9]|1[0-4])(:[0-5][0-9])?)?"
TIME_TZ = rf"(([01][0-9]|2[0-3]):[0-5][0-9]|{TIME}){ZONE}"
DATE = r"(?P<date>[0-9]{8})"
TEXT = r"[^\x00-\x1f\x7f]*"
FORMATS = {
    "INT": r"-?[0-9]+",
    "CHAR": r"[^\x00-\x1f\x7f]",
    "BOOLEAN": r"[YN]",
    "UTCTIMESTAMP": rf"{DATE}-{TIME}",
    "UTCTIMEONLY": TIME,
    "LOCALMKTTIME": TIME,
    "MONTHYEAR": r"[0-9]{4}(0[1-9]|1[0-2])(w[1-5])?|(?P<date>[0-9]{8})",
    "TZTIMEONLY": TIME_TZ,
    "TZTIMESTAMP": rf"{DATE}-{TIME_TZ}",
    "MULTIPLECHARVALUE": r"[!-~\x80-\xff]( [!-~\x80-\xff])*",
    **dict.fromkeys(("DATA", "XMLDATA"), r".*"),
    **dict.fromkeys(("LENGTH", "SEQNUM", "NUMINGROUP", "DAYOFMONTH", "TAGNUM"), r"[0-9]+"),
    **dict.fromkeys(
        ("AMT", "FLOAT", "PERCENTAGE", "PRICE", "PRICEOFFSET", "QTY"),
        r"-?([0-9]+\.?[0-9]*|\.[0-9]+)",
    ),
    **dict.fromkeys(("LOCALMKTDATE", "UTCDATE", "UTCDATEONLY", "DATE"), DATE),
}
FORMATS["TIME"] = FORMATS["UTCTIMESTAMP"]


class Wrong(Exception):
    """Reason and tag."""


def written(kind: str, text: str) -> bool:
    found = re.fullmatch(FORMATS.get(kind, TEXT), text, re.DOTALL)
    if found is None:
        return False
    date = found.groupdict().get("date")
    if date is None:
        return True
    year, month, day = int(date[:4]), int(date[4:6]), int(date[6:])
    if not 1 <= month <= 12:
        return False
    days = 29 if month == 2 and calendar.isleap(year) else calendar.mdays[month]
    return 1 <= day <= days


class Oracle:
    """One message, read from its first field to its last."""

    def __init__(self, rules: Rules, pairs: list[tuple[int, str]], *, strict: bool) -> None:
        self.pairs, self.strict, self.at = pairs, strict, 0
        application, session = rules.application, rules.transport or rules.application
        self.messages = {**application.messages, **session.messages}
        self.header = {member.tag: member for member in session.header}
        self.trailer = {member.tag: member for member in session.trailer}
        self.fields: dict[int, Field] = {**session.fields, **application.fields}
        for tag in (*self.header, *self.trailer):
            self.fields[tag] = session.fields[tag]

    def answer(self) -> tuple[int, int]:
        if self.pairs[2][0] != 35:
            return 1, 35
        message = self.messages.get(self.pairs[2][1])
        if message is None:
            return UNKNOWN_TYPE, 35
        try:
            self.read(message)
        except Wrong as wrong:
            return wrong.args[0], wrong.args[1]
        return FINE, 0

    def refuse(self, reason: int, tag: int) -> None:
        """Only a strict session does."""
        if self.strict:
            raise Wrong(reason, tag)

    def known(self) -> bool:
        """The field in turn is the dictionary's, and its value one of its type."""
        tag, text = self.pairs[self.at]
        field = self.fields.get(tag)
        if field is None:
            self.refuse(0, tag)
            return False
        if tag != 10:
            if not written(field.type, text):
                raise Wrong(6, tag)
            parts = text.split(" ") if field.type.startswith("MULTIPLE") else [text]
            listed = field.values and not field.open_values and tag not in (8, 35)
            if listed and not set(parts) <= set(field.values):
                raise Wrong(5, tag)
        return True

    def read(self, message: Message) -> None:
        body = {member.tag: member for member in message.members}
        around = {*body, *self.header, *self.trailer}
        seen: set[int] = set()
        part = 0  # header, body, trailer
        while self.at < len(self.pairs):
            tag = self.pairs[self.at][0]
            if not self.known():
                self.at += 1
                continue
            if tag in self.header and part == 0:
                member = self.header[tag]
            elif tag in body:
                if part == 2:
                    self.refuse(14, tag)
                part, member = 1, body[tag]
            elif tag in self.header:
                self.refuse(14, tag)
                member = self.header[tag]
            elif tag in self.trailer:
                part, member = 2, self.trailer[tag]
            else:
                self.refuse(2, tag)
                self.at += 1
                continue
            if tag in seen:
                self.refuse(13, tag)
                self.at += 1
                continue
            seen.add(tag)
            self.enter(member, around)
        for members in (self.header.values(), message.members, self.trailer.values()):
            self.whole(members, seen)

    def enter(self, member: Member, around: set[int]) -> None:
        """Step over a field, and over its group."""
        text = self.pairs[self.at][1]
        self.at += 1
        if member.group is not None:
            if text.startswith("-") and int(text) < 0:
                raise Wrong(5, member.tag)
            self.read_group(member.tag, member.group, int(text), around)

    def whole(self, members: Any, seen: set[int]) -> None:
        for member in members:
            if member.required and member.tag not in seen:
                raise Wrong(1, member.tag)

    def read_group(self, count_tag: int, group: Group, most: int, around: set[int]) -> None:
        places = {member.tag: place for place, member in enumerate(group.members)}
        entries, last, seen = 0, 0, set[int]()
        while self.at < len(self.pairs):
            tag = self.pairs[self.at][0]
            if not self.known():
                self.at += 1
                continue
            if tag not in places:
                if tag in around:
                    break
                self.refuse(2, tag)
                self.at += 1
                continue
            if tag == group.delimiter:
                if entries == most:
                    if tag in around:
                        break
                    raise Wrong(16, count_tag)
                if entries:
                    self.whole(group.members, seen)
                entries, last, seen = entries + 1, 0, {tag}
            elif entries == 0:
                if most > 0:
                    raise Wrong(15, tag)
                if tag in around:
                    break
                raise Wrong(16, count_tag)
            elif tag in seen:
                if tag in around:
                    break
                self.refuse(13, tag)
                self.at += 1
                continue
            else:
                seen.add(tag)
                if places[tag] < last:
                    self.refuse(15, tag)
                last = places[tag]
            self.enter(group.members[places[tag]], around | set(places))
        if entries:
            self.whole(group.members, seen)
        if entries != most:
            raise Wrong(16, count_tag)


def oracle(rules: Rules, data: bytes, *, strict: bool) -> tuple[int, int]:
    fields = [field.partition(b"=") for field in data[:-1].split(b"\x01")]
    pairs = [(int(tag), value.decode("latin-1")) for tag, _, value in fields]
    return Oracle(rules, pairs, strict=strict).answer()
