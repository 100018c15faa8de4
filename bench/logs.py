"""How fast logs are read, and what it takes: ``python -m bench.logs [LOG ...]``.

Two logs of 30 MB are made from our own examples: one as a host writes it (1.5 % warnings and errors, the rest
a few sentences with new ids and addresses), and one that is all errors.  Logs that are named come besides.

Beside ours stand, over the same log: the plain loop, which holds every line against every pattern (over
the first megabyte, since it takes a while), and ``grep -cF`` with as many fixed strings.  What counts is CPU
time, user and system, the least of the rounds.  Peak memory is that of a process of its own, the interpreter
and all imports included; the log comes from disk.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from analyzers.logs import load_signatures, read_logs
from analyzers.logs.grammar import parse_entry
from analyzers.logs.signatures import Signature
from bench.rows import RESULTS
from collector.evidence import Evidence, LogFile, LogPart
from collector.evidence.memory import MemoryEvidence, evidence_of

MEGABYTE = 1_000_000
_SIZE = 30 * MEGABYTE
_ROUNDS = 5
_NAME = "amazon-ssm-agent.log"
_CASE = Path("tests/corpus/ep-no-response-3.3")


@dataclass(frozen=True)
class SpeedRow:
    """Reading one log, in MB (of a million bytes) per second of CPU."""

    name: str
    megabytes: float
    runs: int
    signatures: int
    mb_s: float
    mb_s_plain_loop: float
    mb_s_grep: float


@dataclass(frozen=True)
class MemoryRow:
    """Resident memory of a process that reads one log, at its most, in MB."""

    name: str
    megabytes: float
    peak_mb: float
    peak_mb_before: float
    """The same before the first byte was read."""


@dataclass(frozen=True)
class AnalyzeRow:
    """One evidence file, with all facts and a log, opened and judged."""

    name: str
    megabytes: float
    runs: int
    ms: float


Row = SpeedRow | MemoryRow | AnalyzeRow


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and put the rows beside those that stand in ``build/bench.json``."""
    names = sys.argv[1:] if argv is None else list(argv)
    if names[:1] == ["--peak"]:
        print(*_peak(Path(names[1])))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for row in _rows(Path(folder), [Path(name) for name in names]):
            print("  ".join(f"{key} {value}" for key, value in asdict(row).items()), flush=True)
            rows.append(asdict(row))
    _keep(rows)
    return 0


def _rows(folder: Path, given: Sequence[Path]) -> Iterator[Row]:
    usual = folder / "usual.log"
    usual.write_bytes(made(_SIZE, 0.015))
    storm = folder / "storm.log"
    storm.write_bytes(made(_SIZE, 1.0))
    for name, log in [("logs", usual), ("logs, all errors", storm), *((path.name, path) for path in given)]:
        yield _speed(name, log)
    yield _memory(usual)
    yield _memory(_tenfold(usual, folder / "long.log"))
    yield _analyze(folder)


