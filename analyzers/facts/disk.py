"""File systems: space, inodes, and how they are mounted."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class Usage:
    """One line of ``df``: in KiB for space, in inodes for inodes."""

    at: Line
    device: str
    total: int
    used: int
    available: int
    mount: str

    @property
    def percent(self) -> int | None:
        """As df reckons it, rounded up; ``None`` for a file system without a size."""
        whole = self.used + self.available
        return -(-100 * self.used // whole) if whole > 0 else None

    @property
    def full(self) -> bool:
        """Nothing left but what the file system keeps in reserve for root (ext4: 5 %)."""
        return self.total > 0 and self.available <= 0

    @property
    def exhausted(self) -> bool:
        """Full for root too: used reaches total."""
        return self.total > 0 and self.used >= self.total


@dataclass(frozen=True, slots=True)
class Disk:
    """The file systems that hold ``/``, the agent's folders and ``/tmp``; each once."""

    usages: tuple[Usage, ...] = ()

    @property
    def full(self) -> tuple[Usage, ...]:
        return tuple(usage for usage in self.usages if usage.full)


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of ``/proc/mounts``."""

    at: Line
    device: str
    path: str
    kind: str
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options

    @property
    def noexec(self) -> bool:
        return "noexec" in self.options


@dataclass(frozen=True, slots=True)
class Mounts:
    mounts: tuple[Mount, ...] = ()

    def holding(self, path: str) -> Mount | None:
        """The file system that ``path`` lies on, among those collected; the last of several on one point."""
        found: Mount | None = None
        for mount in self.mounts:
            inside = path == mount.path or path.startswith(mount.path.rstrip("/") + "/")
            if inside and (found is None or len(mount.path) >= len(found.path)):
                found = mount
        return found
