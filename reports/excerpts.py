"""Citations made ready to print: cleaned, capped, the part that matters marked, the rest pointed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analyzers.diagnosis import Citation
from analyzers.text import Message
from collector.target import Platform
from reports.clean import Clean, clean
from reports.probe_names import command_of
from reports.provenance import Provenance

_LONGEST = 50_000
"""Characters of one citation that are looked through for its mark."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of the evidence a page repeats; the rest stays in the evidence file."""

    citations: int
    """Of one list."""
    lines: int
    chars: int
    items: int
    """Symptoms, excluded causes, steps, events: of one list."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One citation, cleaned: ``before``, ``marked`` and ``after`` make up its text."""

    source: str
    line: int | None
    time: datetime | None
    before: Clean
    marked: Clean
    after: Clean
    more_lines: int
    note: Message | None
    probe: str
    """Which gave it; empty where it is of a log."""
    how: str
    """Which command or file gave it, of a probe's output."""
    whom: str
    """The user that read it."""


def excerpts(
    citations: Sequence[Citation], provenance: Provenance, caps: Caps, platform: Platform | None = None
) -> list[Excerpt]:
    """As many of ``citations`` as the caps allow, the first ones first; ``platform`` is the host's."""
    return [_excerpt(citation, provenance, caps, platform) for citation in citations[: caps.citations]]


def _excerpt(citation: Citation, provenance: Provenance, caps: Caps, platform: Platform | None) -> Excerpt:
    text, more_lines = _window(citation, caps)
    before, marked, after = _split(text, clean(citation.mark, caps.chars))
    probe = _probe(citation.source)
    return Excerpt(
        source=citation.source,
        line=citation.line,
        time=citation.time,
        before=before,
        marked=marked,
        after=after,
        more_lines=more_lines,
        note=citation.note,
        probe=probe,
        how=command_of(probe, provenance.via(probe), platform) if probe else "",
        whom=provenance.whom(probe),
    )


def _probe(source: str) -> str:
    return source.removeprefix("probes/").removesuffix(".txt") if source.startswith("probes/") else ""


def _window(citation: Citation, caps: Caps) -> tuple[str, int]:
    """The lines around the mark, and how many others there are."""
    every = citation.text[:_LONGEST].splitlines()
    lines = [line for line in every if line.strip()] or [""]
    marked = citation.mark.splitlines()[0] if citation.mark else ""
    at = next((n for n, line in enumerate(lines) if marked and marked in line), 0)
    first = max(0, min(at - caps.lines // 3, len(lines) - caps.lines))
    shown = lines[first : first + caps.lines]
    return clean(_around("\n".join(shown), marked, caps.chars), caps.chars), max(len(every) - len(shown), 0)


def _around(text: str, mark: str, chars: int) -> str:
    """``text`` from shortly before ``mark``, where the mark would else fall behind the cut."""
    at = text.find(mark) if mark else 0
    if len(text) <= chars or at < 0 or at + len(mark) <= chars * 3 // 4:
        return text
    return "… " + text[max(0, at - chars // 4) :]


def _split(text: str, mark: str) -> tuple[Clean, Clean, Clean]:
    before, found, after = text.partition(mark) if mark else ("", "", text)
    if not found:
        before, after = "", text
    return Clean(before), Clean(found), Clean(after)
