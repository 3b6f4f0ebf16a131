"""A market-data session with a venue made from the standard alone, up to its worst behaviour."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feed_files import FeedError
from gateway.feed_fix_session import AGAIN_NS, GAP_WAIT_NS, MarketData, State
from gateway.feed_lines import NS
from tests.feed_venue import ACCOUNT, NOTHING, START_NS, Venue, cut, venue
from tests.fix_peer import framed
from tests.market_files import ISIN, OTHER

pytestmark = pytest.mark.pure


# --- books ------------------------------------------------------------------------------------


def test_snapshot_and_changes_by_price():
    v = venue()
    v.full(("0", 10, 5), ("0", "9.00", 7), ("1", 12, 3), ("2", 11, 1))
    v.change("1|269=0|270=10|271=6", "0|269=1|270=11|271=2", "0|269=2|270=5|271=1")
    v.change(f"2|269=1|270=11|48={ISIN}|22=4", "2|269=0|270=10", request=False)
    v.change("0|269=0|270=8|271=1")
    assert v.session.wanted[ISIN].book.depth(9) == [
        (9_000_000, 7, 12_000_000, 3), (8_000_000, 1, 0, 0),
    ]  # fmt: skip
    v.change("0|269=J")
    assert v.quotes() == [(10, 12, 5, 3), (10, 11, 6, 2), (9, 12, 7, 3), NOTHING]
    assert v.faults() == []


def test_changes_by_entry():
    v = venue()
    v.full(("0", 10, 5, "a"), ("0", 10, 7, "b"), ("1", 12, 3, "c"))
    v.change("1|278=a|269=0|271=1", "1|278=c|269=1|270=13", "2|278=b")
    v.change("0|278=d|269=1|270=12|271=4")
    v.change("1|278=d|276=B")
    assert v.quotes() == [(10, 12, 12, 3), (10, 13, 1, 3), (10, 12, 1, 4), (10, 13, 1, 3)]
    assert v.faults() == []


def test_the_best_level_alone():
    """264=1: a level is its side; a withdrawn quote has 276=B, a delete has no price."""
    v = venue(market_depth=1)
    v.full(("0", 10, 5), ("1", 12, 3))
    v.change("1|269=0|270=11|271=6", "1|269=1|270=13|271=6")
    v.change("2|269=0", "2|269=1")
    v.say("W", f"262={v.asked[ISIN]}|55={ISIN}|268=2|269=0|276=B|269=1|276=B|")
    v.change("0|269=0|270=9|271=1", "0|269=1|270=10|271=2")
    assert v.quotes() == [(10, 12, 5, 3), (11, 13, 6, 6), NOTHING, (9, 10, 1, 2)]
    assert v.faults() == []


def test_each_instrument_has_its_own_book():
    v = venue(ISIN, OTHER)
    v.full(("0", 10, 5), ("1", 12, 3))
    v.full(("0", 20, 5), ("1", 22, 3), isin=OTHER)
    v.change(f"1|269=0|270=10|271=1|55={ISIN}", f"2|269=0|270=21|55={OTHER}",
             f"1|269=0|270=10|271=4|55={ISIN}", request=False)  # fmt: skip
    assert v.quotes() == [(10, 12, 5, 3), (OTHER, 20, 22, 5, 3), (OTHER, *NOTHING), (10, 12, 4, 3)]
    assert [kind for kind, _ in v.faults()] == ["book"]


BAD_ENTRIES = [
    ("book", "2|269=0|270=99"),
    ("book", "1|269=0|270=99|271=1"),
    ("book", "0|269=0|270=10|271=1"),
    ("book", "2|278=zz"),
    ("price", "0|269=0|270=-1|271=1"),
    ("price", "0|269=0|270=0|271=1"),
    ("price", "0|269=0|270=1e3|271=1"),
    ("price", "0|269=0|271=1"),
    ("quantity", "0|269=0|270=9|271=0"),
    ("quantity", "0|269=0|270=9|271=-5"),
    ("quantity", "0|269=0|270=9|271=1.5"),
    ("quantity", "0|269=0|270=9"),
    ("not_readable", "5|269=0|270=9|271=1"),
    ("not_readable", "0|270=9|271=1"),
]


@pytest.mark.parametrize(("kind", "entry"), BAD_ENTRIES)
def test_a_bad_entry_means_no_quote_until_a_new_snapshot(kind, entry):
    v = venue()
    v.full(("0", 10, 5), ("1", 12, 3))
    v.change(entry)
    assert v.quotes() == [(10, 12, 5, 3), NOTHING]
    assert [each for each, _ in v.faults()] == [kind]
    v.change("0|269=0|270=9|271=1")  # what comes before the snapshot is passed over
    v.now_ns += AGAIN_NS
    old = v.asked[ISIN]
    v.session.tick(v.now_ns)
    assert v.kinds() == ["V", "V"] and v.asked[ISIN] != old
    v.say("W", f"262={old}|55={ISIN}|268=1|269=0|270=10|271=1|")
    assert v.quotes() == []
    v.full(("0", 9, 5))
    assert v.quotes() == [(9, 0, 5, 0)] and v.faults() == []


def test_a_bad_snapshot_is_asked_for_ever_less_often():
    v = venue()
    asked_ns = []
    for _ in range(200):
        if v.asked:
            v.full(("0", -1, 5))
            v.asked.clear()
            asked_ns.append(v.now_ns)
        v.now_ns += NS
        v.session.tick(v.now_ns)
        for pairs in cut(bytes(v.session.output)):
            fields = dict(pairs)
            if fields[35] == "V" and fields[263] == "1":
                v.asked[ISIN] = fields[262]
        v.session.output.clear()
        v.say("0")
    waits = [(b - a) // NS for a, b in pairwise(asked_ns)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60] and v.quotes() == []


def test_another_currency_is_refused_for_good():
    v = venue()
    v.say("W", f"262={v.asked[ISIN]}|55={ISIN}|268=1|269=0|270=10|271=1|15=GBP|")
    v.full(("0", 10, 5))
    v.now_ns += 20 * NS
    v.session.tick(v.now_ns)
    assert v.quotes() == [] and v.kinds() == []
    assert [kind for kind, _ in v.faults()] == ["currency"]


def test_a_rejected_request_is_reported():
    v = venue(ISIN, OTHER)
    v.say("Y", f"262={v.asked[OTHER]}|281=0|58=unknown|")
    v.say("Y", "262=other|281=0|")
    v.say("j", "45=3|372=V|380=3|58=not here|")
    said = v.faults()
    assert [kind for kind, _ in said] == ["rejected", "rejected"]
    assert OTHER in said[0][1] and "281=0 unknown" in said[0][1] and "not here" in said[1][1]
    v.full(("0", 10, 5))
    assert v.quotes() == [(10, 0, 5, 0)]


# --- the session ------------------------------------------------------------------------------


def test_a_gap_takes_every_quote_until_new_snapshots():
    v = venue(ISIN, OTHER)
    v.full(("0", 10, 5))
    v.full(("0", 20, 5), isin=OTHER)
    v.quotes()
    missing = v.next_out
    v.write("X", f"262={v.asked[ISIN]}|268=1|279=2|269=0|270=10|")  # lost
    v.change("0|269=0|270=9|271=1")
    v.change("0|269=0|270=8|271=1")
    assert v.quotes() == [NOTHING, (OTHER, *NOTHING)]
    (resend,) = v.read()
    assert {35: "2", 7: str(missing), 16: "0"}.items() <= dict(resend).items()
    # the venue sends one again, and fills the rest
    v.say("X", f"262={v.asked[ISIN]}|268=1|279=2|269=0|270=10|", seq=missing, more="43=Y|")
    assert v.kinds() == []
    v.say("4", f"123=Y|36={v.next_out}|", seq=missing + 1, more="43=Y|")
    assert v.kinds() == ["V", "V", "V", "V"] and v.quotes() == []
    v.full(("0", 9, 1))
    v.full(("0", 19, 1), isin=OTHER)
    assert v.quotes() == [(9, 0, 1, 0), (OTHER, 19, 0, 1, 0)]
    assert [kind for kind, _ in v.faults()] == ["session"]


@pytest.mark.parametrize("more", ["43=Y|", ""])
def test_a_snapshot_from_within_a_gap_is_passed_over(more):
    """It was true when it was sent: what changed since is still missing."""
    v = venue()
    missing = v.next_out
    old = v.write("W", f"262={v.asked[ISIN]}|55={ISIN}|268=1|269=0|270=10|271=5|", more=more)
    v.say("0")
    v.hear(old)
    assert v.kinds() == ["2"] and v.session.wanted[ISIN].shown == NOTHING
    v.say("4", f"123=Y|36={v.next_out}|", seq=missing + 1, more="43=Y|")
    assert v.kinds() == ["V", "V"] and v.quotes() == []


def test_a_message_that_may_be_a_repeat_changes_no_book():
    v = venue()
    v.full(("0", 10, 5))
    body = f"262={v.asked[ISIN]}|55={ISIN}|268=1|269=0|270=9|271=5|"
    v.say("W", body, more="43=Y|")
    assert v.quotes() == [(10, 0, 5, 0)]


def test_a_gap_that_nobody_fills_ends_the_connection():
    v = venue()
    v.say("0", seq=9)
    v.say("1", "112=x|", seq=10)
    assert v.kinds() == ["2", "0"]
    v.now_ns += GAP_WAIT_NS + 1
    v.session.tick(v.now_ns)
    assert v.kinds() == ["5"] and "did not come" in v.session.closing


def test_resend_requests_are_filled_and_answered_with_new_requests():
    v = venue()
    v.full(("0", 10, 5))
    due = v.next_in
    v.say("2", "7=1|16=0|")
    fill, *rest = v.read()
    assert {35: "4", 34: "1", 43: "Y", 123: "Y", 36: str(due)}.items() <= dict(fill).items()
    assert [dict(pairs)[35] for pairs in rest] == ["V", "V"]
    assert v.quotes() == [(10, 0, 5, 0), NOTHING]
    v.say("2", "7=999|16=0|")
    assert v.kinds() == [] and v.faults()[0][0] == "session"


def test_a_reset_begins_anew():
    v = venue()
    v.full(("0", 10, 5))
    v.next_out = 50
    v.say("4", "36=60|")
    assert v.quotes() == [(10, 0, 5, 0), NOTHING] and v.kinds() == ["V", "V"]
    v.next_out = 60
    v.full(("0", 10, 6))
    assert v.quotes() == [(10, 0, 6, 0)]
    v.say("4", "36=3|")
    assert v.kinds() == ["5"] and "backwards" in v.session.closing


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (framed("35=0|34=1|49=VENUE|56=US|52=x|"), "34)=1 is too low"),
        (framed("35=0|34=x|49=VENUE|56=US|52=x|"), "no number from 1 up"),
        (framed("35=0|34=2|49=OTHER|56=US|52=x|"), "49=OTHER where VENUE is due"),
        (framed("35=0|34=2|49=VENUE|56=YOU|52=x|"), "56=YOU where US is due"),
        (framed("35=0|34=2|49=VENUE|56=US|52=x|", "FIX.4.2"), "8=FIX.4.2 where FIX.4.4 is due"),
        (framed("35=4|34=2|49=VENUE|56=US|123=Y|36=2|"), "fills nothing"),
        (framed("35=5|34=2|49=VENUE|56=US|58=good night|"), "the venue logs out: good night"),
    ],
)
def test_what_ends_a_connection(data, why):
    v = venue()
    v.hear(data)
    assert why in v.session.closing and v.kinds() == ["5"]
    assert [kind for kind, _ in v.faults()] == ["session"]


def test_garbled_messages_are_passed_over_and_then_missing():
    v = venue()
    v.full(("0", 10, 5))
    v.hear(b"noise" + v.write("0")[:-4] + b"000\x01")
    v.say("0")
    assert v.kinds() == ["2"] and v.quotes() == [(10, 0, 5, 0), NOTHING]
    assert {kind for kind, _ in v.faults()} == {"not_readable", "session"}


def test_heartbeats_and_silence():
    v = venue()
    v.full(("0", 10, 5))
    sent = []
    for _ in range(75):
        v.now_ns += NS
        v.session.tick(v.now_ns)
        sent += [(v.now_ns - START_NS) // NS * 100 + ord(kind) for kind in v.kinds()]
    assert sent == [3000 + 48, 3700 + 49, 6700 + 48, 7300 + 53]
    v = venue()
    v.now_ns += 37 * NS
    v.session.tick(v.now_ns)
    v.say("0")
    v.now_ns += 36 * NS
    v.session.tick(v.now_ns)
    v.session.tick(v.now_ns)
    assert not v.session.closing


def test_a_logon_that_is_refused_or_not_answered():
    v = Venue(MarketData(ACCOUNT, "XPAR", (ISIN,)))
    v.session.connected(v.now_ns)
    v.read()
    v.say("5", "58=who are you?|")
    assert "refused: 35=5 who are you?" in v.session.closing
    v.session.lost(v.now_ns)
    v.numbers()
    v.session.connected(v.now_ns)
    v.session.tick(v.now_ns + 11 * NS)
    assert "no answer to the Logon" in v.session.closing
    with pytest.raises(FeedError, match="name 1 to"):
        MarketData(ACCOUNT, "XPAR", ())


# --- against a book that is known -------------------------------------------------------------

NAMES = ("put", "put", "put", "drop", "lose", "garble", "heartbeat", "reset", "hang up")


class Market:
    """A venue with a book of its own, which it says by entry or by price, and may say badly."""

    def __init__(self, by_entry, size):
        self.v = venue()
        self.by_entry = by_entry
        self.size = size  # bytes at a time
        self.levels = {}
        self.shown = NOTHING
        self.snapshot()

    def snapshot(self):
        rows = [(*level, qty) for level, qty in self.levels.items()]
        self.v.full(*((*row, row[0] + str(row[1])) if self.by_entry else row for row in rows))

    def answer(self):
        """Whatever the session asks for."""
        for pairs in self.v.read():
            fields = dict(pairs)
            if fields[35] == "2":
                fill = f"123=Y|36={self.v.next_out}|"
                self.v.say("4", fill, seq=int(fields[7]), more="43=Y|")
                self.answer()
            elif fields[35] == "V" and fields[262] == self.v.asked.get(ISIN):
                self.snapshot()

    def best(self):
        bids = [(px, qty) for (side, px), qty in self.levels.items() if side == "0"]
        asks = [(px, qty) for (side, px), qty in self.levels.items() if side == "1"]
        bid, ask = max(bids, default=(0, 0)), min(asks, default=(0, 0))
        return bid[0], ask[0], bid[1], ask[1]

    def told(self):
        """What the session told last."""
        self.shown = [self.shown, *self.v.quotes()][-1]
        return self.shown

    def change(self, name, side, px, qty):
        """A level is put or dropped; the message is heard, damaged or lost."""
        there = (side, px) in self.levels
        action = 2 if name == "drop" else 1 if there else 0
        if name == "drop" and self.levels.pop((side, px), None) is None:
            return
        if name != "drop":
            self.levels[side, px] = qty
        entry = f"279={action}|269={side}|270={px}|271={qty}|" + f"278={side}{px}|" * self.by_entry
        data = self.v.write("X", f"262={self.v.asked[ISIN]}|268=1|{entry}")
        if name == "garble":
            data = data.replace(b"268=1", b"268=7")
        if name != "lose":
            for at in range(0, len(data), self.size):
                self.v.hear(data[at : at + self.size])

    def act(self, name, side, px, qty):
        v = self.v
        if name in ("put", "drop", "lose", "garble"):
            self.change(name, side, px + 10 * int(side), qty)
        elif name == "heartbeat":
            v.say("0")
            self.answer()
        elif name == "reset":
            v.next_out += 3
            v.say("4", f"36={v.next_out + 1}|")
            self.answer()
        else:
            v.session.lost(v.now_ns)
            assert v.session.state == State.DOWN and self.told() == NOTHING
            v.begin()
            self.snapshot()


@pytest.mark.parametrize("seed", range(20))
def test_a_quote_is_the_venues_best_or_none(seed):
    """As soon as one message after a lost one has come; and the best when all is answered."""
    draw = random.Random(seed)
    market = Market(by_entry=seed % 2 == 0, size=draw.choice([1, 7, 4096]))
    for _ in range(60):
        name = draw.choice(NAMES)
        market.act(name, draw.choice("01"), draw.randint(1, 4), draw.randint(1, 3))
        if name not in ("lose", "garble", "drop"):
            assert market.told() in (market.best(), NOTHING)
        if name in ("heartbeat", "reset", "hang up"):
            assert market.told() == market.best()
    market.act("heartbeat", "0", 0, 0)
    assert market.told() == market.best()


NOISE = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.sampled_from("WXYAj01245"), st.lists(st.tuples(
        st.sampled_from([7, 16, 36, 48, 55, 58, 112, 123, 262, 268, 269, 270, 271, 278, 279, 15]),
        st.sampled_from(["0", "1", "2", "Y", ISIN, "1-1", "10", "-1", "x", "99999999999999999999"]),
    ), max_size=8)),
)  # fmt: skip


@given(st.lists(NOISE, max_size=12))
def test_whatever_a_venue_says_is_counted(noise):
    v = venue()
    v.full(("0", 10, 5), ("1", 12, 3))
    for each in noise:
        if isinstance(each, bytes):
            v.hear(each)
        else:
            kind, fields = each
            v.say(kind, "".join(f"{tag}={value}|" for tag, value in fields))
        v.session.tick(v.now_ns)
    for quote in v.session.quotes:
        assert quote.bid_px_e6 >= 0 and quote.ask_qty >= 0
