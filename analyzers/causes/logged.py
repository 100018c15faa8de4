"""What the log says by itself: each failure that is not over speaks for the causes that its signature names.

A text that only one cause can write is certain.  A text that several causes share is possible for each of them, until
the facts rule the others out.  The first failure of a cycle leads; the agent prints the rest as its consequences.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.rule import Finding, Rule, Told, rule
from analyzers.causes.tools import log_values, share
from analyzers.diagnosis import Confidence
from analyzers.logs.model import Kind, Sighting


@rule("*", "logs")
def supported(case: Case) -> Iterator[Told]:
    """Every cause that a failure speaks for."""
    for sighting in case.logs.failures():
        for slug in sighting.supports:
            yield Finding(
                slug,
                _confidence(sighting, slug),
                (share(sighting),),
                scope_of(case, sighting),
                values=log_values(case, sighting),
                since=sighting.first.time,
            )


@rule("*", "logs")
def symptoms(case: Case) -> Iterator[Told]:
    """What the log shows that is never a cause, to be told beneath the one that is."""
    for sighting in case.logs.current:
        if sighting.kind is Kind.SYMPTOM and sighting.supports:
            for slug in sighting.supports:
                yield Finding(slug, Confidence.POSSIBLE, (share(sighting),), since=sighting.first.time)


def _confidence(sighting: Sighting, slug: str) -> Confidence:
    if sighting.vague:
        return Confidence.POSSIBLE
    if sighting.supports == (slug,):
        return Confidence.CERTAIN
    return Confidence.LIKELY if slug == sighting.supports[0] else Confidence.POSSIBLE


def scope_of(case: Case, sighting: Sighting) -> str | None:
    """The part concerned: the signature's own scope, or the one service that fails while another is seen to work."""
    if sighting.scope is not None:
        return sighting.scope
    if sighting.target not in ("ssmmessages", "ec2messages"):
        return None
    return sighting.target


RULES: tuple[Rule, ...] = (supported, symptoms)
