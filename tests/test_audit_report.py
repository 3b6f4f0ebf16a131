"""`si audit`: days that cannot be read, damage, hours, delays; the screen, document and page."""

import ast
import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine import journal as jn
from engine import tables
from gateway import journal_files
from gateway.audit import findings, page, publication, read
from gateway.audit.rules import Duty, Rule
from gateway.cli import app
from gateway.errors import UserError
from gateway.publish.record import Firm, record_of, series_name, stamp
from gateway.publish.source import Source
from tests import audit_rig
from tests.audit_rig import CLOSE_NS, OPEN_NS, Day
from tests.firm import venue_quote
from tests.test_audit import ASK, BID, DATE, LATER_NS, At, audited, closed, found_in, opened, world
from tests.test_cli_status import Page
from tests.world import HOUR, MIDNIGHT_NS, SECOND

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    audit_rig.use_small_segments(monkeypatch)


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["audit", *map(str, words)])


# --- what cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "write it like"),
        ("2025-13-01", "write it like"),
        ("2999-01-01", "has not come yet"),
        ("1969-12-31", "before 1970"),
    ],
)
def test_days_that_are_none(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read.parse_day(text, LATER_NS)
    assert read.parse_day("today", LATER_NS).isoformat() == "2025-11-26"


def test_folders_without_the_day(tmp_path: Path) -> None:
    done = run("2025-11-23", tmp_path)
    assert done.exit_code == 1 and "no such folder" in done.stderr
    day = Day(tmp_path, world())
    done = run("2025-11-21", tmp_path)
    assert done.exit_code == 1 and "it begins on 2025-11-23" in done.stderr
    day.close()
    empty = tmp_path / "empty"
    journal_files.JournalFiles(empty / "journal").close()
    done = run("2025-11-23", empty)
    assert done.exit_code == 1 and "it is empty" in done.stderr


def test_another_schema_is_refused(tmp_path: Path) -> None:
    day = Day(tmp_path, world())
    day.forge(jn.BOOT, OPEN_NS, np.array([77, 0], "i8").tobytes())
    day.close()
    done = run("2025-11-23", tmp_path)
    assert done.exit_code == 1 and "use the version that wrote it" in done.stderr


def _spoil(folder: Path, index: int, at: int) -> None:
    path = journal_files.segment_path(folder / "journal", index)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_damage_is_a_breach_and_the_rest_is_judged(tmp_path: Path) -> None:
    day = opened(tmp_path)
    at = int(day.files.state[0]["offset"]) + 70  # in the body of the next frame
    lost = day.forge(jn.TIMER, At, bytes(64))
    worse = day.forge_fill(At, last_px_e6=ASK + 10_000)
    closed(day)
    _spoil(tmp_path, 0, at)
    found = found_in(audited(tmp_path))
    assert set(found) == {Rule.DAMAGED, Rule.GAP, Rule.WORSE_THAN_QUOTE, Rule.NOT_BY_FILE}
    assert found[Rule.DAMAGED].cases[0].position == at - 70
    assert found[Rule.GAP].cases[0].numbers == (
        ("frame before", "count", lost - 1), ("frame", "count", lost + 1),
    )  # fmt: skip
    assert found[Rule.WORSE_THAN_QUOTE].cases[0].frame == worse


def test_a_torn_end_is_no_breach(tmp_path: Path) -> None:
    day = opened(tmp_path)
    day.market(CLOSE_NS + SECOND, venue_quote(BID, ASK, "CEUX"))
    at = int(day.files.state[0]["offset"])
    day.timer(CLOSE_NS + SECOND)
    day.close()
    _spoil(tmp_path, 0, at + 8)
    audit = audited(tmp_path)
    assert set(found_in(audit)) == {Rule.TORN, Rule.NOT_BY_FILE} and audit.breaches == 0


def test_a_day_over_many_segments_and_the_days_around_it(tmp_path: Path) -> None:
    day = Day(tmp_path, world(), start_ns=MIDNIGHT_NS - 20 * HOUR)
    quotes = orders = 0
    for number in range(3 * 12):
        ts_ns = MIDNIGHT_NS - 15 * HOUR + number // 12 * 24 * HOUR + number * SECOND
        day.market(ts_ns, venue_quote(BID - number % 3 * 10_000, ASK))
        day.order(ts_ns + 1, qty=number + 1)
        day.forge(jn.FIX_IN, ts_ns + 2, bytes(100_000))
        quotes += number // 12 == 1
        orders += number // 12 == 1
    audit = audited(day.close())
    counted = audit.recount.book.run[0]
    assert audit.recount.segments > 3
    assert (counted["orders"], counted["fills"]) == (orders, orders)
    assert counted["venue_quotes"] == quotes and counted["last_seq"] - counted["first_seq"] > 30
    assert audit.recount.is_over and Rule.GAP not in found_in(audit)


# --- hours ------------------------------------------------------------------------------------

FROM, UNTIL = MIDNIGHT_NS, MIDNIGHT_NS + 24 * HOUR
FIRST, LAST = FROM + HOUR, FROM + 20 * HOUR
ALWAYS = (0, 2**62)


@pytest.mark.parametrize(
    ("rows", "over", "hours"),
    [
        ([(FROM - HOUR, *ALWAYS)], True, [(FIRST, LAST)]),
        ([(0, OPEN_NS, CLOSE_NS)], True, [(OPEN_NS, CLOSE_NS)]),
        ([(0, FROM, UNTIL - 1)], False, [(FROM, LAST)]),
        ([(0, FROM, UNTIL - 1)], True, [(FROM, UNTIL - 1)]),
        ([(0, FROM - 9, FROM), (At, OPEN_NS, CLOSE_NS)], True, [(OPEN_NS, CLOSE_NS)]),
        ([(0, OPEN_NS, CLOSE_NS), (At, OPEN_NS, CLOSE_NS)], True, [(OPEN_NS, CLOSE_NS)]),
        ([(0, OPEN_NS, CLOSE_NS), (At, OPEN_NS, At - 5)], True, [(OPEN_NS, At)]),
        (
            [(0, OPEN_NS, At - 5), (At, At + 5, CLOSE_NS)],
            True,
            [(OPEN_NS, At - 5), (At + 5, CLOSE_NS)],
        ),
        ([(0, UNTIL + 1, UNTIL + 2)], True, []),
        ([], True, []),
    ],
)
def test_published_hours(
    rows: list[tuple[int, int, int]], over: bool, hours: list[tuple[int, int]]
) -> None:
    survey = read.Survey((1, 1), rows, FIRST, FIRST, LAST)
    assert read.hours_of(survey, FROM, UNTIL, day_is_over=over) == hours


def test_a_day_without_hours_says_so(tmp_path: Path) -> None:
    day = Day(tmp_path, world())
    params = day.world.params
    day.put(tables.PARAMS, 0, params | {"open_ns": UNTIL, "close_ns": UNTIL + 1}, OPEN_NS - 1)
    closed_day = day.close()
    hours = audited(closed_day).recount.hours
    assert hours == [(OPEN_NS, CLOSE_NS)]  # the rows of the day before the change still name it


# --- delays of publication --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.5Z", 500_000_000),
        (17, None),
        (True, None),
        (1.5, None),
        (None, None),
        ("1970-01-01T00:00:01", None),
        ("1970-01-01T00:00:01.Z", 10**9),
        ("1970-01-01T00:00:01.0000000001Z", None),
        ("1970-01-01T00:00:01.+1Z", None),
        ("noon Z", None),
    ],
)
def test_times_as_they_may_be_written(value: Any, ns: int | None) -> None:
    assert publication.time_ns(value) == ns


