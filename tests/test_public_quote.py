"""Which version of our quote an order gets, when there is a new one, and when there is none."""

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from engine import policy, step, tables
from engine.enums import (
    COUNTED,
    AboveQuote,
    Clamp,
    Condition,
    DeskAction,
    KillScope,
    QuoteState,
    Reason,
)
from engine.limits import OUTPUTS_MAX, SWEEP_MAX, Capacity
from engine.outbox import allocate_outbox
from gateway import config as configuration
from gateway import template, venue_view, world
from gateway.cli import app
from gateway.control import Control
from gateway.errors import UserError
from tests.firm import E6, INSTRUMENT, NOW_NS, firm, order, venue_quote
from tests.order_rig import ASK, BID, Orders
from tests.test_oracle import Engine
from tests.world import MS, REJECT, World

Row = dict[str, Any]
BUY, SELL = 1, 2
DAY, IOC, FOK = 0, 3, 4
MARKET = {"t40": "1", "t44": None}
TICK = 10_000


class Wide(Engine):
    """Room for more instruments than one input may look at."""

    def __init__(self, world: World) -> None:
        self.tables = tables.allocate(Capacity(1 << 11, 8, 64, 16))
        self.outbox = allocate_outbox()
        self.policy = policy.load("none")
        self._load(world)


def quotes_of(engine: Engine) -> list[Row]:
    """New versions that the last input has made."""
    rows = engine.outbox.quotes[: int(engine.outbox.counts[0]["quotes"])]
    return [{name: row[name].tolist() for name in row.dtype.names} for row in rows]


def send(engine: Engine, bid: int, ask: int, ts_ns: int, **more: Any) -> list[Row]:
    engine.apply("venue_quote", venue_quote(bid, ask) | more, ts_ns)
    return quotes_of(engine)


# The version that was public


@pytest.mark.parametrize("waited_ns", [0, 1, 10, 19, 20, 21])
def test_an_order_that_waited_gets_the_quote_of_its_receipt(waited_ns: int) -> None:
    """Two updates while its bytes lay in the buffer: 20 ns and 10 ns before it was done."""
    orders = Orders()
    for later_ns, ask in ((MS, ASK + TICK), (10, ASK + 2 * TICK)):
        orders.now_ns += later_ns
        orders.market(BID, ask)
    orders.now_ns += 10
    orders.wires.connections[0]["recv_ns"] = orders.now_ns - waited_ns
    [report] = orders.order("A", **MARKET, t38=1)
    expected = {0: ASK + 2 * TICK, 1: ASK + 2 * TICK, 10: ASK + 2 * TICK}
    px = expected.get(waited_ns, ASK + TICK if waited_ns <= 20 else ASK)
    assert report[31] == f"{px / E6:.2f}"
    assert orders.engine.tables.orders[0]["recv_ns"] == orders.now_ns - waited_ns
    orders.check_replay()


def test_a_version_that_is_too_long_ago_is_none() -> None:
    orders = Orders()
    seen = []
    for n in range(1, 8):
        orders.wires.connections[0]["recv_ns"] = NOW_NS
        [report] = orders.order(f"A{n}", **MARKET, t38=1)
        seen.append(report.get(31))
        orders.now_ns += 1
        orders.market(BID, ASK + n * TICK)
    assert seen == ["20.01"] * 4 + [None] * 3
    orders.check_replay()


def test_new_reference_data_do_not_take_back_the_public_quote() -> None:
    engine = Engine(firm(), "none")
    [live] = send(engine, BID, ASK, NOW_NS)
    engine._set(tables.INSTRUMENT, 0, INSTRUMENT | {"sms_e6": 30_000 * E6, "tick_band": 1})
    ((_, execution), (_, quote)) = engine.apply("order", order("A"), NOW_NS + 1)
    assert (execution["last_px_e6"], execution["quote_id"]) == (ASK, live["quote_id"])
    assert quote["ask_px_e6"] == 20_200_000  # from now on: the coarser tick


