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

#: A limit that was changed while running: for people and for the next start, the engine reads none.
limit_change = record(
    "number",  # of the change, from 1; 0: the row is free
    "ts_ns",
    "scope",  # LimitScope
    "subject",
    "limit",  # its place among the limits of its scope (`gateway.risk_limits`)
    "old",  # in the unit that the limit is kept in; 0: none
    "new",
    "configured",  # what si.toml said of it then
    "dropped",  # 1: si.toml has said otherwise since
    ("by", 2),  # packed: who asked for it
    ("approved_by", 2),  # packed: the second person, where one was needed
)
