"""All state of the engine: allocation, indexes, rows from outside, invariants, state hash.

State is a tuple of struct arrays, allocated once. Only functions of `engine` write to it; from
outside only `set_row`, itself a journalled input.
"""

import hashlib
from typing import Any

import numpy as np

from engine import schema
from engine.handle import Handle
from engine.jit import get_record, inlined, njit, prefetch
from engine.limits import (
    ASSET_CLASSES,
    CLORDID_WORDS,
    ECHO_SIZE_MAX,
    EUR_PER_UNIT_E9_MAX,
    INT64_MAX,
    ISIN_WORDS,
    LIMIT_CHANGES_MAX,
    POOLS,
    QUOTE_REF_WORDS,
    SMS_E6_MAX,
    TICK_BANDS,
    TICK_ROWS,
    TIERS,
    VENUES_MAX,
    VERSIONS_MAX,
    Capacity,
)
from engine.params import apply_params, check_params

REGIMES_MAX = 8
ECHO_ROW = 8 + ECHO_SIZE_MAX
PARAMS, REGIME, TICK, VENUE, CLIENT, INSTRUMENT, POLICY_RULE, POOL, LIMIT_CHANGE = range(1, 10)


class Tables(Handle):
    """Every table of the engine; a row's index is its id (order_id and item_id are index + 1)."""

    params: Any
    counters: Any
    regimes: Any
    ticks: Any
    venues: Any
    clients: Any
    pools: Any  # a row from outside keeps the kill switch that it has
    instruments: Any
    staged: Any  # the next `instruments`, see engine.staging
    venue_books: Any  # instrument * VENUES_MAX + venue
    venue_states: Any
    quotes: Any
    quote_versions: Any  # instrument * VERSIONS_MAX + version % VERSIONS_MAX; the last is empty
    sources: Any  # small, since the timer goes through all of it
    waiting: Any  # int64[instruments]: those whose quotes the next TIMER looks at again
    positions: Any
    client_use: Any
    orders: Any
    desk_items: Any
    replaced: Any  # ClOrdIDs that orders had before they were replaced
    echoes: Any  # uint8[desk_items, ECHO_ROW]: a size word, then bytes that only the gateway reads
    given_quotes: Any
    policy_rules: Any  # (pool * TIERS + tier) * ASSET_CLASSES + asset_class
    limit_changes: Any  # in their order
    volatility: Any
    markouts: Any
    marked_fills: Any  # a ring
    flow: Any
    repeats: Any  # found by a hash of client, instrument and side, see engine.risk
    isin_slots: Any  # open addressing: row + 1, 0 for free
    clordid_slots: Any  # the same: above 0 a row of `orders`, below 0 one of `replaced`
    quote_ref_slots: Any
    quote_req_slots: Any
    bbo: Any  # scratch: the BBO at the current input
    policy_input: Any  # scratch: as filled in, and as handed to the policy
    sized_quote: Any  # scratch, see engine.sizes

    def activate_staged(self) -> None:
        """The staged instrument table becomes the live one, and the other way round."""
        self.exchange("instruments", "staged")


