"""Writes files to the schemas of FITRS and FIRDS, as text: no XML library, nothing of `refdata`."""

import gzip
import random
import zipfile
from pathlib import Path

HEAD_003, HEAD_001 = "head.003.001.01", "head.001.001.01"
V02, V03 = "auth.044.001.02", "auth.044.001.03"
FULL, DELTA, CANCELLATIONS = "auth.017.001.02", "auth.036.001.03", "auth.102.001.01"
CONTAINERS = {
    V02: "FinInstrmRptgEqtyTradgActvtyRslt",
    V03: "FinInstrmRptgEqtyTradgActvtyRslt",
    FULL: "FinInstrmRptgRefDataRpt",
    DELTA: "FinInstrmRptgRefDataDltaRpt",
    CANCELLATIONS: "FinInstrmRptgCxlRpt",
}


def element(name, content, attributes=""):
    return f"<{name}{attributes}>{content}</{name}>"


def period(name, first="", last=""):
    """`FrDtToDt`, `FrDt` or `ToDt`, by what is given; "" where nothing is."""
    bounds = (element("FrDt", first) if first else "") + (element("ToDt", last) if last else "")
    if not bounds:
        return ""
    return element(name, element("FrDtToDt", bounds) if first and last else bounds)


def amount(name, value, currency="EUR"):
    return element(name, value, f' Ccy="{currency}"' if currency else "") if value else ""


def optional(name, value):
    return element(name, value) if value else ""


def result(
    isin="DE0007164600", methodology="YEAR", reported=("2024-01-01", "2024-12-31"), applies=(),
    asset_class="SHRS", liquid="true", adt="150000000", avt="14000", sms="15000", lis="650000",
    adnt="12000", mrm="XETR", mrm_adnt="9000.5", record_id="1", currency="EUR", extra="",
    shuffled=None,
):  # fmt: skip
    """One `EqtyTrnsprncyData`; "" leaves an element out. `shuffled` is a seed for the order."""

    def ordered(parts):
        parts = [part for part in parts if part]
        if shuffled is not None:
            random.Random(shuffled).shuffle(parts)
        return "".join(parts)

    statistics = ordered(
        [
            amount("AvrgDalyTrnvr", adt, currency),
            amount("AvrgTxVal", avt, currency),
            optional("LrgInScale", lis),
            optional("StdMktSz", sms),
            optional("AvrgDalyNbOfTxs", adnt),
        ]
    )
    market = ordered([optional("Id", mrm), optional("AvrgDalyNbOfTxs", mrm_adnt)])
    return element(
        "EqtyTrnsprncyData",
        ordered(
            [
                optional("TechRcrdId", record_id),
                optional("Id", isin),
                optional("FinInstrmClssfctn", asset_class),
                optional("FullNm", "Alder &amp; Birch"),
                period("RptgPrd", *reported),
                period("ApplPrd", *applies),
                optional("Lqdty", liquid),
                optional("Mthdlgy", methodology),
                optional("Sttstcs", statistics),
                optional("RlvntMkt", market),
                extra,
            ]
        ),
    )


def message(records, schema=V03, created="2025-09-06T03:00:00Z", header="", prolog="", last=""):
    """The whole text. `header` replaces `RptHdr`, `prolog` comes first, `last` after the records.

    Indented as published, one record on a line.
    """
    header = header or element(
        "RptHdr",
        element("RptgNtty", element("NtlCmptntAuthrty", "EU"))
        + element("RptgPrd", element("Dt", "2025-09-05")),
    )
    body = "\n".join([header, *records, last])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{prolog}'
        f'<BizData xmlns="urn:iso:std:iso:20022:tech:xsd:{HEAD_003}">\n<Hdr>'
        f'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:{HEAD_001}">\n'
        "<Fr><OrgId><Id><OrgId><Othr><Id>EU</Id></Othr></OrgId></Id></OrgId></Fr>\n"
        f"<BizMsgIdr>1</BizMsgIdr><MsgDefIdr>{schema}</MsgDefIdr>"
        f"<CreDt>{created}</CreDt></AppHdr></Hdr>\n<Pyld>"
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{schema}">\n'
        f"<{CONTAINERS[schema]}>\n{body}</{CONTAINERS[schema]}>\n</Document></Pyld></BizData>\n"
    )


def write(folder: Path, name, text) -> Path:
    """The text under a name that ends in .xml, .gz or .zip, packed as that says."""
    path = folder / name
    data = text if isinstance(text, bytes) else text.encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.stem + ".xml", data)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)
    return path


def write_results(folder, *records, name="FULECR_20250906_E_1of1.zip", **options) -> Path:
    """A FITRS file of `result(...)` texts, ready to read."""
    return write(folder, name, message(records, **options))


def reference(
    isin="DE0007164600", mic="XETR", name="Alder AG", cfi="ESVUFR", currency="EUR",
    first="2018-01-03T07:00:00Z", last="", since="2025-09-01", relevant="XETR", wrapped="RefData",
    until="", inner="",
):  # fmt: skip
    """One record of FIRDS, in the element `wrapped`, and in `inner` in that."""
    attributes = (
        element(
            "FinInstrmGnlAttrbts",
            element("Id", isin)
            + optional("FullNm", name)
            + element("ShrtNm", "ALDER/SH")
            + optional("ClssfctnTp", cfi)
            + optional("NtnlCcy", currency)
            + element("CmmdtyDerivInd", "false"),
        )
        + element("Issr", "529900D6BF99LW9R2E68")
        + element(
            "TradgVnRltdAttrbts",
            element("Id", mic)
            + element("IssrReq", "true")
            + optional("FrstTradDt", first)
            + optional("TermntnDt", last),
        )
        + element(
            "TechAttrbts",
            element("RlvntCmptntAuthrty", "DE")
            + period("PblctnPrd", since, until)
            + optional("RlvntTradgVn", relevant),
        )
    )
    return element(wrapped, element(inner, attributes) if inner else attributes)


def delta(*args, **options):
    """One record of a delta file, in `FinInstrm`."""
    return element("FinInstrm", reference(*args, **options))
