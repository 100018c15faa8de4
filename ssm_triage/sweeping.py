"""What ``run`` and ``collect`` share: who is meant, what would be asked, and the sweep itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzers.diagnosis import Verdict
from collector.target import Target, Transport
from ssm_triage import pipeline
from ssm_triage.exits import INTERRUPTED, Exit, FailOn, exit_code
from ssm_triage.interrupt import Interrupts
from ssm_triage.pipeline import TOOL, Examined, Sweep
from ssm_triage.progress import Progress, progress_for
from ssm_triage.runfolder import RunFolder
from ssm_triage.targets import Selection, select

if TYPE_CHECKING:
    from reports.base import Reporter
    from reports.registry import ReporterSpec


def ask_hosts(options: Mapping[str, Any], *, analyze: bool) -> int:
    """``run`` and, without ``analyze``, ``collect``; returns the exit code."""
    selection = select(options)
    if options["list_hosts"]:
        _print_hosts(selection)
        return Exit.OK
    _log(options["verbose"])
    targets = selection.targets()
    if options["dry_run"]:
        _print_plan(targets, options)
        return Exit.OK
    return _sweep(targets, options, analyze=analyze)


def _sweep(targets: Sequence[Target], options: Mapping[str, Any], *, analyze: bool) -> int:
    from reports.registry import parse_reporters

    specs = parse_reporters(options["reporters"]) if analyze else ()
    diagnose = pipeline.diagnoser([Path(folder) for folder in options["signatures"]]) if analyze else None
    output = options["output"]
    folder = RunFolder.create(Path(output) if output else None)
    sweep = _settings(options)
    progress = progress_for(len(targets), quiet=options["quiet"], verbose=options["verbose"] > 0)
    verdicts: list[Verdict] = []
    unreached: list[str] = []
    with progress, Interrupts(sweep.stop, progress.say) as interrupts:
        paths = pipeline.collect(targets, folder.evidence, sweep)
        if diagnose is None:
            verdicts, unreached = _keep(paths, progress)
        else:
            examined = (pipeline.examine_file(path, diagnose) for path in paths)
            with _reporters(specs, folder) as reporter:
                for host in _told(examined, progress):
                    reporter.add(pipeline.host_report(host))
                    verdicts.append(host.diagnosis.verdict)
                    if host.diagnosis.verdict is Verdict.NOT_REACHED:
                        unreached.append(host.diagnosis.subject.name)
    folder.write_retry(unreached)
    _say_where(folder, options, analyze=analyze, unreached=len(unreached))
    if interrupts.asked:
        return INTERRUPTED
    return Exit.OK if options.get("exit_zero") else exit_code(verdicts, FailOn(options["fail_on"]))


def _log(verbose: int) -> None:
    """``-vv``: what SSH does; ``-vvv``: every message of it.  Neither ever holds a secret."""
    if verbose > 1:
        import logging

        logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr, level=logging.WARNING)
        logging.getLogger("paramiko").setLevel(logging.DEBUG if verbose > 2 else logging.INFO)


def _settings(options: Mapping[str, Any]) -> Sweep:
    from collector.collect import CollectOptions
    from collector.connections.settings import SshSettings
    from collector.sweep import SweepSettings

    return Sweep(
        SweepSettings(
            forks=options["forks"],
            host_deadline_s=options["host_deadline"],
            ssh=SshSettings(config_file=options["ssh_config"], connect_timeout_s=options["connect_timeout"]),
        ),
        CollectOptions(
            tool=TOOL, command_timeout_s=options["command_timeout"], log_budget=options["log_budget"]
        ),
    )


def _keep(paths: Iterator[Path], progress: Progress) -> tuple[list[Verdict], list[str]]:
    """Without analysis all that is known of a host is whether it was reached."""
    from collector.evidence.read import open_evidence

    verdicts, unreached = [], []
    for path in paths:
        manifest = open_evidence(path).manifest
        progress.collected(manifest.subject.name)
        if manifest.failure is not None:
            unreached.append(manifest.subject.name)
        verdicts.append(Verdict.NOT_REACHED if manifest.failure else Verdict.HEALTHY)
    return verdicts, unreached


def _told(examined: Iterator[Examined], progress: Progress) -> Iterator[Examined]:
    for host in examined:
        progress.diagnosed(host.diagnosis)
        yield host


def _reporters(specs: Sequence[ReporterSpec], folder: RunFolder) -> AbstractContextManager[Reporter]:
    from reports.base import SweepInfo
    from reports.registry import open_reporters, parse_reporters

    usual = parse_reporters([f"html:{folder.report}", f"json:{folder.diagnosis}", "terminal"])
    return open_reporters(specs or usual, SweepInfo(TOOL, started=datetime.now(UTC)), sys.stdout)


def _say_where(folder: RunFolder, options: Mapping[str, Any], *, analyze: bool, unreached: int) -> None:
    if options["quiet"]:
        return
    index = folder.report / "index.html"
    click.echo(f"evidence: {folder.evidence}", err=True)
    if analyze and index.exists():
        click.echo(f"report:   {index}", err=True)
    if unreached:
        click.echo(f"retry:    -l @{folder.retry}", err=True)


def _print_hosts(selection: Selection) -> None:
    from dataclasses import fields

    from collector.inventory import HostRow, list_hosts
    from reports.clean import one_line

    for row in list_hosts(selection.hosts, selection.overrides):
        cells = {field.name: getattr(row, field.name) for field in fields(HostRow)}
        click.echo(one_line(cells["host"].value))
        for name, cell in cells.items():
            if name != "host":
                click.echo(f"  {name:<10} {one_line(cell.value):<32} {one_line(cell.origin)}")


def _print_plan(targets: Sequence[Target], options: Mapping[str, Any]) -> None:
    from reports.clean import one_line

    budget = options["log_budget"]
    logs = "whole" if budget is None else f"at most {budget:,} bytes"
    for target in targets:
        where = one_line(target.address) + (f":{target.port}" if target.port else "")
        how = f"{target.transport} to {where}"
        if target.user:
            how += f" as {one_line(target.user)}"
        if target.jump and target.jump != "none":
            how += f" by way of {one_line(target.jump)}"
        if target.become:
            how += f", then {target.become.method} to {one_line(target.become.user)}"
        what = f"the files below {one_line(target.root)}" if target.root else "all probes"
        click.echo(f"{one_line(target.name)}: {how}; {what}; logs: {logs}")
    if any(target.transport is not Transport.WINRM for target in targets):
        click.echo("The script: ssm-triage probes --script", err=True)
