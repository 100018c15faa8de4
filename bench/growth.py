"""From ten hosts to a thousand: cost grows with the hosts, and memory does not."""

from __future__ import annotations

from collections.abc import Iterator

from bench.plan import Plan
from bench.race import Runs, race
from bench.rig import Rig
from bench.rows import Goal, Row, rounded, single, unmeasured
from bench.sweeps import ours
from bench.work import WORKS

_LINEAR = 1.15
"""CPU for each further host, of the last step over the one before it; more is not linear."""


def rows(rig: Rig, plan: Plan) -> Iterator[Row]:
    """W2 once at each size."""
    sizes = (plan.very_many // 100 or 1, plan.very_many // 10, plan.very_many)
    runs = [_swept(rig, plan, size) for size in sizes]
    name, what = "growth", f"W2 of {_list(sizes)} hosts: CPU of each further host"
    if problem := "; ".join(of.problem for of in runs if of.problem):
        yield unmeasured(name, what, problem)
        return
    cpu = [of.cpu[0] for of in runs]
    early, late = ((cpu[step + 1] - cpu[step]) / (sizes[step + 1] - sizes[step]) * 1000 for step in (0, 1))
    yield Row(
        name, what, "ms", median=rounded(late), floor=f"up to {sizes[1]} hosts", floor_median=rounded(early),
        ratio=rounded(late / early), runs=1, hosts=sizes[-1], goal=Goal(_LINEAR),
        more={"cpu_s": {str(size): rounded(of) for size, of in zip(sizes, cpu, strict=True)}},
    )  # fmt: skip
    yield single(
        "growth, memory", f"W2 of {sizes[-1]} hosts: resident memory at its most", "MB", [runs[-1].peak_mb],
        hosts=sizes[-1], goal=Goal(300, "median"),
        more={"peak_mb": {str(size): of.peak_mb for size, of in zip(sizes, runs, strict=True)}},
    )  # fmt: skip


def _list(sizes: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"


def _swept(rig: Rig, plan: Plan, size: int) -> Runs:
    rig.listed(rig.hosts[:size])
    return race(rig, [ours(rig, WORKS["W2"], plan, size)], 1)["ours"]
