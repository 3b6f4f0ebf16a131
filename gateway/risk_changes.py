"""Limits that change while the engine runs: by one or two people, kept in the journal.

Requests on the desk's socket, `{"risk": VERB, "by": NAME, ...}`:

| verb | besides | |
|---|---|---|
| changes | | the newest of what was changed, and what waits for approval |
| set | `firm` true, `client` or `tier`; `limit`, `value` | as in si.toml; `value` null: no limit |
| approve, refuse | `id` | of a change that waits |

With `approvals = 2` a change that loosens a limit waits until somebody else approves it; one that
tightens it never does. What waits is in memory only: a restart forgets it. What was changed is in
the journal with both names, and holds until si.toml says otherwise of that limit than it did then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import structlog

from engine import journal as jn
from engine import schema, tables
from engine.enums import LimitScope
from engine.limits import LIMIT_CHANGES_MAX, Capacity
from gateway import journal_schema
from gateway.approvals import Answer, Requests, person
from gateway.errors import UserError
from gateway.journal_files import Reader
from gateway.risk_limits import CLIENT, FIRM, LIMITS, Limit, configured, parse

if TYPE_CHECKING:
    from gateway.config import Client
    from gateway.server import Server

SHOWN_MAX = 100  # changes in an answer, which is one datagram
SUBJECTS = {"firm": LimitScope.FIRM, "client": LimitScope.CLIENT, "tier": LimitScope.TIER}

log = structlog.get_logger()


class Key(NamedTuple):
    """Which limit of whom, as `limit_changes` has it."""

    scope: LimitScope
    subject: int
    place: int

    @property
    def limit(self) -> Limit:
        """Its name and unit."""
        return LIMITS[self.scope][self.place]

    def subject_in(self, clients: Any) -> str:
        """Whose it is, as si.toml says it; `clients` has their rows."""
        if self.scope == LimitScope.CLIENT:
            return schema.unpack([clients[self.subject]["name"]])
        return str(self.subject) if self.scope == LimitScope.TIER else ""

    def as_dict(self, clients: Any) -> Answer:
        """For an answer and for the log."""
        scope = self.scope.name.lower()
        return {"scope": scope, "subject": self.subject_in(clients), "limit": self.limit.name}


class Change(NamedTuple):
    """A change that was asked for; `old` and `new` in the row's unit, 0: no limit."""

    number: int
    key: Key
    old: int  # in force when it was asked for
    new: int
    by: str


# The table


def used(rows: Any) -> Any:
    """The changes of a journal; `rows` is its table of them."""
    return rows[: np.count_nonzero(rows["number"])]


def key_of(row: Any) -> Key:
    """Which limit a change is of."""
    return Key(LimitScope(int(row["scope"])), int(row["subject"]), int(row["limit"]))


def holding(rows: Any) -> dict[Key, Any]:
    """The newest change of each limit that si.toml has not spoken of since."""
    return {key_of(row): row for row in used(rows) if not row["dropped"]}


def into_params(held: dict[Key, Any], row: Any) -> None:
    """What was changed of the firm's limits, over si.toml's in a row of parameters."""
    for key, change in held.items():
        if key.scope == LimitScope.FIRM:
            row[FIRM[key.place].field] = change["new"]


def into_client(held: dict[Key, Any], client: Client, index: int, row: Any) -> None:
    """The same of a client; a tier's limits hold for one that has none of its own."""
    for place, limit in enumerate(CLIENT):
        change = held.get(Key(LimitScope.CLIENT, index, place))
        if change is None and getattr(client, limit.name) is None:
            change = held.get(Key(LimitScope.TIER, client.tier, place))
        if change is not None:
            row[limit.field] = change["new"]


