"""`si sim day`: a small day, its audit, and a recount of it by other means: they agree."""

import csv
import json
import shutil
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner

from engine import journal as jn
from engine import schema, tables
from engine.enums import ExecKind, Phase, QuoteState, Reason
from gateway import cli, explain_quotes, journal_files, sim_day, sim_day_report, template
from gateway import config as configuration
from gateway.audit import findings, read
from gateway.audit.report import as_dict
from gateway.demo_world import _as_toml
from gateway.explain import as_dict as explained
from gateway.journal_files import Reader
from gateway.replay import verify
from gateway.sim_day import Done, Plan
from gateway.sim_day_tape import FeedFile
from tests import publish_rig
from tests.day_recount import Recount, bbo_lines, bbo_of_orders, fix

DAY = "2026-06-08"  # a Monday under eu-2025
NOW_NS = 1_790_000_000 * 10**9  # the day is over
DATA = Path(__file__).parents[2] / "shared" / "data" / "bbo"
DAX_ETF = "DE0005933931"
RECORDED = {
    "XETR": f"xetra_{DAX_ETF}_20260608_0800-0801.txt",
    "LSSI": f"ls_{DAX_ETF}_20260608_0800-0801.txt",
    "EIXX": f"eix_{DAX_ETF}_20260608_0759-0801.txt",
}
AGREED = (
    "BELOW_QMIN", "NOT_TWO_SIDED", "FAR", "FAR_BY_TICK", "NO_MARKET", "FALLBACK", "QUOTE_OFF_TICK",
    "FILL_OFF_TICK", "WORSE_THAN_QUOTE", "OUTSIDE_QUOTE", "BELOW_ONE_TICK", "THROUGH_LIMIT",
    "NO_PUBLIC_QUOTE", "RECORD_DIFFERS", "NOT_ASCENDING",
)  # fmt: skip
Forge = Callable[[Any], None]


def made(folder: Path, minutes: int = 2, **quoting: Any) -> Path:
    """A configuration that is open for some minutes from nine o'clock."""
    folder.mkdir()
    template.write(folder)
    path = folder / "si.toml"
    tree = tomllib.loads(path.read_text())
    tree["hours"] = {"timezone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri"]}
    tree["quoting"] |= {"stale_ms": 2_000} | quoting
    tree["desk"]["item_seconds"] = 20
    tree["engine"] |= {"orders_max": 4096, "desk_items_max": 1024}
    tree["publication"] = {"lei": publish_rig.LEI, "name": "Sample SI", "port": 0}
    hours = f"[hours]\nopen = 09:00:00\nclose = 09:{minutes:02}:00\n"
    path.write_text("\n".join(_as_toml(tree)).replace("[hours]\n", hours) + "\n")
    return folder


def played(folder: Path, seed: int = 1, instruments: int = 9, rate: float = 1.0) -> Done:
    """A generated day."""
    plan = Plan(date.fromisoformat(DAY), [], seed, instruments, rate)
    return sim_day.run(configuration.load(folder), plan)


def published(folder: Path) -> Path:
    """What `si publish` makes of the journal."""
    made = publish_rig.publisher(folder, publish_rig.Clock(NOW_NS))
    publish_rig.run(made)
    made.close()
    return folder / "published"


def audited(folder: Path) -> dict[str, Any]:
    """What `si audit --json` prints."""
    recount = read.recount_day(folder, date.fromisoformat(DAY), 100, NOW_NS)
    return as_dict(findings.make(recount, None, 100), folder)


def rules_of(audit: dict[str, Any]) -> dict[str, int]:
    return {
        finding["rule"]: finding["count"]
        for section in audit["obligations"]
        for finding in section["findings"]
    }


