"""How fast connections may be begun at one place: an address, or a jump host.

sshd drops connections at random once ten have not logged in yet (``MaxStartups 10:30:100``), and a server
that is at its limit is helped by nobody who comes back at once.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from collector.connections.connector import Endpoint
from collector.errors import TriageError
from collector.sweep.model import SweepSettings

Begin = Callable[[], None]
"""Called once, in whichever thread finds room; must neither raise nor block."""

_LOGINS_AT_ONCE = 8
"""To one address; below sshd's own default of ten."""
_TUNNELS_AT_ONCE = 128
"""That are being made through one jump host, or wait for a worker; each takes a thread meanwhile."""
_FIRST_FEW = 8
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_LOOK_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections are begun, and what it bears."""

    name: str
    limit: int
    """Of those that have entered and not left."""
    rate: float | None = None
    """Entries per second, once a first few have entered; ``None``: as many as there is room for."""


def door_to(endpoint: Endpoint, settings: SweepSettings) -> Place:
    """Held by a host from the first packet until we are logged in, or turned away."""
    if endpoint.jump:
        return Place(f"the door of {endpoint.jump}", _TUNNELS_AT_ONCE, settings.rate)
    return Place(f"{endpoint.host} port {endpoint.port}", _LOGINS_AT_ONCE, settings.rate)


def room_behind(endpoint: Endpoint, settings: SweepSettings) -> Place | None:
    """Held by a host while it is worked on, if it is behind a jump host."""
    return Place(f"behind {endpoint.jump}", settings.per_jump) if endpoint.jump else None


@dataclass(slots=True)
class _Queue:
    limit: int
    waiting: deque[Begin] = field(default_factory=deque)
    inside: int = 0
    opens_at: float = -inf
    is_alarmed: bool = False


class Pacer:
    """Lets everybody in as soon as a place has room.  For many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: dict[Place, _Queue] = {}
        self._alarms: list[tuple[float, int, Begin]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def enter(self, place: Place, begin: Begin) -> None:
        """Call ``begin`` when ``place`` has room: here and now, or later."""
        with self._changed:
            self._queue(place).waiting.append(begin)
        self._admit(place)

    def leave(self, place: Place) -> None:
        """Somebody who had entered makes room."""
        with self._changed:
            self._queue(place).inside -= 1
        self._admit(place)

    @contextmanager
    def inside(self, place: Place) -> Iterator[None]:
        """Wait for room in this thread, and hold it meanwhile.

        Raises:
            TriageError: closed, so that nobody is let in any more.
        """
        entered = threading.Event()
        self.enter(place, entered.set)
        while not entered.wait(_LOOK_UP_S):
            if self._closed:
                raise TriageError("the sweep has ended")
        try:
            yield
        finally:
            self.leave(place)

    def refused(self, place: Place) -> None:
        """The place was full although we kept to its limit: let in fewer at a time, and none for a while."""
        with self._changed:
            queue = self._queue(place)
            queue.limit = max(1, queue.limit // 2)
            queue.opens_at = max(queue.opens_at, time.monotonic() + back_off(0))

    def later(self, seconds: float, begin: Begin) -> None:
        """Call ``begin`` after a while."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._alarms, (time.monotonic() + seconds, next(self._numbers), begin))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Nobody else is let in."""
        with self._changed:
            self._closed = True
            self._alarms.clear()
            self._queues.clear()
            self._changed.notify()

    def _queue(self, place: Place) -> _Queue:
        return self._queues.setdefault(place, _Queue(place.limit))

    def _admit(self, place: Place) -> None:
        while (begin := self._next(place)) is not None:
            begin()

    def _next(self, place: Place) -> Begin | None:
        """Who may enter now; where only time is in the way, an alarm is set."""
        with self._changed:
            queue = self._queue(place)
            if self._closed or not queue.waiting or queue.inside >= queue.limit:
                return None
            now = time.monotonic()
            if queue.opens_at <= now:
                queue.inside += 1
                if place.rate is not None:
                    # A bucket that holds a few entries: these at once, then one after the other.
                    full = now - _FIRST_FEW / place.rate
                    queue.opens_at = max(queue.opens_at, full) + 1 / place.rate
                return queue.waiting.popleft()
            if queue.is_alarmed:
                return None
            queue.is_alarmed, wait = True, queue.opens_at - now
        self.later(wait, lambda: self._open(place))
        return None

    def _open(self, place: Place) -> None:
        with self._changed:
            self._queue(place).is_alarmed = False
        self._admit(place)

    def _run(self) -> None:
        while (begin := self._due()) is not None:
            begin()

    def _due(self) -> Begin | None:
        with self._changed:
            while not self._closed:
                wait = self._alarms[0][0] - time.monotonic() if self._alarms else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._alarms)[2]
                self._changed.wait(wait)
        return None


def back_off(tries: int) -> float:
    """Seconds to wait after so many refusals: twice as long each time, and never two alike (jitter)."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**tries) * random.uniform(0.5, 1.5)  # noqa: S311  # no secret
