"""What every format is: something that is given one host after the other, and then finishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from analyzers.diagnosis import Diagnosis, RootCause
from reports.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Muted:
    """A cause that somebody knows of: it is told, and does not count."""

    slug: str
    reason: str
    """In the words of who muted it."""
    until: date | None = None
    """The last day; for good where there is none."""


def muted_by(muted: tuple[Muted, ...], cause: RootCause) -> Muted | None:
    """What mutes this cause."""
    return next((one for one in muted if one.slug == cause.slug), None)


@dataclass(frozen=True, slots=True)
class HostReport:
    """One host to be reported."""

    stem: str
    """Name for its files, already made safe: no separator, no leading dot."""
    diagnosis: Diagnosis
    provenance: Provenance
    muted: tuple[Muted, ...] = ()
    """One for each cause of the diagnosis that is muted."""
    evidence_file: Path | None = None
    """Where the evidence file (a zip) lies on this machine, to be packed; ``None``: there is none."""


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
