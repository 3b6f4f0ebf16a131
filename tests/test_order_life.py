"""Every event in every state of an order (FIX 4.4 volume 4, appendix D), as FIX bytes.

An order that is answered at once is final with its first report; the states in between are those
of an order that waits for the desk. Each test ends with a replay of its journal.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from engine import journal as jn
from engine.enums import DeskState, OrderState, Reason
from engine.limits import MASS_MAX
from engine.tables import rebuild_indexes
from gateway import mass_request
from gateway.inbound import DONE
from gateway.requests import AGAIN, on_request
from gateway.wire import CONNECTIONS_MAX
from tests import rig
from tests.firm import NOW_NS, PARAMS, firm
from tests.order_rig import (
    AT_ONCE,
    CLAIM,
    DECLINE,
    FILL,
    ISIN,
    KILL,
    QUOTE,
    TO_DESK,
    Orders,
    Report,
    progress,
)
from tests.test_oracle import to_record
from tests.world import SECOND

pytestmark = pytest.mark.heavy

TTL_NS = PARAMS["desk_ttl_ns"]
PX = 20_010_000


@pytest.fixture
def orders() -> Iterator[Orders]:
    made = Orders()
    yield made
    made.check_replay()


# The states, and how an order gets there


def new(orders: Orders) -> None:
    orders.order("A")


def claimed(orders: Orders) -> None:
    new(orders)
    orders.desk(CLAIM, 1)


def quoted(orders: Orders) -> None:
    new(orders)
    orders.desk(QUOTE, 1, px_e6=PX)


def replaced(orders: Orders) -> None:
    new(orders)
    orders.replace("B", "A", t38=1_500)
    orders.replace("C", "B", t38=TO_DESK)


def partly_filled(orders: Orders) -> None:
    new(orders)
    orders.desk(FILL, 1, qty=500, px_e6=PX)


def part_then_replaced(orders: Orders) -> None:
    partly_filled(orders)
    orders.replace("B", "A")


def filled(orders: Orders) -> None:
    new(orders)
    orders.desk(FILL, 1, px_e6=PX)


def filled_at_once(orders: Orders) -> None:
    orders.order("A", t38=AT_ONCE)


def cancelled(orders: Orders) -> None:
    new(orders)
    orders.cancel("X", "A")


def not_marketable(orders: Orders) -> None:
    orders.order("A", t38=AT_ONCE, t44="19.00")


def rejected(orders: Orders) -> None:
    orders.order("A", t38="0")


def expired(orders: Orders) -> None:
    new(orders)
    orders.at(TTL_NS)


def declined(orders: Orders) -> None:
    new(orders)
    orders.desk(DECLINE, 1)


State = Callable[[Orders], None]
UNFILLED: list[State] = [new, claimed, quoted, replaced]
PART: list[State] = [partly_filled, part_then_replaced]
#: Final states with OrdStatus(39), CumQty(14) and OrderQty(38).
FINAL: dict[State, tuple[str, int, int]] = {
    filled: ("2", TO_DESK, TO_DESK),
    filled_at_once: ("2", AT_ONCE, AT_ONCE),
    cancelled: ("4", 0, TO_DESK),
    not_marketable: ("4", 0, AT_ONCE),
    rejected: ("8", 0, 0),
    expired: ("C", 0, TO_DESK),
    declined: ("4", 0, TO_DESK),
}

Event = Callable[[Orders], list[Report]]


def replace_by(qty: int) -> Event:
    return lambda orders: orders.replace("Z", "A", t38=qty)


EVENTS: dict[str, Event] = {
    "cancel": lambda orders: orders.cancel("Z", "A"),
    "replace up": replace_by(3_000),
    "replace to what is filled": replace_by(500),
    "replace under what is filled": replace_by(499),
    "status": lambda orders: orders.send("H", {11: "A", 54: "1", 48: ISIN}),
    "mass cancel": lambda orders: orders.send("q", {11: "Z", 530: "7"}),
    "mass status": lambda orders: orders.send("AF", {584: "Z", 585: "7"}),
    "desk fills a part": lambda orders: orders.desk(FILL, 1, qty=100, px_e6=PX),
    "desk fills the rest": lambda orders: orders.desk(FILL, 1, px_e6=PX),
    "desk declines": lambda orders: orders.desk(DECLINE, 1),
    "desk quotes": lambda orders: orders.desk(QUOTE, 1, px_e6=PX),
    "time passes": lambda orders: orders.at(TTL_NS),
}

Row = tuple[str | None, ...]
#: ExecType, OrdStatus, LeavesQty, CumQty of every report; "9" and "r" are those messages.
OPEN_AND_UNFILLED: dict[str, list[Row]] = {
    "cancel": [("4", "4", "0", "0")],
    "replace up": [("5", "0", "3000", "0")],
    "replace to what is filled": [("5", "0", "500", "0")],
    "replace under what is filled": [("5", "0", "499", "0")],
    "status": [("I", "0", "2000", "0")],
    "mass cancel": [("4", "4", "0", "0"), ("r", "7", "1")],
    "mass status": [("I", "0", "2000", "0")],
    "desk fills a part": [("F", "1", "1900", "100")],
    "desk fills the rest": [("F", "2", "0", "2000")],
    "desk declines": [("4", "4", "0", "0")],
    "desk quotes": [("I", "0", "2000", "0")],
    "time passes": [("C", "C", "0", "0")],
}
OPEN_IN_PART: dict[str, list[Row]] = {
    "cancel": [("4", "4", "0", "500")],
    "replace up": [("5", "1", "2500", "500")],
    "replace to what is filled": [("5", "2", "0", "500")],
    "replace under what is filled": [("9", "1", "2", "2")],
    "status": [("I", "1", "1500", "500")],
    "mass cancel": [("4", "4", "0", "500"), ("r", "7", "1")],
    "mass status": [("I", "1", "1500", "500")],
    "desk fills a part": [("F", "1", "1400", "600")],
    "desk fills the rest": [("F", "2", "0", "2000")],
    "desk declines": [("4", "4", "0", "500")],
    "desk quotes": [("I", "1", "1500", "500")],
    "time passes": [("C", "C", "0", "500")],
}


def of_final(status: str, filled_qty: int) -> dict[str, list[Row]]:
    """Whatever is asked then, nothing changes: too late (102=0), or what it is."""
    late = {name: [("9", status, "2", "0")] for name in EVENTS if name.startswith("replace")}
    desk = {name: [] for name in EVENTS if name.startswith("desk")}
    return late | desk | {
        "cancel": [("9", status, "1", "0")],
        "status": [("I", status, "0", str(filled_qty))],
        "mass cancel": [("r", "7", "0")],
        "mass status": [("I", "8", "0", "0")],
        "time passes": [],
    }  # fmt: skip


EXPECTED: dict[State, dict[str, list[Row]]] = (
    dict.fromkeys(UNFILLED, OPEN_AND_UNFILLED)
    | dict.fromkeys(PART, OPEN_IN_PART)
    | {state: of_final(status, done) for state, (status, done, _) in FINAL.items()}
)


def told(report: Report) -> Row:
    if report[35] == "9":  # OrdStatus, CxlRejResponseTo, CxlRejReason
        return ("9", report[39], report[434], report[102])
    if report[35] == "r":
        return ("r", report[531], report[533])
    return progress(report)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", EXPECTED, ids=lambda state: state.__name__)
def test_every_event_in_every_state(state: State, event: str, orders: Orders) -> None:
    state(orders)
    before = orders.engine.tables.positions[0]["qty"]
    reports = EVENTS[event](orders)
    assert [told(report) for report in reports] == EXPECTED[state][event]
    for report in reports:
        if report[35] == "8" and report[39] != "8":
            live = report[39] in "01"
            qty, leaves, cum = (int(report[tag]) for tag in (38, 151, 14))
            assert leaves == (qty - cum if live else 0)
            assert report[37] == "1"
    if state in FINAL:
        assert orders.engine.tables.positions[0]["qty"] == before


def test_the_states_are_all_there() -> None:
    final = {status for status, _, _ in FINAL.values()}
    assert final == {"2", "4", "8", "C"}
    assert all(set(events) == set(EVENTS) for events in EXPECTED.values())
    assert len(OrderState) == 1 + 2 + len(final)


# Replace


def test_every_name_an_order_had_finds_it(orders: Orders) -> None:
    replaced(orders)
    for name in ("A", "B", "C"):
        [report] = orders.send("H", {11: name, 54: "1"})
        assert (report[11], report[37]) == ("C", "1")
    [report] = orders.replace("D", "A", t38=1_700)
    assert (report[11], report[41], report[38]) == ("D", "A", "1700")
    [report] = orders.cancel("E", "B")
    assert (report[11], report[41], report[150]) == ("E", "B", "4")


def test_an_order_id_will_do(orders: Orders) -> None:
    new(orders)
    [report] = orders.send("H", {37: "1", 54: "1", 790: "ask"})
    assert (report[11], report[790], report[39]) == ("A", "ask", "0")
    [report] = orders.send("H", {11: "never", 37: "2", 54: "1"})
    assert (report[11], report[39]) == ("never", "8")
    [report] = orders.send("F", {11: "B", 37: "1", 54: "1", 48: ISIN})
    assert (report[11], report[41], report[150]) == ("B", "A", "4")
    assert orders.refused("H", {54: "1", 37: "NONE"}) == (1, 11)
    assert orders.refused("F", {54: "1", 11: "C"}) == (1, 41)


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"t54": "2"}, "2", "SI-ORDER a replacement keeps the side: 54=2 was 1"),
        ({"t48": "XS1"}, "2", "SI-ORDER a replacement keeps the instrument: 48=" + ISIN),
        ({"t11": "A"}, "6", "SI-DUP ClOrdID used before in this session: 11=A"),
        ({"t11": "Z" * 65}, "2", "SI-TYPE ClOrdID too long, in characters: 11=65 limit 64"),
        ({"t22": "2"}, "2", "SI-INST SecurityID must be an ISIN (22=4): 22=2"),
        ({"t44": "20.015"}, "2", "SI-TICK price off tick: 44=20.015 tick 0.01"),
        ({"t44": "25.00"}, "2", "SI-COLLAR price too far"),
        ({"t59": "7"}, "2", "SI-TYPE TimeInForce not supported: 59=7"),
        ({"t40": "3"}, "2", "SI-TYPE OrdType not supported: 40=3"),
        ({"t38": "1.5"}, "2", "SI-QTY quantity is not whole shares: 38=1"),
        ({"t110": "2001"}, "2", "SI-QTY minimum quantity not possible: 110=2001 limit 2000"),
    ],
)
def test_what_a_replacement_may_not_be(
    changes: dict[str, Any], code: str, text: str, orders: Orders
) -> None:
    new(orders)
    before = orders.item.tobytes()
    [report] = orders.replace("B", "A", **changes)
    assert (report[35], report[434], report[102], report[39]) == ("9", "2", code, "0")
    assert report[58].startswith(text)
    assert orders.item.tobytes() == before


def test_an_unknown_order_is_not_replaced(orders: Orders) -> None:
    [report] = orders.replace("B", "never")
    assert (report[37], report[41], report[39], report[102]) == ("NONE", "never", "8", "1")
    [report] = orders.replace("B", "x" * 65)
    assert (report[41], report[102]) == ("NONE", "1")


def test_what_the_desk_quoted_is_void(orders: Orders) -> None:
    quoted(orders)
    orders.now_ns += SECOND
    orders.replace("B", "A", t40="1", t44=None, t59="3")
    item = orders.item
    assert (item["state"], item["quote_px_e6"], item["trader"]) == (DeskState.QUEUED, 0, 0)
    assert (item["ord_type"], item["limit_px_e6"], item["tif"], item["replaced"]) == (1, 0, 3, 1)
    assert item["deadline_ns"] == orders.now_ns + TTL_NS
    orders.desk(FILL, 1)
    assert orders.desk_reason() == Reason.ITEM_NO_PX
    assert [told(report) for report in orders.desk(FILL, 1, qty=600, px_e6=PX)] == [
        ("F", "1", "1400", "600"),
        ("4", "4", "0", "600"),
    ]


def test_the_names_are_found_after_a_snapshot(orders: Orders) -> None:
    replaced(orders)
    orders.order("other")
    rebuild_indexes(orders.engine.tables)
    for name, order_id in (("A", "1"), ("B", "1"), ("C", "1"), ("other", "2"), ("D", "NONE")):
        [report] = orders.send("H", {11: name, 54: "1"})
        assert report[37] == order_id
    assert orders.order("A")[0][58].startswith("SI-DUP")


def test_no_room_for_more_replacements() -> None:
    orders = Orders(world=firm()._replace(orders_max=16))
    new(orders)
    for n, name in enumerate(("B", "C")):
        assert orders.replace(name, "A", t38=1_500 + n)[0][150] == "5"
    [report] = orders.replace("D", "A")
    assert report[58] == "SI-LIMIT-CAPACITY no room for more replacements: 11=2 limit 2"
    assert orders.send("H", {11: "D", 54: "1"})[0][39] == "8"
    orders.check_replay()


def test_a_stopped_client_may_cancel_but_not_change(orders: Orders) -> None:
    new(orders)
    orders.desk(KILL, 0, scope=1)
    assert orders.replace("B", "A")[0][35] == "9"
    assert orders.cancel("C", "A")[0][150] == "4"


# PossResend


def test_an_order_sent_again_is_passed_over(orders: Orders) -> None:
    """FIX 4.4 volume 2, test case 19.a."""
    new(orders)
    before = orders.engine.tables.counters[0].tobytes()
    assert orders.send("D", {97: "Y", 11: "A"} | {54: "1", 48: ISIN, 38: 1, 40: "1"}) == []
    assert orders.wires.sessions[0]["next_in"] == 3
    assert orders.engine.tables.counters[0].tobytes() == before
    assert orders.order("B", t97="Y")[0][150] == "0"
    assert orders.order("B", t97="N")[0][58].startswith("SI-DUP")
    assert orders.replace("C", "B", t97="Y")[0][150] == "5"
    assert orders.replace("C", "B", t97="Y") == []


# Requests about many orders


def many(count: int, journal_size: int = 16 << 20) -> Orders:
    world = firm()._replace(orders_max=512, desk_max=256)
    orders = Orders(world=world, journal_size=journal_size)
    for n in range(count):
        orders.order(f"A{n}", t54="1" if n % 2 else "2", t44="20.00")
    return orders


def test_a_mass_cancel_in_pieces() -> None:
    count = 2 * MASS_MAX + 5
    orders = many(count)
    first = int(orders.journal.writer[0]["seq"])
    *cancels, report = orders.send("q", {11: "M", 530: "7"})
    assert [cancel[41] for cancel in cancels] == [f"A{n}" for n in range(count)]
    assert {cancel[11] for cancel in cancels} == {"M"}
    assert (report[35], report[531], report[533], report[11]) == ("r", "7", str(count), "M")
    assert orders.engine.tables.counters[0]["desk_open"] == 0
    kinds = [(kind, seq) for kind, seq in frames(orders, first) if kind == jn.MASS_CANCEL]
    assert kinds == [(jn.MASS_CANCEL, 0), (jn.MASS_CANCEL, 0), (jn.MASS_CANCEL, count + 1)]
    orders.check_replay()


def frames(orders: Orders, after: int) -> list[tuple[int, int]]:
    """Kind and FIX number of the frames behind a number."""
    words, at, found = orders.journal.words, 0, []
    while words[at] != 0:
        if words[at + jn.SEQ] > after:
            found.append((int(words[at + jn.KIND]), int(words[at + jn.FIX_SEQ])))
        at += int(words[at]) >> 3
    return found


@pytest.mark.parametrize(("count", "pieces"), [(MASS_MAX, 1), (MASS_MAX + 1, 2)])
def test_a_mass_status_in_pieces(count: int, pieces: int) -> None:
    orders = many(count)
    first = int(orders.journal.writer[0]["seq"])
    reports = orders.send("AF", {584: "S", 585: "7"})
    assert [report[11] for report in reports] == [f"A{n}" for n in range(count)]
    assert {(report[584], report[911], report[150]) for report in reports} == {
        ("S", str(count), "I")
    }
    assert [report[912] for report in reports] == ["N"] * (count - 1) + ["Y"]
    kinds = [kind for kind, _ in frames(orders, first)]
    assert kinds.count(jn.MASS_STATUS) == pieces
    orders.check_replay()


@pytest.mark.parametrize("fields", [{11: "M", 530: "7"}, {584: "S", 585: "7"}])
def test_a_mass_request_is_done_in_pieces(fields: dict[int, str]) -> None:
    """Each piece is an input of its own; the message's number is used by the last one."""
    count = 2 * MASS_MAX
    orders = many(count)
    msg_type = "q" if 11 in fields else "AF"
    next_in = int(orders.wires.sessions[0]["next_in"])
    raw = orders.text(msg_type, fields)
    orders.wires.rx[CONNECTIONS_MAX, : len(raw)] = np.frombuffer(raw, np.uint8)
    orders.wires.connections[CONNECTIONS_MAX]["session"] = 0
    address = orders.engine.policy.address
    outcomes = []
    while not outcomes or outcomes[-1] == AGAIN:
        assert orders.wires.sessions[0]["next_in"] == next_in
        done = on_request(*orders.all, CONNECTIONS_MAX, len(raw), orders.now_ns, address)
        outcomes.append(done)
    assert outcomes == [AGAIN, DONE]
    assert orders.wires.sessions[0]["next_in"] == next_in + 1
    reports = orders.reports()
    told_in_all = reports[-1][533 if msg_type == "q" else 911]
    assert (len(reports), told_in_all) == (count + (msg_type == "q"), str(count))


