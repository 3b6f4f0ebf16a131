"""The settings of one FIX session: QuickFIX's keys in snake case, checked when they are read.

They come from `si.toml` (gateway/config.py), from `sessions.json` (gateway/session_store.py) and
from a person at run time (gateway/session_admin.py), and are the same model everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date, time
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    model_validator,
)

from gateway.dictionary import TAG_NUMBER_MAX
from gateway.wire import COMP_ID_SIZE_MAX
from refdata import isin as isins

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HEART_BT_INT_MAX = 3600  # seconds
RATE_MAX = 1_000_000  # of anything in a second
HOLIDAYS_MAX = 400
ECHO_TAGS_MAX = 16
DAY_S = 86_400

#: Header, trailer, and what a report says by itself: a second one would make it malformed
#: (FIX 4.4 vol. 2, test case 14.h: tag appears more than once).
REPORT_TAGS = frozenset(
    int(tag)
    for tag in (
        "6 8 9 10 11 14 15 17 20 22 29 30 31 32 34 35 37 38 39 40 41 43 44 48 49 50 52 54 55 56 57 "
        "58 59 60 89 90 91 93 97 102 103 115 116 122 128 129 142 143 144 145 150 151 212 213 347 "
        "369 434 574 627 639 1128 1129 1156 2524"
    ).split()
)

#: Of the groups that come back whole by themselves: one field of them alone would be malformed.
GROUP_TAGS = frozenset((453, 447, 448, 452, 2376, 523, 802, 803, 2593, 2594, 2595))

#: An encoded argon2 hash; what it costs to check is bounded, as the hash itself says it.
HASH_FORM = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}"
)
HASH_MEMORY_KIB_MAX = 1 << 20
HASH_PASSES_MAX = 16
HASH_LANES_MAX = 16

#: A key that looks like this and is none of ours may hold a password: its value is never shown.
SECRET_KEY = re.compile(r"pass?w|pass|pwd|secret", re.IGNORECASE)


class SessionId(NamedTuple):
    """What names a session: SenderCompID(49) of what we send, TargetCompID(56), BeginString(8)."""

    sender: str
    target: str
    begin: str = "FIX.4.4"

    def __str__(self) -> str:
        version = "" if self.begin == "FIX.4.4" else f"{self.begin}:"
        return f"{version}{self.sender}->{self.target}"

    def fits(self, target: str, sender: str = "") -> bool:
        """Whether a person means it: `CLIENT1`, or `FIX.4.2:CLIENT1` where there are two."""
        return target in (self.target, f"{self.begin}:{self.target}") and sender in (
            "", self.sender,
        )  # fmt: skip


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {value!r} is unknown: write such as Europe/Berlin") from error
    return value


def _day(value: object) -> object:
    """`mon`, and as QuickFIX takes it: any case, from two letters to the whole name."""
    if isinstance(value, str) and len(value) >= 2:
        for short, name in zip(DAYS, DAY_NAMES, strict=True):
            if name.startswith(value.lower()):
                return short
    return value


def _time_text(value: object) -> object:
    """A number would be taken as seconds after midnight."""
    if not isinstance(value, time) and not (isinstance(value, str) and ":" in value):
        raise ValueError("write a time of day such as 08:00:00")
    return value


def _whole_seconds(value: time) -> time:
    if value.microsecond or value.tzinfo is not None:
        raise ValueError("a time of day has whole seconds and no offset; the zone is `time_zone`")
    return value


def _appl_ver_id(value: object) -> object:
    """ApplVerID(1128) 9 is FIX 5.0 SP2."""
    return "9" if value in ("FIX.5.0SP2", "FIX50SP2", 9) else value


def _hidden(value: object) -> object:
    """Anything becomes a secret at once, so that no error can show it."""
    return value if value is None or isinstance(value, SecretStr) else SecretStr(str(value))


def _network(value: object) -> IPv4Network | IPv6Network:
    if not isinstance(value, str | IPv4Network | IPv6Network):
        raise ValueError("write an address or a network such as 10.1.0.0/16")
    return ip_network(value)  # its error names the value and what is wrong with it


CompId = Annotated[str, Field(min_length=1, max_length=COMP_ID_SIZE_MAX, pattern=r"^[!-~]+$")]
Name = Annotated[str, Field(min_length=1, max_length=8, pattern=r"^[!-~]+$")]
Zone = Annotated[str, AfterValidator(_known_zone)]
Day = Annotated[
    Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    BeforeValidator(_day),
]
TimeOfDay = Annotated[time, BeforeValidator(_time_text), AfterValidator(_whole_seconds)]
Rate = Annotated[int, Field(ge=0, le=RATE_MAX)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
HeartBtInt = Annotated[int, Field(ge=0, le=HEART_BT_INT_MAX)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]


class Session(BaseModel):
    """One FIX session. Every default is what a session without further agreement needs."""

    # A typo is an error, never ignored.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # --- who ------------------------------------------------------------------------------
    begin_string: Literal["FIX.4.2", "FIX.4.4", "FIXT.1.1"] = "FIX.4.4"
    #: Only with FIXT.1.1, which carries FIX 5.0 SP2: DefaultApplVerID(1137) of our Logon.
    default_appl_ver_id: Annotated[Literal["", "9"], BeforeValidator(_appl_ver_id)] = ""
    sender_comp_id: CompId  # ours
    target_comp_id: CompId  # theirs
    client: Name
    enabled: bool = True  # false: paused, no Logon is taken

    # --- sequence numbers -----------------------------------------------------------------
    reset_on_logon: bool = False
    reset_on_logout: bool = False
    reset_on_disconnect: bool = False
    enable_last_msg_seq_num_processed: bool = False  # LastMsgSeqNumProcessed(369) in every header
    send_next_expected_msg_seq_num: bool = False  # NextExpectedMsgSeqNum(789) in Logons
    #: What one ResendRequest(2) of ours asks for; 0: all, with EndSeqNo(16)=0.
    max_messages_in_resend_request: Rate = 0
    #: What they may have sent again in a second; 0: only the bound that the server has.
    resend_max_messages: Rate = 0

    # --- messages -------------------------------------------------------------------------
    #: strict: whatever the dictionary does not have is rejected; tolerant: it is passed over.
    validation: Literal["tolerant", "strict"] = "tolerant"
    data_dictionary: Path | None = None  # FIX.4.2, FIX.4.4; without: the stock dictionary
    app_data_dictionary: Path | None = None  # FIXT.1.1
    transport_data_dictionary: Path | None = None  # FIXT.1.1
    mifid_fields: bool = False  # fills carry 574 and 2524, which old stock dictionaries lack
    echo_tags: Annotated[list[int], Field(max_length=ECHO_TAGS_MAX)] = []  # given back on reports
    #: ExecType(150) of fills: F trade, or 1 and 2 as before FIX 4.3. FIX.4.2 has only the latter.
    fill_style: Literal["F", "1/2"] = "F"
    #: Digits of a second in our timestamps. Any number is read.
    timestamp_precision: Literal[0, 3, 6, 9] = 6  # FIX.4.2: 3

    # --- time -----------------------------------------------------------------------------
    check_latency: bool = True  # SendingTime(52) may be `max_latency` seconds off
    max_latency: Annotated[int, Field(ge=1, le=DAY_S)] = 120
    requires_orig_sending_time: bool = True  # with PossDupFlag(43)=Y
    heart_bt_int_min: HeartBtInt = 0  # HeartBtInt(108) of their Logon; 0 in it: no heartbeats
    heart_bt_int_max: HeartBtInt = HEART_BT_INT_MAX
    logon_timeout: Seconds = 10
    logout_timeout: Seconds = 2

    # --- orders ---------------------------------------------------------------------------
    cancel_on_disconnect: bool = False
    orders_per_second: Rate = 0  # 0: no throttle
    burst: Rate = 0  # orders at once; left out: orders_per_second
    #: BusinessRejectReason(380) of a throttled order. A value that the client's dictionary does
    #: not have makes its engine reject our reject; 0 (other) is in all of them.
    throttle_reject: Annotated[int, Field(ge=0, le=99)] = 0

    # --- quotes ---------------------------------------------------------------------------
    #: Sent without being asked for, as long as the session is on.
    quotes: Literal["none", "quote", "mass_quote", "market_data", "ioi"] = "none"
    quote_instruments: list[str] = ["*"]  # ISINs; "*" alone: all
    quote_interval_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0  # 0: every change

    # --- access ---------------------------------------------------------------------------
    username: Annotated[str, Field(max_length=64, pattern=r"^[ -~]*$")] = ""  # Username(553)
    #: Of Password(554), as `si session password` makes it. Never shown, logged or answered.
    password_hash: Annotated[SecretStr | None, BeforeValidator(_hidden)] = None
    allowed_remote_addresses: list[Network] = []  # none: from anywhere

    # --- schedule (gateway/schedule.py) -----------------------------------------------------
    start_time: TimeOfDay | None = None
    end_time: TimeOfDay | None = None  # up to 24 hours later
    start_day: Day | None = None  # a session of the week
    end_day: Day | None = None
    weekdays: list[Day] = []  # days on which a daily session starts; none: every day
    time_zone: Zone = "UTC"
    end_time_zone: Zone = "UTC"  # left out: time_zone
    holidays: Annotated[list[date], Field(max_length=HOLIDAYS_MAX)] = []  # none starts on them
    non_stop_session: bool = True  # left out: whether there are no times

    @model_validator(mode="before")
    @classmethod
    def _no_password(cls, data: object) -> object:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields and SECRET_KEY.search(str(key)):
                raise ValueError(
                    f"{key}: no such setting. A password is not written down: "
                    "`si session password` makes its password_hash"
                )
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Session:
        # What was left out stays unset, so that it follows again when the other setting changes.
        for name, value in _following(self).items():
            if name not in self.model_fields_set:
                self.__dict__[name] = value
        checks = (_of_version, _of_messages, _of_limits, _of_quotes, _of_access, _of_schedule)
        problems = [problem for check in checks for problem in check(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def id(self) -> SessionId:
        """What names it."""
        return SessionId(self.sender_comp_id, self.target_comp_id, self.begin_string)

    @property
    def hash_text(self) -> str | None:
        """The encoded hash, for who checks a password; nobody else has a use for it."""
        return None if self.password_hash is None else self.password_hash.get_secret_value()

    def allows(self, address: str) -> bool:
        """Whether a connection from this IP address may log on."""
        if not self.allowed_remote_addresses:
            return True
        peer = ip_address(address.partition("%")[0])
        if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped  # how a socket of both families shows an IPv4 peer
        return any(peer in network for network in self.allowed_remote_addresses)


def _following(session: Session) -> dict[str, object]:
    """Defaults that depend on other settings."""
    begin = session.begin_string
    return {
        "default_appl_ver_id": "9" if begin == "FIXT.1.1" else "",
        "fill_style": "1/2" if begin == "FIX.4.2" else "F",
        "timestamp_precision": 3 if begin == "FIX.4.2" else 6,
        "burst": session.orders_per_second,
        "end_time_zone": session.time_zone,
        "non_stop_session": session.start_time is None,
    }


# --- what does not go together ------------------------------------------------------------------


def _of_version(session: Session) -> Iterator[str]:
    begin = session.begin_string
    if (session.default_appl_ver_id != "") != (begin == "FIXT.1.1"):
        if begin == "FIXT.1.1":
            yield "default_appl_ver_id: FIXT.1.1 needs 9, leave the setting out"
        else:
            yield f"default_appl_ver_id: only with FIXT.1.1, not {begin}: leave it out"
    if begin == "FIX.4.2" and session.fill_style == "F":
        yield 'fill_style F: FIX.4.2 has no ExecType(150)=F, only "1/2": leave it out'
    if begin == "FIX.4.2" and session.send_next_expected_msg_seq_num:
        yield "send_next_expected_msg_seq_num: NextExpectedMsgSeqNum(789) is not in FIX.4.2"
    wrong, right = ["app_data_dictionary", "transport_data_dictionary"], "data_dictionary"
    if begin == "FIXT.1.1":
        wrong, right = [right], " and ".join(wrong)
    for name in wrong:
        if getattr(session, name) is not None:
            yield f"{name}: with {begin} use {right}"


def _of_messages(session: Session) -> Iterator[str]:
    for tag in session.echo_tags:
        if not 1 <= tag <= TAG_NUMBER_MAX:
            yield f"echo_tags: {tag} is not from 1 to {TAG_NUMBER_MAX}, which is what is read"
        elif tag in REPORT_TAGS:
            yield f"echo_tags: {tag} is written by the report itself: leave it out"
        elif tag in GROUP_TAGS:
            yield f"echo_tags: {tag} is of a group, which comes back whole or not: leave it out"
    if len(set(session.echo_tags)) != len(session.echo_tags):
        yield "echo_tags: a tag is there twice"


def _of_limits(session: Session) -> Iterator[str]:
    if session.heart_bt_int_min > session.heart_bt_int_max:
        yield (
            f"heart_bt_int_min {session.heart_bt_int_min} is over heart_bt_int_max "
            f"{session.heart_bt_int_max}"
        )
    if session.orders_per_second == 0 and session.burst > 0:
        yield "burst: without orders_per_second there is no throttle: give both or none"
    if session.orders_per_second > 0 and session.burst == 0:
        yield "burst 0 would refuse every order: at least 1, or leave it out"


def _of_quotes(session: Session) -> Iterator[str]:
    wanted = session.quote_instruments
    if session.quotes == "none":
        for name in ("quote_instruments", "quote_interval_ms"):
            if getattr(session, name) != Session.model_fields[name].default:
                yield f'{name}: with quotes = "none" nothing is sent: set quotes or leave it out'
        return
    if not wanted:
        yield 'quote_instruments: empty: give ISINs or ["*"], or quotes = "none"'
    elif "*" in wanted and len(wanted) > 1:
        yield 'quote_instruments: "*" means all and stands alone'
    else:
        yield from (
            f"quote_instruments: {name!r} is no ISIN"
            for name in wanted
            if name != "*" and not isins.is_valid(name)
        )
    if len(set(wanted)) != len(wanted):
        yield "quote_instruments: an ISIN is there twice"


def _of_access(session: Session) -> Iterator[str]:
    encoded = session.hash_text
    if session.username and encoded is None:
        yield (
            "username without password_hash: `si session password` makes one, with `--print` for "
            "si.toml"
        )
    if encoded is None:
        return
    if not session.username:
        yield "password_hash without username: set both or none"
    found = HASH_FORM.fullmatch(encoded)
    if found is None:
        yield "password_hash is no encoded argon2 hash: `si session password` makes one"
        return
    for name, text, most in zip(
        ("m", "t", "p"), found.groups(),
        (HASH_MEMORY_KIB_MAX, HASH_PASSES_MAX, HASH_LANES_MAX), strict=True,
    ):  # fmt: skip
        if not 1 <= int(text) <= most:
            yield f"password_hash: {name}={text} is not from 1 to {most}: too long to check"


def _of_schedule(session: Session) -> Iterator[str]:
    timed = session.start_time is not None
    if timed != (session.end_time is not None):
        yield "start_time and end_time: give both or none"
    if (session.start_day is None) != (session.end_day is None):
        yield "start_day and end_day: give both for a weekly session, none for a daily one"
    if session.start_day is not None and session.weekdays:
        yield "weekdays are of a daily session, start_day and end_day of a weekly one: not both"
    if len(set(session.weekdays)) != len(session.weekdays):
        yield "weekdays: a day is there twice"
    if timed and session.non_stop_session:
        yield "non_stop_session: not with start_time and end_time: leave it or them out"
    if timed:
        return
    if not session.non_stop_session:
        yield "non_stop_session = false needs start_time and end_time"
    for name in ("start_day", "end_day", "weekdays", "holidays"):
        if getattr(session, name):
            yield f"{name}: only with start_time and end_time"


def check_together(sessions: Iterable[Session], clients: Collection[str]) -> None:
    """What one session alone cannot know. Raises ValueError."""
    seen = set()
    for session in sessions:
        if session.client not in clients:
            raise ValueError(
                f"client {session.client!r} of session {session.id} is none of {', '.join(clients)}"
            )
        if session.id in seen:
            raise ValueError(f"session {session.id} is there twice")
        seen.add(session.id)


# --- as data ------------------------------------------------------------------------------------


def as_data(session: Session) -> dict[str, Any]:
    """What was set, as JSON values, the hash included: for the file of sessions only."""
    data = session.model_dump(mode="json", exclude_unset=True)
    if session.hash_text is not None:
        data["password_hash"] = session.hash_text
    return data


def shown(session: Session) -> dict[str, Any]:
    """All settings as JSON values for people and scripts: whether there is a hash, never which."""
    data = session.model_dump(mode="json", exclude={"password_hash"})
    return data | {"password": session.password_hash is not None}


def changed(session: Session, settings: dict[str, Any]) -> Session:
    """The session with other settings; None takes one back to its default.

    What follows from another setting follows again. Raises ValidationError.
    """
    merged = as_data(session) | settings
    return Session.model_validate({k: v for k, v in merged.items() if v is not None})


def in_words(error: ValidationError) -> str:
    """What is wrong with settings, a problem after the other; values only where harmless."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        why = problem["msg"].removeprefix("Value error, ")
        got = problem["input"]
        if problem["type"] == "extra_forbidden":
            why, got = "no such setting: a typo?", None
        scalar = isinstance(got, str | int | float) and problem["type"] != "missing"
        lines.append((f"{where}: " if where else "") + why + (f" (got {got!r})" if scalar else ""))
    return "; ".join(lines)
