"""The words of a sweep: how it is run, what comes of each host, and what it tells on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from collector.connections.base import Connection, Deadline
from collector.connections.settings import SshSettings, WinrmSettings
from collector.errors import ConnectionFailed
from collector.evidence.model import ConnectionFacts
from collector.target import Target

T = TypeVar("T")

LAST_WORDS_S = 5.0
"""How long a sweep that fails waits for the hosts under way, in seconds."""

Collect = Callable[[Connection, Target, Deadline], T]
"""What is done with an open connection; nothing of the host outlives the deadline."""


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """How a sweep is run; picklable.  Times are in seconds."""

    forks: int = 10
    """Hosts that are worked on at the same time."""
    host_deadline_s: float = 300.0
    """For one host, from login to the last byte."""
    ssh: SshSettings = field(default_factory=SshSettings)
    winrm: WinrmSettings = field(default_factory=WinrmSettings)
    per_jump: int = 64
    """Hosts that are worked on at the same time behind one jump host."""
    rate: float = 50.0
    """New connections per second through one jump host, or to one address, once the first few are made."""
    refusals: int = 6
    """How often a server that is at its limit (``MaxStartups``) is tried again."""

    def shared_by(self, processes: int) -> SweepSettings:
        """What each of so many processes keeps to, so that together they keep to what a server is given."""
        return replace(self, per_jump=-(-self.per_jump // processes), rate=self.rate / processes)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one host: a value, or the way in which it failed."""

    target: Target
    started: datetime
    """UTC."""
    finished: datetime
    value: T | None = None
    failure: ConnectionFailed | None = None
    seconds: float = 0.0
    """What it took, by a clock that nobody sets."""
    connection: ConnectionFacts | None = None
    """How the host was reached, if it was, even where the collection failed later."""


class Stage(StrEnum):
    """How far a host has come."""

    WORKING = "working"
    """A worker has begun with it."""
    WAITING = "waiting"
    """Its server was at its limit; it is tried again later."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Event:
    """Something for a progress display."""

    target: Target
    stage: Stage
    failure: ConnectionFailed | None = None


OnEvent = Callable[[Event], None]
"""Called in the thread that iterates over the outcomes."""


class Runner(Protocol):
    """An engine that does the unit of work for many hosts."""

    def run(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> Iterator[Event | Outcome[T]]:
        """Outcomes in the order in which hosts finish, with the events between them.

        Once ``stop`` is set no further host is begun; those under way are finished.  Closing the iterator
        ends all work at once.

        Raises:
            TriageError: what concerns the whole sweep, such as a configuration that is not valid.
        """
        ...
