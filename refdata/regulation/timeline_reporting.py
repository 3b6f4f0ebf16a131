"""Rules of publication, data access, status and clocks in words, EU."""

from datetime import date

from engine.regimes import MIFID2_FROM, REVIEW_FROM
from refdata.regulation.flags import FLAGS_2024_FROM, MARKET_PRACTICE_FROM, flags_on
from refdata.regulation.rule import Rule
from refdata.regulation.tick_rules import MIDPOINT_FROM
from refdata.regulation.timeline_quoting import LATER_POINTS_FROM

#: MiFIR Art 21a in practice: ESMA's notice on the start of the DPE regime.
DPE_FROM = date(2025, 2, 3)
#: ESMA: the mandatory SI test is not applied from this day on.
SI_TEST_ENDED = date(2025, 2, 1)
#: DR 2025/1156 for SIs authorised before 23 November 2025.
DELAYED_DATA_FROM = date(2026, 8, 23)


def _codes(day: date, jurisdiction: str = "EU") -> str:
    """Codes of the flags that an SI may need, in the order of the table."""
    return " ".join(
        flag.code for flag in flags_on(day, jurisdiction) if flag.off_venue is not False
    )


FLAG_RULES = (
    Rule("flags", "EU", MIFID2_FROM, FLAGS_2024_FROM, _codes(MIFID2_FROM),
         "Flags of the first Table 4.", "RTS 1 Annex I Table 4", True),
    Rule("flags", "EU", FLAGS_2024_FROM, REVIEW_FROM, _codes(FLAGS_2024_FROM),
         "TNCP is deleted; PORT (portfolio) and CONT (contingent) are new.",
         "RTS 1 Annex I Table 4, by DR 2023/944 Art 1(8)", True,
         "Flag portfolio trades PORT and contingent ones CONT; stop sending TNCP."),
    Rule("flags", "EU", REVIEW_FROM, MARKET_PRACTICE_FROM, _codes(REVIEW_FROM),
         "SIZE, RPRI, ILQD, DUPL and ACTX are deleted. By its letter the act deletes them on 23 "
         "November 2025; recital 24 speaks of a deferral and the market moved on 2 March 2026.",
         "RTS 1 Annex I Table 4, by DR 2025/1246", False,
         "Agree the day of the change with the APA. Keep SIZE, RPRI and ILQD as internal marks: "
         "field 63 of the transaction report still lists them."),
    Rule("flags", "EU", MARKET_PRACTICE_FROM, None, _codes(MARKET_PRACTICE_FROM),
         "The market uses the list without SIZE, RPRI, ILQD, DUPL and ACTX as well (FIX MMT 5.0); "
         "letter and practice agree from here on.",
         "RTS 1 Annex I Table 4, by DR 2025/1246", True,
         "An APA may refuse a report that still carries a deleted flag."),
)  # fmt: skip

