"""A clean bill needs proof: what shows that the agent works."""

from __future__ import annotations

from analyzers.causes.case import Case
from analyzers.causes.tools import lines
from analyzers.diagnosis import Citation
from analyzers.facts.service import ServiceState


def proof_of_health(case: Case) -> tuple[Citation, ...]:
    """What shows that the agent works; empty: nothing does.

    The log's word is an open channel after the last start.  Without a log, a running agent that holds
    connections to endpoints which answer is as good.
    """
    if case.connected and case.logs.last_good is not None:
        return _by_log(case)
    return () if case.logs.has_entries and case.logs.channel is None and _young(case) else _by_facts(case)


def _young(case: Case) -> bool:
    """Whether the log tells of a start that has not come to its channel yet."""
    start = case.logs.last_start
    return start is not None and start.outcome != "running"


def _by_log(case: Case) -> tuple[Citation, ...]:
    opened = case.last_state("channel")
    good = case.logs.last_good
    events = [state.event for state in (opened,) if state is not None] + ([good] if good else [])
    service = case.unit
    running = lines(service.at) if service is not None and service.state is ServiceState.RUNNING else ()
    return (*(event.cite() for event in {id(e): e for e in events}.values()), *running)


def _by_facts(case: Case) -> tuple[Citation, ...]:
    sockets, processes = case.facts.sockets.or_none(), case.facts.processes.or_none()
    if case.logs.has_entries and any(case.failures()):
        return ()
    up = processes is not None and processes.agents and processes.workers
    held = [s for s in sockets.established if _worker(s.process)] if sockets is not None else []
    answering = case.endpoints and all(e.reachable for e in case.endpoints.values())
    if not (up and held and answering) or processes is None:
        return ()
    return lines(processes.workers[0].at, held[0].at, *(e.shown_by for e in case.endpoints.values()))


def _worker(process: str) -> bool:
    return process.startswith(("ssm-agent-worke", "amazon-ssm-agen"))
