"""Many hosts, one after the other finished: the engine of a sweep.

The unit of work is *one host in, one outcome out*.  ``ThreadRunner`` does it with threads on this machine:
names are looked up and all TCP connections made in the background, and workers (forks) take connected
sockets only, so a host that does not answer never holds a worker.  Another engine can do the same work by
handing ``collect_one`` to its own processes: whatever goes in and comes out is picklable.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from collector.connections.base import Connection, Deadline
from collector.connections.connector import Connector, Endpoint
from collector.connections.dialer import Dialer
from collector.connections.settings import SshSettings, WinrmSettings
from collector.errors import ConnectionFailed, FailureKind, TriageError
from collector.evidence.model import ConnectionFacts
from collector.target import Target, Transport

if TYPE_CHECKING:
    from collector.connections.ssh import SshConnector

T = TypeVar("T")

Collect = Callable[[Connection, Target, Deadline], T]
"""What is done with an open connection; nothing of the host outlives the deadline."""

_STALE_S = 20.0
"""A socket that has waited longer is dialled anew: sshd's LoginGraceTime runs from the connection."""
_PLANNERS = 8


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """How a sweep is run; picklable.  Times are in seconds."""

    forks: int = 10
    """Hosts that are worked on at the same time."""
    host_deadline_s: float = 300.0
    """For one host, from login to the last byte."""
    ssh: SshSettings = field(default_factory=SshSettings)
    winrm: WinrmSettings = field(default_factory=WinrmSettings)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one host: a value, or the way in which it failed."""

    target: Target
    started: datetime
    """UTC."""
    finished: datetime
    value: T | None = None
    failure: ConnectionFailed | None = None
    connection: ConnectionFacts | None = None
    """How the host was reached, if it was, even where the collection failed later."""


class Stage(StrEnum):
    """How far a host has come."""

    WORKING = "working"
    """A worker has begun with it."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Event:
    """Something for a progress display."""

    target: Target
    stage: Stage
    failure: ConnectionFailed | None = None


OnEvent = Callable[[Event], None]
"""Called in the thread that iterates over the outcomes."""


