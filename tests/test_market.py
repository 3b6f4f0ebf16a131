"""Market data to BBO to public quote, on generated tapes: the engine against `market_oracle`.

Records are lost, repeated, out of order and counted anew; prices jump, cross and go missing;
venues stop; time stands still, passes and is set back; quotes are suspended, and orders have
waited.
"""

from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.bbo import consolidate
from engine.enums import BboState, DeskAction, ExecKind, KillScope, QuoteState, Reason
from tests.firm import E6, INSTRUMENT, NOW_NS, firm, order
from tests.market_oracle import COUNTED, MarketOracle, Rules, Size
from tests.test_oracle import Engine
from tests.world import World

Row = dict[str, Any]

MICS = ("XETR", "CEUX", "TQEX")
STALE_NS, HOLD_NS, DAY_NS = 1_000, 400, 40_000
NAMES = ("DE0007164600", "DE0007164601")
REASONS = ("HALT", "MARKET_MAKING", "UNDERLYINGS", "SHORT_SELLING", "PRUDENTIAL")
#: The most relevant market, the tick's band, and where the instrument trades.
KINDS: dict[str, Row] = {
    NAMES[0]: {"mrm": 0, "band": 5, "qmin": 10_000, "t": 20_000, "px_e6": 20 * E6},
    NAMES[1]: {"mrm": 1, "band": 1, "qmin": 10_000, "t": 20_000, "px_e6": 4 * E6},
}
SIZES: tuple[tuple[tuple[Fraction, int], ...], ...] = (
    (), ((Fraction(3, 2), 1),), ((Fraction(5, 4), 1), (Fraction(19, 10), 3)),
    ((Fraction(10_001, 10_000), 0), (Fraction(2), 0)), ((Fraction(7, 5), 2), (Fraction(900), 100)),
)  # fmt: skip


def a_world(rules: Rules) -> World:
    count = len(rules.more)
    params = {
        "stale_ns": rules.stale_ns,
        "jump_bps": rules.jump_bps,
        "jump_hold_ns": rules.jump_hold_ns,
        "close_bps": rules.close_bps,
        "quote_interval_ns": rules.interval_ns,
        "open_ns": rules.open_ns,
        "close_ns": rules.close_ns,
        "more_size_bps": [int(times * 10_000) for times, _ in rules.more] + [0] * (2 - count),
        "more_size_ticks": [worse for _, worse in rules.more] + [0] * (2 - count),
    }
    rows = [
        INSTRUMENT | {"isin": name, "mrm_venue": kind["mrm"], "tick_band": kind["band"]}
        for name, kind in KINDS.items()
    ]
    return firm(params)._replace(
        venues=list(MICS), instruments=rows, orders_max=1 << 10, desk_max=1 << 10
    )


