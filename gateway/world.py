"""Configuration and reference data into the tables, as journalled rows.

Rows are kept for good: an instrument, client, venue or session known before keeps its number, what
is new is added, and an instrument that is gone is no longer one for which the firm is SI.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import regimes, schema, tables
from engine.enums import AboveQuote, PegMid, Route
from engine.limits import VENUES_MAX
from gateway import policy_rules, pools, risk_changes
from gateway.config import ALWAYS_NS, Config, ConfigError
from gateway.errors import UserError
from gateway.risk_config import limits_of
from gateway.risk_limits import CLIENT, FIRM, put_limits
from gateway.swap import Swap, venue_rows
from refdata.load import Loaded, load_instruments
from refdata.rows import Refused
from refdata.snapshot import Snapshot, hash_digits
from refdata.snapshot import read as read_snapshot

if TYPE_CHECKING:
    from gateway.server import Server

ROUTES = {"auto": Route.AUTO, "desk": Route.DESK, "reject": Route.REJECT}


def load_world(server: Server, now_ns: int) -> list[str]:
    """Journal and apply all of it; what was loaded, in words. Raises ConfigError."""
    config = server.config
    _forced_regime(config.firm.regime)  # what is wrong is said before anything is journalled
    configured = _read_snapshot(config)
    active = int(server.tables.counters[0]["snapshot"])
    before = int(server.tables.params[0]["snapshot_configured"])
    loaded = None if configured or active else read_instruments(config)
    _put_rules(server, now_ns)
    pools.configure(server, now_ns)
    policy_rules.configure(server, now_ns)
    risk_changes.configure(server, now_ns)
    _put_params(server, configured.word if configured else before, now_ns)
    _put_clients(server, now_ns)
    server.session_table.load(server.session_admin.sessions, now_ns)
    if loaded is not None:
        _put_instruments(server, loaded, now_ns)
        lines = _in_words(server, loaded)
    elif configured is not None and configured.word not in (before, active):
        lines = [_activate(server, configured, now_ns)]
    else:
        # What was activated stays until the configuration names another snapshot.
        lines = [f"reference data as activated before: snapshot {hash_digits(active)}"]
    lines += [
        f"{int(server.tables.counters[0]['venues'])} venues, {len(config.clients)} clients, "
        f"{len(server.session_admin.sessions)} FIX sessions",
        f"policy {config.quoting.policy} {config.quoting.policy_param}, "
        f"{policy_rules.count(server.tables)} rules",
    ]
    lines += [
        f"pool {name} is stopped by its kill switch: `si desk resume --pool {name}` lifts it"
        for name, is_stopped in pools.stopped(server.tables).items()
        if is_stopped
    ]
    return lines


def _read_snapshot(config: Config) -> Snapshot | None:
    """The snapshot that the configuration names, if it names one. Raises ConfigError."""
    if config.refdata.format != "snapshot":
        return None
    try:
        return read_snapshot(config.path(config.refdata.instruments))
    except Refused as error:
        raise ConfigError(f"reference data refused, nothing was changed: {error}") from error


def _activate(server: Server, read: Snapshot, now_ns: int) -> str:
    """All of a snapshot, before anybody is connected."""
    if read.jurisdiction != server.config.firm.jurisdiction:
        raise ConfigError(f"{read.path.name} is for {read.jurisdiction}, firm.jurisdiction is not")
    try:
        rows, fresh = venue_rows(server.tables, read.venues)
        _put_venues(server, fresh, now_ns)
        swap = Swap(server.tables, lambda: server.journal, read)
        while not swap.done:
            server.make_room()
            swap.step(rows, now_ns)
    except UserError as error:
        raise ConfigError(f"reference data refused, nothing was changed: {error}") from error
    done = swap.switch("config", now_ns)
    gone = f", {done.gone} no longer in it" if done.gone else ""
    return f"{done.instruments:,} instruments of {read.path.name}, as of {done.as_of}{gone}"


def _in_words(server: Server, loaded: Loaded) -> list[str]:
    report = loaded.report
    fresh = server.tables.instruments[: int(server.tables.counters[0]["instruments"])]
    liquid = int(np.count_nonzero(fresh["liquid"]))
    lines = [
        f"{report.instruments} instruments from {Path(report.path).name} "
        f"({liquid} liquid, {report.fail_closed} closed for want of a threshold, "
        f"{report.warned} with warnings)",
    ]
    lines += [
        f"closed: {finding.isin}, line {finding.line}: {finding.message}"
        for finding in report.findings
        if finding.severity == "fail_closed"
    ][:5]
    return lines


def read_instruments(config: Config) -> Loaded:
    """The instruments that the configuration names. Raises ConfigError."""
    ref = config.refdata
    assert ref.format != "snapshot", "a snapshot is activated, not loaded"
    try:
        return load_instruments(
            config.path(ref.instruments),
            format=ref.format,
            fx_path=config.path(ref.fx) if ref.fx else None,
            thresholds_path=config.path(ref.thresholds) if ref.thresholds else None,
            venues=ref.venues,
            jurisdiction=config.firm.jurisdiction,
            instruments_max=config.engine.instruments_max,
        )
    except (Refused, OSError, ValueError) as error:
        raise ConfigError(f"reference data refused, nothing was changed: {error}") from error


def _put_rules(server: Server, now_ns: int) -> None:
    for index, row in enumerate(regimes.regime_rows()):
        server.put_row(tables.REGIME, index, row, now_ns)
    for index, row in enumerate(regimes.tick_rows()):
        server.put_row(tables.TICK, index, row, now_ns)


def _put_params(server: Server, configured: int, now_ns: int) -> None:
    config, quoting = server.config, server.config.quoting
    row = server.tables.params.copy()
    row["jurisdiction"] = schema.pack(config.firm.jurisdiction)
    row["regime_forced"] = _forced_regime(config.firm.regime)
    row["stale_ns"] = quoting.stale_ms * 1_000_000
    row["collar_bps"] = quoting.collar_bps
    row["discretionary_route"] = ROUTES[quoting.discretionary]
    row["on_request_route"] = ROUTES[quoting.on_request]
    row["quote_size_bps"] = quoting.quote_size_bps
    row["desk_ttl_ns"] = config.desk.item_seconds * 1_000_000_000
    row["rfq_valid_ns"] = config.rfq.valid_ms * 1_000_000
    row["snapshot_configured"] = configured
    row["policy_hash"] = server.policy.source_hash
    row["peg_mid"] = PegMid[quoting.peg_mid.upper()]
    put_limits(FIRM, config.risk, row)
    risk_changes.into_params(risk_changes.holding(server.tables.limit_changes), row)
    row["jump_bps"], row["close_bps"] = quoting.jump_bps, quoting.close_bps
    row["jump_hold_ns"] = quoting.jump_hold_ms * 1_000_000
    row["quote_interval_ns"] = quoting.quote_interval_ms * 1_000_000
    row["above_quote"] = AboveQuote[quoting.above_quoted_size.upper()]
    row["more_size_bps"], row["more_size_ticks"] = 0, 0
    for at, size in enumerate(quoting.size):
        row["more_size_bps"][0, at] = size.bps
        row["more_size_ticks"][0, at] = size.worse_ticks
    row["policy_param"] = policy_rules.filled(quoting.policy_param)
    row["policy_configured"] = policy_rules.fingerprint(config, server.policy.source_hash)
    row["vol_half_life_ns"] = config.policy.vol_half_life_ms * 1_000_000
    row["markout_ns"] = [ms * 1_000_000 for ms in config.policy.horizons_ms]
    row["markout_weight_e6"] = int(config.policy.markout_weight * 10**6)
    if row["close_ns"][0] == 0:
        row["close_ns"] = ALWAYS_NS
    server.put_row(tables.PARAMS, 0, row[0], now_ns)


def _forced_regime(name: str) -> int:
    if name == "auto":
        return -1
    names = [regime.name for regime in regimes.REGIMES]
    if name not in names:
        raise ConfigError(f"firm.regime {name!r} is none of auto, {', '.join(names)}")
    return names.index(name)


def _put_clients(server: Server, now_ns: int) -> None:
    changed = risk_changes.holding(server.tables.limit_changes)
    for config in server.config.clients:
        row = np.zeros(1, schema.client)
        row["name"] = schema.pack(config.name)
        limits = limits_of(config, config.tier, server.config.tiers)
        put_limits(CLIENT, limits, row)
        row["tier"] = config.tier
        [row["pool"]] = pools.rows_of(server.tables, config.pool or server.config.pools[0].name)
        index = client_id(server, config.name)
        if index < 0:
            index = int(server.tables.counters[0]["clients"])
        if index >= len(server.tables.clients):
            raise ConfigError(f"client {config.name!r}: no room, {index} are known already")
        risk_changes.into_client(changed, config, index, row)
        server.put_row(tables.CLIENT, index, row[0], now_ns)


def client_id(server: Server, name: str) -> int:
    """Row of a client, or -1."""
    count = int(server.tables.counters[0]["clients"])
    found = np.flatnonzero(server.tables.clients["name"][:count] == schema.pack(name))
    return int(found[0]) if found.size else -1


def _put_instruments(server: Server, loaded: Loaded, now_ns: int) -> None:
    counters = server.tables.counters[0]
    venues = _put_venues(server, loaded.venues, now_ns)
    known = {
        row["isin"].tobytes(): index
        for index, row in enumerate(server.tables.instruments[: int(counters["instruments"])])
    }
    gone = set(known.values())
    for fresh in loaded.instruments:
        row = fresh.copy()
        row["mrm_venue"] = venues[int(row["mrm_venue"])]
        index = known.get(row["isin"].tobytes(), int(counters["instruments"]))
        gone.discard(index)
        try:
            tables.check_row(server.tables, tables.INSTRUMENT, index, row)
        except ValueError as error:
            raise ConfigError(f"reference data refused: {error}") from error
        server.put_row(tables.INSTRUMENT, index, row, now_ns)
    for index in sorted(gone):
        row = server.tables.instruments[index : index + 1].copy()
        row["si"] = 0
        server.put_row(tables.INSTRUMENT, index, row[0], now_ns)


def _put_venues(server: Server, mics: list[str], now_ns: int) -> list[int]:
    """Row of each MIC, adding the new ones."""
    rows = []
    for mic in mics:
        count = int(server.tables.counters[0]["venues"])
        known = server.tables.venues["mic"][:count].tolist()
        index = known.index(schema.pack(mic)) if schema.pack(mic) in known else count
        if index >= VENUES_MAX:
            raise ConfigError(f"venue {mic}: at most {VENUES_MAX} venues, all are taken")
        row = np.zeros(1, schema.venue)
        row["mic"] = schema.pack(mic)
        server.put_row(tables.VENUE, index, row[0], now_ns)
        rows.append(index)
    return rows
