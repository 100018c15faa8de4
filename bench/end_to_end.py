"""The whole command: what telling the causes and writing the reports adds to collecting."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.plan import Plan
from bench.race import Entry, race
from bench.rig import Rig
from bench.rows import Goal, Row, compared, unmeasured
from bench.work import REGION, WORKS

_PROGRAM = Path(sys.executable).with_name("ssm-triage")


def rows(rig: Rig, plan: Plan) -> Iterator[Row]:
    """``run`` beside ``collect``, all probes, and of the log as much as in W4."""
    hosts = rig.hosts[: plan.hosts]
    inventory = rig.folder / "inventory.yaml"
    inventory.write_text(_inventory(hosts))
    entries = [_entry(verb, rig, plan, inventory, len(hosts)) for verb in ("run", "collect")]
    runs = race(rig, entries, plan.runs)
    name, what = "end to end", f"`run` beside `collect`, all probes and 2 MB of the log, {len(hosts)} hosts"
    if problem := "; ".join(of.problem for of in runs.values() if of.problem):
        yield unmeasured(name, what, problem)
        return
    yield compared(
        name, what, runs["run"].cpu, runs["collect"].cpu, floor="collect", hosts=len(hosts), goal=Goal(1.5),
        more={
            "peak_mb": runs["run"].peak_mb,
            "floor_peak_mb": runs["collect"].peak_mb,
            "wall_median_s": round(runs["run"].median(lambda run: run.cost.wall_s), 2),
            "floor_wall_median_s": round(runs["collect"].median(lambda run: run.cost.wall_s), 2),
        },
    )  # fmt: skip


def _entry(verb: str, rig: Rig, plan: Plan, inventory: Path, hosts: int) -> Entry:
    """Exit code 2 says that hosts are broken, as they are."""
    options = f"-i {inventory} -f {plan.forks} --ssh-config {rig.config} -q"
    budget = f"--log-budget {WORKS['W4'].log_budget}"
    line = (
        f"{_PROGRAM} {verb} {options} {budget} -o $OUT/run >/dev/null; code=$?; [ $code = 2 ] || exit $code"
    )
    return Entry(verb, ["sh", "-c", line], 50_000 * hosts)


def _inventory(hosts: Sequence[str]) -> str:
    """JSON is YAML too."""
    return json.dumps({"all": {"vars": {"triage_region": REGION}, "hosts": dict.fromkeys(hosts)}})
