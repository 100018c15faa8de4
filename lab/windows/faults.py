"""Faults to order: which message of which kind goes wrong, and how."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    """What can go wrong with a message."""

    DROP_UNSEEN = "drop-unseen"
    """The connection ends before the host has looked at it."""
    DROP_UNANSWERED = "drop-unanswered"
    """It is done, and the connection ends without an answer."""
    DROP_ANSWERED = "drop-answered"
    """The connection ends right after the answer."""
    CUT_ANSWER = "cut-answer"
    """The connection ends in the middle of the answer."""
    BUSY = "busy"
    """Fault 170: not taken, ask again."""
    TIMED_OUT = "timed-out"
    DENIED = "denied"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    """HTTP 503, as of a service that is stopping."""
    GARBAGE = "garbage"
    """An answer that is no XML."""
    STRANGE = "strange"
    """An answer that is XML, and has nothing in it that should be."""
    HANG = "hang"
    """No answer, ever."""
    UNAUTHORIZED = "unauthorized"
    """HTTP 401 in the middle of things, that asks for nothing."""
    LOGGED_OUT = "logged-out"
    """The login does not count any more: HTTP 401, and the host asks for another."""
    FLOOD = "flood"
    """An answer without an end."""


@dataclass(frozen=True)
class Fault:
    """``trouble`` for the ``first`` to ``last`` message of this ``action``."""

    action: str
    trouble: Trouble
    first: int = 1
    last: int = 1


@dataclass
class Faults:
    """The faults of one host, counted; safe for many threads."""

    ordered: tuple[Fault, ...] = ()
    seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> Faults:
        return cls(tuple(faults))

    def next(self, action: str) -> Trouble | None:
        """Count one message, and say what is to go wrong with it."""
        with self._lock:
            self.seen[action] += 1
            number = self.seen[action]
            hits = (f.trouble for f in self.ordered if f.action == action and f.first <= number <= f.last)
            return next(hits, None)
