"""What the hosts of one sweep have in common, so that a cause that they share is told once.

``traits`` says what one host is like.  ``shared`` compares: a trait is worth telling where nearly all hosts
with a cause have it and few others do.  What every host of the sweep has tells nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from analyzers.diagnosis import Trait
from analyzers.text import Message, say

if TYPE_CHECKING:
    from analyzers.causes.case import Case

FEWEST = 3
"""Hosts of one cause from which on it is asked what they share: two may share anything."""
NEARLY_ALL = 0.75
"""The part of them that must have a trait."""
FEW = 0.5
"""Of the other hosts at most this much, as a part of that part, may have it too."""
_AT_ONCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Member:
    """One host of a sweep, as far as comparing goes."""

    cause: str
    """Slug (and scope) of the first root cause; empty: none was found."""
    traits: tuple[Trait, ...] = ()
    since: datetime | None = None


# One host ------------------------------------------------------------------------------------------------


def traits(case: Case) -> tuple[Trait, ...]:
    """What may set this host apart; what is not known is left out."""
    document = _document(case)
    system = case.facts.os.or_none()
    found = {
        "subnet": _subnet(case),
        "image": document.get("imageId"),
        "role": case.imds.role if case.imds else None,
        "account": case.imds.account if case.imds else None,
        "region": case.values.get("region"),
        "zone": (case.imds.zone if case.imds else None) or document.get("availabilityZone"),
        "type": document.get("instanceType"),
        "system": system.name if system is not None else None,
        "version": str(case.version) if case.version else None,
    }
    return tuple(Trait(kind, value) for kind, value in found.items() if value)


def _document(case: Case) -> dict[str, str]:
    """The identity document that IMDS gave."""
    answer = case.imds.answer("document") if case.imds is not None else None
    try:
        told = json.loads(answer.body) if answer is not None else {}
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in told.items() if isinstance(v, str)} if isinstance(told, dict) else {}


def _subnet(case: Case) -> str | None:
    primary = case.routing.primary if case.routing is not None else None
    networks = (address.network for address in (primary.addresses if primary else ()))
    return next((str(network) for network in networks if network.version == 4), None)


# Many hosts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shared:
    """A trait that nearly all hosts of one cause have, and few others."""

    cause: str
    """Empty: of all hosts with any cause."""
    kind: str
    """As in ``Trait``, or ``minute``: that of the first failure."""
    value: str
    hosts: int
    of: int
    """Hosts with that cause."""

    @property
    def sentence(self) -> Message:
        template = (_OF_ONE if self.cause else _OF_ALL)[self.kind]
        values = {"n": f"{self.hosts:,}", "all": f"{self.of:,}", "value": self.value}
        return Message(template.template, values | ({"cause": self.cause} if self.cause else {}))


def shared(members: Iterable[Member]) -> tuple[Shared, ...]:
    """What hosts share, cause by cause, the commonest cause first; then what all that are broken share."""
    members = list(members)
    by_cause: dict[str, list[Member]] = {}
    for member in members:
        if member.cause:
            by_cause.setdefault(member.cause, []).append(member)
    found: list[Shared] = []
    for cause, those in sorted(by_cause.items(), key=lambda item: (-len(item[1]), item[0])):
        found += _shared(cause, those, [member for member in members if member.cause != cause])
    if len(by_cause) > 1:
        told = {(one.kind, one.value) for one in found}
        broken = [member for those in by_cause.values() for member in those]
        healthy = [member for member in members if not member.cause]
        found += [one for one in _shared("", broken, healthy) if (one.kind, one.value) not in told]
    return tuple(found)


def _shared(cause: str, those: Sequence[Member], others: Sequence[Member]) -> Iterator[Shared]:
    if len(those) < FEWEST:
        return
    inside, outside = _counted(those), _counted(others)
    for trait, count in sorted(inside.items(), key=lambda item: (-item[1], _KINDS.index(item[0].kind))):
        part = count / len(those)
        elsewhere = outside[trait] / len(others) if others else 0.0
        telling = bool(others) or trait.kind in ("subnet", "image")
        if count >= FEWEST and part >= NEARLY_ALL and elsewhere <= part * FEW and telling:
            yield Shared(cause, trait.kind, trait.value, count, len(those))
    minute = _minute(those)
    if minute is not None:
        yield Shared(cause, "minute", minute[0], minute[1], len(those))


def _counted(members: Iterable[Member]) -> Counter[Trait]:
    return Counter(trait for member in members for trait in set(member.traits) if trait.kind in _KINDS)


def _minute(those: Sequence[Member]) -> tuple[str, int] | None:
    """When most of them began to fail within one minute, and how many."""
    times = sorted(member.since for member in those if member.since is not None and member.since.tzinfo)
    best, first, start = 0, None, 0
    for end, time in enumerate(times):
        while time - times[start] > _AT_ONCE:
            start += 1
        if end - start + 1 > best:
            best, first = end - start + 1, times[start]
    if first is None or best < FEWEST or best / len(those) < NEARLY_ALL:
        return None
    return f"{first:%Y-%m-%d %H:%M} UTC", best


_OF_ONE = {
    "image": say("{n} of {all} hosts with {cause} come from the image {value}."),
    "subnet": say("{n} of {all} hosts with {cause} are in the subnet {value}."),
    "role": say("{n} of {all} hosts with {cause} have the role {value}."),
    "account": say("{n} of {all} hosts with {cause} are in the account {value}."),
    "region": say("{n} of {all} hosts with {cause} are in the region {value}."),
    "zone": say("{n} of {all} hosts with {cause} are in the zone {value}."),
    "version": say("{n} of {all} hosts with {cause} run the agent {value}."),
    "system": say("{n} of {all} hosts with {cause} run {value}."),
    "type": say("{n} of {all} hosts with {cause} are of the type {value}."),
    "minute": say("{n} of {all} hosts with {cause} began to fail within one minute, at {value}."),
}
_OF_ALL = {
    "image": say("{n} of {all} broken hosts come from the image {value}."),
    "subnet": say("{n} of {all} broken hosts are in the subnet {value}."),
    "role": say("{n} of {all} broken hosts have the role {value}."),
    "account": say("{n} of {all} broken hosts are in the account {value}."),
    "region": say("{n} of {all} broken hosts are in the region {value}."),
    "zone": say("{n} of {all} broken hosts are in the zone {value}."),
    "version": say("{n} of {all} broken hosts run the agent {value}."),
    "system": say("{n} of {all} broken hosts run {value}."),
    "type": say("{n} of {all} broken hosts are of the type {value}."),
    "minute": say("{n} of {all} broken hosts began to fail within one minute, at {value}."),
}
_KINDS = tuple(_OF_ONE)
