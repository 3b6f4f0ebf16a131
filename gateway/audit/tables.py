"""What the recount keeps: the state of each instrument, and counts; one handle of struct arrays."""

from enum import IntEnum
from typing import Any

import numpy as np

from engine import schema
from engine.handle import Handle
from engine.limits import INT64_MAX, MORE_SIZES, TICK_ROWS, VENUES_MAX
from engine.tables import REGIMES_MAX
from gateway.audit.rules import BREACH, VERDICTS, Rule

HOURS_MAX = 16  # intervals of published hours in a day
SLOTS = 96  # of the day in the charts: a quarter of an hour each
DAY_NS = 86_400 * 10**9
SLOT_NS = DAY_NS // SLOTS
CASES_MAX = 20  # worst cases kept of each rule
REASONS_MAX = 128
ZONES = 6
BPS_E2_MAX = 100_000  # 1,000 bps: what is further away is counted there
TENTHS_MAX = 100  # improvement in tenths of a tick
DATAGRAM_MAX = 20


class Presence(IntEnum):
    """Why there is a quote of an instrument or none; a column of `Book.presence`."""

    LIVE = 0
    HALTED = 1  # the MRM: DR 2017/567 Art 14(1)(a)
    AUCTION = 2
    MRM_CLOSED = 3
    STALE = 4
    ONE_SIDED = 5
    CROSSED = 6
    EMPTY = 7
    NOT_YET = 8  # no quote was ever made
    OTHER = 9
    NOT_RUNNING = 10
    NOT_DUE = 11  # the firm is not SI in it, or it has no liquid market
    SUSPENDED = 12  # by a person, DR 2017/567 Art 14(1)
    TOO_FAR = 13  # from the MRM, by the firm's own bound
    STOPPED = 14  # by a kill switch: prudent risk management, DR 2017/567 Art 14(1)


def _dtype(names: str, *more: str) -> np.dtype:
    """A word for each of `names`, and one of each further size for each of `more`."""
    sized = [(name, "i8", (MORE_SIZES,)) for name in more]
    return np.dtype([*((name, "i8") for name in names.split()), *sized], align=True)


#: Our quote as the journal shows it, and since when it (or its absence) has been so.
shown = _dtype(
    "quote_id live reason bid_px_e6 ask_px_e6 bid_qty ask_qty entered_ns position seq"
    " presence since_ns versions far_bps_e2",
    "more_bid_px_e6", "more_ask_px_e6", "more_bid_qty", "more_ask_qty",
)  # fmt: skip
venue_book = _dtype("bid_px_e6 ask_px_e6 bid_qty ask_qty phase recv_ns")
market = _dtype("from_mrm bid_px_e6 ask_px_e6 best_bid_px_e6 best_ask_px_e6")
#: A record that shows a finding; `a` to `d` are the rule's numbers.
case = _dtype(
    "weight position seq ts_ns instrument client order_id exec_id quote_id a b c d"
)  # fmt: skip
#: An order as it was received, with the quote that was public then.
receipt = _dtype(
    "open session client instrument side qty ord_type limit_px_e6 quote_id live bid_px_e6 ask_px_e6"
    " bid_qty ask_qty in_hours px_e6 cited_id cited_bid_px_e6 cited_ask_px_e6 cited_improvement_e6"
    " zone policy_hash waiting last_qty size cited_size"
)
#: The first fill from a size of a quote, by side and zone: others are compared with it.
fair = _dtype("quote_id client px_e6 policy_hash seq")
client_tally = _dtype("orders fills improved refused value_eur_e6 to_desk")
run = _dtype(
    "from_ns until_ns counting base frames first_seq last_seq last_ns first_ns day_first_ns"
    " orders fills auto_fills desk_fills given_fills quotes live_quotes sized tick_quotes"
    " first_quote_id last_quote_id switched_quotes tick_fills improved compared fallback"
    " far_bps_e2_max close_bps_e2 venue_quotes records record_body record_ns venues regimes"
    " hours inputs covered honoured boots"
)