def allocate(capacity: Capacity = Capacity()) -> Tables:  # noqa: B008 - an immutable default
    """Empty tables of the given capacity."""
    return Tables(
        params=np.zeros(1, schema.params),
        counters=np.zeros(1, schema.counters),
        regimes=np.zeros(REGIMES_MAX, schema.regime),
        ticks=np.zeros(TICK_ROWS, schema.tick_row),
        venues=np.zeros(VENUES_MAX, schema.venue),
        clients=np.zeros(capacity.clients, schema.client),
        pools=np.zeros(POOLS, schema.pool),
        instruments=np.zeros(capacity.instruments, schema.instrument),
        staged=np.zeros(capacity.instruments, schema.instrument),
        venue_books=np.zeros(capacity.instruments * VENUES_MAX, schema.venue_book),
        venue_states=np.zeros(VENUES_MAX, schema.venue_state),
        quotes=np.zeros(capacity.instruments, schema.quote),
        quote_versions=np.zeros(capacity.instruments * VERSIONS_MAX + 1, schema.quote),
        sources=np.zeros(capacity.instruments, schema.source),
        waiting=np.zeros(capacity.instruments, np.int64),
        positions=np.zeros(capacity.instruments, schema.position),
        client_use=np.zeros(capacity.clients, schema.client_use),
        orders=np.zeros(capacity.orders, schema.order),
        desk_items=np.zeros(capacity.desk_items, schema.desk_item),
        replaced=np.zeros(capacity.replaced, schema.replaced),
        echoes=np.zeros((capacity.desk_items, ECHO_ROW), np.uint8),
        given_quotes=np.zeros(capacity.given_quotes, schema.given_quote),
        policy_rules=np.zeros(POOLS * TIERS * ASSET_CLASSES, schema.policy_rule),
        limit_changes=np.zeros(LIMIT_CHANGES_MAX, schema.limit_change),
        volatility=np.zeros(capacity.instruments, schema.volatility),
        markouts=np.zeros(capacity.clients, schema.markout),
        marked_fills=np.zeros(capacity.marked_fills, schema.marked_fill),
        flow=np.zeros(1, schema.flow),
        repeats=np.zeros(capacity.repeats, schema.repeat),
        isin_slots=np.zeros(capacity.isin_slots, np.int64),
        clordid_slots=np.zeros(capacity.clordid_slots, np.int64),
        quote_ref_slots=np.zeros(capacity.given_slots, np.int64),
        quote_req_slots=np.zeros(capacity.given_slots, np.int64),
        bbo=np.zeros(1, schema.bbo),
        policy_input=np.zeros(2, schema.policy_input),
        sized_quote=np.zeros(2, schema.quote),
    )


def touch(tables: Tables) -> None:
    """Bring every page into memory now, so that resident memory stays flat while serving."""
    for _, table in tables.items():
        table.view(np.uint8)[::4096] |= 0


@inlined
def hash_word(seed, word):
    """Mix one word into a 31-bit hash; products stay below 2**63 so nothing wraps."""
    mixed = ((seed ^ (word & 0xFFFFFFFF)) * 0x2C1B3C6D) & 0x7FFFFFFF
    mixed = ((mixed ^ (mixed >> 15) ^ ((word >> 32) & 0xFFFFFFFF)) * 0x297A2D39) & 0x7FFFFFFF
    return mixed ^ (mixed >> 13)


@inlined
def same_words(a, b, count):
    """Whether the first `count` words of two packed texts are equal."""
    for i in range(count):
        if a[i] != b[i]:
            return False
    return True


@inlined
def first_isin_slot(tables, isin):
    """Where the search for an ISIN begins."""
    return hash_word(hash_word(0, isin[0]), isin[1]) & (tables.isin_slots.shape[0] - 1)


@inlined
def find_instrument(tables, isin):
    """Row of an ISIN (packed words), or -1."""
    slots = tables.isin_slots
    mask = slots.shape[0] - 1
    slot = first_isin_slot(tables, isin)
    while slots[slot] != 0:
        row = slots[slot] - 1
        if same_words(tables.instruments[row]["isin"], isin, ISIN_WORDS):
            return row
        slot = (slot + 1) & mask
    return -1


@inlined
def clordid_slot(tables, session, clordid):
    """Slot of a session's ClOrdID(11): where it is, or the free one where it belongs."""
    slots = tables.clordid_slots
    mask = slots.shape[0] - 1
    slot = _first_slot(tables, session, clordid)
    while slots[slot] != 0:
        if slots[slot] > 0:
            order = tables.orders[slots[slot] - 1]
            if order["session"] == session and same_words(order["clordid"], clordid, CLORDID_WORDS):
                return slot
        elif was_replaced(tables.replaced[-slots[slot] - 1], session, clordid):
            return slot
        slot = (slot + 1) & mask
    return slot


