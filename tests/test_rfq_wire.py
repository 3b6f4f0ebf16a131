"""Quotes on request as FIX, in 4.2, 4.4 and 5.0 SP2: read, answered, valid, the same in replay."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine import tables
from engine.enums import Reason
from engine.limits import Capacity
from gateway import desk_view, explain_quotes, journal_files, replay, snapshot
from gateway.desk_reader import DeskQueue
from gateway.explain import venue_names
from gateway.fix_check import GROUP_COUNT_WRONG
from gateway.fix_read import FORMAT_INCORRECT, REQUIRED_TAG_MISSING, VALUE_INCORRECT
from gateway.wire import Wake
from tests import rfq_rig, rig
from tests.fix_text import SHARED_FIX, pairs_of
from tests.rfq_rig import OTHER_CLIENT, SECOND_SESSION, SYMBOL, V42, V44, V50, VALID_NS, Gateway
from tests.stock_dictionary import problems
from tests.test_oracle import Engine

pytestmark = pytest.mark.heavy

VERSIONS = [V42, V44, V50]
NEWER = [V44, V50]
SMALL, LARGE = 100, 2_000  # shares: automatic, with the desk
NOW = "20251123-09:00:00.000000"
UNTIL = "20251123-09:00:05.000000"
QUOTE, FILL, DECLINE, KILL = 2, 3, 4, 5
HIT, PASS, EXPIRED, DONE_AWAY, COUNTER, COVER = 1, 6, 3, 5, 2, 4


def request(req: str = "r1", qty: int = SMALL, side: str = "54=1|", more: str = "") -> str:
    return f"131={req}|146=1|{SYMBOL}{side}38={qty}|{more}"


def response(kind: int, ref: str = "RQ1", more: str = "") -> str:
    taking = "11=o1|54=1|38=100|" if kind in (HIT, COUNTER) else ""
    return f"693=p1|117={ref}|694={kind}|{taking}{SYMBOL}{more}"


def picked(answer: dict[int, str], *tags: int) -> dict[int, str]:
    return {tag: answer[tag] for tag in tags if tag in answer}


def head_of(answer: dict[int, str]) -> tuple[str, str]:
    return answer[0], answer[35]


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_request_is_quoted_at_once(version: int) -> None:
    [quote] = Gateway().send(version, "R", request())
    said = {117: "RQ1", 131: "r1", 133: "21.01", 135: "100", 62: UNTIL, 60: NOW, 15: "EUR"}
    said |= {55: "DE0007164600", 48: "DE0007164600", 22: "4"}
    said |= {} if version == V42 else {537: "1", 54: "1"}
    frame = {0, 8, 9, 10, 34, 35, 49, 52, 56}
    assert head_of(quote) == (str(version), "S")
    assert {tag: value for tag, value in quote.items() if tag not in frame} == said


@pytest.mark.parametrize(
    ("side", "tags"),
    [("", {132, 133, 134, 135}), ("54=1|", {133, 135}), ("54=2|", {132, 134}),
     ("54=5|", {132, 134})],
)  # fmt: skip
def test_only_the_side_asked_for_is_quoted(side: str, tags: set[int]) -> None:
    [quote] = Gateway().send(V44, "R", request(side=side))
    assert {132, 133, 134, 135} & set(quote) == tags
    assert quote.get(132, "20.99") == "20.99" and quote.get(133, "21.01") == "21.01"


def test_the_clients_own_time_ends_a_quote_sooner() -> None:
    [quote] = Gateway().send(V44, "R", request(more="126=20251123-09:00:02.25|"))
    assert quote[62] == "20251123-09:00:02.250000"


TWO_SYMBOLS = request(more=SYMBOL + "54=1|38=5|").replace("146=1", "146=2")
REFUSALS: list[tuple[str, str, str, str]] = [
    (request().replace("DE0007164600", "XX"), "1", "1", "SI-INST instrument unknown: 48=XX"),
    (request(qty=0), "99", "", "SI-QTY quantity not positive: 38=0 minimum 1"),
    (request(side="54=9|"), "99", "", "SI-TYPE Side not supported: 54=9"),
    (TWO_SYMBOLS, "99", "", "SI-TYPE one instrument a request: 146=2 l"),
    (request(req="x" * 65), "99", "", "SI-TYPE QuoteReqID too long, in characters: 131=65 limit"),
    (request(more="126=20251123-09:00:00|"), "4", "4", "SI-LATE the request has expired: 126=2"),
    (request(more="15=USD|"), "99", "", "SI-TYPE currency is not the instrument's: 15=USD expec"),
    (request(qty=10**12), "99", "", "SI-QTY quantity too large: 38=1000000000000 limit 100000000"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("text", "code", "old_code", "words"), REFUSALS)
def test_a_refusal_says_why(version: int, text: str, code: str, old_code: str, words: str) -> None:
    gateway = Gateway()
    [refusal] = gateway.send(version, "R", text)
    if version == V42:
        assert (refusal[35], refusal[297], refusal.get(300, "")) == ("b", "5", old_code)
    else:
        assert (refusal[35], refusal[658], refusal[146]) == ("AG", code, "1")
    assert refusal[58].startswith(words), refusal[58]
    assert gateway.engine.tables.counters[0]["given_quotes"] == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_request_is_quoted_by_a_person(version: int) -> None:
    gateway = Gateway()
    [pending] = gateway.send(version, "R", request(qty=LARGE))
    assert (pending[35], pending[297]) == (("b", "0") if version == V42 else ("AI", "10"))
    assert pending[58] == "SI-DESK with the desk, item 1"
    [quote] = gateway.desk(QUOTE, 1, px_e6=21_050_000)
    assert picked(quote, 35, 117, 133, 135) == {35: "S", 117: "RQ1", 133: "21.05", 135: "2000"}
    attributes = {2706: "1", 2707: "0", 2708: "Y"} if version == V50 else {}
    assert picked(quote, 2706, 2707, 2708) == attributes
    [fill] = gateway.send(version, "D", f"11=o1|{SYMBOL}54=1|38=2000|40=D|117=RQ1|59=3|")
    assert picked(fill, 35, 31, 32, 39) == {35: "8", 31: "21.05", 32: "2000", 39: "2"}
    assert gateway.engine.tables.desk_items[0]["state"] == 4  # filled


def test_a_person_quotes_both_sides_and_again() -> None:
    gateway = Gateway()
    gateway.send(V44, "R", request(qty=LARGE, side=""))
    [first] = gateway.desk(QUOTE, 1, px_e6=20_950_000, offer_px_e6=21_050_000)
    assert picked(first, 117, 132, 133) == {117: "RQ1", 132: "20.95", 133: "21.05"}
    gone, second = gateway.desk(QUOTE, 1, offer_px_e6=21_040_000)
    assert picked(gone, 35, 117, 298) == {35: "Z", 117: "RQ1", 298: "1"}
    assert picked(second, 35, 117, 131, 132, 133) == {35: "S", 117: "RQ2", 131: "r1", 133: "21.04"}
    order = f"11=o1|{SYMBOL}54=1|38=2000|40=D|59=3|117="
    [refused] = gateway.send(V44, "D", order + "RQ1|")
    assert refused[58] == "SI-QUOTE the quote is no longer open (117)"
    [fill] = gateway.send(SECOND_SESSION, "D", order + "RQ2|")
    assert (fill[0], fill[150], fill[31]) == (str(SECOND_SESSION), "F", "21.04")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_person_declines_or_takes_back(version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request(qty=LARGE))
    [refusal] = gateway.desk(DECLINE, 1)
    code = (refusal[35], refusal.get(658, refusal.get(297)))
    assert code == (("b", "5") if version == V42 else ("AG", "10"))
    gateway.send(version, "R", request("r2", qty=LARGE))
    gateway.desk(QUOTE, 2, px_e6=21_050_000)
    [gone] = gateway.desk(DECLINE, 2)
    assert (gone[35], gone[298]) == ("Z", "5" if version == V50 else "1")
    gateway.desk(FILL, 2)
    assert gateway.desk_reason == Reason.ITEM_CLOSED


@pytest.mark.parametrize("version", NEWER)
def test_a_response_takes_the_quote_once(version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    gateway.market(30_000_000, 30_010_000)
    [fill] = gateway.send(version, "AJ", response(HIT, more="44=21.01|").replace("38=100", "38=60"))
    assert picked(fill, 35, 11, 40, 31, 32, 14) == {
        35: "8", 11: "o1", 40: "D", 31: "21.01", 32: "60", 14: "60",
    }  # fmt: skip
    rejected, told = gateway.send(version, "AJ", response(HIT).replace("o1", "o2"))
    words = "SI-QUOTE the quote was taken before, by order: 37=1"
    assert picked(rejected, 35, 150, 58) == {35: "8", 150: "8", 58: words}
    assert picked(told, 35, 297, 693, 58) == {35: "AI", 297: "5", 693: "p1", 58: words}
    [told] = gateway.send(version, "AJ", response(HIT))  # no order: its ClOrdID(11) is used
    assert (told[35], told[58]) == ("AI", "SI-DUP ClOrdID used before in this session: 11=o1")


@pytest.mark.parametrize("version", NEWER)
def test_nobody_else_takes_it(version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    rejected, told = gateway.send(OTHER_CLIENT, "AJ", response(HIT))
    assert (rejected[58], told[297]) == ("SI-QUOTE no such quote was given to you (117)", "9")
    assert 133 not in told, "nor learns its price"
    [told] = gateway.send(OTHER_CLIENT, "a", f"117=RQ1|{SYMBOL}")
    assert told[297] == "9" and 133 not in told


@pytest.mark.parametrize(
    ("kind", "status", "version"),
    [
        *((kind, status, version) for version in NEWER for kind, status in
          ((PASS, "11"), (DONE_AWAY, "11"), (COVER, "11"), (EXPIRED, "7"))),
        (8, "7", V50), (7, "5", V50),
    ],
)  # fmt: skip
def test_a_client_ends_a_quote(kind: int, status: str, version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    [told] = gateway.send(version, "AJ", response(kind))
    assert (told[35], told[297], told[693]) == ("AI", status, "p1")
    assert (62 in told) == (kind == 7), "only an open quote says until when"


@pytest.mark.parametrize(("version", "status"), [(V42, "1"), (V44, "1"), (V50, "17")])
def test_a_client_cancels_a_request(version: int, status: str) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request(qty=LARGE))
    [told] = gateway.send(version, "Z", f"131=r1|117=RQ1|298=1|295=1|{SYMBOL}")
    assert told[297] == status
    assert gateway.engine.tables.desk_items[0]["state"] == 6  # cancelled
    [again] = gateway.send(version, "Z", f"131=r1|117=RQ1|298=1|295=1|{SYMBOL}")
    assert again[58] == "SI-QUOTE the quote is no longer open (117)"


@pytest.mark.parametrize("version", NEWER)
def test_a_counter_goes_to_a_person(version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    [told] = gateway.send(version, "AJ", response(COUNTER, more="44=21|"))
    said = {35: "AI", 537: "3", 44: "21", 297: "10", 117: "RQ2", 131: "r1", 693: "p1"}
    assert picked(told, *said) == said
    item = gateway.engine.tables.desk_items[0]
    assert (item["limit_px_e6"], item["given_quote"]) == (21_000_000, 2)
    [quote] = gateway.desk(QUOTE, 1, px_e6=21_000_000)
    assert picked(quote, 117, 131, 133) == {117: "RQ2", 131: "r1", 133: "21"}


@pytest.mark.parametrize(("version", "status"), [(V42, "1"), (V44, "7"), (V50, "7")])
def test_a_quote_expires_by_itself(version: int, status: str) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    assert gateway.wait(VALID_NS - 1) == []
    [told] = gateway.wait(1)
    assert told[297] == status and told[58].startswith(
        f"SI-QUOTE the quote has expired: 62={UNTIL}"
    )
    [rejected] = gateway.send(version, "D", f"11=o1|{SYMBOL}54=1|38=1|40=D|117=RQ1|")
    assert rejected[58].startswith("SI-QUOTE the quote has expired")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kill_switch_and_a_halt_withdraw(version: int) -> None:
    gateway = Gateway()
    for req in ("r1", "r2"):
        gateway.send(version, "R", request(req))
        [gone] = (
            gateway.desk(KILL) if req == "r1" else gateway.market(1_000_000, 1_010_000, phase=2)
        )
        assert gone[35] == "Z" and gone[131] == req
        gateway.desk(KILL + 1)


STATES = {"RQ1": ("0", "0", "16"), "RQ2": ("0", "10", "10"), "RQ3": ("1", "6", "21"),
          "RQ9": ("5", "9", "9")}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_the_status_of_a_quote(version: int) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request())
    gateway.send(version, "R", request("r2", qty=LARGE))
    gateway.send(version, "R", request("r3"))
    gateway.send(version, "D", f"11=o1|{SYMBOL}54=1|38=100|40=D|117=RQ3|")
    for ref, codes in STATES.items():
        [told] = gateway.send(version, "a", f"117={ref}|{SYMBOL}649=s1|")
        assert (told[117], told[297]) == (ref, codes[version])
        assert told.get(649) == (None if version == V42 else "s1")


def test_an_order_for_another_instrument_is_refused() -> None:
    gateway = Gateway()
    gateway.send(V44, "R", request())
    [told] = gateway.send(V44, "D", "11=o1|55=XS1|54=1|38=1|40=D|117=RQ1|")
    assert told[58] == "SI-QUOTE the quote is for another instrument: 48=XS1"


# --- what is read -----------------------------------------------------------------------------


UNREADABLE: list[tuple[str, str, int, int]] = [
    ("R", request().replace("131=r1|", ""), REQUIRED_TAG_MISSING, 131),
    ("R", request().replace("146=1|", ""), REQUIRED_TAG_MISSING, 146),
    ("R", request().replace("146=1", "146=x"), FORMAT_INCORRECT, 146),
    ("R", request().replace("38=100", "38=1e2"), FORMAT_INCORRECT, 38),
    ("R", request().replace("54=1", "54=0"), VALUE_INCORRECT, 54),
    ("R", request(more="126=tomorrow|"), FORMAT_INCORRECT, 126),
    ("R", request(req="a\x02b"), FORMAT_INCORRECT, 131),
    ("AJ", response(HIT).replace("693=p1|", ""), REQUIRED_TAG_MISSING, 693),
    ("AJ", response(HIT).replace("694=1|", ""), REQUIRED_TAG_MISSING, 694),
    ("AJ", response(HIT).replace("694=1", "694=x"), FORMAT_INCORRECT, 694),
    ("AJ", response(HIT).replace("117=RQ1|", ""), REQUIRED_TAG_MISSING, 117),
    ("AJ", response(PASS).replace("117=RQ1|", ""), REQUIRED_TAG_MISSING, 117),
    ("AJ", response(HIT).replace("11=o1|", ""), REQUIRED_TAG_MISSING, 11),
    ("AJ", response(HIT).replace("54=1|", ""), REQUIRED_TAG_MISSING, 54),
    ("AJ", response(HIT).replace("38=100|", ""), REQUIRED_TAG_MISSING, 38),
    ("AJ", response(COUNTER), REQUIRED_TAG_MISSING, 44),
    ("AJ", response(COUNTER, more="44=2,1|"), FORMAT_INCORRECT, 44),
    ("AJ", response(PASS).replace("693=p1", "693=" + "p" * 65), VALUE_INCORRECT, 693),
    ("Z", "298=1|", REQUIRED_TAG_MISSING, 117),
]
NOT_OF_THE_VERSION: list[tuple[str, str, int, int]] = [
    ("R", request().replace("54=1", "54=12"), FORMAT_INCORRECT, 54),
    ("R", request().replace("146=1", "146=2"), GROUP_COUNT_WRONG, 146),
    ("AJ", response(7), VALUE_INCORRECT, 694),
    ("AJ", response(8), VALUE_INCORRECT, 694),
]


@pytest.mark.parametrize(
    ("rules", "msg_type", "text", "problem", "tag"),
    [(V44, *case) for case in UNREADABLE + NOT_OF_THE_VERSION]
    + [(rig.NO_FIELDS, *case) for case in UNREADABLE]
    + [(rig.NO_FIELDS, "R", request().replace("54=1", "54=12"), VALUE_INCORRECT, 54)],
)
def test_what_no_rule_can_judge_is_left_to_python(
    rules: int, msg_type: str, text: str, problem: int, tag: int
) -> None:
    gateway = Gateway()
    gateway.wires.sessions[V44]["rules"] = rules
    before = jn.position(gateway.journal)
    assert gateway.take(V44, gateway.whole(V44, msg_type, text)) == Wake.COLD_MESSAGE
    loop = gateway.wires.loop[0]
    assert (loop["cold_reason"], loop["cold_tag"]) == (problem, tag)
    assert gateway.wires.sessions[V44]["next_in"] == 1 and jn.position(gateway.journal) == before


def test_fix_42_has_no_response() -> None:
    gateway = Gateway()
    assert gateway.take(V42, gateway.whole(V42, "AJ", response(HIT))) == Wake.COLD_MESSAGE


VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="|"),
                min_size=1, max_size=70)  # fmt: skip
TAGS = (11, 15, 22, 38, 44, 48, 54, 55, 117, 126, 131, 132, 146, 649, 693, 694)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["R", "AJ", "Z", "a"]),
    st.sampled_from(VERSIONS),
    st.dictionaries(st.sampled_from(TAGS), VALUE | st.integers(-3, 10**20).map(str)),
)
def test_anything_is_answered_or_left_to_python(
    msg_type: str, version: int, fields: dict[int, str]
) -> None:
    gateway = Gateway()
    gateway.send(version, "R", request("known"))
    usual = {131: "r1", 146: "1", 117: "RQ1", 693: "p", 694: "1", 11: "o", 54: "1", 38: "5"}
    text = "".join(f"{tag}={value}|" for tag, value in (usual | fields).items())
    wake = gateway.take(version, gateway.whole(version, msg_type, text))
    assert wake in (Wake.NOTHING, Wake.COLD_MESSAGE)
    assert (len(gateway.answers()) > 0) == (wake == Wake.NOTHING)


# --- every message against the stock dictionaries ---------------------------------------------


def everything(version: int) -> Gateway:
    """A session's whole life of quotes: each message we can send, and each reason for it."""
    gateway = Gateway()
    for text, _, _, _ in REFUSALS:
        gateway.send(version, "R", text)
    for number, side in enumerate(("", "54=1|", "54=2|", "54=5|")):
        gateway.send(version, "R", request(f"a{number}", side=side))
        gateway.send(version, "R", request(f"d{number}", LARGE, side, "126=20251123-09:30:00|"))
        gateway.send(version, "a", f"649=s|117=RQ{2 * number + 1}|{SYMBOL}")
        gateway.send(version, "a", f"649=s|117=RQ{2 * number + 2}|{SYMBOL}")
    gateway.send(version, "R", request("a0"))
    gateway.send(version, "D", f"11=n1|21=1|{SYMBOL}54=1|38=9|40=D|117=RQ3|")
    if version != V42:
        for number, kind in enumerate((HIT, PASS, EXPIRED, DONE_AWAY, COUNTER, 7, HIT)):
            if (version, kind) == (V44, 7):
                continue  # 5.0 SP2 has it, the session layer of 4.4 refuses it
            text = response(kind, f"RQ{2 * number + 1}", more="44=21.01|")
            gateway.send(version, "AJ", text.replace("o1", f"o{number}"))
    for item in (1, 2, 3):
        gateway.desk(QUOTE, item, px_e6=21_000_000)
        gateway.desk(QUOTE, item, px_e6=21_000_000)
    gateway.desk(DECLINE, 1)
    gateway.desk(DECLINE, 4)
    gateway.send(version, "Z", f"117=RQ5|298=1|295=1|{SYMBOL}")
    gateway.send(version, "Z", f"117=no|298=1|295=1|{SYMBOL}")
    for ref in range(1, 16):
        gateway.send(version, "a", f"117=RQ{ref}|{SYMBOL}")
    gateway.desk(KILL)
    gateway.desk(KILL + 1)
    gateway.send(version, "R", request("e1"))
    gateway.wait(3000 * 10**9)
    gateway.send(version, "R", request("late"))
    return gateway


