"""Many hosts, in the order in which they finish: the engine of a sweep.

The unit of work is *one host in, one outcome out*; whatever goes in and comes out is picklable.  A
``Runner`` does it for many hosts: with threads (``threads``), with processes of threads on this machine
(``processes``), or on the workers of a Dask cluster (``cluster``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

from collector.sweep.host import collect_one
from collector.sweep.model import Collect, Event, OnEvent, Outcome, Runner, Stage, SweepSettings
from collector.target import Target

T = TypeVar("T")

__all__ = [
    "Collect",
    "Event",
    "OnEvent",
    "Outcome",
    "Runner",
    "Stage",
    "SweepSettings",
    "collect_one",
    "sweep",
]


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
    not begun have no outcome.  Without ``runner``, threads do it.

    Raises:
        TriageError: what concerns the whole sweep; what was finished before has been yielded.
    """
    if runner is None:
        from collector.sweep.threads import ThreadRunner

        runner = ThreadRunner()
    for item in runner.run(targets, settings, collect, stop or threading.Event()):
        if isinstance(item, Event):
            if on_event is not None:
                on_event(item)
        else:
            yield item
