"""What every call costs before the first host: starting the command, and reading known_hosts."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.meter import Cost, measured
from bench.plan import Plan
from bench.rows import Goal, Row, compared, single

_LINES = 10_000
_LIMIT_S = 60.0


def rows(plan: Plan) -> Iterator[Row]:
    """``--help`` beside a bare Python, and a known_hosts of 10,000 lines."""
    runs = max(plan.runs, 5 * (plan.runs > 1))
    yield from _help(runs)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield _known_hosts(Path(folder), runs)


def _help(runs: int) -> Iterator[Row]:
    program = Path(sys.executable).with_name("ssm-triage")
    costs = _in_turn([[str(program), "--help"], [sys.executable, "-c", "pass"]], runs * 2)
    for name, what, number, bound in (
        ("--help", "`ssm-triage --help` beside `python -c pass`, CPU", _cpu_ms, Goal(3.0)),
        ("--help, wall", "the same, wall time", _wall_ms, Goal(150.0, "median")),
    ):
        ours, bare = ([number(cost) for cost in of] for of in costs)
        yield compared(name, what, ours, bare, unit="ms", floor="python -c pass", goal=bound)


def _known_hosts(folder: Path, runs: int) -> Row:
    """Reading them, and looking a host up; in a new process each time, as in a run."""
    dice = random.Random(1)
    path = folder / "known_hosts"
    path.write_text("".join(_line(number, dice) for number in range(_LINES)))
    took = [_said_ms([sys.executable, "-c", _LOOK_UP, str(path)]) for _ in range(runs)]
    return single(
        "known_hosts", f"a known_hosts of {_LINES:,} lines, CPU, once a run", "ms", took,
        goal=Goal(50, "median"),
    )  # fmt: skip


_LOOK_UP = """
import sys, time
from collector.connections.known_hosts import KnownHosts
before = time.process_time()
assert KnownHosts([sys.argv[1]]).lookup("host1.example.com")
print((time.process_time() - before) * 1000)
"""


def _said_ms(command: Sequence[str]) -> float:
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _line(number: int, dice: random.Random) -> str:
    key = b"\0\0\0\x0bssh-ed25519\0\0\0 " + dice.randbytes(32)
    names = f"host{number}.example.com,10.0.{number >> 8}.{number & 255}"
    return f"{names} ssh-ed25519 {b64encode(key).decode()}\n"


def _in_turn(commands: Sequence[Sequence[str]], runs: int) -> list[list[Cost]]:
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(runs):
        for command, so_far in zip(commands, costs, strict=True):
            cost = measured(command, _LIMIT_S, os.environ)
            if cost.code:
                raise RuntimeError(f"{command[0]} failed: {cost.said}")
            so_far.append(cost)
    return costs


def _cpu_ms(cost: Cost) -> float:
    return cost.cpu_s * 1000


def _wall_ms(cost: Cost) -> float:
    return cost.wall_s * 1000
