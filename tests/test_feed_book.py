"""The book in depth against a list of orders; LOBSTER's messages against its own orderbook file."""

import random
from collections import Counter
from pathlib import Path

import pytest

from engine.enums import Phase, Side
from gateway import feed_book
from gateway.feed_book import Book, Fault, Level
from gateway.feed_files import FeedError, quotes
from gateway.feed_lines import Line
from gateway.feed_lobster import EVENT, apply
from tests.market_files import ISIN, write

pytestmark = pytest.mark.pure

REAL = Path(__file__).parents[2] / "shared" / "data" / "bbo"
MESSAGES = "AMZN_2012-06-21_message_1.csv"


# --- against a list of orders -----------------------------------------------------------------


class Naive:
    """Orders as rows; every question is answered by looking at all of them."""

    def __init__(self):
        self.rows = []  # [key, side, px, qty]

    def find(self, key):
        return next((row for row in self.rows if row[0] == key), None)

    def add(self, key, side, px, qty):
        if px <= 0 or qty <= 0:
            return Fault.NOT_POSITIVE
        if self.find(key):
            return Fault.AGAIN
        self.rows.append([key, side, px, qty])
        return None

    def before(self, side, px, qty):
        return self.add((side, px), side, px, qty)

    def reduce(self, key, side, px, qty):
        row = self.find(key) or self.find((side, px))
        if row is None:
            return Fault.UNKNOWN
        if row[1] != side:
            return Fault.SIDE
        if qty <= 0:
            return Fault.NOT_POSITIVE
        if qty > row[3]:
            return Fault.TOO_MUCH
        row[3] -= qty
        self.rows = [row for row in self.rows if row[3]]
        return None

    def change(self, key, side, px, qty):
        row = self.find(key)
        if row is None:
            return Fault.UNKNOWN
        if row[1] != side:
            return Fault.SIDE
        if px <= 0 or qty <= 0:
            return Fault.NOT_POSITIVE
        row[2:] = px, qty
        return None

    def delete(self, key):
        row = self.find(key)
        if row is None:
            return Fault.UNKNOWN
        self.rows.remove(row)
        return None

    def set_side(self, side, levels):
        self.rows = [row for row in self.rows if row[1] != side]
        for px, qty in levels:
            there = self.find((side, px))
            if there:
                there[3] += qty
            else:
                self.rows.append([(side, px), side, px, qty])

    def clear(self):
        self.rows = []

    def depth(self, levels):
        bids = self.totals(Side.BUY, reverse=True)
        asks = self.totals(Side.SELL, reverse=False)
        size = min(levels, max(len(bids), len(asks)))
        pad = [(0, 0)] * size
        rows = zip((bids + pad)[:size], (asks + pad)[:size], strict=True)
        return [Level(*bid, *ask) for bid, ask in rows]

    def totals(self, side, reverse):
        prices = sorted({row[2] for row in self.rows if row[1] == side}, reverse=reverse)
        return [
            (px, sum(row[3] for row in self.rows if row[1] == side and row[2] == px))
            for px in prices
        ]


def steps(seed, count):
    """Calls with terms from a space so small that they meet each other."""
    draw = random.Random(seed)
    for _ in range(count):
        name = draw.choice("add add before reduce reduce change delete set_side clear".split())
        key, side = draw.choice("abc"), draw.choice([Side.BUY, Side.SELL])
        px, qty = draw.randrange(4), draw.randrange(4)
        levels = [(draw.randrange(1, 4), draw.randrange(1, 4)) for _ in range(draw.randrange(4))]
        terms = {"before": (side, px, qty), "delete": (key,), "set_side": (side, levels)}
        if name == "clear" and draw.random() < 0.8:
            continue
        yield name, () if name == "clear" else terms.get(name, (key, side, px, qty))


@pytest.mark.parametrize("seed", range(10))
def test_the_book_is_the_sum_of_its_orders(seed):
    book, naive = Book(), Naive()
    faults = Counter()
    for name, terms in steps(seed, 300):
        fault = getattr(book, name)(*terms)
        assert fault == getattr(naive, name)(*terms)
        faults.update([fault] * (fault is not None))
        for levels in (0, 1, 3, 9):
            assert book.depth(levels) == naive.depth(levels)
        bids, asks = naive.totals(Side.BUY, True), naive.totals(Side.SELL, False)
        (bid, bid_qty), (ask, ask_qty) = (side[0] if side else (0, 0) for side in (bids, asks))
        assert book.best() == (bid, ask, bid_qty, ask_qty)
    assert book.faults == faults and set(faults) == set(Fault) - {Fault.FULL}