class Runner(Protocol):
    """An engine that does the unit of work for many hosts."""

    def run(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> Iterator[Event | Outcome[T]]:
        """Outcomes in the order in which hosts finish, with the events between them.

        Once ``stop`` is set no further host is begun; those under way are finished.

        Raises:
            TriageError: what concerns the whole sweep, such as a configuration that is not valid.
        """
        ...


def sweep(
    targets: Sequence[Target],
    settings: SweepSettings,
    collect: Collect[T],
    on_event: OnEvent | None = None,
    *,
    stop: threading.Event | None = None,
    runner: Runner | None = None,
) -> Iterator[Outcome[T]]:
    """Collect from all ``targets``; yields each host's outcome as soon as it is finished.

    A host that fails is an outcome like any other.  Setting ``stop`` ends the sweep gently: hosts that were
    not begun have no outcome.

    Raises:
        TriageError: what concerns the whole sweep; what was finished before has been yielded.
    """
    for item in (runner or ThreadRunner()).run(targets, settings, collect, stop or threading.Event()):
        if isinstance(item, Event):
            if on_event is not None:
                on_event(item)
        else:
            yield item


def collect_one(target: Target, settings: SweepSettings, collect: Collect[T]) -> Outcome[T]:
    """The unit of work on its own, for an engine that runs it wherever it likes.

    Raises:
        TriageError: what concerns more than this host.
    """
    connectors = Connectors(settings)
    try:
        return _work(_Job(target), settings, collect, connectors)
    finally:
        connectors.close()


class Connectors:
    """The connectors of a run, made when the first host needs them."""

    def __init__(self, settings: SweepSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: dict[Transport, Connector] = {}

    def of(self, target: Target) -> Connector:
        """The connector for the transport of ``target``."""
        return self._of(target.transport)

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for connector in self._made.values():
                connector.close()
            self._made.clear()

    def _of(self, transport: Transport) -> Connector:
        with self._lock:
            if transport not in self._made:
                self._made[transport] = self._make(transport)
            return self._made[transport]

    def _make(self, transport: Transport) -> Connector:
        if transport is Transport.SSH:
            from collector.connections.ssh import SshConnector  # paramiko and fabric: heavy

            return SshConnector(self._settings.ssh)
        if transport is Transport.WINRM:
            from collector.connections.winrm import WinrmConnector

            return WinrmConnector(self._settings.winrm, lambda: cast("SshConnector", self._of(Transport.SSH)))
        from collector.connections.local import LocalConnector

        return LocalConnector()


# --- One host ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Job:
    """A host on its way to a worker, with what is known of the way to it."""

    target: Target
    dialled: socket.socket | ConnectionFailed | None = None
    """A connected socket, the failure to get one, or nothing: the connector finds its own way."""
    since: float = 0.0


def _work(job: _Job, settings: SweepSettings, collect: Collect[T], connectors: Connectors) -> Outcome[T]:
    target, started = job.target, datetime.now(UTC)
    connection: Connection | None = None
    value: T | None = None
    failure: ConnectionFailed | None = None
    try:
        deadline = Deadline.after(settings.host_deadline_s)
        connection = _open(job, connectors.of(target), deadline)
        value = collect(connection, target, deadline)
    except ConnectionFailed as failed:
        failure = failed
    except TriageError:
        raise
    except Exception as error:  # a defect of ours must not end the sweep of a thousand hosts
        failure = _defect(error)
    finally:
        facts = connection.facts if connection is not None else None
        if connection is not None:
            connection.close()
    return Outcome(target, started, datetime.now(UTC), value, failure, facts)


def _open(job: _Job, connector: Connector, deadline: Deadline) -> Connection:
    if isinstance(job.dialled, ConnectionFailed):
        raise job.dialled
    if job.dialled is None:
        return connector.open(job.target, deadline=deadline)
    if time.monotonic() - job.since > _STALE_S:
        job.dialled.close()
        return connector.open(job.target, deadline=deadline)
    try:
        return connector.open(job.target, deadline=deadline, sock=job.dialled)
    except ConnectionFailed as failure:
        if failure.kind is not FailureKind.QUOTA:
            raise
    # The server hung up before it said anything, perhaps because so many of us came at once: once more.
    time.sleep(min(1.0, deadline.remaining()))
    return connector.open(job.target, deadline=deadline)


# --- Many hosts, with threads ------------------------------------------------------------------------


class ThreadRunner:
    """Threads on this machine; one connector, one known_hosts and one jump connection for all."""

    def run(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> Iterator[Event | Outcome[T]]:
        """See ``Runner.run``."""
        if not targets:
            return
        crew = _Crew(targets, settings, collect, stop)
        try:
            yield from crew.work()
        finally:
            crew.dismiss()


class _Crew(Generic[T]):
    """The threads of one sweep: planners look up, the dialer connects, workers collect."""

    def __init__(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> None:
        self._targets = targets
        self._settings = settings
        self._collect = collect
        self._stop = stop
        self._connectors = Connectors(settings)
        self._dialer = Dialer()
        self._ready: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Event | Outcome[T] | TriageError | None] = queue.SimpleQueue()
        self._planners = ThreadPoolExecutor(min(_PLANNERS, len(targets)), thread_name_prefix="planner")
        self._workers = [
            threading.Thread(target=self._worker, name=f"worker-{number}", daemon=True)
            for number in range(min(settings.forks, len(targets)))
        ]

    def work(self) -> Iterator[Event | Outcome[T]]:
        """Until every host has an outcome, or every worker has stopped."""
        for target in self._targets:
            self._planners.submit(self._plan, target)
        for worker in self._workers:
            worker.start()
        missing, working = len(self._targets), len(self._workers)
        while missing and working:
            try:
                told = self._told.get(timeout=0.5)
            except queue.Empty:
                if self._stop.is_set():
                    self._call_off()
                continue
            if told is None:
                working -= 1
                continue
            if isinstance(told, TriageError):
                raise told
            yield told
            if isinstance(told, Outcome):
                missing -= 1
                yield Event(told.target, Stage.FINISHED, told.failure)

    def dismiss(self) -> None:
        """Everybody goes home; a worker in the middle of a host is not waited for."""
        self._stop.set()
        self._planners.shutdown(wait=False, cancel_futures=True)
        self._call_off()
        self._dialer.close()
        self._connectors.close()

    def _call_off(self) -> None:
        for _ in self._workers:
            self._ready.put(None)

    def _plan(self, target: Target) -> None:
        """Find out where to connect, and have it dialled."""
        if self._stop.is_set():
            return
        try:
            endpoint = self._connectors.of(target).endpoint(target)
        except ConnectionFailed as failure:
            self._ready.put(_Job(target, failure))
        except TriageError as error:
            self._told.put(error)
        except Exception as error:  # as in _work
            self._ready.put(_Job(target, _defect(error)))
        else:
            self._dial(target, endpoint)

    def _dial(self, target: Target, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            self._ready.put(_Job(target))
            return
        self._dialer.dial(endpoint, lambda dialled: self._ready.put(_Job(target, dialled, time.monotonic())))

    def _worker(self) -> None:
        while not self._stop.is_set() and (job := self._ready.get()) is not None:
            is_socket = isinstance(job.dialled, socket.socket)
            if is_socket:
                self._dialer.taken()
            if self._stop.is_set():
                break
            self._told.put(Event(job.target, Stage.WORKING))
            try:
                self._told.put(_work(job, self._settings, self._collect, self._connectors))
            except TriageError as error:
                self._told.put(error)
        self._told.put(None)


def _defect(error: Exception) -> ConnectionFailed:
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        f"unexpected {type(error).__name__}: {error}",
        "this is a defect of ssm-triage; please report it with this line",
    )
