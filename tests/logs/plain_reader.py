# ruff: noqa: E501 - lines of real logs stay whole; the times of a log are naive
"""The plain way to read a log: line by line, every pattern on every entry.  Slow, and what the fast way must equal."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from analyzers.logs.grammar import LEVELS, parse_entry, text_of
from analyzers.logs.signatures import Meaning, Signatures

_BEGINS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_TORN = re.compile(
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?=(?:[.,]\d{1,9})? (?:"
    + b"|".join(level.encode() for level in LEVELS)
    + rb") )"
)


def without_shortcuts(signatures: Signatures) -> Signatures:
    """The same signatures, none of which knows literals that would spare a search."""
    return Signatures(dataclasses.replace(s, literals=(), numbers=()) for s in signatures.all)


def plain_entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Line number and bytes of each entry."""
    entry: list[bytes] = []
    first = 1
    for number, line in enumerate(data.split(b"\n"), start=1):
        cuts = [torn.start() for torn in _TORN.finditer(line) if torn.start()]
        if _BEGINS.match(line):
            cuts.insert(0, 0)
        parts = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)]
        for index, part in enumerate(parts):
            if index:
                if entry:
                    yield first, b"\n".join(entry)
                entry, first = [part], number
            elif part or not cuts or cuts[0]:
                first = number if not entry else first
                entry.append(part)
    if entry:
        yield first, b"\n".join(entry)


def plain_reading(data: bytes, signatures: Signatures) -> list[tuple[int, Meaning]]:
    """Line and meaning of every entry that means something."""
    found = []
    for line, raw in plain_entries(data):
        entry = parse_entry(text_of(raw))
        meaning = signatures.classify(entry.level, entry.body)
        if meaning is not None:
            found.append((line, meaning))
    return found
