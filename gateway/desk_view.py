"""The desk queue for people: a table in the terminal, dicts for scripts."""

import time
from pathlib import Path
from typing import Any

from rich.table import Table

from engine import journal as jn
from engine import schema, tables
from engine.enums import DeskState, KillScope, OrdType, Side, Tif, Zone
from engine.schema import unpack
from gateway import pools
from gateway.desk_reader import DeskError, DeskQueue
from gateway.explain import money, px
from gateway.instrument_rows import KINDS, InstrumentRows
from gateway.journal_files import Reader

NARROW_WITHOUT = ("market then", "zone", "quoted")


def as_dict(item: Any) -> dict[str, Any]:
    """A desk item with its names spelled out; prices as text."""
    return {
        "item_id": int(item["item_id"]),
        "state": DeskState(int(item["state"])).name,
        "kind": "quote request" if item["given_quote"] else "order",
        "order_id": int(item["order_id"]),
        "isin": unpack(item["isin"]),
        "currency": unpack([item["currency"]]),
        "side": Side(int(item["side"])).name if item["side"] else "BOTH",
        "tif": Tif(int(item["tif"])).name,
        "qty": int(item["qty"]),
        "filled_qty": int(item["filled_qty"]),
        "limit_px": px(item["limit_px_e6"]) if item["limit_px_e6"] else None,
        "pegged": bool(item["ord_type"] == OrdType.PEGGED),
        "min_qty": int(item["min_qty"]),
        "replaced": int(item["replaced"]),
        "zone": Zone(int(item["zone"])).name,
        "notional": money(item["notional_e6"]),
        "bid_px": px(item["bid_px_e6"]),
        "ask_px": px(item["ask_px_e6"]),
        "trader": unpack([item["trader"]]) or None,
        "quote_px": px(item["quote_px_e6"]) if item["quote_px_e6"] else None,
        "quote_offer_px": px(item["quote_offer_px_e6"]) if item["quote_offer_px_e6"] else None,
        "created_ns": int(item["created_ns"]),
        "deadline_ns": int(item["deadline_ns"]),
    }


def table(queue: DeskQueue, *, wide: bool = True) -> Table:
    """Open items in order of work; on a narrow terminal without market, zone and quote."""
    made = Table(title=f"desk queue: {len(queue.items)} open", title_justify="left")
    for name, justify in (
        ("item", "right"), ("state", "left"), ("left", "right"), ("side", "left"),
        ("quantity", "right"), ("ISIN", "left"), ("limit", "right"), ("value", "right"),
        ("market then", "right"), ("trader", "left"), ("zone", "left"), ("quoted", "right"),
    ):  # fmt: skip
        if wide or name not in NARROW_WITHOUT:
            made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    now_ns = time.time_ns()
    for row in queue.items:
        item = as_dict(row)
        left_s = max(0, item["deadline_ns"] - now_ns) // 1_000_000_000
        done = f"{item['filled_qty']:,} of " if item["filled_qty"] else ""
        cells = (
            str(item["item_id"]), item["state"], f"{left_s} s", _side(item),
            f"{done}{item['qty']:,}", item["isin"], _limit(item),
            f"{item['notional']} {item['currency']}", f"{item['bid_px']} / {item['ask_px']}",
            item["trader"] or "", item["zone"], _quoted(item),
        )  # fmt: skip
        made.add_row(*(cells if wide else cells[:8] + cells[9:10]))
    return made


def _side(item: dict[str, Any]) -> str:
    """A question mark is a client who wants our price, and has not ordered."""
    return f"{item['side']}?" if item["kind"] == "quote request" else str(item["side"])


def _limit(item: dict[str, Any]) -> str:
    unlimited = "midpoint" if item["pegged"] else "market"
    return item["limit_px"] or (unlimited if item["kind"] == "order" else "")


def _quoted(item: dict[str, Any]) -> str:
    return " / ".join(filter(None, (item["quote_px"], item["quote_offer_px"])))


def subject_of(journal: Path, client: str, isin: str, pool: str) -> tuple[KillScope, int, str]:
    """What a kill switch is about: scope, row, name. Raises DeskError for an unknown name."""
    given = [name for name in (client, isin, pool) if name]
    if not given:
        return KillScope.FIRM, 0, "the whole firm"
    if len(given) > 1:
        raise DeskError("name a client, an instrument or a pool, one of them")
    if pool:
        return KillScope.POOL, _pool_row(journal, pool), f"pool {pool}"
    [wanted], found = given, None
    rows = InstrumentRows()
    for frame in Reader(journal, kinds=KINDS).poll():
        if isin:
            for number, row in rows.changed(frame):
                found = number if unpack(row["isin"]) == wanted else found
        elif frame.kind == jn.TABLE_ROW:
            table_id, number = frame.body[:16].view("i8").tolist()
            if table_id == tables.CLIENT:
                row = frame.body[16:].view(schema.client)[0]
                found = number if unpack(row["name"]) == wanted else found
    if found is None:
        raise DeskError(f"no {'client' if client else 'instrument'} {wanted!r} in {journal}")
    scope = KillScope.CLIENT if client else KillScope.INSTRUMENT
    return scope, found, wanted


def _pool_row(journal: Path, wanted: str) -> int:
    """Row of a pool. Raises DeskError with the names there are."""
    names = pools.Members(journal).names
    for row, name in names.items():
        if name == wanted:
            return row
    known = ", ".join(names.values()) or "none yet"
    raise DeskError(f"no pool {wanted!r} in {journal}: there are {known}")
