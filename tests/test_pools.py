"""Named pools of liquidity: who is in which, their kill switches, their rules of the policy."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine import schema, tables
from engine.enums import DeskAction, ExecKind, KillScope, QuoteState, Reason
from engine.limits import POOLS
from engine.tables import state_hash
from gateway import config as configuration
from gateway import control, desk_reader, pools, replay, snapshot, template
from gateway.audit import read
from gateway.audit.rules import Rule
from gateway.cli import app
from gateway.config import CONFIG_FILE, Config, ConfigError
from gateway.desk_reader import DeskError
from gateway.desk_view import subject_of
from gateway.errors import UserError
from gateway.risk_view import view
from gateway.server import Server
from gateway.world import load_world
from tests import audit_rig
from tests.audit_rig import OPEN_NS, Day
from tests.firm import CLIENT, NOW_NS, firm, order, venue_quote
from tests.order_rig import ASK, BID, Orders
from tests.test_oracle import Engine, to_record
from tests.venue import toml
from tests.world import HOUR, SECOND, World

RETAIL = 1  # its row, behind main's
SMALL = {"orders_max": 1_024, "instruments_max": 1_024, "desk_items_max": 64}
TWO = [
    {"name": "main", "criteria": "Every [other] client."},
    {"name": "retail brokers", "criteria": "Clients who act for retail investors."},
]
IN_TWO = [{"name": "client1"}, {"name": "client2", "pool": "retail brokers"}]


def two_pools(**params: Any) -> World:
    """A client in each of two pools; the third is in the second one too."""
    clients = [CLIENT | {"name": f"c{n}", "pool": pool} for n, pool in enumerate((0, 1, 1))]
    return firm(params=params)._replace(pools=["main", "retail"], clients=clients)


class Firm:
    """An engine with a market; answers to orders in short."""

    def __init__(self) -> None:
        self.engine = Engine(two_pools(), "none")
        self.engine.apply("venue_quote", venue_quote(BID, ASK), NOW_NS)
        self.count = 0

    def order(self, client: int) -> tuple[int, int, int]:
        """Reason, its value and the kind of the execution."""
        self.count += 1
        fields = {"client": client, "session": client}
        made = self.engine.apply("order", order(f"a{self.count}", **fields), NOW_NS)
        row = dict(made)["executions"]
        return int(row["reason"]), int(row["reason_value"]), int(row["kind"])

    def switch(self, scope: KillScope, subject: int, action: int = DeskAction.KILL) -> list[Any]:
        command = {"action": action, "scope": scope, "subject": subject}
        return self.engine.apply("desk", command, NOW_NS)


FILLED = (Reason.NONE, 0, ExecKind.FILL)


def test_a_pools_switch_refuses_its_own_clients_and_nobody_else() -> None:
    made = Firm()
    [(kind, result)] = made.switch(KillScope.POOL, RETAIL)
    assert kind == "desk_results" and result["reason"] == Reason.NONE
    refused = (Reason.KILLED_POOL, RETAIL, ExecKind.REJECTED)
    assert [made.order(client) for client in range(3)] == [FILLED, refused, refused]
    assert made.engine.tables.quotes[0]["state"] == QuoteState.LIVE  # the quote is the firm's
    made.switch(KillScope.POOL, RETAIL, DeskAction.RESUME)
    assert [made.order(client) for client in range(3)] == [FILLED] * 3


def test_the_firm_comes_before_the_pool_and_the_pool_before_the_client() -> None:
    made = Firm()
    told = []
    for scope, subject in ((KillScope.CLIENT, 2), (KillScope.POOL, RETAIL), (KillScope.FIRM, 0)):
        made.switch(scope, subject)
        told.append([made.order(client)[0] for client in range(3)])
    none, firm_wide = Reason.NONE, Reason.KILLED_FIRM
    assert told == [
        [none, none, Reason.KILLED_CLIENT],
        [none, Reason.KILLED_POOL, Reason.KILLED_POOL],
        [firm_wide] * 3,
    ]


@pytest.mark.parametrize("subject", [-1, 2, POOLS, 10**9])
def test_a_pool_that_is_not_there_has_no_switch(subject: int) -> None:
    made = Firm()
    [(_, result)] = made.switch(KillScope.POOL, subject)
    assert (result["reason"], result["limit"]) == (Reason.UNKNOWN_SUBJECT, 2)
    assert not made.engine.tables.pools["killed"].any()


def test_an_order_with_the_desk_waits_and_is_not_filled_meanwhile() -> None:
    """Neither replaced; cancelled as ever. A replay of the journal stands where we stand."""
    orders = Orders(world=two_pools())
    orders.order("d1")
    item = int(orders.item["item_id"])
    orders.desk(DeskAction.KILL, 0, scope=KillScope.POOL, subject=0)
    orders.desk(DeskAction.FILL, item, px_e6=ASK)
    assert orders.desk_reason() == Reason.KILLED_POOL
    [refused] = orders.replace("d2", "d1")
    assert refused[58].startswith("SI-NOQUOTE-KILL trading of this client's pool is stopped")
    [rejected] = orders.order("d3")
    assert (rejected[39], rejected[103]) == ("8", "0")
    orders.check_replay()
    orders.desk(DeskAction.RESUME, 0, scope=KillScope.POOL, subject=0)
    [filled] = orders.desk(DeskAction.FILL, item, px_e6=ASK)
    assert filled[39] == "2"
    orders.check_replay()


@pytest.mark.parametrize(("field", "value"), [("pool", -1), ("pool", POOLS), ("tier", 8)])
def test_a_clients_row_names_a_pool_that_can_be(field: str, value: int) -> None:
    engine = Engine(two_pools(), "none")
    row = to_record(schema.client, CLIENT | {field: value})
    with pytest.raises(ValueError, match=rf"{field} {value} is not within 0\.\.7"):
        tables.set_row(engine.tables, tables.CLIENT, 0, row)


# si.toml


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    template.write(tmp_path / "si")
    return tmp_path / "si"


def configure(folder: Path, **sections: Any) -> Config:
    path = folder / CONFIG_FILE
    tree = tomllib.loads(path.read_text())
    for name, section in ({"engine": SMALL} | sections).items():
        tree[name] = tree.get(name, {}) | section if isinstance(section, dict) else section
    path.write_text(toml(tree))
    return configuration.load(folder)


@contextmanager
def serving(config: Config) -> Iterator[Server]:
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


def kill(server: Server, scope: KillScope, subject: int) -> None:
    server.command(
        to_record(
            schema.desk_command, {"action": DeskAction.KILL, "scope": scope, "subject": subject}
        )
    )


def members(server: Server) -> dict[str, str]:
    """Pool of each client."""
    names = pools.names(server.tables)
    rows = server.tables.clients[: int(server.tables.counters[0]["clients"])]
    return {schema.unpack(row["name"]): names[row["pool"]] for row in rows}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"pools": [TWO[0], TWO[0]]}, "pools: name 'main' is there twice"),
        ({"pools": [{"name": "a"}]}, "pools.0.criteria: Field required"),
        ({"pools": [{"name": "a", "criteria": ""}]}, "pools.0.criteria: String should have at l"),
        ({"pools": [{"name": "a" * 17, "criteria": "c"}]}, "at most 16 characters"),
        ({"pools": [{"name": " a", "criteria": "c"}]}, "pools.0.name: String should match"),
        ({"pools": [{"name": "\u00e4", "criteria": "c"}]}, "pools.0.name: String should match"),
        ({"pools": [{"name": "*", "criteria": "c"}]}, r"pools: name '\*' is every pool"),
        ({"pools": [{"name": "a", "criteria": "c", "killed": 1}]}, "no such setting: a typo"),
        ({"pools": [{"name": f"p{n}", "criteria": "c"} for n in range(9)]}, "at most 8 items"),
        ({"clients": IN_TWO}, "clients: 'client2' is in pool 'retail brokers', which is none of"),
        (
            {"pools": TWO, "policy": {"rule": [{"pool": "gone", "param": [1]}]}},
            "policy.rule 1: pool 'gone', which is none of main, retail brokers: add",
        ),
    ],
)
def test_pools_that_cannot_be(folder: Path, sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"si\.toml.*{said}"):
        configure(folder, **sections)


def test_the_line_of_a_wrong_pool_is_named(folder: Path) -> None:
    path = folder / CONFIG_FILE
    path.write_text(path.read_text() + '\n[[pools]]\nname = "a"\ncriteria = ""\n')
    line = len(path.read_text().splitlines())
    with pytest.raises(ConfigError, match=f"line {line}: pools.0.criteria"):
        configuration.load(folder)


def test_without_pools_everybody_is_in_one(folder: Path) -> None:
    with serving(configure(folder)) as server:
        assert pools.names(server.tables) == ["main"]
        assert members(server) == {"client1": "main", "client2": "main"}


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_switch_outlives_a_restart_and_another_order_of_the_pools(
    folder: Path, by_snapshot: bool
) -> None:
    with serving(configure(folder, pools=TWO, clients=IN_TWO)) as server:
        assert members(server) == {"client1": "main", "client2": "retail brokers"}
        kill(server, KillScope.POOL, RETAIL)
        state = state_hash(server.tables)
        if by_snapshot:
            snapshot.write(folder / "journal", server.tables, server.wire, server.journal)
    assert replay.verify(folder / "journal", None)["state_hash"] == state
    with serving(configure(folder)) as server:  # the same si.toml: nothing changes but the boot
        assert pools.stopped(server.tables) == {"main": False, "retail brokers": True}
        words = load_world(server, server.now_ns())
        assert [line for line in words if line.startswith("pool retail brokers is stopped")]
    new = {"name": "new", "criteria": "As agreed."}
    with serving(configure(folder, pools=[new, TWO[1], TWO[0]])) as server:
        assert pools.names(server.tables) == ["main", "retail brokers", "new"]  # rows are kept
        assert members(server) == {"client1": "new", "client2": "retail brokers"}
        assert pools.stopped(server.tables) == {
            "main": False, "retail brokers": True, "new": False,
        }  # fmt: skip
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state


def test_a_journal_knows_so_many_pools_and_says_which(folder: Path) -> None:
    one = [{"name": "a", "criteria": "c"}]
    many = [{"name": f"p{n}", "criteria": "c"} for n in range(POOLS)]
    with serving(configure(folder, pools=one)):
        pass
    with (
        pytest.raises(UserError, match=r"pools p0, p1.*, p7: this journal knows a, at most 8"),
        serving(configure(folder, pools=many)),
    ):
        pass


# Rules of the policy


def rules_of(server: Server) -> dict[str, set[int]]:
    """The first parameter of the rules of each pool."""
    found: dict[str, set[int]] = {}
    for rule in server.policy_rules.receive({"policy": "rules"})["rules"]:
        found.setdefault(rule["pool"], set()).add(rule["param"][0])
    return found


def test_rules_go_by_pool(folder: Path) -> None:
    """A later rule over an earlier one; a pool that comes later has the rules for all."""
    rules = [{"param": [2]}, {"pool": "retail brokers", "tier": 1, "param": [3]}]
    config = configure(folder, pools=TWO, clients=IN_TWO, policy={"rule": rules})
    with serving(config) as server:
        assert rules_of(server) == {"main": {2}, "retail brokers": {2, 3}}
        places = np.flatnonzero(server.tables.policy_rules["param"][:, 0] == 3)
        assert places.tolist() == [(RETAIL * 8 + 1) * 6 + group for group in range(6)]
        asked = {"policy": "set", "pool": "main", "param": [4], "by": "anna"}
        assert server.policy_rules.receive(asked)["set"]["pool"] == "main"
        assert rules_of(server) == {"main": {4}, "retail brokers": {2, 3}}
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state
    with serving(config) as server:
        assert rules_of(server) == {"main": {4}, "retail brokers": {2, 3}}
    third = [*TWO, {"name": "third", "criteria": "c"}]
    with serving(configure(folder, pools=third)) as server:
        assert rules_of(server) == {"main": {2}, "retail brokers": {2, 3}, "third": {2}}


def test_a_start_journals_only_rules_that_differ(folder: Path) -> None:
    written: list[int] = []
    config = configure(folder, policy={"rule": [{"tier": 1, "param": [2]}]})
    server = Server(config)
    try:
        server.recover()
        put = server.put_row

        def spy(table_id: int, index: int, row: Any, now_ns: int) -> None:
            before = int(server.journal.writer[0]["seq"])
            put(table_id, index, row, now_ns)
            if table_id == tables.POLICY_RULE and server.journal.writer[0]["seq"] > before:
                written.append(index)

        server.put_row = spy  # type: ignore[method-assign]
        server.load()
    finally:
        server.checker.close()
        server.files.close()
    assert written == [6 + group for group in range(6)]


# The command line


def test_pools_can_be_published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, criteria, and whether trading is stopped; no client is named."""
    configure(folder, pools=TWO, clients=IN_TWO)
    command = ["risk", "pools", str(folder)]
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert found["mic"] == "SINT" and [pool["killed"] for pool in found["pools"]] == [None, None]
    running = {"risk": {"pools": {"main": False, "retail brokers": True}}}
    monkeypatch.setattr(control, "ask", lambda *_: running)
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert found["pools"] == [TWO[0] | {"killed": False}, TWO[1] | {"killed": True}]
    text = CliRunner().invoke(app, command, env={"COLUMNS": "120"}).stdout
    for words in ("Every [other] client.", "retail brokers", "stopped", "open"):
        assert words in text
    assert "client2" not in text + json.dumps(found)


