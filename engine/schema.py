"""The struct dtypes: memory row, journal record and test fixture in one.

Every field is int64 (`i8`): no padding, no mixed signs, no unit that is not in the name. Prices are
`px_e6` in the unit that the venue quotes (GBX stays GBX); notionals and thresholds are `_e6` in
that same unit, so that they compare without conversion. Times are `_ns` since the epoch, UTC.
Text is packed into words, first character in the lowest byte (`pack`, `unpack`).
"""

import hashlib

import numpy as np

from engine.limits import (
    CLORDID_WORDS,
    ECHO_TAGS_MAX,
    ISIN_WORDS,
    MORE_SIZES,
    POLICY_PARAMS,
    POOL_NAME_WORDS,
    QUOTE_REF_WORDS,
)
from engine.market_schema import bbo as bbo
from engine.market_schema import quote as quote
from engine.market_schema import source as source
from engine.market_schema import venue as venue
from engine.market_schema import venue_book as venue_book
from engine.market_schema import venue_quote as venue_quote
from engine.market_schema import venue_state as venue_state
from engine.policy_schema import marked_fill as marked_fill
from engine.policy_schema import markout as markout
from engine.policy_schema import policy_input as policy_input
from engine.policy_schema import policy_rule as policy_rule
from engine.policy_schema import volatility as volatility
from engine.records import extended as _extended
from engine.records import pack as pack
from engine.records import record as _dtype
from engine.records import unpack as unpack
from engine.risk_schema import flow as flow  # of `engine.risk`, and of the hash below
from engine.risk_schema import limit_change as limit_change
from engine.risk_schema import repeat as repeat

ISIN = ("isin", ISIN_WORDS)
CLORDID = ("clordid", CLORDID_WORDS)
ORIG_CLORDID = ("orig_clordid", CLORDID_WORDS)
QUOTE_REF = ("quote_ref", QUOTE_REF_WORDS)  # QuoteID(117) of a quote on request
QUOTE_REQ_ID = ("quote_req_id", CLORDID_WORDS)  # QuoteReqID(131)
ANSWER_ID = ("answer_id", CLORDID_WORDS)  # the client's name for a message, to be given back

#: One row: the firm's settings, changed only by a journalled TABLE_ROW.
params = _dtype(
    "jurisdiction",  # packed "EU" or "UK"
    "regime_forced",  # row of `regimes` used at every date, or -1: by the order's date
    "stale_ns",  # a venue's quote older than this does not count
    "collar_bps",  # furthest a limit price may be from the reference price
    "discretionary_route",  # Route for T < N < LIS
    "on_request_route",  # Route for an illiquid instrument below LIS
    "quote_size_bps",  # published size as a share of Qmin; at least 10 000
    "desk_ttl_ns",  # life of a desk item
    "open_ns",  # trading hours of the current day
    "close_ns",
    "policy_hash",  # first 8 bytes of the hash of the policy's source
    ("policy_param", POLICY_PARAMS),  # handed to the policy where no rule holds
    "peg_mid",  # PegMid
    "snapshot_configured",  # the snapshot that the configuration named at the last start, or 0
    "rfq_valid_ns",  # how long a quote on request is firm
    "jump_bps",  # a venue's price that moves further at once is not believed; 0: any is
    "jump_hold_ns",  # for so long: then it is the market
    "close_bps",  # furthest that our quote may be from the MRM's; 0: any distance
    "quote_interval_ns",  # shortest time between two versions of a quote; 0: none
    "above_quote",  # AboveQuote
    ("more_size_bps", MORE_SIZES),  # further sizes of a quote, of the first; 0: no such size
    ("more_size_ticks", MORE_SIZES),  # how much further out than the first price
    "policy_configured",  # the policy rules that the configuration named at the last start
    "vol_half_life_ns",  # of the volatility of the mid; 0: it is not measured
    ("markout_ns", 4),  # how long after a fill, ascending
    "markout_weight_e6",  # of one fill in a client's mean; 0: nothing is measured
    # the firm's protection, `engine.risk`; 0: none
    "loss_max_eur_e6",  # of the firm
    "instrument_loss_max_eur_e6",
    "gross_max_eur_e6",
    "net_max_eur_e6",
    "repeat_max",  # fills of a client in one instrument and direction within the window
    "repeat_window_ns",
    "undue_fills_max",  # fills of all clients within a second (2017/567 Art 15)
    "undue_max_eur_e6",  # their value
)

