"""The engine against the oracle: equal outputs after every input, equal state.

`ORACLE_SEEDS=20 pytest tests/test_oracle.py` looks at more worlds than the default.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from engine import order_life, policy, schema, step, tables
from engine.limits import INT64_MAX, Capacity
from engine.outbox import Outbox, allocate_outbox
from tests import wild_policy
from tests.oracle import TICKS, Kind, Oracle, Reason, Route, Zone, to_e6
from tests.world import World, inputs, make_world

Row = dict[str, Any]

REQUESTS: dict[str, Callable[..., Any]] = {
    "cancel": step.on_cancel,
    "status": step.on_status,
    "replace": step.on_replace,
    "mass_cancel": step.on_mass_cancel,
    "mass_status": step.on_mass_status,
}

SEEDS = range(int(os.environ.get("ORACLE_SEEDS", "3")))
INPUTS = 3_000
STATE_EVERY = 50
ROWS_KEPT = 50  # the newest orders and desk items, which a step may have touched


def ask_nothing(inputs: Row) -> int:
    return inputs["quote_px_e6"]


def ask_ticks(inputs: Row) -> int:
    spread = inputs["ask_px_e6"] - inputs["bid_px_e6"]
    room = spread // (2 * inputs["tick_e6"])
    gain = max(0, min(inputs["param"][0], room)) * inputs["tick_e6"]
    return inputs["quote_px_e6"] + (-gain if inputs["side"] == 1 else gain)


def ask_midpoint(inputs: Row) -> int:
    return inputs["mid_x2_e6"] // 2


POLICIES: dict[str, Callable[[Row], int]] = {
    "none": ask_nothing,
    "ticks": ask_ticks,
    "midpoint": ask_midpoint,
    "wild": wild_policy.improve,
}

OUTPUTS = {
    "executions": "execution",
    "desk_items": "desk_item",
    "desk_results": "desk_result",
    "quotes": "quote",
}


def to_record(dtype: np.dtype, row: Row) -> Any:
    """A struct row of the dtype's fields that `row` names; text is packed."""
    record = np.zeros(1, dtype)[0]
    for name in dtype.names:
        value = row.get(name, 0)
        if isinstance(value, str):
            shape = dtype[name].shape
            value = schema.pack(value, shape[0] if shape else 1)
        record[name] = value
    return record


def to_plain(record: Any, names: list[str]) -> Row:
    """The named fields of a struct row; arrays of words become text, of further sizes lists."""
    plain = {}
    for name in names:
        value = record[name]
        plain[name] = schema.unpack(value) if np.ndim(value) else int(value)
        if name.startswith("more_"):
            plain[name] = value.tolist()
    return plain


@cache
def load_policy(name: str) -> policy.Policy:
    return policy.from_module(name, wild_policy) if name == "wild" else policy.load(name)


