"""Which parameters the policy is given for which clients and instruments, and who changes that.

One row for each pool, tier and asset class; where none is given `quoting.policy_param` holds. Rules
are set in si.toml, in the order of the file, a later one over an earlier one. Requests on the
desk's socket change them while the engine runs, `{"policy": VERB, "by": NAME, ...}`:

| verb | besides | |
|---|---|---|
| rules | | what holds, and what waits for approval |
| set | `pool`, `tier`, `group`, `param` | `param` null: `quoting.policy_param` holds again |
| approve, refuse | `id` | of a change that waits |

With `approvals = 2` a change waits until somebody else approves it. What waits is in memory only: a
restart forgets it. What was approved is in the journal with both names, and holds until si.toml's
own policy settings change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import structlog
from pydantic import ValidationError

from engine import schema, tables
from engine.limits import ASSET_CLASSES, POLICY_PARAMS, POOLS, TIERS
from gateway import pools
from gateway.approvals import Answer, Requests, person
from gateway.config import Config, ConfigError
from gateway.errors import UserError
from gateway.policy_config import ALL, GROUPS, PolicyRule
from gateway.policy_file import PolicyError, check_params

if TYPE_CHECKING:
    from gateway.server import Server

CONFIG = "si.toml"

log = structlog.get_logger()


class Change(NamedTuple):
    """A change that waits for a second person; `param` None: the rule goes."""

    number: int
    pool: str
    tier: int | str
    group: str
    param: list[int] | None
    by: str

    def as_dict(self) -> Answer:
        """For an answer and for the log."""
        fields = self._asdict()
        return {"id": fields.pop("number"), **fields}


def filled(param: list[int]) -> list[int]:
    """As many parameters as a policy has, 0 for those left out."""
    return [*param, *([0] * POLICY_PARAMS)][:POLICY_PARAMS]


def places(rows: Iterable[int], tier: int | str, group: str) -> list[int]:
    """Rows of pools (by their own rows), of a tier, or of all, and of a group, or all."""
    tiers = range(TIERS) if tier == ALL else [int(tier)]
    groups = range(ASSET_CLASSES) if group == ALL else [GROUPS[group]]
    return [(p * TIERS + t) * ASSET_CLASSES + g for p in rows for t in tiers for g in groups]


def fingerprint(config: Config, source_hash: int) -> int:
    """A number, never 0, that changes with the policy and with what si.toml says of its rules.

    With the pools too: a rule for all of them is a row of each.
    """
    names = [pool.name for pool in config.pools]
    said = repr((source_hash, config.quoting.policy_param, config.policy.rule, names))
    return 1 | int.from_bytes(hashlib.sha256(said.encode()).digest()[:7], "little")


def configure(server: Server, now_ns: int) -> None:
    """Journal and apply the rules of si.toml, unless they are those of the last start.

    Comes before the parameters, which remember the fingerprint. Raises ConfigError.
    """
    config = server.config
    rows = np.zeros(POOLS * TIERS * ASSET_CLASSES, schema.policy_rule)
    try:
        param = config.quoting.policy_param
        check_params(server.policy, param, "quoting.policy_param", exact=False)
        for number, rule in enumerate(config.policy.rule):
            check_params(server.policy, rule.param, f"policy.rule {number + 1}")
            for place in places(pools.rows_of(server.tables, rule.pool), rule.tier, rule.group):
                rows[place] = _row(rule.param, CONFIG, "")
    except PolicyError as error:
        raise ConfigError(f"{error}. `si policy list` has the limits.") from error
    if int(server.tables.params[0]["policy_configured"]) == fingerprint(
        config, server.policy.source_hash
    ):
        return
    params = server.tables.params.copy()
    params["policy_configured"] = 0  # a start that ends half-way is done again
    server.put_row(tables.PARAMS, 0, params[0], now_ns)
    for place in range(len(rows)):
        server.put_row(tables.POLICY_RULE, place, rows[place], now_ns)


def count(table: tables.Tables) -> int:
    """Pools, tiers and asset classes that have a rule."""
    return int(np.count_nonzero(table.policy_rules["given"]))


def _row(param: list[int] | None, by: str, approved_by: str) -> Any:
    row = np.zeros(1, schema.policy_rule)[0]
    row["given"] = int(param is not None)
    row["param"] = filled(param or [])
    row["by"] = schema.pack(by, 2)
    row["approved_by"] = schema.pack(approved_by, 2)
    return row


class PolicyRules(Requests[Change]):
    """The server's side: does requests, keeps what waits."""

    kind, shows, what = "policy", "rules", "policy rule"

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def _show(self, request: dict[str, Any]) -> Answer:
        server = self.server
        groups = {number: name for name, number in GROUPS.items()}
        names = pools.names(server.tables)
        rules = []
        for place in np.flatnonzero(server.tables.policy_rules["given"]).tolist():
            row = server.tables.policy_rules[place]
            pool, tier = divmod(place // ASSET_CLASSES, TIERS)
            group = place % ASSET_CLASSES
            if group in groups:
                rules.append({
                    "pool": names[pool], "tier": tier, "group": groups[group],
                    "param": row["param"].tolist(), "by": schema.unpack(row["by"]),
                    "approved_by": schema.unpack(row["approved_by"]),
                })  # fmt: skip
        return {
            "policy": server.policy.name,
            "default": server.tables.params[0]["policy_param"].tolist(),
            "approvals": server.config.policy.approvals,
            "rules": rules,
            "pending": [change.as_dict() for change in self.pending.values()],
        }

    def _set(self, request: dict[str, Any]) -> Answer:
        change = self._read(request)
        if self.server.config.policy.approvals == 1:
            return self._apply(change, "")
        return self._wait(change)

    def _read(self, request: dict[str, Any]) -> Change:
        by = person(request)
        asked = {key: request[key] for key in ("pool", "tier", "group") if key in request}
        given = request.get("param")
        try:
            rule = PolicyRule(**asked, param=[] if given is None else given)
        except ValidationError as error:
            problem = error.errors()[0]
            raise UserError(
                f"{problem['loc'][0]} {problem['input']!r}: {problem['msg']}"
            ) from error
        pools.rows_of(self.server.tables, rule.pool)  # or it is refused
        if given is not None:
            check_params(self.server.policy, rule.param, "param")
        param = None if given is None else rule.param
        self.last += 1
        return Change(self.last, rule.pool, rule.tier, rule.group, param, by)

    def _as_dict(self, change: Change) -> Answer:
        return change.as_dict()

    def _apply(self, change: Change, approved_by: str) -> Answer:
        """Every row in the journal and in force, between two orders."""
        server, row = self.server, _row(change.param, change.by, approved_by)
        now_ns = server.now_ns()
        rows = pools.rows_of(server.tables, change.pool)
        for place in places(rows, change.tier, change.group):
            server.put_row(tables.POLICY_RULE, place, row, now_ns)
        log.info("policy rule set", approved_by=approved_by, **change.as_dict())
        return {"set": change.as_dict(), "approved_by": approved_by}
