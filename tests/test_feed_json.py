"""Deutsche Boerse's delayed data: rows that are changes, against a reader of a few lines."""

import gzip
import json
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.enums import Phase
from gateway import feed_json
from gateway.feed_files import FeedError, quotes
from gateway.feed_formats import ROW_FORMATS
from gateway.feed_lines import Quote
from gateway.feed_source import Source
from tests.market_files import GOING, ISIN, OTHER

pytestmark = pytest.mark.pure

START_NS = 1_780_905_600 * 10**9  # 2026-06-08T08:00Z
NAME = "DETR-pretrade-2026-06-08T08_00.json.gz"


def at(ms):
    return f"2026-06-08T08:{ms // 60_000:02}:{ms // 1000 % 60:02}.{ms % 1000:03}Z"


def top(ms, **more):
    shared = {"instrumentIdentificationCode": ISIN, "priceCurrency": "EUR", "messageId": "1"}
    return shared | {"updateDateAndTime": at(ms)} | more


def deep(ms, bids=None, asks=None, **more):
    row = top(ms, **more)
    row["mdupdateDateAndTime"] = row.pop("updateDateAndTime")
    for name, side in (("mdBidMktDepthGroup1", bids), ("mdAskMktDepthGroup1", asks)):
        if side is not None:
            row[name] = [{"price": px, "quantity": qty} for px, qty in side]
    return row


def minute(folder, *rows, name=NAME):
    path = folder / name
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def sides(path, kind="xetr", **given):
    return [q[5:] for q in quotes(path, kind, **given)]


def test_xetra(tmp_path):
    path = minute(
        tmp_path,
        top(0, bestBid=202.25, bestBidQty=100, bestAsk=202.35, bestAskQty=50.0, retailFlag="N"),
        top(100, bestBid=202.2, bestBidQty=10, venueOfExecution="XETA"),
        deep(50, [(202.15, 5), (202.1, 7), (202.15, 1)], [(202.4, 5), (203, 1)]),
        deep(60, [], None, venueOfExecution="XETB", tradingSystemPhase=210),
        top(200, bestAsk=0, tradingSystemPhase="203"),
        top(300, bestAsk=202.5, bestAskQty=0),
        top(400, bestAskQty=9),
        top(500, bestAsk=1e2, bestAskQty=9, tradingSystemPhase="999"),
    )
    bid, ask = 202_250_000, 202_350_000
    got = list(quotes(path, "xetr"))
    assert [(q.time_ns - START_NS) // 10**6 for q in got] == [0, 100, 100, 100, 200, 300, 400, 500]
    assert [(q.phase, *q[5:]) for q in got] == [
        (GOING, bid, ask, 100, 50),
        (GOING, 202_200_000, ask, 10, 50),
        (GOING, 202_150_000, 202_400_000, 6, 5),
        (Phase.AUCTION, 0, 202_400_000, 0, 5),
        (GOING, 0, 0, 0, 0),
        (GOING, 0, 0, 0, 0),  # 0 shares: indicative
        (GOING, 0, 0, 0, 0),
        (Phase.HALTED, 0, 100_000_000, 0, 9),
    ]
    assert {(q.isin, q.mic) for q in got} == {(ISIN, "XETR")}
    assert [q.seq for q in got] == list(range(1, 9))


def test_tradegate(tmp_path):
    shared = {"updateDateAndTime": at(1), "tradingSystemPhase": 203}
    path = minute(
        tmp_path,
        top(1, venueOfExecution="XGAT", bid=10.5, ask=10.52, bidQty=300, askQty=400, **shared),
        top(2, venueOfExecution="XGRM", bid=10.51, bidQty=300),
        top(3, venueOfExecution="XEMA", bid=1, bidQty=3),
        name="DGAT.json.gz",
    )
    got = list(quotes(path, "dgat"))
    first, second = (10_500_000, 10_520_000, 300, 400), (10_510_000, 10_520_000, 300, 400)
    assert [(q.mic, q.seq, q[5:]) for q in got] == [
        ("XGAT", 1, first), ("XGAT", 2, second), ("XEMA", 1, (1_000_000, 0, 3, 0)),
    ]  # fmt: skip
    assert {q.mic for q in quotes(path, "dgat", mic="TGAT")} == {"TGAT"}


def test_a_closed_minute_is_an_empty_file(tmp_path):
    assert sides(minute(tmp_path)) == []


def test_what_is_not_in_euro_or_older_is_counted(tmp_path):
    path = minute(
        tmp_path,
        top(5, bestBid=1, bestBidQty=1),
        top(6, bestBid=2, bestBidQty=1, priceCurrency="USD"),
        top(4, bestBid=3, bestBidQty=1),
        deep(4, [(4, 1)]),  # a clock of its own
        top(7, bestBid=5, bestBidQty=1, instrumentIdentificationCode=OTHER),
    )
    source = Source(path, isin=ISIN)
    got = [q[5] for q in ROW_FORMATS["xetr"].quotes(source)]
    assert got == [1_000_000, 4_000_000]
    assert source.notes() == ["left out, as not in EUR: 1 in USD", "passed over: 1 time_went_back"]


BAD_ROWS = [
    ("{", "this is no JSON"),
    ("[]", "a row is a JSON object"),
    ("[" * 5000, "this is no JSON"),
    (top(1, instrumentIdentificationCode="DE1"), "column 'isin' value 'DE1'"),
    (top(1, instrumentIdentificationCode=5), "column 'isin' value '5'"),
    (top(1, venueOfExecution="xetra"), "column 'venue' value 'xetra'"),
    (top(1, venueOfExecution={"a": 1}), "column 'venue' value ''"),
    (top(1, updateDateAndTime="08:00"), "column 'time' value '08:00'"),
    (top(1, updateDateAndTime=None), "column 'time' value ''"),
    (top(1, priceCurrency=None), "column 'currency' value ''"),
    (top(1, bestBid=-1, bestBidQty=1), "column 'bid' value '-1'"),
    (top(1, bestBid=True, bestBidQty=1), "column 'bid' value 'True'"),
    (top(1, bestBid=[1], bestBidQty=1), "column 'bid'"),
    (top(1, bestBid=float("nan"), bestBidQty=1), "column 'bid' value 'nan'"),
    (top(1, bestBid=1e300, bestBidQty=1), "column 'bid' value '1e+300'"),
    (top(1, bestBid=1e-7, bestBidQty=1), "column 'bid' value '1e-07'"),
    (top(1, bestBid=1, bestBidQty=0.5), "column 'bid_qty' value '0.5'"),
    (deep(1) | {"mdBidMktDepthGroup1": {"price": 1}}, "column 'bid_levels'"),
    (deep(1, [(1, -2)]), "column 'level_qty' value '-2'"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "said"), BAD_ROWS)
def test_a_bad_row_is_named(tmp_path, row, said):
    path = minute(tmp_path, top(0, bestBid=1, bestBidQty=1), row)
    with pytest.raises(FeedError) as refused:
        list(quotes(path, "xetr"))
    assert f"{NAME}:2: " in str(refused.value) and said in str(refused.value)


def test_every_phase_of_the_table_is_one_of_ours():
    known = feed_json.tables()
    assert {known.phases[word] for word in known.phases} == set(Phase)
    assert known.phases["203"] == known.phases["COTR"] == Phase.CONTINUOUS


# --- against a reader of a few lines ----------------------------------------------------------

NUMBERS = st.decimals(0, 10**6, places=4).map(lambda d: d if d else Decimal(0))
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "bestBid": NUMBERS, "bestBidQty": st.integers(0, 9),
        "bestAsk": NUMBERS, "bestAskQty": st.integers(0, 9),
        "tradingSystemPhase": st.sampled_from([202, "203", "204", "200", "what"]),
    },
)  # fmt: skip
PHASES = {"202": 1, "203": 0, "204": 1, "200": 3, "what": 2}


