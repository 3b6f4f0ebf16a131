"""Names of the FIX message types, tags and codes that the simulator sends or expects.

Only for people to read: nothing is decided by a name. A tag that is not here is shown by number.
"""

from __future__ import annotations

from collections.abc import Iterable

TYPES = {
    "0": "Heartbeat", "1": "TestRequest", "2": "ResendRequest", "3": "Reject",
    "4": "SequenceReset", "5": "Logout", "6": "IOI", "8": "ExecutionReport",
    "9": "OrderCancelReject", "A": "Logon", "B": "News", "D": "NewOrderSingle",
    "F": "OrderCancelRequest", "G": "OrderCancelReplaceRequest", "H": "OrderStatusRequest",
    "M": "ListStatusRequest", "R": "QuoteRequest", "S": "Quote", "V": "MarketDataRequest",
    "W": "MarketDataSnapshotFullRefresh", "X": "MarketDataIncrementalRefresh",
    "Y": "MarketDataRequestReject", "Z": "QuoteCancel", "b": "QuoteAcknowledgement",
    "h": "TradingSessionStatus", "i": "MassQuote", "j": "BusinessMessageReject",
    "q": "OrderMassCancelRequest", "r": "OrderMassCancelReport", "AG": "QuoteRequestReject",
    "AI": "QuoteStatusReport", "AJ": "QuoteResponse",
}  # fmt: skip

TAGS = {
    1: "Account", 6: "AvgPx", 7: "BeginSeqNo", 8: "BeginString", 9: "BodyLength", 10: "CheckSum",
    11: "ClOrdID", 14: "CumQty", 15: "Currency", 16: "EndSeqNo", 17: "ExecID",
    18: "ExecInst", 20: "ExecTransType", 21: "HandlInst", 22: "SecurityIDSource",
    29: "LastCapacity", 30: "LastMkt", 31: "LastPx", 32: "LastQty", 34: "MsgSeqNum",
    35: "MsgType", 36: "NewSeqNo", 37: "OrderID", 38: "OrderQty", 39: "OrdStatus", 40: "OrdType",
    41: "OrigClOrdID", 43: "PossDupFlag", 44: "Price", 45: "RefSeqNum", 48: "SecurityID",
    49: "SenderCompID", 50: "SenderSubID", 52: "SendingTime", 54: "Side", 55: "Symbol",
    56: "TargetCompID", 57: "TargetSubID", 58: "Text", 59: "TimeInForce", 60: "TransactTime",
    62: "ValidUntilTime", 66: "ListID", 75: "TradeDate", 95: "RawDataLength", 96: "RawData",
    97: "PossResend", 98: "EncryptMethod", 99: "StopPx", 102: "CxlRejReason", 103: "OrdRejReason",
    108: "HeartBtInt", 110: "MinQty", 112: "TestReqID", 115: "OnBehalfOfCompID", 117: "QuoteID",
    122: "OrigSendingTime", 123: "GapFillFlag", 126: "ExpireTime", 131: "QuoteReqID",
    132: "BidPx", 133: "OfferPx", 134: "BidSize", 135: "OfferSize", 141: "ResetSeqNumFlag",
    146: "NoRelatedSym", 150: "ExecType", 151: "LeavesQty", 207: "SecurityExchange",
    262: "MDReqID", 263: "SubscriptionRequestType", 264: "MarketDepth", 265: "MDUpdateType",
    266: "AggregatedBook", 267: "NoMDEntryTypes", 268: "NoMDEntries", 269: "MDEntryType",
    270: "MDEntryPx", 271: "MDEntrySize", 281: "MDReqRejReason", 297: "QuoteStatus",
    298: "QuoteCancelType", 300: "QuoteRejectReason", 347: "MessageEncoding",
    354: "EncodedTextLen", 355: "EncodedText", 369: "LastMsgSeqNumProcessed", 371: "RefTagID",
    372: "RefMsgType", 373: "SessionRejectReason", 378: "ExecRestatementReason",
    379: "BusinessRejectRefID", 380: "BusinessRejectReason", 383: "MaxMessageSize",
    434: "CxlRejResponseTo", 447: "PartyIDSource", 448: "PartyID", 452: "PartyRole",
    453: "NoPartyIDs", 528: "OrderCapacity", 529: "OrderRestrictions", 530: "MassCancelRequestType",
    531: "MassCancelResponse", 532: "MassCancelRejectReason", 533: "TotalAffectedOrders",
    537: "QuoteType", 553: "Username", 554: "Password", 574: "MatchType", 639: "PriceImprovement",
    658: "QuoteRequestRejectReason", 693: "QuoteRespID", 694: "QuoteRespType",
    789: "NextExpectedMsgSeqNum", 1128: "ApplVerID", 1137: "DefaultApplVerID",
    1369: "MassActionReportID", 2524: "TrdRegPublicationSide", 2594: "OrderAttributeType",
    2704: "ExDestinationType", 2707: "QuoteAttributeType",
}  # fmt: skip

CODES = {
    39: {
        "0": "new", "1": "partially filled", "2": "filled", "4": "cancelled", "5": "replaced",
        "6": "pending cancel", "8": "rejected", "A": "pending new", "C": "expired",
    },
    54: {"1": "buy", "2": "sell", "5": "sell short"},
    150: {
        "0": "new", "1": "part fill", "2": "fill", "4": "cancelled", "5": "replaced",
        "8": "rejected", "A": "pending new", "C": "expired", "D": "restated", "F": "trade",
        "G": "trade corrected", "H": "trade cancelled", "I": "status",
    },
    373: {
        "0": "invalid tag number", "1": "required tag missing", "2": "tag not of this message",
        "3": "undefined tag", "4": "tag without a value", "5": "value incorrect",
        "6": "incorrect format", "9": "CompID problem", "10": "SendingTime accuracy",
        "11": "invalid MsgType", "13": "tag appears more than once", "99": "other",
    },
    380: {"0": "other", "3": "unsupported MsgType", "4": "application not available"},
}  # fmt: skip

BY_NAME = {name: tag for tag, name in TAGS.items()}
#: What every message has; left out where a message is shown in one line.
FRAME = frozenset((8, 9, 10, 34, 35, 49, 52, 56))


def type_name(msg_type: str) -> str:
    """`ExecutionReport(8)`; a type that has no name here is `MsgType U1`."""
    name = TYPES.get(msg_type)
    return f"{name}({msg_type})" if name else f"MsgType {msg_type or 'missing'}"


def tag_name(tag: int) -> str:
    """`ExecType(150)`, or the number alone."""
    return f"{TAGS[tag]}({tag})" if tag in TAGS else str(tag)


def code_name(tag: int, value: str) -> str:
    """What a code means, empty where it is no code or not known here."""
    return CODES.get(tag, {}).get(value, "")


def in_words(msg_type: str, seq: str, pairs: Iterable[tuple[int, str]]) -> str:
    """A message in one line: type, number, every field that not all messages have."""
    words = [type_name(msg_type), f"34={seq or 'missing'}"]
    for tag, value in pairs:
        if tag in FRAME:
            continue
        meaning = code_name(tag, value)
        words.append(f"{tag_name(tag)}={value}" + (f" ({meaning})" if meaning else ""))
    return " ".join(words)