#: One row: the engine's own counters.
counters = _dtype(
    "orders",
    "executions",
    "desk_items",
    "quotes",
    "kill_firm",
    "venue_quotes",
    "venue_quotes_unknown",
    "instruments",  # rows in use
    "clients",
    "venues",
    "regimes",
    "desk_open",
    "next_expiry_ns",  # earliest deadline of an open desk item, 0 for none
    "first_open_item",  # every item before it is closed
    "edition",  # counts the rows that came from outside: a new one may change any quote
    "staged",  # rows of the next instrument table, 0: none is being staged
    "snapshot",  # first word of the active reference-data snapshot's hash, 0: loaded from files
    "replaced",  # rows in use
    "given_quotes",
    "given_open",  # of these, PENDING or OPEN
    "first_given",  # row + 1 of the oldest that is, 0 for none
    "last_given",
    "next_given_ns",  # earliest end of one that is, 0 for none
    "suspended",  # Reason for which the firm's quotes are withdrawn, 0: they are not
    "open",  # 1: quotes were last gone through within the published hours
    "sweep_at",  # row + 1 of the next instrument whose quote is looked at again, 0: none
    "waiting",  # rows of `waiting` in use
    "marked_fills",  # fills that were put into the ring, ever
    ("markouts_done", 4),  # of these, done with at each horizon
    "markouts_dropped",  # a fill's mark-out at one horizon, for want of room in the ring
    "next_markout_ns",  # when the next is due, 0 for none
    "pnl_eur_e6",  # sums over all positions
    "gross_eur_e6",
    "net_eur_e6",
    "loss_tripped",  # 1: the firm is over its largest loss, and was stopped for it
    "stops",  # kill switches that the engine set by itself
    "pools",  # rows in use
)

#: Dated rules: Qmin and T as multiples of SMS.
regime = _dtype(
    "name",  # packed, e.g. "eu-2025"
    "jurisdiction",
    "valid_from_ns",
    "valid_to_ns",  # exclusive
    "qmin_bps",  # minimum quote size, of SMS
    "threshold_bps",  # obligation threshold T, of SMS
)

#: One row per RTS 11 price range: upper bound (exclusive) and the tick of each liquidity band.
tick_row = _dtype("below_px_e6", ("tick_e6", 6))

instrument = _dtype(
    ISIN,
    "currency",  # packed ISO code or GBX
    "asset_class",
    "mrm_venue",  # row of `venues`: the most relevant market
    "si",  # 1 where the firm is SI in it
    "liquid",  # 1 where it has a liquid market: only then an SMS exists
    "sms_e6",  # 0: none published
    "lis_e6",  # 0: none published
    "tick_band",  # 1..6, or 0: no mandatory tick
    "lot",  # shares
    "eur_per_unit_e9",  # EUR for one unit of the price's currency
    "order_max_e6",  # largest order, in the price's currency; 0: none
    "position_max_e6",  # largest absolute position value; 0: none
    "loaded_row",  # row number in the file it came from, for the explain record
)

position = _dtype(
    "qty",  # the firm's, signed
    "killed",  # beside the quantity: each venue quote reads both, of one cache line
    "cash_e6",  # what the firm has received less what it has paid, price's currency
    "improvement_e6",  # given to clients against the quote
    "fills",
    "traded_qty",
    "mark_px_x2_e6",  # bid + ask of the newest sound BBO, as of the last quote or fill
    "value_eur_e6",  # qty x mark, signed as the quantity, rounded to zero
    "pnl_eur_e6",  # cash and value, rounded to zero
    "loss_tripped",  # 1: over the largest loss, and stopped for it
)

client = _dtype(
    "name",
    "order_max_eur_e6",  # largest order; 0: none
    "day_max_eur_e6",  # cumulative fills of the day; 0: none
    "fills_max",  # fills of the day (MiFIR Art 17(2)); 0: none
    "orders_per_second",  # 0: none
    "credit_max_eur_e6",  # what it may owe, or be owed, for the fills of the day; 0: none
    "tier",  # 0..7
    "pool",  # row of `pools`
)

#: A named pool of liquidity: clients by published criteria (MiFIR Art 17(1)).
pool = _dtype(("name", POOL_NAME_WORDS), "killed")

