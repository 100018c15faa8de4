"""The unit of work: one host in, one evidence file out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from collector.connections.base import Connection, Deadline, RunResult
from collector.connections.platform import as_its_platform
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence.memory import SCHEMA
from collector.evidence.model import Clock, ConnectionFacts, Failure, Manifest, Subject
from collector.evidence.store import EvidenceWriter
from collector.platforms import ASK, PROBES, Reader, chosen
from collector.probes.choice import Choice
from collector.probes.compile import DEFAULT_LOG_BUDGET, new_nonce
from collector.probes.frame import FrameSink
from collector.probes.model import Probe
from collector.probes.windows import WINDOWS
from collector.target import Platform, Target

MAX_BYTES = 256 << 20
"""Bytes that one host may send, as they come over the wire."""


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What is asked of every host; picklable."""

    tool: str = "ssm-triage"
    """For the manifest: ``ssm-triage 0.1.0``."""
    command_timeout_s: float = 90.0
    """For the script on a host, first byte to last."""
    log_budget: int | None = DEFAULT_LOG_BUDGET
    """Bytes of logs, before packing; ``None``: whole files."""
    max_bytes: int = MAX_BYTES
    choice: Choice = field(default_factory=Choice)
    """Which of the probes are asked; the others are ``skipped``."""
    probes: tuple[Probe, ...] = ()
    """What to ask instead of what hosts of the platform are asked; none: that."""

    def probes_of(self, platform: Platform) -> tuple[Probe, ...]:
        """All probes of a platform, those that are not to be asked marked as left out."""
        own = tuple(probe for probe in self.probes if probe.platform is platform)
        return chosen(self.choice, own or PROBES[platform])


@dataclass(frozen=True, slots=True)
class CollectedHost:
    """One host's evidence, whole on disk.  ``failure``: the collection broke off; what came is kept."""

    path: Path
    failure: Failure | None = None


def collect_host(
    connection: Connection, target: Target, options: CollectOptions, folder: Path, deadline: Deadline
) -> CollectedHost:
    """Ask a host everything, and write what it answers as it comes.

    Raises:
        ConnectionFailed: nothing at all came of it.
        EvidenceError: the evidence cannot be written.
    """
    connection, platform = as_its_platform(connection, target, deadline)
    nonce = new_nonce()
    question = ASK[platform](target, options.probes_of(platform), nonce, options.log_budget)
    script = question.script
    failure: ConnectionFailed | None = None
    cut_short = ""
    notes: tuple[str, ...] = ()
    started = datetime.now(UTC)
    with EvidenceWriter(folder, target.name) as writer:
        reader: Reader = question.reader(writer)
        try:
            result = connection.run(
                script,
                reader.feed,
                deadline=deadline.sooner(options.command_timeout_s),
                max_bytes=options.max_bytes,
            )
            if reader.complete:
                pass
            elif not reader.hello:
                reader.finish("")  # only now the last of what the login said is in ``noise``
                failure = _no_answer(result.exit_code, reader.noise or result.stderr)
            elif result.truncated:
                cut_short = f"the host sent more than {options.max_bytes} bytes"
            else:
                failure = _ended_early(result)
        except ConnectionFailed as broken:
            plainly = _ask_plainly(connection, platform, broken, nonce, options, writer, deadline)
            failure = None if plainly is not None else broken
            reader = plainly or reader
            notes = (broken.detail,) if plainly is not None else ()
        if failure is not None and not reader.hello:
            raise failure
        reader.finish(failure.detail if failure else cut_short)
        manifest = Manifest(
            schema=SCHEMA,
            tool=options.tool,
            origin="collected",
            subject=subject_of(target, platform),
            clock=Clock(started, datetime.now(UTC)),
            connection=replace(connection.facts, notes=connection.facts.notes + notes),
            failure=_failure(failure),
            ran_as=_ran_as(reader.hello) or connection.facts.user,
            privilege=reader.hello.get("privilege", ""),
            script_sha256=_sha256(script.replace(nonce.encode(), b"0" * len(nonce))),
        )
        least = _said_before(writer.path) if failure is not None else 0
        return CollectedHost(writer.finish(manifest, least=least), _failure(failure))


def _ask_plainly(
    connection: Connection,
    platform: Platform,
    failure: ConnectionFailed,
    nonce: str,
    options: CollectOptions,
    sink: FrameSink,
    deadline: Deadline,
) -> Reader | None:
    """The second way of a Windows host whose PowerShell took no script; ``None``: there is none."""
    if platform is not Platform.WINDOWS:
        return None
    from collector.probes.windows.second_way import ask_plainly

    asked = options.choice.of(WINDOWS)
    return ask_plainly(connection, failure, nonce, asked, sink, deadline)


def record_failure(
    target: Target,
    failed: ConnectionFailed,
    options: CollectOptions,
    folder: Path,
    *,
    connection: ConnectionFacts | None = None,
) -> Path:
    """Keep that a host could not be asked, and why: it gets a report like any other.

    Raises:
        EvidenceError: the evidence cannot be written.
    """
    now = datetime.now(UTC)
    manifest = Manifest(
        schema=SCHEMA,
        tool=options.tool,
        origin="collected",
        subject=subject_of(target, target.platform),
        clock=Clock(now, now),
        connection=connection,
        failure=_failure(failed),
    )
    with EvidenceWriter(folder, target.name) as writer:
        return writer.finish(manifest, lasts=False)  # who has said nothing is asked again


def subject_of(target: Target, platform: Platform) -> Subject:
    """The host as the inventory knows it."""
    return Subject(
        target.name,
        target.address,
        platform,
        target.groups,
        target.instance_id,
        target.region,
        target.zone,
        target.root,
    )


@lru_cache(maxsize=64)
def _sha256(script: bytes) -> str:
    """The same for all hosts that are asked the same."""
    return hashlib.sha256(script).hexdigest()


def _said_before(path: Path) -> int:
    """How much the host said in an earlier attempt of the same run, which may have broken off later."""
    from collector.evidence.read import answered  # here: most sweeps never need what reads evidence

    return answered(path)


def _ran_as(hello: Mapping[str, str]) -> str:
    """The user that the script itself said it runs as: by name on Windows, and where it is root."""
    return "root" if hello.get("uid") == "0" else hello.get("user", "")


def _failure(failed: ConnectionFailed | None) -> Failure | None:
    return None if failed is None else Failure(failed.kind, failed.detail, failed.try_next)


def _ended_early(result: RunResult) -> ConnectionFailed:
    """A script that began did not come to its end, and not for want of a connection."""
    words = " ".join(result.stderr[-300:].decode("utf-8", "replace").split())
    return ConnectionFailed(
        FailureKind.SHELL,
        f"the script ended early ({_exit(result.exit_code)}): {words or 'it said nothing'}",
        "ask again; if it ends early once more, see in the host's kernel log whether it was killed for want"
        " of memory",
    )


def _no_answer(exit_code: int | None, said: bytes) -> ConnectionFailed:
    words = " ".join(said[:300].decode("utf-8", "replace").split())
    return ConnectionFailed(
        FailureKind.SHELL,
        f"the login shell took no script ({_exit(exit_code)}): {words or 'it said nothing'}",
        "log in by hand and see whether `sh` runs there; a forced command or a restricted shell prevents it",
    )


def _exit(code: int | None) -> str:
    """A process that was killed has no exit code, and not every server says by which signal."""
    return "no exit code" if code is None else f"exit code {code}"
