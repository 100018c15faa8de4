"""What surrounds the verdict: the timeline, the path, the agent, and what could not be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from analyzers.causes import built_in
from analyzers.causes.case import SERVICES, Case
from analyzers.causes.catalogue import catalogue
from analyzers.diagnosis import AgentFacts, Hop, TimelineEvent, Unseen
from analyzers.facts.endpoints import DnsState, Endpoint, EndpointState
from analyzers.facts.imds import ImdsState
from analyzers.facts.routing import IMDS
from analyzers.facts.service import ServiceState
from analyzers.logs.model import Kind, LogReading
from analyzers.text import Message, say
from collector.evidence import Status


def unseen(case: Case) -> tuple[Unseen, ...]:
    """Every probe that brought nothing, or not all: unknown, never fine.  ``absent`` is an answer."""
    return tuple(
        Unseen(probe.probe, probe.probe.replace("-", " "), probe.status, probe.note)
        for probe in case.manifest.probes
        if probe.status not in (Status.OK, Status.ABSENT)
    )


# The timeline --------------------------------------------------------------------------------------------


def timeline(case: Case) -> tuple[TimelineEvent, ...]:
    """What happened on the host, in order; events without a time are left out."""
    return tuple(sorted(_events(case), key=lambda event: _sortable(event.first)))


def _sortable(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _events(case: Case) -> Iterator[TimelineEvent]:
    clock = case.facts.clock.or_none()
    if clock is not None and clock.boot is not None:
        yield TimelineEvent("boot", clock.boot, clock.boot, say("The host booted."))
    yield from _agent_events(case.logs)
    for sighting in (*case.logs.history, *case.logs.current):
        first, last = sighting.first.time, sighting.last.time
        if sighting.kind is Kind.FAILURE and first is not None and last is not None:
            yield TimelineEvent("failure", first, last, say("{means}", means=sighting.means), sighting.count)
    yield from _silence_and_retry(case.logs)


def _agent_events(logs: LogReading) -> Iterator[TimelineEvent]:
    for start in logs.starts:
        if start.time is not None:
            label = say("The agent started (version {version}).", version=start.version or "not known")
            yield TimelineEvent("agent-start", start.time, start.time, label)
    for state in logs.states:
        if state.event.time is not None:
            label = say("{aspect}: {value}", aspect=state.aspect, value=state.value)
            yield TimelineEvent("state", state.event.time, state.event.time, label)
    good = logs.last_good
    if good is not None and good.time is not None:
        yield TimelineEvent(
            "good", good.time, good.time, say("The agent worked: {why}", why=logs.last_good_why)
        )


def _silence_and_retry(logs: LogReading) -> Iterator[TimelineEvent]:
    if logs.silence is not None:
        end = logs.silence.since + (logs.silence.length or timedelta(0))
        yield TimelineEvent("silence", logs.silence.since, end, logs.silence.reason)
    if logs.next_try is not None:
        yield TimelineEvent("retry", logs.next_try.earliest, logs.next_try.latest, logs.next_try.basis)


# The path ------------------------------------------------------------------------------------------------


def path(case: Case) -> tuple[Hop, ...]:
    """The legs of the agent's way, each with its state."""
    return tuple(_hops(case))


def _hops(case: Case) -> Iterator[Hop]:
    gateway = case.values.get("gateway")
    if gateway:
        hop = case.routing.expected_gateway if case.routing is not None else None
        neighbour = case.routing.neighbour(hop) if case.routing is not None and hop is not None else None
        yield Hop("gateway", gateway, "failed" if neighbour is not None and neighbour.dead else "unknown")
    yield _imds(case)
    resolvers = case.facts.resolvers.or_none()
    for server in resolvers.nameservers[:3] if resolvers is not None else ():
        yield Hop("resolver", str(server.address), _resolves(case))
    if case.proxy is not None and (variable := case.proxy.variable("https_proxy")) is not None:
        answers = [e.proxied for e in case.endpoints.values() if e.proxied is not None]
        state = "unknown" if not answers else "ok" if all(a.ok for a in answers) else "failed"
        yield Hop("proxy", variable.value, state)
    for service in SERVICES:
        yield _endpoint(case, service)


def _imds(case: Case) -> Hop:
    if case.imds is None:
        return Hop("imds", str(IMDS), "unused" if case.hybrid else "unknown")
    state = "ok" if case.imds.state is ImdsState.OK else "unused" if case.hybrid else "failed"
    return Hop("imds", str(IMDS), state, say("{state}", state=case.imds.state.value))


def _resolves(case: Case) -> str:
    states = {e.dns_state for e in case.endpoints.values()} - {DnsState.UNKNOWN}
    if not states:
        return "unknown"
    return "ok" if states == {DnsState.OK} else "failed"


def _endpoint(case: Case, service: str) -> Hop:
    endpoint: Endpoint | None = case.endpoint(service)
    if endpoint is None:
        return Hop("endpoint", service, "unknown")
    if endpoint.reachable is None:
        return Hop("endpoint", endpoint.host, "unknown", _detail(endpoint))
    return Hop("endpoint", endpoint.host, "ok" if endpoint.reachable else "failed", _detail(endpoint))


def _detail(endpoint: Endpoint) -> Message | None:
    if endpoint.state in (EndpointState.OK, EndpointState.UNKNOWN):
        return None
    return say("{state}", state=endpoint.state.value)


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
