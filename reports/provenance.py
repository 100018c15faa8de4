"""How the evidence of one host was obtained: all that a report tells of it beside the diagnosis.

It holds no output and no log, so that a sweep's reports need not keep them, and it is written into
``diagnosis.json``, so that the same page can be made from that file alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from collector.evidence import Clock, ConnectionFacts, Evidence, Failure, Manifest, ProbeResult, Status


@dataclass(frozen=True, slots=True)
class ProbeTold:
    """How one probe went."""

    probe: str
    status: Status
    via: str = ""
    """Which of several ways gave the output; empty for the only one."""
    bytes: int = 0
    """Of its output."""
    duration_ms: int | None = None
    note: str = ""
    """Why, where the status is not ``ok`` (hostile text)."""
    ran_as: str = ""
    """The user that it ran as."""


@dataclass(frozen=True, slots=True)
class LogTold:
    """What became of one log file."""

    path: str
    """On the host (hostile text)."""
    status: Status
    size: int = 0
    """On the host, in bytes."""
    brought: int = 0
    """Bytes of it that the evidence has."""
    modified: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the evidence was obtained; as in the manifest where nothing else is said."""

    tool: str = ""
    origin: str = ""
    """``collected``, ``log-folder``, or ``unreadable``."""
    file: str = ""
    """Where a reader finds the evidence file; shown, never opened.  Empty where there is none."""
    sha256: str = ""
    """Of the evidence file, in hex."""
    clock: Clock | None = None
    connection: ConnectionFacts | None = None
    failure: Failure | None = None
    ran_as: str = ""
    privilege: str = ""
    script_sha256: str = ""
    redaction: str = ""
    """``pseudonyms`` where names, addresses and ids are stand-ins; empty: as collected."""
    masked: int = 0
    """Secrets that were still found on arrival, and masked."""
    probes: tuple[ProbeTold, ...] = ()
    logs: tuple[LogTold, ...] = ()

    def whom(self, probe: str) -> str:
        """The user that ``probe`` ran as, or, of a log, that the script did."""
        return next((told.ran_as for told in self.probes if told.probe == probe), self.ran_as)

    @property
    def answered(self) -> int:
        """How many probes were answered; that a thing is not there is an answer."""
        return sum(told.status in (Status.OK, Status.ABSENT) for told in self.probes)

    def via(self, probe: str) -> str:
        """Which tool gave the output of ``probe``; empty where that is not told."""
        return next((told.via for told in self.probes if told.probe == probe), "")


def provenance(evidence: Evidence, file: str = "") -> Provenance:
    """Boil the evidence down to how it was obtained.

    Args:
        evidence: of one host.
        file: where a reader finds it.
    """
    manifest = evidence.manifest
    parts = [part for log in manifest.logs for part in log.parts]
    return Provenance(
        tool=manifest.tool,
        origin=manifest.origin,
        file=file,
        sha256=manifest.digest,
        clock=manifest.clock,
        connection=manifest.connection,
        failure=manifest.failure,
        ran_as=manifest.ran_as,
        privilege=manifest.privilege,
        script_sha256=manifest.script_sha256,
        redaction=manifest.redaction,
        masked=sum(probe.redacted for probe in manifest.probes) + sum(part.redacted for part in parts),
        probes=tuple(
            ProbeTold(
                it.probe, it.status, it.via, len(it.output), it.duration_ms, it.note, _whom(it, manifest)
            )
            for it in manifest.probes
        ),
        logs=tuple(
            LogTold(it.path, it.status, it.size, sum(part.length for part in it.parts), it.modified, it.note)
            for it in manifest.logs
        ),
    )


def _whom(probe: ProbeResult, manifest: Manifest) -> str:
    """As whom a probe ran; nobody where it was not asked."""
    return "" if probe.status is Status.SKIPPED else probe.ran_as or manifest.ran_as