def as_dict(row: Any, held: dict[Key, Any], clients: Any) -> Answer:
    """A change that was made; `state` says what became of it."""
    key = key_of(row)
    newest = key in held and int(held[key]["number"]) == int(row["number"])
    return {
        "id": int(row["number"]),
        "time_ns": int(row["ts_ns"]),
        **key.as_dict(clients),
        "old": key.limit.in_words(int(row["old"])),
        "new": key.limit.in_words(int(row["new"])),
        "by": schema.unpack(row["by"]),
        "approved_by": schema.unpack(row["approved_by"]),
        "state": "dropped" if row["dropped"] else "holds" if newest else "replaced",
    }


def read(journal: Path) -> list[Answer]:
    """Every change in a journal, oldest first; no engine need run. Raises UserError."""
    journal_schema.check(journal)
    rows = np.zeros(LIMIT_CHANGES_MAX, schema.limit_change)
    clients = np.zeros(Capacity().clients, schema.client)
    known = {tables.LIMIT_CHANGE: rows, tables.CLIENT: clients}
    for frame in Reader(journal, kinds=(jn.TABLE_ROW,)).poll():
        table_id, index = frame.body[:16].view("i8").tolist()
        if table_id in known:
            known[table_id][index] = frame.body[16:].view(schema.TABLE_DTYPES[table_id])[0]
    held = holding(rows)
    return [as_dict(row, held, clients) for row in used(rows)]


# At start


def configure(server: Server, now_ns: int) -> None:
    """Drop, for good, what was changed of limits of which si.toml says otherwise now.

    Comes before the parameters and the clients, into which goes what still holds.
    """
    rows, clients = server.tables.limit_changes, server.tables.clients
    before = holding(rows)
    for place, row in enumerate(used(rows)):
        key = key_of(row)
        said = configured(server.config, key.scope, key.subject_in(clients), key.place)
        if said != int(row["configured"]):
            fresh = row.copy()
            fresh["dropped"] = 1
            server.put_row(tables.LIMIT_CHANGE, place, fresh, now_ns)
    held = holding(rows)
    for row in before.values():
        if row["dropped"]:
            log.warning("limit dropped: si.toml has changed", **as_dict(row, held, clients))
        else:
            log.info("limit as changed while running", **as_dict(row, held, clients))


# While it runs


