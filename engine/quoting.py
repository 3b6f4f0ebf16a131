"""Our own firm two-way quote, made from the market it must be close to (RTS 1 Art 10)."""

from engine import due, sizes, ticks
from engine.bbo import consolidate, is_tradable
from engine.checks import suspension
from engine.enums import BboState, Phase, QuoteState, Reason, Waits
from engine.jit import clear_record, inlined, njit
from engine.limits import OUTPUTS_MAX, SWEEP_MAX, VENUES_MAX, VERSIONS_MAX
from engine.money import ceil_div
from engine.outbox import put_quote
from engine.zones import BPS, regime_at


@inlined
def requote(tables, outbox, instrument_id, best, ts_ns):
    """Bring the quote of an instrument up to the BBO `best`; emit it if it changed."""
    quote = tables.quotes[instrument_id]
    bid = 0
    ask = 0
    mrm_bid = best["mrm_bid_px_e6"]
    mrm_ask = best["mrm_ask_px_e6"]
    reason = _held_back(tables, instrument_id, ts_ns)
    if reason == Reason.NONE:
        if mrm_bid != 0 and mrm_ask != 0:
            bid = mrm_bid
            ask = mrm_ask
        elif is_tradable(best):  # RTS 1 Art 10(2): quotes of other venues
            bid = best["bid_px_e6"]
            ask = best["ask_px_e6"]
        else:
            reason = _withdrawal(best)
    regime = regime_at(tables, ts_ns)
    edition = tables.counters[0]["edition"]
    if not (
        quote["source_bid_px_e6"] == bid
        and quote["source_ask_px_e6"] == ask
        and quote["source_reason"] == reason
        and quote["mrm_bid_px_e6"] == mrm_bid
        and quote["mrm_ask_px_e6"] == mrm_ask
        and quote["regime"] == regime
        and quote["edition"] == edition
        and quote["waits"] != Waits.YES
    ):
        quote["source_bid_px_e6"] = bid
        quote["source_ask_px_e6"] = ask
        quote["source_reason"] = reason
        quote["regime"] = regime
        quote["edition"] = edition
        _make(tables, outbox, instrument_id, quote, best, ts_ns)
    _note_source(tables, instrument_id, quote, best)
    return quote


@inlined
def _note_source(tables, instrument_id, quote, best):
    """When that came which a LIVE quote is made from: a TIMER sees by it what has gone stale."""
    source = tables.sources[instrument_id]
    if quote["state"] == QuoteState.LIVE and (
        best["mrm_bid_px_e6"] != 0 and best["mrm_ask_px_e6"] != 0
    ):
        source["oldest_ns"] = best["mrm_recv_ns"]
        source["newest_ns"] = best["mrm_recv_ns"]
    else:
        _note_venues(tables, instrument_id, quote, best, source)


@njit
def _note_venues(tables, instrument_id, quote, best, source):
    """The same of a quote made from the best of all venues, and of none that is LIVE."""
    bid_ns = 0
    ask_ns = 0
    if quote["state"] == QuoteState.LIVE:
        first = instrument_id * VENUES_MAX
        bid_ns = tables.venue_books[first + best["bid_venue"]]["recv_ns"]
        ask_ns = tables.venue_books[first + best["ask_venue"]]["recv_ns"]
    source["oldest_ns"] = min(bid_ns, ask_ns)
    source["newest_ns"] = max(bid_ns, ask_ns)


@inlined
def _held_back(tables, instrument_id, ts_ns):
    """Why we do not quote whatever the market is: Reason.NONE where we do.

    Kill switches (RTS 6 Art 12), published hours (2017/567 Art 12), exceptional market conditions
    (Art 14(1)); while the MRM is not in continuous trading no order is answered.
    """
    if tables.counters[0]["kill_firm"] != 0:
        return Reason.KILLED_FIRM
    if tables.positions[instrument_id]["killed"] != 0:
        return Reason.KILLED_INSTRUMENT
    params = tables.params[0]
    if ts_ns < params["open_ns"] or ts_ns >= params["close_ns"]:
        return Reason.CLOSED
    reason = suspension(tables, instrument_id)
    if reason != Reason.NONE:
        return reason
    mrm = tables.instruments[instrument_id]["mrm_venue"]
    if tables.venue_books[instrument_id * VENUES_MAX + mrm]["phase"] != Phase.CONTINUOUS:
        return Reason.HALTED
    return Reason.NONE


@inlined
def public_place(tables, instrument_id, version, recv_ns, ts_ns):
    """Row of `quote_versions` that was public when an order was received (MiFIR Art 15(2)).

    `version` is the newest one from before the order; `recv_ns` 0: the order has not waited. The
    last row, which stays empty, where none was public or it is more than VERSIONS_MAX ago.
    """
    if recv_ns != 0 and recv_ns < ts_ns:
        version = _version_at(tables, instrument_id, version, recv_ns)
    if version == 0:
        return tables.quote_versions.shape[0] - 1
    return instrument_id * VERSIONS_MAX + (version & (VERSIONS_MAX - 1))


