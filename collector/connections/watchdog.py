"""One thread that cuts what has outlived its deadline.

Paramiko waits in places without any timeout (``exec_command`` for the server's consent, ``ensure_session``,
``ProxyCommand``).  Whatever it waits for, it notices when its socket closes.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from collector.connections.base import Deadline


class Watchdog:
    """Calls back at a deadline, unless the work was done before.  One per run."""

    def __init__(self) -> None:
        self._wakeup = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._pending: set[int] = set()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def guard(self, deadline: Deadline, cut: Callable[[], None]) -> Iterator[None]:
        """Call ``cut`` if the block is not left before ``deadline``.  It must neither raise nor block."""
        number = self._add(deadline, cut)
        try:
            yield
        finally:
            with self._wakeup:
                self._pending.discard(number)

    def close(self) -> None:
        """End the thread; what is still guarded is no longer."""
        with self._wakeup:
            self._closed = True
            self._wakeup.notify()

    def _add(self, deadline: Deadline, cut: Callable[[], None]) -> int:
        with self._wakeup:
            number = next(self._numbers)
            self._pending.add(number)
            heapq.heappush(self._due, (deadline.at, number, cut))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif self._due[0][1] == number:
                self._wakeup.notify()
            return number

    def _watch(self) -> None:
        while (cut := self._next()) is not None:
            cut()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next deadline that somebody still cares for; ``None``: the run is over."""
        with self._wakeup:
            while not self._closed:
                while self._due and self._due[0][1] not in self._pending:
                    heapq.heappop(self._due)
                if not self._due:
                    self._wakeup.wait()
                    continue
                seconds = self._due[0][0] - time.monotonic()
                if seconds <= 0:
                    _, number, cut = heapq.heappop(self._due)
                    self._pending.discard(number)
                    return cut
                self._wakeup.wait(seconds)
            return None
