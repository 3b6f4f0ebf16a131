"""What the loop does before it is needed, so that no order waits for the file system or for memory.

The journal's next pages are mapped, the segment after this one is written with zeros (a page of a
file that has its blocks is mapped six times as fast as one just allocated, and it hardly ever waits
for ext4's own journal), and the lines that the next order will write are brought into the cache.
"""

from engine.jit import njit, poke_word
from engine.limits import SEGMENT_SIZE
from gateway import syscalls as sc
from gateway.wire import SPARE_CHUNK

PAGE = 4096
LINE = 64
MAP_CHUNK = 1 << 20
MAPPED_MIN = 64 << 10  # bytes of journal in memory ahead of the writer, always
MAPPED_BUSY = 2 << 20  # the same whenever nothing is to be done
MAPPED_IDLE = 8 << 20  # and when nothing has been for a while
SPARE_LEAD = 4 << 20  # how much further than this one it is, when orders leave little time
IDLE_LONG = 1_000  # polls in a row that brought nothing
FRAMES = 2048  # bytes that an order and its fill usually take


@njit
def while_idle(tables, wire, journal, idle):
    """One piece of work after the `idle`th poll in a row that brought nothing."""
    if idle == 1:
        _warm(tables, journal)
        return
    state = journal.writer[0]
    if state["mapped"] - state["offset"] < (MAPPED_IDLE if idle > IDLE_LONG else MAPPED_BUSY):
        map_ahead(journal)
    if state["spare"] < SEGMENT_SIZE and (
        idle > IDLE_LONG or state["spare"] < state["offset"] + SPARE_LEAD
    ):
        _write_spare(wire, state)


@njit
def map_ahead(journal):
    """Bring the next chunk of the journal into memory.

    Large and seldom: ext4 pays by the folio, so 64 KiB at a time delayed four times as many orders,
    and one page at a time made p99 twice that of a bare echo.
    """
    state = journal.writer[0]
    mapped = max(state["mapped"], state["offset"] // PAGE * PAGE)
    size = min(MAP_CHUNK, journal.buffer.shape[0] - mapped)
    if size > 0:
        start = journal.buffer.ctypes.data + mapped
        sc.madvise(start, size, sc.MADV_POPULATE_WRITE)  # older kernels: pages come when written
    state["mapped"] = mapped + MAP_CHUNK  # beyond the end: there is nothing more to map


@njit
def _write_spare(wire, state):
    """Zeros into the next segment; where that fails the segment is what it was, allocated."""
    size = min(SPARE_CHUNK, SEGMENT_SIZE - state["spare"])
    sc.pwrite(wire.loop[0]["spare_fd"], wire.zeros.ctypes.data, size, state["spare"])
    state["spare"] += size


@njit
def _warm(tables, journal):
    """Lines that are zero now and that the next order writes: writing the zero fetches them."""
    state = journal.writer[0]
    start = state["offset"]
    for at in range(start, min(start + FRAMES, state["mapped"], journal.buffer.shape[0]), LINE):
        poke_word(journal.buffer, at, 0)
    index = tables.counters[0]["orders"]
    if index < tables.orders.shape[0]:
        order = tables.orders[index]
        order["order_id"] = 0  # one field of each of its lines
        order["clordid"][4] = 0
        order["limit_px_e6"] = 0
        order["reason_limit"] = 0
        order["expire_ns"] = 0
