"""`si audit`: what the recount finds in days with a known fault; nothing in days without one."""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine import regimes, schema, tables
from engine.enums import COUNTED, ExecKind, QuoteState, Reason
from gateway import journal_files, recorder
from gateway.audit import findings, read
from gateway.audit.findings import Audit, Light
from gateway.audit.rules import ABOUT, Rule, Severity
from gateway.audit.tables import SLOTS, Presence
from tests import audit_rig
from tests.audit_rig import CLOSE_NS, OPEN_NS, SEGMENT, Day
from tests.firm import CLIENT, E6, INSTRUMENT, firm, venue_quote
from tests.oracle import tick_at, units
from tests.test_oracle import open_items_of, to_record
from tests.world import HOUR, MIDNIGHT_NS, SECOND, World, inputs, make_world

DATE = date.fromisoformat(audit_rig.DAY)
LATER_NS = MIDNIGHT_NS + 72 * HOUR
BID, ASK = 19_990_000, 20_010_000
FOREVER_NS = 2**63 - 1
#: The regimes of this version, as a world names them.
REGIMES = [
    {name: int(row[name]) for name in schema.regime.names or ()} for row in regimes.regime_rows()
]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    audit_rig.use_small_segments(monkeypatch)


def world(clients: int = 2, **instrument: Any) -> World:
    """One liquid share of SMS 10,000, open from 8 to 16, no staleness within the day."""
    made = firm({"open_ns": OPEN_NS, "close_ns": CLOSE_NS, "stale_ns": 24 * HOUR}, instrument)
    named = [CLIENT | {"name": f"client{i}"} for i in range(clients)]
    return made._replace(regimes=REGIMES, clients=named)


def audited(folder: Path, day: date = DATE, close_bps: int = 100) -> Audit:
    return findings.make(read.recount_day(folder, day, close_bps, LATER_NS), None, close_bps)


def found_in(audit: Audit) -> dict[Rule, findings.Finding]:
    return {finding.rule: finding for section in audit.sections for finding in section.findings}


def opened(folder: Path, policy: str = "none", made: World | None = None) -> Day:
    """A day with a market from before the open."""
    day = Day(folder, made or world(), policy)
    day.market(OPEN_NS - SECOND, venue_quote(BID, ASK))
    day.timer(OPEN_NS)  # our quotes begin
    return day


def closed(day: Day) -> Path:
    """The market goes on until after the close."""
    day.market(CLOSE_NS + SECOND, venue_quote(BID, ASK, "CEUX"))
    return day.close()


# --- a day without a fault --------------------------------------------------------------------


def test_a_clean_day_is_green(tmp_path: Path) -> None:
    made = world()
    params = made.params | {"policy_param": [1] + [0] * 7}
    day = opened(tmp_path, "ticks", made._replace(params=params))
    for minute in range(48):
        ts_ns = OPEN_NS + minute * 600 * SECOND
        step = minute % 7 * 10_000
        day.market(ts_ns, venue_quote(BID - 10_000 + step, ASK + step))
        day.order(ts_ns + 1, qty=minute % 50 + 1, client=minute % 2, side=minute % 2 + 1)
        limit = {"ord_type": 2, "limit_px_e6": ASK + step}
        day.order(ts_ns + 2, qty=100, client=minute % 2, **limit)
    audit = audited(closed(day))
    assert {section.light for section in audit.sections} == {Light.GREEN}
    assert set(found_in(audit)) == {Rule.NOT_BY_FILE}
    run = audit.recount.book.run[0]
    assert (run["orders"], run["fills"], run["honoured"]) == (96, 96, 96)
    assert run["improved"] > 80 and int(audit.recount.book.improvements.sum()) == 96
    assert [share.live_bps for share in audit.shares] == [10_000]
    assert audit.shares[0].ns[Presence.LIVE] == CLOSE_NS - OPEN_NS


def test_records_that_are_counted_are_a_market(tmp_path: Path) -> None:
    """COUNTED is beside the phase, not a phase: continuous stays continuous, a halt a halt."""
    day = Day(tmp_path, world(), "none")
    for seq, (ts_ns, phase) in enumerate(
        ((OPEN_NS - SECOND, 0), (OPEN_NS + HOUR, 2), (OPEN_NS + 2 * HOUR, 0)), 1
    ):
        record = venue_quote(BID, ASK) | {"phase": COUNTED | phase, "seq": seq}
        day.market(ts_ns, record)
        day.timer(max(ts_ns, OPEN_NS))
    audit = audited(closed(day))
    assert Rule.NO_MARKET not in found_in(audit) and Rule.NOT_QUOTED not in found_in(audit)
    assert audit.shares[0].ns[Presence.HALTED] == HOUR
    assert audit.breaches == 0


