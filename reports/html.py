"""One host's diagnosis as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from analyzers.diagnosis import Citation, Diagnosis, Excluded, Owner, RootCause, Step, Verdict
from analyzers.text import say
from collector.evidence import Evidence, Status
from collector.target import HostKeyChecking
from reports.base import HostReport, SweepInfo
from reports.entry import Entry, entry_of
from reports.excerpts import Caps, Excerpt, excerpts
from reports.files import file_in, write_file
from reports.index import render_index
from reports.page import render_page
from reports.picture import draw
from reports.timeline import timeline
from reports.times import between

LIMIT = 500_000
"""Bytes of one page, at most."""
_CAPS = (
    Caps(citations=8, lines=14, chars=2_400, items=40),
    Caps(citations=4, lines=6, chars=900, items=16),
    Caps(citations=2, lines=3, chars=300, items=6),
    Caps(citations=1, lines=2, chars=150, items=3),
)


def render_host(
    diagnosis: Diagnosis,
    evidence: Evidence,
    *,
    lang: str = "en",
    evidence_path: str = "",
    index: str = "",
) -> str:
    """The page of one host.

    Args:
        diagnosis: what to show.
        evidence: what it was drawn from, for the coverage, the connection and the excerpts' sources.
        lang: the language, see ``reports.i18n.languages``.
        evidence_path: where the reader finds the whole evidence; it is named, never linked.
        index: link to the sweep's index, relative; empty: none.

    Raises:
        UsageError: there is no such language.
    """
    page = ""
    for caps in _CAPS:
        page = _render(diagnosis, evidence, caps, lang, evidence_path, index)
        if len(page.encode("utf-8", "replace")) <= LIMIT:
            break
    return page


def _render(
    diagnosis: Diagnosis, evidence: Evidence, caps: Caps, lang: str, evidence_path: str, index: str
) -> str:
    manifest = evidence.manifest
    collected = manifest.clock.finished if manifest.clock else None
    first = diagnosis.causes[0] if diagnosis.causes else None

    def cite(citations: Sequence[Citation]) -> list[Excerpt]:
        return excerpts(citations, evidence, caps)

    return render_page(
        "host.j2",
        lang,
        d=diagnosis,
        m=manifest,
        caps=caps,
        cite=cite,
        first=first,
        next_step=_next_step(diagnosis, evidence, first),
        picture=draw(diagnosis.subject.name, diagnosis.path) if _is_seen(diagnosis) else None,
        timeline=timeline(diagnosis, evidence, caps.items * 2),
        excluded=_alike(diagnosis.excluded),
        collected=collected,
        lasting=between(first.since if first else None, collected),
        not_read=[result for result in manifest.probes if result.status is not Status.OK],
        unchecked=_is_unchecked(evidence),
        zoneless=any(event.first.tzinfo is None for event in diagnosis.timeline),
        evidence_path=evidence_path,
        index=index,
    )


def _next_step(diagnosis: Diagnosis, evidence: Evidence, first: RootCause | None) -> Step | None:
    """The one thing to do now: mend, look, or get in."""
    if first and first.remedy:
        return first.remedy[0]
    failure = evidence.manifest.failure
    if diagnosis.verdict is Verdict.NOT_REACHED and failure:
        return Step(say("To try: {advice}", advice=failure.try_next), where=Owner.OPERATOR)
    return diagnosis.next_look


def _alike(excluded: Sequence[Excluded]) -> list[list[Excluded]]:
    """Causes that the same reason rules out, to be told in one breath."""
    groups: dict[str, list[Excluded]] = {}
    for one in excluded:
        groups.setdefault(str(one.reason), []).append(one)
    return list(groups.values())


def _is_seen(diagnosis: Diagnosis) -> bool:
    """Whether anything of the path is known: a picture of question marks tells nothing."""
    return any(hop.state in ("ok", "failed") for hop in diagnosis.path)


def _is_unchecked(evidence: Evidence) -> bool:
    connection = evidence.manifest.connection
    return connection is not None and connection.host_key_checking is HostKeyChecking.OFF


class HtmlReporter:
    """A folder: ``index.html``, and ``hosts/<stem>.html`` for each host, written when the host is done."""

    def __init__(self, folder: Path, sweep: SweepInfo) -> None:
        self._folder = folder
        self._sweep = sweep
        self._entries: list[Entry] = []
        self._rules = ""

    def add(self, host: HostReport) -> None:
        page = render_host(
            host.diagnosis,
            host.evidence,
            lang=self._sweep.lang,
            evidence_path=host.evidence_path,
            index="../index.html",
        )
        path = file_in(self._folder / "hosts", host.stem, ".html")
        write_file(path, page)
        self._entries.append(entry_of(host.diagnosis, host.evidence, f"hosts/{quote(path.name)}"))
        self._rules = host.diagnosis.rules or self._rules

    def finish(self) -> None:
        page = render_index(
            self._entries,
            lang=self._sweep.lang,
            tool=self._sweep.tool,
            rules=self._sweep.rules or self._rules,
            finished=self._sweep.finished or datetime.now(UTC),
        )
        write_file(self._folder / "index.html", page)

    def abandon(self) -> None:
        """Nothing: each page is whole already."""
