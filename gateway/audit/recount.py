"""One pass over the frames of the journal: compiled, frame by frame, in the order of the record.

`scan` goes on until it meets a frame that changes a table (RARE), which `rows` takes, interpreted.
"""

from engine import journal as jn
from engine import staging
from engine.jit import inlined, load_word, njit
from engine.tables import CLIENT, INSTRUMENT, PARAMS
from gateway.audit.basics import tell
from gateway.audit.fills import end_receipt, on_execution, on_order
from gateway.audit.market import on_datagram, settle
from gateway.audit.quotes import on_quote
from gateway.audit.rules import Rule

RARE, PAST = 10, 11  # beside the states of a frame
OUTPUTS = jn.EXECUTION  # kinds from here on are outputs


@njit
def scan(book, journal, offset):
    """Recount a segment's frames from `offset` on: `(state, offset)` of the frame where it stops.

    jn.END, jn.DAMAGED, RARE (the frame is counted, but not applied) or PAST (the day is over).
    """
    run = book.run[0]
    while True:
        state = jn.frame_state(journal, offset, -1)
        if state != jn.WHOLE:
            settle(book, journal)  # its records are in this segment
            return state, offset
        word = offset >> 3
        ts_ns = journal.words[word + jn.TS]
        if ts_ns >= run["until_ns"]:
            settle(book, journal)
            end_receipt(book)
            return PAST, offset
        kind = journal.words[word + jn.KIND]
        _enter(book, offset, journal.words[word + jn.SEQ], ts_ns)
        if kind < OUTPUTS:
            settle(book, journal)
            end_receipt(book)
        body = offset + jn.HEADER_SIZE
        if kind == jn.VENUE_QUOTE:
            on_datagram(book, journal, body, journal.words[word + jn.BODY_SIZE], ts_ns)
            run["inputs"] += 1
        elif kind == jn.QUOTE:
            on_quote(book, journal, body, ts_ns)
        elif kind == jn.ORDER:
            on_order(book, journal, body, ts_ns)
            run["inputs"] += 1
        elif kind == jn.EXECUTION:
            on_execution(book, journal, body, ts_ns)
        elif kind == jn.TABLE_ROW or kind == jn.STAGE or kind == jn.ACTIVATE or kind == jn.BOOT:
            return RARE, offset
        run["last_ns"] = ts_ns
        offset += journal.words[word]


@inlined
def _enter(book, offset, seq, ts_ns):
    """Where we are; frame numbers follow each other and time does not go back."""
    run = book.run[0]
    here = book.here[0]
    here["position"] = run["base"] + offset
    here["seq"] = seq
    here["ts_ns"] = ts_ns
    here["instrument"] = -1
    here["client"] = -1
    here["order_id"] = 0
    here["exec_id"] = 0
    here["quote_id"] = 0
    if ts_ns >= run["from_ns"]:
        run["counting"] = 1
        run["frames"] += 1
        if run["first_seq"] == 0:
            run["first_seq"] = seq
    if run["last_seq"] != 0 and seq != run["last_seq"] + 1:
        tell(book, 0, Rule.GAP, abs(seq - run["last_seq"]), run["last_seq"], seq, 0, 0)
    if ts_ns < run["last_ns"]:
        tell(book, 0, Rule.CLOCK_BACK, run["last_ns"] - ts_ns, run["last_ns"] - ts_ns, 0, 0, 0)
    run["last_seq"] = seq


@njit
def survey(book, journal, sizes, found):
    """Before the recount, headers alone: where the parameters are, how large the tables get.

    `found` gets the offsets of the rows of parameters (as many as fit; answered: how many there
    are), `sizes` (int64[4]) the rows of instruments and clients and, of a BOOT with another schema
    than `sizes[2]`, the schema; `book.run[0]` when the journal and the day begin and when the day's
    last frame was. Stops at what is no frame; `scan` tells.
    """
    run = book.run[0]
    offset = 0
    count = 0
    while offset + jn.HEADER_SIZE <= journal.buffer.shape[0]:
        word = offset >> 3
        size = journal.words[word]
        if size < jn.HEADER_SIZE or size % jn.HEADER_SIZE != 0:
            break
        if offset + size > journal.buffer.shape[0]:
            break
        ts_ns = journal.words[word + jn.TS]
        if run["first_ns"] == 0:
            run["first_ns"] = ts_ns
        if run["from_ns"] <= ts_ns < run["until_ns"]:
            if run["day_first_ns"] == 0:
                run["day_first_ns"] = ts_ns
            run["last_ns"] = max(run["last_ns"], ts_ns)
        if journal.words[word + jn.KIND] == jn.TABLE_ROW:
            table_id = load_word(journal.buffer, offset + jn.HEADER_SIZE)
            number = load_word(journal.buffer, offset + jn.HEADER_SIZE + 8)
            if table_id == PARAMS:
                if count < found.shape[0]:
                    found[count] = offset
                count += 1
            elif table_id == INSTRUMENT:
                sizes[0] = max(sizes[0], number + 1)
            elif table_id == CLIENT:
                sizes[1] = max(sizes[1], number + 1)
        elif journal.words[word + jn.KIND] == jn.BOOT:
            schema = load_word(journal.buffer, offset + jn.HEADER_SIZE)
            if schema != sizes[2]:
                sizes[3] = schema
        elif journal.words[word + jn.KIND] == jn.STAGE:
            sizes[0] = max(sizes[0], _staged(journal, offset + jn.HEADER_SIZE))
        offset += size
    return count


@njit
def _staged(journal, body):
    """Rows that a table needs to hold what this piece of it brings."""
    rows = 0
    if load_word(journal.buffer, body) == staging.ROWS:
        for index in range(load_word(journal.buffer, body + 16)):
            at = body + staging.HEAD_SIZE + index * staging.PAIR_SIZE
            rows = max(rows, load_word(journal.buffer, at) + 1)
    return rows
