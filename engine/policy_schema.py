"""What a price-improvement policy is given, and the tables that this comes from.

`engine.schema` has them too, and the rest.
"""

from engine.limits import POLICY_PARAMS
from engine.records import record

#: Inputs of a price-improvement policy. It returns the price it asks for, `px_e6`.
policy_input = record(
    "side",  # of the client
    "qty",
    "notional_e6",
    "zone",
    "quote_px_e6",  # the side of our quote that the client would get
    "bid_px_e6",  # our quote
    "ask_px_e6",
    "tick_e6",  # at the quoted price
    "mid_x2_e6",  # bid + ask: twice the midpoint, so that it stays whole
    "position_qty",  # the firm's, before the trade
    "recv_ns",
    ("param", POLICY_PARAMS),
    "tier",  # of the client
    "mrm_bid_px_e6",  # the market that the quote was made from, 0: none
    "mrm_ask_px_e6",
    "position_max_e6",  # largest absolute position value, 0: none
    "vol_e9",  # of the mid: relative, per square root of a second
    ("markout_e9", 4),  # of the client, relative; positive: it was right
    ("markout_fills", 4),  # how many fills that rests on
)

#: What the policy is given for one pool, tier and asset class: row
#: `(pool * TIERS + tier) * ASSET_CLASSES + asset_class`.
policy_rule = record(
    "given",  # 0: no rule, `params.policy_param` holds
    ("param", POLICY_PARAMS),
    ("by", 2),  # packed: who asked for it
    ("approved_by", 2),  # packed: the second person, where one is needed
)

#: How much the mid of an instrument moves, one row per instrument (`volatility.py`).
volatility = record(
    "mid_x2_e6",  # bid + ask of the last tradable BBO, 0: none yet
    "squares_e18",  # of its relative moves, summed up; half of it is left after a half-life
    "decayed_ns",  # up to when
)

#: A fill that waits for its mark-outs.
marked_fill = record("client", "instrument", "side", "px_e6", "recv_ns")

#: How the mid moved after a client's fills, one row per client (`markouts.py`).
markout = record(
    ("markout_e9", 4),  # weighted mean, of the price; positive: as the client wished
    ("fills", 4),
)
