"""`si bench refdata`: register files -> snapshot -> a live table; how long an order could wait.

The files are made here, to ESMA's schema, a YEAR and a SINT record for each of 40,000 instruments.
The snapshot goes into tables full of others, each piece of that timed as the loop would do it.
"""

import tempfile
import time
import zipfile
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from engine import journal as jn
from engine import tables
from engine.jit import njit
from engine.limits import Capacity
from gateway import refdata_build, swap
from refdata import snapshot
from refdata.isin import check_digit

AS_OF = date(2026, 4, 7)
NOW_NS = 1_775_000_000_000_000_000
JOURNAL_SIZE = 48 << 20
LOOKUPS = 1_000_000
SWAPS = 5
MICS = ("XETR", "XPAR", "XAMS", "XMIL", "XMAD", "XBRU", "XSTO", "XHEL")

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<BizData xmlns="urn:iso:std:iso:20022:tech:xsd:head.003.001.01"><Hdr>
<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.01"><CreDt>2026-04-04T00:00:00Z</CreDt>
</AppHdr></Hdr><Pyld><Document xmlns="urn:iso:std:iso:20022:tech:xsd:auth.044.001.03">
<FinInstrmRptgEqtyTradgActvtyRslt><RptHdr><RptgNtty><NtlCmptntAuthrty>EU</NtlCmptntAuthrty>
</RptgNtty><RptgPrd><Dt>2026-04-04</Dt></RptgPrd></RptHdr>
"""
_TAIL = "</FinInstrmRptgEqtyTradgActvtyRslt></Document></Pyld></BizData>\n"
_YEAR = """<EqtyTrnsprncyData><Id>{isin}</Id><FinInstrmClssfctn>SHRS</FinInstrmClssfctn><RptgPrd>
<FrDtToDt><FrDt>2025-01-01</FrDt><ToDt>2025-12-31</ToDt></FrDtToDt></RptgPrd><ApplPrd><FrDtToDt>
<FrDt>2026-04-06</FrDt><ToDt>2027-04-04</ToDt></FrDtToDt></ApplPrd><Lqdty>true</Lqdty>
<Mthdlgy>YEAR</Mthdlgy><Sttstcs><AvrgDalyTrnvr Ccy="EUR">{adt}</AvrgDalyTrnvr>
<LrgInScale>{lis}</LrgInScale><AvrgDalyNbOfTxs>812.5</AvrgDalyNbOfTxs>
<AvrgTxVal Ccy="EUR">{avt}</AvrgTxVal><StdMktSz>{sms}</StdMktSz></Sttstcs>
<RlvntMkt><Id>{mic}</Id><AvrgDalyNbOfTxs>{adnt}</AvrgDalyNbOfTxs></RlvntMkt></EqtyTrnsprncyData>
"""
_SINT = """<EqtyTrnsprncyData><Id>{isin}</Id><FinInstrmClssfctn>SHRS</FinInstrmClssfctn><RptgPrd>
<FrDtToDt><FrDt>2025-07-01</FrDt><ToDt>2025-12-31</ToDt></FrDtToDt></RptgPrd>
<Mthdlgy>SINT</Mthdlgy><Sttstcs><TtlNbOfTxsExctd>10000</TtlNbOfTxsExctd>
<TtlVolOfTxsExctd>5000000</TtlVolOfTxsExctd></Sttstcs></EqtyTrnsprncyData>
"""
#: AVT with its SMS and ADT with its LIS, tables of 23 November 2025.
_AVERAGES = ((8_000, 5_000), (10_500, 11_000), (13_000, 13_000), (25_000, 30_000))
_TURNOVERS = ((750_000, 100_000), (3_000_000, 200_000), (150_000_000, 650_000))


def isins(count: int, first: int = 0) -> list[str]:
    """Made-up ISINs with a check digit."""
    bodies = (f"DE{number:09d}" for number in range(first, first + count))
    return [body + check_digit(body) for body in bodies]


def write_inputs(folder: Path, codes: list[str]) -> Path:
    """Register file, the firm's list and `refdata.toml`; answers the last."""
    name = "FULECR_20260404_E_1of1"
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as made:
        records = []
        for number, isin in enumerate(codes):
            avt, sms = _AVERAGES[number % len(_AVERAGES)]
            adt, lis = _TURNOVERS[number % len(_TURNOVERS)]
            records.append(
                _YEAR.format(isin=isin, adt=adt, lis=lis, avt=avt, sms=sms,
                             mic=MICS[number % len(MICS)], adnt=50 + number)
            )  # fmt: skip
            records.append(_SINT.format(isin=isin))
        made.writestr(f"{name}.xml", _HEAD + "".join(records) + _TAIL)
    lines = ["isin,si,currency"] + [f"{isin},Y,EUR" for isin in codes]
    (folder / "firm.csv").write_text("\n".join(lines) + "\n")
    firm = folder / "refdata.toml"
    firm.write_text('fitrs = ["FULECR_*.zip"]\ninstruments = "firm.csv"\n')
    return firm