class Engine:
    """The engine behind the oracle's interface: dicts in, dicts out."""

    def __init__(self, world: World, policy_name: str) -> None:
        capacity = Capacity(
            instruments=32, clients=8, orders=world.orders_max, desk_items=world.desk_max
        )
        self.tables = tables.allocate(capacity)
        self.outbox: Outbox = allocate_outbox()
        self.policy = load_policy(policy_name)
        self._load(world)

    def _set(self, table_id: int, index: int, row: Row) -> None:
        record = to_record(schema.TABLE_DTYPES[table_id], row)
        tables.set_row(self.tables, table_id, index, record)

    def _load(self, world: World) -> None:
        self.set_params(world.params)
        for index, row in enumerate(world.regimes):
            self._set(tables.REGIME, index, row)
        for index, ticks in enumerate(TICKS):
            below = to_e6(ticks[0]) if ticks[0].is_finite() else INT64_MAX
            row = {"below_px_e6": below, "tick_e6": [to_e6(tick) for tick in ticks[1:]]}
            self._set(tables.TICK, index, row)
        for index, mic in enumerate(world.venues):
            self._set(tables.VENUE, index, {"mic": mic})
        for index, pool in enumerate(world.pools):
            self._set(tables.POOL, index, {"name": pool})
        for index, row in enumerate(world.clients):
            self._set(tables.CLIENT, index, row)
        for index, row in enumerate(world.instruments):
            self._set(tables.INSTRUMENT, index, row)

    def set_params(self, row: Row) -> None:
        self._set(tables.PARAMS, 0, row)

    def apply(self, name: str, fields: Row, ts_ns: int) -> list[Any]:
        both = (self.tables, self.outbox)
        if name == "venue_quote":
            step.on_venue_quote(*both, to_record(schema.venue_quote, fields), ts_ns)
        elif name == "desk":
            step.on_desk(*both, to_record(schema.desk_command, fields), ts_ns)
        elif name == "timer":
            step.on_timer(*both, ts_ns)
        else:
            event = to_record(schema.order_event, fields)
            if name == "order":
                step.on_order(*both, event, ts_ns, self.policy.address)
            else:
                if name == "mass_status":  # as the gateway does before the first piece
                    event["total"] = order_life.count_meant(self.tables, event, 2**62)
                REQUESTS[name](*both, event, ts_ns)
        return self._outputs()

    def _outputs(self) -> list[tuple[str, Any]]:
        counts = self.outbox.counts[0]
        return [
            (kind, getattr(self.outbox, kind)[index])
            for kind in OUTPUTS
            for index in range(int(counts[kind]))
        ]


def set_up(world: World, policy_name: str) -> Oracle:
    oracle = Oracle(
        orders_max=world.orders_max, desk_max=world.desk_max, policy=POLICIES[policy_name]
    )
    oracle.set_params(**world.params)
    for index, row in enumerate(world.regimes):
        oracle.set_regime(index, **row)
    for index, mic in enumerate(world.venues):
        oracle.set_venue(index, mic)
    for index, pool in enumerate(world.pools):
        oracle.set_pool(index, pool)
    for index, row in enumerate(world.clients):
        oracle.set_client(index, **row)
    for index, row in enumerate(world.instruments):
        oracle.set_instrument(index, **row)
    return oracle


def open_items(oracle: Oracle) -> list[Row]:
    """Open desk items with their order's ClOrdID, for a stream that wants to hit them."""
    return [
        item | {"clordid": oracle.orders[item["order_id"] - 1]["clordid"]}
        for item in oracle.items
        if item["state"] in (1, 2, 3)
    ]


def open_items_of(engine: Engine) -> list[Row]:
    """The same, as the engine has them."""
    orders, items = engine.tables.orders, engine.tables.desk_items
    return [
        {name: int(item[name]) for name in item.dtype.names if name != "isin"}
        | {"clordid": schema.unpack(orders[item["order_id"] - 1]["clordid"])}
        for item in items[: int(engine.tables.counters[0]["desk_items"])]
        if item["state"] in (1, 2, 3)
    ]


def ask_oracle(oracle: Oracle, name: str, fields: Row, ts_ns: int) -> list[Row]:
    if name == "timer":
        return oracle.timer(ts_ns)
    return getattr(oracle, name)(fields, ts_ns)


def packed(row: Row, dtype: np.dtype) -> Row:
    """Text in one word becomes that word; what the specification leaves open is left out."""
    single = {name for name in dtype.names if not dtype[name].shape}
    return {
        name: schema.pack(value) if isinstance(value, str) and name in single else value
        for name, value in row.items()
        if value is not None and name in dtype.names
    }


def differences(expected: Row, record: Any) -> list[str]:
    expected = packed(expected, record.dtype)
    found = to_plain(record, list(expected))
    return [
        f"{name}: engine {found[name]}, oracle {expected[name]}"
        for name in expected
        if found[name] != expected[name]
    ]


def compare_outputs(expected: list[Row], found: list[tuple[str, Any]]) -> list[str]:
    types = [row["type"] for row in expected]
    found_types = [OUTPUTS[kind] for kind, _ in found]
    if types != found_types:
        return [f"engine gives {found_types}, oracle {types}"]
    return [
        f"{row['type']}: {difference}"
        for row, (_, record) in zip(expected, found, strict=True)
        for difference in differences(row, record)
    ]


