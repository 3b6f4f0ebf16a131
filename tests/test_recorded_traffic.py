"""Recorded traffic of a real SI and its clients, played to our gateway, answer against answer.

The recording is read from `../shared/data/fix`; nothing of it is in this repository. What a client
said is sent as it was, with our session's names and numbers and with its times moved to ours; what
we answer is held, field by field, against what the SI answered. `DIFFERENCES` lists, with the
reason, every field in which the two are not the same: one that is not listed fails, and so does one
that is listed and does not occur.

The recording has orders (D), their rejects, mass cancels (q) and their reports (r); with damaged
checksums also New (150=0), Restated (150=D), Canceled (150=4) and drop copies, whose words are
compared all the same. It has no cancel (F), replace (G), OrderCancelReject (9) and no fill.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine import schema
from gateway import fix_message, recorder
from gateway.dictionary import Field, Member, shipped
from gateway.drop_copy_report import copy_of
from gateway.fix_check import TAG_NOT_DEFINED
from gateway.fix_read import REQUIRED_TAG_MISSING
from gateway.fix_values import FINE
from gateway.rule_tables import put_rules
from gateway.session_settings import Session
from gateway.session_table import echo_tags
from gateway.wire import Wake
from tests import rig
from tests.firm import NOW_NS, firm, venue_quote
from tests.fix_oracle import Rules
from tests.fix_text import SHARED_FIX, as_array, message, raw
from tests.order_rig import ALL_TAGS, DECLINE, KILL, Orders
from tests.test_fix_check import RULES_44, check
from tests.test_fix_read import take
from tests.test_oracle import to_record

VALID, DAMAGED = SHARED_FIX / "messages_valid.txt", SHARED_FIX / "messages_bad_checksum.txt"

pytestmark = pytest.mark.skipif(
    not (VALID.is_file() and DAMAGED.is_file()),
    reason="../shared/data/fix is not here: there is no recorded traffic to compare with",
)

Pairs = list[tuple[int, str]]
Fields = dict[int, Any]
E6 = 10**6


# --- the recording --------------------------------------------------------------------------------

PARTIES, PARTY_ID = 453, 448
PARTY = {PARTY_ID, 447, 452, 2376}


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text("latin-1").splitlines() if line]


def pairs_of(text: str) -> Pairs:
    split = (word.partition("=") for word in text.rstrip("|").split("|"))
    return [(int(tag), value) for tag, _, value in split]


def fields_of(pairs: Pairs) -> Fields:
    """Each field once; under 453 the parties in their order, each as its fields by tag."""
    found: Fields = {}
    parties: list[dict[int, str]] = []
    for tag, value in pairs:
        if tag in PARTY:
            if tag == PARTY_ID:
                parties.append({})
            parties[-1][tag] = value
        else:
            assert tag not in found, f"{tag} twice"
            found[tag] = value
    if parties:
        assert len(parties) == int(found[PARTIES])
        found[PARTIES] = [tuple(sorted(party.items())) for party in parties]
    return found


class Exchange(NamedTuple):
    """What a client said, the SI's answers to it, and the drop copies of those."""

    said: Pairs
    answers: list[Fields]
    copies: list[Fields]

    @property
    def client(self) -> Fields:
        return fields_of(self.said)


@cache
def exchanges(path: Path) -> list[Exchange]:
    """By the names of both sides and ClOrdID(11), in the order of the recording."""
    every = [pairs_of(line) for line in lines(path)]
    found: dict[tuple[str, str, str], Exchange] = {}
    for pairs in every:
        fields = fields_of(pairs)
        if fields[35] in "DFGHq":
            name = (fields[49], fields[56], fields[11])
            assert name not in found
            found[name] = Exchange(pairs, [], [])
    for fields in map(fields_of, every):
        for (client, si, clordid), each in found.items():
            if fields[35] in "DFGHq" or fields.get(11) != clordid:
                continue
            if (fields[49], fields[56]) == (si, client):
                each.answers.append(fields)
            elif fields.get(115) == client:
                each.copies.append(fields)
    return list(found.values())


