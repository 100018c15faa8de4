"""What every fact is made of: known or unknown, and the line that shows it."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Generic, TypeAlias, TypeVar

from analyzers.diagnosis import Citation
from analyzers.text import Message
from collector.evidence.model import Status
from collector.evidence.records import Record, parse_records

T = TypeVar("T")
IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

MAX_BYTES = 1 << 18
"""More than any probe may print; what lies behind is not read."""
MAX_LINES = 4_096
MAX_RECORDS = 1_024
MAX_LINE = 4_096
"""Characters of one line; what lies behind is not read, so that no pattern meets a line without end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line (or a few) of a probe's output, so that a rule can quote it."""

    source: str
    """``probes/routes``."""
    text: str
    """As the host printed it (hostile)."""
    number: int | None = None
    """In the output, from 1; ``None`` where the probe as a whole is meant."""

    def cite(self, note: Message | None = None, *, mark: str = "") -> Citation:
        """This line as a citation of the diagnosis."""
        return Citation(self.source, self.text, self.number, mark=mark, note=note)


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value that was read from evidence."""

    value: T
    source: str
    """The probe that showed it: ``probes/routes``."""
    complete: bool = True
    """Whether all of the output was there; ``False``: cut, timed out or partly failed, so that what is
    missing from the value may still be on the host."""

    def or_none(self) -> T | None:
        """The value; ``Unknown`` answers ``None``, for rules that only look at what is there."""
        return self.value

    def cite(self, text: str = "", note: Message | None = None) -> Citation:
        """The probe as a whole, as a citation."""
        return Citation(self.source, text, note=note)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that could not be seen: never to be taken as fine."""

    reason: str
    """Why, for a human; hostile text where it comes from the host."""
    source: str = ""
    status: Status = Status.SKIPPED
    """Of the probe; ``absent`` means that the thing itself, or every tool to see it, is not there."""

    def or_none(self) -> None:
        return None


Fact: TypeAlias = Known[T] | Unknown


# Reading hostile text ------------------------------------------------------------------------------------


def decode(output: bytes) -> str:
    """Text of an output; bytes that are no UTF-8 become U+FFFD, bytes past ``MAX_BYTES`` are dropped."""
    return output[:MAX_BYTES].decode("utf-8", "replace")


def lines_of(output: bytes, source: str) -> Iterator[Line]:
    """Every line that is not blank, numbered from 1 as the host printed them."""
    for number, text in enumerate(decode(output).split("\n")[:MAX_LINES], 1):
        text = text[:MAX_LINE].removesuffix("\r")
        if text.strip():
            yield Line(source, text, number)


@dataclass(frozen=True, slots=True)
class Section:
    """One raw output among several in a probe (``sections`` in docs/evidence.md)."""

    name: str
    at: Line
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


_SECTION = re.compile(r"# (/\S.*|login|pid \d.*|[0-9a-fA-F:.]+(?: \S+)?)$")


def sections_of(output: bytes, source: str) -> Iterator[Section]:
    """The sections of an output.  A name is a path, ``login``, ``pid N ...`` or an address, so that a comment
    within a file is not taken for one."""
    head: Line | None = None
    body: list[Line] = []
    for line in lines_of(output, source):
        if _SECTION.match(line.text):
            if head is not None:
                yield Section(head.text[2:].strip(), head, tuple(body))
            head, body = line, []
        elif head is not None:
            body.append(line)
    if head is not None:
        yield Section(head.text[2:].strip(), head, tuple(body))


def records_of(output: bytes) -> Iterator[Record]:
    """The records of an output; more than ``MAX_RECORDS`` no probe prints."""
    return itertools.islice(parse_records(output), MAX_RECORDS)


def record_line(record: Record, source: str, *keys: str) -> Line:
    """A record as a line to quote: its name and the given fields, or all of them."""
    chosen = keys or tuple(record.fields)
    pairs = [f"{key}={value}" for key in chosen for value in record.all(key)]
    return Line(source, " ".join(([f"[{record.name}]"] if record.name else []) + pairs))


def integer(text: str | None) -> int | None:
    """A decimal whole number of at most 18 digits, else ``None``."""
    if text is None or not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        return None
    return int(text)


def number(text: str | None) -> float | None:
    """A finite decimal number, else ``None``."""
    if text is None or not re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\.[0-9]{0,18})?\s*", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def address(text: str | None) -> IPAddress | None:
    """An IP address, with a zone (``%eth0``) cut off, else ``None``."""
    try:
        return ip_address((text or "").strip().partition("%")[0])
    except ValueError:
        return None


_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


def private(ip: IPAddress) -> bool:
    """Whether an address is of a VPC or a company network.

    The ``ipaddress`` module also calls documentation ranges private; those stand for public ones.
    """
    return any(ip in network for network in map(ip_network, _PRIVATE) if network.version == ip.version)


def network(text: str | None) -> IPNetwork | None:
    """A network or a single address, host bits allowed, else ``None``."""
    try:
        return ip_network((text or "").strip(), strict=False)
    except ValueError:
        return None


def utc(text: str | None) -> datetime | None:
    """An ISO 8601 moment as UTC; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def epoch(text: str | None) -> datetime | None:
    """Seconds since 1970, with or without a fraction, as UTC."""
    seconds = number(text)
    try:
        return None if seconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None


def http_date(text: str | None) -> datetime | None:
    """The ``Date`` header of an HTTP answer (RFC 9110) as UTC."""
    try:
        moment = parsedate_to_datetime((text or "")[:64])
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