# --- one fault at a time ----------------------------------------------------------------------

At = OPEN_NS + HOUR
Forge = Callable[[Day], int]


def _one_sided(day: Day) -> int:
    return day.forge_quote(At, ask_px_e6=0)


def _other_zone(day: Day) -> int:
    return day.forge_fill(At, zone=2)


def _refused(reason: int, **order: Any) -> Forge:
    return lambda day: day.forge_fill(
        At, order, kind=int(ExecKind.REJECTED), reason=reason, last_px_e6=0, improvement_e6=0
    )


def _unanswered(day: Day) -> int:
    event = to_record(schema.order_event, {"isin": INSTRUMENT["isin"], "side": 1, "qty": 5})
    seq = day.forge(jn.ORDER, At, event.tobytes())
    day.timer(At + 1)
    return seq


def _different(day: Day) -> int:
    day.forge_fill(At, {"client": 0})
    return day.forge_fill(At + 1, {"client": 1}, last_px_e6=20_000_000)


def _backwards(day: Day) -> int:
    return day.forge(jn.TIMER, OPEN_NS - 2 * SECOND, b"")


def _gap(day: Day) -> int:
    day.files.state[0]["seq"] += 3
    return day.forge(jn.TIMER, At, b"")


def _market_gone(day: Day) -> int:
    for mic in ("XETR", "CEUX"):
        day.market(At, venue_quote(BID, ASK, mic) | {"phase": 3})
    return day.forge_quote(At + 1, state=1, bid_px_e6=BID, ask_px_e6=ASK, bid_qty=501, ask_qty=501)


FAULTS: dict[Rule, Forge] = {
    Rule.BELOW_QMIN: lambda day: day.forge_quote(At, bid_qty=500),  # 9,995 EUR
    Rule.NOT_TWO_SIDED: _one_sided,
    Rule.FAR: lambda day: day.forge_quote(At, ask_px_e6=20_300_000),
    Rule.NO_MARKET: _market_gone,
    Rule.QUOTE_OFF_TICK: lambda day: day.forge_quote(At, bid_px_e6=BID + 1, ask_px_e6=ASK),
    Rule.FILL_OFF_TICK: lambda day: day.forge_fill(At, last_px_e6=ASK + 5, improvement_e6=-5),
    Rule.WORSE_THAN_QUOTE: lambda day: day.forge_fill(At, last_px_e6=ASK + 10_000),
    Rule.OUTSIDE_QUOTE: lambda day: day.forge_fill(At, last_px_e6=BID - 10_000),
    Rule.BELOW_ONE_TICK: lambda day: day.forge_fill(At, last_px_e6=ASK - 4_000),
    Rule.THROUGH_LIMIT: lambda day: day.forge_fill(At, {"ord_type": 2, "limit_px_e6": ASK - 1}),
    Rule.NO_PUBLIC_QUOTE: lambda day: day.forge_fill(At, quote_id=77),
    Rule.RECORD_DIFFERS: lambda day: day.forge_fill(At, improvement_e6=10_000),
    Rule.ZONE_DIFFERS: _other_zone,
    Rule.WRONG_SIZE: lambda day: day.forge_fill(At, quote_size=1),
    Rule.NOT_ASCENDING: lambda day: day.forge_quote(At, more_bid_px_e6=[BID, 0]),
    Rule.REFUSED: _refused(51),  # NO_QUOTE
    Rule.REFUSED_FOR_REASON: _refused(26),  # BBO_CROSSED
    Rule.REFUSED_BY_RIGHT: _refused(4),  # DUPLICATE_CLORDID
    Rule.LIMIT_NOT_SET: _refused(29),  # CLIENT_DAY_LIMIT
    Rule.TO_DESK: lambda day: day.forge_fill(At, kind=int(ExecKind.NEW)),
    Rule.UNANSWERED: _unanswered,
    Rule.ENTERED_AFTER: lambda day: day.forge_quote(At, entered_ns=At - 1),
    Rule.DIFFERENT_PX: _different,
    Rule.CLOCK_BACK: _backwards,
    Rule.GAP: _gap,
}
#: What the same fault is as well.
ALSO = {
    Rule.FILL_OFF_TICK: {Rule.WORSE_THAN_QUOTE},
    Rule.BELOW_ONE_TICK: {Rule.FILL_OFF_TICK},
    Rule.NOT_TWO_SIDED: {Rule.NO_REASON},
    # between the end of the market and the forged quote
    Rule.NO_MARKET: {Rule.NOT_QUOTED},
}


