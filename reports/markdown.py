"""Markdown for a ticket.  What comes from a host stands in code spans and fences, where nothing is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analyzers.diagnosis import Citation, Diagnosis, RootCause, Step, Unseen
from analyzers.text import Message
from collector.evidence import Evidence
from reports.base import HostReport, SweepInfo
from reports.clean import clean, one_line
from reports.entry import Entry, by_cause, entry_of, worst_first
from reports.files import Sink
from reports.i18n import Translator, translator
from reports.times import utc_text
from reports.words import CONFIDENCES, OWNERS, VERDICTS, WHERE

_CITATIONS, _CHARS = 3, 600
_DETAILED = 50
"""Hosts told one by one; further ones stand in the table alone."""


_CODE_WITH_GAP = re.compile(r"`([^`{]*\{[^`]*)`")
"""Our own code span around a gap: what fills the gap brings a span of its own."""


def code(text: str) -> str:
    """A code span that the text cannot leave."""
    shown = one_line(text, _CHARS)
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if not shown or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """A code span inside a table, where a bar would end the cell even in code."""
    return code(text).replace("|", "\\|")


def fenced(text: str) -> str:
    """A code block that the text cannot leave."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def sentence(message: Message, translate: Translator) -> str:
    """A message whose values cannot be taken for markup, links or mentions."""
    values = {name: code(value) for name, value in message.values.items()}
    template = _CODE_WITH_GAP.sub(r"\1", translate.template(message))
    return Message(message.template, values).render(template)


class Ticket:
    """A summary table, then the hosts that need somebody; bounded whatever the sweep's size.

    A single host is told in full and has no table.
    """

    def __init__(self, lang: str) -> None:
        self._translate = translator(lang)
        self._entries: list[Entry] = []
        self._details: list[str] = []
        self._first: HostReport | None = None

    def add(self, entry: Entry, host: HostReport) -> None:
        self._first = self._first or host
        self._entries.append(entry)
        if host.diagnosis.causes and len(self._details) < _DETAILED:
            self._details.append(render_markdown(host.diagnosis, host.evidence, lang=self._translate.lang))

    def render(self) -> str:
        if self._first and len(self._entries) == 1:
            return render_markdown(self._first.diagnosis, self._first.evidence, lang=self._translate.lang)
        return "\n---\n\n".join((summary(self._entries, self._translate), *self._details))


class MarkdownReporter:
    """One ticket for the whole sweep."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink
        self._ticket = Ticket(sweep.lang)

    def add(self, host: HostReport) -> None:
        self._ticket.add(entry_of(host.diagnosis, host.evidence), host)

    def finish(self) -> None:
        self._sink.write(self._ticket.render())
        self._sink.commit()

    def abandon(self) -> None:
        self._sink.discard()


def summary(entries: Sequence[Entry], translate: Translator) -> str:
    """Counts by cause, and a table of the hosts, worst first."""
    t = translate.text
    lines = [
        f"# {translate.plural('{n} host', '{n} hosts', len(entries))}",
        "",
        f"| {t('Cause')} | {t('Who can mend it')} | {t('Hosts')} |",
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
        lines.append(f"| {cell(entry.name)} | {translate.say(VERDICTS[entry.verdict])} | {cause} | {since} |")
    return "\n".join(lines) + "\n"


def render_markdown(diagnosis: Diagnosis, evidence: Evidence, *, lang: str = "en") -> str:
    """One host as Markdown.

    Raises:
        UsageError: there is no such language.
    """
    translate = translator(lang)
    verdict = translate.say(VERDICTS[diagnosis.verdict])
    blocks = [f"## {code(diagnosis.subject.name)}: {verdict}", sentence(diagnosis.headline, translate)]
    for cause in diagnosis.causes:
        blocks += _cause(cause, translate, alone=len(diagnosis.causes) == 1)
    if diagnosis.candidates:
        blocks.append(f"{translate.text('Still possible:')} {', '.join(map(code, diagnosis.candidates))}")
    if diagnosis.next_look:
        blocks += [f"### {translate.text('The single look that would settle it')}"]
        blocks += _steps([diagnosis.next_look], translate)
    if diagnosis.proof:
        blocks.append(f"### {translate.text('What shows it')}")
        for citation in diagnosis.proof[:_CITATIONS]:
            blocks += _citation(citation)
    if diagnosis.unseen:
        blocks.append(f"### {translate.text('What could not be seen')}")
        blocks.append(_unseen(diagnosis.unseen))
    manifest = evidence.manifest
    digest = f"{translate.text('Evidence')} {code(f'sha256:{manifest.digest}')}" if manifest.digest else ""
    blocks.append(", ".join(filter(None, [manifest.tool and code(manifest.tool), digest])))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _unseen(unseen: Sequence[Unseen]) -> str:
    """A line a reason, with all that it kept from being seen."""
    reasons: dict[str, list[str]] = {}
    for one in unseen:
        reasons.setdefault(one.why, []).append(one.probe)
    return "\n".join(f"- {code(why)}: {', '.join(map(code, probes))}" for why, probes in reasons.items())


def _cause(cause: RootCause, translate: Translator, *, alone: bool) -> list[str]:
    """One cause; where it stands alone, the headline has said its sentence already."""
    t = translate.text
    facts = [
        code(" ".join((cause.slug, cause.scope or "")).strip()),
        translate.say(CONFIDENCES[cause.confidence]),
    ]
    facts.append(f"{t('Who can mend it')}: {translate.say(OWNERS[cause.owner])}")
    if cause.since:
        facts.append(f"{t('since')} {utc_text(cause.since)}")
    head = [] if alone else [f"### {sentence(cause.sentence, translate)}"]
    blocks = [*head, " · ".join(facts)]
    for title, steps in ((t("How to mend it"), cause.remedy), (t("How to see that it worked"), cause.verify)):
        if steps:
            blocks += [f"#### {title}", *_steps(steps, translate)]
    if cause.evidence:
        blocks.append(f"#### {t('What shows it')}")
        for citation in cause.evidence[:_CITATIONS]:
            blocks += _citation(citation)
    return blocks


def _steps(steps: Sequence[Step], translate: Translator) -> list[str]:
    blocks = []
    for n, step in enumerate(steps, 1):
        where = translate.say(WHERE[step.where])
        blocks.append(f"{n}. {sentence(step.text, translate)} ({where})")
        if step.lines:
            lines = "\n".join(clean(line, _CHARS * 4) for line in step.lines)
            blocks.append("\n".join(f"   {line}" for line in fenced(lines).split("\n")))
    return blocks


def _citation(citation: Citation) -> list[str]:
    place = citation.source + (f":{citation.line}" if citation.line else "")
    return [code(place), fenced(clean(citation.text, _CHARS))]
