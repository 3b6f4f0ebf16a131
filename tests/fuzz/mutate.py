"""Mutations that know what FIX looks like; `Blind` is the fuzzer's own, of bytes.

Most results get their lengths, checksums and numbers put right, or nearly none would come behind
the frame.
"""

import re
from collections.abc import Callable
from random import Random

Blind = Callable[[bytes, int], bytes]

TAGS = (
    "1 6 7 8 9 10 11 14 15 16 18 21 22 29 30 31 32 34 35 36 37 38 39 40 41 43 44 45 48 49 50 52 54"
    " 55 56 57 58 59 60 62 73 77 78 79 89 90 91 93 95 96 97 98 99 100 102 103 108 110 111 112 115"
    " 116 117 122 123 126 128 131 132 133 134 135 140 141 146 148 150 151 167 207 212 213 262 263"
    " 268 279 296 297 298 300 336 347 354 355 369 371 372 373 379 380 383 384 386 423 434 447 448"
    " 452 453 454 528 529 530 531 537 553 554 574 584 585 586 639 693 694 789 802 1128 1137 1180"
    " 1409 2593 2594 2595 2704 4095 8191 8192 9999 99999 999999999 9999999999 0 00 011 -1 +1"
).split()
TYPES = "0 1 2 3 4 5 A D F G H 8 9 R S V W Z q r i j n AE AF AG AI AJ AA 6 BE ~ \xff".split()
VALUES = (
    "0 1 2 3 4 5 6 7 8 9 -1 -0 +1 00 01 1.0 1.5 .5 5. . - 1e3 0.0000001 344.5 344.45 1000000 Y N y"
    " A D P CLIENT1 CLIENT2 CLIENT3 CLIENT4 SI EUR GBX GBp DEZZ00000056 FRZZ00000018"
    " XETR * + +1 +2 +9 -1"
    " 2147483647 2147483648 4294967296 9223372036854775807 9223372036854775808 999999999999999999"
    " 00010101-00:00:00 19691231-23:59:59 22620411-23:47:17 99991231-23:59:60.999999999"
    " 20260601-08:00:00 20260601-08:00:00.000000 20260229-24:60:61 20260601 202606 FIX.4.2 FIX.4.4"
    " FIXT.1.1 FIX.5.0SP2 \xff \xa0 a= =b 1=2 10=000 8=FIX.4.4 nan inf 0x1"
).split()
LONG = (17, 48, 49, 64, 65, 255, 512, 4000)
VERBS = ("0^", "0$", "0_", "1^", "1$", "2$", "+100", "+1000", "+10000", "+36000", "+60000", "q344")
NAMES = ("CLIENT1", "CLIENT2", "CLIENT3", "CLIENT4")

ADMIN = (
    "0| 1|112=t| 2|7=1|16=0| 4|36=+9| 4|123=Y|36=9| 5| A|98=0|108=30| A|98=0|108=30|141=Y|"
    " A|98=0|108=9|1137=9|789=1|"
).split()

_MESSAGE = re.compile(rb"(8=FIX[^\x01]*)\x019=[^\x01]*\x01(.*?)10=[^\x01]*\x01", re.DOTALL)
_NUMBER = re.compile(rb"\x0134=[^\x01]*")


def value(random: Random, tag: str = "") -> str:
    """A value at the edge of something."""
    if tag == "35":
        return random.choice(TYPES)
    if random.random() < 0.05:
        return random.choice("x9\xff") * random.choice(LONG)
    return random.choice(VALUES)


def change_field(fields: list[str], random: Random) -> None:
    """One field added, taken away, changed, doubled or moved."""
    at = random.randrange(len(fields)) if fields else 0
    what = random.randrange(6)
    if what == 0 or not fields:
        tag = random.choice(TAGS)
        fields.insert(at, f"{tag}={value(random, tag)}")
    elif what == 1:
        del fields[at]
    elif what in (2, 3):
        tag = fields[at].partition("=")[0]
        fields[at] = f"{tag}={value(random, tag)}"
    elif what == 4:
        fields.insert(random.randrange(len(fields) + 1), fields[at])
    else:
        fields.insert(random.randrange(len(fields)), fields.pop(at))


def stream(data: bytes, size_max: int, seed: int, blind: Blind) -> bytes:
    """Another stream of bytes like this one."""
    random = Random(seed)
    if random.random() < 0.4:
        data = blind(data, size_max)
    else:
        for _ in range(random.choice((1, 1, 2, 4))):
            data = _change_message(data, random)
    if random.random() < 0.85:
        data = repair(data, renumber=random.random() < 0.8)
    return data[:size_max]


