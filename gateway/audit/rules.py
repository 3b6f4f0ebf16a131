"""What the audit can find: each rule with its citation, how grave it is, and what its numbers are.

Read in the texts of 2026: MiFIR (EU) 600/2014, RTS 1 = DR (EU) 2017/587, RTS 11 = DR (EU) 2017/588,
DR (EU) 2017/567, DR (EU) 2017/565. Where a text has no number (how close is "close in price"), the
number is the firm's own, an option or a parameter, and is said.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple

from engine.enums import Reason


class Severity(StrEnum):
    """How grave a finding is."""

    BREACH = "breach"
    EXPLAIN = "to explain"
    NOTE = "note"


class Duty(StrEnum):
    """The obligations, in the order of the report."""

    PRESENCE = "presence"
    SIZE = "size"
    CLOSENESS = "closeness"
    TICK = "tick"
    IMPROVEMENT = "improvement"
    FIRMNESS = "firmness"
    PUBLICATION = "publication"
    EQUALITY = "equality"
    JOURNAL = "journal"


class Unit(StrEnum):
    """Of a case's number."""

    PX = "px_e6"
    QTY = "qty"
    AMOUNT = "amount_e6"
    BPS = "bps_e2"
    TIME = "time_ns"
    DURATION = "duration_ns"
    REASON = "reason"
    COUNT = "count"
    CLIENT = "client"


class Rule(IntEnum):
    """Row of the tally and of the cases."""

    NEVER_QUOTED = 0
    NOT_RUNNING = 1
    NO_REASON = 2
    NOT_QUOTED = 3
    EXCUSED = 4
    NO_THRESHOLD = 5
    BELOW_QMIN = 6
    OFF_LOT = 7
    NOT_TWO_SIDED = 8
    NO_REGIME = 9
    FAR = 10
    FAR_BY_TICK = 11
    NO_MARKET = 12
    FALLBACK = 13
    QUOTE_OFF_TICK = 14
    FILL_OFF_TICK = 15
    GIVEN_OFF_TICK = 16
    WORSE_THAN_QUOTE = 17
    WORSE_THAN_SHOWN = 18
    OUTSIDE_QUOTE = 19
    BELOW_ONE_TICK = 20
    THROUGH_LIMIT = 21
    NO_PUBLIC_QUOTE = 22
    RECORD_DIFFERS = 23
    ZONE_DIFFERS = 24
    REFUSED = 25
    REFUSED_FOR_REASON = 26
    REFUSED_BY_RIGHT = 27
    TO_DESK = 28
    UNANSWERED = 29
    LIMIT_NOT_SET = 30
    ENTERED_AFTER = 31
    DIFFERENT_PX = 32
    DAMAGED = 33
    GAP = 34
    CLOCK_BACK = 35
    RESTARTED = 36
    TORN = 37
    NO_HOURS = 38
    REGIME_FORCED = 39
    REGIMES_DIFFER = 40
    NOT_BY_FILE = 41
    PUBLISHED_BEFORE = 42
    UNREADABLE_LINES = 43
    NOT_ASCENDING = 44
    WRONG_SIZE = 45
    NOT_PUBLISHED = 46


class About(NamedTuple):
    """A rule in words; `numbers` names what a case's `a`, `b`, `c` and `d` are."""

    duty: Duty
    severity: Severity
    title: str
    citation: str
    numbers: tuple[tuple[str, Unit], ...] = ()


PX_AND_QUOTE = (("price", Unit.PX), ("our bid", Unit.PX), ("our ask", Unit.PX), ("tick", Unit.PX))
REFUSAL = (
    ("reason", Unit.REASON), ("quantity", Unit.QTY), ("quoted quantity", Unit.QTY),
    ("quoted price", Unit.PX),
)  # fmt: skip
UNQUOTED = (("not quoted", Unit.DURATION),)
DISTANCE = (
    ("our price", Unit.PX), ("market's price", Unit.PX), ("distance", Unit.BPS), ("tick", Unit.PX),
)  # fmt: skip

