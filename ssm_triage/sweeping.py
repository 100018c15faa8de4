"""What ``run`` and ``collect`` share: who is meant, what would be asked, and the sweep itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzers.diagnosis import Verdict
from collector.target import Target
from ssm_triage import pipeline
from ssm_triage.counting import Count
from ssm_triage.exits import INTERRUPTED, Exit
from ssm_triage.interrupt import Interrupts
from ssm_triage.pipeline import TOOL, Sweep
from ssm_triage.progress import Progress, progress_for
from ssm_triage.reporting import opened, specs_of
from ssm_triage.runfolder import RunFolder
from ssm_triage.targets import Selection, select

if TYPE_CHECKING:
    from collector.sweep import SweepSettings


def ask_hosts(options: Mapping[str, Any], *, analyze: bool) -> int:
    """``run`` and, without ``analyze``, ``collect``; returns the exit code."""
    selection = select(options)
    if options["list_hosts"]:
        _print_hosts(selection)
        return Exit.OK
    _log(options["verbose"])
    targets = selection.targets()
    if options["dry_run"]:
        _print_plan(targets, options, _settings(options))
        return Exit.OK
    return _sweep(targets, options, analyze=analyze)


def _sweep(targets: Sequence[Target], options: Mapping[str, Any], *, analyze: bool) -> int:
    take: _Take = _Report(options) if analyze else _keep
    sweep = _settings(options)
    folder = RunFolder.create(Path(options["output"]) if options["output"] else None)
    progress = progress_for(len(targets), quiet=options["quiet"], verbose=options["verbose"] > 0)
    with progress, Interrupts(sweep.stop, progress.say) as interrupts:
        paths = pipeline.collect(targets, folder.evidence, sweep)
        unreached, code = take(paths, folder, progress)
    folder.write_retry(unreached)
    _say_where(folder, options, analyze=analyze, unreached=len(unreached))
    return INTERRUPTED if interrupts.asked else code


_Take = Callable[[Iterator[Path], RunFolder, Progress], tuple[list[str], Exit]]
"""What is done with the evidence as it comes home; returns who was not reached, and the exit code."""


def _keep(paths: Iterator[Path], folder: RunFolder, progress: Progress) -> tuple[list[str], Exit]:
    """``collect``: all that is known of a host is whether it was reached."""
    from collector.evidence.read import open_evidence

    unreached = []
    for path in paths:
        manifest = open_evidence(path).manifest
        progress.collected(manifest.subject.name)
        if manifest.failure is not None:
            unreached.append(manifest.subject.name)
    return unreached, Exit.UNREACHED if unreached else Exit.OK


class _Report:
    """``run``: tell the cause of each host, and report it."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Looks at what can be wrong with the options before any host is asked."""
        specs_of(options)
        self._options = options
        self._count = Count(options)
        self._diagnose = pipeline.diagnoser([Path(where) for where in options["signatures"]])

    def __call__(
        self, paths: Iterator[Path], folder: RunFolder, progress: Progress
    ) -> tuple[list[str], Exit]:
        usual = [f"html:{folder.report}", f"json:{folder.diagnosis}", "terminal"]
        specs = specs_of(self._options, usual)
        unreached = []
        with opened(specs, self._options, started=datetime.now(UTC)) as reporter:
            for path in paths:
                host = pipeline.examine_file(path, self._diagnose)
                progress.diagnosed(host.diagnosis)
                reporter.add(pipeline.host_report(host, self._count.muted(host.diagnosis)))
                self._count.add(host.diagnosis)
                if host.diagnosis.verdict is Verdict.NOT_REACHED:
                    unreached.append(host.diagnosis.subject.name)
        self._count.say_muted()
        return unreached, self._count.code()


def _log(verbose: int) -> None:
    """``-vv``: what SSH does; ``-vvv``: every message of it.  Neither ever holds a secret."""
    if verbose > 1:
        import logging

        logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr, level=logging.WARNING)
        logging.getLogger("paramiko").setLevel(logging.DEBUG if verbose > 2 else logging.INFO)


def _settings(options: Mapping[str, Any]) -> Sweep:
    from collector.collect import CollectOptions
    from collector.platforms import PROBES
    from collector.probes.choice import choose

    return Sweep(
        sweep_settings(options),
        CollectOptions(
            tool=TOOL,
            command_timeout_s=options["command_timeout"],
            log_budget=options["log_budget"],
            choice=choose(
                options["only"], options["skip"], (probe for of in PROBES.values() for probe in of)
            ),
        ),
    )


def sweep_settings(options: Mapping[str, Any]) -> SweepSettings:
    """How hosts are connected to, and how many at once."""
    from collector.connections.settings import SshSettings, WinrmSettings
    from collector.sweep import SweepSettings

    connect_s = options["connect_timeout"]
    return SweepSettings(
        forks=options["forks"],
        host_deadline_s=options["host_deadline"],
        ssh=SshSettings(config_file=options["ssh_config"], connect_timeout_s=connect_s),
        winrm=WinrmSettings(connect_timeout_s=connect_s, proxy_from_environment=options["use_env_proxy"]),
    )


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


def _print_plan(targets: Sequence[Target], options: Mapping[str, Any], sweep: Sweep) -> None:
    from reports.clean import one_line

    budget = options["log_budget"]
    logs = "whole" if budget is None else f"at most {budget:,} bytes"
    for target in targets:
        click.echo(f"{one_line(target.name)}: {_way(target)}; {_probes(target, sweep)}; logs: {logs}")
    chosen = "".join(f" --{key} {value}" for key in ("only", "skip") for value in options[key])
    click.echo(f"The script: ssm-triage probes --script{chosen}", err=True)


def _way(target: Target) -> str:
    from reports.clean import one_line

    way = f"{target.transport} to {one_line(target.address)}" + (f":{target.port}" if target.port else "")
    if target.user:
        way += f" as {one_line(target.user)}"
    if target.jump and target.jump != "none":
        way += f" by way of {one_line(target.jump)}"
    if target.become:
        way += f", then {target.become.method} to {one_line(target.become.user)}"
    return way


def _probes(target: Target, sweep: Sweep) -> str:
    from collector.platforms import PROBES, expected
    from reports.clean import one_line

    if target.root:
        return f"the files below {one_line(target.root)}"
    platform = expected(target)
    probes = sweep.options.choice.of(PROBES[platform])
    asked = [probe for probe in probes if not probe.left_out]
    some = "all probes" if len(asked) == len(probes) else f"{len(asked)} of {len(probes)} probes"
    return f"{some} of {platform}"
