"""The timeline of one host: what happened in order, with the gaps between, and how it lies on a strip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from analyzers.diagnosis import Diagnosis, TimelineEvent
from analyzers.text import say
from reports.provenance import Provenance
from reports.times import between, sortable

QUIET = timedelta(minutes=30)
"""A pause from here on is shown as a gap."""
STRIP = 1_000
"""Width of the strip, in its own units."""
_LANES = ("boot", "agent-start", "state", "good", "failure", "silence", "retry", "collected")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, and the pause before it where there was one."""

    event: TimelineEvent
    gap: timedelta | None
    """Without any entry, before this event; ``None``: none worth telling."""
    lasted: timedelta | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One event on the strip."""

    event: TimelineEvent
    lane: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: tuple[Entry, ...]
    left_out: int
    lanes: tuple[str, ...]
    bars: tuple[Bar, ...]
    breaks: tuple[tuple[int, timedelta], ...]
    """Where the strip is shortened, and by how long a pause."""


def timeline(diagnosis: Diagnosis, provenance: Provenance, most: int) -> Timeline:
    """Order, cap and place the events of ``diagnosis``, our own visit among them."""
    events = sorted(
        (*diagnosis.timeline, *_ours(diagnosis, provenance)), key=lambda event: sortable(event.first)
    )
    kept = _thin(events, most)
    lanes = tuple(kind for kind in _LANES if any(_lane(event) == kind for event in kept))
    bars, breaks = _place(kept, lanes)
    return Timeline(tuple(_with_gaps(kept)), len(events) - len(kept), lanes, bars, breaks)


def _ours(diagnosis: Diagnosis, provenance: Provenance) -> list[TimelineEvent]:
    clock = provenance.clock
    ours = []
    if clock and diagnosis.timeline:
        ours.append(TimelineEvent("collected", clock.started, clock.finished, say("This host was checked.")))
    if not any(event.kind == "retry" for event in diagnosis.timeline):
        again = say("The agent retries by itself.")
        ours += [
            TimelineEvent("retry", cause.next_retry, cause.next_retry, again)
            for cause in diagnosis.causes[:1]
            if cause.next_retry
        ]
    return ours


def _thin(events: Sequence[TimelineEvent], most: int) -> list[TimelineEvent]:
    """Drop from the middle, but never the first or the last of a kind."""
    if len(events) <= most:
        return list(events)
    first = {event.kind: n for n, event in reversed(list(enumerate(events)))}
    last = {event.kind: n for n, event in enumerate(events)}
    keep = {*first.values(), *last.values()}
    for n in range(len(events)):
        if len(keep) >= most:
            break
        keep.add(n // 2 if n % 2 == 0 else len(events) - 1 - n // 2)
    return [event for n, event in enumerate(events) if n in keep]


def _with_gaps(events: Sequence[TimelineEvent]) -> list[Entry]:
    entries: list[Entry] = []
    reached: datetime | None = None
    for event in events:
        pause = between(reached, event.first)
        lasted = between(event.first, event.last)
        entries.append(Entry(event, pause if pause and pause >= QUIET else None, lasted or None))
        reached = event.last if reached is None or sortable(event.last) > sortable(reached) else reached
    return entries


def _lane(event: TimelineEvent) -> str:
    return event.kind if event.kind in _LANES else "state"


def _place(
    events: Sequence[TimelineEvent], lanes: Sequence[str]
) -> tuple[tuple[Bar, ...], tuple[tuple[int, timedelta], ...]]:
    """Put events on a line on which a pause of days takes little more room than one of minutes."""
    moments = sorted({sortable(moment) for event in events for moment in (event.first, event.last)})
    weights = [math.log1p((later - earlier).total_seconds()) + 1 for earlier, later in pairwise(moments)]
    total = sum(weights) or 1.0
    at, gone = {moments[0]: 0} if moments else {}, 0.0
    for moment, weight in zip(moments[1:], weights, strict=True):
        gone += weight
        at[moment] = round(gone / total * STRIP)
    bars = tuple(_bar(event, lanes, at) for event in events)
    return bars, _breaks(moments, at, events)


def _bar(event: TimelineEvent, lanes: Sequence[str], at: dict[datetime, int]) -> Bar:
    start, end = at[sortable(event.first)], at[sortable(event.last)]
    return Bar(event, lanes.index(_lane(event)), start, max(end - start, 0))


def _breaks(
    moments: Sequence[datetime], at: dict[datetime, int], events: Sequence[TimelineEvent]
) -> tuple[tuple[int, timedelta], ...]:
    """The pauses of which no event tells, where there is room to write how long they were."""
    found = []
    for earlier, later in pairwise(moments):
        if later - earlier < QUIET or at[later] - at[earlier] < STRIP // 16:
            continue
        if not any(sortable(event.first) <= earlier and sortable(event.last) >= later for event in events):
            found.append(((at[earlier] + at[later]) // 2, later - earlier))
    return tuple(found)
