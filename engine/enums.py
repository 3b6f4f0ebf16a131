"""Closed sets of values, shared by compiled and interpreted code."""

from enum import IntEnum


class Side(IntEnum):
    """Side(54) of the client; the firm takes the other one."""

    BUY = 1
    SELL = 2
    SELL_SHORT = 5


class OrdType(IntEnum):
    """OrdType(40) as its distance from '0'."""

    MARKET = 1
    LIMIT = 2
    PREVIOUSLY_QUOTED = 20  # D
    PEGGED = 32  # P


class Tif(IntEnum):
    """TimeInForce(59)."""

    DAY = 0
    IOC = 3
    FOK = 4
    GTD = 6


class AssetClass(IntEnum):
    """Instrument classes that RTS 1 tells apart."""

    SHARE = 1
    DEPOSITARY_RECEIPT = 2
    ETF = 3
    CERTIFICATE = 4
    OTHER = 5


class Phase(IntEnum):
    """What a venue says of its trading in an instrument."""

    CONTINUOUS = 0
    AUCTION = 1
    HALTED = 2
    CLOSED = 3


#: Beside the phase of a record: its `seq` counts the venue's records from 1 without a gap.
COUNTED = 1 << 8


class BookState(IntEnum):
    """Whether a venue's last record of an instrument counts for the BBO."""

    SOUND = 0
    STOPPED = 1  # its phase is not continuous
    CROSSED = 2  # its bid is above its ask
    JUMPED = 3  # its price moved further at once than we believe


class BboState(IntEnum):
    """What the venues' fresh quotes add up to."""

    NORMAL = 0
    LOCKED = 1
    CROSSED = 2
    ONE_SIDED = 3
    STALE = 4
    EMPTY = 5


class Zone(IntEnum):
    """Where the order's notional lies against Qmin, T and LIS of the regime in force."""

    NONE = 0
    WITHIN_MIN_QUOTE = 1
    WITHIN_OBLIGATION = 2
    DISCRETIONARY = 3
    LARGE_IN_SCALE = 4
    ON_REQUEST = 5


class Route(IntEnum):
    """Who answers the order."""

    NONE = 0
    AUTO = 1
    DESK = 2
    REJECT = 3


class OrderState(IntEnum):
    """Life of an order; everything from FILLED on is final."""

    NONE = 0
    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELLED = 4
    REJECTED = 5
    EXPIRED = 6


class DeskState(IntEnum):
    """Life of a desk item; everything from FILLED on is final."""

    NONE = 0
    QUEUED = 1
    CLAIMED = 2
    QUOTED = 3
    FILLED = 4
    DECLINED = 5
    CANCELLED = 6
    EXPIRED = 7


class PegMid(IntEnum):
    """What becomes of an order pegged to the midpoint where we answer by ourselves."""

    FILL = 0  # at the midpoint of our quote
    POLICY = 1  # only if the policy gives the midpoint
    REJECT = 2


class Destination(IntEnum):
    """ExDestinationType(2704): where the client lets the order be executed."""

    NONE = 0
    VENUE = 1  # on a trading venue only
    INTERNALISER = 2
    EITHER = 3


class MassScope(IntEnum):
    """MassCancelRequestType(530) and MassStatusReqType(585) as far as they are done."""

    SHELL = 0  # no client asked: a session's orders, without a report on the whole
    SECURITY = 1
    ALL = 7


class DeskAction(IntEnum):
    """What a person asks for through the desk's socket."""

    CLAIM = 1
    QUOTE = 2
    FILL = 3
    DECLINE = 4
    KILL = 5
    RESUME = 6
    SUSPEND = 7  # withdraw quotes under exceptional market conditions
    RESTORE = 8


class Condition(IntEnum):
    """Exceptional market conditions under which quotes may be withdrawn (2017/567 Art 14(1))."""

    HALT = 1  # of the venue of first admission or the most relevant market
    MARKET_MAKING = 2  # that venue lets market makers suspend their obligations
    UNDERLYINGS = 3  # of an ETF: no reliable price for a significant number of them
    SHORT_SELLING = 4  # banned under Regulation 236/2012 Art 20
    PRUDENTIAL = 5  # else contrary to prudent risk management


