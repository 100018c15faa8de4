"""Ctrl-C: the first ends a sweep gently, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def gently(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """Within this, the first SIGINT or SIGTERM sets ``stop``; the second raises ``KeyboardInterrupt``."""

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("stopping: hosts under way are finished, no other is begun; once more to stop at once")

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