def _change_message(data: bytes, random: Random) -> bytes:
    """One message of the stream changed, doubled, taken out or moved to the end."""
    found = list(_MESSAGE.finditer(data))
    if not found:
        return data + repair(b"8=FIX.4.4\x019=0\x0135=0\x0149=CLIENT1\x0156=SI\x0134=2\x0110=0\x01")
    one = random.choice(found)
    what = random.randrange(10)
    if what == 0:
        return data[: one.end()] + one[0] + data[one.end() :]
    if what == 1:
        return data[: one.start()] + data[one.end() :]
    if what == 2:
        return data[: one.start()] + data[one.end() :] + one[0]
    fields = one[2].decode("latin-1").removesuffix("\x01").split("\x01")
    change_field(fields, random)
    body = "".join(field + "\x01" for field in fields).encode("latin-1")
    message = one[1] + b"\x019=0\x01" + body + b"10=0\x01"
    return data[: one.start()] + message + data[one.end() :]


def repair(data: bytes, renumber: bool = False) -> bytes:
    """BodyLength(9), CheckSum(10) and, if asked for, MsgSeqNum(34) of every message put right."""
    number = 1

    def again(found: re.Match[bytes]) -> bytes:
        nonlocal number
        number += 1
        body = found[2]
        if renumber:
            body = _NUMBER.sub(b"\x0134=%d" % number, body, count=1)
        made = found[1] + b"\x019=%d\x01" % len(body) + body
        return made + b"10=%03d\x01" % (sum(made) % 256)

    return _MESSAGE.sub(again, data)


def script(data: bytes, size_max: int, seed: int, blind: Blind) -> bytes:
    """Another script like this one; the session's target frames the messages itself."""
    random = Random(seed)
    if random.random() < 0.15:
        return blind(data, size_max)
    lines = data.decode("latin-1").split("\n")
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        _change_lines(lines, random)
    return "\n".join(lines).encode("latin-1")[:size_max]


def _change_lines(lines: list[str], random: Random) -> None:
    at = random.randrange(len(lines)) if lines else 0
    what = random.randrange(12)
    if what == 0 or not lines:
        lines.insert(at, random.choice(VERBS))
    elif what == 1:
        del lines[at]
    elif what == 2:
        lines.insert(random.randrange(len(lines) + 1), lines[at])
    elif what == 3:
        lines.insert(random.randrange(len(lines)), lines.pop(at))
    elif what == 4:
        lines.insert(at, f"{random.randrange(3)} " + _admin(random))
    elif what == 5 and lines[at][:1].isdigit():
        lines[at] = f"{random.randrange(3)}" + lines[at][1:].replace(
            random.choice(NAMES), random.choice(NAMES)
        )
    else:
        fields = lines[at][2:].removesuffix("|").split("|")
        change_field(fields, random)
        lines[at] = lines[at][:2] + "".join(field + "|" for field in fields)


def _admin(random: Random) -> str:
    """A session message with the next number."""
    body = random.choice(ADMIN)
    head, _, rest = body.partition("|")
    return f"35={head}|34=+|49={random.choice(NAMES)}|56=SI|52=*|{rest}"


_ELEMENT = re.compile(r"<[^<>]*>[^<]*")
_ATTRIBUTE = re.compile(r"='[^']*'|=\"[^\"]*\"")


def document(data: bytes, size_max: int, seed: int, blind: Blind) -> bytes:
    """Another XML document like this one: elements moved, attributes exchanged."""
    random = Random(seed)
    elements = _ELEMENT.findall(data.decode("latin-1"))
    if random.random() < 0.25 or len(elements) < 2:
        return blind(data, size_max)
    for _ in range(random.choice((1, 1, 2, 4))):
        at, other = random.randrange(len(elements)), random.randrange(len(elements))
        what = random.randrange(5)
        if what == 0 and len(elements) > 2:
            del elements[at]
            continue
        if what == 1:
            elements.insert(other, elements[at])
        elif what == 2:
            elements[at], elements[other] = elements[other], elements[at]
        else:
            mine = list(_ATTRIBUTE.finditer(elements[at]))
            theirs = [*_ATTRIBUTE.findall(elements[other]), f"='{random.choice(TAGS)}'", "=''"]
            if mine:
                one = random.choice(mine)
                text = elements[at]
                elements[at] = text[: one.start()] + random.choice(theirs) + text[one.end() :]
    return "".join(elements).encode("latin-1")[:size_max]
