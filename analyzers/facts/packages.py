"""The agent's packages and versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from analyzers.facts.base import Line, lines_of, record_line, records_of


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """An agent's version: numbers between dots; ``3.3.40`` equals ``3.3.40.0``."""

    numbers: tuple[int, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """The first ``N.N[.N[.N]]`` in ``text``: of ``3.3.1142.0-1`` or ``SSM Agent version: 3.1.1732.0``."""
        match = re.search(r"(?<![0-9.])[0-9]{1,9}(\.[0-9]{1,9}){1,5}(?![0-9])", text)
        if not match:
            return None
        return cls(tuple(int(part) for part in match[0].split(".")), match[0])

    @property
    def _key(self) -> tuple[int, ...]:
        numbers = list(self.numbers)
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return tuple(numbers)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return self.text

    def at_least(self, text: str) -> bool:
        """Whether this is ``text`` or newer; ``text`` is one of ours, such as ``3.3.40``."""
        other = Version.parse(text)
        if other is None:
            raise ValueError(f"{text}: no version")
        return self >= other


@dataclass(frozen=True, slots=True)
class Package:
    """One installation."""

    at: Line
    kind: str
    """``deb``, ``rpm``, ``snap``; ``msi`` on Windows."""
    version: Version | None
    state: str = "installed"
    path: str = ""

    @property
    def installed(self) -> bool:
        return self.state in ("", "installed", "active", "enabled")


@dataclass(frozen=True, slots=True)
class Packages:
    packages: tuple[Package, ...] = ()

    @property
    def installed(self) -> tuple[Package, ...]:
        return tuple(package for package in self.packages if package.installed)

    @property
    def several(self) -> bool:
        """Whether the agent is installed more than once (snap beside deb or rpm)."""
        return len({package.kind for package in self.installed}) > 1


def parse_packages(output: bytes, source: str = "probes/packages") -> Packages:
    """Of the ``packages`` probe."""
    return Packages(
        tuple(
            Package(
                record_line(record, source),
                record.name,
                Version.parse(record.get("version")[:200]),
                record.get("state", "installed"),
                record.get("path"),
            )
            for record in records_of(output)
            if record.name
        )
    )


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """What the agent's binary says of itself."""

    at: Line
    version: Version


def parse_agent_version(output: bytes, source: str = "probes/agent-version") -> AgentVersion | None:
    """Of ``amazon-ssm-agent -version``, whose warnings may come first."""
    for line in lines_of(output, source):
        version = Version.parse(line.text[:200])
        if version is not None and "version" in line.text.lower():
            return AgentVersion(line, version)
    return None
