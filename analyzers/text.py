"""Sentences for humans, kept apart from the values in them so that they can be translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Message:
    """An English sentence with ``{named}`` gaps, and what fills them.

    The template is the message id of the catalogues.  A value is hostile text from the host, or words of
    ours: a message too, which is translated with the rest.
    """

    template: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format_map(self.values)

    def changed(self, change: Callable[[str], str]) -> Message:
        """This message with each value, at whatever depth, as ``change`` makes it."""
        return Message(
            self.template,
            {k: v.changed(change) if isinstance(v, Message) else change(v) for k, v in self.values.items()},
        )


Value: TypeAlias = str | Message


def say(template: str, **values: object) -> Message:
    """A message; each value but a message is shown as its ``str``."""
    return Message(template, {k: v if isinstance(v, Message) else str(v) for k, v in values.items()})


def listed(messages: Sequence[Message], separator: str = "; ") -> Message:
    """Several as one."""
    gaps = separator.join(f"{{m{n}}}" for n in range(len(messages)))
    return Message(gaps, {f"m{n}": message for n, message in enumerate(messages)})


def ready(sentence: str) -> Message:
    """A sentence that stands whole in a catalogue of ours and has no gaps: it is its own message id."""
    return Message(sentence.replace("{", "{{").replace("}", "}}"))