client_use = _dtype(
    "filled_eur_e6",
    "fills",
    "orders",
    "killed",
    "cash_eur_e6",  # bought less sold: what it owes for the fills of the day
    "rate_used",  # of a second's orders, in billionths of an order; fills again with time
    "rate_ns",  # when that was
)

#: What the gateway makes of a NewOrderSingle and of every request about orders.
order_event = _dtype(
    "session",
    "client",
    ISIN,
    CLORDID,
    ORIG_CLORDID,
    "side",
    "ord_type",
    "tif",
    "qty",
    "limit_px_e6",
    "currency",  # packed Currency(15), 0: not given
    "defect",  # Reason found while reading the fields, with its value
    "defect_value",
    "min_qty",  # MinQty(110), 0: not given
    "expire_ns",  # ExpireTime(126), or the end of the day ExpireDate(432), 0: not given
    "peg",  # 1: pegged to the midpoint without offset
    "destination",  # Destination
    QUOTE_REF,  # QuoteID(117)
    "order_ref",  # OrderID(37), 0: not given or none of ours
    "scope",  # MassScope, or the code that was asked for instead
    "from_item",  # desk item where a piece of a mass request begins, 0: the first open one
    "recv_ns",  # when its bytes were read, if before the input's own time; 0: then
    "total",  # orders cancelled by the pieces before; of a mass status request: all it is about
)

order = _dtype(
    "order_id",
    "session",
    "client",
    "instrument",
    CLORDID,
    "side",
    "ord_type",
    "tif",
    "qty",
    "limit_px_e6",
    "state",
    "filled_qty",
    "filled_e6",  # sum of price x quantity
    "zone",
    "route",
    "reason",
    "reason_value",
    "reason_limit",
    "desk_item",
    "recv_ns",
    "min_qty",
    "expire_ns",  # never behind the close of the day; 0: not good till a date
)

#: A ClOrdID(11) that an order had before it was replaced: it still names the order.
replaced = _dtype("session", "order_id", CLORDID)

desk_item = _dtype(
    "item_id",
    "state",
    "order_id",
    "session",
    "client",
    "instrument",
    ISIN,
    "currency",
    "side",
    "tif",
    "qty",
    "filled_qty",
    "limit_px_e6",
    "zone",
    "notional_e6",
    "bid_px_e6",  # the BBO when it was enqueued
    "ask_px_e6",
    "trader",
    "quote_px_e6",
    "created_ns",
    "deadline_ns",
    "changed_ns",
    "ord_type",
    "min_qty",  # the first fill may not be smaller
    "expire_ns",  # the order's own end, 0: none
    "replaced",  # how often the client has changed it
    "given_quote",  # row + 1 of the quote request that it is, 0: an order
    "quote_offer_px_e6",  # of a request for both sides; `quote_px_e6` is then the bid
)

#: What a person sends through the desk's socket.
desk_command = _dtype(
    "command_id",
    "action",
    "item_id",
    "trader",
    "qty",  # 0: all that is left
    "px_e6",  # 0: the price quoted before
    "scope",
    "subject",
    "offer_px_e6",  # of a quote for both sides, whose bid is `px_e6`
    "condition",  # Condition that quotes are suspended for
)

#: The answer to a command; with `command_id` 0 the engine itself has set a kill switch.
desk_result = _dtype(
    "command_id", "action", "item_id", "trader", "reason", "value", "limit", "scope", "subject"
)

#: Every decision on an order, with every number that made it: the explain record.
execution = _dtype(
    "kind",
    "exec_id",
    "order_id",
    "session",
    "client",
    "instrument",
    ISIN,
    "currency",
    CLORDID,
    ORIG_CLORDID,
    "side",
    "ord_type",
    "tif",
    "qty",
    "limit_px_e6",
    "order_state",
    "last_qty",
    "last_px_e6",
    "filled_qty",
    "filled_e6",
    "reason",
    "reason_value",
    "reason_limit",
    "ts_ns",
    # the explain record
    "zone",
    "route",
    "regime",
    "notional_e6",
    "value_eur_e6",  # of the notional, as the client's limits are
    "sms_e6",
    "qmin_e6",
    "threshold_e6",
    "lis_e6",
    "loaded_row",
    "snapshot",  # of the table that the thresholds came from
    "bbo_state",
    "bbo_bid_px_e6",
    "bbo_ask_px_e6",
    "bbo_bid_venue",
    "bbo_ask_venue",
    "bbo_age_ns",
    "mrm_bid_px_e6",
    "mrm_ask_px_e6",
    "quote_id",
    "quote_bid_px_e6",  # with the other three: of the size that served
    "quote_ask_px_e6",
    "quote_bid_qty",
    "quote_ask_qty",
    "quote_size",  # which of the quote's sizes served: 0 the first
    "tick_e6",
    "policy_hash",
    "policy_px_e6",
    "clamp",
    "improvement_e6",  # a share, in the client's favour against the quote
    "position_before",
    "position_after",
    "checks",  # how many checks were passed, in the order of `engine.checks`
    "desk_item",
    "trader",
    "min_qty",
    "expire_ns",
    "scope",  # MassScope of a mass request
    "total",  # orders that a mass request was about, in all its pieces
    "last",  # 1: the last report of a mass status request
)