@pytest.mark.parametrize(
    ("fields", "cancelled_ones"),
    [
        ({530: "1", 48: ISIN}, ["A0", "A1", "A2", "A3"]),
        ({530: "1", 55: ISIN, 54: "1"}, ["A1", "A3"]),
        ({530: "7", 54: "2"}, ["A0", "A2"]),
        ({530: "7", 54: "5"}, []),
    ],
)
def test_what_a_mass_cancel_is_about(fields: dict[int, str], cancelled_ones: list[str]) -> None:
    orders = many(4)
    *cancels, report = orders.send("q", {11: "M"} | fields)
    assert [cancel[41] for cancel in cancels] == cancelled_ones
    assert (report[530], report[531]) == (fields[530], fields[530])
    assert report[533] == str(len(cancelled_ones))
    orders.check_replay()


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({530: "1", 48: "XS1"}, "1", "SI-INST instrument unknown: 48=XS1"),
        ({530: "1"}, "1", "SI-INST instrument unknown: 48="),
        ({530: "1", 48: ISIN, 22: "2"}, "1", "SI-INST SecurityID must be an ISIN (22=4): 22=2"),
        ({530: "3"}, "0", "SI-TYPE only one security (1) or all orders (7), asked for: 3"),
        ({530: "7", 453: "1"}, "0", "SI-TYPE a mass request is not narrowed by parties"),
    ],
)
def test_mass_cancels_that_are_not_done(
    fields: dict[int, str], code: str, text: str, orders: Orders
) -> None:
    new(orders)
    [report] = orders.send("q", {11: "M"} | fields)
    assert (report[35], report[531], report[532]) == ("r", "0", code)
    assert report[58].startswith(text) and 533 not in report
    assert orders.engine.tables.counters[0]["desk_open"] == 1


