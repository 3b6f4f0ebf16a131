"""Quotes that the next TIMER looks at again: one (`look_again`), or all of them (`look_at_all`)."""

from engine.enums import Waits
from engine.jit import njit


@njit
def look_again(tables, instrument_id):
    """The quote of an instrument is made anew at its next input, at the latest by a TIMER."""
    counters = tables.counters[0]
    quote = tables.quotes[instrument_id]
    if quote["waits"] == Waits.NO:
        tables.waiting[counters["waiting"]] = instrument_id
        counters["waiting"] += 1
    quote["waits"] = Waits.YES


@njit
def look_at_all(tables):
    """Every quote there is, from the first one on, SWEEP_MAX an input."""
    tables.counters[0]["sweep_at"] = 1
