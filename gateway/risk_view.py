"""What the engine's protection stands at: for `si risk show`, and for those who see our quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from engine import schema
from engine.enums import KillScope
from gateway import pools

if TYPE_CHECKING:
    from engine.tables import Tables
    from gateway.server import Server

log = structlog.get_logger()
ROWS_MAX = 100  # of the positions, the largest; the answer is one datagram


def view(tables: Tables) -> dict[str, Any]:
    """P&L and exposure in EUR, the limits, what is stopped, and the largest positions.

    Amounts are `_e6`; a limit of 0 is none; `pools` says of each whether it is stopped.
    """
    counters, params = tables.counters[0], tables.params[0]
    count = int(counters["instruments"])
    positions = tables.positions[:count]
    traded = np.flatnonzero((positions["fills"] > 0) | (positions["killed"] != 0))
    size = np.abs(positions["value_eur_e6"][traded])
    largest = traded[np.argsort(-size, kind="stable")][:ROWS_MAX]
    limits = (
        "loss_max_eur_e6", "instrument_loss_max_eur_e6", "gross_max_eur_e6", "net_max_eur_e6",
        "repeat_max", "repeat_window_ns", "undue_fills_max", "undue_max_eur_e6",
    )  # fmt: skip
    clients = tables.client_use[: int(counters["clients"])]
    return {
        **{name: int(counters[name]) for name in ("pnl_eur_e6", "gross_eur_e6", "net_eur_e6")},
        "stopped": bool(counters["kill_firm"]),
        "pools": pools.stopped(tables),
        "stopped_clients": [
            schema.unpack([tables.clients[row]["name"]])
            for row in np.flatnonzero(clients["killed"]).tolist()
        ],
        "stops": int(counters["stops"]),
        "limits": {name: int(params[name]) for name in limits},
        "positions": [_position(tables, int(row)) for row in largest],
        "positions_in_all": len(traded),
    }


def _position(tables: Tables, row: int) -> dict[str, Any]:
    position, instrument = tables.positions[row], tables.instruments[row]
    mark_x2_e6, qty = int(position["mark_px_x2_e6"]), int(position["qty"])
    return {
        "isin": schema.unpack(instrument["isin"]),
        "currency": schema.unpack([instrument["currency"]]),
        "qty": qty,
        "mark_px_x2_e6": mark_x2_e6,
        "pnl_e6": int(position["cash_e6"]) + (abs(qty) * mark_x2_e6 // 2) * (1 if qty > 0 else -1),
        "pnl_eur_e6": int(position["pnl_eur_e6"]),
        "value_eur_e6": int(position["value_eur_e6"]),
        "stopped": bool(position["killed"]),
    }


class Stops:
    """Tells subscribers, and the log, of kill switches that the engine set by itself."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen = int(server.tables.counters[0]["stops"])

    def tick(self) -> None:
        """Once a second: the orders were refused at once, the quotes end now."""
        tables = self.server.tables
        counters = tables.counters[0]
        if int(counters["stops"]) == self.seen:
            return
        self.seen = int(counters["stops"])
        stopped = np.flatnonzero(tables.positions["killed"][: int(counters["instruments"])])
        log.error(
            "the engine has stopped trading by itself: `si risk show`, then `si desk resume`",
            firm=bool(counters["kill_firm"]),
            instruments=[schema.unpack(tables.instruments[row]["isin"]) for row in stopped],
            pnl_eur=int(counters["pnl_eur_e6"]) // 10**6,
        )
        for row in stopped.tolist():
            self.server.subscriptions.on_kill_switch(KillScope.INSTRUMENT, row)
        if counters["kill_firm"]:
            self.server.subscriptions.on_kill_switch(KillScope.FIRM, 0)
