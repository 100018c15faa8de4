"""A clean bill needs proof: what shows that the agent works."""

from __future__ import annotations

from datetime import timedelta

from analyzers.causes.case import Case
from analyzers.causes.logged import answered_now
from analyzers.causes.network import matters
from analyzers.causes.tools import lines
from analyzers.causes.versions import Change
from analyzers.diagnosis import Citation
from analyzers.facts.processes import Socket
from analyzers.facts.proxy import parse_proxy_url
from analyzers.facts.service import ServiceState


def proof_of_health(case: Case) -> tuple[Citation, ...]:
    """What shows that the agent works; empty: nothing does.

    The log's word is an open channel after the last start; an agent before 2.3.68 has no channel, and its
    good answers count.  Without a log, a running agent that holds its channel is as good, if all answers.
    """
    failing = any(not s.vague for s in case.failures())
    if gone(case) or unsettled(case) or ((stale(case) or cut_short(case)) and not holding(case)):
        return ()
    old = case.has(Change.MGS) is False and not any(case.failures())
    if case.logs.last_good is not None and (case.connected or old):
        return _by_log(case)
    return () if failing or (case.logs.has_entries and _never_arrived(case)) else holding(case)


def by_log_alone(case: Case) -> bool:
    """Whether nothing of the host but its log shows that the agent is there now."""
    facts = (case.facts.processes.or_none(), case.facts.sockets.or_none(), case.unit)
    return all(fact is None for fact in facts)


def gone(case: Case) -> bool:
    """Whether the processes were listed, and the agent's is not among them."""
    processes = case.facts.processes.or_none()
    return processes is not None and not processes.agents


def unsettled(case: Case) -> bool:
    """Whether the agent complains of something, has not taken it back, and nothing shows that it is over."""
    return any(s.supports and not s.vague and not answered_now(case, s) for s in case.failures())


QUIET = timedelta(minutes=30)
"""An agent that works reports its health every five minutes, in every version."""


def stale(case: Case) -> bool:
    """Whether the log ended long before its collection, though this agent does not fall silent by itself."""
    silence = case.logs.silence
    return (
        silence is not None and not silence.expected and silence.length is not None and silence.length > QUIET
    )


_TELLING = ("amazon-ssm-agent.log", "ssm-agent-worker.log")
"""The newest of the logs that tell how the agent is; older ones carry a number."""


def cut_short(case: Case) -> bool:
    """Whether the end of a log that would tell of a failure could not be read."""
    return any(file.ends_early for file in case.logs.files if file.name.endswith(_TELLING))


def _never_arrived(case: Case) -> bool:
    """Whether the log tells of a start that has not come to its channel."""
    start = case.logs.last_start
    told = start is not None and start.event is not None  # else its lines were lost: only the audit has it
    return case.logs.channel is None and told and start is not None and start.outcome != "running"


def _by_log(case: Case) -> tuple[Citation, ...]:
    opened = case.last_state("channel")
    events = [event for event in (opened.event if opened else None, case.logs.last_good) if event is not None]
    running = case.unit is not None and case.unit.state is ServiceState.RUNNING
    distinct = {(event.file, event.line): event.cite() for event in events}
    return (*distinct.values(), *lines(case.unit.at if case.unit is not None and running else None))


def holding(case: Case) -> tuple[Citation, ...]:
    """By facts alone: the agent runs, holds its channel (or the way to it), and all it needs answers."""
    sockets, processes = case.facts.sockets.or_none(), case.facts.processes.or_none()
    if sockets is None or processes is None or not case.endpoints:
        return ()
    cores, workers = processes.agents, processes.workers
    up = bool(cores) and (bool(workers) or case.has(Change.WORKER) is False)
    held = [s for s in sockets.sockets if s.established and _agents(s.process) and _wanted(case, s)]
    answering = all(e.reachable or not matters(case, e.service) for e in case.endpoints.values())
    if not (up and held and (answering or case.proxied)):
        return ()
    return lines((workers or cores)[0].at, held[0].at, *(e.shown_by for e in case.endpoints.values()))


def _agents(process: str) -> bool:
    """Process names as the kernel cuts them."""
    return process.startswith(("ssm-agent-worke", "amazon-ssm-agen"))


def _wanted(case: Case, socket: Socket) -> bool:
    """Whether this is the channel, or the way to it."""
    channel = case.endpoint("ssmmessages")
    variable = case.proxy.for_https if case.proxy is not None else None
    url = parse_proxy_url(variable.value) if variable is not None else None
    if url is not None:
        return socket.peer_port == url.port
    return channel is not None and socket.peer in channel.addresses
