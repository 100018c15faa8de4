"""What reports cost: ``python -m bench.reports``.

One page of a demo host and one stuffed to its caps; a sweep of 1,000 hosts written as a folder of HTML, in a
process of its own, whose resident memory at its most is told beside that before the first page; and an index
of 10,000 hosts.  What counts is CPU time, user and system, the least of the rounds.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis
from bench.rows import RESULTS
from lab.corpus import load_case
from lab.demo import PERSONAS
from reports.base import HostReport, SweepInfo
from reports.entry import entry_of
from reports.html import HtmlReporter, render_host
from reports.index import render_index
from reports.provenance import Provenance, provenance

HOST = "batch-01"
HOSTS, INDEXED = 1_000, 10_000
_ROUNDS = 5


@dataclass(frozen=True)
class ReportRow:
    """Rendering: CPU time, and bytes of what came out."""

    name: str
    hosts: int
    ms: float
    """Of all hosts together."""
    bytes: int


@dataclass(frozen=True)
class ReportMemoryRow:
    """Resident memory of a process that writes the reports of a sweep, at its most, in MB."""

    name: str
    hosts: int
    peak_mb: float
    peak_mb_before: float
    """The same after the first page."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and put the rows beside those that stand in ``build/bench.json``."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["--sweep"]:
        print(*_sweep(Path(arguments[1])))
        return 0
    rows = []
    for row in _rows():
        rows.append(asdict(row))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    names = {row["name"] for row in rows}
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = [row for row in before if row.get("name") not in names]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(kept + rows, indent=1) + "\n")
    return 0


def _rows() -> Iterator[ReportRow | ReportMemoryRow]:
    diagnosis, evidence = _host()
    yield _rendered("report of one host", 1, lambda: render_host(diagnosis, evidence))
    stuffed = _stuffed(diagnosis)
    yield _rendered("report of one host, stuffed", 1, lambda: render_host(stuffed, evidence))
    entries = [
        replace(entry_of(diagnosis, evidence, f"hosts/{n}.html"), name=f"web-{n}") for n in range(INDEXED)
    ]
    yield _rendered("index", INDEXED, lambda: render_index(entries), rounds=2)
    yield from _measured_sweep()


def _host() -> tuple[Diagnosis, Provenance]:
    evidence = load_case(PERSONAS / HOST)
    return diagnose(evidence), provenance(evidence)


def _stuffed(diagnosis: Diagnosis) -> Diagnosis:
    """The same host with thousands of citations of a hundred thousand characters each."""
    cause = diagnosis.causes[0]
    long = replace(cause.evidence[0], text="<failed & failed> " * 6_000, mark="")
    return replace(
        diagnosis,
        causes=(replace(cause, evidence=(long,) * 2_000, against=(long,) * 2_000),) * 3,
        timeline=diagnosis.timeline * 500,
    )


def _rendered(name: str, hosts: int, render: Callable[[], str], rounds: int = _ROUNDS) -> ReportRow:
    render()  # the templates are compiled once
    times = []
    for _ in range(rounds):
        before = time.process_time()
        page = render()
        times.append(time.process_time() - before)
    return ReportRow(name, hosts, round(min(times) * 1_000, 1), len(page.encode()))


def _measured_sweep() -> Iterator[ReportRow | ReportMemoryRow]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.reports", "--sweep", folder]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds, peak, before = map(float, told)
        written = sum(path.stat().st_size for path in Path(folder).rglob("*.html"))
    yield ReportRow("reports of a sweep", HOSTS, round(seconds * 1_000, 1), written)
    yield ReportMemoryRow("reports of a sweep, memory", HOSTS, peak, before)


def _sweep(folder: Path) -> tuple[float, float, float]:
    """CPU seconds, and the memory at its most behind the last page and behind the first."""
    diagnosis, evidence = _host()
    reporter = HtmlReporter(folder, SweepInfo("ssm-triage bench"))
    reporter.add(HostReport("first", diagnosis, evidence))
    before, began = _peak(), time.process_time()
    for n in range(HOSTS - 1):
        reporter.add(HostReport(f"web-{n}", diagnosis, evidence))
    reporter.finish()
    return time.process_time() - began, _peak(), before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


if __name__ == "__main__":
    raise SystemExit(main())
