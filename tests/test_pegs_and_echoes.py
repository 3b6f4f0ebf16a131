"""Orders pegged to the midpoint, and what a client said of an order on every report of it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.enums import ExecKind, PegMid, Reason
from engine.limits import ECHO_SIZE_MAX
from gateway.fix_check import GROUP_COUNT_WRONG, GROUP_OUT_OF_ORDER
from gateway.fix_read import FORMAT_INCORRECT
from gateway.session_settings import Session
from gateway.session_table import echo_tags
from gateway.wire import BEGIN_STRINGS, VERSION_OF, OutTag, Version
from tests import rig
from tests.firm import NOW_NS, firm, order, venue_quote
from tests.fix_text import pairs_of
from tests.order_rig import (
    ALL_TAGS,
    AT_ONCE,
    CLAIM,
    FILL,
    QUOTE,
    TO_DESK,
    Orders,
)
from tests.test_fix_time import NO_TIMES
from tests.test_oracle import Engine
from tests.world import PEGGED

pytestmark = pytest.mark.heavy

PEG = {"t40": "P", "t44": None, "t18": "M"}
NO_MIDPOINT = "SI-TYPE only a peg to the midpoint (18=M or 1094=2) without offset: 40=P"


@pytest.fixture
def orders() -> Iterator[Orders]:
    made = Orders()
    yield made
    made.check_replay()


# Pegs


@pytest.mark.parametrize("side", ["1", "2", "5"])
@pytest.mark.parametrize(
    "peg", [{"t18": "M"}, {"t18": "6 M"}, {"t18": None, "t1094": "2"}, {"t18": "M", "t211": "0"}]
)
def test_a_peg_gets_the_midpoint(peg: dict[str, str], side: str, orders: Orders) -> None:
    [report] = orders.order("A", **PEG | peg | {"t38": AT_ONCE, "t54": side})
    assert (report[150], report[31], report[40], report[639]) == ("F", "20", "P", "0.01")


@pytest.mark.parametrize(
    "peg",
    [
        {"t18": None},
        {"t18": "R"},
        {"t18": "M", "t211": "0.01"},
        {"t18": "M", "t1094": "4"},
        {"t1094": "22"},
    ],
)
def test_another_peg_is_refused(peg: dict[str, str], orders: Orders) -> None:
    [report] = orders.order("A", **PEG | peg | {"t38": AT_ONCE})
    assert (report[150], report[58]) == ("8", NO_MIDPOINT)


def test_an_offset_that_is_no_number() -> None:
    offset = PEG | {"t38": AT_ONCE, "t211": "x"}
    assert Orders().refused_order("A", **offset) == (FORMAT_INCORRECT, 211)
    [report] = Orders(rules=rig.NO_FIELDS).order("A", **offset)
    assert (report[150], report[58]) == ("8", NO_MIDPOINT)


@pytest.mark.parametrize(
    ("side", "cap", "done"),
    [("1", "20.00", True), ("1", "19.99", False), ("2", "20.00", True), ("2", "20.01", False),
     ("1", "20.50", True), ("1", "0", True)],
)  # fmt: skip
def test_a_price_caps_a_peg(side: str, cap: str, done: bool, orders: Orders) -> None:
    [report] = orders.order("A", **PEG | {"t38": AT_ONCE, "t44": cap, "t54": side})
    assert (report[150], report.get(31)) == (("F", "20") if done else ("4", None))
    assert report.get(44) == (None if cap == "0" else cap.rstrip("0").rstrip("."))
    if not done:
        assert report[58].startswith("SI-NOCROSS")


@pytest.mark.parametrize(
    ("mode", "policy", "exec_type", "text"),
    [
        (PegMid.FILL, "none", "F", None),
        (PegMid.POLICY, "midpoint", "F", None),
        (PegMid.POLICY, "none", "4", "SI-NOCROSS no fill at the midpoint, our price: 40=20.01"),
        (PegMid.REJECT, "midpoint", "8", "SI-TYPE OrdType not supported: 40=P"),
    ],
)
def test_the_firm_says_what_a_peg_gets(
    mode: PegMid, policy: str, exec_type: str, text: str | None
) -> None:
    orders = Orders(world=firm({"peg_mid": int(mode)}), policy=policy)
    [report] = orders.order("A", **PEG | {"t38": AT_ONCE})
    assert report[150] == exec_type
    assert report.get(58, "").startswith(text or "")
    orders.check_replay()


@given(
    st.integers(19_500_000, 20_400_000),
    st.sampled_from([0, 1, 4_999, 5_000, 10_000, 25_000, 300_000]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0, 1, 2]),
    st.integers(-(2**62), 2**62) | st.integers(19_400_000, 20_800_000),
)
def test_a_peg_is_filled_at_the_midpoint_or_not_at_all(
    bid: int, spread: int, side: int, mode: int, asked: int
) -> None:
    world = firm({"peg_mid": mode, "policy_param": [0, asked] + [0] * 6})
    engine = Engine(world, "wild")
    engine.apply("venue_quote", venue_quote(bid, bid + spread), NOW_NS)
    sent = order("A", side=side, ord_type=PEGGED, peg=1)
    [[_, row]] = engine.apply("order", sent, NOW_NS)
    if row["kind"] == ExecKind.FILL:
        assert 2 * row["last_px_e6"] == row["quote_bid_px_e6"] + row["quote_ask_px_e6"]
        assert row["improvement_e6"] >= 0 and mode != PegMid.REJECT
    else:
        expected = {PegMid.POLICY: Reason.PEG_MID, PegMid.REJECT: Reason.ORD_TYPE}
        assert row["reason"] == expected[PegMid(mode)]


def test_a_peg_at_the_desk_gets_the_midpoint_or_better(orders: Orders) -> None:
    [report] = orders.order("A", **PEG)
    assert (report[150], report[40]) == ("0", "P")
    orders.desk(QUOTE, 1, px_e6=20_010_000)
    assert orders.desk_reason() == Reason.ITEM_THROUGH_MID
    for px_e6 in (20_000_000, 19_990_000):
        assert orders.desk(QUOTE, 1, px_e6=px_e6)[0][39] == "0"
    orders.market(20_010_000, 19_990_000)  # crossed: there is no midpoint
    orders.desk(FILL, 1, px_e6=19_990_000)
    assert orders.desk_reason() == Reason.ITEM_THROUGH_MID


# What comes back

PARTIES = (
    "453=3|448=485|447=P|452=122|2376=22|448=1|447=P|452=3|448=x|447=D|452=1|802=1|523=s|803=4|"
)
SAID = "1=ACC-7|528=P|529=D E|581=3|18=6|207=XETR|1724=5|2593=1|2594=4|2595=Y|9952=mine|20001=x|"
ATTRIBUTES = "2593=1|2594=4|2595=Y|"
OWN = (9952, 20_001, 5_555)


def echoes(
    version: Version = Version.FIX_4_4, out_tags: int = ALL_TAGS, rules: int | None = None
) -> Orders:
    return Orders(version, out_tags, echo_tags=OWN, rules=rules)


def given_back(data: bytes) -> list[str]:
    """The fields of a report that are the client's own words, in the order of the report."""
    ours = {8, 9, 35, 49, 56, 34, 52, 37, 17, 11, 41, 150, 39, 55, 48, 22, 54, 38, 40, 44, 59, 15}
    ours |= {151, 14, 6, 60, 32, 31, 29, 30, 639, 574, 2524, 103, 58, 10, 20}
    pairs = [(tag, value.decode()) for tag, value in pairs_of(data) if tag not in ours]
    return [f"{tag}={value}" for tag, value in pairs]


