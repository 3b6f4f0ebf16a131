"""Rules of the quoting side in words, EU: sizes, market conditions, ticks, midpoint."""

from datetime import date

from engine.regimes import MIFID2_FROM, REVIEW_FROM, regime_on
from refdata.regulation.rule import Rule
from refdata.regulation.tick_rules import ART_17A_FROM, MIDPOINT_FROM, QUOTE_TICK_FROM

#: DR 2025/1246 Art 2: its points that apply later than the act itself.
LATER_POINTS_FROM = date(2026, 3, 2)
#: First yearly values made under the amended RTS 1 Art 17.
FIRST_CYCLE_FROM = date(2026, 4, 6)
#: DR 2023/944 and DR 2023/960.
APRIL_CHANGE_FROM = date(2023, 6, 5)
#: Dir (EU) 2024/790: the last day for transposition.
TRANSPOSED_FROM = date(2025, 9, 29)


def _qmin(day: date) -> str:
    return f"{regime_on(day).qmin_bps // 100} % of SMS"


def _obligation(day: date) -> str:
    return {10_000: "up to SMS", 20_000: "up to twice SMS"}[regime_on(day).threshold_bps]


_CONTINUED = "MiFIR Art 54(3); notice C/2024/2966 as cited in DR 2025/1246 recital 4"

SIZE_RULES = (
    Rule("min-quote-size", "EU", MIFID2_FROM, MIDPOINT_FROM, _qmin(MIFID2_FROM),
         "Each side of a quote is for at least 10 % of the standard market size.",
         "MiFIR Art 14(3) as of 3 Jan 2018", True),
    # The source marks the continuity of the 10 % itself as memory: the notice was not seen.
    Rule("min-quote-size", "EU", MIDPOINT_FROM, REVIEW_FROM, _qmin(MIDPOINT_FROM),
         "MiFIR Art 14(3) leaves the figure to a technical standard that was not there yet; the "
         "rules before it went on by transition, so 10 % stayed.",
         _CONTINUED, False, "Nothing to change: 10 % of SMS as before."),
    Rule("min-quote-size", "EU", REVIEW_FROM, None, _qmin(REVIEW_FROM),
         "RTS 1 Art 11b sets the minimum quote size at the standard market size: each side of a "
         "quote is for at least SMS, no longer for a tenth of it.",
         "MiFIR Art 14(3); RTS 1 Art 11b, by DR 2025/1246", True,
         "The smallest firm quote becomes ten times larger in SMS, and with the new ladders 5 to "
         "19 times in EUR. Publish at least SMS on both sides; look again at position limits, "
         "hedging and the spread that the larger size needs."),
    Rule("obligation", "EU", MIFID2_FROM, MIDPOINT_FROM, _obligation(MIFID2_FROM),
         "MiFIR Arts 14 to 17 bind in sizes up to the standard market size.",
         "MiFIR Art 14(2) as of 3 Jan 2018", True),
    Rule("obligation", "EU", MIDPOINT_FROM, REVIEW_FROM, _obligation(MIDPOINT_FROM),
         "MiFIR Art 14(2) leaves the threshold to a technical standard that was not there yet; "
         "the threshold before it went on by transition.",
         _CONTINUED, False, "Nothing to change: up to SMS as before."),
    Rule("obligation", "EU", REVIEW_FROM, None, _obligation(REVIEW_FROM),
         "RTS 1 Art 11a sets the threshold at twice the standard market size: MiFIR Arts 14 to 17 "
         "bind up to and including it, no longer up to SMS only.",
         "MiFIR Art 14(2); RTS 1 Art 11a, by DR 2025/1246", True,
         "Orders above SMS and up to twice SMS are no longer the firm's choice: they get the "
         "quote, a justified better price or the midpoint; this engine answers them automatically "
         "(WITHIN_OBLIGATION) instead of sending them to the desk (DISCRETIONARY). Where the AVT "
         "is below 10,000 the threshold in EUR stays 10,000, since SMS halves."),
    Rule("sms-values", "EU", MIFID2_FROM, REVIEW_FROM, "published for the cycle, on the old ladder",
         "The published SMS of the yearly cycle applies; it lies on the ladder of its period.",
         "RTS 1 Arts 11, 17", True),
    Rule("sms-values", "EU", REVIEW_FROM, FIRST_CYCLE_FROM, "not settled",
         "The ladders changed in the middle of a cycle. Whether the AVT published in 2025 is "
         "placed on the new ladders, or the published SMS stays until April, was not found.",
         "RTS 1 Arts 11, 17; no ESMA statement found", False,
         "Decide which SMS values are loaded until 5 April 2026, and write the decision down."),
    Rule("sms-values", "EU", FIRST_CYCLE_FROM, None, "published for the cycle, on the new ladders",
         "The first yearly values under the amended RTS 1 Art 17 are used from 6 April 2026.",
         "RTS 1 Art 17, by DR 2025/1246", True,
         "Load the values published by 1 March 2026; an SMS of the old ladder is no longer "
         "possible."),
    Rule("market-conditions", "EU", MIFID2_FROM, REVIEW_FROM,
         "close in price to quotes of equivalent sizes on the MRM",
         "A price reflects prevailing market conditions where, when it is published, it is close "
         "to quotes of equivalent sizes on the most relevant market.",
         "RTS 1 Art 10(1)", True),
    Rule("market-conditions", "EU", REVIEW_FROM, None,
         "close to the MRM; without such quotes there, to other venues",
         "RTS 1 Art 10(2) adds a fallback: where the most relevant market has no quotes of "
         "equivalent sizes, a price close to quotes of equivalent sizes on other trading venues "
         "reflects prevailing market conditions.",
         "RTS 1 Art 10(1)-(2), by DR 2025/1246 Art 2(7)", True,
         "When the most relevant market shows no equivalent size, quote against the other venues "
         "and record which quote was compared. \"Close\" still has no number: keep it a policy."),
    Rule("execution-rules", "EU", MIFID2_FROM, MIDPOINT_FROM,
         "quotes easily accessible on a reasonable commercial basis",
         "Quotes are easily accessible to other market participants on a reasonable commercial "
         "basis.", "MiFIR Art 15(1) as of 3 Jan 2018", True),
    Rule("execution-rules", "EU", MIDPOINT_FROM, None,
         "transparent, non-discriminatory rules; contingency arrangements",
         "The SI has transparent and non-discriminatory rules and objective criteria for efficient "
         "execution, and sound technical operations with contingency arrangements.",
         "MiFIR Art 15(1), third subparagraph, by Reg 2024/791", True,
         "Have written execution rules and a tested plan for a failure of the systems."),
    Rule("mrm", "EU", MIFID2_FROM, LATER_POINTS_FROM,
         "the regulated market of first admission or trading",
         "Until the most relevant market is determined it is the regulated market of first "
         "admission or trading.", "RTS 1 Art 4", True),
    Rule("mrm", "EU", LATER_POINTS_FROM, None,
         "the regulated market of first trading, else the MTF",
         "Until the most relevant market is determined it is the regulated market of first "
         "admission or trading, or the MTF where there is no regulated market.",
         "RTS 1 Art 4, by DR 2025/1246", True,
         "Give instruments that only an MTF trades that MTF as most relevant market."),
    Rule("yearly-cycle", "EU", MIFID2_FROM, APRIL_CHANGE_FROM, "1 April",
         "Values are published by 1 March and used from 1 April for a year.",
         "RTS 1 Art 17, RTS 11 Art 3, as of 3 Jan 2018", True),
    Rule("yearly-cycle", "EU", APRIL_CHANGE_FROM, LATER_POINTS_FROM, "the first Monday of April",
         "Values are published by 1 March and used from the first Monday of April; amounts convert "
         "at the ECB's rate of 31 December of the year before.",
         "RTS 1 Art 17(1)-(2), (7), by DR 2023/944; RTS 11, by DR 2023/960", True,
         "Load new values over a weekend instead of on 1 April."),
    Rule("yearly-cycle", "EU", LATER_POINTS_FROM, None,
         "the first Monday of April, for Qmin and T too",
         "The calendar and the currency rule of Art 17 now cover the thresholds of Arts 11a and "
         "11b as well.", "RTS 1 Art 17, by DR 2025/1246", True,
         "Qmin and T follow SMS in the same yearly load."),
)  # fmt: skip

