"""What ``analyze`` and ``report`` share: from files to verdicts and reports, without asking any host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.errors import EvidenceError
from collector.evidence.read import Source, clock_of, discover
from collector.evidence.store import SUFFIX, file_name
from ssm_triage import pipeline
from ssm_triage.counting import Count
from ssm_triage.progress import progress_for
from ssm_triage.reporting import opened, specs_of

if TYPE_CHECKING:
    from reports.base import HostReport
    from reports.json_report import Told


def sources_of(paths: Iterable[Path]) -> list[Source]:
    """The evidence of every host at ``paths``, each found once.

    Raises:
        EvidenceError: at one of them there is none.
    """
    return list(dict.fromkeys(source for path in paths for source in discover(path)))


def tell(sources: Sequence[Source], options: Mapping[str, Any], usual: Sequence[str]) -> int:
    """Tell the cause of each host and report it, by the ``usual`` reporters where none is asked for.

    Returns the exit code.
    """
    diagnose = pipeline.diagnoser([Path(folder) for folder in options["signatures"]])
    count = Count(options)
    progress = progress_for(len(sources), quiet=options["quiet"] or len(sources) == 1)

    def hosts() -> Iterator[HostReport]:
        for source in sources:
            host = pipeline.examine(source, diagnose)
            progress.diagnosed(host.diagnosis)
            if host.trouble:
                progress.failed(host.trouble)
            count.add(host.diagnosis, host.trouble)
            yield pipeline.host_report(host, count.muted(host.diagnosis))

    with progress:
        return _report(hosts(), options, usual, count, _when(sources))


def report_diagnoses(paths: Iterable[Path], options: Mapping[str, Any], usual: Sequence[str]) -> int:
    """Report diagnoses that were told before; returns the exit code."""
    from reports.base import HostReport

    count = Count(options)

    def hosts() -> Iterator[HostReport]:
        for path in paths:
            for told in _told(path):
                stem = file_name(told.diagnosis.subject.name).removesuffix(SUFFIX)
                muted = count.muted(told.diagnosis) or told.muted
                count.add(told.diagnosis)
                yield HostReport(stem, told.diagnosis, told.provenance, muted)

    return _report(hosts(), options, usual, count, (None, None))


_When = tuple[datetime | None, datetime | None]


def _report(
    hosts: Iterator[HostReport], options: Mapping[str, Any], usual: Sequence[str], count: Count, when: _When
) -> int:
    specs = specs_of(options, usual)
    started, finished = when
    with opened(specs, options, started=started, finished=finished) as reporter:
        for host in hosts:
            reporter.add(host)
    if not options["quiet"]:
        for spec in specs:
            if spec.is_folder:
                click.echo(f"{spec.form.name}: {spec.destination}", err=True)
    count.say_muted()
    return count.code()


def _when(sources: Iterable[Source]) -> _When:
    """When the first host was begun and the last one finished, as far as the evidence says (UTC)."""
    clocks = [clock for source in sources if (clock := clock_of(source)) is not None]
    if not clocks:
        return None, None
    return min(clock.started for clock in clocks), max(clock.finished for clock in clocks)


def _told(path: Path) -> Iterator[Told]:
    """What is told of one host, or of those of a sweep."""
    from reports.json_report import load_host

    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise EvidenceError(f"{path}: is no diagnosis.json; analyze the evidence again") from None
    hosts = document.get("hosts", [document]) if isinstance(document, dict) else [document]
    for host in hosts if isinstance(hosts, list) else [hosts]:
        yield load_host(json.dumps(host), str(path))
