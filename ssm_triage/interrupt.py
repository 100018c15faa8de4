"""Ctrl-C: the first ends a sweep gently, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Within this, the first SIGINT or SIGTERM sets ``stop``; the second raises ``KeyboardInterrupt``."""

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self.asked = False
        """Whether somebody asked to stop."""
        self._stop = stop
        self._say = say

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._stop.set()
        self._say("stopping: hosts under way are finished, no other is begun; once more to stop at once")
