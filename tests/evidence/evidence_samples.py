"""A small host for the tests of evidence: its log lines, its manifest, and how its logs come in."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime

from collector.evidence.memory import SCHEMA
from collector.evidence.model import Clock, ConnectionFacts, LogHead, Manifest, Status, Subject
from collector.evidence.store import EvidenceWriter
from collector.target import HostKeyChecking, Platform, Transport

LOG_LINE = b"2026-11-23 06:26:14.7432 INFO [amazon-ssm-agent] [CredentialRefresher] Credentials ready\n"


def deflate(plain: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


def small_manifest() -> Manifest:
    return Manifest(
        SCHEMA,
        "ssm-triage 0.1.0",
        "collected",
        Subject("web-1", "192.0.2.7", Platform.LINUX, ("web",), "i-0a1b2c3d4e5f60718", "eu-central-1"),
        clock=Clock(
            datetime(2026, 11, 23, 6, 38, 45, 123000, UTC), datetime(2026, 11, 23, 6, 38, 51, tzinfo=UTC)
        ),
        connection=ConnectionFacts(
            Transport.SSH,
            "192.0.2.7",
            22,
            "ec2-user",
            host_key_checking=HostKeyChecking.STRICT,
            jump=("bastion",),
        ),
        ran_as="root",
        privilege="sudo",
    )


def send_log(
    writer: EvidenceWriter,
    name: str,
    body: bytes,
    *,
    offset: int = 0,
    size: int | None = None,
    step: int = 4096,
    status: Status = Status.OK,
    packed: bool = True,
) -> None:
    """One part of a log, as a frame reader hands it on."""
    first_line = 1 if not offset else None
    where = (f"/var/log/amazon/ssm/{name}", size or offset + len(body), None, offset, first_line)
    writer.log_begin(LogHead(name, *where, packed=packed))
    sent = gzip.compress(body, 1) if packed else body
    for at in range(0, len(sent), step):
        writer.log_data(sent[at : at + step])
    writer.log_end(status, "" if status is Status.OK else "cut")
