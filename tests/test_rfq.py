"""Quotes on request against their oracle: every decision, every price, to the nanosecond."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from engine import rfq_step, schema, tables
from engine.enums import GivenState, Reason
from engine.limits import OUTPUTS_MAX, Capacity
from tests import rfq_oracle as ro
from tests.firm import CLIENT, E6, INSTRUMENT, NOW_NS, firm, order, venue_quote
from tests.rfq_oracle import RfqOracle
from tests.test_oracle import Engine, to_record
from tests.world import SECOND, World

pytestmark = pytest.mark.heavy

Row = dict[str, Any]
Make = Callable[..., tuple[str, Row]]

VALID_NS, DESK_TTL_NS, STALE_NS = 3 * SECOND, 8 * SECOND, 40 * SECOND
CLOSE_NS = NOW_NS + 500 * SECOND
INPUTS = 1_000
REQUEST, RESPONSE, CANCEL, STATUS = 1, 2, 3, 4
REFS = 12  # of the newest quotes that a client still thinks of


def world_of(random: Random) -> World:
    """Two clients, the second with limits; the desk fills up, the table of quotes too."""
    params = {
        "stale_ns": STALE_NS,
        "desk_ttl_ns": DESK_TTL_NS,
        "close_ns": CLOSE_NS,
        "rfq_valid_ns": VALID_NS,
        "discretionary_route": random.choice((1, 2, 2, 3)),
        "policy_param": [1] + [0] * 7,
    }
    limited = CLIENT | {"name": "limited", "order_max_eur_e6": 60_000 * E6, "fills_max": 4}
    limited |= {"pool": 1}
    made = firm(params=params)
    return made._replace(
        pools=["main", "retail"], clients=[CLIENT, limited],
        orders_max=2 * INPUTS, desk_max=random.choice((15, 90)),
    )  # fmt: skip


def none(side: int, bid: int, ask: int) -> int:
    return ask if side == ro.BUY else bid


def one_tick(side: int, bid: int, ask: int) -> int:
    gain = ro.TICK if ask - bid >= 2 * ro.TICK else 0
    return ask - gain if side == ro.BUY else bid + gain


def midpoint(side: int, bid: int, ask: int) -> int:
    return (bid + ask) // 2


POLICIES = {"none": none, "ticks": one_tick, "midpoint": midpoint}


class RfqEngine(Engine):
    """The engine with little room for quotes; its records in the oracle's words."""

    def __init__(self, world: World, policy_name: str, room: int) -> None:
        super().__init__(world, policy_name)
        self.tables = tables.allocate(
            Capacity(32, 8, world.orders_max, world.desk_max, given_quotes=room)
        )
        self._load(world)

    def quote(self, event: Row, ts_ns: int) -> list[Row]:
        row = to_record(schema.quote_event, event)
        rfq_step.on_quote_event(self.tables, self.outbox, row, ts_ns, self.policy.address)
        return self.said()

    def said(self) -> list[Row]:
        found: list[Row] = []
        counts = self.outbox.counts[0]
        for row in self.outbox.executions[: counts["executions"]]:
            names = {"kind": "kind", "reason": "reason", "qty": "last_qty", "px": "last_px_e6"}
            names["improvement"] = "improvement_e6"
            plain = {name: int(row[field]) for name, field in names.items()}
            found.append({"type": "execution"} | plain)
        for row in self.outbox.quote_reports[: counts["quote_reports"]]:
            names = {"kind": "kind", "reason": "reason", "state": "given_state", "side": "side"}
            names |= {"bid": "bid_px_e6", "offer": "offer_px_e6", "until": "valid_until_ns"}
            names |= {"bid_qty": "bid_qty", "offer_qty": "offer_qty"}
            plain = {name: int(row[field]) for name, field in names.items()}
            found.append({"type": "quote", "ref": schema.unpack(row["quote_ref"])} | plain)
        for row in self.outbox.desk_results[: counts["desk_results"]]:
            found.append({"type": "desk", "reason": int(row["reason"])})
        return found


