"""The compiled check against `fix_oracle`.

Messages are made from a dictionary, whole or with something wrong; both must say the same of each,
strict and tolerant: the reason, and the tag.
"""

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import fix_check, fix_read, wire
from gateway.dictionary import Dictionary, Field, Member, Message, load, shipped
from gateway.fix_check import FINE, UNKNOWN_TYPE
from gateway.rule_tables import DICTIONARIES_MAX, KIND_OF, put_rules
from gateway.wire import Wire
from tests.fix_oracle import Rules, oracle, written
from tests.fix_text import SHARED_FIX, as_array, pairs_of, raw

pytestmark = pytest.mark.heavy

STAMP = "20251201-10:00:00.000"
HEAD = f"8=FIX.4.4|9=100|35=D|49=CLIENT|56=SI|34=2|52={STAMP}|"
TAIL = "10=000|"
ORDER = f"11=A|55=X|48=DE0007164600|22=4|54=1|38=100|40=2|44=17.35|59=3|60={STAMP}|"
PARTY = "453=2|448=A|447=D|452=1|802=1|523=x|803=4|448=B|447=P|452=122|"

#: A dictionary with every shape: groups four deep, a tag in a group and around it, long values,
#: tags over the table, a group that begins with a group.
SHAPES = """<fix type="FIX" major="4" minor="4">
<header><field name="BeginString" required="Y"/><field name="BodyLength" required="Y"/>
<field name="MsgType" required="Y"/><field name="Seq" required="Y"/><field name="Flag"/>
<group name="NoHops"><field name="Hop"/><field name="HopTime"/></group></header>
<messages><message name="One" msgtype="D" msgcat="app"><field name="Id" required="Y"/>
<field name="Text"/><field name="Char"/><field name="Chars"/><field name="Strings"/>
<component name="Deep"/><field name="Big"/><field name="Word"/></message>
<message name="Two" msgtype="ALongerType" msgcat="app"><field name="Text" required="Y"/>
<group name="NoBig" required="Y"><field name="Big" required="Y"/><field name="Px" required="Y"/>
</group><group name="NoC"><field name="Text"/><field name="When" required="Y"/></group></message>
</messages><trailer><field name="SigLen"/><field name="CheckSum" required="Y"/></trailer>
<components><component name="Deep"><group name="NoA"><field name="A" required="Y"/>
<field name="Text" required="Y"/><group name="NoB"><field name="B"/><field name="Char"/>
<group name="NoC"><field name="C"/><field name="A"/><group name="NoD"><group name="NoE">
<field name="E"/></group><field name="D" required="Y"/></group></group></group>
<field name="Px"/></group></component></components>
<fields><field number="8" name="BeginString" type="STRING"/>
<field number="9" name="BodyLength" type="LENGTH"/><field number="35" name="MsgType" type="STRING"/>
<field number="34" name="Seq" type="SEQNUM"/><field number="43" name="Flag" type="BOOLEAN"/>
<field number="627" name="NoHops" type="NUMINGROUP"/><field number="628" name="Hop" type="STRING"/>
<field number="629" name="HopTime" type="UTCTIMESTAMP"/>
<field number="93" name="SigLen" type="INT"/>
<field number="10" name="CheckSum" type="STRING"/><field number="11" name="Id" type="STRING"/>
<field number="58" name="Text" type="STRING"/>
<field number="20" name="Char" type="CHAR"><value enum="0"/><value enum="a"/></field>
<field number="21" name="Chars" type="MULTIPLECHARVALUE"><value enum="A"/><value enum="B"/></field>
<field number="22" name="Strings" type="MULTIPLEVALUESTRING"><value enum="1"/>
<value enum="12345678"/><value enum="123456789"/><value enum="1234567890123456789"/></field>
<field number="23" name="Word" type="STRING"><value enum="ABCDEFGH"/><value enum="ABCDEFGHI"/>
<value enum="ABCDEFGHIJKLMNOPQ"/></field>
<field number="9001" name="NoBig" type="INT"/><field number="100001" name="Big" type="QTY"/>
<field number="44" name="Px" type="PRICE"/><field number="200" name="When" type="MONTHYEAR"/>
<field number="1000" name="NoA" type="NUMINGROUP"/><field number="1001" name="A" type="INT"/>
<field number="1002" name="NoB" type="NUMINGROUP"/><field number="1003" name="B" type="STRING"/>
<field number="1004" name="NoC" type="NUMINGROUP"/><field number="1005" name="C" type="STRING"/>
<field number="1006" name="NoD" type="NUMINGROUP"/><field number="1007" name="D" type="FLOAT"/>
<field number="1008" name="NoE" type="NUMINGROUP"/><field number="1009" name="E" type="CURRENCY"/>
</fields></fix>"""


