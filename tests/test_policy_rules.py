"""Rules of the policy: from si.toml, changed by one or two people, kept in the journal."""

import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine import policy, schema, tables
from engine.tables import state_hash
from gateway import config as configuration
from gateway import control, policy_rules, replay, template, world
from gateway.approvals import PENDING_MAX
from gateway.cli import app
from gateway.config import CONFIG_FILE, ConfigError
from gateway.errors import UserError
from gateway.server import Server
from tests.firm import CLIENT, INSTRUMENT, NOW_NS, firm, order, venue_quote
from tests.test_oracle import Engine, to_record
from tests.venue import toml

SHARE, ETF = 1, 3
SMALL = {"orders_max": 1_024, "instruments_max": 1_024, "desk_items_max": 64}
RULES = [
    {"param": [2]},
    {"tier": 3, "param": [4]},
    {"tier": 3, "group": "etf", "param": [5]},
    {"group": "certificate", "param": [6]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    template.write(tmp_path / "si")
    return tmp_path / "si"


def configure(folder: Path, **sections: dict[str, Any]) -> configuration.Config:
    path = folder / CONFIG_FILE
    tree = tomllib.loads(path.read_text())
    for name, section in ({"engine": SMALL} | sections).items():
        tree[name] = tree.get(name, {}) | section
    path.write_text(toml(tree))
    return configuration.load(folder)


@contextmanager
def serving(config: configuration.Config) -> Iterator[Server]:
    """A server without sockets, as far as `si serve` comes before it listens."""
    server = Server(config)
    try:
        server.recover()
        server.load()
        yield server
    finally:
        server.checker.close()
        if hasattr(server, "files"):
            server.files.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One where every change needs two people."""
    folder = tmp_path_factory.mktemp("rules") / "si"
    template.write(folder)
    with serving(configure(folder, policy={"approvals": 2})) as made:
        yield made


def params_of(server: Server) -> dict[tuple[int, int], list[int]]:
    """First parameter of each rule by tier and asset class."""
    table = server.tables.policy_rules.reshape(8, 8, 6)[0]  # of the only pool
    found = zip(*np.nonzero(table["given"]), strict=True)
    return {(int(t), int(g)): table[t, g]["param"].tolist() for t, g in found}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"rule": [{"param": [10_001]}]}, r"policy.rule 1: param\[0\] of policy ticks, ticks, is"),
        ({"rule": [{"param": [1, 1]}]}, r"policy.rule 1: \[1, 1\] has more parameters than policy"),
        ({"rule": [{"param": [0] * 9}]}, "at most 8 items"),
        ({"rule": [{"tier": 8, "param": []}]}, "less than or equal to 7"),
        ({"rule": [{"group": "bond", "param": []}]}, "'share', 'depositary_receipt', 'etf'"),
        ({"rule": [{"pol": "a", "param": []}]}, "no such setting: a typo?"),
        ({"rule": [{"pool": "a", "param": []}]}, "policy.rule 1: pool 'a', which is none of main"),
        ({"horizons_ms": [1, 2, 3]}, "at least 4 items"),
        ({"horizons_ms": [1, 2, 4, 3]}, r"horizons_ms \[1, 2, 4, 3\] must ascend"),
        ({"horizons_ms": [1, 2, 3, 3_600_001]}, "less than or equal to 3600000"),
        ({"vol_half_life_ms": 999}, "greater than or equal to 1000"),
        ({"approvals": 3}, "Input should be 1 or 2"),
    ],
)
def test_settings_that_cannot_be(folder: Path, section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rules_of(configure(folder, policy=section))


def rules_of(config: configuration.Config) -> None:
    """What `si serve` does with the rules of si.toml, where they cannot be."""
    policy_rules.configure(SimpleNamespace(config=config, policy=policy.load("ticks")), NOW_NS)  # type: ignore[arg-type]


def test_the_default_has_limits_too(folder: Path) -> None:
    bad = configure(folder, quoting={"policy_param": [-1]})
    said = (
        r"quoting.policy_param: param\[0\] of policy ticks, ticks, is -1, .* `si policy list` has"
    )
    with pytest.raises(ConfigError, match=said):
        rules_of(bad)


def test_rules_of_the_file_one_person_changes_some_and_the_journal_keeps_it(folder: Path) -> None:
    config = configure(folder, policy={"rule": RULES})
    with serving(config) as server:
        of_file = params_of(server)
        assert len(of_file) == 48 and all(param[1:] == [0] * 7 for param in of_file.values())
        for (tier, group), param in of_file.items():  # a later rule holds over an earlier one
            wanted = 6 if group == 4 else 5 if (tier, group) == (3, ETF) else 4 if tier == 3 else 2
            assert param[0] == wanted
        asked = {"policy": "set", "tier": 7, "group": "etf", "param": [9], "by": "anna"}
        assert server.policy_rules.receive(asked)["set"]["param"] == [9]
        server.policy_rules.receive({"policy": "set", "group": "share", "param": None, "by": "bob"})
        before = params_of(server)
        assert before[7, ETF][0] == 9 and (7, SHARE) not in before and before[0, ETF][0] == 2
        row = server.tables.policy_rules[7 * 6 + ETF]
        assert (schema.unpack(row["by"]), schema.unpack(row["approved_by"])) == ("anna", "")
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state
    with serving(config) as server:
        assert params_of(server) == before  # si.toml's rules are those of the last start
    with serving(configure(folder, quoting={"policy_param": [3]})) as server:
        assert params_of(server) == of_file
        assert server.tables.params[0]["policy_param"].tolist() == [3] + [0] * 7


def test_a_start_that_ends_half_way_is_done_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules of another file may be in, the parameters that remember it are not."""
    first = configure(folder, policy={"rule": RULES})
    with serving(first) as server:
        rules = server.tables.policy_rules.copy()
    wrong = {"policy": {"rule": [{"param": [7]}]}, "firm": {"regime": "eu-2052"}}
    config = configure(folder, **wrong)
    with pytest.raises(ConfigError, match="eu-2052"), serving(config):
        pass
    with serving(first) as server:
        assert server.tables.policy_rules.tobytes() == rules.tobytes()
    config = configure(folder, policy=wrong["policy"], firm={"regime": "auto"})
    with monkeypatch.context() as killed:
        killed.setattr(world, "_put_params", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError), serving(config):
            pass
    with serving(first) as server:
        assert server.tables.policy_rules.tobytes() == rules.tobytes()


def test_two_people_are_needed_where_that_is_configured(server: Server) -> None:
    receive, rules = server.policy_rules.receive, server.policy_rules
    for by in ("anna", "bob"):
        answer = receive({"policy": "set", "tier": 1, "param": [9], "by": by})["pending"]
    first, second = answer["id"] - 1, answer["id"]
    assert answer == {"id": second, "pool": "*", "tier": 1, "group": "*", "param": [9], "by": "bob"}
    assert params_of(server) == {}
    for by in ("bob", " BOB "):
        with pytest.raises(UserError, match=f"for change {second}: somebody else must approve it"):
            receive({"policy": "approve", "id": second, "by": by})
    assert receive({"policy": "refuse", "id": first, "by": "anna"})["refused"]["id"] == first
    assert receive({"policy": "approve", "id": second, "by": "anna"})["approved_by"] == "anna"
    assert list(params_of(server)) == [(1, group) for group in range(6)]
    row = server.tables.policy_rules[1 * 6]
    assert [schema.unpack(row[name]) for name in ("by", "approved_by")] == ["bob", "anna"]
    for verb in ("approve", "refuse"):
        with pytest.raises(UserError, match=f"no change {second} waits for approval"):
            receive({"policy": verb, "id": second, "by": "anna"})
    for number in range(second + 1, second + 1 + PENDING_MAX):
        asked = {"policy": "set", "tier": 1, "param": None, "by": "anna"}
        assert receive(asked)["pending"]["id"] == number
    with pytest.raises(UserError, match="64 changes wait already: approve or refuse"):
        receive(asked)
    receive({"policy": "approve", "id": number, "by": "bob"})
    rules.pending.clear()
    assert params_of(server) == {}


BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"policy": "sell"}, "policy request 'sell' is none of rules, set, approve, refuse"),
    ({"policy": "set", "param": [1]}, "by '': write a name of 1 to 16 ASCII characters"),
    ({"policy": "set", "param": [1], "by": "a" * 17}, "write a name of 1 to 16"),
    ({"policy": "set", "param": [1], "by": "\u00e4"}, "write a name of 1 to 16"),
    ({"policy": "set", "param": [10_001], "by": "a"}, "ticks, is 10001, not within 0..10000"),
    ({"policy": "set", "param": [2**63], "by": "a"}, "less than 9223372036854775808"),
    ({"policy": "set", "param": [1], "pool": "b", "by": "a"}, "pool 'b' is none of main"),
    ({"policy": "set", "param": [1], "pool": 5, "by": "a"}, "pool 5: "),
    ({"policy": "set", "param": [1], "tier": 9, "by": "a"}, "tier 9: "),
    ({"policy": "set", "param": [1], "tier": "x", "by": "a"}, "tier 'x': "),
    ({"policy": "set", "param": [1], "group": "bond", "by": "a"}, "group 'bond': "),
    ({"policy": "set", "param": "1", "by": "a"}, "param '1': "),
    ({"policy": "approve", "id": 1, "by": "a"}, "no change 1 waits for approval"),
]


