"""Target: any bytes as a data dictionary in QuickFIX's format: read, or refused by name."""

from pathlib import Path
from typing import Any

from gateway import dictionary
from gateway.errors import UserError

NAME = "dictionary"
HEAD = "<fix type='FIX' major='4' minor='4' servicepack='0'>"
FIELDS = """<fields>
<field number='8' name='BeginString' type='STRING'/>
<field number='9' name='BodyLength' type='LENGTH'/>
<field number='10' name='CheckSum' type='STRING'/>
<field number='34' name='MsgSeqNum' type='SEQNUM'/>
<field number='35' name='MsgType' type='STRING'><value enum='D' description='ORDER'/>
<value enum='0' description='HEARTBEAT'/></field>
<field number='54' name='Side' type='CHAR'><value enum='1' description='BUY'/></field>
<field number='38' name='OrderQty' type='QTY'/>
<field number='447' name='PartyIDSource' type='CHAR'/>
<field number='448' name='PartyID' type='STRING'/>
<field number='453' name='NoPartyIDs' type='NUMINGROUP'/>
<field number='802' name='NoPartySubIDs' type='NUMINGROUP'/>
<field number='523' name='PartySubID' type='STRING'/>
</fields>"""
HEADER = """<header><field name='BeginString' required='Y'/><field name='BodyLength' required='Y'/>
<field name='MsgType' required='Y'/><field name='MsgSeqNum' required='Y'/></header>"""
TRAILER = "<trailer><field name='CheckSum' required='Y'/></trailer>"
MESSAGES = """<messages><message name='Heartbeat' msgtype='0' msgcat='admin'/>
<message name='NewOrderSingle' msgtype='D' msgcat='app'><field name='Side' required='Y'/>
<field name='OrderQty' required='N'/><component name='Parties' required='N'/></message></messages>
"""
COMPONENTS = """<components><component name='Parties'><group name='NoPartyIDs' required='N'>
<field name='PartyID' required='Y'/><field name='PartyIDSource' required='N'/>
<group name='NoPartySubIDs' required='N'><field name='PartySubID' required='Y'/></group>
</group></component></components>"""
BOMB = "<!DOCTYPE fix [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"


def open_target(folder: Path) -> Path:
    """The file that each input is written to."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "dictionary.xml"


def run(path: Path, data: bytes) -> None:
    """One input. Raises AssertionError, or whatever else than a UserError the reader raised."""
    path.write_bytes(data)
    try:
        made = dictionary.load(path)
    except UserError as error:
        if path.name not in str(error):
            raise AssertionError(f"the error names no file: {error}") from error
        return
    assert made.begin.startswith("FIX"), made.begin
    assert all(tag == field.tag for tag, field in made.fields.items())
    again = dictionary.load(path)
    assert (again.begin, again.fields) == (made.begin, made.fields), "read again it is another"
    seen: set[int] = set()
    for members in [made.header, made.trailer, *(m.members for m in made.messages.values())]:
        check_members(made, members, seen)


def check_members(made: Any, members: tuple[Any, ...], seen: set[int]) -> None:
    """Every member is a known field, every group has members; a shared group is seen once."""
    for member in members:
        assert member.tag in made.fields, f"member {member.tag} is no field"
        if member.group is not None and id(member.group) not in seen:
            seen.add(id(member.group))
            assert member.group.members, f"group {member.tag} is empty"
            check_members(made, member.group.members, seen)


def seeds() -> list[bytes]:
    """A small dictionary and what may be wrong with it."""
    whole = HEAD + HEADER + MESSAGES + TRAILER + COMPONENTS + FIELDS + "</fix>"
    documents = [
        whole,
        whole.replace("type='FIX' major='4' minor='4'", "type='FIXT' major='1' minor='1'"),
        whole.replace("minor='4' servicepack='0'", "minor='2'"),
        whole.replace("required='N'", "required='n'"),
        whole.replace(COMPONENTS, "<components/>"),
        whole.replace("<group name='NoPartySubIDs'", "<component name='Parties'/><group name='X'"),
        "<?xml version='1.0' encoding='UTF-8'?>" + BOMB + whole.replace("'BUY'", "'&b;'"),
        whole.replace("number='54'", "number='38'"),
        whole.replace("CHAR", "NONE"),
        "",
    ]
    return [document.encode() for document in documents]


def readable(data: bytes) -> str:
    return data.decode("latin-1")