#: What the gateway makes of a QuoteRequest, QuoteResponse, QuoteCancel or QuoteStatusRequest.
quote_event = _extended(
    order_event,
    "action",  # QuoteAction
    QUOTE_REQ_ID,
    ANSWER_ID,  # QuoteRespID(693) or QuoteStatusReqID(649)
    "resp_type",  # QuoteRespType(694)
    "until_ns",  # ExpireTime(126), 0: not given
)

#: A quote on request: asked for, with the desk, given, ended. The client's side may be 0: both.
given_quote = _dtype(
    QUOTE_REF,
    "session",
    "client",
    "instrument",
    QUOTE_REQ_ID,
    "side",
    "qty",
    "limit_px_e6",  # a counter's price, 0: none
    "until_ns",
    "state",  # GivenState
    "zone",
    "route",
    "notional_e6",
    "bid_px_e6",  # ours, and 0 with its size where the side is not quoted
    "offer_px_e6",
    "bid_qty",
    "offer_qty",
    "public_bid_px_e6",  # our public quote when this one was given
    "public_ask_px_e6",
    "valid_until_ns",  # exclusive; of a PENDING one the desk's deadline
    "desk_item",
    "trader",
    "order_id",  # that took it
    "created_ns",
    "changed_ns",
    "before",  # row + 1 of its neighbours among those PENDING or OPEN, 0 for none
    "after",
)

#: What became of a quote on request: its explain record, and the message that says it.
quote_report = _extended(
    execution,
    QUOTE_REF,
    QUOTE_REQ_ID,
    ANSWER_ID,
    "answer_tag",  # which field `answer_id` was, 0: none
    "given_state",
    "counter",  # 1: the client named a price
    "bid_px_e6",
    "offer_px_e6",
    "bid_qty",
    "offer_qty",
    "valid_until_ns",
    "bid_policy_px_e6",
    "bid_clamp",
    "offer_policy_px_e6",
    "offer_clamp",
)

#: A process takes over the journal.
boot = _dtype("schema_hash", "own_mic")

#: The staged instrument table becomes the live one.
activation = _dtype(
    "snapshot",  # first word of its hash
    "as_of_day",  # since 1970-01-01
    "instruments",  # rows in all
    "by",  # packed: who asked for it
)

#: A FIX session's identity and numbers, and what decides the bytes of its reports, as set by
#: configuration, a person, a reset or a gap fill.
session_set = _dtype(
    "next_in",
    "next_out",
    "client",
    "status",  # gateway.wire.SessionStatus
    "version",  # gateway.wire.Version
    "precision",  # decimals of a second in our timestamps: 0, 3, 6 or 9
    "fill_style",  # 0: ExecType(150)=F, 1: 1 and 2, as before FIX 4.3
    "last_processed",  # 1: every message says LastMsgSeqNumProcessed(369)
    "out_tags",  # gateway.wire.OutTag bits: what this session's dictionary lets us send
    "since_ns",  # when its numbers began at 1
    ("echo_tags", ECHO_TAGS_MAX),  # tags of the client's own that come back, 0 behind the last
    ("their_comp_id", 6),
    ("our_comp_id", 6),
)

#: A row of one of the tables that only the outside may change, as a journalled input.
TABLE_DTYPES = {
    1: params,
    2: regime,
    3: tick_row,
    4: venue,
    5: client,
    6: instrument,
    7: policy_rule,
    8: pool,
    9: limit_change,
}


def schema_hash() -> int:
    """A number that changes with any dtype of this file: a journal is read with its own."""
    text = repr([(name, value.descr) for name, value in globals().items()
                 if isinstance(value, np.dtype)])  # fmt: skip
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
