"""Data dictionaries: ours against the standard's stock files, and every way a file can be wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import dictionary
from gateway.dictionary import SHIPPED, TYPES, Dictionary, Field, Member, load, shipped
from gateway.errors import UserError
from gateway.rule_tables import KIND_OF, allocate_rules, put_rules
from tests.fix_text import SHARED_FIX

pytestmark = pytest.mark.pure

HEADER = '<header><field name="BeginString" required="Y"/></header>'
TRAILER = '<trailer><field name="CheckSum" required="Y"/></trailer>'
MESSAGES = '<messages><message name="One" msgtype="D" msgcat="app">{}</message></messages>'
COMPONENTS = "<components>{}</components>"
FIELDS = """<fields>
<field number="8" name="BeginString" type="STRING"/>
<field number="10" name="CheckSum" type="STRING"/>
<field number="54" name="Side" type="CHAR"><value enum="1" description="BUY"/></field>
<field number="453" name="NoPartyIDs" type="NUMINGROUP"/>
<field number="448" name="PartyID" type="STRING"/>
{}</fields>"""
SIDE = '<field name="Side" required="y"/>'
PARTIES = '<group name="NoPartyIDs"><field name="PartyID" required="Y"/></group>'


def text(
    body: str = SIDE, components: str = "", fields: str = "", root: str = 'major="4" minor="4"'
) -> str:
    parts = HEADER + MESSAGES.format(body) + TRAILER + COMPONENTS.format(components)
    return f"<fix {root}>{parts}{FIELDS.format(fields)}</fix>"


def read(folder: Path, content: str | bytes) -> Dictionary:
    path = folder / "some.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load(path)


def test_a_whole_file(tmp_path: Path) -> None:
    inner = '<component name="Inner" required="N"/>'
    components = (
        f'<component name="Outer">{inner}{SIDE}</component>'
        f'<component name="Inner">{PARTIES}{SIDE}<!-- c --></component>'
    )
    found = read(tmp_path, text('<component name="Outer" required="Y"/>', components))
    assert (found.begin, found.path) == ("FIX.4.4", tmp_path / "some.xml")
    assert found.header == (Member(8, True),) and found.trailer == (Member(10, True),)
    assert found.fields[54] == Field(54, "Side", "CHAR", {"1": "BUY"})
    assert found.by_name("Side") == found.fields[54] and found.by_name("Sides") is None
    parties, side = found.messages["D"].members
    assert (parties.tag, parties.required, side) == (453, False, Member(54, True))
    assert parties.group is not None
    assert parties.group.members == (Member(448, True),) and parties.group.delimiter == 448


def test_what_real_files_have(tmp_path: Path) -> None:
    """Types of every version, attributes of other programs, versions written in other ways."""
    fields = "".join(
        f'<field number="{n}" name="F{n}" type="{kind.lower()}" multiplechoice="Y"/>'
        for n, kind in enumerate(sorted(TYPES), 5000)
    ) + (
        '<field number="6000" name="Open" type="INT" allowOtherValues="true">'
        '<value enum="1" description=""/></field>'
    )
    found = read(tmp_path, text(SIDE.replace('"y"', '"N"'), fields=fields))
    assert {field.type for field in found.fields.values()} >= TYPES
    assert found.fields[6000] == Field(6000, "Open", "INT", {"1": "1"}, True)
    assert found.messages["D"].members == (Member(54, False),)
    for root, begin in (
        ('type="FIX" major="4" minor="2" servicepack="0"', "FIX.4.2"),
        ('type="FIX" major="5" minor="0" servicepack="SP2"', "FIX.5.0SP2"),
        ('type="FIXT" major="1" minor="1"', "FIXT.1.1"),
    ):
        assert read(tmp_path, text(root=root)).begin == begin
    assert set(KIND_OF) == TYPES


WRONG = [  # content, what the message says
    ("", "the XML is broken"),
    ("<fix", "the XML is broken"),
    (b"\xff\xfe\x00", "the XML is broken"),
    ("<fixx/>", "no FIX data dictionary"),
    (text(root=""), "major=None of <fix> is no number"),
    (text(root='major="x" minor="4"'), "major='x' of <fix>"),
    (text(root='type="F" major="4" minor="4"'), "neither FIX nor FIXT"),
    (text().replace(HEADER, ""), "<header> is missing"),
    (text().replace(HEADER, "<header/>"), "<header> is empty"),
    (text().replace(TRAILER, ""), "no <trailer>"),
    (text().replace(HEADER, HEADER * 2), "<header> a second time"),
    (text().replace(HEADER, HEADER + "<other/>"), "<other> is no part"),
    (text('<field name="Nobody"/>'), "field 'Nobody' is not among <fields>"),
    (text('<component name="Nobody"/>'), "component 'Nobody' is not among <components>"),
    (text("<field/>"), "<field> without name="),
    (text("<value/>"), "<value> without name="),
    (text('<value name="Side"/>'), "field, group or component"),
    (text('<field name="Side" required="maybe"/>'), "required='maybe'"),
    (text('<field name="Side"><value enum="1"/></field>'), "a group is <group>"),
    (text('<group name="Side"><field name="PartyID"/></group>'), "NUMINGROUP or INT"),
    (text('<group name="NoPartyIDs"/>'), "is empty"),
    (text('<group name="NoPartyIDs"><field name="NoPartyIDs"/></group>'), "its own count"),
    (text(PARTIES + '<field name="NoPartyIDs"/>'), "stands here twice"),
    (text().replace("</messages>", MESSAGES.format(SIDE)[10:]), "msgtype 'D' of One is One's"),
    (text().replace('msgtype="D"', 'msgtype="a b"'), "msgtype='a b'"),
    (text().replace('msgcat="app"', 'msgcat="x"'), "admin or app"),
    (text(components='<component name="A"/><component name="A"/>'), "defined twice"),
    (text(components='<component name="A"><component name="A"/></component>'), "(A > A)"),
    (
        text(
            components='<component name="A"><component name="B"/></component>'
            '<component name="B"><group name="NoPartyIDs"><component name="A"/></group></component>'
        ),
        "component A holds itself (A > B > A)",
    ),
    (text(components="<field/>"), "within <components>"),
    (text(fields='<field number="54" name="X" type="INT"/>'), "is Side's already"),
    (text(fields='<field number="55" name="Side" type="INT"/>'), "has number 55, and 54"),
    (text(fields='<field number="0" name="X" type="INT"/>'), "number='0'"),
    (text(fields='<field number="-1" name="X" type="INT"/>'), "number='-1'"),
    (text(fields='<field number="1234567890" name="X" type="INT"/>'), "is no tag"),
    (text(fields='<field number="55" name="X" type="INTEGER"/>'), "type 'INTEGER'"),
    (text(fields='<field number="55" name="X"/>'), "without type="),
    (text(fields='<value enum="1"/>'), "within <fields>"),
    (text(fields='<field number="55" name="X" type="INT"><a/></field>'), "only <value>"),
    (text(fields='<field number="55" name="X" type="INT"><value/></field>'), "enum=None"),
    (text().replace("</field>", '<value enum="1"/></field>'), "enum='1' of Side(54) twice"),
    ('<!DOCTYPE fix SYSTEM "http://x/y.dtd">' + text(), "has a DOCTYPE"),
    ('<!DOCTYPE f [<!ENTITY a "b">]>' + text("&a;"), "has a DOCTYPE"),
    (
        '<!DOCTYPE f [<!ENTITY a "bb"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>' + text("&c;"),
        "has a DOCTYPE",
    ),
]


@pytest.mark.parametrize(("content", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_file_that_contradicts_itself(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'some.xml'}:")


def test_an_error_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"some\.xml:3: field 'Nobody'"):
        read(tmp_path, text('\n\n<field name="Nobody"/>'))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nested = "".join(
        f'<component name="C{n}"><component name="C{n + 1}"/></component>' for n in range(40)
    )
    with pytest.raises(UserError, match="over 32 deep"):
        read(tmp_path, text(components=nested + '<component name="C40"/>'))
    monkeypatch.setattr(dictionary, "MEMBERS_MAX", 3)
    with pytest.raises(UserError, match="more than 3 members"):
        read(tmp_path, text(SIDE * 4))
    monkeypatch.setattr(dictionary, "FILE_SIZE_MAX", 100)
    with pytest.raises(UserError, match="at most 100"):
        read(tmp_path, text())
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "nothing.xml")


@given(st.binary(max_size=200), st.integers(0, 2_000), st.integers(0, 30))
def test_any_bytes_load_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, cut: int
) -> None:
    good = text(PARTIES).encode()
    path = tmp_path_factory.getbasetemp() / "any.xml"
    path.write_bytes(good[:at] + noise + good[at + cut :])
    error = ""
    try:
        load(path)
    except UserError as refusal:
        error = str(refusal)
    assert error == "" or error.startswith(str(path))


# Tables


class Tables:
    """The arrays of `allocate_rules` as attributes."""

    def __init__(self) -> None:
        self.__dict__.update(allocate_rules())


def test_what_does_not_fit_the_tables(tmp_path: Path) -> None:
    tables = Tables()
    body = "".join(f'<group name="N{n}"><field name="PartyID"/>' for n in range(7)) + "</group>" * 7
    counts = "".join(f'<field number="{n + 700}" name="N{n}" type="INT"/>' for n in range(7))
    with pytest.raises(UserError, match=r"some\.xml: group N6\(706\) lies in 6 others, at most 5"):
        put_rules(tables, 0, read(tmp_path, text(body, fields=counts)))
    large = "".join(f'<field number="{n + 9000}" name="L{n}" type="INT"/>' for n in range(4097))
    with pytest.raises(UserError, match="4097 tags from 8192 on, at most 4096"):
        put_rules(tables, 0, read(tmp_path, text(fields=large)))
    one = '<message name="M{0}" msgtype="{0}" msgcat="app"/>'
    many = "<messages>" + "".join(one.format(n) for n in range(1100)) + "</messages>"
    with pytest.raises(UserError, match="1025 messages and groups, at most 1024"):
        put_rules(tables, 0, read(tmp_path, text().replace(MESSAGES.format(SIDE), many)))
    with pytest.raises(UserError, match="give the transport dictionary too"):
        put_rules(tables, 0, shipped("FIX.5.0SP2"))
    assert not any(tables.__dict__[name][0].any() for name in ("rule_tags", "rule_places"))


# Ours

STOCK = {"FIX.4.2": "FIX42", "FIX.4.4": "FIX44", "FIXT.1.1": "FIXT11", "FIX.5.0SP2": "FIX50SP2"}
SESSION = {*"012345A"}
SPOKEN = {*"6 8 9 B D F G H Q R S V W X Y Z a b f h i j".split()}
LATER = {*"q r x y AF AG AI AJ".split()}


@pytest.mark.parametrize("name", SHIPPED)
def test_ours_load_and_fit(name: str) -> None:
    found = shipped(name)
    assert found.begin == name and found is shipped(name)
    types = {
        "FIX.4.2": SESSION | SPOKEN, "FIX.4.4": SESSION | SPOKEN | LATER,
        "FIXT.1.1": SESSION, "FIX.5.0SP2": SPOKEN | LATER,
    }  # fmt: skip
    assert set(found.messages) == types[name]
    assert {t for t, m in found.messages.items() if m.category == "admin"} == (
        SESSION if name != "FIX.5.0SP2" else set()
    )
    put_rules(Tables(), 0, found, shipped("FIXT.1.1") if name == "FIX.5.0SP2" else None)


def test_no_other_is_shipped() -> None:
    with pytest.raises(UserError, match=r"no dictionary for 'FIX.4.3'"):
        shipped("FIX.4.3")


def test_what_european_desks_send_is_there() -> None:
    """FIX 5.0 SP2's MiFID II fields; what their lists do not have is let through."""
    ours = shipped("FIX.5.0SP2")
    mifid = {
        528, 529, 574, 639, 1724, 1839, 2376, 2405, 2524, 2593, 2594, 2595, 2667, 2668, 2669, 2670,
        2704, 2706, 2707, 2708,
    }  # fmt: skip
    assert mifid <= set(ours.fields)
    for tag in (100, 529, 1724, 2594, 2670):
        assert not ours.fields[tag].values
    for tag in (447, 452, 574, 2376, 2524, 2669):
        assert ours.fields[tag].open_values
    for tag in (447, 452, 528, 529):
        assert shipped("FIX.4.4").fields[tag].open_values