class Tape:
    """Steps of one day, done by both; each compares what they say."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now_ns = NOW_NS
        self.rules = Rules(
            STALE_NS, random.choice((0, 5_000, 500)), HOLD_NS, random.choice((0, 1, 100)),
            random.choice((0, 0, 50)), NOW_NS + 20, NOW_NS + DAY_NS, random.choice(SIZES),
        )  # fmt: skip
        self.engine = Engine(a_world(self.rules), "none")
        self.oracle = MarketOracle(self.rules, KINDS, len(MICS))
        self.level = {name: kind["px_e6"] for name, kind in KINDS.items()}
        self.seq = [0] * len(MICS)
        self.orders = 0
        self.seen: set[str] = set()

    def step(self) -> None:
        self._pass_time()
        steps = {
            self.record: 60, self.order: 14, self.timer: 6, self.suspend: 3, self.restore: 5,
            self.kill: 2, self.resume: 4,
        }  # fmt: skip
        [step] = self.random.choices(list(steps), list(steps.values()))
        step()
        for name in NAMES:
            self.check_bbo(name)
        self.check_venues()

    def _pass_time(self) -> None:
        steps = (0, 1, 9, 60, HOLD_NS, STALE_NS, STALE_NS + 1, -30, DAY_NS)
        [passed] = self.random.choices(steps, (30, 30, 30, 20, 2, 1, 1, 1, 0.05))
        self.now_ns += passed

    # Records

    def record(self) -> None:
        venue = self.random.randrange(len(MICS))
        name = self.random.choice((*NAMES, *NAMES, *NAMES, "DE0009999999"))
        record = self._record(name) | {"isin": name, "mic": MICS[venue]}
        record |= self._counted(venue)
        made = self.oracle.record(name, venue, record, self.now_ns)
        self.engine.apply("venue_quote", record, self.now_ns)
        self.check_quotes([name] * len(made))
        self.seen |= set(+self.oracle.venues[venue].counts)

    def _counted(self, venue: int) -> Row:
        """Mostly the next number; sometimes one is lost, comes again, or the count is anew."""
        random, seq = self.random, self.seq
        [fault] = random.choices(("none", "lost", "again", "anew", "uncounted"), (90, 4, 4, 1, 4))
        if fault == "uncounted":
            return {"phase": self._phase(), "seq": random.choice((0, 1, seq[venue], 10**18))}
        seq[venue] += random.choice((2, 3, 50)) if fault == "lost" else 1
        if fault == "anew":
            seq[venue] = 1
        again = seq[venue] - random.choice((1, 1, 2, 10**6))
        number = again if fault == "again" else seq[venue]
        if fault == "again":
            seq[venue] -= 1
        return {"phase": self._phase() | COUNTED, "seq": number}

    def _phase(self) -> int:
        return self.random.choices((0, 1, 2, 3, 9, 512), (90, 2, 2, 2, 1, 1))[0]

    def _record(self, name: str) -> Row:
        random = self.random
        level = self.level.get(name, E6)
        if random.random() < 0.02:
            far = random.choice((3, 15, 20, 1_000))
            self.level[name] = level = random.choice((level * far // 10, 20 * E6, 100))
        unit = random.choice((100, 10_000, 50))
        mid = level + unit * random.randrange(-3, 4)
        half = unit * random.choice((0, 1, 1, 1, 2, 5, -1))
        flaws: list[Row] = [
            {}, {"bid_px_e6": 0}, {"ask_px_e6": -5}, {"bid_qty": 0}, {"ask_qty": -1},
            {"ask_px_e6": 10**13 + 1}, {"bid_qty": 0, "ask_qty": 0},
        ]  # fmt: skip
        [flaw] = random.choices(flaws, (80, 2, 2, 2, 2, 1, 2))
        sides = {"bid_px_e6": mid - half, "ask_px_e6": mid + half, "bid_qty": 7, "ask_qty": 9}
        if random.random() < 0.02:  # a price of its own
            sides |= {"bid_px_e6": level // 2, "ask_px_e6": level // 2 + 100}
        return sides | flaw

    # Other inputs

    def timer(self) -> None:
        names = self.oracle.timer(self.now_ns)
        self.engine.apply("timer", {}, self.now_ns)
        self.check_quotes(sorted(names), any_order=True)

    def suspend(self) -> None:
        self._switch("SUSPEND", self.random.choice(REASONS))

    def restore(self) -> None:
        self._switch("RESTORE", "")

    def kill(self) -> None:
        self._switch("KILL", "")

    def resume(self) -> None:
        self._switch("RESUME", "")

    def _switch(self, action: str, condition: str) -> None:
        name = self.random.choice((None, *NAMES))
        reason = condition and f"SUSPENDED_{condition}"
        before = {each: len(self.oracle.versions[each]) for each in NAMES}
        if action in ("KILL", "RESUME"):
            getattr(self.oracle, action.lower())(name, self.now_ns)
        else:
            self.oracle.suspend(name, reason, self.now_ns)
        command = {
            "action": DeskAction[action],
            "scope": KillScope.INSTRUMENT if name else KillScope.FIRM,
            "subject": NAMES.index(name) if name else 0,
            "condition": REASONS.index(condition) + 1 if condition else 0,
        }
        outputs = self.engine.apply("desk", command, self.now_ns)
        [result] = [row for kind, row in outputs if kind == "desk_results"]
        assert result["reason"] == Reason.NONE
        self.check_quotes([n for n in NAMES if len(self.oracle.versions[n]) != before[n]])

    def order(self) -> None:
        name = self.random.choice(NAMES)
        self.orders += 1
        recv_ns = self.now_ns - self.random.choice((0, 0, 5, 60, 300))
        buy = self.random.random() < 0.5
        qty = self._qty(name)
        event = order(f"o{self.orders}", isin=name, side=1 if buy else 2, recv_ns=recv_ns, qty=qty)
        count = len(self.oracle.versions[name])
        reason, version = self.oracle.order(name, recv_ns, self.now_ns, buy, qty)
        outputs = self.engine.apply("order", event, self.now_ns)
        [execution] = [row for kind, row in outputs if kind == "executions"]
        self.seen.add(reason or "filled")
        if reason == "DESK":
            assert execution["kind"] == ExecKind.NEW
            reason = ""
        assert Reason(execution["reason"]).name == (reason or "NONE")
        if version is not None:
            assert execution["kind"] == ExecKind.FILL
            size = version.for_order(buy, qty)
            assert price(execution["last_px_e6"]) == (size.ask if buy else size.bid)
            sides = (price(execution["quote_bid_px_e6"]), price(execution["quote_ask_px_e6"]))
            assert sides == (size.bid, size.ask)
            assert execution["quote_size"] == version.sizes.index(size)
            self.seen.add(f"size {execution['quote_size']}")
            if execution["bbo_state"] not in (BboState.NORMAL, BboState.LOCKED):
                self.seen.add(f"filled {BboState(execution['bbo_state']).name}")
            self.seen.add("older" if version != self.oracle.versions[name][-1] else "newest")
        self.check_quotes([name] * (len(self.oracle.versions[name]) - count))

    def _qty(self, name: str) -> int:
        """One, or at an edge: of a size that was quoted, of T, or of what T is by now."""
        t = KINDS[name]["t"]
        sizes = [size for version in self.oracle.versions[name][-5:] for size in version.sizes]
        edges = [1, 1, t * E6 // self.level[name]]
        for size in sizes:
            edges += [*size[2:], t // ((size.bid + size.ask) / 2)] if size.bid else [1]
        qty = self.random.choice(edges) + self.random.choice((0, 0, 1, -1))
        return min(max(qty, 1), 5 * t * E6 // self.level[name] + 1)

    # What both must say

    def check_quotes(self, names: list[str], any_order: bool = False) -> None:
        outbox = self.engine.outbox
        rows = outbox.quotes[: int(outbox.counts[0]["quotes"])]
        told = [NAMES[int(row["instrument"])] for row in rows]
        assert (sorted(told) if any_order else told) == names
        for row in rows:
            version = self.oracle.versions[NAMES[int(row["instrument"])]][-1]
            assert Reason(row["reason"]).name == (version.reason or "NONE")
            assert (row["state"] == QuoteState.LIVE) == (not version.reason)
            prices = tuple(price(row[f"{side}_px_e6"]) for side in ("bid", "ask"))
            assert prices == (version.bid, version.ask)
            assert (row["bid_qty"], row["ask_qty"]) == (version.bid_qty, version.ask_qty)
            assert more_of(row) == list(version.more)
            assert row["entered_ns"] == version.entered_ns
            self.seen.add(version.reason or "live")

    def check_bbo(self, name: str) -> None:
        expected = self.oracle.bbo(name, self.now_ns)
        consolidate(self.engine.tables, NAMES.index(name), self.now_ns)
        best = self.engine.tables.bbo[0]
        found = {
            "state": BboState(best["state"]).name,
            "bid": price(best["bid_px_e6"]),
            "ask": price(best["ask_px_e6"]),
            "bid_venue": best["bid_venue"],
            "ask_venue": best["ask_venue"],
            "mrm": (price(best["mrm_bid_px_e6"]), price(best["mrm_ask_px_e6"])),
        }
        assert found == expected
        self.seen.add(found["state"])

    def check_venues(self) -> None:
        names = "records unknown repeats gaps lost restarts crossed jumps refused".split()
        for venue, row in zip(self.oracle.venues, self.engine.tables.venue_states, strict=False):
            found = {name: int(row[name]) for name in names}
            assert found == {name: venue.counts[name] for name in names}
            assert row["last_seq"] == venue.last_seq


def more_of(row: Any) -> list[Size]:
    """The further sizes of a quote's record; what is none is 0 throughout."""
    names = [f"more_{name}" for name in ("bid_px_e6", "ask_px_e6", "bid_qty", "ask_qty")]
    sizes = [[int(row[name][n]) for name in names] for n in range(2)]
    found = [Size(price(bid), price(ask), *qtys) for bid, ask, *qtys in sizes if bid]
    assert sum(map(sum, sizes[len(found) :])) == 0
    return found