def sent_back(orders: Orders, *calls: Any) -> list[list[str]]:
    """What the reports of some inputs give back."""
    before = len(orders.log)
    for call in calls:
        call()
    return [given_back(data) for data in orders.log[before:]]


def words(text: str) -> list[str]:
    return text.rstrip("|").split("|")


ALL_44 = words(
    PARTIES + "1=ACC-7|581=3|207=XETR|18=6|528=P|529=D E|" + ATTRIBUTES
    + "1724=5|9952=mine|20001=x"
)  # fmt: skip


def test_an_answer_at_once_gives_it_back() -> None:
    orders = echoes()
    for qty, px in product((AT_ONCE,), ("20.01", "19.00", "20.015")):
        changes = {"t38": qty, "t44": px}
        found = sent_back(orders, lambda c=changes: orders.order(f"A{c}", SAID + PARTIES, **c))
        assert found == [ALL_44]


def test_every_later_report_gives_it_back() -> None:
    orders = echoes()
    found = sent_back(
        orders,
        lambda: orders.order("A", SAID + PARTIES),
        lambda: orders.order("B", "1=OTHER|"),
        lambda: orders.desk(CLAIM, 1),
        lambda: orders.desk(QUOTE, 1, px_e6=20_010_000),
        lambda: orders.desk(FILL, 1, qty=500, px_e6=20_010_000),
        lambda: orders.desk(FILL, 2, px_e6=20_010_000),
        lambda: orders.send("H", {11: "A", 54: "1"}),
        lambda: orders.cancel("C", "A"),
    )
    assert found == [ALL_44, ["1=OTHER"], ALL_44, ALL_44, ["1=OTHER"], ALL_44, ALL_44]


