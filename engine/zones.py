"""Size zones: where an order's notional lies against Qmin, T and LIS (MiFIR Arts 14, 4(1)(c))."""

from engine.enums import Reason, Route, Zone
from engine.jit import inlined

BPS = 10_000


@inlined
def regime_at(tables, ts_ns):
    """Row of the regime in force at this time in the firm's jurisdiction, or -1."""
    params = tables.params[0]
    if params["regime_forced"] >= 0:
        return params["regime_forced"]
    for row in range(tables.counters[0]["regimes"]):
        regime = tables.regimes[row]
        if (
            regime["jurisdiction"] == params["jurisdiction"]
            and regime["valid_from_ns"] <= ts_ns < regime["valid_to_ns"]
        ):
            return row
    return -1


@inlined
def set_thresholds(tables, execution, instrument, ts_ns):
    """Write regime, SMS, Qmin, T and LIS into the execution; Reason.NONE, or why they are missing.

    Fail closed: a liquid instrument needs SMS and LIS, an illiquid one LIS.
    """
    row = regime_at(tables, ts_ns)
    execution["regime"] = row
    if row < 0:
        return Reason.NO_REGIME
    regime = tables.regimes[row]
    execution["lis_e6"] = instrument["lis_e6"]
    execution["loaded_row"] = instrument["loaded_row"]
    execution["snapshot"] = tables.counters[0]["snapshot"]
    if instrument["lis_e6"] <= 0:
        return Reason.NO_THRESHOLD
    if instrument["liquid"] == 0:
        return Reason.NONE
    if instrument["sms_e6"] <= 0:
        return Reason.NO_THRESHOLD
    execution["sms_e6"] = instrument["sms_e6"]
    execution["qmin_e6"] = instrument["sms_e6"] * regime["qmin_bps"] // BPS
    execution["threshold_e6"] = instrument["sms_e6"] * regime["threshold_bps"] // BPS
    return Reason.NONE


@inlined
def classify(execution, liquid, notional_x2_e6):
    """Zone of an order of this (doubled) notional; thresholds are those of `set_thresholds`."""
    if liquid == 0:
        return Zone.ON_REQUEST
    if notional_x2_e6 <= 2 * execution["qmin_e6"]:
        return Zone.WITHIN_MIN_QUOTE
    if notional_x2_e6 <= 2 * execution["threshold_e6"]:  # where T and LIS overlap, T wins
        return Zone.WITHIN_OBLIGATION
    if notional_x2_e6 >= 2 * execution["lis_e6"]:
        return Zone.LARGE_IN_SCALE
    return Zone.DISCRETIONARY


@inlined
def route_of(params, execution, notional_x2_e6):
    """Who answers an order of the execution's zone."""
    zone = execution["zone"]
    if zone == Zone.WITHIN_MIN_QUOTE or zone == Zone.WITHIN_OBLIGATION:
        return Route.AUTO
    if zone == Zone.LARGE_IN_SCALE or notional_x2_e6 >= 2 * execution["lis_e6"]:
        return Route.DESK
    if zone == Zone.DISCRETIONARY:
        return params["discretionary_route"]
    return params["on_request_route"]
