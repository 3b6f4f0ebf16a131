"""A whole new instrument table beside the live one, then the switch: no order ever sees a mix.

Rows come in chunks, each a journalled input, while orders go on with the live table. An instrument
keeps its row for good, so positions, quotes and books stay where they are; one that is missing from
the new table is carried over as one for which the firm is no longer SI. The switch itself exchanges
two addresses (`Tables.exchange`).
"""

from typing import Any

import numpy as np

from engine import due
from engine.jit import clear_record, get_record, load_word, njit, poke_word, put_record
from engine.limits import ISIN_WORDS
from engine.schema import instrument as instrument_dtype
from engine.tables import enter_isin, find_instrument, first_isin_slot, same_words

CARRY, ROWS, ABORT = 0, 1, 2  # first word of a STAGE frame
HEAD_SIZE = 24  # then: first row (CARRY), number of rows
pair = np.dtype([("number", "i8"), ("row", instrument_dtype)])  # ROWS: these follow
PAIR_SIZE = pair.itemsize


def pairs(body: Any) -> Any:
    """The numbered rows in the body of a STAGE frame, `pair[n]`; none where it is another step."""
    step, _, count = body[:HEAD_SIZE].view("i8").tolist()
    size = count * PAIR_SIZE if step == ROWS else 0
    return body[HEAD_SIZE : HEAD_SIZE + size].view(pair)


@njit
def number_rows(tables, rows, numbers):
    """The row that each staged instrument gets: its own, or the next free one.

    `numbers` int64[len(rows)] is filled; answers how many are new. ISINs differ within `rows`.
    """
    fresh = 0
    for i in range(rows.shape[0]):
        number = _staged_row(tables, rows[i]["isin"])
        if number < 0:
            number = tables.counters[0]["staged"] + fresh
            fresh += 1
        numbers[i] = number
    return fresh


@njit
def _staged_row(tables, isin):
    """Row of an ISIN that is live or staged, or -1."""
    live = find_instrument(tables, isin)
    if live >= 0:
        return live
    slots = tables.isin_slots
    mask = slots.shape[0] - 1
    slot = first_isin_slot(tables, isin)
    while slots[slot] != 0:
        row = slots[slot] - 1
        if same_words(tables.staged[row]["isin"], isin, ISIN_WORDS):
            return row
        slot = (slot + 1) & mask
    return -1


@njit
def apply_stage(tables, buffer, offset):
    """Do what the body of a STAGE frame says."""
    step = load_word(buffer, offset)
    first = load_word(buffer, offset + 8)
    count = load_word(buffer, offset + 16)
    if step == CARRY:
        _carry(tables, first, count)
    elif step == ROWS:
        for i in range(count):
            at = offset + HEAD_SIZE + i * PAIR_SIZE
            _put(tables, load_word(buffer, at), buffer, at + 8)
    else:
        _abort(tables)


@njit
def _carry(tables, first, count):
    """Begin at row 0, or go on: live rows into the staged table, as no longer SI."""
    counters = tables.counters[0]
    if first == 0:
        counters["staged"] = counters["instruments"]
    for row in range(first, first + count):
        tables.staged[row] = tables.instruments[row]
        tables.staged[row]["si"] = 0


@njit
def _put(tables, row, buffer, offset):
    counters = tables.counters[0]
    get_record(tables.staged[row], buffer, offset)
    if row >= counters["staged"]:
        counters["staged"] = row + 1
        enter_isin(tables, tables.staged[row]["isin"], row)


@njit
def _abort(tables):
    """Forget what was staged, its ISINs included."""
    counters = tables.counters[0]
    for row in range(counters["instruments"], counters["staged"]):
        clear_record(tables.staged[row])
    counters["staged"] = 0
    slots = tables.isin_slots
    for slot in range(slots.shape[0]):
        slots[slot] = 0
    for row in range(counters["instruments"]):
        enter_isin(tables, tables.instruments[row]["isin"], row)


@njit
def count_activation(tables, snapshot):
    """The counters' part of the switch; the caller exchanges the tables right after it."""
    counters = tables.counters[0]
    counters["instruments"] = counters["staged"]
    counters["staged"] = 0
    counters["snapshot"] = snapshot
    counters["edition"] += 1
    due.look_at_all(tables)  # sizes and thresholds of quotes that no record comes for


@njit
def write_rows(buffer, at, rows, numbers):
    """Pairs of number and row as a ROWS frame holds them; answers their size."""
    for i in range(rows.shape[0]):
        place = at + i * PAIR_SIZE
        poke_word(buffer, place, numbers[i])
        put_record(buffer, place + 8, rows[i])
    return rows.shape[0] * PAIR_SIZE
