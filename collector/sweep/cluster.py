"""A Dask cluster: hosts are asked by workers on other bastions, each host by one that can reach its zone.

A worker says which zones it reaches by its resources: ``zone:vpc-a=64``.  A host whose worker is lost is
asked again by another one; Dask sees to that.  No more hosts are handed out than the workers have threads,
so that a sweep can be ended gently, and the scheduler never holds more than it must.
"""

from __future__ import annotations

import logging
import pickle
import queue
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from collector.errors import ConnectionFailed, FailureKind, SecretError, TriageError, UsageError
from collector.sweep.host import defect, failed
from collector.sweep.model import Collect, Event, Outcome, Stage, SweepSettings
from collector.target import Target

T = TypeVar("T")

_CONNECT_S = 10
_LOOK_UP_S = 0.5
_BATCH = 16
"""Results that are fetched at once; each may hold a host's whole evidence."""
_ZONE = re.compile(r"[A-Za-z0-9_.:/@-]+")


def resource_of(zone: str) -> str:
    """The resource that a worker offers where it reaches the hosts of ``zone``."""
    return f"zone:{zone}"


class DaskRunner:
    """The workers of a Dask scheduler; ``forks`` counts for each of them."""

    def __init__(self, scheduler: str, *, patience_s: float = 60.0) -> None:
        """``patience_s``: how long a zone may be without a worker before its hosts are given up."""
        self._scheduler = scheduler
        self._patience_s = patience_s

    def run(
        self, targets: Sequence[Target], settings: SweepSettings, collect: Collect[T], stop: threading.Event
    ) -> Iterator[Event | Outcome[T]]:
        """See ``Runner.run``.

        Raises:
            SecretError: a host's secret is not a reference, so that it cannot be had on a worker.
            UsageError: there is no scheduler, no worker for a zone, or ssm-triage differs there.
        """
        _check_targets(targets)
        with _connected(self._scheduler) as client:
            _check_workers(client, targets, self._scheduler)
            sweep = _Sweep(client, targets, settings, collect, self._patience_s)
            try:
                yield from sweep.work(stop)
            finally:
                sweep.end()


class _Sweep(Generic[T]):
    """Which hosts are still to be handed out, and which are with the workers."""

    def __init__(
        self,
        client: Any,
        targets: Sequence[Target],
        settings: SweepSettings,
        collect: Collect[T],
        patience_s: float,
    ) -> None:
        from collector.sweep.cluster_worker import SweepPlugin

        self._client = client
        self._patience_s = patience_s
        self._name = f"ssm-triage-{uuid.uuid4().hex}"
        self._waiting: dict[str, deque[Target]] = defaultdict(deque)
        for target in targets:
            self._waiting[target.zone or ""].append(target)
        workers = {zone: len(offers) for zone, offers in _offers(client, self._waiting).items()}
        client.register_plugin(SweepPlugin(self._name, settings, collect, workers), name=self._name)
        self._out: dict[Any, Target] = {}
        """By future."""
        self._with_worker = dict.fromkeys(self._waiting, time.monotonic())
        """When a zone was last seen to have a worker."""
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._fetched: queue.Queue[tuple[Any, Any]] = queue.Queue(2 * _BATCH)
        threading.Thread(target=self._fetch, name="fetch", daemon=True).start()

    def work(self, stop: threading.Event) -> Iterator[Event | Outcome[T]]:
        """Until every host has an outcome; once stopped, every host that was handed out."""
        looked = 0.0
        threads: dict[str, int] = {}
        while self._out or (any(self._waiting.values()) and not stop.is_set()):
            if time.monotonic() - looked > 2 * _LOOK_UP_S:
                threads, looked = _threads(self._client, self._waiting), time.monotonic()
                yield from self._give_up_zones(threads)
            if not stop.is_set():
                yield from self._hand_out(threads)
            try:
                future, told = self._fetched.get(timeout=_LOOK_UP_S)
            except queue.Empty:
                continue
            yield from self._take_in(future, told)

    def end(self) -> None:
        """Take back what is out, and the plugin."""
        self._done.put(None)
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._out))
            self._client.unregister_worker_plugin(self._name)

    def _hand_out(self, threads: dict[str, int]) -> Iterator[Event]:
        from collector.sweep.cluster_worker import ask

        out: dict[str, int] = defaultdict(int)
        for target in self._out.values():
            out[target.zone or ""] += 1
        for zone, waiting in self._waiting.items():
            for _ in range(min(len(waiting), max(0, threads.get(zone, 0) - out[zone]))):
                target = waiting.popleft()
                resources = {resource_of(zone): 1} if zone else None
                future = self._client.submit(ask, self._name, target, pure=False, resources=resources)
                self._out[future] = target
                future.add_done_callback(self._done.put)
                yield Event(target, Stage.WORKING)

    def _fetch(self) -> None:
        """Bring results home, several at a time; a thread, because a result may be lost and made anew."""
        while (future := self._done.get()) is not None:
            batch = [future]
            with suppress(queue.Empty):
                while len(batch) < _BATCH and (future := self._done.get_nowait()) is not None:
                    batch.append(future)
            finished = [future for future in batch if future.status == "finished"]
            try:
                results = dict(zip(finished, self._client.gather(finished), strict=True))
            except Exception:  # whatever breaks a connection to a scheduler; the futures tell
                results = {}
            for future in batch:
                self._fetched.put((future, results.get(future)))

    def _take_in(self, future: Any, told: Any) -> Iterator[Event | Outcome[T]]:
        target = self._out.pop(future, None)
        if target is None:
            return
        outcome = told if isinstance(told, Outcome) else self._without_result(future, target)
        future.release()
        yield outcome
        yield Event(target, Stage.FINISHED, outcome.failure)

    def _without_result(self, future: Any, target: Target) -> Outcome[T]:
        """What it means that a task has come to its end without an outcome.

        Raises:
            TriageError: what the task raised; or the scheduler is gone.
        """
        if future.status != "error":
            raise UsageError(
                "the Dask scheduler is gone, and with it the hosts under way; what was finished is kept: "
                "start the scheduler, then go on with --resume"
            )
        error = future.exception(timeout=_CONNECT_S)
        if isinstance(error, TriageError) and not isinstance(error, ConnectionFailed):
            raise error
        if type(error).__name__ == "KilledWorker":
            return failed(target, _killed())
        return failed(target, error if isinstance(error, ConnectionFailed) else defect(error))

    def _give_up_zones(self, threads: dict[str, int]) -> Iterator[Event | Outcome[T]]:
        """A zone that has been without a worker for too long: its hosts are not reached."""
        now = time.monotonic()
        for zone, seen in self._with_worker.items():
            if threads.get(zone):
                self._with_worker[zone] = now
            elif now - seen > self._patience_s:
                out = [future for future, target in self._out.items() if (target.zone or "") == zone]
                left = [*(self._out.pop(future) for future in out), *self._waiting[zone]]
                self._waiting[zone].clear()
                self._client.cancel(out)
                for target in left:
                    outcome: Outcome[T] = failed(target, _no_worker(zone, self._patience_s))
                    yield outcome
                    yield Event(target, Stage.FINISHED, outcome.failure)