@cache
def tables() -> Wire:
    return wire.allocate()


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    path = tmp_path_factory.mktemp("dictionary") / "shapes.xml"
    path.write_text(SHAPES)
    return Rules(load(path))


RULES_42 = Rules(shipped("FIX.4.2"))
RULES_44 = Rules(shipped("FIX.4.4"))
RULES_50 = Rules(shipped("FIX.5.0SP2"), shipped("FIXT.1.1"))
SLOTS: dict[Any, int] = {}


def slot_of(rules: Rules) -> int:
    key = rules.application, rules.transport
    if key not in SLOTS:
        SLOTS[key] = len(SLOTS) % DICTIONARIES_MAX
        put_rules(tables(), SLOTS[key], *rules)
    return SLOTS[key]


def check(rules: Rules, data: bytes, *, strict: bool) -> tuple[int, int]:
    """What the compiled code says of a message."""
    w = tables()
    buffer = as_array(b"lead" + data + b"8=FIX.")
    w.loop[0]["generation"] += 1
    problem, _, count = fix_read.tokenize(
        buffer, 4, len(data), w.fields, w.parts, w.loop[0]["generation"]
    )
    assert problem == -1, data
    reason, tag = fix_check.check_message(w, slot_of(rules), int(strict), buffer, count)
    return int(reason), int(tag)


# Messages made from a dictionary

SAMPLES = {
    "INT": "7 -3 0", "CHAR": "x 1", "BOOLEAN": "Y N", "UTCTIMESTAMP": f"{STAMP} 20240229-23:59:60",
    "UTCTIMEONLY": "23:59:59.123456789", "LOCALMKTTIME": "08:00:00", "MONTHYEAR": "202512 202512w5",
    "TZTIMEONLY": "07:39Z 07:39:12+01", "TZTIMESTAMP": "20060901-07:39-05:30",
    "MULTIPLECHARVALUE": "A", "DATA": "x=y", "XMLDATA": "x",
    **dict.fromkeys(("LENGTH", "SEQNUM", "NUMINGROUP", "DAYOFMONTH", "TAGNUM"), "1 12"),
    **dict.fromkeys(("AMT", "FLOAT", "PERCENTAGE", "PRICE", "PRICEOFFSET", "QTY"), "1 0.5 -2. .5"),
    **dict.fromkeys(("LOCALMKTDATE", "UTCDATE", "UTCDATEONLY", "DATE"), "20251201 20000229"),
}  # fmt: skip
Fields = list[tuple[int, str]]
NOISE = (
    [*"0129AYNa x-.", "-1", "0", "2", "99999999999999999999", "1.2.3", "20251301", "20250229",
     "20251201-24:00:00", "20251201-10:00:00.", "202500", "202512w6", "A B", "A  B", "A ", "B A",
     "12345678 1", "1234567890123456789", "123456789012345678", "ABCDEFGHI", "ABCDEFGH", "a\x7f",
     "tab\t", "\xe9t\xe9", "07:39+15", "07:39:00Z1", "+5", "1e3", "."]
)  # fmt: skip


