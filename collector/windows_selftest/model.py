"""What comes of a self-test: verdicts, and all that the host said, as it said it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from collector.evidence.model import ConnectionFacts, ProbeResult, Status


class Outcome(StrEnum):
    """What a host made of a belief."""

    OK = "ok"
    FAILED = "FAILED"
    NOT_ASKED = "-"
    """It makes no sense on this connection."""


@dataclass(frozen=True, slots=True)
class Check:
    """One belief, and what the host made of it."""

    name: str
    outcome: Outcome
    detail: str
    """What was seen, on one line; hostile text."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one small script gave."""

    check: str
    script_sha256: str
    exit_code: int | None
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    as_believed: bool = False
    """Whether it is, byte for byte, what was expected."""


@dataclass(frozen=True, slots=True)
class LogSaid:
    """A part of a log, as the collecting script gave it."""

    name: str
    path: str
    size: int
    modified: datetime | None
    offset: int
    line: int | None
    body: bytes = field(repr=False)
    status: Status
    note: str


@dataclass(frozen=True, slots=True)
class HostSaid:
    """What the collecting script gave."""

    hello: dict[str, str]
    probes: tuple[ProbeResult, ...] = field(repr=False)
    logs: tuple[LogSaid, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All checks, and all that was said."""

    checks: tuple[Check, ...]
    connection: ConnectionFacts
    said: tuple[Said, ...] = field(repr=False)
    host: HostSaid | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        return all(check.outcome is not Outcome.FAILED for check in self.checks)


def judged(name: str, wrong: str, seen: str = "as expected") -> Check:
    """A check by what is wrong with it; empty: nothing."""
    return Check(name, Outcome.FAILED if wrong else Outcome.OK, wrong or seen)


def not_asked(name: str, why: str) -> Check:
    return Check(name, Outcome.NOT_ASKED, f"not asked: {why}")
