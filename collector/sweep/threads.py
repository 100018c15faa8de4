"""Threads on this machine: the runner that is used where nothing else is asked for.

Names are looked up and connections made in the background, and workers (forks) take connected ways only, so
that a host that does not answer, straight or behind a jump host, never holds a worker.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from collector.connections.connector import Endpoint, Way
from collector.connections.dialer import Dialer
from collector.errors import ConnectionFailed, TriageError
from collector.sweep.connectors import Connectors
from collector.sweep.descriptors import room_to_dial
from collector.sweep.host import Job, defect, failed, is_refusal, is_refused, reach, work_on
from collector.sweep.model import LAST_WORDS_S, Collect, Event, Outcome, Stage, SweepSettings
from collector.sweep.pace import Pacer, Place, back_off, door_to, room_behind
from collector.target import Target

T = TypeVar("T")

_PLANNERS = 8
_LOOK_UP_S = 0.5


class ThreadRunner:
    """Threads on this machine; one connector, one known_hosts and one login to each jump host for all."""

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
        self._dialer = Dialer(room_to_dial(settings.forks))
        self._pacer = Pacer()
        self._planners = _Hands("planner", min(_PLANNERS, len(targets)))
        self._ready: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Event | Outcome[T] | TriageError | None] = queue.SimpleQueue()
        self._workers = [
            threading.Thread(target=self._worker, name=f"worker-{number}", daemon=True)
            for number in range(min(settings.forks, len(targets)))
        ]

    def work(self) -> Iterator[Event | Outcome[T]]:
        """Until every host has an outcome, or every worker has stopped."""
        for target in self._targets:
            self._planners.do(partial(self._plan, _Task(Job(target))))
        for worker in self._workers:
            worker.start()
        missing, working = len(self._targets), len(self._workers)
        while missing and working:
            try:
                told = self._told.get(timeout=_LOOK_UP_S)
            except queue.Empty:
                if self._stop.is_set():
                    self._call_off()
                continue
            if told is None:
                working -= 1
                continue
            if isinstance(told, TriageError):
                yield from self._last_words(working)
                raise told
            yield told
            if isinstance(told, Outcome):
                missing -= 1
                yield Event(told.target, Stage.FINISHED, told.failure)

    def _last_words(self, working: int) -> Iterator[Outcome[T]]:
        """The sweep fails: what hosts under way come to, if that is soon, is told all the same."""
        self._stop.set()
        self._call_off()
        until = time.monotonic() + LAST_WORDS_S
        with contextlib.suppress(queue.Empty):
            while working:
                told = self._told.get(timeout=max(0.0, until - time.monotonic()))
                if told is None:
                    working -= 1
                elif isinstance(told, Outcome):
                    yield told

    def dismiss(self) -> None:
        """Everybody goes home; a worker in the middle of a host is not waited for."""
        self._stop.set()
        self._planners.go()
        self._pacer.close()
        self._turn_back()
        self._call_off()
        self._dialer.close()
        self._connectors.close()

    def _call_off(self) -> None:
        for _ in self._workers:
            self._ready.put(None)

    def _turn_back(self) -> None:
        """Close the ways that no worker has taken."""
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._ready.get_nowait()
                if task is not None and task.job.way is not None:
                    task.job.way.close()

    # --- The way to a host ---------------------------------------------------------------------------

    def _plan(self, task: _Task) -> None:
        """Find out where to connect, and go there as soon as there is room."""
        if self._stop.is_set():
            return
        target = task.job.target
        try:
            endpoint = self._connectors.of(target).endpoint(target)
        except ConnectionFailed as failure:
            self._told.put(failed(target, failure))
        except TriageError as error:
            self._told.put(error)
        except Exception as error:  # as in work_on
            self._told.put(failed(target, defect(error)))
        else:
            if endpoint is None:
                self._ready.put(task)
            else:
                task.door = door_to(endpoint, self._settings)
                task.room = room_behind(endpoint, self._settings)
                self._enter(task, endpoint)

    def _enter(self, task: _Task, endpoint: Endpoint) -> None:
        if task.door is not None:
            self._pacer.enter(task.door, partial(self._reach, task, endpoint))

    def _reach(self, task: _Task, endpoint: Endpoint) -> None:
        """Make the connection, in the background: whoever calls this must not wait."""
        task.is_at_door = True
        if endpoint.tunnel is not None:
            dig = partial(self._dig, task, endpoint)
            threading.Thread(target=dig, name="tunnel", daemon=True).start()
        else:
            self._planners.do(partial(self._dialer.dial, endpoint, partial(self._arrived, task)))

    def _dig(self, task: _Task, endpoint: Endpoint) -> None:
        """Have a jump host connect; takes a connect timeout where the host behind it is dead."""
        try:
            result: Way | ConnectionFailed = reach(endpoint)
        except ConnectionFailed as failure:
            result = failure
        except TriageError as error:
            self._told.put(error)
            return
        except Exception as error:  # as in work_on
            result = defect(error)
        self._arrived(task, result)

    def _arrived(self, task: _Task, result: Way | ConnectionFailed) -> None:
        """The way to a host is made, or there is none."""
        if isinstance(result, ConnectionFailed):
            self._turn_away(task, failed(task.job.target, result), is_full=is_refusal(result))
            return
        task.job.way, task.job.since = result, time.monotonic()
        if task.room is None:
            self._ready.put(task)
        else:
            self._pacer.enter(task.room, partial(self._ready.put, task))

    def _turn_away(self, task: _Task, outcome: Outcome[T], *, is_full: bool) -> None:
        """A host that did not let us in: its outcome, or another try once its server has had some rest."""
        job = task.job
        if is_full and task.door is not None:
            self._pacer.refused(task.door)
        task.leave_door(self._pacer)
        if is_full and task.door is not None and job.tries < self._settings.refusals:
            self._told.put(Event(job.target, Stage.WAITING, outcome.failure))
            self._pacer.later(back_off(job.tries), partial(self._planners.do, partial(self._plan, task)))
            job.tries += 1
        else:
            self._told.put(outcome)

    # --- Work ----------------------------------------------------------------------------------------

    def _worker(self) -> None:
        while not self._stop.is_set() and (task := self._ready.get()) is not None:
            if isinstance(task.job.way, socket.socket):
                self._dialer.taken()
            if self._stop.is_set():
                break
            self._told.put(Event(task.job.target, Stage.WORKING))
            try:
                self._work(task)
            except TriageError as error:
                self._told.put(error)
        self._told.put(None)

    def _work(self, task: _Task) -> None:
        logged_in = partial(task.leave_door, self._pacer)
        outcome = work_on(task.job, self._settings, self._collect, self._connectors, logged_in)
        if task.room is not None:
            self._pacer.leave(task.room)
        if is_refused(outcome):
            self._turn_away(task, outcome, is_full=True)
        else:
            logged_in()
            self._told.put(outcome)


@dataclass(slots=True, eq=False)
class _Task:
    """A host, and the places that it takes up on its way."""

    job: Job
    door: Place | None = None
    room: Place | None = None
    is_at_door: bool = False

    def leave_door(self, pacer: Pacer) -> None:
        """Make room for the next one; once is enough."""
        if self.is_at_door and self.door is not None:
            self.is_at_door = False
            pacer.leave(self.door)


class _Hands:
    """A few threads that do what they are told, in turn.

    Unlike an executor's they are not waited for at the end of the process: a name that no server resolves
    takes half a minute.
    """

    def __init__(self, name: str, count: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def do(self, task: Callable[[], None]) -> None:
        """Have ``task`` done; it must not raise."""
        self._tasks.put(task)

    def go(self) -> None:
        """What is not begun stays undone."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _ in range(self._count):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