@njit
def _version_at(tables, instrument_id, version, recv_ns):
    """The newest version not above `version` that was entered by `recv_ns`; 0: none is kept."""
    first = instrument_id * VERSIONS_MAX
    oldest = max(tables.quotes[instrument_id]["version"] - VERSIONS_MAX, 0)
    while version > oldest:
        if tables.quote_versions[first + (version & (VERSIONS_MAX - 1))]["entered_ns"] <= recv_ns:
            return version
        version -= 1
    return 0


@njit
def _withdrawal(best):
    """The Reason that a quote is withdrawn for, from the state of the BBO."""
    if best["state"] == BboState.EMPTY:
        return Reason.BBO_EMPTY
    if best["state"] == BboState.STALE:
        return Reason.BBO_STALE
    if best["state"] == BboState.ONE_SIDED:
        return Reason.BBO_ONE_SIDED
    return Reason.BBO_CROSSED


@njit
def _make(tables, outbox, instrument_id, quote, best, ts_ns):
    """Prices on tick and sizes from the quote's source; withdrawn where there is no price."""
    instrument = tables.instruments[instrument_id]
    made = tables.sized_quote[sizes.MADE]
    clear_record(made)
    reason = quote["source_reason"]
    if reason == Reason.NONE:
        bid, ask = ticks.round_out(
            tables.ticks,
            instrument["tick_band"],
            quote["source_bid_px_e6"],
            quote["source_ask_px_e6"],
        )
        if bid <= 0 or not _may_quote(instrument, quote["regime"]):
            reason = Reason.NO_QUOTE
        elif sizes.is_far(tables, best, bid, ask):
            reason = Reason.QUOTE_FAR
        else:
            target_e6 = _published_size_e6(tables, instrument, quote["regime"])
            made["bid_px_e6"] = bid
            made["ask_px_e6"] = ask
            made["bid_qty"] = _whole_lots(target_e6, bid, instrument["lot"])
            made["ask_qty"] = _whole_lots(target_e6, ask, instrument["lot"])
            if tables.params[0]["more_size_bps"][0] != 0 and instrument["liquid"] != 0:
                sizes.add(tables, instrument, best, made, quote["regime"])
    _set_quote(tables, outbox, instrument_id, quote, best, made, reason, ts_ns)


@njit
def _may_quote(instrument, regime):
    """Whether an order could be answered at all: SI, a regime, the thresholds it needs."""
    if instrument["si"] == 0 or regime < 0 or instrument["lis_e6"] <= 0:
        return False
    return instrument["liquid"] == 0 or instrument["sms_e6"] > 0


@njit
def _published_size_e6(tables, instrument, regime):
    """Value that the quoted size must reach; 0 for an illiquid instrument, which has no Qmin."""
    if instrument["liquid"] == 0:
        return 0
    qmin_e6 = instrument["sms_e6"] * tables.regimes[regime]["qmin_bps"] // BPS
    return qmin_e6 * tables.params[0]["quote_size_bps"] // BPS


@njit
def _whole_lots(target_e6, px_e6, lot):
    """Smallest number of shares in whole lots that is worth `target_e6`; at least one lot."""
    shares = ceil_div(target_e6, px_e6)
    if lot == 1:  # the usual case, without a division
        return max(1, shares)
    return max(lot, ceil_div(shares, lot) * lot)


@njit
def _set_quote(tables, outbox, instrument_id, quote, best, made, reason, ts_ns):
    """A new version where anything in it changed and it is not too soon for one.

    `made` has its prices and quantities, all 0 where it is withdrawn.
    """
    state = QuoteState.LIVE if made["bid_px_e6"] > 0 else QuoteState.WITHDRAWN
    changed = not (
        quote["state"] == state
        and quote["reason"] == reason
        and quote["bid_px_e6"] == made["bid_px_e6"]
        and quote["ask_px_e6"] == made["ask_px_e6"]
        and quote["bid_qty"] == made["bid_qty"]
        and quote["ask_qty"] == made["ask_qty"]
        and quote["mrm_bid_px_e6"] == best["mrm_bid_px_e6"]
        and quote["mrm_ask_px_e6"] == best["mrm_ask_px_e6"]
        and sizes.are_same(quote, made)
    )
    if changed and state == QuoteState.LIVE and _is_too_soon(tables, quote, ts_ns):
        due.look_again(tables, instrument_id)
        return
    if quote["waits"] == Waits.YES:
        quote["waits"] = Waits.DONE
    if not changed:
        return
    tables.counters[0]["quotes"] += 1
    quote["instrument"] = instrument_id
    quote["quote_id"] = tables.counters[0]["quotes"]
    quote["state"] = state
    quote["reason"] = reason
    quote["bid_px_e6"] = made["bid_px_e6"]
    quote["ask_px_e6"] = made["ask_px_e6"]
    quote["bid_qty"] = made["bid_qty"]
    quote["ask_qty"] = made["ask_qty"]
    sizes.copy(quote, made)
    quote["mrm_bid_px_e6"] = best["mrm_bid_px_e6"]
    quote["mrm_ask_px_e6"] = best["mrm_ask_px_e6"]
    quote["entered_ns"] = ts_ns
    version = quote["version"] + 1
    quote["version"] = version
    place = instrument_id * VERSIONS_MAX + (version & (VERSIONS_MAX - 1))
    tables.quote_versions[place] = quote
    put_quote(outbox, quote)


