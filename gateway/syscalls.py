"""libc calls that compiled code makes itself, with the GIL released.

Pointers are passed as integers (`array.ctypes.data`). Connection errors are read from epoll's
flags, so errno is never needed. Compiled code names libc's symbols, which numba can cache on disk
(it cannot cache the address in a ctypes pointer); interpreted code calls them through ctypes.
"""

import ctypes
from typing import Any

from numba import types

from engine.jit import JIT, inlined

_libc = ctypes.CDLL(None)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    if JIT:
        return types.ExternalFunction(name, result(*arguments))
    kinds = {types.int32: ctypes.c_int, types.int64: ctypes.c_int64}
    function = getattr(_libc, name)
    function.restype = kinds[result]
    function.argtypes = [kinds[argument] for argument in arguments]
    return function


recv = _function("recv", types.int64, types.int32, types.int64, types.int64, types.int32)
send = _function("send", types.int64, types.int32, types.int64, types.int64, types.int32)
epoll_wait = _function(
    "epoll_wait", types.int32, types.int32, types.int64, types.int32, types.int32
)
epoll_ctl = _function("epoll_ctl", types.int32, types.int32, types.int32, types.int32, types.int64)
ppoll = _function("ppoll", types.int32, types.int64, types.int64, types.int64, types.int64)
madvise = _function("madvise", types.int32, types.int64, types.int64, types.int32)
pwrite = _function("pwrite", types.int64, types.int32, types.int64, types.int64, types.int64)
fdatasync = _function("fdatasync", types.int32, types.int32)
_clock_gettime = _function("clock_gettime", types.int32, types.int32, types.int64)

MSG_DONTWAIT = 0x40
MSG_NOSIGNAL = 0x4000
MADV_POPULATE_WRITE = 23
EPOLLIN = 0x1
EPOLLOUT = 0x4
EPOLLERR = 0x8
EPOLLHUP = 0x10
EPOLL_CTL_ADD = 1
EPOLL_CTL_MOD = 3
EPOLL_EVENT_WORDS = 3  # packed on x86-64: events, then two halves of the user's data

CLOCK_REALTIME = 0


@inlined
def now_ns(timespec):
    """UTC nanoseconds since the epoch; `timespec` is int64[2] scratch."""
    _clock_gettime(CLOCK_REALTIME, timespec.ctypes.data)
    return timespec[0] * 1_000_000_000 + timespec[1]


def watch(epoll_fd: int, fd: int, source: int) -> None:
    """Add a file descriptor to an epoll set, from Python; `source` is what its events will say."""
    event = (ctypes.c_uint32 * EPOLL_EVENT_WORDS)(EPOLLIN, source & 0xFFFFFFFF, 0)
    result = _libc.epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, ctypes.byref(event))
    assert result == 0, "epoll_ctl cannot fail for a socket just made"