@pytest.mark.parametrize(
    ("side", "wanted", "quoted"),
    [
        (BUY, 20_055_000, 20_060_000),
        (SELL, 19_945_000, 19_940_000),
    ],
)
def test_a_quote_of_older_ticks_is_never_rounded_through(
    side: int, wanted: int, quoted: int
) -> None:
    """The coarser tick would take 20.055 to 20.20, and 19.945 to 19.90."""
    engine = Engine(firm({"policy_param": [0, wanted] + [0] * 6}), "wild")
    send(engine, 19_940_000, 20_060_000, NOW_NS)
    engine._set(tables.INSTRUMENT, 0, INSTRUMENT | {"tick_band": 1})
    execution = engine.apply("order", order("A", side=side), NOW_NS)[0][1]
    assert (execution["last_px_e6"], execution["clamp"]) == (quoted, Clamp.OFF_TICK)


def test_the_first_quote_is_none_for_the_order_that_made_it() -> None:
    """Nothing was public; the market was sound, and so is the next order's quote."""
    engine = Engine(firm(instrument={"si": 0}), "none")
    [withdrawn] = send(engine, BID, ASK, NOW_NS)
    engine._set(tables.INSTRUMENT, 0, INSTRUMENT)
    reasons = [engine.apply("order", order(name), NOW_NS)[0][1]["reason"] for name in "AB"]
    assert withdrawn["reason"] == Reason.NO_QUOTE
    assert reasons == [Reason.NO_QUOTE, Reason.NONE]


def test_a_clock_that_was_set_back_leaves_the_quote_public() -> None:
    engine = Engine(firm(), "none")
    send(engine, BID, ASK, NOW_NS)
    [(_, execution)] = engine.apply("order", order("A", recv_ns=NOW_NS - 5), NOW_NS - 5)
    assert execution["last_px_e6"] == ASK


# When there is a new version


def test_versions_keep_their_distance_in_time() -> None:
    """A change within it waits for the timer; a withdrawal does not wait."""
    engine = Engine(firm({"quote_interval_ns": 100, "stale_ns": 10_000}), "none")
    made = [send(engine, BID, ASK + TICK * n, NOW_NS + 30 * n) for n in range(4)]
    assert [len(versions) for versions in made] == [1, 0, 0, 0]
    due = [step.is_due(engine.tables, NOW_NS + at) for at in (90, 120)]
    assert due == [True, True]
    for at, count in ((99, 0), (100, 1), (101, 0)):
        engine.apply("timer", {}, NOW_NS + at)
        assert [q["ask_px_e6"] for q in quotes_of(engine)] == [ASK + 3 * TICK] * count
    assert not step.is_due(engine.tables, NOW_NS + 102)
    assert send(engine, BID, ASK, NOW_NS + 110) == []
    [withdrawn] = send(engine, 0, 0, NOW_NS + 111)
    assert withdrawn["state"] == QuoteState.WITHDRAWN
    assert send(engine, BID, ASK, NOW_NS + 112) == []
    [live] = send(engine, BID, ASK, NOW_NS + 211)
    assert (live["state"], live["entered_ns"]) == (QuoteState.LIVE, NOW_NS + 211)


@pytest.mark.parametrize(("close_bps", "live"), [(0, 1), (49, 0), (50, 1), (100, 1)])
def test_a_quote_is_close_to_the_most_relevant_market(close_bps: int, live: int) -> None:
    """The tick of band 1 moves a bid of 20.10 to 20.00: 49.75 bps."""
    engine = Engine(firm({"close_bps": close_bps}, {"tick_band": 1}), "none")
    [made] = send(engine, 20_100_000, 20_200_000, NOW_NS)
    assert (made["state"] == QuoteState.LIVE) == live
    assert made["reason"] == (Reason.NONE if live else Reason.QUOTE_FAR)
    [(_, execution)] = engine.apply("order", order("A"), NOW_NS)
    assert execution["reason"] == (Reason.NONE if live else Reason.NO_QUOTE)


@pytest.mark.parametrize(
    ("bid", "ask", "far"),
    [
        (40_100_000, 40_200_000, False),  # 40.1 to 40.0: 24.94 bps
        (39_900_000, 40_000_000, True),  # 39.9 to 39.8: 25.06
        (40_000_000, 49_875_312, False),  # to 50.0: 24.99997
        (40_000_000, 49_875_311, True),  # 25.0001
    ],
)
def test_how_far_is_too_far(bid: int, ask: int, far: bool) -> None:
    engine = Engine(firm({"close_bps": 25}, {"tick_band": 1}), "none")
    [made] = send(engine, bid, ask, NOW_NS)
    assert made["reason"] == (Reason.QUOTE_FAR if far else Reason.NONE)


