"""A loss on a running engine: trading stops by itself, people and subscribers learn of it."""

import json
from pathlib import Path

import pytest

from tests.fix_peer import Client, Fields, order
from tests.session_rig import ISIN
from tests.venue import running, sample, si

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


def test_a_loss_stops_a_running_engine(tmp_path: Path) -> None:
    """Ten shares sold at about 200, then the market is at 230: 300 EUR lost, 100 allowed."""
    folder = sample(tmp_path / "si", risk={"loss_max_eur": 100})
    settings = folder / "si.toml"
    told = f"target_comp_id = 'CLIENT1'\nquotes = 'quote'\nquote_instruments = ['{ISIN}']"
    settings.write_text(settings.read_text().replace("target_comp_id = 'CLIENT1'", told))
    with running(folder) as engine:
        engine.quote(ISIN, "199.90", "200.10")
        client = Client(engine)
        client.logon((141, "Y"))
        client.expect("S")
        client.send("D", order("A1", ISIN, 10))
        client.expect("8", t11="A1", t39=2)
        engine.quote(ISIN, "229.90", "230.10")
        client.send("D", order("A2", ISIN, 1))
        got: dict[str, Fields] = {}
        while "8" not in got or got.get("Z", {}).get(298) != "4":  # all quotes cancelled
            message = client.receive()  # this instrument's may be before
            got[message[35]] = message
        assert got["8"][39] == "8" and got["8"][58].startswith("SI-NOQUOTE-KILL")
        found = json.loads(si("risk", "show", folder, "--json").stdout)
        assert found["stopped"] and found["stops"] == 1
        assert -310_000_000 < found["pnl_eur_e6"] < -290_000_000
        assert found["positions"][0]["isin"] == ISIN and found["positions"][0]["qty"] == -10
        assert si("desk", "resume", folder).returncode == 0
        client.expect("S")
        client.send("D", order("A3", ISIN, 1))
        refused = client.expect("8", t11="A3", t39=8)
        assert refused[58] == "SI-LIMIT-FIRM over a risk limit of the firm"
        words = si("explain", folder, "A3").stdout
        assert "limit 100.00" in words and "the firm's loss in EUR" in words
        client.close()
    assert "stopped trading by itself" in engine.said()
    engine.verify()
