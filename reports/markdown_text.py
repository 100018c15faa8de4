"""Text from a host within Markdown: in code spans and fences, where nothing is markup."""

from __future__ import annotations

import re

from analyzers.text import Message
from reports.clean import one_line
from reports.i18n import Translator

CHARS = 600
"""Of one span, at most."""

_CODE_WITH_GAP = re.compile(r"`([^`{]*\{[^`]*)`")
"""Our own code span around a gap: what fills the gap brings a span of its own."""


def code(text: str) -> str:
    """A code span that the text cannot leave."""
    shown = one_line(text, CHARS)
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
    return translate.say(message, ours=lambda words: _CODE_WITH_GAP.sub(r"\1", words), theirs=code)