def quote_event(ask: Row, action: int) -> Row:
    """What the gateway would make of a message with these fields."""
    px, kind = ask.get("px", 0), ask.get("resp", 0)
    return {
        "action": action,
        "session": ask["session"],
        "client": ask["client"],
        "isin": INSTRUMENT["isin"] if action == REQUEST else "",
        "quote_req_id": ask["req"] if action == REQUEST else "",
        "quote_ref": ask.get("ref", ""),
        "clordid": ask.get("clordid", ""),
        "side": ask.get("side", 0),
        "qty": ask.get("qty", 0),
        "limit_px_e6": px,
        "until_ns": ask.get("expire", 0),
        "resp_type": kind,
        "ord_type": 2 if kind == ro.COUNTER else 20,
        "tif": 3,
    }


class Stream:
    """Inputs at the edges: sizes around Qmin, T and LIS, times around each quote's end."""

    def __init__(self, random: Random, oracle: RfqOracle) -> None:
        self.random, self.oracle = random, oracle
        self.now_ns = NOW_NS
        self.count = 0

    def step(self) -> tuple[str, Row]:
        self.count += 1
        ends = [q["until"] for q in self.oracle.quotes if q["state"] in (ro.PENDING, ro.OPEN)]
        if ends and self.random.random() < 0.06:
            edge = self.random.choice(ends) + self.random.choice((-1, 0, 1))
            self.now_ns = max(self.now_ns, edge)
        else:
            self.now_ns += self.random.choice((0, 1, 1_000, SECOND // 10, SECOND // 3))
        makers: dict[Make, float] = {
            self.market: 12, self.request: 30, self.order: 14, self.respond: 18,
            self.cancel: 3, self.status: 4, self.desk: 24, self.kill: 5, self.timer: 6,
        }  # fmt: skip
        [make] = self.random.choices(list(makers), list(makers.values()))
        return make()

    def market(self) -> tuple[str, Row]:
        mid = 21_000_000 + self.random.randint(-20, 20) * ro.TICK
        half = self.random.choice((1, 1, 2, 3)) * ro.TICK
        odd = self.random.choice((0, 0, ro.TICK))
        phase = self.random.choices((0, 1, 2), (20, 1, 1))[0]
        return "venue_quote", {"bid": mid - half, "ask": mid + half + odd, "phase": phase}

    def _client(self) -> Row:
        client = self.random.choice((0, 0, 1))
        return {"client": client, "session": self.random.choice((client, client + 10))}

    def _qty(self) -> int:
        mid_x2 = sum(self.oracle.market) or 42_000_000
        edge = self.random.choice((10_000, 20_000, 60_000, 100_000)) * 2 * E6 // mid_x2
        return self.random.choice((1, 100, edge, edge, edge + 1, edge - 1))

    def request(self) -> tuple[str, Row]:
        ask = self._client() | {"req": f"r{self.count // self.random.choice((1, 1, 1, 2))}"}
        ask |= {"side": self.random.choice((0, 0, 0, 1, 1, 2, 2, 5, 3)), "qty": self._qty()}
        if self.random.random() < 0.03:
            ask["qty"] = self.random.choice((0, -1))
        ahead = self.random.choice((0, 0, 0, 0, SECOND, SECOND // 2))
        ask["expire"] = self.now_ns + ahead if ahead else 0
        if self.random.random() < 0.03:
            ask["expire"] = self.now_ns + self.random.choice((-1, 0, 1))
        return "request", ask

    def _taker(self) -> Row:
        """Mostly as quoted to this client; now and then one thing is not."""
        known = self.oracle.quotes[-REFS:]
        live = [quote for quote in known if quote["state"] in (ro.PENDING, ro.OPEN)]
        if not known or self.random.random() < 0.04:
            quote = {"ref": "RQ999", "side": 1, "qty": 1, "offer": 0, "bid": 0, "client": 0}
        else:
            quote = self.random.choice(live or known if self.random.random() < 0.8 else known)
        client = quote["client"] if self.random.random() < 0.95 else 1 - quote["client"]
        side = quote["side"] or self.random.choice((ro.BUY, ro.SELL, ro.SELL_SHORT))
        if self.random.random() < 0.05:
            side = self.random.choice((1, 2, 9))
        px = quote["offer"] if side == ro.BUY else quote["bid"]
        qty = quote["qty"] + self.random.choice((0, 0, 0, 0, 0, 1, -1, -quote["qty"] // 2))
        session = self.random.choice((client, client + 10))
        spoilt = self.random.choice((px, px, px, px, px, 0, px + 1, px + ro.TICK))
        named = {"clordid": f"c{self.count // self.random.choice((1, 1, 1, 1, 2))}"}
        asked = {"side": side, "qty": qty, "px": spoilt, "req": "", "expire": 0}
        return {"ref": quote["ref"], "client": client, "session": session} | named | asked

    def order(self) -> tuple[str, Row]:
        return "order", self._taker()

    def respond(self) -> tuple[str, Row]:
        [resp] = self.random.choices((1, 2, 3, 4, 5, 6, 7, 8), (14, 5, 1, 1, 1, 2, 0.5, 0.5))
        ask = self._taker() | {"resp": resp}
        if resp == ro.COUNTER:
            near = sum(self.oracle.market) // 2 // ro.TICK * ro.TICK
            far = self.random.choice(
                (0, 0, 0, 1, 5_000, 2 * ro.TICK, near // 10, -near // 2 // ro.TICK * ro.TICK)
            )
            ask["px"] = self.random.choice((near + far, near + far, near, 0))
        return "respond", ask

    def cancel(self) -> tuple[str, Row]:
        return "cancel", self._taker()

    def status(self) -> tuple[str, Row]:
        return "status", self._taker()

    def desk(self) -> tuple[str, Row]:
        items = [number for number, item in enumerate(self.oracle.items, 1) if item["open"]]
        item = self.random.choice(items or [1])
        if self.random.random() < 0.05:
            item = self.random.choice((0, len(self.oracle.items), 10**6))
        [action] = self.random.choices((1, 2, 3, 4), (3, 20, 1, 2))
        bid, ask = self.oracle.market
        px, offer = self.random.choice(
            ((bid, 0), (ask, 0), (bid, ask), (0, ask), (0, 0), (ask, bid), ((bid + ask) // 2, 0),
             (bid + 1, 0), (bid, ask + 1), (-1, 0), (bid - ro.TICK, ask + ro.TICK))
        )  # fmt: skip
        trader = self.random.choice(("ann", "ann", "ann", "ann", "ann", "bob"))
        command = {"action": action, "item": item, "px": px, "offer": offer, "trader": trader}
        return "desk", command | {"scope": 0, "subject": 0}

    def kill(self) -> tuple[str, Row]:
        """Soon lifted again."""
        killed = sorted(self.oracle.killed)
        if killed and self.random.random() < 0.8:
            action, (scope, subject) = ro.RESUME, self.random.choice(killed)
        else:
            scope = self.random.choice((0, 1, 2, 3))
            action, subject = ro.KILL, self.random.choice((0, 1)) if scope in (1, 3) else 0
        command = {"action": action, "scope": scope, "subject": subject}
        return "desk", command | {"item": 0, "px": 0, "offer": 0, "trader": "ann"}

    def timer(self) -> tuple[str, Row]:
        return "timer", {}


def ask_oracle(oracle: RfqOracle, name: str, ask: Row, ts_ns: int) -> list[Row]:
    if name == "venue_quote":
        return oracle.venue_quote(**ask, ts_ns=ts_ns)
    return oracle.timer(ts_ns) if name == "timer" else getattr(oracle, name)(ask, ts_ns)


def ask_engine(engine: RfqEngine, name: str, ask: Row, ts_ns: int) -> list[Row]:
    actions = {"request": REQUEST, "respond": RESPONSE, "cancel": CANCEL, "status": STATUS}
    if name in actions:
        return engine.quote(quote_event(ask, actions[name]), ts_ns)
    if name == "order":
        fields = {"session": ask["session"], "client": ask["client"], "ord_type": 20}
        fields |= {"side": ask["side"], "qty": ask["qty"], "limit_px_e6": ask["px"]}
        engine.apply("order", order(ask["clordid"], **fields, quote_ref=ask["ref"]), ts_ns)
    elif name == "venue_quote":
        record = venue_quote(ask["bid"], ask["ask"]) | {"phase": ask["phase"]}
        engine.apply("venue_quote", record, ts_ns)
    elif name == "desk":
        command = {"action": ask["action"], "item_id": ask["item"], "trader": ask["trader"]}
        command |= {"px_e6": ask["px"], "offer_px_e6": ask["offer"]}
        command |= {"scope": ask["scope"], "subject": ask["subject"]}
        engine.apply("desk", command, ts_ns)
    else:
        engine.apply("timer", {}, ts_ns)
    return engine.said()


def agrees(expected: Row, found: Row) -> bool:
    """What the oracle says is so; of a refusal without a quote it says little."""
    return all(found.get(name) == value for name, value in expected.items())


def run(seed: int, policy_name: str, count: int = INPUTS) -> tuple[RfqEngine, Counter[str]]:
    """Both, input by input; counts what was seen."""
    random = Random(f"rfq {seed}")
    world = world_of(random)
    room = random.choice((60, 200))
    oracle = RfqOracle(world, room, POLICIES[policy_name], VALID_NS)
    engine = RfqEngine(world, policy_name, room)
    stream, seen = Stream(random, oracle), Counter[str]()
    for number in range(count):
        name, ask = stream.market() if number == 0 else stream.step()
        if number == 0:
            ask["phase"] = 0
        expected = ask_oracle(oracle, name, ask, stream.now_ns)
        found = ask_engine(engine, name, ask, stream.now_ns)
        same = len(expected) == len(found) and all(map(agrees, expected, found))
        where = f"seed {seed}, {policy_name}, input {number}: {name} {ask} at {stream.now_ns}"
        assert same, f"{where}\noracle {expected}\nengine {found}"
        seen.update(f"{row['type']} {row['reason']}" for row in expected)
        seen.update(f"kind {row['kind']}" for row in expected if "kind" in row)
    assert [quote["state"] for quote in oracle.quotes] == [
        int(row["state"]) for row in engine.tables.given_quotes[: len(oracle.quotes)]
    ]
    assert engine.tables.positions[0]["qty"] == oracle.position
    check_given(engine)
    return engine, seen


def check_given(engine: RfqEngine) -> None:
    """The list of waiting quotes is their rows in order, and the indexes find every row."""
    every = engine.tables
    counters = every.counters[0]
    rows = every.given_quotes[: counters["given_quotes"]]
    waiting = [i + 1 for i, row in enumerate(rows) if row["state"] in (1, 2)]
    walked, number = [], int(counters["first_given"])
    while number:
        walked.append(number)
        number = int(rows[number - 1]["after"])
    assert walked == waiting
    assert counters["given_open"] == len(waiting)
    assert counters["last_given"] == (waiting[-1] if waiting else 0)
    for index, row in enumerate(rows):
        slot = tables.quote_ref_slot(every, row["quote_ref"])
        assert every.quote_ref_slots[slot] == index + 1
        slot = tables.quote_req_slot(every, row["session"], row["quote_req_id"])
        newest = every.given_quotes[every.quote_req_slots[slot] - 1]
        assert newest["session"] == row["session"]
        assert list(newest["quote_req_id"]) == list(row["quote_req_id"])


@pytest.mark.parametrize("policy_name", POLICIES)
@pytest.mark.parametrize("seed", range(3))
def test_engine_equals_oracle(seed: int, policy_name: str) -> None:
    engine, _ = run(seed, policy_name)
    assert engine.tables.counters[0]["given_quotes"] > 25


def test_the_stream_reaches_every_rule() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        seen += run(seed, "ticks")[1]
    reasons = {
        Reason.KILLED_FIRM, Reason.KILLED_POOL, Reason.KILLED_CLIENT, Reason.KILLED_INSTRUMENT,
        Reason.HALTED,
        Reason.QTY_NOT_POSITIVE, Reason.CLIENT_ORDER_LIMIT, Reason.CLIENT_COUNT_LIMIT,
        Reason.ZONE_REJECTED, Reason.DESK_FULL, Reason.DESK_EXPIRED, Reason.DESK_DECLINED,
        Reason.PX_COLLAR, Reason.PX_OFF_TICK, Reason.PX_NOT_POSITIVE, Reason.SIDE,
    }  # fmt: skip
    wire_only = {Reason.QUOTEREQID_SIZE, Reason.RELATED_SYMS, Reason.QUOTE_INSTRUMENT}
    desk_only = {Reason.ITEM_IS_REQUEST, Reason.ITEM_SIDE, Reason.ITEM_CROSSED}
    reasons |= {reason for reason in Reason if 80 <= reason < 110} - wire_only - desk_only
    told = {int(key.split()[1]) for key in seen if key[:4] in ("quot", "exec")}
    assert sorted(reasons - told) == []
    of_desk = {int(key.split()[1]) for key in seen if key.startswith("desk")}
    known = {Reason.ITEM_NO_PX, Reason.ITEM_CLOSED, Reason.ITEM_NOT_YOURS, Reason.UNKNOWN_ITEM}
    assert sorted((desk_only | known) - of_desk) == []
    assert [kind for kind in range(20, 28) if not seen[f"kind {kind}"]] == []


def one_engine(**params: Any) -> RfqEngine:
    made = RfqEngine(firm(params={"rfq_valid_ns": VALID_NS} | params), "none", 1_000)
    made.apply("venue_quote", venue_quote(20_990_000, 21_010_000), NOW_NS)
    return made


def ask(req: str, **more: Any) -> Row:
    usual = {"session": 0, "client": 0, "req": req, "side": 1, "qty": 100}
    return quote_event(usual | more, REQUEST)


@pytest.mark.parametrize(("after_ns", "reason"), [(VALID_NS - 1, 0), (VALID_NS, 87)])
def test_a_quote_is_firm_to_its_last_nanosecond(after_ns: int, reason: int) -> None:
    """The market has gone, and is stale too: the price stands."""
    engine = one_engine()
    [given] = engine.quote(ask("a"), NOW_NS)
    assert (given["offer"], given["until"]) == (21_010_000, NOW_NS + VALID_NS)
    engine.apply("venue_quote", venue_quote(25_000_000, 25_010_000), NOW_NS + 1)
    fields = {"ord_type": 20, "qty": 100, "quote_ref": "RQ1"}
    engine.apply("order", order("x", **fields), NOW_NS + after_ns)
    execution = engine.said()[0]
    assert (execution["reason"], execution["px"]) == (reason, 0 if reason else 21_010_000)


def test_no_quote_outlives_the_close() -> None:
    engine = one_engine(close_ns=NOW_NS + SECOND)
    [given] = engine.quote(ask("a"), NOW_NS)
    assert given["until"] == NOW_NS + SECOND


def test_more_ends_than_one_input_may_tell_are_told_by_the_next() -> None:
    engine = one_engine()
    for number in range(150):
        engine.quote(ask(f"r{number}"), NOW_NS)
    engine.apply("desk", {"action": ro.KILL, "scope": 0}, NOW_NS)
    told = [len(engine.said()) - 1]
    assert engine.tables.counters[0]["next_given_ns"] == NOW_NS
    while engine.tables.counters[0]["next_given_ns"]:
        engine.apply("timer", {}, NOW_NS)
        told.append(len(engine.said()))
    assert told == [OUTPUTS_MAX, OUTPUTS_MAX, 150 - 2 * OUTPUTS_MAX]
    states = engine.tables.given_quotes["state"][:150]
    assert set(states.tolist()) == {GivenState.WITHDRAWN}
    check_given(engine)


def test_indexes_are_made_anew_from_the_rows() -> None:
    engine, _ = run(5, "none", 300)
    every = engine.tables
    before = every.quote_ref_slots.copy(), every.quote_req_slots.copy()
    tables.rebuild_indexes(every)
    check_given(engine)
    assert [(one != 0).sum() for one in before] == [
        (one != 0).sum() for one in (every.quote_ref_slots, every.quote_req_slots)
    ]


def test_a_run_is_the_same_every_time() -> None:
    one, other = run(6, "none", 300)[0], run(6, "none", 300)[0]
    assert tables.state_hash(one.tables) == tables.state_hash(other.tables)
