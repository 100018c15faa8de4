"""How fast logs are read: ``python -m bench.logs [LOG ...]``; without one, logs made of our own examples.

Beside ours: the plain loop over every line and pattern, on the first megabyte of the same log.
"""

from __future__ import annotations

import io
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from analyzers.logs import load_signatures, read_logs
from analyzers.logs.grammar import parse_entry, plain_blocks
from analyzers.logs.scan import Scanned, Scanner
from collector.evidence.memory import evidence_of

_QUIET = (
    "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] send failed reply thread started",
    "INFO [ssm-agent-worker] [EngineProcessor] [OutOfProcExecuter] Initializing state files for {id}",
    "INFO [CredentialRefresher] credentialRefresher has started",
    "INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health.",
)


def made(size: int, errors: float, seed: int = 1) -> bytes:
    """A log of about that size, of whose entries that share are failures."""
    dice = random.Random(seed)
    bad = [parse_entry(s.examples[0]) for s in load_signatures().all if s.axis != "entry"]
    out: list[str] = []
    written, second = 0, 0
    while written < size:
        second += dice.randrange(3)
        stamp = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1_790_000_000 + second))
            + f".{dice.randrange(10_000):04}"
        )
        identity = (
            f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4000-8000-{dice.getrandbits(48):012x}"
        )
        entry = dice.choice(bad)
        text = (
            f"{entry.level} {entry.body}"
            if dice.random() < errors
            else dice.choice(_QUIET).format(id=identity)
        )
        out.append(f"{stamp}.{dice.randrange(10_000):04} {text}\n")
        written += len(out[-1])
    return "".join(out).encode()


def main() -> None:
    given = [Path(name) for name in sys.argv[1:]]
    logs = {path.name: path.read_bytes() for path in given} or {
        "1.5 % failures": made(30_000_000, 0.015),
        "all failures": made(30_000_000, 1.0),
    }
    for name, data in logs.items():
        size = len(data) / 1e6
        print(f"{name}: {size:.0f} MB")
        print(f"  scan       {size / _seconds(lambda data=data: _scan(data)):8.1f} MB/s")
        print(f"  read_logs  {size / _seconds(lambda data=data: _read(data)):8.1f} MB/s")
        print(f"  plain loop {1 / _seconds(lambda data=data: _plain(data[:1_000_000]), runs=1):8.1f} MB/s")
        tracemalloc.start()
        _read(data)
        print(f"  peak memory beside the log itself: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")
        tracemalloc.stop()


def _seconds(work: Callable[[], None], runs: int = 3) -> float:
    best = float("inf")
    for _ in range(runs):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


def _scan(data: bytes) -> None:
    for _ in Scanner(load_signatures()).scan(plain_blocks(io.BytesIO(data)), Scanned()):
        pass


def _read(data: bytes) -> None:
    read_logs(evidence_of((), {"amazon-ssm-agent.log": data}))


def _plain(data: bytes) -> None:
    patterns = [signature.pattern for signature in load_signatures().all]
    for line in data.decode("utf-8", "replace").splitlines():
        for pattern in patterns:
            pattern.search(line)


if __name__ == "__main__":
    main()
