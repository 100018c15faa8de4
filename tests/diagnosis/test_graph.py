"""Merging, ruling out, folding and ranking."""

from __future__ import annotations

from datetime import UTC, datetime

from analyzers.causes.catalogue import catalogue
from analyzers.causes.rule import Exclusion, Finding
from analyzers.diagnosis import Citation, Confidence
from analyzers.graph import Folding, fold
from analyzers.text import say

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE
SEEN = (Citation("probes/imds", "outcome=no-route"),)
LOGGED = (Citation("logs/amazon-ssm-agent.log", "ERROR ...", 7),)


def folded(*findings: Finding, exclusions: tuple[Exclusion, ...] = ()) -> Folding:
    return fold(findings, exclusions, catalogue())


def roots(folding: Folding) -> list[str]:
    return [root.finding.slug for root in folding.roots]


def test_a_symptom_folds_beneath_its_cause() -> None:
    found = folded(Finding("no-identity", POSSIBLE, LOGGED), Finding("imds-no-route", CERTAIN, SEEN))
    assert roots(found) == ["imds-no-route"]
    assert [one.slug for one in found.roots[0].folded] == ["no-identity"]


def test_a_symptom_alone_is_no_cause() -> None:
    found = folded(Finding("no-identity", CERTAIN, LOGGED))
    assert not found.roots
    assert not found.open


def test_independent_causes_stay_side_by_side_in_the_order_of_mending() -> None:
    found = folded(Finding("iam-access-denied", CERTAIN, LOGGED), Finding("disk-full", CERTAIN, SEEN))
    assert roots(found) == ["disk-full", "iam-access-denied"]


def test_a_guess_does_not_swallow_what_was_seen() -> None:
    found = folded(
        Finding("hosts-file-override", POSSIBLE, LOGGED), Finding("endpoint-unreachable", CERTAIN, SEEN)
    )
    assert roots(found) == ["endpoint-unreachable"]


def test_of_causes_that_explain_each_other_the_surer_one_stays() -> None:
    timeout, down = Finding("dns-timeout", LIKELY, LOGGED), Finding("dns-resolver-down", CERTAIN, SEEN)
    assert roots(folded(timeout, down)) == ["dns-resolver-down"]


def test_merging_keeps_all_evidence_and_the_earliest_time() -> None:
    early, late = datetime(2026, 11, 23, 6, tzinfo=UTC), datetime(2026, 11, 23, 7, tzinfo=UTC)
    found = folded(
        Finding("throttling", LIKELY, LOGGED, since=late, values={"code": "a", "host": "h"}),
        Finding("throttling", CERTAIN, SEEN, scope="ssm", since=early, values={"code": "b"}),
    )
    cause = found.roots[0].finding
    assert (cause.confidence, cause.scope, cause.since) == (CERTAIN, "ssm", early)
    assert set(cause.evidence) == {*LOGGED, *SEEN}
    assert cause.values == {"code": "b", "host": "h"}


def test_an_exclusion_drops_what_only_the_log_says() -> None:
    over = Exclusion("imds-*", say("IMDS answers now."))
    found = folded(Finding("imds-no-route", CERTAIN, LOGGED), exclusions=(over,))
    assert not found.roots
    assert [(finding.slug, exclusion) for finding, exclusion in found.dropped] == [("imds-no-route", over)]


def test_what_was_seen_outweighs_an_exclusion() -> None:
    over = Exclusion("imds-*", say("IMDS answers now."))
    assert roots(folded(Finding("imds-no-route", CERTAIN, SEEN), exclusions=(over,))) == ["imds-no-route"]


def test_what_is_only_possible_stays_open() -> None:
    found = folded(
        Finding("imds-redirected", POSSIBLE, LOGGED), Finding("imds-blocked-on-host", POSSIBLE, LOGGED)
    )
    assert not found.roots
    assert [one.slug for one in found.open] == ["imds-redirected", "imds-blocked-on-host"]


def test_the_edges_have_no_cycle_of_equals_without_an_end() -> None:
    """Whatever two causes are found together, at least one of them is told."""
    slugs = [text.slug for text in catalogue() if not text.symptom and text.family != "verdict"]
    for first in slugs:
        for second in slugs:
            if first < second:
                found = folded(Finding(first, CERTAIN, SEEN), Finding(second, CERTAIN, SEEN))
                assert found.roots, (first, second)