class RiskChanges(Requests[Change]):
    """The server's side: does requests, keeps what waits."""

    kind, shows, what = "risk", "changes", "limit"

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def _show(self, request: dict[str, Any]) -> Answer:
        table = self.server.tables
        rows, held = used(table.limit_changes), holding(table.limit_changes)
        return {
            "approvals": self.server.config.risk.approvals,
            "changes": [as_dict(row, held, table.clients) for row in rows[-SHOWN_MAX:]],
            "changes_in_all": len(rows),
            "pending": [self._as_dict(change) for change in self.pending.values()],
        }

    def _set(self, request: dict[str, Any]) -> Answer:
        change = self._read(request)
        old = self._to_change(change)
        if self.server.config.risk.approvals == 1 or not change.key.limit.loosens(old, change.new):
            return self._apply(change, "")
        return self._wait(change)

    def _check(self, change: Change) -> None:
        now = self._in_force(change.key)
        if now != change.old:  # perhaps somebody tightened it, for a reason
            before, words = (
                change.key.limit.in_words(each) or "none" for each in (change.old, now)
            )
            raise UserError(
                f"{change.key.limit.name} is {words} now, it was {before} when {change.by} asked: "
                f"refuse change {change.number} and ask again"
            )

    def _read(self, request: dict[str, Any]) -> Change:
        by = person(request)
        scope, subject = self._subject(request)
        place, new = parse(scope, request["limit"], request["value"])
        made = self.server.tables.limit_changes["number"].max()
        self.last = max(self.last, int(made)) + 1
        key = Key(scope, subject, place)
        return Change(self.last, key, self._in_force(key), new, by)

    def _subject(self, request: dict[str, Any]) -> tuple[LimitScope, int]:
        config = self.server.config
        named = [name for name in SUBJECTS if name in request]
        if len(named) != 1:
            raise UserError(f"name one of {', '.join(SUBJECTS)}")
        scope, subject = SUBJECTS[named[0]], request[named[0]]
        if scope == LimitScope.FIRM:
            return scope, 0
        known: list[Any] = [client.name for client in config.clients]
        if scope == LimitScope.TIER:
            tiers = {tier.tier for tier in config.tiers} | {one.tier for one in config.clients}
            known = sorted(tiers)
        if subject not in known:
            raise UserError(f"{named[0]} {subject!r} is none of {', '.join(map(str, known))}")
        subject = known[known.index(subject)]  # 2, where JSON said 2.0
        return scope, subject if scope == LimitScope.TIER else self.server.client_id(subject)

    def _in_force(self, key: Key) -> int:
        """What holds now, as the row has it."""
        table = self.server.tables
        if key.scope == LimitScope.FIRM:
            return int(table.params[0][key.limit.field])
        if key.scope == LimitScope.CLIENT:
            return int(table.clients[key.subject][key.limit.field])
        change = holding(table.limit_changes).get(key)
        if change is not None:
            return int(change["new"])
        return configured(self.server.config, key.scope, str(key.subject), key.place) or 0

    def _to_change(self, change: Change) -> int:
        """What holds before a change that can be made. Raises UserError."""
        old, rows = self._in_force(change.key), self.server.tables.limit_changes
        if change.new == old:
            words = change.key.limit.in_words(old) or "none"
            raise UserError(f"{change.key.limit.name} is {words} already: nothing was changed")
        if len(used(rows)) == len(rows):
            raise UserError(
                f"{len(rows)} limits were changed in this journal, it has no room for more: write "
                "them into si.toml and restart; a kill switch stops a client, or all, at once"
            )
        return old

    def _apply(self, change: Change, approved_by: str) -> Answer:
        """In the journal and in force, between two orders."""
        server, table = self.server, self.server.tables
        old, now_ns = self._to_change(change), server.now_ns()
        place = len(used(table.limit_changes))
        row = self._row(change, old, approved_by, now_ns)
        server.put_row(tables.LIMIT_CHANGE, place, row, now_ns)  # first: a restart does the rest
        clients = self._put(change.key, now_ns)
        done = as_dict(row, holding(table.limit_changes), table.clients)
        log.info("limit set", clients=clients, **done)
        return {"set": done, "clients": clients}

    def _row(self, change: Change, old: int, approved_by: str, now_ns: int) -> Any:
        key, clients = change.key, self.server.tables.clients
        row = np.zeros(1, schema.limit_change)[0]
        row["number"], row["ts_ns"] = change.number, now_ns
        row["scope"], row["subject"], row["limit"] = key
        row["old"], row["new"] = old, change.new
        row["configured"] = configured(
            self.server.config, key.scope, key.subject_in(clients), key.place
        )
        row["by"] = schema.pack(change.by, 2)
        row["approved_by"] = schema.pack(approved_by, 2)
        return row

    def _put(self, key: Key, now_ns: int) -> int:
        """What was changed into the rows that the engine reads; how many clients it is about."""
        server, table = self.server, self.server.tables
        held = holding(table.limit_changes)
        if key.scope == LimitScope.FIRM:
            params = table.params.copy()
            into_params(held, params)
            server.put_row(tables.PARAMS, 0, params[0], now_ns)
            return 0
        name, changed = key.subject_in(table.clients), 0
        for client in server.config.clients:
            if name != (client.name if key.scope == LimitScope.CLIENT else str(client.tier)):
                continue
            index = server.client_id(client.name)
            row = table.clients[index].copy()
            into_client(held, client, index, row)
            changed += row.tobytes() != table.clients[index].tobytes()
            server.put_row(tables.CLIENT, index, row, now_ns)
        return changed

    def _as_dict(self, change: Change) -> Answer:
        """A change that waits, beside what holds now."""
        limit = change.key.limit
        return {
            "id": change.number, **change.key.as_dict(self.server.tables.clients),
            "old": limit.in_words(self._in_force(change.key)),
            "new": limit.in_words(change.new), "by": change.by,
        }  # fmt: skip