@given(st.lists(PARTS, min_size=4, max_size=12))
def test_numbers_are_exact_and_changes_add_up(parts):
    reader = feed_json.xetr(Source(Path("x")))
    bid, ask, phase = (0, 0), (0, 0), 0
    for number, part in zip(count(1), parts):
        fields = [f'"{k}":{json.dumps(v) if isinstance(v, str) else v}' for k, v in part.items()]
        text = json.dumps(top(number))[:-1] + "".join(f",{field}" for field in fields) + "}"
        got = reader.take(number, text)
        for side in ("Bid", "Ask"):
            px, qty = f"best{side}", f"best{side}Qty"
            before = bid if side == "Bid" else ask
            now = Decimal(part.get(px, before[0])), part.get(qty, before[1])
            now = now if now[0] and now[1] else (0, 0)
            bid, ask = (now, ask) if side == "Bid" else (bid, now)
        phase = PHASES[str(part["tradingSystemPhase"])] if "tradingSystemPhase" in part else phase
        due = (phase, bid[0] * 10**6, ask[0] * 10**6, bid[1], ask[1])
        assert (got.phase, *got[5:]) == due


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = PLAIN | st.lists(PLAIN, max_size=2) | st.lists(
    st.dictionaries(st.sampled_from(["price", "quantity"]), PLAIN), max_size=2
)  # fmt: skip
FIELDS = [name for names in feed_json.tables().fields.values() for name in names]
PARTIAL = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3)


@given(st.text(max_size=60) | PARTIAL.map(lambda some: json.dumps(top(1) | some)))
def test_whatever_a_row_is_it_is_a_quote_or_refused(text):
    reader = feed_json.dgat(Source(Path("x")))
    try:
        quote = reader.take(1, text)
    except FeedError:
        return
    assert quote is None or isinstance(quote, Quote)