def agree(folder: Path) -> tuple[dict[str, Any], Recount]:
    """The audit and the recount say the same, number by number."""
    audit, mine = audited(folder), Recount(folder, published(folder), DAY)
    assert tuple(audit["hours_ns"][0]) == mine.hours
    for name in ("quotes", "live_quotes", "orders", "fills", "improved"):
        assert audit["counts"][name] == mine.counts[name], name
    found = rules_of(audit)
    for rule in AGREED:
        assert found.get(rule, 0) == mine.found[rule], rule
    shares = {share["isin"]: share for share in audit["instruments"]}
    assert set(shares) == set(mine.presence)
    for isin, ns in mine.presence.items():
        assert shares[isin]["due_ns"] == sum(ns.values()) == mine.hours[1] - mine.hours[0]
        assert shares[isin]["presence_ns"]["LIVE"] == ns["live"], isin
        assert shares[isin]["presence_ns"]["HALTED"] == ns["halted"], isin
        assert shares[isin]["presence_ns"]["OTHER"] == ns["for no reason"], isin
    far = audit["distance_bps_e2"]
    assert far["sides"] == len(mine.distances_bps_e2)
    assert (far["p50"], far["p99"]) == (mine.distance_bps_e2(50), mine.distance_bps_e2(99))
    assert far["max"] == max(mine.distances_bps_e2)
    return audit, mine


# --- days without a fault ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_audit_of_a_day_is_that_of_the_recount(tmp_path: Path, seed: int) -> None:
    folder = made(tmp_path / "si", policy=["ticks", "midpoint", "none"][seed - 1])
    done = played(folder, seed)
    figures = sim_day_report.figures(done, date.fromisoformat(DAY), 100, lambda *_: None)
    audit, mine = agree(folder)
    assert audit["breaches"] == 0 and figures["gate_violations"] == 0 == figures["stops"]
    assert figures["orders"] == mine.counts["orders"] > 90
    assert figures["fills"] == mine.counts["fills"] > 50
    assert figures["quotes"] == mine.counts["quotes"] and figures["records"] > 5_000
    assert (mine.counts["improved"] > 0) == (seed != 3)
    live, due = figures["presence"]["live_ns"], figures["presence"]["due_ns"]
    assert live == mine.as_dict()["live_ns"]
    assert figures["presence"]["of_due_bps"] == mine.as_dict()["presence_bps"]
    assert 10_000 * live // due > 9_000  # two minutes have every episode once


def test_the_same_of_a_day_in_several_sizes(tmp_path: Path) -> None:
    """Which size each order was due is read from what was published."""
    sizes = [{"times": 1.5, "worse_ticks": 1}, {"times": 1.75, "worse_ticks": 2}]
    folder = made(tmp_path / "si", size=sizes)
    played(folder, 4, rate=3.0)
    audit, mine = agree(folder)
    assert audit["breaches"] == 0 and mine.counts["fills"] > 100
    fills = [
        int(frame.record["quote_size"])
        for frame in Reader(folder / "journal", kinds=(jn.EXECUTION,)).poll()
        if frame.record["kind"] == ExecKind.FILL
    ]
    assert set(fills) == {0, 1, 2} and sum(map(bool, fills)) > 10
    assert verify(folder / "journal", None)["missing_bytes"] == 0


def test_a_day_replays_and_explains(tmp_path: Path) -> None:
    folder = made(tmp_path / "si")
    done = played(folder)
    result = verify(folder / "journal", None)
    assert (result["missing_bytes"], result["torn"]) == (0, False)
    assert result["orders"] == done.orders and result["frames"] == done.server.files.state[0]["seq"]
    rows = [each.row for each in explain_quotes.find_frames(folder / "journal", "day-1")]
    assert [explained(row)["clordid"] for row in rows] == ["day-1"]


def test_a_seed_gives_the_same_day(tmp_path: Path) -> None:
    folders = [made(tmp_path / name, 1) for name in ("a", "b", "c")]
    states = [played(folder, seed, 3) for folder, seed in zip(folders, (5, 5, 6), strict=True)]
    segments = [(folder / "journal" / "segment-000000.journal").read_bytes() for folder in folders]
    assert segments[0] == segments[1] != segments[2]
    assert states[0].records == states[1].records


