"""What the service manager's own log says of the agent: starts, exits, and lines that its log never gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line."""

    at: Line
    time: datetime | None
    """Aware where the line has a zone, naive (host local) where it has not."""
    identifier: str
    """``systemd``, ``amazon-ssm-agent`` ..."""
    message: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The newest lines, oldest first."""

    lines: tuple[JournalLine, ...] = ()

    @property
    def starts(self) -> tuple[JournalLine, ...]:
        return tuple(
            line for line in self.lines if line.identifier == "systemd" and "Started " in line.message
        )

    @property
    def exits(self) -> tuple[JournalLine, ...]:
        """``Main process exited, code=exited, status=1/FAILURE``."""
        return tuple(line for line in self.lines if "Main process exited" in line.message)

    def containing(self, text: str) -> tuple[JournalLine, ...]:
        return tuple(line for line in self.lines if text in line.message)


@dataclass(frozen=True, slots=True)
class Update:
    """The agent's update folders and log."""

    lines: tuple[Line, ...] = ()

    def containing(self, text: str) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if text.lower() in line.text.lower())
