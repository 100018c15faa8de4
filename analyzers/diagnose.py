"""From one host's evidence to its diagnosis.

Facts and logs are read, every rule looks at the case, and what the rules told is folded into root causes.
The verdict is ``healthy`` only where something proves it; where nothing tells, it is ``unknown``, with the
one look that would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from analyzers import story, tables
from analyzers.causes import every_rule
from analyzers.causes.asides import without_asides
from analyzers.causes.case import Case
from analyzers.causes.catalogue import Catalogue, CauseText
from analyzers.causes.proof import by_log_alone, proof_of_health
from analyzers.causes.recovery import settled
from analyzers.causes.rule import OURS, Exclusion, Finding, Rule, Told
from analyzers.causes.texts import message, steps
from analyzers.collected import collected
from analyzers.diagnosis import (
    Confidence,
    Diagnosis,
    Excluded,
    Owner,
    RootCause,
    Step,
    Symptom,
    Verdict,
)
from analyzers.explain import texts
from analyzers.facts import Facts
from analyzers.fleet import traits
from analyzers.graph import Folding, Root, fold
from analyzers.looks import next_look
from analyzers.opinion import second_opinion
from analyzers.path import path
from analyzers.text import Message, Value, listed, ready, say
from analyzers.timeline import timeline
from collector.errors import TriageError
from collector.evidence import Evidence, Manifest, Status

if TYPE_CHECKING:
    from analyzers.logs.signatures import Signatures


def diagnose(
    evidence: Evidence, *, now: datetime | None = None, signatures: Sequence[Path] | Signatures | None = None
) -> Diagnosis:
    """The verdict on one host.

    ``now`` is our clock (UTC; default: the clock itself), ``signatures`` folders of a user's own signatures.

    Raises:
        EvidenceError: a log in the evidence is damaged.
        SignatureError: a signature of the user's is not valid.
        TriageError: a third party's rule cannot be loaded.
    """
    if _never_asked(evidence.manifest):
        return _not_reached(evidence.manifest)
    return judge(case_of(evidence, now=now, signatures=signatures), every_rule(), texts())


def case_of(
    evidence: Evidence, *, now: datetime | None = None, signatures: Sequence[Path] | Signatures | None = None
) -> Case:
    """The facts and the log of one host, side by side."""
    from analyzers.logs import read_logs

    return Case(
        evidence.manifest,
        Facts(evidence),
        without_asides(settled(read_logs(evidence, signatures=signatures))),
        now or datetime.now(UTC),
    )


def judge(case: Case, rules: Iterable[Rule], catalogue: Catalogue) -> Diagnosis:
    """Ask the rules, fold what they tell, and say it."""
    findings: list[Finding] = []
    exclusions: list[Exclusion] = []
    for rule in rules:
        for told in asked(rule, case):
            if isinstance(told, Finding):
                findings.append(told)
            else:
                exclusions.append(told)
    folding = fold(findings, exclusions, catalogue)
    proof = () if folding.roots else proof_of_health(case)
    causes = tuple(root_cause(case, root, catalogue) for root in folding.roots)
    candidates = () if causes or proof else tuple(f.slug for f in folding.open)
    verdict = Verdict.BROKEN if causes else Verdict.HEALTHY if proof else Verdict.UNKNOWN
    return Diagnosis(
        subject=case.manifest.subject,
        verdict=verdict,
        headline=_headline(verdict, causes, candidates, catalogue, case),
        causes=causes,
        excluded=_excluded(folding, exclusions, catalogue),
        unseen=story.unseen(case),
        proof=proof,
        candidates=candidates,
        next_look=next_look(case, candidates) if verdict is Verdict.UNKNOWN else None,
        timeline=timeline(case),
        path=path(case),
        agent=story.agent(case),
        host_time=story.host_time(case),
        utc_offset=case.logs.utc_offset or story.utc_offset(case),
        clock_skew=story.clock_skew(case),
        last_good=case.logs.last_good.time if case.logs.last_good else None,
        rules=story.rule_set(),
        second_opinion=second_opinion(case),
        routes=tables.routes(case),
        proxies=tables.proxies(case),
        attempts=tables.attempts(case),
        traits=traits(case),
    )


def asked(rule: Rule, case: Case) -> tuple[Told, ...]:
    """What one rule tells.

    Raises:
        TriageError: a third party's rule fails; the line names it and its package.
    """
    if rule.origin == OURS:
        return tuple(rule(case))
    try:
        return tuple(rule(case))
    except Exception as error:  # whatever foreign code raises
        raise TriageError(f"the rule {rule.name} of {rule.origin} fails on this host: {error!r}") from error


# The parts of the verdict --------------------------------------------------------------------------------


def root_cause(case: Case, root: Root, catalogue: Catalogue) -> RootCause:
    """A root cause in words, with this host's values."""
    finding, text = root.finding, catalogue[root.finding.slug]
    values = {**case.values, **finding.values}
    next_try = case.logs.next_try
    return RootCause(
        slug=finding.slug,
        sentence=finding.sentence or message(text.sentence, {**text.otherwise, **values}),
        confidence=finding.confidence,
        owner=finding.owner or text.owner,
        scope=finding.scope,
        evidence=finding.evidence,
        against=finding.against,
        symptoms=tuple(_symptoms(case, root.folded, catalogue)),
        since=finding.since,
        next_retry=next_try.earliest if next_try is not None else None,
        needs_restart=text.restart,
        remedy=steps(text.mend, values),
        verify=(*steps(text.verify, values), *_online(case, text)),
    )