def value(rng: Random, field: Field) -> str:
    if field.values and not field.open_values:
        return rng.choice(sorted(field.values))
    return rng.choice(SAMPLES.get(field.type, "X some-text").split())


def members(
    rng: Random, of: tuple[Member, ...], fields: dict[int, Field], depth: int = 0
) -> Fields:
    """The required members and a few others, in order; a group's first one always."""
    chosen = {rng.choice(of).tag for _ in range(rng.randrange(5))} if of else set()
    made: Fields = []
    for place, member in enumerate(of):
        first = depth > 0 and place == 0
        if not (member.required or first or member.tag in chosen):
            continue
        if member.group is None:
            made.append((member.tag, value(rng, fields[member.tag])))
            continue
        entries = rng.randrange(4 if depth < 2 else 2)
        made.append((member.tag, str(entries)))
        for _ in range(entries):
            made += members(rng, member.group.members, fields, depth + 1)
    return made


def made_message(rng: Random, rules: Rules) -> Fields:
    session = rules.transport or rules.application
    types = {**rules.application.messages, **session.messages}
    message = types[rng.choice(sorted(types))]
    fields = {**session.fields, **rules.application.fields}
    rest = tuple(m for m in session.header if m.tag not in (8, 9, 35))
    tail = tuple(m for m in session.trailer if m.tag != 10)
    made = [(8, "FIX"), (9, "1"), (35, message.msg_type), *members(rng, rest, fields)]
    made += members(rng, message.members, fields)
    return split_as_written([*made, *members(rng, tail, fields), (10, "000")])


def damage(rng: Random, rules: Rules, made: Fields) -> Fields:
    """Up to three things changed between MsgType and CheckSum."""
    made = list(made)
    session = rules.transport or rules.application
    tags = sorted({*rules.application.fields, *session.fields, 7777, 12345678} - {10})
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(3, len(made))
        kind = rng.choice(["drop", "again", "move", "value", "insert", "tag"])
        if kind == "insert" or at == len(made) - 1:
            tag = rng.choice([rng.choice(tags), rng.choice(made[2:])[0]])
            made.insert(at, (tag, rng.choice(NOISE)))
        elif kind == "drop":
            del made[at]
        elif kind == "again":
            made.insert(rng.randrange(3, len(made)), made[at])
        elif kind == "move":
            field = made.pop(at)
            made.insert(rng.randrange(3, len(made) + 1) if len(made) > 3 else 3, field)
        elif kind == "value":
            made[at] = made[at][0], rng.choice(NOISE)
        else:
            made[at] = rng.choice(tags), made[at][1]
    return split_as_written([field for field in made if field[0] != 10] + made[-1:])


#: A second one of these never comes as far as the check: `tokenize` refuses it.
ONCE = {8, 9, 34, 35, 49, 52, 56, 11, 15, 22, 38, 40, 41, 43, 44, 48, 54, 55, 59}


def split_as_written(made: Fields) -> Fields:
    """Without what `tokenize` refuses, or takes for the size of data."""
    seen: set[int] = set()
    kept: Fields = []
    for tag, text in made:
        if (tag in ONCE and tag in seen) or (tag < 2048 and fix_read._DATA_AFTER[tag]):
            continue
        seen.add(tag)
        kept.append((tag, text))
    return kept


def as_message(made: Fields) -> bytes:
    return "".join(f"{tag}={text}\x01" for tag, text in made).encode("latin-1")


def agree(rules: Rules, made: Fields) -> tuple[int, int]:
    """Both say the same, strict and tolerant; the tolerant answer."""
    data = as_message(made)
    for strict in (True, False):
        said, expected = check(rules, data, strict=strict), oracle(rules, data, strict=strict)
        assert said == expected, (data.replace(b"\x01", b"|"), strict)
    return said