ABOUT = {
    Rule.NEVER_QUOTED: About(
        Duty.PRESENCE, Severity.BREACH, "no two-sided quote in all of the published hours",
        "MiFIR Arts 14(1), 15(1); DR 2017/567 Art 12", UNQUOTED),
    Rule.NOT_RUNNING: About(
        Duty.PRESENCE, Severity.BREACH, "not quoted: the engine did not run in published hours",
        "MiFIR Art 15(1), third subparagraph; DR 2017/567 Art 12", UNQUOTED),
    Rule.NO_REASON: About(
        Duty.PRESENCE, Severity.BREACH, "not quoted although the market gave no reason",
        "MiFIR Art 15(1); DR 2017/567 Arts 12, 14(1)", UNQUOTED),
    Rule.NOT_QUOTED: About(
        Duty.PRESENCE, Severity.EXPLAIN, "not quoted for want of a market, suspended, or stopped",
        "DR 2017/567 Arts 12, 14(1): exceptional conditions are to be shown", UNQUOTED),
    Rule.EXCUSED: About(
        Duty.PRESENCE, Severity.NOTE, "not quoted: trading halt on the most relevant market",
        "DR 2017/567 Art 14(1)(a)", UNQUOTED),
    Rule.NO_THRESHOLD: About(
        Duty.PRESENCE, Severity.EXPLAIN, "liquid, the firm is SI, but no SMS or LIS is known",
        "MiFIR Art 14(1), (4); RTS 1 Art 11"),
    Rule.BELOW_QMIN: About(
        Duty.SIZE, Severity.BREACH, "quoted size below the minimum quote size",
        "MiFIR Art 14(3); RTS 1 Art 11b (to 22 Nov 2025: 10 % of SMS)",
        (("value quoted", Unit.AMOUNT), ("Qmin", Unit.AMOUNT), ("quantity", Unit.QTY),
         ("price", Unit.PX))),
    Rule.OFF_LOT: About(
        Duty.SIZE, Severity.EXPLAIN, "quoted quantity is not whole lots",
        "MiFIR Art 14(3): a quote is firm for its size",
        (("quantity", Unit.QTY), ("lot", Unit.QTY))),
    Rule.NOT_TWO_SIDED: About(
        Duty.SIZE, Severity.BREACH, "a live quote without both sides, or crossed",
        "MiFIR Art 14(3): a firm bid and offer",
        (("bid", Unit.PX), ("ask", Unit.PX), ("bid quantity", Unit.QTY),
         ("ask quantity", Unit.QTY))),
    Rule.NOT_ASCENDING: About(
        Duty.SIZE, Severity.BREACH,
        "a further size of a quote that is one-sided, no larger than the one before, or better",
        "MiFIR Arts 14(3), 15(4)",
        (("bid", Unit.PX), ("ask", Unit.PX), ("bid quantity", Unit.QTY),
         ("ask quantity", Unit.QTY))),
    Rule.NO_REGIME: About(
        Duty.SIZE, Severity.BREACH, "quoted at a time for which no regime is on record",
        "MiFIR Art 14(3)"),
    Rule.FAR: About(
        Duty.CLOSENESS, Severity.BREACH, "further from the market than the tolerance",
        "RTS 1 Art 10(1)-(2); the tolerance is the firm's own", DISTANCE),
    Rule.FAR_BY_TICK: About(
        Duty.CLOSENESS, Severity.EXPLAIN, "beyond the tolerance, by less than a tick",
        "RTS 1 Art 10(1), (3): the price must be on tick", DISTANCE),
    Rule.NO_MARKET: About(
        Duty.CLOSENESS, Severity.BREACH, "a quote that no venue's fresh quote supports",
        "RTS 1 Art 10(1)-(2)", (("bid", Unit.PX), ("ask", Unit.PX))),
    Rule.FALLBACK: About(
        Duty.CLOSENESS, Severity.NOTE, "made from other venues: the MRM had no two-sided quote",
        "RTS 1 Art 10(2)", (("bid", Unit.PX), ("ask", Unit.PX))),
    Rule.QUOTE_OFF_TICK: About(
        Duty.TICK, Severity.BREACH, "quoted price off tick",
        "MiFIR Art 17a(1); RTS 1 Art 10(3); RTS 11 Annex",
        (("price", Unit.PX), ("tick", Unit.PX))),
    Rule.FILL_OFF_TICK: About(
        Duty.TICK, Severity.BREACH, "fill off tick and not at the midpoint",
        "MiFIR Art 17a; RTS 11 Annex", PX_AND_QUOTE),
    Rule.GIVEN_OFF_TICK: About(
        Duty.TICK, Severity.EXPLAIN,
        "fill of a quote on request off tick: was it the midpoint when it was given?",
        "MiFIR Art 17a", PX_AND_QUOTE),
    Rule.WORSE_THAN_QUOTE: About(
        Duty.IMPROVEMENT, Severity.BREACH, "fill worse than the public quote",
        "MiFIR Art 15(2): the quoted price at the time of reception", PX_AND_QUOTE),
    Rule.WORSE_THAN_SHOWN: About(
        Duty.IMPROVEMENT, Severity.EXPLAIN,
        "fill worse than the quote shown before: it was renewed as the order came",
        "MiFIR Art 15(2); DR 2017/567 Art 14(2): updates, where consistent", PX_AND_QUOTE),
    Rule.OUTSIDE_QUOTE: About(
        Duty.IMPROVEMENT, Severity.BREACH, "improved beyond our own quote",
        "MiFIR Art 15(2); DR 2017/567 Art 14(3)(a)", PX_AND_QUOTE),
    Rule.BELOW_ONE_TICK: About(
        Duty.IMPROVEMENT, Severity.BREACH, "improved by less than a tick, and not to the midpoint",
        "MiFIR Arts 15(2), 17a; ESMA Q&A 1661", PX_AND_QUOTE),
    Rule.THROUGH_LIMIT: About(
        Duty.IMPROVEMENT, Severity.BREACH, "fill through the client's limit",
        "MiFID II Arts 27, 28", (("price", Unit.PX), ("limit", Unit.PX))),
    Rule.NO_PUBLIC_QUOTE: About(
        Duty.IMPROVEMENT, Severity.BREACH,
        "filled at a quote that was not public",
        "MiFIR Arts 14(3), 15(2)", (("price", Unit.PX), ("bid cited", Unit.PX),
                                   ("ask cited", Unit.PX), ("quote cited", Unit.COUNT))),
    Rule.RECORD_DIFFERS: About(
        Duty.IMPROVEMENT, Severity.BREACH, "the explain record does not say what was published",
        "MiFIR Art 25(1); DR 2017/565 Art 72",
        (("bid cited", Unit.PX), ("ask cited", Unit.PX), ("improvement cited", Unit.PX),
         ("improvement", Unit.PX))),
    Rule.WRONG_SIZE: About(
        Duty.IMPROVEMENT, Severity.BREACH,
        "filled in a size of the quote that is neither the smallest to cover the order nor the "
        "largest", "MiFIR Art 15(4)",
        (("size on record", Unit.COUNT), ("size", Unit.COUNT), ("quantity", Unit.QTY),
         ("quoted quantity", Unit.QTY))),
    Rule.ZONE_DIFFERS: About(
        Duty.IMPROVEMENT, Severity.BREACH, "the size zone on record is not the one recounted",
        "MiFIR Art 14(2)-(3); RTS 1 Arts 11a, 11b",
        (("zone on record", Unit.COUNT), ("zone", Unit.COUNT), ("notional", Unit.AMOUNT),
         ("T", Unit.AMOUNT))),
    Rule.REFUSED: About(
        Duty.FIRMNESS, Severity.BREACH, "an order within the firm quote was refused",
        "MiFIR Arts 14(3), 15(2)", REFUSAL),
    Rule.REFUSED_FOR_REASON: About(
        Duty.FIRMNESS, Severity.EXPLAIN, "refused while a quote was public, for a reason to show",
        "MiFIR Art 15(1)-(2); DR 2017/567 Arts 14(1), 15", REFUSAL),
    Rule.REFUSED_BY_RIGHT: About(
        Duty.FIRMNESS, Severity.NOTE, "refused for what the client sent, a client's limit, a halt",
        "MiFIR Art 17(1)-(2); DR 2017/567 Art 14(1)(a)", REFUSAL),
    Rule.TO_DESK: About(
        Duty.FIRMNESS, Severity.BREACH, "an order within the firm quote waited for the desk",
        "MiFIR Art 15(2)", REFUSAL),
    Rule.UNANSWERED: About(
        Duty.FIRMNESS, Severity.BREACH, "an order without an answer in the journal",
        "MiFIR Arts 15(2), 25(1)", (("quantity", Unit.QTY),)),
    Rule.LIMIT_NOT_SET: About(
        Duty.EQUALITY, Severity.BREACH, "refused by a limit that the client does not have",
        "MiFIR Art 17(1)-(2): published conditions, non-discriminatory", REFUSAL),
    Rule.ENTERED_AFTER: About(
        Duty.PUBLICATION, Severity.BREACH, "entry time of a quote is not the time of its record",
        "RTS 1 Art 9(d)", (("entered", Unit.TIME), ("off by", Unit.DURATION))),
    Rule.DIFFERENT_PX: About(
        Duty.EQUALITY, Severity.EXPLAIN,
        "clients of one pool, tier and limits got different prices of one quote, size zone, policy",
        "MiFIR Arts 15(2), 17(1); DR 2017/567 Art 14(2)",
        (("price", Unit.PX), ("the other's price", Unit.PX), ("the other client", Unit.CLIENT),
         ("the other's frame", Unit.COUNT))),
    Rule.DAMAGED: About(
        Duty.JOURNAL, Severity.BREACH, "damaged frames", "MiFIR Art 25(1); DR 2017/565 Art 72"),
    Rule.GAP: About(
        Duty.JOURNAL, Severity.BREACH, "frame numbers are missing or used twice",
        "MiFIR Art 25(1); DR 2017/565 Art 72",
        (("frame before", Unit.COUNT), ("frame", Unit.COUNT))),
    Rule.CLOCK_BACK: About(
        Duty.JOURNAL, Severity.EXPLAIN, "the clock went back",
        "MiFIR Art 22c; DR 2025/1155 Art 12", (("by", Unit.DURATION),)),
    Rule.RESTARTED: About(
        Duty.JOURNAL, Severity.NOTE, "the engine was started", "MiFIR Art 15(1)",
        (("without a frame for", Unit.DURATION),)),
    Rule.TORN: About(
        Duty.JOURNAL, Severity.NOTE, "bytes of a frame that was never finished, at the end",
        "the next start cuts them off; nothing was sent of them"),
    Rule.NO_HOURS: About(
        Duty.PRESENCE, Severity.NOTE, "no trading hours are published for this day",
        "DR 2017/567 Art 12"),
    Rule.REGIME_FORCED: About(
        Duty.SIZE, Severity.EXPLAIN, "the configuration forces a regime; judged is by the date",
        "MiFIR Art 14(3)"),
    Rule.REGIMES_DIFFER: About(
        Duty.SIZE, Severity.EXPLAIN, "regimes in the journal are not those of this version",
        "MiFIR Art 14(2)-(3); RTS 1 Arts 11a, 11b"),
    Rule.NOT_BY_FILE: About(
        Duty.PUBLICATION, Severity.NOTE, "no file of published quotes: not published by file",
        "MiFIR Arts 13, 15(1); DR 2017/567 Art 13"),
    Rule.PUBLISHED_BEFORE: About(
        Duty.PUBLICATION, Severity.EXPLAIN, "published before the time of the update",
        "RTS 1 Art 9(d); DR 2025/1155 Art 12"),
    Rule.NOT_PUBLISHED: About(
        Duty.PUBLICATION, Severity.BREACH, "versions that the file of published quotes has not",
        "MiFIR Arts 14(1), 15(1); DR 2017/567 Art 13"),
    Rule.UNREADABLE_LINES: About(
        Duty.PUBLICATION, Severity.EXPLAIN, "lines of the published quotes without both times",
        "RTS 1 Art 9(d)"),
}  # fmt: skip

