"""What an order touches, in few pages of memory: all smaller tables side by side in large ones.

An order reads and writes some sixty tables and buffers, each of which would be in a 4 KiB page or
two of its own; behind a system call the processor has forgotten most of these pages' places. The
largest tables are in large pages anyway: numpy asks the kernel for them from 4 MiB on. The
connections' buffers are in small ones.
"""

import mmap
from contextlib import suppress
from typing import Any

import numpy as np

from engine.handle import Handle

LARGE = 2 << 20
LINE = 64
MOVED_MAX = 4 << 20  # bytes of one table


def small(rows: int, size: int) -> Any:
    """uint8[rows, size] of zeros in pages of 4 KiB, the first of each row in memory.

    For buffers of which the beginning is used: a large page at the first byte of each would be two
    megabytes of zeros, 4 ms where memory is in pieces, while a client logs on and others wait.
    """
    memory = mmap.mmap(-1, rows * size)
    with suppress(OSError):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    made = np.frombuffer(memory, np.uint8).reshape(rows, size)
    made[:, 0] = 0
    return made


def gather(*handles: Handle) -> int:
    """Move the smaller tables of the handles into one block; answers its bytes.

    Right after they were allocated: who has an array of theirs by another name keeps the old one.
    """
    small = [
        (handle, name, array)
        for handle in handles
        for name, array in handle.items()
        if 0 < array.nbytes <= MOVED_MAX
    ]
    size = sum(-(-array.nbytes // LINE) * LINE for _, _, array in small)
    size = -(-size // LARGE) * LARGE
    memory = mmap.mmap(-1, size + LARGE)
    block = np.frombuffer(memory, np.uint8)
    at = -block.ctypes.data % LARGE
    with suppress(OSError):  # a kernel without them: the tables are near each other all the same
        memory.madvise(mmap.MADV_HUGEPAGE, at, size)
    for handle, name, array in small:
        moved = block[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
        moved[...] = array
        handle.put(name, moved)
        at += -(-array.nbytes // LINE) * LINE
    return int(size)