@njit
def was_replaced(row, session, clordid):
    """Whether this ClOrdID(11) is an earlier one of an order."""
    return row["session"] == session and same_words(row["clordid"], clordid, CLORDID_WORDS)


@inlined
def _first_slot(tables, session, clordid):
    mixed = hash_word(0, session)
    for i in range(CLORDID_WORDS):
        if clordid[i] == 0:
            break
        mixed = hash_word(mixed, clordid[i])
    return mixed & (tables.clordid_slots.shape[0] - 1)


@inlined
def expect_order(tables, event):
    """Fetch what `clordid_slot` will look at: of all that an order reads, only this is far away."""
    prefetch(tables.clordid_slots, _first_slot(tables, event["session"], event["clordid"]))


@njit
def find_order(tables, session, clordid):
    """Row of the session's order that has or had this ClOrdID(11), or -1."""
    found = tables.clordid_slots[clordid_slot(tables, session, clordid)]
    if found < 0:
        return tables.replaced[-found - 1]["order_id"] - 1
    return found - 1


@njit
def rename_order(tables, order, clordid):
    """Give an order another ClOrdID(11), one that is not used; the one it had still names it.

    There is room: `tables.replaced` has a free row.
    """
    counters = tables.counters[0]
    index = counters["replaced"]
    counters["replaced"] = index + 1
    row = tables.replaced[index]
    row["session"] = order["session"]
    row["order_id"] = order["order_id"]
    slot = clordid_slot(tables, order["session"], order["clordid"])
    for i in range(CLORDID_WORDS):
        row["clordid"][i] = order["clordid"][i]
    tables.clordid_slots[slot] = -index - 1
    slot = clordid_slot(tables, order["session"], clordid)
    for i in range(CLORDID_WORDS):
        order["clordid"][i] = clordid[i]
    tables.clordid_slots[slot] = order["order_id"]


@njit
def quote_ref_slot(tables, ref):
    """Slot of a QuoteID(117) that we gave out: where it is, or the free one where it belongs."""
    slots = tables.quote_ref_slots
    mask = slots.shape[0] - 1
    mixed = 0
    for i in range(QUOTE_REF_WORDS):
        mixed = hash_word(mixed, ref[i])
    slot = mixed & mask
    while slots[slot] != 0:
        if same_words(tables.given_quotes[slots[slot] - 1]["quote_ref"], ref, QUOTE_REF_WORDS):
            return slot
        slot = (slot + 1) & mask
    return slot


@njit
def quote_req_slot(tables, session, quote_req_id):
    """The same of a session's QuoteReqID(131)."""
    slots = tables.quote_req_slots
    mask = slots.shape[0] - 1
    mixed = hash_word(0, session)
    for i in range(CLORDID_WORDS):
        mixed = hash_word(mixed, quote_req_id[i])
    slot = mixed & mask
    while slots[slot] != 0:
        given = tables.given_quotes[slots[slot] - 1]
        if given["session"] == session:
            if same_words(given["quote_req_id"], quote_req_id, CLORDID_WORDS):
                return slot
        slot = (slot + 1) & mask
    return slot


@njit
def enter_given(tables, index):
    """Put a quote on request into both indexes; of one QuoteReqID(131) the newest counts."""
    given = tables.given_quotes[index]
    tables.quote_ref_slots[quote_ref_slot(tables, given["quote_ref"])] = index + 1
    slot = quote_req_slot(tables, given["session"], given["quote_req_id"])
    tables.quote_req_slots[slot] = index + 1


@njit
def find_venue(tables, mic):
    """Row of a venue, or -1."""
    for row in range(tables.counters[0]["venues"]):
        if tables.venues[row]["mic"] == mic:
            return row
    return -1