@pytest.mark.parametrize("version", VERSIONS)
def test_every_message_is_one_of_the_stock_dictionary(version: int) -> None:
    if not SHARED_FIX.is_dir():
        pytest.skip("../shared/data/fix is not here: no dictionary to check with")
    gateway = everything(version)
    ours = [raw for session, raw in gateway.sent if session == version]
    quotes = [raw for raw in ours if dict(pairs_of(raw))[35] != b"8"]  # others check those
    assert {dict(pairs_of(raw))[35] for raw in quotes} == (
        {b"S", b"Z", b"b"} if version == V42 else {b"S", b"Z", b"AI", b"AG"}
    )
    found = {f"{raw!r}: {problem}" for raw in quotes for problem in problems(raw)}
    assert sorted(found) == []


# --- the record -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_replay_gives_the_same_bytes(version: int) -> None:
    gateway = everything(version)
    again, wires, shadow = rfq_rig.engine(), rfq_rig.sessions(), jn.in_memory(8 << 20)
    outcome, _ = replay.replay(
        again.tables, again.outbox, wires, gateway.journal, shadow,
        replay.allocate_scratch(), again.policy.address,
    )  # fmt: skip
    assert outcome == replay.DONE
    size = int(jn.position(gateway.journal))
    assert shadow.buffer[:size].tobytes() == gateway.journal.buffer[:size].tobytes()
    assert tables.state_hash(again.tables) == tables.state_hash(gateway.engine.tables)
    for name in ("next_in", "next_out"):
        assert wires.sessions[name].tolist() == gateway.wires.sessions[name].tolist()


