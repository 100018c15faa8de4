"""What the log says by itself: each failure that is not over speaks for the causes that its signature names.

A text that only one cause can write is certain.  A text that several causes share is possible for each of
them, until facts or other rules tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import SERVICES, Case
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, log_values, share, shares
from analyzers.causes.versions import Change
from analyzers.diagnosis import Confidence
from analyzers.facts.endpoints import EndpointState
from analyzers.facts.imds import ImdsState
from analyzers.logs.model import Kind, Leg, Sighting

SHARED = frozenset((
    "net.dial-timeout", "net.refused", "net.no-route-to-host", "net.no-answer", "net.no-connection-in-time",
    "net.tls-timeout", "tls.certificate-not-yet-valid", "tls.certificate-expired", "tls.certificate-time",
    "imds.html-answer", "iam.invalid-token", "iam.signature-mismatch", "iam.signature-invalid",
    "service.instance-unknown", "service.no-region", "iam.no-identity-credentials", "dns.temporary",
    "host.worker-died", "host.log-failed", "host.message-bus", "host.crash", "host.runtime-config",
    "host.plugin-missing", "service.status", "service.websocket-refused",
))  # fmt: skip
"""Signatures whose text several causes write alike, so that the first of them is no better than the others.

Elsewhere the first cause of a signature is the likely one, as its list says.
"""


@rule("*", "logs")
def supported(case: Case) -> Iterator[Told]:
    """Every cause that a failure speaks for, once for all the failures that do."""
    by_slug: dict[str, list[Sighting]] = {}
    for sighting in case.logs.failures():
        if answered_now(case, sighting) or echoes(case, sighting):
            continue
        for slug in _here(case, sighting):
            by_slug.setdefault(slug, []).append(sighting)
    for slug, sightings in by_slug.items():
        if all(confidence(s, slug) is POSSIBLE for s in sightings) and any(case.logs.excluding(slug)):
            continue
        best = max(sightings, key=lambda s: (_rank(confidence(s, slug)), s.last.line or 0))
        yield Finding(
            slug,
            confidence(best, slug),
            shares(sightings),
            scope_of(case, best, sightings),
            values=log_values(case, best),
            since=min((s.first.time for s in sightings if s.first.time is not None), default=None),
        )


_UNTIL = {"agent-too-old-for-imdsv2": Change.IMDS_V2}
"""Causes that an agent has only before a change."""


def _here(case: Case, sighting: Sighting) -> tuple[str, ...]:
    """What a sighting supports on this platform, with this agent."""
    return tuple(
        slug
        for slug in sighting.supports
        if (case.windows or not slug.startswith("win-")) and not (slug in _UNTIL and case.has(_UNTIL[slug]))
    )


def _rank(confidence: Confidence) -> int:
    return [POSSIBLE, LIKELY, CERTAIN].index(confidence)


def echoes(case: Case, sighting: Sighting) -> bool:
    """Whether a vague line only repeats, with its reason cut off, what another tells of the same target."""
    return sighting.vague and any(not other.vague for other in case.failures(target=sighting.target))


def answered_now(case: Case, sighting: Sighting) -> bool:
    """Whether what this failed towards was seen to answer since, on the same way."""
    if sighting.leg is Leg.IMDS and sighting.signature.startswith(("imds.", "net.")):
        return case.imds is not None and case.imds.state is ImdsState.OK
    endpoint = case.endpoint(sighting.target) if sighting.target in SERVICES else None
    if endpoint is None:
        return False
    if sighting.leg is Leg.ENDPOINT:
        return endpoint.state is EndpointState.OK and not case.proxied
    return sighting.leg is Leg.PROXY and endpoint.proxied is not None and endpoint.proxied.ok


def confidence(sighting: Sighting, slug: str) -> Confidence:
    """What this text alone is worth for one cause."""
    if sighting.vague or (slug == "no-default-route" and ":" in (sighting.capture("address") or "")):
        return POSSIBLE  # without a way for IPv6, an agent goes by IPv4: what failed there is not told
    if sighting.supports == (slug,):
        return CERTAIN
    return LIKELY if slug == sighting.supports[0] and sighting.signature not in SHARED else POSSIBLE


_SCOPES = {"host.no-space": "space"}
"""By far the commoner of two; df tells it from inodes."""


def scope_of(case: Case, best: Sighting, sightings: list[Sighting]) -> str | None:
    """The part concerned: the signature's own scope, or the service that fails where ssm itself does not."""
    if best.scope is not None or best.signature in _SCOPES:
        return best.scope or _SCOPES[best.signature]
    targets = {s.target for s in sightings if s.target in SERVICES}
    proven = {target for s in case.logs.current for target in s.proves} & set(SERVICES)
    if "ssm" in targets:
        return "ssm" if targets == {"ssm"} and proven and best.leg is Leg.ENDPOINT else None
    return next((service for service in SERVICES if service in targets), None)


_SYMPTOMS = {
    "start.no-identity": "no-identity",
    "start.failed": "no-identity",
    "start.identity-not-created": "no-identity",
    "creds.none-valid": "no-credentials",
    "creds.refresh": "no-credentials",
    "net.request-failed": "request-failed",
    "imds.unexplained": "imds-unreachable",
    "health.first-ping": "hibernation",
    "state.hibernating": "hibernation",
    "iam.dhmc-not-configured": "no-credentials",
    "iam.dhmc-not-registered": "no-credentials",
    "mds.paused": "message-channel",
    "channel.lost": "message-channel",
}


@rule("*", "logs")
def symptoms(case: Case) -> Iterator[Told]:
    """What follows from other things; where nothing else speaks, it names the candidates."""
    for sighting in case.logs.current:
        symptom = _SYMPTOMS.get(sighting.signature)
        if symptom:
            yield Finding(symptom, POSSIBLE, (share(sighting),), since=sighting.first.time)
        if sighting.kind is Kind.SYMPTOM and "dhmc-not-ready" not in sighting.supports:
            for slug in _here(case, sighting):
                if not any(case.logs.excluding(slug)):
                    yield Finding(slug, POSSIBLE, (share(sighting),), since=sighting.first.time)
