"""The host's clock, its zone, its boot, and how far it is from clocks that can be trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyzers.facts.base import Line, epoch, number, record_line, records_of, utc

SIGV4_TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may be from AWS's clock."""
NO_TIME = timedelta(0)
COLLECTION = timedelta(minutes=1)
"""How long a collection is taken to last where nobody measured it."""


@dataclass(frozen=True, slots=True)
class HostClock:
    """What the host thinks the time is, at the moment of the collection."""

    at: Line
    utc: datetime | None
    offset: timedelta | None = None
    """Of local time from UTC: agent logs are in local time without a zone."""
    zone: str = ""
    synchronised: bool | None = None
    """Whether a time service says that it is in step."""
    time_service: str = ""
    boot: datetime | None = None
    uptime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Skew:
    """The host's clock less another's."""

    reference: str
    """``us`` (the machine that ran the sweep), ``imds``, or an endpoint's service: ``ssm``."""
    skew: timedelta
    """Positive: the host is ahead."""
    uncertainty: timedelta
    """How long the collection took: the two clocks were not read at the same moment."""
    reference_time: datetime
    host_time: datetime
    at: Line
    """Where the other clock's word stands."""

    def exceeds(self, limit: timedelta = SIGV4_TOLERANCE) -> bool:
        """Whether the clocks differ by more than ``limit`` beyond doubt."""
        return abs(self.skew) - self.uncertainty > limit


@dataclass(frozen=True, slots=True)
class ClockComparison:
    """The host's clock against every other that answered."""

    host: HostClock
    skews: tuple[Skew, ...] = ()

    @property
    def best(self) -> Skew | None:
        """The most telling: an AWS endpoint's ``Date`` (signatures are judged by it), then IMDS, then us."""
        ranked = sorted(self.skews, key=lambda skew: {"us": 2, "imds": 1}.get(skew.reference, 0))
        return ranked[0] if ranked else None


def parse_clock(output: bytes, source: str = "probes/clock") -> HostClock | None:
    """Of the ``clock`` probe; ``None`` where it holds no record."""
    record = next(records_of(output), None)
    if record is None:
        return None
    uptime = number(record.get("uptime"))
    return HostClock(
        record_line(record, source),
        epoch(record.get("epoch")) or utc(record.get("utc")),
        parse_offset(record.get("offset")),
        record.get("zone"),
        {"yes": True, "no": False}.get(record.get("ntp")),
        record.get("source"),
        epoch(record.get("boot")),
        None if uptime is None or uptime > 1e11 else timedelta(seconds=uptime),
    )


def parse_offset(text: str) -> timedelta | None:
    """``+0900`` or ``-03:30`` as a time delta."""
    match = re.fullmatch(r"([+-])([0-9]{2}):?([0-9]{2})", text.strip())
    if not match:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size
