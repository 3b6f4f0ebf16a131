"""What there are rules about, in the order in which they are shown."""

from typing import NamedTuple


class Topic(NamedTuple):
    """One question that exactly one rule answers on any day."""

    key: str
    section: str
    title: str


_SECTIONS = {
    "Quoting": {
        "min-quote-size": "Minimum quote size",
        "obligation": "Quoting obligation",
        "sms-shares": "SMS ladder, shares and depositary receipts",
        "sms-funds": "SMS ladder, ETFs, certificates and similar",
        "sms-values": "SMS values in use",
        "market-conditions": "Prevailing market conditions",
        "quoting-duty": "Duty to quote",
        "quoting-hours": "Regular and continuous",
        "quote-time": "Time of a quote",
        "withdrawal": "Withdrawal of quotes",
        "better-price": "Better price",
        "other-price": "Other prices",
        "client-limits": "Limits on clients",
        "execution-rules": "Rules of execution",
        "mrm": "Most relevant market until determined",
        "yearly-cycle": "Yearly values change on",
    },
    "Ticks and midpoint": {
        "tick-table": "Tick table",
        "tick-quotes": "Tick on quotes",
        "tick-prices": "Tick on improvements and executions",
        "tick-third-country": "Tick of a third-country venue",
        "midpoint": "Matching at the midpoint",
    },
    "Large in scale and liquidity": {
        "lis-shares": "LIS, shares and depositary receipts",
        "lis-etfs": "LIS, ETFs",
        "lis-similar": "LIS, certificates and similar",
        "liquid-shares": "Liquid market, shares",
        "liquid-drs": "Liquid market, depositary receipts",
        "liquid-etfs": "Liquid market, ETFs",
        "liquid-certificates": "Liquid market, certificates",
        "liquid-other": "Liquid market, other similar",
    },
    "Post-trade": {
        "publisher": "Who publishes a trade between firms",
        "publisher-client": "Who publishes a trade with a client",
        "publication-limit": "Time limit of publication",
        "deferral-shares": "Deferral, shares and depositary receipts",
        "deferral-etfs": "Deferral, ETFs",
        "deferral-similar": "Deferral, certificates and similar",
        "deferral-end-of-day": "Deferral to the end of the day",
        "flags": "Post-trade flags (off-venue)",
        "report-fields": "Trade report fields",
        "not-published": "Trades not published",
        "transaction-report": "Transaction report",
    },
    "Status, data and clocks": {
        "si-test": "When a firm is SI",
        "non-equity": "Quoting in bonds and derivatives",
        "share-trading": "Share trading obligation",
        "quote-fields": "Fields of a published quote",
        "delayed-data": "Access to published data",
        "clocks": "Business clocks",
    },
}

TOPICS = tuple(
    Topic(key, section, title)
    for section, titles in _SECTIONS.items()
    for key, title in titles.items()
)
BY_KEY = {topic.key: topic for topic in TOPICS}
