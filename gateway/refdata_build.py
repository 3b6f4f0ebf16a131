"""`si refdata` at work: inputs and snapshots from disk, `refdata.build` in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine import schema
from engine.enums import AssetClass
from gateway.errors import UserError
from refdata import snapshot
from refdata.applicable import application_period, select
from refdata.build import Built, write
from refdata.build import build as build_rows
from refdata.changes import amount
from refdata.collect import collect
from refdata.firm import read_firm
from refdata.fitrs import FitrsRecord, Methodology
from refdata.rows import Refused
from refdata.snapshot import SUFFIX, Snapshot, eur

RECORD_COLUMNS = (
    "methodology", "reported", "applies", "liquid", "sms_eur", "lis_eur", "mrm_adnt", "from",
)  # fmt: skip


def read(path: Path) -> Snapshot:
    """A snapshot. Raises UserError."""
    try:
        return snapshot.read(path)
    except Refused as error:
        raise UserError(str(error)) from error


def newest(folder: Path) -> Path | None:
    """The latest build in a folder: by day, then by time written."""
    found = sorted(
        folder.glob(f"refdata-*{SUFFIX}"), key=lambda p: (p.name[:18], p.stat().st_mtime)
    )
    return found[-1] if found else None


def build(
    firm: Path, as_of: date, into: Path, against: Path | None,
    progress: Callable[[str, int, int], None],
) -> tuple[Built, Snapshot | None]:  # fmt: skip
    """Read, build and compare; nothing is written. Raises UserError."""
    try:
        collected = collect(read_firm(firm), progress)
        before = against or newest(into)
        previous = snapshot.read(before) if before is not None else None
        return build_rows(collected, as_of, previous), previous
    except Refused as error:
        raise UserError(f"nothing was built:\n{error}") from error


def finish(built: Built, into: Path, approve: str) -> tuple[Path | None, str]:
    """Write the snapshot, or say why a person has to approve it first."""
    if built.breaches and not approve:
        return None, "a guard rail holds it: look at it, then repeat with --approve YOUR-NAME"
    return write(built, into, approve), ""


def as_dict(built: Built, path: Path | None, refusal: str) -> dict[str, Any]:
    """The report for machines."""
    return {
        **built.about,
        "changes": [change._asdict() for change in built.changes],
        "breaches": [breach._asdict() for breach in built.breaches],
        "snapshot": str(path) if path else "",
        "refused": refusal,
    }


def look_up(path: Path, isin: str, day: date | None) -> dict[str, Any]:
    """What holds for an instrument on a day, by its records. Raises UserError."""
    source = read(path)
    row = source.row_of(isin) if len(isin) == 12 else None
    stored = snapshot.read_records(path).get(isin)
    if row is None or stored is None:
        raise UserError(f"{isin} is not in {path.name}")
    day = day or source.as_of
    records = [_record(entry) for entry in stored["records"]]
    first = stored["first_traded"]
    first_traded = date.fromisoformat(first) if first else None
    chosen = select(records, day, first_traded, source.jurisdiction)
    found: dict[str, Any] = {
        "isin": isin, "name": _name(source, isin), "date": day.isoformat(),
        "applies": {}, "reason": chosen.reason,
        "records": [_shown(r, first_traded, source.jurisdiction) for r in records],
    }  # fmt: skip
    if chosen.record is not None:
        found["applies"] = _values(chosen.record)
    if day == source.as_of:
        rate = int(row["eur_per_unit_e9"])
        found["applies"] |= {
            "sms_eur": amount(eur(row["sms_e6"], rate)),
            "lis_eur": amount(eur(row["lis_e6"], rate)),
            "tick_band": int(row["tick_band"]),
            "class": AssetClass(int(row["asset_class"])).name.lower(),
            "currency": schema.unpack(row["currency"]),
            "mrm": source.venues[int(row["mrm_venue"])] if source.venues else "",
            "si": bool(row["si"]), "liquid": bool(row["liquid"]), "lot": int(row["lot"]),
        }  # fmt: skip
    return found


def _name(source: Snapshot, isin: str) -> str:
    for row, name in zip(source.instruments, source.names, strict=True):
        if schema.unpack(row["isin"]) == isin:
            return name
    return ""


def _values(record: FitrsRecord) -> dict[str, Any]:
    return {
        "methodology": str(record.methodology or ""), "liquid": record.liquid,
        "sms_eur": _number(record.sms_eur), "lis_eur": _number(record.lis_eur),
        "avt_eur": _number(record.avt_eur), "adt_eur": _number(record.adt_eur),
        "mrm": record.mrm, "mrm_adnt": _number(record.mrm_adnt),
    }  # fmt: skip


def _number(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _shown(record: FitrsRecord, first: date | None, jurisdiction: str) -> dict[str, Any]:
    period = application_period(record, first, jurisdiction)
    reported = [d.isoformat() if d else "?" for d in (record.reported_from, record.reported_to)]
    return {
        **_values(record),
        "reported": "..".join(reported) if reported != ["?", "?"] else "",
        "applies": "..".join(d.isoformat() for d in period) if period else "never",
        "from": f"{record.source} record {record.number}",
    }


def _record(stored: dict[str, Any]) -> FitrsRecord:
    """A record as it was before `build` stored it."""
    dates = {"reported_from", "reported_to", "applies_from", "applies_to", "file_day"}
    numbers = {"adt_eur", "avt_eur", "sms_eur", "lis_eur", "adnt", "mrm_adnt"}
    texts = {"source": "", "record_id": "", "isin": "", "mrm": ""}
    fields: dict[str, Any] = dict.fromkeys(FitrsRecord._fields) | texts
    for name, value in stored.items():
        if name in dates:
            fields[name] = date.fromisoformat(value)
        elif name in numbers:
            fields[name] = Decimal(value)
        elif name == "methodology":
            fields[name] = Methodology(value)
        elif name == "asset_class":
            fields[name] = AssetClass(value)
        else:
            fields[name] = value
    return FitrsRecord(**fields)


def verify(path: Path, firm: Path | None) -> dict[str, Any]:
    """Check the hash and, where inputs are given, build again. Raises UserError."""
    source = read(path)
    result = {"sha256": source.sha256, "as_of": source.as_of.isoformat(), "rebuilt": False}
    if firm is None:
        return result
    try:
        again = build_rows(collect(read_firm(firm)), source.as_of, None)
    except Refused as error:
        raise UserError(f"it cannot be built again:\n{error}") from error
    stored = {entry["name"]: entry["sha256"] for entry in source.about["inputs"]}
    for entry in again.about["inputs"]:
        if stored.get(entry["name"]) != entry["sha256"]:
            raise UserError(f"{entry['name']} is not the file that the snapshot was built from")
    if again.instruments.tobytes() != source.instruments.tobytes():
        raise UserError("built again from the same inputs it has other rows")
    return result | {"rebuilt": True}
