"""What ``run`` and ``collect`` share: who is meant, what would be asked, and the sweep itself."""

from __future__ import annotations

import shlex
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzers.diagnosis import Diagnosis
from collector.errors import EvidenceError, TriageError, UsageError
from collector.target import Target
from ssm_triage import pipeline
from ssm_triage.counting import Count
from ssm_triage.desk import Brief, Desk
from ssm_triage.exits import INTERRUPTED, Exit
from ssm_triage.interrupt import Interrupts
from ssm_triage.pipeline import TOOL, Collected, Sweep
from ssm_triage.progress import Form, Progress, Summary, progress_for
from ssm_triage.reporting import specs_of
from ssm_triage.resume import keep_call, resumed
from ssm_triage.runfolder import RunFolder
from ssm_triage.targets import Selection, select

if TYPE_CHECKING:
    from collector.sweep import Event, Runner, SweepSettings


def ask_hosts(options: Mapping[str, Any], *, given: frozenset[str], analyze: bool) -> int:
    """``run`` and, without ``analyze``, ``collect``; returns the exit code.

    ``given`` are the options that stand on the command line, as against those that have a default.
    """
    if options["resume"]:
        if options["output"]:
            raise UsageError("--resume goes on in the run's own folder; leave --output away")
        run = Path(options["resume"]).absolute()
        options = resumed(run, {**options, "resume": str(run)}, given)
    selection = select(options)
    if options["list_hosts"]:
        _print_hosts(selection)
        return Exit.OK
    _log(options["verbose"])
    targets = selection.targets()
    if options["dry_run"]:
        _print_plan(targets, options, _settings(options))
        return Exit.OK
    with _run_folder(options) as folder:
        return (_Run if analyze else _Collection)(targets, folder, options).make()


@contextmanager
def _run_folder(options: Mapping[str, Any]) -> Iterator[RunFolder]:
    """The folder of the run, new or begun before, and nobody else's meanwhile."""
    if options["resume"]:
        folder = RunFolder.reopen(Path(options["resume"]))
    else:
        folder = RunFolder.create(Path(options["output"]) if options["output"] else None)
    with folder.locked():
        if options["resume"]:
            folder.clear_unfinished()
        else:
            keep_call(folder, options, TOOL)
        yield folder


class _Collection:
    """One sweep that leaves evidence: all that is known of a host is whether it was reached."""

    _verb = "collect"
    _tells = False
    """Whether a host's cause is told."""

    def __init__(self, targets: Sequence[Target], folder: RunFolder, options: Mapping[str, Any]) -> None:
        """Looks at what can be wrong with the options before any host is asked."""
        self._folder = folder
        self._options = options
        self._kept = folder.kept() if options["resume"] else {}
        self._targets = [target for target in targets if target.name not in self._kept]
        self._hosts = len(self._kept) + len(self._targets)
        self._collected = len(self._kept)
        self._unreached: list[str] = []
        """Who gave no answer, or broke off in it."""
        self._verdicts: Counter[str] = Counter()
        self._sweep = _settings(options, len(self._targets))

    def make(self) -> int:
        """Ask every host that was not asked before; returns the exit code."""
        progress = self._progress(verdicts=self._tells)
        with self._interrupts(progress) as interrupts:
            try:
                self._sweep_all(progress)
                failed = False
            except TriageError as error:
                if not self._collected:
                    raise  # it was wrong from the beginning, and there is nothing else to tell
                progress.failed(str(error))
                failed = True
        return self._end(progress, interrupts, failed=failed)

    def _sweep_all(self, progress: Progress) -> None:
        """Until every host is done, or the sweep has been stopped."""
        with progress:
            for _ in self._collect(progress):
                pass

    def _code(self) -> int:
        return Exit.UNREACHED if self._unreached else Exit.OK

    def _progress(self, *, verdicts: bool) -> Progress:
        options = self._options
        return progress_for(
            self._hosts,
            Form(options["progress"]),
            quiet=options["quiet"],
            verbose=options["verbose"] > 0,
            verdicts=verdicts,
            tool=TOOL,
            run=str(self._folder.path),
        )

    @contextmanager
    def _interrupts(self, progress: Progress) -> Iterator[Interrupts]:
        """Once: gently.  Twice: at once, and how to go on is told all the same."""
        try:
            with Interrupts(self._sweep.stop, progress.say) as interrupts:
                yield interrupts
        except KeyboardInterrupt:
            progress.say(f"resume:   {self._resume}")
            raise

    @property
    def _resume(self) -> str:
        return f"ssm-triage {self._verb} --resume {shlex.quote(str(self._folder.path))}"

    def _collect(self, progress: Progress) -> Iterator[Collected]:
        """Every host's evidence: first what is there already, then what comes, as it comes."""
        for name, path in self._kept.items():
            host = Collected(name, path)
            progress.collected(host)
            yield host
        if self._targets:
            told = partial(_tell, progress)
            for host in pipeline.collect(self._targets, self._folder.evidence, self._sweep, told):
                self._collected += 1
                if host.failure:
                    self._unreached.append(host.name)
                progress.collected(host)
                yield host

    def _end(self, progress: Progress, interrupts: Interrupts, *, failed: bool) -> int:
        """Write down who was not reached, and say how it ended and what lies where."""
        code = Exit.ERROR if failed else INTERRUPTED if interrupts.asked else self._code()
        try:
            self._folder.write_retry(self._unreached)
        except EvidenceError as error:
            progress.failed(str(error))
            code = Exit.ERROR
        places = [("evidence", str(self._folder.evidence))]
        index = self._folder.report / "index.html"
        if self._tells and index.exists():
            places.append(("report", str(index)))
        if self._unreached and self._folder.retry.exists():
            places.append(("retry", f"-l @{self._folder.retry}"))
        if failed or interrupts.asked:
            places.append(("resume", self._resume))
        progress.done(
            Summary(
                hosts=self._hosts,
                collected=self._collected,
                not_reached=len(self._unreached),
                verdicts=dict(self._verdicts),
                interrupted=failed or interrupts.asked,
                exit_code=code,
                places=tuple(places),
            )
        )
        return code