def compare_state(oracle: Oracle, engine: Engine, kept: int) -> list[str]:
    """Every small table, and the newest `kept` rows of the big ones."""
    state, all_tables, found = oracle.state(), engine.tables, []
    for name in ("positions", "client_use", "pools", "quotes"):
        rows = getattr(all_tables, name)
        for index, row in state[name].items():
            found += [f"{name}[{index}] {d}" for d in differences(row, rows[index])]
    for name in ("orders", "desk_items"):
        rows, expected = getattr(all_tables, name), state[name]
        for index in range(max(0, len(expected) - kept), len(expected)):
            found += [f"{name}[{index}] {d}" for d in differences(expected[index], rows[index])]
    counters = engine.tables.counters[0]
    pairs = {
        "orders": len(oracle.orders),
        "desk_items": len(oracle.items),
        "executions": oracle.executions_count,
        "quotes": oracle.quotes_count,
        "kill_firm": state["kill_firm"],
        "replaced": oracle.replaced_count,
        "desk_open": len(open_items(oracle)),
    }
    found += [
        f"counter {name}: engine {int(counters[name])}, oracle {value}"
        for name, value in pairs.items()
        if counters[name] != value
    ]
    return found


def run_oracle(world: World, oracle: Oracle, seed: int, each: Callable[..., None]) -> None:
    """Feed the stream to the oracle; `each` sees every input and what came of it."""
    for name, fields, ts_ns in inputs(world, seed, INPUTS, lambda: open_items(oracle)):
        if name == "params":
            oracle.set_params(**fields)
            outputs: list[Row] = []
        else:
            outputs = ask_oracle(oracle, name, fields, ts_ns)
        each(name, fields, ts_ns, outputs)


@pytest.mark.parametrize("policy_name", POLICIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_engine_equals_oracle(seed: int, policy_name: str) -> None:
    world = make_world(seed, INPUTS)
    oracle, engine = set_up(world, policy_name), Engine(world, policy_name)
    done = 0

    def check(name: str, fields: Row, ts_ns: int, outputs: list[Row]) -> None:
        nonlocal done
        if name == "params":
            engine.set_params(fields)
            return
        found = compare_outputs(outputs, engine.apply(name, fields, ts_ns))
        done += 1
        if done % STATE_EVERY == 0:
            found += compare_state(oracle, engine, ROWS_KEPT)
        where = f"seed {seed}, policy {policy_name}, input {done}: {name} {fields} at {ts_ns}"
        assert not found, where + "\n" + "\n".join(found)

    run_oracle(world, oracle, seed, check)
    assert not compare_state(oracle, engine, len(oracle.orders))


def test_stream_reaches_every_rule() -> None:
    seen: Counter[str] = Counter()

    def note(name: str, fields: Row, ts_ns: int, outputs: list[Row]) -> None:
        for row in outputs:
            if row["type"] in ("execution", "desk_result"):
                seen[f"reason {row['reason']}"] += 1
            if row["type"] == "execution":
                seen[f"zone {row['zone']}"] += 1
                seen[f"route {row.get('route')}"] += 1
                seen[f"clamp {row.get('clamp')}"] += 1
                seen[f"{Kind(row['kind']).name} in size {row.get('quote_size')}"] += 1

    for seed in range(12):
        world = make_world(seed, INPUTS)
        run_oracle(world, set_up(world, "wild"), seed, note)
    assert [zone for zone in Zone if not seen[f"zone {zone}"]] == []
    assert [r for r in Route if r != Route.NONE and not seen[f"route {r}"]] == []
    assert [clamp for clamp in range(5) if not seen[f"clamp {clamp}"]] == []
    assert [size for size in range(3) if seen[f"FILL in size {size}"] < 50] == []
    unseen = {reason for reason in Reason if not seen[f"reason {int(reason)}"]}
    assert unseen <= {Reason.REPLACES_FULL}  # test_order_life fills that table