def test_every_episode_comes(tmp_path: Path) -> None:
    """Halts, auctions, crossed and one-sided markets, gaps of venues: all are in two minutes."""
    folder = made(tmp_path / "si")
    done = played(folder, instruments=12)
    states = done.server.tables.venue_states[:5]
    assert int(states["gaps"].sum()) > 0 and int(states["lost"].sum()) > 0
    assert int(states["repeats"].sum()) == 0
    tape = _records(folder)
    assert set((tape["phase"] & 255).tolist()) == {0, 1, 2}
    assert (tape["ask_qty"] == 0).any()
    assert len(set(done.server.tables.orders["reason"].tolist())) > 4


def _records(folder: Path) -> Any:
    found = [frame.body for frame in Reader(folder / "journal", kinds=(jn.VENUE_QUOTE,)).poll()]
    return np.concatenate([body.view(schema.venue_quote) for body in found])


def test_sessions_of_every_version_send_orders(tmp_path: Path) -> None:
    folder = made(tmp_path / "si", 1)
    path = folder / "si.toml"
    tree = tomllib.loads(path.read_text())
    more = [("FIX.4.2", {}), ("FIXT.1.1", {"default_appl_ver_id": "9"})]
    text = path.read_text()
    for number, (begin, also) in enumerate(more):
        fields = tree["fix"]["sessions"][0] | {"target_comp_id": f"V{number}"} | also
        session = _as_toml({"s": [fields | {"begin_string": begin}]})
        text += "\n".join(session).replace("[[s]]", "[[fix.sessions]]") + "\n"
    path.write_text(text)
    done = played(folder, instruments=3, rate=2.0)
    states = Counter(done.server.tables.orders["session"][: done.orders].tolist())
    assert len(states) == 4 and sum(states.values()) == done.orders > 80
    assert int(done.server.tables.counters[0]["orders"]) == done.orders
    versions = {fix(f.fix)[8] for f in Reader(folder / "journal", kinds=(jn.EXECUTION,)).poll()}
    assert versions == {"FIX.4.4", "FIX.4.2", "FIXT.1.1"}


@pytest.mark.heavy
def test_a_longer_day_is_quoted_nearly_always(tmp_path: Path) -> None:
    """Half an hour of thirty instruments: presence is what a day asks for, nothing is violated."""
    folder = made(tmp_path / "si", 30, stale_ms=5_000)
    done = played(folder, 1, 30, 2.0)
    figures = sim_day_report.figures(done, date.fromisoformat(DAY), 100, lambda *_: None)
    audit, _ = agree(folder)
    assert audit["breaches"] == figures["gate_violations"] == figures["stops"] == 0
    assert figures["presence"]["of_due_bps"] >= 9_900
    assert figures["records"] > 50_000 and figures["orders"] > 3_000
    verify(folder / "journal", None)


# --- the consolidated BBO ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_the_bbo_is_that_of_the_oracle_quote_by_quote(tmp_path: Path, seed: int) -> None:
    folder = made(tmp_path / "si", 1)
    plan = Plan(date.fromisoformat(DAY), [], seed, 6, 0.5)
    with sim_day_report.bbo_file(folder / "bbo.csv") as on_bbos:
        done = sim_day.run(configuration.load(folder), plan, on_bbos=on_bbos)
    with (folder / "bbo.csv").open(newline="") as file:
        head, *lines = list(csv.reader(file))
    assert tuple(head) == sim_day_report.BBO_COLUMNS and len(lines) == done.records > 1_000
    assert lines == bbo_lines(folder)
    assert {line[3] for line in lines} >= {"NORMAL", "CROSSED"}
    agree(folder)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_bbo_at_an_order_is_that_of_the_tape(tmp_path: Path, seed: int) -> None:
    """What the explain record says of the market, against the oracle at the order's time."""
    folder = made(tmp_path / "si", 1)
    played(folder, seed, 6)
    executions = Reader(folder / "journal", kinds=(jn.EXECUTION,)).poll()
    rows = [explained(frame.record) for frame in executions]
    lines = bbo_of_orders(folder)
    answers = [row for row in rows if row["kind"] in ("FILL", "NEW", "REJECTED", "CANCELLED")]
    assert len(answers) >= len(lines) > 40
    priced = 0
    for row, line in zip(answers, lines, strict=False):
        assert (row["isin"], str(row["ts_ns"])) == (line[1], line[0])
        if row["reason"] in ("NONE", "NOT_MARKETABLE") or row["reason"].startswith("BBO_"):
            names = ("bbo_state", "bbo_bid_px_e6", "bbo_ask_px_e6")
            assert [str(row[name]) for name in names] == [line[3], line[4], line[6]]
            priced += 1
    assert priced > 30