BREACH, EXPLAIN, BY_RIGHT = range(3)  # in the order of Severity

#: What the client sent could be answered by nobody, or was not meant for us.
_CLIENTS_OWN = (
    Reason.DUPLICATE_CLORDID, Reason.CLORDID_SIZE, Reason.ORD_TYPE, Reason.TIF, Reason.SIDE,
    Reason.QTY_NOT_POSITIVE, Reason.QTY_NOT_WHOLE, Reason.QTY_OFF_LOT, Reason.QTY_TOO_LARGE,
    Reason.PX_NOT_POSITIVE, Reason.PX_TOO_LARGE, Reason.PX_OFF_TICK, Reason.CURRENCY, Reason.PEG,
    Reason.PEG_MID, Reason.EXPIRE_MISSING, Reason.EXPIRE_PAST, Reason.MIN_QTY, Reason.ID_SOURCE,
    Reason.DESTINATION, Reason.DESTINATION_VENUE, Reason.UNKNOWN_INSTRUMENT,
)  # fmt: skip
#: MiFIR Art 17(2): limits at published conditions.
CLIENT_LIMITS = (Reason.CLIENT_ORDER_LIMIT, Reason.CLIENT_DAY_LIMIT, Reason.CLIENT_COUNT_LIMIT)
#: The firm's own prudence or its market data: it has to be shown why the quote was still public.
_TO_SHOW = (
    Reason.KILLED_FIRM, Reason.KILLED_POOL, Reason.KILLED_CLIENT, Reason.KILLED_INSTRUMENT,
    Reason.POSITION_LIMIT,
    Reason.INSTRUMENT_ORDER_LIMIT, Reason.PX_COLLAR, Reason.ORDERS_FULL, Reason.DESK_FULL,
    Reason.NOTIONAL_OVERFLOW, Reason.BBO_EMPTY, Reason.BBO_ONE_SIDED, Reason.BBO_STALE,
    Reason.BBO_CROSSED, Reason.FIRM_LOSS_LIMIT, Reason.INSTRUMENT_LOSS_LIMIT, Reason.GROSS_LIMIT,
    Reason.NET_LIMIT, Reason.UNDUE_FILLS, Reason.UNDUE_VALUE, Reason.REPEATS_FULL,
    Reason.INVARIANT, Reason.INVARIANT_QTY, Reason.INVARIANT_LIMIT, Reason.SUSPENDED_HALT,
    Reason.SUSPENDED_MARKET_MAKING, Reason.SUSPENDED_UNDERLYINGS,
    Reason.SUSPENDED_SHORT_SELLING, Reason.SUSPENDED_PRUDENTIAL,
)  # fmt: skip
#: MiFIR Art 17(1)-(2), RTS 6 Art 15: the client's credit and how often it may deal.
_CLIENTS_PACE = (Reason.CLIENT_RATE_LIMIT, Reason.CREDIT_LIMIT, Reason.REPEAT_LIMIT)

#: What a refusal within a firm quote is; a reason that is not here is a breach.
VERDICTS = (
    dict.fromkeys(_TO_SHOW, EXPLAIN)
    | dict.fromkeys(_CLIENTS_OWN, BY_RIGHT)
    | dict.fromkeys(CLIENT_LIMITS, BY_RIGHT)
    | dict.fromkeys(_CLIENTS_PACE, BY_RIGHT)
)
