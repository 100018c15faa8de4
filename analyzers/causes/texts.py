"""Texts with this host's values in them: sentences, remedies, checks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from string import Formatter

from analyzers.causes.catalogue import WINDOWS, StepText
from analyzers.diagnosis import Step
from analyzers.text import Message, say


def gaps(template: str) -> Iterator[str]:
    """The names of a template's gaps."""
    return (name for _, name, _, _ in Formatter().parse(template) if name)


def message(template: str, values: Mapping[str, str]) -> Message:
    """A template with its values; a gap without one is shown as ``<gap>``."""
    return say(template, **{gap: values.get(gap) or unfilled(gap) for gap in gaps(template)})


def unfilled(gap: str) -> str:
    return f"<{gap.replace('_', '-')}>"


def steps(texts: tuple[StepText, ...], values: Mapping[str, str]) -> tuple[Step, ...]:
    """The steps that apply, with lines to copy.

    A host's value is hostile text: within a line it is quoted for the shell where it needs it.
    """
    return tuple(
        Step(message(text.text, values), tuple(_line(line, values) for line in text.lines), text.where)
        for text in _for_this_host(texts, values)
        if all(values.get(need) for need in text.needs)
    )


def _for_this_host(texts: tuple[StepText, ...], values: Mapping[str, str]) -> tuple[StepText, ...]:
    """On Windows those of the steps that are for Windows, if there are any."""
    windows = tuple(text for text in texts if WINDOWS in text.needs)
    return windows if values.get(WINDOWS) and windows else texts


def _line(template: str, values: Mapping[str, str]) -> str:
    return template.format_map({gap: _quoted(gap, values) for gap in gaps(template)})


_WORDS = frozenset({"bad_route", "action"})  # several words on purpose; each is quoted


def _quoted(gap: str, values: Mapping[str, str]) -> str:
    value = values.get(gap)
    if not value or value == unfilled(gap):
        return unfilled(gap)
    if gap in _WORDS:
        return " ".join(shlex.quote(word) for word in value.split())
    return shlex.quote(value)