@pytest.mark.parametrize("later_ns", [1_000, 1_001])
@pytest.mark.parametrize("mid", [9_999_999, 10_000_000, 30_000_000, 30_000_001])
def test_a_jump_is_further_than_allowed_from_a_price_that_is_not_stale(
    mid: int, later_ns: int
) -> None:
    """Half up or down of 20.00 is allowed, one unit more is not; a stale price says nothing."""
    rules = {"jump_bps": 5_000, "jump_hold_ns": 10_000, "stale_ns": 1_000}
    engine = Engine(firm(rules), "none")
    send(engine, 20_000_000, 20_000_000, NOW_NS)
    send(engine, mid, mid, NOW_NS + later_ns)
    refused = later_ns == 1_000 and mid not in (10_000_000, 30_000_000)
    assert engine.tables.venue_states[0]["refused"] == refused
    assert engine.tables.bbo[0]["state"] == (4 if refused else 1)  # stale, or locked


def test_quotes_keep_to_the_published_hours() -> None:
    """All of them, in pieces, at the first timers behind the edge."""
    count = SWEEP_MAX + 100
    rows = [INSTRUMENT | {"isin": f"XS{n:010d}"} for n in range(count)]
    hours = {"open_ns": NOW_NS, "close_ns": NOW_NS + 1_000}
    engine = Wide(firm(hours)._replace(instruments=rows))
    for row in rows:
        [early] = send(engine, BID, ASK, NOW_NS - 1, isin=row["isin"])
        assert early["reason"] == Reason.CLOSED
    for at_ns, reason in ((0, Reason.NONE), (1_000, Reason.CLOSED)):
        assert not step.is_due(engine.tables, NOW_NS + at_ns - 1)
        assert step.is_due(engine.tables, NOW_NS + at_ns)
        told: list[int] = []
        pieces = 0
        while pieces == 0 or step.goes_on(engine.tables, engine.outbox):
            engine.apply("timer", {}, NOW_NS + at_ns)
            assert {quote["reason"] for quote in quotes_of(engine)} <= {int(reason)}
            told += [quote["instrument"] for quote in quotes_of(engine)]
            pieces += 1
        assert told == list(range(count))
        assert pieces <= count // OUTPUTS_MAX + 2
    assert not step.is_due(engine.tables, NOW_NS + 1_000)


def test_a_halt_of_the_most_relevant_market_withdraws_the_quote() -> None:
    engine = Engine(firm(), "none")
    send(engine, BID, ASK, NOW_NS)
    send(engine, BID, ASK, NOW_NS, mic="CEUX")
    for phase in (1, 2, 3, 77, COUNTED + 2):
        [halted] = send(engine, BID, ASK, NOW_NS, phase=phase, seq=phase)
        assert (halted["state"], halted["reason"]) == (QuoteState.WITHDRAWN, Reason.HALTED)
        [back] = send(engine, BID, ASK, NOW_NS)
        assert back["state"] == QuoteState.LIVE


# Exceptional market conditions


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("scope", [KillScope.FIRM, KillScope.INSTRUMENT])
def test_a_person_suspends_and_restores(scope: KillScope, condition: Condition) -> None:
    orders = Orders()
    orders.desk(DeskAction.SUSPEND, 0, scope=scope, condition=condition)
    [quote] = quotes_of(orders.engine)
    reason = Reason[f"SUSPENDED_{condition.name}"]
    assert (quote["state"], quote["reason"]) == (QuoteState.WITHDRAWN, reason)
    [report] = orders.order("A", **MARKET, t38=1)
    assert report[150] == "8" and report[58].startswith("SI-NOQUOTE-SUSPENDED quotes are")
    orders.desk(DeskAction.RESTORE, 0, scope=scope)
    [quote] = quotes_of(orders.engine)
    assert quote["state"] == QuoteState.LIVE
    [report] = orders.order("B", **MARKET, t38=1)
    assert report[31] == "20.01"
    orders.check_replay()


