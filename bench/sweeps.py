"""W1 to W4: what a sweep costs the client, beside the OpenSSH client that sends the same script."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from bench import floor
from bench.plan import Plan
from bench.race import Entry, Run, Runs, race
from bench.rig import Rig
from bench.rows import Goal, Row, compared, single, unmeasured
from bench.work import WORKS, Work

_LOG_LEAST = 0.99
"""Of the log's bytes; the rest is what the budget leaves over."""


def ours(rig: Rig, work: Work, plan: Plan, hosts: int) -> Entry:
    """Our client."""
    client = [sys.executable, "-m", "bench.client", work.name, str(rig.folder), str(plan.forks)]
    command = ["sh", "-c", 'exec "$@" "$OUT"', "client", *client]
    return Entry("ours", command, 3 * hosts if not work.lanes else 2000 * hosts, hosts)


def openssh(rig: Rig, work: Work, plan: Plan, hosts: int, *, packed: bool) -> Entry:
    """The floor; ``packed``: with the answer packed on the host, as ours is."""
    script = rig.folder / f"script-{work.name}{'-packed' if packed else ''}"
    script.write_bytes(work.script(packed=packed))
    name = f"{floor.NAME}, packed" if packed else floor.NAME
    return Entry(name, floor.command(rig, script, plan.forks), _least(work, rig, packed) * hosts, hosts)


def _least(work: Work, rig: Rig, packed: bool) -> int:
    """Bytes of one host's answer."""
    if not work.lanes:
        return 3
    if not work.has_log or packed:
        return 1500
    log = rig.log_bytes if work.log_budget is None else min(rig.log_bytes, work.log_budget * 3 // 4)
    return int(log * _LOG_LEAST)


GOALS = {"W1": 0.55, "W2": 0.65, "W2, 300 hosts": 0.55, "W3": 0.55, "W4": 0.75}


def rows(rig: Rig, plan: Plan, name: str) -> Iterator[Row]:
    """The rows of one of ``GOALS``."""
    work = WORKS[name[:2]]
    hosts = rig.hosts[: plan.many if "300" in name else plan.hosts]
    rig.listed(hosts)
    entries = [ours(rig, work, plan, len(hosts)), openssh(rig, work, plan, len(hosts), packed=False)]
    if work.lanes:
        entries.append(openssh(rig, work, plan, len(hosts), packed=True))
    runs = race(rig, entries, plan.runs)
    yield cpu_row(name, f"{work.what}, {len(hosts)} hosts", runs, GOALS[name])
    if failed(runs):
        return
    yield _wall_row(name, work, runs)
    if work.lanes:
        yield _packed_row(name, runs)
    if name == "W3":
        yield _wire_row(runs)
        yield _memory_row(runs["ours"])


def failed(runs: Mapping[str, Runs]) -> str:
    """Why ours and the floor cannot be compared; empty: they can."""
    return "; ".join(f"{name}: {runs[name].problem}" for name in ("ours", floor.NAME) if runs[name].problem)


def cpu_row(name: str, what: str, runs: Mapping[str, Runs], goal: float | None) -> Row:
    """CPU of the client's whole process tree, with what else the runs told."""
    if problem := failed(runs):
        return unmeasured(name, what, problem)
    one, other = runs["ours"], runs[floor.NAME]
    more = {
        "wall_median_s": round(one.median(_wall), 2),
        "floor_wall_median_s": round(other.median(_wall), 2),
        "wire_bytes": int(one.median(_wire)),
        "floor_wire_bytes": int(other.median(_wire)),
        "peak_mb": one.peak_mb,
        "floor_peak_mb": other.peak_mb,
    }
    return compared(
        name, what, one.cpu, other.cpu, floor=floor.NAME, hosts=one.entry.files,
        goal=Goal(goal) if goal else None, more=more,
    )  # fmt: skip


def _wall_row(name: str, work: Work, runs: Mapping[str, Runs]) -> Row:
    what = f"{work.what}: wall time, which is mostly the hosts' (they share our cores)"
    one, other = runs["ours"], runs[floor.NAME]
    return compared(
        f"{name}, wall", what, one.wall, other.wall, unit="s", floor=floor.NAME, hosts=one.entry.files
    )


def _packed_row(name: str, runs: Mapping[str, Runs]) -> Row:
    """Beside a floor that was lent our packing, too."""
    what = "the same, beside xargs with our very script, its answer packed and left packed"
    packed = runs[f"{floor.NAME}, packed"]
    if packed.problem:
        return unmeasured(f"{name}, floor packed", what, packed.problem)
    return compared(
        f"{name}, floor packed", what, runs["ours"].cpu, packed.cpu, floor=packed.entry.name,
        hosts=packed.entry.files,
    )  # fmt: skip


def _wire_row(runs: Mapping[str, Runs]) -> Row:
    moved = {name: [run.wire_bytes / 1e6 for run in of.done] for name, of in runs.items()}
    return compared(
        "W3, bytes", "bytes on the wire, both ways", moved["ours"], moved[floor.NAME], unit="MB",
        floor=floor.NAME, goal=Goal(0.125),
    )  # fmt: skip


def _memory_row(runs: Runs) -> Row:
    peaks = [run.cost.peak_mb for run in runs.done]
    return single("W3, memory", "resident memory at its most", "MB", peaks, goal=Goal(120, "median"))


def _wall(run: Run) -> float:
    return run.cost.wall_s


def _wire(run: Run) -> float:
    return run.wire_bytes
