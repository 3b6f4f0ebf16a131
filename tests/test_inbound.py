"""The gateway's hot path: what a counterparty may send, at the edges of every size.

Whatever arrives, it is answered, left to Python by name, or skipped; nothing is written beside a
buffer, and the split of the bytes makes no difference.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine.enums import Reason
from gateway import inbound
from gateway.fix_read import FORMAT_INCORRECT, REQUIRED_TAG_MISSING, VALUE_INCORRECT
from gateway.wire import MESSAGE_SIZE_MAX, SessionState, Version, Wake
from tests import rig
from tests.firm import NOW_NS, firm, venue_quote
from tests.fix_text import fields_of, message, raw
from tests.test_oracle import Engine

HEAD = "35={}|49=CLIENT|56=SI|34={}|52=20251201-10:00:00|"
TERMS = {11: "A", 48: "DE0007164600", 22: "4", 54: "1", 38: "100", 40: "2", 44: "20.01", 59: "3"}
TERMS |= {60: "20251201-10:00:00"}


class Gateway:
    """One session logged on (0) and one connection that is not (1)."""

    def __init__(self, rules: int = Version.FIX_4_4) -> None:
        self.engine = Engine(firm(), "none")
        self.wires = rig.allocate()
        rig.log_on(self.wires, 0, "CLIENT")["rules"] = rules
        self.journal = jn.in_memory(4 << 20)
        self.engine.apply("venue_quote", venue_quote(19_990_000, 20_010_000), NOW_NS)

    def take(self, data: bytes, connection_id: int = 0) -> Wake:
        rig.receive(self.wires, connection_id, data)
        address = self.engine.policy.address
        tables = (self.engine.tables, self.engine.outbox, self.wires, self.journal)
        return Wake(inbound.drain(*tables, connection_id, NOW_NS, address))

    def send(self, msg_type: str, text: str) -> Wake:
        """The next message of the session."""
        return self.take(message(HEAD.format(msg_type, self.next_in) + text))

    def order(self, **changes: str | None) -> Wake:
        """An ordinary order; `t15="EUR"` adds a field, None takes one away."""
        fields: dict[int, Any] = TERMS | {int(tag[1:]): value for tag, value in changes.items()}
        given_ones = [f"{tag}={value}|" for tag, value in fields.items() if value is not None]
        return self.send("D", "".join(given_ones))

    @property
    def next_in(self) -> int:
        return int(self.wires.sessions[0]["next_in"])

    def answers(self) -> list[dict[int, str]]:
        data, found = rig.sent(self.wires, 0), []
        while data:
            end = data.index(b"\x0110=") + 8
            found.append(fields_of(data[:end]))
            data = data[end:]
        return found


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    assert made.wires.connections[0]["slow"] == 0


def test_an_order_is_answered(gateway: Gateway) -> None:
    assert gateway.order() == Wake.NOTHING
    [report] = gateway.answers()
    assert (report[11], report[150], report[31], report[32]) == ("A", "F", "20.01", "100")
    assert gateway.next_in == 2


MISSING: list[tuple[dict[str, str | None], int, int]] = [
    ({"t11": None}, REQUIRED_TAG_MISSING, 11),
    ({"t54": None}, REQUIRED_TAG_MISSING, 54),
    ({"t38": None}, REQUIRED_TAG_MISSING, 38),
    ({"t40": None}, REQUIRED_TAG_MISSING, 40),
    ({"t44": None}, REQUIRED_TAG_MISSING, 44),
]
BADLY_WRITTEN: list[tuple[dict[str, str | None], int, int]] = [
    ({"t38": "1e3"}, FORMAT_INCORRECT, 38),
    ({"t44": "20,01"}, FORMAT_INCORRECT, 44),
]
#: The dictionary knows that they are one character; a reader that is alone, that they are not ours.
LONG_CODES: list[tuple[dict[str, str | None], int]] = [
    ({"t54": "12"}, 54), ({"t40": "22"}, 40), ({"t59": "33"}, 59),
]  # fmt: skip
TOO_LONG = [(changes, FORMAT_INCORRECT, tag) for changes, tag in LONG_CODES]
NOT_ONE = [(changes, VALUE_INCORRECT, tag) for changes, tag in LONG_CODES]
NOT_LISTED: list[tuple[dict[str, str | None], int, int]] = [
    ({"t54": "z"}, VALUE_INCORRECT, 54),
    ({"t40": "z"}, VALUE_INCORRECT, 40),
    ({"t59": "z"}, VALUE_INCORRECT, 59),
]


@pytest.mark.parametrize(
    ("rules", "changes", "problem", "tag"),
    [(Version.FIX_4_4, *case) for case in MISSING + BADLY_WRITTEN + TOO_LONG + NOT_LISTED]
    + [(rig.NO_FIELDS, *case) for case in MISSING + BADLY_WRITTEN + NOT_ONE],
)
def test_what_no_rule_can_judge_is_left_to_python(
    rules: int, changes: dict[str, str | None], problem: int, tag: int
) -> None:
    gateway = Gateway(rules)
    assert gateway.order(**changes) == Wake.COLD_MESSAGE
    loop = gateway.wires.loop[0]
    assert (loop["cold_reason"], loop["cold_tag"]) == (problem, tag)
    assert gateway.next_in == 1 and gateway.answers() == []
    assert jn.position(gateway.journal) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"t54": "z"}, "SI-TYPE Side not supported: 54="),
        ({"t40": "z"}, "SI-TYPE OrdType not supported: 40="),
        ({"t59": "z"}, "SI-TYPE TimeInForce not supported: 59="),
    ],
)
def test_a_code_that_no_dictionary_judges_is_for_the_engine(
    changes: dict[str, str | None], words: str
) -> None:
    gateway = Gateway(rig.NO_FIELDS)
    assert gateway.order(**changes) == Wake.NOTHING
    [report] = gateway.answers()
    assert report[150] == "8" and report[58].startswith(words)


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"t38": "0"}, Reason.QTY_NOT_POSITIVE, "SI-QTY quantity not positive: 38=0 minimum 1"),
        ({"t38": "-5"}, Reason.QTY_NOT_POSITIVE, "SI-QTY quantity not positive: 38=-5 minimum 1"),
        ({"t38": "1.5"}, Reason.QTY_NOT_WHOLE, "SI-QTY quantity is not whole shares: 38=1"),
        (
            {"t38": "9" * 40},
            Reason.QTY_TOO_LARGE,
            "SI-QTY quantity too large: 38=9223372036854775807",
        ),
        ({"t54": "9"}, Reason.SIDE, "SI-TYPE Side not supported: 54=9"),
        ({"t40": "3"}, Reason.ORD_TYPE, "SI-TYPE OrdType not supported: 40=3"),
        ({"t40": "D"}, Reason.QUOTE_UNKNOWN, "SI-QUOTE no such quote was given to you (117)"),
        ({"t40": "P"}, Reason.PEG, "SI-TYPE only a peg to the midpoint"),
        ({"t59": "7"}, Reason.TIF, "SI-TYPE TimeInForce not supported: 59=7"),
        ({"t15": "USD"}, Reason.CURRENCY, "SI-TYPE currency is not the instrument's: 15=USD"),
        ({"t48": "XX"}, Reason.UNKNOWN_INSTRUMENT, "SI-INST instrument unknown: 48=XX"),
        (
            {"t48": "X" * 40},
            Reason.UNKNOWN_INSTRUMENT,
            "SI-INST instrument unknown: 48=" + "X" * 16,
        ),
        ({"t44": "20.015"}, Reason.PX_OFF_TICK, "SI-TICK price off tick: 44=20.015 tick 0.01"),
        (
            {"t11": "A" * 65},
            Reason.CLORDID_SIZE,
            "SI-TYPE ClOrdID too long, in characters: 11=65 limit 64",
        ),
    ],
)
def test_what_a_rule_can_judge_is_rejected_by_name(
    gateway: Gateway, changes: dict[str, str | None], reason: Reason, text: str
) -> None:
    assert gateway.order(**changes) == Wake.NOTHING
    assert gateway.engine.outbox.executions[0]["reason"] == reason
    [report] = gateway.answers()
    assert report[150] == "8" and report[58].startswith(text)


def test_pence_are_written_in_two_ways(gateway: Gateway) -> None:
    gateway.order(t15="GBp")
    gateway.order(t15="GBX", t11="B")
    assert [report[58] for report in gateway.answers()] == [
        "SI-TYPE currency is not the instrument's: 15=GBX expected EUR"
    ] * 2


@pytest.mark.parametrize("currency", ["E", "EURO", "\xff" * 8, "\xff" * 60])
def test_a_currency_of_any_bytes(gateway: Gateway, currency: str) -> None:
    gateway.order(t15=currency)
    [report] = gateway.answers()
    assert report[58].startswith(f"SI-TYPE currency is not the instrument's: 15={currency[:8]} ")


def test_the_longest_test_request_is_answered_in_full(gateway: Gateway) -> None:
    room = MESSAGE_SIZE_MAX - len(message(HEAD.format("1", 1) + "112=|")) - 3
    text = "x" * room
    whole = message(HEAD.format("1", 1) + f"112={text}|")
    assert len(whole) == MESSAGE_SIZE_MAX
    assert gateway.take(whole) == Wake.NOTHING
    [answer] = gateway.answers()
    assert (answer[35], answer[112]) == ("0", text)


@pytest.mark.parametrize("connection_id", [0, 1])
@pytest.mark.parametrize("size", ["9223372036854775807", "9" * 40, "99999"])
def test_a_data_field_that_claims_more_than_there_is(
    gateway: Gateway, connection_id: int, size: str
) -> None:
    """Its size is what the other side says: even before a Logon it must not lead anywhere."""
    data = message(HEAD.format("D", 1) + f"95={size}|96=x|11=A|")
    assert gateway.take(data, connection_id) == Wake.COLD_MESSAGE
    assert jn.position(gateway.journal) == 0


def test_what_is_out_of_the_ordinary_is_left_to_python(gateway: Gateway) -> None:
    ordinary = HEAD.format("0", 1)
    for changed in (
        ordinary.replace("35=0", "35=AE"),
        ordinary.replace("35=0", "35=2"),
        ordinary.replace("34=1", "34=2"),
        ordinary.replace("34=1", "34=0"),
        ordinary.replace("34=1", "34=x"),
        ordinary.replace("49=CLIENT", "49=CLIENTS"),
        ordinary.replace("49=CLIENT", "49=CLIEN"),
        ordinary.replace("56=SI", "56=SJ"),
        ordinary.replace("52=20251201-10:00:00|", ""),
        HEAD.format("1", 1),  # no TestReqID(112)
    ):
        gateway.wires.connections[0]["rx_start"] = gateway.wires.connections[0]["rx_end"] = 0
        assert gateway.take(message(changed)) == Wake.COLD_MESSAGE, changed
    gateway.wires.connections[0]["rx_start"] = gateway.wires.connections[0]["rx_end"] = 0
    assert gateway.take(message(ordinary, begin="FIX.4.2")) == Wake.COLD_MESSAGE
    gateway.wires.connections[0]["rx_start"] = gateway.wires.connections[0]["rx_end"] = 0
    gateway.wires.sessions[0]["state"] = SessionState.LOGGING_OUT
    assert gateway.take(message(ordinary)) == Wake.COLD_MESSAGE
    assert gateway.next_in == 1 and jn.position(gateway.journal) == 0


def traffic() -> bytes:
    """Orders, noise, a request, a damaged message, a cancel: in sequence but for the damaged."""

    def order(seq: int, clordid: str) -> bytes:
        fields = "".join(f"{tag}={value}|" for tag, value in (TERMS | {11: clordid}).items())
        return message(HEAD.format("D", seq) + fields)

    damaged = order(2, "X").replace(b"38=100", b"38=900")
    cancel = message(HEAD.format("F", 4) + "11=C|41=A|54=1|")
    request = message(HEAD.format("1", 3) + "112=hello|")
    return order(1, "A") + b"noise" + order(2, "B") + damaged + request + cancel + order(5, "D")


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(traffic())), max_size=10))
def test_the_split_of_the_bytes_makes_no_difference(cuts: list[int]) -> None:
    whole, split, data = Gateway(), Gateway(), traffic()
    assert whole.take(data) == Wake.NOTHING
    cuts = sorted(cuts)
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        assert split.take(data[start:end]) == Wake.NOTHING
    answers = whole.answers()
    assert [answer[35] for answer in answers] == ["8", "8", "0", "9", "8"]
    assert split.answers() == answers
    assert whole.wires.sessions[0].tobytes() == split.wires.sessions[0].tobytes()


def test_byte_by_byte_and_with_a_tail() -> None:
    whole, single, data = Gateway(), Gateway(), traffic()
    tail = raw("8=FIX.4.4|9=70|35=D|")
    assert whole.take(data + tail) == Wake.NOTHING
    for i in range(len(data)):
        assert single.take(data[i : i + 1]) == Wake.NOTHING
    assert whole.answers() == single.answers()
    connection = whole.wires.connections[0]
    left = whole.wires.rx[0, connection["rx_start"] : connection["rx_end"]]
    assert left.tobytes() == tail