def test_mass_statuses_of_nothing(orders: Orders) -> None:
    [report] = orders.send("AF", {584: "S", 585: "7"})
    assert (report[584], report[911], report[912], report[39]) == ("S", "1", "Y", "8")
    assert report[58] == "SI-ORDER no open order"
    [report] = orders.send("AF", {584: "S", 585: "2"})
    assert report[58].startswith("SI-TYPE only one security") and report[912] == "Y"


@pytest.mark.parametrize(
    ("msg_type", "fields", "problem"),
    [
        ("q", {530: "7"}, (1, 11)),
        ("q", {11: "M"}, (1, 530)),
        ("q", {11: "M", 530: "8"}, (5, 530)),
        ("q", {11: "M", 530: "z"}, (5, 530)),
        ("AF", {585: "7"}, (1, 584)),
        ("AF", {584: "S"}, (1, 585)),
        ("AF", {584: "S" * 65, 585: "7"}, (5, 584)),
        ("H", {11: "A", 54: "1", 790: "S" * 65}, (5, 790)),
    ],
)
def test_mass_requests_that_are_none(
    msg_type: str, fields: dict[int, str], problem: tuple[int, int], orders: Orders
) -> None:
    assert orders.refused(msg_type, fields) == problem
    assert Orders(rules=rig.NO_FIELDS).refused(msg_type, fields) == problem


