"""The pipeline that joins the floors: inventory, evidence, diagnosis, report; each stage alone, or all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from analyzers.diagnosis import Diagnosis, Verdict
from analyzers.text import Message, say
from collector.errors import EvidenceError, TriageError
from collector.evidence import Evidence, Manifest, Subject
from collector.evidence.log_folder import LogFolderEvidence
from collector.evidence.memory import SCHEMA, MemoryEvidence
from collector.evidence.store import SUFFIX, file_name
from collector.target import Target
from ssm_triage import __version__
from ssm_triage.damage import Noticing

if TYPE_CHECKING:
    from collector.collect import CollectedHost, CollectOptions
    from collector.evidence.read import Source
    from collector.sweep import Collect, OnEvent, Runner, SweepSettings
    from reports.base import HostReport, Muted

TOOL = f"ssm-triage {__version__}"

Diagnoser = Callable[[Evidence], Diagnosis]


@dataclass(frozen=True, slots=True)
class Sweep:
    """How a sweep is made."""

    settings: SweepSettings
    options: CollectOptions
    stop: threading.Event = field(default_factory=threading.Event)
    """Set, it ends the sweep gently: hosts under way are finished, no other is begun."""
    runner: Runner | None = None
    """``None``: threads."""
    is_far: bool = False
    """Whether hosts are asked on other machines, so that evidence must be brought home."""
    place: str = ""
    """By which folder or URL that is done; empty: with the result."""


@dataclass(frozen=True, slots=True)
class Collected:
    """One host's evidence file, whole."""

    name: str
    path: Path
    seconds: float | None = None
    """From login to the last byte; ``None``: it was there before."""
    failure: str = ""
    """The kind of failure, where the host was not reached or broke off."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One host, told."""

    source: Source
    evidence: Evidence
    diagnosis: Diagnosis
    trouble: str = ""
    """Why nothing could be told of it, where that is no fault of the host."""


def collect(
    targets: Sequence[Target], folder: Path, sweep: Sweep, on_event: OnEvent | None = None
) -> Iterator[Collected]:
    """Bring home each host's evidence; yields it as soon as it is whole, reached or not.

    Raises:
        TriageError: what concerns the whole sweep; what was finished before is kept.
    """
    from collector.collect import record_failure
    from collector.evidence.read import answered
    from collector.sweep import sweep as run
    from collector.sweep.delivery import IntoFolder, IntoParcel, Parcel, unpack

    into: Collect[CollectedHost | Parcel]
    into = IntoParcel(sweep.options, sweep.place) if sweep.is_far else IntoFolder(sweep.options, folder)
    for outcome in run(targets, sweep.settings, into, on_event, stop=sweep.stop, runner=sweep.runner):
        name = outcome.target.name
        value, failure = cast("CollectedHost | Parcel | None", outcome.value), outcome.failure
        if value is not None:
            host = unpack(value, sweep.place, folder) if isinstance(value, Parcel) else value
            yield Collected(name, host.path, outcome.seconds, host.failure.kind if host.failure else "")
        elif failure is not None:
            path = folder / file_name(name)
            if not answered(path):  # what it said before it broke off, in a run that goes on, is kept
                how = outcome.connection
                path = record_failure(outcome.target, failure, sweep.options, folder, connection=how)
            yield Collected(name, path, outcome.seconds, failure.kind)


def diagnoser(signatures: Sequence[Path]) -> Diagnoser:
    """What tells a cause, with its signatures read once.

    Raises:
        SignatureError: a signature file is not valid.
    """
    from functools import partial

    from analyzers.diagnose import diagnose
    from analyzers.logs.signature_files import load_signatures

    return partial(diagnose, signatures=load_signatures(*signatures))


def examine_file(path: Path, diagnose: Diagnoser) -> Examined:
    """Tell the cause from one evidence file."""
    from collector.evidence.read import Source

    return examine(Source(path), diagnose)


def examine(source: Source, diagnose: Diagnoser) -> Examined:
    """Tell the cause of one host's evidence.

    Evidence that cannot be read is a host whose verdict is unknown, with the reason: the others go on.
    """
    from collector.evidence.read import open_evidence

    try:
        evidence = signed(open_evidence(source))
        if source.logs is not None:  # torn archives of logs are usual, and the report says what is missing
            return Examined(source, evidence, diagnose(evidence))
        noticing = Noticing(evidence)
        diagnosis = diagnose(noticing)
        if noticing.damage:  # what the rest of it tells would pass for the whole
            raise EvidenceError(noticing.damage)
        return Examined(source, evidence, diagnosis)
    except EvidenceError as error:
        return _untold(source, say("The evidence cannot be read: {error}", error=error), str(error))
    except TriageError:
        raise
    except Exception as error:  # a defect of ours must not cost a thousand other hosts their verdicts
        return _untold(
            source,
            say(
                "ssm-triage itself failed on this evidence ({kind}: {error}). It is kept; please report it.",
                kind=type(error).__name__,
                error=error,
            ),
            f"{source.path}: ssm-triage itself failed on it ({type(error).__name__}); please report it",
        )


def evidence_at(path: Path) -> Evidence:
    """The evidence of the one host at ``path``.

    Raises:
        EvidenceError: it cannot be read, or holds several hosts.
    """
    from collector.evidence.read import open_evidence

    return signed(open_evidence(path))


def signed(evidence: Evidence) -> Evidence:
    """The same evidence; logs that somebody sent carry our name as the tool that read them."""
    if isinstance(evidence, LogFolderEvidence) and not evidence.manifest.tool:
        return replace(evidence, manifest=replace(evidence.manifest, tool=TOOL))
    return evidence


def shown_path(path: Path) -> str:
    """Where a reader finds the evidence: within the run folder, never where it lies on this machine."""
    return f"evidence/{path.name}" if path.parent.name == "evidence" else path.name


def host_report(host: Examined, muted: tuple[Muted, ...] = ()) -> HostReport:
    """What the reports need of one host; ``muted``: which of its causes somebody knows of."""
    from reports.base import HostReport
    from reports.provenance import provenance

    stem = file_name(host.diagnosis.subject.name).removesuffix(SUFFIX)
    told = provenance(host.evidence, shown_path(host.source.path))
    packed = host.source.path if host.source.logs is None else None
    return HostReport(stem, host.diagnosis, told, muted, packed)


def _untold(source: Source, headline: Message, trouble: str) -> Examined:
    subject = Subject(source.path.stem)
    evidence = MemoryEvidence(Manifest(SCHEMA, TOOL, "unreadable", subject))
    return Examined(source, evidence, Diagnosis(subject, Verdict.UNKNOWN, headline), trouble)
