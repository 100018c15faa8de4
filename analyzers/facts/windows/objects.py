"""The objects of a Windows host: one JSON object per line, each with a ``kind`` and fields by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    """The objects of an output, of these kinds only; a line that is none (cut, forged) is left out.

    The line of each is put into words for those who read it: its number leads to the line as it came.
    """
    for line in lines_of(output, source):
        try:
            value = json.loads(line.text)
            if isinstance(value, dict) and isinstance(value.get("kind"), str):
                thing = Thing(replace(line, text=readable(value)), value["kind"], value)
            else:
                continue
        except (ValueError, RecursionError):
            continue
        if not kinds or thing.kind in kinds:
            yield thing


def readable(fields: Mapping[str, Any]) -> str:
    """An object as ``[kind] key: value; key: value``, with the characters of the host's language.

    What cannot be printed is shown as its escape, so that the text stays one line whatever the host says.
    Fields without a value are left out.
    """
    pairs = (
        f"{_shown(key)}: {_shown(value)}"
        for key, value in fields.items()
        if key != "kind" and value not in (None, "")
    )
    return f"[{_shown(fields.get('kind'))}] " + "; ".join(pairs)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
