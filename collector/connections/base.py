"""The seam between a host and everything that is asked of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from collector.evidence.model import ConnectionFacts

Sink = Callable[[bytes], None]
"""Takes the bytes of the answer as they come.  An exception from it ends the run and passes through."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment that nothing outlives, on the monotonic clock (seconds)."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or ``seconds`` from now, whichever comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a script ended.  ``exit_code`` is ``None`` where the host never said."""

    exit_code: int | None
    received: int
    """Bytes of standard output that came."""
    stderr: bytes
    """At most the first 64 KiB."""
    truncated: bool = False
    """Whether the byte limit cut the answer."""


class Connection(Protocol):
    """One open way into one host.  Used by one thread; closed exactly once."""

    @property
    def facts(self) -> ConnectionFacts: ...

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """Run ``script`` in the host's shell and hand its output to ``sink`` as it comes.

        Raises:
            ConnectionFailed: ``timeout`` at the deadline; ``protocol`` where the connection broke;
                ``shell`` where no shell would take the script.  What came before is in the sink.
        """
        ...

    def close(self) -> None:
        """Give everything back: channels, sockets, shells.  Never raises, never blocks for long."""
        ...