def test_a_full_book_takes_no_more(monkeypatch):
    monkeypatch.setattr(feed_book, "ORDERS_MAX", 2)
    book = Book()
    assert [book.add(key, Side.BUY, 5, 1) for key in "abc"] == [None, None, Fault.FULL]
    assert book.delete("a") is None and book.add("c", Side.BUY, 5, 1) is None
    monkeypatch.setattr(feed_book, "ORDERS_MAX", 10)
    monkeypatch.setattr(feed_book, "LEVELS_MAX", 1)
    assert book.add("d", Side.BUY, 6, 1) is Fault.FULL
    assert book.add("d", Side.SELL, 6, 1) is None


# --- LOBSTER ----------------------------------------------------------------------------------


def test_lobster_messages_make_the_book(tmp_path):
    text = (
        "34200,1,1,100,2000000,1\n"
        "34201,1,2,50,2000000,1\n"
        "34202,1,3,70,2000100,-1\n"
        "34203,2,1,40,2000000,1\n"  # 60 + 50
        "34204,4,2,50,2000000,1\n"  # 60
        "34205,5,0,10,2000050,1\n"  # nothing that is shown
        "34206,6,-1,10,2000050,1\n"
        "34207,3,99,5,2000000,1\n"  # an order from before the file
        "34208,3,1,60,2000000,1\n"
        "34209,7,0,0,-1,-1\n"
        "34210,7,0,0,1,-1\n"
    )
    got = list(quotes(write(tmp_path, MESSAGES, text), "lobster-messages", isin=ISIN))
    bid, ask = 200_000_000, 200_010_000
    whole = (bid, ask, 110, 70)
    left = (bid, ask, 60, 70)
    assert [q[5:] for q in got] == [
        (bid, 0, 100, 0), (bid, 0, 150, 0), (bid, ask, 150, 70), whole, left, left, left, left,
        (0, ask, 0, 70), (0, ask, 0, 70), (0, ask, 0, 70),
    ]  # fmt: skip
    assert [q.phase for q in got] == [0] * 9 + [Phase.HALTED, Phase.CONTINUOUS]
    assert got[0].time_ns == 1_340_285_400 * 10**9
    assert {(q.isin, q.mic) for q in got} == {(ISIN, "XNAS")}


@pytest.mark.parametrize(
    "line",
    ["34200,9,1,1,1,1", "34200,1,1,1,1,2", "34200,1,1,0,1,1", "34200,1,1,1,0,1", "x,1,1,1,1,1",
     "34200,7,1,1,5,1", "34200,1,1,-1,1,1", "34200,1,1,1,1.5,1", "34200,1,1,1,1"],
)  # fmt: skip
def test_lobster_messages_refuse(tmp_path, line):
    path = write(tmp_path, MESSAGES, "34200,1,1,100,2000000,1\n" + line + "\n")
    with pytest.raises(FeedError, match=rf"{MESSAGES}:2: "):
        list(quotes(path, "lobster-messages", isin=ISIN))


def rows(name):
    text = (REAL / name).read_text().replace(";", ",")
    return [line.split(",") for line in text.splitlines()]


@pytest.mark.skipif(not REAL.is_dir(), reason="no real market data beside the repository")
def test_real_messages_make_the_real_book():
    """A whole day, message by message, against the file of the best level.

    The messages are those of the best level alone, so what is below is unknown when the best one
    goes: then, and at the start, the book is told what the file says. Ten lines differ, all by
    three orders of 25,000 shares and more, which the messages have and the file leaves out.
    """
    events, books = rows(f"lobster_{MESSAGES}"), rows("lobster_AMZN_2012-06-21_orderbook_1.csv")
    book, told, odd, equal = Book(), 0, [], 0
    for number, (event, shown) in enumerate(zip(events, books, strict=True), 1):
        line = Line(REAL, number, dict(zip(EVENT, event, strict=True)))
        before = book.best()
        apply(book, line)
        ask, ask_qty, bid, bid_qty = map(int, shown)
        due = bid * 100, ask * 100, bid_qty, ask_qty
        assert ask < 9_999_999_999 and bid > 0  # neither side is ever empty on this day
        side = 0 if event[5] == "1" else 1
        if number == 1 or before[side] not in (book.bids, book.asks)[side]:
            told += 1
        elif book.best() == due:
            equal += 1
            continue
        else:
            odd.append(number)
        book.clear()
        book.before(Side.BUY, bid * 100, bid_qty)
        book.before(Side.SELL, ask * 100, ask_qty)
    assert (equal, told) == (43_553, 13_952)
    assert odd == [19303, 19304, 19305, 19306, 19309, 19526, 19565, 47775, 47797, 47799]
    huge = {event[2] for event in events if event[1] == "1" and int(event[3]) >= 25_000}
    assert huge == {events[number - 1][2] for number in (19303, 19526, 47775)}