TICK_RULES = (
    Rule("tick-table", "EU", MIFID2_FROM, None, "19 price ranges by 6 liquidity bands",
         "The price of the order picks the row, the ADNT on the most relevant market the band; "
         "equity ETFs are in band 6; a market with periodic auctions only means band 1. A venue "
         "may run a coarser tick, never a finer one.",
         "RTS 11 Art 2 and Annex", True),
    Rule("tick-quotes", "EU", MIFID2_FROM, QUOTE_TICK_FROM, "no",
         "SI quotes need not be on a tick.", "RTS 1 Art 10 as of 3 Jan 2018", True),
    Rule("tick-quotes", "EU", QUOTE_TICK_FROM, ART_17A_FROM, "shares and depositary receipts",
         "A quote in a share or depositary receipt reflects prevailing market conditions only "
         "where it is on the RTS 11 tick.", "RTS 1 Art 10, by DR 2019/442", True,
         "Round quoted bids down and offers up to the tick."),
    Rule("tick-quotes", "EU", ART_17A_FROM, None, "shares, depositary receipts, equity ETFs",
         "SI quotes comply with the tick sizes set under MiFID II Art 49.",
         "MiFIR Art 17a(1); RTS 1 Art 10(3)", True,
         "ETFs solely on equities are on the tick of band 6 too."),
    Rule("tick-prices", "EU", MIFID2_FROM, ART_17A_FROM, "meaningful, reflecting the tick",
         "A price improvement is justified only where it is meaningful and reflects the minimum "
         "tick of the instrument on a trading venue.", "ESMA Q&A 1661 (5.29)", True),
    Rule("tick-prices", "EU", ART_17A_FROM, None, "yes, at every size",
         "Price improvements and execution prices comply with the tick sizes set under MiFID II "
         "Art 49; the article has no limit of size.", "MiFIR Art 17a(1); ESMA Q&A 1661", True,
         "Improve by whole ticks only. A one-tick spread leaves no room but the midpoint, where "
         "that is permitted."),
    Rule("tick-third-country", "EU", MIFID2_FROM, TRANSPOSED_FROM, "no; the ADNT may be adjusted",
         "An authority may adjust the ADNT where the venue of highest turnover is in a third "
         "country.", "RTS 11 Art 3(8)-(10), by DR 2019/443", False),
    # A directive: what holds is the national law, whose day may differ.
    Rule("tick-third-country", "EU", TRANSPOSED_FROM, None, "for shares whose MRM is there",
         "Regulated markets may use the third-country tick for non-EEA shares, and for EEA shares "
         "traded there in a non-EEA currency, where the most relevant market is in that country.",
         "MiFID II Art 49(2), by Dir 2024/790", False,
         "Check the tick of such shares against the venue's own table."),
    Rule("midpoint", "EU", MIFID2_FROM, ART_17A_FROM, "not regulated",
         "No provision says when an SI may match at the midpoint.",
         "no provision before MiFIR Art 17a", True),
    Rule("midpoint", "EU", ART_17A_FROM, MIDPOINT_FROM, "only large in scale orders",
         "Tick sizes do not prevent matching large in scale orders at the midpoint of the current "
         "bid and offer.", "MiFIR Art 17a as of 26 Mar 2020", True,
         "No midpoint below LIS unless the midpoint is on tick."),
    Rule("midpoint", "EU", MIDPOINT_FROM, None, "orders of any size",
         "Neither MiFIR Art 15(2) nor MiFID II Art 49 prevents an SI from matching orders of any "
         "size at the midpoint of the current bid and offer.",
         "MiFIR Art 17a(2), by Reg 2024/791", True,
         "A midpoint improvement is allowed at every size and need not be on a tick."),
)  # fmt: skip