@pytest.mark.parametrize("rule", FAULTS, ids=lambda rule: rule.name)
def test_each_fault_is_found_with_its_record(rule: Rule, tmp_path: Path) -> None:
    day = opened(tmp_path)
    seq = FAULTS[rule](day)
    audit = audited(closed(day))
    found = found_in(audit)
    expected = {rule, Rule.NOT_BY_FILE} | ALSO.get(rule, set())
    assert set(found) == expected
    assert found[rule].total == 1
    [case] = found[rule].cases
    assert case.frame == seq
    assert _frame_at(tmp_path, case.position) == (seq, case.ts_ns)
    is_breach = any(ABOUT[one].severity == Severity.BREACH for one in found)
    assert (audit.breaches > 0) == is_breach
    [section] = [one for one in audit.sections if one.duty == ABOUT[rule].duty]
    lights = {Severity.BREACH: Light.RED, Severity.EXPLAIN: Light.AMBER}
    assert section.light == lights.get(ABOUT[rule].severity, Light.GREEN)


def _frame_at(folder: Path, position: int) -> tuple[int, int]:
    """Number and time of the frame at a position of the journal."""
    index, offset = divmod(position, SEGMENT)
    frame = journal_files.frame_at(journal_files.look_at(folder / "journal", index), offset, 0)
    return frame.seq, frame.ts_ns


def test_every_rule_of_a_record_has_its_fault() -> None:
    """A rule without a day that breaks it could be one that finds nothing."""
    elsewhere = {
        Rule.NEVER_QUOTED, Rule.NOT_RUNNING, Rule.NO_REASON, Rule.NOT_QUOTED, Rule.EXCUSED,
        Rule.NO_THRESHOLD, Rule.OFF_LOT, Rule.NO_REGIME, Rule.FAR_BY_TICK, Rule.FALLBACK,
        Rule.GIVEN_OFF_TICK, Rule.WORSE_THAN_SHOWN, Rule.DAMAGED, Rule.RESTARTED, Rule.TORN,
        Rule.NO_HOURS, Rule.REGIME_FORCED, Rule.REGIMES_DIFFER, Rule.NOT_BY_FILE,
        Rule.PUBLISHED_BEFORE, Rule.UNREADABLE_LINES, Rule.NOT_PUBLISHED,
    }  # fmt: skip
    assert set(FAULTS) | elsewhere == set(Rule) == set(ABOUT)
    assert not set(FAULTS) & elsewhere


# --- what the engine does by itself -----------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_s_own_days_have_no_breach_but_absence(seed: int, tmp_path: Path) -> None:
    """Any market, any order, any policy; datagrams of several records; a desk at work."""
    made, random = make_world(seed, 500), Random(seed)
    day = Day(tmp_path, made, ("wild", "ticks", "midpoint")[seed], OPEN_NS - 2 * HOUR)
    waiting: list[dict[str, Any]] = []
    for name, fields, ts_ns in inputs(made, seed, 500, lambda: open_items_of(day)):  # type: ignore[arg-type]
        if name == "venue_quote":
            waiting.append(fields)
            if random.random() < 0.6:
                day.market(ts_ns, *waiting)
                waiting = []
        elif name == "order":
            day.order(ts_ns, **{key: value for key, value in fields.items() if key != "session"})
        elif name == "desk":
            recorder.on_desk(*day.all, to_record(schema.desk_command, fields), ts_ns)
        elif name == "timer":
            day.timer(ts_ns)
        elif name == "params":
            day.put(tables.PARAMS, 0, fields, ts_ns)
    audit = audited(day.close())
    breaches = {
        rule for rule, finding in found_in(audit).items() if finding.severity == Severity.BREACH
    }
    absent = {Rule.NEVER_QUOTED, Rule.NOT_RUNNING, Rule.NO_REASON}
    assert breaches <= absent
    states = {f"BBO_{name}" for name in ("EMPTY", "ONE_SIDED", "STALE", "CROSSED")}
    shown = found_in(audit).get(Rule.REFUSED_FOR_REASON)
    reasons = {case.numbers[0][2] for case in shown.cases} if shown else set()
    assert not {Reason(reason).name for reason in reasons} & states
    counters, run = day.tables.counters[0], audit.recount.book.run[0]
    assert run["quotes"] == counters["quotes"] > 100
    assert run["fills"] == day.tables.positions["fills"].sum() > 20
    assert run["desk_fills"] > 0 or seed != 1
    assert sum(client.fills for client in audit.clients) == run["fills"]
    improved_e6 = sum(
        int(frame.record["improvement_e6"]) > 0
        for frame in journal_files.Reader(tmp_path / "journal", kinds=(jn.EXECUTION,)).poll()
        if frame.record["kind"] == ExecKind.FILL
    )
    assert run["improved"] == improved_e6


