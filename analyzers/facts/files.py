"""The agent's files, as ``ls -la`` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file."""

    at: Line
    path: str
    kind: str
    """``file``, ``directory``, ``link``, ``socket``, ``pipe``, ``device``."""
    mode: str
    """As printed: ``-rwxr-xr-x``."""
    owner: str = ""
    group: str = ""
    size: int | None = None
    target: str = ""
    """Of a link."""

    @property
    def executable(self) -> bool:
        """By its owner."""
        return self.mode[3:4] in ("x", "s")


@dataclass(frozen=True, slots=True)
class AgentFiles:
    entries: tuple[FileEntry, ...] = ()
    missing: tuple[Line, ...] = ()
    """What ls could not find."""
    denied: tuple[Line, ...] = ()

    def entry(self, path: str) -> FileEntry | None:
        return next((entry for entry in self.entries if entry.path == path), None)

    def is_missing(self, path: str) -> bool:
        """Whether ls said that ``path`` does not exist (not listed is not the same)."""
        raise NotImplementedError

    def binary(self, name: str) -> FileEntry | None:
        """An agent's binary by its name, wherever it is installed."""
        return next(
            (e for e in self.entries if e.path.rpartition("/")[2] == name and e.kind != "directory"), None
        )