def test_a_replacement_says_it_anew() -> None:
    orders = echoes()
    found = sent_back(
        orders,
        lambda: orders.order("A", "1=OLD|528=P|"),
        lambda: orders.replace("B", "A", "1=NEW|", t38="0"),  # rejected: nothing comes back
        lambda: orders.send("H", {11: "A", 54: "1"}),
        lambda: orders.replace("C", "A", "1=NEW|"),
        lambda: orders.cancel("D", "C"),
    )
    assert found[1][:2] == ["434=2", "102=2"]
    assert [found[0], *found[2:]] == [["1=OLD", "528=P"]] * 2 + [["1=NEW"]] * 2


def test_an_id_of_a_request_comes_back() -> None:
    orders = echoes()
    found = sent_back(
        orders,
        lambda: orders.order("A", "1=ACC|"),
        lambda: orders.send("H", {11: "A", 54: "1", 790: "ask"}),
        lambda: orders.send("AF", {584: "all", 585: "7"}),
        lambda: orders.desk(FILL, 1, qty=1, px_e6=20_010_000),
    )
    all_of_it = ["584=all", "911=1", "912=Y", "1=ACC"]
    assert found == [["1=ACC"], ["790=ask", "1=ACC"], all_of_it, ["1=ACC"]]


@pytest.mark.parametrize(
    ("bits", "missing"),
    [
        (OutTag.PARTY_QUALIFIER, {"2376=22"}),
        (OutTag.ORDER_ORIGINATION, {"1724=5"}),
        (OutTag.ORDER_ATTRIBUTES, set(words(ATTRIBUTES))),
        (OutTag.ECHO, set(ALL_44)),
    ],
)
def test_a_session_gets_what_its_dictionary_knows(bits: OutTag, missing: set[str]) -> None:
    orders = echoes(out_tags=ALL_TAGS & ~bits)
    [found] = sent_back(orders, lambda: orders.order("A", SAID + PARTIES))
    assert found == [word for word in ALL_44 if word not in missing]


def test_what_stands_within_data_is_no_field() -> None:
    orders = echoes()
    found = sent_back(
        orders,
        lambda: orders.order("A", "354=8|355=a|9952=x|20001=y|9952=z|"),
        lambda: orders.replace("B", "A", "20001=" + "y" * 99 + "|354=9|355=a|20001=x|9952=z|"),
        lambda: orders.send("H", {11: "B", 54: "1"}),
    )
    anew = ["9952=z", "20001=" + "y" * 99]
    assert found == [["9952=z", "20001=y"], anew, anew]
    orders.check_replay()


@pytest.mark.parametrize("begin", BEGIN_STRINGS.values())
@pytest.mark.parametrize("bits", [OutTag.ECHO, ALL_TAGS])
def test_what_comes_back_anyway_is_not_said_twice(begin: Any, bits: int) -> None:
    """Also where a person asks for it: a tag twice makes a report malformed."""
    version = VERSION_OF[begin]
    asked = [9_952, 1, 1_724, 109, 581, 18, 5_555]
    settings = Session(
        begin_string=begin, sender_comp_id="SI", target_comp_id="C", client="c", echo_tags=asked
    )
    tags = echo_tags(settings, bits)
    orders = Orders(version, bits, echo_tags=tuple(tags), rules=rig.NO_FIELDS)
    fields = [f"{tag}={tag}" for tag in asked]
    [found] = sent_back(orders, lambda: orders.order("A", "|".join(fields) + "|"))
    assert sorted(found) == sorted(fields)


