"""Our public quotes as FIX: Quote, MassQuote, QuoteCancel, IOI, market data, in every version.

Each writer puts one message with the session's next number into `wire.scratch` and answers
`(start, size)`. Fields and values are those of the stock dictionaries of FIX 4.2, 4.4 and 5.0 SP2:
QuoteCancel(Z) has no Text(58) there: a session whose own dictionary knows it gets the reason. A
MarketDataSnapshotFullRefresh(W) of 4.2 needs a price, so a withdrawn quote's is 0.
"""

import numpy as np

from engine.enums import QuoteState, Reason
from engine.jit import copy_bytes, njit
from engine.limits import ISIN_WORDS
from engine.money import fits_product
from engine.pools import is_stopped
from engine.reasons import WORDS
from gateway.fix_write import (
    SOH,
    begin,
    finish,
    fix_bytes,
    put_byte,
    put_bytes,
    put_code,
    put_int,
    put_px,
    put_text,
    put_time,
)
from gateway.wire import MASS_QUOTE_MAX, OutTag, Version

QUOTE, MASS_QUOTE, QUOTE_CANCEL, IOI = (np.int64(ord(char)) for char in "SiZ6")
SNAPSHOT, INCREMENTAL, MARKET_DATA_REJECT = (np.int64(ord(char)) for char in "WXY")
NEW, CHANGE, DELETE = 48, 49, 50  # MDUpdateAction(279)
BID, OFFER = 1, 2  # bits of a request's sides, and Side(54) of what we want
IOI_NEW, IOI_REPLACE, IOI_CANCEL = 78, 82, 67  # IOITransType(28)

_T117 = fix_bytes("117=")
_T537 = fix_bytes("|537=1")
_T55 = fix_bytes("|55=")
_T48 = fix_bytes("|48=")
_T22 = fix_bytes("|22=4")
_T15 = fix_bytes("|15=")
_T132 = fix_bytes("|132=")
_T133 = fix_bytes("|133=")
_T134 = fix_bytes("|134=")
_T135 = fix_bytes("|135=")
_T60 = fix_bytes("|60=")
_T58 = fix_bytes("|58=")
_SET = fix_bytes("|296=1|302=1")
_T311 = fix_bytes("|311=[N/A]")
_T304 = fix_bytes("|304=")
_T295 = fix_bytes("|295=")
_T299 = fix_bytes("|299=")
_CANCEL_ONE = fix_bytes("|298=1")
_CANCEL_ALL = fix_bytes("NONE|298=4")
_ONE_ENTRY = fix_bytes("|295=1")
_ANY_ENTRY = fix_bytes("|295=1|55=[N/A]")
_T23 = fix_bytes("23=")
_T28 = fix_bytes("|28=")
_T26 = fix_bytes("|26=")
_T54 = fix_bytes("|54=")
_T38 = fix_bytes("|38=")
_T27 = fix_bytes("|27=")
_T44 = fix_bytes("|44=")
_T262 = fix_bytes("262=")
_T281 = fix_bytes("|281=")
_T779 = fix_bytes("|779=")
_T268 = fix_bytes("|268=")
_EMPTY_BOOK = fix_bytes("|269=J")
_T269 = fix_bytes("|269=")
_T270 = fix_bytes("|270=")
_T271 = fix_bytes("|271=")
_NO_PX = fix_bytes("|270=0|271=0")
_T272 = fix_bytes("|272=")
_T273 = fix_bytes("|273=")
_T275 = fix_bytes("|275=")
_CLOSED = fix_bytes("|276=B")
_T279 = fix_bytes("|279=")

