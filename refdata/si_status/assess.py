"""The quantitative SI test: DR (EU) 2017/565 Arts 12 to 17. Pure, and exact to the last digit.

`SI = substantial and (systematic and frequent, if liquid, else frequent)`, each comparison ">=":

| test | is met where |
|---|---|
| systematic | n / N >= limit; liquid markets only |
| frequent | n / trading days >= 1 (daily), n / whole weeks >= 1 (weekly) |
| substantial | v / V_f >= limit, or v / V >= limit |

n counts and v values the firm's own-account OTC transactions that execute client orders; V_f is all
of the firm's turnover, on own account and for clients, on venues and OTC; N and V are the EU's
transactions and turnover. A limb without data is neither met nor failed: where the others do not
decide, the verdict is that it cannot be said.

Frequency: the law says "on average on a daily basis" and "on average once a week" without a
formula. Here the average is over the trading days of the six months, and over their whole weeks
(days // 7, so that one transaction each Wednesday is weekly whatever day the months begin on); for
an instrument first traded within them, from its first trading day on.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from refdata.si_status.quarters import (
    Quarter,
    after,
    has_history,
    quarter_of,
    trading_days,
)
from refdata.si_status.thresholds import (
    Binding,
    Determination,
    Frequency,
    StatusClass,
    Threshold,
    determination_on,
    threshold_on,
)

E18 = 10**18
BPS = 10_000
DAYS_PER_WEEK = 7


class Capacity(StrEnum):
    """Trading capacity, by the words of RTS 22 field 29."""

    OWN_ACCOUNT = "DEAL"
    MATCHED_PRINCIPAL = "MTCH"
    AGENCY = "AOTC"


class Trade(NamedTuple):
    """One transaction of the firm; `turnover_eur_e18` is EUR x 10^18, so that it is exact."""

    day: date
    subject: str  # ISIN, or the id of a class
    asset_class: StatusClass
    liquid: bool
    turnover_eur_e18: int
    capacity: Capacity
    client_order: bool
    otc: bool


class Flow(NamedTuple):
    """What the firm did in a subject in one or more quarters."""

    asset_class: StatusClass
    first_day: date
    last_day: date
    liquid: bool  # as the last transaction said
    trades: int
    client_trades: int  # n
    client_eur_e18: int  # v
    total_eur_e18: int  # V_f


Flows = Mapping[tuple[str, Quarter], Flow]


class Totals(NamedTuple):
    """What the EU did in a subject in the six months of one assessment."""

    subject: str
    quarter: Quarter
    asset_class: StatusClass
    liquid: bool
    transactions: int  # N
    turnover_eur_e18: int  # V
    first_traded: date | None  # None: not told, taken as long before


class Figures(NamedTuple):
    """What the tests are made of; None is "no data". Money in EUR; `periods` in days or weeks."""

    client_trades: int
    eu_trades: int | None
    client_eur: Fraction
    firm_eur: Fraction | None
    eu_eur: Fraction | None
    periods: Fraction


class Outcome(StrEnum):
    """Of one test."""

    MET = "met"
    NOT_MET = "not met"
    NO_DATA = "no data"


class Verdict(StrEnum):
    """Of an assessment."""

    YES = "yes"
    NO = "no"
    CANNOT_SAY = "cannot be said"
    NOT_ASSESSED = "not assessed"


class LimbName(StrEnum):
    """The tests."""

    SYSTEMATIC = "systematic"
    FREQUENT = "frequent"
    FIRM = "substantial, of the firm's turnover"
    EU = "substantial, of the EU's turnover"


class Limb(NamedTuple):
    """One comparison `value >= limit`, with the numbers behind it; `denominator` None: no data."""

    name: LimbName
    numerator: Fraction
    denominator: Fraction | None
    limit: Fraction
    outcome: Outcome

    @property
    def value(self) -> Fraction | None:
        """The share or the average; None without data."""
        return self.numerator / self.denominator if self.denominator else None


class Assessment(NamedTuple):
    """A verdict and everything behind it. `figures` is None where nothing was assessed."""

    subject: str
    quarter: Quarter
    asset_class: StatusClass
    liquid: bool
    verdict: Verdict
    tests: tuple[Limb, ...]
    figures: Figures | None
    threshold: Threshold
    determination: Determination
    remarks: tuple[str, ...]

    @property
    def monitoring(self) -> bool:
        """True where the verdict makes nobody an SI: the test no longer bound."""
        return self.determination.binding is not Binding.QUANTITATIVE

    def test(self, name: LimbName) -> Limb | None:
        """The test of that name; None where it was not made."""
        return next((test for test in self.tests if test.name is name), None)


def flows_of(trades: Iterable[Trade]) -> dict[tuple[str, Quarter], Flow]:
    """The firm's trades by subject and calendar quarter; ValueError where a class changes."""
    flows: dict[tuple[str, Quarter], Flow] = {}
    for trade in trades:
        add_trade(flows, trade)
    return flows


