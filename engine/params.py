"""The firm's settings as they come in: what they must keep to, and what a new one changes."""

from typing import Any

from engine import sizes
from engine.jit import get_record, njit
from engine.limits import MARKOUT_NS_MAX, VOL_HALF_LIFE_NS_MAX, VOL_HALF_LIFE_NS_MIN


def check_params(row: Any) -> None:
    """Raise ValueError for sizes, volatility and mark-outs that could not be reckoned with."""
    sizes.check(row)
    half_life_ns = int(row["vol_half_life_ns"])
    if half_life_ns and not VOL_HALF_LIFE_NS_MIN <= half_life_ns <= VOL_HALF_LIFE_NS_MAX:
        raise ValueError(
            f"vol_half_life_ns {half_life_ns} is neither 0 nor within "
            f"{VOL_HALF_LIFE_NS_MIN}..{VOL_HALF_LIFE_NS_MAX}"
        )
    weight_e6, horizons = int(row["markout_weight_e6"]), row["markout_ns"].tolist()
    if not 0 <= weight_e6 <= 10**6:
        raise ValueError(f"markout_weight_e6 {weight_e6} is not within 0..1000000")
    if weight_e6 and not 0 < horizons[0] <= horizons[-1] <= MARKOUT_NS_MAX:
        raise ValueError(f"markout_ns {horizons} are not within 1..{MARKOUT_NS_MAX}")
    if horizons != sorted(horizons):
        raise ValueError(f"markout_ns {horizons} do not ascend")


@njit
def apply_params(tables, index, buffer, offset):
    """The firm's settings; a loss over a limit that is new has not been stopped for yet."""
    params = tables.params[index]
    loss_max = params["loss_max_eur_e6"]
    instrument_loss_max = params["instrument_loss_max_eur_e6"]
    get_record(params, buffer, offset)
    if params["loss_max_eur_e6"] != loss_max:
        tables.counters[0]["loss_tripped"] = 0
    if params["instrument_loss_max_eur_e6"] != instrument_loss_max:
        for row in range(tables.counters[0]["instruments"]):
            if tables.positions[row]["loss_tripped"] != 0:  # few are, and only those are written
                tables.positions[row]["loss_tripped"] = 0
