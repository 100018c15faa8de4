"""What one command costs: ``python -m bench.meter COMMAND...`` prints it as JSON.

A process of its own does it, so that nothing else is counted, and adopts the orphans of what it starts: the
masters that some SSH clients leave behind are ended and counted like all the rest.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
_LAST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a command and everything that it started."""

    cpu_s: float
    """User and system, start-up and imports included."""
    wall_s: float
    peak_mb: float
    """Resident memory of the largest of its processes, at its most, in 10^6 bytes."""
    code: int
    said: str
    """The end of what it said on standard error."""


def measured(command: Sequence[str], limit_s: float, environment: Mapping[str, str]) -> Cost:
    """Run ``command`` to its end, or end it after ``limit_s`` (its exit code is then negative)."""
    meter = [sys.executable, "-S", "-m", "bench.meter", str(limit_s), *command]
    done = subprocess.run(meter, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def resident_mb() -> float:
    """Of this very process, at its most so far.  ``ru_maxrss`` would tell of the one that started it, too."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main(arguments: Sequence[str]) -> int:
    """Measure; the command's own output is thrown away."""
    limit_s, *command = arguments
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        code = _run(command, said, float(limit_s))
        wall_s = time.monotonic() - started
        words = _last_words(said)
    _end_orphans()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = Cost(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss * 1024 / 1e6, code, words)
    print(json.dumps(asdict(cost)))
    return 0


def _run(command: Sequence[str], said: IO[bytes], limit_s: float) -> int:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
    )
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said.write(f"ended after {limit_s:g} s".encode())
        return process.wait()


def _last_words(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _LAST_WORDS))
    return said.read().decode("utf-8", "replace").strip()


def _end_orphans() -> None:
    """Those that are left are ours by adoption; ended ones are counted when they are waited for."""
    with suppress(ChildProcessError):
        while True:
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            os.wait()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
