"""The unit of work: one host in, one outcome out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from collector.connections.base import Connection, Deadline
from collector.connections.connector import Connector, Endpoint, Way
from collector.connections.sockets import connect
from collector.errors import ConnectionFailed, FailureKind, TriageError
from collector.sweep.connectors import Connectors
from collector.sweep.model import Collect, Outcome, SweepSettings
from collector.sweep.pace import Pacer, back_off, door_to, room_behind
from collector.target import Target

T = TypeVar("T")

_STALE_S = 20.0
"""A connection that has waited longer is made anew: sshd's LoginGraceTime runs from its beginning."""


class Shared:
    """What the hosts have in common that one process works on, each in a thread; made when a sweep begins."""

    def __init__(self, settings: SweepSettings) -> None:
        self.connectors = Connectors(settings)
        self.pacer = Pacer()
        self.forks = threading.BoundedSemaphore(settings.forks)

    def close(self) -> None:
        """Who waits for a turn at a server has none any more."""
        self.pacer.close()
        self.connectors.close()


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
    target: Target, settings: SweepSettings, collect: Collect[T], shared: Shared | None = None
) -> Outcome[T]:
    """The unit of work on its own, for an engine that runs it wherever it likes.

    Waits in the caller's thread: for its turn at the door, for room behind a jump host, for a fork.  Only a
    host that has answered takes the latter two, in this order, so that none holds what another could use.

    Raises:
        TriageError: what concerns more than this host.
    """
    own = shared or Shared(settings)
    job = Job(target)
    try:
        while True:
            outcome = _come_in(job, settings, collect, own)
            if not is_refused(outcome) or job.tries >= settings.refusals:
                return outcome
            time.sleep(back_off(job.tries))
            job.tries += 1
    finally:
        if job.way is not None:  # nobody went it
            job.way.close()
        if shared is None:
            own.close()


def _come_in(job: Job, settings: SweepSettings, collect: Collect[T], shared: Shared) -> Outcome[T]:
    try:
        endpoint = shared.connectors.of(job.target).endpoint(job.target)
    except ConnectionFailed as failure:
        return failed(job.target, failure)
    if endpoint is None:
        with shared.forks:
            return work_on(job, settings, collect, shared.connectors)
    door, room = door_to(endpoint, settings), room_behind(endpoint, settings)
    with ExitStack() as at_door:
        at_door.enter_context(shared.pacer.inside(door))
        try:
            job.way, job.since = reach(endpoint), time.monotonic()
        except ConnectionFailed as failure:
            outcome: Outcome[T] = failed(job.target, failure)
        else:
            with shared.pacer.inside(room) if room else nullcontext(), shared.forks:
                outcome = work_on(job, settings, collect, shared.connectors, at_door.close)
        if is_refused(outcome):
            shared.pacer.refused(door)
    return outcome


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