#: Why a quote is withdrawn: prefix and sentence, without the numbers that an order's reject has.
_TEXTS = np.zeros((128, 64), np.uint8)
_TEXT_SIZES = np.zeros(128, np.int64)
for _reason in (
    Reason.KILLED_FIRM, Reason.KILLED_POOL, Reason.KILLED_CLIENT, Reason.KILLED_INSTRUMENT,
    Reason.BBO_EMPTY,
    Reason.BBO_ONE_SIDED, Reason.BBO_STALE, Reason.BBO_CROSSED, Reason.NO_QUOTE,
    Reason.CLOSED, Reason.HALTED, Reason.QUOTE_FAR, Reason.SUSPENDED_HALT,
    Reason.SUSPENDED_MARKET_MAKING, Reason.SUSPENDED_UNDERLYINGS, Reason.SUSPENDED_SHORT_SELLING,
    Reason.SUSPENDED_PRUDENTIAL,
):  # fmt: skip
    _line = f"{WORDS[_reason].prefix} {WORDS[_reason].sentence.partition(',')[0]}"
    _TEXTS[_reason, : len(_line)] = np.frombuffer(_line.encode(), np.uint8)
    _TEXT_SIZES[_reason] = len(_line)


#: Plain numbers: compiled code cannot answer a member here and a field there.
_LIVE, _NO_MARKET, _NO_QUOTE = int(Reason.NONE), int(Reason.BBO_EMPTY), int(Reason.NO_QUOTE)
_KILLED, _KILLED_POOL = int(Reason.KILLED_FIRM), int(Reason.KILLED_POOL)
_KILLED_CLIENT, _KILLED_INSTRUMENT = int(Reason.KILLED_CLIENT), int(Reason.KILLED_INSTRUMENT)


@njit
def withdrawal(tables, client, instrument_id):
    """The Reason that a client sees no quote of ours for, NONE where it is live."""
    if tables.counters[0]["kill_firm"] != 0:
        return _KILLED
    if is_stopped(tables, client):
        return _KILLED_POOL
    if tables.client_use[client]["killed"] != 0:
        return _KILLED_CLIENT
    if tables.positions[instrument_id]["killed"] != 0:
        return _KILLED_INSTRUMENT
    quote = tables.quotes[instrument_id]
    if quote["state"] == QuoteState.LIVE:
        return _LIVE
    if quote["state"] == QuoteState.NONE:
        return _NO_MARKET
    if _TEXT_SIZES[quote["reason"]] == 0:
        return _NO_QUOTE
    return quote["reason"]


@njit
def write_quote(tables, wire, session_id, instrument_id, ts_ns):
    """Quote(S) of both sides."""
    out = wire.scratch
    session = wire.sessions[session_id]
    quote = tables.quotes[instrument_id]
    at = _begin(wire, session_id, QUOTE, ts_ns)
    at = put_int(out, put_bytes(out, at, _T117), quote["quote_id"])
    if session["version"] != Version.FIX_4_2:
        at = put_bytes(out, at, _T537)
    at = _put_instrument(out, at, tables, instrument_id)
    at = _put_currency(out, at, tables, instrument_id)
    at = _put_prices(out, at, quote)
    at = put_bytes(out, at, _T60)
    at = put_time(out, at, wire.date, wire.loop[0], quote["entered_ns"], session["precision"])
    return _finish(wire, session_id, at)


@njit
def write_mass_quote(tables, wire, session_id, count, ts_ns):
    """MassQuote(i) of the first `count` instruments in `wire.batch`, one set."""
    assert 0 < count <= MASS_QUOTE_MAX
    out = wire.scratch
    session = wire.sessions[session_id]
    at = _begin(wire, session_id, MASS_QUOTE, ts_ns)
    first = tables.quotes[wire.batch[0]]
    at = put_int(out, put_bytes(out, at, _T117), first["quote_id"])
    if session["version"] != Version.FIX_4_2:
        at = put_bytes(out, at, _T537)
    at = put_bytes(out, at, _SET)
    if session["version"] == Version.FIX_4_2:
        at = put_bytes(out, at, _T311)
    at = put_int(out, put_bytes(out, at, _T304), count)
    at = put_int(out, put_bytes(out, at, _T295), count)
    for i in range(count):
        quote = tables.quotes[wire.batch[i]]
        at = put_int(out, put_bytes(out, at, _T299), quote["quote_id"])
        at = _put_instrument(out, at, tables, wire.batch[i])
        at = _put_prices(out, at, quote)
        at = put_bytes(out, at, _T60)
        at = put_time(out, at, wire.date, wire.loop[0], quote["entered_ns"], session["precision"])
        at = _put_currency(out, at, tables, wire.batch[i])
    return _finish(wire, session_id, at)