def alike(rng: Random, made: Fields) -> Fields:
    """The same tags with up to three other values, lengths of groups among them."""
    made = list(made)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(3, max(len(made) - 1, 4))
        made[at] = made[at][0], rng.choice([*NOISE, made[at][1], "1", "3"])
    return made


def fuzz(rules: Rules, seed: int) -> None:
    """Ten messages, two of the shape of each, which is remembered, and a damaged one."""
    rng = Random(seed)
    for _ in range(10):
        made = made_message(rng, rules)
        agree(rules, made)
        agree(rules, alike(rng, made))
        agree(rules, damage(rng, rules, made))
        agree(rules, alike(rng, made))


SEEDS = st.integers(0, 2**32)


@given(SEEDS)
def test_shapes_against_the_oracle(shapes: Rules, seed: int) -> None:
    fuzz(shapes, seed)


@pytest.mark.parametrize("rules", [RULES_42, RULES_44, RULES_50], ids=["4.2", "4.4", "5.0SP2"])
@given(SEEDS)
def test_our_dictionaries_against_the_oracle(rules: Rules, seed: int) -> None:
    fuzz(rules, seed)


def test_the_fuzz_finds_every_reason() -> None:
    rng, reasons = Random(1), set()
    for _ in range(400):
        made = damage(rng, RULES_44, made_message(rng, RULES_44))
        for strict in (True, False):
            reasons.add(check(RULES_44, as_message(made), strict=strict)[0])
    assert reasons == {FINE, UNKNOWN_TYPE, 0, 1, 2, 5, 6, 13, 14, 15, 16} - {UNKNOWN_TYPE}


def test_a_shape_that_was_fine_is_remembered_until_the_dictionary_changes() -> None:
    slot = slot_of(RULES_44)
    levels, required = tables().rule_levels[slot], tables().rule_levels[slot].copy()
    fine, other = (
        (HEAD + ORDER + rest + TAIL).replace("|", "\x01").encode() for rest in ("", "58=x|")
    )
    assert check(RULES_44, fine, strict=True) == (FINE, 0)
    try:
        levels["required_at"] = 0  # now nothing but what is remembered can be fine
        levels["required_count"] = 100
        assert check(RULES_44, fine.replace(b"A", b"B"), strict=True) == (FINE, 0)
        assert check(RULES_44, fine, strict=False)[0] == 1
        assert check(RULES_44, other, strict=True)[0] == 1
    finally:
        levels[:] = required
    put_rules(tables(), slot, *RULES_44)
    assert not tables().rule_shapes[:, 0].any()


def test_no_date_is_known_before_the_first() -> None:
    fresh = wire.allocate()
    put_rules(fresh, 0, *RULES_44)
    for text, reason in (("\0" * 8, 6), ("20251301", 6), ("20251201", FINE), ("20251301", 6)):
        data = (HEAD + ORDER + TAIL).replace("|", "\x01").replace("20251201-", f"{text}-").encode()
        buffer = as_array(data + b"8=FIX.")
        fresh.loop[0]["generation"] += 1
        _, _, count = fix_read.tokenize(
            buffer, 0, len(data), fresh.fields, fresh.parts, fresh.loop[0]["generation"]
        )
        assert fix_check.check_message(fresh, 0, 1, buffer, count)[0] == reason


# By hand

