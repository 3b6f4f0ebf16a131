"""`[risk]`, `[[tiers]]` and clients' limits: from the file to the engine's rows, and to people."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine import schema, tables
from engine.enums import KillScope
from engine.limits import Capacity
from gateway import config as configuration
from gateway import control, pools, risk_view, template, world
from gateway.cli import app
from gateway.config import Config, ConfigError
from gateway.risk_config import Limits, limits_of

pytestmark = pytest.mark.pure

E6 = 10**6
RISK = """
[risk]
loss_max_eur = 250_000.5
instrument_loss_max_eur = 10_000
gross_max_eur = 5_000_000
net_max_eur = 2_000_000
repeat_max = 5
repeat_window_ms = 1_500
undue_orders_per_second = 200
undue_notional_eur_per_second = 3_000_000
"""
TIERS = """
[[tiers]]
tier = 1
name = "professional"
criteria = "Professional clients with a clearing agreement."
order_max_eur = 500_000
fills_max = 300
orders_per_second = 50

[[tiers]]
tier = 0
name = "all"
criteria = "Everybody [else]."
credit_eur = 100_000
"""
CLIENTS = """
[[clients]]
name = "own"
tier = 1
order_max_eur = 7
fills_max = 0

[[clients]]
name = "shared"
tier = 1

[[clients]]
name = "plain"
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A folder of `si init` whose clients are those of CLIENTS too."""
    template.write(tmp_path)
    return tmp_path


def add(folder: Path, text: str) -> Config:
    path = folder / "si.toml"
    path.write_text(path.read_text() + text)
    return configuration.load(folder)


class Server:
    """As much of one as `world` needs, without a journal."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tables = tables.allocate(Capacity(8, 16, 1, 1, 1, repeats=1))
        self.policy = SimpleNamespace(source_hash=77)

    def put_row(self, table_id: int, index: int, row: Any, now_ns: int) -> None:
        tables.set_row(self.tables, table_id, index, row)


def loaded(config: Config) -> Any:
    server: Any = Server(config)
    world._put_params(server, 0, 1)
    pools.configure(server, 1)
    world._put_clients(server, 1)
    return server.tables


def test_the_file_becomes_rows(folder: Path) -> None:
    made = loaded(add(folder, RISK + TIERS + CLIENTS))
    names = (
        "loss_max_eur_e6 instrument_loss_max_eur_e6 gross_max_eur_e6 net_max_eur_e6 repeat_max "
        "repeat_window_ns undue_fills_max undue_max_eur_e6"
    ).split()
    assert [int(made.params[0][name]) for name in names] == [
        250_000_500_000, 10_000 * E6, 5_000_000 * E6, 2_000_000 * E6, 5,
        1_500_000_000, 200, 3_000_000 * E6,
    ]  # fmt: skip
    rows = {
        schema.unpack([row["name"]]): [int(row[name]) for name in row.dtype.names[1:]]
        for row in made.clients[: int(made.counters[0]["clients"])]
    }
    assert made.clients.dtype.names[1:] == (
        "order_max_eur_e6", "day_max_eur_e6", "fills_max", "orders_per_second",
        "credit_max_eur_e6", "tier", "pool",
    )  # fmt: skip
    assert rows["own"] == [7 * E6, 0, 0, 50, 0, 1, 0]  # its own 0 is none, whatever the tier says
    assert rows["shared"] == [500_000 * E6, 0, 300, 50, 0, 1, 0]
    assert rows["plain"] == [0, 0, 0, 0, 100_000 * E6, 0, 0]


def test_without_any_of_it_nothing_is_limited(folder: Path) -> None:
    config = configuration.load(folder)
    made = loaded(config)
    assert int(made.params[0]["loss_max_eur_e6"]) == int(made.params[0]["repeat_max"]) == 0
    none = Decimal(0)
    expected = Limits(Decimal(1_000_000), none, 0, 0, none)
    assert limits_of(config.clients[1], 0, config.tiers) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n[risk]\nloss_max_eur = -1\n", "risk.loss_max_eur"),
        ("\n[risk]\nloss_max_eur = 1_000_000_000_001\n", "risk.loss_max_eur"),
        ("\n[risk]\nloss_max = 1\n", "no such setting"),
        ("\n[risk]\nrepeat_max = 17\n", "less than or equal to 16"),
        ("\n[risk]\nrepeat_window_ms = 0\n", "risk.repeat_window_ms"),
        ("\n[risk]\nundue_orders_per_second = 1.5\n", "risk.undue_orders_per_second"),
        ('\n[[clients]]\nname = "x"\ntier = 8\n', "less than 8"),
        ('\n[[clients]]\nname = "x"\norders_per_second = -2\n', "orders_per_second"),
        ('\n[[tiers]]\ntier = 0\nname = "x"\n', "criteria"),
        ('\n[[tiers]]\ntier = 0\nname = ""\ncriteria = "y"\n', "name"),
        (TIERS + '\n[[tiers]]\ntier = 1\nname = "z"\ncriteria = "y"\n', "tier 1 is there twice"),
        (TIERS + '\n[[tiers]]\ntier = 2\nname = "all"\ncriteria = "y"\n', "'all' is there twice"),
        (TIERS + '\n[[clients]]\nname = "x"\ntier = 5\n', "tier 5, which is none of 0, 1: add"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"si\.toml") as caught:
        add(folder, text)
    assert said in str(caught.value)