def test_a_quote_is_held_against_its_own_record_of_a_datagram(tmp_path: Path) -> None:
    """Two prices of one instrument in one datagram, far apart: each quote has its own market."""
    day = opened(tmp_path)
    day.market(At, venue_quote(BID, ASK), venue_quote(BID + E6, ASK + E6), venue_quote(BID, ASK))
    day.market(At + 1, venue_quote(BID, ASK), venue_quote(BID + E6, ASK + E6))
    audit = audited(closed(day))
    assert set(found_in(audit)) == {Rule.NOT_BY_FILE}
    assert audit.recount.book.run[0]["compared"] > 3
    assert findings.percentile_bps_e2(audit.recount, 100) == 0


# --- presence against a count of every nanosecond ---------------------------------------------

TINY_NS = 60  # published hours of these days
START_NS = OPEN_NS - 15
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 90),
        st.sampled_from(("quote", "withdraw", "phase", "boot", "hours", "frame")),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=14,
)
REASONS = (0, 23, 24, 25)  # none, BBO_EMPTY, BBO_ONE_SIDED, BBO_STALE
WHY = {0: "OTHER", 23: "EMPTY", 24: "ONE_SIDED", 25: "STALE"}


def _tiny_day(folder: Path, events: list[tuple[int, str, int, int]]) -> None:
    made = world()._replace(
        instruments=[INSTRUMENT, INSTRUMENT | {"isin": "XS0000000001", "mrm_venue": 1}]
    )
    params = made.params | {"open_ns": OPEN_NS, "close_ns": OPEN_NS + TINY_NS}
    day = Day(folder, made._replace(params=params), start_ns=START_NS)
    for number, (at, what, subject, choice) in enumerate(sorted(events)):
        ts_ns = START_NS + at
        isin = day.world.instruments[subject]["isin"]
        if what == "quote":
            live = {"state": 1, "bid_px_e6": BID, "ask_px_e6": ASK, "bid_qty": 9, "ask_qty": 9}
            day.forge_quote(ts_ns, instrument=subject, **live)
        elif what == "withdraw":
            day.forge_quote(ts_ns, instrument=subject, state=2, reason=REASONS[choice])
        elif what == "phase":
            quote = venue_quote(BID, ASK, ("XETR", "CEUX")[number % 2])
            record = to_record(schema.venue_quote, quote | {"isin": isin, "phase": choice})
            day.forge(jn.VENUE_QUOTE, ts_ns, record.tobytes())
        elif what == "boot":
            day.boot(ts_ns)
        elif what == "hours":
            opens = OPEN_NS + 5 * choice
            day.put(tables.PARAMS, 0, params | {"open_ns": opens}, ts_ns)
        else:
            day.timer(ts_ns)
    day.forge(jn.TIMER, MIDNIGHT_NS + 25 * HOUR, b"")  # it ran on into the next day
    day.close()


