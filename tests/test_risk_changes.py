"""Limits that change while the engine runs: who may, from when on, what the journal keeps."""

import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from engine import schema
from engine.enums import Reason
from engine.tables import state_hash
from gateway import config as configuration
from gateway import control, recorder, replay, risk_changes, risk_view, template
from gateway.approvals import PENDING_MAX
from gateway.audit.read import recount_day
from gateway.cli import app
from gateway.errors import UserError
from gateway.risk_config import LimitFields, Risk, Tier
from gateway.risk_limits import CLIENT, FIRM, Limit
from gateway.sim_day import DayServer
from tests.fix_text import as_array
from tests.test_oracle import to_record
from tests.venue import toml

ISIN = "DEZZ00000056"
NOW_NS = 1_790_000_000 * 10**9
E6 = 10**6
SMALL = {"orders_max": 1_024, "instruments_max": 1_024, "desk_items_max": 64}
TIERS = [{"tier": 1, "name": "one", "criteria": "Firms.", "order_max_eur": 900_000}]
CLIENTS = [
    {"name": "client1", "order_max_eur": 10_000_000},
    {"name": "client2", "tier": 1},
    {"name": "client3", "tier": 1, "order_max_eur": 5_000},
    {"name": "client4", "tier": 1},
]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    template.write(tmp_path / "si")
    return configure(tmp_path / "si")


def configure(folder: Path, **sections: Any) -> Path:
    """A firm of two tiers; sections that are lists take the place of what is there."""
    path = folder / "si.toml"
    tree = tomllib.loads(path.read_text())
    usual = {"engine": SMALL, "clients": CLIENTS, "tiers": [*TIERS, TIERS[0] | {"tier": 0, "name":
             "all", "order_max_eur": 0}]}  # fmt: skip
    for name, section in (usual | sections).items():
        tree[name] = tree.get(name, {}) | section if isinstance(section, dict) else section
    path.write_text(toml(tree))
    return folder


@contextmanager
def serving(folder: Path, now_ns: int = NOW_NS) -> Iterator[DayServer]:
    """A server without sockets, on a clock that stands still, with a market."""
    server = DayServer(configuration.load(folder), now_ns)
    try:
        server.recover()
        server.load()
        server.log_on_all(server.names())
        market(server)
        yield server
    finally:
        server.checker.close()
        if hasattr(server, "files"):
            server.files.close()


def market(server: DayServer) -> None:
    quote = {"isin": ISIN, "mic": "XETR", "seq": 1, "bid_px_e6": 344_400_000, "bid_qty": 10_000}
    quote |= {"ask_px_e6": 344_500_000, "ask_qty": 10_000}
    data = to_record(schema.venue_quote, quote).tobytes()
    server.wire.datagram[: len(data)] = as_array(data)
    everything = (server.tables, server.outbox, server.wire, server.journal)
    recorder.on_feed(*everything, len(data), server.now_ns())