@njit
def apply_row(tables, table_id, index, buffer, offset):
    """Put the row bytes at `buffer[offset:]` into a table, as the journal's TABLE_ROW says.

    The caller has validated the row (`check_row`); a new ISIN is entered into the index.
    """
    counters = tables.counters[0]
    counters["edition"] += 1
    if table_id == PARAMS:
        apply_params(tables, index, buffer, offset)
    elif table_id == REGIME:
        get_record(tables.regimes[index], buffer, offset)
        counters["regimes"] = max(counters["regimes"], index + 1)
    elif table_id == TICK:
        get_record(tables.ticks[index], buffer, offset)
    elif table_id == VENUE:
        get_record(tables.venues[index], buffer, offset)
        counters["venues"] = max(counters["venues"], index + 1)
    elif table_id == CLIENT:
        get_record(tables.clients[index], buffer, offset)
        counters["clients"] = max(counters["clients"], index + 1)
    elif table_id == INSTRUMENT:
        get_record(tables.instruments[index], buffer, offset)
        counters["instruments"] = max(counters["instruments"], index + 1)
        isin = tables.instruments[index]["isin"]
        if find_instrument(tables, isin) < 0:
            enter_isin(tables, isin, index)
    elif table_id == POLICY_RULE:
        get_record(tables.policy_rules[index], buffer, offset)
    elif table_id == POOL:
        get_record(tables.pools[index], buffer, offset)
        counters["pools"] = max(counters["pools"], index + 1)
    elif table_id == LIMIT_CHANGE:
        get_record(tables.limit_changes[index], buffer, offset)


@njit
def enter_isin(tables, isin, row):
    """Put an ISIN that is not there into the index."""
    slots = tables.isin_slots
    mask = slots.shape[0] - 1
    slot = first_isin_slot(tables, isin)
    while slots[slot] != 0:
        slot = (slot + 1) & mask
    slots[slot] = row + 1


