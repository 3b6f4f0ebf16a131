"""Every rule in words, both jurisdictions: exactly one for each topic on any day.

Sizes, ladders and tests that exist as tables are put into words here from those tables, so that
the two cannot differ.
"""

from collections.abc import Iterable
from datetime import date

from engine import regimes
from engine.enums import AssetClass
from refdata.regulation.deferrals import DEFERRAL_TABLES, END_OF_DAY_RULES, DeferralTable, Delay
from refdata.regulation.liquidity import LIQUIDITY_TESTS, LiquidityTest
from refdata.regulation.rule import Rule, holds, in_force, onshored
from refdata.regulation.timeline_quoting import QUOTING_RULES
from refdata.regulation.timeline_reporting import REPORTING_RULES
from refdata.regulation.timeline_uk import UK_CHANGES
from refdata.regulation.topics import BY_KEY, TOPICS

_SHORT = {
    Delay.MINUTES_60: "60 min",
    Delay.MINUTES_120: "120 min",
    Delay.END_OF_DAY: "end of day",
}


def ladder_words(ladder: regimes.Ladder) -> str:
    """The SMS values of a ladder, in rising order, EUR."""
    cells = " ".join(f"{sms:,}" for _, sms in ladder.cells)
    return f"{cells} ... (+{ladder.etc_width:,})"


def lis_words(table: regimes.LisTable) -> str:
    """The LIS values of a table, in rising order, EUR."""
    return " ".join(f"{lis:,}" for _, lis in (*table.cells, (0, table.etc_lis_eur)))


def deferral_words(table: DeferralTable) -> str:
    """From which sizes on each delay is possible, from the lowest band of ADT to the highest."""
    parts = []
    for low, high in zip(table.bands[0].cells, table.bands[-1].cells, strict=True):
        sizes = f"{low[0]:,}" if low == high else f"{low[0]:,} - {high[0]:,}"
        parts.append(f"{_SHORT[high[1]]} from {sizes}")
    return ", ".join(parts) + (" by ADT" if len(table.bands) > 1 else "")


def liquidity_words(test: LiquidityTest) -> str:
    """The thresholds of a liquid market test in one line."""
    if test.never:
        return "never liquid"
    size = f"{test.size_name} {test.size_from:,}"
    if test.size_mtf_from != test.size_from:
        size += f" ({test.size_mtf_from:,} on MTFs only)"
    return f"{size}; ADNT {test.adnt_from:,}; ADT {test.adt_from_eur:,}"


def _ladder_rules(topic: str, asset_class: AssetClass) -> Iterable[Rule]:
    own = (
        "Shares and depositary receipts have a finer ladder below EUR 20,000 (Table 3)."
        if topic == "sms-shares"
        else "ETFs, certificates and similar instruments get a ladder of their own (Table 3a), "
        "finer below EUR 40,000."
    )
    for ladder in regimes.LADDERS:
        if ladder.jurisdiction != "EU" or asset_class not in ladder.asset_classes:
            continue
        new = ladder.valid_from != regimes.MIFID2_FROM
        words = "SMS is the middle of the bucket that the AVT falls in. " + (
            own if new else "One ladder serves all classes."
        )
        desk = (
            "SMS moves for every instrument with an AVT below EUR "
            f"{20_000 if topic == 'sms-shares' else 40_000:,}; above, the buckets are the old "
            "ones. An AVT below 10,000 now means an SMS of 5,000 (it was 10,000). Load the "
            "published SMS; the ladder checks it."
        )
        yield Rule(topic, "EU", ladder.valid_from, ladder.valid_to, ladder_words(ladder), words,
                   ladder.citation, ladder.sure, desk if new else "")  # fmt: skip


def _lis_rules(topic: str, asset_class: AssetClass) -> Iterable[Rule]:
    words = "Pre-trade large in scale, EUR, by average daily turnover (not by AVT)."
    desk = "Orders below the new threshold are no longer large in scale."
    for table in regimes.LIS_TABLES:
        if table.jurisdiction == "EU" and asset_class in table.asset_classes:
            new = table.valid_from != regimes.MIFID2_FROM
            yield Rule(topic, "EU", table.valid_from, table.valid_to, lis_words(table), words,
                       table.citation, table.sure, desk if new else "")  # fmt: skip


def _deferral_rules(topic: str, asset_class: AssetClass) -> Iterable[Rule]:
    words = (
        "A trade on own account of at least this size may be published late, if the authority "
        "authorised it."
    )
    desk = "Trades below the new size are published at once."
    for table in DEFERRAL_TABLES:
        if table.jurisdiction == "EU" and asset_class in table.asset_classes:
            new = table.valid_from != regimes.MIFID2_FROM
            yield Rule(topic, "EU", table.valid_from, table.valid_to, deferral_words(table), words,
                       table.citation, table.sure, desk if new else "")  # fmt: skip