needs_shared = pytest.mark.skipif(
    not SHARED_FIX.is_dir(), reason="../shared/data/fix is not here: stock files are not compared"
)
#: What differs from the stock file, and why. Fields: name, values; messages: path of the member.
EXCEPTIONS = {
    "FIX.4.2": {
        "QuoteAckStatus(297) name": "FIX 4.2's own name; QuickFIX has the one of 4.3",
    },
    "FIX.4.4": {
        "ExecInst(18) values {'T'}": "FIX 4.4 has it; left out there",
        "OrdRejReason(103) values {'12'}": "FIX 4.4 has it; left out there",
    },
    "FIXT.1.1": {
        "NoMsgTypes(384) is not there": "FIXT 1.1's Logon has the group; QuickFIX leaves it out",
        "MsgDirection(385) is not there": "the same group",
        "DefaultVerIndicator(1410) is not there": "the same group",
        "A.NoMsgTypes is not there": "the same group",
    },
    "FIX.5.0SP2": {
        "8.ExecMethod is not there": "sent on fills for MiFID II; the standard has it in AE only",
        "B.NoLinesOfText required": "its component is required there, its group not",
        "R.NoRelatedSym required": "its component is required there, its group not",
        "V.NoMDEntryTypes required": "its component is required there, its group not",
        "V.NoRelatedSym required": "its component is required there, its group not",
        "W.NoMDEntries required": "its component is required there, its group not",
        "X.NoMDEntries required": "its component is required there, its group not",
        "i.NoQuoteSets required": "its component is required there, its group not",
        "i.NoQuoteSets.NoQuoteEntries required": "its component is required there, its group not",
        "AG.NoRelatedSym required": "its component is required there, its group not",
        "W.LastUpdateTime required": "required by a later extension pack only",
    },
}


