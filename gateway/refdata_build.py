"""`si refdata` at work: inputs and snapshots from disk, `refdata.build` in the middle."""

from __future__ import annotations

import gc
from collections import Counter
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
from refdata.collect import collect
from refdata.firm import read_firm
from refdata.fitrs import FitrsRecord, Methodology
from refdata.rows import Refused
from refdata.snapshot import SUFFIX, Snapshot, eur, mrm_of

RECORD_COLUMNS = (
    "methodology", "reported", "applies", "liquid", "sms_eur", "lis_eur", "mrm_adnt", "from",
)  # fmt: skip


def read(path: Path) -> Snapshot:
    """A snapshot. Raises UserError."""
    try:
        return snapshot.read(path)
    except Refused as error:
        raise UserError(str(error)) from error


def newest(folder: Path, as_of: date) -> Path | None:
    """The latest build in a folder for this day or one before, or else for any: by day, then by
    time written."""
    found = sorted(
        folder.glob(f"refdata-*{SUFFIX}"), key=lambda p: (p.name[:18], p.stat().st_mtime_ns)
    )
    up_to = [path for path in found if path.name[:18] <= f"refdata-{as_of.isoformat()}"]
    return (up_to or found)[-1] if found else None


def build(
    firm: Path, as_of: date, into: Path, against: Path | None,
    progress: Callable[[str, int, int], None],
) -> tuple[Built, Snapshot | None]:  # fmt: skip
    """Read, build and compare; nothing is written. Raises UserError."""
    before = against or newest(into, as_of)
    try:
        previous = snapshot.read(before) if before is not None else None
    except Refused as error:
        advice = "name another one with --against, or build --into an empty folder"
        raise UserError(f"nothing to compare with, {advice}:\n{error}") from error
    gc.disable()  # all that is read lives until the end: looking for garbage takes a tenth longer
    try:
        return build_rows(collect(read_firm(firm), progress), as_of, previous), previous
    except Refused as error:
        raise UserError(f"nothing was built:\n{error}") from error
    finally:
        gc.enable()


def finish(
    built: Built, into: Path, approve: str, previous: Snapshot | None = None
) -> tuple[Path | None, str]:
    """Write the snapshot, or say why a person has to approve it first.

    What the folder has already is not written twice: a snapshot names the one before it, so that
    the same build again would be another file.
    """
    if built.breaches and not approve:
        return None, "a guard rail holds it: look at it, then repeat with --approve YOUR-NAME"
    if previous is not None and previous.path.parent == into and not _other(previous, built):
        if not built.breaches or previous.about.get("approved_by") == approve:
            return previous.path, ""
    return write(built, into, approve), ""


def _other(source: Snapshot, built: Built) -> str:
    """The first thing in which a build differs from a snapshot of its inputs; "" where none.

    What it was compared with, and who approved that, is not of the inputs.
    """
    about = source.about
    for name in ("as_of", "jurisdiction", "inputs", "venues", "findings", "remarks"):
        if about.get(name) != built.about[name]:
            return name
    if source.instruments.tobytes() != built.instruments.tobytes():
        return "rows"
    if source.names != built.names:
        return "names"
    return "" if snapshot.read_records(source.path) == built.records else "records"


def as_dict(built: Built, path: Path | None, refusal: str) -> dict[str, Any]:
    """The report for machines."""
    return {
        **built.about,
        "changes": [change._asdict() for change in built.changes],
        "breaches": [breach._asdict() for breach in built.breaches],
        "snapshot": str(path) if path else "",
        "refused": refusal,
    }


def latest(folder: Path) -> Path:
    """The newest snapshot of a folder. Raises UserError."""
    found = newest(folder, date.max)
    if found is None:
        raise UserError(f"no snapshot in {folder}: build one, or name one with --snapshot")
    return found


def table_of(path: Path, day: date | None) -> list[dict[str, Any]]:
    """Every row of a snapshot, on its own day. Raises UserError."""
    source = read(path)
    if day not in (None, source.as_of):
        raise UserError(f"{path.name} holds for {source.as_of}: build one for {day}")
    return [
        {"isin": schema.unpack(row["isin"]), "name": name, **_row(source, row)}
        for row, name in zip(source.instruments, source.names, strict=True)
    ]


def _row(source: Snapshot, row: Any) -> dict[str, Any]:
    """The engine's row in words; thresholds in EUR and, x 10^6, in the price's currency."""
    rate = int(row["eur_per_unit_e9"])
    return {
        "sms_eur": _plain(eur(row["sms_e6"], rate)), "lis_eur": _plain(eur(row["lis_e6"], rate)),
        "sms_e6": int(row["sms_e6"]), "lis_e6": int(row["lis_e6"]),
        "tick_band": int(row["tick_band"]),
        "class": AssetClass(int(row["asset_class"])).name.lower(),
        "currency": schema.unpack(row["currency"]), "mrm": mrm_of(row, source.venues),
        "si": bool(row["si"]), "liquid": bool(row["liquid"]), "lot": int(row["lot"]),
    }  # fmt: skip


def _plain(amount_eur: Decimal) -> str:
    """Digits for machines: 12500 or 1250.5."""
    return f"{amount_eur.normalize():f}"


def look_up(path: Path, isin: str, day: date | None) -> dict[str, Any]:
    """What holds for an instrument on a day, by its records. Raises UserError."""
    source = read(path)
    row = source.row_of(isin)
    stored = snapshot.read_records(path).get(isin)
    if row is None or stored is None:
        raise UserError(f"{isin} is not in {path.name}")
    day = day or source.as_of
    records = [_record(entry) for entry in stored["records"]]
    first = stored["first_traded"]
    first_traded = date.fromisoformat(first) if first else None
    chosen = select(records, day, first_traded, source.jurisdiction)
    unusable = [f"a record that cannot be used: {text}" for text in stored.get("unusable", ())]
    found: dict[str, Any] = {
        "isin": isin, "name": _name(source, isin), "date": day.isoformat(),
        "applies": {}, "reason": "; ".join([chosen.reason, *unusable]), "findings": [],
        "records": [_shown(r, first_traded, source.jurisdiction) for r in records],
    }  # fmt: skip
    if chosen.record is not None and not unusable:
        found["applies"] = _values(chosen.record)
    if day == source.as_of:
        about = source.about.get("findings", ())
        found["findings"] = [[severity, text] for severity, of, text in about if of == isin]
        published_mrm = found["applies"].get("mrm", "")
        found["applies"] |= _row(source, row)
        found["applies"]["mrm"] = found["applies"]["mrm"] or published_mrm
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
    stored, given = _hashes(source.about.get("inputs", [])), _hashes(again.about["inputs"])
    for _, name, _ in sorted((given - stored).keys()):
        raise UserError(f"{name} is not the file that the snapshot was built from")
    for _, name, _ in sorted((stored - given).keys()):
        raise UserError(f"{name} is missing: the snapshot was built from it too")
    if differing := _other(source, again):
        raise UserError(f"built again from the same inputs it has other {differing}")
    return result | {"rebuilt": True}


def _hashes(inputs: list[dict[str, str]]) -> Counter[tuple[str, str, str]]:
    """Counted: two folders may have files of one name."""
    return Counter((entry["kind"], entry["name"], entry["sha256"]) for entry in inputs)
