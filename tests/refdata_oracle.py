"""What a build of reference data must give, worked out again: `xml.etree`, dicts, `Decimal`.

Nothing of `refdata` is used. Only what the tests write is read: no estimates or four-week results
without `ApplPrd`, and every file named as ESMA names it.
"""

import re
import zipfile
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import NamedTuple
from xml.etree import ElementTree

CLASSES = {"SHRS": "share", "DPRS": "dr", "ETFS": "etf", "CRFT": "certificate", "OTHR": "other"}
HUNDREDTHS = {"GBX": "GBP", "ZAC": "ZAR", "ILA": "ILS"}


class Expected(NamedTuple):
    """A row. Of one that is closed only `si` and the two zeros are certain."""

    closed: bool
    si: bool
    sms_e6: int
    lis_e6: int
    asset_class: str = ""
    currency: str = ""
    liquid: bool = False
    band: int = 0
    mrm: str = ""


def expected(fitrs, firm, ecb, as_of, everything=False):
    """Rows by ISIN. `firm` is the list's lines as dicts, `ecb` {day: {currency: text}} or None."""
    records, bad = {}, set()
    for path in fitrs:
        for fields in records_of(path):
            if is_bad(fields):
                bad.add(fields["Id"])
            else:
                records.setdefault(fields["Id"], []).append(fields)
    own = {line["isin"]: line for line in firm}
    drafts = {}
    for isin in sorted({*own, *records} if everything else own):
        applying, conflict = choose(records.get(isin, []), as_of)
        if isin in own or applying or conflict:
            drafts[isin] = draft(own.get(isin, {}), applying, isin in bad, ecb, as_of)
    return {
        isin: Expected(True, row.si, 0, 0) if row.closed else row for isin, row in drafts.items()
    }


