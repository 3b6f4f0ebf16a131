"""A client of one version of FIX, for the session-layer test cases."""

import itertools
from datetime import UTC, datetime, timedelta

from tests.fix_peer import Client, Fields, Terms, order
from tests.session_rig import ISIN
from tests.venue import Engine

VERSIONS = ("FIX.4.2", "FIX.4.4", "FIXT.1.1")
CLORDIDS = (f"acc-{number}" for number in itertools.count())


class Peer(Client):
    """A client of one version."""

    def __init__(self, engine: Engine, comp_id: str, begin: str, heartbeat: object = 30) -> None:
        super().__init__(engine, comp_id, heartbeat)
        self.begin = begin

    def message(
        self, msg_type: str, fields: Terms = (), *, seq: object = None, **header: object
    ) -> bytes:
        return super().message(msg_type, fields, seq=seq, **({"t8": self.begin} | header))

    def logon(self, *fields: tuple[int, object], **header: object) -> Fields:
        version = [(1137, 9)] if self.begin == "FIXT.1.1" else []
        return super().logon(*version, *fields, **header)

    def order(self, **more: object) -> list[tuple[int, object]]:
        return order(next(CLORDIDS), ISIN, 10, **({"t21": 1} | more))

    def trade(self) -> Fields:
        self.send("D", self.order())
        return self.expect("8", t39=2)

    def answers(self, number: object) -> None:
        """The session goes on: a TestRequest is answered."""
        self.send("1", [(112, number)])
        self.expect("0", t112=number)

    def goodbye(self) -> Fields:
        """A Logout, then the end of the connection."""
        got = self.expect("5")
        self.closed()
        return got


def shifted(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y%m%d-%H:%M:%S")
