"""What a good start proves of the failures before it.

An agent opens its channel to ssmmessages only once it knows who it is.  From 2.2.392 on one that has no
credential refresher of its own (before 3.2.183) has by then also been answered by ssm: its worker sends a
health ping before anything else, and hibernates when that fails.  So an open channel settles what failed
there before the start that led to it.  (Newer agents say themselves that ssm answered.)
"""

from __future__ import annotations

from dataclasses import replace

from analyzers.causes.versions import Abilities, Change
from analyzers.facts.packages import Version
from analyzers.logs.model import Kind, LogReading, Sighting

_OPEN = ("open", "ssmmessages")


def settled(logs: LogReading) -> LogReading:
    """The same reading, with what a good start has settled among its history."""
    over = [sighting for sighting in logs.current if _is_over(logs, sighting)]
    if not over:
        return logs
    current = tuple(sighting for sighting in logs.current if sighting not in over)
    failures = (sighting for sighting in over if sighting.kind is Kind.FAILURE)
    return replace(logs, current=current, history=(*logs.history, *failures))


def _is_over(logs: LogReading, sighting: Sighting) -> bool:
    start, opened = logs.last_start, _opened(logs)
    if sighting.kind not in (Kind.FAILURE, Kind.SYMPTOM) or start is None or not opened:
        return False
    before = start.time is not None and sighting.last.time is not None and sighting.last.time < start.time
    return before and sighting.target in _proven(logs)


def _opened(logs: LogReading) -> bool:
    """Whether the last start came to an open channel, and still has it."""
    return logs.channel == "ssmmessages" and any(
        state.aspect == "channel" and state.value in _OPEN for state in logs.states
    )


def _proven(logs: LogReading) -> tuple[str, ...]:
    abilities = Abilities(Version.parse(logs.version) if logs.version else None)
    pings_first = abilities.has(Change.HIBERNATION) and abilities.has(Change.SSM_CREDENTIALS) is False
    return ("imds", "ssm") if pings_first else ("imds",)
