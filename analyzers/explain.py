"""``explain``: what a cause is, how it is recognised and how it is mended, from the catalogue."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache

from analyzers.causes import every_rule
from analyzers.causes.catalogue import DIALECTS, WINDOWS, Catalogue, CauseText, StepText, catalogue
from analyzers.causes.rule import OURS
from analyzers.causes.texts import steps, unfilled
from analyzers.causes.values import AGENT, COMMERCIAL, UNIT
from analyzers.diagnosis import Owner, Step
from analyzers.text import Message, ready, say
from collector.errors import UsageError


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cause, for a reader without a host at hand."""

    slug: str
    family: str
    title: Message
    what: Message
    seen: Message
    owner: Owner
    remedy: tuple[Step, ...]
    verify: tuple[Step, ...]
    explains: tuple[str, ...]
    rules: tuple[str, ...]
    """The rules that look for it; those that come from elsewhere name their package."""


@cache
def texts() -> Catalogue:
    """The catalogue, with what third parties add."""
    return catalogue().with_texts(rule.text for rule in every_rule() if rule.text is not None)


def explain(slug: str) -> Explanation:
    """Explain one cause.

    Raises:
        UsageError: there is no such cause; the line suggests the nearest.
    """
    known = texts()
    if slug not in known:
        near = difflib.get_close_matches(slug, [text.slug for text in known], 3)
        hint = f"did you mean {', '.join(near)}?" if near else "`explain` without a name lists them all"
        raise UsageError(f"{slug}: there is no cause of that name; {hint}")
    return _explanation(known[slug])


def _explanation(text: CauseText) -> Explanation:
    own = [r for r in every_rule() if r.slug == text.slug]
    rules = tuple(r.name if r.origin == OURS else f"{r.name} ({r.origin})" for r in own)
    title, what, seen = (ready(words) for words in (text.title, text.what, text.seen))
    mend, verify = _every_step(text.mend), _every_step(text.verify)
    return Explanation(
        text.slug, text.family, title, what, seen, text.owner, mend, verify, text.explains, rules
    )


def _every_step(told: tuple[StepText, ...]) -> tuple[Step, ...]:
    """The steps of Linux with systemd, and those of Windows behind them and marked."""
    windows = tuple(step for step in told if WINDOWS in step.needs)
    own = steps(tuple(step for step in told if DIALECTS.isdisjoint(step.needs)), _everything)
    marked = (replace(s, text=say("On Windows: {step}", step=s.text)) for s in steps(windows, _everything))
    return (*own, *marked)


class _Gaps(dict[str, str]):
    """No values but those that nearly every host has: each other gap is shown by its name, and no step is
    left out for want of one."""

    def get(self, key: str, default: object = None) -> str:
        return super().get(key) or unfilled(key)


_everything = _Gaps(agent=AGENT, unit=UNIT, **COMMERCIAL)


def listing() -> tuple[tuple[str, str, str], ...]:
    """Every cause: family, slug, title."""
    return tuple((text.family, text.slug, text.title) for text in texts() if not text.symptom)