def line_of(number: int, delay_ns: int = 0, series: str = "a") -> str:
    """A line as the publisher writes it, as far as it is read."""
    return json.dumps({
        "series": series, "quote_id": str(number), "update_date_and_time": stamp(At),
        "publication_date_and_time": stamp(At + delay_ns),
    })  # fmt: skip


def test_delays_of_a_file(tmp_path: Path) -> None:
    versions = publication.Versions("a", 1, 501, 0, True)
    assert publication.read(tmp_path, DATE, versions) is None
    random = Random(3)
    delays = [random.randrange(10**7) for _ in range(500)] + [-5]
    lines = [line_of(number, delay) for number, delay in enumerate(delays, 1)]
    path = tmp_path / "quotes-2025-11-23.ndjson"
    path.write_text("\n".join([*lines, "", "no json", "[]", '{"quote_id": 1}']), "utf-8")
    ordered = sorted(delays)
    assert publication.read(tmp_path, DATE, versions) == publication.Published(
        504, 501, 1, 0, ordered[250], ordered[495], ordered[500]
    )
    path.write_text("", "utf-8")
    nothing = publication.Published(0, 0, 0, 501, 0, 0, 0)
    assert publication.read(tmp_path, DATE, versions) == nothing


@pytest.mark.parametrize(
    ("today", "tomorrow", "is_over", "missing"),
    [
        ([3, 4, 5, 6, 7], [], True, 0),
        ([1, 2, 3, 4, 5, 6, 7, 8], [], True, 0),
        ([3, 4, 4, 6, 7], [], True, 1),
        ([3, 4, 5], [], True, 2),
        ([3, 4, 5], [], False, 0),  # the rest may be on its way
        ([3, 5], [], False, 1),
        ([], [], False, 0),
        ([3, 4, 5], [6, 7, 8, 9], True, 0),
        ([3, 4, 5], [7, 8, 6], True, 1),
    ],
)
def test_versions_that_no_line_has(
    today: list[int], tomorrow: list[int], is_over: bool, missing: int, tmp_path: Path
) -> None:
    other = line_of(6, series="b")
    for day, numbers in (("23", today), ("26", tomorrow)):  # the days between had none
        path = tmp_path / f"quotes-2025-11-{day}.ndjson"
        path.write_text("\n".join([other, *map(line_of, numbers)]), "utf-8")
    found = publication.read(tmp_path, DATE, publication.Versions("a", 3, 7, 0, is_over))
    assert found is not None and found.missing == missing
    switched = publication.Versions("a", 3, 7, 1, is_over)
    found = publication.read(tmp_path, DATE, switched)
    assert found is not None and found.missing == max(missing - 1, 0)


