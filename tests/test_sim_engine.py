"""The certification pack against the engine itself, as a client desk would run it."""

from pathlib import Path

import pytest

from gateway import sim_certify
from gateway.sim_certify import Outcome
from gateway.sim_trial import Terms
from gateway.sim_wire import Account
from tests.session_rig import ASK, BID, ISIN, LIS_QTY
from tests.venue import running, sample

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


def test_the_engine_passes_its_own_certification(tmp_path: Path) -> None:
    with running(sample(tmp_path / "si")) as engine:
        engine.quote(ISIN, BID, ASK)
        account = Account("127.0.0.1", engine.fix_port, "CLIENT1", "SI")
        terms = Terms(ISIN, 10, LIS_QTY)
        pack = sim_certify.run(account, terms, sim_certify.CASES)
    failed = {r.case.id: r.reason for r in pack.results if r.outcome is Outcome.FAIL}
    assert not failed
    assert pack.count(Outcome.PASS) >= 30
    engine.verify()
