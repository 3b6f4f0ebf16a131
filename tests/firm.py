"""A firm of one client and one instrument, with one thing about it changed at a time."""

from typing import Any

from tests.world import MIDNIGHT_NS, SECOND, World

#: An ordinary order's time, under the rules of 23 November 2025.
NOW_NS = MIDNIGHT_NS + 9 * 3600 * SECOND
FOREVER_NS = 2**62
E6 = 10**6

PARAMS: dict[str, Any] = {
    "jurisdiction": "EU",
    "regime_forced": -1,
    "stale_ns": SECOND,
    "collar_bps": 500,
    "discretionary_route": 2,
    "on_request_route": 1,
    "quote_size_bps": 10_000,
    "desk_ttl_ns": 60 * SECOND,
    "open_ns": 0,
    "close_ns": FOREVER_NS,
    "policy_hash": 77,
    "policy_param": [0] * 8,
    "peg_mid": 0,
    "markout_ns": [0] * 4,
}
REGIME = {
    "name": "eu-2025",
    "jurisdiction": "EU",
    "valid_from_ns": 0,
    "valid_to_ns": FOREVER_NS,
    "qmin_bps": 10_000,
    "threshold_bps": 20_000,
}
CLIENT = {"name": "client", "pool": 0}
CLIENT |= {"order_max_eur_e6": 0, "day_max_eur_e6": 0, "fills_max": 0}
INSTRUMENT: dict[str, Any] = {
    "isin": "DE0007164600",
    "currency": "EUR",
    "asset_class": 1,
    "mrm_venue": 0,
    "si": 1,
    "liquid": 1,
    "sms_e6": 10_000 * E6,
    "lis_e6": 100_000 * E6,
    "tick_band": 5,
    "lot": 1,
    "eur_per_unit_e9": 10**9,
    "order_max_e6": 0,
    "position_max_e6": 0,
    "loaded_row": 100,
}


def firm(
    params: dict[str, Any] | None = None,
    instrument: dict[str, Any] | None = None,
    regimes: list[dict[str, Any]] | None = None,
) -> World:
    """The firm, as far as nothing else is said."""
    return World(
        params=PARAMS | (params or {}),
        regimes=regimes or [REGIME],
        venues=["XETR", "CEUX"],
        pools=["main"],
        clients=[CLIENT],
        instruments=[INSTRUMENT | (instrument or {})],
        mids_e6=[20 * E6],
        orders_max=64,
        desk_max=16,
    )


def venue_quote(bid: int, ask: int, mic: str = "XETR") -> dict[str, Any]:
    sizes = {"bid_qty": 1_000, "ask_qty": 1_000}
    return (
        {"isin": INSTRUMENT["isin"], "mic": mic, "seq": 1, "phase": 0}
        | sizes
        | {
            "bid_px_e6": bid,
            "ask_px_e6": ask,
        }
    )


def order(clordid: str, **fields: Any) -> dict[str, Any]:
    """A market order to buy one share at once, as far as nothing else is said."""
    usual = {"session": 0, "client": 0, "isin": INSTRUMENT["isin"], "clordid": clordid}
    usual |= {"orig_clordid": "", "currency": "", "side": 1, "ord_type": 1, "tif": 0, "qty": 1}
    return usual | {"limit_px_e6": 0, "defect": 0, "defect_value": 0} | fields
