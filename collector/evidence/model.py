"""What the probes of one host returned, raw, with how, when and as whom it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from collector.errors import FailureKind
from collector.target import HostKeyChecking, Platform, Transport


class Status(StrEnum):
    """How one probe went.  Every probe has exactly one."""

    OK = "ok"
    ABSENT = "absent"
    """The thing looked for, or every tool that could look, is not on the host."""
    DENIED = "denied"
    TIMEOUT = "timeout"
    ERROR = "error"
    TRUNCATED = "truncated"
    """The byte limit or a broken connection cut the output; what came is kept."""
    SKIPPED = "skipped"
    """Not asked; the note says why."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe returned."""

    probe: str
    status: Status
    output: bytes = b""
    exit_code: int | None = None
    duration_ms: int | None = None
    via: str = ""
    """Which of several ways gave the output (``ip``, ``/proc/net/route``); empty for the only one."""
    note: str = ""
    """Why, where the status is not ``ok``; hostile text where it comes from the host."""
    sha256: str = ""
    """Of ``output``, in hex."""
    redacted: int = 0
    """How many secrets were found in the output on arrival and masked."""
    ran_as: str = ""
    """The user that it ran as, where the probe itself says so; empty: the manifest's."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """What a host says of a part of a log before its bytes come."""

    name: str
    """Relative to the agent's log folder, ``/`` between folders; made safe: no ``..``, no empty component, no
    control character.  Not yet unique: a hostile host may say one twice."""
    path: str
    """On the host; hostile text."""
    size: int
    """Of the whole file on the host, in bytes."""
    modified: datetime | None
    """UTC."""
    offset: int
    """Where the part begins in the host's file, in bytes."""
    first_line: int | None
    """The number of the part's first line, from 1; ``None`` where it was not counted."""
    packed: bool
    """Whether its bytes are one gzip member (RFC 1952); if not, they come as they are."""


@dataclass(frozen=True, slots=True)
class LogPart:
    """A run of bytes of one log file.  A large file comes as the head of the last start and the tail."""

    offset: int
    """Where it begins in the host's file, in bytes."""
    length: int
    first_line: int | None = 1
    """The number of its first line in the host's file, from 1; ``None`` where it was not counted."""
    member: str = ""
    """Its name within the evidence file."""
    sha256: str = ""
    """Of the bytes as they are kept, in hex; empty where the host packed them."""
    redacted: int = 0
    """How many secrets were masked in it on arrival.  Their lines stay, their lengths do not."""
    packed_sha256: str = ""
    """Of the deflate stream of a part that is kept as the host packed it, in hex."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log file of the agent, whole or in parts (in order of offset)."""

    name: str
    """Relative to the agent's log folder: ``amazon-ssm-agent.log.1``, ``audits/...``."""
    path: str
    """On the host."""
    status: Status
    size: int = 0
    """On the host, in bytes."""
    modified: datetime | None = None
    parts: tuple[LogPart, ...] = ()
    sha256: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """How the host was reached, and as whom."""

    transport: Transport
    address: str
    port: int | None = None
    user: str = ""
    auth_method: str = ""
    """``publickey ed25519 SHA256:...``, ``password``, ``agent``; never a secret."""
    host_key: str = ""
    """``ssh-ed25519 SHA256:...`` as the host showed it."""
    host_key_checking: HostKeyChecking | None = None
    jump: tuple[str, ...] = ()
    server: str = ""
    """The server's own banner; hostile text."""
    notes: tuple[str, ...] = ()
    """What the operator should know: an ssh_config line that was not honoured, a key accepted as new."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a host could not be asked, or the asking broke off."""

    kind: FailureKind
    detail: str
    try_next: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The host that the evidence is of, as the inventory knows it."""

    name: str
    address: str = ""
    platform: Platform = Platform.AUTO
    groups: tuple[str, ...] = ()
    instance_id: str | None = None
    region: str | None = None
    zone: str | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """Our own clock around the collection: what the host's is compared with."""

    started: datetime
    """UTC, when the script was sent."""
    finished: datetime
    """UTC, when the last byte came."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an evidence file says of itself."""

    schema: int
    tool: str
    """``ssm-triage 0.1.0``."""
    origin: str
    """``collected`` or ``log-folder`` (logs that somebody sent)."""
    subject: Subject
    clock: Clock | None = None
    connection: ConnectionFacts | None = None
    failure: Failure | None = None
    ran_as: str = ""
    """The user that the probes ran as: ``root``, ``ec2-user`` or a Windows account."""
    privilege: str = ""
    """``root``, ``sudo``, ``sudo-password``, ``none``, ``administrator`` ..."""
    script_sha256: str = ""
    """Of the script that was sent, in hex, with zeros for the random word of its markers: the same for the
    same version and options."""
    probes: tuple[ProbeResult, ...] = field(default=(), repr=False)
    """In the order in which they were asked; their outputs included."""
    logs: tuple[LogFile, ...] = ()
    redaction: str = ""
    """``pseudonyms`` where names, addresses and ids were replaced for others to read; empty: as collected."""
    digest: str = ""
    """SHA-256 of the evidence file; empty where there is none."""

    @property
    def answered(self) -> int:
        """Bytes that the host has said, probes and logs."""
        said = sum(len(probe.output) for probe in self.probes)
        return said + sum(part.length for log in self.logs for part in log.parts)


class Evidence(Protocol):
    """The evidence of one host, wherever it lies: a zip, a folder of logs, memory."""

    @property
    def manifest(self) -> Manifest: ...

    def probe(self, probe: str) -> ProbeResult:
        """What that probe returned; ``skipped`` with a note where it was never asked."""
        ...

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        """The bytes of one part, to be read as a stream.

        Raises:
            EvidenceError: the part is not there or is damaged.
        """
        ...