def _symptoms(case: Case, folded: Sequence[Finding], catalogue: Catalogue) -> Iterator[Symptom]:
    """What follows from a cause, each piece of evidence told once.

    Several causes may write the same line; beneath the one that it is, the others assert nothing.
    """
    told: set[tuple[str, int | None, str]] = set()
    for finding in folded:
        shown = {(citation.source, citation.line, citation.text) for citation in finding.evidence}
        new = not shown or not shown <= told
        told |= shown
        if new:
            yield Symptom(finding.slug, _seen(case, finding, catalogue[finding.slug]), finding.evidence)


def _seen(case: Case, finding: Finding, text: CauseText) -> Message:
    """What the agent met, and not what it might have come from."""
    if text.symptom:
        values = {**text.otherwise, **case.values, **finding.values}
        return finding.sentence or message(text.sentence, values)
    cited = {(citation.source, citation.line) for citation in finding.evidence}
    for sighting in case.logs.sightings:
        newest = sighting.last.cite()
        if newest.line is not None and (newest.source, newest.line) in cited:
            return ready(sighting.means)
    return ready(text.title)


def _online(case: Case, text: CauseText) -> tuple[Step, ...]:
    """The check that every mended host must pass."""
    if text.slug in ("healthy", "not-reached"):
        return ()
    line = "sudo grep 'Successfully opened websocket' /var/log/amazon/ssm/amazon-ssm-agent.log | tail -1"
    if case.windows:
        logs = r"$env:ProgramData\Amazon\SSM\Logs\*.log"
        line = f"Select-String 'Successfully opened websocket' \"{logs}\" | Select-Object -Last 1"
    return (Step(say("The agent's channel is open, and AWS sees the host online."), (line,)),)


def _excluded(
    folding: Folding, exclusions: Sequence[Exclusion], catalogue: Catalogue
) -> tuple[Excluded, ...]:
    """What was ruled out: first what the log spoke for, then what the facts alone clear."""
    found = {f.slug for root in folding.roots for f in (root.finding, *root.folded)}
    told = [Excluded(f.slug, e.reason, e.citations) for f, e in folding.dropped]
    for exclusion in exclusions:
        slug = _REPRESENTATIVE.get(exclusion.slug, exclusion.slug)
        if slug in catalogue and slug not in found:
            told.append(Excluded(slug, exclusion.reason, exclusion.citations))
    return tuple({excluded.slug: excluded for excluded in reversed(told)}.values())[::-1]


_REPRESENTATIVE = {
    "imds-*": "imds-no-response",
    "endpoint-*": "endpoint-unreachable",
    "dns-*": "dns-no-such-host",
    "tls-*": "tls-trust",
    "hybrid-*": "hybrid-registration-residue",
}
"""One name for a family that is ruled out as a whole."""


def _headline(
    verdict: Verdict,
    causes: tuple[RootCause, ...],
    candidates: tuple[str, ...],
    catalogue: Catalogue,
    case: Case,
) -> Message:
    if verdict is Verdict.HEALTHY and by_log_alone(case):
        last = case.logs.last_event.time if case.logs.last_event is not None else None
        if last is None:
            return say(
                "By its log, the agent worked until the log ends; nothing else on the host was checked."
            )
        return say(
            "By its log, the agent worked until {moment}; nothing else on the host was checked.",
            moment=f"{last:%Y-%m-%d %H:%M}",
        )
    if verdict is Verdict.HEALTHY:
        return say("The agent works: its channel to Systems Manager is open.")
    if verdict is Verdict.BROKEN:
        if len(causes) == 1:
            return causes[0].sentence
        return say("{first} ({more} more to fix after it.)", first=causes[0].sentence, more=len(causes) - 1)
    if candidates:
        titles = [ready(catalogue[slug].title) for slug in candidates[:3] if slug in catalogue]
        return say("The evidence does not settle the cause. Possible: {titles}.", titles=listed(titles))
    if not case.logs.has_entries:
        return say("There is no agent log, and nothing else shows what is wrong.")
    return say("Nothing shows a fault, and nothing proves that the agent works.")


# A host that could not be asked --------------------------------------------------------------------------


def _never_asked(manifest: Manifest) -> bool:
    """Whether nothing at all came home.  A collection that broke off half-way is judged by what came."""
    came = any(probe.status in (Status.OK, Status.TRUNCATED) for probe in manifest.probes)
    return manifest.failure is not None and not came and not manifest.logs


def _not_reached(manifest: Manifest) -> Diagnosis:
    failure = manifest.failure
    assert failure is not None  # noqa: S101  _never_asked saw it
    text = texts()["not-reached"]
    values: dict[str, Value] = {
        "kind": failure.kind.value,
        "detail": collected(failure.detail),
        "try_next": collected(failure.try_next),
        "name": manifest.subject.name,
    }
    cause = RootCause(
        "not-reached", message(text.sentence, values), Confidence.CERTAIN, Owner.OPERATOR, failure.kind.value,
        remedy=steps(text.mend, values), verify=steps(text.verify, values),
    )  # fmt: skip
    return Diagnosis(
        manifest.subject, Verdict.NOT_REACHED, cause.sentence, (cause,), unseen=(), rules=story.rule_set()
    )
