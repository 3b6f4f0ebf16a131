"""Questions that the texts leave open, with the topics and the days they touch: for counsel."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from engine.regimes import MIFID2_FROM, REVIEW_FROM
from refdata.regulation.flags import FLAGS_2024_FROM, MARKET_PRACTICE_FROM
from refdata.regulation.tick_rules import ART_17A_FROM, MIDPOINT_FROM


class OpenPoint(NamedTuple):
    """A question open from `valid_from` to `valid_to` (exclusive; None is open)."""

    topics: tuple[str, ...]
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    words: str


#: Day after which no text has been read: acts that came later are not in here.
READ_UNTIL = date(2026, 8, 31)

OPEN_POINTS = (
    OpenPoint(
        ("sms-values", "sms-shares", "sms-funds"), "EU", REVIEW_FROM, date(2026, 4, 6),
        "Which SMS values applied from 23 November 2025 to 5 April 2026? The AVT published in "
        "2025 placed on the new ladders, or the values as published? No statement of ESMA was "
        "found.",
    ),
    OpenPoint(
        ("flags",), "EU", REVIEW_FROM, MARKET_PRACTICE_FROM,
        "From which day did the flags go? By its letter DR 2025/1246 deleted them on 23 November "
        "2025 (Annex I is not among its deferred points); recital 24 speaks of a deferral and the "
        "market moved on 2 March 2026. A replay of these months needs a decision.",
    ),
    OpenPoint(
        ("obligation", "min-quote-size"), "EU", REVIEW_FROM, None,
        "What is owed to an order above the published quote size and up to twice SMS? MiFIR "
        "Art 15(4) still says \"standard market size\" and was not updated.",
    ),
    OpenPoint(
        ("midpoint", "tick-prices", "obligation"), "EU", ART_17A_FROM, None,
        "Do ticks bind above the obligation threshold, and in benchmark and portfolio executions? "
        "Art 17a is not among the articles that stop there.",
    ),
    OpenPoint(
        ("midpoint",), "EU", MIDPOINT_FROM, None,
        "What are the \"current bid and offer prices\" of Art 17a(2)? They are not defined; the "
        "touch of the most relevant market is the cautious reading. Keep both legs on record.",
    ),
    OpenPoint(
        ("flags", "transaction-report"), "EU", FLAGS_2024_FROM, None,
        "Which flags belong in field 63 of the transaction report? RTS 22 was not amended: it "
        "still lists SIZE, ILQD and RPRI and lacks PORT and CONT. Keep both sets computed.",
    ),
    OpenPoint(
        ("si-test",), "EU", MIDPOINT_FROM, None,
        "What must the SI notification to the authority contain? The technical standard of MiFIR "
        "Art 15(5) was not seen.",
    ),
    OpenPoint(
        ("deferral-shares", "deferral-etfs", "deferral-similar", "deferral-end-of-day"), "EU",
        MIFID2_FROM, None,
        "Did the home authority authorise deferred publication (MiFIR Art 7)? Without it no delay "
        "in the tables applies.",
    ),
    OpenPoint(
        ("*",), "UK", MIFID2_FROM, None,
        "Every UK row: onshored law from memory or from second-hand sources, not read in the "
        "official text.",
    ),
    OpenPoint(
        ("*",), "EU", READ_UNTIL, None,
        "Acts published after August 2026: the texts were read as of then.",
    ),
)  # fmt: skip


def touching(
    topics: Collection[str], first_day: date, last_day: date, jurisdiction: str
) -> tuple[OpenPoint, ...]:
    """Open points on any of these topics, open on some day from `first_day` to `last_day`."""
    return tuple(
        point
        for point in OPEN_POINTS
        if point.jurisdiction == jurisdiction
        and point.valid_from <= last_day
        and (point.valid_to is None or first_day < point.valid_to)
        and (point.topics == ("*",) or any(topic in topics for topic in point.topics))
    )