def _presence_by_nanosecond(folder: Path) -> list[dict[str, int]]:
    """Of each instrument and reason the nanoseconds, each looked at by itself."""
    frames = list(journal_files.Reader(folder / "journal").poll())
    hours, down, before = [], set(), 0
    for frame in frames:
        if frame.kind == jn.TABLE_ROW and frame.body[:8].view("i8")[0] == tables.PARAMS:
            row = frame.body[16:].view(schema.params)[0]
            hours.append((frame.ts_ns, int(row["open_ns"]), int(row["close_ns"])))
        if frame.kind == jn.BOOT and before:
            down |= set(range(before, frame.ts_ns))
        before = frame.ts_ns
    found: list[dict[str, int]] = [{}, {}]
    for ts_ns in range(OPEN_NS, OPEN_NS + TINY_NS):
        _, opens, closes = [row for row in hours if row[0] <= ts_ns][-1]
        if not opens <= ts_ns < closes:
            continue
        past = [frame for frame in frames if frame.ts_ns <= ts_ns]
        for subject, mic in enumerate(("XETR", "CEUX")):
            why = "NOT_RUNNING" if ts_ns in down else _state(past, subject, mic)
            found[subject][why] = found[subject].get(why, 0) + 1
    return found


def _state(past: list[Any], subject: int, mic: str) -> str:
    isin = schema.pack((INSTRUMENT["isin"], "XS0000000001")[subject], 2)
    quotes = [f.record for f in past if f.kind == jn.QUOTE]
    ours = [row for row in quotes if row["instrument"] == subject]
    if ours and ours[-1]["state"] == 1:
        return "LIVE"
    seen = [f.record for f in past if f.kind == jn.VENUE_QUOTE]
    phases = [r["phase"] for r in seen if list(r["isin"]) == isin and r["mic"] == schema.pack(mic)]
    if phases and phases[-1]:
        return {1: "AUCTION", 2: "HALTED", 3: "MRM_CLOSED"}[int(phases[-1])]
    return WHY[int(ours[-1]["reason"])] if ours else "NOT_YET"


