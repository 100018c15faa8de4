"""What each generation of the agent does after a failure: when it tries again, and whether it says so.

From the agent's source (credentialrefresher.go, hibernation.go, the systemd unit) and its history, as a
table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyzers.logs.model import NextTry, Sighting
from analyzers.text import Message, say

Version = tuple[int, ...]
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


def version_of(text: str | None) -> Version:
    """``3.3.1142.0`` as numbers; empty where it is not known."""
    try:
        return tuple(int(part) for part in text.split(".")[:4]) if text else ()
    except ValueError:
        return ()


@dataclass(frozen=True, slots=True)
class Ladder:
    """How long the credential refresher sleeps."""

    since: Version
    hybrid: bool
    denied: bool
    """After AccessDenied or a changed fingerprint; else after any other error."""
    delays: tuple[tuple[timedelta, timedelta], ...]
    """Shortest and longest, by number of the failure; the last holds on."""
    silent_after: int | None
    """Failures after which it says nothing at the default level."""


def _minutes(*pairs: tuple[float, float]) -> tuple[tuple[timedelta, timedelta], ...]:
    return tuple((low * _MINUTE, high * _MINUTE) for low, high in pairs)


_DOUBLING = tuple((timedelta(seconds=2**n), timedelta(seconds=1.2 * 2**n + 20)) for n in range(17))
_STEPS = _minutes((4.5, 5), *[(9, 10)] * 3, *[(18, 20)] * 3, *[(36, 40)] * 3, (54, 60))
LADDERS = (
    Ladder((3, 2, 1630), hybrid=False, denied=True, delays=_minutes((25, 30)), silent_after=3),
    Ladder((3, 2, 1630), hybrid=False, denied=False, delays=_STEPS, silent_after=3),
    Ladder((3, 3, 808), hybrid=True, denied=True, delays=_minutes((25, 30)), silent_after=None),
    Ladder((3, 1, 500), hybrid=True, denied=True, delays=((24 * _HOUR, 26 * _HOUR),), silent_after=None),
    Ladder(
        (3, 3, 808),
        hybrid=True,
        denied=False,
        delays=(*_DOUBLING[:10], (27 * _MINUTE, 36 * _MINUTE)),
        silent_after=None,
    ),
    Ladder((3, 1, 500), hybrid=True, denied=False, delays=_DOUBLING, silent_after=None),
    Ladder((3, 2, 183), hybrid=False, denied=True, delays=((24 * _HOUR, 26 * _HOUR),), silent_after=None),
    Ladder((3, 2, 183), hybrid=False, denied=False, delays=_DOUBLING, silent_after=None),
)
"""Newest first; the version in which hybrid agents came down from 24 h is known by its month only
(2024-08)."""


def ladder(version: str | None, *, hybrid: bool, denied: bool) -> Ladder | None:
    """The ladder of that agent; the newest one's where the version is not known."""
    number = version_of(version)
    return next(
        (
            row
            for row in LADDERS
            if row.hybrid == hybrid and row.denied == denied and (not number or number >= row.since)
        ),
        None,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the agent stands at the end of its logs."""

    version: str | None
    hybrid: bool
    start_failed: bool
    hibernating: bool
    announced: tuple[datetime, timedelta] | None
    """The newest word of the agent on when it tries again: said when, in how long."""
    failures: Sequence[Sighting]
    """Current failures and symptoms."""


def next_try(standing: Standing) -> NextTry | None:
    """When the agent tries again by itself; ``None`` where it has nothing to try, or it cannot be told."""
    newest = max((s for s in standing.failures if s.last.time), key=_last, default=None)
    since = newest.last.time if newest else None
    if standing.announced:
        said, delay = standing.announced
        if since is None or said >= since - timedelta(seconds=5):
            return _try(said, (delay, delay), say("the agent said so itself"), logged=_logged(standing))
    if newest is None or since is None:
        return None
    if standing.start_failed:
        rest = timedelta(seconds=900 if version_of(standing.version)[:1] == (2,) else 90)
        return _try(
            since, (rest, rest + timedelta(seconds=15)), say("systemd starts the agent again after its exit")
        )
    if standing.hibernating:
        return _try(
            since, (5 * _MINUTE, 60 * _MINUTE), say("a hibernating agent pings every 5 to 60 minutes")
        )
    return _by_operation(standing, newest, since)


def _by_operation(standing: Standing, newest: Sighting, since: datetime) -> NextTry | None:
    if newest.operation == "health.ping":
        return _try(since, (5 * _MINUTE, 5.5 * _MINUTE), say("the agent reports its health every 5 minutes"))
    if newest.signature == "mds.paused":
        return _try(
            since, (15 * _MINUTE, 16 * _MINUTE), say("ten errors in a row pause the poll for 15 minutes")
        )
    if newest.target in ("ec2messages", "ssmmessages"):
        return _try(
            since, (timedelta(seconds=1), 15 * _MINUTE), say("the message channels are tried again and again")
        )
    if newest.operation.startswith(("creds.", "ssm.profile", "ssm.dhmc", "ssm.hybrid")):
        denied = any(
            s.signature.startswith("iam.denied") or s.signature == "service.fingerprint"
            for s in standing.failures
        )
        row = ladder(standing.version, hybrid=standing.hybrid, denied=denied)
        if row:
            delay = row.delays[min(newest.count, len(row.delays)) - 1]
            basis = say(
                "agent {version} tries for credentials at these intervals", version=standing.version or "?"
            )
            return _try(
                since, delay, basis, logged=row.silent_after is None or newest.count < row.silent_after
            )
    return None


def _logged(standing: Standing) -> bool:
    row = ladder(standing.version, hybrid=standing.hybrid, denied=False)
    tries = max(
        (
            s.count
            for s in standing.failures
            if s.operation == "creds.none-valid" or s.operation.startswith("ssm.profile")
        ),
        default=0,
    )
    return row is None or row.silent_after is None or tries < row.silent_after


def _last(sighting: Sighting) -> float:
    when = sighting.last.time
    return when.timestamp() if when else 0.0


def _try(
    since: datetime, delay: tuple[timedelta, timedelta], basis: Message, *, logged: bool = True
) -> NextTry | None:
    try:
        return NextTry(since + delay[0], since + delay[1], basis, logged)
    except OverflowError:
        return None


_DURATION = (("h", 3600.0), ("m", 60.0), ("s", 1.0))


def go_duration(text: str) -> timedelta | None:
    """``27m42s`` as Go prints it."""
    seconds, number = 0.0, ""
    for char in text:
        if char.isdigit() or char == ".":
            number += char
            continue
        unit = dict(_DURATION).get(char)
        if unit is None or not number:
            return None
        seconds, number = seconds + float(number) * unit, ""
    try:
        return timedelta(seconds=seconds) if not number else None
    except OverflowError:
        return None
