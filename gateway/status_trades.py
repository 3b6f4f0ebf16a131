"""The engine's own fills as trades for the SI assessment, read from its journal alone.

Every fill is on own account, OTC, and executes a client's order. Class, liquidity and rate to EUR
are those of the instrument's row in force at the fill, which the journal holds as well; it is the
rate that `value_eur_e6` of the execution was made with, without its rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from engine import journal as jn
from engine.enums import AssetClass, ExecKind
from engine.schema import unpack
from gateway import journal_schema
from gateway.errors import UserError
from gateway.instrument_rows import KINDS, InstrumentRows
from gateway.journal_files import Reader
from refdata.si_status.assess import Capacity, Flow, Trade, flows_of
from refdata.si_status.quarters import Quarter
from refdata.si_status.thresholds import StatusClass

NS = 10**9
E3 = 1_000  # price e6 x shares x rate e9 is EUR e15
CLASSES = {
    AssetClass.SHARE: StatusClass.SHARE,
    AssetClass.DEPOSITARY_RECEIPT: StatusClass.DEPOSITARY_RECEIPT,
    AssetClass.ETF: StatusClass.ETF,
    AssetClass.CERTIFICATE: StatusClass.CERTIFICATE,
    AssetClass.OTHER: StatusClass.OTHER,
}


def read_flows(directory: Path) -> dict[tuple[str, Quarter], Flow]:
    """The fills of `directory/journal`, added up by ISIN and calendar quarter. Raises UserError."""
    journal = directory / "journal"
    if not journal.is_dir():
        raise UserError(f"{journal}: no such folder: name a file of trades or the engine's folder")
    journal_schema.check(journal)
    try:
        flows = flows_of(trades(journal))
    except ValueError as error:
        raise UserError(f"{journal}: {error}") from None
    if not flows:
        raise UserError(f"{journal}: no fills in it: nothing can be assessed")
    return flows


def trades(journal: Path) -> Iterator[Trade]:
    """Every fill, oldest first."""
    instruments: dict[int, Any] = {}
    rows = InstrumentRows()
    for frame in Reader(journal, kinds=(*KINDS, jn.EXECUTION)).poll():
        if frame.kind != jn.EXECUTION:
            instruments.update(rows.changed(frame))
        elif frame.record["kind"] == ExecKind.FILL:
            fill = frame.record
            yield trade_of(fill, instruments[int(fill["instrument"])])


def trade_of(fill: Any, instrument: Any) -> Trade:
    """One fill, with the row of its instrument at the time."""
    value_e6 = int(fill["last_px_e6"]) * int(fill["last_qty"])
    return Trade(
        day=_day(int(fill["ts_ns"])),
        subject=unpack(instrument["isin"]),
        asset_class=CLASSES[AssetClass(int(instrument["asset_class"]))],
        liquid=bool(instrument["liquid"]),
        turnover_eur_e18=value_e6 * int(instrument["eur_per_unit_e9"]) * E3,
        capacity=Capacity.OWN_ACCOUNT,
        client_order=True,
        otc=True,
    )


def _day(ts_ns: int) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(ts_ns // NS, UTC).date()
