"""The slow, obvious Systematic Internaliser: `engine/README.md` in dicts, ints and `Decimal`.

It shares no code with the product, so that it can catch its errors. Inputs are plain dicts
with the field names of `engine.schema`, text as str; outputs are dicts with the same names, in the
engine's units. A value of None in an output means: the specification does not fix this field here.
"""

from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, getcontext
from enum import IntEnum
from typing import Any

Row = dict[str, Any]
Policy = Callable[[Row], int]
Failure = tuple[int, int | None, int | None]  # reason, value, limit
Check = tuple[bool, int, int | None, int | None]  # failed, reason, value, limit

getcontext().prec = 60  # a price of 14 digits x a quantity of 12 x 10 000 must stay exact

QTY_MAX = 10**11
PX_MAX = Decimal(10**7)
WHOLE_MAX = 2**63 - 1
EXPIRED_AT_ONCE = 64  # outputs that one input may cause

BUY = 1
SIDES = (1, 2, 5)
MARKET, LIMIT = ORD_TYPES = (1, 2)
PREVIOUSLY_QUOTED, PEGGED = ord("D") - ord("0"), ord("P") - ord("0")
DAY, IOC, FOK, GTD = TIFS = (0, 3, 4, 6)
PEG_FILL, PEG_POLICY, PEG_REJECT = range(3)
ONE_SECURITY, ALL_ORDERS = 1, 7
CONTINUOUS = 0

BboState = IntEnum("BboState", "NORMAL LOCKED CROSSED ONE_SIDED STALE EMPTY", start=0)
Zone = IntEnum(
    "Zone",
    "NONE WITHIN_MIN_QUOTE WITHIN_OBLIGATION DISCRETIONARY LARGE_IN_SCALE ON_REQUEST",
    start=0,
)
Route = IntEnum("Route", "NONE AUTO DESK REJECT", start=0)
OrderState = IntEnum(
    "OrderState", "NONE NEW PARTIALLY_FILLED FILLED CANCELLED REJECTED EXPIRED", start=0
)
DeskState = IntEnum(
    "DeskState", "NONE QUEUED CLAIMED QUOTED FILLED DECLINED CANCELLED EXPIRED", start=0
)
DeskAction = IntEnum("DeskAction", "CLAIM QUOTE FILL DECLINE KILL RESUME")
KillScope = IntEnum("KillScope", "FIRM CLIENT INSTRUMENT POOL", start=0)
Kind = IntEnum(
    "Kind",
    "NEW FILL CANCELLED REJECTED EXPIRED STATUS CANCEL_REJECTED DESK_QUOTE "
    "REPLACED REPLACE_REJECTED MASS_CANCEL MASS_STATUS",
)
Clamp = IntEnum("Clamp", "NONE WORSE_THAN_QUOTE OUTSIDE_QUOTE OFF_TICK NOT_A_PRICE", start=0)
QuoteState = IntEnum("QuoteState", "NONE LIVE WITHDRAWN", start=0)
_REASONS = (
    "NONE KILLED_FIRM KILLED_CLIENT KILLED_INSTRUMENT DUPLICATE_CLORDID ORDERS_FULL DESK_FULL "
    "UNKNOWN_INSTRUMENT NOT_SI NO_THRESHOLD CLOSED HALTED ORD_TYPE TIF SIDE QTY_NOT_POSITIVE "
    "QTY_NOT_WHOLE QTY_OFF_LOT QTY_TOO_LARGE PX_NOT_POSITIVE PX_TOO_LARGE PX_OFF_TICK PX_COLLAR "
    "BBO_EMPTY BBO_ONE_SIDED BBO_STALE BBO_CROSSED NOTIONAL_OVERFLOW CLIENT_ORDER_LIMIT "
    "CLIENT_DAY_LIMIT CLIENT_COUNT_LIMIT POSITION_LIMIT INSTRUMENT_ORDER_LIMIT ZONE_REJECTED "
    "NOT_MARKETABLE NO_REGIME CLIENT_CANCEL DESK_DECLINED DESK_EXPIRED DESK_REMAINDER "
    "UNKNOWN_ORDER TOO_LATE CURRENCY UNKNOWN_ITEM ITEM_CLOSED ITEM_NOT_YOURS ITEM_QTY "
    "ITEM_THROUGH_LIMIT ITEM_NO_PX UNKNOWN_ACTION UNKNOWN_SUBJECT NO_QUOTE CLORDID_SIZE "
    "PEG PEG_MID EXPIRE_MISSING EXPIRE_PAST ORDER_EXPIRED MIN_QTY DESTINATION_VENUE DESTINATION "
    "ID_SOURCE REPLACE_SIDE REPLACE_INSTRUMENT REPLACE_QTY REPLACES_FULL ITEM_MIN_QTY "
    "ITEM_EXPIRED ITEM_THROUGH_MID MASS_SCOPE NO_OPEN_ORDER MASS_PARTIES"
)
#: Those about quotes on request begin at 80; orders of this oracle can only get one of them.
_NUMBERED = [(name, number) for number, name in enumerate(_REASONS.split())]
Reason = IntEnum("Reason", [*_NUMBERED, ("QUOTE_UNKNOWN", 85), ("KILLED_POOL", 122)])

#: Why an order cannot be answered, and why our quote is withdrawn, by the state of the BBO.
BBO_REASON = {
    BboState.CROSSED: Reason.BBO_CROSSED,
    BboState.ONE_SIDED: Reason.BBO_ONE_SIDED,
    BboState.STALE: Reason.BBO_STALE,
    BboState.EMPTY: Reason.BBO_EMPTY,
}

#: RTS 11 Annex: upper bound of the price range, then the tick of liquidity bands 1 to 6.
RTS_11 = """
0.1       0.0005 0.0002 0.0001 0.0001 0.0001 0.0001
0.2       0.001  0.0005 0.0002 0.0001 0.0001 0.0001
0.5       0.002  0.001  0.0005 0.0002 0.0001 0.0001
1         0.005  0.002  0.001  0.0005 0.0002 0.0001
2         0.01   0.005  0.002  0.001  0.0005 0.0002
5         0.02   0.01   0.005  0.002  0.001  0.0005
10        0.05   0.02   0.01   0.005  0.002  0.001
20        0.1    0.05   0.02   0.01   0.005  0.002
50        0.2    0.1    0.05   0.02   0.01   0.005
100       0.5    0.2    0.1    0.05   0.02   0.01
200       1      0.5    0.2    0.1    0.05   0.02
500       2      1      0.5    0.2    0.1    0.05
1000      5      2      1      0.5    0.2    0.1
2000      10     5      2      1      0.5    0.2
5000      20     10     5      2      1      0.5
10000     50     20     10     5      2      1
20000     100    50     20     10     5      2
50000     200    100    50     20     10     5
Infinity  500    200    100    50     20     10
"""
TICKS = [[Decimal(word) for word in line.split()] for line in RTS_11.strip().splitlines()]


def units(e6: int) -> Decimal:
    """A price or an amount in currency units."""
    return Decimal(e6).scaleb(-6)


def to_e6(amount: Decimal) -> int:
    """Back to the engine's millionths, rounded down."""
    return int(amount.scaleb(6).to_integral_value(ROUND_FLOOR))


def tick_at(px: Decimal, band: int) -> Decimal:
    """The smallest price step at this price; without a mandatory tick 0.0001."""
    if band == 0:
        return Decimal("0.0001")
    return next(row[band] for row in TICKS if px < row[0])


def on_tick(px: Decimal, band: int) -> bool:
    """Whether an order or a quote may stand at this price: any, where no tick is mandatory."""
    return band == 0 or px % tick_at(px, band) == 0


def on_tick_of_quotes(px: Decimal, band: int) -> bool:
    """Whether our own quotes may stand there: without a mandatory tick at 0.0001."""
    return px % tick_at(px, band) == 0


def round_to_tick(px: Decimal, band: int, rounding: str) -> Decimal:
    tick = tick_at(px, band)
    return (px / tick).to_integral_value(rounding) * tick


