"""Moves a recording in time, so that what it shows happened just now."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from collector.evidence.memory import MemoryEvidence

_FORMS = {
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "%Y-%m-%d %H:%M:%S",
    rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d": "%Y/%m/%d %H:%M:%S",
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d": "%Y-%m-%dT%H:%M:%S",
    rb"\b20\d{6}T\d{6}": "%Y%m%dT%H%M%S",
    rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d": "%a, %d %b %Y %H:%M:%S",
    rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}": "%a %b %d %H:%M:%S %Y",
    rb"(?<![a-z] )[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}": "%b %d %H:%M:%S %Y",
}
"""Every way in which the agent and the commands write a time, as a pattern and for ``strptime``."""
_TIME = re.compile(b"|".join(b"(%b)" % pattern for pattern in _FORMS))
_EPOCH = re.compile(rb"(?<=^epoch=)\d+", re.MULTILINE)


def to_now(evidence: MemoryEvidence, now: datetime) -> MemoryEvidence:
    """The same evidence as if its host's clock (probe ``clock``) had shown ``now`` (UTC)."""
    shift = shift_to(now, evidence.probe("clock").output)
    moved = mover(shift)
    probes = (replace(result, output=moved(result.output)) for result in evidence.manifest.probes)
    contents = {part: moved(body) for part, body in evidence.contents.items()}
    logs = (replace(log, modified=log.modified and log.modified + shift) for log in evidence.manifest.logs)
    return MemoryEvidence(replace(evidence.manifest, probes=tuple(probes), logs=tuple(logs)), contents)


def shift_to(now: datetime, clock: bytes) -> timedelta:
    """How far back ``clock``, the output of that probe, is from ``now``; nothing where it tells no time."""
    recorded = re.search(rb"^utc=([0-9T:-]+)", clock, re.MULTILINE)
    if recorded is None:
        return timedelta()
    then = datetime.fromisoformat(recorded[1].decode()).replace(tzinfo=UTC)
    return timedelta(seconds=round((now - then).total_seconds()))


def mover(shift: timedelta) -> Callable[[bytes], bytes]:
    """What moves every time in a text; the length of the text stays."""
    forms = list(_FORMS.values())

    def move(match: re.Match[bytes]) -> bytes:
        form = forms[(match.lastindex or 1) - 1]
        try:
            then = datetime.strptime(match[0].decode(), form)  # noqa: DTZ007 - the zone stays as it is
        except ValueError:
            return match[0]
        text = (then + shift).strftime(form)
        return text.encode() if len(text) == len(match[0]) else match[0]

    def epoch(match: re.Match[bytes]) -> bytes:
        return b"%d" % (int(match[0]) + int(shift.total_seconds()))

    return lambda text: _EPOCH.sub(epoch, _TIME.sub(move, text))
