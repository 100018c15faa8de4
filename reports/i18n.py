"""The languages of the reports.

Every text of ours goes through a ``Translator``: sentences that carry a host's values as ``Message``, the
words around them (headings, labels, counts) as English message ids.  The catalogues are gettext's, one folder
per language under ``reports/locale``; the message id is the English text, so English needs none.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from analyzers.text import Message
from collector.errors import UsageError

DOMAIN = "ssm-triage"
LOCALE = Path(__file__).with_name("locale")
Dress = Callable[[str], str]


class Translator(Protocol):
    """Turns message ids and messages into the words of one language."""

    @property
    def lang(self) -> str:
        """The BCP 47 tag: ``en``, ``ko``."""
        ...

    def gettext(self, msgid: str, /, **values: object) -> str:
        """A text of ours, its ``{named}`` gaps filled."""
        ...

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The same with a count, which fills the gap ``{n}``."""
        ...

    def say(self, message: Message, *, ours: Dress = str, theirs: Dress = str) -> str:
        """A sentence with a host's values in it: hostile text still.

        Args:
            message: the sentence.
            ours: what to make of our own words, whose gaps are open still.
            theirs: what to make of each value.
        """
        ...


@dataclass(frozen=True)
class Catalogue:
    """A translator over one gettext catalogue."""

    lang: str
    catalogue: gettext.NullTranslations

    def gettext(self, msgid: str, /, **values: object) -> str:
        words = self.catalogue.gettext(msgid) if msgid else ""  # the empty id is the catalogue's own head
        return words.format_map(values) if values else words

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        return self.catalogue.ngettext(one, many, n).format_map({"n": f"{n:,}", **values})

    def say(self, message: Message, *, ours: Dress = str, theirs: Dress = str) -> str:
        values = {
            name: self.say(value, ours=ours, theirs=theirs) if isinstance(value, Message) else theirs(value)
            for name, value in message.values.items()
        }
        return ours(self.gettext(message.template)).format_map(values)


def languages() -> tuple[str, ...]:
    """The languages that reports can be written in, English first."""
    found = (path.parent.parent.name for path in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return ("en", *sorted(found))


@lru_cache(maxsize=8)
def translator(lang: str = "en") -> Translator:
    """The translator of one language.

    Raises:
        UsageError: there is no catalogue of that language.
    """
    if lang == "en":
        return Catalogue("en", gettext.NullTranslations())
    if lang not in languages():
        raise UsageError(f"--lang {lang}: no such language; there is: {', '.join(languages())}")
    return Catalogue(lang, gettext.translation(DOMAIN, LOCALE, [lang]))
