"""What a good start proves of the failures before it.

An agent opens its channel to ssmmessages only once it knows who it is.  From 2.2.392 on one that has no
credential refresher of its own (before 3.2.183) has by then also been answered by ssm: its worker sends a
health ping before anything else, and hibernates when that fails.  So an open channel settles what failed
there before the start that led to it.  (Newer agents say themselves that ssm answered.)  And an agent that
does without ec2messages while the channel is open has no more need of what failed there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

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
    last = sighting.last.time
    if sighting.kind not in (Kind.FAILURE, Kind.SYMPTOM) or last is None:
        return False
    return any(start > last and sighting.target in proven for start, proven in _good_starts(logs))


def _good_starts(logs: LogReading) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    """The starts that came to an open channel, and what each of them proves.  The last one must still have
    it: what broke it may be what failed before."""
    opened = [s.event.time for s in logs.states if s.aspect == "channel" and s.value in _OPEN]
    for start, following in pairwise((*logs.starts, None)):
        end = following.time if following is not None else None
        if start is None or start.time is None or (following is None and logs.channel != "ssmmessages"):
            continue
        if any(at is not None and start.time <= at and (end is None or at < end) for at in opened):
            yield start.time, _proven(start.version or logs.version)


def _proven(version: str | None) -> tuple[str, ...]:
    abilities = Abilities(Version.parse(version) if version else None)
    pings_first = abilities.has(Change.HIBERNATION) and abilities.has(Change.SSM_CREDENTIALS) is False
    without_mds = ("ec2messages",) if abilities.has(Change.MDS_OPTIONAL) else ()
    return ("imds", *(("ssm",) if pings_first else ()), *without_mds)