def _end_of_day_rules() -> Iterable[Rule]:
    for rule in END_OF_DAY_RULES:
        if rule.jurisdiction == "EU":
            words = (
                "A trade deferred to the end of the day and executed more than two hours before it "
                f"is published after the close; one executed later, by {rule.late}."
            )
            new = rule.valid_from != regimes.MIFID2_FROM
            yield Rule("deferral-end-of-day", "EU", rule.valid_from, rule.valid_to,
                       f"late trades by {rule.late}", words, rule.citation, rule.sure,
                       "Release trades of the last two hours earlier, at the next opening."
                       if new else "")  # fmt: skip


def _liquidity_rules(topic: str, asset_class: AssetClass) -> Iterable[Rule]:
    words = "Liquid where every number reaches its threshold; the published flag is what counts."
    for test in LIQUIDITY_TESTS:
        if test.jurisdiction != "EU" or asset_class not in test.asset_classes:
            continue
        if test.never:
            yield Rule(topic, "EU", regimes.MIFID2_FROM, test.valid_from, "no test",
                       "The law has no liquid market test for other similar instruments.",
                       "DR 2017/567 Arts 1-4", True)  # fmt: skip
            yield Rule(topic, "EU", test.valid_from, None, liquidity_words(test),
                       "Other similar instruments never have a liquid market.",
                       test.citation, test.sure,
                       "No firm public quote and no SMS: quote them on request.")  # fmt: skip
            continue
        desk = (
            "Market capitalisation takes the place of free float. The first flags made that way "
            "follow with the yearly values; instruments may turn liquid then."
        )
        new = test.valid_from != regimes.MIFID2_FROM
        yield Rule(topic, "EU", test.valid_from, test.valid_to, liquidity_words(test), words,
                   test.citation, test.sure, desk if new else "")  # fmt: skip


def _eu_rules() -> Iterable[Rule]:
    yield from QUOTING_RULES
    yield from _ladder_rules("sms-shares", AssetClass.SHARE)
    yield from _ladder_rules("sms-funds", AssetClass.ETF)
    yield from _lis_rules("lis-shares", AssetClass.SHARE)
    yield from _lis_rules("lis-etfs", AssetClass.ETF)
    yield from _lis_rules("lis-similar", AssetClass.CERTIFICATE)
    yield from _liquidity_rules("liquid-shares", AssetClass.SHARE)
    yield from _liquidity_rules("liquid-drs", AssetClass.DEPOSITARY_RECEIPT)
    yield from _liquidity_rules("liquid-etfs", AssetClass.ETF)
    yield from _liquidity_rules("liquid-certificates", AssetClass.CERTIFICATE)
    yield from _liquidity_rules("liquid-other", AssetClass.OTHER)
    yield from _deferral_rules("deferral-shares", AssetClass.SHARE)
    yield from _deferral_rules("deferral-etfs", AssetClass.ETF)
    yield from _deferral_rules("deferral-similar", AssetClass.CERTIFICATE)
    yield from _end_of_day_rules()
    yield from REPORTING_RULES


def _uk_rules(eu_rules: Iterable[Rule]) -> Iterable[Rule]:
    """Onshored rules up to the day on which the UK changed the topic, then the change."""
    changed_from = {rule.topic: rule.valid_from for rule in UK_CHANGES}
    for rule in onshored(eu_rules):
        first = changed_from.get(rule.topic)
        if first is None or (rule.valid_to is not None and rule.valid_to <= first):
            yield rule
        elif rule.valid_from < first:
            yield rule._replace(valid_to=first)
    yield from UK_CHANGES


def _ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    position = {topic.key: index for index, topic in enumerate(TOPICS)}
    return tuple(sorted(rules, key=lambda rule: (position[rule.topic], rule.valid_from)))


EU_RULES = _ordered(_eu_rules())
UK_RULES = _ordered(_uk_rules(EU_RULES))
RULES = (*EU_RULES, *UK_RULES)


def rules_on(day: date, jurisdiction: str = "EU") -> tuple[Rule, ...]:
    """The rule of every topic on `day`, in the order of `TOPICS`; LookupError before MiFID II."""
    return in_force(RULES, day, jurisdiction)


def rule_on(topic: str, day: date, jurisdiction: str = "EU") -> Rule:
    """The rule of one topic on `day`; LookupError for an unknown topic or day."""
    if topic not in BY_KEY:
        raise LookupError(f"no topic {topic!r}: write one of {', '.join(BY_KEY)}")
    return next(rule for rule in rules_on(day, jurisdiction) if rule.topic == topic)


def beginning(after: date, until: date, jurisdiction: str) -> tuple[tuple[Rule, Rule], ...]:
    """(rule before, rule) of every rule that begins in (after, until], by day and topic.

    A rule that is repealed within the same days appears too: nothing is left out in between.
    """
    rules_on(after, jurisdiction), rules_on(until, jurisdiction)
    begun = [
        rule
        for rule in RULES
        if rule.jurisdiction == jurisdiction and after < rule.valid_from <= until
    ]
    before = {
        (rule.topic, rule.valid_to): rule for rule in RULES if rule.jurisdiction == jurisdiction
    }
    pairs = [(before[rule.topic, rule.valid_from], rule) for rule in begun]
    return tuple(sorted(pairs, key=lambda pair: pair[1].valid_from))


assert all(holds(rule, rule.valid_from) for rule in RULES), "a rule ends after it begins"
