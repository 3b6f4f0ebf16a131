"""A quote in several sizes, outside the engine: settings, publication, explanation, self-audit."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import tables
from engine.enums import ExecKind, OrdType, QuoteState
from engine.limits import Capacity
from gateway import config as configuration
from gateway import explain, explain_quotes, template, world
from gateway.audit.findings import Audit
from gateway.audit.rules import Rule
from gateway.errors import UserError
from gateway.publish.source import Source
from tests import audit_rig
from tests.audit_rig import Day
from tests.firm import NOW_NS, order
from tests.publish_rig import SAP, VOD, Clock, QuotesRig, delayed, publisher, records, run
from tests.test_audit import At, audited, closed, found_in
from tests.test_audit import world as audit_world
from tests.test_oracle import Engine
from tests.test_sizes import ASK, BID, BUY, SELL, SMS_E6, TICK, WANTED, quoted

Row = dict[str, Any]


# Settings


def write(folder: Path, text: str) -> int:
    """A configuration with sizes; the line where they begin."""
    template.write(folder)
    path = folder / "si.toml"
    whole = path.read_text()
    at = whole.index("\n[policy]") + 1
    path.write_text(whole[:at] + text + "\n" + whole[at:])
    return whole[:at].count("\n") + 1


def params_of(folder: Path) -> Row:
    """What the settings make of the parameters."""
    rows: list[Any] = []
    state = tables.allocate(Capacity(16, 8, 16, 16))
    state.params[0]["more_size_bps"] = 77_000  # of the configuration before
    world._put_params(
        SimpleNamespace(  # type: ignore[arg-type]
            config=configuration.load(folder), tables=state,
            policy=SimpleNamespace(source_hash=7),
            put_row=lambda table_id, index, row, now_ns: rows.append(row),
        ),
        0, NOW_NS,
    )  # fmt: skip
    tables.check_row(state, tables.PARAMS, 0, rows[0])
    return {name: rows[0][name].tolist() for name in ("more_size_bps", "more_size_ticks")}


def size(times: str, worse: str) -> str:
    return f"[[quoting.size]]\ntimes = {times}\nworse_ticks = {worse}\n"


@pytest.mark.parametrize(
    ("text", "bps", "worse"),
    [
        ("", [0, 0], [0, 0]),
        (size("2", "1"), [20_000, 0], [1, 0]),
        (size("1.5", "0") + size("1.5001", "0"), [15_000, 15_001], [0, 0]),
        (size("1.1", "3") + size("1_000", "100"), [11_000, 10_000_000], [3, 100]),
    ],
)
def test_sizes_become_parameters(
    tmp_path: Path, text: str, bps: list[int], worse: list[int]
) -> None:
    write(tmp_path, text)
    assert params_of(tmp_path) == {"more_size_bps": bps, "more_size_ticks": worse}


def test_the_example_of_the_template_can_be_used(tmp_path: Path) -> None:
    lines = template.TEMPLATE.splitlines()
    at = lines.index(next(line for line in lines if line.startswith("# [[quoting.size]]")))
    write(tmp_path, "\n".join(line.removeprefix("# ") for line in lines[at : at + 3]))
    assert params_of(tmp_path) == {"more_size_bps": [15_000, 0], "more_size_ticks": [1, 0]}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (size("1", "1"), 1, "quoting.size.0.times: Input should be greater than 1"),
        (size("1000.5", "1"), 1, "quoting.size.0.times: Input should be less than or equal to"),
        (size("1.00001", "1"), 1, "quoting.size.0.times: Decimal input should have no more than 4"),
        (size('"two"', "1"), 1, "quoting.size.0.times: Input should be a valid decimal"),
        (size("2", "-1"), 2, "quoting.size.0.worse_ticks: Input should be greater than or equal"),
        (size("2", "0.5"), 2, "quoting.size.0.worse_ticks: Input should be a valid integer"),
        (size("2", "1") + size("3", "101"), 5, "quoting.size.1.worse_ticks: Input should be less"),
        (size("2", "1") + "tick = 1\n", 3, "quoting.size.0.tick: no such setting: a typo?"),
        ("[[quoting.size]]\ntimes = 2\n", 0, "quoting.size.0.worse_ticks: Field required"),
        (size("3", "1") + size("2", "1"), 0, "each is larger than the one before, at no better"),
        (size("2", "1") + size("2", "1"), 0, "each is larger than the one before, at no better"),
        (size("2", "2") + size("3", "1"), 0, "each is larger than the one before, at no better"),
        (size("2", "1") + size("3", "1") + size("4", "1"), 0, "should have at most 2 items"),
    ],
)
def test_sizes_that_cannot_be_are_refused_with_their_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    first = write(tmp_path, text)
    with pytest.raises(UserError) as refused:
        configuration.load(tmp_path)
    assert f"line {first + line}: " in str(refused.value) and said in str(refused.value)


# Publication


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[QuotesRig]:
    made = QuotesRig(tmp_path / "journal")
    yield made
    made.close()


def offer(journal: QuotesRig, number: int, more: int) -> None:
    """A quote at 20.00 to 20.02 for 100 and 101, then a tick further out for as much again."""
    ladder = [(20_000_000 - TICK * n, 20_020_000 + TICK * n, 100 * n + 100, 101 * n + 101)
              for n in range(1, more + 1)] + [(0, 0, 0, 0)] * (2 - more)  # fmt: skip
    names = ("more_bid_px_e6", "more_ask_px_e6", "more_bid_qty", "more_ask_qty")
    sides = {name: [row[at] for row in ladder] for at, name in enumerate(names)}
    journal._quote(
        number, state=QuoteState.LIVE, bid_px_e6=20_000_000, ask_px_e6=20_020_000,
        bid_qty=100, ask_qty=101, **sides,
    )  # type: ignore[arg-type] # fmt: skip


SIZES = [
    {"bid_price": "20", "bid_quantity": "100", "offer_price": "20.02", "offer_quantity": "101"},
    {"bid_price": "19.99", "bid_quantity": "200", "offer_price": "20.03", "offer_quantity": "202"},
    {"bid_price": "19.98", "bid_quantity": "300", "offer_price": "20.04", "offer_quantity": "303"},
]


def test_every_size_is_published_everywhere(tmp_path: Path, journal: QuotesRig) -> None:
    """In the files, in what is shown over HTTP, after a restart, and in the delayed files."""
    clock = Clock()
    made = publisher(tmp_path, clock)
    for count in range(3):
        offer(journal, count % 2, count)
    journal.withdraw(1)
    run(made)
    assert [row["sizes"] for row in records(tmp_path)] == [SIZES[:1], SIZES[:2], SIZES, []]
    assert all(row["bid_price"] in ("20", None) for row in records(tmp_path))
    assert made.board.get(SAP) is not None
    made.close()
    clock.ns += 20 * 60 * 10**9
    again = publisher(tmp_path, clock)
    run(again)
    shown = again.board.get(SAP)
    assert shown is not None and b'"offer_price":"20.04","offer_quantity":"303"' in shown.data
    [rows] = delayed(tmp_path).values()
    assert rows[1]["sizes"].startswith('[{"bid_price":"20",') and rows[3]["sizes"] == "[]"
    again.close()


def test_pence_become_pounds_in_every_size(tmp_path: Path, journal: QuotesRig) -> None:
    made = publisher(tmp_path, Clock())
    offer(journal, 2, 1)
    run(made)
    [row] = records(tmp_path)
    assert row["instrument_identification_code"] == VOD
    assert [each["bid_price"] for each in row["sizes"]] == ["0.2", "0.1999"]
    made.close()


def test_a_place_that_was_kept_keeps_the_sizes(tmp_path: Path, journal: QuotesRig) -> None:
    source = Source(tmp_path / "journal")
    offer(journal, 0, 2)
    [version] = source.take(10)
    source.store(tmp_path / "place.json")
    other = Source(tmp_path / "journal")
    other.restore(tmp_path / "place.json", 1)
    assert other.standing() == source.standing() == [version]
    assert [size.ask_qty for size in version.more] == [202, 303]
    for each in (source, other):
        each.close()


def test_a_line_from_before_there_were_sizes_is_built_upon(
    tmp_path: Path, journal: QuotesRig
) -> None:
    """The last line of a file says where to go on, whichever version wrote it."""
    made = publisher(tmp_path, Clock())
    offer(journal, 0, 1)
    run(made)
    made.close()
    [path] = (tmp_path / "published").glob("quotes-*.ndjson")
    text = path.read_text()
    path.write_text(text[: text.index(',"sizes"')] + "}\n")
    (tmp_path / "place.json").unlink(missing_ok=True)
    again = publisher(tmp_path, Clock())
    offer(journal, 0, 2)
    run(again)
    again.close()
    assert [row.get("sizes") for row in records(tmp_path)] == [None, SIZES]


# Explanation


def explained(engine: Engine, name: str, **fields: Any) -> str:
    row = engine.apply("order", order(name, **fields), NOW_NS + 1)[0][1]
    words = explain_quotes.in_words(row, ["XETR", "CEUX"])
    assert words == explain.in_words(row, ["XETR", "CEUX"])
    assert explain.as_dict(row)["quote_size"] == int(row["quote_size"])
    return "\n".join(words)


def test_an_order_is_explained_with_the_size_it_got() -> None:
    engine = quoted()
    first = explained(engine, "A", qty=500)
    assert "our public quote 1: 501 at 29.99 / 500 at 30.01" in first
    assert "price: quoted 30.01," in first
    third = explained(engine, "B", qty=800, side=SELL)
    assert "our public quote 1, size 3: 1,000 at 29.96 / 1,000 at 30.04" in third
    assert "price: quoted 29.96," in third and "outcome: filled 800 at 29.96" in third
    short = explained(engine, "C", qty=501, ord_type=OrdType.LIMIT, limit_px_e6=ASK)
    assert "our public quote 1, size 2: 752 at 29.98 / 750 at 30.02" in short


# The self-audit


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    audit_rig.use_small_segments(monkeypatch)


def day_of(folder: Path) -> Day:
    """A day in three sizes, with orders in each."""
    made = audit_world(sms_e6=SMS_E6)
    day = Day(folder, made._replace(params=made.params | WANTED))
    quote = {"isin": day.world.instruments[0]["isin"], "mic": "XETR", "bid_qty": 9, "ask_qty": 9}
    for ts_ns in (audit_rig.OPEN_NS - 1, At - 1):
        day.market(ts_ns, quote | {"seq": 1, "phase": 0, "bid_px_e6": BID, "ask_px_e6": ASK})
        day.timer(max(ts_ns, audit_rig.OPEN_NS))
    return day


def ladder(**changes: Any) -> Row:
    """The further sizes of a quote's record, as they are quoted or with changes."""
    return {
        "more_bid_px_e6": [BID - TICK, BID - 3 * TICK], "more_bid_qty": [752, 1_000],
        "more_ask_px_e6": [ASK + TICK, ASK + 3 * TICK], "more_ask_qty": [750, 1_000],
    } | changes  # fmt: skip


