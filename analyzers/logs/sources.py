"""Which logs there are, in which order they were written, and the host's zone."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from collector.evidence import Evidence, LogFile, LogPart, Status
from collector.evidence.records import parse_records

_ROLES = (
    ("errors", re.compile(r"(?i)errors\.log(?:[._-]|$)|error\.log")),
    ("hibernate", re.compile(r"(?i)hibernate\.log")),
    ("audit", re.compile(r"(?i)(?:^|/)audits/|-audit-\d{4}-\d\d-\d\d")),
    ("worker", re.compile(r"(?i)ssm-agent-worker\.log")),
    ("agent", re.compile(r"(?i)amazon-ssm-agent\.log")),
    ("journal", re.compile(r"(?i)journal|(?:^|/)(?:syslog|messages|daemon\.log)|stdout|console")),
)
_ROTATED = re.compile(r"\.(\d{1,6})$")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


@dataclass(frozen=True, slots=True)
class Source:
    """One run of bytes of one log."""

    name: str
    role: str
    log: LogFile
    part: LogPart | None
    """``None``: the output of a probe."""
    output: bytes = b""
    cut_before: bool = False
    """Whether it may begin within an entry, because what stands before was not collected."""
    cut_behind: bool = False
    """The same of its end."""

    @property
    def first_line(self) -> int | None:
        return self.part.first_line if self.part else 1

    def open(self, evidence: Evidence) -> BinaryIO:
        if self.part is None:
            return io.BytesIO(self.output)
        return evidence.open_log(self.log, self.part)


def role_of(name: str) -> str:
    """What a log is by its name; ``other`` where the name tells nothing."""
    return next((role for role, pattern in _ROLES if pattern.search(name)), "other")


def sources_of(evidence: Evidence) -> dict[str, list[Source]]:
    """Every readable run of bytes by role, each role's in the order in which it was written.

    Rotation numbers grow: ``NAME.5`` is newer than ``NAME.4``, and ``NAME`` the newest.
    """
    found: dict[str, list[Source]] = {}
    for log in sorted(evidence.manifest.logs, key=_age):
        role = role_of(log.name)
        for part in log.parts:
            source = Source(
                log.name, role, log, part, cut_before=part.offset > 0, cut_behind=part is not log.parts[-1]
            )
            found.setdefault(role, []).append(source)
    journal = evidence.probe("journal")
    if journal.output:
        log = LogFile("probes/journal", "", journal.status, len(journal.output))
        found.setdefault("journal", []).append(Source("probes/journal", "journal", log, None, journal.output))
    return found


def _age(log: LogFile) -> tuple[str, float, str]:
    rotated = _ROTATED.search(log.name)
    stem = log.name[: rotated.start()] if rotated else log.name
    return stem, float(rotated[1]) if rotated else float("inf"), log.name


@dataclass(frozen=True, slots=True)
class HostClock:
    """The host's zone and its clock at collection, as far as they are known."""

    offset: timedelta | None = None
    collected: datetime | None = None
    """UTC, by the host's own clock where it told it, else by ours."""

    def aware(self, local: datetime) -> datetime:
        """A local time of the host as UTC; naive where the zone is not known."""
        if self.offset is None:
            return local
        try:
            return (local - self.offset).replace(tzinfo=UTC)
        except OverflowError:
            return local

    def local(self, when: datetime | None) -> datetime | None:
        """The other way round."""
        if when is None or self.offset is None:
            return None
        return when.replace(tzinfo=None) + self.offset


def host_clock(evidence: Evidence) -> HostClock:
    """From the ``clock`` probe; the offset is that of the day of collection (a change of summer time is not
    seen)."""
    collected = evidence.manifest.clock.finished if evidence.manifest.clock else None
    offset = None
    probe = evidence.probe("clock")
    if probe.status in (Status.OK, Status.TRUNCATED):
        for record in parse_records(probe.output):
            if sign := _OFFSET.fullmatch(record.get("offset").strip()):
                delta = timedelta(hours=int(sign[2]), minutes=int(sign[3]))
                offset = -delta if sign[1] == "-" else delta
            elif record.get("offset").strip() in ("Z", "UTC"):
                offset = timedelta()
            collected = _utc(record.get("utc")) or collected
    return HostClock(offset, collected)


def _utc(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def audit_starts(text: str, name: str) -> Iterator[tuple[datetime | None, str]]:
    """Starts of the core process and the version that started, from one audit file.

    ``agent_telemetry amazon-ssm-agent.start 3.3.1142.0 06:26:14``; the day is in the file's name.
    """
    day = re.search(r"(\d{4}-\d\d-\d\d)", name.rsplit("/", 1)[-1])
    for line in text.splitlines()[:100_000]:
        match = re.match(r"agent_telemetry amazon-ssm-agent\.start (\d[\d.]{2,30}) (\d\d:\d\d:\d\d)", line)
        if match:
            try:
                when = datetime.fromisoformat(f"{day[1]} {match[2]}") if day else None
            except ValueError:
                when = None
            yield when, match[1]
