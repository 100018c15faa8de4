"""File systems: space, inodes, and how they are mounted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzers.facts.base import Line, integer, lines_of


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


# Reading -------------------------------------------------------------------------------------------------


def parse_df(output: bytes, source: str) -> Disk:
    """Of ``df -Pk`` or ``df -Pi``; a file system that holds several of the folders comes once."""
    found: dict[str, Usage] = {}
    for line in lines_of(output, source):
        usage = _usage(line)
        if usage is not None:
            found.setdefault(usage.mount, usage)
    return Disk(tuple(found.values()))


def _usage(line: Line) -> Usage | None:
    """``/dev/nvme0n1p1 8376300 1980000 6396300 24% /``: the mount point may hold spaces, a device too."""
    words = line.text.split()
    for i in range(4, len(words) - 1):
        if (words[i] == "-" or integer(words[i].removesuffix("%")) is not None) and words[i + 1][:1] == "/":
            total, used, available = (integer(word) or 0 for word in words[i - 3 : i])
            return Usage(line, " ".join(words[: i - 3]), total, used, available, " ".join(words[i + 1 :]))
    return None


def parse_mounts(output: bytes, source: str = "probes/mounts") -> Mounts:
    """Of ``/proc/mounts``, where the kernel writes a space as ``\\040``."""
    found = []
    for line in lines_of(output, source):
        words = line.text.split(" ")
        if len(words) >= 4 and words[1].startswith("/"):
            device, path = (re.sub(r"\\([0-7]{3})", _octal, word) for word in words[:2])
            found.append(Mount(line, device, path, words[2], tuple(words[3].split(","))))
    return Mounts(tuple(found))


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