def rules_of(audit: Audit) -> dict[Rule, int]:
    return {rule: found.total for rule, found in found_in(audit).items()}


def end(day: Day) -> Audit:
    return audited(closed(day))


def test_a_day_in_several_sizes_is_green(tmp_path: Path) -> None:
    """Clients with orders of several sizes, whose prices differ."""
    day = day_of(tmp_path)
    for n, (side, qty) in enumerate((s, q) for s in (BUY, SELL) for q in (1, 500, 501, 752, 1_000)):
        filled = day.order(At + n, side=side, qty=qty, client=n % 2)
        assert filled["kind"] == ExecKind.FILL
        limit = ASK + 3 * TICK if side == BUY else BID - 3 * TICK
        day.order(At + n, side=side, qty=qty, client=1, ord_type=2, limit_px_e6=limit)
    audit = end(day)
    assert rules_of(audit) == {Rule.NOT_BY_FILE: 1}
    run_row = audit.recount.book.run[0]
    assert (run_row["orders"], run_row["fills"], run_row["honoured"]) == (20, 20, 20)
    assert run_row["tick_quotes"] == 6 * run_row["live_quotes"]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"more_bid_qty": [752, 752]}, {Rule.NOT_ASCENDING: 1}),
        ({"more_ask_qty": [500, 1_000]}, {Rule.NOT_ASCENDING: 1}),
        ({"more_bid_px_e6": [BID + TICK, BID]}, {Rule.NOT_ASCENDING: 1}),
        ({"more_ask_px_e6": [ASK + 3 * TICK, ASK + TICK]}, {Rule.NOT_ASCENDING: 1}),
        ({"more_ask_qty": [0, 0]}, {Rule.NOT_ASCENDING: 2}),
        ({name: [0, row[1]] for name, row in ladder().items()}, {Rule.NOT_ASCENDING: 1}),
        ({"more_ask_px_e6": [ASK + 1, ASK + 3 * TICK]}, {Rule.QUOTE_OFF_TICK: 1}),
        ({"more_bid_px_e6": [BID - 1, BID - 2]}, {Rule.QUOTE_OFF_TICK: 2}),
    ],
)
def test_faults_of_a_quote_s_sizes_are_found(
    tmp_path: Path, changes: Row, rules: dict[Rule, int]
) -> None:
    day = day_of(tmp_path)
    day.forge_quote(At, **ladder(**changes))
    assert rules_of(end(day)) == rules | {Rule.NOT_BY_FILE: 1}