def add_trade(flows: dict[tuple[str, Quarter], Flow], trade: Trade) -> None:
    """One more trade; ValueError where it has another class than its subject's others."""
    key = (trade.subject, quarter_of(trade.day))
    # DR 2017/565 Art 12(a)(i). Matched principal trades count as turnover only: no source that was
    # read settles whether they are own account here.
    counts = trade.client_order and trade.otc and trade.capacity is Capacity.OWN_ACCOUNT
    one = Flow(
        trade.asset_class, trade.day, trade.day, trade.liquid, 1, int(counts),
        trade.turnover_eur_e18 if counts else 0, trade.turnover_eur_e18,
    )  # fmt: skip
    before = flows.get(key)
    flows[key] = one if before is None else _added(trade.subject, before, one)


def assess_quarter(
    flows: Flows,
    totals: Mapping[tuple[str, Quarter], Totals],
    quarter: Quarter,
    *,
    jurisdiction: str = "EU",
    listed_days: Collection[date] | None = None,
) -> list[Assessment]:
    """Every subject that the firm traded in the six months, by name.

    Raises LookupError where the jurisdiction has no thresholds, ValueError where trades and totals
    name different asset classes.
    """
    return [
        assess_subject(
            subject, flow, totals.get((subject, quarter)), quarter,
            jurisdiction=jurisdiction, listed_days=listed_days,
        )
        for subject, flow in sorted(_in_quarter(flows, quarter).items())
    ]  # fmt: skip


def assess_subject(
    subject: str,
    flow: Flow,
    totals: Totals | None,
    quarter: Quarter,
    *,
    jurisdiction: str = "EU",
    listed_days: Collection[date] | None = None,
) -> Assessment:
    """One subject in one quarter, from the firm's flow of the six months and the EU's totals."""
    if totals is not None and totals.asset_class is not flow.asset_class:
        raise ValueError(
            f"{subject}: the trades say {flow.asset_class.value}, the EU totals "
            f"{totals.asset_class.value}: correct one of the two"
        )
    liquid = flow.liquid if totals is None else totals.liquid
    last_day = quarter.data_to - timedelta(days=1)
    threshold = threshold_on(last_day, flow.asset_class, liquid=liquid, jurisdiction=jurisdiction)
    # The day on which the data would have come, since ESMA's notice stops "1 February 2025".
    determination = determination_on(quarter.published_by, jurisdiction)
    remarks = _remarks(flow, totals, threshold, determination)
    first_traded = None if totals is None else totals.first_traded
    if first_traded and not has_history(first_traded, quarter.data_to, threshold.history):
        ready = after(first_traded, threshold.history)
        remarks.append(
            f"first traded {first_traded.isoformat()}: {threshold.history} of history are needed "
            f"(DR 2017/565 Art 17), that is data up to {ready.isoformat()}"
        )
        return Assessment(
            subject, quarter, flow.asset_class, liquid, Verdict.NOT_ASSESSED, (), None,
            threshold, determination, tuple(remarks),
        )  # fmt: skip
    begins = max(quarter.data_from, first_traded or quarter.data_from)
    figures = figures_of(flow, totals, _periods(threshold, begins, quarter, listed_days))
    if figures.eu_trades is not None and _contradicts(figures):
        remarks.append(
            "the firm's own numbers exceed the EU's totals, which contain them: the totals are "
            "not used; correct one of the two files"
        )
        figures = figures._replace(eu_trades=None, eu_eur=None)
    tests = measure(figures, threshold)
    return Assessment(
        subject, quarter, flow.asset_class, liquid, verdict_of(tests), tests, figures,
        threshold, determination, tuple(remarks),
    )  # fmt: skip


def figures_of(flow: Flow, totals: Totals | None, periods: Fraction) -> Figures:
    """The numbers of one subject as the tests take them."""
    return Figures(
        client_trades=flow.client_trades,
        eu_trades=None if totals is None else totals.transactions,
        client_eur=Fraction(flow.client_eur_e18, E18),
        firm_eur=Fraction(flow.total_eur_e18, E18),
        eu_eur=None if totals is None else Fraction(totals.turnover_eur_e18, E18),
        periods=periods,
    )


def measure(figures: Figures, threshold: Threshold) -> tuple[Limb, ...]:
    """Every test that the threshold has, in the order of the law."""
    trades = Fraction(figures.client_trades)
    eu_trades = None if figures.eu_trades is None else Fraction(figures.eu_trades)
    tests = []
    if threshold.systematic_bps is not None:
        limit = Fraction(threshold.systematic_bps, BPS)
        tests.append(compare(LimbName.SYSTEMATIC, trades, eu_trades, limit))
    tests.append(compare(LimbName.FREQUENT, trades, figures.periods, Fraction(1)))
    for name, whole, bps in (
        (LimbName.FIRM, figures.firm_eur, threshold.firm_bps),
        (LimbName.EU, figures.eu_eur, threshold.eu_bps),
    ):
        tests.append(compare(name, figures.client_eur, whole, Fraction(bps, BPS)))
    return tuple(tests)