CASES = [  # body, strict answer, tolerant answer: FIX 4.4 vol. 2, test case 14
    (ORDER, (FINE, 0), (FINE, 0)),
    (ORDER + PARTY, (FINE, 0), (FINE, 0)),
    (ORDER + "9999=x|", (0, 9999), (FINE, 0)),
    (ORDER + "123456789=x|", (0, 123456789), (FINE, 0)),
    (ORDER + "37=x|", (2, 37), (FINE, 0)),
    (ORDER.replace("54=1|", ""), (1, 54), (1, 54)),
    (ORDER.replace("54=1", "54=Z"), (5, 54), (5, 54)),
    (ORDER.replace("54=1", "54=11"), (6, 54), (6, 54)),
    (ORDER.replace("38=100", "38=+100"), (6, 38), (6, 38)),
    (ORDER.replace("44=17.35", "44=1e3"), (6, 44), (6, 44)),
    (ORDER.replace(STAMP, "20250229-10:00:00"), (6, 60), (6, 60)),
    (ORDER + "18=1 G|", (FINE, 0), (FINE, 0)),
    (ORDER + "18=1 ?|", (5, 18), (5, 18)),
    (ORDER + "58=a|58=b|", (13, 58), (FINE, 0)),
    (ORDER + "50=desk|", (14, 50), (FINE, 0)),
    ("58=a|89=x|" + ORDER, (14, 11), (FINE, 0)),
    (ORDER + "453=0|", (FINE, 0), (FINE, 0)),
    (ORDER + "453=0|448=A|", (16, 453), (16, 453)),
    (ORDER + "453=2|448=A|", (16, 453), (16, 453)),
    (ORDER + "453=1|448=A|448=B|", (16, 453), (16, 453)),
    (ORDER + "453=-1|", (6, 453), (6, 453)),
    (ORDER + "453=99999999999999999999|448=A|", (16, 453), (16, 453)),
    (ORDER + "453=1|447=D|448=A|", (15, 447), (15, 447)),
    (ORDER + "453=1|448=A|452=1|447=D|", (15, 447), (FINE, 0)),
    (ORDER + "453=1|448=A|447=D|447=D|", (13, 447), (FINE, 0)),
    (ORDER + "453=2|448=A|9999=x|448=B|", (0, 9999), (FINE, 0)),
    (ORDER + "453=2|448=A|37=x|448=B|", (2, 37), (FINE, 0)),
    (ORDER + "448=A|", (2, 448), (FINE, 0)),
]


@pytest.mark.parametrize(("body", "strict", "tolerant"), CASES, ids=[case[0] for case in CASES])
def test_orders_by_hand(body: str, strict: tuple[int, int], tolerant: tuple[int, int]) -> None:
    data = raw(HEAD + body + TAIL)
    assert check(RULES_44, data, strict=True) == strict
    assert check(RULES_44, data, strict=False) == tolerant


def test_message_types() -> None:
    for msg_type in ("?", "ZZ", "ZZZZZZZZZZZZ", "\xff", "D\x02"):
        data = raw(HEAD.replace("35=D", f"35={msg_type}") + TAIL)
        assert check(RULES_44, data, strict=False) == (UNKNOWN_TYPE, 35)
    data = raw(HEAD.replace("8=FIX.4.4", "8=FIXT.1.1").replace("35=D", "35=A") + TAIL)
    assert check(RULES_50, data, strict=True) == (1, 98)  # of the transport's Logon
    assert check(RULES_44, raw("8=FIX.4.4|9=1|49=x|10=000|"), strict=False) == (1, 35)


def test_a_field_of_a_group_may_stand_around_it_too(shapes: Rules) -> None:
    """Text(58) is in the group and in the body: within an entry the first is the group's."""
    head = "8=x|9=1|35=D|34=1|11=i|"
    for body, answer in (
        ("1000=1|1001=7|58=in|58=out|", (FINE, 0)),
        ("1000=2|1001=7|58=a|1001=8|58=b|", (FINE, 0)),
        ("1000=2|1001=7|58=a|1001=8|44=1|58=b|", (15, 58)),
        ("1000=2|1001=7|1001=8|58=b|", (1, 58)),
        (
            "1000=1|1001=7|58=a|1002=1|1003=b|1004=1|1005=c|1006=1|1008=1|1009=EUR|1007=1|",
            (FINE, 0),
        ),
        ("1000=1|1001=7|58=a|1002=1|1003=b|1004=1|1005=c|1006=1|1008=1|1009=EUR|", (1, 1007)),
        ("100001=1.5|", (FINE, 0)),
        ("100001=x|", (6, 100001)),
        ("100002=x|", (0, 100002)),
        ("22=12345678 1234567890123456789|", (FINE, 0)),
        ("22=12345678 123456789012345678|", (5, 22)),
    ):
        assert check(shapes, raw(head + body + TAIL), strict=True) == answer, body
    two = "8=x|9=1|35=ALongerType|34=1|58=t|9001="
    assert check(shapes, raw(two + "1|100001=1|44=1|10=0|"), strict=True) == (FINE, 0)
    assert check(shapes, raw(two + "1|100001=1|10=0|"), strict=True) == (1, 44)
    assert check(shapes, raw(two + "-1|10=0|"), strict=True) == (5, 9001)