class AboveQuote(IntEnum):
    """What becomes of an order over the quoted size and within the obligation."""

    QUOTED_PRICE = 0  # filled whole, at the quoted price or better
    PARTIAL = 1  # the quoted size is filled, the rest cancelled
    DESK = 2
    REJECT = 3


class KillScope(IntEnum):
    """What a kill switch stops; `subject` names the client, instrument or pool."""

    FIRM = 0
    CLIENT = 1
    INSTRUMENT = 2
    POOL = 3


class ExecKind(IntEnum):
    """What happened to an order; the gateway turns it into ExecType(150) and OrdStatus(39)."""

    NEW = 1
    FILL = 2
    CANCELLED = 3
    REJECTED = 4
    EXPIRED = 5
    STATUS = 6
    CANCEL_REJECTED = 7
    DESK_QUOTE = 8
    REPLACED = 9
    REPLACE_REJECTED = 10
    MASS_CANCEL = 11  # the report on the whole of a mass cancel request
    MASS_STATUS = 12
    # of a quote on request
    QUOTE_GIVEN = 20
    QUOTE_PENDING = 21  # with the desk
    QUOTE_REFUSED = 22  # the request, at once or by the desk
    QUOTE_ENDED = 23  # expired, or ended by the client
    QUOTE_WITHDRAWN = 24  # by us: kill switch, halt, the desk
    QUOTE_TAKEN = 25  # its order's own execution is the report
    QUOTE_STATUS = 26
    QUOTE_NOT_TAKEN = 27  # a QuoteResponse(AJ) that did nothing


class Clamp(IntEnum):
    """What the gate did to the price that a policy asked for."""

    NONE = 0
    WORSE_THAN_QUOTE = 1
    OUTSIDE_QUOTE = 2
    OFF_TICK = 3
    NOT_A_PRICE = 4


class QuoteState(IntEnum):
    """State of our own two-way quote."""

    NONE = 0
    LIVE = 1
    WITHDRAWN = 2


class Waits(IntEnum):
    """Whether a change of a quote is held back, and so listed in the table `waiting`."""

    NO = 0
    YES = 1
    DONE = 2  # listed, but made meanwhile


class GivenState(IntEnum):
    """Life of a quote on request; everything from TAKEN on is final."""

    NONE = 0
    PENDING = 1  # with the desk
    OPEN = 2  # firm
    TAKEN = 3
    EXPIRED = 4
    PASSED = 5  # the client does not want it
    CANCELLED = 6  # by the client
    DECLINED = 7  # by the desk, before it was given
    WITHDRAWN = 8  # by us, after it was given
    REPLACED = 9  # by a newer quote of the desk
    COUNTERED = 10  # the client named another price


class QuoteAction(IntEnum):
    """Which message a `quote_event` was."""

    REQUEST = 1  # QuoteRequest(R)
    RESPONSE = 2  # QuoteResponse(AJ)
    CANCEL = 3  # QuoteCancel(Z)
    STATUS = 4  # QuoteStatusRequest(a)


class QuoteRespType(IntEnum):
    """QuoteRespType(694), as far as it means something here."""

    HIT = 1
    COUNTER = 2
    EXPIRED = 3
    COVER = 4
    DONE_AWAY = 5
    PASS = 6
    TIMED_OUT = 8


