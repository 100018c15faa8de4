"""What the kernel hands out by the piece: inotify watches, file descriptors, memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class Inotify:
    """inotify limits, and what root uses of them."""

    at: Line
    max_user_watches: int | None = None
    max_user_instances: int | None = None
    max_queued_events: int | None = None
    root_watches: int | None = None
    root_instances: int | None = None

    @property
    def watches_exhausted(self) -> bool | None:
        """Whether no watch is left for root (within a hundredth); ``None``: not known."""
        return _exhausted(self.root_watches, self.max_user_watches)

    @property
    def instances_exhausted(self) -> bool | None:
        return _exhausted(self.root_instances, self.max_user_instances)


@dataclass(frozen=True, slots=True)
class ProcessFiles:
    """File descriptors of one agent process."""

    at: Line
    pid: int
    soft: int | None
    hard: int | None
    used: int | None

    @property
    def exhausted(self) -> bool | None:
        return _exhausted(self.used, self.soft)


@dataclass(frozen=True, slots=True)
class FileLimits:
    """File descriptors, of the system and of each agent process."""

    at: Line | None
    allocated: int | None = None
    maximum: int | None = None
    processes: tuple[ProcessFiles, ...] = ()

    @property
    def exhausted(self) -> bool | None:
        """Whether the system as a whole has none left."""
        return _exhausted(self.allocated, self.maximum)


@dataclass(frozen=True, slots=True)
class Memory:
    """/proc/meminfo, in KiB, and the load."""

    at: Line
    """The line of what is available, or of the total."""
    total: int | None = None
    free: int | None = None
    available: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None
    load: tuple[float, float, float] | None = None
    """Over 1, 5 and 15 minutes."""

    @property
    def available_percent(self) -> float | None:
        have = self.available if self.available is not None else self.free
        return None if not self.total or have is None else 100 * have / self.total


@dataclass(frozen=True, slots=True)
class OomKill:
    """One kill of the kernel's out-of-memory killer."""

    at: Line
    process: str
    """``ssm-agent-work`` and its kin: the kernel cuts names at 15 characters."""
    pid: int | None = None
    time: datetime | None = None

    @property
    def of_agent(self) -> bool:
        return self.process.startswith(("ssm-", "amazon-ssm"))


def _exhausted(used: int | None, limit: int | None) -> bool | None:
    return None if used is None or not limit else used >= limit - limit // 100
