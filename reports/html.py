"""One host's diagnosis as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from analyzers.collected import collected
from analyzers.diagnosis import (
    Citation,
    Diagnosis,
    Excluded,
    Opinion,
    Owner,
    RootCause,
    Step,
    Unseen,
    Verdict,
)
from analyzers.text import say
from collector.evidence import Failure, Status
from collector.target import HostKeyChecking
from reports.base import HostReport, Muted, SweepInfo, muted_by
from reports.entry import Entry, entry_of
from reports.excerpts import Caps, Excerpt, excerpts
from reports.files import file_in, write_file
from reports.index import render_index
from reports.json_report import dump_json, to_json
from reports.page import render_page
from reports.picture import draw
from reports.provenance import Provenance
from reports.timeline import timeline
from reports.times import between, sortable

LIMIT = 500_000
"""Bytes of one page, at most."""
_DATA = 200_000
"""Of them for the diagnosis as JSON, at most; a longer one is left out."""
_CAPS = (
    Caps(citations=8, lines=14, chars=2_400, items=40),
    Caps(citations=4, lines=6, chars=900, items=16),
    Caps(citations=2, lines=3, chars=300, items=6),
    Caps(citations=1, lines=2, chars=150, items=3),
)


def render_host(
    diagnosis: Diagnosis,
    provenance: Provenance,
    *,
    lang: str = "en",
    index: str = "",
    muted: tuple[Muted, ...] = (),
) -> str:
    """The page of one host.

    Args:
        diagnosis: what to show.
        provenance: how its evidence was obtained; the evidence file is named, never linked.
        lang: the language, see ``reports.i18n.languages``.
        index: link to the sweep's index, relative; empty: none.
        muted: which of its causes somebody knows of.

    Raises:
        UsageError: there is no such language.
    """
    page = ""
    data = _data(diagnosis, provenance, muted)
    for caps in _CAPS:
        page = _render(diagnosis, provenance, caps, lang, index, muted, data)
        if len(page.encode("utf-8", "replace")) <= LIMIT:
            break
    return page


def _data(diagnosis: Diagnosis, provenance: Provenance, muted: tuple[Muted, ...]) -> str:
    """The diagnosis as JSON; nothing where it is too long, and then not made either: it may be gigabytes."""
    if sum(map(len, _cited(diagnosis))) > _DATA:
        return ""
    data = dump_json(to_json(diagnosis, provenance, muted))
    return data if len(data) <= _DATA else ""


def _cited(diagnosis: Diagnosis) -> Iterator[str]:
    """The texts that a diagnosis repeats of the evidence."""
    every = [diagnosis.proof, *(one.citations for one in diagnosis.excluded)]
    for cause in diagnosis.causes:
        every += [cause.evidence, cause.against, *(symptom.citations for symptom in cause.symptoms)]
    return (citation.text for citations in every for citation in citations)


def _render(
    diagnosis: Diagnosis,
    provenance: Provenance,
    caps: Caps,
    lang: str,
    index: str,
    muted: tuple[Muted, ...],
    data: str,
) -> str:
    collected = provenance.clock.finished if provenance.clock else None
    first = diagnosis.causes[0] if diagnosis.causes else None

    def cite(citations: Sequence[Citation]) -> list[Excerpt]:
        return excerpts(citations, provenance, caps, diagnosis.subject.platform)

    return render_page(
        "host.j2",
        lang,
        d=diagnosis,
        m=provenance,
        caps=caps,
        cite=cite,
        first=first,
        next_step=_next_step(diagnosis, provenance, first),
        picture=draw(diagnosis.subject.name, diagnosis.path) if _is_seen(diagnosis) else None,
        unbroken=_is_unbroken(diagnosis),
        timeline=timeline(diagnosis, provenance, caps.items * 2),
        excluded=_alike(diagnosis.excluded),
        collected=collected,
        lasting=between(first.since if first else None, collected),
        unseen=_same_reason(diagnosis.unseen),
        opinions=_same_words(diagnosis.second_opinion),
        unchecked=_is_unchecked(provenance),
        mutes={cause.slug: muted_by(muted, cause) for cause in diagnosis.causes},
        zoneless=any(event.first.tzinfo is None for event in diagnosis.timeline),
        worked=_last_good(diagnosis, first),
        retry=_retry(first, collected),
        index=index,
        data=data,
    )


def _next_step(diagnosis: Diagnosis, provenance: Provenance, first: RootCause | None) -> Step | None:
    """The one thing to do now: fix, look, or get in."""
    if diagnosis.verdict is Verdict.NOT_REACHED and provenance.failure:
        return _advice(provenance.failure)
    if first and first.remedy:
        return first.remedy[0]
    return diagnosis.next_look


def _advice(failure: Failure) -> Step:
    """What to try; a command in it can be copied."""
    advice = collected(failure.try_next)
    command = advice.values.get("command")
    lines = (command,) if isinstance(command, str) else ()
    return Step(say("To try: {advice}", advice=advice), lines, Owner.OPERATOR)


def _last_good(diagnosis: Diagnosis, first: RootCause | None) -> datetime | None:
    """Where it tells something: an agent that half works did so after the outage began, too."""
    worked = diagnosis.last_good
    if worked is None or first is None or first.since is None:
        return worked
    return worked if sortable(worked) <= sortable(first.since) else None


def _retry(first: RootCause | None, collected: datetime | None) -> datetime | None:
    """When the agent tries again, where waiting for that helps and it lay ahead as the host was asked."""
    if first is None or first.next_retry is None or first.needs_restart:
        return None
    past = collected is not None and sortable(first.next_retry) <= sortable(collected)
    return None if past else first.next_retry


def _alike(excluded: Sequence[Excluded]) -> list[list[Excluded]]:
    """Causes that the same reason rules out, to be told in one breath."""
    groups: dict[str, list[Excluded]] = {}
    for one in excluded:
        groups.setdefault(str(one.reason), []).append(one)
    return list(groups.values())


def _same_reason(unseen: Sequence[Unseen]) -> list[list[Unseen]]:
    """What the same reason kept from being seen, together."""
    groups: dict[tuple[Status, str], list[Unseen]] = {}
    for one in unseen:
        groups.setdefault((one.status, one.why), []).append(one)
    return list(groups.values())


def _same_words(opinions: Sequence[Opinion]) -> list[list[Opinion]]:
    """Checks of which the same is said, together; those that failed first, those not made last."""
    groups: dict[tuple[str, str, str], list[Opinion]] = {}
    for one in opinions:
        groups.setdefault((one.status, one.note, str(one.comment)), []).append(one)
    order = ["Failed", "", "Success", "Skipped"]
    rank = {status: order.index(status) if status in order else 1 for status, *_ in groups}
    return [groups[words] for words in sorted(groups, key=lambda words: rank[words[0]])]


def _is_seen(diagnosis: Diagnosis) -> bool:
    """Whether anything of the path is known: a picture of question marks tells nothing."""
    return any(hop.state in ("ok", "failed") for hop in diagnosis.path)


def _is_unbroken(diagnosis: Diagnosis) -> bool:
    """Whether a broken host's path is known to work, so that the picture cannot show what is wrong."""
    states = {hop.state for hop in diagnosis.path}
    return diagnosis.verdict is Verdict.BROKEN and "ok" in states and not states & {"failed", "unknown"}


def _is_unchecked(provenance: Provenance) -> bool:
    connection = provenance.connection
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
            host.provenance,
            lang=self._sweep.lang,
            index="../index.html",
            muted=host.muted,
        )
        path = file_in(self._folder / "hosts", host.stem, ".html")
        write_file(path, page)
        self._entries.append(
            entry_of(host.diagnosis, host.provenance, f"hosts/{quote(path.name)}", host.muted)
        )
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
