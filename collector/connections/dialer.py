"""All TCP connections of a sweep at once, in one thread, so that a dead host costs nobody else time."""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from collector.connections.connector import Endpoint
from collector.connections.failures import not_connected
from collector.connections.sockets import Address, resolve
from collector.errors import ConnectionFailed

Done = Callable[[socket.socket | ConnectionFailed], None]
"""Told once how it went; must neither raise nor block."""

_LIMIT = 512
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY}


@dataclass(eq=False)
class _Attempt:
    endpoint: Endpoint
    addresses: deque[Address]
    done: Done
    sock: socket.socket | None = None
    expires: float = field(default=0.0)


class Dialer:
    """Connects to many endpoints at the same time, to the addresses of each in turn.

    At most ``limit`` sockets are connecting or waiting to be taken (see ``taken``).
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._queue: deque[_Attempt] = deque()
        self._waiting = 0
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        os.set_blocking(self._wake_reader, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._live: set[_Attempt] = set()
        self._expiring: list[tuple[float, int, _Attempt]] = []
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name="dialer", daemon=True)
        self._thread.start()

    def dial(self, endpoint: Endpoint, done: Done) -> None:
        """Look the name up, here and now, and connect in the background; ``done`` hears of either."""
        try:
            addresses = resolve(endpoint.host, endpoint.port)
        except ConnectionFailed as failure:
            done(failure)
            return
        with self._lock:
            self._queue.append(_Attempt(endpoint, deque(addresses), done))
        self._wake()

    def taken(self) -> None:
        """Somebody took a connected socket over: there is room for one more."""
        with self._lock:
            self._waiting -= 1
            is_full = self._waiting + len(self._live) >= self._limit - 1
        if is_full:
            self._wake()

    def close(self) -> None:
        """Stop dialling; what is still connecting is given up without a word."""
        self._closed = True
        self._wake()
        self._thread.join(2.0)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is awake already, or gone
            os.write(self._wake_writer, b"!")

    def _run(self) -> None:
        try:
            while not self._closed:
                self._start_what_fits()
                for key, _ in self._selector.select(self._seconds_to_next()):
                    if key.data is None:
                        os.read(self._wake_reader, 4096)
                    else:
                        self._settle(key.data)
                self._expire()
        finally:
            for attempt in self._live:
                if attempt.sock is not None:
                    attempt.sock.close()
            self._selector.close()
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _start_what_fits(self) -> None:
        while True:
            with self._lock:
                if not self._queue or self._waiting + len(self._live) >= self._limit:
                    return
                attempt = self._queue.popleft()
                self._live.add(attempt)
            self._try_next_address(attempt, None)

    def _try_next_address(self, attempt: _Attempt, last: OSError | None) -> None:
        while attempt.addresses:
            family, address = attempt.addresses.popleft()
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setblocking(False)
                code = sock.connect_ex(address)
            except OSError as error:
                last = error
                continue
            if code and code not in _IN_PROGRESS:
                sock.close()
                last = OSError(code, os.strerror(code))
                continue
            attempt.sock = sock
            attempt.expires = time.monotonic() + attempt.endpoint.timeout_s
            heapq.heappush(self._expiring, (attempt.expires, next(self._numbers), attempt))
            self._selector.register(sock, selectors.EVENT_WRITE, attempt)
            return
        where = f"{attempt.endpoint.host} port {attempt.endpoint.port}"
        self._finish(attempt, not_connected(where, last, attempt.endpoint.timeout_s))

    def _settle(self, attempt: _Attempt) -> None:
        sock = self._detach(attempt)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            self._finish(attempt, sock)
            return
        sock.close()
        self._try_next_address(attempt, OSError(code, os.strerror(code)))

    def _expire(self) -> None:
        now = time.monotonic()
        while self._expiring and self._expiring[0][0] <= now:
            expires, _, attempt = heapq.heappop(self._expiring)
            if attempt.sock is not None and attempt.expires == expires:
                self._detach(attempt).close()
                self._try_next_address(attempt, OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def _detach(self, attempt: _Attempt) -> socket.socket:
        sock, attempt.sock = attempt.sock, None
        assert sock is not None  # noqa: S101  # only called for an attempt under way
        self._selector.unregister(sock)
        return sock

    def _finish(self, attempt: _Attempt, result: socket.socket | ConnectionFailed) -> None:
        with self._lock:
            self._live.discard(attempt)
            if isinstance(result, socket.socket):
                self._waiting += 1
        attempt.done(result)

    def _seconds_to_next(self) -> float | None:
        if not self._expiring:
            return None
        return max(0.0, self._expiring[0][0] - time.monotonic())
