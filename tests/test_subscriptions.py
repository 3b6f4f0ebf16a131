"""MarketDataRequests that can and cannot be: whatever one says, it is answered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import fix_message
from gateway.wire import (
    REQUESTS_MAX,
)
from tests.fix_text import SHARED_FIX, message, pairs_of
from tests.quote_rig import E6, Gateway, isin
from tests.stock_dictionary import problems

# --- requests that cannot be ----------------------------------------------------------------------

SYMBOL = f"146=1|55={isin(1)}|"
SIDES = "267=2|269=0|269=1|"


@pytest.mark.parametrize(
    ("fields", "reason", "text"),
    [
        (f"263=3|264=1|{SIDES}{SYMBOL}", "4", "SubscriptionRequestType is not 0, 1 or 2: 263=3"),
        (f"264=1|{SIDES}{SYMBOL}", "4", "SubscriptionRequestType is not 0, 1 or 2: 263=(none)"),
        (f"263=1|264=5|{SIDES}{SYMBOL}", "5",
         "MarketDepth is not 0 or 1, we have one level: 264=5"),
        (f"263=1|264=1|265=2|{SIDES}{SYMBOL}", "6", "MDUpdateType is not 0 or 1: 265=2"),
        (f"263=1|264=1|267=1|269=2|{SYMBOL}", "8", "MDEntryType is not 0 or 1: 269=2"),
        (f"263=1|264=1|{SIDES}146=1|55=NOWHERE|", "0", "instrument unknown: 48=NOWHERE"),
        (f"263=1|264=1|{SIDES}146=1|55=A|48=B|22=2|", "0",
         "SecurityIDSource is not 4 (ISIN): 22=2"),
        (f"263=1|264=1|{SIDES}", "", "repeating group missing: 146"),
        (f"263=1|264=1|{SIDES}146=2|55={isin(1)}|", "",
         "group count is not its entries: 146=2, 1 found"),
        (f"263=1|264=1|{SIDES}146=0|", "", "group count is not its entries: 146=0, 0 found"),
        (f"263=1|264=1|267=x|269=0|{SYMBOL}", "",
         "group count is not its entries: 267=x, 1 found"),
        (f"263=1|264=1|{SYMBOL}", "", "repeating group missing: 267"),
        ("263=2|", "", "no subscription has this MDReqID: 262=Q"),
        (f"263=1|264=1|{SIDES}146=1|55=DE000SAMPL05|", "0",
         "not an SI in this instrument: 48=DE000SAMPL05"),
        (f"263=1|264=1|{SIDES}146=1|55=DE000SAMPL03|", "1",
         "already subscribed by 262=TAKEN: 48=DE000SAMPL03"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(fields: str, reason: str, text: str) -> None:
    made = Gateway()
    made.tables.instruments[5]["si"] = 0
    made.subscribe([3], name="TAKEN")
    made.told()
    before = made.wire.wanted.copy()
    assert made.ask(f"262=Q|{fields}") == 0
    [raw] = made.sent()
    said = dict(pairs_of(raw))
    assert (said[35], said[262], said[58].decode()) == (b"Y", b"Q", f"SI-MD {text}")
    assert said.get(281, b"").decode() == reason
    assert (made.wire.wanted == before).all()
    if SHARED_FIX.exists():
        assert problems(raw) == []


def test_a_request_needs_its_number() -> None:
    made = Gateway()
    assert made.ask(f"263=1|264=1|{SIDES}{SYMBOL}") == 262
    assert made.sent() == []


def test_a_number_in_use_or_too_long_is_refused() -> None:
    made = Gateway()
    made.subscribe([1], name="A")
    made.told()
    made.subscribe([2], name="A")
    made.subscribe([2], name="A" * 65)
    made.settings("quote", isin(3))
    made.subscribe([3], name="B")
    assert [dict(pairs_of(raw))[58].decode() for raw in made.sent()] == [
        "SI-MD a subscription has this MDReqID: 262=A",
        "SI-MD MDReqID too long, in characters: 262=65 limit 64",
        f"SI-MD already subscribed by the session's settings: 48={isin(3)}",
    ]


def test_no_room_is_said() -> None:
    made = Gateway()
    made.wire.requests["session"][1:] = 9
    made.subscribe([1])
    [raw] = made.sent()
    said = dict(pairs_of(raw))
    assert said[281] == b"2"
    assert said[58] == b"SI-MD too many subscriptions, limit %d" % (REQUESTS_MAX - 1)
    made.settings("quote")
    assert made.told() == []


@given(st.lists(st.tuples(st.sampled_from("262 263 264 265 267 269 146 55 48 22 336".split()),
                          st.sampled_from(["", "0", "1", "2", "9", "x", isin(1), "\xff" * 70])),
                max_size=14))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_request_is_answered_once(fields: list[tuple[str, str]]) -> None:
    """Whatever it says: refused, or the instruments are subscribed; nothing is raised."""
    made = Gateway()
    made.quote(1, 20 * E6)
    head = "35=V|49=CLIENT0|56=SI|34=2|52=20251201-10:00:00|"
    raw = message(head + "".join(f"{tag}={value}|" for tag, value in fields if value))
    missing = made.subscriptions.request(0, fix_message.read(raw))
    kinds = [line[0] for line in made.told()]
    assert missing in (0, 262)
    assert kinds in ([], ["Y"], ["W"], ["W", "W"]) or set(kinds) == {"W"}
    assert (missing == 262) == (kinds == []) or made.wire.loop[0]["streams"] == 0
