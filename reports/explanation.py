"""``explain`` for a terminal: what a cause is, how it is recognised and how it is mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from analyzers.diagnosis import Step
from analyzers.explain import Explanation, listing
from analyzers.text import ready
from reports.i18n import Translator


def explanation_text(explanation: Explanation, translate: Translator) -> str:
    """One cause as plain text."""
    return "\n".join(_lines(explanation, translate)) + "\n"


def _lines(explanation: Explanation, translate: Translator) -> Iterator[str]:
    t, say = translate.gettext, translate.say
    yield f"{explanation.slug}: {say(explanation.title)}"
    yield ""
    yield say(explanation.what)
    if explanation.seen.template:
        yield ""
        yield t("How it is recognised: {signs}", signs=say(explanation.seen))
    yield from _steps(t("How to fix it"), explanation.remedy, translate)
    yield from _steps(t("How to verify the fix"), explanation.verify, translate)


def _steps(title: str, steps: Sequence[Step], translate: Translator) -> Iterator[str]:
    if steps:
        yield ""
        yield f"{title}:"
    for number, step in enumerate(steps, 1):
        yield f"  {number}. {translate.say(step.text)}"
        yield from (f"       {line}" for line in step.lines)


def listing_text(translate: Translator) -> str:
    """Every cause in a line, by family."""
    causes = listing()
    width = max(len(slug) for _, slug, _ in causes)
    lines = []
    for family, members in groupby(causes, key=lambda cause: cause[0]):
        lines += ["", family]
        lines += [f"  {slug:<{width}}  {translate.say(ready(title))}" for _, slug, title in members]
    return "\n".join(lines) + "\n"