@njit
def write_quote_cancel(tables, wire, session_id, instrument_id, quote_id, reason, ts_ns):
    """QuoteCancel(Z) of the quote that was told last."""
    out = wire.scratch
    session = wire.sessions[session_id]
    at = _begin(wire, session_id, QUOTE_CANCEL, ts_ns)
    at = put_int(out, put_bytes(out, at, _T117), quote_id)
    at = put_bytes(out, at, _CANCEL_ONE)
    if session["out_tags"] & OutTag.CANCEL_TEXT != 0:
        at = _put_why(out, at, reason)
    at = put_bytes(out, at, _ONE_ENTRY)
    at = _put_instrument(out, at, tables, instrument_id)
    return _finish(wire, session_id, at)


@njit
def write_cancel_all(wire, session_id, reason, ts_ns):
    """QuoteCancel(Z) of every quote of a session: QuoteCancelType(298)=4."""
    out = wire.scratch
    session = wire.sessions[session_id]
    at = _begin(wire, session_id, QUOTE_CANCEL, ts_ns)
    at = put_bytes(out, put_bytes(out, at, _T117), _CANCEL_ALL)
    if session["out_tags"] & OutTag.CANCEL_TEXT != 0:
        at = _put_why(out, at, reason)
    if session["version"] == Version.FIX_4_2:  # its group may not be missing
        at = put_bytes(out, at, _ANY_ENTRY)
    return _finish(wire, session_id, at)


@njit
def write_ioi(tables, wire, session_id, instrument_id, side, action, before, reason, ts_ns):
    """IOI(6) of one side of our quote; `before`: number of the quote it replaces or takes back.

    IOIID(23) is the quote's number, the side and the action. The stock dictionaries want S, M or L
    in IOIQty(27): below SMS, from SMS on, from LIS on; OrderQty(38) says it exactly, but in 4.2.
    """
    out = wire.scratch
    session = wire.sessions[session_id]
    quote = tables.quotes[instrument_id]
    cancel = action == IOI_CANCEL
    at = _begin(wire, session_id, IOI, ts_ns)
    number = before if cancel else quote["quote_id"]
    at = _put_ioi_id(out, put_bytes(out, at, _T23), number, side)
    if cancel:
        at = put_byte(out, at, IOI_CANCEL)
    at = put_byte(out, put_bytes(out, at, _T28), action)
    if action != IOI_NEW:
        at = _put_ioi_id(out, put_bytes(out, at, _T26), before, side)
    at = _put_instrument(out, at, tables, instrument_id)
    at = put_byte(out, put_bytes(out, at, _T54), 48 + side)
    qty = quote["bid_qty"] if side == BID else quote["ask_qty"]
    px_e6 = quote["bid_px_e6"] if side == BID else quote["ask_px_e6"]
    if not cancel and session["version"] != Version.FIX_4_2:
        at = put_int(out, put_bytes(out, at, _T38), qty)
    size = _size_letter(tables.instruments[instrument_id], qty, px_e6)
    at = put_byte(out, put_bytes(out, at, _T27), size)
    if not cancel:
        at = _put_currency(out, at, tables, instrument_id)
        at = put_px(out, put_bytes(out, at, _T44), px_e6)
    else:
        at = _put_why(out, at, reason)
    at = put_bytes(out, at, _T60)
    entered_ns = ts_ns if cancel else quote["entered_ns"]
    at = put_time(out, at, wire.date, wire.loop[0], entered_ns, session["precision"])
    return _finish(wire, session_id, at)