def draft(line, record, bad, ecb, as_of):
    """One row, before it is known whether there is room for its venue."""
    si = line.get("si") == "Y"
    record = record or {}
    mrm = line.get("mrm") or record.get("RlvntMkt/Id", "")
    closed = Expected(True, si, 0, 0, mrm=mrm)
    asset_class = CLASSES.get(record.get("FinInstrmClssfctn")) or line.get("asset_class")
    currency = {"GBp": "GBX"}.get(line.get("currency"), line.get("currency"))
    if not line:
        currency = "EUR"  # nobody trades it: its thresholds as published
    liquid = {"true": True, "1": True, "false": False, "0": False}.get(record.get("Lqdty"))
    sms = Fraction(record.get("Sttstcs/StdMktSz", "0"))
    lis = Fraction(record.get("Sttstcs/LrgInScale", "0"))
    if bad or not (record and asset_class and currency and mrm and lis) or liquid is None:
        return closed
    if liquid is not (sms > 0):
        return closed
    rate = euros_per_unit(currency, ecb, as_of)
    band = band_of(line, record, asset_class)
    if rate is None or band is None:
        return closed
    in_millionths = [int(amount * 10**6 // rate) for amount in (sms, lis)]
    return Expected(False, si, *in_millionths, asset_class, currency, liquid, band, mrm)


def band_of(line, record, asset_class):
    """RTS 11 Annex; None where it is not known."""
    if line.get("tick_band"):
        return int(line["tick_band"])
    if asset_class == "etf":
        return 6 if line.get("equity_etf") == "Y" else 0
    if asset_class not in ("share", "dr"):
        return 0
    adnt = record.get("RlvntMkt/AvrgDalyNbOfTxs")
    if adnt is None:
        return None
    return 1 + sum(Decimal(adnt) >= bound for bound in (10, 80, 600, 2_000, 9_000))


def euros_per_unit(currency, ecb, as_of):
    """At the rate of the 31 December before the April whose thresholds hold; None without one."""
    if currency == "EUR":
        return Fraction(1)
    if ecb is None:
        return None
    year = as_of.year if as_of >= switch(as_of.year) else as_of.year - 1
    major = HUNDREDTHS.get(currency, currency)
    text = ecb.get(date(year - 1, 12, 31), {}).get(major)
    if text is None:
        return None
    places = Decimal("1e-7") if major in HUNDREDTHS.values() else Decimal("1e-9")
    rate = Fraction((1 / Decimal(text)).quantize(places, ROUND_HALF_EVEN))
    return rate / 100 if currency in HUNDREDTHS else rate


def choose(records, as_of):
    """The record that applies, or None; and whether records contradict each other."""
    groups = {}
    for fields in records:
        if fields.get("Mthdlgy") != "SINT":
            groups.setdefault((fields.get("Mthdlgy"), str(reported(fields))), []).append(fields)
    candidates = []
    for group in groups.values():
        newest = max(fields["day"] for fields in group)
        latest = [fields for fields in group if fields["day"] == newest]
        if not any(covers(fields, as_of) for fields in latest):
            continue
        if any(said(fields, True) != said(latest[0], True) for fields in latest):
            return None, True
        candidates.append(latest[0])
    if any(said(fields, False) != said(candidates[0], False) for fields in candidates):
        return None, True
    return (candidates[0] if candidates else None), False


def said(fields, with_period):
    """What two records must agree on."""
    skipped = {"day", "TechRcrdId", "Mthdlgy", "FullNm"}
    values = {
        name: Decimal(text) if re.fullmatch(r"[0-9.]+", text) else text
        for name, text in fields.items()
        if name not in skipped and not name.startswith(("RptgPrd", "ApplPrd"))
    }
    return values, applies(fields) if with_period else None


def covers(fields, as_of):
    period = applies(fields)
    return period is not None and period[0] <= as_of <= period[1]


def applies(fields):
    if "ApplPrd/FrDtToDt/FrDt" in fields:
        return between(fields, "ApplPrd")
    period = reported(fields)
    if fields.get("Mthdlgy") != "YEAR" or period is None:
        return None
    year = period[0].year
    return switch(year + 1), switch(year + 2) - timedelta(days=1)


def switch(year):
    """The first Monday of April (RTS 1 Art 17); 1 April before 5 June 2023."""
    day = date(year, 4, 1)
    while day.year >= 2024 and day.weekday():
        day += timedelta(days=1)
    return day


def reported(fields):
    return between(fields, "RptgPrd") if "RptgPrd/FrDtToDt/FrDt" in fields else None


def between(fields, name):
    ends = (fields[f"{name}/FrDtToDt/{end}"] for end in ("FrDt", "ToDt"))
    return tuple(date.fromisoformat(end) for end in ends)


def is_bad(fields):
    """Among what the tests write: a number that is none, another currency, an unknown word."""
    numbers = [text for name, text in fields.items() if name.split("/")[-1] in NUMBERS]
    return (
        any(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is None for text in numbers)
        or fields.get("Lqdty", "true") not in ("true", "false", "1", "0")
        or fields.get("currency", "EUR") != "EUR"
    )


NUMBERS = {"AvrgDalyTrnvr", "AvrgTxVal", "LrgInScale", "StdMktSz", "AvrgDalyNbOfTxs"}


def records_of(path):
    """Each record as {path of an element: its text}, with the day of the file's name."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            root = ElementTree.fromstring(archive.read(archive.namelist()[0]))
    else:
        root = ElementTree.parse(path).getroot()
    day = re.search(r"_([0-9]{8})_", path.name)[1]
    for element in root.iter():
        if element.tag.endswith("}EqtyTrnsprncyData"):
            fields = {"day": day}
            for name, child in leaves(element, ""):
                fields[name] = child.text
                if "Ccy" in child.attrib and child.attrib["Ccy"] != "EUR":
                    fields["currency"] = child.attrib["Ccy"]
            yield fields


def leaves(element, within):
    for child in element:
        path = within + child.tag.split("}")[1]
        if len(child):
            yield from leaves(child, path + "/")
        else:
            yield path, child
