"""The agent itself: installed once, running, as root, with a worker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from analyzers.causes.case import Case
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, lines, log_values, share
from analyzers.causes.versions import Change
from analyzers.facts.imds import ImdsState
from analyzers.facts.service import ServiceState, Unit
from analyzers.text import Value, say
from collector.evidence import Status

_DOWN = frozenset((ServiceState.STOPPED, ServiceState.DISABLED, ServiceState.MASKED, ServiceState.FAILED))
_WORDS = {
    ServiceState.STOPPED: say("it was stopped"),
    ServiceState.DISABLED: say("its service is disabled"),
    ServiceState.MASKED: say("its service is masked"),
    ServiceState.FAILED: say("its service has failed and is not started again"),
}


def real(unit: Unit | None) -> bool:
    """Whether a unit is one that a service manager knows, not only the name that was asked for."""
    return unit is not None and unit.exists and unit.manager != "none"


@rule("agent-absent", "packages", "service")
def absent(case: Case) -> Iterator[Told]:
    """No package, no unit, no program, no process: looked for everywhere, found nowhere."""
    facts = case.facts
    packages, files, processes = facts.packages.or_none(), facts.files.or_none(), facts.processes.or_none()
    found = (
        (packages is not None and bool(packages.installed))
        or facts.agent_version.or_none() is not None
        or (files is not None and files.binary("amazon-ssm-agent") is not None)
        or (processes is not None and bool(processes.processes))
        or real(case.unit)
    )
    if found or case.unit is None:
        return
    asked = packages is not None or getattr(facts.packages, "status", None) is Status.ABSENT
    sure = CERTAIN if asked and not case.logs.has_entries else LIKELY
    shown = (p.at for p in packages.packages) if packages is not None else ()
    yield Finding("agent-absent", sure, lines(case.unit.at, *shown))


@rule("agent-stopped", "service", "processes")
def stopped(case: Case) -> Iterator[Told]:
    """The service manager says so, or the core process is gone and only its worker is left."""
    unit, processes = case.unit, case.facts.processes.or_none()
    running = processes is not None and bool(processes.agents)
    orphan = processes is not None and processes.workers and not processes.agents
    killed = unit is not None and (
        unit.exit_code in ("killed", "dumped") or unit.result in ("signal", "oom-kill", "core-dump")
    )
    waits = unit is not None and unit.state is ServiceState.RESTARTING and killed and processes is not None
    if unit is not None and real(unit) and (unit.state in _DOWN or waits) and not running:
        masked = unit.state is ServiceState.MASKED
        state = _WORDS.get(unit.state)
        if killed:
            signal = unit.exit_status
            state = say("it was killed, signal {signal}", signal=signal) if signal else say("it was killed")
        values: dict[str, Value] = {"masked": "yes"} if masked else {}
        values |= {"state": state} if state else {}
        sure = LIKELY if waits or (unit.state is ServiceState.FAILED and not orphan) else CERTAIN
        orphans = processes.workers[:1] if processes is not None and orphan else ()
        yield Finding("agent-stopped", sure, lines(unit.at, *(p.at for p in orphans)), values=values)
    elif orphan and processes is not None:
        values = {"state": say("its core process is gone and an orphaned worker is left")}
        waiting = unit is not None and unit.state is ServiceState.RESTARTING
        yield Finding(
            "agent-stopped",
            LIKELY if waiting else CERTAIN,
            lines(processes.workers[0].at, unit.at if unit else None),
            values=values,
        )


@rule("agent-wrong-user", "service", "processes", "unit_files")
def wrong_user(case: Case) -> Iterator[Told]:
    """Not root."""
    unit, processes = case.unit, case.facts.processes.or_none()
    others = (
        [p for p in processes.processes if p.user not in ("", "root", "0")] if processes is not None else []
    )
    files = case.facts.unit_files.or_none()
    settings = [s for s in files.values("User") if s.value not in ("root", "0")] if files is not None else []
    user = unit.user if unit is not None and unit.user not in ("", "root", "0") else None
    if user or others or settings:
        name = user or (others[0].user if others else settings[0].value)
        logged = tuple(share(s) for s in case.logs.supporting("agent-wrong-user"))
        cited = lines(
            unit.at if unit is not None and user else None,
            *(p.at for p in others[:1]),
            *(s.at for s in settings[:1]),
        )
        sentence = (
            say("The agent's service runs as {user}; on Windows it needs LocalSystem.", user=name)
            if case.windows
            else None
        )
        yield Finding(
            "agent-wrong-user", CERTAIN, (*cited, *logged), sentence=sentence, values={"user": name}
        )


@rule("worker-broken", "files")
def worker_file(case: Case) -> Iterator[Told]:
    """The worker's program is gone, or may not be run.  Agents before 3.0 have none."""
    files = case.facts.files.or_none()
    if files is None or files.binary("amazon-ssm-agent") is None or not case.has(Change.WORKER):
        return
    worker = files.binary("ssm-agent-worker")
    path = "/usr/bin/ssm-agent-worker"
    if worker is None and files.is_missing(path):
        gone = next((line for line in files.missing if "ssm-agent-worker" in line.text), None)
        yield Finding(
            "worker-broken",
            CERTAIN,
            lines(gone),
            "missing",
            values={"reason": say("the program is missing"), "path": path},
        )
    elif worker is not None and not worker.executable and worker.kind == "file":
        yield Finding(
            "worker-broken",
            CERTAIN,
            lines(worker.at),
            "not-executable",
            values={"reason": say("the program is not executable"), "path": worker.path},
        )


