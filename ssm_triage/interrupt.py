"""Ctrl-C: the first ends a sweep gently, the second at once."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Within this, the first SIGINT or SIGTERM sets ``stop``; the second raises ``KeyboardInterrupt``.

    A handler runs between any two steps of the main thread, which may hold the very lock that ``stop`` or
    ``say`` waits for; so a thread of its own does what the first signal asks.
    """

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self.asked = False
        """Whether somebody asked to stop."""
        self._stop = stop
        self._say = say
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()  # whose ``put`` a handler may call
        self._thread = threading.Thread(target=self._heed, name="interrupts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._bell.put(False)
        self._thread.join()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._bell.put(True)

    def _heed(self) -> None:
        while self._bell.get():
            self._stop.set()
            self._say("stopping: hosts under way are finished, no other is begun; once more to stop at once")
