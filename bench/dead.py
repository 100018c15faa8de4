"""Many hosts of which a tenth swallow packets: what they cost those that live."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench import rig as rigs
from bench.plan import Plan
from bench.race import Entry, Runs, race
from bench.rig import Rig
from bench.rows import Goal, Row, rounded, spread, unmeasured
from bench.work import WORKS

_CONNECT_TIMEOUT_S = 10
_SLACK_S = 1.5
_WHAT = "a tenth of {} hosts swallow packets: wall time; the larger of connect timeout and run without them"


def rows(rig: Rig, plan: Plan) -> Iterator[Row]:
    """W1 with and without the dead ones, in turn."""
    dead = rigs.black_holes(plan.many // 10 or 1)
    alive = list(rig.hosts[: plan.many - len(dead)])
    names = {"with": _mixed(alive, dead), "without": alive}
    entries = [_entry(rig, plan, name, hosts, len(alive)) for name, hosts in names.items()]
    yield _row(race(rig, entries, plan.runs), plan.many)


def _entry(rig: Rig, plan: Plan, name: str, hosts: list[str], alive: int) -> Entry:
    """A sweep whose exit code says nothing: dead hosts are failures, as they should be."""
    listed = rig.folder / f"rig-{name}"
    listed.mkdir(exist_ok=True)
    (listed / "hosts").write_text("".join(f"{host}\n" for host in hosts))
    (listed / "ssh_config").write_text(rig.config.read_text())
    client = f"{sys.executable} -m bench.client {WORKS['W1'].name} {listed} {plan.forks} $OUT || true"
    return Entry(name, ["sh", "-c", client], 3 * alive, alive)


def _mixed(alive: list[str], dead: list[str]) -> list[str]:
    """Every tenth is dead, as an inventory would have it."""
    hosts = list(alive)
    for number, host in enumerate(dead):
        hosts.insert(number * 10, host)
    return hosts


def _row(runs: dict[str, Runs], hosts: int) -> Row:
    name, what = "dead hosts", _WHAT.format(hosts)
    if problem := runs["with"].problem or runs["without"].problem:
        return unmeasured(name, what, problem)
    took = runs["with"].median(lambda run: run.cost.wall_s)
    without = runs["without"].median(lambda run: run.cost.wall_s)
    least = max(_CONNECT_TIMEOUT_S, without)
    return Row(
        name,
        what,
        "s",
        median=rounded(took),
        floor="the larger of the two",
        floor_median=rounded(least),
        ratio=rounded(took / least),
        runs=len(runs["with"].done),
        hosts=hosts,
        goal=Goal(rounded(least + _SLACK_S), "median"),
        more={"without_s": rounded(without), "spread": spread(runs["with"].wall)},
    )
