"""A bare echo: epoll_wait, recv, send with the engine's sizes and nothing between.

Run as `python -m bench.echo REQUEST_SIZE REPLY_SIZE CPU`; it prints its port.
"""

import os
import socket
import sys
from select import epoll

import numpy as np

from engine.jit import njit
from gateway import syscalls as sc


@njit
def serve(epoll_fd, fd, request_size, message, events, buffer):
    """Answer each `request_size` bytes with `message` until the peer is gone."""
    got = 0
    while True:
        if sc.epoll_wait(epoll_fd, events.ctypes.data, 16, 0) <= 0:
            continue
        received = sc.recv(fd, buffer.ctypes.data, buffer.shape[0], sc.MSG_DONTWAIT)
        if received == 0:
            return
        got += max(received, 0)
        while got >= request_size:
            got -= request_size
            sc.send(fd, message.ctypes.data, message.shape[0], sc.MSG_NOSIGNAL)


def main() -> None:
    """Serve one connection."""
    request_size, reply_size, cpu = (int(word) for word in sys.argv[1:4])
    message = np.full(reply_size, 32, np.uint8)
    message[-7:] = np.frombuffer(b"10=000\x01", np.uint8)
    if cpu < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {cpu})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setblocking(False)
        with epoll() as poll:
            sc.watch(poll.fileno(), peer.fileno(), 0)
            events, buffer = np.zeros(64, np.int32), np.zeros(65_536, np.uint8)
            serve(poll.fileno(), peer.fileno(), request_size, message, events, buffer)


if __name__ == "__main__":
    main()
