"""Orders against the quote that was public when they were received: fills, refusals, equality.

Public at the time of reception is the last QUOTE frame before the ORDER frame. Where the engine
renewed the quote as the order came, its QUOTE frame follows the EXECUTION: the fill waits for it
and is judged by it, and is held against the quote that was shown before as well.
"""

from engine.enums import ExecKind, OrdType, Phase, Reason, Side, Zone
from engine.jit import clear_record, get_record, inlined, njit
from engine.limits import MORE_SIZES, PX_E6_MAX, VENUES_MAX
from gateway.audit.basics import (
    FREE_TICK_E6,
    find_instrument,
    in_hours,
    is_due,
    is_on_tick,
    regime_of,
    share_of,
    tell,
    tick_of,
    times,
)
from gateway.audit.market import look
from gateway.audit.rules import BREACH, BY_RIGHT, EXPLAIN, Rule
from gateway.audit.sizes import take
from gateway.audit.tables import REASONS_MAX, TENTHS_MAX, ZONES

MILLI = 1_000


@njit
def on_order(book, journal, body, ts_ns):
    """An ORDER frame: remember the quote that is public now."""
    event = book.event[0]
    get_record(event, journal.buffer, body)
    row = find_instrument(book, event["isin"])
    got = book.receipt[0]
    clear_record(got)
    if not _is_client(book, event["client"]):
        return
    got["open"] = 1
    got["session"] = event["session"]
    got["client"] = event["client"]
    got["instrument"] = row
    got["side"] = event["side"]
    got["qty"] = event["qty"]
    got["ord_type"] = event["ord_type"]
    got["limit_px_e6"] = event["limit_px_e6"]
    got["in_hours"] = 1 if in_hours(book, ts_ns) else 0
    here = book.here[0]
    here["instrument"] = row
    here["client"] = event["client"]
    book.here[1] = here
    run = book.run[0]
    run["orders"] += run["counting"]
    book.client_tally[event["client"]]["orders"] += run["counting"]
    if row >= 0:
        ours = book.shown[row]
        got["quote_id"] = ours["quote_id"]
        got["live"] = ours["live"]
        take(got, ours)


@inlined
def _is_client(book, client):
    """Whether a record names a client that there is: a number from it becomes an index here."""
    return client >= 0 and client < book.clients.shape[0]


@njit
def end_receipt(book):
    """The next input has come: what still waits for its answer or its quote has none."""
    got = book.receipt[0]
    if got["waiting"] != 0:
        tell(
            book, 1, Rule.NO_PUBLIC_QUOTE, 0, got["px_e6"], got["cited_bid_px_e6"],
            got["cited_ask_px_e6"], got["cited_id"],
        )  # fmt: skip
    elif got["open"] != 0:
        tell(book, 1, Rule.UNANSWERED, 0, got["qty"], 0, 0, 0)
    got["open"] = 0
    got["waiting"] = 0


@njit
def on_execution(book, journal, body, ts_ns):
    """An EXECUTION frame: the answer to the order just received, or something else."""
    report = book.execution[0]
    get_record(report, journal.buffer, body)
    if not _is_client(book, report["client"]):
        return
    here = book.here[0]
    here["instrument"] = report["instrument"]
    here["client"] = report["client"]
    here["order_id"] = report["order_id"]
    here["exec_id"] = report["exec_id"]
    here["quote_id"] = report["quote_id"]
    got = book.receipt[0]
    answer = got["open"] != 0 and got["session"] == report["session"]
    if answer:
        got["open"] = 0
        book.here[1] = here
    kind = report["kind"]
    if kind == ExecKind.FILL:
        _on_fill(book, report, answer, ts_ns)
    elif answer:
        _on_refusal(book, report, ts_ns)


# --- fills ------------------------------------------------------------------------------------


