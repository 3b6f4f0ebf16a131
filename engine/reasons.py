"""The words for every Reason: prefix, sentence, the FIX tag it is about, and its numbers' unit.

Texts are what a client reads in Text(58); the gateway adds `tag=value` and the limit.
"""

from enum import IntEnum
from typing import NamedTuple

from engine.enums import Reason


class Unit(IntEnum):
    """How the value and the limit of a reason are shown."""

    NONE = 0
    COUNT = 1
    PX = 2  # px_e6
    AMOUNT = 3  # _e6 of money, shown in whole units with two decimals
    AGE = 4  # ns, shown in milliseconds
    BPS = 5
    CODE = 6  # one character, as sent
    TEXT = 7  # packed text
    TIME = 8  # ns since the epoch, shown as UTC
    ISIN = 9  # the execution's ISIN
    CLORDID = 10  # the execution's ClOrdID(11)
    ORIG = 11  # the execution's OrigClOrdID(41)


class Words(NamedTuple):
    """What a reason says."""

    prefix: str
    sentence: str
    tag: int = 0
    unit: Unit = Unit.NONE
    limit: str = ""  # the word before the limit; empty where there is none


_R = Reason
_U = Unit
WORDS: dict[Reason, Words] = {
    _R.NONE: Words("", ""),
    _R.KILLED_FIRM: Words("SI-NOQUOTE-KILL", "all trading is stopped by the kill switch"),
    _R.KILLED_POOL: Words("SI-NOQUOTE-KILL", "trading of this client's pool is stopped"),
    _R.KILLED_CLIENT: Words("SI-NOQUOTE-KILL", "trading of this client is stopped"),
    _R.KILLED_INSTRUMENT: Words(
        "SI-NOQUOTE-KILL", "trading in this instrument is stopped", 48, _U.ISIN
    ),
    _R.DUPLICATE_CLORDID: Words("SI-DUP", "ClOrdID used before in this session", 11, _U.CLORDID),
    _R.ORDERS_FULL: Words("SI-LIMIT-CAPACITY", "no room for more orders", 11, _U.COUNT, "limit"),
    _R.DESK_FULL: Words("SI-LIMIT-DESK", "the desk queue is full", 38, _U.COUNT, "limit"),
    _R.UNKNOWN_INSTRUMENT: Words("SI-INST", "instrument unknown", 48, _U.ISIN),
    _R.NOT_SI: Words("SI-INST", "not an SI in this instrument", 48, _U.ISIN),
    _R.NO_THRESHOLD: Words("SI-INST", "no published SMS or LIS", 48, _U.ISIN),
    _R.CLOSED: Words("SI-HOURS", "outside trading hours", 60, _U.TIME, "limit"),
    _R.HALTED: Words("SI-HOURS", "most relevant market not in continuous trading", 48, _U.ISIN),
    _R.ORD_TYPE: Words("SI-TYPE", "OrdType not supported", 40, _U.CODE),
    _R.TIF: Words("SI-TYPE", "TimeInForce not supported", 59, _U.CODE),
    _R.SIDE: Words("SI-TYPE", "Side not supported", 54, _U.CODE),
    _R.QTY_NOT_POSITIVE: Words("SI-QTY", "quantity not positive", 38, _U.COUNT, "minimum"),
    _R.QTY_NOT_WHOLE: Words("SI-QTY", "quantity is not whole shares", 38, _U.COUNT),
    _R.QTY_OFF_LOT: Words("SI-QTY", "quantity off lot", 38, _U.COUNT, "lot"),
    _R.QTY_TOO_LARGE: Words("SI-QTY", "quantity too large", 38, _U.COUNT, "limit"),
    _R.PX_NOT_POSITIVE: Words("SI-COLLAR", "price not positive", 44, _U.PX, "limit"),
    _R.PX_TOO_LARGE: Words("SI-COLLAR", "price too large", 44, _U.PX, "limit"),
    _R.PX_OFF_TICK: Words("SI-TICK", "price off tick", 44, _U.PX, "tick"),
    _R.PX_COLLAR: Words(
        "SI-COLLAR", "price too far from the reference price, in bps", 44, _U.BPS, "limit"
    ),
    _R.BBO_EMPTY: Words("SI-NOQUOTE-EMPTY", "no market", 48, _U.ISIN),
    _R.BBO_ONE_SIDED: Words("SI-NOQUOTE-ONESIDED", "market is one-sided", 48, _U.ISIN),
    _R.BBO_STALE: Words("SI-NOQUOTE-STALE", "market is stale, age in ms", 48, _U.AGE, "limit"),
    _R.BBO_CROSSED: Words("SI-NOQUOTE-CROSSED", "market is crossed, bid", 48, _U.PX, "ask"),
    _R.NOTIONAL_OVERFLOW: Words("SI-QTY", "value too large", 38, _U.COUNT, "limit"),
    _R.CLIENT_ORDER_LIMIT: Words(
        "SI-LIMIT-ORDER", "order value in EUR over the client's limit", 38, _U.AMOUNT, "limit"
    ),
    _R.CLIENT_DAY_LIMIT: Words(
        "SI-LIMIT-DAY", "day's value in EUR over the client's limit", 38, _U.AMOUNT, "limit"
    ),
    _R.CLIENT_COUNT_LIMIT: Words(
        "SI-LIMIT-COUNT", "day's transactions over the client's limit", 11, _U.COUNT, "limit"
    ),
    _R.POSITION_LIMIT: Words(
        "SI-LIMIT-POSITION", "position value over the limit", 38, _U.AMOUNT, "limit"
    ),
    _R.INSTRUMENT_ORDER_LIMIT: Words(
        "SI-LIMIT-INSTRUMENT", "order value over the instrument's limit", 38, _U.AMOUNT, "limit"
    ),
    _R.ZONE_REJECTED: Words("SI-SIZE", "value over the size we quote", 38, _U.AMOUNT, "limit"),
    _R.NOT_MARKETABLE: Words("SI-NOCROSS", "not marketable at our price", 44, _U.PX, "price"),
    _R.NO_REGIME: Words("SI-INST", "no regime in force", 60, _U.NONE),
    _R.CLIENT_CANCEL: Words("SI-CANCEL", "cancelled as requested"),
    _R.DESK_DECLINED: Words("SI-DESK", "declined by the desk"),
    _R.DESK_EXPIRED: Words("SI-DESK", "expired before the desk answered"),
    _R.DESK_REMAINDER: Words("SI-DESK", "remainder of an IOC order"),
    _R.UNKNOWN_ORDER: Words(
        "SI-ORDER", "order unknown (tag 41, or 11 of a status request)", 0, _U.ORIG
    ),
    _R.TOO_LATE: Words("SI-ORDER", "too late to cancel", 41, _U.ORIG),
    _R.CURRENCY: Words("SI-TYPE", "currency is not the instrument's", 15, _U.TEXT, "expected"),
    _R.UNKNOWN_ITEM: Words("SI-DESK", "no such desk item", 0, _U.COUNT, "items"),
    _R.ITEM_CLOSED: Words("SI-DESK", "the desk item is closed"),
    _R.ITEM_NOT_YOURS: Words(
        "SI-DESK", "claimed by someone else, you are", 0, _U.TEXT, "claimed by"
    ),
    _R.ITEM_QTY: Words("SI-DESK", "quantity not possible", 0, _U.COUNT, "left"),
    _R.ITEM_THROUGH_LIMIT: Words("SI-DESK", "through the client's limit", 0, _U.PX, "limit"),
    _R.ITEM_NO_PX: Words("SI-DESK", "no price given or quoted", 0, _U.PX, "limit"),
    _R.UNKNOWN_ACTION: Words("SI-DESK", "no such command", 0, _U.COUNT),
    _R.UNKNOWN_SUBJECT: Words(
        "SI-DESK", "no such client, pool or instrument", 0, _U.COUNT, "known"
    ),
    _R.NO_QUOTE: Words("SI-NOQUOTE-WITHDRAWN", "our quote is withdrawn", 48, _U.ISIN),
    _R.CLORDID_SIZE: Words("SI-TYPE", "ClOrdID too long, in characters", 11, _U.COUNT, "limit"),
    _R.PEG: Words(
        "SI-TYPE", "only a peg to the midpoint (18=M or 1094=2) without offset", 40, _U.CODE
    ),
    _R.PEG_MID: Words("SI-NOCROSS", "no fill at the midpoint, our price", 40, _U.PX, "midpoint"),
    _R.EXPIRE_MISSING: Words(
        "SI-TYPE", "ExpireTime(126) or ExpireDate(432) is missing", 59, _U.CODE
    ),
    _R.EXPIRE_PAST: Words("SI-TYPE", "expiry is in the past", 126, _U.TIME, "now"),
    _R.ORDER_EXPIRED: Words("SI-DESK", "the order's own time has passed", 126, _U.TIME),
    _R.MIN_QTY: Words("SI-QTY", "minimum quantity not possible", 110, _U.COUNT, "limit"),
    _R.DESTINATION_VENUE: Words(
        "SI-TYPE", "only a trading venue is allowed, we are none", 2704, _U.CODE
    ),
    _R.DESTINATION: Words("SI-TYPE", "ExDestinationType not supported", 2704, _U.CODE),
    _R.ID_SOURCE: Words("SI-INST", "SecurityID must be an ISIN (22=4)", 22, _U.CODE),
    _R.REPLACE_SIDE: Words("SI-ORDER", "a replacement keeps the side", 54, _U.CODE, "was"),
    _R.REPLACE_INSTRUMENT: Words("SI-ORDER", "a replacement keeps the instrument", 48, _U.ISIN),
    _R.REPLACE_QTY: Words("SI-QTY", "quantity under what is filled", 38, _U.COUNT, "filled"),
    _R.REPLACES_FULL: Words(
        "SI-LIMIT-CAPACITY", "no room for more replacements", 11, _U.COUNT, "limit"
    ),
    _R.ITEM_MIN_QTY: Words(
        "SI-DESK", "under the client's minimum quantity", 0, _U.COUNT, "minimum"
    ),
    _R.ITEM_EXPIRED: Words("SI-DESK", "the order's own time has passed", 0, _U.TIME),
    _R.ITEM_THROUGH_MID: Words(
        "SI-DESK", "worse than the midpoint, to which the order is pegged", 0, _U.PX, "midpoint"
    ),
    _R.MASS_SCOPE: Words(
        "SI-TYPE", "only one security (1) or all orders (7), asked for", 0, _U.CODE
    ),
    _R.NO_OPEN_ORDER: Words("SI-ORDER", "no open order"),
    _R.MASS_PARTIES: Words(
        "SI-TYPE", "a mass request is not narrowed by parties, without tag", 0, _U.COUNT
    ),
    _R.QUOTE_FAR: Words("SI-NOQUOTE-FAR", "too far from the most relevant market", 48, _U.ISIN),
    _R.SUSPENDED_HALT: Words(
        "SI-NOQUOTE-SUSPENDED", "quotes are suspended: trading halt", 48, _U.ISIN
    ),
    _R.SUSPENDED_MARKET_MAKING: Words(
        "SI-NOQUOTE-SUSPENDED", "quotes are suspended: market making", 48, _U.ISIN
    ),
    _R.SUSPENDED_UNDERLYINGS: Words(
        "SI-NOQUOTE-SUSPENDED", "quotes are suspended: ETF underlyings", 48, _U.ISIN
    ),
    _R.SUSPENDED_SHORT_SELLING: Words(
        "SI-NOQUOTE-SUSPENDED", "quotes are suspended: short-selling ban", 48, _U.ISIN
    ),
    _R.SUSPENDED_PRUDENTIAL: Words(
        "SI-NOQUOTE-SUSPENDED", "quotes are suspended: prudent risk", 48, _U.ISIN
    ),
    _R.ABOVE_QUOTE: Words("SI-SIZE", "over the size of our public quote", 38, _U.COUNT, "quoted"),
    _R.UNKNOWN_CONDITION: Words("SI-DESK", "no such market condition", 0, _U.COUNT),
    _R.QUOTES_FULL: Words("SI-LIMIT-CAPACITY", "no room for more quotes", 131, _U.COUNT, "limit"),
    _R.DUPLICATE_QUOTEREQID: Words("SI-DUP", "QuoteReqID used before in this session", 131),
    _R.QUOTEREQID_SIZE: Words(
        "SI-TYPE", "QuoteReqID too long, in characters", 131, _U.COUNT, "limit"
    ),
    _R.RELATED_SYMS: Words("SI-TYPE", "one instrument a request", 146, _U.COUNT, "limit"),
    _R.REQUEST_EXPIRED: Words("SI-LATE", "the request has expired", 126, _U.TIME, "received"),
    _R.QUOTE_UNKNOWN: Words("SI-QUOTE", "no such quote was given to you", 117),
    _R.QUOTE_PENDING: Words("SI-QUOTE", "the desk has not quoted yet", 117),
    _R.QUOTE_EXPIRED: Words("SI-QUOTE", "the quote has expired", 62, _U.TIME, "now"),
    _R.QUOTE_TAKEN: Words("SI-QUOTE", "the quote was taken before, by order", 37, _U.COUNT),
    _R.QUOTE_CLOSED: Words("SI-QUOTE", "the quote is no longer open", 117),
    _R.QUOTE_INSTRUMENT: Words("SI-QUOTE", "the quote is for another instrument", 48, _U.ISIN),
    _R.QUOTE_SIDE: Words("SI-QUOTE", "this side was not quoted", 54, _U.CODE),
    _R.QUOTE_QTY: Words("SI-QUOTE", "quantity over the quoted size", 38, _U.COUNT, "quoted"),
    _R.QUOTE_PX: Words("SI-QUOTE", "price is not the quoted one", 44, _U.PX, "quoted"),
    _R.QUOTE_RESP_TYPE: Words("SI-TYPE", "QuoteRespType not supported", 694, _U.COUNT),
    _R.CLIENT_PASSED: Words("SI-QUOTE", "ended as you said"),
    _R.DESK_WITHDREW: Words("SI-DESK", "withdrawn by the desk"),
    _R.ITEM_IS_REQUEST: Words("SI-DESK", "a quote request: quote it or decline it"),
    _R.ITEM_SIDE: Words("SI-DESK", "the client did not ask for this side: bid", 0, _U.PX, "offer"),
    _R.ITEM_CROSSED: Words("SI-DESK", "the bid is above the offer: bid", 0, _U.PX, "offer"),
    # of the firm's own risk a client is told no number: `INSIDE` has them
    _R.FIRM_LOSS_LIMIT: Words("SI-LIMIT-FIRM", "over a risk limit of the firm"),
    _R.INSTRUMENT_LOSS_LIMIT: Words("SI-LIMIT-FIRM", "over a risk limit of the firm"),
    _R.GROSS_LIMIT: Words("SI-LIMIT-FIRM", "over a risk limit of the firm"),
    _R.NET_LIMIT: Words("SI-LIMIT-FIRM", "over a risk limit of the firm"),
    _R.CLIENT_RATE_LIMIT: Words(
        "SI-LIMIT-RATE", "orders within a second over the client's limit", 11, _U.COUNT, "limit"
    ),
    _R.CREDIT_LIMIT: Words(
        "SI-LIMIT-CREDIT", "open exposure in EUR over the client's credit", 38, _U.AMOUNT, "limit"
    ),
    _R.REPEAT_LIMIT: Words(
        "SI-LIMIT-REPEAT", "repeated fills of one side over the limit", 11, _U.COUNT, "limit"
    ),
    _R.REPEATS_FULL: Words(
        "SI-LIMIT-CAPACITY", "no room to count repeated fills", 11, _U.COUNT, "limit"
    ),
    _R.UNDUE_FILLS: Words(
        "SI-LIMIT-NORM", "all clients' fills of a second over the limit", 11, _U.COUNT, "limit"
    ),
    _R.UNDUE_VALUE: Words(
        "SI-LIMIT-NORM", "all clients' value of a second in EUR over the limit",
        38, _U.AMOUNT, "limit",
    ),
    _R.INVARIANT: Words("SI-NOQUOTE-KILL", "all trading is stopped by an internal check"),
    _R.INVARIANT_QTY: Words("SI-NOQUOTE-KILL", "all trading is stopped by an internal check"),
    _R.INVARIANT_LIMIT: Words("SI-NOQUOTE-KILL", "all trading is stopped by an internal check"),
}  # fmt: skip
assert set(WORDS) == set(Reason), "every Reason needs its words"