def first_failure(checks: Iterator[Check]) -> Failure | None:
    """The checks are made one after the other; what follows a failed one is never evaluated."""
    for failed, reason, value, limit in checks:
        if failed:
            return reason, value, limit
    return None


def is_limited(order: Row) -> bool:
    """Whether a price binds the order: a pegged one only where it was given."""
    pegged = order["ord_type"] == PEGGED and order["limit_px_e6"] != 0
    return order["ord_type"] == LIMIT or pegged


def through_limit(order: Row, px: Decimal) -> bool:
    """Whether the client's limit forbids this price."""
    if not is_limited(order):
        return False
    limit = units(order["limit_px_e6"])
    return px > limit if order["side"] == BUY else px < limit


def signed_for_firm(order: Row, qty: int) -> int:
    """What the client buys the firm sells."""
    return -qty if order["side"] == BUY else qty


ORDER_FIELDS = (
    "order_id session client instrument clordid side ord_type tif qty limit_px_e6 state "
    "filled_qty filled_e6 zone route reason desk_item recv_ns min_qty expire_ns"
).split()
ITEM_FIELDS = (
    "item_id state order_id session client instrument isin currency side tif qty filled_qty "
    "limit_px_e6 zone notional_e6 bid_px_e6 ask_px_e6 trader quote_px_e6 created_ns deadline_ns "
    "changed_ns ord_type min_qty expire_ns replaced"
).split()
QUOTE_CONTENT = (
    "state reason bid_px_e6 ask_px_e6 bid_qty ask_qty mrm_bid_px_e6 mrm_ask_px_e6".split()
)
MORE_SIZES = 2
SIZE_CONTENT = "bid_px_e6 ask_px_e6 bid_qty ask_qty".split()
NO_SIZE = dict.fromkeys(SIZE_CONTENT, 0)