class Book(Handle):
    """Everything the recount reads and writes."""

    params: Any
    regimes: Any
    ticks: Any
    venues: Any
    clients: Any
    instruments: Any
    slots: Any  # open addressing by ISIN: row + 1, 0 for free
    venue_books: Any  # instrument * VENUES_MAX + venue
    before: Any  # scratch: the books of one instrument
    taken: Any  # of each record of the last datagram, whether it was applied
    shown: Any
    fair: Any  # ((instrument * 2 + side) * ZONES + zone) * (MORE_SIZES + 1) + size
    hours: Any  # int64[HOURS_MAX, 2]: from, until (exclusive)
    presence: Any  # int64[instruments, Presence]: ns within the hours
    live_slots: Any  # int64[instruments, SLOTS]: ns quoted
    halt_slots: Any
    run: Any
    tally: Any  # int64[rules]: how many cases there were
    kept: Any  # int64[rules]: how many are in `cases`
    cases: Any  # rule * CASES_MAX + n
    here: Any  # case[2]: the frame at hand, the fill that waits for its quote
    receipt: Any
    market: Any
    distances: Any  # int64[BPS_E2_MAX + 1]: sides of quotes, by distance in hundredths of a bp
    improvements: Any  # int64[ZONES, TENTHS_MAX + 1]
    client_tally: Any
    refusals: Any  # int64[clients, reasons]
    covered: Any  # int64[reasons, verdicts]: the same, within a firm quote
    zone_fills: Any  # int64[clients, ZONES]
    zone_milliticks: Any  # int64[clients, ZONES]: improvement in thousandths of a tick
    verdicts: Any  # int64[reasons]
    venue_quote: Any  # scratch records
    quote: Any
    event: Any
    execution: Any


def allocate(from_ns: int, until_ns: int, close_bps: int, instruments: int, clients: int) -> Book:
    """An empty book for the frames of `from_ns` to `until_ns` (exclusive)."""
    verdicts = np.full(REASONS_MAX, BREACH, np.int64)
    for reason, verdict in VERDICTS.items():
        verdicts[reason] = verdict
    book = Book(
        params=np.zeros(1, schema.params),
        regimes=np.zeros(REGIMES_MAX, schema.regime),
        ticks=np.zeros(TICK_ROWS, schema.tick_row),
        venues=np.zeros(VENUES_MAX, schema.venue),
        clients=np.zeros(clients, schema.client),
        instruments=np.zeros(instruments, schema.instrument),
        slots=np.zeros(1 << (2 * instruments).bit_length(), np.int64),
        venue_books=np.zeros(instruments * VENUES_MAX, venue_book),
        before=np.zeros(VENUES_MAX, venue_book),
        taken=np.zeros(DATAGRAM_MAX, np.int64),
        shown=np.zeros(instruments, shown),
        fair=np.zeros(instruments * 2 * ZONES * (MORE_SIZES + 1), fair),
        hours=np.zeros((HOURS_MAX, 2), np.int64),
        presence=np.zeros((instruments, len(Presence)), np.int64),
        live_slots=np.zeros((instruments, SLOTS), np.int64),
        halt_slots=np.zeros((instruments, SLOTS), np.int64),
        run=np.zeros(1, run),
        tally=np.zeros(len(Rule), np.int64),
        kept=np.zeros(len(Rule), np.int64),
        cases=np.zeros(len(Rule) * CASES_MAX, case),
        here=np.zeros(2, case),
        receipt=np.zeros(1, receipt),
        market=np.zeros(1, market),
        distances=np.zeros(BPS_E2_MAX + 1, np.int64),
        improvements=np.zeros((ZONES, TENTHS_MAX + 1), np.int64),
        client_tally=np.zeros(clients, client_tally),
        refusals=np.zeros((clients, REASONS_MAX), np.int64),
        covered=np.zeros((REASONS_MAX, 3), np.int64),
        zone_fills=np.zeros((clients, ZONES), np.int64),
        zone_milliticks=np.zeros((clients, ZONES), np.int64),
        verdicts=verdicts,
        venue_quote=np.zeros(1, schema.venue_quote),
        quote=np.zeros(1, schema.quote),
        event=np.zeros(1, schema.order_event),
        execution=np.zeros(1, schema.execution),
    )
    assert 0 <= from_ns < until_ns < INT64_MAX
    row = book.run[0]
    row["from_ns"], row["until_ns"] = from_ns, until_ns
    row["close_bps_e2"] = 100 * close_bps
    book.shown["presence"] = Presence.NOT_DUE
    return book