@njit
def lookups(filled, isins, order):
    """Rows of the ISINs in `order`, added up so that none is left out."""
    total = 0
    for place in order:
        total += tables.find_instrument(filled, isins[place])
    return total


def run(count: int, say: Console) -> dict[str, Any]:
    """Measure; times in ns except `build_s`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        firm = write_inputs(folder, isins(count))
        say.print(f"building from {count:,} instruments")
        begun = time.perf_counter()
        built, _ = refdata_build.build(firm, AS_OF, folder, None, _quiet)
        path, refusal = refdata_build.finish(built, folder, "")
        build_s = time.perf_counter() - begun
        assert path is not None, refusal
        read = snapshot.read(path)
    swapped, filled, pauses = measure_swap(read, count)
    order = np.random.default_rng(1).integers(0, count, LOOKUPS)
    packed = np.ascontiguousarray(read.instruments["isin"])
    lookups(filled, packed, order[:1])
    begun_ns = time.perf_counter_ns()
    lookups(filled, packed, order)
    lookup_ns = (time.perf_counter_ns() - begun_ns) / LOOKUPS
    return {
        "instruments": count,
        "fail_closed": int(built.about["fail_closed"]),
        "build_s": round(build_s, 3),
        "swap_pause_ns": int(swapped.pause_ns),
        "swap_switch_ns": int(swapped.switch_ns),
        "swap_pieces": len(pauses),
        "swap_piece_p50_ns": int(np.median(pauses)),
        "lookup_ns": round(lookup_ns, 1),
    }


def measure_swap(read: Any, count: int) -> tuple[swap.Swapped, tables.Tables, list[int]]:
    """Into tables that hold as many other instruments; a first time unmeasured, to compile.

    Of several swaps the one with the shortest longest pause: time that the host takes away is not
    ours, and each has every piece of the work in it.
    """
    half = read._replace(instruments=read.instruments[: count // 2].copy())
    filled = tables.allocate(Capacity(instruments=2 * count, orders=1 << 10))
    tables.touch(filled)
    venues, _ = swap.venue_rows(filled, read.venues)
    pauses: list[int] = []
    best = None
    for source in (half, read) * SWAPS:
        journal = jn.in_memory(JOURNAL_SIZE)
        journal.buffer[:] = 0  # in memory, as the running loop has it
        work = swap.Swap(filled, partial(_same, journal), source)
        pauses = []
        while not work.done:
            begun = time.perf_counter_ns()
            work.step(venues, NOW_NS)
            pauses.append(time.perf_counter_ns() - begun)
        done = work.switch("bench", NOW_NS)
        if source is read and (best is None or done.pause_ns < best.pause_ns):
            best = done
    assert best is not None
    return best, filled, pauses


def _same(journal: jn.Journal) -> jn.Journal:
    """The one segment of memory."""
    return journal


def _quiet(name: str, done: int, count: int) -> None:
    """No progress shown: what is measured is the work."""


def table(result: dict[str, Any]) -> Table:
    """The result for a person."""
    made = Table("what", "measured", "goal", title=f"{result['instruments']:,} instruments")
    made.add_row("register files to snapshot", f"{result['build_s']:.1f} s", "10 s")
    made.add_row(
        "longest pause of the swap", f"{result['swap_pause_ns'] / 1e3:,.0f} us", "1,000 us"
    )
    made.add_row("the switch itself", f"{result['swap_switch_ns'] / 1e3:,.0f} us", "")
    made.add_row("one look-up by ISIN", f"{result['lookup_ns']:.0f} ns", "")
    return made
