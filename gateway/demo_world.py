"""The demo's world: its folder, its configuration, and what everyone in it knows of instruments."""

from __future__ import annotations

import json
import socket
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.schema import unpack
from gateway import template
from gateway.config import CONFIG_FILE, Config
from refdata.load import load_instruments
from refdata.sample import sample_prices

HOST = "127.0.0.1"
OURS = "SI"
STALE_MS = 2_000
DESK_ITEM_SECONDS = 4  # short, so that some items expire while one looks
DESK_ITEMS_MAX = 1 << 18

#: Every FIX client of the demo with its limits in EUR; the names are those of `demo_clients`.
LIMITS_EUR = {
    "RETAIL": {"order_max_eur": 250_000},
    "ROUTER": {"order_max_eur": 2_000_000},
    "ASSETMGR": {"order_max_eur": 10_000_000},
    "CARELESS": {"order_max_eur": 100_000},
    "ROAMER": {"order_max_eur": 5_000_000},
}


class World(NamedTuple):
    """Instruments by row, in the order of the file; prices in the currency of the instrument."""

    rows: Any  # schema.instrument
    isins: list[str]
    names: list[str]
    venues: list[str]
    ref_px_e6: Any  # int64


def make() -> Path:
    """A fresh folder with sample data and the demo's configuration."""
    directory = Path(tempfile.mkdtemp(prefix="si-demo-"))
    template.write(directory)
    path = directory / CONFIG_FILE
    tree = tomllib.loads(path.read_text())
    tree["quoting"]["stale_ms"] = STALE_MS
    tree["desk"]["item_seconds"] = DESK_ITEM_SECONDS
    tree["engine"]["desk_items_max"] = DESK_ITEMS_MAX
    tree["feed"]["port"] = _free_port(socket.SOCK_DGRAM)
    tree["fix"]["port"] = _free_port(socket.SOCK_STREAM)
    tree["fix"]["sessions"] = [
        {"sender_comp_id": OURS, "target_comp_id": name, "client": name.lower()}
        for name in LIMITS_EUR
    ]
    tree["clients"] = [{"name": name.lower(), **limits} for name, limits in LIMITS_EUR.items()]
    head = "# Made by `si demo`; `si init` writes one with a comment for every setting.\n"
    path.write_text(head + "\n".join(_as_toml(tree)) + "\n")
    return directory


def read(config: Config) -> World:
    """The instruments and their reference prices, as the configuration names them."""
    ref = config.refdata
    path = config.path(ref.instruments)
    loaded = load_instruments(
        path,
        fx_path=config.path(ref.fx) if ref.fx else None,
        venues=ref.venues,
        jurisdiction=config.firm.jurisdiction,
    )
    prices = sample_prices(path)
    isins = [unpack(row["isin"]) for row in loaded.instruments]
    return World(
        rows=loaded.instruments,
        isins=isins,
        names=loaded.names,
        venues=loaded.venues,
        ref_px_e6=np.array([prices[isin] for isin in isins], np.int64),
    )


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _as_toml(tree: dict[str, Any], prefix: str = "") -> list[str]:
    """Lines of a tree of tables, lists of tables, and values that JSON writes the same way."""
    values, tables = [], []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            tables += ["", f"[{name}]", *_as_toml(value, f"{name}.")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                tables += ["", f"[[{name}]]", *_as_toml(entry, f"{name}.")]
        else:
            values.append(f"{key} = {json.dumps(value)}")
    return values + tables