def test_a_scope_of_two_characters(orders: Orders) -> None:
    two = {11: "M", 530: "11"}
    assert orders.refused("q", two) == (6, 530)
    assert Orders(rules=rig.NO_FIELDS).refused("q", two) == (5, 530)


def test_a_session_that_is_gone() -> None:
    orders = many(MASS_MAX + 1)
    from_shell = to_record(orders.wires.event.dtype, {})
    assert not mass_request.cancel_session(*orders.all, from_shell, 0, orders.now_ns)
    assert mass_request.cancel_session(*orders.all, from_shell, 0, orders.now_ns)
    reports = orders.reports()
    assert {(report[150], 41 in report) for report in reports} == {("4", False)}
    assert [report[11] for report in reports] == [f"A{n}" for n in range(MASS_MAX + 1)]
    orders.check_replay()


def test_other_sessions_keep_their_orders(orders: Orders) -> None:
    new(orders)
    event = to_record(orders.wires.event.dtype, {})
    assert mass_request.cancel_session(*orders.all, event, 1, orders.now_ns)
    assert orders.engine.tables.counters[0]["desk_open"] == 1


# Time


def stamp(ts_ns: int) -> str:
    """Of the day of NOW_NS, 09:00 UTC."""
    seconds, nanos = divmod(ts_ns - NOW_NS, SECOND)
    return f"20251123-09:{seconds // 60:02}:{seconds % 60:02}.{nanos:09}"