@inlined
def _is_too_soon(tables, quote, ts_ns):
    """Whether the last version is younger than `quote_interval_ns`."""
    interval_ns = tables.params[0]["quote_interval_ns"]
    return quote["version"] != 0 and abs(ts_ns - quote["entered_ns"]) < interval_ns


@njit
def refresh(tables, outbox, instrument_id, ts_ns):
    """Consolidate and requote where no venue has said anything; answers the quote."""
    best = consolidate(tables, instrument_id, ts_ns)
    return requote(tables, outbox, instrument_id, best, ts_ns)


@inlined
def is_due(tables, ts_ns):
    """Whether a TIMER has quotes to look at: changes held back, a sweep, the hours, stale ones."""
    counters = tables.counters[0]
    if counters["waiting"] != 0 or counters["sweep_at"] != 0:
        return True
    if counters["open"] != _is_open(tables, ts_ns):
        return True
    return _has_stale(tables, ts_ns)


@njit
def _has_stale(tables, ts_ns):
    """Whether there is a row that `_is_stale`, without a branch at each of many."""
    stale_ns = tables.params[0]["stale_ns"]
    late = 0
    for at in range(tables.counters[0]["instruments"]):
        late += _is_stale(tables.sources[at], ts_ns, stale_ns)
    return late != 0


@inlined
def _is_stale(source, ts_ns, stale_ns):
    """1 where a LIVE quote is made from a market that is stale now, else 0.

    Distances, not ends: after a clock was set back a record from the future is stale, as it is for
    the BBO.
    """
    past = ts_ns - source["oldest_ns"] > stale_ns
    future = source["newest_ns"] - ts_ns > stale_ns
    return (source["newest_ns"] != 0) & (past | future)


@njit
def _next_stale(tables, at, ts_ns):
    """The first such row from `at` on; as many as there are instruments where there is none."""
    stale_ns = tables.params[0]["stale_ns"]
    count = tables.counters[0]["instruments"]
    while at < count and not _is_stale(tables.sources[at], ts_ns, stale_ns):
        at += 1
    return at


@inlined
def _is_open(tables, ts_ns):
    params = tables.params[0]
    return 1 if params["open_ns"] <= ts_ns < params["close_ns"] else 0


@njit
def on_time(tables, outbox, ts_ns):
    """Quotes that time alone changes, as many as one input may; the rest is due at once."""
    counters = tables.counters[0]
    if counters["open"] != _is_open(tables, ts_ns):
        counters["open"] = _is_open(tables, ts_ns)
        due.look_at_all(tables)
    _make_waiting(tables, outbox, ts_ns)
    _make_stale(tables, outbox, ts_ns)
    sweep(tables, outbox, ts_ns)


@njit
def _make_waiting(tables, outbox, ts_ns):
    """Changes that were held back, where their time has come."""
    counters = tables.counters[0]
    at = 0
    for _ in range(min(counters["waiting"], SWEEP_MAX)):
        if outbox.counts[0]["quotes"] == OUTPUTS_MAX:
            break
        instrument_id = tables.waiting[at]
        quote = tables.quotes[instrument_id]
        if quote["waits"] == Waits.YES:
            refresh(tables, outbox, instrument_id, ts_ns)
        if quote["waits"] == Waits.YES:
            at += 1
        else:
            quote["waits"] = Waits.NO
            counters["waiting"] -= 1
            tables.waiting[at] = tables.waiting[counters["waiting"]]


@njit
def _make_stale(tables, outbox, ts_ns):
    """What a LIVE quote was made from has gone stale: withdrawn, or made from other venues."""
    at = 0
    for _ in range(SWEEP_MAX):
        at = _next_stale(tables, at, ts_ns)
        if at == tables.counters[0]["instruments"] or outbox.counts[0]["quotes"] == OUTPUTS_MAX:
            break
        refresh(tables, outbox, at, ts_ns)
        at += 1


@njit
def sweep(tables, outbox, ts_ns):
    """Go on through all quotes from `sweep_at`: bring them up to what holds now."""
    counters = tables.counters[0]
    if counters["sweep_at"] == 0:
        return
    at = counters["sweep_at"] - 1
    end = min(at + SWEEP_MAX, counters["instruments"])
    while at < end and outbox.counts[0]["quotes"] < OUTPUTS_MAX:
        if tables.quotes[at]["version"] != 0:
            refresh(tables, outbox, at, ts_ns)
        at += 1
    counters["sweep_at"] = at + 1 if at < counters["instruments"] else 0
