"""A day by hand: a server without sockets, and a copy of what its policy is given at each price."""

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine import jit, schema
from engine.enums import DeskAction, Side, Tif
from gateway import config as configuration
from gateway import explain_quotes, recorder, requests, template
from gateway.config import CONFIG_FILE
from gateway.explain_inputs import Inputs, Pricing
from gateway.sim_day import DayServer
from gateway.sim_day_orders import Order
from gateway.wire import CONNECTIONS_MAX
from tests.firm import venue_quote
from tests.test_oracle import to_record
from tests.venue import toml

ISIN, TO_DESK = "DEZZ00000056", 200  # of the sample: SMS 19,000, LIS 650,000 EUR; it trades at 345
NOW_NS = 1_780_909_200 * 10**9  # 8 June 2026, 9:00 UTC
MS, SECOND = 10**6, 10**9
SMALL = {"orders_max": 1_024, "instruments_max": 1_024, "desk_items_max": 64}


def folder_of(folder: Path, **sections: Any) -> Path:
    """A configuration of few instruments; client1 is of tier 3."""
    template.write(folder)
    path = folder / "instruments.csv"
    note, head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([note, head, *(row for row in rows if row.startswith(ISIN))]) + "\n")
    clients = [{"name": "client1", "tier": 3}, {"name": "client2"}]
    quoting = {"stale_ms": 86_400_000}
    configure(folder, engine=SMALL, clients=clients, quoting=quoting)
    configure(folder, **sections)
    return folder


def configure(folder: Path, **sections: Any) -> None:
    """Settings on top of those in the file."""
    path = folder / CONFIG_FILE
    tree = tomllib.loads(path.read_text())
    for name, section in sections.items():
        tree[name] = tree.get(name, {}) | section if isinstance(section, dict) else section
    path.write_text(toml(tree))


class Day:
    """One process of the engine; `taken` has the bytes of what its policy was given, in turn."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, now_ns: int = NOW_NS) -> None:
        self.folder, self.taken = folder, list[bytes]()
        self.server = DayServer(configuration.load(folder), now_ns)
        self.server.recover()
        self.server.load()
        self.server.log_on_all(self.server.names())
        if not jit.JIT:
            self._listen(patch)

    def _listen(self, patch: pytest.MonkeyPatch) -> None:
        address = self.server.policy.address
        improve = jit.INTERPRETED_POLICIES[address]

        def listening(inputs: Any) -> int:
            self.taken.append(inputs.tobytes())
            return improve(inputs)

        patch.setitem(jit.INTERPRETED_POLICIES, address, listening)

    def _note(self) -> None:
        """Compiled nobody can listen in: the record as it stands after the input."""
        if jit.JIT:
            self.taken.append(self.server.tables.policy_input[0].tobytes())

    @property
    def all(self) -> tuple[Any, ...]:
        server = self.server
        return server.tables, server.outbox, server.wire, server.journal

    def wait(self, ns: int) -> None:
        self.server.clock_ns += ns
        recorder.on_timer(*self.all, self.server.clock_ns)

    def market(self, bid: int, ask: int) -> None:
        """In whole euros."""
        fields = venue_quote(bid * 10**6, ask * 10**6) | {"isin": ISIN}
        data = np.frombuffer(to_record(schema.venue_quote, fields).tobytes(), np.uint8)
        self.server.clock_ns += MS
        self.server.wire.datagram[: data.size] = data
        recorder.on_feed(*self.all, data.size, self.server.clock_ns)

    def order(self, clordid: str, side: int = 1, qty: int = 10, client: int = 1) -> None:
        server = self.server
        server.clock_ns += MS
        made = Order(server.clock_ns, client - 1, ISIN, Side(side), qty, "", Tif.DAY)
        server.receive(client - 1, server.write(client - 1, "D", made.fields(clordid)))
        self._note()

    def take_quote(self, clordid: str, ref: str, qty: int = 10) -> None:
        """Buy at a quote on request."""
        server = self.server
        server.clock_ns += MS
        made = Order(server.clock_ns, 0, ISIN, Side.BUY, qty, "", Tif.DAY).fields(clordid)
        fields = [(tag, "D" if tag == 40 else value) for tag, value in made]
        server.receive(0, server.write(0, "D", [*fields, (117, ref)]))

    def request(self, req: str, side: int | None = None, qty: int = 10) -> None:
        """A QuoteRequest(R), of both sides where none is named."""
        server, wire = self.server, self.server.wire
        server.clock_ns += MS
        fields = [(131, req), (146, 1), (55, ISIN), (48, ISIN), (22, 4), (54, side), (38, qty)]
        raw = server.write(0, "R", [(tag, value) for tag, value in fields if value is not None])
        wire.rx[CONNECTIONS_MAX, : len(raw)] = np.frombuffer(raw, np.uint8)
        wire.connections[CONNECTIONS_MAX]["session"] = 0
        done = requests.on_request(
            *self.all, CONNECTIONS_MAX, len(raw), server.clock_ns, server.policy.address
        )
        assert done == requests.DONE
        server.forget_sent(0)
        self._note()

    def desk(self, action: DeskAction, item: int, px_e6: int = 0) -> None:
        fields = {"command_id": 1, "action": action, "item_id": item, "trader": "ann"}
        self.server.command(to_record(schema.desk_command, fields | {"px_e6": px_e6}))
        assert self.server.outbox.desk_results[0]["reason"] == 0

    def rule(self, **asked: Any) -> Any:
        """A request about rules, as the desk's socket brings it."""
        return self.server.policy_rules.receive(asked)


def pricings(inputs: Inputs, name: str) -> list[Pricing]:
    """Every price of an order or of a quote."""
    found = explain_quotes.find_frames(inputs.directory / "journal", name)
    assert found, name
    return [pricing for each in found for pricing in inputs.of(each)]


def picked(pricing: Pricing, *names: str) -> SimpleNamespace:
    """Some of what the policy was given, as numbers and lists."""
    return SimpleNamespace(**{name: pricing.inputs[name].tolist() for name in names})