class _Run(_Collection):
    """One sweep that tells the cause of each host, and reports it."""

    _verb = "run"
    _tells = True

    def __init__(self, targets: Sequence[Target], folder: RunFolder, options: Mapping[str, Any]) -> None:
        specs_of(options)
        self._count = Count(options)
        super().__init__(targets, folder, options)
        self._lock = threading.Lock()

    def _sweep_all(self, progress: Progress) -> None:
        """As for a collection; what is there is reported even where the sweep cannot go on."""
        usual = (f"html:{self._folder.report}", f"json:{self._folder.diagnosis}", "terminal")
        brief = Brief(_for_reports(self._options), usual, datetime.now(UTC))
        with Desk(brief, partial(self._told, progress)) as desk:
            if self._options["signatures"]:
                desk.wait_until_open()
            failure: TriageError | None = None
            with progress:
                try:
                    for host in self._collect(progress):
                        desk.add(host.path)
                except TriageError as error:
                    failure = error
                with suppress(TriageError) if failure else nullcontext():
                    desk.wait_until_told()
            with suppress(TriageError) if failure else nullcontext():
                desk.finish()
            if failure is not None:
                raise failure
        self._count.say_muted()

    def _code(self) -> int:
        code = self._count.code()
        return code if self._options["exit_zero"] or not self._unreached else code | Exit.UNREACHED

    def _told(self, progress: Progress, diagnosis: Diagnosis, trouble: str) -> None:
        """A host's cause is known; called in the desk's thread."""
        with self._lock:
            self._count.add(diagnosis, trouble)
            self._verdicts[diagnosis.verdict.value] += 1
        progress.diagnosed(diagnosis)
        if trouble:
            progress.failed(trouble)


def _for_reports(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("reporters", "package", "lang", "signatures")}


def _tell(progress: Progress, event: Event) -> None:
    """From the words of a sweep to those of a display."""
    from collector.sweep import Stage

    if event.stage is Stage.WORKING:
        progress.begun(event.target.name)
    elif event.stage is Stage.WAITING:
        progress.waiting(event.target.name, event.failure.kind if event.failure else "")


def _log(verbose: int) -> None:
    """``-vv``: what SSH does; ``-vvv``: every message of it.  Neither ever holds a secret."""
    if verbose > 1:
        import logging

        logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr, level=logging.WARNING)
        logging.getLogger("paramiko").setLevel(logging.DEBUG if verbose > 2 else logging.INFO)


def _settings(options: Mapping[str, Any], hosts: int = 0) -> Sweep:
    from collector.collect import CollectOptions
    from collector.platforms import PROBES
    from collector.probes.choice import choose

    probes = (probe for of in PROBES.values() for probe in of)
    limit = options["probe_timeout"]
    collect = CollectOptions(
        tool=TOOL,
        command_timeout_s=options["command_timeout"],
        log_budget=options["log_budget"],
        choice=choose(
            options["only"], options["skip"], probes, None if limit is None else max(1, int(limit))
        ),
    )
    settings = sweep_settings(options)
    if options["runner"] != "dask":
        return Sweep(settings, collect, runner=_runner_here(options, hosts))
    from collector.sweep.cluster import DaskRunner

    if not options["scheduler"]:
        raise UsageError("--runner dask: which? Give --scheduler ADDRESS, such as tcp://10.0.0.5:8786")
    place = options["evidence_via"] or ""
    if place:
        place = f"{place.rstrip('/')}/ssm-triage-{uuid.uuid4().hex}"  # no two sweeps meet there
    return Sweep(settings, collect, runner=DaskRunner(options["scheduler"]), is_far=True, place=place)


def _runner_here(options: Mapping[str, Any], hosts: int) -> Runner | None:
    """Processes where they are asked for, or pay; ``None``: threads."""
    for option in ("scheduler", "evidence_via"):
        if options[option]:
            raise UsageError(f"--{option.replace('_', '-')} goes with --runner dask only")
    if options["runner"] == "threads":
        return None
    from collector.sweep.processes import ProcessRunner, processes_that_pay

    processes = options["processes"] or processes_that_pay(hosts, options["forks"])
    return ProcessRunner(processes, partial(_log, options["verbose"])) if processes > 1 else None


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
        **{name: options[name] for name in ("per_jump", "rate") if name in options},
    )


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