# --- files ------------------------------------------------------------------------------------


def as_files(source: Path, target: Path) -> list[FeedFile]:
    """A tape as a CSV file for each venue."""
    times = [(f.ts_ns, f.body.view(schema.venue_quote)) for f in Reader(
        source / "journal", kinds=(jn.VENUE_QUOTE,)).poll()]  # fmt: skip
    files: dict[str, list[str]] = {}
    for ts_ns, records in times:
        for record in records:
            mic = schema.unpack([record["mic"]])
            px = [f"{Decimal(int(record[n])).scaleb(-6):f}" for n in ("bid_px_e6", "ask_px_e6")]
            qty = [str(record[name]) for name in ("bid_qty", "ask_qty")]
            if record["ask_qty"] == 0:
                px[1] = qty[1] = ""
            phase = Phase(int(record["phase"]) & 255).name.lower()
            isin = schema.unpack(record["isin"])
            row = [isin, mic, _iso(ts_ns), *px, *qty, phase]
            files.setdefault(mic, ["isin,mic,time,bid,ask,bid_qty,ask_qty,phase"])
            files[mic].append(",".join(row))
    for mic, rows in files.items():
        (target / f"{mic}.csv").write_text("\n".join(rows) + "\n")
    return [FeedFile(target / f"{mic}.csv", "csv") for mic in sorted(files)]


def _iso(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ts_ns % 10**9:09}Z"