def compare(name: LimbName, part: Fraction, whole: Fraction | None, limit: Fraction) -> Limb:
    """One test. Nothing is less than any limit of anything: 0 fails with or without data."""
    if part == 0:
        return Limb(name, part, whole or None, limit, Outcome.NOT_MET)
    if not whole:
        return Limb(name, part, None, limit, Outcome.NO_DATA)
    met = part >= limit * whole  # ">=" throughout: DR 2017/565 says "equal to or larger than"
    return Limb(name, part, whole, limit, Outcome.MET if met else Outcome.NOT_MET)


def verdict_of(tests: Collection[Limb]) -> Verdict:
    """`(firm or EU) and systematic and frequent`, where a limb may have no data."""
    outcomes = {test.name: test.outcome for test in tests}
    substantial = substantial_of(tests)
    limbs = {
        substantial,
        outcomes[LimbName.FREQUENT],
        outcomes.get(LimbName.SYSTEMATIC, Outcome.MET),
    }
    if Outcome.NOT_MET in limbs:
        return Verdict.NO
    return Verdict.CANNOT_SAY if Outcome.NO_DATA in limbs else Verdict.YES


def substantial_of(tests: Collection[Limb]) -> Outcome:
    """Either of the two substantial limbs."""
    either = {test.outcome for test in tests if test.name in (LimbName.FIRM, LimbName.EU)}
    for outcome in (Outcome.MET, Outcome.NO_DATA):
        if outcome in either:
            return outcome
    return Outcome.NOT_MET


def quarters_of(flows: Flows) -> list[Quarter]:
    """Every assessment whose two calendar quarters lie within those traded in, oldest first."""
    traded = sorted({quarter for _, quarter in flows})
    if not traded:
        return []
    found, quarter = [], traded[0].shifted(2)
    while quarter.shifted(-1) <= traded[-1]:
        found.append(quarter)
        quarter = quarter.shifted(1)
    return found


def coverage_of(flows: Flows) -> tuple[date, date] | None:
    """First and last day with a trade of the firm in any subject; None without trades."""
    if not flows:
        return None
    return min(f.first_day for f in flows.values()), max(f.last_day for f in flows.values())


def _in_quarter(flows: Flows, quarter: Quarter) -> dict[str, Flow]:
    """The flows of the two calendar quarters that an assessment looks at, added."""
    found: dict[str, Flow] = {}
    for (subject, when), flow in flows.items():
        if when in quarter.data_quarters:
            before = found.get(subject)
            found[subject] = flow if before is None else _added(subject, before, flow)
    return found


def _added(subject: str, one: Flow, other: Flow) -> Flow:
    if one.asset_class is not other.asset_class:
        raise ValueError(
            f"{subject} is {one.asset_class.value} in one trade and {other.asset_class.value} in "
            "another: a subject has one asset class"
        )
    # Of two trades on the same day the later one in the file counts.
    newest = other if other.last_day >= one.last_day else one
    return Flow(
        one.asset_class, min(one.first_day, other.first_day), newest.last_day, newest.liquid,
        one.trades + other.trades, one.client_trades + other.client_trades,
        one.client_eur_e18 + other.client_eur_e18, one.total_eur_e18 + other.total_eur_e18,
    )  # fmt: skip


def _contradicts(figures: Figures) -> bool:
    """Whether a part is larger than its whole, which only wrong data can be."""
    pairs: tuple[tuple[Fraction | int, Fraction | int | None], ...] = (
        (figures.client_trades, figures.eu_trades),
        (figures.client_eur, figures.eu_eur),
    )
    return any(whole is not None and part > whole for part, whole in pairs)


def _periods(
    threshold: Threshold, begins: date, quarter: Quarter, listed: Collection[date] | None
) -> Fraction:
    """Trading days, or weeks: what the frequency is an average over."""
    if threshold.frequency is Frequency.DAILY:
        return Fraction(trading_days(begins, quarter.data_to, listed))
    return Fraction((quarter.data_to - begins).days // DAYS_PER_WEEK)


def _remarks(
    flow: Flow, totals: Totals | None, threshold: Threshold, determination: Determination
) -> list[str]:
    remarks = []
    if totals is None:
        kind = "liquid" if flow.liquid else "illiquid"
        remarks.append(f"no EU totals: {kind} as the firm's last trade of the period says")
    elif totals.liquid is not flow.liquid:
        word = "liquid" if totals.liquid else "illiquid"
        remarks.append(f"{word} as the EU totals say; the firm's last trade says otherwise")
    for what, row in (("thresholds", threshold), ("determination", determination)):
        if not row.sure:
            remarks.append(f"{what} not read in the official text ({row.citation}): check them")
    return remarks
