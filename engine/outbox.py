"""What one input caused: the rows that are journalled and then sent.

Order in the journal: executions, quote reports, desk items, desk results, quotes.
"""

from typing import Any

import numpy as np

from engine import schema
from engine.handle import Handle
from engine.jit import clear_record, inlined, njit
from engine.limits import OUTPUTS_MAX

DESK_RESULTS_MAX = 4  # the answer to a command, and kill switches that the engine sets

counts = np.dtype(
    [
        (name, "i8")
        for name in ("executions", "desk_items", "desk_results", "quotes", "quote_reports")
    ],
    align=True,
)


class Outbox(Handle):
    """Rows by kind; `counts[0]` says how many of each are filled."""

    executions: Any
    desk_items: Any
    desk_results: Any
    quotes: Any
    quote_reports: Any
    counts: Any


def allocate_outbox() -> Outbox:
    """Room for everything one input may cause."""
    return Outbox(
        executions=np.zeros(OUTPUTS_MAX, schema.execution),
        desk_items=np.zeros(OUTPUTS_MAX, schema.desk_item),
        desk_results=np.zeros(DESK_RESULTS_MAX, schema.desk_result),
        quotes=np.zeros(OUTPUTS_MAX, schema.quote),
        quote_reports=np.zeros(OUTPUTS_MAX, schema.quote_report),
        counts=np.zeros(1, counts),
    )


@inlined
def clear(outbox):
    """Forget the outputs of the input before."""
    clear_record(outbox.counts[0])


@inlined
def new_execution(outbox):
    """The next execution row, zeroed."""
    index = outbox.counts[0]["executions"]
    outbox.counts[0]["executions"] = index + 1
    execution = outbox.executions[index]
    clear_record(execution)
    return execution


@njit
def new_quote_report(outbox):
    """The next quote report, zeroed."""
    index = outbox.counts[0]["quote_reports"]
    outbox.counts[0]["quote_reports"] = index + 1
    report = outbox.quote_reports[index]
    clear_record(report)
    return report


@inlined
def put_desk_item(outbox, item):
    """Emit the image of a desk item."""
    index = outbox.counts[0]["desk_items"]
    outbox.counts[0]["desk_items"] = index + 1
    outbox.desk_items[index] = item


@inlined
def put_quote(outbox, quote):
    """Emit the image of our quote."""
    index = outbox.counts[0]["quotes"]
    outbox.counts[0]["quotes"] = index + 1
    outbox.quotes[index] = quote


@inlined
def new_desk_result(outbox):
    """The answer to a desk command, or word of a kill switch that the engine set; zeroed."""
    index = outbox.counts[0]["desk_results"]
    outbox.counts[0]["desk_results"] = index + 1
    result = outbox.desk_results[index]
    clear_record(result)
    return result