@njit
def _on_fill(book, report, answer, ts_ns):
    run = book.run[0]
    run["fills"] += run["counting"]
    tally = book.client_tally[report["client"]]
    tally["fills"] += run["counting"]
    tally["value_eur_e6"] += report["value_eur_e6"] * run["counting"]
    if report["instrument"] < 0 or report["instrument"] >= book.instruments.shape[0]:
        return
    if report["ord_type"] == OrdType.PREVIOUSLY_QUOTED:
        run["given_fills"] += run["counting"]
        _check_at_market(book, report, Rule.GIVEN_OFF_TICK, ts_ns)
        return
    if report["trader"] != 0 or not answer:
        run["desk_fills"] += run["counting"]
        _check_at_market(book, report, Rule.FILL_OFF_TICK, ts_ns)
        return
    run["auto_fills"] += run["counting"]
    got = book.receipt[0]
    got["px_e6"] = report["last_px_e6"]
    got["last_qty"] = report["last_qty"]
    got["cited_id"] = report["quote_id"]
    got["cited_bid_px_e6"] = report["quote_bid_px_e6"]
    got["cited_ask_px_e6"] = report["quote_ask_px_e6"]
    got["cited_improvement_e6"] = report["improvement_e6"]
    got["cited_size"] = report["quote_size"]
    got["policy_hash"] = report["policy_hash"]
    got["zone"] = zone_of(book, report, ts_ns)
    if _is_within_quote(book, ts_ns):
        run["honoured"] += run["counting"]
    same = got["instrument"] == report["instrument"] and got["quote_id"] == report["quote_id"]
    if same and got["live"] != 0:
        _judge(book, got["bid_px_e6"], got["ask_px_e6"])
    else:
        got["waiting"] = 1


@njit
def _check_at_market(book, report, rule, ts_ns):
    """A price that a person gave: on tick, or the midpoint of the market or of our quote."""
    row = report["instrument"]
    px = report["last_px_e6"]
    run = book.run[0]
    run["tick_fills"] += run["counting"]
    band = book.instruments[row]["tick_band"]
    if is_on_tick(book, band, px):
        return
    look(book, row, ts_ns)
    found = book.market[0]
    if 2 * px == found["best_bid_px_e6"] + found["best_ask_px_e6"]:
        return
    ours = book.shown[row]
    bid = ours["bid_px_e6"]
    ask = ours["ask_px_e6"]
    if ours["live"] != 0 and 2 * px == bid + ask:
        return
    tell(book, 0, rule, 0, px, bid, ask, tick_of(book, band, px))


