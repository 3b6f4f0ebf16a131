"""`si risk`: P&L and exposure of a running engine, the published tiers and pools of clients."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from gateway.cli_common import AsJson, friendly, out

if TYPE_CHECKING:
    from gateway.risk_config import Tier

risk = typer.Typer(no_args_is_help=True, help="What protects the firm: P&L, limits, tiers, pools.")

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]


@risk.command()
def show(directory: Directory, as_json: AsJson = False) -> None:
    """P&L, exposure, limits and stops of a running engine."""
    from gateway.control import ask

    with friendly():
        found = ask(directory, {"risk": True})["risk"]
        if as_json:
            print(json.dumps(found))
            return
        out.print(_totals(found), soft_wrap=False)
        if found["positions"]:
            out.print(_positions(found), soft_wrap=False)
        for line in _stops(found):
            out.print(line, markup=False)


@risk.command()
def tiers(directory: Directory, as_json: AsJson = False) -> None:
    """The tiers of clients, with criteria and limits, as they can be published."""
    from gateway import config as configuration

    with friendly():
        config = configuration.load(directory)
        found = [_as_dict(tier) for tier in sorted(config.tiers, key=lambda tier: tier.tier)]
        if as_json:
            print(json.dumps({"mic": config.firm.mic, "tiers": found}))
        elif found:
            out.print(_tiers(found), soft_wrap=False)
        else:
            out.print(
                "no tiers: add [[tiers]] with tier, name and criteria to si.toml", markup=False
            )


@risk.command()
def pools(directory: Directory, as_json: AsJson = False) -> None:
    """The pools of liquidity, with criteria and kill switches, as they can be published."""
    from gateway import config as configuration

    with friendly():
        config = configuration.load(directory)
        stopped = _stopped_pools(directory)
        if as_json:
            found = [one.model_dump() | {"killed": stopped.get(one.name)} for one in config.pools]
            print(json.dumps({"mic": config.firm.mic, "pools": found}))
            return
        table = Table(box=box.SIMPLE)
        for name in ("pool", "criteria", "trading"):
            table.add_column(name, overflow="fold")
        words = {None: "not in a running engine", True: "stopped", False: "open"}
        for pool in config.pools:
            trading = words[stopped.get(pool.name)]
            table.add_row(escape(pool.name), escape(pool.criteria), trading)
        out.print(table, soft_wrap=False)


def _stopped_pools(directory: Path) -> dict[str, bool]:
    """Of each pool of a running engine, whether it is stopped; nothing where none is running."""
    from gateway.control import ask
    from gateway.errors import UserError

    try:
        stopped: dict[str, bool] = ask(directory, {"risk": True})["risk"]["pools"]
    except UserError:
        return {}
    return stopped


def _as_dict(tier: Tier) -> dict[str, Any]:
    """A tier with its limits as text; None where it sets none."""
    from gateway.risk_config import LimitFields

    limits = {}
    for name in LimitFields.model_fields:
        value = getattr(tier, name)
        limits[name] = str(value) if value else None
    return {"tier": tier.tier, "name": tier.name, "criteria": tier.criteria, "limits": limits}


def _tiers(found: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("tier", justify="right")
    for name in ("name", "criteria", "limits"):
        table.add_column(name, overflow="fold")
    for tier in found:
        limits = [f"{name} {value}" for name, value in tier["limits"].items() if value]
        table.add_row(
            str(tier["tier"]),
            escape(tier["name"]),
            escape(tier["criteria"]),
            "\n".join(limits) or "none",
        )
    return table


def _eur(amount_e6: int) -> str:
    from gateway.explain import money

    return money(amount_e6)


def _totals(found: dict[str, Any]) -> Table:
    limits = found["limits"]
    table = Table("EUR", box=box.SIMPLE)
    for name in ("now", "limit"):
        table.add_column(name, justify="right")
    for name, value, limit in (
        ("P&L", found["pnl_eur_e6"], -limits["loss_max_eur_e6"]),
        ("gross", found["gross_eur_e6"], limits["gross_max_eur_e6"]),
        ("net", found["net_eur_e6"], limits["net_max_eur_e6"]),
    ):
        table.add_row(name, _eur(value), _eur(limit) if limit else "none")
    return table


def _positions(found: dict[str, Any]) -> Table:
    table = Table("ISIN", box=box.SIMPLE)
    for name in ("shares", "mark", "P&L", "", "P&L EUR", "value EUR"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in found["positions"]:
        table.add_row(
            row["isin"], f"{row['qty']:,}", _mark(row["mark_px_x2_e6"]), _eur(row["pnl_e6"]),
            row["currency"],
            _eur(row["pnl_eur_e6"]), _eur(row["value_eur_e6"]), "stopped" if row["stopped"] else "",
        )  # fmt: skip
    left = found["positions_in_all"] - len(found["positions"])
    table.caption = f"and {left:,} smaller ones" if left else None
    return table


def _mark(px_x2_e6: int) -> str:
    """Half of it, exactly: a midpoint can lie on half a millionth."""
    return f"{(Decimal(px_x2_e6) / 2).scaleb(-6).normalize():f}"


def _stops(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["stopped"]:
        lines.append("all trading is stopped: `si desk resume` lifts it")
    if stopped := [name for name, killed in found["pools"].items() if killed]:
        lines.append(f"stopped pools: {', '.join(stopped)}")
    if found["stopped_clients"]:
        lines.append(f"stopped clients: {', '.join(found['stopped_clients'])}")
    if found["stops"]:
        lines.append(f"kill switches that the engine set by itself: {found['stops']}")
    return lines
