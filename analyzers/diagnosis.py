"""The verdict on one host: what it is made of.  Every report is drawn from this and from the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from analyzers.text import Message
from collector.evidence.model import Status, Subject

SCHEMA = 1


class Verdict(StrEnum):
    HEALTHY = "healthy"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """Something is wrong or cannot be told; what is missing is said."""
    NOT_REACHED = "not-reached"


class Confidence(StrEnum):
    """How sure a cause is; ``docs/diagnosis.md`` says how it is reckoned."""

    CERTAIN = "certain"
    """Seen directly, by the host's facts or by an unambiguous line, and nothing speaks against it."""
    LIKELY = "likely"
    """The evidence points here, but was not seen directly, or another cause could look the same."""
    POSSIBLE = "possible"
    """One of several that fit."""


class Owner(StrEnum):
    """Who can mend it."""

    HOST = "host"
    NETWORK = "network"
    IAM = "iam"
    AWS = "aws"
    OPERATOR = "operator"
    """Whoever runs ssm-triage: the way in is what is broken."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One piece of evidence, so that a reader can look it up."""

    source: str
    """``logs/amazon-ssm-agent.log`` or ``probes/routes``."""
    text: str
    """The excerpt as found (hostile text); several lines where the entry has several."""
    line: int | None = None
    """Line number in the host's file, from 1."""
    time: datetime | None = None
    """As the host's clock had it; aware (UTC) where the zone is known, else naive."""
    mark: str = ""
    """The part of ``text`` that matters; empty: all of it."""
    note: Message | None = None
    """What it shows, where that is not plain."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a root cause explains and what is therefore no cause of its own."""

    slug: str
    sentence: Message
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a remedy, or of a check that it worked."""

    text: Message
    lines: tuple[str, ...] = ()
    """To copy; they carry this host's values.  ssm-triage never runs them."""
    where: Owner = Owner.HOST
    """Where they are run: on the host, or with AWS credentials."""


@dataclass(frozen=True, slots=True)
class RootCause:
    """One thing that is wrong and explains the rest."""

    slug: str
    sentence: Message
    """The verdict in one sentence, with this host's values."""
    confidence: Confidence
    owner: Owner
    scope: str | None = None
    """The part concerned, where it is only a part (``ssmmessages``); see ``explain``."""
    evidence: tuple[Citation, ...] = ()
    against: tuple[Citation, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    since: datetime | None = None
    """When it began, as far as the evidence reaches."""
    next_retry: datetime | None = None
    """When the agent tries again by itself."""
    needs_restart: bool | None = None
    """Whether the agent must be restarted once the cause is mended; ``None``: not known."""
    remedy: tuple[Step, ...] = ()
    verify: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    """A cause that was looked for and is not the one, and why."""

    slug: str
    reason: Message
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be looked at, and why: unknown, never fine."""

    probe: str
    title: str
    status: Status
    why: str


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One thing that happened on the host, or several of a kind, first to last."""

    kind: str
    """``boot``, ``agent-start``, ``state``, ``failure``, ``good``, ``silence``, ``retry``."""
    first: datetime
    last: datetime
    label: Message
    count: int = 1


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What is known of the agent, for the head of the report."""

    version: str | None = None
    state: str | None = None
    """``running``, ``stopped``, ``disabled``, ``absent`` ..."""
    identity: str | None = None
    """``i-...`` or ``mi-...``, as the agent has it."""
    started: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One leg of the path that the agent needs: to IMDS, the resolver, a proxy, an endpoint."""

    kind: str
    """``gateway``, ``imds``, ``resolver``, ``proxy``, ``endpoint``."""
    name: str
    state: str
    """``ok``, ``failed``, ``unknown``, ``unused``."""
    detail: Message | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """One row of ``ssm-cli get-diagnostics``, the agent's own checks, beside ours."""

    check: str
    status: str
    """``Success``, ``Failed``, ``Skipped`` (which is no pass)."""
    note: str
    comment: Message | None = None
    """Why the row may mislead on this host."""


class Judgement(StrEnum):
    """What was found, beside what is expected."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"
    """Nothing is expected of it, or it cannot be told."""


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Which way the kernel sends one thing that the agent needs."""

    purpose: str
    """``imds``, ``ssm``, ``ssmmessages``, ``ec2messages``, ``default``; of Windows also ``amazon-dns``,
    ``activation``, ``time``, ``gpu-licences`` (at 169.254.169), ``internet``."""
    target: str
    """The address, or ``default``."""
    found: str
    """The kernel's words (hostile text); empty: it has no route."""
    expected: str = ""
    """The part of a route that should stand there (``via 10.0.1.1 dev eth0``); empty: any route will do."""
    judgement: Judgement = Judgement.NEUTRAL
    why: Message | None = None


@dataclass(frozen=True, slots=True)
class ProxyRow:
    """One proxy variable in one of the places that may set it."""

    layer: str
    """``process`` (the running agent), ``unit`` (its next start), ``system``, ``login`` (shells only)."""
    name: str
    value: str
    """Masked; empty: not set."""
    origin: str
    """The file or the process."""
    expected: str = ""
    """What should stand there; empty: nothing particular."""
    judgement: Judgement = Judgement.NEUTRAL
    why: Message | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of an attempt."""

    stage: str
    """``dns``, ``tcp``, ``tls``, ``http``, ``proxy``."""
    found: str
    """What came of it, in the host's or the service's own words (hostile text)."""
    judgement: Judgement = Judgement.NEUTRAL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that the host itself tried to reach, stage by stage; a stage not tried is left out."""

    service: str
    """``imds``, ``ssm``, ``ssmmessages``, ``ec2messages``."""
    host: str
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that this host may have in common with others of its sweep."""

    kind: str
    """``image``, ``subnet``, ``role``, ``account``, ``region``, ``zone``, ``version``, ``system`` or
    ``type``."""
    value: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on one host."""

    subject: Subject
    verdict: Verdict
    headline: Message
    """The answer in one sentence, whatever the verdict."""
    causes: tuple[RootCause, ...] = ()
    """Ranked: what must be mended first comes first."""
    excluded: tuple[Excluded, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    proof: tuple[Citation, ...] = ()
    """Of a clean bill: what shows that the agent works."""
    candidates: tuple[str, ...] = ()
    """Of ``unknown``: the causes that still fit."""
    next_look: Step | None = None
    """The single read-only look that would settle what is open."""
    timeline: tuple[TimelineEvent, ...] = ()
    path: tuple[Hop, ...] = ()
    agent: AgentFacts = field(default_factory=AgentFacts)
    host_time: datetime | None = None
    """The host's clock at collection, UTC."""
    utc_offset: timedelta | None = None
    clock_skew: timedelta | None = None
    """The host's clock less ours; ``None``: not known."""
    last_good: datetime | None = None
    """The last moment at which the agent provably worked."""
    rules: str = ""
    """Version of the rule set, with its digest."""
    second_opinion: tuple[Opinion, ...] = ()
    """What the agent's own checks said, where their output was collected."""
    routes: tuple[RouteRow, ...] = ()
    """Where the kernel sends what the agent needs, beside where it should."""
    proxies: tuple[ProxyRow, ...] = ()
    """Every proxy variable that is set anywhere, the agent's own first."""
    attempts: tuple[Attempt, ...] = ()
    """What the host itself tried to reach, and how far each attempt came."""
    traits: tuple[Trait, ...] = ()
    """What may set this host apart from others, or make it like them; see ``analyzers.fleet``."""