def test_files_of_several_venues_are_merged_in_the_order_of_time(tmp_path: Path) -> None:
    """The same tape from five files: the BBO is the oracle's, the audit is the recount's."""
    played(made(tmp_path / "drawn", 1), 4, 5, 0)
    folder = made(tmp_path / "si", 1)
    files = as_files(tmp_path / "drawn", tmp_path)
    orders = tmp_path / "orders.csv"
    isin = Reader(tmp_path / "drawn" / "journal", kinds=(jn.VENUE_QUOTE,))
    first = schema.unpack(next(isin.poll()).record["isin"])
    orders.write_text(
        "time,session,isin,side,qty,price,tif\n"
        f"2026-06-08T09:00:30Z,CLIENT2,{first},sell,1,,ioc\n"
        f"2026-06-08T09:00:20Z,CLIENT1,{first},buy,2,,\n"
    )
    plan = Plan(date.fromisoformat(DAY), files, orders_file=orders)
    assert len(files) == 5
    with sim_day_report.bbo_file(folder / "bbo.csv") as on_bbos:
        done = sim_day.run(configuration.load(folder), plan, on_bbos=on_bbos)
    times = [frame.ts_ns for frame in Reader(folder / "journal").poll()]
    assert times == sorted(times) and done.records == len(_records(tmp_path / "drawn"))
    assert (_records(folder)["phase"] < 256).all(), "played files are not counted"
    with (folder / "bbo.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == bbo_lines(folder)
    sent = list(Reader(folder / "journal", kinds=(jn.ORDER,)).poll())
    assert [fix(frame.fix)[11] for frame in sent] == ["day-1", "day-2"] and done.orders == 2
    assert [frame.record["side"] for frame in sent] == [1, 2]


@pytest.mark.skipif(not DATA.exists(), reason="no ../shared/data: real data is not shipped")
def test_the_bbo_of_recorded_quotes_of_three_venues_is_the_oracles(tmp_path: Path) -> None:
    """A minute of one ETF, a quote a second and venue: each BBO, and the recount of our quotes."""
    folder = made(tmp_path / "si", 1)
    path = folder / "si.toml"
    text = path.read_text().replace("= 09:00:00", "= 08:00:00").replace("= 09:01:00", "= 08:01:00")
    before = '"XETR", "XPAR", "XLON", "XSTO", "XSWX"'
    assert before in text
    path.write_text(text.replace(before, '"XETR", "LSSI", "EIXX"'))
    head = (folder / "instruments.csv").read_text().splitlines()[1]
    row = f"{DAX_ETF},ETF,etf,EUR,XETR,Y,Y,15000,650000,6,1,0,0,200"
    (folder / "instruments.csv").write_text(f"{head}\n{row}\n")
    files = [FeedFile(DATA / name, "semicolon", DAX_ETF, mic) for mic, name in RECORDED.items()]
    plan = Plan(date.fromisoformat(DAY), files, orders_per_s=1.0)
    with sim_day_report.bbo_file(folder / "bbo.csv") as on_bbos:
        done = sim_day.run(configuration.load(folder), plan, on_bbos=on_bbos)
    with (folder / "bbo.csv").open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    assert lines == bbo_lines(folder) and len(lines) == done.records > 100
    assert {line[2] for line in lines} == set(RECORDED)
    audit, _ = agree(folder)
    assert audit["breaches"] == 0


def test_quotes_that_stand_are_said_again(tmp_path: Path) -> None:
    """A file of changes: without a refresh its quiet instrument goes stale."""
    file = tmp_path / "changes.csv"
    head = "isin,mic,time,bid,ask,bid_qty,ask_qty"
    times = ("08:59:58.5", "09:00:50.5", "09:01:01.0")
    rows = [f"DEZZ00000056,XETR,2026-06-08T{each}Z,344.4,344.5,10,10" for each in times]
    file.write_text("\n".join([head, *rows]) + "\n")
    records = []
    for refresh_ns in (0, 10**9):
        folder = made(tmp_path / f"si{refresh_ns}", 1)
        plan = Plan(date.fromisoformat(DAY), [FeedFile(file, "csv")], refresh_ns=refresh_ns)
        records.append(sim_day.run(configuration.load(folder), plan).records)
        spoken = [f.ts_ns for f in Reader(folder / "journal", kinds=(jn.VENUE_QUOTE,)).poll()]
        assert spoken == sorted(spoken) and len(spoken) == records[-1]
    assert records == [3, 3 + 51 + 10]
    shares = {share["isin"]: share for share in audited(folder)["instruments"]}
    assert shares["DEZZ00000056"]["presence_ns"]["LIVE"] == 60 * 10**9


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def si(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The command line, without the compiling of what serves."""
    monkeypatch.setattr(cli, "compile_all", lambda: None)
    yield lambda *words: CliRunner().invoke(cli.app, ["sim", "day", *map(str, words)])
    structlog.reset_defaults()


def test_the_command_tells_what_came_of_the_day(tmp_path: Path, si: Callable[..., Any]) -> None:
    folder = made(tmp_path / "si", 1)
    words = (folder, "--date", DAY, "--generate", 3, "--instruments", 4, "--orders", 1)
    done = si(*words, "--json", "--bbo", tmp_path / "bbo.csv")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["gate_violations"] == 0 and document["next"] == f"si audit {DAY} {folder}"
    assert document["records"] == len((tmp_path / "bbo.csv").read_text().splitlines()) - 1
    assert sum(document["outcomes"].values()) == document["orders"] > 30
    again = si(*words)
    assert again.exit_code == 1 and "has a journal already" in again.stderr
    shutil.rmtree(folder / "journal")
    shown = si(*words)
    assert shown.exit_code == 0 and "gate violations" in shown.stdout
    assert f"next: si audit {DAY}" in shown.stdout


def test_an_internal_check_that_failed_ends_with_1(
    tmp_path: Path, si: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path / "si", 1)
    monkeypatch.setattr(sim_day_report, "INVARIANTS", (Reason.NOT_MARKETABLE,))
    done = si(folder, "--date", DAY, "--generate", 3, "--instruments", 4, "--orders", 2, "--json")
    assert json.loads(done.stdout)["invariants_tripped"] > 0
    assert done.exit_code == 1 and "an internal check has failed" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "give either --feed FILE"),
        (("--generate", 1, "--feed", "FILE", "--format", "csv"), "give either --feed FILE"),
        (("--feed", "FILE"), "--feed needs --format"),
        (("--feed", "FILE", "--format", "csv", "--format", "csv"), "--format is given 2 times"),
        (("--feed", "FILE", "--format", "nothing"), "--format 'nothing' is unknown"),
        (("--feed", "FILE", "--format", "csv"), "is not of the day of --date"),
        (("--generate", 1, "--instruments", 1000), "the firm is SI in"),
        (("--generate", 1, "--orders", 1, "--orders-file", "FILE"), "give either --orders"),
        (("--generate", 1, "--orders-file", "FILE"), "add the column: it is missing"),
        (("--generate", 1, "--date", "2026-06-07"), "have no trading on 2026-06-07"),
        (("--generate", 1, "--date", "tomorrow"), "is no day"),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, si: Callable[..., Any], words: tuple[Any, ...], why: str
) -> None:
    folder = made(tmp_path / "si", 1)
    file = tmp_path / "tape.csv"
    file.write_text(
        "isin,mic,time,bid,ask,bid_qty,ask_qty\nDEZZ00000056,XETR,2026-06-09T09:00:00Z,1,2,3,4\n"
    )
    named = [file if word == "FILE" else word for word in words]
    done = si(folder, "--date", DAY, *named)
    assert done.exit_code == 1 and why in done.stderr, done.output
    assert not (folder / "journal").exists()


# --- forged faults: both find them ------------------------------------------------------------


class Forger:
    """Changes records of a closed journal, as if the engine had written them so."""

    def __init__(self, folder: Path) -> None:
        path = journal_files.segment_path(folder / "journal", 0)
        self.buffer = np.memmap(path, np.uint8, "r+")
        self.words = self.buffer.view(np.int64)
        self.due = set(Recount(folder, published(folder), DAY).presence)

    def quote(self, skip: int = 3) -> Any:
        """A live quote in the hours that is replaced before any order: offset and record."""
        frames = [f for f in self._frames() if f[1] in (jn.ORDER, jn.QUOTE)]
        for at, (offset, kind, isin) in enumerate(frames):
            later = [each for each in frames[at + 1 :] if each[2] == isin]
            if kind != jn.QUOTE or isin not in self.due or not later or later[0][1] != jn.QUOTE:
                continue
            row = self._body(offset, schema.quote)
            if row["state"] == QuoteState.LIVE and row["version"] > skip:
                return offset, row
        raise AssertionError("no such quote")

    def fill(self) -> Any:
        """A fill of a buyer."""
        for offset, kind, isin in self._frames():
            if kind == jn.EXECUTION and isin in self.due:
                row = self._body(offset, schema.execution)
                if row["kind"] == ExecKind.FILL and row["side"] == 1 and not row["limit_px_e6"]:
                    return offset, row
        raise AssertionError("no such fill")

    def _frames(self) -> list[tuple[int, int, str]]:
        """Offset, kind and ISIN of every frame of ORDER, QUOTE and EXECUTION."""
        found, rows, offset = [], {}, 0
        while self.words[offset >> 3]:
            kind = int(self.words[(offset >> 3) + jn.KIND])
            if kind == jn.TABLE_ROW and self.words[(offset >> 3) + 8] == tables.INSTRUMENT:
                row = self.buffer[offset + 80 :][: schema.instrument.itemsize]
                isin = schema.unpack(row.view(schema.instrument)[0]["isin"])
                rows[int(self.words[(offset >> 3) + 9])] = isin
            elif kind == jn.QUOTE:
                row = self._body(offset, schema.quote)
                found.append((offset, kind, rows[int(row["instrument"])]))
            elif kind in (jn.ORDER, jn.EXECUTION):
                row = self._body(offset, jn.RECORDS[kind])
                found.append((offset, kind, schema.unpack(row["isin"])))
            offset += int(self.words[offset >> 3])
        return found

    def _body(self, offset: int, dtype: Any) -> Any:
        start = offset + jn.HEADER_SIZE
        return self.buffer[start : start + dtype.itemsize].view(dtype)[0]

    def say(self, offset: int, tag: bytes, text: bytes) -> None:
        """Another value of a field of the FIX message behind the record, of the same size."""
        size = int(self.words[offset >> 3])
        raw = self.buffer[offset : offset + size].tobytes()
        start = raw.index(b"\x01" + tag + b"=", raw.index(b"8=FIX")) + len(tag) + 2
        assert raw.index(b"\x01", start) - start == len(text), "the size of the message stays"
        self.buffer[offset + start :][: len(text)] = np.frombuffer(text, np.uint8)

    def sign(self, offset: int) -> None:
        """The frame is whole again."""
        size = int(self.words[offset >> 3])
        self.words[(offset >> 3) + jn.CHECKSUM] = jn.checksum(np.asarray(self.buffer), offset, size)
        self.buffer.flush()


def forge_quote(changes: Callable[[Any], dict[str, int]], forger: Forger) -> None:
    offset, row = forger.quote()
    for name, value in changes(row).items():
        row[name] = value
    forger.sign(offset)


def forge_fill(ticks: int, forger: Forger) -> None:
    """So many ticks dearer for a buyer, in the record and in the report."""
    offset, row = forger.fill()
    px_e6 = int(row["last_px_e6"]) + ticks * int(row["tick_e6"])
    text = f"{Decimal(px_e6).scaleb(-6).normalize():f}".encode()
    row["last_px_e6"] = px_e6
    forger.say(offset, b"31", text)
    forger.sign(offset)


def nothing(row: Any) -> dict[str, int]:
    sides = dict.fromkeys(("bid_px_e6", "ask_px_e6", "bid_qty", "ask_qty"), 0)
    return {"state": int(QuoteState.WITHDRAWN), "reason": int(Reason.NO_QUOTE)} | sides


FAULTS: dict[str, Forge] = {
    "BELOW_QMIN": partial(forge_quote, lambda row: {"bid_qty": int(row["bid_qty"]) // 2}),
    "QUOTE_OFF_TICK": partial(forge_quote, lambda row: {"ask_px_e6": int(row["ask_px_e6"]) + 1}),
    "FAR": partial(forge_quote, lambda row: {"ask_px_e6": int(row["ask_px_e6"]) * 2}),
    "NOT_TWO_SIDED": partial(forge_quote, lambda row: {"ask_px_e6": 0, "ask_qty": 0}),
    "NO_REASON": partial(forge_quote, nothing),
    "WORSE_THAN_QUOTE": partial(forge_fill, 20),
}


@pytest.fixture(scope="module")
def day_to_forge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made(tmp_path_factory.mktemp("forged") / "si")
    played(folder, 2, rate=2.0)
    return folder


@pytest.mark.parametrize("rule", FAULTS)
def test_a_forged_fault_is_found_by_both(tmp_path: Path, day_to_forge: Path, rule: str) -> None:
    folder = tmp_path / "si"
    shutil.copytree(day_to_forge, folder)
    before, _ = agree(folder)
    assert rule not in rules_of(before)
    FAULTS[rule](Forger(folder))
    shutil.rmtree(folder / "published")
    (folder / "place.json").unlink(missing_ok=True)
    after, mine = agree(folder)
    assert rules_of(after)[rule] > 0 and after["breaches"] > 0
    if rule == "NO_REASON":
        assert sum(ns["for no reason"] for ns in mine.presence.values()) > 0
    else:
        assert mine.found[rule] > 0