def test_both_suspensions_have_to_be_lifted() -> None:
    orders = Orders()
    for scope in (KillScope.FIRM, KillScope.INSTRUMENT):
        orders.desk(DeskAction.SUSPEND, 0, scope=scope, condition=Condition.PRUDENTIAL)
    orders.desk(DeskAction.RESTORE, 0, scope=KillScope.FIRM)
    assert quotes_of(orders.engine) == []
    orders.desk(DeskAction.RESTORE, 0, scope=KillScope.INSTRUMENT)
    assert len(quotes_of(orders.engine)) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"condition": 0}, Reason.UNKNOWN_CONDITION),
        ({"condition": 6}, Reason.UNKNOWN_CONDITION),
        ({"condition": -1}, Reason.UNKNOWN_CONDITION),
        ({"condition": 1, "scope": KillScope.CLIENT}, Reason.UNKNOWN_ACTION),
        ({"condition": 1, "scope": KillScope.INSTRUMENT, "subject": -1}, Reason.UNKNOWN_SUBJECT),
        ({"condition": 1, "scope": KillScope.INSTRUMENT, "subject": 1}, Reason.UNKNOWN_SUBJECT),
    ],
)
def test_what_cannot_be_suspended(fields: Row, reason: Reason) -> None:
    orders = Orders()
    before = tables.state_hash(orders.engine.tables)
    orders.desk(DeskAction.SUSPEND, 0, **fields)
    assert orders.desk_reason() == reason
    assert tables.state_hash(orders.engine.tables) == before


# Over the quoted size

QUOTED = 500  # the shares at 20.01 that are worth an SMS of 10,000


@pytest.mark.parametrize("choice", AboveQuote)
def test_an_order_over_the_quoted_size(choice: AboveQuote) -> None:
    """T is 20,000: 990 shares are within the obligation, and the quoted size is 500."""
    orders = Orders(world=firm({"above_quote": int(choice)})._replace(desk_max=32))
    cases = product((500, 501, 990), (DAY, IOC, FOK), (0, 500, 501))
    for n, (qty, tif, min_qty) in enumerate(case for case in cases if case[2] <= case[0]):
        terms = MARKET | {"t38": qty, "t59": tif, "t110": min_qty or None}
        told = [(r[150], r[39], r.get(32), r[14]) for r in orders.order(f"A{n}", **terms)]
        whole = tif == FOK or min_qty > QUOTED
        if qty <= QUOTED or choice == AboveQuote.QUOTED_PRICE:
            assert told == [("F", "2", str(qty), str(qty))]
        elif choice == AboveQuote.DESK:
            assert told == [("0", "0", None, "0")] and orders.item["qty"] == qty
            orders.desk(DeskAction.DECLINE, int(orders.item["item_id"]))
        elif choice == AboveQuote.REJECT:
            assert told == [("8", "8", None, "0")]
        elif whole:
            assert told == [("4", "4", None, "0")]
        else:
            assert told == [("F", "1", "500", "500"), ("4", "4", None, "500")]
    orders.check_replay()


def test_only_the_obligation_is_about_the_quoted_size() -> None:
    """Above T the firm's own rule holds, and an illiquid instrument has no size to be over."""
    params = {"above_quote": int(AboveQuote.REJECT), "discretionary_route": 1}
    [report] = Orders(world=firm(params)).order("A", **MARKET, t38=1_100)
    assert report[150] == "F"
    illiquid = {"liquid": 0, "sms_e6": 0}
    [report] = Orders(world=firm(params, illiquid)).order("A", **MARKET, t38=2)
    assert report[150] == "F"
    above = firm(params | {"discretionary_route": REJECT})
    [report] = Orders(world=above).order("A", **MARKET, t38=1_100)
    assert report[58].startswith("SI-SIZE value over the size we quote")


def test_the_price_of_what_is_filled_is_the_quoted_one() -> None:
    orders = Orders(world=firm({"above_quote": int(AboveQuote.PARTIAL)}))
    fill, rest = orders.order("A", **MARKET, t38=900, t54=SELL)
    assert (fill[31], fill[32]) == ("19.99", "501")  # a bid of 10,000 takes one share more
    assert rest[58] == "SI-SIZE over the size of our public quote: 38=900 quoted 501"
    assert int(fill[17]) + 1 == int(rest[17])
    position = orders.engine.tables.positions[0]
    assert (position["qty"], position["fills"]) == (501, 1)