@njit
def _put_ioi_id(out, at, quote_id, side):
    return put_byte(out, put_int(out, at, quote_id), 66 if side == BID else 83)  # B or S


@njit
def _size_letter(instrument, qty, px_e6):
    """IOIQty(27): S, M or L, by the instrument's thresholds."""
    if not fits_product(qty, px_e6):
        return 76
    if instrument["lis_e6"] > 0 and qty * px_e6 >= instrument["lis_e6"]:
        return 76
    return 77 if qty * px_e6 >= instrument["sms_e6"] else 83


@njit
def write_snapshot(tables, wire, session_id, request_id, instrument_id, reason, ts_ns):
    """MarketDataSnapshotFullRefresh(W); `reason` says why there is no quote, or NONE."""
    out = wire.scratch
    session = wire.sessions[session_id]
    request = wire.requests[request_id]
    quote = tables.quotes[instrument_id]
    at = _begin(wire, session_id, SNAPSHOT, ts_ns)
    at = _put_request_id(out, at, wire, request_id) - 1  # what follows begins with a separator
    at = _put_instrument(out, at, tables, instrument_id)
    if session["version"] == Version.FIX_5_0_SP2:
        updated_ns = quote["entered_ns"] if reason == Reason.NONE else ts_ns
        at = put_bytes(out, at, _T779)
        at = put_time(out, at, wire.date, wire.loop[0], updated_ns, session["precision"])
    at = put_bytes(out, at, _T268)
    if reason != Reason.NONE and session["version"] == Version.FIX_5_0_SP2:
        at = put_bytes(out, put_byte(out, at, 49), _EMPTY_BOOK)
        at = _put_entered(out, at, wire, session, ts_ns)
        at = _put_why(out, at, reason)
        return _finish(wire, session_id, at)
    sides = request["sides"]
    at = put_byte(out, at, 48 + (sides & BID) + (sides >> 1))
    for side in (BID, OFFER):
        if sides & side == 0:
            continue
        at = put_byte(out, put_bytes(out, at, _T269), 47 + side)
        if reason == Reason.NONE:
            at = _put_entry(out, at, tables, wire, session, instrument_id, side)
        else:
            if session["version"] == Version.FIX_4_2:
                at = put_bytes(out, at, _NO_PX)
            at = _put_entered(out, at, wire, session, ts_ns)
            at = _put_why(out, put_bytes(out, at, _CLOSED), reason)
    return _finish(wire, session_id, at)


@njit
def write_incremental(tables, wire, session_id, request_id, instrument_id, action, reason, ts_ns):
    """MarketDataIncrementalRefresh(X): the sides asked for, NEW, CHANGE or DELETE."""
    out = wire.scratch
    session = wire.sessions[session_id]
    sides = wire.requests[request_id]["sides"]
    at = _begin(wire, session_id, INCREMENTAL, ts_ns)
    at = put_bytes(out, _put_request_id(out, at, wire, request_id) - 1, _T268)
    at = put_byte(out, at, 48 + (sides & BID) + (sides >> 1))
    for side in (BID, OFFER):
        if sides & side == 0:
            continue
        at = put_byte(out, put_bytes(out, at, _T279), action)
        at = put_byte(out, put_bytes(out, at, _T269), 47 + side)
        at = _put_instrument(out, at, tables, instrument_id)
        if action == DELETE:
            at = _put_why(out, at, reason)
        else:
            at = _put_entry(out, at, tables, wire, session, instrument_id, side)
    return _finish(wire, session_id, at)


