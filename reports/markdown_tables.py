"""What was found beside what is expected, as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analyzers.collected import outcomes
from analyzers.diagnosis import Attempt, Diagnosis, Judgement, ProxyRow, RouteRow
from analyzers.text import Message
from reports.i18n import Translator
from reports.markdown_text import cell, sentence
from reports.words import JUDGEMENTS, LAYERS, PURPOSES, STAGES, word

_ROWS = 20
_MARKS = {Judgement.GOOD: "✓", Judgement.BAD: "✗", Judgement.NEUTRAL: "–"}


def checks(diagnosis: Diagnosis, translate: Translator) -> list[str]:
    """Attempts, routes and proxies, each a table with its heading; nothing where nothing was looked at."""
    t = translate.gettext
    tables = (
        (t("Connection tests from the host"), _attempts(diagnosis.attempts, translate)),
        (t("Routes"), _routes(diagnosis.routes, translate)),
        (t("Proxies"), _proxies(diagnosis.proxies, translate)),
    )
    return [block for title, table in tables if table for block in (f"### {title}", table)]


def _attempts(attempts: Sequence[Attempt], translate: Translator) -> str:
    present = {stage.stage for attempt in attempts for stage in attempt.stages}
    stages = [stage for stage in STAGES if stage in present]
    heads = [translate.gettext("Destination"), *(translate.say(STAGES[stage]) for stage in stages)]
    rows = []
    for attempt in attempts[:_ROWS]:
        found = {
            it.stage: f"{_MARKS[it.judgement]} {_plain(outcomes(it.found), translate)}"
            for it in attempt.stages
        }
        purpose = _plain(word(PURPOSES, attempt.service), translate)
        rows.append([f"{purpose} {cell(attempt.host)}", *(found.get(stage, "") for stage in stages)])
    return _table(heads, rows)


def _routes(routes: Sequence[RouteRow], translate: Translator) -> str:
    t = translate.gettext
    rows = [
        [
            " ".join(filter(None, [_plain(word(PURPOSES, row.purpose), translate), _target(row)])),
            _shown(row.found, t("none")),
            _shown(row.expected, t("any")),
            _judged(row, translate),
        ]
        for row in routes[:_ROWS]
    ]
    return _table([t("Destination"), t("Found"), t("Expected"), t("Assessment")], rows)


def _target(row: RouteRow) -> str:
    return cell(row.target) if row.target != row.purpose else ""


def _proxies(proxies: Sequence[ProxyRow], translate: Translator) -> str:
    t = translate.gettext
    rows = [
        [
            f"{_plain(word(LAYERS, row.layer), translate)} {_shown(row.origin)}",
            cell(row.name),
            _shown(row.value, t("not set")),
            _shown(row.expected, t("any")),
            _judged(row, translate),
        ]
        for row in proxies[:_ROWS]
    ]
    return _table([t("Where"), t("Variable"), t("Found"), t("Expected"), t("Assessment")], rows)


def _judged(row: RouteRow | ProxyRow, translate: Translator) -> str:
    judged = f"{_MARKS[row.judgement]} {translate.say(JUDGEMENTS[row.judgement])}"
    return f"{judged}: {_plain(row.why, translate)}" if row.why else judged


def _plain(message: Message, translate: Translator) -> str:
    """A sentence inside a table, where a bar would end the cell."""
    return sentence(message, translate).replace("|", "\\|")


def _shown(text: str, otherwise: str = "") -> str:
    return cell(text) if text else otherwise


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines])
