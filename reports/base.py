"""What every format is: something that is given one host after the other, and then finishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from analyzers.diagnosis import Diagnosis
from collector.evidence import Evidence


@dataclass(frozen=True, slots=True)
class HostReport:
    """One host to be reported."""

    stem: str
    """Name for its files, already made safe: no separator, no leading dot."""
    diagnosis: Diagnosis
    evidence: Evidence
    evidence_path: str = ""
    """Where a reader finds the evidence file; shown, never opened."""


@dataclass(frozen=True, slots=True)
class SweepInfo:
    """What a summary says of the sweep as a whole."""

    tool: str = ""
    """``ssm-triage 0.1.0``."""
    lang: str = "en"
    started: datetime | None = None
    finished: datetime | None = None
    rules: str = ""


class Reporter(Protocol):
    """Writes one format.  It keeps no more of a host than a summary needs."""

    def add(self, host: HostReport) -> None:
        """Take in one host, in the order in which hosts are done.

        Raises:
            UsageError: it cannot be written there.
        """
        ...

    def finish(self) -> None:
        """Write what comes last; only now do single files stand under their names."""
        ...

    def abandon(self) -> None:
        """Leave no half-written file behind."""
        ...