#: What the firm's own people read instead.
INSIDE: dict[Reason, Words] = {
    _R.FIRM_LOSS_LIMIT: Words(
        "SI-LIMIT-FIRM", "the firm's loss in EUR over the limit", 0, _U.AMOUNT, "limit"
    ),
    _R.INSTRUMENT_LOSS_LIMIT: Words(
        "SI-LIMIT-FIRM", "the loss in this instrument in EUR over the limit", 0, _U.AMOUNT, "limit"
    ),
    _R.GROSS_LIMIT: Words(
        "SI-LIMIT-FIRM", "gross exposure in EUR over the limit", 0, _U.AMOUNT, "limit"
    ),
    _R.NET_LIMIT: Words(
        "SI-LIMIT-FIRM", "net exposure in EUR over the limit", 0, _U.AMOUNT, "limit"
    ),
    _R.INVARIANT: Words(
        "SI-NOQUOTE-KILL", "a price that no fill may have, all trading stopped", 0, _U.PX, "bound"
    ),
    _R.INVARIANT_QTY: Words(
        "SI-NOQUOTE-KILL", "a quantity that no fill may have, all trading stopped",
        0, _U.COUNT, "left",
    ),
    _R.INVARIANT_LIMIT: Words(
        "SI-NOQUOTE-KILL",
        "a position (shares), fills or a day (EUR) that no fill may lead to, all trading stopped",
        0, _U.COUNT, "limit",
    ),
}  # fmt: skip


def words_inside(reason: Reason) -> Words:
    """The words for the firm's own people: with the numbers that a client is not told."""
    return INSIDE.get(reason, WORDS[reason])
