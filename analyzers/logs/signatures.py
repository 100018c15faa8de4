"""Signatures: what a log entry means, as data.

A signature is one of three:

- an **operation** says what the agent was doing (``ssm.register``), and towards which target;
- a **failure** says how it went wrong (``net.dial-timeout``), in the words of Go, Windows, IMDS or AWS;
- an **entry** says all by itself (a start, a state, noise, a full disk).

An entry of the log is first held against the entry signatures. If none fits, its meaning is operation x
failure, where the failure is looked for in the deepest ``caused by`` first: wrappers lie. The *leg* of the
way that the operation took (IMDS, endpoint, proxy) then chooses among the causes that a failure supports.

They are read from files: see :mod:`analyzers.logs.signature_files`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from analyzers.logs.model import Kind, Leg


class Axis(StrEnum):
    OPERATION = "operation"
    FAILURE = "failure"
    ENTRY = "entry"


@dataclass(frozen=True, eq=False)
class Signature:
    """One signature as its file has it."""

    id: str
    axis: Axis
    regex: str
    means: str
    """One English sentence."""
    origin: str
    """``file:line``, for errors and ``explain``."""
    literals: tuple[str, ...] = ()
    """Texts of which every match contains one; none: no such texts are known.  Found from the pattern."""
    numbers: tuple[str, ...] = ()
    """The texts with digits that the pattern asks for, digits as ``0``.  Found from the pattern."""
    kind: Kind | None = None
    leg: Leg | None = None
    """Fixes the leg, where the text alone tells it."""
    where: tuple[Leg, ...] = ()
    """Legs outside of which the signature does not apply; empty: none."""
    target: str = ""
    area: str = ""
    """What must prove to work for this to be over; empty: the action, or else the target."""
    action: str = ""
    """Of an operation: the IAM action that the call needs."""
    supports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Cause slugs by leg; under the empty key: on every leg."""
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope: str | None = None
    state: tuple[str, str] | None = None
    """Aspect and value of the state that it tells."""
    proves: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    """Levels outside of which it does not apply; empty: all."""
    context: str = ""
    """A bracketed context that the entry must have, without the brackets."""
    versions: str = ""
    """Agent versions that write it, as ``>=3.2.1630 <3.3.40``; for readers only."""
    generic: bool = False
    """Of a failure: tried only when no other fits, in whichever ``caused by``."""
    vague: bool = False
    examples: tuple[str, ...] = ()

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first searched for: a fleet's logs need few of them all."""
        return re.compile(self.regex)

    def applies(self, level: str, body: str) -> bool:
        return (not self.levels or level in self.levels) and (not self.context or f"[{self.context}]" in body)

    def search(self, text: str) -> re.Match[str] | None:
        return self.pattern.search(text)


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What one entry means. There is one object for all entries that mean the same: they are one
    sighting."""

    signature: Signature
    operation: Signature | None
    leg: Leg | None
    target: str
    kind: Kind
    area: str
    """What must prove to work for this to be over."""
    state: tuple[str, str] | None
    fails: bool
    """Whether it is a failure or the symptom of one."""
    loud: bool
    """Whether each entry counts by itself and in its place: a failure, a start, a stop, and a state whose
    value stands in the entry."""
    bears_on: frozenset[str]
    """Areas among whose failures its place tells something: what it proves to work, and speaks of."""

    @property
    def topic(self) -> Meaning | str:
        """The aspect of the agent's state that it tells of; itself, where it tells of none."""
        return self.state[0] if self.state else self


def _meaning(signature: Signature, operation: Signature | None, leg: Leg | None, target: str) -> Meaning:
    kind = (operation.kind if operation else None) or signature.kind or Kind.FAILURE
    state = signature.state or (operation.state if operation else None)
    area = _area(signature, operation, leg, target)
    fails = kind in (Kind.FAILURE, Kind.SYMPTOM)
    loud = fails or kind in (Kind.START, Kind.STOP) or (state is not None and state[1].startswith("{"))
    bears_on = frozenset(filter(None, (*signature.proves, area, target)))
    return Meaning(signature, operation, leg, target, kind, area, state, fails, loud, bears_on)


def _area(signature: Signature, operation: Signature | None, leg: Leg | None, target: str) -> str:
    if signature.area or operation is None:
        return signature.area or target
    if operation.area:
        return operation.area
    return operation.action if leg is Leg.SERVICE and operation.action else target


_URL = re.compile(
    r'\b(?:Get|Post|Put|Head|Patch) "?((?:https?|wss?)://[^\s"]{1,400}?)"?:(?=\s|$)|\b(wss://[^\s"]{1,400})'
)
_HOST = re.compile(r"^\w+://(?:[^/@\s]*@)?(\[[0-9a-fA-F:.%]+\]|[^/:\s?]+)")
_IMDS = ("169.254.169.254", "[fd00:ec2::254]")
_SERVICES = ("ssm", "ssmmessages", "ec2messages", "s3", "kms", "logs", "monitoring", "sts")
_LABELS = tuple(
    (service, re.compile(service.replace("2", r"\d").replace("3", r"\d") + r"(?:-fips)?"))
    for service in _SERVICES
)
_DIALLED_IMDS = re.compile(r"dial tcp[46]? (?:169\.254\.169\.254|\[fd00:ec2::254\]):")
_OWN_NUMBERS = ("000.000.000.000", "[fd00:ec0::000]")
"""The digits, masked, that this module itself looks at."""
_SPEAKING = frozenset({"WARN", "ERROR", "CRITICAL", "DEBUG", ""})
"""Levels at which a failure without a known operation is one: an INFO line may quote anything."""