def test_what_the_publisher_writes_is_understood(tmp_path: Path) -> None:
    """The names of the fields are the publisher's, and the series is found by the journal."""
    day = opened(tmp_path)
    day.market(At, venue_quote(BID - 100_000, ASK))
    closed(day)
    path = tmp_path / publication.FOLDER / "quotes-2025-11-23.ndjson"
    source, firm = Source(tmp_path / "journal"), Firm("L" * 18 + "00", "SINT", "x")
    series, versions = series_name(source.mark), source.take(100)
    versions = [each._replace(mic=firm.mic) for each in versions]  # the rig names no firm
    records = [record_of(each, series, firm, each.entered_ns + 7) for each in versions]
    path.parent.mkdir()
    path.write_text("".join(f"{record.model_dump_json()}\n" for record in records))
    recount = audited(tmp_path).recount
    wanted = findings.versions_of(recount, publication.series_of(tmp_path))
    found = publication.read(publication.folder_of(tmp_path), DATE, wanted)
    assert found is not None and found.lines == found.timed == len(versions) > 1
    assert found.missing == 0 and found.delay_max_ns == 7
    path.write_text(path.read_text().split("\n", 1)[1])
    found = publication.read(publication.folder_of(tmp_path), DATE, wanted)
    assert found is not None and found.missing == 1


