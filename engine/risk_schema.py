"""The tables of `engine.risk` that look back; `engine.schema` has them too, and the rest."""

from engine.limits import FLOW_SLOTS, REPEATS_MAX
from engine.records import record

#: One row: what all clients together were filled in the last second, in slots of FLOW_SLOT_NS.
flow = record(
    ("fills", FLOW_SLOTS),
    ("value_eur_e6", FLOW_SLOTS),
    "slot",  # number of the current one since the epoch
    "fills_sum",
    "sum_eur_e6",
)

#: When a client was last filled in one instrument and direction: a ring of the newest fills.
repeat = record("client", "instrument", "side", "fills", ("fill_ns", REPEATS_MAX))