PUBLICATION_RULES = (
    Rule("publisher", "EU", MIFID2_FROM, DPE_FROM, "the seller; the SI if it alone is SI and buys",
         "Between two investment firms the seller publishes, unless only the buyer is SI in the "
         "instrument: then the SI publishes and tells the seller.", "RTS 1 Art 12(4)-(5)", True),
    Rule("publisher", "EU", DPE_FROM, REVIEW_FROM, "the DPE, else the seller",
         "If exactly one party is a designated publishing entity (DPE), it publishes; if neither "
         "or both are, the seller does. Being SI no longer matters. Each trade is published once, "
         "through a single APA.", "MiFIR Arts 20(1a), 21a; ESMA notice", True,
         "Know the DPE status of the firm and of each counterparty by class (ESMA register)."),
    Rule("publisher", "EU", REVIEW_FROM, None,
         "the DPE, else the seller; RTS 1 Art 12(5)-(6) deleted",
         "RTS 1 Art 12(5)-(6), the publication rules that looked at SI status, are deleted from "
         "the text. MiFIR Art 21a has governed since 3 February 2025 and goes on: the DPE "
         "publishes, and if neither or both parties are DPE, the seller.",
         "MiFIR Art 21a; RTS 1 Art 12, by DR 2025/1246", True,
         "Nothing new to do where the DPE logic is in place; remove references to Art 12(5)-(6) "
         "from procedures."),
    # That this holds where the client sells is the natural reading of Art 20(1).
    Rule("publisher-client", "EU", MIFID2_FROM, None, "the SI, buying or selling",
         "Where the client is not an investment firm the SI publishes both its buys and its sells.",
         "MiFIR Art 20(1)", False),
    Rule("transaction-report", "EU", MIFID2_FROM, None, "65 fields, by the next working day",
         "Both the SI and a client that is an investment firm report to the home authority by the "
         "close of the following working day; the SI names its own MIC as venue, not SINT.",
         "MiFIR Art 26; RTS 22", True),
    Rule("publication-limit", "EU", MIFID2_FROM, None, "real time, at most 1 minute",
         "As close to real time as technically possible and within one minute during the trading "
         "hours of the most relevant market or of the firm; otherwise at the start of the firm's "
         "hours and before the next opening of the most relevant market.",
         "RTS 1 Art 14(2), recital 12", True),
    Rule("report-fields", "EU", MIFID2_FROM, FLAGS_2024_FROM, "9 fields",
         "Table 3 has 9 fields.", "RTS 1 Annex I Table 3 as of 3 Jan 2018", True),
    Rule("report-fields", "EU", FLAGS_2024_FROM, REVIEW_FROM, "12 fields",
         "Table 3 has 12 fields: missing price, price notation and third-country venue are new.",
         "RTS 1 Annex I Table 3, by DR 2023/944", True,
         "Fill the three new fields in reports to the APA."),
    Rule("report-fields", "EU", REVIEW_FROM, MARKET_PRACTICE_FROM, "14 fields",
         "Table 3 has 14 fields: trading system (empty for an SI) and flags are new. The doubt "
         "about the day is the one of the flags: the market moved on 2 March 2026.",
         "RTS 1 Annex I Table 3, by DR 2025/1246", False,
         "Agree the day of the change with the APA."),
    Rule("report-fields", "EU", MARKET_PRACTICE_FROM, None, "14 fields, named as in the table",
         "Published field names equal the field identifiers of the table.",
         "RTS 1 Art 12(1), Annex I Table 3, by DR 2025/1246", True,
         "Check the names in files that the firm itself publishes."),
    Rule("not-published", "EU", MIFID2_FROM, REVIEW_FROM,
         "RTS 22 exclusions; give-ups and give-ins",
         "Transactions excluded by RTS 22 Art 2(5), give-ups and give-ins are not published.",
         "RTS 1 Art 13", True),
    Rule("not-published", "EU", REVIEW_FROM, None,
         "RTS 22 exclusions; give-ups, also of client hedges",
         "Give-ups and give-ins now expressly include passing on a trade for hedging a position "
         "that was committed to a client.", "RTS 1 Art 13(b)(ii), by DR 2025/1246", True,
         "Such transfers need no publication; document why."),
)  # fmt: skip

