"""Named pools of liquidity: what si.toml says of them, their rows, and who is in which.

A pool has published criteria (MiFIR Art 17(1)), a kill switch and rules of the policy of its own.
Rows are kept for good, found by name: so is the kill switch in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from engine import journal as jn
from engine import schema, tables
from engine.limits import POOL_NAME_WORDS, POOLS
from gateway.errors import UserError
from gateway.journal_files import Reader

if TYPE_CHECKING:
    from gateway.server import Server

ALL = "*"

PoolName = Annotated[
    str, Field(min_length=1, max_length=8 * POOL_NAME_WORDS, pattern=r"^[!-~]([ -~]*[!-~])?$")
]


class Pool(BaseModel):
    """Clients by published criteria (MiFIR Art 17(1))."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PoolName
    criteria: Annotated[str, Field(min_length=1, max_length=2_000)]


#: Where si.toml names none.
MAIN = Pool(name="main", criteria="All clients.")


def check_pools(
    pools: Sequence[Pool], clients: Sequence[tuple[str, str | None]], rules: Sequence[str]
) -> None:
    """Raise ValueError for a pool given twice, or one that is named and not there.

    `clients`: each client's name and pool, None for the first one; `rules`: pools of the policy's
    rules.
    """
    names = [pool.name for pool in pools]
    for name in names:
        if name == ALL:
            raise ValueError(f"pools: name {ALL!r} is every pool: give it another one")
        if names.count(name) > 1:
            raise ValueError(f"pools: name {name!r} is there twice: give each a name of its own")
    named = [(f"clients: {client!r} is in pool", pool) for client, pool in clients if pool]
    for number, rule in enumerate(rules, 1):
        if rule != ALL:
            named.append((f"policy.rule {number}: pool", rule))
    for words, name in named:
        if name not in names:
            raise ValueError(
                f"{words} {name!r}, which is none of {', '.join(names)}: "
                f"add [[pools]] with name = {name!r}"
            )


def names(table: tables.Tables) -> list[str]:
    """Every pool that this journal knows, by row."""
    rows = table.pools["name"][: int(table.counters[0]["pools"])]
    return [schema.unpack(name) for name in rows]


def rows_of(table: tables.Tables, name: str) -> list[int]:
    """The row of a pool, or every row. Raises UserError."""
    known = names(table)
    if name == ALL:
        return list(range(len(known)))
    if name not in known:
        raise UserError(f"pool {name!r} is none of {', '.join(known)}")
    return [known.index(name)]


def configure(server: Server, now_ns: int) -> None:
    """Journal and apply the pools of si.toml. Raises UserError where there is no room."""
    known = names(server.tables)
    new = [pool.name for pool in server.config.pools if pool.name not in known]
    if len(known) + len(new) > POOLS:
        raise UserError(
            f"pools {', '.join(new)}: this journal knows {', '.join(known)}, at most {POOLS}: "
            "use names of these, or a new journal"
        )
    known += new
    for pool in server.config.pools:
        place = known.index(pool.name)
        row = server.tables.pools[place : place + 1].copy()  # with its kill switch
        row["name"] = schema.pack(pool.name, POOL_NAME_WORDS)
        server.put_row(tables.POOL, place, row[0], now_ns)


def stopped(table: tables.Tables) -> dict[str, bool]:
    """Of every pool, whether its kill switch is set."""
    return {name: bool(table.pools[row]["killed"]) for row, name in enumerate(names(table))}


class Members:
    """Which pool each client was in at a time, as the journal's rows say."""

    def __init__(self, journal: Path) -> None:
        self.names: dict[int, str] = {}
        self._since: dict[int, list[tuple[int, int]]] = {}  # by client: time and pool, in order
        for frame in Reader(journal, kinds=(jn.TABLE_ROW,)).poll():
            table_id, row = frame.body[:16].view("i8").tolist()
            if table_id == tables.POOL:
                self.names[row] = schema.unpack(frame.body[16:].view(schema.pool)[0]["name"])
            elif table_id == tables.CLIENT:
                pool = int(frame.body[16:].view(schema.client)[0]["pool"])
                self._since.setdefault(row, []).append((frame.ts_ns, pool))

    def pool_of(self, row: Any) -> str:
        """Pool of the client of an execution or a quote report; "" where there is one pool."""
        if len(self.names) < 2:
            return ""
        changes = self._since.get(int(row["client"]), [])
        before = [pool for ts_ns, pool in changes if ts_ns <= row["ts_ns"]]
        return self.names.get(before[-1], "") if before else ""
