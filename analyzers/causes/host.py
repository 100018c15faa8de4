"""The host under the agent: disk, limits, memory, clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from analyzers.causes.case import Case
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, lines, share, shares
from analyzers.facts.clock import SIGV4_TOLERANCE
from analyzers.facts.disk import Disk, Usage
from analyzers.text import Value, say

AGENT_PATHS = ("/var/lib/amazon/ssm", "/var/log/amazon/ssm", "/etc/amazon/ssm")


@rule("disk-full", "disk", "inodes")
def disk_full(case: Case) -> Iterator[Told]:
    """No room, or no inodes, where the agent writes."""
    for scope, disk in (("space", case.facts.disk.or_none()), ("inodes", case.facts.inodes.or_none())):
        for usage in _full(disk):
            detail = say("no space left") if scope == "space" else say("no inodes left")
            values: dict[str, Value] = {"path": usage.mount, "mount": usage.mount, "detail": detail}
            logged = shares(case.logs.supporting("disk-full"))
            yield Finding("disk-full", CERTAIN, (*lines(usage.at), *logged), scope, values=values)


def _full(disk: Disk | None) -> Iterator[Usage]:
    """The full file systems that hold one of the agent's folders."""
    held = (_holding(disk, path) for path in reversed(AGENT_PATHS[:2])) if disk is not None else ()
    holding = dict.fromkeys(held)  # in order: the first one names the file system of the verdict
    return (usage for usage in holding if usage is not None and usage.full)


def _holding(disk: Disk, path: str) -> Usage | None:
    inside = [u for u in disk.usages if path == u.mount or path.startswith(u.mount.rstrip("/") + "/")]
    return max(inside, key=lambda usage: len(usage.mount), default=None)


@rule("filesystem-read-only", "mounts")
def read_only(case: Case) -> Iterator[Told]:
    """A file system that the agent must write to is mounted ``ro``."""
    mounts = case.facts.mounts.or_none()
    for path in AGENT_PATHS[:2]:
        mount = mounts.holding(path) if mounts is not None else None
        if mount is not None and mount.read_only:
            values = {"path": path, "mount": mount.path}
            yield Finding("filesystem-read-only", CERTAIN, lines(mount.at), values=values)
            return


@rule("inotify-exhausted", "inotify")
def inotify(case: Case) -> Iterator[Told]:
    """No watch or instance is left for root."""
    limits = case.facts.inotify.or_none()
    if limits is None or not (limits.watches_exhausted or limits.instances_exhausted):
        return
    which = "fs.inotify.max_user_watches" if limits.watches_exhausted else "fs.inotify.max_user_instances"
    logged = shares(case.logs.supporting("inotify-exhausted"))
    yield Finding(
        "inotify-exhausted",
        CERTAIN if logged else POSSIBLE,
        (*lines(limits.at), *logged),
        values={"limit": which},
    )


@rule("fd-limit", "fds")
def descriptors(case: Case) -> Iterator[Told]:
    """The agent, or the host, has as many files open as it may."""
    limits = case.facts.fds.or_none()
    if limits is None:
        return
    for process in limits.processes:
        if process.exhausted:
            used = say(
                "process {pid} uses {used} of {most}",
                pid=process.pid,
                used=process.used,
                most=process.soft,
            )
            yield Finding("fd-limit", CERTAIN, lines(process.at), values={"detail": used})
            return
    if limits.exhausted:
        used = say("the host uses {used} of {most}", used=limits.allocated, most=limits.maximum)
        yield Finding("fd-limit", CERTAIN, lines(limits.at), values={"detail": used})


@rule("resource-starvation", "oom")
def starved(case: Case) -> Iterator[Told]:
    """The kernel killed the agent's processes for want of memory."""
    kills = [kill for kill in case.facts.oom.or_none() or () if kill.of_agent]
    died = any(state.aspect == "worker" and state.value == "died" for state in case.logs.states)
    if kills:
        memory = case.facts.memory.or_none()
        sure = CERTAIN if died or len(kills) > 1 else LIKELY
        yield Finding("resource-starvation", sure, lines(kills[-1].at, memory.at if memory else None))


# The clock -----------------------------------------------------------------------------------------------


def clock_is_wrong(case: Case) -> bool:
    """Whether the host's clock differs from AWS's by more than a signature bears."""
    skews = case.facts.skew.or_none()
    best = skews.best if skews is not None else None
    return best is not None and best.exceeds()


def clock_is_right(case: Case) -> bool:
    """Whether the host's clock was seen to agree with another's."""
    skews = case.facts.skew.or_none()
    best = skews.best if skews is not None else None
    return best is not None and abs(best.skew) <= SIGV4_TOLERANCE


@rule("clock-skew", "skew")
def skewed(case: Case) -> Iterator[Told]:
    """Another clock, by preference AWS's own, says otherwise."""
    skews = case.facts.skew.or_none()
    best = skews.best if skews is not None else None
    if skews is None or best is None or not best.exceeds():
        return
    sure = LIKELY if best.reference == "us" else CERTAIN
    yield Finding("clock-skew", sure, lines(best.at, skews.host.at), values=_skew(best.skew))


@rule("clock-skew", "logs")
def signature(case: Case) -> Iterator[Told]:
    """Both clocks stand in AWS's refusal of a signature."""
    for sighting in case.logs.supporting("clock-skew"):
        host, service = _basic(sighting.capture("host_time")), _basic(sighting.capture("service_time"))
        if host is not None and service is not None and abs(host - service) > SIGV4_TOLERANCE:
            yield Finding(
                "clock-skew",
                CERTAIN,
                (share(sighting),),
                values=_skew(host - service),
                since=sighting.first.time,
            )


def _basic(text: str | None) -> datetime | None:
    """``20261123T064521Z``, the form of SigV4."""
    try:
        return datetime.strptime(f"{text}+0000", "%Y%m%dT%H%M%SZ%z")
    except ValueError:
        return None


def _skew(skew: timedelta) -> dict[str, Value]:
    size = abs(skew)
    minutes = round(size.total_seconds() / 60)
    words = (
        say("{n} days", n=size.days)
        if size.days > 1
        else say("{n} minutes", n=minutes)
        if minutes < 180
        else say("{n} hours", n=round(minutes / 60))
    )
    ahead = skew > timedelta(0)
    return {"skew": words, "direction": say("ahead of AWS's") if ahead else say("behind AWS's")}