STATUS_RULES = (
    Rule("si-test", "EU", MIFID2_FROM, SI_TEST_ENDED, "quantitative thresholds, quarterly",
         "Frequent, systematic and substantial dealing is measured against the thresholds of DR "
         "2017/565 Arts 12 to 17.", "MiFID II Art 4(1)(20); DR 2017/565 Arts 12-17", True),
    Rule("si-test", "EU", SI_TEST_ENDED, None, "qualitative, or by opting in; equity only",
         "A firm that deals on own account on an organised, frequent and systematic basis in "
         "equity instruments, or that opts in. The numbers are gone.",
         "MiFID II Art 4(1)(20), by Dir 2024/790; ESMA notice", True,
         "SI status is set by compliance for each instrument and notified; keep the old test for "
         "monitoring only."),
    Rule("non-equity", "EU", MIFID2_FROM, MIDPOINT_FROM, "firm quotes on request, with conditions",
         "SIs quote in bonds, structured finance products, emission allowances and derivatives.",
         "MiFIR Arts 18-19 as of 3 Jan 2018", True),
    Rule("non-equity", "EU", MIDPOINT_FROM, None, "no duty",
         "Arts 18 and 19 are deleted; quoting is voluntary.", "Reg 2024/791", True,
         "No pre-trade publication in bonds or derivatives."),
    Rule("share-trading", "EU", MIFID2_FROM, MIDPOINT_FROM, "on a venue or with an SI",
         "Shares traded on a venue are traded on a regulated market, an MTF, an SI or an "
         "equivalent third-country venue.", "MiFIR Art 23 as of 3 Jan 2018", True),
    Rule("share-trading", "EU", MIDPOINT_FROM, None, "on a venue or with an SI, for EEA shares",
         "The obligation covers shares with an EEA ISIN, except where traded on a third-country "
         "venue in local or non-EEA currency. Execution by an SI satisfies it.",
         "MiFIR Art 23, by Reg 2024/791", True,
         "Shares without an EEA ISIN are outside it."),
    Rule("quote-fields", "EU", MIFID2_FROM, LATER_POINTS_FROM, "no table for SIs",
         "No table of fields names SIs; quotes use the standards and symbols of RTS 1.",
         "DR 2017/567 Art 13(6)", False),
    Rule("quote-fields", "EU", LATER_POINTS_FROM, None, "no table for SIs; Table 1b as a guide",
         "Table 1b (14 fields) binds trading venues. Using its names for SI quotes follows from "
         "reading the texts together.", "RTS 1 Art 3(1), Annex I Table 1b; DR 2017/567 Art 13(6)",
         False, "Publish ISIN, side, price, currency, quantity, time of entry or change, identity "
         "of the SI, under the names of Table 1b."),
    Rule("delayed-data", "EU", MIFID2_FROM, MIDPOINT_FROM, "reasonable commercial basis",
         "Published data are accessible on a reasonable commercial basis.",
         "MiFIR Art 15(1) as of 3 Jan 2018", True),
    Rule("delayed-data", "EU", MIDPOINT_FROM, DELAYED_DATA_FROM, "free after 15 minutes",
         "Published data are on a reasonable commercial basis, and free of charge 15 minutes after "
         "publication, machine-readable.", "MiFIR Art 13(1)-(2), by Reg 2024/791", True,
         "Offer the firm's quotes free of charge after 15 minutes."),
    Rule("delayed-data", "EU", DELAYED_DATA_FROM, None,
         "free after 15 minutes, no registration; daily file",
         "Delayed data need no registration, stay until the end of the next business day, and "
         "post-trade come as one daily file updated every minute. (SIs authorised before 23 "
         "November 2025; others from their authorisation.)", "DR 2025/1156 Arts 23-25", True,
         "Have the files of delayed data ready in the prescribed form."),
    Rule("clocks", "EU", MIFID2_FROM, LATER_POINTS_FROM,
         "SIs not named; venues up to 1 ms gateway latency: 100 us, 1 us",
         "Venues and their members keep clocks to UTC; an SI as such is not named. At most 100 "
         "microseconds off with 1 microsecond granularity where gateway latency is 1 ms or less, "
         "else 1 ms and 1 ms.", "RTS 25 (DR 2017/574), Annex", True),
    Rule("clocks", "EU", LATER_POINTS_FROM, None,
         "SIs up to 1 ms gateway-to-gateway: 100 us, 0.1 us",
         "SIs are named: at most 100 microseconds from UTC with 0.1 microsecond granularity where "
         "gateway-to-gateway latency is 1 ms or less, else 1 ms and 1 ms; 1 s for voice and "
         "requests handled by people.", "MiFIR Art 22c; DR 2025/1155 Arts 11-16, Annex IV", True,
         "Stamp in nanoseconds, measure the divergence from UTC, document where the stamp is taken "
         "and review it yearly."),
)  # fmt: skip

REPORTING_RULES = (*FLAG_RULES, *PUBLICATION_RULES, *STATUS_RULES)