@njit
def zone_of(book, report, ts_ns):
    """The size zone, recounted at the midpoint of the quote that the fill cites; else Zone.NONE.

    Tells where an order that was answered at once has another one on record. Whether that quote was
    public, and at these prices, `_judge` looks at.
    """
    row = report["instrument"]
    instrument = book.instruments[row]
    bid = report["quote_bid_px_e6"]
    ask = report["quote_ask_px_e6"]
    regime = regime_of(book, ts_ns)
    forced = book.params[0]["regime_forced"]
    if bid <= 0 or ask <= 0 or bid > PX_E6_MAX or ask > PX_E6_MAX or regime < 0:
        return Zone.NONE
    value_x2_e6 = times(report["qty"], bid + ask)
    limit_e6 = share_of(instrument["sms_e6"], book.regimes[regime]["threshold_bps"])
    zone = Zone.DISCRETIONARY
    if instrument["liquid"] == 0:
        zone = Zone.ON_REQUEST
    elif value_x2_e6 <= 2 * share_of(instrument["sms_e6"], book.regimes[regime]["qmin_bps"]):
        zone = Zone.WITHIN_MIN_QUOTE
    elif value_x2_e6 <= 2 * limit_e6:
        zone = Zone.WITHIN_OBLIGATION
    elif value_x2_e6 >= 2 * instrument["lis_e6"]:
        zone = Zone.LARGE_IN_SCALE
    if forced < 0 and report["zone"] != Zone.NONE and report["zone"] != zone:
        tell(book, 0, Rule.ZONE_DIFFERS, 0, report["zone"], zone, value_x2_e6 // 2, limit_e6)
    return zone


@njit
def judge_waiting(book, row):
    """Our quote of an instrument is new: a fill may have waited for it."""
    got = book.receipt[0]
    if got["waiting"] == 0 or got["instrument"] != row:
        return
    ours = book.shown[row]
    if ours["quote_id"] != got["cited_id"] or ours["live"] == 0:
        return
    got["waiting"] = 0
    px = got["px_e6"]
    bid = got["bid_px_e6"]  # shown before, in the order's size
    ask = got["ask_px_e6"]
    take(got, ours)
    _judge(book, got["bid_px_e6"], got["ask_px_e6"])
    if got["live"] != 0 and _is_covered_zone(got["zone"]):
        worse = px - ask if got["side"] == Side.BUY else bid - px
        if worse > 0:
            tick = _tick_at(book, row, px)
            tell(book, 1, Rule.WORSE_THAN_SHOWN, worse, px, bid, ask, tick)


@njit
def _tick_at(book, row, px):
    band = book.instruments[row]["tick_band"]
    return tick_of(book, band, px) if band != 0 else FREE_TICK_E6


@njit
def _is_covered_zone(zone):
    """MiFIR Art 14(2): Arts 14 to 17 bind up to and including T, in a liquid market."""
    return zone == Zone.WITHIN_MIN_QUOTE or zone == Zone.WITHIN_OBLIGATION


@njit
def _judge(book, bid, ask):
    """A fill against the quote that was public: tick at any size, improvement up to T."""
    got = book.receipt[0]
    run = book.run[0]
    row = got["instrument"]
    px = got["px_e6"]
    buy = got["side"] == Side.BUY
    quoted = ask if buy else bid
    improvement = quoted - px if buy else px - quoted
    at_mid = 2 * px == bid + ask
    band = book.instruments[row]["tick_band"]
    tick = min(_tick_at(book, row, px), _tick_at(book, row, quoted))
    run["tick_fills"] += run["counting"]
    if not at_mid and not is_on_tick(book, band, px):
        tell(book, 1, Rule.FILL_OFF_TICK, 0, px, bid, ask, tick)
    if _is_covered_zone(got["zone"]):
        if improvement < 0:
            tell(book, 1, Rule.WORSE_THAN_QUOTE, -improvement, px, bid, ask, tick)
        elif improvement > ask - bid:
            tell(book, 1, Rule.OUTSIDE_QUOTE, improvement, px, bid, ask, tick)
        elif 0 < improvement < tick and not at_mid and band != 0:
            tell(book, 1, Rule.BELOW_ONE_TICK, 0, px, bid, ask, tick)
    limit = got["limit_px_e6"]
    limited = got["ord_type"] == OrdType.LIMIT
    if limited or (got["ord_type"] == OrdType.PEGGED and limit != 0):
        through = px - limit if buy else limit - px
        if through > 0:
            tell(book, 1, Rule.THROUGH_LIMIT, through, px, limit, 0, 0)
    cited_bid = got["cited_bid_px_e6"]
    cited_ask = got["cited_ask_px_e6"]
    cited = got["cited_improvement_e6"]
    if cited_bid != bid or cited_ask != ask or cited != improvement:
        tell(book, 1, Rule.RECORD_DIFFERS, 0, cited_bid, cited_ask, cited, improvement)
    if got["cited_size"] != got["size"]:
        quoted_qty = got["ask_qty"] if buy else got["bid_qty"]
        tell(
            book, 1, Rule.WRONG_SIZE, 0, got["cited_size"] + 1, got["size"] + 1, got["qty"],
            quoted_qty,
        )  # fmt: skip
    _count_improvement(book, improvement, tick)
    if got["ord_type"] != OrdType.PEGGED:
        _compare_clients(book, px)


@njit
def _count_improvement(book, improvement, tick):
    run = book.run[0]
    got = book.receipt[0]
    if run["counting"] == 0:
        return
    client = got["client"]
    zone = got["zone"]
    if improvement > 0:
        run["improved"] += 1
        book.client_tally[client]["improved"] += 1
    book.zone_fills[client, zone] += 1
    book.zone_milliticks[client, zone] += improvement * MILLI // tick
    tenths = min(max(improvement, 0) * 10 // tick, TENTHS_MAX)
    book.improvements[zone, tenths] += 1


@njit
def _compare_clients(book, px):
    """Clients of one pool, tier and limits, one quote, size, side, zone, policy: one price."""
    got = book.receipt[0]
    side = 0 if got["side"] == Side.BUY else 1
    place = (got["instrument"] * 2 + side) * ZONES + got["zone"]
    first = book.fair[place * (MORE_SIZES + 1) + got["size"]]
    if first["quote_id"] != got["cited_id"] or first["policy_hash"] != got["policy_hash"]:
        first["quote_id"] = got["cited_id"]
        first["client"] = got["client"]
        first["px_e6"] = px
        first["policy_hash"] = got["policy_hash"]
        first["seq"] = book.here[1]["seq"]
    elif first["px_e6"] != px and first["client"] != got["client"]:
        if _same_terms(book.clients[first["client"]], book.clients[got["client"]]):
            apart = abs(px - first["px_e6"])
            tell(
                book, 1, Rule.DIFFERENT_PX, apart, px, first["px_e6"], first["client"],
                first["seq"],
            )  # fmt: skip


@njit
def _same_terms(a, b):
    """Rules of the policy go by pool and tier: other parameters, another price by right."""
    return (
        a["pool"] == b["pool"]
        and a["tier"] == b["tier"]
        and a["order_max_eur_e6"] == b["order_max_eur_e6"]
        and a["day_max_eur_e6"] == b["day_max_eur_e6"]
        and a["fills_max"] == b["fills_max"]
    )


# --- refusals ---------------------------------------------------------------------------------


@njit
def _on_refusal(book, report, ts_ns):
    """Anything but a fill as the answer to an order: was it within a firm quote?"""
    run = book.run[0]
    got = book.receipt[0]
    reason = min(max(report["reason"], 0), REASONS_MAX - 1)
    desk = report["kind"] == ExecKind.NEW
    if run["counting"] != 0:
        tally = book.client_tally[got["client"]]
        tally["to_desk"] += 1 if desk else 0
        tally["refused"] += 0 if desk else 1
        if not desk:
            book.refusals[got["client"], reason] += 1
    if not _is_within_quote(book, ts_ns):
        return
    buy = got["side"] == Side.BUY
    quoted_qty = got["ask_qty"] if buy else got["bid_qty"]
    quoted_px = got["ask_px_e6"] if buy else got["bid_px_e6"]
    run["covered"] += run["counting"]
    rule = Rule.TO_DESK
    if not desk:
        rule = _verdict(book, report, ts_ns)
    verdict = BREACH
    if rule == Rule.REFUSED_FOR_REASON:
        verdict = EXPLAIN
    elif rule == Rule.REFUSED_BY_RIGHT:
        verdict = BY_RIGHT
    book.covered[reason, verdict] += run["counting"]
    tell(book, 1, rule, 0, reason, got["qty"], quoted_qty, quoted_px)


@njit
def _is_within_quote(book, ts_ns):
    """Whether MiFIR Art 15(2) binds us: a live quote, in hours, in its size, at its price."""
    got = book.receipt[0]
    row = got["instrument"]
    if row < 0 or got["live"] == 0 or got["in_hours"] == 0 or got["qty"] <= 0:
        return False
    side = got["side"]
    if side != Side.BUY and side != Side.SELL and side != Side.SELL_SHORT:
        return False
    quoted_qty = got["ask_qty"] if side == Side.BUY else got["bid_qty"]
    quoted_px = got["ask_px_e6"] if side == Side.BUY else got["bid_px_e6"]
    if got["qty"] > quoted_qty or not is_due(book.instruments[row]):
        return False
    if got["ord_type"] == OrdType.LIMIT:
        short = quoted_px - got["limit_px_e6"]
        if (short if side == Side.BUY else -short) > 0:
            return False
    elif got["ord_type"] != OrdType.MARKET:
        return False  # conditions other than the current market price (Art 15(3))
    regime = regime_of(book, ts_ns)
    if regime < 0:
        return False
    sms_e6 = book.instruments[row]["sms_e6"]
    limit_e6 = share_of(sms_e6, book.regimes[regime]["threshold_bps"])
    return times(got["qty"], got["bid_px_e6"] + got["ask_px_e6"]) <= 2 * limit_e6


@njit
def _verdict(book, report, ts_ns):
    """Which rule a refusal within a firm quote falls under; reasons are checked where they can."""
    got = book.receipt[0]
    row = got["instrument"]
    instrument = book.instruments[row]
    reason = report["reason"]
    band = instrument["tick_band"]
    if reason == Reason.HALTED:
        phase = book.venue_books[row * VENUES_MAX + instrument["mrm_venue"]]["phase"]
        if phase == Phase.HALTED:
            return Rule.REFUSED_BY_RIGHT
        return Rule.REFUSED if phase == Phase.CONTINUOUS else Rule.REFUSED_FOR_REASON
    if reason == Reason.NOT_MARKETABLE:  # it was at the quote shown: unless that has just changed
        moved = report["quote_id"] != got["quote_id"]
        return Rule.REFUSED_FOR_REASON if moved else Rule.REFUSED
    if reason == Reason.QTY_OFF_LOT and got["qty"] % instrument["lot"] == 0:
        return Rule.REFUSED
    if reason == Reason.PX_OFF_TICK and is_on_tick(book, band, got["limit_px_e6"]):
        return Rule.REFUSED
    client = book.clients[got["client"]]
    if (
        (reason == Reason.CLIENT_ORDER_LIMIT and client["order_max_eur_e6"] == 0)
        or (reason == Reason.CLIENT_DAY_LIMIT and client["day_max_eur_e6"] == 0)
        or (reason == Reason.CLIENT_COUNT_LIMIT and client["fills_max"] == 0)
    ):
        return Rule.LIMIT_NOT_SET
    if reason < 0 or reason >= REASONS_MAX or book.verdicts[reason] == BREACH:
        return Rule.REFUSED
    if book.verdicts[reason] == BY_RIGHT:
        return Rule.REFUSED_BY_RIGHT
    return Rule.REFUSED_FOR_REASON
