"""What the service manager's own log says of the agent: starts, exits, and lines that its log never gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from analyzers.facts.base import Line, lines_of


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


# Reading -------------------------------------------------------------------------------------------------

_JOURNAL = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,32}|[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) (?P<host>\S{1,255}) "
    r"(?P<identifier>[^\s:\[]{1,255})(?:\[(?P<pid>[0-9]{1,9})\])?: ?(?P<message>.*)"
)


def parse_journal(output: bytes, source: str = "probes/journal") -> Journal:
    """Of ``journalctl -o short-iso``, or of syslog's files, whose time lacks the year: none is told."""
    found = []
    for line in lines_of(output, source):
        match = _JOURNAL.fullmatch(line.text)
        if match:
            found.append(JournalLine(line, _moment(match["time"]), match["identifier"], match["message"]))
    return Journal(tuple(found))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def parse_update(output: bytes, source: str = "probes/update") -> Update:
    """Of the update folders and the end of the update log: its lines, as they are."""
    return Update(tuple(lines_of(output, source)))
