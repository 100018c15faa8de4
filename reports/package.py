"""The hand-off package: one zip with the index, the pages, the JSON, and a ticket for each owner.

The evidence stays out of it unless it is asked for: it holds whole logs, and not everybody whom a report
reaches may read those.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from analyzers.diagnosis import Owner
from collector.errors import UsageError
from collector.evidence.handed_on import fit_to_hand_on
from reports.base import HostReport, SweepInfo
from reports.entry import Entry, entry_of
from reports.files import file_in, make_folder
from reports.html import render_host
from reports.index import render_index
from reports.json_report import dump_json, to_json
from reports.markdown import Ticket

_MODE = 0o600 << 16


class PackageReporter:
    """Writes members as hosts are done; the zip stands under its name once it is whole.

    Raises:
        UsageError: the folder cannot be written to.
    """

    with_evidence = False

    def __init__(self, path: Path, sweep: SweepInfo) -> None:
        self._path = path
        self._sweep = sweep
        self._entries: list[Entry] = []
        self._tickets: dict[Owner, Ticket] = {}
        self._rules = sweep.rules
        self._now = (sweep.finished or datetime.now(UTC)).timetuple()[:6]
        try:
            make_folder(path.parent)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        self._temporary = Path(name)
        self._zip = zipfile.ZipFile(os.fdopen(descriptor, "wb"), "w", zipfile.ZIP_DEFLATED)

    def add(self, host: HostReport) -> None:
        page = file_in(Path("hosts"), host.stem, ".html")
        entry = entry_of(host.diagnosis, host.provenance, f"hosts/{quote(page.name)}", host.muted)
        self._entries.append(entry)
        self._rules = self._rules or host.diagnosis.rules
        self._member(
            str(page),
            render_host(
                host.diagnosis,
                host.provenance,
                lang=self._sweep.lang,
                index="../index.html",
                muted=host.muted,
            ),
        )
        self._member(
            f"json/{host.stem}.json", dump_json(to_json(host.diagnosis, host.provenance, host.muted))
        )
        if entry.owner:
            self._tickets.setdefault(entry.owner, Ticket(self._sweep.lang)).add(entry, host)

        if self.with_evidence and host.evidence_file is not None:
            self._evidence(host.evidence_file, f"evidence/{host.stem}.zip")

    def finish(self) -> None:
        index = render_index(self._entries, lang=self._sweep.lang, tool=self._sweep.tool, rules=self._rules)
        self._member("index.html", index)
        for owner, ticket in sorted(self._tickets.items()):
            self._member(f"tickets/{owner}.md", ticket.render())
        try:
            self._close()
            self._temporary.replace(self._path)
        except OSError as error:
            raise UsageError(f"{self._path}: cannot be written: {error.strerror}") from error

    def abandon(self) -> None:
        with suppress(OSError):
            self._close()
        self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        stream = self._zip.fp
        self._zip.close()
        if stream is not None:
            stream.close()

    def _member(self, name: str, text: str) -> None:
        info = self._info(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(info, text.encode("utf-8", "backslashreplace"))

    def _evidence(self, path: Path, name: str) -> None:
        """A zip already: it is stored as it is, unless a secret is found in it that nobody saw before."""
        try:
            with tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".writing-") as folder:
                fit = fit_to_hand_on(path, Path(folder))
                with fit.open("rb") as source, self._zip.open(self._info(name), "w") as member:
                    shutil.copyfileobj(source, member)
        except OSError as error:
            raise UsageError(f"{path}: cannot be packed: {error.strerror}") from error

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, (max(self._now[0], 1980), *self._now[1:]))
        info.external_attr = _MODE
        return info


class FullPackageReporter(PackageReporter):
    """The same with the evidence of each host."""

    with_evidence = True