# --- Before the sweep ----------------------------------------------------------------------------------


def _check_targets(targets: Sequence[Target]) -> None:
    """Secrets and zones that cannot go through a scheduler are told before any host is asked."""
    for target in targets:
        try:
            pickle.dumps(target)
        except SecretError as error:
            raise SecretError(f"{target.name}: --runner dask: {error}") from None
        if target.zone and not _ZONE.fullmatch(target.zone):
            raise UsageError(
                f"{target.name}: triage_zone {target.zone!r} cannot name a resource of a Dask worker; "
                "use letters, digits and -_.:/@"
            )


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--runner dask needs Dask: pip install 'ssm-triage[dask]'") from None
    for name in ("distributed", "distributed.client", "distributed.core", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told by us, once
    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        detail = " ".join(str(error).split())[:200]
        raise UsageError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({detail}); "
            "start one with: dask scheduler"
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):  # nothing is lost with it
            client.close(timeout=2)


def _check_workers(client: Any, targets: Sequence[Target], scheduler: str) -> None:
    from collector.sweep.cluster_worker import installed_version

    zones = dict.fromkeys(target.zone or "" for target in targets)
    for zone, threads in _threads(client, zones).items():
        if threads:
            continue
        named = f" --resources '{resource_of(zone)}=32'" if zone else ""
        for_zone = f"for zone {zone}" if zone else "at all"
        raise UsageError(
            f"--runner dask: no worker {for_zone}; start one where those hosts can be reached: "
            f"dask worker {scheduler} --nthreads 32{named}"
        )
    try:
        versions = client.run(installed_version)
    except Exception as error:  # whatever a foreign Python says where the package is missing
        detail = " ".join(str(error).split())[:200]
        raise UsageError(
            f"--runner dask: a worker cannot load ssm-triage ({detail}); install it there"
        ) from None
    ours = installed_version()
    for worker, theirs in versions.items():
        if theirs != ours:
            raise UsageError(
                f"--runner dask: worker {worker} has ssm-triage {theirs}, this machine has {ours}; "
                "install the same on both"
            )


def _threads(client: Any, zones: Iterable[str]) -> dict[str, int]:
    """How many hosts the workers of each zone can take at a time."""
    return {zone: sum(offers) for zone, offers in _offers(client, zones).items()}


def _offers(client: Any, zones: Iterable[str]) -> dict[str, list[int]]:
    """For each zone, how many hosts each worker that reaches it can take; the zone ``""`` is everywhere."""
    # All workers: some versions of distributed tell of five where not asked.
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {zone: [offer for worker in workers if (offer := _offer(worker, zone))] for zone in zones}


def _offer(worker: Any, zone: str) -> int:
    threads: int = worker["nthreads"]
    return min(threads, int(worker["resources"].get(resource_of(zone), 0))) if zone else threads


def _killed() -> ConnectionFailed:
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        "every worker that asked this host died over it",
        "look at the workers' logs and memory, then ask this host again",
    )


def _no_worker(zone: str, seconds: float) -> ConnectionFailed:
    where = f"zone {zone}" if zone else "this host"
    return ConnectionFailed(
        FailureKind.UNREACHABLE,
        f"no Dask worker has been there for {where} for {seconds:.0f} s",
        "start a worker that reaches it, then ask this host again",
    )
