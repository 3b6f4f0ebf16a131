"""QuickFIX's settings files (.cfg) as the `[[fix.sessions]]` of `si.toml`.

Takes what QuickFIX, QuickFIX/J and QuickFIX/n write: `[DEFAULT]`, then a `[SESSION]` for each
session, keys in any case. What has no place here is listed with its line and the reason, and stands
as a comment where it was; a value that may be a password is not repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from gateway.errors import UserError
from gateway.session_settings import SECRET_KEY, Session, in_words

FILE_SIZE_MAX = 1 << 20
LINE_FORM = re.compile(r"([^=\s][^=]*?)\s*=\s*(.*)")
SECTION_FORM = re.compile(r"\[\s*(\w+)\s*\]")
PRECISIONS = {
    "seconds": 0, "second": 0, "millis": 3, "millisecond": 3, "micros": 6, "microsecond": 6,
    "nanos": 9, "nanosecond": 9,
}  # fmt: skip


class Line(NamedTuple):
    """One setting as it stands in the file."""

    number: int
    key: str
    value: str


class Note(NamedTuple):
    """Something that was not taken over as it stands: line 0 where it is about a whole session."""

    line: int
    key: str
    value: str
    why: str


class Imported(NamedTuple):
    """The text for `si.toml`, and what a person has to look at."""

    toml: str
    sessions: int
    notes: list[Note]


class Refusal(Exception):
    """This value cannot be taken over; the text says why."""


def _flag(value: str) -> bool:
    if value.upper() not in ("Y", "N"):
        raise Refusal("neither Y nor N")
    return value.upper() == "Y"


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refusal("no number")
    return int(value)


def _precision(value: str) -> int:
    if value.lower() in PRECISIONS:
        return PRECISIONS[value.lower()]
    number = _number(value)
    if number not in (0, 3, 6, 9):
        raise Refusal("only 0, 3, 6 and 9 digits are written")
    return number


def _millis(value: str) -> int:
    return 3 if _flag(value) else 0


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


Convert = Callable[[str], Any]

#: Their key in lower case: our setting, and how the value is read.
KEYS: dict[str, tuple[str, Convert]] = {
    "beginstring": ("begin_string", str),
    "defaultapplverid": ("default_appl_ver_id", str),
    "sendercompid": ("sender_comp_id", str),
    "targetcompid": ("target_comp_id", str),
    "resetonlogon": ("reset_on_logon", _flag),
    "resetonlogout": ("reset_on_logout", _flag),
    "resetondisconnect": ("reset_on_disconnect", _flag),
    "enablelastmsgseqnumprocessed": ("enable_last_msg_seq_num_processed", _flag),
    "enablenextexpectedmsgseqnum": ("send_next_expected_msg_seq_num", _flag),
    "sendnextexpectedmsgseqnum": ("send_next_expected_msg_seq_num", _flag),
    "maxmessagesinresendrequest": ("max_messages_in_resend_request", _number),
    "resendrequestchunksize": ("max_messages_in_resend_request", _number),
    "datadictionary": ("data_dictionary", str),
    "appdatadictionary": ("app_data_dictionary", str),
    "transportdatadictionary": ("transport_data_dictionary", str),
    "timestampprecision": ("timestamp_precision", _precision),
    "millisecondsintimestamp": ("timestamp_precision", _millis),
    "checklatency": ("check_latency", _flag),
    "maxlatency": ("max_latency", _number),
    "requiresorigsendingtime": ("requires_orig_sending_time", _flag),
    "logontimeout": ("logon_timeout", _number),
    "logouttimeout": ("logout_timeout", _number),
    "allowedremoteaddresses": ("allowed_remote_addresses", _list),
    "starttime": ("start_time", str),
    "endtime": ("end_time", str),
    "startday": ("start_day", str),
    "endday": ("end_day", str),
    "weekdays": ("weekdays", _list),
    "timezone": ("time_zone", str),
    "nonstopsession": ("non_stop_session", _flag),
    "username": ("username", str),
}

#: Keys that say what holds here anyway, or nothing that matters to an acceptor's session.
SILENT = {("usedatadictionary", "y"), ("checkcompid", "y"), ("uselocaltime", "n")}

REASONS = {
    "checkcompid": "CompIDs are always checked",
    "heartbtint": "the client's Logon says it, within heart_bt_int_min and heart_bt_int_max",
    "socketacceptport": "the port is fix.port, one for all sessions",
    "socketacceptaddress": "the address is fix.host",
    "socketacceptaddresses": "the address is fix.host",
    "socketconnecthost": "where the client connected to",
    "socketconnectport": "where the client connected to; ours is fix.port",
    "reconnectinterval": "for initiators",
    "usedatadictionary": "without a dictionary of its own a session has the stock one",
    "uselocaltime": "set time_zone to the zone of the machine it ran on",
    "validateuserdefinedfields": 'see validation = "strict"',
    "allowunknownmsgfields": 'see validation = "strict"',
    "validatefieldsoutoforder": 'see validation = "strict"',
    "validatefieldshavevalues": 'see validation = "strict"',
    "persistmessages": "every message is in the journal",
    "filestorepath": "numbers and messages are in the journal",
    "filelogpath": "messages are in the journal",
    "sessionqualifier": "the two CompIDs name a session",
}  # fmt: skip


def read(path: Path, client: str = "") -> Imported:
    """A settings file as text for `si.toml`. Raises UserError."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            raise UserError(f"{path}: over {FILE_SIZE_MAX} bytes: no settings file is that long")
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: no UTF-8 text at byte {error.start}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    try:
        return convert(source, client)
    except UserError as error:
        raise UserError(f"{path}, {error}") from error