def test_a_size_that_is_not_whole_lots_is_found(tmp_path: Path) -> None:
    made = audit_world(sms_e6=SMS_E6, lot=10)
    day = Day(tmp_path, made._replace(params=made.params | WANTED))
    quote = {"isin": day.world.instruments[0]["isin"], "mic": "XETR", "bid_qty": 9, "ask_qty": 9}
    day.market(audit_rig.OPEN_NS, quote | {"seq": 1, "bid_px_e6": BID, "ask_px_e6": ASK})
    day.forge_quote(At, more_bid_qty=[755, 1_000])
    assert rules_of(end(day))[Rule.OFF_LOT] == 1


@pytest.mark.parametrize(
    ("qty", "cited", "px", "rules"),
    [
        (600, 1, ASK + TICK, set()),
        (1_000, 2, ASK + 3 * TICK, set()),
        # in the size behind its own, whose price is worse
        (600, 2, ASK + 3 * TICK, {Rule.WRONG_SIZE, Rule.RECORD_DIFFERS, Rule.WORSE_THAN_QUOTE}),
        # in one that does not cover it, at its price
        (800, 1, ASK + TICK, {Rule.WRONG_SIZE, Rule.RECORD_DIFFERS}),
        (800, 0, ASK, {Rule.WRONG_SIZE, Rule.RECORD_DIFFERS}),
        # the price of the right one, but another one on record
        (600, 0, ASK + TICK, {Rule.WRONG_SIZE, Rule.RECORD_DIFFERS}),
    ],
)
def test_a_fill_is_held_against_the_size_of_its_order(
    tmp_path: Path, qty: int, cited: int, px: int, rules: set[Rule]
) -> None:
    """What `forge_fill` cites is the size `cited`; a price is worse than the size that is due."""
    day = day_of(tmp_path)
    asks, bids = [ASK, ASK + TICK, ASK + 3 * TICK], [BID, BID - TICK, BID - 3 * TICK]
    sides = {"quote_bid_px_e6": bids[cited], "quote_ask_px_e6": asks[cited]}
    gain = {"improvement_e6": asks[cited] - px, "zone": 2}
    day.forge_fill(At, {"qty": qty}, last_px_e6=px, quote_size=cited, **sides, **gain)
    assert set(rules_of(end(day))) == rules | {Rule.NOT_BY_FILE}


def test_an_order_of_a_further_size_must_be_filled(tmp_path: Path) -> None:
    """Within the largest size it is covered; by a limit only at the price of its size."""
    day = day_of(tmp_path)
    refused = {"kind": int(ExecKind.REJECTED), "reason": 51, "last_px_e6": 0, "improvement_e6": 0}
    day.forge_fill(At, {"qty": 1_000}, **refused)
    day.forge_fill(At, {"qty": 600, "ord_type": 2, "limit_px_e6": ASK + TICK}, **refused)
    day.forge_fill(At, {"qty": 600, "ord_type": 2, "limit_px_e6": ASK}, **refused)
    audit = end(day)
    assert rules_of(audit)[Rule.REFUSED] == 2
    quoted_px = [{n: v for n, _, v in case.numbers}["quoted price"]
                 for case in found_in(audit)[Rule.REFUSED].cases]  # fmt: skip
    assert sorted(quoted_px) == [ASK + TICK, ASK + 3 * TICK]
