"""Small things that several families of rules need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import chain

from analyzers.causes.case import Case
from analyzers.diagnosis import Citation, Confidence
from analyzers.facts.base import IPAddress, Line
from analyzers.facts.endpoints import Endpoint
from analyzers.logs.model import Leg, Sighting
from analyzers.text import Value, say

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE


def lines(*found: Line | None) -> tuple[Citation, ...]:
    """The lines that are there, as citations."""
    return tuple(line.cite() for line in found if line is not None)


def share(sighting: Sighting) -> Citation:
    """What the log says, as a piece of evidence: the newest entry, and how often."""
    note = None
    if sighting.count > 1:
        note = say("Seen {count} times.", count=sighting.count)
    event = sighting.last if sighting.last.text else sighting.first
    return event.cite(sighting.mark if event is sighting.last else "", note)


def shares(sightings: Iterable[Sighting]) -> tuple[Citation, ...]:
    return tuple(share(sighting) for sighting in sightings)


_HOW = {
    "net.dial-timeout": say("no answer"),
    "net.refused": say("connection refused"),
    "net.no-route-to-host": say("no route to host"),
    "net.unreachable": say("network is unreachable"),
}


def log_values(case: Case, sighting: Sighting) -> dict[str, Value]:
    """What a sighting adds to the host's values for the texts."""
    found = {name: values[-1] for name, values in sighting.captures.items() if values and values[-1]}
    name, arn, instance = found.pop("name", ""), found.get("arn", ""), found.pop("instance", "")
    variable = case.proxy.for_https or case.proxy.imds if case.proxy is not None else None
    values = {
        **found,
        "host": found.get("host") or name,
        "proxy": variable.value if variable is not None else found.get("proxy"),
        "proxy_host": name if sighting.leg is Leg.PROXY else None,
        "instance": instance if instance.startswith("i-") else None,
        "managed": instance if instance.startswith("mi-") else None,
        "role": role_of(arn) or found.get("role", "").rstrip("."),
        "account": found.get("account") or account_of(arn),
        "how": _HOW.get(sighting.signature),
        "path": found.get("path") or _path_in(sighting),
        "limit": _LIMITS.get(sighting.signature),
    }
    return {key: value for key, value in values.items() if value}


_LIMITS = {
    "host.inotify-watches": "fs.inotify.max_user_watches",
    "host.inotify-instances": "fs.inotify.max_user_instances",
}


def _path_in(sighting: Sighting) -> str | None:
    """The file or folder that a message about one names last but for its reason."""
    told = sighting.capture("errno") or sighting.capture("reason") or ""
    paths = re.findall(r"(?<![\w/])(/[\w./-]{2,200})", f"{told}\n{sighting.last.message}")
    return str(paths[-1]).rstrip("/.") if paths and sighting.leg is Leg.HOST else None


_ARN = re.compile(
    r"arn:aws[\w-]*:(?:sts|iam)::(?P<account>[0-9]{12}):(?P<kind>assumed-role|user|role)/(?P<name>[^/\s]+)"
)


def role_of(arn: str) -> str | None:
    """The role that a caller's ARN names."""
    match = _ARN.search(arn)
    return match["name"] if match and match["kind"] != "user" else None


def account_of(arn: str) -> str | None:
    match = _ARN.search(arn)
    return match["account"] if match else None


def user_of(arn: str) -> str | None:
    """The IAM user that a caller's ARN names; ``None`` for a role."""
    match = _ARN.search(arn)
    return match["name"] if match and match["kind"] == "user" else None


def first_address(endpoint: Endpoint) -> IPAddress | None:
    """The address that the host itself would connect to, or did."""
    tried = (attempt.address for attempt in endpoint.tcp if attempt.address is not None)
    return next(chain(endpoint.addresses, tried), None)


def as_address(text: str | None) -> IPAddress | None:
    try:
        return ip_address((text or "").strip("[]"))
    except ValueError:
        return None


def endpoint_values(endpoint: Endpoint) -> dict[str, str]:
    address = first_address(endpoint)
    return {
        "host": endpoint.host,
        "service": endpoint.service,
        **({"address": str(address)} if address else {}),
    }