#: What an instrument's row must keep to; the engine multiplies and indexes by these.
INSTRUMENT_BOUNDS = {
    "asset_class": (0, 5),
    "mrm_venue": (0, VENUES_MAX - 1),
    "si": (0, 1),
    "liquid": (0, 1),
    "sms_e6": (0, SMS_E6_MAX),
    "lis_e6": (0, INT64_MAX // 4),
    "tick_band": (0, TICK_BANDS),
    "lot": (1, 10**9),
    "eur_per_unit_e9": (1, EUR_PER_UNIT_E9_MAX),
    "order_max_e6": (0, INT64_MAX // 4),
    "position_max_e6": (0, INT64_MAX // 4),
}


def check_instruments(rows: Any) -> None:
    """Raise ValueError, naming ISIN, field and value, for the first row out of bounds."""
    for field, (low, high) in INSTRUMENT_BOUNDS.items():
        values = rows[field]
        bad = (values < low) | (values > high)
        if bad.any():
            row = rows[int(bad.argmax())]
            raise ValueError(
                f"instrument {schema.unpack(row['isin'])}: {field} {row[field]} "
                f"is not within {low}..{high}"
            )


def outside_table(tables: Tables, table_id: int) -> Any:
    """A table that only rows from outside change, by its number in a TABLE_ROW."""
    return (
        tables.params,
        tables.regimes,
        tables.ticks,
        tables.venues,
        tables.clients,
        tables.instruments,
        tables.policy_rules,
        tables.pools,
        tables.limit_changes,
    )[table_id - 1]


def check_row(tables: Tables, table_id: int, index: int, row: Any) -> None:
    """Raise ValueError, naming field and value, for a row the engine could not live with."""
    table = outside_table(tables, table_id)
    if not 0 <= index < len(table):
        raise ValueError(f"row {index} of table {table_id}: it has {len(table)} rows")
    if table_id == PARAMS:
        check_params(row)
    if table_id == CLIENT:
        for field, count in (("tier", TIERS), ("pool", POOLS)):
            if not 0 <= row[field] < count:
                raise ValueError(f"{field} {row[field]} is not within 0..{count - 1}")
    if table_id == INSTRUMENT:
        check_instruments(np.asarray(row).reshape(1))
        known = int(find_instrument(tables, row["isin"]))
        if known not in (-1, index):
            raise ValueError(f"ISIN {schema.unpack(row['isin'])} is row {known} already")
        if index < tables.counters[0]["instruments"]:
            old = tables.instruments[index]["isin"]
            if list(old) != list(row["isin"]):
                raise ValueError(f"instrument row {index} is {schema.unpack(old)}: rows are kept")


def set_row(tables: Tables, table_id: int, index: int, row: Any) -> None:
    """Check a row and put it into its table. Raises ValueError."""
    check_row(tables, table_id, index, row)
    data = np.frombuffer(row.tobytes(), np.uint8).copy()
    apply_row(tables, table_id, index, data, 0)


def used_rows(tables: Tables) -> list[tuple[str, Any]]:
    """The part of each table that is state: what a snapshot keeps and the state hash covers."""
    counters = tables.counters[0]
    instruments = int(counters["instruments"])
    clients = int(counters["clients"])
    return [
        ("params", tables.params),
        ("counters", tables.counters),
        ("regimes", tables.regimes),
        ("ticks", tables.ticks),
        ("venues", tables.venues),
        ("clients", tables.clients[:clients]),
        ("pools", tables.pools[: int(counters["pools"])]),
        ("instruments", tables.instruments[:instruments]),
        ("venue_books", tables.venue_books[: instruments * VENUES_MAX]),
        ("venue_states", tables.venue_states),
        ("quotes", tables.quotes[:instruments]),
        ("quote_versions", tables.quote_versions[: instruments * VERSIONS_MAX]),
        ("sources", tables.sources[:instruments]),
        ("waiting", tables.waiting[: int(counters["waiting"])]),
        ("positions", tables.positions[:instruments]),
        ("client_use", tables.client_use[:clients]),
        ("orders", tables.orders[: int(counters["orders"])]),
        ("desk_items", tables.desk_items[: int(counters["desk_items"])]),
        ("replaced", tables.replaced[: int(counters["replaced"])]),
        ("echoes", tables.echoes[: int(counters["desk_items"])]),
        ("given_quotes", tables.given_quotes[: int(counters["given_quotes"])]),
        ("policy_rules", tables.policy_rules),
        ("limit_changes", tables.limit_changes),
        ("volatility", tables.volatility[:instruments]),
        ("markouts", tables.markouts[:clients]),
        ("marked_fills", tables.marked_fills[: int(counters["marked_fills"])]),
        ("flow", tables.flow),
        ("repeats", tables.repeats),
    ]


def state_hash(tables: Tables) -> str:
    """SHA-256 over all state; equal for equal histories, compiled or interpreted."""
    digest = hashlib.sha256()
    for name, rows in used_rows(tables):
        digest.update(f"{name}:{len(rows)}".encode())
        digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()


def rebuild_indexes(tables: Tables) -> None:
    """Fill the indexes from the tables, after a snapshot was loaded."""
    tables.isin_slots[:] = 0
    tables.clordid_slots[:] = 0
    tables.quote_ref_slots[:] = 0
    tables.quote_req_slots[:] = 0
    _rebuild(tables)


@njit
def _rebuild(tables):
    for index in range(tables.counters[0]["instruments"]):
        enter_isin(tables, tables.instruments[index]["isin"], index)
    for index in range(tables.counters[0]["orders"]):
        order = tables.orders[index]
        slot = clordid_slot(tables, order["session"], order["clordid"])
        tables.clordid_slots[slot] = index + 1
    for index in range(tables.counters[0]["replaced"]):
        row = tables.replaced[index]
        slot = clordid_slot(tables, row["session"], row["clordid"])
        tables.clordid_slots[slot] = -index - 1
    for index in range(tables.counters[0]["given_quotes"]):
        enter_given(tables, index)
