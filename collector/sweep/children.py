"""What processes of ours have in common: started anew, never forked, and deaf to the terminal's signals."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def signals_held() -> Iterator[None]:
    """While a child starts, a Ctrl-C waits: the child inherits the mask, and is deaf before it lifts it."""
    resource_tracker.ensure_running()  # started with the first child, it would lift the mask set here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def deaf_to_signals() -> None:
    """Ctrl-C and SIGTERM reach the whole group of processes; what they mean is for the parent to say.

    Called by a child first of all.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
