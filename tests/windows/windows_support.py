"""What the tests of Windows hosts share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from collector.evidence.model import LogHead, ProbeResult, Status


@dataclass
class Kept:
    """Takes what a host answered, as the evidence does."""

    probes: dict[str, ProbeResult] = field(default_factory=dict)
    logs: list[tuple[str, str, int, datetime | None, int, int | None]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ends: list[tuple[Status, str]] = field(default_factory=list)

    def probe(self, result: ProbeResult) -> None:
        assert result.probe not in self.probes, "a probe comes once"
        self.probes[result.probe] = result

    def log_begin(self, head: LogHead) -> None:
        assert not head.packed
        assert len(self.ends) == len(self.logs), "a log begins within another"
        self.logs.append((head.name, head.path, head.size, head.modified, head.offset, head.first_line))
        self.bodies.append(b"")

    def log_data(self, data: bytes) -> None:
        assert len(self.ends) < len(self.logs), "bytes of no log"
        self.bodies[-1] += data

    def log_end(self, status: Status, note: str = "") -> None:
        assert len(self.ends) < len(self.logs), "the end of no log"
        self.ends.append((status, note))