@njit
def write_market_data_reject(wire, session_id, reason, texts, id_size, text_size, ts_ns):
    """MarketDataRequestReject(Y); `texts` holds the MDReqID(262), then Text(58).

    `reason`: the character of MDReqRejReason(281), or 0 where no value says it.
    """
    out = wire.scratch
    at = _begin(wire, session_id, MARKET_DATA_REJECT, ts_ns)
    at = put_bytes(out, at, _T262)
    copy_bytes(out, at, texts, 0, id_size)
    at += id_size
    if reason != 0:
        at = put_byte(out, put_bytes(out, at, _T281), reason)
    at = put_bytes(out, at, _T58)
    copy_bytes(out, at, texts, id_size, text_size)
    return _finish(wire, session_id, at + text_size)


@njit
def _begin(wire, session_id, msg_type, ts_ns):
    """The header of the next message; a call, not inlined: this is not the way of an order."""
    seq = wire.sessions[session_id]["next_out"]
    return begin(wire.scratch, wire, session_id, msg_type, seq, ts_ns)


@njit
def _finish(wire, session_id, at):
    """The last separator, then the frame around it all."""
    return finish(wire.scratch, put_byte(wire.scratch, at, SOH), wire, session_id)


@njit
def _put_instrument(out, at, tables, instrument_id):
    isin = tables.instruments[instrument_id]["isin"]
    at = put_text(out, put_bytes(out, at, _T55), isin, ISIN_WORDS)
    at = put_text(out, put_bytes(out, at, _T48), isin, ISIN_WORDS)
    return put_bytes(out, at, _T22)


@njit
def _put_currency(out, at, tables, instrument_id):
    word = tables.instruments[instrument_id]["currency"]
    if word == 0:
        return at
    return put_code(out, put_bytes(out, at, _T15), word)


@njit
def _put_prices(out, at, quote):
    at = put_px(out, put_bytes(out, at, _T132), quote["bid_px_e6"])
    at = put_px(out, put_bytes(out, at, _T133), quote["ask_px_e6"])
    at = put_int(out, put_bytes(out, at, _T134), quote["bid_qty"])
    return put_int(out, put_bytes(out, at, _T135), quote["ask_qty"])


@njit
def _put_why(out, at, reason):
    at = put_bytes(out, at, _T58)
    return put_bytes(out, at, _TEXTS[reason][: _TEXT_SIZES[reason]])


@njit
def _put_request_id(out, at, wire, request_id):
    """MDReqID(262) with its separator; nothing for a subscription without one."""
    size = wire.requests[request_id]["id_size"]
    if size == 0:
        return at
    at = put_bytes(out, at, _T262)
    copy_bytes(out, at, wire.request_ids[request_id], 0, size)
    return put_byte(out, at + size, SOH)


@njit
def _put_entry(out, at, tables, wire, session, instrument_id, side):
    """Price, currency, size, time, MIC and QuoteID of one side."""
    quote = tables.quotes[instrument_id]
    px_e6 = quote["bid_px_e6"] if side == BID else quote["ask_px_e6"]
    qty = quote["bid_qty"] if side == BID else quote["ask_qty"]
    at = put_px(out, put_bytes(out, at, _T270), px_e6)
    at = _put_currency(out, at, tables, instrument_id)
    at = put_int(out, put_bytes(out, at, _T271), qty)
    at = _put_entered(out, at, wire, session, quote["entered_ns"])
    at = put_bytes(out, put_bytes(out, at, _T275), wire.own_mic)
    return put_int(out, put_bytes(out, at, _T299), quote["quote_id"])


@njit
def _put_entered(out, at, wire, session, entered_ns):
    """MDEntryDate(272) and MDEntryTime(273): when the quote was entered (RTS 1 Art 9(d))."""
    at = put_bytes(out, at, _T272)
    end = put_time(out, at, wire.date, wire.loop[0], entered_ns, session["precision"])
    size = end - at - 9  # of what stands behind the date and its dash
    at = put_bytes(out, at + 8, _T273)
    copy_bytes(out, at, wire.date, 9, size)
    return at + size