def convert(source: str, client: str = "") -> Imported:
    """The text of a settings file; `client` names the client of every session."""
    defaults, sections = _sections(source)
    if not sections:
        raise UserError("line 1: no [SESSION] in the file")
    blocks, notes = [], []
    for start, lines in sections:
        merged = {line.key.lower(): line for line in defaults}
        merged |= {line.key.lower(): line for line in lines}
        block, found = _session(start, list(merged.values()), client)
        blocks.append(block)
        notes += [note for note in found if note not in notes]
    return Imported("\n".join(blocks), len(blocks), notes)


def _sections(source: str) -> tuple[list[Line], list[tuple[int, list[Line]]]]:
    """The settings of [DEFAULT], and of each [SESSION] with its line."""
    defaults: list[Line] = []
    sections: list[tuple[int, list[Line]]] = []
    current: list[Line] | None = None
    for number, raw in enumerate(source.splitlines(), 1):
        text = raw.strip()
        if not text or text.startswith(("#", ";")):
            continue
        header, setting = SECTION_FORM.fullmatch(text), LINE_FORM.fullmatch(text)
        if header is not None:
            current = defaults
            if header[1].upper() == "SESSION":
                current = []
                sections.append((number, current))
            elif header[1].upper() != "DEFAULT":
                raise UserError(f"line {number}: [{header[1]}] is neither DEFAULT nor SESSION")
        elif setting is None:
            raise UserError(f"line {number}: neither a [section] nor KEY=VALUE")
        elif current is None:
            raise UserError(f"line {number}: a setting before [DEFAULT] or [SESSION]")
        else:
            current.append(Line(number, setting[1], setting[2]))
    return defaults, sections


# --- one session --------------------------------------------------------------------------------


def _session(start: int, lines: list[Line], client: str) -> tuple[str, list[Note]]:
    """The TOML of a session, and notes."""
    taken: dict[str, Any] = {}
    notes: list[Note] = []
    for line in lines:
        key = line.key.lower()
        if key == "connectiontype" or (key, line.value.lower()) in SILENT:
            continue
        try:
            name, value = _taken(line)
            taken[name] = value
        except Refusal as error:
            shown = "***" if SECRET_KEY.search(line.key) else _plain(line.value)
            notes.append(Note(line.number, line.key, shown, str(error)))
    left_out = list(notes)
    notes += _turn(start, lines, taken)
    notes += _zones(start, taken)
    notes += _versions(start, taken)
    target = str(taken.get("target_comp_id", ""))
    taken["client"] = client or target[:8]
    if not client:
        notes.append(Note(start, "client", taken["client"], "made from TargetCompID: check it"))
    if "weekdays" in taken and str(taken.get("start_time")) >= str(taken.get("end_time", "")):
        why = "here these are the days on which a session starts, not those on which it ends"
        notes.append(Note(start, "Weekdays", ",".join(taken["weekdays"]), why))
    try:
        Session.model_validate(taken)
    except ValidationError as error:
        notes.append(Note(start, "[SESSION]", target, in_words(error)))
    return _toml(taken, left_out), notes


