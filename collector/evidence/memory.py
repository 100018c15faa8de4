"""Evidence that lives in memory: for tests, and for what never came to a file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from collector.errors import EvidenceError
from collector.evidence.model import LogFile, LogPart, Manifest, ProbeResult, Status, Subject

SCHEMA = 1


def not_asked(probe: str) -> ProbeResult:
    """The result of a probe that was never asked: unknown, never fine."""
    return ProbeResult(probe, Status.SKIPPED, note="not collected")


@dataclass(frozen=True)
class MemoryEvidence:
    """Evidence whose log bytes are at hand, keyed by ``(log name, offset)``."""

    manifest: Manifest
    contents: Mapping[tuple[str, int], bytes] = field(default_factory=dict, repr=False)

    def probe(self, probe: str) -> ProbeResult:
        return next((result for result in self.manifest.probes if result.probe == probe), not_asked(probe))

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        try:
            return io.BytesIO(self.contents[log.name, part.offset])
        except KeyError:
            raise EvidenceError(f"{log.name}: no part at byte {part.offset} in this evidence") from None


def evidence_of(
    probes: Iterable[ProbeResult] = (),
    logs: Mapping[str, bytes] | None = None,
    *,
    subject: Subject | None = None,
    manifest: Manifest | None = None,
) -> MemoryEvidence:
    """Evidence of one host from probe results and whole logs, each under its name in the log folder."""
    logs = logs or {}
    files = tuple(
        LogFile(name, f"/var/log/amazon/ssm/{name}", Status.OK, len(body), parts=(LogPart(0, len(body)),))
        for name, body in logs.items()
    )
    base = manifest or Manifest(SCHEMA, "ssm-triage", "collected", subject or Subject("host"))
    return MemoryEvidence(
        replace(base, probes=tuple(probes), logs=files),
        {(name, 0): body for name, body in logs.items()},
    )
