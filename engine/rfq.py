"""Quotes on request: the table of them, who may take one, and when one ends.

A row is one QuoteRequest(R) that was answered, or one price that the desk named for it. It is
PENDING with the desk, OPEN (firm for one client), then final. A firm quote is filled at its price
whatever the market did since: no last look. What is not admitted gets no row.
"""

import numpy as np

from engine import desk
from engine.bbo import consolidate
from engine.checks import (
    check_hours,
    check_invariants,
    check_kill,
    check_order_limits,
    check_qty,
    fail,
    suspension,
)
from engine.enums import DeskState, ExecKind, GivenState, Phase, Reason, Route, Side
from engine.fills import apply_fill
from engine.jit import inlined, njit
from engine.limits import (
    CLORDID_WORDS,
    ISIN_WORDS,
    OUTPUTS_MAX,
    PX_E6_MAX,
    QUOTE_REF_WORDS,
    VENUES_MAX,
)
from engine.money import fits_product, to_eur_e6
from engine.outbox import new_quote_report
from engine.pools import is_stopped
from engine.report import copy_bbo, copy_instrument, copy_quote, copy_words
from engine.risk import stop_firm
from engine.tables import enter_given, quote_ref_slot, quote_req_slot, same_words
from engine.zones import set_thresholds

#: What an item of the desk becomes when its quote ends so.
_ITEM_STATE = np.zeros(len(GivenState), np.int64)
for _given, _item in (
    (GivenState.TAKEN, DeskState.FILLED), (GivenState.EXPIRED, DeskState.EXPIRED),
    (GivenState.PASSED, DeskState.CANCELLED), (GivenState.CANCELLED, DeskState.CANCELLED),
    (GivenState.DECLINED, DeskState.DECLINED), (GivenState.WITHDRAWN, DeskState.DECLINED),
    (GivenState.COUNTERED, DeskState.CANCELLED),
):  # fmt: skip
    _ITEM_STATE[_given] = _item


@inlined
def is_live(given):
    """Whether a quote on request still waits for something."""
    return given["state"] == GivenState.PENDING or given["state"] == GivenState.OPEN


@njit
def find_ref(tables, event):
    """Row of the client's own quote that a QuoteID(117) names, or -1."""
    if event["quote_ref"][0] == 0:
        return -1
    index = tables.quote_ref_slots[quote_ref_slot(tables, event["quote_ref"])] - 1
    if index < 0 or tables.given_quotes[index]["client"] != event["client"]:
        return -1
    return index


@njit
def find_request(tables, event):
    """Row of the newest quote for the session's QuoteReqID(131), or -1."""
    if event["quote_req_id"][0] == 0:
        return -1
    slot = quote_req_slot(tables, event["session"], event["quote_req_id"])
    return tables.quote_req_slots[slot] - 1


@njit
def has_room(tables):
    """Whether one more quote on request can be stored."""
    return tables.counters[0]["given_quotes"] < tables.given_quotes.shape[0]


@njit
def add(tables, event, instrument_id, ts_ns):
    """A new PENDING row of a request; there is room (`has_room`). Answers it."""
    counters = tables.counters[0]
    index = counters["given_quotes"]
    counters["given_quotes"] = index + 1
    given = tables.given_quotes[index]
    _put_ref(given["quote_ref"], index + 1)
    given["session"] = event["session"]
    given["client"] = event["client"]
    given["instrument"] = instrument_id
    copy_words(given["quote_req_id"], event["quote_req_id"], CLORDID_WORDS)
    given["side"] = event["side"]
    given["qty"] = event["qty"]
    given["limit_px_e6"] = event["limit_px_e6"]
    given["until_ns"] = event["until_ns"]
    given["state"] = GivenState.PENDING
    given["created_ns"] = ts_ns
    given["changed_ns"] = ts_ns
    enter_given(tables, index)
    _link(tables, given, index + 1)
    return given


