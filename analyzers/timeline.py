"""What happened on the host, in order: boots, starts, states, failures, silence, the next try.

A log repeats itself for days.  Events of a kind between two starts of the agent are told once, first to last
and how often, so that a year of them is read in a minute and no beginning and no end is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from analyzers.causes.case import Case
from analyzers.diagnosis import TimelineEvent
from analyzers.logs.model import AgentStart, Kind, LogReading, Sighting, StateChange
from analyzers.text import Message, ready, say

_MOST_STARTS = 4
"""Starts told one by one; of more, the first and the last."""
_SHORT = timedelta(minutes=5)
"""A silence that the agent keeps anyway tells nothing until it is longer."""


def timeline(case: Case) -> tuple[TimelineEvent, ...]:
    """What happened on the host, in order; events without a time are left out."""
    events = {(event.first, str(event.label)): event for event in _events(case)}
    return tuple(sorted(events.values(), key=lambda event: _sortable(event.first)))


def _sortable(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _events(case: Case) -> Iterator[TimelineEvent]:
    clock = case.facts.clock.or_none()
    if clock is not None and clock.boot is not None:
        yield TimelineEvent("boot", clock.boot, clock.boot, say("The host booted."))
    yield from _starts(case.logs)
    yield from _states(case)
    yield from _failures(case.logs.history)
    yield from _failures(case.logs.current)
    good = case.logs.last_good
    if good is not None and good.time is not None:
        yield TimelineEvent("good", good.time, good.time, ready(case.logs.last_good_why))
    yield from _silence_and_retry(case.logs)


# Starts --------------------------------------------------------------------------------------------------


def _starts(logs: LogReading) -> Iterator[TimelineEvent]:
    starts = [(start.time, start) for start in logs.starts if start.time is not None]
    if len(starts) <= _MOST_STARTS:
        yield from (TimelineEvent("agent-start", time, time, _started(start)) for time, start in starts)
        return
    (first, opening), *between, (last, closing) = starts
    count = max(logs.start_count, len(starts)) - 2
    yield TimelineEvent("agent-start", first, first, _started(opening))
    again = say("The agent started again and again.")
    yield TimelineEvent("agent-start", between[0][0], between[-1][0], again, count)
    yield TimelineEvent("agent-start", last, last, _started(closing))


def _started(start: AgentStart) -> Message:
    if start.version is None:
        return say("The agent started.")
    return say("The agent started (version {version}).", version=start.version)


# Failures ------------------------------------------------------------------------------------------------


def _failures(sightings: Iterable[Sighting]) -> Iterator[TimelineEvent]:
    """Failures by what they mean, whichever call met them."""
    told: dict[str, TimelineEvent] = {}
    for sighting in sightings:
        first, last = sighting.first.time, sighting.last.time
        if sighting.kind is not Kind.FAILURE or first is None or last is None:
            continue
        event = TimelineEvent("failure", first, last, ready(sighting.means), sighting.count)
        before = told.get(sighting.means)
        told[sighting.means] = event if before is None else _together(before, event)
    yield from told.values()


def _together(one: TimelineEvent, other: TimelineEvent) -> TimelineEvent:
    first = min(one.first, other.first, key=_sortable)
    last = max(one.last, other.last, key=_sortable)
    return replace(one, first=first, last=last, count=one.count + other.count)


# States --------------------------------------------------------------------------------------------------

_STATES = {
    ("identity", "EC2"): say("The agent takes its identity from EC2."),
    ("identity", "OnPrem"): say("The agent takes its identity from a hybrid registration."),
    ("registration", "registered"): say("The instance registered with Systems Manager."),
    ("registration", "found"): say("The agent found its registration of an earlier start."),
    ("registration", "missing"): say("The agent has no registration."),
    ("credentials", "profile"): say("The agent has the credentials of the instance profile."),
    ("credentials", "dhmc"): say("The agent has the credentials of Default Host Management."),
    ("credentials", "ready"): say("The agent holds credentials."),
    ("worker", "started"): say("The worker process was started."),
    ("worker", "running"): say("The worker process runs."),
    ("worker", "died"): say("The worker process died."),
    ("channel", "open"): say("The channel to ssmmessages opened."),
    ("channel", "ssmmessages"): say("The agent takes its messages from ssmmessages."),
    ("channel", "ec2messages"): say("The agent fell back to ec2messages."),
    ("channel", "mds-paused"): say("The agent stopped polling ec2messages for a while."),
    ("channel", "lost"): say("The channel to ssmmessages was lost."),
    ("channel", "closed"): say("The channel was closed."),
    ("hibernation", "entered"): say("The agent went into hibernation."),
    ("process", "stopping"): say("The agent was told to stop."),
    ("process", "stopped"): say("The agent stopped."),
}


def _states(case: Case) -> Iterator[TimelineEvent]:
    """Each state once per start of the agent, however often it came and went."""
    told: dict[tuple[int, str, str], list[datetime]] = {}
    boundaries = [_sortable(start.time) for start in case.logs.starts if start.time is not None]
    changes = _without_passing_registrations(case.logs.states, boundaries)
    for change in changes:
        if change.event.time is not None:
            key = _period(change, boundaries), change.aspect, change.value
            told.setdefault(key, []).append(change.event.time)
    for (_, aspect, value), times in told.items():
        label = _STATES.get((aspect, value)) or say(
            "The agent told of its {aspect}: {value}.", aspect=aspect, value=value
        )
        yield TimelineEvent("state", times[0], times[-1], label, len(times))


def _without_passing_registrations(
    changes: Sequence[StateChange], boundaries: Sequence[datetime]
) -> Iterator[StateChange]:
    """An EC2 instance finds no registration and makes one at each start: only its last word is told."""
    last = {_period(change, boundaries): change for change in changes if change.aspect == "registration"}
    for change in changes:
        if change.aspect != "registration" or change is last[_period(change, boundaries)]:
            yield change


def _period(change: StateChange, boundaries: Sequence[datetime]) -> int:
    """How many starts came before."""
    if change.event.time is None:
        return -1
    return sum(boundary <= _sortable(change.event.time) for boundary in boundaries)


# What comes last -----------------------------------------------------------------------------------------


def _silence_and_retry(logs: LogReading) -> Iterator[TimelineEvent]:
    silence, retry = logs.silence, logs.next_try
    if silence is not None:
        length = silence.length or timedelta(0)
        if not silence.expected or length >= _SHORT:
            yield TimelineEvent("silence", silence.since, silence.since + length, silence.reason)
    if retry is not None:
        yield TimelineEvent("retry", retry.earliest, retry.latest, retry.basis)
