"""The one place where text from a host is made fit to be shown, on a page, in a ticket or on a terminal.

Everything that came from a host may have been written by an attacker: colours that forge a terminal line,
bidi overrides that turn a path round, characters that cannot be seen, a token of a megabyte.  Nothing is
dropped in silence: what cannot be shown as it is stands there by its number, ``⟨U+202E⟩``.
"""

from __future__ import annotations

import re
import unicodedata

SENTENCE = 500
"""Characters of a name, or of a value in a sentence, at most."""
EXCERPT = 20_000
"""Characters of anything at all, at most."""

# Parameters and intermediates of a CSI sequence hold no text, so taking the colour away hides nothing.
# The strings of OSC and DCS sequences do hold text: those keep it, and their ESC is shown by its number.
_CSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}")

# Printable by their Unicode category, and yet drawn as nothing: fillers, joiners, variation selectors.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class Clean(str):
    """Text that ``clean`` has seen already, at the length that was wanted."""

    __slots__ = ()


def clean(text: str, limit: int = EXCERPT, *, lines: bool = True) -> str:
    """Show ``text`` from a host so that it can neither deceive nor overflow.

    Args:
        text: anything; lone surrogates (bytes that were no UTF-8) included.
        limit: characters at most; behind the cut stands how many were left out, ``⟨+1,234⟩``.
        lines: keep line breaks and tabs.  Without it the result is one line.
    """
    if len(text) <= limit and text.isascii() and _on_lines(text, lines=lines).isprintable():
        return text
    text = _CSI.sub("", text[: limit * 4]) + text[limit * 4 :]
    shown = text[:limit]
    if not _on_lines(shown, lines=lines).isprintable():
        shown = "".join(map(_visible if lines else _visible_in_line, shown.replace("\r\n", "\n")))
    shown = _BLANK.sub(lambda found: _by_number(found.group()), shown)
    shown = _MARKS.sub(lambda found: f"{found.group()[:2]}⟨+{len(found.group()) - 2}⟩", shown)
    return _cut(shown, limit, len(text))


def one_line(text: str, limit: int = SENTENCE) -> str:
    """``clean`` for names, cells and sentences: what would break the line is shown by its number."""
    return clean(text, limit, lines=False)


def _on_lines(text: str, *, lines: bool) -> str:
    """Without the line breaks and tabs that may stay."""
    return text.replace("\n", "").replace("\t", "") if lines else text


def _cut(shown: str, limit: int, length: int) -> str:
    if len(shown) <= limit and length <= limit:
        return shown
    return f"{shown[:limit]}… ⟨+{max(length, len(shown)) - limit:,}⟩"


def _visible(char: str) -> str:
    return char if char in "\n\t" else _visible_in_line(char)


def _visible_in_line(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return " " if char == "\t" else _by_number(char)


def _by_number(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"
