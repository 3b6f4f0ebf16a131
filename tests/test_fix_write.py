"""Reports as bytes: read back by simplefix, numbers by Python, fields by the stock dictionary.

Each kind of execution becomes one whole message; each Reason says its tag, its value and its limit.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import schema
from engine.enums import ExecKind, OrderState, Reason
from engine.limits import INT64_MAX
from engine.reasons import WORDS, Unit
from gateway import execution_report, fix_write
from gateway.wire import Wire
from tests import rig
from tests.fix_text import SHARED_FIX, fields_of
from tests.stock_dictionary import problems

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = (datetime(2201, 1, 1, tzinfo=UTC) - EPOCH).days
TS_NS = 1_764_583_200_123_456_789
TIME = "20251201-10:00:00.123456"
ISIN = "DE0007164600"
CLIENT, MIFID_CLIENT = 0, 1

HEAD = {8: "FIX.4.4", 34: "7", 49: "SI", 56: "CLIENT", 52: TIME, 60: TIME}
INSTRUMENT = {55: ISIN, 48: ISIN, 22: "4", 15: "EUR"}


@cache
def wires() -> Wire:
    made = rig.allocate()
    rig.log_on(made, CLIENT, "CLIENT")
    rig.log_on(made, MIFID_CLIENT, "CLIENT", mifid=1)
    return made


def execution(kind: ExecKind, **fields: Any) -> Any:
    """A buy of 100 at 17.35 or better, as far as nothing else is said."""
    usual = {
        "kind": kind,
        "exec_id": 4711,
        "order_id": 815,
        "isin": schema.pack(ISIN, 2),
        "currency": schema.pack("EUR"),
        "clordid": schema.pack("A-1", 8),
        "side": 1,
        "ord_type": 2,
        "qty": 100,
        "limit_px_e6": 17_350_000,
        "order_state": OrderState.NEW,
        "ts_ns": TS_NS,
    }
    return rig.row(schema.execution, **usual | fields)


def bytes_of(row: Any) -> bytes:
    """The bytes of a report."""
    used = wires()
    used.scratch[:] = 255
    start, size = execution_report.write_report(used.scratch, used, row, 7)
    assert used.scratch[start + size] == 255, "nothing is written behind the message"
    data: bytes = used.scratch[start : start + size].tobytes()
    return data


def report(row: Any) -> dict[int, str]:
    """A report, checked for frame and checksum, as text by tag."""
    return fields_of(bytes_of(row))


# Each kind of execution, all of its fields

ORDER = INSTRUMENT | {37: "815", 17: "4711", 11: "A-1", 54: "1", 38: "100", 59: "0"}
LIMIT = ORDER | {40: "2", 44: "17.35"}
NOTHING_YET = {151: "100", 14: "0", 6: "0"}
NOTHING_LEFT = {151: "0", 14: "0", 6: "0"}

KINDS: list[tuple[str, Any, dict[int, str]]] = [
    (
        "with the desk",
        execution(ExecKind.NEW, desk_item=12),
        LIMIT | NOTHING_YET | {150: "0", 39: "0", 58: "SI-DESK with the desk, item 12"},
    ),
    (
        "filled",
        execution(
            ExecKind.FILL,
            order_state=OrderState.FILLED,
            last_qty=100,
            last_px_e6=17_345_000,
            filled_qty=100,
            filled_e6=1_734_500_000,
            improvement_e6=5_000,
        ),
        LIMIT
        | {150: "F", 39: "2", 151: "0", 14: "100", 6: "17.345", 32: "100", 31: "17.345"}
        | {29: "4", 30: "XSIX", 639: "0.005"},
    ),
    (
        "partly filled by the desk",
        execution(
            ExecKind.FILL,
            order_state=OrderState.PARTIALLY_FILLED,
            last_qty=1,
            last_px_e6=17_000_001,
            filled_qty=3,
            filled_e6=51_000_002,
        ),
        LIMIT
        | {150: "F", 39: "1", 151: "97", 14: "3", 6: "17.000001", 32: "1", 31: "17.000001"}
        | {29: "4", 30: "XSIX"},
    ),
    (
        "not marketable",
        execution(
            ExecKind.CANCELLED,
            order_state=OrderState.CANCELLED,
            reason=Reason.NOT_MARKETABLE,
            reason_value=17_350_000,
            reason_limit=17_400_000,
        ),
        LIMIT
        | NOTHING_LEFT
        | {150: "4", 39: "4"}
        | {58: "SI-NOCROSS not marketable at our price: 44=17.35 price 17.4"},
    ),
    (
        "cancelled by the client",
        execution(
            ExecKind.CANCELLED,
            order_state=OrderState.CANCELLED,
            reason=Reason.CLIENT_CANCEL,
            clordid=schema.pack("C-1", 8),
            orig_clordid=schema.pack("A-1", 8),
            filled_qty=40,
            filled_e6=40 * 17_000_000,
        ),
        LIMIT
        | {11: "C-1", 41: "A-1", 150: "4", 39: "4", 151: "0", 14: "40", 6: "17"}
        | {58: "SI-CANCEL cancelled as requested"},
    ),
    (
        "rejected market order",
        execution(
            ExecKind.REJECTED,
            order_state=OrderState.REJECTED,
            ord_type=1,
            limit_px_e6=0,
            side=5,
            tif=4,
            reason=Reason.CLIENT_ORDER_LIMIT,
            reason_value=1_234_567_891_234,
            reason_limit=1_000_000_000_000,
        ),
        ORDER
        | NOTHING_LEFT
        | {54: "5", 59: "4", 40: "1", 150: "8", 39: "8", 103: "3"}
        | {
            58: "SI-LIMIT-ORDER order value in EUR over the client's limit: "
            "38=1234567.89 limit 1000000.00"
        },
    ),
    (
        "rejected before it had a row",
        execution(
            ExecKind.REJECTED,
            order_id=0,
            isin=0,
            currency=0,
            order_state=OrderState.REJECTED,
            reason=Reason.DUPLICATE_CLORDID,
        ),
        {tag: value for tag, value in LIMIT.items() if tag not in INSTRUMENT}
        | NOTHING_LEFT
        | {37: "NONE", 55: "[N/A]", 150: "8", 39: "8", 103: "6"}
        | {58: "SI-DUP ClOrdID used before in this session: 11=A-1"},
    ),
    (
        "expired",
        execution(ExecKind.EXPIRED, order_state=OrderState.EXPIRED, reason=Reason.DESK_EXPIRED),
        LIMIT | NOTHING_LEFT | {150: "C", 39: "C", 58: "SI-DESK expired before the desk answered"},
    ),
    (
        "status",
        execution(ExecKind.STATUS),
        LIMIT | NOTHING_YET | {150: "I", 39: "0"},
    ),
    (
        "a desk trader's price",
        execution(ExecKind.DESK_QUOTE, last_px_e6=17_342_500),
        LIMIT
        | NOTHING_YET
        | {150: "I", 39: "0", 58: "SI-DESK our price for your order is 17.3425"},
    ),
]
KIND_IDS = [name for name, _, _ in KINDS]


@pytest.mark.parametrize(("name", "row", "expected"), KINDS, ids=KIND_IDS)
def test_each_kind_of_execution(name: str, row: Any, expected: dict[int, str]) -> None:
    found = report(row)
    del found[9], found[10]
    assert found == HEAD | {35: "8"} | expected


UNKNOWN_ORDER_TEXT = "SI-ORDER order unknown (tag 41, or 11 of a status request): A-1"


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [
        (Reason.UNKNOWN_ORDER, "1", UNKNOWN_ORDER_TEXT),
        (Reason.TOO_LATE, "0", "SI-ORDER too late to cancel: 41=A-1"),
    ],
)
def test_cancel_reject(reason: Reason, code: str, text: str) -> None:
    names = {"clordid": schema.pack("C-1", 8), "orig_clordid": schema.pack("A-1", 8)}
    row = execution(ExecKind.CANCEL_REJECTED, order_state=OrderState.FILLED, reason=reason, **names)
    expected = {35: "9", 37: "815", 11: "C-1", 41: "A-1", 39: "2", 434: "1", 102: code, 58: text}
    found = report(row)
    del found[9], found[10]
    assert found == HEAD | expected


def test_fills_of_a_session_with_mifid_fields() -> None:
    for side, code in ((1, "2"), (2, "3"), (5, "3")):
        row = execution(ExecKind.FILL, session=MIFID_CLIENT, side=side, last_qty=100)
        without = execution(ExecKind.FILL, session=CLIENT, side=side, last_qty=100)
        more = {tag: value for tag, value in report(row).items() if tag not in report(without)}
        assert more == {574: "9", 2524: code}


def test_longest_report_fits() -> None:
    texts = {"isin": schema.pack("X" * 16, 2), "clordid": schema.pack("C" * 64, 8)}
    numbers = dict.fromkeys(("exec_id", "order_id", "qty", "limit_px_e6"), INT64_MAX)
    numbers |= {"reason_value": INT64_MAX, "reason_limit": INT64_MAX, "filled_e6": INT64_MAX // 2}
    for reason in Reason:
        row = execution(
            ExecKind.REJECTED,
            reason=reason,
            orig_clordid=schema.pack("O" * 64, 8),
            filled_qty=1,
            **texts | numbers,
        )
        found = report(row)
        assert (found[11], found[38], found[44]) == (
            "C" * 64,
            str(INT64_MAX),
            "9223372036854.775807",
        )


# Each reason's words

PLAIN = {Unit.COUNT: 12_345, Unit.BPS: 640, Unit.PX: 17_350_500, Unit.AMOUNT: 1_234_567_890_000}
VALUES = PLAIN | {
    Unit.AGE: 1_500_000_000,
    Unit.CODE: 9,
    Unit.TEXT: schema.pack("CHF"),
    Unit.TIME: TS_NS,
}
SHOWN = {
    Unit.COUNT: "12345",
    Unit.BPS: "640",
    Unit.PX: "17.3505",
    Unit.AMOUNT: "1234567.89",
    Unit.AGE: "1500",
    Unit.CODE: "9",
    Unit.TEXT: "CHF",
    Unit.TIME: TIME,
    Unit.ISIN: ISIN,
    Unit.CLORDID: "A-1",
    Unit.ORIG: "A-1",  # of no OrigClOrdID(41): the ClOrdID(11)
}


def words_of(reason: Reason) -> str:
    """Prefix, sentence, tag=value, limit: what a client should read."""
    words = WORDS[reason]
    text = f"{words.prefix} {words.sentence}"
    if words.unit == Unit.NONE:
        return text + (f" ({words.tag})" if words.tag else "")
    text += f": {words.tag}={SHOWN[words.unit]}" if words.tag else f": {SHOWN[words.unit]}"
    return text + (f" {words.limit} {SHOWN[words.unit]}" if words.limit else "")


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason != Reason.NONE])
def test_each_reason_names_tag_value_and_limit(reason: Reason) -> None:
    value = VALUES.get(WORDS[reason].unit, 0)
    row = execution(ExecKind.REJECTED, reason=reason, reason_value=value, reason_limit=value)
    assert report(row)[58] == words_of(reason)


def test_value_and_limit_keep_their_places() -> None:
    row = execution(ExecKind.REJECTED, reason=Reason.QTY_OFF_LOT, reason_value=105, reason_limit=10)
    assert report(row)[58] == "SI-QTY quantity off lot: 38=105 lot 10"


# Numbers and times


def written(put: Any, *values: int) -> str:
    out = np.full(64, 255, np.uint8)
    end = put(out, 3, *values)
    assert (out[:3] == 255).all() and (out[end + 8 :] == 255).all()  # a word of slack behind it
    return out[3:end].tobytes().decode()


WHOLE = st.integers(-INT64_MAX, INT64_MAX) | st.integers(-2_000, 2_000)
POWERS = st.builds(lambda n, by: 10**n + by, st.integers(0, 18), st.integers(-1, 1))


@given(WHOLE | POWERS)
@example(INT64_MAX)
@example(-INT64_MAX)
@example(0)
def test_integers(value: int) -> None:
    assert written(fix_write.put_int, value) == str(value)


@given(WHOLE | POWERS)
@example(-1)
@example(INT64_MAX)
def test_prices(value: int) -> None:
    sign, text = "-" if value < 0 else "", f"{Decimal(abs(value)).scaleb(-6):.6f}"
    assert written(fix_write.put_px, value) == sign + text.rstrip("0").rstrip(".")


@given(WHOLE | POWERS)
@example(-1)
@example(INT64_MAX)
def test_amounts(value: int) -> None:
    cents = abs(value) // 10_000
    sign = "-" if value < 0 else ""
    assert written(fix_write.put_amount, value) == f"{sign}{Decimal(cents).scaleb(-2):.2f}"


def put_time(ts_ns: int) -> str:
    """The date's text is kept from the time before, as it is from message to message."""
    used = wires()
    return written(lambda *at: fix_write.put_time(*at, used.date, used.loop[0], ts_ns, 6))