class Oracle:
    """All state of one firm; each input method returns the outputs of that input."""

    def __init__(self, *, orders_max: int, desk_max: int, policy: Policy) -> None:
        self.orders_max = orders_max
        self.desk_max = desk_max
        self.policy = policy
        self.params: Row = {}
        self.regimes: dict[int, Row] = {}
        self.venues: dict[int, str] = {}
        self.clients: dict[int, Row] = {}
        self.pools: dict[int, Row] = {}
        self.instruments: dict[int, Row] = {}
        self.books: dict[int, dict[int, Row]] = {}  # instrument, venue
        self.quotes: dict[int, Row] = {}
        self.made_of: dict[int, list[int]] = {}  # when that came which a live quote is made of
        self.positions: dict[int, Row] = {}
        self.client_use: dict[int, Row] = {}
        self.orders: list[Row] = []
        self.items: list[Row] = []
        self.by_clordid: dict[tuple[int, str], Row] = {}  # every ClOrdID an order has had
        self.replaced_count = 0
        self.firm_killed = False
        self.was_open = False  # when a timer last looked
        self.executions_count = 0
        self.quotes_count = 0
        self.outputs: list[Row] = []

    # Settings

    def set_params(self, **fields: Any) -> None:
        self.params = fields

    def set_regime(self, index: int, **fields: Any) -> None:
        self.regimes[index] = fields

    def set_venue(self, index: int, mic: str) -> None:
        self.venues[index] = mic

    def set_client(self, index: int, **fields: Any) -> None:
        self.clients[index] = fields
        fresh = {"filled_eur_e6": 0, "fills": 0, "orders": 0, "killed": 0}
        self.client_use.setdefault(index, fresh)

    def set_pool(self, index: int, name: str) -> None:
        self.pools[index] = {"name": name, "killed": 0}

    def set_instrument(self, index: int, **fields: Any) -> None:
        self.instruments[index] = fields
        self.books.setdefault(index, {})
        names = ("qty", "cash_e6", "improvement_e6", "fills", "traded_qty", "killed")
        self.positions.setdefault(index, dict.fromkeys(names, 0))
        nothing = {"instrument": None, "quote_id": 0, "entered_ns": 0}
        empty = dict.fromkeys(QUOTE_CONTENT, 0) | self._as_lists([])
        self.quotes.setdefault(index, nothing | empty)

    # Inputs

    def venue_quote(self, record: Row, ts_ns: int) -> list[Row]:
        instrument = self._instrument_of(record["isin"])
        venue = next((i for i, mic in self.venues.items() if mic == record["mic"]), None)
        if instrument is None or venue is None:
            return []
        self.books[instrument][venue] = self._sound(record) | {"recv_ns": ts_ns}
        self._make_quote(instrument, self._bbo(instrument, ts_ns), ts_ns)
        return self._take_outputs()

    def order(self, event: Row, ts_ns: int) -> list[Row]:
        record = self._record_of_event(event, ts_ns)
        failure = first_failure(self._checks_for_a_row(event))
        if failure:
            self._execute(Kind.REJECTED, record, failure)
            return self._take_outputs()
        order = self._new_order(event, ts_ns)
        record["order_id"] = order["order_id"]
        failure = first_failure(self._checks_without_market(order, event, ts_ns, record))
        if failure is None:
            public = self.quotes[order["instrument"]]  # as it was when the order came
            bbo = self._look_at_market(order, ts_ns, record)
            public = self._in_size(public, order)
            record |= self._quote_fields(public)
            failure = first_failure(self._checks_with_market(order, bbo, record, public))
        if failure:
            self._reject(order, record, failure)
        elif order["route"] == Route.DESK:
            self._enqueue(order, record, ts_ns)
        else:
            self._answer(order, public, record, ts_ns)
        return self._take_outputs()

    def cancel(self, event: Row, ts_ns: int) -> list[Row]:
        order = self._find(event, event["orig_clordid"])
        if order is None:
            record = self._record_of_event(event, ts_ns)
            self._execute(Kind.CANCEL_REJECTED, record, (Reason.UNKNOWN_ORDER, None, None))
            return self._take_outputs()
        record = self._record_of_order(order, ts_ns) | self._names(order, event)
        item = self._open_item(order)
        if item is None:
            self._execute(Kind.CANCEL_REJECTED, record, (Reason.TOO_LATE, None, None))
        else:
            self._close(order, item, (Kind.CANCELLED, Reason.CLIENT_CANCEL), record)
            self._show_item(item, ts_ns)
        return self._take_outputs()

    def status(self, event: Row, ts_ns: int) -> list[Row]:
        order = self._find(event, event["clordid"])
        if order is None:
            record = self._record_of_event(event, ts_ns)
            self._execute(Kind.STATUS, record, (Reason.UNKNOWN_ORDER, None, None))
        else:
            why = (order["reason"], None, None)
            self._execute(Kind.STATUS, self._record_of_order(order, ts_ns), why)
        return self._take_outputs()

    def replace(self, event: Row, ts_ns: int) -> list[Row]:
        order = self._find(event, event["orig_clordid"])
        if order is None:
            record = self._record_of_event(event, ts_ns)
            self._execute(Kind.REPLACE_REJECTED, record, (Reason.UNKNOWN_ORDER, None, None))
            return self._take_outputs()
        record = self._record_of_order(order, ts_ns) | self._names(order, event)
        changed = self._changed(order, event)
        failure = first_failure(self._change_checks(order, event))
        if failure is None:
            failure = first_failure(self._checks_on_terms(changed, event, ts_ns, dict(record)))
        if failure is None:
            bbo = self._look_at_market(changed, ts_ns, record)
            record["regime"] = self._regime(ts_ns)
            failure = first_failure(self._checks_with_market(changed, bbo, record))
        if failure:
            record |= dict.fromkeys(("zone", "route"))
            self._execute(Kind.REPLACE_REJECTED, record, failure)
        else:
            self._replace(order, changed, record, ts_ns)
        return self._take_outputs()

    def mass_cancel(self, event: Row, ts_ns: int) -> list[Row]:
        """All in one piece: the stream never has more open orders than that."""
        failure = self._scope_failure(event)
        items = [] if failure else self._meant(event)
        for item in items:
            order = self.orders[item["order_id"] - 1]
            record = self._record_of_order(order, ts_ns) | self._names(order, event)
            self._close(order, item, (Kind.CANCELLED, Reason.CLIENT_CANCEL), record)
            self._show_item(item, ts_ns)
        if event["scope"]:
            record = self._record_of_event(event, ts_ns)
            record |= {"total": len(items), "scope": event["scope"]}
            self._execute(Kind.MASS_CANCEL, record, failure)
        return self._take_outputs()

    def mass_status(self, event: Row, ts_ns: int) -> list[Row]:
        failure = self._scope_failure(event)
        items = [] if failure else self._meant(event)
        for n, item in enumerate(items):
            record = self._record_of_order(self.orders[item["order_id"] - 1], ts_ns)
            record |= {"total": len(items), "last": int(n + 1 == len(items))}
            self._execute(Kind.MASS_STATUS, record)
        if not items:
            record = self._record_of_event(event, ts_ns) | {"total": 1, "last": 1}
            nothing = (Reason.NO_OPEN_ORDER, None, None)
            self._execute(Kind.MASS_STATUS, record, failure or nothing)
        return self._take_outputs()

    def timer(self, ts_ns: int) -> list[Row]:
        due = [
            item
            for item in self.items
            if item["state"] in (DeskState.QUEUED, DeskState.CLAIMED, DeskState.QUOTED)
            and item["deadline_ns"] <= ts_ns
        ]
        for item in due[:EXPIRED_AT_ONCE]:
            order = self.orders[item["order_id"] - 1]
            record = self._record_of_order(order, ts_ns)
            own = item["expire_ns"] == item["deadline_ns"]
            why = Reason.ORDER_EXPIRED if own else Reason.DESK_EXPIRED
            self._close(order, item, (Kind.EXPIRED, why), record)
            self._show_item(item, ts_ns)
        stale_ns = self.params["stale_ns"]
        for instrument, received in sorted(self.made_of.items()):
            if any(abs(ts_ns - recv_ns) > stale_ns for recv_ns in received):
                self._make_quote(instrument, self._bbo(instrument, ts_ns), ts_ns)
        if self._is_open_at(ts_ns) != self.was_open:
            self.was_open = not self.was_open
            self._make_all_quotes(ts_ns)
        return self._take_outputs()

    def desk(self, command: Row, ts_ns: int) -> list[Row]:
        action = command["action"]
        if action in (DeskAction.KILL, DeskAction.RESUME):
            failure = self._switch(command, ts_ns)
        elif action in (DeskAction.CLAIM, DeskAction.QUOTE, DeskAction.FILL, DeskAction.DECLINE):
            failure = self._work_item(command, ts_ns)
        else:
            failure = (Reason.UNKNOWN_ACTION, None, None)
        reason, value, limit = failure or (Reason.NONE, None, None)
        names = ("command_id", "action", "item_id", "trader")
        answer = {name: command[name] for name in names}
        answer |= {"reason": int(reason), "value": value, "limit": limit}
        self.outputs.append({"type": "desk_result"} | answer)
        return self._take_outputs()

    def state(self) -> dict[str, Any]:
        """Rows by their index in the engine's tables, with the fields of `engine.schema`."""
        return {
            "positions": self.positions,
            "client_use": self.client_use,
            "pools": self.pools,
            "quotes": self.quotes,
            "orders": [{name: order[name] for name in ORDER_FIELDS} for order in self.orders],
            "desk_items": [{name: item[name] for name in ITEM_FIELDS} for item in self.items],
            "kill_firm": int(self.firm_killed),
        }

    # The market

    def _instrument_of(self, isin: str) -> int | None:
        return next((i for i, row in self.instruments.items() if row["isin"] == isin), None)

    def _sound(self, record: Row) -> Row:
        """A record without the sides that are none."""
        sides = [s for s in ("bid", "ask") if not self._is_side(record, s)]
        return record | {f"{s}_{name}": 0 for s in sides for name in ("px_e6", "qty")}

    def _is_side(self, record: Row, side: str) -> bool:
        return 0 < units(record[f"{side}_px_e6"]) <= PX_MAX and record[f"{side}_qty"] > 0

    def _is_usable(self, book: Row, ts_ns: int) -> bool:
        fresh = abs(ts_ns - book["recv_ns"]) <= self.params["stale_ns"]
        return fresh and book["phase"] == CONTINUOUS

    def _is_crossed(self, book: Row) -> bool:
        return book["bid_px_e6"] > book["ask_px_e6"] > 0

    def _counts(self, book: Row, side: str, ts_ns: int) -> bool:
        """Whether this side of a venue's quote may be used."""
        sound = self._is_usable(book, ts_ns) and not self._is_crossed(book)
        return sound and book[f"{side}_px_e6"] > 0

    def _bbo(self, instrument: int, ts_ns: int) -> Row:
        books = sorted(self.books[instrument].items())
        bids = [(-b["bid_px_e6"], i) for i, b in books if self._counts(b, "bid", ts_ns)]
        asks = [(b["ask_px_e6"], i) for i, b in books if self._counts(b, "ask", ts_ns)]
        bid, bid_venue = min(bids, default=(0, None))
        ask, ask_venue = min(asks, default=(0, None))
        mrm_bid, mrm_ask = self._mrm_touch(instrument, ts_ns)
        state = self._bbo_state(instrument, -bid, ask)
        if state == BboState.STALE:
            for venue, book in reversed(books):
                if self._is_usable(book, ts_ns) and self._is_crossed(book):
                    state, bid_venue, ask_venue = BboState.CROSSED, venue, venue
                    bid, ask = -book["bid_px_e6"], book["ask_px_e6"]
        return {
            "state": int(state),
            "bid": units(-bid),
            "ask": units(ask),
            "bid_venue": bid_venue,
            "ask_venue": ask_venue,
            "mrm_bid": units(mrm_bid),
            "mrm_ask": units(mrm_ask),
            "age_ns": self._age_ns(instrument, ts_ns),
        }

    def _bbo_state(self, instrument: int, bid: int, ask: int) -> int:
        if not self._quoting_books(instrument):
            return BboState.EMPTY
        if not bid and not ask:
            return BboState.STALE
        if not bid or not ask:
            return BboState.ONE_SIDED
        if bid > ask:
            return BboState.CROSSED
        return BboState.LOCKED if bid == ask else BboState.NORMAL

    def _quoting_books(self, instrument: int) -> list[Row]:
        """The venues' latest quotes that have not withdrawn both sides, however old."""
        books = self.books[instrument].values()
        return [b for b in books if b["bid_px_e6"] > 0 or b["ask_px_e6"] > 0]

    def _mrm_touch(self, instrument: int, ts_ns: int) -> tuple[int, int]:
        """Bid and ask of the most relevant market, a zero where it lacks one."""
        book = self.books[instrument].get(self.instruments[instrument]["mrm_venue"])
        if not book:
            return 0, 0
        bid, ask = (
            book[f"{s}_px_e6"] if self._counts(book, s, ts_ns) else 0 for s in ("bid", "ask")
        )
        return bid, ask

    def _age_ns(self, instrument: int, ts_ns: int) -> int | None:
        books = self._quoting_books(instrument)
        if not books:
            return None
        sides = ("bid", "ask")
        counting = [b for b in books if any(self._counts(b, side, ts_ns) for side in sides)]
        return ts_ns - max(book["recv_ns"] for book in counting or books)

    # Our own quote

    def _make_quote(self, instrument: int, bbo: Row, ts_ns: int) -> None:
        """A new version of our quote where anything in it has changed."""
        made = self._quote_content(instrument, bbo, ts_ns)
        old = self.quotes[instrument]
        self.made_of[instrument] = []
        if made["state"] == QuoteState.LIVE:
            mrm = self.instruments[instrument]["mrm_venue"]
            venues = (mrm,) if self._of_mrm(bbo) else (bbo["bid_venue"], bbo["ask_venue"])
            self.made_of[instrument] = [self.books[instrument][v]["recv_ns"] for v in venues]
        if all(made[name] == old[name] for name in made):
            return
        self.quotes_count += 1
        ours = {"instrument": instrument, "quote_id": self.quotes_count, "entered_ns": ts_ns}
        self.quotes[instrument] = made | ours
        self.outputs.append({"type": "quote"} | self.quotes[instrument])

    def _make_all_quotes(self, ts_ns: int) -> None:
        """Again, of every instrument that ever had one."""
        for instrument in [i for i, quote in self.quotes.items() if quote["quote_id"]]:
            self._make_quote(instrument, self._bbo(instrument, ts_ns), ts_ns)

    def _quote_content(self, instrument: int, bbo: Row, ts_ns: int) -> Row:
        row = self.instruments[instrument]
        touch = self._touch(bbo)
        regime = self._regime(ts_ns)
        mrm = {"mrm_bid_px_e6": to_e6(bbo["mrm_bid"]), "mrm_ask_px_e6": to_e6(bbo["mrm_ask"])}
        nothing = dict.fromkeys(QUOTE_CONTENT, 0) | mrm | {"state": int(QuoteState.WITHDRAWN)}
        nothing |= self._as_lists([])
        if self.firm_killed:
            return nothing | {"reason": int(Reason.KILLED_FIRM)}
        if self.positions[instrument]["killed"]:
            return nothing | {"reason": int(Reason.KILLED_INSTRUMENT)}
        if not self._is_open_at(ts_ns):
            return nothing | {"reason": int(Reason.CLOSED)}
        if self._mrm_phase(instrument) != CONTINUOUS:
            return nothing | {"reason": int(Reason.HALTED)}
        if touch is None:
            return nothing | {"reason": int(BBO_REASON[BboState(bbo["state"])])}
        if not self._answers(row, regime):
            return nothing | {"reason": int(Reason.NO_QUOTE)}
        bid = round_to_tick(touch[0], row["tick_band"], ROUND_FLOOR)
        ask = round_to_tick(touch[1], row["tick_band"], ROUND_CEILING)
        if bid == 0:
            return nothing | {"reason": int(Reason.NO_QUOTE)}
        qmin, threshold = self._thresholds(row, regime)
        size = {
            f"{side}_qty": self._quote_size(row, px, qmin)
            for side, px in (("bid", bid), ("ask", ask))
        }
        prices = {"bid_px_e6": to_e6(bid), "ask_px_e6": to_e6(ask)}
        more = self._as_lists(self._more_sizes(row, prices | size, threshold))
        return mrm | prices | size | more | {"state": int(QuoteState.LIVE), "reason": 0}

    def _more_sizes(self, row: Row, first: Row, threshold: Decimal) -> list[Row]:
        """Sizes besides the first, up to the first that may not be quoted."""
        found: list[Row] = []
        wanted = zip(
            self.params.get("more_size_bps", []), self.params.get("more_size_ticks", []),
            strict=True,
        )  # fmt: skip
        for bps, worse in wanted if row["liquid"] else ():
            made, before = self._larger(row, first, bps, worse, threshold), (found or [first])[-1]
            if not bps or made is None:
                break
            if any(made[name] <= before[name] for name in ("bid_qty", "ask_qty")):
                break
            found.append(made)
        return found

    def _larger(self, row: Row, first: Row, bps: int, worse: int, threshold: Decimal) -> Row | None:
        """One such size, None where its prices are none."""
        band, lot = row["tick_band"], row["lot"]
        bid, ask = units(first["bid_px_e6"]), units(first["ask_px_e6"])
        sums, bid = bid + ask, round_to_tick(bid - worse * tick_at(ask, band), band, ROUND_FLOOR)
        while bid > 0 and not on_tick_of_quotes(sums - bid, band):
            bid = round_to_tick(bid - Decimal("0.000001"), band, ROUND_FLOOR)
        ask = sums - bid  # every size has the first one's midpoint
        if bid <= 0 or ask > PX_MAX:
            return None
        largest = threshold
        if row["order_max_e6"]:
            largest = min(largest, units(row["order_max_e6"]))
        most = int(min(Decimal(QTY_MAX), 2 * largest / (bid + ask)) // lot) * lot
        made = {"bid_px_e6": to_e6(bid), "ask_px_e6": to_e6(ask)}
        for name in ("bid_qty", "ask_qty"):
            shares = Decimal(first[name]) * bps / 10_000
            made[name] = min(int((shares / lot).to_integral_value(ROUND_CEILING)) * lot, most)
        return made

    def _as_lists(self, sizes: list[Row]) -> Row:
        """As a quote's record has them."""
        rows = (sizes + [NO_SIZE] * MORE_SIZES)[:MORE_SIZES]
        return {f"more_{name}": [row[name] for row in rows] for name in SIZE_CONTENT}

    def _in_size(self, quote: Row, order: Row) -> Row:
        """The quote as an order gets it: with what is quoted for its size."""
        sizes = [{name: quote[name] for name in SIZE_CONTENT} | {"size": 0}]
        for n in range(MORE_SIZES):
            more = {name: quote[f"more_{name}"][n] for name in SIZE_CONTENT}
            sizes += [more | {"size": n + 1}] if more != NO_SIZE else []
        side = "ask_qty" if order["side"] == BUY else "bid_qty"
        return quote | next((s for s in sizes if order["qty"] <= s[side]), sizes[-1])

    def _answers(self, row: Row, regime: int | None) -> bool:
        """Whether an order could be answered at all."""
        return bool(row["si"]) and regime is not None and not self._lacks_thresholds(row)

    def _lacks_thresholds(self, row: Row) -> bool:
        return row["lis_e6"] == 0 or (bool(row["liquid"]) and row["sms_e6"] == 0)

    def _touch(self, bbo: Row) -> tuple[Decimal, Decimal] | None:
        """The market that we quote after: RTS 1 Art 10(1), else (2), else none."""
        if self._of_mrm(bbo):
            return bbo["mrm_bid"], bbo["mrm_ask"]
        if bbo["state"] not in BBO_REASON:
            return bbo["bid"], bbo["ask"]
        return None

    def _of_mrm(self, bbo: Row) -> bool:
        return bool(bbo["mrm_bid"] > 0 and bbo["mrm_ask"] > 0)

    def _quote_size(self, row: Row, px: Decimal, qmin: Decimal) -> int:
        if not row["liquid"]:
            return row["lot"]
        wanted = qmin * self.params["quote_size_bps"] / 10_000
        lots = int((wanted / (px * row["lot"])).to_integral_value(ROUND_FLOOR))
        while lots * row["lot"] * px < wanted:
            lots += 1
        return max(lots, 1) * row["lot"]

    # Rules in force

    def _regime(self, ts_ns: int) -> int | None:
        forced = self.params["regime_forced"]
        if forced >= 0:
            return forced
        for index, row in sorted(self.regimes.items()):
            mine = row["jurisdiction"] == self.params["jurisdiction"]
            if mine and row["valid_from_ns"] <= ts_ns < row["valid_to_ns"]:
                return index
        return None

    def _thresholds(self, row: Row, regime: int) -> tuple[Decimal, Decimal]:
        """Qmin and T, in whole millionths as they are stored."""
        rules = self.regimes[regime]
        shares = (rules["qmin_bps"], rules["threshold_bps"])
        qmin, threshold = (units(to_e6(units(row["sms_e6"]) * bps / 10_000)) for bps in shares)
        return qmin, threshold

    def _classify(self, row: Row, notional: Decimal, regime: int) -> tuple[int, int]:
        """Zone and route."""
        qmin, threshold = self._thresholds(row, regime)
        lis = units(row["lis_e6"])
        if not row["liquid"]:
            route = Route.DESK if notional >= lis else self.params["on_request_route"]
            return Zone.ON_REQUEST, route
        if notional <= qmin:
            return Zone.WITHIN_MIN_QUOTE, Route.AUTO
        if notional <= threshold:
            return Zone.WITHIN_OBLIGATION, Route.AUTO
        if notional >= lis:
            return Zone.LARGE_IN_SCALE, Route.DESK
        return Zone.DISCRETIONARY, self.params["discretionary_route"]

    # Checks on an order, in the order of the specification

    def _checks_for_a_row(self, event: Row) -> Iterator[Check]:
        yield len(self.orders) >= self.orders_max, Reason.ORDERS_FULL, None, self.orders_max
        too_long = event["defect"] == Reason.CLORDID_SIZE
        yield too_long, Reason.CLORDID_SIZE, event["defect_value"], 64
        used = (event["session"], event["clordid"]) in self.by_clordid
        yield used, Reason.DUPLICATE_CLORDID, None, None

    def _checks_without_market(
        self, order: Row, event: Row, ts_ns: int, record: Row
    ) -> Iterator[Check]:
        of_quote = order["ord_type"] == PREVIOUSLY_QUOTED
        if of_quote:
            yield from self._destination_checks(event)
        yield from self._client_checks(order)
        yield of_quote, Reason.QUOTE_UNKNOWN, None, None  # rfq_oracle has those that were given
        no_isin = event["defect"] == Reason.ID_SOURCE
        yield no_isin, Reason.ID_SOURCE, event["defect_value"], None
        order["instrument"] = self._instrument_of(event["isin"])
        yield order["instrument"] is None, Reason.UNKNOWN_INSTRUMENT, None, None
        order["isin"] = event["isin"]
        yield from self._checks_of_instrument_and_terms(order, event, ts_ns, record)

    def _checks_on_terms(self, order: Row, event: Row, ts_ns: int, record: Row) -> Iterator[Check]:
        """The same of a replaced order, whose instrument is known."""
        yield from self._client_checks(order)
        yield from self._checks_of_instrument_and_terms(order, event, ts_ns, record)

    def _client_checks(self, order: Row) -> Iterator[Check]:
        yield self.firm_killed, Reason.KILLED_FIRM, None, None
        pool = self.clients[order["client"]]["pool"]
        yield bool(self.pools and self.pools[pool]["killed"]), Reason.KILLED_POOL, pool, 0
        client_killed = bool(self.client_use[order["client"]]["killed"])
        yield client_killed, Reason.KILLED_CLIENT, None, None

    def _checks_of_instrument_and_terms(
        self, order: Row, event: Row, ts_ns: int, record: Row
    ) -> Iterator[Check]:
        yield from self._instrument_checks(order, ts_ns, record)
        yield not self._is_open_at(ts_ns), Reason.CLOSED, None, None
        phase = self._mrm_phase(order["instrument"])
        yield phase != CONTINUOUS, Reason.HALTED, None, None
        yield from self._instruction_checks(order, event, ts_ns)
        row = self.instruments[order["instrument"]]
        yield from self._quantity_checks(order, event, row)
        if is_limited(order):
            yield from self._limit_price_checks(order, row)

    def _instrument_checks(self, order: Row, ts_ns: int, record: Row) -> Iterator[Check]:
        instrument = order["instrument"]
        row = self.instruments[instrument]
        killed = bool(self.positions[instrument]["killed"])
        yield killed, Reason.KILLED_INSTRUMENT, None, None
        yield not row["si"], Reason.NOT_SI, None, None
        regime = self._regime(ts_ns)
        yield regime is None, Reason.NO_REGIME, None, None
        yield self._lacks_thresholds(row), Reason.NO_THRESHOLD, None, None
        record |= self._threshold_fields(row, regime)

    def _is_open_at(self, ts_ns: int) -> bool:
        return bool(self.params["open_ns"] <= ts_ns < self.params["close_ns"])

    def _mrm_phase(self, instrument: int) -> int:
        book = self.books[instrument].get(self.instruments[instrument]["mrm_venue"])
        return book["phase"] if book else CONTINUOUS

    def _instruction_checks(self, order: Row, event: Row, ts_ns: int) -> Iterator[Check]:
        currency = self.instruments[order["instrument"]]["currency"]
        yield order["side"] not in SIDES, Reason.SIDE, order["side"], None
        yield from self._destination_checks(event)
        pegged = order["ord_type"] == PEGGED and self.params["peg_mid"] != PEG_REJECT
        known = order["ord_type"] in ORD_TYPES or pegged
        yield not known, Reason.ORD_TYPE, order["ord_type"], None
        yield pegged and not event["peg"], Reason.PEG, order["ord_type"], None
        yield order["tif"] not in TIFS, Reason.TIF, order["tif"], None
        expire_ns = event["expire_ns"]
        dated = order["tif"] == GTD
        yield dated and not expire_ns, Reason.EXPIRE_MISSING, order["tif"], None
        yield dated and expire_ns <= ts_ns, Reason.EXPIRE_PAST, expire_ns, ts_ns
        other = event["currency"] not in ("", currency)
        yield other, Reason.CURRENCY, None, None

    def _destination_checks(self, event: Row) -> Iterator[Check]:
        destination = event["destination"]
        yield destination == 1, Reason.DESTINATION_VENUE, 1, None
        yield destination not in (0, 2, 3), Reason.DESTINATION, destination, None

    def _quantity_checks(self, order: Row, event: Row, row: Row) -> Iterator[Check]:
        qty = order["qty"]
        yield event["defect"] != 0, event["defect"], event["defect_value"], None
        yield qty <= 0, Reason.QTY_NOT_POSITIVE, qty, None
        yield qty > QTY_MAX, Reason.QTY_TOO_LARGE, qty, QTY_MAX
        yield qty % row["lot"] != 0, Reason.QTY_OFF_LOT, qty, row["lot"]
        yield not 0 <= event["min_qty"] <= qty, Reason.MIN_QTY, event["min_qty"], qty
        too_few = qty < order["filled_qty"]
        yield too_few, Reason.REPLACE_QTY, qty, order["filled_qty"]

    def _limit_price_checks(self, order: Row, row: Row) -> Iterator[Check]:
        px_e6 = order["limit_px_e6"]
        px = units(px_e6)
        yield px <= 0, Reason.PX_NOT_POSITIVE, px_e6, None
        yield px > PX_MAX, Reason.PX_TOO_LARGE, px_e6, to_e6(PX_MAX)
        off_tick, tick = not on_tick(px, row["tick_band"]), tick_at(px, row["tick_band"])
        yield off_tick, Reason.PX_OFF_TICK, px_e6, to_e6(tick)

    def _look_at_market(self, order: Row, ts_ns: int, record: Row) -> Row:
        """BBO and our quote as they are at the order's time."""
        bbo = self._bbo(order["instrument"], ts_ns)
        self._make_quote(order["instrument"], bbo, ts_ns)
        record |= self._bbo_fields(bbo) | self._quote_fields(self.quotes[order["instrument"]])
        return bbo

    def _checks_with_market(
        self, order: Row, bbo: Row, record: Row, public: Row | None = None
    ) -> Iterator[Check]:
        """Of a new order with the quote that was public for it; without one it is with the desk."""
        row = self.instruments[order["instrument"]]
        reason = BBO_REASON.get(BboState(bbo["state"]), Reason.NONE)
        mid = (bbo["bid"] + bbo["ask"]) / 2
        live = public is not None and public["state"] == QuoteState.LIVE
        if public is not None and live:
            mid = (units(public["bid_px_e6"]) + units(public["ask_px_e6"])) / 2
        small = mid * order["qty"] <= self._thresholds(row, record["regime"])[1]
        served = live and row["liquid"] and order["ord_type"] != PEGGED and small
        yield reason != Reason.NONE and not served, reason, None, None
        double = 2 * mid * order["qty"]
        yield to_e6(double) > WHOLE_MAX, Reason.NOTIONAL_OVERFLOW, None, None
        notional = double / 2
        record["notional_e6"] = to_e6(notional)
        order["zone"], order["route"] = map(int, self._classify(row, notional, record["regime"]))
        record["zone"] = order["zone"]
        if is_limited(order):
            yield self._beyond_collar(order, mid), Reason.PX_COLLAR, None, None
        yield from self._limit_checks(order, row, notional)
        yield order["route"] == Route.REJECT, Reason.ZONE_REJECTED, None, None
        if public is None:
            return
        no_room = order["route"] == Route.DESK and len(self.items) >= self.desk_max
        yield no_room, Reason.DESK_FULL, None, None
        if order["route"] == Route.AUTO:
            yield from self._day_checks(order, self._eur_e6(row, notional))
            yield self._position_check(order, order["qty"], notional / order["qty"])

    def _beyond_collar(self, order: Row, mid: Decimal) -> bool:
        distance = abs(units(order["limit_px_e6"]) - mid)
        return distance * 10_000 > self.params["collar_bps"] * mid

    def _eur_e6(self, row: Row, amount: Decimal) -> int:
        return to_e6(amount * Decimal(row["eur_per_unit_e9"]).scaleb(-9))

    def _limit_checks(self, order: Row, row: Row, notional: Decimal) -> Iterator[Check]:
        """What one order may be worth, to the client and then to the instrument."""
        eur, most = self._eur_e6(row, notional), self.clients[order["client"]]["order_max_eur_e6"]
        yield 0 < most < eur, Reason.CLIENT_ORDER_LIMIT, eur, most
        notional_e6, most = to_e6(notional), row["order_max_e6"]
        yield 0 < most < notional_e6, Reason.INSTRUMENT_ORDER_LIMIT, notional_e6, most

    def _day_checks(self, order: Row, eur_e6: int) -> Iterator[Check]:
        client, use = self.clients[order["client"]], self.client_use[order["client"]]
        day, most = use["filled_eur_e6"] + eur_e6, client["day_max_eur_e6"]
        yield 0 < most < day, Reason.CLIENT_DAY_LIMIT, day, most
        fills, most = use["fills"] + 1, client["fills_max"]
        yield 0 < most < fills, Reason.CLIENT_COUNT_LIMIT, fills, most

    def _position_check(self, order: Row, qty: int, px: Decimal) -> Check:
        most = self.instruments[order["instrument"]]["position_max_e6"]
        held = self.positions[order["instrument"]]["qty"] + signed_for_firm(order, qty)
        value = abs(held) * px
        return 0 < units(most) < value, Reason.POSITION_LIMIT, to_e6(value), most

    # Answers to an order

    def _new_order(self, event: Row, ts_ns: int) -> Row:
        names = "session client clordid side ord_type tif qty limit_px_e6".split()
        order = {name: event[name] for name in names} | {
            "order_id": len(self.orders) + 1,
            "instrument": None,
            "isin": None,  # an order that a kill switch stopped was never looked at
            "state": int(OrderState.NEW),
            "recv_ns": ts_ns,
        }
        if not is_limited(order):
            order["limit_px_e6"] = 0
        order["min_qty"] = event["min_qty"]
        order["expire_ns"] = event["expire_ns"] if order["tif"] == GTD else 0
        order |= dict.fromkeys("filled_qty filled_e6 zone route reason desk_item".split(), 0)
        self.orders.append(order)
        self.by_clordid[event["session"], event["clordid"]] = order
        self.client_use[event["client"]]["orders"] += 1
        return order

    def _reject(self, order: Row, record: Row, failure: Failure) -> None:
        order["state"] = int(OrderState.REJECTED)
        order["reason"] = int(failure[0])
        record["order_state"] = order["state"]
        if failure[0] == Reason.ZONE_REJECTED:
            record["route"] = order["route"]
        self._execute(Kind.REJECTED, record, failure)

    def _answer(self, order: Row, quote: Row, record: Row, ts_ns: int) -> None:
        """Price an order by the public quote and the policy, and fill it or cancel it."""
        if quote["state"] != QuoteState.LIVE:
            self._reject(order, record, (Reason.NO_QUOTE, None, None))
            return
        record["route"] = order["route"]
        px = self._price(order, quote, record, ts_ns)
        mid = (units(quote["bid_px_e6"]) + units(quote["ask_px_e6"])) / 2
        off_mid = order["ord_type"] == PEGGED and px != mid
        if off_mid or through_limit(order, px):
            why = Reason.PEG_MID if off_mid else Reason.NOT_MARKETABLE
            order["state"] = record["order_state"] = int(OrderState.CANCELLED)
            order["reason"] = int(why)
            self._execute(Kind.CANCELLED, record, (why, None, None))
            return
        quoted = units(record["quote_px_e6"])
        gain = quoted - px if order["side"] == BUY else px - quoted
        record["improvement_e6"] = to_e6(gain)
        self._fill(order, order["qty"], px, gain, record)

    def _price(self, order: Row, quote: Row, record: Row, ts_ns: int) -> Decimal:
        """What the policy asks for, as far as the gate lets it through."""
        band = self.instruments[order["instrument"]]["tick_band"]
        bid, ask = units(quote["bid_px_e6"]), units(quote["ask_px_e6"])
        quoted = ask if order["side"] == BUY else bid
        inputs = {
            "side": order["side"],
            "qty": order["qty"],
            "notional_e6": record["notional_e6"],
            "zone": order["zone"],
            "quote_px_e6": to_e6(quoted),
            "bid_px_e6": quote["bid_px_e6"],
            "ask_px_e6": quote["ask_px_e6"],
            "tick_e6": to_e6(tick_at(quoted, band)),
            "mid_x2_e6": quote["bid_px_e6"] + quote["ask_px_e6"],
            "position_qty": self.positions[order["instrument"]]["qty"],
            "recv_ns": ts_ns,
            "param": list(self.params["policy_param"]),
        }
        at_mid = order["ord_type"] == PEGGED and self.params["peg_mid"] == PEG_FILL
        as_quoted = record["bbo_state"] in BBO_REASON
        if as_quoted:
            asked_e6 = inputs["quote_px_e6"]
        else:
            asked_e6 = to_e6((bid + ask) / 2) if at_mid else self.policy(inputs)
        px, clamp = self._gate(order["side"], units(asked_e6), (bid, ask), band)
        record |= {"tick_e6": inputs["tick_e6"], "policy_px_e6": asked_e6, "clamp": int(clamp)}
        record |= {"quote_px_e6": inputs["quote_px_e6"], "policy_hash": self.params["policy_hash"]}
        if at_mid or as_quoted:
            record["policy_hash"] = 0
        return px

    def _gate(
        self, side: int, px: Decimal, quote: tuple[Decimal, Decimal], band: int
    ) -> tuple[Decimal, int]:
        bid, ask = quote
        buying = side == BUY
        quoted = ask if buying else bid
        if not 0 < px <= PX_MAX:
            return quoted, Clamp.NOT_A_PRICE
        if px > ask if buying else px < bid:
            return quoted, Clamp.WORSE_THAN_QUOTE
        if px < bid if buying else px > ask:
            return quoted, Clamp.OUTSIDE_QUOTE
        allowed = round_to_tick(px, band, ROUND_CEILING if buying else ROUND_FLOOR)
        if 2 * px == bid + ask or px == allowed:
            return px, Clamp.NONE
        return allowed, Clamp.OFF_TICK

    def _fill(self, order: Row, qty: int, px: Decimal, gain: Decimal, record: Row) -> None:
        """Positions, the client's day and the order move; the client is told."""
        row = self.instruments[order["instrument"]]
        position = self.positions[order["instrument"]]
        use = self.client_use[order["client"]]
        change = signed_for_firm(order, qty)
        record["position_before"] = position["qty"]
        position["qty"] += change
        record["position_after"] = position["qty"]
        position["cash_e6"] -= to_e6(px * change)
        position["improvement_e6"] += to_e6(gain * qty)
        position["fills"] += 1
        position["traded_qty"] += qty
        use["filled_eur_e6"] += self._eur_e6(row, px * qty)
        use["fills"] += 1
        order["filled_qty"] += qty
        order["filled_e6"] += to_e6(px * qty)
        whole = order["filled_qty"] == order["qty"]
        order["state"] = int(OrderState.FILLED if whole else OrderState.PARTIALLY_FILLED)
        record |= {"last_qty": qty, "last_px_e6": to_e6(px), "order_state": order["state"]}
        record |= {name: order[name] for name in ("filled_qty", "filled_e6")}
        self._execute(Kind.FILL, record)

    # The desk

    def _enqueue(self, order: Row, record: Row, ts_ns: int) -> None:
        deadline_ns = self._set_end(order, ts_ns)
        item = {name: order[name] for name in ITEM_FIELDS if name in order} | {
            "item_id": len(self.items) + 1,
            "state": int(DeskState.QUEUED),
            "currency": self.instruments[order["instrument"]]["currency"],
            "notional_e6": record["notional_e6"],
            "bid_px_e6": record["bbo_bid_px_e6"],
            "ask_px_e6": record["bbo_ask_px_e6"],
            "trader": 0,
            "quote_px_e6": 0,
            "created_ns": ts_ns,
            "deadline_ns": deadline_ns,
            "replaced": 0,
        }
        self.items.append(item)
        order["desk_item"] = item["item_id"]
        record |= {"route": order["route"], "desk_item": item["item_id"]}
        record["order_state"] = order["state"]
        self._execute(Kind.NEW, record)
        self._show_item(item, ts_ns)

    def _set_end(self, order: Row, ts_ns: int) -> int:
        """The order's own end is never behind the day's; the desk's is the earlier of both."""
        deadline_ns = int(ts_ns + self.params["desk_ttl_ns"])
        if order["expire_ns"]:
            order["expire_ns"] = min(order["expire_ns"], self.params["close_ns"])
            deadline_ns = min(deadline_ns, order["expire_ns"])
        return deadline_ns

    # Changes, and requests about many orders

    def _find(self, event: Row, clordid: str) -> Row | None:
        """By any ClOrdID that the order has had, else by OrderID(37)."""
        order = self.by_clordid.get((event["session"], clordid))
        at = event["order_ref"] - 1
        if order is None and 0 <= at < len(self.orders):
            mine = self.orders[at]["session"] == event["session"]
            return self.orders[at] if mine else None
        return order

    def _names(self, order: Row, event: Row) -> Row:
        if not event["clordid"]:
            return {}
        orig = event["orig_clordid"] or order["clordid"]
        return {"clordid": event["clordid"], "orig_clordid": orig}

    def _changed(self, order: Row, event: Row) -> Row:
        """The order as it would be."""
        names = "ord_type tif qty limit_px_e6 min_qty expire_ns".split()
        changed = order | {name: event[name] for name in names}
        if not is_limited(changed):
            changed["limit_px_e6"] = 0
        if changed["tif"] != GTD:
            changed["expire_ns"] = 0
        return changed

    def _change_checks(self, order: Row, event: Row) -> Iterator[Check]:
        yield self._open_item(order) is None, Reason.TOO_LATE, None, None
        too_long = event["defect"] == Reason.CLORDID_SIZE
        yield too_long, Reason.CLORDID_SIZE, event["defect_value"], 64
        used = (event["session"], event["clordid"]) in self.by_clordid
        yield used, Reason.DUPLICATE_CLORDID, None, None
        most = self.orders_max // 8
        yield self.replaced_count >= most, Reason.REPLACES_FULL, most, most
        other = event["side"] != order["side"]
        yield other, Reason.REPLACE_SIDE, event["side"], order["side"]
        no_isin = event["defect"] == Reason.ID_SOURCE
        yield no_isin, Reason.ID_SOURCE, event["defect_value"], None
        other = event["isin"] not in ("", order["isin"])
        yield other, Reason.REPLACE_INSTRUMENT, None, None

    def _replace(self, order: Row, changed: Row, record: Row, ts_ns: int) -> None:
        item = self._open_item(order)
        assert item is not None
        names = "ord_type tif qty limit_px_e6 min_qty expire_ns zone".split()
        order |= {name: changed[name] for name in names}
        order |= {"clordid": record["clordid"], "route": int(Route.DESK)}
        self.by_clordid[order["session"], order["clordid"]] = order
        self.replaced_count += 1
        deadline_ns = self._set_end(order, ts_ns)
        whole = order["filled_qty"] == order["qty"]
        if whole:
            order["state"] = int(OrderState.FILLED)
        item |= {name: order[name] for name in names} | {
            "state": int(DeskState.FILLED if whole else DeskState.QUEUED),
            "trader": 0,
            "quote_px_e6": 0,
            "notional_e6": record["notional_e6"],
            "bid_px_e6": record["bbo_bid_px_e6"],
            "ask_px_e6": record["bbo_ask_px_e6"],
            "deadline_ns": deadline_ns,
            "replaced": item["replaced"] + 1,
        }
        terms = {name: order[name] for name in [*names, "route"]}
        self._execute(Kind.REPLACED, record | terms | {"order_state": order["state"]})
        self._show_item(item, ts_ns)

    def _scope_failure(self, event: Row) -> Failure | None:
        one = event["scope"] == ONE_SECURITY
        unknown = one and self._instrument_of(event["isin"]) is None
        no_isin = one and event["defect"] == Reason.ID_SOURCE
        parties = event["defect"] == Reason.MASS_PARTIES
        checks: list[Check] = [
            (parties, Reason.MASS_PARTIES, event["defect_value"], None),
            (no_isin, Reason.ID_SOURCE, event["defect_value"], None),
            (unknown, Reason.UNKNOWN_INSTRUMENT, None, None),
            (event["scope"] not in (0, 1, 7), Reason.MASS_SCOPE, event["scope"], None),
        ]
        return first_failure(iter(checks))

    def _meant(self, event: Row) -> list[Row]:
        """Open items of the session, of one side or security where that was said."""
        return [
            item
            for item in self.items
            if self._is_open(item)
            and item["session"] == event["session"]
            and event["side"] in (0, item["side"])
            and (event["scope"] != ONE_SECURITY or item["isin"] == event["isin"])
        ]

    def _open_item(self, order: Row) -> Row | None:
        if not order["desk_item"]:
            return None
        item = self.items[order["desk_item"] - 1]
        return item if self._is_open(item) else None

    def _is_open(self, item: Row) -> bool:
        return item["state"] in (DeskState.QUEUED, DeskState.CLAIMED, DeskState.QUOTED)

    def _show_item(self, item: Row, ts_ns: int) -> None:
        item["changed_ns"] = ts_ns
        self.outputs.append({"type": "desk_item"} | item)

    def _close(self, order: Row, item: Row, how: tuple[int, int], record: Row) -> None:
        """End an open item and its order, for a reason that is not a fill."""
        kind, reason = how
        expired = kind == Kind.EXPIRED
        order["state"] = int(OrderState.EXPIRED if expired else OrderState.CANCELLED)
        order["reason"] = int(reason)
        item["state"] = int(DeskState.EXPIRED if expired else DeskState.CANCELLED)
        if reason == Reason.DESK_DECLINED:
            item["state"] = int(DeskState.DECLINED)
        record["order_state"] = order["state"]
        self._execute(kind, record, (reason, None, None))

    def _work_item(self, command: Row, ts_ns: int) -> Failure | None:
        failure = first_failure(self._item_checks(command))
        if failure:
            return failure
        item = self.items[command["item_id"] - 1]
        order = self.orders[item["order_id"] - 1]
        if command["action"] == DeskAction.CLAIM:
            return self._claim(item, command, ts_ns)
        if command["action"] == DeskAction.QUOTE:
            return self._quote_item(order, item, command, ts_ns)
        if command["action"] == DeskAction.FILL:
            return self._fill_item(order, item, command, ts_ns)
        item["trader"] = command["trader"]
        record = self._record_of_order(order, ts_ns)
        self._close(order, item, (Kind.CANCELLED, Reason.DESK_DECLINED), record)
        self._show_item(item, ts_ns)
        return None

    def _item_checks(self, command: Row) -> Iterator[Check]:
        unknown = not 1 <= command["item_id"] <= len(self.items)
        yield unknown, Reason.UNKNOWN_ITEM, None, None
        item = self.items[command["item_id"] - 1]
        yield not self._is_open(item), Reason.ITEM_CLOSED, None, None
        claimed = item["state"] != DeskState.QUEUED
        other = claimed and item["trader"] != command["trader"]
        yield other, Reason.ITEM_NOT_YOURS, None, None

    def _claim(self, item: Row, command: Row, ts_ns: int) -> None:
        item |= {"state": int(DeskState.CLAIMED), "trader": command["trader"]}
        self._show_item(item, ts_ns)

    def _quote_item(self, order: Row, item: Row, command: Row, ts_ns: int) -> Failure | None:
        px_e6 = command["px_e6"] or item["quote_px_e6"]
        failure = first_failure(self._item_price_checks(order, px_e6, ts_ns))
        if failure:
            return failure
        item |= {"trader": command["trader"], "state": int(DeskState.QUOTED)}
        item["quote_px_e6"] = px_e6
        quoted = {"last_px_e6": px_e6, "trader": command["trader"]}
        bbo = self._bbo(order["instrument"], ts_ns)
        record = self._record_of_order(order, ts_ns) | quoted | self._bbo_fields(bbo)
        self._execute(Kind.DESK_QUOTE, record)
        self._show_item(item, ts_ns)
        return None

    def _item_price_checks(self, order: Row, px_e6: int, ts_ns: int) -> Iterator[Check]:
        px = units(px_e6)
        over = 0 < order["expire_ns"] <= ts_ns
        yield over, Reason.ITEM_EXPIRED, order["expire_ns"], None
        yield not 0 < px <= PX_MAX, Reason.ITEM_NO_PX, None, None
        bbo = self._bbo(order["instrument"], ts_ns)
        usable = bbo["state"] in (BboState.NORMAL, BboState.LOCKED)
        at_mid = usable and 2 * px == bbo["bid"] + bbo["ask"]
        band = self.instruments[order["instrument"]]["tick_band"]
        off_tick = not on_tick(px, band) and not at_mid
        yield off_tick, Reason.PX_OFF_TICK, px_e6, to_e6(tick_at(px, band))
        yield through_limit(order, px), Reason.ITEM_THROUGH_LIMIT, px_e6, order["limit_px_e6"]
        mid = (bbo["bid"] + bbo["ask"]) / 2 if usable else px
        worse = px > mid if order["side"] == BUY else px < mid
        past_mid = order["ord_type"] == PEGGED and (worse or not usable)
        yield past_mid, Reason.ITEM_THROUGH_MID, px_e6, None

    def _fill_item(self, order: Row, item: Row, command: Row, ts_ns: int) -> Failure | None:
        left = order["qty"] - order["filled_qty"]
        qty = command["qty"] or left
        px_e6 = command["px_e6"] or item["quote_px_e6"]
        failure = first_failure(self._item_fill_checks(order, qty, px_e6, ts_ns))
        if failure:
            return failure
        item |= {"state": int(DeskState.CLAIMED), "trader": command["trader"]}
        record = self._record_of_order(order, ts_ns) | {"trader": command["trader"]}
        record |= self._bbo_fields(self._bbo(order["instrument"], ts_ns))
        record |= self._threshold_fields(self.instruments[order["instrument"]], self._regime(ts_ns))
        self._fill(order, qty, units(px_e6), Decimal(0), record)
        item["filled_qty"] = order["filled_qty"]
        if order["state"] == OrderState.FILLED:
            item["state"] = int(DeskState.FILLED)
        elif order["tif"] == IOC:
            record = self._record_of_order(order, ts_ns)
            self._close(order, item, (Kind.CANCELLED, Reason.DESK_REMAINDER), record)
            item["state"] = int(DeskState.FILLED)
        self._show_item(item, ts_ns)
        return None

    def _item_fill_checks(self, order: Row, qty: int, px_e6: int, ts_ns: int) -> Iterator[Check]:
        row, left = self.instruments[order["instrument"]], order["qty"] - order["filled_qty"]
        part = order["tif"] == FOK and qty != left
        yield from self._item_price_checks(order, px_e6, ts_ns)
        yield not 0 < qty <= left or part, Reason.ITEM_QTY, qty, left
        small = not order["filled_qty"] and qty < order["min_qty"]
        yield small, Reason.ITEM_MIN_QTY, qty, order["min_qty"]
        yield qty % row["lot"] != 0, Reason.QTY_OFF_LOT, qty, row["lot"]
        double = 2 * units(px_e6) * qty
        yield to_e6(double) > WHOLE_MAX, Reason.NOTIONAL_OVERFLOW, None, None
        yield from self._client_checks(order)
        killed = bool(self.positions[order["instrument"]]["killed"])
        yield killed, Reason.KILLED_INSTRUMENT, None, None
        px = units(px_e6)
        yield from self._day_checks(order, self._eur_e6(row, px * qty))
        yield self._position_check(order, qty, px)

    def _switch(self, command: Row, ts_ns: int) -> Failure | None:
        killed = command["action"] == DeskAction.KILL
        scope, subject = command["scope"], command["subject"]
        tables = {KillScope.CLIENT: self.client_use, KillScope.INSTRUMENT: self.positions}
        tables[KillScope.POOL] = self.pools
        if scope == KillScope.FIRM:
            self.firm_killed = killed
            self._make_all_quotes(ts_ns)
        elif scope not in tables:
            return Reason.UNKNOWN_ACTION, None, None
        elif subject not in tables[scope]:
            return Reason.UNKNOWN_SUBJECT, None, None
        else:
            tables[scope][subject]["killed"] = int(killed)
            if scope == KillScope.INSTRUMENT:
                self._make_quote(subject, self._bbo(subject, ts_ns), ts_ns)
        return None

    # Records

    def _record_of_event(self, event: Row, ts_ns: int) -> Row:
        """An execution before anything is known but what the client sent."""
        names = "session client isin clordid orig_clordid side ord_type tif qty limit_px_e6 "
        names += "min_qty expire_ns"
        record = {name: event[name] for name in names.split()}
        zeros = "order_id last_qty last_px_e6 filled_qty filled_e6 reason zone desk_item trader"
        return record | dict.fromkeys(zeros.split(), 0) | {"ts_ns": ts_ns, "order_state": None}

    def _record_of_order(self, order: Row, ts_ns: int) -> Row:
        record = self._record_of_event(order | {"orig_clordid": ""}, ts_ns)
        names = "order_id filled_qty filled_e6 zone route desk_item".split()
        return (
            record
            | {name: order[name] for name in names}
            | {
                "order_state": order["state"],
                "trader": None,
            }
        )

    def _bbo_fields(self, bbo: Row) -> Row:
        prices = {f"bbo_{s}_px_e6": to_e6(bbo[s]) for s in ("bid", "ask")}
        mrm = {f"mrm_{s}_px_e6": to_e6(bbo[f"mrm_{s}"]) for s in ("bid", "ask")}
        rest = {f"bbo_{name}": bbo[name] for name in ("state", "bid_venue", "ask_venue", "age_ns")}
        return prices | mrm | rest

    def _threshold_fields(self, row: Row, regime: int | None) -> Row:
        """The rules in force and what they make of the instrument; no Qmin and T if illiquid."""
        if regime is None:
            return {"regime": -1}
        qmin, threshold = self._thresholds(row, regime)
        stored = {name: row[name] for name in ("sms_e6", "lis_e6", "loaded_row")}
        return stored | {
            "regime": regime,
            "qmin_e6": to_e6(qmin),
            "threshold_e6": to_e6(threshold),
        }

    def _quote_fields(self, quote: Row) -> Row:
        if quote["state"] != QuoteState.LIVE:
            quote = dict.fromkeys(quote, 0)
        names = ("bid_px_e6", "ask_px_e6", "bid_qty", "ask_qty")
        more = {"quote_id": quote["quote_id"], "quote_size": quote.get("size", 0)}
        return {f"quote_{name}": quote[name] for name in names} | more

    def _execute(self, kind: int, record: Row, failure: Failure | None = None) -> None:
        self.executions_count += 1
        reason, value, limit = failure or (Reason.NONE, None, None)
        made = {"type": "execution", "kind": int(kind), "exec_id": self.executions_count}
        why = {"reason": int(reason), "reason_value": value, "reason_limit": limit}
        self.outputs.append(made | record | why)

    def _take_outputs(self) -> list[Row]:
        """The outputs of one input: executions, desk items, desk results, quotes."""
        order = ("execution", "desk_item", "desk_result", "quote")
        taken = sorted(self.outputs, key=lambda row: order.index(row["type"]))
        self.outputs = []
        return taken
