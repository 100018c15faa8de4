"""How fast the agent's logs are read, and what it takes.

Logs of 30 MB are made from our own examples: one as a host writes it (1.5 % warnings and errors of a few
kinds, the rest a few sentences with new ids and addresses), one that is all errors, and one whose errors are
of every kind that we know.

Beside ours stand, over the same log: the plain loop, which holds every line against every pattern (over
the first megabyte, since it takes a while), and ``grep -cF`` with as many fixed strings.  What counts is CPU
time, user and system.  Peak memory is that of a process of its own, the interpreter and all imports included;
the log comes from disk.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from analyzers.logs import load_signatures, read_logs
from analyzers.logs.grammar import parse_entry
from analyzers.logs.signatures import Signature
from bench.meter import resident_mb
from bench.plan import Plan
from bench.rows import Goal, Row, rounded, single, spread
from bench.synthetic import MEGABYTE, made
from collector.evidence import Evidence, LogFile, LogPart
from collector.evidence.memory import MemoryEvidence, evidence_of
from collector.evidence.model import LogHead

_NAME = "amazon-ssm-agent.log"
_CASE = Path("tests/corpus/ep-no-response-3.3")
_GOAL_MB_S, _GOAL_STORM_MB_S = 200, 100


def rows(plan: Plan) -> Iterator[Row]:
    """Speed on both logs, memory at 30 and 300 MB, and the analysis of one evidence file."""
    size, runs = plan.log_bytes * 3 // 2, 2 * plan.runs - 1
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        usual, storm, motley = (folder / f"{name}.log" for name in ("usual", "storm", "motley"))
        usual.write_bytes(made(size, 0.015))
        storm.write_bytes(made(size, 1.0))
        yield from _speed("logs", "a log as hosts write it", usual, runs, _GOAL_MB_S)
        yield from _speed("logs, all errors", "a log of errors only", storm, runs, _GOAL_STORM_MB_S)
        motley.write_bytes(made(size, 0.015, every_kind=True))
        yield from _speed("logs, every kind", "a log with every failure we know of", motley, runs, None)
        yield _memory(usual)
        yield _memory(_tenfold(usual, folder / "long.log"))
        yield _analyze(folder, runs)


def main(arguments: Sequence[str]) -> int:
    """``python -m bench.logs LOG``: resident memory of this process before and after reading it, in MB."""
    print(*_peak(Path(arguments[0])))
    return 0


# --- The logs ----------------------------------------------------------------------------------------


def _tenfold(log: Path, path: Path) -> Path:
    """The same log ten times, in ten years."""
    data = log.read_bytes()
    with path.open("wb") as out:
        for year in range(2015, 2025):
            out.write(data.replace(b"\n2026-", f"\n{year}-".encode()))
    return path


@dataclass(frozen=True)
class _OnDisk(MemoryEvidence):
    """Evidence of one log that stays on disk."""

    path: Path = Path()

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        return self.path.open("rb")


def _evidence(path: Path) -> Evidence:
    size = path.stat().st_size
    base = evidence_of((), {_NAME: b""}).manifest
    log = replace(base.logs[0], size=size, parts=(LogPart(0, size),))
    return _OnDisk(replace(base, logs=(log,)), path=path)


# --- The measurements --------------------------------------------------------------------------------


def _speed(name: str, what: str, log: Path, runs: int, goal_mb_s: float | None) -> Iterator[Row]:
    """One row beside each of the other two ways."""
    megabytes = log.stat().st_size / MEGABYTE
    known, evidence = load_signatures(), _evidence(log)
    start = log.read_bytes()[:MEGABYTE]
    ours, grep = [], []
    for _ in range(runs):
        ours.append(megabytes / _cpu(lambda: read_logs(evidence, signatures=known)))
        grep.append(megabytes / _cpu(lambda: _grep(log)))
    plain = len(start) / MEGABYTE / _cpu(lambda: _plain(start))
    what = f"{what}, {megabytes:.0f} MB, {len(known.all)} signatures: MB a second of CPU"
    for beside, speeds in (("plain loop", [plain]), ("grep -cF", grep)):
        median = statistics.median(speeds)
        yield single(
            f"{name}, {beside}", what, "MB/s", ours, floor=beside, floor_median=rounded(median),
            ratio=rounded(statistics.median(ours) / median),
            goal=Goal(goal_mb_s, "median", at_least=True) if goal_mb_s else None,
            more={"floor_spread": spread(speeds)},
        )  # fmt: skip


def _cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU, the children's included."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _plain(data: bytes) -> None:
    patterns = [signature.pattern for signature in load_signatures().all]
    for line in data.decode("utf-8", "replace").splitlines():
        for pattern in patterns:
            pattern.search(line)


def _grep(log: Path) -> None:
    """``grep`` with one fixed string for each signature: what it matches in its first example."""
    strings = [_fixed(signature) for signature in load_signatures().all]
    arguments = ["grep", "-c", "-F", "-f", "-", str(log)]
    subprocess.run(
        arguments, input="\n".join(strings), env={"LC_ALL": "C"}, text=True, capture_output=True, check=False
    )


def _fixed(signature: Signature) -> str:
    body = parse_entry(signature.examples[0]).body
    match = signature.search(body)
    text = match[0].split("\n")[0].strip() if match else ""
    return text if len(text) > 8 else body.split("\n")[0]


def _memory(log: Path) -> Row:
    command = [sys.executable, "-m", "bench.logs", str(log)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = (float(number) for number in said.stdout.split())
    megabytes = log.stat().st_size / MEGABYTE
    return single(
        f"logs, memory at {megabytes:.0f} MB", "resident memory at its most, reading it", "MB", [peak],
        more={"before_mb": rounded(before)},
    )  # fmt: skip


def _peak(log: Path) -> tuple[float, float]:
    """Resident memory in MB before and at most, of this very process."""
    known = load_signatures()
    before = resident_mb()
    read_logs(_evidence(log), signatures=known)
    return before, resident_mb()


def _analyze(folder: Path, runs: int) -> Row:
    """A case of the corpus with all its facts, whose host had a longer life."""
    from analyzers.diagnose import diagnose
    from collector.evidence import Status
    from collector.evidence.read import open_evidence
    from collector.evidence.store import EvidenceWriter
    from lab.corpus import load_case

    case = load_case(_CASE)
    with EvidenceWriter(folder, "bench") as writer:
        for result in case.manifest.probes:
            writer.probe(result)
        for log in case.manifest.logs:
            for part in log.parts:
                with case.open_log(log, part) as stream:
                    data = stream.read()
                if log.name == _NAME:
                    data = made(5 * MEGABYTE, 0.015).replace(b"\n2026-", b"\n2025-") + data
                writer.log_begin(
                    LogHead(
                        log.name,
                        log.path,
                        len(data),
                        log.modified,
                        part.offset,
                        part.first_line,
                        packed=False,
                    )
                )
                writer.log_data(data)
                writer.log_end(Status.OK, "")
        path = writer.finish(case.manifest)
    took = [_cpu(lambda: diagnose(open_evidence(path))) * 1000 for _ in range(runs)]
    what = (
        f"one evidence file, all facts and 5 MB of log ({path.stat().st_size / 1000:.0f} kB), opened and told"
    )
    return single("analyze", what, "ms of CPU", took)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
