"""Sentences for humans, kept apart from the values in them so that they can be translated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """An English sentence with ``{named}`` gaps, and what fills them.

    The template is the message id of the catalogues; the values come from the host and are hostile text.
    """

    template: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.render(self.template)

    def render(self, template: str) -> str:
        """Fill the gaps of ``template``: this message's own, or a translation of it."""
        return template.format_map(self.values)


def say(template: str, **values: object) -> Message:
    """A message; each value is shown as its ``str``."""
    return Message(template, {name: str(value) for name, value in values.items()})


def ready(sentence: str) -> Message:
    """A sentence that stands whole in a catalogue of ours and has no gaps: it is its own message id."""
    return Message(sentence.replace("{", "{{").replace("}", "}}"))