@given(st.lists(st.integers(0, DAYS * 86_400 * 10**9 - 1), min_size=1, max_size=5))
def test_times(times_ns: list[int]) -> None:
    expected = [
        (EPOCH + timedelta(microseconds=ts_ns // 1000)).strftime("%Y%m%d-%H:%M:%S.%f")
        for ts_ns in times_ns
    ]
    assert [put_time(ts_ns) for ts_ns in times_ns] == expected


def test_every_date_until_2200() -> None:
    out = np.zeros(8, np.uint8)
    for day in range(DAYS):
        fix_write.set_date(out, day)
        assert out.tobytes() == (EPOCH + timedelta(days=day)).strftime("%Y%m%d").encode()


@given(st.integers(1, 10**9), st.integers(0, 10**13))
def test_average_price_is_rounded_half_up(qty: int, px_e6: int) -> None:
    total = min(qty * px_e6 + qty // 3, INT64_MAX // 2)
    average = (Decimal(total) / qty + Decimal("0.5")) // 1
    assert execution_report.average_px_e6(total, qty) == int(average)
    assert execution_report.average_px_e6(0, 0) == 0


# The stock dictionary of FIX 4.4


def every_report() -> Iterator[Any]:
    for _, row, _ in KINDS:
        yield row
    for reason in list(Reason)[1:]:
        for state in (OrderState.REJECTED, OrderState.CANCELLED):
            yield execution(ExecKind.REJECTED, reason=reason, order_state=state)
            yield execution(ExecKind.CANCELLED, reason=reason, order_state=state)
            yield execution(ExecKind.STATUS, reason=reason, order_state=state)
            yield execution(
                ExecKind.CANCEL_REJECTED,
                reason=reason,
                order_state=state,
                orig_clordid=schema.pack("A-0", 8),
            )
    for state in OrderState:
        for side in (1, 2, 5):
            for tif in (0, 3, 4):
                yield execution(ExecKind.STATUS, order_state=state, side=side, tif=tif)


@pytest.mark.skipif(
    not SHARED_FIX.is_dir(), reason="../shared/data/fix is not here: no dictionary to check with"
)
def test_reports_keep_to_the_stock_dictionary() -> None:
    for row in every_report():
        data = bytes_of(row)
        assert problems(data) == [], data
    with_mifid = bytes_of(execution(ExecKind.FILL, session=MIFID_CLIENT))
    beyond = ["574=9 is no value of it", "574 is not of 8", "2524 is not of 8"]
    assert problems(with_mifid) == beyond