@pytest.mark.parametrize(("asked", "said"), BAD_REQUESTS)
def test_a_askedthat_is_refused_changes_nothing(
    server: Server, asked: dict[str, Any], said: str
) -> None:
    state, answers = state_hash(server.tables), []
    server.control.receive(json.dumps(asked).encode(), answers.append)
    assert said in answers[0]["error"]
    assert state_hash(server.tables) == state and not server.policy_rules.pending


def connect(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line, its requests given to this server as the desk's socket would."""

    def ask(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        server.control.receive(json.dumps(request).encode(), answers.append)
        answer: dict[str, Any] = json.loads(json.dumps(answers[0]))
        if "error" in answer:
            raise UserError(answer["error"])
        return answer

    monkeypatch.setattr(control, "ask", ask)

    def run(*words: object) -> Any:
        return CliRunner().invoke(app, ["policy", *map(str, words)])

    return run


def test_the_command_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    run = connect(server, monkeypatch)
    assert "nothing waits" in run("rules", "DIR").stdout
    done = run("set", "DIR", "--tier", 2, "--group", "etf", "--param", 7, "--by", "anna")
    [waits] = json.loads(run("rules", "DIR", "--json").stdout)["pending"]
    number = waits["id"]
    assert f"si policy approve DIR {number}" in done.stdout
    assert waits == {
        "id": number, "pool": "*", "tier": 2, "group": "etf", "param": [7], "by": "anna",
    }  # fmt: skip
    assert run("approve", "DIR", number, "--by", "anna").exit_code == 1
    done = run("approve", "DIR", number, "--by", "bob")
    assert (
        "pool *, tier 2, group etf: [7]" in done.stdout and "write it into si.toml" in done.stdout
    )
    rules = json.loads(run("rules", "DIR", "--json").stdout)
    assert rules["rules"] == [{
        "pool": "main", "tier": 2, "group": "etf", "param": [7] + [0] * 7,
        "by": "anna", "approved_by": "bob",
    }]  # fmt: skip
    assert (rules["policy"], rules["approvals"], rules["pending"]) == ("ticks", 2, [])
    done = run("set", "DIR", "--tier", 2, "--default", "--by", "anna", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["pending"]["param"] is None
    assert "will not happen" in run("refuse", "DIR", number + 1, "--by", "anna").stdout
    assert run("set", "DIR", "--by", "anna").exit_code == 2
    assert run("set", "DIR", "--param", 1, "--default", "--by", "anna").exit_code == 2


@pytest.mark.parametrize(
    ("pool", "tier", "group", "ticks"),
    [
        (0, 0, SHARE, 1), (0, 3, SHARE, 4), (0, 3, ETF, 1), (0, 7, ETF, 5), (0, 7, SHARE, 1),
        (1, 3, SHARE, 6), (1, 7, ETF, 1), (7, 7, ETF, 7), (7, 3, SHARE, 1),
    ],
)  # fmt: skip
def test_an_order_gets_the_rule_of_its_pool_tier_and_group(
    pool: int, tier: int, group: int, ticks: int
) -> None:
    world = firm(params={"policy_param": [1] + [0] * 7}, instrument={"asset_class": group})
    engine = Engine(world._replace(clients=[CLIENT | {"tier": tier, "pool": pool}]), "ticks")
    for place, param in (
        (3 * 6 + SHARE, 4), (7 * 6 + ETF, 5), (4 * 6 + SHARE, 9), (48 + 3 * 6 + SHARE, 6),
        (7 * 48 + 7 * 6 + ETF, 7),
    ):  # fmt: skip
        row = to_record(schema.policy_rule, {"given": 1, "param": [param] + [0] * 7})
        tables.set_row(engine.tables, tables.POLICY_RULE, place, row)
    engine.apply("venue_quote", venue_quote(19_900_000, 20_100_000), NOW_NS)
    tick_e6 = 10_000  # RTS 11, band 5, from 20 on: where our ask is
    made = dict(engine.apply("order", order("a"), NOW_NS))["executions"]
    assert INSTRUMENT["tick_band"] == 5
    assert int(made["last_px_e6"]) == 20_100_000 - ticks * tick_e6
    inputs = engine.tables.policy_input[0]
    assert int(inputs["tier"]) == tier and int(inputs["param"][0]) == ticks
    assert inputs["mrm_bid_px_e6"] == 19_900_000 and inputs["mrm_ask_px_e6"] == 20_100_000
