"""From findings to root causes: what is the same, what folds beneath what, and what is mended first.

The edges are declared with each cause in the catalogue (``explains``); this module only follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from analyzers.causes.catalogue import Catalogue
from analyzers.causes.rule import Exclusion, Finding
from analyzers.diagnosis import Citation, Confidence
from analyzers.text import Value

WEIGHT = {Confidence.POSSIBLE: 0, Confidence.LIKELY: 1, Confidence.CERTAIN: 2}

_ORDER = """
    not-reached agent-absent sysprep-incomplete filesystem-read-only disk-full resource-starvation
    security-software-block agent-wrong-user duplicate-agent worker-broken config-corrupt ipc-broken fd-limit
    update-left-service-disabled win-service-start-timeout agent-stopped config-override
    hybrid-registration-residue proxy-no-noproxy-imds imds-* win-* agent-too-old-for-imdsv2 clock-skew
    no-default-route dns-no-resolver dns-* hosts-file-override proxy-* ipv6-only endpoint-blocked-on-host
    vpc-endpoint-missing endpoint-* mtu-blackhole tls-* hybrid-* fingerprint-mismatch stray-credentials
    iam-instance-profile-deleted iam-no-instance-profile trust-policy credentials-* policy-explicit-deny
    iam-access-denied throttling dhmc-not-ready inotify-exhausted boot-race agent-version-behaviour
"""
ORDER = tuple(_ORDER.split())
"""What must be mended first: nothing further along can work, or be seen to work, before it."""


@dataclass(frozen=True, slots=True)
class Root:
    """One cause with all that folds beneath it."""

    finding: Finding
    folded: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Folding:
    """What became of the findings."""

    roots: tuple[Root, ...] = ()
    """Shown or likely; ranked."""
    open: tuple[Finding, ...] = ()
    """Possible, and explained by no root; the likeliest first."""
    dropped: tuple[tuple[Finding, Exclusion], ...] = field(default=())
    """Ruled out."""


def fold(findings: Iterable[Finding], exclusions: Sequence[Exclusion], catalogue: Catalogue) -> Folding:
    """Merge, rule out, fold and rank.

    A finding that was shown (certain) is not ruled out: what was seen outweighs what was reasoned.
    """
    kept: list[Finding] = []
    dropped: list[tuple[Finding, Exclusion]] = []
    for finding in merge(findings):
        against = next((e for e in exclusions if _rules_out(e, finding)), None)
        if against is not None:
            dropped.append((finding, against))
        else:
            kept.append(finding)
    strong = [f for f in kept if WEIGHT[f.confidence] and not _symptom(f, catalogue)]
    roots = [f for f in strong if not any(_beneath(f, other, catalogue) for other in strong)]
    roots.sort(key=lambda f: (_order(f.slug), -WEIGHT[f.confidence]))
    weak = [f for f in kept if f not in roots]
    trees = tuple(Root(f, tuple(b for b in weak if _parent(b, roots, catalogue) is f)) for f in roots)
    beneath = [b for tree in trees for b in tree.folded]
    open_ = tuple(f for f in weak if f not in beneath and not _symptom(f, catalogue))
    return Folding(trees, open_, tuple(dropped))


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per cause: the strongest speaks, the evidence of all of them counts."""
    by_slug: dict[str, list[Finding]] = {}
    for finding in findings:
        by_slug.setdefault(finding.slug, []).append(finding)
    return [_merged(same) for same in by_slug.values()]


def _merged(same: list[Finding]) -> Finding:
    best = max(same, key=lambda f: WEIGHT[f.confidence])  # of equals the first: facts come before the log
    ordered = [best, *(f for f in same if f is not best)]
    since = [f.since for f in same if f.since is not None]
    values: dict[str, Value] = {}
    for finding in reversed(ordered):
        values.update(finding.values)
    return replace(
        best,
        evidence=_distinct(c for f in ordered for c in f.evidence),
        against=_distinct(c for f in ordered for c in f.against),
        scope=best.scope,
        since=min(since, default=None),
        values=values,
    )


def _distinct(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """Each place once, in order."""
    by_place = {(c.source, c.line, c.text): c for c in reversed(tuple(citations))}
    return tuple(reversed(by_place.values()))


def _rules_out(exclusion: Exclusion, finding: Finding) -> bool:
    if finding.slug in exclusion.but or not fnmatchcase(finding.slug, exclusion.slug):
        return False
    seen = finding.confidence is Confidence.CERTAIN and any(
        c.source.startswith("probes/") for c in finding.evidence
    )
    return not seen


def _symptom(finding: Finding, catalogue: Catalogue) -> bool:
    return finding.slug in catalogue and catalogue[finding.slug].symptom


def _beneath(finding: Finding, other: Finding, catalogue: Catalogue) -> bool:
    """Whether ``other`` explains ``finding``.  Where each explains the other, the surer one does."""
    if other is finding or other.slug not in catalogue or not catalogue[other.slug].covers(finding.slug):
        return False
    mutual = finding.slug in catalogue and catalogue[finding.slug].covers(other.slug)
    if not mutual:
        return True
    mine, its = WEIGHT[finding.confidence], WEIGHT[other.confidence]
    return its > mine or (its == mine and _order(other.slug) < _order(finding.slug))


def _parent(finding: Finding, roots: Sequence[Finding], catalogue: Catalogue) -> Finding | None:
    """The root beneath which a finding is told: the first that explains it; a symptom folds beneath any."""
    for root in roots:
        if root.slug in catalogue and catalogue[root.slug].covers(finding.slug):
            return root
    return roots[0] if roots and _symptom(finding, catalogue) else None


@lru_cache(maxsize=1 << 10)
def _order(slug: str) -> int:
    exact = next((i for i, name in enumerate(ORDER) if name == slug), None)
    if exact is not None:
        return exact
    return next((i for i, name in enumerate(ORDER) if fnmatchcase(slug, name)), len(ORDER))
