"""One host in a sweep's summary: small, so that ten thousand of them stay small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from analyzers.diagnosis import Confidence, Diagnosis, Owner, Trait, Verdict
from analyzers.fleet import Member, shared
from analyzers.text import Message
from collector.errors import FailureKind
from reports.base import Muted, muted_by
from reports.clean import one_line
from reports.provenance import Provenance

_WORST_FIRST = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.NOT_REACHED, Verdict.HEALTHY)
_SUREST_FIRST = tuple(Confidence)
_TRAITS = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What a summary tells of one host.  ``name`` and ``headline`` are hostile text still."""

    name: str
    verdict: Verdict
    headline: Message
    href: str = ""
    """Relative link to the host's page; empty where there is none."""
    cause: str = ""
    """Slug of the first root cause."""
    scope: str = ""
    confidence: Confidence | None = None
    owner: Owner | None = None
    since: datetime | None = None
    more_causes: int = 0
    failure: FailureKind | None = None
    """Why it was not reached, or the collection broke off."""
    address: str = ""
    platform: str = ""
    groups: tuple[str, ...] = ()
    instance_id: str = ""
    region: str = ""
    agent_version: str = ""
    traits: tuple[Trait, ...] = ()
    """What it may share with others; hostile text still."""
    muted: str = ""
    """Why none of its causes counts; empty: they do."""
    redacted: bool = False
    """Whether names, addresses and ids are stand-ins."""

    @property
    def label(self) -> str:
        """What the host is counted under: its cause and scope, or why it was not reached."""
        if self.cause:
            return f"{self.cause} {self.scope}".rstrip()
        return str(self.failure) if self.failure and self.verdict is Verdict.NOT_REACHED else ""


def entry_of(
    diagnosis: Diagnosis, provenance: Provenance, href: str = "", muted: tuple[Muted, ...] = ()
) -> Entry:
    """Boil one host down."""
    first = diagnosis.causes[0] if diagnosis.causes else None
    failure = provenance.failure
    subject = diagnosis.subject
    return Entry(
        name=one_line(subject.name, 300),
        verdict=diagnosis.verdict,
        headline=_bounded(diagnosis.headline),
        href=href,
        cause=first.slug if first else "",
        scope=first.scope or "" if first else "",
        confidence=first.confidence if first else None,
        owner=_owner(diagnosis),
        since=first.since if first else None,
        more_causes=max(len(diagnosis.causes) - 1, 0),
        failure=failure.kind if failure else None,
        address=one_line(subject.address, 300),
        platform=str(subject.platform),
        groups=subject.groups,
        instance_id=one_line(diagnosis.agent.identity or subject.instance_id or "", 100),
        region=one_line(subject.region or "", 100),
        agent_version=one_line(diagnosis.agent.version or "", 100),
        traits=tuple(Trait(trait.kind, one_line(trait.value, 100)) for trait in diagnosis.traits[:_TRAITS]),
        muted=_muted(diagnosis, muted),
        redacted=bool(provenance.redaction),
    )


def _muted(diagnosis: Diagnosis, muted: tuple[Muted, ...]) -> str:
    """The reasons, where every cause is muted."""
    found = [muted_by(muted, cause) for cause in diagnosis.causes]
    reasons = dict.fromkeys(one.reason for one in found if one is not None)
    return one_line("; ".join(reasons), 300) if None not in found else ""


def _owner(diagnosis: Diagnosis) -> Owner | None:
    if diagnosis.causes:
        return diagnosis.causes[0].owner
    return Owner.OPERATOR if diagnosis.verdict is Verdict.NOT_REACHED else None


def _bounded(message: Message) -> Message:
    return message.changed(lambda value: one_line(value, 300))


def worst_first(entries: Iterable[Entry]) -> list[Entry]:
    """The order in which a reader wants them: broken first, muted ones behind, the commonest cause first."""
    entries = list(entries)
    common = Counter((entry.verdict, entry.label) for entry in entries)

    def rank(entry: Entry) -> tuple[object, ...]:
        sure = _SUREST_FIRST.index(entry.confidence) if entry.confidence else len(_SUREST_FIRST)
        return (
            _WORST_FIRST.index(entry.verdict),
            bool(entry.muted),
            -common[entry.verdict, entry.label],
            entry.label,
            sure,
            _natural(entry.name),
        )

    return sorted(entries, key=rank)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """``web-9`` before ``web-10``."""
    parts: list[tuple[int, int, str]] = []
    digits, text = "", ""
    for char in f"{name}\0":
        if "0" <= char <= "9":
            if text:
                parts.append((1, 0, text))
                text = ""
            digits += char
        else:
            if digits:
                parts.append((0, int(digits[:18]), digits))
                digits = ""
            text += char
    return (*parts, (1, 0, text))


@dataclass(frozen=True, slots=True)
class Count:
    """How many hosts share one cause."""

    verdict: Verdict
    label: str
    owner: Owner | None
    hosts: int


def by_cause(entries: Iterable[Entry]) -> list[Count]:
    """Counts per cause, worst first."""
    counts = Counter((entry.verdict, entry.label, entry.owner) for entry in entries)
    found = [Count(*key, hosts) for key, hosts in counts.items()]
    return sorted(found, key=lambda count: (_WORST_FIRST.index(count.verdict), -count.hosts, count.label))


def in_common(entries: Iterable[Entry]) -> list[Message]:
    """What hosts of the sweep share, one sentence each."""
    members = (
        Member(entry.label if entry.cause else "", entry.traits, entry.since)
        for entry in entries
        if entry.verdict is not Verdict.NOT_REACHED
    )
    return [one.sentence for one in shared(members)]


def by_owner(entries: Iterable[Entry]) -> dict[Owner, int]:
    """How many hosts each owner has to mend, most first."""
    return dict(Counter(entry.owner for entry in entries if entry.owner).most_common())


def by_verdict(entries: Iterable[Entry]) -> dict[Verdict, int]:
    """Counts per verdict, worst first; verdicts without a host left out."""
    counts = Counter(entry.verdict for entry in entries)
    return {verdict: counts[verdict] for verdict in _WORST_FIRST if counts[verdict]}
