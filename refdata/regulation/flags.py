"""Post-trade flags: RTS 1 Annex I Table 4, by period.

By its letter DR 2025/1246 deleted flags from 23 November 2025: Annex I is not among its deferred
points. Recital 24 speaks of deferring them, and the market (FIX MMT 5.0) moved on 2 March 2026.
The rows follow the letter; `by_market_practice` asks for the other reading.
"""

from datetime import date
from typing import NamedTuple

from engine.regimes import MIFID2_FROM, REVIEW_FROM
from refdata.regulation.rule import in_force, onshored

#: DR 2023/944 Art 1(8): new Tables 3 and 4 of Annex I.
FLAGS_2024_FROM = date(2024, 1, 1)
#: FIX MMT 5.0 for the EU: the day on which the market changed its flags.
MARKET_PRACTICE_FROM = date(2026, 3, 2)

_FIRST = "RTS 1 Annex I Table 4"
_BY_2024 = "RTS 1 Annex I Table 4, by DR 2023/944"
_BY_2025 = "RTS 1 Annex I Table 4 until DR 2025/1246"


class Flag(NamedTuple):
    """One flag; `off_venue` None: the source does not say who used it.

    `practice_to` is the first day on which the market no longer used it, where that is not
    `valid_to`.
    """

    code: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    off_venue: bool | None
    words: str
    citation: str
    sure: bool
    practice_to: date | None = None


def _always(code: str, off_venue: bool, words: str) -> Flag:
    return Flag(code, "EU", MIFID2_FROM, None, off_venue, words, _FIRST, True)


def _deleted_2025(code: str, off_venue: bool | None, words: str) -> Flag:
    return Flag(code, "EU", MIFID2_FROM, REVIEW_FROM, off_venue, words, _BY_2025, True,
                MARKET_PRACTICE_FROM)  # fmt: skip


_EU_FLAGS = (
    _always("BENC", True, "price calculated over multiple instants, such as VWAP or TWAP"),
    _always("NPFT", False, "non-price-forming (RTS 22 Art 2(5))"),
    Flag("PORT", "EU", FLAGS_2024_FROM, None, True,
         "portfolio: five or more instruments, one client, one lot, a reference price",
         _BY_2024, True),
    Flag("CONT", "EU", FLAGS_2024_FROM, None, True,
         "contingent on a derivative or another instrument, one lot", _BY_2024, True),
    _always("SDIV", True, "special dividend: cum and ex conventions reversed"),
    _always("LRGS", True, "large in scale, published late under Art 15"),
    _always("RFPT", False, "reference price waiver"),
    _always("NLIQ", False, "negotiated transaction in a liquid instrument"),
    _always("OILQ", False, "negotiated transaction in an illiquid instrument"),
    _always("PRIC", False, "negotiated transaction, other than current market price"),
    _always("ALGO", False, "algorithmic"),
    _always("CANC", True, "cancellation"),
    _always("AMND", True, "amendment"),
    Flag("TNCP", "EU", MIFID2_FROM, FLAGS_2024_FROM, None,
         "not contributing to price discovery (share trading obligation)",
         "RTS 1 Annex I Table 4 until DR 2023/944", True),
    _deleted_2025("ACTX", None, "agency cross"),
    _deleted_2025("SIZE", True, "SI, incoming order above standard market size"),
    _deleted_2025("ILQD", True, "SI, illiquid instrument"),
    _deleted_2025("RPRI", True, "SI, price improvement under MiFIR Art 15(2)"),
    _deleted_2025("DUPL", True, "reported to more than one APA"),
)  # fmt: skip
#: The FCA's own list diverges from the EU's; it was not read. SIZE, ILQD and RPRI stay in it.
FLAGS = (*_EU_FLAGS, *onshored(_EU_FLAGS))


def flags_on(
    day: date, jurisdiction: str = "EU", *, by_market_practice: bool = False
) -> tuple[Flag, ...]:
    """Flags that a trade report may carry on `day`; LookupError before MiFID II."""
    if not by_market_practice:
        return in_force(FLAGS, day, jurisdiction)
    later = (flag._replace(valid_to=flag.practice_to or flag.valid_to) for flag in FLAGS)
    return in_force(later, day, jurisdiction)