def test_fix_42_has_no_parties() -> None:
    orders = echoes(Version.FIX_4_2, OutTag.ECHO)
    [found] = sent_back(orders, lambda: orders.order("A", SAID + PARTIES + "47=A|109=C|"))
    assert found == words("109=C|1=ACC-7|207=XETR|18=6|47=A|9952=mine|20001=x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("453=0|", ""),
        ("453=2|448=a|447=D|452=1|", ""),
        ("453=1|448=a|447=D|452=1|448=b|", ""),
        ("453=x|448=a|", ""),
        ("453=65|448=a|", ""),
        ("453=1|", ""),
        (
            "453=2|448=a|9000=z|447=D|452=1|448=b|447=D|452=3|",
            "453=2|448=a|447=D|452=1|448=b|447=D|452=3",
        ),
        ("453=1|452=3|447=D|448=a|", "453=1|452=3|447=D|448=a"),
    ],
)  # fmt: skip
def test_a_group_comes_back_whole_or_not_at_all(text: str, expected: str) -> None:
    """Where the dictionary does not say what a group is, too."""
    orders = echoes(rules=rig.NO_FIELDS)
    [found] = sent_back(orders, lambda: orders.order("A", text + "581=3|"))
    assert found == [*(words(expected) if expected else []), "581=3"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("453=2|448=a|447=D|452=1|", (GROUP_COUNT_WRONG, 453)),
        ("453=1|448=a|447=D|452=1|448=b|", (GROUP_COUNT_WRONG, 453)),
        ("453=x|448=a|", (FORMAT_INCORRECT, 453)),
        ("453=65|448=a|", (GROUP_COUNT_WRONG, 453)),
        ("453=1|", (GROUP_COUNT_WRONG, 453)),
        ("453=1|452=3|447=D|448=a|", (GROUP_OUT_OF_ORDER, 452)),
    ],
)  # fmt: skip
def test_a_group_that_the_dictionary_knows_must_be_whole(
    text: str, problem: tuple[int, int]
) -> None:
    assert echoes().refused_order("A", text + "581=3|") == problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("453=0|", []),
        ("453=2|448=a|9000=z|447=D|452=1|448=b|447=D|452=3|",
         words("453=2|448=a|447=D|452=1|448=b|447=D|452=3")),
    ],
)  # fmt: skip
def test_a_group_with_a_tag_of_their_own_comes_back_without_it(
    text: str, expected: list[str]
) -> None:
    orders = echoes()
    [found] = sent_back(orders, lambda: orders.order("A", text + "581=3|"))
    assert found == [*expected, "581=3"]


@settings(max_examples=40)
@given(
    st.integers(0, 700),
    st.integers(0, 700),
    st.integers(0, 40),
    st.sampled_from([AT_ONCE, TO_DESK]),
)  # fmt: skip
def test_what_comes_back_is_cut_between_fields(
    account: int, own: int, parties: int, qty: int
) -> None:
    orders = echoes()
    group = f"453={parties}|" + "448=party|447=D|452=1|" * parties if parties else ""
    text = group + ("1=" + "a" * account + "|" if account else "")
    text += "20001=" + "b" * own + "|" if own else ""
    [found] = sent_back(orders, lambda: orders.order("A", text, t38=qty))
    expected: list[str] = []
    parts = [words(group)] if group else []
    parts += [[word] for word in words(text[len(group) :]) if word]
    size = 0
    for part in parts:
        more = sum(1 + len(word) for word in part)
        if size + more <= ECHO_SIZE_MAX:
            expected += part
            size += more
    assert found == expected
    orders.check_replay()


def test_a_replay_says_the_same() -> None:
    orders = echoes()
    orders.order("A", SAID + PARTIES)
    orders.order("B", SAID, t38=AT_ONCE)
    orders.replace("C", "A", PARTIES)
    orders.send("H", {11: "B", 54: "1", 790: "ask"})
    orders.desk(FILL, 1, px_e6=20_010_000)
    orders.check_replay()


# Times that clients write


@pytest.mark.parametrize("rules", [Version.FIX_4_4, rig.NO_FIELDS])
@pytest.mark.parametrize("text", [text for text in NO_TIMES if text])
def test_what_is_no_time(text: str, rules: int) -> None:
    orders = Orders(rules=rules)
    assert orders.refused("D", {11: "A", 54: "1", 38: 1, 40: "1", 126: text}) == (6, 126)


@pytest.mark.parametrize("rules", [Version.FIX_4_4, rig.NO_FIELDS])
@pytest.mark.parametrize("text", ["2025112", "202511233", "20250230", "today"])
def test_what_is_no_date(text: str, rules: int) -> None:
    orders = Orders(rules=rules)
    assert orders.refused("D", {11: "A", 54: "1", 38: 1, 40: "1", 432: text}) == (6, 432)


@pytest.mark.parametrize("end", [{"t432": "99991231"}, {"t126": "99991231-23:59:59"}])
def test_an_end_that_nobody_will_see(end: dict[str, str], orders: Orders) -> None:
    [report] = orders.order("A", t59="6", **end)
    assert report[150] == "0"
    assert orders.item["expire_ns"] == orders.engine.tables.params[0]["close_ns"]
