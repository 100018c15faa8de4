"""Texts with this host's values in them: sentences, remedies, checks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from string import Formatter

from analyzers.causes.catalogue import DIALECTS, WINDOWS, StepText
from analyzers.diagnosis import Owner, Step
from analyzers.text import Message, Value, say


def gaps(template: str) -> Iterator[str]:
    """The names of a template's gaps."""
    return (name for _, name, _, _ in Formatter().parse(template) if name)


def message(template: str, values: Mapping[str, Value]) -> Message:
    """A template with its values; a gap without one is shown as ``<gap>``."""
    return say(template, **{gap: values.get(gap) or unfilled(gap) for gap in gaps(template)})


def unfilled(gap: str) -> str:
    return f"<{gap.replace('_', '-')}>"


def steps(texts: tuple[StepText, ...], values: Mapping[str, Value]) -> tuple[Step, ...]:
    """The steps that apply, with lines to copy.

    A host's value is hostile text: within a line it is one word of the shell that the line is for, wherever
    in the line it stands.
    """
    return tuple(
        Step(message(text.text, values), tuple(_lines(text, values)), text.where)
        for text in _for_this_host(texts, values)
        if all(values.get(need) for need in text.needs)
    )


def _for_this_host(texts: tuple[StepText, ...], values: Mapping[str, Value]) -> tuple[StepText, ...]:
    """The steps in this host's dialect, if there are any."""
    own = tuple(text for text in texts if any(name in text.needs and values.get(name) for name in DIALECTS))
    return own or tuple(text for text in texts if DIALECTS.isdisjoint(text.needs))


# Lines to copy -------------------------------------------------------------------------------------------

_Quote = Callable[[str, str], str]
"""A value as one word of a shell, behind the quotation mark that is open there, or behind none."""


def _lines(text: StepText, values: Mapping[str, Value]) -> Iterator[str]:
    """PowerShell on a Windows host; ``sh`` elsewhere, and for what is run with AWS credentials."""
    quote = _powershell if values.get(WINDOWS) and text.where is Owner.HOST else _shell
    return (_line(line, values, quote) for line in text.lines)


def _line(template: str, values: Mapping[str, Value], quote: _Quote) -> str:
    line = between = ""
    for literal, gap, _, _ in Formatter().parse(template):
        between = _open_quote(literal, between)
        line += literal + (_filled(gap, values, quote, between) if gap else "")
    return line


def _open_quote(literal: str, between: str) -> str:
    """The quotation mark that is open behind a piece of a line."""
    for character in literal:
        if character == between:
            between = ""
        elif character in "'\"" and not between:
            between = character
    return between


WORDS = frozenset({"bad_route", "default_route", "action"})
"""Gaps that take several words; each of them is quoted."""


def _filled(gap: str, values: Mapping[str, Value], quote: _Quote, between: str) -> str:
    """The value of a gap; one that no command line should be fed stays open."""
    value = values.get(gap) or unfilled(gap)
    if isinstance(value, Message) or value == unfilled(gap):  # words of ours are no argument
        return unfilled(gap)
    if value.startswith("-") or not value.isprintable():
        return unfilled(gap)
    value = value.replace("://***@", "://USER:PASSWORD@")  # what was masked is for the reader to fill in
    return " ".join(quote(word, between) for word in (value.split() if gap in WORDS else (value,)))


def _shell(value: str, between: str) -> str:
    """For ``sh``; in a quotation it is closed before the value and opened again behind it."""
    quoted = shlex.quote(value)
    return quoted if quoted == value else f"{between}{quoted}{between}"


_PLAIN = re.compile(r"[\w.:/\\-]+")
_SINGLE = re.compile("(['\u2018-\u201b])")
_SPECIAL = re.compile('([`$"\u201c-\u201e])')


def _powershell(value: str, between: str) -> str:
    """For PowerShell, to which typographic quotation marks are quotation marks too."""
    if between == '"':
        return _SPECIAL.sub(r"`\1", value)
    doubled = _SINGLE.sub(r"\1\1", value)
    return doubled if between or _PLAIN.fullmatch(value) else f"'{doubled}'"