def _taken(line: Line) -> tuple[str, Any]:
    key = line.key.lower()
    if SECRET_KEY.search(key):
        raise Refusal("a password is not carried over: `si session password` sets a new one")
    if "${" in line.value:
        raise Refusal("a variable: write its value")
    if key not in KEYS:
        raise Refusal(REASONS.get(key, "no such setting here"))
    name, read_value = KEYS[key]
    return name, read_value(line.value)


def _turn(start: int, lines: list[Line], taken: dict[str, Any]) -> list[Note]:
    """We accept: the settings of an initiator are the client's, so that the CompIDs swap."""
    kind = next((line for line in lines if line.key.lower() == "connectiontype"), None)
    if kind is None:
        return [Note(start, "ConnectionType", "", "missing, taken as acceptor")]
    if kind.value.lower() == "acceptor":
        return []
    if kind.value.lower() != "initiator":
        return [Note(kind.number, kind.key, kind.value, "unknown, taken as acceptor")]
    ours, theirs = taken.pop("target_comp_id", None), taken.pop("sender_comp_id", None)
    taken.update(
        {k: v for k, v in (("sender_comp_id", ours), ("target_comp_id", theirs)) if v is not None}
    )
    why = "turned round: we accept, so SenderCompID and TargetCompID are exchanged"
    return [Note(kind.number, kind.key, kind.value, why)]


def _zones(start: int, taken: dict[str, Any]) -> list[Note]:
    """QuickFIX/J may write the zone behind each time: `17:05:00 America/New_York`."""
    zones = {}
    for name in ("start_time", "end_time"):
        moment, _, zone = str(taken.get(name, "")).partition(" ")
        if zone:
            taken[name], zones[name] = moment, zone.strip()
    usual = taken.get("time_zone", "UTC")
    opens, closes = (zones.get(name, usual) for name in ("start_time", "end_time"))
    if zones:
        taken["time_zone"] = opens
    if opens != closes:
        taken["end_time_zone"] = closes
    if not taken.get("non_stop_session", True):
        del taken["non_stop_session"]  # N is what times say
    if taken.get("non_stop_session"):
        dropped = [n for n in ("start_time", "end_time", "start_day", "end_day") if n in taken]
        for name in dropped:
            del taken[name]
        if dropped:
            why = f"NonStopSession=Y: {', '.join(dropped)} left out"
            return [Note(start, "NonStopSession", "Y", why)]
    return []


def _versions(start: int, taken: dict[str, Any]) -> list[Note]:
    """Keys of the other kind of version, which QuickFIX passes over and a checked model cannot."""
    fixt = taken.get("begin_string") == "FIXT.1.1"
    wrong = ["app_data_dictionary", "transport_data_dictionary", "default_appl_ver_id"]
    if fixt:
        wrong = ["data_dictionary"]
    notes = []
    for name in wrong:
        if name in taken:
            why = f"has no meaning with {taken.get('begin_string', 'FIX.4.4')}"
            notes.append(Note(start, name, str(taken.pop(name)), why))
    return notes


# --- text ---------------------------------------------------------------------------------------


def _toml(taken: dict[str, Any], left_out: list[Note]) -> str:
    first = ["begin_string", "sender_comp_id", "target_comp_id", "client"]
    names = [n for n in first if n in taken] + [n for n in taken if n not in first]
    lines = ["[[fix.sessions]]", *(f"{name} = {_value(name, taken[name])}" for name in names)]
    for note in left_out:
        lines.append(f"# line {note.line}: {_plain(note.key)}={_plain(note.value)}: {note.why}")
    return "\n".join(lines) + "\n"


def _value(name: str, value: Any) -> str:
    if name in ("start_time", "end_time") and re.fullmatch(r"[0-2]\d:[0-5]\d:[0-5]\d", str(value)):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(text: str) -> str:
    """Without what a comment of TOML may not have."""
    return "".join(c if c.isprintable() else "?" for c in text)