def answered(path: Path) -> list[Exchange]:
    return [each for each in exchanges(path) if each.answers]


def kinds(path: Path) -> Counter[str]:
    """What was said and what was answered, as MsgType(35) and ExecType(150)."""
    return Counter(
        " ".join([each.client[35]] + [a[35] + a.get(150, "") for a in each.answers])
        for each in exchanges(path)
    )


def test_what_is_recorded() -> None:
    """Nothing to compare is overlooked, and what is not there is known."""
    assert kinds(VALID) == {"D 88": 38, "q r": 76, "D": 1, "q": 1}
    assert kinds(DAMAGED) == {"D 80 8D 84": 1, "D 80": 1}
    assert [len(each.copies) for each in exchanges(DAMAGED)] == [2, 1]


# --- our side -------------------------------------------------------------------------------------

BID, ASK, MID = 19_990_000, 20_010_000, "20"
SMALL = {"sms_e6": 100 * E6}  # every recorded order is for the desk
LARGE = {"sms_e6": 200_000 * E6, "lis_e6": 650_000 * E6}  # every one is answered at once
STOCK = rig.NO_FIELDS + 1  # slot of the stock dictionary, required fields and all
TIME = "%Y%m%d-%H:%M:%S.%f"
EPOCH = datetime(1970, 1, 1)
COPIES = fix_message.Header("FIX.4.4", "COPIES", "CLIENT")


def moment(text: str) -> datetime:
    return datetime.strptime(text if "." in text else f"{text}.0", TIME)


def own_tags(played: list[Exchange]) -> list[int]:
    """Tags of the counterparty's own: they come back and the dictionary's report has none such."""
    stock = shipped("FIX.4.4")
    known = {member.tag for member in (*stock.header, *stock.trailer, *stock.messages["8"].members)}
    back = {tag for each in played for a in each.answers for tag in a.keys() & each.client.keys()}
    return sorted(back - known - {1724})


