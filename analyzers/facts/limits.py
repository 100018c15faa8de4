"""What the kernel hands out by the piece: inotify watches, file descriptors, memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line, integer, lines_of, record_line, records_of, utc
from collector.evidence.records import Record


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


# Reading -------------------------------------------------------------------------------------------------


def parse_inotify(output: bytes, source: str = "probes/inotify") -> Inotify | None:
    """Of the ``inotify`` probe."""
    record = next(records_of(output), None)
    if record is None:
        return None
    keys = ("max_user_watches", "max_user_instances", "max_queued_events", "root_watches", "root_instances")
    return Inotify(record_line(record, source), *(integer(record.get(key)) for key in keys))


def parse_file_limits(output: bytes, source: str = "probes/fd-limits") -> FileLimits | None:
    """Of the ``fd-limits`` probe; a limit that is no number (``unlimited``) is none."""
    system: Record | None = None
    processes = []
    for record in records_of(output):
        pid = integer(record.name.removeprefix("pid "))
        if record.name == "system":
            system = record
        elif record.name.startswith("pid ") and pid is not None:
            soft, hard, used = (integer(record.get(key)) for key in ("soft", "hard", "used"))
            processes.append(ProcessFiles(record_line(record, source), pid, soft, hard, used))
    if system is None:
        return FileLimits(None, processes=tuple(processes)) if processes else None
    allocated, maximum = integer(system.get("file_nr")), integer(system.get("file_max"))
    return FileLimits(record_line(system, source), allocated, maximum, tuple(processes))


_LOAD = re.compile(r"([0-9]+\.[0-9]+) ([0-9]+\.[0-9]+) ([0-9]+\.[0-9]+) [0-9]+/[0-9]+ [0-9]+")


def parse_memory(output: bytes, source: str = "probes/memory") -> Memory | None:
    """Of ``/proc/meminfo`` with ``/proc/loadavg`` behind it."""
    values: dict[str, int] = {}
    at: Line | None = None
    load = None
    for line in lines_of(output, source):
        key, _, rest = line.text.partition(":")
        size = integer(rest.strip().removesuffix("kB"))
        if size is not None:
            values[key] = size
            if key == "MemAvailable" or at is None:
                at = line
        found = _LOAD.fullmatch(line.text.strip()[:200])
        if found:
            one, five, fifteen = (float(found[i][:20]) for i in (1, 2, 3))
            load = (one, five, fifteen)
    if at is None:
        return None
    total, free, available = (values.get(key) for key in ("MemTotal", "MemFree", "MemAvailable"))
    return Memory(at, total, free, available, values.get("SwapTotal"), values.get("SwapFree"), load)


_KILLED = re.compile(r"Kill(?:ed)? process ([0-9]{1,9})[ ,]+\(?([^\s()]{1,64})")


def parse_oom(output: bytes, source: str = "probes/oom") -> tuple[OomKill, ...]:
    """Of the kernel's lines: ``Out of memory: Killed process 1234 (ssm-agent-worke) total-vm:...``.

    Old kernels print "Kill process" and then "Killed process" for one kill: it is told once.
    """
    found: dict[tuple[str, str], OomKill] = {}
    for line in lines_of(output, source):
        match = _KILLED.search(line.text[:1000])
        if match:
            time = utc(line.text.split(" ", 1)[0])
            kill = OomKill(line, match[2], integer(match[1]), time)
            found.setdefault((match[1], match[2]), kill)
    return tuple(found.values())