#: Unchanged since MiFID II applies.
CONDUCT_RULES = (
    Rule("quoting-duty", "EU", MIFID2_FROM, None, "public if liquid, on request if not",
         "In an instrument with a liquid market the SI makes firm two-way quotes public; without "
         "one it discloses quotes to clients on request.", "MiFIR Art 14(1)", True),
    Rule("quoting-hours", "EU", MIFID2_FROM, None, "at all times in hours published in advance",
         "Quotes are regular and continuous only where available at all times during the hours "
         "that the firm published in advance as its normal trading hours.",
         "MiFIR Art 15(1); DR 2017/567 Art 12", True),
    Rule("quote-time", "EU", MIFID2_FROM, None, "time of entry or change is published",
         "The arrangement publishes the time at which each quote was entered or amended, by the "
         "rules on clocks.", "RTS 1 Art 9(d)", True),
    Rule("withdrawal", "EU", MIFID2_FROM, None,
         "halt, suspended market making, ETF underlyings, short-sale ban",
         "Quotes are withdrawn under exceptional market conditions only, in particular a trading "
         "halt, suspended market making obligations, no reliable price for a significant number of "
         "an ETF's underlyings, or a ban on short sales.",
         "MiFIR Art 15(1); DR 2017/567 Art 14(1)", True),
    Rule("better-price", "EU", MIFID2_FROM, None, "within the SI's own bid and offer",
         "In justified cases an order is executed at a better price, within the SI's own quotes "
         "where these reflect prevailing market conditions.",
         "MiFIR Art 15(2); DR 2017/567 Art 14(3)", True),
    Rule("other-price", "EU", MIFID2_FROM, None,
         "professionals: portfolio trades, RTS 1 Art 6 orders",
         "Professional clients may get other prices for a portfolio trade (five or more "
         "instruments at once, one client, one lot, a reference price) and for orders on "
         "conditions other than the current market price.",
         "MiFIR Art 15(3); DR 2017/567 Art 14(4)-(5); RTS 1 Arts 1(1), 6", True),
    Rule("client-limits", "EU", MIFID2_FROM, None, "set in advance, published, the same for all",
         "The SI may limit the number of transactions of one client at published conditions, and "
         "the total of all clients only where it considerably exceeds the norm.",
         "MiFIR Art 17(2); DR 2017/567 Art 15", True),
)  # fmt: skip

QUOTING_RULES = (*SIZE_RULES, *CONDUCT_RULES, *TICK_RULES)