class Ours(Orders):
    """Our gateway for the recorded counterparty: FIX 4.4 with the MiFID fields, its own tags given
    back, and the recorded instrument with a market."""

    def __init__(self, played: list[Exchange], **instrument: Any) -> None:
        [self.isin] = {each.client[55] for each in played}
        [currency] = {each.client[15] for each in played}
        self.first = moment(played[0].client[52]).replace(microsecond=0)
        self.agreed = Session(
            sender_comp_id="SI", target_comp_id="CLIENT", client="client",
            mifid_fields=True, echo_tags=own_tags(played),
        )  # fmt: skip
        terms = {"isin": self.isin, "currency": currency} | instrument
        super().__init__(
            out_tags=ALL_TAGS,
            world=firm(instrument=terms),
            echo_tags=tuple(echo_tags(self.agreed, ALL_TAGS)),
            rules=STOCK,
        )

    def start(self) -> Any:
        engine, wires = super().start()
        put_rules(wires, STOCK, shipped("FIX.4.4"))
        wires.sessions[0]["latency_max_ns"] = self.agreed.max_latency * 10**9
        return engine, wires

    def market(self, bid: int, ask: int) -> None:
        quote = venue_quote(bid, ask) | {"isin": self.isin}
        data = to_record(schema.venue_quote, quote).tobytes()
        self.wires.datagram[: len(data)] = as_array(data)
        recorder.on_feed(*self.all, len(data), self.now_ns)

    def moved(self, text: str) -> str:
        """A recorded time in our present, with as many digits: the recording begins now."""
        ours = moment(text) - self.first + EPOCH + timedelta(microseconds=NOW_NS // 1_000)
        return f"{ours:{TIME}}"[: len(text)]

    def play(self, said: Pairs, more: str = "") -> list[Fields]:
        """Send what a client said; our answers, or what Python puts into its Reject(3)."""
        session = self.wires.sessions[0]
        sent = self.moved(dict(said)[52])
        self.now_ns = (moment(sent) - EPOCH) // timedelta(microseconds=1) * 1_000
        self.market(BID, ASK)
        new = {49: "CLIENT", 56: "SI", 34: str(session["next_in"])}
        words = [
            f"{tag}={self.moved(value) if tag in (52, 60, 126) else new.get(tag, value)}|"
            for tag, value in said
            if tag not in (8, 9, 10)
        ]
        rig.receive(self.wires, 0, message("".join(words) + more))
        wake = self.drain()
        if wake == Wake.NOTHING:
            return self.taken()
        assert wake == Wake.COLD_MESSAGE and self.messages() == []
        connection = self.wires.connections[0]
        connection["rx_start"] = connection["rx_end"] = 0
        session["next_in"] += 1
        reason, tag = self.problem
        return [{35: "3", 371: str(tag), 372: dict(said)[35], 373: str(reason)}]

    def taken(self) -> list[Fields]:
        """What we have sent; the frame is read by `messages`, its numbers and names here."""
        first = int(self.wires.sessions[0]["next_out"])
        found = [read(data) for data in self.messages()]
        for back, each in enumerate(reversed(found), 1):
            assert (each[8], each[49], each[56]) == ("FIX.4.4", "SI", "CLIENT")
            assert int(each[34]) == first - back
        return found


def read(data: bytes) -> Fields:
    assert data.endswith(b"\x0110=%03d\x01" % (sum(data[:-7]) % 256))
    return fields_of(pairs_of(data.decode("latin-1").replace("\x01", "|")))


# --- what is not the same, and why ----------------------------------------------------------------


class Case(NamedTuple):
    """One answer of theirs and ours to the same words of a client."""

    where: str
    client: Fields
    theirs: Fields
    ours: Fields


TRADING = "as we trade"
STOPPED = "stopped by our kill switch"
DESK = "with our desk"
COPY = "drop copy of what the desk does"
MASS = "mass cancel"
MASS_ALL = "mass cancel with the scope that they report"
REPORTS = (TRADING, STOPPED, DESK, COPY)

SIDES = {"1": "2", "2": "3", "5": "3"}  # who we are (2524) by Side(54): seller, buyer
ANY = "*"
Words = str | None | Callable[[Case], str]


def always(_: Case) -> bool:
    return True


def is_fill(case: Case) -> bool:
    return bool(case.ours[150] == "F")


def without_origin(case: Case) -> bool:
    return 1724 not in case.client


def rejects_quietly(case: Case) -> bool:
    return bool(case.theirs[150] == "8" and case.client.get(9020) == "1")


def expires(case: Case) -> bool:
    return 126 in case.client


def is_new(case: Case) -> bool:
    return bool(case.ours[150] == "0")


class Difference(NamedTuple):
    """Fields that are not the same: None for one that is not there, ANY for any value."""

    where: tuple[str, ...]
    when: Callable[[Case], bool]
    tags: tuple[int, ...]
    theirs: Words
    ours: Words
    why: str


_NO_SCOPE = "530 is required in q; what to cancel is not guessed: a Reject(3) of the session"
DIFFERENCES = (
    Difference(REPORTS, always, (22,), None, "4", "our instrument is an ISIN in 48, and says so"),
    Difference(REPORTS, always, (48,), None, lambda c: c.client[55], "as 22"),
    Difference(REPORTS, without_origin, (1724,), "0", None,
               "they fill in a default; from us comes back what the client said"),
    Difference((TRADING, STOPPED), rejects_quietly, (PARTIES,), None, lambda c: c.client[PARTIES],
               "a rule of theirs for 9020=1; from us the parties come back on every report"),
    Difference((TRADING, STOPPED), expires, (126,), lambda c: c.ours[126][:-3], ANY,
               "they cut it to milliseconds; from us it comes back byte for byte"),
    # The recorded SI rejects every order and says only that it does. Ours has a price and room.
    Difference((TRADING,), is_fill, (150,), "8", "F", "we fill"),
    Difference((TRADING,), is_fill, (39,), "8", "2", "we fill"),
    Difference((TRADING,), is_fill, (14,), "0", lambda c: c.client[38], "we fill"),
    Difference((TRADING,), is_fill, (6,), "0", MID, "we fill, a peg at the midpoint"),
    Difference((TRADING,), is_fill, (103,), "99", None, "we fill"),
    Difference((TRADING,), is_fill, (58,), ANY, None, "we fill"),
    Difference((TRADING,), is_fill, (31,), None, MID, "a fill"),
    Difference((TRADING,), is_fill, (32,), None, lambda c: c.client[38], "a fill"),
    Difference((TRADING,), is_fill, (29,), None, "4", "a fill: we are principal"),
    Difference((TRADING,), is_fill, (30,), None, rig.OWN_MIC.decode(), "a fill: our own MIC"),
    Difference((TRADING,), is_fill, (574,), None, "9", "a fill: of a systematic internaliser"),
    Difference((TRADING,), is_fill, (2524,), None, lambda c: SIDES[c.client[54]], "a fill"),
    Difference((TRADING,), is_fill, (639,), None, "0.01", "a fill, better than our quote"),
    Difference((STOPPED,), always, (103,), "99", "0", "a kill switch is the broker's option"),
    Difference((DESK, COPY), always, (9952,), lambda c: c.client[9952][:32], ANY,
               "they cut it to 32 characters; from us it comes back byte for byte"),
    Difference((DESK, COPY), is_new, (58,), None, ANY, "we say that the desk has it"),
    Difference((COPY,), always, (797,), None, "Y", "CopyMsgIndicator, of FIX 4.3 and later"),
    Difference((MASS,), always, (35,), "r", "3", _NO_SCOPE),
    Difference((MASS,), always, (371,), None, "530", _NO_SCOPE),
    Difference((MASS,), always, (372,), None, "q", _NO_SCOPE),
    Difference((MASS,), always, (373,), None, str(REQUIRED_TAG_MISSING), _NO_SCOPE),
    Difference((MASS,), always, (11, 55, 207, 15, 530, 533), ANY, None, _NO_SCOPE),
    Difference((MASS_ALL,), always, (37, 60), None, ANY, "37 is required in r; 60 goes with it"),
    Difference((MASS_ALL,), always, (531,), None, "7", "required in r"),
    Difference((MASS_ALL,), always, (22,), None, "4", "as in the other reports"),
    Difference((MASS_ALL,), always, (48,), None, lambda c: c.client[55], "as in the other reports"),
    Difference((MASS_ALL,), always, (15,), ANY, None, "r has no Currency in any version"),
    Difference((MASS_ALL,), always, (207,), ANY, None,
               "what comes back is of an order; a mass cancel names the ISIN that it was for"),
)  # fmt: skip


# --- theirs and ours ------------------------------------------------------------------------------

FRAME = {8, 9, 10, 34, 49, 52, 56, 115}  # of the session; `Ours.taken` has looked at them
EACH_ITS_OWN = {17, 37, 58, 60}  # must be there, or not, on both sides
NUMBERS = {6, 14, 38, 44, 110, 151}


def same(tag: int, theirs: Any, ours: Any) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    if tag in NUMBERS:
        return Decimal(theirs) == Decimal(ours)
    return tag in EACH_ITS_OWN or bool(theirs == ours)


def found_in(case: Case) -> dict[int, tuple[Any, Any]]:
    tags = (case.theirs.keys() | case.ours.keys()) - FRAME
    both = {tag: (case.theirs.get(tag), case.ours.get(tag)) for tag in tags}
    return {tag: values for tag, values in both.items() if not same(tag, *values)}


def expected_in(case: Case) -> dict[int, Difference]:
    listed: dict[int, Difference] = {}
    for row in DIFFERENCES:
        if case.where in row.where and row.when(case):
            assert not listed.keys() & set(row.tags), f"listed twice: {row}"
            listed |= dict.fromkeys(row.tags, row)
    return listed


def is_as_listed(words: Words, value: Any, case: Case) -> bool:
    if words == ANY:
        return value is not None
    return bool((words(case) if callable(words) else words) == value)


def answers(where: str, ours: Ours, played: list[Exchange], more: str = "") -> Iterator[Case]:
    """One answer to each message; at the end the journal must replay."""
    for each in played:
        [theirs] = each.answers
        if 126 in theirs:
            theirs = theirs | {126: ours.moved(theirs[126])}
        [answer] = ours.play(each.said, more if each.client[35] == "q" else "")
        is_mass = each.client[35] == "q"
        yield Case((MASS_ALL if more else MASS) if is_mass else where, each.client, theirs, answer)
    ours.check_replay()


def of_the_desk() -> Iterator[Case]:
    """New, and Canceled where the desk declines; Restated (150=D) has no like here."""
    played = answered(DAMAGED)
    ours = Ours(played, **SMALL)
    for item, each in enumerate(played, 1):
        ours.play(each.said)
        if len(each.answers) > 1:
            ours.desk(DECLINE, item)
    ours.check_replay()
    sent = {(read(data)[11], read(data)[150]): data for data in ours.log}
    for each in played:
        for theirs in each.answers:
            if theirs[150] != "D":
                data = sent[theirs[11], theirs[150]]
                yield Case(DESK, each.client, theirs, read(data))
        for theirs in each.copies:
            data = copy_of(sent[theirs[11], theirs[150]], COPIES, 1, NOW_NS)
            yield Case(COPY, each.client, theirs, read(data))


@cache
def cases() -> list[Case]:
    played = answered(VALID)
    stopped = Ours(played, **LARGE)
    stopped.desk(KILL, 0, scope=1)
    return [
        *answers(TRADING, Ours(played, **LARGE), played),
        *answers(STOPPED, stopped, played, "530=7|"),
        *of_the_desk(),
    ]


@pytest.mark.parametrize("where", [*REPORTS, MASS, MASS_ALL])
def test_our_answers_are_the_recorded_ones(where: str) -> None:
    compared = [case for case in cases() if case.where == where]
    counts = {TRADING: 38, STOPPED: 38, DESK: 3, COPY: 3, MASS: 76, MASS_ALL: 76}
    assert len(compared) == counts[where]
    for case in compared:
        found, listed = found_in(case), expected_in(case)
        assert found.keys() == listed.keys(), (found, case)
        for tag, (theirs, ours) in found.items():
            row = listed[tag]
            assert is_as_listed(row.theirs, theirs, case), (tag, theirs, row)
            assert is_as_listed(row.ours, ours, case), (tag, ours, row)


def test_every_difference_that_is_listed_occurs() -> None:
    """In each place that it is listed for; what it says is looked at above."""
    missing = {(row, where) for row in DIFFERENCES for where in row.where}
    for case in cases():
        missing -= {(row, case.where) for row in expected_in(case).values()}
    assert not missing


def test_quantities_add_up() -> None:
    """LeavesQty(151), CumQty(14) and OrderQty(38), on both sides, in every state there is."""
    states: Counter[str] = Counter()
    for case in cases():
        for report in (case.theirs, case.ours):
            if report[35] == "8":
                live = report[39] in "01"
                order, done, left = (Decimal(report[tag]) for tag in (38, 14, 151))
                assert left == (order - done if live else 0)
                assert (done > 0) == (report[39] == "2") == (Decimal(report[6]) > 0)
                states[report[150] + report[39]] += 1
    assert states == {"88": 2 * 38 + 11 + 38, "F2": 27, "00": 8, "44": 4}


def test_a_reject_says_why() -> None:
    """Theirs never does: OrdRejReason(103)=99 and one sentence for all."""
    texts = {case.ours[58].split(":")[0] for case in cases() if case.ours.get(150) == "8"}
    assert texts == {
        "SI-COLLAR price too far from the reference price, in bps",
        "SI-TICK price off tick",
        "SI-NOQUOTE-KILL trading of this client is stopped",
    }


def test_what_every_report_says_of_its_order() -> None:
    """However it ends and wherever it goes, as far as the client says it."""
    own = {tag for path in (VALID, DAMAGED) for tag in own_tags(answered(path))}
    assert len(own) == 5
    for case in cases():
        if case.ours[35] == "8":
            for tag in (1, 11, 15, 18, 38, 40, 54, 55, 59, 110, 207, PARTIES, 528, 581, 1724, *own):
                assert case.ours.get(tag) == case.client.get(tag), (tag, case)
            assert Decimal(case.ours.get(44, 0)) == Decimal(case.client.get(44, 0))
        assert case.ours.get(115) == ("CLIENT" if case.where == COPY else None)


# --- messages without an answer, and what is no message -------------------------------------------


def test_an_order_that_nobody_answered() -> None:
    """Of another client, by another name than an ISIN."""
    [each] = [each for each in exchanges(VALID) if not each.answers and each.client[35] == "D"]
    ours = Ours(answered(VALID))
    ours.first = moment(each.client[52])
    [report] = ours.play(each.said)
    assert (report[150], report[39], report[103]) == ("8", "8", "1")
    assert report[58].startswith("SI-INST instrument unknown")
    ours.check_replay()


#: What the stock dictionary finds in recorded messages, by MsgType(35).
BY_THE_BOOK = {
    "D": (FINE, 0),
    "8": (FINE, 0),
    "q": (REQUIRED_TAG_MISSING, 530),
    "r": (REQUIRED_TAG_MISSING, 37),
}


def test_every_sound_message_is_read() -> None:
    stream = [raw(line) for line in lines(VALID)]
    assert take([b"".join(stream)]).messages == stream
    for data in stream:
        assert check(RULES_44, data, strict=False) == BY_THE_BOOK[read(data)[35]]


def test_damaged_messages_are_passed_over() -> None:
    """They say more bytes than they have: what follows shows it, and is answered."""
    *damaged, sound = [raw(line) for line in lines(DAMAGED)]
    assert take([sound]).messages == [sound]
    ours = Ours(answered(VALID))
    time = ours.moved(answered(VALID)[0].client[52])
    for count, data in enumerate(damaged, 1):
        rig.receive(ours.wires, 0, data)
        assert ours.drain() == Wake.NOTHING and ours.taken() == []
        asked = [f"{count}-{n}" for n in range(20)]
        for seq, text in enumerate(asked, int(ours.wires.sessions[0]["next_in"])):
            test = message(f"35=1|49=CLIENT|56=SI|34={seq}|52={time}|112={text}|")
            rig.receive(ours.wires, 0, test)
        assert ours.drain() == Wake.NOTHING
        assert [(each[35], each[112]) for each in ours.taken()] == [("0", text) for text in asked]
        assert ours.wires.loop[0]["garbled"] == count
    ours.check_replay()


def test_a_field_that_is_not_of_this_message() -> None:
    """The one recorded Reject(3): a dictionary that has the field, but not in an order."""
    theirs = fields_of(pairs_of(lines(DAMAGED)[-1]))
    assert (theirs[35], theirs[373]) == ("3", str(TAG_NOT_DEFINED))
    tag, stock = int(theirs[371]), shipped("FIX.4.4")
    order = stock.messages[theirs[372]]
    played = answered(VALID)
    more = {each for each in [*own_tags(played), 1724, tag] if each not in stock.fields}
    members = (*order.members, *(Member(each, False) for each in more - {tag}))
    rules = replace(
        stock,
        fields=stock.fields | {each: Field(each, f"Own{each}", "STRING", {}) for each in more},
        messages=stock.messages | {theirs[372]: order._replace(members=members)},
    )
    for each in played:
        if each.client[35] == theirs[372]:
            data = message("".join(f"{t}={v}|" for t, v in each.said if t not in (8, 9, 10)))
            has = any(said == tag for said, _ in each.said)
            expected = (TAG_NOT_DEFINED, tag) if has else (FINE, 0)
            assert check(Rules(rules), data, strict=True) == expected
