"""The firm's own instrument file: one line per instrument, thresholds in EUR.

`isin,name,asset_class,currency,mrm,si,liquid,sms_eur,lis_eur,tick_band` and, if wanted,
`lot,order_max_eur,position_max_eur`. A `ref_px` column may stand in it and is not read: it belongs
to the sample world.
"""

import re
from pathlib import Path

from engine.enums import AssetClass
from engine.limits import TICK_BANDS
from refdata.fx import read_currency
from refdata.record import EUR_E6_MAX, InstrumentRecord
from refdata.rows import Row, parse_all, read_rows

COLUMNS = (
    "isin", "name", "asset_class", "currency", "mrm", "si", "liquid", "sms_eur", "lis_eur",
    "tick_band",
)  # fmt: skip
OPTIONAL_COLUMNS = ("lot", "order_max_eur", "position_max_eur", "ref_px")

ASSET_CLASSES = {
    "share": AssetClass.SHARE,
    "dr": AssetClass.DEPOSITARY_RECEIPT,
    "etf": AssetClass.ETF,
    "certificate": AssetClass.CERTIFICATE,
    "other": AssetClass.OTHER,
}
YES_NO = {"Y": True, "N": False}
BANDS = {str(band): band for band in range(TICK_BANDS + 1)}
MIC_FORM = re.compile(r"[A-Z0-9]{4}")
LOT_MAX = 10**9  # shares; what `engine.tables.check_row` lets in


def read_instruments(path: Path) -> list[InstrumentRecord]:
    """Every line of the firm's file as it stands; raises `rows.Refused`."""
    rows = read_rows(path, required=COLUMNS, optional=OPTIONAL_COLUMNS)
    return parse_all(rows, parse_instrument)


def parse_instrument(row: Row) -> InstrumentRecord:
    """One line of the firm's file."""
    lot = row.scaled("lot", 0, LOT_MAX) if row.text("lot") else 1
    if lot == 0:
        raise row.refuse("lot", "write the whole number of shares of one lot, or leave it blank")
    return InstrumentRecord(
        line=row.line,
        isin=row.isin("isin"),
        name=row.text("name"),
        asset_class=row.choice("asset_class", ASSET_CLASSES),
        currency=read_currency(row, "currency"),
        mrm=read_mic(row, "mrm"),
        si=row.choice("si", YES_NO),
        liquid=row.choice("liquid", YES_NO),
        sms_eur_e6=row.scaled("sms_eur", 6, EUR_E6_MAX),
        lis_e6=row.scaled("lis_eur", 6, EUR_E6_MAX),
        lis_currency="EUR",
        tick_band=row.choice("tick_band", BANDS),
        lot=lot,
        order_max_eur_e6=row.scaled("order_max_eur", 6, EUR_E6_MAX),
        position_max_eur_e6=row.scaled("position_max_eur", 6, EUR_E6_MAX),
    )


def read_mic(row: Row, column: str) -> str:
    """A market identifier code (ISO 10383)."""
    mic = row.text(column)
    if MIC_FORM.fullmatch(mic) is None:
        raise row.refuse(column, "write the venue's MIC: four capitals or digits")
    return mic