# --- what is said -----------------------------------------------------------------------------


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A day with a halt, a refusal, two clients with different prices and a hostile name."""
    made = world()
    named = [made.clients[0] | {"name": "<b>&"}, made.clients[1]]
    day = Day(tmp_path, made._replace(clients=named))
    day.market(OPEN_NS, venue_quote(BID, ASK))
    day.forge_fill(At, {"client": 0})
    day.forge_fill(At + 1, {"client": 1}, last_px_e6=20_000_000)
    day.forge_fill(At + 2, last_px_e6=ASK + 10_000)
    refused = {"kind": 4, "reason": 1, "last_px_e6": 0, "improvement_e6": 0}
    day.forge_fill(At + 4, **refused)  # KILLED_FIRM, of a quote that is public
    day.market(At + 5, venue_quote(BID, ASK) | {"phase": 2})
    day.market(At + 5 + HOUR, venue_quote(BID, ASK))
    folder = closed(day)
    count, series = int(day.tables.counters[0]["quotes"]), publication.series_of(folder)
    lines = [line_of(number, 10**6, series) for number in range(1, count + 1)]
    path = tmp_path / "published" / "quotes-2025-11-23.ndjson"
    path.parent.mkdir()
    path.write_text("\n".join([*lines, "x", "{}"]))
    return folder


def test_the_document(faulty: Path) -> None:
    done = run("2025-11-23", faulty, "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["breaches"] == 1 and found["hours_ns"] == [[OPEN_NS, CLOSE_NS]]
    assert [one["obligation"] for one in found["obligations"]] == [duty.value for duty in Duty]
    lights = {one["obligation"]: one["light"] for one in found["obligations"]}
    assert lights["improvement"] == "red" and lights["equality"] == "amber"
    [worse] = next(one for one in found["obligations"] if one["light"] == "red")["findings"]
    assert worse["rule"] == "WORSE_THAN_QUOTE" and worse["severity"] == "breach"
    [case] = worse["cases"]
    assert case["numbers"][0] == {"name": "price", "unit": "px_e6", "value": ASK + 10_000}
    assert case["see"] == f"si explain {faulty} 900"
    record = case["record"]
    assert record["position"] == record["byte"] and record["segment"] == "segment-000000.journal"
    assert found["published"]["delay_max_ns"] == 1_000_000
    assert found["published"]["lines"] == found["published"]["timed"] + 2 > 3
    assert found["published"]["missing"] == 0
    assert found["refused_within_quote"] == [
        {"reason": "KILLED_FIRM", "severity": "to explain", "count": 1}
    ]
    [one] = found["instruments"]
    assert one["presence_ns"]["HALTED"] == HOUR and one["live_bps"] == 8_750
    zone = found["clients"][1]["zones"]["WITHIN_MIN_QUOTE"]
    assert zone == {"fills": 1, "improvement_milliticks": 1_000}


def test_every_field_of_the_document_is_documented(faulty: Path) -> None:
    text = (ROOT / "gateway" / "audit" / "README.md").read_text("utf-8")
    document = json.loads(run("2025-11-23", faulty, "--json").stdout)
    section = document["obligations"][0]
    names = [*document, *section["findings"][0], *section["findings"][0]["cases"][0]]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert f"`--close-bps` ({100})" in text


def test_the_screen(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(faulty)
    done = run("2025-11-23")
    assert done.exit_code == 1
    words = " ".join(done.stdout.split())
    assert "fill worse than the public quote (MiFIR Art 15(2)" in words
    assert "si explain . 900" in words and "KILLED_FIRM" in words
    assert "amber" in words and "client1; 09:00:00.000000; price 20, the other's" in words
    assert len(done.stdout.splitlines()) < 60


def test_the_page_needs_nothing_else(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit.html"
    done = run("2025-11-23", faulty, "--html", out)
    assert done.exit_code == 1 and f"wrote {out}" in done.stderr.replace("\n", "")
    text = out.read_text("utf-8")
    made = Page(text)
    assert "<b>&" not in text and "<b>&" in made.text
    outside = [value for name, value in made.attributes if name in ("src", "href")]
    assert all(str(value).startswith("#") for value in outside) and "url(" not in text
    assert "script" not in made.tags and made.tags.count("section") == len(Duty)
    plain = " ".join(made.text.split())
    assert "1 breaches were found" not in plain and "One breach was found." in plain
    assert "KILLED_FIRM" in plain and "MiFIR Art 15(2)" in plain


def test_charts_add_up_and_are_to_scale(faulty: Path) -> None:
    audit = audited(faulty)
    bars = page.distance_bars(audit)
    assert sum(bar.number for bar in bars) == int(audit.recount.book.distances.sum()) > 0
    assert max(bar.height for bar in bars) == page.CHART_HEIGHT
    [(title, fills)] = page.improvement_charts(audit)
    assert title == "up to Qmin" and [bar.number for bar in fills] == [2, 0, 1, 0, 0, 0, 0]
    cells = page.cells(audit, audit.shares[0])
    assert cells[0].x == 0 and cells[-1].x + cells[-1].width == page.STRIP_WIDTH
    assert [cell.css for cell in cells] == ["live", *["halt"] * 4, "live"]
    assert all(a.x + a.width == b.x for a, b in pairwise(cells))


def test_a_clean_day_ends_well(tmp_path: Path) -> None:
    closed(opened(tmp_path))
    out = tmp_path / "audit.html"
    done = run("2025-11-23", tmp_path, "--html", out)
    assert done.exit_code == 0
    assert "No breach was found." in out.read_text("utf-8")


# --- independence -----------------------------------------------------------------------------

#: Layout, names and plumbing: nothing that decides.
ALLOWED = {
    "engine": {"journal", "schema", "regimes", "staging", "tables"},
    "engine.tables": {"CLIENT", "INSTRUMENT", "PARAMS", "REGIMES_MAX"},
    "engine.regimes": {"midnight_ns"},
}
OPEN_MODULES = {"engine.enums", "engine.handle", "engine.jit", "engine.limits", "engine.schema"}


def test_the_recount_imports_no_decision() -> None:
    found = []
    for path in sorted((ROOT / "gateway" / "audit").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found += [f"{path.name}: {a.name}" for a in node.names if "engine" in a.name]
            if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("engine"):
                continue
            if node.module in OPEN_MODULES:
                continue
            names = {alias.name for alias in node.names}
            found += [
                f"{path.name}: {node.module}.{name}"
                for name in names - ALLOWED.get(str(node.module), set())
            ]
    assert found == []