def test_a_quote_report_without_its_cause_is_found() -> None:
    gateway = Gateway()
    gateway.send(V44, "R", request())
    source = jn.in_memory(1 << 20)
    size = int(jn.position(gateway.journal))
    last = int(gateway.journal.writer[0]["last"])
    source.buffer[: size - last] = gateway.journal.buffer[last:size]
    shadow = jn.in_memory(1 << 20)
    shadow.writer[0]["seq"] = gateway.journal.writer[0]["seq"] - 1
    again, scratch = rfq_rig.engine(), replay.allocate_scratch()
    outcome, _ = replay.replay(
        again.tables, again.outbox, rfq_rig.sessions(), source, shadow, scratch,
        again.policy.address,
    )  # fmt: skip
    assert outcome == replay.UNEXPECTED


def test_what_was_sent_is_found_again() -> None:
    gateway = everything(V44)
    ours = [raw for session, raw in gateway.sent if session == V44]
    places = np.full(len(ours), -1, np.int64)
    journal_files.find_sent(gateway.journal, 0, V44, 1, places, 0, gateway.journal.buffer.size)
    frames = [journal_files.frame_at(gateway.journal, place, 0) for place in places.tolist()]
    assert [frame.fix for frame in frames] == ours
    assert {frame.kind for frame in frames} == {jn.EXECUTION, jn.QUOTE_REPORT}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal on disk, in which one of everything happened."""
    gateway, made = everything(V50), tmp_path_factory.mktemp("journal")
    size = int(jn.position(gateway.journal)) + 4096
    journal_files.segment_path(made, 0).write_bytes(gateway.journal.buffer[:size].tobytes())
    return made


def test_every_decision_is_explained(folder: Path) -> None:
    venues = venue_names(folder)
    rows = [each.row for each in explain_quotes.find_frames(folder, "a1")]
    told = [line for row in rows for line in explain_quotes.in_words(row, venues)]
    assert any(line.startswith("offer: 100 at 21.01, public 21.01, policy") for line in told)
    assert "outcome: taken, 9 at 21.01, by order 1" in told
    assert any("zone: WITHIN_MIN_QUOTE" in line for line in told)
    by_order = [line for row, _ in explain_quotes.find_frames(folder, "n1")
                for line in explain_quotes.in_words(row, venues)]  # fmt: skip
    assert "price: 21.01 as quoted, whatever the market did since" in by_order
    assert explain_quotes.as_dict(rows[0])["given_state"] == "OPEN"
    for name in ["r1", "RQ1", "RQ2", "RQ4", "RQ5", "RQ6", "o0", "late", "e1"]:
        found = [each.row for each in explain_quotes.find_frames(folder, name)]
        assert found, name
        ends = [explain_quotes.in_words(row, venues)[-1] for row in found]
        assert all(end.startswith("outcome: ") for end in ends)


def test_a_snapshot_keeps_quotes(tmp_path: Path) -> None:
    gateway = Gateway()
    gateway.send(V44, "R", request())
    gateway.send(V44, "R", request("r2", qty=LARGE))
    old: Engine = gateway.engine
    snapshot.write(tmp_path, old.tables, gateway.wires, gateway.journal)
    fresh = tables.allocate(Capacity(32, 8, 64, 16))
    assert snapshot.load_newest(tmp_path, fresh, rfq_rig.sessions(), lambda place: True)
    assert tables.state_hash(fresh) == tables.state_hash(old.tables)
    old.tables, gateway.engine = fresh, old
    [fill] = gateway.send(V44, "AJ", response(HIT))
    assert fill[31] == "21.01"
    [told] = gateway.send(V44, "a", f"117=RQ2|{SYMBOL}")
    assert told[297] == "10"


# --- the desk sees it -------------------------------------------------------------------------


def test_the_queue_shows_requests_beside_orders() -> None:
    gateway = Gateway()
    gateway.send(V44, "D", f"11=o1|{SYMBOL}54=1|38={LARGE}|40=1|59=0|")
    gateway.send(V44, "R", request(qty=LARGE, side=""))
    gateway.desk(QUOTE, 2, px_e6=20_950_000, offer_px_e6=21_050_000)
    queue = DeskQueue()
    for item in gateway.engine.tables.desk_items[:2]:
        queue.apply(SimpleNamespace(kind=jn.DESK_ITEM, record=item))
    request_item, order_item = (desk_view.as_dict(item) for item in queue.items)
    plain = {"kind": "order", "side": "BUY", "quote_px": None}
    assert {name: order_item[name] for name in plain} == plain
    said = {"kind": "quote request", "side": "BOTH", "quote_px": "20.95", "state": "QUOTED"}
    said["quote_offer_px"] = "21.05"
    assert {name: request_item[name] for name in said} == said
    cells = [list(column.cells) for column in desk_view.table(queue).columns]
    assert cells[3] == ["BOTH?", "BUY"] and cells[6] == ["", "market"]
    assert cells[11] == ["20.95 / 21.05", ""]


def test_an_order_has_no_second_side() -> None:
    gateway = Gateway()
    gateway.send(V44, "D", f"11=o1|{SYMBOL}54=1|38={LARGE}|40=1|59=0|")
    gateway.desk(QUOTE, 1, px_e6=20_950_000, offer_px_e6=21_050_000)
    assert gateway.desk_reason == Reason.ITEM_SIDE
