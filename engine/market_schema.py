"""From what a venue shows to our own quote; `engine.schema` has these records too, and the rest."""

from engine.limits import ISIN_WORDS, MORE_SIZES
from engine.records import record

venue = record("mic")

#: What the UDP feed carries, one datagram holding 1..20 of them, and the journal as it came.
venue_quote = record(
    ("isin", ISIN_WORDS),
    "mic",
    "seq",  # the venue's or the adapter's own count
    "phase",  # Phase, plus COUNTED where `seq` counts the venue's records from 1 without a gap
    "bid_px_e6",  # 0: no bid
    "ask_px_e6",  # 0: no ask
    "bid_qty",
    "ask_qty",
)

#: One row per instrument and venue, `instrument * VENUES_MAX + venue`: its last record.
venue_book = record(
    "bid_px_e6",  # 0: no bid; then its quantity is 0, too
    "ask_px_e6",
    "state",  # BookState
    "update",  # number of the record among all that were applied
    "recv_ns",
    "bid_qty",
    "ask_qty",
    "phase",
    "seq",
    "sound_mid_x2_e6",  # bid + ask of the last two-sided record that was believed, 0: none
    "sound_ns",  # when that came
    "jump_ns",  # since when records are refused as too far from it, 0: they are not
)

#: One row per venue: how far its feed can be trusted, and what came of it.
venue_state = record(
    "trusted_from",  # an older record (venue_book.update) of this venue does not count
    "last_seq",  # of its counted records, 0: none has come
    "last_recv_ns",  # of any record
    "records",
    "unknown",  # of these, about an instrument that we do not have
    "repeats",  # with a `seq` that had come before: not applied
    "gaps",
    "lost",  # records that the gaps were made of
    "restarts",  # its count began anew
    "crossed",  # records with bid > ask
    "jumps",  # how often it went too far at once
    "refused",  # records that were not believed for it
)

#: Best bid and offer over the fresh quotes of all venues.
bbo = record(
    "state",
    "bid_px_e6",
    "ask_px_e6",
    "bid_venue",
    "ask_venue",
    "mrm_bid_px_e6",  # 0 where the most relevant market has no bid that counts
    "mrm_ask_px_e6",
    "mrm_recv_ns",  # when its record came, where it has a side that counts
    "age_ns",  # of the newest quote that counted (or of the newest at all, if stale)
)

#: What a LIVE quote was made from, one row per instrument; zeros where it is none.
source = record(
    "oldest_ns",  # receipt of the older of its two sides' records
    "newest_ns",  # differs only where the sides are of two venues
)

#: Our own firm two-way quote, one row per instrument; the last versions are in `quote_versions`.
quote = record(
    "instrument",
    "quote_id",
    "state",
    "reason",  # why withdrawn: a Reason
    "bid_px_e6",
    "ask_px_e6",
    "bid_qty",
    "ask_qty",
    "source_bid_px_e6",  # the market it was made from (RTS 1 Art 10), before rounding to ticks
    "source_ask_px_e6",
    "source_reason",  # why there is no such market, or why we may not quote
    "mrm_bid_px_e6",
    "mrm_ask_px_e6",
    "regime",  # row of the regime that sized it
    "edition",  # of the tables it was made with
    "entered_ns",  # RTS 1 Art 9(d)
    "version",  # of this instrument, from 1
    "suspended",  # Reason for which a person has withdrawn it, 0: nobody has
    "waits",  # Waits: whether `quote_interval_ns` holds a change back
    ("more_bid_px_e6", MORE_SIZES),  # of further sizes, ascending
    ("more_bid_qty", MORE_SIZES),  # 0 with the other three: no such size
    ("more_ask_px_e6", MORE_SIZES),
    ("more_ask_qty", MORE_SIZES),
)
