"""What an agent's log tells of others: commands that run under it fail for reasons of their own.

A role that may not write to a bucket, or a command that fills a disk which the agent does not use, is no
cause for an agent to be lost.
"""

from __future__ import annotations

import re
from dataclasses import replace

from analyzers.logs.model import LogReading, Sighting

ESSENTIAL = (
    "ssm:UpdateInstanceInformation", "ssm:RegisterManagedInstance", "ssm:RequestManagedInstanceRoleToken",
    "ssmmessages:", "ec2messages:",
)  # fmt: skip
"""Actions (or all of a service) without which an agent is not online, or gets no commands."""
_OWN = (
    "/var/lib/amazon",
    "/var/log/amazon",
    "/etc/amazon",
    "/root/.aws",
    "/usr/bin/",
    "C:\\ProgramData\\Amazon",
)


def without_asides(logs: LogReading) -> LogReading:
    """The reading of an agent that has its channel, without what others complained of in its log."""
    if logs.channel != "ssmmessages":
        return logs
    return replace(logs, current=tuple(sighting for sighting in logs.current if not _aside(sighting)))


def _aside(sighting: Sighting) -> bool:
    actions = sighting.captures.get("action", ())
    if actions:
        return not any(action.startswith(ESSENTIAL) for action in actions)
    paths = re.findall(r"(?<![\w/])/[\w./-]{2,200}|C:\\[\w\\.-]{2,200}", sighting.last.message)
    elsewhere = bool(paths) and not any(path.startswith(_OWN) for path in paths)
    return sighting.signature == "host.no-space" and elsewhere
