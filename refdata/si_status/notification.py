"""The notification of SI status to the competent authority (MiFIR Art 15(1)), JSON and HTML.

Five circumstances call for one. The implementing standard on its form (MiFIR Art 15(5)) was not
seen, so the layout is ours: move its content to the authority's form where there is one. What is
notified is what the register says; a notification that it does not bear out is refused.
"""

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from refdata import lei
from refdata.rows import refused
from refdata.si_status.register import (
    Action,
    Entry,
    Scope,
    opened_by,
    state_on,
    valid_entries,
)
from refdata.si_status.report import environment

MIC_FORM = re.compile(r"[A-Z0-9]{4}")
NAME_MAX = 200
LAYOUT = (
    "The layout is the firm's own: the implementing technical standard under MiFIR Art 15(5) was "
    "not available when it was made."
)
CITATION = "Regulation (EU) No 600/2014 (MiFIR) Art 15(1); Directive 2014/65/EU Art 4(1)(20)"


class Circumstance(Enum):
    """The five circumstances: the word for it, and the sentence to the authority."""

    OPT_IN = ("opt-in", "The firm opts in to act as Systematic Internaliser.")
    CEASE_OPT_IN = (
        "cease-opt-in",
        "The firm has ceased to be a Systematic Internaliser where it had opted in.",
    )
    CEASE_ALL = (
        "cease-all",
        "The firm has ceased to act as Systematic Internaliser in all the classes of financial "
        "instruments notified before.",
    )
    START_CLASS = (
        "start-class",
        "The firm has started to act as Systematic Internaliser in a class of financial "
        "instruments.",
    )
    CEASE_CLASS = (
        "cease-class",
        "The firm has ceased to act as Systematic Internaliser in a class of financial "
        "instruments.",
    )

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def sentence(self) -> str:
        return self.value[1]


class Firm(NamedTuple):
    """Who notifies whom."""

    name: str
    lei: str
    mic: str
    authority: str


class Notification(NamedTuple):
    """One notification; `entries` are the register's that it rests on."""

    firm: Firm
    circumstance: Circumstance
    made_on: date
    entries: tuple[Entry, ...]
    remaining: int  # instruments and classes in which the firm stays SI


def read_firm(path: Path) -> Firm:
    """A firm from a TOML file with `name`, `lei`, `mic`, `authority`; raises `rows.Refused`."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refused(path, 0, "", "", f"this is no TOML: {error}") from None
    for key in fields:
        if key not in Firm._fields:
            raise refused(path, 0, key, "", "remove it; known are " + ", ".join(Firm._fields))
    values = {}
    for key in Firm._fields:
        value = fields.get(key, "")
        if not isinstance(value, str):
            raise refused(path, 0, key, str(value), "write text in quotes")
        values[key] = value
    return Firm(**values)


def checked_firm(firm: Firm, path: Path) -> Firm:
    """The firm, where everything is there and right; raises `rows.Refused`."""
    for key, value in (("name", firm.name), ("authority", firm.authority)):
        if not value.strip() or len(value) > NAME_MAX:
            raise refused(path, 0, key, value[:80], f"give the {key}, at most 200 characters")
    if not lei.is_valid(firm.lei):
        advice = "write the LEI: 20 capitals and digits, check digits right (ISO 17442)"
        raise refused(path, 0, "lei", firm.lei, advice)
    if MIC_FORM.fullmatch(firm.mic) is None:
        raise refused(path, 0, "mic", firm.mic, "write the firm's MIC: four capitals or digits")
    return firm


def circumstance_of(word: str, path: Path) -> Circumstance:
    """By its word; raises `rows.Refused`."""
    for circumstance in Circumstance:
        if circumstance.word == word:
            return circumstance
    known = ", ".join(circumstance.word for circumstance in Circumstance)
    raise refused(path, 0, "circumstance", word, f"write one of {known}")


def make(
    register: Sequence[Entry],
    numbers: Sequence[int],
    circumstance: Circumstance,
    firm: Firm,
    *,
    made_on: date,
    path: Path,
) -> Notification:
    """A notification of some of the register's entries; raises `rows.Refused`."""
    valid = {entry.seq: entry for entry in valid_entries(register)}
    for number in numbers:
        if number not in valid:
            advice = "name entries that are in force: `si status list` and the register have them"
            raise refused(path, number, "entry", str(number), advice)
    if not numbers:
        raise refused(path, 0, "entry", "", "name the register's entries that are notified")
    entries = tuple(valid[number] for number in sorted(set(numbers)))
    for entry in entries:
        problem = _contradiction(register, entry, circumstance)
        if problem:
            raise refused(path, entry.seq, "circumstance", circumstance.word, problem)
    remaining = len(state_on(register, max(entry.effective for entry in entries)))
    if circumstance is Circumstance.CEASE_ALL and remaining:
        advice = f"the firm stays SI in {remaining} instruments or classes: see `si status list`"
        raise refused(path, 0, "circumstance", circumstance.word, advice)
    return Notification(checked_firm(firm, path), circumstance, made_on, entries, remaining)


def _contradiction(register: Sequence[Entry], entry: Entry, circumstance: Circumstance) -> str:
    """Why the register does not bear the circumstance out, or ""."""
    begins = circumstance in (Circumstance.OPT_IN, Circumstance.START_CLASS)
    if begins is (entry.action is Action.CEASE):
        return f"entry {entry.seq} is {entry.action.value}: name another entry or circumstance"
    if circumstance is Circumstance.OPT_IN and entry.action is not Action.OPT_IN:
        return f"entry {entry.seq} is {entry.action.value}, not opt-in: use start-class"
    if circumstance is Circumstance.CEASE_OPT_IN:
        opened = opened_by(register, entry)
        if opened is None or opened.action is not Action.OPT_IN:
            return f"entry {entry.seq} ends what was no opt-in: use cease-class or cease-all"
    of_class = (Circumstance.START_CLASS, Circumstance.CEASE_CLASS)
    if circumstance in of_class and entry.scope is not Scope.CLASS:
        return f"entry {entry.seq} is of an instrument: record the class, or use opt-in"
    return ""


def as_dict(notification: Notification) -> dict[str, Any]:
    """Plain JSON."""
    circumstance = notification.circumstance
    return {
        "notification": "systematic internaliser status",
        "authority": notification.firm.authority,
        "firm": {
            "name": notification.firm.name,
            "lei": notification.firm.lei,
            "mic": notification.firm.mic,
        },
        "made_on": notification.made_on.isoformat(),
        "circumstance": circumstance.word,
        "circumstance_text": circumstance.sentence,
        "subjects": [
            {
                "kind": entry.scope.value,
                "id": entry.subject,
                "effective": entry.effective.isoformat(),
                "action": entry.action.value,
                "register_entry": entry.seq,
                "register_hash": entry.hash,
            }
            for entry in notification.entries
        ],
        "remaining": notification.remaining,
        "legal_basis": CITATION,
        "layout": LAYOUT,
    }


def html(notification: Notification) -> str:
    """A page to read, print and sign."""
    template = environment().get_template("notification.html.j2")
    return template.render(notification=notification, citation=CITATION, layout=LAYOUT)
