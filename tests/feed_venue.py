"""A venue's side of a market-data session, made from the standard alone, without a socket."""

from datetime import UTC, datetime

from gateway.feed_fix_session import MarketData
from gateway.feed_lines import NS
from gateway.sim_wire import Account
from tests.fix_peer import framed
from tests.market_files import ISIN

ACCOUNT = Account("127.0.0.1", 1, "US", "VENUE", "FIX.4.4", "name", "secret", 30)
START_NS = 1_780_905_600 * 10**9
NOTHING = (0, 0, 0, 0)


def cut(data):
    """Messages as lists of (tag, value), each with a right length and checksum."""
    found = []
    for raw in data.decode().split("8=FIX.4.4\x01")[1:]:
        whole = "8=FIX.4.4\x01" + raw
        pairs = [field.split("=", 1) for field in whole.split("\x01")[:-1]]
        body = whole[whole.index("\x0135=") + 1 : -7]
        assert int(pairs[1][1]) == len(body)
        assert int(pairs[-1][1]) == sum(whole[:-7].encode()) % 256
        found.append([(int(tag), value) for tag, value in pairs])
    return found


class Venue:
    """An acceptor: its number, what it was asked for, its words as bytes."""

    def __init__(self, session):
        self.session = session
        self.now_ns = START_NS
        self.asked = {}  # ISIN -> MDReqID(262) of the subscription that stands
        self.numbers()

    def numbers(self):
        self.next_out = 1
        self.next_in = 1

    def write(self, kind, body="", seq=None, more=""):
        number = self.next_out if seq is None else seq
        if seq is None:
            self.next_out += 1
        stamp = datetime.fromtimestamp(self.now_ns // NS, UTC).strftime("%Y%m%d-%H:%M:%S")
        return framed(f"35={kind}|34={number}|49=VENUE|56=US|52={stamp}|{more}{body}")

    def say(self, kind, body="", **given):
        self.hear(self.write(kind, body, **given))

    def hear(self, data):
        self.session.receive(data, self.now_ns)

    def read(self):
        """What the session has written; requests are taken note of."""
        messages = cut(bytes(self.session.output))
        self.session.output.clear()
        for pairs in messages:
            fields = dict(pairs)
            assert (fields[49], fields[56]) == ("US", "VENUE")
            if fields.get(123) != "Y":
                assert int(fields[34]) == self.next_in
                self.next_in += 1
            if fields[35] == "V" and fields[263] == "1":
                assert [v for t, v in pairs if t == 269] == ["0", "1"]
                assert (fields[48], fields[22], fields[146]) == (fields[55], "4", "1")
                assert fields[48] not in self.asked, "the old one must end first"
                self.asked[fields[48]] = fields[262]
            elif fields[35] == "V":
                assert self.asked.pop(fields[48]) == fields[262]
        return messages

    def kinds(self):
        return [dict(pairs)[35] for pairs in self.read()]

    def begin(self):
        self.asked.clear()
        self.numbers()
        self.session.connected(self.now_ns)
        (logon,) = self.read()
        assert {98: "0", 108: "30", 141: "Y", 553: "name", 554: "secret"}.items() <= dict(
            logon
        ).items()
        self.say("A", "98=0|108=30|141=Y|")
        self.read()
        return self

    def full(self, *levels, isin=ISIN):
        """W: (side, price, size[, id]) each."""
        entries = "".join(
            f"269={side}|270={px}|271={qty}|" + "".join(f"278={key}|" for key in ids)
            for side, px, qty, *ids in levels
        )
        request = self.asked[isin]
        self.say("W", f"262={request}|55={isin}|48={isin}|22=4|268={len(levels)}|{entries}")

    def change(self, *entries, isin=ISIN, request=True):
        """X: each entry as text behind its 279."""
        text = "".join(f"279={entry}|" for entry in entries)
        head = f"262={self.asked[isin]}|" if request else ""
        self.say("X", f"{head}268={len(entries)}|{text}")

    def quotes(self):
        """Best prices that the session has told since the last time, in whole units."""
        told = [(q.isin, *q[5:]) for q in self.session.quotes]
        self.session.quotes.clear()
        return [
            (*((isin,) if isin != ISIN else ()), bid // 10**6, ask // 10**6, bid_qty, ask_qty)
            for isin, bid, ask, bid_qty, ask_qty in told
        ]

    def faults(self):
        said = [(str(error.kind), str(error)) for error in self.session.faults]
        self.session.faults.clear()
        return said


def venue(*isins, **given):
    return Venue(MarketData(ACCOUNT, "XPAR", isins or (ISIN,), **given)).begin()