def test_every_day_of_the_calendar() -> None:
    """Every month, day and century rule, and the numbers around them."""
    body = HEAD + ORDER + "64={}|" + TAIL
    for year in ("0000", "1900", "1999", "2000", "2024", "2025", "9999"):
        for month in range(14):
            for day in (0, 1, 28, 29, 30, 31, 32):
                date = f"{year}{month:02}{day:02}"
                expected = (FINE, 0) if written("LOCALMKTDATE", date) else (6, 64)
                assert check(RULES_44, raw(body.format(date)), strict=True) == expected, date


def kinds_dictionary() -> Dictionary:
    """A message with a field of each type there is."""
    source = shipped("FIX.4.4")
    fields = dict(source.fields)
    members = []
    for tag, name in enumerate(sorted(KIND_OF), 5000):
        fields[tag] = Field(tag, name, name, {})
        members.append(Member(tag, False))
    one = Message("Kinds", "D", "app", tuple(members))
    return Dictionary("FIX.4.4", fields, source.header, source.trailer, {"D": one})


KINDS = Rules(kinds_dictionary())
CHARACTERS = st.text(st.sampled_from("0123456789-+.:wYNZ aT\x7f\xe9\t"), min_size=1, max_size=28)


@given(CHARACTERS | st.sampled_from(NOISE) | st.sampled_from(" ".join(SAMPLES.values()).split()))
@example("20251201-23:59:60.123456789")
@example("20251201-23:59:60.1234567890")
@example("00:00")
def test_every_type_against_its_regex(text: str) -> None:
    for member in KINDS.application.messages["D"].members:
        if KINDS.application.fields[member.tag].type.startswith("RESERVED"):
            continue
        agree(KINDS, [*[(8, "x"), (9, "1"), (35, "D")], (member.tag, text), (10, "000")])


# Dictionaries and messages of others

needs_shared = pytest.mark.skipif(
    not SHARED_FIX.is_dir(), reason="../shared/data/fix is not here: stock files are not read"
)


def stock(name: str) -> Dictionary:
    return load(Path(SHARED_FIX) / f"{name}.xml")


@needs_shared
def test_stock_dictionaries_against_the_oracle() -> None:
    transport = stock("FIXT11")
    rng = Random(2)
    for rules in (
        Rules(stock("FIX42")),
        Rules(stock("FIX44")),
        Rules(stock("FIX50SP2"), transport),
    ):
        fine = 0
        for _ in range(100):
            made = made_message(rng, rules)
            fine += agree(rules, made)[0] == FINE
            agree(rules, damage(rng, rules, made))
        assert fine > 60  # in the others a group lost what may stand once in a message


@needs_shared
def test_real_messages() -> None:
    """Orders and reports of real desks pass as they are; strict sessions name what is theirs."""
    tolerant, strict = set(), set()
    for line in (SHARED_FIX / "messages_valid.txt").read_text("latin-1").splitlines():
        data = raw(line)
        if dict(pairs_of(data))[35] in (b"D", b"8"):
            tolerant.add(check(RULES_44, data, strict=False))
            strict.add(check(RULES_44, data, strict=True))
    assert tolerant == {(FINE, 0)}
    assert strict == {(FINE, 0), (0, 9952), (0, 9020), (15, 447)}
