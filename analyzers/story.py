"""What surrounds the verdict: the agent, the clock, and what could not be seen."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import cache

from analyzers.causes import built_in
from analyzers.causes.case import Case
from analyzers.causes.catalogue import catalogue
from analyzers.diagnosis import AgentFacts, Unseen
from analyzers.facts.service import ServiceState
from collector.evidence import Status


def unseen(case: Case) -> tuple[Unseen, ...]:
    """Every probe and every log that brought nothing, or not all: unknown, never fine.

    ``absent`` is an answer.
    """
    probes = (
        Unseen(probe.probe, probe.probe.replace("-", " "), probe.status, probe.note)
        for probe in case.manifest.probes
    )
    logs = (
        Unseen(f"logs/{file.name}", file.name, Status(file.status), file.note)
        for file in case.logs.files
        if not file.name.startswith("probes/")
    )
    return tuple(one for one in (*probes, *logs) if one.status not in (Status.OK, Status.ABSENT))


# The agent and the clock ---------------------------------------------------------------------------------


def agent(case: Case) -> AgentFacts:
    """The head of the report."""
    start = case.logs.last_start
    state = (
        case.unit.state.value
        if case.unit is not None and case.unit.state is not ServiceState.UNKNOWN
        else None
    )
    identity = case.logs.identity
    if identity is None and (kept := case.facts.identity_config.or_none()) is not None:
        identity = kept.instance_id or None
    return AgentFacts(
        str(case.version) if case.version else None,
        state,
        identity,
        start.time if start is not None else None,
    )


def host_time(case: Case) -> datetime | None:
    clock = case.facts.clock.or_none()
    return clock.utc if clock is not None else None


def utc_offset(case: Case) -> timedelta | None:
    clock = case.facts.clock.or_none()
    return clock.offset if clock is not None else None


def clock_skew(case: Case) -> timedelta | None:
    """The host's clock less ours; where ours is not known, less AWS's."""
    skews = case.facts.skew.or_none()
    if skews is None or not skews.skews:
        return None
    own = next((skew for skew in skews.skews if skew.reference == "us"), skews.skews[0])
    return own.skew


@cache
def rule_set() -> str:
    """What the verdict was reached with: the number of rules, and a digest of rules and texts."""
    names = "\n".join(f"{rule.slug} {rule.name}" for rule in built_in())
    told = "\n".join(f"{text.slug} {text.sentence} {text.explains}" for text in catalogue())
    return f"{len(built_in())} rules, {hashlib.sha256((names + told).encode()).hexdigest()[:12]}"