_ERRNO = {
    "no such file": ("missing", say("the program is missing")),
    "permission denied": ("not-executable", say("the program is not executable")),
    "exec format error": ("corrupt", say("the program is damaged")),
    "text file busy": ("corrupt", say("the program is being written")),
    "cannot find the file": ("missing", say("the program is missing")),
    "not a valid win32": ("corrupt", say("the program is damaged")),
}


@rule("worker-broken", "logs")
def worker_log(case: Case) -> Iterator[Told]:
    """Why the worker did not start, or that it dies again and again."""
    for sighting in case.failures():
        if sighting.signature.startswith("host.worker-not-started"):
            text = (sighting.capture("errno") or sighting.last.message).lower()
            scope, reason = next(
                (told for words, told in _ERRNO.items() if words in text), (None, say("it cannot be started"))
            )
            yield Finding(
                "worker-broken",
                CERTAIN,
                (share(sighting),),
                scope,
                values={**log_values(case, sighting), "reason": reason},
            )
        elif sighting.signature == "host.worker-died" and sighting.count > 1:
            values = {**log_values(case, sighting), "reason": say("it dies again and again")}
            yield Finding("worker-broken", LIKELY, (share(sighting),), "killed", values=values)


@rule("duplicate-agent", "packages", "service", "processes")
def twice(case: Case) -> Iterator[Told]:
    """Two installations, or two core processes."""
    packages, service = case.facts.packages.or_none(), case.facts.service.or_none()
    processes = case.facts.processes.or_none()
    logged = tuple(share(s) for s in case.logs.supporting("duplicate-agent"))
    installs = packages.installed if packages is not None and packages.several else ()
    cores = processes.agents if processes is not None and len(processes.agents) > 1 else ()
    units = (
        [u for u in service.existing if u.state is ServiceState.RUNNING]
        if service is not None and service.both
        else []
    )
    if not (installs or cores or len(units) > 1):
        return
    if installs:
        told: Value = ", ".join(f"{p.kind} {p.version}" for p in installs)
    elif units:
        told = ", ".join(u.name for u in units)
    else:
        told = say("{n} core processes", n=len(cores))
    fighting = logged or len(units) > 1 or len(cores) > 1
    cited = (*lines(*(p.at for p in installs), *(p.at for p in cores), *(u.at for u in units)), *logged)
    yield Finding("duplicate-agent", CERTAIN if fighting else POSSIBLE, cited, values={"installs": told})


@rule("update-left-service-disabled", "service", "update")
def after_update(case: Case) -> Iterator[Told]:
    """Disabled, and the last that happened was an update."""
    unit, update = case.unit, case.facts.update.or_none()
    if unit is None or unit.state is not ServiceState.DISABLED or update is None or not update.lines:
        return
    told = update.containing("installationdir") or update.containing("update") or update.containing("install")
    if told:
        yield Finding("update-left-service-disabled", LIKELY, lines(unit.at, told[-1]))


@rule("security-software-block", "security")
def forbidden(case: Case) -> Iterator[Told]:
    """A denial names the agent, and the agent is not up."""
    security = case.facts.security.or_none()
    up = case.connected or (case.unit is not None and case.unit.state is ServiceState.RUNNING)
    if security is not None and security.denials and not up:
        module = (
            "SELinux"
            if security.selinux == "Enforcing"
            else ("fapolicyd" if security.fapolicyd else "AppArmor")
        )
        yield Finding(
            "security-software-block", LIKELY, lines(security.denials[-1]), values={"module": module}
        )


@rule("boot-race", "imds", "endpoints", "logs")
def too_early(case: Case) -> Iterator[Told]:
    """The last failure was within minutes of the boot, what failed works now, and the agent sleeps."""
    clock = case.facts.clock.or_none()
    if (
        clock is None
        or clock.boot is None
        or case.connected
        or case.imds is None
        or case.imds.state is not ImdsState.OK
    ):
        return
    if not case.endpoints or any(e.reachable is not True for e in case.endpoints.values()):
        return
    for sighting in case.failures():
        after = _after(sighting.last.time, clock.boot)
        if (
            after is not None
            and timedelta(0) <= after < timedelta(minutes=5)
            and str(sighting.leg) in ("imds", "endpoint")
        ):
            yield Finding("boot-race", LIKELY, (share(sighting), *lines(clock.at)), since=sighting.first.time)
            return


def _after(moment: object, boot: object) -> timedelta | None:
    from datetime import datetime

    if not isinstance(moment, datetime) or not isinstance(boot, datetime) or moment.tzinfo is None:
        return None
    return moment - boot


@rule("agent-stopped", "service", "processes")
def runs(case: Case) -> Iterator[Told]:
    """It is there, and it runs."""
    unit = case.unit
    if unit is not None and unit.state is ServiceState.RUNNING:
        reason = say("The service {unit} runs.", unit=unit.name)
        for slug in ("agent-stopped", "agent-absent", "update-left-service-disabled"):
            yield Exclusion(slug, reason, lines(unit.at))