class Signatures:
    """A set of signatures, in the order in which they are tried."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self.all = tuple(signatures)
        self.by_id = {signature.id: signature for signature in self.all}
        self._by_literal: dict[str, list[int]] = {}
        for number, signature in enumerate(self.all):
            for literal in signature.literals or ("",):
                self._by_literal.setdefault(literal, []).append(number)
        own = {*_OWN_NUMBERS, *(s.context for s in self.all if any(char.isdigit() for char in s.context))}
        self._meanings: dict[tuple[str, str, Leg | None, str], Meaning] = {}
        self.numbers = tuple(sorted(own.union(*(s.numbers for s in self.all))))
        """Every text with digits that a verdict may depend on, its digits written as ``0``."""
        self.learnt: dict[bytes, Any] = {}
        """What the scan has learnt of entries without their digits and ids: the hosts of a fleet write the
        same ones."""

    def classify(self, level: str, body: str) -> Meaning | None:
        """What an entry means, or ``None`` where no signature knows it.

        ``body`` is the entry without time, level and function, cut to a bounded length.
        """
        possible = self._possible(level, body)
        for entry in possible[Axis.ENTRY]:
            if entry.search(body):
                return self._one(entry, None, entry.leg, entry.target)
        operation = next((s for s in possible[Axis.OPERATION] if s.search(body)), None)
        if operation is None and level not in _SPEAKING:
            return None
        leg, target = _way(body, operation)
        failure = _deepest([f for f in possible[Axis.FAILURE] if not f.where or leg in f.where], body)
        if failure is not None and failure.generic and operation is None and not level:
            return None  # the end of an entry whose beginning was lost
        if failure is not None:
            return self._one(failure, operation, failure.leg or leg, target)
        return self._one(operation, operation, leg, target) if operation is not None else None

    def _possible(self, level: str, body: str) -> dict[Axis, list[Signature]]:
        """Those that apply and of whose literals the entry has one, in the order in which they are tried."""
        found = {number for literal, those in self._by_literal.items() if literal in body for number in those}
        possible: dict[Axis, list[Signature]] = {axis: [] for axis in Axis}
        for number in sorted(found):
            signature = self.all[number]
            if signature.applies(level, body):
                possible[signature.axis].append(signature)
        return possible

    def _one(
        self, signature: Signature, operation: Signature | None, leg: Leg | None, target: str
    ) -> Meaning:
        key = signature.id, operation.id if operation else "", leg, target
        try:
            return self._meanings[key]
        except KeyError:
            return self._meanings.setdefault(key, _meaning(signature, operation, leg, target))

    def captures(self, meaning: Meaning, body: str) -> Iterator[tuple[str, str]]:
        """The values in one entry of that meaning; names with a number at the end are spellings of one
        name."""
        for signature in (meaning.operation, meaning.signature):
            match = signature.search(body) if signature is not None else None
            for name, value in (match.groupdict() if match else {}).items():
                if value is not None and value.strip():
                    yield name.rstrip("0123456789"), value.strip()
        url = _last_url(body)
        if url:
            yield "url", url
            if host := _HOST.match(url):
                yield "host", host[1]


def _deepest(failures: Sequence[Signature], body: str) -> Signature | None:
    """Which of them the deepest ``caused by`` tells of; the generic ones come last."""
    segments = body.split("caused by: ")[::-1]
    for generic in (False, True):
        for segment in segments:
            for failure in failures:
                if failure.generic is generic and failure.search(segment):
                    return failure
    return None


def _way(body: str, operation: Signature | None) -> tuple[Leg, str]:
    """The leg that an operation took and its target, as far as the text shows them."""
    url = _last_url(body)
    host = _HOST.match(url) if url else None
    to_imds = host[1] in _IMDS if host else _DIALLED_IMDS.search(body) is not None
    if not host and not to_imds and operation is not None and operation.target == "imds":
        to_imds = True
    target = "imds" if to_imds else _service(host[1]) if host else operation.target if operation else ""
    if "proxyconnect tcp" in body:
        return (Leg.IMDS_PROXY if to_imds else Leg.PROXY), target
    return (Leg.IMDS if to_imds else Leg.ENDPOINT), target


def _last_url(body: str) -> str | None:
    urls = _URL.findall(body) if "://" in body else []
    return (urls[-1][0] or urls[-1][1]) if urls else None


def _service(host: str) -> str:
    """The AWS service that an endpoint's name stands for; ``other`` for hosts that are none of the
    agent's."""
    for label in host.lower().split(".")[:12]:
        for service, spelling in _LABELS:
            if spelling.fullmatch(label):
                return service
    return "other"
