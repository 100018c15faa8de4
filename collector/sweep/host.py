"""The unit of work: one host in, one outcome out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from collector.connections.base import Connection, Deadline
from collector.connections.connector import Connector, Endpoint, Way
from collector.connections.sockets import connect
from collector.errors import ConnectionFailed, FailureKind, TriageError
from collector.sweep.connectors import Connectors
from collector.sweep.model import Collect, Outcome, SweepSettings
from collector.sweep.pace import back_off
from collector.target import Target

T = TypeVar("T")

_STALE_S = 20.0
"""A connection that has waited longer is made anew: sshd's LoginGraceTime runs from its beginning."""


@dataclass(slots=True)
class Job:
    """A host on its way to a worker, with what is known of the way to it."""

    target: Target
    way: Way | None = None
    """The connection that was made for it; nothing: the connector finds its own way."""
    since: float = 0.0
    """When ``way`` was made, on the monotonic clock."""
    tries: int = 0
    """How often the server was at its limit so far."""


def collect_one(
    target: Target,
    settings: SweepSettings,
    collect: Collect[T],
    connectors: Connectors | None = None,
    slot: AbstractContextManager[object] | None = None,
) -> Outcome[T]:
    """The unit of work on its own, for an engine that runs it wherever it likes.

    ``connectors`` are shared by the hosts that one process works on.  ``slot`` is entered once the host has
    shown that it is alive: a dead one holds none.

    Raises:
        TriageError: what concerns more than this host.
    """
    own = connectors or Connectors(settings)
    job = Job(target)
    try:
        while True:
            outcome = _reach_and_work(job, settings, collect, own, slot or contextlib.nullcontext())
            if not is_refused(outcome) or job.tries >= settings.refusals:
                return outcome
            time.sleep(back_off(job.tries))
            job.tries += 1
    finally:
        if connectors is None:
            own.close()


def _reach_and_work(
    job: Job,
    settings: SweepSettings,
    collect: Collect[T],
    connectors: Connectors,
    slot: AbstractContextManager[object],
) -> Outcome[T]:
    try:
        endpoint = connectors.of(job.target).endpoint(job.target)
        job.way = None if endpoint is None else reach(endpoint)
    except ConnectionFailed as failure:
        return failed(job.target, failure)
    job.since = time.monotonic()
    with slot:
        return work_on(job, settings, collect, connectors)


def reach(endpoint: Endpoint) -> Way:
    """A connection to an endpoint, made here and now.

    Raises:
        ConnectionFailed: there is none to be had.
    """
    if endpoint.tunnel is not None:
        return endpoint.tunnel()
    return connect(endpoint.host, endpoint.port, endpoint.timeout_s)


def work_on(
    job: Job,
    settings: SweepSettings,
    collect: Collect[T],
    connectors: Connectors,
    logged_in: Callable[[], None] = lambda: None,
) -> Outcome[T]:
    """Log in to a host, collect from it, leave it; ``logged_in`` hears when the first is done, if it is.

    Raises:
        TriageError: what concerns more than this host.
    """
    target, started, begun = job.target, datetime.now(UTC), time.monotonic()
    connection: Connection | None = None
    value: T | None = None
    failure: ConnectionFailed | None = None
    try:
        deadline = Deadline.after(settings.host_deadline_s)
        connection = _open(job, connectors.of(target), deadline)
        logged_in()
        value = collect(connection, target, deadline)
    except ConnectionFailed as refusal:
        failure = refusal.bare()
    except TriageError:
        raise
    except Exception as error:  # a defect of ours must not end the sweep of a thousand hosts
        failure = defect(error)
    finally:
        facts = connection.facts if connection is not None else None
        if connection is not None:
            connection.close()
    return Outcome(target, started, datetime.now(UTC), value, failure, time.monotonic() - begun, facts)


def is_refused(outcome: Outcome[T]) -> bool:
    """Whether the server hung up before it said anything, perhaps because so many came at once."""
    return is_refusal(outcome.failure) and outcome.connection is None


def is_refusal(failure: ConnectionFailed | None) -> bool:
    """Whether the server was at its limit, so that it is worth coming back."""
    return failure is not None and failure.kind is FailureKind.QUOTA


def failed(target: Target, failure: ConnectionFailed) -> Outcome[T]:
    """The outcome of a host that was not even begun with."""
    now = datetime.now(UTC)
    return Outcome(target, now, now, failure=failure.bare())


def defect(error: Exception) -> ConnectionFailed:
    """What a defect of ours looks like in the host's report."""
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        f"unexpected {type(error).__name__}: {error}",
        "this is a defect of ssm-triage; please report it with this line",
    )


def _open(job: Job, connector: Connector, deadline: Deadline) -> Connection:
    way, job.way = job.way, None
    if way is None:
        return connector.open(job.target, deadline=deadline)
    if time.monotonic() - job.since > _STALE_S:
        way.close()
        return connector.open(job.target, deadline=deadline)
    return connector.open(job.target, deadline=deadline, sock=way)
