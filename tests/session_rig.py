"""One engine with a session for every test, and what most tests of sessions do."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fix_peer import Client, Fields, order
from tests.venue import Engine, running, sample

ISIN, LIS_QTY = "DEZZ00000056", 2_000  # of the sample: SMS 19,000, LIS 650,000 EUR
BID, ASK = "344.40", "344.50"
SESSIONS = [f"T{number:02}" for number in range(90)]
New = Callable[..., Client]

CLORDIDS = (f"ord-{number}" for number in itertools.count())


@contextlib.contextmanager
def engine_of_sessions(folder: Path) -> Iterator[Engine]:
    """A running engine with a market; in the end its journal must replay."""
    sessions = [
        {"sender_comp_id": "SI", "target_comp_id": name, "client": "client1"} for name in SESSIONS
    ]
    with running(sample(folder, fix={"port": 0, "sessions": sessions})) as engine:
        engine.quote(ISIN, BID, ASK)
        yield engine
    engine.verify()


@contextlib.contextmanager
def new_clients(engine: Engine, names: Iterator[str]) -> Iterator[New]:
    """Makes clients of fresh sessions, closed at the end."""
    made: list[Client] = []

    def make(kind: type[Client] = Client, heartbeat: object = 30) -> Client:
        made.append(kind(engine, next(names), heartbeat))
        return made[-1]

    yield make
    for client in made:
        client.close()


def filled(client: Client, clordid: str) -> Fields:
    """The report of a fill."""
    report = client.expect("8", t11=clordid, t150="F", t39="2")
    assert report[37] and report[17]
    return report


def trade(client: Client) -> Fields:
    """One order, its fill."""
    clordid = next(CLORDIDS)
    client.send("D", order(clordid, ISIN, 10))
    return filled(client, clordid)
