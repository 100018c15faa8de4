"""Evidence: the one thing that a host's collection leaves behind, and all that analysis reads."""

from collector.evidence.model import (
    Clock,
    ConnectionFacts,
    Evidence,
    Failure,
    LogFile,
    LogPart,
    Manifest,
    ProbeResult,
    Status,
    Subject,
)

__all__ = [
    "Clock",
    "ConnectionFacts",
    "Evidence",
    "Failure",
    "LogFile",
    "LogPart",
    "Manifest",
    "ProbeResult",
    "Status",
    "Subject",
]
