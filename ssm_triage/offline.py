"""What ``analyze`` and ``report`` share: from files to verdicts and reports, without asking any host."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzers.diagnosis import Diagnosis
from collector.errors import EvidenceError
from collector.evidence import Manifest
from collector.evidence.memory import SCHEMA, MemoryEvidence
from collector.evidence.read import Source, discover
from collector.evidence.store import SUFFIX, file_name
from ssm_triage import pipeline
from ssm_triage.exits import Exit, FailOn, exit_code
from ssm_triage.pipeline import TOOL
from ssm_triage.progress import progress_for

if TYPE_CHECKING:
    from reports.base import HostReport


def sources_of(paths: Iterable[Path]) -> list[Source]:
    """The evidence of every host at ``paths``, each found once.

    Raises:
        EvidenceError: at one of them there is none.
    """
    return list(dict.fromkeys(source for path in paths for source in discover(path)))


def tell(sources: Sequence[Source], options: Mapping[str, Any], reporters: Sequence[str]) -> int:
    """Tell the cause of each host and report it; returns the exit code."""
    diagnose = pipeline.diagnoser([Path(folder) for folder in options["signatures"]])
    progress = progress_for(len(sources), quiet=options["quiet"] or len(sources) == 1)

    def hosts() -> Iterator[HostReport]:
        for source in sources:
            host = pipeline.examine(source, diagnose)
            progress.diagnosed(host.diagnosis)
            yield pipeline.host_report(host)

    with progress:
        return _report(hosts(), options, reporters)


def report_diagnoses(paths: Iterable[Path], options: Mapping[str, Any], reporters: Sequence[str]) -> int:
    """Report diagnoses that were told before; returns the exit code."""
    from reports.base import HostReport

    def hosts() -> Iterator[HostReport]:
        for path in paths:
            for diagnosis in _diagnoses(path):
                evidence = MemoryEvidence(Manifest(SCHEMA, TOOL, "diagnosis", diagnosis.subject))
                stem = file_name(diagnosis.subject.name).removesuffix(SUFFIX)
                yield HostReport(stem, diagnosis, evidence, "")

    return _report(hosts(), options, reporters)


def _report(hosts: Iterator[HostReport], options: Mapping[str, Any], reporters: Sequence[str]) -> int:
    from reports.base import SweepInfo
    from reports.registry import open_reporters, parse_reporters

    specs = parse_reporters(reporters)
    verdicts = []
    with open_reporters(specs, SweepInfo(TOOL), sys.stdout) as reporter:
        for host in hosts:
            reporter.add(host)
            verdicts.append(host.diagnosis.verdict)
    if not options["quiet"]:
        for spec in specs:
            if spec.is_folder:
                click.echo(f"{spec.form.name}: {spec.destination}", err=True)
    return Exit.OK if options["exit_zero"] else exit_code(verdicts, FailOn(options["fail_on"]))


def _diagnoses(path: Path) -> Iterator[Diagnosis]:
    """One diagnosis, or those of a sweep."""
    from reports.json_report import load_diagnosis

    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise EvidenceError(f"{path}: is no diagnosis.json; analyze the evidence again") from None
    hosts = document.get("hosts", [document]) if isinstance(document, dict) else [document]
    for host in hosts if isinstance(hosts, list) else [hosts]:
        yield load_diagnosis(json.dumps(host), str(path))
