"""What the UK changed after EU acts were onshored, in words. Nothing in here is sure."""

from datetime import date

from engine.regimes import MIFID2_FROM
from refdata.regulation.rule import Rule
from refdata.regulation.tick_rules import UK_MIDPOINT_FROM

#: FCA PS23/4 (instrument FCA 2023/19): tick change; post-trade and designated reporter.
UK_TICK_FROM = date(2023, 4, 28)
UK_POST_TRADE_FROM = date(2024, 4, 29)
#: FCA: the new definition of an SI, and the end of the non-equity SI regime (PS25/17).
UK_SI_TEST_FROM = date(2025, 12, 1)

UK_CHANGES = (
    Rule("yearly-cycle", "UK", MIFID2_FROM, None, "1 April",
         "Values are used from 1 April for a year; no later UK text was read.",
         "UK: as onshored, RTS 1 Art 17", False),
    Rule("tick-third-country", "UK", UK_TICK_FROM, None, "a venue may use it",
         "A venue may use the tick of the primary venue in a third country; the table itself is "
         "the same.",
         "UK RTS 11 Art 2(2A), by FCA 2023/19", False,
         "Take the tick of such shares from the venue, not from the table."),
    Rule("midpoint", "UK", UK_MIDPOINT_FROM, None, "orders of any size",
         "An SI may match orders below LIS at the midpoint as well.",
         "UK MiFIR Art 17a, by Financial Services and Markets Act 2023", False,
         "A midpoint improvement is allowed at every size."),
    Rule("publisher", "UK", UK_POST_TRADE_FROM, None, "the designated reporter, else the seller",
         "If exactly one party is a designated reporter, it publishes. Being SI no longer "
         "matters.", "FCA PS23/4 (FCA 2023/19)", False,
         "Know which counterparties are designated reporters."),
    Rule("flags", "UK", UK_POST_TRADE_FROM, None,
         "the FCA's list; SIZE, ILQD and RPRI stay",
         "The FCA's list differs from the EU's and was not read; SIZE, ILQD and RPRI stay in it. "
         "FIX MMT 5.0 is effective in the UK from 1 December 2025.",
         "FCA PS23/4 (FCA 2023/19)", False,
         "Take the codes from the FCA's rules or from the APA before sending them."),
    Rule("report-fields", "UK", UK_POST_TRADE_FROM, None, "the FCA's table",
         "The FCA's table of fields was not read.", "FCA PS23/4 (FCA 2023/19)", False,
         "Take the fields from the FCA's rules or from the APA."),
    Rule("share-trading", "UK", UK_MIDPOINT_FROM, None, "none",
         "The share trading obligation is repealed; its day is from memory.",
         "UK MiFIR Art 23(1), omitted", False),
    Rule("si-test", "UK", UK_SI_TEST_FROM, None, "qualitative",
         "A qualitative definition replaces the quantitative test.", "FCA rules of 2025", False,
         "SI status is set by compliance."),
    Rule("non-equity", "UK", UK_SI_TEST_FROM, None, "no duty",
         "The SI regime for bonds and derivatives is removed; the day is the one of the new SI "
         "definition.", "FCA PS25/17 (28 Nov 2025)", False,
         "No pre-trade publication in bonds or derivatives."),
)  # fmt: skip