def test_the_desk_names_a_pool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(folder, pools=TWO, clients=IN_TWO)
    with serving(config) as server:
        kill(server, KillScope.POOL, RETAIL)
        assert view(server.tables)["pools"] == {"main": False, "retail brokers": True}
    assert subject_of(config.journal, "", "", "main") == (KillScope.POOL, 0, "pool main")
    assert subject_of(config.journal, "client2", "", "")[:2] == (KillScope.CLIENT, 1)
    with pytest.raises(DeskError, match="one of them"):
        subject_of(config.journal, "client1", "", "main")
    sent: list[tuple[Any, ...]] = []

    class Desk:
        def __init__(self, directory: Path) -> None:
            assert directory == folder

        def command(self, action: DeskAction, trader: str, **fields: Any) -> None:
            sent.append((action, trader, fields))

    monkeypatch.setattr(desk_reader, "DeskClient", Desk)
    for verb, action in (("kill", DeskAction.KILL), ("resume", DeskAction.RESUME)):
        words = ["desk", verb, str(folder), "--pool", "retail brokers", "--trader", "ann"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0 and f"{verb}: pool retail brokers" in done.stdout
        fields = {"scope": KillScope.POOL, "subject": RETAIL}
        assert sent.pop() == (action, "ann", fields)
    done = CliRunner().invoke(app, ["desk", "kill", str(folder), "--pool", "retail"])
    said = " ".join(done.output.split())
    assert done.exit_code == 1 and "no pool 'retail'" in said
    assert "there are main, retail brokers" in said and not sent


# What reads the journal


@pytest.fixture(name="day")
def _day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    """Three clients in two pools; the second one gets a tick."""
    audit_rig.use_small_segments(monkeypatch)
    hours = {"open_ns": OPEN_NS, "close_ns": OPEN_NS + 8 * HOUR, "stale_ns": 24 * HOUR}
    made = Day(tmp_path, two_pools(**hours, policy_param=[0] * 8), "ticks")
    rule = {"given": 1, "param": [1] + [0] * 7, "by": "anna"}
    made.put(tables.POLICY_RULE, (RETAIL * 8 + 0) * 6 + 1, rule, OPEN_NS - HOUR)
    made.market(OPEN_NS - SECOND, venue_quote(BID, ASK))
    made.timer(OPEN_NS)
    return made


def test_explain_says_the_pool_of_the_client(day: Day) -> None:
    """The one of that time, if the client has moved since."""
    for client in (0, 1):
        assert day.order(OPEN_NS + SECOND, client=client, qty=1)["kind"] == ExecKind.FILL
    day.put(tables.CLIENT, 1, day.world.clients[1] | {"pool": 0}, OPEN_NS + 2 * SECOND)
    day.order(OPEN_NS + 3 * SECOND, client=1, qty=1)
    day.close()
    told = []
    for name in ("A1", "A2", "A3"):
        text = CliRunner().invoke(app, ["explain", str(day.folder), name]).stdout
        told += [line.strip() for line in text.splitlines() if "pool" in line]
    assert told == ["client's pool: main", "client's pool: retail", "client's pool: main"]
    done = CliRunner().invoke(app, ["explain", str(day.folder), "A2", "--json"])
    assert [row["pool"] for row in json.loads(done.stdout)] == ["retail"]


def test_explain_does_not_speak_of_an_only_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit_rig.use_small_segments(monkeypatch)
    day = Day(tmp_path, firm())
    day.order(OPEN_NS, qty=1)
    day.close()
    done = CliRunner().invoke(app, ["explain", str(tmp_path), "A1"])
    assert done.exit_code == 0 and "asked: BUY" in done.stdout and "pool" not in done.stdout
    done = CliRunner().invoke(app, ["explain", str(tmp_path), "A1", "--json"])
    assert [row["pool"] for row in json.loads(done.stdout)] == [None]


def different(day: Day) -> int:
    """How often `si audit` found clients treated unequally."""
    recount = read.recount_day(day.close(), date.fromisoformat(audit_rig.DAY), 100, 2**62)
    return int(recount.book.tally[Rule.DIFFERENT_PX])


def test_audit_compares_clients_of_one_pool(day: Day) -> None:
    """Each pool has its own rule: other prices by right. It also reads past rows of rules."""
    prices = {day.order(OPEN_NS + n, client=n, qty=1)["last_px_e6"] for n in range(3)}
    assert len(prices) == 2
    assert different(day) == 0


@pytest.mark.parametrize(("client", "found"), [(2, 1), (0, 0)])
def test_audit_finds_two_prices_within_a_pool(day: Day, client: int, found: int) -> None:
    day.forge_fill(OPEN_NS + 1, {"client": 1})
    day.forge_fill(OPEN_NS + 2, {"client": client}, last_px_e6=20_000_000)
    assert different(day) == found


def test_audit_compares_clients_of_one_tier(day: Day) -> None:
    day.put(tables.CLIENT, 2, day.world.clients[2] | {"tier": 1}, OPEN_NS)
    day.forge_fill(OPEN_NS + 1, {"client": 1})
    day.forge_fill(OPEN_NS + 2, {"client": 2}, last_px_e6=20_000_000)
    assert different(day) == 0
