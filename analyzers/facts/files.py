"""The agent's files, as ``ls -la`` lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzers.facts.base import Line, integer, lines_of


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
        pattern = re.compile(rf"(?<![\w/.-]){re.escape(path)}(?![\w/.-])")
        return any(pattern.search(line.text) for line in self.missing)

    def lacks(self, name: str) -> bool:
        """Whether the agent's core is there and its binary ``name`` is not (agents of 2.x have no worker)."""
        core = self.binary("amazon-ssm-agent")
        return core is not None and self.binary(name) is None and not self.denied

    def binary(self, name: str) -> FileEntry | None:
        """An agent's binary by its name, wherever it is installed."""
        return next(
            (e for e in self.entries if e.path.rpartition("/")[2] == name and e.kind != "directory"), None
        )


# Reading -------------------------------------------------------------------------------------------------

_KINDS = {
    "-": "file",
    "d": "directory",
    "l": "link",
    "s": "socket",
    "p": "pipe",
    "b": "device",
    "c": "device",
}
_MODE = re.compile(r"[-dlspbc][-rwxsStT]{9}[.+@]?")
_HEADER = re.compile(r"(/.*):|# (/.*)")


def parse_files(output: bytes, source: str = "probes/agent-files") -> AgentFiles:
    """Of ``ls -la`` (GNU or busybox) of several folders and files."""
    entries: list[FileEntry] = []
    missing: list[Line] = []
    denied: list[Line] = []
    folder = ""
    for line in lines_of(output, source):
        header = _HEADER.fullmatch(line.text)
        if header:
            folder = header[1] or header[2]
        elif line.text.startswith("ls: "):
            if "No such file" in line.text:
                missing.append(line)
            elif "ermission denied" in line.text:
                denied.append(line)
        else:
            entry = _entry(line, folder)
            if entry is not None:
                entries.append(entry)
    return AgentFiles(tuple(entries), tuple(missing), tuple(denied))


def _entry(line: Line, folder: str) -> FileEntry | None:
    """``-rwxr-xr-x 1 root root 11899032 Nov 23 06:37 /usr/bin/amazon-ssm-agent``."""
    words = line.text.split(None, 8)
    if len(words) < 9 or not _MODE.fullmatch(words[0]):
        return None
    name, _, target = words[8].partition(" -> ") if words[0][0] == "l" else (words[8], "", "")
    path = name if name.startswith("/") or not folder else f"{folder.rstrip('/')}/{name}"
    return FileEntry(line, path, _KINDS[words[0][0]], words[0], words[2], words[3], integer(words[4]), target)
