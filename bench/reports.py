"""What reports cost.

One page of a demo host and one stuffed to its caps; a sweep of 1,000 hosts written as a folder of HTML, in a
process of its own, whose resident memory at its most is told beside that behind the first page; and an index
of 10,000 hosts.  What counts is CPU time, user and system.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis
from bench.meter import resident_mb
from bench.plan import Plan
from bench.rows import Goal, Row, rounded, single
from lab.corpus import load_case
from lab.demo import PERSONAS
from reports.base import HostReport, SweepInfo
from reports.entry import entry_of
from reports.html import HtmlReporter, render_host
from reports.index import render_index
from reports.provenance import Provenance, provenance

HOST = "batch-01"
_INDEXED = 10
"""Times the hosts of a sweep."""


def rows(plan: Plan) -> Iterator[Row]:
    """Pages one by one, an index, and a sweep."""
    diagnosis, evidence = _host()
    stuffed = _stuffed(diagnosis)
    runs = 2 * plan.runs - 1
    yield _rendered("report", "one page", lambda: render_host(diagnosis, evidence), runs)
    yield _rendered("report, stuffed", "one page at its caps", lambda: render_host(stuffed, evidence), runs)
    hosts = plan.very_many * _INDEXED
    entries = [
        replace(entry_of(diagnosis, evidence, f"hosts/{n}.html"), name=f"web-{n}") for n in range(hosts)
    ]
    what = f"an index of {hosts:,} hosts"
    row = _rendered("index", what, lambda: render_index(entries), plan.runs)
    yield row
    size = row.more["bytes"] / 1e6
    yield single("index, size", what, "MB", [size], hosts=hosts, goal=Goal(5, "median"))
    yield from _sweep(plan.very_many)


def main(arguments: Sequence[str]) -> int:
    """``python -m bench.reports FOLDER HOSTS``: CPU seconds, and MB at the end and behind the first page."""
    folder, hosts = arguments
    print(*_written(Path(folder), int(hosts)))
    return 0


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


def _rendered(name: str, what: str, render: Callable[[], str], runs: int) -> Row:
    render()  # the templates are compiled once
    times = []
    for _ in range(runs):
        before = time.process_time()
        page = render()
        times.append((time.process_time() - before) * 1000)
    return single(name, what, "ms of CPU", times, more={"bytes": len(page.encode())})


def _sweep(hosts: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.reports", folder, str(hosts)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds, peak, before = map(float, said)
        written = sum(path.stat().st_size for path in Path(folder).rglob("*.html"))
    what = f"the pages and the index of {hosts:,} hosts"
    yield single("reports of a sweep", what, "s of CPU", [seconds], hosts=hosts, more={"bytes": written})
    yield single(
        "reports of a sweep, memory", f"{what}: resident memory at its most", "MB", [peak], hosts=hosts,
        more={"first_page_mb": rounded(before)},
    )  # fmt: skip


def _written(folder: Path, hosts: int) -> tuple[float, float, float]:
    diagnosis, evidence = _host()
    reporter = HtmlReporter(folder, SweepInfo("ssm-triage bench"))
    reporter.add(HostReport("first", diagnosis, evidence))
    before, began = resident_mb(), time.process_time()
    for n in range(hosts - 1):
        reporter.add(HostReport(f"web-{n}", diagnosis, evidence))
    reporter.finish()
    return time.process_time() - began, resident_mb(), before


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