# What a person sees


def test_the_venues_counts_are_told() -> None:
    engine = Engine(firm(), "none")
    for seq in (1, 2, 5, 5, 4, 6):
        send(engine, BID, ASK, NOW_NS, phase=COUNTED, seq=seq)
    send(engine, BID, ASK, NOW_NS, isin="XS9999999999")
    told: list[Row] = []
    Control(SimpleNamespace(tables=engine.tables)).receive(b'{"venues": true}', told.append)  # type: ignore[arg-type]
    [xetr, ceux] = json.loads(json.dumps(told))[0]["venues"]
    expected = {"mic": "XETR", "records": 7, "gaps": 1, "lost": 2, "repeats": 2, "unknown": 1}
    assert expected.items() <= xetr.items()
    assert xetr["last_seq"] == 6 and xetr["last_recv_ns"] == NOW_NS
    assert (ceux["records"], ceux["last_recv_ns"]) == (0, 0)
    assert venue_view.table([xetr, ceux]).row_count == 2


def test_a_condition_is_given_by_name() -> None:
    names = "halt market-making underlyings short-selling prudential".split()
    assert [venue_view.condition_of(name) for name in names] == list(Condition)
    with pytest.raises(UserError, match=r"'rain' is none of halt, .*: give one of these"):
        venue_view.condition_of("rain")


def test_commands_without_an_engine_say_what_to_do(tmp_path: Path) -> None:
    runner = CliRunner()
    for words, text in (
        (["suspend", str(tmp_path), "rain"], "give one of these"),
        (["venues", str(tmp_path), "--json"], "is `si serve` running?"),
    ):
        done = runner.invoke(app, ["desk", *words], env={"COLUMNS": "400"})
        assert done.exit_code == 1 and text in done.output


# The settings


def test_the_settings_become_parameters(tmp_path: Path) -> None:
    """Each `[quoting]` setting under its own name and unit."""
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    text = path.read_text()
    changes = {
        "jump_bps = 5000": ("jump_bps = 700", "jump_bps", 700),
        "jump_hold_ms = 5000": ("jump_hold_ms = 3", "jump_hold_ns", 3 * MS),
        "close_bps = 100": ("close_bps = 9", "close_bps", 9),
        "quote_interval_ms = 0": ("quote_interval_ms = 4", "quote_interval_ns", 4 * MS),
        'above_quoted_size = "quoted_price"': ('above_quoted_size = "desk"', "above_quote", 2),
    }
    for old, (new, _, _) in changes.items():
        assert old in text
        text = text.replace(old, new, 1)  # a session has settings of its own, further down
    path.write_text(text)
    rows: list[Any] = []
    world._put_params(
        SimpleNamespace(  # type: ignore[arg-type]
            config=configuration.load(tmp_path),
            tables=tables.allocate(Capacity(16, 8, 16, 16)),
            policy=SimpleNamespace(source_hash=7),
            put_row=lambda table_id, index, row, now_ns: rows.append(row),
        ),
        0,
        NOW_NS,
    )
    found = {name: int(rows[0][name]) for _, name, _ in changes.values()}
    assert found == {name: value for _, name, value in changes.values()}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("jump_bps = 5000", "jump_bps = -1"),
        ("jump_bps = 5000", "jump_bps = 100001"),
        ("jump_hold_ms = 5000", "jump_hold_ms = 0.5"),
        ("close_bps = 100", "close_bps = 10001"),
        ("quote_interval_ms = 0", "quote_interval_ms = 60001"),
        ('above_quoted_size = "quoted_price"', 'above_quoted_size = "all"'),
    ],
)
def test_a_setting_out_of_bounds_is_named_with_its_line(
    tmp_path: Path, right: str, wrong: str
) -> None:
    template.write(tmp_path)
    path = tmp_path / "si.toml"
    text = path.read_text()
    line = text[: text.index(right)].count("\n") + 1
    path.write_text(text.replace(right, wrong, 1))
    name, value = wrong.split(" = ")
    with pytest.raises(UserError) as refused:
        configuration.load(tmp_path)
    said = str(refused.value)
    assert f"line {line}: quoting.{name}: " in said and value.strip('"') in said