def test_tiers_can_be_published(folder: Path) -> None:
    """By number, with criteria and limits; no client is named."""
    done = CliRunner().invoke(app, ["risk", "tiers", str(folder)])
    assert done.exit_code == 0 and "add [[tiers]]" in done.stdout
    add(folder, TIERS + CLIENTS)
    found = json.loads(CliRunner().invoke(app, ["risk", "tiers", str(folder), "--json"]).stdout)
    assert [tier["tier"] for tier in found["tiers"]] == [0, 1]
    assert found["tiers"][1]["criteria"].startswith("Professional")
    assert found["tiers"][1]["limits"] == {
        "order_max_eur": "500000", "day_max_eur": None, "fills_max": "300",
        "orders_per_second": "50", "credit_eur": None,
    }  # fmt: skip
    text = CliRunner().invoke(app, ["risk", "tiers", str(folder)], env={"COLUMNS": "120"}).stdout
    assert "professional" in text and "order_max_eur 500000" in text
    assert "Everybody [else]." in text
    assert "shared" not in text + json.dumps(found)


# A running engine


def state() -> tables.Tables:
    made = tables.allocate(Capacity(256, 4, 1, 1, 1, repeats=1))
    made.counters[0]["instruments"], made.counters[0]["clients"] = 150, 2
    made.clients["name"][:2] = [schema.pack("client1"), schema.pack("client2")]
    for row in range(130):
        made.instruments[row]["isin"] = schema.pack(f"XS{row:010}", 2)
        made.instruments[row]["currency"] = schema.pack("GBX")
        position = made.positions[row]
        position["qty"], position["mark_px_x2_e6"] = 3 - row, 40_000_001
        position["cash_e6"], position["fills"] = 5 * E6, 1
        position["value_eur_e6"] = (3 - row) * E6
    return made


def test_show_tells_pnl_and_stops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest positions first, as many as one datagram takes."""
    made = state()
    counters = made.counters[0]
    counters["pnl_eur_e6"], counters["gross_eur_e6"] = -1_234_500_000, 9 * E6
    counters["kill_firm"], counters["stops"] = 1, 2
    made.client_use[1]["killed"], made.positions[0]["killed"] = 1, 1
    made.pools["name"][:2] = [schema.pack(name, 2) for name in ("main", "retail")]
    counters["pools"], made.pools[1]["killed"] = 2, 1
    made.params[0]["loss_max_eur_e6"] = 1_000 * E6
    found = risk_view.view(made)
    assert len(json.dumps({"risk": found})) < control.REQUEST_SIZE_MAX
    assert found["positions_in_all"] == 130 and len(found["positions"]) == risk_view.ROWS_MAX
    assert found["positions"][0]["isin"] == "XS0000000129"
    assert found["positions"][0]["pnl_e6"] == 5 * E6 - 126 * 40_000_001 // 2
    assert found["stopped_clients"] == ["client2"]
    assert found["pools"] == {"main": False, "retail": True}
    monkeypatch.setattr(control, "ask", lambda *_: json.loads(json.dumps({"risk": found})))
    command = ["risk", "show", str(folder)]
    assert json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout) == found
    text = CliRunner().invoke(app, command, env={"COLUMNS": "120"}).stdout
    for words in ("-1,234.50", "-1,000.00", "20.0000005", "and 30 smaller ones", "si desk resume",
                  "stopped pools: retail"):  # fmt: skip
        assert words in text


def test_show_without_an_engine_says_what_to_do(folder: Path) -> None:
    done = CliRunner().invoke(app, ["risk", "show", str(folder)])
    assert done.exit_code == 1 and "is `si serve` running?" in done.output


def test_subscribers_learn_of_a_stop_that_nobody_asked_for() -> None:
    made = state()
    told: list[tuple[int, int]] = []
    subscriptions = SimpleNamespace(on_kill_switch=lambda *what: told.append(what))
    server: Any = SimpleNamespace(tables=made, subscriptions=subscriptions)
    made.counters[0]["stops"] = 7  # before this process
    stops = risk_view.Stops(server)
    stops.tick()
    assert told == []
    made.positions[5]["killed"] = made.positions[9]["killed"] = 1
    made.counters[0]["stops"] = 9
    stops.tick()
    assert told == [(KillScope.INSTRUMENT, 5), (KillScope.INSTRUMENT, 9)]
    made.counters[0]["kill_firm"], made.counters[0]["stops"] = 1, 10
    told.clear()
    stops.tick()
    stops.tick()
    assert told[-1] == (KillScope.FIRM, 0) and len(told) == 3


def test_a_request_for_it_is_answered() -> None:
    made, answers = state(), list[Any]()
    control.Control(SimpleNamespace(tables=made)).receive(b'{"risk": true}', answers.append)  # type: ignore[arg-type]
    assert answers == [{"risk": risk_view.view(made)}]
    assert np.count_nonzero([row["stopped"] for row in answers[0]["risk"]["positions"]]) == 0