@settings(max_examples=25)
@given(EVENTS)
def test_presence_is_a_count_of_nanoseconds(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("tiny")
    _tiny_day(folder, events)
    recount = read.recount_day(folder, DATE, 100, LATER_NS)
    counted = [
        {why.name: int(row[why]) for why in Presence if row[why]}
        for row in recount.book.presence[:2]
    ]
    assert counted == _presence_by_nanosecond(folder)
    live = recount.book.presence[:2, Presence.LIVE]
    assert recount.book.live_slots[:2].sum(axis=1).tolist() == live.tolist()
    assert recount.book.live_slots.shape[1] == SLOTS


# --- sizes, ticks and distances against fractions ---------------------------------------------


def test_versions_of_quotes_against_fractions(tmp_path: Path) -> None:
    """Two days, before and after DR 2025/1246; the recount of each sees its own alone."""
    random = Random(11)
    kinds = [
        INSTRUMENT | {"isin": f"XS{i:010d}", "tick_band": i, "lot": lot, "sms_e6": sms * E6}
        for i, (lot, sms) in enumerate(((1, 5_000), (10, 7_500), (1, 90_000), (7, 1_000)))
    ]
    made = world()._replace(instruments=kinds)
    params = made.params | {"open_ns": 0, "close_ns": 2**62}
    day = Day(tmp_path, made._replace(params=params), start_ns=MIDNIGHT_NS - 20 * HOUR)
    expected: list[dict[Rule, int]] = [{}, {}]
    distances: list[list[int]] = [[], []]
    for number in range(240):
        which = number // 120
        ts_ns = MIDNIGHT_NS - 10 * HOUR + which * 20 * HOUR + number
        subject = random.randrange(4)
        row = kinds[subject]
        mid = random.choice((9_990_000, 20_000_000, 49_999_000, 1_234_500))
        sides = [mid + random.choice((0, 100, 10_000, 50_000, mid // 90)) for _ in range(2)]
        market = [random.choice((px, px, px + 7, px * 101 // 100)) for px in sides]
        sides.sort(), market.sort()
        at_qmin = row["sms_e6"] // (10 if which == 0 else 1)
        qtys = [random.choice((-(-at_qmin // px), at_qmin // px, 700)) or 1 for px in sides]
        quote = venue_quote(*market) | {"isin": row["isin"]}
        day.forge(jn.VENUE_QUOTE, ts_ns, to_record(schema.venue_quote, quote).tobytes())
        names = dict(
            zip(("bid_px_e6", "ask_px_e6", "bid_qty", "ask_qty"), sides + qtys, strict=True)
        )
        day.forge_quote(ts_ns, instrument=subject, state=1, **names)
        for px, market_px, qty in zip(sides, market, qtys, strict=True):
            for rule in _faults_of(row, which, px, market_px, qty):
                expected[which][rule] = expected[which].get(rule, 0) + 1
            distances[which].append(abs(px - market_px) * 10**6 // market_px)
    day.close()
    for which, name in enumerate(("2025-11-22", audit_rig.DAY)):
        audit = audited(tmp_path, date.fromisoformat(name), 50)
        counted = {rule: found.total for rule, found in found_in(audit).items()}
        for rule in (
            Rule.BELOW_QMIN,
            Rule.OFF_LOT,
            Rule.QUOTE_OFF_TICK,
            Rule.FAR,
            Rule.FAR_BY_TICK,
        ):
            assert counted.get(rule, 0) == expected[which].get(rule, 0), (name, rule.name)
        assert audit.recount.book.run[0]["compared"] == 120
        ordered = sorted(distances[which])
        for percent in (1, 50, 99, 100):
            place = -(-len(ordered) * percent // 100) - 1
            assert findings.percentile_bps_e2(audit.recount, percent) == ordered[place]
        assert audit.recount.book.run[0]["far_bps_e2_max"] == ordered[-1]
    assert len(expected[0]) == len(expected[1]) == 5


def _faults_of(row: dict[str, Any], which: int, px: int, market_px: int, qty: int) -> list[Rule]:
    """What is wrong with one side of a quote, in fractions."""
    found = []
    qmin = Fraction(row["sms_e6"], E6) * (Fraction(1, 10) if which == 0 else 1)
    if Fraction(px, E6) * qty < qmin:
        found.append(Rule.BELOW_QMIN)
    if qty % row["lot"]:
        found.append(Rule.OFF_LOT)
    band = row["tick_band"]
    if band and units(px) % tick_at(units(px), band):
        found.append(Rule.QUOTE_OFF_TICK)
    far = Fraction(abs(px - market_px), market_px) * 10_000
    if far >= 50 + Fraction(1, 100):  # hundredths of a basis point, rounded down
        tick = tick_at(units(max(px, market_px)), band) if band else 0
        found.append(Rule.FAR_BY_TICK if units(abs(px - market_px)) < tick else Rule.FAR)
    return found


# --- rules of a whole day ---------------------------------------------------------------------


def test_a_halt_is_excused_and_an_auction_is_not(tmp_path: Path) -> None:
    day = opened(tmp_path)
    day.market(At, venue_quote(BID, ASK) | {"phase": 2})
    day.market(At + HOUR, venue_quote(BID, ASK) | {"phase": 1})
    day.market(At + 2 * HOUR, venue_quote(BID, ASK))
    audit = audited(closed(day))
    found = found_in(audit)
    assert set(found) == {Rule.EXCUSED, Rule.NOT_QUOTED, Rule.NOT_BY_FILE}
    [share] = audit.shares
    assert share.ns[Presence.HALTED] == share.ns[Presence.AUCTION] == HOUR
    assert share.live_bps == 7_500
    [case] = found[Rule.EXCUSED].cases
    assert case.numbers[0] == ("not quoted", "duration_ns", HOUR) and case.position < 0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, Rule.NEVER_QUOTED),
        ({"sms_e6": 0}, Rule.NO_THRESHOLD),
        ({"lis_e6": 0}, Rule.NO_THRESHOLD),
        ({"liquid": 0}, None),
        ({"si": 0}, None),
    ],
)
def test_who_is_never_quoted(changes: dict[str, int], rule: Rule | None, tmp_path: Path) -> None:
    day = Day(tmp_path, world(**changes))
    day.timer(CLOSE_NS + SECOND)
    audit = audited(day.close())
    assert set(found_in(audit)) == {rule, Rule.NOT_BY_FILE} - {None}
    light = {Rule.NEVER_QUOTED: Light.RED, Rule.NO_THRESHOLD: Light.AMBER, None: Light.GREY}
    assert audit.sections[0].light == light[rule]


def test_a_restart_is_absence_and_a_late_start_too(tmp_path: Path) -> None:
    day = Day(tmp_path, world(), start_ns=OPEN_NS + HOUR)
    day.market(OPEN_NS + HOUR, venue_quote(BID, ASK))
    day.timer(OPEN_NS + 2 * HOUR)
    day.boot(OPEN_NS + 2 * HOUR + SECOND)
    audit = audited(closed(day))
    found = found_in(audit)
    assert set(found) == {Rule.NOT_RUNNING, Rule.RESTARTED, Rule.NOT_BY_FILE}
    assert audit.shares[0].ns[Presence.NOT_RUNNING] == HOUR + SECOND
    assert audit.shares[0].due_ns == CLOSE_NS - OPEN_NS


def test_a_quote_renewed_by_the_order_is_told_from_the_one_shown(tmp_path: Path) -> None:
    made = world()
    day = opened(tmp_path, made=made._replace(params=made.params | {"stale_ns": SECOND}))
    day.market(At, venue_quote(BID, ASK))
    worse = {"quote_id": int(day.tables.counters[0]["quotes"]) + 1}
    worse |= {"quote_ask_px_e6": ASK + 20_000, "last_px_e6": ASK + 20_000, "improvement_e6": 0}
    seq = day.forge_fill(At + 1, **worse) + 1
    day.forge_quote(At + 1, ask_px_e6=ASK + 20_000)
    _refused(25)(day)  # BBO_STALE, of a quote that is public
    found = found_in(audited(closed(day)))
    [case] = found[Rule.WORSE_THAN_SHOWN].cases
    assert case.frame == seq - 1 and ("our ask", "px_e6", ASK) in case.numbers
    assert [n for n in found[Rule.REFUSED_FOR_REASON].cases[0].numbers if n[1] == "reason"] == [
        ("reason", "reason", 25)
    ]
    assert Rule.NO_PUBLIC_QUOTE not in found


@pytest.mark.parametrize(
    ("reason", "presence"),
    [
        *((Reason(72 + n), Presence.SUSPENDED) for n in range(1, 6)),
        (Reason.QUOTE_FAR, Presence.TOO_FAR),
        (Reason.KILLED_FIRM, Presence.STOPPED),
        (Reason.KILLED_INSTRUMENT, Presence.STOPPED),
    ],
)
def test_a_withdrawal_by_the_firm_is_to_be_shown(
    reason: Reason, presence: Presence, tmp_path: Path
) -> None:
    day = opened(tmp_path)
    live = {name: int(day.tables.quotes[0][name]) for name in ("bid_px_e6", "ask_px_e6", "state")}
    day.forge_quote(At, state=int(QuoteState.WITHDRAWN), reason=reason, bid_px_e6=0, ask_px_e6=0)
    day.forge_quote(At + HOUR, **live)
    audit = audited(closed(day))
    assert set(found_in(audit)) == {Rule.NOT_QUOTED, Rule.NOT_BY_FILE}
    assert audit.shares[0].ns[presence] == HOUR


def test_regimes_that_are_not_this_version_s_or_forced(tmp_path: Path) -> None:
    made = world()
    forced = made._replace(params=made.params | {"regime_forced": 0}, regimes=REGIMES[:2])
    day = Day(tmp_path, forced)
    day.market(OPEN_NS, venue_quote(BID, ASK))  # sized by 10 % of SMS, years too late
    found = found_in(audited(closed(day)))
    assert {Rule.REGIME_FORCED, Rule.REGIMES_DIFFER, Rule.BELOW_QMIN} < set(found)


def test_a_new_table_takes_instruments_away(tmp_path: Path) -> None:
    """An instrument that the next snapshot does not name is no longer due, from then on."""
    two = [INSTRUMENT, INSTRUMENT | {"isin": "XS0000000001"}]
    day = Day(tmp_path, world()._replace(instruments=two))
    for row in two:
        day.market(OPEN_NS, venue_quote(BID, ASK) | {"isin": row["isin"]})
    row = to_record(schema.instrument, INSTRUMENT)
    day.forge(jn.STAGE, At, np.array([0, 0, 2], "i8").tobytes())  # CARRY both
    day.forge(jn.STAGE, At, np.array([1, 0, 1, 0], "i8").tobytes() + row.tobytes())  # ROWS: one
    day.forge(jn.ACTIVATE, At, to_record(schema.activation, {"instruments": 2}).tobytes())
    audit = audited(closed(day))
    due = {share.isin: share.due_ns for share in audit.shares}
    assert due == {INSTRUMENT["isin"]: CLOSE_NS - OPEN_NS, "XS0000000001": HOUR}
    assert audit.breaches == 0