def field_differences(ours: Dictionary, other: Dictionary) -> set[str]:
    found = set()
    for tag, field in ours.fields.items():
        theirs = other.fields.get(tag)
        if theirs is None:
            found.add(f"{field.name}({tag}) is not there")
            continue
        if theirs.name != field.name:
            found.add(f"{field.name}({tag}) name")
        if KIND_OF[theirs.type] != KIND_OF[field.type]:
            found.add(f"{field.name}({tag}) type {field.type} {theirs.type}")
        if theirs.values and not set(field.values) <= set(theirs.values):
            found.add(f"{field.name}({tag}) values {set(field.values) - set(theirs.values)}")
    return found


def member_differences(
    ours: Dictionary, where: str, members: tuple[Member, ...], others: tuple[Member, ...]
) -> set[str]:
    """Members that are not there, or not required alike, or in another order within a group."""
    found = set()
    theirs = {member.tag: member for member in others}
    for member in members:
        path = f"{where}.{ours.fields[member.tag].name}"
        other = theirs.get(member.tag)
        if other is None:
            found.add(f"{path} is not there")
            continue
        if member.required != other.required:
            found.add(f"{path} required")
        if (member.group is None) != (other.group is None):
            found.add(f"{path} is a group in one of them")
        elif member.group is not None and other.group is not None:
            found |= member_differences(ours, path, member.group.members, other.group.members)
            tags = [m.tag for m in member.group.members]
            if [m.tag for m in other.group.members if m.tag in tags] != tags:
                found.add(f"{path} order")
    mine = {member.tag for member in members}
    found |= {f"{where}: {m.tag} is required there" for m in others if m.required} - {
        f"{where}: {tag} is required there" for tag in mine
    }
    return found


@needs_shared
@pytest.mark.parametrize("name", SHIPPED)
def test_ours_against_the_stock_file(name: str) -> None:
    ours, other = shipped(name), load(Path(SHARED_FIX) / f"{STOCK[name]}.xml")
    assert other.begin == name
    found = field_differences(ours, other)
    found |= member_differences(ours, "header", ours.header, other.header)
    found |= member_differences(ours, "trailer", ours.trailer, other.trailer)
    for msg_type, message in ours.messages.items():
        theirs = other.messages[msg_type]
        assert (message.name, message.category) == (theirs.name, theirs.category)
        found |= member_differences(ours, msg_type, message.members, theirs.members)
    assert found == set(EXCEPTIONS[name])


@needs_shared
@pytest.mark.parametrize("name", ["FIX.4.2", "FIX.4.4"])
def test_lists_of_values_are_whole(name: str) -> None:
    """Whatever the stock file lets pass, ours does."""
    other = load(Path(SHARED_FIX) / f"{STOCK[name]}.xml")
    missing = {
        tag: set(other.fields[tag].values) - set(field.values)
        for tag, field in shipped(name).fields.items()
        if field.values and not field.open_values
    }
    assert not {tag: values for tag, values in missing.items() if values}