class Reason(IntEnum):
    """Why an order, a cancel or a desk command was not done; `engine.reasons` has the words."""

    NONE = 0
    KILLED_FIRM = 1
    KILLED_CLIENT = 2
    KILLED_INSTRUMENT = 3
    DUPLICATE_CLORDID = 4
    ORDERS_FULL = 5
    DESK_FULL = 6
    UNKNOWN_INSTRUMENT = 7
    NOT_SI = 8
    NO_THRESHOLD = 9
    CLOSED = 10
    HALTED = 11
    ORD_TYPE = 12
    TIF = 13
    SIDE = 14
    QTY_NOT_POSITIVE = 15
    QTY_NOT_WHOLE = 16
    QTY_OFF_LOT = 17
    QTY_TOO_LARGE = 18
    PX_NOT_POSITIVE = 19
    PX_TOO_LARGE = 20
    PX_OFF_TICK = 21
    PX_COLLAR = 22
    BBO_EMPTY = 23
    BBO_ONE_SIDED = 24
    BBO_STALE = 25
    BBO_CROSSED = 26
    NOTIONAL_OVERFLOW = 27
    CLIENT_ORDER_LIMIT = 28
    CLIENT_DAY_LIMIT = 29
    CLIENT_COUNT_LIMIT = 30
    POSITION_LIMIT = 31
    INSTRUMENT_ORDER_LIMIT = 32
    ZONE_REJECTED = 33
    NOT_MARKETABLE = 34
    NO_REGIME = 35
    CLIENT_CANCEL = 36
    DESK_DECLINED = 37
    DESK_EXPIRED = 38
    DESK_REMAINDER = 39
    UNKNOWN_ORDER = 40
    TOO_LATE = 41
    CURRENCY = 42
    UNKNOWN_ITEM = 43
    ITEM_CLOSED = 44
    ITEM_NOT_YOURS = 45
    ITEM_QTY = 46
    ITEM_THROUGH_LIMIT = 47
    ITEM_NO_PX = 48
    UNKNOWN_ACTION = 49
    UNKNOWN_SUBJECT = 50
    NO_QUOTE = 51
    CLORDID_SIZE = 52
    PEG = 53
    PEG_MID = 54
    EXPIRE_MISSING = 55
    EXPIRE_PAST = 56
    ORDER_EXPIRED = 57
    MIN_QTY = 58
    DESTINATION_VENUE = 59
    DESTINATION = 60
    ID_SOURCE = 61
    REPLACE_SIDE = 62
    REPLACE_INSTRUMENT = 63
    REPLACE_QTY = 64
    REPLACES_FULL = 65
    ITEM_MIN_QTY = 66
    ITEM_EXPIRED = 67
    ITEM_THROUGH_MID = 68
    MASS_SCOPE = 69
    NO_OPEN_ORDER = 70
    MASS_PARTIES = 71
    QUOTE_FAR = 72
    SUSPENDED_HALT = 73  # these five: Condition + 72
    SUSPENDED_MARKET_MAKING = 74
    SUSPENDED_UNDERLYINGS = 75
    SUSPENDED_SHORT_SELLING = 76
    SUSPENDED_PRUDENTIAL = 77
    ABOVE_QUOTE = 78
    UNKNOWN_CONDITION = 79
    # quotes on request
    QUOTES_FULL = 80
    DUPLICATE_QUOTEREQID = 81
    QUOTEREQID_SIZE = 82
    RELATED_SYMS = 83
    REQUEST_EXPIRED = 84
    QUOTE_UNKNOWN = 85
    QUOTE_PENDING = 86
    QUOTE_EXPIRED = 87
    QUOTE_TAKEN = 88
    QUOTE_CLOSED = 89
    QUOTE_INSTRUMENT = 90
    QUOTE_SIDE = 91
    QUOTE_QTY = 92
    QUOTE_PX = 93
    QUOTE_RESP_TYPE = 94
    CLIENT_PASSED = 95
    DESK_WITHDREW = 96
    ITEM_IS_REQUEST = 97
    ITEM_SIDE = 98
    ITEM_CROSSED = 99
    # the firm's protection
    FIRM_LOSS_LIMIT = 110
    INSTRUMENT_LOSS_LIMIT = 111
    GROSS_LIMIT = 112
    NET_LIMIT = 113
    CLIENT_RATE_LIMIT = 114
    CREDIT_LIMIT = 115
    REPEAT_LIMIT = 116
    REPEATS_FULL = 117
    UNDUE_FILLS = 118
    UNDUE_VALUE = 119
    INVARIANT = 120  # an internal check: the price
    INVARIANT_QTY = 121
    KILLED_POOL = 122
    INVARIANT_LIMIT = 123


class LimitScope(IntEnum):
    """Whose limit was changed while running; `subject` is the client's row or the tier."""

    FIRM = 0
    CLIENT = 1
    TIER = 2
