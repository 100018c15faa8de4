"""``python -m bench``: measure, print, and keep the rows in ``build/bench.json``."""

from __future__ import annotations

import argparse
import compileall
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import dead, end_to_end, fixed, growth, logs, peer_rows, peers, reports, sweeps, winrm
from bench import rig as rigs
from bench.machine import machine
from bench.plan import Plan, quick
from bench.rig import Rig
from bench.rows import RESULTS, TRIAL, Results, Row, told, unmeasured

OnRig = Callable[[Rig, Plan], Iterator[Row]]
Alone = Callable[[Plan], Iterator[Row]]
ON_RIG: dict[str, OnRig] = {name: partial(sweeps.rows, name=name) for name in sweeps.GOALS} | {
    "dead hosts": dead.rows,
    "growth": growth.rows,
    "end to end": end_to_end.rows,
    "peers, W1": peer_rows.login,
    "peers": peer_rows.used,
    "peers, lent": peer_rows.lent,
}
ALONE: dict[str, Alone] = {
    "fixed": fixed.rows,
    "winrm": winrm.rows,
    "logs": logs.rows,
    "reports": reports.rows,
}


def main() -> int:
    """Measure what the command line asks for; ends with 1 where one of our own rows has no number."""
    arguments = _arguments()
    if arguments.list:
        print(*ON_RIG, *ALONE, sep="\n")
        return 0
    names = arguments.only or [*ON_RIG, *ALONE]
    if unknown := [name for name in names if name not in ON_RIG | ALONE]:
        print(f"bench: there is no section {unknown[0]!r}; --list names them", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the rig goes with us
    _compile_all()
    problem = rigs.missing()
    if not problem:
        if _needs_peers(names) and not rigs.entered():
            peers.install()  # while there is a network
        rigs.enter(sys.argv[1:])
    plan = _plan(arguments)
    if arguments.shell:
        return _shell(arguments.shell, plan)
    return _measure(names, plan, problem, Results(TRIAL if arguments.quick else RESULTS))


def _measure(names: Sequence[str], plan: Plan, problem: str, results: Results) -> int:
    about, failed = machine(), False
    for name, rows in _measured(names, plan, problem):
        results.keep(name, rows, about)
        failed = failed or any(row.problem for row in rows if not name.startswith("peers"))
    return 1 if failed else 0


def _compile_all() -> None:
    """As an installed package is; some environments would have it done at each call."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    root = Path(__file__).parents[1]
    for package in ("bench", "collector", "analyzers", "reports", "ssm_triage", "lab"):
        compileall.compile_dir(root / package, quiet=2)


def _needs_peers(names: Sequence[str]) -> bool:
    return any(name.startswith("peers") for name in names)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these sections")
    parser.add_argument("--list", action="store_true", help="print the names of the sections")
    parser.add_argument("--runs", type=int, help="of each side of each row")
    parser.add_argument("--hosts", type=int, help="of most rows")
    parser.add_argument("--many", type=int, help="of the rows that are about many")
    parser.add_argument("--quick", action="store_true", help="everything once, small: does it work?")
    parser.add_argument(
        "--shell", metavar="COMMAND", help="run COMMAND with --hosts hosts standing; $RIG and $OUT are set"
    )
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    given = {name: value for name in ("runs", "hosts", "many") if (value := getattr(arguments, name))}
    return quick(**given) if arguments.quick else Plan(**given)


def _measured(names: Sequence[str], plan: Plan, problem: str) -> Iterator[tuple[str, list[Row]]]:
    """Section by section."""
    for name in names:
        if name in ALONE:
            yield name, _printed(name, ALONE[name](plan))
    on_rig = [name for name in names if name in ON_RIG]
    if problem:
        yield from ((name, _printed(name, iter([unmeasured(name, "", problem)]))) for name in on_rig)
    elif on_rig:
        with _scratch() as folder, rigs.standing(Path(folder), plan.most_hosts, plan.log_bytes) as rig:
            for name in on_rig:
                yield name, _printed(name, ON_RIG[name](rig, plan))


def _printed(name: str, rows: Iterator[Row]) -> list[Row]:
    """Each row, as soon as there is one."""
    print(f"--- {name}", flush=True)
    kept = []
    try:
        for row in rows:
            print(told(row), flush=True)
            kept.append(row)
    except Exception as error:  # what cannot be measured is a row too, and the other sections go on
        kept.append(unmeasured(name, "", f"{type(error).__name__}: {error}"))
        print(told(kept[-1]), flush=True)
    return kept


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is room: the disk is not what is measured."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="bench-", dir=memory if memory.is_dir() else None)


def _shell(command: str, plan: Plan) -> int:
    with _scratch() as folder, rigs.standing(Path(folder), plan.hosts, plan.log_bytes) as rig:
        rig.listed(rig.hosts)
        out = rig.folder / "out"
        out.mkdir()
        environment = {**os.environ, "RIG": folder, "OUT": str(out)}
        return subprocess.run(["sh", "-c", command], env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
