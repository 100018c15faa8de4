"""The agent's two processes, by its log: the core that keeps the credentials, and the worker that speaks to
AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from analyzers.causes.case import Case
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import LIKELY, share
from analyzers.facts.base import number
from analyzers.logs.model import Sighting
from analyzers.text import say


@rule("agent-stopped", "logs")
def told_to_stop(case: Case) -> Iterator[Told]:
    """Somebody stopped the agent, and it never started again."""
    if case.unit is not None or case.facts.processes.or_none() is not None:
        return
    start, stop = case.logs.last_start, case.last_state("process")
    if stop is not None and start is not None and start.outcome == "stopped" and not any(case.failures()):
        yield Finding(
            "agent-stopped",
            LIKELY,
            (stop.event.cite(),),
            values={"state": say("it was told to stop and did not start again")},
            since=stop.event.time,
        )


_LATE = timedelta(minutes=15)
"""More than the core process takes for its first tries to renew credentials, each of which it would log."""


@rule("agent-stopped", "logs")
def core_fell_silent(case: Case) -> Iterator[Told]:
    """The core process told when it renews the credentials, and did not, while the worker goes on.

    An orphaned worker reports health for hours.  A killed core leaves no line of its own.
    """
    if case.unit is not None or case.facts.processes.or_none() is not None:
        return
    renewal = next(case.logs.ever("state.credentials-rotation"), None)
    health = next(case.logs.ever("health.report"), None)
    minutes = number(renewal.capture("minutes")) if renewal is not None else None
    if renewal is None or health is None or minutes is None or any(case.failures()):
        return
    said, alive, start = renewal.last.time, health.last.time, case.logs.last_start
    if said is None or alive is None or minutes > _ENDLESS:
        return
    due = said + timedelta(minutes=minutes)
    started_since = start is not None and start.time is not None and start.time > said
    if alive > due + _LATE and not started_since:
        yield Finding(
            "agent-stopped",
            LIKELY,
            (share(renewal), share(health)),
            values={"state": say("its core process fell silent and its worker goes on")},
            since=due,
        )


_ENDLESS = 1e6
"""Minutes that no agent waits."""


@rule("worker-broken", "logs")
def dies_again_and_again(case: Case) -> Iterator[Told]:
    """A worker that is started anew each time may open its channel each time, and is still broken."""
    for sighting in case.logs.ever("host.worker-died"):
        if _in_a_row(sighting) and _until_the_end(case, sighting):
            values = {"reason": say("it dies again and again")}
            yield Finding(
                "worker-broken",
                LIKELY,
                (share(sighting),),
                "killed",
                values=values,
                since=sighting.first.time,
            )


_OFTEN = timedelta(minutes=15)
_LOOP = 3


def _in_a_row(sighting: Sighting) -> bool:
    first, last = sighting.first.time, sighting.last.time
    if first is None or last is None or sighting.count < _LOOP:
        return False
    return (last - first) / (sighting.count - 1) <= _OFTEN


def _until_the_end(case: Case, sighting: Sighting) -> bool:
    end, last = case.logs.last_event, sighting.last.time
    return end is not None and end.time is not None and last is not None and end.time - last <= 2 * _OFTEN