def order(server: DayServer, clordid: str, qty: int = 10, session: int = 0) -> Reason:
    """What a market order is refused for; ten shares are worth 3,444.50 EUR."""
    fields = [(11, clordid), (55, ISIN), (48, ISIN), (22, 4), (54, 1), (38, qty), (40, 1)]
    stamp = datetime.fromtimestamp(server.now_ns() // 10**9, UTC).strftime("%Y%m%d-%H:%M:%S")
    raw = server.write(session, "D", [*fields, (59, 0), (60, stamp)])
    server.receive(session, raw)
    made = server.outbox.executions[0]
    assert schema.unpack(made["clordid"]) == clordid, "it was answered"
    return Reason(int(made["reason"]))


def asking(server: DayServer) -> Callable[..., dict[str, Any]]:
    """Requests as the desk's socket brings them; raises what `control.ask` would."""

    def ask(verb: str, by: str = "anna", **fields: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        data = json.dumps({"risk": verb, "by": by, **fields}).encode()
        server.control.receive(data, answers.append)
        answer: dict[str, Any] = json.loads(json.dumps(answers[0]))
        if "error" in answer:
            raise UserError(answer["error"])
        return answer

    return ask


def limit_of(server: DayServer, name: str, field: str = "order_max_eur_e6") -> int:
    return int(server.tables.clients[server.client_id(name)][field])


def states(folder: Path) -> list[tuple[int, str]]:
    return [(row["id"], row["state"]) for row in risk_changes.read(folder / "journal")]


# What can be changed


@pytest.mark.pure
def test_every_limit_of_the_file_is_there() -> None:
    """By name, with its row's field; none is forgotten when one is added."""
    assert {limit.name for limit in CLIENT} == set(LimitFields.model_fields)
    assert set(LimitFields.model_fields) <= set(Tier.model_fields)
    assert {limit.name for limit in FIRM} == set(Risk.model_fields) - {"approvals"}
    assert {limit.field for limit in CLIENT} <= set(schema.client.names or ())
    assert {limit.field for limit in FIRM} <= set(schema.params.names or ())


@pytest.mark.pure
@pytest.mark.parametrize(
    ("old", "new", "loosens"), [(0, 5, False), (5, 0, True), (5, 6, True), (5, 4, False)]
)
def test_which_way_is_looser(old: int, new: int, loosens: bool) -> None:
    plain, window = Limit("x", "x"), Limit("x", "x", smaller_is_looser=True)
    assert plain.loosens(old, new) == loosens
    if old and new:
        assert window.loosens(old, new) != loosens


@pytest.mark.parametrize("place", range(len(FIRM)))
def test_each_limit_of_the_firm(server: DayServer, place: int) -> None:
    """Into the parameters, less, and none; `si risk show` says what is in force."""
    ask, limit = asking(server), FIRM[place]
    for value, number in (("7", 7 * limit.scale), ("3", 3 * limit.scale), ("none", 0)):
        wanted = None if value == "none" else value
        if limit.name == "repeat_window_ms" and number == 0:
            with pytest.raises(UserError, match="repeat_window_ms 0: Input should be greater"):
                ask("set", firm=True, limit=limit.name, value=wanted)
            continue
        done = change(server, firm=True, limit=limit.name, value=wanted)
        assert (done["scope"], done["subject"], done["new"]) == ("firm", "", wanted)
        shown = risk_view.view(server.tables)["limits"]
        assert int(server.tables.params[0][limit.field]) == number == shown[limit.field]


@pytest.mark.parametrize("place", range(len(CLIENT)))
def test_each_limit_of_a_client(server: DayServer, place: int) -> None:
    limit = CLIENT[place]
    for value in ("1000", "7", None):
        change(server, client="client1", limit=limit.name, value=value)
        number = int(value or 0) * limit.scale
        assert limit_of(server, "client1", limit.field) == number
        assert limit_of(server, "client3", limit.field) == 5_000 * E6 * (place == 0)


def change(server: DayServer, **fields: Any) -> dict[str, Any]:
    """Made, by two people where two are needed."""
    answer = asking(server)("set", **fields)
    if "pending" in answer:
        answer = asking(server)("approve", "bob", id=answer["pending"]["id"])
    done: dict[str, Any] = answer["set"]
    return done


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DayServer]:
    """One where two people loosen a limit."""
    folder = tmp_path_factory.mktemp("limits") / "si"
    template.write(folder)
    with serving(configure(folder, risk={"approvals": 2})) as made:
        yield made


BAD: list[tuple[dict[str, Any], str]] = [
    ({"firm": True, "limit": "net", "value": 1}, "limit 'net' is none of loss_max_eur, instr"),
    ({"client": "x", "limit": "fills_max", "value": 1}, "client 'x' is none of client1, client2"),
    ({"client": ["x"], "limit": "fills_max", "value": 1}, "is none of client1, client2"),
    ({"tier": 5, "limit": "fills_max", "value": 1}, "tier 5 is none of 0, 1"),
    ({"tier": 1, "limit": "net_max_eur", "value": 1}, "'net_max_eur' is none of order_max_eur,"),
    ({"limit": "fills_max", "value": 1}, "name one of firm, client, tier"),
    ({"firm": 1, "tier": 1, "limit": "fills_max", "value": 1}, "name one of firm, client, tier"),
    ({"firm": True, "limit": "net_max_eur"}, "'value'"),
    ({"firm": True, "limit": "net_max_eur", "value": "-1"}, "net_max_eur '-1': Input should be gr"),
    ({"firm": True, "limit": "net_max_eur", "value": "2e12"}, "than or equal to 1000000000000"),
    ({"firm": True, "limit": "net_max_eur", "value": "1e-7"}, "less than a millionth: write none"),
    ({"firm": True, "limit": "net_max_eur", "value": "nan"}, "net_max_eur 'nan': Input should be"),
    ({"firm": True, "limit": "repeat_max", "value": "17"}, "repeat_max '17': Input should be less"),
    ({"firm": True, "limit": "repeat_max", "value": "1.5"}, "repeat_max '1.5': Input should be a"),
    (
        {"tier": 1, "limit": "fills_max", "value": 2**63},
        "less than or equal to 9223372036854775807",
    ),
    (
        {"tier": 1, "limit": "orders_per_second", "value": 1_000_001},
        "less than or equal to 1000000",
    ),
    ({"tier": 1, "limit": "order_max_eur", "value": 900_000}, "order_max_eur is 900000 already"),
    ({"client": "client4", "limit": "fills_max", "value": None}, "fills_max is none already"),
    ({"client": "client4", "limit": "fills_max", "value": 1, "by": ""}, "by '': write a name of 1"),
]


@pytest.mark.parametrize(("fields", "said"), BAD)
def test_what_cannot_be_is_refused_by_name(
    server: DayServer, fields: dict[str, Any], said: str
) -> None:
    state = state_hash(server.tables)
    with pytest.raises(UserError) as caught:
        asking(server)("set", **fields)
    assert said in str(caught.value)
    assert state_hash(server.tables) == state and not server.control.risk_changes.pending


def test_requests_that_there_are_not(server: DayServer) -> None:
    with pytest.raises(UserError, match="'sell' is none of changes, set, approve, refuse"):
        asking(server)("sell")
    with pytest.raises(
        UserError, match="no change 999 waits for approval: `si risk changes` shows"
    ):
        asking(server)("approve", id=999)


# Who may


def test_one_loosens_another_approves_and_anybody_tightens(server: DayServer) -> None:
    ask, client = asking(server), {"client": "client3", "limit": "day_max_eur"}
    done = ask("set", **client, value=1_000)["set"]
    assert (done["old"], done["new"], done["by"], done["approved_by"]) == (
        None, "1000", "anna", "",
    )  # fmt: skip
    waits = ask("set", **client, value="2e3")["pending"]
    number = waits.pop("id")
    assert number == done["id"] + 1
    assert waits == {
        "scope": "client", "subject": "client3", "limit": "day_max_eur", "old": "1000",
        "new": "2000", "by": "anna",
    }  # fmt: skip
    for by in ("anna", " ANNA "):
        with pytest.raises(UserError, match=f"for change {number}: somebody else must approve it"):
            ask("approve", by, id=number)
    assert limit_of(server, "client3", "day_max_eur_e6") == 1_000 * E6
    assert ask("set", "anna", **client, value=500)["set"]["state"] == "holds"  # while one waits
    with pytest.raises(UserError, match=r"is 500 now, it was 1000 when anna asked: refuse change"):
        ask("approve", "bob", id=number)
    ask("refuse", "bob", id=number)
    number = ask("set", "anna", **client, value="2e3")["pending"]["id"]
    done = ask("approve", "bob", id=number)["set"]
    assert (done["old"], done["by"], done["approved_by"]) == ("500", "anna", "bob")
    assert limit_of(server, "client3", "day_max_eur_e6") == 2_000 * E6
    none = ask("set", **client, value=None)["pending"]["id"]
    assert ask("refuse", "anna", id=none)["refused"]["new"] is None
    with pytest.raises(UserError, match=f"no change {none} waits"):
        ask("approve", "bob", id=none)
    assert limit_of(server, "client3", "day_max_eur_e6") == 2_000 * E6
    told = [row for row in ask("changes")["changes"] if row["subject"] == "client3"]
    assert [(row["new"], row["state"]) for row in told if row["limit"] == "day_max_eur"] == [
        ("1000", "replaced"), ("500", "replaced"), ("2000", "holds"),
    ]  # fmt: skip


def test_a_tier_is_the_same_however_json_says_it(server: DayServer) -> None:
    """2.0 is tier 2: what loosens it waits, what tightens it is in force."""
    ask, tier = asking(server), {"tier": 1, "limit": "fills_max"}
    ask("set", **tier, value=70)
    assert "pending" in ask("set", **tier | {"tier": 1.0}, value=80)
    done = ask("set", **tier | {"tier": 1.0}, value=60)
    assert done["clients"] > 0 and done["set"]["old"] == "70"
    server.control.risk_changes.pending.clear()


@pytest.mark.parametrize("by", ["si.toml", "Engine", ""])
def test_nobody_changes_nothing(server: DayServer, by: str) -> None:
    with pytest.raises(UserError, match=r"^by "):
        asking(server)("set", by, tier=1, limit="fills_max", value=1)


def test_only_so_many_wait(server: DayServer) -> None:
    ask, asked = asking(server), {"client": "client1", "limit": "order_max_eur", "value": None}
    if limit_of(server, "client1") == 0:
        change(server, **asked | {"value": 1_000})
    for _ in range(PENDING_MAX):
        last = ask("set", **asked)["pending"]["id"]
    with pytest.raises(UserError, match="64 changes wait already"):
        ask("set", **asked)
    ask("approve", "bob", id=last)
    with pytest.raises(UserError, match="order_max_eur is none now, it was 1000 when anna asked"):
        ask("approve", "bob", id=last - 1)
    assert last - 1 in server.control.risk_changes.pending
    server.control.risk_changes.pending.clear()


# From which order on, and for how long


def test_it_holds_from_the_next_order_on(folder: Path) -> None:
    """Between two orders; a replay of the journal gives all of it again."""
    with serving(folder) as server, structlog.testing.capture_logs() as logs:
        ask, client = asking(server), {"client": "client1", "limit": "order_max_eur"}
        assert order(server, "A1") == Reason.NONE
        done = ask("set", **client, value="3444.49")
        assert done["set"]["state"] == "holds" and done["clients"] == 1
        assert order(server, "A2") == Reason.CLIENT_ORDER_LIMIT
        assert server.outbox.executions[0]["reason_limit"] == 3_444_490_000
        ask("set", "bob", **client, value=None)
        assert order(server, "A3") == Reason.NONE
        ask("set", firm=True, limit="undue_orders_per_second", value=1)
        assert order(server, "A4", session=1) == Reason.NONE
        assert order(server, "A5") == Reason.UNDUE_FILLS
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state
    assert states(folder) == [(1, "replaced"), (2, "holds"), (3, "holds")]
    told = [line for line in logs if line["event"] == "limit set"]
    assert [(line["old"], line["new"], line["by"], line["approved_by"]) for line in told] == [
        ("10000000", "3444.49", "anna", ""), ("3444.49", None, "bob", ""), (None, "1", "anna", ""),
    ]  # fmt: skip


def test_a_tier_is_its_clients_without_a_limit_of_their_own(folder: Path) -> None:
    with serving(folder) as server:
        ask, tier = asking(server), {"tier": 1, "limit": "order_max_eur"}
        assert ask("set", client="client4", limit="order_max_eur", value=70)["clients"] == 1
        done = ask("set", **tier, value=3_000)
        assert (done["set"]["old"], done["clients"]) == ("900000", 1)
        names = [f"client{number}" for number in (1, 2, 3, 4)]
        limits = [limit_of(server, name) // E6 for name in names]
        assert limits == [10_000_000, 3_000, 5_000, 70]
        assert order(server, "A1", session=1) == Reason.CLIENT_ORDER_LIMIT
        assert ask("set", **tier, value=None)["set"]["old"] == "3000"
        assert limit_of(server, "client2") == 0
        ask("set", **tier, value=4_000)
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state
    with serving(folder) as server:
        limits = [limit_of(server, name) // E6 for name in names]
        assert limits == [10_000_000, 4_000, 5_000, 70]
    joined = [*CLIENTS[:2], {"name": "client3", "tier": 1}, {"name": "client4"}, {"name": "new",
              "tier": 1}]  # fmt: skip
    with serving(configure(folder, clients=joined)) as server:
        limits = [limit_of(server, name) // E6 for name in [*names, "new"]]
        assert limits == [10_000_000, 4_000, 4_000, 0, 4_000]  # client4's was said anew: none


def test_a_restart_keeps_it_until_the_file_says_otherwise_of_this_limit(folder: Path) -> None:
    client, firm = {"client": "client1", "limit": "order_max_eur"}, {"firm": True}
    with serving(folder) as server:
        ask = asking(server)
        ask("set", **client, value=3_000)
        ask("set", **firm, limit="gross_max_eur", value="2e7")
    with serving(folder) as server, structlog.testing.capture_logs():
        assert order(server, "B1") == Reason.CLIENT_ORDER_LIMIT
        assert int(server.tables.params[0]["gross_max_eur_e6"]) == 20_000_000 * E6
        assert asking(server)("set", **client, value=2_000)["set"]["id"] == 3
    changed = [CLIENTS[0] | {"order_max_eur": 4_000, "fills_max": 9}, *CLIENTS[1:]]
    with (
        structlog.testing.capture_logs() as logs,
        serving(configure(folder, clients=changed)) as server,
    ):
        assert limit_of(server, "client1") == 4_000 * E6
        assert int(server.tables.params[0]["gross_max_eur_e6"]) == 20_000_000 * E6
    told = {(line["event"], line["id"]) for line in logs if "limit" in line}
    assert told == {
        ("limit dropped: si.toml has changed", 3),
        ("limit as changed while running", 2),
    }
    assert states(folder) == [(1, "dropped"), (2, "holds"), (3, "dropped")]
    with serving(configure(folder, clients=CLIENTS)) as server:  # what was dropped stays so
        assert limit_of(server, "client1") == 10_000_000 * E6
    sessions = [{"sender_comp_id": "SI", "target_comp_id": "CLIENT1", "client": "client2"}]
    gone = configure(folder, clients=CLIENTS[1:], fix={"sessions": sessions})
    with serving(gone) as server:
        assert limit_of(server, "client1") == 10_000_000 * E6  # nobody's: its row stays
        state = state_hash(server.tables)
    assert replay.verify(folder / "journal", None)["state_hash"] == state


def test_a_start_that_was_killed_half_way_is_done_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is in the journal, the client's row is not: it holds all the same."""
    with serving(folder) as server:
        monkeypatch.setattr(risk_changes.RiskChanges, "_put", lambda *_: 0)
        asking(server)("set", client="client1", limit="order_max_eur", value=3_000)
        assert limit_of(server, "client1") == 10_000_000 * E6
    with serving(folder) as server:
        assert limit_of(server, "client1") == 3_000 * E6


def test_a_journal_has_room_for_so_many(folder: Path) -> None:
    with serving(folder) as server:
        rows, asked = server.tables.limit_changes, {"client": "client1", "limit": "fills_max"}
        rows["number"] = range(1, len(rows) + 1)
        rows["number"][-1] = 0
        assert asking(server)("set", **asked, value=5)["set"]["id"] == len(rows)
        with pytest.raises(UserError, match="1024 limits were changed in this journal, it has no"):
            asking(server)("set", **asked, value=4)
        assert len(json.dumps(asking(server)("changes"))) < control.REQUEST_SIZE_MAX
        assert limit_of(server, "client1", "fills_max") == 5


def test_an_audit_reads_past_it(folder: Path) -> None:
    """Rows of the policy's rules and of changed limits are no part of a recount."""
    with serving(folder) as server:
        asking(server)("set", client="client1", limit="order_max_eur", value=3_000)
        server.policy_rules.receive({"policy": "set", "tier": 1, "param": [2], "by": "anna"})
        assert order(server, "A1") == Reason.CLIENT_ORDER_LIMIT
    day = datetime.fromtimestamp(NOW_NS // 10**9, UTC).date()
    found = recount_day(folder, day, 100, NOW_NS + 10**9)
    assert int(found.book.clients[0]["order_max_eur_e6"]) == 3_000 * E6
    assert int(found.book.run[0]["orders"]) == 1


# The command line


@pytest.fixture(name="run")
def _run(server: DayServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`si risk`, its requests given to this server as the desk's socket would."""

    def ask(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in request.items() if name != "risk"}
        return asking(server)(request["risk"], **fields)

    monkeypatch.setattr(control, "ask", ask)

    def run(*words: object) -> Any:
        done = CliRunner().invoke(app, ["risk", *map(str, words)], env={"COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return run


def said(done: Any) -> Any:
    """The JSON document behind what this process has logged."""
    return json.loads(done.stdout.splitlines()[-1])


def test_the_command_line(server: DayServer, run: Callable[..., Any]) -> None:
    tier = ("set", "DIR", "--tier", 1, "--limit", "credit_eur")
    done = run(*tier, "--value", "5000.5", "--by", "anna").stdout
    assert "tier 1: credit_eur none -> 5000.5, 3 clients" in done
    waits = run(*tier, "--value", "None", "--by", "anna").stdout
    [pending] = said(run("changes", "DIR", "--json"))["pending"]
    number = pending["id"]
    assert f"si risk approve DIR {number}" in waits and pending["new"] is None
    shown = run("changes", "DIR").stdout
    for words in ("waits for approval", "credit_eur", "5000.5", "UTC", "holds", "anna"):
        assert words in shown
    assert run("approve", "DIR", number, "--by", "anna").exit_code == 1
    done = run("approve", "DIR", number, "--by", "bob").stdout
    assert "credit_eur 5000.5 -> none" in done and "write it into si.toml" in done
    firm = ("set", "DIR", "--firm", "--limit", "net_max_eur", "--value")
    assert said(run(*firm, 9, "--by", "anna", "--json"))["set"]["new"] == "9"
    asked = said(run(*firm, 10, "--by", "anna", "--json"))["pending"]
    assert "will not happen" in run("refuse", "DIR", asked["id"], "--by", "anna").stdout
    for words in ((), ("--firm", "--tier", 1)):
        assert run("set", "DIR", "--limit", "x", "--value", 1, *words).exit_code == 2
    journal = server.config.directory
    found = said(run("changes", journal, "--journal", "--json"))["changes"]
    assert found == said(run("changes", "DIR", "--json"))["changes"]
    assert found[-1]["scope"] == "firm" and found[-1]["new"] == "9"
    text = run("changes", journal, "--journal").stdout
    assert "changed" in text and "waits" not in text
