"""Markdown for a ticket.  What comes from a host stands in code spans and fences, where nothing is markup."""

from __future__ import annotations

from collections.abc import Sequence

from analyzers.collected import collected
from analyzers.diagnosis import Citation, Diagnosis, RootCause, Step, Unseen
from reports.base import HostReport, Muted, SweepInfo, muted_by
from reports.clean import clean
from reports.entry import Entry, by_cause, entry_of, worst_first
from reports.files import Sink
from reports.i18n import Translator, translator
from reports.markdown_tables import checks
from reports.markdown_text import CHARS, cell, code, fenced, sentence
from reports.provenance import Provenance
from reports.times import utc_text
from reports.words import CONFIDENCES, OWNERS, VERDICTS, WHERE

_CITATIONS = 3
_DETAILED = 50
"""Hosts told one by one; further ones stand in the table alone."""


class Ticket:
    """A summary table, then the hosts that need somebody; bounded whatever the sweep's size.

    A single host is told in full and has no table.
    """

    def __init__(self, lang: str) -> None:
        self._translate = translator(lang)
        self._entries: list[Entry] = []
        self._details: dict[str, str] = {}
        """By the host's name: the first of them, whatever the order in which they come."""
        self._first: HostReport | None = None

    def add(self, entry: Entry, host: HostReport) -> None:
        self._first = self._first or host
        self._entries.append(entry)
        if host.diagnosis.causes:
            self._details[entry.name] = _whole(host, self._translate)
            if len(self._details) > _DETAILED:
                del self._details[max(self._details)]

    def render(self) -> str:
        if self._first and len(self._entries) == 1:
            return _whole(self._first, self._translate)
        details = [self._details[name] for name in sorted(self._details)]
        return "\n---\n\n".join((summary(self._entries, self._translate), *details))