def price(px_e6: int) -> Fraction:
    return Fraction(int(px_e6), E6)


def run(random: Random, count: int) -> set[str]:
    tape = Tape(random)
    for _ in range(count):
        tape.step()
    return tape.seen


SEEDS = range(12)


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """What the tapes of all seeds have come to."""
    return set()


@pytest.mark.parametrize("seed", SEEDS)
def test_engine_equals_oracle_on_a_long_tape(seed: int, seen: set[str]) -> None:
    seen |= run(Random(seed), 400)


def test_the_tapes_reach_every_rule(seen: set[str]) -> None:
    expected = {state.name for state in BboState} | {f"SUSPENDED_{name}" for name in REASONS}
    expected |= {f"BBO_{name}" for name in ("EMPTY", "STALE", "ONE_SIDED", "CROSSED")}
    expected |= {"live", "filled", "older", "newest", "CLOSED", "HALTED", "QUOTE_FAR", "NO_QUOTE"}
    expected |= {"KILLED_FIRM", "KILLED_INSTRUMENT", "filled CROSSED", "filled STALE"}
    expected |= {"size 0", "size 1", "size 2", "DESK"}
    expected |= set("records unknown repeats gaps lost restarts crossed jumps refused".split())
    assert expected - seen == set()


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_engine_equals_oracle_on_any_tape(random: Random, count: int) -> None:
    run(random, count)
