"""Every capacity and bound of the engine, with the relations they rely on.

Tables are allocated once, at these sizes; a full table is a named reject, never growth.
"""

from typing import NamedTuple

INT64_MAX = 2**63 - 1

PX_E6_MAX = 10**13  # 10 million currency units a share
QTY_MAX = 10**11  # shares in one order
SMS_E6_MAX = 2 * 10**14  # threshold_bps and quote_size_bps multiply it
EUR_PER_UNIT_E9_MAX = 9 * 10**9  # the scaled multiplication in money.py relies on it
CLORDID_WORDS = 8
CLORDID_SIZE_MAX = 8 * CLORDID_WORDS  # bytes of a ClOrdID(11) that the order table can hold
ISIN_WORDS = 2
QUOTE_REF_WORDS = 4  # of the QuoteID(117) of a quote on request
VENUES_MAX = 8  # venues that quote one instrument
VERSIONS_MAX = 4  # last versions of a quote that an order may have seen; a power of two
MORE_SIZES = 2  # of a public quote, besides the first
MORE_SIZE_BPS_MAX = 10_000_000  # of the first size: a thousand times
MORE_SIZE_TICKS_MAX = 100  # further out than the first price
SWEEP_MAX = 1 << 10  # instruments whose quotes one input may look at again
TICK_BANDS = 6  # RTS 11 liquidity bands
TICK_ROWS = 19  # RTS 11 price ranges
OUTPUTS_MAX = 64  # executions (or desk items) that one input may cause
POLICY_PARAMS = 8  # integers that a price-improvement policy is given
TIERS = 8  # of clients
POOLS = 8  # of liquidity: who is in which is published
POOL_NAME_WORDS = 2
ASSET_CLASSES = 6  # `enums.AssetClass`, and 0 where none is known
MARKOUTS_AT_ONCE = 64  # mark-outs of one horizon that one input may take
MARKOUT_NS_MAX = 3_600 * 10**9  # longest horizon
VOL_HALF_LIFE_NS_MIN = 10**9  # `volatility.py` relies on both
VOL_HALF_LIFE_NS_MAX = 3_600 * 10**9

MASS_MAX = OUTPUTS_MAX - 1  # orders in one piece of a mass request; one more row reports on it
ECHO_SIZE_MAX = 512  # bytes of what a client said of an order that come back
ECHO_TAGS_MAX = 16  # tags of a client's own among them

EUR_E6_MAX = 1 << 60  # of one position's value or P&L; beyond it they are counted as this much
EUR_TOTAL_E6_MAX = 1 << 62  # of the firm's
REPEATS_MAX = 16  # fills that the throttle of repeated executions can count
REPEAT_PROBES = 16  # places where it looks for a client, instrument and direction
FLOW_SLOT_NS = 62_500_000  # the last second is kept in slots of this length
FLOW_SLOTS = 17  # the current one and the sixteen before
LIMIT_CHANGES_MAX = 1 << 10  # limits changed while running, in one journal

FRAME_ALIGN = 64  # journal frames start on cache lines
SEGMENT_SIZE = 64 << 20  # bytes of one journal segment
FRAME_SIZE_MAX = 128 << 10  # bytes of one journal frame

assert PX_E6_MAX < INT64_MAX // 4, "bid + ask must not overflow"
assert QTY_MAX * MORE_SIZE_BPS_MAX < INT64_MAX // 2, "a multiple of a size is rounded up"
assert EUR_TOTAL_E6_MAX + 2 * EUR_E6_MAX < INT64_MAX, "a total moves before it is capped"
assert FLOW_SLOT_NS * (FLOW_SLOTS - 1) == 10**9, "no less than a second"
assert SEGMENT_SIZE % FRAME_ALIGN == 0 and FRAME_SIZE_MAX * 4 < SEGMENT_SIZE


class Capacity(NamedTuple):
    """Rows of each table; the slots of an index are a power of two, at least twice its rows."""

    instruments: int = 1 << 16
    clients: int = 1 << 10
    orders: int = 1 << 21
    desk_items: int = 1 << 16
    given_quotes: int = 1 << 16
    marked_fills: int = 1 << 16  # fills that wait for a mark-out
    repeats: int = 1 << 14  # a power of two

    @property
    def replaced(self) -> int:
        """ClOrdIDs that orders had before; they share the index of the orders."""
        return self.orders // 8

    @property
    def isin_slots(self) -> int:
        return _slots(self.instruments)

    @property
    def clordid_slots(self) -> int:
        return _slots(self.orders)

    @property
    def given_slots(self) -> int:
        return _slots(self.given_quotes)


def _slots(rows: int) -> int:
    """Slots of an open-addressing index that `rows` fill to at most a half."""
    return 1 << (2 * rows - 1).bit_length()