class MarkdownReporter:
    """One ticket for the whole sweep."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink
        self._ticket = Ticket(sweep.lang)

    def add(self, host: HostReport) -> None:
        self._ticket.add(entry_of(host.diagnosis, host.provenance, muted=host.muted), host)

    def finish(self) -> None:
        self._sink.write(self._ticket.render())
        self._sink.commit()

    def abandon(self) -> None:
        self._sink.discard()


def summary(entries: Sequence[Entry], translate: Translator) -> str:
    """Counts by cause, and a table of the hosts, worst first."""
    t = translate.gettext
    lines = [
        f"# {translate.ngettext('{n} host', '{n} hosts', len(entries))}",
        "",
        f"| {t('Cause')} | {t('Owner')} | {t('Hosts')} |",
        "|---|---|---:|",
    ]
    for count in by_cause(entries):
        name = cell(count.label) if count.label else translate.say(VERDICTS[count.verdict])
        owner = translate.say(OWNERS[count.owner]) if count.owner else ""
        lines.append(f"| {name} | {owner} | {count.hosts} |")
    lines += [
        "",
        f"| {t('Host')} | {t('Verdict')} | {t('Cause')} | {t('Since (UTC)')} |",
        "|---|---|---|---|",
    ]
    for entry in worst_first(entries):
        cause = cell(entry.label) if entry.label else ""
        since = utc_text(entry.since) if entry.since else ""
        verdict = translate.say(VERDICTS[entry.verdict])
        verdict = t("{verdict}, muted", verdict=verdict) if entry.muted else verdict
        lines.append(f"| {cell(entry.name)} | {verdict} | {cause} | {since} |")
    return "\n".join(lines) + "\n"


def _whole(host: HostReport, translate: Translator) -> str:
    return render_markdown(host.diagnosis, host.provenance, lang=translate.lang, muted=host.muted)


def render_markdown(
    diagnosis: Diagnosis, provenance: Provenance, *, lang: str = "en", muted: tuple[Muted, ...] = ()
) -> str:
    """One host as Markdown.

    Raises:
        UsageError: there is no such language.
    """
    translate = translator(lang)
    verdict = translate.say(VERDICTS[diagnosis.verdict])
    blocks = [f"## {code(diagnosis.subject.name)}: {verdict}", sentence(diagnosis.headline, translate)]
    for cause in diagnosis.causes:
        blocks += _cause(cause, translate, muted_by(muted, cause), alone=len(diagnosis.causes) == 1)
    if diagnosis.candidates:
        blocks.append(f"{translate.gettext('Still possible:')} {', '.join(map(code, diagnosis.candidates))}")
    if diagnosis.next_look:
        blocks += [f"### {translate.gettext('The one check that would settle it')}"]
        blocks += _steps([diagnosis.next_look], translate)
    if diagnosis.proof:
        blocks.append(f"### {translate.gettext('Evidence')}")
        for citation in diagnosis.proof[:_CITATIONS]:
            blocks += _citation(citation)
    blocks += checks(diagnosis, translate)
    if diagnosis.unseen:
        blocks.append(f"### {translate.gettext('What could not be checked')}")
        blocks.append(_unseen(diagnosis.unseen, translate))
    blocks.append(_origin(provenance, translate))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _origin(provenance: Provenance, translate: Translator) -> str:
    """Where it comes from, in a line: the tool, the probes, the evidence file and its digest."""
    parts = [code(provenance.tool)] if provenance.tool else []
    if provenance.probes:
        probes = translate.ngettext("{n} probe", "{n} probes", len(provenance.probes))
        parts.append(f"{probes}, {translate.gettext('{n} answered', n=provenance.answered)}")
    if provenance.file:
        parts.append(f"{translate.gettext('Evidence file')} {code(provenance.file)}")
    if provenance.sha256:
        parts.append(code(f"sha256:{provenance.sha256}"))
    return ", ".join(parts)


def _unseen(unseen: Sequence[Unseen], translate: Translator) -> str:
    """A line a reason, with all that it kept from being seen."""
    reasons: dict[str, list[str]] = {}
    for one in unseen:
        reasons.setdefault(one.why, []).append(one.probe)
    return "\n".join(
        f"- {sentence(collected(why), translate)}: {', '.join(map(code, probes))}"
        for why, probes in reasons.items()
    )


def _cause(cause: RootCause, translate: Translator, mute: Muted | None, *, alone: bool) -> list[str]:
    """One cause; where it stands alone, the headline has said its sentence already."""
    t = translate.gettext
    facts = [
        code(" ".join((cause.slug, cause.scope or "")).strip()),
        translate.say(CONFIDENCES[cause.confidence]),
    ]
    facts.append(f"{t('Who can fix it')}: {translate.say(OWNERS[cause.owner])}")
    if cause.since:
        facts.append(t("since {moment}", moment=utc_text(cause.since)))
    head = [] if alone else [f"### {sentence(cause.sentence, translate)}"]
    blocks = [*head, " · ".join(facts)]
    if mute:
        until = t("Muted until {day}", day=mute.until) if mute.until else t("Muted")
        blocks.append(f"{until}: {code(mute.reason)}")
    level = "###" if alone else "####"
    for title, steps in ((t("How to fix it"), cause.remedy), (t("How to verify the fix"), cause.verify)):
        if steps:
            blocks += [f"{level} {title}", *_steps(steps, translate)]
    if cause.evidence:
        blocks.append(f"{level} {t('Evidence')}")
        for citation in cause.evidence[:_CITATIONS]:
            blocks += _citation(citation)
    return blocks


def _steps(steps: Sequence[Step], translate: Translator) -> list[str]:
    blocks = []
    for n, step in enumerate(steps, 1):
        where = translate.say(WHERE[step.where])
        blocks.append(f"{n}. {sentence(step.text, translate)} ({where})")
        if step.lines:
            lines = "\n".join(clean(line, CHARS * 4) for line in step.lines)
            blocks.append("\n".join(f"   {line}" for line in fenced(lines).split("\n")))
    return blocks


def _citation(citation: Citation) -> list[str]:
    place = citation.source + (f":{citation.line}" if citation.line else "")
    return [code(place), fenced(clean(citation.text, CHARS))]