@inlined
def _put_ref(words, number):
    """QuoteID(117) `RQ` and the number of the row: told apart from the names of other quotes."""
    words[0] = 0x5152
    place = 1
    while place * 10 <= number:
        place *= 10
    at = 2
    while place > 0:
        words[at >> 3] |= (48 + number // place % 10) << (8 * (at & 7))
        place //= 10
        at += 1


@inlined
def _link(tables, given, number):
    """Behind the youngest of those that still wait."""
    counters = tables.counters[0]
    given["before"] = counters["last_given"]
    given["after"] = 0
    if counters["last_given"] != 0:
        tables.given_quotes[counters["last_given"] - 1]["after"] = number
    else:
        counters["first_given"] = number
    counters["last_given"] = number
    counters["given_open"] += 1


@njit
def _unlink(tables, given):
    counters = tables.counters[0]
    before = given["before"]
    after = given["after"]
    if before != 0:
        tables.given_quotes[before - 1]["after"] = after
    else:
        counters["first_given"] = after
    if after != 0:
        tables.given_quotes[after - 1]["before"] = before
    else:
        counters["last_given"] = before
    given["before"] = 0
    given["after"] = 0
    counters["given_open"] -= 1
    if counters["given_open"] == 0:
        counters["next_given_ns"] = 0


@njit
def ends_at(tables, given, valid_until_ns):
    """A waiting quote ends at this time, at the client's own and at the close, if no sooner."""
    if given["until_ns"] != 0:
        valid_until_ns = min(valid_until_ns, given["until_ns"])
    valid_until_ns = min(valid_until_ns, tables.params[0]["close_ns"])
    given["valid_until_ns"] = valid_until_ns
    counters = tables.counters[0]
    if counters["next_given_ns"] == 0 or valid_until_ns < counters["next_given_ns"]:
        counters["next_given_ns"] = valid_until_ns


@njit
def give(tables, given, bid_px_e6, offer_px_e6, ts_ns):
    """A PENDING quote becomes firm at these prices, 0 for a side that is not quoted."""
    public = tables.quotes[given["instrument"]]
    given["state"] = GivenState.OPEN
    given["bid_px_e6"] = bid_px_e6
    given["offer_px_e6"] = offer_px_e6
    given["bid_qty"] = given["qty"] if bid_px_e6 > 0 else 0
    given["offer_qty"] = given["qty"] if offer_px_e6 > 0 else 0
    given["public_bid_px_e6"] = public["bid_px_e6"]
    given["public_ask_px_e6"] = public["ask_px_e6"]
    given["changed_ns"] = ts_ns
    ends_at(tables, given, ts_ns + tables.params[0]["rfq_valid_ns"])


@njit
def end(tables, outbox, given, state, ts_ns):
    """Move a waiting quote to a final state, and its desk item with it unless it goes on."""
    given["state"] = state
    given["changed_ns"] = ts_ns
    _unlink(tables, given)
    if given["desk_item"] != 0 and state != GivenState.REPLACED:
        item = tables.desk_items[given["desk_item"] - 1]
        if desk.is_open(item):
            if state == GivenState.TAKEN:
                item["filled_qty"] = tables.orders[given["order_id"] - 1]["filled_qty"]
            desk.close(tables, outbox, item, _ITEM_STATE[state], ts_ns)


@njit
def report(tables, outbox, given, kind, ts_ns):
    """A new quote report about a row, numbered."""
    made = new_quote_report(outbox)
    made["kind"] = kind
    made["regime"] = -1
    made["bbo_bid_venue"] = -1
    made["bbo_ask_venue"] = -1
    copy_given(tables, made, given)
    desk.number(tables, made, ts_ns)
    return made


@njit
def copy_given(tables, made, given):
    """Identity, terms and prices of a quote on request."""
    made["session"] = given["session"]
    made["client"] = given["client"]
    made["instrument"] = given["instrument"]
    copy_instrument(made, tables.instruments[given["instrument"]])
    copy_words(made["quote_ref"], given["quote_ref"], QUOTE_REF_WORDS)
    copy_words(made["quote_req_id"], given["quote_req_id"], CLORDID_WORDS)
    made["side"] = given["side"]
    made["qty"] = given["qty"]
    made["limit_px_e6"] = given["limit_px_e6"]
    made["counter"] = 1 if given["limit_px_e6"] != 0 else 0
    made["given_state"] = given["state"]
    made["zone"] = given["zone"]
    made["route"] = given["route"]
    made["notional_e6"] = given["notional_e6"]
    made["bid_px_e6"] = given["bid_px_e6"]
    made["offer_px_e6"] = given["offer_px_e6"]
    made["bid_qty"] = given["bid_qty"]
    made["offer_qty"] = given["offer_qty"]
    made["valid_until_ns"] = given["valid_until_ns"]
    made["desk_item"] = given["desk_item"]
    made["trader"] = given["trader"]
    made["order_id"] = given["order_id"]


@njit
def stopped(tables, given):
    """Why a quote may not stand: kill switch, suspension, halt; Reason.NONE where it may."""
    if tables.counters[0]["kill_firm"] != 0:
        return Reason.KILLED_FIRM
    if is_stopped(tables, given["client"]):
        return Reason.KILLED_POOL
    if tables.client_use[given["client"]]["killed"] != 0:
        return Reason.KILLED_CLIENT
    if tables.positions[given["instrument"]]["killed"] != 0:
        return Reason.KILLED_INSTRUMENT
    reason = suspension(tables, given["instrument"])
    if reason != Reason.NONE:
        return reason
    mrm = tables.instruments[given["instrument"]]["mrm_venue"]
    if tables.venue_books[given["instrument"] * VENUES_MAX + mrm]["phase"] != Phase.CONTINUOUS:
        return Reason.HALTED
    return Reason.NONE


@inlined
def is_due(tables, ts_ns):
    """Whether a TIMER has a quote to end."""
    next_ns = tables.counters[0]["next_given_ns"]
    return next_ns != 0 and next_ns <= ts_ns


@njit
def sweep(tables, outbox, ts_ns):
    """End what has expired and withdraw what may not stand, as many as one input may.

    The rest is due at once: the next TIMER goes on. A PENDING one outlives a stop, as an order with
    the desk does; the desk cannot quote it meanwhile.
    """
    counters = tables.counters[0]
    next_ns = 0
    number = counters["first_given"]
    while number != 0:
        given = tables.given_quotes[number - 1]
        number = given["after"]
        reason = stopped(tables, given) if given["state"] == GivenState.OPEN else Reason.NONE
        expired = given["valid_until_ns"] <= ts_ns
        if not expired and reason == Reason.NONE:
            if next_ns == 0 or given["valid_until_ns"] < next_ns:
                next_ns = given["valid_until_ns"]
        elif _is_full(outbox):
            next_ns = ts_ns
            break
        elif expired:
            _expire(tables, outbox, given, ts_ns)
        else:
            end(tables, outbox, given, GivenState.WITHDRAWN, ts_ns)
            made = report(tables, outbox, given, ExecKind.QUOTE_WITHDRAWN, ts_ns)
            made["reason"] = reason
            made["reason_value"] = 1
    counters["next_given_ns"] = next_ns


@njit
def _is_full(outbox):
    counts = outbox.counts[0]
    return counts["quote_reports"] >= OUTPUTS_MAX or counts["desk_items"] >= OUTPUTS_MAX


@njit
def _expire(tables, outbox, given, ts_ns):
    with_desk = given["state"] == GivenState.PENDING
    end(tables, outbox, given, GivenState.EXPIRED, ts_ns)
    made = report(tables, outbox, given, ExecKind.QUOTE_ENDED, ts_ns)
    if with_desk:
        made["reason"] = Reason.DESK_EXPIRED
    else:
        fail(made, Reason.QUOTE_EXPIRED, given["valid_until_ns"], ts_ns)
        made["reason"] = Reason.QUOTE_EXPIRED


@njit
def check_live(execution, given, ts_ns):
    """Whether a client can still take, counter or end this quote; expired is at its very end."""
    state = given["state"]
    if state == GivenState.TAKEN:
        return fail(execution, Reason.QUOTE_TAKEN, given["order_id"], 0)
    late = is_live(given) and ts_ns >= given["valid_until_ns"]
    if late or state == GivenState.EXPIRED:
        return fail(execution, Reason.QUOTE_EXPIRED, given["valid_until_ns"], ts_ns)
    if not is_live(given):
        return fail(execution, Reason.QUOTE_CLOSED, state, GivenState.OPEN)
    return Reason.NONE


@njit
def take_order(tables, outbox, execution, order, event, ts_ns):
    """Fill an admitted order at the price of the quote it names; answers a Reason.

    `event` is an `order_event` or a `quote_event` with `quote_ref`. In this order, the first that
    fails refuses: kill switch, quote known and given to this client, instrument, quote still open,
    hours, side, quantity, price, limits. The quote is then void, whatever is left of its size.
    """
    reason = check_kill(tables, execution, event["client"])
    if reason != Reason.NONE:
        return reason
    index = find_ref(tables, event)
    if index < 0:
        return fail(execution, Reason.QUOTE_UNKNOWN, 0, 0)
    given = tables.given_quotes[index]
    instrument = tables.instruments[given["instrument"]]
    if event["isin"][0] != 0 and not same_words(event["isin"], instrument["isin"], ISIN_WORDS):
        return fail(execution, Reason.QUOTE_INSTRUMENT, 0, 0)
    order["instrument"] = given["instrument"]
    execution["instrument"] = given["instrument"]
    copy_instrument(execution, instrument)
    if tables.positions[given["instrument"]]["killed"] != 0:
        return fail(execution, Reason.KILLED_INSTRUMENT, given["instrument"], 0)
    reason = check_live(execution, given, ts_ns)
    if reason != Reason.NONE:
        return reason
    if given["state"] == GivenState.PENDING:
        return fail(execution, Reason.QUOTE_PENDING, given["desk_item"], 0)
    reason = check_hours(tables, execution, given["instrument"], ts_ns)
    if reason != Reason.NONE:
        return reason
    buys = event["side"] == Side.BUY
    reason = _check_terms(tables, execution, instrument, given, event, buys)
    if reason != Reason.NONE:
        return reason
    px = given["offer_px_e6"] if buys else given["bid_px_e6"]
    _explain(tables, execution, order, given, event["qty"], px, ts_ns)
    reason = check_order_limits(
        tables, execution, instrument, event["client"], execution["notional_e6"]
    )
    if reason != Reason.NONE:
        return reason
    reason = desk.check_desk_fill(tables, execution, order, order, event["qty"], px)
    if reason != Reason.NONE:
        return reason
    reason = _check_invariants(tables, outbox, execution, order, given, event["qty"], px)
    if reason != Reason.NONE:
        return reason
    gain = _improvement_e6(given, buys, px)
    apply_fill(tables, outbox, execution, order, event["qty"], px, gain)
    given["order_id"] = order["order_id"]
    end(tables, outbox, given, GivenState.TAKEN, ts_ns)
    made = report(tables, outbox, given, ExecKind.QUOTE_TAKEN, ts_ns)
    copy_words(made["clordid"], order["clordid"], CLORDID_WORDS)
    made["last_qty"] = event["qty"]
    made["last_px_e6"] = px
    return Reason.NONE


@njit
def _check_terms(tables, execution, instrument, given, event, buys):
    """Side, quantity and price against what was quoted."""
    side = event["side"]
    if side != Side.BUY and side != Side.SELL and side != Side.SELL_SHORT:
        return fail(execution, Reason.SIDE, side, 0)
    quoted_qty = given["offer_qty"] if buys else given["bid_qty"]
    if quoted_qty == 0:
        return fail(execution, Reason.QUOTE_SIDE, side, 0)
    reason = check_qty(tables, execution, instrument, event)
    if reason != Reason.NONE:
        return reason
    if event["qty"] > quoted_qty:
        return fail(execution, Reason.QUOTE_QTY, event["qty"], quoted_qty)
    px = given["offer_px_e6"] if buys else given["bid_px_e6"]
    if event["limit_px_e6"] != 0 and event["limit_px_e6"] != px:
        return fail(execution, Reason.QUOTE_PX, event["limit_px_e6"], px)
    if not fits_product(event["qty"], 2 * px):
        return fail(execution, Reason.NOTIONAL_OVERFLOW, event["qty"], px)
    return Reason.NONE


@njit
def _explain(tables, execution, order, given, qty, px, ts_ns):
    """The fill's value and the market as it is now, which no longer decides anything."""
    instrument = tables.instruments[given["instrument"]]
    set_thresholds(tables, execution, instrument, ts_ns)
    copy_bbo(execution, consolidate(tables, given["instrument"], ts_ns))
    copy_quote(execution, tables.quotes[given["instrument"]])
    execution["notional_e6"] = qty * px
    execution["value_eur_e6"] = to_eur_e6(qty * px, instrument["eur_per_unit_e9"])
    execution["zone"] = given["zone"]
    execution["route"] = given["route"]
    execution["desk_item"] = given["desk_item"]
    execution["trader"] = given["trader"]
    order["zone"] = given["zone"]
    order["route"] = given["route"]


@inlined
def _improvement_e6(given, buys, px):
    """Gain a share against our public quote when this one was given; a desk's price has none."""
    if given["route"] != Route.AUTO:
        return 0
    return given["public_ask_px_e6"] - px if buys else px - given["public_bid_px_e6"]


@njit
def _check_invariants(tables, outbox, execution, order, given, qty, px):
    """Of our own price within our public quote of that time; a person's was checked when given."""
    low = 1
    high = PX_E6_MAX
    mid_x2_e6 = 2 * px
    if given["route"] == Route.AUTO:
        low = given["public_bid_px_e6"]
        high = given["public_ask_px_e6"]
        mid_x2_e6 = low + high
    reason = check_invariants(tables, execution, order, qty, px, low, high, mid_x2_e6)
    if reason != Reason.NONE:
        stop_firm(tables, outbox, execution, reason)
    return reason