def _keep(rows: list[dict[str, object]]) -> None:
    """Rows of another bench stay; those of an earlier run of this one go."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    ours = [(row["name"], row.get("megabytes")) for row in rows]
    others = [row for row in known if (row["name"], row.get("megabytes")) not in ours]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(others + rows, indent=1) + "\n")


# --- The logs ----------------------------------------------------------------------------------------

_USUAL = (
    (8, "INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health."),
    (8, "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] received a pong"),
    (6, "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] send failed reply thread started"),
    (
        4,
        "INFO [ssm-agent-worker] [MessageService] [Association] Schedule manager refreshed with "
        "0 associations, 0 new associations associated",
    ),
    (3, "INFO [ssm-agent-worker] [EngineProcessor] [OutOfProcExecuter] Initializing state files for {id}"),
    (2, "INFO [ssm-document-worker] [{id}] [DataBackend] inter process communication started"),
    (1, "INFO [ssm-session-worker] [{session}] [DataBackend] Session worker closed"),
    (2, "INFO [CredentialRefresher] Next credential rotation will be in 29.{number} minutes"),
    (
        1,
        "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection "
        "to: 10.0.{number}.{number}:443",
    ),
    (
        1,
        'INFO [ssm-agent-worker] [MessageService] [ProcessorWrapper] Sending reply {{"dateTime":"{time}",'
        '"documentId":"{id}","documentStatus":"InProgress","documentTraceOutput":"","runtimeStatus":null}}',
    ),
)


def made(size: int, errors: float, seed: int = 1) -> bytes:
    """A log of about that size, of whose entries that share are failures."""
    dice = random.Random(seed)
    examples = [parse_entry(s.examples[0]) for s in load_signatures().all if s.axis != "entry"]
    bad = [f"{entry.level} {entry.body}" for entry in examples if entry.level in ("WARN", "ERROR")]
    weights, usual = zip(*_USUAL, strict=True)
    out: list[str] = []
    written, milliseconds = 0, 1_790_000_000_000
    identity = session = ""
    while written < size:
        milliseconds += dice.choice((0, 0, 1, 40, 1000, 5000))
        stamp = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-2]
        text = dice.choice(bad) if dice.random() < errors else dice.choices(usual, weights)[0]
        if "{" in text and text in usual:
            if dice.random() < 0.12 or not identity:  # the lines of one command have one id
                digits = f"{dice.getrandbits(128):032x}"
                identity = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
                session = f"admin-0{digits[:16]}"
            number = dice.randrange(10, 250)
            text = text.format(id=identity, session=session, number=number, time=stamp)
        out.append(f"{stamp} {text}\n")
        written += len(out[-1])
    return "".join(out).encode()


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


def _least(work: Callable[[], object], runs: int = _ROUNDS) -> float:
    """Seconds of CPU, the children's included."""
    return min(_cpu(work) for _ in range(runs))


def _cpu(work: Callable[[], object]) -> float:
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _speed(name: str, log: Path) -> SpeedRow:
    size = log.stat().st_size / MEGABYTE
    known, evidence = load_signatures(), _evidence(log)
    start = log.read_bytes()[:MEGABYTE]
    return SpeedRow(
        name=name,
        megabytes=round(size, 1),
        runs=_ROUNDS,
        signatures=len(known.all),
        mb_s=round(size / _least(lambda: read_logs(evidence, signatures=known)), 1),
        mb_s_plain_loop=round(len(start) / MEGABYTE / _least(lambda: _plain(start), runs=1), 2),
        mb_s_grep=round(size / _least(lambda: _grep(log)), 1),
    )


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


def _memory(log: Path) -> MemoryRow:
    said = subprocess.run(
        [sys.executable, "-m", "bench.logs", "--peak", str(log)], capture_output=True, text=True, check=True
    )
    before, peak = (float(number) for number in said.stdout.split())
    size = log.stat().st_size / MEGABYTE
    return MemoryRow("logs, memory", round(size, 1), round(peak, 1), round(before, 1))


def _peak(log: Path) -> tuple[float, float]:
    """Resident memory in MB before and at most, of this very process."""
    known = load_signatures()
    before = _resident()
    read_logs(_evidence(log), signatures=known)
    return before, _resident()


def _resident() -> float:
    """The most so far.  ``ru_maxrss`` would tell of the process that started this one, too."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / MEGABYTE


def _analyze(folder: Path) -> AnalyzeRow:
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
                writer.log_begin(log.name, log.path, len(data), log.modified, part.offset, part.first_line)
                writer.log_data(data, None)
                writer.log_end(Status.OK, "", deflate_whole=False)
        path = writer.finish(case.manifest)
    seconds = _least(lambda: diagnose(open_evidence(path)))
    return AnalyzeRow("analyze", round(path.stat().st_size / MEGABYTE, 2), _ROUNDS, round(seconds * 1000, 1))


if __name__ == "__main__":
    raise SystemExit(main())