def test_an_order_ends_at_its_own_time(orders: Orders) -> None:
    end_ns = NOW_NS + SECOND + 7
    orders.order("A", t59="6", t126=stamp(end_ns))
    assert orders.item["deadline_ns"] == orders.item["expire_ns"] == end_ns
    assert orders.at(SECOND + 6) == []
    orders.desk(FILL, 1, qty=1, px_e6=PX)
    assert orders.desk_reason() == Reason.NONE
    orders.now_ns += 1
    orders.desk(FILL, 1, qty=1, px_e6=PX)
    assert orders.desk_reason() == Reason.ITEM_EXPIRED
    [report] = orders.at(0)
    assert progress(report) == ("C", "C", "0", "1")
    assert report[58] == "SI-DESK the order's own time has passed: 126=" + stamp(end_ns)[:-3]


def test_an_order_ends_with_the_day() -> None:
    orders = Orders(world=firm({"close_ns": NOW_NS + 10 * SECOND}))
    orders.order("A", t59="6", t432="20251123")
    assert orders.item["expire_ns"] == NOW_NS + 10 * SECOND
    orders.replace("B", "A", t59="6", t126=stamp(NOW_NS + 5 * SECOND))
    assert orders.item["deadline_ns"] == NOW_NS + 5 * SECOND
    orders.replace("C", "A", t59="0", t126=stamp(NOW_NS + 5 * SECOND))
    assert (orders.item["expire_ns"], orders.item["deadline_ns"]) == (0, NOW_NS + TTL_NS)
    orders.check_replay()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"t59": "6"}, "SI-TYPE ExpireTime(126) or ExpireDate(432) is missing: 59=6"),
        ({"t59": "6", "t126": stamp(NOW_NS)}, "SI-TYPE expiry is in the past: 126="),
        ({"t59": "6", "t432": "20251122"}, "SI-TYPE expiry is in the past: 126=20251123-00:00"),
        ({"t59": "7"}, "SI-TYPE TimeInForce not supported: 59=7"),
        ({"t59": "1"}, "SI-TYPE TimeInForce not supported: 59=1"),
        ({"t110": "2001"}, "SI-QTY minimum quantity not possible: 110=2001 limit 2000"),
        ({"t110": "-1"}, "SI-QTY minimum quantity not possible: 110=-1 limit 2000"),
        ({"t110": "1.5"}, "SI-QTY minimum quantity not possible: 110=1 limit 2000"),
        ({"t2704": "1"}, "SI-TYPE only a trading venue is allowed, we are none: 2704=1"),
        ({"t2704": "4"}, "SI-TYPE ExDestinationType not supported: 2704=4"),
        ({"t2704": "12"}, "SI-TYPE ExDestinationType not supported: 2704=?"),
        ({"t22": "2", "t48": "7097328"}, "SI-INST SecurityID must be an ISIN (22=4): 22=2"),
        ({"t40": "3", "t117": "Q1"}, "SI-TYPE OrdType not supported: 40=3"),
        ({"t40": "D", "t117": "Q1"}, "SI-QUOTE no such quote was given to you (117)"),
    ],
)
def test_conditions_that_are_not_met(fields: dict[str, str], text: str, orders: Orders) -> None:
    [report] = orders.order("A", **fields)
    assert (report[150], report[39]) == ("8", "8")
    assert report[58].startswith(text)


@pytest.mark.parametrize("code", ["0", "2", "3"])
def test_permission_to_internalise(code: str, orders: Orders) -> None:
    [report] = orders.order("A", t38=AT_ONCE, t2704=code, t110=AT_ONCE)
    assert report[150] == "F"


def test_the_first_fill_is_not_under_the_minimum(orders: Orders) -> None:
    orders.order("A", t110="500")
    orders.desk(FILL, 1, qty=499, px_e6=PX)
    assert orders.desk_reason() == Reason.ITEM_MIN_QTY
    assert progress(orders.desk(FILL, 1, qty=500, px_e6=PX)[0]) == ("F", "1", "1500", "500")
    assert progress(orders.desk(FILL, 1, qty=1, px_e6=PX)[0]) == ("F", "1", "1499", "501")
