"""Several ways of doing the same work on the same hosts, in turn, in the same run."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import rig as rigs
from bench.meter import Cost, measured
from bench.rig import Rig

LIMIT_S = 600.0
_SETTLE_S = 0.3
"""For sshd to take leave of its last sessions."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One way of doing the work."""

    name: str
    command: Sequence[str | Path]
    """Leaves what it brings home in the folder ``$OUT``, which is empty before."""
    least_bytes: int
    """What must be found there at the least: only work that was done may be measured."""
    files: int | None = None
    """How many files must be there, where it is one for each host."""
    runs: int | None = None
    """At most that many."""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One way, once."""

    cost: Cost
    wire_bytes: int
    kept_bytes: int


@dataclass(slots=True)
class Runs:
    """One way, all its runs; or why there are none."""

    entry: Entry
    done: list[Run] = field(default_factory=list)
    problem: str = ""

    @property
    def cpu(self) -> list[float]:
        """CPU of the client, user and system, in seconds."""
        return [run.cost.cpu_s for run in self.done]

    @property
    def wall(self) -> list[float]:
        """Seconds."""
        return [run.cost.wall_s for run in self.done]

    @property
    def peak_mb(self) -> float:
        """Resident memory of the client's largest process, at its most in any run, in MB."""
        return round(max(run.cost.peak_mb for run in self.done), 1)

    def median(self, number: Callable[[Run], float]) -> float:
        """Of one number over the runs."""
        return statistics.median(number(run) for run in self.done)


def race(rig: Rig, entries: Sequence[Entry], runs: int) -> dict[str, Runs]:
    """Run all ``entries`` in turn, ``runs`` times; every other round goes backwards.

    What fails is not run again; its ``problem`` says why.
    """
    results = {entry.name: Runs(entry) for entry in entries}
    for number in range(runs):
        for entry in entries if number % 2 == 0 else reversed(entries):
            so_far = results[entry.name]
            if so_far.problem or number >= (entry.runs or runs):
                continue
            run, so_far.problem = _once(rig, entry)
            words = so_far.problem
            if run is not None:
                so_far.done.append(run)
                words = f"{run.cost.cpu_s:.2f} s of CPU, {run.cost.wall_s:.1f} s"
            print(f"  {entry.name}, run {number + 1}: {words}", file=sys.stderr, flush=True)
    return results


def _once(rig: Rig, entry: Entry) -> tuple[Run | None, str]:
    out = rig.folder / "out"
    out.mkdir()
    try:
        before = rigs.bytes_moved()
        environment = {**os.environ, **entry.environment, "OUT": str(out)}
        cost = measured([str(word) for word in entry.command], LIMIT_S, environment)
        time.sleep(_SETTLE_S)
        moved = rigs.bytes_moved() - before
        sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    finally:
        shutil.rmtree(out)
    problem = _problem(entry, cost, [size for size in sizes if size])
    return (None, problem) if problem else (Run(cost, moved, sum(sizes)), "")


def _problem(entry: Entry, cost: Cost, sizes: Sequence[int]) -> str:
    if cost.code:
        last = cost.said.splitlines()[-1] if cost.said else "it said nothing"
        return f"it failed (exit code {cost.code}): {last[-200:]}"
    if sum(sizes) < entry.least_bytes:
        return f"it brought home {sum(sizes)} bytes of {entry.least_bytes}"
    if entry.files is not None and len(sizes) != entry.files:
        return f"it brought home {len(sizes)} answers of {entry.files}"
    return ""
