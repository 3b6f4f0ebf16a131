"""Named pools of liquidity: each client is in one, by published criteria (MiFIR Art 17(1)).

A pool has a kill switch and rules of the policy; prices, limits and positions are the firm's.
"""

from engine.jit import inlined
from engine.limits import ASSET_CLASSES, TIERS


@inlined
def is_stopped(tables, client_id):
    """Whether the kill switch of a client's pool is set."""
    return tables.pools[tables.clients[client_id]["pool"]]["killed"] != 0


@inlined
def rule_place(client, instrument):
    """Row of `policy_rules` for a row of `clients` and one of `instruments`."""
    group = client["pool"] * TIERS + client["tier"]
    return group * ASSET_CLASSES + instrument["asset_class"]
