"""The objects of a Windows host: one JSON object per line, each with a ``kind`` and fields by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analyzers.facts.base import IPAddress, Line, address, lines_of


@dataclass(frozen=True, slots=True)
class Thing:
    """One object, and the line that it stood on.  Every look at a field gives its type or nothing."""

    at: Line
    kind: str
    fields: Mapping[str, Any]

    def text(self, key: str) -> str:
        value = self.fields.get(key)
        return value.strip() if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        value = self.fields.get(key)
        sound = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
        return value if isinstance(value, int) and sound else None

    def flag(self, key: str) -> bool | None:
        """``true`` and ``false``; 1 and 0, as the registry has them."""
        value = self.fields.get(key)
        return bool(value) if isinstance(value, bool) or value in (0, 1) else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.fields.get(key)
        items = value if isinstance(value, list) else [value]
        return tuple(item for item in items if isinstance(item, str))

    def address(self, key: str) -> IPAddress | None:
        return address(self.text(key)) if self.text(key) else None


def things_of(output: bytes, source: str, *kinds: str) -> Iterator[Thing]:
    """The objects of an output, of these kinds only; a line that is none (cut, forged) is left out."""
    for line in lines_of(output, source):
        try:
            value = json.loads(line.text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("kind"), str):
            thing = Thing(line, value["kind"], value)
            if not kinds or thing.kind in kinds:
                yield thing
