"""CSV, one row per host, that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io

from analyzers.diagnosis import Verdict
from reports.base import HostReport, SweepInfo
from reports.clean import one_line
from reports.entry import entry_of
from reports.files import Sink
from reports.i18n import translator
from reports.spool import Spool

COLUMNS = (
    "host",
    "address",
    "instance_id",
    "region",
    "platform",
    "groups",
    "agent_version",
    "verdict",
    "cause",
    "scope",
    "confidence",
    "owner",
    "since",
    "more_causes",
    "sentence",
    "muted",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


class CsvReporter:
    """Keeps a row of each host, and writes them by name."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink
        self._translate = translator(sweep.lang)
        self._spool = Spool()

    def add(self, host: HostReport) -> None:
        entry = entry_of(host.diagnosis, host.provenance, muted=host.muted)
        not_reached = entry.verdict is Verdict.NOT_REACHED and entry.failure
        self._spool.add(
            entry.name,
            _row(
                entry.name,
                entry.address,
                entry.instance_id,
                entry.region,
                entry.platform,
                " ".join(entry.groups),
                entry.agent_version,
                entry.verdict,
                entry.cause,
                str(entry.failure) if not_reached else entry.scope,
                entry.confidence or "",
                entry.owner or "",
                entry.since.isoformat() if entry.since else "",
                str(entry.more_causes),
                self._translate.say(entry.headline),
                entry.muted,
            ),
        )

    def finish(self) -> None:
        self._sink.write(_row(*COLUMNS))
        for row in self._spool:
            self._sink.write(row)
        self._sink.commit()
        self._spool.close()

    def abandon(self) -> None:
        self._spool.close()
        self._sink.discard()


def _row(*cells: str) -> str:
    row = io.StringIO()
    csv.writer(row).writerow([safe_cell(cell) for cell in cells])
    return row.getvalue()


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    shown = one_line(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
