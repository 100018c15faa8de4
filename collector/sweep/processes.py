"""Processes on this machine, each with threads of its own: for many forks on more than one core.

One Python process does one thing at a time; key exchanges alone keep it busy from about a hundred hosts a
second on.  The children are started anew, never forked: a fork takes locks along that threads hold.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar, cast

from collector.errors import ConnectionFailed, FailureKind, TriageError
from collector.secrets import for_child
from collector.sweep.children import deaf_to_signals, signals_held
from collector.sweep.host import failed
from collector.sweep.model import LAST_WORDS_S, Collect, Event, Outcome, Stage, SweepSettings
from collector.sweep.threads import ThreadRunner
from collector.target import Target

T = TypeVar("T")

_FORKS_EACH = 32
_HOSTS_EACH = 100
_LOOK_UP_S = 0.5
_LIVES = 2
"""How often a process may die on one host before the host is left alone."""
_STOP = b"stop"


def processes_that_pay(hosts: int, forks: int) -> int:
    """How many processes are worth their start: one, unless there is work enough for several cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, forks // _FORKS_EACH, hosts // _HOSTS_EACH))


class ProcessRunner:
    """Children with a share of the hosts and of the forks each."""

    def __init__(self, processes: int, prepare: Callable[[], None] | None = None) -> None:
        """``prepare`` is called in each child first; picklable."""
        self._processes = processes
        self._prepare = prepare

    def run(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> Iterator[Event | Outcome[T]]:
        """See ``Runner.run``."""
        count = max(1, min(self._processes, settings.forks, len(targets)))
        each = replace(settings.shared_by(count), forks=-(-settings.forks // count))
        family = _Family(each, collect, self._prepare)
        try:
            family.add(*(targets[number::count] for number in range(count)))
            yield from family.work(stop)
        finally:
            family.kill()


class _Family(Generic[T]):
    """The children of one sweep, and which host each of them still owes."""

    def __init__(
        self, settings: SweepSettings, collect: Collect[T], prepare: Callable[[], None] | None
    ) -> None:
        self._work = (settings, collect, prepare)
        self._children: dict[Connection, _Child] = {}
        self._deaths: dict[str, int] = {}

    def add(self, *shares: Sequence[Target]) -> None:
        """A child more for each share of the hosts; all start before the first is told what to do."""
        children = [_Child(share) for share in shares if share]
        self._children |= {child.pipe: child for child in children}
        for child in children:
            child.brief(*self._work)

    def work(self, stop: threading.Event) -> Iterator[Event | Outcome[T]]:
        """Until every child has said that it is done."""
        is_told = False
        while self._children:
            if stop.is_set() and not is_told:
                is_told = True
                for child in self._children.values():
                    child.stop()
            for child in self._speaking(_LOOK_UP_S):
                try:
                    yield from self._hear(child, stop)
                except TriageError:
                    yield from self._last_words()
                    raise

    def _last_words(self) -> Iterator[Outcome[T]]:
        """The sweep fails: what hosts under way come to, if that is soon, is told all the same."""
        until = time.monotonic() + LAST_WORDS_S
        for child in self._children.values():
            child.stop()
        while self._children and (heard := self._speaking(max(0.0, until - time.monotonic()))):
            for child in heard:
                try:
                    told = child.word()
                except (EOFError, OSError):
                    told = None
                if isinstance(told, Outcome):
                    yield told
                elif told is None:
                    self._part_with(child)

    def _speaking(self, seconds: float) -> list[_Child]:
        """Those who have something to say, or have ended, within so many seconds."""
        return [self._children[cast("Connection", pipe)] for pipe in wait(list(self._children), seconds)]

    def _part_with(self, child: _Child) -> int | None:
        del self._children[child.pipe]
        return child.bury()

    def kill(self) -> None:
        """End whoever is left, at once."""
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def _hear(self, child: _Child, stop: threading.Event) -> Iterator[Event | Outcome[T]]:
        try:
            told = child.word()
        except (EOFError, OSError):
            yield from self._mourn(child, stop)
            return
        if told is None:
            self._part_with(child)
            return
        if isinstance(told, TriageError):
            raise told
        child.note(told)
        yield told

    def _mourn(self, child: _Child, stop: threading.Event) -> Iterator[Event | Outcome[T]]:
        """A child died, by a signal or for want of memory: another one takes over what it owes."""
        code = self._part_with(child)
        rest = []
        for target in child.owed.values():
            if target.name in child.begun:
                self._deaths[target.name] = self._deaths.get(target.name, 0) + 1
            if self._deaths.get(target.name, 0) < _LIVES:
                rest.append(target)
                continue
            outcome: Outcome[T] = failed(target, _died(code))
            yield outcome
            yield Event(target, Stage.FINISHED, outcome.failure)
        if not stop.is_set():
            self.add(rest)


class _Child:
    """One process, as its parent sees it."""

    def __init__(self, share: Sequence[Target]) -> None:
        self.owed = {target.name: target for target in share}
        self.begun: set[str] = set()
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_be_child, args=(theirs,), name="ssm-triage", daemon=True)
        with signals_held():
            self._process.start()
        theirs.close()

    def brief(self, *work: object) -> None:
        """Tell it what to do."""
        with suppress(OSError):  # it died at once: its end shows when it is listened to
            self.pipe.send_bytes(for_child((list(self.owed.values()), *work)))

    def word(self) -> Any:
        """What it says next: an event, an outcome, an error of the whole sweep, at last ``None``.

        Raises:
            EOFError, OSError: it died.
        """
        return pickle.loads(self.pipe.recv_bytes())  # noqa: S301  # from a child of ours

    def note(self, told: Event | Outcome[Any]) -> None:
        """Keep the books."""
        if isinstance(told, Outcome):
            self.owed.pop(told.target.name, None)
        elif told.stage is Stage.WORKING:
            self.begun.add(told.target.name)

    def stop(self) -> None:
        """Ask for a gentle end."""
        with suppress(OSError):  # it has ended already
            self.pipe.send_bytes(_STOP)

    def bury(self) -> int | None:
        """Wait for its end; gives the exit code, negative for a signal."""
        self.pipe.close()
        self._process.join(5)
        self.kill()
        return self._process.exitcode

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()


# --- In the child --------------------------------------------------------------------------------------


def _be_child(pipe: Connection) -> None:
    """Ask the hosts that come through ``pipe``, and tell what comes of it, until done or told to stop."""
    deaf_to_signals()
    targets, settings, collect, prepare = pickle.loads(pipe.recv_bytes())  # noqa: S301  # from our parent
    if prepare is not None:
        prepare()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(pipe, stop), name="parent", daemon=True).start()
    try:
        for told in ThreadRunner().run(targets, settings, collect, stop):
            pipe.send_bytes(for_child(told))
        pipe.send_bytes(for_child(None))
    except TriageError as error:
        pipe.send_bytes(for_child(error))
    except BrokenPipeError:
        pass
    os._exit(0)  # no thread that waits for a host is waited for


def _listen(pipe: Connection, stop: threading.Event) -> None:
    """Set ``stop`` when the parent says so; go at once when the parent is gone."""
    try:
        while pipe.recv_bytes() != _STOP:
            pass
        stop.set()
        pipe.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _died(code: int | None) -> ConnectionFailed:
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        f"the process that asked this host died twice ({how})",
        "the bastion may be out of memory (dmesg says so); lower --forks or --processes and ask again",
    )
